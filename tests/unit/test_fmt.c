/* unit: kernel/lib/fmt.c kernel/lib/string.c kernel/lib/sbuf.c */
#include <stdlib.h>
#include "kernel/lib/fmt.h"
#include "kernel/lib/sbuf.h"
#include "kernel/lib/string.h"
#include "tests/unit/unit.h"

#define CHECK_FMT(want, ...)                                                   \
	do {                                                                   \
		char cf[128];                                                  \
		CHECK_EQ(snprintf(cf, sizeof(cf), __VA_ARGS__), strlen(want)); \
		CHECK_STR(cf, want);                                           \
	} while (0)

UNIT_TEST(integers)
{
	CHECK_FMT("0 -1 42", "%d %d %i", 0, -1, 42);
	CHECK_FMT("4294967295", "%u", ~0u);
	CHECK_FMT("-9223372036854775808", "%ld", INT64_MIN);
	CHECK_FMT("18446744073709551615", "%lu", ~0UL);
	CHECK_FMT("-9223372036854775808 7", "%lld %zu", (long long)INT64_MIN, (size_t)7);
	CHECK_FMT("ff FF 0xff 0XFF", "%x %X %#x %#X", 255, 255, 255, 255);
	CHECK_FMT("0 17 017 0", "%#x %o %#o %#o", 0, 15, 15, 0);
	CHECK_FMT("-1 255", "%hhd %hhu", -1, 255);
	CHECK_FMT("-2 65534", "%hd %hu", -2, 65534);
	CHECK_FMT("0x1234", "%p", (void *)0x1234);
}

static const char *volatile nothing; /* volatile: the compiler is not to know */

UNIT_TEST(width_and_precision)
{
	CHECK_FMT("    5|5    |00005|   +5", "%5d|%-5d|%05d|%+5d", 5, 5, 5, 5);
	CHECK_FMT("  007| 5|", "%5.3d|% d|%.0d", 7, 5, 0);
	CHECK_FMT("0x00ff|  0xff|-0005", "%#06x|%#6x|%05d", 255, 255, -5);
	CHECK_FMT("  ab|ab  |a|ab", "%4s|%-4s|%.1s|%.*s", "ab", "ab", "ab", 2, "abcd");
	CHECK_FMT("    7|7    |7", "%*d|%*d|%.*d", 5, 7, -5, 7, -1, 7);
	CHECK_FMT("  x|x  |%", "%3c|%-3c|%%", 'x', 'x');
	CHECK_FMT("(null)", "%s", nothing);
}

UNIT_TEST(a_string_with_precision_needs_no_end)
{
	char *raw = malloc(3);
	char out[8];

	memcpy(raw, "abc", 3);
	snprintf(out, sizeof(out), "%.3s", raw);
	CHECK_STR(out, "abc");
	free(raw);
}

UNIT_TEST(truncation)
{
	char *b = malloc(4);

	CHECK_EQ(snprintf(b, 4, "%d", 123456), 6);
	CHECK_STR(b, "123");
	CHECK_EQ(scnprintf(b, 4, "%d", 123456), 3);
	CHECK_EQ(scnprintf(b, 0, "x"), 0);
	CHECK_EQ(snprintf(NULL, 0, "abc"), 3);
	free(b);
}

UNIT_TEST(builder_counts_what_does_not_fit)
{
	char *b = malloc(8);
	struct sbuf sb;

	sbuf_init(&sb, b, 8);
	sbuf_puts(&sb, "abc");
	sbuf_printf(&sb, "%05d", 42);
	CHECK(!sbuf_overflowed(&sb) && sb.len == 8 && memcmp(b, "abc00042", 8) == 0);
	sbuf_printf(&sb, "%s", "more");
	sbuf_putc(&sb, '!');
	CHECK(sbuf_overflowed(&sb) && sb.len == 13 && sbuf_stored(&sb) == 8);
	CHECK_STR(sbuf_cstr(&sb), "abc0004");
	free(b);
}

UNIT_TEST(builder_helpers)
{
	char b[64];
	struct sbuf sb;

	sbuf_init(&sb, b, sizeof(b));
	sbuf_puts_escaped(&sb, "a b\\c\n", " \n");
	CHECK_STR(sbuf_cstr(&sb), "a\\040b\\134c\\012");
	sbuf_init(&sb, b, sizeof(b));
	sbuf_puts(&sb, "ab");
	sbuf_pad(&sb, 0, 5);
	sbuf_putc(&sb, '|');
	CHECK_STR(sbuf_cstr(&sb), "ab   |");
}
