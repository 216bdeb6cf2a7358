/* unit: drivers/virtio/virtqueue.c kernel/lib/string.c */
/* Virtqueues with an honest device, with one that lies, and with one that scribbles everywhere. */
#include <linux/errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <arch/memlayout.h>
#include "drivers/virtio/virtio.h"
#include "kernel/lib/string.h"
#include "tests/unit/fakes/heap.h"
#include "tests/unit/unit.h"

#define SIZE 16u
#define TOKENS 64u

static struct virtio_device vd;
static struct virtqueue *vq;
static u32 notified;
static u16 seen_avail; /* the device's: requests it has looked at */
static u8 outstanding[TOKENS + 1]; /* by token, from 1 */
static u8 memory[4096];

void *kmalloc(size_t n, u32 flags)
{
	return unit_random() % 8 || !(flags & PMM_NOWAIT) ? malloc(n) : NULL;
}
void spin_init(struct spinlock *l, enum lock_rank rank)
{
	l->locked = 0;
}
void virtio_break(struct virtio_device *d, const char *why)
{
	d->broken = true;
}

static u32 queue_max(struct virtio_device *d, u32 index)
{
	return index ? 0 : SIZE;
}
static int setup_irqs(struct virtio_device *d, u32 n)
{
	return 0;
}
static int queue_enable(struct virtio_device *d, struct virtqueue *q)
{
	return 0;
}
static void notify(struct virtqueue *q)
{
	notified++;
}
static void set_status(struct virtio_device *d, u8 status)
{
}
static void completed(struct virtqueue *q)
{
}
static const struct virtio_transport transport = { .queue_max = queue_max,
						   .queue_enable = queue_enable,
						   .setup_irqs = setup_irqs,
						   .notify = notify,
						   .set_status = set_status };

static void make(u64 features)
{
	static const struct virtqueue_spec spec = { "q", completed, 100, 0 };

	memset(&vd, 0, sizeof(vd));
	memset(outstanding, 0, sizeof(outstanding));
	vd.ops = &transport;
	vd.features = features;
	seen_avail = 0;
	CHECK_EQ(virtio_setup_queues(&vd, &spec, 1), 0);
	vq = vd.vqs[0];
	CHECK_EQ(vq->size, SIZE);
}

/* Requests that never ended keep their tables. */
static void drop(void)
{
	u32 len;
	u16 used = vq->used->idx = vq->used_idx;

	vd.broken = false;
	for (u32 id = 0; id < SIZE; id++) {
		vq->used->ring[used & (SIZE - 1)] = (struct vring_used_elem){ .id = id, .len = 0 };
		vq->used->idx = (u16)(used + 1);
		if (virtqueue_get(vq, &len))
			used++;
		vd.broken = false;
		vq->used->idx = used;
	}
	CHECK_EQ(vq->nfree, SIZE);
	kfree(vq->slots);
	pmm_free_va(vq->desc, 1);
	kfree(vq);
}

static int add(u32 token, u32 nout, u32 nin)
{
	struct virtio_buf b[8];
	int err;

	for (u32 i = 0; i < nout + nin; i++)
		b[i] = (struct virtio_buf){ memory + 64 * i, 64 };
	err = virtqueue_add(vq, b, nout, nin, (void *)(u64)token);
	if (!err) {
		CHECK(!outstanding[token]);
		outstanding[token] = 1;
	}
	return err;
}

/* One completion by the device. */
static void use(u32 id, u32 len)
{
	vq->used->ring[vq->used->idx & (SIZE - 1)] = (struct vring_used_elem){ id, len };
	vq->used->idx++;
}

/* What the driver gets: a token that was outstanding, or 0. */
static u32 take(void)
{
	u32 len, token = (u32)(u64)virtqueue_get(vq, &len);

	if (token) {
		CHECK(token <= TOKENS && outstanding[token]);
		outstanding[token] = 0;
	}
	return token;
}

/* Room that the chain at @head gives the device, by following it; the chain must end. */
static u32 room_of(u16 head)
{
	struct vring_desc *table = vq->desc, *d = &table[head];
	u32 room = 0, steps = 0;

	if (d->flags & VRING_DESC_F_INDIRECT) {
		table = pa_to_va(d->addr);
		d = table;
	}
	for (;;) {
		CHECK(++steps <= SIZE);
		CHECK((u8 *)pa_to_va(d->addr) >= memory && d->len == 64);
		room += d->flags & VRING_DESC_F_WRITE ? d->len : 0;
		if (!(d->flags & VRING_DESC_F_NEXT))
			return room;
		d = &table[d->next];
	}
}

static void honest(u64 features)
{
	u16 heads[SIZE], n = 0;
	u32 token = 0, ended = 0;

	make(features);
	for (u32 step = 0; step < 20000; step++) {
		switch (unit_random() % 3) {
		case 0:
			token = token % TOKENS + 1;
			if (!outstanding[token] &&
			    !add(token, 1 + (u32)(unit_random() % 3), (u32)(unit_random() % 4)))
				virtqueue_kick(vq);
			break;
		case 1:
			while (seen_avail != vq->avail->idx)
				heads[n++] = vq->avail->ring[seen_avail++ & (SIZE - 1)];
			if (n) { /* in any order */
				u32 i = (u32)(unit_random() % n);

				use(heads[i], room_of(heads[i]));
				heads[i] = heads[--n];
			}
			break;
		default: ended += take() != 0;
		}
		CHECK(!vd.broken && vq->nfree <= SIZE);
	}
	CHECK(ended > 1000 && notified);
	drop();
}

UNIT_TEST(every_request_of_an_honest_device_ends_once)
{
	honest(0);
	honest(BIT(VIRTIO_RING_F_EVENT_IDX));
	honest(BIT(VIRTIO_RING_F_INDIRECT_DESC));
	honest(BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_RING_F_EVENT_IDX));
}

UNIT_TEST(a_full_queue_and_an_empty_request_are_refused)
{
	u32 n = 0;

	make(0);
	CHECK_EQ(add(1, 0, 0), -EINVAL);
	while (!add(n + 1, 1, 1))
		n++;
	CHECK_EQ(n, SIZE / 2);
	CHECK_EQ(add(40, 1, 0), -ENOSPC);
	drop();
}

static void is_a_lie(u32 id, u32 len)
{
	make(0);
	CHECK_EQ(add(1, 1, 2), 0); /* descriptors 0, 1, 2 */
	use(id, len);
	CHECK_EQ(take(), 0);
	CHECK(vd.broken);
	CHECK_EQ(take(), 0);
	CHECK_EQ(add(2, 1, 0), -EIO);
	drop();
}

UNIT_TEST(lies_break_the_device_and_nothing_else)
{
	is_a_lie(SIZE, 0);
	is_a_lie(0xffffffff, 0);
	is_a_lie(1, 0); /* in the middle of a chain */
	is_a_lie(7, 0); /* never made */
	is_a_lie(0, 129); /* more than there was room for */
	is_a_lie(0, 0xffffffff);
	make(0);
	CHECK_EQ(add(1, 1, 2), 0);
	vq->used->idx = SIZE + 1;
	CHECK_EQ(take(), 0);
	CHECK(vd.broken);
	drop();
}

UNIT_TEST(a_request_that_ended_cannot_end_again)
{
	make(BIT(VIRTIO_RING_F_INDIRECT_DESC));
	CHECK_EQ(add(1, 1, 2), 0);
	use(vq->avail->ring[0], 128);
	use(vq->avail->ring[0], 128);
	CHECK_EQ(take(), 1);
	CHECK_EQ(take(), 0);
	CHECK(vd.broken);
	drop();
}

/* All that the device can write to: descriptors, both rings. */
static void scribble(void)
{
	u8 *from = (u8 *)vq->desc, *used = (u8 *)vq->used;

	for (u32 i = 0; i < 8; i++) {
		from[unit_random() % (SIZE * 16 + 6 + SIZE * 2)] = (u8)unit_random();
		used[unit_random() % (6 + SIZE * 8)] = (u8)unit_random();
	}
	if (unit_random() % 4)
		vq->used->idx = (u16)(vq->used_idx + unit_random() % 3);
}

UNIT_TEST(a_device_that_scribbles_gets_nowhere)
{
	for (u32 round = 0; round < 3000; round++) {
		make(unit_random() &
		     (BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_RING_F_EVENT_IDX)));
		for (u32 step = 0; step < 40; step++) {
			u32 token = 1 + (u32)(unit_random() % TOKENS);

			if (!outstanding[token] && !add(token, 1, (u32)(unit_random() % 3)))
				virtqueue_kick(vq);
			scribble();
			while (take())
				;
			CHECK(vq->nfree <= SIZE);
			if (!virtqueue_enable_cb(vq))
				virtqueue_disable_cb(vq);
		}
		drop();
	}
}
