/*
 * prctl(PR_SET_MM): what the kernel shows of a program's layout. Programs that rewrite their
 * arguments, and checkpointing, tell the kernel with it where code, data, heap, stack, arguments
 * and environment are, and give a new auxiliary vector.
 *
 * The values are checked against each other as a whole, whether they come one by one or together
 * (PR_SET_MM_MAP). The running program's file (PR_SET_MM_EXE_FILE) can be exchanged by a program
 * that has unmapped it.
 *
 * man: prctl(2). holds, while changing: the address space's semaphore.
 */
#include <linux/mount.h>
#include <linux/prctl.h>
#include "fs/vfs.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/sys.h"

/* Where each field of the map is kept in the address space. */
static vaddr_t *place_of(struct vmspace *vm, int what)
{
	switch (what) {
	case PR_SET_MM_START_CODE: return &vm->code_start;
	case PR_SET_MM_END_CODE: return &vm->code_end;
	case PR_SET_MM_START_DATA: return &vm->data_start;
	case PR_SET_MM_END_DATA: return &vm->data_end;
	case PR_SET_MM_START_STACK: return &vm->stack_start;
	case PR_SET_MM_START_BRK: return &vm->brk_start;
	case PR_SET_MM_BRK: return &vm->brk;
	case PR_SET_MM_ARG_START: return &vm->arg_start;
	case PR_SET_MM_ARG_END: return &vm->arg_end;
	case PR_SET_MM_ENV_START: return &vm->env_start;
	case PR_SET_MM_ENV_END: return &vm->env_end;
	default: return NULL;
	}
}

static bool in_range(u64 addr)
{
	return addr >= (u64)READ_ONCE(vm_mmap_min_addr) && addr < USER_TOP;
}

static void map_get(struct vmspace *vm, struct prctl_mm_map *m)
{
	*m = (struct prctl_mm_map){
		.start_code = vm->code_start,
		.end_code = vm->code_end,
		.start_data = vm->data_start,
		.end_data = vm->data_end,
		.start_brk = vm->brk_start,
		.brk = vm->brk,
		.start_stack = vm->stack_start,
		.arg_start = vm->arg_start,
		.arg_end = vm->arg_end,
		.env_start = vm->env_start,
		.env_end = vm->env_end,
		.exe_fd = (u32)-1,
	};
}

static void map_put(struct vmspace *vm, const struct prctl_mm_map *m)
{
	vm->code_start = m->start_code;
	vm->code_end = m->end_code;
	vm->data_start = m->start_data;
	vm->data_end = m->end_data;
	vm->brk_start = m->start_brk;
	vm->brk = m->brk;
	vm->stack_start = m->start_stack;
	vm->arg_start = m->arg_start;
	vm->arg_end = m->arg_end;
	vm->env_start = m->env_start;
	vm->env_end = m->env_end;
}

/* Does the layout make sense? 0 or -EINVAL */
static int map_check(const struct prctl_mm_map *m)
{
	const u64 all[] = { m->start_code, m->end_code,	 m->start_data,	 m->end_data,
			    m->start_brk,  m->brk,	 m->start_stack, m->arg_start,
			    m->arg_end,	   m->env_start, m->env_end };
	u64 limit = proc_rlimit(RLIMIT_DATA);

	for (u32 i = 0; i < ARRAY_SIZE(all); i++) {
		if (!in_range(all[i]))
			return -EINVAL;
	}
	if (m->start_code >= m->end_code || m->start_data > m->end_data || m->start_brk > m->brk ||
	    m->arg_start > m->arg_end || m->env_start > m->env_end)
		return -EINVAL;
	if (limit != RLIM64_INFINITY &&
	    m->brk - m->start_brk + (m->end_data - m->start_data) > limit)
		return -EINVAL;
	return 0;
}

/* A new auxiliary vector, which ends with AT_NULL whatever was given. 0, -EINVAL, -EFAULT */
static int auxv_get(u64 uaddr, u64 size, u64 *out, size_t max)
{
	if (!uaddr || size > max)
		return -EINVAL;
	memset(out, 0, max);
	if (copy_from_user(out, uaddr, size))
		return -EFAULT;
	out[max / sizeof(*out) - 2] = 0;
	out[max / sizeof(*out) - 1] = 0;
	return 0;
}

static long set_auxv(u64 uaddr, u64 size)
{
	struct vmspace *vm = current->vm;
	u64 auxv[ARRAY_SIZE(vm->auxv)];
	int err = auxv_get(uaddr, size, auxv, sizeof(auxv));

	if (err)
		return err;
	rwsem_write_lock(&vm->sem);
	memcpy(vm->auxv, auxv, sizeof(auxv));
	rwsem_write_unlock(&vm->sem);
	return 0;
}

/* 0, -EBADF, -EACCES, -EBUSY, -ENOMEM */
static long set_exe(int fd)
{
	struct file *f;
	int err = fd_get(fd, &f);

	if (err)
		return err;
	if (!S_ISREG(f->inode->mode) || (READ_ONCE(f->path.mnt->flags) & MS_NOEXEC) ||
	    inode_permission(f->inode, MAY_EXEC))
		err = -EACCES;
	else
		err = exec_set_file(f);
	file_put(f);
	return err;
}

static long set_map(u64 umap, u64 size)
{
	struct vmspace *vm = current->vm;
	u64 auxv[ARRAY_SIZE(vm->auxv)];
	struct prctl_mm_map m;
	int err;

	if (size != sizeof(m))
		return -EINVAL;
	if (copy_from_user(&m, umap, sizeof(m)))
		return -EFAULT;
	err = map_check(&m);
	if (err)
		return err;
	if (m.auxv_size) {
		err = auxv_get((u64)m.auxv, m.auxv_size, auxv, sizeof(auxv));
		if (err)
			return err;
	}
	if (m.exe_fd != (u32)-1) {
		if (!sys_capable(CAP_SYS_ADMIN) && !sys_capable(CAP_CHECKPOINT_RESTORE))
			return -EPERM;
		err = (int)set_exe((int)m.exe_fd);
		if (err)
			return err;
	}
	rwsem_write_lock(&vm->sem);
	map_put(vm, &m);
	if (m.auxv_size)
		memcpy(vm->auxv, auxv, sizeof(auxv));
	rwsem_write_unlock(&vm->sem);
	return 0;
}

/* These must lie in memory that is mapped. */
static bool needs_memory(int what)
{
	return what == PR_SET_MM_START_STACK ||
	       (what >= PR_SET_MM_ARG_START && what <= PR_SET_MM_ENV_END);
}

/* One value. holds: sem for writing */
static long set_one_locked(struct vmspace *vm, int what, u64 addr)
{
	struct prctl_mm_map was, now;
	vaddr_t *place = place_of(vm, what);
	struct region *r = vm_find(vm, addr);
	int err;

	if (!place)
		return -EINVAL;
	map_get(vm, &was);
	*place = addr;
	map_get(vm, &now);
	err = map_check(&now);
	if (!err && needs_memory(what) && !r)
		err = -EFAULT;
	if (err)
		map_put(vm, &was);
	return err;
}

/* See sys.h. ctx: thread; sleeps. */
long prctl_set_mm(int what, u64 addr, u64 a4, u64 a5)
{
	struct vmspace *vm = current->vm;
	long r;

	if (a5 ||
	    (a4 && what != PR_SET_MM_AUXV && what != PR_SET_MM_MAP && what != PR_SET_MM_MAP_SIZE))
		return -EINVAL;
	if (what == PR_SET_MM_MAP_SIZE)
		return put_user(addr, (u32)sizeof(struct prctl_mm_map));
	if (what == PR_SET_MM_MAP)
		return set_map(addr, a4);
	if (!sys_capable(CAP_SYS_RESOURCE))
		return -EPERM;
	if (what == PR_SET_MM_EXE_FILE)
		return set_exe((int)addr);
	if (what == PR_SET_MM_AUXV)
		return set_auxv(addr, a4);
	if (!in_range(addr))
		return -EINVAL;
	rwsem_write_lock(&vm->sem);
	r = set_one_locked(vm, what, addr);
	rwsem_write_unlock(&vm->sem);
	return r;
}
