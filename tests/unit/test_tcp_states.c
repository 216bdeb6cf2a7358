/* unit: tests/unit/tcp/tcp_world.c tests/unit/uio.c net/pkt.c net/cksum.c net/tcp/tcp_ack.c net/tcp/tcp_cc.c net/tcp/tcp_cc_cubic.c net/tcp/tcp_cc_newreno.c net/tcp/tcp_fastopen.c net/tcp/tcp_hash.c net/tcp/tcp_input.c net/tcp/tcp_listen.c net/tcp/tcp_option.c net/tcp/tcp_output.c net/tcp/tcp_pace.c net/tcp/tcp_param.c net/tcp/tcp_pcb.c net/tcp/tcp_reass.c net/tcp/tcp_recover.c net/tcp/tcp_sack.c net/tcp/tcp_seg.c net/tcp/tcp_stat.c net/tcp/tcp_state.c net/tcp/tcp_syncookie.c net/tcp/tcp_table.c net/tcp/tcp_timer.c net/tcp/tcp_timewait.c net/tcp/tcp_user.c net/tcp/tcp_xfer.c kernel/lib/string.c kernel/lib/rbtree.c */
/* Each kind of segment in each state of a connection: the answer, and the state that follows. */
#include <linux/errno.h>
#include <stdio.h>
#include <string.h>
#include "tests/unit/tcp/tcp_world.h"

enum kind {
	SYN, /* at the next number */
	SYN_OLD, /* of before */
	SYN_ACK,
	RST_EXACT,
	RST_NEAR, /* in the window */
	RST_FAR,
	ACK_OLD, /* of what was acknowledged */
	ACK_NEXT, /* of all that was sent */
	ACK_FUTURE, /* of what was not */
	NO_ACK, /* bytes without ACK */
	DATA,
	DATA_OLD,
	DATA_FAR,
	FIN,
	KINDS
};

static void send_kind(const struct xend *x, enum kind k)
{
	switch (k) {
	case SYN: say(x, TH_SYN, x->seq, 0, 0); break;
	case SYN_OLD: say(x, TH_SYN, x->seq - 5000, 0, 0); break;
	case SYN_ACK: say(x, TH_SYN | TH_ACK, x->seq, x->ack, 0); break;
	case RST_EXACT: say(x, TH_RST, x->seq, 0, 0); break;
	case RST_NEAR: say(x, TH_RST, x->seq + 100, 0, 0); break;
	case RST_FAR: say(x, TH_RST, x->seq - 5000, 0, 0); break;
	case ACK_OLD: say(x, TH_ACK, x->seq, x->ack - 1, 0); break;
	case ACK_NEXT: say(x, TH_ACK, x->seq, x->ack, 0); break;
	case ACK_FUTURE: say(x, TH_ACK, x->seq, x->ack + 1000, 0); break;
	case NO_ACK: say(x, 0, x->seq, 0, 10); break;
	case DATA: say(x, TH_ACK, x->seq, x->ack, 10); break;
	case DATA_OLD: say(x, TH_ACK, x->seq - 20, x->ack, 10); break;
	case DATA_FAR: say(x, TH_ACK, x->seq + 10000000, x->ack, 10); break;
	case FIN: say(x, TH_FIN | TH_ACK, x->seq, x->ack, 0); break;
	default: break;
	}
}

struct search {
	const struct xend *x;
	u8 state; /* 0: there is no such connection */
};

static int look(const struct tcp_row *r, void *arg)
{
	struct search *s = arg;

	if (r->peer.port == net16(s->x->sport) && r->local.port == net16(s->x->dport))
		s->state = r->state;
	return 0;
}

static u8 state_of(const struct xend *x)
{
	struct search s = { .x = x };

	CHECK_EQ(tcp_for_each(look, &s), 0);
	return s.state;
}

/* A connection of X in @state. x.seq and x.ack are the next numbers of both. */
static void reach(struct xend *x, u8 state)
{
	struct heard h;

	world_begin();
	if (state == TCP_SYN_SENT) {
		x_connect(x, 121, 1000, &h);
		return;
	}
	if (state == TCP_LISTEN || state == TCP_SYN_RECV) {
		*x = (struct xend){ .sport = 40000, .dport = 120, .seq = 1000 };
		x->l = listen_on(HOST_A, 120, 4);
		x->ack = 5000;
		if (state == TCP_LISTEN)
			return;
		say(x, TH_SYN, x->seq - 1, 0, 0);
		CHECK(x_hear(&h));
		x->ack = h.seq + 1;
		return;
	}
	x_open(x, 120, mss_only, 4);
	if (state == TCP_CLOSE_WAIT || state == TCP_LAST_ACK) {
		say(x, TH_FIN | TH_ACK, x->seq, x->ack, 0);
		x->seq++;
	}
	if (state != TCP_ESTABLISHED && state != TCP_CLOSE_WAIT) {
		CHECK_EQ(tcp_shutdown(x->p, 2), 0);
		x->ack++;
	}
	if (state == TCP_CLOSING) {
		say(x, TH_FIN | TH_ACK, x->seq, x->ack - 1, 0);
		x->seq++;
	}
	if (state == TCP_FIN_WAIT2 || state == TCP_TIME_WAIT)
		say(x, TH_ACK, x->seq, x->ack, 0);
	if (state == TCP_TIME_WAIT) {
		say(x, TH_FIN | TH_ACK, x->seq, x->ack, 0);
		x->seq++;
	}
	x_forget();
	world_sleep(SEC / 10);
	x_forget();
	CHECK_EQ(state_of(x), state);
}

static char answer_of(const struct heard *h)
{
	if (h->flags & TH_RST)
		return 'R';
	if (h->flags & TH_SYN)
		return 'S';
	return h->flags & TH_FIN ? 'F' : 'A';
}

/*
 * Per state the kinds in order: the answer (A: ACK, R: RST, S: with SYN, F: with FIN, -: none) and
 * the state that follows, as a hexadecimal digit; 0: the connection is gone. RFC 9293, 3.10.7, with
 * RFC 5961 for RST and SYN; a half-open one does not even believe a SYN in its window.
 */
static const struct {
	u8 state;
	const char *want;
} rows[] = {
	{ TCP_LISTEN, "S3 S3 R0 -0 -0 -0 R0 R0 R0 -0 R0 R0 R0 R0" },
	{ TCP_SYN_SENT, "S3 S3 A1 -2 -2 -2 R2 -2 R2 -2 -2 -2 -2 -2" },
	{ TCP_SYN_RECV, "-3 S3 -3 -0 -3 -3 R3 -1 R3 -3 A1 S3 S3 A8" },
	{ TCP_ESTABLISHED, "A1 A1 A1 -0 A1 -1 -1 -1 A1 -1 A1 A1 A1 A8" },
	{ TCP_FIN_WAIT1, "A4 A4 A4 -0 A4 -4 -4 -5 A4 -4 A5 A4 A4 A6" },
	{ TCP_FIN_WAIT2, "A5 A5 A5 -0 A5 -5 -5 -5 A5 -5 A5 A5 A5 A6" },
	{ TCP_CLOSE_WAIT, "A8 A8 A8 -0 A8 -8 -8 -8 A8 -8 A8 A8 A8 A8" },
	{ TCP_CLOSING, "AB AB AB -0 AB -B -B -6 AB -B -6 AB AB -6" },
	{ TCP_LAST_ACK, "A9 A9 A9 -0 A9 -9 -9 -0 A9 -9 -0 A9 A9 -0" },
	{ TCP_TIME_WAIT, "A6 A6 A6 -0 -6 -6 -6 -6 -6 -6 A6 A6 A6 A6" },
};

UNIT_TEST(every_segment_in_every_state)
{
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		char got[KINDS * 3];

		for (u32 k = 0; k < KINDS; k++) {
			struct heard h;
			struct xend x;
			char answer = '-';

			reach(&x, rows[i].state);
			send_kind(&x, (enum kind)k);
			if (x_hear(&h))
				answer = answer_of(&h);
			got[3 * k] = answer;
			got[3 * k + 1] = "0123456789AB"[state_of(&x)];
			got[3 * k + 2] = k + 1 < KINDS ? ' ' : 0;
			if (x.p)
				tcp_abort(x.p);
			if (x.l)
				tcp_close(x.l);
			x_forget();
			world_end();
			x_forget();
		}
		if (strcmp(got, rows[i].want))
			fprintf(stderr, "state %u: %s\n     not %s\n", rows[i].state, got,
				rows[i].want);
		CHECK(!strcmp(got, rows[i].want));
	}
}
