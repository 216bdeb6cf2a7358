/*
 * The cpio "newc" format, as the Linux kernel's initramfs buffer format document and cpio(5) give
 * it.
 *
 * An archive is a row of entries: a header of 110 ASCII characters (a magic and thirteen 8-digit
 * hexadecimal numbers), the name with its NUL, padding to a multiple of four, the data, padding
 * again. An entry named TRAILER!!! ends it. Offsets count from the archive's begin.
 *
 * Nothing in the input is trusted: each digit is checked, sizes are bounded before they are used, a
 * short read is an error. Compiled on the host too (tests/unit), where it is fuzzed.
 */
#include "fs/cpio.h"
#include "kernel/lib/string.h"

#define CPIO_EINVAL 22
#define CPIO_TRAILER "TRAILER!!!"
#define CPIO_SYMLINK_MAX 4095

static int fail(struct cpio_reader *r, const char *why)
{
	r->why = why;
	return -CPIO_EINVAL;
}

static int hex8(const u8 *s, u32 *out)
{
	u32 v = 0;

	for (int k = 0; k < 8; k++) {
		u8 c = s[k];
		u32 d;

		if (c >= '0' && c <= '9')
			d = c - '0';
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			d = (c | 32) - 'a' + 10u;
		else
			return -CPIO_EINVAL;
		v = v << 4 | d;
	}
	*out = v;
	return 0;
}

static bool mode_ok(u32 mode)
{
	switch (mode & 0170000) {
	case 0010000: /* FIFO */
	case 0020000: /* character device */
	case 0040000: /* directory */
	case 0060000: /* block device */
	case 0100000: /* regular */
	case 0120000: /* symlink */
	case 0140000: /* socket */ return !(mode & ~0177777u);
	}
	return false;
}

/* What the numbers must fulfil; the trailer has none of its own. */
static int check_entry(const struct cpio_entry *e, const char **why)
{
	*why = "a name in the archive is empty or too long";
	if (e->namesize < 2 || e->namesize > CPIO_NAME_MAX)
		return -CPIO_EINVAL;
	*why = "a symbolic link in the archive is too long or empty";
	if ((e->mode & 0170000) == 0120000 && (!e->size || e->size > CPIO_SYMLINK_MAX))
		return -CPIO_EINVAL;
	*why = "a device number in the archive is out of range";
	if (e->rdev_major > 0xfff || e->rdev_minor > 0xfffff)
		return -CPIO_EINVAL;
	*why = NULL;
	return 0;
}

/* See cpio.h. */
int cpio_parse_header(const u8 *h, struct cpio_entry *e, const char **why)
{
	u32 *const field[13] = {
		&e->ino,	&e->mode,     &e->uid,	     &e->gid,	    &e->nlink,
		&e->mtime,	&e->size,     &e->dev_major, &e->dev_minor, &e->rdev_major,
		&e->rdev_minor, &e->namesize, &e->check,
	};

	*why = "no cpio archive (newc format) where one should begin or go on";
	if (memcmp(h, "07070", 5) || (h[5] != '1' && h[5] != '2'))
		return -CPIO_EINVAL;
	e->checksummed = h[5] == '2';
	*why = "a header in the archive has a character that is no hexadecimal digit";
	for (u32 k = 0; k < 13; k++)
		if (hex8(h + 6 + 8 * k, field[k]))
			return -CPIO_EINVAL;
	return check_entry(e, why);
}

/* Exactly @n bytes. */
static int read_all(struct cpio_reader *r, void *buf, size_t n)
{
	ssize_t got = r->read(r, buf, n);

	if (got < 0)
		return (int)got;
	if ((size_t)got != n)
		return fail(r, "the archive ends early");
	r->pos += n;
	return 0;
}

static int skip_padding(struct cpio_reader *r)
{
	u8 pad[4];
	u32 n = (u32)(-r->pos & 3);

	return n ? read_all(r, pad, n) : 0;
}

/* See cpio.h. */
int cpio_read_data(struct cpio_reader *r, void *buf, u32 n)
{
	int err;

	if (n > r->data_left)
		return fail(r, "the archive's reader asked for more than an entry has");
	err = read_all(r, buf, n);
	if (err)
		return err;
	r->data_left -= n;
	if (r->checksummed)
		for (u32 k = 0; k < n; k++)
			r->sum += ((const u8 *)buf)[k];
	return 0;
}

static int read_name(struct cpio_reader *r, const struct cpio_entry *e)
{
	int err = read_all(r, r->name, e->namesize);

	if (err)
		return err;
	if (memchr(r->name, 0, e->namesize) != r->name + e->namesize - 1)
		return fail(r, "a name in the archive is not ended where its size says");
	return skip_padding(r);
}

/* One entry after its header. 1: it was the trailer. */
static int read_entry(struct cpio_reader *r, const struct cpio_entry *e)
{
	int err = read_name(r, e);

	if (err)
		return err;
	if (!strcmp(r->name, CPIO_TRAILER))
		return e->size ? fail(r, "the archive's trailer has data") : 1;
	if (!mode_ok(e->mode))
		return fail(r, "an entry of the archive has an unknown file type");
	r->data_left = e->size;
	r->sum = 0;
	r->checksummed = e->checksummed;
	err = r->entry(r, e, r->name);
	if (err)
		return err;
	if (r->data_left)
		return fail(r, "an entry's data was not taken");
	if (e->checksummed && r->sum != e->check)
		return fail(r, "a file in the archive does not have its checksum");
	return skip_padding(r);
}

/* See cpio.h. */
int cpio_read_archive(struct cpio_reader *r, const u8 *begin, u32 nbegin)
{
	u8 header[CPIO_HEADER_SIZE];
	struct cpio_entry e;
	int err;

	if (nbegin)
		memcpy(header, begin, nbegin);
	r->pos = nbegin;
	for (;;) {
		err = read_all(r, header + nbegin, CPIO_HEADER_SIZE - nbegin);
		if (!err)
			err = cpio_parse_header(header, &e, &r->why);
		if (err)
			return err;
		nbegin = 0;
		err = read_entry(r, &e);
		if (err)
			return err < 0 ? err : 0;
	}
}
