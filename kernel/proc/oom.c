/*
 * When memory is gone: kill the process that gives most of it back.
 *
 * mm calls oom_kill when reclaim found nothing. The score is the resident memory in thousandths of
 * all memory plus oom_score_adj (-1000: never; init is never chosen). While a victim is still on
 * its way out, no other is chosen: the caller tries again. One line in the log says who and why.
 */
#include "kernel/base/log.h"
#include "kernel/proc/internal.h"
#include "kernel/sched/sched.h"
#include "mm/pmm.h"

#define OOM_ADJ_NEVER (-1000)
#define OOM_WAIT (50 * NSEC_PER_MSEC)
#define OOM_PATIENCE (2 * NSEC_PER_SEC)

static struct pid *oom_victim; /* T: killed and perhaps still there */
static s64 oom_since; /* T: when */

/* Frames of @p; 0 when it has no memory of its own any more. */
static u64 proc_rss(struct proc *p)
{
	struct task *t = proc_get_leader(p);
	struct vmspace *vm;
	u64 rss = 0;

	if (!t)
		return 0;
	vm = task_get_vm(t);
	if (vm) {
		rss = atomic_read(&vm->rss_anon) + atomic_read(&vm->rss_file) +
		      atomic_read(&vm->rss_shmem);
		vmspace_put(vm);
	}
	task_put(t);
	return rss;
}

/*
 * How much @p deserves to be killed: thousandths of memory plus its adjustment; 0: not at all. ctx:
 * thread.
 */
s64 oom_score(struct proc *p)
{
	struct pmm_stats mem;
	int adj = READ_ONCE(p->oom_score_adj);
	u64 rss = proc_rss(p);
	s64 score;

	if (p->unkillable || adj == OOM_ADJ_NEVER || !rss)
		return 0;
	pmm_get_stats(&mem);
	score = (s64)(rss * 1000 / MAX(mem.total, (u64)1)) + adj;
	return MAX(score, 1);
}

/* The process with the highest score, with a reference. */
static struct proc *oom_choose(u64 *rss)
{
	struct proc *p, *best = NULL;
	s64 best_score = 0;

	for (p = proc_next(1); p;) {
		u32 next = p->pid->nr + 1;
		s64 score = oom_score(p);
		u64 size = proc_rss(p);

		if (score > best_score || (score && score == best_score && size > *rss)) {
			if (best)
				proc_put(best);
			best = proc_get(p);
			best_score = score;
			*rss = size;
		}
		proc_put(p);
		p = proc_next(next);
	}
	return best;
}

/* Is the last victim still on its way out? */
static bool oom_victim_pending(void)
{
	struct pid *gone = NULL;
	bool pending = false;

	proc_tree_lock();
	if (oom_victim) {
		struct proc *p = oom_victim->proc;

		pending = p && p->state == PROC_ALIVE && time_now() - oom_since < OOM_PATIENCE;
		if (!pending) {
			gone = oom_victim;
			oom_victim = NULL;
		}
	}
	proc_tree_unlock();
	if (gone)
		pid_put(gone);
	return pending;
}

/*
 * Memory for a block of 2^@order frames cannot be had: make some. ctx: thread; sleeps.
 * True: somebody dies or is dying, try again.
 */
static bool oom_kill(u32 order)
{
	struct proc *p;
	char name[16];
	u64 rss = 0;

	if (current->user && signal_fatal_pending())
		return false;
	if (oom_victim_pending()) {
		sched_sleep_until(time_now() + OOM_WAIT);
		return true;
	}
	p = oom_choose(&rss);
	if (!p)
		return false;
	proc_get_name(p, name);
	log_crit("out of memory (order %u): killed %s[%u], %llu KiB resident, oom_score_adj %d",
		 order, name, p->pid->nr, (unsigned long long)rss * (PAGE_SIZE / 1024),
		 READ_ONCE(p->oom_score_adj));
	proc_tree_lock();
	if (!oom_victim) {
		oom_victim = pid_get(p->pid);
		oom_since = time_now();
	}
	proc_tree_unlock();
	signal_send_proc(p, SIGKILL, NULL);
	proc_put(p);
	return true;
}

/*
 * Boot. ctx: boot.
 */
void oom_init(void)
{
	pmm_set_oom_handler(oom_kill);
}
