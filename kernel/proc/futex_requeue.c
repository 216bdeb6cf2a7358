/*
 * Requeueing: waiters of one futex become waiters of another without waking up.
 *
 * FUTEX_CMP_REQUEUE is how a condition variable is broadcast: one waiter is woken, the rest is
 * moved to the mutex, where each unlock wakes one. With a mutex of priority inheritance it takes
 * FUTEX_CMP_REQUEUE_PI: the waiters said which word they will want (FUTEX_WAIT_REQUEUE_PI), the
 * first of them gets it if it is free, and the others wait to own it as if they had called
 * FUTEX_LOCK_PI. Those who wait in one way are not to be woken in another: EINVAL.
 *
 * A waiter is moved with both buckets locked; see futex.c for how it finds its bucket when it
 * leaves. futex(2).
 */
#include <linux/errno.h>
#include <linux/futex.h>
#include "kernel/proc/futex_internal.h"
#include "kernel/proc/internal.h"
#include "kernel/sched/sched.h"

/* A requeue under way. */
struct move {
	const struct futex_args *a;
	struct futex_key k1, k2;
	struct futex_bucket *from, *to; /* of the keys */
	u32 done; /* waiters woken or moved */
};

static int move_init(struct move *m, const struct futex_args *a, bool private, bool pi)
{
	int err;

	m->a = a;
	m->done = 0;
	if ((s32)a->val < 0 || (s32)a->val2 < 0)
		return -EINVAL;
	err = futex_key_get(a->uaddr, private, false, &m->k1);
	if (!err)
		err = futex_key_get(a->uaddr2, private, pi, &m->k2);
	if (err)
		return err;
	m->from = futex_bucket_of(&m->k1);
	m->to = futex_bucket_of(&m->k2);
	return 0;
}

/* Lock both buckets, if the first word is as expected. 0, -EAGAIN, -EFAULT, -EINTR: not locked */
static int move_lock(const struct move *m, bool compare)
{
	u32 v;
	int err;

	for (;;) {
		futex_lock_two(m->from, m->to);
		if (!compare)
			return 0;
		err = futex_load_locked(m->a->uaddr, &v);
		if (!err && v == m->a->val3)
			return 0;
		futex_unlock_two(m->from, m->to);
		if (!err)
			return -EAGAIN;
		err = futex_fault_in(m->a->uaddr, false);
		if (err)
			return err;
	}
}

static void move_waiter_locked(const struct move *m, struct futex_waiter *w)
{
	list_del(&w->link);
	w->key = m->k2;
	futex_queue_locked(m->to, w);
}

/*
 * FUTEX_REQUEUE and, with @compare, FUTEX_CMP_REQUEUE. ctx: thread; sleeps. How many were woken or
 * moved; -EAGAIN, -EINVAL, -EFAULT.
 */
long futex_requeue(const struct futex_args *a, bool private, bool compare)
{
	struct futex_waiter *w, *tmp;
	struct move m;
	int err = move_init(&m, a, private, false);

	if (!err)
		err = move_lock(&m, compare);
	if (err)
		return err;
	list_for_each_safe(w, tmp, &m.from->waiters, link) {
		if (!futex_key_equal(&w->key, &m.k1))
			continue;
		if (m.done >= a->val + a->val2)
			break;
		if (w->pi || w->requeue_to) {
			err = -EINVAL;
			break;
		}
		if (m.done++ < a->val)
			futex_wake_waiter_locked(w);
		else if (!futex_key_equal(&m.k1, &m.k2))
			move_waiter_locked(&m, w);
	}
	futex_unlock_two(m.from, m.to);
	return err ? err : (long)m.done;
}

/* The first waiter for m->k1 but @not; NULL: there is none. holds: buckets */
static struct futex_waiter *first_waiter(const struct move *m, const struct futex_waiter * not )
{
	struct futex_waiter *w;

	list_for_each(w, &m->from->waiters, link) {
		if (w != not &&futex_key_equal(&w->key, &m->k1))
			return w;
	}
	return NULL;
}

/* The second word becomes @w's, or it waits to own it. 0 or what futex_pi_try_locked gives. */
static int move_pi_locked(struct move *m, struct futex_waiter *w)
{
	struct pi_try p = {
		.uaddr = m->a->uaddr2,
		.key = &m->k2,
		.bucket = m->to,
		.w = w,
		.more = m->a->val2 && first_waiter(m, w),
	};
	int r;

	if (w->pi || !w->requeue_to || !futex_key_equal(w->requeue_to, &m->k2))
		return -EINVAL;
	r = futex_pi_try_locked(&p);
	if (r == 1) {
		w->pi = true;
		move_waiter_locked(m, w);
	} else if (r == 0) {
		futex_wake_waiter_locked(w);
	}
	return r < 0 ? r : 0;
}

/* Move waiters until there are no more, or enough. holds: buckets */
static int move_all_pi_locked(struct move *m)
{
	u32 v;

	/* It must be there, also if nobody waits. */
	if (futex_load_locked(m->a->uaddr2, &v))
		return -EFAULT;
	while (m->done <= m->a->val2) {
		struct futex_waiter *w = first_waiter(m, NULL);
		int err;

		if (!w)
			return 0;
		err = move_pi_locked(m, w);
		if (err)
			return err;
		m->done++;
	}
	return 0;
}

/*
 * FUTEX_CMP_REQUEUE_PI. ctx: thread; sleeps. How many got the second word or wait for it; -EAGAIN,
 * -EINVAL, -EFAULT, -EDEADLK, -ESRCH.
 */
long futex_requeue_pi(const struct futex_args *a, bool private)
{
	struct move m;
	int err;

	if (a->uaddr == a->uaddr2 || a->val != 1)
		return -EINVAL;
	err = move_init(&m, a, private, true);
	if (err)
		return err;
	if (futex_key_equal(&m.k1, &m.k2))
		return -EINVAL;
	do {
		/* Those that were moved do not take part in a second try. */
		err = move_lock(&m, m.done == 0);
		if (err)
			return err;
		err = move_all_pi_locked(&m);
		futex_unlock_two(m.from, m.to);
		if (err == -EFAULT) {
			err = futex_fault_in(a->uaddr2, true);
			if (!err)
				err = -EAGAIN;
		}
	} while (err == -EAGAIN);
	return err ? err : (long)m.done;
}

/*
 * FUTEX_WAIT_REQUEUE_PI: wait on the first word until somebody moves us to the second, and own
 * that. ctx: thread; sleeps. 0; -EAGAIN: the first word has changed, or a signal came after we were
 * moved; -ETIMEDOUT, -EINVAL, -EFAULT, -ERESTARTNOINTR.
 */
long futex_wait_requeue_pi(const struct futex_args *a, bool private)
{
	struct futex_waiter w;
	struct futex_key k2;
	int err;

	if (a->uaddr == a->uaddr2)
		return -EINVAL;
	futex_waiter_init(&w);
	w.requeue_to = &k2;
	err = futex_key_get(a->uaddr, private, false, &w.key);
	if (!err)
		err = futex_key_get(a->uaddr2, private, true, &k2);
	if (err)
		return err;
	if (futex_key_equal(&w.key, &k2))
		return -EINVAL;
	err = futex_queue_if(&w, a->uaddr, a->val);
	if (err)
		return err == -EINTR ? -ERESTARTNOINTR : err;
	err = futex_sleep(&w, &a->deadline);
	if (!err && w.orphan_of)
		err = futex_lock_pi_as(a->uaddr2, &w, &a->deadline);
	if (err == -EINTR)
		return w.pi ? -EAGAIN : -ERESTARTNOINTR;
	return err;
}
