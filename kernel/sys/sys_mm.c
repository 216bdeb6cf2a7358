/*
 * Memory system calls: checking the arguments by the man pages, one call into mm/vm.
 *
 * Protections have the same bits in mm/vm (PROT_R/W/X) as in the ABI. The order of the checks is
 * Linux's, so that a call with several faults reports the same one. Addresses with a tag in the top
 * byte are accepted where the arm64 tagged-address ABI accepts them (not as mmap hints): the tag is
 * removed here.
 *
 * Man pages: mmap(2), munmap(2), mprotect(2), mremap(2), madvise(2), brk(2), msync(2), mlock(2),
 * mincore(2), process_vm_readv(2), process_madvise(2).
 */
#include <linux/capability.h>
#include <linux/mman.h>
#include <linux/personality.h>
#include <linux/uio.h>
#include "kernel/sys/abi.h"
#include "kernel/sys/iovs.h"
#include "mm/slab.h"
#include "mm/vm/vmspace.h"

#define PROT_ALL (PROT_R | PROT_W | PROT_X)

_Static_assert(PROT_R == PROT_READ && PROT_W == PROT_WRITE && PROT_X == PROT_EXEC,
	       "passed on as they are");
_Static_assert(sizeof(struct uio_seg) == sizeof(struct iovec), "imported in one copy");

/* What mmap flags say for the region and the call, whatever is mapped. */
static void mmap_flags(u64 flags, struct vm_map_args *a)
{
	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))
		a->how |= VM_MAP_FIXED;
	if (flags & MAP_FIXED_NOREPLACE)
		a->how |= VM_MAP_NOREPLACE;
	if (flags & MAP_POPULATE)
		a->how |= VM_MAP_POPULATE;
	if (flags & MAP_NONBLOCK)
		a->how |= VM_MAP_NONBLOCK;
	if (flags & MAP_NORESERVE)
		a->flags |= VM_NORESERVE;
	if (flags & MAP_LOCKED)
		a->flags |= VM_LOCKED;
}

static int mmap_anonymous(u64 flags, u64 len, struct vm_map_args *a)
{
	u32 type = flags & MAP_TYPE;

	a->max_prot = PROT_ALL;
	if (type == MAP_PRIVATE) {
		if (flags & MAP_GROWSDOWN)
			a->flags |= VM_GROWSDOWN;
		return 0;
	}
	if (type != MAP_SHARED || (flags & MAP_GROWSDOWN))
		return -EINVAL;
	a->flags |= VM_SHARED;
	a->pgoff = 0;
	return vm_shared_anon(len, a->flags, &a->file);
}

/* Flags that MAP_SHARED_VALIDATE lets pass. */
#define MAP_VALIDATED                                                                            \
	(MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_DENYWRITE | MAP_EXECUTABLE | \
	 MAP_GROWSDOWN | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK |  \
	 MAP_HUGETLB | MAP_HUGE_2MB | MAP_HUGE_1GB)

static int mmap_file(struct file *f, u64 flags, struct vm_map_args *a)
{
	u32 type = flags & MAP_TYPE;

	if (!file_mmap_in_range(f, a->pgoff, ALIGN_UP(a->len, (u64)PAGE_SIZE)))
		return -EOVERFLOW;
	if (type == MAP_SHARED_VALIDATE && (flags & ~(u64)MAP_VALIDATED))
		return -EOPNOTSUPP;
	if (type == MAP_SHARED || type == MAP_SHARED_VALIDATE)
		a->flags |= VM_SHARED;
	else if (type != MAP_PRIVATE)
		return -EINVAL;
	if (flags & MAP_GROWSDOWN)
		return -EINVAL;
	return file_mmap(f, a);
}

#define HUGE_SIZE_OF(flags) ((flags) & ((u64)MAP_HUGE_MASK << MAP_HUGE_SHIFT))

/*
 * There are no huge pages, so the best answer is -ENOMEM. -EINVAL on a file, for a size that the
 * machine does not have, for no length, and for a fixed address that is not a multiple of the size.
 */
static int mmap_huge(struct file *f, u64 addr, u64 len, u64 flags)
{
	u64 encoded = HUGE_SIZE_OF(flags) ?: MAP_HUGE_2MB;
	u64 size = 1ull << (encoded >> MAP_HUGE_SHIFT);

	if (encoded != MAP_HUGE_64KB && encoded != MAP_HUGE_2MB && encoded != MAP_HUGE_32MB &&
	    encoded != MAP_HUGE_1GB)
		return -EINVAL;
	if (f || !len || ((flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) && (addr & (size - 1))))
		return -EINVAL;
	return -ENOMEM;
}

/* Is anything mapped in the range? vm_map looks again; this is for the order of the errors. */
static bool range_taken(u64 addr, u64 size)
{
	struct vmspace *vm = current->vm;
	struct region *r;
	bool taken;

	rwsem_read_lock(&vm->sem);
	r = vm_find(vm, addr);
	taken = r && r->start < addr + size;
	rwsem_read_unlock(&vm->sem);
	return taken;
}

/* The part of mmap after the descriptor was looked up; @f is NULL for anonymous memory. */
static long mmap_object(struct file *f, u64 len, u64 flags, struct vm_map_args *a)
{
	u64 size = ALIGN_UP(len, (u64)PAGE_SIZE);
	vaddr_t addr;
	int err;

	if (flags & MAP_HUGETLB)
		return mmap_huge(f, a->addr, len, flags);
	if (!len)
		return -EINVAL;
	if (size < len || size > USER_TOP)
		return -ENOMEM;
	if (a->how & VM_MAP_FIXED) {
		if (a->addr > USER_TOP - size)
			return -ENOMEM;
		if (a->addr & PAGE_MASK)
			return -EINVAL;
	}
	if ((a->how & VM_MAP_FIXED) && a->addr < (u64)READ_ONCE(vm_mmap_min_addr) &&
	    !sys_capable(CAP_SYS_RAWIO))
		return -EPERM;
	if ((a->how & VM_MAP_NOREPLACE) && range_taken(a->addr, size))
		return -EEXIST;
	if ((a->flags & VM_LOCKED) && !a->limits->ipc_lock && !a->limits->memlock)
		return -EPERM;
	err = f ? mmap_file(f, flags, a) : mmap_anonymous(flags, size, a);
	if (err)
		return err;
	err = vm_map(current->vm, a, &addr);
	/*
	 * An object made for this mapping (not the open file's own) came with a reference; the
	 * region has its own now.
	 */
	if (a->file && (!f || a->file != &f->vmf))
		a->file->ops->put(a->file);
	return err ? err : (long)addr;
}

/* mmap(2) */
long sys_mmap(u64 addr, u64 len, u64 prot, u64 flags, u64 fd, u64 off)
{
	struct vm_limits lim;
	struct vm_map_args a = {
		.addr = addr,
		.len = len,
		.prot = prot & PROT_ALL,
		.limits = &lim,
		.pgoff = off >> PAGE_SHIFT,
	};
	struct file *f = NULL;
	long r;

	if (off & PAGE_MASK)
		return -EINVAL;
	if (!(flags & MAP_ANONYMOUS)) {
		r = fd_get((int)fd, &f);
		if (r)
			return r;
	}
	if ((current_task()->personality & READ_IMPLIES_EXEC) && (prot & PROT_READ))
		a.prot |= PROT_X;
	proc_vm_limits(&lim);
	mmap_flags(flags, &a);
	r = mmap_object(f, len, flags, &a);
	if (f)
		file_put(f);
	return r;
}

/* munmap(2) */
long sys_munmap(u64 addr, u64 len)
{
	struct file *puts;
	long err;

	file_puts_begin(&puts);
	err = vm_unmap(current->vm, user_untag(addr), len);
	file_puts_end(&puts);
	return err;
}

/* Start of the stack region that @addr lies in, for PROT_GROWSDOWN; no stack grows up. */
static int stack_start(u64 *addr, u64 *len, bool up)
{
	struct vmspace *vm = current->vm;
	struct region *r;
	int err = -EINVAL;

	rwsem_read_lock(&vm->sem);
	r = vm_find(vm, *addr);
	if (!r || (up ? r->start > *addr : r->start >= *addr + *len)) {
		err = -ENOMEM;
	} else if ((r->flags & VM_GROWSDOWN) && !up) {
		*len += *addr - r->start;
		*addr = r->start;
		err = 0;
	}
	rwsem_read_unlock(&vm->sem);
	return err;
}

/* mprotect(2) */
long sys_mprotect(u64 uaddr, u64 len, u64 prot)
{
	u64 addr = user_untag(uaddr), grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
	struct vm_limits lim;
	int err;

	if (grows == (PROT_GROWSDOWN | PROT_GROWSUP) || (addr & PAGE_MASK))
		return -EINVAL;
	if (!len)
		return 0;
	if (ALIGN_UP(len, (u64)PAGE_SIZE) + addr <= addr)
		return -ENOMEM;
	prot &= ~grows;
	if (prot & ~(u64)(PROT_ALL | PROT_SEM))
		return -EINVAL;
	if (grows) {
		err = stack_start(&addr, &len, grows & PROT_GROWSUP);
		if (err)
			return err;
	}
	if ((current_task()->personality & READ_IMPLIES_EXEC) && (prot & PROT_READ))
		prot |= PROT_X;
	proc_vm_limits(&lim);
	return vm_protect(current->vm, addr, len, (u32)prot & PROT_ALL, &lim);
}

/* mremap(2) */
long sys_mremap(u64 addr, u64 old_len, u64 new_len, u64 flags, u64 new_addr)
{
	struct vm_limits lim;
	vaddr_t out;
	int err;

	if (flags > 0xffffffffu)
		return -EINVAL;
	proc_vm_limits(&lim);
	err = vm_remap(current->vm, user_untag(addr), old_len, new_len, (u32)flags, new_addr, &lim,
		       &out);
	return err ? err : (long)out;
}

/* remap_file_pages(2): an address and a size that are not whole pages are rounded down. */
long sys_remap_file_pages(u64 start, u64 size, u64 prot, u64 pgoff, u64 flags)
{
	u64 addr = start & ~(u64)PAGE_MASK, len = size & ~(u64)PAGE_MASK;
	struct vm_limits lim;

	if (prot || addr + len <= addr || pgoff + (len >> PAGE_SHIFT) < pgoff)
		return -EINVAL;
	proc_vm_limits(&lim);
	return vm_remap_pages(current->vm, addr, len, pgoff, flags & MAP_NONBLOCK, &lim);
}

/* madvise(2) */
long sys_madvise(u64 addr, u64 len, u64 advice)
{
	addr = user_untag(addr);
	if ((int)advice == MADV_HWPOISON || (int)advice == MADV_SOFT_OFFLINE)
		return memfail_inject(addr, len, (int)advice == MADV_SOFT_OFFLINE);
	return vm_advise(current->vm, addr, len, (int)advice);
}

/* brk(2): the system call always returns a break. */
long sys_brk(u64 addr)
{
	struct vm_limits lim;

	proc_vm_limits(&lim);
	return (long)vm_brk(current->vm, addr, &lim);
}

/* msync(2) */
long sys_msync(u64 addr, u64 len, u64 flags)
{
	return vm_sync(current->vm, user_untag(addr), len, (int)flags);
}

static long mlock_call(u64 addr, u64 len, bool lock, bool onfault)
{
	struct vm_limits lim;

	proc_vm_limits(&lim);
	return vm_lock(current->vm, user_untag(addr), len, lock, onfault, &lim);
}

/* mlock(2) */
long sys_mlock(u64 addr, u64 len)
{
	return mlock_call(addr, len, true, false);
}

/* mlock2(2) */
long sys_mlock2(u64 addr, u64 len, u64 flags)
{
	if ((int)flags & ~MLOCK_ONFAULT)
		return -EINVAL;
	return mlock_call(addr, len, true, flags & MLOCK_ONFAULT);
}

/* munlock(2) */
long sys_munlock(u64 addr, u64 len)
{
	return mlock_call(addr, len, false, false);
}

/* mlockall(2) */
long sys_mlockall(u64 flags)
{
	struct vm_limits lim;

	if (!(int)flags)
		return -EINVAL;
	proc_vm_limits(&lim);
	return vm_lock_all(current->vm, (int)flags, &lim);
}

/* munlockall(2) */
long sys_munlockall(void)
{
	return vm_lock_all(current->vm, 0, NULL);
}

#define MINCORE_CHUNK 2048u

/* mincore(2) */
long sys_mincore(u64 uaddr, u64 len, u64 uvec)
{
	u64 addr = user_untag(uaddr), pages = len / PAGE_SIZE + (len % PAGE_SIZE != 0);
	u8 *vec;
	long r = 0;

	if (addr & PAGE_MASK)
		return -EINVAL;
	if (len > USER_TOP || addr > USER_TOP - len)
		return -ENOMEM;
	vec = kmalloc(MINCORE_CHUNK, 0);
	if (!vec)
		return -EAGAIN;
	while (pages && !r) {
		u64 n = MIN(pages, (u64)MINCORE_CHUNK);

		r = vm_mincore(current->vm, addr, n, vec);
		if (!r && copy_to_user(uvec, vec, n))
			r = -EFAULT;
		addr += n * PAGE_SIZE;
		uvec += n;
		pages -= n;
	}
	kfree(vec);
	return r;
}

/*
 * An array of iovecs from user memory. *out is NULL for none; kfree it. 0, -EINVAL, -EFAULT,
 * -ENOMEM.
 */
static int import_segs(u64 uiov, u64 count, struct uio_seg **out)
{
	struct uio_seg *segs;

	*out = NULL;
	if (count > UIO_MAXIOV)
		return -EINVAL;
	if (!count)
		return 0;
	segs = kmalloc(count * sizeof(*segs), 0);
	if (!segs)
		return -ENOMEM;
	if (copy_from_user(segs, uiov, count * sizeof(*segs))) {
		kfree(segs);
		return -EFAULT;
	}
	for (u64 i = 0; i < count; i++)
		if ((ssize_t)segs[i].len < 0) {
			kfree(segs);
			return -EINVAL;
		}
	*out = segs;
	return 0;
}

/* The caller's buffers: user memory, cut to the most that one call moves. */
static int check_local(struct uio_seg *segs, u32 count, size_t *total)
{
	*total = 0;
	for (u32 i = 0; i < count; i++) {
		if (!user_ok(segs[i].base, segs[i].len))
			return -EFAULT;
		segs[i].len = MIN(segs[i].len, MAX_RW - *total);
		*total += segs[i].len;
	}
	return 0;
}

static bool any_length(const struct uio_seg *segs, u64 count)
{
	for (u64 i = 0; i < count; i++)
		if ((ssize_t)segs[i].len > 0)
			return true;
	return false;
}

/* Move between the caller's @u and one remote segment. Bytes, or -errno when there were none. */
static ssize_t remote_segment(struct vmspace *vm, struct uio *u, const struct uio_seg *s,
			      bool write, void *buf)
{
	u64 base = user_untag(s->base);
	size_t done = 0;
	ssize_t got = 0;

	while (done < s->len && u->left) {
		size_t n = MIN(s->len - done, u->left);

		n = MIN(n, (size_t)PAGE_SIZE);
		if (write) {
			got = uio_copy_from(u, buf, n);
			if (got > 0)
				got = vm_access(vm, base + done, buf, (size_t)got, true, false);
		} else {
			got = vm_access(vm, base + done, buf, n, false, false);
			if (got > 0)
				got = uio_copy_to(u, buf, (size_t)got);
		}
		if (got <= 0)
			break;
		done += (size_t)got;
		if ((size_t)got < n)
			break;
	}
	return done ? (ssize_t)done : got;
}

static long remote_segments(struct vmspace *vm, struct uio *u, const struct uio_seg *segs,
			    u64 count, bool write)
{
	void *buf = kmalloc(PAGE_SIZE, 0);
	ssize_t total = 0, got = 0;

	if (!buf)
		return -ENOMEM;
	for (u64 i = 0; i < count && u->left; i++) {
		got = remote_segment(vm, u, &segs[i], write, buf);
		if (got < 0)
			break;
		total += got;
		if ((size_t)got < segs[i].len)
			break;
	}
	kfree(buf);
	return total ? total : got;
}

/* The address space of @pid, which the caller may inspect. 0, -ESRCH, -EPERM. */
static int remote_vm(u64 pid, struct vmspace **out)
{
	struct task *t = task_lookup((u32)pid);
	int err;

	if (!t)
		return -ESRCH;
	err = proc_may_access(t, ACCESS_ATTACH | ACCESS_REAL_IDS);
	if (!err) {
		*out = task_get_vm(t);
		err = *out ? 0 : -ESRCH;
	}
	task_put(t);
	return err;
}

/*
 * The remote segments are looked at when their turn comes only, and the number of the caller's has
 * 32 bits, as on Linux.
 */
static long process_vm_rw(u64 pid, u64 lvec, u64 nl, u64 rvec, u64 nr, u64 flags, bool write)
{
	struct uio_seg *local, *remote;
	struct vmspace *vm;
	size_t total;
	struct uio u;
	long r;

	if (flags)
		return -EINVAL;
	r = import_segs(lvec, (u32)nl, &local);
	if (r)
		return r;
	r = check_local(local, (u32)nl, &total);
	if (r || !total)
		goto free_local;
	r = import_segs(rvec, nr, &remote);
	if (r)
		goto free_local;
	if (!any_length(remote, nr))
		goto free_remote;
	r = remote_vm(pid, &vm);
	if (r)
		goto free_remote;
	uio_init_segs(&u, local, (u32)nl, total);
	r = remote_segments(vm, &u, remote, nr, write);
	vmspace_put(vm);
free_remote:
	kfree(remote);
free_local:
	kfree(local);
	return r;
}

/* Advise the ranges of @segs in @vm. Bytes done, or -errno when those are none. */
static long advise_segments(struct vmspace *vm, const struct uio_seg *segs, u64 count, int advice)
{
	long done = 0;

	for (u64 i = 0; i < count; i++) {
		int err = vm_advise(vm, user_untag(segs[i].base), segs[i].len, advice);

		if (err)
			return done ? done : err;
		done += (long)segs[i].len;
	}
	return done;
}

/* The address space of the process behind @pidfd, which the caller may look into. 0 or -errno. */
static int pidfd_vm(int pidfd, struct vmspace **out)
{
	struct task *t;
	int err = pidfd_get_leader(pidfd, &t);

	if (err)
		return err;
	err = proc_may_access(t, ACCESS_READ);
	if (!err) {
		*out = task_get_vm(t);
		err = *out ? 0 : -ESRCH;
	}
	task_put(t);
	return err;
}

/* process_madvise(2): advice about another's memory that changes nothing but speed. */
long sys_process_madvise(u64 pidfd, u64 uvec, u64 count, u64 advice, u64 flags)
{
	struct vmspace *vm = NULL;
	struct uio_seg *segs;
	size_t total;
	long r;

	if ((u32)flags)
		return -EINVAL;
	count = (u32)count;
	r = import_segs(uvec, count, &segs);
	if (!r)
		r = check_local(segs, (u32)count, &total);
	if (r)
		goto free_segs;
	r = pidfd_vm((int)pidfd, &vm);
	if (r && r != -EPERM)
		goto free_segs;
	if ((int)advice != MADV_COLD && (int)advice != MADV_PAGEOUT &&
	    (int)advice != MADV_WILLNEED && (int)advice != MADV_COLLAPSE)
		r = -EINVAL;
	else if (!r && !cred_capable(current->cred, CAP_SYS_NICE))
		r = -EPERM;
	if (!r)
		r = advise_segments(vm, segs, count, (int)advice);
	if (vm)
		vmspace_put(vm);
free_segs:
	kfree(segs);
	return r;
}

/* process_vm_readv(2) */
long sys_process_vm_readv(u64 pid, u64 lvec, u64 nl, u64 rvec, u64 nr, u64 flags)
{
	return process_vm_rw(pid, lvec, nl, rvec, nr, flags, false);
}

/* process_vm_writev(2) */
long sys_process_vm_writev(u64 pid, u64 lvec, u64 nl, u64 rvec, u64 nr, u64 flags)
{
	return process_vm_rw(pid, lvec, nl, rvec, nr, flags, true);
}
