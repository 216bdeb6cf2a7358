/*
 * Rings of AF_PACKET: PACKET_RX_RING and PACKET_TX_RING (packet(7), linux/if_packet.h).
 *
 * A ring is a number of blocks of pages that the program maps, the receive ring first. A frame is a
 * header, the address, and the packet from tp_mac on, and belongs to whom its status says: with
 * TPACKET_V1 and V2 a block holds frames of one size, each with a status; with V3 a block has the
 * status, and packets lie one behind the other in it. A block is given to the program when the next
 * packet does not fit, or some time after its first packet.
 *
 * The program can write anything anywhere, at any time. Of what is in a ring only a status is
 * believed (it loses its own packets by it), and in a frame to be sent the length, read once and
 * checked; where frames and blocks are is reckoned by the kernel.
 *
 * The pages belong to the socket; a mapping has references of its own to those it shows, and keeps
 * the file open. While there is a mapping the rings stay as they are (-EBUSY). All of them together
 * take a quarter of memory at most.
 *
 * Locking: the socket's qlock, which is held while a packet is copied.
 */
#include <asm/siginfo.h>
#include <linux/errno.h>
#include <linux/if_arp.h>
#include <linux/poll.h>
#include "fs/async.h"
#include "kernel/base/time.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/sock/packet.h"

#define BLOCK_STATUS (offsetof(struct tpacket_block_desc, hdr.bh1.block_status))
#define BLOCK_PATIENCE 8u /* ms, if the program does not say */
#define HEADER_MAX (TPACKET_ALIGN(sizeof(struct tpacket3_hdr)) + sizeof(struct sockaddr_ll))

static u64 ring_frames; /* a: of all rings */

/* The header of a frame; the address lies at the next multiple of TPACKET_ALIGNMENT. */
static u32 header_len(u32 version)
{
	return version == TPACKET_V3 ? sizeof(struct tpacket3_hdr) : sizeof(struct tpacket2_hdr);
}
_Static_assert(sizeof(struct tpacket_hdr) == sizeof(struct tpacket2_hdr), "one length for both");

static u8 *at(const struct packet_ring *r, u64 off)
{
	return (u8 *)page_to_va(r->pages[off >> PAGE_SHIFT]) + (off & PAGE_MASK);
}

/* @n bytes at @off become those of @src, or the first ones of @p. */
static void put(const struct packet_ring *r, u64 off, const void *src, const struct pkt *p, u32 n)
{
	for (u32 done = 0, part; done < n; done += part, off += part) {
		part = MIN(n - done, (u32)PAGE_SIZE - (u32)(off & PAGE_MASK));
		if (p)
			pkt_copy_out(p, done, at(r, off), part);
		else
			memcpy(at(r, off), (const u8 *)src + done, part);
	}
}

static void get(const struct packet_ring *r, u64 off, void *dst, u32 n)
{
	for (u32 done = 0, part; done < n; done += part, off += part) {
		part = MIN(n - done, (u32)PAGE_SIZE - (u32)(off & PAGE_MASK));
		memcpy((u8 *)dst + done, at(r, off), part);
	}
}

static u32 nframes(const struct packet_ring *r)
{
	return READ_ONCE(r->nblocks) * READ_ONCE(r->per_block);
}

static u64 frame_at(const struct packet_ring *r, u32 n)
{
	return (u64)(n / r->per_block) * r->block_size + n % r->per_block * r->frame_size;
}

/* The status of a frame: the low half of V1's; that of a packet to be sent by V3 is further on. */
static u32 *status_at(const struct packet_ring *r, u64 off, u32 version)
{
	return (u32 *)at(r, off + (version == TPACKET_V3 ? offsetof(struct tpacket3_hdr, tp_status)
							 : 0));
}

static u32 *block_status(const struct packet_ring *r, u32 n)
{
	return (u32 *)at(r, (u64)n * r->block_size + BLOCK_STATUS);
}

/* --- blocks of TPACKET_V3 --- */

/* Give the block to the program. holds: qlock */
static void block_close(struct packet_sock *k, u32 status)
{
	struct packet_block *b = &k->block;
	struct packet_ring *r = &k->rx;
	u64 off = (u64)r->head * r->block_size;
	struct tpacket_block_desc d = {
		.version = TPACKET_V3,
		.offset_to_priv = ALIGN_UP(sizeof(d), 8),
		.hdr.bh1 = { .num_pkts = b->count,
			     .offset_to_first_pkt = b->first,
			     .blk_len = b->used,
			     .seq_num = b->seq++,
			     .ts_first_pkt = { (u32)(b->first_stamp / NSEC_PER_SEC),
					       { (u32)(b->first_stamp % NSEC_PER_SEC) } },
			     .ts_last_pkt = { (u32)(b->stamp / NSEC_PER_SEC),
					      { (u32)(b->stamp % NSEC_PER_SEC) } } },
	};

	*(u32 *)at(r, off + b->last) = 0; /* tp_next_offset */
	put(r, off, &d, NULL, sizeof(d));
	store_release(block_status(r, r->head),
		      TP_STATUS_USER | status | (k->dropped ? TP_STATUS_LOSING : 0));
	r->head = (r->head + 1) % r->nblocks;
	b->used = 0;
}

/* Room for @len bytes in a block: where, or 0: the program has them all. holds: qlock */
static u64 block_room(struct packet_sock *k, u32 len, s64 stamp, bool *closed)
{
	struct packet_block *b = &k->block;
	struct packet_ring *r = &k->rx;

	len = ALIGN_UP(len, 8);
	if (b->used && b->used + len > r->block_size) {
		block_close(k, 0);
		*closed = true;
	}
	if (!b->used) {
		if (load_acquire(block_status(r, r->head)) != TP_STATUS_KERNEL) {
			b->freezes += !b->frozen;
			b->frozen = true;
			return 0;
		}
		b->frozen = false;
		b->used = b->first;
		b->count = 0;
		b->first_stamp = stamp;
		b->opened = time_now();
		timeout_set(&k->timer, b->opened + b->patience);
	} else {
		*(u32 *)at(r, (u64)r->head * r->block_size + b->last) = b->used - b->last;
	}
	b->last = b->used;
	b->used += len;
	b->count++;
	b->stamp = stamp;
	return (u64)r->head * r->block_size + b->last;
}

static void timer_fired(struct timeout *t)
{
	work_queue(&container_of(t, struct packet_sock, timer)->expired);
}

/* The block has waited long enough. */
static void block_expired(struct work *w)
{
	struct packet_sock *k = container_of(w, struct packet_sock, expired);
	bool closed;

	spin_lock(&k->qlock);
	closed = k->block.used && time_now() >= k->block.opened + k->block.patience;
	if (closed)
		block_close(k, TP_STATUS_BLK_TMO);
	spin_unlock(&k->qlock);
	if (closed)
		waitq_wake(&k->wait, ~0u, POLLIN | POLLRDNORM);
}

/* --- receiving --- */

struct lengths {
	u32 mac, net, snap, whole;
};

/* Header and address as @version has them, without a status that tells. Their length. */
static u32 make_header(u8 *h, u32 version, const struct pkt *q, const struct lengths *l)
{
	u32 sec = (u32)(q->stamp / NSEC_PER_SEC), nsec = (u32)(q->stamp % NSEC_PER_SEC);
	u32 len = TPACKET_ALIGN(header_len(version));
	struct sock_addr from;

	memset(h, 0, HEADER_MAX);
	if (version == TPACKET_V3)
		*(struct tpacket3_hdr *)h =
			(struct tpacket3_hdr){ .tp_sec = sec,
					       .tp_nsec = nsec,
					       .tp_snaplen = l->snap,
					       .tp_len = l->whole,
					       .tp_status = TP_STATUS_USER | packet_csum_status(q),
					       .tp_mac = (u16)l->mac,
					       .tp_net = (u16)l->net };
	else if (version == TPACKET_V2)
		*(struct tpacket2_hdr *)h = (struct tpacket2_hdr){ .tp_len = l->whole,
								   .tp_snaplen = l->snap,
								   .tp_mac = (u16)l->mac,
								   .tp_net = (u16)l->net,
								   .tp_sec = sec,
								   .tp_nsec = nsec };
	else
		*(struct tpacket_hdr *)h = (struct tpacket_hdr){ .tp_len = l->whole,
								 .tp_snaplen = l->snap,
								 .tp_mac = (u16)l->mac,
								 .tp_net = (u16)l->net,
								 .tp_sec = sec,
								 .tp_usec = nsec / 1000 };
	packet_source(&from, q);
	memcpy(h + len, from.bytes, sizeof(struct sockaddr_ll));
	return len + sizeof(struct sockaddr_ll);
}

/* holds: qlock. False: no room. *wake: there is something for the program */
static bool ring_put(struct packet_sock *k, const struct pkt *q, u32 whole, bool *wake)
{
	u32 linkl = k->s.type == SOCK_RAW ? q->net - pkt_headroom(q) : 0;
	u32 version = k->version, hlen = TPACKET_ALIGN(header_len(version)), room;
	struct packet_ring *r = &k->rx;
	struct lengths l = { .snap = q->len, .whole = whole };
	u8 h[HEADER_MAX] __aligned(8);
	u64 off;

	hlen += sizeof(struct sockaddr_ll);
	l.net = TPACKET_ALIGN(hlen + MAX(linkl, 16u)) + k->reserve;
	l.mac = l.net - linkl;
	room = version == TPACKET_V3 ? r->block_size - k->block.first : r->frame_size;
	if (l.mac > room || l.net > 0xffff)
		return false;
	l.snap = MIN(l.snap, room - l.mac);
	if (version == TPACKET_V3) {
		off = block_room(k, l.mac + l.snap, q->stamp, wake);
		if (!off)
			return false;
	} else {
		off = frame_at(r, r->head);
		if (load_acquire(status_at(r, off, version)) != TP_STATUS_KERNEL)
			return false;
		r->head = (r->head + 1) % nframes(r);
		*wake = true;
	}
	hlen = make_header(h, version, q, &l);
	/* What is in front of the status, and the status, stay as they are. */
	room = version == TPACKET_V1 ? 8 : 4;
	put(r, off + room, h + room, NULL, hlen - room);
	put(r, off + l.mac, NULL, q, l.snap);
	if (version != TPACKET_V3)
		store_release(status_at(r, off, version),
			      TP_STATUS_USER | packet_csum_status(q) |
				      (k->dropped ? TP_STATUS_LOSING : 0));
	return true;
}

/* See packet.h. */
bool packet_ring_receive(struct packet_sock *k, const struct pkt *q, u32 whole)
{
	bool wake = false, ring;

	spin_lock(&k->qlock);
	ring = k->rx.pages;
	if (ring) {
		WRITE_ONCE(k->received, k->received + 1);
		if (!ring_put(k, q, whole, &wake)) {
			WRITE_ONCE(k->dropped, k->dropped + 1);
			WRITE_ONCE(k->s.drops, k->s.drops + 1);
		}
	}
	spin_unlock(&k->qlock);
	if (wake) {
		waitq_wake(&k->wait, ~0u, POLLIN | POLLRDNORM);
		if (!READ_ONCE(k->dead))
			async_notify(&k->s.async, POLL_IN);
	}
	return ring;
}

/* --- sending --- */

/*
 * The packet of the next frame to be sent, which is the program's again; *out NULL: there is none.
 * 0 or -errno: the frame is as it should not be.
 */
static int take_frame(struct packet_sock *k, const struct netdev *d, struct pkt **out)
{
	u32 hlen = TPACKET_ALIGN(header_len(k->version)), link = packet_link_len(k, d), len,
	    *status;
	struct packet_ring *r = &k->tx;
	struct tpacket3_hdr h;
	int err = 0;
	u64 off;

	*out = NULL;
	if (!r->pages)
		return 0;
	off = frame_at(r, r->head);
	status = status_at(r, off, k->version);
	if (load_acquire(status) != TP_STATUS_SEND_REQUEST)
		return 0;
	get(r, off, &h, sizeof(h));
	len = k->version == TPACKET_V3	 ? h.tp_len
	      : k->version == TPACKET_V2 ? ((struct tpacket2_hdr *)&h)->tp_len
					 : ((struct tpacket_hdr *)&h)->tp_len;
	if (len < link || (k->version == TPACKET_V3 && h.tp_next_offset))
		err = -EINVAL;
	else if (len > r->frame_size - hlen || len > READ_ONCE(d->mtu) + link)
		err = -EMSGSIZE;
	if (err && !k->loss) {
		WRITE_ONCE(*status, TP_STATUS_WRONG_FORMAT);
		return err;
	}
	*out = err ? NULL : packet_alloc(k, d, len, PMM_NOWAIT);
	if (*out)
		get(r, off + hlen, (*out)->head, len);
	else if (!err)
		return -ENOBUFS;
	r->head = (r->head + 1) % nframes(r);
	store_release(status, TP_STATUS_AVAILABLE);
	return err ? -EAGAIN : 0; /* passed over */
}

/* See packet.h. */
ssize_t packet_ring_send(struct packet_sock *k, struct sock_msg *m)
{
	struct sockaddr_ll to;
	struct netdev *d;
	struct pkt *p;
	ssize_t sum = 0;
	int err = packet_find_target(k, m, &to, &d);
	u32 left = nframes(&k->tx);

	/* Each frame once, however many the program adds meanwhile. */
	while (!err && left--) {
		err = packet_wait_room(k, m->flags);
		if (err)
			return sum ? sum : err;
		spin_lock(&k->qlock);
		err = take_frame(k, d, &p);
		spin_unlock(&k->qlock);
		if (err == -EAGAIN) {
			err = 0;
			continue;
		}
		if (err || !p)
			break;
		sum += p->len;
		err = packet_transmit(k, d, &to, p);
	}
	return err ? err : sum;
}

/* --- the rings --- */

static bool is_free(const struct packet_sock *k, u32 n)
{
	const struct packet_ring *r = &k->rx;
	const u32 *status = k->version == TPACKET_V3
				    ? block_status(r, n % r->nblocks)
				    : status_at(r, frame_at(r, n % nframes(r)), k->version);

	return READ_ONCE(*status) == TP_STATUS_KERNEL;
}

/* See packet.h. */
enum packet_room packet_ring_room(const struct packet_sock *k)
{
	u32 n = k->version == TPACKET_V3 ? k->rx.nblocks : nframes(&k->rx);

	return is_free(k, k->rx.head + n / 4) ? PACKET_ROOM_MUCH
	       : is_free(k, k->rx.head)	      ? PACKET_ROOM_LITTLE
					      : PACKET_ROOM_NONE;
}

/* See packet.h. */
u32 packet_ring_poll(struct packet_sock *k)
{
	const struct packet_ring *r = &k->rx;
	u32 events = 0;

	if (!READ_ONCE(k->rx.pages) && !READ_ONCE(k->tx.pages))
		return 0;
	spin_lock(&k->qlock);
	if (r->pages) {
		u32 n = k->version == TPACKET_V3 ? r->nblocks : nframes(r);

		if (!is_free(k, r->head + n - 1))
			events |= POLLIN | POLLRDNORM;
	}
	r = &k->tx;
	if (r->pages &&
	    READ_ONCE(*status_at(r, frame_at(r, r->head), k->version)) == TP_STATUS_AVAILABLE)
		events |= POLLOUT | POLLWRNORM;
	spin_unlock(&k->qlock);
	return events;
}

static void pages_free(struct packet_ring *r)
{
	for (u32 i = 0; i < r->npages; i++)
		page_put(r->pages[i]);
	__atomic_sub_fetch(&ring_frames, r->npages, __ATOMIC_RELAXED);
	kfree(r->pages);
}

static int pages_alloc(struct packet_ring *r)
{
	u64 n = (u64)r->nblocks * (r->block_size >> PAGE_SHIFT);
	struct pmm_stats st;

	pmm_get_stats(&st);
	if (__atomic_add_fetch(&ring_frames, n, __ATOMIC_RELAXED) > st.total / 4)
		goto uncount;
	r->pages = kcalloc(n, sizeof(*r->pages), 0);
	if (!r->pages)
		goto uncount;
	for (; r->npages < n; r->npages++) {
		r->pages[r->npages] = pmm_alloc(0, PMM_ZERO);
		if (!r->pages[r->npages])
			goto free;
	}
	return 0;

free:
	__atomic_sub_fetch(&ring_frames, n - r->npages, __ATOMIC_RELAXED);
	pages_free(r);
	return -ENOMEM;
uncount:
	__atomic_sub_fetch(&ring_frames, n, __ATOMIC_RELAXED);
	return -ENOMEM;
}

/* What was asked for, as a ring without pages. 0 or -EINVAL. */
static int ring_form(const struct packet_sock *k, bool tx, const struct tpacket_req3 *q,
		     struct packet_ring *r)
{
	bool v3 = k->version == TPACKET_V3;
	u32 hlen = TPACKET_ALIGN(header_len(k->version)) + sizeof(struct sockaddr_ll);
	u32 size = q->tp_frame_size;

	if (!q->tp_block_nr)
		return q->tp_frame_nr ? -EINVAL : 0;
	if ((int)q->tp_block_size <= 0 || !IS_ALIGNED(q->tp_block_size, PAGE_SIZE) ||
	    (v3 && !tx &&
	     q->tp_block_size <= sizeof(struct tpacket_block_desc) + (u64)q->tp_sizeof_priv + 8) ||
	    size < hlen + k->reserve || !IS_ALIGNED(size, TPACKET_ALIGNMENT) ||
	    size > q->tp_block_size || q->tp_block_nr > ~0u / q->tp_block_size)
		return -EINVAL;
	if (v3 && tx && (q->tp_retire_blk_tov || q->tp_sizeof_priv || q->tp_feature_req_word))
		return -EINVAL;
	r->block_size = q->tp_block_size;
	r->nblocks = q->tp_block_nr;
	r->frame_size = size;
	r->per_block = r->block_size / size;
	return nframes(r) == q->tp_frame_nr ? 0 : -EINVAL;
}

/* PACKET_RX_RING, PACKET_TX_RING: a new ring, or none. */
static int ring_set(struct packet_sock *k, bool tx, const void *val, u32 len)
{
	struct packet_ring r = { .pages = NULL }, *to = tx ? &k->tx : &k->rx, old = r;
	struct tpacket_req3 q = { .tp_block_size = 0 };
	u32 version = READ_ONCE(k->version);
	u32 size = version == TPACKET_V3 ? sizeof(q) : sizeof(struct tpacket_req);
	struct list queue = LIST_INIT(queue);
	int err;

	if (len < size)
		return -EINVAL;
	memcpy(&q, val, size);
	if (READ_ONCE(k->mapped) || (q.tp_block_nr && READ_ONCE(to->pages)))
		return -EBUSY;
	err = ring_form(k, tx, &q, &r);
	if (!err && r.nblocks)
		err = pages_alloc(&r);
	if (err)
		return err;
	spin_lock(&k->qlock);
	if (k->mapped || k->vnet || k->version != version || (r.pages && to->pages)) {
		err = -EBUSY;
		old = r;
	} else {
		old = *to;
		*to = r;
		list_splice_tail(&queue, &k->queue);
		WRITE_ONCE(k->nqueued, 0);
	}
	if (!err && !tx)
		k->block = (struct packet_block){
			.first = (u32)(ALIGN_UP(sizeof(struct tpacket_block_desc), 8) +
				       ALIGN_UP(q.tp_sizeof_priv, 8)),
			.seq = 1,
			.patience =
				(s64)(q.tp_retire_blk_tov ? q.tp_retire_blk_tov : BLOCK_PATIENCE) *
				NSEC_PER_MSEC,
		};
	spin_unlock(&k->qlock);
	pages_free(&old);
	pkt_purge(&queue);
	return err;
}

/* See packet.h. */
void packet_ring_fini(struct packet_sock *k)
{
	struct packet_ring none = { .pages = NULL }, rx, tx;

	spin_lock(&k->qlock);
	rx = k->rx;
	tx = k->tx;
	k->rx = k->tx = none;
	k->block.used = 0;
	spin_unlock(&k->qlock);
	pages_free(&rx);
	pages_free(&tx);
	timeout_cancel_sync(&k->timer);
	work_flush(&k->expired);
}

/* --- mappings --- */

static struct packet_sock *of_vm(struct vm_file *v)
{
	return container_of(v, struct packet_sock, vmf);
}

static void count_mapped(struct packet_sock *k, u32 n)
{
	spin_lock(&k->qlock);
	WRITE_ONCE(k->mapped, k->mapped + n);
	spin_unlock(&k->qlock);
}

static void map_get(struct vm_file *v)
{
	struct packet_sock *k = of_vm(v);

	count_mapped(k, 1);
	file_get(k->s.file);
}

static void map_put(struct vm_file *v)
{
	struct packet_sock *k = of_vm(v);

	count_mapped(k, ~0u);
	file_put_deferred(k->s.file);
}

static int map_fault(struct vm_file *v, u64 pgoff, struct page **out)
{
	struct packet_sock *k = of_vm(v);
	int err = 0;

	spin_lock(&k->qlock);
	if (pgoff < k->rx.npages)
		*out = k->rx.pages[pgoff];
	else if (pgoff - k->rx.npages < k->tx.npages)
		*out = k->tx.pages[pgoff - k->rx.npages];
	else
		err = -EFAULT;
	if (!err)
		page_get(*out);
	spin_unlock(&k->qlock);
	return err;
}

static void map_describe(struct vm_file *v, char *path, size_t size, u64 *dev, u64 *ino)
{
	struct file *f = of_vm(v)->s.file;

	f->vmf.ops->describe(&f->vmf, path, size, dev, ino);
}

static const struct vm_file_ops map_ops = {
	.get = map_get,
	.put = map_put,
	.fault = map_fault,
	.describe = map_describe,
};

/* Both rings, whole. The mapping comes with a reference of its own. */
int packet_ring_mmap(struct socket *s, struct vm_map_args *a)
{
	struct packet_sock *k = container_of(s, struct packet_sock, s);
	u64 n;

	map_get(&k->vmf);
	n = (u64)READ_ONCE(k->rx.npages) + READ_ONCE(k->tx.npages);
	if (!n || a->pgoff || ALIGN_UP(a->len, (u64)PAGE_SIZE) != n << PAGE_SHIFT) {
		map_put(&k->vmf);
		return -EINVAL;
	}
	a->file = &k->vmf;
	return 0;
}

/* See packet.h. */
void packet_ring_init(struct packet_sock *k)
{
	k->vmf.ops = &map_ops;
	timeout_init(&k->timer, timer_fired);
	work_init(&k->expired, block_expired);
}

/* --- options --- */

/* What can be changed only while there are no rings. */
static int set_form(struct packet_sock *k, int option, u32 v)
{
	int err = 0;

	if (option == PACKET_VERSION ? v > TPACKET_V3 : v > 0x7fffffff)
		return -EINVAL;
	spin_lock(&k->qlock);
	if (k->rx.pages || k->tx.pages)
		err = -EBUSY;
	else if (option == PACKET_VERSION)
		WRITE_ONCE(k->version, (u8)v);
	else
		WRITE_ONCE(k->reserve, v);
	spin_unlock(&k->qlock);
	return err;
}

/* See packet.h. */
int packet_ring_setsockopt(struct packet_sock *k, int option, const void *val, u32 len)
{
	u32 v;

	switch (option) {
	case PACKET_RX_RING:
	case PACKET_TX_RING: return ring_set(k, option == PACKET_TX_RING, val, len);
	case PACKET_VERSION:
	case PACKET_RESERVE:
	case PACKET_LOSS: break;
	default: return -ENOPROTOOPT;
	}
	if (len != sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	if (option != PACKET_LOSS)
		return set_form(k, option, v);
	if (READ_ONCE(k->rx.pages) || READ_ONCE(k->tx.pages))
		return -EBUSY;
	WRITE_ONCE(k->loss, v != 0);
	return 0;
}

/* See packet.h. */
int packet_ring_getsockopt(struct packet_sock *k, int option, void *val, u32 *len)
{
	u32 v;

	switch (option) {
	case PACKET_VERSION: return inet_opt_give(READ_ONCE(k->version), val, len);
	case PACKET_RESERVE: return inet_opt_give((int)READ_ONCE(k->reserve), val, len);
	case PACKET_LOSS: return inet_opt_give(READ_ONCE(k->loss), val, len);
	case PACKET_HDRLEN:
		if (*len < sizeof(v))
			return -EINVAL;
		memcpy(&v, val, sizeof(v));
		return v > TPACKET_V3 ? -EINVAL : inet_opt_give((int)header_len(v), val, len);
	}
	return -ENOPROTOOPT;
}
