#pragma once
/* Between procfs.c (root, fixed files) and procfs_pid.c (processes). */
#include "fs/procfs.h"

bool procfs_pid_is(const struct inode *i); /* made by procfs_pid.c? */
int procfs_pid_lookup_root(struct inode *root, const struct qname *q, struct inode **out);
bool procfs_pid_revalidate_root(struct inode *root, struct dentry *d);
int procfs_pid_readdir_root(struct file *f, struct dir_ctx *c);
void procfs_pid_evict(struct inode *i);
