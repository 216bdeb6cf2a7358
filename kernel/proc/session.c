/*
 * Process groups, sessions and their terminal.
 *
 * A group and a session are a struct pid with a list of the processes in it; a process holds a
 * reference on both. All membership is guarded by the tree lock. The rules are those of setpgid(2),
 * setsid(2) and POSIX.1-2017 section 11.1 on orphaned groups.
 *
 * The controlling terminal is a reference per process. kernel/tty, a layer above, registers how to
 * take and drop one (proc_tty_ops); those calls may sleep, so a dropped terminal is put after the
 * lock was released.
 */
#include <linux/errno.h>
#include "kernel/proc/internal.h"

const struct proc_tty_ops *proc_tty_ops;

/*
 * Put @p into @pgrp, out of the group it was in. ctx: thread; holds: tree.
 */
void proc_join_pgrp_locked(struct proc *p, struct pid *pgrp)
{
	struct pid *old = p->pgrp;

	list_del(&p->pgrp_link);
	p->pgrp = pid_get(pgrp);
	list_add_tail(&pgrp->pgrp, &p->pgrp_link);
	if (old) {
		pid_release_locked(old);
		pid_put(old);
	}
}

/*
 * Put @p into @session, out of the one it was in. ctx: thread; holds: tree.
 */
void proc_join_session_locked(struct proc *p, struct pid *session)
{
	struct pid *old = p->session;

	list_del(&p->session_link);
	p->session = pid_get(session);
	list_add_tail(&session->session, &p->session_link);
	if (old) {
		pid_release_locked(old);
		pid_put(old);
	}
}

/* Consumes the reference; holds: tree. */
static void keep_hung_pgrp(struct proc *p, struct pid *pgrp)
{
	if (p->hung_pgrp)
		pid_put(p->hung_pgrp);
	p->hung_pgrp = pgrp;
}

/*
 * A process is being reaped: it leaves its group and session. ctx: thread; holds: tree.
 */
void proc_leave_groups_locked(struct proc *p)
{
	list_del(&p->pgrp_link);
	list_del(&p->session_link);
	pid_release_locked(p->pgrp);
	pid_release_locked(p->session);
	pid_put(p->pgrp);
	pid_put(p->session);
	keep_hung_pgrp(p, NULL);
	p->pgrp = NULL;
	p->session = NULL;
}

/*
 * Does @p lead its session? ctx: thread; holds: tree.
 */
bool proc_is_session_leader(const struct proc *p)
{
	return p->session == p->pid;
}

/* The process that setpgid may work on: the caller or a child that has not called exec. */
static int setpgid_target_locked(struct proc *self, u32 nr, struct proc **out)
{
	struct pid *pid = nr ? pid_find_locked(nr) : self->pid;
	struct proc *p = pid ? pid->proc : NULL;

	if (!p)
		return pid && pid->task ? -EINVAL : -ESRCH; /* a thread is no process */
	if (p != self) {
		if (p->parent != self)
			return -ESRCH;
		if (p->session != self->session)
			return -EPERM;
		if (p->did_exec)
			return -EACCES;
	}
	if (proc_is_session_leader(p))
		return -EPERM;
	*out = p;
	return 0;
}

static int setpgid_locked(struct proc *self, u32 nr, u32 pgid)
{
	struct pid *group;
	struct proc *p;
	int err = setpgid_target_locked(self, nr, &p);

	if (err)
		return err;
	group = p->pid;
	if (pgid && pgid != p->pid->nr) {
		struct proc *member;

		group = pid_find_locked(pgid);
		if (!group || list_empty(&group->pgrp))
			return -EPERM;
		member = list_first(&group->pgrp, struct proc, pgrp_link);
		if (member->session != self->session)
			return -EPERM;
	}
	if (p->pgrp != group)
		proc_join_pgrp_locked(p, group);
	return 0;
}

/*
 * setpgid(2) on behalf of current. ctx: thread. 0, -ESRCH, -EPERM, -EACCES.
 */
int proc_setpgid(u32 pid, u32 pgid)
{
	int err;

	proc_tree_lock();
	err = setpgid_locked(current_proc(), pid, pgid);
	proc_tree_unlock();
	return err;
}

/*
 * setsid(2) on behalf of current. ctx: thread; sleeps. 0 and the session's id, or -EPERM.
 */
int proc_setsid(u32 *sid)
{
	struct proc *p = current_proc();
	struct tty *tty = NULL;
	int err = -EPERM;

	proc_tree_lock();
	if (!proc_is_session_leader(p) && list_empty(&p->pid->pgrp)) {
		proc_join_session_locked(p, p->pid);
		proc_join_pgrp_locked(p, p->pid);
		tty = p->tty;
		p->tty = NULL;
		*sid = p->pid->nr;
		err = 0;
	}
	proc_tree_unlock();
	if (tty)
		proc_tty_ops->put(tty);
	return err;
}

/* Could @p's parent continue its group: it is in another group of the same session. */
static bool member_has_guardian(const struct proc *p)
{
	const struct proc *parent = p->parent;

	return parent && parent != proc_of_init && parent->pgrp != p->pgrp &&
	       parent->session == p->session;
}

/*
 * Is @pgrp orphaned, not counting @ignore (a process about to end)? ctx: thread; holds: tree.
 */
bool proc_pgrp_orphaned_locked(const struct pid *pgrp, const struct proc *ignore)
{
	const struct proc *p;

	list_for_each(p, &pgrp->pgrp, pgrp_link) {
		if (p == ignore || p->state != PROC_ALIVE)
			continue;
		if (member_has_guardian(p))
			return false;
	}
	return true;
}

/*
 * Is @pgrp orphaned? ctx: thread.
 */
bool proc_pgrp_orphaned(struct pid *pgrp)
{
	bool yes;

	proc_tree_lock();
	yes = proc_pgrp_orphaned_locked(pgrp, NULL);
	proc_tree_unlock();
	return yes;
}

/*
 * @p's controlling terminal with a reference, NULL: none. ctx: thread.
 */
struct tty *proc_get_tty(struct proc *p)
{
	struct tty *t;

	proc_tree_lock();
	t = p->tty;
	if (t)
		proc_tty_ops->get(t);
	proc_tree_unlock();
	return t;
}

/*
 * Give @p the controlling terminal @t (NULL: none). ctx: thread; sleeps. Consumes the reference to
 * @t.
 */
void proc_set_tty(struct proc *p, struct tty *t)
{
	struct tty *old;

	proc_tree_lock();
	old = p->tty;
	p->tty = t;
	proc_tree_unlock();
	if (old)
		proc_tty_ops->put(old);
}

/*
 * The terminal was taken from the session: every member that has @t loses it. After a hangup
 * @hung_pgrp is what was its foreground group, to be told when the leader ends; else NULL.
 * ctx: thread; sleeps.
 */
void proc_session_clear_tty(struct pid *session, struct tty *t, struct pid *hung_pgrp)
{
	struct proc *p, *hit;

	do {
		hit = NULL;
		proc_tree_lock();
		list_for_each(p, &session->session, session_link) {
			if (p->tty == t) {
				p->tty = NULL;
				if (hung_pgrp && p->pid == session)
					keep_hung_pgrp(p, pid_get(hung_pgrp));
				hit = p;
				break;
			}
		}
		proc_tree_unlock();
		if (hit)
			proc_tty_ops->put(t);
	} while (hit);
}

/*
 * The group that was in front on the terminal that @p lost by a hangup; the caller gets the
 * reference. ctx: thread.
 */
struct pid *proc_take_hung_pgrp(struct proc *p)
{
	struct pid *pgrp;

	proc_tree_lock();
	pgrp = p->hung_pgrp;
	p->hung_pgrp = NULL;
	proc_tree_unlock();
	return pgrp;
}

/*
 * @p's process group with a reference; NULL when it was reaped. ctx: thread.
 */
struct pid *proc_get_pgrp(struct proc *p)
{
	struct pid *pid;

	proc_tree_lock();
	pid = p->pgrp ? pid_get(p->pgrp) : NULL;
	proc_tree_unlock();
	return pid;
}

/*
 * @p's session with a reference; NULL when it was reaped. ctx: thread.
 */
struct pid *proc_get_session(struct proc *p)
{
	struct pid *pid;

	proc_tree_lock();
	pid = p->session ? pid_get(p->session) : NULL;
	proc_tree_unlock();
	return pid;
}

/*
 * Does a member of @pgrp belong to @session? ctx: thread.
 */
bool proc_pgrp_in_session(struct pid *pgrp, struct pid *session)
{
	bool yes = false;
	struct proc *p;

	proc_tree_lock();
	if (!list_empty(&pgrp->pgrp)) {
		p = list_first(&pgrp->pgrp, struct proc, pgrp_link);
		yes = p->session == session;
	}
	proc_tree_unlock();
	return yes;
}
