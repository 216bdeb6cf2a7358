/*
 * Process numbers and the process tree's lock.
 *
 * Every number in use is a struct pid in one radix tree: as the id of a thread, of a process (also
 * a zombie), of a process group or of a session. It leaves the tree when it bears none of these any
 * more, so a number is never given to a new process while a group still has it. References (pidfd,
 * groups, /proc) keep the structure alive after that, with nothing attached.
 *
 * Numbers are given in ascending order and wrap at pid_max to RESERVED_PIDS, as user space expects
 * of Linux.
 *
 * The tree lock is one spinlock (rank PROC_TREE): it guards the table, the links between processes,
 * groups and sessions. Sections under it are short but for signals to whole groups. It is not taken
 * in interrupts.
 */
#include <linux/errno.h>
#include "fs/procfs.h"
#include "kernel/proc/internal.h"

#define RESERVED_PIDS 300
#define PID_MAX_LIMIT 4194304
#define POOL_KEPT 4 /* nodes for any one number */

int pid_max = 32768;
SYSCTL_INT(pid_max, "sys/kernel/pid_max", &pid_max, RESERVED_PIDS + 1, PID_MAX_LIMIT);

static struct spinlock tree_lock = SPINLOCK_INIT(RANK_PROC_TREE);
static struct radix_tree pid_table = RADIX_TREE_INIT; /* T */
static struct radix_pool pid_pool; /* T: nodes for the next insertion */
static u32 last_pid; /* T */
static struct kmem_cache *pid_cache; /* I after boot */

/*
 * Guard the tree: see proc.h. ctx: thread; sleeps: no.
 */
void proc_tree_lock(void)
{
	spin_lock(&tree_lock);
}

/*
 * End of a proc_tree_lock section. ctx: thread.
 */
void proc_tree_unlock(void)
{
	spin_unlock(&tree_lock);
}

/*
 * Debug builds: the caller holds the tree lock. ctx: thread.
 */
void proc_tree_assert_held(void)
{
	lock_assert_held(&tree_lock);
}

/*
 * Another reference to @p, which the caller keeps alive. ctx: any.
 */
struct pid *pid_get(struct pid *p)
{
	ref_get(&p->refs);
	return p;
}

/*
 * Drop a reference; the last frees. ctx: any.
 */
void pid_put(struct pid *p)
{
	if (ref_put(&p->refs))
		kmem_cache_free(pid_cache, p);
}

/* Next free number in cyclic order, 0 when all are taken. holds: tree */
static u32 pid_choose_locked(void)
{
	u32 max = (u32)READ_ONCE(pid_max), nr = last_pid;

	for (u32 tries = 0; tries < max; tries++) {
		if (++nr >= max)
			nr = RESERVED_PIDS;
		if (!radix_lookup(&pid_table, nr))
			return nr;
	}
	return 0;
}

/*
 * Nodes that inserting @nr needs are in the pool; drops and retakes the lock to allocate. 0,
 * -EAGAIN: look again, -ENOMEM
 */
static int pid_pool_fill_locked(u32 nr)
{
	struct radix_node *n;

	if (pid_pool.count >= radix_nodes_needed(&pid_table, nr))
		return 0;
	proc_tree_unlock();
	n = kmalloc(sizeof(*n), 0);
	proc_tree_lock();
	if (!n)
		return -ENOMEM;
	radix_pool_put(&pid_pool, n);
	return -EAGAIN;
}

static int pid_insert(struct pid *p, u32 want)
{
	int err;

	proc_tree_lock();
	do {
		p->nr = want ? want : pid_choose_locked();
		if (!p->nr)
			err = -ENOSPC;
		else
			err = pid_pool_fill_locked(p->nr);
	} while (err == -EAGAIN);
	if (!err)
		err = radix_insert(&pid_table, p->nr, p, &pid_pool);
	if (!err && !want)
		last_pid = p->nr;
	proc_tree_unlock();
	return err == -ENOSPC ? -EAGAIN : err;
}

/*
 * A new number, or exactly @want (clone3's set_tid). ctx: thread; sleeps.
 * 0 and a reference of the caller's; -EAGAIN: none is free, -EEXIST: @want is taken, -ENOMEM.
 */
int pid_alloc(u32 want, struct pid **out)
{
	struct pid *p = kmem_cache_alloc(pid_cache, 0);
	int err;

	if (!p)
		return -ENOMEM;
	ref_init(&p->refs, 2);
	p->task = NULL;
	p->dead = NULL;
	p->proc = NULL;
	list_init(&p->pgrp);
	list_init(&p->session);
	waitq_init(&p->exit_wait);
	err = pid_insert(p, want);
	if (err) {
		kmem_cache_free(pid_cache, p);
		return err;
	}
	*out = p;
	return 0;
}

/*
 * Free the number if nothing bears it. ctx: thread; holds: tree. Drops the table's reference.
 */
void pid_release_locked(struct pid *p)
{
	proc_tree_assert_held();
	if (p->task || p->dead || p->proc || !list_empty(&p->pgrp) || !list_empty(&p->session))
		return;
	if (radix_lookup(&pid_table, p->nr) != p)
		return;
	radix_erase(&pid_table, p->nr, &pid_pool);
	while (pid_pool.count > POOL_KEPT)
		kfree(radix_pool_take(&pid_pool));
	pid_put(p);
}

/*
 * As pid_release_locked, for a number that was never used. ctx: thread. Consumes the caller's
 * reference.
 */
void pid_release(struct pid *p)
{
	proc_tree_lock();
	pid_release_locked(p);
	proc_tree_unlock();
	pid_put(p);
}

/*
 * The bearer of @nr, without a reference; NULL. ctx: thread; holds: tree.
 */
struct pid *pid_find_locked(u32 nr)
{
	proc_tree_assert_held();
	return radix_lookup(&pid_table, nr);
}

/*
 * The bearer of the lowest number >= @from, without a reference; NULL at the end. ctx: thread;
 * holds: tree.
 */
struct pid *pid_next_locked(u32 from)
{
	u64 key = from;

	return radix_next(&pid_table, &key);
}

/*
 * The bearer of @nr with a reference; NULL. ctx: thread.
 */
struct pid *pid_lookup(u32 nr)
{
	struct pid *p;

	proc_tree_lock();
	p = pid_find_locked(nr);
	if (p)
		pid_get(p);
	proc_tree_unlock();
	return p;
}

/*
 * The live thread with id @tid, with a reference; NULL. ctx: thread.
 */
struct task *task_lookup(u32 tid)
{
	struct task *t = NULL;
	struct pid *p;

	proc_tree_lock();
	p = pid_find_locked(tid);
	if (p && p->task) {
		t = p->task;
		task_get(t);
	}
	proc_tree_unlock();
	return t;
}

/*
 * The thread that bears @p, with a reference; one that has ended, too, while nobody has waited for
 * it: it has its credentials and scheduling parameters still. NULL. ctx: thread.
 */
struct task *pid_get_task(struct pid *p)
{
	struct task *t;

	proc_tree_lock();
	t = p->task ?: p->dead;
	if (!t && p->proc)
		t = p->proc->dead_task;
	if (t)
		task_get(t);
	proc_tree_unlock();
	return t;
}

/*
 * As task_lookup(), but a thread that pid_get_task() finds will do. ctx: thread.
 */
struct task *task_lookup_dead(u32 tid)
{
	struct pid *p = pid_lookup(tid);
	struct task *t = p ? pid_get_task(p) : NULL;

	if (p)
		pid_put(p);
	return t;
}

/*
 * The process with id @nr, zombies included, with a reference; NULL. ctx: thread.
 */
struct proc *proc_lookup(u32 nr)
{
	struct proc *proc = NULL;
	struct pid *p;

	proc_tree_lock();
	p = pid_find_locked(nr);
	if (p && p->proc)
		proc = proc_get(p->proc);
	proc_tree_unlock();
	return proc;
}

/*
 * The process with the lowest id >= @from, with a reference; NULL at the end. ctx: thread.
 */
struct proc *proc_next(u32 from)
{
	struct proc *proc = NULL;
	struct pid *p;

	proc_tree_lock();
	for (p = pid_next_locked(from); p && !p->proc; p = pid_next_locked(p->nr + 1))
		;
	if (p)
		proc = proc_get(p->proc);
	proc_tree_unlock();
	return proc;
}

/*
 * The live thread of @p with the lowest id >= @from, with a reference; NULL at the end. ctx:
 * thread.
 */
struct task *task_next(struct proc *p, u32 from)
{
	struct task *t, *best = NULL;

	proc_tree_lock();
	list_for_each(t, &p->tasks, proc_link) {
		if (t->tid->nr >= from && (!best || t->tid->nr < best->tid->nr))
			best = t;
	}
	if (best)
		task_get(best);
	proc_tree_unlock();
	return best;
}

/*
 * The number given last, for /proc/loadavg. ctx: any.
 */
u32 pid_last(void)
{
	return READ_ONCE(last_pid);
}

/*
 * The next number is @nr + 1, if that is free. ctx: thread.
 */
void pid_set_last(u32 nr)
{
	proc_tree_lock();
	last_pid = nr;
	proc_tree_unlock();
}

/*
 * Numbers are below this: /proc/sys/kernel/pid_max. ctx: any.
 */
int proc_pid_max(void)
{
	return READ_ONCE(pid_max);
}

/*
 * Boot: the cache that numbers come from. ctx: boot.
 */
void pid_init(void)
{
	pid_cache = kmem_cache_create("pid", sizeof(struct pid), 16);
}
