/*
 * Inodes back to the disk.
 *
 * Calls that change an inode store it into its block of the table at once, which costs little: the
 * block is in memory and becomes dirty there. Writing to a file does not: its size and times are
 * stored when its pages have been written, by the pin that these hold on the inode. Times that only
 * reading changed are stored with anything else, when the inode leaves memory, or by sync.
 *
 * store_lock makes the disk's picture of an inode that of one moment, and the last store the
 * newest.
 */
#include <linux/errno.h>
#include "fs/ext/ext.h"
#include "kernel/base/time.h"
#include "kernel/lib/string.h"

static u32 seconds_of(s64 t)
{
	s64 s = t / NSEC_PER_SEC;

	return (u32)(t % NSEC_PER_SEC < 0 ? s - 1 : s);
}

/* Two bits of the years beyond 2038, and the nanoseconds. */
static u32 extra_of(s64 t)
{
	s64 s = (s32)seconds_of(t), whole = t / NSEC_PER_SEC, ns = t % NSEC_PER_SEC;

	if (ns < 0) {
		ns += NSEC_PER_SEC;
		whole--;
	}
	return (u32)((whole - s) >> 32 & 3) | (u32)ns << 2;
}

static bool room_for(const struct ext_inode *e, size_t end)
{
	return e->extra && EXT_INODE_OLD + e->extra >= end;
}
#define STORE_EXTRA(e, d, field, value)                                                         \
	do {                                                                                    \
		if (room_for((e), offsetof(struct ext_inode_disk, field) + sizeof((d)->field))) \
			(d)->field = (value);                                                   \
	} while (0)

static void encode_times(struct ext_inode *e, struct ext_inode_disk *d)
{
	const struct inode *i = &e->inode;

	e->atime = READ_ONCE(i->atime);
	e->mtime = READ_ONCE(i->mtime);
	e->ctime = READ_ONCE(i->ctime);
	d->atime = seconds_of(e->atime);
	d->mtime = seconds_of(e->mtime);
	d->ctime = seconds_of(e->ctime);
	STORE_EXTRA(e, d, atime_extra, extra_of(e->atime));
	STORE_EXTRA(e, d, mtime_extra, extra_of(e->mtime));
	STORE_EXTRA(e, d, ctime_extra, extra_of(e->ctime));
	STORE_EXTRA(e, d, crtime, seconds_of(i->btime));
	STORE_EXTRA(e, d, crtime_extra, extra_of(i->btime));
}

/* holds: e->store_lock */
static void encode(struct ext_inode *e, struct ext_inode_disk *d)
{
	const struct inode *i = &e->inode;
	const struct ext_sb *s = ext_sb_of(i->sb);
	u64 size = i->cache ? READ_ONCE(e->cache.size) : READ_ONCE(i->size);

	if (e->extra)
		d->extra_isize = e->extra;
	d->mode = (u16)i->mode;
	d->uid = (u16)i->uid;
	d->gid = (u16)i->gid;
	if (s->opt.no_uid32) {
		d->uid = i->uid > 0xffff ? 0xfffe : (u16)i->uid;
		d->gid = i->gid > 0xffff ? 0xfffe : (u16)i->gid;
	}
	d->uid_high = s->opt.no_uid32 ? 0 : (u16)(i->uid >> 16);
	d->gid_high = s->opt.no_uid32 ? 0 : (u16)(i->gid >> 16);
	d->size = (u32)size;
	d->size_high = S_ISREG(i->mode) ? (u32)(size >> 32) : 0;
	d->links_count = (u16)i->nlink;
	d->blocks = (u32)READ_ONCE(i->blocks);
	d->flags = e->flags;
	d->dtime = i->nlink ? 0 : e->dtime;
	d->generation = e->generation;
	d->file_acl = e->file_acl;
	for (u32 k = 0; k < EXT_NBLOCKS; k++)
		d->block[k] = READ_ONCE(e->block[k]);
	encode_times(e, d);
}

/* See ext.h. ctx: thread; sleeps */
int ext_inode_store(struct inode *i)
{
	struct ext_sb *s = ext_sb_of(i->sb);
	struct ext_inode *e = ext_of(i);
	struct ext_buf b;
	int err;

	if (unlikely(!READ_ONCE(s->writable)))
		return -EROFS;
	err = ext_buf_get(s, e->table_block, &b);
	if (err)
		return err;
	spin_lock(&e->store_lock);
	__atomic_store_n(&e->dirty, false, __ATOMIC_SEQ_CST);
	encode(e, (void *)((char *)b.data + e->table_off));
	spin_unlock(&e->store_lock);
	ext_buf_dirty(s, &b);
	if (unlikely(e->cut)) {
		e->cut = false;
		ext_freed(s);
	}
	ext_buf_put(&b);
	return 0;
}

static bool times_changed(const struct ext_inode *e)
{
	const struct inode *i = &e->inode;

	return i->atime != e->atime || i->mtime != e->mtime || i->ctime != e->ctime;
}

/* See ext.h. ctx: thread; sleeps */
int ext_inode_settle(struct inode *i)
{
	if (!READ_ONCE(ext_of(i)->dirty) && !times_changed(ext_of(i)))
		return 0;
	return ext_inode_store(i);
}

/* inode_ops.setattr. ctx: thread; holds: i->lock for writing; sleeps */
int ext_setattr(struct inode *i, const struct iattr *a)
{
	struct iattr rest = *a;
	int err = 0;

	/* Of who had it open before as well. */
	if (unlikely(i->flags & INODE_IMMUTABLE))
		return -EPERM;
	if (a->valid & ATTR_SIZE) {
		if (!i->cache)
			return -EINVAL;
		err = ext_set_size(i, a->size);
		if (err)
			return err;
	}
	rest.valid &= ~ATTR_SIZE;
	err = inode_setattr_generic(i, &rest);
	if (!err && (a->valid & ATTR_MODE))
		err = ext_acl_chmod(i);
	if (!err)
		err = ext_inode_store(i);
	return err ? err : ext_sync_if_asked(i, NULL);
}
