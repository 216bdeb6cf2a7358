/*
 * Text builder: appending to a bounded buffer, counting what did not fit (see sbuf.h).
 *
 * A builder belongs to one thread; nothing is locked. Its buffer is the caller's before and after.
 * Everything here runs in any context and does not sleep.
 */
#include "kernel/lib/fmt.h"
#include "kernel/lib/sbuf.h"
#include "kernel/lib/string.h"

/* Append @n bytes. */
void sbuf_write(struct sbuf *sb, const void *data, size_t n)
{
	if (sb->len < sb->size)
		memcpy(sb->buf + sb->len, data, MIN(n, sb->size - sb->len));
	sb->len += n;
}

/* Append a string. */
void sbuf_puts(struct sbuf *sb, const char *s)
{
	sbuf_write(sb, s, strlen(s));
}

/* Append formatted text. */
void sbuf_vprintf(struct sbuf *sb, const char *fmt, va_list ap)
{
	size_t at = sbuf_stored(sb);

	sb->len += vformat(sb->buf + at, sb->size - at, fmt, ap);
}

/* Append formatted text. */
void sbuf_printf(struct sbuf *sb, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	sbuf_vprintf(sb, fmt, ap);
	va_end(ap);
}

/* See sbuf.h. */
void sbuf_puts_escaped(struct sbuf *sb, const char *s, const char *chars)
{
	for (; *s; s++) {
		if (*s == '\\' || strchr(chars, *s)) {
			sbuf_putc(sb, '\\');
			sbuf_putc(sb, (char)('0' + ((u8)*s >> 6)));
			sbuf_putc(sb, (char)('0' + ((u8)*s >> 3 & 7)));
			sbuf_putc(sb, (char)('0' + ((u8)*s & 7)));
		} else {
			sbuf_putc(sb, *s);
		}
	}
}

/* See sbuf.h. */
void sbuf_pad(struct sbuf *sb, size_t from, size_t col)
{
	while (sb->len - from < col)
		sbuf_putc(sb, ' ');
}

/* See sbuf.h. */
const char *sbuf_cstr(struct sbuf *sb)
{
	sb->buf[MIN(sb->len, sb->size - 1)] = '\0';
	return sb->buf;
}
