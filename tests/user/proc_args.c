/*
 * The arguments of calls about processes: every flag and error of waiting, scheduling, priorities,
 * limits, usage, names, prctl and reboot. Runs as root; undoes what it changes.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <linux/membarrier.h>
#include <linux/reboot.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include "in_child.h"
#include "tap.h"

#define BAD ((void *)8)

struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

static int drop_all(void)
{
	return setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000);
}

/* --- waiting --- */

static pid_t child_exits(int code)
{
	pid_t p = fork();

	if (p == 0)
		_exit(code);
	return p;
}

static void waiting(void)
{
	siginfo_t si;
	struct rusage ru;
	int st;
	pid_t p;

	CHECK_ERR(waitid(P_ALL, 0, &si, 0), EINVAL);
	CHECK_ERR(waitid(P_ALL, 0, &si, WNOHANG), EINVAL);
	CHECK_ERR(waitid(P_ALL, 0, &si, WEXITED | 0x10), EINVAL);
	CHECK_ERR(waitid(P_PID, 0, &si, WEXITED), EINVAL);
	CHECK_ERR(waitid(P_PID, -5, &si, WEXITED), EINVAL);
	CHECK_ERR(waitid(P_PGID, -5, &si, WEXITED), EINVAL);
	CHECK_ERR(waitid(9, 1, &si, WEXITED), EINVAL);
	CHECK_ERR(waitid(P_ALL, 0, &si, WEXITED), ECHILD);
	CHECK_ERR(syscall(SYS_wait4, -1, &st, 0x1000, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_wait4, INT32_MIN, &st, 0, NULL), ESRCH);
	p = child_exits(7);
	CHECK(!waitid(P_PID, (id_t)p, &si, WEXITED | WNOWAIT) && si.si_pid == p);
	CHECK(si.si_signo == SIGCHLD && si.si_code == CLD_EXITED && si.si_status == 7 &&
	      si.si_uid == getuid());
	/* Not for those that say SIGCHLD at their end. */
	CHECK_ERR(waitid(P_PID, (id_t)p, &si, WEXITED | __WCLONE), ECHILD);
	CHECK_ERR(waitid(P_PID, (id_t)p, &si, WSTOPPED), ECHILD);
	CHECK(!syscall(SYS_waitid, P_PGID, 0, NULL, WEXITED | WNOWAIT, NULL));
	CHECK_ERR(syscall(SYS_waitid, P_PID, p, BAD, WEXITED | WNOWAIT, NULL), EFAULT);
	CHECK(wait4(p, &st, __WALL, &ru) == p && WEXITSTATUS(st) == 7);
	p = (pid_t)syscall(SYS_clone, 0, 0, 0, 0, 0); /* says nothing at its end */
	if (p == 0)
		_exit(3);
	CHECK_ERR(waitpid(p, &st, 0), ECHILD);
	CHECK(waitpid(p, &st, __WCLONE) == p && WEXITSTATUS(st) == 3);
	p = fork();
	if (p == 0) {
		raise(SIGSTOP);
		pause();
	}
	CHECK(!waitid(P_PID, (id_t)p, &si, WSTOPPED) && si.si_code == CLD_STOPPED &&
	      si.si_status == SIGSTOP);
	memset(&si, 1, sizeof(si));
	CHECK(!waitid(P_PID, (id_t)p, &si, WSTOPPED | WEXITED | WNOHANG) && si.si_pid == 0 &&
	      si.si_signo == 0);
	kill(p, SIGCONT);
	CHECK(!waitid(P_PID, (id_t)p, &si, WCONTINUED) && si.si_code == CLD_CONTINUED &&
	      si.si_status == SIGCONT);
	kill(p, SIGKILL);
	CHECK(!waitid(P_ALL, 0, &si, WEXITED) && si.si_code == CLD_KILLED && si.si_status == 9);
	p = child_exits(0);
	CHECK_ERR(syscall(SYS_wait4, p, BAD, 0, NULL), EFAULT);
	CHECK_ERR(waitpid(p, &st, 0), ECHILD);
}

/* --- scheduling --- */

/* The C library's function does not call the kernel's. */
static long set_policy(int policy, struct sched_param *p)
{
	return syscall(SYS_sched_setscheduler, 0, policy, p);
}

static int sched_as_user(void)
{
	struct sched_param p = { .sched_priority = 1 };
	struct attr a = { .size = sizeof(a), .policy = SCHED_RR, .priority = 5 };
	struct rlimit two = { 2, 2 }, nice = { 25, 25 };

	if (setrlimit(RLIMIT_RTPRIO, &two) || setrlimit(RLIMIT_NICE, &nice) || drop_all())
		return 1;
	if (set_policy(SCHED_FIFO, &p))
		return 2;
	p.sched_priority = 3;
	if (set_policy(SCHED_FIFO, &p) != -1 || errno != EPERM)
		return 3;
	if (syscall(SYS_sched_setattr, 0, &a, 0) != -1 || errno != EPERM)
		return 4;
	p.sched_priority = 0;
	if (set_policy(SCHED_OTHER | SCHED_RESET_ON_FORK, &p))
		return 5;
	/* The flag stays without the capability. */
	if (set_policy(SCHED_OTHER, &p) != -1 || errno != EPERM)
		return 6;
	if (setpriority(PRIO_PROCESS, 0, -5) || getpriority(PRIO_PROCESS, 0) != -5)
		return 7;
	if (setpriority(PRIO_PROCESS, 0, -6) != -1 || errno != EACCES)
		return 8;
	if (setpriority(PRIO_PROCESS, 1, 5) != -1 || errno != EPERM)
		return 9;
	if (syscall(SYS_sched_setparam, 1, &p) != -1 || errno != EPERM)
		return 10;
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof(set), &set) || sched_setaffinity(0, sizeof(set), &set) ||
	    sched_setaffinity(1, sizeof(set), &set) != -1 || errno != EPERM)
		return 11;
	if (syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_RT, 4)) !=
		    -1 ||
	    errno != EPERM)
		return 12;
	if (setpriority(PRIO_USER, 4242, 5) != -1 || errno != ESRCH)
		return 13;
	return 0;
}

static int reset_on_fork(void)
{
	struct sched_param p = { .sched_priority = 4 };
	int st;
	pid_t kid;

	if (set_policy(SCHED_RR | SCHED_RESET_ON_FORK, &p) ||
	    (int)syscall(SYS_sched_getscheduler, 0) != (SCHED_RR | SCHED_RESET_ON_FORK))
		return 1;
	kid = fork();
	if (kid == 0)
		_exit((int)syscall(SYS_sched_getscheduler, 0) != SCHED_OTHER);
	waitpid(kid, &st, 0);
	p.sched_priority = 0;
	if (st || set_policy(SCHED_OTHER | SCHED_RESET_ON_FORK, &p) ||
	    setpriority(PRIO_PROCESS, 0, -7))
		return 2;
	kid = fork();
	if (kid == 0)
		_exit(getpriority(PRIO_PROCESS, 0) != 0);
	waitpid(kid, &st, 0);
	return st ? 3 : 0;
}

static void scheduling(void)
{
	struct sched_param p = { 0 };
	struct attr a = { .size = sizeof(a) };
	struct timespec ts;
	cpu_set_t set;
	unsigned char mask[8] = { 0 };

	CHECK_ERR(syscall(SYS_sched_getscheduler, -1), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getscheduler, 4194303), ESRCH);
	CHECK_ERR(syscall(SYS_sched_getparam, 0, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getparam, 0, BAD), EFAULT);
	CHECK_ERR(syscall(SYS_sched_setparam, 0, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setscheduler, 0, -1, &p), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setscheduler, 0, 4, &p), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &p), EINVAL);
	p.sched_priority = 100;
	CHECK_ERR(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &p), EINVAL);
	p.sched_priority = 1;
	CHECK_ERR(syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &p), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setscheduler, 4194303, SCHED_RR, &p), ESRCH);
	CHECK(sched_get_priority_max(SCHED_RR) == 99 && sched_get_priority_min(SCHED_FIFO) == 1 &&
	      sched_get_priority_max(SCHED_IDLE) == 0 && sched_get_priority_max(6) == 0);
	CHECK_ERR(sched_get_priority_max(4), EINVAL);
	CHECK_ERR(sched_get_priority_min(-1), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setattr, 0, NULL, 0), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setattr, 0, &a, 1), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setattr, 0, BAD, 0), EFAULT);
	a.size = 12;
	CHECK_ERR(syscall(SYS_sched_setattr, 0, &a, 0), E2BIG);
	CHECK(a.size >= 48);
	a = (struct attr){ .size = sizeof(a), .policy = 99 };
	CHECK_ERR(syscall(SYS_sched_setattr, 0, &a, 0), EINVAL);
	a = (struct attr){ .size = sizeof(a), .flags = 1ull << 40 };
	CHECK_ERR(syscall(SYS_sched_setattr, 0, &a, 0), EINVAL);
	a = (struct attr){ .size = 48, .policy = SCHED_BATCH, .nice = 3 };
	CHECK(!syscall(SYS_sched_setattr, 0, &a, 0));
	memset(&a, 0, sizeof(a));
	CHECK(!syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0) && a.policy == SCHED_BATCH &&
	      a.nice == 3 && a.priority == 0 && a.flags == 0);
	CHECK_ERR(syscall(SYS_sched_getattr, 0, &a, 47, 0), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getattr, 0, &a, sizeof(a), 1), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getattr, -1, &a, sizeof(a), 0), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getattr, 4194303, &a, sizeof(a), 0), ESRCH);
	a = (struct attr){ .size = 48, .policy = SCHED_OTHER };
	CHECK(!syscall(SYS_sched_setattr, 0, &a, 0));
	CHECK_ERR(syscall(SYS_sched_rr_get_interval, -1, &ts), EINVAL);
	CHECK_ERR(syscall(SYS_sched_rr_get_interval, 0, BAD), EFAULT);
	CHECK(!sched_rr_get_interval(0, &ts));
	CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 4, mask), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 9, mask), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 8, BAD), EFAULT);
	CHECK_ERR(syscall(SYS_sched_getaffinity, 4194303, 8, mask), ESRCH);
	CHECK(syscall(SYS_sched_getaffinity, 0, sizeof(set), &set) == 8);
	CHECK_ERR(syscall(SYS_sched_setaffinity, 0, 8, mask), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setaffinity, 0, 8, BAD), EFAULT);
	CHECK(!syscall(SYS_sched_setaffinity, 0, 8, &set));
	CHECK(in_child(sched_as_user) == 0);
	CHECK(in_child(reset_on_fork) == 0);
}

#define BEST_EFFORT(n) IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, n)

static int ioprio_set(pid_t who, int value)
{
	return (int)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, who, value);
}

static int ioprio_get(pid_t who)
{
	return (int)syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, who);
}

/* What the I/O priority is after a child by clone(2) with @flags found 6 and made it 2. */
static int ioprio_after(unsigned long flags)
{
	pid_t kid;
	int st;

	if (ioprio_set(0, BEST_EFFORT(6)))
		return -1;
	kid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
	if (kid == 0)
		_exit(ioprio_get(0) != BEST_EFFORT(6) || ioprio_set(0, BEST_EFFORT(2)));
	return waitpid(kid, &st, 0) == kid && st == 0 ? ioprio_get(0) : -1;
}

/* CLONE_IO: one priority, of a caller that has been given any; kcmp(2) sees it as well. */
static int io_shared(void)
{
	const int kcmp_io = 5;
	pid_t kid;

	CHECK(ioprio_after(0) == BEST_EFFORT(6));
	CHECK(ioprio_after(CLONE_IO) == BEST_EFFORT(2));
	kid = (pid_t)syscall(SYS_clone, CLONE_IO | SIGCHLD, 0, 0, 0, 0);
	if (kid == 0)
		_exit(pause());
	CHECK(syscall(SYS_kcmp, getpid(), kid, kcmp_io, 0, 0) == 0);
	CHECK(!kill(kid, SIGKILL) && waitpid(kid, NULL, 0) == kid);
	kid = fork();
	if (kid == 0)
		_exit(pause());
	CHECK(syscall(SYS_kcmp, getpid(), kid, kcmp_io, 0, 0) > 0);
	CHECK(!kill(kid, SIGKILL) && waitpid(kid, NULL, 0) == kid);
	return 0;
}

static int both_are(const pid_t *p, int value)
{
	return getpriority(PRIO_PROCESS, p[0]) == value && getpriority(PRIO_PROCESS, p[1]) == value;
}

/* Of a group or a user: set for all; told is the best of them. */
static int of_many(void)
{
	pid_t kid[2];
	int good;

	if (setpgid(0, 0) || setresuid(4444, 0, 0))
		return 1;
	for (int i = 0; i < 2; i++) {
		kid[i] = fork();
		if (kid[i] == 0)
			_exit(pause());
	}
	good = !setpriority(PRIO_PROCESS, 0, 9) && !setpriority(PRIO_PROCESS, kid[0], 7) &&
	       !setpriority(PRIO_PROCESS, kid[1], 4);
	good = good && getpriority(PRIO_PGRP, 0) == 4 && getpriority(PRIO_USER, 4444) == 4;
	good = good && !setpriority(PRIO_PGRP, getpid(), 5) && both_are(kid, 5);
	good = good && !setpriority(PRIO_USER, 4444, 6) && both_are(kid, 6) &&
	       getpriority(PRIO_USER, 0) == 6 && getpriority(PRIO_PGRP, getpid()) == 6;
	kill(kid[0], SIGKILL);
	kill(kid[1], SIGKILL);
	return good ? 0 : 2;
}

static void priorities(void)
{
	CHECK(in_child(io_shared) == 0);
	CHECK(in_child(of_many) == 0);
	CHECK_ERR(setpriority(3, 0, 0), EINVAL);
	CHECK_ERR(setpriority(-1, 0, 0), EINVAL);
	CHECK_ERR(setpriority(PRIO_PROCESS, 4194303, 0), ESRCH);
	CHECK_ERR(setpriority(PRIO_PGRP, 4194303, 0), ESRCH);
	CHECK_ERR(getpriority(9, 0), EINVAL);
	CHECK_ERR(getpriority(PRIO_PROCESS, 4194303), ESRCH);
	CHECK(!setpriority(PRIO_PROCESS, 0, 100) && getpriority(PRIO_PROCESS, 0) == 19);
	CHECK(!setpriority(PRIO_PROCESS, 0, -100) && getpriority(PRIO_PROCESS, 0) == -20);
	CHECK(!setpriority(PRIO_PROCESS, 0, 0) && syscall(SYS_getpriority, PRIO_PROCESS, 0) == 20);
	CHECK_ERR(syscall(SYS_ioprio_set, 0, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(5, 0)), EINVAL);
	CHECK_ERR(syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(0, 3)), EINVAL);
	CHECK_ERR(syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 4194303), ESRCH);
	CHECK_ERR(syscall(SYS_ioprio_get, 7, 0), EINVAL);
	CHECK(!syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
		       IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 6)));
	CHECK(syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0) ==
	      IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 6));
	CHECK(!syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, 0));
}

/* --- zombies --- */

/* Who has ended and was not waited for is asked, and told, like who lives. */
static void zombies(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct caps[2] = { { 0 } };
	struct sched_param p = { 0 };
	struct attr a = { 0 };
	unsigned long mask = 0;
	struct timespec ts;
	char path[64], text[16] = "";
	void *head;
	size_t len;
	siginfo_t si;
	pid_t z = fork();
	int fd;

	if (z == 0) {
		setpriority(PRIO_PROCESS, 0, 5);
		personality(ADDR_NO_RANDOMIZE);
		_exit(set_policy(SCHED_BATCH, &p));
	}
	REQUIRE(!waitid(P_PID, (id_t)z, &si, WEXITED | WNOWAIT) && si.si_status == 0);
	CHECK(syscall(SYS_sched_getscheduler, z) == SCHED_BATCH);
	CHECK(!syscall(SYS_sched_getparam, z, &p) && p.sched_priority == 0);
	CHECK(!syscall(SYS_sched_getattr, z, &a, 48, 0) && a.policy == SCHED_BATCH && a.nice == 5);
	CHECK(!syscall(SYS_sched_rr_get_interval, z, &ts));
	CHECK(syscall(SYS_sched_getaffinity, z, 8, &mask) == 8 && mask);
	CHECK(syscall(SYS_getpriority, PRIO_PROCESS, z) == 15);
	CHECK(!setpriority(PRIO_PROCESS, z, 7) && getpriority(PRIO_PROCESS, z) == 7);
	p.sched_priority = 4;
	CHECK(!syscall(SYS_sched_setscheduler, z, SCHED_FIFO, &p) &&
	      syscall(SYS_sched_getscheduler, z) == SCHED_FIFO);
	CHECK(!syscall(SYS_sched_setaffinity, z, 8, &mask));
	CHECK(ioprio_get(z) >= 0);
	h.pid = z;
	CHECK(!syscall(SYS_capget, &h, caps) && (caps[0].effective >> CAP_SETUID & 1));
	CHECK(!syscall(SYS_get_robust_list, z, &head, &len) && len == 24);
	CHECK(syscall(SYS_kcmp, z, getpid(), 1 /* KCMP_VM */, 0, 0) > 0);
	CHECK_ERR(syscall(SYS_kcmp, z, getpid(), 0 /* KCMP_FILE */, 0, 0), EBADF);
	CHECK_ERR(syscall(SYS_move_pages, z, 0, NULL, NULL, NULL, 0), EINVAL);
	snprintf(path, sizeof(path), "/proc/%d/personality", z);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0 && read(fd, text, sizeof(text)) == 9 && !strcmp(text, "00040000\n"));
	close(fd);
	CHECK(waitpid(z, NULL, 0) == z);
	CHECK_ERR(syscall(SYS_sched_getscheduler, z), ESRCH);
}

/* --- limits and usage --- */

static int limits_as_user(void)
{
	struct rlimit r;

	if (drop_all() || getrlimit(RLIMIT_NOFILE, &r))
		return 1;
	r.rlim_max++;
	if (setrlimit(RLIMIT_NOFILE, &r) != -1 || errno != EPERM)
		return 2;
	if (prlimit(1, RLIMIT_NOFILE, NULL, &r) != -1 || errno != EPERM)
		return 3;
	return prlimit(getppid(), RLIMIT_NOFILE, NULL, &r) != -1 || errno != EPERM ? 4 : 0;
}

static int too_many(void)
{
	struct rlimit r = { 1, 1 };
	char *args[] = { "/bin/true", NULL };
	pid_t p;
	int err;

	if (setrlimit(RLIMIT_NPROC, &r))
		return 1;
	/* One more process of that user, then the user may not run a program. */
	p = fork();
	if (p == 0) {
		drop_all();
		pause();
	}
	if (!EVENTUALLY(is_asleep(p)))
		return 2;
	if (drop_all() || fork() != -1 || errno != EAGAIN) {
		kill(p, SIGKILL);
		return 3;
	}
	execv(args[0], args);
	err = errno;
	kill(p, SIGKILL);
	return err == EAGAIN ? 0 : 4;
}

static void limits(void)
{
	struct rlimit r, old;
	struct rusage ru;
	struct tms t;

	CHECK_ERR(getrlimit(16, &r), EINVAL);
	CHECK_ERR(getrlimit(-1, &r), EINVAL);
	CHECK_ERR(syscall(SYS_getrlimit, RLIMIT_CPU, BAD), EFAULT);
	CHECK_ERR(syscall(SYS_setrlimit, RLIMIT_CPU, BAD), EFAULT);
	CHECK_ERR(syscall(SYS_prlimit64, 0, RLIMIT_CPU, BAD, NULL), EFAULT);
	CHECK_ERR(prlimit(4194303, RLIMIT_CPU, NULL, &r), ESRCH);
	r = (struct rlimit){ 2, 1 };
	CHECK_ERR(setrlimit(RLIMIT_CORE, &r), EINVAL);
	r = (struct rlimit){ 1, 1 << 30 };
	CHECK_ERR(setrlimit(RLIMIT_NOFILE, &r), EPERM);
	CHECK(!getrlimit(RLIMIT_MSGQUEUE, &old));
	r = (struct rlimit){ 5, old.rlim_max };
	CHECK(!prlimit(getpid(), RLIMIT_MSGQUEUE, &r, &r) && r.rlim_cur == old.rlim_cur);
	CHECK(!prlimit(0, RLIMIT_MSGQUEUE, &old, &r) && r.rlim_cur == 5);
	CHECK(in_child(limits_as_user) == 0);
	CHECK(in_child(too_many) == 0);
	CHECK_ERR(getrusage(5, &ru), EINVAL);
	CHECK_ERR(syscall(SYS_getrusage, RUSAGE_SELF, BAD), EFAULT);
	CHECK(!getrusage(RUSAGE_CHILDREN, &ru));
	CHECK(ru.ru_maxrss > 0 && ru.ru_minflt > 0);
	CHECK(!getrusage(RUSAGE_SELF, &ru) && ru.ru_maxrss > 0 && ru.ru_nvcsw > 0);
	CHECK(!getrusage(RUSAGE_THREAD, &ru) && ru.ru_minflt > 0);
	CHECK(times(&t) != -1 && t.tms_cutime >= 0);
	CHECK(syscall(SYS_times, NULL) > 0);
	CHECK_ERR(syscall(SYS_times, BAD), EFAULT);
}

/* --- names, machine --- */

static int names_as_user(void)
{
	if (drop_all())
		return 1;
	if (sethostname("x", 1) != -1 || errno != EPERM || setdomainname("x", 1) != -1 ||
	    errno != EPERM)
		return 2;
	if (syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_CAD_OFF,
		    NULL) != -1 ||
	    errno != EPERM)
		return 3;
	return syscall(SYS_vhangup) != -1 || errno != EPERM ? 4 : 0;
}

static void machine(void)
{
	struct utsname u, v;
	struct sysinfo si;
	unsigned cpu = 999, node = 999;

	CHECK(!uname(&u) && !strcmp(u.sysname, "Linux") && !strcmp(u.machine, "aarch64"));
	CHECK_ERR(syscall(SYS_uname, BAD), EFAULT);
	CHECK_ERR(sethostname("x", 65), EINVAL);
	CHECK_ERR(syscall(SYS_sethostname, "x", -1), EINVAL);
	CHECK_ERR(syscall(SYS_sethostname, BAD, 3), EFAULT);
	CHECK(!sethostname("a-name", 6) && !uname(&v) && !strcmp(v.nodename, "a-name"));
	CHECK(!sethostname(u.nodename, strlen(u.nodename)));
	CHECK_ERR(syscall(SYS_setdomainname, "x", 65), EINVAL);
	CHECK(!setdomainname("dom", 3) && !uname(&v) && !strcmp(v.domainname, "dom"));
	CHECK(!setdomainname(u.domainname, strlen(u.domainname)));
	CHECK(!sysinfo(&si) && si.uptime > 0 && si.totalram > si.freeram && si.mem_unit >= 1 &&
	      si.procs > 0);
	CHECK_ERR(syscall(SYS_sysinfo, BAD), EFAULT);
	CHECK(!syscall(SYS_getcpu, &cpu, &node, NULL) && cpu < 64 && node == 0);
	CHECK(!syscall(SYS_getcpu, NULL, NULL, NULL));
	CHECK_ERR(syscall(SYS_getcpu, BAD, NULL, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_reboot, 1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_CAD_OFF, NULL),
		  EINVAL);
	CHECK_ERR(syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, 5, LINUX_REBOOT_CMD_CAD_OFF, NULL),
		  EINVAL);
	CHECK_ERR(syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2C, 77, NULL), EINVAL);
	CHECK(!syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2A,
		       LINUX_REBOOT_CMD_CAD_OFF, NULL));
	CHECK(in_child(names_as_user) == 0);
	CHECK(personality(0xffffffff) == 0 && personality(ADDR_NO_RANDOMIZE) == 0 &&
	      personality(0) == ADDR_NO_RANDOMIZE);
	personality(UNAME26);
	CHECK(!uname(&v) && !strncmp(v.release, "2.6.6", 5));
	personality(0);
	CHECK(!uname(&v) && strncmp(v.release, "2.6.", 4));
	CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0) > 0);
	CHECK_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 1, 0), EINVAL);
	CHECK_ERR(syscall(SYS_membarrier, 3, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), EPERM);
	CHECK(!syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) &&
	      !syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
}

/* --- prctl, seccomp --- */

static unsigned long long stat_field(int n)
{
	char buf[2048], *p;
	int fd = open("/proc/self/stat", O_RDONLY);
	ssize_t len = read(fd, buf, sizeof(buf) - 1);

	close(fd);
	buf[len > 0 ? len : 0] = 0;
	p = strrchr(buf, ')');
	for (n -= 2; p && n-- > 0;)
		p = strchr(p + 1, ' ');
	return p ? strtoull(p, NULL, 10) : 0;
}

static int set_mm(void)
{
	static char title[] = "a new title\0";
	unsigned long start = stat_field(48), end = stat_field(49);
	unsigned size = 0;
	int fd;

	if (!start || end <= start)
		return 1;
	if (prctl(PR_SET_MM, PR_SET_MM_ARG_START, end + 4096, 0, 0) != -1 || errno != EINVAL)
		return 2;
	if (prctl(PR_SET_MM, PR_SET_MM_ARG_START, start, 1, 0) != -1 || errno != EINVAL ||
	    prctl(PR_SET_MM, PR_SET_MM_ARG_START, 0, 0, 0) != -1 || errno != EINVAL ||
	    prctl(PR_SET_MM, 99, start, 0, 0) != -1 || errno != EINVAL)
		return 3;
	/* The buffer is below the old place, so the start goes first. */
	if (prctl(PR_SET_MM, PR_SET_MM_ARG_START, title, 0, 0) ||
	    prctl(PR_SET_MM, PR_SET_MM_ARG_END, title + sizeof(title) - 1, 0, 0))
		return 4;
	if (prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0) || size != 104)
		return 6;
	if (prctl(PR_SET_MM, PR_SET_MM_MAP, title, 5, 0) != -1 || errno != EINVAL)
		return 7;
	if (prctl(PR_SET_MM, PR_SET_MM_EXE_FILE, 99, 0, 0) != -1 || errno != EBADF)
		return 8;
	fd = open("/proc/self/exe", O_RDONLY);
	if (prctl(PR_SET_MM, PR_SET_MM_EXE_FILE, fd, 0, 0) != -1 || errno != EBUSY)
		return 9;
	if (drop_all() || prctl(PR_SET_MM, PR_SET_MM_ARG_START, start, 0, 0) != -1 ||
	    errno != EPERM)
		return 10;
	return 0;
}

static int strict(void)
{
	char c = 'x';

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0))
		return 1;
	write(-1, &c, 1); /* allowed; fails */
	syscall(SYS_exit, 5);
	return 2;
}

static int strict_breaks(void)
{
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL))
		return 1;
	getppid();
	return 2;
}

static int strict_breaks_unknown(void)
{
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0))
		return 1;
	syscall(3000);
	return 2;
}

/* The address that is cleared at the thread's end. */
static void tid_address(void)
{
	static int word;
	void *mine = NULL, *now = NULL;

	CHECK(!prctl(PR_GET_TID_ADDRESS, &mine));
	CHECK(syscall(SYS_set_tid_address, &word) == gettid());
	CHECK(!prctl(PR_GET_TID_ADDRESS, &now) && now == &word);
	CHECK_ERR(prctl(PR_GET_TID_ADDRESS, BAD), EFAULT);
	CHECK(syscall(SYS_set_tid_address, mine) == gettid());
}

/* Timers of a thread with a policy of real time have no slack; after it the default is back. */
static int slack_by_policy(void)
{
	struct sched_param p = { .sched_priority = 3 };

	if (prctl(PR_SET_TIMERSLACK, 777) || set_policy(SCHED_FIFO, &p))
		return 1;
	if (prctl(PR_GET_TIMERSLACK) || prctl(PR_SET_TIMERSLACK, 5) || prctl(PR_GET_TIMERSLACK))
		return 2;
	p.sched_priority = 0;
	return set_policy(SCHED_OTHER, &p) || prctl(PR_GET_TIMERSLACK) != 50000 ? 3 : 0;
}

static long bypass(unsigned long what)
{
	return prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, what, 0, 0);
}

/* A CPU without a remedy: all is granted but what would undo PR_SPEC_FORCE_DISABLE. */
static int speculation(void)
{
	pid_t kid;
	int st;

	if (prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, 0, 0, 0) != PR_SPEC_ENABLE)
		return 0; /* another CPU */
	CHECK(!bypass(PR_SPEC_DISABLE) && !bypass(PR_SPEC_ENABLE) &&
	      !bypass(PR_SPEC_DISABLE_NOEXEC) && !bypass(PR_SPEC_FORCE_DISABLE));
	CHECK_ERR(bypass(PR_SPEC_ENABLE), EPERM);
	CHECK_ERR(bypass(PR_SPEC_DISABLE_NOEXEC), EPERM);
	CHECK(!bypass(PR_SPEC_DISABLE));
	kid = fork();
	if (!kid)
		_exit(bypass(PR_SPEC_ENABLE) == -1 && errno == EPERM ? 0 : 1);
	CHECK(waitpid(kid, &st, 0) == kid && st == 0);
	CHECK(prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, 0, 0, 0) == PR_SPEC_ENABLE);
	CHECK_ERR(bypass(0), ERANGE);
	CHECK_ERR(bypass(32), ERANGE);
	CHECK_ERR(bypass(PR_SPEC_ENABLE | PR_SPEC_DISABLE), ERANGE);
	CHECK_ERR(prctl(PR_SET_SPECULATION_CTRL, 99, PR_SPEC_ENABLE, 0, 0), ENODEV);
	CHECK_ERR(prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, PR_SPEC_ENABLE, 1, 0),
		  EINVAL);
	return 0;
}

static void options(void)
{
	long slack = prctl(PR_GET_TIMERSLACK);
	int v = 0;

	CHECK(slack > 0 && !prctl(PR_SET_TIMERSLACK, 123456) && prctl(PR_GET_TIMERSLACK) == 123456);
	CHECK(!prctl(PR_SET_TIMERSLACK, 0) && prctl(PR_GET_TIMERSLACK) == slack);
	CHECK_ERR(prctl(PR_SET_PDEATHSIG, 65), EINVAL);
	CHECK_ERR(prctl(PR_GET_PDEATHSIG, BAD), EFAULT);
	CHECK(!prctl(PR_SET_PDEATHSIG, 5) && !prctl(PR_GET_PDEATHSIG, &v) && v == 5 &&
	      !prctl(PR_SET_PDEATHSIG, 0));
	CHECK(!prctl(PR_SET_CHILD_SUBREAPER, 1) && !prctl(PR_GET_CHILD_SUBREAPER, &v) && v == 1 &&
	      !prctl(PR_SET_CHILD_SUBREAPER, 0));
	CHECK(!prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) &&
	      prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1 && !prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
	CHECK_ERR(prctl(PR_SET_THP_DISABLE, 1, 1, 0, 0), EINVAL);
	CHECK(prctl(PR_GET_TIMING) == 0 && !prctl(PR_SET_TIMING, 0));
	CHECK_ERR(prctl(PR_SET_TIMING, 1), EINVAL);
	CHECK_ERR(prctl(PR_GET_TSC, &v), EINVAL);
	CHECK_ERR(prctl(PR_GET_SPECULATION_CTRL, 99, 0, 0, 0), ENODEV);
	CHECK_ERR(prctl(PR_GET_SPECULATION_CTRL, 0, 1, 0, 0), EINVAL);
	CHECK(prctl(PR_GET_SPECULATION_CTRL, 0, 0, 0, 0) >= 0);
	CHECK(in_child(speculation) == 0);
	tid_address();
	CHECK(in_child(slack_by_policy) == 0);
	CHECK(in_child(set_mm) == 0);
	CHECK(prctl(PR_GET_SECCOMP) == 0);
	CHECK_ERR(prctl(PR_SET_SECCOMP, 77, 0, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_seccomp, 77, 0, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, NULL), EINVAL);
	CHECK(in_child(strict) == 5);
	CHECK(in_child(strict_breaks) == 128 + SIGKILL);
	CHECK(in_child(strict_breaks_unknown) == 128 + SIGKILL);
	CHECK(getppid() > 0);
}

int main(void)
{
	if (getuid()) {
		printf("1..0 # SKIP not root\n");
		return 0;
	}
	waiting();
	scheduling();
	priorities();
	zombies();
	limits();
	machine();
	options();
	return tap_done();
}
