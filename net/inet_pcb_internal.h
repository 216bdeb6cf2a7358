#pragma once
/* Finding endpoints: inet_pcb.c, for the protocols of udp.h. */
#include "net/udp.h"

/* What a packet says, as seen from here. */
struct pcb_key {
	enum pcb_table table;
	u8 proto; /* PCB_RAW */
	be32 laddr, faddr;
	be16 lport, fport;
	const struct netdev *dev; /* it came by this one */
	bool any_dev; /* an error: by whichever */
};

/*
 * The endpoint that fits best, with a reference; NULL: none. @p for ops->wants, or NULL. ctx:
 * thread
 */
struct inet_pcb *inet_pcb_find(const struct pcb_key *key, const struct pkt *p);
/* The next behind @after (NULL: the first) that fits, with a reference. ctx: thread */
struct inet_pcb *inet_pcb_next(const struct pcb_key *key, const struct pkt *p,
			       const struct inet_pcb *after);
bool inet_pcb_any_raw(void); /* are there raw endpoints at all? ctx: any */
