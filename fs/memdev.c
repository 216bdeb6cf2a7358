/*
 * The devices that need no hardware: null, zero, full, random, urandom (major 1). mem(4) and port
 * are not offered: opening them gives ENXIO.
 *
 * null(4), random(4), full(4). random and urandom are the same generator, which is seeded before
 * user space runs.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/poll.h>
#include <linux/random.h>
#include "fs/namei.h"
#include "kernel/base/log.h"
#include "kernel/base/rand.h"
#include "kernel/lib/string.h"

#define RANDOM_MINOR 8

static ssize_t null_read(struct file *f, struct uio *u, u64 *pos)
{
	return 0;
}

static ssize_t null_write(struct file *f, struct uio *u, u64 *pos)
{
	size_t n = u->left;

	uio_advance(u, n);
	return (ssize_t)n;
}

static s64 null_seek(struct file *f, s64 off, int whence)
{
	f->pos = 0;
	return 0;
}

static ssize_t zero_read(struct file *f, struct uio *u, u64 *pos)
{
	ssize_t done = 0, n;

	while (u->left) {
		n = uio_zero(u, MIN(u->left, (size_t)KIB(64)));
		if (n <= 0)
			return done ? done : n;
		done += n;
		if (current->interrupted)
			break;
	}
	return done;
}

/* A private mapping of zero is anonymous memory by its name, a shared one an object of its own. */
static int zero_mmap(struct file *f, struct vm_map_args *a)
{
	if (!(a->flags & VM_SHARED)) {
		a->file = &f->vmf;
		a->flags |= VM_NAMED_ANON;
		return 0;
	}
	a->pgoff = 0;
	return vm_shared_anon(a->len, a->flags, &a->file);
}

static ssize_t full_write(struct file *f, struct uio *u, u64 *pos)
{
	return -ENOSPC;
}

static ssize_t random_read(struct file *f, struct uio *u, u64 *pos)
{
	u8 buf[256];
	ssize_t done = 0, n = 0;

	while (u->left) {
		size_t want = MIN(u->left, sizeof(buf));

		rand_bytes(buf, want);
		n = uio_copy_to(u, buf, want);
		if (n <= 0)
			break;
		done += n;
		if (current->interrupted)
			break;
	}
	memset(buf, 0, sizeof(buf));
	return done ? done : n;
}

/* Mixed in, but not believed to be random. */
static ssize_t random_write(struct file *f, struct uio *u, u64 *pos)
{
	u8 buf[64];
	ssize_t done = 0, n;

	while (u->left) {
		n = uio_copy_from(u, buf, MIN(u->left, sizeof(buf)));
		if (n <= 0)
			return done ? done : n;
		rand_add(buf, (size_t)n, 0);
		done += n;
		if (current->interrupted)
			break;
	}
	return done;
}

/* RNDADDENTROPY: struct rand_pool_info, then the bytes. */
static long random_add_entropy(u64 arg)
{
	struct {
		int bits, size;
	} head;
	u8 buf[64];
	u32 at, n;

	if (copy_from_user(&head, arg, sizeof(head)))
		return -EFAULT;
	if (head.bits < 0 || head.size < 0)
		return -EINVAL;
	for (at = 0; at < (u32)head.size; at += n) {
		n = MIN((u32)head.size - at, (u32)sizeof(buf));
		if (copy_from_user(buf, arg + sizeof(head) + at, n))
			return -EFAULT;
		rand_add(buf, n,
			 at ? 0 : (u32)MIN(head.bits, head.size > 32 ? 256 : head.size * 8));
	}
	return 0;
}

static long random_ioctl(struct file *f, u32 cmd, u64 arg)
{
	int bits = 256;

	if (cmd == RNDGETENTCNT)
		return put_user(arg, bits);
	switch (cmd) {
	case RNDADDTOENTCNT:
	case RNDADDENTROPY:
	case RNDZAPENTCNT:
	case RNDCLEARPOOL:
	case RNDRESEEDCRNG: break;
	default: return -EINVAL;
	}
	if (!cred_capable(current->cred, CAP_SYS_ADMIN))
		return -EPERM;
	if (cmd == RNDADDENTROPY)
		return random_add_entropy(arg);
	if (cmd == RNDADDTOENTCNT)
		return get_user(&bits, arg) ? -EFAULT : bits < 0 ? -EINVAL : 0;
	return 0;
}

/* random can always be read, and says of itself that it takes nothing; urandom says nothing. */
static u32 random_poll(struct file *f, struct poll_table *pt)
{
	u32 ready = POLLIN | POLLRDNORM;

	return dev_minor(f->inode->rdev) == RANDOM_MINOR ? ready : ready | POLLOUT | POLLWRNORM;
}

/* Nothing ever changes that a signal could tell of. */
static int random_fasync(struct file *f, int fd, bool on)
{
	return 0;
}

/* None of them ever waits. */
static int memdev_open(struct inode *i, struct file *f)
{
	f->mode |= FILE_NOWAIT;
	return 0;
}

static const struct file_ops null_ops = {
	.open = memdev_open,
	.read = null_read,
	.write = null_write,
	.seek = null_seek,
	.splice_write = true,
};
static const struct file_ops zero_ops = {
	.open = memdev_open,
	.read = zero_read,
	.write = null_write,
	.seek = null_seek,
	.mmap = zero_mmap,
};
static const struct file_ops full_ops = {
	.read = zero_read,
	.write = full_write,
	.seek = null_seek,
};
static const struct file_ops random_ops = {
	.open = memdev_open,
	.read = random_read,
	.write = random_write,
	.seek = null_seek,
	.ioctl = random_ioctl,
	.poll = random_poll,
	.fasync = random_fasync,
	.splice_read = true,
	.splice_write = true,
};

static struct chrdev devices[] = {
	{ .name = "null", .dev = 1u << 20 | 3, .mode = 0666, .ops = &null_ops },
	{ .name = "zero", .dev = 1u << 20 | 5, .mode = 0666, .ops = &zero_ops },
	{ .name = "full", .dev = 1u << 20 | 7, .mode = 0666, .ops = &full_ops },
	{ .name = "random", .dev = 1u << 20 | RANDOM_MINOR, .mode = 0666, .ops = &random_ops },
	{ .name = "urandom", .dev = 1u << 20 | 9, .mode = 0666, .ops = &random_ops },
};

/* Boot: register them. ctx: boot thread */
void memdev_init(void)
{
	for (u32 k = 0; k < ARRAY_SIZE(devices); k++)
		if (chrdev_register(&devices[k]))
			log_err("memdev: no memory for /dev/%s", devices[k].name);
}
