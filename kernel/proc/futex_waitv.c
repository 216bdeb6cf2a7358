/*
 * futex_waitv(2): sleeping until one of several words is woken.
 *
 * The thread has one waiter per word, all of them on their buckets before it sleeps. A word that is
 * not what it should be, or whose page is away, means taking all off again; if one of them was
 * woken meanwhile, that is the result, because its waker counts on it.
 */
#include <linux/errno.h>
#include "kernel/proc/futex_internal.h"
#include "kernel/proc/internal.h"
#include "kernel/sched/sched.h"

/* Take the first @n waiters off their buckets. The last that had been woken, -1: none. */
static int unqueue_all(struct futex_waiter *w, u32 n)
{
	int woken = -1;

	for (u32 i = 0; i < n; i++) {
		if (!futex_unqueue(&w[i]))
			woken = (int)i;
	}
	return woken;
}

/* Queue all. 1, or the result of the call: 0 and *index, -EAGAIN, -EFAULT, -EINTR. */
static int queue_all(struct futex_waiter *w, const struct futex_wait_word *words, u32 n,
		     long *index)
{
	for (u32 i = 0; i < n; i++) {
		int err;

		futex_waiter_init(&w[i]);
		err = futex_key_get(words[i].uaddr, words[i].private, false, &w[i].key);
		if (err)
			return err;
	}
	for (u32 i = 0; i < n; i++) {
		int woken, err = futex_queue_if(&w[i], words[i].uaddr, words[i].val);

		sched_cancel();
		if (!err)
			continue;
		woken = unqueue_all(w, i);
		if (woken < 0)
			return err;
		*index = woken;
		return 0;
	}
	return 1;
}

static bool any_woken(const struct futex_waiter *w, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		if (load_acquire(&w[i].woken))
			return true;
	}
	return false;
}

/* Sleep until one is woken. 0, -ETIMEDOUT, -EINTR */
static int sleep_on_all(const struct futex_waiter *w, u32 n, const struct futex_deadline *until)
{
	int err = 0;

	while (!err) {
		sched_prepare(TS_SLEEPING);
		if (any_woken(w, n))
			break;
		if (signal_pending())
			err = -EINTR;
		else
			err = schedule_until_clock(until->at, until->wall);
	}
	sched_cancel();
	return err;
}

/*
 * Sleep until one of @n words, which are as they should be, is woken: see futex.h. ctx: thread;
 * sleeps. Its index; -EAGAIN, -ETIMEDOUT, -ERESTARTSYS, -EFAULT, -EINVAL, -ENOMEM.
 */
long futex_wait_any(const struct futex_wait_word *words, u32 n, const struct futex_deadline *until)
{
	struct futex_waiter *w = kcalloc(n, sizeof(*w), 0);
	long index = -1;
	int err;

	if (!w)
		return -ENOMEM;
	err = queue_all(w, words, n, &index);
	if (err == 1) {
		err = sleep_on_all(w, n, until);
		index = unqueue_all(w, n);
	}
	kfree(w);
	if (index >= 0)
		return index;
	return err == -EINTR ? -ERESTARTSYS : err;
}
