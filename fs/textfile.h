#pragma once
/*
 * Files whose text is made by a function (procfs, sysfs): made whole when a reader is at position 0
 * and kept for that open, so that no line is torn and a reader that goes back to the start gets
 * fresh figures.
 */
#include "fs/vfs.h"
#include "kernel/lib/sbuf.h"

/* Writes the text of @f; called again with more room when it did not fit. 0 or -errno. */
typedef int textfile_make(struct file *f, struct sbuf *out);

int __must_check textfile_open(struct file *f,
			       textfile_make *make); /* 0 or -ENOMEM; uses f->priv */
ssize_t textfile_read(struct file *f, struct uio *u, u64 *pos);
s64 textfile_seek(struct file *f, s64 off, int whence);
void textfile_release(struct file *f);
/* Is @now another figure than the last time? For a poll that tells of changes. ctx: thread */
bool textfile_news(struct file *f, u32 now);
bool textfile_was_read(const struct file *f); /* so far, with success. ctx: thread */
/*
 * What a write brought, as a C string of at most a page (kfree it). Its length, -EINVAL when
 * longer, -EFAULT, -ENOMEM.
 */
ssize_t __must_check textfile_take(struct uio *u, char **text);
