/*
 * What /proc tells of TCP: /proc/net/tcp with a line per connection, and the settings under
 * /proc/sys; the counters, those of TcpExt in a file of their own.
 *
 * proc(5), tcp(7).
 */
#include <linux/errno.h>
#include "fs/procfs.h"
#include "kernel/base/errno.h"
#include "kernel/base/time.h"
#include "kernel/lib/string.h"
#include "net/sock/inet_tcp.h"

#define HZ 100 /* of what /proc counts in */

struct listing {
	struct sbuf *out;
	u32 n;
};

static int show_row(const struct tcp_row *r, void *arg)
{
	struct listing *l = arg;
	u64 ticks = (u64)r->expires * HZ / NSEC_PER_SEC;
	size_t from = l->out->len;

	sbuf_printf(l->out,
		    "%4u: %08X:%04X %08X:%04X %02X %08X:%08X %02X:%08lX %08X %5u %8u %lu %u %p",
		    l->n++, r->local.addr, net16(r->local.port), r->peer.addr, net16(r->peer.port),
		    r->state, r->tx, r->rx, r->timer, ticks, r->retransmits, r->uid, r->probes,
		    r->inode, r->refs, (void *)0);
	if (r->state != TCP_TIME_WAIT && r->state != TCP_SYN_RECV)
		sbuf_printf(l->out, " %u %u %u %u %d", r->rto_ms * HZ / 1000, r->ato_ms * HZ / 1000,
			    r->quick, r->cwnd, r->ssthresh);
	sbuf_pad(l->out, from, 149); /* as wide as the header: some seek to a line */
	sbuf_putc(l->out, '\n');
	return 0;
}

static int show(struct sbuf *out, void *arg)
{
	struct listing l = { .out = out };

	sbuf_puts(out,
		  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt"
		  "   uid  timeout inode                                                     \n");
	return tcp_for_each(show_row, &l);
}
PROC_FILE(net_tcp, "net/tcp", 0444, .show = show);

/* --- counters --- */

static void counters(struct sbuf *out, u32 first, u32 end)
{
	for (u32 i = first; i < end; i++)
		sbuf_printf(out, " %lu", tcp_mib((enum tcp_mib)i));
}

/* See inet.h. RtoAlgorithm 1 is "other"; RtoMin and RtoMax are in ms, MaxConn -1: no limit. */
void inet_tcp_snmp(struct sbuf *out)
{
	sbuf_puts(out,
		  "\nTcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens "
		  "AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts "
		  "InCsumErrors\nTcp: 1 200 120000 -1");
	counters(out, 0, TCP_MIB_SyncookiesSent);
}

/* See inet.h. */
void inet_tcp_sockstat(struct sbuf *out)
{
	struct tcp_usage u;

	tcp_usage(&u);
	sbuf_printf(out, "TCP: inuse %u orphan %u tw %u alloc %u mem %lu\n", u.inuse, u.orphans,
		    u.timewait, u.allocated, u.pages);
}

static int netstat_show(struct sbuf *out, void *arg)
{
#define X(id) " " #id
	sbuf_puts(out, "TcpExt:" TCP_MIB_EXT(X) "\nTcpExt:");
#undef X
	counters(out, TCP_MIB_SyncookiesSent, TCP_MIB_COUNT);
#define X(id) " " #id
	sbuf_puts(out, "\nIpExt:" IP_EXT(X) "\nIpExt:");
#undef X
	for (u32 i = IP_EXT_InNoRoutes; i < NET_COUNTERS; i++)
		sbuf_printf(out, " %lu", net_counter((enum net_counter)i));
	sbuf_putc(out, '\n');
	return 0;
}
PROC_FILE(net_netstat, "net/netstat", 0444, .show = netstat_show);

/* --- settings --- */

#define TCP_SYSCTL(id, name, low, high) \
	SYSCTL_INT(tcp_##id, "sys/net/ipv4/" name, &tcp_sysctl_##id, low, high)

TCP_SYSCTL(sack, "tcp_sack", 0, 255);
TCP_SYSCTL(timestamps, "tcp_timestamps", 0, 255);
TCP_SYSCTL(wscale, "tcp_window_scaling", 0, 255);
TCP_SYSCTL(ecn, "tcp_ecn", 0, 2);
TCP_SYSCTL(syncookies, "tcp_syncookies", 0, 255);
TCP_SYSCTL(syn_retries, "tcp_syn_retries", 1, 127);
TCP_SYSCTL(synack_retries, "tcp_synack_retries", 0, 127);
TCP_SYSCTL(retries2, "tcp_retries2", 0, 255);
TCP_SYSCTL(orphan_retries, "tcp_orphan_retries", 0, 255);
TCP_SYSCTL(fin_timeout, "tcp_fin_timeout", 0, 8589934);
TCP_SYSCTL(keepalive_time, "tcp_keepalive_time", 1, 8589934);
TCP_SYSCTL(keepalive_intvl, "tcp_keepalive_intvl", 1, 8589934);
TCP_SYSCTL(keepalive_probes, "tcp_keepalive_probes", 0, 255);
TCP_SYSCTL(tw_reuse, "tcp_tw_reuse", 0, 2);
TCP_SYSCTL(max_tw, "tcp_max_tw_buckets", 0, 0x7fffffff);
TCP_SYSCTL(max_orphans, "tcp_max_orphans", 0, 0x7fffffff);
TCP_SYSCTL(max_syn_backlog, "tcp_max_syn_backlog", 0, 0x7fffffff);
TCP_SYSCTL(frto, "tcp_frto", 0, 255);
TCP_SYSCTL(dsack, "tcp_dsack", 0, 255);
TCP_SYSCTL(early_retrans, "tcp_early_retrans", 0, 4);
TCP_SYSCTL(abort_overflow, "tcp_abort_on_overflow", 0, 255);
TCP_SYSCTL(challenge_limit, "tcp_challenge_ack_limit", 0, 0x7fffffff);
TCP_SYSCTL(moderate_rcvbuf, "tcp_moderate_rcvbuf", 0, 255);
TCP_SYSCTL(rfc1337, "tcp_rfc1337", 0, 255);
TCP_SYSCTL(slow_start_idle, "tcp_slow_start_after_idle", 0, 255);
TCP_SYSCTL(stdurg, "tcp_stdurg", 0, 255);
TCP_SYSCTL(mtu_probing, "tcp_mtu_probing", 0, 255);
TCP_SYSCTL(base_mss, "tcp_base_mss", 88, 65495);
TCP_SYSCTL(retries1, "tcp_retries1", 0, 255);
TCP_SYSCTL(fastopen, "tcp_fastopen", -0x7fffffff - 1, 0x7fffffff);
TCP_SYSCTL(fastopen_pause, "tcp_fastopen_blackhole_timeout_sec", 0, 0x7fffffff);
SYSCTL_INT(somaxconn, "sys/net/core/somaxconn", &tcp_sysctl_somaxconn, 0, 0x7fffffff);

SYSCTL_ROW(tcp_rmem, "sys/net/ipv4/tcp_rmem", tcp_sysctl_rmem, 3, false, 2304, 1 << 29);
SYSCTL_ROW(tcp_wmem, "sys/net/ipv4/tcp_wmem", tcp_sysctl_wmem, 3, false, 1, 1 << 29);

/* --- the keys of fast open's cookies --- */

static int key_show(struct sbuf *out, void *arg)
{
	u32 w[2 * TCP_FO_KEY / 4] = { 0 }, n = tcp_fo_keys_get(NULL, w) / 4;

	n = MAX(n, TCP_FO_KEY / 4);
	for (u32 i = 0; i < n; i++)
		sbuf_printf(out, "%08x%c", w[i], i + 1 == n ? '\n' : i == 3 ? ',' : '-');
	return 0;
}

static ssize_t key_write(const char *text, size_t n, void *arg)
{
	u32 w[2 * TCP_FO_KEY / 4], i = 0;
	u64 one;
	int err;

	do {
		if (str_to_u64(text, &text, 16, &one) || one > 0xffffffff)
			return -EINVAL;
		w[i++] = (u32)one;
	} while (i < ARRAY_SIZE(w) && *text++ == (i == 4 ? ',' : '-'));
	err = tcp_fo_keys_set(NULL, w, i * 4);
	return err ? err : (ssize_t)n;
}
PROC_FILE(tcp_fastopen_key, "sys/net/ipv4/tcp_fastopen_key", 0600, .show = key_show,
	  .write = key_write, .iflags = INODE_JOIN);

SYSCTL_ROW(tcp_notsent_lowat, "sys/net/ipv4/tcp_notsent_lowat", tcp_sysctl_notsent_lowat, 1, true,
	   0, 0xffffffff);
SYSCTL_ROW(tcp_mem, "sys/net/ipv4/tcp_mem", tcp_sysctl_mem, 3, true, 0, -1);

static int cc_show(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%s\n", tcp_cc_chosen());
	return 0;
}

static ssize_t cc_write(const char *text, size_t n, void *arg)
{
	return tcp_cc_choose(text, (u32)strcspn(text, " \n")) ? (ssize_t)n : -ENOENT;
}

/* The names of all, or of those that anybody may choose (@arg not NULL). */
static int cc_list_show(struct sbuf *out, void *arg)
{
	const char *name, *gap = "";

	for (u32 i = 0; (name = tcp_cc_name(i)); i++) {
		if (arg && tcp_cc_is_restricted(name, (u32)strlen(name)))
			continue;
		sbuf_printf(out, "%s%s", gap, name);
		gap = " ";
	}
	sbuf_putc(out, '\n');
	return 0;
}

static ssize_t cc_allowed_write(const char *text, size_t n, void *arg)
{
	return tcp_cc_allow(text) ? (ssize_t)n : -ENOENT;
}
PROC_FILE(tcp_cc, "sys/net/ipv4/tcp_congestion_control", 0644, .show = cc_show, .write = cc_write,
	  .iflags = INODE_JOIN);
PROC_FILE(tcp_cc_all, "sys/net/ipv4/tcp_available_congestion_control", 0444, .show = cc_list_show,
	  .iflags = INODE_JOIN);
PROC_FILE(tcp_cc_allowed, "sys/net/ipv4/tcp_allowed_congestion_control", 0644, .show = cc_list_show,
	  .write = cc_allowed_write, .arg = (void *)cc_list_show, .iflags = INODE_JOIN);
