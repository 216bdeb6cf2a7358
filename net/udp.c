/*
 * UDP (RFC 768): datagrams to and from endpoints.
 *
 * A received datagram goes to the endpoint of its port that fits best (inet_pcb.c); one to a
 * broadcast or multicast address to all that fit. Lengths and checksum are checked first. To a port
 * where nobody is, ICMP says so.
 */
#include <linux/errno.h>
#include <linux/icmp.h>
#include <linux/rtnetlink.h>
#include <linux/udp.h>
#include "net/inet_pcb_internal.h"

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

/* To all endpoints that fit, each its own copy. */
static void deliver_to_all(struct pkt *p, const struct pcb_key *key)
{
	struct inet_pcb *pcb, *next;

	pcb = inet_pcb_next(key, p, NULL);
	if (!pcb)
		net_count(UDP_IGNORED_MULTI);
	for (; pcb; pcb = next) {
		struct pkt *q = pkt_copy(p, 0);

		next = inet_pcb_next(key, p, pcb);
		if (q) {
			net_count(UDP_IN_DATAGRAMS);
			pcb->ops->input(pcb, q);
		}
		inet_pcb_put(pcb);
	}
	pkt_put(p);
}

static void udp_input(struct pkt *p)
{
	const struct iphdr *ip = pkt_net(p);
	const struct udphdr *h;
	struct inet_pcb *pcb;
	struct pcb_key key;

	if (!datagram_ok(p)) {
		net_count(UDP_IN_ERRORS);
		pkt_put(p);
		return;
	}
	h = (const struct udphdr *)p->head;
	key =
		(struct pcb_key){ PCB_UDP, 0,	      ip->daddr, ip->saddr,
				  h->dest, h->source, p->dev,	 false };
	pkt_pull(p, sizeof(*h));
	if (unlikely(inet_is_multicast(ip->daddr) || ip_addr_type(ip->daddr) == RTN_BROADCAST)) {
		deliver_to_all(p, &key);
		return;
	}
	pcb = inet_pcb_find(&key, p);
	if (pcb) {
		net_count(UDP_IN_DATAGRAMS);
		pcb->ops->input(pcb, p);
		inet_pcb_put(pcb);
		return;
	}
	net_count(UDP_NO_PORTS);
	icmp_send_error(p, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0);
	pkt_put(p);
}

static void udp_error(struct pkt *p, const struct net_error *e)
{
	const struct iphdr *ip = pkt_net(p);
	const struct udphdr *h = (const struct udphdr *)p->head;
	struct pcb_key key = { PCB_UDP, 0, ip->saddr, ip->daddr, h->source, h->dest, p->dev, true };
	struct inet_pcb *pcb;

	pcb = inet_pcb_find(&key, NULL);
	if (!pcb)
		return;
	if (e->err == EMSGSIZE && e->info)
		route_pmtu_update(ip->daddr, e->info);
	pkt_pull(p, sizeof(*h));
	pcb->ops->error(pcb, p, e);
	inet_pcb_put(pcb);
}
NET_PROTO(udp, .proto = IPPROTO_UDP, .input = udp_input, .error = udp_error);

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
