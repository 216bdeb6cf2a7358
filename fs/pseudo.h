#pragma once
/*
 * Trees of made-up files (the fixed part of procfs, sysfs): directories, texts with callbacks,
 * links, files with operations of their own. Nodes may come and go while the tree is mounted.
 *
 * I immutable after creation, t guarded by the tree's lock.
 */
#include "fs/vfs.h"
#include "kernel/lib/sbuf.h"

struct pseudo_node;

struct pseudo_attr {
	u32 mode; /* permissions; the type is derived */
	u32 iflags; /* INODE_*; those of the directory come on top */
	int (*show)(struct sbuf *out, void *arg); /* 0 or -errno */
	ssize_t (*write)(const char *text, size_t n, void *arg); /* NUL-terminated; n or -errno */
	void *arg; /* must outlive every open of the file */
	const struct file_ops *ops; /* instead of show/write; f->inode->priv is arg */
	const char *target; /* a symbolic link; copied */
	u64 size; /* shown by stat */
	void (*fill)(void); /* a directory's: adds what is in it, at the first lookup */
};

struct pseudo_tree {
	struct mutex lock; /* rank LEAF_MUTEX */
	struct pseudo_node *root; /* I after init */
	u64 next_ino; /* t */
	/* I: instead of pseudo_dir_ops for the root; NULL: the same */
	const struct inode_ops *root_ops;
	const struct file_ops *root_fops; /* I */
	bool has_xattrs; /* I: files may have extended attributes */
	u32 dir_mode; /* I: of directories made on the way */
};

/* An empty tree, whose inodes are numbered from @ino and have @iflags (INODE_*). ctx: boot */
void pseudo_init(struct pseudo_tree *t, u64 ino, u32 iflags);
/* Make @path (no leading slash), and the directories on the way. 0, -EEXIST, -ENOTDIR, -ENOMEM. */
int pseudo_add(struct pseudo_tree *t, const char *path, const struct pseudo_attr *a);
int pseudo_add_dir(struct pseudo_tree *t, const char *path); /* 0 also when it is there */
void pseudo_remove(struct pseudo_tree *t, const char *path); /* with everything below */

/*
 * What an INODE_NEWS file shows has changed: whoever polls it is told, each open file once.
 * @changes: what the file's arg begins with. ctx: any
 */
void pseudo_tell(u32 *changes);

/* A superblock over the tree. */
int __must_check pseudo_mount(struct pseudo_tree *t, const struct fs_type *type, u64 magic,
			      const struct super_ops *ops, struct super **out);
/* The root of @t as a directory somewhere in @sb. 0, -ENOMEM. ctx: thread; sleeps. */
int __must_check pseudo_graft(struct pseudo_tree *t, struct super *sb, struct inode **out);
extern const struct inode_ops pseudo_dir_ops;
extern const struct file_ops pseudo_dir_fops;
/* For a root with more in it: the tree's own answers. */
int pseudo_lookup(struct inode *dir, const struct qname *n, struct inode **out);
int pseudo_readdir(struct file *f, struct dir_ctx *c); /* positions below PSEUDO_POS_END */
bool pseudo_has_more(struct file *f, u64 pos); /* names at or after @pos */
#define PSEUDO_POS_END 0x10000u
void pseudo_evict(struct inode *i);
