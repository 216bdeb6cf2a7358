/*
 * The user's calls, but SEND and RECEIVE (tcp_xfer.c): OPEN, CLOSE, ABORT, STATUS of RFC 9293,
 * 3.9.1, in the shape of the socket calls. None waits.
 *
 * The socket above waits, by what its callbacks tell. Closing hands the connection over to itself:
 * the user's reference goes, what is queued is still sent, FIN and all, and an orphan lives as long
 * as tcp_max_orphans, memory and its timers allow. Data that nobody read makes it a reset instead
 * (RFC 2525, 2.17), as the peer has to learn that they were lost.
 */
#include <arch/barrier.h>
#include <linux/errno.h>
#include <linux/poll.h>
#include "kernel/base/errno.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/tcp/tcp_pcb.h"

#define FO_ALL 0x402 /* of net.ipv4.tcp_fastopen: every listener */

/* See net/tcp.h. ctx: thread */
int tcp_open(const struct tcp_user_ops *ops, void *user, struct tcp_pcb **out)
{
	struct tcp_pcb *p = tcp_pcb_alloc();

	if (!p)
		return -ENOMEM;
	p->uops = ops;
	p->user = user;
	*out = p;
	return 0;
}

/* See net/tcp.h. ctx: thread */
void tcp_set_user(struct tcp_pcb *p, const struct tcp_user_ops *ops, void *user)
{
	tcp_lock(p);
	p->uops = ops;
	p->user = user;
	tcp_unlock(p);
}

/* See net/tcp.h. ctx: thread */
int tcp_bind(struct tcp_pcb *p, struct tcp_addr a)
{
	int err = -EINVAL;

	tcp_lock(p);
	if (p->state == TCP_CLOSE && p->key.bound == BOUND_NOT) {
		err = tcp_port_bind(&p->key, a.addr, a.port);
		p->flags &= ~(PF_OWN_ADDR | PF_OWN_PORT);
		if (err)
			p->key.laddr = 0; /* also one of an earlier life */
		else
			p->flags |= (a.addr ? PF_OWN_ADDR : 0) | (a.port ? PF_OWN_PORT : 0);
	}
	tcp_unlock(p);
	return err;
}

/* A closed connection begins anew: what an earlier attempt left goes. */
static void reset_state(struct tcp_pcb *p)
{
	pkt_purge(&p->rcvq);
	p->rcv_mem = 0;
	p->flags &= PF_NODELAY | PF_CORK | PF_KEEPALIVE | PF_RCVBUF_SET | PF_SNDBUF_SET |
		    PF_OOBINLINE | PF_DEFER | PF_THIN | PF_OWN_ADDR | PF_OWN_PORT;
	p->fo &= FO_KEPT;
	p->soft_err = 0;
	p->backoff = p->retries = p->probes = p->keep_sent = 0;
	p->ca = CA_OPEN;
	p->srtt = p->rttvar = 0;
	p->rto = TCP_RTO_INIT;
	p->ssthresh = 0x7fffffff;
	p->rcv_nxt = p->copied = p->rcv_wup = p->rcv_wnd = 0;
	p->snd_wnd = p->max_wnd = 0;
	p->urg = URG_NONE;
	p->first_unanswered = 0;
	p->undo_marker = 0;
	p->rack_min_rtt = p->reo_late = 0;
	p->reo_mult = 1;
	p->tlp_end = 0;
	p->path_mtu = 0;
	p->mtu_locked = false;
	p->stat = (struct tcp_stat){ .limit = LIMIT_IDLE };
}

static int start_connect(struct tcp_pcb *p, struct tcp_addr to, const struct tcp_path *path,
			 bool held)
{
	be32 own = p->key.laddr;
	int err;

	reset_state(p);
	WRITE_ONCE(p->err, 0);
	if (!p->key.bound)
		p->key.lport = 0; /* of an earlier attempt */
	p->key.laddr = path->src;
	p->key.raddr = to.addr;
	p->key.rport = to.port;
	err = tcp_port_connect(p);
	if (err) {
		p->key.laddr = own;
		p->key.raddr = 0;
		p->key.rport = 0;
		return err;
	}
	p->ts_offset = tcp_ts_offset(p->key.laddr, p->key.raddr);
	p->pmtu = path->mtu;
	p->gso_max = (u16)path->gso_max;
	tcp_set_state(p, TCP_SYN_SENT);
	if (unlikely(held || p->fo) && tcp_fo_holds(p, held))
		return 0;
	TCP_COUNT(ACTIVE_OPENS);
	tcp_send_syn(p, NULL, time_now());
	return 0;
}

static int do_connect(struct tcp_pcb *p, struct tcp_addr to, bool held)
{
	struct tcp_path path = { .src = READ_ONCE(p->key.laddr), .dev = READ_ONCE(p->key.dev) };
	int err;

	if (!to.addr)
		to.addr = net32(INADDR_LOOPBACK);
	err = tcp_wire_route(to.addr, &path);
	tcp_lock(p);
	if (p->state == TCP_SYN_SENT || p->state == TCP_SYN_RECV)
		err = -EALREADY;
	else if (p->state != TCP_CLOSE)
		err = -EISCONN;
	if (!err)
		err = start_connect(p, to, &path, held);
	tcp_unlock(p);
	return err;
}

/* See net/tcp.h. ctx: thread */
int tcp_connect(struct tcp_pcb *p, struct tcp_addr to)
{
	return do_connect(p, to, false);
}

/* See net/tcp.h. ctx: thread */
int tcp_connect_held(struct tcp_pcb *p, struct tcp_addr to)
{
	return do_connect(p, to, true);
}

static void listener_begin(struct tcp_listener *l, struct tcp_pcb *p, u32 backlog)
{
	list_init(&l->ready);
	list_init(&l->reqs);
	l->backlog = backlog;
	l->pcb = p;
	l->cookies_at = -TCP_RTO_MAX;
}

/* See net/tcp.h. ctx: thread */
int tcp_listen(struct tcp_pcb *p, int backlog)
{
	struct tcp_listener *l = kzalloc(sizeof(*l), 0), *old;
	u32 most = (u32)READ_ONCE(tcp_sysctl_somaxconn);
	int err = 0;

	if (!l)
		return -ENOMEM;
	most = (u32)backlog > most ? most : (u32)backlog;
	tcp_lock(p);
	if (p->state == TCP_LISTEN) {
		p->listener->backlog = most;
	} else if (p->state != TCP_CLOSE) {
		err = -EINVAL;
	} else {
		if (p->key.bound == BOUND_NOT)
			err = tcp_port_bind(&p->key, p->key.laddr, 0);
		if (!err && tcp_port_conflict_listen(&p->key))
			err = -EADDRINUSE;
		if (!err) {
			reset_state(p);
			if ((tcp_sysctl_fastopen & FO_ALL) == FO_ALL &&
			    !(p->extra && p->extra->fo_most))
				(void)tcp_fo_set(p, TCP_FASTOPEN, (int)most);
			old = p->listener; /* of an earlier life: others may be looking at it */
			if (!old)
				WRITE_ONCE(p->listener, l);
			l = old ? l : NULL;
			listener_begin(p->listener, p, most);
			tcp_set_state(p, TCP_LISTEN);
			tcp_listen_add(p);
		}
	}
	tcp_unlock(p);
	kfree(l);
	return err;
}

/* See net/tcp.h. The queue's reference is the caller's now. ctx: thread */
int tcp_accept(struct tcp_pcb *p, struct tcp_pcb **out)
{
	struct tcp_pcb *c = NULL;
	int err = -EAGAIN;

	tcp_lock(p);
	if (p->state != TCP_LISTEN) {
		err = -EINVAL;
	} else if (!list_empty(&p->listener->ready)) {
		c = list_first(&p->listener->ready, struct tcp_pcb, accept);
		list_del(&c->accept);
		WRITE_ONCE(p->listener->nready, p->listener->nready - 1);
		err = 0;
	}
	tcp_unlock(p);
	if (!err) {
		tcp_lock(c);
		c->flags &= ~PF_IN_ACCEPT;
		tcp_unlock(c);
		*out = c;
	}
	return err;
}

/* The user leaves; what is left to be said is said without him. */
static void become_orphan(struct tcp_pcb *p, s64 now)
{
	u32 n;

	p->flags |= PF_ORPHAN;
	n = __atomic_add_fetch(&tcp_orphans, 1, __ATOMIC_RELAXED);
	if (n > (u32)tcp_sysctl_max_orphans || tcp_memory_pressure()) {
		TCP_COUNT(TCPAbortOnMemory);
		tcp_send_reset(p);
		tcp_drop(p, 0);
	} else if (p->state == TCP_FIN_WAIT2) {
		s64 wait = (p->linger2 ? p->linger2 : tcp_sysctl_fin_timeout) * SEC;

		if (wait < 0)
			tcp_drop(p, 0);
		else
			tcp_timer_set(p, TCPT_KEEP, now + wait);
	} else if (p->state != TCP_CLOSE) {
		tcp_timer_set(p, TCPT_KEEP, TIME_NEVER);
	}
}

static void send_fin(struct tcp_pcb *p, s64 now)
{
	if (p->flags & PF_FIN_QUEUED)
		return;
	tcp_set_state(p, p->state == TCP_CLOSE_WAIT ? TCP_LAST_ACK : TCP_FIN_WAIT1);
	tcp_queue_fin(p);
	tcp_output(p, now);
}

static bool may_end(const struct tcp_pcb *p)
{
	return p->state == TCP_ESTABLISHED || p->state == TCP_SYN_RECV ||
	       p->state == TCP_CLOSE_WAIT;
}

/* See net/tcp.h. ctx: thread; takes the user's reference */
void tcp_close(struct tcp_pcb *p)
{
	s64 now = time_now();
	bool unread;

	tcp_lock(p);
	p->uops = NULL;
	p->user = NULL;
	p->shut = 3;
	unread = !list_empty(&p->rcvq);
	pkt_purge(&p->rcvq);
	p->rcv_mem = 0;
	if (p->state == TCP_LISTEN) {
		tcp_listen_stop(p);
		tcp_drop(p, 0);
	} else if (p->state == TCP_SYN_SENT) {
		tcp_drop(p, 0);
	} else if (unread && p->state != TCP_CLOSE) {
		TCP_COUNT(TCPAbortOnClose);
		tcp_send_reset(p);
		tcp_drop(p, 0);
	} else if (may_end(p)) {
		send_fin(p, now);
	}
	if (p->state == TCP_CLOSE) {
		tcp_drop(p, 0); /* a name without a connection */
		tcp_port_free(&p->key);
	} else {
		become_orphan(p, now);
	}
	tcp_unlock(p);
	tcp_pcb_put(p);
}

/* Say RST if the state has something to reset (RFC 9293, 3.10.5), and end: with @err, if so. */
static void reset(struct tcp_pcb *p, int err)
{
	if (p->state == TCP_LISTEN) {
		tcp_listen_stop(p);
		err = 0;
	} else if ((p->state == TCP_CLOSING || p->state == TCP_LAST_ACK) && !p->unsent) {
		err = 0;
	} else if (p->state != TCP_SYN_SENT) {
		tcp_send_reset(p);
	}
	tcp_drop(p, err);
}

/*
 * Back to a closed connection, which can be used again. What the user bound stays: the address, if
 * he named one, and the port. The number of a port that was given back can still be seen. holds:
 * p->lock
 */
static void disconnect(struct tcp_pcb *p)
{
	if (p->state != TCP_CLOSE)
		reset(p, ECONNRESET);
	reset_state(p);
	WRITE_ONCE(p->shut, 0);
	if (!(p->flags & PF_OWN_ADDR))
		p->key.laddr = 0;
	p->key.raddr = 0;
	p->key.rport = 0;
	p->key.listens = false;
}

/* See net/tcp.h. ctx: thread; takes the user's reference */
void tcp_abort(struct tcp_pcb *p)
{
	tcp_lock(p);
	p->uops = NULL;
	p->user = NULL;
	pkt_purge(&p->rcvq);
	p->rcv_mem = 0;
	if (p->state != TCP_CLOSE)
		reset(p, 0);
	tcp_port_free(&p->key);
	tcp_unlock(p);
	tcp_pcb_put(p);
}

/* See net/tcp.h. ctx: thread */
void tcp_disconnect(struct tcp_pcb *p)
{
	tcp_lock(p);
	disconnect(p);
	tcp_unlock(p);
}

/* See net/tcp.h. ctx: thread */
int tcp_shutdown(struct tcp_pcb *p, u32 how)
{
	int err = 0;

	tcp_lock(p);
	if (p->state == TCP_SYN_SENT || (p->state == TCP_LISTEN && (how & 1))) {
		disconnect(p);
	} else if (p->state != TCP_LISTEN) {
		if (p->state == TCP_CLOSE)
			err = -ENOTCONN; /* and yet: also what it connects to next */
		WRITE_ONCE(p->shut, p->shut | (u8)how);
		if ((how & 2) && may_end(p))
			send_fin(p, time_now());
		p->wake |= WAKE_ALL;
	}
	tcp_unlock(p);
	return err;
}

/* --- looking --- */

/* Has a sender room? If not he will be told when he has. */
static bool writable(const struct tcp_pcb *p)
{
	if (likely(tcp_has_room(p)))
		return true;
	WRITE_ONCE(((struct tcp_pcb *)p)->no_room, true);
	smp_mb(); /* who made room without seeing that did so before */
	return tcp_has_room(p);
}

/* See net/tcp.h. ctx: any */
u32 tcp_readable(const struct tcp_pcb *p)
{
	u32 n = READ_ONCE(p->rcv_nxt) - READ_ONCE(p->copied), urg = READ_ONCE(p->urg_seq);

	if (READ_ONCE(p->state) == TCP_SYN_SENT || READ_ONCE(p->state) == TCP_LISTEN)
		return 0;
	if (n && (READ_ONCE(p->flags) & PF_FIN_RCVD))
		n--;
	/* The urgent byte is not part of the stream, and what lies behind it comes later. */
	if (READ_ONCE(p->urg) != URG_NONE && !(READ_ONCE(p->flags) & PF_OOBINLINE) &&
	    seq_lt(urg - READ_ONCE(p->copied), n)) {
		u32 before = urg - READ_ONCE(p->copied);

		n = before ? before : n - 1;
	}
	return n;
}

/* See net/tcp.h. ctx: any */
u32 tcp_left(const struct tcp_pcb *p)
{
	return tcp_readable(p) + !!(READ_ONCE(p->flags) & PF_FIN_RCVD);
}

/* See net/tcp.h. ctx: any */
u32 tcp_poll(const struct tcp_pcb *p)
{
	u32 mask = 0, shut = READ_ONCE(p->shut);
	u8 state = READ_ONCE(p->state);

	if (state == TCP_LISTEN)
		return READ_ONCE(p->listener->nready) ? POLLIN | POLLRDNORM : 0;
	if (READ_ONCE(p->err))
		mask |= POLLERR;
	if (state == TCP_CLOSE || shut == 3)
		mask |= POLLHUP;
	if ((shut & 1) || (READ_ONCE(p->flags) & PF_FIN_RCVD))
		mask |= POLLIN | POLLRDNORM | POLLRDHUP;
	if ((state == TCP_SYN_SENT || state == TCP_SYN_RECV) && !(READ_ONCE(p->fo) & FO_PENDING))
		return tcp_held(p) ? mask | POLLOUT | POLLWRNORM : mask;
	if (tcp_readable(p) >= (u32)MAX(READ_ONCE(p->rcvlowat), 1))
		mask |= POLLIN | POLLRDNORM;
	if ((shut & 2) || state == TCP_CLOSE || writable(p))
		mask |= POLLOUT | POLLWRNORM;
	if (READ_ONCE(p->urg) == URG_HERE)
		mask |= POLLPRI;
	return mask;
}

/* See net/tcp.h. ctx: any */
struct waitq *tcp_waitq(struct tcp_pcb *p)
{
	return &p->wait;
}

/* See net/tcp.h. ctx: any */
enum tcp_state tcp_state(const struct tcp_pcb *p)
{
	return READ_ONCE(p->state);
}

/* See net/tcp.h. ctx: any */
int tcp_take_error(struct tcp_pcb *p)
{
	return READ_ONCE(p->err) ? -__atomic_exchange_n(&p->err, 0, __ATOMIC_ACQ_REL) : 0;
}

/* See net/tcp.h. -EINVAL: it listens. ctx: any */
long tcp_queued(const struct tcp_pcb *p, bool out)
{
	u8 state = READ_ONCE(p->state);

	if (state == TCP_LISTEN)
		return -EINVAL;
	if (state == TCP_SYN_SENT)
		return 0;
	if (out)
		return (long)(READ_ONCE(p->snd_end) - READ_ONCE(p->snd_una));
	/* FIONREAD counts up to the mark, also where that is here. */
	return tcp_at_mark((struct tcp_pcb *)p, 0) && !(READ_ONCE(p->flags) & PF_OOBINLINE)
		       ? 0
		       : (long)tcp_readable(p);
}

/* See net/tcp.h. ctx: any */
long tcp_not_sent(const struct tcp_pcb *p)
{
	u8 state = READ_ONCE(p->state);
	s32 n = (s32)(READ_ONCE(p->snd_end) - READ_ONCE(p->snd_nxt));

	if (state == TCP_LISTEN)
		return -EINVAL;
	return state == TCP_SYN_SENT || state == TCP_SYN_RECV || n < 0 ? 0 : n; /* a FIN went too */
}

/* See net/tcp.h. ctx: any */
u32 tcp_unacked(const struct tcp_pcb *p)
{
	return READ_ONCE(p->snd_una);
}

/* See net/tcp.h. ctx: any */
bool tcp_unsent(const struct tcp_pcb *p)
{
	u8 s = READ_ONCE(p->state);

	return s == TCP_FIN_WAIT1 || s == TCP_CLOSING || s == TCP_LAST_ACK;
}

/* See net/tcp.h. ctx: any */
void tcp_remote(const struct tcp_pcb *p, struct tcp_addr *out)
{
	*out = (struct tcp_addr){ p->key.raddr, p->key.rport };
}

/* See net/tcp.h. ctx: any */
bool tcp_name(const struct tcp_pcb *p, bool peer, struct tcp_addr *out)
{
	u8 state = READ_ONCE(p->state);

	if (!peer) {
		*out = (struct tcp_addr){ p->key.laddr, p->key.lport };
		return true;
	}
	if (!p->key.rport || state == TCP_CLOSE || state == TCP_SYN_SENT)
		return false;
	tcp_remote(p, out);
	return true;
}
