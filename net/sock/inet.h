#pragma once
/*
 * AF_INET sockets: what datagram, raw and stream sockets have in common.
 *
 * Each type of socket adds itself to a table (INET_TYPE). Its object begins with struct inet_sock,
 * the options of ip(7) with it; datagram, raw and ping sockets are a struct inet_dgram
 * (inet_dgram.c).
 */
/* In this order: the second wants struct timespec. */
#include <linux/time.h>

#include <linux/errqueue.h>
#include "net/sock/socket.h"
#include "net/tcp.h"
#include "net/udp.h"

/* Bits of inet_sock.recv: what the receiver wants to be told. */
enum {
	INET_RECV_PKTINFO = 1,
	INET_RECV_TTL = 2,
	INET_RECV_TOS = 4,
	INET_RECV_OPTS = 8,
	INET_RECV_ORIGDST = 16,
	INET_RECV_RETOPTS = 32,
	INET_RECV_SECURITY = 64, /* IP_PASSSEC: nothing here gives packets a label */
	INET_RECV_CHECKSUM = 128, /* IP_CHECKSUM: no device here tells the sum of all bytes */
};

#define INET_LOCAL_PORT_RANGE 51 /* IP_LOCAL_PORT_RANGE, which not all headers have */

/* a atomic, I immutable after creation: single words, changed by setsockopt. */
struct inet_sock {
	struct socket s; /* a: as its fields say */
	int ttl, mc_ttl; /* a: < 0: the default */
	u8 tos; /* a */
	u8 pmtudisc; /* a: IP_PMTUDISC_* */
	u8 recv; /* a: INET_RECV_* */
	u8 min_ttl; /* a */
	bool recverr, mc_loop, mc_all; /* a */
	bool hdrincl, freebind, transparent, bind_no_port, nodefrag; /* a */
	u32 mc_dev; /* a: IP_MULTICAST_IF: index; 0: by route */
	be32 mc_addr; /* a: and the address that was given */
	u32 unicast_dev; /* a: IP_UNICAST_IF: index; 0: by route */
	u32 ports; /* a: IP_LOCAL_PORT_RANGE */
	struct inet_errq *errq; /* I once made, own lock: MSG_ERRQUEUE */
	struct mc_member
		*groups; /* net_config_lock, and of datagrams the bucket's, either to look */
};

static inline struct inet_sock *inet_of(struct socket *s)
{
	return container_of(s, struct inet_sock, s);
}

struct inet_type {
	const char *name;
	u16 type; /* SOCK_* */
	u16 protocol; /* IPPROTO_*; with .any: what 0 means */
	bool any; /* takes every protocol (SOCK_RAW) */
	bool (*may)(void); /* NULL: everybody. Else -EPERM, or -EACCES for datagrams */
	int (*create)(int type, int protocol, struct socket **out);
};
#define INET_TYPE(id, ...) \
	TABLE_ENTRY(inet_type, struct inet_type, inet_type_##id) = { .name = #id, __VA_ARGS__ }
TABLE_DECLARE(inet_type, struct inet_type);

/* --- af_inet.c --- */

/* Defaults of the head. */
void inet_sock_init(struct inet_sock *i, const struct sock_ops *ops, int type, int protocol);
/* An address of AF_INET from a user. 0, -EINVAL (too short), -EAFNOSUPPORT. */
int __must_check inet_addr_in(const struct sock_addr *a, struct sockaddr_in *out);
void inet_addr_out(struct sock_addr *out, be32 addr, be16 port);
extern int inet_unprivileged_port; /* a: sysctl; the first that anybody may bind to */
/* May one bind to this address and port (host order)? 0, -EADDRNOTAVAIL, -EACCES. ctx: thread */
int __must_check inet_may_bind(const struct inet_sock *i, be32 addr, u16 port);
/*
 * The route to @dst for this socket: its device, and multicast options. @src: the address it has,
 * or 0. Errors as route_lookup; -EACCES: broadcast without SO_BROADCAST.
 */
int __must_check inet_route(struct inet_sock *i, be32 dst, be32 src, struct route *out);
/* Send with "do not fragment"? For a packet of @len bytes by @rt. */
bool inet_df(const struct inet_sock *i, const struct route *rt, u32 len);
/* TTL for what goes by @rt. */
u8 inet_ttl(const struct inet_sock *i, const struct route *rt);
/* sock_ops.ioctl of all kinds of sockets: devices, addresses, routes (ifioctl.c). */
long inet_ioctl(struct socket *s, u32 cmd, u64 arg);
/* SIOCETHTOOL: the question and the answer are at @at (ethtool.c). 0 or -errno */
long ethtool_ioctl(struct netdev *d, u64 at);

/* --- inet_opt.c: level SOL_IP. -ENOPROTOOPT when unknown. --- */
int inet_setsockopt(struct inet_sock *i, int option, const void *val, u32 len);
int inet_getsockopt(struct inet_sock *i, int option, void *val, u32 *len);
/* Value of an int option that may be given as a byte, or not at all: 0 */
void inet_opt_int(const void *val, u32 len, int *out);
/* Give an int; a byte where there is room for one only and it fits. */
int inet_opt_give(int v, void *val, u32 *len);

/* --- inet_tcp_proc.c: TCP's lines of /proc/net/snmp and /proc/net/sockstat --- */
void inet_tcp_snmp(struct sbuf *out);
void inet_tcp_sockstat(struct sbuf *out);

/* --- inet_errq.c: MSG_ERRQUEUE. All but recv: ctx: any. Who adds wakes whoever waits. --- */

/* In cb of a packet of the error queue. */
struct inet_error {
	struct sock_extended_err ee;
	be32 offender, dst;
	u32 dev; /* of a time stamp with SOF_TIMESTAMPING_OPT_CMSG: index; offender is its source */
	be16 port;
	bool named; /* .dst and .port are told */
};
void inet_errq_free(struct inet_sock *i); /* the socket goes */
u32 inet_errq_events(const struct inet_sock *i); /* POLLERR: there is something */
/* IP_RECVERR is off: what waits is lost. */
void inet_errq_purge(struct inet_sock *i);
void inet_errq_add(struct inet_sock *i, struct pkt *p, const struct inet_error *e); /* consumes */
/* An error of our own (IP_RECVERR), about a datagram to @to. */
void inet_errq_local(struct inet_sock *i, int err, u32 info, const struct sockaddr_in *to);
/* PKT_STAMP_* that @m, or the socket, asks for. */
u8 inet_stamp_asked(const struct inet_sock *i, const struct sock_msg *m);
static inline u8 inet_stamp_wanted(const struct inet_sock *i, const struct sock_msg *m)
{
	return likely(!READ_ONCE(i->s.stamping) && !m->stamping_given) ? 0 : inet_stamp_asked(i, m);
}
/* SOF_TIMESTAMPING_OPT_ID: numbers begin, of a stream at sequence number @from. */
void inet_stamp_number(struct inet_sock *i, u32 from);
u32 inet_stamp_next(struct inet_sock *i); /* the number of a datagram */
/* @what happens to message @id, to the stream up to @end, which @p has. */
void inet_errq_stamp(struct inet_sock *i, const struct pkt *p, u32 what, u32 id);
void inet_errq_stamp_stream(struct inet_sock *i, const struct pkt *p, u32 what, u32 end);
/*
 * @m, which has MSG_ZEROCOPY, is about to be sent: what its completion needs, NULL if nobody wants
 * one. 0, -ENOBUFS. Then, @sent or not, the same is given back; true: there is one to tell.
 */
int __must_check inet_errq_zerocopy(struct inet_sock *i, const struct sock_msg *m,
				    struct pkt **notice);
bool inet_errq_complete(struct inet_sock *i, struct pkt *notice, bool sent);
/* As sock_ops.recv with MSG_ERRQUEUE. ctx: thread; sleeps (user memory) */
ssize_t inet_errq_recv(struct inet_sock *i, struct sock_msg *m);

/* --- inet_dgram.c and inet_recv.c --- */

/* udplite(7): options of level SOL_UDPLITE, which no UAPI header has. */
enum { UDPLITE_SEND_CSCOV = 10, UDPLITE_RECV_CSCOV = 11 };

/* k: lock (NET_SOCK); q: qlock (NET_QUEUE); a atomic; I immutable. */
struct inet_dgram {
	struct inet_sock i; /* a: as its fields say */
	struct inet_pcb pcb; /* k: its ends; its references are this object's */
	struct spinlock lock; /* rank NET_SOCK: binding and connecting */
	struct spinlock qlock; /* rank NET_QUEUE */
	struct list queue; /* q: struct pkt */
	u32 nqueued; /* q; a to read */
	u32 rmem; /* a: bytes charged for what is queued */
	u32 wmem; /* a: for what is sent and not gone yet */
	struct waitq wait; /* own lock */
	u32 shut; /* a: SHUT_* */
	bool addr_bound, port_bound; /* k: by bind(2), so not undone by disconnecting */
	bool dead; /* a: the file is gone */
	struct route rt; /* k: of the connected end */
	u32 icmp_filter; /* a: types that are not wanted (SOCK_RAW) */
	struct pkt *cork; /* k: UDP_CORK, MSG_MORE: what waits to be sent */
	struct sockaddr_in cork_to; /* k */
	u16 cork_gso; /* k: UDP_SEGMENT of the call that began it; 0: not given */
	bool corked; /* a: UDP_CORK */
	bool no_check; /* a: SO_NO_CHECK */
	u16 gso_size; /* a: UDP_SEGMENT */
	bool gro; /* a: UDP_GRO */
	u8 ipoptlen; /* k, a to read: IP_OPTIONS */
	u8 ipopt[IP_OPTIONS_MAX]; /* k */
};

static inline struct inet_dgram *dgram_of(struct socket *s)
{
	return container_of(s, struct inet_dgram, i.s);
}
ssize_t inet_dgram_recv(struct socket *s, struct sock_msg *m); /* as sock_ops.recv */
ssize_t inet_dgram_send(struct socket *s, struct sock_msg *m); /* as sock_ops.send */
void inet_dgram_input(struct inet_pcb *pcb, struct pkt *p); /* as inet_pcb_ops */
void inet_dgram_error(struct inet_pcb *pcb, struct pkt *p, const struct net_error *e);
/* PKT_STAMP_* happen to @p, which this kind of socket sends. */
void inet_dgram_stamped(struct pkt *p, u32 what);
void inet_dgram_wake_error(struct inet_dgram *d); /* who waits looks at the error queue */
/* Bind to a free port, if it has none. 0 or -EAGAIN. */
int __must_check inet_dgram_autobind(struct inet_dgram *d);
int inet_dgram_push(struct inet_dgram *d); /* send what is corked. 0 or -errno */
bool inet_dgram_writable(const struct inet_dgram *d);
/* --- inet_mcast.c: groups, and the sources in them --- */
extern int inet_max_groups, inet_max_sources; /* a: sysctl igmp_max_memberships, igmp_max_msf */
/* Options from IP_ADD_MEMBERSHIP to MCAST_MSFILTER. As inet_setsockopt(). ctx: thread; sleeps */
int inet_mcast_set(struct inet_sock *i, int option, const void *val, u32 len);
/*
 * IP_MSFILTER and MCAST_MSFILTER: the question is in the value. *len: the room, then what there is.
 * ctx: thread; sleeps. 0 or -errno
 */
int inet_mcast_get(struct inet_sock *i, int option, u8 *val, u32 *len);
/* Does it want @p, which is for a group? ctx: any */
bool inet_mcast_wants(struct inet_sock *i, const struct pkt *p);
void inet_mcast_free(struct inet_sock *i); /* the socket goes. ctx: thread; sleeps */
/* --- inet_ipopt.c: IP_OPTIONS --- */
int inet_ipopt_set(struct inet_dgram *d, const void *val, u32 len); /* 0, -EINVAL, -EPERM */
void inet_ipopt_get(struct inet_dgram *d, void *val, u32 *len); /* at most *len bytes */
/* Those of a packet from o->src, into @opt, which has IP_OPTIONS_MAX bytes and o refers to. */
void inet_ipopt_build(struct inet_dgram *d, struct ip_out *o, u8 *opt);

/* The socket is one of these kinds (of any other: TCP). */
bool inet_is_dgram(const struct socket *s);
