/*
 * /proc/net/igmp and /proc/net/mcfilter, and settings under /proc/sys/net/ipv4 of ICMP, IGMP and
 * reassembly.
 *
 * A device is one line, each of its groups another one below it: addresses in hexadecimal as they
 * lie in memory, the querier's version as the link's routers speak. Sources have lines of their
 * own in the other file. proc(5), ip(7), icmp(7).
 */
#include "fs/procfs.h"
#include "net/igmp.h"
#include "net/ip.h"
#include "net/sock/inet.h"

static int igmp_show(struct sbuf *out, void *arg)
{
	u32 users;
	be32 group;

	sbuf_puts(out, "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n");
	for (struct netdev *d = netdev_next(0); d; d = netdev_next(d->index)) {
		u32 n = 0;

		if (!netdev_up(d))
			continue;
		while (netdev_mc_nth(d, n, &group, &users))
			n++;
		/* All hosts are members of the first. */
		sbuf_printf(out, "%u\t%-10s: %5u      V%u\n\t\t\t\t%08X %5u 0:%08X\t\t%u\n",
			    d->index, d->name, n + 1, igmp_version(d), IP_ADDR(224, 0, 0, 1), 1, 0,
			    0);
		for (n = 0; netdev_mc_nth(d, n, &group, &users); n++)
			sbuf_printf(out, "\t\t\t\t%08X %5u 0:%08X\t\t%u\n", group, users, 0, 0);
	}
	return 0;
}
PROC_FILE(net_igmp, "net/igmp", 0444, .show = igmp_show);

static int mcfilter_show(struct sbuf *out, void *arg)
{
	struct mc_source_info s;

	sbuf_puts(out, "Idx Device        MCA        SRC    INC    EXC\n");
	for (struct netdev *d = netdev_next(0); d; d = netdev_next(d->index)) {
		for (u32 n = 0; netdev_mc_source_nth(d, n, &s); n++)
			sbuf_printf(out, "%3d %6.6s 0x%08x 0x%08x %6u %6u\n", d->index, d->name,
				    net32(s.group), net32(s.src), s.includes, s.excludes);
	}
	return 0;
}
PROC_FILE(net_mcfilter, "net/mcfilter", 0444, .show = mcfilter_show);

int inet_max_groups = 20, inet_max_sources = 10; /* a */

/* A variable that is shown under its own name. */
#define IPV4_SETTING(name, min, max) SYSCTL_INT(name, "sys/net/ipv4/" #name, &name, min, max)

SYSCTL_INT(igmp_max_memberships, "sys/net/ipv4/igmp_max_memberships", &inet_max_groups, 0, 1024);
SYSCTL_INT(igmp_max_msf, "sys/net/ipv4/igmp_max_msf", &inet_max_sources, 0, 0x7fffffff);
IPV4_SETTING(icmp_ratelimit, 0, 0x7fffffff);
IPV4_SETTING(icmp_ratemask, 0, 0x7fffffff);
IPV4_SETTING(icmp_msgs_per_sec, 0, 1000000);
IPV4_SETTING(icmp_msgs_burst, 0, 1000000);
IPV4_SETTING(icmp_echo_ignore_all, 0, 1);
IPV4_SETTING(icmp_echo_ignore_broadcasts, 0, 1);
IPV4_SETTING(ipfrag_time, 1, 3600);
IPV4_SETTING(ipfrag_high_thresh, 0, 64 << 20);
