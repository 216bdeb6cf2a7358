#pragma once
/* How packets come back in: on the loopback device, and what is sent to all. */
#include "net/pkt.h"

/*
 * Deliver @p, with dev set and head at the IP header, as one received there, in this thread or a
 * worker. Consumes @p. ctx: thread; sleeps: no; holds: nothing ranked
 */
void loopback_rx(struct pkt *p);
