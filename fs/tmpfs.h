#pragma once
/* Private to tmpfs and devtmpfs: the in-memory file system's own structures. */
#include <linux/fs.h>
#include "fs/vfs.h"
#include "kernel/lib/rbtree.h"

#define TMPFS_POS_TOP (1ull << 62) /* readdir cookie of the first entry */
#define TMPFS_ENTRY_SIZE 20 /* what an entry adds to a directory's size, as Linux has it */

/* a atomic, I immutable. Limits of 0 mean none. */
struct tmpfs_super {
	u64 max_pages, used_pages; /* a */
	u64 max_inodes, used_inodes; /* a: names count, as on Linux */
	u64 default_pages, default_inodes; /* I: what show_options leaves out */
	atomic64_t next_ino; /* a */
	u32 mode, uid, gid; /* I: of the root */
	bool draining; /* o: the unmounting thread frees directories */
	struct tmpfs_entry *doomed; /* o: entries to free, linked by .next_doomed */
};

/* i guarded by vfs.lock, x guarded by vfs.lock too (extended attributes). */
struct tmpfs_inode {
	struct inode vfs;
	union {
		struct pagecache cache; /* regular files */
		struct {
			struct rb_root by_name; /* i */
			struct rb_root by_pos; /* i */
			u64 next_pos; /* i: goes down */
		} dir;
		char *link; /* I */
	};
	u64 charged; /* a: pages counted in the super */
	u32 seals; /* i: F_SEAL_*; F_SEAL_SEAL unless it is a memfd that allows them */
	u32 fsflags; /* i: FS_*_FL, of TMPFS_FL_SETTABLE */
	struct xattr_item *xattrs; /* x */
};

/* What chattr(1) can set; new files have the second half of it from their directory. */
#define TMPFS_FL_SETTABLE (FS_IMMUTABLE_FL | FS_APPEND_FL | TMPFS_FL_INHERITED)
#define TMPFS_FL_INHERITED (FS_NODUMP_FL | FS_NOATIME_FL)

/* A directory entry; holds a reference to the inode. i: guarded by the directory's lock. */
struct tmpfs_entry {
	struct rb_node by_name; /* i */
	struct rb_node by_pos; /* i */
	u64 pos; /* i: readdir cookie: lower than those of all that are older */
	struct inode *inode; /* i */
	struct tmpfs_entry *next_doomed; /* o */
	u32 hash; /* I */
	u16 len; /* I */
	char name[]; /* I */
};

static inline struct tmpfs_inode *tmpfs_of(struct inode *i)
{
	return container_of(i, struct tmpfs_inode, vfs);
}

static inline struct tmpfs_super *tmpfs_sb(struct super *sb)
{
	return sb->priv;
}

extern const struct inode_ops tmpfs_dir_ops, tmpfs_file_inode_ops, tmpfs_link_ops;
extern const struct file_ops tmpfs_dir_fops, tmpfs_file_fops;
extern const struct pagecache_ops tmpfs_cache_ops;
extern const struct super_ops tmpfs_super_ops;

/* tmpfs.c */
int __must_check tmpfs_super_create(const struct fs_type *t, const char *data, u32 mode,
				    struct super **out);
int __must_check tmpfs_inode_alloc(struct super *sb, const struct inode *dir, u32 mode, u64 rdev,
				   struct inode **out);
int tmpfs_fsync(struct file *f, u64 start, u64 end, bool datasync);
void tmpfs_recount(struct inode *i); /* settle .charged with what the cache holds */
/* May current contents be changed (@grow_to: up to that size)? holds: vfs.lock. 0 or -EPERM. */
int __must_check tmpfs_seal_check(struct inode *i, u64 grow_to);
int tmpfs_file_mmap(struct file *f, struct vm_map_args *a);
int tmpfs_fileattr(struct inode *i, u32 *flags, bool set);
/* tmpfs_dir.c */
void tmpfs_dir_drain(struct tmpfs_inode *dir);
struct xattr_item **tmpfs_xattrs(struct inode *i); /* inode_ops.xattrs */
