/*
 * Mounting ext2: the superblock, what it must be like, options, figures.
 *
 * The superblock lies at byte 1024. Everything that later code relies on is checked here once: block
 * and inode sizes, counts that fit each other, groups that cover the blocks, all within the
 * device. Features come in three sets: an unknown incompatible one refuses the mount by name; an
 * unknown read-only one does not matter to a mount that only reads; compatible ones never do.
 *
 * This driver reads only: a mount must ask for ro, as for any medium that cannot be written.
 *
 * The device is claimed by the mount; a second mount of it shares the superblock.
 */
#include <linux/errno.h>
#include <linux/mount.h>
#include "fs/ext/ext.h"
#include "fs/namei.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

#define KNOWN_INCOMPAT EXT_INCOMPAT_FILETYPE

/* i: guarded by mounts_lock. */
static struct mutex mounts_lock = MUTEX_INIT(mounts_lock, RANK_SUPERS);
static struct super *mounted[32]; /* i: no references */

/* See ext.h. ctx: thread; sleeps: no */
int ext_bad(const struct ext_sb *s, u64 ino, const char *fmt, ...)
{
	char text[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (s->on_error == EXT_ERRORS_PANIC)
		panic_plain("ext2: %s: inode %llu: %s (errors=panic)", s->bdev->name,
			    (unsigned long long)ino, text);
	log_limited(LOG_ERR, "ext2: %s: inode %llu: %s", s->bdev->name, (unsigned long long)ino,
		    text);
	return -EUCLEAN;
}

/* --- the superblock --- */

static const char *incompat_name(u32 bit)
{
	static const char *const names[] = {
		"compression",
		"filetype",
		"needs_recovery",
		"journal_dev",
		"meta_bg",
		NULL,
		"extents",
		"64bit",
		"mmp",
		"flex_bg",
		"ea_inode",
		NULL,
		"dirdata",
		"metadata_csum_seed",
		"large_dir",
		"inline_data",
		"encrypt",
		"casefold",
	};

	return bit < ARRAY_SIZE(names) && names[bit] ? names[bit] : "unknown";
}

/* Names every feature that keeps it from being mounted. */
static int check_features(const struct ext_sb *s)
{
	u32 unknown = s->incompat & ~KNOWN_INCOMPAT;

	if (!unknown)
		return 0;
	for (u32 bit = 0; bit < 32; bit++)
		if (unknown >> bit & 1)
			log_err("ext2: %s: needs the feature %s (incompat 0x%x), which is not known here",
				s->bdev->name, incompat_name(bit), 1u << bit);
	return -EINVAL;
}

static const char *check_sizes(const struct ext_super_disk *d)
{
	u32 bs = 1024u << d->log_block_size, isize = d->rev_level ? d->inode_size : EXT_INODE_OLD;

	if (d->first_data_block != (bs == 1024))
		return "first data block";
	if (isize < EXT_INODE_OLD || isize > bs || (isize & (isize - 1)))
		return "inode size";
	if (d->blocks_per_group < 8 || d->blocks_per_group > 8 * bs)
		return "blocks per group";
	if (d->inodes_per_group < bs / isize || d->inodes_per_group > 8 * bs)
		return "inodes per group";
	if (d->blocks_count <= d->first_data_block + 1)
		return "count of blocks";
	if (d->free_blocks_count > d->blocks_count || d->free_inodes_count > d->inodes_count)
		return "free count";
	if (d->r_blocks_count > d->blocks_count)
		return "count of reserved blocks";
	if (d->rev_level && d->first_ino < 11)
		return "first inode";
	return NULL;
}

static const char *check_super(const struct ext_super_disk *d, u64 device_bytes)
{
	const char *fault;
	u64 groups;

	if (d->log_block_size > 2)
		return "block size";
	fault = check_sizes(d);
	if (fault)
		return fault;
	groups = DIV_ROUND_UP((u64)d->blocks_count - d->first_data_block, d->blocks_per_group);
	if (groups * d->inodes_per_group != d->inodes_count)
		return "count of inodes";
	if ((u64)d->blocks_count << (10 + d->log_block_size) > device_bytes)
		return "count of blocks, which the device has not";
	return NULL;
}

static u32 overhead_of(const struct ext_sb *s, const struct ext_super_disk *d)
{
	u32 table = DIV_ROUND_UP(s->inodes_per_group, s->inodes_per_block);
	u32 descriptors =
		DIV_ROUND_UP(s->ngroups * (u32)sizeof(struct ext_group_disk), s->block_size);
	u32 n = s->first_block;

	for (u32 g = 0; g < s->ngroups; g++) {
		if (ext_group_has_super(s, g))
			n += 1 + descriptors + d->reserved_gdt_blocks;
		n += 2 + table;
	}
	return MIN(n, s->blocks_count);
}

static void take_super(struct ext_sb *s, const struct ext_super_disk *d)
{
	s->block_bits = 10 + d->log_block_size;
	s->block_size = 1u << s->block_bits;
	s->inodes_count = d->inodes_count;
	s->blocks_count = d->blocks_count;
	s->first_block = d->first_data_block;
	s->blocks_per_group = d->blocks_per_group;
	s->inodes_per_group = d->inodes_per_group;
	s->ngroups =
		(u32)DIV_ROUND_UP((u64)d->blocks_count - d->first_data_block, d->blocks_per_group);
	s->inode_size = d->rev_level ? d->inode_size : EXT_INODE_OLD;
	s->inodes_per_block = s->block_size / s->inode_size;
	s->first_ino = d->rev_level ? d->first_ino : 11;
	s->reserved = d->r_blocks_count;
	s->free_blocks = d->free_blocks_count;
	s->free_inodes = d->free_inodes_count;
	memcpy(s->uuid, d->uuid, sizeof(s->uuid));
	if (!s->error_option)
		s->on_error = d->errors >= EXT_ERRORS_CONTINUE && d->errors <= EXT_ERRORS_PANIC
				      ? (enum ext_errors)d->errors
				      : EXT_ERRORS_CONTINUE;
	if (d->rev_level) {
		s->compat = d->feature_compat;
		s->incompat = d->feature_incompat;
		s->ro_compat = d->feature_ro_compat;
	}
	s->overhead = overhead_of(s, d);
}

static int read_super(struct ext_sb *s, bool silent)
{
	struct page *p;
	const struct ext_super_disk *d;
	const char *fault;
	int err;

	if (blkdev_bytes(s->bdev) < EXT_SUPER_OFFSET + sizeof(*d))
		return -EINVAL;
	err = pagecache_get(blkdev_cache(s->bdev), 0, &p);
	if (err)
		return err;
	d = (const void *)((char *)page_to_va(p) + EXT_SUPER_OFFSET);
	err = -EINVAL;
	if (d->magic != EXT_MAGIC) {
		if (!silent)
			log_err("ext2: %s: there is no ext2 file system on it", s->bdev->name);
		goto put;
	}
	fault = check_super(d, blkdev_bytes(s->bdev));
	if (fault) {
		log_err("ext2: %s: the superblock has a bad %s", s->bdev->name, fault);
		goto put;
	}
	take_super(s, d);
	err = check_features(s);
	if (!err && (!(d->state & EXT_VALID) || (d->state & EXT_ERRORS)))
		log_warn("ext2: %s: not cleanly unmounted, or with errors: e2fsck is advised",
			 s->bdev->name);
put:
	page_put(p);
	return err;
}

/* --- options --- */

static int parse_option(struct ext_sb *s, const char *o)
{
	static const char *const without_effect[] = {
		"",	      "acl",	     "user_xattr",    "debug",	   "nocheck",
		"check=none", "bsddf",	     "grpid",	      "bsdgroups", "nogrpid",
		"sysvgroups", "reservation", "noreservation",
	};

	s->error_option |= str_begins(o, "errors=");
	if (!strcmp(o, "errors=continue"))
		s->on_error = EXT_ERRORS_CONTINUE;
	else if (!strcmp(o, "errors=remount-ro"))
		s->on_error = EXT_ERRORS_RO;
	else if (!strcmp(o, "errors=panic"))
		s->on_error = EXT_ERRORS_PANIC;
	else if (!strcmp(o, "minixdf"))
		s->minixdf = true;
	else if (!strcmp(o, "nouid32"))
		s->no_uid32 = true;
	else if (!strcmp(o, "nouser_xattr"))
		s->no_user_xattr = true;
	else if (!strcmp(o, "noacl"))
		s->no_acl = true;
	else {
		for (u32 i = 0; i < ARRAY_SIZE(without_effect); i++)
			if (!strcmp(o, without_effect[i]))
				return 0;
		log_err("ext2: the option %s is not known", o);
		return -EINVAL;
	}
	return 0;
}

static int parse_options(struct ext_sb *s, const char *data)
{
	char *copy, *o, *comma;
	int err = 0;

	if (!data || !*data)
		return 0;
	copy = kstrdup(data, 0);
	if (!copy)
		return -ENOMEM;
	for (o = copy; o && !err; o = comma) {
		comma = strchr(o, ',');
		if (comma)
			*comma++ = '\0';
		err = parse_option(s, o);
	}
	kfree(copy);
	return err;
}

static void ext_show_options(struct super *sb, struct sbuf *out)
{
	static const char *const policies[] = { "", "continue", "remount-ro", "panic" };
	const struct ext_sb *s = ext_sb_of(sb);

	if (s->error_option)
		sbuf_printf(out, ",errors=%s", policies[s->on_error]);
	if (s->minixdf)
		sbuf_puts(out, ",minixdf");
	if (s->no_uid32)
		sbuf_puts(out, ",nouid32");
	if (s->no_user_xattr)
		sbuf_puts(out, ",nouser_xattr");
	if (s->no_acl)
		sbuf_puts(out, ",noacl");
}

/* --- superblock operations --- */

static int ext_statfs(struct super *sb, struct kstatfs *st)
{
	const struct ext_sb *s = ext_sb_of(sb);
	u64 half[2];

	st->type = EXT_MAGIC;
	st->bsize = st->frsize = s->block_size;
	st->blocks = s->blocks_count - (s->minixdf ? 0 : s->overhead);
	st->bfree = s->free_blocks;
	st->bavail = s->free_blocks > s->reserved ? s->free_blocks - s->reserved : 0;
	st->files = s->inodes_count;
	st->ffree = s->free_inodes;
	st->namelen = EXT_NAME_MAX;
	memcpy(half, s->uuid, sizeof(half));
	st->fsid = half[0] ^ half[1];
	return 0;
}

static int ext_remount(struct super *sb, u32 flags, const char *data)
{
	return flags & MS_RDONLY ? 0 : -EROFS;
}

static void forget_mounted(const struct super *sb)
{
	mutex_lock(&mounts_lock);
	for (u32 i = 0; i < ARRAY_SIZE(mounted); i++)
		if (mounted[i] == sb)
			mounted[i] = NULL;
	mutex_unlock(&mounts_lock);
}

static void ext_put_super(struct super *sb)
{
	struct ext_sb *s = ext_sb_of(sb);

	forget_mounted(sb);
	blkdev_put(s->bdev, s->how);
	kfree(s);
}

static const struct super_ops ext_super_ops = {
	.evict = ext_evict,
	.statfs = ext_statfs,
	.remount = ext_remount,
	.put_super = ext_put_super,
	.show_options = ext_show_options,
};

/* --- mounting --- */

/* The block device that @source names. */
static int find_device(const char *source, struct blkdev **out)
{
	struct path p, cwd;
	struct inode *i;
	int err;

	if (!source || !*source)
		return -EINVAL;
	fsctx_get_cwd(&cwd);
	err = path_lookup(&cwd, source, LOOKUP_FOLLOW, &p);
	path_put(&cwd);
	if (err)
		return err;
	i = dentry_inode(p.dentry);
	if (!S_ISBLK(i->mode)) {
		err = -ENOTBLK;
	} else if (p.mnt->flags & MS_NODEV) {
		err = -EACCES;
	} else {
		*out = blkdev_find(i->rdev);
		err = *out ? 0 : -ENXIO;
	}
	path_put(&p);
	return err;
}

static struct ext_sb *sb_alloc(struct blkdev *bdev)
{
	struct ext_sb *s = kzalloc(sizeof(*s), 0);

	if (!s)
		return NULL;
	s->bdev = bdev;
	s->how = BLK_EXCL;
	spin_init(&s->lock, RANK_SPIN_OUTER);
	for (u32 i = 0; i < EXT_BUCKETS; i++)
		list_init(&s->inodes[i]);
	return s;
}

/* The superblock over @s, with its root. On failure @s is as before. */
static int make_super(const struct fs_type *t, struct ext_sb *s, struct super **out)
{
	struct super *sb = super_alloc(t, EXT_MAGIC, &ext_super_ops);
	struct inode *root;
	int err;

	if (!sb)
		return -ENOMEM;
	s->sb = sb;
	sb->priv = s;
	sb->dev = s->bdev->dev;
	sb->blksize = s->block_size;
	sb->max_size = ext_max_size(s);
	sb->flags = MS_RDONLY;
	strlcpy(sb->source, s->bdev->name, sizeof(sb->source));
	err = ext_iget(sb, EXT_ROOT_INO, &root);
	if (err)
		goto free_sb;
	err = S_ISDIR(root->mode) ? 0 : ext_bad(s, EXT_ROOT_INO, "the root is no directory");
	if (err) {
		inode_put(root);
		goto free_sb;
	}
	sb->root = dentry_make_root(root, sb);
	if (!sb->root) {
		err = -ENOMEM;
		goto free_sb;
	}
	*out = sb;
	return vfs_register_super(sb);
free_sb:
	kfree(sb);
	return err;
}

static int mount_new(const struct fs_type *t, struct blkdev *bdev, u32 flags, const char *data,
		     struct super **out)
{
	struct ext_sb *s = sb_alloc(bdev);
	int err;

	if (!s)
		return -ENOMEM;
	err = parse_options(s, data);
	if (!err && !(flags & MS_RDONLY))
		err = -EROFS;
	if (err)
		goto free_s;
	err = blkdev_get(bdev, s->how, s);
	if (err)
		goto free_s;
	err = read_super(s, flags & MS_SILENT);
	if (!err)
		err = make_super(t, s, out);
	if (!err)
		return 0;
	blkdev_put(bdev, s->how);
free_s:
	kfree(s);
	return err;
}

/* The superblock that is mounted from @bdev already, with a reference. holds: mounts_lock */
static struct super *find_mounted(const struct blkdev *bdev, u32 *slot)
{
	*slot = ARRAY_SIZE(mounted);
	for (u32 i = 0; i < ARRAY_SIZE(mounted); i++) {
		if (!mounted[i])
			*slot = i;
		else if (ext_sb_of(mounted[i])->bdev == bdev &&
			 ref_get_unless_zero(&mounted[i]->refs))
			return mounted[i];
	}
	return NULL;
}

static int ext_mount(const struct fs_type *t, const char *source, u32 flags, const char *data,
		     struct super **out)
{
	struct blkdev *bdev;
	struct super *sb;
	u32 slot;
	int err = find_device(source, &bdev);

	if (err)
		return err;
	mutex_lock(&mounts_lock);
	sb = find_mounted(bdev, &slot);
	if (sb) {
		*out = sb;
		if (!(flags & MS_RDONLY)) {
			mutex_unlock(&mounts_lock);
			super_put(sb);
			return -EBUSY;
		}
	} else if (slot == ARRAY_SIZE(mounted)) {
		err = -EMFILE;
	} else {
		err = mount_new(t, bdev, flags, data, out);
		if (!err)
			mounted[slot] = *out;
	}
	mutex_unlock(&mounts_lock);
	return err;
}

FS_TYPE(ext2, .mount = ext_mount);
