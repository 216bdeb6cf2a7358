/*
 * IPv4, sending (RFC 791, RFC 1122 section 3.2.1; RFC 6864 on identification).
 *
 * ip_output() puts a header in front; ip_output_raw() sends one that is there. What is larger than
 * the path takes is cut, unless "do not fragment" is set. Packets to broadcast and multicast
 * addresses come to ourselves too, as they would from the wire.
 */
#include <linux/errno.h>
#include <linux/icmp.h>
#include "kernel/base/rand.h"
#include "kernel/lib/string.h"
#include "net/ip.h"
#include "net/loopback.h"

#define ID_SLOTS 64u

int ip_default_ttl = IPDEFTTL; /* a */
static u32 ids[ID_SLOTS]; /* a: identification, per destination more or less; begin at random */

/* See ip.h. */
u16 ip_next_id(be32 dst, u32 n)
{
	u32 *id = &ids[(dst ^ dst >> 16) % ID_SLOTS];

	if (unlikely(!READ_ONCE(*id)))
		WRITE_ONCE(*id, (u32)rand_u64() | 1u << 31);
	return (u16)__atomic_fetch_add(id, n, __ATOMIC_RELAXED);
}

static void set_check(struct iphdr *h)
{
	h->check = 0;
	h->check = (u16)~cksum_fold(cksum_add(h, h->ihl * 4u, 0));
}

/* Options that are not to be in every fragment become "no operation". */
static void keep_copied_options(struct iphdr *h)
{
	u8 *opt = (u8 *)(h + 1);
	u32 len = h->ihl * 4u - sizeof(*h);

	for (u32 at = 0; at < len && opt[at] != IPOPT_END;) {
		u32 n = opt[at] == IPOPT_NOOP || at + 1 >= len ? 1 : MAX(opt[at + 1], (u8)1);

		if (!(opt[at] & IPOPT_COPY))
			memset(opt + at, IPOPT_NOOP, MIN(n, len - at));
		at += n;
	}
}

/* The fragment of @p with @n bytes of payload from @off on. NULL: no memory */
static struct pkt *fragment(const struct pkt *p, u32 hlen, u32 off, u32 n)
{
	const struct iphdr *whole = (const struct iphdr *)p->head;
	struct pkt *f = pkt_alloc_len(PKT_HEADROOM + hlen, n, PMM_NOWAIT);
	bool last = hlen + off + n == p->len;
	u8 bytes[1024];
	struct iphdr *h;
	u16 where;

	if (!f)
		return NULL;
	for (u32 done = 0; done < n;) {
		u32 part = MIN(n - done, (u32)sizeof(bytes));

		pkt_copy_out(p, hlen + off + done, bytes, part);
		pkt_copy_in(f, done, bytes, part);
		done += part;
	}
	h = pkt_push(f, hlen);
	memcpy(h, whole, hlen);
	pkt_set_net(f);
	f->type = p->type;
	if (off)
		keep_copied_options(h);
	where = net16(whole->frag_off);
	where = (u16)((where & ~(u32)IP_OFFSET) | ((where & IP_OFFSET) + off / 8));
	h->frag_off = net16(last ? where : where | IP_MF);
	h->tot_len = net16((u16)(hlen + n));
	set_check(h);
	return f;
}

static int send_fragments(struct pkt *p, const struct route *rt)
{
	u32 hlen = ((const struct iphdr *)p->head)->ihl * 4u;
	u32 most = (rt->mtu - hlen) & ~7u;
	int err = pkt_cksum_finish(p) && rt->mtu >= hlen + 8 ? 0 : -EINVAL;

	for (u32 off = 0; !err && off < p->len - hlen; off += most) {
		struct pkt *f = fragment(p, hlen, off, MIN(most, p->len - hlen - off));

		if (!f) {
			err = -ENOBUFS;
			break;
		}
		net_count(IP_FRAG_CREATES);
		err = netdev_output(rt->dev, f, rt->nexthop);
	}
	net_count(err ? IP_FRAG_FAILS : IP_FRAG_OKS);
	pkt_put(p);
	return err;
}

/* What goes to all comes to us as well. */
static void loop_copy(const struct pkt *p, struct netdev *d)
{
	struct pkt *q = pkt_copy(p, PKT_HEADROOM);

	if (!q)
		return;
	q->dev = d;
	q->type = PKT_HOST;
	loopback_rx(q);
}

/* See ip.h. */
int ip_output_raw(struct pkt *p, const struct route *rt)
{
	const struct iphdr *h = (const struct iphdr *)p->head;

	net_count_ip(true,
		     likely(rt->type < ROUTE_BROADCAST) ? IP_TO_ONE
		     : rt->type == ROUTE_BROADCAST	? IP_TO_ALL
							: IP_TO_GROUP,
		     p->len, 0);
	pkt_set_net(p);
	p->ethertype = net16(ETH_P_IP);
	if (unlikely(rt->type >= ROUTE_BROADCAST) && rt->dev != netdev_lo &&
	    (rt->type == ROUTE_BROADCAST ||
	     (!(p->cb[0] & IP_CB_NO_LOOP) && netdev_mc_member(rt->dev, h->daddr, h->saddr))))
		loop_copy(p, rt->dev);
	if (unlikely(rt->type == ROUTE_MULTICAST && !h->ttl)) {
		pkt_put(p); /* to this host only */
		return 0;
	}
	if (likely(p->len <= rt->mtu || p->gso_size))
		return netdev_output(rt->dev, p, rt->nexthop);
	if (h->frag_off & net16(IP_DF)) {
		net_count(IP_FRAG_FAILS);
		pkt_put(p);
		return -EMSGSIZE;
	}
	if (unlikely(p->stamped)) {
		p->dev = rt->dev;
		netdev_stamp_fn(p);
	}
	return send_fragments(p, rt);
}

/* See ip.h. */
int ip_output(struct pkt *p, const struct route *rt, const struct ip_out *o)
{
	u32 hlen = IP_HEADER_LEN + o->optlen;
	struct iphdr *h;

	if (p->len + hlen > IP_MAX_LEN || pkt_headroom(p) < hlen) {
		pkt_put(p);
		return -EMSGSIZE;
	}
	h = pkt_push(p, hlen);
	*h = (struct iphdr){
		.version = 4,
		.ihl = (u8)(hlen / 4) & 15,
		.tos = o->tos,
		.tot_len = net16((u16)p->len),
		.id = o->df && !p->gso_size
			      ? 0
			      : net16(ip_next_id(o->dst, p->gso_size
								 ? DIV_ROUND_UP(p->len, p->gso_size)
								 : 1)),
		.frag_off = o->df ? net16(IP_DF) : 0,
		.ttl = o->ttl ? o->ttl : (u8)READ_ONCE(ip_default_ttl),
		.protocol = o->proto,
		.saddr = o->src,
		.daddr = o->dst,
	};
	if (o->optlen)
		memcpy(h + 1, o->options, o->optlen);
	set_check(h);
	p->proto = o->proto;
	return ip_output_raw(p, rt);
}
