#pragma once
/*
 * In-kernel tests. KTEST(area, name) { ... KT_ASSERT(x); } registers itself; "ktest" or
 * "ktest=area" on the command line runs them after boot, prints TAP on the console and powers off.
 */
#include "kernel/base/table.h"

/*
 * How long a test waits for what must come before it says that it does not. Long: on a busy host
 * a virtual CPU may stand still for seconds. Nothing else may be bounded from above by the clock.
 * Those that sleep between two looks count looks instead, about a millisecond apart: a machine that
 * was held up for minutes has then still all of them before it.
 */
#define KT_PATIENCE (300 * NSEC_PER_SEC)
#define KT_LOOKS 60000

struct ktest_case {
	const char *area;
	const char *name;
	void (*fn)(void);
};
TABLE_DECLARE(ktest, struct ktest_case);

#define KTEST(area, name)                                                                  \
	static void ktest_##area##_##name(void);                                           \
	TABLE_ENTRY(ktest, struct ktest_case,                                              \
		    ktest_case_##area##_##name) = { #area, #name, ktest_##area##_##name }; \
	static void ktest_##area##_##name(void)

/* Fails the running test and returns from the function. */
#define KT_ASSERT(x)                                        \
	do {                                                \
		if (!(x)) {                                 \
			ktest_fail(#x, __FILE__, __LINE__); \
			return;                             \
		}                                           \
	} while (0)
/* For what a test calls: fails the running test, and the function returns @value. */
#define KT_ASSERT_OR(x, value)                              \
	do {                                                \
		if (!(x)) {                                 \
			ktest_fail(#x, __FILE__, __LINE__); \
			return value;                       \
		}                                           \
	} while (0)
void ktest_fail(const char *what, const char *file, int line);
bool ktest_requested(void);
/* Runs all that match, prints the plan and results. Returns the number of failures. ctx: thread */
u32 ktest_run(void);
