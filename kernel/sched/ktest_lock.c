/*
 * Tests of what threads wait with: wait queues, completions, mutexes, reader-writer semaphores,
 * work queues. They run on as many CPUs as there are.
 *
 * Each starts threads (jobs_start), has them count what they saw, and judges when all have ended:
 * an assertion in a thread could not stop the others. Waits are for events and bounded by
 * KT_PATIENCE; no test depends on who runs first.
 */
#include <arch/cpu.h>
#include <linux/errno.h>
#include "kernel/base/ktest.h"
#include "kernel/base/time.h"
#include "kernel/sched/mutex.h"
#include "kernel/sched/waitq.h"
#include "kernel/sched/work.h"
#include "mm/slab.h"

#define THREADS 6

struct job {
	void (*fn)(struct job *j);
	struct thread *thread;
	struct completion ended;
	u32 index;
	u64 count;
	int result;
};

static struct job jobs[THREADS];

static void job_main(void *arg)
{
	struct job *j = arg;

	j->fn(j);
	completion_done(&j->ended);
}

static bool jobs_start(u32 n, void (*fn)(struct job *j))
{
	for (u32 i = 0; i < n; i++) {
		jobs[i] = (struct job){ .fn = fn, .index = i };
		completion_init(&jobs[i].ended);
		if (thread_create("job", job_main, &jobs[i], &jobs[i].thread))
			return false;
	}
	return true;
}

static void jobs_join(u32 n)
{
	for (u32 i = 0; i < n; i++) {
		completion_wait(&jobs[i].ended);
		thread_put(jobs[i].thread);
	}
}

static void pause_us(u32 us)
{
	sched_sleep_until(time_now() + us * NSEC_PER_USEC);
}

static struct mutex mutex = MUTEX_INIT(mutex, RANK_MODULE);
static struct rwsem rwsem = RWSEM_INIT(rwsem, RANK_MODULE);
static u64 guarded;
static u32 inside; /* a */
static bool broken; /* a */

static void mutex_job(struct job *j)
{
	for (u32 i = 0; i < 800; i++) {
		mutex_lock(&mutex);
		if (__atomic_add_fetch(&inside, 1, __ATOMIC_RELAXED) != 1 || !mutex_is_mine(&mutex))
			broken = true;
		guarded++;
		if (i % 64 == j->index)
			sched_yield();
		if (i % 512 == j->index)
			pause_us(50);
		__atomic_sub_fetch(&inside, 1, __ATOMIC_RELAXED);
		mutex_unlock(&mutex);
	}
}

KTEST(mutex, exclusion)
{
	guarded = 0;
	broken = false;
	KT_ASSERT(jobs_start(THREADS, mutex_job));
	jobs_join(THREADS);
	KT_ASSERT(!broken);
	KT_ASSERT(guarded == THREADS * 800);
	KT_ASSERT(mutex_trylock(&mutex));
	mutex_unlock(&mutex);
}

static void mutex_interrupted_job(struct job *j)
{
	j->result = mutex_lock_interruptible(&mutex);
	if (!j->result)
		mutex_unlock(&mutex);
}

static bool is_asleep(const struct job *j)
{
	return READ_ONCE(j->thread->state) == TS_SLEEPING;
}

KTEST(mutex, interruptible)
{
	mutex_lock(&mutex);
	KT_ASSERT(jobs_start(2, mutex_interrupted_job));
	for (u32 left = KT_LOOKS; left && !(is_asleep(&jobs[0]) && is_asleep(&jobs[1])); left--)
		pause_us(1000);
	__atomic_store_n(&jobs[0].thread->interrupted, true, __ATOMIC_SEQ_CST);
	sched_wake(jobs[0].thread, 1u << TS_SLEEPING);
	completion_wait(&jobs[0].ended);
	KT_ASSERT(jobs[0].result == -EINTR);
	mutex_unlock(&mutex);
	jobs_join(2);
	KT_ASSERT(jobs[1].result == 0);
	KT_ASSERT(mutex_trylock(&mutex));
	mutex_unlock(&mutex);
}

static void rwsem_job(struct job *j)
{
	for (u32 i = 0; i < 1000; i++) {
		if ((i + j->index) % 8 == 0) {
			rwsem_write_lock(&rwsem);
			if (__atomic_add_fetch(&inside, 1000, __ATOMIC_RELAXED) != 1000)
				broken = true;
			guarded++;
			if (i % 64 == 0)
				sched_yield();
			__atomic_sub_fetch(&inside, 1000, __ATOMIC_RELAXED);
			if (i % 3 == 0) {
				rwsem_downgrade(&rwsem);
				rwsem_read_unlock(&rwsem);
			} else {
				rwsem_write_unlock(&rwsem);
			}
			continue;
		}
		rwsem_read_lock(&rwsem);
		if (__atomic_add_fetch(&inside, 1, __ATOMIC_RELAXED) >= 1000)
			broken = true;
		if (i % 100 == j->index)
			sched_yield();
		__atomic_sub_fetch(&inside, 1, __ATOMIC_RELAXED);
		rwsem_read_unlock(&rwsem);
	}
}

KTEST(rwsem, exclusion)
{
	guarded = 0;
	broken = false;
	KT_ASSERT(jobs_start(THREADS, rwsem_job));
	jobs_join(THREADS);
	KT_ASSERT(!broken && inside == 0);
	KT_ASSERT(guarded == THREADS * 125);
	KT_ASSERT(rwsem_read_trylock(&rwsem));
	rwsem_read_unlock(&rwsem);
}

static void rwsem_writer_job(struct job *j)
{
	j->result = rwsem_write_lock_killable(&rwsem);
	if (!j->result)
		rwsem_write_unlock(&rwsem);
}

/* A writer waits: no new reader gets in. */
static bool readers_shut_out(void)
{
	if (!rwsem_read_trylock(&rwsem))
		return true;
	rwsem_read_unlock(&rwsem);
	return false;
}

/* A waiting writer keeps new readers out; when it is killed they get in. */
KTEST(rwsem, killable_writer)
{
	rwsem_read_lock(&rwsem);
	KT_ASSERT(jobs_start(2, rwsem_writer_job));
	for (u32 left = KT_LOOKS; left && !readers_shut_out(); left--)
		pause_us(1000);
	KT_ASSERT(readers_shut_out());
	for (u32 i = 0; i < 2; i++) {
		__atomic_store_n(&jobs[i].thread->killed, true, __ATOMIC_SEQ_CST);
		sched_wake(jobs[i].thread, WAKE_NORMAL);
		completion_wait(&jobs[i].ended);
		KT_ASSERT(jobs[i].result == -EINTR);
	}
	jobs_join(2);
	KT_ASSERT(rwsem_read_trylock(&rwsem));
	rwsem_read_unlock(&rwsem);
	rwsem_read_unlock(&rwsem);
}

static struct waitq queue = WAITQ_INIT(queue);
static u32 tokens; /* a */

static bool token_take(void)
{
	u32 v = __atomic_load_n(&tokens, __ATOMIC_RELAXED);

	while (v)
		if (__atomic_compare_exchange_n(&tokens, &v, v - 1, false, __ATOMIC_ACQ_REL,
						__ATOMIC_RELAXED))
			return true;
	return false;
}

static void token_job(struct job *j)
{
	while (wait_event_exclusive(&queue, token_take()) == 0)
		j->count++;
	j->result = -EINTR;
}

KTEST(waitq, exclusive)
{
	u64 total = 0;

	KT_ASSERT(jobs_start(THREADS, token_job));
	for (u32 i = 0; i < 1000; i++) {
		__atomic_fetch_add(&tokens, 1, __ATOMIC_RELEASE);
		waitq_wake_one(&queue);
		if (i % 50 == 0)
			sched_yield();
	}
	while (READ_ONCE(tokens))
		pause_us(100);
	for (u32 i = 0; i < THREADS; i++) {
		__atomic_store_n(&jobs[i].thread->interrupted, true, __ATOMIC_SEQ_CST);
		sched_wake(jobs[i].thread, 1u << TS_SLEEPING);
	}
	jobs_join(THREADS);
	for (u32 i = 0; i < THREADS; i++)
		total += jobs[i].count;
	KT_ASSERT(total == 1000);
	KT_ASSERT(!waitq_active(&queue));
}

KTEST(waitq, timeout)
{
	s64 until = time_now() + 3 * NSEC_PER_MSEC;

	KT_ASSERT(wait_event_timeout(&queue, false, until) == -ETIMEDOUT);
	KT_ASSERT(time_now() >= until);
	KT_ASSERT(wait_event_timeout(&queue, true, until) == 0);
	KT_ASSERT(wait_event_interruptible_timeout(&queue, false, time_now()) == -ETIMEDOUT);
	KT_ASSERT(!waitq_active(&queue));
}

static void complete_main(void *arg)
{
	completion_done(arg);
}

/* The completion is on this stack and is gone at once. */
KTEST(completion, on_stack)
{
	for (u32 i = 0; i < 200; i++) {
		struct completion c;

		completion_init(&c);
		KT_ASSERT(thread_create("complete", complete_main, &c, NULL) == 0);
		completion_wait(&c);
	}
}

struct counted {
	struct work work;
	u32 runs; /* a */
	u32 again;
};

static struct counted items[20];

static void count_work(struct work *w)
{
	struct counted *c = container_of(w, struct counted, work);

	__atomic_fetch_add(&c->runs, 1, __ATOMIC_RELAXED);
	if (c->again && c->again--)
		work_queue(w);
}

KTEST(work, queue_and_flush)
{
	for (u32 i = 0; i < 20; i++) {
		work_init(&items[i].work, count_work);
		items[i].runs = 0;
		items[i].again = i;
		KT_ASSERT(work_queue(&items[i].work));
	}
	for (u32 i = 0; i < 20; i++) {
		while (READ_ONCE(items[i].runs) < i + 1)
			pause_us(100);
		work_flush(&items[i].work);
		KT_ASSERT(items[i].runs == i + 1);
	}
}

static struct completion later;

static void wait_work(struct work *w)
{
	(void)w;
	completion_wait(&later);
}

static void done_work(struct work *w)
{
	(void)w;
	completion_done(&later);
}

/* Work that waits for work queued behind it: the pool grows. */
KTEST(work, blocked_pool)
{
	completion_init(&later);
	for (u32 i = 0; i < 8; i++) {
		work_init(&items[i].work, i < 7 ? wait_work : done_work);
		KT_ASSERT(work_queue(&items[i].work));
	}
	for (u32 i = 0; i < 8; i++)
		work_flush(&items[i].work);
}

static u32 order[20];
static u32 order_next;

static void order_work(struct work *w)
{
	order[order_next++] = (u32)(container_of(w, struct counted, work) - items);
	sched_yield();
}

KTEST(work, ordered)
{
	static struct workqueue *q;

	if (!q)
		q = workqueue_create("ktest");
	KT_ASSERT(q);
	order_next = 0;
	for (u32 i = 0; i < 20; i++) {
		work_init(&items[i].work, order_work);
		KT_ASSERT(work_queue_on(q, &items[i].work));
	}
	work_flush(&items[19].work);
	for (u32 i = 0; i < 20; i++)
		KT_ASSERT(order[i] == i);
}

/* Allocators from several threads at once; everything comes back. */
static void churn_job(struct job *j)
{
	void *p[32] = { NULL };

	for (u32 i = 0; i < 3000; i++) {
		u32 s = (i * 13 + j->index * 7) % 32;

		if (p[s])
			kfree(p[s]);
		p[s] = kmalloc(16 + (i * 37 + j->index) % 3000, 0);
		if (!p[s])
			j->result = -ENOMEM;
		else
			*(u32 *)p[s] = i;
		if (i % 100 == 0) {
			struct page *pg = pmm_alloc(i % 3, 0);

			if (pg)
				pmm_free(pg, i % 3);
		}
	}
	for (u32 s = 0; s < 32; s++)
		kfree(p[s]);
}

KTEST(slab, threads)
{
	KT_ASSERT(jobs_start(THREADS, churn_job));
	jobs_join(THREADS);
	for (u32 i = 0; i < THREADS; i++)
		KT_ASSERT(jobs[i].result == 0);
}
