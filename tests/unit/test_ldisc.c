/* unit: kernel/tty/ldisc.c kernel/tty/ldisc_out.c kernel/lib/ring.c kernel/lib/string.c */
/* The line discipline against a device that is a buffer. */
#include "kernel/lib/string.h"
#include "kernel/tty/ldisc.h"
#include "tests/unit/unit.h"

static struct ldisc ld;
static char out[8192]; /* what the device got */
static size_t out_len, out_limit;
static u32 signals; /* bit n: enum ldisc_signal n */
static u32 stops, starts, flushes;

static size_t dev_write(struct ldisc *l, const u8 *s, size_t n)
{
	n = MIN(n, out_limit - out_len);
	memcpy(out + out_len, s, n);
	out_len += n;
	out[out_len] = 0;
	return n;
}

static size_t dev_room(struct ldisc *l)
{
	return out_limit - out_len;
}

static void dev_signal(struct ldisc *l, enum ldisc_signal s)
{
	signals |= 1u << s;
}

static void dev_flush(struct ldisc *l)
{
	flushes++;
}

static void dev_stop(struct ldisc *l)
{
	stops++;
}

static void dev_start(struct ldisc *l)
{
	starts++;
}

static void dev_none(struct ldisc *l)
{
}

static const struct ldisc_ops dev_ops = {
	.write = dev_write,
	.room = dev_room,
	.signal = dev_signal,
	.flush_output = dev_flush,
	.stop = dev_stop,
	.start = dev_start,
	.input_ready = dev_none,
	.input_flushed = dev_none,
};

static const struct ktermios usual = {
	.c_iflag = ICRNL | IXON,
	.c_oflag = OPOST | ONLCR,
	.c_cflag = B38400 | CS8 | CREAD,
	.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
	.c_cc = { 3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0 },
};

static void out_clear(void)
{
	out_len = 0;
	out[0] = 0;
}

static void begin(const struct ktermios *t)
{
	out_limit = sizeof(out) - 1;
	out_clear();
	signals = stops = starts = flushes = 0;
	ldisc_init(&ld, &dev_ops, t);
}

static void type(const char *s)
{
	CHECK_EQ(ldisc_receive(&ld, (const u8 *)s, NULL, strlen(s)), strlen(s));
}

/* As tty_read does: the text that one read of @max bytes gives; -1: it would wait. */
static int take(char *buf, size_t max)
{
	size_t done = 0;
	bool ended = false;

	if (!ldisc_readable(&ld, 1))
		return -1;
	while (done < max && !ended && ldisc_readable(&ld, 1)) {
		const u8 *p;
		size_t n = ldisc_peek(&ld, max - done, &p);

		memcpy(buf + done, p, n);
		done += n;
		ended = ldisc_consume(&ld, n);
	}
	buf[done] = 0;
	return (int)done;
}

#define EXPECT(text)                                    \
	do {                                            \
		char ex[8192];                          \
		CHECK_EQ(take(ex, 8000), strlen(text)); \
		CHECK_STR(ex, text);                    \
	} while (0)
#define WAITS() CHECK_EQ(take((char[8]){ 0 }, 1), -1)

UNIT_TEST(line)
{
	begin(&usual);
	type("hello");
	WAITS();
	type("\r");
	CHECK_STR(out, "hello\r\n");
	EXPECT("hello\n");
	WAITS();
	type("a\nb\n");
	EXPECT("a\n");
	EXPECT("b\n");
}

UNIT_TEST(short_reads)
{
	char b[16];

	begin(&usual);
	type("abcdef\n");
	CHECK_EQ(take(b, 3), 3);
	CHECK_STR(b, "abc");
	CHECK_EQ(take(b, 4), 4);
	CHECK_STR(b, "def\n");
	WAITS();
}

UNIT_TEST(end_of_file)
{
	char b[16];

	begin(&usual);
	type("\004");
	CHECK_EQ(take(b, 8), 0);
	WAITS();
	type("abc\004");
	CHECK_EQ(take(b, 8), 3);
	WAITS();
	type("abc\004");
	CHECK_EQ(take(b, 3), 3);
	WAITS();
	type("abc\004\n");
	CHECK_EQ(take(b, 2), 2);
	CHECK_EQ(take(b, 8), 1);
	CHECK_EQ(take(b, 8), 1);
	CHECK_STR(b, "\n");
	CHECK_EQ(ldisc_available(&ld), 0);
}

UNIT_TEST(erase)
{
	begin(&usual);
	type("abx\177c\n");
	CHECK_STR(out, "abx\b \bc\r\n");
	EXPECT("abc\n");
	type("\177\177z\n");
	EXPECT("z\n");
	out_clear();
	type("one two_3\027four\n");
	CHECK_STR(out, "one two_3\b \b\b \b\b \b\b \b\b \bfour\r\n");
	EXPECT("one four\n");
	out_clear();
	type("gone\025x\n");
	CHECK_STR(out, "gone\b \b\b \b\b \b\b \bx\r\n");
	EXPECT("x\n");
}

UNIT_TEST(erase_wide)
{
	struct ktermios t = usual;

	t.c_iflag |= IUTF8;
	begin(&t);
	type("a\303\244\177\n");
	CHECK_STR(out, "a\303\244\b \b\r\n");
	EXPECT("a\n");
	out_clear();
	type("\001\177\n");
	CHECK_STR(out, "^A\b \b\b \b\r\n");
	EXPECT("\n");
	out_clear();
	type("ab\t\177c\n");
	CHECK_STR(out, "ab\t\b\b\b\b\b\bc\r\n");
	EXPECT("abc\n");
}

UNIT_TEST(echo_modes)
{
	struct ktermios t = usual;

	t.c_lflag &= ~(tcflag_t)(ECHOE | ECHOKE);
	begin(&t);
	type("ab\177");
	CHECK_STR(out, "ab^?");
	out_clear();
	type("\025");
	CHECK_STR(out, "^U\r\n");
	t.c_lflag |= ECHOPRT;
	begin(&t);
	type("abc\177\177d\n");
	CHECK_STR(out, "abc\\cb/d\r\n");
	EXPECT("ad\n");
	t.c_lflag &= ~(tcflag_t)ECHO;
	t.c_lflag |= ECHONL;
	begin(&t);
	type("secret\n");
	CHECK_STR(out, "\r\n");
	EXPECT("secret\n");
}

UNIT_TEST(literal)
{
	begin(&usual);
	type("\026\003x\026\177\n");
	CHECK_STR(out, "^\b^Cx^\b^?\r\n");
	EXPECT("\003x\177\n");
	CHECK_EQ(signals, 0);
}

UNIT_TEST(reprint)
{
	begin(&usual);
	type("ab\022c\n");
	CHECK_STR(out, "ab^R\r\nabc\r\n");
	EXPECT("abc\n");
}

UNIT_TEST(signal_characters)
{
	struct ktermios t = usual;

	begin(&usual);
	type("half a line\003");
	CHECK_EQ(signals, 1u << LDISC_INTR);
	CHECK_EQ(flushes, 1);
	WAITS();
	type("\n");
	EXPECT("\n");
	type("\034\032");
	CHECK_EQ(signals, 7);
	t.c_lflag |= NOFLSH;
	begin(&t);
	type("kept\003\n");
	EXPECT("kept\n");
	CHECK_EQ(flushes, 0);
	t.c_lflag &= ~(tcflag_t)ISIG;
	begin(&t);
	type("\003\n");
	EXPECT("\003\n");
	CHECK_EQ(signals, 0);
}

UNIT_TEST(flow)
{
	struct ktermios t = usual;

	begin(&usual);
	type("\023\023");
	CHECK(ld.stopped);
	CHECK_EQ(stops, 1);
	type("x");
	CHECK(ld.stopped);
	type("\021");
	CHECK(!ld.stopped);
	CHECK_EQ(starts, 1);
	t.c_iflag |= IXANY;
	begin(&t);
	type("\023y");
	CHECK(!ld.stopped);
	type("\n");
	EXPECT("y\n");
	type("\023");
	t.c_iflag &= ~(tcflag_t)IXON;
	ldisc_set_termios(&ld, &t);
	CHECK(!ld.stopped);
}

UNIT_TEST(input_maps)
{
	struct ktermios t = usual;

	t.c_iflag = INLCR | ISTRIP | IUCLC;
	t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	begin(&t);
	type("A\nb\341");
	EXPECT("a\rba");
	t.c_iflag = IGNCR;
	begin(&t);
	type("a\rb");
	EXPECT("ab");
}

UNIT_TEST(errors_on_the_line)
{
	struct ktermios t = usual;
	static const u8 c[] = { 'a', 'b', 0, 0xff }, f[] = { 0, LDISC_PARITY, LDISC_BREAK, 0 };
	char b[16];

	t.c_lflag = 0;
	t.c_iflag = PARMRK | INPCK;
	begin(&t);
	CHECK_EQ(ldisc_receive(&ld, c, f, 4), 4);
	CHECK_EQ(take(b, 16), 9);
	CHECK(memcmp(b, "a\377\000b\377\000\000\377\377", 9) == 0);
	t.c_iflag = BRKINT | IGNPAR;
	begin(&t);
	CHECK_EQ(ldisc_receive(&ld, c, f, 3), 3);
	CHECK_EQ(signals, 1u << LDISC_INTR);
	WAITS();
	t.c_iflag = 0;
	begin(&t);
	CHECK_EQ(ldisc_receive(&ld, c, f, 3), 3);
	CHECK_EQ(take(b, 16), 3);
	CHECK(memcmp(b, "ab\000", 3) == 0);
}

UNIT_TEST(raw)
{
	struct ktermios t = usual;
	static u8 big[6000];
	char b[8192];

	t.c_iflag = 0;
	t.c_lflag = 0;
	begin(&t);
	CHECK(ld.raw);
	for (u32 i = 0; i < sizeof(big); i++)
		big[i] = (u8)unit_random();
	for (int round = 0; round < 50; round++) {
		size_t n = ldisc_receive(&ld, big, NULL, 1 + unit_random() % sizeof(big));
		size_t got = 0;

		CHECK(n > 0 && n <= LDISC_BUF);
		CHECK(!ldisc_readable(&ld, n + 1) && ldisc_readable(&ld, n));
		while (got < n)
			got += (size_t)take(b + got, 1 + unit_random() % 700);
		CHECK_EQ(got, n);
		CHECK(memcmp(b, big, n) == 0);
		WAITS();
	}
}

UNIT_TEST(overlong_line)
{
	char b[8192];
	int n;

	begin(&usual);
	for (int i = 0; i < 5000; i++)
		type("x");
	WAITS();
	type("\n");
	n = take(b, 8000);
	CHECK_EQ(n, LDISC_BUF);
	CHECK(b[0] == 'x' && b[n - 1] == '\n');
	/* With a line to read, the sender is held back instead. */
	for (int i = 0; i < 500 && ldisc_room(&ld); i++)
		ldisc_receive(&ld, (const u8 *)"123456789\n", NULL, 10);
	CHECK_EQ(ldisc_room(&ld), 0);
	CHECK_EQ(ldisc_receive(&ld, (const u8 *)"y", NULL, 1), 0);
	EXPECT("123456789\n");
	CHECK(ldisc_room(&ld) > 0);
}

UNIT_TEST(mode_switch)
{
	struct ktermios t = usual;
	char b[16];

	begin(&usual);
	type("part");
	WAITS();
	t.c_lflag &= ~(tcflag_t)ICANON;
	ldisc_set_termios(&ld, &t);
	CHECK_EQ(take(b, 2), 2);
	ldisc_set_termios(&ld, &usual);
	EXPECT("rt");
	type("z\n");
	EXPECT("z\n");
}

UNIT_TEST(output)
{
	struct ktermios t = usual;

	begin(&usual);
	CHECK_EQ(ldisc_write(&ld, (const u8 *)"a\nb\tc\r", 6), 6);
	CHECK_STR(out, "a\r\nb\tc\r");
	CHECK_EQ(ld.column, 0);
	t.c_oflag = OPOST | XTABS | OLCUC | OCRNL;
	begin(&t);
	CHECK_EQ(ldisc_write(&ld, (const u8 *)"ab\tc\r", 5), 5);
	CHECK_STR(out, "AB      C\n");
	t.c_oflag = OPOST | ONOCR | ONLRET;
	begin(&t);
	CHECK_EQ(ldisc_write(&ld, (const u8 *)"\ra\n\rb", 5), 5);
	CHECK_STR(out, "a\nb");
}

UNIT_TEST(output_without_room)
{
	size_t n;

	begin(&usual);
	out_limit = 20;
	n = ldisc_write(&ld, (const u8 *)"0123456789\n0123456789", 21);
	CHECK_EQ(n, 19);
	CHECK_STR(out, "0123456789\r\n01234567");
	type("ec");
	CHECK_EQ(ldisc_write(&ld, (const u8 *)"z", 1), 0);
	out_clear();
	CHECK_EQ(ldisc_write(&ld, (const u8 *)"z", 1), 1);
	CHECK_STR(out, "ecz");
}

/* Anything may come in, in any mode. */
UNIT_TEST(noise)
{
	char b[64];

	for (int round = 0; round < 400; round++) {
		struct ktermios t = usual;

		t.c_iflag ^= (tcflag_t)unit_random() & 0x7fff;
		t.c_oflag ^= (tcflag_t)unit_random() & 0x7fff;
		t.c_lflag ^= (tcflag_t)unit_random() & 0x1ffff;
		if (round % 20 == 0)
			begin(&t);
		else
			ldisc_set_termios(&ld, &t);
		for (int i = 0; i < 60; i++) {
			u8 s[96], f[96];
			size_t n = unit_random() % 96;

			for (size_t k = 0; k < n; k++) {
				s[k] = unit_random() % 3 ? (u8)(unit_random() % 32)
							 : (u8)unit_random();
				f[k] = unit_random() % 9 ? 0 : (u8)(unit_random() % 5);
			}
			CHECK(ldisc_receive(&ld, s, unit_random() & 1 ? f : NULL, n) <= n);
			CHECK(ld.head - ld.tail <= LDISC_BUF &&
			      ld.head - ld.canon <= ld.head - ld.tail);
			if (unit_random() & 1)
				take(b, unit_random() % sizeof(b));
			out_clear();
			CHECK(ldisc_write(&ld, s, n) <= n);
			out_clear();
		}
	}
}
