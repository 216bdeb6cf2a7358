/*
 * SIOCETHTOOL: what ethtool(8) asks of a device by ioctl.
 *
 * ifr_data leads to a structure that begins with the number of the question; the answer goes to the
 * same place. What a device has is said by its struct netdev: there is nothing here that a driver
 * would have to implement but the counters of its queues. Link modes are unknown, as they are for a
 * card without a cable. Only the number of queues can be set; else -EOPNOTSUPP, or -EPERM without
 * CAP_NET_ADMIN. ethtool(8), linux/ethtool.h.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/ethtool.h>
#include <linux/net_tstamp.h>
#include "kernel/base/cred.h"
#include "kernel/base/uio.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "mm/slab.h"
#include "net/sock/inet.h"
#include "net/sock/netlink.h"

#define WORDS ((__ETHTOOL_LINK_MODE_MASK_NBITS + 31) / 32)

static const char stat_names[][ETH_GSTRING_LEN] = { "rx_packets", "rx_bytes",  "rx_errors",
						    "rx_dropped", "multicast", "tx_packets",
						    "tx_bytes",	  "tx_errors", "tx_dropped" };
#define STATS ARRAY_SIZE(stat_names)
/* Then those of each pair of queues: struct netdev_queue_stats. */
static const char *const queue_names[] = { "rx_queue_%u_packets", "rx_queue_%u_bytes",
					   "tx_queue_%u_packets", "tx_queue_%u_bytes" };
#define QUEUE_STATS ARRAY_SIZE(queue_names)
_Static_assert(sizeof(struct netdev_queue_stats) == QUEUE_STATS * sizeof(u64),
	       "a name for each counter");

static u32 nstats(const struct netdev *d)
{
	return d->ops->queue_stats ? STATS + d->queues_max * QUEUE_STATS : 0;
}

static long give(u64 at, const void *data, size_t n)
{
	return copy_to_user(at, data, n) ? -EFAULT : 0;
}

static long driver_info(const struct netdev *d, u64 at)
{
	struct ethtool_drvinfo i = { .cmd = ETHTOOL_GDRVINFO, .n_stats = nstats(d) };

	if (!d->driver)
		return -EOPNOTSUPP;
	strlcpy(i.driver, d->driver, sizeof(i.driver));
	strlcpy(i.version, d->version ? d->version : "1.0.0", sizeof(i.version));
	if (d->bus)
		strlcpy(i.bus_info, d->bus, sizeof(i.bus_info));
	else if (d->device && d->device->parent)
		strlcpy(i.bus_info, d->device->parent->name, sizeof(i.bus_info));
	return give(at, &i, sizeof(i));
}

static u32 speed_of(const struct netdev *d)
{
	return d->speed ? d->speed : (u32)SPEED_UNKNOWN;
}

static long link_settings_old(const struct netdev *d, u64 at)
{
	u32 speed = speed_of(d);
	struct ethtool_cmd c = { .cmd = ETHTOOL_GSET,
				 .speed = (u16)speed,
				 .speed_hi = (u16)(speed >> 16),
				 .duplex = d->speed ? DUPLEX_FULL : DUPLEX_UNKNOWN,
				 .port = d->speed ? PORT_TP : PORT_OTHER };

	return d->driver ? give(at, &c, sizeof(c)) : -EOPNOTSUPP;
}

/* Who asks with another number of words than ours is told ours, negative. */
static long link_settings(const struct netdev *d, u64 at)
{
	static const u32 masks[3 * WORDS];
	struct ethtool_link_settings s;
	s8 words;

	if (!d->driver)
		return -EOPNOTSUPP;
	if (copy_from_user(&s, at, sizeof(s)))
		return -EFAULT;
	words = s.link_mode_masks_nwords;
	memset(&s, 0, sizeof(s));
	s.cmd = ETHTOOL_GLINKSETTINGS;
	s.link_mode_masks_nwords = -WORDS;
	if (words != WORDS)
		return give(at, &s, sizeof(s));
	s.link_mode_masks_nwords = WORDS;
	s.speed = speed_of(d);
	s.duplex = d->speed ? DUPLEX_FULL : DUPLEX_UNKNOWN;
	s.port = d->speed ? PORT_TP : PORT_OTHER;
	return give(at, &s, sizeof(s)) ? -EFAULT : give(at + sizeof(s), masks, sizeof(masks));
}

static long string_set_info(const struct netdev *d, u64 at)
{
	struct ethtool_sset_info i;
	u32 n = nstats(d);

	if (copy_from_user(&i, at, sizeof(i)))
		return -EFAULT;
	i.sset_mask &= n ? 1ull << ETH_SS_STATS : 0;
	if (give(at, &i, sizeof(i)))
		return -EFAULT;
	return i.sset_mask ? give(at + sizeof(i), &n, sizeof(n)) : 0;
}

static long strings(const struct netdev *d, u64 at)
{
	struct ethtool_gstrings g;

	if (copy_from_user(&g, at, sizeof(g)))
		return -EFAULT;
	if (g.string_set != ETH_SS_STATS)
		return -EOPNOTSUPP;
	g.len = nstats(d);
	if (give(at, &g, sizeof(g)) || give(at + sizeof(g), stat_names, sizeof(stat_names)))
		return -EFAULT;
	at += sizeof(g) + sizeof(stat_names);
	for (u32 i = 0; i < g.len - STATS; i++, at += ETH_GSTRING_LEN) {
		char name[ETH_GSTRING_LEN] = "";

		snprintf(name, sizeof(name), queue_names[i % QUEUE_STATS], i / QUEUE_STATS);
		if (give(at, name, sizeof(name)))
			return -EFAULT;
	}
	return 0;
}

static long statistics(const struct netdev *d, u64 at)
{
	struct netdev_stats s;
	struct ethtool_stats head = { ETHTOOL_GSTATS, nstats(d) };

	netdev_get_stats(d, &s);
	if (give(at, &head, sizeof(head)) ||
	    give(at + sizeof(head),
		 (u64[STATS]){ s.rx_packets, s.rx_bytes, s.rx_errors, s.rx_dropped, s.multicast,
			       s.tx_packets, s.tx_bytes, s.tx_errors, s.tx_dropped },
		 STATS * sizeof(u64)))
		return -EFAULT;
	at += sizeof(head) + STATS * sizeof(u64);
	for (u32 i = 0; i < d->queues_max; i++) {
		struct netdev_queue_stats q;

		d->ops->queue_stats(d, i, &q);
		if (give(at + i * sizeof(q), &q, sizeof(q)))
			return -EFAULT;
	}
	return 0;
}

static long permanent_addr(const struct netdev *d, u64 at)
{
	struct ethtool_perm_addr p;

	if (copy_from_user(&p, at, sizeof(p)))
		return -EFAULT;
	if (p.size < d->addr_len)
		return -EINVAL;
	p.size = d->addr_len;
	return give(at, &p, sizeof(p)) ? -EFAULT : give(at + sizeof(p), d->perm_addr, d->addr_len);
}

static long rings(const struct netdev *d, u64 at)
{
	struct ethtool_ringparam r = { .cmd = ETHTOOL_GRINGPARAM,
				       .rx_max_pending = d->ring,
				       .tx_max_pending = d->ring,
				       .rx_pending = d->ring,
				       .tx_pending = d->ring };

	return d->ring ? give(at, &r, sizeof(r)) : -EOPNOTSUPP;
}

static long channels(const struct netdev *d, u64 at)
{
	struct ethtool_channels c = { .cmd = ETHTOOL_GCHANNELS,
				      .max_combined = d->queues_max,
				      .combined_count = READ_ONCE(d->queues) };

	return d->queues_max ? give(at, &c, sizeof(c)) : -EOPNOTSUPP;
}

/* Only pairs there are, at least one. */
static long set_channels(struct netdev *d, u64 at)
{
	struct ethtool_channels c;
	int err;

	if (!cred_capable(current->cred, CAP_NET_ADMIN))
		return -EPERM;
	if (!d->ops->set_queues)
		return -EOPNOTSUPP;
	if (copy_from_user(&c, at, sizeof(c)))
		return -EFAULT;
	if (!c.combined_count || c.combined_count > d->queues_max || c.rx_count || c.tx_count ||
	    c.other_count)
		return -EINVAL;
	mutex_lock(&net_config_lock);
	err = d->ops->set_queues(d, c.combined_count);
	sysfs_net_queues(d);
	mutex_unlock(&net_config_lock);
	return err;
}

/* By the kernel's clock alone: a card has none. */
static long time_stamps(u64 at)
{
	static const struct ethtool_ts_info i = {
		.cmd = ETHTOOL_GET_TS_INFO,
		.so_timestamping = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE |
				   SOF_TIMESTAMPING_SOFTWARE,
		.phc_index = -1,
	};

	return give(at, &i, sizeof(i));
}

/* Questions with a number for an answer. False: none of them. */
static bool value_of(const struct netdev *d, u32 cmd, u32 *v)
{
	switch (cmd) {
	case ETHTOOL_GLINK: *v = (netdev_flags(d) & IFF_RUNNING) != 0; return true;
	case ETHTOOL_GRXCSUM: *v = (d->features & NETDEV_RX_CSUM) != 0; return true;
	case ETHTOOL_GTXCSUM:
		*v = (d->features & (NETDEV_CSUM | NETDEV_LOOPBACK)) != 0;
		return true;
	case ETHTOOL_GSG: *v = (d->features & (NETDEV_SG | NETDEV_LOOPBACK)) != 0; return true;
	case ETHTOOL_GTSO: *v = (d->features & (NETDEV_TSO | NETDEV_LOOPBACK)) != 0; return true;
	case ETHTOOL_GGSO: *v = 1; return true;
	case ETHTOOL_GUFO:
	case ETHTOOL_GGRO:
	case ETHTOOL_GFLAGS: *v = 0; return true;
	default: return false;
	}
}

/* See inet.h. ctx: thread; sleeps */
long ethtool_ioctl(struct netdev *d, u64 at)
{
	struct ethtool_value v;

	if (copy_from_user(&v.cmd, at, sizeof(v.cmd)))
		return -EFAULT;
	if (value_of(d, v.cmd, &v.data))
		return give(at, &v, sizeof(v));
	switch (v.cmd) {
	case ETHTOOL_GDRVINFO: return driver_info(d, at);
	case ETHTOOL_GSET: return link_settings_old(d, at);
	case ETHTOOL_GLINKSETTINGS: return link_settings(d, at);
	case ETHTOOL_GSSET_INFO: return string_set_info(d, at);
	case ETHTOOL_GSTRINGS: return nstats(d) ? strings(d, at) : -EOPNOTSUPP;
	case ETHTOOL_GSTATS: return nstats(d) ? statistics(d, at) : -EOPNOTSUPP;
	case ETHTOOL_GPERMADDR: return permanent_addr(d, at);
	case ETHTOOL_GRINGPARAM: return rings(d, at);
	case ETHTOOL_GCHANNELS: return channels(d, at);
	case ETHTOOL_SCHANNELS: return set_channels(d, at);
	case ETHTOOL_GET_TS_INFO: return time_stamps(at);
	case ETHTOOL_GMSGLVL:
	case ETHTOOL_GCOALESCE:
	case ETHTOOL_GPAUSEPARAM:
	case ETHTOOL_GPFLAGS:
	case ETHTOOL_GFEATURES:
	case ETHTOOL_GPHYSTATS:
	case ETHTOOL_GRXFH:
	case ETHTOOL_GRXRINGS:
	case ETHTOOL_GRXCLSRLCNT:
	case ETHTOOL_GRXCLSRULE:
	case ETHTOOL_GRXCLSRLALL:
	case ETHTOOL_GRXFHINDIR:
	case ETHTOOL_GRSSH:
	case ETHTOOL_GTUNABLE:
	case ETHTOOL_PHY_GTUNABLE:
	case ETHTOOL_GFECPARAM:
	case ETHTOOL_GEEE: return -EOPNOTSUPP;
	}
	return cred_capable(current->cred, CAP_NET_ADMIN) ? -EOPNOTSUPP : -EPERM;
}
