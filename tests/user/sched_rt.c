/*
 * sched(7): a real-time thread that never sleeps leaves the rest of sched_rt_period_us beside
 * sched_rt_runtime_us to the others on its CPU. One CPU is used. RLIMIT_RTTIME, RLIMIT_CPU: how long
 * it may run without sleeping, and a process at all.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include "tap.h"

static struct {
	volatile int started, stop;
} * shared;

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
}

/* By number, as musl has only an error for it. Spin until somebody with a lesser claim to the CPU says stop. */
static int hog(int policy)
{
	struct sched_param p = { .sched_priority = 50 };
	int64_t end = now_ms() + TAP_LIMIT * 1000ll;

	if (syscall(SYS_sched_setscheduler, 0, policy, &p))
		return 2;
	shared->started = 1;
	while (!shared->stop)
		if (now_ms() > end)
			return 1;
	return 0;
}

static void test_hog(int policy)
{
	int status = -1;
	pid_t pid;

	shared->started = shared->stop = 0;
	pid = fork();
	if (!pid)
		_exit(hog(policy));
	CHECK(EVENTUALLY(shared->started));
	shared->stop = 1;
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(status == 0);
}

static volatile int warned;

static void on_xcpu(int sig)
{
	warned++;
}

/* The wait status of a child that has the limits of its parent and never sleeps. */
static int spin_limited(int which, rlim_t soft, rlim_t hard, int policy, int handle)
{
	struct rlimit new = { soft, hard }, after;
	struct sched_param p = { .sched_priority = policy == SCHED_OTHER ? 0 : 5 };
	pid_t pid = fork(), child;
	int status = -1;

	if (pid) {
		waitpid(pid, &status, 0);
		return status;
	}
	if (handle)
		signal(SIGXCPU, on_xcpu);
	if (setrlimit(which, &new))
		_exit(1);
	child = fork(); /* inherits them */
	if (!child) {
		if (syscall(SYS_sched_setscheduler, 0, policy, &p))
			_exit(2);
		while (!warned)
			;
		getrlimit(which, &after);
		/* A second more for each signal; a machine that stood still may have sent two. */
		_exit(which != RLIMIT_RTTIME || (after.rlim_cur > soft &&
						 (after.rlim_cur - soft) % 1000000 == 0)
			      ? 0
			      : 3);
	}
	waitpid(child, &status, 0);
	_exit(WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static void test_limits(void)
{
	int status = spin_limited(RLIMIT_RTTIME, 100000, RLIM_INFINITY, SCHED_FIFO, 1);

	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	status = spin_limited(RLIMIT_RTTIME, 100000, RLIM_INFINITY, SCHED_RR, 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == SIGXCPU);
	status = spin_limited(RLIMIT_RTTIME, 50000, 50000, SCHED_FIFO, 1);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == SIGKILL);
	status = spin_limited(RLIMIT_CPU, 1, RLIM_INFINITY, SCHED_OTHER, 1);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	status = spin_limited(RLIMIT_CPU, 1, 1, SCHED_OTHER, 1);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == SIGKILL);
}

static long setting(const char *name)
{
	FILE *f = fopen(name, "r");
	long v = -1;

	if (f) {
		if (fscanf(f, "%ld", &v) != 1)
			v = -1;
		fclose(f);
	}
	return v;
}

/*
 * Who sets the parameters alone must not bring back the policy that another has just changed: here
 * only one thread changes it, and finds it as it has set it.
 */
static void *sets_parameters(void *thread)
{
	struct sched_param none = { 0 };

	while (!shared->stop)
		syscall(SYS_sched_setparam, *(pid_t *)thread, &none);
	return NULL;
}

static void test_parameters(void)
{
	struct sched_param one = { .sched_priority = 1 }, none = { 0 };
	pid_t self = (pid_t)syscall(SYS_gettid);
	cpu_set_t all;
	int bad = 0;
	pthread_t t;

	memset(&all, 0xff, sizeof(all));
	REQUIRE(!sched_setaffinity(0, sizeof(all), &all));
	shared->stop = 0;
	REQUIRE(!pthread_create(&t, NULL, sets_parameters, &self));
	for (int i = 0; i < 5000; i++) {
		bad += syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &one) != 0;
		bad += syscall(SYS_sched_getscheduler, 0) != SCHED_FIFO;
		bad += syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &none) != 0;
	}
	shared->stop = 1;
	pthread_join(t, NULL);
	if (bad)
		printf("# %d\n", bad);
	CHECK(bad == 0);
}

int main(void)
{
	long period = setting("/proc/sys/kernel/sched_rt_period_us");
	long runtime = setting("/proc/sys/kernel/sched_rt_runtime_us");
	cpu_set_t one;

	CHECK(runtime > 0 && period > runtime);
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	REQUIRE(sched_setaffinity(0, sizeof(one), &one) == 0);
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE(shared != MAP_FAILED);
	test_hog(SCHED_FIFO);
	test_hog(SCHED_RR);
	test_limits();
	test_parameters();
	return tap_done();
}
