/*
 * Packets: memory, fragments, copies.
 *
 * struct pkt and its linear buffer are one allocation, [struct][headroom][room]. What is long is
 * kept in single pages behind it, so that no packet needs memory in one large piece. Pages are
 * shared between copies: nobody writes to a page that more than one packet may have.
 */
#include <linux/errno.h>
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/pkt.h"

/* The most that pkt_alloc_len keeps in the linear part. */
#define LINEAR_MAX 3072u

/* See pkt.h. */
struct pkt *pkt_alloc(u32 headroom, u32 room, u32 flags)
{
	struct pkt *p = kmalloc(sizeof(*p) + headroom + room, flags);

	if (!p)
		return NULL;
	memset(p, 0, offsetof(struct pkt, frags));
	list_init(&p->link);
	ref_init(&p->refs, 1);
	p->base = (u8 *)(p + 1);
	p->head = p->tail = p->base + headroom;
	p->end = p->head + room;
	return p;
}

/* See pkt.h. */
struct pkt *pkt_alloc_len(u32 headroom, u32 len, u32 flags)
{
	u32 linear = len <= LINEAR_MAX ? len : 0;
	struct pkt *p = pkt_alloc(headroom, MAX(linear, 64u), flags);

	if (!p)
		return NULL;
	pkt_append(p, linear);
	for (u32 left = len - linear; left;) {
		u32 n = MIN(left, (u32)PAGE_SIZE);
		struct page *page = pmm_alloc(0, flags);

		if (!page || !pkt_add_frag(p, page, 0, n)) {
			if (page)
				page_put(page);
			pkt_put(p);
			return NULL;
		}
		left -= n;
	}
	return p;
}

/* See pkt.h. */
void pkt_put(struct pkt *p)
{
	if (!p || !ref_put(&p->refs))
		return;
	pkt_orphan(p);
	for (u32 i = 0; i < p->nfrags; i++)
		page_put(p->frags[i].page);
	kfree(p);
}

/* See pkt.h. */
void pkt_purge(struct list *queue)
{
	while (!list_empty(queue)) {
		struct pkt *p = list_first(queue, struct pkt, link);

		list_del(&p->link);
		pkt_put(p);
	}
}

/* See pkt.h. */
struct pkt *pkt_copy(const struct pkt *p, u32 headroom)
{
	u32 linear = pkt_linear_len(p), front = pkt_headroom(p);
	struct pkt *q;
	u16 shift;

	/*
	 * What lies in front of head comes along: headers that were taken off. Words stay aligned.
	 */
	headroom = MAX(headroom, front);
	headroom += (front - headroom) & 3;
	q = pkt_alloc(headroom, MAX(linear, 64u), PMM_NOWAIT);
	if (!q)
		return NULL;
	memcpy(q->head - front, p->base, front);
	memcpy(pkt_append(q, linear), p->head, linear);
	for (u32 i = 0; i < p->nfrags; i++) {
		page_get(p->frags[i].page);
		q->frags[i] = p->frags[i];
	}
	q->nfrags = p->nfrags;
	q->len = p->len;
	shift = (u16)(headroom - front);
	q->mac = (u16)(p->mac + shift);
	q->net = (u16)(p->net + shift);
	q->transport = (u16)(p->transport + shift);
	q->csum_start = (u16)(p->csum_start + shift);
	q->csum_off = p->csum_off;
	q->csum = p->csum;
	q->gso_size = p->gso_size;
	q->gso_type = p->gso_type;
	q->dev = p->dev;
	q->stamp = p->stamp;
	q->ethertype = p->ethertype;
	q->type = p->type;
	q->proto = p->proto;
	q->ecn = p->ecn;
	q->looped = p->looped;
	q->hash = p->hash;
	memcpy(q->cb, p->cb, sizeof(q->cb));
	return q;
}

/* See pkt.h. */
bool pkt_add_frag(struct pkt *p, struct page *page, u32 off, u32 len)
{
	if (p->nfrags == PKT_FRAGS_MAX)
		return false;
	p->frags[p->nfrags++] = (struct pkt_frag){ page, off, len };
	p->len += len;
	return true;
}

/* See pkt.h. */
void pkt_trim(struct pkt *p, u32 len)
{
	u32 keep;

	if (len >= p->len)
		return;
	keep = len > pkt_linear_len(p) ? len - pkt_linear_len(p) : 0;
	for (u32 i = 0; i < p->nfrags; i++) {
		p->frags[i].len = MIN(p->frags[i].len, keep);
		keep -= p->frags[i].len;
	}
	while (p->nfrags && !p->frags[p->nfrags - 1].len)
		page_put(p->frags[--p->nfrags].page);
	if (len < pkt_linear_len(p))
		p->tail = p->head + len;
	p->len = len;
}

/* @n bytes off the front of the fragments. */
static void frags_drop(struct pkt *p, u32 n)
{
	u32 gone = 0;

	p->len -= n;
	while (gone < p->nfrags && p->frags[gone].len <= n) {
		n -= p->frags[gone].len;
		page_put(p->frags[gone++].page);
	}
	p->nfrags = (u16)(p->nfrags - gone);
	memmove(p->frags, p->frags + gone, p->nfrags * sizeof(p->frags[0]));
	if (n) {
		p->frags[0].off += n;
		p->frags[0].len -= n;
	}
}

/* See pkt.h. */
void pkt_drop_front(struct pkt *p, u32 n)
{
	u32 linear = MIN(n, pkt_linear_len(p));

	pkt_pull(p, linear);
	if (n > linear)
		frags_drop(p, n - linear);
}

/* See pkt.h. */
bool pkt_linear_slow(struct pkt *p, u32 n)
{
	u32 need = n - pkt_linear_len(p);
	u8 *to = p->tail;

	if (n > p->len || need > (u32)(p->end - p->tail))
		return false;
	pkt_copy_out(p, pkt_linear_len(p), to, need);
	frags_drop(p, need);
	pkt_append(p, need);
	return true;
}

/* The piece of memory at @off: how many bytes of it lie together. */
static u8 *piece_at(const struct pkt *p, u32 off, u32 *n)
{
	if (off < pkt_linear_len(p)) {
		*n = pkt_linear_len(p) - off;
		return p->head + off;
	}
	off -= pkt_linear_len(p);
	for (u32 i = 0; i < p->nfrags; i++) {
		const struct pkt_frag *f = &p->frags[i];

		if (off < f->len) {
			*n = f->len - off;
			return (u8 *)page_to_va(f->page) + f->off + off;
		}
		off -= f->len;
	}
	*n = 0;
	return NULL;
}

/* See pkt.h. */
void pkt_copy_out(const struct pkt *p, u32 off, void *dst, u32 n)
{
	u8 *to = dst;

	while (n) {
		u32 here;
		const u8 *from = piece_at(p, off, &here);

		here = MIN(here, n);
		if (!here)
			return;
		memcpy(to, from, here);
		to += here;
		off += here;
		n -= here;
	}
}

/* See pkt.h. */
void pkt_copy_in(struct pkt *p, u32 off, const void *src, u32 n)
{
	const u8 *from = src;

	while (n) {
		u32 here;
		u8 *to = piece_at(p, off, &here);

		here = MIN(here, n);
		if (!here)
			return;
		memcpy(to, from, here);
		from += here;
		off += here;
		n -= here;
	}
}

/* See pkt.h. */
int pkt_to_uio(const struct pkt *p, u32 off, struct uio *u, u32 n)
{
	while (n) {
		u32 here;
		const u8 *from = piece_at(p, off, &here);

		here = MIN(here, n);
		if (!here || uio_copy_to(u, from, here) != (ssize_t)here)
			return -EFAULT;
		off += here;
		n -= here;
	}
	return 0;
}

/* See pkt.h. */
int pkt_from_uio(struct pkt *p, u32 off, struct uio *u, u32 n)
{
	while (n) {
		u32 here;
		u8 *to = piece_at(p, off, &here);

		here = MIN(here, n);
		if (!here || uio_copy_from(u, to, here) != (ssize_t)here)
			return -EFAULT;
		off += here;
		n -= here;
	}
	return 0;
}

/* See pkt.h. ctx: any */
u32 pkt_cksum(const struct pkt *p, u32 off, u32 n, u32 sum)
{
	bool odd = false;

	while (n) {
		u32 here, part;
		const u8 *at = piece_at(p, off, &here);

		here = MIN(here, n);
		if (!here)
			break;
		part = cksum_fold(cksum_add(at, here, 0));
		/* Behind an odd number of bytes the halves of each word change places. */
		if (odd)
			part = net16((u16)part);
		sum = cksum_fold(sum) + part;
		odd ^= here & 1;
		off += here;
		n -= here;
	}
	return sum;
}

/* See pkt.h. ctx: any */
bool pkt_cksum_ok(struct pkt *p, u32 pseudo)
{
	if (p->csum != PKT_CSUM_NONE)
		return true;
	if (cksum_fold(pkt_cksum(p, 0, p->len, cksum_fold(pseudo))) != 0xffff)
		return false;
	p->csum = PKT_CSUM_OK;
	return true;
}

/* See pkt.h. ctx: any */
bool pkt_cksum_finish(struct pkt *p)
{
	u32 start = p->csum_start - pkt_headroom(p);
	u16 sum;

	if (p->csum != PKT_CSUM_PARTIAL)
		return true;
	if (p->csum_start < pkt_headroom(p) || start + p->csum_off + 2 > pkt_linear_len(p))
		return false;
	sum = (u16)~cksum_fold(pkt_cksum(p, start, p->len - start, 0));
	/* Zero means "no checksum" to UDP. TCP may send either form. */
	if (!sum)
		sum = 0xffff;
	memcpy(p->head + start + p->csum_off, &sum, sizeof(sum));
	p->csum = PKT_CSUM_NONE;
	return true;
}
