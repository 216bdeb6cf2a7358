/*
 * What the other side says that it has (SACK, RFC 2018 and 2883), and what follows of it for what
 * was lost: RFC 6675's scoreboard, kept as marks on the segments of the send queue, and RACK (RFC
 * 8985), which tells lost segments by time: one is lost when another that was sent later has
 * arrived, and a reordering window has passed. Before any reordering was seen that window is zero
 * once three segments were SACKed, which makes RFC 6675's rule of DupThresh a case of it.
 */
#include "net/tcp/tcp_pcb.h"

#define DUP_THRESH 3u
#define REO_MULT_MAX 255u
#define REORDER_MAX 300u

/* See tcp_pcb.h. holds: p->lock */
void tcp_mark_lost(struct tcp_pcb *p, struct tcp_seg *s)
{
	u32 span = s->end - s->seq;

	if (s->mark & SEG_SACKED)
		return;
	if (s->mark & SEG_RETRANS) {
		s->mark &= ~SEG_RETRANS;
		p->retrans -= span;
		TCP_COUNT(TCPLostRetransmit);
	}
	if (!(s->mark & SEG_LOST)) {
		s->mark |= SEG_LOST;
		p->lost += span;
	}
}

/*
 * Something came later than what was sent after it, @rtt after it was sent: so long RACK should
 * have waited. holds: p->lock
 */
void tcp_reordered(struct tcp_pcb *p, s64 rtt)
{
	p->flags |= PF_REORDER_SEEN;
	p->reo_late = MAX(p->reo_late, rtt - p->rack_rtt);
	p->reo_persist = TCP_REO_PERSIST;
}

/* RFC 8985, 6.2 step 2: the newest of what arrived. holds: p->lock */
void tcp_rack_delivered(struct tcp_pcb *p, const struct tcp_seg *s, struct tcp_ackinfo *a)
{
	s64 rtt = a->now - s->sent;

	/* An answer so soon is to the first of two sendings. */
	if ((s->mark & SEG_EVER) && p->rack_min_rtt && rtt < p->rack_min_rtt)
		return;
	if (!(s->mark & SEG_EVER)) {
		if (seq_le(s->end, p->high_seq))
			a->orig = true;
		if (seq_lt(s->end, a->prior_fack)) {
			u32 by = DIV_ROUND_UP(a->prior_fack - s->seq, p->mss);

			if (!a->late) {
				TCP_COUNT(TCPSACKReorder);
				p->stat.reordered++;
			}
			a->late = true;
			p->stat.reordering = (u16)MAX(p->stat.reordering, MIN(by, REORDER_MAX));
			tcp_reordered(p, rtt);
		}
	}
	p->rack_fack = seq_max(p->rack_fack, s->end);
	if (s->sent > p->rack_sent || (s->sent == p->rack_sent && seq_gt(s->end, p->rack_end))) {
		p->rack_sent = s->sent;
		p->rack_end = s->end;
		p->rack_rtt = rtt;
	}
}

static s64 reorder_window(const struct tcp_pcb *p)
{
	if (!(p->flags & PF_REORDER_SEEN) && (p->ca >= CA_RECOVERY || p->nsacked >= DUP_THRESH ||
					      p->sacked > (DUP_THRESH - 1) * p->mss))
		return 0;
	return MIN(MAX(p->rack_min_rtt / 4 * p->reo_mult, p->reo_late), p->srtt);
}

/* RFC 8985, 6.2 step 5: mark what must be lost by now, wait for what may be. holds: p->lock */
void tcp_rack_mark(struct tcp_pcb *p, s64 now)
{
	s64 wait = 0, window = reorder_window(p);
	struct tcp_seg *s;

	if (!p->rack_sent)
		return;
	list_for_each(s, &p->sndq, link) {
		s64 left;

		if (s == p->unsent)
			break;
		if ((s->mark & SEG_SACKED) || (s->mark & (SEG_LOST | SEG_RETRANS)) == SEG_LOST)
			continue;
		if (s->sent > p->rack_sent ||
		    (s->sent == p->rack_sent && !seq_lt(s->end, p->rack_end)))
			continue;
		left = s->sent + p->rack_rtt + window - now;
		if (left <= 0)
			tcp_mark_lost(p, s);
		else
			wait = MAX(wait, left);
	}
	if (wait) {
		p->send_timer = ST_REORDER;
		tcp_timer_set(p, TCPT_SEND, now + wait);
	}
}

static void tag(struct tcp_pcb *p, struct tcp_seg *s, struct tcp_ackinfo *a)
{
	u32 span = s->end - s->seq;

	if (s->mark & SEG_LOST)
		p->lost -= span;
	if (s->mark & SEG_RETRANS)
		p->retrans -= span;
	tcp_rack_delivered(p, s, a);
	s->mark = (s->mark & SEG_EVER) | SEG_SACKED;
	p->sacked += span;
	p->nsacked++;
	a->sacked += span;
	a->segs += DIV_ROUND_UP(span, p->mss);
}

/*
 * A block that covers part of a large segment: the part becomes one of its own. Cuts are made where
 * segments of the wire end, so that nobody can have the queue cut to bytes. True: @s, or what
 * became of its front, is covered.
 */
static bool fit(struct tcp_pcb *p, struct tcp_seg *s, const struct tcp_block *b)
{
	u32 n;

	if (seq_lt(s->seq, b->start)) {
		n = DIV_ROUND_UP(b->start - s->seq, p->mss) * p->mss;
		if (n < s->len)
			(void)tcp_seg_split(p, s, n);
		return false; /* what was cut off comes next */
	}
	if (seq_le(s->end, b->end))
		return true;
	n = (b->end - s->seq) / p->mss * p->mss;
	return n && n < s->len && tcp_seg_split(p, s, n);
}

static void tag_block(struct tcp_pcb *p, const struct tcp_block *b, struct tcp_ackinfo *a)
{
	struct tcp_seg *s;

	list_for_each(s, &p->sndq, link) {
		if (s == p->unsent || seq_ge(s->seq, b->end))
			break;
		if (seq_le(s->end, b->start) || (s->mark & SEG_SACKED))
			continue;
		if (fit(p, s, b))
			tag(p, s, a);
	}
}

/* RFC 2883: does the first block tell of something that came twice? */
static bool is_dsack(const struct tcp_in *in)
{
	const struct tcp_block *b = in->sack;

	if (seq_le(b[0].end, in->ack))
		return true;
	return in->nsack > 1 && seq_ge(b[0].start, b[1].start) && seq_le(b[0].end, b[1].end);
}

/*
 * A retransmission was in vain: the window for reordering is too small. It grows once in a round,
 * and stays so through some recoveries without such news (tcp_recover.c). RFC 8985, 6.2 step 4.
 */
static void widen_reorder_window(struct tcp_pcb *p)
{
	p->reo_persist = TCP_REO_PERSIST;
	if (p->reo_mult > 1 && seq_lt(p->snd_una, p->reo_round))
		return;
	p->reo_round = p->snd_nxt;
	if (p->reo_mult < REO_MULT_MAX)
		p->reo_mult++;
}

/* See tcp_pcb.h. holds: p->lock */
void tcp_sack_tag(struct tcp_pcb *p, const struct tcp_in *in, struct tcp_ackinfo *a)
{
	u32 i = 0, segs;

	if (is_dsack(in)) {
		segs = DIV_ROUND_UP(in->sack[0].end - in->sack[0].start, p->mss);
		segs = MIN(segs, 64u);
		a->dsack = true;
		TCP_COUNT(TCPDSACKRecv);
		p->stat.dsacks_in++;
		if (p->undo_marker && p->undo_retrans > 0 &&
		    seq_gt(in->sack[0].end, p->undo_marker) && seq_le(in->sack[0].end, p->high_seq))
			p->undo_retrans = MAX(p->undo_retrans - (int)segs, 0);
		widen_reorder_window(p);
		i = 1;
	}
	for (; i < in->nsack; i++) {
		const struct tcp_block *b = &in->sack[i];

		if (seq_lt(b->start, b->end) && seq_ge(b->start, p->snd_una) &&
		    seq_le(b->end, p->snd_nxt))
			tag_block(p, b, a);
	}
}
