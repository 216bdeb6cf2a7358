/*
 * fork(2), clone(2), execve(2), wait(2), setpgid(2), pidfd_open(2): life of processes and threads.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "tap.h"
#include "vforked.h"

extern char **environ;
static char self_path[256];
static volatile int shared_word;
static void *volatile nowhere = (void *)8; /* unmapped */

static int status_of(pid_t pid)
{
	int st;

	return waitpid(pid, &st, 0) == pid ? st : -1;
}

static void test_fork_wait(void)
{
	int st, local = 1;
	struct rusage ru;
	pid_t p = fork();

	if (p == 0) {
		local = 2;
		_exit(local == 2 && getppid() > 0 ? 42 : 1);
	}
	CHECK(waitpid(p, &st, 0) == p && WIFEXITED(st) && WEXITSTATUS(st) == 42 && local == 1);
	CHECK_ERR(waitpid(p, &st, 0), ECHILD);
	CHECK_ERR(waitpid(-1, &st, WNOHANG), ECHILD);
	CHECK_ERR(waitpid(-1, &st, 0x100), EINVAL);
	p = fork();
	if (p == 0)
		pause();
	CHECK(waitpid(p, &st, WNOHANG) == 0);
	CHECK_ERR(waitpid(-p, &st, WNOHANG), ECHILD);
	kill(p, SIGKILL);
	CHECK(wait4(p, &st, 0, &ru) == p && WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL &&
	      !WCOREDUMP(st));
	CHECK(ru.ru_maxrss > 0);
}

static void test_waitid(void)
{
	siginfo_t si;
	pid_t p = fork();

	if (p == 0)
		_exit(7);
	memset(&si, 0xff, sizeof(si));
	CHECK(!waitid(P_PID, p, &si, WEXITED | WNOWAIT));
	CHECK(si.si_signo == SIGCHLD && si.si_code == CLD_EXITED && si.si_status == 7 &&
	      si.si_pid == p && si.si_uid == getuid());
	CHECK(!waitid(P_ALL, 0, &si, WEXITED) && si.si_pid == p);
	CHECK_ERR(waitid(P_ALL, 0, &si, WEXITED), ECHILD);
	CHECK_ERR(waitid(P_ALL, 0, &si, WNOHANG), EINVAL);
	CHECK_ERR(waitid(99, 0, &si, WEXITED), EINVAL);
	p = fork();
	if (p == 0)
		for (;;)
			pause();
	CHECK(!waitid(P_PID, p, &si, WEXITED | WNOHANG) && si.si_pid == 0 && si.si_signo == 0);
	kill(p, SIGSTOP);
	CHECK(!waitid(P_PID, p, &si, WSTOPPED) && si.si_code == CLD_STOPPED &&
	      si.si_status == SIGSTOP);
	CHECK(!waitid(P_PID, p, &si, WSTOPPED | WNOHANG) && si.si_pid == 0);
	kill(p, SIGCONT);
	CHECK(!waitid(P_PID, p, &si, WCONTINUED) && si.si_code == CLD_CONTINUED &&
	      si.si_status == SIGCONT);
	kill(p, SIGTERM);
	CHECK(!waitid(P_PID, p, &si, WEXITED) && si.si_code == CLD_KILLED &&
	      si.si_status == SIGTERM);
}

static void test_orphans(void)
{
	int p[2], known[2], st;
	pid_t child, first = 0, second = 0;

	REQUIRE(!pipe(p) && !pipe(known));
	CHECK(!prctl(PR_SET_CHILD_SUBREAPER, 1));
	child = fork();
	if (child == 0) {
		if (fork() == 0) {
			pid_t id = getppid();

			write(p[1], &id, sizeof(id));
			write(known[1], "k", 1);
			EVENTUALLY(getppid() != id);
			id = getppid();
			write(p[1], &id, sizeof(id));
			_exit(9);
		}
		_exit(read(known[0], &st, 1) != 1);
	}
	CHECK(read(p[0], &first, sizeof(first)) == sizeof(first) && first == child);
	CHECK(waitpid(child, &st, 0) == child);
	CHECK(read(p[0], &second, sizeof(second)) == sizeof(second) && second == getpid());
	CHECK(wait(&st) > 0 && WEXITSTATUS(st) == 9);
	CHECK(!prctl(PR_SET_CHILD_SUBREAPER, 0));
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(known[i]);
	}
}

/* PR_SET_PDEATHSIG: who made the process has ended, and says so itself; no child inherits it. */
static void test_parent_death(void)
{
	int known[2], st, none = -1;
	pid_t middle, kid;
	siginfo_t si;
	sigset_t usr1;
	char c;

	REQUIRE(!pipe(known));
	CHECK(!prctl(PR_SET_CHILD_SUBREAPER, 1));
	middle = fork();
	if (middle == 0) {
		middle = getpid();
		kid = fork();
		if (kid)
			_exit(read(known[0], &c, 1) != 1);
		sigemptyset(&usr1);
		sigaddset(&usr1, SIGUSR1);
		sigprocmask(SIG_BLOCK, &usr1, NULL);
		prctl(PR_SET_PDEATHSIG, SIGUSR1);
		kid = fork();
		if (kid == 0)
			_exit(prctl(PR_GET_PDEATHSIG, &none) || none);
		st = status_of(kid);
		write(known[1], "k", 1);
		sigwaitinfo(&usr1, &si);
		_exit(st || si.si_code != SI_USER || si.si_pid != middle ? 1 : 15);
	}
	CHECK(status_of(middle) == 0);
	CHECK(wait(&st) > 0 && WIFEXITED(st) && WEXITSTATUS(st) == 15);
	CHECK(!prctl(PR_SET_CHILD_SUBREAPER, 0));
	close(known[0]);
	close(known[1]);
}

static void test_autoreap(void)
{
	int st;
	struct sigaction sa = { .sa_handler = SIG_IGN }, old;

	sigaction(SIGCHLD, &sa, &old);
	if (fork() == 0)
		_exit(0);
	CHECK_ERR(wait(&st), ECHILD);
	sa.sa_handler = SIG_DFL;
	sa.sa_flags = SA_NOCLDWAIT;
	sigaction(SIGCHLD, &sa, NULL);
	if (fork() == 0)
		_exit(0);
	CHECK_ERR(wait(&st), ECHILD);
	sigaction(SIGCHLD, &old, NULL);
}

static void test_groups(void)
{
	int st, p[2];
	char c;
	pid_t child;

	CHECK(getpgid(0) == getpgrp() && getsid(0) > 0);
	CHECK_ERR(getpgid(999999), ESRCH);
	CHECK_ERR(setpgid(0, -1), EINVAL);
	CHECK_ERR(setpgid(999999, 0), ESRCH);
	REQUIRE(!pipe(p));
	child = fork();
	if (child == 0) {
		close(p[1]);
		read(p[0], &c, 1);
		_exit(getpgrp() == getpid() && setsid() == -1 && errno == EPERM ? 0 : 1);
	}
	CHECK(!setpgid(child, child) && getpgid(child) == child);
	CHECK_ERR(setpgid(child, 1), EPERM);
	close(p[1]);
	CHECK(status_of(child) == 0);
	close(p[0]);
	child = fork();
	if (child == 0)
		_exit(setsid() == getpid() && getpgrp() == getpid() && getsid(0) == getpid() &&
				      setpgid(0, 0) == -1 && errno == EPERM
			      ? 0
			      : 1);
	CHECK(status_of(child) == 0);
	child = fork();
	if (child == 0) {
		setpgid(0, 0);
		if (fork() == 0)
			for (;;)
				pause();
		kill(0, SIGTERM);
		pause();
	}
	CHECK(WTERMSIG(status_of(child)) == SIGTERM);
	(void)st;
}

static int signals_seen[2]; /* a pipe */

static void tell_signal(int sig)
{
	char c = (char)sig;

	write(signals_seen[1], &c, 1);
}

/*
 * A session whose leader leaves a process group of one behind, stopped or not: who is in it has
 * handlers for what an orphaned group is sent, or not (setpgid(3), _exit(2)).
 */
static pid_t leave_orphan(int handlers, int stopped)
{
	pid_t leader = fork(), left;

	if (leader)
		return leader;
	setsid();
	leader = getpid();
	left = fork();
	if (left) {
		int st;

		_exit(stopped && waitpid(left, &st, WUNTRACED) != left);
	}
	setpgid(0, 0);
	if (handlers) {
		signal(SIGHUP, tell_signal);
		signal(SIGCONT, tell_signal);
	}
	if (stopped)
		raise(SIGSTOP);
	if (EVENTUALLY(getppid() != leader))
		tell_signal(0);
	_exit(8);
}

static void test_orphaned_groups(void)
{
	char c[3] = { 0 };
	int st;

	REQUIRE(!pipe(signals_seen) && !prctl(PR_SET_CHILD_SUBREAPER, 1));
	CHECK(status_of(leave_orphan(1, 1)) == 0);
	CHECK(wait(&st) > 0 && WIFEXITED(st) && WEXITSTATUS(st) == 8);
	CHECK(read(signals_seen[0], c, 3) == 3 && c[0] + c[1] == SIGHUP + SIGCONT && !c[2]);
	CHECK(status_of(leave_orphan(0, 1)) == 0);
	CHECK(wait(&st) > 0 && WIFSIGNALED(st) && WTERMSIG(st) == SIGHUP);
	/* Who is not stopped is not disturbed. */
	CHECK(status_of(leave_orphan(1, 0)) == 0);
	CHECK(wait(&st) > 0 && WIFEXITED(st) && read(signals_seen[0], c, 3) == 1 && !c[0]);
	CHECK(!prctl(PR_SET_CHILD_SUBREAPER, 0) && !close(signals_seen[0]) &&
	      !close(signals_seen[1]));
}

/* Run this program again with a role. */
static pid_t spawn(char *const argv[], char *const envp[])
{
	pid_t p = fork();

	if (p == 0) {
		execve(self_path, argv, envp);
		_exit(127);
	}
	return p;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);

	write(fd, text, strlen(text));
	close(fd);
	chmod(path, mode);
}

static int run(const char *path, char *const argv[])
{
	pid_t p = fork();

	if (p == 0) {
		execve(path, argv, environ);
		_exit(errno == ENOEXEC	? 126
		      : errno == EACCES ? 125
		      : errno == ELOOP	? 124
		      : errno == ENOENT ? 123
					: 122);
	}
	return WEXITSTATUS(status_of(p));
}

static void test_exec(void)
{
	char *args[] = { "x", "args", "a b", "", "z", NULL }, *env[] = { "A=1", "B=2", NULL };
	char *none[] = { NULL }, line[700];
	int fd;

	CHECK(WEXITSTATUS(status_of(spawn(args, env))) == 33);
	CHECK_ERR(execve("/nonexistent", none, none), ENOENT);
	CHECK_ERR(execve("/", none, none), EACCES);
	CHECK_ERR(execve("", none, none), ENOENT);
	CHECK_ERR(execve(self_path, (char **)nowhere, none), EFAULT);
	write_file("/tmp/notelf", "hello\n", 0755);
	CHECK(run("/tmp/notelf", args) == 126);
	write_file("/tmp/empty", "", 0755);
	CHECK(run("/tmp/empty", args) == 126);
	write_file("/tmp/noexec", "#!/bin/sh\n", 0644);
	CHECK(run("/tmp/noexec", args) == 125);
	snprintf(line, sizeof(line), "#! %s script \t one two  \nrest\n", self_path);
	write_file("/tmp/script", line, 0755);
	char *sargs[] = { "ignored", "more", NULL };
	CHECK(run("/tmp/script", sargs) == 44);
	write_file("/tmp/script2", "#!/tmp/script\n", 0755);
	CHECK(run("/tmp/script2", sargs) == 45);
	write_file("/tmp/loop", "#!/tmp/loop\n", 0755);
	CHECK(run("/tmp/loop", sargs) == 124);
	write_file("/tmp/badint", "#!/no/such/thing\n", 0755);
	CHECK(run("/tmp/badint", sargs) == 123);
	write_file("/tmp/blank", "#!  \n", 0755);
	CHECK(run("/tmp/blank", sargs) == 126);
	CHECK_ERR(open(self_path, O_WRONLY), ETXTBSY);
	fd = open(self_path, O_RDONLY | O_CLOEXEC);
	pid_t p = fork();
	if (p == 0) {
		syscall(SYS_execveat, fd, "", args, env, AT_EMPTY_PATH);
		_exit(1);
	}
	CHECK(WEXITSTATUS(status_of(p)) == 33);
	close(fd);
}

/* How this program ends that runs itself with @size for its stack: 128 and errno if not at all. */
static int exec_on_stack(char *const argv[], rlim_t size)
{
	char *env[] = { NULL };
	struct rlimit limit;
	pid_t p = fork();

	if (p == 0) {
		if (getrlimit(RLIMIT_STACK, &limit))
			_exit(1);
		limit.rlim_cur = size;
		if (setrlimit(RLIMIT_STACK, &limit))
			_exit(2);
		execve(self_path, argv, env);
		_exit(128 + errno);
	}
	return WEXITSTATUS(status_of(p));
}

static void test_exec_limits(void)
{
	char *env[] = { NULL }, **many;
	char *big = malloc(140000);
	int n = 40000;

	memset(big, 'x', 139999);
	big[139999] = 0;
	char *one[] = { "x", big, NULL };
	CHECK_ERR(execve(self_path, one, env), E2BIG);
	big[100000] = 0;
	char *ok[] = { "x", "count", big, NULL };
	CHECK(WEXITSTATUS(status_of(spawn(ok, env))) == 3);
	many = calloc(n + 1, sizeof(*many));
	big[60] = 0;
	for (int i = 0; i < n; i++)
		many[i] = big;
	CHECK_ERR(execve(self_path, many, env), E2BIG);
	free(many);
	big[60] = 'x';
	/* What RLIMIT_STACK has no room for; a program that has it begins. */
	big[70000] = 0;
	CHECK(exec_on_stack(ok, 65536) == 128 + E2BIG);
	big[20000] = 0;
	CHECK(exec_on_stack(ok, 16384) == 128 + E2BIG);
	CHECK(exec_on_stack(ok, 65536) == 4);
	free(big);
}

/* What is marked is closed, only then; O_CLOEXEC, FD_CLOEXEC and the mark of a copy. */
static void test_close_on_exec(void)
{
	int gone = open("/", O_RDONLY | O_CLOEXEC), copy = dup(gone), set = open("/", O_RDONLY);
	char text[3][16];
	char *args[] = { "x", "fds", text[0], text[1], text[2], NULL };

	CHECK(!fcntl(set, F_SETFD, FD_CLOEXEC));
	snprintf(text[0], sizeof(text[0]), "%d", gone);
	snprintf(text[1], sizeof(text[1]), "%d", set);
	snprintf(text[2], sizeof(text[2]), "%d", copy);
	CHECK(WEXITSTATUS(status_of(spawn(args, environ))) == 77);
	CHECK(fcntl(gone, F_GETFD) == FD_CLOEXEC); /* here nothing is closed */
	close(gone);
	close(set);
	close(copy);
}

static void *exec_thread(void *arg)
{
	char *args[] = { "x", "pid", arg, NULL };

	execve(self_path, args, environ);
	_exit(1);
}

static void *sleeper(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void test_exec_threads(void)
{
	pid_t p = fork();

	if (p == 0) {
		pthread_t t[4];
		char nr[16];

		snprintf(nr, sizeof(nr), "%d", getpid());
		for (int i = 0; i < 3; i++)
			pthread_create(&t[i], NULL, sleeper, NULL);
		pthread_create(&t[3], NULL, exec_thread, nr);
		for (;;)
			pause();
	}
	CHECK(WEXITSTATUS(status_of(p)) == 55);
	p = fork();
	if (p == 0) {
		pthread_t t;
		char nr[16];

		snprintf(nr, sizeof(nr), "%d", getpid());
		pthread_create(&t, NULL, exec_thread, nr);
		pthread_exit(NULL);
	}
	CHECK(WEXITSTATUS(status_of(p)) == 55);
}

/* Field 20 of /proc/self/stat: threads, with a first one that has ended. */
static int thread_count(void)
{
	char text[512], *p;
	int n = -1, fd = open("/proc/self/stat", O_RDONLY);
	ssize_t len = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[len > 0 ? len : 0] = 0;
	p = strrchr(text, ')');
	if (p)
		sscanf(p + 2,
		       "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d",
		       &n);
	return n;
}

static int task_is_listed(pid_t tid)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	int found = 0;

	while (d && (e = readdir(d)))
		found |= atoi(e->d_name) == tid;
	if (d)
		closedir(d);
	return found;
}

/* The first thread ends before the others: it stays as a zombie. */
static void *exit_group_thread(void *arg)
{
	struct timespec used = { 0, 0 };

	if (!EVENTUALLY(task_state(getpid(), getpid()) == 'Z'))
		exit(65);
	if (thread_count() != 2)
		exit(64);
	if (!task_is_listed(getpid()) || !task_is_listed(gettid()))
		exit(63);
	/* Its CPU clock has stopped, and its scheduling is told. */
	if (syscall(SYS_clock_gettime, ~getpid() * 8 | 6, &used) || !(used.tv_sec | used.tv_nsec) ||
	    syscall(SYS_sched_getscheduler, getpid()))
		exit(62);
	exit(66);
	return arg;
}

static void test_threads(void)
{
	pthread_t t[8];
	void *ret;
	pid_t p;

	for (long i = 0; i < 8; i++)
		CHECK(!pthread_create(&t[i], NULL, (void *(*)(void *))(void *)labs,
				      (void *)(i + 1)));
	for (long i = 0; i < 8; i++)
		CHECK(!pthread_join(t[i], &ret) && ret == (void *)(i + 1));
	p = fork();
	if (p == 0) {
		pthread_create(&t[0], NULL, exit_group_thread, NULL);
		pthread_exit(NULL);
	}
	CHECK(WEXITSTATUS(status_of(p)) == 66);
	p = fork();
	if (p == 0) {
		for (int i = 0; i < 8; i++)
			pthread_create(&t[i], NULL, sleeper, NULL);
		_exit(67);
	}
	CHECK(WEXITSTATUS(status_of(p)) == 67);
}

static int clone_fn(void *arg)
{
	shared_word = 5;
	return 11;
}

static void test_clone(void)
{
	char *stack = malloc(65536);
	int st, pidfd = -1;
	pid_t p;

	shared_word = 0;
	p = clone(clone_fn, stack + 65536, CLONE_VM | SIGCHLD, NULL);
	CHECK(p > 0 && WEXITSTATUS(status_of(p)) == 11 && shared_word == 5);
	shared_word = 0;
	p = clone(clone_fn, stack + 65536, SIGCHLD | CLONE_PIDFD, NULL, &pidfd);
	CHECK(p > 0 && pidfd >= 0);
	struct pollfd pf = { pidfd, POLLIN, 0 };
	CHECK(poll(&pf, 1, TAP_PATIENCE_MS) == 1 && (pf.revents & POLLIN));
	siginfo_t si;
	CHECK(!waitid(P_PIDFD, pidfd, &si, WEXITED) && si.si_pid == p && si.si_status == 11 &&
	      shared_word == 0);
	CHECK_ERR(syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0), ESRCH);
	close(pidfd);
	p = clone(clone_fn, stack + 65536, 0, NULL);
	CHECK(p > 0);
	CHECK_ERR(waitpid(p, &st, 0), ECHILD);
	CHECK(waitpid(p, &st, __WCLONE) == p && WEXITSTATUS(st) == 11);
	CHECK_ERR(clone(clone_fn, stack + 65536, CLONE_THREAD | SIGCHLD, NULL), EINVAL);
	CHECK_ERR(clone(clone_fn, stack + 65536, CLONE_SIGHAND | SIGCHLD, NULL), EINVAL);
	free(stack);
}

/* What a child by vfork(2) and its parent tell one another: the memory is the same. */
static volatile struct borrowed {
	int stage; /* 1: the child has begun; 2: the parent has gone on */
	int early; /* the parent went on first */
	int go[2]; /* a pipe: the program that is run ends when it can read */
	int exec;
} borrowed;

static int borrower(void *arg)
{
	char fd[16], *args[] = { "x", "wait", fd, NULL };

	borrowed.stage = 1;
	/* The parent sleeps in the kernel: it cannot go on before this ends. */
	borrowed.early =
		!EVENTUALLY(task_state(getppid(), getppid()) == 'D') || borrowed.stage != 1;
	snprintf(fd, sizeof(fd), "%d", borrowed.go[0]);
	if (borrowed.exec)
		execve(self_path, args, environ);
	_exit(12);
}

static void borrow(int exec)
{
	int st;
	pid_t p;

	borrowed.stage = borrowed.early = 0;
	borrowed.exec = exec;
	p = vforked(borrower, NULL);
	CHECK(p > 0 && borrowed.stage == 1 && !borrowed.early);
	borrowed.stage = 2;
	if (exec) {
		/* Released by the exec: the other program is still there. */
		CHECK(waitpid(p, &st, WNOHANG) == 0 && write(borrowed.go[1], "x", 1) == 1);
		CHECK(WEXITSTATUS(status_of(p)) == 57);
	} else {
		CHECK(WEXITSTATUS(status_of(p)) == 12);
	}
}

static void test_vfork(void)
{
	REQUIRE(!pipe((int *)borrowed.go));
	borrow(0);
	borrow(1);
	close(borrowed.go[0]);
	close(borrowed.go[1]);
}

static void test_pidfd_signals(void)
{
	int st, pidfd;
	char path[32];
	siginfo_t si;
	pid_t p;

	p = fork();
	if (p == 0)
		for (;;)
			pause();
	pidfd = (int)syscall(SYS_pidfd_open, p, 0);
	CHECK(pidfd >= 0 && (fcntl(pidfd, F_GETFD) & FD_CLOEXEC));
	CHECK_ERR(syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 1), EINVAL);
	CHECK_ERR(syscall(SYS_pidfd_send_signal, pidfd, 65, NULL, 0), EINVAL);
	/* What is said must be about the signal that is sent, and no lie. */
	memset(&si, 0, sizeof(si));
	si.si_signo = SIGUSR1;
	si.si_code = SI_QUEUE;
	CHECK_ERR(syscall(SYS_pidfd_send_signal, pidfd, SIGUSR2, &si, 0), EINVAL);
	si.si_code = SI_USER;
	CHECK_ERR(syscall(SYS_pidfd_send_signal, pidfd, SIGUSR1, &si, 0), EPERM);
	si.si_code = SI_TKILL;
	CHECK_ERR(syscall(SYS_pidfd_send_signal, pidfd, SIGUSR1, &si, 0), EPERM);
	CHECK(!syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0) &&
	      WTERMSIG(status_of(p)) == SIGTERM);
	/* Who is not there is not there, whatever the signal. */
	CHECK_ERR(kill(p, 99), ESRCH);
	CHECK_ERR(kill(getpid(), 99), EINVAL);
	CHECK_ERR(kill(0, 99), EINVAL);
	CHECK_ERR(syscall(SYS_tgkill, p, p, 99), ESRCH);
	CHECK_ERR(syscall(SYS_tgkill, getpid(), getpid(), 99), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, p, 99, &si), EPERM);
	close(pidfd);
	/* An open /proc/PID will do to send a signal, not to wait; its parts will not. */
	p = fork();
	if (!p)
		_exit(pause());
	snprintf(path, sizeof(path), "/proc/%d", p);
	pidfd = open(path, O_RDONLY | O_DIRECTORY);
	CHECK_ERR(waitid(P_PIDFD, (id_t)pidfd, &si, WEXITED), EBADF);
	CHECK(!syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0) && waitpid(p, &st, 0) == p &&
	      WTERMSIG(st) == SIGTERM);
	CHECK_ERR(syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0), ESRCH);
	close(pidfd);
	pidfd = open("/proc/self/task", O_RDONLY | O_DIRECTORY);
	CHECK_ERR(syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0), EBADF);
	close(pidfd);
	CHECK_ERR(syscall(SYS_pidfd_open, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_pidfd_open, 999999, 0), ESRCH);
}

static void test_limits(void)
{
	struct rlimit rl, keep;

	CHECK(!getrlimit(RLIMIT_NOFILE, &keep) && keep.rlim_cur > 0);
	rl = (struct rlimit){ 10, 5 };
	CHECK_ERR(setrlimit(RLIMIT_NOFILE, &rl), EINVAL);
	CHECK_ERR(getrlimit(99, &rl), EINVAL);
	rl = (struct rlimit){ 20, keep.rlim_max };
	CHECK(!setrlimit(RLIMIT_NOFILE, &rl) && !getrlimit(RLIMIT_NOFILE, &rl) &&
	      rl.rlim_cur == 20);
	CHECK(!setrlimit(RLIMIT_NOFILE, &keep));
	CHECK(getauxval(AT_PAGESZ) == 4096 && getauxval(AT_RANDOM) && getauxval(AT_SYSINFO_EHDR) &&
	      !getauxval(AT_SECURE) && !strcmp((char *)getauxval(AT_PLATFORM), "aarch64"));
}

/* What the program does when it runs itself. */
static int role(int argc, char **argv)
{
	char line[1];

	if (!strcmp(argv[1], "args"))
		return argc == 5 && !strcmp(argv[0], "x") && !strcmp(argv[2], "a b") &&
				       !argv[3][0] && !strcmp(argv[4], "z") && !argv[5] &&
				       !strcmp(environ[0], "A=1") && !strcmp(environ[1], "B=2") &&
				       !environ[2]
			       ? 33
			       : 34;
	if (!strcmp(argv[1], "count"))
		return argc == 3 && strlen(argv[2]) == 100000 ? 3 : 4;
	if (!strcmp(argv[1], "fds"))
		return argc == 5 && fcntl(atoi(argv[2]), F_GETFD) == -1 && errno == EBADF &&
				       fcntl(atoi(argv[3]), F_GETFD) == -1 &&
				       fcntl(atoi(argv[4]), F_GETFD) == 0
			       ? 77
			       : 78;
	if (!strcmp(argv[1], "wait"))
		return read(atoi(argv[2]), line, 1) == 1 ? 57 : 58;
	if (!strcmp(argv[1], "pid"))
		return getpid() == atoi(argv[2]) && gettid() == getpid() ? 55 : 56;
	if (!strcmp(argv[1], "script \t one two") && argc >= 4 && !strcmp(argv[0], self_path)) {
		if (argc == 4 && !strcmp(argv[2], "/tmp/script") && !strcmp(argv[3], "more"))
			return 44;
		if (argc == 5 && !strcmp(argv[2], "/tmp/script") &&
		    !strcmp(argv[3], "/tmp/script2") && !strcmp(argv[4], "more"))
			return 45;
	}
	return 99;
}

int main(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", self_path, sizeof(self_path) - 1);

	if (n < 0)
		strcpy(self_path, argv[0]);
	if (argc > 1)
		return role(argc, argv);
	test_fork_wait();
	test_waitid();
	test_orphans();
	test_parent_death();
	test_autoreap();
	test_groups();
	test_orphaned_groups();
	test_exec();
	test_close_on_exec();
	test_exec_limits();
	test_exec_threads();
	test_threads();
	test_clone();
	test_vfork();
	test_pidfd_signals();
	test_limits();
	return tap_done();
}
