/*
 * AF_INET: what all its sockets share.
 *
 * socket(2) looks for a type in a table: SOCK_DGRAM for UDP and ping, SOCK_RAW for any protocol;
 * each file adds its own. Addresses are checked here, and who may bind to what. ip(7), udp(7),
 * raw(7).
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/rtnetlink.h>
#include "fs/procfs.h"
#include "kernel/base/cred.h"
#include "kernel/base/errno.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "net/sock/inet.h"

int inet_unprivileged_port = 1024;
static int nonlocal_bind; /* a */
SYSCTL_INT(ip_unprivileged_port_start, "sys/net/ipv4/ip_unprivileged_port_start",
	   &inet_unprivileged_port, 0, 65535);
SYSCTL_INT(ip_no_pmtu_disc, "sys/net/ipv4/ip_no_pmtu_disc", &ip_no_pmtu_disc, 0, 255);
SYSCTL_INT(ip_nonlocal_bind, "sys/net/ipv4/ip_nonlocal_bind", &nonlocal_bind, 0, 1);

/* See inet.h. ctx: any */
void inet_sock_init(struct inet_sock *i, const struct sock_ops *ops, int type, int protocol)
{
	socket_init(&i->s, ops, AF_INET, (u16)type, protocol);
	i->s.txrehash = true;
	i->ttl = -1;
	i->mc_ttl = 1;
	i->mc_loop = i->mc_all = true;
	i->pmtudisc = READ_ONCE(ip_no_pmtu_disc) ? IP_PMTUDISC_DONT : IP_PMTUDISC_WANT;
}

/* See inet.h. ctx: any */
int inet_addr_in(const struct sock_addr *a, struct sockaddr_in *out)
{
	if (a->len < sizeof(*out))
		return -EINVAL;
	memcpy(out, a->bytes, sizeof(*out));
	return out->sin_family == AF_INET ? 0 : -EAFNOSUPPORT;
}

/* See inet.h. ctx: any */
void inet_addr_out(struct sock_addr *out, be32 addr, be16 port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = port };

	in.sin_addr.s_addr = addr;
	memcpy(out->bytes, &in, sizeof(in));
	out->len = sizeof(in);
}

/* See inet.h. */
int inet_may_bind(const struct inet_sock *i, be32 addr, u16 port)
{
	u8 type = ip_addr_type(addr);

	if (addr && type == RTN_UNICAST && !READ_ONCE(i->freebind) && !READ_ONCE(i->transparent) &&
	    !READ_ONCE(nonlocal_bind))
		return -EADDRNOTAVAIL;
	if (port && port < (u32)READ_ONCE(inet_unprivileged_port) &&
	    !cred_capable(current->cred, CAP_NET_BIND_SERVICE))
		return -EACCES;
	return 0;
}

/* See inet.h. ctx: thread; sleeps: no */
int inet_route(struct inet_sock *i, be32 dst, be32 src, struct route *out)
{
	const struct netdev *d = netdev_bound(READ_ONCE(i->s.bound_dev));
	int err;

	if (inet_is_multicast(dst)) {
		if (!d)
			d = netdev_bound(READ_ONCE(i->mc_dev));
		if (!src)
			src = READ_ONCE(i->mc_addr);
	} else if (!d && unlikely(READ_ONCE(i->unicast_dev)) && i->s.type != SOCK_STREAM) {
		d = netdev_bound(READ_ONCE(i->unicast_dev));
	}
	err = route_lookup(dst, src, d, out);
	if (err)
		return err;
	if (out->type == ROUTE_BROADCAST && !socket_option(&i->s, SO_BROADCAST))
		return -EACCES;
	return 0;
}

/* See inet.h. ctx: any */
bool inet_df(const struct inet_sock *i, const struct route *rt, u32 len)
{
	u8 how = READ_ONCE(i->pmtudisc);

	if (how == IP_PMTUDISC_WANT)
		return len <= rt->mtu;
	return how == IP_PMTUDISC_DO || how == IP_PMTUDISC_PROBE;
}

/* See inet.h. ctx: any */
u8 inet_ttl(const struct inet_sock *i, const struct route *rt)
{
	int ttl = rt->type == ROUTE_MULTICAST ? READ_ONCE(i->mc_ttl) : READ_ONCE(i->ttl);

	return ttl < 0 ? (u8)READ_ONCE(ip_default_ttl) : (u8)ttl;
}

static int inet_create(int type, int protocol, struct socket **out)
{
	const struct inet_type *t;
	bool known = false;

	if (protocol < 0 || protocol >= IPPROTO_MAX)
		return -EINVAL;
	TABLE_FOREACH(inet_type, t) {
		if (t->type != type)
			continue;
		known = true;
		if (t->any ? !protocol : protocol && protocol != t->protocol)
			continue;
		if (!protocol && (t->protocol == IPPROTO_ICMP || t->protocol == IPPROTO_UDPLITE))
			continue;
		if (t->may && !t->may())
			return type == SOCK_RAW ? -EPERM : -EACCES;
		return t->create(type, protocol ? protocol : t->protocol, out);
	}
	return known ? -EPROTONOSUPPORT : -ESOCKTNOSUPPORT;
}
SOCK_FAMILY(inet, .family = AF_INET, .create = inet_create);
