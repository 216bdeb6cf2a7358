/*
 * Reading ahead: who reads a file in order finds the pages there before he asks.
 *
 * A miss at the index where the last reader would have gone on, or at the beginning, is a reader in
 * order: a window of pages from there on is read at once, twice as long as the last, up to the
 * cache's limit (ra_pages). The first page of its second half carries PG_READAHEAD: when a reader
 * comes to it, the next window is begun, so that its pages arrive while he works through the rest.
 * A miss elsewhere reads what was asked for and makes the window small again; one at a fixed
 * distance from the last two (a stride) costs exactly what it asks for.
 *
 * Who says in which order he reads (posix_fadvise, madvise) is believed: in order, the limit is
 * twice as far; at random, what is asked for is read and nothing else, and nothing is learnt from
 * it.
 *
 * Pages are inserted locked, given to ops->read_ahead together, and unlocked by the device's end;
 * a page that could not be read stays without PG_UPTODATE for the reader who needs it to try again.
 * Nothing here is an error: with no memory, less is read ahead.
 */
#include <linux/errno.h>
#include "kernel/base/uio.h"
#include "kernel/sched/waitq.h"
#include "mm/vm/pagecache_internal.h"

#define WINDOW_FIRST 4u
#define GANG 32u

/* End of reading one page ahead; its reference goes. ctx: any */
void pagecache_read_done(struct page *p, int err)
{
	page_flag_set(p, err ? PG_ERROR : PG_UPTODATE);
	page_unlock(p);
	page_put(p);
}

/* The absent pages from *@index on, up to @max in a row, inserted and locked. How many. */
static u32 insert_some(struct pagecache *pc, u64 *index, u64 end, struct page **pages, u32 max)
{
	u32 n = 0;

	while (*index < end && n < max) {
		struct page *p = pmm_alloc(0, PMM_USER | PMM_NOWAIT);

		if (!p) {
			*index = end;
			break;
		}
		page_flag_set(p, PG_LOCKED);
		page_get(p);
		if (pagecache_add(pc, *index, p, true)) {
			page_put(p);
			page_put(p);
			if (n)
				break; /* the row ends here */
			(*index)++;
			continue;
		}
		pages[n++] = p;
		(*index)++;
	}
	return n;
}

/* See pagecache.h. ctx: thread; sleeps: for room in the device's queue */
void pagecache_prefetch(struct pagecache *pc, u64 index, u32 n)
{
	u64 end = MIN(index + n, DIV_ROUND_UP(READ_ONCE(pc->size), PAGE_SIZE));
	struct page *pages[GANG];

	if (!pc->ops->read_ahead)
		return;
	while (index < end) {
		u32 got = insert_some(pc, &index, end, pages, GANG);

		if (got)
			pc->ops->read_ahead(pc, pages, got);
	}
}

/* Read [@from, @from + @n) and mark where the next window is to be begun. */
static void window(struct pagecache *pc, u64 from, u32 n, u64 mark)
{
	struct page *p;

	pagecache_prefetch(pc, from, n);
	spin_lock(&pc->lock);
	p = radix_lookup(&pc->pages, mark);
	if (p)
		page_flag_set(p, PG_READAHEAD);
	spin_unlock(&pc->lock);
}

static u32 furthest(const struct pagecache *pc, u32 order)
{
	return READ_ONCE(pc->ra_pages) << (order == READ_IN_ORDER);
}

/* The next window: twice the last, at least @want. holds: pc->lock */
static u32 window_size(const struct pagecache *pc, u32 want, u32 max)
{
	u32 n = MAX(pc->ra_window * 2, WINDOW_FIRST);

	n = MAX(n, want);
	return MIN(n, max);
}

/*
 * A reader found no page @index, and wants @want from there on; @order: READ_*. ctx: thread; sleeps
 */
void readahead_miss(struct pagecache *pc, u64 index, u64 want, u32 order)
{
	u32 max = furthest(pc, order), n = (u32)MIN(want + !want, (u64)max);
	bool in_order;

	if (order == READ_RANDOM) {
		pagecache_prefetch(pc, index, n);
		return;
	}
	spin_lock(&pc->lock);
	in_order = index == pc->ra_next || !index;
	if (in_order)
		n = window_size(pc, n, max);
	pc->ra_window = in_order ? n : 0;
	pc->ra_next = index + n;
	spin_unlock(&pc->lock);
	window(pc, index, n, in_order ? index + n / 2 : ~0ull);
}

/* A reader came to the marked page @p; @order: READ_*. ctx: thread; sleeps */
void readahead_hit(struct pagecache *pc, struct page *p, u32 order)
{
	u32 max = furthest(pc, order), n;
	u64 from;

	if (order == READ_RANDOM || !(page_flag_clear(p, PG_READAHEAD) & PG_READAHEAD))
		return;
	spin_lock(&pc->lock);
	n = window_size(pc, 1, max);
	from = pc->ra_next;
	if (from <= p->index || from > p->index + 2 * (u64)max)
		from = p->index + 1;
	pc->ra_window = n;
	pc->ra_next = from + n;
	spin_unlock(&pc->lock);
	window(pc, from, n, from);
}
