#pragma once
/*
 * SO_ATTACH_FILTER: a classic BPF program that says which packets a socket gets, and how much of
 * them.
 */
#include "net/chooser.h"
#include "net/sock/socket.h"

/*
 * Run the filter of @s on @p, from @header bytes before head on; cuts @p to what it keeps, but not
 * into those. False: drop. ctx: thread
 */
bool socket_filter_run(struct socket *s, struct pkt *p, u32 header);
/* The same without cutting: bytes to keep, ~0u without a filter. ctx: thread */
u32 socket_filter_look(struct socket *s, const struct pkt *p);
/* The same about a message that is no packet: 0, drop it, or how many of its @len bytes to keep. */
u32 socket_filter_bytes(struct socket *s, void *bytes, u32 len);
/*
 * SO_ATTACH_REUSEPORT_CBPF: the checked program, with a reference. 0, -EINVAL, -EFAULT, -EPERM
 * (SO_LOCK_FILTER), -ENOMEM. ctx: thread; sleeps
 */
int __must_check socket_filter_chooser(struct socket *s, const void *val, u32 len,
				       struct net_chooser **out);
/* SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_LOCK_FILTER. ctx: thread; sleeps. 0 or -errno */
int socket_filter_attach(struct socket *s, const void *val, u32 len);
int socket_filter_detach(struct socket *s);
int socket_filter_lock(struct socket *s, bool on);
/* A new socket has this program from the start, and the reference. NULL: none. ctx: thread */
void socket_filter_adopt(struct socket *s, struct net_chooser *c);
/* SO_ATTACH_BPF and the like, of programs that this kernel does not have: -EINVAL, -EBADF */
int socket_filter_extended(int fd, u32 len);
/*
 * SO_GET_FILTER: the program to user memory at @uval, which has room for *len instructions; *len is
 * how many there are. 0 also if there is none; -EINVAL, -EFAULT. ctx: thread; sleeps
 */
int socket_filter_give(struct socket *s, u64 uval, u32 *len);
void socket_filter_free(struct socket *s); /* the socket goes */
