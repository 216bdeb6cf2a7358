#pragma once
/*
 * Text builder over a buffer of the caller's. Writing past the end stores nothing but still counts,
 * so after a run that did not fit, .len says how large a buffer the same text needs: procfs
 * allocates that and builds again. Not ended by NUL unless sbuf_cstr() is called.
 */
#include <stdarg.h>
#include "kernel/lib/types.h"

struct sbuf {
	char *buf;
	size_t size;
	size_t len; /* of the whole text; above size: it did not fit */
};

static inline void sbuf_init(struct sbuf *sb, char *buf, size_t size)
{
	sb->buf = buf;
	sb->size = size;
	sb->len = 0;
}

static inline bool sbuf_overflowed(const struct sbuf *sb)
{
	return sb->len > sb->size;
}

/* Bytes that are really in the buffer. */
static inline size_t sbuf_stored(const struct sbuf *sb)
{
	return sb->len < sb->size ? sb->len : sb->size;
}

static inline void sbuf_putc(struct sbuf *sb, char c)
{
	if (sb->len < sb->size)
		sb->buf[sb->len] = c;
	sb->len++;
}

void sbuf_write(struct sbuf *sb, const void *data, size_t n);
void sbuf_puts(struct sbuf *sb, const char *s);
void sbuf_printf(struct sbuf *sb, const char *fmt, ...) __printf(2, 3);
void sbuf_vprintf(struct sbuf *sb, const char *fmt, va_list ap) __printf(2, 0);
/* @s with every character that is in @chars, and backslash, as \ooo (mount tables, maps). */
void sbuf_puts_escaped(struct sbuf *sb, const char *s, const char *chars);
/* Pad with spaces up to column @col counted from offset @from. */
void sbuf_pad(struct sbuf *sb, size_t from, size_t col);
/*
 * The text as a C string; the last byte is given up for the NUL when it is full. size must be > 0.
 */
const char *sbuf_cstr(struct sbuf *sb);
