/*
 * Users: how many threads and queued signals each real user id has, for RLIMIT_NPROC and
 * RLIMIT_SIGPENDING.
 *
 * A struct user_counts exists while a process of that user does; processes hold references
 * (proc->user). The table is a short hash with one spinlock, taken only when a process changes its
 * user: fork copies the pointer.
 */
#include "kernel/proc/internal.h"

#define USER_BUCKETS 32

static struct spinlock user_lock = SPINLOCK_INIT(RANK_SIGHAND);
static struct list user_table[USER_BUCKETS]; /* user_lock */

static struct user_counts *user_search_locked(u32 uid)
{
	struct user_counts *u;

	list_for_each(u, &user_table[uid % USER_BUCKETS], link) {
		if (u->uid == uid && ref_get_unless_zero(&u->refs))
			return u;
	}
	return NULL;
}

/*
 * The account of @uid with a reference, made if need be. ctx: thread; sleeps. NULL: no memory.
 */
struct user_counts *user_find(u32 uid)
{
	struct user_counts *u, *fresh;
	u64 f;

	f = spin_lock_irqsave(&user_lock);
	u = user_search_locked(uid);
	spin_unlock_irqrestore(&user_lock, f);
	if (u)
		return u;
	fresh = kzalloc(sizeof(*fresh), 0);
	if (!fresh)
		return NULL;
	ref_init(&fresh->refs, 1);
	fresh->uid = uid;
	f = spin_lock_irqsave(&user_lock);
	u = user_search_locked(uid);
	if (!u) {
		list_add(&user_table[uid % USER_BUCKETS], &fresh->link);
		u = fresh;
		fresh = NULL;
	}
	spin_unlock_irqrestore(&user_lock, f);
	kfree(fresh);
	return u;
}

/*
 * Another reference. ctx: any.
 */
struct user_counts *user_get(struct user_counts *u)
{
	ref_get(&u->refs);
	return u;
}

/*
 * Drop a reference; the last frees the account. ctx: any.
 */
void user_put(struct user_counts *u)
{
	u64 f;

	if (!ref_put(&u->refs))
		return;
	f = spin_lock_irqsave(&user_lock);
	list_del(&u->link);
	spin_unlock_irqrestore(&user_lock, f);
	kfree(u);
}

/*
 * Current's process @p now belongs to @uid. Without memory for a new account it stays on the old
 * one.
 * ctx: thread; sleeps.
 */
void user_switch(struct proc *p, u32 uid)
{
	struct user_counts *u, *old;
	u32 n;
	u64 f;

	if (p->user->uid == uid)
		return;
	u = user_find(uid);
	if (!u)
		return;
	f = spin_lock_irqsave(&p->siglock);
	old = p->user;
	n = p->ntasks;
	p->user = u;
	atomic_add(&u->tasks, n);
	atomic_sub(&old->tasks, n);
	spin_unlock_irqrestore(&p->siglock, f);
	user_put(old);
}

/*
 * Boot. ctx: boot.
 */
void user_init(void)
{
	for (u32 i = 0; i < USER_BUCKETS; i++)
		list_init(&user_table[i]);
}
