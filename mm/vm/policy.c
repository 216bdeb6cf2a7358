/*
 * Memory policies of address ranges (mbind(2)). Memory is of one node, so that a policy decides
 * nothing; it is kept in the flags of the region, which splits, merges, copies and moves it along.
 *
 * A policy is MPOL_* mode and its flags, as one number (VM_POLICY in vmspace.h).
 */
#include <linux/errno.h>
#include <linux/mempolicy.h>
#include "mm/vm/vm_internal.h"

#define MODE_FLAGS_SHIFT 13 /* of MPOL_F_NUMA_BALANCING, the lowest */

_Static_assert(MPOL_MODE_FLAGS >> MODE_FLAGS_SHIFT == 7 && MPOL_F_NUMA_BALANCING == 1 << 13,
	       "three bits");

/* Mode and flags as region flags, and back. */
static u32 policy_pack(u32 policy)
{
	return ((policy & 7) | (policy & MPOL_MODE_FLAGS) >> MODE_FLAGS_SHIFT << 3)
	       << VM_POLICY_SHIFT;
}

static u32 policy_unpack(u32 flags)
{
	u32 packed = (flags & VM_POLICY) >> VM_POLICY_SHIFT;

	return (packed & 7) | packed >> 3 << MODE_FLAGS_SHIFT;
}

/* See vmspace.h. */
int vm_set_policy(struct vmspace *vm, vaddr_t start, vaddr_t end, u32 policy, u16 nodes)
{
	vaddr_t at = start;
	int err;

	rwsem_write_lock(&vm->sem);
	err = region_isolate(vm, start, end, false);
	while (!err && at < end) {
		struct region *r = region_find(vm, at);

		if ((!r || r->start > at) && policy != MPOL_DEFAULT)
			err = -EFAULT;
		if (err || !r || r->start >= end)
			break;
		at = r->end;
		region_set_flags(r, policy_pack(policy), VM_POLICY);
		r->policy_nodes = policy == MPOL_DEFAULT ? 0 : nodes;
		region_merge(r);
	}
	if (!err && at == start)
		err = -EFAULT; /* the default may have holes, but not nothing else */
	rwsem_write_unlock(&vm->sem);
	return err;
}

/* See vmspace.h. */
int vm_get_policy(struct vmspace *vm, vaddr_t addr, u32 *policy, u64 *nodes)
{
	struct region *r;
	int err = -EFAULT;

	rwsem_read_lock(&vm->sem);
	r = region_find(vm, addr);
	if (r && r->start <= addr) {
		*policy = policy_unpack(r->flags);
		*nodes = r->policy_nodes;
		err = 0;
	}
	rwsem_read_unlock(&vm->sem);
	return err;
}

/* See vmspace.h. */
int vm_check_home_node(struct vmspace *vm, vaddr_t start, vaddr_t end)
{
	struct region *r;
	int err = -ENOENT;

	rwsem_read_lock(&vm->sem);
	for (r = region_find(vm, start); r && r->start < end; r = vm_next(r)) {
		u32 mode = policy_unpack(r->flags) & 7;

		if (mode == MPOL_DEFAULT)
			continue;
		err = mode == MPOL_BIND || mode == MPOL_PREFERRED_MANY ? 0 : -EOPNOTSUPP;
		if (err)
			break;
	}
	rwsem_read_unlock(&vm->sem);
	return err;
}

/* See vmspace.h. */
int vm_page_node(struct vmspace *vm, vaddr_t addr)
{
	struct pmap *pm = &vm->pmap;
	int node = -EFAULT;
	struct region *r;
	pte_t *slot;

	rwsem_read_lock(&vm->sem);
	r = region_find(vm, addr);
	if (r && r->start <= addr) {
		/* What would read as zeroes is on no node. */
		node = r->cache ? -ENOENT : -EFAULT;
		spin_lock(&pm->lock);
		slot = pmap_leaf(pm, addr);
		if (slot && pte_present(*slot))
			node = 0;
		spin_unlock(&pm->lock);
	}
	rwsem_read_unlock(&vm->sem);
	return node;
}
