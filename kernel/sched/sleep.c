/*
 * Sleeping for a time: schedule() with a timeout on the sleeper's stack that wakes it.
 *
 * The timeout's function may still be running on another CPU when the sleeper goes on, so the stack
 * frame is left only after timeout_cancel_sync.
 */
#include <linux/errno.h>
#include "kernel/base/time.h"
#include "kernel/base/timeout.h"
#include "kernel/sched/sched.h"

struct sleeper {
	struct timeout timeout;
	struct thread *thread; /* I */
};

static void sleeper_wake(struct timeout *to)
{
	struct sleeper *s = container_of(to, struct sleeper, timeout);

	sched_wake(s->thread, WAKE_NORMAL | 1u << TS_STOPPED);
}

/*
 * schedule(), woken at @deadline of the monotonic or the @wall clock at the latest. To be called
 * after sched_prepare(). ctx: thread; sleeps. 0 or -ETIMEDOUT; also 0 when woken for no reason.
 */
int schedule_until_clock(s64 deadline, bool wall)
{
	struct sleeper s;

	if (deadline == TIME_NEVER) {
		schedule();
		return 0;
	}
	if (deadline <= (wall ? time_wall() : time_now())) {
		sched_cancel();
		return -ETIMEDOUT;
	}
	s.thread = current;
	timeout_init(&s.timeout, sleeper_wake);
	if (wall)
		timeout_set_wall(&s.timeout, deadline);
	else
		timeout_set(&s.timeout, deadline);
	schedule();
	if (timeout_cancel(&s.timeout))
		return 0;
	timeout_cancel_sync(&s.timeout);
	return -ETIMEDOUT;
}

/* The same for the monotonic clock. */
int schedule_until(s64 deadline)
{
	return schedule_until_clock(deadline, false);
}

/* Sleep until @deadline, whatever happens. ctx: thread; sleeps */
void sched_sleep_until(s64 deadline)
{
	do
		sched_prepare(TS_BLOCKED);
	while (schedule_until(deadline) == 0);
}

static int sleep_interruptible(s64 deadline, bool wall)
{
	do {
		sched_prepare(TS_SLEEPING);
		if (READ_ONCE(current->interrupted)) {
			sched_cancel();
			return -EINTR;
		}
	} while (schedule_until_clock(deadline, wall) == 0);
	return 0;
}

/* Sleep until @deadline or a signal. ctx: thread; sleeps. 0 or -EINTR. */
int sched_sleep_interruptible(s64 deadline)
{
	return sleep_interruptible(deadline, false);
}

/* Sleep until the wall clock reads @deadline, or a signal. ctx: thread; sleeps. 0 or -EINTR. */
int sched_sleep_wall(s64 deadline)
{
	return sleep_interruptible(deadline, true);
}
