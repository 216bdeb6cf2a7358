/*
 * FUTEX_LOCK_PI, TRYLOCK_PI, UNLOCK_PI: locks whose word names the owner.
 *
 * The word holds the owner's thread id; FUTEX_WAITERS says that the kernel has waiters;
 * FUTEX_OWNER_DIED that the last owner ended without unlocking. Under contention the word is
 * changed only by the kernel, under the bucket's lock: unlocking writes the next owner's id into it
 * and wakes that thread, which then owns the lock. The waiter with the highest real-time priority
 * comes first, else the longest waiting.
 *
 * What this does not do is lend the waiter's priority to the owner: programs are correct, but a
 * low-priority owner may be kept from the CPU. See futex(2), "Priority-inheritance futexes".
 */
#include <linux/errno.h>
#include <linux/futex.h>
#include <arch/user.h>
#include "kernel/base/time.h"
#include "kernel/base/uio.h"
#include "kernel/proc/futex_internal.h"
#include "kernel/proc/internal.h"
#include "kernel/sched/sched.h"

static bool key_equal(const struct futex_key *a, const struct futex_key *b)
{
	return a->offset == b->offset && a->object == b->object;
}

static struct futex_waiter *best_waiter(struct futex_bucket *b, const struct futex_key *k)
{
	struct futex_waiter *w, *best = NULL;

	list_for_each(w, &b->waiters, link) {
		if (w->pi && key_equal(&w->key, k) &&
		    (!best || w->thread->se.rt_prio > best->thread->se.rt_prio))
			best = w;
	}
	return best;
}

static bool others_wait(struct futex_bucket *b, const struct futex_key *k,
			const struct futex_waiter * not )
{
	struct futex_waiter *w;

	list_for_each(w, &b->waiters, link) {
		if (w != not &&w->pi && key_equal(&w->key, k))
			return true;
	}
	return false;
}

static bool owner_exists(u32 tid)
{
	struct task *t = task_lookup(tid);

	if (t)
		task_put(t);
	return t != NULL;
}

/*
 * One try under the bucket's lock: 0 own it, 1 has to wait (FUTEX_WAITERS is set), -EFAULT,
 * -EDEADLK, -EAGAIN: try again.
 */
static int lock_try_locked(u64 uaddr, u32 tid, struct futex_bucket *b, const struct futex_key *k,
			   bool try, u32 *owner)
{
	u32 v, found, want;
	int err = futex_load_locked(uaddr, &v);

	if (err)
		return err;
	*owner = v & FUTEX_TID_MASK;
	if (*owner == tid)
		return -EDEADLK;
	if (*owner == 0)
		want = tid | (v & FUTEX_OWNER_DIED) | (others_wait(b, k, NULL) ? FUTEX_WAITERS : 0);
	else if (try)
		return -EWOULDBLOCK;
	else
		want = v | FUTEX_WAITERS;
	if (want == v)
		return 1;
	err = arch_user_cmpxchg32(uaddr, v, want, &found);
	if (err)
		return err;
	if (found != v)
		return -EAGAIN;
	return *owner ? 1 : 0;
}

/*
 * Sleep as a waiter for ownership; the caller holds the bucket, which is released. 0: it is ours.
 */
static int lock_wait(struct futex_bucket *b, struct futex_waiter *w,
		     const struct futex_deadline *deadline)
{
	w->bucket = b;
	list_add_tail(&b->waiters, &w->link);
	sched_prepare(TS_SLEEPING);
	spin_unlock(&b->lock);
	return futex_sleep(w, deadline);
}

/*
 * Own the word, waiting until @deadline. ctx: thread; sleeps. 0, -EDEADLK, -ESRCH (no such owner),
 * -EWOULDBLOCK (@try), -ETIMEDOUT, -EFAULT, -EINVAL, -ERESTARTNOINTR.
 */
int futex_lock_pi(u64 uaddr, bool private, const struct futex_deadline *deadline, bool try)
{
	struct futex_waiter w = { .thread = current, .pi = true, .bitset = ~0u };
	u32 tid = current_task()->tid->nr, owner = 0;
	struct futex_bucket *b;
	int err = futex_key_get(uaddr, private, &w.key);

	if (err)
		return err;
	b = futex_bucket_of(&w.key);
	for (;;) {
		spin_lock(&b->lock);
		err = lock_try_locked(uaddr, tid, b, &w.key, try, &owner);
		if (err == 1) {
			/*
			 * The tree lock ranks below the bucket's, so an owner cannot end unseen
			 * before we sleep.
			 */
			if (owner_exists(owner)) {
				err = lock_wait(b, &w, deadline);
				return err == -EINTR ? -ERESTARTNOINTR : err;
			}
			err = -ESRCH;
		}
		spin_unlock(&b->lock);
		if (err == -EFAULT)
			err = futex_fault_in(uaddr, true);
		else if (err != -EAGAIN)
			return err;
		if (err && err != -EAGAIN)
			return err;
	}
}

/* Give the word to the best waiter; 0 waiters: 0, done: 1. holds: bucket */
static int hand_over_locked(u64 uaddr, u32 v, struct futex_bucket *b, const struct futex_key *k,
			    u32 keep)
{
	struct futex_waiter *w = best_waiter(b, k);
	u32 want = keep, found;
	int err;

	if (w) {
		want |= task_of(w->thread)->tid->nr;
		if (others_wait(b, k, w))
			want |= FUTEX_WAITERS;
	}
	err = arch_user_cmpxchg32(uaddr, v, want, &found);
	if (err)
		return err;
	if (found != v)
		return -EAGAIN;
	if (w)
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
	int err = futex_key_get(uaddr, private, &k);

	if (err)
		return err;
	b = futex_bucket_of(&k);
	for (;;) {
		spin_lock(&b->lock);
		err = futex_load_locked(uaddr, &v);
		if (!err)
			err = (v & FUTEX_TID_MASK) == tid ? hand_over_locked(uaddr, v, b, &k, 0)
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

/*
 * The owner of a robust word ended and the word says so: the best waiter becomes its owner. ctx:
 * thread; sleeps.
 */
void futex_pi_owner_died(u64 uaddr)
{
	struct futex_bucket *b;
	struct futex_key k;
	u32 v;
	int err;

	if (futex_key_get(uaddr, false, &k))
		return;
	b = futex_bucket_of(&k);
	do {
		spin_lock(&b->lock);
		err = futex_load_locked(uaddr, &v);
		if (!err && !(v & FUTEX_TID_MASK) && best_waiter(b, &k))
			err = hand_over_locked(uaddr, v, b, &k, FUTEX_OWNER_DIED);
		spin_unlock(&b->lock);
		if (err == -EFAULT)
			err = futex_fault_in(uaddr, true);
	} while (err == -EAGAIN);
}
