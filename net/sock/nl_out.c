/*
 * Netlink messages being made: a head, a structure, attributes, each padded to four bytes.
 *
 * They gather in one buffer, which goes to the reader's queue as one datagram when another message
 * might not fit any more. A message for all of a group is one alone. An attribute for which the
 * buffer has no room is left out, so no message is made longer than NL_MESSAGE_MAX. netlink(7).
 */
#include <linux/errno.h>
#include <linux/netlink.h>
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/sock/netlink.h"

/* See netlink.h. ctx: thread; sleeps */
void *nl_begin(struct nl_out *o, u16 type, u32 size)
{
	struct nlmsghdr *h;

	if (o->err)
		return NULL;
	if (!o->bytes)
		o->bytes = kmalloc(NL_OUT_SIZE, 0);
	if (!o->bytes) {
		o->err = -ENOMEM;
		return NULL;
	}
	o->at = o->len;
	h = (struct nlmsghdr *)(o->bytes + o->at);
	*h = (struct nlmsghdr){ .nlmsg_type = type,
				.nlmsg_flags = o->flags,
				.nlmsg_seq = o->seq,
				.nlmsg_pid = o->port };
	o->len += NLMSG_HDRLEN + NLMSG_ALIGN(size);
	memset(h + 1, 0, NLMSG_ALIGN(size));
	return h + 1;
}

/* See netlink.h. ctx: any */
void nl_attr(struct nl_out *o, u16 type, const void *data, u32 len)
{
	struct nlattr *a = (struct nlattr *)(o->bytes + o->len);
	u32 whole = NLA_HDRLEN + NLA_ALIGN(len);

	if (o->err || o->len + whole > NL_OUT_SIZE)
		return;
	a->nla_len = (u16)(NLA_HDRLEN + len);
	a->nla_type = type;
	memset((u8 *)(a + 1) + (len & ~3u), 0, NLA_ALIGN(len) - (len & ~3u));
	memcpy(a + 1, data, len);
	o->len += whole;
}

/* See netlink.h. ctx: any */
void nl_attr_u32(struct nl_out *o, u16 type, u32 v)
{
	nl_attr(o, type, &v, sizeof(v));
}

/* See netlink.h. ctx: any */
void nl_attr_str(struct nl_out *o, u16 type, const char *s)
{
	nl_attr(o, type, s, (u32)strlen(s) + 1);
}

/* See netlink.h. ctx: thread; sleeps */
void nl_end(struct nl_out *o)
{
	struct nlmsghdr *h = (struct nlmsghdr *)(o->bytes + o->at);

	h->nlmsg_len = o->len - o->at;
	o->len = NLMSG_ALIGN(o->len);
	if (o->len <= NL_OUT_SIZE - NL_MESSAGE_MAX || !o->to)
		return;
	o->err = nl_queue(o->to, o->bytes, o->len);
	o->len = 0;
}

/* See netlink.h. */
void nl_done(struct nl_out *o)
{
	int *verdict;

	if (o->len && !o->err) { /* a datagram of its own, as on Linux: readers count on it */
		o->err = nl_queue(o->to, o->bytes, o->len);
		o->len = 0;
	}
	verdict = nl_begin(o, NLMSG_DONE, sizeof(*verdict));
	if (verdict) {
		*verdict = o->done;
		nl_end(o);
	}
	o->flags = 0;
	o->done = 0;
}
