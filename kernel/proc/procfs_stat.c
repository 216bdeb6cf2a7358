/*
 * /proc/PID/stat, statm, status, limits, sched, schedstat, wchan, syscall. Formats: proc(5),
 * checked against Linux 6.1.
 *
 * A zombie has no task: what it was is in the struct proc, and fields about memory and signals of a
 * thread are 0.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/sched.h>
#include <arch/cpu.h>
#include "kernel/base/panic.h"
#include "kernel/lib/bitmap.h"
#include "kernel/lib/string.h"
#include "kernel/proc/procfs_pid.h"
#include "kernel/proc/seccomp.h"
#include "kernel/sched/sched.h"

#define TICK_NS (NSEC_PER_SEC / 100)
#define PF_EXITING 0x4u
#define PF_FORKNOEXEC 0x40u
#define PF_SUPERPRIV 0x100u
#define PF_RANDOMIZE 0x400000u
#define KB(pages) ((unsigned long long)(pages) * (PAGE_SIZE / 1024))

typedef unsigned long long ull;

/* State letter of @t, NULL: a zombie. A process whose leader has exited shows as a zombie too. */
static char state_char(const struct task *t)
{
	if (!t)
		return 'Z';
	if (READ_ONCE(t->jobctl) & TJ_TRACED)
		return 't';
	if (READ_ONCE(t->jobctl) & TJ_STOPPED)
		return 'T';
	switch (READ_ONCE(t->thread.state)) {
	case TS_SLEEPING: return 'S';
	case TS_BLOCKED: return 'D';
	case TS_STOPPED: return 'T';
	case TS_DEAD: return 'X';
	default: return 'R';
	}
}

static const char *state_name(char c)
{
	switch (c) {
	case 'S': return "S (sleeping)";
	case 'D': return "D (disk sleep)";
	case 'T': return "T (stopped)";
	case 't': return "t (tracing stop)";
	case 'X': return "X (dead)";
	case 'Z': return "Z (zombie)";
	default: return "R (running)";
	}
}

/* Everything that the texts need, taken at once. */
struct snapshot {
	struct proc *p; /* reference */
	struct task *t; /* reference; NULL: zombie */
	struct vmspace *vm; /* reference; NULL: none */
	struct cred *cred; /* reference */
	char name[16];
	char state;
	u32 nr, ppid, pgrp, session, tty_nr;
	int tpgid;
	struct proc_usage own, kids; /* of the thread or the process */
	ksigset_t pending, shared, blocked, ignored, caught;
	bool visible; /* current may see addresses */
};

static void snapshot_tree(struct snapshot *s)
{
	struct proc *p = s->p;
	struct tty *tty;

	proc_tree_lock();
	s->ppid = p->ppid;
	s->pgrp = p->pgrp ? p->pgrp->nr : 0;
	s->session = p->session ? p->session->nr : 0;
	proc_tree_unlock();
	s->tpgid = -1;
	tty = proc_get_tty(p);
	if (tty) {
		u32 fg = proc_tty_ops->foreground(tty);

		s->tty_nr = proc_tty_ops->dev(tty);
		s->tpgid = fg ? (int)fg : -1;
		proc_tty_ops->put(tty);
	}
}

static void snapshot_usage(struct snapshot *s, bool thread)
{
	u64 f = spin_lock_irqsave(&s->p->siglock);

	memset(&s->own, 0, sizeof(s->own));
	if (!thread)
		proc_usage_get(s->p, &s->own);
	else if (s->t)
		proc_usage_add_task(&s->own, s->t);
	s->kids = s->p->kids;
	spin_unlock_irqrestore(&s->p->siglock, f);
}

static int snapshot_take(struct snapshot *s, void *h)
{
	memset(s, 0, sizeof(*s));
	s->p = handle_proc(h);
	if (!s->p)
		return -ESRCH;
	s->t = handle_task(h);
	s->nr = ((struct pid *)((u64)h & ~1ull))->nr;
	s->state =
		state_char(s->t && (handle_is_thread(h) || READ_ONCE(s->p->leader)) ? s->t : NULL);
	s->cred = s->t ? task_get_cred(s->t) : proc_get_cred(s->p);
	if (s->t) {
		thread_get_name(&s->t->thread, s->name);
		s->vm = task_get_vm(s->t);
		s->visible = proc_may_access(s->t, ACCESS_READ) == 0;
	} else {
		proc_get_name(s->p, s->name);
	}
	snapshot_tree(s);
	snapshot_usage(s, handle_is_thread(h));
	signal_sets(s->p, s->t, &s->pending, &s->shared, &s->blocked, &s->ignored, &s->caught);
	return 0;
}

static void snapshot_drop(struct snapshot *s)
{
	if (s->vm)
		vmspace_put(s->vm);
	cred_put(s->cred);
	if (s->t)
		task_put(s->t);
	proc_put(s->p);
}

/* How many threads a reader sees: a leader that has exited counts until its process is gone. */
static u32 threads_seen(const struct proc *p)
{
	return READ_ONCE(p->ntasks) + (READ_ONCE(p->leader) ? 0 : 1);
}

static u64 vm_rss(const struct vmspace *vm)
{
	return atomic_read(&vm->rss_anon) + atomic_read(&vm->rss_file) +
	       atomic_read(&vm->rss_shmem);
}

/* Names may hold what would break the columns. */
static void put_name(struct sbuf *out, const char *name)
{
	sbuf_puts_escaped(out, name, "\n");
}

static void stat_sched(struct sbuf *out, const struct snapshot *s)
{
	int policy = 0, rt = 0, nice = 0;

	if (s->t)
		sched_get_policy(&s->t->thread, &policy, &rt, &nice);
	if (s->t)
		rt = sched_prio(&s->t->thread);
	sbuf_printf(out, " %d %d %u 0 %llu", rt ? -1 - rt : 20 + nice, nice, threads_seen(s->p),
		    (ull)((s->t ? s->t->thread.start_time : s->p->start_time) / TICK_NS));
}

static void stat_memory(struct sbuf *out, const struct snapshot *s)
{
	const struct vmspace *vm = s->vm;
	bool show = vm && s->visible;

	sbuf_printf(out, " %llu %llu %llu", vm ? (ull)vm->total_pages * PAGE_SIZE : 0,
		    vm ? (ull)vm_rss(vm) : 0, (ull)READ_ONCE(s->p->rlim[RLIMIT_RSS].rlim_cur));
	sbuf_printf(out, " %llu %llu %llu 0 0", vm ? (show ? (ull)vm->code_start : 1) : 0,
		    vm ? (show ? (ull)vm->code_end : 1) : 0, show ? (ull)vm->stack_start : 0);
}

static void stat_tail(struct sbuf *out, const struct snapshot *s)
{
	const struct vmspace *vm = s->visible ? s->vm : NULL;
	int policy = 0, rt = 0, nice = 0;

	if (s->t)
		sched_get_policy(&s->t->thread, &policy, &rt, &nice);
	sbuf_printf(out, " %llu %llu %llu %llu", (ull)(s->pending & 0x7fffffff),
		    (ull)(s->blocked & 0x7fffffff), (ull)(s->ignored & 0x7fffffff),
		    (ull)(s->caught & 0x7fffffff));
	sbuf_printf(out, " %d 0 0 %d %u %d %d 0 0 0", s->visible && s->state != 'R',
		    s->p->exit_signal, s->t ? READ_ONCE(s->t->thread.cpu) : 0, rt, policy);
	if (vm)
		sbuf_printf(out, " %llu %llu %llu %llu %llu %llu %llu", (ull)vm->data_start,
			    (ull)vm->data_end, (ull)vm->brk_start, (ull)vm->arg_start,
			    (ull)vm->arg_end, (ull)vm->env_start, (ull)vm->env_end);
	else
		sbuf_puts(out, " 0 0 0 0 0 0 0");
	sbuf_printf(out, " %d\n", s->visible || s->state == 'Z' ? s->p->exit_code : 0);
}

/*
 * stat: one line of 52 fields. ctx: thread. 0 or -ESRCH.
 */
int pid_stat_show(struct sbuf *out, void *h)
{
	struct snapshot s;
	u32 flags = PF_RANDOMIZE;
	int err = snapshot_take(&s, h);

	if (err)
		return err;
	if (s.p->forked_noexec)
		flags |= PF_FORKNOEXEC;
	if (s.t && s.t->thread.privileged)
		flags |= PF_SUPERPRIV;
	if (!s.t)
		flags |= PF_EXITING;
	sbuf_printf(out, "%u (", s.nr);
	put_name(out, s.name);
	sbuf_printf(out, ") %c %u %u %u %u %d %u %llu %llu %llu %llu", s.state, s.ppid, s.pgrp,
		    s.session, s.tty_nr, s.tpgid, flags, (ull)s.own.minflt, (ull)s.kids.minflt,
		    (ull)s.own.majflt, (ull)s.kids.majflt);
	sbuf_printf(out, " %llu %llu %llu %llu", (ull)(s.own.utime / TICK_NS),
		    (ull)(s.own.stime / TICK_NS), (ull)(s.kids.utime / TICK_NS),
		    (ull)(s.kids.stime / TICK_NS));
	stat_sched(out, &s);
	stat_memory(out, &s);
	stat_tail(out, &s);
	snapshot_drop(&s);
	return 0;
}

static u64 code_pages(const struct vmspace *vm)
{
	return (ALIGN_UP(vm->code_end, (u64)PAGE_SIZE) -
		ALIGN_DOWN(vm->code_start, (u64)PAGE_SIZE)) >>
	       PAGE_SHIFT;
}

/*
 * statm: pages of size, resident, shared, text, lib, data, dirty. ctx: thread. 0 or -ESRCH.
 */
int pid_statm_show(struct sbuf *out, void *h)
{
	struct vmspace *vm;
	int err = handle_vm(h, 0, &vm);

	if (err)
		return err;
	if (!vm) {
		sbuf_puts(out, "0 0 0 0 0 0 0\n");
		return 0;
	}
	sbuf_printf(out, "%llu %llu %llu %llu 0 %llu 0\n", (ull)vm->total_pages, (ull)vm_rss(vm),
		    (ull)(atomic_read(&vm->rss_file) + atomic_read(&vm->rss_shmem)),
		    (ull)code_pages(vm), (ull)(vm->data_pages + vm->stack_pages));
	vmspace_put(vm);
	return 0;
}

static void status_ids(struct sbuf *out, const struct snapshot *s)
{
	const struct cred *c = s->cred;
	struct fdtable *files = s->t ? task_get_files(s->t) : NULL;

	sbuf_printf(out, "Uid:\t%u\t%u\t%u\t%u\n", c->uid, c->euid, c->suid, c->fsuid);
	sbuf_printf(out, "Gid:\t%u\t%u\t%u\t%u\n", c->gid, c->egid, c->sgid, c->fsgid);
	sbuf_printf(out, "FDSize:\t%u\nGroups:\t", files ? fdtable_size(files) : 0);
	for (u32 i = 0; i < c->ngroups; i++)
		sbuf_printf(out, "%u ", c->groups[i]);
	sbuf_putc(out, c->ngroups ? '\n' : ' ');
	if (!c->ngroups)
		sbuf_putc(out, '\n');
	if (files)
		fdtable_put(files);
	sbuf_printf(out, "NStgid:\t%u\nNSpid:\t%u\nNSpgid:\t%u\nNSsid:\t%u\n", s->p->pid->nr, s->nr,
		    s->pgrp, s->session);
}

static void kb_line(struct sbuf *out, const char *name, u64 pages)
{
	sbuf_printf(out, "%s:\t%8llu kB\n", name, KB(pages));
}

static void status_memory(struct sbuf *out, const struct vmspace *vm, bool dumping)
{
	u64 rss = vm_rss(vm), exe = code_pages(vm);

	kb_line(out, "VmPeak", MAX(vm->peak_total, vm->total_pages));
	kb_line(out, "VmSize", vm->total_pages);
	kb_line(out, "VmLck", vm->locked_pages);
	kb_line(out, "VmPin", 0);
	kb_line(out, "VmHWM", MAX(vm->peak_rss, rss));
	kb_line(out, "VmRSS", rss);
	kb_line(out, "RssAnon", atomic_read(&vm->rss_anon));
	kb_line(out, "RssFile", atomic_read(&vm->rss_file));
	kb_line(out, "RssShmem", atomic_read(&vm->rss_shmem));
	kb_line(out, "VmData", vm->data_pages);
	kb_line(out, "VmStk", vm->stack_pages);
	kb_line(out, "VmExe", exe);
	kb_line(out, "VmLib", vm->exec_pages > exe ? vm->exec_pages - exe : 0);
	kb_line(out, "VmPTE", vm->pmap.tables);
	kb_line(out, "VmSwap", 0);
	sbuf_puts(out, "HugetlbPages:\t       0 kB\n");
	sbuf_printf(out, "CoreDumping:\t%d\nTHP_enabled:\t0\n", dumping);
}

static void status_signals(struct sbuf *out, const struct snapshot *s)
{
	const struct cred *c = s->cred;

	sbuf_printf(out, "Threads:\t%u\nSigQ:\t%u/%llu\n", threads_seen(s->p),
		    atomic_read(&s->p->user->signals),
		    (ull)READ_ONCE(s->p->rlim[RLIMIT_SIGPENDING].rlim_cur));
	sbuf_printf(out, "SigPnd:\t%016llx\nShdPnd:\t%016llx\nSigBlk:\t%016llx\n", (ull)s->pending,
		    (ull)s->shared, (ull)s->blocked);
	sbuf_printf(out, "SigIgn:\t%016llx\nSigCgt:\t%016llx\n", (ull)s->ignored, (ull)s->caught);
	sbuf_printf(out, "CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\n",
		    (ull)c->inheritable, (ull)c->permitted, (ull)c->effective);
	sbuf_printf(out, "CapBnd:\t%016llx\nCapAmb:\t%016llx\nNoNewPrivs:\t%d\n", (ull)c->bounding,
		    (ull)c->ambient, s->t && READ_ONCE(s->t->no_new_privs));
	sbuf_printf(out, "Seccomp:\t%d\nSeccomp_filters:\t%u\n",
		    s->t ? READ_ONCE(s->t->seccomp_mode) : 0, s->t ? seccomp_depth(s->t) : 0);
	sbuf_puts(out, "Speculation_Store_Bypass:\tvulnerable\n");
	sbuf_puts(out, "SpeculationIndirectBranch:\tunknown\n");
}

/* Bits of @mask as "0-2,5". */
static void put_cpu_list(struct sbuf *out, u64 mask)
{
	bool first = true;

	for (u32 i = 0; i < 64; i++) {
		u32 last = i;

		if (!(mask >> i & 1))
			continue;
		while (last < 63 && (mask >> (last + 1) & 1))
			last++;
		sbuf_printf(out, last > i ? "%s%u-%u" : "%s%u", first ? "" : ",", i, last);
		first = false;
		i = last;
	}
}

static void status_cpus(struct sbuf *out, const struct snapshot *s)
{
	u64 all = cpu_count >= 64 ? ~0ull : (1ull << cpu_count) - 1;
	u64 mask = s->t ? s->t->thread.affinity & all : all;

	sbuf_printf(out, "Cpus_allowed:\t%0*llx\nCpus_allowed_list:\t", (int)((cpu_count + 3) / 4),
		    (ull)mask);
	put_cpu_list(out, mask);
	sbuf_puts(out, "\nMems_allowed:\t1\nMems_allowed_list:\t0\n");
	sbuf_printf(out, "voluntary_ctxt_switches:\t%llu\nnonvoluntary_ctxt_switches:\t%llu\n",
		    s->t ? (ull)s->t->thread.se.nvcsw : (ull)s->own.nvcsw,
		    s->t ? (ull)s->t->thread.se.nivcsw : (ull)s->own.nivcsw);
}

/*
 * status: named fields. ctx: thread. 0 or -ESRCH.
 */
int pid_status_show(struct sbuf *out, void *h)
{
	struct snapshot s;
	struct fsctx *fs;
	int err = snapshot_take(&s, h);

	if (err)
		return err;
	sbuf_puts(out, "Name:\t");
	sbuf_puts_escaped(out, s.name, "\n");
	fs = s.t ? task_get_fs(s.t) : NULL;
	if (fs) {
		sbuf_printf(out, "\nUmask:\t%04o", READ_ONCE(fs->umask));
		fsctx_put(fs);
	}
	sbuf_printf(out, "\nState:\t%s\nTgid:\t%u\nNgid:\t0\nPid:\t%u\nPPid:\t%u\nTracerPid:\t%u\n",
		    state_name(s.state), s.p->pid->nr, s.nr, s.ppid,
		    s.t ? ptrace_tracer_nr(s.t) : 0);
	status_ids(out, &s);
	if (s.vm)
		status_memory(out, s.vm, READ_ONCE(s.p->core) != NULL);
	status_signals(out, &s);
	status_cpus(out, &s);
	snapshot_drop(&s);
	return 0;
}

/*
 * sched: what the scheduler keeps of the thread. ctx: thread. 0 or -ESRCH.
 */
int pid_sched_show(struct sbuf *out, void *h)
{
	struct task *t = handle_task_dead(h);
	int policy, rt, nice;
	struct sched_dl dl;
	s64 left, until;
	char name[16];
	u64 run;

	if (!t)
		return -ESRCH;
	thread_get_name(&t->thread, name);
	sched_get_policy(&t->thread, &policy, &rt, &nice);
	run = t->thread.se.sum_exec;
	sbuf_printf(out, "%s (%u, #threads: %u)\n", name, t->tid->nr, threads_seen(t->proc));
	sbuf_puts(out, "-------------------------------------------------------------------\n");
	sbuf_printf(out, "%-45s:%14llu.%06llu\n", "se.sum_exec_runtime", (ull)run / 1000000,
		    (ull)run % 1000000);
	sbuf_printf(out, "%-45s:%21llu\n", "nr_switches",
		    (ull)(t->thread.se.nvcsw + t->thread.se.nivcsw));
	sbuf_printf(out, "%-45s:%21llu\n", "nr_voluntary_switches", (ull)t->thread.se.nvcsw);
	sbuf_printf(out, "%-45s:%21llu\n", "nr_involuntary_switches", (ull)t->thread.se.nivcsw);
	sbuf_printf(out, "%-45s:%21u\n", "se.load.weight", t->thread.se.weight);
	sbuf_printf(out, "%-45s:%21d\n", "policy", policy);
	rt = sched_prio(&t->thread);
	sbuf_printf(out, "%-45s:%21d\n", "prio", rt ? 99 - rt : 120 + nice);
	if (sched_get_deadline(&t->thread, &dl, &left, &until)) {
		sbuf_printf(out, "%-45s:%21lld\n", "dl.runtime", (long long)left);
		sbuf_printf(out, "%-45s:%21lld\n", "dl.deadline", (long long)until);
	}
	task_put(t);
	return 0;
}

/*
 * schedstat: time run, time waited (not counted), slices. ctx: thread. 0 or -ESRCH.
 */
int pid_schedstat_show(struct sbuf *out, void *h)
{
	struct snapshot s;
	int err = snapshot_take(&s, h);

	if (err)
		return err;
	if (s.t)
		sbuf_printf(out, "%llu 0 %llu\n", (ull)s.t->thread.se.sum_exec,
			    (ull)(s.t->thread.se.nvcsw + s.t->thread.se.nivcsw));
	else
		sbuf_printf(out, "%llu 0 %llu\n", (ull)(s.own.utime + s.own.stime),
			    (ull)(s.own.nvcsw + s.own.nivcsw));
	snapshot_drop(&s);
	return 0;
}

static void put_limit(struct sbuf *out, u64 v)
{
	if (v == RLIM64_INFINITY)
		sbuf_printf(out, "%-20s ", "unlimited");
	else
		sbuf_printf(out, "%-20llu ", (ull)v);
}

/*
 * limits: a table. ctx: thread. 0 or -ESRCH.
 */
int pid_limits_show(struct sbuf *out, void *h)
{
	static const struct {
		const char *name, *unit;
	} rows[RLIM_NLIMITS] = {
		[RLIMIT_CPU] = { "Max cpu time", "seconds" },
		[RLIMIT_FSIZE] = { "Max file size", "bytes" },
		[RLIMIT_DATA] = { "Max data size", "bytes" },
		[RLIMIT_STACK] = { "Max stack size", "bytes" },
		[RLIMIT_CORE] = { "Max core file size", "bytes" },
		[RLIMIT_RSS] = { "Max resident set", "bytes" },
		[RLIMIT_NPROC] = { "Max processes", "processes" },
		[RLIMIT_NOFILE] = { "Max open files", "files" },
		[RLIMIT_MEMLOCK] = { "Max locked memory", "bytes" },
		[RLIMIT_AS] = { "Max address space", "bytes" },
		[RLIMIT_LOCKS] = { "Max file locks", "locks" },
		[RLIMIT_SIGPENDING] = { "Max pending signals", "signals" },
		[RLIMIT_MSGQUEUE] = { "Max msgqueue size", "bytes" },
		[RLIMIT_NICE] = { "Max nice priority", NULL },
		[RLIMIT_RTPRIO] = { "Max realtime priority", NULL },
		[RLIMIT_RTTIME] = { "Max realtime timeout", "us" },
	};
	struct proc *p = handle_proc(h);

	if (!p)
		return -ESRCH;
	sbuf_printf(out, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (u32 i = 0; i < RLIM_NLIMITS; i++) {
		sbuf_printf(out, "%-25s ", rows[i].name);
		put_limit(out, READ_ONCE(p->rlim[i].rlim_cur));
		put_limit(out, READ_ONCE(p->rlim[i].rlim_max));
		if (rows[i].unit)
			sbuf_printf(out, "%-10s\n", rows[i].unit);
		else
			sbuf_putc(out, '\n');
	}
	proc_put(p);
	return 0;
}

/*
 * wchan: where in the kernel it sleeps, 0 when it does not, or who asks may not know. ctx: thread.
 * 0 or -ESRCH.
 */
int pid_wchan_show(struct sbuf *out, void *h)
{
	const char *name = NULL;
	struct symbol sym;
	struct task *t;
	int err = handle_remains(h, ACCESS_READ, &t);

	if (err == -ESRCH)
		return err;
	if (!err && t) {
		if (state_char(t) != 'R')
			name = symbol_lookup((vaddr_t)READ_ONCE(t->thread.wait_addr), &sym);
		task_put(t);
	}
	sbuf_puts(out, name ? name : "0");
	return 0;
}

/*
 * syscall: number, arguments, stack pointer and program counter of a call that sleeps, or of the
 * reader's own. ctx: thread.
 * 0, -ESRCH, -EPERM.
 */
int pid_syscall_show(struct sbuf *out, void *h)
{
	struct trapframe tf;
	struct task *t;
	bool asleep;
	u64 f;
	int err = handle_remains(h, ACCESS_ATTACH, &t);

	if (err)
		return err;
	if (!t) {
		sbuf_puts(out, "-1 0x0 0x0\n");
		return 0;
	}
	/* The frame is on its kernel stack, which goes when the thread has left its process. */
	f = spin_lock_irqsave(&t->proc->siglock);
	asleep = (t == current_task() || state_char(t) != 'R') && !list_empty(&t->proc_link);
	if (asleep)
		tf = *t->frame;
	spin_unlock_irqrestore(&t->proc->siglock, f);
	task_put(t);
	if (!asleep) {
		sbuf_puts(out, "running\n");
		return 0;
	}
	if (tf.syscallno < 0) {
		sbuf_printf(out, "-1 0x%llx 0x%llx\n", (ull)tf.sp, (ull)tf.pc);
		return 0;
	}
	sbuf_printf(out, "%lld 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx\n",
		    (long long)tf.syscallno, (ull)tf.orig_x0, (ull)tf.x[1], (ull)tf.x[2],
		    (ull)tf.x[3], (ull)tf.x[4], (ull)tf.x[5], (ull)tf.sp, (ull)tf.pc);
	return 0;
}
