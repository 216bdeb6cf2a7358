#pragma once
/*
 * Test Anything Protocol for the small static programs here; each runs on Linux as well.
 *
 *   int main(void) { CHECK(getpid() > 0); CHECK_ERR(close(-1), EBADF); return tap_done(); }
 *
 * CHECK(x): one result line, "ok N - x" or "not ok N - x", with file and line, and errno when it
 * failed. CHECK_ERR(call, e): the call returned -1 with errno e. REQUIRE(x): as CHECK, and ends the
 * program when it fails.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_count, tap_failed;

static inline int tap_result(int good, const char *what, const char *file, int line, int err)
{
	tap_count++;
	if (good) {
		printf("ok %d - %s\n", tap_count, what);
	} else {
		tap_failed++;
		printf("not ok %d - %s\n# %s:%d: errno %d (%s)\n", tap_count, what, file, line, err,
		       strerror(err));
	}
	fflush(stdout);
	return good;
}

/* The plan comes last; the exit status for main. */
static inline int tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed ? 1 : 0;
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

#define REQUIRE(x)                             \
	do {                                   \
		if (!CHECK(x))                 \
			exit((tap_done(), 1)); \
	} while (0)
