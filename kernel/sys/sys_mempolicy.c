/*
 * Memory policies: set_mempolicy(2), mbind(2), migrate_pages(2), move_pages(2).
 *
 * There is one node, 0, and all memory is of it. So a policy that names it is as good as any other,
 * one that does not is EINVAL, and pages that are to move are there. What was asked for is kept and
 * told: a thread's policy here, that of an address range in its region (mm/vm/policy.c). As on
 * Linux a mask may name nodes that this kernel could have (NODES_MAX); those that it has not count
 * for nothing.
 *
 * man: set_mempolicy(2), get_mempolicy(2), mbind(2), migrate_pages(2), move_pages(2), numa(7).
 */
#include <linux/mempolicy.h>
#include "kernel/sys/abi.h"
#include "mm/vm/vmspace.h"

#define NODES_MAX 16
#define NODES_HERE 1ull /* the mask of node 0 */
#define MASK_BITS_MAX (PAGE_SIZE * 8)
#define MODE_MASK_KEPT (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES)

/* The first NODES_MAX bits of the user's mask of @bits + 1 bits; others must be 0. */
static int nodes_in(u64 umask, u64 bits, u64 *out)
{
	u64 word;

	*out = 0;
	bits--;
	if (!bits || !umask)
		return 0;
	if (bits > MASK_BITS_MAX)
		return -EINVAL;
	for (u64 i = 0; i < bits; i += 64) {
		if (get_user(&word, umask + i / 8))
			return -EFAULT;
		if (bits - i < 64)
			word &= (1ull << (bits - i)) - 1;
		if (i ? word : word >> NODES_MAX)
			return -EINVAL;
		*out |= word;
	}
	return 0;
}

static int nodes_out(u64 umask, u64 bits, u64 nodes)
{
	u64 size = ALIGN_UP(bits - 1, 64ull) / 8;

	if (size > sizeof(nodes)) {
		if (size > PAGE_SIZE)
			return -EINVAL;
		for (u64 at = sizeof(nodes); at < size; at += sizeof(nodes))
			if (put_user(umask + at, 0ull))
				return -EFAULT;
		size = sizeof(nodes);
	}
	return copy_to_user(umask, &nodes, size);
}

/* Is @policy one, whatever its nodes? 0 or -EINVAL */
static int policy_check(u32 policy)
{
	u32 mode = policy & ~(u32)MPOL_MODE_FLAGS;

	if (mode >= MPOL_MAX || (policy & MODE_MASK_KEPT) == MODE_MASK_KEPT)
		return -EINVAL;
	return (policy & MPOL_F_NUMA_BALANCING) && mode != MPOL_BIND ? -EINVAL : 0;
}

/* *policy with the mask @nodes: becomes what is kept. 0 or -EINVAL: they do not fit. */
static int policy_make(u32 *policy, u64 nodes)
{
	u32 kept = *policy & MODE_MASK_KEPT;

	switch (*policy & ~(u32)MPOL_MODE_FLAGS) {
	case MPOL_DEFAULT: *policy = MPOL_DEFAULT; return nodes ? -EINVAL : 0;
	case MPOL_LOCAL: return nodes || kept ? -EINVAL : 0;
	case MPOL_PREFERRED:
		if (!nodes) {
			*policy = MPOL_LOCAL;
			return kept ? -EINVAL : 0;
		}
		break;
	default: break;
	}
	/* Relative ones are folded onto what there is. */
	if (*policy & MPOL_F_RELATIVE_NODES)
		return nodes ? 0 : -EINVAL;
	return nodes & NODES_HERE ? 0 : -EINVAL;
}

/* The nodes that get_mempolicy shows of @policy. */
static u64 policy_nodes(u32 policy, u64 user_nodes)
{
	if (policy & MODE_MASK_KEPT)
		return user_nodes;
	return policy == MPOL_DEFAULT || policy == MPOL_LOCAL ? 0 : NODES_HERE;
}

/* set_mempolicy(2). ctx: thread */
long sys_set_mempolicy(u64 mode, u64 umask, u64 bits)
{
	struct task *t = current_task();
	u32 policy = (u32)mode;
	u64 nodes;
	int err = policy_check(policy);

	if (!err)
		err = nodes_in(umask, bits, &nodes);
	if (!err)
		err = policy_make(&policy, nodes);
	if (err)
		return err;
	t->mempolicy = (u16)policy;
	t->mempolicy_nodes = (u16)nodes;
	return 0;
}

/* The policy, and nodes of it, that @addr has: its region's, or else the thread's. */
static int policy_of(u64 addr, u64 flags, u32 *policy, u64 *nodes)
{
	const struct task *t = current_task();
	int err = 0;

	*policy = MPOL_DEFAULT;
	*nodes = 0;
	if (flags & MPOL_F_ADDR)
		err = vm_get_policy(current->vm, addr, policy, nodes);
	else if (addr)
		err = -EINVAL;
	*nodes = policy_nodes(*policy, *nodes);
	if (!err && *policy == MPOL_DEFAULT) {
		*policy = t->mempolicy;
		*nodes = policy_nodes(*policy, t->mempolicy_nodes);
	}
	return err;
}

/* What get_mempolicy tells beside the nodes: a policy, or with MPOL_F_NODE a node. */
static int policy_told(u64 addr, u64 flags, u32 *policy)
{
	u8 byte;

	if (!(flags & MPOL_F_NODE))
		return 0;
	if (flags & MPOL_F_ADDR) {
		if (get_user(&byte, addr))
			return -EFAULT;
	} else if ((*policy & ~(u32)MPOL_MODE_FLAGS) != MPOL_INTERLEAVE) {
		return -EINVAL;
	}
	*policy = 0; /* the node of the page, and of the next one */
	return 0;
}

/* get_mempolicy(2). ctx: thread; sleeps */
long sys_get_mempolicy(u64 upolicy, u64 umask, u64 bits, u64 uaddr, u64 flags)
{
	u32 policy = 0;
	u64 nodes = NODES_HERE;
	int err = 0;

	if ((umask && !bits) || (flags & ~(u64)(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED)))
		return -EINVAL;
	if (!(flags & MPOL_F_MEMS_ALLOWED)) {
		err = policy_of(user_untag(uaddr), flags, &policy, &nodes);
		if (!err)
			err = policy_told(user_untag(uaddr), flags, &policy);
	} else if (flags & (MPOL_F_NODE | MPOL_F_ADDR)) {
		err = -EINVAL;
	}
	if (err)
		return err;
	if (upolicy && put_user(upolicy, policy))
		return -EFAULT;
	return umask ? nodes_out(umask, bits, nodes) : 0;
}

/* Pages [*start, *end) of @len bytes at *start. -EINVAL: not such; 1: none. */
static int range_of(u64 *start, u64 len, u64 *end)
{
	*start = user_untag(*start);
	*end = *start + ALIGN_UP(len, (u64)PAGE_SIZE);
	if ((*start & PAGE_MASK) || *end < *start)
		return -EINVAL;
	return *end == *start;
}

/* mbind(2). ctx: thread; sleeps */
long sys_mbind(u64 start, u64 len, u64 mode, u64 umask, u64 bits, u64 flags)
{
	u32 policy = (u32)mode;
	u64 nodes, end;
	int err = policy_check(policy);

	if (!err)
		err = nodes_in(umask, bits, &nodes);
	if (err)
		return err;
	if ((u32)flags & ~(u32)MPOL_MF_VALID)
		return -EINVAL;
	if ((flags & MPOL_MF_MOVE_ALL) && !sys_capable(CAP_SYS_NICE))
		return -EPERM;
	err = range_of(&start, len, &end);
	if (err)
		return err < 0 ? err : 0;
	err = policy_make(&policy, nodes);
	return err ? err : vm_set_policy(current->vm, start, end, policy, (u16)nodes);
}

/* set_mempolicy_home_node(2): of ranges that are bound. ctx: thread; sleeps */
long sys_set_mempolicy_home_node(u64 start, u64 len, u64 node, u64 flags)
{
	u64 end;
	int err = range_of(&start, len, &end);

	if (err < 0 || flags || node)
		return -EINVAL;
	return err ? 0 : vm_check_home_node(current->vm, start, end);
}

/* The process @nr (0: current) whose memory may be moved; a reference. 0, -ESRCH, -EPERM */
static int movable_lookup(u32 nr, struct task **out)
{
	struct task *t = nr ? task_lookup_dead(nr) : current_task();
	int err;

	if (!t)
		return -ESRCH;
	if (!nr)
		task_get(t);
	err = proc_may_access(t, ACCESS_READ | ACCESS_REAL_IDS);
	if (err)
		task_put(t);
	else
		*out = t;
	return err;
}

/* migrate_pages(2): all of them are on node 0 already. ctx: thread; sleeps */
long sys_migrate_pages(u64 pid, u64 bits, u64 uold, u64 unew)
{
	u64 old, new;
	struct task *t;
	int err = nodes_in(uold, bits, &old);

	if (!err)
		err = nodes_in(unew, bits, &new);
	if (!err)
		err = movable_lookup((u32)pid, &t);
	if (err)
		return err;
	if ((new & ~NODES_HERE) && !sys_capable(CAP_SYS_NICE))
		err = -EPERM;
	else if (!(new &NODES_HERE) || !READ_ONCE(t->thread.vm))
		err = -EINVAL;
	task_put(t);
	return err;
}

static long move_pages(struct vmspace *vm, u64 n, u64 upages, u64 unodes, u64 ustatus)
{
	for (u64 i = 0; i < n; i++) {
		u64 addr;
		int node = 0;

		if (get_user(&addr, upages + i * sizeof(addr)))
			return -EFAULT;
		if (unodes && get_user(&node, unodes + i * sizeof(node)))
			return -EFAULT;
		if (node)
			return -ENODEV;
		if (put_user(ustatus + i * sizeof(int), vm_page_node(vm, user_untag(addr))))
			return -EFAULT;
		if (!(i & 1023) && signal_fatal_pending())
			return -ERESTARTNOHAND;
	}
	return 0;
}

/* move_pages(2): where pages are; they can be asked to be there. ctx: thread; sleeps */
long sys_move_pages(u64 pid, u64 n, u64 upages, u64 unodes, u64 ustatus, u64 flags)
{
	struct vmspace *vm;
	struct task *t;
	long err;

	if ((u32)flags & ~(u32)(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL))
		return -EINVAL;
	if ((flags & MPOL_MF_MOVE_ALL) && !sys_capable(CAP_SYS_NICE))
		return -EPERM;
	err = movable_lookup((u32)pid, &t);
	if (err)
		return err;
	vm = task_get_vm(t);
	task_put(t);
	if (!vm)
		return -EINVAL;
	err = move_pages(vm, n, upages, unodes, ustatus);
	vmspace_put(vm);
	return err;
}
