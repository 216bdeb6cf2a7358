/*
 * prctl(2): attributes of the calling thread and its process, one small function per group of
 * options.
 *
 * Options of hardware and security modules that are not here answer EINVAL, as on a Linux without
 * them.
 */
#include <linux/prctl.h>
#include <linux/securebits.h>
#include <linux/seccomp.h>
#include "fs/procfs.h"
#include "kernel/proc/ptrace.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/sched_perm.h"
#include "kernel/sys/sys.h"

#define NAME_SIZE 16

SYSCTL_INT(tagged_addr_disabled, "sys/abi/tagged_addr_disabled", &arch_tagged_disabled, 0, 1);

static long prctl_set_name(u64 uname)
{
	char name[NAME_SIZE] = { 0 };
	ssize_t n = strncpy_from_user(name, uname, NAME_SIZE - 1);

	if (n == -EFAULT)
		return n;
	thread_set_name(current, name);
	return 0;
}

static long prctl_get_name(u64 uname)
{
	char name[NAME_SIZE] = { 0 };

	thread_get_name(current, name);
	return copy_to_user(uname, name, sizeof(name));
}

static long prctl_set_pdeathsig(u64 sig)
{
	if (sig > KSIG_COUNT)
		return -EINVAL;
	current_task()->pdeath_signal = (int)sig;
	return 0;
}

static long prctl_set_dumpable(u64 v)
{
	if (v > 1)
		return -EINVAL;
	current_proc()->dumpable = (u8)v;
	current->vm->dumpable = v;
	return 0;
}

static struct cred *cred_edit(void)
{
	struct cred *c;

	return cred_copy(current->cred, current->cred->ngroups, &c) ? NULL : c;
}

static long prctl_set_securebits(u64 bits)
{
	u32 old = current->cred->securebits, locked = old & SECURE_ALL_LOCKS;
	struct cred *c;

	if (bits & ~(u64)(SECURE_ALL_BITS | SECURE_ALL_LOCKS))
		return -EPERM;
	/* A locked bit cannot change, a lock cannot be opened. */
	if ((((u32)bits ^ old) & locked >> 1) || (locked & ~(u32)bits))
		return -EPERM;
	if (!sys_capable(CAP_SETPCAP))
		return -EPERM;
	c = cred_edit();
	if (!c)
		return -ENOMEM;
	c->securebits = (u32)bits;
	cred_commit(c);
	return 0;
}

static long prctl_set_keepcaps(u64 on)
{
	struct cred *c;

	if (on > 1)
		return -EINVAL;
	if (current->cred->securebits & SECBIT_KEEP_CAPS_LOCKED)
		return -EPERM;
	c = cred_edit();
	if (!c)
		return -ENOMEM;
	c->securebits =
		on ? c->securebits | SECBIT_KEEP_CAPS : c->securebits & ~(u32)SECBIT_KEEP_CAPS;
	cred_commit(c);
	return 0;
}

static long prctl_capbset_drop(u64 cap)
{
	struct cred *c;

	if (!sys_capable(CAP_SETPCAP))
		return -EPERM;
	if (cap > CAP_LAST_CAP)
		return -EINVAL;
	c = cred_edit();
	if (!c)
		return -ENOMEM;
	c->bounding &= ~BIT(cap);
	cred_commit(c);
	return 0;
}

static long prctl_cap_ambient(u64 what, u64 cap)
{
	const struct cred *old = current->cred;
	struct cred *c;

	if (what != PR_CAP_AMBIENT_CLEAR_ALL && cap > CAP_LAST_CAP)
		return -EINVAL;
	if (what == PR_CAP_AMBIENT_IS_SET)
		return old->ambient >> cap & 1;
	if (what == PR_CAP_AMBIENT_RAISE && (!(old->permitted & old->inheritable & BIT(cap)) ||
					     (old->securebits & SECBIT_NO_CAP_AMBIENT_RAISE)))
		return -EPERM;
	c = cred_edit();
	if (!c)
		return -ENOMEM;
	if (what == PR_CAP_AMBIENT_RAISE)
		c->ambient |= BIT(cap);
	else if (what == PR_CAP_AMBIENT_LOWER)
		c->ambient &= ~BIT(cap);
	else
		c->ambient = 0;
	cred_commit(c);
	return 0;
}

static long prctl_set_no_new_privs(u64 a2, u64 a3, u64 a4, u64 a5)
{
	if (a2 != 1 || a3 || a4 || a5)
		return -EINVAL;
	WRITE_ONCE(current_task()->no_new_privs, true);
	return 0;
}

/* Options about credentials; -ENOSYS: not one of them. */
static long prctl_cred(int option, u64 a2, u64 a3, u64 a4, u64 a5)
{
	switch (option) {
	case PR_GET_KEEPCAPS: return !!(current->cred->securebits & SECBIT_KEEP_CAPS);
	case PR_SET_KEEPCAPS: return prctl_set_keepcaps(a2);
	case PR_GET_SECUREBITS: return current->cred->securebits;
	case PR_SET_SECUREBITS: return prctl_set_securebits(a2);
	case PR_CAPBSET_READ:
		return a2 > CAP_LAST_CAP ? -EINVAL : (long)(current->cred->bounding >> a2 & 1);
	case PR_CAPBSET_DROP: return prctl_capbset_drop(a2);
	case PR_CAP_AMBIENT:
		if (a2 < PR_CAP_AMBIENT_IS_SET || a2 > PR_CAP_AMBIENT_CLEAR_ALL || a4 || a5 ||
		    (a2 == PR_CAP_AMBIENT_CLEAR_ALL && a3))
			return -EINVAL;
		return prctl_cap_ambient(a2, a3);
	case PR_SET_NO_NEW_PRIVS: return prctl_set_no_new_privs(a2, a3, a4, a5);
	case PR_GET_NO_NEW_PRIVS:
		return a2 || a3 || a4 || a5 ? -EINVAL : current_task()->no_new_privs;
	default: return -ENOSYS;
	}
}

/* What memory errors do to the thread: a choice that is kept, for hardware that never has any. */
static long prctl_mce_kill(u64 what, u64 policy, u64 a4, u64 a5)
{
	struct task *t = current_task();

	if (a4 || a5)
		return -EINVAL;
	switch (what) {
	case PR_MCE_KILL_CLEAR:
		if (policy)
			return -EINVAL;
		t->mce_kill = 0;
		return 0;
	case PR_MCE_KILL_SET:
		if (policy > PR_MCE_KILL_DEFAULT)
			return -EINVAL;
		t->mce_kill = policy == PR_MCE_KILL_DEFAULT ? 0 : (u8)policy + 1;
		return 0;
	default: return -EINVAL;
	}
}

static long prctl_io_flusher(int option, u64 a2, u64 a3, u64 a4, u64 a5)
{
	struct task *t = current_task();

	if (!sys_capable(CAP_SYS_RESOURCE))
		return -EPERM;
	if (a3 || a4 || a5 || a2 > (option == PR_SET_IO_FLUSHER))
		return -EINVAL;
	if (option == PR_GET_IO_FLUSHER)
		return t->io_flusher;
	t->io_flusher = a2;
	return 0;
}

/* A CPU that knows no remedy takes every wish, as on Linux; what was forced cannot be undone. */
static long prctl_set_bypass(u64 what)
{
	struct task *t = current_task();

	switch (what) {
	case PR_SPEC_FORCE_DISABLE: t->bypass_forced = true; return 0;
	case PR_SPEC_DISABLE: return 0;
	case PR_SPEC_ENABLE:
	case PR_SPEC_DISABLE_NOEXEC: return t->bypass_forced ? -EPERM : 0;
	default: return -ERANGE;
	}
}

/* Nothing is done about speculation. */
static long prctl_speculation(int option, u64 what, u64 a3, u64 a4, u64 a5)
{
	bool set = option == PR_SET_SPECULATION_CTRL;

	if ((a3 && !set) || a4 || a5)
		return -EINVAL;
	if (what != PR_SPEC_STORE_BYPASS)
		return -ENODEV;
	return set ? prctl_set_bypass(a3) : (long)PR_SPEC_ENABLE;
}

/* Options about the process and the thread; -ENOSYS: not one of them. */
static long prctl_process(int option, u64 a2, u64 a3, u64 a4, u64 a5)
{
	struct proc *p = current_proc();
	struct task *t = current_task();

	switch (option) {
	case PR_SET_PDEATHSIG: return prctl_set_pdeathsig(a2);
	case PR_GET_PDEATHSIG: return put_user(a2, t->pdeath_signal);
	case PR_SET_DUMPABLE: return prctl_set_dumpable(a2);
	case PR_GET_DUMPABLE: return p->dumpable;
	case PR_SET_NAME: return prctl_set_name(a2);
	case PR_GET_NAME: return prctl_get_name(a2);
	case PR_SET_CHILD_SUBREAPER:
		proc_tree_lock();
		p->subreaper = a2 != 0;
		proc_tree_unlock();
		return 0;
	case PR_GET_CHILD_SUBREAPER: return put_user(a2, (int)p->subreaper);
	case PR_SET_TIMERSLACK:
		if (!sched_is_realtime(current->se.policy))
			t->timer_slack = a2 ? a2 : t->default_slack;
		return 0;
	case PR_GET_TIMERSLACK: return (long)t->timer_slack;
	case PR_GET_TID_ADDRESS: return put_user(a2, t->clear_child_tid);
	case PR_SET_THP_DISABLE:
		if (a3 || a4 || a5)
			return -EINVAL;
		p->thp_disable = a2 != 0;
		return 0;
	case PR_GET_THP_DISABLE: return a2 || a3 || a4 || a5 ? -EINVAL : p->thp_disable;
	case PR_GET_TIMING: return PR_TIMING_STATISTICAL;
	case PR_SET_TIMING: return a2 == PR_TIMING_STATISTICAL ? 0 : -EINVAL;
	case PR_GET_SECCOMP: return t->seccomp_mode;
	case PR_SET_SECCOMP:
		if (a2 == SECCOMP_MODE_FILTER)
			return sys_seccomp_filter(0, a3);
		return a2 == SECCOMP_MODE_STRICT ? sys_seccomp_strict() : -EINVAL;
	case PR_SET_MM: return prctl_set_mm((int)a2, a3, a4, a5);
	case PR_MCE_KILL: return prctl_mce_kill(a2, a3, a4, a5);
	case PR_MCE_KILL_GET:
		if (a2 || a3 || a4 || a5)
			return -EINVAL;
		return t->mce_kill ? t->mce_kill - 1 : PR_MCE_KILL_DEFAULT;
	case PR_GET_SPECULATION_CTRL:
	case PR_SET_SPECULATION_CTRL: return prctl_speculation(option, a2, a3, a4, a5);
	case PR_SET_TAGGED_ADDR_CTRL:
		return a3 || a4 || a5 ? -EINVAL : arch_tagged_set(&current->arch, a2);
	case PR_GET_TAGGED_ADDR_CTRL:
		return a2 || a3 || a4 || a5 ? -EINVAL : current->arch.tagged_addr;
	case PR_SET_PTRACER: return ptrace_declare(a2);
	case PR_SET_IO_FLUSHER:
	case PR_GET_IO_FLUSHER: return prctl_io_flusher(option, a2, a3, a4, a5);
	default: return -ENOSYS;
	}
}

/* prctl(2) */
long sys_prctl(u64 option, u64 a2, u64 a3, u64 a4, u64 a5)
{
	long r = prctl_process((int)option, a2, a3, a4, a5);

	if (r == -ENOSYS)
		r = prctl_cred((int)option, a2, a3, a4, a5);
	return r == -ENOSYS ? -EINVAL : r;
}
