#pragma once
/* Shared by pagecache.c, pagecache_io.c, readahead.c and writeback.c. */
#include "mm/vm/pagecache.h"

#define TAG_DIRTY 0
/* Was under writeback when it was set: cleared by who waits, so PG_WRITEBACK is what counts. */
#define TAG_WRITEBACK 1

struct waitq;

int __must_check pagecache_add(struct pagecache *pc, u64 index, struct page *p, bool bounded);
struct waitq *page_queue(const struct page *p);
bool __must_check page_trylock(struct page *p);
/* Lock @p when nobody writes it. ctx: thread; sleeps */
void page_wait_writeback(struct page *p);
/* Called with the cache's lock when its first page becomes dirty. */
void writeback_note(struct pagecache *pc);
/* Another @n frames are dirty (or fewer). ctx: any */
void writeback_count(s64 n);
/* Entries of @pc's page @index in all address spaces: no store without a fault from here on. */
void vm_write_protect_object(struct pagecache *pc, u64 index);
/* A read of @index found nothing, or a page with PG_READAHEAD. */
void readahead_miss(struct pagecache *pc, u64 index, u64 want, u32 order);
void readahead_hit(struct pagecache *pc, struct page *p, u32 order);
/* reclaim.c */
void reclaim_setup(void);
void reclaim_add(struct pagecache *pc);
void reclaim_remove(struct pagecache *pc);
/*
 * Take some clean pages from *@at on that nobody uses, and with @all those that were used lately;
 * *@at is where to go on, 0 at the end. How many.
 */
u64 pagecache_take_clean(struct pagecache *pc, u64 *at, bool all);
