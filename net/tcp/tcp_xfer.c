/*
 * SEND and RECEIVE (RFC 9293, 3.9.1.2 and 3.9.1.3).
 *
 * A send fills segments outside the lock: bytes go into pages, larger ones for much data, and the
 * segment refers to pieces of them. The last one begun stays with the connection (.spage) as long
 * as data waits for its acknowledgment; who wants it takes it out by an exchange. Under the lock
 * the segment is appended, or melted into the last one when that was not sent yet. Packets made
 * from it refer to the same pages, and so does the receiver's queue on loopback. Pages that are
 * lent (sendfile, splice) are put into the segment as they are.
 *
 * A receive copies from the packets of the queue without the lock: only the one receiver takes
 * packets off, input only appends; the lock is taken to move .copied and free what was read.
 *
 * The urgent byte (RFC 6093 tells what is left of it): out of band it is kept beside the stream,
 * and a read stops before it and passes over it.
 */
#include <arch/barrier.h>
#include <linux/errno.h>
#include "kernel/base/errno.h"
#include "kernel/lib/string.h"
#include "net/tcp/tcp_pcb.h"

#define FILL_ORDER 3u /* pieces of up to 32 KiB */

/*
 * The most bytes that one segment of the send queue holds: whole segments of the wire, if any fit.
 */
static u32 size_goal(const struct tcp_pcb *p)
{
	u32 mss = MAX(READ_ONCE(p->mss), (u16)1),
	    most = MIN((u32)READ_ONCE(p->gso_max), TCP_SEG_MAX);

	most = MIN(most, (u32)(PKT_FRAGS_MAX - 1) * PAGE_SIZE);
	return most > mss ? most / mss * mss : mss;
}

/* holds: nothing, or p->lock */
static __always_inline int send_error(struct tcp_pcb *p)
{
	int err = tcp_take_error(p);

	if (err)
		return err;
	if (READ_ONCE(p->shut) & 2)
		return -EPIPE;
	switch (READ_ONCE(p->state)) {
	case TCP_ESTABLISHED:
	case TCP_CLOSE_WAIT: return 0;
	case TCP_SYN_SENT:
	case TCP_SYN_RECV: return READ_ONCE(p->fo) & FO_PENDING ? 0 : -EAGAIN;
	default: return -EPIPE;
	}
}

/* Room in the send queue for new bytes. */
static u32 send_room(const struct tcp_pcb *p)
{
	u32 queued = tcp_snd_memory(p), buf = (u32)READ_ONCE(p->sndbuf);

	return queued < buf && likely(tcp_lowat_ok(p, 1)) ? buf - queued : 0;
}

/* There is no room, and when there is it will be told. False: there is some already. */
static bool must_wait(struct tcp_pcb *p)
{
	WRITE_ONCE(p->no_room, true);
	smp_mb(); /* who made room without seeing that did so before */
	return !send_room(p);
}

/* What a send fills: the frames, how far they are filled, how large they are. */
struct fill {
	struct page *page;
	u32 off, size;
};

static struct fill fill_begin(struct tcp_pcb *p)
{
	return (struct fill){ __atomic_exchange_n(&p->spage, NULL, __ATOMIC_ACQUIRE), p->spage_off,
			      p->spage_size };
}

/* Kept for the next send while the connection is busy: an idle one holds no memory. */
static void fill_end(struct tcp_pcb *p, const struct fill *f)
{
	if (!f->page)
		return;
	if (f->off == f->size || READ_ONCE(p->snd_una) == READ_ONCE(p->snd_end)) {
		page_put(f->page);
		return;
	}
	p->spage_off = f->off;
	p->spage_size = f->size;
	__atomic_store_n(&p->spage, f->page, __ATOMIC_RELEASE);
}

/* Place for the first of @want bytes: in one piece as far as that wastes nothing. */
static bool fill_ready(struct fill *f, u32 want)
{
	u32 order = 0;

	if (f->page && f->off < f->size)
		return true;
	if (f->page)
		page_put(f->page);
	while (order < FILL_ORDER && want >= (u32)PAGE_SIZE << (order + 1))
		order++;
	f->page = order ? pmm_alloc(order, PMM_NOWAIT) : NULL;
	if (!f->page) {
		order = 0;
		f->page = pmm_alloc(0, 0);
	}
	f->off = 0;
	f->size = (u32)PAGE_SIZE << order;
	return f->page;
}

/*
 * Up to @n of the user's bytes into @s. 0, -EFAULT, -ENOMEM: @s has what came before, on a fault
 * nothing of the first 32 KiB: all of a piece or nothing, as on Linux.
 */
static int seg_fill(struct fill *f, struct tcp_seg *s, struct uio *u, u32 n)
{
	while (n && s->nfrags < PKT_FRAGS_MAX) {
		u32 piece;
		ssize_t got;

		if (!fill_ready(f, n))
			return -ENOMEM;
		piece = MIN(n, f->size - f->off);
		got = uio_copy_from(u, (u8 *)page_to_va(f->page) + f->off, piece);
		if (got != (ssize_t)piece) {
			bool first = s->len < (u32)PAGE_SIZE << FILL_ORDER;

			uio_revert(u, (size_t)MAX(got, 0) + (first ? s->len : 0));
			s->len = first ? 0 : s->len;
			return -EFAULT;
		}
		page_get(f->page);
		s->frags[s->nfrags++] = (struct pkt_frag){ f->page, f->off, piece };
		f->off += piece;
		s->len += piece;
		n -= piece;
	}
	return 0;
}

/* As seg_fill, with pages that are lent: nothing is copied. */
static void seg_lend(struct tcp_seg *s, struct uio *u, u32 n)
{
	while (n && s->nfrags < PKT_FRAGS_MAX) {
		u64 at = u->seg->base + u->off;
		u32 off = (u32)(at & PAGE_MASK);
		u32 piece = MIN(n, (u32)PAGE_SIZE - off);
		struct page *page = va_to_page((const void *)at);

		piece = (u32)MIN((size_t)piece, u->seg->len - u->off);
		page_get(page);
		s->frags[s->nfrags++] = (struct pkt_frag){ page, off, piece };
		s->len += piece;
		n -= piece;
		uio_advance(u, piece);
	}
}

/* Melt @s into the last segment of the queue, which was not sent yet. */
static bool seg_melt(struct tcp_pcb *p, struct tcp_seg *s)
{
	struct tcp_seg *t;
	u32 first = 0;

	if (!p->unsent || (s->flags & TH_FIN))
		return false;
	t = list_last(&p->sndq, struct tcp_seg, link);
	if (t->sent || t->stamp || (t->mark & SEG_EOR) || t->len + s->len > size_goal(p))
		return false;
	if (t->nfrags && t->frags[t->nfrags - 1].page == s->frags[0].page &&
	    t->frags[t->nfrags - 1].off + t->frags[t->nfrags - 1].len == s->frags[0].off)
		first = 1;
	if (t->nfrags + s->nfrags - first > PKT_FRAGS_MAX)
		return false;
	if (first) {
		t->frags[t->nfrags - 1].len += s->frags[0].len;
		page_put(s->frags[0].page);
	}
	memcpy(t->frags + t->nfrags, s->frags + first, (s->nfrags - first) * sizeof(s->frags[0]));
	t->nfrags = (u8)(t->nfrags + s->nfrags - first);
	t->len += s->len;
	t->end += s->len;
	t->flags |= s->flags;
	t->mark |= s->mark;
	t->stamp = s->stamp;
	s->nfrags = 0;
	return true;
}

/* Put @s, which is taken over, behind what is queued, and send what may be. 0 or -errno */
static int seg_append(struct tcp_pcb *p, struct tcp_seg *s, u32 flags, bool last)
{
	u32 len = s->len, cork;
	int err;

	tcp_lock(p);
	err = send_error(p);
	if (!err && !tcp_charge(p, len))
		err = -ENOMEM;
	if (err) {
		tcp_unlock(p);
		tcp_seg_free(s);
		return err;
	}
	s->seq = p->snd_end;
	s->end = p->snd_end + len;
	if (last && !(flags & TCP_SEND_MORE))
		s->flags |= TH_PSH;
	if (last)
		s->stamp = (u8)(flags >> TCP_SEND_STAMP_SHIFT);
	if (last && (flags & TCP_SEND_EOR))
		s->mark |= SEG_EOR;
	if ((flags & TCP_SEND_OOB) && last) {
		p->snd_up = s->end;
		s->flags |= TH_PSH;
	}
	WRITE_ONCE(p->snd_end, s->end);
	if (seg_melt(p, s)) {
		tcp_seg_free(s);
	} else {
		tcp_seg_add(p, s);
		if (!p->unsent)
			p->unsent = s;
	}
	cork = flags & TCP_SEND_MORE ? PF_CORK & ~p->flags : 0;
	p->flags |= cork; /* for this once */
	tcp_output(p, time_now());
	p->flags &= ~cork;
	tcp_unlock(p);
	return 0;
}

/* See net/tcp.h. ctx: thread; sleeps (user memory); one sender at a time */
ssize_t tcp_send(struct tcp_pcb *p, struct uio *u, u32 flags)
{
	struct fill f = fill_begin(p);
	size_t done = 0;
	int err = send_error(p);

	while (!err && u->left) {
		u32 room = send_room(p), n;
		struct tcp_seg *s;

		if (!room) {
			if (!must_wait(p))
				continue;
			err = -EAGAIN;
			break;
		}
		n = MIN(room, size_goal(p));
		n = (u32)MIN(u->left, (size_t)n);
		s = tcp_seg_alloc();
		if (!s) {
			err = -ENOMEM;
			break;
		}
		if (u->lend)
			seg_lend(s, u, n);
		else
			err = seg_fill(&f, s, u, n);
		n = s->len;
		if (n) {
			int e = seg_append(p, s, flags, !u->left);

			if (e) {
				uio_revert(u, n);
				err = e;
				break;
			}
			done += n;
		} else {
			tcp_seg_free(s);
		}
	}
	if (unlikely(err == -ENOMEM))
		WRITE_ONCE(p->no_room, true);
	fill_end(p, &f);
	return done ? (ssize_t)done : err;
}

/* See net/tcp.h. What has left already is acknowledged only. ctx: thread */
void tcp_send_cut(struct tcp_pcb *p, u32 flags)
{
	u32 what = flags >> TCP_SEND_STAMP_SHIFT;

	tcp_lock(p);
	if (!list_empty(&p->sndq)) {
		struct tcp_seg *s = list_last(&p->sndq, struct tcp_seg, link);

		s->stamp |= (u8)(s->sent ? what & PKT_STAMP_ACK : what);
	}
	tcp_unlock(p);
}

/* --- receiving --- */

/* Where the stream is interrupted by an urgent byte that is kept beside it. */
static bool urgent_beside(const struct tcp_pcb *p, u32 flags)
{
	return p->urg != URG_NONE && !(flags & TCP_RECV_INLINE);
}

/* Packets that were read whole go. holds: p->lock */
static void free_read(struct tcp_pcb *p)
{
	while (!list_empty(&p->rcvq)) {
		struct pkt *pkt = list_first(&p->rcvq, struct pkt, link);
		struct tcp_rx *rx = tcp_rx(pkt);

		if (seq_gt(rx->seq + pkt->len, p->copied))
			break;
		list_del(&pkt->link);
		p->rcv_mem -= pkt->charge;
		pkt_put(pkt);
	}
}

/*
 * What a receive finds when there are no bytes. After the peer's FIN the stream has ended, whatever
 * came later: the error is for another call. holds: p->lock
 */
static int nothing_to_read(struct tcp_pcb *p)
{
	int err;

	if (p->state == TCP_LISTEN)
		return -ENOTCONN;
	if (p->flags & PF_FIN_RCVD)
		return 0;
	err = tcp_take_error(p);
	if (err || (p->shut & 1))
		return err;
	return p->state == TCP_CLOSE ? -ENOTCONN : -EAGAIN;
}

/*
 * Find the next piece at @at: packet, offset in it and how much may be taken in one go. Passes over
 * an urgent byte at the very place. NULL: nothing. holds: p->lock
 */
static struct pkt *piece(struct tcp_pcb *p, u32 *at, u32 flags, bool first, u32 *off, u32 *n)
{
	struct pkt *pkt;

	if (p->urg != URG_NONE && *at == p->urg_seq && !first)
		return NULL; /* a read ends at the mark */
	if (urgent_beside(p, flags) && *at == p->urg_seq && p->urg != URG_COMING) {
		++*at;
		if (!(flags & TCP_RECV_PEEK))
			p->urg = URG_NONE;
	}
	list_for_each(pkt, &p->rcvq, link) {
		struct tcp_rx *rx = tcp_rx(pkt);

		if (seq_ge(*at, rx->seq + pkt->len))
			continue;
		*off = *at - rx->seq;
		*n = pkt->len - *off;
		if (p->urg != URG_NONE && seq_gt(p->urg_seq, *at) && p->urg_seq - *at < *n)
			*n = p->urg_seq - *at;
		return pkt;
	}
	return NULL;
}

/* @n bytes up to @to were taken. holds: p->lock */
static void advance(struct tcp_pcb *p, u32 to, s64 now)
{
	WRITE_ONCE(p->copied, to);
	if (p->urg != URG_NONE && seq_gt(to, p->urg_seq))
		p->urg = URG_NONE;
	free_read(p);
	tcp_rcv_space(p, now);
	tcp_settle(p);
	tcp_window_update(p, now);
}

/* See net/tcp.h. ctx: thread; sleeps (user memory); one receiver at a time */
ssize_t tcp_recv(struct tcp_pcb *p, struct uio *u, u32 flags, u32 skip)
{
	u32 at, off, n;
	size_t done = 0;
	ssize_t err = 0;

	tcp_lock(p);
	at = p->copied + skip;
	while (u->left) {
		struct pkt *pkt = piece(p, &at, flags, !done, &off, &n);

		if (!pkt)
			break;
		n = (u32)MIN((size_t)n, u->left);
		tcp_unlock(p);
		if (flags & TCP_RECV_TRUNC) {
			uio_advance(u, n);
			err = 0;
		} else {
			err = pkt_to_uio(pkt, off, u, n);
		}
		tcp_lock(p);
		if (err)
			break;
		at += n;
		done += n;
		if (!(flags & TCP_RECV_PEEK)) {
			WRITE_ONCE(p->copied, at);
			free_read(p);
		}
	}
	if (!(flags & TCP_RECV_PEEK) && at != p->copied)
		WRITE_ONCE(p->copied, at);
	if (done && !(flags & TCP_RECV_PEEK))
		advance(p, at, time_now());
	/* No bytes wanted is an answer only where there are some. */
	if (!done && !err && (u->left || tcp_readable(p) <= skip))
		err = nothing_to_read(p);
	tcp_unlock(p);
	return done ? (ssize_t)done : err;
}

/* See net/tcp.h. ctx: thread */
int tcp_recv_oob(struct tcp_pcb *p, u8 *byte, bool peek)
{
	int err = 0;

	tcp_lock(p);
	if (p->state == TCP_LISTEN)
		err = -ENOTCONN;
	else if ((p->flags & PF_OOBINLINE) || p->urg == URG_NONE || p->urg == URG_READ)
		err = -EINVAL;
	else if (p->state == TCP_CLOSE && !(p->flags & PF_FIN_RCVD))
		err = -ENOTCONN;
	else if (p->urg == URG_COMING)
		err = p->flags & PF_FIN_RCVD ? 0 : -EAGAIN;
	else
		*byte = p->urg_byte;
	if (!err && !peek)
		p->urg = p->urg == URG_HERE ? URG_READ : p->urg;
	tcp_unlock(p);
	return err;
}

/* See net/tcp.h. ctx: any */
bool tcp_at_mark(struct tcp_pcb *p, u32 skip)
{
	return READ_ONCE(p->urg) != URG_NONE &&
	       READ_ONCE(p->copied) + skip == READ_ONCE(p->urg_seq);
}
