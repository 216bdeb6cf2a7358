#pragma once
/*
 * A program that looks at packets for the layer below the sockets. It says which of several sockets
 * on one port gets a packet (SO_REUSEPORT and SO_ATTACH_REUSEPORT_CBPF, socket(7)): one of the
 * sockets holds it for all; when that one goes, another takes over. What it answers is an index, in
 * the order in which the sockets came; when there is none of that index, chance decides as without
 * a program. Or it says how much of a segment a TCP connection takes (SO_ATTACH_FILTER).
 */
#include "net/pkt.h"

struct net_chooser {
	/*
	 * @p: from the transport's payload on, for a filter from its header on. ctx: thread; does
	 * not sleep; the table's lock is held, or the connection's
	 */
	u32 (*choose)(const struct net_chooser *c, const struct pkt *p);
	void (*get)(struct net_chooser *c); /* one more reference. ctx: any */
	void (*put)(struct net_chooser *c); /* a reference. ctx: any */
};

static inline void net_chooser_put(struct net_chooser *c)
{
	if (c)
		c->put(c);
}
