/*
 * A random load for the kernel: fork, exec, threads, mappings, signals, pipes and files, from
 * several processes at once, each result checked. Runs on Linux as well.
 *
 *   stress [-s seconds] [-p processes] [-r seed] [-m most kB that may be lost]
 *
 * Prints what was done, the free memory before and after, and "stress: ok" or "stress: FAILED"
 * (exit status 1). Caches are dropped before both are read; what then differs between two sound runs
 * is a few slabs that are in part used. A first short round fills the kernel's caches, so that memory is compared like
 * with like. A worker that makes no progress for a minute counts as hung, and the operation it is
 * in is named.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "meminfo.h"
#include "vforked.h"

#define PAGE 4096
#define MAX_WORKERS 32
#define HANG_SECONDS 120
#define LOOKS_PER_SECOND 10
#define MAX_SLABS 128
#define SETTLE_ROUNDS 25
#define SETTLE_TRIES 60

struct progress {
	volatile uint64_t ops;
	volatile int op; /* index of the operation under way */
	volatile int failed;
};

static struct progress *progress; /* shared by all processes, one per worker */
static struct progress *mine;
static uint64_t rng;
static char dir[64];
static const char *self = "/proc/self/exe";

static uint64_t rnd(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void fail(const char *what)
{
	int e = errno;

	mine->failed = 1;
	fprintf(stderr, "stress: pid %d: %s (errno %d, %s)\n", getpid(), what, e, strerror(e));
}

#define CHECK(x)                                \
	do {                                    \
		if (!(x)) {                     \
			fail(__FILE__ ": " #x); \
			return;                 \
		}                               \
	} while (0)

/* Wait for @pid and demand this wait status. */
static int reap(pid_t pid, int status)
{
	int st;
	pid_t r;

	do
		r = waitpid(pid, &st, 0);
	while (r < 0 && errno == EINTR);
	return r == pid && st == status;
}

static void fill(uint32_t *p, size_t words, uint32_t seed)
{
	for (size_t i = 0; i < words; i++)
		p[i] = seed + i * 2654435761u;
}

static int verify(const uint32_t *p, size_t words, uint32_t seed)
{
	for (size_t i = 0; i < words; i++)
		if (p[i] != seed + (uint32_t)(i * 2654435761u))
			return 0;
	return 1;
}

static void op_fork(void)
{
	size_t n = (1 + rnd() % 64) * PAGE;
	uint32_t *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int code = rnd() % 200;
	pid_t pid;

	CHECK(p != MAP_FAILED);
	fill(p, n / 4, 1);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		if (!verify(p, n / 4, 1))
			_exit(250);
		fill(p, n / 8, 2);
		_exit(verify(p, n / 8, 2) ? code : 251);
	}
	fill(p, n / 4, 3);
	CHECK(reap(pid, code << 8));
	CHECK(verify(p, n / 4, 3));
	CHECK(!munmap(p, n));
}

/* Run this program to exit with the code that @arg says. */
static int exec_exit(void *arg)
{
	execl(self, "stress", "--exit", (char *)arg, (char *)NULL);
	return 252;
}

static void op_exec(void)
{
	char arg[16];
	int code = rnd() % 200;
	pid_t pid;

	snprintf(arg, sizeof(arg), "%d", code);
	pid = rnd() & 1 ? fork() : vforked(exec_exit, arg);
	CHECK(pid >= 0);
	if (!pid)
		_exit(exec_exit(arg));
	CHECK(reap(pid, code << 8));
}

struct team {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	int turn, members, rounds;
	long sum;
};

struct member {
	struct team *team;
	int id;
};

static void *member_main(void *arg)
{
	struct member *m = arg;
	struct team *t = m->team;

	for (int i = 0; i < t->rounds; i++) {
		pthread_mutex_lock(&t->lock);
		while (t->turn != m->id)
			pthread_cond_wait(&t->cond, &t->lock);
		t->turn = (t->turn + 1) % t->members;
		t->sum += i;
		pthread_cond_broadcast(&t->cond);
		pthread_mutex_unlock(&t->lock);
	}
	return arg;
}

static void op_threads(void)
{
	struct team t = {
		PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 1 + rnd() % 5, 20, 0
	};
	struct member m[5];
	pthread_t id[5];
	void *r;

	for (int i = 0; i < t.members; i++) {
		m[i] = (struct member){ &t, i };
		CHECK(!pthread_create(&id[i], NULL, member_main, &m[i]));
	}
	for (int i = 0; i < t.members; i++) {
		CHECK(!pthread_join(id[i], &r));
		CHECK(r == &m[i]);
	}
	CHECK(t.sum == (long)t.members * (t.rounds * (t.rounds - 1) / 2));
}

/* A process with threads exits, or is killed, while they run. */
static void *spin_main(void *arg)
{
	for (volatile int *stop = arg; !*stop;)
		usleep(100);
	return NULL;
}

static void op_thread_death(void)
{
	int how = rnd() % 3;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid) {
		static volatile int stop;
		pthread_t id;

		for (int i = 0; i < 3; i++)
			pthread_create(&id, NULL, spin_main, (void *)&stop);
		if (how == 0)
			_exit(7);
		if (how == 1)
			execl(self, "stress", "--exit", "7", (char *)NULL);
		pause();
		_exit(253);
	}
	if (how == 2) {
		usleep(rnd() % 2000);
		CHECK(!kill(pid, SIGKILL));
		CHECK(reap(pid, SIGKILL));
	} else {
		CHECK(reap(pid, 7 << 8));
	}
}

static void op_map(void)
{
	size_t n = (4 + rnd() % 120) * PAGE, hole;
	char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *q;

	CHECK(p != MAP_FAILED);
	fill((uint32_t *)p, n / 4, 9);
	CHECK(!mprotect(p + PAGE, PAGE, PROT_READ));
	CHECK(verify((uint32_t *)p, n / 4, 9));
	CHECK(!mprotect(p, n, PROT_READ | PROT_WRITE));
	q = mremap(p, n, n + 16 * PAGE, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED);
	CHECK(verify((uint32_t *)q, n / 4, 9));
	CHECK(q[n] == 0 && q[n + 16 * PAGE - 1] == 0);
	hole = (rnd() % (n / PAGE)) * PAGE;
	CHECK(!munmap(q + hole, PAGE));
	if (hole + PAGE < n) {
		CHECK(!madvise(q + hole + PAGE, PAGE, MADV_DONTNEED));
		CHECK(q[hole + PAGE] == 0);
	}
	CHECK(!munmap(q, n + 16 * PAGE));
}

static void op_shared(void)
{
	size_t n = 8 * PAGE;
	uint32_t *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	CHECK(p != MAP_FAILED);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		fill(p, n / 4, 11);
		_exit(0);
	}
	CHECK(reap(pid, 0));
	CHECK(verify(p, n / 4, 11));
	CHECK(!munmap(p, n));
}

static void op_pipe(void)
{
	size_t total = 1 + rnd() % 200000, done = 0;
	uint8_t buf[5000];
	uint32_t sum = 0;
	int fd[2];
	ssize_t r;
	pid_t pid;

	CHECK(!pipe(fd));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		close(fd[0]);
		for (size_t at = 0; at < total;) {
			size_t n = 1 + rnd() % sizeof(buf);

			n = n < total - at ? n : total - at;
			for (size_t i = 0; i < n; i++)
				buf[i] = (uint8_t)((at + i) * 7);
			r = write(fd[1], buf, n);
			if (r <= 0)
				_exit(1);
			at += r;
		}
		_exit(0);
	}
	close(fd[1]);
	while ((r = read(fd[0], buf, 1 + rnd() % sizeof(buf))) > 0)
		for (ssize_t i = 0; i < r; i++)
			sum += buf[i] != (uint8_t)(done++ * 7);
	close(fd[0]);
	CHECK(r == 0 && done == total && sum == 0);
	CHECK(reap(pid, 0));
}

static void op_file(void)
{
	char a[128], b[128], c[128];
	size_t n = 1 + rnd() % 40000, cut = rnd() % n;
	uint8_t *buf = malloc(n), *map;
	struct stat st;
	int fd;

	CHECK(buf);
	snprintf(a, sizeof(a), "%s/a%d", dir, getpid());
	snprintf(b, sizeof(b), "%s/b%d", dir, getpid());
	snprintf(c, sizeof(c), "%s/c%d", dir, getpid());
	for (size_t i = 0; i < n; i++)
		buf[i] = rnd();
	fd = open(a, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	CHECK(write(fd, buf, n) == (ssize_t)n);
	CHECK(!link(a, b) && !rename(b, c) && !symlink(a, b));
	CHECK(!stat(b, &st) && st.st_nlink == 2 && st.st_size == (off_t)n);
	map = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	CHECK(!memcmp(map, buf, n));
	map[cut] ^= 0x55;
	CHECK(!munmap(map, n));
	buf[cut] ^= 0x55;
	CHECK(pread(fd, buf, 1, cut) == 1);
	CHECK(!ftruncate(fd, cut) && !ftruncate(fd, n));
	CHECK(pread(fd, buf + cut, n - cut, cut) == (ssize_t)(n - cut));
	for (size_t i = cut; i < n; i++)
		CHECK(buf[i] == 0);
	close(fd);
	CHECK(!unlink(a) && stat(b, &st) < 0 && errno == ENOENT);
	CHECK(!unlink(b) && !unlink(c));
	free(buf);
}

static volatile sig_atomic_t got;

static void on_signal(int sig, siginfo_t *si, void *uc)
{
	got += sig == SIGRTMIN ? si->si_value.sival_int : 1;
}

static void op_signal(void)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	union sigval v = { 5 };
	sigset_t set, old;

	got = 0;
	CHECK(!sigaction(SIGUSR1, &sa, NULL) && !sigaction(SIGRTMIN, &sa, NULL));
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	CHECK(!sigprocmask(SIG_BLOCK, &set, &old));
	for (int i = 0; i < 3; i++)
		CHECK(!sigqueue(getpid(), SIGRTMIN, v));
	CHECK(!kill(getpid(), SIGUSR1));
	CHECK(got == 1);
	CHECK(!sigprocmask(SIG_SETMASK, &old, NULL));
	CHECK(got == 16);
}

static void op_stop(void)
{
	pid_t pid = fork();
	int st;

	CHECK(pid >= 0);
	if (!pid) {
		for (;;)
			pause();
	}
	CHECK(!kill(pid, SIGSTOP));
	CHECK(waitpid(pid, &st, WUNTRACED) == pid && WIFSTOPPED(st) && WSTOPSIG(st) == SIGSTOP);
	CHECK(!kill(pid, SIGCONT));
	CHECK(waitpid(pid, &st, WCONTINUED) == pid && WIFCONTINUED(st));
	CHECK(!kill(pid, SIGTERM));
	CHECK(reap(pid, SIGTERM));
}

static void op_timer(void)
{
	struct itimerval it = { .it_value = { 0, 1 + rnd() % 2000 } };
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	sigset_t set, old;

	got = 0;
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	CHECK(!sigaction(SIGALRM, &sa, NULL));
	CHECK(!sigprocmask(SIG_BLOCK, &set, &old));
	CHECK(!setitimer(ITIMER_REAL, &it, NULL));
	sigdelset(&old, SIGALRM);
	while (!got)
		sigsuspend(&old);
	CHECK(!sigprocmask(SIG_SETMASK, &old, NULL));
}

static void op_events(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), ev = eventfd(0, EFD_NONBLOCK);
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = 77 };
	struct pollfd pfd = { ev, POLLIN, 0 };
	uint64_t v = 3;

	CHECK(ep >= 0 && ev >= 0);
	CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, ev, &e));
	CHECK(epoll_wait(ep, &e, 1, 0) == 0 && poll(&pfd, 1, 0) == 0);
	CHECK(write(ev, &v, 8) == 8);
	e.data.u64 = 0;
	CHECK(epoll_wait(ep, &e, 1, -1) == 1 && e.data.u64 == 77 && poll(&pfd, 1, -1) == 1);
	CHECK(read(ev, &v, 8) == 8 && v == 3);
	close(ev);
	close(ep);
}

static const struct {
	const char *name;
	void (*fn)(void);
} ops[] = {
	{ "fork", op_fork },	   { "exec", op_exec },
	{ "threads", op_threads }, { "thread death", op_thread_death },
	{ "map", op_map },	   { "shared", op_shared },
	{ "pipe", op_pipe },	   { "file", op_file },
	{ "signal", op_signal },   { "stop", op_stop },
	{ "timer", op_timer },	   { "events", op_events },
};
#define NOPS (int)(sizeof(ops) / sizeof(ops[0]))

static void worker(int id, uint64_t seed, double until)
{
	mine = &progress[id];
	rng = seed * 0x9e3779b97f4a7c15ull + id + 1;
	while (now() < until && !mine->failed) {
		mine->op = rnd() % NOPS;
		ops[mine->op].fn();
		mine->ops++;
	}
	_exit(mine->failed);
}

/* One row of /proc/slabinfo. */
struct slab {
	char name[32];
	long active, frames;
};

static int read_slabs(struct slab *s)
{
	FILE *f = fopen("/proc/slabinfo", "r");
	char line[256];
	int n = 0;

	while (f && fgets(line, sizeof(line), f) && n < MAX_SLABS) {
		char *data = strstr(line, "slabdata");

		if (data && sscanf(line, "%31s %ld", s[n].name, &s[n].active) == 2 &&
		    sscanf(data, "slabdata %ld", &s[n].frames) == 1)
			n++;
	}
	if (f)
		fclose(f);
	return n;
}

/* The caches that hold more or less than before. */
static void show_slabs(const struct slab *a, int n, const struct slab *b)
{
	for (int i = 0; i < n; i++)
		if (a[i].active != b[i].active || a[i].frames != b[i].frames)
			printf("stress: cache %s: %ld objects in %ld frames, before %ld in %ld\n",
			       b[i].name, b[i].active, b[i].frames, a[i].active, a[i].frames);
}

/*
 * Free memory when nothing is going on: the most that is seen in a number of rounds, as what ended
 * last (threads on their way out, work queued by them) is freed a little later.
 */
static long settled_free_kb(void)
{
	long most = 0, kb;

	for (int i = 0; i < SETTLE_ROUNDS; i++) {
		drop_caches();
		kb = meminfo("MemFree");
		most = kb > most ? kb : most;
		usleep(20000);
	}
	return most;
}

/*
 * Kills the workers that hang, names what they were at. Looks are counted, not time: when the
 * machine was held up, they were too.
 */
static int check_hung(pid_t *pids, int n, uint64_t *seen, int *looks)
{
	int hung = 0;

	for (int i = 0; i < n; i++) {
		if (!pids[i] || progress[i].ops != seen[i]) {
			seen[i] = progress[i].ops;
			looks[i] = 0;
		} else if (++looks[i] > HANG_SECONDS * LOOKS_PER_SECOND) {
			fprintf(stderr, "stress: worker %d hangs in %s\n", i,
				ops[progress[i].op].name);
			kill(pids[i], SIGKILL);
			looks[i] = 0;
			hung = 1;
		}
	}
	return hung;
}

static int run(int n, uint64_t seed, double seconds)
{
	pid_t pids[MAX_WORKERS], pid;
	uint64_t seen[MAX_WORKERS] = { 0 };
	int looks[MAX_WORKERS] = { 0 }, left = n, bad = 0, st;
	double until = now() + seconds;

	for (int i = 0; i < n; i++) {
		pids[i] = fork();
		if (!pids[i])
			worker(i, seed, until);
		if (pids[i] < 0) {
			perror("stress: fork");
			return 1;
		}
	}
	while (left) {
		pid = waitpid(-1, &st, WNOHANG);
		if (pid == 0) {
			struct timespec ts = { 0, 1000000000 / LOOKS_PER_SECOND };

			bad |= check_hung(pids, n, seen, looks);
			nanosleep(&ts, NULL);
			continue;
		}
		for (int i = 0; i < n; i++)
			if (pids[i] == pid) {
				pids[i] = 0;
				left--;
				bad |= st != 0;
			}
	}
	return bad;
}

int main(int argc, char **argv)
{
	int seconds = 10, workers = 8, opt, bad;
	uint64_t seed = 1, total = 0;
	static struct slab slabs[2][MAX_SLABS];
	long before, after, most = -1;
	int nslabs;

	if (argc == 3 && !strcmp(argv[1], "--exit"))
		return atoi(argv[2]);
	while ((opt = getopt(argc, argv, "s:p:r:m:")) != -1) {
		if (opt == 's')
			seconds = atoi(optarg);
		else if (opt == 'p')
			workers = atoi(optarg);
		else if (opt == 'm')
			most = atol(optarg);
		else if (opt == 'r')
			seed = strtoull(optarg, NULL, 0);
		else
			return 2;
	}
	if (workers < 1 || workers > MAX_WORKERS || seconds < 1)
		return 2;
	progress = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (progress == MAP_FAILED)
		return 2;
	mine = progress;
	snprintf(dir, sizeof(dir), "/tmp/stress.%d", getpid());
	if (mkdir(dir, 0700)) {
		perror(dir);
		return 2;
	}
	bad = run(workers, seed + 1000, seconds > 10 ? 5 : 1);
	before = settled_free_kb();
	nslabs = read_slabs(slabs[0]);
	bad |= run(workers, seed, seconds);
	after = settled_free_kb();
	for (int i = 0; i < SETTLE_TRIES && most >= 0 && before - after > most; i++)
		after = settled_free_kb();
	bad |= most >= 0 && before - after > most;
	if (read_slabs(slabs[1]) == nslabs)
		show_slabs(slabs[0], nslabs, slabs[1]);
	for (int i = 0; i < workers; i++)
		total += progress[i].ops;
	rmdir(dir);
	printf("stress: %d processes, %d s, seed %llu: %llu operations\n", workers, seconds,
	       (unsigned long long)seed, (unsigned long long)total);
	printf("stress: free memory before %ld kB, after %ld kB, lost %ld kB\n", before, after,
	       before - after);
	printf("stress: %s\n", bad ? "FAILED" : "ok");
	return bad;
}
