/*
 * SO_MAX_PACING_RATE: no more than so many bytes in a second, evenly.
 *
 * Each piece that leaves moves the time from which the next may leave by what its bytes take at the
 * rate; what is due earlier waits for the connection's timer. Pieces are kept small, about a
 * millisecond's worth, so that what is even is so on the wire too. Time in which nothing was sent
 * is not made up for. What timers send (a retransmission timeout's first segment, probes)
 * does not wait, but is counted. Headers are not.
 *
 * socket(7), tcp(7).
 */
#include <linux/errno.h>
#include "kernel/base/errno.h"
#include "mm/slab.h"
#include "net/tcp/tcp_pcb.h"

/* See tcp_pcb.h. */
bool tcp_pace_slow(struct tcp_pcb *p, s64 now)
{
	if (p->extra->next <= now)
		return true;
	tcp_timer_pace(p, p->extra->next);
	return false;
}

/* See tcp_pcb.h. Whole segments, two at least. */
u32 tcp_pace_burst(const struct tcp_pcb *p, u32 n)
{
	u64 most = MAX(p->extra->rate >> 10, 2ull * p->mss);

	return (u32)MIN((u64)n, most / p->mss * p->mss);
}

/* See tcp_pcb.h. */
void tcp_pace_sent(struct tcp_pcb *p, u32 n, s64 now)
{
	struct tcp_extra *x = p->extra;

	if (x->rate != ~0ull)
		x->next = MAX(x->next, now) + (s64)(n * (u64)SEC / MAX(x->rate, 1ull));
}

/* See tcp_pcb.h. */
struct tcp_extra *tcp_extra(struct tcp_pcb *p)
{
	struct tcp_extra *x = load_acquire(&p->extra), *none = NULL;

	if (x)
		return x;
	x = kzalloc(sizeof(*x), PMM_NOWAIT);
	if (!x)
		return NULL;
	x->rate = ~0ull;
	x->deadline = TIME_NEVER;
	if (__atomic_compare_exchange_n(&p->extra, &none, x, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return x;
	kfree(x);
	return none;
}

/* See net/tcp.h. ctx: thread */
int tcp_set_pacing(struct tcp_pcb *p, u64 rate)
{
	if (rate != ~0ull && !tcp_extra(p))
		return -ENOMEM;
	tcp_lock(p);
	if (p->extra) {
		p->extra->rate = rate ? rate : ~0ull; /* none at all: as on Linux no limit */
		p->extra->next = 0;
		tcp_output(p, time_now());
	}
	tcp_unlock(p);
	return 0;
}
