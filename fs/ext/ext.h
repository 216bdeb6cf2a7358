#pragma once
/*
 * The ext driver's own: what it knows of a mounted file system and of an inode.
 *
 * I immutable after mount or after the inode was read, a atomic, h guarded by the inode table's lock.
 */
#include "block/block.h"
#include "fs/ext/format.h"
#include "fs/vfs.h"

#define EXT_BUCKETS 256u

/* What to do about an error of the file system itself (errors=). */
enum ext_errors { EXT_ERRORS_CONTINUE = 1, EXT_ERRORS_RO = 2, EXT_ERRORS_PANIC = 3 };

struct ext_sb {
	struct super *sb; /* I */
	struct blkdev *bdev; /* I: claimed for us */
	u32 block_size, block_bits; /* I */
	u32 inodes_count, blocks_count, first_block; /* I */
	u32 blocks_per_group, inodes_per_group, ngroups; /* I */
	u32 inode_size, inodes_per_block, first_ino; /* I */
	u32 overhead; /* I: blocks of the file system's own */
	u32 reserved, free_blocks, free_inodes; /* I */
	u32 compat, incompat, ro_compat; /* I */
	u8 uuid[16]; /* I */
	enum ext_errors on_error; /* I: by the superblock, or the mount */
	bool error_option, minixdf, no_uid32, no_user_xattr, no_acl; /* I: as mounted */
	u32 how; /* I: of blkdev_get */
	struct spinlock lock; /* rank SPIN_OUTER: of the table */
	struct list inodes[EXT_BUCKETS]; /* h: by number */
};

struct ext_inode {
	struct inode inode;
	struct pagecache cache; /* contents; of directories and links, too */
	u32 block[EXT_NBLOCKS]; /* I */
	u32 file_acl; /* I: block of attributes, 0: none */
	u32 flags; /* I */
	u16 extra; /* I: bytes beyond the first 128 that have a meaning; attributes behind them */
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

/* A block of metadata in the device's page cache. */
struct ext_buf {
	struct page *page;
	void *data;
};
/* 0 with *out to be put, -EUCLEAN (no such block), -EIO, -ENOMEM. ctx: thread; sleeps */
int __must_check ext_buf_get(const struct ext_sb *s, u32 block, struct ext_buf *out);
void ext_buf_put(struct ext_buf *b);

/* Something on the disk is wrong: one line, and what errors= says. Returns -EUCLEAN. */
int __printf(3, 4) ext_bad(const struct ext_sb *s, u64 ino, const char *fmt, ...);

/* group.c: the descriptor of @group, checked. */
int __must_check ext_group_get(const struct ext_sb *s, u32 group, struct ext_group_disk *out);
bool ext_group_has_super(const struct ext_sb *s, u32 group);

/* inode.c */
int __must_check ext_iget(struct super *sb, u32 ino, struct inode **out);
void ext_evict(struct inode *i);

/*
 * map.c: where block @index of a file is: *phys, 0 for a hole, and how many go on from there in a
 * row, @want at most.
 */
int __must_check ext_map(struct inode *i, u64 index, u32 want, u32 *phys, u32 *count);
u64 ext_max_size(const struct ext_sb *s);

/* io.c */
extern const struct pagecache_ops ext_cache_ops;

extern const struct inode_ops ext_dir_ops, ext_file_inode_ops, ext_link_ops, ext_special_ops;
extern const struct file_ops ext_dir_fops, ext_file_fops;

/* xattr.c */
ssize_t ext_getxattr(struct inode *i, const char *name, void *buf, size_t size);
ssize_t ext_listxattr(struct inode *i, char *buf, size_t size);
int ext_fileattr(struct inode *i, u32 *flags, bool set);
