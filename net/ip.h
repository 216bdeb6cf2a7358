#pragma once
/* IPv4: in (ip_input.c), out (ip_output.c), reassembly (ipfrag.c), and ICMP's errors. */
#include <linux/ip.h>
#include "net/proto.h"
#include "net/route.h"

#define IP_MAX_LEN 65535u
#define IP_HEADER_LEN 20u
#define IP_DF 0x4000u
#define IP_MF 0x2000u
#define IP_OFFSET 0x1fffu
#define IP_OPTIONS_MAX 40u

/* In pkt.cb[0] of what is sent: multicast that does not come to ourselves. */
#define IP_CB_NO_LOOP 1u
/* It goes by a local route, whatever its header says. TCP keeps other things there. */
#define IP_CB_HERE 2u

/* What a sender decides. */
struct ip_out {
	be32 src, dst;
	u8 proto, ttl, tos; /* ttl 0: the default */
	bool df; /* do not fragment: -EMSGSIZE instead */
	u8 optlen; /* of options in front, a multiple of four */
	const u8 *options;
};

/*
 * Send @p, head at the transport header, by @rt: puts the header in front and cuts where it must.
 * Consumes @p. ctx: thread; sleeps: no; holds: nothing that an input path takes (proto.h). 0, or
 * -EMSGSIZE, -ENOBUFS, -ENETDOWN, -EPERM...
 */
int ip_output(struct pkt *p, const struct route *rt, const struct ip_out *o);
/* An identification for a packet to @dst: the first of @n that follow each other. ctx: any */
u16 ip_next_id(be32 dst, u32 n);
/* The same for a whole packet with its header in place, as raw sockets make it. */
int ip_output_raw(struct pkt *p, const struct route *rt);
/* A packet from the link, head at the IP header. Consumes @p. As netdev_rx. */
void ip_input(struct pkt *p);
/* Send on, or drop with ICMP. ip_input's. */
void ip_forward(struct pkt *p);
/* To raw sockets and the protocol. ip_input's. */
void ip_deliver(struct pkt *p);
/*
 * A fragment. Takes @p; gives the whole datagram when this one completes it, else NULL. ctx:
 * thread; sleeps: no
 */
struct pkt *ip_reassemble(struct pkt *p);
u64 ip_frag_memory(u32 *queues); /* for /proc/net/sockstat */
/* Are these options sound, and none that we refuse? Source routes are refused. */
bool ip_options_ok(const u8 *opt, u32 len);

extern int ip_default_ttl; /* a: sysctl */
extern int ip_no_pmtu_disc; /* a: sysctl: what is made of ICMP's "too long", see icmp.c */

/*
 * An ICMP error about @p, whose p->net is its IP header; nothing where RFC 1122 forbids one, or by
 * rate. Only looks at @p. ctx: thread; sleeps: no
 */
void icmp_send_error(struct pkt *p, u8 type, u8 code, u32 info);

/* a: sysctls: ms between errors to one peer, bits of types that are limited, limits for all */
extern int icmp_ratelimit, icmp_ratemask, icmp_msgs_per_sec, icmp_msgs_burst, icmp_echo_ignore_all,
	icmp_echo_ignore_broadcasts;
extern int ipfrag_time, ipfrag_high_thresh; /* a: sysctls: seconds, bytes */

/* Raw sockets get a copy of each packet to us. True: somebody took one. */
bool raw_input(struct pkt *p);
void raw_error(struct pkt *p, const struct net_error *e);

/*
 * --- counters, per CPU ---
 *
 * Of /proc/net/snmp, and of IpExt in /proc/net/netstat, whose names these are. Those of both
 * directions alternate, and follow each other as enum ip_cast does.
 */
#define IP_EXT(X)          \
	X(InNoRoutes)      \
	X(InTruncatedPkts) \
	X(InMcastPkts)     \
	X(OutMcastPkts)    \
	X(InBcastPkts)     \
	X(OutBcastPkts)    \
	X(InOctets)        \
	X(OutOctets)       \
	X(InMcastOctets)   \
	X(OutMcastOctets)  \
	X(InBcastOctets)   \
	X(OutBcastOctets)  \
	X(InCsumErrors)    \
	X(InNoECTPkts)     \
	X(InECT1Pkts)      \
	X(InECT0Pkts)      \
	X(InCEPkts)        \
	X(ReasmOverlaps)
enum net_counter {
	IP_IN_RECEIVES,
	IP_IN_HDR_ERRORS,
	IP_IN_ADDR_ERRORS,
	IP_FORW_DATAGRAMS,
	IP_IN_UNKNOWN_PROTOS,
	IP_IN_DISCARDS,
	IP_IN_DELIVERS,
	IP_OUT_REQUESTS,
	IP_OUT_DISCARDS,
	IP_OUT_NO_ROUTES,
	IP_REASM_TIMEOUT,
	IP_REASM_REQDS,
	IP_REASM_OKS,
	IP_REASM_FAILS,
	IP_FRAG_OKS,
	IP_FRAG_FAILS,
	IP_FRAG_CREATES,
	ICMP_IN_MSGS,
	ICMP_IN_ERRORS,
	ICMP_IN_CSUM_ERRORS,
	ICMP_OUT_MSGS,
	ICMP_OUT_ERRORS,
	UDP_IN_DATAGRAMS,
	UDP_NO_PORTS,
	UDP_IN_ERRORS,
	UDP_OUT_DATAGRAMS,
	UDP_RCVBUF_ERRORS,
	UDP_SNDBUF_ERRORS,
	UDP_IN_CSUM_ERRORS,
	UDP_IGNORED_MULTI,
	UDPLITE_IN_DATAGRAMS, /* and so on, as for UDP: to UDPLITE_LAST */
	UDPLITE_LAST = UDPLITE_IN_DATAGRAMS + UDP_IGNORED_MULTI - UDP_IN_DATAGRAMS,
#define X(id) IP_EXT_##id,
	IP_EXT(X)
#undef X
		NET_COUNTERS
};
void net_count(enum net_counter c); /* ctx: thread */
enum ip_cast { IP_TO_ONE, IP_TO_GROUP, IP_TO_ALL };
/* A packet of @len bytes came or goes; @tos: of one that came. ctx: thread */
void net_count_ip(bool out, enum ip_cast cast, u32 len, u8 tos);
u64 net_counter(enum net_counter c); /* the sum */
/* Messages of ICMP by type, [0] in, [1] out. */
extern u32 icmp_counts[2][19]; /* a */
