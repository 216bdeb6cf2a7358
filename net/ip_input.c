/*
 * IPv4, receiving (RFC 791, RFC 1122 section 3.2.1).
 *
 * Each field of the header is checked before it is believed: version, lengths, checksum, addresses
 * that cannot be a source or cannot come by this device. What is to us, to a broadcast address or
 * to a group that the device is a member of is delivered, reassembled first; the rest is sent on if
 * net.ipv4.ip_forward says so, with a smaller TTL. Source routes are refused; other options are
 * checked for their lengths and otherwise ignored.
 */
#include <linux/errno.h>
#include <linux/icmp.h>
#include <linux/rtnetlink.h>
#include "kernel/lib/string.h"
#include "net/ip.h"

int ip_forwarding; /* a */

/* See ip.h. ctx: any */
bool ip_options_ok(const u8 *opt, u32 len)
{
	for (u32 at = 0; at < len;) {
		u32 n;

		if (opt[at] == IPOPT_END)
			return true;
		if (opt[at] == IPOPT_NOOP) {
			at++;
			continue;
		}
		if (len - at < 2)
			return false;
		n = opt[at + 1];
		if (n < 2 || n > len - at)
			return false;
		if (opt[at] == IPOPT_LSRR || opt[at] == IPOPT_SSRR)
			return false;
		at += n;
	}
	return true;
}

/* The header is whole, and what it says of lengths is true. */
static bool header_ok(struct pkt *p)
{
	const struct iphdr *h;
	u32 hlen, total;

	if (!pkt_linear(p, sizeof(*h)))
		return false;
	h = (const struct iphdr *)p->head;
	hlen = h->ihl * 4u;
	total = net16(h->tot_len);
	if (h->version != 4 || hlen < sizeof(*h) || total < hlen || !pkt_linear(p, hlen))
		return false;
	h = (const struct iphdr *)p->head;
	if (cksum_fold(cksum_add(h, hlen, 0)) != 0xffff) {
		net_count(IP_EXT_InCsumErrors);
		return false;
	}
	if (total > p->len) {
		net_count(IP_EXT_InTruncatedPkts);
		return false;
	}
	pkt_trim(p, total); /* what the link padded */
	return true;
}

/* Can it have come from there? RFC 1122, 3.2.1.3. */
static bool addresses_ok(const struct pkt *p, const struct iphdr *h)
{
	u8 src;

	if (p->looped)
		return !inet_is_multicast(h->saddr);
	if (inet_is_loopback(h->saddr) || inet_is_loopback(h->daddr) || inet_is_reserved(h->saddr))
		return false;
	if (!h->saddr) /* one that has no address yet speaks to all */
		return h->daddr == IP_BROADCAST || inet_is_multicast(h->daddr);
	src = ip_addr_type(h->saddr);
	return src == RTN_UNICAST && net32(h->saddr) >> 24;
}

static void drop(struct pkt *p, enum net_counter why)
{
	net_count(why);
	pkt_put(p);
}

/* See ip.h. */
void ip_input(struct pkt *p)
{
	const struct iphdr *h;
	u8 type;

	if (unlikely(p->type == PKT_OTHERHOST)) {
		pkt_put(p);
		return;
	}
	net_count(IP_IN_RECEIVES);
	if (unlikely(!header_ok(p))) {
		drop(p, IP_IN_HDR_ERRORS);
		return;
	}
	pkt_set_net(p);
	h = pkt_net(p);
	if (unlikely(h->ihl > 5 && !ip_options_ok((const u8 *)(h + 1), h->ihl * 4u - 20))) {
		drop(p, IP_IN_HDR_ERRORS);
		return;
	}
	if (unlikely(!addresses_ok(p, h))) {
		drop(p, IP_IN_ADDR_ERRORS);
		return;
	}
	type = ip_addr_type(h->daddr);
	net_count_ip(false,
		     likely(type == RTN_LOCAL) ? IP_TO_ONE
		     : type == RTN_MULTICAST   ? IP_TO_GROUP
		     : type == RTN_BROADCAST   ? IP_TO_ALL
					       : IP_TO_ONE,
		     p->len, h->tos);
	if (type == RTN_LOCAL || (type == RTN_BROADCAST && h->daddr) ||
	    (type == RTN_MULTICAST && netdev_mc_member(p->dev, h->daddr)))
		ip_deliver(p);
	else if (type == RTN_UNICAST && READ_ONCE(ip_forwarding) && p->type == PKT_HOST)
		ip_forward(p);
	else
		drop(p, IP_IN_ADDR_ERRORS);
}

static const struct net_proto *find_proto(u8 proto)
{
	const struct net_proto *t;

	TABLE_FOREACH(net_proto, t) {
		if (t->proto == proto)
			return t;
	}
	return NULL;
}

/* See ip.h. ctx: as ip_input */
void ip_deliver(struct pkt *p)
{
	const struct net_proto *proto;
	const struct iphdr *h = pkt_net(p);
	bool taken;

	if (unlikely(h->frag_off & net16(IP_MF | IP_OFFSET))) {
		p = ip_reassemble(p);
		if (!p)
			return;
		h = pkt_net(p);
	}
	p->proto = h->protocol;
	p->ecn = h->tos & 3;
	pkt_pull(p, h->ihl * 4u);
	pkt_set_transport(p);
	taken = raw_input(p);
	proto = find_proto(p->proto);
	if (proto) {
		net_count(IP_IN_DELIVERS);
		proto->input(p);
		return;
	}
	if (!taken) {
		net_count(IP_IN_UNKNOWN_PROTOS);
		icmp_send_error(p, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, 0);
	}
	pkt_put(p);
}

/* One hop less, and the checksum in step (RFC 1624). */
static void decrease_ttl(struct iphdr *h)
{
	u32 check = (u32)h->check + net16(0x0100);

	h->check = (u16)(check + (check >= 0xffff));
	h->ttl--;
}

/* See ip.h. ctx: as ip_input */
void ip_forward(struct pkt *p)
{
	struct iphdr *h = pkt_net(p);
	struct route rt;
	int err;

	if (h->ttl <= 1) {
		net_count(IP_IN_HDR_ERRORS);
		icmp_send_error(p, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, 0);
		pkt_put(p);
		return;
	}
	err = route_lookup(h->daddr, 0, NULL, &rt);
	if (err || rt.type != ROUTE_UNICAST) {
		net_count(IP_EXT_InNoRoutes);
		icmp_send_error(p, ICMP_DEST_UNREACH,
				err == -EACCES ? ICMP_PKT_FILTERED : ICMP_NET_UNREACH, 0);
		pkt_put(p);
		return;
	}
	if (p->len > rt.mtu && (h->frag_off & net16(IP_DF)) && !p->gso_size) {
		icmp_send_error(p, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, rt.mtu);
		pkt_put(p);
		return;
	}
	decrease_ttl(h);
	net_count(IP_FORW_DATAGRAMS);
	(void)ip_output_raw(p, &rt);
}
