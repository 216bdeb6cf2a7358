/*
 * A question to a server by UDP, for the kernel's own clients (DNS, SNTP).
 *
 * Each question has an endpoint of its own, on a port chosen at random (RFC 5452, 6056), connected,
 * so that only what claims to come from the server's address and port arrives. The endpoint keeps a
 * few datagrams; the asking thread takes them one by one and judges them. An ICMP error ends the
 * wait.
 */
#include <linux/errno.h>
#include "kernel/base/time.h"
#include "kernel/lib/string.h"
#include "kernel/sched/waitq.h"
#include "mm/slab.h"
#include "net/dns.h"
#include "net/udp.h"

#define QUEUE_MAX 8u
#define MSG_MAX 1500u

/* q guarded by .lock, a atomic. */
struct ask {
	struct inet_pcb pcb; /* a: as its fields say; its references are this object's */
	struct spinlock lock; /* rank NET_QUEUE */
	struct list queue; /* q */
	u32 n; /* q; a to look */
	int err; /* a */
	struct waitq wait; /* own lock */
};

static void ask_input(struct inet_pcb *pcb, struct pkt *p)
{
	struct ask *a = container_of(pcb, struct ask, pcb);
	bool take;

	spin_lock(&a->lock);
	take = a->n < QUEUE_MAX;
	if (take) {
		list_add_tail(&a->queue, &p->link);
		WRITE_ONCE(a->n, a->n + 1);
	}
	spin_unlock(&a->lock);
	if (!take)
		pkt_put(p);
	waitq_wake_all(&a->wait);
}

static void ask_error(struct inet_pcb *pcb, struct pkt *p, const struct net_error *e)
{
	struct ask *a = container_of(pcb, struct ask, pcb);

	if (!e->hard)
		return;
	WRITE_ONCE(a->err, -e->err);
	waitq_wake_all(&a->wait);
}

static void ask_destroy(struct inet_pcb *pcb)
{
	struct ask *a = container_of(pcb, struct ask, pcb);

	pkt_purge(&a->queue);
	kfree(a);
}

static const struct inet_pcb_ops ask_ops = { .input = ask_input,
					     .error = ask_error,
					     .destroy = ask_destroy };

static struct pkt *ask_take(struct ask *a)
{
	struct pkt *p = NULL;

	spin_lock(&a->lock);
	if (!list_empty(&a->queue)) {
		p = list_first(&a->queue, struct pkt, link);
		list_del(&p->link);
		WRITE_ONCE(a->n, a->n - 1);
	}
	spin_unlock(&a->lock);
	return p;
}

static int ask_send(struct ask *a, const struct route *rt, be32 to, u16 port, const u8 *msg,
		    u32 len)
{
	struct ip_out o = { .src = rt->src, .dst = to, .proto = IPPROTO_UDP };
	struct pkt *p = pkt_alloc(PKT_HEADROOM, len, 0);

	if (!p)
		return -ENOMEM;
	memcpy(pkt_append(p, len), msg, len);
	p->cb[0] = 0;
	return udp_output(p, rt, &o, a->pcb.lport, net16(port), true);
}

static int ask_wait(struct ask *a, u8 *buf, s64 deadline,
		    bool (*accept)(void *arg, const u8 *msg, u32 len), void *arg)
{
	for (;;) {
		struct pkt *p;
		bool done = false;
		int err = wait_event_interruptible_timeout(
			&a->wait, READ_ONCE(a->n) || READ_ONCE(a->err), deadline);

		if (err)
			return err;
		while (!done && (p = ask_take(a))) {
			u32 len = MIN(p->len, MSG_MAX);

			pkt_copy_out(p, 0, buf, len);
			pkt_put(p);
			done = accept(arg, buf, len);
		}
		if (done)
			return 0;
		if (READ_ONCE(a->err))
			return READ_ONCE(a->err);
	}
}

/* See dns.h. */
int udp_ask(be32 to, u16 port, const u8 *msg, u32 len, s64 deadline,
	    bool (*accept)(void *arg, const u8 *msg, u32 len), void *arg)
{
	struct route rt;
	struct ask *a;
	u8 *buf = kmalloc(MSG_MAX, 0);
	int err = route_lookup(to, 0, NULL, &rt);

	a = err ? NULL : kzalloc(sizeof(*a), 0);
	if (!a || !buf) {
		kfree(a);
		kfree(buf);
		return err ? err : -ENOMEM;
	}
	inet_pcb_init(&a->pcb, &ask_ops, PCB_UDP, IPPROTO_UDP);
	spin_init(&a->lock, RANK_NET_QUEUE);
	list_init(&a->queue);
	waitq_init(&a->wait);
	err = inet_pcb_bind(&a->pcb, rt.src, 0);
	if (!err) {
		inet_pcb_set_peer(&a->pcb, rt.src, to, net16(port));
		err = ask_send(a, &rt, to, port, msg, len);
	}
	if (!err)
		err = ask_wait(a, buf, deadline, accept, arg);
	inet_pcb_unbind(&a->pcb);
	inet_pcb_put(&a->pcb);
	kfree(buf);
	return err;
}
