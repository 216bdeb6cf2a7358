/*
 * ktest=vm: address spaces without processes. Each test builds a space, works on it with the calls
 * that system calls and faults use, looks at it through vm_access, and at the end compares free
 * frames with the beginning.
 *
 * ktest=pagecache: a memory-only cache, and one with a fill operation that can be told to fail.
 */
#include <linux/errno.h>
#include <linux/mman.h>
#include "kernel/base/ktest.h"
#include "kernel/base/uio.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "mm/vm/vm_internal.h"

#define RW (PROT_R | PROT_W)
#define RWX (PROT_R | PROT_W | PROT_X)
#define BASE 0x10000000ull
#define PAGE ((u64)PAGE_SIZE)

static int map_object(struct vmspace *vm, vaddr_t addr, u64 pages, u32 prot, u32 flags,
		      struct vm_file *f)
{
	struct vm_map_args a = {
		.addr = addr,
		.len = pages * PAGE,
		.prot = prot,
		.max_prot = RWX,
		.flags = flags,
		.how = addr ? VM_MAP_FIXED : 0,
		.file = f,
	};
	vaddr_t out;

	return vm_map(vm, &a, &out);
}

static int map_at(struct vmspace *vm, vaddr_t addr, u64 pages, u32 prot, u32 flags)
{
	return map_object(vm, addr, pages, prot, flags, NULL);
}

/* The byte at @addr, or -errno. */
static int peek(struct vmspace *vm, vaddr_t addr)
{
	u8 v;
	ssize_t n = vm_access(vm, addr, &v, 1, false, false);

	return n == 1 ? v : (int)n;
}

static int poke(struct vmspace *vm, vaddr_t addr, u8 v)
{
	ssize_t n = vm_access(vm, addr, &v, 1, true, false);

	return n == 1 ? 0 : (int)n;
}

static u32 regions(struct vmspace *vm)
{
	return vm->nregions;
}

KTEST(vm, map_touch_unmap)
{
	struct vmspace *vm;
	u64 committed = vm_committed_pages();

	KT_ASSERT(vmspace_create(&vm) == 0);
	KT_ASSERT(map_at(vm, BASE, 16, RW, 0) == 0);
	KT_ASSERT(vm_committed_pages() == committed + 16);
	KT_ASSERT(vm_fault(vm, BASE + 5, true, false, NULL) == 0);
	KT_ASSERT(peek(vm, BASE + PAGE) == 0);
	KT_ASSERT(poke(vm, BASE + 15 * PAGE, 7) == 0 && peek(vm, BASE + 15 * PAGE) == 7);
	KT_ASSERT(vm_fault(vm, BASE - 1, false, false, NULL) == -EFAULT);
	KT_ASSERT(vm_fault(vm, BASE + 16 * PAGE, true, false, NULL) == -EFAULT);
	KT_ASSERT(vm_fault(vm, BASE, false, true, NULL) == -EACCES);
	KT_ASSERT(atomic_read(&vm->rss_anon) >= 2);
	KT_ASSERT(vm_unmap(vm, BASE, 16 * PAGE) == 0);
	KT_ASSERT(regions(vm) == 0 && atomic_read(&vm->rss_anon) == 0 && vm->total_pages == 0);
	KT_ASSERT(vm_committed_pages() == committed);
	KT_ASSERT(vm_unmap(vm, BASE, 0) == -EINVAL && vm_unmap(vm, BASE + 1, PAGE) == -EINVAL);
	vmspace_put_user(vm);
}

KTEST(vm, split_and_merge)
{
	struct vmspace *vm;

	KT_ASSERT(vmspace_create(&vm) == 0);
	KT_ASSERT(map_at(vm, BASE, 4, RW, 0) == 0 && map_at(vm, BASE + 4 * PAGE, 4, RW, 0) == 0);
	KT_ASSERT(regions(vm) == 1);
	KT_ASSERT(poke(vm, BASE + 2 * PAGE, 1) == 0);
	KT_ASSERT(vm_protect(vm, BASE + 2 * PAGE, 2 * PAGE, PROT_R, NULL) == 0);
	KT_ASSERT(regions(vm) == 3);
	KT_ASSERT(vm_fault(vm, BASE + 2 * PAGE, true, false, NULL) == -EACCES);
	KT_ASSERT(peek(vm, BASE + 2 * PAGE) == 1);
	KT_ASSERT(vm_protect(vm, BASE + 2 * PAGE, 2 * PAGE, RW, NULL) == 0);
	KT_ASSERT(regions(vm) == 1);
	KT_ASSERT(poke(vm, BASE + 2 * PAGE, 9) == 0 && peek(vm, BASE + 2 * PAGE) == 9);
	KT_ASSERT(vm_unmap(vm, BASE + 3 * PAGE, PAGE) == 0);
	KT_ASSERT(regions(vm) == 2 && vm->total_pages == 7);
	KT_ASSERT(vm_protect(vm, BASE, 8 * PAGE, PROT_R, NULL) == -ENOMEM);
	KT_ASSERT(vm_fault(vm, BASE, true, false, NULL) == -EACCES);
	KT_ASSERT(map_at(vm, BASE + 3 * PAGE, 1, PROT_R, 0) == 0);
	/* Once writable memory stays charged, the new page is not: they do not merge. */
	KT_ASSERT(regions(vm) == 3 && peek(vm, BASE + 2 * PAGE) == 9);
	KT_ASSERT(vm_protect(vm, BASE, 8 * PAGE, 0, NULL) == 0 && regions(vm) == 3);
	KT_ASSERT(peek(vm, BASE + 2 * PAGE) == -EFAULT);
	KT_ASSERT(vm_protect(vm, BASE, 8 * PAGE, RW, NULL) == 0 && peek(vm, BASE + 2 * PAGE) == 9);
	KT_ASSERT(regions(vm) == 1);
	vmspace_put_user(vm);
}

KTEST(vm, placement)
{
	struct vmspace *vm;
	struct vm_map_args a = { .len = 4 * PAGE, .prot = RW, .max_prot = RWX };
	vaddr_t first, second, third;

	KT_ASSERT(vmspace_create(&vm) == 0);
	KT_ASSERT(vm_map(vm, &a, &first) == 0 && first == vm->mmap_base - 4 * PAGE);
	a.prot = PROT_R;
	KT_ASSERT(vm_map(vm, &a, &second) == 0 && second == first - 4 * PAGE);
	KT_ASSERT(vm_map(vm, &a, &third) == 0 && third == second - 4 * PAGE);
	KT_ASSERT(vm_unmap(vm, second, 4 * PAGE) == 0);
	KT_ASSERT(vm_map(vm, &a, &second) == 0 && second == third + 4 * PAGE);
	a.addr = BASE + 5;
	KT_ASSERT(vm_map(vm, &a, &third) == 0 && third == BASE + PAGE);
	a.how = VM_MAP_FIXED | VM_MAP_NOREPLACE;
	a.addr = BASE + 2 * PAGE;
	KT_ASSERT(vm_map(vm, &a, &third) == -EEXIST);
	a.addr = BASE + 1;
	KT_ASSERT(vm_map(vm, &a, &third) == -EINVAL);
	a.addr = USER_TOP - PAGE;
	KT_ASSERT(vm_map(vm, &a, &third) == -ENOMEM);
	vmspace_put_user(vm);
}

KTEST(vm, fork_copies_on_write)
{
	struct vmspace *vm, *child;
	u64 anon;

	KT_ASSERT(vmspace_create(&vm) == 0);
	KT_ASSERT(map_at(vm, BASE, 8, RW, 0) == 0);
	KT_ASSERT(map_at(vm, BASE + 64 * PAGE, 1, RW, VM_DONTFORK) == 0);
	KT_ASSERT(map_at(vm, BASE + 80 * PAGE, 1, RW, VM_WIPEONFORK) == 0);
	KT_ASSERT(poke(vm, BASE, 1) == 0 && poke(vm, BASE + PAGE, 2) == 0 &&
		  poke(vm, BASE + 80 * PAGE, 3) == 0);
	KT_ASSERT(vmspace_fork(vm, &child) == 0);
	KT_ASSERT(child->nregions == 2 && peek(child, BASE) == 1 &&
		  peek(child, BASE + 80 * PAGE) == 0);
	KT_ASSERT(peek(child, BASE + 64 * PAGE) == -EFAULT);
	KT_ASSERT(poke(vm, BASE, 11) == 0 && peek(child, BASE) == 1 && peek(vm, BASE) == 11);
	KT_ASSERT(poke(child, BASE + PAGE, 22) == 0 && peek(vm, BASE + PAGE) == 2);
	anon = atomic_read(&child->rss_anon);
	KT_ASSERT(anon == atomic_read(&vm->rss_anon) - 1);
	vmspace_put_user(child);
	KT_ASSERT(poke(vm, BASE + PAGE, 5) == 0 && peek(vm, BASE + PAGE) == 5);
	vmspace_put_user(vm);
}

KTEST(vm, shared_object)
{
	struct vmspace *vm, *child;
	struct vm_file *f;
	const void *key, *key2;
	u64 off;

	KT_ASSERT(vmspace_create(&vm) == 0);
	KT_ASSERT(vm_shared_anon(8 * PAGE, 0, &f) == 0);
	KT_ASSERT(map_object(vm, BASE, 8, RW, VM_SHARED, f) == 0);
	KT_ASSERT(map_object(vm, BASE + 64 * PAGE, 16, RW, 0, f) == 0);
	f->ops->put(f);
	KT_ASSERT(poke(vm, BASE + 3 * PAGE, 4) == 0);
	KT_ASSERT(vmspace_fork(vm, &child) == 0);
	KT_ASSERT(peek(child, BASE + 3 * PAGE) == 4);
	KT_ASSERT(poke(child, BASE + 3 * PAGE, 5) == 0 && peek(vm, BASE + 3 * PAGE) == 5);
	KT_ASSERT(peek(vm, BASE + 67 * PAGE) == 5);
	KT_ASSERT(poke(vm, BASE + 67 * PAGE, 6) == 0 && peek(child, BASE + 67 * PAGE) == 5);
	KT_ASSERT(vm_fault(vm, BASE + 72 * PAGE, false, false, NULL) == -EIO);
	KT_ASSERT(vm_fault(vm, BASE + 72 * PAGE, true, false, NULL) == -EIO);
	KT_ASSERT(vm_shared_key(vm, BASE + 5, true, &key, &off) == 0 && key && off == 5);
	KT_ASSERT(vm_shared_key(child, BASE + 5, true, &key2, &off) == 0 && key2 == key);
	KT_ASSERT(vm_shared_key(vm, BASE + 64 * PAGE, true, &key, &off) == 0 && !key);
	KT_ASSERT(vm_advise(vm, BASE + 2 * PAGE, 2 * PAGE, MADV_REMOVE) == 0);
	KT_ASSERT(peek(vm, BASE + 3 * PAGE) == 0 && peek(child, BASE + 3 * PAGE) == 0 &&
		  peek(vm, BASE + 67 * PAGE) == 6);
	vmspace_put_user(child);
	vmspace_put_user(vm);
}

KTEST(vm, remap)
{
	struct vmspace *vm;
	vaddr_t out;

	KT_ASSERT(vmspace_create(&vm) == 0);
	KT_ASSERT(map_at(vm, BASE, 4, RW, 0) == 0 && poke(vm, BASE + 3 * PAGE, 3) == 0);
	KT_ASSERT(vm_remap(vm, BASE, 4 * PAGE, 8 * PAGE, 0, 0, NULL, &out) == 0 && out == BASE);
	KT_ASSERT(vm->total_pages == 8 && regions(vm) == 1);
	KT_ASSERT(map_at(vm, BASE + 8 * PAGE, 1, PROT_R, 0) == 0);
	KT_ASSERT(vm_remap(vm, BASE, 8 * PAGE, 9 * PAGE, 0, 0, NULL, &out) == -ENOMEM);
	KT_ASSERT(vm_remap(vm, BASE, 8 * PAGE, 600 * PAGE, MREMAP_MAYMOVE, 0, NULL, &out) == 0 &&
		  out != BASE);
	KT_ASSERT(peek(vm, out + 3 * PAGE) == 3 && peek(vm, BASE) == -EFAULT);
	KT_ASSERT(vm_remap(vm, out, 600 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, BASE, NULL,
			   &out) == 0);
	KT_ASSERT(out == BASE && peek(vm, BASE + 3 * PAGE) == 3 && vm->total_pages == 5);
	KT_ASSERT(vm_remap(vm, BASE, PAGE, PAGE, MREMAP_FIXED, 0, NULL, &out) == -EINVAL);
	KT_ASSERT(vm_remap(vm, BASE, PAGE, 0, 0, 0, NULL, &out) == -EINVAL);
	KT_ASSERT(vm_remap(vm, BASE, 0, PAGE, MREMAP_MAYMOVE, 0, NULL, &out) == -EINVAL);
	KT_ASSERT(vm_remap(vm, BASE + 64 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0, NULL, &out) ==
		  -EFAULT);
	KT_ASSERT(vm_remap(vm, BASE, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0, NULL,
			   &out) == 0);
	KT_ASSERT(peek(vm, out + 3 * PAGE) == 3 && peek(vm, BASE + 3 * PAGE) == 0);
	vmspace_put_user(vm);
}

KTEST(vm, advise)
{
	struct vmspace *vm;
	u8 vec[4];

	KT_ASSERT(vmspace_create(&vm) == 0);
	KT_ASSERT(map_at(vm, BASE, 4, RW, 0) == 0 && poke(vm, BASE + PAGE, 3) == 0);
	KT_ASSERT(vm_advise(vm, BASE, 4 * PAGE, MADV_DONTNEED) == 0 && peek(vm, BASE + PAGE) == 0);
	KT_ASSERT(vm_advise(vm, BASE, 5 * PAGE, MADV_DONTNEED) == -ENOMEM);
	KT_ASSERT(vm_advise(vm, BASE, PAGE, 9999) == -EINVAL &&
		  vm_advise(vm, BASE + 1, PAGE, MADV_NORMAL) == -EINVAL);
	KT_ASSERT(vm_advise(vm, BASE + PAGE, PAGE, MADV_DONTFORK) == 0 && regions(vm) == 3);
	KT_ASSERT(vm_advise(vm, BASE + PAGE, PAGE, MADV_DOFORK) == 0 && regions(vm) == 1);
	KT_ASSERT(vm_advise(vm, BASE, 2 * PAGE, MADV_POPULATE_WRITE) == 0);
	KT_ASSERT(vm_advise(vm, BASE + 2 * PAGE, 2 * PAGE, MADV_DONTNEED) == 0);
	KT_ASSERT(vm_mincore(vm, BASE, 4, vec) == 0 && vec[0] && vec[1] && !vec[2] && !vec[3]);
	KT_ASSERT(vm_mincore(vm, BASE, 5, vec) == -ENOMEM);
	KT_ASSERT(vm_lock(vm, BASE, 4 * PAGE, true, false, NULL) == 0 && vm->locked_pages == 4);
	KT_ASSERT(vm_advise(vm, BASE, PAGE, MADV_DONTNEED) == -EINVAL);
	KT_ASSERT(vm_lock_all(vm, 0, NULL) == 0 && vm->locked_pages == 0 && regions(vm) == 1);
	vmspace_put_user(vm);
}

KTEST(vm, stack_grows)
{
	struct vm_limits lim = { ~0ull, ~0ull, 64 * PAGE, ~0ull, true };
	struct vmspace *vm;

	KT_ASSERT(vmspace_create(&vm) == 0);
	KT_ASSERT(map_at(vm, BASE + 1024 * PAGE, 1, RW, VM_GROWSDOWN | VM_STACK) == 0);
	KT_ASSERT(vm_fault(vm, BASE + 1000 * PAGE, true, false, &lim) == 0);
	KT_ASSERT(vm->stack_pages == 25);
	KT_ASSERT(vm_fault(vm, BASE + 900 * PAGE, true, false, &lim) == -EFAULT);
	KT_ASSERT(map_at(vm, BASE + 700 * PAGE, 8, RW, 0) == 0);
	lim.stack = ~0ull;
	KT_ASSERT(vm_fault(vm, BASE + 710 * PAGE, true, false, &lim) == -EFAULT);
	KT_ASSERT(vm_fault(vm, BASE + 990 * PAGE, true, false, &lim) == 0);
	vmspace_put_user(vm);
}

KTEST(vm, brk)
{
	struct vm_limits lim = { ~0ull, 16 * PAGE, ~0ull, ~0ull, true };
	struct vmspace *vm;

	KT_ASSERT(vmspace_create(&vm) == 0);
	vm->brk = vm->brk_start = BASE + 100;
	KT_ASSERT(vm_brk(vm, 0, &lim) == BASE + 100);
	KT_ASSERT(vm_brk(vm, BASE + 3 * PAGE, &lim) == BASE + 3 * PAGE &&
		  poke(vm, BASE + PAGE + 5, 1) == 0);
	KT_ASSERT(vm_brk(vm, BASE + 4 * PAGE, &lim) == BASE + 4 * PAGE && regions(vm) == 1);
	KT_ASSERT(vm_brk(vm, BASE + 64 * PAGE, &lim) == BASE + 4 * PAGE);
	KT_ASSERT(vm_brk(vm, BASE + PAGE, &lim) == BASE + PAGE && regions(vm) == 0);
	vmspace_put_user(vm);
}

/* Every allocation on the way fails once: the calls unwind, and nothing is lost. */
KTEST(vm, out_of_memory)
{
	struct vmspace *vm, *child;
	u64 before;
	u32 failed = 0;

	KT_ASSERT(vmspace_create(&vm) == 0);
	KT_ASSERT(map_at(vm, BASE, 8, RW, 0) == 0 &&
		  map_at(vm, BASE + 600 * PAGE, 8, PROT_R, 0) == 0);
	for (u64 i = 0; i < 8; i++)
		KT_ASSERT(poke(vm, BASE + i * PAGE, 1) == 0);
	KT_ASSERT(vmspace_fork(vm, &child) == 0);
	vmspace_put_user(child);
	before = pmm_free_frames();
	for (u64 after = 0; after < 12; after++) {
		int err;

		pmm_fail_after(after, 1000);
		err = vmspace_fork(vm, &child);
		pmm_fail_after(0, 0);
		if (!err)
			vmspace_put_user(child);
		KT_ASSERT(!err || err == -ENOMEM);
		failed += !!err;
	}
	KT_ASSERT(failed);
	KT_ASSERT(pmm_free_frames() + 16 >= before);
	pmm_fail_after(0, 1000);
	KT_ASSERT(vm_fault(vm, BASE + 601 * PAGE, true, false, NULL) == -EACCES);
	KT_ASSERT(map_at(vm, BASE + 5000 * PAGE, 8, RW, 0) == 0);
	KT_ASSERT(vm_fault(vm, BASE + 5000 * PAGE, true, false, NULL) == -ENOMEM);
	pmm_fail_after(0, 0);
	KT_ASSERT(vm_fault(vm, BASE + 5000 * PAGE, true, false, NULL) == 0);
	vmspace_put_user(vm);
}

/* --- pagecache --- */

static bool fill_fails;

static int test_fill(struct pagecache *pc, struct page *p)
{
	if (fill_fails)
		return -EIO;
	memset(page_to_va(p), (int)p->index + 1, PAGE_SIZE);
	return 0;
}

static const struct pagecache_ops memory_ops, filled_ops = { .fill = test_fill };

KTEST(pagecache, fill_and_fail)
{
	struct pagecache pc;
	struct page *p;

	pagecache_init(&pc, &filled_ops, NULL);
	pc.size = 4 * PAGE;
	fill_fails = true;
	KT_ASSERT(pagecache_get(&pc, 1, &p) == -EIO && pc.npages == 0);
	fill_fails = false;
	KT_ASSERT(pagecache_find(&pc, 1) == NULL && pagecache_get(&pc, 1, &p) == 0);
	KT_ASSERT(*(u8 *)page_to_va(p) == 2 && page_refs(p) == 2);
	page_put(p);
	KT_ASSERT(pagecache_next_data(&pc, 0) == 1 && pagecache_next_hole(&pc, 1) == 2);
	pagecache_truncate(&pc, PAGE + 1);
	p = pagecache_find(&pc, 1);
	KT_ASSERT(p && ((u8 *)page_to_va(p))[0] == 2 && ((u8 *)page_to_va(p))[1] == 0);
	page_put(p);
	pagecache_truncate(&pc, 0);
	KT_ASSERT(pc.npages == 0);
	pagecache_fini(&pc);
}

static u64 read_pages; /* a bit for each page that was read ahead */

static void test_read_ahead(struct pagecache *pc, struct page **pages, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		read_pages |= BIT(pages[i]->index);
		pagecache_read_done(pages[i], test_fill(pc, pages[i]));
	}
}

static const struct pagecache_ops ahead_ops = { .fill = test_fill, .read_ahead = test_read_ahead };

/* What is read of 64 pages when one byte is asked for, in @order, at each of the pages @at. */
static u64 read_ahead_of(u32 order, const u64 *at, u32 n)
{
	struct pagecache pc;
	struct uio u;
	char c;

	pagecache_init(&pc, &ahead_ops, NULL);
	pc.size = 64 * PAGE;
	pc.ra_pages = 8;
	read_pages = 0;
	for (u32 i = 0; i < n; i++) {
		u64 pos = at[i] * PAGE;

		uio_init_kernel(&u, &c, 1);
		u.order = (u8)order;
		if (pagecache_read(&pc, &u, &pos) != 1 || c != (char)(at[i] + 1))
			read_pages = 0;
	}
	pagecache_truncate(&pc, 0);
	pagecache_fini(&pc);
	return read_pages;
}

KTEST(pagecache, order_of_reading)
{
	static const u64 at[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8 };

	KT_ASSERT(read_ahead_of(READ_NORMAL, at, 1) == 0xf);
	KT_ASSERT(read_ahead_of(READ_RANDOM, at, 1) == 1);
	KT_ASSERT(read_ahead_of(READ_RANDOM, at, 9) == 0x1ff);
	KT_ASSERT(read_ahead_of(READ_NORMAL, at, 9) > 0x1ff);
	KT_ASSERT(read_ahead_of(READ_IN_ORDER, at, 9) > read_ahead_of(READ_NORMAL, at, 9));
}

KTEST(pagecache, read_write)
{
	static char in[10000], out[10000];
	struct pagecache pc;
	struct uio u;
	u64 pos = 5000, total = pagecache_total_frames();

	pagecache_init(&pc, &memory_ops, NULL);
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (char)(i * 7);
	uio_init_kernel(&u, in, sizeof(in));
	KT_ASSERT(pagecache_write(&pc, &u, &pos) == sizeof(in) && pos == 15000 && pc.size == 15000);
	KT_ASSERT(pc.npages == 3 && pagecache_total_frames() == total + 3);
	pos = 5000;
	uio_init_kernel(&u, out, sizeof(out));
	KT_ASSERT(pagecache_read(&pc, &u, &pos) == sizeof(out) && !memcmp(in, out, sizeof(in)));
	pos = 100;
	uio_init_kernel(&u, out, 4100);
	KT_ASSERT(pagecache_read(&pc, &u, &pos) == 4100 && out[0] == 0 && out[4099] == 0);
	pos = 15000;
	uio_init_kernel(&u, out, 10);
	KT_ASSERT(pagecache_read(&pc, &u, &pos) == 0);
	pagecache_punch(&pc, 4096, 8192);
	KT_ASSERT(pc.npages == 2);
	pagecache_fini(&pc);
	KT_ASSERT(pagecache_total_frames() == total);
}

KTEST(vm, truncate_unmaps)
{
	struct vmspace *vm;
	struct vm_file *f;
	struct pagecache *pc;

	KT_ASSERT(vmspace_create(&vm) == 0);
	KT_ASSERT(vm_shared_anon(64 * PAGE, 0, &f) == 0);
	pc = f->ops->cache(f);
	KT_ASSERT(map_object(vm, BASE, 64, RW, VM_SHARED, f) == 0);
	KT_ASSERT(map_object(vm, BASE + 64 * PAGE, 64, RW, 0, f) == 0);
	for (u64 i = 0; i < 64; i++)
		KT_ASSERT(poke(vm, BASE + i * PAGE, (u8)i) == 0);
	KT_ASSERT(vm_protect(vm, BASE + 10 * PAGE, 30 * PAGE, PROT_R, NULL) == 0);
	KT_ASSERT(poke(vm, BASE + 94 * PAGE, 1) == 0 && peek(vm, BASE + 80 * PAGE) == 16);
	pagecache_truncate(pc, 20 * PAGE);
	KT_ASSERT(peek(vm, BASE + 19 * PAGE) == 19 && peek(vm, BASE + 20 * PAGE) == -EFAULT);
	KT_ASSERT(peek(vm, BASE + 94 * PAGE) == -EFAULT && peek(vm, BASE + 80 * PAGE) == 16);
	KT_ASSERT(pc->npages == 20);
	f->ops->put(f);
	vmspace_put_user(vm);
}
