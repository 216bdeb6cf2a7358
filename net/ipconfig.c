/*
 * ip= of the command line: addresses from there, or by DHCP.
 *
 * The DHCP client's state machine (dhcp.c) is driven by a thread of its own, which waits for its
 * deadline, for datagrams to port 68, for word from ARP that somebody else has the address, or for
 * the link to come back. The endpoint, ARP and the device only put down what came and wake it. As
 * long as there is no address, messages go out by a route made by hand, from 0.0.0.0 to all.
 *
 * What was learnt is in .now, under net_config_lock, with which the device, its address and its
 * routes are changed.
 */
#include <linux/errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <linux/udp.h>
#include "kernel/base/bootargs.h"
#include "kernel/base/log.h"
#include "kernel/base/rand.h"
#include "kernel/base/time.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/waitq.h"
#include "net/arp.h"
#include "net/bootparam.h"
#include "net/ipconfig.h"
#include "net/udp.h"

#define QUEUE_MAX 16u
#define BOOT_WAIT (2 * NSEC_PER_SEC)

BOOTARG_WORD(ip, "ip");

char ipconfig_host[64];
static struct ipconfig now; /* net_config_lock */
static struct dhcp client; /* o: the thread's */
static struct waitq wait = WAITQ_INIT(wait), have = WAITQ_INIT(have);
static struct inet_pcb pcb; /* own locks */
static struct spinlock queue_lock = SPINLOCK_INIT(RANK_NET_QUEUE);
static struct list queue = LIST_INIT(queue); /* queue_lock: datagrams for the client */
static u32 nqueued; /* queue_lock; a to look */
static bool conflict, linked; /* a: what the thread was not told yet */

/* See ipconfig.h. */
void ipconfig_get(struct ipconfig *out)
{
	mutex_lock(&net_config_lock);
	*out = now;
	mutex_unlock(&net_config_lock);
}

/* See ipconfig.h. ctx: thread; sleeps */
int ipconfig_wait(s64 deadline)
{
	return wait_event_interruptible_timeout(&have, READ_ONCE(now.valid), deadline);
}

/* --- settings --- */

static u8 prefix_of(be32 mask)
{
	return mask ? (u8)(32 - __builtin_ctz(net32(mask))) : 0;
}

/* holds: net_config_lock */
static int add_routes(struct netdev *d, const struct dhcp_lease *l, u8 protocol)
{
	struct rt_entry r = { .gateway = l->router,
			      .dev = d,
			      .type = RTN_UNICAST,
			      .protocol = protocol,
			      .table = RT_TABLE_MAIN };

	if (!l->router)
		return 0;
	if ((l->router ^ l->addr) & l->mask)
		r.flags = RTNH_F_ONLINK;
	return route_add(&r, ROUTE_CREATE | ROUTE_REPLACE);
}

/* holds: net_config_lock */
static void set_address(struct netdev *d, const struct dhcp_lease *l, u8 protocol)
{
	struct ifaddr a = { .dev = d,
			    .local = l->addr,
			    .peer = l->addr,
			    .prefix = prefix_of(l->mask),
			    .broadcast = l->broadcast ? l->broadcast : l->addr | ~l->mask,
			    .flags = IFA_F_PERMANENT };
	int err = ifaddr_add(&a);

	if (!err || err == -EEXIST) /* -EEXIST: a lease was renewed */
		err = add_routes(d, l, protocol);
	if (err)
		log_err("ip=: %s: cannot set " IP_FMT "/%u (error %d)", d->name, IP_ARGS(l->addr),
			a.prefix, -err);
	if (l->mtu >= 576 && l->mtu < d->mtu)
		(void)netdev_set_mtu(d, l->mtu);
}

/* holds: net_config_lock */
static void drop_address(void)
{
	(void)ifaddr_del(now.dev, now.lease.addr, prefix_of(now.lease.mask), NULL);
	WRITE_ONCE(now.valid, false);
}

static void show(const char *how)
{
	log_info("%s: " IP_FMT "/%u %s, gateway " IP_FMT ", name server " IP_FMT, now.dev->name,
		 IP_ARGS(now.lease.addr), prefix_of(now.lease.mask), how, IP_ARGS(now.lease.router),
		 IP_ARGS(now.lease.dns[0]));
}

/* --- what the client asks for --- */

static void client_send(struct dhcp *c, be32 src, be32 dst, const u8 *msg, u32 len)
{
	struct ip_out o = { .src = src, .dst = dst, .proto = IPPROTO_UDP, .ttl = 64 };
	struct route rt = {
		.dev = now.dev, .nexthop = dst, .mtu = now.dev->mtu, .type = ROUTE_BROADCAST
	};
	struct pkt *p;

	if (dst != IP_BROADCAST && route_lookup(dst, src, now.dev, &rt))
		return;
	p = pkt_alloc(PKT_HEADROOM, len, 0);
	if (!p)
		return;
	memcpy(pkt_append(p, len), msg, len);
	(void)udp_output(p, &rt, &o, net16(DHCP_CLIENT_PORT), net16(DHCP_SERVER_PORT), true);
}

static void client_probe(struct dhcp *c, be32 addr)
{
	WRITE_ONCE(conflict, false);
	arp_watch(now.dev, addr, !c->has_addr);
	if (!addr)
		return;
	if (c->has_addr)
		arp_announce(now.dev, addr);
	else
		arp_probe(now.dev, addr);
}

static void client_bound(struct dhcp *c)
{
	bool fresh;

	arp_watch(now.dev, c->lease.addr, false);
	mutex_lock(&net_config_lock);
	if (now.valid && (now.lease.addr != c->lease.addr || now.lease.mask != c->lease.mask))
		drop_address();
	fresh = !now.valid;
	if (fresh)
		now.took_ms = (u32)((time_now() - c->first) / NSEC_PER_MSEC);
	now.lease = c->lease;
	set_address(now.dev, &c->lease, RTPROT_DHCP);
	WRITE_ONCE(now.valid, true);
	mutex_unlock(&net_config_lock);
	if (fresh)
		show("by DHCP");
	waitq_wake_all(&have);
}

static void client_lost(struct dhcp *c)
{
	log_warn("%s: the address " IP_FMT " is not ours any more", now.dev->name,
		 IP_ARGS(c->lease.addr));
	mutex_lock(&net_config_lock);
	if (now.valid)
		drop_address();
	mutex_unlock(&net_config_lock);
}

static u32 client_random(void)
{
	return (u32)rand_u64();
}

static const struct dhcp_ops client_ops = { client_send, client_probe, client_bound, client_lost,
					    client_random };

/* --- what comes for it --- */

static void datagram(struct inet_pcb *u, struct pkt *p)
{
	const struct udphdr *h = pkt_transport(p);
	bool take = h->source == net16(DHCP_SERVER_PORT) && p->dev == now.dev;

	spin_lock(&queue_lock);
	take = take && nqueued < QUEUE_MAX;
	if (take) {
		list_add_tail(&queue, &p->link);
		WRITE_ONCE(nqueued, nqueued + 1);
	}
	spin_unlock(&queue_lock);
	if (take)
		waitq_wake_all(&wait);
	else
		pkt_put(p);
}

static void nothing_to_do(struct inet_pcb *u)
{
}
static void no_error(struct inet_pcb *u, struct pkt *p, const struct net_error *e)
{
}
static const struct inet_pcb_ops pcb_ops = { .input = datagram,
					     .error = no_error,
					     .destroy = nothing_to_do };

static void address_in_use(void)
{
	WRITE_ONCE(conflict, true);
	waitq_wake_all(&wait);
}

static void link_changed(const struct netdev *d, bool on)
{
	if (d != now.dev || !on)
		return;
	WRITE_ONCE(linked, true);
	waitq_wake_all(&wait);
}

static bool take_datagram(void)
{
	u8 msg[1500];
	struct pkt *p = NULL;
	u32 len;

	spin_lock(&queue_lock);
	if (!list_empty(&queue)) {
		p = list_first(&queue, struct pkt, link);
		list_del(&p->link);
		WRITE_ONCE(nqueued, nqueued - 1);
	}
	spin_unlock(&queue_lock);
	if (!p)
		return false;
	len = MIN(p->len, (u32)sizeof(msg));
	pkt_copy_out(p, 0, msg, len);
	pkt_put(p);
	dhcp_input(&client, msg, len, time_now());
	return true;
}

static void tell_state(void)
{
	mutex_lock(&net_config_lock);
	now.state = dhcp_state_name(&client);
	now.sent = client.sent;
	now.received = client.received;
	now.refused = client.refused;
	now.naks = client.naks;
	now.declines = client.declines;
	mutex_unlock(&net_config_lock);
}

static void client_thread(void *arg)
{
	dhcp_start(&client, &client_ops, now.dev->addr, time_now());
	for (;;) {
		tell_state();
		(void)wait_event_interruptible_timeout(
			&wait, READ_ONCE(nqueued) || READ_ONCE(conflict) || READ_ONCE(linked),
			client.deadline);
		while (take_datagram())
			;
		if (__atomic_exchange_n(&conflict, false, __ATOMIC_ACQ_REL))
			dhcp_conflict(&client, time_now());
		if (__atomic_exchange_n(&linked, false, __ATOMIC_ACQ_REL))
			dhcp_link_up(&client, time_now());
		dhcp_run(&client, time_now());
	}
}

/* --- the start --- */

static struct netdev *choose_device(const char *name)
{
	struct netdev *d;

	if (*name)
		return netdev_by_name(name);
	for (d = netdev_next(0); d; d = netdev_next(d->index)) {
		if (!(d->flags & IFF_LOOPBACK))
			break;
	}
	return d;
}

static void start_client(void)
{
	inet_pcb_init(&pcb, &pcb_ops, PCB_UDP, IPPROTO_UDP);
	arp_watch_fn = address_in_use;
	netdev_link_fn = link_changed;
	now.by_dhcp = true;
	if (inet_pcb_bind(&pcb, 0, net16(DHCP_CLIENT_PORT)) ||
	    thread_create("dhcp", client_thread, NULL, NULL)) {
		log_err("ip=: the DHCP client cannot start");
		return;
	}
	(void)ipconfig_wait(time_now() + BOOT_WAIT);
}

static void start_static(const struct ip_param *p)
{
	struct dhcp_lease *l = &now.lease;
	u8 first = (u8)(net32(p->client) >> 24);

	*l = (struct dhcp_lease){ .addr = p->client,
				  .mask = p->mask,
				  .router = p->gateway,
				  .server = p->server,
				  .dns = { p->dns[0], p->dns[1] },
				  .ntp = { p->ntp } };
	if (!l->mask)
		l->mask = inet_mask(first < 128 ? 8 : first < 192 ? 16 : 24);
	mutex_lock(&net_config_lock);
	set_address(now.dev, l, RTPROT_BOOT);
	WRITE_ONCE(now.valid, true);
	mutex_unlock(&net_config_lock);
	show("by ip=");
}

/* See ipconfig.h. ctx: thread; sleeps */
void ipconfig_start(void)
{
	const char *text = bootargs_get("ip");
	struct ip_param p;
	int err;

	if (!text)
		return;
	if (ip_param_parse(text, &p)) {
		log_err("ip=%s: not understood", text);
		return;
	}
	strlcpy(ipconfig_host, p.host, sizeof(ipconfig_host));
	if (!p.client && !p.dhcp)
		return;
	now.dev = choose_device(p.dev);
	if (!now.dev) {
		log_err("ip=: there is no network device%s%s", *p.dev ? " " : "", p.dev);
		return;
	}
	now.asked = true;
	mutex_lock(&net_config_lock);
	(void)netdev_set_flags(netdev_lo, IFF_UP, IFF_UP);
	err = netdev_set_flags(now.dev, IFF_UP, IFF_UP);
	mutex_unlock(&net_config_lock);
	if (err)
		log_err("ip=: %s does not come up (error %d)", now.dev->name, -err);
	else if (p.client)
		start_static(&p);
	else
		start_client();
	mutex_lock(&net_config_lock);
	if (now.valid && !ipconfig_host[0])
		strlcpy(ipconfig_host, now.lease.host, sizeof(ipconfig_host));
	mutex_unlock(&net_config_lock);
}
