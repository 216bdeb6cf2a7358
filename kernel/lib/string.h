#pragma once
/*
 * Memory and string functions with the meaning the C standard gives them, and a few that it lacks.
 */
#include "kernel/lib/types.h"

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);

/* What has a length that the compiler knows is done in place. */
#define memcpy(dst, src, n) \
	(__builtin_constant_p(n) ? __builtin_memcpy(dst, src, n) : (memcpy)(dst, src, n))
#define memset(dst, c, n) \
	(__builtin_constant_p(n) ? __builtin_memset(dst, c, n) : (memset)(dst, c, n))

size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
int strcasecmp(const char *a, const char *b);
int strncasecmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *s, const char *what);
size_t strspn(const char *s, const char *accept);
size_t strcspn(const char *s, const char *reject);

/*
 * Copy with truncation, always ended by NUL when @size > 0. Returns strlen(@src): >= @size means
 * truncated.
 */
size_t strlcpy(char *dst, const char *src, size_t size);
/* Append likewise. Returns the length that was wanted. */
size_t strlcat(char *dst, const char *src, size_t size);
/* True when @s begins with @prefix. */
bool str_begins(const char *s, const char *prefix);

/*
 * Number at @s in @base (0: by prefix 0x or 0), optional sign for the s64 form. *end (may be NULL)
 * gets the first character that is not part of it. 0, -EINVAL (no digit), -ERANGE.
 */
int __must_check str_to_u64(const char *s, const char **end, u32 base, u64 *out);
int __must_check str_to_s64(const char *s, const char **end, u32 base, s64 *out);

static inline bool char_is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline bool char_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool char_is_print(char c)
{
	return c >= ' ' && c <= '~';
}

static inline char char_to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}
