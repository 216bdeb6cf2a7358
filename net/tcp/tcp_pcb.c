/*
 * The life of a connection's block: made by the user's OPEN or by an accepted SYN, in the tables
 * while it has a four-tuple, dropped when both sides have ended or one gave up, freed with the last
 * reference (tcp_pcb.h tells whose they are).
 *
 * Memory: what the queues of a connection hold is charged, beyond a free first part, to a total of
 * all TCP in steps of a quantum, so that the total is written rarely. Above the total's limit
 * (tcp_mem) senders wait, out-of-order data is dropped, and orphans are reset.
 */
#include <arch/barrier.h>
#include <linux/errno.h>
#include <linux/poll.h>
#include "kernel/base/errno.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/tcp/tcp_pcb.h"

#define QUANTUM 16384u
#define FREE_PART 4096u

static struct kmem_cache *cache; /* I after boot */
u32 tcp_orphans, tcp_timewaits, tcp_allocated;
s64 tcp_memory;

/* See net/tcp.h. ctx: boot */
void tcp_init(void)
{
	u64 frames = pmm_free_frames(), orphans = MAX(frames / 4, 64u),
	    waits = MAX(frames / 2, 256u);

	cache = kmem_cache_create("tcp_pcb", sizeof(struct tcp_pcb), 16);
	tcp_secrets_init();
	tcp_table_init();
	tcp_timewait_init();
	tcp_sysctl_mem[0] = MAX(frames / 16, 128u);
	tcp_sysctl_mem[1] = tcp_sysctl_mem[0] / 3 * 4;
	tcp_sysctl_mem[2] = tcp_sysctl_mem[0] * 2;
	tcp_sysctl_max_orphans = (int)MIN(orphans, 65536u);
	tcp_sysctl_max_tw = (int)MIN(waits, 65536u);
}

/* See tcp_pcb.h. ctx: any. NULL: no memory */
struct tcp_pcb *tcp_pcb_alloc(void)
{
	struct tcp_pcb *p = kmem_cache_alloc(cache, PMM_NOWAIT);

	if (!p)
		return NULL;
	memset(p, 0, sizeof(*p));
	list_init(&p->key.link);
	list_init(&p->key.bind);
	ref_init(&p->key.refs, 1);
	spin_init(&p->lock, RANK_TCP_PCB);
	waitq_init(&p->wait);
	list_init(&p->accept);
	list_init(&p->outq);
	list_init(&p->sndq);
	list_init(&p->rcvq);
	p->state = TCP_CLOSE;
	p->cc = tcp_cc_default();
	p->sndbuf = tcp_sysctl_wmem[1];
	p->rcvbuf = tcp_sysctl_rmem[1];
	p->rcvlowat = 1;
	p->pmtudisc = IP_PMTUDISC_WANT;
	p->ssthresh = 0x7fffffff;
	p->rto = TCP_RTO_INIT;
	p->ato = TCP_DELACK;
	p->reo_mult = 1;
	p->stat.limit = LIMIT_IDLE;
	p->keep_idle = (u32)tcp_sysctl_keepalive_time;
	p->keep_intvl = (u32)tcp_sysctl_keepalive_intvl;
	p->keep_cnt = (u8)tcp_sysctl_keepalive_probes;
	p->syn_retries = (u8)tcp_sysctl_syn_retries;
	tcp_timers_init(p);
	__atomic_fetch_add(&tcp_allocated, 1, __ATOMIC_RELAXED);
	return p;
}

/* See tcp_pcb.h. ctx: any that may free */
void tcp_pcb_put(struct tcp_pcb *p)
{
	if (!ref_put(&p->key.refs))
		return;
	if (p->spage)
		page_put(p->spage);
	pkt_purge(&p->rcvq);
	pkt_purge(&p->outq);
	__atomic_fetch_sub(&tcp_memory, p->mem, __ATOMIC_RELAXED);
	kfree(p->listener);
	if (p->extra) {
		net_chooser_put(p->extra->chooser);
		net_chooser_put(p->extra->filter);
		kfree(p->extra);
	}
	kmem_cache_free(cache, p);
	__atomic_fetch_sub(&tcp_allocated, 1, __ATOMIC_RELAXED);
}

static const u32 wake_events[] = {
	POLLIN | POLLRDNORM,
	POLLOUT | POLLWRNORM,
	POLLPRI,
	POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLHUP | POLLRDHUP | POLLERR,
	POLLERR,
};

/* Tell whoever waits. holds: p->lock, so that the user stays. */
static void wake(struct tcp_pcb *p)
{
	u32 key = 0;

	if (p->wake & WAKE_ROOM) {
		p->wake &= (u8)~WAKE_ROOM;
		smp_mb(); /* a poller that is not seen here sees the room */
		if (READ_ONCE(p->no_room) && tcp_has_room(p)) {
			WRITE_ONCE(p->no_room, false);
			p->wake |= WAKE_WRITE;
		}
		if (!p->wake)
			return;
	}
	for (u32 i = 0; i < ARRAY_SIZE(wake_events); i++) {
		if (p->wake & BIT(i))
			key |= wake_events[i];
	}
	if (p->uops) {
		p->uops->event(p->user, key);
		if (p->wake & WAKE_URG)
			p->uops->urgent(p->user);
	}
	p->wake = 0;
	waitq_wake_sync(&p->wait, ~0u, key);
}

/* Send what waits in .outq, in order: one thread does it, the others leave it to him. */
static void flush(struct tcp_pcb *p)
{
	struct list out;
	struct pkt *pkt, *tmp;

	p->sending = true;
	while (!list_empty(&p->outq)) {
		list_init(&out);
		list_splice_tail(&out, &p->outq);
		spin_unlock(&p->lock);
		list_for_each_safe(pkt, tmp, &out, link) {
			list_del(&pkt->link);
			tcp_wire_output(pkt);
		}
		spin_lock(&p->lock);
	}
	p->sending = false;
}

/* See tcp_pcb.h. The caller has a reference. ctx: thread; holds: p->lock, which is given up */
void tcp_unlock(struct tcp_pcb *p)
{
	if (!list_empty(&p->outq) && !p->sending)
		flush(p);
	if (p->wake)
		wake(p);
	spin_unlock(&p->lock);
}

static bool established(u8 state)
{
	return state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT;
}

/* See tcp_pcb.h. holds: p->lock */
void tcp_set_state(struct tcp_pcb *p, enum tcp_state s)
{
	if (established((u8)s) && !established(p->state))
		TCP_COUNT(CURR_ESTAB);
	else if (!established((u8)s) && established(p->state))
		tcp_count_add(TCP_MIB_CURR_ESTAB, ~0ull);
	WRITE_ONCE(p->state, (u8)s);
}

static void purge_sndq(struct tcp_pcb *p)
{
	struct tcp_seg *s, *tmp;

	list_for_each_safe(s, tmp, &p->sndq, link) {
		tcp_seg_drop(p, s);
	}
	p->unsent = NULL;
	p->sacked = p->lost = p->retrans = p->nsacked = p->reno_sacked = 0;
	p->snd_una = p->snd_nxt = p->snd_end;
}

/* See tcp_pcb.h: what nobody will read or send any more. holds: p->lock */
void tcp_purge(struct tcp_pcb *p)
{
	purge_sndq(p);
	tcp_ooo_purge(p);
	tcp_settle(p);
}

/*
 * Unread data stays to be read. ctx: thread; holds: p->lock and a reference beside the table's
 */
void tcp_drop(struct tcp_pcb *p, int err)
{
	if (p->flags & PF_CLOSED)
		return;
	p->flags |= PF_CLOSED;
	if (err)
		WRITE_ONCE(p->err, err);
	tcp_timers_stop(p);
	if (unlikely(p->fo & FO_PENDING))
		tcp_fo_done(p, err == ECONNRESET);
	tcp_table_del(&p->key);
	/* A port that the user named is his until he closes. */
	if (!(p->flags & PF_OWN_PORT) || !p->uops)
		tcp_port_free(&p->key);
	if (p->flags & PF_ORPHAN) {
		__atomic_fetch_sub(&tcp_orphans, 1, __ATOMIC_RELAXED);
		pkt_purge(&p->rcvq);
		p->rcv_mem = 0;
	}
	tcp_set_state(p, TCP_CLOSE);
	tcp_purge(p);
	p->shut = 3;
	p->wake |= WAKE_ALL;
}

/* --- memory --- */

/* See tcp_pcb.h. ctx: any */
bool tcp_memory_pressure(void)
{
	return READ_ONCE(tcp_memory) / PAGE_SIZE > (s64)READ_ONCE(tcp_sysctl_mem[1]);
}

static u32 mem_wanted(const struct tcp_pcb *p, u32 more)
{
	u32 all = tcp_snd_memory(p) + p->rcv_mem + p->ooo_mem + more;

	return all <= FREE_PART ? 0 : ALIGN_UP(all, QUANTUM);
}

/* See tcp_pcb.h. holds: p->lock */
bool tcp_charge(struct tcp_pcb *p, u32 bytes)
{
	u32 want = mem_wanted(p, bytes);
	s64 now;

	if (likely(want <= p->mem))
		return true;
	now = __atomic_add_fetch(&tcp_memory, want - p->mem, __ATOMIC_RELAXED);
	if (unlikely(now / PAGE_SIZE > (s64)READ_ONCE(tcp_sysctl_mem[2]))) {
		__atomic_fetch_sub(&tcp_memory, want - p->mem, __ATOMIC_RELAXED);
		TCP_COUNT(TCPMemoryPressures);
		return false;
	}
	p->mem = want;
	return true;
}

/* See tcp_pcb.h. holds: p->lock */
void tcp_settle(struct tcp_pcb *p)
{
	u32 want;

	if (!p->mem)
		return;
	want = mem_wanted(p, 0);
	if (p->mem > want && (!want || p->mem - want > 4 * QUANTUM)) {
		__atomic_fetch_sub(&tcp_memory, p->mem - want, __ATOMIC_RELAXED);
		p->mem = want;
	}
}
