#pragma once
/*
 * Host tests. UNIT_TEST(name) { ... CHECK(x); } registers itself; a CHECK that fails says what it
 * saw and ends the program. After each test memory that was not freed is a failure too. unit.c has
 * main(), and fakes of the kernel functions that nearly every file calls (log_print, panic).
 */
#include "kernel/lib/types.h"

struct unit_test {
	const char *name;
	void (*fn)(void);
	struct unit_test *next;
};
void unit_add(struct unit_test *t);
void unit_fail(const char *file, int line, const char *fmt, ...) __printf(3, 4) __noreturn;

#define UNIT_TEST(id)                                                      \
	static void unit_##id(void);                                       \
	static struct unit_test unit_test_##id = { #id, unit_##id, NULL }; \
	__attribute__((constructor)) static void unit_add_##id(void)       \
	{                                                                  \
		unit_add(&unit_test_##id);                                 \
	}                                                                  \
	static void unit_##id(void)

#define CHECK(x)                                                               \
	do {                                                                   \
		if (!(x))                                                      \
			unit_fail(__FILE__, __LINE__, "%s does not hold", #x); \
	} while (0)
#define CHECK_EQ(a, b)                                                                         \
	do {                                                                                   \
		s64 ce_a = (s64)(a), ce_b = (s64)(b);                                          \
		if (ce_a != ce_b)                                                              \
			unit_fail(__FILE__, __LINE__, "%s is %ld, not %s (%ld)", #a, ce_a, #b, \
				  ce_b);                                                       \
	} while (0)
#define CHECK_STR(a, b)                                                                            \
	do {                                                                                       \
		const char *cs_a = (a), *cs_b = (b);                                               \
		if (strcmp(cs_a, cs_b) != 0)                                                       \
			unit_fail(__FILE__, __LINE__, "%s is \"%s\", not \"%s\"", #a, cs_a, cs_b); \
	} while (0)

/* Repeatable pseudo-random numbers, started again for each test. */
u64 unit_random(void);
/* Number of log_print calls so far: for tests that want a message, or none. */
extern u32 unit_logged;
