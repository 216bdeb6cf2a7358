#pragma once
/*
 * Writing dirty pages back: by range for who wants it on the device now, and by a thread of its own
 * by age and by amount.
 */
#include "mm/vm/pagecache.h"

enum writeback_mode {
	WRITEBACK_START, /* begin; pages that are being written already are left alone */
	WRITEBACK_WAIT, /* what is dirty now is written when this returns */
};

/*
 * Write the dirty pages [@first, @last] of @pc. 0, or an error of one of those waited for.
 * ctx: thread; holds: no page lock; sleeps
 */
int writeback_range(struct pagecache *pc, u64 first, u64 last, enum writeback_mode mode);
/* Wait for pages of the range that are being written. */
void writeback_wait(struct pagecache *pc, u64 first, u64 last);
/*
 * Off the list of dirty caches, with its pin, whatever is dirty: the contents will not matter, as
 * those of a file without a name that nobody writes to any more. And on it again, if anything is
 * dirty: somebody does. ctx: thread; sleeps: unlist
 */
void writeback_unlist(struct pagecache *pc);
void writeback_relist(struct pagecache *pc);
/*
 * Sleep while there are too many dirty pages; user threads only: kernel threads may be what writes
 * them. ctx: thread; sleeps; holds nothing that a pagecache_ops.write needs
 */
void writeback_throttle(void);
/* So much is dirty that it is to be written now. ctx: any */
bool writeback_is_due(void);
int __must_check writeback_init(void); /* before the first device; again: no-op */
u64 writeback_dirty_frames(void);
u64 writeback_busy_frames(void);

/*
 * Settings (proc(5)): percent of the memory that could be the cache's, and hundredths of seconds.
 */
extern int writeback_ratio, writeback_background_ratio;
extern int writeback_expire_cs;
