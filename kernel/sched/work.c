/*
 * Work queues: a list of work and threads that run it.
 *
 * An ordered queue has one thread. The system queue has a pool that grows: a worker that takes work
 * while no other is idle first starts another one, so there is always a thread for work that comes
 * while all the others block (up to WORKERS_MAX). More than two idle workers are too many; the
 * surplus ends.
 *
 * A work item is off the list before its function runs, which may queue or free it: the worker does
 * not touch it after the call. work_flush() compares against the items being run, by address.
 *
 * Locking: workqueue.lock (rank WORK, interrupts off) guards the list, the items on it and the
 * workers.
 */
#include "kernel/base/panic.h"
#include "kernel/lib/string.h"
#include "kernel/sched/waitq.h"
#include "kernel/sched/work.h"
#include "mm/slab.h"

#define WORKERS_MAX 16
#define IDLE_MAX 2

/* W guarded by .lock (WORK), I immutable */
struct workqueue {
	struct spinlock lock;
	struct list items; /* W: struct work.link */
	struct list workers; /* W: struct worker.link */
	u32 nworkers; /* W */
	u32 idle; /* W: waiting for work */
	u32 starting; /* W: thread_create under way */
	u32 max; /* I */
	char name[16]; /* I */
	struct waitq more; /* own: workers */
	struct waitq done; /* own: flushers */
};

struct worker {
	struct list link; /* W */
	struct workqueue *q; /* I */
	struct work *running; /* W */
};

static struct workqueue *system_queue; /* I */

static void worker_main(void *arg);

/* Start a worker; the slot was counted in ->starting. */
static bool worker_start(struct workqueue *q)
{
	struct worker *w = kzalloc(sizeof(*w), 0);
	bool ok = false;
	u64 irq;

	if (w) {
		w->q = q;
		ok = thread_create(q->name, worker_main, w, NULL) == 0;
	}
	if (!ok) {
		kfree(w);
		irq = spin_lock_irqsave(&q->lock);
		q->starting--;
		spin_unlock_irqrestore(&q->lock, irq);
	}
	return ok;
}

static bool has_work(struct workqueue *q)
{
	return READ_ONCE(q->items.next) != &q->items;
}

/* The next item, or NULL: this worker is one too many and must end. */
static struct work *work_take(struct workqueue *q, struct worker *me, bool *spare)
{
	struct work *w = NULL;
	u64 irq = spin_lock_irqsave(&q->lock);

	while (list_empty(&q->items)) {
		if (q->idle >= IDLE_MAX) {
			list_del(&me->link);
			q->nworkers--;
			goto out;
		}
		q->idle++;
		spin_unlock_irqrestore(&q->lock, irq);
		(void)WAIT_EVENT(&q->more, has_work(q), TS_SLEEPING, TIME_NEVER, true);
		irq = spin_lock_irqsave(&q->lock);
		q->idle--;
	}
	w = list_first(&q->items, struct work, link);
	list_del(&w->link);
	w->queued = false;
	me->running = w;
	*spare = !q->idle && !q->starting && q->nworkers < q->max;
	if (*spare)
		q->starting++;
out:
	spin_unlock_irqrestore(&q->lock, irq);
	return w;
}

static void worker_main(void *arg)
{
	struct worker *me = arg;
	struct workqueue *q = me->q;
	struct work *w;
	bool spare;
	u64 irq = spin_lock_irqsave(&q->lock);

	list_add_tail(&q->workers, &me->link);
	q->nworkers++;
	q->starting--;
	spin_unlock_irqrestore(&q->lock, irq);

	while ((w = work_take(q, me, &spare)) != NULL) {
		if (spare)
			(void)worker_start(q);
		w->fn(w);
		irq = spin_lock_irqsave(&q->lock);
		me->running = NULL;
		spin_unlock_irqrestore(&q->lock, irq);
		waitq_wake_all(&q->done);
	}
	kfree(me);
}

static struct workqueue *queue_create(const char *name, u32 max)
{
	struct workqueue *q = kzalloc(sizeof(*q), 0);

	if (!q)
		return NULL;
	spin_init(&q->lock, RANK_WORK);
	list_init(&q->items);
	list_init(&q->workers);
	waitq_init(&q->more);
	waitq_init(&q->done);
	q->max = max;
	q->starting = 1;
	strlcpy(q->name, name, sizeof(q->name));
	if (!worker_start(q)) {
		kfree(q);
		return NULL;
	}
	return q;
}

/*
 * Start the system queue.
 * ctx: boot thread; sleeps
 */
void work_init_all(void)
{
	system_queue = queue_create("worker", WORKERS_MAX);
	if (!system_queue)
		panic_plain("out of memory at boot");
}

/*
 * A queue whose items run one after the other, in the order they were queued. It is never
 * destroyed.
 * ctx: thread; sleeps. NULL: out of memory.
 */
struct workqueue *workqueue_create(const char *name)
{
	return queue_create(name, 1);
}

/* Prepare @w to run @fn. ctx: any */
void work_init(struct work *w, void (*fn)(struct work *w))
{
	list_init(&w->link);
	w->fn = fn;
	w->queued = false;
	w->q = NULL;
}

/*
 * Queue @w on @q. False: it is queued there already. An item is used with one queue only.
 * ctx: any
 */
bool work_queue_on(struct workqueue *q, struct work *w)
{
	u64 irq = spin_lock_irqsave(&q->lock);
	bool fresh = !w->queued;

	if (fresh) {
		w->queued = true;
		WRITE_ONCE(w->q, q);
		list_add_tail(&q->items, &w->link);
	}
	spin_unlock_irqrestore(&q->lock, irq);
	if (fresh)
		waitq_wake_one(&q->more);
	return fresh;
}

/* Queue @w on the system queue; see work_queue_on. ctx: any */
bool work_queue(struct work *w)
{
	return work_queue_on(system_queue, w);
}

static bool is_done(struct workqueue *q, struct work *w)
{
	u64 irq = spin_lock_irqsave(&q->lock);
	bool busy = w->queued;
	struct worker *k;

	list_for_each(k, &q->workers, link)
		if (k->running == w)
			busy = true;
	spin_unlock_irqrestore(&q->lock, irq);
	return !busy;
}

/*
 * Wait until @w neither is queued nor runs.
 * ctx: thread, not from @w's own function; sleeps
 */
void work_flush(struct work *w)
{
	struct workqueue *q = READ_ONCE(w->q);

	if (q)
		wait_event(&q->done, is_done(q, w));
}
