#pragma once
/*
 * The page cache of one object (an inode, a block device, a shared anonymous object): pages by
 * index in a radix tree, each once in memory, read, written, mapped and sent from there.
 *
 * Life of a page: absent -> inserted locked and not up to date -> filled by ops->fill (or zeroed)
 * -> up to date -> dirty <-> writeback -> removed by truncate or reclaim. The cache holds one
 * reference, every mapping and user one more.
 *
 * I immutable, a atomic, c guarded by .lock (rank PAGECACHE).
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
	 * Write @p (locked, PG_WRITEBACK set by the caller) out. NULL op: pages are never written
	 * back nor reclaimed.
	 */
	int (*write)(struct pagecache *pc, struct page *p);
	/*
	 * A shared mapping is about to be written, or write(2) to dirty @index: allocate blocks.
	 * NULL: nothing to do.
	 */
	int (*make_writable)(struct pagecache *pc, u64 index);
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
	u32 error; /* a: last writeback error, and its sequence */
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
 * As pagecache_get for page faults: -EIO when the page lies wholly beyond .size. *@major is set
 * when it had to be read.
 */
int __must_check pagecache_get_mapped(struct pagecache *pc, u64 index, struct page **out,
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
void page_lock(struct page *p); /* sleeps */
void page_unlock(struct page *p);

/*
 * Cut to @size bytes, or punch [start, end): unmaps from all address spaces, removes pages, zeroes
 * partial ends. The caller holds the inode's lock exclusively.
 */
void pagecache_truncate(struct pagecache *pc, u64 size);
void pagecache_punch(struct pagecache *pc, u64 start, u64 end);
/* Next index >= @from that has a page (SEEK_DATA), or ~0. And the first without (SEEK_HOLE). */
u64 pagecache_next_data(struct pagecache *pc, u64 from);
u64 pagecache_next_hole(struct pagecache *pc, u64 from);
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
