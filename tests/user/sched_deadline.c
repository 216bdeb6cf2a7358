/*
 * SCHED_DEADLINE: sched(7), sched_setattr(2): who may have which parameters, what it can do no more
 * then, admission of all shares together, throttling, yielding, overrun signals, reclaiming, and a
 * lent deadline.
 *
 * The share of a thread that ended or changed its policy stays in use for up to a period, so
 * whatever needs room waits for it.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include "tap.h"

#define DEADLINE 6
#define RESET_ON_FORK 1
#define RECLAIM 2
#define OVERRUN 4
#define KEEP_POLICY 8
#define KEEP_PARAMS 16
#define MS 1000000ull
#define HOGS_MAX 64

/* <linux/sched/types.h> cannot be had beside <sched.h>. */
struct sched_attr {
	uint32_t size, sched_policy;
	uint64_t sched_flags;
	int32_t sched_nice;
	uint32_t sched_priority;
	uint64_t sched_runtime, sched_deadline, sched_period;
	uint32_t sched_util_min, sched_util_max;
};

static struct {
	volatile int admitted, failed, stop, last_errno;
	volatile int word, locked;
} * shared;

static int ncpus;
static volatile int xcpu;

static int64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static int set(pid_t pid, uint64_t flags, uint64_t runtime, uint64_t deadline, uint64_t period)
{
	struct sched_attr a = { .size = 48,
				.sched_policy = DEADLINE,
				.sched_flags = flags,
				.sched_runtime = runtime,
				.sched_deadline = deadline,
				.sched_period = period };

	return (int)syscall(SYS_sched_setattr, pid, &a, 0);
}

static int set_other(pid_t pid)
{
	struct sched_attr a = { .size = 48 };

	return (int)syscall(SYS_sched_setattr, pid, &a, 0);
}

static int get(pid_t pid, struct sched_attr *a)
{
	memset(a, 0, sizeof(*a));
	return (int)syscall(SYS_sched_getattr, pid, a, sizeof(*a), 0);
}

/* The same; shares that are about to be free are waited for. */
static int set_patiently(uint64_t flags, uint64_t runtime, uint64_t deadline, uint64_t period)
{
	int r = -1;

	(void)EVENTUALLY((r = set(0, flags, runtime, deadline, period)) == 0 || errno != EBUSY);
	return r;
}

static int write_setting(const char *name, const char *value)
{
	char path[80];
	int r = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
	f = fopen(path, "w");
	if (f) {
		r = fputs(value, f) < 0 ? -1 : 0;
		r |= fclose(f);
	}
	return r;
}

/* Field @n, counted from the state, of /proc/PID/stat. */
static long stat_field(int pid, int n)
{
	char text[512], *at = task_stat(pid, pid, text, sizeof(text));

	while (at && n-- > 0) {
		at = strchr(at, ' ');
		at += at != NULL;
	}
	return at ? strtol(at, NULL, 10) : -1000;
}

#define STAT_PRIORITY 15
#define STAT_RT 37
#define STAT_POLICY 38

/* @fn in a child. */
static void in_child(void (*fn)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		fn();
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void test_values(void)
{
	CHECK_ERR(set(0, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(set(0, 0, 0, 10 * MS, 10 * MS), EINVAL);
	CHECK_ERR(set(0, 0, 1023, 10 * MS, 10 * MS), EINVAL);
	CHECK_ERR(set(0, 0, 10 * MS, 0, 10 * MS), EINVAL);
	CHECK_ERR(set(0, 0, 10 * MS + 1, 10 * MS, 20 * MS), EINVAL);
	CHECK_ERR(set(0, 0, MS, 20 * MS, 10 * MS), EINVAL);
	CHECK_ERR(set(0, 0, MS, 1ull << 63, 0), EINVAL);
	CHECK_ERR(set(0, 0, MS, MS, 1ull << 63), EINVAL);
	CHECK_ERR(set(0, 0, 1ull << 63, 1ull << 63, 1ull << 63), EINVAL);
	CHECK_ERR(set(0, 0, 2048, 99999, 99999), EINVAL);
	CHECK_ERR(set(0, 0, MS, 10 * MS, 4194304001ull), EINVAL);
	CHECK_ERR(set(0, 1 << 20, MS, 10 * MS, 10 * MS), EINVAL);
	CHECK_ERR(set(4194303, 0, MS, 10 * MS, 10 * MS), ESRCH);
	CHECK_ERR(set(-1, 0, MS, 10 * MS, 10 * MS), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setscheduler, 0, DEADLINE, &(struct sched_param){ 0 }), EINVAL);
	CHECK(sched_get_priority_max(DEADLINE) == 0 && sched_get_priority_min(DEADLINE) == 0);
	CHECK(!set_patiently(0, 1024, 100000, 0) && !set_other(0));
	CHECK(!set_patiently(0, MS, 10 * MS, 4194304000ull) && !set_other(0));
	CHECK(!write_setting("sched_deadline_period_max_us", "20000"));
	CHECK_ERR(set(0, 0, MS, 21 * MS, 0), EINVAL);
	CHECK(!write_setting("sched_deadline_period_max_us", "4194304"));
	CHECK(!write_setting("sched_deadline_period_min_us", "9000"));
	CHECK_ERR(set(0, 0, MS, 8 * MS, 0), EINVAL);
	CHECK(!write_setting("sched_deadline_period_min_us", "100"));
}

static void as_user(void)
{
	CHECK(!setuid(1000));
	CHECK_ERR(set(0, 0, MS, 100 * MS, 0), EPERM);
	CHECK_ERR(set(0, 0, 0, 100 * MS, 0), EINVAL);
}

static void *thread_main(void *arg)
{
	return arg;
}

/* What others see of it, and what it may not do. */
static void as_deadline(void)
{
	struct sched_attr a;
	struct sched_param p = { .sched_priority = 7 };
	struct timespec ts = { 1, 1 };
	cpu_set_t all, one;
	pthread_t thread;

	signal(SIGXCPU, SIG_IGN);
	CHECK(!sched_getaffinity(0, sizeof(all), &all));
	CHECK(!set_patiently(OVERRUN | RECLAIM, 2 * MS, 50 * MS, 100 * MS));
	CHECK(!get(0, &a) && a.size == sizeof(a) && a.sched_policy == DEADLINE &&
	      a.sched_flags == (OVERRUN | RECLAIM) && a.sched_priority == 0);
	CHECK(a.sched_runtime == 2 * MS && a.sched_deadline == 50 * MS &&
	      a.sched_period == 100 * MS);
	memset(&a, 0, sizeof(a));
	CHECK(!syscall(SYS_sched_getattr, getpid(), &a, 48, 0) && a.size == 48);
	CHECK_ERR(syscall(SYS_sched_getattr, 0, &a, 47, 0), EINVAL);
	CHECK(syscall(SYS_sched_getscheduler, 0) == DEADLINE);
	CHECK(!syscall(SYS_sched_getparam, 0, &p) && p.sched_priority == 0);
	CHECK_ERR(syscall(SYS_sched_setparam, 0, &p), EINVAL);
	CHECK(!sched_rr_get_interval(0, &ts) && ts.tv_sec == 0 && ts.tv_nsec == 0);
	CHECK(stat_field(getpid(), STAT_PRIORITY) == -101);
	CHECK(stat_field(getpid(), STAT_RT) == 0 && stat_field(getpid(), STAT_POLICY) == DEADLINE);

	CHECK(fork() == -1 && errno == EAGAIN);
	CHECK(pthread_create(&thread, NULL, thread_main, NULL) == EAGAIN);
	CHECK(!sched_setaffinity(0, sizeof(all), &all));
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	if (ncpus > 1)
		CHECK_ERR(sched_setaffinity(0, sizeof(one), &one), EBUSY);

	/* A deadline only: the period is the same. What is kept is kept. */
	CHECK(!set(0, 0, 2 * MS, 60 * MS, 0));
	CHECK(!get(0, &a) && a.sched_deadline == 60 * MS && a.sched_period == 60 * MS &&
	      a.sched_flags == 0);
	a = (struct sched_attr){ .size = 48, .sched_flags = KEEP_PARAMS, .sched_policy = DEADLINE };
	CHECK(!syscall(SYS_sched_setattr, 0, &a, 0));
	a = (struct sched_attr){ .size = 48, .sched_flags = KEEP_POLICY };
	CHECK_ERR(syscall(SYS_sched_setattr, 0, &a, 0), EINVAL);
	CHECK(!get(0, &a) && a.sched_runtime == 2 * MS && a.sched_period == 60 * MS);
}

/* Children of one that resets are ordinary. */
static void as_resetting(void)
{
	struct sched_attr a;
	int status = -1;
	pid_t pid;

	CHECK(!set_patiently(RESET_ON_FORK, 5 * MS, 50 * MS, 50 * MS));
	CHECK(!get(0, &a) && a.sched_flags == RESET_ON_FORK);
	pid = fork();
	if (!pid)
		_exit(get(0, &a) || a.sched_policy || a.sched_flags || a.sched_nice);
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
	execl("/proc/self/exe", "sched_deadline", "exec", NULL);
	_exit(1);
}

/* One that may not use all CPUs cannot be admitted to all. */
static void as_confined(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK(!sched_setaffinity(0, sizeof(one), &one));
	CHECK_ERR(set(0, 0, MS, 100 * MS, 0), EPERM);
}

/* A child that has 30 % of a CPU, in vain, until it is killed. */
static pid_t start_third(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	if (set_patiently(0, 30 * MS, 100 * MS, 0)) {
		shared->last_errno = errno;
		shared->failed = 1;
	}
	shared->admitted++;
	for (;;)
		pause();
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* 95 % of each CPU can be given away. */
static void test_admission(void)
{
	int n = ncpus * 95 / 30;
	pid_t pid[HOGS_MAX];
	char text[16];

	shared->admitted = shared->failed = 0;
	for (int i = 0; i < n; i++) {
		pid[i] = start_third();
		if (!EVENTUALLY(shared->admitted == i + 1))
			break;
	}
	CHECK(shared->admitted == n && !shared->failed);
	CHECK_ERR(set(0, 0, 30 * MS, 100 * MS, 0), EBUSY);
	CHECK_ERR(set(pid[0], 0, 60 * MS, 100 * MS, 0), EBUSY);
	CHECK(!set(pid[0], 0, 30 * MS, 50 * MS, 100 * MS));
	CHECK(write_setting("sched_rt_runtime_us", "100000") == -1 && errno == EBUSY);
	CHECK(write_setting("sched_rt_runtime_us", "1000001") == -1 && errno == EINVAL);
	/* Who asks for less makes room. */
	CHECK(!set(pid[0], 0, 2 * MS, 100 * MS, 0));
	CHECK(!set_patiently(0, 28 * MS, 100 * MS, 0));
	CHECK(!set_other(0));
	/* So does who ends. */
	end_child(pid[1]);
	CHECK(!set_patiently(0, 30 * MS, 100 * MS, 0));
	CHECK(!set_other(0));
	for (int i = 0; i < n; i++)
		if (i != 1)
			end_child(pid[i]);
	/* Without a limit there is no admission. */
	CHECK(!write_setting("sched_rt_runtime_us", "-1"));
	CHECK(!set(0, 0, 10 * MS, 100 * MS, 0) && !set_other(0));
	snprintf(text, sizeof(text), "%d", 950000);
	CHECK(EVENTUALLY(!write_setting("sched_rt_runtime_us", text)));
}

/* Run until told to stop, as @policy. */
static pid_t start_hog(int policy)
{
	struct sched_param p = { .sched_priority = 99 };
	pid_t pid = fork();

	if (pid)
		return pid;
	if (policy == DEADLINE ? set_patiently(0, 60 * MS, 100 * MS, 0)
			       : syscall(SYS_sched_setscheduler, 0, policy, &p))
		_exit(2);
	__atomic_add_fetch(&shared->admitted, 1, __ATOMIC_SEQ_CST);
	while (!shared->stop)
		;
	_exit(0);
}

static void hogs_start(int policy, pid_t *pid)
{
	shared->admitted = shared->stop = 0;
	for (int i = 0; i < ncpus; i++)
		pid[i] = start_hog(policy);
	CHECK(EVENTUALLY(shared->admitted == ncpus));
}

static void hogs_end(pid_t *pid)
{
	int status, good = 1;

	shared->stop = 1;
	for (int i = 0; i < ncpus; i++)
		good &= waitpid(pid[i], &status, 0) == pid[i] && status == 0;
	CHECK(good);
}

/* One thread per CPU that always wants to run: who is ordinary gets the rest. */
static void test_throttle(void)
{
	pid_t pid[HOGS_MAX];

	hogs_start(DEADLINE, pid);
	CHECK(stat_field(pid[0], STAT_POLICY) == DEADLINE);
	hogs_end(pid);
}

static void run_beside_hogs(void)
{
	CHECK(!set_patiently(0, 10 * MS, 100 * MS, 0));
	for (int64_t begin = now_ns(CLOCK_THREAD_CPUTIME_ID);
	     now_ns(CLOCK_THREAD_CPUTIME_ID) < begin + 20000000;)
		;
	shared->stop = 1;
}

/* Whatever real-time threads do, one with a deadline runs. */
static void test_above_fifo(void)
{
	pid_t pid[HOGS_MAX];

	hogs_start(SCHED_FIFO, pid);
	in_child(run_beside_hogs);
	hogs_end(pid);
}

/* sched_yield() gives up the rest of the runtime, each time. */
static void as_yielding(void)
{
	int64_t begin;

	CHECK(!set_patiently(0, 5 * MS, 50 * MS, 0));
	begin = now_ns(CLOCK_MONOTONIC);
	for (int i = 0; i < 5; i++)
		sched_yield();
	CHECK(now_ns(CLOCK_MONOTONIC) - begin >= (int64_t)(4 * 50 * MS));
}

static void on_xcpu(int sig)
{
	xcpu++;
}

static void as_overrunning(void)
{
	int64_t begin = now_ns(CLOCK_THREAD_CPUTIME_ID);

	signal(SIGXCPU, on_xcpu);
	CHECK(!set_patiently(0, 10 * MS, 50 * MS, 0));
	while (now_ns(CLOCK_THREAD_CPUTIME_ID) < begin + 30000000)
		;
	CHECK(xcpu == 0);
	CHECK(!set(0, OVERRUN, 10 * MS, 50 * MS, 0));
	while (!xcpu)
		;
	CHECK(xcpu > 0);
}

/* Alone, 10 % of a CPU becomes more: in one of the spans, which get longer. */
static void as_reclaiming(void)
{
	int64_t begin, used, span = 200000000;
	int good = 0;

	CHECK(!set_patiently(RECLAIM, 5 * MS, 50 * MS, 0));
	for (int i = 0; i < 8 && !good; i++, span *= 2) {
		begin = now_ns(CLOCK_MONOTONIC);
		used = now_ns(CLOCK_THREAD_CPUTIME_ID);
		while (now_ns(CLOCK_MONOTONIC) < begin + span)
			;
		used = now_ns(CLOCK_THREAD_CPUTIME_ID) - used;
		good = used > (now_ns(CLOCK_MONOTONIC) - begin) / 4;
	}
	CHECK(good);
}

static int futex(int op)
{
	return (int)syscall(SYS_futex, &shared->word, op, 0, NULL, NULL, 0);
}

static int wait_with_deadline(void)
{
	if (set_patiently(0, 10 * MS, 100 * MS, 0))
		return 1;
	shared->locked = 1;
	return futex(FUTEX_LOCK_PI) || futex(FUTEX_UNLOCK_PI);
}

static void as_child_of_lent(void)
{
	struct sched_attr a;

	CHECK(!get(0, &a) && a.sched_policy == 0 && stat_field(getpid(), STAT_PRIORITY) == 20);
}

/* Who owns what a thread with a deadline waits for runs with that deadline. */
static void test_lent(void)
{
	int status = -1, before = (int)stat_field(getpid(), STAT_PRIORITY);
	pid_t pid;

	shared->locked = shared->word = 0;
	CHECK(!futex(FUTEX_LOCK_PI));
	pid = fork();
	if (!pid)
		_exit(wait_with_deadline());
	CHECK(EVENTUALLY(stat_field(getpid(), STAT_PRIORITY) == -101));
	CHECK(stat_field(getpid(), STAT_POLICY) == 0 && syscall(SYS_sched_getscheduler, 0) == 0);
	/* What was lent is not inherited, nor in the way of a child. */
	in_child(as_child_of_lent);
	CHECK(!futex(FUTEX_UNLOCK_PI));
	CHECK(EVENTUALLY(stat_field(getpid(), STAT_PRIORITY) == before));
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/* Sleep and run in turn, several at once, changing policy now and then. */
static int as_periodic(void)
{
	struct timespec ts = { 0, 3000000 };

	for (int i = 0; i < 60; i++) {
		if (i % 20 == 0 &&
		    set_patiently(i & 4 ? RECLAIM : 0, 2 * MS, (6 + i % 3) * MS, 20 * MS))
			return 1;
		for (volatile int k = 0; k < 20000; k++)
			;
		if (i % 20 == 19 && set_other(0))
			return 2;
		if (i & 1)
			nanosleep(&ts, NULL);
	}
	return 0;
}

static void test_crowd(void)
{
	int status, good = 1;

	for (int i = 0; i < 3 * ncpus; i++)
		if (!fork())
			_exit(as_periodic());
	for (int i = 0; i < 3 * ncpus; i++)
		good &= wait(&status) > 0 && status == 0;
	CHECK(good);
}

int main(int argc, char **argv)
{
	struct sched_attr a;

	if (argc > 1)
		_exit(get(0, &a) || a.sched_policy != DEADLINE || a.sched_runtime != 5 * MS);
	alarm(TAP_LIMIT);
	ncpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE(shared != MAP_FAILED && ncpus <= HOGS_MAX / 4);
	test_values();
	in_child(as_user);
	in_child(as_deadline);
	in_child(as_resetting);
	if (ncpus > 1)
		in_child(as_confined);
	test_admission();
	test_throttle();
	test_above_fifo();
	in_child(as_yielding);
	in_child(as_overrunning);
	in_child(as_reclaiming);
	test_lent();
	test_crowd();
	return tap_done();
}
