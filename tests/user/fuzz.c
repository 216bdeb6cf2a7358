/*
 * Random calls by hostile programs: several processes of several threads each make calls from the
 * table of bad use (baduse/rows.h), each argument right, wrong in a way of its kind, or random.
 *
 *   fuzz [-s SEED] [-p PROCESSES] [-t THREADS] [-n CALLS] [-r ROUNDS] [-w SECONDS] [-m KB] [-v]
 *   fuzz -1 SEED [-t THREADS] [-n CALLS] [-v]    one process, with the seed that was told
 *
 * Each process has a user of its own and no rights, limits that keep the machine alive, the
 * descriptors and memory of the fixture, and a folder that all share. It makes CALLS calls in each
 * thread and ends; a next one takes its place, with the next seed, ROUNDS times (or until SECONDS
 * are over). What calls are made depends on the seed alone, so one thread on its own does the same
 * again; what other threads and processes do meanwhile does not repeat. The name of a process is
 * its seed, so that a panic tells it.
 *
 * Threads share the memory that arguments point to: it changes while the kernel reads it. A call
 * that blocks gets a signal; a process that goes on blocking is killed. The test fails when a
 * process survives that (its last calls are told), when the kernel logs a warning, and with -m when
 * more memory than that is lost. What the processes themselves die of does not matter.
 */
#define _GNU_SOURCE
#include "baduse/fixture.h"
#include "baduse/cases.h"
#include "baduse/rows.h"
#include "baduse/common.h"
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "tap.h"

#define MAX_PROCESSES 16
#define MAX_THREADS 8
#define KEPT 16 /* last calls of a thread that are told */
#define FIRST_USER 61000
#define TICK_MS 10
#define NUDGE_TICKS 3 /* without progress: a signal */
#define KILL_TICKS 40 /* and then the end */

struct call {
	const struct entry *row;
	long args[6];
};

/* What a thread is at. Shared with the parent. */
struct progress {
	volatile unsigned calls;
	volatile int tid;
	struct call last[KEPT];
};

/* A seat for a process. */
struct seat {
	pid_t pid;
	uint64_t seed;
	unsigned seen; /* sum of calls when looked at last */
	int idle; /* ticks without progress */
	int killed;
};

static struct progress (*progress)[MAX_THREADS];
static struct seat seats[MAX_PROCESSES];
static int processes = 4, threads = 2, calls = 400, verbose;
static unsigned long calls_done;

static const char *const more_paths[] = {
	"/proc/self/maps",
	"/proc/self/smaps",
	"/proc/self/mem",
	"/proc/self/fd",
	"/proc/self/fd/12",
	"/proc/self/fdinfo/10",
	"/proc/self/exe",
	"/proc/self/cwd/file",
	"/proc/self/root/tmp",
	"/proc/self/task",
	"/proc/self/stat",
	"/proc/self/environ",
	"/proc/self/comm",
	"/proc/self/oom_score_adj",
	"/proc/self/auxv",
	"/proc/self/limits",
	"/proc/self/mountinfo",
	"/proc/self/cmdline",
	"/proc/1/status",
	"/proc/1/mem",
	"/proc/1/fd",
	"/proc/stat",
	"/proc/meminfo",
	"/proc/interrupts",
	"/proc/locks",
	"/proc/mounts",
	"/proc/kallsyms",
	"/proc/kmsg",
	"/proc/sys/kernel",
	"/proc/sys/vm/overcommit_memory",
	"/proc/sysrq-trigger",
	"/proc/thread-self/status",
	"/proc/cpuinfo",
	"/proc/sysvipc/shm",
	"/proc/99999",
	"/proc/self/../self/maps",
	"/sys",
	"/sys/class/tty",
	"/sys/devices/system/cpu/online",
	"/sys/bus",
	"/sys/kernel/mm",
	"/sys/class/mem/null/uevent",
	"/dev",
	"/dev/null",
	"/dev/zero",
	"/dev/full",
	"/dev/random",
	"/dev/urandom",
	"/dev/tty",
	"/dev/ptmx",
	"/dev/pts/0",
	"/dev/kmsg",
	"/dev/stdin",
	"/dev/fd/10",
	"/dev/console",
	"/dev/shm",
	"/tmp",
	"/",
	"//",
	"/./.././proc",
};

/* --- random numbers: a sequence of each thread --- */

static uint64_t rnd(uint64_t *s)
{
	uint64_t z = *s += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static unsigned below(uint64_t *s, unsigned n)
{
	return rnd(s) % n;
}

static long any_number(uint64_t *s)
{
	uint64_t r = rnd(s);

	switch (below(s, 6)) {
	case 0: return r % 16;
	case 1: return r % 70000;
	case 2: return (1L << r % 64) - 1 + below(s, 3);
	case 3: return -(long)(r % 5000);
	case 4: return (int32_t)r;
	}
	return (long)r;
}

/* --- arguments --- */

static long any_address(uint64_t *s)
{
	static const long bases[] = { A_BUF, A_IN,  A_END - 2 * PAGE, A_NONE, A_RO,
				      A_EOF, A_MAP, A_FILE,	      A_HOLE, A_AUX };
	long base = bases[below(s, sizeof(bases) / sizeof(bases[0]))];

	switch (below(s, 4)) {
	case 0: return base + below(s, 8) * PAGE;
	case 1: return base + below(s, 2 * PAGE);
	case 2: return base + PAGE - below(s, 64);
	}
	return below(s, 8) ? base : any_number(s);
}

/* Words that mean something here and there in what an argument points to. */
static void scribble(uint64_t *s, long home)
{
	uint32_t *words = (uint32_t *)home;
	unsigned n = 1 + below(s, 4);

	for (unsigned i = 0; i < n; i++) {
		unsigned at = below(s, 32);

		if (below(s, 3))
			words[at] = any_number(s);
		else
			memcpy(words + (at & ~1u), &(long){ any_address(s) }, 8);
	}
}

static long any_path(uint64_t *s, int i)
{
	static const char *const parts[] = {
		"dir", "file", "..", "link", ".", "loop", "mnt", "new"
	};
	char *p = (char *)arg_home(i);

	if (below(s, 3)) {
		strcpy(p, more_paths[below(s, sizeof(more_paths) / sizeof(more_paths[0]))]);
		return (long)p;
	}
	*p = 0;
	for (unsigned n = 1 + below(s, 6); n; n--) {
		strcat(p, parts[below(s, sizeof(parts) / sizeof(parts[0]))]);
		strcat(p, n > 1 ? "/" : "");
	}
	return (long)p;
}

static long random_arg(const struct entry *e, int i, uint64_t *s)
{
	long good = arg_good(e, i);

	switch (e->arg[i].kind) {
	case K_CONST: return good;
	case K_FD: return below(s, 4) ? FD_FILE + below(s, FD_LAST - FD_FILE) : below(s, 130);
	case K_PID: return (long[]){ PID_SELF, PID_CHILD, PID_PARENT, 0 }[below(s, 4)];
	case K_SIG: return below(s, 66);
	case K_FLAGS: return good ^ (1L << below(s, 32)) ^ (1L << below(s, 32));
	case K_PATH: return any_path(s, i);
	case K_ADDR:
	case K_OUT: return any_address(s);
	case K_IN:
	case K_IO: scribble(s, good); return below(s, 4) ? good : any_address(s);
	}
	return any_number(s);
}

static long pick_arg(const struct entry *e, int i, uint64_t *s)
{
	unsigned how = below(s, 16);
	long value;

	if (e->arg[i].kind == K_NONE || how < 8)
		return arg_good(e, i);
	if (how < 12 && case_set(e, i, below(s, 48), &value) == CASE_SET)
		return value;
	return random_arg(e, i, s);
}

/* Calls that end the process, or replace it, are made now and then only. */
static int ends_process(const struct entry *e)
{
	switch (e->nr) {
	case __NR_exit:
	case __NR_exit_group:
	case __NR_execve:
	case __NR_execveat:
	case __NR_rt_sigreturn: return 1;
	}
	return 0;
}

static const struct entry *pick_row(uint64_t *s)
{
	const struct entry *e;

	do
		e = row_at(below(s, ROWS));
	while (ends_process(e) && below(s, 30));
	return e;
}

static void pick_call(struct call *c, uint64_t *s)
{
	const struct entry *e = c->row = pick_row(s);

	for (int i = 0; i < 6; i++)
		c->args[i] = pick_arg(e, i, s);
	resolve_args(e, c->args);
	if (e->nr != __NR_ioctl || below(s, 3))
		return;
	c->args[0] = below(s, 2) ? FD_TTY + below(s, 2) : FD_FILE + below(s, FD_LAST - FD_FILE);
	c->args[1] = 0x5400 + below(s, 0x70);
	c->args[2] = below(s, 2) ? A_IN + 64 * below(s, 64) : any_number(s);
}

static void tell_call(FILE *f, const struct call *c)
{
	fprintf(f, "#   %s(", c->row ? c->row->name : "-");
	for (int i = 0; i < 6; i++)
		fprintf(f, "%s%#lx", i ? ", " : "", c->args[i]);
	fprintf(f, ")\n");
}

/* --- a process --- */

struct thread_start {
	struct progress *mine;
	uint64_t seed;
};

static void *thread_main(void *arg)
{
	struct thread_start *t = arg;
	uint64_t s = t->seed;

	t->mine->tid = syscall(SYS_gettid);
	for (int i = 0; i < calls; i++) {
		struct call *c = &t->mine->last[i % KEPT];

		pick_call(c, &s);
		t->mine->calls++;
		raw_call(c->row->nr, c->args, c->row->flags & CLONES);
	}
	return NULL;
}

static void nudged(int sig)
{
}

/* A signal does nothing but end a call, except those of faults. */
static void catch_signals(void)
{
	struct sigaction sa = { .sa_handler = nudged };

	for (int sig = 1; sig < 65; sig++)
		if (sig != SIGSEGV && sig != SIGBUS && sig != SIGILL && sig != SIGFPE)
			syscall(SYS_rt_sigaction, sig, &(long[4]){ (long)sa.sa_handler, 0, 0, 0 },
				NULL, 8L);
	sigemptyset(&sa.sa_mask);
	sigprocmask(SIG_SETMASK, &sa.sa_mask, NULL);
}

static void limit(int what, rlim_t most)
{
	struct rlimit r = { most, most };

	setrlimit(what, &r);
}

static void give_up_rights(int user)
{
	limit(RLIMIT_AS, 256 << 20);
	limit(RLIMIT_FSIZE, 1 << 20);
	limit(RLIMIT_NPROC, 24);
	limit(RLIMIT_NOFILE, 160);
	limit(RLIMIT_CPU, 20);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_MEMLOCK, 256 << 10);
	limit(RLIMIT_RTPRIO, 0);
	fixture_mark();
	setgroups(0, NULL);
	if (setresgid(user, user, user) || setresuid(user, user, user))
		_exit(3);
}

static _Noreturn void process_main(int place, uint64_t seed)
{
	static struct thread_start starts[MAX_THREADS];
	pthread_t ids[MAX_THREADS];
	char name[16];
	int n;

	snprintf(name, sizeof(name), "f%llx", (unsigned long long)seed);
	prctl(PR_SET_NAME, name);
	catch_signals();
	setsid();
	give_up_rights(FIRST_USER + place);
	if (chdir(fixture_dir))
		_exit(3);
	parent_pid = getppid();
	self_pid = getpid();
	fixture_descriptors();
	make_child();
	for (n = 0; n < threads; n++) {
		uint64_t mix = seed + n;

		starts[n] = (struct thread_start){ &progress[place][n], rnd(&mix) };
		if (n && pthread_create(&ids[n], NULL, thread_main, &starts[n]))
			break;
	}
	thread_main(&starts[0]);
	while (--n > 0)
		pthread_join(ids[n], NULL);
	_exit(0);
}

/* --- the parent --- */

/* Every process of @user is killed, by one of its own. */
static void kill_user(int user)
{
	pid_t pid = fork();

	if (!pid) {
		if (setresuid(user, user, user))
			_exit(3);
		kill(-1, SIGKILL);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void start(int place, uint64_t seed)
{
	memset(progress[place], 0, sizeof(progress[place]));
	seats[place] = (struct seat){ .seed = seed, .pid = fork() };
	if (!seats[place].pid)
		process_main(place, seed);
	if (verbose)
		printf("# seed %#llx: process %d\n", (unsigned long long)seed, seats[place].pid);
}

static void tell_last(int place)
{
	printf("# the last calls with seed %#llx:\n", (unsigned long long)seats[place].seed);
	for (int t = 0; t < threads; t++) {
		struct progress *p = &progress[place][t];

		printf("#  thread %d, %u calls\n", p->tid, p->calls);
		for (unsigned i = p->calls < KEPT ? 0 : p->calls - KEPT; i < p->calls; i++)
			tell_call(stdout, &p->last[i % KEPT]);
	}
}

static unsigned calls_of(int place)
{
	unsigned sum = 0;

	for (int t = 0; t < threads; t++)
		sum += progress[place][t].calls;
	return sum;
}

static void nudge(struct seat *p, int place)
{
	unsigned sum = calls_of(place);

	if (sum != p->seen) {
		p->seen = sum;
		p->idle = 0;
		return;
	}
	p->idle++;
	if (p->idle >= KILL_TICKS && !p->killed) {
		kill(p->pid, SIGKILL);
		p->killed = 1;
	} else if (p->idle % NUDGE_TICKS == 0) {
		for (int t = 0; t < threads; t++)
			if (progress[place][t].tid)
				syscall(SYS_tgkill, p->pid, progress[place][t].tid, SIGALRM);
	}
}

/* Reap what has ended. A place whose process did is free, its user's other processes are killed. */
static void reap(void)
{
	pid_t pid;
	int st;

	while ((pid = waitpid(-1, &st, WNOHANG | __WALL)) > 0)
		for (int i = 0; i < processes; i++) {
			if (seats[i].pid != pid)
				continue;
			if (verbose && WIFSIGNALED(st)) {
				printf("# seed %#llx: signal %d\n",
				       (unsigned long long)seats[i].seed, WTERMSIG(st));
				tell_last(i);
			}
			calls_done += calls_of(i);
			seats[i].pid = 0;
			kill_user(FIRST_USER + i);
		}
}

static int busy(void)
{
	int n = 0;

	for (int i = 0; i < processes; i++)
		n += seats[i].pid > 0;
	return n;
}

static int all_reaped(void)
{
	int r;

	reap();
	r = waitpid(-1, NULL, WNOHANG | __WALL);
	return !busy() && r < 0 && errno == ECHILD;
}

/* Wait until no process is left; those that do not die are told. Returns how many. */
static int finish(void)
{
	for (int i = 0; i < processes; i++)
		kill_user(FIRST_USER + i);
	if (EVENTUALLY(all_reaped()))
		return 0;
	for (int i = 0; i < processes; i++)
		if (seats[i].pid)
			tell_last(i);
	if (!busy())
		printf("# a child of one of the processes does not end\n");
	fflush(stdout);
	if (system("ps -o pid,ppid,user,stat,comm 2>/dev/null || ps"))
		perror("ps");
	return 1;
}

/* Processes in all seats, @rounds times each or for @seconds; 1 when one does not end. */
static int run(uint64_t seed, int rounds, double seconds)
{
	double until = now() + seconds;
	long started = 0;

	for (;;) {
		int more = seconds ? now() < until : started < (long)rounds * processes;

		for (int i = 0; i < processes; i++) {
			if (!seats[i].pid && more)
				start(i, seed + started++);
			else if (seats[i].pid)
				nudge(&seats[i], i);
			if (!seconds)
				more = started < (long)rounds * processes;
			if (seats[i].idle > KILL_TICKS + TAP_PATIENCE_MS / TICK_MS)
				return finish();
		}
		if (!more && !busy())
			return finish();
		nap(TICK_MS);
		reap();
		fflush(stdout);
	}
}

/* What the users left in /tmp, which is two folders up from theirs. */
static void clear_tmp(void)
{
	DIR *d = opendir("/tmp");
	struct dirent *e;
	struct stat st;

	while (d && (e = readdir(d))) {
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) ||
		    st.st_uid < FIRST_USER || st.st_uid >= FIRST_USER + MAX_PROCESSES)
			continue;
		if (S_ISDIR(st.st_mode))
			fix_clear(openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
		unlinkat(dirfd(d), e->d_name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0);
	}
	if (d)
		closedir(d);
}

/* The folder anew; every user may do everything in it. */
static void prepare_files(void)
{
	static const char *const open_to_all[] = { ".",	  "file", "dir",   "dir/f", "ro",
						   "big", "mnt",  "empty", "fifo" };

	fixture_remove_ipc();
	clear_tmp();
	fixture_files(0);
	for (unsigned i = 0; i < sizeof(open_to_all) / sizeof(open_to_all[0]); i++)
		chmod(open_to_all[i], 0777);
	for (int fd = 3; fd < 128; fd++)
		close(fd);
}

/* /proc/meminfo as it is; with @before, the lines that are others now are printed. */
static void tell_memory(char *text, size_t size, const char *before)
{
	int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, size - 1);
	char line[128];

	close(fd);
	text[n > 0 ? n : 0] = 0;
	for (const char *p = text; before && *p; p += strcspn(p, "\n") + 1) {
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(p, "\n"), p);
		if (!strstr(before, line))
			printf("# now %s\n", line);
	}
}

static void prepare(void)
{
	leave_terminal();
	progress = mmap(NULL, MAX_PROCESSES * sizeof(*progress), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	block_sigchld();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	mkdir(FIXTURE_TOP, 0755);
	mount("fuzz", FIXTURE_TOP, "tmpfs", 0, "size=32m");
	fixture_memory();
	prepare_files();
}

int main(int argc, char **argv)
{
	static char memory[4096], memory_now[4096];
	int opt, rounds = 12, log, one = 0, hung;
	uint64_t seed = 1;
	double seconds = 0;
	long before = 0, after = 0, most = -1;

	fixture_end_if_marked();
	while ((opt = getopt(argc, argv, "s:p:t:n:r:w:m:1:v")) != -1) {
		switch (opt) {
		case '1': one = 1; /* fall through */
		case 's': seed = strtoull(optarg, NULL, 0); break;
		case 'p': processes = atoi(optarg); break;
		case 't': threads = atoi(optarg); break;
		case 'n': calls = atoi(optarg); break;
		case 'r': rounds = atoi(optarg); break;
		case 'w': seconds = atof(optarg); break;
		case 'm': most = atol(optarg); break;
		case 'v': verbose = 1; break;
		default: return 2;
		}
	}
	if (one)
		processes = rounds = 1;
	if (processes < 1 || processes > MAX_PROCESSES || threads < 1 || threads > MAX_THREADS)
		return 2;
	log = log_open();
	fcntl(log, F_DUPFD_CLOEXEC, 200);
	prepare();
	if (most >= 0) {
		run(seed + 0x1000000, 2, 0);
		prepare_files();
		before = settled_free_kb(LONG_MAX, SETTLE_ROUNDS);
		tell_memory(memory, sizeof(memory), NULL);
	}
	printf("# seed %llu, %d processes of %d threads, %d calls each\n", (unsigned long long)seed,
	       processes, threads, calls);
	hung = run(seed, rounds, seconds);
	tap_result(!hung, "every process ends", __FILE__, __LINE__, 0);
	if (most >= 0) {
		prepare_files();
		after = settled_free_kb(before - most, TAP_PATIENCE_MS / SETTLE_MS);
		printf("# free memory before %ld kB, after %ld kB, lost %ld kB\n", before, after,
		       before - after);
		tap_result(before - after <= most, "no memory is lost", __FILE__, __LINE__, 0);
		if (before - after > most)
			tell_memory(memory_now, sizeof(memory_now), memory);
	}
	if (is_linnet())
		tap_result(!log_warnings(200), "no warnings in the kernel's log", __FILE__,
			   __LINE__, 0);
	printf("# %lu calls\n", calls_done);
	if (!chdir("/"))
		umount2(FIXTURE_TOP, MNT_DETACH);
	return tap_done();
}
