/*
 * Reader-writer semaphores, in order of arrival.
 *
 * The state word counts readers or says RW_WRITER, plus RW_WAITERS while the queue is not empty.
 * Nobody passes waiters: a reader that finds the bit set queues behind the writer in front of it,
 * so writers are not starved. The unlock that makes it free with waiters gives it away itself: to
 * the writer at the front, or to all readers up to the next writer; a woken waiter already holds
 * it.
 *
 * Locking: .lock (rank WAITQ) guards the queue; the word changes under it whenever the bit is set
 * or changes.
 */
#include <linux/errno.h>
#include "kernel/base/lockstat.h"
#include "kernel/base/panic.h"
#include "kernel/base/time.h"
#include "kernel/sched/mutex.h"

#define RW_WRITER 0x80000000u
#define RW_WAITERS 0x40000000u
#define RW_READERS 0x3fffffffu

struct rw_waiter {
	struct list link; /* lock */
	struct thread *thread; /* I */
	bool writer; /* I */
	bool granted; /* lock; a for reading */
};

/* ctx: any */
void rwsem_init(struct rwsem *s, enum lock_rank rank)
{
	*s = (struct rwsem)RWSEM_INIT(*s, rank);
}

static inline bool cas(struct rwsem *s, u32 old, u32 new)
{
	return __atomic_compare_exchange_n(&s->state, &old, new, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

static void grant(struct rwsem *s, struct rw_waiter *w)
{
	struct thread *t = w->thread;

	if (w->writer)
		s->writer = t;
	list_del(&w->link);
	/*
	 * After this @w, on the waiter's stack, may be gone; the thread cannot be before s->lock is
	 * released.
	 */
	store_release(&w->granted, true);
	sched_wake(t, WAKE_NORMAL);
}

/*
 * Give a free or reader-held semaphore to those in front. holds: s->lock; RW_WAITERS set, no writer
 */
static void grant_front(struct rwsem *s)
{
	u32 state = s->state & RW_READERS;
	struct rw_waiter *w;

	while (!list_empty(&s->waiters)) {
		w = list_first(&s->waiters, struct rw_waiter, link);
		if (w->writer) {
			if (state)
				break;
			state = RW_WRITER;
			grant(s, w);
			break;
		}
		state++;
		grant(s, w);
	}
	if (!list_empty(&s->waiters))
		state |= RW_WAITERS;
	store_release(&s->state, state);
}

/* holds: s->lock. True: it is ours without waiting. Else RW_WAITERS is set. */
static bool take_or_mark(struct rwsem *s, bool writer)
{
	u32 v = __atomic_load_n(&s->state, __ATOMIC_RELAXED);

	for (;;) {
		bool free = writer ? v == 0 : !(v & (RW_WRITER | RW_WAITERS));
		u32 next = free ? (writer ? RW_WRITER : v + 1) : v | RW_WAITERS;

		if (__atomic_compare_exchange_n(&s->state, &v, next, false, __ATOMIC_ACQ_REL,
						__ATOMIC_RELAXED))
			return free;
	}
}

static __noinline int wait_slow(struct rwsem *s, bool writer, bool killable, const void *caller)
{
	struct rw_waiter w = { .thread = current, .writer = writer };
	s64 since = time_now();
	u64 irq = spin_lock_irqsave(&s->lock);
	int err = 0;

	if (take_or_mark(s, writer)) {
		if (writer)
			s->writer = current;
		spin_unlock_irqrestore(&s->lock, irq);
		return 0;
	}
	list_add_tail(&s->waiters, &w.link);
	while (!w.granted) {
		if (killable && READ_ONCE(current->killed)) {
			err = -EINTR;
			break;
		}
		sched_prepare(TS_BLOCKED);
		spin_unlock_irqrestore(&s->lock, irq);
		schedule();
		irq = spin_lock_irqsave(&s->lock);
	}
	if (err) {
		/* Those behind may have waited for us only. */
		list_del(&w.link);
		if (!(s->state & RW_WRITER))
			grant_front(s);
		else if (list_empty(&s->waiters))
			__atomic_fetch_and(&s->state, ~RW_WAITERS, __ATOMIC_RELAXED);
	}
	spin_unlock_irqrestore(&s->lock, irq);
	lockstat_count(LOCK_RWSEM, caller, since);
	return err;
}

static __noinline void unlock_slow(struct rwsem *s, u32 minus)
{
	u64 irq = spin_lock_irqsave(&s->lock);
	u32 left = __atomic_sub_fetch(&s->state, minus, __ATOMIC_ACQ_REL);

	if (left == RW_WAITERS)
		grant_front(s);
	spin_unlock_irqrestore(&s->lock, irq);
}

static inline bool read_try(struct rwsem *s)
{
	u32 v = __atomic_load_n(&s->state, __ATOMIC_RELAXED);

	while (!(v & (RW_WRITER | RW_WAITERS)))
		if (__atomic_compare_exchange_n(&s->state, &v, v + 1, false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return true;
	return false;
}

/* Share @s with other readers. ctx: thread; sleeps */
void rwsem_read_lock(struct rwsem *s)
{
	assert_can_sleep();
	LOCKDEBUG_CHECK(s, false);
	if (unlikely(!read_try(s)))
		(void)wait_slow(s, false, false, __builtin_return_address(0));
	LOCKDEBUG_ACQUIRED(s);
}

/* Share @s if that needs no waiting. ctx: thread */
bool rwsem_read_trylock(struct rwsem *s)
{
	if (!read_try(s))
		return false;
	LOCKDEBUG_ACQUIRED(s);
	return true;
}

/* Undo rwsem_read_lock. ctx: thread */
void rwsem_read_unlock(struct rwsem *s)
{
	u32 v = __atomic_load_n(&s->state, __ATOMIC_RELAXED);

	debug_assert(v & RW_READERS);
	LOCKDEBUG_RELEASE(s);
	while (likely(!(v & RW_WAITERS)))
		if (__atomic_compare_exchange_n(&s->state, &v, v - 1, false, __ATOMIC_RELEASE,
						__ATOMIC_RELAXED))
			return;
	unlock_slow(s, 1);
}

/* For the functions that others call. */
static __always_inline int write_lock(struct rwsem *s, bool killable)
{
	if (unlikely(!cas(s, 0, RW_WRITER)))
		return wait_slow(s, true, killable, __builtin_return_address(0));
	s->writer = current;
	return 0;
}

/* Have @s alone. ctx: thread; sleeps */
void rwsem_write_lock(struct rwsem *s)
{
	assert_can_sleep();
	LOCKDEBUG_CHECK(s, false);
	(void)write_lock(s, false);
	LOCKDEBUG_ACQUIRED(s);
}

/* The second of a class. ctx: thread; sleeps */
void rwsem_write_lock_nested(struct rwsem *s)
{
	assert_can_sleep();
	LOCKDEBUG_CHECK(s, true);
	(void)write_lock(s, false);
	LOCKDEBUG_ACQUIRED(s);
}

/* Have @s alone, unless a fatal signal comes first. ctx: thread; sleeps. 0 or -EINTR. */
int rwsem_write_lock_killable(struct rwsem *s)
{
	assert_can_sleep();
	LOCKDEBUG_CHECK(s, false);
	if (write_lock(s, true))
		return -EINTR;
	LOCKDEBUG_ACQUIRED(s);
	return 0;
}

/* Undo rwsem_write_lock. ctx: thread, the writer */
void rwsem_write_unlock(struct rwsem *s)
{
	debug_assert(s->writer == current);
	s->writer = NULL;
	LOCKDEBUG_RELEASE(s);
	if (unlikely(!cas(s, RW_WRITER, 0)))
		unlock_slow(s, RW_WRITER);
}

/* From writer to reader, letting readers in that wait in front. ctx: thread, the writer */
void rwsem_downgrade(struct rwsem *s)
{
	u64 irq = spin_lock_irqsave(&s->lock);

	debug_assert(s->writer == current);
	s->writer = NULL;
	/* -RW_WRITER + 1 reader */
	if (__atomic_sub_fetch(&s->state, RW_WRITER - 1, __ATOMIC_ACQ_REL) & RW_WAITERS)
		grant_front(s);
	spin_unlock_irqrestore(&s->lock, irq);
}
