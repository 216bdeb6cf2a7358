/*
 * FUTEX_LOCK_PI, TRYLOCK_PI, UNLOCK_PI: locks whose word names the owner.
 *
 * The word holds the owner's thread id; FUTEX_WAITERS says that the kernel has waiters;
 * FUTEX_OWNER_DIED that the last owner ended without unlocking. Under contention the word is
 * changed only by the kernel, under the bucket's lock: unlocking writes the next owner's id into it
 * and wakes that thread, which then owns the lock. The waiter with the highest priority comes
 * first, else the longest waiting. Who owns what, whose priority the owner runs with, and what
 * happens when it dies, is futex_owner.c's.
 *
 * Word and kernel must agree: a word that names another owner than the waiters do is somebody's
 * mistake, and EINVAL. See futex(2), "Priority-inheritance futexes".
 */
#include <linux/errno.h>
#include <linux/futex.h>
#include <arch/user.h>
#include "kernel/base/uio.h"
#include "kernel/proc/futex_internal.h"
#include "kernel/proc/internal.h"
#include "kernel/sched/sched.h"

/* The word becomes @want if it is @v still. 0, -EFAULT, -EAGAIN */
static int word_change(u64 uaddr, u32 v, u32 want)
{
	u32 found;
	int err;

	if (v == want)
		return 0;
	err = arch_user_cmpxchg32(uaddr, v, want, &found);
	return err ? err : found == v ? 0 : -EAGAIN;
}

/* The word @v is nobody's: it becomes that of @p->w's thread. holds: bucket */
static int take_locked(const struct pi_try *p, u32 v)
{
	struct task *t = task_of(p->w->thread);
	bool others = futex_owner_first_locked(p->bucket, p->key, p->w) != NULL;
	u32 want = t->tid->nr | (v & FUTEX_OWNER_DIED);
	int err;

	if (v & FUTEX_TID_MASK)
		want |= FUTEX_OWNER_DIED;
	if (others || p->more)
		want |= FUTEX_WAITERS;
	err = word_change(p->uaddr, v, want);
	if (!err && others)
		futex_owner_move_locked(p->bucket, p->key, t, t->tid->nr);
	return err;
}

/*
 * Who owns the word @v, with a reference; NULL: nobody, which is no error when it died and one of
 * its waiters is going to take it. 0, -ESRCH, -EINVAL: the waiters wait for another. holds: bucket
 */
static int find_owner_locked(const struct pi_try *p, u32 v, struct task **out)
{
	const struct futex_waiter *other = futex_owner_first_locked(p->bucket, p->key, p->w);
	u32 tid = v & FUTEX_TID_MASK;

	*out = NULL;
	if (other && other->owner) {
		if (other->owner_tid != tid)
			return -EINVAL;
		*out = other->owner;
		task_get(*out);
		return 0;
	}
	*out = task_lookup(tid);
	if (*out && READ_ONCE((*out)->futex_dead)) {
		task_put(*out);
		*out = NULL;
	}
	return *out || other ? 0 : -ESRCH;
}

/* The word is @owner's: also for those who still wait for it as a dead one's. holds: bucket */
static void adopt_locked(const struct pi_try *p, struct task *owner, u32 tid)
{
	const struct futex_waiter *other = futex_owner_first_locked(p->bucket, p->key, p->w);

	if (other && !other->owner)
		futex_owner_move_locked(p->bucket, p->key, owner, tid);
}

/* Wait for the owner of the word @v: 1. holds: bucket */
static int attach_locked(const struct pi_try *p, u32 v)
{
	u32 tid = v & FUTEX_TID_MASK, now;
	struct task *owner;
	int err = find_owner_locked(p, v, &owner);

	if (!err)
		err = word_change(p->uaddr, v, v | FUTEX_WAITERS);
	if (!err)
		err = futex_owner_attach(p->w, p->bucket, p->key, owner, tid);
	if (!err && owner)
		adopt_locked(p, owner, tid);
	if (owner)
		task_put(owner);
	if (err != -ESRCH)
		return err ? err : 1;
	/* It may have unlocked before it left. */
	err = futex_load_locked(p->uaddr, &now);
	if (!err)
		err = (now ^ v) & ~FUTEX_WAITERS ? -EAGAIN : -ESRCH;
	return err;
}

/*
 * One try under the bucket's lock: 0: the thread of p->w owns the word; 1: it is to wait, and is
 * attached to the owner; -EFAULT, -EDEADLK, -ESRCH, -EINVAL; -EAGAIN: try again. ctx: thread.
 */
int futex_pi_try_locked(const struct pi_try *p)
{
	u32 v, owner;
	int err = futex_load_locked(p->uaddr, &v);

	if (err)
		return err;
	owner = v & FUTEX_TID_MASK;
	if (owner == task_of(p->w->thread)->tid->nr)
		return -EDEADLK;
	if (!owner || owner == p->w->orphan_of)
		return take_locked(p, v);
	return attach_locked(p, v);
}

/* The same without waiting: 0, 1 and the others. holds: bucket */
static int trylock_locked(const struct pi_try *p)
{
	struct task *owner;
	u32 v;
	int err = futex_load_locked(p->uaddr, &v);

	if (err)
		return err;
	if (!(v & FUTEX_TID_MASK) || (v & FUTEX_TID_MASK) == current_task()->tid->nr)
		return futex_pi_try_locked(p);
	err = find_owner_locked(p, v, &owner);
	if (owner)
		task_put(owner);
	return err ? err : 1;
}

static int lock_loop(u64 uaddr, struct futex_waiter *w, const struct futex_deadline *deadline,
		     bool try)
{
	struct futex_bucket *b = futex_bucket_of(&w->key);
	struct pi_try p = { .uaddr = uaddr, .key = &w->key, .bucket = b, .w = w };
	int err;

	for (;;) {
		spin_lock(&b->lock);
		err = try ? trylock_locked(&p) : futex_pi_try_locked(&p);
		if (err == 1 && !try) {
			w->woken = 0;
			w->orphan_of = 0;
			futex_queue_locked(b, w);
			sched_prepare(TS_SLEEPING);
			spin_unlock(&b->lock);
			err = futex_sleep(w, deadline);
			if (err || !w->orphan_of)
				return err;
			continue;
		}
		spin_unlock(&b->lock);
		if (err == -EFAULT)
			err = futex_fault_in(uaddr, true);
		else if (err != -EAGAIN)
			return err == 1 ? -EWOULDBLOCK : err;
		if (err && err != -EAGAIN)
			return err;
	}
}

/*
 * Own the word at @uaddr, waiting until @deadline as @w, which has its key and is not queued. ctx:
 * thread; sleeps. 0, -EINTR, and what futex_lock_pi gives.
 */
int futex_lock_pi_as(u64 uaddr, struct futex_waiter *w, const struct futex_deadline *deadline)
{
	int err = lock_loop(uaddr, w, deadline, false);

	if (err && w->orphan_of)
		futex_owner_pass_baton(w);
	return err;
}

/*
 * Own the word, waiting until @deadline. ctx: thread; sleeps. 0, -EDEADLK, -ESRCH (no such owner),
 * -EWOULDBLOCK (@try), -ETIMEDOUT, -EFAULT, -EINVAL, -ERESTARTNOINTR.
 */
int futex_lock_pi(u64 uaddr, bool private, const struct futex_deadline *deadline, bool try)
{
	struct futex_waiter w;
	int err;

	futex_waiter_init(&w);
	w.pi = true;
	err = futex_key_get(uaddr, private, true, &w.key);
	if (err)
		return err;
	if (try)
		return lock_loop(uaddr, &w, deadline, true);
	err = futex_lock_pi_as(uaddr, &w, deadline);
	return err == -EINTR ? -ERESTARTNOINTR : err;
}

/* Give the word @v, which is current's, to the best waiter, or to nobody. holds: bucket */
static int hand_over_locked(u64 uaddr, u32 v, struct futex_bucket *b, const struct futex_key *k)
{
	struct futex_waiter *w = futex_owner_best_locked(b, k);
	struct task *t;
	bool others;
	int err;

	if (!w)
		return word_change(uaddr, v, 0);
	if (w->owner != current_task())
		return -EINVAL;
	t = task_of(w->thread);
	others = futex_owner_first_locked(b, k, w) != NULL;
	err = word_change(uaddr, v, t->tid->nr | (others ? FUTEX_WAITERS : 0));
	if (err)
		return err;
	futex_owner_detach(w);
	list_del(&w->link);
	if (others)
		futex_owner_move_locked(b, k, t, t->tid->nr);
	futex_wake_waiter_locked(w);
	return 0;
}

/*
 * Give up a word that current owns. ctx: thread; sleeps. 0, -EPERM, -EFAULT, -EINVAL.
 */
int futex_unlock_pi(u64 uaddr, bool private)
{
	u32 tid = current_task()->tid->nr, v;
	struct futex_bucket *b;
	struct futex_key k;
	int err = get_user(&v, uaddr);

	if (!err && (v & FUTEX_TID_MASK) != tid)
		err = -EPERM;
	if (!err)
		err = futex_key_get(uaddr, private, true, &k);
	if (err)
		return err;
	b = futex_bucket_of(&k);
	for (;;) {
		spin_lock(&b->lock);
		err = futex_load_locked(uaddr, &v);
		if (!err)
			err = (v & FUTEX_TID_MASK) == tid ? hand_over_locked(uaddr, v, b, &k)
							  : -EPERM;
		spin_unlock(&b->lock);
		if (err == -EFAULT)
			err = futex_fault_in(uaddr, true);
		else if (err != -EAGAIN)
			return err;
		if (err && err != -EAGAIN)
			return err;
	}
}
