/*
 * sched(7): a real-time thread that never sleeps leaves the rest of sched_rt_period_us beside
 * sched_rt_runtime_us to the others on its CPU. One CPU is used.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
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
	return tap_done();
}
