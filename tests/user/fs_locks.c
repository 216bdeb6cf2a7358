/*
 * flock, POSIX record locks and open-file-description locks: conflicts, ranges, waiting, hand-over,
 * deadlock, and when they go. Works in the current directory.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include "in_child.h"
#include "tap.h"

#ifndef F_OFD_GETLK
#define F_OFD_GETLK 36
#define F_OFD_SETLK 37
#define F_OFD_SETLKW 38
#endif

#define NAME "fs_locks.file"

static int lock(int fd, int cmd, int type, off_t start, off_t len)
{
	struct flock l = {
		.l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = len
	};

	return fcntl(fd, cmd, &l);
}

/* Type of the lock that would be in the way, -1 on an error; *pid its owner. */
static int blocker(int fd, int cmd, int type, off_t start, off_t len, struct flock *out)
{
	struct flock l = {
		.l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = len
	};

	if (fcntl(fd, cmd, &l))
		return -1;
	*out = l;
	return l.l_type;
}

static int child_cannot_write_lock(void)
{
	int fd = open(NAME, O_RDWR);

	return lock(fd, F_SETLK, F_WRLCK, 0, 0) == -1 && (errno == EAGAIN || errno == EACCES);
}

static int child_sees_blocker(void)
{
	struct flock l;
	int fd = open(NAME, O_RDWR);

	return blocker(fd, F_GETLK, F_RDLCK, 0, 0, &l) == F_WRLCK && l.l_pid == getppid() &&
	       l.l_start == 10 && l.l_len == 10;
}

static int child_can_lock_beside(void)
{
	int fd = open(NAME, O_RDWR);

	return !lock(fd, F_SETLK, F_WRLCK, 0, 10) && !lock(fd, F_SETLK, F_WRLCK, 20, 0);
}

static void test_posix(void)
{
	struct flock l;
	int fd = open(NAME, O_CREAT | O_RDWR, 0644), other;

	CHECK(!lock(fd, F_SETLK, F_WRLCK, 10, 10));
	CHECK(in_child(child_cannot_write_lock) == 1);
	CHECK(in_child(child_sees_blocker) == 1);
	CHECK(in_child(child_can_lock_beside) == 1);
	CHECK(blocker(fd, F_GETLK, F_WRLCK, 0, 0, &l) == F_UNLCK);
	CHECK_ERR(lock(fd, F_SETLK, 77, 0, 0), EINVAL);
	CHECK_ERR(lock(fd, F_SETLK, F_WRLCK, -1, 0), EINVAL);
	CHECK(!lock(fd, F_SETLK, F_WRLCK, 30, -5) && !lock(fd, F_SETLK, F_UNLCK, 25, 5));
	/* Closing any descriptor of the file drops them all, but one that only names it. */
	CHECK((other = open(NAME, O_PATH)) >= 0 && !close(other));
	CHECK(in_child(child_cannot_write_lock) == 1);
	CHECK((other = open(NAME, O_RDONLY)) >= 0 && !close(other));
	CHECK(in_child(child_cannot_write_lock) == 0);
	other = open(NAME, O_RDONLY);
	CHECK_ERR(lock(other, F_SETLK, F_WRLCK, 0, 0), EBADF);
	close(other), close(fd);
}

static int child_waits(void)
{
	int fd = open(NAME, O_RDWR);

	alarm(TAP_LONG);
	return !lock(fd, F_SETLKW, F_WRLCK, 0, 0);
}

static void on_alarm(int s)
{
}

static int child_interrupted(void)
{
	struct itimerval it = { { 0, 100000 }, { 0, 100000 } };
	struct sigaction sa = { .sa_handler = on_alarm };
	int fd = open(NAME, O_RDWR);

	sigaction(SIGALRM, &sa, NULL);
	/* Again and again: one may come before the call that it is to interrupt. */
	setitimer(ITIMER_REAL, &it, NULL);
	return lock(fd, F_SETLKW, F_WRLCK, 0, 0) == -1 && errno == EINTR;
}

static void test_waiting(void)
{
	int fd = open(NAME, O_RDWR), status;
	pid_t pid;

	CHECK(!lock(fd, F_SETLK, F_WRLCK, 0, 0));
	pid = fork();
	if (!pid)
		_exit(child_waits());
	CHECK(EVENTUALLY(is_asleep(pid)));
	CHECK(!lock(fd, F_SETLK, F_UNLCK, 0, 0));
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 1);
	CHECK(!lock(fd, F_SETLK, F_WRLCK, 0, 0));
	CHECK(in_child(child_interrupted) == 1);
	close(fd);
}

static void test_deadlock(void)
{
	int fd = open(NAME, O_RDWR), ready[2], status;
	char c;
	pid_t pid;

	CHECK(!pipe(ready));
	CHECK(!lock(fd, F_SETLK, F_WRLCK, 0, 1));
	pid = fork();
	if (!pid) {
		int mine = open(NAME, O_RDWR);

		if (lock(mine, F_SETLK, F_WRLCK, 1, 1) || write(ready[1], "r", 1) != 1)
			_exit(9);
		alarm(TAP_LONG);
		_exit(lock(mine, F_SETLKW, F_WRLCK, 0, 1) ? 8 : 0);
	}
	CHECK(read(ready[0], &c, 1) == 1);
	CHECK(EVENTUALLY(is_asleep(pid)));
	CHECK_ERR(lock(fd, F_SETLKW, F_WRLCK, 1, 1), EDEADLK);
	CHECK(!lock(fd, F_SETLK, F_UNLCK, 0, 1));
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	close(fd), close(ready[0]), close(ready[1]);
}

/*
 * Who was given a lock waits for nobody any more, although it has not run since: the child cannot,
 * as the parent keeps the CPU.
 */
static void test_given(void)
{
	int fd = open(NAME, O_RDWR), status, none;
	struct sched_param p = { .sched_priority = 10 }, fair = { 0 };
	cpu_set_t all, one;
	pid_t pid;

	sched_getaffinity(0, sizeof(all), &all);
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK(!sched_setaffinity(0, sizeof(one), &one));
	CHECK(!lock(fd, F_SETLK, F_WRLCK, 0, 1));
	pid = fork();
	if (!pid)
		_exit(lock(fd, F_SETLKW, F_WRLCK, 0, 1) || lock(fd, F_SETLK, F_UNLCK, 0, 1));
	CHECK(EVENTUALLY(is_asleep(pid)));
	CHECK(!syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &p));
	none = lock(fd, F_SETLK, F_UNLCK, 0, 1);
	CHECK(!lock(fd, F_SETLKW, F_WRLCK, 0, 1) && !none);
	CHECK(!lock(fd, F_SETLK, F_UNLCK, 0, 1));
	CHECK(!syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &fair));
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	sched_setaffinity(0, sizeof(all), &all);
	close(fd);
}

static void test_flock(void)
{
	int a = open(NAME, O_RDWR), b = open(NAME, O_RDWR), c, status;
	pid_t pid;

	CHECK(!flock(a, LOCK_SH) && !flock(b, LOCK_SH | LOCK_NB));
	CHECK_ERR(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	CHECK_ERR(flock(a, 77), EINVAL);
	CHECK(!flock(a, LOCK_UN) && !flock(b, LOCK_EX | LOCK_NB));
	CHECK_ERR(flock(a, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	/* It belongs to the description: a duplicate keeps it, the last close drops it. */
	CHECK((c = dup(b)) >= 0 && !close(b));
	CHECK_ERR(flock(a, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	pid = fork();
	if (!pid) {
		close(c);
		alarm(TAP_LONG);
		_exit(flock(a, LOCK_EX));
	}
	CHECK(EVENTUALLY(is_asleep(pid)));
	CHECK(!close(c));
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	/* POSIX locks and flock do not see each other. */
	CHECK(!lock(a, F_SETLK, F_WRLCK, 0, 0));
	close(a);
}

static void test_ofd(void)
{
	struct flock l;
	int a = open(NAME, O_RDWR), b = open(NAME, O_RDWR), other;

	CHECK(!lock(a, F_OFD_SETLK, F_WRLCK, 0, 100));
	CHECK_ERR(lock(b, F_OFD_SETLK, F_RDLCK, 50, 1), EAGAIN);
	CHECK(blocker(b, F_OFD_GETLK, F_RDLCK, 0, 0, &l) == F_WRLCK && l.l_pid == -1 &&
	      l.l_len == 100);
	CHECK_ERR(lock(b, F_SETLK, F_RDLCK, 0, 1), EAGAIN);
	CHECK((other = open(NAME, O_RDONLY)) >= 0 && !close(other));
	CHECK_ERR(lock(b, F_OFD_SETLK, F_RDLCK, 50, 1), EAGAIN);
	CHECK(!close(a) && !lock(b, F_OFD_SETLK, F_RDLCK, 50, 1));
	close(b);
}

/* Does /proc/locks hold a line of the file of @fd that begins, behind the number, with @text? */
static int listed(int fd, const char *text, const char *range)
{
	char line[256], where[128];
	struct stat st;
	FILE *f = fopen("/proc/locks", "r");
	int found = 0;

	fstat(fd, &st);
	snprintf(where, sizeof(where), " %02x:%02x:%lu %s\n", major(st.st_dev), minor(st.st_dev),
		 (unsigned long)st.st_ino, range);
	while (f && fgets(line, sizeof(line), f)) {
		char *at = strchr(line, ' ');

		found |= at && !strncmp(at + 1, text, strlen(text)) && strstr(line, where);
	}
	if (f)
		fclose(f);
	return found;
}

static void test_listing(void)
{
	int fd = open(NAME, O_RDWR), ofd = open(NAME, O_RDWR), status;
	char text[64];
	pid_t pid;

	snprintf(text, sizeof(text), "POSIX  ADVISORY  WRITE %d ", getpid());
	CHECK(!lock(fd, F_SETLK, F_WRLCK, 5, 10) && listed(fd, text, "5 14"));
	CHECK(!lock(ofd, F_OFD_SETLK, F_RDLCK, 20, 0));
	CHECK(listed(fd, "OFDLCK ADVISORY  READ -1 ", "20 EOF"));
	snprintf(text, sizeof(text), "FLOCK  ADVISORY  WRITE %d ", getpid());
	CHECK(!flock(fd, LOCK_EX) && listed(fd, text, "0 EOF"));
	pid = fork();
	if (!pid)
		_exit(flock(ofd, LOCK_SH));
	snprintf(text, sizeof(text), "-> FLOCK  ADVISORY  READ %d ", pid);
	CHECK(EVENTUALLY(listed(fd, text, "0 EOF")));
	CHECK(!flock(fd, LOCK_UN) && waitpid(pid, &status, 0) == pid && !status);
	close(fd), close(ofd);
	fd = open(NAME, O_RDWR);
	CHECK(!listed(fd, "POSIX", "5 14") && !listed(fd, "OFDLCK", "20 EOF"));
	close(fd);
}

/* NAME mapped and locked as a whole by a file that only the mapping still holds. */
static void *mapped_lock(void)
{
	int fd = open(NAME, O_RDWR);
	void *at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	if (flock(fd, LOCK_EX) || close(fd) || at == MAP_FAILED)
		_exit(9);
	return at;
}

static int child_maps(void)
{
	mapped_lock();
	return 0;
}

/* A file that only a mapping holds ends with it: by the end of munmap, or before wait returns. */
static void test_mapped(void)
{
	int fd = open(NAME, O_RDWR), free = 0;

	for (int i = 0; i < 20; i++) {
		void *at = mapped_lock();

		free += flock(fd, LOCK_EX | LOCK_NB) < 0 && !munmap(at, 4096) &&
			!flock(fd, LOCK_EX | LOCK_NB) && !flock(fd, LOCK_UN);
	}
	CHECK(free == 20);
	for (int i = free = 0; i < 20; i++)
		free += !in_child(child_maps) && !flock(fd, LOCK_EX | LOCK_NB) &&
			!flock(fd, LOCK_UN);
	CHECK(free == 20);
	close(fd);
}

int main(void)
{
	alarm(TAP_LIMIT);
	test_posix();
	test_waiting();
	test_deadlock();
	test_given();
	test_flock();
	test_ofd();
	test_listing();
	test_mapped();
	unlink(NAME);
	return tap_done();
}
