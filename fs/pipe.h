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

/*
 * pipe_splice.c: bytes between pipes, files and memory, by reference to their pages where that can
 * be. They wait, unless @nonblock, for the first bytes and the first room, and give back how many
 * bytes went; 0 at the end; -EAGAIN, -EPIPE, -ERESTARTSYS, -ENOMEM or the other side's error. ctx:
 * thread; sleeps.
 */
ssize_t pipe_move_pages(struct file *in, struct file *out, u64 len, bool nonblock);
/* tee(2): as above, and @in keeps them. */
ssize_t pipe_share_pages(struct file *in, struct file *out, u64 len, bool nonblock);
/* From a file with a page cache, from *pos on, which moves. */
ssize_t pipe_from_cache(struct file *in, u64 *pos, struct file *out, u64 len, bool nonblock);
/* Room in @out for at least one write of a page: 0 or an error as above. */
int pipe_wait_room(struct file *out, bool nonblock);
/* Into any file that is no pipe: what @out does not take stays. */
ssize_t pipe_to_file(struct file *in, struct file *out, u64 *opos, u64 len, bool nonblock);
/* vmsplice(2): what fits now. */
ssize_t pipe_from_user(struct file *out, struct uio *u, bool nonblock);
