#pragma once
/*
 * The child of baduse.c that makes the calls of one row: which cases there are, what a failed call
 * must leave as it was, and the letters in which answers are told to the parent.
 */
#define _GNU_SOURCE
#include "fixture.h"
#include "cases.h"
#include "common.h"
#include <sys/prctl.h>
#include <sys/resource.h>

#define MAX_CASES 2000

/* The child tells what it is at and what came of it. */
struct report {
	volatile int at; /* case under way; those before it have answers */
	volatile int ready; /* the fixture is made */
	volatile int done;
	volatile char have[FD_LAST]; /* descriptors that can be made: told by the first child */
	volatile int same_files; /* the last call left the folder as it was */
	char answer[MAX_CASES][12];
};

static struct report *report;

#define LETTER(c, e)     \
	{                \
		c, e, #e \
	}
static const struct {
	char letter;
	short error;
	const char *name;
} letters[] = {
	LETTER('F', EFAULT),	      LETTER('B', EBADF),
	LETTER('I', EINVAL),	      LETTER('N', ENOENT),
	LETTER('P', EPERM),	      LETTER('A', EACCES),
	LETTER('S', ESRCH),	      LETTER('D', ENOTDIR),
	LETTER('G', EISDIR),	      LETTER('E', EEXIST),
	LETTER('T', ENOTTY),	      LETTER('K', ESPIPE),
	LETTER('L', ELOOP),	      LETTER('M', ENAMETOOLONG),
	LETTER('O', EOPNOTSUPP),      LETTER('Y', EBUSY),
	LETTER('W', EAGAIN),	      LETTER('R', ERANGE),
	LETTER('V', EOVERFLOW),	      LETTER('X', EXDEV),
	LETTER('Z', ENOSPC),	      LETTER('m', ENOMEM),
	LETTER('2', E2BIG),	      LETTER('x', ENXIO),
	LETTER('d', ENODEV),	      LETTER('n', ENOSYS),
	LETTER('t', ETXTBSY),	      LETTER('f', EFBIG),
	LETTER('o', EROFS),	      LETTER('k', EMLINK),
	LETTER('p', EPIPE),	      LETTER('l', EDEADLK),
	LETTER('q', EMFILE),	      LETTER('c', ECHILD),
	LETTER('b', ENOTBLK),	      LETTER('a', ENODATA),
	LETTER('e', ENOTEMPTY),	      LETTER('H', EINTR),
	LETTER('s', ENOTSOCK),	      LETTER('i', EIO),
	LETTER('g', EIDRM),	      LETTER('j', ENOMSG),
	LETTER('u', ETIMEDOUT),	      LETTER('v', EDOM),
	LETTER('w', ENOEXEC),	      LETTER('r', EDESTADDRREQ),
	LETTER('y', EPROTONOSUPPORT), LETTER('z', EAFNOSUPPORT),
	LETTER('C', ENOTCONN),	      LETTER('J', ENOPROTOOPT),
};

static void answer_of(const struct entry *e, long r, char *out)
{
	if (r >= 0 || r < -4095) {
		if (r && (e->flags & VALUE))
			sprintf(out, "{%ld}", r % 1000000);
		else
			strcpy(out, r || (e->flags & NUMBER) ? "+" : ".");
		return;
	}
	for (unsigned i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		if (letters[i].error == -r) {
			out[0] = letters[i].letter;
			out[1] = 0;
			return;
		}
	sprintf(out, "{E%ld}", -r);
}

/* --- the state that a failed call leaves alone --- */

static uint64_t mix(uint64_t h, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ ((const unsigned char *)p)[i]) * 0x100000001b3;
	return h;
}

static uint64_t mix_long(uint64_t h, long v)
{
	return mix(h, &v, sizeof(v));
}

static uint64_t mix_names(uint64_t h)
{
	static char buf[8192];
	uint64_t sum = 0;
	long n;

	syscall(SYS_lseek, FD_OWN, 0L, SEEK_SET);
	while ((n = syscall(SYS_getdents64, FD_OWN, buf, sizeof(buf))) > 0)
		for (long at = 0; at < n; at += *(unsigned short *)(buf + at + 16))
			sum += mix(1, buf + at + 19, strlen(buf + at + 19)); /* in any order */
	return mix_long(h, sum);
}

static uint64_t state_now(const struct entry *e)
{
	static char text[65536];
	unsigned ids[6];
	stack_t ss = { 0 };
	uint64_t h = 1, mask = 0;
	int fd, umask_now;
	long n;

	for (fd = 0; fd < 64; fd++)
		h = mix_long(h, syscall(SYS_fcntl, fd, F_GETFD));
	syscall(SYS_getresuid, ids, ids + 1, ids + 2);
	syscall(SYS_getresgid, ids + 3, ids + 4, ids + 5);
	h = mix(h, ids, sizeof(ids));
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, 8);
	h = mix_long(h, mask);
	sigaltstack(NULL, &ss);
	h = mix_long(mix_long(h, (long)ss.ss_sp), ss.ss_flags);
	h = mix_long(h, syscall(SYS_brk, 0));
	h = mix_long(h, syscall(SYS_getsid, 0));
	h = mix_long(h, syscall(SYS_getpgid, 0));
	h = mix_long(h, syscall(SYS_getpriority, 0, 0));
	h = mix_long(h, syscall(SYS_sched_getscheduler, 0));
	umask_now = syscall(SYS_umask, 0);
	syscall(SYS_umask, umask_now);
	h = mix_long(h, umask_now);
	if (e->flags & FS)
		h = mix_names(h);
	if (e->flags & MM) {
		fd = open("/proc/self/maps", O_RDONLY);
		while ((n = read(fd, text, sizeof(text))) > 0)
			h = mix(h, text, n);
		close(fd);
	}
	return h;
}

/* --- the child --- */

static void nudged(int sig)
{
}

static void become(int user)
{
	if (!user)
		return;
	syscall(SYS_setgroups, 0L, NULL);
	syscall(SYS_setresgid, user, user, user);
	syscall(SYS_setresuid, user, user, user);
}

/* --- the cases of a row --- */

/* A case: argument @i wrong in way @v, or with @k >= 0 both in way @v. The good call has @i < 0. */
struct one_case {
	int8_t i, k;
	int16_t v;
};

static struct one_case cases[MAX_CASES];
static int ncases;

static void case_add(int i, int k, int v)
{
	if (ncases == MAX_CASES) {
		fprintf(stderr, "baduse: MAX_CASES\n");
		exit(2);
	}
	cases[ncases++] = (struct one_case){ i, k, v };
}

/* The cases of @e in order: the good call, each argument's, the pairs. */
static void list_cases(const struct entry *e)
{
	long value;

	ncases = 0;
	case_add(-1, -1, 0);
	for (int i = 0; i < 6; i++)
		for (int v = 0; case_set(e, i, v, &value) != CASE_END; v++)
			case_add(i, -1, v);
	for (int i = 0; i < 6 && !(e->flags & NO_PAIRS); i++)
		for (int k = i + 1; k < 6; k++)
			for (int v = 0; v < 4; v++)
				if (can_pair(e, i) && can_pair(e, k))
					case_add(i, k, v);
	/* What the counting left there. */
	memset((void *)A_IN, 0, 6 * ARG_ROOM);
	mprotect((void *)A_RO, PAGE, PROT_READ | PROT_WRITE);
}

static int case_arguments(const struct entry *e, const struct one_case *c, long *a)
{
	int r = CASE_SET;

	for (int i = 0; i < 6; i++)
		a[i] = arg_good(e, i);
	if (c->k >= 0) {
		a[c->i] = case_pair(e, c->i, c->v & 1);
		a[c->k] = case_pair(e, c->k, c->v >> 1);
	} else if (c->i >= 0) {
		r = case_set(e, c->i, c->v, &a[c->i]);
	}
	return r;
}

static void case_words(const struct entry *e, const struct one_case *c, char *out, size_t size)
{
	if (c->i < 0)
		snprintf(out, size, "the good call");
	else if (c->k < 0)
		case_name(e, c->i, c->v, out, size);
	else
		snprintf(out, size, "arguments %d and %d wrong (%d)", c->i + 1, c->k + 1, c->v);
}

static void child_prepare(const struct entry *e, int user, int files)
{
	struct sigaction sa = { .sa_handler = nudged };
	struct rlimit files_limit = { 1024, 4096 };

	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	sigaction(SIGALRM, &sa, NULL);
	for (int sig = 1; sig < 65 && e->flags & CLONES; sig++)
		if (sig != SIGALRM && sig != SIGCHLD)
			signal(sig, SIG_IGN); /* rows choose what a child's end sends */
	setrlimit(RLIMIT_NOFILE, &files_limit);
	fixture_mark();
	self_pid = getpid();
	parent_pid = getppid();
	setpgid(0, 0);
	if (files)
		fixture_files(user);
	else if (chdir(fixture_dir))
		_exit(2);
	fixture_descriptors();
	if (e->nr == __NR_syslog)
		fixture_log();
	if (e->flags & MOUNTS)
		mount("baduse", "mnt", "tmpfs", 0, NULL);
	become(user);
	if (e->flags & CHILD)
		make_child();
}

/*
 * The descriptors that case @at may be about: all where a descriptor is what is wrong, else those
 * that the row names.
 */
static uint64_t wanted_descriptors(const struct entry *e, int at)
{
	const struct one_case *c = &cases[at];
	uint64_t named = 1;

	if ((c->i >= 0 && e->arg[c->i].kind == K_FD) || (c->k >= 0 && e->arg[c->k].kind == K_FD) ||
	    e->nr == __NR_ppoll || e->nr == __NR_pselect6)
		return ~0ull;
	for (int i = 0; i < 6; i++)
		if (e->arg[i].value >= FD_FILE && e->arg[i].value < FD_LAST)
			named |= 1ull << (e->arg[i].value - FD_FILE);
	return named;
}

static uint64_t mix_stat(uint64_t h, const char *name)
{
	struct stat st;

	if (lstat(name, &st))
		return mix_long(h, errno);
	h = mix_long(mix_long(h, st.st_ino), st.st_nlink);
	h = mix_long(mix_long(h, st.st_mode), st.st_size);
	h = mix(h, &st.st_uid, sizeof(st.st_uid));
	h = mix(h, &st.st_gid, sizeof(st.st_gid));
	h = mix(h, &st.st_mtim, sizeof(st.st_mtim));
	return mix(h, &st.st_ctim, sizeof(st.st_ctim));
}

/* What the folder holds, but for when it was read. */
static uint64_t files_now(void)
{
	static const char *const names[] = { ".",	 "file",     "ro",   "priv",  "rootfile",
					     "big",	 "dir",	     "mnt",  "empty", "rootdir",
					     "dir/f",	 "link",     "loop", "exe",   "fifo",
					     "dangling", FIXTURE_TOP };
	uint64_t h = mix_names(1);

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		h = mix_stat(h, names[i]);
	return h;
}

static int changes_xattrs(const struct entry *e)
{
	return (e->nr >= __NR_setxattr && e->nr <= __NR_fsetxattr) ||
	       (e->nr >= __NR_removexattr && e->nr <= __NR_fremovexattr);
}

static _Noreturn void child_main(const struct entry *e, int user, int files)
{
	uint64_t before, files_before, set = wanted_descriptors(e, report->at);
	char *answer;
	long a[6], r;
	int at;

	fix_wanted = set;
	child_prepare(e, user, files);
	before = state_now(e);
	files_before = e->flags & FS ? files_now() : 0;
	report->ready = 1;
	for (at = report->at; at < ncases; at++) {
		if (wanted_descriptors(e, at) & ~set) {
			report->same_files = 1;
			_exit(0);
		}
		answer = report->answer[at];
		if (case_arguments(e, &cases[at], a) == CASE_SKIP) {
			strcpy(answer, "-");
			report->at = at + 1;
			continue;
		}
		resolve_args(e, a);
		r = raw_call(e->nr, a, e->flags & CLONES);
		answer_of(e, r, answer);
		if (r < 0 && r >= -4095 && state_now(e) != before)
			strcat(answer, "*");
		else if ((r < 0 && r >= -4095) || (e->flags & PURE)) {
			report->at = at + 1;
			continue;
		}
		report->at = at + 1;
		report->same_files =
			!(e->flags & MOUNTS) && !changes_xattrs(e) && files_now() == files_before;
		_exit(0);
	}
	report->done = 1;
	_exit(0);
}
