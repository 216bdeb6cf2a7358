/*
 * The border between TCP and IP: down, the way to an address and a packet; up, a packet and an
 * error. Nothing else in net/tcp knows of routes and devices, so that the rest runs on the host
 * with a wire of the test's own.
 *
 * Packets are sent with DF set, unless the user does not want it (IP_MTU_DISCOVER), so that the
 * path tells when they are too long (RFC 1191); what ICMP says of that goes up with the sequence
 * number it quotes, which the connection checks (RFC 5927). What it believes the route learns, for
 * all. Where the route is known to be too narrow the connection is told the same at once.
 */
#include <linux/errno.h>
#include <linux/icmp.h>
#include <linux/rtnetlink.h>
#include "kernel/base/errno.h"
#include "net/ip.h"
#include "net/tcp/tcp_pcb.h"
#include "net/udp.h"

/* See tcp_pcb.h. ctx: thread; sleeps: no */
int tcp_wire_route(be32 dst, struct tcp_path *path)
{
	struct route rt;
	int err;

	if (path->src && ip_addr_type(path->src) >= RTN_BROADCAST)
		path->src = 0; /* who is bound to it hears by it, but sends as itself */
	err = route_lookup(dst, path->src, path->dev, &rt);
	if (err)
		return err;
	if (rt.type == ROUTE_BROADCAST || rt.type == ROUTE_MULTICAST)
		return -ENETUNREACH;
	if (!path->src)
		path->src = rt.src;
	path->mtu = MIN(rt.mtu, IP_MAX_LEN);
	path->gso_max = IP_MAX_LEN - 40 - TCP_OPT_MAX;
	return 0;
}

/* See tcp_pcb.h. ctx: any */
bool tcp_wire_is_local(be32 addr)
{
	return ip_addr_is_local(addr);
}

/* See tcp_pcb.h. ctx: any */
bool tcp_wire_is_loopback(be32 addr)
{
	return ip_addr_is_local(addr);
}

/* See tcp_pcb.h. ctx: any */
u32 tcp_wire_ports(u32 own, u32 *low)
{
	return inet_port_range(own, low);
}

/* Whose segment @pkt is, at @ports, hears an error. As tcp_error(). */
static bool tell(const struct tcp_tx *tx, const be16 *ports, const struct net_error *e, u32 mtu)
{
	return tcp_error(tx->src, ports[0], tx->dst, ports[1],
			 (u32)net16(ports[2]) << 16 | net16(ports[3]), e->err, mtu);
}

/* Does @pkt, or each segment of it, need more than @mtu? */
static bool too_long(const struct pkt *pkt, u32 mtu)
{
	u32 len = pkt->gso_size ? (u32)(pkt->head[12] >> 4) * 4 + pkt->gso_size : pkt->len;

	return len + IP_HEADER_LEN > mtu;
}

/* See tcp_pcb.h. ctx: thread; holds: nothing; sleeps: no */
void tcp_wire_output(struct pkt *pkt)
{
	const struct tcp_tx tx = *tcp_tx(pkt);
	struct ip_out o = { .src = tx.src,
			    .dst = tx.dst,
			    .proto = IPPROTO_TCP,
			    .ttl = tx.ttl,
			    .tos = tx.tos,
			    .df = tx.df };
	struct route rt;

	pkt->cb[0] = 0;
	if (route_lookup(o.dst, o.src, tx.dev, &rt)) {
		pkt_put(pkt);
	} else if (unlikely(too_long(pkt, rt.mtu)) && (o.df || pkt->gso_size)) {
		const struct net_error e = { .err = EMSGSIZE };

		(void)tell(&tx, pkt_transport(pkt), &e, rt.mtu);
		pkt_put(pkt);
	} else {
		(void)ip_output(pkt, &rt, &o);
	}
}

static void error(struct pkt *pkt, const struct net_error *e)
{
	const struct iphdr *ip = pkt_net(pkt);
	const struct tcp_tx tx = { .src = ip->saddr, .dst = ip->daddr };
	bool big = e->type == ICMP_DEST_UNREACH && e->code == ICMP_FRAG_NEEDED;

	if (tell(&tx, pkt_transport(pkt), e, big ? MAX(e->info, 1u) : 0) && big)
		route_pmtu_update(ip->daddr, e->info);
}

NET_PROTO(tcp, .proto = IPPROTO_TCP, .input = tcp_input, .error = error);
