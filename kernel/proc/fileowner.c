/*
 * Owners of open files: whom signal-driven I/O tells, with which signal.
 *
 * An owner is a thread, a process or a process group, kept as struct pid, so a number that is used
 * again means nobody. It is made at the first F_SETOWN or F_SETSIG and goes with the open file. The
 * signal is sent in the name of who set the owner: he must have been allowed to signal it, as
 * kill(2) has it, by the ids he had then.
 *
 * Without F_SETSIG it is a plain SIGIO. With it, the signal carries si_fd, si_band and the kind of
 * event as si_code (SI_SIGIO where the signal has codes of its own); if it cannot be queued, a
 * plain SIGIO says that something was lost. fcntl(2), sigaction(2).
 *
 * Locking: owner->lock (rank EVENT) guards its fields and is let go before anything is sent.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/poll.h>
#include "fs/async.h"
#include "kernel/proc/fileowner.h"
#include "kernel/proc/internal.h"

/* w: guarded by .lock (rank EVENT) */
struct file_owner {
	struct spinlock lock;
	struct pid *pid; /* w: reference; NULL: nobody */
	int type; /* w: F_OWNER_* */
	int sig; /* w: 0 means SIGIO */
	u32 uid, euid; /* w: of who set it */
};

/* The owner of @f, made if there is none. 0 or -ENOMEM. */
static int owner_of(struct file *f, struct file_owner **out)
{
	struct file_owner *o = load_acquire(&f->owner), *none = NULL;

	if (!o) {
		o = kzalloc(sizeof(*o), 0);
		if (!o)
			return -ENOMEM;
		spin_init(&o->lock, RANK_EVENT);
		o->type = F_OWNER_PID;
		if (!__atomic_compare_exchange_n(&f->owner, &none, o, false, __ATOMIC_ACQ_REL,
						 __ATOMIC_ACQUIRE)) {
			kfree(o);
			o = none;
		}
	}
	*out = o;
	return 0;
}

/* Takes over the reference to @pid. @force: also when there is an owner. */
static void owner_store(struct file_owner *o, int type, struct pid *pid, bool force)
{
	struct pid *old = pid;

	spin_lock(&o->lock);
	if (force || !o->pid) {
		old = o->pid;
		o->pid = pid;
		o->type = type;
		o->uid = current->cred->uid;
		o->euid = current->cred->euid;
	}
	spin_unlock(&o->lock);
	if (old)
		pid_put(old);
}

/* See fileowner.h. */
int file_owner_set(struct file *f, int type, int nr)
{
	struct pid *pid = NULL;
	struct file_owner *o;
	int err;

	if (nr) {
		pid = nr > 0 ? pid_lookup((u32)nr) : NULL;
		if (!pid)
			return -ESRCH;
	}
	err = owner_of(f, &o);
	if (err) {
		if (pid)
			pid_put(pid);
		return err;
	}
	owner_store(o, type, pid, true);
	return 0;
}

/* See fileowner.h. Without memory there is no owner. ctx: thread; sleeps. */
void file_owner_set_default(struct file *f, int type, struct pid *pid)
{
	struct file_owner *o;

	if (pid && !owner_of(f, &o))
		owner_store(o, type, pid_get(pid), false);
}

/* A consistent copy of @f's owner, with a reference to its pid; false: there is none. */
static bool owner_copy(struct file *f, struct file_owner *out)
{
	struct file_owner *o = load_acquire(&f->owner);

	if (!o)
		return false;
	spin_lock(&o->lock);
	out->pid = o->pid ? pid_get(o->pid) : NULL;
	out->type = o->type;
	out->sig = o->sig;
	out->uid = o->uid;
	out->euid = o->euid;
	spin_unlock(&o->lock);
	return true;
}

/* Is anybody left that @o means? holds: tree */
static bool owner_lives(const struct file_owner *o)
{
	switch (o->type) {
	case F_OWNER_TID: return o->pid->task;
	case F_OWNER_PGRP: return !list_empty(&o->pid->pgrp);
	}
	return o->pid->proc;
}

/* See fileowner.h. ctx: thread */
int file_owner_get(struct file *f, int *type)
{
	struct file_owner o;
	int nr = 0;

	*type = F_OWNER_PID;
	if (!owner_copy(f, &o))
		return 0;
	*type = o.type;
	if (o.pid) {
		proc_tree_lock();
		if (owner_lives(&o))
			nr = (int)o.pid->nr;
		proc_tree_unlock();
		pid_put(o.pid);
	}
	return nr;
}

/* See fileowner.h. ctx: thread; sleeps. */
int file_owner_set_signal(struct file *f, int sig)
{
	struct file_owner *o;
	int err = owner_of(f, &o);

	if (!err) {
		spin_lock(&o->lock);
		o->sig = sig;
		spin_unlock(&o->lock);
	}
	return err;
}

/* See fileowner.h. ctx: any */
int file_owner_get_signal(struct file *f)
{
	struct file_owner *o = load_acquire(&f->owner);

	return o ? READ_ONCE(o->sig) : 0;
}

/* See fileowner.h. ctx: thread */
void file_owner_uids(struct file *f, u32 uids[2])
{
	struct file_owner o = { .uid = 0 };

	if (owner_copy(f, &o) && o.pid)
		pid_put(o.pid);
	uids[0] = o.uid;
	uids[1] = o.euid;
}

static const long bands[] = {
	[POLL_IN] = POLLIN | POLLRDNORM,
	[POLL_OUT] = POLLOUT | POLLWRNORM | POLLWRBAND,
	[POLL_MSG] = POLLIN | POLLRDNORM | POLLMSG,
	[POLL_ERR] = POLLERR,
	[POLL_PRI] = POLLPRI | POLLRDBAND,
	[POLL_HUP] = POLLHUP | POLLERR,
};

static bool has_own_codes(int sig)
{
	return (KSIG_SYNCHRONOUS | SIGBIT(SIGCHLD)) & SIGBIT(sig);
}

static int send_to(struct proc *p, struct task *t, int sig, const struct ksiginfo *si)
{
	return t ? signal_send_task(t, sig, si) : signal_send_proc(p, sig, si);
}

/* Tell @p, or its thread @t alone. holds: tree */
static void tell(const struct file_owner *o, struct proc *p, struct task *t, int fd, int code)
{
	struct ksiginfo si = { 0 };
	struct cred *c = t ? task_get_cred(t) : proc_get_cred(p);
	bool may = o->euid == 0 || o->euid == c->suid || o->euid == c->uid || o->uid == c->suid ||
		   o->uid == c->uid;

	cred_put(c);
	if (!may)
		return;
	if (code == ASYNC_URGENT) {
		(void)send_to(p, t, SIGURG, NULL);
		return;
	}
	if (o->sig) {
		si.si_signo = o->sig;
		si.si_code = has_own_codes(o->sig) ? SI_SIGIO : code;
		si.si_band = bands[code];
		si.si_fd = fd;
		if (!send_to(p, t, o->sig, &si))
			return;
	}
	(void)send_to(p, t, SIGIO, NULL);
}

static void owner_send(struct file *f, int fd, int code)
{
	struct file_owner o;
	struct proc *p;

	if (!owner_copy(f, &o) || !o.pid)
		return;
	proc_tree_lock();
	if (o.type == F_OWNER_PGRP) {
		list_for_each(p, &o.pid->pgrp, pgrp_link)
			tell(&o, p, NULL, fd, code);
	} else if (o.type == F_OWNER_PID && o.pid->proc) {
		tell(&o, o.pid->proc, NULL, fd, code);
	} else if (o.type == F_OWNER_TID && o.pid->task) {
		tell(&o, o.pid->task->proc, o.pid->task, fd, code);
	}
	proc_tree_unlock();
	pid_put(o.pid);
}

static void owner_release(struct file *f)
{
	struct file_owner *o = f->owner;

	if (o->pid)
		pid_put(o->pid);
	kfree(o);
}

/* See fileowner.h. */
int file_owner_prepare(struct file *f)
{
	struct file_owner *o;

	return owner_of(f, &o);
}

static void owner_claim(struct file *f)
{
	owner_store(f->owner, F_OWNER_PID, pid_get(current_proc()->pid), false);
}

/* As a lease ends: the signal is SIGIO again, too. */
static void owner_disown(struct file *f)
{
	struct file_owner *o = f->owner;

	owner_store(o, o->type, NULL, true);
	WRITE_ONCE(o->sig, 0);
}

static const struct file_owner_ops owner_ops = {
	.send = owner_send,
	.release = owner_release,
	.claim = owner_claim,
	.disown = owner_disown,
};

/* See fileowner.h. ctx: boot */
void file_owner_init(void)
{
	file_owner_ops = &owner_ops;
}
