/*
 * Options of the level SOL_IP: ip(7).
 *
 * Each is a word in struct inet_sock that one call stores and the packet path loads. Values are
 * ints; a single byte will do too, and comes back as one.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include "kernel/base/cred.h"
#include "kernel/base/errno.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "net/sock/inet.h"

/* See inet.h. ctx: any */
void inet_opt_int(const void *val, u32 len, int *out)
{
	if (len >= sizeof(*out))
		memcpy(out, val, sizeof(*out));
	else
		*out = len ? *(const u8 *)val : 0;
}

/* See inet.h. ctx: any */
int inet_opt_give(int v, void *val, u32 *len)
{
	if (*len > 0 && *len < sizeof(v) && v >= 0 && v <= 255) {
		*len = 1;
		*(u8 *)val = (u8)v;
		return 0;
	}
	*len = MIN(*len, (u32)sizeof(v));
	memcpy(val, &v, *len);
	return 0;
}

static bool net_admin(void)
{
	return cred_capable(current->cred, CAP_NET_ADMIN) ||
	       cred_capable(current->cred, CAP_NET_RAW);
}

static int set_recv(struct inet_sock *i, u8 bit, int v)
{
	if (v)
		__atomic_or_fetch(&i->recv, bit, __ATOMIC_RELAXED);
	else
		__atomic_and_fetch(&i->recv, (u8)~bit, __ATOMIC_RELAXED);
	return 0;
}

/* The bit of an option that is told to the receiver; 0: it is another option. */
static u8 recv_bit(int option)
{
	switch (option) {
	case IP_PKTINFO: return INET_RECV_PKTINFO;
	case IP_RECVTTL: return INET_RECV_TTL;
	case IP_RECVTOS: return INET_RECV_TOS;
	case IP_RECVOPTS: return INET_RECV_OPTS;
	case IP_RECVORIGDSTADDR: return INET_RECV_ORIGDST;
	case IP_RETOPTS: return INET_RECV_RETOPTS;
	case IP_PASSSEC: return INET_RECV_SECURITY;
	case IP_CHECKSUM: return INET_RECV_CHECKSUM;
	}
	return 0;
}

/* The field of an option that is just on or off; NULL: it is another. */
static bool *bool_field(struct inet_sock *i, int option)
{
	switch (option) {
	case IP_RECVERR: return &i->recverr;
	case IP_MULTICAST_LOOP: return &i->mc_loop;
	case IP_MULTICAST_ALL: return &i->mc_all;
	case IP_HDRINCL: return i->s.type == SOCK_RAW ? &i->hdrincl : NULL;
	case IP_FREEBIND: return &i->freebind;
	case IP_TRANSPARENT: return &i->transparent;
	case IP_BIND_ADDRESS_NO_PORT: return &i->bind_no_port;
	case IP_NODEFRAG: return i->s.type == SOCK_RAW ? &i->nodefrag : NULL;
	}
	return NULL;
}

static int set_bool(struct inet_sock *i, int option, int v)
{
	bool *field = bool_field(i, option);

	if (!field)
		return -ENOPROTOOPT;
	if (option == IP_TRANSPARENT && v && !net_admin())
		return -EPERM;
	if (option == IP_MULTICAST_ALL && v != 0 && v != 1)
		return -EINVAL;
	WRITE_ONCE(*field, v != 0);
	if (option == IP_RECVERR && !v)
		inet_errq_purge(i);
	return 0;
}

/* Options of which Linux takes no empty value for 0. */
static bool wants_value(int option)
{
	switch (option) {
	case IP_TTL:
	case IP_MINTTL:
	case IP_FREEBIND:
	case IP_TRANSPARENT:
	case IP_MULTICAST_TTL ... IP_MULTICAST_LOOP:
	case IP_MULTICAST_ALL: return true;
	}
	return false;
}

/* IP_UNICAST_IF: an index in network order. */
static int set_unicast_if(struct inet_sock *i, int v)
{
	u32 index = net32((u32)v);

	if (index && !netdev_by_index(index))
		return -EADDRNOTAVAIL;
	if (index && READ_ONCE(i->s.bound_dev) && READ_ONCE(i->s.bound_dev) != index)
		return -EINVAL;
	WRITE_ONCE(i->unicast_dev, index);
	return 0;
}

/* IP_LOCAL_PORT_RANGE: the first in the low half, the last in the high one; 0: as for all. */
static int set_ports(struct inet_sock *i, u32 v)
{
	if (v >> 16 && (v & 0xffff) > v >> 16)
		return -EINVAL;
	WRITE_ONCE(i->ports, v);
	if (inet_is_dgram(&i->s))
		WRITE_ONCE(dgram_of(&i->s)->pcb.ports, v);
	return 0;
}

/* IP_MULTICAST_IF: an address, or struct ip_mreqn. */
static int set_mc_if(struct inet_sock *i, const void *val, u32 len)
{
	struct ip_mreqn mr = { 0 };
	struct netdev *d = NULL;
	struct route rt;

	if (i->s.type == SOCK_STREAM)
		return -EINVAL;
	if (len >= sizeof(struct ip_mreq))
		memcpy(&mr, val, MIN(len, (u32)sizeof(mr)));
	else if (len >= sizeof(struct in_addr))
		memcpy(&mr.imr_address, val, sizeof(struct in_addr));
	else
		return -EINVAL;
	if (mr.imr_ifindex) {
		d = netdev_by_index((u32)mr.imr_ifindex);
	} else if (mr.imr_address.s_addr) {
		if (!ip_addr_is_local(mr.imr_address.s_addr))
			return -EADDRNOTAVAIL;
		if (!route_lookup(IP_BROADCAST, mr.imr_address.s_addr, NULL, &rt))
			d = rt.dev;
	}
	if (!d && (mr.imr_ifindex || mr.imr_address.s_addr))
		return -EADDRNOTAVAIL;
	WRITE_ONCE(i->mc_dev, d ? d->index : 0);
	WRITE_ONCE(i->mc_addr, mr.imr_address.s_addr);
	return 0;
}

/* See inet.h. ctx: thread; sleeps */
int inet_setsockopt(struct inet_sock *i, int option, const void *val, u32 len)
{
	int v;

	switch (option) {
	case IP_MULTICAST_IF: return set_mc_if(i, val, len);
	case IP_ADD_MEMBERSHIP ... MCAST_MSFILTER: return inet_mcast_set(i, option, val, len);
	case IP_OPTIONS:
		if (inet_is_dgram(&i->s))
			return inet_ipopt_set(dgram_of(&i->s), val, len);
		return len ? -EOPNOTSUPP : 0; /* connections have none */
	}
	if (len < (option == IP_UNICAST_IF ? sizeof(v) : wants_value(option)))
		return -EINVAL;
	inet_opt_int(val, len, &v);
	if (recv_bit(option))
		return set_recv(i, recv_bit(option), v);
	switch (option) {
	case IP_TTL:
		if (v != -1 && (v < 1 || v > 255))
			return -EINVAL;
		WRITE_ONCE(i->ttl, v);
		return 0;
	case IP_MULTICAST_TTL:
		if (i->s.type == SOCK_STREAM || v < -1 || v > 255)
			return -EINVAL;
		WRITE_ONCE(i->mc_ttl, v == -1 ? 1 : v);
		return 0;
	case IP_TOS:
		if (i->s.type == SOCK_STREAM) /* whose low bits are TCP's */
			v = (v & ~3) | (READ_ONCE(i->tos) & 3);
		WRITE_ONCE(i->tos, (u8)v);
		return 0;
	case IP_UNICAST_IF: return len == sizeof(v) ? set_unicast_if(i, v) : -EINVAL;
	case INET_LOCAL_PORT_RANGE: return len == sizeof(v) ? set_ports(i, (u32)v) : -EINVAL;
	case IP_ROUTER_ALERT: return i->s.type == SOCK_RAW ? -ENOPROTOOPT : -EINVAL;
	case IP_MTU_DISCOVER:
		if (v < IP_PMTUDISC_DONT || v > IP_PMTUDISC_OMIT)
			return -EINVAL;
		WRITE_ONCE(i->pmtudisc, (u8)v);
		return 0;
	case IP_MINTTL:
		if (v < 0 || v > 255)
			return -EINVAL;
		WRITE_ONCE(i->min_ttl, (u8)v);
		return 0;
	}
	return set_bool(i, option, v);
}

/* The MTU of the path of a connected socket. */
static int give_mtu(struct inet_sock *i, void *val, u32 *len)
{
	struct sock_addr a;
	struct sockaddr_in in;
	struct route rt;

	if (i->s.ops->getname(&i->s, true, &a))
		return -ENOTCONN;
	memcpy(&in, a.bytes, sizeof(in));
	if (inet_route(i, in.sin_addr.s_addr, 0, &rt))
		return -ENOTCONN;
	return inet_opt_give((int)MIN(rt.mtu, IP_MAX_LEN), val, len);
}

/* See inet.h. ctx: thread; sleeps */
int inet_getsockopt(struct inet_sock *i, int option, void *val, u32 *len)
{
	const bool *field = bool_field(i, option);
	struct in_addr a;

	if (recv_bit(option))
		return inet_opt_give((READ_ONCE(i->recv) & recv_bit(option)) != 0, val, len);
	if (field)
		return inet_opt_give(READ_ONCE(*field), val, len);
	switch (option) {
	case IP_TTL:
		return inet_opt_give(READ_ONCE(i->ttl) < 0 ? READ_ONCE(ip_default_ttl)
							   : READ_ONCE(i->ttl),
				     val, len);
	case IP_MULTICAST_TTL: return inet_opt_give(READ_ONCE(i->mc_ttl), val, len);
	case IP_TOS: return inet_opt_give(READ_ONCE(i->tos), val, len);
	case IP_MTU_DISCOVER: return inet_opt_give(READ_ONCE(i->pmtudisc), val, len);
	case IP_MINTTL: return inet_opt_give(READ_ONCE(i->min_ttl), val, len);
	case IP_MTU: return give_mtu(i, val, len);
	case IP_HDRINCL: /* of other kinds than raw */
	case IP_NODEFRAG: return inet_opt_give(0, val, len);
	case IP_UNICAST_IF: return inet_opt_give((int)net32(READ_ONCE(i->unicast_dev)), val, len);
	case INET_LOCAL_PORT_RANGE: return inet_opt_give((int)READ_ONCE(i->ports), val, len);
	case IP_MSFILTER:
	case MCAST_MSFILTER: return inet_mcast_get(i, option, val, len);
	case IP_OPTIONS:
		if (inet_is_dgram(&i->s))
			inet_ipopt_get(dgram_of(&i->s), val, len);
		else
			*len = 0;
		return 0;
	case IP_MULTICAST_IF:
		a.s_addr = READ_ONCE(i->mc_addr);
		*len = MIN(*len, (u32)sizeof(a));
		memcpy(val, &a, *len);
		return 0;
	}
	return -ENOPROTOOPT;
}
