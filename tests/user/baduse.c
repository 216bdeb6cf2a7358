/*
 * Bad use of every system call: each argument wrong in every way its kind allows, one at a time
 * and in pairs, as root and as a plain user, compared with what Linux answers.
 *
 *   baduse [PATTERN]     compare the rows whose name holds PATTERN with baduse/linux.inc
 *   baduse -r [PATTERN]  print the answers, in the form of that file (scripts/record-baduse)
 *   baduse -l N PATTERN  do each row N times and say what memory was lost
 *   baduse -s I/N        only every Nth row, from the Ith on
 *   baduse -k            print the rows that differ, in the form of baduse/known.inc
 *   baduse -v            say what differs in those rows too
 *
 * Rows are in baduse/rows_*.h; a row of syscalls.def without one is a failure. Each row is done in
 * a child that has the fixture (baduse/fixture.h) for itself; after a call that succeeded the next
 * child goes on with a new one. A failed call must leave the child as it was: descriptors, ids,
 * signals, names in the folder, for memory calls the mappings. What changed anyway is part of the
 * answer ('*'), because Linux too copies out after the deed at times; where Linux changes something
 * and we do not, we are right as well. A call that blocks is ended by a signal, one that cannot be
 * is killed.
 *
 * An answer is one letter: '.' for 0, '+' for a positive number, an error's letter (letters[]), or
 * something in braces. A line holds the good call's answer, then those of each argument's cases,
 * then those of the pairs, between bars; '=' says that a plain user gets what root gets.
 *
 * Left out, with reasons: what cannot be survived by the machine (reboot with the right numbers,
 * pivot_root of the running system, kexec), signals to process 1 and to everybody.
 */
#define _GNU_SOURCE
#include "baduse/fixture.h"
#include "baduse/cases.h"
#include <poll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include "tap.h"
#include "baduse/rows.h"

#define MAX_CASES 2000
#define NUDGE_MS 10 /* asleep for so long without progress: the call blocks, a signal ends it */
#define NUDGES 6 /* that many did not help: it is killed */
#define USER 1000

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
static int recording, counting, verbose, leak_rounds;
static int child_pid, self_pid, parent_pid;
static int compared, differ;
static const char *wanted = ""; /* rows whose name holds this */

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
			strcpy(out, r ? "+" : ".");
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

static long resolve_pid(long v)
{
	switch ((uint32_t)v) {
	case PID_SELF: return self_pid;
	case PID_CHILD: return child_pid;
	case PID_PARENT: return parent_pid;
	}
	return v;
}

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
	memset((void *)A_IN, 0, 6 * ARG_ROOM); /* what the counting left there */
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
	if (e->flags & MOUNTS)
		mount("baduse", "mnt", "tmpfs", 0, NULL);
	become(user);
	if (e->flags & CHILD) {
		child_pid = fork();
		if (!child_pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
	}
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
		for (int i = 0; i < 6; i++)
			if (e->arg[i].kind == K_PID || e->arg[i].kind == K_CONST)
				a[i] = resolve_pid(a[i]);
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

/* --- the parent --- */

static void nap(int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigtimedwait(&set, NULL, &ts);
}

/*
 * Wait for the child; returns its wait status. One that blocks is nudged, then killed. All share one
 * CPU: a sleep that ends by itself, after a millisecond, does so before the parent's nap.
 */
static int child_wait(pid_t pid)
{
	int st, seen = -1, nudges = 0, left = TAP_PATIENCE_MS / NUDGE_MS;

	for (;;) {
		pid_t r = waitpid(pid, &st, WNOHANG | WUNTRACED | __WALL);

		if (r == pid && WIFSTOPPED(st)) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, __WALL);
			return st;
		}
		if (r == pid)
			return st;
		nap(NUDGE_MS);
		if (seen != report->at) {
			seen = report->at;
			nudges = 0;
			continue;
		}
		if (--left && !is_asleep(pid))
			continue;
		if (++nudges >= NUDGES || !left) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, __WALL);
			return -1;
		}
		kill(pid, SIGALRM);
	}
}

/* Unmount the last of what is mounted under places that rows name; 0 when nothing is left. */
static int remove_mounts(void)
{
	char line[512], where[256], last[256] = "";
	FILE *f = fopen("/proc/self/mounts", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %255s", where) == 1 &&
		    (!strncmp(where, FIXTURE_TOP, strlen(FIXTURE_TOP)) ||
		     !strcmp(where, "/sys/kernel")))
			strcpy(last, where);
	if (f)
		fclose(f);
	return *last && !umount2(last, MNT_DETACH);
}

static void undo(const struct entry *e)
{
	while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
		;
	if (e->flags & IPC)
		fixture_remove_ipc();
	if (e->flags & NAMES) {
		sethostname("baduse", 6);
		setdomainname("(none)", 6);
	}
	if (e->flags & MOUNTS)
		while (remove_mounts())
			;
}

static void ended_with(int st, char *answer)
{
	if (st == -1)
		strcpy(answer, "{hang}");
	else if (WIFSTOPPED(st))
		sprintf(answer, "{T%d}", WSTOPSIG(st));
	else if (WIFSIGNALED(st))
		sprintf(answer, "{!%d}", WTERMSIG(st));
	else
		sprintf(answer, "{x%d}", WEXITSTATUS(st));
}

static void run_cases(const struct entry *e, int user)
{
	int files = 1, at;

	memset(report->answer, 0, sizeof(report->answer));
	report->at = report->done = 0;
	while (!report->done) {
		pid_t pid;
		int st;

		at = report->at;
		report->ready = report->same_files = 0;
		pid = fork();
		if (!pid)
			child_main(e, user, files);
		if (pid < 0) {
			perror("baduse: fork");
			exit(2);
		}
		st = child_wait(pid);
		if (!report->ready) {
			printf("# %s: no fixture (wait status %#x)\n", e->name, st);
			exit(2);
		}
		if (!report->done && !report->answer[report->at][0] && report->at < MAX_CASES &&
		    (st != 0 || report->at == at)) {
			ended_with(st, report->answer[report->at]);
			report->at++;
		}
		undo(e);
		files = e->flags & FS && !report->same_files; /* of other rows they stay */
	}
}

/* Which descriptors this kernel can make. */
static void learn_descriptors(void)
{
	pid_t pid = fork();

	if (!pid) {
		fixture_files(0);
		fixture_descriptors();
		for (int fd = 0; fd < FD_LAST; fd++)
			report->have[fd] = syscall(SYS_fcntl, fd, F_GETFD) >= 0;
		_exit(0);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* The answers of the cases as one line. */
static void print_line(const struct entry *e, int user)
{
	static char root[MAX_CASES * 12], line[MAX_CASES * 12];
	int group = -1;
	size_t n = 0;

	for (int at = 0; at < ncases; at++) {
		int mine = cases[at].k >= 0 ? 6 : cases[at].i;

		if (mine != group)
			line[n++] = '|';
		group = mine;
		n += sprintf(line + n, "%s", report->answer[at]);
	}
	if (!user)
		strcpy(root, line);
	else if (!strncmp(line, root, n))
		strcpy(line, "=");
	printf("\t\"%s%s|%s\",\n", e->name, user ? "@user" : "", line);
}

/* What Linux answered: lines of linux.inc. */
static const char *const linux_answers[] = {
#include "baduse/linux.inc"
	NULL
};

static const char *linux_line(const struct entry *e, int user)
{
	char name[64];
	size_t n = snprintf(name, sizeof(name), "%s%s|", e->name, user ? "@user" : "");

	for (int i = 0; linux_answers[i]; i++)
		if (!strncmp(linux_answers[i], name, n))
			return user && linux_answers[i][n] == '=' ? linux_line(e, 0)
								  : linux_answers[i] + n;
	return NULL;
}

static const struct {
	const char *row; /* name of the row, or its beginning with a '*' behind */
	const char *theirs; /* Linux's answer */
	const char *ours;
	const char *why;
} deviations[] = {
#include "baduse/deviations.inc"
	{ 0 },
};

static int admitted(const char *row, const char *theirs, const char *ours)
{
	for (int i = 0; deviations[i].row; i++) {
		size_t n = strlen(deviations[i].row);
		int fits = deviations[i].row[n - 1] == '*' ? !strncmp(row, deviations[i].row, n - 1)
							   : !strcmp(row, deviations[i].row);

		if (fits && !strcmp(theirs, deviations[i].theirs) &&
		    !strcmp(ours, deviations[i].ours))
			return 1;
	}
	return 0;
}

/* The next answer in @p, without the bars. */
static const char *next_answer(const char *p, char *out)
{
	char *o = out;

	while (*p == '|')
		p++;
	if (*p == '{')
		while (*p && *p != '}')
			*o++ = *p++;
	if (*p)
		*o++ = *p++;
	if (*p == '*')
		*o++ = *p++;
	*o = 0;
	return p;
}

static const char *explain(const char *a)
{
	for (unsigned i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		if (a[0] == letters[i].letter)
			return letters[i].name;
	return a[0] == '.' ? "0" : a[0] == '+' ? "success" : a;
}

/* What failed and changed something on Linux may leave it alone here. */
static int same_answer(const char *theirs, const char *ours)
{
	size_t n = strlen(ours);

	return !strcmp(theirs, ours) ||
	       (!strncmp(theirs, ours, n) && !strcmp(theirs + n, "*") && n == 1);
}

/* Does the case name a descriptor that this kernel has no sort of? */
static int missing(const struct entry *e, const struct one_case *c)
{
	long a[6];

	case_arguments(e, c, a);
	for (int i = 0; i < 6; i++)
		if (e->arg[i].kind == K_FD && (int)a[i] >= FD_FILE && (int)a[i] < FD_LAST &&
		    !report->have[(int)a[i]])
			return 1;
	return 0;
}

/* Rows that are known to differ, and in how many answers when that was measured. */
static const struct {
	const char *row;
	int answers;
} known[] = {
#include "baduse/known.inc"
	{ 0 },
};

static int known_to_differ(const char *row)
{
	for (int i = 0; known[i].row; i++)
		if (!strcmp(known[i].row, row))
			return known[i].answers;
	return 0;
}

/* Compare all cases of a row that was done; those that differ for root are not told again for a user. */
static int compare(const struct entry *e, int user)
{
	static char told[MAX_CASES];
	const char *p = linux_line(e, user);
	char theirs[32], what[128];
	int bad = 0;

	if (!user)
		memset(told, 0, sizeof(told));
	if (!p) {
		printf("# %s: no answer of Linux is recorded\n", e->name);
		return 1;
	}
	for (int at = 0; at < ncases; at++) {
		const char *ours = report->answer[at];

		p = next_answer(p, theirs);
		compared++;
		if (same_answer(theirs, ours) || !strcmp(ours, "-") ||
		    admitted(e->name, theirs, ours) || missing(e, &cases[at]))
			continue;
		bad++;
		if (told[at] || counting || (known_to_differ(e->name) && !verbose && !*wanted))
			continue;
		told[at] = 1;
		case_words(e, &cases[at], what, sizeof(what));
		printf("# %s%s, %s: %s%s, Linux: %s%s\n", e->name, user ? " as user" : "", what,
		       explain(ours), strchr(ours, '*') ? " with changes" : "", explain(theirs),
		       strchr(theirs, '*') ? " with changes" : "");
	}
	differ += bad;
	return bad;
}

/* --- leaks, the kernel's log, main --- */

static long mem_free_kb(void)
{
	FILE *f;
	char line[128];
	long kb = -1;
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	if (fd >= 0) {
		write(fd, "3", 1);
		close(fd);
	}
	f = fopen("/proc/meminfo", "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemFree: %ld", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}

/* Warnings in the kernel's log that came since @fd was opened. */
static int log_warnings(int fd)
{
	char record[2048];
	int found = 0;
	ssize_t n;

	while ((n = read(fd, record, sizeof(record) - 1)) > 0) {
		record[n] = 0;
		if ((atoi(record) & 7) <= 4 && !strstr(record, "were left out")) {
			printf("# kernel log: %s", record);
			found++;
		}
	}
	return found;
}

static int is_linnet(void)
{
	struct utsname u;

	return !uname(&u) && strstr(u.release, "linnet");
}

static const struct {
	const char *name;
	int nr;
} implemented[] = {
#define SYSCALL(nr, name, nargs, format, flags) { #name, nr },
#include "../../kernel/sys/syscalls.def"
#undef SYSCALL
};
#define IMPLEMENTED (sizeof(implemented) / sizeof(implemented[0]))

static int has_row(int nr)
{
	for (unsigned i = 0; i < IMPLEMENTED; i++)
		if (implemented[i].nr == nr)
			return 1;
	return 0;
}

static void check_every_call_has_a_row(void)
{
	int missing_rows = 0;

	for (unsigned i = 0; i < IMPLEMENTED; i++) {
		int found = 0;

		for (unsigned k = 0; k < ROWS && !found; k++)
			found = row_at(k)->nr == implemented[i].nr;
		if (!found)
			printf("# %s has no row\n", implemented[i].name);
		missing_rows += !found;
	}
	tap_result(!missing_rows, "every call of syscalls.def has a row here", __FILE__, __LINE__,
		   0);
}

/*
 * A row that is known to differ (known.inc) is shown with how many answers do, now and when it was
 * measured; it decides nothing. Any other must not differ at all.
 */
static void tell_row(const char *name, int bad)
{
	int known = known_to_differ(name);

	if (known)
		printf("# %s: %d answers differ from Linux's, %d when measured\n", name, bad,
		       known);
	else
		tap_result(!bad, name, __FILE__, __LINE__, 0);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* One row, as root and as user: prints or compares. */
static void do_row(const struct entry *e)
{
	double began = now();
	int bad = 0;

	list_cases(e);
	for (int user = 0; user <= USER; user += USER) {
		struct entry mine = *e;

		if (user && (e->flags & ROOT_ONLY))
			continue;
		if (user) {
			mine.flags |= NO_PAIRS;
			list_cases(&mine);
		}
		run_cases(&mine, user);
		if (recording)
			print_line(&mine, user);
		else
			bad += compare(&mine, user);
	}
	if (counting && bad)
		printf("\t{ \"%s\", %d },\n", e->name, bad);
	if (!recording && !counting)
		tell_row(e->name, bad);
	if (verbose)
		printf("# %s took %.0f ms\n", e->name, 1000 * (now() - began));
}

static void do_row_for_leaks(const struct entry *e)
{
	long before, after;

	for (int i = 0; i < 2; i++) {
		list_cases(e);
		run_cases(e, 0);
	}
	before = mem_free_kb();
	for (int i = 0; i < leak_rounds; i++)
		run_cases(e, 0);
	after = mem_free_kb();
	printf("# %s: %d cases, %ld kB less\n", e->name, ncases, before - after);
}

/* Calls that Linux has and this kernel does not: listed, and they must say so. */
static void list_absent(void)
{
	int col = 0;

	printf("# absent:");
	for (unsigned i = 0; i < ROWS; i++) {
		const char *slash = strchr(row_at(i)->name, '/');
		int n = slash ? (int)(slash - row_at(i)->name) : (int)strlen(row_at(i)->name);

		if (has_row(row_at(i)->nr) || (i && row_at(i - 1)->nr == row_at(i)->nr))
			continue;
		col += printf("%s%.*s", col > 90 ? "\n#  " : " ", n, row_at(i)->name);
		if (col > 95)
			col = 0;
		if (syscall(row_at(i)->nr, -1L, -1L, -1L, -1L, -1L, -1L) != -1 || errno != ENOSYS)
			tap_result(0, row_at(i)->name, __FILE__, __LINE__, errno);
	}
	printf("\n");
}

/* Go on in a session of its own, without a terminal that a call could hang up, on one CPU. */
static void leave_terminal(void)
{
	uint64_t cpus = 1;
	pid_t pid = fork();
	int st;

	syscall(SYS_sched_setaffinity, 0, sizeof(cpus), &cpus);

	if (pid > 0) {
		waitpid(pid, &st, 0);
		exit(WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st));
	}
	setsid();
}

int main(int argc, char **argv)
{
	int opt, shard = 0, shards = 1, log, linnet = is_linnet();
	sigset_t set;

	fixture_end_if_marked();
	while ((opt = getopt(argc, argv, "kvrl:s:")) != -1) {
		if (opt == 'r')
			recording = 1;
		else if (opt == 'k')
			counting = 1;
		else if (opt == 'v')
			verbose = 1;
		else if (opt == 'l')
			leak_rounds = atoi(optarg);
		else if (opt != 's' || sscanf(optarg, "%d/%d", &shard, &shards) != 2 || shards < 1)
			return 2;
	}
	if (optind < argc)
		wanted = argv[optind];
	leave_terminal();
	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGALRM, nudged);
	log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	lseek(log, 0, SEEK_END);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	fixture_memory();
	learn_descriptors();
	if (!recording && !counting && !*wanted && shard == 0) {
		check_every_call_has_a_row();
		if (linnet)
			list_absent();
	}
	for (unsigned i = 0; i < ROWS; i++) {
		if (!strstr(row_at(i)->name, wanted) || (int)(i % shards) != shard)
			continue;
		if (linnet && !has_row(row_at(i)->nr))
			continue;
		if (leak_rounds)
			do_row_for_leaks(row_at(i));
		else
			do_row(row_at(i));
		fflush(stdout);
	}
	if (recording || counting)
		return 0;
	if (linnet)
		tap_result(log_warnings(log) == 0, "no warnings in the kernel's log", __FILE__,
			   __LINE__, 0);
	printf("# %d answers compared, %d differ\n", compared, differ);
	return tap_done();
}
