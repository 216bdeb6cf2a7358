/*
 * File leases: fcntl(2), F_SETLEASE and F_GETLEASE; who may have one, who breaks it, what the
 * holder is told, how long the breaker waits, /proc/locks. Wants to be root.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "in_child.h"
#include "tap.h"

#define NAME "leases-file"

static sigset_t io_set;

static int lease_of(int fd)
{
	return fcntl(fd, F_GETLEASE);
}

static int set_lease(int fd, long type)
{
	return fcntl(fd, F_SETLEASE, type);
}

/* The next signal of the set, with what it says. */
static int next_signal(siginfo_t *si)
{
	struct timespec patience = { TAP_LONG, 0 };

	return sigtimedwait(&io_set, si, &patience);
}

static int no_signal(void)
{
	struct timespec none = { 0, 0 };

	return sigtimedwait(&io_set, NULL, &none) == -1;
}

static int sysctl_int(const char *name, const char *value)
{
	char path[64];
	int fd, good;

	snprintf(path, sizeof(path), "/proc/sys/fs/%s", name);
	fd = open(path, O_WRONLY);
	good = fd >= 0 && write(fd, value, strlen(value)) > 0;
	close(fd);
	return good;
}

/* Lines of /proc/locks about leases on @ino (0: about who waits for one) in @state. */
static int locks_line(ino_t ino, const char *state)
{
	char line[128], want[32];
	FILE *f = fopen("/proc/locks", "r");
	int found = 0;

	snprintf(want, sizeof(want), ":%llu 0 EOF\n", (unsigned long long)ino);
	while (f && fgets(line, sizeof(line), f))
		found += strstr(line, want) && strstr(line, state);
	if (f)
		fclose(f);
	return found;
}

/* A child that opens the file: exit status 0, or the errno. */
static pid_t opener(int flags)
{
	pid_t pid = fork();

	if (pid == 0) {
		int fd = open(NAME, flags);

		_exit(fd < 0 ? errno : 0);
	}
	return pid;
}

static int ended_with(pid_t pid, int code)
{
	int status = -1;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == code;
}

static int as_stranger(void)
{
	int fd;

	if (setuid(12345))
		return 1;
	fd = open(NAME, O_RDONLY);
	if (set_lease(fd, F_RDLCK) != -1 || errno != EACCES)
		return 2;
	if (set_lease(fd, F_UNLCK) != -1 || errno != EACCES)
		return 3;
	if (set_lease(fd, 7) != -1 || errno != EINVAL)
		return 4;
	return lease_of(fd) == F_UNLCK ? 0 : 5;
}

static void test_arguments(void)
{
	int fd = open(NAME, O_RDONLY), dir = open(".", O_RDONLY), path = open(NAME, O_PATH), p[2];

	REQUIRE(fd >= 0 && dir >= 0 && path >= 0 && !pipe(p));
	CHECK(lease_of(fd) == F_UNLCK && lease_of(dir) == F_UNLCK && lease_of(p[0]) == F_UNLCK);
	CHECK_ERR(set_lease(fd, 3), EINVAL);
	CHECK_ERR(set_lease(fd, -1), EINVAL);
	CHECK_ERR(set_lease(fd, F_UNLCK), EAGAIN);
	CHECK_ERR(set_lease(dir, F_RDLCK), EINVAL);
	CHECK_ERR(set_lease(p[0], F_RDLCK), EINVAL);
	CHECK_ERR(set_lease(path, F_RDLCK), EBADF);
	CHECK_ERR(lease_of(path), EBADF);
	CHECK_ERR(set_lease(99, F_RDLCK), EBADF);
	CHECK(in_child(as_stranger) == 0);
	CHECK(sysctl_int("leases-enable", "0"));
	CHECK_ERR(set_lease(fd, F_RDLCK), EINVAL);
	CHECK(sysctl_int("leases-enable", "1"));
	close(fd);
	close(dir);
	close(path);
	close(p[0]);
	close(p[1]);
}

static void test_granting(void)
{
	int r = open(NAME, O_RDONLY), r2 = open(NAME, O_RDONLY), w, both, path, copy;

	CHECK(!set_lease(r, F_RDLCK) && lease_of(r) == F_RDLCK && lease_of(r2) == F_UNLCK);
	CHECK(!set_lease(r2, F_RDLCK) && !set_lease(r2, F_RDLCK));
	CHECK_ERR(set_lease(r, F_WRLCK), EAGAIN);
	close(r2);
	CHECK(!set_lease(r, F_WRLCK) && lease_of(r) == F_WRLCK);
	CHECK(!set_lease(r, F_RDLCK) && lease_of(r) == F_RDLCK);
	/* The lease is the open file's: gone with its last descriptor. */
	copy = dup(r);
	CHECK(lease_of(copy) == F_RDLCK);
	CHECK(!set_lease(copy, F_UNLCK) && lease_of(r) == F_UNLCK);
	CHECK_ERR(set_lease(r, F_UNLCK), EAGAIN);
	CHECK(!set_lease(r, F_RDLCK));
	close(r);
	CHECK(lease_of(copy) == F_RDLCK);
	close(copy);
	w = open(NAME, O_WRONLY);
	CHECK(w >= 0 && fcntl(w, F_GETOWN) == 0);
	CHECK_ERR(set_lease(w, F_RDLCK), EAGAIN);
	CHECK(!set_lease(w, F_WRLCK) && fcntl(w, F_GETOWN) == getpid());
	CHECK(!set_lease(w, F_UNLCK) && fcntl(w, F_GETOWN) == 0);
	r = open(NAME, O_RDONLY);
	CHECK_ERR(set_lease(r, F_RDLCK), EAGAIN);
	CHECK_ERR(set_lease(r, F_WRLCK), EAGAIN);
	CHECK_ERR(set_lease(w, F_WRLCK), EAGAIN);
	close(w);
	close(r);
	/* O_PATH does not count. */
	path = open(NAME, O_PATH);
	both = open(NAME, O_RDWR);
	CHECK(!set_lease(both, F_WRLCK) && fcntl(both, F_SETSIG, SIGUSR1) == 0);
	CHECK(!set_lease(both, F_UNLCK) && fcntl(both, F_GETSIG) == 0);
	close(path);
	close(both);
	CHECK(no_signal());
}

/* Opens that do not wait: the lease breaks all the same, once. */
static void test_nonblocking(void)
{
	struct stat st;
	siginfo_t si;
	int fd = open(NAME, O_RDONLY);

	REQUIRE(!fstat(fd, &st));
	CHECK(!set_lease(fd, F_WRLCK) && locks_line(st.st_ino, "LEASE  ACTIVE    WRITE ") == 1);
	CHECK_ERR(open(NAME, O_RDONLY | O_NONBLOCK), EWOULDBLOCK);
	CHECK(next_signal(&si) == SIGIO && lease_of(fd) == F_RDLCK);
	CHECK(locks_line(st.st_ino, "LEASE  BREAKING  READ ") == 1);
	CHECK_ERR(open(NAME, O_RDONLY | O_NONBLOCK), EWOULDBLOCK);
	CHECK(no_signal());
	CHECK_ERR(open(NAME, O_WRONLY | O_NONBLOCK), EWOULDBLOCK);
	CHECK(next_signal(&si) == SIGIO && lease_of(fd) == F_UNLCK);
	CHECK(locks_line(st.st_ino, "LEASE  BREAKING  UNLCK ") == 1);
	/* Readers need no more than a read lease. */
	CHECK(!set_lease(fd, F_RDLCK) && lease_of(fd) == F_UNLCK);
	CHECK(ended_with(opener(O_RDONLY | O_NONBLOCK), 0));
	CHECK(ended_with(opener(O_RDWR | O_NONBLOCK), EWOULDBLOCK));
	CHECK(!set_lease(fd, F_UNLCK) && locks_line(st.st_ino, "LEASE") == 0);
	CHECK(ended_with(opener(O_RDWR | O_NONBLOCK), 0));
	/* Other ways to change the file's names and attributes are not asked. */
	CHECK(!set_lease(fd, F_RDLCK) && !chmod(NAME, 0644) && !link(NAME, NAME "2"));
	CHECK(!rename(NAME "2", NAME "3") && !unlink(NAME "3") && !access(NAME, R_OK));
	CHECK(no_signal() && lease_of(fd) == F_RDLCK);
	CHECK(open(NAME, O_PATH | O_NONBLOCK) >= 0 && lease_of(fd) == F_RDLCK);
	close(fd);
	CHECK(no_signal());
}

static void test_waiting(void)
{
	struct stat st;
	siginfo_t si;
	int fd = open(NAME, O_RDONLY);
	pid_t pid;

	REQUIRE(!fstat(fd, &st));
	CHECK(!set_lease(fd, F_WRLCK) && !fcntl(fd, F_SETSIG, SIGRTMIN));
	pid = opener(O_RDONLY);
	CHECK(next_signal(&si) == SIGRTMIN && si.si_fd == fd && si.si_code == POLL_MSG);
	CHECK(EVENTUALLY(is_asleep(pid)) && locks_line(0, "-> LEASE  BREAKER   READ ") == 1);
	CHECK(waitpid(pid, NULL, WNOHANG) == 0 && lease_of(fd) == F_RDLCK);
	CHECK(!set_lease(fd, F_RDLCK) && ended_with(pid, 0) && lease_of(fd) == F_RDLCK);
	pid = opener(O_RDWR);
	CHECK(next_signal(&si) == SIGRTMIN && EVENTUALLY(is_asleep(pid)));
	CHECK(!set_lease(fd, F_UNLCK) && ended_with(pid, 0));
	/* Whoever truncates by name waits too. */
	CHECK(!set_lease(fd, F_RDLCK));
	pid = fork();
	if (pid == 0) {
		close(fd); /* the last one must be the parent's */
		_exit(truncate(NAME, 1) ? errno : 0);
	}
	CHECK(next_signal(&si) == SIGIO && EVENTUALLY(is_asleep(pid)));
	CHECK(locks_line(0, "-> LEASE  BREAKER   WRITE ") == 1);
	CHECK_ERR(set_lease(fd, F_WRLCK), EAGAIN);
	close(fd); /* as good as giving it up */
	CHECK(ended_with(pid, 0) && !stat(NAME, &st) && st.st_size == 1);
	CHECK(no_signal());
}

static void on_signal(int sig)
{
}

static void test_interrupted(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	siginfo_t si;
	int fd = open(NAME, O_RDONLY);
	pid_t pid;

	CHECK(!set_lease(fd, F_WRLCK));
	sigaction(SIGUSR2, &sa, NULL);
	pid = opener(O_WRONLY);
	CHECK(next_signal(&si) == SIGIO && EVENTUALLY(is_asleep(pid)));
	CHECK(!kill(pid, SIGUSR2) && ended_with(pid, EINTR));
	pid = opener(O_WRONLY); /* breaking already: no second signal */
	CHECK(EVENTUALLY(is_asleep(pid)) && no_signal() && !kill(pid, SIGKILL));
	CHECK(waitpid(pid, NULL, 0) == pid && lease_of(fd) == F_UNLCK);
	close(fd);
}

/* A holder that does nothing loses the lease, and the owner of its file. */
static void test_patience(void)
{
	int fd = open(NAME, O_RDONLY), r = open(NAME, O_RDONLY);
	siginfo_t si;

	CHECK(sysctl_int("lease-break-time", "1"));
	CHECK(!set_lease(fd, F_RDLCK) && !set_lease(r, F_RDLCK));
	CHECK(ended_with(opener(O_RDWR), 0) && next_signal(&si) == SIGIO);
	CHECK(lease_of(fd) == F_UNLCK && lease_of(r) == F_UNLCK && fcntl(fd, F_GETOWN) == 0);
	close(r);
	CHECK(!set_lease(fd, F_WRLCK));
	CHECK(ended_with(opener(O_RDONLY), 0) && next_signal(&si) == SIGIO);
	CHECK(lease_of(fd) == F_RDLCK && fcntl(fd, F_GETOWN) == getpid());
	CHECK(sysctl_int("lease-break-time", "45"));
	close(fd);
}

static void test_exec(void)
{
	int fd = open("/proc/self/exe", O_RDONLY), other;
	siginfo_t si;
	pid_t pid;

	CHECK_ERR(set_lease(fd, F_WRLCK), EAGAIN); /* it runs */
	close(fd);
	other = open(NAME, O_RDONLY);
	CHECK(!chmod(NAME, 0755) && !set_lease(other, F_WRLCK));
	pid = fork();
	if (pid == 0) {
		execl("./" NAME, NAME, NULL);
		_exit(errno);
	}
	CHECK(next_signal(&si) == SIGIO && lease_of(other) == F_RDLCK);
	CHECK(!set_lease(other, F_RDLCK) && ended_with(pid, ENOEXEC));
	close(other);
}

int main(void)
{
	int fd;

	alarm(TAP_LIMIT);
	sigemptyset(&io_set);
	sigaddset(&io_set, SIGIO);
	sigaddset(&io_set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &io_set, NULL);
	fd = open(NAME, O_CREAT | O_RDWR | O_TRUNC, 0644);
	REQUIRE(fd >= 0 && write(fd, "text", 4) == 4);
	close(fd);
	test_arguments();
	test_granting();
	test_nonblocking();
	test_waiting();
	test_interrupted();
	test_patience();
	test_exec();
	unlink(NAME);
	return tap_done();
}
