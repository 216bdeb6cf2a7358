#pragma once
/*
 * The connection, as the files of net/tcp share it.
 *
 * Locking. Everything of a connection is guarded by its spinlock (rank TCP_PCB), which is never
 * held while a packet is handed down or user memory is touched. Segments that were made under the
 * lock are collected in .outq; tcp_unlock() sends them after the lock was given up, one thread at a
 * time (.sending), so that they leave in order, and so that a segment that loops back into another
 * connection, or into this one, finds no lock held. The same place wakes who waits.
 *
 * The receive queue is appended to by input and taken from by the one receiver (the socket lets in
 * one at a time), who copies without the lock: what he looks at can only go away by himself.
 *
 * References: the user's, the table's (as long as .key is hashed), one for the armed timer or its
 * queued work, one for whoever looked it up.
 */
#include <arch/atomic.h>
#include "kernel/base/percpu.h"
#include "kernel/base/table.h"
#include "kernel/base/time.h"
#include "kernel/base/timeout.h"
#include "kernel/lib/list.h"
#include "kernel/lib/rbtree.h"
#include "kernel/lib/refcount.h"
#include "kernel/sched/work.h"
#include "net/chooser.h"
#include "net/inet.h"
#include "net/pkt.h"
#include "net/tcp.h"
#include "net/tcp/tcp_seq.h"

#define TH_FIN 0x01u
#define TH_SYN 0x02u
#define TH_RST 0x04u
#define TH_PSH 0x08u
#define TH_ACK 0x10u
#define TH_URG 0x20u
#define TH_ECE 0x40u
#define TH_CWR 0x80u

#define TCP_MSS_MIN 88u
#define TCP_MTU_MIN 552u /* that ICMP may tell: as net.ipv4.route.min_pmtu */
#define TCP_MSS_536 536u /* RFC 9293, 3.7.1 */
#define TCP_HDR 20u
#define TCP_OPT_MAX 40u
#define TCP_FO_OPT_MAX 20u
#define TCP_TS_LEN 12u /* with two NOPs */
#define TCP_WSCALE_MAX 14
#define TCP_SACKS 4 /* blocks remembered and sent */
#define TCP_SEG_MAX 65535u

#define USEC 1000LL /* in ns */
#define MSEC 1000000LL
#define SEC 1000000000LL
#define TCP_RTO_INIT (1 * SEC) /* RFC 6298, 2.1 */
#define TCP_RTO_LOST_SYN (3 * SEC) /* 5.7 */
#define TCP_RTO_MIN (200 * MSEC)
#define TCP_RTO_MAX (120 * SEC)
#define TCP_DELACK (40 * MSEC)
#define TCP_REO_PERSIST 16u /* RFC 8985, 6.2 step 4 */
#define TCP_TIMEWAIT (60 * SEC)
#define TCP_PAWS_IDLE (24LL * 24 * 3600 * SEC) /* RFC 7323, 5.5 */
#define TCP_LINGER_MAX 120 /* s */

/* What a table of connections holds: a connection, one that is being made, or one in TIME_WAIT. */
enum tcp_kind { TCP_KIND_PCB, TCP_KIND_REQ, TCP_KIND_TW };

/* b: the bucket's lock; I: immutable while hashed. */
struct tcp_key {
	struct list link; /* b: of the table by addresses, or of the listeners */
	struct list bind; /* port bucket's lock: of the table by local port */
	refcount_t refs; /* a */
	be32 laddr, raddr; /* I */
	be16 lport, rport; /* I */
	u8 kind : 4; /* I: enum tcp_kind */
	u8 bound : 4; /* port bucket's lock: enum tcp_bound */
	bool reuse, reuseport; /* a: SO_REUSEADDR, SO_REUSEPORT */
	bool listens; /* a: for bind: it takes what comes to its port */
	u32 uid; /* a */
	const struct netdev *dev; /* a: SO_BINDTODEVICE; NULL: any */
};

/* One piece of the send queue. */
#define SEG_SACKED 1u
#define SEG_LOST 2u
#define SEG_RETRANS 4u /* sent again, and that is thought to be in flight */
#define SEG_EVER 8u /* was ever sent again (Karn) */
#define SEG_EOR 16u /* while it was never sent: nothing is added to it (MSG_EOR) */
struct tcp_seg {
	struct list link;
	u32 seq, end; /* SYN and FIN count */
	u32 len; /* bytes of data */
	u8 flags; /* TH_SYN, TH_FIN, TH_PSH */
	u8 mark; /* SEG_* */
	u8 nfrags;
	u8 stamp; /* PKT_STAMP_*: what the user is to be told of its last byte */
	s64 sent; /* when last; 0: never */
	struct pkt_frag frags[PKT_FRAGS_MAX]; /* references */
};

/* In pkt.cb of the receive queues. */
struct tcp_rx {
	u32 seq, end; /* of the data; with FIN */
	u32 fin; /* ends with FIN */
	struct rb_node node; /* in tcp_pcb.ooo */
};
static inline struct tcp_rx *tcp_rx(struct pkt *p)
{
	_Static_assert(sizeof(struct tcp_rx) <= sizeof(p->cb), "fits");
	return (struct tcp_rx *)p->cb;
}

/* In pkt.cb of a segment on its way out. */
struct tcp_tx {
	be32 src, dst;
	u8 tos, ttl;
	bool df; /* do not fragment */
	const struct netdev *dev;
};
static inline struct tcp_tx *tcp_tx(struct pkt *p)
{
	return (struct tcp_tx *)p->cb;
}

struct tcp_path {
	be32 src; /* in: wanted, 0: any; out */
	const struct netdev *dev; /* in: only there; NULL: anywhere */
	u32 mtu;
	u32 gso_max; /* bytes that may be handed down as one packet; 0: no more than a segment */
};

struct tcp_block {
	u32 start, end;
};

/* A segment that came in, taken apart. */
struct tcp_in {
	struct pkt *pkt; /* NULL once it was put into a queue */
	s64 now;
	const struct netdev *dev; /* it came by; NULL: not known */
	be32 src, dst;
	be16 sport, dport;
	u32 seq, ack, end; /* end: behind the last, SYN and FIN counted */
	u32 len; /* bytes of data */
	u32 wnd, urg; /* wnd: as it stands */
	u32 tsval, tsecr;
	u16 mss; /* 0: no option */
	u8 flags;
	u8 wscale; /* 255: no option */
	bool has_ts, sack_ok;
	u8 nsack;
	u8 tos;
	bool reset; /* out: it is to be answered with RST */
	u8 fo; /* how far before its data the option of fast open is; 0: none; only of a SYN */
	u32 isn; /* for a SYN that takes the place of a TIME_WAIT; 0: a fresh one */
	struct tcp_path path; /* back to where it came from; only for listeners */
	struct tcp_block sack[TCP_SACKS];
};

enum tcp_timer {
	TCPT_SEND, /* retransmission, probe of the window, TLP, reordering: by .send_timer */
	TCPT_ACK, /* delayed acknowledgment */
	TCPT_KEEP, /* keepalive; the end of FIN_WAIT_2 when nobody uses it */
	TCPT_COUNT
};
enum tcp_send_timer { ST_RTO, ST_PROBE, ST_TLP, ST_REORDER };

/* Sender's state of congestion: numbers as in TCP_INFO. */
enum tcp_ca { CA_OPEN, CA_DISORDER, CA_CWR, CA_RECOVERY, CA_LOSS };

struct tcp_pcb;

/* A congestion control. All: holds pcb->lock. Windows are in bytes. */
struct tcp_cc {
	const char *name;
	void (*init)(struct tcp_pcb *p);
	u32 (*ssthresh)(struct tcp_pcb *p); /* after a loss or an ECN mark */
	void (*acked)(struct tcp_pcb *p, u32 bytes, s64 now); /* grow p->cwnd; not in recovery */
	void (*timeout)(struct tcp_pcb *p); /* a retransmission timeout; NULL: nothing */
	void (*undo)(struct tcp_pcb *p); /* the last reduction was wrong; NULL: nothing */
};
#define TCP_CC(id, ...) \
	TABLE_ENTRY(tcp_cc, struct tcp_cc, tcp_cc_##id) = { .name = #id, __VA_ARGS__ }
TABLE_DECLARE(tcp_cc, struct tcp_cc);

struct tcp_cubic {
	u32 epoch; /* ms; 0: begins with the next acknowledgment */
	u32 last; /* ms: when it grew last */
	u32 w_max, k_ms, w_est, origin, last_max;
	u32 acked; /* for w_est */
	/* HyStart: the round, the least of its delays */
	u32 round_end, round_rtt, last_rtt, samples;
};

struct tcp_listener {
	struct list ready; /* struct tcp_pcb.accept: to be accepted */
	struct list reqs; /* struct tcp_req.wait: SYN seen */
	u32 nready, nreqs, backlog;
	s64 cookies_at; /* when cookies were last sent: only then are they believed */
	u32 fo_pending; /* a: fast opens that count: the handshake is not over, or was reset */
	u32 fo_resets; /* a: of these, were reset */
	s64 fo_until; /* a: so long these count */
	struct tcp_pcb *pcb;
};

/* Bits of tcp_pcb.flags. */
#define PF_NODELAY 0x1u
#define PF_CORK 0x2u
#define PF_SACK 0x4u /* both sides can */
#define PF_TS 0x8u
#define PF_WSCALE 0x10u
#define PF_ECN 0x20u
#define PF_ECE_PENDING 0x40u /* a CE mark came and its CWR did not yet */
#define PF_CWR_PENDING 0x80u /* tell that the window was reduced */
#define PF_ACK_NOW 0x100u
#define PF_KEEPALIVE 0x200u
#define PF_ORPHAN 0x400u /* no user */
#define PF_FIN_QUEUED 0x800u
#define PF_FIN_RCVD 0x1000u
#define PF_PINGPONG 0x2000u /* answers carry the acknowledgments */
#define PF_QUICKACK 0x4000u /* by TCP_QUICKACK */
#define PF_REORDER_SEEN 0x8000u
#define PF_FRTO 0x10000u
#define PF_TLP_RETRANS 0x20000u /* the probe was a retransmission */
#define PF_RCVBUF_SET 0x40000u
#define PF_SNDBUF_SET 0x80000u
#define PF_DEFER 0x100000u /* TCP_DEFER_ACCEPT */
#define PF_OOBINLINE 0x200000u
#define PF_CWND_LIMITED 0x400000u
#define PF_IN_ACCEPT 0x800000u /* in a listener's queue: not counted as orphan */
#define PF_FRTO2 0x2000000u /* new data was sent instead of what is marked lost */
#define PF_THIN 0x4000000u /* TCP_THIN_LINEAR_TIMEOUTS */
#define PF_CLOSED 0x1000000u /* every resource was given back */
#define PF_OWN_ADDR 0x8000000u /* .key.laddr was named by bind(2) */
#define PF_OWN_PORT 0x10000000u /* .key.lport was */
#define PF_FO_FAIL 29 /* shift: enum tcp_fastopen_client_fail, two bits */

/* Bits of tcp_pcb.fo: fast open (RFC 7413). */
#define FO_CONNECT 1u /* TCP_FASTOPEN_CONNECT */
#define FO_NO_COOKIE 2u /* TCP_FASTOPEN_NO_COOKIE */
#define FO_KEPT 3u /* these outlive a connection */
#define FO_HELD 4u /* SYN_SENT, but the SYN waits for the first bytes */
#define FO_TRY 8u /* the next SYN may have the option */
#define FO_ASKED 0x10u /* a SYN had it */
#define FO_DATA 0x20u /* a SYN had bytes */
#define FO_ACKED 0x40u /* which were taken */
#define FO_PENDING 0x80u /* open before its handshake is over: extra->opener counts it */
#define FO_EXP 0x100u /* by the option of before RFC 7413 */

/* What a connection that has something to send waits for; RFC 4898 calls it SndLim. */
enum tcp_limit { LIMIT_PATH, LIMIT_WINDOW, LIMIT_BUFFER, LIMIT_IDLE };

/* For TCP_INFO alone. */
struct tcp_stat {
	u32 data_in, data_out, ooo_in, ce_in, dsacks_in, reordered; /* segments */
	u32 rate_end, rate_from; /* a round: until this is acknowledged; .delivered when it began */
	u32 rate; /* bytes per second in the last one, at most what fits */
	u16 reordering; /* segments that something was overtaken by, at most */
	u8 limit; /* enum tcp_limit, what keeps from sending now */
	bool app_limited; /* when .rate was taken the user had nothing more to send */
	s64 rate_at; /* when the round began; 0: there is none */
	s64 limit_at; /* since when */
	s64 limited[LIMIT_IDLE]; /* how long what did */
};

/* What cookies of fast open are made with: by the first; the second is believed, too. */
struct tcp_fo_keys {
	u64 k[2][2];
	u32 n; /* 0: there is none */
};

/* What only some connections have. l: the connection's lock. */
struct tcp_extra {
	u64 rate; /* l: SO_MAX_PACING_RATE: bytes per second; ~0: no limit */
	s64 next; /* l: when it lets the next segment go */
	s64 deadline; /* l: when that is tried; TIME_NEVER: nothing waits for it */
	struct net_chooser *chooser; /* the listeners' bucket: of all that share the port */
	u32 fo_most; /* l: TCP_FASTOPEN: how many may be pending; 0: none */
	struct tcp_fo_keys fo_keys; /* tcp_fastopen.c's lock: TCP_FASTOPEN_KEY */
	struct tcp_pcb *opener; /* l: reference; the listener of a fast open, while FO_PENDING */
	struct net_chooser *filter; /* l: reference; SO_ATTACH_FILTER */
	u32 ports; /* a: IP_LOCAL_PORT_RANGE; 0: of all */
	u8 min_ttl; /* l: IP_MINTTL */
};

enum tcp_urg { URG_NONE, URG_COMING, URG_HERE, URG_READ };

/*
 * l: .lock; a: atomic or a word read without it; I: immutable once the state is past SYN_SENT;
 * s: the one sender; r: the one receiver; others as they say.
 */
struct tcp_pcb {
	struct tcp_key key; /* its own locks */
	struct spinlock lock; /* rank TCP_PCB */
	u16 reo_mult; /* l: reordering window in quarters of min_rtt */
	u16 fo; /* l, a: FO_* */
	struct waitq wait; /* own lock */
	const struct tcp_user_ops *uops; /* l */
	void *user; /* l */
	struct tcp_listener *listener; /* l: LISTEN */
	struct list accept; /* l of the listener */
	const struct tcp_cc *cc; /* l */
	struct list outq; /* l: packets to be sent by tcp_unlock */
	bool sending; /* l */
	u8 state; /* l, a for looking: enum tcp_state */
	u8 shut; /* l, a: 1 no more receiving, 2 no more sending */
	u8 wake; /* l: WAKE_* for tcp_unlock */
	u32 flags; /* l, a: PF_* */
	int err; /* a: to be reported once, positive */
	s16 soft_err; /* l: what a timeout will be reported as */
	s16 linger2; /* l: s; 0: the default; < 0: at once */
	u8 tos, ttl; /* l */
	u8 pmtudisc; /* l: IP_PMTUDISC_* */
	bool mtu_locked; /* l: the path says it takes less than it may: it has to cut */
	u8 send_timer; /* l: enum tcp_send_timer */
	bool timer_on; /* l: a reference is held for .timer or .work */
	bool no_room; /* a: a sender, or a poller, was told to wait until there is room */
	u8 reo_persist; /* l: recoveries until .reo_mult is small again */

	/* Sending. */
	u32 iss, snd_una, snd_nxt; /* l, a */
	u32 snd_end; /* l, a: behind the last byte queued */
	u32 snd_wnd, snd_wl1, snd_wl2, max_wnd; /* l: RFC 9293, 3.3.1 */
	u32 snd_up; /* l: behind the urgent byte; == snd_una: none */
	u32 snd_small; /* l: end of the last segment below the MSS (Minshall) */
	u8 snd_wscale, rcv_wscale; /* l */
	u16 mss; /* l: of data, options subtracted */
	u16 peer_mss, user_mss; /* l */
	u32 pmtu; /* l */
	u16 path_mtu; /* l: what it was before a black hole was suspected; 0: none was */
	u16 gso_max; /* l: bytes in one packet handed down */
	u32 notsent_lowat; /* a: TCP_NOTSENT_LOWAT; 0: net.ipv4.tcp_notsent_lowat */
	u32 nsegs; /* l, a: of .sndq */
	s64 mtu_again; /* l: when that is tried again */
	struct list sndq; /* l: struct tcp_seg */
	struct tcp_seg *unsent; /* l: the first of .sndq never sent; NULL: none */
	struct page *spage; /* a: what the next send goes on filling; NULL: nothing, or in use */
	u32 spage_off, spage_size; /* s */
	int sndbuf; /* a */
	u32 sacked, lost, retrans; /* l: bytes, for RFC 6675's pipe */
	u32 nsacked; /* l: segments */
	u32 reno_sacked; /* l: bytes that duplicate ACKs speak for, without SACK */
	u8 ca; /* l: enum tcp_ca */
	u8 dupacks; /* l */
	u8 backoff, retries; /* l */
	u32 cwnd, ssthresh; /* l, a: bytes */
	u32 cwnd_acked; /* l: bytes towards the next increase */
	u32 most_out, use_end; /* l: how much of .cwnd is used; until this is acknowledged */
	u32 high_seq; /* l: recovery ends when this is acknowledged */
	u32 prior_cwnd, prior_ssthresh; /* l: for undoing */
	u32 undo_marker; /* l: snd_una when the window was reduced; 0: nothing to undo */
	int undo_retrans; /* l: retransmissions not yet shown useless by DSACK */
	u32 total_retrans; /* l */
	s64 retrans_stamp; /* l: first retransmission of this episode; 0: none */
	u32 retrans_ts; /* l: its timestamp */
	u32 prr_delivered, prr_out, prr_flight; /* l: RFC 6937 */
	s64 rack_sent; /* l: RFC 8985: newest delivered segment was sent then */
	s64 rack_rtt, rack_min_rtt; /* l */
	u32 rack_end, rack_fack; /* l */
	s64 reo_late; /* l: how much later than RACK expected something was seen to come */
	u32 reo_round; /* l: .reo_mult grows again when this is acknowledged */
	u32 tlp_end; /* l: probe out, up to here; 0: none */
	s64 srtt, rttvar, rto; /* l: ns, RFC 6298 */
	struct tcp_extra
		*extra; /* a, never changes once made: what few want; NULL: nothing of it */
	s64 first_unanswered; /* l: when what is not answered began; 0: all is */
	s64 last_sent; /* l */
	u64 bytes_acked, bytes_received, segs_in, segs_out, delivered, bytes_sent,
		bytes_retrans; /* l */
	u64 cc_state[6]; /* l: of the congestion control */

	/* Receiving. */
	u32 rcv_nxt, copied; /* l, a: copied: the user has all below */
	u32 rcv_wup; /* l: rcv_nxt in the last ACK */
	u32 rcv_wnd; /* l: said in it */
	u32 rcv_rtt_seq; /* l */
	u32 mem; /* l: bytes charged to all of TCP, in quanta */
	struct list rcvq; /* l to append, r to take */
	struct rb_root ooo; /* l: struct tcp_rx by seq, not overlapping */
	u32 rcv_mem, ooo_mem; /* l: bytes with what they cost */
	int rcvbuf, rcvlowat; /* a */
	u16 rcv_mss; /* l: what the other side sends */
	u8 urg; /* l, a: enum tcp_urg */
	u8 urg_byte; /* l */
	u32 urg_seq; /* l, a: of the urgent byte */
	u8 nsacks; /* l */
	bool dsack; /* l: .dblock is to be told */
	u8 probes, keep_sent; /* l */
	struct tcp_block dblock; /* l: came twice (RFC 2883) */
	struct tcp_block sacks[TCP_SACKS]; /* l: newest first */
	u32 ts_recent; /* l: RFC 7323 */
	s64 ts_recent_at; /* l */
	u32 ts_offset; /* I */
	u8 quick; /* l: segments still to be acknowledged at once */
	u8 keep_cnt, syn_retries; /* l */
	u8 defer; /* l: TCP_DEFER_ACCEPT: as long as so many SYN-ACKs take */
	s64 ato; /* l */
	s64 last_rcv, last_ack; /* l: data, and anything acceptable, came */
	s64 drs_at; /* l: dynamic right-sizing: since when .drs_copied counts */
	u32 drs_seq, drs_space; /* l */
	s64 rcv_rtt; /* l */
	s64 rcv_rtt_at; /* l */
	s64 challenge_at, oow_at; /* l: the last of its kind (RFC 5961, 7) */

	/* Timers: deadlines, served by one timeout that may be armed too early, never too late. */
	s64 deadline[TCPT_COUNT]; /* l: TIME_NEVER: off */
	s64 armed; /* l: .timer's time; TIME_NEVER: off */
	struct timeout timer; /* own lock */
	struct work work; /* own lock */
	u32 keep_idle, keep_intvl; /* l: s */
	u32 user_timeout; /* l: ms; 0: the default */
	u32 window_clamp; /* l: 0: none */
	struct tcp_stat stat; /* l */
};

#define WAKE_READ 1u
#define WAKE_WRITE 2u
#define WAKE_URG 4u
#define WAKE_ALL 8u
#define WAKE_ERR 16u
#define WAKE_ROOM 32u /* there may be room to send now: WAKE_WRITE if somebody waits for it */

/* Between SYN and the third segment of a passive open. l: the listener's lock; I immutable. */
struct tcp_req {
	struct tcp_key key; /* its own */
	struct list wait; /* l */
	struct tcp_pcb *listener; /* I: reference */
	u32 irs, iss; /* I */
	u32 ts_recent, ts_offset; /* l, I */
	u16 mss, our_mss; /* I: the peer's, ours */
	u8 wscale, rcv_wscale; /* I; wscale 255: none */
	bool sack_ok, ts, ecn; /* I */
	u8 retries; /* l */
	bool acked; /* l: TCP_DEFER_ACCEPT: the third segment came, without data */
	s64 due; /* l: next SYN-ACK */
	s64 sent; /* l: the first, for the RTT */
	u32 rcv_wnd; /* I */
};

/* RFC 9293's TIME-WAIT, kept small. I but ts_recent, expires: the bucket's lock. */
struct tcp_tw {
	struct tcp_key key; /* its own */
	struct list queue; /* the list of all, by .expires; own lock */
	s64 expires; /* own lock */
	u32 snd_nxt, rcv_nxt, rcv_wnd; /* I */
	u32 ts_recent, ts_offset; /* b */
	s64 since; /* I */
	s64 oow_at; /* b */
	u8 tos; /* I */
	bool ts; /* I */
};

/* --- tcp_pcb.c --- */
struct tcp_pcb *tcp_pcb_alloc(void);
void tcp_pcb_put(struct tcp_pcb *p);
static inline struct tcp_pcb *tcp_pcb_get(struct tcp_pcb *p)
{
	ref_get(&p->key.refs);
	return p;
}
static inline void tcp_lock(struct tcp_pcb *p)
{
	spin_lock(&p->lock);
}
void tcp_unlock(struct tcp_pcb *p); /* sends .outq, wakes */
void tcp_set_state(struct tcp_pcb *p, enum tcp_state s);
/* The connection is over: out of the tables, timers off, queues freed. @err: reported, 0: none */
void tcp_drop(struct tcp_pcb *p, int err);
bool tcp_charge(struct tcp_pcb *p,
		u32 bytes); /* account for queued bytes; false: TCP has too much */
void tcp_settle(struct tcp_pcb *p); /* give back what the queues no longer need */
bool tcp_memory_pressure(void);
void tcp_purge(struct tcp_pcb *p); /* all queues */

/* --- tcp_table.c --- */
enum tcp_bound { BOUND_NOT, BOUND_AUTO, BOUND_USER };
void tcp_table_init(void);
u32 tcp_hash(be32 laddr, be16 lport, be32 raddr, be16 rport);
/* Whose a segment is, by its ports, addresses, device. Reference. NULL: none. */
struct tcp_key *tcp_lookup(const struct tcp_in *in);
struct tcp_pcb *tcp_lookup_listener(const struct tcp_in *in);
/* Does @k take what comes by @dev? */
static inline bool tcp_key_hears(const struct tcp_key *k, const struct netdev *dev)
{
	const struct netdev *own = READ_ONCE(k->dev);

	return likely(!own) || !dev || own == dev;
}
/*
 * Into the table by addresses: takes a reference. False: there is one already (a TIME_WAIT that may
 * go is not).
 */
bool __must_check tcp_table_add(struct tcp_key *k);
/* The same, instead of @old, whose reference is dropped. False: @old was gone. */
bool __must_check tcp_table_replace(struct tcp_key *old, struct tcp_key *k);
void tcp_key_put(struct tcp_key *k); /* a reference, whatever it is of */
bool tcp_table_del(struct tcp_key *k); /* drops the reference; false: was not there */
void tcp_listen_add(struct tcp_pcb *p);
int __must_check tcp_port_bind(struct tcp_key *k, be32 addr, be16 port);
void tcp_port_add(struct tcp_key *k); /* an accepted one: on its listener's port */
void tcp_port_move(struct tcp_key *from, struct tcp_key *to);
void tcp_port_free(struct tcp_key *k);
int __must_check tcp_port_connect(struct tcp_pcb *p); /* chooses a port, puts @p into the tables */
bool tcp_port_conflict_listen(struct tcp_key *k);
struct tcp_key *tcp_table_next(u32 *bucket, u32 *skip); /* for listing; a reference */

/* --- tcp_hash.c --- */
void tcp_secrets_init(void);
u64 tcp_siphash(const u32 *words, u32 n, u32 which);
u64 tcp_siphash_key(const u64 key[2], const u32 *words, u32 n, u32 which);
u32 tcp_isn(be32 laddr, be16 lport, be32 raddr, be16 rport);
u32 tcp_ts_offset(be32 laddr, be32 raddr);
u32 tcp_port_offset(be32 laddr, be32 raddr, be16 rport);

/* --- tcp_seg.c --- */
/* Takes @pkt apart, which begins with the TCP header. False: malformed. */
bool __must_check tcp_parse(struct tcp_in *in, struct pkt *pkt);
u32 tcp_write_syn_options(u8 *o, u16 mss, u8 wscale, bool ts, bool sack, u32 tsval, u32 tsecr);
/* A packet with TCP header and @optlen bytes of options from @opt. NULL: no memory. */
struct pkt *tcp_make(const struct tcp_key *k, u32 seq, u32 ack, u8 flags, u32 wnd, const u8 *opt,
		     u32 optlen);
/* Answer to a segment that belongs to nobody: RST, unless it is one (RFC 9293, 3.10.7.1). */
void tcp_answer_reset(const struct tcp_in *in);
/*
 * Onto the list of packets to be sent, complete: sum of the pseudo header and addresses are filled
 * in.
 */
void tcp_enqueue(struct list *outq, struct pkt *pkt, const struct tcp_key *k, u8 tos, u8 ttl,
		 bool df);
/* Do its segments go with "do not fragment"? holds: p->lock */
static inline bool tcp_df(const struct tcp_pcb *p)
{
	return p->pmtudisc == IP_PMTUDISC_DO || (p->pmtudisc == IP_PMTUDISC_WANT && !p->mtu_locked);
}
static inline u32 tcp_ts_now(s64 now, u32 offset)
{
	return (u32)(u64)(now / MSEC) + offset;
}

/* --- tcp_input.c, tcp_state.c, tcp_ack.c --- */
/*
 * Does the user of @p let the segment in (tcp_set_filter)? @in may be shorter then. False: nobody
 * hears of it. holds: p->lock
 */
bool tcp_admits(const struct tcp_pcb *p, struct tcp_in *in);
bool tcp_admit_same(struct tcp_pcb *p, const struct tcp_pcb *l); /* as @l. False: no memory */
void tcp_input(struct pkt *pkt); /* network header set; consumes */
/* The segment for @p, which the caller has locked and holds. */
void tcp_segment(struct tcp_pcb *p, struct tcp_in *in);
/*
 * ICMP says of a segment that we sent: @errno_; @mtu != 0: it was too big. False: nobody has sent
 * such a one.
 */
bool tcp_error(be32 laddr, be16 lport, be32 raddr, be16 rport, u32 seq, int errno_, u32 mtu);
/* The round trip that @in ends is @rtt, or what its time stamp says of it if that is negative. */
void tcp_measure(struct tcp_pcb *p, const struct tcp_in *in, s64 rtt);
/* Everything that an acceptable ACK says. False: the segment is to be dropped. */
bool tcp_ack(struct tcp_pcb *p, struct tcp_in *in);
void tcp_established(struct tcp_pcb *p); /* what is done when a connection gets there */
bool tcp_timewait_input(struct tcp_tw *tw, struct tcp_in *in); /* true: treat as a new SYN */
void tcp_challenge(struct tcp_pcb *p, s64 now);

/* --- tcp_listen.c --- */
void tcp_listen_input(struct tcp_pcb *l, struct tcp_in *in); /* locked */
void tcp_req_input(struct tcp_req *r, struct tcp_in *in);
void tcp_listen_timer(struct tcp_pcb *l, s64 now);
void tcp_listen_stop(struct tcp_pcb *l);
void tcp_req_put(struct tcp_req *r);
/* As tcp_error(). Takes the reference to @r */
bool tcp_req_error(struct tcp_req *r, u32 seq, int errno_);
/* What a SYN says of the options, for @p: common to both opens. */
void tcp_take_options(struct tcp_pcb *p, const struct tcp_in *in);

/* --- tcp_reass.c --- */
void tcp_data(struct tcp_pcb *p, struct tcp_in *in); /* the text of a segment */
void tcp_urgent(struct tcp_pcb *p, const struct tcp_in *in);
void tcp_dsack(struct tcp_pcb *p, u32 start, u32 end);

/* --- tcp_sack.c, tcp_recover.c --- */
struct tcp_ackinfo {
	u32 prior_una, prior_pipe, prior_fack;
	u32 acked; /* bytes cumulatively acknowledged */
	u32 sacked; /* bytes newly SACKed */
	u32 delivered; /* both */
	u32 segs; /* the same in segments */
	s64 rtt; /* of this ACK; < 0: none */
	bool dsack, orig; /* orig: something never sent again was delivered */
	bool late; /* something came that had been overtaken */
	bool ece, dup;
	s64 now;
	u32 tsecr;
	bool has_ts;
};
void tcp_sack_tag(struct tcp_pcb *p, const struct tcp_in *in, struct tcp_ackinfo *a);
/* Something was delivered @rtt after it was sent, and something sent later before it. */
void tcp_reordered(struct tcp_pcb *p, s64 rtt);
void tcp_rack_delivered(struct tcp_pcb *p, const struct tcp_seg *s, struct tcp_ackinfo *a);
void tcp_rack_mark(struct tcp_pcb *p, s64 now);
void tcp_recover(struct tcp_pcb *p, struct tcp_ackinfo *a);
void tcp_tail_probe_answered(struct tcp_pcb *p, const struct tcp_ackinfo *a);
void tcp_enter_loss(struct tcp_pcb *p, s64 now);
void tcp_mark_lost(struct tcp_pcb *p, struct tcp_seg *s);
static inline u32 tcp_pipe(const struct tcp_pcb *p)
{
	u32 out = p->snd_nxt - p->snd_una + p->retrans, less = p->sacked + p->lost + p->reno_sacked;

	return out > less ? out - less : 0;
}

/* --- tcp_stat.c: what TCP_INFO tells. All: holds: p->lock --- */
void tcp_stat_sent(struct tcp_pcb *p, s64 now); /* something may have been sent */
void tcp_stat_acked(struct tcp_pcb *p, u32 segs, s64 now); /* @segs arrived, says an ACK */
void tcp_stat_info(const struct tcp_pcb *p, struct tcp_info *i, s64 now); /* its fields */

/* --- tcp_output.c --- */
void tcp_output(struct tcp_pcb *p, s64 now); /* what may be sent is */
bool tcp_output_forced(struct tcp_pcb *p, s64 now);
void tcp_send_tail_probe(struct tcp_pcb *p, s64 now);
void tcp_send_ack(struct tcp_pcb *p, s64 now);
void tcp_send_reset(struct tcp_pcb *p);
/* The active open; @with: bytes for the SYN, taken over; NULL: none. */
void tcp_send_syn(struct tcp_pcb *p, struct tcp_seg *with, s64 now);
/* The SYN as the state has it. False: no memory, and @with stays the caller's. */
bool tcp_begin(struct tcp_pcb *p, struct tcp_seg *with, s64 now);
void tcp_send_probe(struct tcp_pcb *p, s64 now, bool urgent); /* an ACK with an old number */
bool tcp_xmit(struct tcp_pcb *p, struct tcp_seg *s, s64 now); /* false: no memory */
struct tcp_seg *tcp_seg_alloc(void);
void tcp_seg_free(struct tcp_seg *s);
/* To the end of the send queue; off it, and away. holds: p->lock */
void tcp_seg_add(struct tcp_pcb *p, struct tcp_seg *s);
void tcp_seg_drop(struct tcp_pcb *p, struct tcp_seg *s);
/* What the send queue costs: a byte sent by itself is not one byte. ctx: any */
static inline u32 tcp_snd_memory(const struct tcp_pcb *p)
{
	return READ_ONCE(p->snd_end) - READ_ONCE(p->snd_una) +
	       READ_ONCE(p->nsegs) * (u32)sizeof(struct tcp_seg);
}
/*
 * Is there less than TCP_NOTSENT_LOWAT that was never sent, if @times as much were? ctx: any
 */
static inline bool tcp_lowat_ok(const struct tcp_pcb *p, u64 times)
{
	u32 low = READ_ONCE(p->notsent_lowat);

	if (!low)
		low = (u32)READ_ONCE(tcp_sysctl_notsent_lowat[0]);
	return times * (READ_ONCE(p->snd_end) - READ_ONCE(p->snd_nxt)) < low;
}
/* Is there room enough that a sender be woken? ctx: any */
static inline bool tcp_has_room(const struct tcp_pcb *p)
{
	u32 queued = tcp_snd_memory(p), buf = (u32)READ_ONCE(p->sndbuf);

	return queued < buf && buf - queued >= queued / 2 && likely(tcp_lowat_ok(p, 2));
}
bool tcp_seg_split(struct tcp_pcb *p, struct tcp_seg *s, u32 len); /* @s keeps @len bytes */
void tcp_seg_front(struct tcp_seg *s, u32 n); /* @n bytes off the front */
void tcp_queue_fin(struct tcp_pcb *p);
u32 tcp_first_window(const struct tcp_pcb *p); /* what to say in a SYN. ctx: any */
u32 tcp_window(struct tcp_pcb *p); /* what to say in a segment, not scaled */
void tcp_seg_acked(struct tcp_pcb *p, const struct tcp_seg *s); /* which has .stamp */
void tcp_window_update(struct tcp_pcb *p, s64 now); /* the user has read: tell, if it is worth it */
void tcp_rcv_space(struct tcp_pcb *p, s64 now); /* auto-tuning */
void tcp_ooo_purge(struct tcp_pcb *p);
void tcp_mtu(struct tcp_pcb *p, u32 mtu);
void tcp_mtu_black_hole(struct tcp_pcb *p, s64 now);
u32 tcp_init_window(const struct tcp_pcb *p);
static inline bool tcp_has_unsent(const struct tcp_pcb *p)
{
	return p->unsent;
}

/* .extra, made if need be. NULL: no memory. ctx: any */
struct tcp_extra *tcp_extra(struct tcp_pcb *p);

/* --- tcp_pace.c: SO_MAX_PACING_RATE. All: holds: p->lock --- */
/* May something be sent now? False: it is tried again in time. */
bool tcp_pace_slow(struct tcp_pcb *p, s64 now);
static inline bool tcp_pace(struct tcp_pcb *p, s64 now)
{
	return likely(!p->extra) || tcp_pace_slow(p, now);
}
/* The next piece goes at once: what is retried by the clock is not to be counted in vain. */
static inline void tcp_pace_skip(struct tcp_pcb *p, s64 now)
{
	if (unlikely(p->extra))
		p->extra->next = MIN(p->extra->next, now);
}
u32 tcp_pace_burst(const struct tcp_pcb *p, u32 n); /* how many of @n bytes in one go */
void tcp_pace_sent(struct tcp_pcb *p, u32 n, s64 now); /* @n bytes left */

/* --- tcp_option.c --- */
/* How many seconds go by until a SYN-ACK was sent @n times more. ctx: any */
u32 tcp_answers_seconds(u32 n);

/* --- tcp_timer.c --- */
/* @t doubled @n times, but no more than the longest. */
static inline s64 tcp_backoff(s64 t, u32 n)
{
	t <<= MIN(n, 16u);
	return MIN(t, TCP_RTO_MAX);
}
void tcp_timers_init(struct tcp_pcb *p);
void tcp_timer_set(struct tcp_pcb *p, enum tcp_timer which, s64 deadline);
void tcp_timer_pace(struct tcp_pcb *p, s64 deadline); /* .extra's */
void tcp_timer_rearm(struct tcp_pcb *p, s64 now); /* TCPT_SEND for what is out now */
void tcp_timers_stop(struct tcp_pcb *p);
void tcp_rtt(struct tcp_pcb *p, s64 rtt);
void tcp_timers_run(struct tcp_pcb *p, s64 now); /* locked; the deadlines that have passed */

/* --- tcp_timewait.c --- */
/* Both sides have ended, we first: a struct tcp_tw takes the place of @p. */
void tcp_enter_timewait(struct tcp_pcb *p);
void tcp_timewait_init(void);
void tcp_tw_put(struct tcp_tw *tw);
void tcp_tw_unqueue(struct tcp_tw *tw); /* it is out of the table: off the list, its port is free */

/* --- tcp_syncookie.c --- */
u32 tcp_cookie_make(const struct tcp_in *in, u16 *mss, s64 now);
bool tcp_cookie_check(const struct tcp_in *in, u16 *mss);
u32 tcp_cookie_stamp(const struct tcp_in *in, bool sack, bool wscale, s64 now);
void tcp_cookie_options(const struct tcp_in *in, struct tcp_in *syn);

/* --- tcp_fastopen.c: RFC 7413. All but the keys: holds: p->lock --- */
u32 tcp_fo_option(struct tcp_pcb *p, u8 *o); /* of the SYN that goes now */
bool tcp_fo_holds(struct tcp_pcb *p, bool first); /* shall the SYN wait? @first: it was asked for */
/* The SYN of @s, with the bytes of @d, which becomes the segment behind it. */
void tcp_fo_send(struct tcp_pcb *p, struct tcp_seg *s, struct tcp_seg *d, s64 now);
void tcp_fo_answered(struct tcp_pcb *p, struct tcp_in *in); /* the SYN-ACK, that is taken */
void tcp_fo_timeout(struct tcp_pcb *p, s64 now); /* again and again nothing comes back */
struct tcp_fo_opt {
	u8 len, text[TCP_FO_OPT_MAX]; /* padded */
};
#define FO_OPENS 1u
#define FO_GIVES 2u
/*
 * What a listener is to do with a SYN: open at once, give a cookie. @l is locked; @opt: the option
 * of a SYN-ACK that gives it
 */
u32 tcp_fo_judge(struct tcp_pcb *l, const struct tcp_in *in, struct tcp_fo_opt *opt);
/* @p, new and locked, is open before its handshake is over. False: no memory. */
bool __must_check tcp_fo_begin(struct tcp_pcb *p, struct tcp_pcb *l, struct tcp_in *in);
void tcp_fo_done(struct tcp_pcb *p, bool reset); /* it is over, and .opener is forgotten */
int tcp_fo_set(struct tcp_pcb *p, int option, int v); /* -ENOPROTOOPT: no option of fast open */
int tcp_fo_get(const struct tcp_pcb *p, int option, int *v);

/* --- tcp_cc.c --- */
const struct tcp_cc *tcp_cc_find(const char *name, u32 len);
const struct tcp_cc *tcp_cc_default(void);
void tcp_slow_start(struct tcp_pcb *p, u32 bytes);

/* --- tcp_wire.c: the border to IP --- */
int __must_check tcp_wire_route(be32 dst, struct tcp_path *path); /* -ENETUNREACH... */
bool tcp_wire_is_local(be32 addr); /* may be bound to */
bool tcp_wire_is_loopback(be32 addr); /* reached without a wire */
u32 tcp_wire_ports(u32 own, u32 *low); /* the ports to choose from: see inet_port_range() */
/* A TCP segment, as tcp_tx(pkt) says; consumes. */
void tcp_wire_output(struct pkt *pkt);

/* --- counters --- */
extern u32 tcp_orphans, tcp_timewaits, tcp_allocated; /* a */
extern s64 tcp_memory; /* a: bytes charged */
struct tcp_counters {
	u64 n[TCP_MIB_COUNT];
};
PERCPU_DECLARE(struct tcp_counters, tcp_counters);
void tcp_count_add(enum tcp_mib id, u64 n);
static inline void tcp_count(enum tcp_mib id)
{
	tcp_count_add(id, 1);
}
#define TCP_COUNT(id) tcp_count(TCP_MIB_##id)
