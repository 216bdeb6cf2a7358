/*
 * The mount table as text: /proc/PID/mounts, mountinfo and mountstats, as seen from a process's
 * root. Mounts that cannot be reached from there are left out.
 *
 * The tree stands still while it is shown: mount_foreach() holds its lock. Space, tab, newline and
 * backslash in names are written as octal escapes, as readers of fstab(5) expect.
 *
 * proc(5).
 */
#include <linux/errno.h>
#include <linux/mount.h>
#include "fs/namei.h"
#include "kernel/lib/sbuf.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

enum { SHOW_MOUNTS, SHOW_MOUNTINFO, SHOW_MOUNTSTATS };

struct showing {
	struct sbuf *out;
	const struct path *root;
	int style;
	char *buf; /* PATH_MAX_LEN */
};

struct flag_name {
	u32 flag;
	const char *text;
};

static void show_flags(struct sbuf *out, u32 flags, const struct flag_name *names, u32 n)
{
	for (u32 k = 0; k < n; k++)
		if (flags & names[k].flag)
			sbuf_puts(out, names[k].text);
}

static void show_mount_flags(struct sbuf *out, u32 flags)
{
	static const struct flag_name names[] = {
		{ MS_NOSUID, ",nosuid" },	    { MS_NODEV, ",nodev" },
		{ MS_NOEXEC, ",noexec" },	    { MS_NOATIME, ",noatime" },
		{ MS_NODIRATIME, ",nodiratime" },   { MS_RELATIME, ",relatime" },
		{ MS_NOSYMFOLLOW, ",nosymfollow" },
	};

	show_flags(out, flags, names, ARRAY_SIZE(names));
}

static void show_super_flags(struct sbuf *out, u32 flags)
{
	static const struct flag_name names[] = {
		{ MS_SYNCHRONOUS, ",sync" },
		{ MS_DIRSYNC, ",dirsync" },
		{ MS_MANDLOCK, ",mand" },
		{ MS_LAZYTIME, ",lazytime" },
	};

	show_flags(out, flags, names, ARRAY_SIZE(names));
}

static void show_options(struct showing *s, struct super *sb)
{
	if (sb->ops && sb->ops->show_options)
		sb->ops->show_options(sb, s->out);
}

static void show_mountinfo(struct showing *s, struct mount *m, const char *where)
{
	char *within = s->buf;

	sbuf_printf(s->out, "%u %u %u:%u ", m->id, m->parent ? m->parent->id : m->id,
		    dev_major(m->sb->dev), dev_minor(m->sb->dev));
	/* @where lies at the end of the buffer; the other path is short of it or left out. */
	if (m->root == m->sb->root ||
	    dentry_path(m->root, s->buf, (size_t)(where - s->buf), &within))
		sbuf_puts(s->out, "/");
	else
		sbuf_puts_escaped(s->out, within, " \t\n\\#");
	sbuf_putc(s->out, ' ');
	sbuf_puts_escaped(s->out, where, " \t\n\\#");
	sbuf_puts(s->out, m->flags & MS_RDONLY ? " ro" : " rw");
	show_mount_flags(s->out, m->flags);
	if (m->group)
		sbuf_printf(s->out, " shared:%u", m->group);
	if (m->master)
		sbuf_printf(s->out, " master:%u", m->master->group);
	if (m->unbindable)
		sbuf_puts(s->out, " unbindable");
	sbuf_printf(s->out, " - %s ", m->sb->type->name);
	sbuf_puts_escaped(s->out, m->source, " \t\n\\#");
	sbuf_puts(s->out, m->sb->flags & MS_RDONLY ? " ro" : " rw");
	show_super_flags(s->out, m->sb->flags);
	show_options(s, m->sb);
	sbuf_putc(s->out, '\n');
}

static void show_mounts(struct showing *s, struct mount *m, const char *where)
{
	sbuf_puts_escaped(s->out, m->source, " \t\n\\#");
	sbuf_putc(s->out, ' ');
	sbuf_puts_escaped(s->out, where, " \t\n\\#");
	sbuf_printf(s->out, " %s %s", m->sb->type->name,
		    (m->flags | m->sb->flags) & MS_RDONLY ? "ro" : "rw");
	show_super_flags(s->out, m->sb->flags);
	show_mount_flags(s->out, m->flags);
	show_options(s, m->sb);
	sbuf_puts(s->out, " 0 0\n");
}

static void show_one(struct mount *m, void *arg)
{
	struct showing *s = arg;
	struct path at = { m, m->root };
	char *where;

	if (path_to_string(&at, s->root, s->buf, PATH_MAX_LEN, &where) || *where != '/')
		return;
	switch (s->style) {
	case SHOW_MOUNTS: show_mounts(s, m, where); return;
	case SHOW_MOUNTINFO: show_mountinfo(s, m, where); return;
	}
	sbuf_puts(s->out, "device ");
	sbuf_puts_escaped(s->out, m->source, " \t\n\\#");
	sbuf_puts(s->out, " mounted on ");
	sbuf_puts_escaped(s->out, where, " \t\n\\#");
	sbuf_printf(s->out, " with fstype %s\n", m->sb->type->name);
}

/*
 * The mounts seen from @root; @style 0 mounts, 1 mountinfo, 2 mountstats.
 * ctx: thread; sleeps. Without memory the text is empty.
 */
void mount_show(struct sbuf *out, const struct path *root, int style)
{
	struct showing s = { out, root, style, kmalloc(PATH_MAX_LEN, 0) };

	if (!s.buf)
		return;
	mount_foreach(show_one, &s);
	kfree(s.buf);
}
