/*
 * Everything a user can do to a file system, done to one that may be damaged in any way. What it
 * says does not matter; that it ends, and touches no memory of others, does.
 */
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/stat.h>
#include "fs/ext/ext.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "tests/unit/ext/abuse.h"
#include "tests/unit/ext/host.h"

#define NAMES 40
struct names {
	char name[NAMES][256];
	u32 n;
};

static void collect(const char *name, u32 len, u64 ino, void *arg)
{
	struct names *l = arg;

	if (l->n == NAMES || (len <= 2 && name[0] == '.'))
		return;
	memcpy(l->name[l->n], name, len);
	l->name[l->n++][len] = '\0';
}

static void read_file(struct inode *i)
{
	static char buf[20000];

	(void)host_read(i, 0, buf, sizeof(buf));
	(void)host_read(i, i->size / 2, buf, sizeof(buf));
	(void)host_read(i, i->size - MIN(i->size, 100ull), buf, 100);
}

static void write_file(struct inode *i, u32 seed)
{
	static char buf[9000];

	memset(buf, (int)seed, sizeof(buf));
	(void)host_write(i, i->size / 2, buf, sizeof(buf));
	if (i->size < 1 << 30)
		(void)host_write(i, i->size, buf, 5000);
	(void)host_write(i, 300000, buf, 3000);
	(void)host_store(i, 1);
	if (seed & 1)
		(void)host_truncate(i, 2000 + seed * 64);
	(void)host_fsync(i);
}

static void attributes(struct inode *i, u32 seed)
{
	static const u16 list[] = { 2,	    0,	    1,	6, 0xffff, 0xffff, 2,  4,
				    1001,   0,	    4,	4, 0xffff, 0xffff, 16, 6,
				    0xffff, 0xffff, 32, 0, 0xffff, 0xffff };
	static u32 denied;
	char buf[1024], value[300];

	host_be(1001, 50);
	denied += inode_permission(i, MAY_READ | MAY_EXEC) != 0;
	host_be(0, 0);
	if (!i->ops->listxattr)
		return;
	(void)i->ops->getxattr(i, "system.posix_acl_access", buf, sizeof(buf));
	(void)i->ops->listxattr(i, buf, sizeof(buf));
	(void)i->ops->getxattr(i, "user.a", buf, sizeof(buf));
	memset(value, 'v', sizeof(value));
	if (i->ops->setxattr) {
		(void)i->ops->setxattr(i, "user.new", value, seed % 300, 0);
		(void)i->ops->setxattr(i, "user.a", value, 10, 0);
		(void)i->ops->removexattr(i, "user.b");
		(void)i->ops->setxattr(i, "system.posix_acl_access", list, sizeof(list), 0);
	}
}

static void walk(struct inode *dir, u32 depth, bool write, u32 *budget);

static void one(struct inode *dir, const char *name, u32 depth, bool write, u32 *budget)
{
	char text[4096], other[300];
	struct inode *i;
	u32 seed = *budget;

	if (!*budget || host_lookup(dir, name, &i))
		return;
	--*budget;
	attributes(i, write ? seed : 0);
	if (S_ISDIR(i->mode) && i != dir)
		walk(i, depth + 1, write, budget);
	if (S_ISLNK(i->mode))
		(void)i->ops->readlink(i, text, sizeof(text));
	if (S_ISREG(i->mode)) {
		read_file(i);
		if (write)
			write_file(i, seed);
	}
	if (write) {
		snprintf(other, sizeof(other), "to-%u", seed);
		if (!S_ISDIR(i->mode) && seed % 5 == 0)
			(void)host_link(dir, other, i);
		if (seed % 5 == 1)
			(void)host_rename(dir, name, dir, other, 0);
		if (seed % 5 == 2)
			(void)host_remove(dir, name);
	}
	inode_put(i);
}

static void walk(struct inode *dir, u32 depth, bool write, u32 *budget)
{
	struct names *l;
	struct inode *i;
	char name[64];

	if (depth > 6)
		return;
	l = host_alloc(sizeof(*l));
	(void)host_list(dir, collect, l);
	for (u32 k = 0; k < l->n; k++)
		one(dir, l->name[k], depth, write, budget);
	host_free(l);
	for (u32 k = 0; write && k < 12; k++) {
		snprintf(name, sizeof(name), "new-name-%u-%u", depth, k);
		if (!(k & 3) && !host_mkdir(dir, name, &i))
			inode_put(i);
		else if (k & 1 && !host_create(dir, name, S_IFREG | 0600, &i)) {
			write_file(i, k);
			inode_put(i);
		} else if (k & 2)
			(void)host_symlink(
				dir, name,
				"a target that is long enough to be in a block of its own, surely");
	}
}

void abuse(void *image, u64 bytes)
{
	u32 budget = 60;
	struct super *sb;

	host_image(image, bytes);
	if (!host_mount(MS_RDONLY, NULL, &sb)) {
		walk(sb->root->inode, 0, false, &budget);
		host_umount(sb);
	}
	budget = 60;
	if (!host_mount(0, "errors=continue", &sb)) {
		walk(sb->root->inode, 0, !(sb->flags & MS_RDONLY), &budget);
		host_umount(sb);
	}
	budget = 20;
	if (!host_mount(0, "errors=remount-ro", &sb)) {
		walk(sb->root->inode, 0, !(sb->flags & MS_RDONLY), &budget);
		host_umount(sb);
	}
}
