#pragma once
/*
 * Between the files of TCP sockets: inet_tcp.c has the life, inet_tcp_io.c data, inet_tcp_opt.c
 * options.
 */
#include "kernel/sched/mutex.h"
#include "net/sock/inet.h"
#include "net/tcp.h"

/* I immutable, a atomic. */
struct tcp_sock {
	struct inet_sock i; /* a: as its fields say */
	struct tcp_pcb *pcb; /* I: has its own lock; this is the user's reference */
	struct mutex rd, wr; /* rank SOCK: one receiver, one sender at a time */
	bool inq; /* a: TCP_INQ: a receiver is told how much there is left */
	/*
	 * Of both, AF_UNSPEC alone makes it one that can connect: connect(2) has begun, and its
	 * outcome was not told; it was a connection, reset or not. Both: shut down before either.
	 */
	bool connecting, connected; /* a */
};

static inline struct tcp_sock *tcp_of(struct socket *s)
{
	return container_of(s, struct tcp_sock, i.s);
}
static inline struct tcp_pcb *pcb_of(const struct socket *s)
{
	return container_of(s, const struct tcp_sock, i.s)->pcb;
}

/*
 * The first bytes of @m with the SYN, by MSG_FASTOPEN or because it waits for them: *done of them.
 * 0: it is connected, and the others may be sent. -EOPNOTSUPP, or as connect(2)
 */
int inet_tcp_fast_open(struct tcp_sock *t, struct sock_msg *m, ssize_t *done);
/* As the members of sock_ops. */
ssize_t inet_tcp_send(struct socket *s, struct sock_msg *m);
ssize_t inet_tcp_recv(struct socket *s, struct sock_msg *m);
int inet_tcp_setsockopt(struct socket *s, int level, int option, const void *val, u32 len);
int inet_tcp_getsockopt(struct socket *s, int level, int option, void *val, u32 *len);
void inet_tcp_sync(struct tcp_sock *t); /* the connection follows the socket's options */
