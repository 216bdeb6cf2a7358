/*
 * The line discipline's output: OPOST processing of what programs write, and echoes of what was
 * typed.
 *
 * ldisc_write() works in runs: bytes that need no processing go to the device in one piece; the
 * others one by one. Nothing is taken that does not fit, so a caller sleeps and comes back with
 * the rest.
 *
 * An echo is processed when the character comes in and put into the echo ring, because input must
 * not wait for output; the ring is handed over before any later write, so the column is always
 * that of the text as it will appear. When the ring overflows, echoes are lost, never input.
 *
 * POSIX.1-2017 chapter 11, termios(3).
 */
#include "kernel/lib/string.h"
#include "kernel/tty/ldisc.h"

#define TAB_WIDTH 8
_Static_assert(TAB_WIDTH <= LDISC_OUT_MAX, "a writer waits for that much room");

/* What one character becomes on output; advances the column. Returns its length in @out. */
static size_t opost_char(struct ldisc *ld, u8 c, u8 out[TAB_WIDTH])
{
	tcflag_t o = ld->t.c_oflag;
	u32 n;

	out[0] = c;
	switch (c) {
	case '\n':
		if (o & ONLRET)
			ld->column = 0;
		if (o & ONLCR) {
			ld->column = 0;
			out[0] = '\r';
			out[1] = '\n';
			return 2;
		}
		return 1;
	case '\r':
		if ((o & ONOCR) && ld->column == 0)
			return 0;
		if (o & OCRNL) {
			out[0] = '\n';
			if (o & ONLRET)
				ld->column = 0;
			return 1;
		}
		ld->column = 0;
		return 1;
	case '\t':
		n = TAB_WIDTH - (ld->column & (TAB_WIDTH - 1));
		ld->column += n;
		if ((o & TABDLY) != XTABS)
			return 1;
		memset(out, ' ', n);
		return n;
	case '\b':
		if (ld->column)
			ld->column--;
		return 1;
	default:
		if (ldisc_is_control(c))
			return 1;
		if ((o & OLCUC) && (ldisc_has_case(c, 'a') || c == 0xdf || c == 0xff))
			out[0] = (u8)(c - 32);
		if (!ldisc_is_continuation(ld, c))
			ld->column++;
		return 1;
	}
}

/* Length of the run at @s that output processing leaves alone. */
static size_t opost_run(const struct ldisc *ld, const u8 *s, size_t n)
{
	size_t i;

	if (ld->t.c_oflag & OLCUC)
		return 0;
	for (i = 0; i < n && !ldisc_is_control(s[i]); i++)
		;
	return i;
}

static size_t write_run(struct ldisc *ld, const u8 *s, size_t n)
{
	size_t done = ld->ops->write(ld, s, n);

	if (!(ld->t.c_iflag & IUTF8)) {
		ld->column += (u32)done;
		return done;
	}
	for (size_t i = 0; i < done; i++)
		ld->column += !ldisc_is_continuation(ld, s[i]);
	return done;
}

/*
 * Process @n bytes that a program writes.
 * ctx: thread; holds: the terminal's lock. Returns how many were taken: fewer than @n when there
 * is no room.
 */
size_t ldisc_write(struct ldisc *ld, const u8 *s, size_t n)
{
	size_t done = 0;

	if (!ldisc_echo_flush(ld))
		return 0;
	if (!(ld->t.c_oflag & OPOST))
		return ld->ops->write(ld, s, n);
	while (done < n) {
		size_t run = opost_run(ld, s + done, n - done), moved;
		u8 out[TAB_WIDTH];

		if (run) {
			moved = write_run(ld, s + done, run);
			done += moved;
			if (moved < run)
				break;
			continue;
		}
		if (ld->ops->room(ld) < TAB_WIDTH)
			break;
		moved = opost_char(ld, s[done], out);
		ld->ops->write(ld, out, moved);
		done++;
	}
	return done;
}

/*
 * Hand waiting echoes to the device.
 * ctx: thread; holds: the terminal's lock. True when none is left.
 */
bool ldisc_echo_flush(struct ldisc *ld)
{
	const u8 *p;
	u32 n;

	while ((n = ring_peek(&ld->echo, &p)) != 0) {
		u32 taken = (u32)ld->ops->write(ld, p, n);

		ring_consume(&ld->echo, taken);
		if (taken < n)
			return false;
	}
	return true;
}

/*
 * Echo one character through output processing only.
 * ctx: thread; holds: the terminal's lock.
 */
void ldisc_echo_raw(struct ldisc *ld, u8 c)
{
	u8 out[TAB_WIDTH] = { c };
	size_t n = 1;

	if (ring_space(&ld->echo) < TAB_WIDTH)
		return;
	if (ld->t.c_oflag & OPOST)
		n = opost_char(ld, c, out);
	ring_write(&ld->echo, out, (u32)n);
}

/*
 * Echo a typed character; control characters but tab as ^X under ECHOCTL.
 * ctx: thread; holds: the terminal's lock.
 */
void ldisc_echo_char(struct ldisc *ld, u8 c)
{
	if ((ld->t.c_lflag & ECHOCTL) && ldisc_is_control(c) && c != '\t') {
		ldisc_echo_raw(ld, '^');
		ldisc_echo_raw(ld, c ^ 0x40);
	} else {
		ldisc_echo_raw(ld, c);
	}
}

/*
 * Columns that the echo of @c took when the cursor was at @column.
 * ctx: any.
 */
u32 ldisc_width(const struct ldisc *ld, u8 c, u32 column)
{
	if (c == '\t')
		return TAB_WIDTH - (column & (TAB_WIDTH - 1));
	if (ldisc_is_control(c))
		return ld->t.c_lflag & ECHOCTL ? 2 : 0;
	return !ldisc_is_continuation(ld, c);
}
