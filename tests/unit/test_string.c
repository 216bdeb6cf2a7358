/* unit: kernel/lib/string.c */
#include <linux/errno.h>
#include <stdlib.h>
#include "kernel/lib/string.h"
#include "tests/unit/unit.h"

UNIT_TEST(compare)
{
	CHECK(strcmp("", "") == 0);
	CHECK(strcmp("a", "b") < 0 && strcmp("b", "a") > 0);
	CHECK(strcmp("ab", "a") > 0 && strcmp("\xff", "a") > 0);
	CHECK(strncmp("abc", "abd", 2) == 0 && strncmp("abc", "abd", 3) < 0);
	CHECK(strncmp("a", "b", 0) == 0);
	CHECK(strcasecmp("HeLLo", "hEllO") == 0 && strcasecmp("a", "B") < 0);
	CHECK(strncasecmp("ABx", "aby", 2) == 0);
	CHECK(str_begins("prefix", "pre") && !str_begins("pr", "pre"));
}

/* Every length and every place of a difference, in buffers of exactly that size. */
UNIT_TEST(memcmp_everywhere)
{
	for (u32 n = 0; n < 40; n++) {
		u8 *a = malloc(n ? n : 1), *b = malloc(n ? n : 1);

		for (u32 i = 0; i < n; i++)
			a[i] = b[i] = (u8)unit_random();
		CHECK_EQ(memcmp(a, b, n), 0);
		for (u32 i = 0; i < n; i++) {
			b[i] ^= 0x80;
			CHECK(a[i] < b[i] ? memcmp(a, b, n) < 0 : memcmp(a, b, n) > 0);
			b[i] ^= 0x80;
		}
		free(a);
		free(b);
	}
}

UNIT_TEST(search)
{
	const char *s = "hello world";

	CHECK(strchr(s, 'o') == s + 4 && strrchr(s, 'o') == s + 7);
	CHECK(!strchr(s, 'z') && !strrchr(s, 'z'));
	CHECK(strchr(s, 0) == s + 11 && strrchr(s, 0) == s + 11);
	CHECK(strstr(s, "wor") == s + 6 && strstr(s, "") == s && !strstr(s, "worlds"));
	CHECK(memchr(s, 'w', 11) == s + 6 && !memchr(s, 'w', 6));
	CHECK_EQ(strspn("aabbc", "ab"), 4);
	CHECK_EQ(strcspn("key=value", "="), 3);
	CHECK_EQ(strcspn("key", "="), 3);
	CHECK_EQ(strnlen("abc", 2), 2);
	CHECK_EQ(strnlen("abc", 9), 3);
}

UNIT_TEST(copies_are_bounded)
{
	char b[8];

	CHECK_EQ(strlcpy(b, "abc", sizeof(b)), 3);
	CHECK_STR(b, "abc");
	CHECK_EQ(strlcat(b, "defghij", sizeof(b)), 10);
	CHECK_STR(b, "abcdefg");
	CHECK_EQ(strlcpy(b, "0123456789", sizeof(b)), 10);
	CHECK_STR(b, "0123456");
	CHECK_EQ(strlcpy(NULL, "xy", 0), 2);
}

UNIT_TEST(numbers)
{
	const char *end;
	u64 u = 7;
	s64 s = 7;

	CHECK(str_to_u64("123x", &end, 10, &u) == 0 && u == 123 && *end == 'x');
	CHECK(str_to_u64("0x1F", NULL, 0, &u) == 0 && u == 31);
	CHECK(str_to_u64("0x", &end, 0, &u) == 0 && u == 0 && *end == 'x');
	CHECK(str_to_u64("017", NULL, 0, &u) == 0 && u == 15);
	CHECK(str_to_u64("ff", NULL, 16, &u) == 0 && u == 255);
	u = 7;
	CHECK_EQ(str_to_u64("", NULL, 10, &u), -EINVAL);
	CHECK_EQ(str_to_u64("-1", NULL, 10, &u), -EINVAL);
	CHECK_EQ(str_to_u64("18446744073709551616", NULL, 10, &u), -ERANGE);
	CHECK_EQ(u, 7);
	CHECK(str_to_u64("18446744073709551615", NULL, 10, &u) == 0 && u == ~0ULL);
	CHECK(str_to_s64("-9223372036854775808", NULL, 10, &s) == 0 && s == INT64_MIN);
	CHECK_EQ(str_to_s64("9223372036854775808", NULL, 10, &s), -ERANGE);
	CHECK(str_to_s64("+5", NULL, 10, &s) == 0 && s == 5);
	CHECK_EQ(str_to_s64("-", NULL, 10, &s), -EINVAL);
}
