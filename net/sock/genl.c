/*
 * NETLINK_GENERIC: families of messages that are found by name. There is one here, which tells what
 * families there are: "nlctrl" (linux/genetlink.h). Who asks for another gets ENOENT, and makes do
 * without, as on a Linux whose module is not there.
 */
#include <linux/errno.h>
#include <linux/genetlink.h>
#include "kernel/lib/string.h"
#include "net/sock/netlink.h"

#define NAME "nlctrl"
#define VERSION 2

struct u32_attr {
	struct nlattr head;
	u32 value;
};
#define U32_ATTR(type, v)                            \
	{                                            \
		{ sizeof(struct u32_attr), type }, v \
	}

/* What it can do: the numbers of commands. */
static const struct {
	struct nlattr head;
	struct u32_attr id, flags;
} ops[] = { { { sizeof(ops[0]), 1 },
	      U32_ATTR(CTRL_ATTR_OP_ID, CTRL_CMD_GETFAMILY),
	      U32_ATTR(CTRL_ATTR_OP_FLAGS,
		       GENL_CMD_CAP_DO | GENL_CMD_CAP_DUMP | GENL_CMD_CAP_HASPOL) } };

static void put_family(struct nl_out *o)
{
	struct genlmsghdr *g = nl_begin(o, GENL_ID_CTRL, sizeof(*g));
	u16 id = GENL_ID_CTRL;

	if (!g)
		return;
	g->cmd = CTRL_CMD_NEWFAMILY;
	g->version = VERSION;
	nl_attr_str(o, CTRL_ATTR_FAMILY_NAME, NAME);
	nl_attr(o, CTRL_ATTR_FAMILY_ID, &id, sizeof(id));
	nl_attr_u32(o, CTRL_ATTR_VERSION, VERSION);
	nl_attr_u32(o, CTRL_ATTR_HDRSIZE, 0);
	nl_attr_u32(o, CTRL_ATTR_MAXATTR, 0);
	nl_attr(o, CTRL_ATTR_OPS, ops, sizeof(ops));
	nl_end(o);
}

/* Which family is meant? 0: ours, -ENOENT, -EINVAL: none is named, -ERANGE: of no such size. */
static int look_up(const u8 *at, u32 left)
{
	int found = -EINVAL;

	while (left >= NLA_HDRLEN) {
		const struct nlattr *n = (const struct nlattr *)at;
		u32 len = n->nla_len - (u32)NLA_HDRLEN,
		    whole = MIN(NLA_ALIGN((u32)n->nla_len), left);
		u32 most;
		const char *value = (const char *)at + NLA_HDRLEN;

		if (n->nla_len < NLA_HDRLEN || n->nla_len > left)
			break;
		switch (n->nla_type & NLA_TYPE_MASK) {
		case CTRL_ATTR_FAMILY_ID:
			if (len < sizeof(u16))
				return -ERANGE;
			found = *(const u16 *)value == GENL_ID_CTRL ? 0 : -ENOENT;
			break;
		case CTRL_ATTR_FAMILY_NAME:
			most = MIN(len, (u32)GENL_NAMSIZ);
			if (strnlen(value, most) == most)
				return -EINVAL;
			if (len > GENL_NAMSIZ)
				return -ERANGE;
			return strcmp(value, NAME) == 0 ? 0 : -ENOENT; /* it counts more */
		}
		at += whole;
		left -= whole;
	}
	return found;
}

/* See netlink.h. */
int genl_request(const struct nlmsghdr *h, struct nl_out *o)
{
	const struct genlmsghdr *g = NLMSG_DATA(h);
	bool dump = (h->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	int err = 0;

	if (h->nlmsg_type != GENL_ID_CTRL)
		return -ENOENT;
	if (h->nlmsg_len < NLMSG_LENGTH(GENL_HDRLEN))
		return -EINVAL;
	if (g->cmd != CTRL_CMD_GETFAMILY)
		return -EOPNOTSUPP;
	if (!dump)
		err = look_up((const u8 *)g + GENL_HDRLEN,
			      h->nlmsg_len - (u32)NLMSG_LENGTH(GENL_HDRLEN));
	if (err)
		return err;
	o->flags = dump ? NLM_F_MULTI : 0;
	put_family(o);
	if (dump)
		nl_done(o);
	return 0;
}
