/*
 * The table of network devices, their settings, and the two ends of the packet path.
 *
 * The table is an array: a device is at the place that its index says, modulo the size, and an
 * index whose place is taken is left out. So looking something up takes no lock; who finds a device
 * that goes meanwhile has one that is down and .gone. Settings change under net_config_lock.
 *
 * netdev_rx() shows the frame to AF_PACKET sockets and gives it to the link's protocol;
 * netdev_xmit() shows it too, and makes up for what the device cannot do: it completes checksums,
 * joins fragments, cuts segments.
 */
#include <linux/errno.h>
#include <linux/if_arp.h>
#include <linux/netdevice.h>
#include <arch/cpu.h>
#include "kernel/base/log.h"
#include "kernel/base/percpu.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/arp.h"
#include "net/ip.h"
#include "net/netdev.h"
#include "net/udp.h"

struct mutex net_config_lock = MUTEX_INIT(net_config_lock, RANK_NET_CONFIG);
struct netdev *netdev_lo;
struct net_tap net_tap;
void (*netdev_stamp_fn)(struct pkt *p);
void (*netdev_link_fn)(const struct netdev *d, bool on);
void (*net_event_hook)(enum net_event what, const void *object, bool gone);

static struct netdev *devs[NETDEV_MAX]; /* a: NULL: free; changes under net_config_lock */
static u32 last_index; /* net_config_lock */

/* Linux's, but that redirects are not believed before somebody says so. */
#define IP_CONF_INITIAL                                                          \
	[IPV4_DEVCONF_SECURE_REDIRECTS] = 1, [IPV4_DEVCONF_SEND_REDIRECTS] = 1,  \
	[IPV4_DEVCONF_SHARED_MEDIA] = 1, [IPV4_DEVCONF_ARP_EVICT_NOCARRIER] = 1, \
	[IPV4_DEVCONF_IGMPV2_UNSOLICITED_REPORT_INTERVAL] = 10000,               \
	[IPV4_DEVCONF_IGMPV3_UNSOLICITED_REPORT_INTERVAL] = 1000

struct ip_conf ip_conf_all = { .v = { IP_CONF_INITIAL } };
struct ip_conf ip_conf_default = {
	.v = { IP_CONF_INITIAL, [NEIGH_REACHABLE_MS] = 30000, [NEIGH_RETRANS_MS] = 1000,
	       [NEIGH_DELAY_S] = 5, [NEIGH_ASK_ONE] = 3, [NEIGH_ASK_ALL] = 3,
	       [NEIGH_LOCK_TICKS] = 100, [NEIGH_QUEUE] = 64 }
};

/* See netdev.h. ctx: thread; sleeps */
void net_event(enum net_event what, const void *object, bool gone)
{
	if (net_event_hook)
		net_event_hook(what, object, gone);
}

/* See netdev.h. */
struct netdev *netdev_by_index(u32 index)
{
	struct netdev *d = load_acquire(&devs[(index - 1) % NETDEV_MAX]);

	return d && d->index == index ? d : NULL;
}

/* See netdev.h. */
struct netdev *netdev_bound(u32 index)
{
	static struct netdev nowhere = { .gone = true };
	struct netdev *d = index ? netdev_by_index(index) : NULL;

	return d || !index ? d : &nowhere;
}

/* See netdev.h. */
struct netdev *netdev_next(u32 index)
{
	struct netdev *next = NULL;

	for (u32 i = 0; i < NETDEV_MAX; i++) {
		struct netdev *d = load_acquire(&devs[i]);

		if (d && d->index > index && (!next || d->index < next->index))
			next = d;
	}
	return next;
}

/* See netdev.h. */
struct netdev *netdev_by_name(const char *name)
{
	for (u32 i = 0; i < NETDEV_MAX; i++) {
		struct netdev *d = load_acquire(&devs[i]);

		if (d && !strcmp(d->name, name))
			return d;
	}
	return NULL;
}

/* Settings for all devices and for new ones are beside those of each, by name. */
static bool name_ok(const char *name)
{
	if (!name[0] || strnlen(name, IFNAMSIZ) == IFNAMSIZ || !strcmp(name, ".") ||
	    !strcmp(name, "..") || !strcmp(name, "all") || !strcmp(name, "default"))
		return false;
	return !name[strcspn(name, "/: \t\n\v\f\r\xa0")];
}

/* @form with its %d filled in. 0, -EINVAL, -ENFILE */
static int number_name(const char *form, char *out)
{
	const char *at = strchr(form, '%');

	if (at[1] != 'd' || strchr(at + 1, '%'))
		return -EINVAL;
	for (u32 i = 0; i <= NETDEV_MAX; i++) {
		if (snprintf(out, IFNAMSIZ, "%.*s%u%s", (int)(at - form), form, i, at + 2) >=
		    IFNAMSIZ)
			break;
		if (!netdev_by_name(out))
			return 0;
	}
	return -ENFILE;
}

/* The name that was given, with its number if it wants one. 0, -EINVAL, -EEXIST, -ENFILE */
static int choose_name(struct netdev *d)
{
	char form[IFNAMSIZ];

	if (!name_ok(d->name))
		return -EINVAL;
	if (!strchr(d->name, '%'))
		return netdev_by_name(d->name) ? -EEXIST : 0;
	memcpy(form, d->name, sizeof(form));
	return number_name(form, d->name);
}

/* An index whose place in the table is free. 0: there is none. holds: net_config_lock */
static u32 free_index(void)
{
	for (u32 n = 0; n < NETDEV_MAX; n++) {
		last_index = last_index % 0x7fffffff + 1;
		if (!devs[(last_index - 1) % NETDEV_MAX])
			return last_index;
	}
	return 0;
}

/* See netdev.h. */
int netdev_register_locked(struct netdev *d)
{
	int err = choose_name(d);
	u32 index;

	if (err)
		return err;
	if (d->stats)
		memset(d->stats, 0, MAX_CPUS * sizeof(*d->stats));
	else
		d->stats = kcalloc(MAX_CPUS, sizeof(*d->stats), PMM_ZERO);
	if (!d->stats)
		return -ENOMEM;
	index = free_index();
	if (!index)
		return -ENOSPC;
	memcpy(d->perm_addr, d->addr, sizeof(d->addr));
	d->shown_type = d->hw_type;
	d->conf = ip_conf_default;
	d->conf.written = 0;
	if (d->flags & IFF_LOOPBACK)
		d->conf.v[IPV4_DEVCONF_NOXFRM] = d->conf.v[IPV4_DEVCONF_NOPOLICY] = 1;
	d->index = index;
	d->gone = false;
	store_release(&devs[(index - 1) % NETDEV_MAX], d);
	net_event(NET_LINK, d, false);
	return 0;
}

/* See netdev.h. ctx: thread; sleeps */
int netdev_register(struct netdev *d)
{
	int err;

	mutex_lock(&net_config_lock);
	err = netdev_register_locked(d);
	mutex_unlock(&net_config_lock);
	return err;
}

/* See netdev.h. Who reads the name without the lock may see some of both, but an end always. */
int netdev_rename(struct netdev *d, const char *name)
{
	char new[IFNAMSIZ] = "";
	int err = 0;

	mutex_assert_held(&net_config_lock);
	if (netdev_up(d))
		return -EBUSY;
	if (!strcmp(d->name, name))
		return 0;
	if (!name_ok(name))
		return -EINVAL;
	if (strchr(name, '%'))
		err = number_name(name, new);
	else if (netdev_by_name(name))
		err = -EEXIST;
	else
		strlcpy(new, name, sizeof(new));
	if (err)
		return err;
	memcpy(d->name, new, sizeof(new));
	ifaddr_dev_renamed(d);
	net_event(NET_LINK, d, false);
	return 0;
}

/* See netdev.h. Who looks at .gone does so under the lock of the table that is searched next. */
void netdev_unregister_locked(struct netdev *d)
{
	mutex_assert_held(&net_config_lock);
	WRITE_ONCE(d->gone, true);
	if (netdev_up(d))
		(void)netdev_set_flags(d, 0, IFF_UP);
	while (!ifaddr_del(d, 0, 255, NULL))
		;
	route_dev_down(d);
	netdev_mc_gone(d);
	store_release(&devs[(d->index - 1) % NETDEV_MAX], NULL);
	if (net_tap.gone)
		net_tap.gone(d);
	net_event(NET_LINK, d, true);
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

	if (up && d->gone)
		return -ENODEV;
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
	d->addr_from = NET_ADDR_SET;
	if (netdev_up(d))
		ifaddr_notify(d);
	net_event(NET_LINK, d, false);
	return 0;
}

/* See netdev.h. */
void netdev_set_carrier_locked(struct netdev *d, bool on)
{
	mutex_assert_held(&net_config_lock);
	if (READ_ONCE(d->carrier) == on)
		return;
	WRITE_ONCE(d->carrier, on);
	d->link_seen = true;
	if (netdev_by_index(d->index) != d) /* not registered: nobody knows of it */
		return;
	route_changed();
	if (!on && ip_conf(d, IPV4_DEVCONF_ARP_EVICT_NOCARRIER) &&
	    READ_ONCE(ip_conf_all.v[IPV4_DEVCONF_ARP_EVICT_NOCARRIER]))
		neigh_dev_down(d);
	net_event(NET_LINK, d, false);
	if (netdev_link_fn)
		netdev_link_fn(d, on);
}

/* See netdev.h. ctx: thread; sleeps */
void netdev_set_carrier(struct netdev *d, bool on)
{
	mutex_lock(&net_config_lock);
	netdev_set_carrier_locked(d, on);
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
	/* A frame of a packet socket, and a device without a header, says itself what it is. */
	if (unlikely(!p->ethertype) && d->hw_type != ARPHRD_NONE)
		p->ethertype = net16(ETH_P_IP);
	if (unlikely(READ_ONCE(net_tap.on)))
		net_tap.see(d, p);
	if (likely(p->ethertype == net16(ETH_P_IP)))
		ip_input(p);
	else
		pkt_put(p);
}

/* See netdev.h. What is sent by a device that is down counts as sent, as with Linux. */
int netdev_output(struct netdev *d, struct pkt *p, be32 nexthop)
{
	p->dev = d;
	if (unlikely(!netdev_up(d))) {
		pkt_put(p);
		return 0;
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
	if (unlikely(p->stamped))
		netdev_stamp_fn(p);
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
