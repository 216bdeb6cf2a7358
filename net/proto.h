#pragma once
/*
 * Transport protocols over IPv4: a table that each adds itself to.
 *
 * A packet comes to .input with head at the transport header, p->net and p->transport set,
 * reassembled, p->len the exact length of the datagram's payload; nothing of the transport header
 * is checked, nor sure to be linear. The address is one of ours, a broadcast or a multicast
 * address: p->type tells how the link addressed it, ip_addr_type() what the destination is.
 *
 * ctx of both: thread, perhaps with preemption off; sleeps: no. The caller holds no ranked lock. A
 * protocol that answers must have given up its own locks before it calls ip_output(), for on
 * loopback that may deliver, to itself too, before it returns.
 */
#include "kernel/base/table.h"
#include "net/pkt.h"

struct net_error {
	int err; /* positive errno */
	bool hard; /* an error even without IP_RECVERR */
	u8 type, code; /* of ICMP */
	u32 info; /* the MTU of "fragmentation needed" */
	be32 from; /* who sent it */
};

struct net_proto {
	const char *name;
	u8 proto; /* IPPROTO_* */
	void (*input)(struct pkt *p); /* consumes @p */
	/*
	 * An ICMP error about what we sent: p->net is the header that came back in it, head and
	 * p->transport what followed, of which eight bytes are linear. Only looks at @p.
	 */
	void (*error)(struct pkt *p, const struct net_error *e);
};
#define NET_PROTO(id, ...) \
	TABLE_ENTRY(net_proto, struct net_proto, net_proto_##id) = { .name = #id, __VA_ARGS__ }
TABLE_DECLARE(net_proto, struct net_proto);
