/*
 * Cutting large packets for devices that cannot.
 *
 * A TCP packet that carries more than one segment (gso_size) becomes as many packets: the headers
 * are copied and put right (length, identification, sequence number; FIN and PSH in the last only,
 * CWR in the first), and each gets its checksum. A UDP one (UDP_SEGMENT) likewise becomes
 * datagrams. Linux's name for this is generic segmentation offload.
 */
#include <linux/errno.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include "kernel/lib/string.h"
#include "net/ip.h"

struct cut {
	struct netdev *dev;
	struct pkt *whole;
	u32 ip_off, th_off, data_off; /* from head */
	u32 size; /* payload of a segment */
};

static void fix_transport(struct pkt *s, const struct cut *c, u32 off, u32 n, bool last)
{
	const struct iphdr *ip = (const struct iphdr *)(s->head + c->ip_off);
	u32 len = c->data_off - c->th_off + n;
	u32 pseudo = cksum_pseudo(ip->saddr, ip->daddr, ip->protocol, len);

	if (c->whole->gso_type == PKT_GSO_TCP4) {
		struct tcphdr *th = (struct tcphdr *)(s->head + c->th_off);

		th->seq = net32(net32(th->seq) + off);
		if (!last)
			th->fin = th->psh = 0;
		if (off)
			th->cwr = 0;
		th->check = cksum_fold(pseudo);
		s->csum_off = offsetof(struct tcphdr, check);
	} else {
		struct udphdr *uh = (struct udphdr *)(s->head + c->th_off);

		uh->len = net16((u16)len);
		uh->check = cksum_fold(pseudo);
		s->csum_off = offsetof(struct udphdr, check);
	}
	s->csum = PKT_CSUM_PARTIAL;
	s->csum_start = (u16)(pkt_headroom(s) + c->th_off);
}

/* The segment with @n bytes from @off of the payload. NULL: no memory */
static struct pkt *segment(const struct cut *c, u32 index, u32 off, u32 n)
{
	struct pkt *s = pkt_alloc(PKT_HEADROOM + (-c->ip_off & 3), c->data_off + n, PMM_NOWAIT);
	struct iphdr *ip;

	if (!s)
		return NULL;
	pkt_append(s, c->data_off + n);
	memcpy(s->head, c->whole->head, c->data_off);
	pkt_copy_out(c->whole, c->data_off + off, s->head + c->data_off, n);
	s->ethertype = c->whole->ethertype;
	pkt_set_mac(s);
	s->net = (u16)(pkt_headroom(s) + c->ip_off);
	ip = (struct iphdr *)(s->head + c->ip_off);
	ip->tot_len = net16((u16)(c->data_off - c->ip_off + n));
	ip->id = net16((u16)(net16(ip->id) + index));
	ip->check = 0;
	ip->check = (u16)~cksum_fold(cksum_add(ip, ip->ihl * 4u, 0));
	fix_transport(s, c, off, n, c->data_off + off + n == c->whole->len);
	return s;
}

/* Where the headers end. False: they are not what they should be. */
static bool measure(struct cut *c)
{
	struct pkt *p = c->whole;
	u32 linear = pkt_linear_len(p);
	const struct iphdr *ip;

	c->ip_off = (u32)(p->net - pkt_headroom(p));
	if (c->ip_off + sizeof(*ip) > linear)
		return false;
	ip = (const struct iphdr *)(p->head + c->ip_off);
	c->th_off = c->ip_off + ip->ihl * 4u;
	if (p->gso_type == PKT_GSO_UDP) {
		c->data_off = c->th_off + sizeof(struct udphdr);
	} else {
		if (c->th_off + sizeof(struct tcphdr) > linear)
			return false;
		c->data_off = c->th_off + ((const struct tcphdr *)(p->head + c->th_off))->doff * 4u;
		if (ip->protocol != IPPROTO_TCP || c->data_off < c->th_off + sizeof(struct tcphdr))
			return false;
	}
	return c->data_off <= linear && c->data_off < p->len && c->size;
}

/* See netdev.h. Consumes @p. ctx: thread; sleeps: no */
int gso_xmit(struct netdev *d, struct pkt *p)
{
	struct cut c = { .dev = d, .whole = p, .size = p->gso_size };
	u32 index = 0, total;
	int err = measure(&c) ? 0 : -EINVAL;

	total = err ? 0 : p->len - c.data_off;
	for (u32 off = 0; !err && off < total; off += c.size, index++) {
		struct pkt *s = segment(&c, index, off, MIN(c.size, total - off));

		if (s)
			s->dev = d;
		err = s ? netdev_xmit_segment(d, s) : -ENOBUFS;
	}
	pkt_put(p);
	return err;
}
