/*
 * The end of threads and processes.
 *
 * A thread gives back what it used (proc_exit_thread), leaves the tree, and its last switch frees
 * it. The last thread of a group turns the process into a zombie: children go to the nearest
 * subreaper or init, groups that lose their last guardian get SIGHUP and SIGCONT when they are
 * stopped, the parent gets its signal. A parent that ignores SIGCHLD makes the kernel reap at once.
 *
 * The zombie is the struct proc, with the leader's name and credentials copied into it, and the
 * leader's struct task without its stack: what calls by its number ask of its scheduling. Its exit
 * status waits in proc->exit_code.
 *
 * exit_group and fatal signals set proc->group_exit with the status and kill every thread; each of
 * them then comes here through signal_deliver.
 */
#include <linux/errno.h>
#include "kernel/base/panic.h"
#include "kernel/lib/string.h"
#include "kernel/proc/internal.h"
#include "kernel/proc/keys.h"
#include "kernel/sched/sched.h"

/*
 * The task lets go of its address space: nobody waits on it in there any more.
 * ctx: thread, the task itself; sleeps (user memory).
 */
void task_release_vm(struct task *t)
{
	futex_exit(t, t->jobctl & TJ_EXITING);
	/* Only for others who share the memory: pthread_join. */
	if (t->clear_child_tid) {
		if (ref_read(&t->thread.vm->users) > 1 && !put_user(t->clear_child_tid, 0u))
			futex_wake_address(t->clear_child_tid, 1);
		t->clear_child_tid = 0;
	}
}

/*
 * The parent that vforked @t, current, may go on. ctx: thread.
 */
void task_wake_vfork_parent(struct task *t)
{
	struct task *parent = t->vfork_parent;

	if (!parent)
		return;
	store_release(&t->vfork_parent, NULL);
	sched_wake(&parent->thread, WAKE_NORMAL);
	task_put(parent);
}

/* Signals to the process go to other threads from here on. */
static void exit_signals(struct task *t)
{
	struct proc *p = t->proc;
	bool notify = false;
	struct task *other;
	u64 f = spin_lock_irqsave(&p->siglock);

	word_or(&t->jobctl, TJ_EXITING);
	if (t->jobctl & TJ_STOP_PENDING)
		notify = signal_stop_join_locked(t);
	signal_clear_jobctl_locked(t, TJ_TRAPS);
	if (p->pending.set && !p->group_exit) {
		list_for_each(other, &p->tasks, proc_link) {
			if (other != t && (p->pending.set & ~other->blocked))
				signal_wake_task(other, false);
		}
	}
	spin_unlock_irqrestore(&p->siglock, f);
	if (notify)
		signal_notify_stop(p, CLD_STOPPED);
}

/* The last thread has begun to exit: what belongs to the process as a whole ends. */
static void exit_process_parts(struct proc *p)
{
	itimers_exit(p);
	ptimers_exit(p);
	if (p->sem_undo)
		proc_sem_ops->exit(p);
	if (p->tty || p->hung_pgrp) {
		bool leads;

		proc_tree_lock();
		leads = proc_is_session_leader(p);
		proc_tree_unlock();
		if (leads)
			proc_tty_ops->leader_exit(p);
		proc_set_tty(p, NULL);
	}
}

static void exit_vm(struct task *t)
{
	struct vmspace *vm = t->thread.vm;
	struct proc *p = t->proc;
	struct file *puts;
	u64 rss, f;

	if (!vm)
		return;
	task_release_vm(t);
	task_wake_vfork_parent(t);
	rss = atomic_read(&vm->rss_anon) + atomic_read(&vm->rss_file) + atomic_read(&vm->rss_shmem);
	rss = MAX(rss, READ_ONCE(vm->peak_rss));
	f = spin_lock_irqsave(&p->siglock);
	t->thread.vm = NULL;
	t->thread.pmap = NULL;
	p->dead.maxrss = MAX(p->dead.maxrss, rss);
	spin_unlock_irqrestore(&p->siglock, f);
	file_puts_begin(&puts);
	vmspace_put_user(vm);
	file_puts_end(&puts);
}

static void exit_files(struct task *t)
{
	struct fdtable *files = t->thread.files;
	struct fsctx *fs = t->thread.fs;
	u64 f = spin_lock_irqsave(&t->proc->siglock);

	t->thread.files = NULL;
	t->thread.fs = NULL;
	spin_unlock_irqrestore(&t->proc->siglock, f);
	if (files)
		fdtable_put(files);
	if (fs)
		fsctx_put(fs);
}

/* Who adopts the children of @p. holds: tree */
static struct proc *exit_find_reaper_locked(struct proc *p)
{
	struct proc *r;

	for (r = p->parent; r && r != proc_of_init; r = r->parent) {
		if (r->subreaper && r->ntasks)
			return r;
	}
	return proc_of_init;
}

/*
 * A group lost a member that guarded it, or the guardian of its members: if it is orphaned now and
 * has stopped members, they are told. @ignore: the process that ends. holds: tree
 */
static void exit_check_orphans_locked(struct pid *pgrp, struct proc *ignore)
{
	struct proc *p;
	bool stopped = false;

	if (!proc_pgrp_orphaned_locked(pgrp, ignore))
		return;
	list_for_each(p, &pgrp->pgrp, pgrp_link) {
		if (p != ignore && READ_ONCE(p->stopped))
			stopped = true;
	}
	if (!stopped)
		return;
	list_for_each(p, &pgrp->pgrp, pgrp_link) {
		signal_send_proc(p, SIGHUP, NULL);
		signal_send_proc(p, SIGCONT, NULL);
	}
}

/* PR_SET_PDEATHSIG of the threads of @child, from current, who made it and ends. holds: tree */
static void exit_tell_child_locked(struct proc *child)
{
	struct ksiginfo si;
	struct task *t;

	list_for_each(t, &child->tasks, proc_link) {
		int sig = t->pdeath_signal;

		if (!sig || proc_may_signal(child, sig))
			continue;
		siginfo_fill(&si, sig, SI_USER);
		(void)signal_send_proc(child, sig, &si);
	}
}

/* What thread @t, whom others of its process outlive, has made is one of theirs. holds: tree */
static void exit_hand_on_locked(struct task *t)
{
	struct proc *p = t->proc, *child;

	if (p->group_exit)
		return;
	list_for_each(child, &p->children, sibling) {
		if (child->creator != t->tid->nr)
			continue;
		child->creator = list_first(&p->tasks, struct task, proc_link)->tid->nr;
		exit_tell_child_locked(child);
	}
}

/*
 * Give @p's children away. Zombies that nobody waits for are put on @dead by their sibling link.
 * holds: tree
 */
static void exit_reparent_locked(struct proc *p, struct dead_list *dead)
{
	struct proc *reaper, *child, *tmp;

	if (list_empty(&p->children))
		return;
	reaper = exit_find_reaper_locked(p);
	list_for_each_safe(child, tmp, &p->children, sibling) {
		bool guarded =
			child->pgrp && child->pgrp != p->pgrp && child->session == p->session;

		list_del(&child->sibling);
		list_add_tail(&reaper->children, &child->sibling);
		child->parent = reaper;
		WRITE_ONCE(child->ppid, reaper->pid->nr);
		child->exit_signal = SIGCHLD;
		exit_tell_child_locked(child);
		if (child->state == PROC_ZOMBIE && !child->dead_leader &&
		    proc_notify_parent_locked(child)) {
			proc_reap_locked(child);
			list_add_tail(&dead->procs, &child->sibling);
		}
		if (guarded && child->state == PROC_ALIVE)
			exit_check_orphans_locked(child->pgrp, p);
	}
}

/*
 * Are @p's children reaped without its waiting? ctx: any.
 */
bool proc_ignores_children(const struct proc *p)
{
	const struct ksigaction *act = &p->sighand->action[SIGCHLD - 1];

	return READ_ONCE(act->handler) == (u64)SIG_IGN || (READ_ONCE(act->flags) & SA_NOCLDWAIT);
}

/*
 * @p, a zombie, has a (new) parent: tell it. ctx: thread; holds: tree. True: nobody will wait for
 * it.
 */
bool proc_notify_parent_locked(struct proc *p)
{
	struct proc *parent = p->parent;
	int sig = p->exit_signal, status = p->exit_code;
	const struct ksigaction *act = &parent->sighand->action[SIGCHLD - 1];
	bool reap = p->unwaited, tell = sig > 0 && !reap;

	if (tell && sig == SIGCHLD) {
		reap = proc_ignores_children(parent);
		tell = READ_ONCE(act->handler) != (u64)SIG_IGN;
	}
	if (tell)
		signal_notify_parent_locked(p, wait_code_of(status), wait_status_of(status), false);
	else
		waitq_wake_all(&parent->child_wait);
	return reap;
}

/*
 * Take a zombie out of the tree; the tree's reference passes to the caller. ctx: thread; holds:
 * tree.
 */
void proc_reap_locked(struct proc *p)
{
	proc_tree_assert_held();
	p->state = PROC_DEAD;
	list_del(&p->sibling);
	proc_leave_groups_locked(p);
	p->pid->proc = NULL;
	pid_release_locked(p->pid);
}

/* The thread @t leaves its process; the usage it had stays. holds: tree */
static void exit_detach_task_locked(struct task *t)
{
	struct proc *p = t->proc;
	struct task *exec_task = NULL;
	u64 f = spin_lock_irqsave(&p->siglock);

	list_del(&t->proc_link);
	p->ntasks--;
	proc_usage_add_task(&p->dead, t);
	if (p->leader == t) {
		p->leader = NULL;
		task_get(t);
		p->dead_task = t;
		p->dead_cred = cred_get(t->thread.cred);
		memcpy(p->dead_name, t->thread.name, sizeof(p->dead_name));
		if (!p->group_exit)
			p->exit_code = t->exit_code;
	}
	sigpending_flush(&t->pending);
	ptrace_leave_dead_locked(t);
	if (p->exec_task && p->ntasks == 1)
		exec_task = p->exec_task;
	spin_unlock_irqrestore(&p->siglock, f);
	atomic_dec(&p->user->tasks);
	t->tid->task = NULL;
	if (exec_task)
		waitq_wake_all(&p->child_wait);
	pid_release_locked(t->tid);
}

/*
 * Has @p no thread any more, nor a dead one that a tracer is still to wait for? (But for the
 * leader, which is waited for last.) ctx: any; holds: tree.
 */
bool proc_is_empty(const struct proc *p)
{
	return p->state == PROC_ALIVE && p->ntasks == 0 && p->ndead == 0;
}

/*
 * The empty process @p becomes a zombie for its leader's tracer, if there is one, and then for its
 * parent; when nobody will wait it goes at once. ctx: thread; holds: tree.
 */
void proc_become_zombie_locked(struct proc *p, struct dead_list *dead)
{
	p->state = PROC_ZOMBIE;
	waitq_wake_all(&p->pid->exit_wait);
	if (p->dead_leader) {
		ptrace_notify_dead_locked(p->dead_leader);
	} else if (proc_notify_parent_locked(p)) {
		proc_reap_locked(p);
		list_add_tail(&dead->procs, &p->sibling);
	}
}

/* The last thread has left: children and groups of the process are without it. holds: tree */
static void exit_last_locked(struct proc *p, struct dead_list *dead)
{
	u64 f;

	exit_reparent_locked(p, dead);
	f = spin_lock_irqsave(&p->siglock);
	sigpending_flush(&p->pending);
	p->stopped = false;
	spin_unlock_irqrestore(&p->siglock, f);
	if (p->parent && p->parent->pgrp != p->pgrp && p->parent->session == p->session)
		exit_check_orphans_locked(p->pgrp, p);
}

static void exit_leave_tree(struct task *t)
{
	struct proc *p = t->proc;
	struct dead_list dead = DEAD_LIST_INIT(dead);

	proc_tree_lock();
	ptrace_exit_tracer_locked(t, &dead);
	exit_detach_task_locked(t);
	if (p->ntasks == 0) {
		exit_last_locked(p, &dead);
		oom_note_left(p);
	} else {
		exit_hand_on_locked(t);
	}
	/* A traced leader that is the last of all is told of as the zombie that its process is. */
	if ((t->trace.flags & TRACE_DEAD) && !(p->dead_leader == t && proc_is_empty(p)))
		ptrace_notify_dead_locked(t);
	if (proc_is_empty(p))
		proc_become_zombie_locked(p, &dead);
	proc_tree_unlock();
	dead_list_put(&dead);
	/* Not by this thread, whose process may be freed by now. */
	if (unlikely(READ_ONCE(mounts_on_passing)))
		mount_prune_soon();
}

/*
 * Drop what was put aside under a lock. ctx: thread; holds: nothing.
 */
void dead_list_put(struct dead_list *dead)
{
	struct proc *p, *ptmp;
	struct task *t, *tmp;

	list_for_each_safe(t, tmp, &dead->tasks, trace.link) {
		list_del(&t->trace.link);
		task_put(t);
	}
	list_for_each_safe(p, ptmp, &dead->procs, sibling) {
		list_del(&p->sibling);
		task_put(p->dead_task);
		p->dead_task = NULL;
		proc_put(p);
	}
}

static void __noreturn __cold exit_of_init(int status)
{
	if (status & 0x7f)
		panic_plain("init was killed by signal %d; there is nothing left to run",
			    status & 0x7f);
	panic_plain("init exited with status %d; there is nothing left to run", status >> 8 & 0xff);
}

/*
 * End the current thread. @code is its wait status; it counts for the process unless the group
 * exits with its own.
 * ctx: thread, a user task with no lock held.
 */
void proc_exit_thread(int code)
{
	struct task *t = current_task();
	struct proc *p = t->proc;
	struct acct_exit acct;
	bool last;

	coredump_hold(t);
	ptrace_exit_event(code);
	t->exit_code = code;
	last = __atomic_sub_fetch(&p->nlive, 1, __ATOMIC_ACQ_REL) == 0;
	if (last && p == proc_of_init)
		exit_of_init(p->group_exit ? p->exit_code : code);
	exit_signals(t);
	if (last) {
		acct_collect(&acct);
		exit_process_parts(p);
	}
	keys_exit_task(t, last);
	exit_vm(t);
	if (last)
		acct_process(&acct, p->group_exit || p->leader != t ? p->exit_code : code);
	exit_files(t);
	exit_leave_tree(t);
	thread_count_dec();
	thread_exit();
}

/*
 * End the whole process with wait status @status, unless it is ending with another already.
 * ctx: thread, a user task with no lock held.
 */
void proc_exit_group(int status)
{
	struct proc *p = current_proc();
	u64 f = spin_lock_irqsave(&p->siglock);

	if (p->group_exit)
		status = p->exit_code;
	else if (p->exec_task && p->exec_task != current_task())
		status = 0;
	else
		signal_group_exit_locked(p, status);
	spin_unlock_irqrestore(&p->siglock, f);
	proc_exit_thread(status);
}
