/*
 * What user space asks of loop devices: binding, unbinding and asking by ioctls of the device, and
 * /dev/loop-control, which makes devices.
 *
 * A device is made when it is asked for: by LOOP_CTL_ADD or LOOP_CTL_GET_FREE, or by opening a node
 * with its number. LOOP_CTL_REMOVE hides it; the struct stays for the next one of that number.
 *
 * Binding: the file is opened before the disk is locked, since that file may be another loop
 * device. One that is bound to itself by way of others is refused; as the open file keeps each of
 * the chain from being unbound, looking along it needs no lock.
 *
 * Reference: loop(4); linux/loop.h.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/major.h>
#include "block/loop.h"
#include "kernel/base/bootargs.h"
#include "kernel/base/log.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"

#define CONTROL_MAJOR 10 /* the class misc; with its minor as in Linux's list of devices */
#define CONTROL_MINOR 237
#define NODES 8u /* that are in /dev from the beginning */
#define NODES_MAX 1024u

static struct mutex loops_lock = MUTEX_INIT(loops_lock, RANK_BLKMAKE);
static struct list loops = LIST_INIT(loops); /* loops_lock: by number */
static u32 max_loop; /* I after boot: as given; 0: not */

/* Nodes from the beginning, and the most that opening one makes; /dev/loop-control makes more. */
static void arg_max_loop(const char *value)
{
	u64 n = value ? bootargs_parse_size(value) : 0;

	max_loop = (u32)MIN(n, (u64)NODES_MAX);
}
BOOTARG("max_loop", arg_max_loop);

static bool may_change(u32 mode)
{
	return (mode & FILE_WRITE) || cred_capable(current->cred, CAP_SYS_ADMIN);
}

static struct loop *loop_of(const struct file *f)
{
	struct blkdev *b = f->ops == &blkdev_fops ? blkdev_of_file(f) : NULL;

	return b && b->disk->major == LOOP_MAJOR ? b->disk->priv : NULL;
}

/* Does @f lead to @lo by way of other loop devices? 0, -EBADF, -EINVAL (one is not bound) */
static int check_chain(const struct loop *lo, const struct file *f)
{
	const struct loop *below;

	while ((below = loop_of(f))) {
		if (below == lo)
			return -EBADF;
		f = READ_ONCE(below->file);
		if (!f)
			return -EINVAL;
	}
	return 0;
}

/* See loop.h. ctx: thread; sleeps; holds: nothing of the disk's */
int loop_open_backing(struct loop *lo, int fd, u32 mode, bool direct, struct file **out,
		      bool *read_only)
{
	struct file *user;
	u32 flags;
	int err = fd_get(fd, &user);

	if (err)
		return err;
	if (!S_ISREG(user->inode->mode) && !S_ISBLK(user->inode->mode))
		err = -EINVAL;
	if (!err)
		err = check_chain(lo, user);
	if (err)
		goto put;
	*read_only |= !(user->mode & FILE_WRITE) || !(mode & FILE_WRITE) || !user->ops->write;
	flags = (*read_only ? O_RDONLY : O_RDWR) | O_LARGEFILE;
	err = file_open_path(&user->path, flags | (direct ? O_DIRECT : 0), out);
	if (err == -EINVAL && direct)
		err = file_open_path(&user->path, flags, out);
	if (!err) {
		err = check_chain(lo, *out);
		if (err)
			file_put(*out);
	}
put:
	file_put(user);
	return err;
}

static bool block_fits(u32 n)
{
	return n >= SECTOR_SIZE && n <= PAGE_SIZE && !(n & (n - 1));
}

/* What of @i can be wrong. */
static int check_info(const struct loop_info64 *i)
{
	if (i->lo_encrypt_key_size > LO_KEY_SIZE || i->lo_encrypt_type != LO_CRYPT_NONE)
		return -EINVAL;
	return (s64)i->lo_offset < 0 || (s64)i->lo_sizelimit < 0 ? -EOVERFLOW : 0;
}

/* holds: part_lock */
static void take_info(struct loop *lo, const struct loop_info64 *i)
{
	lo->offset = i->lo_offset;
	lo->sizelimit = i->lo_sizelimit;
	memcpy(lo->name, i->lo_file_name, sizeof(lo->name));
	lo->name[sizeof(lo->name) - 1] = '\0';
}

/* What O_DIRECT on @f asks for; 0: it is not known. */
static u32 direct_align(const struct file *f)
{
	return S_ISBLK(f->inode->mode) ? blkdev_of_file(f)->disk->limits.block
				       : f->inode->sb->dio_align;
}

/* May transfers with @block as the smallest go past the file's page cache? */
static bool direct_fits(const struct loop *lo, const struct file *f, u32 block)
{
	u32 align = direct_align(f);

	return !align || (block >= align && !(lo->offset & (align - 1)));
}

/* As it is now, it may not: through the page cache again. holds: part_lock, settled */
static void direct_recheck(struct loop *lo, struct file *f, u32 block)
{
	if (!(f->flags & O_DIRECT) || direct_fits(lo, f, block))
		return;
	WRITE_ONCE(f->flags, f->flags & ~(u32)O_DIRECT);
	lo->flags &= ~(u32)LO_FLAGS_DIRECT_IO;
}

static int bind_locked(struct loop *lo, struct file *f, const struct loop_config *c, bool read_only)
{
	u32 flags = c->info.lo_flags & ~(u32)(LO_FLAGS_READ_ONLY | LO_FLAGS_DIRECT_IO), block;
	int err;

	if (lo->file)
		return -EBUSY;
	take_info(lo, &c->info);
	block = c->block_size ? c->block_size : SECTOR_SIZE;
	if (!c->block_size && (f->flags & O_DIRECT))
		block = MAX(block, direct_align(f));
	direct_recheck(lo, f, block);
	flags |= f->flags & O_DIRECT ? LO_FLAGS_DIRECT_IO : 0;
	flags |= read_only ? LO_FLAGS_READ_ONLY : 0;
	lo->flags = flags;
	err = loop_bind(lo, f, block);
	if (err)
		lo->flags = 0;
	return err;
}

static long configure(struct loop *lo, u32 mode, const struct loop_config *c)
{
	bool read_only = c->info.lo_flags & LO_FLAGS_READ_ONLY;
	bool direct = c->info.lo_flags & LO_FLAGS_DIRECT_IO;
	struct file *f;
	int err;

	if ((c->info.lo_flags & ~(u32)LOOP_CONFIGURE_SETTABLE_FLAGS) ||
	    (c->block_size && !block_fits(c->block_size)))
		return -EINVAL;
	err = check_info(&c->info);
	if (!err)
		err = loop_open_backing(lo, (int)c->fd, mode, direct, &f, &read_only);
	if (err)
		return err;
	mutex_lock(&lo->disk->part_lock);
	err = bind_locked(lo, f, c, read_only);
	mutex_unlock(&lo->disk->part_lock);
	if (err) {
		file_put(f);
		return err;
	}
	if (c->info.lo_flags & LO_FLAGS_PARTSCAN)
		(void)disk_scan(lo->disk);
	return 0;
}

static long configure_user(struct loop *lo, u32 mode, u64 arg)
{
	struct loop_config c;

	return get_user(&c, arg) ? -EFAULT : configure(lo, mode, &c);
}

static long set_fd(struct loop *lo, u32 mode, u64 fd)
{
	struct loop_config c;

	memset(&c, 0, sizeof(c));
	c.fd = (u32)fd;
	return configure(lo, mode, &c);
}

static int clear_locked(struct loop *lo)
{
	if (!lo->file)
		return -ENXIO;
	/* Others still use it: the last of them lets go of the file. */
	lo->flags |= LO_FLAGS_AUTOCLEAR;
	if (loop_openers(lo) <= 1)
		loop_unbind(lo);
	return 0;
}

static int set_status_locked(struct loop *lo, const struct loop_info64 *i)
{
	bool moved = lo->offset != i->lo_offset || lo->sizelimit != i->lo_sizelimit;
	const u32 settable = LOOP_SET_STATUS_SETTABLE_FLAGS;
	const u32 clearable = LOOP_SET_STATUS_CLEARABLE_FLAGS;

	if (!lo->file)
		return -ENXIO;
	if (moved) {
		loop_settle(lo);
		pagecache_forget(blkdev_cache(lo->disk->parts[0]), 0, ~0ull);
	}
	take_info(lo, i);
	lo->flags = (lo->flags & ~clearable) | (i->lo_flags & settable);
	lo->disk->no_scan = !(lo->flags & LO_FLAGS_PARTSCAN);
	if (moved) {
		direct_recheck(lo, lo->file, lo->disk->limits.block);
		loop_resize(lo);
	}
	return 0;
}

static long set_status(struct loop *lo, const struct loop_info64 *i)
{
	bool scan;
	int err = check_info(i);

	if (err)
		return err;
	mutex_lock(&lo->disk->part_lock);
	scan = !(lo->flags & LO_FLAGS_PARTSCAN) && (i->lo_flags & LO_FLAGS_PARTSCAN);
	err = set_status_locked(lo, i);
	mutex_unlock(&lo->disk->part_lock);
	if (!err && scan)
		(void)disk_scan(lo->disk);
	return err;
}

static u64 user_dev(u64 dev)
{
	u64 minor = dev_minor(dev);

	return (minor & 0xff) | (u64)dev_major(dev) << 8 | (minor & ~0xffull) << 12;
}

static int get_info(struct loop *lo, struct loop_info64 *i)
{
	struct kstat st = { .full = false };
	int err = -ENXIO;

	memset(i, 0, sizeof(*i));
	mutex_lock(&lo->disk->part_lock);
	if (lo->file)
		err = vfs_getattr(&lo->file->path, &st);
	if (!err) {
		i->lo_number = lo->number;
		i->lo_device = user_dev(st.dev);
		i->lo_inode = st.ino;
		i->lo_rdevice = user_dev(st.rdev);
		i->lo_offset = lo->offset;
		i->lo_sizelimit = lo->sizelimit;
		i->lo_flags = lo->flags;
		memcpy(i->lo_file_name, lo->name, sizeof(lo->name));
	}
	mutex_unlock(&lo->disk->part_lock);
	return err;
}

static long get_status(struct loop *lo, u64 arg)
{
	struct loop_info64 i;
	int err = get_info(lo, &i);

	return err ? err : put_user(arg, i);
}

/* The form with fields of 32 and 16 bits. */
static long get_status_old(struct loop *lo, u64 arg)
{
	struct loop_info64 i;
	struct loop_info o;
	int err = get_info(lo, &i);

	if (err)
		return err;
	memset(&o, 0, sizeof(o));
	o.lo_number = (int)i.lo_number;
	o.lo_device = (__kernel_old_dev_t)i.lo_device;
	o.lo_inode = i.lo_inode;
	o.lo_rdevice = (__kernel_old_dev_t)i.lo_rdevice;
	o.lo_offset = (int)i.lo_offset;
	o.lo_flags = (int)i.lo_flags;
	memcpy(o.lo_name, i.lo_file_name, sizeof(o.lo_name));
	if (o.lo_device != i.lo_device || o.lo_rdevice != i.lo_rdevice ||
	    (u64)(s64)o.lo_offset != i.lo_offset || i.lo_sizelimit)
		return -EOVERFLOW;
	return put_user(arg, o);
}

static long set_status_old(struct loop *lo, u64 arg)
{
	struct loop_info64 i;
	struct loop_info o;

	if (get_user(&o, arg))
		return -EFAULT;
	memset(&i, 0, sizeof(i));
	i.lo_offset = (u64)(s64)o.lo_offset;
	i.lo_encrypt_type = (u32)o.lo_encrypt_type;
	i.lo_encrypt_key_size = (u32)o.lo_encrypt_key_size;
	i.lo_flags = (u32)o.lo_flags;
	memcpy(i.lo_file_name, o.lo_name, sizeof(o.lo_name));
	return set_status(lo, &i);
}

static long set_status_new(struct loop *lo, u64 arg)
{
	struct loop_info64 i;

	return get_user(&i, arg) ? -EFAULT : set_status(lo, &i);
}

/* Another file of the same size under a device that is only read. */
static long change_fd(struct loop *lo, u32 mode, u64 fd)
{
	bool read_only = true;
	struct file *f, *old;
	int err = loop_open_backing(lo, (int)fd, mode, lo->flags & LO_FLAGS_DIRECT_IO, &f,
				    &read_only);

	if (err)
		return err;
	old = f;
	mutex_lock(&lo->disk->part_lock);
	if (!lo->file)
		err = -ENXIO;
	else if (!(lo->flags & LO_FLAGS_READ_ONLY) || f->inode->size != lo->file->inode->size)
		err = -EINVAL;
	if (!err) {
		loop_settle(lo);
		old = lo->file;
		WRITE_ONCE(lo->file, f);
		pagecache_forget(blkdev_cache(lo->disk->parts[0]), 0, ~0ull);
	}
	mutex_unlock(&lo->disk->part_lock);
	file_put(old);
	return err;
}

/* O_DIRECT on the file, if it takes it. */
static int set_direct_locked(struct loop *lo, bool on)
{
	struct file *f = lo->file;
	u32 flags = on ? f->flags | O_DIRECT : f->flags & ~(u32)O_DIRECT;

	if (on == ((lo->flags & LO_FLAGS_DIRECT_IO) != 0))
		return 0;
	loop_settle(lo);
	if (on && !direct_fits(lo, f, lo->disk->limits.block))
		return -EINVAL;
	if (on && !file_can_direct(f))
		return -EINVAL;
	WRITE_ONCE(f->flags, flags);
	lo->flags ^= LO_FLAGS_DIRECT_IO;
	return 0;
}

static int set_block_locked(struct loop *lo, u64 n)
{
	struct disk_limits *l = &lo->disk->limits;

	if (n > PAGE_SIZE || !block_fits((u32)n))
		return -EINVAL;
	loop_settle(lo);
	pagecache_forget(blkdev_cache(lo->disk->parts[0]), 0, ~0ull);
	l->block = l->physical = l->discard_align = (u32)n;
	direct_recheck(lo, lo->file, l->block);
	return 0;
}

static long change(struct loop *lo, u32 mode, u32 cmd, u64 arg)
{
	int err = 0;

	mutex_lock(&lo->disk->part_lock);
	if (cmd == LOOP_SET_BLOCK_SIZE && !(mode & FILE_EXCL) && blkdev_claimed(lo->disk->parts[0]))
		err = -EBUSY;
	else if (!lo->file)
		err = -ENXIO;
	else if (cmd == LOOP_SET_CAPACITY)
		loop_resize(lo);
	else if (cmd == LOOP_SET_DIRECT_IO)
		err = set_direct_locked(lo, arg != 0);
	else
		err = set_block_locked(lo, arg);
	mutex_unlock(&lo->disk->part_lock);
	return err;
}

static long clear(struct loop *lo)
{
	int err;

	mutex_lock(&lo->disk->part_lock);
	err = clear_locked(lo);
	mutex_unlock(&lo->disk->part_lock);
	return err;
}

/* disk_ops.ioctl. ctx: thread; sleeps */
long loop_ioctl(struct disk *d, u32 mode, u32 cmd, u64 arg)
{
	struct loop *lo = d->priv;

	switch (cmd) {
	case LOOP_SET_FD: return set_fd(lo, mode, arg);
	case LOOP_CONFIGURE: return configure_user(lo, mode, arg);
	case LOOP_CHANGE_FD: return change_fd(lo, mode, arg);
	case LOOP_CLR_FD: return clear(lo);
	case LOOP_GET_STATUS: return get_status_old(lo, arg);
	case LOOP_GET_STATUS64: return get_status(lo, arg);
	case LOOP_SET_STATUS: return may_change(mode) ? set_status_old(lo, arg) : -EPERM;
	case LOOP_SET_STATUS64: return may_change(mode) ? set_status_new(lo, arg) : -EPERM;
	case LOOP_SET_CAPACITY:
	case LOOP_SET_DIRECT_IO:
	case LOOP_SET_BLOCK_SIZE: return may_change(mode) ? change(lo, mode, cmd, arg) : -EPERM;
	}
	return -EINVAL; /* not ENOTTY, of these */
}

/* --- /dev/loop-control --- */

/* holds: loops_lock */
static struct loop *find_locked(u32 number)
{
	struct loop *lo;

	list_for_each(lo, &loops, link)
		if (lo->number == number)
			return lo;
	return NULL;
}

/* The device of that number, seen again or made. holds: loops_lock. 0, -EEXIST, -ENOMEM */
static int add_locked(u32 number)
{
	struct loop *lo = find_locked(number);

	if (lo)
		return disk_reveal(lo->disk) ? 0 : -EEXIST;
	lo = loop_make(number);
	if (!lo)
		return -ENOMEM;
	list_add_tail(&loops, &lo->link);
	return 0;
}

static long free_locked(void)
{
	u32 n = 0;
	int err;

	for (;; n++) {
		struct loop *lo = find_locked(n);

		if (!lo || !lo->disk->parts[0]->present)
			break;
		if (!READ_ONCE(lo->file))
			return (long)n;
	}
	err = add_locked(n);
	return err ? err : (long)n;
}

static long add_any_locked(s32 number)
{
	u32 n = number < 0 ? 0 : (u32)number;
	int err = add_locked(n);

	while (number < 0 && err == -EEXIST)
		err = add_locked(++n);
	return err ? err : (long)n;
}

static long remove_locked(s32 number)
{
	struct loop *lo = number < 0 ? NULL : find_locked((u32)number);

	if (number < 0)
		return -EINVAL;
	if (!lo)
		return -ENODEV;
	return READ_ONCE(lo->file) ? -EBUSY : disk_hide(lo->disk);
}

static long control_ioctl(struct file *f, u32 cmd, u64 arg)
{
	long ret = -ENOSYS;

	if ((s32)arg > 0xfffff)
		return -EINVAL;
	mutex_lock(&loops_lock);
	switch (cmd) {
	case LOOP_CTL_ADD: ret = add_any_locked((s32)arg); break;
	case LOOP_CTL_REMOVE: ret = remove_locked((s32)arg); break;
	case LOOP_CTL_GET_FREE: ret = free_locked(); break;
	}
	mutex_unlock(&loops_lock);
	return ret;
}

/* See block.h. ctx: thread; sleeps */
void loop_probe(u32 minor)
{
	mutex_lock(&loops_lock);
	if (!find_locked(minor) && (!max_loop || minor < max_loop))
		(void)add_locked(minor);
	mutex_unlock(&loops_lock);
}

/* Boot: the control device, and names to begin with. ctx: boot thread */
void loop_init(void)
{
	static const struct file_ops ops = { .ioctl = control_ioctl };
	static struct chrdev control = {
		.name = "loop-control", .mode = 0660, .ops = &ops, .class = "misc"
	};
	char name[12];

	control.dev = dev_make(CONTROL_MAJOR, CONTROL_MINOR);
	if (chrdev_register(&control))
		log_err("loop: no control device");
	for (u32 i = 0; i < (max_loop ? max_loop : NODES); i++) {
		snprintf(name, sizeof(name), "loop%u", i);
		(void)devfs_add_node(name, S_IFBLK | 0660, dev_make(LOOP_MAJOR, i));
	}
}
