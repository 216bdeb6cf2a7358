/*
 * Who a signal says it is from when a call or the end of a thread is its cause; calls on a process
 * by the number of one of its threads; kill(2) of everybody without the right to; the order in
 * which mmap(2) and mprotect(2) find faults.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include "in_child.h"
#include "tap.h"

#define PAGE 4096ul

static volatile siginfo_t seen;

static void note(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)uc;
	seen = *si;
}

static void catch (int sig)
{
	struct sigaction sa = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };

	sigaction(sig, &sa, NULL);
	memset((void *)&seen, 0, sizeof(seen));
}

static int from_self(int sig)
{
	return seen.si_signo == sig && seen.si_code == SI_USER && seen.si_pid == getpid();
}

static void test_own_calls(void)
{
	struct rlimit was, small;
	int p[2], fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);

	REQUIRE(pipe(p) == 0 && close(p[0]) == 0 && fd >= 0);
	catch (SIGPIPE);
	CHECK_ERR(write(p[1], "x", 1), EPIPE);
	CHECK(from_self(SIGPIPE));
	catch (SIGXFSZ);
	getrlimit(RLIMIT_FSIZE, &was);
	small = (struct rlimit){ 8, was.rlim_max };
	setrlimit(RLIMIT_FSIZE, &small);
	CHECK_ERR(ftruncate(fd, 9), EFBIG);
	setrlimit(RLIMIT_FSIZE, &was);
	CHECK(from_self(SIGXFSZ));
	close(p[1]);
	close(fd);
}

static int ready[2];

/* A child that wants to be told of its maker's end: the exit status says what it heard. */
static void *make_child(void *arg)
{
	pid_t parent = getpid(), pid = fork();
	sigset_t set;
	siginfo_t si;
	char c;

	(void)arg;
	if (pid == 0) {
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		sigprocmask(SIG_BLOCK, &set, NULL);
		prctl(PR_SET_PDEATHSIG, SIGUSR1);
		c = 'r';
		if (write(ready[1], &c, 1) != 1)
			_exit(3);
		alarm(TAP_LIMIT);
		if (sigwaitinfo(&set, &si) != SIGUSR1)
			_exit(4);
		_exit(si.si_code == SI_USER && si.si_pid == parent ? 0 : 5);
	}
	return read(ready[0], &c, 1) == 1 ? (void *)(long)pid : NULL;
}

static void test_end_of_a_thread(void)
{
	pthread_t t;
	void *pid = NULL;
	int status = -1;

	REQUIRE(pipe(ready) == 0 && pthread_create(&t, NULL, make_child, NULL) == 0);
	REQUIRE(pthread_join(t, &pid) == 0 && pid);
	CHECK(waitpid((pid_t)(long)pid, &status, 0) == (pid_t)(long)pid && status == 0);
}

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static volatile pid_t tid;

static void *wait_here(void *arg)
{
	tid = (pid_t)syscall(SYS_gettid);
	pthread_mutex_lock(&held);
	pthread_mutex_unlock(&held);
	return arg;
}

static void test_thread_numbers(void)
{
	struct rlimit64 lim;
	pthread_t t;

	pthread_mutex_lock(&held);
	REQUIRE(pthread_create(&t, NULL, wait_here, NULL) == 0);
	CHECK(EVENTUALLY(tid));
	CHECK(getpgid(tid) == getpgrp() && getsid(tid) == getsid(0));
	CHECK(syscall(SYS_prlimit64, tid, RLIMIT_NOFILE, NULL, &lim) == 0);
	CHECK_ERR(setpgid(tid, 0), EINVAL);
	pthread_mutex_unlock(&held);
	pthread_join(t, NULL);
}

static int kill_everybody(void)
{
	if (setresuid(1234, 1234, 1234))
		return 2;
	return kill(-1, 0) == 0 && kill(-1, 65) == -1 && errno == EINVAL ? 0 : 1;
}

static void test_order_of_faults(void)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	char c, *m = mmap(NULL, 2 * PAGE, PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec to = { &c, 1 }, from = { m, 1 };

	REQUIRE(m != MAP_FAILED && fd >= 0);
	CHECK_ERR(mmap(m, PAGE, PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0), EEXIST);
	CHECK_ERR(mprotect(m, PAGE, PROT_READ | PROT_GROWSUP), EINVAL);
	/* What may be written only is not read for others. */
	CHECK_ERR(process_vm_readv(getpid(), &to, 1, &from, 1, 0), EFAULT);
	munmap(m, 2 * PAGE);
	CHECK_ERR(mmap(m, PAGE, PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0), EACCES);
	CHECK_ERR(mprotect(m, PAGE, PROT_READ | PROT_GROWSUP), ENOMEM);
	close(fd);
}

int main(void)
{
	test_own_calls();
	test_end_of_a_thread();
	test_thread_numbers();
	CHECK(in_child(kill_everybody) == 0);
	test_order_of_faults();
	return tap_done();
}
