/*
 * String functions, and those on memory that gain nothing from being written for the CPU; memcpy,
 * memmove and memset are in arch/arm64/string.S.
 *
 * Plain loops: names, options and numbers are short. memcmp goes by 8 bytes, because directory
 * entries and page contents are compared with it. All of it is normal memory, where unaligned loads
 * are allowed.
 *
 * The compiler must not recognise the loops here as the functions they implement: the Makefile
 * turns that off for this file. Everything runs in any context, takes no lock and does not sleep.
 *
 * Reference: ISO C11 7.24; strlcpy and strlcat as in OpenBSD's manual page.
 */
#include <linux/errno.h>
#include "kernel/lib/string.h"

typedef u64 __attribute__((may_alias, aligned(1))) u64_any;

/* Compare as unsigned bytes: < 0, 0, > 0. */
int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *p = a, *q = b;

	for (; n >= 8 && *(const u64_any *)p == *(const u64_any *)q; n -= 8) {
		p += 8;
		q += 8;
	}
	for (; n; n--, p++, q++)
		if (*p != *q)
			return *p - *q;
	return 0;
}

/* First byte equal to @c in @n bytes, or NULL. */
void *memchr(const void *s, int c, size_t n)
{
	const u8 *p = s;

	for (; n; n--, p++)
		if (*p == (u8)c)
			return (void *)p;
	return NULL;
}

/* Length without the NUL. */
size_t strlen(const char *s)
{
	const char *p = s;

	while (*p)
		p++;
	return (size_t)(p - s);
}

/* As strlen, but looks at no more than @max bytes. */
size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

/* Compare as unsigned characters: < 0, 0, > 0. */
int strcmp(const char *a, const char *b)
{
	for (; *a && *a == *b; a++)
		b++;
	return (u8)*a - (u8)*b;
}

/* As strcmp over at most @n characters. */
int strncmp(const char *a, const char *b, size_t n)
{
	for (; n && *a && *a == *b; a++, n--)
		b++;
	return n ? (u8)*a - (u8)*b : 0;
}

/* As strcmp with ASCII letters folded. */
int strcasecmp(const char *a, const char *b)
{
	return strncasecmp(a, b, ~(size_t)0);
}

/* As strncmp with ASCII letters folded. */
int strncasecmp(const char *a, const char *b, size_t n)
{
	for (; n && *a && char_to_lower(*a) == char_to_lower(*b); a++, n--)
		b++;
	return n ? (u8)char_to_lower(*a) - (u8)char_to_lower(*b) : 0;
}

/* First @c in @s, the NUL included, or NULL. */
char *strchr(const char *s, int c)
{
	for (; *s != (char)c; s++)
		if (!*s)
			return NULL;
	return (char *)s;
}

/* Last @c in @s, the NUL included, or NULL. */
char *strrchr(const char *s, int c)
{
	const char *last = NULL;

	do {
		if (*s == (char)c)
			last = s;
	} while (*s++);
	return (char *)last;
}

/* First @what in @s, or NULL. */
char *strstr(const char *s, const char *what)
{
	size_t n = strlen(what);

	for (; strncmp(s, what, n) != 0; s++)
		if (!*s)
			return NULL;
	return (char *)s;
}

/* Length of the start of @s that has only characters of @accept. */
size_t strspn(const char *s, const char *accept)
{
	size_t n = 0;

	while (s[n] && strchr(accept, s[n]))
		n++;
	return n;
}

/* Length of the start of @s that has no character of @reject. */
size_t strcspn(const char *s, const char *reject)
{
	size_t n = 0;

	while (s[n] && !strchr(reject, s[n]))
		n++;
	return n;
}

/* See string.h. */
size_t strlcpy(char *dst, const char *src, size_t size)
{
	size_t n = strlen(src);

	if (size) {
		size_t k = n < size ? n : size - 1;

		memcpy(dst, src, k);
		dst[k] = '\0';
	}
	return n;
}

/* See string.h. */
size_t strlcat(char *dst, const char *src, size_t size)
{
	size_t n = strnlen(dst, size);

	return n + strlcpy(dst + n, src, size - n);
}

/* See string.h. */
bool str_begins(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

static u32 digit_value(char c)
{
	if (char_is_digit(c))
		return (u32)(c - '0');
	c = char_to_lower(c);
	return c >= 'a' && c <= 'z' ? (u32)(c - 'a') + 10 : 99;
}

/* See string.h. */
int str_to_u64(const char *s, const char **end, u32 base, u64 *out)
{
	const char *p = s;
	bool over = false;
	u64 v = 0;

	if ((base == 0 || base == 16) && p[0] == '0' && (p[1] | 32) == 'x' &&
	    digit_value(p[2]) < 16) {
		base = 16;
		p += 2;
	} else if (base == 0) {
		base = *p == '0' ? 8 : 10;
	}
	s = p;
	for (; digit_value(*p) < base; p++)
		over |= __builtin_mul_overflow(v, base, &v) ||
			__builtin_add_overflow(v, digit_value(*p), &v);
	if (end)
		*end = p;
	if (p == s)
		return -EINVAL;
	if (over)
		return -ERANGE;
	*out = v;
	return 0;
}

/* See string.h. */
int str_to_s64(const char *s, const char **end, u32 base, s64 *out)
{
	bool neg = *s == '-';
	u64 limit = 0x7fffffffffffffffULL + neg;
	u64 v;
	int err = str_to_u64(s + (neg || *s == '+'), end, base, &v);

	if (err)
		return err;
	if (v > limit)
		return -ERANGE;
	*out = (s64)(neg ? 0 - v : v);
	return 0;
}
