/*
 * IPv4, receiving (RFC 791, RFC 1122 section 3.2.1).
 *
 * Each field of the header is checked before it is believed: version, lengths, checksum, addresses
 * that cannot be a source or cannot come by this device. What is to us, to a broadcast address or
 * to a group that the device is a member of is delivered, reassembled first; the rest is sent on if
 * the device forwards (net.ipv4.ip_forward), with a smaller TTL. Source routes are refused; other
 * options are checked for their lengths and otherwise ignored.
 */
#include <linux/errno.h>
#include <linux/icmp.h>
#include <linux/rtnetlink.h>
#include <linux/tcp.h>
#include "kernel/base/log.h"
#include "kernel/lib/string.h"
#include "net/ip.h"

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
	if ((inet_is_loopback(h->saddr) || inet_is_loopback(h->daddr)) &&
	    !ip_conf_max(p->dev, IPV4_DEVCONF_ROUTE_LOCALNET))
		return false;
	if (inet_is_reserved(h->saddr))
		return false;
	if (!h->saddr) /* one that has no address yet speaks to all */
		return h->daddr == IP_BROADCAST || inet_is_multicast(h->daddr);
	src = ip_addr_type(h->saddr);
	if (src == RTN_LOCAL && ip_conf_max(p->dev, IPV4_DEVCONF_ACCEPT_LOCAL))
		return true;
	return src == RTN_UNICAST && net32(h->saddr) >> 24;
}

/* rp_filter: would an answer find the way back, and if strict, by this device? RFC 3704. */
static bool path_ok(const struct pkt *p, const struct iphdr *h, int mode)
{
	struct route rt;

	if (p->looped || !h->saddr || ip_addr_is_local(h->saddr))
		return true;
	if (route_lookup(h->saddr, 0, NULL, &rt) || rt.type != ROUTE_UNICAST)
		return false;
	return mode != 1 || rt.dev == p->dev;
}

/* Does the device take the packet of @h from there? */
static bool acceptable(const struct pkt *p, const struct iphdr *h)
{
	int filter = ip_conf_max(p->dev, IPV4_DEVCONF_RP_FILTER);

	if (likely(addresses_ok(p, h) && (!filter || path_ok(p, h, filter))))
		return true;
	if (ip_conf_max(p->dev, IPV4_DEVCONF_LOG_MARTIANS)) {
		const u8 *s = (const u8 *)&h->saddr, *d = (const u8 *)&h->daddr;

		log_limited(LOG_WARN, "ipv4: martian source %u.%u.%u.%u to %u.%u.%u.%u, on dev %s",
			    s[0], s[1], s[2], s[3], d[0], d[1], d[2], d[3], p->dev->name);
	}
	return false;
}

/* One that was meant for all of the link, but is to one address (RFC 1122, 3.3.6). */
static bool is_trick(const struct pkt *p)
{
	return p->type != PKT_HOST &&
	       ip_conf_max(p->dev, IPV4_DEVCONF_DROP_UNICAST_IN_L2_MULTICAST);
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
	if (unlikely(!acceptable(p, h))) {
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
	if (unlikely(type <= RTN_LOCAL && is_trick(p)))
		drop(p, IP_IN_ADDR_ERRORS);
	else if (type == RTN_LOCAL ||
		 (p->looped && h->protocol != IPPROTO_TCP && (p->cb[0] & IP_CB_HERE)) ||
		 (type == RTN_BROADCAST && h->daddr) ||
		 (type == RTN_MULTICAST &&
		  /* Routers may ask whoever is not wanted as a source. */
		  netdev_mc_member(p->dev, h->daddr, h->protocol == IPPROTO_IGMP ? 0 : h->saddr)))
		ip_deliver(p);
	else if (type == RTN_UNICAST && p->type == PKT_HOST &&
		 ip_conf(p->dev, IPV4_DEVCONF_FORWARDING))
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

/*
 * The longest packet that @p becomes on a link. 0: it is said to be cut into segments of TCP, but
 * the header that came with it lied.
 */
static u32 longest(struct pkt *p, const struct iphdr *h)
{
	u32 hlen = h->ihl * 4u;
	const struct tcphdr *t = (const struct tcphdr *)((const u8 *)h + hlen);

	if (likely(!p->gso_size))
		return p->len;
	if (h->protocol != IPPROTO_TCP || (h->frag_off & net16(IP_MF | IP_OFFSET)) ||
	    pkt_linear_len(p) < hlen + sizeof(*t) || t->doff < 5)
		return 0;
	return MIN(p->len, hlen + t->doff * 4u + p->gso_size);
}

/* Could @src have sent to @next itself, on the link of @d? */
static bool may_redirect(const struct netdev *d, be32 src, be32 next)
{
	return ip_conf_max(d, IPV4_DEVCONF_SEND_REDIRECTS) &&
	       (ip_conf_max(d, IPV4_DEVCONF_SHARED_MEDIA) || ifaddr_same_net(d, src, next));
}

/* See ip.h. ctx: as ip_input */
void ip_forward(struct pkt *p)
{
	struct iphdr *h = pkt_net(p);
	struct route rt;
	u32 len;
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
	len = longest(p, h);
	if (unlikely(!len)) {
		net_count(IP_IN_HDR_ERRORS);
		pkt_put(p);
		return;
	}
	if (len > rt.mtu && (h->frag_off & net16(IP_DF))) {
		icmp_send_error(p, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, rt.mtu);
		pkt_put(p);
		return;
	}
	if (len > rt.mtu && p->gso_size) /* smaller segments rather than fragments of them */
		p->gso_size = len - rt.mtu < p->gso_size ? (u16)(p->gso_size - (len - rt.mtu)) : 0;
	if (rt.dev == p->dev && !(h->ihl > 5) && may_redirect(p->dev, h->saddr, rt.nexthop))
		icmp_send_error(p, ICMP_REDIRECT, ICMP_REDIR_HOST, rt.nexthop);
	decrease_ttl(h);
	net_count(IP_FORW_DATAGRAMS);
	(void)ip_output_raw(p, &rt);
}
