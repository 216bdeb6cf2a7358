/*
 * Credentials: references and copies (contract in kernel/base/cred.h; here because copies take
 * memory).
 *
 * A published struct cred never changes, so readers need no lock, only a reference. cred_root is
 * static: its own reference is never dropped.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include "kernel/base/cred.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "mm/slab.h"

#define CAPS_ALL (BIT(CAP_LAST_CAP + 1) - 1)

struct cred cred_root = {
	.refs = { { 1 } },
	.effective = CAPS_ALL,
	.permitted = CAPS_ALL,
	.bounding = CAPS_ALL,
};

/*
 * True when @gid is the group that file access is checked with, or a supplementary one. ctx: any.
 */
bool cred_in_group(const struct cred *c, u32 gid)
{
	u32 low = 0, high = c->ngroups;

	if (gid == c->fsgid)
		return true;
	while (low < high) {
		u32 mid = (low + high) / 2;

		if (c->groups[mid] == gid)
			return true;
		if (c->groups[mid] < gid)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

/* See thread.h. */
bool thread_capable(int cap)
{
	bool yes = cred_capable(current->cred, cap);

	if (yes)
		current->privileged = true;
	return yes;
}

/* Another reference. ctx: any. */
struct cred *cred_get(struct cred *c)
{
	ref_get(&c->refs);
	return c;
}

/* Drop a reference; the last frees. ctx: any. */
void cred_put(struct cred *c)
{
	if (!ref_put(&c->refs))
		return;
	if (c->bound && ref_put(&c->bound->refs))
		c->bound->release(c->bound);
	kfree(c);
}

/* See cred.h: groups beyond those of @c are for the caller to fill. ctx: thread; sleeps. */
int cred_copy(const struct cred *c, u32 ngroups, struct cred **out)
{
	struct cred *n = kmalloc(sizeof(*n) + (size_t)ngroups * sizeof(n->groups[0]), 0);

	if (!n)
		return -ENOMEM;
	memcpy(n, c, sizeof(*n));
	memcpy(n->groups, c->groups, MIN(ngroups, c->ngroups) * sizeof(n->groups[0]));
	n->ngroups = ngroups;
	ref_init(&n->refs, 1);
	if (n->bound)
		ref_get(&n->bound->refs);
	*out = n;
	return 0;
}
