#pragma once
/*
 * Test Anything Protocol for the small static programs here; each runs on Linux as well.
 *
 *   int main(void) { CHECK(getpid() > 0); CHECK_ERR(close(-1), EBADF); return tap_done(); }
 *
 * CHECK(x): one result line, "ok N - x" or "not ok N - x", with file and line, and errno when it
 * failed. CHECK_ERR(call, e): the call returned -1 with errno e. REQUIRE(x): as CHECK, and ends the
 * program when it fails. What a child checks counts like its parent's: the counts are in memory
 * that all of them share.
 *
 * A test must hold on a machine that stands still for seconds at any point. So no fixed sleeps, and
 * no upper bounds on time but TAP_PATIENCE_MS: EVENTUALLY(x) waits for x, is_asleep() tells when
 * another thread has come to its blocking call, TAP_LONG is a time limit that must not be reached.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TAP_PATIENCE_MS 120000 /* for what must come about, in milliseconds */
#define TAP_LONG 5000 /* seconds: no test waits for its end */
#define TAP_LIMIT 1000 /* seconds, for alarm(): only what hangs is still there by then */

struct tap_counts {
	int checks, failed; /* atomic */
};
static struct tap_counts tap_alone; /* where there is no memory to share */
static struct tap_counts *tap = &tap_alone;

__attribute__((constructor)) static inline void tap_begin(void)
{
	void *m =
		mmap(NULL, sizeof(*tap), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (m != MAP_FAILED)
		tap = m;
}

static inline int tap_failed(void)
{
	return __atomic_load_n(&tap->failed, __ATOMIC_SEQ_CST);
}

static inline int tap_result(int good, const char *what, const char *file, int line, int err)
{
	int n = __atomic_add_fetch(&tap->checks, 1, __ATOMIC_SEQ_CST);

	if (good) {
		printf("ok %d - %s\n", n, what);
	} else {
		__atomic_add_fetch(&tap->failed, 1, __ATOMIC_SEQ_CST);
		printf("not ok %d - %s\n# %s:%d: errno %d (%s)\n", n, what, file, line, err,
		       strerror(err));
	}
	fflush(stdout);
	return good;
}

/* The plan comes last; the exit status for main. */
static inline int tap_done(void)
{
	printf("1..%d\n", __atomic_load_n(&tap->checks, __ATOMIC_SEQ_CST));
	return tap_failed() ? 1 : 0;
}

#define CHECK(x)                                                     \
	({                                                           \
		errno = 0;                                           \
		int tap_good = !!(x);                                \
		tap_result(tap_good, #x, __FILE__, __LINE__, errno); \
	})

#define CHECK_ERR(call, e)                                                                 \
	({                                                                                 \
		errno = 0;                                                                 \
		long tap_r = (long)(call);                                                 \
		int tap_e = errno;                                                         \
		tap_result(tap_r == -1 && tap_e == (e), #call " fails with " #e, __FILE__, \
			   __LINE__, tap_e);                                               \
	})

/* Wait for @x, bounded, and say whether it came true: it is looked at each @ms milliseconds. */
#define EVENTUALLY_EACH(ms, x)                         \
	({                                             \
		int tap_left = TAP_PATIENCE_MS / (ms); \
		while (!(x) && tap_left-- > 0)         \
			usleep((ms)*1000);             \
		tap_left >= 0;                         \
	})
#define EVENTUALLY(x) EVENTUALLY_EACH(1, x)

/* /proc/PID/stat from the third field on, in @text; NULL when there is no such thread. */
static inline char *task_stat(int pid, int tid, char *text, size_t size)
{
	char path[64], *end;
	FILE *f;
	size_t n = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	f = fopen(path, "r");
	if (f) {
		n = fread(text, 1, size - 1, f);
		fclose(f);
	}
	text[n] = 0;
	end = strrchr(text, ')');
	return end && end[1] == ' ' ? end + 2 : NULL;
}

/* The letter of /proc/PID/stat: R, S, D, T, Z; 0 when there is no such thread. */
static inline char task_state(int pid, int tid)
{
	char text[512], *stat = task_stat(pid, tid, text, sizeof(text));

	return stat ? *stat : 0;
}

/* The process @pid, of one thread, sleeps in a call that a signal can interrupt. */
static inline int is_asleep(int pid)
{
	return task_state(pid, pid) == 'S';
}

#define REQUIRE(x)                             \
	do {                                   \
		if (!CHECK(x))                 \
			exit((tap_done(), 1)); \
	} while (0)
