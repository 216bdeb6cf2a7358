/*
 * Nice values and I/O priorities of a thread, a process group, or all of a user.
 *
 * The three kinds of target are walked by one function; each call brings what it does with a thread
 * and gets the result so far. The nice value belongs to a thread, as on Linux, not to the process
 * as POSIX has it. The I/O priority is stored, inherited and given back. It speaks to an I/O
 * scheduler; devices here have none (/sys/block/NAME/queue/scheduler), and as with Linux's "none"
 * requests are served in the order they came.
 *
 * Man pages: setpriority(2), getpriority(2), ioprio_set(2).
 */
#include <linux/ioprio.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include "kernel/sched/sched.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/sched_perm.h"
#include "kernel/sys/sys.h"

enum who { WHO_PROCESS, WHO_PGRP, WHO_USER };

/* What a call does with each thread; .result begins as -ESRCH. */
struct visit {
	void (*fn)(struct task *t, struct visit *v);
	long result;
	int value;
};

static void visit_threads(struct proc *p, u32 uid, bool by_user, struct visit *v)
{
	struct task *t;
	u32 from = 0;

	while ((t = task_next(p, from)) != NULL) {
		struct cred *c = by_user ? task_get_cred(t) : NULL;

		from = t->tid->nr + 1;
		if (!by_user || (c && c->uid == uid))
			v->fn(t, v);
		if (c)
			cred_put(c);
		task_put(t);
	}
}

static bool in_group(struct proc *p, u32 id)
{
	struct pid *mine = proc_get_pgrp(id ? p : current_proc());
	struct pid *its = proc_get_pgrp(p);
	bool yes = mine && its && (id ? its->nr == id : its == mine);

	if (mine)
		pid_put(mine);
	if (its)
		pid_put(its);
	return yes;
}

static void visit_all(enum who which, u32 id, struct visit *v)
{
	struct proc *p;
	u32 from = 0;

	while ((p = proc_next(from)) != NULL) {
		from = p->pid->nr + 1;
		if (which == WHO_USER)
			visit_threads(p, id, true, v);
		else if (in_group(p, id))
			visit_threads(p, 0, false, v);
		proc_put(p);
	}
}

/*
 * Call v->fn for every thread that @which and @id name. @id 0: the caller's own thread or group,
 * but user 0. ctx: thread
 */
static void visit(enum who which, u32 id, struct visit *v)
{
	struct task *t = current_task();

	v->result = -ESRCH;
	if (which == WHO_PROCESS) {
		if (id)
			t = task_lookup_dead(id);
		else
			task_get(t);
		if (!t)
			return;
		v->fn(t, v);
		task_put(t);
		return;
	}
	visit_all(which, id, v);
}

static void nice_set(struct task *t, struct visit *v)
{
	int policy, prio, nice;

	if (!sched_perm_user(t)) {
		v->result = -EPERM;
		return;
	}
	sched_get_policy(&t->thread, &policy, &prio, &nice);
	if (v->value < nice && !sched_perm_nice(t, v->value)) {
		v->result = -EACCES;
		return;
	}
	if (v->result == -ESRCH)
		v->result = 0;
	if (v->value != nice)
		sched_set_nice(&t->thread, v->value);
}

static void nice_get(struct task *t, struct visit *v)
{
	int policy, prio, nice;

	sched_get_policy(&t->thread, &policy, &prio, &nice);
	v->result = MAX(v->result, (long)(20 - nice));
}

/* User 0 is the caller's own here, unlike with ioprio_set. */
static u32 nice_who(u64 which, u64 who)
{
	return (s32)which == PRIO_USER && !(u32)who ? current->cred->uid : (u32)who;
}

/* setpriority(2). ctx: thread */
long sys_setpriority(u64 which, u64 who, u64 value)
{
	struct visit v = { .fn = nice_set, .value = MIN(MAX((s32)value, -20), 19) };

	if ((s32)which < PRIO_PROCESS || (s32)which > PRIO_USER)
		return -EINVAL;
	visit((enum who)which, nice_who(which, who), &v);
	return v.result;
}

/* getpriority(2): 20 - nice of the best one, so that it is never negative. ctx: thread */
long sys_getpriority(u64 which, u64 who)
{
	struct visit v = { .fn = nice_get };

	if ((s32)which < PRIO_PROCESS || (s32)which > PRIO_USER)
		return -EINVAL;
	visit((enum who)which, nice_who(which, who), &v);
	return v.result;
}

static void ioprio_set(struct task *t, struct visit *v)
{
	int err;

	if (!sched_perm_user(t)) {
		v->result = -EPERM;
		return;
	}
	err = task_set_ioprio(t, (u16)v->value);
	if (v->result == -ESRCH || err)
		v->result = err;
}

static void ioprio_get(struct task *t, struct visit *v)
{
	v->result = task_ioprio(t);
}

/* What a thread has that was given none: by its policy and nice value. */
static long ioprio_effective(struct task *t)
{
	long mine = task_ioprio(t);
	int policy, prio, nice, class = IOPRIO_CLASS_BE;

	if (IOPRIO_PRIO_CLASS(mine))
		return mine;
	sched_get_policy(&t->thread, &policy, &prio, &nice);
	if (policy == SCHED_IDLE)
		class = IOPRIO_CLASS_IDLE;
	else if (policy == SCHED_FIFO || policy == SCHED_RR || policy == SCHED_DEADLINE)
		class = IOPRIO_CLASS_RT;
	return IOPRIO_PRIO_VALUE(class, (nice + 20) / 5);
}

/* The best of several: the lowest number of the lowest class. */
static void ioprio_get_best(struct task *t, struct visit *v)
{
	long mine = ioprio_effective(t);

	v->result = v->result < 0 ? mine : MIN(v->result, mine);
}

/* See sys.h. ctx: thread */
int sys_ioprio_check(u32 ioprio)
{
	switch (IOPRIO_PRIO_CLASS(ioprio)) {
	case IOPRIO_CLASS_RT:
		if (!sys_capable(CAP_SYS_ADMIN) && !sys_capable(CAP_SYS_NICE))
			return -EPERM;
		/* fallthrough */
	case IOPRIO_CLASS_BE:
	case IOPRIO_CLASS_IDLE: return 0;
	case IOPRIO_CLASS_NONE: return ioprio % IOPRIO_NR_LEVELS ? -EINVAL : 0;
	default: return -EINVAL;
	}
}

/* ioprio_set(2). ctx: thread */
long sys_ioprio_set(u64 which, u64 who, u64 ioprio)
{
	struct visit v = { .fn = ioprio_set, .value = (s32)ioprio };
	int err = sys_ioprio_check((u32)ioprio);

	if (err)
		return err;
	if ((s32)which < IOPRIO_WHO_PROCESS || (s32)which > IOPRIO_WHO_USER)
		return -EINVAL;
	visit((enum who)((s32)which - IOPRIO_WHO_PROCESS), (u32)who, &v);
	return v.result;
}

/* ioprio_get(2). ctx: thread */
long sys_ioprio_get(u64 which, u64 who)
{
	struct visit v = { .fn = (s32)which == IOPRIO_WHO_PROCESS ? ioprio_get : ioprio_get_best };

	if ((s32)which < IOPRIO_WHO_PROCESS || (s32)which > IOPRIO_WHO_USER)
		return -EINVAL;
	visit((enum who)((s32)which - IOPRIO_WHO_PROCESS), (u32)who, &v);
	return v.result;
}
