/*
 * NETLINK_SOCK_DIAG for AF_UNIX: what ss -x shows.
 *
 * A dump takes references to all sockets there are first (unix_collect), then shows one after the
 * other: making messages may sleep, the list's lock is a spinlock. A request for one socket is by
 * inode number. States are those of TCP: LISTEN, ESTABLISHED, CLOSE. unix_diag of sock_diag(7).
 */
#include <linux/errno.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include "kernel/base/cred.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/sock/netlink.h"
#include "net/sock/unix.h"

#define ICONS_MAX 64u
#define SOCKETS_MAX 65536u
enum { ESTABLISHED = 1, CLOSE = 7, LISTEN = 10 }; /* of enum tcp_state */

static u8 state_of(struct unix_sock *u)
{
	struct unix_sock *peer;

	if (READ_ONCE(u->state) == UNIX_LISTEN)
		return LISTEN;
	if (READ_ONCE(u->state) == UNIX_CONNECTED)
		return ESTABLISHED;
	peer = u->s.type == SOCK_DGRAM ? unix_peer(u) : NULL;
	if (!peer)
		return CLOSE;
	unix_put(peer);
	return ESTABLISHED;
}

/* Inodes of the connections that wait for accept. */
static void put_icons(struct nl_out *o, struct unix_sock *u)
{
	u32 inos[ICONS_MAX], n = 0;
	struct unix_sock *c;

	spin_lock(&u->lock);
	list_for_each(c, &u->pending, accept_link) {
		const struct unix_sock *peer = c->peer; /* kept by the connection's reference */

		if (n == ICONS_MAX)
			break;
		inos[n++] = peer ? (u32)READ_ONCE(peer->s.ino) : 0;
	}
	spin_unlock(&u->lock);
	nl_attr(o, UNIX_DIAG_ICONS, inos, n * 4);
}

static void put_name(struct nl_out *o, const struct unix_sock *u, u32 show)
{
	const struct unix_addr *a = load_acquire(&u->addr);
	const struct inode *bound = READ_ONCE(u->bound);

	if (a && (show & UDIAG_SHOW_NAME))
		nl_attr(o, UNIX_DIAG_NAME, a->sun.sun_path,
			a->len - (u32)offsetof(struct sockaddr_un, sun_path));
	if (a && bound && (show & UDIAG_SHOW_VFS)) {
		struct unix_diag_vfs v = { (u32)u->where.dentry->inode->ino,
					   (u32)u->where.dentry->inode->sb->dev };

		nl_attr(o, UNIX_DIAG_VFS, &v, sizeof(v));
	}
}

static void put_queues(struct nl_out *o, struct unix_sock *u, u32 show, bool listens)
{
	u32 in = listens ? READ_ONCE(u->npending) : (u32)unix_queued(&u->s, false);
	u32 out = READ_ONCE(u->wmem);
	struct unix_diag_rqlen q = { in, listens ? READ_ONCE(u->backlog) : out };
	u32 memory[SK_MEMINFO_VARS] = { [SK_MEMINFO_RMEM_ALLOC] = READ_ONCE(u->bytes),
					[SK_MEMINFO_RCVBUF] = (u32)READ_ONCE(u->s.rcvbuf),
					[SK_MEMINFO_WMEM_ALLOC] = out,
					[SK_MEMINFO_SNDBUF] = (u32)READ_ONCE(u->s.sndbuf) };

	if (show & UDIAG_SHOW_RQLEN)
		nl_attr(o, UNIX_DIAG_RQLEN, &q, sizeof(q));
	if (show & UDIAG_SHOW_MEMINFO)
		nl_attr(o, UNIX_DIAG_MEMINFO, memory, sizeof(memory));
}

static void put_socket(struct nl_out *o, struct unix_sock *u, u8 state, u32 show)
{
	struct unix_diag_msg *m = nl_begin(o, SOCK_DIAG_BY_FAMILY, sizeof(*m));
	struct unix_sock *peer;
	u8 shut = (u8)READ_ONCE(u->shut);

	if (!m)
		return;
	m->udiag_family = AF_UNIX;
	m->udiag_type = (u8)u->s.type;
	m->udiag_state = state;
	m->udiag_ino = (u32)READ_ONCE(u->s.ino);
	sockdiag_cookie((u64)u, m->udiag_cookie);
	put_name(o, u, show);
	peer = show & UDIAG_SHOW_PEER ? unix_peer(u) : NULL;
	if (peer) {
		nl_attr_u32(o, UNIX_DIAG_PEER, (u32)READ_ONCE(peer->s.ino));
		unix_put(peer);
	}
	if ((show & UDIAG_SHOW_ICONS) && state == LISTEN)
		put_icons(o, u);
	put_queues(o, u, show, state == LISTEN);
	if (show & UDIAG_SHOW_UID)
		nl_attr_u32(o, UNIX_DIAG_UID, u->uid);
	nl_attr(o, UNIX_DIAG_SHUTDOWN, &shut, 1);
	nl_end(o);
}

/* See netlink.h. */
int unix_diag_request(const struct nlmsghdr *h, bool dump, struct nl_out *o)
{
	const struct unix_diag_req *req = NLMSG_DATA(h);
	struct unix_sock **all;
	u32 n, cookie[2];
	int err = dump ? 0 : -ENOENT;

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*req)))
		return -EINVAL;
	if (!dump && !req->udiag_ino)
		return -EINVAL;
	n = MIN(unix_collect(NULL, 0) + 16, SOCKETS_MAX);
	all = kcalloc(n, sizeof(struct unix_sock *), 0);
	if (!all)
		return -ENOMEM;
	n = unix_collect(all, n);
	for (u32 i = 0; i < n; i++) {
		u8 state = state_of(all[i]);
		bool wanted = dump ? req->udiag_states & 1u << state
				   : req->udiag_ino == (u32)READ_ONCE(all[i]->s.ino);

		if (wanted && !dump) {
			sockdiag_cookie((u64)all[i], cookie);
			err = (req->udiag_cookie[0] & req->udiag_cookie[1]) != ~0u &&
					      memcmp(cookie, req->udiag_cookie, sizeof(cookie))
				      ? -ESTALE
				      : 0;
			wanted = !err;
		}
		if (wanted)
			put_socket(o, all[i], state, req->udiag_show);
		unix_put(all[i]);
	}
	kfree(all);
	return err;
}
