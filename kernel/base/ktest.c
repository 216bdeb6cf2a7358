/*
 * In-kernel tests: run the cases of the linker table, one after the other, and print TAP on the
 * console.
 *
 * Only ktest.Image has any (see the Makefile). "ktest" on the command line runs all, "ktest=area"
 * one area. A case that fails says where and returns; the next one runs. main.c starts them when
 * the kernel is up and powers the machine off afterwards. One thread runs them, so the state below
 * needs no lock; a case that starts threads collects their results before it asserts.
 *
 * Reference: Test Anything Protocol, version 13.
 */
#include "kernel/base/bootargs.h"
#include "kernel/base/ktest.h"
#include "kernel/base/log.h"
#include "kernel/lib/string.h"

static bool failed; /* o: the running case */

BOOTARG_WORD(ktest, "ktest");

/* True when the command line asks for tests. ctx: any. */
bool ktest_requested(void)
{
	return bootargs_has("ktest");
}

/* The body of KT_ASSERT. ctx: thread. */
void ktest_fail(const char *what, const char *file, int line)
{
	failed = true;
	log_err("# %s:%d: %s does not hold", file, line, what);
}

static bool wanted(const struct ktest_case *c)
{
	const char *area = bootargs_get("ktest");

	return !area || !*area || strcmp(area, c->area) == 0;
}

static bool run_case(const struct ktest_case *c, u32 number)
{
	failed = false;
	c->fn();
	log_err("%sok %u - %s %s", failed ? "not " : "", number, c->area, c->name);
	return !failed;
}

/* See ktest.h. */
u32 ktest_run(void)
{
	const struct ktest_case *c;
	u32 count = 0, number = 0, failures = 0;

	TABLE_FOREACH(ktest, c)
		count += wanted(c);
	log_err("TAP version 13");
	log_err("1..%u", count);
	TABLE_FOREACH(ktest, c) {
		if (wanted(c))
			failures += !run_case(c, ++number);
	}
	log_err("# %u of %u failed", failures, count);
	return failures;
}
