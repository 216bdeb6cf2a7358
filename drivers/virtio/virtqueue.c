/*
 * Split virtqueues (virtio 1.2, section 2.7), legacy and modern, with indirect descriptors and
 * event index.
 *
 * A request becomes a chain of descriptors, or one descriptor that points to a table allocated for
 * it when it has more than one piece. The device sees desc, avail and used; what it may have
 * scribbled there is never believed: slots[] is our own record of each chain (token, descriptors,
 * bytes the device may write), and virtqueue_get() accepts a used element only when its id is the
 * head of an outstanding chain and its length fits.
 *
 * Free descriptors are chained through slots[].next. All state is guarded by vq->lock, which the
 * driver holds. The rings lie in one block in the legacy layout (used ring on a page of its own),
 * which serves modern devices too.
 */
#include <linux/errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <arch/barrier.h>
#include "drivers/virtio/virtio.h"
#include "kernel/base/log.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

#define CHAIN_END 0xffff

struct virtqueue_slot {
	void *token; /* q: of the chain that starts here; NULL: none outstanding */
	struct vring_desc *indirect; /* q: its table, if it has one */
	u32 writable; /* q: bytes the device may write */
	u16 count; /* q: ring descriptors of the chain */
	u16 next; /* q: next of the chain, or next free */
};

paddr_t virtqueue_pa(const void *ring)
{
	return va_to_pa(ring);
}

/* Bytes from the start of the block to the used ring. */
static size_t used_offset(u32 size)
{
	return ALIGN_UP(sizeof(struct vring_desc) * size + sizeof(u16) * (3 + size), PAGE_SIZE);
}

static u32 block_order(u32 size)
{
	size_t bytes = used_offset(size) + sizeof(u16) * 3 + sizeof(struct vring_used_elem) * size;
	u32 order = 0;

	while (((size_t)PAGE_SIZE << order) < bytes)
		order++;
	return order;
}

static void queue_layout(struct virtqueue *vq, u8 *mem)
{
	vq->desc = (struct vring_desc *)mem;
	vq->avail = (struct vring_avail *)(mem + sizeof(struct vring_desc) * vq->size);
	vq->used = (struct vring_used *)(mem + used_offset(vq->size));
	vq->used_event = &vq->avail->ring[vq->size];
	vq->avail_event = (u16 *)&vq->used->ring[vq->size];
}

static void queue_free(struct virtqueue *vq)
{
	pmm_free_va(vq->desc, block_order(vq->size));
	kfree(vq->slots);
	kfree(vq);
}

static int queue_alloc(struct virtio_device *vd, const struct virtqueue_spec *spec, u32 place,
		       struct virtqueue **out)
{
	u32 index = spec->index ? spec->index : place;
	u32 size = vd->ops->queue_max(vd, index);
	struct virtqueue *vq;
	u8 *mem;

	if (!size)
		return -ENOENT;
	/*
	 * A legacy PCI-era size cannot be chosen by the driver, but every transport here lets us.
	 */
	size = MIN(size, spec->size);
	while (size & (size - 1))
		size &= size - 1;
	vq = kzalloc(sizeof(*vq), 0);
	if (!vq)
		return -ENOMEM;
	vq->size = size;
	vq->slots = kcalloc(size, sizeof(*vq->slots), PMM_ZERO);
	if (!vq->slots)
		goto free_vq;
	mem = pmm_alloc_va(block_order(size), PMM_ZERO);
	if (!mem)
		goto free_slots;
	queue_layout(vq, mem);
	spin_init(&vq->lock, RANK_DEVQ);
	vq->vd = vd;
	vq->index = index;
	vq->place = place;
	vq->callback = spec->callback;
	vq->event_idx = virtio_has_feature(vd, VIRTIO_RING_F_EVENT_IDX);
	vq->indirect = virtio_has_feature(vd, VIRTIO_RING_F_INDIRECT_DESC);
	for (u32 i = 0; i < size; i++)
		vq->slots[i].next = i + 1 < size ? i + 1 : CHAIN_END;
	vq->nfree = size;
	vq->cb_on = spec->callback;
	if (!spec->callback)
		vq->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	*out = vq;
	return 0;

free_slots:
	kfree(vq->slots);
free_vq:
	kfree(vq);
	return -ENOMEM;
}

/*
 * Make @n queues as @spec says, with interrupts.
 * ctx: thread; sleeps: yes. Returns 0, -ENOMEM, -ENOENT (the device has fewer queues), -EINVAL. On
 * error nothing is left.
 */
int virtio_setup_queues(struct virtio_device *vd, const struct virtqueue_spec *spec, u32 n)
{
	int err = n <= VIRTIO_MAX_QUEUES ? 0 : -EINVAL;
	u32 made = 0;

	for (; !err && made < n; made++) {
		err = queue_alloc(vd, &spec[made], made, &vd->vqs[made]);
		if (err)
			break;
	}
	if (!err) {
		vd->nqueues = n;
		err = vd->ops->setup_irqs(vd, n);
	}
	for (u32 i = 0; !err && i < n; i++)
		err = vd->ops->queue_enable(vd, vd->vqs[i]);
	if (!err)
		return 0;
	/* The device may have been told of some queues: only a reset makes it forget them. */
	vd->ops->set_status(vd, 0);
	vd->nqueues = 0;
	while (made--)
		queue_free(vd->vqs[made]);
	return err;
}

static void desc_fill(struct vring_desc *d, const struct virtio_buf *b, bool write, bool more,
		      u16 next)
{
	d->addr = va_to_pa(b->va);
	d->len = b->len;
	d->flags = (write ? VRING_DESC_F_WRITE : 0) | (more ? VRING_DESC_F_NEXT : 0);
	d->next = more ? next : 0;
}

/*
 * All pieces in a table of their own: one ring descriptor. Returns the table, or NULL (use the
 * ring).
 */
static struct vring_desc *indirect_fill(const struct virtio_buf *buf, u32 nout, u32 n)
{
	struct vring_desc *table = kmalloc(n * sizeof(*table), PMM_NOWAIT);

	if (!table)
		return NULL;
	for (u32 i = 0; i < n; i++)
		desc_fill(&table[i], &buf[i], i >= nout, i + 1 < n, i + 1);
	return table;
}

static void ring_fill(struct virtqueue *vq, u16 head, const struct virtio_buf *buf, u32 nout, u32 n)
{
	u16 at = head;

	for (u32 i = 0; i < n; i++) {
		u16 next = vq->slots[at].next;

		desc_fill(&vq->desc[at], &buf[i], i >= nout, i + 1 < n, next);
		at = next;
	}
	vq->free_head = at;
}

/*
 * Queue a request of @nout pieces to read and @nin to write; see virtio.h.
 * ctx: any; holds: vq->lock; sleeps: no. Returns 0, -ENOSPC, -EINVAL, -EIO.
 */
int virtqueue_add(struct virtqueue *vq, const struct virtio_buf *buf, u32 nout, u32 nin,
		  void *token)
{
	u32 n = nout + nin, need;
	u16 head = vq->free_head;
	struct virtqueue_slot *s;

	lock_assert_held(&vq->lock);
	if (READ_ONCE(vq->vd->broken))
		return -EIO;
	if (!n || !token)
		return -EINVAL;
	if (!vq->nfree)
		return -ENOSPC;
	s = &vq->slots[head];
	s->indirect = vq->indirect && n > 1 ? indirect_fill(buf, nout, n) : NULL;
	need = s->indirect ? 1 : n;
	if (need > vq->nfree)
		return -ENOSPC;
	s->token = token;
	s->count = need;
	s->writable = 0;
	for (u32 i = nout; i < n; i++)
		s->writable += buf[i].len;
	if (s->indirect) {
		vq->desc[head].addr = va_to_pa(s->indirect);
		vq->desc[head].len = n * sizeof(struct vring_desc);
		vq->desc[head].flags = VRING_DESC_F_INDIRECT;
		vq->free_head = s->next;
	} else {
		ring_fill(vq, head, buf, nout, n);
	}
	vq->nfree -= need;
	vq->avail->ring[vq->avail_idx & (vq->size - 1)] = head;
	vq->avail_idx++;
	/* The entry before the index that publishes it. */
	dma_wmb();
	WRITE_ONCE(vq->avail->idx, vq->avail_idx);
	return 0;
}

/*
 * Notify the device of what was added, unless it said that it looks by itself.
 * ctx: any; holds: vq->lock.
 */
void virtqueue_kick(struct virtqueue *vq)
{
	u16 old = vq->kicked_idx, new = vq->avail_idx;
	bool wanted;

	if (old == new || READ_ONCE(vq->vd->broken))
		return;
	/* Our index before the device's wish: both sides store, then load (2.7.10). */
	dma_mb();
	if (vq->event_idx)
		wanted = (u16)(new - READ_ONCE(*vq->avail_event) - 1) < (u16)(new - old);
	else
		wanted = !(READ_ONCE(vq->used->flags) & VRING_USED_F_NO_NOTIFY);
	vq->kicked_idx = new;
	if (wanted)
		vq->vd->ops->notify(vq);
}

static void chain_release(struct virtqueue *vq, u16 head)
{
	struct virtqueue_slot *s = &vq->slots[head];
	u16 last = head;

	for (u16 i = 1; i < s->count; i++)
		last = vq->slots[last].next;
	vq->slots[last].next = vq->nfree ? vq->free_head : CHAIN_END;
	vq->free_head = head;
	vq->nfree += s->count;
	kfree(s->indirect);
	s->indirect = NULL;
	s->token = NULL;
}

/*
 * Take the next completion: its token, and in *len the bytes the device wrote. NULL when there is
 * none.
 * ctx: any; holds: vq->lock. A completion that matches no request breaks the device.
 */
void *virtqueue_get(struct virtqueue *vq, u32 *len)
{
	struct vring_used_elem *e;
	u16 idx = READ_ONCE(vq->used->idx);
	u32 id, written;
	void *token;

	lock_assert_held(&vq->lock);
	if (idx == vq->used_idx || READ_ONCE(vq->vd->broken))
		return NULL;
	if ((u16)(idx - vq->used_idx) > vq->size) {
		virtio_break(vq->vd, "used index out of range");
		return NULL;
	}
	dma_rmb();
	e = &vq->used->ring[vq->used_idx & (vq->size - 1)];
	id = READ_ONCE(e->id);
	written = READ_ONCE(e->len);
	if (id >= vq->size || !vq->slots[id].token) {
		virtio_break(vq->vd, "completed a request that was not made");
		return NULL;
	}
	if (written > vq->slots[id].writable) {
		virtio_break(vq->vd, "wrote more than it was given room for");
		return NULL;
	}
	token = vq->slots[id].token;
	chain_release(vq, id);
	vq->used_idx++;
	if (vq->event_idx && vq->cb_on) {
		/*
		 * The next completion interrupts; one that came in before this store is seen by the
		 * next get.
		 */
		WRITE_ONCE(*vq->used_event, vq->used_idx);
		dma_mb();
	}
	*len = written;
	return token;
}

/*
 * Ask for no interrupts; a hint, some may still come.
 * ctx: any; holds: vq->lock.
 */
void virtqueue_disable_cb(struct virtqueue *vq)
{
	/*
	 * With event index, a used_event that lies behind is not crossed again before the index
	 * wraps.
	 */
	vq->cb_on = false;
	if (!vq->event_idx)
		vq->avail->flags |= VRING_AVAIL_F_NO_INTERRUPT;
}

/*
 * Interrupts on again. False when completions came in before: the caller goes on taking them.
 * ctx: any; holds: vq->lock.
 */
bool virtqueue_enable_cb(struct virtqueue *vq)
{
	vq->cb_on = true;
	if (vq->event_idx)
		WRITE_ONCE(*vq->used_event, vq->used_idx);
	else
		vq->avail->flags &= (u16)~VRING_AVAIL_F_NO_INTERRUPT;
	dma_mb();
	return READ_ONCE(vq->used->idx) == vq->used_idx;
}

/*
 * A transport's interrupt for this queue.
 * ctx: IRQ.
 */
void virtqueue_interrupt(struct virtqueue *vq)
{
	if (vq->callback)
		vq->callback(vq);
}
