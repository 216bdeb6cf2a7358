/*
 * tmpfs: files in memory. Also the root file system, devtmpfs (devfs.c) and the home of files
 * without names (memfd).
 *
 * Contents of a regular file are its page cache, which has no fill and no write operation: absent
 * pages are holes and read as zeroes, present ones stay. Directories are two trees of entries, by
 * name and by readdir position (tmpfs_dir.c). A symlink's text and extended attributes are
 * kmalloc'ed.
 *
 * Life of an inode: each entry holds a reference, so the inode lives while it is linked, cached or
 * open; evict frees everything at once. Unmounting frees directories through a list instead of by
 * recursion.
 *
 * Limits: size= and nr_inodes= are counted in the superblock. Pages appear in the cache by write
 * and by faults of mappings; the count follows the cache (tmpfs_recount), so that faults need no
 * call per page. They count as committed memory, too (vm.overcommit_memory of proc(5)).
 *
 * Options: tmpfs(5).
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include "fs/namei.h"
#include "fs/tmpfs.h"
#include "fs/xattr_list.h"
#include "kernel/lib/sbuf.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

static struct kmem_cache *inode_cache; /* I after the first mount */
static struct mount *hidden_mount; /* I after the first use: files without names */
static struct mutex hidden_lock;

/* Settle the super's page count with what @i's cache holds now. ctx: thread; sleeps: no */
void tmpfs_recount(struct inode *i)
{
	struct tmpfs_inode *ti = tmpfs_of(i);
	u64 now = READ_ONCE(ti->cache.npages);
	u64 was = word_xchg(&ti->charged, now);

	if (now == was)
		return;
	__atomic_add_fetch(&tmpfs_sb(i->sb)->used_pages, now - was, __ATOMIC_RELAXED);
	vm_uncommit(was - now); /* more of them: that many promised */
}

static bool inode_charge(struct tmpfs_super *ts)
{
	u64 n = __atomic_add_fetch(&ts->used_inodes, 1, __ATOMIC_RELAXED);

	if (!ts->max_inodes || n <= ts->max_inodes)
		return true;
	__atomic_sub_fetch(&ts->used_inodes, 1, __ATOMIC_RELAXED);
	return false;
}

static void set_type_ops(struct inode *i, u64 rdev)
{
	struct tmpfs_inode *ti = tmpfs_of(i);

	i->ops = &tmpfs_file_inode_ops;
	switch (i->mode & S_IFMT) {
	case S_IFREG:
		pagecache_init(&ti->cache, &tmpfs_cache_ops, i);
		i->cache = &ti->cache;
		i->fops = &tmpfs_file_fops;
		break;
	case S_IFDIR:
		i->ops = &tmpfs_dir_ops;
		i->fops = &tmpfs_dir_fops;
		i->nlink = 2;
		i->size = 2 * TMPFS_ENTRY_SIZE; /* "." and ".." */
		rb_root_init(&ti->dir.by_name);
		rb_root_init(&ti->dir.by_pos);
		ti->dir.next_pos = TMPFS_POS_TOP;
		break;
	case S_IFLNK: i->ops = &tmpfs_link_ops; break;
	default: inode_init_special(i, rdev);
	}
}

/*
 * New inode of any type, owned as a file made in @dir (NULL: a root) by the current thread.
 * ctx: thread; sleeps. Returns 0, -ENOSPC (nr_inodes) or -ENOMEM.
 */
int tmpfs_inode_alloc(struct super *sb, const struct inode *dir, u32 mode, u64 rdev,
		      struct inode **out)
{
	struct tmpfs_super *ts = tmpfs_sb(sb);
	struct tmpfs_inode *ti;

	if (!inode_charge(ts))
		return -ENOSPC;
	ti = kmem_cache_alloc(inode_cache, 0);
	if (!ti) {
		__atomic_sub_fetch(&ts->used_inodes, 1, __ATOMIC_RELAXED);
		return -ENOMEM;
	}
	inode_init(&ti->vfs, sb, atomic_add_return(&ts->next_ino, 1), mode);
	inode_init_owner(&ti->vfs, dir, mode);
	ti->charged = 0;
	ti->xattrs = NULL;
	ti->seals = F_SEAL_SEAL;
	ti->link = NULL;
	ti->fsflags =
		dir ? tmpfs_of((struct inode *)(uintptr_t)dir)->fsflags & TMPFS_FL_INHERITED : 0;
	if (unlikely(ti->fsflags & FS_NOATIME_FL))
		ti->vfs.flags |= INODE_NOATIME;
	set_type_ops(&ti->vfs, rdev);
	*out = &ti->vfs;
	return 0;
}

/* inode_ops.fileattr. ctx: thread; holds: for setting, i->lock. 0 or -EOPNOTSUPP. */
int tmpfs_fileattr(struct inode *i, u32 *flags, bool set)
{
	struct tmpfs_inode *ti = tmpfs_of(i);
	u32 vfs = i->flags & ~(INODE_IMMUTABLE | INODE_APPEND | INODE_NOATIME);

	if (!set) {
		*flags = READ_ONCE(ti->fsflags);
		return 0;
	}
	if (*flags & ~(u32)TMPFS_FL_SETTABLE)
		return -EOPNOTSUPP;
	WRITE_ONCE(ti->fsflags, *flags);
	vfs |= *flags & FS_IMMUTABLE_FL ? INODE_IMMUTABLE : 0;
	vfs |= *flags & FS_APPEND_FL ? INODE_APPEND : 0;
	vfs |= *flags & FS_NOATIME_FL ? INODE_NOATIME : 0;
	WRITE_ONCE(i->flags, vfs);
	return 0;
}

static void tmpfs_evict(struct inode *i)
{
	struct tmpfs_inode *ti = tmpfs_of(i);
	struct tmpfs_super *ts = tmpfs_sb(i->sb);

	if (S_ISREG(i->mode)) {
		pagecache_fini(&ti->cache);
		__atomic_sub_fetch(&ts->used_pages, ti->charged, __ATOMIC_RELAXED);
		vm_uncommit(ti->charged);
	} else if (S_ISDIR(i->mode)) {
		tmpfs_dir_drain(ti);
	} else if (S_ISLNK(i->mode)) {
		kfree(ti->link);
	}
	xattr_list_free(ti->xattrs);
	__atomic_sub_fetch(&ts->used_inodes, 1, __ATOMIC_RELAXED);
	kmem_cache_free(inode_cache, ti);
}

static int tmpfs_statfs(struct super *sb, struct kstatfs *st)
{
	struct tmpfs_super *ts = tmpfs_sb(sb);
	u64 used = READ_ONCE(ts->used_pages), inodes = READ_ONCE(ts->used_inodes);

	st->bsize = PAGE_SIZE;
	st->blocks = ts->max_pages;
	st->bfree = st->bavail = used < ts->max_pages ? ts->max_pages - used : 0;
	st->files = ts->max_inodes;
	st->ffree = inodes < ts->max_inodes ? ts->max_inodes - inodes : 0;
	return 0;
}

/* Bytes with suffix, or a percentage of memory, in pages. */
static int parse_pages(const char *v, u64 *out)
{
	struct pmm_stats st;
	const char *end;
	u64 n;
	int err = str_to_u64(v, &end, 0, &n);

	if (err)
		return -EINVAL;
	switch (*end) {
	case '%':
		pmm_get_stats(&st);
		*out = n > 1000000 ? st.total : n * st.total / 100;
		return end[1] ? -EINVAL : 0;
	case 'g':
	case 'G':
		n <<= 10; /* fall through */
		__attribute__((fallthrough));
	case 'm':
	case 'M': n <<= 10; __attribute__((fallthrough));
	case 'k':
	case 'K': n <<= 10; end++;
	}
	*out = DIV_ROUND_UP(n, PAGE_SIZE);
	return *end ? -EINVAL : 0;
}

static int parse_number(const char *v, u32 base, u64 max, u64 *out)
{
	const char *end;
	u64 n;

	if (str_to_u64(v, &end, base, &n))
		return -EINVAL;
	if (base == 0 && (*end == 'k' || *end == 'K')) {
		n <<= 10;
		end++;
	}
	if (*end || n > max)
		return -EINVAL;
	*out = n;
	return 0;
}

/* Options that take a value. */
static bool is_known(const char *name)
{
	static const char *const names[] = { "size", "nr_blocks", "nr_inodes", "huge",
					     "mode", "uid",	  "gid" };

	for (u32 k = 0; k < ARRAY_SIZE(names); k++)
		if (!strcmp(names[k], name))
			return true;
	return false;
}

/* One option "name=value"; @v NULL: bare. 0, -EINVAL; -ENOENT: not known */
static int set_option(struct tmpfs_super *ts, const char *name, const char *v)
{
	u64 n;
	int err;

	if (!strcmp(name, "inode64") || !strcmp(name, "inode32") || !strcmp(name, "noswap"))
		return v ? -EINVAL : 0;
	if (!v)
		return is_known(name) ? -EINVAL : -ENOENT;
	if (!strcmp(name, "size"))
		return parse_pages(v, &ts->max_pages);
	if (!strcmp(name, "nr_blocks"))
		return parse_number(v, 0, ~0ULL >> PAGE_SHIFT, &ts->max_pages);
	if (!strcmp(name, "nr_inodes"))
		return parse_number(v, 0, ~0ULL >> 1, &ts->max_inodes);
	if (!strcmp(name, "huge"))
		return strcmp(v, "never") ? -EINVAL : 0;
	if (!strcmp(name, "mode")) {
		err = parse_number(v, 8, 07777, &n);
		ts->mode = err ? ts->mode : (u32)n;
		return err;
	}
	if (!strcmp(name, "uid") || !strcmp(name, "gid")) {
		err = parse_number(v, 10, 0xfffffffe, &n);
		if (!err)
			*(name[0] == 'u' ? &ts->uid : &ts->gid) = (u32)n;
		return err;
	}
	return -ENOENT;
}

/* One option: "name" or "name=value". */
static int parse_option(void *arg, char *name)
{
	char *v = strchr(name, '=');
	u32 set, clear;
	int err;

	if (v)
		*v++ = '\0';
	err = vfs_common_option(name, &set, &clear) ? 0 : set_option(arg, name, v);
	return err == -ENOENT ? -EINVAL : err;
}

static int tmpfs_check_option(const char *name, const char *v)
{
	struct tmpfs_super scratch = { 0 };

	return set_option(&scratch, name, v);
}

static int parse_options(struct tmpfs_super *ts, const char *data)
{
	return vfs_each_option(data, parse_option, ts);
}

static int tmpfs_remount(struct super *sb, u32 flags, const char *data)
{
	struct tmpfs_super *ts = tmpfs_sb(sb), n = *ts;
	int err = parse_options(&n, data);

	if (err)
		return err;
	if ((n.max_pages && n.max_pages < READ_ONCE(ts->used_pages)) ||
	    (n.max_inodes && n.max_inodes < READ_ONCE(ts->used_inodes)))
		return -EINVAL;
	WRITE_ONCE(ts->max_pages, n.max_pages);
	WRITE_ONCE(ts->max_inodes, n.max_inodes);
	return 0;
}

static void tmpfs_show_options(struct super *sb, struct sbuf *out)
{
	struct tmpfs_super *ts = tmpfs_sb(sb);

	if (ts->max_pages != ts->default_pages)
		sbuf_printf(out, ",size=%lluk",
			    (unsigned long long)ts->max_pages << (PAGE_SHIFT - 10));
	if (ts->max_inodes != ts->default_inodes)
		sbuf_printf(out, ",nr_inodes=%llu", (unsigned long long)ts->max_inodes);
	if (ts->mode != 01777)
		sbuf_printf(out, ",mode=%03o", ts->mode);
	if (ts->uid)
		sbuf_printf(out, ",uid=%u", ts->uid);
	if (ts->gid)
		sbuf_printf(out, ",gid=%u", ts->gid);
	sbuf_puts(out, ",inode64");
}

static void tmpfs_put_super(struct super *sb)
{
	kfree(sb->priv);
}

const struct super_ops tmpfs_super_ops = {
	.evict = tmpfs_evict,
	.statfs = tmpfs_statfs,
	.remount = tmpfs_remount,
	.put_super = tmpfs_put_super,
	.show_options = tmpfs_show_options,
};

static int make_root(struct super *sb)
{
	struct tmpfs_super *ts = tmpfs_sb(sb);
	struct inode *i;
	int err = tmpfs_inode_alloc(sb, NULL, S_IFDIR | ts->mode, 0, &i);

	if (err)
		return err;
	i->uid = ts->uid;
	i->gid = ts->gid;
	sb->root = dentry_make_root(i, sb);
	return sb->root ? 0 : -ENOMEM;
}

/*
 * A tmpfs instance with its root of @mode unless the options say otherwise.
 * ctx: thread; sleeps. Returns 0, -EINVAL (options) or -ENOMEM.
 */
int tmpfs_super_create(const struct fs_type *t, const char *data, u32 mode, struct super **out)
{
	struct super *sb = super_alloc(t, TMPFS_MAGIC, &tmpfs_super_ops);
	struct tmpfs_super *ts = kzalloc(sizeof(*ts), 0);
	struct pmm_stats st;
	int err = -ENOMEM;

	if (!inode_cache) /* the first call is at boot, alone */
		inode_cache = kmem_cache_create("tmpfs_inode", sizeof(struct tmpfs_inode), 64);
	if (!sb || !ts)
		goto free;
	sb->priv = ts;
	sb->has_btime = true;
	sb->handles = true;
	pmm_get_stats(&st);
	ts->max_pages = ts->default_pages = st.total / 2;
	ts->max_inodes = ts->default_inodes = st.total / 2;
	ts->mode = mode;
	ts->uid = current->cred->fsuid;
	ts->gid = current->cred->fsgid;
	err = parse_options(ts, data);
	if (err)
		goto free;
	vfs_register_super(sb);
	err = make_root(sb);
	if (err)
		goto free;
	*out = sb;
	return 0;
free:
	kfree(ts);
	kfree(sb);
	return err;
}

static int tmpfs_mount(const struct fs_type *t, const char *source, u32 flags, const char *data,
		       struct super **out)
{
	return tmpfs_super_create(t, data, 01777, out);
}

static int rootfs_mount(const struct fs_type *t, const char *source, u32 flags, const char *data,
			struct super **out)
{
	return tmpfs_super_create(t, data, 0755, out);
}

FS_TYPE(tmpfs, .flags = FS_NODEV, .mount = tmpfs_mount, .check_option = tmpfs_check_option);
FS_TYPE(ramfs, .flags = FS_NODEV, .mount = rootfs_mount);
const struct fs_type fs_rootfs = { .name = "rootfs", .flags = FS_NODEV, .mount = rootfs_mount };

/* The kernel's own instance, without limits, made at the first use. */
static int hidden_get(struct mount **out)
{
	struct super *sb;
	int err = 0;

	mutex_lock(&hidden_lock);
	if (!hidden_mount) {
		err = tmpfs_super_create(&fs_rootfs, "nr_blocks=0,nr_inodes=0", 0700, &sb);
		if (!err)
			err = mount_create_internal(sb, &hidden_mount);
	}
	*out = hidden_mount;
	mutex_unlock(&hidden_lock);
	return err;
}

/*
 * Open file of @size bytes without a name in any directory; /proc shows it as "@name (deleted)".
 * ctx: thread; sleeps. Returns 0 with *out open for reading and writing, or -ENOMEM.
 */
int tmpfs_make_unlinked(const char *name, u64 size, struct file **out)
{
	struct path p;
	struct qname q = { name, (u32)strlen(name), 0 };
	struct inode *i;
	int err;

	err = hidden_get(&p.mnt);
	if (!err)
		err = tmpfs_inode_alloc(p.mnt->sb, NULL, S_IFREG | 0777, 0, &i);
	if (err)
		return err;
	i->nlink = 0;
	i->size = i->cache->size = size;
	err = dentry_alloc(p.mnt->sb, NULL, &q, i, &p.dentry);
	if (err) {
		inode_put(i);
		return err;
	}
	err = file_open_path(&p, O_RDWR, out);
	dentry_put(p.dentry);
	return err;
}

/* Boot. ctx: boot thread */
void tmpfs_init(void)
{
	mutex_init(&hidden_lock, RANK_MODULE);
}
