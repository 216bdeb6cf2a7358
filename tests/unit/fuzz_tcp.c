/*
 * libFuzzer over the real TCP: a connection with host X, whose segments, options and numbers come
 * from the input, mixed with what the user does, ICMP errors and time. Nothing may crash, loop or
 * stay behind. Numbers are relative to what the other side expects, so that they are near the
 * edges.
 */
#include <linux/errno.h>
#include <stdlib.h>
#include <string.h>
#include "tests/unit/tcp/tcp_world.h"

struct input {
	const u8 *at;
	size_t left;
};

static u8 byte(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

static u32 half(struct input *in)
{
	u32 high = byte(in);

	return high << 8 | byte(in);
}

/* What A said moves what X takes for the next numbers. */
static void hear(struct xend *x)
{
	struct heard h;

	while (x_hear(&h)) {
		if (h.flags & TH_RST)
			continue;
		x->ack = seq_max(x->ack, h.seq + h.len + !!(h.flags & (TH_SYN | TH_FIN)));
		if (h.flags & TH_ACK)
			x->seq = h.ack;
	}
}

static void segment(struct input *in, const struct xend *x)
{
	u8 opt[40], flags = byte(in), shape = byte(in);
	struct xseg s = { .sport = x->sport, .dport = x->dport, .flags = flags, .wnd = 60000 };

	s.seq = x->seq + (shape & 1 ? (u32)(s16)half(in) : 0);
	s.ack = x->ack + (shape & 2 ? (u32)(s16)half(in) : 0);
	s.len = shape & 4 ? half(in) % 1460 : 0;
	if (shape & 8)
		s.wnd = half(in);
	if (flags & TH_URG)
		s.urg = half(in);
	if (shape & 16)
		s.optlen = byte(in) % 11 * 4u;
	for (u32 i = 0; i < s.optlen; i++)
		opt[i] = byte(in);
	/* A SACK option that is well formed, around what is out. */
	if ((shape & 32) && s.optlen >= 12) {
		u32 start = x->ack - half(in), v[2] = { net32(start), net32(start + half(in)) };

		memcpy(opt, (u8[]){ 1, 1, 5, 10 }, 4);
		memcpy(opt + 4, v, 8);
	}
	s.opt = opt;
	x_say(&s);
}

static void user(struct input *in, struct xend *x)
{
	static u8 data[30000];
	int v;

	switch (byte(in) % 8) {
	case 0: (void)!put(x->p, data, half(in) % sizeof(data), byte(in) & 3); break;
	case 1: (void)!take(x->p, data, half(in) % sizeof(data), byte(in) & 7); break;
	case 2: (void)!tcp_shutdown(x->p, 1 + byte(in) % 3); break;
	case 3: world_sleep((s64)half(in) * MSEC); break;
	case 4:
		v = byte(in);
		(void)!tcp_set_option(x->p, byte(in) % 40, &v, sizeof(v));
		break;
	case 5:
		tcp_error(HOST_A, net16(x->dport), HOST_X, net16(x->sport), x->ack - half(in),
			  EHOSTUNREACH, byte(in) & 1 ? half(in) : 0);
		break;
	case 6: (void)!tcp_recv_oob(x->p, data, byte(in) & 1); break;
	default: tcp_disconnect(x->p); break;
	}
}

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t n);
int LLVMFuzzerTestOneInput(const u8 *bytes, size_t n)
{
	struct input in = { bytes, n };
	struct xend x;
	u8 how;

	world_begin();
	how = byte(&in);
	if (how & 1)
		x_open(&x, 130, how & 2 ? sack_mss : mss_only, how & 2 ? 8 : 4);
	else
		x_accept(&x, 130, how & 4 ? 0x7fffff00 : 7000, how & 2 ? sack_mss : mss_only,
			 how & 2 ? 8 : 4);
	hear(&x);
	for (u32 i = 0; i < 64 && in.left; i++) {
		if (byte(&in) & 3)
			segment(&in, &x);
		else
			user(&in, &x);
		hear(&x);
	}
	if (how & 8)
		tcp_close(x.p);
	else
		tcp_abort(x.p);
	if (x.l)
		tcp_close(x.l);
	world_end();
	x_forget();
	return 0;
}
