/*
 * Segments as they are on the wire: taken apart, and made.
 *
 * Options are read once, into struct tcp_in, by the rules of RFC 9293, 3.2: an option that runs
 * over the header's end, or is shorter than its own two bytes, ends the reading; what is not known
 * is passed over by its length. Sizes that are wrong for their kind make the option as if absent.
 */
#include "kernel/lib/string.h"
#include "net/tcp/tcp_pcb.h"

#define OPT_EOL 0
#define OPT_NOP 1
#define OPT_MSS 2
#define OPT_WSCALE 3
#define OPT_SACK_OK 4
#define OPT_SACK 5
#define OPT_TS 8
#define OPT_FASTOPEN 34
#define OPT_EXP 254 /* RFC 6994: two bytes say of what; f989: fast open before it was 34 */

static u32 get32(const u8 *b)
{
	return (u32)b[0] << 24 | (u32)b[1] << 16 | (u32)b[2] << 8 | b[3];
}

static void put32(u8 *b, u32 v)
{
	b[0] = (u8)(v >> 24);
	b[1] = (u8)(v >> 16);
	b[2] = (u8)(v >> 8);
	b[3] = (u8)v;
}

static void option_sack(struct tcp_in *in, const u8 *o, u32 len)
{
	if (len < 10 || (len - 2) % 8)
		return;
	in->nsack = (u8)MIN((len - 2) / 8, (u32)TCP_SACKS);
	for (u32 i = 0; i < in->nsack; i++) {
		in->sack[i].start = get32(o + 2 + i * 8);
		in->sack[i].end = get32(o + 6 + i * 8);
	}
}

/* @left: bytes to the header's end. */
static void option(struct tcp_in *in, const u8 *o, u32 len, u32 left)
{
	bool syn = in->flags & TH_SYN;

	if (o[0] == OPT_TS && len == 10) {
		in->has_ts = true;
		in->tsval = get32(o + 2);
		in->tsecr = get32(o + 6);
	} else if (o[0] == OPT_SACK) {
		option_sack(in, o, len);
	} else if (o[0] == OPT_MSS && len == 4 && syn) {
		in->mss = (u16)(o[2] << 8 | o[3]);
	} else if (o[0] == OPT_WSCALE && len == 3 && syn) {
		in->wscale = MIN(o[2], (u8)TCP_WSCALE_MAX); /* RFC 7323, 2.3 */
	} else if (o[0] == OPT_SACK_OK && len == 2 && syn) {
		in->sack_ok = true;
	} else if (syn && (o[0] == OPT_FASTOPEN ||
			   (o[0] == OPT_EXP && len >= 4 && o[2] == 0xf9 && o[3] == 0x89))) {
		in->fo = (u8)left;
	}
}

static void options(struct tcp_in *in, const u8 *o, u32 n)
{
	static const u8 usual[4] = { OPT_NOP, OPT_NOP, OPT_TS, 10 };

	if (likely(n == TCP_TS_LEN && !memcmp(o, usual, 4))) {
		option(in, o + 2, 10, 10);
		return;
	}
	while (n && *o != OPT_EOL) {
		u32 len = *o == OPT_NOP ? 1 : n > 1 ? o[1] : 0;

		if (len > n || (*o != OPT_NOP && len < 2))
			return;
		if (*o != OPT_NOP)
			option(in, o, len, n);
		o += len;
		n -= len;
	}
}

/* See tcp_pcb.h. The header is taken off @pkt. ctx: any */
bool tcp_parse(struct tcp_in *in, struct pkt *pkt)
{
	const u8 *h;
	u32 off;

	if (!pkt_linear(pkt, TCP_HDR))
		return false;
	off = (u32)(pkt->head[12] >> 4) * 4;
	if (off < TCP_HDR || off > pkt->len || !pkt_linear(pkt, off))
		return false;
	h = pkt->head;
	in->pkt = pkt;
	in->sport = *(const be16 *)h;
	in->dport = *(const be16 *)(h + 2);
	in->seq = get32(h + 4);
	in->ack = get32(h + 8);
	in->flags = h[13];
	in->wnd = (u32)h[14] << 8 | h[15];
	in->urg = (u32)h[18] << 8 | h[19];
	in->len = pkt->len - off;
	in->end = in->seq + in->len + !!(in->flags & TH_SYN) + !!(in->flags & TH_FIN);
	in->mss = 0;
	in->wscale = 255;
	in->has_ts = in->sack_ok = false;
	in->nsack = 0;
	in->reset = false;
	in->isn = 0;
	if (off > TCP_HDR)
		options(in, h + TCP_HDR, off - TCP_HDR);
	pkt_pull(pkt, off);
	return true;
}

/*
 * The options of a SYN into @o, which has room for TCP_OPT_MAX. @wscale 255: none. Their length.
 * ctx: any
 */
u32 tcp_write_syn_options(u8 *o, u16 mss, u8 wscale, bool ts, bool sack, u32 tsval, u32 tsecr)
{
	u8 *at = o;

	*at++ = OPT_MSS;
	*at++ = 4;
	*at++ = (u8)(mss >> 8);
	*at++ = (u8)mss;
	if (ts) {
		*at++ = sack ? OPT_SACK_OK : OPT_NOP;
		*at++ = sack ? 2 : OPT_NOP;
		*at++ = OPT_TS;
		*at++ = 10;
		put32(at, tsval);
		put32(at + 4, tsecr);
		at += 8;
	} else if (sack) {
		*at++ = OPT_NOP;
		*at++ = OPT_NOP;
		*at++ = OPT_SACK_OK;
		*at++ = 2;
	}
	if (wscale != 255) {
		*at++ = OPT_NOP;
		*at++ = OPT_WSCALE;
		*at++ = 3;
		*at++ = wscale;
	}
	return (u32)(at - o);
}

/* See tcp_pcb.h. ctx: any */
struct pkt *tcp_make(const struct tcp_key *k, u32 seq, u32 ack, u8 flags, u32 wnd, const u8 *opt,
		     u32 optlen)
{
	struct pkt *pkt = pkt_alloc(PKT_HEADROOM, TCP_HDR + optlen, PMM_NOWAIT);
	u8 *h;

	if (!pkt)
		return NULL;
	h = pkt_append(pkt, TCP_HDR + optlen);
	*(be16 *)h = k->lport;
	*(be16 *)(h + 2) = k->rport;
	put32(h + 4, seq);
	put32(h + 8, ack);
	h[12] = (u8)((TCP_HDR + optlen) / 4 << 4);
	h[13] = flags;
	h[14] = (u8)(wnd >> 8);
	h[15] = (u8)wnd;
	memset(h + 16, 0, 4);
	memcpy(h + TCP_HDR, opt, optlen);
	pkt_set_transport(pkt);
	return pkt;
}

/* The sum of the pseudo header; the device, or who hands down to it, does the rest. */
static void fill_sum(struct pkt *pkt, be32 src, be32 dst)
{
	pkt->csum = PKT_CSUM_PARTIAL;
	pkt->csum_start = pkt->transport;
	pkt->csum_off = 16;
	*(u16 *)(pkt->base + pkt->transport + 16) =
		cksum_fold(cksum_pseudo(src, dst, IPPROTO_TCP, pkt->len));
}

/* See tcp_pcb.h. ctx: any */
void tcp_enqueue(struct list *outq, struct pkt *pkt, const struct tcp_key *k, u8 tos, u8 ttl,
		 bool df)
{
	fill_sum(pkt, k->laddr, k->raddr);
	*tcp_tx(pkt) = (struct tcp_tx){ k->laddr, k->raddr, tos, ttl, df, READ_ONCE(k->dev) };
	list_add_tail(outq, &pkt->link);
}

/* See tcp_pcb.h. ctx: thread; holds: nothing */
void tcp_answer_reset(const struct tcp_in *in)
{
	struct tcp_key k = {
		.laddr = in->dst, .lport = in->dport, .raddr = in->src, .rport = in->sport
	};
	bool ack = in->flags & TH_ACK;
	struct list one = LIST_INIT(one);
	struct pkt *pkt;

	if (in->flags & TH_RST)
		return;
	pkt = tcp_make(&k, ack ? in->ack : 0, ack ? 0 : in->end, ack ? TH_RST : TH_RST | TH_ACK, 0,
		       NULL, 0);
	if (!pkt)
		return;
	TCP_COUNT(OUT_RSTS);
	tcp_enqueue(&one, pkt, &k, 0, 0, true);
	list_del(&pkt->link);
	tcp_wire_output(pkt);
}
