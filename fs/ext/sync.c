/*
 * Syncing.
 *
 * fsync writes the file's pages, and of the metadata what leads to them: the inode, the blocks of
 * numbers that were changed for it, and, while a name of it is new, the directory that has it, with
 * what leads to that. Which blocks of metadata an inode changed is remembered as the range of their
 * numbers; dirty blocks of others that lie within are written too. Then the device is told to keep
 * it all. What is synced so is whole after a power cut, as e2fsck finds it, which makes bitmaps and
 * counts anew.
 *
 * That is true only as long as nothing on the disk leads to the same blocks. What was freed since
 * all metadata was last written may still have its old owner there, and be part of this file here:
 * then fsync writes all of it. So it does when a directory with a new name has left memory, and for
 * a file with several names, of which only the newest is known.
 */
#include <linux/errno.h>
#include <linux/mount.h>
#include "fs/ext/ext.h"
#include "kernel/lib/errseq.h"
#include "mm/vm/writeback.h"

#define DEPTH 32u /* of directories with new names; below that all metadata is written */

/*
 * Write dirty blocks [@first, @last] of metadata. An error is told to whoever syncs while nobody
 * was told of it, and once to who was under way when it was made.
 */
static int write_meta(struct ext_sb *s, u64 first, u64 last)
{
	u32 seen = errseq_sample(&s->meta.error);
	int err = writeback_range(&s->meta, first, last, WRITEBACK_WAIT);
	int told = errseq_check(&s->meta.error, &seen);

	return told ? told : err;
}

/* See ext.h. ctx: thread; sleeps */
int ext_meta_sync(struct ext_sb *s)
{
	u32 freed = __atomic_load_n(&s->freed, __ATOMIC_ACQUIRE);
	int err = write_meta(s, 0, ~0ull);
	int flush = blkdev_flush(s->bdev);

	if (!err && flush != -EOPNOTSUPP)
		err = flush;
	if (!err)
		__atomic_store_n(&s->freed_synced, freed, __ATOMIC_RELEASE);
	return err;
}

/* See ext.h. ctx: any */
void ext_freed(struct ext_sb *s)
{
	__atomic_add_fetch(&s->freed, 1, __ATOMIC_ACQ_REL);
}

/* See ext.h. ctx: thread */
void ext_note_block(struct inode *i, u32 block)
{
	struct ext_inode *e = ext_of(i);

	if (likely(block - e->meta_first <= e->meta_last - e->meta_first &&
		   e->meta_first <= e->meta_last))
		return;
	spin_lock(&e->store_lock);
	e->meta_first = MIN(e->meta_first, block);
	e->meta_last = MAX(e->meta_last, block);
	spin_unlock(&e->store_lock);
}

/* See ext.h. ctx: thread */
void ext_note_name(struct inode *i, const struct inode *dir)
{
	struct ext_inode *e = ext_of(i);

	spin_lock(&e->store_lock);
	e->name_dir = (u32)dir->ino;
	e->name_changes++;
	spin_unlock(&e->store_lock);
}

/* What an inode had to be synced when that began. */
struct noted {
	u32 first, last, dir, changes;
	bool named; /* there is a new name */
};

static struct noted noted_of(struct ext_inode *e)
{
	struct noted n;

	spin_lock(&e->store_lock);
	n = (struct noted){ e->meta_first, e->meta_last, e->name_dir, e->name_changes,
			    e->name_changes != e->name_synced };
	spin_unlock(&e->store_lock);
	return n;
}

/* The blocks of metadata that are @i's alone. */
static int write_own(struct inode *i, const struct noted *n)
{
	struct ext_sb *s = ext_sb_of(i->sb);
	u32 at = ext_of(i)->table_block;
	int err = 0, err2;

	if (n->first <= n->last)
		err = write_meta(s, n->first, n->last);
	err2 = write_meta(s, at, at);
	return err ? err : err2;
}

/* The inode that has the newest name of one with @n; NULL: it is not in memory. */
static struct inode *parent_of(struct ext_sb *s, const struct noted *n)
{
	return n->dir ? ext_inode_find(s, n->dir) : NULL;
}

/*
 * Write @i's metadata, and what its new name needs, @depth directories up at most. 0, -EAGAIN: all
 * is to be written, or an error.
 */
static int write_with_parents(struct inode *i, u32 depth)
{
	struct ext_inode *e = ext_of(i);
	struct noted n = noted_of(e);
	struct inode *dir;
	int err;

	if (n.named && (!depth || (!S_ISDIR(i->mode) && READ_ONCE(i->nlink) > 1)))
		return -EAGAIN;
	err = write_own(i, &n);
	if (err || !n.named || !READ_ONCE(i->nlink))
		return err;
	dir = parent_of(ext_sb_of(i->sb), &n);
	if (!dir)
		return -EAGAIN;
	err = ext_inode_settle(dir);
	if (!err)
		err = write_with_parents(dir, depth - 1);
	inode_put(dir);
	if (!err) {
		spin_lock(&e->store_lock);
		e->name_synced = n.changes;
		spin_unlock(&e->store_lock);
	}
	return err;
}

static int flush(struct ext_sb *s)
{
	int err = blkdev_flush(s->bdev);

	return err == -EOPNOTSUPP ? 0 : err;
}

/* Write the metadata that @i needs, and flush. 0 or the error. */
static int sync_metadata(struct inode *i)
{
	struct ext_sb *s = ext_sb_of(i->sb);
	int err = -EAGAIN;

	if (!READ_ONCE(s->writable))
		return ext_meta_sync(s);
	if (__atomic_load_n(&s->freed, __ATOMIC_ACQUIRE) ==
	    __atomic_load_n(&s->freed_synced, __ATOMIC_ACQUIRE))
		err = write_with_parents(i, DEPTH);
	if (err == -EAGAIN)
		return ext_meta_sync(s);
	return err ? err : flush(s);
}

/* See ext.h. ctx: thread; sleeps */
int ext_sync_if_asked(struct inode *i, struct inode *dir)
{
	bool asked = READ_ONCE(i->sb->flags) & MS_SYNCHRONOUS;

	asked |= (ext_of(i)->flags & EXT_SYNC_FL) != 0;
	if (dir)
		asked |= (READ_ONCE(i->sb->flags) & MS_DIRSYNC) ||
			 (ext_of(dir)->flags & (EXT_SYNC_FL | EXT_DIRSYNC_FL));
	return unlikely(asked) ? ext_meta_sync(ext_sb_of(i->sb)) : 0;
}

/*
 * file_ops.fsync of files and directories. With @datasync times alone are no reason to write the
 * inode. ctx: thread; sleeps. 0, or an error of writing that this open file was not told of.
 */
int ext_fsync(struct file *f, u64 start, u64 end, bool datasync)
{
	struct inode *i = f->inode;
	struct ext_sb *s = ext_sb_of(i->sb);
	int err = 0, err2, seen = 0;

	if (i->cache)
		err = writeback_range(i->cache, start >> PAGE_SHIFT, end >> PAGE_SHIFT,
				      WRITEBACK_WAIT);
	if (READ_ONCE(s->writable) && (READ_ONCE(ext_of(i)->dirty) || !datasync)) {
		err2 = ext_inode_settle(i);
		err = err ? err : err2;
	}
	err2 = sync_metadata(i);
	if (i->cache)
		seen = errseq_check(&i->cache->error, &f->wb_err);
	return seen ? seen : err ? err : err2;
}

/* An inode of bucket @k that the sync @generation has not seen, with a reference; NULL: no more. */
static struct inode *next_inode(struct ext_sb *s, u32 k, u32 generation)
{
	struct inode *i;

	list_for_each(i, &s->inodes[k], hash) {
		struct ext_inode *e = ext_of(i);

		if (e->synced == generation || !ref_get_unless_zero(&i->refs))
			continue;
		e->synced = generation;
		return i;
	}
	return NULL;
}

static void sync_inodes(struct ext_sb *s, bool wait)
{
	u32 generation = __atomic_add_fetch(&s->generation, 1, __ATOMIC_RELAXED);

	for (u32 k = 0; k < s->nbuckets; k++) {
		for (;;) {
			struct inode *i;

			spin_lock(&s->lock);
			i = next_inode(s, k, generation);
			spin_unlock(&s->lock);
			if (!i)
				break;
			if (i->cache)
				(void)writeback_range(i->cache, 0, ~0ull,
						      wait ? WRITEBACK_WAIT : WRITEBACK_START);
			if (wait)
				(void)ext_inode_settle(i);
			inode_put(i);
		}
	}
}

/* super_ops.sync. ctx: thread; sleeps. 0, or the error of writing metadata */
int ext_sync_super(struct super *sb, bool wait)
{
	struct ext_sb *s = ext_sb_of(sb);

	if (!READ_ONCE(s->writable))
		return 0;
	sync_inodes(s, false);
	if (!wait)
		return 0;
	sync_inodes(s, true);
	work_flush(&s->reaper);
	ext_super_store(s);
	return ext_meta_sync(s);
}
