/*
 * The page cache of block devices: each device has an inode of its own, in a file system that
 * nobody mounts, whose cache holds the device's sectors. All device nodes with its number lead
 * there: an open file of a block device has that inode as its inode, so reading, writing, mapping
 * and seeking are those of any file with a cache; only names and permissions are the node's.
 *
 * Filling a page is one bio. Writing back and reading ahead are as many pages per bio as the device
 * takes, sent off together; each page ends by itself when its bio does. The last page of a device
 * whose size is no multiple of the page size is shorter on the device; the rest of it is zeroes.
 *
 * File systems use the same cache for their metadata.
 */
#include <linux/errno.h>
#include "block/block.h"
#include "kernel/base/panic.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "mm/vm/writeback.h"

struct blkdev_node {
	struct inode inode;
	struct pagecache cache;
	struct blkdev *bdev; /* I */
};

static struct super *bdev_super; /* I: made with the first device */

static struct blkdev *bdev_of(const struct pagecache *pc)
{
	return ((struct blkdev_node *)pc->owner)->bdev;
}

/* Bytes of page @index that the device has. */
static u32 page_bytes(const struct pagecache *pc, u64 index)
{
	u64 size = READ_ONCE(pc->size), at = index << PAGE_SHIFT;

	return at >= size ? 0 : (u32)MIN(size - at, (u64)PAGE_SIZE);
}

static int node_fill(struct pagecache *pc, struct page *p)
{
	u32 n = page_bytes(pc, p->index);
	struct bio *b;
	int err;

	if (n < PAGE_SIZE)
		page_zero(page_to_va(p));
	if (!n)
		return 0;
	b = bio_alloc(bdev_of(pc), BIO_READ, p->index << (PAGE_SHIFT - SECTOR_SHIFT), 1, 0);
	if (!b)
		return -ENOMEM;
	err = bio_add(b, p, 0, n) ? bio_submit_wait(b) : -EIO;
	bio_free(b);
	return err;
}

static void read_ended(struct bio *b)
{
	for (u32 i = 0; i < b->nsegs; i++)
		pagecache_read_done(b->segs[i].page, b->status);
	bio_free(b);
}

static void write_ended(struct bio *b)
{
	for (u32 i = 0; i < b->nsegs; i++)
		pagecache_write_done(b->segs[i].page, b->status);
	bio_free(b);
}

static void page_ended(bool write, struct page *p, int status)
{
	if (write)
		pagecache_write_done(p, status);
	else
		pagecache_read_done(p, status);
}

/* One bio with as many of the pages as it takes; how many they were. */
static u32 one_bio(struct pagecache *pc, struct page **pages, u32 n, bool write,
		   struct bio_plug *plug)
{
	u64 sector = pages[0]->index << (PAGE_SHIFT - SECTOR_SHIFT);
	struct bio *b = bio_alloc(bdev_of(pc), write ? BIO_WRITE : BIO_READ, sector, n, 0);
	u32 i;

	if (!b) {
		page_ended(write, pages[0], -ENOMEM);
		return 1;
	}
	for (i = 0; i < n; i++) {
		u32 bytes = page_bytes(pc, pages[i]->index);

		if (!bytes || !bio_add(b, pages[i], 0, bytes))
			break;
	}
	if (!i) {
		/* The device became smaller meanwhile. */
		bio_free(b);
		page_ended(write, pages[0], -EIO);
		return 1;
	}
	b->done = write ? write_ended : read_ended;
	bio_plug_add(plug, b);
	return i;
}

static void all_bios(struct pagecache *pc, struct page **pages, u32 n, bool write)
{
	struct bio_plug plug;

	bio_plug_init(&plug);
	for (u32 i = 0; i < n;)
		i += one_bio(pc, pages + i, n - i, write, &plug);
	bio_plug_submit(&plug);
}

static void node_read_ahead(struct pagecache *pc, struct page **pages, u32 n)
{
	all_bios(pc, pages, n, false);
}

static void node_write(struct pagecache *pc, struct page **pages, u32 n)
{
	all_bios(pc, pages, n, true);
}

static const struct pagecache_ops node_cache_ops = {
	.fill = node_fill,
	.read_ahead = node_read_ahead,
	.write = node_write,
};

/* The cache is the device (RAM disks). */
static const struct pagecache_ops memory_cache_ops = { .fill = NULL };

static const struct super_ops bdev_super_ops = { .evict = NULL };
static const struct fs_type bdev_type = { .name = "bdev", .flags = FS_NODEV };

static int super_make(void)
{
	if (bdev_super)
		return 0;
	bdev_super = super_alloc(&bdev_type, 0x62646576, &bdev_super_ops); /* BDEVFS_MAGIC */
	if (!bdev_super)
		return -ENOMEM;
	return vfs_register_super(bdev_super);
}

/* Inode and cache of @b, as long-lived as that. ctx: thread; sleeps. 0 or -ENOMEM */
int blkdev_node_make(struct blkdev *b)
{
	struct blkdev_node *n;
	int err = super_make();

	if (err)
		return err;
	n = kzalloc(sizeof(*n), 0);
	if (!n)
		return -ENOMEM;
	inode_init(&n->inode, bdev_super, b->dev, S_IFBLK | 0600);
	n->inode.uid = n->inode.gid = 0;
	n->inode.rdev = b->dev;
	n->inode.fops = &blkdev_fops;
	if (b->disk->in_memory && !b->partno) {
		pagecache_init(&n->cache, &memory_cache_ops, n);
	} else {
		pagecache_init(&n->cache, &node_cache_ops, n);
		n->cache.ra_pages = RA_PAGES_DEFAULT;
	}
	n->inode.cache = &n->cache;
	n->bdev = b;
	b->node = n;
	return 0;
}

/*
 * The number of sectors changed: what lies beyond leaves the cache.
 * ctx: thread; holds: part_lock; sleeps
 */
void blkdev_node_resize(struct blkdev *b)
{
	struct blkdev_node *n = b->node;

	rwsem_write_lock(&n->inode.lock);
	pagecache_truncate(&n->cache, blkdev_bytes(b));
	WRITE_ONCE(n->inode.size, blkdev_bytes(b));
	rwsem_write_unlock(&n->inode.lock);
}

/* ctx: any */
struct inode *blkdev_inode(struct blkdev *b)
{
	return &b->node->inode;
}

/* ctx: any */
struct pagecache *blkdev_cache(struct blkdev *b)
{
	return &b->node->cache;
}

/* Write what is dirty and flush. ctx: thread; sleeps. 0 or -errno */
int blkdev_sync(struct blkdev *b)
{
	int err = writeback_range(&b->node->cache, 0, ~0ull, WRITEBACK_WAIT), err2;

	err2 = blkdev_flush(b);
	return err ? err : err2;
}

/* Every device; errors are remembered by the caches. ctx: thread; sleeps */
void blkdev_sync_all(void)
{
	struct blkdev *b = NULL;

	while ((b = blkdev_next(b)))
		if (READ_ONCE(b->present) && blkdev_cache(b)->npages)
			(void)blkdev_sync(b);
}

/* See block.h. ctx: thread */
u64 blkdev_cached_frames(void)
{
	struct blkdev *b = NULL;
	u64 n = 0;

	while ((b = blkdev_next(b)))
		n += READ_ONCE(blkdev_cache(b)->npages);
	return n;
}

/* See block.h. ctx: thread; sleeps */
int blkdev_invalidate(struct blkdev *b, u64 start, u64 end)
{
	struct pagecache *pc = &b->node->cache;
	u64 last = (end - 1) >> PAGE_SHIFT;
	int err;

	if (start >= end || !READ_ONCE(pc->npages))
		return 0;
	err = writeback_range(pc, start >> PAGE_SHIFT, last, WRITEBACK_WAIT);
	pagecache_forget(pc, start >> PAGE_SHIFT, last);
	return err;
}
