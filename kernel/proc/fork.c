/*
 * clone(2), clone3(2), fork(2), vfork(2), unshare(2).
 *
 * Check, then commit. proc_clone builds the child in a struct birth: everything that may fail
 * (number, kernel stack, address space, tables, the pidfd's slot) is made before anybody can see
 * the child. clone_publish then links it into the tree under the tree lock, where only one thing
 * can still refuse: a signal that came meanwhile, so that no process escapes a signal to its group.
 * Afterwards nothing fails.
 *
 * The child's kernel stack has a copy of the parent's user registers with x0 = 0; its first switch
 * runs task_begin() and goes to user mode. A vfork parent sleeps until the child lets go of the
 * address space (task_wake_vfork_parent, from exec or exit): the child holds a reference to the
 * parent's task and clears the pointer that the parent watches.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/sched.h>
#include "kernel/base/log.h"
#include "kernel/lib/string.h"
#include "kernel/proc/internal.h"
#include "kernel/proc/rseq.h"
#include "kernel/proc/keys.h"
#include "kernel/proc/seccomp.h"
#include "kernel/sched/sched.h"

#define CLONE_NAMESPACES                                                                           \
	(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | \
	 CLONE_NEWCGROUP)

/* A child in the making; what is NULL has not been made. */
struct birth {
	const struct clone_args_k *a;
	struct task *t;
	struct proc *p; /* new process, or the current one for a thread */
	struct pid *pid;
	struct file *pidfd_file;
	int pidfd; /* -1: none */
	int event; /* PTRACE_EVENT_* that the tracer wants to see, 0: none */
};

/* First thing a new user thread runs; it goes to user mode when this returns. */
static void task_begin(void *arg)
{
	struct task *t = current_task();

	if (t->set_child_tid && put_user(t->set_child_tid, t->tid->nr))
		t->set_child_tid = 0;
}

static int clone_check_flags(const struct clone_args_k *a)
{
	u64 f = a->flags;

	if ((f & (CLONE_NEWNS | CLONE_FS)) == (CLONE_NEWNS | CLONE_FS))
		return -EINVAL;
	if ((f & (CLONE_NEWUSER | CLONE_FS)) == (CLONE_NEWUSER | CLONE_FS))
		return -EINVAL;
	if ((f & CLONE_THREAD) && !(f & CLONE_SIGHAND))
		return -EINVAL;
	if ((f & CLONE_SIGHAND) && !(f & CLONE_VM))
		return -EINVAL;
	if ((f & CLONE_SIGHAND) && (f & CLONE_CLEAR_SIGHAND))
		return -EINVAL;
	if ((f & CLONE_PARENT) && current_proc()->unkillable)
		return -EINVAL;
	if ((f & CLONE_PIDFD) && (f & (CLONE_THREAD | CLONE_DETACHED)))
		return -EINVAL;
	/* One would overwrite the other. */
	if ((f & CLONE_PIDFD) && (f & CLONE_PARENT_SETTID) && a->pidfd == a->parent_tid)
		return -EINVAL;
	if ((f & CLONE_THREAD) && (f & (CLONE_NEWPID | CLONE_NEWUSER)))
		return -EINVAL;
	if (f & CLONE_NAMESPACES)
		return cred_capable(current->cred, CAP_SYS_ADMIN) ||
				       (f & CLONE_NAMESPACES) == CLONE_NEWUSER
			       ? -EINVAL
			       : -EPERM;
	return 0;
}

static int clone_check_limits(void)
{
	const struct cred *c = current->cred;
	struct proc *p = current_proc();

	if (atomic_read(&p->user->tasks) < proc_rlimit(RLIMIT_NPROC))
		return 0;
	if (c->uid == 0 || cred_capable(c, CAP_SYS_RESOURCE) || cred_capable(c, CAP_SYS_ADMIN))
		return 0;
	return -EAGAIN;
}

/* What a task starts with besides the objects it shares. */
static void birth_fill_task(struct birth *b)
{
	const struct clone_args_k *a = b->a;
	struct task *self = current_task(), *t = b->t;

	t->proc = proc_get(b->p);
	t->thread.proc = b->p;
	t->tid = pid_get(b->pid);
	t->thread.cred = cred_get(current->cred);
	t->blocked = self->blocked;
	t->personality = self->personality;
	t->timer_slack = t->default_slack = self->timer_slack;
	t->mce_kill = self->mce_kill;
	t->mempolicy = self->mempolicy;
	t->mempolicy_nodes = self->mempolicy_nodes;
	t->io_flusher = self->io_flusher;
	t->login_uid = self->login_uid;
	t->login_session = self->login_session;
	t->bypass_forced = self->bypass_forced;
	if ((a->flags & (CLONE_VM | CLONE_VFORK)) != CLONE_VM) {
		t->altstack_sp = self->altstack_sp;
		t->altstack_size = self->altstack_size;
		t->altstack_flags = self->altstack_flags;
	}
	if (!(a->flags & CLONE_VM))
		rseq_fork(t);
	if (a->flags & CLONE_CHILD_SETTID)
		t->set_child_tid = a->child_tid;
	if (a->flags & CLONE_CHILD_CLEARTID)
		t->clear_child_tid = a->child_tid;
}

/* The user registers that the child starts with. */
static void birth_fill_frame(struct birth *b)
{
	const struct clone_args_k *a = b->a;
	struct task *t = b->t;

	t->frame = arch_user_frame(&t->thread.arch);
	*t->frame = *current_task()->frame;
	frame_set_result(t->frame, 0);
	t->frame->syscallno = -1;
	if (a->stack)
		t->frame->sp = a->stack;
	arch_thread_fork(&t->thread.arch);
	if (a->flags & CLONE_SETTLS)
		t->thread.arch.tls = a->tls;
}

static int birth_share_fs(struct birth *b)
{
	struct thread *t = &b->t->thread;

	if (!(b->a->flags & CLONE_FS))
		return fsctx_copy(current->fs, &t->fs);
	t->fs = fsctx_get(current->fs);
	return 0;
}

static int birth_share_files(struct birth *b)
{
	struct thread *t = &b->t->thread;

	if (!(b->a->flags & CLONE_FILES))
		return fdtable_copy(current->files, &t->files);
	t->files = fdtable_get(current->files);
	return 0;
}

static int birth_share_vm(struct birth *b)
{
	struct thread *t = &b->t->thread;

	int err = 0;

	if (b->a->flags & CLONE_VM) {
		vmspace_get_user(current->vm);
		t->vm = current->vm;
	} else {
		err = vmspace_fork(current->vm, &t->vm);
	}
	if (!err)
		t->pmap = &t->vm->pmap;
	return err;
}

/* A new process like the current one, not in the tree yet. */
static int birth_make_proc(struct birth *b)
{
	struct proc *self = current_proc(), *p;
	u64 flags = b->a->flags, f;
	int err;

	if (flags & CLONE_THREAD) {
		b->p = proc_get(self);
		return 0;
	}
	p = proc_alloc();
	if (!p)
		return -ENOMEM;
	if (flags & CLONE_SIGHAND) {
		p->sighand = sighand_get(self->sighand);
	} else {
		err = sighand_copy(self->sighand, flags & CLONE_CLEAR_SIGHAND, &p->sighand);
		if (err) {
			proc_put(p);
			return err;
		}
	}
	f = spin_lock_irqsave(&self->siglock);
	memcpy(p->rlim, self->rlim, sizeof(p->rlim));
	p->user = user_get(self->user);
	spin_unlock_irqrestore(&self->siglock, f);
	p->pid = pid_get(b->pid);
	p->creator = current_task()->tid->nr;
	p->exit_signal = b->a->exit_signal;
	p->dumpable = self->dumpable;
	p->core_filter = self->core_filter;
	p->oom_score_adj = self->oom_score_adj;
	p->oom_score_adj_min = self->oom_score_adj_min;
	p->thp_disable = self->thp_disable;
	p->membarrier = self->membarrier;
	p->forked_noexec = true;
	b->p = p;
	return 0;
}

static int birth_make_pidfd(struct birth *b)
{
	int err;

	if (!(b->a->flags & CLONE_PIDFD))
		return 0;
	err = fd_reserve(0, proc_rlimit(RLIMIT_NOFILE), true, &b->pidfd);
	if (err)
		return err;
	err = pidfd_create(b->pid, O_RDWR, &b->pidfd_file);
	if (err)
		return err;
	return put_user(b->a->pidfd, b->pidfd);
}

/* Everything that may fail. On error birth_undo takes back what was made. */
static int birth_make(struct birth *b)
{
	bool chosen = b->a->set_tid_size;
	int err = -EPERM;

	if (!chosen || thread_capable(CAP_SYS_ADMIN) || thread_capable(CAP_CHECKPOINT_RESTORE))
		err = pid_alloc(chosen ? b->a->set_tid[0] : 0, &b->pid);
	if (err)
		return err;
	err = birth_make_proc(b);
	if (err)
		return err;
	b->t = task_alloc();
	if (!b->t)
		return -ENOMEM;
	birth_fill_task(b);
	err = io_context_inherit(b->t, b->a->flags & CLONE_IO);
	if (err)
		return err;
	err = birth_share_files(b);
	if (err)
		return err;
	err = birth_share_fs(b);
	if (err)
		return err;
	err = birth_share_vm(b);
	if (err)
		return err;
	err = birth_make_pidfd(b);
	if (err)
		return err;
	if (current->se.policy == SCHED_DEADLINE && !current->se.reset_on_fork)
		return -EAGAIN;
	/* Last, so that undoing needs to know of one state less. */
	err = thread_init(&b->t->thread, current->name, task_begin, NULL);
	if (err)
		return err;
	birth_fill_frame(b);
	return 0;
}

static void birth_undo(struct birth *b)
{
	struct task *t = b->t;

	if (b->pidfd_file)
		file_put(b->pidfd_file);
	if (b->pidfd >= 0)
		fd_unreserve(b->pidfd);
	if (t) {
		if (t->thread.vm)
			vmspace_put_user(t->thread.vm);
		if (t->thread.fs)
			fsctx_put(t->thread.fs);
		if (t->thread.files)
			fdtable_put(t->thread.files);
		task_free_unstarted(t);
	}
	if (b->p)
		proc_put(b->p);
	if (b->pid)
		pid_release(b->pid);
}

/* Link a new process below its parent. holds: tree, the current siglock */
static void publish_proc_locked(struct birth *b, struct proc *self)
{
	struct proc *p = b->p, *parent = self;

	if (b->a->flags & CLONE_PARENT) {
		parent = self->parent;
		p->exit_signal = self->exit_signal;
		p->creator = self->creator;
	}
	p->parent = parent;
	p->ppid = parent->pid->nr;
	p->leader = b->t;
	p->did_exec = false;
	b->pid->proc = p;
	list_add_tail(&parent->children, &p->sibling);
	proc_join_session_locked(p, self->session);
	proc_join_pgrp_locked(p, self->pgrp);
	p->tty = self->tty;
	if (p->tty)
		proc_tty_ops->get(p->tty);
	proc_get(p); /* the tree's */
}

/*
 * Make the child visible, unless current has to look at a signal first. 0, -ERESTARTNOINTR, -EAGAIN
 */
static int clone_publish(struct birth *b)
{
	struct proc *self = current_proc(), *p = b->p;
	struct task *t = b->t;
	int err = 0;
	u64 f;

	proc_tree_lock();
	f = spin_lock_irqsave(&self->siglock);
	if ((b->a->flags & CLONE_THREAD) ? signal_fatal_pending() : signal_pending()) {
		err = -ERESTARTNOINTR;
	} else if (b->a->flags & CLONE_THREAD) {
		/* An exec of the group that is under way would miss the newcomer. */
		if (self->group_exit || self->exec_task)
			err = -EAGAIN;
	}
	if (!err) {
		if (!(b->a->flags & CLONE_THREAD))
			publish_proc_locked(b, self);
		else
			signal_stop_inherit_locked(t);
		seccomp_inherit_locked(t);
		if (b->event || (b->a->flags & CLONE_PTRACE))
			ptrace_inherit_locked(t);
		list_add_tail(&p->tasks, &t->proc_link);
		p->ntasks++;
		atomic_inc(&p->user->tasks);
		__atomic_add_fetch(&p->nlive, 1, __ATOMIC_RELAXED);
		b->pid->task = t;
		signal_recalc(t);
	}
	spin_unlock_irqrestore(&self->siglock, f);
	proc_tree_unlock();
	return err;
}

/* Sleep until @child lets go of our address space, or we are killed. */
static void vfork_wait(struct task *child)
{
	struct task *self = current_task();

	word_or(&self->jobctl, TJ_KILLABLE);
	for (;;) {
		sched_prepare(TS_BLOCKED);
		if (!load_acquire(&child->vfork_parent) || signal_fatal_pending())
			break;
		schedule();
	}
	sched_cancel();
	word_and(&self->jobctl, ~TJ_KILLABLE);
}

/* What follows the commit: tell the numbers, start the child. */
static long clone_finish(struct birth *b)
{
	struct task *t = b->t;
	u64 flags = b->a->flags;
	u32 nr = b->pid->nr;

	if (b->pidfd_file)
		fd_install(b->pidfd, b->pidfd_file);
	/* As on Linux a bad address for the child's number is the caller's loss. */
	if ((flags & CLONE_PARENT_SETTID) && put_user(b->a->parent_tid, nr))
		log_debug("clone: cannot store the thread id of %u", nr);
	if (flags & CLONE_VFORK) {
		task_get(t);
		task_get(current_task());
		t->vfork_parent = current_task();
	}
	if ((flags & (CLONE_SYSVSEM | CLONE_THREAD)) == CLONE_SYSVSEM && proc_sem_ops)
		proc_sem_ops->share(b->p, current_proc());
	if (!(flags & CLONE_THREAD))
		cpu_limit_inherited(b->p);
	keys_inherit(t);
	thread_start(&t->thread);
	if (unlikely(b->event))
		ptrace_event(b->event, nr);
	if (flags & CLONE_VFORK) {
		vfork_wait(t);
		task_put(t);
		if (!signal_fatal_pending())
			ptrace_event(PTRACE_EVENT_VFORK_DONE, nr);
	}
	proc_put(b->p);
	pid_put(b->pid);
	return (long)nr;
}

/*
 * Make a child as clone3(2) describes. ctx: thread, a user task; sleeps. The child's id, or
 * -EINVAL, -EPERM, -EAGAIN (limits), -EEXIST, -ENOMEM, -EFAULT, -EMFILE, -ERESTARTNOINTR.
 */
long proc_clone(const struct clone_args_k *a)
{
	struct birth b = { .a = a, .pidfd = -1 };
	int err = clone_check_flags(a);

	if (err)
		return err;
	if (!(a->flags & CLONE_THREAD) && signal_pending())
		return -ERESTARTNOINTR;
	err = clone_check_limits();
	if (err)
		return err;
	b.event = ptrace_clone_event(a);
	err = thread_count_inc();
	if (err)
		return err;
	err = birth_make(&b);
	if (err)
		goto undo;
	err = clone_publish(&b);
	if (err)
		goto fini_thread;
	return clone_finish(&b);

fini_thread:
	thread_fini_unstarted(&b.t->thread);
undo:
	birth_undo(&b);
	thread_count_dec();
	return err;
}

static int unshare_files(void)
{
	struct fdtable *fresh, *old = current->files;
	int err;
	u64 f;

	if (!fdtable_shared(old))
		return 0;
	err = fdtable_copy(old, &fresh);
	if (err)
		return err;
	f = spin_lock_irqsave(&current_proc()->siglock);
	current->files = fresh;
	spin_unlock_irqrestore(&current_proc()->siglock, f);
	fdtable_put(old);
	return 0;
}

static int unshare_fs(void)
{
	struct fsctx *fresh, *old = current->fs;
	int err = fsctx_copy(old, &fresh);
	u64 f;

	if (err)
		return err;
	f = spin_lock_irqsave(&current_proc()->siglock);
	current->fs = fresh;
	spin_unlock_irqrestore(&current_proc()->siglock, f);
	fsctx_put(old);
	return 0;
}

/*
 * unshare(2): descriptors and directories; the rest only where there is nothing shared. ctx:
 * thread; sleeps. 0, -EINVAL, -EPERM, -ENOMEM.
 */
int proc_unshare(u64 flags)
{
	const u64 known = CLONE_THREAD | CLONE_FS | CLONE_SIGHAND | CLONE_VM | CLONE_FILES |
			  CLONE_SYSVSEM | CLONE_NAMESPACES | CLONE_NEWTIME;
	const u64 spaces = flags & (CLONE_NAMESPACES | CLONE_NEWTIME);
	int err = 0;

	if (flags & ~known)
		return -EINVAL;
	if ((flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)) &&
	    READ_ONCE(current_proc()->ntasks) > 1)
		return -EINVAL;
	if (spaces)
		return cred_capable(current->cred, CAP_SYS_ADMIN) || spaces == CLONE_NEWUSER
			       ? -EINVAL
			       : -EPERM;
	/* What exit does to the list of semaphore adjustments; a new one comes with the next. */
	if ((flags & CLONE_SYSVSEM) && current_proc()->sem_undo)
		proc_sem_ops->exit(current_proc());
	if (flags & CLONE_FS)
		err = unshare_fs();
	if (!err && (flags & CLONE_FILES))
		err = unshare_files();
	return err;
}
