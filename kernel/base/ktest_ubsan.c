/*
 * Tests of the reports of undefined behaviour, "ktest=ubsan": each case does one undefined thing
 * and asks for the report of it. Operands are volatile, so that the compiler cannot see what is
 * coming. What the compiler takes for the end of the code (unreachable) or checks in other ways is
 * shown by calling its handler.
 */
#include "kernel/base/ktest.h"
#include "kernel/base/report.h"

void __ubsan_handle_builtin_unreachable(void *place);
void __ubsan_handle_invalid_builtin(void *place);

static volatile u64 sink;

KTEST(ubsan, shift)
{
	volatile u32 one = 1, far = 32;
	volatile int back = -1;

	KT_ASSERT_REPORT("shift by 32 of ", sink = one << far);
	KT_ASSERT_REPORT("shift by -1, which is negative", sink = one >> back);
	report_expect("shift");
	sink = one << (far - 1);
	KT_ASSERT(report_expected() == 0);
}

KTEST(ubsan, index)
{
	static volatile u32 table[4];
	volatile u32 i = 5;
	volatile s32 below = -1;

	KT_ASSERT_REPORT("index 5 is out of range for ", sink = (u64)&table[i]);
	KT_ASSERT_REPORT("index -1 is out of range for ", sink = (u64)&table[below]);
}

KTEST(ubsan, alignment)
{
	static u64 words[2];
	u64 *volatile wide = (u64 *)((u64)words + 1);
	u32 *volatile narrow = (u32 *)((u64)words + 2);

	KT_ASSERT_REPORT("load of misaligned address", sink = *wide);
	KT_ASSERT_REPORT("store to misaligned address", *narrow = 1);
}

KTEST(ubsan, null)
{
	struct pair {
		u64 a, b;
	};
	struct pair *volatile nothing = NULL;

	KT_ASSERT_REPORT("member access within null pointer", sink = (u64)&nothing->b);
}

KTEST(ubsan, pointer)
{
	char *volatile p = (char *)&sink;
	volatile u64 far = BIT(62);

	KT_ASSERT_REPORT("pointer arithmetic", p = p + far);
}

KTEST(ubsan, overflow)
{
	volatile s32 most = 0x7fffffff, least = -most - 1;
	volatile s64 large = 1ll << 62;

	KT_ASSERT_REPORT("overflow: 2147483647 + 1 does not fit ", sink = (u64)(most + 1));
	KT_ASSERT_REPORT("overflow: -2147483648 - 1 does not fit", sink = (u64)(least - 1));
	KT_ASSERT_REPORT("overflow: 4611686018427387904 * 2 does not", sink = (u64)(large * 2));
	KT_ASSERT_REPORT("overflow: -(-2147483648)", sink = (u64)-least);
	KT_ASSERT_REPORT("overflow: -2147483648 / -1", sink = (u64)(least / (most - most - 1)));
}

/* The CPU divides by zero without a trap: the result is zero. */
KTEST(ubsan, division)
{
	volatile s32 zero = 0, many = 7;

	KT_ASSERT_REPORT("division of 7 by zero", sink = (u64)(many / zero));
	KT_ASSERT_REPORT("division of 7 by zero", sink = (u64)(many % zero));
}

KTEST(ubsan, value)
{
	volatile u8 two = 2;

	KT_ASSERT_REPORT("load of value 2, which is none of type", sink = *(volatile bool *)&two);
}

static const struct {
	const char *file;
	u32 line, column;
	u8 kind;
} place = { "a.c", 12, 3, 1 };

KTEST(ubsan, unreachable)
{
	KT_ASSERT_REPORT("a.c:12:3: unreachable code was reached",
			 __ubsan_handle_builtin_unreachable((void *)&place));
}

/* To clang the result is defined on this CPU, so it makes no such check. */
KTEST(ubsan, builtin)
{
	KT_ASSERT_REPORT("a.c:12:3: clz of zero", __ubsan_handle_invalid_builtin((void *)&place));
}
