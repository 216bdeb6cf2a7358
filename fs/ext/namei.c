/*
 * Making, removing and moving names.
 *
 * What a crash may leave behind is less than there was, never more than there is: a new inode is
 * stored before a record leads to it, and a record is removed before the link count falls. An inode
 * that loses its last name goes to the list of orphans until nobody uses it (orphan.c). A rename
 * puts the new record there before it takes the old one away.
 *
 * The VFS holds the directories' locks and that of what loses a name, and has checked all rights;
 * names are looked up again here, since a record is what is changed.
 */
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include "fs/ext/ext.h"
#include "kernel/lib/string.h"
#include "mm/vm/writeback.h"

/* A new inode that will not get its name: it goes when it is put. */
static void abandon(struct inode *i)
{
	i->nlink = 0;
	inode_put(i);
}

/* The record of @d in @dir, which leads to @i or nothing does. 0, -ENOENT, -EUCLEAN ... */
static int find_record(struct inode *dir, const struct dentry *d, const struct inode *i,
		       struct ext_slot *sl)
{
	int err = ext_dir_find(dir, d->name, d->name_len, sl);

	if (!err && sl->ino != i->ino) {
		ext_slot_put(sl);
		err = ext_bad(ext_sb_of(dir->sb), dir->ino, "a name leads to another inode now");
	}
	return err;
}

/* The record of @d, which leads to @i, goes. 0, -ENOENT, -EUCLEAN ... */
static int remove_name(struct inode *dir, const struct dentry *d, const struct inode *i)
{
	struct ext_slot sl;
	int err = find_record(dir, d, i, &sl);

	if (err)
		return err;
	ext_dir_remove(dir, &sl);
	ext_slot_put(&sl);
	return 0;
}

/*
 * The name of @d leads to the new inode @i, whose reference the caller keeps. Consumes it on
 * failure; also when the name was to be on the disk at once and could not be written: then it goes
 * again, as the VFS does not know of it.
 */
static int name_new(struct inode *dir, struct dentry *d, struct inode *i, struct inode **out)
{
	int err = ext_acl_inherit(i, dir);

	if (!err)
		err = ext_inode_store(i);
	if (!err)
		err = ext_dir_add(dir, d->name, d->name_len, i);
	if (err) {
		abandon(i);
		return err;
	}
	err = ext_sync_if_asked(i, dir);
	if (!err)
		*out = i;
	else if (!remove_name(dir, d, i))
		abandon(i);
	else
		inode_put(i);
	return err;
}

/* inode_ops.create */
int ext_create(struct inode *dir, struct dentry *d, u32 mode, u64 rdev, struct inode **out)
{
	struct inode *i;
	int err = ext_inode_new(dir, mode, rdev, &i);

	return err ? err : name_new(dir, d, i, out);
}

/* inode_ops.tmpfile */
int ext_tmpfile(struct inode *dir, u32 mode, struct inode **out)
{
	struct inode *i;
	int err = ext_inode_new(dir, mode, 0, &i);

	if (err)
		return err;
	err = ext_acl_inherit(i, dir);
	if (err) {
		abandon(i);
		return err;
	}
	i->nlink = 0;
	i->flags |= INODE_TMPFILE;
	ext_orphan_add(i);
	*out = i;
	return 0;
}

/* inode_ops.mkdir */
int ext_mkdir(struct inode *dir, struct dentry *d, u32 mode, struct inode **out)
{
	struct inode *i;
	int err;

	if (dir->nlink >= EXT_LINK_MAX)
		return -EMLINK;
	err = ext_inode_new(dir, mode, 0, &i);
	if (err)
		return err;
	i->nlink = 2;
	err = ext_dir_make(i, dir);
	if (err) {
		abandon(i);
		return err;
	}
	WRITE_ONCE(dir->nlink, dir->nlink + 1);
	err = name_new(dir, d, i, out);
	if (err) {
		WRITE_ONCE(dir->nlink, dir->nlink - 1);
		(void)ext_inode_store(dir);
	}
	return err;
}

/* The text of a link that does not fit into the inode: one block. */
static int long_link(struct inode *i, const char *target, size_t len)
{
	struct ext_sb *s = ext_sb_of(i->sb);
	struct ext_inode *e = ext_of(i);
	struct ext_buf b;
	u32 phys, count;
	int err;

	mutex_lock(&e->map_lock);
	err = ext_map_new(i, 0, 1, &phys, &count);
	mutex_unlock(&e->map_lock);
	if (!err)
		err = ext_buf_new(s, phys, &b);
	if (err)
		return err;
	memcpy(b.data, target, len);
	ext_buf_dirty_of(i, &b);
	ext_buf_put(&b);
	return 0;
}

/* inode_ops.symlink */
int ext_symlink(struct inode *dir, struct dentry *d, const char *target, struct inode **out)
{
	size_t len = strlen(target);
	struct inode *i;
	int err;

	if (len >= ext_sb_of(dir->sb)->block_size)
		return -ENAMETOOLONG;
	err = ext_inode_new(dir, S_IFLNK | 0777, 0, &i);
	if (err)
		return err;
	i->size = len;
	if (len < EXT_LINK_INLINE)
		memcpy(ext_of(i)->block, target, len);
	else
		err = long_link(i, target, len);
	if (err) {
		abandon(i);
		return err;
	}
	return name_new(dir, d, i, out);
}

/* inode_ops.link. holds: also target->lock */
int ext_link(struct inode *dir, struct dentry *d, struct inode *target)
{
	bool first = !target->nlink;
	int err;

	if (target->nlink >= EXT_LINK_MAX)
		return -EMLINK;
	WRITE_ONCE(target->nlink, target->nlink + 1);
	inode_touch(target, ATTR_CTIME);
	if (first)
		ext_orphan_del(target);
	err = ext_inode_store(target);
	if (!err)
		err = ext_dir_add(dir, d->name, d->name_len, target);
	if (!err) {
		err = ext_sync_if_asked(target, dir);
		if (err && remove_name(dir, d, target))
			return err;
	}
	if (!err) {
		target->flags &= ~INODE_TMPFILE;
		if (first && target->cache)
			writeback_relist(target->cache);
		return 0;
	}
	WRITE_ONCE(target->nlink, target->nlink - 1);
	(void)ext_inode_store(target);
	if (first)
		ext_orphan_add(target);
	return err;
}

/* @i has @links names fewer; without any it is an orphan. holds: i->lock */
static void drop_links(struct inode *i, u32 links)
{
	if (i->nlink < links) {
		ext_bad(ext_sb_of(i->sb), i->ino, "it had more names than links");
		links = i->nlink;
	}
	WRITE_ONCE(i->nlink, i->nlink - links);
	inode_touch(i, ATTR_CTIME);
	if (i->nlink)
		(void)ext_inode_store(i);
	else
		ext_orphan_add(i);
	if (!i->nlink && i->cache && !READ_ONCE(i->writers))
		writeback_unlist(i->cache);
}

/* inode_ops.unlink. holds: also the lock of what goes */
int ext_unlink(struct inode *dir, struct dentry *d)
{
	int err = remove_name(dir, d, d->inode);

	if (err)
		return err;
	drop_links(d->inode, 1);
	return ext_sync_if_asked(d->inode, dir);
}

/* One directory fewer in @dir. */
static void drop_child(struct inode *dir)
{
	if (dir->nlink > 2)
		WRITE_ONCE(dir->nlink, dir->nlink - 1);
	(void)ext_inode_store(dir);
}

/* inode_ops.rmdir. holds: also the lock of what goes */
int ext_rmdir(struct inode *dir, struct dentry *d)
{
	int err = ext_dir_is_empty(d->inode);

	if (!err)
		err = remove_name(dir, d, d->inode);
	if (err)
		return err;
	drop_links(d->inode, d->inode->nlink);
	drop_child(dir);
	return ext_sync_if_asked(d->inode, dir);
}

/* --- rename --- */

/* A directory that goes to another one: its "..", found before anything is changed. */
struct moving {
	struct inode *i; /* NULL: it does not */
	struct ext_slot up;
};

/* 0, or -EUCLEAN, -EIO ... and nothing to be ended */
static int moving_begin(struct moving *m, struct inode *i, const struct inode *from,
			const struct inode *to)
{
	m->i = from != to && S_ISDIR(i->mode) ? i : NULL;
	return m->i ? ext_dir_find_parent(i, &m->up) : 0;
}

static void moving_do(struct moving *m, struct inode *from, struct inode *to)
{
	if (!m->i)
		return;
	ext_dir_replace(m->i, &m->up, to);
	WRITE_ONCE(to->nlink, to->nlink + 1);
	(void)ext_inode_store(to);
	drop_child(from);
}

static void moving_end(struct moving *m)
{
	if (m->i)
		ext_slot_put(&m->up);
}

/* The directories of two names that change places can count one more and one less. */
static bool may_exchange(const struct inode *odir, const struct inode *oi, const struct inode *ndir,
			 const struct inode *ni)
{
	const struct inode *gains = S_ISDIR(oi->mode) ? ndir : odir;

	return odir == ndir || S_ISDIR(oi->mode) == S_ISDIR(ni->mode) ||
	       gains->nlink < EXT_LINK_MAX;
}

static int exchange(struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd)
{
	struct inode *oi = od->inode, *ni = nd->inode;
	struct moving om, nm;
	struct ext_slot os, ns;
	int err = find_record(odir, od, oi, &os);

	if (err)
		return err;
	err = find_record(ndir, nd, ni, &ns);
	if (err)
		goto put_os;
	err = may_exchange(odir, oi, ndir, ni) ? moving_begin(&om, oi, odir, ndir) : -EMLINK;
	if (err)
		goto put_ns;
	err = moving_begin(&nm, ni, ndir, odir);
	if (err)
		goto end_om;
	ext_dir_replace(ndir, &ns, oi);
	ext_dir_replace(odir, &os, ni);
	ext_note_name(oi, ndir);
	ext_note_name(ni, odir);
	moving_do(&om, odir, ndir);
	moving_do(&nm, ndir, odir);
	inode_touch(oi, ATTR_CTIME);
	inode_touch(ni, ATTR_CTIME);
	(void)ext_inode_store(oi);
	(void)ext_inode_store(ni);
	err = ext_sync_if_asked(oi, ndir);
	moving_end(&nm);
end_om:
	moving_end(&om);
put_ns:
	ext_slot_put(&ns);
put_os:
	ext_slot_put(&os);
	return err;
}

/* The name @nd of @ndir leads to @oi, in place of what it led to. */
static int take_name(struct inode *ndir, struct dentry *nd, struct inode *oi)
{
	struct inode *ni = nd->inode;
	struct ext_slot sl;
	int err;

	if (!ni)
		return ext_dir_add(ndir, nd->name, nd->name_len, oi);
	err = S_ISDIR(ni->mode) ? ext_dir_is_empty(ni) : 0;
	if (!err)
		err = find_record(ndir, nd, ni, &sl);
	if (err)
		return err;
	ext_dir_replace(ndir, &sl, oi);
	ext_note_name(oi, ndir);
	ext_slot_put(&sl);
	drop_links(ni, S_ISDIR(ni->mode) ? ni->nlink : 1);
	if (S_ISDIR(ni->mode))
		drop_child(ndir);
	return 0;
}

/*
 * The new record first, then the old one goes, or leads to @white. Whatever has to be read is read
 * before, so that nothing stays half done.
 */
static int move(struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd,
		struct inode *white)
{
	struct inode *oi = od->inode;
	struct ext_slot old;
	struct moving m;
	int err;

	if (S_ISDIR(oi->mode) && odir != ndir && !nd->inode && ndir->nlink >= EXT_LINK_MAX)
		return -EMLINK;
	err = find_record(odir, od, oi, &old);
	if (err)
		return err;
	err = moving_begin(&m, oi, odir, ndir);
	if (err)
		goto put_old;
	err = take_name(ndir, nd, oi);
	if (err)
		goto end;
	if (white)
		ext_dir_replace(odir, &old, white);
	else
		ext_dir_remove(odir, &old);
	if (white)
		ext_note_name(white, odir);
	moving_do(&m, odir, ndir);
	inode_touch(oi, ATTR_CTIME);
	(void)ext_inode_store(oi);
	err = ext_sync_if_asked(oi, ndir);
end:
	moving_end(&m);
put_old:
	ext_slot_put(&old);
	return err;
}

/* inode_ops.rename. holds: both directories' locks, and that of what is replaced */
int ext_rename(struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd,
	       u32 flags)
{
	struct inode *white = NULL;
	int err;

	if (flags & RENAME_EXCHANGE)
		return exchange(odir, od, ndir, nd);
	if (flags & RENAME_WHITEOUT) {
		/* The device 0:0: overlays take it for "there is no such name". */
		err = ext_inode_new(odir, S_IFCHR, 0, &white);
		if (!err)
			err = ext_inode_store(white);
		if (err)
			goto out;
	}
	err = move(odir, od, ndir, nd, white);
out:
	if (white && err)
		abandon(white);
	else if (white)
		inode_put(white);
	return err;
}
