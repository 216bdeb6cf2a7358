#pragma once
/*
 * What one process of the exerciser believes to be in the file system, and how it is compared with
 * what is. A file's bytes are kept in two windows, the low one at its begin, the high one at `far`.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PROCESSES 4
#define SHARED_DIRS 4
#define DIRS 8 /* those behind the shared ones are the process's own */
#define FILES 16
#define NAMES 40
#define LOW (192u << 10)
#define HIGH (48u << 10)
#define RECORDS 200
#define RECORD 777
#define ONE_WRITE 30000u
#define RENAME_NOREPLACE_ 1
#define RENAME_EXCHANGE_ 2

static const uint64_t far_away[] = { 5 << 20, 70 << 20, 300 << 20, 2200ull << 20 };

struct file {
	int used, fd, nnames, has_attr;
	uint64_t size, ino;
	unsigned mode;
	uint8_t low[LOW], high[HIGH];
	uint8_t attr[200];
	size_t attr_len;
};
struct name {
	int used, dir, file; /* file -1: a symbolic link */
	char text[200], target[300];
};
struct dir {
	int used, parent, serial;
};

static const char *top;
static int self;
static unsigned long op_number;
static const char *op_name = "start";
static uint64_t rng, far;
static struct file files[FILES];
static struct name names[NAMES];
static struct dir dirs[DIRS];
static int serial, shared_fd;
static uint8_t records[RECORDS / PROCESSES][RECORD], buf[ONE_WRITE];

static __attribute__((format(printf, 1, 2), noreturn)) void differs(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	printf("# process %d, operation %lu (%s): ", self, op_number, op_name);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf(" (errno %d, %s)\n", err, strerror(err));
	fflush(stdout);
	_exit(1);
}
#define MUST(x, ...)                          \
	do {                                  \
		if (!(x))                     \
			differs(__VA_ARGS__); \
	} while (0)

/* splitmix64 */
static uint64_t any(void)
{
	uint64_t z = rng += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static uint64_t below(uint64_t n)
{
	return any() % n;
}

static void fill(uint8_t *p, size_t n)
{
	uint8_t v = (uint8_t)any(), step = (uint8_t)(any() | 1);

	for (size_t i = 0; i < n; i++, v = (uint8_t)(v + step))
		p[i] = v;
}

/* --- paths --- */

static const char *dir_path(int d, char *out, size_t size)
{
	if (d < SHARED_DIRS)
		snprintf(out, size, "%s/d%d", top, d);
	else
		snprintf(out, size, "%s/d%d/p%d-dir-%d", top, dirs[d].parent, self, dirs[d].serial);
	return out;
}

static const char *path_of(const struct name *n)
{
	static char out[2][600];
	static int turn;
	char dir[300];

	turn = !turn;
	snprintf(out[turn], sizeof(out[0]), "%s/%s", dir_path(n->dir, dir, sizeof(dir)), n->text);
	return out[turn];
}

/* A name that is not there yet, in one of the directories that are; NULL: no slot. */
static struct name *new_name(void)
{
	struct name *n = names + below(NAMES);

	if (n->used)
		return NULL;
	do {
		n->dir = (int)below(DIRS);
	} while (!dirs[n->dir].used);
	n->file = -1;
	snprintf(n->text, sizeof(n->text), "p%d-%0*d", self, (int)(1 + below(below(4) ? 20 : 150)),
		 serial++);
	return n;
}

static struct name *some_name(int link)
{
	for (unsigned at = (unsigned)below(NAMES), i = 0; i < NAMES; i++) {
		struct name *n = names + (at + i) % NAMES;

		if (n->used && (n->file < 0) == link)
			return n;
	}
	return NULL;
}

static struct name *name_of(int file)
{
	for (unsigned at = (unsigned)below(NAMES), i = 0; i < NAMES; i++)
		if (names[(at + i) % NAMES].used && names[(at + i) % NAMES].file == file)
			return names + (at + i) % NAMES;
	return NULL;
}

/* --- files: descriptor, model --- */

static struct file *some_file(void)
{
	for (unsigned at = (unsigned)below(FILES), i = 0; i < FILES; i++)
		if (files[(at + i) % FILES].used)
			return files + (at + i) % FILES;
	return NULL;
}

static int file_open(struct file *f)
{
	int fd;

	if (f->fd >= 0)
		return f->fd;
	fd = open(path_of(name_of((int)(f - files))), O_RDWR);
	MUST(fd >= 0, "open of %s", path_of(name_of((int)(f - files))));
	return fd;
}

static void file_close(struct file *f, int fd)
{
	if (fd != f->fd)
		MUST(!close(fd), "close");
}

/* A place in one of the windows; how much of the window follows. */
static uint8_t *place(struct file *f, uint64_t *pos, size_t *room)
{
	uint64_t at;

	if (below(4)) {
		at = below(LOW);
		*pos = at;
		*room = LOW - at;
		return f->low + at;
	}
	at = below(HIGH);
	*pos = far + at;
	*room = HIGH - at;
	return f->high + at;
}

static void grown(struct file *f, uint64_t end)
{
	if (end > f->size)
		f->size = end;
}

static void zero(uint8_t *window, uint64_t base, size_t size, uint64_t from, uint64_t to)
{
	uint64_t a = from > base ? from : base, b = to < base + size ? to : base + size;

	if (a < b)
		memset(window + (a - base), 0, b - a);
}

static void model_zero(struct file *f, uint64_t from, uint64_t to)
{
	zero(f->low, 0, LOW, from, to);
	zero(f->high, far, HIGH, from, to);
}

static void compare(const uint8_t *is, const uint8_t *want, size_t n, uint64_t pos)
{
	for (size_t i = 0; i < n; i++)
		MUST(is[i] == want[i], "byte %llu is %02x, not %02x", (unsigned long long)(pos + i),
		     is[i], want[i]);
}

static void check_range(struct file *f, int fd, const uint8_t *want, uint64_t pos, size_t n)
{
	ssize_t got, should;

	if (n > ONE_WRITE)
		n = ONE_WRITE;
	should = pos >= f->size ? 0 : (ssize_t)(f->size - pos < n ? f->size - pos : n);
	got = pread(fd, buf, n, (off_t)pos);
	MUST(got == should, "read of %zu at %llu gave %zd, not %zd", n, (unsigned long long)pos,
	     got, should);
	compare(buf, want, (size_t)got, pos);
}

static void check_attr(struct file *f, int fd)
{
	uint8_t value[200];
	ssize_t n = fgetxattr(fd, "user.e", value, sizeof(value));

	if (!f->has_attr)
		MUST(n < 0 && (errno == ENODATA || errno == EOPNOTSUPP),
		     "an attribute that nobody set: %zd", n);
	else
		MUST(n == (ssize_t)f->attr_len && !memcmp(value, f->attr, f->attr_len),
		     "attribute: %zd", n);
}

static void check_file(struct file *f)
{
	int fd = file_open(f);
	struct stat st;

	MUST(!fstat(fd, &st), "fstat");
	MUST(st.st_size == (off_t)f->size, "size %lld, not %llu", (long long)st.st_size,
	     (unsigned long long)f->size);
	MUST(st.st_nlink == (nlink_t)f->nnames, "%ld links, not %d", (long)st.st_nlink, f->nnames);
	MUST(st.st_ino == f->ino && (st.st_mode & 07777) == f->mode, "inode %llu mode %o",
	     (unsigned long long)st.st_ino, st.st_mode);
	for (uint64_t at = 0; at < LOW; at += ONE_WRITE)
		check_range(f, fd, f->low + at, at, LOW - at);
	for (uint64_t at = 0; at < HIGH; at += ONE_WRITE)
		check_range(f, fd, f->high + at, far + at, HIGH - at);
	check_attr(f, fd);
	file_close(f, fd);
}

static void name_gone(struct name *n)
{
	n->used = 0;
	if (n->file < 0)
		return;
	files[n->file].nnames--;
	if (!files[n->file].nnames && files[n->file].fd < 0)
		files[n->file].used = 0;
}
