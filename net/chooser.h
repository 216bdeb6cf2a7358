#pragma once
/*
 * A program that says which of several sockets on one port gets a packet (SO_REUSEPORT and
 * SO_ATTACH_REUSEPORT_CBPF, socket(7)). One of the sockets holds it for all: when that one goes,
 * another takes over. What it answers is an index, in the order in which the sockets came; when
 * there is none of that index, chance decides as without a program.
 */
#include "net/pkt.h"

struct net_chooser {
	/* @p: from the transport's payload on. ctx: thread; sleeps: no; a table's lock is held */
	u32 (*choose)(const struct net_chooser *c, const struct pkt *p);
	void (*put)(struct net_chooser *c); /* a reference. ctx: any */
};

static inline void net_chooser_put(struct net_chooser *c)
{
	if (c)
		c->put(c);
}
