/*
 * Who owns the priority-inheritance futexes that somebody waits for, and the priority it gets for
 * that.
 *
 * The kernel knows an owner only while there are waiters: each of them says who owns the word it
 * waits for (.owner), and is on that thread's list (.futex_owned). So nothing is allocated, and
 * there is no object that could outlive its use. All waiters queued for one word agree; whoever
 * gives the word to somebody else changes them together, holding their bucket.
 *
 * Inheritance: a thread runs at least with the priority, or deadline, of the best of those on its
 * list (sched_lend). When that changes and the thread waits for a word itself, the owner of that is
 * next, and so on along the chain (lend). A thread that would come to wait for itself is refused
 * (EDEADLK); so chains end.
 *
 * Death: the last an exiting thread does is to find its waiters (futex_owner_exit). It cannot write
 * the word, which it may not map (any more); so each word's best waiter is woken to do that, with
 * .orphan_of set, and the rest stay, with no owner, until it has. This baton is passed on when its
 * bearer fails (futex_owner_pass_baton).
 *
 * Locking: owner_lock (p) guards the relations of all futexes; they are for contention only, which
 * costs two switches anyway. A queued waiter's owner changes only under its bucket's lock, too, so
 * either lock is enough to read it. Order: bucket, owner_lock, run queues.
 */
#include <linux/errno.h>
#include "kernel/proc/futex_internal.h"
#include "kernel/proc/internal.h"
#include "kernel/sched/sched.h"

#define CHAIN_MAX 1024 /* as Linux's max_lock_depth */

static struct spinlock owner_lock = SPINLOCK_INIT(RANK_FUTEX_OWNER);

/* The highest urgency among those who wait for @t. holds: owner_lock */
static u64 best_urgency(const struct task *t)
{
	const struct futex_waiter *w;
	u64 best = 0;

	list_for_each(w, &t->futex_owned, owned_link)
		best = MAX(best, sched_urgency(w->thread));
	return best;
}

/* @t's list has changed, or a priority on it: lend, along the chain. holds: owner_lock */
static void lend(struct task *t)
{
	for (u32 i = 0; t && i < CHAIN_MAX; i++) {
		if (!sched_lend(&t->thread, best_urgency(t)))
			return;
		t = t->futex_blocked ? t->futex_blocked->owner : NULL;
	}
}

/* Would @self wait for itself if it waited for @owner? holds: owner_lock */
static bool is_deadlock(const struct task *self, const struct task *owner)
{
	for (u32 i = 0; owner && i < CHAIN_MAX; i++) {
		if (owner == self)
			return true;
		owner = owner->futex_blocked ? owner->futex_blocked->owner : NULL;
	}
	return owner != NULL;
}

/* holds: owner_lock. The caller lends. */
static void owner_set(struct futex_waiter *w, struct task *owner, u32 tid)
{
	list_del(&w->owned_link);
	w->owner = owner;
	w->owner_tid = tid;
	if (owner)
		list_add_tail(&owner->futex_owned, &w->owned_link);
}

/*
 * The thread of @w is going to wait for the word @k, which @owner has, with id @tid; NULL: one that
 * died had it. @w is in @b then, if it is not yet. ctx: thread; holds: @b, and the bucket that @w
 * is in. 0, -ESRCH (the owner has left), -EDEADLK.
 */
int futex_owner_attach(struct futex_waiter *w, struct futex_bucket *b, const struct futex_key *k,
		       struct task *owner, u32 tid)
{
	struct task *self = task_of(w->thread);
	int err = 0;

	spin_lock(&owner_lock);
	if (owner && owner->futex_dead) {
		err = -ESRCH;
	} else if (is_deadlock(self, owner)) {
		err = -EDEADLK;
	} else {
		w->key = *k;
		WRITE_ONCE(w->bucket, b);
		owner_set(w, owner, tid);
		self->futex_blocked = w;
		if (owner)
			lend(owner);
	}
	spin_unlock(&owner_lock);
	return err;
}

/*
 * @w, off its bucket, waits no more. ctx: thread.
 */
void futex_owner_detach(struct futex_waiter *w)
{
	struct task *owner;

	spin_lock(&owner_lock);
	owner = w->owner;
	owner_set(w, NULL, 0);
	task_of(w->thread)->futex_blocked = NULL;
	if (owner)
		lend(owner);
	spin_unlock(&owner_lock);
}

/*
 * A waiter in @b to own the word @k, other than @not; NULL: there is none. ctx: any; holds: bucket.
 */
struct futex_waiter *futex_owner_first_locked(struct futex_bucket *b, const struct futex_key *k,
					      const struct futex_waiter * not )
{
	struct futex_waiter *w;

	list_for_each(w, &b->waiters, link) {
		if (w != not &&w->pi && futex_key_equal(&w->key, k))
			return w;
	}
	return NULL;
}

/*
 * The one of them who is to own it next: the highest priority that one runs with, of these the
 * first. ctx: any; holds: bucket.
 */
struct futex_waiter *futex_owner_best_locked(struct futex_bucket *b, const struct futex_key *k)
{
	struct futex_waiter *w, *best = NULL;

	list_for_each(w, &b->waiters, link) {
		if (w->pi && futex_key_equal(&w->key, k) &&
		    (!best || sched_urgency(w->thread) > sched_urgency(best->thread)))
			best = w;
	}
	return best;
}

/*
 * The word @k belongs to @to, with id @tid, from now on: all who wait for it wait for that one.
 * ctx: thread; holds: bucket.
 */
void futex_owner_move_locked(struct futex_bucket *b, const struct futex_key *k, struct task *to,
			     u32 tid)
{
	struct task *from = NULL;
	struct futex_waiter *w;

	spin_lock(&owner_lock);
	list_for_each(w, &b->waiters, link) {
		if (!w->pi || !futex_key_equal(&w->key, k))
			continue;
		from = w->owner ? w->owner : from;
		owner_set(w, to, tid);
	}
	if (from)
		lend(from);
	lend(to);
	spin_unlock(&owner_lock);
}

/*
 * Wake the best waiter for @k to take the word that the dead @tid owned, if they have no owner.
 * holds: bucket
 */
static void wake_orphan_locked(struct futex_bucket *b, const struct futex_key *k, u32 tid)
{
	struct futex_waiter *w = futex_owner_best_locked(b, k);

	if (!w || w->owner)
		return;
	w->orphan_of = tid;
	futex_owner_detach(w);
	futex_wake_waiter_locked(w);
}

/*
 * @w was woken to take a dead thread's word and cannot: the next one shall. ctx: thread.
 */
void futex_owner_pass_baton(const struct futex_waiter *w)
{
	struct futex_bucket *b = futex_bucket_of(&w->key);

	spin_lock(&b->lock);
	wake_orphan_locked(b, &w->key, w->orphan_of);
	spin_unlock(&b->lock);
}

/* Whoever waits for @k, owned by the dying @t, has no owner any more. holds: bucket */
static void disown_locked(struct futex_bucket *b, const struct futex_key *k, struct task *t)
{
	struct futex_waiter *w, *tmp;

	spin_lock(&owner_lock);
	/* Also those who are off their bucket and about to detach themselves. */
	list_for_each_safe(w, tmp, &t->futex_owned, owned_link) {
		if (w->bucket == b && futex_key_equal(&w->key, k))
			owner_set(w, NULL, 0);
	}
	lend(t);
	spin_unlock(&owner_lock);
}

/*
 * @t, current, exits or execs: the words it owns are for those who wait for them; @dead: nobody can
 * wait for it any more. ctx: thread; its robust list was done.
 */
void futex_owner_exit(struct task *t, bool dead)
{
	struct futex_bucket *b;
	struct futex_waiter *w;
	struct futex_key k;

	for (;;) {
		spin_lock(&owner_lock);
		if (list_empty(&t->futex_owned))
			break;
		w = list_first(&t->futex_owned, struct futex_waiter, owned_link);
		k = w->key;
		b = w->bucket;
		spin_unlock(&owner_lock);
		spin_lock(&b->lock);
		disown_locked(b, &k, t);
		wake_orphan_locked(b, &k, t->tid->nr);
		spin_unlock(&b->lock);
	}
	t->futex_dead = dead;
	spin_unlock(&owner_lock);
}

/*
 * The priority of @t was set: those it waits for run with it. ctx: thread.
 */
void futex_prio_changed(struct task *t)
{
	if (!READ_ONCE(t->futex_blocked))
		return;
	spin_lock(&owner_lock);
	if (t->futex_blocked && t->futex_blocked->owner)
		lend(t->futex_blocked->owner);
	spin_unlock(&owner_lock);
}
