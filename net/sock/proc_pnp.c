/*
 * What ip= of the command line led to: /proc/net/pnp in the form of resolv.conf, to which that may
 * be a link, /proc/net/ipconfig/ntp_servers, and /proc/net/dhcp, the state of the lease.
 *
 * The first two have Linux's names and form, so that programs that know them need not be told; the
 * third is this kernel's own. All are made anew at each open from what net/ipconfig.h hands out.
 */
#include "fs/procfs.h"
#include "net/ipconfig.h"

static int pnp_show(struct sbuf *out, void *arg)
{
	struct ipconfig c;

	ipconfig_get(&c);
	if (!c.asked)
		return 0;
	sbuf_puts(out, c.by_dhcp ? "#PROTO: DHCP\n" : "#MANUAL\n");
	if (!c.valid)
		return 0;
	if (c.lease.domain[0])
		sbuf_printf(out, "domain %s\n", c.lease.domain);
	for (u32 i = 0; i < DHCP_DNS_MAX && c.lease.dns[i]; i++)
		sbuf_printf(out, "nameserver " IP_FMT "\n", IP_ARGS(c.lease.dns[i]));
	if (c.lease.server)
		sbuf_printf(out, "bootserver " IP_FMT "\n", IP_ARGS(c.lease.server));
	return 0;
}
PROC_FILE(net_pnp, "net/pnp", 0444, .show = pnp_show);

static int ntp_servers_show(struct sbuf *out, void *arg)
{
	struct ipconfig c;

	ipconfig_get(&c);
	for (u32 i = 0; c.valid && i < DHCP_NTP_MAX && c.lease.ntp[i]; i++)
		sbuf_printf(out, IP_FMT "\n", IP_ARGS(c.lease.ntp[i]));
	return 0;
}
PROC_FILE(net_ntp_servers, "net/ipconfig/ntp_servers", 0444, .show = ntp_servers_show);

static int dhcp_show(struct sbuf *out, void *arg)
{
	struct ipconfig c;

	ipconfig_get(&c);
	if (!c.by_dhcp)
		return 0;
	sbuf_printf(out, "%s %s\nsent %u received %u refused %u nak %u decline %u\n", c.dev->name,
		    c.state, c.sent, c.received, c.refused, c.naks, c.declines);
	if (c.valid)
		sbuf_printf(out,
			    "address " IP_FMT " mask " IP_FMT " router " IP_FMT " server " IP_FMT
			    "\nlease %u renew %u rebind %u found in %u ms\n",
			    IP_ARGS(c.lease.addr), IP_ARGS(c.lease.mask), IP_ARGS(c.lease.router),
			    IP_ARGS(c.lease.server), c.lease.time, c.lease.t1, c.lease.t2,
			    c.took_ms);
	return 0;
}
PROC_FILE(net_dhcp, "net/dhcp", 0444, .show = dhcp_show);
