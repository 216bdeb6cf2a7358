/*
 * Memory and string functions.
 *
 * The memory functions move 64 bytes per turn through general registers (the compiler pairs the loads and
 * stores), then finish with one block that overlaps the last one written, so that no byte loop runs for
 * lengths of 4 and more. Unaligned accesses are allowed: all of it is normal memory. Device registers are
 * never touched with these, and frames are cleared and copied by page_zero() and page_copy().
 *
 * The compiler must not recognise the loops here as the functions they implement: the Makefile turns
 * that off for this file. Contracts that say nothing about context: any context, no locks, no sleep.
 *
 * Reference: ISO C11 7.24; strlcpy and strlcat as in OpenBSD's manual page.
 */
#include <linux/errno.h>
#include "kernel/lib/string.h"

typedef u64 __attribute__((may_alias, aligned(1))) u64_any;
typedef u32 __attribute__((may_alias, aligned(1))) u32_any;
typedef u16 __attribute__((may_alias, aligned(1))) u16_any;

/* Up to 16 bytes: all loads come before the stores, so this may overlap in any way. */
static __always_inline void copy_small(u8 *d, const u8 *s, size_t n)
{
	if (n >= 8) {
		u64 a = *(const u64_any *)s, b = *(const u64_any *)(s + n - 8);

		*(u64_any *)d = a;
		*(u64_any *)(d + n - 8) = b;
	} else if (n >= 4) {
		u32 a = *(const u32_any *)s, b = *(const u32_any *)(s + n - 4);

		*(u32_any *)d = a;
		*(u32_any *)(d + n - 4) = b;
	} else if (n >= 2) {
		u16 a = *(const u16_any *)s, b = *(const u16_any *)(s + n - 2);

		*(u16_any *)d = a;
		*(u16_any *)(d + n - 2) = b;
	} else if (n) {
		*d = *s;
	}
}

/* 16 bytes, loads before stores. */
static __always_inline void copy_16(u8 *d, const u8 *s)
{
	u64 a = ((const u64_any *)s)[0], b = ((const u64_any *)s)[1];

	((u64_any *)d)[0] = a;
	((u64_any *)d)[1] = b;
}

static __always_inline void copy_64(u8 *d, const u8 *s)
{
	const u64_any *f = (const u64_any *)s;
	u64_any *t = (u64_any *)d;
	u64 a = f[0], b = f[1], c = f[2], e = f[3], g = f[4], h = f[5], i = f[6], j = f[7];

	t[0] = a;
	t[1] = b;
	t[2] = c;
	t[3] = e;
	t[4] = g;
	t[5] = h;
	t[6] = i;
	t[7] = j;
}

/* Copy @n bytes between areas that do not overlap. Returns @dst. */
void *memcpy(void *dst, const void *src, size_t n)
{
	u8 *d = dst;
	const u8 *s = src;
	const u8 *end = s + n;

	if (n <= 16) {
		copy_small(d, s, n);
		return dst;
	}
	for (; end - s > 64; s += 64, d += 64)
		copy_64(d, s);
	for (; end - s > 16; s += 16, d += 16)
		copy_16(d, s);
	copy_16(d + (end - s) - 16, end - 16);
	return dst;
}

/* From the last byte to the first, for @dst inside [@s, @s + @n). */
static void copy_backward(u8 *d, const u8 *s, size_t n)
{
	for (; n > 64; n -= 64)
		copy_64(d + n - 64, s + n - 64);
	for (; n > 16; n -= 16)
		copy_16(d + n - 16, s + n - 16);
	copy_small(d, s, n);
}

/* Copy @n bytes between areas that may overlap. Returns @dst. */
void *memmove(void *dst, const void *src, size_t n)
{
	u8 *d = dst;
	const u8 *s = src;

	if ((u64)d - (u64)s >= n && (u64)s - (u64)d >= n)
		return memcpy(dst, src, n);
	if (d > s) {
		copy_backward(d, s, n);
		return dst;
	}
	for (; n > 64; n -= 64, s += 64, d += 64)
		copy_64(d, s);
	for (; n > 16; n -= 16, s += 16, d += 16)
		copy_16(d, s);
	copy_small(d, s, n);
	return dst;
}

static void set_small(u8 *d, u64 v, size_t n)
{
	if (n >= 8) {
		*(u64_any *)d = v;
		*(u64_any *)(d + n - 8) = v;
	} else if (n >= 4) {
		*(u32_any *)d = (u32)v;
		*(u32_any *)(d + n - 4) = (u32)v;
	} else {
		for (; n; n--)
			*d++ = (u8)v;
	}
}

/* Fill @n bytes with @c. Returns @dst. */
void *memset(void *dst, int c, size_t n)
{
	u8 *d = dst;
	u8 *end = d + n;
	u64 v = (u8)c * 0x0101010101010101ULL;

	if (n <= 16) {
		set_small(d, v, n);
		return dst;
	}
	for (; end - d > 64; d += 64) {
		u64_any *t = (u64_any *)d;

		t[0] = v;
		t[1] = v;
		t[2] = v;
		t[3] = v;
		t[4] = v;
		t[5] = v;
		t[6] = v;
		t[7] = v;
	}
	for (; end - d > 16; d += 16) {
		((u64_any *)d)[0] = v;
		((u64_any *)d)[1] = v;
	}
	((u64_any *)(end - 16))[0] = v;
	((u64_any *)(end - 16))[1] = v;
	return dst;
}

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

	if ((base == 0 || base == 16) && p[0] == '0' && (p[1] | 32) == 'x' && digit_value(p[2]) < 16) {
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
