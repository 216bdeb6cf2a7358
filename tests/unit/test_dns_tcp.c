/* unit: net/sock/dns_tcp.c tests/unit/tcp/tcp_world.c tests/unit/uio.c net/pkt.c net/cksum.c net/tcp/tcp_ack.c net/tcp/tcp_cc.c net/tcp/tcp_cc_cubic.c net/tcp/tcp_cc_newreno.c net/tcp/tcp_fastopen.c net/tcp/tcp_hash.c net/tcp/tcp_input.c net/tcp/tcp_listen.c net/tcp/tcp_option.c net/tcp/tcp_output.c net/tcp/tcp_pace.c net/tcp/tcp_param.c net/tcp/tcp_pcb.c net/tcp/tcp_reass.c net/tcp/tcp_recover.c net/tcp/tcp_sack.c net/tcp/tcp_seg.c net/tcp/tcp_stat.c net/tcp/tcp_state.c net/tcp/tcp_syncookie.c net/tcp/tcp_table.c net/tcp/tcp_timer.c net/tcp/tcp_timewait.c net/tcp/tcp_user.c net/tcp/tcp_xfer.c kernel/lib/string.c kernel/lib/rbtree.c */
/* A question to a name server by TCP (RFC 7766): X is the server. In the world of tcp_world.h. */
#include <linux/errno.h>
#include <string.h>
#include "net/dns.h"
#include "tests/unit/tcp/tcp_world.h"

int (*dns_tcp_ask)(be32 server, u8 *msg, u32 len, bool (*accept)(void *arg, const u8 *msg, u32 len),
		   void *arg);

/* --- the server --- */

static struct {
	bool silent, refuses; /* its SYN is not answered; by RST */
	u32 bytes; /* of the answer, with its length, that are sent */
	u32 piece; /* so many in a segment */
	bool ends; /* then it closes */
} server;
static u8 question[100], answer[5000];
static u32 asked, connections;
static u32 said; /* of the answer */
static struct xend x;

/* The next piece of the answer; false: all of it was said. */
static bool say_more(void)
{
	u32 n = MIN(server.piece, server.bytes - said);

	if (said == server.bytes)
		return false;
	x_say(&(struct xseg){ .sport = DNS_PORT,
			      .dport = x.dport,
			      .seq = x.seq,
			      .ack = x.ack,
			      .flags = TH_ACK | TH_PSH,
			      .wnd = 60000,
			      .data = answer + said,
			      .len = n });
	x.seq += n;
	said += n;
	if (said == server.bytes && server.ends)
		say(&x, TH_FIN | TH_ACK, x.seq++, x.ack, 0);
	return true;
}

static void serve(const struct heard *h)
{
	if (h->flags == TH_SYN) {
		connections++;
		CHECK_EQ(h->dport, DNS_PORT);
		x = (struct xend){ .sport = DNS_PORT, .dport = h->sport, .seq = 1000 };
		x.ack = h->seq + 1;
		if (server.refuses)
			say(&x, TH_RST | TH_ACK, 0, x.ack, 0);
		else if (!server.silent)
			say(&x, TH_SYN | TH_ACK, x.seq++, x.ack, 0);
		return;
	}
	if (h->seq != x.ack || !h->len)
		return;
	CHECK(asked + h->len <= sizeof(question));
	memcpy(question + asked, h->data, h->len);
	asked += h->len;
	x.ack += h->len;
	say(&x, TH_ACK, x.seq, x.ack, 0);
	if (asked > 2 && asked - 2 == ((u32)question[0] << 8 | question[1]))
		said = 0;
}

/* Who asks waits: the server hears what was said, or time goes on. */
int wait_host(s64 until)
{
	struct heard h;

	if (world.now >= until)
		return -ETIMEDOUT;
	if (x_hear(&h))
		serve(&h);
	else if (!say_more())
		world_sleep(MIN(10 * MSEC, until - world.now));
	return 0;
}

/* --- who asks --- */

static u8 got[5000];
static u32 got_len, judged;
static bool take_it;

static bool judge(void *arg, const u8 *msg, u32 len)
{
	CHECK(arg == &judged && len <= sizeof(got));
	judged++;
	memcpy(got, msg, len);
	got_len = len;
	return take_it;
}

static int ask(void)
{
	u8 msg[32] = { 0, 30, 1, 2, 3, 4 };
	int err;

	dns_tcp_init();
	asked = connections = judged = got_len = 0;
	said = server.bytes; /* nothing before it was asked */
	take_it = true;
	err = dns_tcp_ask(HOST_X, msg, sizeof(msg), judge, &judged);
	CHECK_EQ(connections, 1);
	if (asked)
		CHECK(asked == 32 && !memcmp(question, msg, 32));
	return err;
}

/* What is left of the connection goes away. */
static void end(void)
{
	struct heard h;

	while (x_hear(&h))
		;
	say(&x, TH_RST, x.seq, 0, 0);
	world_end();
	x_forget();
	memset(&server, 0, sizeof(server));
}

static void make_answer(u32 len)
{
	for (u32 i = 0; i < len; i++)
		answer[2 + i] = (u8)(i * 7);
	answer[0] = (u8)(len >> 8);
	answer[1] = (u8)len;
	server.bytes = len + 2;
	server.piece = 1460;
}

/* However it is cut into segments. */
UNIT_TEST(an_answer_comes_whole)
{
	static const u32 lens[] = { 1, 12, 600, 1460, 4096 }, pieces[] = { 1, 2, 3, 700, 1460 };

	for (u32 i = 0; i < ARRAY_SIZE(lens); i++) {
		world_begin();
		make_answer(lens[i]);
		server.piece = pieces[(i + 2) % 5];
		if (lens[i] < 100)
			server.piece = pieces[i];
		server.ends = i % 2;
		CHECK_EQ(ask(), 0);
		CHECK(judged == 1 && got_len == lens[i] && !memcmp(got, answer + 2, lens[i]));
		end();
	}
}

/* Nothing, less than was said, more than there may be, or what is no answer. */
UNIT_TEST(an_answer_that_is_none)
{
	world_begin();
	make_answer(0);
	CHECK_EQ(ask(), -EIO);
	end();
	world_begin();
	make_answer(4097);
	CHECK_EQ(ask(), -EIO);
	end();
	world_begin();
	make_answer(100);
	server.bytes = 50;
	server.ends = true;
	CHECK_EQ(ask(), -EPIPE);
	end();
	world_begin();
	server.piece = 1;
	server.bytes = 1; /* half of the length */
	server.ends = true;
	CHECK_EQ(ask(), -EPIPE);
	CHECK_EQ(judged, 0);
	end();
}

UNIT_TEST(an_answer_that_is_not_taken)
{
	u8 msg[4] = { 0, 2, 1, 2 };

	world_begin();
	make_answer(20);
	dns_tcp_init();
	asked = judged = 0;
	said = server.bytes;
	take_it = false;
	CHECK_EQ(dns_tcp_ask(HOST_X, msg, 4, judge, &judged), -EIO);
	CHECK_EQ(judged, 1);
	end();
}

/* Nobody is there, or he is silent: ten seconds for all of it. */
UNIT_TEST(a_server_that_is_not_there)
{
	s64 from;

	world_begin();
	server.refuses = true;
	from = world.now;
	CHECK_EQ(ask(), -ECONNREFUSED);
	CHECK_EQ(world.now, from);
	end();
	for (u32 i = 0; i < 3; i++) {
		world_begin();
		make_answer(100);
		server.silent = i == 0;
		server.bytes = i == 1 ? 0 : 60;
		from = world.now;
		if (i)
			CHECK_EQ(ask(), -ETIMEDOUT);
		else
			CHECK_EQ(dns_tcp_ask(HOST_X, (u8[]){ 0, 1, 9 }, 3, judge, &judged),
				 -ETIMEDOUT);
		CHECK_EQ(world.now, from + 10 * SEC);
		end();
	}
	CHECK_EQ(judged, 0);
}
