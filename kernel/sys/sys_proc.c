/*
 * System calls on processes: making, running, ending and waiting for them; their numbers, groups,
 * limits, usage.
 *
 * Here arguments are read and checked in the order in which Linux finds faults; the work is that of
 * kernel/proc. clone and clone3 meet in one structure of arguments, execve and execveat in another.
 * Structures that may grow (clone_args) are read by size: an unknown tail has to be zero.
 */
#include <linux/personality.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/times.h>
#include <linux/wait.h>
#include <asm/siginfo.h>
#include "kernel/lib/fmt.h"
#include "kernel/proc/rlimit.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/path.h"
#include "kernel/sys/sys.h"
#include "mm/slab.h"

#define CLOCK_TICK_NS (NSEC_PER_SEC / 100)

/* --- making --- */

#define MAX_LEVELS 32 /* of pid namespaces on Linux, as much as a list of numbers can name */

/* clone(2), with the argument order of arm64. */
long sys_clone(u64 flags, u64 stack, u64 parent_tid, u64 tls, u64 child_tid)
{
	struct clone_args_k a = {
		.flags = flags & 0xffffffffu & ~(u64)CSIGNAL,
		.stack = stack,
		.tls = tls,
		.parent_tid = parent_tid,
		.child_tid = child_tid,
		.pidfd = parent_tid,
		.exit_signal = (int)(flags & CSIGNAL),
	};

	/* A signal that there is not: nobody is told of the end. */
	if (a.exit_signal > KSIG_COUNT)
		a.exit_signal = 0;
	if ((flags & CLONE_PIDFD) && (flags & CLONE_PARENT_SETTID))
		return -EINVAL;
	return proc_clone(&a);
}

/* The extensible struct of clone3: what we do not know must be zero. */
static int clone3_read(u64 uargs, u64 size, struct clone_args *out)
{
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	return sys_copy_struct(out, sizeof(*out), uargs, size);
}

static bool clone3_valid(const struct clone_args *u)
{
	const u64 known = 0xffffffffu | CLONE_CLEAR_SIGHAND;

	/* There is one level of pid namespaces. */
	if (u->set_tid_size > 1)
		return false;
	if ((u->flags & ~known) || (u->flags & (CSIGNAL | CLONE_DETACHED)))
		return false;
	if ((u->flags & (CLONE_THREAD | CLONE_PARENT)) && u->exit_signal)
		return false;
	return u->stack ? u->stack_size && user_ok(u->stack, u->stack_size) : !u->stack_size;
}

/* The numbers that the child is to have, as many as there can be levels: before all else. */
static int clone3_read_tids(const struct clone_args *u, int *tids)
{
	if (u->set_tid_size > MAX_LEVELS || !u->set_tid != !u->set_tid_size ||
	    u->exit_signal > KSIG_COUNT)
		return -EINVAL;
	return copy_from_user(tids, u->set_tid, u->set_tid_size * sizeof(*tids));
}

static int clone3_set_tid(const struct clone_args *u, int nr, u32 *tid)
{
	if (!u->set_tid_size)
		return 0;
	if (nr <= 0 || nr >= proc_pid_max())
		return -EINVAL;
	*tid = (u32)nr;
	return 0;
}

/* clone3(2) */
long sys_clone3(u64 uargs, u64 size)
{
	struct clone_args u;
	int tids[MAX_LEVELS];
	u32 tid;
	int err = clone3_read(uargs, size, &u);

	if (!err)
		err = clone3_read_tids(&u, tids);
	if (err)
		return err;
	if (!clone3_valid(&u))
		return -EINVAL;
	err = clone3_set_tid(&u, tids[0], &tid);
	if (err)
		return err;
	return proc_clone(&(struct clone_args_k){
		.flags = u.flags,
		.stack = u.stack + u.stack_size,
		.tls = u.tls,
		.parent_tid = u.parent_tid,
		.child_tid = u.child_tid,
		.pidfd = u.pidfd,
		.exit_signal = (int)u.exit_signal,
		.set_tid = &tid,
		.set_tid_size = (u32)u.set_tid_size,
	});
}

/* unshare(2) */
long sys_unshare(u64 flags)
{
	return flags >> 32 ? -EINVAL : proc_unshare(flags);
}

/* setns(2) */
long sys_setns(u64 fd, u64 type)
{
	return proc_setns((int)fd, (u32)type);
}

/* --- running --- */

static int exec_path_from_user(u64 upath, char **out)
{
	char *path = kmalloc(PATH_MAX_LEN, 0);
	ssize_t n;

	if (!path)
		return -ENOMEM;
	n = strncpy_from_user(path, upath, PATH_MAX_LEN);
	if (n < 0) {
		kfree(path);
		return (int)n;
	}
	*out = path;
	return 0;
}

/* execve(2) */
long sys_execve(u64 upath, u64 argv, u64 envp)
{
	struct exec_args a = { .lookup = LOOKUP_FOLLOW, .user_argv = argv, .user_envp = envp };
	char *path = NULL;
	int err = exec_path_from_user(upath, &path);

	if (err)
		return err;
	a.filename = path;
	err = *path ? proc_exec(&a) : -ENOENT;
	kfree(path);
	return err;
}

/* The name of a program that is found by descriptor: /dev/fd/N or /dev/fd/N/path. */
static int execveat_fd(struct exec_args *a, int fd, const char *path)
{
	char name[32], *full;
	struct file *f;
	size_t size;
	int err = fd_get_any(fd, &f);

	if (err) {
		a->open_err = a->open_err ?: err;
		a->filename = path;
		return proc_exec(a);
	}
	a->at = f->path;
	path_get(&a->at);
	file_put(f);
	snprintf(name, sizeof(name), "/dev/fd/%d%s", fd, *path ? "/" : "");
	size = strlen(name) + strlen(path) + 1;
	full = kmalloc(size, 0);
	if (!full) {
		path_put(&a->at);
		return -ENOMEM;
	}
	strlcpy(full, name, size);
	strlcat(full, path, size);
	a->lookup_name = path;
	a->filename = full;
	a->fd_cloexec = fd_get_cloexec(fd) > 0;
	err = proc_exec(a);
	path_put(&a->at);
	kfree(full);
	return err;
}

/* execveat(2) */
long sys_execveat(u64 fd, u64 upath, u64 argv, u64 envp, u64 flags)
{
	struct exec_args a = { .user_argv = argv, .user_envp = envp };
	char *path = NULL;
	int err;

	if ((u32)flags & ~(u32)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		a.open_err = -EINVAL;
	a.lookup = (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
		   (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
	err = exec_path_from_user(upath, &path);
	if (err)
		return err;
	if (!*path && !(flags & AT_EMPTY_PATH)) {
		err = -ENOENT;
	} else if (*path == '/' || (int)fd == AT_FDCWD) {
		a.filename = path;
		err = proc_exec(&a);
	} else {
		err = execveat_fd(&a, (int)fd, path);
	}
	kfree(path);
	return err;
}

/* acct(2) */
long sys_acct(u64 uname)
{
	struct sys_path p;
	int err;

	if (!sys_capable(CAP_SYS_PACCT))
		return -EPERM;
	if (!uname)
		return acct_on(NULL);
	err = sys_path_begin(&p, AT_FDCWD, uname);
	if (err)
		return err;
	err = acct_on(p.name);
	sys_path_end(&p);
	return err;
}

/* --- ending --- */

/* exit(2) */
long sys_exit(u64 code)
{
	proc_exit_thread((int)(code & 0xff) << 8);
}

/* exit_group(2) */
long sys_exit_group(u64 code)
{
	proc_exit_group((int)(code & 0xff) << 8);
}

/* --- waiting --- */

/* wait4(2) */
long sys_wait4(u64 upid, u64 ustatus, u64 options, u64 urusage)
{
	const int known = WNOHANG | WUNTRACED | WCONTINUED | (int)(__WNOTHREAD | __WCLONE | __WALL);
	struct proc_wait_result res;
	int pid = (int)upid, which = P_PID;
	long ret;

	if ((int)options & ~known)
		return -EINVAL;
	if (pid == (int)0x80000000)
		return -ESRCH;
	if (pid == -1)
		which = P_ALL;
	else if (pid <= 0)
		which = P_PGID;
	ret = proc_wait(which, (u32)(pid < 0 ? -pid : pid), NULL, (int)options | WEXITED, &res);
	if (ret <= 0)
		return ret;
	if (ustatus && put_user(ustatus, res.status))
		return -EFAULT;
	if (urusage && copy_to_user(urusage, &res.ru, sizeof(res.ru)))
		return -EFAULT;
	return ret;
}

/* What waitid says of a wait status. */
static int waitid_status(const struct proc_wait_result *r)
{
	switch (r->code) {
	case CLD_EXITED:
	case CLD_STOPPED: return r->status >> 8 & 0xff;
	case CLD_TRAPPED: return r->status >> 8; /* with the event */
	case CLD_CONTINUED: return SIGCONT;
	default: return r->status & 0x7f;
	}
}

static int waitid_tell(u64 uinfo, u64 urusage, const struct proc_wait_result *r)
{
	struct ksiginfo si = { 0 };
	siginfo_t info;
	const size_t told = offsetof(siginfo_t, si_status) + sizeof(info.si_status);

	if (urusage && r && copy_to_user(urusage, &r->ru, sizeof(r->ru)))
		return -EFAULT;
	if (!uinfo)
		return 0;
	if (r) {
		si.si_signo = SIGCHLD;
		si.si_code = r->code;
		si.si_pid = (int)r->pid;
		si.si_uid = r->uid;
		si.si_status = waitid_status(r);
	}
	signal_siginfo_to_user(&si, &info);
	return copy_to_user(uinfo, &info, told);
}

/* waitid(2) but for what is told. The child's number, 0 for none, or -errno. */
static long waitid_wait(u64 which, u64 id, u64 options, struct proc_wait_result *res)
{
	const int known = WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED |
			  (int)(__WNOTHREAD | __WCLONE | __WALL);
	struct pid *pidfd = NULL;
	bool nonblock;
	long ret;

	if (((int)options & ~known) || !((int)options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	if (((int)which == P_PID && (int)id <= 0) || ((int)which == P_PGID && (int)id < 0) ||
	    (u32)which > P_PIDFD)
		return -EINVAL;
	if ((int)which == P_PIDFD) {
		ret = (int)id < 0 ? -EINVAL : pidfd_get_pid((int)id, &pidfd);
		if (ret)
			return ret;
	}
	/* A descriptor that does not block makes the call one that does not wait. */
	nonblock = pidfd && pidfd_is_nonblock((int)id);
	ret = proc_wait((int)which, (u32)id, pidfd, (int)options | (nonblock ? WNOHANG : 0), res);
	if (pidfd)
		pid_put(pidfd);
	if (!ret && nonblock && !((int)options & WNOHANG))
		return -EAGAIN;
	return ret;
}

/* waitid(2): a call that fails writes as well, as on Linux. */
long sys_waitid(u64 which, u64 id, u64 uinfo, u64 options, u64 urusage)
{
	struct proc_wait_result res;
	long ret = waitid_wait(which, id, options, &res);

	if (waitid_tell(uinfo, urusage, ret > 0 ? &res : NULL))
		return -EFAULT;
	return MIN(ret, 0l);
}

/* --- numbers and groups --- */

/* getpid(2) */
long sys_getpid(void)
{
	return current_proc()->pid->nr;
}

/* getppid(2) */
long sys_getppid(void)
{
	return READ_ONCE(current_proc()->ppid);
}

/* gettid(2) */
long sys_gettid(void)
{
	return current_task()->tid->nr;
}

/* set_tid_address(2) */
long sys_set_tid_address(u64 addr)
{
	current_task()->clear_child_tid = addr;
	return current_task()->tid->nr;
}

/* setsid(2) */
long sys_setsid(void)
{
	u32 sid;
	int err = proc_setsid(&sid);

	return err ? err : (long)sid;
}

/* setpgid(2) */
long sys_setpgid(u64 pid, u64 pgid)
{
	int group = (int)pgid ?: (int)pid;

	if (group < 0)
		return -EINVAL;
	return (int)pid < 0 ? -ESRCH : proc_setpgid((u32)pid, (u32)pgid);
}

/* The process @pid, or that of the thread @pid, with a reference; 0: the caller's. NULL: none */
static struct proc *process_of(u64 pid)
{
	struct proc *p = (u32)pid ? proc_lookup((u32)pid) : proc_get(current_proc());
	struct task *t = p ? NULL : task_lookup((u32)pid);

	if (t) {
		p = proc_get(t->proc);
		task_put(t);
	}
	return p;
}

/* A number of process @pid, 0 the caller, that @get finds. */
static long number_of(u64 pid, struct pid *(*get)(struct proc *))
{
	struct proc *p = process_of(pid);
	struct pid *found;
	long nr = -ESRCH;

	if (!p)
		return -ESRCH;
	found = get(p);
	if (found) {
		nr = found->nr;
		pid_put(found);
	}
	proc_put(p);
	return nr;
}

/* getpgid(2) */
long sys_getpgid(u64 pid)
{
	return number_of(pid, proc_get_pgrp);
}

/* getsid(2) */
long sys_getsid(u64 pid)
{
	return number_of(pid, proc_get_session);
}

/* pidfd_open(2) */
long sys_pidfd_open(u64 nr, u64 flags)
{
	struct file *f;
	struct pid *pid;
	int fd, err;

	if (((u32)flags & ~(u32)O_NONBLOCK) || (int)nr <= 0)
		return -EINVAL;
	pid = pid_lookup((u32)nr);
	if (!pid)
		return -ESRCH;
	err = READ_ONCE(pid->proc) ? 0 : -EINVAL;
	if (!err)
		err = fd_reserve(0, proc_rlimit(RLIMIT_NOFILE), true, &fd);
	if (!err) {
		err = pidfd_create(pid, O_RDWR | (u32)flags, &f);
		if (err)
			fd_unreserve(fd);
		else
			fd_install(fd, f);
	}
	pid_put(pid);
	return err ? err : fd;
}

/*
 * The open file behind descriptor @fd of @t, with a reference. ctx: thread; sleeps. 0, -EBADF,
 * -ESRCH.
 */
int sys_file_of_task(struct task *t, int fd, struct file **out)
{
	struct fdtable *files = task_get_files(t);
	int found, err;

	if (!files)
		return -ESRCH;
	err = fd < 0 ? -EBADF : fdtable_next(files, fd, &found, out);
	fdtable_put(files);
	if (err)
		return -EBADF;
	if (found != fd) {
		file_put(*out);
		return -EBADF;
	}
	return 0;
}

/* pidfd_getfd(2) */
long sys_pidfd_getfd(u64 pidfd, u64 target, u64 flags)
{
	struct file *f;
	struct task *t;
	int err;

	if ((u32)flags)
		return -EINVAL;
	err = pidfd_get_leader((int)pidfd, &t);
	if (err)
		return err;
	err = proc_may_access(t, ACCESS_ATTACH | ACCESS_REAL_IDS);
	if (!err)
		err = sys_file_of_task(t, (int)target, &f);
	task_put(t);
	return err ? err : proc_fd_open(f, true);
}

/* --- limits and usage --- */

/* prlimit64 on another: the same user in every respect, or CAP_SYS_RESOURCE. */
static int prlimit_allowed(struct proc *p)
{
	const struct cred *me = current->cred;
	struct cred *c;
	bool same;

	if (p == current_proc() || sys_capable(CAP_SYS_RESOURCE))
		return 0;
	c = proc_get_cred(p);
	same = me->uid == c->euid && me->uid == c->suid && me->uid == c->uid &&
	       me->gid == c->egid && me->gid == c->sgid && me->gid == c->gid;
	cred_put(c);
	return same ? 0 : -EPERM;
}

/* prlimit64(2) */
long sys_prlimit64(u64 pid, u64 which, u64 unew, u64 uold)
{
	struct rlimit64 new, old;
	struct proc *p;
	int err;

	if (unew && copy_from_user(&new, unew, sizeof(new)))
		return -EFAULT;
	p = process_of(pid);
	if (!p)
		return -ESRCH;
	err = prlimit_allowed(p);
	if (!err)
		err = proc_rlimit_exchange(p, (int)which, unew ? &new : NULL, &old);
	proc_put(p);
	if (!err && uold)
		err = copy_to_user(uold, &old, sizeof(old));
	return err;
}

/* getrlimit(2) */
long sys_getrlimit(u64 which, u64 uold)
{
	struct rlimit64 old;
	int err = proc_rlimit_exchange(current_proc(), (int)which, NULL, &old);

	return err ? err : copy_to_user(uold, &old, sizeof(old));
}

/* setrlimit(2) */
long sys_setrlimit(u64 which, u64 unew)
{
	struct rlimit64 new;

	if (copy_from_user(&new, unew, sizeof(new)))
		return -EFAULT;
	return proc_rlimit_exchange(current_proc(), (int)which, &new, NULL);
}

/* getrusage(2) */
long sys_getrusage(u64 who, u64 uout)
{
	struct rusage ru;

	if ((int)who != RUSAGE_SELF && (int)who != RUSAGE_CHILDREN && (int)who != RUSAGE_THREAD)
		return -EINVAL;
	proc_rusage(current_proc(), (int)who, &ru);
	return copy_to_user(uout, &ru, sizeof(ru));
}

/* times(2): ticks since boot. */
long sys_times(u64 uout)
{
	struct proc *p = current_proc();
	struct proc_usage kids;
	struct tms tms;
	s64 utime, stime;
	u64 f;

	if (uout) {
		proc_times(p, &utime, &stime);
		f = spin_lock_irqsave(&p->siglock);
		kids = p->kids;
		spin_unlock_irqrestore(&p->siglock, f);
		tms.tms_utime = utime / CLOCK_TICK_NS;
		tms.tms_stime = stime / CLOCK_TICK_NS;
		tms.tms_cutime = kids.utime / CLOCK_TICK_NS;
		tms.tms_cstime = kids.stime / CLOCK_TICK_NS;
		if (copy_to_user(uout, &tms, sizeof(tms)))
			return -EFAULT;
	}
	return time_now() / CLOCK_TICK_NS;
}

/* personality(2) */
long sys_personality(u64 persona)
{
	struct task *t = current_task();
	u32 old = t->personality;

	/* There is no AArch32 to run. */
	if ((u32)persona != 0xffffffffu && ((u32)persona & PER_MASK) == PER_LINUX32)
		return -EINVAL;
	if ((u32)persona != 0xffffffffu)
		t->personality = (u32)persona;
	return old;
}
