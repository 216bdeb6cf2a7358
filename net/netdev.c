/*
 * The table of network devices, their settings, and the two ends of the packet path.
 *
 * A device is put into the table once and stays. The table is an array whose length is published
 * last, so that looking something up takes no lock. Settings change under net_config_lock.
 *
 * netdev_rx() shows the frame to AF_PACKET sockets and gives it to the link's protocol;
 * netdev_xmit() shows it too, and makes up for what the device cannot do: it completes checksums,
 * joins fragments, cuts segments.
 */
#include <linux/errno.h>
#include <linux/if_arp.h>
#include <arch/cpu.h>
#include "kernel/base/log.h"
#include "kernel/base/percpu.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/ip.h"
#include "net/netdev.h"
#include "net/udp.h"

struct mutex net_config_lock = MUTEX_INIT(net_config_lock, RANK_NET_CONFIG);
struct netdev *netdev_lo;
struct net_tap net_tap;
void (*netdev_link_fn)(const struct netdev *d, bool on);
void (*net_event_hook)(enum net_event what, const void *object, bool gone);

static struct netdev *devs[NETDEV_MAX]; /* I once counted */
static u32 ndevs; /* a: changes under net_config_lock */

/* See netdev.h. ctx: thread; sleeps */
void net_event(enum net_event what, const void *object, bool gone)
{
	if (net_event_hook)
		net_event_hook(what, object, gone);
}

/* See netdev.h. */
struct netdev *netdev_by_index(u32 index)
{
	return index - 1 < load_acquire(&ndevs) ? devs[index - 1] : NULL;
}

/* See netdev.h. */
struct netdev *netdev_next(u32 index)
{
	return netdev_by_index(index + 1);
}

/* See netdev.h. */
struct netdev *netdev_by_name(const char *name)
{
	u32 n = load_acquire(&ndevs);

	for (u32 i = 0; i < n; i++) {
		if (!strcmp(devs[i]->name, name))
			return devs[i];
	}
	return NULL;
}

/* The first free name of the form that the driver gave. */
static void choose_name(struct netdev *d)
{
	char form[IFNAMSIZ];

	if (!strchr(d->name, '%'))
		return;
	strlcpy(form, d->name, MIN(sizeof(form), (size_t)(strchr(d->name, '%') - d->name) + 1));
	for (u32 i = 0; i <= NETDEV_MAX; i++) {
		snprintf(d->name, sizeof(d->name), "%s%u", form, i);
		if (!netdev_by_name(d->name))
			return;
	}
}

/* See netdev.h. */
int netdev_register(struct netdev *d)
{
	int err = 0;

	d->stats = kcalloc(MAX_CPUS, sizeof(*d->stats), PMM_ZERO);
	if (!d->stats)
		return -ENOMEM;
	memcpy(d->perm_addr, d->addr, sizeof(d->addr));
	mutex_lock(&net_config_lock);
	if (ndevs == NETDEV_MAX) {
		err = -ENOSPC;
	} else {
		choose_name(d);
		d->index = ndevs + 1;
		devs[ndevs] = d;
		store_release(&ndevs, ndevs + 1);
		net_event(NET_LINK, d, false);
	}
	mutex_unlock(&net_config_lock);
	if (err)
		kfree(d->stats);
	return err;
}

/* See netdev.h. ctx: any */
u32 netdev_flags(const struct netdev *d)
{
	u32 flags = READ_ONCE(d->flags) & ~(IFF_PROMISC | IFF_ALLMULTI);

	if ((flags & IFF_UP) && READ_ONCE(d->carrier))
		flags |= IFF_RUNNING | IFF_LOWER_UP;
	if (READ_ONCE(d->promisc))
		flags |= IFF_PROMISC;
	if (READ_ONCE(d->allmulti))
		flags |= IFF_ALLMULTI;
	return flags;
}

static int set_up(struct netdev *d, bool up)
{
	int err = 0;

	if (up) {
		err = d->ops->open ? d->ops->open(d) : 0;
		if (err)
			return err;
		WRITE_ONCE(d->flags, d->flags | IFF_UP);
		route_dev_up(d);
		netdev_mc_up(d);
		if (d->ops->set_rx_mode)
			d->ops->set_rx_mode(d);
	} else {
		WRITE_ONCE(d->flags, d->flags & ~IFF_UP);
		route_dev_down(d);
		if (d->ops->stop)
			d->ops->stop(d);
	}
	return 0;
}

/* See netdev.h. */
int netdev_set_flags(struct netdev *d, u32 flags, u32 mask)
{
	u32 want = (d->flags & ~mask) | (flags & mask);
	u32 plain = IFF_NOARP | IFF_DEBUG | IFF_NOTRAILERS | IFF_DYNAMIC;
	int err = 0;

	mutex_assert_held(&net_config_lock);
	WRITE_ONCE(d->flags, (d->flags & ~plain) | (want & plain));
	if (((d->flags ^ want) & IFF_PROMISC) && (mask & IFF_PROMISC)) {
		WRITE_ONCE(d->flags, d->flags ^ IFF_PROMISC);
		netdev_add_promisc(d, want & IFF_PROMISC ? 1 : -1);
	}
	if (((d->flags ^ want) & IFF_ALLMULTI) && (mask & IFF_ALLMULTI)) {
		WRITE_ONCE(d->flags, d->flags ^ IFF_ALLMULTI);
		netdev_add_allmulti(d, want & IFF_ALLMULTI ? 1 : -1);
	}
	if ((d->flags ^ want) & IFF_UP)
		err = set_up(d, want & IFF_UP);
	net_event(NET_LINK, d, false);
	return err;
}

static void rx_mode(struct netdev *d)
{
	if (netdev_up(d) && d->ops->set_rx_mode)
		d->ops->set_rx_mode(d);
}

/* See netdev.h. */
void netdev_add_promisc(struct netdev *d, int n)
{
	WRITE_ONCE(d->promisc, d->promisc + (u32)n);
	rx_mode(d);
}

/* See netdev.h. */
void netdev_add_allmulti(struct netdev *d, int n)
{
	WRITE_ONCE(d->allmulti, d->allmulti + (u32)n);
	rx_mode(d);
}

/* See netdev.h. */
int netdev_set_mtu(struct netdev *d, u32 mtu)
{
	int err = 0;

	mutex_assert_held(&net_config_lock);
	if (mtu < d->mtu_min || mtu > d->mtu_max)
		return -EINVAL;
	if (d->ops->set_mtu)
		err = d->ops->set_mtu(d, mtu);
	if (err)
		return err;
	WRITE_ONCE(d->mtu, mtu);
	__atomic_add_fetch(&route_gen, 2, __ATOMIC_RELEASE);
	net_event(NET_LINK, d, false);
	return 0;
}

/* See netdev.h. */
int netdev_set_addr(struct netdev *d, const u8 *addr)
{
	int err;

	mutex_assert_held(&net_config_lock);
	if (!d->ops->set_addr)
		return -EOPNOTSUPP;
	err = d->ops->set_addr(d, addr);
	if (err)
		return err;
	memcpy(d->addr, addr, d->addr_len);
	net_event(NET_LINK, d, false);
	return 0;
}

/* See netdev.h. */
void netdev_set_carrier(struct netdev *d, bool on)
{
	mutex_lock(&net_config_lock);
	if (READ_ONCE(d->carrier) != on) {
		WRITE_ONCE(d->carrier, on);
		net_event(NET_LINK, d, false);
		if (netdev_link_fn)
			netdev_link_fn(d, on);
	}
	mutex_unlock(&net_config_lock);
}

/* See netdev.h. */
void netdev_get_stats(const struct netdev *d, struct netdev_stats *out)
{
	*out = (struct netdev_stats){ .tx_errors = READ_ONCE(d->tx_errors) };
	for (u32 i = 0; i < MAX_CPUS; i++) {
		const struct netdev_cpu_stats *s = &d->stats[i];

		out->rx_packets += READ_ONCE(s->rx_packets);
		out->rx_bytes += READ_ONCE(s->rx_bytes);
		out->tx_packets += READ_ONCE(s->tx_packets);
		out->tx_bytes += READ_ONCE(s->tx_bytes);
		out->rx_dropped += READ_ONCE(s->rx_dropped);
		out->tx_dropped += READ_ONCE(s->tx_dropped);
		out->rx_errors += READ_ONCE(s->rx_errors);
		out->multicast += READ_ONCE(s->multicast);
	}
}

/* See netdev.h. */
void netdev_rx(struct pkt *p)
{
	struct netdev *d = p->dev;

	preempt_disable();
	d->stats[cpu_id()].rx_packets++;
	d->stats[cpu_id()].rx_bytes += p->len;
	preempt_enable();
	netdev_deliver(p);
}

/* See netdev.h. */
void netdev_deliver(struct pkt *p)
{
	struct netdev *d = p->dev;

	pkt_set_mac(p);
	if (d->hw_type == ARPHRD_ETHER) {
		ether_rx(p);
		return;
	}
	p->ethertype = net16(ETH_P_IP);
	if (unlikely(READ_ONCE(net_tap.on)))
		net_tap.see(d, p);
	ip_input(p);
}

/* See netdev.h. */
int netdev_output(struct netdev *d, struct pkt *p, be32 nexthop)
{
	p->dev = d;
	if (unlikely(!netdev_up(d))) {
		pkt_put(p);
		return -ENETDOWN;
	}
	if (d->hw_type == ARPHRD_ETHER)
		return ether_output(d, p, nexthop);
	pkt_set_mac(p);
	return netdev_xmit(d, p);
}

/* A copy in one piece, for devices that take no fragments. */
static struct pkt *joined(struct pkt *p)
{
	struct pkt *q = pkt_alloc(PKT_HEADROOM, p->len, PMM_NOWAIT);

	if (q) {
		pkt_copy_out(p, 0, pkt_append(q, p->len), p->len);
		q->dev = p->dev;
	}
	pkt_put(p);
	return q;
}

/* What the device leaves to us. NULL: sent, or lost, *err says how. */
static struct pkt *prepare(struct netdev *d, struct pkt *p, int *err)
{
	if (p->gso_size && !(d->features & NETDEV_TSO)) {
		*err = gso_xmit(d, p);
		return NULL;
	}
	if (p->csum == PKT_CSUM_PARTIAL && !(d->features & NETDEV_CSUM) && !pkt_cksum_finish(p)) {
		pkt_put(p);
		*err = -EINVAL;
		return NULL;
	}
	if (p->nfrags && !(d->features & NETDEV_SG)) {
		p = joined(p);
	}
	return p;
}

/* See netdev.h. */
int netdev_xmit_segment(struct netdev *d, struct pkt *p)
{
	int err = -ENOBUFS;
	u32 len;

	if (!(d->features & NETDEV_LOOPBACK)) {
		p = prepare(d, p, &err);
		if (!p)
			return err;
	}
	len = p->len;
	err = d->ops->xmit(d, p);
	preempt_disable();
	if (likely(!err)) {
		d->stats[cpu_id()].tx_packets++;
		d->stats[cpu_id()].tx_bytes += len;
	} else {
		d->stats[cpu_id()].tx_dropped++;
	}
	preempt_enable();
	return err;
}

/* See netdev.h. */
int netdev_xmit(struct netdev *d, struct pkt *p)
{
	p->dev = d;
	if (unlikely(!netdev_up(d))) {
		pkt_put(p);
		return -ENETDOWN;
	}
	if (unlikely(READ_ONCE(net_tap.on))) {
		p->type = PKT_OUTGOING;
		net_tap.see(d, p);
	}
	if (unlikely(p->gso_type == PKT_GSO_UDP)) /* the receiver is to see datagrams */
		return gso_xmit(d, p);
	return netdev_xmit_segment(d, p);
}

/* --- counters --- */

struct net_counters {
	u64 n[NET_COUNTERS]; /* o: that CPU */
};
static PERCPU(struct net_counters, net_counters);

/* See ip.h. */
void net_count(enum net_counter c)
{
	preempt_disable();
	this_cpu(net_counters).n[c]++;
	preempt_enable();
}

/* See ip.h. */
void net_count_ip(bool out, enum ip_cast cast, u32 len, u8 tos)
{
	u64 *n;

	preempt_disable();
	n = this_cpu(net_counters).n + out;
	n[IP_EXT_InOctets] += len;
	if (unlikely(cast)) {
		n[IP_EXT_InMcastPkts + 2 * (cast - 1)]++;
		n[IP_EXT_InMcastOctets + 2 * (cast - 1)] += len;
	}
	n = this_cpu(net_counters).n;
	n[out ? IP_OUT_REQUESTS : IP_EXT_InNoECTPkts + (tos & 3)]++;
	preempt_enable();
}

/* See ip.h. ctx: any */
u64 net_counter(enum net_counter c)
{
	u64 sum = 0;

	for (u32 i = 0; i < MAX_CPUS; i++) {
		if (percpu_offset[i] || !i)
			sum += READ_ONCE(per_cpu(net_counters, i).n[c]);
	}
	return sum;
}

/* See netdev.h. */
void net_init(void)
{
	inet_pcb_tables_init();
	loopback_init();
}
