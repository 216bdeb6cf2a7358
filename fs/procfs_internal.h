#pragma once
/* Between procfs.c (root, fixed files), procfs_pid.c (processes) and procfs_options.c. */
#include "fs/procfs.h"

bool procfs_pid_is(const struct inode *i); /* made by procfs_pid.c? */
int procfs_pid_lookup_root(struct inode *root, const struct qname *q, struct inode **out);
bool procfs_pid_revalidate_root(struct inode *root, struct dentry *d);
int procfs_pid_readdir_root(struct file *f, struct dir_ctx *c);
void procfs_pid_evict(struct inode *i);

/* The directory net of processes, the same for all of them. 0, -ENOMEM. */
int __must_check procfs_net_dir(struct super *sb, struct inode **out);

/* hidepid=: what current does not see of processes that it may not trace. */
enum hidepid {
	HIDEPID_OFF,
	HIDEPID_NO_ACCESS, /* their directories are closed */
	HIDEPID_INVISIBLE, /* nor are they listed */
	HIDEPID_NOT_PTRACEABLE = 4, /* nor found, and gid= is no help */
};
enum hidepid procfs_hidepid(const struct super *sb);
u32 procfs_gid(const struct super *sb); /* whose members see all */
bool procfs_only_pids(const struct super *sb); /* subset=pid */
int procfs_check_option(const char *name, const char *value); /* fs_type.check_option */
int procfs_remount(struct super *sb, u32 flags, const char *data); /* super_ops.remount */
void procfs_show_options(struct super *sb, struct sbuf *out);
