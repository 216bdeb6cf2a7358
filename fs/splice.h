#pragma once
/* Moving data between open files inside the kernel: sendfile, splice, copy_file_range. */
#include "fs/vfs.h"

/* splice(2); the packaged headers leave these to the C library. */
#define SPLICE_F_MOVE 1u
#define SPLICE_F_NONBLOCK 2u
#define SPLICE_F_MORE 4u
#define SPLICE_F_GIFT 8u
#define SPLICE_FLAGS (SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT)

/*
 * Copy up to @len bytes from *ipos of @in to *opos of @out; &file->pos means the file's own
 * position. Stops early at the end of @in, or when a stream has no more at the moment. Modes were
 * checked by the caller. @flags: SPLICE_F_*.
 * ctx: thread; sleeps. Bytes, or -errno when there were none.
 */
ssize_t splice_copy(struct file *in, u64 *ipos, struct file *out, u64 *opos, u64 len, u32 flags);
/* Is @f of a sort that can be the one side of the above? ctx: any */
bool file_can_splice(const struct file *f, bool write);
