/*
 * Terminals and sessions: the controlling terminal, its foreground process group, and what happens
 * when either side goes.
 *
 * A terminal knows its session and foreground group (references to struct pid, under tty->lock); a
 * process knows its terminal (under PROC_TREE, in kernel/proc). PROC_TREE comes first in the lock
 * order, so every change here takes what it needs from the process first, then changes the
 * terminal, then the processes; the terminal's word decides when the two disagree for a moment.
 *
 * POSIX.1-2017 11.1.2-11.1.4, tty_ioctl(4), setsid(2), vhangup(2).
 */
#include <asm/signal.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include "kernel/base/errno.h"
#include "kernel/base/uio.h"
#include "kernel/tty/tty.h"

static bool is_leader(const struct proc *p)
{
	return READ_ONCE(p->session) == p->pid;
}

/*
 * May the caller use @t in the way that raises @sig in background groups (SIGTTIN: read, SIGTTOU:
 * change)?
 * ctx: thread; sleeps: no. 0, -EIO, or -ERESTARTSYS after the signal was sent to the caller's
 * group.
 */
int tty_check_job(struct tty *t, int sig)
{
	struct proc *p = current_proc();
	struct pid *foreground = READ_ONCE(t->pgrp), *pgrp;
	int err = -ERESTARTSYS;

	if (READ_ONCE(p->tty) != t || !foreground || READ_ONCE(p->pgrp) == foreground)
		return 0;
	if (signal_is_ignored_or_blocked(sig))
		return sig == SIGTTIN ? -EIO : 0;
	pgrp = proc_get_pgrp(p);
	if (proc_pgrp_orphaned(pgrp))
		err = -EIO;
	else
		signal_send_pgrp(pgrp, sig, NULL);
	pid_put(pgrp);
	/*
	 * The signal code has to see the wish to restart, even if the signal turns out to be
	 * ignored meanwhile.
	 */
	word_or(&arch_current()->work, WORK_SIGNAL);
	return err;
}

static void pid_put_maybe(struct pid *p)
{
	if (p)
		pid_put(p);
}

/* Give @t to the caller's session, if it is nobody's. 0 or -EPERM */
static int controlling_set(struct tty *t)
{
	struct proc *p = current_proc();
	struct pid *session = proc_get_session(p), *pgrp = proc_get_pgrp(p);

	tty_lock(t);
	if (t->session) {
		tty_unlock(t);
		pid_put(session);
		pid_put(pgrp);
		return -EPERM;
	}
	t->session = session;
	if (t->pgrp)
		pid_put(t->pgrp);
	t->pgrp = pgrp;
	WRITE_ONCE(t->pgrp_nr, pgrp ? pgrp->nr : 0);
	tty_unlock(t);
	tty_get(t);
	pid_put_maybe(proc_take_hung_pgrp(p));
	proc_set_tty(p, t);
	return 0;
}

/*
 * Take @t from its session, by a hangup or not; both references go to the caller.
 */
static void controlling_take(struct tty *t, bool hung, struct pid **session, struct pid **pgrp)
{
	tty_lock(t);
	*session = t->session;
	*pgrp = t->pgrp;
	t->session = NULL;
	t->pgrp = NULL;
	WRITE_ONCE(t->pgrp_nr, 0);
	tty_unlock(t);
	if (*session)
		proc_session_clear_tty(*session, t, hung ? *pgrp : NULL);
}

/*
 * A session leader without terminal opened @t through @f: it becomes its controlling terminal.
 * ctx: thread; sleeps: yes.
 */
void tty_open_controlling(struct tty *t, const struct file *f)
{
	struct proc *p = current_proc();

	if (!p || (f->flags & O_NOCTTY) || !(f->mode & FILE_READ) || !is_leader(p) ||
	    READ_ONCE(p->tty))
		return;
	if (!READ_ONCE(t->session) && controlling_set(t))
		return;
}

/*
 * The session's end of a hangup: the leader learns of it; the foreground group too when the leader
 * is what ended, else once it ends.
 */
static void hangup(struct tty *t, bool leader_exits)
{
	struct pid *session, *pgrp;
	struct proc *leader;

	controlling_take(t, true, &session, &pgrp);
	leader = session ? proc_lookup(session->nr) : NULL;
	if (leader) {
		signal_send_proc(leader, SIGHUP, NULL);
		signal_send_proc(leader, SIGCONT, NULL);
		proc_put(leader);
	}
	if (leader_exits && pgrp)
		signal_send_pgrp(pgrp, SIGHUP, NULL);
	tty_hangup(t);
	pid_put_maybe(session);
	pid_put_maybe(pgrp);
}

/*
 * The line dropped (pty master closed, vhangup): end the session's use of @t and all its opens.
 * ctx: thread; holds: nothing; sleeps: yes.
 */
void tty_vhangup(struct tty *t)
{
	hangup(t, false);
}

/*
 * vhangup(2): hang the caller's controlling terminal up.
 * ctx: thread; sleeps: yes.
 */
void tty_vhangup_current(void)
{
	struct tty *t = proc_get_tty(current_proc());

	if (!t)
		return;
	tty_vhangup(t);
	tty_put(t);
}

/*
 * The session loses @t, which stays up; its foreground group is told that it is on its own, and
 * let go on when it was not the end of the leader.
 */
static void leader_detach(struct tty *t, bool exits)
{
	struct pid *session, *pgrp;

	controlling_take(t, false, &session, &pgrp);
	if (pgrp) {
		signal_send_pgrp(pgrp, SIGHUP, NULL);
		if (!exits)
			signal_send_pgrp(pgrp, SIGCONT, NULL);
	}
	pid_put_maybe(session);
	pid_put_maybe(pgrp);
}

/* A pty outlives the sessions on it; a line is hung up for whoever comes next. */
static void leader_exit(struct proc *leader)
{
	struct tty *t = proc_get_tty(leader);
	struct pid *pgrp = proc_take_hung_pgrp(leader);

	if (t && READ_ONCE(t->session) == leader->session) {
		if (t->is_pty)
			leader_detach(t, true);
		else
			hangup(t, true);
	} else if (!t && pgrp) {
		signal_send_pgrp(pgrp, SIGHUP, NULL);
		signal_send_pgrp(pgrp, SIGCONT, NULL);
	}
	pid_put_maybe(pgrp);
	if (t)
		tty_put(t);
}

static long ioctl_set_controlling(struct tty *t, struct file *f, u64 arg)
{
	struct proc *p = current_proc();
	struct pid *session, *pgrp;

	if (is_leader(p) && READ_ONCE(t->session) == READ_ONCE(p->session))
		return 0;
	if (!is_leader(p) || READ_ONCE(p->tty))
		return -EPERM;
	if (!(f->mode & FILE_READ) && !cred_capable(current->cred, CAP_SYS_ADMIN))
		return -EPERM;
	if (READ_ONCE(t->session)) {
		if (arg != 1 || !cred_capable(current->cred, CAP_SYS_ADMIN))
			return -EPERM;
		controlling_take(t, false, &session, &pgrp);
		pid_put_maybe(session);
		pid_put_maybe(pgrp);
	}
	return controlling_set(t);
}

static long ioctl_detach(struct tty *t)
{
	struct proc *p = current_proc();

	if (READ_ONCE(p->tty) != t)
		return -ENOTTY;
	if (is_leader(p))
		leader_detach(t, false);
	proc_set_tty(p, NULL);
	return 0;
}

static long ioctl_get_pgrp(struct tty *t, bool real, u64 arg)
{
	u32 nr;

	if (real && READ_ONCE(current_proc()->tty) != t)
		return -ENOTTY;
	tty_lock(t);
	nr = t->pgrp ? t->pgrp->nr : 0;
	tty_unlock(t);
	return put_user(arg, nr);
}

static long ioctl_get_session(struct tty *t, bool real, u64 arg)
{
	u32 nr;

	if (real && READ_ONCE(current_proc()->tty) != t)
		return -ENOTTY;
	tty_lock(t);
	nr = t->session ? t->session->nr : 0;
	tty_unlock(t);
	return nr ? put_user(arg, nr) : -ENOTTY;
}

static long ioctl_set_pgrp(struct tty *t, u64 arg)
{
	struct proc *p = current_proc();
	struct pid *session, *pgrp;
	long err;
	s32 nr;

	err = tty_check_job(t, SIGTTOU);
	if (err)
		return err == -EIO ? -ENOTTY : err;
	if (get_user(&nr, arg))
		return -EFAULT;
	if (nr < 0)
		return -EINVAL;
	if (READ_ONCE(p->tty) != t || READ_ONCE(t->session) != READ_ONCE(p->session))
		return -ENOTTY;
	pgrp = pid_lookup((u32)nr);
	if (!pgrp)
		return -ESRCH;
	session = proc_get_session(p);
	err = proc_pgrp_in_session(pgrp, session) ? 0 : -EPERM;
	if (!err) {
		tty_lock(t);
		if (t->session == session) {
			pid_put_maybe(t->pgrp);
			t->pgrp = pid_get(pgrp);
			WRITE_ONCE(t->pgrp_nr, pgrp->nr);
		} else {
			err = -ENOTTY;
		}
		tty_unlock(t);
	}
	pid_put(session);
	pid_put(pgrp);
	return err;
}

/*
 * The job-control ioctls on terminal @t, reached through @f: a file of its own, or its pty's
 * master.
 * ctx: thread; sleeps: yes. 0, -errno, or -ENOIOCTLCMD when @cmd is none of them.
 */
long tty_ioctl_job(struct tty *t, struct file *f, u32 cmd, u64 arg)
{
	bool real = !pty_is_master(f);

	switch (cmd) {
	case TIOCSCTTY: return ioctl_set_controlling(t, f, arg);
	case TIOCNOTTY: return real ? ioctl_detach(t) : -ENOTTY;
	case TIOCGPGRP: return ioctl_get_pgrp(t, real, arg);
	case TIOCSPGRP: return ioctl_set_pgrp(t, arg);
	case TIOCGSID: return ioctl_get_session(t, real, arg);
	default: return -ENOIOCTLCMD;
	}
}

static u32 stat_dev(struct tty *t)
{
	u32 major = dev_major(t->dev), minor = dev_minor(t->dev);

	return (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

/* Asked with the process tree locked: no lock of the terminal's may be taken. */
static u32 stat_foreground(struct tty *t)
{
	return READ_ONCE(t->pgrp_nr);
}

static const struct proc_tty_ops job_ops = {
	.get = tty_get,
	.put = tty_put,
	.leader_exit = leader_exit,
	.dev = stat_dev,
	.foreground = stat_foreground,
};

/* Tell kernel/proc how to treat terminals. ctx: boot */
void tty_job_init(void)
{
	proc_tty_ops = &job_ops;
}
