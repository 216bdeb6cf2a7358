/*
 * Reports that a test asks for.
 *
 * A test of a checker makes a mistake on purpose: it says what the report must contain, makes the
 * mistake and looks how many such reports came. Only reports of the testing thread count, and only
 * with the right text; any other is what it always is, a bug. One test runs at a time (ktest.c), so
 * there is one expectation and no lock: the thread that set it is the only one that passes the
 * first comparison.
 */
#include <arch/thread.h>
#include "kernel/base/log.h"
#include "kernel/base/report.h"
#include "kernel/lib/string.h"

static const struct arch_thread *expecting; /* a: the thread that runs the test */
static const char *expected_part; /* o: of that thread */
static u32 expected_seen; /* o */

/* See report.h. */
void report_expect(const char *part)
{
	expected_part = part;
	expected_seen = 0;
	__atomic_store_n(&expecting, arch_current(), __ATOMIC_RELEASE);
}

/* See report.h. */
u32 report_expected(void)
{
	__atomic_store_n(&expecting, NULL, __ATOMIC_RELEASE);
	return expected_seen;
}

/* See report.h. */
bool report_is_expected(const char *text)
{
	if (__atomic_load_n(&expecting, __ATOMIC_ACQUIRE) != arch_current() ||
	    !strstr(text, expected_part))
		return false;
	expected_seen++;
	log_info("# as expected: %s", text);
	return true;
}
