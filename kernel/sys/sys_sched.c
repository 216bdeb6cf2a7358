/*
 * System calls on scheduling policy, real-time priority and CPU affinity of one thread.
 *
 * A pid of 0 is the caller. Reading is free; changing needs the same user or CAP_SYS_NICE, and what
 * a limit (RLIMIT_NICE, RLIMIT_RTPRIO) does not cover needs the capability too. The rules are
 * checked here; the scheduler does as told, and says whether SCHED_DEADLINE has room. Utilisation
 * clamps are not there: EOPNOTSUPP, as Linux built without them answers.
 *
 * Man pages: sched(7), sched_setscheduler(2), sched_setattr(2), sched_setaffinity(2),
 * sched_rr_get_interval(2).
 */
#include <asm/resource.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <arch/cpu.h>
#include "fs/procfs.h"
#include "kernel/proc/timers.h"
#include "kernel/sched/sched.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/sched_perm.h"

/* struct sched_param of sched(7): the kernel's headers left it to the C library in Linux 6.6. */
struct user_sched_param {
	int sched_priority;
};

#define RT_PRIO_MAX 99
#define DL_RUNTIME_MIN 1024 /* ns */

static int dl_period_min_us = 100, dl_period_max_us = 1 << 22; /* a */

SYSCTL_INT(sched_dl_min, "sys/kernel/sched_deadline_period_min_us", &dl_period_min_us, 0,
	   0x7fffffff);
SYSCTL_INT(sched_dl_max, "sys/kernel/sched_deadline_period_max_us", &dl_period_max_us, 0,
	   0x7fffffff);

static const struct sysctl_int rt_period = { .value = &sched_rt_period_us,
					     .min = 1,
					     .max = 0x7fffffff };
static const struct sysctl_int rt_runtime = { .value = &sched_rt_runtime_us,
					      .min = -1,
					      .max = 0x7fffffff };

/* Both are judged together, and by what was given to SCHED_DEADLINE. */
static ssize_t rt_limit_write(const char *text, size_t n, void *arg)
{
	struct sysctl_int s = *(const struct sysctl_int *)arg;
	bool period = s.value == &sched_rt_period_us;
	int v, err;

	s.value = &v;
	err = (int)sysctl_int_write(text, n, &s);
	if (err >= 0)
		err = sched_set_rt_limits(period ? v : READ_ONCE(sched_rt_period_us),
					  period ? READ_ONCE(sched_rt_runtime_us) : v);
	return err < 0 ? err : (ssize_t)n;
}

PROC_FILE(rt_period, "sys/kernel/sched_rt_period_us", 0644, .show = sysctl_int_show,
	  .write = rt_limit_write, .arg = (void *)&rt_period);
PROC_FILE(rt_runtime, "sys/kernel/sched_rt_runtime_us", 0644, .show = sysctl_int_show,
	  .write = rt_limit_write, .arg = (void *)&rt_runtime);

static const struct sysctl_int rr_slice = { .value = &sched_rr_slice_ms,
					    .min = -0x7fffffff - 1,
					    .max = 0x7fffffff };

/* What is no time means the usual one. */
static ssize_t rr_slice_write(const char *text, size_t n, void *arg)
{
	struct sysctl_int s = rr_slice;
	int v;

	s.value = &v;
	if (sysctl_int_write(text, n, &s) < 0)
		return -EINVAL;
	WRITE_ONCE(sched_rr_slice_ms, v > 0 ? v : SCHED_RR_SLICE_MS);
	return (ssize_t)n;
}
PROC_FILE(rr_slice, "sys/kernel/sched_rr_timeslice_ms", 0644, .show = sysctl_int_show,
	  .write = rr_slice_write, .arg = (void *)&rr_slice);

struct params {
	int policy, rt_prio, nice;
	bool reset_on_fork;
	struct sched_dl dl; /* of SCHED_DEADLINE */
};

/* The thread that @pid names, with a reference. 0, -EINVAL or -ESRCH. */
static int thread_by_pid(u64 pid, struct task **out)
{
	if ((s32)pid < 0)
		return -EINVAL;
	if ((u32)pid == 0) {
		*out = current_task();
		task_get(*out);
		return 0;
	}
	*out = task_lookup_dead((u32)pid);
	return *out ? 0 : -ESRCH;
}

/*
 * May the caller schedule @t at all: same user, or CAP_SYS_NICE?
 * ctx: thread
 */
bool sched_perm_user(struct task *t)
{
	u32 euid = current->cred->euid;
	struct cred *c;
	bool ok;

	if (sys_capable(CAP_SYS_NICE))
		return true;
	c = task_get_cred(t);
	if (!c)
		return false;
	ok = euid == c->euid || euid == c->uid;
	cred_put(c);
	return ok;
}

/*
 * May @t be given @nice, when that is a better value than it has?
 * ctx: thread
 */
bool sched_perm_nice(struct task *t, int nice)
{
	u64 limit = READ_ONCE(t->proc->rlim[RLIMIT_NICE].rlim_cur);

	return (u64)(20 - nice) <= limit || sys_capable(CAP_SYS_NICE);
}

static bool policy_is_rt(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

/*
 * Is @policy one of those whose timers have no slack?
 * ctx: any
 */
bool sched_is_realtime(int policy)
{
	return policy_is_rt(policy) || policy == SCHED_DEADLINE;
}

static void params_get(struct thread *t, struct params *p)
{
	s64 left, until;

	sched_get_policy(t, &p->policy, &p->rt_prio, &p->nice);
	p->reset_on_fork = sched_get_reset_on_fork(t);
	memset(&p->dl, 0, sizeof(p->dl));
	if (p->policy == SCHED_DEADLINE)
		(void)sched_get_deadline(t, &p->dl, &left, &until);
}

/* Those of the thread that @pid names. 0, -EINVAL, -ESRCH. */
static int params_of(u64 pid, struct params *p)
{
	struct task *t;
	int err = thread_by_pid(pid, &t);

	if (err)
		return err;
	params_get(&t->thread, p);
	task_put(t);
	return 0;
}

/* Without CAP_SYS_NICE: is the change from @old to @new within the limits? */
static bool change_allowed(struct task *t, const struct params *old, const struct params *new)
{
	u64 rt_limit = READ_ONCE(t->proc->rlim[RLIMIT_RTPRIO].rlim_cur);

	if (policy_is_rt(new->policy)) {
		if (new->policy != old->policy && !rt_limit)
			return false;
		if (new->rt_prio > old->rt_prio && (u64) new->rt_prio > rt_limit)
			return false;
	} else if (new->policy == SCHED_DEADLINE ||
		   (new->nice < old->nice && !sched_perm_nice(t, new->nice))) {
		return false;
	}
	if (old->policy == SCHED_IDLE && new->policy != SCHED_IDLE &&
	    !sched_perm_nice(t, old->nice))
		return false;
	return sched_perm_user(t) && (new->reset_on_fork || !old->reset_on_fork);
}

/* The signs are for times to come, which are added to. */
static int deadline_check(const struct sched_dl *d)
{
	u64 min = (u64)READ_ONCE(dl_period_min_us) * NSEC_PER_USEC;
	u64 max = (u64)READ_ONCE(dl_period_max_us) * NSEC_PER_USEC;

	if (d->runtime < DL_RUNTIME_MIN || d->runtime > d->deadline || d->deadline > d->period ||
	    (s64)d->period < 0 || d->period < min || d->period > max)
		return -EINVAL;
	return 0;
}

static int params_check(const struct params *p)
{
	switch (p->policy) {
	case SCHED_FIFO:
	case SCHED_RR: return p->rt_prio >= 1 && p->rt_prio <= RT_PRIO_MAX ? 0 : -EINVAL;
	case SCHED_NORMAL:
	case SCHED_BATCH:
	case SCHED_IDLE: return p->rt_prio == 0 ? 0 : -EINVAL;
	case SCHED_DEADLINE: return p->rt_prio == 0 ? deadline_check(&p->dl) : -EINVAL;
	default: return -EINVAL;
	}
}

static int params_may_set(struct task *t, const struct params *p)
{
	struct params old;
	int err = params_check(p);

	if (err)
		return err;
	params_get(&t->thread, &old);
	return sys_capable(CAP_SYS_NICE) || change_allowed(t, &old, p) ? 0 : -EPERM;
}

/* What follows from @was, the policy before, is to hold: -EAGAIN if it is another by now. */
static long params_set(struct task *t, const struct params *p, int was)
{
	int err = params_may_set(t, p);

	if (err)
		return err;
	if (p->policy == SCHED_DEADLINE)
		err = sched_set_deadline(&t->thread, &p->dl);
	else
		err = sched_swap_policy(&t->thread, was, p->policy, p->rt_prio, p->nice);
	if (err)
		return err;
	sched_set_reset_on_fork(&t->thread, p->reset_on_fork);
	t->timer_slack = sched_is_realtime(p->policy) ? 0 : t->timer_slack ?: t->default_slack;
	futex_prio_changed(t);
	cpu_timers_rearm(t->proc); /* RLIMIT_RTTIME */
	return err;
}

/* @policy < 0: keep what the thread has. */
static long set_priority(struct task *t, s32 policy, int prio)
{
	struct params p;
	int was;

	params_get(&t->thread, &p);
	was = p.policy;
	if (policy >= 0) {
		p.reset_on_fork = policy & SCHED_RESET_ON_FORK;
		p.policy = policy & ~SCHED_RESET_ON_FORK;
	}
	p.rt_prio = prio;
	memset(&p.dl, 0, sizeof(p.dl)); /* cannot be said here */
	return params_set(t, &p, was);
}

static long set_scheduler(u64 pid, s32 policy, u64 uparam)
{
	struct user_sched_param param;
	struct task *t;
	long err;

	if (!uparam || (s32)pid < 0)
		return -EINVAL;
	if (copy_from_user(&param, uparam, sizeof(param)))
		return -EFAULT;
	err = thread_by_pid(pid, &t);
	if (err)
		return err;
	do
		err = set_priority(t, policy, param.sched_priority);
	while (err == -EAGAIN);
	task_put(t);
	return err;
}

/* sched_setscheduler(2). ctx: thread */
long sys_sched_setscheduler(u64 pid, u64 policy, u64 uparam)
{
	return (s32)policy < 0 ? -EINVAL : set_scheduler(pid, (s32)policy, uparam);
}

/* sched_setparam(2). ctx: thread */
long sys_sched_setparam(u64 pid, u64 uparam)
{
	return set_scheduler(pid, -1, uparam);
}

/* sched_getscheduler(2). ctx: thread */
long sys_sched_getscheduler(u64 pid)
{
	struct params p;
	int err = params_of(pid, &p);

	if (err)
		return err;
	return p.policy | (p.reset_on_fork ? SCHED_RESET_ON_FORK : 0);
}

/* sched_getparam(2). ctx: thread */
long sys_sched_getparam(u64 pid, u64 uparam)
{
	struct user_sched_param param;
	struct params p;
	int err = uparam ? params_of(pid, &p) : -EINVAL;

	if (err)
		return err;
	param.sched_priority = p.rt_prio;
	return copy_to_user(uparam, &param, sizeof(param));
}

/*
 * A struct sched_attr of the size the caller says; what lies behind ours must be zero. 0, -E2BIG,
 * -EFAULT.
 */
static int attr_copy_in(u64 uattr, struct sched_attr *a)
{
	u32 size;
	u8 more;

	memset(a, 0, sizeof(*a));
	if (get_user(&size, uattr))
		return -EFAULT;
	if (!size)
		size = SCHED_ATTR_SIZE_VER0;
	if (size < SCHED_ATTR_SIZE_VER0 || size > PAGE_SIZE)
		goto bad_size;
	if (copy_from_user(a, uattr, MIN((size_t)size, sizeof(*a))))
		return -EFAULT;
	for (u32 at = sizeof(*a); at < size; at++) {
		if (get_user(&more, uattr + at))
			return -EFAULT;
		if (more)
			goto bad_size;
	}
	a->size = size;
	return 0;

bad_size:
	size = sizeof(*a);
	return put_user(uattr, size) ? -EFAULT : -E2BIG;
}

/* The fields that @p's policy has, as they are. */
static void attr_fill(struct sched_attr *a, const struct params *p)
{
	if (p->policy == SCHED_DEADLINE) {
		a->sched_flags = (a->sched_flags & ~(u64)SCHED_DL_FLAGS) | p->dl.flags;
		a->sched_runtime = p->dl.runtime;
		a->sched_deadline = p->dl.deadline;
		a->sched_period = p->dl.period;
	} else if (policy_is_rt(p->policy)) {
		a->sched_priority = (u32)p->rt_prio;
	} else {
		a->sched_nice = p->nice;
	}
}

static void attr_apply(struct params *p, const struct sched_attr *a)
{
	if (!(a->sched_flags & SCHED_FLAG_KEEP_POLICY)) {
		p->reset_on_fork = a->sched_flags & SCHED_FLAG_RESET_ON_FORK;
		p->policy = (int)a->sched_policy;
	}
	p->rt_prio = (int)MIN(a->sched_priority, (u32)RT_PRIO_MAX + 1);
	p->dl = (struct sched_dl){ a->sched_runtime, a->sched_deadline,
				   a->sched_period ? a->sched_period : a->sched_deadline,
				   a->sched_flags & SCHED_DL_FLAGS };
	if (!policy_is_rt(p->policy) && p->policy != SCHED_DEADLINE)
		p->nice = MIN(MAX(a->sched_nice, -20), 19);
}

static long set_attr(struct task *t, struct sched_attr a)
{
	struct params p;
	long err;
	int was;

	params_get(&t->thread, &p);
	was = p.policy;
	if (a.sched_flags & SCHED_FLAG_KEEP_PARAMS)
		attr_fill(&a, &p);
	attr_apply(&p, &a);
	err = a.sched_flags & ~(u64)SCHED_FLAG_ALL ? -EINVAL : params_may_set(t, &p);
	if (!err && (a.sched_flags & SCHED_FLAG_UTIL_CLAMP))
		err = -EOPNOTSUPP;
	return err ? err : params_set(t, &p, was);
}

/* sched_setattr(2). ctx: thread */
long sys_sched_setattr(u64 pid, u64 uattr, u64 flags)
{
	struct sched_attr a;
	struct task *t;
	long err;

	if (!uattr || (s32)pid < 0 || (u32)flags)
		return -EINVAL;
	err = attr_copy_in(uattr, &a);
	if (err)
		return err;
	if ((s32)a.sched_policy < 0 ||
	    ((a.sched_flags & SCHED_FLAG_UTIL_CLAMP) && a.size < SCHED_ATTR_SIZE_VER1))
		return -EINVAL;
	err = thread_by_pid(pid, &t);
	if (err)
		return err;
	do
		err = set_attr(t, a);
	while (err == -EAGAIN);
	task_put(t);
	return err;
}

/* sched_getattr(2). ctx: thread */
long sys_sched_getattr(u64 pid, u64 uattr, u64 usize, u64 flags)
{
	struct sched_attr a = { 0 };
	struct params p;
	int err;

	if (!uattr || (u32)usize > PAGE_SIZE || (u32)usize < SCHED_ATTR_SIZE_VER0 || (u32)flags)
		return -EINVAL;
	err = params_of(pid, &p);
	if (err)
		return err;
	a.size = MIN((u32)usize, (u32)sizeof(a));
	a.sched_policy = (u32)p.policy;
	a.sched_flags = p.reset_on_fork ? SCHED_FLAG_RESET_ON_FORK : 0;
	attr_fill(&a, &p);
	return copy_to_user(uattr, &a, a.size);
}

/* sched_setaffinity(2). ctx: thread */
long sys_sched_setaffinity(u64 pid, u64 len, u64 umask)
{
	cpumask_t mask = 0;
	struct task *t;
	int err;

	if (copy_from_user(&mask, umask, MIN((size_t)(u32)len, sizeof(mask))))
		return -EFAULT;
	err = thread_by_pid(pid, &t);
	if (err)
		return (s32)pid < 0 ? -ESRCH : err;
	err = sched_perm_user(t) ? sched_set_affinity(&t->thread, mask) : -EPERM;
	task_put(t);
	return err;
}

/* sched_getaffinity(2): the bytes written. ctx: thread */
long sys_sched_getaffinity(u64 pid, u64 len, u64 umask)
{
	cpumask_t mask;
	struct task *t;
	int err;

	if ((u32)len * 8 < cpu_count || ((u32)len & (sizeof(u64) - 1)))
		return -EINVAL;
	err = thread_by_pid(pid, &t);
	if (err)
		return (s32)pid < 0 ? -ESRCH : err;
	mask = READ_ONCE(t->thread.affinity) & cpu_online_mask;
	task_put(t);
	return copy_to_user(umask, &mask, sizeof(mask)) ? -EFAULT : (long)sizeof(mask);
}

/* sched_yield(2). ctx: thread; sleeps */
long sys_sched_yield(void)
{
	sched_yield();
	return 0;
}

static long priority_limit(u64 policy, long rt)
{
	switch ((s32)policy) {
	case SCHED_FIFO:
	case SCHED_RR: return rt;
	case SCHED_NORMAL:
	case SCHED_BATCH:
	case SCHED_IDLE:
	case SCHED_DEADLINE: return 0;
	default: return -EINVAL;
	}
}

/* sched_get_priority_max(2). ctx: thread */
long sys_sched_get_priority_max(u64 policy)
{
	return priority_limit(policy, RT_PRIO_MAX);
}

/* sched_get_priority_min(2). ctx: thread */
long sys_sched_get_priority_min(u64 policy)
{
	return priority_limit(policy, 1);
}

/* sched_rr_get_interval(2). ctx: thread */
long sys_sched_rr_get_interval(u64 pid, u64 utime)
{
	struct __kernel_timespec ts;
	struct task *t;
	int err = thread_by_pid(pid, &t);

	if (err)
		return err;
	ts = sys_ns_timespec(sched_rr_interval(&t->thread));
	task_put(t);
	return copy_to_user(utime, &ts, sizeof(ts));
}
