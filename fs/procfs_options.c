/*
 * Mount options of procfs: hidepid=, gid= and subset= of one mount of it.
 *
 * All of a superblock's options are one word (super.priv): the group, and above it how much is
 * hidden and whether there are processes only. So a remount changes them at once, and nobody who
 * asks needs a lock. What they do is in procfs.c and procfs_pid.c.
 *
 * man: proc(5), "Mount options".
 */
#include <linux/errno.h>
#include "fs/procfs_internal.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"

#define HIDE_SHIFT 32
#define HIDE_MASK 7ull
#define ONLY_PIDS (1ull << 40)

static const char *const hide_names[] = {
	[HIDEPID_OFF] = "off",
	[HIDEPID_NO_ACCESS] = "noaccess",
	[HIDEPID_INVISIBLE] = "invisible",
	[HIDEPID_NOT_PTRACEABLE] = "ptraceable",
};

static u64 options_of(const struct super *sb)
{
	return (u64)READ_ONCE(sb->priv);
}

/* See the header. ctx: any */
enum hidepid procfs_hidepid(const struct super *sb)
{
	return options_of(sb) >> HIDE_SHIFT & HIDE_MASK;
}

/* See the header. ctx: any */
u32 procfs_gid(const struct super *sb)
{
	return (u32)options_of(sb);
}

/* See the header. ctx: any */
bool procfs_only_pids(const struct super *sb)
{
	return options_of(sb) & ONLY_PIDS;
}

/* A whole number in any base. 0 or -EINVAL */
static int parse_u32(const char *value, u64 *out)
{
	const char *end;

	return str_to_u64(value, &end, 0, out) || *end || *out > ~0u ? -EINVAL : 0;
}

/* How much is to be hidden, by number or by name. 0 or -EINVAL */
static int parse_hidepid(const char *value, u64 *out)
{
	bool number = !parse_u32(value, out);

	for (u64 k = 0; k < ARRAY_SIZE(hide_names); k++) {
		if (!hide_names[k] || (number ? k != *out : strcmp(hide_names[k], value)))
			continue;
		*out = k;
		return 0;
	}
	return -EINVAL;
}

/* 0; -ENOENT: no such option, -EINVAL: not with that value */
static int set_option(u64 *opts, const char *name, const char *value)
{
	u64 v = 0;
	int err = -ENOENT;

	if (!strcmp(name, "gid")) {
		err = value ? parse_u32(value, &v) : -EINVAL;
		*opts = (*opts & ~(u64)~0u) | v;
	} else if (!strcmp(name, "hidepid")) {
		err = value ? parse_hidepid(value, &v) : -EINVAL;
		*opts = (*opts & ~(HIDE_MASK << HIDE_SHIFT)) | v << HIDE_SHIFT;
	} else if (!strcmp(name, "subset")) {
		err = value && !strcmp(value, "pid") ? 0 : -EINVAL;
		*opts |= ONLY_PIDS;
	}
	return err;
}

/* See the header. ctx: any */
int procfs_check_option(const char *name, const char *value)
{
	u64 scratch = 0;

	return set_option(&scratch, name, value);
}

static int take_word(void *arg, char *word)
{
	char *value = strchr(word, '=');
	u32 set, clear;
	int err;

	if (vfs_common_option(word, &set, &clear))
		return 0;
	if (value)
		*value++ = '\0';
	err = set_option(arg, word, value);
	return err == -ENOENT ? -EINVAL : err;
}

/* See the header. What is not named stays as it is. ctx: thread; sleeps. 0, -EINVAL, -ENOMEM */
int procfs_remount(struct super *sb, u32 flags, const char *data)
{
	u64 opts = options_of(sb);
	int err = vfs_each_option(data, take_word, &opts);

	if (!err)
		WRITE_ONCE(sb->priv, (void *)opts);
	return err;
}

/* See the header. ctx: any */
void procfs_show_options(struct super *sb, struct sbuf *out)
{
	if (procfs_gid(sb))
		sbuf_printf(out, ",gid=%u", procfs_gid(sb));
	if (procfs_hidepid(sb))
		sbuf_printf(out, ",hidepid=%s", hide_names[procfs_hidepid(sb)]);
	if (procfs_only_pids(sb))
		sbuf_puts(out, ",subset=pid");
}
