/*
 * Changing credentials, and who may do what to whom.
 *
 * A struct cred never changes once a thread uses it: sys_cred.c copies, edits and hands the copy to
 * cred_commit, which is the only place that replaces a thread's pointer, under the siglock, so that
 * others can take references.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include "fs/landlock.h"
#include "kernel/proc/internal.h"

/*
 * @c becomes current's. ctx: thread; sleeps. Consumes @c.
 */
void cred_commit(struct cred *c)
{
	struct proc *p = current_proc();
	struct cred *old = current->cred;
	u64 f;

	/* Who gave up or gained power is not for others of the old identity to look into. */
	if (old->euid != c->euid || old->egid != c->egid || old->fsuid != c->fsuid ||
	    old->fsgid != c->fsgid || (c->permitted & ~old->permitted)) {
		p->dumpable = (u8)READ_ONCE(suid_dumpable);
		if (current->vm)
			current->vm->dumpable = false;
		current_task()->pdeath_signal = 0;
	}
	if (old->uid != c->uid) {
		user_switch(p, c->uid);
		p->nproc_exceeded =
			c->uid != 0 && atomic_read(&p->user->tasks) > proc_rlimit(RLIMIT_NPROC);
	}
	f = spin_lock_irqsave(&p->siglock);
	current->cred = c;
	spin_unlock_irqrestore(&p->siglock, f);
	cred_put(old);
}

/*
 * May current send @sig to @p? ctx: thread; no siglock held. 0 or -EPERM.
 */
int proc_may_signal(struct proc *p, int sig)
{
	const struct cred *me = current->cred;
	struct cred *c;
	bool ok;

	if (p == current_proc() || cred_capable(me, CAP_KILL))
		return 0;
	c = proc_get_cred(p);
	ok = me->euid == c->suid || me->euid == c->uid || me->uid == c->suid || me->uid == c->uid;
	cred_put(c);
	/* A shell may always continue its own jobs. */
	if (!ok && sig == SIGCONT) {
		proc_tree_assert_held();
		ok = p->session == current_proc()->session;
	}
	return ok ? 0 : -EPERM;
}

/* May current look into what has the credentials @c, which it consumes? */
static bool cred_may_access(struct cred *c, bool dumpable, u32 mode)
{
	const struct cred *me = current->cred;
	u32 uid = mode & ACCESS_REAL_IDS ? me->uid : me->fsuid;
	u32 gid = mode & ACCESS_REAL_IDS ? me->gid : me->fsgid;
	bool same, covered, ok = cred_capable(me, CAP_SYS_PTRACE);

	same = uid == c->uid && uid == c->euid && uid == c->suid && gid == c->gid &&
	       gid == c->egid && gid == c->sgid;
	covered = !(c->permitted & ~(mode & ACCESS_REAL_IDS ? me->permitted : me->effective));
	ok |= same && covered && dumpable;
	ok = ok && landlock_may_trace(me, c);
	cred_put(c);
	return ok;
}

/*
 * May current look into (ACCESS_READ) or control (ACCESS_ATTACH) the thread @t, by the rules of
 * ptrace(2)?
 * ctx: thread; ACCESS_ATTACH: not under the tree lock. 0 or -EPERM.
 */
int proc_may_access(struct task *t, u32 mode)
{
	int err = 0;

	if (t->proc == current_proc())
		return 0;
	if ((!cred_capable(current->cred, CAP_SYS_PTRACE) || landlock_is_bound()) &&
	    !cred_may_access(task_get_cred(t), READ_ONCE(t->proc->dumpable) == 1, mode))
		return -EPERM;
	if (mode & ACCESS_ATTACH) {
		proc_tree_lock();
		err = ptrace_scope_check_locked(t);
		proc_tree_unlock();
	}
	return err;
}

/*
 * The same (ACCESS_READ) of the process @p, also of a zombie, which has no memory to be kept
 * secret. ctx: thread
 */
bool proc_may_see(struct proc *p)
{
	bool dumpable = p->state != PROC_ALIVE || READ_ONCE(p->dumpable) == 1;

	return p == current_proc() || cred_may_access(proc_get_cred(p), dumpable, ACCESS_READ);
}
