#pragma once
/*
 * The page cache of one object (an inode, a block device, a shared anonymous object): pages by
 * index in a radix tree, each once in memory, read, written, mapped and sent from there.
 *
 * Life of a page: absent -> inserted locked and not up to date -> filled by ops->fill (or zeroed)
 * -> up to date -> dirty <-> writeback -> removed by truncate or reclaim. The cache holds one
 * reference, every mapping and user one more.
 *
 * I immutable, a atomic, c guarded by .lock (rank PAGECACHE), w by the lock of the dirty list.
 */
#include "kernel/base/spinlock.h"
#include "kernel/lib/list.h"
#include "kernel/lib/radix.h"
#include "mm/pmm.h"

struct pagecache;

struct pagecache_ops {
	/*
	 * Fill @p (locked, not up to date) with what page @p->index holds. NULL op: zeroes (tmpfs,
	 * shared memory). 0 or -errno.
	 */
	int (*fill)(struct pagecache *pc, struct page *p);
	/*
	 * Begin to read @n pages, locked, of consecutive indices; each is ended by
	 * pagecache_read_done(). NULL: nothing is read ahead. ctx: thread; sleeps
	 */
	void (*read_ahead)(struct pagecache *pc, struct page **pages, u32 n);
	/*
	 * Begin to write @n pages, PG_WRITEBACK set, of consecutive indices; each is ended by
	 * pagecache_write_done(). NULL: pages are never written back. ctx: thread; sleeps
	 */
	void (*write)(struct pagecache *pc, struct page **pages, u32 n);
	/*
	 * A shared mapping is about to be written, or write(2) to dirty @index: allocate blocks.
	 * NULL: nothing to do.
	 */
	int (*make_writable)(struct pagecache *pc, u64 index);
	/*
	 * Keep the owner alive: the list of dirty caches does. pin is false when it is going away
	 * already. NULL: it never does. ctx: any (pin), thread (unpin); sleeps: unpin
	 */
	bool (*pin)(struct pagecache *pc);
	void (*unpin)(struct pagecache *pc);
};

struct pagecache {
	struct spinlock lock; /* rank PAGECACHE */
	struct radix_tree pages; /* c */
	u64 npages; /* c */
	u64 ndirty; /* c */
	const struct pagecache_ops *ops; /* I */
	void *owner; /* I: the inode (fs knows which type) */
	u64 size; /* a: bytes; pages wholly beyond are out of bounds for faults (SIGBUS) */
	struct spinlock maps_lock; /* rank VM_OBJECT */
	struct list maps; /* maps_lock: struct region.object_link of all regions that map it */
	u32 error; /* a: last error of writing: kernel/lib/errseq.h */
	u32 ra_pages; /* a: how far to read ahead at most; 0: not */
	u64 ra_next; /* c: where a reader in order would go on */
	u32 ra_window; /* c: pages read ahead last */
	bool listed; /* w: on the list of dirty caches, with a pin */
	s64 dirtied; /* w: when it came there */
	struct list dirty_link; /* w */
	struct list reclaim_link; /* reclaim's list lock */
	u64 reclaim_at; /* reclaim's list lock: where its hand is */
};

/*
 * A cache without fill and write lives in memory only (tmpfs, shared memory); one without write and
 * make_writable needs no word about stores through mappings.
 */
static inline bool pagecache_in_memory(const struct pagecache *pc)
{
	return !pc->ops->fill;
}

static inline bool pagecache_tracks_writes(const struct pagecache *pc)
{
	return pc->ops->write || pc->ops->make_writable;
}

void pagecache_setup(void); /* boot: node cache and page wait table; vm_init calls it */
void pagecache_init(struct pagecache *pc, const struct pagecache_ops *ops, void *owner);
/* Drop everything; no mapping may be left. ctx: thread */
void pagecache_fini(struct pagecache *pc);

/* Up-to-date page with a reference, if cached; else NULL. Never sleeps. */
struct page *pagecache_find(struct pagecache *pc, u64 index);
/*
 * Up-to-date page with a reference: filled if need be. 0, -ENOMEM, or the fill's error. ctx:
 * thread; sleeps.
 */
int __must_check pagecache_get(struct pagecache *pc, u64 index, struct page **out);
/*
 * As pagecache_get for page faults of a program that reads in @order (READ_* of uio.h): -EIO when
 * the page lies wholly beyond .size. *@major is set when it had to be read.
 */
int __must_check pagecache_get_mapped(struct pagecache *pc, u64 index, u32 order, struct page **out,
				      bool *major);
/*
 * As pagecache_get, but a page that is absent and has no fill op is not made: -ENOENT (holes read
 * as zeroes).
 */
int __must_check pagecache_get_existing(struct pagecache *pc, u64 index, struct page **out);
/*
 * A page the caller will overwrite in full: absent -> not filled, returned locked and not up to
 * date (*fresh = true); the caller fills it, then pagecache_fresh_done(p, true) (or false: take it
 * out again).
 */
int __must_check pagecache_get_for_overwrite(struct pagecache *pc, u64 index, struct page **out,
					     bool *fresh);
void pagecache_fresh_done(struct pagecache *pc, struct page *p, bool ok);
/*
 * Put a frame with contents in directly (initramfs): consumes the caller's reference. 0, -ENOMEM,
 * -EEXIST.
 */
int __must_check pagecache_insert(struct pagecache *pc, u64 index, struct page *p);
void pagecache_mark_dirty(struct pagecache *pc, struct page *p);
/* Ends of what read_ahead and write began. ctx: any */
void pagecache_read_done(struct page *p, int err);
void pagecache_write_done(struct page *p, int err);
/* Drop the clean pages of [@first, @last] that nobody uses; how many. ctx: thread */
u64 pagecache_forget(struct pagecache *pc, u64 first, u64 last);
/* Read pages from @index on into the cache, @n at most, without waiting. ctx: thread; sleeps */
void pagecache_prefetch(struct pagecache *pc, u64 index, u32 n);
void page_lock(struct page *p); /* sleeps */
void page_unlock(struct page *p);

/*
 * Cut to @size bytes, or punch [start, end): unmaps from all address spaces, removes pages, zeroes
 * partial ends. The caller holds the inode's lock exclusively.
 */
void pagecache_truncate(struct pagecache *pc, u64 size);
void pagecache_punch(struct pagecache *pc, u64 start, u64 end);
/*
 * Take the pages [@first, @last] out of memory and mappings: the store behind has something newer.
 * 0, or -EBUSY: one that is dirty stays. The caller holds the inode's lock exclusively.
 */
int pagecache_invalidate(struct pagecache *pc, u64 first, u64 last);
/* Is a page of it being read or written? To drop it would wait. ctx: thread; sleeps: no */
bool pagecache_is_busy(struct pagecache *pc);
/* Next index >= @from that has a page (SEEK_DATA), or ~0. And the first without (SEEK_HOLE). */
u64 pagecache_next_data(struct pagecache *pc, u64 from);
u64 pagecache_next_hole(struct pagecache *pc, u64 from);
/* Does it hold a frame at @index whose contents were lost? ctx: thread; sleeps: no */
bool pagecache_lost(struct pagecache *pc, u64 index);
/*
 * Make sure that a memory-only cache has a frame at @index: one that is made reads as zeroes, but
 * is not data yet. 0, -ENOMEM. ctx: thread; sleeps
 */
int __must_check pagecache_reserve(struct pagecache *pc, u64 index);
u64 vm_retired_frames(void); /* out of use for failures: poison.c */
u64 pagecache_total_frames(void); /* "Cached" of meminfo */
u64 pagecache_memory_frames(void); /* of them, in memory-only caches: "Shmem" */

/*
 * Generic file read/write over a cache; holes read as zeroes without making pages. Return bytes or
 * -errno.
 */
struct uio;
ssize_t pagecache_read(struct pagecache *pc, struct uio *u, u64 *pos);
/* Extends pc->size. The caller holds the inode lock and did the limit checks. */
ssize_t pagecache_write(struct pagecache *pc, struct uio *u, u64 *pos);
