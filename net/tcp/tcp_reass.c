/*
 * The text of segments: in order onto the receive queue, else onto the queue of what came out of
 * order (RFC 9293, 3.10.7.4, sixth to eighth step), and what is told about it: SACK and DSACK
 * blocks (RFC 2018, 2883), acknowledgments at once or delayed (RFC 5681, 4.2), and the size of the
 * window.
 *
 * Bounds: nothing beyond the promised window is kept; packets count with what they cost, and when
 * the queues cost twice the buffer new ones are dropped: many small packets are melted together
 * before. What is out of order is in a tree, so that a sender of very many small pieces in the
 * worst order costs little for each.
 */
#include "kernel/lib/string.h"
#include "net/tcp/tcp_pcb.h"

#define SMALL 256u /* packets up to this are melted together when the buffer fills */
#define MELT_ROOM 3072u
#define PIECE_CHARGE 1024u /* what a segment that was joined costs at least: it keeps a page */

/* --- SACK blocks --- */

/* [start, end) came out of order: its block is told first. */
static void sack_add(struct tcp_pcb *p, u32 start, u32 end)
{
	u32 kept = 0;
	struct tcp_block b[TCP_SACKS];

	for (u32 i = 0; i < p->nsacks; i++) {
		struct tcp_block *o = &p->sacks[i];

		if (seq_le(o->start, end) && seq_le(start, o->end)) {
			start = seq_min(start, o->start);
			end = seq_max(end, o->end);
		} else if (kept < TCP_SACKS - 1) {
			b[kept++] = *o;
		}
	}
	p->sacks[0] = (struct tcp_block){ start, end };
	memcpy(p->sacks + 1, b, kept * sizeof(b[0]));
	p->nsacks = (u8)(kept + 1);
}

/* What is below rcv_nxt needs no block any more. */
static void sack_trim(struct tcp_pcb *p)
{
	u32 kept = 0;

	for (u32 i = 0; i < p->nsacks; i++) {
		if (seq_gt(p->sacks[i].end, p->rcv_nxt))
			p->sacks[kept++] = p->sacks[i];
	}
	p->nsacks = (u8)kept;
}

/* See tcp_pcb.h. holds: p->lock */
void tcp_dsack(struct tcp_pcb *p, u32 start, u32 end)
{
	if (!(p->flags & PF_SACK) || !tcp_sysctl_dsack)
		return;
	if (seq_lt(start, p->rcv_nxt))
		TCP_COUNT(TCPDSACKOldSent);
	else
		TCP_COUNT(TCPDSACKOfoSent);
	p->dsack = true;
	p->dblock = (struct tcp_block){ start, end };
}

/* --- queues --- */

static void set_range(struct pkt *pkt, u32 seq, u32 fin)
{
	*tcp_rx(pkt) = (struct tcp_rx){ .seq = seq, .end = seq + pkt->len, .fin = fin };
}

static void trim_front(struct pkt *pkt, u32 n)
{
	pkt_drop_front(pkt, n);
	tcp_rx(pkt)->seq += n;
}

static void trim_back(struct pkt *pkt, u32 len)
{
	pkt_trim(pkt, len);
	tcp_rx(pkt)->end = tcp_rx(pkt)->seq + len;
	tcp_rx(pkt)->fin = 0;
}

/*
 * Many small packets cost more than they hold: when the buffer fills, @pkt's bytes are put into one
 * with room, which the next ones use too. True: that was done with the last packet.
 */
static bool melt(struct tcp_pcb *p, struct pkt **ppkt)
{
	struct pkt *pkt = *ppkt, *last, *roomy;
	u32 n = pkt->len;

	if (n > SMALL || p->rcv_mem < (u32)p->rcvbuf / 4)
		return false;
	last = list_empty(&p->rcvq) ? NULL : list_last(&p->rcvq, struct pkt, link);
	if (last && !last->nfrags && (u32)(last->end - last->tail) >= n &&
	    tcp_rx(last)->end == tcp_rx(pkt)->seq) {
		pkt_copy_out(pkt, 0, last->tail, n);
		tcp_rx(last)->end += n;
		last->tail += n;
		WRITE_ONCE(last->len, last->len + n);
		last->charge += n;
		p->rcv_mem += n;
		TCP_COUNT(TCPRcvCoalesce);
		pkt_put(pkt);
		return true;
	}
	roomy = pkt_alloc(0, MELT_ROOM, PMM_NOWAIT);
	if (roomy) {
		pkt_copy_out(pkt, 0, pkt_append(roomy, n), n);
		set_range(roomy, tcp_rx(pkt)->seq, 0);
		roomy->charge = MELT_ROOM + PKT_CHARGE;
		pkt_put(pkt);
		*ppkt = roomy;
	}
	return false;
}

/* @pkt, which begins at rcv_nxt, behind what is to be read. */
static void append(struct tcp_pcb *p, struct pkt *pkt)
{
	u32 fin = tcp_rx(pkt)->fin, end = tcp_rx(pkt)->end, n = pkt->len;

	p->bytes_received += n + fin; /* as Linux counts */
	if (n && !melt(p, &pkt)) {
		p->rcv_mem += pkt->charge;
		list_add_tail(&p->rcvq, &pkt->link);
	} else if (!n) {
		pkt_put(pkt);
	}
	WRITE_ONCE(p->rcv_nxt, end);
	if (fin) {
		p->flags |= PF_FIN_RCVD;
		WRITE_ONCE(p->rcv_nxt, end + 1);
	}
}

/* [start, end), of the queue, came with what is in order, too: told with what is beside it. */
static void told_twice(struct tcp_pcb *p, u32 start, u32 end)
{
	if (!seq_lt(start, end))
		return;
	if (!p->dsack)
		tcp_dsack(p, start, end);
	else if (p->dblock.end == start)
		p->dblock.end = end;
}

static struct tcp_rx *ooo_rx(struct rb_node *n)
{
	return n ? rb_entry(n, struct tcp_rx, node) : NULL;
}

/* Out of the tree; the packet is the caller's. */
static struct pkt *ooo_take(struct tcp_pcb *p, struct tcp_rx *rx)
{
	struct pkt *pkt = container_of((void *)rx, struct pkt, cb);

	rb_erase(&p->ooo, &rx->node);
	p->ooo_mem -= pkt->charge;
	return pkt;
}

/* See tcp_pcb.h. holds: p->lock */
void tcp_ooo_purge(struct tcp_pcb *p)
{
	struct tcp_rx *rx;

	while ((rx = ooo_rx(rb_first(&p->ooo))))
		pkt_put(ooo_take(p, rx));
}

/* What came before and fits now. RFC 5681, 4.2: that a gap was filled is told at once. */
static void take_ooo(struct tcp_pcb *p)
{
	struct tcp_rx *rx;

	p->flags |= PF_ACK_NOW;
	while ((rx = ooo_rx(rb_first(&p->ooo))) && !(p->flags & PF_FIN_RCVD)) {
		struct pkt *pkt;

		if (seq_gt(rx->seq, p->rcv_nxt))
			break;
		pkt = ooo_take(p, rx);
		told_twice(p, rx->seq, seq_min(rx->end, p->rcv_nxt));
		if (seq_le(rx->end + rx->fin, p->rcv_nxt)) {
			pkt_put(pkt);
			continue;
		}
		if (seq_lt(rx->seq, p->rcv_nxt))
			trim_front(pkt, MIN(p->rcv_nxt - rx->seq, pkt->len));
		append(p, pkt);
	}
	if (p->nsacks)
		sack_trim(p);
}

/*
 * What @before, which begins no later, has of @pkt is not taken again. False: that is all of it,
 * and the packet is gone.
 */
static bool ooo_cut_front(struct tcp_pcb *p, struct tcp_rx *before, struct pkt *pkt)
{
	struct tcp_rx *rx = tcp_rx(pkt);

	if (seq_ge(before->end, rx->end)) {
		before->fin |= rx->fin && before->end == rx->end;
		if (pkt->len)
			tcp_dsack(p, rx->seq, rx->end);
		pkt_put(pkt);
		return false;
	}
	if (seq_gt(before->end, rx->seq)) {
		tcp_dsack(p, rx->seq, before->end);
		trim_front(pkt, before->end - rx->seq);
	}
	return true;
}

/* @pkt, in the tree, takes the place of what it covers, and ends where the next one begins. */
static void ooo_cut_back(struct tcp_pcb *p, struct pkt *pkt)
{
	struct tcp_rx *rx = tcp_rx(pkt), *o;

	while ((o = ooo_rx(rb_next(&rx->node))) && seq_lt(o->seq, rx->end)) {
		told_twice(p, o->seq, seq_min(o->end, rx->end));
		if (seq_gt(o->end, rx->end)) {
			if (o->seq == rx->seq)
				pkt_put(ooo_take(p, rx));
			else
				trim_back(pkt, o->seq - rx->seq);
			return;
		}
		rx->fin |= o->fin && o->end == rx->end;
		pkt_put(ooo_take(p, o));
		TCP_COUNT(TCPOFOMerge);
	}
}

/* Put @pkt where it belongs; bytes that are there already are not taken again. */
static void ooo_insert(struct tcp_pcb *p, struct pkt *pkt)
{
	struct tcp_rx *rx = tcp_rx(pkt), *before = NULL;
	struct rb_node **link = &p->ooo.node, *parent = NULL;

	while (*link) {
		parent = *link;
		if (seq_lt(rx->seq, ooo_rx(parent)->seq)) {
			link = &parent->left;
		} else {
			before = ooo_rx(parent);
			link = &parent->right;
		}
	}
	if (before && !ooo_cut_front(p, before, pkt))
		return;
	rb_link(&p->ooo, &rx->node, parent, link, !before);
	p->ooo_mem += pkt->charge;
	TCP_COUNT(TCPOFOQueue);
	ooo_cut_back(p, pkt);
}

/* --- acknowledging --- */

static u16 segment_size(const struct tcp_in *in)
{
	u32 n = in->pkt && in->pkt->gso_size ? in->pkt->gso_size : in->len;

	return (u16)MIN(n, 65495u);
}

/* How long a window's worth takes: without timestamps the receiver's only measure. */
static void measure_rcv(struct tcp_pcb *p, s64 now)
{
	if (p->rcv_rtt_at && seq_ge(p->rcv_nxt, p->rcv_rtt_seq)) {
		s64 took = MAX(now - p->rcv_rtt_at, 1);

		p->rcv_rtt = p->rcv_rtt ? MIN(took, p->rcv_rtt + p->rcv_rtt / 8 + 1) : took;
		p->rcv_rtt_at = 0;
	}
	if (!p->rcv_rtt_at) {
		p->rcv_rtt_at = now;
		p->rcv_rtt_seq = p->rcv_nxt + p->rcv_wnd;
	}
}

/* Data came in order: acknowledge now, or soon with whatever goes the other way. */
static void schedule_ack(struct tcp_pcb *p, s64 now)
{
	u32 unacked = p->rcv_nxt - p->rcv_wup;

	if ((p->flags & PF_ACK_NOW) || unacked > p->rcv_mss || !rb_empty(&p->ooo))
		p->flags |= PF_ACK_NOW;
	else if (((p->flags & PF_QUICKACK) || p->quick) && !(p->flags & PF_PINGPONG))
		p->flags |= PF_ACK_NOW;
	else if (p->deadline[TCPT_ACK] == TIME_NEVER)
		tcp_timer_set(p, TCPT_ACK, now + p->ato);
}

/* A segment that tells of trouble, or one that we have: the answer must not wait. */
static void ack_at_once(struct tcp_pcb *p)
{
	p->flags |= PF_ACK_NOW;
	p->flags &= ~PF_PINGPONG;
	p->quick = 16;
}

/*
 * Grow the buffer so that a round trip's worth of what the user reads fits twice: RFC 793's window
 * is then never the brake. holds: p->lock
 */
void tcp_rcv_space(struct tcp_pcb *p, s64 now)
{
	s64 rtt = p->rcv_rtt ? p->rcv_rtt : p->srtt;
	u32 copied = p->copied - p->drs_seq;

	if (!rtt || now - p->drs_at < rtt)
		return;
	if (copied > p->drs_space) {
		u64 want = 3ull * copied + 16u * p->rcv_mss;

		p->drs_space = copied;
		if (tcp_sysctl_moderate_rcvbuf && !(p->flags & PF_RCVBUF_SET) &&
		    want > (u32)p->rcvbuf && !tcp_memory_pressure())
			WRITE_ONCE(p->rcvbuf, (int)MIN(want, (u64)tcp_sysctl_rmem[2]));
	}
	p->drs_seq = p->copied;
	p->drs_at = now;
}

/*
 * See tcp_pcb.h. RFC 9293, 3.8.6.2.2, and Linux's rule: when what was said is half or less of what
 * is.
 */
void tcp_window_update(struct tcp_pcb *p, s64 now)
{
	s32 said = (s32)(p->rcv_wup + p->rcv_wnd - p->rcv_nxt);
	s64 space = (s64)p->rcvbuf - p->rcv_mem;

	if (p->state == TCP_CLOSE || p->state == TCP_SYN_SENT || (p->flags & PF_FIN_RCVD))
		return;
	space = MIN(space, (s64)(65535u << p->rcv_wscale)); /* all that can be said */
	if (p->window_clamp)
		space = MIN(space, (s64)p->window_clamp);
	if (said > 0 && space < 2 * (s64)said)
		return;
	if (space - MAX(said, 0) < MIN(p->rcvbuf / 2, (int)p->rcv_mss))
		return;
	if (said <= 0)
		TCP_COUNT(TCPFromZeroWindowAdv);
	tcp_send_ack(p, now);
}

/* --- the text --- */

/* RFC 9293, 3.8.5, 3.10.7.4 seventh step. The pointer is to the byte behind (RFC 6093, 3.1). */
void tcp_urgent(struct tcp_pcb *p, const struct tcp_in *in)
{
	u32 at = in->seq + in->urg;

	if (!in->urg)
		return;
	if (!tcp_sysctl_stdurg)
		at--;
	if (seq_lt(at, p->copied) || seq_lt(at, p->rcv_nxt) ||
	    (p->urg != URG_NONE && seq_le(at, p->urg_seq)))
		return;
	p->urg_seq = at;
	p->urg = URG_COMING;
	p->wake |= WAKE_URG;
}

/* Is the announced byte in this segment? */
static void find_urgent(struct tcp_pcb *p, const struct tcp_in *in)
{
	u32 off = p->urg_seq - in->seq;

	if (p->urg != URG_COMING || off >= in->len)
		return;
	pkt_copy_out(in->pkt, off, &p->urg_byte, 1);
	p->urg = URG_HERE;
	p->wake |= WAKE_URG | WAKE_READ;
}

/* No place for a packet: memory is the limit, not the window. */
static bool no_room(struct tcp_pcb *p, u32 charge, bool ordered)
{
	u32 all = p->rcv_mem + p->ooo_mem + charge, most = (u32)p->rcvbuf;

	if (ordered && all > 2 * most && !rb_empty(&p->ooo)) {
		/* What is in order is worth more. */
		TCP_COUNT(OfoPruned);
		tcp_ooo_purge(p);
		p->nsacks = 0;
		all = p->rcv_mem + charge;
	}
	if (ordered ? all > 2 * most + 65536 : all > most + most / 2)
		return true;
	return !tcp_charge(p, charge) && !(ordered && list_empty(&p->rcvq));
}

/* Cut @in to what is new and was promised. False: nothing is left. */
static bool cut(struct tcp_pcb *p, struct tcp_in *in, struct pkt *pkt, bool *fin)
{
	s32 room = (s32)(p->rcv_wup + p->rcv_wnd - in->seq);
	u32 old = seq_lt(in->seq, p->rcv_nxt) ? p->rcv_nxt - in->seq : 0;

	if (old) {
		if (in->len)
			tcp_dsack(p, in->seq, seq_min(in->seq + in->len, p->rcv_nxt));
		ack_at_once(p);
	}
	if (seq_le(in->end, p->rcv_nxt))
		return false;
	if (room <= 0 && in->len) {
		TCP_COUNT(TCPZeroWindowDrop);
		ack_at_once(p);
		return false;
	}
	if ((u32)MAX(room, 0) < in->len) {
		trim_back(pkt, (u32)room);
		*fin = false;
		ack_at_once(p);
	}
	if (old)
		trim_front(pkt, MIN(old, pkt->len));
	return true;
}

/*
 * Mostly this side ends, too, and its FIN can tell that the other's has come; where nothing was
 * said before there is no such conversation.
 */
static void fin_waits(struct tcp_pcb *p)
{
	p->flags |= p->stat.data_in ? PF_PINGPONG : PF_ACK_NOW;
}

static void in_order(struct tcp_pcb *p, struct pkt *pkt, s64 now)
{
	append(p, pkt);
	if (!rb_empty(&p->ooo))
		take_ooo(p);
	measure_rcv(p, now);
	if ((p->flags & PF_FIN_RCVD) && p->state == TCP_ESTABLISHED)
		fin_waits(p);
	schedule_ack(p, now);
	p->wake |= WAKE_READ;
}

static void out_of_order(struct tcp_pcb *p, struct pkt *pkt)
{
	struct tcp_rx rx = *tcp_rx(pkt);

	p->stat.ooo_in++;
	ooo_insert(p, pkt);
	if ((p->flags & PF_SACK) && rx.end != rx.seq)
		sack_add(p, rx.seq, rx.end);
	ack_at_once(p);
}

/* See tcp_pcb.h. The packet is taken when it is kept. holds: p->lock */
void tcp_data(struct tcp_pcb *p, struct tcp_in *in)
{
	struct pkt *pkt = in->pkt;
	bool fin = in->flags & TH_FIN;

	if (!in->len && !fin)
		return;
	if (in->len) {
		u16 size = segment_size(in);

		p->last_rcv = in->now;
		p->stat.data_in += in->len > size ? DIV_ROUND_UP(in->len, size) : 1;
		if (size > p->rcv_mss || (size >= TCP_MSS_536 && in->len == size && !fin))
			p->rcv_mss = size;
		find_urgent(p, in);
	}
	set_range(pkt, in->seq, 0);
	if (!cut(p, in, pkt, &fin))
		return;
	tcp_rx(pkt)->fin = fin;
	pkt_orphan(pkt);
	pkt->charge = pkt->len + PKT_CHARGE;
	if (pkt->gso_size)
		pkt->charge = MAX(pkt->charge, pkt->nfrags * PIECE_CHARGE);
	if (no_room(p, pkt->charge, tcp_rx(pkt)->seq == p->rcv_nxt)) {
		TCP_COUNT(RcvPruned);
		ack_at_once(p);
		return;
	}
	in->pkt = NULL;
	if (tcp_rx(pkt)->seq == p->rcv_nxt)
		in_order(p, pkt, in->now);
	else
		out_of_order(p, pkt);
}
