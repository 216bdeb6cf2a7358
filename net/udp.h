#pragma once
/*
 * Endpoints of UDP, of ping (ICMP echo), and of raw IP: who gets which packet.
 *
 * A struct inet_pcb is embedded in its user's object, which keeps it alive with a reference count
 * and gets packets and errors through .ops. It is in a table by local port (identifier for ping,
 * protocol for raw) from inet_pcb_bind() until inet_pcb_unbind().
 *
 * t guarded by the lock of its bucket (rank NET_TABLE), which also guards who is in it; changes
 * need the user's own lock too, so that either is enough to read. a atomic, I immutable after
 * creation.
 */
#include "net/chooser.h"
#include "net/ip.h"

struct inet_pcb;

/* ctx: thread; sleeps: no; holds: nothing ranked, a reference on @pcb. */
struct inet_pcb_ops {
	void (*input)(struct inet_pcb *pcb,
		      struct pkt *p); /* consumes; head behind the transport's header */
	void (*error)(struct inet_pcb *pcb, struct pkt *p, const struct net_error *e);
	void (*destroy)(struct inet_pcb *pcb); /* the last reference went. ctx: any */
	/* Is the packet wanted (ICMP_FILTER, multicast)? NULL: yes. holds: the bucket's lock */
	bool (*wants)(struct inet_pcb *pcb, const struct pkt *p);
};

/* Those with ports first. */
enum pcb_table { PCB_UDP, PCB_LITE, PCB_PING, PCB_RAW, PCB_TABLES };
#define UDPLITE_ANY (-1)

struct inet_pcb {
	struct list link; /* t: its bucket */
	refcount_t refs; /* a */
	const struct inet_pcb_ops *ops; /* I */
	be32 laddr, faddr; /* t: 0: any, none */
	be16 lport, fport; /* t */
	const struct netdev *dev; /* t: NULL: any */
	u8 table; /* I: enum pcb_table */
	u8 proto; /* I: IPPROTO_* */
	bool reuse, reuseport; /* a: SO_REUSEADDR, SO_REUSEPORT */
	bool bound; /* t: in a table */
	u32 uid; /* I */
	u32 ports; /* a: IP_LOCAL_PORT_RANGE, see inet_port_range() */
	int cover_out, cover_in; /* a: UDP-Lite, see udplite_output(); UDPLITE_ANY: not asked for */
	const void *owner; /* I: for the table's listing */
	struct net_chooser
		*chooser; /* t: of all that share the port; NULL: none, or another has it */
};

static inline bool inet_pcb_has_ports(const struct inet_pcb *pcb)
{
	return pcb->table <= PCB_LITE;
}
static inline void inet_pcb_get(struct inet_pcb *pcb)
{
	ref_get(&pcb->refs);
}
void inet_pcb_put(struct inet_pcb *pcb);
/* refs 1, in no table. */
void inet_pcb_init(struct inet_pcb *pcb, const struct inet_pcb_ops *ops, enum pcb_table table,
		   u8 proto);
/*
 * Into the table with @laddr and @lport; port 0: one that is free. 0, -EADDRINUSE, -EAGAIN (no port
 * is free). ctx: thread; holds: the user's lock; sleeps: no
 */
int __must_check inet_pcb_bind(struct inet_pcb *pcb, be32 laddr, be16 lport);
void inet_pcb_unbind(struct inet_pcb *pcb); /* out of it; when in none nothing */
/* Another end; @laddr takes the place of the local one. holds: the user's lock */
void inet_pcb_set_peer(struct inet_pcb *pcb, be32 laddr, be32 faddr, be16 fport);
/*
 * Takes @c instead of the program that those who share the port had; NULL: none. True: they had
 * one.
 * holds: the user's lock
 */
bool inet_pcb_set_chooser(struct inet_pcb *pcb, struct net_chooser *c);
void inet_pcb_set_dev(struct inet_pcb *pcb, const struct netdev *dev);
/* The @n-th endpoint of @table, with a reference; NULL: there is none. ctx: thread */
struct inet_pcb *inet_pcb_nth(enum pcb_table table, u32 n);
u32 inet_pcb_count(enum pcb_table table); /* of those in it. ctx: any */
void inet_pcb_tables_init(void); /* boot */

/* The range that ports are chosen from: a, sysctl net.ipv4.ip_local_port_range. */
extern int inet_port_first, inet_port_last;
/*
 * How many ports one may choose from, from *low on. @own: IP_LOCAL_PORT_RANGE, the first in its
 * low half, the last in its high one; what is 0 or not in the range of all is as it is for all.
 * ctx: any
 */
u32 inet_port_range(u32 own, u32 *low);

/*
 * Send a datagram: @p holds the payload, @o says who to whom. Consumes @p. @sum: with a checksum.
 * As ip_output().
 */
int udp_output(struct pkt *p, const struct route *rt, const struct ip_out *o, be16 lport,
	       be16 fport, bool sum);

/*
 * The same for UDP-Lite (RFC 3828): the sum is over the first @cover bytes, with the header's 8; 0,
 * or more than there are: all.
 */
int udplite_output(struct pkt *p, const struct route *rt, const struct ip_out *o, be16 lport,
		   be16 fport, u32 cover);

/* ICMP echo replies, and errors about requests, for ping sockets. */
void ping_input(struct pkt *p); /* consumes */
void ping_error(struct pkt *p, const struct net_error *e);
