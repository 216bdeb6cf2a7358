#pragma once
/*
 * TCP as its users see it: the calls of RFC 9293, 3.9.1 (OPEN, SEND, RECEIVE, CLOSE, ABORT, STATUS)
 * on a connection, none of which waits. Who wants to wait does it on tcp_waitq() for the events
 * that tcp_poll() tells, and calls again.
 *
 * A connection lives on without its user until its end has been said to the other side: the user
 * gives it back by tcp_close() or tcp_abort(), and must not touch it afterwards. Addresses and
 * ports are in network order.
 */
#include <linux/tcp.h>
#include "kernel/base/uio.h"
#include "kernel/sched/waitq.h"

struct net_chooser;
struct netdev;
struct page;
struct pkt;
struct tcp_pcb;

enum tcp_state { /* the numbers of /proc/net/tcp and TCP_INFO */
		 TCP_ESTABLISHED = 1,
		 TCP_SYN_SENT,
		 TCP_SYN_RECV,
		 TCP_FIN_WAIT1,
		 TCP_FIN_WAIT2,
		 TCP_TIME_WAIT,
		 TCP_CLOSE,
		 TCP_CLOSE_WAIT,
		 TCP_LAST_ACK,
		 TCP_LISTEN,
		 TCP_CLOSING,
};

struct tcp_addr {
	u32 addr;
	u16 port;
};

/*
 * What the user is told beside the wait queue, by whoever made it happen, under the connection's
 * lock. @events: POLL* bits.
 */
struct tcp_user_ops {
	void (*event)(void *user, u32 events);
	void (*urgent)(void *user);
	u64 (*inode)(void *user); /* for /proc/net/tcp; 0: none yet */
	/*
	 * What was asked for by TCP_SEND_STAMP_SHIFT, of @pkt, which has the bytes before @end;
	 * without headers and device when @what is PKT_STAMP_ACK. NULL: never asked for
	 */
	void (*sent)(void *user, const struct pkt *pkt, u32 what, u32 end);
};

void tcp_init(void); /* boot */
/* A closed connection without a name. -ENOMEM. ctx: thread */
int __must_check tcp_open(const struct tcp_user_ops *ops, void *user, struct tcp_pcb **out);
/* Give back: FIN after what was sent, or RST when received data was never read (RFC 2525, 2.17). */
void tcp_close(struct tcp_pcb *p);
/* Give back with RST; nothing of it stays. */
void tcp_abort(struct tcp_pcb *p);
/* -EINVAL (has a name), -EADDRINUSE. @port 0: one of the kernel's choice. */
int __must_check tcp_bind(struct tcp_pcb *p, struct tcp_addr a);
/* -EISCONN, -EALREADY, -EADDRNOTAVAIL, -ENETUNREACH...; 0: the SYN is on its way. */
int __must_check tcp_connect(struct tcp_pcb *p, struct tcp_addr to);
/*
 * Fast open (RFC 7413). As tcp_connect, but its SYN waits for tcp_fast_open. That sends it, with
 * the first bytes of @u if a cookie is there: how many, or -EALREADY: it does not wait.
 */
int __must_check tcp_connect_held(struct tcp_pcb *p, struct tcp_addr to);
ssize_t __must_check tcp_fast_open(struct tcp_pcb *p, struct uio *u);
bool tcp_held(const struct tcp_pcb *p); /* does it wait? By TCP_FASTOPEN_CONNECT, too. ctx: any */
/*
 * The keys of cookies, 16 bytes each, one or two, of which the second is believed only; @p NULL:
 * of all listeners that have none of their own. -EINVAL, -ENOMEM; get: bytes, 0: none yet. ctx:
 * thread
 */
#define TCP_FO_KEY 16u
int __must_check tcp_fo_keys_set(struct tcp_pcb *p, const void *val, u32 len);
u32 tcp_fo_keys_get(const struct tcp_pcb *p, void *val);
/* -EINVAL: it is connected. Again: another backlog. */
int __must_check tcp_listen(struct tcp_pcb *p, int backlog);
/* -EINVAL (does not listen), -EAGAIN. The user of the new one is set by tcp_set_user. */
int __must_check tcp_accept(struct tcp_pcb *p, struct tcp_pcb **out);
void tcp_set_user(struct tcp_pcb *p, const struct tcp_user_ops *ops, void *user);
/*
 * Append what fits of @u to the send queue. One sender at a time. Bytes, or -EAGAIN (no room),
 * -EPIPE, -ENOTCONN, -EFAULT, -ENOMEM (also: all of TCP has too much). @flags: TCP_SEND_*
 */
#define TCP_SEND_MORE 1u /* do not send a last small segment yet */
#define TCP_SEND_OOB 2u /* the last byte is urgent */
#define TCP_SEND_EOR 4u /* what is sent later is not put into the same segment */
#define TCP_SEND_STAMP_SHIFT 8 /* PKT_STAMP_*: when that happens to the last byte, user_ops.sent */
ssize_t __must_check tcp_send(struct tcp_pcb *p, struct uio *u, u32 flags);
/* A call sent less than it was to: what TCP_SEND_STAMP_SHIFT is for happens to the last it did. */
void tcp_send_cut(struct tcp_pcb *p, u32 flags);
/*
 * Take what is there, up to @u->left. One receiver at a time. Bytes, 0 (the other side has ended),
 * -EAGAIN, -ENOTCONN, -EFAULT, or the connection's error. @skip: with TCP_RECV_PEEK, where to
 * begin.
 */
#define TCP_RECV_PEEK 1u
#define TCP_RECV_TRUNC 2u /* throw away instead of copying */
#define TCP_RECV_INLINE 4u /* the urgent byte is an ordinary one */
ssize_t __must_check tcp_recv(struct tcp_pcb *p, struct uio *u, u32 flags, u32 skip);
/*
 * The urgent byte. -EINVAL (none, read, or passed), -EAGAIN (announced, not here), -ENOTCONN (a
 * listener, or a connection that was reset).
 */
int __must_check tcp_recv_oob(struct tcp_pcb *p, u8 *byte, bool peek);
/* Is the urgent byte the next one, or the one behind the next @skip? ctx: any */
bool tcp_at_mark(struct tcp_pcb *p, u32 skip);
/* SHUT_READ 1, SHUT_WRITE 2. -ENOTCONN */
int __must_check tcp_shutdown(struct tcp_pcb *p, u32 how);
/* connect(2) to AF_UNSPEC: back to a closed connection, with RST. */
void tcp_disconnect(struct tcp_pcb *p);
/* tcp_connect, tcp_listen and tcp_disconnect throw away what was received: not beside tcp_recv. */

/* --- looking: no lock, a moment's truth --- */
u32 tcp_poll(const struct tcp_pcb *p); /* POLL* */
struct waitq *tcp_waitq(struct tcp_pcb *p);
enum tcp_state tcp_state(const struct tcp_pcb *p);
int tcp_take_error(struct tcp_pcb *p); /* 0 or -errno, once */
long tcp_queued(const struct tcp_pcb *p, bool out);
long tcp_not_sent(const struct tcp_pcb *p); /* bytes that never went out, or -EINVAL: listens */
bool tcp_name(const struct tcp_pcb *p, bool peer, struct tcp_addr *out); /* false: no peer */
void tcp_remote(const struct tcp_pcb *p, struct tcp_addr *out); /* also when it has ended */
bool tcp_unsent(const struct tcp_pcb *p); /* something is not acknowledged yet */
u32 tcp_readable(const struct tcp_pcb *p); /* bytes */
u32 tcp_left(const struct tcp_pcb *p); /* the same, and one for the end if it has come */

/* --- options --- */
/* TCP_*; -ENOPROTOOPT, -EINVAL, -ENOENT (congestion control). */
int tcp_set_option(struct tcp_pcb *p, int option, const void *val, u32 len);
int tcp_get_option(struct tcp_pcb *p, int option, void *val, u32 *len);
/* What struct socket holds and TCP acts on. */
struct tcp_settings {
	int rcvbuf, sndbuf; /* bytes; 0: left to auto-tuning */
	int rcvlowat;
	bool keepalive, reuseaddr, reuseport, oobinline;
	u8 tos, ttl; /* 0: the default */
	u8 pmtudisc; /* IP_PMTUDISC_* */
	u32 uid; /* whose it is, for lists and SO_REUSEPORT */
	const struct netdev *dev; /* SO_BINDTODEVICE; NULL: any */
};
/* SO_MAX_PACING_RATE: bytes per second; ~0: no limit. 0, -ENOMEM. ctx: thread */
int tcp_set_pacing(struct tcp_pcb *p, u64 rate);
/*
 * Takes @c instead of the program of those who listen at the same port; NULL: none. 0, -ENOENT
 * (there was none), -ENOMEM (@c stays the caller's).
 */
int tcp_set_chooser(struct tcp_pcb *p, struct net_chooser *c);
/*
 * IP_MINTTL: segments with less do not come in, 0: all do; and the program that says which do, from
 * their TCP header on, of which a reference is taken. The listener's are those of its connections.
 * 0, -ENOMEM. ctx: thread
 */
int tcp_set_min_ttl(struct tcp_pcb *p, u8 ttl);
int tcp_set_ports(struct tcp_pcb *p, u32 range); /* IP_LOCAL_PORT_RANGE. 0, -ENOMEM. ctx: thread */
int tcp_set_filter(struct tcp_pcb *p, struct net_chooser *c);
struct net_chooser *tcp_get_filter(struct tcp_pcb *p); /* with a reference; NULL: there is none */
void tcp_stamped(struct pkt *pkt, u32 what); /* PKT_STAMP_TCP: tell the user. ctx: thread */
/* The number of the first byte that is not acknowledged. */
u32 tcp_unacked(const struct tcp_pcb *p);
void tcp_set(struct tcp_pcb *p, const struct tcp_settings *s);
void tcp_buffers(const struct tcp_pcb *p, int *rcvbuf, int *sndbuf); /* as they are now */

/* The congestion control of new connections. False: there is none of that name. */
bool tcp_cc_choose(const char *name, u32 len);
const char *tcp_cc_chosen(void);
const char *tcp_cc_name(u32 index); /* NULL: past the last */
/* May only an administrator choose it for a socket? */
bool tcp_cc_is_restricted(const char *name, u32 len);
/* Those in @names, with a space between, are for all, no others. False: one is not known. */
bool tcp_cc_allow(const char *names);

/* --- lists: /proc/net/tcp --- */
struct tcp_row {
	struct tcp_addr local, peer;
	u8 state;
	u8 timer; /* of /proc/net/tcp: 0 none, 1 retransmit, 2 keepalive, 3 TIME_WAIT, 4 probe */
	u8 retransmits, probes;
	u32 tx, rx;
	s64 expires; /* ns from now */
	u32 uid, refs;
	u64 id; /* the same for one connection while it lives */
	u64 inode; /* as the user says; 0: nobody has it open */
	u32 rto_ms, ato_ms, quick, cwnd;
	int ssthresh;
	/* Of connections and listeners only, for sock_diag: */
	int rcvbuf, sndbuf;
	u8 tos;
	const char *cc; /* NULL: of another kind */
	struct tcp_info info;
};
/*
 * Call @fn for all connections, in no order; copies, no lock is held. ctx: thread. 0 or @fn's error
 */
int tcp_for_each(int (*fn)(const struct tcp_row *row, void *arg), void *arg);

struct tcp_usage {
	u32 inuse, orphans, timewait, allocated; /* inuse: in the tables */
	u64 pages;
};
void tcp_usage(struct tcp_usage *u);

/* Counters, in the order of the rows of /proc/net/snmp (Tcp) and /proc/net/netstat (TcpExt). */
/* clang-format off */
#define TCP_MIB(X) \
	X(ACTIVE_OPENS) X(PASSIVE_OPENS) X(ATTEMPT_FAILS) X(ESTAB_RESETS) X(CURR_ESTAB) \
	X(IN_SEGS) X(OUT_SEGS) X(RETRANS_SEGS) X(IN_ERRS) X(OUT_RSTS) X(IN_CSUM_ERRORS)
#define TCP_MIB_EXT(X) \
	X(SyncookiesSent) X(SyncookiesRecv) X(SyncookiesFailed) X(PruneCalled) X(RcvPruned) \
	X(OfoPruned) X(TW) X(TWRecycled) X(PAWSActive) X(PAWSEstab) X(DelayedACKs) \
	X(DelayedACKLost) X(ListenOverflows) X(ListenDrops) X(TCPHPHits) X(TCPPureAcks) \
	X(TCPHPAcks) X(TCPRenoRecovery) X(TCPSackRecovery) X(TCPSACKReneging) X(TCPSACKReorder) \
	X(TCPFullUndo) X(TCPPartialUndo) X(TCPDSACKUndo) X(TCPLossUndo) X(TCPLostRetransmit) \
	X(TCPFastRetrans) X(TCPSlowStartRetrans) X(TCPTimeouts) X(TCPLossProbes) \
	X(TCPLossProbeRecovery) X(TCPBacklogDrop) X(TCPMinTTLDrop) X(TCPDSACKOldSent) \
	X(TCPDSACKOfoSent) X(TCPDSACKRecv) X(TCPAbortOnData) X(TCPAbortOnClose) \
	X(TCPAbortOnMemory) X(TCPAbortOnTimeout) X(TCPAbortOnLinger) X(TCPAbortFailed) \
	X(TCPMemoryPressures) X(TCPSpuriousRTOs) X(TCPRcvCoalesce) X(TCPOFOQueue) \
	X(TCPOFODrop) X(TCPOFOMerge) \
	X(TCPChallengeACK) X(TCPSYNChallenge) X(TCPFastOpenActive) X(TCPFastOpenActiveFail) \
	X(TCPFastOpenPassive) X(TCPFastOpenPassiveFail) X(TCPFastOpenListenOverflow) \
	X(TCPFastOpenCookieReqd) X(TCPFastOpenBlackhole) X(TCPReqQFullDoCookies) \
	X(TCPReqQFullDrop) X(TCPRetransFail) X(TCPRcvCollapsed) X(TCPTimeWaitOverflow) \
	X(TCPZeroWindowDrop) X(TCPFromZeroWindowAdv) X(TCPToZeroWindowAdv) \
	X(TCPWantZeroWindowAdv) X(TCPSynRetrans) X(TCPOrigDataSent) X(TCPACKSkipped) \
	X(TCPWinProbe) X(TCPKeepAlive) X(TCPDelivered) \
	X(TCPDeliveredCE) X(TCPFastOpenPassiveAltKey)
/* clang-format on */
enum tcp_mib {
#define X(id) TCP_MIB_##id,
	TCP_MIB(X) TCP_MIB_EXT(X)
#undef X
		TCP_MIB_COUNT,
};
u64 tcp_mib(enum tcp_mib id); /* sum over all CPUs */

/* --- settings of all TCP, named as under /proc/sys/net/ipv4; net/sock registers them. a --- */
extern int tcp_sysctl_sack, tcp_sysctl_timestamps, tcp_sysctl_wscale, tcp_sysctl_ecn,
	tcp_sysctl_syncookies, tcp_sysctl_syn_retries, tcp_sysctl_synack_retries,
	tcp_sysctl_retries2, tcp_sysctl_orphan_retries, tcp_sysctl_fin_timeout,
	tcp_sysctl_keepalive_time, tcp_sysctl_keepalive_intvl, tcp_sysctl_keepalive_probes,
	tcp_sysctl_tw_reuse, tcp_sysctl_max_tw, tcp_sysctl_max_orphans, tcp_sysctl_max_syn_backlog,
	tcp_sysctl_frto, tcp_sysctl_dsack, tcp_sysctl_early_retrans, tcp_sysctl_abort_overflow,
	tcp_sysctl_challenge_limit, tcp_sysctl_moderate_rcvbuf, tcp_sysctl_rfc1337,
	tcp_sysctl_slow_start_idle, tcp_sysctl_stdurg, tcp_sysctl_recovery, tcp_sysctl_somaxconn,
	tcp_sysctl_mtu_probing, tcp_sysctl_base_mss, tcp_sysctl_retries1, tcp_sysctl_fastopen,
	tcp_sysctl_fastopen_pause;
extern int tcp_sysctl_rmem[3], tcp_sysctl_wmem[3];
extern u64 tcp_sysctl_mem[3]; /* pages */
extern u64 tcp_sysctl_notsent_lowat[1];
