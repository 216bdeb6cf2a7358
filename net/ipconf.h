#pragma once
/*
 * Settings of IPv4 and of neighbours that each device has: sysctls net.ipv4.conf and .neigh.
 *
 * Beside those of the devices there are those of "all", which most settings look at too, and of
 * "default", which a new device begins with: a change of it reaches the devices that have no
 * address yet, where nobody has written that setting. Numbers of the former are the UAPI's,
 * IPV4_DEVCONF_*.
 */
#include <linux/ip.h>
#include "kernel/lib/types.h"

enum neigh_conf {
	NEIGH_REACHABLE_MS = IPV4_DEVCONF_MAX + 1,
	NEIGH_RETRANS_MS, /* between questions */
	NEIGH_DELAY_S, /* for a confirmation from above, before it is asked */
	NEIGH_ASK_ONE, /* how often one that is known is asked */
	NEIGH_ASK_ALL, /* how often all are asked who it is */
	NEIGH_LOCK_TICKS, /* 1/100 s: how long another answer cannot take its place */
	NEIGH_QUEUE, /* packets that wait for it */
	IP_CONF_N
};

/* a: atomic; c: net_config_lock. */
struct ip_conf {
	int v[IP_CONF_N]; /* a: by IPV4_DEVCONF_* and NEIGH_* */
	u64 written; /* c: which somebody has written */
};
extern struct ip_conf ip_conf_all, ip_conf_default; /* as above */
