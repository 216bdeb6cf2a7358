/*
 * seccomp(2): a thread binds itself to the system calls that it will need. In strict mode these are
 * read, write, exit and the return from signals. In filter mode classic BPF programs
 * (kernel/lib/bpf) look at number, arguments and instruction pointer of each call and say what
 * becomes of it.
 *
 * Filters form a tree: each points at the one installed before it, a thread at its newest; fork and
 * clone share the path. All filters on the path are asked for each call; the gravest answer counts,
 * of equal ones the newest filter's.
 *
 * A thread's mode and filter change under the siglock, by itself or by another thread of its
 * process (SECCOMP_FILTER_FLAG_TSYNC). The thread reads its own without: a filter is only ever
 * replaced by one that descends from it and so keeps it alive.
 *
 * kernel/sys/syscall.c asks seccomp_enter() after a tracer has seen the call, as Linux does, so
 * that a tracer cannot change an allowed call into another. After SECCOMP_RET_TRACE, where it may,
 * the filters are asked again.
 *
 * man: seccomp(2), ptrace(2).
 */
#include <linux/audit.h>
#include <linux/errno.h>
#include <asm/unistd.h>
#include <arch/frame.h>
#include "kernel/base/log.h"
#include "kernel/lib/string.h"
#include "kernel/proc/internal.h"
#include "kernel/proc/seccomp.h"

#define PATH_COST_MAX 32768 /* instructions that one call may have to run through */
#define FILTER_COST 4 /* what a filter costs beside its instructions */
#define ERRNO_MAX 4095u

/* See seccomp.h. */
int seccomp_filter_alloc(u32 n, struct seccomp_filter **out)
{
	struct seccomp_filter *f = kmalloc(sizeof(*f) + n * sizeof(f->code[0]), 0);

	if (!f)
		return -ENOMEM;
	memset(f, 0, sizeof(*f));
	ref_init(&f->refs, 1);
	f->length = n;
	*out = f;
	return 0;
}

/* See seccomp.h. */
void seccomp_filter_put(struct seccomp_filter *f)
{
	while (f && ref_put(&f->refs)) {
		struct seccomp_filter *prev = f->prev;

		if (f->notify)
			seccomp_notify_orphan(f->notify);
		kfree(f);
		f = prev;
	}
}

static struct seccomp_filter *filter_get(struct seccomp_filter *f)
{
	if (f)
		ref_get(&f->refs);
	return f;
}

/* --- judging a program --- */

/* Has the valid instruction @i a meaning here? */
static bool insn_allowed(const struct sock_filter *i)
{
	switch (BPF_CLASS(i->code)) {
	case BPF_LD:
	case BPF_LDX:
		switch (BPF_MODE(i->code)) {
		case BPF_ABS:
			return BPF_SIZE(i->code) == BPF_W && i->k < sizeof(struct seccomp_data) &&
			       i->k % sizeof(u32) == 0;
		case BPF_IND:
		case BPF_MSH: return false;
		default: return true;
		}
	case BPF_ALU: return BPF_OP(i->code) != BPF_MOD;
	default: return true;
	}
}

static int filter_check(const struct seccomp_filter *f)
{
	u16 *scratch = kmalloc(f->length * sizeof(*scratch), 0);
	int err;

	if (!scratch)
		return -ENOMEM;
	err = bpf_check(f->code, f->length, scratch);
	kfree(scratch);
	for (u32 i = 0; !err && i < f->length; i++)
		if (!insn_allowed(&f->code[i]))
			err = -EINVAL;
	return err;
}

/* --- binding --- */

/* Can another thread with its mode and filter take over what current is to have? holds: siglock */
static bool sync_possible(const struct task *t, const struct seccomp_filter *now)
{
	if (t->seccomp_mode == SECCOMP_MODE_DISABLED)
		return true;
	if (t->seccomp_mode != SECCOMP_MODE_FILTER)
		return false;
	while (now && now != t->seccomp)
		now = now->prev;
	return now;
}

/* The id of a thread that stands in the way; 0: none. holds: siglock */
static u32 sync_hindrance(const struct task *self)
{
	const struct task *t;

	list_for_each(t, &self->proc->tasks, proc_link)
		if (t != self && !sync_possible(t, self->seccomp))
			return t->tid->nr;
	return 0;
}

/* Does one of the filters from @f on ask somebody who still listens? */
static bool has_listener(const struct seccomp_filter *f)
{
	for (; f; f = f->prev)
		if (f->notify && seccomp_notify_is_open(f->notify))
			return true;
	return false;
}

/* @f, with its reference, is @t's newest. holds: siglock */
static void bind_locked(struct task *t, struct seccomp_filter *f)
{
	store_release(&t->seccomp, f);
	store_release(&t->seccomp_mode, SECCOMP_MODE_FILTER);
}

/* All other threads follow current. holds: siglock */
static void sync_locked(struct task *self)
{
	struct seccomp_filter *old;
	struct task *t;

	list_for_each(t, &self->proc->tasks, proc_link) {
		if (t == self)
			continue;
		old = t->seccomp;
		bind_locked(t, filter_get(self->seccomp));
		/* It is on the path of the new one: this is not the last reference. */
		seccomp_filter_put(old);
		if (self->no_new_privs)
			WRITE_ONCE(t->no_new_privs, true);
	}
}

/* holds: siglock */
static long attach_locked(struct task *self, struct seccomp_filter *f, u32 flags)
{
	struct seccomp_filter *prev = self->seccomp;
	u32 tid;

	if (self->seccomp_mode == SECCOMP_MODE_STRICT)
		return -EINVAL;
	if (f->notify && has_listener(prev))
		return -EBUSY;
	f->total = f->length + (prev ? prev->total + FILTER_COST : 0);
	f->depth = 1 + (prev ? prev->depth : 0);
	if (f->total > PATH_COST_MAX)
		return -ENOMEM;
	tid = flags & SECCOMP_FILTER_FLAG_TSYNC ? sync_hindrance(self) : 0;
	if (tid)
		return flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH ? -ESRCH : (long)tid;
	f->prev = prev;
	bind_locked(self, f);
	if (flags & SECCOMP_FILTER_FLAG_TSYNC)
		sync_locked(self);
	return 0;
}

/* See seccomp.h. */
long seccomp_filter_attach(struct seccomp_filter *f, u32 flags)
{
	struct task *self = current_task();
	long r = filter_check(f);
	u64 irq;

	f->log = flags & SECCOMP_FILTER_FLAG_LOG;
	if (!r) {
		irq = spin_lock_irqsave(&self->proc->siglock);
		r = attach_locked(self, f, flags);
		spin_unlock_irqrestore(&self->proc->siglock, irq);
	}
	if (r)
		seccomp_filter_put(f);
	return r;
}

/* See seccomp.h. */
int seccomp_bind_strictly(void)
{
	struct task *self = current_task();
	u64 irq = spin_lock_irqsave(&self->proc->siglock);
	bool free = self->seccomp_mode != SECCOMP_MODE_FILTER;

	if (free)
		WRITE_ONCE(self->seccomp_mode, SECCOMP_MODE_STRICT);
	spin_unlock_irqrestore(&self->proc->siglock, irq);
	return free ? 0 : -EINVAL;
}

/* See seccomp.h. */
void seccomp_inherit_locked(struct task *child)
{
	const struct task *self = current_task();

	child->no_new_privs = self->no_new_privs;
	child->seccomp = filter_get(self->seccomp);
	child->seccomp_mode = self->seccomp_mode;
}

/* See seccomp.h. */
u32 seccomp_depth(struct task *t)
{
	u64 irq = spin_lock_irqsave(&t->proc->siglock);
	u32 n = t->seccomp ? t->seccomp->depth : 0;

	spin_unlock_irqrestore(&t->proc->siglock, irq);
	return n;
}

/* See seccomp.h. */
int seccomp_filter_lookup(struct task *t, u64 index, struct seccomp_filter **out)
{
	u64 irq = spin_lock_irqsave(&t->proc->siglock);
	struct seccomp_filter *f = filter_get(t->seccomp), *found = f;

	spin_unlock_irqrestore(&t->proc->siglock, irq);
	if (!f)
		return -EINVAL;
	while (found && found->depth != index + 1)
		found = found->prev;
	*out = filter_get(found);
	seccomp_filter_put(f);
	return found ? 0 : -ENOENT;
}

/* --- a call --- */

static bool data_load(const void *data, u32 offset, u32 size, u32 *out)
{
	memcpy(out, (const u8 *)data + offset, sizeof(*out));
	return true;
}

/* The gravest answer of all filters of current, and whose it is: NULL where all allow. */
static u32 filters_run(const struct trapframe *tf, struct seccomp_data *sd,
		       const struct seccomp_filter **whose)
{
	const struct bpf_input in = { data_load, sd, sizeof(*sd) };
	const struct seccomp_filter *f = READ_ONCE(current_task()->seccomp);
	u32 answer = SECCOMP_RET_ALLOW;

	sd->nr = (int)tf->syscallno;
	sd->arch = AUDIT_ARCH_AARCH64;
	sd->instruction_pointer = tf->pc;
	for (u32 i = 0; i < ARRAY_SIZE(sd->args); i++)
		sd->args[i] = tf->x[i];
	*whose = NULL;
	for (; f; f = f->prev) {
		u32 a = bpf_run(f->code, &in);

		/* Signed: the gravest of all has the highest bit. */
		if ((s32)(a & SECCOMP_RET_ACTION_FULL) < (s32)(answer & SECCOMP_RET_ACTION_FULL)) {
			answer = a;
			*whose = f;
		}
	}
	return answer;
}

static __cold void log_answer(const struct trapframe *tf, u32 answer, int sig)
{
	char comm[16];

	thread_get_name(current, comm);
	log_limited(LOG_INFO, "seccomp: %s[%u]: system call %d, ip 0x%llx, code 0x%x, signal %d",
		    comm, current_task()->tid->nr, (int)tf->syscallno, (unsigned long long)tf->pc,
		    answer & SECCOMP_RET_ACTION_FULL, sig);
}

static void fill_sigsys(const struct trapframe *tf, u32 data, struct ksiginfo *si)
{
	memset(si, 0, sizeof(*si));
	si->si_signo = SIGSYS;
	si->si_code = SYS_SECCOMP;
	si->si_errno = (int)data;
	si->si_call_addr = (void *)tf->pc;
	si->si_syscall = (int)tf->syscallno;
	si->si_arch = AUDIT_ARCH_AARCH64;
}

/* Only the last thread takes the process along when it alone is meant. */
static void die(const struct trapframe *tf, u32 answer) __noreturn;
static void die(const struct trapframe *tf, u32 answer)
{
	struct ksiginfo si;

	log_answer(tf, answer, SIGSYS);
	if ((answer & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_KILL_THREAD &&
	    READ_ONCE(current_proc()->nlive) > 1)
		proc_exit_thread(SIGSYS);
	fill_sigsys(tf, answer & SECCOMP_RET_DATA, &si);
	signal_die(SIGSYS, &si);
}

/* SECCOMP_RET_TRACE: the tracer, if it asked for these. True: go on, with what is in *tf now. */
static bool ask_tracer(struct trapframe *tf, u32 data)
{
	if (!(READ_ONCE(current_task()->trace.options) & PTRACE_O_TRACESECCOMP)) {
		frame_set_result(tf, -ENOSYS);
		return false;
	}
	ptrace_event(PTRACE_EVENT_SECCOMP, data);
	return !signal_fatal_pending() && (int)tf->syscallno >= 0;
}

/* Do as the filters say; @asked: a tracer has seen the call already. */
static bool filtered_enter(struct trapframe *tf, bool asked)
{
	const struct seccomp_filter *whose;
	struct seccomp_data sd;
	u32 answer = filters_run(tf, &sd, &whose), data = answer & SECCOMP_RET_DATA;
	struct ksiginfo si;

	if (!whose)
		return true;
	switch (answer & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_LOG: log_answer(tf, answer, 0); return true;
	case SECCOMP_RET_ERRNO: frame_set_result(tf, -(long)MIN(data, ERRNO_MAX)); break;
	case SECCOMP_RET_TRAP:
		fill_sigsys(tf, data, &si);
		signal_force_info(&si);
		break;
	case SECCOMP_RET_TRACE:
		if (asked)
			return true;
		if (ask_tracer(tf, data))
			return filtered_enter(tf, true);
		break;
	case SECCOMP_RET_USER_NOTIF:
		if (!whose->notify)
			frame_set_result(tf, -ENOSYS);
		else if (seccomp_notify_ask(whose->notify, tf, &sd))
			return true;
		break;
	default: die(tf, answer);
	}
	if (whose->log)
		log_answer(tf, answer, 0);
	return false;
}

/* See seccomp.h. */
bool seccomp_enter(struct trapframe *tf)
{
	const struct task *t = current_task();

	if (READ_ONCE(t->trace.options) & PTRACE_O_SUSPEND_SECCOMP)
		return true;
	if (load_acquire(&t->seccomp_mode) == SECCOMP_MODE_FILTER)
		return filtered_enter(tf, false);
	switch (tf->syscallno) {
	case __NR_read:
	case __NR_write:
	case __NR_exit:
	case __NR_rt_sigreturn: return true;
	default: log_answer(tf, SECCOMP_RET_KILL_THREAD, SIGKILL); proc_exit_thread(SIGKILL);
	}
}
