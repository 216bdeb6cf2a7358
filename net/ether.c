/*
 * Ethernet (IEEE 802.3, as RFC 894 uses it): frames in, and the header that goes out.
 *
 * A received frame goes by its type to IP or ARP, others only to AF_PACKET sockets. Frames to other
 * stations come in when a socket made the device promiscuous; the protocols see the type and leave
 * them alone. Broadcast and multicast addresses have link addresses by rule (RFC 1112), all others
 * by ARP.
 */
#include <linux/errno.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include "kernel/lib/string.h"
#include "net/arp.h"
#include "net/ip.h"

static const u8 ether_all[ETH_ALEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/* See netdev.h. ctx: driver's probe */
void ether_setup(struct netdev *d, const u8 mac[ETH_ALEN])
{
	d->hw_type = ARPHRD_ETHER;
	d->addr_len = ETH_ALEN;
	memcpy(d->addr, mac, ETH_ALEN);
	memcpy(d->broadcast, ether_all, ETH_ALEN);
	d->flags = IFF_BROADCAST | IFF_MULTICAST;
	d->mtu = ETH_DATA_LEN;
	d->mtu_min = 68;
	d->mtu_max = MAX(d->mtu_max, (u32)ETH_DATA_LEN);
	d->tx_queue_len = 1000;
}

static enum pkt_type type_of(const struct netdev *d, const u8 *dst)
{
	if (dst[0] & 1)
		return memcmp(dst, ether_all, ETH_ALEN) ? PKT_MULTICAST : PKT_BROADCAST;
	return memcmp(dst, d->addr, ETH_ALEN) ? PKT_OTHERHOST : PKT_HOST;
}

/* See netdev.h. */
void ether_rx(struct pkt *p)
{
	const struct ethhdr *h = (const struct ethhdr *)p->head;
	struct netdev *d = p->dev;

	if (unlikely(!pkt_linear(p, ETH_HLEN))) {
		NETDEV_COUNT(d, rx_errors, 1);
		pkt_put(p);
		return;
	}
	p->type = type_of(d, h->h_dest);
	p->ethertype = h->h_proto;
	if (p->type == PKT_MULTICAST)
		NETDEV_COUNT(d, multicast, 1);
	pkt_pull(p, ETH_HLEN);
	pkt_set_net(p);
	if (unlikely(READ_ONCE(net_tap.on)))
		net_tap.see(d, p);
	if (p->ethertype == net16(ETH_P_IP))
		ip_input(p);
	else if (p->ethertype == net16(ETH_P_ARP))
		arp_input(p);
	else
		pkt_put(p);
}

/* See netdev.h. ctx: any */
bool ether_header(struct pkt *p, const u8 *dst, const u8 *src, u16 type)
{
	struct ethhdr *h;

	if (pkt_headroom(p) < ETH_HLEN)
		return false;
	h = pkt_push(p, ETH_HLEN);
	memcpy(h->h_dest, dst, ETH_ALEN);
	memcpy(h->h_source, src, ETH_ALEN);
	h->h_proto = net16(type);
	p->ethertype = h->h_proto;
	pkt_set_mac(p);
	return true;
}

/* See netdev.h. */
int ether_output(struct netdev *d, struct pkt *p, be32 nexthop)
{
	u8 dst[ETH_ALEN];
	u32 group = net32(nexthop);

	switch (ip_addr_type_dev(nexthop, d)) {
	case RTN_BROADCAST: memcpy(dst, d->broadcast, ETH_ALEN); break;
	case RTN_MULTICAST:
		memcpy(dst, "\x01\x00\x5e", 3);
		dst[3] = (u8)(group >> 16 & 0x7f);
		dst[4] = (u8)(group >> 8);
		dst[5] = (u8)group;
		break;
	default:
		if (d->flags & IFF_NOARP)
			memcpy(dst, d->broadcast, ETH_ALEN);
		else if (!arp_resolve(d, nexthop, &p, dst))
			return p ? 0 : -ENOBUFS;
	}
	if (!ether_header(p, dst, d->addr, ETH_P_IP)) {
		pkt_put(p);
		return -ENOBUFS;
	}
	return netdev_xmit(d, p);
}
