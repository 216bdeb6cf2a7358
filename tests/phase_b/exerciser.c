/*
 * A random load for a file system, each result compared with a model of it in memory:
 *
 *   exerciser FOLDER SEED OPERATIONS     works in a new folder FOLDER/SEED, with four processes
 *   exerciser -t FOLDER SEED             prints the sum of what is there, as the run did at its end
 *
 * All four work in the same directories, each with names of its own, so each knows what its files,
 * directories and symbolic links hold, and what a directory lists of them; one more file is shared,
 * record by record. A file's bytes are in two windows, at its begin and far behind, so that
 * single, double and triple indirect blocks and holes occur. What a file system cannot do
 * (fallocate, exchanging names, attributes) it may refuse. Runs on any Linux; exit status 1 and a
 * line that names process and operation when something differs.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <ftw.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "exerciser_model.h"

static void op_create(void)
{
	struct name *n = new_name();
	struct stat st;
	int k = (int)below(FILES);
	struct file *f = files + k;

	if (!n || f->used)
		return;
	memset(f, 0, sizeof(*f));
	f->mode = 0600 | (unsigned)below(64);
	f->fd = open(path_of(n), O_RDWR | O_CREAT | O_EXCL, f->mode);
	MUST(f->fd >= 0, "create %s", path_of(n));
	MUST(!fstat(f->fd, &st) && !st.st_size && st.st_nlink == 1, "a new file of %lld bytes",
	     (long long)st.st_size);
	f->ino = st.st_ino;
	f->used = n->used = f->nnames = 1;
	n->file = k;
	if (below(2)) {
		MUST(!close(f->fd), "close");
		f->fd = -1;
	}
	MUST(open(path_of(n), O_RDWR | O_CREAT | O_EXCL, 0600) < 0 && errno == EEXIST,
	     "created twice");
}

/* A place in a file: its bytes are .at in the model, and .room of them are one window's. */
struct spot {
	struct file *f;
	uint8_t *at;
	uint64_t pos;
	size_t room;
};

/* False: there is no file. */
static int some_spot(struct spot *s)
{
	s->f = some_file();
	if (s->f)
		s->at = place(s->f, &s->pos, &s->room);
	return s->f != NULL;
}

static void op_write(void)
{
	struct spot s;
	size_t n;
	int fd;

	if (!some_spot(&s))
		return;
	n = 1 + below(below(3) ? 700 : ONE_WRITE);
	n = n < s.room ? n : s.room;
	fd = file_open(s.f);
	fill(s.at, n);
	MUST(pwrite(fd, s.at, n, (off_t)s.pos) == (ssize_t)n, "write of %zu at %llu", n,
	     (unsigned long long)s.pos);
	grown(s.f, s.pos + n);
	file_close(s.f, fd);
}

static void op_append(void)
{
	struct file *f = some_file();
	uint8_t *at;
	size_t room, n = 1 + below(5000);
	int fd;

	if (!f || !f->nnames)
		return;
	if (f->size < LOW)
		at = f->low + f->size, room = LOW - f->size;
	else if (f->size >= far && f->size < far + HIGH)
		at = f->high + (f->size - far), room = HIGH - (f->size - far);
	else
		return;
	n = n < room ? n : room;
	fd = open(path_of(name_of((int)(f - files))), O_WRONLY | O_APPEND);
	fill(at, n);
	MUST(fd >= 0 && write(fd, at, n) == (ssize_t)n, "append of %zu", n);
	f->size += n;
	MUST(!close(fd), "close");
}

static void op_read(void)
{
	struct spot s;
	int fd;

	if (!some_spot(&s))
		return;
	fd = file_open(s.f);
	check_range(s.f, fd, s.at, s.pos, s.room);
	file_close(s.f, fd);
}

static void op_truncate(void)
{
	struct spot s;
	uint64_t size;
	int fd;

	if (!some_spot(&s))
		return;
	size = below(4) ? s.pos : 0;
	fd = file_open(s.f);
	MUST(!ftruncate(fd, (off_t)size), "truncate to %llu", (unsigned long long)size);
	model_zero(s.f, size, ~0ull);
	s.f->size = size;
	file_close(s.f, fd);
}

/* Bytes before the end of the file, through a mapping. */
static void op_map(void)
{
	struct spot s;
	uint8_t *map;
	size_t before, n;
	int fd;

	if (!some_spot(&s) || s.pos >= s.f->size)
		return;
	n = 1 + below(9000);
	n = n < s.room ? n : s.room;
	n = n < s.f->size - s.pos ? n : s.f->size - s.pos;
	before = s.pos & 4095;
	fd = file_open(s.f);
	map = mmap(NULL, n + before, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		   (off_t)(s.pos - before));
	MUST(map != MAP_FAILED, "mmap at %llu", (unsigned long long)(s.pos - before));
	compare(map + before, s.at, n, s.pos);
	fill(s.at, n);
	memcpy(map + before, s.at, n);
	if (!below(4))
		MUST(!msync(map, n + before, below(2) ? MS_SYNC : MS_ASYNC), "msync");
	file_close(s.f, fd);
	MUST(!munmap(map, n + before), "munmap");
}

static void op_fallocate(void)
{
	static const int modes[] = { 0, 1 /* KEEP_SIZE */, 3 /* and PUNCH_HOLE */,
				     16 /* ZERO_RANGE */, 17 };
	int mode = modes[below(5)], fd;
	struct spot s;
	size_t n;

	if (!some_spot(&s))
		return;
	n = 1 + below(s.room < 40000 ? s.room : 40000);
	fd = file_open(s.f);
	if (fallocate(fd, mode, (off_t)s.pos, (off_t)n)) {
		MUST(errno == EOPNOTSUPP, "fallocate %d of %zu at %llu", mode, n,
		     (unsigned long long)s.pos);
	} else {
		if (mode & 18)
			model_zero(s.f, s.pos, s.pos + n);
		if (!(mode & 1))
			grown(s.f, s.pos + n);
	}
	file_close(s.f, fd);
}

static void op_link(void)
{
	struct name *from = some_name(0), *to = new_name();

	if (!from || !to)
		return;
	MUST(!link(path_of(from), path_of(to)), "link %s to %s", from->text, to->text);
	to->used = 1;
	to->file = from->file;
	files[to->file].nnames++;
}

static void op_unlink(void)
{
	struct name *n = some_name(!below(6));

	if (!n)
		return;
	MUST(!unlink(path_of(n)), "unlink %s", path_of(n));
	MUST(access(path_of(n), F_OK) && errno == ENOENT, "%s is still there", path_of(n));
	name_gone(n);
}

static void op_rename(void)
{
	struct name *from = some_name(!below(6)), *to = below(2) ? new_name() : some_name(0), moved;
	unsigned flags = below(3) ? 0 : (unsigned)(1 + below(2)); /* NOREPLACE, EXCHANGE */
	long ret;

	if (!from || !to || from == to)
		return;
	ret = syscall(SYS_renameat2, AT_FDCWD, path_of(from), AT_FDCWD, path_of(to), flags);
	if (ret && errno == EINVAL && flags)
		return;
	if (flags == RENAME_NOREPLACE_ && to->used) {
		MUST(ret && errno == EEXIST, "a name was replaced");
		return;
	}
	if (flags == RENAME_EXCHANGE_ && !to->used) {
		MUST(ret && errno == ENOENT, "exchanged with nothing");
		return;
	}
	MUST(!ret, "rename %s to %s, %u", from->text, path_of(to), flags);
	moved = *from;
	if (flags == RENAME_EXCHANGE_) {
		from->file = to->file;
		memcpy(from->target, to->target, sizeof(to->target));
	} else if (to->used && to->file >= 0 && to->file == from->file) {
		return; /* two names of one file: nothing happens */
	} else {
		if (to->used)
			name_gone(to);
		from->used = 0;
	}
	to->used = 1;
	to->file = moved.file;
	memcpy(to->target, moved.target, sizeof(to->target));
}

static void op_open_close(void)
{
	struct file *f = some_file();

	if (!f)
		return;
	if (f->fd < 0) {
		f->fd = file_open(f);
		return;
	}
	check_file(f);
	MUST(!close(f->fd), "close");
	f->fd = -1;
	if (!f->nnames)
		f->used = 0;
}

static void op_symlink(void)
{
	struct name *n = new_name();
	size_t len = 1 + below(sizeof(n->target) - 2);

	if (!n)
		return;
	memset(n->target, 'a' + (int)below(26), len);
	n->target[len] = 0;
	MUST(!symlink(n->target, path_of(n)), "symlink of %zu bytes", len);
	n->used = 1;
}

static void check_symlink(const struct name *n)
{
	char is[400];
	ssize_t len = readlink(path_of(n), is, sizeof(is));

	MUST(len == (ssize_t)strlen(n->target) && !memcmp(is, n->target, (size_t)len),
	     "link %s: %zd", path_of(n), len);
}

static void op_readlink(void)
{
	struct name *n = some_name(1);

	if (n)
		check_symlink(n);
}

static int is_empty(int d)
{
	for (int i = 0; i < NAMES; i++)
		if (names[i].used && names[i].dir == d)
			return 0;
	return 1;
}

/* Make, remove or move one of the process's own directories. */
static void op_dir(void)
{
	int d = SHARED_DIRS + (int)below(DIRS - SHARED_DIRS), parent = (int)below(SHARED_DIRS), ret;
	char path[300], to[300];

	if (!dirs[d].used) {
		dirs[d] = (struct dir){ 1, parent, serial++ };
		MUST(!mkdir(dir_path(d, path, sizeof(path)), 0700), "mkdir %s", path);
		return;
	}
	dir_path(d, path, sizeof(path));
	if (below(2)) {
		ret = rmdir(path);
		if (is_empty(d)) {
			MUST(!ret, "rmdir %s", path);
			dirs[d].used = 0;
		} else {
			MUST(ret && errno == ENOTEMPTY, "rmdir %s, which has names", path);
		}
		return;
	}
	dirs[d].parent = parent;
	dirs[d].serial = serial++;
	MUST(!rename(path, dir_path(d, to, sizeof(to))), "rename %s to %s", path, to);
}

static void found(int d, const char *entry, int *seen)
{
	for (int i = 0; i < NAMES; i++) {
		if (names[i].used && names[i].dir == d && !strcmp(names[i].text, entry)) {
			seen[i]++;
			return;
		}
	}
	for (int i = SHARED_DIRS; i < DIRS && d < SHARED_DIRS; i++) {
		char text[64];

		snprintf(text, sizeof(text), "p%d-dir-%d", self, dirs[i].serial);
		if (dirs[i].used && dirs[i].parent == d && !strcmp(text, entry)) {
			seen[NAMES + i]++;
			return;
		}
	}
	MUST(0, "%s is listed", entry);
}

/*
 * A directory lists each name of ours once, and none that is not there, whatever others do in it.
 */
static void check_list(int d)
{
	char path[300], mine[16];
	int seen[NAMES + DIRS] = { 0 };
	struct dirent *e;
	DIR *p = opendir(dir_path(d, path, sizeof(path)));

	MUST(p, "opendir %s", path);
	snprintf(mine, sizeof(mine), "p%d-", self);
	errno = 0;
	while ((e = readdir(p)))
		if (!strncmp(e->d_name, mine, strlen(mine)))
			found(d, e->d_name, seen);
	MUST(!errno, "readdir");
	closedir(p);
	for (int i = 0; i < NAMES; i++)
		MUST(seen[i] == (names[i].used && names[i].dir == d), "%s is listed %d times",
		     names[i].text, seen[i]);
	for (int i = SHARED_DIRS; i < DIRS; i++)
		MUST(seen[NAMES + i] == (dirs[i].used && d < SHARED_DIRS && dirs[i].parent == d),
		     "directory %d is listed %d times", dirs[i].serial, seen[NAMES + i]);
}

static void op_list(void)
{
	int d = (int)below(DIRS);

	if (dirs[d].used)
		check_list(d);
}

static void op_sync(void)
{
	struct file *f = some_file();
	int fd, drop;

	if (!f)
		return;
	fd = file_open(f);
	switch (below(8)) {
	case 0: sync(); break;
	case 1: MUST(!syncfs(fd), "syncfs"); break;
	case 2: MUST(!fdatasync(fd), "fdatasync"); break;
	case 3: /* only who may; the caches are filled again */
		drop = open("/proc/sys/vm/drop_caches", O_WRONLY);
		if (drop >= 0) {
			(void)!write(drop, "3", 1);
			close(drop);
		}
		break;
	default:
		MUST(!fsync(fd), "fsync");
		MUST(!posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), "fadvise");
	}
	file_close(f, fd);
}

static void op_copy(void)
{
	struct file *f = some_file(), *g = some_file();
	off_t from, to;
	size_t n = 1 + below(20000);
	ssize_t done;
	int in, out;

	if (!f || f == g)
		return;
	from = (off_t)below(LOW - n);
	to = (off_t)below(LOW - n);
	in = file_open(f);
	out = file_open(g);
	if (below(2)) {
		off_t a = from, b = to;

		done = copy_file_range(in, &a, out, &b, n, 0);
		if (done < 0 && (errno == EOPNOTSUPP || errno == EXDEV))
			done = 0;
	} else {
		off_t a = from;

		MUST(lseek(out, to, SEEK_SET) == to, "lseek");
		done = sendfile(out, in, &a, n);
	}
	MUST(done >= 0, "copy of %zu from %lld to %lld", n, (long long)from, (long long)to);
	MUST(from + done <= (off_t)f->size || !done, "%zd bytes from beyond the end", done);
	memcpy(g->low + to, f->low + from, (size_t)done);
	if (done)
		grown(g, (uint64_t)to + (uint64_t)done);
	file_close(f, in);
	file_close(g, out);
}

static void op_attr(void)
{
	struct file *f = some_file();
	int fd;

	if (!f)
		return;
	fd = file_open(f);
	switch (below(4)) {
	case 0:
		f->mode = 0600 | (unsigned)below(64);
		MUST(!fchmod(fd, f->mode), "chmod");
		break;
	case 1:
		if (f->has_attr) {
			MUST(!fremovexattr(fd, "user.e"), "removexattr");
			f->has_attr = 0;
		}
		break;
	default:
		f->attr_len = 1 + below(sizeof(f->attr));
		fill(f->attr, f->attr_len);
		if (!fsetxattr(fd, "user.e", f->attr, f->attr_len, 0))
			f->has_attr = 1;
		else
			MUST(errno == EOPNOTSUPP && !f->has_attr, "setxattr of %zu", f->attr_len);
	}
	check_attr(f, fd);
	file_close(f, fd);
}

/* Records of the file that all four write to: ours are each fourth. */
static void op_record(void)
{
	unsigned k = (unsigned)below(RECORDS / PROCESSES);
	off_t pos = (off_t)(k * PROCESSES + (unsigned)self) * RECORD, from = pos & ~4095;
	size_t n = (size_t)(pos - from) + RECORD;
	uint8_t *map;

	MUST(pread(shared_fd, buf, RECORD, pos) == RECORD, "read of record %u", k);
	compare(buf, records[k], RECORD, (uint64_t)pos);
	fill(records[k], RECORD);
	if (below(2)) {
		MUST(pwrite(shared_fd, records[k], RECORD, pos) == RECORD, "write of record %u", k);
		return;
	}
	map = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, shared_fd, from);
	MUST(map != MAP_FAILED, "mmap of record %u", k);
	memcpy(map + (pos - from), records[k], RECORD);
	MUST(!munmap(map, n), "munmap");
}

static const struct {
	const char *name;
	void (*fn)(void);
	unsigned weight;
} ops[] = {
	{ "create", op_create, 8 },
	{ "write", op_write, 12 },
	{ "append", op_append, 4 },
	{ "read", op_read, 6 },
	{ "truncate", op_truncate, 4 },
	{ "map", op_map, 8 },
	{ "fallocate", op_fallocate, 3 },
	{ "link", op_link, 5 },
	{ "unlink", op_unlink, 6 },
	{ "rename", op_rename, 8 },
	{ "open/close", op_open_close, 6 },
	{ "symlink", op_symlink, 3 },
	{ "readlink", op_readlink, 1 },
	{ "dir", op_dir, 4 },
	{ "list", op_list, 2 },
	{ "sync", op_sync, 1 },
	{ "copy", op_copy, 3 },
	{ "attr", op_attr, 3 },
	{ "record", op_record, 6 },
};
#define NOPS (sizeof(ops) / sizeof(ops[0]))

static void one(void)
{
	unsigned total = 0, r;

	for (unsigned i = 0; i < NOPS; i++)
		total += ops[i].weight;
	r = (unsigned)below(total);
	for (unsigned i = 0; i < NOPS; i++) {
		if (r < ops[i].weight) {
			op_name = ops[i].name;
			ops[i].fn();
			return;
		}
		r -= ops[i].weight;
	}
}

static void check_all(void)
{
	op_name = "check of all";
	for (int i = 0; i < FILES; i++)
		if (files[i].used)
			check_file(files + i);
	for (int i = 0; i < NAMES; i++)
		if (names[i].used && names[i].file < 0)
			check_symlink(names + i);
	for (int d = 0; d < DIRS; d++)
		if (dirs[d].used)
			check_list(d);
	for (int k = 0; k < RECORDS / PROCESSES; k++) {
		off_t pos = (off_t)(k * PROCESSES + self) * RECORD;

		MUST(pread(shared_fd, buf, RECORD, pos) == RECORD, "read of record %d", k);
		compare(buf, records[k], RECORD, (uint64_t)pos);
	}
}

static void process(uint64_t seed, unsigned long count)
{
	char path[300];

	rng = seed * PROCESSES + (uint64_t)self;
	umask(0);
	for (int d = 0; d < SHARED_DIRS; d++)
		dirs[d].used = 1;
	snprintf(path, sizeof(path), "%s/shared", top);
	shared_fd = open(path, O_RDWR);
	MUST(shared_fd >= 0, "open %s", path);
	for (op_number = 1; op_number <= count; op_number++)
		one();
	check_all();
	_exit(0);
}

/* --- the sum of a tree: of names, kinds, sizes, links and bytes, in any order --- */

static uint64_t sum;

static uint64_t mix(uint64_t h, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ ((const uint8_t *)p)[i]) * 0x100000001b3ull;
	return h;
}

static int add(const char *path, const struct stat *st, int kind, struct FTW *w)
{
	uint64_t h = mix(0xcbf29ce484222325ull, path + strlen(top), strlen(path) - strlen(top));
	uint64_t what[3] = { st->st_mode, S_ISDIR(st->st_mode) ? 0 : (uint64_t)st->st_size,
			     st->st_nlink };
	int fd;
	ssize_t n;

	(void)kind, (void)w;
	h = mix(h, what, sizeof(what));
	if (S_ISLNK(st->st_mode)) {
		n = readlink(path, (char *)buf, sizeof(buf));
		h = mix(h, buf, n > 0 ? (size_t)n : 0);
	} else if (S_ISREG(st->st_mode)) {
		fd = open(path, O_RDONLY);
		MUST(fd >= 0, "open %s", path);
		for (off_t at = 0; (n = pread(fd, buf, sizeof(buf), at)) > 0 && at < LOW; at += n)
			h = mix(h, buf, (size_t)n);
		for (off_t at = (off_t)far; (n = pread(fd, buf, sizeof(buf), at)) > 0; at += n)
			h = mix(h, buf, (size_t)n);
		MUST(n >= 0, "read of %s", path);
		close(fd);
	}
	sum += h;
	return 0;
}

static void tree(void)
{
	op_name = "sum of the tree";
	MUST(!nftw(top, add, 16, FTW_PHYS), "nftw");
	printf("tree %016llx\n", (unsigned long long)sum);
}

static void prepare(void)
{
	char path[300];
	int fd;

	MUST(!mkdir(top, 0755), "mkdir %s", top);
	for (int d = 0; d < SHARED_DIRS; d++)
		MUST(!mkdir(dir_path(d, path, sizeof(path)), 0755), "mkdir %s", path);
	snprintf(path, sizeof(path), "%s/shared", top);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	MUST(fd >= 0 && !ftruncate(fd, RECORDS * RECORD) && !close(fd), "%s", path);
}

int main(int argc, char **argv)
{
	int only_tree = argc > 1 && !strcmp(argv[1], "-t"), status, failed = 0;
	uint64_t seed;
	char folder[200];

	if (argc != 4) {
		fprintf(stderr, "usage: exerciser FOLDER SEED OPERATIONS | -t FOLDER SEED\n");
		return 2;
	}
	seed = strtoull(argv[2 + only_tree], NULL, 0);
	snprintf(folder, sizeof(folder), "%s/%llu", argv[1 + only_tree], (unsigned long long)seed);
	top = folder;
	far = far_away[seed % (sizeof(far_away) / sizeof(far_away[0]))];
	if (!only_tree) {
		prepare();
		fflush(stdout);
		for (self = 0; self < PROCESSES; self++)
			if (!fork())
				process(seed, strtoul(argv[3], NULL, 0));
		while (wait(&status) > 0)
			failed |= status;
		if (failed)
			return 1;
	}
	tree();
	return 0;
}
