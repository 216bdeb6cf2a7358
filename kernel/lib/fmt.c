/*
 * Formatted text.
 *
 * One pass over the format: each conversion is parsed into a struct spec, an integer is written
 * backwards into a small buffer, and the result is put out between its padding. Output goes through
 * a struct out that counts everything and stores what fits, so the return value is right for text
 * that was cut.
 *
 * Everything here runs in any context, takes no lock and does not sleep. Reference: ISO C11
 * 7.21.6.1.
 */
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"

struct out {
	char *buf;
	size_t size;
	size_t len;
};

struct spec {
	bool left, plus, space, alt, zero, upper;
	int width;
	int prec; /* -1: not given */
	int length; /* bytes of the argument */
	char conv;
};

static void out_char(struct out *o, char c)
{
	if (o->len < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void out_fill(struct out *o, char c, int n)
{
	for (; n > 0; n--)
		out_char(o, c);
}

static void out_text(struct out *o, const char *s, size_t n)
{
	if (o->len < o->size)
		memcpy(o->buf + o->len, s, MIN(n, o->size - o->len));
	o->len += n;
}

static const char *parse_flags(const char *f, struct spec *sp)
{
	for (;; f++) {
		switch (*f) {
		case '-': sp->left = true; break;
		case '+': sp->plus = true; break;
		case ' ': sp->space = true; break;
		case '#': sp->alt = true; break;
		case '0': sp->zero = true; break;
		default: return f;
		}
	}
}

/* A number of at most 6 digits, so that no sum of lengths overflows. */
static const char *parse_number(const char *f, int *out)
{
	int v = 0;

	for (; char_is_digit(*f); f++)
		if (v < 100000)
			v = v * 10 + (*f - '0');
	*out = v;
	return f;
}

static const char *parse_length(const char *f, struct spec *sp)
{
	sp->length = 4;
	if (f[0] == 'h') {
		sp->length = f[1] == 'h' ? 1 : 2;
		return f + (f[1] == 'h' ? 2 : 1);
	}
	if (f[0] == 'l' || f[0] == 'z' || f[0] == 't' || f[0] == 'j') {
		sp->length = 8;
		return f + (f[0] == 'l' && f[1] == 'l' ? 2 : 1);
	}
	return f;
}

static s64 take_signed(const struct spec *sp, u64 raw)
{
	switch (sp->length) {
	case 1: return (s8)raw;
	case 2: return (s16)raw;
	case 4: return (s32)raw;
	default: return (s64)raw;
	}
}

static u64 take_unsigned(const struct spec *sp, u64 raw)
{
	return sp->length == 8 ? raw : raw & ((1ULL << (sp->length * 8)) - 1);
}

/* Digits of @v before @end; returns where they begin. */
static char *put_digits(char *end, u64 v, u32 base, bool upper)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";

	for (; v; v /= base)
		*--end = digits[v % base];
	return end;
}

static void out_number(struct out *o, const struct spec *sp, u64 v, u32 base, const char *prefix)
{
	char tmp[24];
	char *end = tmp + sizeof(tmp);
	char *p = put_digits(end, v, base, sp->upper);
	int n = (int)(end - p);
	int np = (int)strlen(prefix);
	int zeros = (sp->prec < 0 ? 1 : sp->prec) - n;

	if (base == 8 && sp->alt && zeros <= 0)
		zeros = 1;
	if (sp->prec < 0 && sp->zero && !sp->left)
		zeros = MAX(zeros, sp->width - np - n);
	zeros = MAX(zeros, 0);
	if (!sp->left)
		out_fill(o, ' ', sp->width - np - zeros - n);
	out_text(o, prefix, (size_t)np);
	out_fill(o, '0', zeros);
	out_text(o, p, (size_t)n);
	if (sp->left)
		out_fill(o, ' ', sp->width - np - zeros - n);
}

static void out_signed(struct out *o, const struct spec *sp, u64 raw)
{
	s64 v = take_signed(sp, raw);

	out_number(o, sp, v < 0 ? 0 - (u64)v : (u64)v, 10,
		   v < 0       ? "-"
		   : sp->plus  ? "+"
		   : sp->space ? " "
			       : "");
}

static void out_hex(struct out *o, struct spec *sp, u64 raw)
{
	u64 v = take_unsigned(sp, raw);

	sp->upper = sp->conv == 'X';
	out_number(o, sp, v, 16, !sp->alt || !v ? "" : sp->upper ? "0X" : "0x");
}

static void out_string(struct out *o, const struct spec *sp, const char *s)
{
	size_t n;

	if (!s)
		s = "(null)";
	n = sp->prec >= 0 ? strnlen(s, (size_t)sp->prec) : strlen(s);
	if (!sp->left)
		out_fill(o, ' ', sp->width - (int)n);
	out_text(o, s, n);
	if (sp->left)
		out_fill(o, ' ', sp->width - (int)n);
}

static const char *parse_spec(const char *f, struct spec *sp, va_list *ap)
{
	*sp = (struct spec){ .prec = -1 };
	f = parse_flags(f, sp);
	if (*f == '*') {
		sp->width = va_arg(*ap, int);
		if (sp->width < 0) {
			sp->left = true;
			sp->width = -sp->width;
		}
		f++;
	} else {
		f = parse_number(f, &sp->width);
	}
	if (*f == '.') {
		f++;
		if (*f == '*') {
			sp->prec = va_arg(*ap, int);
			if (sp->prec < 0)
				sp->prec = -1;
			f++;
		} else {
			f = parse_number(f, &sp->prec);
		}
	}
	f = parse_length(f, sp);
	sp->conv = *f;
	return f;
}

static u64 take_integer(const struct spec *sp, va_list *ap)
{
	return sp->length == 8 ? va_arg(*ap, u64) : va_arg(*ap, u32);
}

static void out_conversion(struct out *o, struct spec *sp, va_list *ap)
{
	char c;

	switch (sp->conv) {
	case 'd':
	case 'i': out_signed(o, sp, take_integer(sp, ap)); break;
	case 'u': out_number(o, sp, take_unsigned(sp, take_integer(sp, ap)), 10, ""); break;
	case 'o': out_number(o, sp, take_unsigned(sp, take_integer(sp, ap)), 8, ""); break;
	case 'x':
	case 'X': out_hex(o, sp, take_integer(sp, ap)); break;
	case 'p': out_number(o, sp, (u64)va_arg(*ap, void *), 16, "0x"); break;
	case 'c':
		c = (char)va_arg(*ap, int);
		out_fill(o, ' ', sp->left ? 0 : sp->width - 1);
		out_char(o, c);
		out_fill(o, ' ', sp->left ? sp->width - 1 : 0);
		break;
	case 's': out_string(o, sp, va_arg(*ap, const char *)); break;
	case '%': out_char(o, '%'); break;
	default: /* unknown: show it, so that the mistake is seen */
		out_char(o, '%');
		if (sp->conv)
			out_char(o, sp->conv);
	}
}

/* See fmt.h. ctx: any. */
size_t vformat(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct out o = { buf, size, 0 };
	struct spec sp;
	va_list args;

	va_copy(args, ap);
	while (*fmt) {
		const char *f = fmt;

		while (*f && *f != '%')
			f++;
		out_text(&o, fmt, (size_t)(f - fmt));
		if (!*f)
			break;
		f = parse_spec(f + 1, &sp, &args);
		out_conversion(&o, &sp, &args);
		fmt = *f ? f + 1 : f;
	}
	va_end(args);
	return o.len;
}

/* See fmt.h. ctx: any. */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	size_t n = vformat(buf, size, fmt, ap);

	if (size)
		buf[MIN(n, size - 1)] = '\0';
	return (int)n;
}

/* See fmt.h. ctx: any. */
int snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}

/* See fmt.h. ctx: any. */
int scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return size == 0 ? 0 : MIN(n, (int)size - 1);
}
