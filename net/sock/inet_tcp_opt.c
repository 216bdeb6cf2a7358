/*
 * Sockets of TCP: options. Those of SOL_SOCKET and SOL_IP live in the socket, and the connection is
 * told of what it acts on; those of IPPROTO_TCP are its own. socket(7), ip(7), tcp(7).
 *
 * After each change the whole of what the connection acts on is handed over again (inet_tcp_sync):
 * so there is one place that knows which options matter to TCP, and net/tcp knows nothing of
 * sockets.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/tcp.h>
#include "kernel/base/cred.h"
#include "kernel/base/errno.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "net/sock/inet_tcp.h"

/* See inet_tcp.h. ctx: thread */
void inet_tcp_sync(struct tcp_sock *t)
{
	const struct socket *s = &t->i.s;
	int ttl = READ_ONCE(t->i.ttl);
	struct tcp_settings set = {
		.rcvbuf = READ_ONCE(s->buf_lock) & SOCK_RCVBUF_LOCK ? READ_ONCE(s->rcvbuf) : 0,
		.sndbuf = READ_ONCE(s->buf_lock) & SOCK_SNDBUF_LOCK ? READ_ONCE(s->sndbuf) : 0,
		.rcvlowat = READ_ONCE(s->rcvlowat),
		.keepalive = socket_option(s, SO_KEEPALIVE),
		.reuseaddr = socket_option(s, SO_REUSEADDR),
		.reuseport = socket_option(s, SO_REUSEPORT),
		.oobinline = READ_ONCE(s->oobinline),
		.tos = READ_ONCE(t->i.tos),
		.ttl = ttl < 0 ? 0 : (u8)ttl,
		.pmtudisc = READ_ONCE(t->i.pmtudisc),
		.uid = current->cred->euid,
		.dev = netdev_bound(READ_ONCE(s->bound_dev)),
	};

	tcp_set(t->pcb, &set);
}

/* SO_RCVLOWAT: no more than the window can bring. */
static void limit_rcvlowat(struct tcp_sock *t)
{
	struct socket *s = &t->i.s;
	int most = READ_ONCE(s->buf_lock) & SOCK_RCVBUF_LOCK ? READ_ONCE(s->rcvbuf) / 2
							     : tcp_sysctl_rmem[2] / 2;

	WRITE_ONCE(s->rcvlowat, MAX(MIN(READ_ONCE(s->rcvlowat), most), 1));
}

static int set_inq(struct tcp_sock *t, const void *val, u32 len)
{
	int v;

	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	if (v != 0 && v != 1)
		return -EINVAL;
	WRITE_ONCE(t->inq, v);
	return 0;
}

/* See inet_tcp.h. ctx: thread; sleeps */
int inet_tcp_setsockopt(struct socket *s, int level, int option, const void *val, u32 len)
{
	struct tcp_sock *t = tcp_of(s);
	int err;

	if (level == IPPROTO_TCP && option == TCP_INQ)
		return set_inq(t, val, len);
	if (level == IPPROTO_TCP && option == TCP_CONGESTION &&
	    tcp_cc_is_restricted(val, (u32)strnlen(val, len)) &&
	    !cred_capable(current->cred, CAP_NET_ADMIN))
		return -EPERM;
	if (level == IPPROTO_TCP)
		return tcp_set_option(t->pcb, option, val, len);
	if (level == SOL_SOCKET)
		err = socket_setsockopt(s, option, val, len);
	else if (level == IPPROTO_IP)
		err = inet_setsockopt(&t->i, option, val, len);
	else
		return -ENOPROTOOPT;
	if (err)
		return err;
	if (level == IPPROTO_IP && option == IP_MINTTL)
		return tcp_set_min_ttl(t->pcb, READ_ONCE(t->i.min_ttl));
	if (level == IPPROTO_IP && option == INET_LOCAL_PORT_RANGE)
		return tcp_set_ports(t->pcb, READ_ONCE(t->i.ports));
	if (level == SOL_SOCKET && option == SO_MAX_PACING_RATE)
		return tcp_set_pacing(t->pcb, READ_ONCE(s->pacing));
	if (level == SOL_SOCKET && option == SO_RCVLOWAT)
		limit_rcvlowat(t);
	inet_tcp_sync(t);
	return 0;
}

static int give_int(void *val, u32 *len, int v)
{
	*len = MIN(*len, (u32)sizeof(v));
	memcpy(val, &v, *len);
	return 0;
}

/* See inet_tcp.h. ctx: thread */
int inet_tcp_getsockopt(struct socket *s, int level, int option, void *val, u32 *len)
{
	struct tcp_sock *t = tcp_of(s);
	int rcv, snd;

	if (level == IPPROTO_TCP && option == TCP_INQ)
		return give_int(val, len, READ_ONCE(t->inq));
	if (level == IPPROTO_TCP)
		return tcp_get_option(t->pcb, option, val, len);
	if (level == IPPROTO_IP)
		return inet_getsockopt(&t->i, option, val, len);
	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	tcp_buffers(t->pcb, &rcv, &snd);
	switch (option) {
	case SO_ERROR: return give_int(val, len, -tcp_take_error(t->pcb));
	case SO_RCVBUF: return give_int(val, len, rcv);
	case SO_SNDBUF: return give_int(val, len, snd);
	default: return -ENOPROTOOPT;
	}
}
