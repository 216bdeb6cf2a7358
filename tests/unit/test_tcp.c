/* unit: tests/unit/tcp/tcp_world.c tests/unit/uio.c net/pkt.c net/cksum.c net/tcp/tcp_ack.c net/tcp/tcp_cc.c net/tcp/tcp_cc_cubic.c net/tcp/tcp_cc_newreno.c net/tcp/tcp_fastopen.c net/tcp/tcp_hash.c net/tcp/tcp_input.c net/tcp/tcp_listen.c net/tcp/tcp_option.c net/tcp/tcp_output.c net/tcp/tcp_pace.c net/tcp/tcp_param.c net/tcp/tcp_pcb.c net/tcp/tcp_reass.c net/tcp/tcp_recover.c net/tcp/tcp_sack.c net/tcp/tcp_seg.c net/tcp/tcp_stat.c net/tcp/tcp_state.c net/tcp/tcp_syncookie.c net/tcp/tcp_table.c net/tcp/tcp_timer.c net/tcp/tcp_timewait.c net/tcp/tcp_user.c net/tcp/tcp_xfer.c kernel/lib/string.c kernel/lib/rbtree.c */
/* TCP between two hosts: opening, data both ways over good and bad wires, closing. */
#include <linux/errno.h>
#include <linux/poll.h>
#include <stdlib.h>
#include <string.h>
#include "tests/unit/tcp/tcp_world.h"

struct pair {
	struct tcp_pcb *l, *a, *b;
};

static bool has_ready(void *arg)
{
	return tcp_poll(arg) & POLLIN;
}

static bool is_open(void *arg)
{
	return tcp_state(arg) == TCP_ESTABLISHED || tcp_state(arg) == TCP_CLOSE;
}

static void pair_open(struct pair *c, u16 port)
{
	c->l = listen_on(HOST_B, port, 8);
	c->a = connect_to(HOST_A, HOST_B, port);
	CHECK(world_run(60 * SEC, has_ready, c->l));
	CHECK_EQ(tcp_accept(c->l, &c->b), 0);
	CHECK(world_run(60 * SEC, is_open, c->a));
	CHECK_EQ(tcp_state(c->a), TCP_ESTABLISHED);
	CHECK_EQ(tcp_state(c->b), TCP_ESTABLISHED);
}

UNIT_TEST(opening_and_closing)
{
	struct pair c;
	char buf[16];

	world_begin();
	pair_open(&c, 80);
	CHECK_EQ(put(c.a, "hello", 5, 0), 5);
	world_sleep(SEC);
	CHECK_EQ(take(c.b, buf, sizeof(buf), 0), 5);
	CHECK(!memcmp(buf, "hello", 5));
	CHECK_EQ(take(c.b, buf, sizeof(buf), 0), -EAGAIN);
	CHECK_EQ(tcp_shutdown(c.a, 2), 0);
	world_sleep(SEC);
	CHECK_EQ(tcp_state(c.a), TCP_FIN_WAIT2);
	CHECK_EQ(tcp_state(c.b), TCP_CLOSE_WAIT);
	CHECK_EQ(take(c.b, buf, sizeof(buf), 0), 0);
	/* The other half still works. */
	CHECK_EQ(put(c.b, "world", 5, 0), 5);
	world_sleep(SEC);
	CHECK_EQ(take(c.a, buf, sizeof(buf), 0), 5);
	tcp_close(c.b);
	world_sleep(SEC);
	CHECK_EQ(take(c.a, buf, sizeof(buf), 0), 0);
	tcp_close(c.a);
	tcp_close(c.l);
	world_end();
}

/* --- a transfer in both directions over any wire --- */

struct way {
	struct tcp_pcb *from, *to;
	u32 size, sent, got, seed;
	bool ended;
};

static u8 byte_at(u32 seed, u32 i)
{
	return (u8)((i * 2654435761u ^ seed) >> 13);
}

/* Move what can be moved now. True: all has arrived, and the end after it. */
static bool way_step(struct way *w)
{
	static u8 buf[20000];

	while (w->sent < w->size) {
		u32 n = MIN(w->size - w->sent, 1 + (u32)unit_random() % 20000);
		ssize_t done;

		for (u32 i = 0; i < n; i++)
			buf[i] = byte_at(w->seed, w->sent + i);
		if (n <= PAGE_SIZE && unit_random() % 2)
			done = lend(w->from, buf, n);
		else
			done = put(w->from, buf, n, 0);
		if (done == -EAGAIN)
			break;
		CHECK(done > 0);
		w->sent += (u32)done;
		if (w->sent == w->size)
			CHECK_EQ(tcp_shutdown(w->from, 2), 0);
	}
	for (;;) {
		ssize_t n = take(w->to, buf, 1 + unit_random() % sizeof(buf), 0);

		if (n == -EAGAIN)
			break;
		if (n == 0) {
			w->ended = true;
			break;
		}
		CHECK(n > 0);
		for (u32 i = 0; i < (u32)n; i++)
			CHECK_EQ(buf[i], byte_at(w->seed, w->got + i));
		w->got += (u32)n;
	}
	return w->ended;
}

static bool both_done(void *arg)
{
	struct way *w = arg;
	bool x = way_step(&w[0]), y = way_step(&w[1]);

	return x && y;
}

static s64 transfer(u32 size, u32 seed, s64 limit)
{
	struct pair c;
	struct way w[2];
	s64 start;

	pair_open(&c, 5000);
	w[0] = (struct way){ .from = c.a, .to = c.b, .size = size, .seed = seed };
	w[1] = (struct way){ .from = c.b, .to = c.a, .size = size, .seed = seed + 1 };
	start = world.now;
	if (!world_run(limit, both_done, w))
		unit_fail(__FILE__, __LINE__,
			  "seed %u: sent %u and %u, got %u and %u, states %u %u", seed, w[0].sent,
			  w[1].sent, w[0].got, w[1].got, tcp_state(c.a), tcp_state(c.b));
	CHECK_EQ(w[0].got, size);
	CHECK_EQ(w[1].got, size);
	tcp_close(c.a);
	tcp_close(c.b);
	tcp_close(c.l);
	start = world.now - start;
	world_end();
	return start;
}

UNIT_TEST(a_clean_wire)
{
	world_begin();
	s64 took = transfer(1 << 20, 1, 60 * SEC);
	CHECK(took < 2 * SEC);
	CHECK_EQ(tcp_mib(TCP_MIB_RETRANS_SEGS), 0);
}

/* A tenth overtakes what was sent up to 25 ms before it: that must not be taken for loss, again and again. */
UNIT_TEST(late_is_not_lost)
{
	s64 took = 0;
	u64 again = 0;

	for (u32 seed = 0; seed < 4; seed++) {
		world_begin();
		world.delay = 25 * MSEC;
		world.early = 100;
		world.loss = world.dup = 10;
		took += transfer(4 << 20, seed * 2 + 100, 600 * SEC);
		again += tcp_mib(TCP_MIB_RETRANS_SEGS);
	}
	CHECK(took < 40 * SEC); /* 28 in the mean of many seeds */
	CHECK(again < 3000);
}

UNIT_TEST(loss_reordering_duplication)
{
	for (u32 seed = 0; seed < 40; seed++) {
		world_begin();
		world.loss = seed % 4 * 10;
		world.dup = seed % 3 * 10;
		world.jitter = seed % 2 ? 20 * MSEC : 0;
		world.corrupt = seed % 5 == 4 ? 5 : 0;
		(void)transfer(256 << 10, seed * 2 + 10, 600 * SEC);
	}
}
