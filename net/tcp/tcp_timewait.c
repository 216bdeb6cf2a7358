/*
 * TIME-WAIT: a minute in which old segments of a connection that is over are answered or swallowed
 * (RFC 9293, 3.10.7.4; 2 MSL with an MSL of 30 s). All that is needed for it is a struct tcp_tw.
 *
 * All wait equally long, so that they end in the order in which they came: one list, and one
 * timeout for its head. Their number is bounded (tcp_max_tw_buckets); what does not find a place
 * closes at once.
 *
 * A new SYN takes over when it cannot be an old one: by its timestamp, or its number (RFC 6191, RFC
 * 1122 4.2.2.13).
 */
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/tcp/tcp_pcb.h"

#define ANSWER_INTERVAL (500 * MSEC)

static struct spinlock queue_lock = SPINLOCK_INIT(RANK_TCP_TABLE);
static struct list queue = LIST_INIT(queue); /* queue_lock: struct tcp_tw.queue */
static bool armed; /* queue_lock */
static struct timeout timer; /* own lock */
static struct work reap_work; /* own lock */
static struct kmem_cache *cache; /* I after boot */

static void timer_fired(struct timeout *t)
{
	(void)work_queue(&reap_work);
}

/* See tcp_pcb.h. ctx: any that may free */
void tcp_tw_put(struct tcp_tw *tw)
{
	if (ref_put(&tw->key.refs))
		kmem_cache_free(cache, tw);
}

/* Off the list; true: it was on it, and its reference is the caller's. */
static bool unqueue(struct tcp_tw *tw)
{
	bool there;

	spin_lock(&queue_lock);
	there = !list_empty(&tw->queue);
	if (there)
		list_del(&tw->queue);
	spin_unlock(&queue_lock);
	if (there)
		__atomic_fetch_sub(&tcp_timewaits, 1, __ATOMIC_RELAXED);
	return there;
}

/* See tcp_pcb.h. ctx: thread; holds: no bucket */
void tcp_tw_unqueue(struct tcp_tw *tw)
{
	if (!unqueue(tw))
		return;
	tcp_port_free(&tw->key);
	tcp_tw_put(tw);
}

static void end(struct tcp_tw *tw)
{
	tcp_table_del(&tw->key);
	tcp_tw_unqueue(tw);
}

/* The first whose time has come, with a reference; or NULL, and the timer is armed for the next. */
static struct tcp_tw *due(s64 now)
{
	struct tcp_tw *tw = NULL;

	spin_lock(&queue_lock);
	armed = false;
	if (!list_empty(&queue)) {
		tw = list_first(&queue, struct tcp_tw, queue);
		if (tw->expires > now) {
			armed = true;
			timeout_set(&timer, tw->expires);
			tw = NULL;
		} else {
			ref_get(&tw->key.refs);
		}
	}
	spin_unlock(&queue_lock);
	return tw;
}

static void reap(struct work *w)
{
	s64 now = time_now();
	struct tcp_tw *tw;

	while ((tw = due(now))) {
		end(tw);
		tcp_tw_put(tw);
	}
}

/* See tcp_pcb.h. ctx: boot */
void tcp_timewait_init(void)
{
	cache = kmem_cache_create("tcp_tw", sizeof(struct tcp_tw), 16);
	timeout_init(&timer, timer_fired);
	work_init(&reap_work, reap);
}

static void enqueue(struct tcp_tw *tw, s64 now)
{
	spin_lock(&queue_lock);
	tw->expires = now + TCP_TIMEWAIT;
	list_add_tail(&queue, &tw->queue);
	if (!armed) {
		armed = true;
		timeout_set(&timer, tw->expires);
	}
	spin_unlock(&queue_lock);
}

/* It was needed: the time begins again. RFC 9293, 3.10.7.4, for a FIN that comes again. */
static void restart(struct tcp_tw *tw, s64 now)
{
	spin_lock(&queue_lock);
	if (!list_empty(&tw->queue)) {
		list_del(&tw->queue);
		tw->expires = now + TCP_TIMEWAIT;
		list_add_tail(&queue, &tw->queue);
	}
	spin_unlock(&queue_lock);
}

static struct tcp_tw *make(const struct tcp_pcb *p, s64 now)
{
	struct tcp_tw *tw = kmem_cache_alloc(cache, PMM_NOWAIT);

	if (!tw)
		return NULL;
	memset(tw, 0, sizeof(*tw));
	list_init(&tw->key.link);
	list_init(&tw->key.bind);
	list_init(&tw->queue);
	ref_init(&tw->key.refs, 1);
	tw->key.kind = TCP_KIND_TW;
	tw->key.laddr = p->key.laddr;
	tw->key.raddr = p->key.raddr;
	tw->key.lport = p->key.lport;
	tw->key.rport = p->key.rport;
	tw->key.reuse = p->key.reuse;
	tw->key.reuseport = p->key.reuseport;
	tw->key.uid = p->key.uid;
	tw->key.dev = p->key.dev;
	tw->snd_nxt = p->snd_nxt;
	tw->rcv_nxt = p->rcv_nxt;
	tw->rcv_wnd = p->rcv_wnd >> p->rcv_wscale;
	tw->ts = p->flags & PF_TS;
	tw->ts_recent = p->ts_recent;
	tw->ts_offset = p->ts_offset;
	tw->tos = p->tos;
	tw->since = now;
	return tw;
}

/* See tcp_pcb.h. holds: p->lock */
void tcp_enter_timewait(struct tcp_pcb *p)
{
	s64 now = time_now();
	struct tcp_tw *tw = NULL;

	if (__atomic_add_fetch(&tcp_timewaits, 1, __ATOMIC_RELAXED) <= (u32)tcp_sysctl_max_tw)
		tw = make(p, now);
	if (tw && tcp_table_replace(&p->key, &tw->key)) {
		tcp_port_move(&p->key, &tw->key);
		enqueue(tw, now); /* with the first reference */
		TCP_COUNT(TW);
	} else {
		__atomic_fetch_sub(&tcp_timewaits, 1, __ATOMIC_RELAXED);
		TCP_COUNT(TCPTimeWaitOverflow);
		if (tw)
			tcp_tw_put(tw);
	}
	tcp_drop(p, 0);
}

static void answer(struct tcp_tw *tw, const struct tcp_in *in)
{
	u8 opt[TCP_TS_LEN] = { 1, 1, 8, 10 };
	u32 ts[2] = { net32(tcp_ts_now(in->now, tw->ts_offset)), net32(READ_ONCE(tw->ts_recent)) };
	struct pkt *pkt;

	if (!in->len && in->now - READ_ONCE(tw->oow_at) < ANSWER_INTERVAL && tw->oow_at &&
	    !(in->flags & TH_FIN)) {
		TCP_COUNT(TCPACKSkipped);
		return;
	}
	WRITE_ONCE(tw->oow_at, in->now);
	memcpy(opt + 4, ts, sizeof(ts));
	pkt = tcp_make(&tw->key, tw->snd_nxt, tw->rcv_nxt, TH_ACK, tw->rcv_wnd, opt,
		       tw->ts ? TCP_TS_LEN : 0);
	if (pkt) {
		struct list one = LIST_INIT(one);

		TCP_COUNT(OUT_SEGS);
		tcp_enqueue(&one, pkt, &tw->key, tw->tos, 0, true);
		list_del(&pkt->link);
		tcp_wire_output(pkt);
	}
}

/* A SYN that cannot be an old one. */
static bool may_begin_again(const struct tcp_tw *tw, const struct tcp_in *in)
{
	if ((in->flags & (TH_SYN | TH_ACK | TH_RST | TH_FIN)) != TH_SYN)
		return false;
	if (tw->ts && in->has_ts)
		return seq_gt(in->tsval, READ_ONCE(tw->ts_recent)) ||
		       (in->tsval == READ_ONCE(tw->ts_recent) && seq_gt(in->seq, tw->rcv_nxt));
	return seq_gt(in->seq, tw->rcv_nxt);
}

/* See tcp_pcb.h. ctx: thread; holds: nothing */
bool tcp_timewait_input(struct tcp_tw *tw, struct tcp_in *in)
{
	bool old = tw->ts && in->has_ts && seq_lt(in->tsval, READ_ONCE(tw->ts_recent));

	if (may_begin_again(tw, in)) {
		in->isn = tw->snd_nxt + 65535 + 2;
		in->isn += !in->isn;
		end(tw);
		return true;
	}
	if (in->flags & TH_RST) {
		/* RFC 1337: an RST that may be old does not end it early, if so set. */
		if (!old && in->seq == tw->rcv_nxt && !tcp_sysctl_rfc1337)
			end(tw);
		return false;
	}
	if (!(in->flags & (TH_ACK | TH_SYN)))
		return false;
	if (!old && (in->flags & TH_FIN) && in->end == tw->rcv_nxt) {
		restart(tw, in->now);
	} else if (!old && in->end == in->seq && in->seq == tw->rcv_nxt && !(in->flags & TH_SYN)) {
		return false; /* a last ACK: nothing to say */
	}
	if (!old && tw->ts && in->has_ts && seq_le(in->seq, tw->rcv_nxt))
		WRITE_ONCE(tw->ts_recent, in->tsval);
	answer(tw, in);
	return false;
}
