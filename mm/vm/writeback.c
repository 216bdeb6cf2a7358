/*
 * Writing dirty pages back.
 *
 * A page becomes dirty by write(2) or by the first store through a mapping since it was clean; the
 * tree of its cache is tagged, and a cache with dirty pages is on one list, oldest first, which
 * keeps its owner alive. Writing goes through a cache in the order of its indices, in runs of
 * consecutive pages:
 *
 *   lock, clear PG_DIRTY, set PG_WRITEBACK, write-protect the page in all address spaces, unlock;
 *   then ops->write with the run; the device's end calls pagecache_write_done().
 *
 * PG_DIRTY is cleared first: a store that comes after makes the page dirty again, one that came
 * before is part of what is written, since the device reads the page later. A mapping's store
 * faults again because of the protection; see shared_write_ok() in fault.c for the other half.
 *
 * The thread writes what has been dirty for the time of dirty_expire_centisecs, and as soon as
 * there is more than the background ratio of dirty pages, until there is less. It only begins
 * writes and never waits for their end, so that a device that hangs keeps no other from being
 * written, as long as its own queue has room. Who makes pages dirty waits when there are more than
 * the upper ratio. Nothing dirty, nothing to do: then no timer runs.
 *
 * Locks: page locks one at a time, in ascending order; the list's lock (WRITEBACK) inside the
 * cache's.
 */
#include <linux/errno.h>
#include <arch/barrier.h>
#include <arch/cpu.h>
#include "kernel/base/percpu.h"
#include "kernel/base/time.h"
#include "kernel/lib/errseq.h"
#include "kernel/sched/thread.h"
#include "mm/vm/pagecache_internal.h"
#include "mm/vm/vm_internal.h"
#include "mm/vm/writeback.h"

#define RUN 64u
#define GANG 32u
#define PAUSE_MAX (200 * NSEC_PER_MSEC) /* of who makes pages dirty, at a time */

int writeback_ratio = 20, writeback_background_ratio = 10;
int writeback_expire_cs = 3000;

static struct spinlock list_lock = SPINLOCK_INIT(RANK_WRITEBACK);
static struct list dirty_caches = LIST_INIT(dirty_caches); /* list_lock: oldest first */
static struct waitq flusher_queue = WAITQ_INIT(flusher_queue);
static struct waitq throttle_queue = WAITQ_INIT(throttle_queue);
static bool kicked; /* a: there is something new for the thread */
static PERCPU(s64, dirty_frames);
static u64 busy_frames; /* a: under writeback */

/* ctx: any */
u64 writeback_dirty_frames(void)
{
	s64 n = PERCPU_SUM(dirty_frames);

	return n > 0 ? (u64)n : 0;
}

/* ctx: any */
u64 writeback_busy_frames(void)
{
	return __atomic_load_n(&busy_frames, __ATOMIC_RELAXED);
}

/* See pagecache_internal.h. ctx: any */
void writeback_count(s64 n)
{
	PERCPU_ADD(dirty_frames, n);
}

static void kick(void)
{
	__atomic_store_n(&kicked, true, __ATOMIC_RELEASE);
	waitq_wake_all(&flusher_queue);
}

/* @pc has its first dirty page. holds: pc->lock; ctx: any */
void writeback_note(struct pagecache *pc)
{
	bool first;

	spin_lock(&list_lock);
	if (pc->listed || (pc->ops->pin && !pc->ops->pin(pc))) {
		spin_unlock(&list_lock);
		return;
	}
	first = list_empty(&dirty_caches);
	pc->listed = true;
	pc->dirtied = time_now();
	list_add_tail(&dirty_caches, &pc->dirty_link);
	spin_unlock(&list_lock);
	if (first)
		kick();
}

/* Off the list, if it has no dirty page: the list's pin is dropped. ctx: thread; sleeps */
static void settle(struct pagecache *pc)
{
	bool unpin = false;

	if (!READ_ONCE(pc->listed))
		return;
	spin_lock(&pc->lock);
	spin_lock(&list_lock);
	if (pc->listed && !pc->ndirty) {
		pc->listed = false;
		list_del(&pc->dirty_link);
		unpin = true;
	}
	spin_unlock(&list_lock);
	spin_unlock(&pc->lock);
	if (unpin && pc->ops->unpin)
		pc->ops->unpin(pc);
}

/* See writeback.h. ctx: thread; sleeps: no */
void writeback_relist(struct pagecache *pc)
{
	spin_lock(&pc->lock);
	if (pc->ndirty)
		writeback_note(pc);
	spin_unlock(&pc->lock);
}

/* See writeback.h. ctx: thread; sleeps */
void writeback_unlist(struct pagecache *pc)
{
	bool was;

	spin_lock(&list_lock);
	was = pc->listed;
	pc->listed = false;
	if (was)
		list_del(&pc->dirty_link);
	spin_unlock(&list_lock);
	if (was && pc->ops->unpin)
		pc->ops->unpin(pc);
}

/* --- one range --- */

struct run {
	struct pagecache *pc;
	struct page *pages[RUN];
	u32 n;
};

static void run_submit(struct run *r)
{
	if (r->n)
		r->pc->ops->write(r->pc, r->pages, r->n);
	r->n = 0;
}

/* From dirty to being written, in the tree too. False: it is not dirty, or gone. */
static bool page_begin(struct pagecache *pc, struct page *p)
{
	bool dirty = false;

	spin_lock(&pc->lock);
	if (p->cache == pc && page_flag(p, PG_DIRTY)) {
		dirty = true;
		page_flag_set(p, PG_WRITEBACK);
		page_flag_clear(p, PG_DIRTY);
		radix_tag_clear(&pc->pages, p->index, TAG_DIRTY);
		radix_tag_set(&pc->pages, p->index, TAG_WRITEBACK);
		pc->ndirty--;
	}
	spin_unlock(&pc->lock);
	if (!dirty)
		return false;
	writeback_count(-1);
	__atomic_add_fetch(&busy_frames, 1, __ATOMIC_RELAXED);
	if (!list_empty(&pc->maps))
		vm_write_protect_object(pc, p->index);
	return true;
}

/* Put @p (with a reference) into the run, or leave it. */
static void run_page(struct run *r, struct page *p, enum writeback_mode mode)
{
	page_lock(p);
	if (page_flag(p, PG_WRITEBACK)) {
		if (mode == WRITEBACK_START)
			goto leave;
		/* It may be in this very run. */
		run_submit(r);
		page_wait_writeback(p);
	}
	if (!page_begin(r->pc, p))
		goto leave;
	if (r->n == RUN || (r->n && r->pages[r->n - 1]->index + 1 != p->index))
		run_submit(r);
	r->pages[r->n++] = p;
	page_unlock(p);
	return;
leave:
	page_unlock(p);
	page_put(p);
}

static u32 gang(struct pagecache *pc, u64 first, u64 last, u32 tag, void **pages, u64 *keys)
{
	u32 n;

	spin_lock(&pc->lock);
	n = radix_gang_tagged(&pc->pages, first, last, tag, pages, keys, GANG);
	for (u32 i = 0; i < n; i++)
		page_get(pages[i]);
	spin_unlock(&pc->lock);
	return n;
}

static void write_range(struct pagecache *pc, u64 first, u64 last, enum writeback_mode mode)
{
	struct run r = { .pc = pc };
	void *pages[GANG];
	u64 keys[GANG];
	u32 n;

	while (first <= last && (n = gang(pc, first, last, TAG_DIRTY, pages, keys))) {
		for (u32 i = 0; i < n; i++)
			run_page(&r, pages[i], mode);
		if (keys[n - 1] == ~0ull)
			break;
		first = keys[n - 1] + 1;
	}
	run_submit(&r);
}

/* Sleep until @p is not being written. ctx: thread; sleeps */
void page_wait_writeback(struct page *p)
{
	if (page_flag(p, PG_WRITEBACK))
		wait_event(page_queue(p), !page_flag(p, PG_WRITEBACK));
}

static void tag_drop(struct pagecache *pc, struct page *p, u64 index)
{
	spin_lock(&pc->lock);
	if (p->cache == pc && p->index == index && !page_flag(p, PG_WRITEBACK))
		radix_tag_clear(&pc->pages, index, TAG_WRITEBACK);
	spin_unlock(&pc->lock);
}

/* See writeback.h. ctx: thread; sleeps */
void writeback_wait(struct pagecache *pc, u64 first, u64 last)
{
	void *pages[GANG];
	u64 keys[GANG];
	u32 n;

	while (first <= last && (n = gang(pc, first, last, TAG_WRITEBACK, pages, keys))) {
		for (u32 i = 0; i < n; i++) {
			page_wait_writeback(pages[i]);
			tag_drop(pc, pages[i], keys[i]);
			page_put(pages[i]);
		}
		if (keys[n - 1] == ~0ull)
			break;
		first = keys[n - 1] + 1;
	}
}

/*
 * See writeback.h. The error is the one remembered last when this made it; who reports errors to a
 * descriptor looks at pc->error. ctx: thread; sleeps
 */
int writeback_range(struct pagecache *pc, u64 first, u64 last, enum writeback_mode mode)
{
	u32 before = READ_ONCE(pc->error), after;

	if (!pc->ops->write)
		return 0;
	write_range(pc, first, last, mode);
	if (mode == WRITEBACK_WAIT)
		writeback_wait(pc, first, last);
	settle(pc);
	after = READ_ONCE(pc->error);
	return (before ^ after) & ~ERRSEQ_SEEN ? -(int)(after & ERRSEQ_ERRNO) : 0;
}

/* A write of @p ended: its reference goes. ctx: any */
void pagecache_write_done(struct page *p, int err)
{
	if (err)
		errseq_set(&p->cache->error, err);
	__atomic_sub_fetch(&busy_frames, 1, __ATOMIC_RELAXED);
	page_flag_clear(p, PG_WRITEBACK);
	waitq_wake_all(page_queue(p));
	if (waitq_active(&throttle_queue))
		waitq_wake_all(&throttle_queue);
	page_put(p);
}

/* --- amounts --- */

/* @percent of what could be cached files. */
static u64 limit(int percent)
{
	u64 avail = pmm_free_frames() + pagecache_total_frames() - pagecache_memory_frames();

	return avail / 100 * (u64)percent;
}

static bool too_many(void)
{
	return writeback_dirty_frames() + writeback_busy_frames() >
	       limit(READ_ONCE(writeback_ratio));
}

/* For who waits: not too many any more? If there are, the thread goes on. */
static bool few_enough(void)
{
	if (!too_many())
		return true;
	kick();
	return false;
}

/* See writeback.h. ctx: any */
bool writeback_is_due(void)
{
	return writeback_dirty_frames() > limit(READ_ONCE(writeback_background_ratio));
}

/*
 * See writeback.h. Who waits may hold the lock of a file that a loop device has to write to before
 * there is less: so the wait ends after a while in any case, and the next one comes with the next
 * pages. ctx: thread; sleeps
 */
void writeback_throttle(void)
{
	if (!current->user || !writeback_is_due())
		return;
	kick();
	if (too_many())
		(void)wait_event_interruptible_timeout(&throttle_queue, few_enough(),
						       time_now() + PAUSE_MAX);
}

/* --- the thread --- */

/* When the oldest cache is due; TIME_NEVER when there is none. */
static s64 next_due(void)
{
	s64 due = TIME_NEVER;

	spin_lock(&list_lock);
	if (!list_empty(&dirty_caches))
		due = list_first(&dirty_caches, struct pagecache, dirty_link)->dirtied +
		      READ_ONCE(writeback_expire_cs) * (NSEC_PER_SEC / 100);
	spin_unlock(&list_lock);
	return due;
}

/* The oldest cache, to the end of the list and with a pin of the caller's; NULL: none. */
static struct pagecache *take_oldest(void)
{
	struct pagecache *pc = NULL;

	spin_lock(&list_lock);
	if (!list_empty(&dirty_caches)) {
		pc = list_first(&dirty_caches, struct pagecache, dirty_link);
		list_del(&pc->dirty_link);
		list_add_tail(&dirty_caches, &pc->dirty_link);
		pc->dirtied = time_now();
		if (pc->ops->pin && !pc->ops->pin(pc))
			pc = NULL;
	}
	spin_unlock(&list_lock);
	return pc;
}

static void flush_some(void)
{
	s64 now = time_now();

	while (next_due() <= now || writeback_is_due()) {
		u64 before = writeback_dirty_frames();
		struct pagecache *pc = take_oldest();

		if (!pc)
			return;
		(void)writeback_range(pc, 0, ~0ull, WRITEBACK_START);
		if (pc->ops->unpin)
			pc->ops->unpin(pc);
		waitq_wake_all(&throttle_queue);
		if (writeback_dirty_frames() >= before && next_due() > now)
			return; /* what is left is being written; its ends wake who waits */
	}
}

static void flusher(void *arg)
{
	for (;;) {
		s64 until = next_due();

		(void)wait_event_timeout(&flusher_queue,
					 __atomic_exchange_n(&kicked, false, __ATOMIC_ACQ_REL),
					 until);
		flush_some();
	}
}

/*
 * The thread; called when the first thing appears that can be written to, by one at a time.
 * ctx: thread; sleeps. 0, -ENOMEM
 */
int writeback_init(void)
{
	static bool started; /* a */
	int err;

	if (__atomic_exchange_n(&started, true, __ATOMIC_ACQ_REL))
		return 0;
	err = thread_create("writeback", flusher, NULL, NULL);
	if (err)
		__atomic_store_n(&started, false, __ATOMIC_RELEASE);
	return err;
}
