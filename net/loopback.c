/*
 * The loopback device: what is sent comes in again, in the sender's context.
 *
 * A packet that is sent while its thread delivers another is put behind that one, on a list of the
 * thread, so the stack stays as deep as one delivery whatever the packets lead to: an answer, and
 * the answer to it. A thread that goes on for long leaves the rest to a worker, that it may return
 * to its program; while the worker has some left, new ones queue behind them, which keeps the
 * order.
 *
 * The worker's queue is guarded by rest_lock (rank NET_QUEUE) and bounded: what comes beyond is
 * lost, as on any link.
 */
#include <linux/errno.h>
#include <linux/if_arp.h>
#include "kernel/base/panic.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/work.h"
#include "net/ip.h"
#include "net/loopback.h"

#define BUDGET 64
#define REST_MAX 4096u

static struct netdev lo;
static struct spinlock rest_lock = SPINLOCK_INIT(RANK_NET_QUEUE);
static struct list rest = LIST_INIT(rest); /* rest_lock */
static u32 nrest; /* rest_lock to change; a to read */
static struct work rest_work; /* own lock */

static void receive(struct pkt *p)
{
	if (likely(p->dev == &lo))
		netdev_rx(p);
	else
		ip_input(p); /* a copy of what another device sent */
}

static void rest_add(struct pkt *p)
{
	bool full;

	spin_lock(&rest_lock);
	full = nrest >= REST_MAX;
	if (!full) {
		list_add_tail(&rest, &p->link);
		WRITE_ONCE(nrest, nrest + 1);
	}
	spin_unlock(&rest_lock);
	if (full) {
		NETDEV_COUNT(&lo, rx_dropped, 1);
		pkt_put(p);
	} else {
		work_queue(&rest_work);
	}
}

static struct pkt *rest_take(void)
{
	struct pkt *p = NULL;

	spin_lock(&rest_lock);
	if (!list_empty(&rest)) {
		p = list_first(&rest, struct pkt, link);
		list_del(&p->link);
	}
	spin_unlock(&rest_lock);
	return p;
}

/* The count falls behind the delivery, so that what comes meanwhile does not overtake it. */
static void rest_run(struct work *w)
{
	struct pkt *p = rest_take();

	if (p) {
		receive(p);
		spin_lock(&rest_lock);
		WRITE_ONCE(nrest, nrest - 1);
		spin_unlock(&rest_lock);
	}
	if (READ_ONCE(nrest))
		work_queue(&rest_work);
}

/* Deliver @p and what that makes this thread send. */
static void deliver(struct pkt *p)
{
	struct list more = LIST_INIT(more);

	current->net_queue = &more;
	receive(p);
	for (u32 n = 0; !list_empty(&more); n++) {
		p = list_first(&more, struct pkt, link);
		list_del(&p->link);
		if (n < BUDGET)
			receive(p);
		else
			rest_add(p);
	}
	current->net_queue = NULL;
}

/* See loopback.h. */
void loopback_rx(struct pkt *p)
{
	pkt_orphan(p);
	p->looped = true;
	if (current->net_queue)
		list_add_tail(current->net_queue, &p->link);
	else if (unlikely(READ_ONCE(nrest)))
		rest_add(p);
	else
		deliver(p);
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
	work_init(&rest_work, rest_run);
	if (netdev_register(&lo))
		panic("no memory for the loopback device");
	netdev_lo = &lo;
}
