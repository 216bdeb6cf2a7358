/*
 * Access control lists of POSIX.1e (acl(5)): kept as attributes, asked by the VFS's permission
 * check, inherited by what is made in a directory with a default one.
 *
 * A list has entries for the owner, named users, the owning group, named groups, a mask, and
 * others. Owner, mask (or owning group) and others are the mode's nine bits too: chmod changes the
 * list, and setting a list changes the mode. On the disk an entry that needs no identifier has
 * none; as the attribute system.posix_acl_access each has one.
 *
 * A list is decoded onto the stack, which bounds it: 64 entries, of which 60 are named.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <linux/stat.h>
#include "fs/ext/ext.h"
#include "kernel/base/cred.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"

#define ENTRIES 64u
#define DISK_VERSION 1u

struct entry {
	u16 tag, perm;
	u32 id;
};
struct acl {
	u32 n;
	struct entry e[ENTRIES];
};

static bool is_named(u16 tag)
{
	return tag == ACL_USER || tag == ACL_GROUP;
}

/* --- forms --- */

/* Two half words and, for named entries (always, with @whole), an identifier. */
static int decode(struct acl *a, const char *p, size_t size, u32 version, bool whole)
{
	u32 v;

	a->n = 0;
	if (size < sizeof(v))
		return -EINVAL;
	memcpy(&v, p, sizeof(v));
	if (v != version)
		return -EOPNOTSUPP;
	for (size_t at = sizeof(v); at < size;) {
		struct entry *e = &a->e[a->n];

		if (a->n == ENTRIES)
			return -ENOSPC;
		if (size - at < 4)
			return -EINVAL;
		memcpy(&e->tag, p + at, 2);
		memcpy(&e->perm, p + at + 2, 2);
		e->id = ~0u;
		at += 4;
		if (whole || is_named(e->tag)) {
			if (size - at < 4)
				return -EINVAL;
			memcpy(&e->id, p + at, 4);
			at += 4;
		}
		a->n++;
	}
	return 0;
}

static size_t encode(const struct acl *a, char *p, u32 version, bool whole)
{
	size_t at = sizeof(version);

	memcpy(p, &version, sizeof(version));
	for (u32 k = 0; k < a->n; k++) {
		const struct entry *e = &a->e[k];

		memcpy(p + at, &e->tag, 2);
		memcpy(p + at + 2, &e->perm, 2);
		at += 4;
		if (whole || is_named(e->tag)) {
			memcpy(p + at, &e->id, 4);
			at += 4;
		}
	}
	return at;
}

/* Entries in the order of their tags, each once but named ones, and those that must be. */
static int check(const struct acl *a)
{
	u32 seen = 0, last = 0;

	for (u32 k = 0; k < a->n; k++) {
		const struct entry *e = &a->e[k];

		if (e->perm & ~7u)
			return -EINVAL;
		switch (e->tag) {
		case ACL_USER_OBJ:
		case ACL_GROUP_OBJ:
		case ACL_MASK:
		case ACL_OTHER:
			if (seen & e->tag)
				return -EINVAL;
			break;
		case ACL_USER:
		case ACL_GROUP:
			if (e->id == ~0u)
				return -EINVAL;
			break;
		default: return -EINVAL;
		}
		if (e->tag < last)
			return -EINVAL;
		last = e->tag;
		seen |= e->tag;
	}
	if (!(seen & ACL_USER_OBJ) || !(seen & ACL_GROUP_OBJ) || !(seen & ACL_OTHER))
		return -EINVAL;
	return (seen & (ACL_USER | ACL_GROUP)) && !(seen & ACL_MASK) ? -EINVAL : 0;
}

/* --- kept as attributes --- */

/* The list of @i. 0, -ENODATA (none), -EUCLEAN and so on. */
static int load(struct inode *i, u32 index, struct acl *a)
{
	char disk[4 + ENTRIES * 8];
	ssize_t n = ext_xattr_get(i, index, "", disk, sizeof(disk));

	if (n < 0)
		return (int)n;
	if (decode(a, disk, (size_t)n, DISK_VERSION, false) || check(a))
		return ext_bad(ext_sb_of(i->sb), i->ino, "a damaged access control list");
	return 0;
}

static int store(struct inode *i, u32 index, const struct acl *a)
{
	char disk[4 + ENTRIES * 8];
	int err;

	if (!a) {
		err = ext_xattr_set(i, index, "", NULL, 0, 0);
		return err == -ENODATA ? 0 : err;
	}
	err = ext_xattr_set(i, index, "", disk, encode(a, disk, DISK_VERSION, false), 0);
	if (!err)
		word_or(&i->flags, INODE_ACL);
	return err;
}

static struct entry *find(struct acl *a, u16 tag)
{
	for (u32 k = 0; k < a->n; k++)
		if (a->e[k].tag == tag)
			return &a->e[k];
	return NULL;
}

/* The nine bits that the list stands for; *simple: it says nothing more than they do. */
static u32 mode_of(struct acl *a, bool *simple)
{
	struct entry *group = find(a, ACL_MASK);

	*simple = a->n == 3;
	if (!group)
		group = find(a, ACL_GROUP_OBJ);
	return (u32)find(a, ACL_USER_OBJ)->perm << 6 | (u32)group->perm << 3 |
	       find(a, ACL_OTHER)->perm;
}

/* The list's share of a new mode. */
static void set_mode(struct acl *a, u32 mode)
{
	struct entry *group = find(a, ACL_MASK);

	if (!group)
		group = find(a, ACL_GROUP_OBJ);
	find(a, ACL_USER_OBJ)->perm = mode >> 6 & 7;
	group->perm = mode >> 3 & 7;
	find(a, ACL_OTHER)->perm = mode & 7;
}

static bool is_off(const struct inode *i)
{
	return ext_sb_of(i->sb)->opt.no_acl;
}

/* See ext.h. ctx: thread; holds: i->lock; sleeps. Bytes, -ENODATA, -ERANGE, -EOPNOTSUPP ... */
ssize_t ext_acl_get(struct inode *i, u32 index, void *buf, size_t size)
{
	char whole[4 + ENTRIES * 8];
	struct acl a;
	size_t n;
	int err = is_off(i) ? -EOPNOTSUPP : load(i, index, &a);

	if (err)
		return err;
	n = encode(&a, whole, POSIX_ACL_XATTR_VERSION, true);
	if (size && size < n)
		return -ERANGE;
	if (size)
		memcpy(buf, whole, n);
	return (ssize_t)n;
}

/* A new access list: its share of the mode with it. */
static int set_access(struct inode *i, struct acl *a)
{
	bool simple = false;
	u32 mode = i->mode;
	int err;

	if (a) {
		mode = (mode & ~0777u) | mode_of(a, &simple);
		if (!cred_in_group(current->cred, i->gid) &&
		    !cred_capable(current->cred, CAP_FSETID))
			mode &= ~(u32)S_ISGID;
	}
	err = store(i, EXT_XATTR_ACL_ACCESS, simple ? NULL : a);
	if (err)
		return err;
	WRITE_ONCE(i->mode, mode);
	return ext_inode_store(i);
}

/* See ext.h. @buf NULL: it goes. ctx: thread; holds: i->lock for writing; sleeps */
int ext_acl_set(struct inode *i, u32 index, const void *buf, size_t size)
{
	bool access = index == EXT_XATTR_ACL_ACCESS;
	struct acl a;
	int err = 0;

	if (is_off(i) || S_ISLNK(i->mode))
		return -EOPNOTSUPP;
	if (!inode_owner_or_capable(i))
		return -EPERM;
	if (!access && !S_ISDIR(i->mode))
		return buf ? -EACCES : 0;
	if (buf)
		err = decode(&a, buf, size, POSIX_ACL_XATTR_VERSION, true);
	if (!err && buf && !a.n)
		buf = NULL; /* a list of nothing: none */
	if (!err && buf)
		err = check(&a);
	if (err)
		return err;
	return access ? set_access(i, buf ? &a : NULL) : store(i, index, buf ? &a : NULL);
}

/* --- asked and inherited --- */

static int allow(u32 perm, u32 want)
{
	return want & ~perm & 7 ? -EACCES : 0;
}

/* Entries of groups that the thread is in: one that allows all is enough. */
static int check_groups(const struct acl *a, const struct inode *i, u32 mask, u32 want, bool *found)
{
	int err = -EACCES;

	for (u32 k = 0; k < a->n; k++) {
		const struct entry *e = &a->e[k];

		if (e->tag != ACL_GROUP && e->tag != ACL_GROUP_OBJ)
			continue;
		if (!cred_in_group(current->cred, e->tag == ACL_GROUP ? e->id : i->gid))
			continue;
		*found = true;
		if (!allow(e->perm & mask, want))
			err = 0;
	}
	return err;
}

/*
 * inode_ops.acl: may current, who does not own @i, do @want? ctx: thread; sleeps. 0, -EACCES,
 * -EAGAIN: there is no list
 */
int ext_acl_check(struct inode *i, u32 want)
{
	struct entry *mask;
	struct acl a;
	bool in_group = false;
	int err = is_off(i) ? -ENODATA : load(i, EXT_XATTR_ACL_ACCESS, &a);

	if (err)
		return err == -ENODATA ? -EAGAIN : err;
	mask = find(&a, ACL_MASK);
	for (u32 k = 0; k < a.n; k++)
		if (a.e[k].tag == ACL_USER && a.e[k].id == current->cred->fsuid)
			return allow(a.e[k].perm & (mask ? mask->perm : 7), want);
	err = check_groups(&a, i, mask ? mask->perm : 7, want, &in_group);
	return in_group ? err : allow(find(&a, ACL_OTHER)->perm, want);
}

/*
 * inode_ops.permission of directories: that there is one keeps walks from trusting the mode alone.
 */
int ext_acl_permission(struct inode *i, u32 mask)
{
	return 0;
}

/* inode_ops.default_acl: has the directory one to be inherited? ctx: thread; sleeps */
bool ext_acl_has_default(struct inode *dir)
{
	struct acl a;

	return !is_off(dir) && !load(dir, EXT_XATTR_ACL_DEFAULT, &a);
}

/*
 * What the new @i inherits from @dir, whose default list takes the place of the umask. ctx: thread;
 * sleeps. 0 or an error with which @i is not to be made
 */
int ext_acl_inherit(struct inode *i, struct inode *dir)
{
	struct acl a;
	bool simple;
	int err;

	if (!(dir->flags & INODE_ACL) || S_ISLNK(i->mode) || is_off(dir))
		return 0;
	err = load(dir, EXT_XATTR_ACL_DEFAULT, &a);
	if (err)
		return err == -ENODATA ? 0 : err;
	if (S_ISDIR(i->mode)) {
		err = store(i, EXT_XATTR_ACL_DEFAULT, &a);
		if (err)
			return err;
	}
	set_mode(&a, mode_of(&a, &simple) & i->mode);
	i->mode = (i->mode & ~0777u) | mode_of(&a, &simple);
	return simple ? 0 : store(i, EXT_XATTR_ACL_ACCESS, &a);
}

/* The mode of @i was changed. ctx: thread; holds: i->lock for writing; sleeps. 0 or -errno */
int ext_acl_chmod(struct inode *i)
{
	struct acl a;
	int err;

	if (!(i->flags & INODE_ACL) || is_off(i))
		return 0;
	err = load(i, EXT_XATTR_ACL_ACCESS, &a);
	if (err)
		return err == -ENODATA ? 0 : err;
	set_mode(&a, i->mode);
	return store(i, EXT_XATTR_ACL_ACCESS, &a);
}
