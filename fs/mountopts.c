/*
 * Mount options as mount(2) gives them to a file system: words with commas between.
 *
 * An empty word is none, as two commas in a row leave it. What a word means is the file system's
 * affair; the first that it refuses ends the list.
 */
#include <linux/errno.h>
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
