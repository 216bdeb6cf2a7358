/*
 * Settings of devices, addresses, routes and neighbours by ioctl: netdevice(7), arp(7), and the
 * SIOCADDRT of route(8).
 *
 * Any socket will do for devices, one of AF_INET or AF_PACKET for addresses, routes and neighbours.
 * What is asked of a device that it cannot do is EOPNOTSUPP, after the errors that come first for
 * everybody: memory, rights, no such device. A name may be a label ("eth0:1"), which stands for
 * one address of a device; for all else what is before the colon counts. Changes need CAP_NET_ADMIN
 * and happen under net_config_lock.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/ioctl.h>
#include <linux/route.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include "kernel/base/cred.h"
#include "kernel/base/errno.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "net/arp.h"
#include "net/sock/inet.h"

_Static_assert(sizeof(struct ifreq) == 40, "struct ifreq of 64-bit programs");

static bool is_admin(void)
{
	return cred_capable(current->cred, CAP_NET_ADMIN);
}

static be32 get_addr(const void *sockaddr)
{
	struct sockaddr_in in;

	memcpy(&in, sockaddr, sizeof(in));
	return in.sin_addr.s_addr;
}

static void put_addr(void *sockaddr, be32 addr)
{
	struct sockaddr_in in = { .sin_family = AF_INET };

	in.sin_addr.s_addr = addr;
	memcpy(sockaddr, &in, sizeof(in));
}

static struct netdev *find_dev(const char *name)
{
	char base[IFNAMSIZ];

	strlcpy(base, name, sizeof(base));
	base[strcspn(base, ":")] = '\0';
	return netdev_by_name(base);
}

/* Length of the prefix that @mask is; false: it has holes. */
static bool mask_len(be32 mask, u8 *len)
{
	for (u32 n = 0; n <= 32; n++) {
		if (inet_mask(n) == mask) {
			*len = (u8)n;
			return true;
		}
	}
	return false;
}

/* --- addresses --- */

/* The address that the label names; with a plain name the device's first. holds: net_config_lock */
static bool find_label(const struct netdev *d, const char *label, struct ifaddr *a)
{
	for (u32 n = 0; ifaddr_get(d, n, a); n++) {
		if (!strcmp(a->label, label))
			return true;
	}
	return !strchr(label, ':') && ifaddr_get(d, 0, a);
}

/* Of multicast addresses there is none: 255. */
static u8 class_prefix(be32 addr)
{
	u32 top = net32(addr) >> 24;

	if (!top || addr == IP_BROADCAST)
		return 0;
	return top < 128 ? 8 : top < 192 ? 16 : top < 224 ? 24 : top < 240 ? 255 : 32;
}

static be32 broadcast_of(const struct netdev *d, be32 addr, u8 prefix)
{
	return (d->flags & IFF_BROADCAST) && prefix < 31 ? addr | ~inet_mask(prefix) : 0;
}

/* Put @a in the place of @old (dev NULL: of nothing). holds: net_config_lock */
static int replace_addr(struct ifaddr *a, const struct ifaddr *old)
{
	if (old->dev)
		(void)ifaddr_del(old->dev, old->local, old->prefix, old->label);
	return a->local ? ifaddr_add(a) : 0;
}

static int set_address(struct netdev *d, const char *label, u32 cmd, be32 v)
{
	struct ifaddr old = { 0 }, a;

	if (!find_label(d, label, &old)) {
		old.dev = NULL;
		if (cmd != SIOCSIFADDR)
			return -EADDRNOTAVAIL;
	}
	if ((cmd == SIOCSIFADDR || cmd == SIOCSIFDSTADDR) && class_prefix(v) > 32)
		return -EINVAL;
	a = old;
	a.dev = d;
	switch (cmd) {
	case SIOCSIFADDR:
		a.local = a.peer = v;
		a.prefix = class_prefix(v);
		if (d->flags & IFF_POINTOPOINT)
			a.prefix = 32;
		a.broadcast = broadcast_of(d, v, a.prefix);
		a.scope = inet_is_loopback(v) ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
		a.flags = IFA_F_PERMANENT;
		strlcpy(a.label, label, sizeof(a.label));
		break;
	case SIOCSIFNETMASK:
		if (!mask_len(v, &a.prefix))
			return -EINVAL;
		if (old.broadcast == broadcast_of(d, old.local, old.prefix))
			a.broadcast = broadcast_of(d, a.local, a.prefix);
		break;
	case SIOCSIFBRDADDR: a.broadcast = v; break;
	case SIOCSIFDSTADDR: a.peer = v; break;
	}
	return replace_addr(&a, &old);
}

static int get_address(const struct netdev *d, struct ifreq *r, u32 cmd)
{
	struct ifaddr a;

	if (!find_label(d, r->ifr_name, &a))
		return -EADDRNOTAVAIL;
	switch (cmd) {
	case SIOCGIFADDR: put_addr(&r->ifr_addr, a.local); break;
	case SIOCGIFNETMASK: put_addr(&r->ifr_netmask, inet_mask(a.prefix)); break;
	case SIOCGIFBRDADDR: put_addr(&r->ifr_broadaddr, a.broadcast); break;
	case SIOCGIFDSTADDR: put_addr(&r->ifr_dstaddr, a.peer); break;
	}
	return 0;
}

/* --- one device --- */

static int get_dev(struct netdev *d, struct ifreq *r, u32 cmd)
{
	switch (cmd) {
	case SIOCGIFINDEX: r->ifr_ifindex = (int)d->index; return 0;
	case SIOCGIFFLAGS: r->ifr_flags = (short)netdev_flags(d); return 0;
	case SIOCGIFMTU: r->ifr_mtu = (int)d->mtu; return 0;
	case SIOCGIFMETRIC: r->ifr_metric = 0; return 0;
	case SIOCGIFTXQLEN: r->ifr_qlen = (int)d->tx_queue_len; return 0;
	case SIOCGIFMAP: memset(&r->ifr_map, 0, sizeof(r->ifr_map)); return 0;
	case SIOCGIFHWADDR:
		memset(&r->ifr_hwaddr, 0, sizeof(r->ifr_hwaddr));
		r->ifr_hwaddr.sa_family = d->shown_type;
		memcpy(r->ifr_hwaddr.sa_data, d->addr, d->addr_len);
		return 0;
	default: return get_address(d, r, cmd);
	}
}

static int set_dev(struct netdev *d, struct ifreq *r, u32 cmd)
{
	switch (cmd) {
	case SIOCSIFFLAGS:
		if (strchr(r->ifr_name, ':')) { /* down: the address goes */
			if (r->ifr_flags & IFF_UP)
				return 0;
			return ifaddr_del(d, 0, 255, r->ifr_name);
		}
		return netdev_set_flags(d, (u16)r->ifr_flags,
					IFF_UP | IFF_PROMISC | IFF_ALLMULTI | IFF_NOARP |
						IFF_DEBUG | IFF_NOTRAILERS | IFF_DYNAMIC);
	case SIOCSIFMTU: return netdev_set_mtu(d, (u32)r->ifr_mtu);
	case SIOCSIFMETRIC: return r->ifr_metric ? -EOPNOTSUPP : 0;
	case SIOCSIFTXQLEN:
		if (r->ifr_qlen < 0)
			return -EINVAL;
		d->tx_queue_len = (u32)r->ifr_qlen;
		return 0;
	case SIOCSIFHWADDR:
		if (r->ifr_hwaddr.sa_family != d->shown_type)
			return -EINVAL;
		return netdev_set_addr(d, (const u8 *)r->ifr_hwaddr.sa_data);
	default: return set_address(d, r->ifr_name, cmd, get_addr(&r->ifr_addr));
	}
}

enum kind { KIND_NONE, KIND_GET, KIND_SET, KIND_GET_ADDR, KIND_SET_ADDR, KIND_OTHER, KIND_CHANGE };

/* What is asked: KIND_OTHER and KIND_CHANGE no device here can do, the latter takes rights. */
static enum kind kind_of(u32 cmd)
{
	switch (cmd) {
	case SIOCGIFFLAGS:
	case SIOCGIFMETRIC:
	case SIOCGIFMTU:
	case SIOCGIFHWADDR:
	case SIOCGIFINDEX:
	case SIOCGIFMAP:
	case SIOCGIFTXQLEN: return KIND_GET;
	case SIOCSIFFLAGS:
	case SIOCSIFMETRIC:
	case SIOCSIFMTU:
	case SIOCSIFHWADDR:
	case SIOCSIFNAME:
	case SIOCSIFTXQLEN: return KIND_SET;
	case SIOCGIFADDR:
	case SIOCGIFDSTADDR:
	case SIOCGIFBRDADDR:
	case SIOCGIFNETMASK: return KIND_GET_ADDR;
	case SIOCSIFADDR:
	case SIOCSIFDSTADDR:
	case SIOCSIFBRDADDR:
	case SIOCSIFNETMASK: return KIND_SET_ADDR;
	case SIOCGIFSLAVE:
	case SIOCBONDSLAVEINFOQUERY:
	case SIOCBONDINFOQUERY:
	case SIOCWANDEV:
	case SIOCGHWTSTAMP: return KIND_OTHER;
	case SIOCGMIIPHY:
	case SIOCGMIIREG:
	case SIOCSMIIREG:
	case SIOCSIFMAP:
	case SIOCSIFSLAVE:
	case SIOCSIFHWBROADCAST:
	case SIOCADDMULTI:
	case SIOCDELMULTI:
	case SIOCBONDENSLAVE:
	case SIOCBONDRELEASE:
	case SIOCBONDSETHWADDR:
	case SIOCBONDCHANGEACTIVE:
	case SIOCSHWTSTAMP: return KIND_CHANGE;
	}
	return cmd - SIOCDEVPRIVATE < 16 ? KIND_OTHER : KIND_NONE;
}

static int do_dev(struct netdev *d, struct ifreq *r, u32 cmd, enum kind k)
{
	if (k == KIND_OTHER || k == KIND_CHANGE)
		return cmd == SIOCGIFSLAVE ? -EINVAL : -EOPNOTSUPP;
	if (cmd == SIOCSIFNAME) {
		r->ifr_newname[IFNAMSIZ - 1] = '\0';
		return netdev_rename(d, r->ifr_newname);
	}
	return k == KIND_SET || k == KIND_SET_ADDR ? set_dev(d, r, cmd) : get_dev(d, r, cmd);
}

static long dev_ioctl(u32 cmd, u64 arg, enum kind k)
{
	struct netdev *d;
	struct ifreq r;
	int err;

	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	if (k == KIND_NONE)
		return -ENOTTY;
	r.ifr_name[IFNAMSIZ - 1] = '\0';
	if ((k == KIND_SET || k == KIND_SET_ADDR || k == KIND_CHANGE) && !is_admin())
		return -EPERM;
	if (k == KIND_SET_ADDR && r.ifr_addr.sa_family != AF_INET)
		return -EINVAL;
	mutex_lock(&net_config_lock); /* before the search: it does not go meanwhile */
	d = find_dev(r.ifr_name);
	err = d ? do_dev(d, &r, cmd, k) : -ENODEV;
	mutex_unlock(&net_config_lock);
	if (!err && (k == KIND_GET || k == KIND_GET_ADDR) && copy_to_user(arg, &r, sizeof(r)))
		err = -EFAULT;
	return err;
}

static long name_ioctl(u64 arg)
{
	const struct netdev *d;
	struct ifreq r;

	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	d = netdev_by_index((u32)r.ifr_ifindex);
	if (!d)
		return -ENODEV;
	memcpy(r.ifr_name, d->name, IFNAMSIZ);
	return copy_to_user(arg, &r, sizeof(r)) ? -EFAULT : 0;
}

/* SIOCGIFCONF: all addresses; without a buffer, how much room they need. */
static long conf_ioctl(u64 arg)
{
	struct {
		int len;
		u64 at;
	} c;
	struct ifaddr a;
	int done = 0;
	long err = 0;

	if (copy_from_user(&c, arg, sizeof(c)))
		return -EFAULT;
	for (u32 n = 0; !err; n++) {
		struct ifreq r = { 0 };
		bool more;

		mutex_lock(&net_config_lock);
		more = ifaddr_get(NULL, n, &a);
		mutex_unlock(&net_config_lock);
		if (!more || (c.at && done + (int)sizeof(r) > c.len))
			break;
		strlcpy(r.ifr_name, a.label, sizeof(r.ifr_name));
		put_addr(&r.ifr_addr, a.local);
		if (c.at && copy_to_user(c.at + (u64)done, &r, sizeof(r)))
			err = -EFAULT;
		done += (int)sizeof(r);
	}
	c.len = done;
	if (!err && copy_to_user(arg, &c, sizeof(c)))
		err = -EFAULT;
	return err;
}

/* --- routes and neighbours --- */

static int read_route(const struct rtentry *r, struct rt_entry *out)
{
	char name[IFNAMSIZ] = { 0 };

	*out = (struct rt_entry){
		.dst = get_addr(&r->rt_dst),
		.type = r->rt_flags & RTF_REJECT ? RTN_UNREACHABLE : RTN_UNICAST,
		.protocol = RTPROT_BOOT,
		.table = RT_TABLE_MAIN,
		.metric = r->rt_metric > 0 ? (u32)r->rt_metric - 1 : 0,
		.mtu = r->rt_flags & RTF_MTU ? (u32)r->rt_mtu : 0,
	};
	if (!(r->rt_flags & RTF_HOST) && !mask_len(get_addr(&r->rt_genmask), &out->prefix))
		return -EINVAL;
	if (r->rt_flags & RTF_HOST)
		out->prefix = 32;
	if (r->rt_flags & RTF_GATEWAY)
		out->gateway = get_addr(&r->rt_gateway);
	out->scope = out->gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	if (!r->rt_dev)
		return 0;
	if (copy_from_user(name, (u64)r->rt_dev, sizeof(name) - 1))
		return -EFAULT;
	out->dev = find_dev(name);
	return out->dev ? 0 : -ENODEV;
}

static long route_ioctl(u32 cmd, u64 arg)
{
	struct rt_entry e;
	struct rtentry r;
	int err;

	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	if (!is_admin())
		return -EPERM;
	if (r.rt_dst.sa_family != AF_INET)
		return -EAFNOSUPPORT;
	err = read_route(&r, &e);
	if (err)
		return err;
	mutex_lock(&net_config_lock);
	if (cmd == SIOCADDRT) {
		err = route_add(&e, ROUTE_CREATE);
	} else {
		if (!(r.rt_flags & RTF_REJECT))
			e.type = 0;
		e.protocol = 0;
		err = route_del(&e);
	}
	mutex_unlock(&net_config_lock);
	return err;
}

/* The device of a neighbour: by name, or by the route to it. */
static struct netdev *arp_dev(struct arpreq *r, be32 addr)
{
	struct route rt;

	r->arp_dev[sizeof(r->arp_dev) - 1] = '\0';
	if (r->arp_dev[0])
		return find_dev(r->arp_dev);
	return route_lookup(addr, 0, NULL, &rt) || rt.gateway || rt.dev == netdev_lo ? NULL
										     : rt.dev;
}

static long arp_ioctl(u32 cmd, u64 arg)
{
	struct neigh_info info;
	struct netdev *d;
	struct arpreq r;
	be32 addr;

	if (cmd != SIOCGARP && !is_admin())
		return -EPERM;
	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	if (r.arp_pa.sa_family != AF_INET)
		return -EPFNOSUPPORT;
	addr = get_addr(&r.arp_pa);
	d = arp_dev(&r, addr);
	if (!d)
		return r.arp_dev[0] ? -ENODEV : -ENXIO;
	if (d->hw_type != ARPHRD_ETHER)
		return -EINVAL;
	if (cmd == SIOCDARP)
		return neigh_del(d, addr) ? -ENXIO : 0;
	if (cmd == SIOCSARP)
		return neigh_set(d, addr, r.arp_flags & ATF_PERM ? NUD_PERMANENT : NUD_STALE,
				 (const u8 *)r.arp_ha.sa_data, NEIGH_CREATE | NEIGH_REPLACE);
	if (!neigh_find(d, addr, &info))
		return -ENXIO;
	r.arp_ha.sa_family = d->hw_type;
	memcpy(r.arp_ha.sa_data, info.mac, ETH_ALEN);
	r.arp_flags = info.state & NUD_PERMANENT			      ? ATF_PERM | ATF_COM
		      : info.state & (NUD_INCOMPLETE | NUD_FAILED | NUD_NONE) ? 0
									      : ATF_COM;
	strlcpy(r.arp_dev, d->name, sizeof(r.arp_dev));
	return copy_to_user(arg, &r, sizeof(r)) ? -EFAULT : 0;
}

static long ethtool(u64 arg)
{
	struct netdev *d;
	struct ifreq r;
	u32 cmd;

	if (copy_from_user(&r, arg, sizeof(r)) ||
	    copy_from_user(&cmd, (u64)r.ifr_data, sizeof(cmd)))
		return -EFAULT;
	r.ifr_name[IFNAMSIZ - 1] = '\0';
	d = find_dev(r.ifr_name);
	return d ? ethtool_ioctl(d, (u64)r.ifr_data) : -ENODEV;
}

/* What takes a socket that knows addresses. 1: it is something else */
static long addr_ioctl(const struct socket *s, u32 cmd, u64 arg)
{
	enum kind k = kind_of(cmd);

	switch (cmd) {
	case SIOCADDRT:
	case SIOCDELRT: return route_ioctl(cmd, arg);
	case SIOCSARP:
	case SIOCGARP:
	case SIOCDARP: return arp_ioctl(cmd, arg);
	case SIOCRTMSG: return s->family == AF_INET ? -EINVAL : dev_ioctl(cmd, arg, KIND_NONE);
	case SIOCGIFPFLAGS:
	case SIOCSIFPFLAGS:
		if (s->family != AF_INET)
			break;
		return dev_ioctl(cmd, arg, KIND_NONE) == -EFAULT ? -EFAULT : -EINVAL;
	}
	return k == KIND_GET_ADDR || k == KIND_SET_ADDR ? dev_ioctl(cmd, arg, k) : 1;
}

/* See inet.h. ctx: thread; sleeps */
long inet_ioctl(struct socket *s, u32 cmd, u64 arg)
{
	enum kind k = kind_of(cmd);
	long r;

	switch (cmd) {
	case SIOCGIFBR:
	case SIOCSIFBR:
	case SIOCBRADDBR:
	case SIOCBRDELBR:
	case SIOCBRADDIF:
	case SIOCBRDELIF:
	case SIOCGIFVLAN:
	case SIOCSIFVLAN: return -ENOPKG; /* there are no bridges and no VLANs */
	case SIOCGIFNAME: return name_ioctl(arg);
	case SIOCGIFCONF: return conf_ioctl(arg);
	case SIOCETHTOOL: return ethtool(arg);
	}
	if (s->family == AF_INET || s->family == AF_PACKET) {
		r = addr_ioctl(s, cmd, arg);
		if (r != 1)
			return r;
	}
	if (k == KIND_GET_ADDR || k == KIND_SET_ADDR)
		k = KIND_NONE;
	return _IOC_TYPE(cmd) == SOCK_IOC_TYPE ? dev_ioctl(cmd, arg, k) : -ENOTTY;
}
