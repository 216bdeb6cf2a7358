/*
 * Types of file systems, and the superblocks that mounting makes of them.
 *
 * The options that mount(2) brings are judged first where the type judges them one by one. A type
 * with FS_SINGLE has one superblock, which its first mount makes and all others show again; it
 * stays when the last of them goes.
 */
#include <linux/errno.h>
#include "fs/mount.h"
#include "kernel/lib/string.h"

/* Instances of FS_SINGLE types. */
#define MAX_SINGLES 16
static struct super *singles[MAX_SINGLES]; /* mount_lock() */

/* See mount.h. ctx: any */
const struct fs_type *mount_type_find(const char *name)
{
	const struct fs_type *t;

	TABLE_FOREACH(fs_type, t)
		if (!strcmp(t->name, name))
			return t;
	return NULL;
}

/* The one instance of a FS_SINGLE type, with a reference. */
static int super_single(const struct fs_type *t, const char *source, u32 flags, const char *data,
			struct super **out)
{
	u32 n;
	int err;

	mount_lock();
	for (n = 0; n < MAX_SINGLES && singles[n]; n++) {
		if (singles[n]->type == t) {
			super_get(singles[n]);
			*out = singles[n];
			mount_unlock();
			return 0;
		}
	}
	err = n < MAX_SINGLES ? t->mount(t, source, flags, data, out) : -ENOMEM;
	if (!err) {
		singles[n] = *out;
		super_get(*out);
	}
	mount_unlock();
	return err;
}

/* See vfs.h. ctx: thread; sleeps. */
int mount_single_internal(const struct fs_type *t, struct mount **out)
{
	struct super *sb;
	int err = super_single(t, t->name, 0, NULL, &sb);

	return err ? err : mount_create_internal(sb, out);
}

/* See mount.h. ctx: thread; sleeps */
int mount_super_make(const struct fs_type *t, const char *source, u32 flags, const char *data,
		     struct super **out)
{
	int err = vfs_judge_options(t, data, &flags);

	if (err)
		return err;
	if (t->flags & FS_SINGLE)
		return super_single(t, source, flags, data, out);
	err = t->mount(t, source, flags, data, out);
	if (!err)
		(*out)->flags |= flags & SB_FLAGS;
	return err;
}
