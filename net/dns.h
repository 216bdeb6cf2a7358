#pragma once
/*
 * Names to addresses, for the kernel itself: a resolver that asks the servers of ip= (or those that
 * were written to /proc/net/dns), and remembers.
 */
#include "net/dns_msg.h"

#define DNS_SERVERS_MAX 3u
/*
 * The addresses of @name, or of "a.b.c.d" itself. How many there are, up to @max; -ENOENT (there is
 * no such name, or it has no address), -EINVAL (not a name), -ENETUNREACH (no server is known),
 * -ETIMEDOUT, -EIO (servers fail), -ENOMEM, -EINTR. ctx: thread; sleeps, for seconds
 */
int dns_resolve(const char *name, be32 *addrs, u32 max);
/* Use these servers from now on; none: those of ip=. ctx: thread; sleeps */
void dns_set_servers(const be32 servers[DNS_SERVERS_MAX]);
u32 dns_servers(be32 out[DNS_SERVERS_MAX]); /* those in use. ctx: thread; sleeps */
void dns_forget(void); /* all that is remembered. ctx: thread; sleeps */

struct dns_entry {
	char name[DNS_NAME_MAX];
	u32 naddrs; /* 0: it has none */
	be32 addrs[DNS_ADDRS_MAX];
	u32 ttl; /* seconds left */
};
/* The @n-th name that is remembered. ctx: thread; sleeps. False: there are not so many */
bool dns_entry_get(u32 n, struct dns_entry *out);

struct dns_stats {
	u32 queries, tcp, answers, bogus, timeouts, hits;
};
void dns_stats_get(struct dns_stats *out); /* ctx: any */

/*
 * The same question by TCP: @msg with its length before it, as RFC 7766 wants. As udp_ask(); -EIO
 * when @accept does not take the one answer. Set at boot (net/sock/dns_tcp.c); NULL: there is no
 * TCP.
 */
extern int (*dns_tcp_ask)(be32 server, u8 *msg, u32 len,
			  bool (*accept)(void *arg, const u8 *msg, u32 len), void *arg);
void dns_tcp_init(void); /* boot */

/*
 * --- udp_ask.c: one question by UDP and the answers to it ---
 *
 * @accept looks at each datagram that comes from @to: true ends the wait. The local port is a
 * random one. 0, -ETIMEDOUT, -EINTR, -ENOMEM, route errors, or an ICMP error. ctx: thread; sleeps
 */
int udp_ask(be32 to, u16 port, const u8 *msg, u32 len, s64 deadline,
	    bool (*accept)(void *arg, const u8 *msg, u32 len), void *arg);
