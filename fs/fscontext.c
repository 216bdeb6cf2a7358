/*
 * Contexts of file systems: what fsopen(2) and fspick(2) give, fsconfig(2) fills and fsmount(2)
 * uses.
 *
 * A context collects options as mount(2)'s data string has them, and goes through phases: options
 * for a new superblock, the superblock made (fsmount mounts it), options for changing one. File
 * systems that judge options one by one (check_option) refuse a bad one at once, others when the
 * superblock is made or changed. What was wrong is said in words, which read(2) gives, one message
 * for each call; the oldest go when there are too many.
 *
 * Everything in a context is guarded by its lock (rank MODULE: mounting locks further).
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include "fs/landlock.h"
#include "fs/mount.h"
#include "fs/mount_fd.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

#define MESSAGES 8 /* kept of one context */

enum phase { OPTIONS, MADE, CHANGE, FAILED };

/* c: guarded by .lock */
struct fscontext {
	struct mutex lock; /* rank MODULE */
	const struct fs_type *type; /* I */
	enum phase phase; /* c */
	struct super *sb; /* c: reference; of MADE and CHANGE */
	struct path picked; /* I: of fspick, with references */
	char *source; /* c */
	u32 ms_set, ms_clear; /* c: MS_* that options named */
	char *messages[MESSAGES]; /* c: ring */
	u32 msg_head, msg_tail; /* c: messages ever said, and read */
	size_t len; /* c: of .data */
	char data[PAGE_SIZE - 1]; /* c */
};

/* For types that have no option at all: see vfs.h. ctx: any */
int fs_no_option(const char *name, const char *value)
{
	return -ENOENT;
}

/* The oldest message, which becomes the caller's. holds: c->lock, or nobody else is there */
static char *message_take(struct fscontext *c)
{
	return c->messages[c->msg_tail++ % MESSAGES];
}

/* Say what is wrong. holds: c->lock */
static __printf(2, 3) void complain(struct fscontext *c, const char *fmt, ...)
{
	char text[400];
	va_list args;
	char *copy;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	copy = kstrdup(text, 0);
	if (!copy)
		return;
	if (c->msg_head - c->msg_tail == MESSAGES)
		kfree(message_take(c));
	c->messages[c->msg_head++ % MESSAGES] = copy;
}

static void context_release(struct file *f)
{
	struct fscontext *c = f->priv;

	if (c->sb)
		super_put(c->sb);
	if (c->picked.mnt)
		path_put(&c->picked);
	while (c->msg_tail != c->msg_head)
		kfree(message_take(c));
	kfree(c->source);
	kfree(c);
}

/* The next message, whole or not at all. */
static ssize_t context_read(struct file *f, struct uio *u, u64 *pos)
{
	struct fscontext *c = f->priv;
	char *text = NULL;
	ssize_t n = -ENODATA;

	mutex_lock(&c->lock);
	if (c->msg_tail != c->msg_head) {
		n = (ssize_t)strlen(c->messages[c->msg_tail % MESSAGES]);
		if ((size_t)n > u->left)
			n = -EMSGSIZE; /* it stays */
		else
			text = message_take(c);
	}
	mutex_unlock(&c->lock);
	if (text && uio_copy_to(u, text, (size_t)n) != n)
		n = -EFAULT;
	kfree(text);
	return n;
}

static const struct file_ops context_ops = {
	.read = context_read,
	.release = context_release,
};

/* See mount_fd.h. ctx: any */
bool file_is_fscontext(const struct file *f)
{
	return f->ops == &context_ops;
}

static int context_make(const struct fs_type *t, enum phase phase, struct fscontext **out,
			struct file **f)
{
	struct fscontext *c = kzalloc(sizeof(*c), 0);
	int err;

	if (!c)
		return -ENOMEM;
	mutex_init(&c->lock, RANK_MODULE);
	c->type = t;
	c->phase = phase;
	err = file_alloc_anon("[fscontext]", &context_ops, c, FILE_READ | FILE_WRITE | FILE_STREAM,
			      O_RDWR, f);
	if (err)
		kfree(c);
	*out = c;
	return err;
}

/* See mount_fd.h. ctx: thread; sleeps */
int fscontext_open(const char *type, struct file **out)
{
	const struct fs_type *t = mount_type_find(type);
	struct fscontext *c;

	return t ? context_make(t, OPTIONS, &c, out) : -ENODEV;
}

/* See mount_fd.h. ctx: thread; sleeps */
int fscontext_pick(const struct path *p, struct file **out)
{
	struct fscontext *c;
	int err;

	if (p->dentry != p->mnt->root)
		return -EINVAL;
	err = context_make(p->mnt->sb->type, CHANGE, &c, out);
	if (err)
		return err;
	c->picked = *p;
	path_get(p);
	return 0;
}

static int add_option(struct fscontext *c, const char *key, const char *value)
{
	size_t k = strlen(key), v = value ? strlen(value) + 1 : 0;

	if (c->len + k + v + 2 > sizeof(c->data))
		return -EINVAL;
	if (strchr(key, ',') || (value && strchr(value, ',')))
		return -EINVAL;
	if (c->len)
		c->data[c->len++] = ',';
	memcpy(c->data + c->len, key, k);
	c->len += k;
	if (value) {
		c->data[c->len++] = '=';
		memcpy(c->data + c->len, value, v - 1);
		c->len += v - 1;
	}
	c->data[c->len] = '\0';
	return 0;
}

static int set_source(struct fscontext *c, const char *value)
{
	if (!value || c->source) {
		complain(c, value ? "e Multiple sources\n" : "e Non-string source\n");
		return -EINVAL;
	}
	c->source = kstrdup(value, 0);
	return c->source ? 0 : -ENOMEM;
}

/* What the file system says of the option beforehand. holds: c->lock. 0 or -EINVAL */
static int judge_option(struct fscontext *c, const char *key, const char *value)
{
	const struct fs_type *t = c->type;
	int err = t->check_option ? t->check_option(key, value) : 0;

	if (err == -ENOENT)
		complain(c, "e %s: Unknown parameter '%s'\n", t->name, key);
	else if (err)
		complain(c, "e %s: Bad value for '%s'\n", t->name, key);
	return err ? -EINVAL : 0;
}

/* See mount_fd.h. ctx: thread; sleeps */
int fscontext_set(struct file *f, const char *key, const char *value)
{
	struct fscontext *c = f->priv;
	u32 set, clear;
	int err = -EBUSY;

	mutex_lock(&c->lock);
	if (c->phase != OPTIONS && c->phase != CHANGE)
		goto unlock;
	if (vfs_common_option(key, &set, &clear)) {
		c->ms_set = (c->ms_set & ~clear) | set;
		c->ms_clear = (c->ms_clear & ~set) | clear;
		err = 0;
		goto unlock;
	}
	if (!strcmp(key, "source")) {
		err = set_source(c, value);
	} else {
		err = judge_option(c, key, value);
		if (!err)
			err = add_option(c, key, value);
	}
unlock:
	mutex_unlock(&c->lock);
	return err;
}

/* See mount_fd.h. ctx: thread; sleeps */
int fscontext_set_object(struct file *f, const char *key)
{
	struct fscontext *c = f->priv;
	const struct fs_type *t = c->type;
	u32 set, clear;

	if (!t->check_option)
		return -EOPNOTSUPP;
	if (vfs_common_option(key, &set, &clear))
		return fscontext_set(f, key, NULL);
	mutex_lock(&c->lock);
	if (t->check_option(key, NULL) == -ENOENT)
		complain(c, "e %s: Unknown parameter '%s'\n", t->name, key);
	else
		complain(c, "e %s: Bad value for '%s'\n", t->name, key);
	mutex_unlock(&c->lock);
	return -EINVAL;
}

/* What was said so far has been done. holds: c->lock */
static void forget_options(struct fscontext *c)
{
	c->len = 0;
	c->data[0] = '\0';
	c->ms_set = c->ms_clear = 0;
}

/* See mount_fd.h. ctx: thread; sleeps */
int fscontext_create(struct file *f)
{
	struct fscontext *c = f->priv;
	int err = -EBUSY;

	mutex_lock(&c->lock);
	if (c->phase == OPTIONS) {
		err = mount_super_make(c->type, c->source ? c->source : "none", c->ms_set, c->data,
				       &c->sb);
		c->phase = err ? FAILED : MADE;
	}
	mutex_unlock(&c->lock);
	return err;
}

/* See mount_fd.h. ctx: thread; sleeps */
int fscontext_reconfigure(struct file *f)
{
	struct fscontext *c = f->priv;
	int err = -EBUSY;

	mutex_lock(&c->lock);
	if (c->phase == CHANGE && landlock_is_bound()) {
		err = -EPERM;
	} else if (c->phase == CHANGE) {
		err = mount_super_change(c->picked.mnt ? c->picked.mnt->sb : c->sb, c->ms_set,
					 c->ms_clear, c->data);
		forget_options(c);
	}
	mutex_unlock(&c->lock);
	return err;
}

/* See mount_fd.h. ctx: thread; sleeps */
int fscontext_mount(struct file *f, u32 flags, struct file **out)
{
	struct fscontext *c = f->priv;
	int err;

	mutex_lock(&c->lock);
	err = c->sb || c->picked.mnt ? -EBUSY : -EINVAL;
	if (c->phase == MADE) {
		super_get(c->sb);
		err = mount_open_new(c->sb, flags, c->source, out);
		if (!err) {
			c->phase = CHANGE;
			forget_options(c);
		}
	}
	mutex_unlock(&c->lock);
	return err;
}
