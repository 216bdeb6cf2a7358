#pragma once
/*
 * The world of the network card's driver on the host: a kernel with four CPUs, a card whose queues
 * and control queue the test serves, and a network above that counts what came. For one file of
 * tests each, which need not use all of it.
 */
#pragma GCC diagnostic ignored "-Wunused-function"
#include <linux/errno.h>
#include <linux/if_ether.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>
#include <arch/cpu.h>
#include "drivers/virtio/net.h"
#include "kernel/lib/string.h"
#include "tests/unit/fakes/heap.h"
#include "tests/unit/fakes/mutex.h"
#include "tests/unit/fakes/waits.h"
#include "tests/unit/unit.h"

#define PAGES 4096u
#define QUEUES_MAX 64u

extern const struct virtio_driver host_virtio_driver_net;

/* --- the kernel below --- */

static u8 arena[PAGES][PAGE_SIZE] __aligned(PAGE_SIZE);
static struct page pages[PAGES];
struct page *pmm_pages = pages;
u64 pmm_base_pfn, pmm_end_pfn;
u32 cpu_count = 4;
cpumask_t cpu_online_mask = 15;
struct mutex net_config_lock;
static struct thread thread;
struct arch_thread *host_thread = &thread.arch;
static struct work *queued[16];
static u32 nqueued;

void *kmalloc(size_t n, u32 flags)
{
	return malloc(n);
}
struct page *pmm_alloc(u32 order, u32 flags)
{
	static u32 at;

	for (u32 i = 0; i < PAGES; i++) {
		struct page *p = &pages[at++ % PAGES];

		if (!p->refs) {
			p->refs = 1;
			return p;
		}
	}
	return NULL;
}
void page_put(struct page *p)
{
	CHECK(p->refs > 0);
	p->refs--;
}
void spin_init(struct spinlock *l, enum lock_rank rank)
{
	l->locked = 0;
}
u64 spin_lock_irqsave(struct spinlock *l)
{
	CHECK(!l->locked++);
	return 0;
}
void spin_unlock_irqrestore(struct spinlock *l, u64 flags)
{
	CHECK(!--l->locked);
}
s64 time_now(void)
{
	return 0;
}
void rand_bytes(void *p, size_t n)
{
	memset(p, 0xff, n);
}
void work_init(struct work *w, void (*fn)(struct work *w))
{
	w->fn = fn;
	w->queued = false;
}
struct workqueue *workqueue_create(const char *name)
{
	return (struct workqueue *)&queued;
}
bool work_queue_on(struct workqueue *q, struct work *w)
{
	CHECK(q && nqueued < ARRAY_SIZE(queued));
	if (w->queued)
		return false;
	w->queued = true;
	queued[nqueued++] = w;
	return true;
}
bool work_queue(struct work *w)
{
	return false;
}
void waitq_init(struct waitq *q)
{
}
int wait_block(enum thread_state state, s64 until)
{
	return -ETIMEDOUT;
}
ssize_t uio_copy_to(struct uio *u, const void *src, size_t n)
{
	return -EFAULT;
}
ssize_t uio_copy_from(struct uio *u, void *dst, size_t n)
{
	return -EFAULT;
}

/* --- the network above --- */

static struct netdev *card;
static u32 came[QUEUES_MAX]; /* packets, by their first byte of data */
static u8 last[70000]; /* the bytes of the newest one */
static u32 last_len, ncame;
static struct pkt *kept; /* the newest packet, if .keep was set */
static bool keep;
static const be32 *groups; /* that are listened to */
static u32 ngroups;

int netdev_register(struct netdev *d)
{
	static struct netdev_cpu_stats stats[MAX_CPUS];

	d->stats = stats;
	card = d;
	return 0;
}
void netdev_set_carrier(struct netdev *d, bool on)
{
}
bool netdev_mc_nth(const struct netdev *d, u32 n, be32 *group, u32 *users)
{
	if (n >= ngroups)
		return false;
	*group = groups[n];
	*users = 1;
	return true;
}
void ether_setup(struct netdev *d, const u8 mac[ETH_ALEN])
{
	memcpy(d->addr, mac, ETH_ALEN);
	d->mtu = 1500;
	d->mtu_min = 68;
	d->tx_queue_len = 100;
}
bool gro_join(struct gro *g, struct page *page, u32 off, u32 len, bool sum_ok)
{
	return false;
}
void gro_rx(struct gro *g, struct pkt *p)
{
	came[p->head[ETH_HLEN] % QUEUES_MAX]++;
	ncame++;
	last_len = p->len;
	pkt_copy_out(p, 0, last, p->len);
	if (keep)
		kept = p;
	else
		pkt_put(p);
	keep = false;
}
void gro_flush(struct gro *g)
{
}

/* --- the card --- */

static struct virtio_device vd;
static struct virtio_net_config config;
static u32 exist; /* queues that there are */
static enum { OBEYS, REFUSES, IS_DUMB } manner;
static u16 looked[QUEUES_MAX]; /* requests taken, by the number of the queue */
static u32 pairs_told, cpu_of[QUEUES_MAX];
static u16 mtu_told;
/* Commands that came by the control queue. */
static struct {
	u8 class, cmd, data[512];
	u32 len;
} commands[8];
static u32 ncommands;

static struct vring_desc *next_request(struct virtqueue *q, u16 *head)
{
	if (looked[q->index] == q->avail->idx)
		return NULL;
	*head = q->avail->ring[looked[q->index]++ & (q->size - 1)];
	return &q->desc[*head];
}
static void complete(struct virtqueue *q, u16 head, u32 len)
{
	q->used->ring[q->used->idx & (q->size - 1)] = (struct vring_used_elem){ head, len };
	q->used->idx++;
}
static u32 queue_max(struct virtio_device *d, u32 index)
{
	return index < exist ? 256 : 0;
}
static int setup_irqs(struct virtio_device *d, u32 n)
{
	return 0;
}
static int queue_enable(struct virtio_device *d, struct virtqueue *q)
{
	CHECK(q->index < exist);
	looked[q->index] = 0;
	return 0;
}
static void set_affinity(struct virtqueue *q, u32 cpu)
{
	cpu_of[q->place] = cpu;
}
/* A command is answered at once. */
static void notify(struct virtqueue *q)
{
	struct vring_desc *d;
	u16 head, n;
	const struct virtio_net_ctrl_hdr *h;

	if (!q->callback || q->callback != vnet_ctrl_interrupt || manner == IS_DUMB)
		return;
	while ((d = next_request(q, &head))) {
		h = pa_to_va(d->addr);
		d = &q->desc[d->next];
		if (ncommands < ARRAY_SIZE(commands)) {
			CHECK(d->len <= sizeof(commands[0].data));
			commands[ncommands].class = h->class;
			commands[ncommands].cmd = h->cmd;
			commands[ncommands].len = d->len;
			memcpy(commands[ncommands++].data, pa_to_va(d->addr), d->len);
		}
		if (h->class == VIRTIO_NET_CTRL_MQ && manner == OBEYS) {
			memcpy(&n, pa_to_va(d->addr), 2);
			pairs_told = n;
		}
		d = &q->desc[d->next];
		*(u8 *)pa_to_va(d->addr) = manner == OBEYS ? VIRTIO_NET_OK : VIRTIO_NET_ERR;
		complete(q, head, 1);
		q->lock.locked--; /* an interrupt on another CPU */
		q->callback(q);
		q->lock.locked++;
	}
}
static void set_status(struct virtio_device *d, u8 status)
{
}
static void config_read(struct virtio_device *d, u32 off, void *buf, u32 len)
{
	memcpy(buf, (u8 *)&config + off, len);
}
static const struct virtio_transport transport = { .queue_max = queue_max,
						   .queue_enable = queue_enable,
						   .setup_irqs = setup_irqs,
						   .notify = notify,
						   .set_status = set_status,
						   .config_read = config_read,
						   .set_affinity = set_affinity };

void virtio_config_read(struct virtio_device *d, u32 off, void *buf, u32 len)
{
	config_read(d, off, buf, len);
}
void virtio_break(struct virtio_device *d, const char *why)
{
	d->broken = true;
}
void virtio_ready(struct virtio_device *d)
{
}

#define SEVERAL (BIT(VIRTIO_NET_F_MQ) | BIT(VIRTIO_NET_F_CTRL_VQ))

static void start(u64 features, u32 says, u32 queues)
{
	pmm_base_pfn = va_to_pa(arena) >> PAGE_SHIFT;
	vd = (struct virtio_device){ .ops = &transport, .features = features, .modern = true };
	config = (struct virtio_net_config){ .max_virtqueue_pairs = (u16)says,
					     .mtu = mtu_told,
					     .mac = { 2, 3, 4, 5, 6, 7 } };
	exist = queues;
	pairs_told = 0;
	memset(cpu_of, 0xff, sizeof(cpu_of));
	memset(came, 0, sizeof(came));
	ncame = ncommands = 0;
	CHECK_EQ(host_virtio_driver_net.probe(&vd), 0);
}

static void end(void)
{
	struct vnet *v = vd.priv;
	u32 len, used = 0;

	for (u32 i = 0; i < vd.nqueues; i++) {
		struct virtqueue *q = vd.vqs[i];
		struct {
			u32 n;
			struct page *page[];
		} * c;
		u16 head;

		vd.broken = false;
		while (next_request(q, &head))
			complete(q, head, 0);
		while ((c = virtqueue_get(q, &len))) {
			if (q->callback == vnet_ctrl_interrupt)
				continue;
			if (i % 2) {
				pkt_put((struct pkt *)c);
				continue;
			}
			for (u32 k = 0; k < c->n; k++)
				page_put(c->page[k]);
			kfree(c);
		}
		kfree(q->slots);
		pmm_free_va(q->desc, 0);
		kfree(q);
	}
	for (u32 i = 0; i < v->npairs; i++) {
		if (v->pairs[i].fresh)
			page_put(v->pairs[i].fresh);
	}
	kfree(v->ctrl);
	kfree(v);
	for (u32 i = 0; i < PAGES; i++)
		used += pages[i].refs;
	CHECK_EQ(used, 0);
}

static bool tell; /* whoever sends may wait */
static u32 released;

static void release(struct pkt *p)
{
	released++;
}

/* A frame of UDP with these ports goes out. */
static void send_frame(u16 from, u16 to, u16 fragment)
{
	struct pkt *p = pkt_alloc(PKT_HEADROOM, 64, 0);
	u8 *at = pkt_append(p, 60);

	p->release = release;
	p->tell = tell;
	memset(at, 0, 60);
	at[12] = 8; /* IP */
	memcpy(at + 14, "\x45\0\0\x2e\0\0\0\0\x40\x11\0\0\x0a\0\0\1\x0a\0\0\2", 20);
	memcpy(at + 20, &fragment, 2);
	memcpy(at + 34, &from, 2);
	memcpy(at + 36, &to, 2);
	CHECK_EQ(card->ops->xmit(card, p), 0);
}

/* The pair by which it went; it must be one. */
static u32 went_by(void)
{
	u32 found = ~0u;

	for (u32 i = 0; i < vd.nqueues / 2; i++) {
		struct virtqueue *q = vd.vqs[2 * i + 1];
		u16 head;

		while (next_request(q, &head)) {
			CHECK_EQ(found, ~0u);
			found = i;
			complete(q, head, 0);
		}
	}
	CHECK(found != ~0u);
	return found;
}

static void work(void)
{
	while (nqueued) {
		struct work *w = queued[--nqueued];

		w->queued = false;
		w->fn(w);
	}
}
