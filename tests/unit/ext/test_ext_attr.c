/*
 * Attributes and access control lists of the real ext driver: what was set is there after the next
 * mount, what a list says is enforced and inherited, and e2fsck finds nothing.
 */
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/stat.h>
#include "fs/ext/ext.h"
#include "kernel/lib/string.h"
#include "tests/unit/ext/host.h"
#include "tests/unit/ext/image.h"
#include "tests/unit/unit.h"

/* --- attributes --- */

static void set(struct inode *i, const char *name, u32 size, int want)
{
	static char value[5000];

	for (u32 k = 0; k < size; k++)
		value[k] = (char)pattern(k, size);
	CHECK_EQ(i->ops->setxattr(i, name, value, size, 0), want);
}

static void get(struct inode *i, const char *name, s64 size)
{
	static char value[5000];

	CHECK_EQ(i->ops->getxattr(i, name, value, sizeof(value)), size);
	for (s64 k = 0; k < size; k++)
		CHECK_EQ(value[k], (char)pattern((u64)k, (u32)size));
}

static void attributes(void)
{
	struct inode *f, *d;
	char list[2000];

	mount();
	f = new_file("f");
	set(f, "user.first", 10, 0);
	set(f, "user.second", 50, 0);
	set(f, "trusted.third", 300, 0);
	set(f, "security.fourth", 0, 0);
	set(f, "user.second", 45, 0);
	set(f, "user.huge", 4500, -ENOSPC);
	set(f, "system.posix_acl_other", 10, -EOPNOTSUPP);
	CHECK_EQ(f->ops->listxattr(f, list, sizeof(list)), 11 + 12 + 14 + 16);
	CHECK_EQ(f->ops->setxattr(f, "user.first", "x", 1, 1), -EEXIST);
	CHECK_EQ(f->ops->setxattr(f, "user.none", "x", 1, 2), -ENODATA);
	inode_put(f);
	end();
	mount();
	f = find("f");
	get(f, "user.first", 10);
	get(f, "user.second", 45);
	get(f, "trusted.third", 300);
	get(f, "security.fourth", 0);
	get(f, "user.none", -ENODATA);
	CHECK_EQ(f->ops->removexattr(f, "user.first"), 0);
	CHECK_EQ(f->ops->removexattr(f, "user.first"), -ENODATA);
	CHECK_EQ(f->ops->removexattr(f, "trusted.third"), 0);
	CHECK_EQ(host_mkdir(top, "d", &d), 0);
	set(d, "user.dir", 200, 0);
	inode_put(d);
	inode_put(f);
	end();
	mount();
	f = find("f");
	get(f, "user.second", 45);
	CHECK_EQ(f->ops->removexattr(f, "user.second"), 0);
	CHECK_EQ(f->ops->removexattr(f, "security.fourth"), 0);
	CHECK_EQ(f->blocks, 0);
	inode_put(f);
	CHECK_EQ(host_remove(top, "d"), 0);
	end();
}

UNIT_TEST(extended_attributes)
{
	each_kind(attributes, 2 * MB);
}

UNIT_TEST(a_block_of_attributes_that_two_share)
{
	struct ext_buf b;
	struct inode *f, *g;
	u32 block;

	make_image("-b 1024 -I 128", 2 * MB);
	mount();
	f = new_file("f");
	g = new_file("g");
	set(f, "user.a", 100, 0);
	block = ext_of(f)->file_acl;
	CHECK_EQ(ext_buf_get(ext_sb_of(sb), block, &b), 0);
	((struct ext_xattr_header *)b.data)->refcount = 2;
	ext_buf_dirty(ext_sb_of(sb), &b);
	ext_buf_put(&b);
	ext_of(g)->file_acl = block;
	ext_add_blocks(g, 1);
	get(g, "user.a", 100);
	set(f, "user.b", 50, 0);
	CHECK(ext_of(f)->file_acl != block);
	get(g, "user.a", 100);
	get(g, "user.b", -ENODATA);
	get(f, "user.a", 100);
	inode_put(f);
	inode_put(g);
	end();
	drop_image();
}

/* --- access control lists --- */

struct access_list {
	u32 version;
	struct {
		u16 tag, perm;
		u32 id;
	} e[8];
};

static int set_list(struct inode *i, const char *which, const struct access_list *l, u32 n)
{
	return i->ops->setxattr(i, which, l, 4 + n * 8, 0);
}

static bool may(struct inode *i, u32 uid, u32 gid, u32 mask)
{
	bool ok;

	host_be(uid, gid);
	ok = !inode_permission(i, mask);
	host_be(0, 0);
	return ok;
}

static void access_lists(void)
{
	static const char access[] = "system.posix_acl_access",
			  defaults[] = "system.posix_acl_default";
	struct access_list l = { 2,
				 { { 1, 6, ~0u },
				   { 2, 4, 1001 },
				   { 4, 4, ~0u },
				   { 8, 7, 50 },
				   { 16, 6, ~0u },
				   { 32, 0, ~0u } } };
	struct access_list simple = { 2, { { 1, 7, ~0u }, { 4, 5, ~0u }, { 32, 1, ~0u } } };
	struct access_list
		bad = { 2, { { 1, 6, ~0u }, { 2, 4, 1001 }, { 4, 4, ~0u }, { 32, 0, ~0u } } },
		back;
	struct iattr a = { .valid = ATTR_MODE, .mode = 0640 };
	struct inode *f, *d, *g;

	mount();
	f = new_file("f");
	f->uid = 1000;
	f->gid = 1000;
	CHECK_EQ(set_list(f, access, &bad, 4), -EINVAL);
	CHECK_EQ(set_list(f, defaults, &l, 6), -EACCES);
	host_be(1001, 1001);
	CHECK_EQ(set_list(f, access, &l, 6), -EPERM);
	host_be(0, 0);
	CHECK_EQ(set_list(f, access, &l, 6), 0);
	CHECK_EQ(f->mode & 0777, 0660);
	inode_put(f);
	end();
	mount();
	f = find("f");
	CHECK_EQ(f->ops->getxattr(f, access, &back, sizeof(back)), 52);
	CHECK(!memcmp(&back, &l, 52));
	CHECK(may(f, 1000, 1000, MAY_READ | MAY_WRITE));
	CHECK(may(f, 1001, 7, MAY_READ) && !may(f, 1001, 7, MAY_WRITE));
	CHECK(may(f, 7, 1000, MAY_READ) && !may(f, 7, 1000, MAY_WRITE));
	CHECK(may(f, 7, 50, MAY_READ | MAY_WRITE) && !may(f, 7, 50, MAY_EXEC));
	CHECK(!may(f, 7, 7, MAY_READ));
	CHECK_EQ(f->ops->setattr(f, &a), 0);
	CHECK(!may(f, 7, 50, MAY_WRITE) && may(f, 7, 50, MAY_READ));
	CHECK_EQ(set_list(f, access, &simple, 3), 0);
	CHECK_EQ(f->mode & 0777, 0751);
	CHECK_EQ(f->ops->getxattr(f, access, &back, sizeof(back)), -ENODATA);
	CHECK_EQ(host_mkdir(top, "d", &d), 0);
	CHECK_EQ(set_list(d, defaults, &l, 6), 0);
	CHECK_EQ(host_create(d, "new", S_IFREG | 0644, &g), 0);
	CHECK_EQ(g->mode & 0777, 0640);
	CHECK_EQ(g->ops->getxattr(g, access, &back, sizeof(back)), 52);
	CHECK_EQ(g->ops->getxattr(g, defaults, &back, sizeof(back)), -ENODATA);
	inode_put(g);
	CHECK_EQ(host_mkdir(d, "sub", &g), 0);
	CHECK_EQ(g->ops->getxattr(g, defaults, &back, sizeof(back)), 52);
	inode_put(g);
	CHECK_EQ(d->ops->removexattr(d, defaults), 0);
	inode_put(d);
	inode_put(f);
	end();
}

UNIT_TEST(access_control_lists)
{
	each_kind(access_lists, 2 * MB);
}
