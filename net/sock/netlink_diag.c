/*
 * NETLINK_SOCK_DIAG for AF_NETLINK: what ss -f netlink shows, and how strace -yy tells which
 * protocol a socket speaks.
 *
 * There are dumps only, of one protocol or of all; the end of one of a protocol that cannot be says
 * ENOENT. What a socket is like is copied while the list's lock is held (nl_collect); the messages
 * are made from the copies, for that may sleep. A socket made meanwhile may be missing.
 * netlink_diag of sock_diag(7).
 */
#include <linux/errno.h>
#include <linux/netlink_diag.h>
#include <linux/sock_diag.h>
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/sock/netlink.h"
#include "net/sock/socket.h"

#define SOCKETS_MAX 65536u
enum { CLOSE = 7 }; /* of enum tcp_state: what a socket without a peer is in */

static void put_socket(struct nl_out *o, const struct nl_seen *n, u32 show)
{
	struct netlink_diag_msg *m = nl_begin(o, SOCK_DIAG_BY_FAMILY, sizeof(*m));
	u32 memory[SK_MEMINFO_VARS] = { [SK_MEMINFO_RMEM_ALLOC] = n->charged,
					[SK_MEMINFO_RCVBUF] = n->rcvbuf,
					[SK_MEMINFO_SNDBUF] = n->sndbuf };
	u64 groups = n->groups;

	if (!m)
		return;
	m->ndiag_family = AF_NETLINK;
	m->ndiag_type = n->type;
	m->ndiag_protocol = n->protocol;
	m->ndiag_state = CLOSE;
	m->ndiag_portid = n->port;
	m->ndiag_ino = n->ino;
	sockdiag_cookie(n->id, m->ndiag_cookie);
	if ((show & NDIAG_SHOW_GROUPS) && groups)
		nl_attr(o, NETLINK_DIAG_GROUPS, &groups, sizeof(groups));
	if (show & NDIAG_SHOW_MEMINFO)
		nl_attr(o, NETLINK_DIAG_MEMINFO, memory, sizeof(memory));
	if (show & NDIAG_SHOW_FLAGS)
		nl_attr_u32(o, NETLINK_DIAG_FLAGS,
			    (n->pktinfo ? NDIAG_FLAG_PKTINFO : 0) |
				    (n->no_enobufs ? NDIAG_FLAG_NO_ENOBUFS : 0) |
				    (n->cap_ack ? NDIAG_FLAG_CAP_ACK : 0));
	nl_end(o);
}

/* See netlink.h. */
int netlink_diag_request(const struct nlmsghdr *h, bool dump, struct nl_out *o)
{
	const struct netlink_diag_req *req = NLMSG_DATA(h);
	struct nl_seen *all;
	u32 n, found;

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*req)))
		return -EINVAL;
	if (!dump)
		return -EOPNOTSUPP;
	if (req->sdiag_protocol != NDIAG_PROTO_ALL && req->sdiag_protocol >= MAX_LINKS) {
		o->done = -ENOENT;
		return 0;
	}
	n = MIN(nl_collect(NULL, 0) + 16, SOCKETS_MAX);
	all = kcalloc(n, sizeof(*all), 0);
	if (!all)
		return -ENOMEM;
	found = MIN(nl_collect(all, n), n);
	for (u32 i = 0; i < found && !o->err; i++)
		if (req->sdiag_protocol == NDIAG_PROTO_ALL ||
		    req->sdiag_protocol == all[i].protocol)
			put_socket(o, &all[i], req->ndiag_show);
	kfree(all);
	return 0;
}
