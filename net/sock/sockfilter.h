#pragma once
/*
 * SO_ATTACH_FILTER: a classic BPF program that says which packets a socket gets, and how much of
 * them.
 */
#include "net/pkt.h"
#include "net/sock/socket.h"

/* Run the filter of @s on @p, from head on; cuts @p to what it keeps. False: drop. ctx: thread */
bool socket_filter_run(struct socket *s, struct pkt *p);
/* The same without cutting: bytes to keep, ~0u without a filter. ctx: thread */
u32 socket_filter_look(struct socket *s, const struct pkt *p);
/* SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_LOCK_FILTER. ctx: thread; sleeps. 0 or -errno */
int socket_filter_attach(struct socket *s, const void *val, u32 len);
int socket_filter_detach(struct socket *s);
void socket_filter_free(struct socket *s); /* the socket goes */
