#pragma once
/* The run queue and what the files of kernel/sched share. See sched.c for how it works. */
#include <arch/barrier.h>
#include <arch/cpu.h>
#include "kernel/base/panic.h"
#include "kernel/base/percpu.h"
#include "kernel/base/time.h"
#include "kernel/base/timeout.h"
#include "kernel/sched/sched.h"

#define RT_PRIOS 100
#define RT_MAP_DL BIT(PRIO_DL - 64) /* in rt_map[1]: .dl is not empty */
#define WEIGHT_NICE0 1024
#define WEIGHT_IDLE_POLICY 3

#define SLICE_FAIR (3 * NSEC_PER_MSEC) /* length of one request for CPU time */
#define SLICE_WAKE NSEC_PER_MSEC /* of the first after a sleep: a short one has an early deadline */
#define WAKE_GRANULARITY \
	(NSEC_PER_MSEC / 4) /* a thread keeps the CPU at least so long against its equals */
#define SAMPLE_PERIOD \
	(25 * NSEC_PER_MSEC) /* user/system sampling and balancing while a thread runs */

/*
 * R guarded by .lock (RUNQ), o owned by this CPU with interrupts off, a atomic, I immutable once
 * its CPU runs
 */
struct runq {
	struct spinlock lock;
	u32 cpu; /* I */
	/* R: runnable threads, the running one included, the idle thread not; a for reading */
	u32 nr;
	struct thread *curr; /* R */
	struct thread *idle; /* I */
	bool preempt; /* R: pick again at the next chance */
	bool skip_curr; /* R: sched_yield: prefer another */
	bool tail_work; /* R: the tail of the switch has more to do than usual */

	struct rb_root fair; /* R: queued fair threads by deadline */
	u32 nfair; /* R: nodes in it */
	u64 vbase; /* R: virtual times are summed relative to this one */
	s64 load_sum; /* R: sum of weight * (vruntime - vbase) over the tree */
	u64 load; /* R: sum of weights over the tree */

	u64 rt_map[2]; /* R: bit n: rt[n] is not empty; and RT_MAP_DL */
	struct list rt[RT_PRIOS]; /* R */
	s64 rt_samples; /* R: of the timer at which fair threads waited for real-time ones */
	s64 rt_rest_end; /* R: until then queued fair threads go first */

	struct rb_root dl; /* R: queued threads by deadline */
	struct rb_root dl_wait; /* R: servers by the time that they wait for */
	s64 dl_first; /* R: first deadline of .dl, TIME_NEVER: empty; a for reading */
	s64 dl_curr; /* R: that of the running thread, TIME_NEVER: none; a for reading */

	struct thread *handover; /* R: woken by a thread about to sleep: leave it to this CPU */
	/* o: may not run here any more; to be placed by the tail of the switch */
	struct thread *push;
	struct thread *dead; /* o: ended; to be released by the tail of the switch */

	s64 timer_at; /* o: when .timer fires, TIME_NEVER when it is not armed; a for reading */
	struct timeout timer; /* its own lock */
	u32 ticks; /* o */

	u64 switches; /* R */
	u64 forks; /* o */
	u64 user_ns, nice_ns, sys_ns, idle_ns, irq_ns; /* R */
	u64 irq_seen; /* R: of irq_time(), what has been taken off run times */
	/*
	 * R: user threads that went into uninterruptible waits here less those that came out here:
	 * a sum over the CPUs makes sense only; a for reading
	 */
	s32 nblocked;
};
PERCPU_DECLARE(struct runq, sched_runq);
extern cpumask_t sched_cpus; /* a: CPUs that run threads */

static inline struct runq *runq_this(void)
{
	return this_cpu_ptr(sched_runq);
}

static inline struct runq *runq_of(u32 cpu)
{
	return &per_cpu(sched_runq, cpu);
}

static inline bool klass_is_rt(u8 klass)
{
	return klass == SC_FIFO || klass == SC_RR;
}

static inline bool klass_is_fair(u8 klass)
{
	return klass <= SC_IDLE_POLICY;
}

/* @ns of CPU time in virtual time of weight @w, and back. */
static inline u64 virtual_of(u64 ns, u32 w)
{
	return likely(w == WEIGHT_NICE0) ? ns : ns * WEIGHT_NICE0 / w;
}

static inline s64 real_of(s64 v, u32 w)
{
	return likely(w == WEIGHT_NICE0) ? v : v * (s64)w / WEIGHT_NICE0;
}

/* sched.c. Locked functions: holds rq->lock, IRQs off. */
struct runq *sched_thread_lock(struct thread *t, u64 *irq); /* the run queue of @t; IRQs off */
void sched_thread_unlock(struct runq *rq, u64 irq);
void sched_account_locked(struct runq *rq, s64 now); /* charge the running thread up to @now */
void sched_enqueue_locked(struct runq *rq, struct thread *t); /* becomes runnable here */
void sched_dequeue_locked(struct runq *rq, struct thread *t); /* queued: no longer runnable here */
void sched_resched_locked(struct runq *rq); /* make its CPU pick again */
void sched_pass_locked(struct runq *rq); /* make it pass through the scheduler, for its tail */
/* @t was enqueued */
void sched_check_preempt_locked(struct runq *rq, struct thread *t, bool sync, s64 now);
/* runnable but on no queue: enqueue it on .cpu or where it may run */
void sched_place(struct thread *t);
void sched_runq_init(u32 cpu, struct thread *curr, struct thread *idle);

/* deadline.c; holds rq->lock but dl_balance */
void dl_effective(struct thread *t);
void dl_wake(struct runq *rq, struct thread *t, s64 now);
void dl_enqueue(struct runq *rq, struct thread *t, s64 now);
void dl_dequeue(struct runq *rq, struct thread *t);
struct thread *dl_pick(struct runq *rq); /* there is one */
void dl_run(struct runq *rq, struct thread *t, s64 now);
void dl_stop(struct runq *rq);
void dl_put_back(struct runq *rq, struct thread *t, bool yields, s64 now);
void dl_sleep(struct runq *rq, struct thread *t, s64 now);
void dl_leave(struct runq *rq, struct thread *t, s64 now);
void dl_charge(struct thread *t, u64 ns);
s64 dl_want(const struct thread *t, s64 now);
bool dl_preempts(const struct runq *rq, const struct thread *t);
s64 dl_timer(struct runq *rq, s64 now);
u32 dl_select(cpumask_t may, u32 own);
s64 dl_next(const struct runq *rq);
void dl_balance(void);

/* Admission is by CPUs, all of them: may a deadline thread not run on those of @mask only? */
static inline bool dl_confined(cpumask_t mask)
{
	return READ_ONCE(sched_rt_runtime_us) >= 0 && (READ_ONCE(sched_cpus) & ~mask);
}

/* param.c: @t, whose server was made or changed, is of SCHED_DEADLINE; holds rq->lock */
void sched_become_deadline(struct runq *rq, struct thread *t);
/* param.c: a new thread's parameters are those of @from, by the rules of fork */
void sched_inherit(struct thread *t, const struct thread *from);

/* fair.c; holds rq->lock */
void fair_weights_init(void);
u32 fair_weight(int nice);
/* @placed: it only was off for running */
void fair_enqueue(struct runq *rq, struct thread *t, bool placed);
void fair_dequeue(struct runq *rq, struct thread *t); /* out of the tree */
void fair_charge(struct thread *t, u64 ns);
/* stops being runnable: note its lag; not in the tree */
void fair_leave(struct runq *rq, struct thread *t);
struct thread *fair_pick(struct runq *rq, bool any); /* out of the tree; @any: eligible or not */
void fair_place_running(struct runq *rq, struct thread *t); /* parameters changed while it runs */
bool fair_preempts(struct runq *rq, struct thread *t, s64 now);

/* rt.c; holds rq->lock */
void rt_enqueue(struct runq *rq, struct thread *t, bool front);
void rt_dequeue(struct runq *rq, struct thread *t);
/* ran until @now and could go on; @yields: after its equals */
void rt_put_back(struct runq *rq, struct thread *t, bool yields, s64 now);
struct thread *rt_pick(struct runq *rq);
bool rt_sample(struct runq *rq, s64 now); /* at the timer; true: pick again */
bool rt_rests(const struct runq *rq, s64 now); /* fair threads go first */
/* queued of the same or higher priority */
bool rt_has_peer(const struct runq *rq, const struct thread *t);

/* balance.c */
u32 balance_select(struct runq *rq, struct thread *t, bool sync); /* where a woken thread goes */
/* take a thread from a CPU with at least @min_nr */
struct thread *balance_pull_locked(struct runq *rq, u32 min_nr);
void balance_kick(void); /* get an idle CPU to pull; no locks */

/* tick.c; IRQs off */
void tick_init(struct runq *rq);
void tick_arm(struct runq *rq, s64 at); /* no RUNQ lock held */
s64 tick_want_locked(const struct runq *rq, s64 now); /* when the running thread needs the timer */

/* thread.c */
void thread_ended(struct thread *t); /* after the switch away from it */
