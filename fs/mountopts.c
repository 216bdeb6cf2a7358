/*
 * Mount options as mount(2) gives them to a file system: words with commas between.
 *
 * An empty word is none, as two commas in a row leave it. What a word means is the file system's
 * affair; the first that it refuses ends the list. Types that judge options one by one
 * (check_option) are asked before a superblock is made or changed.
 */
#include <linux/errno.h>
#include <linux/mount.h>
#include "fs/vfs.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

/* See vfs.h. ctx: thread; sleeps */
int vfs_each_option(const char *data, int (*each)(void *arg, char *word), void *arg)
{
	char *copy, *word, *next;
	int err = 0;

	if (!data || !*data)
		return 0;
	copy = kstrdup(data, 0);
	if (!copy)
		return -ENOMEM;
	for (word = copy; word && !err; word = next) {
		next = strchr(word, ',');
		if (next)
			*next++ = '\0';
		if (*word)
			err = each(arg, word);
	}
	kfree(copy);
	return err;
}

/* Flags of the superblock, which every file system has. */
static const struct {
	const char *name;
	u32 set, clear;
} common[] = {
	{ "ro", MS_RDONLY, 0 },		  { "rw", 0, MS_RDONLY },
	{ "sync", MS_SYNCHRONOUS, 0 },	  { "async", 0, MS_SYNCHRONOUS },
	{ "dirsync", MS_DIRSYNC, 0 },	  { "lazytime", MS_LAZYTIME, 0 },
	{ "nolazytime", 0, MS_LAZYTIME }, { "mand", MS_MANDLOCK, 0 },
	{ "nomand", 0, MS_MANDLOCK },
};

/* See vfs.h. ctx: any */
bool vfs_common_option(const char *word, u32 *set, u32 *clear)
{
	for (u32 k = 0; k < ARRAY_SIZE(common); k++) {
		if (strcmp(common[k].name, word))
			continue;
		*set = common[k].set;
		*clear = common[k].clear;
		return true;
	}
	return false;
}

struct judge {
	const struct fs_type *type;
	u32 flags;
};

static int judge_word(void *arg, char *word)
{
	char *value = strchr(word, '=');
	struct judge *j = arg;
	u32 set, clear;
	int err;

	if (value)
		*value++ = '\0';
	if (vfs_common_option(word, &set, &clear)) {
		j->flags = (j->flags & ~clear) | set;
		return 0;
	}
	err = j->type->check_option(word, value);
	return err == -ENOENT ? -EINVAL : err;
}

/* See vfs.h. ctx: thread; sleeps */
int vfs_judge_options(const struct fs_type *t, const char *data, u32 *flags)
{
	struct judge j = { t, *flags };
	int err = t->check_option ? vfs_each_option(data, judge_word, &j) : 0;

	*flags = j.flags;
	return err;
}
