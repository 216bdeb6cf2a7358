/*
 * The objects: tasks, processes, tables of signal actions; their usage figures; the first process.
 *
 * A task embeds the scheduler's thread and dies with its last thread reference (task_destroy). A
 * process is referenced by the tree (from fork to reaping), by each of its tasks, and by whoever
 * looked it up. What a task uses of other layers (address space, descriptors, directories,
 * credentials) is in struct thread; the task replaces those pointers under its process's siglock,
 * so others take references under the same lock.
 */
#include <linux/errno.h>
#include <linux/sched.h>
#include <linux/time.h>
#include "fs/namei.h"
#include "fs/procfs.h"
#include "kernel/base/panic.h"
#include "kernel/lib/string.h"
#include "kernel/proc/coredump.h"
#include "kernel/proc/fileowner.h"
#include "kernel/proc/internal.h"
#include "kernel/proc/seccomp.h"
#include "kernel/sched/sched.h"

static struct kmem_cache *task_cache, *proc_cache, *sighand_cache; /* I after boot */
struct kmem_cache *sigqueue_cache;
struct proc *proc_of_init;
const struct proc_sem_ops *proc_sem_ops;

static atomic_t nthreads; /* a: user threads */
static atomic_t nprocs; /* a: processes, zombies included */
static int threads_limit; /* a: /proc/sys/kernel/threads-max */
SYSCTL_INT(threads_max, "sys/kernel/threads-max", &threads_limit, 1, 0x3fffffff);

/*
 * Take or drop a reference to a task. ctx: any.
 */
void task_get(struct task *t)
{
	thread_get(&t->thread);
}

/*
 * Drop a reference to a task; the last frees it. ctx: any.
 */
void task_put(struct task *t)
{
	thread_put(&t->thread);
}

/* Last reference gone. ctx: as thread_put: any. */
static void task_destroy(struct thread *thread)
{
	struct task *t = task_of(thread);

	if (t->tid)
		pid_put(t->tid);
	if (thread->cred)
		cred_put(thread->cred);
	kfree(thread->arch.debug_regs);
	seccomp_filter_put(t->seccomp);
	io_context_put(t->io_context);
	if (t->proc)
		proc_put(t->proc);
	kmem_cache_free(task_cache, t);
}

/*
 * A zeroed task. ctx: thread; sleeps. NULL: no memory.
 */
struct task *task_alloc(void)
{
	struct task *t = kmem_cache_alloc(task_cache, 0);

	if (!t)
		return NULL;
	memset(t, 0, sizeof(*t));
	list_init(&t->proc_link);
	list_init(&t->trace.link);
	list_init(&t->tracees);
	list_init(&t->futex_owned);
	sigpending_init(&t->pending);
	t->thread.user = true;
	t->altstack_flags = SS_DISABLE;
	t->thread.destroy = task_destroy;
	return t;
}

/*
 * Free a task that was never started. ctx: thread. Drops what it refers to.
 */
void task_free_unstarted(struct task *t)
{
	task_destroy(&t->thread);
}

static const struct rlimit64 default_limits[RLIM_NLIMITS] = {
	[RLIMIT_CPU] = { RLIM64_INFINITY, RLIM64_INFINITY },
	[RLIMIT_FSIZE] = { RLIM64_INFINITY, RLIM64_INFINITY },
	[RLIMIT_DATA] = { RLIM64_INFINITY, RLIM64_INFINITY },
	[RLIMIT_STACK] = { MIB(8), RLIM64_INFINITY },
	[RLIMIT_CORE] = { 0, RLIM64_INFINITY },
	[RLIMIT_RSS] = { RLIM64_INFINITY, RLIM64_INFINITY },
	[RLIMIT_NOFILE] = { 1024, 4096 },
	[RLIMIT_MEMLOCK] = { MIB(8), MIB(8) },
	[RLIMIT_AS] = { RLIM64_INFINITY, RLIM64_INFINITY },
	[RLIMIT_LOCKS] = { RLIM64_INFINITY, RLIM64_INFINITY },
	[RLIMIT_MSGQUEUE] = { 819200, 819200 },
	[RLIMIT_RTTIME] = { RLIM64_INFINITY, RLIM64_INFINITY },
};

/*
 * A process with nothing in it. ctx: thread; sleeps. NULL: no memory.
 */
struct proc *proc_alloc(void)
{
	struct proc *p = kmem_cache_alloc(proc_cache, 0);

	if (!p)
		return NULL;
	memset(p, 0, sizeof(*p));
	ref_init(&p->refs, 1);
	list_init(&p->pgrp_link);
	list_init(&p->session_link);
	list_init(&p->children);
	list_init(&p->sibling);
	list_init(&p->tasks);
	list_init(&p->posix_timers);
	mutex_init(&p->lock, RANK_PROC);
	spin_init(&p->siglock, RANK_SIGNAL);
	waitq_init(&p->child_wait);
	sigpending_init(&p->pending);
	itimers_init(p);
	p->dumpable = 1;
	p->core_filter = CORE_FILTER_DEFAULT;
	p->start_time = time_now();
	atomic_inc(&nprocs);
	return p;
}

/*
 * Another reference to @p, which the caller keeps alive. ctx: any.
 */
struct proc *proc_get(struct proc *p)
{
	ref_get(&p->refs);
	return p;
}

/*
 * Drop a reference; the last frees. ctx: any.
 */
void proc_put(struct proc *p)
{
	if (!ref_put(&p->refs))
		return;
	sigwatch_exit(p);
	if (p->sighand)
		sighand_put(p->sighand);
	if (p->dead_cred)
		cred_put(p->dead_cred);
	if (p->user)
		user_put(p->user);
	if (p->ptracer)
		pid_put(p->ptracer);
	if (p->pid)
		pid_put(p->pid);
	atomic_dec(&nprocs);
	kmem_cache_free(proc_cache, p);
}

/*
 * A table of actions, all default. ctx: thread; sleeps. NULL: no memory.
 */
struct sighand *sighand_alloc(void)
{
	struct sighand *s = kmem_cache_alloc(sighand_cache, 0);

	if (!s)
		return NULL;
	ref_init(&s->refs, 1);
	spin_init(&s->lock, RANK_SIGHAND);
	memset(s->action, 0, sizeof(s->action));
	return s;
}

/*
 * A copy for fork; @clear: handlers become defaults (CLONE_CLEAR_SIGHAND). ctx: thread; sleeps. 0
 * or -ENOMEM.
 */
int sighand_copy(const struct sighand *from, bool clear, struct sighand **out)
{
	struct sighand *s = kmem_cache_alloc(sighand_cache, 0);

	if (!s)
		return -ENOMEM;
	ref_init(&s->refs, 1);
	spin_init(&s->lock, RANK_SIGHAND);
	memcpy(s->action, from->action, sizeof(s->action));
	if (clear)
		signal_flush_handlers(s);
	*out = s;
	return 0;
}

/*
 * Another reference. ctx: any.
 */
struct sighand *sighand_get(struct sighand *s)
{
	ref_get(&s->refs);
	return s;
}

/*
 * Drop a reference; the last frees. ctx: any.
 */
void sighand_put(struct sighand *s)
{
	if (ref_put(&s->refs))
		kmem_cache_free(sighand_cache, s);
}

/*
 * Count a new thread, unless threads-max is reached. ctx: any. 0 or -EAGAIN.
 */
int thread_count_inc(void)
{
	if (atomic_add_return(&nthreads, 1) > (u32)READ_ONCE(threads_limit)) {
		atomic_dec(&nthreads);
		return -EAGAIN;
	}
	return 0;
}

/*
 * A thread has gone. ctx: any.
 */
void thread_count_dec(void)
{
	atomic_dec(&nthreads);
}

/*
 * User threads there are. ctx: any.
 */
u32 thread_count(void)
{
	return atomic_read(&nthreads);
}

/*
 * Processes there are, zombies included. ctx: any.
 */
u32 proc_count(void)
{
	return atomic_read(&nprocs);
}

/*
 * /proc/sys/kernel/threads-max. ctx: any.
 */
int threads_max(void)
{
	return READ_ONCE(threads_limit);
}

/*
 * The address space of @t with a vmspace_put() reference, NULL when it has none (any more). ctx:
 * any.
 */
struct vmspace *task_get_vm(struct task *t)
{
	u64 f = spin_lock_irqsave(&t->proc->siglock);
	struct vmspace *vm = t->thread.vm;

	if (vm)
		vmspace_get(vm);
	spin_unlock_irqrestore(&t->proc->siglock, f);
	return vm;
}

/*
 * The descriptor table of @t with a reference, NULL when it has none any more. ctx: any.
 */
struct fdtable *task_get_files(struct task *t)
{
	u64 f = spin_lock_irqsave(&t->proc->siglock);
	struct fdtable *files = t->thread.files;

	if (files)
		fdtable_get(files);
	spin_unlock_irqrestore(&t->proc->siglock, f);
	return files;
}

/*
 * Root and current directory of @t with a reference, NULL when it has none any more. ctx: any.
 */
struct fsctx *task_get_fs(struct task *t)
{
	u64 f = spin_lock_irqsave(&t->proc->siglock);
	struct fsctx *fs = t->thread.fs;

	if (fs)
		fsctx_get(fs);
	spin_unlock_irqrestore(&t->proc->siglock, f);
	return fs;
}

/*
 * pivot_root(2): whoever's root or current directory is @from has @to, every thread of every
 * process and the kernel's. ctx: thread; sleeps.
 */
void procs_move(const struct path *from, const struct path *to)
{
	struct fsctx *fs;
	struct task *t;

	fsctx_move(&fsctx_boot, NULL, from, to);
	for (struct proc *p = proc_next(1); p;) {
		u32 next = p->pid->nr + 1;

		for (u32 tid = 1; (t = task_next(p, tid)) != NULL;) {
			tid = t->tid->nr + 1;
			fs = task_get_fs(t);
			if (fs) {
				fsctx_move(fs, &t->thread, from, to);
				fsctx_put(fs);
			}
			task_put(t);
		}
		proc_put(p);
		p = proc_next(next);
	}
}

/*
 * The credentials of @t with a reference. ctx: any.
 */
struct cred *task_get_cred(struct task *t)
{
	u64 f = spin_lock_irqsave(&t->proc->siglock);
	struct cred *c = cred_get(t->thread.cred);

	spin_unlock_irqrestore(&t->proc->siglock, f);
	return c;
}

/*
 * The credentials of @p's leader, also of one that has exited, with a reference. ctx: any.
 */
struct cred *proc_get_cred(struct proc *p)
{
	u64 f = spin_lock_irqsave(&p->siglock);
	struct cred *c = cred_get(p->leader ? p->leader->thread.cred : p->dead_cred);

	spin_unlock_irqrestore(&p->siglock, f);
	return c;
}

/*
 * The name of @p's leader, also of one that has exited. ctx: any.
 */
void proc_get_name(struct proc *p, char out[16])
{
	struct task *t = NULL;
	u64 f = spin_lock_irqsave(&p->siglock);

	if (p->leader) {
		t = p->leader;
		task_get(t);
	} else {
		memcpy(out, p->dead_name, 16);
	}
	spin_unlock_irqrestore(&p->siglock, f);
	if (t) {
		thread_get_name(&t->thread, out);
		task_put(t);
	}
}

/*
 * The leader of @p, or another live thread when it has exited, with a reference; NULL: a zombie.
 * ctx: any.
 */
struct task *proc_get_leader(struct proc *p)
{
	struct task *t;
	u64 f = spin_lock_irqsave(&p->siglock);

	t = p->leader;
	if (!t && !list_empty(&p->tasks))
		t = list_first(&p->tasks, struct task, proc_link);
	if (t)
		task_get(t);
	spin_unlock_irqrestore(&p->siglock, f);
	return t;
}

static void usage_add_io(struct proc_io *sum, const struct proc_io *io)
{
	sum->rchar += READ_ONCE(io->rchar);
	sum->wchar += READ_ONCE(io->wchar);
	sum->syscr += READ_ONCE(io->syscr);
	sum->syscw += READ_ONCE(io->syscw);
}

/*
 * Add what thread @t has used. ctx: any.
 */
void proc_usage_add_task(struct proc_usage *u, struct task *t)
{
	s64 user, sys;

	sched_times(&t->thread, &user, &sys);
	u->utime += user;
	u->stime += sys;
	u->nvcsw += t->thread.se.nvcsw;
	u->nivcsw += t->thread.se.nivcsw;
	u->minflt += t->minflt;
	u->majflt += t->majflt;
	usage_add_io(&u->io, &t->io);
}

/*
 * Add @more to @u. ctx: any.
 */
void proc_usage_add(struct proc_usage *u, const struct proc_usage *more)
{
	u->utime += more->utime;
	u->stime += more->stime;
	u->nvcsw += more->nvcsw;
	u->nivcsw += more->nivcsw;
	u->minflt += more->minflt;
	u->majflt += more->majflt;
	u->inblock += more->inblock;
	u->oublock += more->oublock;
	u->maxrss = MAX(u->maxrss, more->maxrss);
	usage_add_io(&u->io, &more->io);
}

/*
 * What the threads of @p used so far, dead ones included. ctx: any; holds: siglock or tree.
 */
void proc_usage_get(struct proc *p, struct proc_usage *out)
{
	struct task *t;

	*out = p->dead;
	list_for_each(t, &p->tasks, proc_link)
		proc_usage_add_task(out, t);
}

/*
 * CPU time of @p so far. ctx: any.
 */
void proc_times(struct proc *p, s64 *utime, s64 *stime)
{
	struct proc_usage u;
	u64 f = spin_lock_irqsave(&p->siglock);

	proc_usage_get(p, &u);
	spin_unlock_irqrestore(&p->siglock, f);
	*utime = u.utime;
	*stime = u.stime;
}

static u64 proc_live_maxrss(struct proc *p)
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
		rss = MAX(rss, READ_ONCE(vm->peak_rss));
		vmspace_put(vm);
	}
	task_put(t);
	return rss;
}

static void usage_to_rusage(const struct proc_usage *u, struct rusage *out)
{
	memset(out, 0, sizeof(*out));
	out->ru_utime.tv_sec = u->utime / NSEC_PER_SEC;
	out->ru_utime.tv_usec = u->utime % NSEC_PER_SEC / NSEC_PER_USEC;
	out->ru_stime.tv_sec = u->stime / NSEC_PER_SEC;
	out->ru_stime.tv_usec = u->stime % NSEC_PER_SEC / NSEC_PER_USEC;
	out->ru_maxrss = (long)(u->maxrss * (PAGE_SIZE / 1024));
	out->ru_minflt = (long)u->minflt;
	out->ru_majflt = (long)u->majflt;
	out->ru_inblock = (long)u->inblock;
	out->ru_oublock = (long)u->oublock;
	out->ru_nvcsw = (long)u->nvcsw;
	out->ru_nivcsw = (long)u->nivcsw;
}

/*
 * getrusage(2): RUSAGE_SELF, RUSAGE_CHILDREN, RUSAGE_THREAD (of current), or RUSAGE_BOTH for wait.
 * ctx: thread.
 */
void proc_rusage(struct proc *p, int who, struct rusage *out)
{
	struct proc_usage u = { 0 };
	u64 rss = who == RUSAGE_CHILDREN ? 0 : proc_live_maxrss(p);
	u64 f = spin_lock_irqsave(&p->siglock);

	if (who == RUSAGE_THREAD)
		proc_usage_add_task(&u, current_task());
	else if (who != RUSAGE_CHILDREN)
		proc_usage_get(p, &u);
	if (who == RUSAGE_CHILDREN || who == RUSAGE_BOTH)
		proc_usage_add(&u, &p->kids);
	spin_unlock_irqrestore(&p->siglock, f);
	u.maxrss = MAX(u.maxrss, rss);
	usage_to_rusage(&u, out);
}

/*
 * Boot: caches, limits that depend on memory. ctx: boot, after the slab.
 */
void proc_init(void)
{
	struct pmm_stats mem;

	task_cache = kmem_cache_create("task", sizeof(struct task), 64);
	proc_cache = kmem_cache_create("proc", sizeof(struct proc), 16);
	sighand_cache = kmem_cache_create("sighand", sizeof(struct sighand), 16);
	sigqueue_cache = kmem_cache_create("sigqueue", sizeof(struct sigqueue_entry), 8);
	pmm_get_stats(&mem);
	/* Thread stacks may take an eighth of memory. */
	threads_limit = (int)MIN(mem.total * PAGE_SIZE / 8 / KSTACK_SIZE, 4194303ull);
	threads_limit = MAX(threads_limit, 20);
	pid_init();
	file_owner_init();
	caller_init();
	user_init();
	futex_init();
	procfs_pid_init();
	procfs_ns_init();
	oom_init();
	binfmt_init();
	acct_init();
}

/* A process of the kernel's own making, numbered @want, or any for 0: all of it that may fail. */
static int origin_proc_create(u32 want, struct proc **out)
{
	struct proc *p = proc_alloc();
	int err = -ENOMEM;

	if (!p)
		return -ENOMEM;
	memcpy(p->rlim, default_limits, sizeof(p->rlim));
	p->rlim[RLIMIT_NPROC].rlim_cur = p->rlim[RLIMIT_NPROC].rlim_max = (u64)threads_max() / 2;
	p->rlim[RLIMIT_SIGPENDING] = p->rlim[RLIMIT_NPROC];
	p->exit_signal = SIGCHLD;
	p->sighand = sighand_alloc();
	p->user = user_find(0);
	if (p->sighand && p->user)
		err = pid_alloc(want, &p->pid);
	if (err) {
		proc_put(p);
		return err;
	}
	*out = p;
	return 0;
}

/* Its thread, with a copy of the directories @fs. */
static int origin_task_create(struct proc *p, struct fsctx *fs, const char *name,
			      void (*fn)(void *), void *arg, struct task **out)
{
	struct task *t = task_alloc();
	int err = -ENOMEM;

	if (!t)
		return -ENOMEM;
	t->proc = proc_get(p);
	t->thread.proc = p;
	t->tid = pid_get(p->pid);
	t->thread.cred = cred_get(&cred_root);
	t->timer_slack = 50000;
	err = fsctx_copy(fs, &t->thread.fs);
	if (err)
		goto free_task;
	err = fdtable_create(&t->thread.files);
	if (err)
		goto put_fs;
	err = thread_init(&t->thread, name, fn, arg);
	if (err)
		goto put_files;
	t->frame = arch_user_frame(&t->thread.arch);
	memset(t->frame, 0, sizeof(*t->frame));
	t->frame->syscallno = -1;
	*out = t;
	return 0;
put_files:
	fdtable_put(t->thread.files);
put_fs:
	fsctx_put(t->thread.fs);
free_task:
	task_free_unstarted(t);
	return err;
}

static int origin_create(u32 want, struct fsctx *fs, const char *name, void (*fn)(void *),
			 void *arg, struct task **out)
{
	struct proc *p;
	int err = origin_proc_create(want, &p);

	if (err)
		return err;
	err = origin_task_create(p, fs, name, fn, arg, out);
	if (err) {
		pid_release(p->pid);
		p->pid = NULL;
		proc_put(p);
	}
	return err;
}

/* @t's process is there from now on, in @session and @pgrp. holds: tree */
static void origin_publish_locked(struct task *t, struct pid *session, struct pid *pgrp)
{
	struct proc *p = t->proc;

	p->pid->proc = p;
	p->pid->task = t;
	p->leader = t;
	p->ntasks = p->nlive = 1;
	list_add(&p->tasks, &t->proc_link);
	proc_join_session_locked(p, session);
	proc_join_pgrp_locked(p, pgrp);
}

/*
 * Make process 1, whose thread runs @fn(@arg) in the kernel; when that returns the thread goes to
 * user mode, so @fn has called proc_exec. ctx: boot thread; sleeps. 0 or -errno.
 */
int proc_start_init(void (*fn)(void *arg), void *arg)
{
	struct task *t;
	int err = origin_create(1, current->fs, "init", fn, arg, &t);

	if (err)
		return err;
	t->proc->unkillable = true;
	proc_tree_lock();
	proc_of_init = t->proc;
	origin_publish_locked(t, t->tid, t->tid);
	proc_tree_unlock();
	atomic_inc(&t->proc->user->tasks);
	atomic_inc(&nthreads);
	thread_start(&t->thread);
	return 0;
}

/*
 * Make a child of init that nobody waits for, whose thread runs @fn(@arg) as init's did. ctx:
 * thread; sleeps. 0 or -errno.
 */
int proc_start_helper(void (*fn)(void *arg), void *arg)
{
	struct task *init = proc_get_leader(proc_of_init), *t;
	struct fsctx *fs = init ? task_get_fs(init) : NULL;
	int err = fs ? thread_count_inc() : -ESRCH;

	if (!err) {
		err = origin_create(0, fs, "helper", fn, arg, &t);
		if (err)
			thread_count_dec();
	}
	if (fs)
		fsctx_put(fs);
	if (init)
		task_put(init);
	if (err)
		return err;
	t->thread.affinity = ~0ull;
	(void)sched_set_policy(&t->thread, SCHED_NORMAL, 0, 0);
	t->proc->unwaited = true;
	proc_tree_lock();
	t->proc->parent = proc_of_init;
	t->proc->ppid = proc_of_init->pid->nr;
	list_add_tail(&proc_of_init->children, &t->proc->sibling);
	origin_publish_locked(t, proc_of_init->session, proc_of_init->pgrp);
	proc_tree_unlock();
	atomic_inc(&t->proc->user->tasks);
	thread_start(&t->thread);
	return 0;
}
