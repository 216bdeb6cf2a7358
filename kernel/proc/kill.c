/*
 * kill(2) and its relatives: whom a number means, and whether the sender may.
 *
 * A positive number is a process, or the process of a thread that bears it; zero the caller's
 * group; -1 everybody but init and the caller; other negative ones a group. All of it happens under
 * the tree's lock, so that a number cannot change its bearer between the look and the signal. Of
 * several receivers one that could be sent to makes the call a success.
 *
 * Dead leaders whose threads live on, and zombies, may still be named: the permission is checked
 * and nothing is sent.
 */
#include <linux/errno.h>
#include "kernel/proc/internal.h"
#include "kernel/proc/kill.h"

/* May current send @sig to @p? A number that is no signal is told only to who has found @p. */
static int kill_check(struct proc *p, int sig)
{
	return sig < 0 || sig > KSIG_COUNT ? -EINVAL : proc_may_signal(p, sig);
}

/* Check permission and send. holds: tree */
static int kill_proc_locked(struct proc *p, int sig, const struct ksiginfo *info)
{
	int err = kill_check(p, sig);

	return err ? err : signal_send_proc(p, sig, info);
}

/* The process that bears @nr, or whose thread does. holds: tree */
static struct proc *kill_find_locked(u32 nr)
{
	struct pid *pid = pid_find_locked(nr);

	if (!pid)
		return NULL;
	return pid->proc ? pid->proc : pid->task ? pid->task->proc : NULL;
}

/* 0 if any member could be sent to, else the last error. holds: tree */
static int kill_pgrp_locked(struct pid *pgrp, int sig, const struct ksiginfo *info)
{
	int ret = -ESRCH;
	struct proc *p;

	if (!pgrp)
		return -ESRCH;
	list_for_each(p, &pgrp->pgrp, pgrp_link) {
		int err = kill_proc_locked(p, sig, info);

		if (ret)
			ret = err;
	}
	return ret;
}

/*
 * Everybody but init and the sender's own process; that it may not send to any of them is not told,
 * as on Linux. holds: tree
 */
static int kill_all_locked(int sig, const struct ksiginfo *info)
{
	struct pid *pid;
	int ret = 0;

	for (pid = pid_next_locked(2); pid; pid = pid_next_locked(pid->nr + 1)) {
		int err;

		if (!pid->proc || pid->proc == current_proc())
			continue;
		err = kill_proc_locked(pid->proc, sig, info);
		if (err != -EPERM)
			ret = err;
	}
	return ret;
}

/*
 * kill(2): @pid > 0 a process, 0 the caller's group, -1 everybody, else a group. @sig 0 only
 * checks. @info: what to say.
 * ctx: thread. 0, -EINVAL, -ESRCH, -EPERM, -EAGAIN.
 */
int proc_kill(int pid, int sig, const struct ksiginfo *info)
{
	struct proc *p;
	int err;

	/* -INT_MIN is no number. */
	if (pid == (int)0x80000000)
		return -ESRCH;
	proc_tree_lock();
	if (pid > 0) {
		p = kill_find_locked((u32)pid);
		err = p ? kill_proc_locked(p, sig, info) : -ESRCH;
	} else if (pid == -1) {
		err = kill_all_locked(sig, info);
	} else {
		err = kill_pgrp_locked(pid ? pid_find_locked((u32)-pid) : current_proc()->pgrp, sig,
				       info);
	}
	proc_tree_unlock();
	return err;
}

/*
 * tgkill(2): thread @tid of process @tgid (0: of any). ctx: thread. 0, -EINVAL, -ESRCH, -EPERM,
 * -EAGAIN.
 */
int proc_tgkill(u32 tgid, u32 tid, int sig, const struct ksiginfo *info)
{
	struct pid *pid;
	struct task *t;
	int err = -ESRCH;

	proc_tree_lock();
	pid = pid_find_locked(tid);
	t = pid ? pid->task : NULL;
	if (t && (!tgid || t->proc->pid->nr == tgid)) {
		err = kill_check(t->proc, sig);
		if (!err)
			err = signal_send_task(t, sig, info);
	} else if (pid && pid->proc && (!tgid || tgid == tid)) {
		/* The leader's thread has gone, its number has not. */
		err = kill_check(pid->proc, sig);
	} else if (pid && pid->dead && (!tgid || pid->dead->proc->pid->nr == tgid)) {
		err = kill_check(pid->dead->proc, sig);
	}
	proc_tree_unlock();
	return err;
}

/*
 * pidfd_send_signal(2). ctx: thread. 0, -EINVAL, -ESRCH, -EPERM, -EAGAIN.
 */
int proc_kill_pid(struct pid *pid, int sig, const struct ksiginfo *info)
{
	int err;

	proc_tree_lock();
	err = pid->proc ? kill_proc_locked(pid->proc, sig, info) : -ESRCH;
	proc_tree_unlock();
	return err;
}
