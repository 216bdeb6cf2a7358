#pragma once
/*
 * Reader of cpio archives in the "newc" format (magic 070701, and 070702 with checksums): the form
 * of an initramfs. It knows nothing of files: it is given a source of bytes and hands each entry to
 * a sink.
 */
#include "kernel/lib/types.h"

#define CPIO_HEADER_SIZE 110
#define CPIO_NAME_MAX 4096 /* with NUL */

struct cpio_entry {
	bool checksummed; /* 070702: .check is the sum of the data's bytes */
	u32 ino, mode, uid, gid, nlink, mtime, size;
	u32 dev_major, dev_minor, rdev_major, rdev_minor;
	u32 namesize; /* with NUL */
	u32 check;
};

struct cpio_reader {
	/* Fill @buf with @n bytes; fewer only at the end; -errno (with .why set). */
	ssize_t (*read)(struct cpio_reader *r, void *buf, size_t n);
	/*
	 * One entry. It must take all of e->size with cpio_read_data(). 0 or -errno (with .why
	 * set).
	 */
	int (*entry)(struct cpio_reader *r, const struct cpio_entry *e, char *name);
	const char *why; /* what was wrong, for the error message */
	u64 pos; /* bytes since the archive's begin */
	u32 sum; /* of the entry's data so far */
	u32 data_left; /* of the entry's data */
	bool checksummed;
	char name[CPIO_NAME_MAX];
};

/* 0 and *why NULL, or -EINVAL with the cause in *why. ctx: any */
int cpio_parse_header(const u8 *h, struct cpio_entry *e, const char **why);
/*
 * Read one archive up to and with its trailer. @begin: the first @nbegin bytes, already read. 0 or
 * -errno with r->why.
 * ctx: thread; sleeps as the callbacks do.
 */
int cpio_read_archive(struct cpio_reader *r, const u8 *begin, u32 nbegin);
/* The next @n bytes of the entry's data (n <= data_left), all of them. 0 or -errno. For .entry. */
int cpio_read_data(struct cpio_reader *r, void *buf, u32 n);
