#pragma once
/*
 * Between af_netlink.c, which knows sockets and queues, and those who know what messages mean:
 * rtnetlink.c, sockdiag.c, unix_diag.c, netlink_diag.c, genl.c, nl_uevent.c.
 */
#include <linux/netlink.h>
#include "kernel/lib/types.h"

struct nl_sock;

/*
 * Messages being made, for one socket (.to) or for all of a group. o: by the thread that makes
 * them.
 */
struct nl_out {
	struct nl_sock *to; /* o: NULL: all of .group */
	u32 group; /* o: RTNLGRP_* */
	u32 seq, port; /* o: of the request */
	u16 flags; /* o: NLM_F_MULTI in a dump */
	u8 *bytes; /* o: kmalloc'ed; NULL: none yet */
	u32 len, at; /* o: of all; where the open message begins */
	int err; /* o: -ENOBUFS, -ENOMEM: nothing more is stored */
	int done; /* o: what the end of this dump says: 0 or -errno */
};

#define NL_OUT_SIZE 4096u
#define NL_MESSAGE_MAX 1024u /* of one message */

/* --- nl_out.c --- */

/* Begin a message with @size zeroed bytes behind its head, which are returned; NULL: no memory. */
void *nl_begin(struct nl_out *o, u16 type, u32 size);
void nl_attr(struct nl_out *o, u16 type, const void *data, u32 len);
void nl_attr_u32(struct nl_out *o, u16 type, u32 v);
void nl_attr_str(struct nl_out *o, u16 type, const char *s);
void nl_end(struct nl_out *o); /* the open message is complete */
/* The end of a dump, which says .done. ctx: thread; sleeps */
void nl_done(struct nl_out *o);

/* --- af_netlink.c --- */

/* Into @n's queue, for which there was room before. 0, -ENOMEM. ctx: thread; sleeps */
int __must_check nl_queue(struct nl_sock *n, const void *data, u32 size);
/* Hand over what is there. ctx: thread; sleeps */
void nl_flush(struct nl_out *o);
bool nl_wanted(u32 group); /* does anybody listen to this group of NETLINK_ROUTE? ctx: any */

/* What a socket of AF_NETLINK was like when it was looked at. I: all */
struct nl_seen {
	u64 id; /* I: only for sockdiag_cookie */
	u32 ino, port, groups; /* I */
	u32 charged, rcvbuf, sndbuf; /* I: bytes */
	bool pktinfo, no_enobufs, cap_ack; /* I: options */
	u8 type, protocol; /* I */
};

/*
 * The sockets of AF_NETLINK that a message can reach, by their port or a group, @max of them into
 * @out; the number there is. ctx: thread
 */
u32 nl_collect(struct nl_seen *out, u32 max);

/*
 * One request of NETLINK_SOCK_DIAG (sockdiag.c), and of those the ones about AF_UNIX and
 * AF_NETLINK. As rtnetlink_request.
 */
int sockdiag_request(const struct nlmsghdr *h, bool admin, struct nl_out *o);
int unix_diag_request(const struct nlmsghdr *h, bool dump, struct nl_out *o);
int netlink_diag_request(const struct nlmsghdr *h, bool dump, struct nl_out *o);
/* A number that stays the same for one object @id, and does not tell where it lies. ctx: any */
void sockdiag_cookie(u64 id, u32 out[2]);

/* An event of a device, for all who listen. ctx: thread */
void nl_uevent_send(const char *text, size_t size);
int uevent_request(const struct nlmsghdr *h); /* nl_uevent.c: of NETLINK_KOBJECT_UEVENT */
int genl_request(const struct nlmsghdr *h, struct nl_out *o); /* genl.c: of NETLINK_GENERIC */
/*
 * One request of NETLINK_ROUTE; answers go to @o. @admin: may change things. ctx: thread; sleeps. 0
 * or -errno
 */
int rtnetlink_request(const struct nlmsghdr *h, bool admin, struct nl_out *o);
/* sysfs_net.c: what /sys/class/net shows of a device; once is enough. ctx: thread; sleeps */
struct netdev;
void sysfs_net_added(struct netdev *d);
void sysfs_net_removed(const struct netdev *d); /* as above */
/* proc_ipconf.c: and its settings of IPv4; once, and when it may have another name. As above. */
void proc_ipconf_added(struct netdev *d);
void proc_ipconf_renamed(struct netdev *d);
void proc_ipconf_removed(const struct netdev *d);
/* Its queues, of which there are others now. ctx: thread; sleeps; holds: net_config_lock */
void sysfs_net_queues(const struct netdev *d);
void rtnetlink_init(void); /* boot: news of devices go to listeners from here on */
