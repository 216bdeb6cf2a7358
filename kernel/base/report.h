#pragma once
/*
 * Reports of the compiler's checkers (ubsan.c, mm/kasan.c): a bug of ours, so they end in a panic;
 * unless a test provokes one to see that it is found.
 */
#include "kernel/lib/types.h"

/*
 * From here to report_expected() the reports of this thread whose text has @part in it are counted
 * instead of being fatal. ctx: thread, one at a time (tests).
 */
void report_expect(const char *part);
/* Expect nothing any more; how many reports came. ctx: thread */
u32 report_expected(void);
/* A checker found @text: true when a test has asked for it and the code may go on. ctx: any */
bool report_is_expected(const char *text);

/* Runs @statement; fails the test unless exactly one report with @part in it came. */
#define KT_ASSERT_REPORT(part, statement)          \
	do {                                       \
		report_expect(part);               \
		statement;                         \
		KT_ASSERT(report_expected() == 1); \
	} while (0)
