/*
 * Tables of System V objects: see ipc.h. One radix tree by index and a hash by key per facility;
 * both hang on ids->lock, which is held for short times only and never across user copies or
 * sleeps.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/stat.h>
#include <asm/ipcbuf.h>
#include "kernel/base/cred.h"
#include "kernel/base/time.h"
#include "kernel/ipc/ipc.h"
#include "kernel/lib/string.h"
#include "kernel/proc/proc.h"
#include "mm/slab.h"

/*
 * Make an empty table.
 * ctx: boot.
 */
void ipc_ids_init(struct ipc_ids *ids)
{
	memset(ids, 0, sizeof(*ids));
	mutex_init(&ids->lock, RANK_LEAF_MUTEX);
	radix_init(&ids->tree);
	ids->next_id = -1;
	for (u32 i = 0; i < IPC_KEY_BUCKETS; i++)
		list_init(&ids->keys[i]);
}

/*
 * A new object of the current thread's user.
 * ctx: thread.
 */
void ipc_perm_init(struct ipc_object *p, u32 key, u32 mode)
{
	const struct cred *c = current->cred;

	ref_init(&p->refs, 1);
	list_init(&p->bucket);
	p->key = key;
	p->uid = p->cuid = c->euid;
	p->gid = p->cgid = c->egid;
	p->mode = mode & IPC_MODE_BITS;
}

/*
 * Nodes enough for one ipc_add.
 * ctx: thread; sleeps: yes. 0 or -ENOMEM, then with nothing reserved.
 */
int ipc_reserve(struct radix_pool *pool)
{
	memset(pool, 0, sizeof(*pool));
	for (u32 i = 0; i < IPC_NEW_NODES; i++) {
		struct radix_node *n = kzalloc(sizeof(*n), 0);

		if (!n) {
			ipc_unreserve(pool);
			return -ENOMEM;
		}
		radix_pool_put(pool, n);
	}
	return 0;
}

/*
 * Free what a reservation has left.
 * ctx: thread.
 */
void ipc_unreserve(struct radix_pool *pool)
{
	struct radix_node *n;

	while ((n = radix_pool_take(pool)))
		kfree(n);
}

static struct list *key_bucket(struct ipc_ids *ids, u32 key)
{
	return &ids->keys[(key * 2654435761u) >> 26];
}

/*
 * Enter @p under a fresh id, or that of next_id: its sequence number, and the first index free from
 * its own.
 * ctx: thread; holds: ids->lock. Returns the id, or -ENOSPC with @max objects there.
 */
int ipc_add(struct ipc_ids *ids, struct ipc_object *p, u32 max, struct radix_pool *pool)
{
	int wanted = READ_ONCE(ids->next_id);
	u32 index = wanted < 0 ? ids->next : (u32)wanted & IPC_INDEX_MASK;
	int err;

	mutex_assert_held(&ids->lock);
	if (ids->used >= MIN(max, IPC_INDEX_MASK + 1))
		return -ENOSPC;
	/* A free index: there is one, or used would be at the limit. */
	while (radix_lookup(&ids->tree, index))
		index = (index + 1) & IPC_INDEX_MASK;
	err = radix_insert(&ids->tree, index, p, pool);
	if (err)
		return -ENOSPC;
	ids->used++;
	if (wanted < 0) {
		ids->next = index;
		ids->seq = (ids->seq + 1) & 0x7fff;
		p->seq = ids->seq;
	} else {
		WRITE_ONCE(ids->next_id, -1);
		p->seq = (u16)(wanted >> IPC_INDEX_BITS);
	}
	p->id = (u32)p->seq << IPC_INDEX_BITS | index;
	if (p->key != IPC_PRIVATE)
		list_add(key_bucket(ids, p->key), &p->bucket);
	return p->id;
}

/*
 * Take @p out of the table; sleepers see ->removed.
 * ctx: thread; holds: ids->lock.
 */
void ipc_remove(struct ipc_ids *ids, struct ipc_object *p)
{
	u32 index = p->id & IPC_INDEX_MASK;

	mutex_assert_held(&ids->lock);
	radix_erase(&ids->tree, index, &ids->spare);
	ipc_unreserve(&ids->spare);
	list_del(&p->bucket);
	ids->used--;
	ids->next = MIN(ids->next, index);
	p->removed = true;
}

/*
 * Lookups; NULL when there is none.
 * ctx: thread; holds: ids->lock.
 */
struct ipc_object *ipc_find_key(struct ipc_ids *ids, u32 key)
{
	struct ipc_object *p;

	list_for_each(p, key_bucket(ids, key), bucket) {
		if (p->key == key)
			return p;
	}
	return NULL;
}

/* See ipc_find_key. An id whose sequence number is of an earlier object finds nothing. */
struct ipc_object *ipc_find_id(struct ipc_ids *ids, u32 id)
{
	struct ipc_object *p = ipc_find_index(ids, id & IPC_INDEX_MASK);

	return p && p->id == id ? p : NULL;
}

/* See ipc_find_key. */
struct ipc_object *ipc_find_index(struct ipc_ids *ids, u32 index)
{
	mutex_assert_held(&ids->lock);
	return index <= IPC_INDEX_MASK ? radix_lookup(&ids->tree, index) : NULL;
}

/*
 * Walk all objects by index.
 * ctx: thread; holds: ids->lock.
 */
struct ipc_object *ipc_next(struct ipc_ids *ids, u64 *index)
{
	struct ipc_object *p = radix_next(&ids->tree, index);

	(*index)++;
	return p;
}

/*
 * Highest index in use, 0 when there is none (the *_INFO commands return it).
 * ctx: thread; holds: ids->lock.
 */
u32 ipc_max_index(struct ipc_ids *ids)
{
	u64 at = 0;
	u32 top = 0;

	for (struct ipc_object *p; (p = ipc_next(ids, &at));)
		top = p->id & IPC_INDEX_MASK;
	return top;
}

/*
 * Mode check as the manual page sysvipc(7) has it: owner or creator, group, others.
 * ctx: thread; holds: ids->lock. 0 or -EACCES.
 */
int ipc_permission(const struct ipc_object *p, u32 want)
{
	const struct cred *c = current->cred;
	u32 granted = p->mode, bits = (want | want >> 3 | want >> 6) & 7;

	if (c->euid == p->cuid || c->euid == p->uid)
		granted >>= 6;
	else if (c->egid == p->cgid || c->egid == p->gid || cred_in_group(c, p->cgid) ||
		 cred_in_group(c, p->gid))
		granted >>= 3;
	if ((bits & ~granted) == 0 || cred_capable(c, CAP_IPC_OWNER))
		return 0;
	return -EACCES;
}

/*
 * May current set or remove @p?
 * ctx: thread; holds: ids->lock. 0 or -EPERM.
 */
int ipc_owner(const struct ipc_object *p)
{
	const struct cred *c = current->cred;

	if (c->euid == p->cuid || c->euid == p->uid || cred_capable(c, CAP_SYS_ADMIN))
		return 0;
	return -EPERM;
}

/*
 * A get call found @p under its key.
 * ctx: thread; holds: ids->lock. The id, -EEXIST or -EACCES.
 */
int ipc_existing(const struct ipc_object *p, u32 flags)
{
	int err;

	if ((flags & IPC_CREAT) && (flags & IPC_EXCL))
		return -EEXIST;
	err = ipc_permission(p, flags & IPC_MODE_BITS);
	return err ? err : (int)p->id;
}

/* The user-visible form. ctx: any; holds: ids->lock. */
void ipc_perm_out(const struct ipc_object *p, struct ipc64_perm *out)
{
	memset(out, 0, sizeof(*out));
	out->key = p->key;
	out->uid = p->uid;
	out->gid = p->gid;
	out->cuid = p->cuid;
	out->cgid = p->cgid;
	out->mode = p->mode;
	out->seq = p->seq;
}

/* IPC_SET: owner and permission bits. ctx: any; holds: ids->lock. 0, -EINVAL: no such user. */
int ipc_perm_set(struct ipc_object *p, const struct ipc64_perm *in)
{
	if (in->uid == (u32)-1 || in->gid == (u32)-1)
		return -EINVAL;
	p->uid = in->uid;
	p->gid = in->gid;
	p->mode = (p->mode & ~(u32)IPC_MODE_BITS) | (in->mode & IPC_MODE_BITS);
	return 0;
}

/* Wall clock in seconds. ctx: any. */
s64 ipc_time(void)
{
	return time_wall() / NSEC_PER_SEC;
}

/* Process id of current. ctx: thread. */
u32 ipc_pid(void)
{
	return current_proc() ? current_proc()->pid->nr : 0;
}
