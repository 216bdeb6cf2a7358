#pragma once
/*
 * What the programs that use the rows share (baduse.c, fuzz.c): numbers that are known only when a
 * call is made, a session of one's own, naps, and how the machine is afterwards.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "call.h"

#define SETTLE_MS 20
#define SETTLE_ROUNDS 25

static int child_pid, self_pid, parent_pid;

static long resolve_pid(long v)
{
	switch ((uint32_t)v) {
	case PID_SELF: return self_pid;
	case PID_CHILD: return child_pid;
	case PID_PARENT: return parent_pid;
	}
	return v;
}

/* Put numbers into arguments @a of a call of @e that stand for them. */
static void resolve_args(const struct entry *e, long *a)
{
	for (int i = 0; i < 6; i++)
		if (e->arg[i].kind == K_PID || e->arg[i].kind == K_CONST)
			a[i] = resolve_pid(a[i]);
}

/*
 * A child that pauses for as long as its parent lives; before that is sure nobody may stop it: the
 * parent waits for the end of a pipe.
 */
static void make_child(void)
{
	pid_t parent = getpid();
	int p[2];
	char byte;

	if (pipe(p))
		_exit(2);
	child_pid = fork();
	if (child_pid) {
		close(p[1]);
		while (read(p[0], &byte, 1) < 0 && errno == EINTR)
			;
		close(p[0]);
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it has ended meanwhile */
		_exit(0);
	close(p[0]);
	close(p[1]);
	for (;;)
		pause();
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* Until a child ends, for @ms at most; SIGCHLD is blocked. */
static void nap(int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigtimedwait(&set, NULL, &ts);
}

static void block_sigchld(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* Go on in a session of its own, without a terminal that a call could hang up. */
static void leave_terminal(void)
{
	pid_t pid = fork();
	int st;

	if (pid > 0) {
		waitpid(pid, &st, 0);
		exit(WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st));
	}
	setsid();
}

/* --- how the machine is --- */

static int is_linnet(void)
{
	struct utsname u;

	return !uname(&u) && strstr(u.release, "linnet");
}

static inline long mem_free_kb(void)
{
	FILE *f;
	char line[128];
	long kb = -1;
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	if (fd >= 0) {
		write(fd, "3", 1);
		close(fd);
	}
	f = fopen("/proc/meminfo", "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemFree: %ld", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}

/* The most memory that is seen free in @rounds looks, while things settle; until it is @enough. */
static inline long settled_free_kb(long enough, int rounds)
{
	long most = 0, kb;

	for (int i = 0; i < rounds && most < enough; i++) {
		if (i)
			usleep(SETTLE_MS * 1000);
		kb = mem_free_kb();
		most = kb > most ? kb : most;
	}
	return most;
}

static int log_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	lseek(fd, 0, SEEK_END);
	return fd;
}

/* Warnings in the kernel's log that came since @fd was opened. */
static int log_warnings(int fd)
{
	char record[2048];
	int found = 0;
	ssize_t n;

	while ((n = read(fd, record, sizeof(record) - 1)) > 0) {
		record[n] = 0;
		if ((atoi(record) & 7) <= 4 && !strstr(record, "were left out")) {
			printf("# kernel log: %s", record);
			found++;
		}
	}
	return found;
}
