/*
 * AF_UNIX: looking at a socket without changing it: poll, what is queued, who the peer is, the line
 * in /proc/net/unix.
 *
 * What poll sees is read without the socket's lock: whoever changes it wakes the socket's queue
 * afterwards, on which poll has put itself before it looked.
 *
 * unix(7), poll(2), ioctl_list(2).
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/net.h>
#include <linux/poll.h>
#include <linux/sockios.h>
#include <linux/un.h>
#include "kernel/base/cred.h"
#include "kernel/lib/sbuf.h"
#include "kernel/sched/thread.h"
#include "net/sock/unix.h"

/* What shows on every type: errors, ends, something to read. */
static u32 poll_common(struct unix_sock *u)
{
	u32 shut = READ_ONCE(u->shut), mask = 0;

	if (READ_ONCE(u->s.err))
		mask |= POLLERR;
	if (shut == (SHUT_READ | SHUT_WRITE))
		mask |= POLLHUP;
	if (shut & SHUT_READ)
		mask |= POLLRDHUP | POLLIN | POLLRDNORM;
	if (READ_ONCE(u->nqueued) || READ_ONCE(u->npending))
		mask |= POLLIN | POLLRDNORM;
	if (READ_ONCE(u->oob))
		mask |= POLLPRI;
	return mask;
}

/* See unix.h. ctx: thread */
u32 unix_stream_poll(struct socket *s, struct poll_table *pt)
{
	struct unix_sock *u = unix_of(s);
	u32 mask;

	poll_wait(pt, &u->wait);
	mask = poll_common(u);
	if (READ_ONCE(u->state) == UNIX_FREE)
		mask |= POLLHUP;
	if (READ_ONCE(u->state) != UNIX_LISTEN && unix_writable(u))
		mask |= POLLOUT | POLLWRNORM | POLLWRBAND;
	return mask;
}

/* See unix.h. ctx: thread */
u32 unix_dgram_poll(struct socket *s, struct poll_table *pt)
{
	struct unix_sock *u = unix_of(s), *peer;
	u32 mask;
	bool room;

	poll_wait(pt, &u->wait);
	poll_wait(pt, &unix_room);
	mask = poll_common(u);
	peer = unix_peer(u);
	room = !peer || unix_has_room(peer, u) || READ_ONCE(peer->dead);
	if (peer)
		unix_put(peer);
	if (room && unix_writable(u))
		mask |= POLLOUT | POLLWRNORM | POLLWRBAND;
	return mask;
}

/* See sock_ops.queued. ctx: thread */
long unix_queued(struct socket *s, bool out)
{
	struct unix_sock *u = unix_of(s);
	struct unix_msg *m;
	long n;

	if (out)
		return READ_ONCE(u->wmem);
	if (READ_ONCE(u->state) == UNIX_LISTEN)
		return -EINVAL;
	spin_lock(&u->lock);
	m = list_empty(&u->queue) ? NULL : list_first(&u->queue, struct unix_msg, link);
	n = s->type != SOCK_DGRAM ? (long)u->bytes : m ? (long)m->size : 0;
	spin_unlock(&u->lock);
	return n;
}

/* See sock_ops.peercred. ctx: thread */
bool unix_peercred(struct socket *s, struct sock_ucred *out, struct cred **groups)
{
	struct unix_sock *u = unix_of(s);
	bool known;

	spin_lock(&u->lock);
	known = u->has_peercred;
	if (known)
		*out = u->peercred;
	if (groups)
		*groups = known ? cred_get(u->peergroups) : NULL;
	spin_unlock(&u->lock);
	return known;
}

/* See sock_ops.listening. ctx: any */
bool unix_listening(struct socket *s)
{
	return READ_ONCE(unix_of(s)->state) == UNIX_LISTEN;
}

/* See sock_ops.at_mark: also where the byte was that has been read out of its place. ctx: thread */
bool unix_at_mark(struct socket *s)
{
	struct unix_sock *u = unix_of(s);
	struct unix_msg *m;
	bool at;

	spin_lock(&u->lock);
	m = list_empty(&u->queue) ? NULL : list_first(&u->queue, struct unix_msg, link);
	at = m && (m == u->oob || m->off == m->size);
	spin_unlock(&u->lock);
	return at;
}

/* See sock_ops.ioctl: SIOCUNIXFILE, a descriptor (O_PATH) of the file that is its name. */
long unix_ioctl(struct socket *s, u32 cmd, u64 arg)
{
	struct unix_sock *u = unix_of(s);

	if (cmd != SIOCUNIXFILE)
		return -ENOTTY;
	if (!cred_capable(current->cred, CAP_NET_ADMIN))
		return -EPERM;
	/* Once there is a name, what it stands for does not change any more. */
	if (!load_acquire(&u->addr) || !u->where.dentry)
		return -ENOENT;
	return socket_open_path(&u->where);
}

/* SS_UNCONNECTED and so on of linux/net.h: a connection that was not accepted yet is being made. */
static u32 shown_state(const struct unix_sock *u)
{
	if (!u->s.file)
		return u->state == UNIX_CONNECTED ? SS_CONNECTING : SS_DISCONNECTING;
	return u->state == UNIX_CONNECTED ? SS_CONNECTED : SS_UNCONNECTED;
}

/* See unix.h. */
void unix_show_sock(struct sbuf *out, const struct unix_sock *u)
{
	const struct unix_addr *a = u->addr;
	struct file *f = u->s.file;

	/* Linux counts its table's reference too. */
	sbuf_printf(out, "%016x: %08X %08X %08X %04X %02X %5llu", 0, ref_read(&u->refs) + 1, 0,
		    u->state == UNIX_LISTEN ? 1u << 16 : 0u, u->s.type, shown_state(u),
		    f ? (unsigned long long)f->inode->ino : 0ull);
	if (a) {
		bool abstract = !a->sun.sun_path[0];
		u32 len = a->len - offsetof(struct sockaddr_un, sun_path) - !abstract;

		sbuf_putc(out, ' ');
		for (u32 i = 0; i < len; i++)
			sbuf_putc(out, a->sun.sun_path[i] ? a->sun.sun_path[i] : '@');
	}
	sbuf_putc(out, '\n');
}
