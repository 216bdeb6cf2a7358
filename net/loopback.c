/*
 * The loopback device: what is sent comes in again, in the sender's context.
 *
 * Packets of a flow must not overtake each other, whoever sends them: they go through one of a few
 * queues, chosen by the flow's ports. The first thread that finds a queue without an owner delivers
 * it; what others, and its own delivery, add meanwhile it delivers as well. A thread that is in a
 * delivery puts further queues behind it, so the stack stays as deep as one delivery whatever the
 * packets lead to: an answer, and the answer to it. An owner cannot be preempted, because others
 * leave their packets to it; one that goes on for long leaves the rest to a worker.
 *
 * A queue is guarded by its lock (rank NET_QUEUE) and bounded: what comes beyond is lost, as on any
 * link.
 */
#include <linux/errno.h>
#include <linux/if_arp.h>
#include "kernel/base/panic.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/work.h"
#include "net/ip.h"
#include "net/loopback.h"

#define BUDGET 64
#define QUEUES 16u
#define QUEUE_MAX 1024u

/* l: .lock; o: its owner. */
struct lo_queue {
	struct spinlock lock; /* rank NET_QUEUE */
	struct list packets; /* l */
	u32 n; /* l */
	bool owned; /* l: somebody delivers it, or is to */
	struct list link; /* o: of the queues that the owner has still to do */
};

static struct netdev lo;
static struct lo_queue queues[QUEUES];
static struct spinlock rest_lock = SPINLOCK_INIT(RANK_NET_QUEUE);
static struct list rest = LIST_INIT(rest); /* rest_lock: the worker's queues */
static struct work rest_work; /* own lock */

static struct lo_queue *queue_of(const struct pkt *p)
{
	const u8 *ports = p->base + p->csum_start;
	u32 h;

	if (p->csum != PKT_CSUM_PARTIAL || ports + sizeof(h) > p->tail)
		return &queues[0];
	memcpy(&h, ports, sizeof(h));
	return &queues[((h ^ h >> 16) * 0x9e3779b1u >> 28) % QUEUES];
}

static void receive(struct pkt *p)
{
	if (likely(p->dev == &lo))
		netdev_rx(p);
	else
		ip_input(p); /* a copy of what another device sent */
}

/* The first packet of @q; NULL: there is none, and @q has no owner any more. */
static struct pkt *take(struct lo_queue *q)
{
	struct pkt *p = NULL;

	spin_lock(&q->lock);
	if (list_empty(&q->packets)) {
		q->owned = false;
	} else {
		p = list_first(&q->packets, struct pkt, link);
		list_del(&p->link);
		q->n--;
	}
	spin_unlock(&q->lock);
	return p;
}

/* Leave @q to the worker. */
static void leave(struct lo_queue *q)
{
	spin_lock(&rest_lock);
	list_add_tail(&rest, &q->link);
	spin_unlock(&rest_lock);
	work_queue(&rest_work);
}

/* Deliver @q, which is ours, and what that makes this thread send. */
static void deliver(struct lo_queue *q)
{
	struct list mine = LIST_INIT(mine);
	struct pkt *p;
	u32 n = 0;

	preempt_disable();
	current->net_queue = &mine;
	for (;;) {
		while (n < BUDGET && (p = take(q))) {
			receive(p);
			n++;
		}
		if (n == BUDGET)
			leave(q);
		if (list_empty(&mine))
			break;
		q = list_first(&mine, struct lo_queue, link);
		list_del(&q->link);
	}
	current->net_queue = NULL;
	preempt_enable();
}

static void rest_run(struct work *w)
{
	struct lo_queue *q = NULL;
	bool more = false;

	spin_lock(&rest_lock);
	if (!list_empty(&rest)) {
		q = list_first(&rest, struct lo_queue, link);
		list_del(&q->link);
		more = !list_empty(&rest);
	}
	spin_unlock(&rest_lock);
	if (more)
		work_queue(&rest_work);
	if (q)
		deliver(q);
}

/* See loopback.h. */
void loopback_rx(struct pkt *p)
{
	struct lo_queue *q = queue_of(p);
	bool full, mine;

	pkt_orphan(p);
	p->looped = true;
	spin_lock(&q->lock);
	full = q->n >= QUEUE_MAX;
	mine = !q->owned;
	if (likely(!full)) {
		list_add_tail(&q->packets, &p->link);
		q->n++;
		q->owned = true;
	}
	spin_unlock(&q->lock);
	if (unlikely(full)) {
		NETDEV_COUNT(&lo, rx_dropped, 1);
		pkt_put(p);
	} else if (mine && current->net_queue) {
		list_add_tail(current->net_queue, &q->link);
	} else if (mine) {
		deliver(q);
	}
}

static int loopback_xmit(struct netdev *d, struct pkt *p)
{
	p->type = PKT_HOST;
	loopback_rx(p);
	return 0;
}

static const struct netdev_ops loopback_ops = {
	.xmit = loopback_xmit,
};

/* See netdev.h. */
void loopback_init(void)
{
	lo = (struct netdev){
		.name = "lo",
		.hw_type = ARPHRD_LOOPBACK,
		.addr_len = ETH_ALEN,
		.ops = &loopback_ops,
		.flags = IFF_LOOPBACK,
		.carrier = true,
		.mtu = 65536,
		.mtu_min = 68,
		.mtu_max = 1 << 30,
		.features = NETDEV_CSUM | NETDEV_SG | NETDEV_TSO | NETDEV_LOOPBACK,
		.tx_queue_len = 1000,
		.gso_max = 65535,
	};
	for (u32 i = 0; i < QUEUES; i++) {
		spin_init(&queues[i].lock, RANK_NET_QUEUE);
		list_init(&queues[i].packets);
	}
	work_init(&rest_work, rest_run);
	if (netdev_register(&lo))
		panic("no memory for the loopback device");
	netdev_lo = &lo;
}
