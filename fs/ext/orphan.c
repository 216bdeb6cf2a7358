/*
 * Orphans: inodes that lost their last name, or never had one, and are still open.
 *
 * They are a list on the disk, so that what they have is freed after a crash: the superblock has
 * the number of the newest, and each has the next one's where its time of deletion will be. The
 * same list in memory, in the same order, tells who comes before one that leaves.
 *
 * A mount for writing frees all that the last one left. A list that is damaged ends there: e2fsck
 * finds the rest.
 */
#include <linux/errno.h>
#include "fs/ext/ext.h"

static void set_first(struct ext_sb *s, u32 ino)
{
	mutex_lock(&s->super_lock);
	s->disk->last_orphan = ino;
	mutex_unlock(&s->super_lock);
	ext_super_dirty(s);
}

/* @i has no name. It is stored. ctx: thread; sleeps */
void ext_orphan_add(struct inode *i)
{
	struct ext_sb *s = ext_sb_of(i->sb);
	struct ext_inode *e = ext_of(i);

	mutex_lock(&s->orphan_lock);
	if (!e->orphan) {
		e->orphan = true;
		e->dtime = s->disk->last_orphan;
		list_add(&s->orphans, &e->orphan_link);
		(void)ext_inode_store(i);
		set_first(s, (u32)i->ino);
	}
	mutex_unlock(&s->orphan_lock);
}

/* @i is about to go, or got a name; who changed it stores it. ctx: thread; sleeps */
void ext_orphan_del(struct inode *i)
{
	struct ext_sb *s = ext_sb_of(i->sb);
	struct ext_inode *e = ext_of(i), *before;

	if (!e->orphan)
		return;
	mutex_lock(&s->orphan_lock);
	if (list_first(&s->orphans, struct ext_inode, orphan_link) == e) {
		set_first(s, e->dtime);
	} else {
		before = list_entry(e->orphan_link.prev, struct ext_inode, orphan_link);
		before->dtime = e->dtime;
		(void)ext_inode_store(&before->inode);
	}
	list_del(&e->orphan_link);
	e->orphan = false;
	e->dtime = 0;
	mutex_unlock(&s->orphan_lock);
}

/* See ext.h: the disk is not written any more. ctx: thread; sleeps */
void ext_orphan_drop(struct inode *i)
{
	struct ext_sb *s = ext_sb_of(i->sb);

	mutex_lock(&s->orphan_lock);
	list_del(&ext_of(i)->orphan_link);
	ext_of(i)->orphan = false;
	mutex_unlock(&s->orphan_lock);
}

/* Free what was left. ctx: thread, mounting for writing; sleeps. How many, or the first error. */
int ext_orphans_free(struct ext_sb *s)
{
	u32 ino = s->disk->last_orphan;
	int n = 0, err;

	while (ino) {
		struct inode *i;

		err = ext_iget_orphan(s->sb, ino, &i);
		if (err) {
			set_first(s, 0);
			return err;
		}
		ino = ext_of(i)->dtime;
		set_first(s, ino);
		inode_put(i); /* frees it */
		n++;
	}
	return n;
}
