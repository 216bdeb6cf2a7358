/*
 * UDP (RFC 768): datagrams to and from endpoints.
 *
 * A received datagram goes to the endpoint of its port that fits best (inet_pcb.c); one to a
 * broadcast or multicast address to all that fit. Lengths and checksum are checked first. To a port
 * where nobody is, ICMP says so.
 *
 * UDP-Lite (RFC 3828) has ports of its own, and instead of the length how much of the datagram the
 * checksum covers: what is damaged behind that arrives all the same.
 */
#include <linux/errno.h>
#include <linux/icmp.h>
#include <linux/rtnetlink.h>
#include <linux/udp.h>
#include "net/inet_pcb_internal.h"

/* Count for the protocol of @table what is @c of UDP. */
static void count(enum pcb_table table, enum net_counter c)
{
	net_count(table == PCB_LITE ? c - UDP_IN_DATAGRAMS + UDPLITE_IN_DATAGRAMS : c);
}

/* Length and sum of the datagram. On success it is cut to the length it says. */
static bool datagram_ok(struct pkt *p)
{
	const struct iphdr *ip = pkt_net(p);
	const struct udphdr *h;
	u32 len;

	if (!pkt_linear(p, sizeof(*h)))
		return false;
	h = (const struct udphdr *)p->head;
	len = net16(h->len);
	if (len < sizeof(*h) || len > p->len)
		return false;
	pkt_trim(p, len);
	if (!h->check) /* the sender made none */
		return true;
	if (pkt_cksum_ok(p, cksum_pseudo(ip->saddr, ip->daddr, IPPROTO_UDP, len)))
		return true;
	net_count(UDP_IN_CSUM_ERRORS);
	return false;
}

/* The same for UDP-Lite. How much the sum covers, or 0. */
static u32 lite_covered(struct pkt *p)
{
	const struct iphdr *ip = pkt_net(p);
	u32 cover = 0, sum = cksum_pseudo(ip->saddr, ip->daddr, IPPROTO_UDPLITE, p->len);
	const struct udphdr *h;

	if (pkt_linear(p, sizeof(*h))) {
		h = (const struct udphdr *)p->head;
		cover = h->len ? net16(h->len) : p->len;
		if (cover >= sizeof(*h) && cover <= p->len && h->check &&
		    cksum_fold(pkt_cksum(p, 0, cover, sum)) == 0xffff)
			return cover;
	}
	count(PCB_LITE, UDP_IN_CSUM_ERRORS);
	return 0;
}

/* What an endpoint gets; not what is covered less than it asks for. Consumes @p. */
static void deliver(struct inet_pcb *pcb, struct pkt *p, u32 cover)
{
	int want = READ_ONCE(pcb->cover_in);

	if (unlikely(cover) && want != UDPLITE_ANY && cover < p->len + sizeof(struct udphdr) &&
	    (!want || cover < (u32)want)) {
		count(pcb->table, UDP_IN_ERRORS);
		pkt_put(p);
		return;
	}
	count(pcb->table, UDP_IN_DATAGRAMS);
	pcb->ops->input(pcb, p);
}

/* To all endpoints that fit, each its own copy. */
static void deliver_to_all(struct pkt *p, const struct pcb_key *key, u32 cover)
{
	struct inet_pcb *pcb, *next;

	pcb = inet_pcb_next(key, p, NULL);
	if (!pcb)
		count(key->table, UDP_IGNORED_MULTI);
	for (; pcb; pcb = next) {
		struct pkt *q = pkt_copy(p, 0);

		next = inet_pcb_next(key, p, pcb);
		if (q)
			deliver(pcb, q, cover);
		inet_pcb_put(pcb);
	}
	pkt_put(p);
}

/* A sound datagram; @cover: 0 but for UDP-Lite. Consumes @p. */
static void to_endpoint(struct pkt *p, enum pcb_table table, u32 cover)
{
	const struct iphdr *ip = pkt_net(p);
	const struct udphdr *h = (const struct udphdr *)p->head;
	struct pcb_key key = { table, 0, ip->daddr, ip->saddr, h->dest, h->source, p->dev, false };
	struct inet_pcb *pcb;

	pkt_pull(p, sizeof(*h));
	if (unlikely(inet_is_multicast(ip->daddr) || ip_addr_type(ip->daddr) == RTN_BROADCAST)) {
		deliver_to_all(p, &key, cover);
		return;
	}
	pcb = inet_pcb_find(&key, p);
	if (pcb) {
		deliver(pcb, p, cover);
		inet_pcb_put(pcb);
		return;
	}
	count(table, UDP_NO_PORTS);
	icmp_send_error(p, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0);
	pkt_put(p);
}

static void udp_input(struct pkt *p)
{
	if (likely(datagram_ok(p))) {
		to_endpoint(p, PCB_UDP, 0);
		return;
	}
	net_count(UDP_IN_ERRORS);
	pkt_put(p);
}

static void udplite_input(struct pkt *p)
{
	u32 cover = lite_covered(p);

	if (cover) {
		to_endpoint(p, PCB_LITE, cover);
		return;
	}
	count(PCB_LITE, UDP_IN_ERRORS);
	pkt_put(p);
}

static void udp_error(struct pkt *p, const struct net_error *e)
{
	const struct iphdr *ip = pkt_net(p);
	const struct udphdr *h = (const struct udphdr *)p->head;
	struct pcb_key key = { ip->protocol == IPPROTO_UDP ? PCB_UDP : PCB_LITE,
			       0,
			       ip->saddr,
			       ip->daddr,
			       h->source,
			       h->dest,
			       p->dev,
			       true };
	struct inet_pcb *pcb;

	pcb = inet_pcb_find(&key, NULL);
	if (!pcb)
		return;
	if (e->err == EMSGSIZE)
		route_pmtu_update(ip->daddr, e->info);
	pkt_pull(p, sizeof(*h));
	pcb->ops->error(pcb, p, e);
	inet_pcb_put(pcb);
}
NET_PROTO(udp, .proto = IPPROTO_UDP, .input = udp_input, .error = udp_error);
NET_PROTO(udplite, .proto = IPPROTO_UDPLITE, .input = udplite_input, .error = udp_error);

/* See udp.h. */
int udp_output(struct pkt *p, const struct route *rt, const struct ip_out *o, be16 lport,
	       be16 fport, bool sum)
{
	struct udphdr *h;

	if (p->len + sizeof(*h) + IP_HEADER_LEN + o->optlen > IP_MAX_LEN) {
		pkt_put(p);
		return -EMSGSIZE;
	}
	h = pkt_push(p, sizeof(*h));
	*h = (struct udphdr){ .source = lport, .dest = fport, .len = net16((u16)p->len) };
	pkt_set_transport(p);
	if (sum) {
		h->check = cksum_fold(cksum_pseudo(o->src, o->dst, IPPROTO_UDP, p->len));
		p->csum = PKT_CSUM_PARTIAL;
		p->csum_start = p->transport;
		p->csum_off = offsetof(struct udphdr, check);
	}
	net_count(UDP_OUT_DATAGRAMS);
	return ip_output(p, rt, o);
}

/* See udp.h. */
int udplite_output(struct pkt *p, const struct route *rt, const struct ip_out *o, be16 lport,
		   be16 fport, u32 cover)
{
	struct udphdr *h;
	u16 sum;

	if (p->len + sizeof(*h) + IP_HEADER_LEN + o->optlen > IP_MAX_LEN) {
		pkt_put(p);
		return -EMSGSIZE;
	}
	h = pkt_push(p, sizeof(*h));
	cover = cover && cover < p->len ? cover : p->len;
	*h = (struct udphdr){ .source = lport, .dest = fport, .len = net16((u16)cover) };
	pkt_set_transport(p);
	sum = (u16)~cksum_fold(
		pkt_cksum(p, 0, cover, cksum_pseudo(o->src, o->dst, IPPROTO_UDPLITE, p->len)));
	h->check = sum ? sum : 0xffff;
	count(PCB_LITE, UDP_OUT_DATAGRAMS);
	return ip_output(p, rt, o);
}
