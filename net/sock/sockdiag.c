/*
 * NETLINK_SOCK_DIAG (sock_diag(7)): what ss(8) asks. Here requests are told apart, and sockets of
 * IPv4 are shown; those of AF_UNIX are in unix_diag.c, those of AF_NETLINK in netlink_diag.c.
 *
 * A request names a family and a protocol, the states it wants to see (a bit for each number of
 * enum tcp_state; those without connections are CLOSE or ESTABLISHED), and the extensions. A dump
 * walks the tables as /proc does. Other requests are for one socket, by its addresses.
 *
 * A filter comes as code: a row of comparisons, each with two distances forward, taken when it
 * holds and when not. A socket is shown when the end is reached exactly; a jump over it means no.
 * The code is checked whole before it runs (check_code), so running it looks at nothing beyond.
 */
#include <linux/errno.h>
#include <linux/inet_diag.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include "kernel/base/rand.h"
#include "kernel/base/time.h"
#include "kernel/lib/string.h"
#include "net/sock/inet.h"
#include "net/sock/netlink.h"
#include "net/tcp.h"

#define CODE_MAX 4096u
#define DIAG_INET6 10 /* AF_INET6, of which there are no sockets */

/* What is asked for, and the socket being looked at. */
struct asked {
	struct nl_out *o;
	const struct inet_diag_req_v2 *req;
	u32 protocol;
	const u8 *code; /* NULL: none */
	u32 code_len;
	bool one; /* only that of req->id */
	u32 shown;
};
struct seen {
	struct inet_diag_msg m;
	const struct tcp_row *row; /* TCP; else NULL */
	const struct inet_dgram *d; /* NULL: the kernel's own, or TCP */
	u32 mark;
	u8 tos;
};

/* See netlink.h. */
void sockdiag_cookie(u64 id, u32 out[2])
{
	static u64 secret; /* a: so that numbers do not tell where objects lie */
	u64 none = 0;

	if (!READ_ONCE(secret))
		(void)__atomic_compare_exchange_n(&secret, &none, rand_u64() | 1, false,
						  __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	id = (id ^ READ_ONCE(secret)) * (READ_ONCE(secret) | 1);
	out[0] = (u32)id;
	out[1] = (u32)(id >> 32);
}

/* --- filters --- */

/* Bytes of the comparison at @at, its argument with it; 0: unknown, or cut off. */
static u32 op_size(const u8 *at, u32 left)
{
	const struct inet_diag_bc_op *op = (const struct inet_diag_bc_op *)at;
	struct inet_diag_hostcond host;
	u32 size = sizeof(*op);

	if (left < size)
		return 0;
	switch (op->code) {
	case INET_DIAG_BC_NOP:
	case INET_DIAG_BC_JMP:
	case INET_DIAG_BC_AUTO: break;
	case INET_DIAG_BC_S_GE:
	case INET_DIAG_BC_S_LE:
	case INET_DIAG_BC_D_GE:
	case INET_DIAG_BC_D_LE:
	case INET_DIAG_BC_S_EQ:
	case INET_DIAG_BC_D_EQ:
	case INET_DIAG_BC_DEV_COND: size += 4; break;
	case INET_DIAG_BC_MARK_COND: size += sizeof(struct inet_diag_markcond); break;
	case INET_DIAG_BC_S_COND:
	case INET_DIAG_BC_D_COND:
		if (left < size + sizeof(host))
			return 0;
		memcpy(&host, at + size, sizeof(host));
		if (host.prefix_len > (host.family == AF_INET ? 32 : 128))
			return 0;
		size += sizeof(host) + (host.family == AF_INET ? 4 : host.family ? 16 : 0);
		break;
	default: return 0;
	}
	return size <= left ? size : 0;
}

/* Does a comparison begin at @target? All before it were checked to lead on. */
static bool is_op(const u8 *code, u32 target)
{
	u32 at = 0;

	while (at < target)
		at += ((const struct inet_diag_bc_op *)(code + at))->yes;
	return at == target;
}

/*
 * 0 or -EINVAL. Going by .yes one comes from each comparison to the next, up to the end. A jump by
 * .no leads to one of them, to the end, or four bytes over it.
 */
static int check_code(const u8 *code, u32 len)
{
	u32 at = 0;

	while (at < len) {
		const struct inet_diag_bc_op *op = (const struct inet_diag_bc_op *)(code + at);
		u32 size = op_size(code + at, len - at);

		if (!size || op->yes < size || op->yes > len - at || (op->yes & 3))
			return -EINVAL;
		if (op->code != INET_DIAG_BC_NOP &&
		    (op->no < 4 || op->no > len - at + 4 || (op->no & 3)))
			return -EINVAL;
		at += op->yes;
	}
	for (at = 0; at < len;) {
		const struct inet_diag_bc_op *op = (const struct inet_diag_bc_op *)(code + at);

		if (op->code != INET_DIAG_BC_NOP && at + op->no < len && !is_op(code, at + op->no))
			return -EINVAL;
		at += op->yes;
	}
	return 0;
}

static bool host_matches(const u8 *arg, const struct seen *s, bool source)
{
	struct inet_diag_hostcond host;
	be32 addr, own = source ? s->m.id.idiag_src[0] : s->m.id.idiag_dst[0];
	u16 port = net16(source ? s->m.id.idiag_sport : s->m.id.idiag_dport);

	memcpy(&host, arg, sizeof(host));
	if (host.port != -1 && host.port != port)
		return false;
	if (host.family && host.family != AF_INET)
		return false;
	if (!host.family || !host.prefix_len)
		return true;
	memcpy(&addr, arg + sizeof(host), 4);
	return !((addr ^ own) & inet_mask(host.prefix_len));
}

static bool op_holds(const u8 *at, const struct seen *s)
{
	const struct inet_diag_bc_op *op = (const struct inet_diag_bc_op *)at;
	const u8 *arg = at + sizeof(*op);
	u16 sport = net16(s->m.id.idiag_sport), dport = net16(s->m.id.idiag_dport);
	struct inet_diag_markcond mark;
	u32 n;

	switch (op->code) {
	case INET_DIAG_BC_JMP: return false;
	case INET_DIAG_BC_S_EQ: return sport == ((const struct inet_diag_bc_op *)arg)->no;
	case INET_DIAG_BC_S_GE: return sport >= ((const struct inet_diag_bc_op *)arg)->no;
	case INET_DIAG_BC_S_LE: return sport <= ((const struct inet_diag_bc_op *)arg)->no;
	case INET_DIAG_BC_D_EQ: return dport == ((const struct inet_diag_bc_op *)arg)->no;
	case INET_DIAG_BC_D_GE: return dport >= ((const struct inet_diag_bc_op *)arg)->no;
	case INET_DIAG_BC_D_LE: return dport <= ((const struct inet_diag_bc_op *)arg)->no;
	case INET_DIAG_BC_AUTO: return true; /* TCP's ports by connect(2) are not marked */
	case INET_DIAG_BC_S_COND: return host_matches(arg, s, true);
	case INET_DIAG_BC_D_COND: return host_matches(arg, s, false);
	case INET_DIAG_BC_DEV_COND: memcpy(&n, arg, 4); return n == s->m.id.idiag_if;
	case INET_DIAG_BC_MARK_COND:
		memcpy(&mark, arg, sizeof(mark));
		return (s->mark & mark.mask) == mark.mark;
	default: return true;
	}
}

static bool wanted_by_code(const struct asked *a, const struct seen *s)
{
	u32 at = 0;

	while (at < a->code_len) {
		const struct inet_diag_bc_op *op = (const struct inet_diag_bc_op *)(a->code + at);

		at += op_holds(a->code + at, s) ? op->yes : op->no;
	}
	return at == a->code_len;
}

/* --- one socket --- */

static u8 shut_of(u8 state)
{
	switch (state) {
	case TCP_FIN_WAIT1:
	case TCP_FIN_WAIT2: return SHUT_WRITE;
	case TCP_CLOSE_WAIT: return SHUT_READ;
	case TCP_CLOSING:
	case TCP_LAST_ACK:
	case TCP_TIME_WAIT: return SHUT_READ | SHUT_WRITE;
	default: return 0;
	}
}

static bool extension(const struct asked *a, u32 n)
{
	return a->req->idiag_ext & 1u << (n - 1);
}

static void put_memory(const struct asked *a, const struct seen *s)
{
	u32 rcvbuf = s->row ? (u32)s->row->rcvbuf : s->d ? (u32)READ_ONCE(s->d->i.s.rcvbuf) : 0;
	u32 sndbuf = s->row ? (u32)s->row->sndbuf : s->d ? (u32)READ_ONCE(s->d->i.s.sndbuf) : 0;
	struct inet_diag_meminfo small = { .idiag_rmem = s->m.idiag_rqueue,
					   .idiag_wmem = s->m.idiag_wqueue,
					   .idiag_tmem = s->m.idiag_wqueue };
	u32 all[SK_MEMINFO_VARS] = { [SK_MEMINFO_RMEM_ALLOC] = s->m.idiag_rqueue,
				     [SK_MEMINFO_RCVBUF] = rcvbuf,
				     [SK_MEMINFO_WMEM_ALLOC] = s->m.idiag_wqueue,
				     [SK_MEMINFO_SNDBUF] = sndbuf,
				     [SK_MEMINFO_WMEM_QUEUED] = s->m.idiag_wqueue };

	if (s->m.idiag_state == TCP_LISTEN)
		all[SK_MEMINFO_RMEM_ALLOC] = all[SK_MEMINFO_WMEM_ALLOC] =
			all[SK_MEMINFO_WMEM_QUEUED] = 0;
	if (extension(a, INET_DIAG_MEMINFO))
		nl_attr(a->o, INET_DIAG_MEMINFO, &small, sizeof(small));
	if (extension(a, INET_DIAG_SKMEMINFO))
		nl_attr(a->o, INET_DIAG_SKMEMINFO, all, sizeof(all));
}

static void put_socket(struct asked *a, const struct seen *s)
{
	struct inet_diag_msg *m = nl_begin(a->o, SOCK_DIAG_BY_FAMILY, sizeof(*m));
	u8 shut = s->d ? (u8)READ_ONCE(s->d->shut) : shut_of(s->m.idiag_state);
	bool full = s->m.idiag_state != TCP_TIME_WAIT && s->m.idiag_state != TCP_SYN_RECV;

	if (!m)
		return;
	*m = s->m;
	a->shown++;
	if (full) {
		nl_attr(a->o, INET_DIAG_SHUTDOWN, &shut, 1);
		if (extension(a, INET_DIAG_TOS))
			nl_attr(a->o, INET_DIAG_TOS, &s->tos, 1);
		put_memory(a, s);
	}
	if (full && s->row && extension(a, INET_DIAG_INFO))
		nl_attr(a->o, INET_DIAG_INFO, &s->row->info, sizeof(s->row->info));
	if (full && s->row && s->row->cc && extension(a, INET_DIAG_CONG))
		nl_attr_str(a->o, INET_DIAG_CONG, s->row->cc);
	nl_end(a->o);
}

static bool is_one(const struct asked *a, const struct inet_diag_sockid *id)
{
	const struct inet_diag_sockid *q = &a->req->id;

	return q->idiag_sport == id->idiag_sport && q->idiag_dport == id->idiag_dport &&
	       q->idiag_src[0] == id->idiag_src[0] && q->idiag_dst[0] == id->idiag_dst[0];
}

/* Show it if it is wanted. */
static void consider(struct asked *a, const struct seen *s)
{
	const struct inet_diag_sockid *q = &a->req->id;

	if (a->one) {
		if (!a->shown && is_one(a, &s->m.id))
			put_socket(a, s);
		return;
	}
	if (!(a->req->idiag_states & 1u << s->m.idiag_state) ||
	    (q->idiag_sport && q->idiag_sport != s->m.id.idiag_sport) ||
	    (q->idiag_dport && q->idiag_dport != s->m.id.idiag_dport) ||
	    (q->idiag_if && q->idiag_if != s->m.id.idiag_if))
		return;
	if (!a->code || wanted_by_code(a, s))
		put_socket(a, s);
}

static int look_at_tcp(const struct tcp_row *r, void *arg)
{
	struct asked *a = arg;
	struct seen s = { .row = r, .tos = r->tos };

	s.m = (struct inet_diag_msg){ .idiag_family = AF_INET,
				      .idiag_state = r->state,
				      .idiag_timer = r->timer,
				      .idiag_retrans = r->timer == 4 ? r->probes : r->retransmits,
				      .idiag_expires = (u32)(r->expires / NSEC_PER_MSEC),
				      .idiag_rqueue = r->rx,
				      .idiag_wqueue = r->tx,
				      .idiag_uid = r->uid,
				      .idiag_inode = (u32)r->inode };
	s.m.id = (struct inet_diag_sockid){ .idiag_sport = r->local.port,
					    .idiag_dport = r->peer.port,
					    .idiag_src = { r->local.addr },
					    .idiag_dst = { r->peer.addr } };
	sockdiag_cookie(r->id, s.m.id.idiag_cookie);
	consider(a, &s);
	return a->o->err;
}

static void look_at_pcb(struct asked *a, const struct inet_pcb *pcb)
{
	const struct inet_dgram *d = pcb->owner;
	const struct netdev *dev = READ_ONCE(pcb->dev);
	struct seen s = { .d = d };

	s.m = (struct inet_diag_msg){ .idiag_family = AF_INET,
				      .idiag_state = pcb->faddr ? TCP_ESTABLISHED : TCP_CLOSE,
				      .idiag_uid = pcb->uid };
	s.m.id = (struct inet_diag_sockid){ .idiag_sport = pcb->table == PCB_RAW ? net16(pcb->proto)
										 : pcb->lport,
					    .idiag_dport = pcb->fport,
					    .idiag_src = { pcb->laddr },
					    .idiag_dst = { pcb->faddr },
					    .idiag_if = dev ? dev->index : 0 };
	if (d) {
		s.m.idiag_rqueue = READ_ONCE(d->rmem);
		s.m.idiag_wqueue = READ_ONCE(d->wmem);
		s.m.idiag_inode = (u32)READ_ONCE(d->i.s.ino);
		s.mark = READ_ONCE(d->i.s.mark);
		s.tos = READ_ONCE(d->i.tos);
	}
	sockdiag_cookie((u64)pcb, s.m.id.idiag_cookie);
	consider(a, &s);
}

static int look_at_all(struct asked *a)
{
	enum pcb_table table = a->protocol == IPPROTO_UDP	? PCB_UDP
			       : a->protocol == IPPROTO_UDPLITE ? PCB_LITE
								: PCB_RAW;
	struct inet_pcb *pcb;

	if (a->protocol == IPPROTO_TCP)
		return tcp_for_each(look_at_tcp, a);
	if (table == PCB_RAW && a->protocol != IPPROTO_RAW)
		return a->protocol == IPPROTO_DCCP || a->protocol == IPPROTO_SCTP ||
				       a->protocol == IPPROTO_MPTCP
			       ? 0
			       : -ENOENT;
	for (u32 n = 0; !a->o->err && (pcb = inet_pcb_nth(table, n)); n++) {
		look_at_pcb(a, pcb);
		inet_pcb_put(pcb);
	}
	return 0;
}

/* The attributes behind the fixed part: a filter, another protocol. 0 or -EINVAL */
static int read_attrs(struct asked *a, const u8 *at, u32 left)
{
	while (left >= sizeof(struct nlattr)) {
		const struct nlattr *n = (const struct nlattr *)at;
		u32 whole = NLA_ALIGN((u32)n->nla_len), len = n->nla_len - (u32)NLA_HDRLEN;

		if (n->nla_len < NLA_HDRLEN || n->nla_len > left)
			return -EINVAL;
		if (n->nla_type == INET_DIAG_REQ_BYTECODE && len) {
			a->code = at + NLA_HDRLEN;
			a->code_len = len;
			if (len > CODE_MAX || check_code(a->code, len))
				return -EINVAL;
		} else if (n->nla_type == INET_DIAG_REQ_PROTOCOL && len == 4) {
			memcpy(&a->protocol, at + NLA_HDRLEN, 4);
		}
		whole = MIN(whole, left);
		at += whole;
		left -= whole;
	}
	return 0;
}

static int inet_request(const struct nlmsghdr *h, bool dump, struct nl_out *o)
{
	const struct inet_diag_req_v2 *req = NLMSG_DATA(h);
	u32 left = h->nlmsg_len - NLMSG_HDRLEN;
	struct asked a = { .o = o, .req = req, .one = !dump };
	int err;

	if (left < sizeof(*req))
		return -EINVAL;
	a.protocol = req->sdiag_protocol;
	err = read_attrs(&a, (const u8 *)(req + 1), left - (u32)sizeof(*req));
	if (!err && req->sdiag_family == AF_INET)
		err = look_at_all(&a);
	if (err || dump)
		return err;
	return a.shown ? 0 : -ENOENT;
}

/* See netlink.h. */
int sockdiag_request(const struct nlmsghdr *h, bool admin, struct nl_out *o)
{
	bool dump = h->nlmsg_flags & NLM_F_DUMP;
	const struct sock_diag_req *req = NLMSG_DATA(h);
	int err;

	if (h->nlmsg_type == SOCK_DESTROY)
		return admin ? -EOPNOTSUPP : -EPERM;
	if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return -EINVAL;
	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*req)))
		return -EINVAL;
	o->flags = dump ? NLM_F_MULTI : 0;
	if (req->sdiag_family == AF_UNIX)
		err = unix_diag_request(h, dump, o);
	else if (req->sdiag_family == AF_NETLINK)
		err = netlink_diag_request(h, dump, o);
	else if (req->sdiag_family == AF_INET || req->sdiag_family == DIAG_INET6)
		err = inet_request(h, dump, o);
	else
		err = req->sdiag_family >= AF_MAX ? -EINVAL : -ENOENT;
	if (!err && dump)
		nl_done(o);
	return err;
}
