/*
 * Joining what was cut: received TCP segments that follow each other become one packet before IP
 * and TCP see them, so that the way up, the acknowledgment and the waking are paid once for up to
 * 17 segments. Linux's name for this is generic receive offload.
 *
 * The worker of a device keeps, within one turn, the last packet of up to GRO_FLOWS flows. The next
 * frame of a flow is joined to it as a piece of the page it came in when nothing is lost by that:
 * the same cards; IP header without options and alike in TOS, TTL and DF, no fragment; ACK and at
 * most PSH set; the same acknowledgment, window and timestamps; the sequence number that is due; no
 * more data than the first segment had. Both checksums are looked at first. A shorter segment, or
 * PSH, ends the packet. Of acknowledgments without data a later one takes the place of an earlier
 * one when it acknowledges more: duplicates, window updates and SACK blocks are never swallowed.
 *
 * Whatever else comes for a flow is delivered behind what is held. Nothing is held while the host
 * forwards packets or a socket looks at frames: they are to be seen as they came.
 */
#include <linux/if_ether.h>
#include <linux/tcp.h>
#include "kernel/lib/string.h"
#include "net/ip.h"
#include "net/netdev.h"

#define IP_LEN 20u
#define TCP_LEN 20u
#define TCP_TS_LEN 32u /* with the usual form of timestamps */
#define FLAGS_ACK 0x10u
#define FLAGS_PSH 0x08u

/* The headers of a frame that may be joined. */
struct seen {
	struct iphdr *ip;
	struct tcphdr *th;
	u32 total; /* IP's length */
	u32 hlen; /* TCP's header */
	u32 data; /* bytes of it */
};

static u8 *flags_of(struct tcphdr *th)
{
	return (u8 *)th + 13;
}

/* Ports and addresses, as words. */
static u32 ports_of(const struct tcphdr *th)
{
	u32 v;

	memcpy(&v, th, sizeof(v));
	return v;
}

static u64 addrs_of(const struct iphdr *ip)
{
	u64 v;

	memcpy(&v, &ip->saddr, sizeof(v));
	return v;
}

/* Look at the @len bytes at @frame, of which the first @linear lie there. False: leave it alone. */
static bool look(u8 *frame, u32 linear, u32 len, struct seen *s)
{
	const struct ethhdr *eth = (const struct ethhdr *)frame;
	u8 *th;

	if (linear < ETH_HLEN + IP_LEN + TCP_LEN || eth->h_proto != net16(ETH_P_IP) ||
	    (eth->h_dest[0] & 1))
		return false;
	s->ip = (struct iphdr *)(frame + ETH_HLEN);
	if (*(const u8 *)s->ip != 0x45 || s->ip->protocol != IPPROTO_TCP ||
	    (s->ip->frag_off & ~net16(IP_DF)))
		return false;
	th = frame + ETH_HLEN + IP_LEN;
	s->th = (struct tcphdr *)th;
	s->total = net16(s->ip->tot_len);
	s->hlen = (u32)(th[12] >> 4) * 4;
	if ((th[12] & 15) || (th[13] & ~FLAGS_PSH) != FLAGS_ACK || s->total < IP_LEN + s->hlen ||
	    s->total > len - ETH_HLEN)
		return false;
	s->data = s->total - IP_LEN - s->hlen;
	if (s->hlen == TCP_LEN)
		return s->data || th[13] == FLAGS_ACK;
	return s->hlen == TCP_TS_LEN && linear >= ETH_HLEN + IP_LEN + TCP_TS_LEN &&
	       !memcmp(th + TCP_LEN, "\x01\x01\x08\x0a", 4) && (s->data || th[13] == FLAGS_ACK);
}

static bool ip_sum_ok(const struct iphdr *ip)
{
	return cksum_fold(cksum_add(ip, IP_LEN, 0)) == 0xffff;
}

/* Between the same cards? */
static bool same_link(const struct iphdr *a, const struct iphdr *b)
{
	return !memcmp((const u8 *)a - ETH_HLEN, (const u8 *)b - ETH_HLEN, 2 * ETH_ALEN);
}

static u32 pseudo_of(const struct seen *s)
{
	return cksum_pseudo(s->ip->saddr, s->ip->daddr, IPPROTO_TCP, s->total - IP_LEN);
}

static void held_headers(const struct gro_held *h, struct seen *s)
{
	s->ip = (struct iphdr *)(h->p->head + ETH_HLEN);
	s->th = (struct tcphdr *)(h->p->head + ETH_HLEN + IP_LEN);
}

/* The packet of the same flow; NULL: none. */
static struct gro_held *find(struct gro *g, const struct seen *s)
{
	for (u32 i = 0; i < g->n; i++) {
		struct seen t;

		held_headers(&g->held[i], &t);
		if (ports_of(t.th) == ports_of(s->th) && addrs_of(t.ip) == addrs_of(s->ip))
			return &g->held[i];
	}
	return NULL;
}

/* Deliver @h. Others may be held meanwhile only by the same worker, that is, not. */
static void deliver(struct gro *g, struct gro_held *h)
{
	struct pkt *p = h->p;
	struct seen t;

	if (h->segs > 1) {
		held_headers(h, &t);
		t.ip->tot_len = net16((u16)(p->len - ETH_HLEN));
		t.ip->check = 0;
		t.ip->check = (u16)~cksum_fold(cksum_add(t.ip, IP_LEN, 0));
		if (h->size) {
			p->gso_size = h->size;
			p->gso_type = PKT_GSO_TCP4;
		}
	}
	g->n--;
	memmove(h, h + 1, (size_t)((u8 *)&g->held[g->n] - (u8 *)h));
	netdev_deliver(p);
}

/* How much further @a is in its sequence than @b; as words of the wire. */
static s32 ahead(u32 a, u32 b)
{
	return (s32)(net32(a) - net32(b));
}

/* An acknowledgment @s says all that the one in @t said, and more. */
static bool says_more(const struct seen *s, const struct seen *t)
{
	const u32 *now = (const u32 *)(s->th + 1), *was = (const u32 *)(t->th + 1);

	return !s->data && t->th->seq == s->th->seq && ahead(s->th->ack_seq, t->th->ack_seq) > 0 &&
	       (s->hlen == TCP_LEN || ahead(now[1], was[1]) >= 0);
}

/* Does @s carry on what @h has? Both are of one flow. */
static bool follows(const struct gro_held *h, const struct seen *s)
{
	struct seen t;

	held_headers(h, &t);
	if (t.ip->tos != s->ip->tos || t.ip->ttl != s->ip->ttl ||
	    t.ip->frag_off != s->ip->frag_off || t.th->doff != s->th->doff ||
	    !same_link(t.ip, s->ip))
		return false;
	if (!h->size)
		return says_more(s, &t);
	return s->data && s->data <= h->size && net32(s->th->seq) == h->next &&
	       t.th->ack_seq == s->th->ack_seq && t.th->window == s->th->window &&
	       h->p->nfrags < PKT_FRAGS_MAX && h->p->len + s->data <= IP_MAX_LEN &&
	       (s->hlen == TCP_LEN || !memcmp(s->th + 1, t.th + 1, TCP_TS_LEN - TCP_LEN));
}

/* See netdev.h. */
bool gro_join(struct gro *g, struct page *page, u32 off, u32 len, bool sum_ok)
{
	u8 *frame = (u8 *)page_to_va(page) + off;
	struct gro_held *h;
	struct seen s, t;

	if (!g->n || !look(frame, len, len, &s))
		return false;
	h = find(g, &s);
	if (!h || !follows(h, &s) || !ip_sum_ok(s.ip) ||
	    (!sum_ok && cksum_fold(cksum_add(s.th, s.total - IP_LEN, pseudo_of(&s))) != 0xffff))
		return false;
	NETDEV_COUNT(h->p->dev, rx_packets, 1);
	NETDEV_COUNT(h->p->dev, rx_bytes, len);
	held_headers(h, &t);
	if (!h->size) {
		memcpy(t.th, s.th, s.hlen);
		return true;
	}
	if (!pkt_add_frag(h->p, page, off + ETH_HLEN + IP_LEN + s.hlen, s.data))
		return false;
	page_get(page);
	h->next += s.data;
	h->segs++;
	*flags_of(t.th) |= *flags_of(s.th);
	if (s.data < h->size || (*flags_of(s.th) & FLAGS_PSH))
		deliver(g, h);
	return true;
}

/* May @p be held, for others to be joined to it? */
static bool may_hold(struct pkt *p, struct seen *s)
{
	if (p->gso_size || p->csum == PKT_CSUM_PARTIAL ||
	    !look(p->head, pkt_linear_len(p), p->len, s) || !ip_sum_ok(s->ip))
		return false;
	if (p->csum == PKT_CSUM_NONE &&
	    cksum_fold(pkt_cksum(p, ETH_HLEN + IP_LEN, s->total - IP_LEN, pseudo_of(s))) != 0xffff)
		return false;
	p->csum = PKT_CSUM_OK;
	pkt_trim(p, ETH_HLEN + s->total); /* what the link padded */
	return true;
}

/* See netdev.h. */
void gro_rx(struct gro *g, struct pkt *p)
{
	struct gro_held *h;
	struct seen s;

	NETDEV_COUNT(p->dev, rx_packets, 1);
	NETDEV_COUNT(p->dev, rx_bytes, p->len);
	if (READ_ONCE(net_tap.on) || ip_conf(p->dev, IPV4_DEVCONF_FORWARDING) || !may_hold(p, &s)) {
		gro_flush(g);
		netdev_deliver(p);
		return;
	}
	h = find(g, &s);
	if (h)
		deliver(g, h);
	if (*flags_of(s.th) & FLAGS_PSH) {
		netdev_deliver(p);
		return;
	}
	if (g->n == GRO_FLOWS)
		deliver(g, &g->held[0]);
	g->held[g->n++] = (struct gro_held){
		.p = p, .next = net32(s.th->seq) + s.data, .size = (u16)s.data, .segs = 1
	};
}

/* See netdev.h. */
void gro_flush(struct gro *g)
{
	while (g->n)
		deliver(g, &g->held[0]);
}
