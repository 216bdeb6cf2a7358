/*
 * Character devices by number, and what open does with an inode that is a device, a FIFO or a
 * socket.
 *
 * Drivers register a struct chrdev (static, or living until unregistered with no file open); the
 * registry is a list behind a spinlock, read at open only. The open file then uses the driver's
 * operations directly.
 */
#include <linux/errno.h>
#include "block/block.h"
#include "fs/namei.h"
#include "fs/procfs.h"
#include "fs/sysfs.h"
#include "kernel/lib/string.h"

static struct spinlock chrdev_lock = SPINLOCK_INIT(RANK_SPIN_OUTER);
static struct list chrdevs = LIST_INIT(chrdevs); /* chrdev_lock */

/* holds: chrdev_lock */
static struct chrdev *find(u64 dev)
{
	struct chrdev *c;

	list_for_each(c, &chrdevs, link)
		if (c->dev == dev)
			return c;
	return NULL;
}

/*
 * Register @c and put its node into devtmpfs. ctx: thread; sleeps.
 * Returns 0, -EBUSY (number taken), -ENOMEM.
 */
int chrdev_register(struct chrdev *c)
{
	bool taken;
	int err;

	spin_lock(&chrdev_lock);
	taken = find(c->dev);
	if (!taken)
		list_add_tail(&chrdevs, &c->link);
	spin_unlock(&chrdev_lock);
	if (taken)
		return -EBUSY;
	err = devfs_add_node(c->name, S_IFCHR | c->mode, c->dev);
	if (err && err != -EEXIST) {
		spin_lock(&chrdev_lock);
		list_del(&c->link);
		spin_unlock(&chrdev_lock);
		return err;
	}
	sysfs_add_chrdev(c);
	return 0;
}

/* Undo chrdev_register. ctx: thread; sleeps. */
void chrdev_unregister(struct chrdev *c)
{
	spin_lock(&chrdev_lock);
	list_del(&c->link);
	spin_unlock(&chrdev_lock);
	sysfs_remove_chrdev(c);
	devfs_remove(c->name);
}

/*
 * Open operation of character-device inodes. ctx: thread; sleeps in the driver. 0, -ENXIO or the
 * driver's error.
 */
int chrdev_open(struct inode *i, struct file *f)
{
	struct chrdev *c;

	spin_lock(&chrdev_lock);
	c = find(i->rdev);
	spin_unlock(&chrdev_lock);
	if (!c)
		return -ENXIO;
	f->ops = c->ops;
	f->priv = c->priv;
	return c->ops->open ? c->ops->open(i, f) : 0;
}

static const struct file_ops chrdev_fops = { .open = chrdev_open };
static const struct file_ops fifo_fops = { .open = pipe_open_fifo };
static const struct file_ops block_fops = { .open = blkdev_open_node };

/* See vfs.h: sockets have no operations here, so that open gives -ENXIO. ctx: any */
void inode_init_special(struct inode *i, u64 rdev)
{
	i->rdev = rdev;
	if (S_ISCHR(i->mode))
		i->fops = &chrdev_fops;
	else if (S_ISFIFO(i->mode))
		i->fops = &fifo_fops;
	else if (S_ISBLK(i->mode))
		i->fops = &block_fops;
	else
		i->fops = NULL;
}

/* Majors with names that no device's is. Ptys come and go: their nodes are devpts's. */
static const struct known_major {
	u8 major;
	bool always;
	char name[13];
} known_majors[] = {
	{ 1, false, "mem" },	   { 5, false, "/dev/tty" }, { 5, false, "/dev/console" },
	{ 5, false, "/dev/ptmx" }, { 10, false, "misc" },    { 128, true, "ptm" },
	{ 136, true, "pts" },
};

/* The names @major goes by; @c, its first device: what to call it without its number. */
static void show_major(struct sbuf *out, u32 major, const struct chrdev *c)
{
	const struct known_major *k;
	bool known = false;
	size_t n;

	for (k = known_majors; k < known_majors + ARRAY_SIZE(known_majors); k++) {
		if (k->major == major) {
			sbuf_printf(out, "%3u %s\n", major, k->name);
			known = true;
		}
	}
	if (known)
		return;
	n = strlen(c->name);
	while (n && char_is_digit(c->name[n - 1]))
		n--;
	sbuf_printf(out, "%3u %.*s\n", major, (int)n, c->name);
}

/* The lowest major >= @from, ~0 after the last; *first: its first device. holds: chrdev_lock */
static u32 next_major(u32 from, const struct chrdev **first)
{
	const struct known_major *k;
	struct chrdev *c;
	u64 dev = ~0ull;
	u32 major;

	list_for_each(c, &chrdevs, link) {
		if (dev_major(c->dev) >= from && c->dev < dev) {
			dev = c->dev;
			*first = c;
		}
	}
	major = dev == ~0ull ? ~0u : dev_major(dev);
	for (k = known_majors; k < known_majors + ARRAY_SIZE(known_majors); k++)
		if (k->always && k->major >= from && k->major < major)
			major = k->major;
	return major;
}

/* Majors in order. */
static int devices_show(struct sbuf *out, void *arg)
{
	const struct chrdev *c = NULL;

	sbuf_puts(out, "Character devices:\n");
	spin_lock(&chrdev_lock);
	for (u32 m = 0; (m = next_major(m, &c)) != ~0u; m++)
		show_major(out, m, c);
	spin_unlock(&chrdev_lock);
	sbuf_puts(out, "\nBlock devices:\n");
	blkdev_show_majors(out);
	return 0;
}
PROC_FILE(devices, "devices", 0444, .show = devices_show);
