/*
 * Restartable sequences, rseq(2): short stretches of user code that are run to their end on one CPU
 * or begun again.
 *
 * A thread registers an area of its memory (struct rseq). The kernel keeps the number of the CPU
 * that the thread runs on in it, and looks there, whenever the thread was off its CPU or takes a
 * signal, for the description of the section it is in (struct rseq_cs): if its program counter lies
 * in that section, it goes on at the section's abort address. The word before that address must be
 * the signature given at registration, so that nobody makes a jump out of a section's description.
 *
 * What costs is paid by registered threads only, and not by system calls: a thread that registered
 * has WORK_RSEQ in its work word; the scheduler, when it gives such a thread the CPU, adds
 * WORK_RSEQ_EVENT, which keeps the thread from returning to user mode before rseq_update() has run.
 * The bit is taken away before the work is done, so a page fault on the way, in which the thread
 * may change its CPU, has it done again.
 *
 * An area or section that cannot be read, or says what is not allowed, is the program's end
 * (SIGSEGV): there is no other way to tell it. The fields are the task's own (o).
 */
#include <linux/errno.h>
#include <linux/rseq.h>
#include <arch/cpu.h>
#include <arch/frame.h>
#include <arch/memlayout.h>
#include "kernel/base/log.h"
#include "kernel/base/uio.h"
#include "kernel/lib/string.h"
#include "kernel/proc/internal.h"
#include "kernel/proc/rseq.h"

static u64 field(const struct task *t, size_t offset)
{
	return t->rseq + offset;
}

static int store_cpu(const struct task *t, u32 start, u32 cpu)
{
	if (put_user(field(t, offsetof(struct rseq, cpu_id_start)), start) ||
	    put_user(field(t, offsetof(struct rseq, cpu_id)), cpu))
		return -EFAULT;
	return 0;
}

static int forget_section(const struct task *t)
{
	return put_user(field(t, offsetof(struct rseq, rseq_cs)), (u64)0);
}

/* The section that the area names is one that can be aborted. 0, -EFAULT, -EINVAL */
static int section_check(const struct task *t, const struct rseq_cs *cs)
{
	u32 sig;

	if (cs->start_ip >= USER_TOP || cs->abort_ip >= USER_TOP || cs->version ||
	    cs->start_ip + cs->post_commit_offset >= USER_TOP ||
	    cs->start_ip + cs->post_commit_offset < cs->start_ip ||
	    cs->abort_ip - cs->start_ip < cs->post_commit_offset)
		return -EINVAL;
	if (get_user(&sig, cs->abort_ip - sizeof(sig)))
		return -EFAULT;
	if (sig == t->rseq_sig)
		return 0;
	log_limited(LOG_WARN, "%s[%u]: rseq signature %#x before %#llx, %#x expected",
		    t->thread.name, t->tid->nr, sig, (unsigned long long)cs->abort_ip, t->rseq_sig);
	return -EINVAL;
}

/* Those that once switched restarts off are refused, like all others. */
static int flags_check(const struct task *t, const struct rseq_cs *cs)
{
	u32 flags;

	if (get_user(&flags, field(t, offsetof(struct rseq, flags))))
		return -EFAULT;
	return flags || cs->flags ? -EINVAL : 0;
}

/* If @tf is inside the section that the area names, it goes on at its abort address. */
static int section_abort(const struct task *t, struct trapframe *tf)
{
	struct rseq_cs cs;
	u64 at;
	int err;

	if (get_user(&at, field(t, offsetof(struct rseq, rseq_cs))))
		return -EFAULT;
	if (!at)
		return 0;
	if (copy_from_user(&cs, at, sizeof(cs)))
		return -EFAULT;
	err = section_check(t, &cs);
	if (err)
		return err;
	if (tf->pc - cs.start_ip >= cs.post_commit_offset)
		return forget_section(t);
	err = flags_check(t, &cs);
	if (!err)
		err = forget_section(t);
	if (!err)
		tf->pc = cs.abort_ip;
	return err;
}

/*
 * Bring current's area up to date and abort the section it is in: it was off the CPU, or @tf is
 * about to go into a signal frame. ctx: thread, on the way to user mode; sleeps. 0, or the area is
 * no good: -EFAULT, -EINVAL.
 */
int rseq_update(struct trapframe *tf)
{
	struct task *t = current_task();
	u32 cpu;
	int err;

	word_and(&t->thread.arch.work, ~WORK_RSEQ_EVENT);
	if (!t->rseq)
		return 0;
	err = section_abort(t, tf);
	if (err)
		return err;
	preempt_disable();
	cpu = cpu_id();
	preempt_enable();
	return store_cpu(t, cpu, cpu);
}

/* current's area is gone from its memory, or its memory from under it. */
static void forget_area(struct task *t)
{
	word_and(&t->thread.arch.work, ~(WORK_RSEQ | WORK_RSEQ_EVENT));
	t->rseq = 0;
	t->rseq_sig = 0;
}

static int area_unregister(struct task *t, u64 addr, u32 len, u32 sig)
{
	if (!t->rseq || t->rseq != addr || len != RSEQ_AREA_SIZE)
		return -EINVAL;
	if (t->rseq_sig != sig)
		return -EPERM;
	if (store_cpu(t, 0, (u32)RSEQ_CPU_ID_UNINITIALIZED))
		return -EFAULT;
	forget_area(t);
	return 0;
}

/* Registered as it is asked for again: -EBUSY, else what differs. */
static int area_again(const struct task *t, u64 addr, u32 len, u32 sig)
{
	if (t->rseq != addr || len != RSEQ_AREA_SIZE)
		return -EINVAL;
	return t->rseq_sig != sig ? -EPERM : -EBUSY;
}

/*
 * rseq(2) for current. ctx: thread; sleeps. 0, -EINVAL, -EPERM (signature), -EBUSY (registered
 * already), -EFAULT.
 */
int rseq_register(u64 addr, u32 len, int flags, u32 sig)
{
	struct task *t = current_task();

	if (flags & RSEQ_FLAG_UNREGISTER)
		return flags != RSEQ_FLAG_UNREGISTER ? -EINVAL : area_unregister(t, addr, len, sig);
	if (flags)
		return -EINVAL;
	if (t->rseq)
		return area_again(t, addr, len, sig);
	if ((addr & (RSEQ_AREA_SIZE - 1)) || len != RSEQ_AREA_SIZE)
		return -EINVAL;
	/* What an earlier owner of the area left behind is not a section of this thread's. */
	if (put_user(addr + offsetof(struct rseq, rseq_cs), (u64)0))
		return -EFAULT;
	t->rseq = addr;
	t->rseq_sig = sig;
	word_or(&t->thread.arch.work, WORK_RSEQ | WORK_RSEQ_EVENT);
	return 0;
}

/*
 * @t, a child in the making with a copy of current's memory, is registered as current is. ctx:
 * thread.
 */
void rseq_fork(struct task *t)
{
	const struct task *self = current_task();

	t->rseq = self->rseq;
	t->rseq_sig = self->rseq_sig;
	if (t->rseq)
		word_or(&t->thread.arch.work, WORK_RSEQ);
}

/*
 * current execs: its memory goes, and the area with it. ctx: thread.
 */
void rseq_exec(void)
{
	forget_area(current_task());
}
