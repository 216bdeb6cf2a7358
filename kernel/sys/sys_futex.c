/*
 * System calls on futexes and robust lists, rseq and membarrier.
 *
 * futex(2) reads its fourth argument as a timeout or as a count, by operation; relative timeouts
 * become absolute times here.
 */
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <arch/barrier.h>
#include <arch/cpu.h>
#include "kernel/proc/futex.h"
#include "kernel/proc/rseq.h"
#include "kernel/sys/abi.h"
#include "mm/slab.h"

static bool op_has_timeout(int cmd)
{
	return cmd == FUTEX_WAIT || cmd == FUTEX_WAIT_BITSET || cmd == FUTEX_LOCK_PI ||
	       cmd == FUTEX_LOCK_PI2 || cmd == FUTEX_WAIT_REQUEUE_PI;
}

/* The deadline of an operation. FUTEX_WAIT's is relative, LOCK_PI's by the wall clock. */
static int read_deadline(u64 utime, int op, struct futex_deadline *out)
{
	int cmd = op & FUTEX_CMD_MASK;
	struct __kernel_timespec ts;
	s64 ns;

	if (get_user(&ts, utime))
		return -EFAULT;
	if (!sys_timespec_ns(&ts, &ns))
		return -EINVAL;
	out->wall = (op & FUTEX_CLOCK_REALTIME) || cmd == FUTEX_LOCK_PI;
	out->at = cmd == FUTEX_WAIT ? sys_deadline(ns) : ns;
	return 0;
}

/* futex(2) */
long sys_futex(u64 uaddr, u64 op, u64 val, u64 utime, u64 uaddr2, u64 val3)
{
	struct futex_args a = {
		.uaddr = uaddr,
		.uaddr2 = uaddr2,
		.op = (int)op,
		.val = (u32)val,
		.val2 = (u32)utime,
		.val3 = (u32)val3,
		.deadline = { TIME_NEVER, false },
	};
	int cmd = (int)op & FUTEX_CMD_MASK, err;

	if (utime && op_has_timeout(cmd)) {
		err = read_deadline(utime, (int)op, &a.deadline);
		if (err)
			return err;
	}
	if (((int)op & FUTEX_CLOCK_REALTIME) && cmd != FUTEX_WAIT_BITSET &&
	    cmd != FUTEX_WAIT_REQUEUE_PI && cmd != FUTEX_LOCK_PI2)
		return -ENOSYS;
	return futex_call(&a);
}

/* One element of futex_waitv's vector. */
static int waitv_read(u64 uwaiter, struct futex_wait_word *out)
{
	struct futex_waitv v;

	if (copy_from_user(&v, uwaiter, sizeof(v)))
		return -EFAULT;
	if ((v.flags & ~(u32)(FUTEX_32 | FUTEX_PRIVATE_FLAG)) || v.__reserved ||
	    !(v.flags & FUTEX_32))
		return -EINVAL;
	out->uaddr = v.uaddr;
	out->val = (u32)v.val;
	out->private = v.flags & FUTEX_PRIVATE_FLAG;
	return 0;
}

/* futex_waitv(2) */
long sys_futex_waitv(u64 uwaiters, u64 n, u64 flags, u64 utime, u64 clock)
{
	struct futex_deadline until = { TIME_NEVER, (int)clock == CLOCK_REALTIME };
	struct futex_wait_word *words;
	struct __kernel_timespec ts;
	long r = 0;

	if ((u32)flags || !(u32)n || (u32)n > FUTEX_WAITV_MAX || !uwaiters)
		return -EINVAL;
	if (utime) {
		if ((int)clock != CLOCK_REALTIME && (int)clock != CLOCK_MONOTONIC)
			return -EINVAL;
		if (get_user(&ts, utime))
			return -EFAULT;
		if (!sys_timespec_ns(&ts, &until.at))
			return -EINVAL;
	}
	words = kcalloc((u32)n, sizeof(*words), 0);
	if (!words)
		return -ENOMEM;
	for (u32 i = 0; i < (u32)n && !r; i++)
		r = waitv_read(uwaiters + i * sizeof(struct futex_waitv), &words[i]);
	if (!r)
		r = futex_wait_any(words, (u32)n, &until);
	kfree(words);
	return r;
}

/* set_robust_list(2) */
long sys_set_robust_list(u64 head, u64 len)
{
	if (len != sizeof(struct robust_list_head))
		return -EINVAL;
	current_task()->robust_list = head;
	return 0;
}

/* get_robust_list(2) */
long sys_get_robust_list(u64 pid, u64 uhead, u64 ulen)
{
	struct task *t = current_task();
	u64 head;
	int err = 0;

	if ((u32)pid) {
		t = task_lookup_dead((u32)pid);
		if (!t)
			return -ESRCH;
		err = proc_may_access(t, ACCESS_READ | ACCESS_REAL_IDS);
	}
	head = t->robust_list;
	if ((u32)pid)
		task_put(t);
	if (err)
		return err;
	if (put_user(ulen, (u64)sizeof(struct robust_list_head)))
		return -EFAULT;
	return put_user(uhead, head);
}

/* rseq(2) */
long sys_rseq(u64 area, u64 len, u64 flags, u64 sig)
{
	return rseq_register(area, (u32)len, (int)flags, (u32)sig);
}

/* The thread that was interrupted begins its restartable sequence again. */
static void restart_here(void *arg)
{
	smp_mb();
	if (arch_current()->work & WORK_RSEQ)
		word_or(&arch_current()->work, WORK_RSEQ_EVENT);
}

static void membarrier_cpus(cpumask_t mask, void (*fn)(void *))
{
	smp_mb();
	smp_call(mask, fn, NULL);
	smp_mb();
}

/* The CPUs that run current's program, or only @cpu, if it does. */
static cpumask_t membarrier_own_cpus(u64 flags, u64 cpu)
{
	cpumask_t mask = READ_ONCE(current->vm->pmap.active);

	if (!(flags & MEMBARRIER_CMD_FLAG_CPU))
		return mask;
	return (int)cpu >= 0 && cpu < MAX_CPUS ? mask & BIT(cpu) : 0;
}

#define MEMBARRIER_SUPPORTED                                                                      \
	(MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED |                                \
	 MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED |            \
	 MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE | \
	 MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE |                                    \
	 MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ)

/*
 * membarrier(2). An interrupt's return synchronises the instruction stream, so SYNC_CORE needs no
 * more than the call.
 */
long sys_membarrier(u64 cmd, u64 flags, u64 cpu)
{
	struct proc *p = current_proc();

	if ((u32)flags && ((int)cmd != MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ ||
			   (u32)flags != MEMBARRIER_CMD_FLAG_CPU))
		return -EINVAL;
	switch ((int)cmd) {
	case MEMBARRIER_CMD_QUERY: return MEMBARRIER_SUPPORTED;
	case MEMBARRIER_CMD_GLOBAL:
	case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
		membarrier_cpus(READ_ONCE(cpu_online_mask), smp_mb_here);
		return 0;
	case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED: return 0;
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ:
		word_or(&p->membarrier, (u32)cmd >> 1);
		return 0;
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ:
		if (!(READ_ONCE(p->membarrier) & (u32)cmd))
			return -EPERM;
		membarrier_cpus(membarrier_own_cpus(flags, cpu),
				(int)cmd == MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ ? restart_here
										  : smp_mb_here);
		return 0;
	default: return -EINVAL;
	}
}
