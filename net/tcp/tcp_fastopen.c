/*
 * Fast open (RFC 7413): bytes in the SYN, which the other side has before the handshake ends.
 *
 * The listener gives whoever asks a cookie, a secret function of both addresses. A later SYN that
 * brings it back, and so comes from where it says, makes the connection at once, with its bytes to
 * be read; it is in SYN_RECV until the third segment, may be accepted, written to and closed, and
 * sends its SYN-ACK again by itself. Only so many of them may be pending, and one that is reset
 * counts for a minute more: nobody is flooded by way of us, or we by forged SYNs (RFC 7413, 5).
 *
 * The active side keeps cookies by address, in a table that new ones overwrite. The bytes are a
 * segment of the queue of their own, behind the SYN, and only the first SYN carries them: what the
 * SYN-ACK does not acknowledge is lost, and goes again at once. When SYNs with the option come to
 * nothing again and again, something on the way may swallow them: all leave it off for a while, if
 * net.ipv4.tcp_fastopen_blackhole_timeout_sec says so.
 */
#include <linux/errno.h>
#include "kernel/base/errno.h"
#include "kernel/base/rand.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/tcp/tcp_pcb.h"

/* net.ipv4.tcp_fastopen */
#define ACTIVE 1
#define PASSIVE 2
#define ACTIVE_NO_COOKIE 4
#define PASSIVE_NO_COOKIE 0x200

#define OPT_NOP 1
#define OPT_FASTOPEN 34
#define OPT_EXP 254
#define COOKIE_MIN 4
#define COOKIE_MAX 16
#define COOKIE_OURS 8
#define SLOTS 64u
#define RESET_COUNTS (60 * SEC)

struct cookie {
	be32 src, dst;
	u16 mss; /* what the other side takes */
	u8 len; /* 0: there is none */
	u8 try; /* how to ask: by option 34; 1: by the experimental one; 2: by 34 for good */
	bool exp; /* it came by the experimental one */
	u8 val[COOKIE_MAX];
};

static struct cookie cookies[SLOTS]; /* lock */
static struct tcp_fo_keys all; /* lock */
static struct spinlock lock = SPINLOCK_INIT(RANK_NET_LEAF);
static s64 hole_at; /* a: when it was seen last */
static u32 holes; /* a: how often since it worked */

/* --- the option --- */

/* Before it had a number of its own the option was an experimental one (RFC 6994). */
static bool experimental(const struct tcp_in *in)
{
	return in->fo && *(in->pkt->head - in->fo) == OPT_EXP;
}

/* The cookie of @in, whose length is returned: 0: one is asked for; -1: no option that counts. */
static int offered(const struct tcp_in *in, const u8 **val)
{
	const u8 *o = in->pkt->head - in->fo;
	int head = experimental(in) ? 4 : 2, n = in->fo ? o[1] - head : -1;

	*val = o + head;
	return (n & 1) || n > COOKIE_MAX || (n && n < COOKIE_MIN) ? -1 : n;
}

/* The option, padded: its length, at most TCP_FO_OPT_MAX. */
static u32 write_option(u8 *o, bool exp, const void *cookie, u32 n)
{
	static const u8 magic[2] = { 0xf9, 0x89 };
	u32 head = exp ? 4 : 2, len = head + n;

	o[0] = exp ? OPT_EXP : OPT_FASTOPEN;
	o[1] = (u8)len;
	if (exp)
		memcpy(o + 2, magic, sizeof(magic));
	memcpy(o + head, cookie, n);
	while (len & 3)
		o[len++] = OPT_NOP;
	return len;
}

/* --- the active side --- */

static struct cookie *slot(const struct tcp_pcb *p)
{
	return &cookies[net32(p->key.raddr) % SLOTS];
}

static void failed(struct tcp_pcb *p, u32 why)
{
	p->flags = (p->flags & ~(3u << PF_FO_FAIL)) | why << PF_FO_FAIL;
}

static bool paused(void)
{
	s64 wait = tcp_sysctl_fastopen_pause * SEC;
	u32 n = READ_ONCE(holes);

	return n && wait && time_now() < READ_ONCE(hole_at) + (wait << MIN(n - 1, 6u));
}

/*
 * The cookie for a SYN of @p. False: no bytes may be in it. @c->len: 255: it has no option either
 */
static bool cookie_for(struct tcp_pcb *p, struct cookie *c)
{
	bool plain = (tcp_sysctl_fastopen & ACTIVE_NO_COOKIE) || (p->fo & FO_NO_COOKIE);
	bool off = paused();

	spin_lock(&lock);
	*c = *slot(p);
	spin_unlock(&lock);
	if (c->src != p->key.laddr || c->dst != p->key.raddr)
		c->len = c->mss = c->try = 0;
	if (plain || off) {
		c->len = 255;
		return !off;
	}
	if (!c->len)
		failed(p, TFO_COOKIE_UNAVAILABLE);
	return c->len;
}

/* The passive side has one only to give when the other's is by the older key. */
static void make_cookie(const u64 key[2], be32 client, be32 server, u8 *out)
{
	u32 w[2] = { client, server };
	u64 h = tcp_siphash_key(key, w, 2, 0);

	memcpy(out, &h, COOKIE_OURS);
}

static void keys_of(const struct tcp_pcb *l, struct tcp_fo_keys *k)
{
	spin_lock(&lock);
	*k = l->extra->fo_keys.n ? l->extra->fo_keys : all;
	spin_unlock(&lock);
}

/* See tcp_pcb.h. */
u32 tcp_fo_option(struct tcp_pcb *p, u8 *o)
{
	struct tcp_fo_keys k;
	struct cookie c;

	p->fo &= (u16)~FO_TRY; /* what is sent again goes without */
	if (p->fo & FO_PENDING) {
		keys_of(p->extra->opener, &k);
		make_cookie(k.k[0], p->key.raddr, p->key.laddr, c.val);
		return write_option(o, p->fo & FO_EXP, c.val, COOKIE_OURS);
	}
	(void)cookie_for(p, &c);
	if (c.len == 255)
		return 0;
	p->fo |= FO_ASKED;
	if (c.len ? c.exp : c.try == 1)
		p->fo |= FO_EXP;
	return write_option(o, p->fo & FO_EXP, c.val, c.len);
}

/* See tcp_pcb.h. */
bool tcp_fo_holds(struct tcp_pcb *p, bool first)
{
	struct cookie c;

	if (first || ((p->fo & FO_CONNECT) && cookie_for(p, &c)))
		p->fo |= FO_HELD;
	else if (p->fo & FO_CONNECT)
		p->fo |= FO_TRY;
	return p->fo & FO_HELD;
}

/* See net/tcp.h. ctx: any */
bool tcp_held(const struct tcp_pcb *p)
{
	return READ_ONCE(p->state) == TCP_SYN_SENT && (READ_ONCE(p->fo) & FO_HELD);
}

/* A segment of up to @n bytes of @u, but a page. NULL: no memory, or the user has none there. */
static struct tcp_seg *take(struct uio *u, u32 n)
{
	struct page *page = pmm_alloc(0, 0);
	struct tcp_seg *s;
	ssize_t got;

	if (!page)
		return NULL;
	s = tcp_seg_alloc();
	got = s ? uio_copy_from(u, page_to_va(page), MIN(n, (u32)PAGE_SIZE)) : 0;
	if (got <= 0) {
		page_put(page);
		kfree(s);
		return NULL;
	}
	s->frags[s->nfrags++] = (struct pkt_frag){ page, 0, (u32)got };
	s->len = (u32)got;
	return s;
}

/* How many bytes a SYN of @p may have: as many options as there may be are left room for. */
static u32 syn_room(struct tcp_pcb *p)
{
	u32 mss = p->pmtu - 40;
	struct cookie c;

	if (!cookie_for(p, &c))
		return 0;
	if (c.mss)
		mss = MIN(mss, (u32)c.mss);
	if (p->user_mss)
		mss = MIN(mss, (u32)p->user_mss);
	return mss - TCP_OPT_MAX;
}

/* See net/tcp.h. ctx: thread; sleeps (user memory) */
ssize_t tcp_fast_open(struct tcp_pcb *p, struct uio *u)
{
	struct tcp_seg *s = NULL;
	ssize_t n = 0;
	u32 room;

	tcp_lock(p);
	room = tcp_held(p) ? syn_room(p) : 0;
	tcp_unlock(p);
	if (room && u->left)
		s = take(u, (u32)MIN(u->left, (size_t)room));
	tcp_lock(p);
	if (!tcp_held(p))
		n = -EALREADY;
	if (s && (n || !tcp_charge(p, s->len))) {
		uio_revert(u, s->len);
		tcp_seg_free(s);
		s = NULL;
	}
	if (!n) {
		n = s ? s->len : 0;
		p->fo = (u16)((p->fo & ~FO_HELD) | FO_TRY);
		TCP_COUNT(ACTIVE_OPENS);
		tcp_send_syn(p, s, time_now());
	}
	tcp_unlock(p);
	return n;
}

/* See tcp_pcb.h. */
void tcp_fo_send(struct tcp_pcb *p, struct tcp_seg *s, struct tcp_seg *d, s64 now)
{
	p->fo |= FO_DATA;
	p->mss = (u16)MAX((u32)p->mss, d->len);
	d->seq = s->seq;
	d->end = s->end + d->len;
	d->flags = TH_SYN;
	tcp_xmit(p, d, now);
	s->sent = d->sent = now;
	d->seq = s->end;
	d->flags = TH_PSH;
	tcp_seg_add(p, d);
	WRITE_ONCE(p->snd_nxt, d->end);
	WRITE_ONCE(p->snd_end, d->end);
}

/* What the SYN-ACK @in says for the next time; @n <= 0: no new cookie, < 0: not even the option. */
static void learn(const struct tcp_pcb *p, const struct tcp_in *in, const u8 *val, int n)
{
	bool unknown = n < 0 && !(p->fo & FO_DATA) && !p->total_retrans;
	u8 try = !unknown ? 0 : p->fo & FO_EXP ? 2 : 1;
	struct cookie *c = slot(p);

	spin_lock(&lock);
	if (c->src != p->key.laddr || c->dst != p->key.raddr)
		c->len = c->try = 0;
	if (n > 0) {
		c->len = (u8)n;
		c->exp = experimental(in);
	} else if (!c->len) {
		c->try = MAX(c->try, try);
	}
	c->src = p->key.laddr;
	c->dst = p->key.raddr;
	c->mss = p->peer_mss;
	if (n > 0)
		memcpy(c->val, val, (u32)n);
	spin_unlock(&lock);
}

/* What of the bytes in the SYN has arrived. False: not all. */
static bool data_arrived(struct tcp_pcb *p, struct tcp_in *in)
{
	u32 wnd = p->snd_wnd;
	struct tcp_seg *s;

	if (seq_gt(in->ack, p->snd_una))
		(void)tcp_ack(p, in);
	p->snd_wnd = p->max_wnd = wnd; /* a SYN's, not scaled */
	if (p->snd_una == p->snd_nxt) {
		TCP_COUNT(TCPFastOpenActive);
		WRITE_ONCE(holes, 0);
		p->fo |= FO_ACKED;
		p->delivered = 1; /* with its SYN it was one */
		return true;
	}
	TCP_COUNT(TCPFastOpenActiveFail);
	failed(p, p->total_retrans ? TFO_SYN_RETRANSMITTED : TFO_DATA_NOT_ACKED);
	list_for_each(s, &p->sndq, link)
		tcp_mark_lost(p, s);
	return false;
}

/* See tcp_pcb.h. */
void tcp_fo_answered(struct tcp_pcb *p, struct tcp_in *in)
{
	const u8 *val;
	int n = offered(in, &val);

	if (!(p->fo & (FO_ASKED | FO_DATA)))
		return;
	learn(p, in, val, p->fo & FO_ASKED ? n : 0);
	if ((p->fo & FO_DATA) && !data_arrived(p, in))
		return;
	in->seq++;
	tcp_data(p, in); /* if it has answered already */
}

/* See tcp_pcb.h. */
void tcp_fo_timeout(struct tcp_pcb *p, s64 now)
{
	if (!(p->fo & (FO_ASKED | FO_DATA)))
		return;
	failed(p, p->state == TCP_SYN_SENT ? TFO_SYN_RETRANSMITTED : TFO_DATA_NOT_ACKED);
	if (!tcp_sysctl_fastopen_pause)
		return;
	WRITE_ONCE(hole_at, now);
	__atomic_fetch_add(&holes, 1, __ATOMIC_RELAXED);
	TCP_COUNT(TCPFastOpenBlackhole);
}

/* --- the passive side --- */

/* May another one be pending at @l? */
static bool has_room(struct tcp_pcb *l, s64 now)
{
	struct tcp_listener *q = l->listener;
	u32 most = l->extra ? l->extra->fo_most : 0, old;

	if (!most || __atomic_load_n(&q->fo_pending, __ATOMIC_RELAXED) < most)
		return most;
	if (now >= READ_ONCE(q->fo_until)) {
		old = __atomic_exchange_n(&q->fo_resets, 0, __ATOMIC_RELAXED);
		if (__atomic_sub_fetch(&q->fo_pending, old, __ATOMIC_RELAXED) < most)
			return true;
	}
	TCP_COUNT(TCPFastOpenListenOverflow);
	return false;
}

/* See tcp_pcb.h. */
u32 tcp_fo_judge(struct tcp_pcb *l, const struct tcp_in *in, struct tcp_fo_opt *opt)
{
	const u8 *val;
	int n = offered(in, &val);
	struct tcp_fo_keys k;
	u8 cookie[COOKIE_OURS], older[COOKIE_OURS];

	if (!n)
		TCP_COUNT(TCPFastOpenCookieReqd);
	if (!(tcp_sysctl_fastopen & PASSIVE) || (n < 0 && !in->len) || !has_room(l, in->now))
		return 0;
	if ((tcp_sysctl_fastopen & PASSIVE_NO_COOKIE) || (l->fo & FO_NO_COOKIE))
		return FO_OPENS;
	if (n < 0)
		return 0;
	keys_of(l, &k);
	make_cookie(k.k[0], in->src, in->dst, cookie);
	opt->len = (u8)write_option(opt->text, experimental(in), cookie, COOKIE_OURS);
	if (n == COOKIE_OURS && !memcmp(val, cookie, COOKIE_OURS))
		return FO_OPENS;
	make_cookie(k.k[1], in->src, in->dst, older);
	if (n == COOKIE_OURS && k.n > 1 && !memcmp(val, older, COOKIE_OURS)) {
		TCP_COUNT(TCPFastOpenPassiveAltKey);
		return FO_OPENS | FO_GIVES;
	}
	if (n)
		TCP_COUNT(TCPFastOpenPassiveFail);
	return FO_GIVES;
}

/* See tcp_pcb.h. */
bool tcp_fo_begin(struct tcp_pcb *p, struct tcp_pcb *l, struct tcp_in *in)
{
	struct tcp_extra *x = tcp_extra(p);

	if (!x)
		return false;
	x->opener = tcp_pcb_get(l);
	WRITE_ONCE(p->fo, p->fo | FO_PENDING | (experimental(in) ? FO_EXP : 0));
	__atomic_fetch_add(&l->listener->fo_pending, 1, __ATOMIC_RELAXED);
	tcp_set_state(p, TCP_SYN_RECV);
	p->snd_wnd = p->max_wnd = in->wnd; /* a SYN's, not scaled */
	p->syn_retries = (u8)(tcp_sysctl_synack_retries + 1);
	if (in->len) {
		in->seq++;
		tcp_data(p, in);
		p->fo |= FO_ACKED;
		p->wake = 0;
	}
	TCP_COUNT(TCPFastOpenPassive);
	return tcp_begin(p, NULL, in->now);
}

/* See tcp_pcb.h. */
void tcp_fo_done(struct tcp_pcb *p, bool reset)
{
	struct tcp_pcb *l = p->extra->opener;
	struct tcp_listener *q = l->listener;

	WRITE_ONCE(p->fo, p->fo & ~FO_PENDING);
	if (p->state == TCP_SYN_RECV && !(p->flags & PF_CLOSED)) {
		tcp_set_state(p, TCP_ESTABLISHED);
		p->retries = p->backoff = 0;
		p->wake |= WAKE_WRITE | WAKE_READ;
	}
	if (reset && !(p->flags & PF_IN_ACCEPT)) {
		WRITE_ONCE(q->fo_until, time_now() + RESET_COUNTS);
		__atomic_fetch_add(&q->fo_resets, 1, __ATOMIC_RELAXED);
	} else {
		__atomic_fetch_sub(&q->fo_pending, 1, __ATOMIC_RELAXED);
	}
	tcp_pcb_put(l);
}

/* --- settings --- */

/* See net/tcp.h. ctx: thread */
int tcp_fo_keys_set(struct tcp_pcb *p, const void *val, u32 len)
{
	struct tcp_extra *x = p ? tcp_extra(p) : NULL;
	struct tcp_fo_keys *k = p ? &x->fo_keys : &all;

	if (len != TCP_FO_KEY && len != 2 * TCP_FO_KEY)
		return -EINVAL;
	if (p && !x)
		return -ENOMEM;
	spin_lock(&lock);
	memcpy(k->k, val, len);
	k->n = len / TCP_FO_KEY;
	spin_unlock(&lock);
	return 0;
}

/* See net/tcp.h. ctx: thread */
u32 tcp_fo_keys_get(const struct tcp_pcb *p, void *val)
{
	const struct tcp_extra *x = p ? load_acquire(&p->extra) : NULL;
	const struct tcp_fo_keys *k = x ? &x->fo_keys : &all;
	u32 n;

	if (p && !x)
		return 0;
	spin_lock(&lock);
	n = k->n * TCP_FO_KEY;
	memcpy(val, k->k, n);
	spin_unlock(&lock);
	return n;
}

/* A listener needs a key: if none was set it is one that nobody knows. */
static void keys_begin(void)
{
	spin_lock(&lock);
	if (!all.n) {
		rand_bytes(all.k, TCP_FO_KEY);
		all.n = 1;
	}
	spin_unlock(&lock);
}

/* See tcp_pcb.h. */
int tcp_fo_set(struct tcp_pcb *p, int option, int v)
{
	u32 bit = option == TCP_FASTOPEN_CONNECT ? FO_CONNECT : FO_NO_COOKIE;
	bool fresh = p->state == TCP_CLOSE, passive = fresh || p->state == TCP_LISTEN;
	struct tcp_extra *x;

	if (option == TCP_FASTOPEN) {
		if (v < 0 || !passive)
			return -EINVAL;
		x = tcp_extra(p);
		if (!x)
			return -ENOMEM;
		keys_begin();
		x->fo_most = MIN((u32)v, (u32)READ_ONCE(tcp_sysctl_somaxconn));
		return 0;
	}
	if (v < 0 || v > 1)
		return -EINVAL;
	if (bit == FO_CONNECT && !(tcp_sysctl_fastopen & ACTIVE))
		return -EOPNOTSUPP;
	if (bit == FO_CONNECT ? !fresh : !passive)
		return -EINVAL;
	p->fo = (u16)(v ? p->fo | bit : p->fo & ~bit);
	return 0;
}

/* See tcp_pcb.h. */
int tcp_fo_get(const struct tcp_pcb *p, int option, int *v)
{
	switch (option) {
	case TCP_FASTOPEN: *v = p->extra ? (int)p->extra->fo_most : 0; return 0;
	case TCP_FASTOPEN_CONNECT: *v = !!(p->fo & FO_CONNECT); return 0;
	case TCP_FASTOPEN_NO_COOKIE: *v = !!(p->fo & FO_NO_COOKIE); return 0;
	default: return -ENOPROTOOPT;
	}
}
