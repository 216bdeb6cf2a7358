/*
 * The line discipline's input: from received characters to what read(2) returns.
 *
 * One ring of LDISC_BUF bytes holds input. Three counters run through it: tail (next to read),
 * canon (end of the last complete line) and head (end of what was typed). In canonical mode only
 * tail..canon can be read, and canon..head is the line being edited: erase characters move head
 * back, never below canon. A line's last byte has its bit in marks; VEOF is stored as a NUL with a
 * bit in eofs too, and is skipped by the reader. In non-canonical mode everything up to head can
 * be read and there are no marks.
 *
 * A full ring: with a complete line or in raw mode the sender is held back (ldisc_receive takes
 * less); while a line is being typed that is longer than the ring, further characters are dropped
 * but the newline still gets its place, else nobody could ever read.
 *
 * Locking: the terminal's lock is held throughout. POSIX.1-2017 chapter 11, termios(3).
 */
#include "kernel/lib/string.h"
#include "kernel/tty/ldisc.h"

#define AT(i) ((i) & (LDISC_BUF - 1))
#define CC(ld, i) ((ld)->t.c_cc[i])

static bool bit_test(const u64 *map, u32 i)
{
	return map[AT(i) / 64] >> (i % 64) & 1;
}

static void bit_set(u64 *map, u32 i)
{
	map[AT(i) / 64] |= 1ull << (i % 64);
}

static void bit_clear(u64 *map, u32 i)
{
	map[AT(i) / 64] &= ~(1ull << (i % 64));
}

static bool lflag(const struct ldisc *ld, tcflag_t f)
{
	return ld->t.c_lflag & f;
}

/* Is @c the special character @index, which can be disabled by NUL? */
static bool is_cc(const struct ldisc *ld, u8 c, int index)
{
	return c && c == CC(ld, index);
}

/*
 * Set up with nothing read or written.
 * ctx: thread.
 */
void ldisc_init(struct ldisc *ld, const struct ldisc_ops *ops, const struct ktermios *t)
{
	memset(ld, 0, sizeof(*ld));
	ld->ops = ops;
	ring_init(&ld->echo, ld->echo_buf, LDISC_ECHO);
	ldisc_set_termios(ld, t);
}

/*
 * Put modes in force. When canonical mode is switched, what was typed so far counts as a line.
 * ctx: thread; holds: the terminal's lock.
 */
void ldisc_set_termios(struct ldisc *ld, const struct ktermios *t)
{
	bool toggled = (ld->t.c_lflag ^ t->c_lflag) & (ICANON | EXTPROC);

	ld->t = *t;
	if (toggled) {
		memset(ld->marks, 0, sizeof(ld->marks));
		memset(ld->eofs, 0, sizeof(ld->eofs));
		ld->lnext = false;
		ld->erasing = false;
		ld->canon = ld->head;
		if (lflag(ld, ICANON) && ld->head != ld->tail)
			bit_set(ld->marks, ld->head - 1);
	}
	ld->raw = !(t->c_iflag &
		    (IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IUCLC | IXON)) &&
		  !(t->c_lflag & (ISIG | ICANON | ECHO | ECHONL | EXTPROC));
	if (ld->stopped && !(t->c_iflag & IXON)) {
		ld->stopped = false;
		ld->ops->start(ld);
	}
}

/*
 * Drop all input.
 * ctx: thread; holds: the terminal's lock.
 */
void ldisc_flush_input(struct ldisc *ld)
{
	ld->tail = ld->canon = ld->head = 0;
	ld->lnext = false;
	ld->erasing = false;
	memset(ld->marks, 0, sizeof(ld->marks));
	memset(ld->eofs, 0, sizeof(ld->eofs));
	ld->ops->input_flushed(ld);
}

static u32 space(const struct ldisc *ld)
{
	return LDISC_BUF - (ld->head - ld->tail);
}

/*
 * Room for a sender: 0 says that it should hold back.
 * ctx: any; holds: the terminal's lock.
 */
size_t ldisc_room(const struct ldisc *ld)
{
	u32 n = space(ld);

	/* PARMRK can store a character as three; the last place is for the newline. */
	n = n > 4 ? n - 4 : 0;
	if (!n && lflag(ld, ICANON) && ld->canon == ld->tail)
		return 1;
	return n;
}

static void put(struct ldisc *ld, u8 c)
{
	bit_clear(ld->marks, ld->head);
	bit_clear(ld->eofs, ld->head);
	ld->buf[AT(ld->head)] = c;
	ld->head++;
}

/* An ordinary character into the line; the last place stays free for the line's end. */
static void put_data(struct ldisc *ld, u8 c)
{
	if (space(ld) > 1) {
		put(ld, c);
		return;
	}
	if (ld->t.c_iflag & IMAXBEL)
		ldisc_echo_raw(ld, '\a');
}

static void put_line_end(struct ldisc *ld, u8 c, bool eof)
{
	if (!space(ld))
		return;
	put(ld, c);
	bit_set(ld->marks, ld->head - 1);
	if (eof)
		bit_set(ld->eofs, ld->head - 1);
	ld->canon = ld->head;
	ld->ops->input_ready(ld);
}

static void end_erasing(struct ldisc *ld)
{
	if (ld->erasing) {
		ldisc_echo_raw(ld, '/');
		ld->erasing = false;
	}
}

static void echo(struct ldisc *ld, u8 c)
{
	if (!lflag(ld, ECHO))
		return;
	end_erasing(ld);
	if (ld->canon == ld->head)
		ld->canon_column = ld->column;
	ldisc_echo_char(ld, c);
}

/* Take the cursor back over the character at @pos, which was the line's last, and wipe it out. */
static void echo_erase(struct ldisc *ld, u32 pos, u8 c)
{
	u32 column = ld->canon_column, width;

	for (u32 i = ld->canon; i != pos; i++)
		column += ldisc_width(ld, ld->buf[AT(i)], column);
	width = ldisc_width(ld, c, column);
	while (width--) {
		ldisc_echo_raw(ld, '\b');
		if (c != '\t') {
			ldisc_echo_raw(ld, ' ');
			ldisc_echo_raw(ld, '\b');
		}
	}
}

/* Printing terminals: show what is erased between \ and /. */
static void echo_printed_erase(struct ldisc *ld, u32 pos, u32 end)
{
	if (!ld->erasing) {
		ldisc_echo_raw(ld, '\\');
		ld->erasing = true;
	}
	for (; pos != end; pos++)
		ldisc_echo_char(ld, ld->buf[AT(pos)]);
}

/* Take the last character off the line; false when there is none. Its first byte goes to *c. */
static bool line_chop(struct ldisc *ld, int kind, bool *seen_word, u8 *c)
{
	u32 pos = ld->head, end = ld->head;

	do {
		pos--;
		*c = ld->buf[AT(pos)];
	} while (ldisc_is_continuation(ld, *c) && pos != ld->canon);
	if (ldisc_is_continuation(ld, *c))
		return false;
	if (kind == VWERASE) {
		bool word = (*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') ||
			    (*c >= 'A' && *c <= 'Z') || *c == '_' || *c >= 0x80;

		if (!word && *seen_word)
			return false;
		*seen_word |= word;
	}
	ld->head = pos;
	if (!lflag(ld, ECHO))
		return true;
	if (lflag(ld, ECHOPRT))
		echo_printed_erase(ld, pos, end);
	else if (kind == VERASE && !lflag(ld, ECHOE))
		ldisc_echo_char(ld, CC(ld, VERASE));
	else
		echo_erase(ld, pos, *c);
	return true;
}

static void line_erase(struct ldisc *ld, int kind)
{
	bool seen_word = false;
	u8 c;

	if (kind == VKILL &&
	    !(lflag(ld, ECHO) && lflag(ld, ECHOK) && lflag(ld, ECHOKE) && lflag(ld, ECHOE))) {
		ld->head = ld->canon;
		if (lflag(ld, ECHO)) {
			end_erasing(ld);
			ldisc_echo_char(ld, CC(ld, VKILL));
			if (lflag(ld, ECHOK))
				ldisc_echo_raw(ld, '\n');
		}
		return;
	}
	while (ld->head != ld->canon && line_chop(ld, kind, &seen_word, &c)) {
		if (kind == VERASE)
			break;
	}
	if (ld->head == ld->canon && lflag(ld, ECHO))
		end_erasing(ld);
}

static void line_reprint(struct ldisc *ld)
{
	end_erasing(ld);
	ldisc_echo_char(ld, CC(ld, VREPRINT));
	ldisc_echo_raw(ld, '\n');
	ld->canon_column = ld->column;
	for (u32 i = ld->canon; i != ld->head; i++)
		ldisc_echo_char(ld, ld->buf[AT(i)]);
}

/* The line-editing characters. True: @c was one of them. */
static bool receive_canon(struct ldisc *ld, u8 c)
{
	if (is_cc(ld, c, VERASE) || is_cc(ld, c, VKILL) ||
	    (is_cc(ld, c, VWERASE) && lflag(ld, IEXTEN))) {
		if (ld->head != ld->canon)
			line_erase(ld, is_cc(ld, c, VERASE)  ? VERASE
				       : is_cc(ld, c, VKILL) ? VKILL
							     : VWERASE);
	} else if (is_cc(ld, c, VLNEXT) && lflag(ld, IEXTEN)) {
		ld->lnext = true;
		if (lflag(ld, ECHO)) {
			end_erasing(ld);
			if (lflag(ld, ECHOCTL)) {
				ldisc_echo_raw(ld, '^');
				ldisc_echo_raw(ld, '\b');
			}
		}
	} else if (is_cc(ld, c, VREPRINT) && lflag(ld, ECHO) && lflag(ld, IEXTEN)) {
		line_reprint(ld);
	} else if (c == '\n') {
		if (lflag(ld, ECHO) || lflag(ld, ECHONL)) {
			end_erasing(ld);
			ldisc_echo_raw(ld, '\n');
		}
		put_line_end(ld, c, false);
	} else if (is_cc(ld, c, VEOF)) {
		put_line_end(ld, 0, true);
	} else if (is_cc(ld, c, VEOL) || (is_cc(ld, c, VEOL2) && lflag(ld, IEXTEN))) {
		echo(ld, c);
		put_line_end(ld, c, false);
	} else {
		return false;
	}
	return true;
}

/*
 * A character's signal: drop what is under way unless NOFLSH.
 */
static void receive_signal(struct ldisc *ld, enum ldisc_signal s, u8 c, bool do_echo)
{
	if (!lflag(ld, NOFLSH)) {
		ring_clear(&ld->echo);
		ld->ops->flush_output(ld);
		ldisc_flush_input(ld);
	}
	if (ld->stopped) {
		ld->stopped = false;
		ld->ops->start(ld);
	}
	if (do_echo && lflag(ld, ECHO)) {
		end_erasing(ld);
		ldisc_echo_char(ld, c);
	}
	ld->ops->signal(ld, s);
}

/* Flow control and signals. True: @c was consumed. */
static bool receive_control(struct ldisc *ld, u8 c)
{
	if (ld->t.c_iflag & IXON) {
		if (is_cc(ld, c, VSTART)) {
			if (ld->stopped) {
				ld->stopped = false;
				ld->ops->start(ld);
			}
			return true;
		}
		if (is_cc(ld, c, VSTOP)) {
			if (!ld->stopped) {
				ld->stopped = true;
				ld->ops->stop(ld);
			}
			return true;
		}
	}
	if (!lflag(ld, ISIG))
		return false;
	if (is_cc(ld, c, VINTR))
		receive_signal(ld, LDISC_INTR, c, true);
	else if (is_cc(ld, c, VQUIT))
		receive_signal(ld, LDISC_QUIT, c, true);
	else if (is_cc(ld, c, VSUSP))
		receive_signal(ld, LDISC_SUSP, c, true);
	else
		return false;
	return true;
}

static void receive_data(struct ldisc *ld, u8 c)
{
	if ((ld->t.c_iflag & PARMRK) && c == 0xff)
		put_data(ld, c);
	put_data(ld, c);
	if (!lflag(ld, ICANON)) {
		ld->canon = ld->head;
		ld->ops->input_ready(ld);
	}
}

static void receive_char(struct ldisc *ld, u8 c)
{
	tcflag_t i = ld->t.c_iflag;
	bool made_newline = false; /* which is echoed as such; one that was typed is ^J */

	if (i & ISTRIP)
		c &= 0x7f;
	if ((i & IUCLC) && lflag(ld, IEXTEN) && ldisc_has_case(c, 'A'))
		c = (u8)(c + 32);
	if (lflag(ld, EXTPROC)) {
		put_data(ld, c);
		ld->canon = ld->head;
		ld->ops->input_ready(ld);
		return;
	}
	if (ld->lnext) {
		ld->lnext = false;
		echo(ld, c);
		receive_data(ld, c);
		return;
	}
	if (ld->stopped && (i & IXON) && (i & IXANY) && !is_cc(ld, c, VSTART) &&
	    !is_cc(ld, c, VSTOP)) {
		ld->stopped = false;
		ld->ops->start(ld);
	}
	if (receive_control(ld, c))
		return;
	if (c == '\r') {
		if (i & IGNCR)
			return;
		made_newline = i & ICRNL;
		if (made_newline)
			c = '\n';
	} else if (c == '\n' && (i & INLCR)) {
		c = '\r';
	}
	if (lflag(ld, ICANON) && receive_canon(ld, c))
		return;
	if (made_newline && lflag(ld, ECHO))
		ldisc_echo_raw(ld, c);
	else
		echo(ld, c);
	receive_data(ld, c);
}

/* A character that came with an error, or a break. */
static void receive_flagged(struct ldisc *ld, u8 c, enum ldisc_flag flag)
{
	tcflag_t i = ld->t.c_iflag;

	if (flag == LDISC_OVERRUN)
		return;
	if (flag == LDISC_BREAK) {
		if (i & IGNBRK)
			return;
		if (i & BRKINT) {
			receive_signal(ld, LDISC_INTR, 0, false);
			return;
		}
		c = 0;
	} else if (i & IGNPAR) {
		return;
	} else if (!(i & INPCK)) {
		receive_char(ld, c);
		return;
	}
	if (i & PARMRK) {
		put_data(ld, 0xff);
		put_data(ld, 0);
		put_data(ld, c);
	} else {
		put_data(ld, 0);
	}
	if (!lflag(ld, ICANON))
		ld->canon = ld->head;
	ld->ops->input_ready(ld);
}

static size_t receive_raw(struct ldisc *ld, const u8 *s, size_t n)
{
	size_t total = MIN(n, (size_t)ldisc_room(ld)), done = 0;

	while (done < total) {
		size_t run = MIN(total - done, (size_t)(LDISC_BUF - AT(ld->head)));

		memcpy(ld->buf + AT(ld->head), s + done, run);
		ld->head += (u32)run;
		done += run;
	}
	ld->canon = ld->head;
	if (done)
		ld->ops->input_ready(ld);
	return done;
}

/*
 * Characters came in.
 * ctx: thread; holds: the terminal's lock. Returns how many were taken; the rest is to come again
 * when a reader made room.
 */
size_t ldisc_receive(struct ldisc *ld, const u8 *s, const u8 *flags, size_t n)
{
	size_t done = 0;

	if (ld->raw && !flags)
		return receive_raw(ld, s, n);
	for (; done < n && ldisc_room(ld); done++) {
		if (flags && flags[done] != LDISC_NORMAL)
			receive_flagged(ld, s[done], (enum ldisc_flag)flags[done]);
		else
			receive_char(ld, s[done]);
	}
	ldisc_echo_flush(ld);
	return done;
}

/* With EXTPROC the other side has made lines of it already. */
static bool reads_lines(const struct ldisc *ld)
{
	return lflag(ld, ICANON) && !lflag(ld, EXTPROC);
}

/*
 * Bytes that reads can get without waiting.
 * ctx: any; holds: the terminal's lock.
 */
size_t ldisc_available(const struct ldisc *ld)
{
	size_t n = 0;

	if (!reads_lines(ld))
		return ld->head - ld->tail;
	for (u32 i = ld->tail; i != ld->canon; i++)
		n += !bit_test(ld->eofs, i);
	return n;
}

/*
 * Would a read that wants @min bytes be satisfied?
 * ctx: any; holds: the terminal's lock.
 */
bool ldisc_readable(const struct ldisc *ld, size_t min)
{
	if (reads_lines(ld))
		return ld->canon != ld->tail;
	return ld->head - ld->tail >= MAX(min, (size_t)1);
}

/*
 * The next bytes for a reader; see ldisc.h.
 * ctx: thread; holds: the terminal's lock.
 */
size_t ldisc_peek(const struct ldisc *ld, size_t max, const u8 **p)
{
	u32 i = ld->tail, end = reads_lines(ld) ? ld->canon : ld->head;
	size_t run = MIN((size_t)(end - i), (size_t)(LDISC_BUF - AT(i)));

	*p = ld->buf + AT(i);
	run = MIN(run, max);
	if (!reads_lines(ld))
		return run;
	for (size_t n = 0; n < run; n++) {
		if (bit_test(ld->marks, i + (u32)n))
			return bit_test(ld->eofs, i + (u32)n) ? n : n + 1;
	}
	return run;
}

/*
 * Take @n bytes that ldisc_peek showed. A VEOF behind them belongs to the line that ends there, so
 * that the next read does not see an end of file of its own.
 * ctx: thread; holds: the terminal's lock. True: a line ended, so the read does too.
 */
bool ldisc_consume(struct ldisc *ld, size_t n)
{
	bool ended = false;

	while (n--) {
		ended = bit_test(ld->marks, ld->tail);
		bit_clear(ld->marks, ld->tail);
		ld->tail++;
	}
	if (!reads_lines(ld))
		return false;
	if (ended || ld->tail == ld->canon || !bit_test(ld->eofs, ld->tail))
		return ended;
	bit_clear(ld->marks, ld->tail);
	bit_clear(ld->eofs, ld->tail);
	ld->tail++;
	return true;
}
