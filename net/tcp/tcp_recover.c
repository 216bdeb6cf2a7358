/*
 * Congestion and loss: the sender's states and what an acknowledgment does in each.
 *
 *   OPEN      nothing unusual.           DISORDER  something arrived out of order, or twice.
 *   CWR       ECN said to slow down.     RECOVERY  a loss was seen: fast retransmit (RFC 6675).
 *   LOSS      the timer ran out: all that is not SACKed is taken for lost (RFC 5681, 3.1).
 *
 * In CWR and RECOVERY the window goes down to ssthresh by proportional rate reduction (RFC 6937).
 * LOSS begins with F-RTO (RFC 5682): the first ACK that advances is answered with new data, and if
 * then something is acknowledged that was sent once only, the timeout was spurious. A reduction is
 * undone when it turns out wrong: by timestamps (RFC 3522), DSACK (RFC 3708) or F-RTO.
 */
#include "net/tcp/tcp_pcb.h"

#define DUP_THRESH 3

static void prr_start(struct tcp_pcb *p)
{
	p->prior_cwnd = p->cwnd;
	p->prior_ssthresh = p->ssthresh;
	p->prr_delivered = p->prr_out = 0;
	p->prr_flight = MAX(p->snd_nxt - p->snd_una, (u32)p->mss);
	p->ssthresh = p->cc->ssthresh(p);
	p->high_seq = p->snd_nxt;
	p->flags |= PF_CWR_PENDING; /* RFC 3168, 6.1.2: for whatever reason */
}

/*
 * RFC 6937, 3. @safe: all is well, and it may go on as in slow start: else a segment for each that
 * arrived (RFC 9937, 5). @fast: a retransmission begins, which goes out in any case.
 */
static void prr(struct tcp_pcb *p, u32 delivered, bool safe, bool fast)
{
	u32 pipe = tcp_pipe(p);
	s64 n;

	if (!delivered && !fast)
		return;
	p->prr_delivered += delivered;
	if (pipe > p->ssthresh) {
		n = (s64)(((u64)p->prr_delivered * p->ssthresh + p->prr_flight - 1) /
			  p->prr_flight) -
		    p->prr_out;
	} else {
		n = (s64)p->prr_delivered - p->prr_out;
		n = MAX(n, (s64)delivered) + (safe ? p->mss : 0);
		n = MIN(n, (s64)p->ssthresh - pipe);
	}
	n = MAX(n, fast ? (s64)p->mss : 0);
	p->cwnd = MAX(pipe + (u32)n, (u32)p->mss);
}

static void clear_marks(struct tcp_pcb *p, u8 marks)
{
	struct tcp_seg *s;

	list_for_each(s, &p->sndq, link) {
		if (s == p->unsent)
			break;
		s->mark &= ~marks;
	}
	if (marks & SEG_LOST)
		p->lost = 0;
	if (marks & SEG_RETRANS)
		p->retrans = 0;
	if (marks & SEG_SACKED)
		p->sacked = p->nsacked = 0;
}

static void enter_recovery(struct tcp_pcb *p)
{
	if (p->flags & PF_SACK)
		TCP_COUNT(TCPSackRecovery);
	else
		TCP_COUNT(TCPRenoRecovery);
	if (p->ca != CA_CWR)
		prr_start(p);
	p->high_seq = p->snd_nxt;
	p->undo_marker = p->snd_una;
	p->undo_retrans = -1;
	p->retrans_stamp = 0;
	p->tlp_end = 0;
	p->ca = CA_RECOVERY;
}

static void enter_cwr(struct tcp_pcb *p)
{
	prr_start(p);
	p->undo_marker = 0;
	p->ca = CA_CWR;
}

/* See tcp_pcb.h. holds: p->lock */
void tcp_enter_loss(struct tcp_pcb *p, s64 now)
{
	struct tcp_seg *s;
	bool fresh = p->ca < CA_RECOVERY || !seq_lt(p->snd_una, p->high_seq);

	if (p->ca != CA_LOSS || !p->undo_marker ||
	    (seq_ge(p->snd_una, p->high_seq) && !p->retries)) {
		p->prior_cwnd = p->cwnd;
		p->prior_ssthresh = p->ssthresh;
		p->ssthresh = p->cc->ssthresh(p);
		p->undo_marker = p->snd_una;
		p->undo_retrans = -1;
		p->retrans_stamp = 0;
		p->flags |= PF_CWR_PENDING;
		if (p->cc->timeout)
			p->cc->timeout(p);
	}
	/* What was SACKed may have been thrown away, if the first was: RFC 2018, 8. */
	s = list_first(&p->sndq, struct tcp_seg, link);
	if (s->mark & SEG_SACKED) {
		TCP_COUNT(TCPSACKReneging);
		clear_marks(p, SEG_SACKED);
	}
	clear_marks(p, SEG_RETRANS);
	list_for_each(s, &p->sndq, link) {
		if (s == p->unsent)
			break;
		tcp_mark_lost(p, s);
	}
	p->reno_sacked = 0;
	p->dupacks = 0;
	p->tlp_end = 0;
	p->cwnd = p->mss;
	p->cwnd_acked = 0;
	p->ca = CA_LOSS;
	p->high_seq = p->snd_nxt;
	p->flags &= ~(PF_FRTO | PF_FRTO2);
	if (tcp_sysctl_frto && fresh)
		p->flags |= PF_FRTO;
}

/* --- undoing --- */

static void undo(struct tcp_pcb *p)
{
	clear_marks(p, SEG_LOST);
	p->cwnd = MAX(p->cwnd, p->prior_cwnd);
	p->ssthresh = MAX(p->ssthresh, p->prior_ssthresh);
	p->undo_marker = 0;
	p->flags &= ~(PF_FRTO | PF_FRTO2);
	if (p->cc->undo)
		p->cc->undo(p);
}

/* The answer is older than the first retransmission: what it answers had arrived. RFC 3522. */
static bool was_delayed(const struct tcp_pcb *p, const struct tcp_ackinfo *a)
{
	return a->acked && p->retrans_stamp && a->has_ts && a->tsecr &&
	       seq_lt(a->tsecr, p->retrans_ts);
}

static bool was_wrong(struct tcp_pcb *p, const struct tcp_ackinfo *a)
{
	if (!p->undo_marker)
		return false;
	if (was_delayed(p, a)) {
		p->stat.reordered++;
		tcp_reordered(p, (tcp_ts_now(a->now, p->ts_offset) - a->tsecr) * MSEC);
		return true;
	}
	return !p->undo_retrans;
}

/* --- one acknowledgment --- */

/* Without SACK each duplicate speaks for one segment that left the network. RFC 5681, 3.2; 6582. */
static void count_duplicates(struct tcp_pcb *p, struct tcp_ackinfo *a)
{
	u32 flight = p->snd_nxt - p->snd_una, most = flight > p->mss ? flight - p->mss : 0, told;

	if (a->dup) {
		if (p->dupacks < 255)
			p->dupacks++;
		p->reno_sacked += p->mss;
		a->delivered += p->mss;
	} else if (a->acked) {
		p->dupacks = 0;
		told = MIN(p->reno_sacked, a->acked > p->mss ? a->acked - p->mss : 0);
		p->reno_sacked -= told;
		a->delivered -= MIN(told, a->delivered); /* duplicates spoke for it */
		if (p->ca == CA_OPEN || p->ca == CA_DISORDER)
			p->reno_sacked = 0;
	}
	p->reno_sacked = MIN(p->reno_sacked, most);
}

static void mark_head_lost(struct tcp_pcb *p)
{
	struct tcp_seg *s = list_first(&p->sndq, struct tcp_seg, link);

	if (p->snd_una == p->snd_nxt || (s->mark & SEG_RETRANS))
		return;
	if (s->len > p->mss)
		(void)tcp_seg_split(p, s, p->mss);
	tcp_mark_lost(p, s);
}

/* All that was out when it began has been acknowledged. */
static void leave(struct tcp_pcb *p, struct tcp_ackinfo *a)
{
	if (was_wrong(p, a)) {
		if (p->ca == CA_LOSS)
			TCP_COUNT(TCPLossUndo);
		else
			TCP_COUNT(TCPFullUndo);
		undo(p);
	} else if (p->ca != CA_LOSS) {
		p->cwnd = MAX(p->ssthresh, (u32)p->mss);
	}
	if (p->reo_persist && !--p->reo_persist) {
		p->reo_mult = 1;
		p->reo_late = 0;
	}
	p->retrans_stamp = 0;
	p->dupacks = 0;
	p->reno_sacked = 0;
	p->flags &= ~(PF_FRTO | PF_FRTO2);
	p->ca = p->sacked ? CA_DISORDER : CA_OPEN;
}

/* RFC 5682, 3.1. */
static void in_loss(struct tcp_pcb *p, struct tcp_ackinfo *a)
{
	if (was_wrong(p, a) || ((p->flags & PF_FRTO) && p->undo_marker && a->orig)) {
		TCP_COUNT(TCPSpuriousRTOs);
		undo(p);
		p->ca = p->sacked ? CA_DISORDER : CA_OPEN;
		return;
	}
	/* Bytes of the other side say nothing; before the first answer SACKs do not, either. */
	if (!(p->flags & PF_FRTO) || !(a->acked || a->sacked || a->dup) ||
	    (!a->acked && (p->flags & (PF_FRTO2 | PF_SACK)) == PF_SACK))
		return;
	if (a->acked && !(p->flags & PF_FRTO2) && p->unsent) {
		p->high_seq = p->snd_nxt;
		p->flags |= PF_FRTO2;
		if (tcp_output_forced(p, a->now)) {
			(void)tcp_output_forced(p, a->now);
			return;
		}
	}
	p->flags &= ~(PF_FRTO | PF_FRTO2); /* the loss was real */
}

static void in_recovery(struct tcp_pcb *p, struct tcp_ackinfo *a)
{
	if (a->acked && was_wrong(p, a)) {
		TCP_COUNT(TCPPartialUndo);
		undo(p);
		p->ca = p->sacked ? CA_DISORDER : CA_OPEN;
	} else if (a->acked && !(p->flags & PF_SACK)) {
		mark_head_lost(p); /* RFC 6582, 3.2 step 5 */
	}
}

static void grow(struct tcp_pcb *p, const struct tcp_ackinfo *a)
{
	/* A window that was not used says nothing (RFC 7661); slow start needs half of it. */
	bool limited = (p->flags & PF_CWND_LIMITED) ||
		       (p->cwnd < p->ssthresh && p->cwnd < 2 * p->most_out);

	/* RFC 3042: duplicates let new data go, in the same window */
	if (a->acked && a->delivered && limited)
		p->cc->acked(p, a->delivered, a->now);
}

/* See tcp_pcb.h. holds: p->lock */
void tcp_recover(struct tcp_pcb *p, struct tcp_ackinfo *a)
{
	u32 lost = p->lost;
	bool fast = false;

	if (!(p->flags & PF_SACK))
		count_duplicates(p, a);
	else if (p->sacked || p->ca >= CA_RECOVERY)
		tcp_rack_mark(p, a->now);
	if (p->ca >= CA_CWR && seq_ge(p->snd_una, p->high_seq)) {
		leave(p, a);
	} else if (p->ca < CA_CWR && a->dsack && p->undo_marker && !p->undo_retrans) {
		TCP_COUNT(TCPDSACKUndo); /* the last of what was sent in vain, late */
		undo(p);
	}
	if (p->ca == CA_LOSS)
		in_loss(p, a);
	else if (p->ca == CA_RECOVERY)
		in_recovery(p, a);
	if (p->ca < CA_RECOVERY) {
		if (!(p->flags & PF_SACK) && p->dupacks >= DUP_THRESH)
			mark_head_lost(p);
		if (p->lost) {
			enter_recovery(p);
			fast = true;
		} else if (p->ca != CA_CWR) {
			p->ca = p->sacked || p->reno_sacked ? CA_DISORDER : CA_OPEN;
		}
		if (a->ece && p->ca < CA_CWR && (p->flags & PF_ECN)) {
			enter_cwr(p);
			p->high_seq++; /* until what tells of it has come, echoes are old */
		}
	}
	if (p->ca == CA_CWR || p->ca == CA_RECOVERY)
		prr(p, a->delivered, a->acked && p->lost <= lost, fast);
	else
		grow(p, a);
}

/*
 * The tail probe is answered: if it was a retransmission, and nothing said that it came twice until
 * something later is acknowledged, it repaired a loss, which must be paid for (RFC 8985, 7.4.2).
 * holds: p->lock
 */
void tcp_tail_probe_answered(struct tcp_pcb *p, const struct tcp_ackinfo *a)
{
	bool again = p->flags & PF_TLP_RETRANS;

	if (!p->tlp_end || seq_lt(p->snd_una, p->tlp_end))
		return;
	if (again && !a->dsack && seq_gt(p->snd_una, p->tlp_end)) {
		if (p->ca < CA_CWR) {
			enter_cwr(p);
			TCP_COUNT(TCPLossProbeRecovery);
		}
	} else if (again && !a->dsack && !(a->dup && !a->sacked)) {
		return; /* the original, or the probe */
	}
	p->tlp_end = 0;
}
