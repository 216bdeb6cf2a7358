/*
 * Options of the level IPPROTO_TCP, tcp(7), and the state as struct tcp_info tells it.
 *
 * A change takes effect at once: what Nagle or a cork held back is sent when they go, keepalive is
 * timed anew. Values are bounded as on Linux. Structures are given as far as the caller has room
 * for them, since tcp_info grows with each release and old programs know only its beginning.
 */
#include <linux/errno.h>
#include "kernel/base/errno.h"
#include "kernel/lib/string.h"
#include "net/tcp/tcp_pcb.h"

#define KEEPIDLE_MAX 32767
#define KEEPINTVL_MAX 32767
#define KEEPCNT_MAX 127
#define SYNCNT_MAX 127
#define CC_NAME_MAX 16u

static void flag(struct tcp_pcb *p, u32 bit, bool on)
{
	if (on)
		p->flags |= bit;
	else
		p->flags &= ~bit;
}

/* What was held back goes. */
static void push(struct tcp_pcb *p)
{
	if (p->unsent && p->state != TCP_CLOSE && p->state != TCP_SYN_SENT)
		tcp_output(p, time_now());
}

static int set_congestion(struct tcp_pcb *p, const char *name, u32 len)
{
	const struct tcp_cc *c = tcp_cc_find(name, (u32)strnlen(name, MIN(len, CC_NAME_MAX)));

	if (!c)
		return -ENOENT;
	tcp_lock(p);
	if (c != p->cc) {
		p->cc = c;
		memset(p->cc_state, 0, sizeof(p->cc_state));
		if (p->state != TCP_CLOSE && p->state != TCP_LISTEN)
			c->init(p);
	}
	tcp_unlock(p);
	return 0;
}

static void start_keepalive(struct tcp_pcb *p)
{
	s64 now = time_now(), idle = now - MAX(p->last_rcv, p->last_ack);

	if ((p->flags & PF_KEEPALIVE) && p->state != TCP_CLOSE && p->state != TCP_LISTEN &&
	    p->state != TCP_SYN_SENT)
		tcp_timer_set(p, TCPT_KEEP, now + MAX(p->keep_idle * SEC - idle, 0));
}

static int set_quickack(struct tcp_pcb *p, int v)
{
	flag(p, PF_QUICKACK, v);
	flag(p, PF_PINGPONG, !v);
	if (v && p->deadline[TCPT_ACK] != TIME_NEVER)
		tcp_send_ack(p, time_now());
	return 0;
}

static int set_times(struct tcp_pcb *p, int option, int v)
{
	switch (option) {
	case TCP_KEEPIDLE:
		if (v < 1 || v > KEEPIDLE_MAX)
			return -EINVAL;
		p->keep_idle = (u32)v;
		start_keepalive(p);
		return 0;
	case TCP_KEEPINTVL:
		if (v < 1 || v > KEEPINTVL_MAX)
			return -EINVAL;
		p->keep_intvl = (u32)v;
		return 0;
	case TCP_KEEPCNT:
		if (v < 1 || v > KEEPCNT_MAX)
			return -EINVAL;
		p->keep_cnt = (u8)v;
		return 0;
	case TCP_SYNCNT:
		if (v < 1 || v > SYNCNT_MAX)
			return -EINVAL;
		p->syn_retries = (u8)v;
		return 0;
	case TCP_USER_TIMEOUT:
		if (v < 0)
			return -EINVAL;
		p->user_timeout = (u32)v;
		return 0;
	case TCP_LINGER2: p->linger2 = (s16)(v < 0 ? -1 : MIN(v, TCP_LINGER_MAX)); return 0;
	default: return -ENOPROTOOPT;
	}
}

/* See tcp_pcb.h. */
u32 tcp_answers_seconds(u32 n)
{
	u32 sum = 0;

	for (u32 i = 0; i < n; i++)
		sum += (u32)(tcp_backoff(TCP_RTO_INIT, MIN(i, 7u)) / SEC);
	return sum;
}

static int set_int(struct tcp_pcb *p, int option, int v)
{
	u32 cork;

	switch (option) {
	case TCP_NODELAY:
		flag(p, PF_NODELAY, v);
		cork = p->flags & PF_CORK;
		p->flags &= ~PF_CORK; /* what is there goes, corked or not */
		if (v)
			push(p);
		p->flags |= cork;
		return 0;
	case TCP_CORK:
		flag(p, PF_CORK, v);
		if (!v)
			push(p);
		return 0;
	case TCP_QUICKACK: return set_quickack(p, v);
	case TCP_MAXSEG:
		if (v && (v < (int)TCP_MSS_MIN || v > 32767))
			return -EINVAL;
		p->user_mss = (u16)v;
		return 0;
	case TCP_DEFER_ACCEPT:
		p->defer = 0;
		while (p->defer < 255 && (int)tcp_answers_seconds(p->defer) < v)
			p->defer++;
		flag(p, PF_DEFER, v > 0);
		return 0;
	case TCP_THIN_LINEAR_TIMEOUTS:
	case TCP_THIN_DUPACK: /* RACK has made it pointless, as on Linux */
		if (v != 0 && v != 1)
			return -EINVAL;
		if (option == TCP_THIN_LINEAR_TIMEOUTS)
			flag(p, PF_THIN, v);
		return 0;
	case TCP_WINDOW_CLAMP:
		if (!v && p->state != TCP_CLOSE)
			return -EINVAL;
		p->window_clamp = v ? MAX((u32)v, 1152u) : 0;
		return 0;
	case TCP_NOTSENT_LOWAT:
		WRITE_ONCE(p->notsent_lowat, (u32)v);
		p->wake |= WAKE_WRITE;
		return 0;
	case TCP_FASTOPEN:
	case TCP_FASTOPEN_CONNECT:
	case TCP_FASTOPEN_NO_COOKIE: return tcp_fo_set(p, option, v);
	default: return set_times(p, option, v);
	}
}

/* See net/tcp.h. ctx: thread */
int tcp_set_option(struct tcp_pcb *p, int option, const void *val, u32 len)
{
	int v, err;

	if (option == TCP_CONGESTION)
		return len ? set_congestion(p, val, len) : -EINVAL;
	if (option == TCP_ULP) /* there is none, by whatever name */
		return len ? -ENOENT : -EINVAL;
	if (option == TCP_FASTOPEN_KEY)
		return tcp_fo_keys_set(p, val, len);
	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	tcp_lock(p);
	err = set_int(p, option, v);
	tcp_unlock(p);
	return err;
}

/* --- TCP_INFO --- */

static u32 usec(s64 ns)
{
	return (u32)MIN(ns / USEC, 0x7fffffff);
}

static u32 msec_since(s64 now, s64 at)
{
	return (u32)((now - at) / MSEC);
}

static void info_sender(const struct tcp_pcb *p, struct tcp_info *i)
{
	u32 mss = MAX(p->mss, (u16)1);

	i->tcpi_ca_state = p->ca;
	i->tcpi_retransmits = p->retries;
	i->tcpi_backoff = p->backoff;
	i->tcpi_rto = usec(tcp_backoff(p->rto, p->backoff));
	i->tcpi_snd_mss = p->mss;
	i->tcpi_unacked = DIV_ROUND_UP(p->snd_nxt - p->snd_una, mss);
	i->tcpi_sacked = p->sacked / mss;
	i->tcpi_lost = DIV_ROUND_UP(p->lost, mss);
	i->tcpi_retrans = DIV_ROUND_UP(p->retrans, mss);
	i->tcpi_pmtu = p->pmtu;
	i->tcpi_rtt = usec(p->srtt);
	i->tcpi_rttvar = usec(p->rttvar);
	i->tcpi_snd_ssthresh = p->ssthresh >= 0x7fffffff ? 0x7fffffff : p->ssthresh / mss;
	i->tcpi_snd_cwnd = p->cwnd / mss;
	i->tcpi_reordering = MAX(p->stat.reordering, (u16)3);
	i->tcpi_total_retrans = p->total_retrans;
	i->tcpi_bytes_acked = p->bytes_acked;
	i->tcpi_segs_out = (u32)p->segs_out;
	i->tcpi_notsent_bytes = p->snd_end - p->snd_nxt;
	i->tcpi_min_rtt = p->rack_min_rtt ? usec(p->rack_min_rtt) : ~0u;
	i->tcpi_bytes_sent = p->bytes_sent;
	i->tcpi_bytes_retrans = p->bytes_retrans;
	i->tcpi_snd_wnd = p->snd_wnd;
	i->tcpi_pacing_rate = i->tcpi_max_pacing_rate = p->extra ? p->extra->rate : ~0ull;
}

static void info_receiver(const struct tcp_pcb *p, struct tcp_info *i)
{
	i->tcpi_ato = p->stat.data_in ? usec(p->ato) : 0;
	i->tcpi_rcv_mss = p->rcv_mss;
	i->tcpi_advmss = (u32)MIN(p->pmtu > 40 ? p->pmtu - 40 : 0, 65495u);
	if (p->user_mss)
		i->tcpi_advmss = MIN(i->tcpi_advmss, (u32)p->user_mss);
	if (i->tcpi_advmss && (p->flags & PF_TS))
		i->tcpi_advmss -= TCP_TS_LEN;
	i->tcpi_rcv_rtt = usec(p->rcv_rtt);
	i->tcpi_rcv_space = p->drs_space;
	i->tcpi_rcv_ssthresh = (u32)p->rcvbuf;
	i->tcpi_bytes_received = p->bytes_received;
	i->tcpi_segs_in = (u32)p->segs_in;
}

static void info(struct tcp_pcb *p, struct tcp_info *i)
{
	s64 now = time_now();

	memset(i, 0, sizeof(*i));
	tcp_lock(p);
	i->tcpi_state = p->state;
	if (p->state == TCP_LISTEN) {
		i->tcpi_unacked = p->listener->nready;
		i->tcpi_sacked = p->listener->backlog;
		tcp_unlock(p);
		return;
	}
	i->tcpi_probes = p->probes;
	i->tcpi_options = (p->flags & PF_TS ? TCPI_OPT_TIMESTAMPS : 0) |
			  (p->flags & PF_SACK ? TCPI_OPT_SACK : 0) |
			  (p->flags & PF_WSCALE ? TCPI_OPT_WSCALE : 0) |
			  (p->flags & PF_ECN ? TCPI_OPT_ECN : 0) |
			  (p->fo & FO_ACKED ? TCPI_OPT_SYN_DATA : 0);
	i->tcpi_fastopen_client_fail = p->flags >> PF_FO_FAIL & 3;
	i->tcpi_snd_wscale = p->snd_wscale & 15;
	i->tcpi_rcv_wscale = p->rcv_wscale & 15;
	i->tcpi_last_data_sent = msec_since(now, p->last_sent);
	i->tcpi_last_data_recv = msec_since(now, p->last_rcv);
	i->tcpi_last_ack_recv = msec_since(now, MAX(p->last_ack, p->last_rcv));
	info_sender(p, i);
	info_receiver(p, i);
	tcp_stat_info(p, i, now);
	tcp_unlock(p);
}

static int give(void *val, u32 *len, const void *from, u32 size)
{
	*len = MIN(*len, size);
	memcpy(val, from, *len);
	return 0;
}

static int get_int(const struct tcp_pcb *p, int option, int *v)
{
	switch (option) {
	case TCP_NODELAY: *v = !!(p->flags & PF_NODELAY); return 0;
	case TCP_CORK: *v = !!(p->flags & PF_CORK); return 0;
	case TCP_QUICKACK: *v = !(p->flags & PF_PINGPONG); return 0;
	case TCP_MAXSEG:
		*v = p->state == TCP_CLOSE || p->state == TCP_LISTEN
			     ? p->user_mss ? p->user_mss : 536
			     : p->mss;
		return 0;
	case TCP_KEEPIDLE: *v = (int)p->keep_idle; return 0;
	case TCP_KEEPINTVL: *v = (int)p->keep_intvl; return 0;
	case TCP_KEEPCNT: *v = p->keep_cnt; return 0;
	case TCP_SYNCNT: *v = p->syn_retries; return 0;
	case TCP_USER_TIMEOUT: *v = (int)p->user_timeout; return 0;
	case TCP_DEFER_ACCEPT: *v = (int)tcp_answers_seconds(p->defer); return 0;
	case TCP_THIN_LINEAR_TIMEOUTS: *v = !!(p->flags & PF_THIN); return 0;
	case TCP_THIN_DUPACK: *v = 0; return 0;
	case TCP_WINDOW_CLAMP: /* unless set, what the buffer can take */
		*v = (int)p->window_clamp;
		if (!*v && p->state != TCP_CLOSE && p->state != TCP_LISTEN)
			*v = p->rcvbuf;
		return 0;
	case TCP_NOTSENT_LOWAT: *v = (int)p->notsent_lowat; return 0;
	case TCP_LINGER2:
		*v = p->linger2 < 0 ? -1 : p->linger2 ? p->linger2 : tcp_sysctl_fin_timeout;
		return 0;
	default: return tcp_fo_get(p, option, v);
	}
}

/* See net/tcp.h. ctx: thread */
int tcp_get_option(struct tcp_pcb *p, int option, void *val, u32 *len)
{
	char name[2 * TCP_FO_KEY] = "";
	struct tcp_info i;
	int v, err;

	if (option == TCP_INFO) {
		info(p, &i);
		return give(val, len, &i, sizeof(i));
	}
	if (option == TCP_ULP || option == TCP_CC_INFO) { /* nothing to tell */
		*len = 0;
		return 0;
	}
	if (option == TCP_CONGESTION) {
		strlcpy(name, p->cc->name, CC_NAME_MAX);
		return give(val, len, name, CC_NAME_MAX);
	}
	if (option == TCP_FASTOPEN_KEY)
		return give(val, len, name, tcp_fo_keys_get(p, name));
	tcp_lock(p);
	err = get_int(p, option, &v);
	tcp_unlock(p);
	return err ? err : give(val, len, &v, sizeof(v));
}

/* See net/tcp.h. ctx: thread */
void tcp_set(struct tcp_pcb *p, const struct tcp_settings *s)
{
	tcp_lock(p);
	if (s->rcvbuf) {
		WRITE_ONCE(p->rcvbuf, s->rcvbuf);
		p->flags |= PF_RCVBUF_SET;
	}
	if (s->sndbuf) {
		WRITE_ONCE(p->sndbuf, s->sndbuf);
		p->flags |= PF_SNDBUF_SET;
		p->wake |= WAKE_WRITE;
	}
	WRITE_ONCE(p->rcvlowat, s->rcvlowat);
	flag(p, PF_OOBINLINE, s->oobinline);
	if (s->keepalive != !!(p->flags & PF_KEEPALIVE)) {
		flag(p, PF_KEEPALIVE, s->keepalive);
		start_keepalive(p);
	}
	p->key.reuse = s->reuseaddr;
	p->key.reuseport = s->reuseport;
	p->key.uid = s->uid;
	WRITE_ONCE(p->key.dev, s->dev);
	p->tos = s->tos & ~3u;
	p->ttl = s->ttl;
	p->pmtudisc = s->pmtudisc;
	tcp_unlock(p);
}

/* See net/tcp.h. ctx: any */
void tcp_buffers(const struct tcp_pcb *p, int *rcvbuf, int *sndbuf)
{
	*rcvbuf = READ_ONCE(p->rcvbuf);
	*sndbuf = READ_ONCE(p->sndbuf);
}

/* --- lists --- */

static void row_timer(const struct tcp_pcb *p, struct tcp_row *r, s64 now)
{
	static const u8 numbers[] = {
		[ST_RTO] = 1, [ST_PROBE] = 4, [ST_TLP] = 1, [ST_REORDER] = 1
	};
	s64 at = p->deadline[TCPT_SEND];

	if (at != TIME_NEVER) {
		r->timer = numbers[p->send_timer];
	} else if (p->deadline[TCPT_KEEP] != TIME_NEVER) {
		r->timer = 2;
		at = p->deadline[TCPT_KEEP];
	}
	r->expires = r->timer ? MAX(at - now, 0) : 0;
}

static void row_pcb(struct tcp_pcb *p, struct tcp_row *r, s64 now)
{
	info(p, &r->info);
	tcp_lock(p);
	r->cc = p->cc->name;
	r->rcvbuf = READ_ONCE(p->rcvbuf);
	r->sndbuf = READ_ONCE(p->sndbuf);
	r->tos = p->tos;
	r->state = p->state;
	r->refs = ref_read(&p->key.refs);
	r->retransmits = p->retries;
	r->probes = p->probes;
	r->inode = p->uops ? p->uops->inode(p->user) : 0;
	if (p->state == TCP_LISTEN) {
		r->rx = p->listener->nready;
		r->tx = p->listener->backlog;
	} else {
		r->tx = p->snd_end - p->snd_una;
		r->rx = tcp_readable(p);
		row_timer(p, r, now);
	}
	r->rto_ms = (u32)(p->rto / MSEC);
	r->ato_ms = (u32)(p->ato / MSEC);
	r->quick = (u32)p->quick << 1 | !!(p->flags & PF_PINGPONG);
	r->cwnd = p->cwnd / MAX(p->mss, (u16)1);
	r->ssthresh = p->ssthresh >= 0x7fffffff ? -1 : (int)(p->ssthresh / MAX(p->mss, (u16)1));
	tcp_unlock(p);
	tcp_pcb_put(p);
}

static void row_fill(struct tcp_key *k, struct tcp_row *r, s64 now)
{
	*r = (struct tcp_row){ .local = { k->laddr, k->lport },
			       .peer = { k->raddr, k->rport },
			       .uid = k->uid,
			       .id = (u64)k,
			       .refs = 1 };
	if (k->kind == TCP_KIND_PCB) {
		row_pcb(container_of(k, struct tcp_pcb, key), r, now);
	} else if (k->kind == TCP_KIND_REQ) {
		struct tcp_req *q = container_of(k, struct tcp_req, key);

		r->state = TCP_SYN_RECV;
		r->timer = 1;
		r->expires = MAX(q->due - now, 0);
		r->retransmits = q->retries;
		tcp_req_put(q);
	} else {
		struct tcp_tw *tw = container_of(k, struct tcp_tw, key);

		r->state = TCP_TIME_WAIT;
		r->timer = 3;
		r->expires = MAX(READ_ONCE(tw->expires) - now, 0);
		tcp_tw_put(tw);
	}
}

/* See net/tcp.h. ctx: thread */
int tcp_for_each(int (*fn)(const struct tcp_row *row, void *arg), void *arg)
{
	u32 bucket = 0, skip = 0;
	struct tcp_key *k;
	s64 now = time_now();
	int err = 0;

	while (!err && (k = tcp_table_next(&bucket, &skip))) {
		struct tcp_row row;

		row_fill(k, &row, now);
		err = fn(&row, arg);
	}
	return err;
}

/* See net/tcp.h. ctx: thread */
void tcp_usage(struct tcp_usage *u)
{
	u32 bucket = 0, skip = 0;
	struct tcp_key *k;

	*u = (struct tcp_usage){ .orphans = READ_ONCE(tcp_orphans),
				 .timewait = READ_ONCE(tcp_timewaits),
				 .allocated = READ_ONCE(tcp_allocated),
				 .pages = (u64)MAX(READ_ONCE(tcp_memory), 0) / PAGE_SIZE };
	while ((k = tcp_table_next(&bucket, &skip))) {
		u->inuse += k->kind == TCP_KIND_PCB;
		tcp_key_put(k);
	}
}
