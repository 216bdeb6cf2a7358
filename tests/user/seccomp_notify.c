/*
 * User notification of seccomp(2): a child's filter asks this program about getppid, chroot,
 * swapoff and acct, by seccomp_unotify(2).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "tap.h"

#define LOAD_NR BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define IF_NR(n, ret) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, n, 0, 1), BPF_STMT(BPF_RET | BPF_K, ret)
#define KILLABLE (1ul << 5) /* SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV */

static struct sock_filter code[] = {
	LOAD_NR,
	IF_NR(__NR_getppid, SECCOMP_RET_USER_NOTIF),
	IF_NR(__NR_swapoff, SECCOMP_RET_USER_NOTIF),
	IF_NR(__NR_acct, SECCOMP_RET_USER_NOTIF),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};
static struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };

static long bind_filter(unsigned long flags)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
}

/* What child and parent tell each other. */
static volatile struct {
	int go; /* the child may take its next step */
	long result[8];
	int err[8];
	int signals;
} * shared;

static void send_fd(int s, int fd)
{
	char byte = 'x', room[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = room,
			    .msg_controllen = sizeof(room) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	if (sendmsg(s, &m, 0) != 1)
		_exit(90);
}

static int take_fd(int s)
{
	char byte, room[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = room,
			    .msg_controllen = sizeof(room) };
	int fd = -1;

	if (recvmsg(s, &m, 0) == 1 && CMSG_FIRSTHDR(&m))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

/* A child with a listener, which runs @fn; *fd is the listener here. */
static pid_t child_with(unsigned long flags, void (*fn)(void), int *fd)
{
	int pair[2];
	pid_t child;

	memset((void *)shared, 0, sizeof(*shared));
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return -1;
	child = fork();
	if (!child) {
		int listener;

		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		listener = (int)bind_filter(SECCOMP_FILTER_FLAG_NEW_LISTENER | flags);
		if (listener < 0)
			_exit(91);
		send_fd(pair[1], listener);
		close(listener);
		close(pair[0]);
		close(pair[1]);
		fn();
		_exit(0);
	}
	*fd = take_fd(pair[0]);
	close(pair[0]);
	close(pair[1]);
	return child;
}

static void keep(int i, long r)
{
	shared->result[i] = r;
	shared->err[i] = errno;
}

static int receive(int fd, struct seccomp_notif *n)
{
	memset(n, 0, sizeof(*n));
	return ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, n);
}

static int answer(int fd, __u64 id, long val, int error, unsigned flags)
{
	struct seccomp_notif_resp r = { .id = id, .val = val, .error = error, .flags = flags };

	return ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r);
}

static int events(int fd, short wanted)
{
	struct pollfd p = { fd, wanted, 0 };

	poll(&p, 1, TAP_PATIENCE_MS);
	return p.revents;
}

static int exited(pid_t child)
{
	int status = -1;

	waitpid(child, &status, 0);
	return status;
}

static void three_calls(void)
{
	keep(0, syscall(SYS_getppid, 1, 2, 3, 4, 5, 6));
	keep(1, syscall(SYS_swapoff, "x"));
	keep(2, syscall(SYS_getppid));
}

static void test_answers(void)
{
	struct seccomp_notif n, other;
	int fd;
	pid_t child = child_with(0, three_calls, &fd);
	__u64 id;

	CHECK(fd >= 0);
	CHECK((events(fd, POLLIN) & (POLLIN | POLLOUT)) == POLLIN);
	memset(&n, 1, sizeof(n));
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &n), EINVAL); /* must be zeroes */
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, NULL), EFAULT);
	CHECK(!receive(fd, &n) && n.pid == (unsigned)child && !n.flags);
	CHECK(n.data.nr == __NR_getppid && n.data.arch == AUDIT_ARCH_AARCH64 &&
	      n.data.args[0] == 1 && n.data.args[5] == 6 && n.data.instruction_pointer);
	id = n.id;
	CHECK((events(fd, POLLIN | POLLOUT) & (POLLIN | POLLOUT)) == POLLOUT);
	CHECK(!ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id));
	id += 1000;
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id), ENOENT);
	CHECK_ERR(answer(fd, id, 1, 0, 0), ENOENT);
	CHECK_ERR(answer(fd, n.id, 1, 0, 2), EINVAL);
	CHECK_ERR(answer(fd, n.id, 1, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE), EINVAL);
	CHECK_ERR(answer(fd, n.id, 0, -1, SECCOMP_USER_NOTIF_FLAG_CONTINUE), EINVAL);
	CHECK(!answer(fd, n.id, 4711, 0, 0));
	CHECK(!receive(fd, &other) && other.id != n.id && other.data.nr == __NR_swapoff);
	CHECK_ERR(answer(fd, n.id, 1, 0, 0), ENOENT);
	CHECK(!answer(fd, other.id, 0, -EXDEV, 0));
	CHECK(!receive(fd, &n) && !answer(fd, n.id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE));
	CHECK(exited(child) == 0);
	CHECK(shared->result[0] == 4711);
	CHECK(shared->result[1] == -1 && shared->err[1] == EXDEV);
	CHECK(shared->result[2] == getpid());
	CHECK(events(fd, 0) & POLLHUP); /* nobody is left who could ask */
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id), ENOENT);
	CHECK_ERR(ioctl(fd, 0x5401, &id), EINVAL);
	close(fd);
}

static int addfd(int fd, __u64 id, int src, unsigned newfd, unsigned flags, unsigned how)
{
	struct seccomp_notif_addfd a = {
		.id = id, .srcfd = (unsigned)src, .newfd = newfd, .newfd_flags = how, .flags = flags
	};

	return ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &a);
}

/* Which of the descriptors that it was given read what. */
static void use_fds(void)
{
	char byte;
	long fd = syscall(SYS_getppid);

	keep(0, fd);
	keep(1, read((int)fd, &byte, 1) == 1 ? byte : -1);
	keep(2, fcntl(77, F_GETFD));
	keep(3, read(77, &byte, 1) == 1 ? byte : -1);
	fd = syscall(SYS_swapoff, "x");
	keep(4, read((int)fd, &byte, 1) == 1 ? byte : -1);
	keep(5, fcntl((int)fd, F_GETFD));
}

static void test_addfd(void)
{
	struct seccomp_notif n;
	int fd, p[2], child_fd;
	pid_t child = child_with(0, use_fds, &fd);

	CHECK(!pipe(p) && write(p[1], "abc", 3) == 3);
	CHECK(events(fd, POLLIN) & POLLIN);
	CHECK(!receive(fd, &n));
	CHECK_ERR(addfd(fd, n.id, p[0], 5, 0, 0), EINVAL); /* a number without SETFD */
	CHECK_ERR(addfd(fd, n.id, p[0], 0, 8, 0), EINVAL);
	CHECK_ERR(addfd(fd, n.id, p[0], 0, 0, O_NONBLOCK), EINVAL);
	CHECK_ERR(addfd(fd, n.id, 99, 0, 0, 0), EBADF);
	CHECK_ERR(addfd(fd, n.id + 99, p[0], 0, 0, 0), ENOENT);
	CHECK_ERR(addfd(fd, n.id, p[0], 1 << 30, SECCOMP_ADDFD_FLAG_SETFD, 0), EBADF);
	CHECK(addfd(fd, n.id, p[0], 77, SECCOMP_ADDFD_FLAG_SETFD, O_CLOEXEC) == 77);
	child_fd = addfd(fd, n.id, p[0], 0, 0, 0);
	CHECK(child_fd >= 0);
	CHECK(!answer(fd, n.id, child_fd, 0, 0));
	CHECK(!receive(fd, &n) && n.data.nr == __NR_swapoff);
	CHECK(addfd(fd, n.id, p[0], 0, 2 /* SECCOMP_ADDFD_FLAG_SEND */, 0) >= 0);
	CHECK(exited(child) == 0);
	CHECK(shared->result[0] == child_fd && shared->result[1] == 'a');
	CHECK(shared->result[2] == FD_CLOEXEC && shared->result[3] == 'b');
	CHECK(shared->result[4] == 'c' && shared->result[5] == 0);
	close(p[0]);
	close(p[1]);
	close(fd);
}

static void on_signal(int sig)
{
	shared->signals++;
}

static void catch (int flags)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = flags };

	sigaction(SIGUSR1, &sa, NULL);
}

static void interrupted(void)
{
	catch (0);
	shared->go = 1;
	keep(0, syscall(SYS_getppid));
	catch (SA_RESTART);
	shared->go = 2;
	keep(1, syscall(SYS_getppid));
}

static void test_signals(void)
{
	struct seccomp_notif n, again;
	int fd;
	pid_t child = child_with(0, interrupted, &fd);

	/* The handler ends the call, whether somebody has taken it or not; */
	CHECK(!receive(fd, &n));
	kill(child, SIGUSR1);
	CHECK(EVENTUALLY(ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id) == -1 && shared->go == 2));
	CHECK_ERR(answer(fd, n.id, 0, 0, 0), ENOENT);
	CHECK(shared->result[0] == -1 && shared->err[0] == EINTR && shared->signals == 1);
	/* with SA_RESTART it is asked about anew. */
	CHECK(!receive(fd, &n));
	kill(child, SIGUSR1);
	CHECK(EVENTUALLY(shared->signals == 2));
	CHECK(!receive(fd, &again) && again.id != n.id);
	CHECK(!answer(fd, again.id, 5, 0, 0));
	CHECK(exited(child) == 0 && shared->result[1] == 5);
	close(fd);
	/* Taken back before anybody came for it. */
	child = child_with(0, interrupted, &fd);
	CHECK(events(fd, POLLIN) & POLLIN);
	kill(child, SIGKILL);
	CHECK(WIFSIGNALED(exited(child)));
	CHECK_ERR(receive(fd, &n), ENOENT);
	close(fd);
}

static void test_killable(void)
{
	struct seccomp_notif n;
	int fd;
	pid_t child = child_with(KILLABLE, interrupted, &fd);

	if (!CHECK(fd >= 0))
		return;
	CHECK(!receive(fd, &n));
	kill(child, SIGUSR1);
	/* It waits for the answer nevertheless. */
	CHECK(!answer(fd, n.id, 6, 0, 0));
	CHECK(EVENTUALLY(shared->go == 2) && shared->result[0] == 6 && shared->signals == 1);
	CHECK(!receive(fd, &n));
	kill(child, SIGKILL);
	CHECK(WIFSIGNALED(exited(child)));
	CHECK_ERR(answer(fd, n.id, 6, 0, 0), ENOENT);
	close(fd);
}

static void test_close(void)
{
	struct seccomp_notif n;
	int fd;
	pid_t child = child_with(0, three_calls, &fd);

	CHECK(!receive(fd, &n));
	close(fd);
	CHECK(exited(child) == 0);
	for (int i = 0; i < 3; i++)
		CHECK(shared->result[i] == -1 && shared->err[i] == ENOSYS);
}

static int refuses(void)
{
	struct seccomp_notif_sizes sizes = { 0 };
	unsigned action = SECCOMP_RET_USER_NOTIF;
	int fd;

	if (bind_filter(SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC) != -1 ||
	    errno != EINVAL || bind_filter(KILLABLE) != -1 || errno != EINVAL)
		return 1;
	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) || sizes.seccomp_notif != 80 ||
	    sizes.seccomp_notif_resp != 24 || sizes.seccomp_data != 64)
		return 2;
	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 1, &sizes) != -1 || errno != EINVAL ||
	    syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, NULL) != -1 || errno != EFAULT)
		return 3;
	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action))
		return 4;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	fd = (int)bind_filter(SECCOMP_FILTER_FLAG_NEW_LISTENER);
	if (fd < 0 || fcntl(fd, F_GETFD) != FD_CLOEXEC)
		return 5;
	if (bind_filter(SECCOMP_FILTER_FLAG_NEW_LISTENER) != -1 || errno != EBUSY)
		return 6;
	close(fd);
	/* The first one has no ears any more; the second asks. */
	fd = (int)bind_filter(SECCOMP_FILTER_FLAG_NEW_LISTENER);
	return fd < 0 ? 7 : 0;
}

int main(void)
{
	pid_t child;

	alarm(TAP_LIMIT);
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	child = fork();
	if (!child)
		_exit(refuses());
	CHECK(exited(child) == 0);
	test_answers();
	test_addfd();
	test_signals();
	test_killable();
	test_close();
	return tap_done();
}
