/*
 * The runner of host tests: runs what registered itself, in order of registration, and counts. The
 * first failure ends the program with status 1. The state is the one program's; nothing is locked.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "tests/unit/unit.h"

int __lsan_do_recoverable_leak_check(void);

static struct unit_test *first, **last = &first;
static const char *running = "";
static u64 random_state;
u32 unit_logged;

void unit_add(struct unit_test *t)
{
	*last = t;
	last = &t->next;
}

void unit_fail(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "FAILED %s: %s:%d: ", running, file, line);
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	exit(1);
}

/* splitmix64 */
u64 unit_random(void)
{
	u64 z = random_state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

void log_print(enum log_level level, const char *fmt, ...)
{
	unit_logged++;
}

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "FAILED %s: panic: ", running);
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	abort();
}

int main(int argc, char **argv)
{
	u32 count = 0;

	for (struct unit_test *t = first; t; t = t->next) {
		running = t->name;
		random_state = 1;
		t->fn();
		if (__lsan_do_recoverable_leak_check())
			unit_fail(argv[0], 0, "memory was not freed");
		count++;
	}
	printf("ok %s: %u tests\n", argv[0], count);
	return 0;
}
