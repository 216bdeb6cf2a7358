/*
 * Mounting ext2: the superblock, what it must be like, options, figures.
 *
 * The superblock lies at byte 1024. Everything that later code relies on is checked here once:
 * block and inode sizes, counts that fit each other, groups that cover the blocks, all within the
 * device. Features come in three sets: an unknown incompatible one refuses the mount by name; an
 * unknown read-only one makes the mount one that only reads; compatible ones never matter.
 *
 * A mount for writing takes the mark of cleanness off the superblock before anything else, sums up
 * the groups' counts, and frees what was left without a name; unmounting, or going back to reading,
 * writes all there is and puts the mark back, if it was there.
 *
 * The device is claimed by the mount; a second mount of it shares the superblock. What others wrote
 * to the device through its own cache is written and forgotten before the superblock is read.
 */
#include <linux/errno.h>
#include <linux/mount.h>
#include "fs/ext/ext.h"
#include "fs/namei.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/base/rand.h"
#include "kernel/base/time.h"
#include "kernel/lib/bitmap.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

#define KNOWN_INCOMPAT EXT_INCOMPAT_FILETYPE
#define KNOWN_RO (EXT_RO_SPARSE_SUPER | EXT_RO_LARGE_FILE | EXT_RO_BTREE_DIR)

/* i: guarded by mounts_lock. */
static struct mutex mounts_lock = MUTEX_INIT(mounts_lock, RANK_SUPERS);
static struct super *mounted[32]; /* i: no references */

#define TABLE_MIN 256u /* lists of inodes in memory */
#define TABLE_MAX 16384u

/* See ext.h. ctx: thread; sleeps: no */
int ext_bad(struct ext_sb *s, u64 ino, const char *fmt, ...)
{
	char text[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (s->opt.on_error == EXT_ERRORS_PANIC)
		panic_plain("ext2: %s: inode %llu: %s (errors=panic)", s->bdev->name,
			    (unsigned long long)ino, text);
	log_limited(LOG_ERR, "ext2: %s: inode %llu: %s", s->bdev->name, (unsigned long long)ino,
		    text);
	if (!READ_ONCE(s->writable))
		return -EUCLEAN;
	__atomic_fetch_or(&s->disk->state, EXT_ERRORS, __ATOMIC_RELAXED);
	ext_super_dirty(s);
	if (s->opt.on_error == EXT_ERRORS_RO &&
	    __atomic_exchange_n(&s->writable, false, __ATOMIC_RELAXED)) {
		s->failed = true;
		log_err("ext2: %s: is read-only from here on (errors=remount-ro)", s->bdev->name);
		word_or(&s->sb->flags, MS_RDONLY);
	}
	return -EUCLEAN;
}

/* See ext.h. ctx: thread; sleeps: no */
void ext_super_dirty(struct ext_sb *s)
{
	struct ext_buf b = { s->super_page, s->disk };

	ext_buf_dirty(s, &b);
}

/* See ext.h. ctx: thread; sleeps */
void ext_super_store(struct ext_sb *s)
{
	mutex_lock(&s->super_lock);
	s->disk->free_blocks_count = __atomic_load_n(&s->free_blocks, __ATOMIC_RELAXED);
	s->disk->free_inodes_count = __atomic_load_n(&s->free_inodes, __ATOMIC_RELAXED);
	s->disk->wtime = (u32)(time_wall() / NSEC_PER_SEC);
	mutex_unlock(&s->super_lock);
	ext_super_dirty(s);
}

/* A feature that the file system did not have. ctx: thread; sleeps */
static void add_features(struct ext_sb *s, u32 compat, u32 ro_compat)
{
	mutex_lock(&s->super_lock);
	s->disk->feature_compat |= compat;
	s->disk->feature_ro_compat |= ro_compat;
	WRITE_ONCE(s->ro_compat, s->ro_compat | ro_compat);
	WRITE_ONCE(s->compat, s->compat | compat);
	mutex_unlock(&s->super_lock);
	ext_super_dirty(s);
}

/* See ext.h. ctx: thread; sleeps */
int ext_need_large_file(struct ext_sb *s, u64 size)
{
	if (likely(size <= 0x7fffffff || (READ_ONCE(s->ro_compat) & EXT_RO_LARGE_FILE)))
		return 0;
	if (!s->rev)
		return -EFBIG;
	add_features(s, 0, EXT_RO_LARGE_FILE);
	return 0;
}

/* See ext.h. ctx: thread; sleeps */
void ext_need_xattr(struct ext_sb *s)
{
	if (unlikely(!(READ_ONCE(s->compat) & EXT_COMPAT_EXT_ATTR)))
		add_features(s, EXT_COMPAT_EXT_ATTR, 0);
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
			log_err("ext2: %s: needs the feature %s (incompat 0x%x), "
				"which is not known here",
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

static const char *check_super(const struct ext_super_disk *d, const struct blkdev *b, u64 at)
{
	const char *fault;
	u64 groups;

	if (d->log_block_size > 2)
		return "block size";
	if (1024u << d->log_block_size < b->disk->limits.block)
		return "block size, less than the device's";
	fault = check_sizes(d);
	if (fault)
		return fault;
	groups = DIV_ROUND_UP((u64)d->blocks_count - d->first_data_block, d->blocks_per_group);
	/* The descriptors must fit behind the superblock, also those kept for growing. */
	if (1 + (at >> (10 + d->log_block_size)) +
		    DIV_ROUND_UP(groups * sizeof(struct ext_group_disk),
				 1024u << d->log_block_size) +
		    d->reserved_gdt_blocks >=
	    d->blocks_count)
		return "count of descriptors";
	if (groups * d->inodes_per_group != d->inodes_count)
		return "count of inodes";
	if ((u64)d->blocks_count << (10 + d->log_block_size) > blkdev_bytes(b))
		return "count of blocks, which the device has not";
	return NULL;
}

static u32 overhead_of(const struct ext_sb *s)
{
	u64 n = s->first_block;

	for (u32 g = 0; g < s->ngroups; g++)
		n += 2 + ext_table_blocks(s) + (ext_group_has_super(s, g) ? 1 + s->gdt_blocks : 0);
	return (u32)MIN(n, (u64)s->blocks_count);
}

/* Byte of the device at which the superblock is that is used. */
static u64 super_at(const struct ext_sb *s)
{
	return s->opt.sb ? (u64)s->opt.sb * EXT_SUPER_OFFSET : EXT_SUPER_OFFSET;
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
	if (!s->opt.resuid)
		s->opt.resuid = d->def_resuid;
	if (!s->opt.resgid)
		s->opt.resgid = d->def_resgid;
	if (!s->opt.error_option)
		s->opt.on_error = d->errors >= EXT_ERRORS_CONTINUE && d->errors <= EXT_ERRORS_PANIC
					  ? (enum ext_errors)d->errors
					  : EXT_ERRORS_CONTINUE;
	if (d->rev_level) {
		s->compat = d->feature_compat;
		s->incompat = d->feature_incompat;
		s->ro_compat = d->feature_ro_compat;
	}
	s->rev = d->rev_level;
	s->gdt_blocks =
		DIV_ROUND_UP(s->ngroups * (u32)sizeof(struct ext_group_disk), s->block_size) +
		d->reserved_gdt_blocks;
	s->super_block = (u32)(super_at(s) >> s->block_bits);
	s->overhead = overhead_of(s);
}

static int read_super(struct ext_sb *s, bool silent)
{
	struct page *p;
	const struct ext_super_disk *d;
	const char *fault;
	int err;

	if (blkdev_bytes(s->bdev) < super_at(s) + sizeof(*d))
		return -EINVAL;
	err = pagecache_get(blkdev_cache(s->bdev), super_at(s) >> PAGE_SHIFT, &p);
	if (err)
		return err;
	d = (const void *)((char *)page_to_va(p) + (super_at(s) & PAGE_MASK));
	err = -EINVAL;
	if (d->magic != EXT_MAGIC) {
		if (!silent)
			log_err("ext2: %s: there is no ext2 file system on it", s->bdev->name);
		goto put;
	}
	fault = check_super(d, s->bdev, super_at(s));
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

/* --- writing begins and ends --- */

static const char *ro_name(u32 bit)
{
	static const char *const names[] = { "sparse_super", "large_file",    "btree_dir",
					     "huge_file",    "uninit_bg",     "dir_nlink",
					     "extra_isize",  "snapshot",      "quota",
					     "bigalloc",     "metadata_csum", "replica",
					     "read-only",    "project",	      "shared_blocks",
					     "verity" };

	return bit < ARRAY_SIZE(names) ? names[bit] : "unknown";
}

/* Names every feature that keeps it from being written. True: there is one. */
static bool must_not_write(const struct ext_sb *s)
{
	u32 unknown = s->ro_compat & ~KNOWN_RO;

	for (u32 bit = 0; bit < 32; bit++)
		if (unknown >> bit & 1)
			log_warn("ext2: %s: is not written to because of the feature %s "
				 "(ro_compat 0x%x)",
				 s->bdev->name, ro_name(bit), 1u << bit);
	return unknown;
}

/* The mark of cleanness, on or off; what is in memory goes with it. */
static int mark(struct ext_sb *s, bool clean)
{
	mutex_lock(&s->super_lock);
	if (clean && s->was_valid)
		s->disk->state |= EXT_VALID;
	if (!clean) {
		s->was_valid = s->disk->state & EXT_VALID;
		s->disk->state &= (u16)~EXT_VALID;
		s->disk->mnt_count++;
		s->disk->mtime = (u32)(time_wall() / NSEC_PER_SEC);
	}
	mutex_unlock(&s->super_lock);
	ext_super_store(s);
	return ext_meta_sync(s);
}

/* ctx: thread, mounting; sleeps. 0, -EUCLEAN, -EIO, -ENOMEM */
static int start_writing(struct ext_sb *s)
{
	int err = ext_groups_count(s), n;

	if (err)
		return err;
	if (!s->checked)
		s->checked = kcalloc(BITMAP_WORDS(s->ngroups), sizeof(u64), 0);
	if (!s->checked)
		return -ENOMEM;
	err = mark(s, false);
	if (err)
		return err;
	WRITE_ONCE(s->writable, true);
	/* Those of an earlier time of writing by this mount are in use still. */
	n = list_empty(&s->orphans) ? ext_orphans_free(s) : 0;
	if (n > 0)
		log_info("ext2: %s: %d files without a name freed", s->bdev->name, n);
	return 0;
}

/* All that was written before is on the disk. ctx: thread; sleeps. 0 or the error of that */
static int stop_writing(struct ext_sb *s)
{
	int err = ext_sync_super(s->sb, true), err2;

	err2 = mark(s, true);
	WRITE_ONCE(s->writable, false);
	return err ? err : err2;
}

/* --- superblock operations --- */

static int ext_statfs(struct super *sb, struct kstatfs *st)
{
	const struct ext_sb *s = ext_sb_of(sb);
	u32 free = __atomic_load_n(&s->free_blocks, __ATOMIC_RELAXED);
	u64 half[2];

	st->type = EXT_MAGIC;
	st->bsize = st->frsize = s->block_size;
	st->blocks = s->blocks_count - (s->opt.minixdf ? 0 : s->overhead);
	st->bfree = free;
	st->bavail = free > s->reserved ? free - s->reserved : 0;
	st->files = s->inodes_count;
	st->ffree = __atomic_load_n(&s->free_inodes, __ATOMIC_RELAXED);
	st->namelen = EXT_NAME_MAX;
	memcpy(half, s->uuid, sizeof(half));
	st->fsid = half[0] ^ half[1];
	return 0;
}

static int open_for_writing(struct ext_sb *s)
{
	int err = blkdev_read_only(s->bdev) ? -EACCES : 0;

	if (!err && !(s->how & BLK_WRITE)) {
		err = blkdev_get(s->bdev, s->how | BLK_WRITE, s);
		if (!err) {
			blkdev_put(s->bdev, s->how);
			s->how |= BLK_WRITE;
		}
	}
	return err;
}

/* super_ops.remount. ctx: thread; nobody remounts beside; sleeps */
static int ext_remount(struct super *sb, u32 flags, const char *data)
{
	struct ext_sb *s = ext_sb_of(sb);
	struct ext_options opt = s->opt;
	int err = ext_options_parse(&opt, data);

	if (err)
		return err;
	opt.sb = s->opt.sb; /* it is in use */
	if ((flags & MS_RDONLY) && READ_ONCE(s->writable))
		err = stop_writing(s);
	if (!(flags & MS_RDONLY) && !READ_ONCE(s->writable)) {
		err = must_not_write(s) ? -EROFS : open_for_writing(s);
		if (!err && s->failed)
			err = -EROFS; /* an error ended the writing: e2fsck first */
		if (!err)
			err = start_writing(s);
	}
	if (!err)
		s->opt = opt;
	return err;
}

static void forget_mounted(const struct super *sb)
{
	mutex_lock(&mounts_lock);
	for (u32 i = 0; i < ARRAY_SIZE(mounted); i++)
		if (mounted[i] == sb)
			mounted[i] = NULL;
	mutex_unlock(&mounts_lock);
}

/* Undo set_up(). ctx: thread; sleeps */
static void tear_down(struct ext_sb *s)
{
	work_flush(&s->reaper);
	if (READ_ONCE(s->writable))
		(void)stop_writing(s);
	kfree(s->checked);
	/* After an error that ended the writing something may be left that cannot be written. */
	(void)ext_meta_sync(s);
	page_put(s->super_page);
	ext_meta_fini(s);
	(void)blkdev_invalidate(s->bdev, 0, blkdev_bytes(s->bdev));
}

/* The table of inodes in memory: a list for 16 frames there are, or as many as can be had. */
static bool table_alloc(struct ext_sb *s)
{
	struct pmm_stats st;
	u32 n = TABLE_MIN;

	pmm_get_stats(&st);
	while (n < TABLE_MAX && n < st.total / 16)
		n *= 2;
	for (; n >= TABLE_MIN && !s->inodes; n /= 2) {
		s->inodes = kmalloc(n * sizeof(*s->inodes), 0);
		s->nbuckets = n;
	}
	for (u32 i = 0; s->inodes && i < s->nbuckets; i++)
		list_init(&s->inodes[i]);
	return s->inodes;
}

static void sb_free(struct ext_sb *s)
{
	kfree(s->inodes);
	kfree(s);
}

static void ext_put_super(struct super *sb)
{
	struct ext_sb *s = ext_sb_of(sb);

	blkdev_set_guard(s->bdev, NULL);
	tear_down(s);
	forget_mounted(sb);
	blkdev_put(s->bdev, s->how);
	sb_free(s);
}

static const struct super_ops ext_super_ops = {
	.evict = ext_evict,
	.statfs = ext_statfs,
	.sync = ext_sync_super,
	.remount = ext_remount,
	.put_super = ext_put_super,
	.show_options = ext_options_show,
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

	if (s && !table_alloc(s)) {
		kfree(s);
		s = NULL;
	}
	if (!s)
		return NULL;
	s->bdev = bdev;
	s->how = BLK_EXCL;
	s->guard = (struct blkdev_guard){ ext_meta_settle, ext_meta_take };
	s->next_generation = (u32)rand_u64();
	spin_init(&s->lock, RANK_SPIN_OUTER);
	waitq_init(&s->evicted);
	work_init(&s->reaper, ext_reap);
	mutex_init(&s->super_lock, RANK_EXT_SUPER);
	mutex_init(&s->orphan_lock, RANK_EXT_ORPHAN);
	list_init(&s->orphans);
	list_init(&s->dying);
	for (u32 i = 0; i < EXT_GROUP_LOCKS; i++)
		mutex_init(&s->group_locks[i], RANK_EXT_GROUP);
	for (u32 i = 0; i < EXT_GROUP_LOCKS; i++)
		list_init(&s->windows[i]);
	return s;
}

/* Metadata from here on by ext_buf_get(); the superblock's page stays. */
static int set_up(struct ext_sb *s)
{
	struct ext_buf b;
	int err;

	ext_meta_init(s);
	err = ext_buf_get(s, s->super_block, &b);
	if (err) {
		pagecache_fini(&s->meta);
		return err;
	}
	s->super_page = b.page;
	s->disk = (void *)((char *)b.data + (super_at(s) & (s->block_size - 1)));
	return 0;
}

static int get_root(struct ext_sb *s)
{
	struct super *sb = s->sb;
	struct inode *root;
	int err = ext_iget(sb, EXT_ROOT_INO, &root);

	if (err)
		return err;
	err = S_ISDIR(root->mode) ? 0 : ext_bad(s, EXT_ROOT_INO, "the root is no directory");
	if (err) {
		inode_put(root);
		return err;
	}
	sb->root = dentry_make_root(root, sb);
	return sb->root ? 0 : -ENOMEM;
}

/* The superblock over @s, with its root. On failure @s is as before. */
static int make_super(const struct fs_type *t, struct ext_sb *s, bool write, struct super **out)
{
	struct super *sb = super_alloc(t, EXT_MAGIC, &ext_super_ops);
	int err;

	if (!sb)
		return -ENOMEM;
	s->sb = sb;
	sb->priv = s;
	sb->dev = s->bdev->dev;
	sb->blksize = s->block_size;
	sb->max_size = ext_max_size(s);
	sb->dio_align = s->bdev->disk->limits.block;
	sb->has_btime = s->inode_size > EXT_INODE_OLD;
	sb->flags = write ? 0 : MS_RDONLY;
	strlcpy(sb->source, s->bdev->name, sizeof(sb->source));
	err = set_up(s);
	if (err)
		goto free_sb;
	/* Writing first: who had no name goes before anybody can find one. */
	err = write ? start_writing(s) : 0;
	if (!err)
		err = get_root(s);
	if (err)
		goto tear_down;
	*out = sb;
	return vfs_register_super(sb);
tear_down:
	tear_down(s);
free_sb:
	kfree(sb);
	return err;
}

static int mount_new(const struct fs_type *t, struct blkdev *bdev, u32 flags, const char *data,
		     struct super **out)
{
	struct ext_sb *s = sb_alloc(bdev);
	bool write = !(flags & MS_RDONLY);
	int err;

	if (!s)
		return -ENOMEM;
	err = ext_options_parse(&s->opt, data);
	if (!err && write && blkdev_read_only(bdev))
		err = -EACCES;
	if (err)
		goto free_s;
	s->how |= write ? BLK_WRITE : 0;
	err = blkdev_get(bdev, s->how, s);
	if (err)
		goto free_s;
	err = blkdev_invalidate(bdev, 0, blkdev_bytes(bdev));
	if (!err)
		err = read_super(s, flags & MS_SILENT);
	if (!err)
		err = make_super(t, s, write && !must_not_write(s), out);
	if (!err) {
		blkdev_set_guard(bdev, &s->guard);
		return 0;
	}
	blkdev_put(bdev, s->how);
free_s:
	sb_free(s);
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
	ext_index_setup();
	sb = find_mounted(bdev, &slot);
	if (sb && ((flags ^ sb->flags) & MS_RDONLY)) {
		mutex_unlock(&mounts_lock);
		super_put(sb);
		return -EBUSY;
	}
	if (sb) {
		*out = sb;
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
