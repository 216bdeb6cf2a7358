/*
 * The kernel's resolver over TCP (RFC 7766), for answers that do not fit a datagram.
 *
 * One connection for one question: the question with two bytes of length before it, the answer
 * likewise. The calls of net/tcp.h do not wait; here the asking thread does, on the connection's
 * queue, until a deadline for all of it. It is here, above net/tcp, because net/ itself knows no
 * protocol by name.
 */
#include <linux/errno.h>
#include <linux/poll.h>
#include "kernel/base/time.h"
#include "mm/slab.h"
#include "net/dns.h"
#include "net/tcp.h"

#define TCP_WAIT (10 * NSEC_PER_SEC)
#define TCP_MAX 4096u

static void tcp_event(void *user, u32 events)
{
}
static void tcp_urgent(void *user)
{
}
static u64 tcp_inode(void *user)
{
	return 0;
}
static const struct tcp_user_ops tcp_ops = { .event = tcp_event,
					     .urgent = tcp_urgent,
					     .inode = tcp_inode };

/* All of @n bytes in or out. 0 or -errno */
static int tcp_move(struct tcp_pcb *p, u8 *at, u32 n, bool out, s64 deadline)
{
	u32 wanted = (out ? POLLOUT : POLLIN) | POLLERR | POLLHUP;

	while (n) {
		struct uio u;
		ssize_t got;
		int err = wait_event_interruptible_timeout(tcp_waitq(p), tcp_poll(p) & wanted,
							   deadline);

		if (err)
			return err;
		err = tcp_take_error(p);
		if (err)
			return err;
		uio_init_kernel(&u, at, n);
		got = out ? tcp_send(p, &u, 0) : tcp_recv(p, &u, 0, 0);
		if (got == -EAGAIN)
			continue;
		if (got <= 0)
			return got ? (int)got : -EPIPE;
		at += got;
		n -= (u32)got;
	}
	return 0;
}

static int ask(be32 server, u8 *msg, u32 len, bool (*accept)(void *arg, const u8 *msg, u32 len),
	       void *arg)
{
	s64 deadline = time_now() + TCP_WAIT;
	u8 *buf = kmalloc(TCP_MAX, 0), head[2];
	struct tcp_pcb *p;
	u32 n;
	int err = buf ? tcp_open(&tcp_ops, NULL, &p) : -ENOMEM;

	if (err)
		goto free;
	err = tcp_connect(p, (struct tcp_addr){ server, net16(DNS_PORT) });
	if (!err)
		err = tcp_move(p, msg, len, true, deadline);
	if (!err)
		err = tcp_move(p, head, 2, false, deadline);
	n = err ? 0 : (u32)head[0] << 8 | head[1];
	if (!err && (!n || n > TCP_MAX))
		err = -EIO;
	if (!err)
		err = tcp_move(p, buf, n, false, deadline);
	if (!err && !accept(arg, buf, n))
		err = -EIO;
	tcp_close(p);
free:
	kfree(buf);
	return err;
}

/* See dns.h. */
void dns_tcp_init(void)
{
	dns_tcp_ask = ask;
}
