/*
 * Rows of everyday calls: files and devices, signals, waiting on descriptors, and whole programs of
 * BusyBox at work on a tree of 500 files.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "bench.h"

#define DIRS 25
#define FILES_EACH 20
#define WATCHED 1000

int64_t bench_open(long n)
{
	int64_t start;
	int fd = open("/tmp/bench-open", O_CREAT | O_WRONLY, 0644);

	must(fd >= 0, "/tmp/bench-open");
	close(fd);
	start = now();
	for (long i = 0; i < n; i++)
		close(open("/tmp/bench-open", O_RDONLY));
	return now() - start;
}

int64_t bench_read_zero(long n)
{
	int fd = open("/dev/zero", O_RDONLY);
	int64_t start = now();
	char c;

	for (long i = 0; i < n; i++)
		must(read(fd, &c, 1) == 1, "/dev/zero");
	start = now() - start;
	close(fd);
	return start;
}

int64_t bench_write_null(long n)
{
	int fd = open("/dev/null", O_WRONLY);
	int64_t start = now();

	for (long i = 0; i < n; i++)
		must(write(fd, "x", 1) == 1, "/dev/null");
	start = now() - start;
	close(fd);
	return start;
}

static volatile long handled;

static void handler(int sig)
{
	handled += sig != 0;
}

int64_t bench_sigaction(long n)
{
	struct sigaction sa = { .sa_handler = handler };
	int64_t start = now();

	for (long i = 0; i < n; i++)
		sigaction(SIGUSR1, &sa, NULL);
	return now() - start;
}

/* To itself: sent, delivered, handled, returned from. */
int64_t bench_signal(long n)
{
	struct sigaction sa = { .sa_handler = handler };
	int64_t start;

	must(sigaction(SIGUSR1, &sa, NULL) == 0, "sigaction");
	handled = 0;
	start = now();
	for (long i = 0; i < n; i++)
		kill(getpid(), SIGUSR1);
	start = now() - start;
	must(handled == n, "signals handled");
	return start;
}

/* Two processes on one CPU take turns by yielding: an operation is both turns. */
static void take_turns(volatile int *turn, int me, long n)
{
	for (long i = 0; i < n; i++) {
		while (*turn != me)
			sched_yield();
		*turn = !me;
	}
}

int64_t bench_yield(long n)
{
	volatile int *turn =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int64_t start;
	pid_t pid;

	must(turn != MAP_FAILED, "mmap");
	pid = fork();
	if (pid == 0) {
		take_turns(turn, 1, n);
		_exit(0);
	}
	must(pid > 0, "fork");
	start = now();
	take_turns(turn, 0, n);
	start = now() - start;
	waitpid(pid, NULL, 0);
	munmap((void *)turn, 4096);
	return start;
}

/* One of WATCHED descriptors is ready. */
int64_t bench_epoll(long n)
{
	static int fds[WATCHED];
	struct rlimit lim = { WATCHED + 100, WATCHED + 100 };
	struct epoll_event ev = { .events = EPOLLIN }, got;
	int ep = epoll_create1(0);
	int64_t start;

	setrlimit(RLIMIT_NOFILE, &lim);
	for (int i = 0; i < WATCHED; i++) {
		fds[i] = eventfd(i == WATCHED / 2, 0);
		ev.data.fd = fds[i];
		must(epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &ev) == 0, "epoll_ctl");
	}
	start = now();
	for (long i = 0; i < n; i++)
		must(epoll_wait(ep, &got, 1, -1) == 1, "epoll_wait");
	start = now() - start;
	for (int i = 0; i < WATCHED; i++)
		close(fds[i]);
	close(ep);
	return start;
}

int64_t bench_eventfd(long n)
{
	int to = eventfd(0, 0), from = eventfd(0, 0);
	uint64_t v = 1;
	int64_t start;
	pid_t pid = fork();

	if (pid == 0) {
		for (long i = 0; i < n; i++) {
			if (read(to, &v, 8) != 8 || write(from, &v, 8) != 8)
				_exit(1);
		}
		_exit(0);
	}
	must(pid > 0, "fork");
	start = now();
	for (long i = 0; i < n; i++)
		must(write(to, &v, 8) == 8 && read(from, &v, 8) == 8, "eventfd round trip");
	start = now() - start;
	waitpid(pid, NULL, 0);
	close(to);
	close(from);
	return start;
}

int64_t bench_create(long n)
{
	int64_t start = now();

	for (long i = 0; i < n; i++) {
		close(open("/tmp/bench-new", O_CREAT | O_EXCL | O_WRONLY, 0644));
		unlink("/tmp/bench-new");
	}
	return now() - start;
}

static int64_t programs(long n, const char *const argv[])
{
	int64_t start = now();

	for (long i = 0; i < n; i++) {
		int status = -1;
		pid_t pid = fork();

		if (pid == 0) {
			dup2(open("/dev/null", O_WRONLY), 1);
			execv("/bin/busybox", (char *const *)argv);
			_exit(127);
		}
		must(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, argv[0]);
	}
	return now() - start;
}

int64_t bench_shell(long n)
{
	static const char *const argv[] = { "sh", "-c", "true", NULL };

	return programs(n, argv);
}

static void make_tree(void)
{
	static const char text[1024] = "text";
	char path[64];

	if (mkdir("/tmp/bench-tree", 0755) != 0)
		return;
	for (int d = 0; d < DIRS; d++) {
		snprintf(path, sizeof(path), "/tmp/bench-tree/dir%d", d);
		must(mkdir(path, 0755) == 0, path);
		for (int f = 0; f < FILES_EACH; f++) {
			int fd;

			snprintf(path, sizeof(path), "/tmp/bench-tree/dir%d/file%d", d, f);
			fd = open(path, O_CREAT | O_WRONLY, 0644);
			must(write(fd, text, sizeof(text)) == sizeof(text), path);
			close(fd);
		}
	}
}

int64_t bench_find(long n)
{
	static const char *const argv[] = { "find", "/tmp/bench-tree", "-name", "*9", NULL };

	make_tree();
	return programs(n, argv);
}

int64_t bench_tar(long n)
{
	static const char *const argv[] = { "tar",	  "cf", "/tmp/bench.tar", "-C", "/tmp",
					    "bench-tree", NULL };

	make_tree();
	return programs(n, argv);
}
