#pragma once
/*
 * The ext driver's own: what it knows of a mounted file system and of an inode.
 *
 * Locks, in this order: the VFS's inode->lock, ext_inode.map_lock, the orphan list's, a group's,
 * the superblock's; then spinlocks. Pages of a file's contents are locked before map_lock, those of
 * metadata inside any of them.
 *
 * I immutable after mount or after the inode was read, a atomic, h guarded by the inode table's
 * lock, g by the group's lock, o by the orphan list's, u by the superblock's, m by the inode's
 * map_lock, i by inode->lock, s by store_lock.
 */
#include "block/block.h"
#include "fs/ext/format.h"
#include "fs/vfs.h"
#include "kernel/sched/work.h"

#define EXT_GROUP_LOCKS 32u

/* What to do about an error of the file system itself (errors=). */
enum ext_errors { EXT_ERRORS_CONTINUE = 1, EXT_ERRORS_RO = 2, EXT_ERRORS_PANIC = 3 };

/* As mounted: what parse_options() fills, and remount replaces. */
struct ext_options {
	enum ext_errors on_error;
	bool error_option, minixdf, no_uid32, no_user_xattr, no_acl, grpid;
	u32 resuid, resgid;
	u32 sb; /* the superblock to be used, in KiB; 0: the first */
};

struct ext_sb {
	struct super *sb; /* I */
	struct blkdev *bdev; /* I: claimed for us */
	u32 block_size, block_bits; /* I */
	u32 inodes_count, blocks_count, first_block; /* I */
	u32 blocks_per_group, inodes_per_group, ngroups; /* I */
	u32 inode_size, inodes_per_block, first_ino; /* I */
	u32 gdt_blocks; /* I: of descriptors, with those kept for growing */
	u32 super_block; /* I: which has the superblock that is used; the descriptors follow it */
	u32 overhead; /* I: blocks of the file system's own */
	u32 reserved; /* I: blocks for the superuser */
	u32 free_blocks, free_inodes, dirs; /* a */
	u32 compat, incompat; /* I */
	u32 ro_compat; /* u; a for reading */
	u32 rev; /* I */
	u8 uuid[16]; /* I */
	struct ext_options opt; /* I but for remount, which nobody else runs beside */
	u32 how; /* I but for remount: of blkdev_get */
	bool writable; /* a: mounted for writing, and no error has ended that */
	bool failed; /* a: that is what ended it */
	bool was_valid; /* u: clean before this mount */
	struct spinlock lock; /* rank SPIN_OUTER: of the table */
	struct list *inodes; /* h: by number, .nbuckets */
	u32 nbuckets; /* I: a power of two */
	struct list dying; /* h: evicted, with something to be stored first */
	struct waitq evicted; /* own lock: an inode left the table, or a pin went */
	struct work reaper; /* own lock: ends the dying */
	u32 pins; /* a: of the metadata cache, by writeback */
	u32 generation; /* a: of the sync that looks at inodes */
	u32 next_generation; /* a: of inodes; the first is random */
	u32 freed; /* a: how often blocks or inodes became free */
	u32 freed_synced; /* a: the same when all metadata was written last */
	struct blkdev_guard guard; /* I: of writes by way of the device's node */
	struct pagecache meta; /* own lock: blocks of metadata by number, one in a page */
	struct page *super_page; /* I: of that, held: the superblock's */
	struct ext_super_disk *disk; /* u: in that page */
	struct mutex super_lock; /* rank EXT_SUPER */
	struct mutex orphan_lock; /* rank EXT_ORPHAN */
	struct list orphans; /* o: the newest first, as on the disk */
	struct mutex group_locks[EXT_GROUP_LOCKS]; /* rank EXT_GROUP: of group number modulo this */
	struct list windows[EXT_GROUP_LOCKS]; /* g: of inodes, by ext_inode.window_link */
	u64 *checked; /* g: a bit per group: its bitmap was found to know the group's own blocks */
};

struct ext_inode {
	struct inode inode; /* own lock */
	struct pagecache cache; /* own lock: contents of a regular file */
	struct mutex map_lock; /* rank EXT_MAP: of the attributes, too */
	u32 block[EXT_NBLOCKS]; /* m; a for reading */
	u32 window,
		window_end; /* g, m for changing: blocks that others leave alone; none: both 0 */
	u32 window_size; /* m: that the last one was to have */
	struct list window_link; /* g */
	u32 goal; /* m: where the next block would be best; 0: not known */
	u64 known; /* i: the last write found that from this block on ... */
	u32 known_count; /* i: ... so many are there */
	u32 file_acl; /* m: block of attributes, 0: none */
	u32 flags; /* i */
	u32 generation; /* I */
	u32 table_block, table_off; /* I: where it lies on the disk */
	u32 dtime; /* o: next orphan, or when it was deleted */
	u16 extra; /* I: bytes beyond the first 128 that have a meaning; attributes behind them */
	bool cut; /* i: it has blocks no more that it has on the disk */
	u32 meta_first, meta_last; /* s: blocks of metadata that changed for it lie between */
	u32 name_dir; /* s: inode of the directory that has its newest name; 0: an old one's */
	u32 name_changes, name_synced; /* s: how often it got a name, as of now and on the disk */
	bool dirty; /* a: something changed that was not stored */
	bool orphan; /* o: on the list */
	bool fresh; /* o: made by this mount and never stored with a name */
	struct thread *writer; /* a: in write(2), which has blocks before it has data */
	s64 atime, mtime, ctime; /* s: as stored last */
	struct spinlock store_lock; /* rank SPIN_OUTER */
	u32 synced; /* a: ext_sb.generation that looked at it last */
	struct ext_index *index; /* dirindex.c's lock; of a large directory, NULL: none */
	u32 dir_room; /* i: of a directory: blocks before this one have no room */
	struct list orphan_link; /* o */
	struct list dying_link; /* h */
};

static inline struct ext_sb *ext_sb_of(const struct super *sb)
{
	return sb->priv;
}
static inline struct ext_inode *ext_of(const struct inode *i)
{
	return container_of(i, struct ext_inode, inode);
}
static inline bool ext_block_valid(const struct ext_sb *s, u32 block)
{
	return block > s->first_block && block < s->blocks_count;
}
static inline u32 ext_sectors(const struct ext_sb *s, u32 blocks)
{
	return blocks << (s->block_bits - 9);
}

/* --- buf.c: blocks of metadata --- */
struct ext_buf {
	struct page *page;
	void *data;
};
/* 0 with *out to be put, -EUCLEAN (no such block), -EIO, -ENOMEM. ctx: thread; sleeps */
int __must_check ext_buf_get(struct ext_sb *s, u32 block, struct ext_buf *out);
/* The same, which reads @count blocks from there on when it is not in memory. */
int __must_check ext_buf_get_ahead(struct ext_sb *s, u32 block, u32 count, struct ext_buf *out);
/* The same of a block just allocated: zeroes, dirty, nothing is read. */
int __must_check ext_buf_new(struct ext_sb *s, u32 block, struct ext_buf *out);
void ext_buf_put(struct ext_buf *b);
/* @b was changed. The only way in which metadata becomes dirty. ctx: thread */
void ext_buf_dirty(struct ext_sb *s, struct ext_buf *b);
/* @block is no metadata any more: whatever is kept of it must not reach the disk. */
void ext_buf_forget(struct ext_sb *s, u32 block);
/* The same, of a block that leads to @i's data, or has it. */
static inline void ext_buf_dirty_of(struct inode *i, struct ext_buf *b);
/* Keep @s alive a little longer than its last inode. ctx: any (pin), thread (unpin) */
void ext_pin(struct ext_sb *s);
void ext_unpin(struct ext_sb *s);
/* blkdev_guard's */
void ext_meta_settle(struct blkdev_guard *g, u64 from, u64 to);
void ext_meta_take(struct blkdev_guard *g, u64 from, u64 to);
void ext_meta_init(struct ext_sb *s);
void ext_meta_fini(struct ext_sb *s);

/* --- super.c --- */
/* Something on the disk is wrong: one line, and what errors= says. Returns -EUCLEAN. */
int __printf(3, 4) ext_bad(struct ext_sb *s, u64 ino, const char *fmt, ...);
/* The superblock in memory to its page. holds: nothing of a higher rank. ctx: thread; sleeps */
void ext_super_store(struct ext_sb *s);
void ext_super_dirty(struct ext_sb *s);
/* A file is larger than 2 GiB: says so in the superblock. 0 or -EFBIG (revision 0) */
int __must_check ext_need_large_file(struct ext_sb *s, u64 size);
void ext_need_xattr(struct ext_sb *s); /* the first attributes */

/* --- options.c --- */
int __must_check ext_options_parse(struct ext_options *o, const char *data);
void ext_options_show(struct super *sb, struct sbuf *out);

/* --- group.c --- */
/* The descriptor of @group, checked, a copy. */
int __must_check ext_group_get(struct ext_sb *s, u32 group, struct ext_group_disk *out);
/* The same in its block, to be changed: holds the group's lock. *d lies in *b. */
int __must_check ext_group_buf(struct ext_sb *s, u32 group, struct ext_buf *b,
			       struct ext_group_disk **d);
/* Descriptor and one bitmap of a group, to be changed: holds the group's lock. */
struct ext_group_map {
	struct ext_buf db, mb;
	struct ext_group_disk *d;
	u64 *map;
};
/* That of inodes or blocks. With @some, -ENOSPC when none is free. To be put. */
int __must_check ext_group_map_get(struct ext_sb *s, u32 group, bool inodes, bool some,
				   struct ext_group_map *out);
void ext_group_map_put(struct ext_group_map *m);
void ext_group_map_dirty(struct ext_sb *s, struct ext_group_map *m);
bool ext_group_has_super(const struct ext_sb *s, u32 group);
void ext_group_lock(struct ext_sb *s, u32 group);
void ext_group_unlock(struct ext_sb *s, u32 group);
u32 ext_group_first(const struct ext_sb *s, u32 group);
u32 ext_group_blocks(const struct ext_sb *s, u32 group);
u32 ext_table_blocks(const struct ext_sb *s);
/* Is any of [@block, @block + @count) of group @group metadata at a fixed place? */
bool ext_group_own(const struct ext_sb *s, u32 group, const struct ext_group_disk *d, u32 block,
		   u32 count);
/* The same for blocks of any groups: -EUCLEAN and a log line if one is. */
int __must_check ext_check_data(struct ext_sb *s, u64 ino, u32 block, u32 count);
/* Sums of what the descriptors say. 0 or -errno */
int __must_check ext_groups_count(struct ext_sb *s);

/* --- balloc.c, ialloc.c --- */
/* At most *@count blocks in a row, near @goal. 0 with *first and *count, -ENOSPC, -EIO ... */
int __must_check ext_blocks_alloc(struct inode *i, u32 goal, u32 *count, u32 *first);
void ext_blocks_free(struct ext_sb *s, u64 ino, u32 block, u32 count);
u32 ext_inode_goal(const struct ext_sb *s, u64 ino);
/* A new inode in memory and, zeroed, on the disk; nlink is as for a first name. */
int __must_check ext_inode_new(struct inode *dir, u32 mode, u64 rdev, struct inode **out);
void ext_inode_free(struct ext_sb *s, u64 ino, bool dir);

/* --- window.c: room that is kept for files that grow --- */
/*
 * Cut the free run of *@count blocks from @block on so that it meets no window of other inodes;
 * false: it begins in one, which ends before *@next. holds: the group's lock
 */
bool __must_check ext_window_avoid(struct inode *i, u32 group, u32 block, u32 *count, u32 *next);
/* @i got what is before @block: it will go on there. @map: the group's. holds: map_lock too */
void ext_window_keep(struct inode *i, u32 group, const u64 *map, u32 block);
/* It goes, unless it is in @group. And in any case. */
void ext_window_stay(struct inode *i, u32 group);
void ext_window_drop(struct inode *i);

/* --- inode.c --- */
int __must_check ext_iget(struct super *sb, u32 ino, struct inode **out);
int __must_check ext_iget_orphan(struct super *sb, u32 ino, struct inode **out);
struct inode *ext_inode_find(struct ext_sb *s, u64 ino); /* in memory, with a reference, or NULL */
bool ext_inodes_left(struct ext_sb *s);
void ext_evict(struct inode *i);
void ext_reap(struct work *w);
struct ext_inode *ext_inode_alloc(struct super *sb, u64 ino, u32 mode);
void ext_inode_drop(struct ext_inode *e);
void ext_inode_set_ops(struct inode *i, u64 rdev);
void ext_inode_set_flags(struct inode *i);
/* False: there is one of that number already. */
bool __must_check ext_inode_hash(struct ext_inode *e);
int __must_check ext_inode_place(struct ext_sb *s, u64 ino, u32 *block, u32 *off);

/* --- store.c --- */
/* Put what the inode is now into its block of the table. 0 or -errno. ctx: thread; sleeps */
int ext_inode_store(struct inode *i);
/* The same if anything changed since. */
int ext_inode_settle(struct inode *i);
static inline void ext_inode_dirty(struct inode *i)
{
	WRITE_ONCE(ext_of(i)->dirty, true);
}
int ext_setattr(struct inode *i, const struct iattr *a);

/* --- sync.c --- */
/* Write all dirty metadata and flush the device. 0 or -errno. ctx: thread; sleeps */
int ext_meta_sync(struct ext_sb *s);
void ext_freed(struct ext_sb *s); /* something may have other owners from now on */
void ext_note_block(struct inode *i, u32 block); /* metadata of @i lies there, and changed */
void ext_note_name(struct inode *i, const struct inode *dir); /* @i has a name in @dir */
int ext_sync_super(struct super *sb, bool wait);
int ext_fsync(struct file *f, u64 start, u64 end, bool datasync);
/* After a change of @i by a call: written now if the inode or the mount is synchronous. */
int ext_sync_if_asked(struct inode *i, struct inode *dir);

static inline void ext_buf_dirty_of(struct inode *i, struct ext_buf *b)
{
	ext_note_block(i, (u32)b->page->index);
	ext_buf_dirty(ext_sb_of(i->sb), b);
}

static inline void ext_add_blocks(struct inode *i, s32 blocks)
{
	s64 n = (s64)blocks * (1 << (ext_sb_of(i->sb)->block_bits - 9));

	__atomic_add_fetch(&i->blocks, (u64)n, __ATOMIC_RELAXED);
	ext_inode_dirty(i);
}

/* --- orphan.c: inodes without a name that are still in use --- */
void ext_orphan_add(struct inode *i);
void ext_orphan_del(struct inode *i);
void ext_orphan_drop(struct inode *i); /* only in memory */
int ext_orphans_free(struct ext_sb *s);

/* --- map.c, mapnew.c, trunc.c --- */
/*
 * Where block @index of a file is: *phys, 0 for a hole, and how many go on from there in a
 * row, @want at most.
 */
int __must_check ext_map(struct inode *i, u64 index, u32 want, u32 *phys, u32 *count);
/* The same, and a hole is given blocks. holds: map_lock. Also -ENOSPC */
int __must_check ext_map_new(struct inode *i, u64 index, u32 want, u32 *phys, u32 *count);
u64 ext_max_size(const struct ext_sb *s);
/* The slots from an inode's block number to that of @index. Depth, or -EFBIG. */
int ext_map_path(const struct ext_sb *s, u64 index, u32 slots[4]);
/*
 * Free all blocks from @index on. holds: map_lock, or the inode has no users. 0 or the first error
 */
int ext_map_cut(struct inode *i, u64 index);
int ext_set_size(struct inode *i, u64 size);

/* --- io.c --- */
extern const struct pagecache_ops ext_cache_ops, ext_meta_ops;

/* --- dir.c, dirmod.c, namei.c --- */
#define EXT_NO_PREV (~0u)
struct ext_slot { /* a record and where it is */
	struct ext_buf b;
	u32 index; /* of the block in the directory */
	/* of the record, and the one before it in that block; the first has itself */
	u32 off, prev; /* prev may be EXT_NO_PREV: it was not looked for */
	u32 ino;
};
/* 0 with *out to be released by ext_slot_put, -ENOENT, -EUCLEAN ... holds: dir->lock */
int __must_check ext_dir_find(struct inode *dir, const char *name, u32 len, struct ext_slot *out);
/* The same, in the one block that @sl has. */
int __must_check ext_dir_find_in(struct inode *dir, const char *name, u32 len, struct ext_slot *sl);
void ext_slot_put(struct ext_slot *sl);
int __must_check ext_dir_block(struct inode *dir, u32 index, struct ext_buf *out);
const struct ext_dirent_disk *ext_dir_record(struct inode *dir, const struct ext_buf *b, u32 index,
					     u32 off);
int __must_check ext_dir_is_empty(struct inode *dir);
int __must_check ext_dir_add(struct inode *dir, const char *name, u32 len, struct inode *i);
void ext_dir_remove(struct inode *dir, struct ext_slot *sl);
void ext_dir_replace(struct inode *dir, struct ext_slot *sl, const struct inode *i);
int __must_check ext_dir_make(struct inode *dir, struct inode *parent);
int __must_check ext_dir_find_parent(struct inode *dir, struct ext_slot *out);

u32 ext_dir_room(const struct ext_dirent_disk *d);

/* --- dirindex.c: names of large directories, in memory --- */
#define EXT_INDEX_BLOCKS 8u /* that a directory has to have */
#define EXT_ROOMS 67u /* sizes of records, in units of four bytes */
/* As ext_dir_find; -EAGAIN: there is no index, look through the blocks. */
int __must_check ext_index_find(struct inode *dir, const char *name, u32 len, struct ext_slot *out);
/* The record of a name is at byte @pos from now on, or no more. */
void ext_index_add(struct inode *dir, const char *name, u32 len, u64 pos);
void ext_index_remove(struct inode *dir, const char *name, u32 len, u64 pos);
/* Blocks before this one have no room for a record of @size. */
u32 ext_index_room(struct inode *dir, u32 size);
/* In @block the largest room is @largest. */
void ext_index_full(struct inode *dir, u32 block, u32 largest);
void ext_index_drop(struct inode *dir);
void ext_index_setup(void);

extern const struct inode_ops ext_dir_ops, ext_file_inode_ops, ext_link_ops, ext_special_ops;
extern const struct file_ops ext_dir_fops, ext_file_fops;
int ext_lookup(struct inode *dir, const struct qname *n, struct inode **out);
int ext_create(struct inode *dir, struct dentry *d, u32 mode, u64 rdev, struct inode **out);
int ext_mkdir(struct inode *dir, struct dentry *d, u32 mode, struct inode **out);
int ext_symlink(struct inode *dir, struct dentry *d, const char *target, struct inode **out);
int ext_link(struct inode *dir, struct dentry *d, struct inode *target);
int ext_unlink(struct inode *dir, struct dentry *d);
int ext_rmdir(struct inode *dir, struct dentry *d);
int ext_rename(struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd,
	       u32 flags);
int ext_tmpfile(struct inode *dir, u32 mode, struct inode **out);

/* --- write.c, file.c --- */
ssize_t ext_file_write(struct file *f, struct uio *u, u64 *pos);
/* Through the page cache, checks done. Bytes or -errno. */
ssize_t ext_write_locked(struct inode *i, struct uio *u, u64 *pos);

/* --- direct.c: O_DIRECT. Bytes, or -errno: also -EINVAL, not aligned --- */
ssize_t ext_direct_read(struct file *f, struct uio *u, u64 *pos);
ssize_t ext_direct_write(struct inode *i, struct uio *u, u64 *pos);

int ext_make_writable(struct pagecache *pc, u64 index);
bool ext_link_is_inline(const struct inode *i);

/* --- xattr.c --- */
ssize_t ext_getxattr(struct inode *i, const char *name, void *buf, size_t size);
ssize_t ext_listxattr(struct inode *i, char *buf, size_t size);
int ext_fileattr(struct inode *i, u32 *flags, bool set);
/* The index of @name, and what stands behind its prefix. Or -EOPNOTSUPP */
int __must_check ext_xattr_split(const struct ext_sb *s, const char *name, const char **rest);
static inline bool ext_xattr_is_acl(u32 index)
{
	return index == EXT_XATTR_ACL_ACCESS || index == EXT_XATTR_ACL_DEFAULT;
}
ssize_t ext_xattr_get(struct inode *i, u32 index, const char *name, void *buf, size_t size);

/* --- acl.c --- */
ssize_t ext_acl_get(struct inode *i, u32 index, void *buf, size_t size);
int __must_check ext_acl_set(struct inode *i, u32 index, const void *buf, size_t size);
int ext_acl_check(struct inode *i, u32 want);
int ext_acl_permission(struct inode *i, u32 mask);
bool ext_acl_has_default(struct inode *dir);
int __must_check ext_acl_inherit(struct inode *i, struct inode *dir);
int __must_check ext_acl_chmod(struct inode *i);

/* --- attrset.c --- */
/* @value NULL: it goes. @flags XATTR_CREATE, XATTR_REPLACE. holds: i->lock for writing */
int __must_check ext_xattr_set(struct inode *i, u32 index, const char *name, const void *value,
			       size_t size, int flags);
int ext_setxattr(struct inode *i, const char *name, const void *buf, size_t size, int flags);
int ext_removexattr(struct inode *i, const char *name);
/* What all inodes do with their attributes. */
#define EXT_ATTR_OPS                                                            \
	.setattr = ext_setattr, .acl = ext_acl_check, .getxattr = ext_getxattr, \
	.setxattr = ext_setxattr, .listxattr = ext_listxattr, .removexattr = ext_removexattr
void ext_xattr_free(struct inode *i); /* the block of an inode that goes */
