/*
 * The border between TCP and IP: down, the way to an address and a packet; up, a packet and an
 * error. Nothing else in net/tcp knows of routes and devices, so that the rest runs on the host
 * with a wire of the test's own.
 *
 * Packets are sent with DF set, so that the path tells when they are too long (RFC 1191); what ICMP
 * says of that goes up with the sequence number it quotes, which the connection checks (RFC 5927).
 */
#include <linux/errno.h>
#include <linux/icmp.h>
#include "kernel/base/errno.h"
#include "net/ip.h"
#include "net/tcp/tcp_pcb.h"
#include "net/udp.h"

/* See tcp_pcb.h. ctx: thread; sleeps: no */
int tcp_wire_route(be32 dst, struct tcp_path *path)
{
	struct route rt;
	int err = route_lookup(dst, path->src, path->dev, &rt);

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
u32 tcp_wire_ports(u32 *low)
{
	u32 high = (u32)READ_ONCE(inet_port_last);

	*low = (u32)READ_ONCE(inet_port_first);
	return high >= *low ? high - *low + 1 : 1;
}

/* See tcp_pcb.h. ctx: thread; holds: nothing; sleeps: no */
void tcp_wire_output(struct pkt *pkt)
{
	const struct tcp_tx *tx = tcp_tx(pkt);
	const struct netdev *dev = tx->dev;
	struct ip_out o = { .src = tx->src,
			    .dst = tx->dst,
			    .proto = IPPROTO_TCP,
			    .ttl = tx->ttl,
			    .tos = tx->tos,
			    .df = true };
	struct route rt;

	pkt->cb[0] = 0;
	if (route_lookup(o.dst, o.src, dev, &rt))
		pkt_put(pkt);
	else
		(void)ip_output(pkt, &rt, &o);
}

static void error(struct pkt *pkt, const struct net_error *e)
{
	const struct iphdr *ip = pkt_net(pkt);
	const be16 *port = pkt_transport(pkt);
	bool big = e->type == ICMP_DEST_UNREACH && e->code == ICMP_FRAG_NEEDED;

	tcp_error(ip->saddr, port[0], ip->daddr, port[1],
		  (u32)net16(port[2]) << 16 | net16(port[3]), e->err, e->hard,
		  big ? MAX(e->info, 68u) : 0);
}

NET_PROTO(tcp, .proto = IPPROTO_TCP, .input = tcp_input, .error = error);
