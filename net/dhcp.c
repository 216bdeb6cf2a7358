/*
 * The DHCP client's state machine: RFC 2131 (figure 5, section 4.4), options of RFC 2132.
 *
 *   INIT -> SELECTING -> REQUESTING -> PROBING -> BOUND -> RENEWING -> REBINDING -> INIT
 *
 * The first offer is taken. The ACK's address is asked for on the link (RFC 5227, with a short
 * wait, for people wait for their network); whoever answers has it, and the server is told so
 * (DECLINE). Of two conflicts within ten seconds on an address in use the first is met by
 * announcing it, the second by giving it up. A NAK, and the end of a lease, begin anew. When the
 * link comes back, what was begun begins anew, and a lease is asked for again (REBOOTING, for
 * INIT-REBOOT): it stays in use meanwhile, and also when nobody answers.
 *
 * An answer counts if it has our transaction and hardware address, and if the state waits for its
 * kind; an ACK if it is of the server and the address that were asked for. Options are read from
 * the options field, then from file and sname if "overload" says so, and never past their field.
 * Messages are sent again after 4, 8... 64 s, each a second more or less; in RENEWING and REBINDING
 * after half of the time that is left, at least a minute.
 */
#include "kernel/base/time.h"
#include "kernel/lib/string.h"
#include "net/dhcp.h"

#define PROBE_WAIT (20 * NSEC_PER_MSEC)
#define DECLINE_WAIT (10 * NSEC_PER_SEC)
#define DEFEND_INTERVAL (10 * NSEC_PER_SEC)
#define TRIES_MAX 4u /* of one request, before all begins again */
#define MSG_MIN 300u /* what a BOOTP server may insist on */
#define COOKIE 0x63825363u
#define FLAG_BROADCAST 0x8000u

enum { DISCOVER = 1, OFFER, REQUEST, DECLINE, ACK, NAK };
enum {
	OPT_PAD = 0,
	OPT_MASK = 1,
	OPT_ROUTER = 3,
	OPT_DNS = 6,
	OPT_HOST = 12,
	OPT_DOMAIN = 15,
	OPT_MTU = 26,
	OPT_BROADCAST = 28,
	OPT_NTP = 42,
	OPT_ADDRESS = 50,
	OPT_TIME = 51,
	OPT_OVERLOAD = 52,
	OPT_TYPE = 53,
	OPT_SERVER = 54,
	OPT_WANTED = 55,
	OPT_MAX_SIZE = 57,
	OPT_T1 = 58,
	OPT_T2 = 59,
	OPT_CLIENT = 61,
	OPT_END = 255,
};

/* RFC 2131, section 2. */
struct wire {
	u8 op, htype, hlen, hops;
	u32 xid;
	u16 secs, flags;
	be32 ciaddr, yiaddr, siaddr, giaddr;
	u8 chaddr[16], sname[64], file[128];
	u32 cookie;
	u8 options[DHCP_MSG_MAX - 28 - 240];
} __packed;
#define WIRE_HEAD offsetof(struct wire, options)

/* --- sending --- */

static u8 *put(u8 *at, u8 code, const void *data, u8 len)
{
	*at++ = code;
	*at++ = len;
	memcpy(at, data, len);
	return at + len;
}

static void send(struct dhcp *c, u8 type, s64 now)
{
	static const u8 wanted[] = { OPT_MASK, OPT_ROUTER, OPT_DNS,	  OPT_HOST, OPT_DOMAIN,
				     OPT_MTU,  OPT_NTP,	   OPT_BROADCAST, OPT_T1,   OPT_T2 };
	struct wire w = { .op = 1, .htype = 1, .hlen = 6, .xid = c->xid, .cookie = net32(COOKIE) };
	bool holds = c->state == DHCP_RENEWING || c->state == DHCP_REBINDING;
	bool asks = type != DECLINE; /* else flags and secs are 0: RFC 2131, table 5 */
	u16 size = net16(DHCP_MSG_MAX);
	u8 *at = w.options, id[7] = { 1 };
	u32 len;

	if (c->state != DHCP_REQUESTING)
		c->secs = (u16)MIN((now - c->began) / NSEC_PER_SEC, 0xffff);
	w.secs = asks ? net16(c->secs) : 0;
	w.flags = holds || !asks ? 0 : net16(FLAG_BROADCAST);
	w.ciaddr = holds ? c->lease.addr : 0;
	memcpy(w.chaddr, c->mac, 6);
	memcpy(id + 1, c->mac, 6);
	at = put(at, OPT_TYPE, &type, 1);
	at = put(at, OPT_CLIENT, id, sizeof(id));
	if (type == DECLINE || (type == REQUEST && !holds))
		at = put(at, OPT_ADDRESS, &c->lease.addr, 4);
	if (type == DECLINE || c->state == DHCP_REQUESTING)
		at = put(at, OPT_SERVER, &c->lease.server, 4);
	if (asks) {
		at = put(at, OPT_MAX_SIZE, &size, 2);
		at = put(at, OPT_WANTED, wanted, sizeof(wanted));
	}
	*at++ = OPT_END;
	len = MAX((u32)(at - (u8 *)&w), MSG_MIN);
	c->sent++;
	c->ops->send(c, w.ciaddr, c->state == DHCP_RENEWING ? c->lease.server : IP_BROADCAST,
		     (const u8 *)&w, len);
}

/* --- reading --- */

struct answer {
	u8 type, overload;
	struct dhcp_lease l;
};

static u32 get32(const u8 *at)
{
	return (u32)at[0] << 24 | (u32)at[1] << 16 | (u32)at[2] << 8 | at[3];
}

static be32 addr_at(const u8 *at)
{
	be32 a;

	memcpy(&a, at, 4);
	return a;
}

static void get_addrs(be32 *out, u32 max, const u8 *data, u32 len)
{
	for (u32 i = 0; i < max; i++)
		out[i] = i * 4 + 4 <= len ? addr_at(data + i * 4) : 0;
}

/* A name as DNS has them; of one that is not, nothing: it ends up in files that scripts read. */
static void get_name(char *out, const u8 *data, u32 len)
{
	while (len && !data[len - 1]) /* some servers count a NUL */
		len--;
	if (len >= DHCP_NAME_MAX)
		return;
	for (u32 i = 0; i < len; i++) {
		u8 ch = data[i], low = ch | 0x20;

		if (!(low >= 'a' && low <= 'z') && !(ch >= '0' && ch <= '9') && ch != '-' &&
		    ch != '.' && ch != '_')
			return;
	}
	memcpy(out, data, len);
	out[len] = '\0';
}

static void read_option(struct answer *a, u8 code, const u8 *data, u32 len)
{
	struct dhcp_lease *l = &a->l;

	switch (code) {
	case OPT_DNS: get_addrs(l->dns, DHCP_DNS_MAX, data, len); return;
	case OPT_NTP: get_addrs(l->ntp, DHCP_NTP_MAX, data, len); return;
	case OPT_ROUTER: get_addrs(&l->router, 1, data, len); return;
	case OPT_HOST: get_name(l->host, data, len); return;
	case OPT_DOMAIN: get_name(l->domain, data, len); return;
	case OPT_TYPE: a->type = len == 1 ? data[0] : 0; return;
	case OPT_OVERLOAD: a->overload = len == 1 ? data[0] : 0; return;
	case OPT_MTU: l->mtu = len == 2 ? (u16)(data[0] << 8 | data[1]) : 0; return;
	default: break;
	}
	if (len != 4)
		return;
	switch (code) {
	case OPT_MASK: l->mask = addr_at(data); return;
	case OPT_BROADCAST: l->broadcast = addr_at(data); return;
	case OPT_SERVER: l->server = addr_at(data); return;
	case OPT_TIME: l->time = get32(data); return;
	case OPT_T1: l->t1 = get32(data); return;
	case OPT_T2: l->t2 = get32(data); return;
	default: return;
	}
}

static void read_options(struct answer *a, const u8 *at, u32 len)
{
	for (u32 i = 0; i < len && at[i] != OPT_END;) {
		u32 n;

		if (at[i] == OPT_PAD) {
			i++;
			continue;
		}
		if (i + 2 > len)
			return;
		n = at[i + 1];
		if (n > len - i - 2)
			return;
		read_option(a, at[i], at + i + 2, n);
		i += 2 + n;
	}
}

static bool host_address(be32 a)
{
	u8 first = (u8)(net32(a) >> 24);

	return first && first != 127 && first < 224;
}

/* Times in order, a mask that is one, addresses that can be some. False: no lease to live with. */
static bool sane(struct dhcp_lease *l)
{
	u32 mask = net32(l->mask);

	if (!host_address(l->addr) || !host_address(l->server) || !l->time)
		return false;
	if (!mask || (~mask & (~mask + 1))) { /* as classes had it */
		u8 first = (u8)(net32(l->addr) >> 24);

		l->mask = inet_mask(first < 128 ? 8 : first < 192 ? 16 : 24);
	}
	if (!host_address(l->router) || l->router == l->addr)
		l->router = 0;
	if (l->time == DHCP_FOREVER) {
		l->t1 = l->t2 = DHCP_FOREVER;
		return true;
	}
	if (!l->t2 || l->t2 >= l->time)
		l->t2 = (u32)((u64)l->time * 7 / 8);
	if (!l->t1 || l->t1 >= l->t2)
		l->t1 = MIN(l->time / 2, l->t2);
	return true;
}

/* False: not for us, or not understood. */
static bool read_answer(const struct dhcp *c, struct answer *a, const u8 *msg, u32 len)
{
	const struct wire *w = (const struct wire *)msg;

	memset(a, 0, sizeof(*a));
	if (len < WIRE_HEAD || w->op != 2 || w->htype != 1 || w->hlen != 6 ||
	    w->cookie != net32(COOKIE) || w->xid != c->xid || memcmp(w->chaddr, c->mac, 6))
		return false;
	read_options(a, msg + WIRE_HEAD, len - WIRE_HEAD);
	if (a->overload & 1)
		read_options(a, w->file, sizeof(w->file));
	if (a->overload & 2)
		read_options(a, w->sname, sizeof(w->sname));
	a->l.addr = w->yiaddr;
	return a->type == NAK ? a->l.server != 0 : sane(&a->l);
}

/* --- states --- */

/* The next try of a message without an address: 4, 8... 64 s, a second more or less. */
static void back_off(struct dhcp *c, s64 now)
{
	s64 wait = 4 * NSEC_PER_SEC << MIN(c->tries, 4u);

	c->tries++;
	c->deadline = now + wait - NSEC_PER_SEC + c->ops->random() % (2 * NSEC_PER_SEC);
}

static void discover(struct dhcp *c, s64 now)
{
	if (c->state != DHCP_SELECTING) {
		c->state = DHCP_SELECTING;
		c->xid = c->ops->random();
		c->first = c->began = now;
		c->tries = 0;
	}
	send(c, DISCOVER, now);
	back_off(c, now);
}

static void request(struct dhcp *c, s64 now)
{
	if (c->state != DHCP_REQUESTING) {
		c->state = DHCP_REQUESTING;
		c->asked = now;
		c->tries = 0;
	}
	send(c, REQUEST, now);
	back_off(c, now);
}

/* Without an address; it begins again after @wait. */
static void begin_again(struct dhcp *c, s64 now, s64 wait)
{
	c->ops->probe(c, 0);
	if (c->has_addr) {
		c->has_addr = false;
		c->ops->lost(c);
	}
	c->state = DHCP_INIT;
	c->deadline = now + wait;
}

/* The moment that is @secs after the lease was asked for. */
static s64 lease_time(const struct dhcp *c, u32 secs)
{
	return secs == DHCP_FOREVER ? TIME_NEVER : time_add(c->asked, secs * NSEC_PER_SEC);
}

static void settle(struct dhcp *c)
{
	c->state = DHCP_BOUND;
	c->tries = 0;
	c->has_addr = true;
	c->deadline = lease_time(c, c->lease.t1);
	c->ops->bound(c);
}

/* RENEWING until T2, REBINDING until the end; each time after half of what is left. */
static void extend(struct dhcp *c, s64 now)
{
	s64 t2 = lease_time(c, c->lease.t2), end = lease_time(c, c->lease.time), until;

	if (now >= end) {
		begin_again(c, now, 0);
		return;
	}
	if (c->state == DHCP_BOUND) {
		c->xid = c->ops->random();
		c->began = now;
	}
	c->state = now < t2 ? DHCP_RENEWING : DHCP_REBINDING;
	until = now < t2 ? t2 : end;
	send(c, REQUEST, now);
	c->deadline = MIN(now + MAX((until - now) / 2, 60 * NSEC_PER_SEC), until);
}

/* REBOOTING: four times, as long as the lease lasts. */
static void verify(struct dhcp *c, s64 now)
{
	s64 end = lease_time(c, c->lease.time);

	if (now >= end) {
		begin_again(c, now, 0);
	} else if (c->tries >= TRIES_MAX) {
		c->state = DHCP_BOUND;
		c->deadline = MAX(lease_time(c, c->lease.t1), now);
	} else {
		send(c, REQUEST, now);
		back_off(c, now);
		c->deadline = MIN(c->deadline, end);
	}
}

/* See dhcp.h. ctx: thread; sleeps as ops */
void dhcp_link_up(struct dhcp *c, s64 now)
{
	c->state = c->has_addr ? DHCP_REBOOTING : DHCP_INIT;
	c->xid = c->ops->random();
	c->began = c->deadline = now;
	c->tries = 0;
	dhcp_run(c, now);
}

/* See dhcp.h. */
void dhcp_start(struct dhcp *c, const struct dhcp_ops *ops, const u8 mac[6], s64 now)
{
	memset(c, 0, sizeof(*c));
	c->ops = ops;
	memcpy(c->mac, mac, 6);
	discover(c, now);
}

/* See dhcp.h. ctx: thread; sleeps as ops */
void dhcp_run(struct dhcp *c, s64 now)
{
	if (now < c->deadline)
		return;
	switch (c->state) {
	case DHCP_INIT:
	case DHCP_SELECTING: discover(c, now); return;
	case DHCP_REQUESTING:
		if (c->tries >= TRIES_MAX)
			begin_again(c, now, 0);
		else
			request(c, now);
		return;
	case DHCP_PROBING: settle(c); return;
	case DHCP_REBOOTING: verify(c, now); return;
	default: extend(c, now); return;
	}
}

/* Nobody refused: is somebody at the address already? */
static void accept(struct dhcp *c, const struct dhcp_lease *l, s64 now)
{
	bool again = c->state != DHCP_REQUESTING;

	if (again)
		c->asked = c->began;
	c->lease = *l;
	if (again) {
		settle(c);
		return;
	}
	c->state = DHCP_PROBING;
	c->deadline = now + PROBE_WAIT;
	c->ops->probe(c, l->addr);
}

static bool extending(const struct dhcp *c)
{
	return c->state == DHCP_RENEWING || c->state >= DHCP_REBINDING;
}

/* See dhcp.h. */
void dhcp_input(struct dhcp *c, const u8 *msg, u32 len, s64 now)
{
	struct answer a;
	bool waits = c->state == DHCP_REQUESTING || extending(c);

	c->received++;
	if (!read_answer(c, &a, msg, len))
		goto refuse;
	if (a.type == OFFER && c->state == DHCP_SELECTING) {
		c->lease = a.l;
		request(c, now);
		return;
	}
	/* Another server may answer a broadcast of who has a lease, and only that. */
	if (!waits || (a.l.server != c->lease.server && c->state < DHCP_REBINDING))
		goto refuse;
	if (a.type == ACK && a.l.addr == c->lease.addr) {
		accept(c, &a.l, now);
		return;
	}
	if (a.type == NAK) { /* not at once: the next answer may be the same */
		c->naks++;
		begin_again(c, now, NSEC_PER_SEC << MIN(c->naks - 1, 6u));
		return;
	}
refuse:
	c->refused++;
}

/* See dhcp.h. */
void dhcp_conflict(struct dhcp *c, s64 now)
{
	bool probing = c->state == DHCP_PROBING;

	if (!probing && !c->has_addr)
		return;
	if (!probing && (!c->defended || now - c->defended > DEFEND_INTERVAL)) {
		c->defended = now;
		c->ops->probe(c, c->lease.addr);
		return;
	}
	c->declines++;
	c->defended = 0;
	c->state = DHCP_PROBING; /* what DECLINE is sent from: without an address */
	send(c, DECLINE, now);
	begin_again(c, now, DECLINE_WAIT);
}

/* See dhcp.h. ctx: any */
const char *dhcp_state_name(const struct dhcp *c)
{
	static const char names[][12] = { "INIT",  "SELECTING", "REQUESTING", "PROBING",
					  "BOUND", "RENEWING",	"REBINDING",  "REBOOTING" };

	return names[c->state];
}
