#pragma once
/* Pipes, beyond opening them: what fcntl, splice and the nameless file system need. */
#include "fs/vfs.h"

void pipe_evict(struct inode *i);
bool file_is_pipe(const struct file *f);
/*
 * F_GETPIPE_SZ, F_SETPIPE_SZ: bytes of capacity, or -EINVAL, -EPERM, -EBUSY, -ENOMEM. ctx: thread;
 * sleeps
 */
long pipe_get_size(struct file *f);
long pipe_set_size(struct file *f, u64 size);
