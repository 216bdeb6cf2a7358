/* unix(7): streams, datagrams, sequenced packets; names; descriptors and credentials in messages. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "tap.h"

static socklen_t name(struct sockaddr_un *a, const char *path)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	if (path[0] == '@') {
		memcpy(a->sun_path + 1, path + 1, strlen(path) - 1);
		return offsetof(struct sockaddr_un, sun_path) + strlen(path);
	}
	strcpy(a->sun_path, path);
	return offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1;
}

static int events(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT | POLLRDHUP, 0 };

	poll(&p, 1, 0);
	return p.revents;
}

static int option(int fd, int opt)
{
	int v = -1;
	socklen_t n = sizeof(v);

	return getsockopt(fd, SOL_SOCKET, opt, &v, &n) ? -1 : v;
}

static void test_creation(void)
{
	int v[2];

	CHECK_ERR(socket(AF_UNIX, SOCK_STREAM, 7), EPROTONOSUPPORT);
	CHECK_ERR(socket(AF_UNIX, SOCK_RDM, 0), ESOCKTNOSUPPORT);
	CHECK_ERR(socket(AF_UNIX, 77, 0), EINVAL);
	CHECK_ERR(socket(99, SOCK_STREAM, 0), EAFNOSUPPORT);
	CHECK_ERR(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, 8), EFAULT);
	CHECK_ERR(bind(0, NULL, 0), ENOTSOCK);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, v) == 0);
	CHECK(fcntl(v[0], F_GETFD) == FD_CLOEXEC && (fcntl(v[1], F_GETFL) & O_NONBLOCK));
	CHECK(option(v[0], SO_TYPE) == SOCK_STREAM && option(v[0], SO_DOMAIN) == AF_UNIX);
	CHECK(option(v[0], SO_PROTOCOL) == 0 && option(v[0], SO_ERROR) == 0);
	CHECK(option(v[0], SO_ACCEPTCONN) == 0);
	CHECK_ERR(lseek(v[0], 0, SEEK_SET), ESPIPE);
	close(v[0]);
	close(v[1]);
}

static void test_stream(void)
{
	char buf[64];
	int v[2], n;

	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, v) == 0);
	CHECK(events(v[0]) == POLLOUT);
	CHECK(write(v[0], "hello ", 6) == 6 && send(v[0], "world", 5, 0) == 5);
	CHECK(ioctl(v[1], FIONREAD, &n) == 0 && n == 11);
	CHECK(recv(v[1], buf, sizeof(buf), MSG_PEEK) == 11 && !memcmp(buf, "hello world", 11));
	CHECK(recv(v[1], buf, 3, 0) == 3 && !memcmp(buf, "hel", 3));
	CHECK(read(v[1], buf, sizeof(buf)) == 8 && !memcmp(buf, "lo world", 8));
	CHECK_ERR(recv(v[1], buf, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_ERR(sendto(v[0], "x", 1, 0, (void *)&(struct sockaddr_un){ AF_UNIX, "q" }, 4),
		  EISCONN);
	CHECK(shutdown(v[0], SHUT_WR) == 0);
	CHECK(read(v[1], buf, 1) == 0);
	CHECK(events(v[1]) == (POLLIN | POLLOUT | POLLRDHUP));
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(write(v[0], "x", 1), EPIPE);
	CHECK(write(v[1], "back", 4) == 4 && read(v[0], buf, 9) == 4);
	CHECK_ERR(shutdown(v[0], 3), EINVAL);
	CHECK(write(v[1], "unread", 6) == 6);
	close(v[0]);
	CHECK(events(v[1]) == (POLLIN | POLLOUT | POLLHUP | POLLERR | POLLRDHUP));
	CHECK_ERR(read(v[1], buf, 1), ECONNRESET);
	CHECK(read(v[1], buf, 1) == 0);
	CHECK_ERR(write(v[1], "x", 1), EPIPE);
	close(v[1]);
}

static volatile int got_sigpipe;
static void on_sigpipe(int sig)
{
	got_sigpipe = sig;
}

static void test_sigpipe(void)
{
	int v[2];

	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, v) == 0);
	signal(SIGPIPE, on_sigpipe);
	close(v[1]);
	CHECK_ERR(send(v[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK(got_sigpipe == 0);
	CHECK_ERR(send(v[0], "x", 1, 0), EPIPE);
	CHECK(got_sigpipe == SIGPIPE);
	signal(SIGPIPE, SIG_IGN);
	close(v[0]);
}

static void *slow_reader(void *arg)
{
	static char buf[5000];
	long sum = 0, n;

	while ((n = read(*(int *)arg, buf, sizeof(buf))) > 0)
		for (long i = 0; i < n; i++)
			sum += buf[i];
	return (void *)sum;
}

/* More than the buffer holds, both ways of not waiting. */
static void test_flow(void)
{
	static char block[300000];
	struct timeval tv = { 0, 20000 };
	pthread_t t;
	void *sum;
	long n;
	int v[2];

	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, v) == 0);
	memset(block, 1, sizeof(block));
	CHECK(send(v[0], block, sizeof(block), MSG_DONTWAIT) > 50000);
	CHECK(!(events(v[0]) & POLLOUT));
	CHECK_ERR(send(v[0], block, 1, MSG_DONTWAIT), EAGAIN);
	CHECK(setsockopt(v[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) == 0);
	CHECK_ERR(send(v[0], block, 1, 0), EAGAIN);
	CHECK(setsockopt(v[1], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
	do
		n = recv(v[1], block, sizeof(block), 0);
	while (n > 0);
	CHECK_ERR(recv(v[1], block, 1, 0), EAGAIN);
	CHECK(events(v[0]) & POLLOUT);
	close(v[0]);
	close(v[1]);
	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, v) == 0);
	memset(block, 1, sizeof(block));
	pthread_create(&t, NULL, slow_reader, &v[1]);
	for (int i = 0; i < 10; i++)
		CHECK(write(v[0], block, sizeof(block)) == sizeof(block));
	close(v[0]);
	pthread_join(t, &sum);
	CHECK((long)sum == 10 * (long)sizeof(block));
	close(v[1]);
}

static void test_connect(void)
{
	struct sockaddr_un a, b;
	socklen_t n = name(&a, "/tmp/unix-test"), m;
	struct ucred cred = { 0 };
	struct stat st;
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0), s, x;
	char buf[8];
	int err;

	unlink("/tmp/unix-test");
	CHECK(events(c) == (POLLOUT | POLLHUP));
	CHECK_ERR(connect(c, (void *)&a, n), ENOENT);
	CHECK_ERR(listen(l, 1), EINVAL);
	CHECK(bind(l, (void *)&a, n) == 0);
	CHECK(stat("/tmp/unix-test", &st) == 0 && S_ISSOCK(st.st_mode));
	CHECK_ERR(open("/tmp/unix-test", O_RDWR), ENXIO);
	CHECK_ERR(bind(l, (void *)&a, n), EADDRINUSE);
	name(&b, "/tmp/unix-other");
	CHECK_ERR(bind(l, (void *)&b, n), EINVAL);
	CHECK_ERR(access("/tmp/unix-other", F_OK), ENOENT);
	CHECK_ERR(bind(c, (void *)&a, n), EADDRINUSE);
	CHECK_ERR(connect(c, (void *)&a, n), ECONNREFUSED);
	CHECK_ERR(accept(l, NULL, NULL), EINVAL);
	CHECK(listen(l, 1) == 0 && option(l, SO_ACCEPTCONN) == 1);
	CHECK(fcntl(l, F_SETFL, O_NONBLOCK) == 0);
	CHECK_ERR(accept(l, NULL, NULL), EAGAIN);
	CHECK(connect(c, (void *)&a, n) == 0);
	CHECK_ERR(connect(c, (void *)&a, n), EISCONN);
	CHECK(events(l) == POLLIN);
	CHECK(write(c, "early", 5) == 5);
	m = sizeof(b);
	s = accept4(l, (void *)&b, &m, SOCK_CLOEXEC);
	CHECK(s >= 0 && m == 2 && b.sun_family == AF_UNIX);
	CHECK(read(s, buf, 8) == 5);
	m = sizeof(b);
	CHECK(getpeername(c, (void *)&b, &m) == 0 && m == n && !strcmp(b.sun_path, a.sun_path));
	m = sizeof(b);
	CHECK(getsockname(s, (void *)&b, &m) == 0 && m == n);
	m = 4;
	CHECK(getsockname(s, (void *)&b, &m) == 0 && m == n);
	m = sizeof(cred);
	CHECK(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &cred, &m) == 0 && cred.pid == getpid());
	m = sizeof(cred);
	CHECK(getsockopt(c, SOL_SOCKET, SO_PEERCRED, &cred, &m) == 0 && cred.uid == getuid());
	close(c);
	/* The backlog: connections beyond it do not wait when asked not to. */
	for (x = 0; x < 10; x++) {
		c = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		err = connect(c, (void *)&a, n) ? errno : 0;
		if (err)
			break;
	}
	CHECK(x == 2 && err == EAGAIN);
	close(l);
	CHECK_ERR(connect(c, (void *)&a, n), ECONNREFUSED);
	close(c);
	close(s);
	unlink("/tmp/unix-test");
}

static void test_dgram(void)
{
	struct sockaddr_un a, b, from;
	socklen_t na = name(&a, "@dgram-a"), nb = name(&b, "@dgram-b"), n;
	int x = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0), i;
	int y = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	char buf[16];

	CHECK(bind(x, (void *)&a, na) == 0 && bind(y, (void *)&b, nb) == 0);
	CHECK_ERR(send(x, "x", 1, 0), ENOTCONN);
	CHECK(sendto(x, "one", 3, 0, (void *)&b, nb) == 3);
	CHECK(sendto(x, "longer one", 10, 0, (void *)&b, nb) == 10);
	CHECK(sendto(x, NULL, 0, 0, (void *)&b, nb) == 0);
	n = sizeof(from);
	CHECK(recvfrom(y, buf, 16, 0, (void *)&from, &n) == 3 && n == na && !memcmp(&from, &a, na));
	CHECK(recv(y, buf, 4, MSG_TRUNC) == 10);
	CHECK(recv(y, buf, 4, 0) == 0);
	CHECK_ERR(recv(y, buf, 4, 0), EAGAIN);
	CHECK(connect(x, (void *)&b, nb) == 0);
	for (i = 0; i < 100 && send(x, "fill", 4, 0) == 4; i++)
		;
	CHECK_ERR(send(x, "fill", 4, 0), EAGAIN);
	CHECK(i == 11 && !(events(x) & POLLOUT));
	CHECK(recv(y, buf, 16, 0) == 4 && (events(x) & POLLOUT));
	CHECK_ERR(sendto(y, "no", 2, 0, (void *)&(struct sockaddr_un){ AF_UNIX, "/nowhere" }, 11),
		  ENOENT);
	close(y);
	CHECK_ERR(send(x, "gone", 4, 0), ECONNREFUSED);
	CHECK_ERR(send(x, "gone", 4, 0), ENOTCONN);
	CHECK(connect(x, &(struct sockaddr){ AF_UNSPEC, "" }, sizeof(struct sockaddr)) == 0);
	y = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_ERR(connect(y, (void *)&a, na), ECONNREFUSED);
	close(x);
	CHECK_ERR(connect(y, (void *)&a, na), ECONNREFUSED);
	n = sizeof(from);
	CHECK(bind(y, (void *)&a, 2) == 0 && getsockname(y, (void *)&from, &n) == 0 && n == 8 &&
	      from.sun_path[0] == 0);
	close(y);
}

static void test_seqpacket(void)
{
	struct msghdr h = { 0 };
	struct iovec io;
	char buf[16];
	int v[2];

	REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, v) == 0);
	CHECK(send(v[0], "first", 5, 0) == 5 && send(v[0], "second", 6, 0) == 6);
	io.iov_base = buf;
	io.iov_len = 3;
	h.msg_iov = &io;
	h.msg_iovlen = 1;
	CHECK(recvmsg(v[1], &h, 0) == 3 && (h.msg_flags & MSG_TRUNC));
	io.iov_len = 16;
	CHECK(recvmsg(v[1], &h, 0) == 6 && !(h.msg_flags & MSG_TRUNC));
	close(v[0]);
	CHECK(recv(v[1], buf, 16, 0) == 0);
	CHECK_ERR(send(v[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	close(v[1]);
}

union control {
	char bytes[CMSG_SPACE(sizeof(int) * 8) + CMSG_SPACE(sizeof(struct ucred))];
	struct cmsghdr align;
};

static int send_fds(int sock, const int *fds, int n)
{
	union control c = { 0 };
	struct iovec io = { "f", 1 };
	struct msghdr h = { .msg_iov = &io,
			    .msg_iovlen = 1,
			    .msg_control = &c,
			    .msg_controllen = CMSG_SPACE(sizeof(int) * n) };
	struct cmsghdr *m = CMSG_FIRSTHDR(&h);

	m->cmsg_level = SOL_SOCKET;
	m->cmsg_type = SCM_RIGHTS;
	m->cmsg_len = CMSG_LEN(sizeof(int) * n);
	memcpy(CMSG_DATA(m), fds, sizeof(int) * n);
	return sendmsg(sock, &h, 0);
}

/* Descriptors received, or -1; their numbers in fds. */
static int recv_fds(int sock, int *fds, int room, int flags, int *out_flags)
{
	union control c = { 0 };
	char byte[8];
	struct iovec io = { byte, sizeof(byte) };
	struct msghdr h = { .msg_iov = &io,
			    .msg_iovlen = 1,
			    .msg_control = &c,
			    .msg_controllen = CMSG_LEN(sizeof(int) * room) };
	struct cmsghdr *m;

	if (recvmsg(sock, &h, flags) < 0)
		return -1;
	*out_flags = h.msg_flags;
	m = CMSG_FIRSTHDR(&h);
	if (!m || m->cmsg_type != SCM_RIGHTS)
		return 0;
	memcpy(fds, CMSG_DATA(m), m->cmsg_len - CMSG_LEN(0));
	return (m->cmsg_len - CMSG_LEN(0)) / sizeof(int);
}

static void test_rights(void)
{
	int v[2], p[2], fds[8] = { 0 }, flags;
	char c;

	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, v) == 0 && pipe(p) == 0);
	CHECK_ERR(send_fds(v[0], (int[]){ 999 }, 1), EBADF);
	CHECK(send_fds(v[0], p, 2) == 1 && write(v[0], "more", 4) == 4);
	CHECK(recv_fds(v[1], fds, 8, MSG_CMSG_CLOEXEC, &flags) == 2);
	CHECK(fcntl(fds[0], F_GETFD) == FD_CLOEXEC && !(flags & MSG_CTRUNC));
	CHECK(write(fds[1], "p", 1) == 1 && read(p[0], &c, 1) == 1 && c == 'p');
	close(fds[0]);
	close(fds[1]);
	/* The read stopped behind the descriptors. */
	CHECK(recv(v[1], fds, 8, 0) == 4);
	/* No room for both: one is dropped, and it says so. */
	CHECK(send_fds(v[0], p, 2) == 1);
	CHECK(recv_fds(v[1], fds, 1, 0, &flags) == 1 && (flags & MSG_CTRUNC));
	close(fds[0]);
	/* read(2) drops them all. */
	CHECK(send_fds(v[0], &p[1], 1) == 1 && read(v[1], &c, 1) == 1);
	close(p[1]);
	CHECK(read(p[0], &c, 1) == 0);
	close(p[0]);
	close(v[0]);
	close(v[1]);
}

static void test_creds(void)
{
	struct sockaddr_un a;
	union control c = { 0 };
	char byte;
	struct iovec io = { &byte, 1 };
	struct msghdr h = {
		.msg_iov = &io, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c)
	};
	struct cmsghdr *m;
	struct ucred u;
	int v[2], on = 1;
	pid_t pid;

	(void)a;
	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, v) == 0);
	CHECK(setsockopt(v[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0);
	pid = fork();
	if (pid == 0)
		_exit(write(v[0], "c", 1) != 1);
	waitpid(pid, NULL, 0);
	write(v[0], "p", 1);
	CHECK(recvmsg(v[1], &h, 0) == 1 && byte == 'c');
	m = CMSG_FIRSTHDR(&h);
	REQUIRE(m && m->cmsg_type == SCM_CREDENTIALS);
	memcpy(&u, CMSG_DATA(m), sizeof(u));
	CHECK(u.pid == pid && u.uid == getuid() && u.gid == getgid());
	close(v[0]);
	close(v[1]);
}

/*
 * Two sockets that hold each other and @p's writing end. The last that is closed is in no message:
 * the end of a socket starts the collection. False: it could not be made.
 */
static int leave_ring(const int *p)
{
	int v[2], w[2], ok;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, v) || socketpair(AF_UNIX, SOCK_STREAM, 0, w))
		return 0;
	ok = send_fds(v[0], &w[1], 1) == 1 && send_fds(w[0], &v[1], 1) == 1 &&
	     send_fds(v[0], &v[1], 1) == 1 && send_fds(v[0], &p[1], 1) == 1;
	close(v[1]);
	close(w[1]);
	close(w[0]);
	close(v[0]);
	return ok;
}

static int leave_rings(const int *p, int n)
{
	while (n > 0 && leave_ring(p))
		n--;
	return n == 0;
}

/* A listener in the queue of a connection that it never gave out. */
static void leave_listener(const int *p)
{
	struct sockaddr_un a;
	socklen_t n = name(&a, "@ring");
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);

	REQUIRE(l >= 0 && c >= 0 && bind(l, (void *)&a, n) == 0 && listen(l, 1) == 0);
	REQUIRE(connect(c, (void *)&a, n) == 0);
	CHECK(send_fds(c, &l, 1) == 1 && send_fds(c, &p[1], 1) == 1);
	close(l);
	close(c);
}

/* Nobody holds @p's writing end any more, or soon. */
static int all_gone(const int *p)
{
	struct pollfd f = { p[0], POLLIN, 0 };
	char c;

	return poll(&f, 1, TAP_PATIENCE_MS) == 1 && read(p[0], &c, 1) == 0;
}

/* Sockets that hold each other go when nobody can read them any more. */
static void test_ring(void)
{
	int p[2];

	REQUIRE(pipe(p) == 0);
	CHECK(leave_rings(p, 50));
	close(p[1]);
	CHECK(all_gone(p));
	close(p[0]);

	REQUIRE(pipe(p) == 0);
	leave_listener(p);
	close(p[1]);
	CHECK(all_gone(p));
	close(p[0]);
}

/* Rings left by several at once: a collection that meets another's half-dropped ring leaves none. */
static void test_rings_at_once(void)
{
	int p[2], failed = 0, status;

	REQUIRE(pipe(p) == 0);
	for (int i = 0; i < 4; i++)
		if (fork() == 0)
			_exit(!leave_rings(p, 200));
	close(p[1]);
	while (wait(&status) > 0)
		failed |= status;
	CHECK(failed == 0);
	CHECK(all_gone(p));
	close(p[0]);
}

static void test_mmsg(void)
{
	struct mmsghdr out[3] = { 0 }, in[5] = { 0 };
	struct iovec io[3] = { { "a", 1 }, { "bb", 2 }, { "ccc", 3 } }, ii[5];
	char buf[5][8];
	int v[2];

	REQUIRE(socketpair(AF_UNIX, SOCK_DGRAM, 0, v) == 0);
	for (int i = 0; i < 5; i++) {
		ii[i] = (struct iovec){ buf[i], 8 };
		in[i].msg_hdr.msg_iov = &ii[i];
		in[i].msg_hdr.msg_iovlen = 1;
		if (i < 3) {
			out[i].msg_hdr.msg_iov = &io[i];
			out[i].msg_hdr.msg_iovlen = 1;
		}
	}
	CHECK(sendmmsg(v[0], out, 3, 0) == 3 && out[2].msg_len == 3);
	CHECK(recvmmsg(v[1], in, 5, MSG_WAITFORONE, NULL) == 3 && in[1].msg_len == 2);
	CHECK_ERR(recvmmsg(v[1], in, 5, MSG_DONTWAIT, NULL), EAGAIN);
	close(v[0]);
	close(v[1]);
}

#define LAST_WORDS 1500
#define LAST_WORDS_NS 2500000000

struct last_word {
	sem_t go;
	int fd; /* to write to and close; -1: no more. Set before go */
};

/* In the middle of whatever the reader does: a timer wakes this thread, and no other goes before it. */
static void *say_and_go(void *arg)
{
	struct sched_param first = { .sched_priority = 1 };
	struct last_word *w = arg;

	CHECK(!syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &first));
	for (int round = 0; !sem_wait(&w->go) && w->fd >= 0; round++) {
		struct timespec moment = { .tv_nsec = 20000 + round * 37 };
		int fd = w->fd;

		nanosleep(&moment, NULL);
		if (write(fd, "x", 1) == 1)
			close(fd);
	}
	return NULL;
}

/* One word and the close after it, both between two instructions of a reader who keeps looking. */
static ssize_t hear_last_word(struct last_word *w, int type)
{
	ssize_t got;
	int v[2];
	char c;

	if (socketpair(AF_UNIX, type, 0, v))
		return -1;
	w->fd = v[0];
	sem_post(&w->go);
	do
		got = recv(v[1], &c, 1, MSG_DONTWAIT);
	while (got < 0 && errno == EAGAIN);
	close(v[1]);
	return got;
}

static long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/*
 * What was sent before a close is read before the end, wherever in a look the two came. On one CPU:
 * a reader that can be wrong is so once in a hundred rounds.
 */
static void test_last_word(int type)
{
	long long end = now_ns() + LAST_WORDS_NS;
	struct last_word w = { .fd = -1 };
	cpu_set_t all, one;
	ssize_t got = 1;
	pthread_t t;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	REQUIRE(!sched_getaffinity(0, sizeof(all), &all) &&
		!sched_setaffinity(0, sizeof(one), &one));
	REQUIRE(!sem_init(&w.go, 0, 0) && !pthread_create(&t, NULL, say_and_go, &w));
	for (int round = 0; got == 1 && round < LAST_WORDS && now_ns() < end; round++)
		got = hear_last_word(&w, type);
	CHECK(got == 1);
	w.fd = -1;
	sem_post(&w.go);
	pthread_join(t, NULL);
	sched_setaffinity(0, sizeof(all), &all);
}

int main(void)
{
	test_creation();
	test_stream();
	test_sigpipe();
	test_flow();
	test_connect();
	test_dgram();
	test_seqpacket();
	test_rights();
	test_creds();
	test_ring();
	test_rings_at_once();
	test_mmsg();
	test_last_word(SOCK_STREAM);
	test_last_word(SOCK_SEQPACKET);
	return tap_done();
}
