/*
 * Reassembly of IPv4 datagrams (RFC 791, RFC 1122 section 3.3.2).
 *
 * A queue holds the fragments of one datagram in order of their offsets. It ends when all are
 * there, after ipfrag_time, when memory runs out (the oldest goes first), or when a fragment lies:
 * overlaps another (RFC 5722's rule, for IPv4 too, but one that came twice is just dropped), goes
 * beyond 64 KiB or beyond the last one. Nothing of such a datagram is ever delivered.
 *
 * One spinlock (rank IPFRAG) guards the queues, which are found by hash and kept by age; so the
 * first is the next to expire, and one timer serves them all.
 */
#include <linux/icmp.h>
#include "kernel/base/rand.h"
#include "kernel/base/time.h"
#include "kernel/base/timeout.h"
#include "kernel/lib/string.h"
#include "kernel/sched/work.h"
#include "mm/slab.h"
#include "net/ip.h"

#define BUCKETS 64u /* as many as six bits choose */
#define QUEUES_MAX 1024u
#define PIECES_MAX 1024u
#define ECN_CE 3u

int ipfrag_time = 30, ipfrag_high_thresh = 4 << 20;

/* F: frag_lock; I: immutable after creation. */
struct frag_queue {
	struct list link; /* F: its bucket */
	struct list age; /* F: all, the oldest first */
	be32 src, dst; /* I */
	u16 id; /* I */
	u8 proto; /* I */
	bool last; /* F: the one without "more fragments" came */
	u32 end; /* F: of the payload, as far as known */
	u32 have; /* F: bytes of it */
	u32 memory; /* F */
	u32 pieces; /* F */
	s64 deadline; /* I */
	struct list frags; /* F: struct pkt by offset */
};

/* What a fragment says, kept in its cb while it is queued. */
struct piece {
	u32 off, len;
};
#define PIECE(p) ((struct piece *)(p)->cb)

static void timer_fired(struct timeout *t);
static void timer_run(struct work *w);

static struct spinlock frag_lock = SPINLOCK_INIT(RANK_IPFRAG);
static struct list buckets[BUCKETS]; /* frag_lock; not used while .next is NULL */
static struct list ages = LIST_INIT(ages); /* frag_lock */
static u32 nqueues, memory; /* frag_lock */
static u32 secret; /* frag_lock: of the hash; 0: not chosen yet */
static struct timeout timer = { .fn = timer_fired }; /* own lock */
static struct work timer_work = { .link = LIST_INIT(timer_work.link),
				  .fn = timer_run }; /* own lock */

static struct list *bucket_of(const struct iphdr *h)
{
	u64 v;
	struct list *b;

	if (!secret)
		secret = (u32)rand_u64() | 1;
	v = ((u64)h->saddr << 32 | h->daddr) ^ ((u64)h->id << 13 | h->protocol);
	b = &buckets[(v * ((u64)secret << 16 | 1)) >> 58];
	if (!b->next)
		list_init(b);
	return b;
}

/* holds: frag_lock. The fragments go to @gone. */
static void queue_free(struct frag_queue *q, struct list *gone)
{
	list_splice_tail(gone, &q->frags);
	list_del(&q->link);
	list_del(&q->age);
	memory -= q->memory;
	nqueues--;
	kfree(q);
}

/*
 * The oldest go as long as there is too much, which each fragment adds to, also one of a datagram
 * that was begun. holds: frag_lock
 */
static void make_room(struct list *gone, u32 most)
{
	while (!list_empty(&ages) &&
	       (memory > (u32)READ_ONCE(ipfrag_high_thresh) || nqueues > most)) {
		queue_free(list_first(&ages, struct frag_queue, age), gone);
		net_count(IP_REASM_FAILS);
	}
}

/* holds: frag_lock */
static struct frag_queue *queue_get(const struct iphdr *h, struct list *gone)
{
	struct list *b = bucket_of(h);
	struct frag_queue *q;

	make_room(gone, QUEUES_MAX);

	list_for_each(q, b, link) {
		if (q->src == h->saddr && q->dst == h->daddr && q->id == h->id &&
		    q->proto == h->protocol)
			return q;
	}
	make_room(gone, QUEUES_MAX - 1);
	q = kzalloc(sizeof(*q), PMM_NOWAIT);
	if (!q)
		return NULL;
	q->src = h->saddr;
	q->dst = h->daddr;
	q->id = h->id;
	q->proto = h->protocol;
	q->deadline = time_now() + READ_ONCE(ipfrag_time) * NSEC_PER_SEC;
	list_init(&q->frags);
	list_add(b, &q->link);
	if (list_empty(&ages))
		timeout_set(&timer, q->deadline);
	list_add_tail(&ages, &q->age);
	nqueues++;
	return q;
}

enum verdict { KEPT, DUPLICATE, LIE };

/* Put @p into its place. holds: frag_lock */
static enum verdict insert(struct frag_queue *q, struct pkt *p, bool more)
{
	u32 off = PIECE(p)->off, len = PIECE(p)->len, end = off + len;
	struct pkt *at;

	if (end > IP_MAX_LEN - IP_HEADER_LEN || (more && (len & 7)) || !len ||
	    q->pieces >= PIECES_MAX)
		return LIE;
	if (q->last ? (end > q->end || (!more && end != q->end)) : (!more && end < q->end))
		return LIE;
	list_for_each(at, &q->frags, link) {
		if (PIECE(at)->off == off && PIECE(at)->len == len)
			return DUPLICATE;
		if (PIECE(at)->off >= end)
			break;
		if (PIECE(at)->off + PIECE(at)->len > off)
			return LIE;
	}
	list_add_tail(list_node_of(at, link), &p->link);
	q->last |= !more;
	q->end = MAX(q->end, end);
	q->have += len;
	q->pieces++;
	q->memory += p->len + PKT_CHARGE;
	memory += p->len + PKT_CHARGE;
	return KEPT;
}

/* The datagram of @frags, which all are there; @total bytes of payload. NULL: no memory */
static struct pkt *join(struct list *frags, u32 total)
{
	struct pkt *first = list_first(frags, struct pkt, link), *f, *p;
	u32 hlen = pkt_net(first)->ihl * 4u, ecn = 0;
	u8 bytes[1024];

	list_for_each(f, frags, link)
		ecn |= 1u << (pkt_net(f)->tos & ECN_CE);
	/* A mark is not to be lost, nor to be where nobody looks for it: RFC 3168, 5.3. */
	if ((ecn >> ECN_CE) && (ecn & 1))
		return NULL;
	p = total + hlen <= IP_MAX_LEN ? pkt_alloc_len(PKT_HEADROOM + hlen, total, PMM_NOWAIT)
				       : NULL;
	if (!p)
		return NULL;
	list_for_each(f, frags, link) {
		for (u32 done = 0; done < PIECE(f)->len;) {
			u32 part = MIN(PIECE(f)->len - done, (u32)sizeof(bytes));

			pkt_copy_out(f, done, bytes, part);
			pkt_copy_in(p, PIECE(f)->off + done, bytes, part);
			done += part;
		}
	}
	memcpy(pkt_push(p, hlen), pkt_net(first), hlen);
	pkt_set_net(p);
	pkt_net(p)->frag_off = 0;
	pkt_net(p)->tos |= ecn >> ECN_CE ? ECN_CE : 0;
	pkt_net(p)->tot_len = net16((u16)(hlen + total));
	p->dev = first->dev;
	p->type = first->type;
	p->looped = first->looped;
	p->stamp = first->stamp;
	p->ethertype = first->ethertype;
	return p;
}

/* See ip.h. */
struct pkt *ip_reassemble(struct pkt *p)
{
	const struct iphdr *h = pkt_net(p);
	struct list gone = LIST_INIT(gone);
	u32 total = 0, off = (net16(h->frag_off) & IP_OFFSET) * 8;
	bool more = h->frag_off & net16(IP_MF), done = false;
	enum verdict v = DUPLICATE;
	struct frag_queue *q;

	net_count(IP_REASM_REQDS);
	pkt_pull(p, h->ihl * 4u);
	*PIECE(p) = (struct piece){ off, p->len };
	spin_lock(&frag_lock);
	q = queue_get(h, &gone);
	if (q) {
		v = insert(q, p, more);
		done = v == KEPT && q->last && q->have == q->end;
	}
	if (done) {
		pkt_purge(&gone);
		total = q->end;
	}
	if (v == LIE || done)
		queue_free(q, &gone);
	spin_unlock(&frag_lock);
	if (v != KEPT)
		pkt_put(p);
	p = done ? join(&gone, total) : NULL;
	if (v == LIE)
		net_count(IP_EXT_ReasmOverlaps);
	if (v == LIE || done)
		net_count(p ? IP_REASM_OKS : IP_REASM_FAILS);
	pkt_purge(&gone);
	return p;
}

/* One queue whose time is over: its fragments. False: *next is when to look again. */
static bool take_expired(struct list *gone, s64 *next)
{
	struct frag_queue *q;
	bool due = false;

	spin_lock(&frag_lock);
	*next = TIME_NEVER;
	if (!list_empty(&ages)) {
		q = list_first(&ages, struct frag_queue, age);
		*next = q->deadline;
		due = q->deadline <= time_now();
		if (due)
			queue_free(q, gone);
		else
			timeout_set(&timer, q->deadline);
	}
	spin_unlock(&frag_lock);
	return due;
}

static void timer_run(struct work *w)
{
	struct list gone = LIST_INIT(gone);
	s64 next;

	while (take_expired(&gone, &next)) {
		struct pkt *first = list_first(&gone, struct pkt, link);

		net_count(IP_REASM_TIMEOUT);
		net_count(IP_REASM_FAILS);
		if (!PIECE(first)->off)
			icmp_send_error(first, ICMP_TIME_EXCEEDED, ICMP_EXC_FRAGTIME, 0);
		pkt_purge(&gone);
	}
}

static void timer_fired(struct timeout *t)
{
	work_queue(&timer_work);
}

/* See ip.h. ctx: any */
u64 ip_frag_memory(u32 *queues)
{
	u64 used;

	spin_lock(&frag_lock);
	*queues = nqueues;
	used = memory;
	spin_unlock(&frag_lock);
	return used;
}
