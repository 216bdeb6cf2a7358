#pragma once
/*
 * What can be wrong with an argument of each kind. case_set changes one argument of a good call;
 * case_name says in words what it did.
 */
#include "call.h"
#include "fixture.h"

#define CASE_END (-1)
#define CASE_SKIP 0
#define CASE_SET 1

static const long bad_ints[] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 31, 64, 99, 1000, -1, -2, 0x7fffffff, 0x80000000, -100,
};

static const long bad_longs[] = {
	0,	  1,	     2,		 3,	     7,		 100,	   4095,
	4096,	  4097,	     0x7fffffff, 0x80000000, 0xffffffff, 1L << 32, 1L << 40,
	1L << 62, INT64_MAX, INT64_MIN,	 -1,	     -2,	 -4096,
};

static const long bad_lengths[] = {
	0,	  1,	     2,		 7,	     8,		 4095,	     4096,
	4097,	  65536,     0x7ffff000, 0x7fffffff, 0x80000000, 0xffffffff, 1L << 32,
	1L << 38, INT64_MAX, INT64_MIN,	 -1,	     -4096,
};

static const long bad_fds[] = {
	-1,	     FD_CLOSED, 1 << 20,   0x7fffffff, 0x80000000, AT_FDCWD,  FD_FILE,
	FD_RDONLY,   FD_WRONLY, FD_DIR,	   FD_PATH,    FD_PIPE_R,  FD_PIPE_W, FD_EPOLL,
	FD_EVENT,    FD_TIMER,	FD_TTY,	   FD_PTMX,    FD_NULL,	   FD_PROC,   FD_PIDFD,
	FD_MEMFD,    FD_SOCKET, FD_SIGNAL, FD_INOTIFY, FD_ZERO,	   FD_APPEND, FD_EMPTY_R,
	FD_DIR_PATH, FD_UDP,	FD_LISTEN, FD_FULL,    FD_SYS,
};

static const long bad_pids[] = {
	0, -1, -2, 0x7fffffff, 0x80000000, 999999, PID_SELF, PID_CHILD, PID_PARENT, 1,
};

static const long bad_signals[] = {
	0, 1, 9, 10, 17, 18, 19, 23, 31, 32, 33, 34, 63, 64, 65, 100, -1, 0x7fffffff, 0x80000000,
};

static const long bad_ids[] = { 0, 1, 1000, 4242, 65534, 65535, 65536, -1, -2, 0x7fffffff };

static const long bad_addresses[] = {
	0,
	1,
	A_MAP + 1,
	A_MAP + PAGE,
	A_MAP + 6 * PAGE,
	A_MAP + 8 * PAGE,
	A_HOLE,
	A_NONE,
	A_RO,
	A_EOF,
	A_FILE,
	A_END - PAGE,
	0x8000000000 - PAGE,
	(long)0xffffffffffff0000,
	(long)0xffff000000000000,
	(long)0xffffff8000000000,
	(long)(0xab00000000000000 | A_MAP),
	-1,
};

static const char *const bad_paths[] = {
	"",
	"nonexist",
	"nodir/x",
	"file/x",
	"file/",
	"dir",
	"dir/",
	"dir/f",
	"link",
	"link/",
	"dangling",
	"loop",
	"loop/x",
	".",
	"..",
	"dir/.",
	"dir/..",
	"fifo",
	"ro",
	"priv",
	"rootfile",
	"rootdir/x",
	"empty",
	"empty/",
	"mnt",
	"new",
	"new/",
	"hard",
	"./",
	"exe/",
	"/proc/self/fd/10",
	"/proc/self/status",
	"/proc/self",
	"/sys/kernel",
};

/* Places where what is pointed to may be; the first ones suit every pointer. */
enum place {
	AT_NULL,
	AT_ODD, /* not aligned */
	AT_KERNEL,
	AT_KERNEL_MAP,
	AT_TAGGED,
	AT_LAST, /* the last address there can be for a program with 39 bits */
	AT_BEYOND, /* and the first that there cannot be with 48 */
	AT_HOLE,
	AT_NOACCESS,
	AT_READONLY,
	AT_STRADDLE, /* half of it behind the end of a mapping */
	AT_FITS, /* just before the end */
	AT_EOF,
	AT_MINUS_ONE,
	AT_WRAPS, /* its end is address 0 */
	AT_PLACES,
};

static const char *const place_names[] = {
	"NULL",
	"unaligned",
	"kernel range",
	"kernel range, linear map",
	"tagged",
	"the last user address",
	"the first address behind 48 bits",
	"unmapped",
	"PROT_NONE",
	"read-only",
	"straddling the end of a mapping",
	"at the end of a mapping",
	"in a file mapping behind the end",
	"-1",
	"wrapping around",
};

static const char *const fd_names[] = {
	"file",
	"read-only file",
	"write-only file",
	"folder",
	"O_PATH",
	"pipe",
	"pipe's writing end",
	"epoll",
	"eventfd",
	"timerfd",
	"tty",
	"ptmx",
	"/dev/null",
	"/proc/self/status",
	"pidfd",
	"memfd",
	"socket",
	"signalfd",
	"inotify",
	"/dev/zero",
	"appending file",
	"empty pipe",
	"empty pipe's writing end",
	"O_PATH folder",
	"UDP socket",
	"listening socket",
	"big file",
	"/dev/full",
	"sysfs file",
};

#define MAX_PATH_CASES 4 /* lengths round the limits */
#define MAX_WORDS 32 /* of four bytes, of an input that are changed one by one */
#define WORD_VALUES 3

static inline long arg_home(int i)
{
	return A_IN + i * ARG_ROOM + 512;
}

/* The good value of argument @i of @e; its input is put in place. */
static long arg_good(const struct entry *e, int i)
{
	const struct arg *a = &e->arg[i];

	if (a->kind == K_OUT)
		return A_BUF + i * ARG_ROOM + 512;
	if (a->kind != K_IN && a->kind != K_IO && a->kind != K_PATH)
		return a->value;
	memcpy((void *)arg_home(i), (void *)a->value, a->size);
	return arg_home(i);
}

static int case_number(const long *list, int n, int v, long good, int wide, long *out)
{
	if (v < n) {
		*out = list[v];
		return CASE_SET;
	}
	switch (v - n) {
	case 0: *out = good + 1; return CASE_SET;
	case 1: *out = good - 1; return CASE_SET;
	case 2: /* a call that wants 32 bits must not see the others */
		*out = good ^ (long)0xdeadbeef00000000;
		return wide ? CASE_END : CASE_SET;
	}
	return CASE_END;
}

#define NUMBERS(list, wide) case_number(list, sizeof(list) / sizeof(list[0]), v, good, wide, out)

static int case_flags(int v, long good, long *out)
{
	if (v < 32)
		*out = good ^ (1L << v);
	else if (v == 32)
		*out = 0;
	else if (v == 33)
		*out = 0xffffffff;
	else if (v == 34)
		*out = good | 1L << 32;
	else if (v == 35)
		*out = good | 1L << 63;
	else
		return CASE_END;
	return CASE_SET;
}

static int case_place(const struct entry *e, int i, int v, long *out)
{
	const struct arg *a = &e->arg[i];
	long size = a->size ? a->size : 1, good = arg_good(e, i), at;

	switch (v) {
	case AT_NULL: *out = 0; return CASE_SET;
	case AT_KERNEL: *out = (long)0xffff000000000000; return CASE_SET;
	case AT_KERNEL_MAP: *out = (long)0xffffff8000000000; return CASE_SET;
	case AT_TAGGED: *out = good | (long)0xab00000000000000; return CASE_SET;
	case AT_LAST: *out = 0x7fffffffff; return CASE_SET;
	case AT_BEYOND: *out = 1L << 48; return CASE_SET;
	case AT_HOLE: *out = A_HOLE; return CASE_SET;
	case AT_NOACCESS: *out = A_NONE; return CASE_SET;
	case AT_EOF: *out = A_EOF; return CASE_SET;
	case AT_MINUS_ONE: *out = -1; return CASE_SET;
	case AT_WRAPS: *out = -size; return CASE_SET;
	case AT_ODD: at = good + 1; break;
	case AT_READONLY: at = A_RO + 512; break;
	case AT_STRADDLE: at = A_END - (size + 1) / 2; break;
	case AT_FITS: at = A_END - size; break;
	default: return CASE_END;
	}
	if (v == AT_STRADDLE && size == 1)
		return CASE_SKIP;
	if (a->kind != K_OUT) {
		mprotect((void *)A_RO, PAGE, PROT_READ | PROT_WRITE);
		memcpy((void *)at, (void *)a->value,
		       at + size > A_END && at < A_END ? A_END - at : size);
	}
	if (v == AT_READONLY)
		mprotect((void *)A_RO, PAGE, PROT_READ);
	*out = at;
	return CASE_SET;
}

/* One word of an input is another. */
static int case_word(const struct entry *e, int i, int v, long *out)
{
	static const uint32_t values[WORD_VALUES] = { 0, 0xffffffff, 0x7fffffff };
	int words = e->arg[i].size / 4 < MAX_WORDS ? e->arg[i].size / 4 : MAX_WORDS;
	int word = v / WORD_VALUES;

	if (word >= words)
		return CASE_END;
	*out = arg_good(e, i);
	memcpy((void *)(*out + 4 * word), &values[v % WORD_VALUES], 4);
	return CASE_SET;
}

static int case_path(const struct entry *e, int i, int v, long *out)
{
	static const short lengths[MAX_PATH_CASES] = { 255, 256, 4095, 4096 };
	int n = sizeof(bad_paths) / sizeof(bad_paths[0]);
	char *p = (char *)arg_home(i);

	*out = (long)p;
	if (v < n) {
		strcpy(p, bad_paths[v]);
		/* How long the number is that it points to depends on how many processes there were. */
		return e->nr == __NR_readlinkat && !strcmp(p, "/proc/self") ? CASE_SKIP : CASE_SET;
	}
	v -= n;
	if (v < 2) {
		memset(p, 'n', lengths[v]);
		p[lengths[v]] = 0;
	} else if (v < MAX_PATH_CASES) {
		for (int k = 0; k < lengths[v]; k++)
			p[k] = k & 1 ? '/' : '.';
		memcpy(p + lengths[v] - 4, "file", 5);
	} else {
		return CASE_END;
	}
	return CASE_SET;
}

/* Make argument @i of @e wrong in its way number @v. */
static int case_set(const struct entry *e, int i, int v, long *out)
{
	long good = e->arg[i].value;

	switch (e->arg[i].kind) {
	case K_INT: return NUMBERS(bad_ints, 0);
	case K_LONG: return NUMBERS(bad_longs, 1);
	case K_LEN: return NUMBERS(bad_lengths, 1);
	case K_FD: return NUMBERS(bad_fds, 0);
	case K_PID:
		if (e->flags & SPARES && v < (int)(sizeof(bad_pids) / sizeof(bad_pids[0])) &&
		    (bad_pids[v] == 1 || bad_pids[v] == PID_PARENT))
			return CASE_SKIP;
		return NUMBERS(bad_pids, 0);
	case K_SIG: return NUMBERS(bad_signals, 0);
	case K_ID: return NUMBERS(bad_ids, 0);
	case K_FLAGS:
		/* The low bits are the signal of the child's end, which may come before the answer. */
		return (e->flags & CLONES) && v < 8 ? CASE_SKIP : case_flags(v, good, out);
	case K_ADDR: return NUMBERS(bad_addresses, 1);
	case K_OUT: return case_place(e, i, v, out);
	case K_IN:
	case K_IO:
		return v < AT_PLACES ? case_place(e, i, v, out)
				     : case_word(e, i, v - AT_PLACES, out);
	case K_PATH:
		return v < AT_PLACES ? case_place(e, i, v, out)
				     : case_path(e, i, v - AT_PLACES, out);
	}
	return CASE_END;
}

static inline int can_pair(const struct entry *e, int i)
{
	return e->arg[i].kind != K_NONE && e->arg[i].kind != K_CONST;
}

/* The two wrongs that are tried together with wrongs of other arguments. */
static inline long case_pair(const struct entry *e, int i, int v)
{
	static const long pairs[][2] = {
		[K_INT] = { -1, 0x7ffffffe },
		[K_LONG] = { -1, INT64_MIN },
		[K_FLAGS] = { 0xffffffff, 0x40000000 },
		[K_FD] = { FD_CLOSED, FD_PATH },
		[K_PID] = { 999999, -5 },
		[K_SIG] = { 65, -1 },
		[K_ID] = { -1, 4242 },
		[K_LEN] = { 0, -1 },
		[K_OUT] = { A_HOLE, 0 },
		[K_IN] = { A_HOLE, 0 },
		[K_IO] = { A_HOLE, 0 },
		[K_PATH] = { A_HOLE, 0 },
		[K_ADDR] = { 1, A_HOLE },
	};

	if (e->arg[i].kind == K_PATH && v == 1) {
		strcpy((char *)arg_home(i), "nonexist");
		return arg_home(i);
	}
	return pairs[e->arg[i].kind][v];
}

static inline void case_name(const struct entry *e, int i, int v, char *out, size_t size)
{
	int kind = e->arg[i].kind, n = sizeof(bad_paths) / sizeof(bad_paths[0]);
	long value;

	if (kind == K_FD && case_set(e, i, v, &value) == CASE_SET && value >= FD_FILE &&
	    value < FD_LAST)
		snprintf(out, size, "argument %d = %s", i + 1, fd_names[value - FD_FILE]);
	else if (kind == K_FLAGS && v < 32)
		snprintf(out, size, "argument %d: flag %#x turned", i + 1, 1u << v);
	else if (kind < K_OUT || kind == K_ADDR)
		snprintf(out, size, "argument %d = %#lx", i + 1,
			 case_set(e, i, v, &value) == CASE_SET ? value : 0);
	else if (v < AT_PLACES)
		snprintf(out, size, "argument %d %s", i + 1, place_names[v]);
	else if (kind == K_PATH && v - AT_PLACES < n)
		snprintf(out, size, "argument %d = \"%s\"", i + 1, bad_paths[v - AT_PLACES]);
	else if (kind == K_PATH)
		snprintf(out, size, "argument %d a long path (%d)", i + 1, v - AT_PLACES - n);
	else
		snprintf(out, size, "argument %d: word %d of what it points to = %s", i + 1,
			 (v - AT_PLACES) / WORD_VALUES,
			 (const char *[]){ "0", "-1",
					   "0x7fffffff" }[(v - AT_PLACES) % WORD_VALUES]);
}
