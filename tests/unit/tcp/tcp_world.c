/* See tcp_world.h. The state is the one program's. */
#include <linux/errno.h>
#include <linux/ip.h>
#include <stdlib.h>
#include <string.h>
#include "kernel/base/rand.h"
#include "mm/slab.h"
#include "tests/unit/tcp/tcp_world.h"

struct world world;
static u64 counts[TCP_MIB_COUNT];

/* --- memory --- */

struct kmem_cache {
	size_t size;
};

struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align)
{
	static struct kmem_cache all[16];
	static u32 n;
	struct kmem_cache *c = &all[n++ % 16];

	c->size = size;
	return c;
}

void *kmem_cache_alloc(struct kmem_cache *c, u32 flags)
{
	return malloc(c->size);
}

void kmem_cache_free(struct kmem_cache *c, void *obj)
{
	free(obj);
}

void *kmalloc(size_t size, u32 flags)
{
	return malloc(size);
}

void *kzalloc(size_t size, u32 flags)
{
	return calloc(1, size);
}

void kfree(const void *p)
{
	free((void *)p);
}

struct page *pmm_alloc(u32 order, u32 flags)
{
	u8 *mem = aligned_alloc(PAGE_SIZE, PAGE_SIZE + (PAGE_SIZE << order));
	struct page *p = va_to_page(mem + PAGE_SIZE);

	p->refs = 1;
	return p;
}

void page_put(struct page *p)
{
	if (--p->refs == 0)
		free(p->data - PAGE_SIZE);
}

u64 pmm_free_frames(void)
{
	return 65536;
}

/* --- time --- */

static struct timeout *timers[4096];
static u32 ntimers;
static struct work *works[4096];
static u32 nworks;

s64 time_now(void)
{
	return world.now;
}

u64 rand_u64(void)
{
	return unit_random();
}

void rand_bytes(void *buf, size_t n)
{
	u8 *b = buf;

	while (n--)
		*b++ = (u8)unit_random();
}

void timeout_init(struct timeout *t, void (*fn)(struct timeout *t))
{
	memset(t, 0, sizeof(*t));
	t->fn = fn;
}

bool timeout_cancel(struct timeout *t)
{
	for (u32 i = 0; t->armed && i < ntimers; i++) {
		if (timers[i] == t)
			timers[i] = timers[--ntimers];
	}
	bool was = t->armed;

	t->armed = false;
	return was;
}

void timeout_set(struct timeout *t, s64 deadline)
{
	(void)timeout_cancel(t);
	t->deadline = deadline;
	t->armed = true;
	CHECK(ntimers < 4096);
	timers[ntimers++] = t;
}

void work_init(struct work *w, void (*fn)(struct work *w))
{
	memset(w, 0, sizeof(*w));
	w->fn = fn;
}

bool work_queue(struct work *w)
{
	if (w->queued)
		return false;
	w->queued = true;
	CHECK(nworks < 4096);
	works[nworks++] = w;
	return true;
}

static void run_works(void)
{
	while (nworks) {
		struct work *w = works[--nworks];

		w->queued = false;
		w->fn(w);
	}
}

/* --- the wire --- */

struct flight {
	s64 at;
	u64 order;
	struct pkt *pkt;
};
static struct flight flights[65536];
static u32 nflights;
static u64 flown;
static struct heard heard[4096];
static u32 heard_first, heard_end;

int tcp_wire_route(be32 dst, struct tcp_path *path)
{
	if (dst == IP_ADDR(192, 0, 2, 1))
		return -ENETUNREACH;
	if (!path->src)
		path->src = HOST_A;
	path->mtu = world.mtu;
	path->gso_max = 65000;
	return 0;
}

u32 tcp_wire_ports(u32 own, u32 *low)
{
	*low = 32768;
	return world.ports;
}

bool tcp_wire_is_local(be32 addr)
{
	return true;
}

bool tcp_wire_is_loopback(be32 addr)
{
	return !world.far;
}

void tcp_count_add(enum tcp_mib id, u64 n)
{
	counts[id] += n;
}

u64 tcp_mib(enum tcp_mib id)
{
	return counts[id];
}

static void hear(const u8 *h, u32 len, u8 tos, bool df)
{
	struct pkt *pkt = pkt_alloc(0, len, 0);
	struct heard *e = &heard[heard_end++ % 4096];
	struct tcp_in in = { 0 };

	memcpy(pkt_append(pkt, len), h, len);
	CHECK(tcp_parse(&in, pkt));
	memset(e, 0, sizeof(*e));
	*e = (struct heard){ .seq = in.seq,
			     .ack = in.ack,
			     .len = in.len,
			     .wnd = in.wnd,
			     .flags = in.flags,
			     .mss = in.mss,
			     .has_ts = in.has_ts,
			     .tsval = in.tsval,
			     .tsecr = in.tsecr,
			     .nsack = in.nsack,
			     .urg = in.urg,
			     .sack_ok = in.sack_ok,
			     .wscale = in.wscale,
			     .sport = net16(in.sport),
			     .dport = net16(in.dport),
			     .tos = tos,
			     .df = df,
			     .at = world.now };
	memcpy(e->sack, in.sack, sizeof(e->sack));
	if (in.fo) {
		e->fo = pkt->head[1 - in.fo];
		e->exp = pkt->head[-in.fo] == 254;
		memcpy(e->cookie, pkt->head + (e->exp ? 4 : 2) - in.fo, MIN(e->fo - (e->exp ? 4u : 2u), 16u));
	}
	pkt_copy_out(pkt, 0, e->data, MIN(in.len, (u32)sizeof(e->data)));
	pkt_put(pkt);
}

static s64 delay_of(void)
{
	if (world.early && unit_random() % 1000 < world.early)
		return 0;
	return world.delay + (world.jitter ? (s64)(unit_random() % (u64)world.jitter) : 0);
}

static void fly(be32 src, be32 dst, const u8 *h, u32 len, u8 tos, bool df)
{
	struct pkt *pkt;
	struct iphdr *ip;
	u32 times = 1;

	CHECK(len + 20 <= world.mtu);
	world.sent++;
	if (world.filter && !world.filter(h, len)) {
		world.lost++;
		return;
	}
	if (world.drop_next && len > (u32)(h[12] >> 4) * 4) {
		world.drop_next--;
		world.lost++;
		return;
	}
	if (dst == HOST_X) {
		hear(h, len, tos, df);
		return;
	}
	if (world.loss && unit_random() % 1000 < world.loss) {
		world.lost++;
		return;
	}
	if (world.dup && unit_random() % 1000 < world.dup)
		times = 2;
	while (times--) {
		pkt = pkt_alloc(20, len, 0);
		memcpy(pkt_append(pkt, len), h, len);
		pkt_set_transport(pkt);
		ip = pkt_push(pkt, 20);
		memset(ip, 0, 20);
		ip->saddr = src;
		ip->daddr = dst;
		ip->tos = tos;
		pkt_set_net(pkt);
		pkt_pull(pkt, 20);
		pkt->csum = PKT_CSUM_NONE;
		if (world.corrupt && unit_random() % 1000 < world.corrupt)
			pkt->head[unit_random() % len] ^= (u8)(1 + unit_random() % 255);
		CHECK(nflights < 65536);
		flights[nflights++] = (struct flight){ world.now + delay_of(), flown++, pkt };
	}
}

/* Cut as a device would, and complete the sums. */
void tcp_wire_output(struct pkt *pkt)
{
	be32 src = tcp_tx(pkt)->src, dst = tcp_tx(pkt)->dst;
	u8 tos = tcp_tx(pkt)->tos;
	bool df = tcp_tx(pkt)->df;
	static u8 all[70000], one[70000];
	u32 len = pkt->len, hl, size;

	pkt_copy_out(pkt, 0, all, len);
	hl = (u32)(all[12] >> 4) * 4;
	CHECK(!pkt->gso_size || !(all[13] & (TH_SYN | TH_RST | TH_URG | TH_CWR)));
	size = pkt->gso_size ? pkt->gso_size : MAX(len - hl, 1u);
	for (u32 off = 0; off == 0 || off < len - hl; off += size) {
		u32 n = MIN(size, len - hl - off), seq;
		u16 sum;

		memcpy(one, all, hl);
		memcpy(one + hl, all + hl + off, n);
		memcpy(&seq, one + 4, 4);
		seq = net32(net32(seq) + off);
		memcpy(one + 4, &seq, 4);
		if (off + n < len - hl)
			one[13] &= (u8) ~(TH_FIN | TH_PSH);
		if (off)
			one[13] &= (u8)~TH_CWR;
		memset(one + 16, 0, 2);
		sum = (u16)~cksum_fold(cksum_add(one, hl + n, cksum_pseudo(src, dst, 6, hl + n)));
		memcpy(one + 16, &sum, 2);
		fly(src, dst, one, hl + n, tos, df);
	}
	pkt_put(pkt);
}

/* --- passing time --- */

static s32 next_flight(void)
{
	s32 best = -1;

	for (u32 i = 0; i < nflights; i++) {
		if (best < 0 || flights[i].at < flights[best].at ||
		    (flights[i].at == flights[best].at && flights[i].order < flights[best].order))
			best = (s32)i;
	}
	return best;
}

static s32 next_timer(void)
{
	s32 best = -1;

	for (u32 i = 0; i < ntimers; i++) {
		if (best < 0 || timers[i]->deadline < timers[best]->deadline)
			best = (s32)i;
	}
	return best;
}

/* The next thing that happens, not after @limit. False: nothing does. */
static bool step(s64 limit)
{
	s32 f = next_flight(), t = next_timer();
	s64 fa = f < 0 ? TIME_NEVER : flights[f].at, ta = t < 0 ? TIME_NEVER : timers[t]->deadline;

	if (MIN(fa, ta) > limit)
		return false;
	world.now = MAX(world.now, MIN(fa, ta));
	if (fa <= ta) {
		struct pkt *pkt = flights[f].pkt;

		flights[f] = flights[--nflights];
		tcp_input(pkt);
	} else {
		struct timeout *timer = timers[t];

		timers[t] = timers[--ntimers];
		timer->armed = false;
		timer->fn(timer);
	}
	run_works();
	return true;
}

bool world_run(s64 limit, bool (*done)(void *arg), void *arg)
{
	s64 end = world.now + limit;

	while (!done(arg)) {
		if (!step(end))
			return false;
	}
	return true;
}

void world_sleep(s64 ns)
{
	s64 end = world.now + ns;

	while (step(end))
		;
	world.now = end;
}

void world_begin(void)
{
	static bool begun;

	if (!begun)
		tcp_init();
	begun = true;
	world = (struct world){
		.now = 1000 * SEC + world.now, .delay = 5 * MSEC, .mtu = 1500, .ports = 28232
	};
	x_forget();
	memset(counts, 0, sizeof(counts));
}

void world_end(void)
{
	struct tcp_usage u;

	world.loss = world.dup = world.corrupt = world.drop_next = 0;
	world.filter = NULL;
	world_sleep(2000 * SEC);
	tcp_usage(&u);
	CHECK_EQ(u.allocated, 0);
	CHECK_EQ(u.orphans, 0);
	CHECK_EQ(u.timewait, 0);
	CHECK_EQ(u.pages, 0);
	CHECK_EQ(nflights, 0);
}

bool x_hear(struct heard *h)
{
	if (heard_first == heard_end)
		return false;
	*h = heard[heard_first++ % 4096];
	return true;
}

u32 x_count(void)
{
	return heard_end - heard_first;
}

void x_forget(void)
{
	heard_first = heard_end;
}

void x_say(const struct xseg *s)
{
	struct tcp_key k = {
		.laddr = HOST_X, .raddr = HOST_A, .lport = net16(s->sport), .rport = net16(s->dport)
	};
	struct pkt *pkt = tcp_make(&k, s->seq, s->ack, s->flags, s->wnd, s->opt, s->optlen);
	u8 *h = pkt->head, *all;
	u32 len = pkt->len + s->len;
	u16 sum;

	h[18] = (u8)(s->urg >> 8);
	h[19] = (u8)s->urg;
	all = calloc(1, len);
	memcpy(all, h, pkt->len);
	if (s->data)
		memcpy(all + pkt->len, s->data, s->len);
	sum = (u16)~cksum_fold(cksum_add(all, len, cksum_pseudo(HOST_X, HOST_A, 6, len)));
	memcpy(all + 16, &sum, 2);
	pkt_put(pkt);
	pkt = pkt_alloc(20, len, 0);
	memcpy(pkt_append(pkt, len), all, len);
	free(all);
	struct iphdr *ip = pkt_push(pkt, 20);
	memset(ip, 0, 20);
	ip->saddr = HOST_X;
	ip->daddr = HOST_A;
	ip->tos = s->tos;
	pkt_set_net(pkt);
	pkt_pull(pkt, 20);
	tcp_input(pkt);
	run_works();
}

/* --- users --- */

static void no_event(void *user, u32 events)
{
}

static void no_urgent(void *user)
{
}

static u64 no_inode(void *user)
{
	return 0;
}

static const struct tcp_user_ops user_ops = { .event = no_event,
					      .urgent = no_urgent,
					      .inode = no_inode };

struct tcp_pcb *listen_on(be32 addr, u16 port, int backlog)
{
	struct tcp_pcb *p;

	CHECK_EQ(tcp_open(&user_ops, NULL, &p), 0);
	CHECK_EQ(tcp_bind(p, (struct tcp_addr){ addr, net16(port) }), 0);
	CHECK_EQ(tcp_listen(p, backlog), 0);
	return p;
}

struct tcp_pcb *connect_to(be32 from, be32 to, u16 port)
{
	struct tcp_pcb *p;

	CHECK_EQ(tcp_open(&user_ops, NULL, &p), 0);
	if (from)
		CHECK_EQ(tcp_bind(p, (struct tcp_addr){ from, 0 }), 0);
	CHECK_EQ(tcp_connect(p, (struct tcp_addr){ to, net16(port) }), 0);
	return p;
}

ssize_t put(struct tcp_pcb *p, const void *data, size_t n, u32 flags)
{
	struct uio u = { .left = n, .one = { (u64)data, n } };

	return tcp_send(p, &u, flags);
}

ssize_t lend(struct tcp_pcb *p, const void *data, size_t n)
{
	u32 off = (u32)(unit_random() % (PAGE_SIZE - n + 1));
	struct page *page = pmm_alloc(0, 0);
	struct uio u;
	ssize_t done;

	memcpy(page->data + off, data, n);
	uio_init_kernel(&u, page->data + off, n);
	u.lend = true;
	done = tcp_send(p, &u, 0);
	CHECK(done > 0 ? page->refs > 1 : page->refs == 1); /* not copied */
	page_put(page);
	return done;
}

ssize_t take(struct tcp_pcb *p, void *data, size_t n, u32 flags)
{
	struct uio u = { .left = n, .one = { (u64)data, n } };

	return tcp_recv(p, &u, flags, 0);
}

/* --- X's end of a connection --- */

const u8 sack_mss[8] = { 2, 4, 5, 0xb4, 1, 1, 4, 2 };
const u8 mss_only[4] = { 2, 4, 5, 0xb4 };

void say(const struct xend *x, u8 flags, u32 seq, u32 ack, u32 len)
{
	say_at(x, flags, seq, ack, len, 0, 0);
}

void say_at(const struct xend *x, u8 flags, u32 seq, u32 ack, u32 len, u32 tsval, u32 tsecr)
{
	u8 o[12] = { 1, 1, 8, 10 };
	u32 v[2] = { net32(tsval), net32(tsecr) };

	memcpy(o + 4, v, sizeof(v));
	x_say(&(struct xseg){ .sport = x->sport,
			      .dport = x->dport,
			      .seq = seq,
			      .ack = ack,
			      .flags = flags,
			      .wnd = 60000,
			      .len = len,
			      .opt = o,
			      .optlen = tsval ? sizeof(o) : 0 });
}

void set_option(struct tcp_pcb *p, int option, int v)
{
	CHECK_EQ(tcp_set_option(p, option, &v, sizeof(v)), 0);
}

int get_option(struct tcp_pcb *p, int option)
{
	u32 len = sizeof(int);
	int v = -1;

	CHECK_EQ(tcp_get_option(p, option, &v, &len), 0);
	return v;
}

void ack_with(const struct xend *x, u32 ack, const u8 *opt, u32 optlen)
{
	x_say(&(struct xseg){ .sport = x->sport,
			      .dport = x->dport,
			      .seq = x->seq,
			      .ack = ack,
			      .flags = TH_ACK,
			      .wnd = 60000,
			      .opt = opt,
			      .optlen = optlen });
}

void x_open(struct xend *x, u16 port, const u8 *opt, u32 optlen)
{
	struct heard h;

	*x = (struct xend){ .sport = 40000, .dport = port, .seq = 1000 };
	x->l = listen_on(HOST_A, port, 4);
	x_say(&(struct xseg){ .sport = x->sport,
			      .dport = port,
			      .seq = 999,
			      .flags = TH_SYN,
			      .wnd = 60000,
			      .opt = opt,
			      .optlen = optlen });
	CHECK(x_hear(&h));
	CHECK_EQ(h.flags & 0x3f, TH_SYN | TH_ACK);
	CHECK_EQ(h.ack, 1000);
	x->ack = h.seq + 1;
	world_sleep(20 * MSEC); /* the round trip */
	say(x, TH_ACK, x->seq, x->ack, 0);
	CHECK_EQ(tcp_accept(x->l, &x->p), 0);
	CHECK_EQ(tcp_state(x->p), TCP_ESTABLISHED);
	x_forget();
}

void x_begin(struct xend *x, u16 port, const u8 *opt, u32 optlen)
{
	world_begin();
	x_open(x, port, opt, optlen);
}

void x_connect(struct xend *x, u16 port, u32 seq, struct heard *syn)
{
	struct tcp_addr me;

	*x = (struct xend){ .sport = port, .seq = seq };
	x->p = connect_to(HOST_A, HOST_X, port);
	CHECK(x_hear(syn) && (syn->flags & TH_SYN) && tcp_name(x->p, false, &me));
	x->dport = net16(me.port);
	x->ack = syn->seq + 1;
}

void x_accept(struct xend *x, u16 port, u32 irs, const u8 *opt, u32 optlen)
{
	struct heard h;

	x_connect(x, port, irs + 1, &h);
	world_sleep(20 * MSEC);
	x_say(&(struct xseg){ .sport = port,
			      .dport = x->dport,
			      .seq = irs,
			      .ack = x->ack,
			      .flags = TH_SYN | TH_ACK,
			      .wnd = 60000,
			      .opt = opt,
			      .optlen = optlen });
	CHECK_EQ(tcp_state(x->p), TCP_ESTABLISHED);
}

void x_close(struct xend *x)
{
	tcp_abort(x->p);
	if (x->l)
		tcp_close(x->l);
	x_forget();
	world_end();
}
