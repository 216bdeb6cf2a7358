/*
 * /proc/net of the IP stack, and the settings in /proc/sys/net/ipv4.
 *
 * The columns are those that ifconfig, route, arp, netstat and their like read; addresses are
 * printed as the bytes lie in memory, in hexadecimal.
 */
#include <linux/errno.h>
#include <linux/if_arp.h>
#include <linux/route.h>
#include <linux/rtnetlink.h>
#include "fs/procfs.h"
#include "kernel/lib/string.h"
#include "net/arp.h"
#include "net/sock/inet.h"

static int dev_show(struct sbuf *out, void *arg)
{
	struct netdev_stats s;
	struct netdev *d;

	sbuf_puts(out,
		  "Inter-|   Receive                                                |  Transmit\n"
		  " face |bytes    packets errs drop fifo frame compressed multicast|"
		  "bytes    packets errs drop fifo colls carrier compressed\n");
	for (d = netdev_next(0); d; d = netdev_next(d->index)) {
		netdev_get_stats(d, &s);
		sbuf_printf(out,
			    "%6s: %7llu %7llu %4llu %4llu    0     0          0 %9llu "
			    "%8llu %7llu %4llu %4llu    0     0       0          0\n",
			    d->name, (unsigned long long)s.rx_bytes,
			    (unsigned long long)s.rx_packets, (unsigned long long)s.rx_errors,
			    (unsigned long long)s.rx_dropped, (unsigned long long)s.multicast,
			    (unsigned long long)s.tx_bytes, (unsigned long long)s.tx_packets,
			    (unsigned long long)s.tx_errors, (unsigned long long)s.tx_dropped);
	}
	return 0;
}
PROC_FILE(net_dev, "net/dev", 0444, .show = dev_show);

#define WIDTH 127

/* The line that began at @from ends, @width wide: some readers seek to one. */
static void line_end(struct sbuf *out, size_t from, u32 width)
{
	sbuf_pad(out, from, width);
	sbuf_putc(out, '\n');
}

static int route_show(struct sbuf *out, void *arg)
{
	struct rt_entry r;

	sbuf_puts(out,
		  "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow"
		  "\tIRTT");
	line_end(out, 0, WIDTH);
	mutex_lock(&net_config_lock);
	for (u32 n = 0; route_get(n, &r); n++) {
		u32 flags = RTF_UP;
		size_t from = out->len;

		if (r.type == RTN_UNREACHABLE || r.type == RTN_PROHIBIT)
			flags |= RTF_REJECT;
		if (r.gateway)
			flags |= RTF_GATEWAY;
		if (r.prefix == 32)
			flags |= RTF_HOST;
		sbuf_printf(out, "%s\t%08X\t%08X\t%04X\t0\t0\t%u\t%08X\t%u\t0\t0",
			    r.dev ? r.dev->name : "*", r.dst, r.gateway, flags, r.metric,
			    inet_mask(r.prefix), r.mtu);
		line_end(out, from, WIDTH);
	}
	mutex_unlock(&net_config_lock);
	return 0;
}
PROC_FILE(net_route, "net/route", 0444, .show = route_show);

/* Whatever it is that is written. */
static ssize_t route_flush(const char *text, size_t n, void *arg)
{
	route_forget();
	return (ssize_t)n;
}
PROC_FILE(route_flush, "sys/net/ipv4/route/flush", 0200, .write = route_flush);

static int arp_show(struct sbuf *out, void *arg)
{
	struct neigh_info n;

	sbuf_puts(out, "IP address       HW type     Flags       HW address            Mask     "
		       "Device\n");
	for (u32 i = 0; neigh_get(i, &n); i++) {
		char addr[16];
		struct sbuf sb;
		u32 flags = n.state & NUD_PERMANENT					    ? 6
			    : n.state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE) ? 2
											    : 0;

		sbuf_init(&sb, addr, sizeof(addr));
		sbuf_printf(&sb, IP_FMT, IP_ARGS(n.addr));
		sbuf_printf(out,
			    "%-16s 0x%-10x0x%-10x%02x:%02x:%02x:%02x:%02x:%02x     *        %s\n",
			    sbuf_cstr(&sb), n.dev->hw_type, flags, n.mac[0], n.mac[1], n.mac[2],
			    n.mac[3], n.mac[4], n.mac[5], n.dev->name);
	}
	return 0;
}
PROC_FILE(net_arp, "net/arp", 0444, .show = arp_show);

/* /proc/net/udp and its like: one line for each endpoint of a table. */
static int endpoints_show(struct sbuf *out, void *arg)
{
	enum pcb_table table = (enum pcb_table)(size_t)arg;
	struct inet_pcb *pcb;
	u32 width = table == PCB_RAW ? 0 : WIDTH;

	sbuf_puts(out, width ? "   sl" : "  sl");
	sbuf_puts(out, "  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   "
		       "uid  timeout inode ref pointer drops");
	line_end(out, 0, width);
	for (u32 n = 0; (pcb = inet_pcb_nth(table, n)); n++) {
		const struct inet_dgram *d = pcb->owner; /* NULL: the kernel's own */
		size_t from = out->len;

		sbuf_printf(
			out,
			"%5u: %08X:%04X %08X:%04X %02X %08X:%08X 00:00000000 00000000 %5u        0 "
			"%llu %u 0000000000000000 0",
			n, pcb->laddr, table == PCB_RAW ? pcb->proto : net16(pcb->lport),
			pcb->faddr, table == PCB_RAW ? 0 : net16(pcb->fport), pcb->faddr ? 1 : 7,
			d ? READ_ONCE(d->wmem) : 0, d ? READ_ONCE(d->rmem) : 0, pcb->uid,
			(unsigned long long)(d ? READ_ONCE(d->i.s.ino) : 0),
			ref_read(&pcb->refs) - 1);
		line_end(out, from, width);
		inet_pcb_put(pcb);
	}
	return 0;
}
PROC_FILE(net_udp, "net/udp", 0444, .show = endpoints_show, .arg = (void *)PCB_UDP);
PROC_FILE(net_udplite, "net/udplite", 0444, .show = endpoints_show, .arg = (void *)PCB_LITE);
PROC_FILE(net_raw, "net/raw", 0444, .show = endpoints_show, .arg = (void *)PCB_RAW);
PROC_FILE(net_icmp, "net/icmp", 0444, .show = endpoints_show, .arg = (void *)PCB_PING);

static u64 count(enum net_counter c)
{
	return net_counter(c);
}

static void numbers(struct sbuf *out, const enum net_counter *c, u32 n)
{
	for (u32 i = 0; i < n; i++)
		sbuf_printf(out, " %llu", (unsigned long long)count(c[i]));
}

static void snmp_ip(struct sbuf *out)
{
	static const enum net_counter order[] = {
		IP_IN_RECEIVES,	      IP_IN_HDR_ERRORS, IP_IN_ADDR_ERRORS, IP_FORW_DATAGRAMS,
		IP_IN_UNKNOWN_PROTOS, IP_IN_DISCARDS,	IP_IN_DELIVERS,	   IP_OUT_REQUESTS,
		IP_OUT_DISCARDS,      IP_OUT_NO_ROUTES, IP_REASM_TIMEOUT,  IP_REASM_REQDS,
		IP_REASM_OKS,	      IP_REASM_FAILS,	IP_FRAG_OKS,	   IP_FRAG_FAILS,
		IP_FRAG_CREATES,
	};

	sbuf_puts(out,
		  "Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams "
		  "InUnknownProtos InDiscards InDelivers OutRequests OutDiscards OutNoRoutes "
		  "ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates\n");
	sbuf_printf(out, "Ip: %u %u", READ_ONCE(ip_conf_all.v[IPV4_DEVCONF_FORWARDING]) ? 1 : 2,
		    READ_ONCE(ip_default_ttl));
	numbers(out, order, ARRAY_SIZE(order));
}

static void snmp_icmp(struct sbuf *out)
{
	static const u8 types[] = { 3, 11, 12, 4, 5, 8, 0, 13, 14, 17, 18 };

	sbuf_puts(out, "\nIcmp: InMsgs InErrors InCsumErrors");
	for (u32 dir = 0; dir < 2; dir++) {
		const char *d = dir ? "Out" : "In";

		if (dir)
			sbuf_puts(out, " OutMsgs OutErrors");
		sbuf_printf(
			out,
			" %sDestUnreachs %sTimeExcds %sParmProbs %sSrcQuenchs %sRedirects %sEchos "
			"%sEchoReps %sTimestamps %sTimestampReps %sAddrMasks %sAddrMaskReps",
			d, d, d, d, d, d, d, d, d, d, d);
	}
	sbuf_printf(out, "\nIcmp: %llu %llu %llu", (unsigned long long)count(ICMP_IN_MSGS),
		    (unsigned long long)count(ICMP_IN_ERRORS),
		    (unsigned long long)count(ICMP_IN_CSUM_ERRORS));
	for (u32 dir = 0; dir < 2; dir++) {
		if (dir)
			sbuf_printf(out, " %llu %llu", (unsigned long long)count(ICMP_OUT_MSGS),
				    (unsigned long long)count(ICMP_OUT_ERRORS));
		for (u32 i = 0; i < ARRAY_SIZE(types); i++)
			sbuf_printf(out, " %u", READ_ONCE(icmp_counts[dir][types[i]]));
	}
}

static void snmp_udp(struct sbuf *out, const char *name, u32 first)
{
	static const enum net_counter order[] = {
		UDP_IN_DATAGRAMS,  UDP_NO_PORTS,      UDP_IN_ERRORS,	  UDP_OUT_DATAGRAMS,
		UDP_RCVBUF_ERRORS, UDP_SNDBUF_ERRORS, UDP_IN_CSUM_ERRORS, UDP_IGNORED_MULTI,
	};

	sbuf_printf(out,
		    "\n%s: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors "
		    "InCsumErrors IgnoredMulti MemErrors\n%s:",
		    name, name);
	for (u32 i = 0; i < ARRAY_SIZE(order); i++)
		sbuf_printf(out, " %llu",
			    (unsigned long long)count(order[i] - UDP_IN_DATAGRAMS + first));
	sbuf_puts(out, " 0"); /* there is no limit to the memory of all of them */
}

static int snmp_show(struct sbuf *out, void *arg)
{
	snmp_ip(out);
	snmp_icmp(out);
	inet_tcp_snmp(out);
	snmp_udp(out, "Udp", UDP_IN_DATAGRAMS);
	snmp_udp(out, "UdpLite", UDPLITE_IN_DATAGRAMS);
	sbuf_putc(out, '\n');
	return 0;
}
PROC_FILE(net_snmp, "net/snmp", 0444, .show = snmp_show);

static int sockstat_show(struct sbuf *out, void *arg)
{
	u32 udp = inet_pcb_count(PCB_UDP), raw = inet_pcb_count(PCB_RAW), queues;
	u64 memory = ip_frag_memory(&queues);

	sbuf_printf(out, "sockets: used %u\n", socket_count());
	inet_tcp_sockstat(out);
	sbuf_printf(out, "UDP: inuse %u mem 0\nUDPLITE: inuse %u\nRAW: inuse %u\n", udp,
		    inet_pcb_count(PCB_LITE), raw);
	sbuf_printf(out, "FRAG: inuse %u memory %llu\n", queues, (unsigned long long)memory);
	return 0;
}
PROC_FILE(net_sockstat, "net/sockstat", 0444, .show = sockstat_show);

/* --- settings --- */

SYSCTL_INT(ip_default_ttl, "sys/net/ipv4/ip_default_ttl", &ip_default_ttl, 1, 255);

static int port_range_show(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%d\t%d\n", READ_ONCE(inet_port_first), READ_ONCE(inet_port_last));
	return 0;
}

static ssize_t port_range_write(const char *text, size_t n, void *arg)
{
	int v[2] = { READ_ONCE(inet_port_first), READ_ONCE(inet_port_last) };

	if (sysctl_row_write(text, n, &(struct sysctl_row){ v, 2, false, 1, 65535 }) < 0 ||
	    v[1] < v[0] || v[0] < READ_ONCE(inet_unprivileged_port))
		return -EINVAL;
	WRITE_ONCE(inet_port_first, v[0]);
	WRITE_ONCE(inet_port_last, v[1]);
	return (ssize_t)n;
}
PROC_FILE(ip_local_port_range, "sys/net/ipv4/ip_local_port_range", 0644, .show = port_range_show,
	  .write = port_range_write);
