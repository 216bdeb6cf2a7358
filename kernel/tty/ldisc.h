#pragma once
/*
 * The line discipline: what a terminal's input and output go through. It knows neither devices nor
 * processes; the terminal gives it operations and calls it under its own lock.
 *
 * All fields are guarded by the terminal's lock.
 */
#include <asm/termbits.h>
#include "kernel/lib/ring.h"
#include "kernel/lib/types.h"

#define LDISC_BUF 4096 /* input held, and the longest line */
#define LDISC_ECHO 1024

struct ldisc;

enum ldisc_signal { LDISC_INTR, LDISC_QUIT, LDISC_SUSP };

struct ldisc_ops {
	/* Bytes taken for output of @n, and how many would be. */
	size_t (*write)(struct ldisc *ld, const u8 *s, size_t n);
	size_t (*room)(struct ldisc *ld);
	void (*signal)(struct ldisc *ld, enum ldisc_signal s);
	void (*flush_output)(struct ldisc *ld); /* drop what is not sent yet */
	void (*stop)(struct ldisc *ld); /* ^S: hold output; ^Q: go on */
	void (*start)(struct ldisc *ld);
	void (*input_ready)(struct ldisc *ld); /* a reader may find something */
	void (*input_flushed)(struct ldisc *ld); /* input was dropped: packet mode wants to know */
};

#define LDISC_OUT_MAX 8 /* bytes that one written character becomes at most: a tab */

/* What came with a received character. */
enum ldisc_flag { LDISC_NORMAL, LDISC_BREAK, LDISC_PARITY, LDISC_FRAME, LDISC_OVERRUN };

struct ldisc {
	const struct ldisc_ops *ops; /* I */
	struct ktermios t; /* modes in force */
	u8 buf[LDISC_BUF]; /* input from .tail to .head, modulo its size */
	u64 marks[LDISC_BUF / 64]; /* bit: this byte ends a line */
	u64 eofs[LDISC_BUF / 64]; /* bit: the end is VEOF's, which is not read */
	u32 head; /* next byte in */
	u32 tail; /* next byte out */
	u32 canon; /* .head as it was after the last complete line */
	u8 echo_buf[LDISC_ECHO];
	struct ring echo; /* processed output that waits for room */
	u32 column; /* of the cursor */
	u32 canon_column; /* where the current line's input began */
	bool lnext; /* the next character is literal */
	bool erasing; /* within \.../ of ECHOPRT */
	bool stopped; /* by VSTOP */
	bool raw; /* no processing of input at all */
};

void ldisc_init(struct ldisc *ld, const struct ldisc_ops *ops, const struct ktermios *t);
void ldisc_set_termios(struct ldisc *ld, const struct ktermios *t);

/* Input. flags NULL: all normal. Returns bytes taken: fewer than @n when the buffer is full. */
size_t ldisc_receive(struct ldisc *ld, const u8 *s, const u8 *flags, size_t n);
/* Room that a sender may fill now; 0: hold back. */
size_t ldisc_room(const struct ldisc *ld);
/* Bytes a read gets at once: in canonical mode those of complete lines. */
size_t ldisc_available(const struct ldisc *ld);
/* Is there a line (canonical), or at least @min bytes? */
bool ldisc_readable(const struct ldisc *ld, size_t min);
/*
 * The next bytes to read, at most @max in one run of memory; canonical: not beyond a line's end.
 * Nothing is consumed. 0 although ldisc_readable(): an end of file, which ldisc_consume(ld, 0)
 * takes.
 */
size_t ldisc_peek(const struct ldisc *ld, size_t max, const u8 **p);
bool ldisc_consume(struct ldisc *ld, size_t n); /* true: a line ended, so the read does */
void ldisc_flush_input(struct ldisc *ld);

/*
 * Output (ldisc_out.c): bytes of @s processed and handed over; fewer than @n when there is no room.
 */
size_t ldisc_write(struct ldisc *ld, const u8 *s, size_t n);
/* Hand over waiting echoes; true when none is left. */
bool ldisc_echo_flush(struct ldisc *ld);
/* Echo @c as it is, or as ^X when it is a control character and ECHOCTL says so. */
void ldisc_echo_char(struct ldisc *ld, u8 c);
void ldisc_echo_raw(struct ldisc *ld, u8 c);
/* Columns that @c takes at @column. */
u32 ldisc_width(const struct ldisc *ld, u8 c, u32 column);

static inline bool ldisc_is_continuation(const struct ldisc *ld, u8 c)
{
	return (ld->t.c_iflag & IUTF8) && (c & 0xc0) == 0x80;
}

/* Is @c a letter of the case whose first is @a ('A' or 'a'), those of Latin 1 with it? */
static inline bool ldisc_has_case(u8 c, u32 a)
{
	return (c >= a && c < a + 26) || (c >= a + 127 && c <= a + 157 && c != a + 150);
}

static inline bool ldisc_is_control(u8 c)
{
	return c < ' ' || c == 0x7f;
}
