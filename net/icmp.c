/*
 * ICMP (RFC 792, RFC 1122 section 3.2.2).
 *
 * Requests for an echo and for the time are answered, but not those to broadcast and multicast
 * addresses. Errors about what we sent go to the protocol that sent it, redirects to the routes.
 *
 * Errors of ours are about unicast packets only, never about other errors nor about any but the
 * first fragment, hold as much of the packet as fits 576 bytes (RFC 1812, 4.3.2.3), and are
 * limited: a bucket of tokens for all, and one for each of the last addresses (by hash).
 */
#include <linux/errno.h>
#include <linux/icmp.h>
#include <linux/rtnetlink.h>
#include "kernel/base/rand.h"
#include "kernel/base/time.h"
#include "kernel/lib/string.h"
#include "net/ip.h"
#include "net/udp.h"

#define ERROR_MAX 576u
#define LIMIT_SLOTS 64u
#define PEER_BURST 6
#define TIMESTAMP_LEN 20u /* of its message, RFC 792 */
#define DAY_MS 86400000u

int icmp_ratelimit = 1000, icmp_ratemask = BIT(ICMP_DEST_UNREACH) | BIT(ICMP_SOURCE_QUENCH) |
					   BIT(ICMP_TIME_EXCEEDED) | BIT(ICMP_PARAMETERPROB);
int icmp_msgs_per_sec = 1000, icmp_msgs_burst = 50, icmp_echo_ignore_all,
    icmp_echo_ignore_broadcasts = 1;
int ip_no_pmtu_disc;

u32 icmp_counts[2][19];

/* L: limit_lock */
struct bucket {
	be32 addr; /* L */
	u32 tokens; /* L */
	s64 filled; /* L: up to here */
};
static struct spinlock limit_lock = SPINLOCK_INIT(RANK_NET_LEAF);
static struct bucket limits[LIMIT_SLOTS], limit_all; /* limit_lock */

static void count_type(u32 dir, u8 type)
{
	if (type < ARRAY_SIZE(icmp_counts[0]))
		__atomic_add_fetch(&icmp_counts[dir][type], 1, __ATOMIC_RELAXED);
}

/* @price tokens of @b, or what is left; it gets one each @period up to @burst. holds: limit_lock */
static bool token(struct bucket *b, s64 period, u32 burst, u32 price)
{
	s64 now = time_now(), n = (now - b->filled) / period;

	if (n > 0) {
		b->tokens = (u32)MIN((s64)b->tokens + n, (s64)burst);
		b->filled = now;
	}
	if (!b->tokens)
		return false;
	b->tokens -= MIN(b->tokens, price);
	return true;
}

static bool may_send(be32 to, u8 type)
{
	struct bucket *b = &limits[(to ^ to >> 24) % LIMIT_SLOTS];
	s64 each = READ_ONCE(icmp_ratelimit) * NSEC_PER_MSEC;
	u32 rate = (u32)READ_ONCE(icmp_msgs_per_sec), burst = (u32)READ_ONCE(icmp_msgs_burst);
	bool ok;

	if (inet_is_loopback(to) || !(READ_ONCE(icmp_ratemask) >> type & 1))
		return true;
	spin_lock(&limit_lock);
	if (b->addr != to)
		*b = (struct bucket){ to, PEER_BURST, time_now() };
	if (!limit_all.filled)
		limit_all = (struct bucket){ 0, burst, time_now() };
	/* One on average: who could count them would learn which ports are in use. */
	ok = (!each || token(b, each, PEER_BURST, 1)) &&
	     (!rate || token(&limit_all, NSEC_PER_SEC / rate, burst, (u32)rand_u64() % 3));
	spin_unlock(&limit_lock);
	return ok;
}

static void set_check(struct pkt *p)
{
	struct icmphdr *h = (struct icmphdr *)p->head;

	h->checksum = 0;
	h->checksum = (u16)~cksum_fold(pkt_cksum(p, 0, p->len, 0));
}

/* May there be an error about the packet of @h? @linear bytes of it are there. */
static bool may_answer(const struct pkt *p, const struct iphdr *h, u32 linear)
{
	u32 hlen = h->ihl * 4u;
	u8 type;

	if (p->type == PKT_BROADCAST || p->type == PKT_MULTICAST || p->type == PKT_OTHERHOST)
		return false;
	if (h->frag_off & net16(IP_OFFSET))
		return false;
	type = ip_addr_type(h->daddr);
	if (type == RTN_BROADCAST || type == RTN_MULTICAST)
		return false;
	type = ip_addr_type(h->saddr);
	if (type == RTN_BROADCAST || type == RTN_MULTICAST || inet_is_reserved(h->saddr))
		return false;
	if (h->protocol != IPPROTO_ICMP)
		return true;
	if (linear <= hlen)
		return false;
	type = ((const u8 *)h)[hlen];
	return type == ICMP_ECHO || type == ICMP_ECHOREPLY || type == ICMP_TIMESTAMP;
}

/* See ip.h. */
void icmp_send_error(struct pkt *p, u8 type, u8 code, u32 info)
{
	struct iphdr *about = pkt_net(p);
	u32 linear = (u32)(p->tail - (u8 *)about), n;
	struct ip_out o = { .proto = IPPROTO_ICMP, .tos = 0xc0 };
	struct icmphdr *h;
	struct route rt;
	struct pkt *e;
	/* Who waits to be told of a smaller MTU waits for ever: that is not limited. */
	bool limited = type != ICMP_DEST_UNREACH || code != ICMP_FRAG_NEEDED;

	if ((u8 *)about > p->tail || linear < sizeof(*about) || !may_answer(p, about, linear) ||
	    (limited && !may_send(about->saddr, type)))
		return;
	o.dst = about->saddr;
	o.src = ip_addr_is_local(about->daddr) ? about->daddr : 0;
	if (route_lookup(o.dst, o.src, NULL, &rt) || (!rt.src && !o.src))
		return;
	if (!o.src)
		o.src = rt.src;
	n = MIN(p->len + (u32)(p->head - (u8 *)about), ERROR_MAX - IP_HEADER_LEN - 8);
	e = pkt_alloc(PKT_HEADROOM, 8 + n, PMM_NOWAIT);
	if (!e)
		return;
	h = pkt_append(e, 8);
	*h = (struct icmphdr){ .type = type, .code = code };
	h->un.gateway = type == ICMP_DEST_UNREACH ? net32(info & 0xffff)
			: type == ICMP_REDIRECT	  ? info
						  : net32(info << 24);
	linear = MIN(linear, n);
	memcpy(pkt_append(e, linear), about, linear);
	if (n > linear)
		pkt_copy_out(p, pkt_linear_len(p), pkt_append(e, n - linear), n - linear);
	set_check(e);
	net_count(ICMP_OUT_MSGS);
	count_type(1, type);
	(void)ip_output(e, &rt, &o);
}

/* When it came, and when the answer leaves: ms of the day, UTC. False: it is too short. */
static bool add_times(struct pkt *p)
{
	u64 ms = (u64)time_wall() / NSEC_PER_MSEC;
	u32 times[2] = { net32((u32)(ms % DAY_MS)), net32((u32)(ms % DAY_MS)) };

	if (!pkt_linear(p, TIMESTAMP_LEN))
		return false;
	pkt_trim(p, TIMESTAMP_LEN);
	memcpy(p->head + TIMESTAMP_LEN - sizeof(times), times, sizeof(times));
	return true;
}

/* The request, for an echo or for the time, becomes the answer. Consumes @p. */
static void answer(struct pkt *p)
{
	bool echo = *p->head == ICMP_ECHO;
	const struct iphdr *ip = pkt_net(p);
	struct ip_out o = {
		.proto = IPPROTO_ICMP, .tos = ip->tos, .dst = ip->saddr, .src = ip->daddr
	};
	u8 to = ip_addr_type(o.src);
	struct icmphdr *h;
	struct route rt;
	u32 sum;

	if ((to == RTN_BROADCAST || to == RTN_MULTICAST) && !READ_ONCE(icmp_echo_ignore_broadcasts))
		o.src = 0; /* one of our own */
	if ((echo ? READ_ONCE(icmp_echo_ignore_all) : !add_times(p)) ||
	    (o.src && to != RTN_LOCAL) || pkt_headroom(p) < PKT_HEADROOM / 2 ||
	    route_lookup(o.dst, o.src, NULL, &rt)) {
		pkt_put(p);
		return;
	}
	if (!o.src)
		o.src = rt.src;
	h = (struct icmphdr *)p->head;
	h->type = echo ? ICMP_ECHOREPLY : ICMP_TIMESTAMPREPLY;
	if (echo) {
		/* RFC 1624: a word became smaller by 8 << 8 in network order, which is 8 here. */
		sum = h->checksum + 8u;
		h->checksum = (u16)(sum + (sum >> 16));
	} else {
		set_check(p);
	}
	p->csum = PKT_CSUM_NONE;
	p->gso_size = 0; /* whoever said that it is to be cut as TCP */
	p->looped = false;
	p->cb[0] = 0;
	net_count(ICMP_OUT_MSGS);
	count_type(1, h->type);
	(void)ip_output(p, &rt, &o);
}

static const struct {
	u8 err;
	bool hard;
} unreachable[] = {
	[ICMP_NET_UNREACH] = { ENETUNREACH, false },
	[ICMP_HOST_UNREACH] = { EHOSTUNREACH, false },
	[ICMP_PROT_UNREACH] = { ENOPROTOOPT, true },
	[ICMP_PORT_UNREACH] = { ECONNREFUSED, true },
	[ICMP_FRAG_NEEDED] = { EMSGSIZE, false },
	[ICMP_SR_FAILED] = { EOPNOTSUPP, false },
	[ICMP_NET_UNKNOWN] = { ENETUNREACH, true },
	[ICMP_HOST_UNKNOWN] = { EHOSTDOWN, true },
	[ICMP_HOST_ISOLATED] = { ENONET, true },
	[ICMP_NET_ANO] = { ENETUNREACH, true },
	[ICMP_HOST_ANO] = { EHOSTUNREACH, true },
	[ICMP_NET_UNR_TOS] = { ENETUNREACH, false },
	[ICMP_HOST_UNR_TOS] = { EHOSTUNREACH, false },
	[ICMP_PKT_FILTERED] = { EHOSTUNREACH, true },
	[ICMP_PREC_VIOLATION] = { EHOSTUNREACH, true },
	[ICMP_PREC_CUTOFF] = { EHOSTUNREACH, true },
};

/* What an error message says. False: nothing that we know. */
static bool read_error(const struct icmphdr *h, struct net_error *e)
{
	*e = (struct net_error){ .type = h->type, .code = h->code };
	switch (h->type) {
	case ICMP_DEST_UNREACH:
		if (h->code >= ARRAY_SIZE(unreachable))
			return false;
		e->err = unreachable[h->code].err;
		e->hard = unreachable[h->code].hard;
		if (h->code == ICMP_FRAG_NEEDED)
			e->info = net16(h->un.frag.mtu);
		return true;
	case ICMP_TIME_EXCEEDED: e->err = EHOSTUNREACH; return true;
	case ICMP_PARAMETERPROB:
		e->err = EPROTO;
		e->hard = true;
		e->info = net32(h->un.gateway) >> 24;
		return true;
	case ICMP_REDIRECT: e->info = h->un.gateway; return (h->code & 7) <= ICMP_REDIR_HOSTTOS;
	}
	return false;
}

/*
 * A packet of @proto was too long. False: nothing is made of that. By net.ipv4.ip_no_pmtu_disc: 0
 * the length that the router says is taken, 2 none, 3 only TCP's, which can check it; by others
 * as little as may be.
 */
static bool heed_mtu(struct net_error *e, u8 proto)
{
	int how = READ_ONCE(ip_no_pmtu_disc);

	if (how && how != 3)
		e->info = 0;
	return how != 2 && (how != 3 || proto == IPPROTO_TCP);
}

/* An error about a packet of ours: what is left of that packet goes to its protocol. */
static void error_input(struct pkt *p)
{
	const struct net_proto *proto;
	const struct iphdr *ip;
	struct net_error e;

	if (!read_error((const struct icmphdr *)p->head, &e) ||
	    !pkt_linear(p, MIN(p->len, 8u + 60 + 8)))
		return;
	e.from = pkt_net(p)->saddr;
	pkt_pull(p, sizeof(struct icmphdr));
	ip = (const struct iphdr *)p->head;
	if (p->len < sizeof(*ip) || ip->version != 4 || ip->ihl < 5 || p->len < ip->ihl * 4u + 8 ||
	    pkt_linear_len(p) < ip->ihl * 4u + 8)
		return;
	if ((ip->frag_off & net16(IP_OFFSET)) || !ip_addr_is_local(ip->saddr))
		return;
	if (e.type == ICMP_REDIRECT) {
		route_redirect(ip->daddr, e.from, e.info, p->dev);
		return;
	}
	if (e.err == EMSGSIZE && !heed_mtu(&e, ip->protocol))
		return;
	pkt_set_net(p);
	p->proto = ip->protocol;
	pkt_pull(p, ip->ihl * 4u);
	pkt_set_transport(p);
	raw_error(p, &e);
	TABLE_FOREACH(net_proto, proto) {
		if (proto->proto == p->proto && proto->error)
			proto->error(p, &e);
	}
}

static void icmp_input(struct pkt *p)
{
	const struct icmphdr *h;

	net_count(ICMP_IN_MSGS);
	if (!pkt_linear(p, sizeof(*h))) {
		net_count(ICMP_IN_ERRORS);
		goto out;
	}
	if (!pkt_cksum_ok(p, 0)) {
		net_count(ICMP_IN_CSUM_ERRORS);
		net_count(ICMP_IN_ERRORS);
		goto out;
	}
	h = (const struct icmphdr *)p->head;
	count_type(0, h->type);
	switch (h->type) {
	case ICMP_TIMESTAMP:
	case ICMP_ECHO: answer(p); return;
	case ICMP_ECHOREPLY: ping_input(p); return;
	case ICMP_DEST_UNREACH:
	case ICMP_REDIRECT:
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETERPROB: error_input(p); break;
	}
out:
	pkt_put(p);
}

static void icmp_error(struct pkt *p, const struct net_error *e)
{
	if (((const struct icmphdr *)p->head)->type == ICMP_ECHO)
		ping_error(p, e);
}
NET_PROTO(icmp, .proto = IPPROTO_ICMP, .input = icmp_input, .error = icmp_error);
