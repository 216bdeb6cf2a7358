/*
 * AF_UNIX beside plain messages: out-of-band bytes, peeking at an offset, time stamps, signals for
 * the owner of a socket, what is known of a peer, how many descriptors may be on their way. send(2),
 * recv(2), socket(7), unix(7).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include "sockopt.h"
#include "tap.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

static volatile int urgent, ready;

static void on_urgent(int sig)
{
	urgent++;
}

static void on_ready(int sig)
{
	ready++;
}

static int at_mark(int fd)
{
	int at = -1;

	return ioctl(fd, SIOCATMARK, &at) ? -1 : at;
}

static short events(int fd, short want)
{
	struct pollfd p = { fd, want, 0 };

	poll(&p, 1, 0);
	return p.revents;
}

/* What a read of up to 16 bytes gives. */
static int reads(int fd, int flags, const char *want)
{
	char buf[16];
	ssize_t n = recv(fd, buf, sizeof(buf), flags | MSG_DONTWAIT);

	return n == (ssize_t)strlen(want) && !memcmp(buf, want, (size_t)n);
}

/* A connected pair of streams; what @text holds is sent, a byte behind '!' out of band. */
static void send_text(int fd, const char *text)
{
	for (; *text; text++) {
		int oob = *text == '!';

		text += oob;
		if (send(fd, text, 1, oob ? MSG_OOB : 0) != 1)
			_exit(9);
	}
}

static void pair(int v[2], const char *text)
{
	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, v) == 0);
	send_text(v[0], text);
}

static void unpair(int v[2])
{
	close(v[0]);
	close(v[1]);
}

/* What is behind a byte that was read out of its place: Linux before 6.10 finds it one read later. */
static int reads_behind(int fd, const char *want)
{
	return reads(fd, 0, want) || reads(fd, 0, want);
}

static void test_oob(void)
{
	char c = 0;
	int v[2];

	pair(v, "");
	CHECK(at_mark(v[1]) == 0);
	CHECK_ERR(recv(v[1], &c, 1, MSG_OOB), EINVAL);
	CHECK_ERR(send(v[0], "", 0, MSG_OOB), EOPNOTSUPP);
	CHECK(send(v[0], "abc", 3, MSG_OOB) == 3);
	CHECK((events(v[1], POLLIN | POLLPRI) & (POLLIN | POLLPRI)) == (POLLIN | POLLPRI));
	CHECK(at_mark(v[1]) == 0);
	send_text(v[0], "de");
	CHECK(reads(v[1], 0, "ab")); /* up to the mark */
	CHECK(at_mark(v[1]) == 1);
	CHECK(recv(v[1], &c, 1, MSG_OOB | MSG_PEEK) == 1 && c == 'c');
	CHECK(recv(v[1], &c, 1, MSG_OOB) == 1 && c == 'c');
	CHECK_ERR(recv(v[1], &c, 1, MSG_OOB), EINVAL);
	CHECK(!(events(v[1], POLLPRI) & POLLPRI));
	CHECK(reads_behind(v[1], "de"));
	unpair(v);

	pair(v, "!xyz"); /* passed over by a read that begins there */
	CHECK(reads(v[1], 0, "yz"));
	CHECK_ERR(recv(v[1], &c, 1, MSG_OOB), EINVAL);
	unpair(v);

	pair(v, "!1!2"); /* a newer one makes the older plain */
	CHECK(reads(v[1], 0, "1"));
	CHECK(recv(v[1], &c, 1, MSG_OOB) == 1 && c == '2');
	CHECK_ERR(recv(v[1], &c, 1, MSG_DONTWAIT), EAGAIN);
	unpair(v);

	pair(v, "p");
	CHECK(set(v[1], SO_OOBINLINE, 1) == 0 && get(v[1], SO_OOBINLINE) == 1);
	send_text(v[0], "!q");
	CHECK_ERR(recv(v[1], &c, 1, MSG_OOB), EINVAL);
	CHECK(reads(v[1], 0, "p") && at_mark(v[1]) == 1 && reads(v[1], 0, "q"));
	unpair(v);

	REQUIRE(socketpair(AF_UNIX, SOCK_DGRAM, 0, v) == 0);
	CHECK_ERR(send(v[0], "x", 1, MSG_OOB), EOPNOTSUPP);
	CHECK_ERR(recv(v[0], &c, 1, MSG_OOB), EOPNOTSUPP);
	CHECK(shutdown(v[0], SHUT_RD) == 0 && recv(v[0], &c, 1, 0) == 0);
	CHECK_ERR(recv(v[0], &c, 1, MSG_DONTWAIT), EAGAIN); /* of the end hears who would wait */
	unpair(v);
	REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, v) == 0);
	CHECK(shutdown(v[0], SHUT_RD) == 0 && recv(v[0], &c, 1, MSG_DONTWAIT) == 0);
	unpair(v);
}

static void test_message_oob(void)
{
	char buf[4];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	int v[2];

	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, v) == 0);
	CHECK(send(v[0], "!", 1, MSG_OOB) == 1);
	CHECK(recvmsg(v[1], &h, MSG_OOB) == 1 && buf[0] == '!' && (h.msg_flags & MSG_OOB));
	unpair(v);
}

static void test_owner(void)
{
	pid_t who = 0;
	int v[2];

	signal(SIGURG, on_urgent);
	signal(SIGIO, on_ready);
	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, v) == 0);
	CHECK(ioctl(v[1], FIOGETOWN, &who) == 0 && who == 0);
	who = getpid();
	CHECK(ioctl(v[1], FIOSETOWN, &who) == 0 && fcntl(v[1], F_GETOWN) == getpid());
	who = -getpgrp();
	CHECK(ioctl(v[1], SIOCSPGRP, &who) == 0);
	CHECK(ioctl(v[1], SIOCGPGRP, &who) == 0 && who == -getpgrp());
	CHECK(fcntl(v[1], F_SETOWN, getpid()) == 0);
	CHECK(send(v[0], "u", 1, MSG_OOB) == 1 && EVENTUALLY(urgent == 1));
	CHECK(ready == 0);
	CHECK(fcntl(v[1], F_SETFL, O_ASYNC) == 0 && (fcntl(v[1], F_GETFL) & O_ASYNC));
	CHECK(send(v[0], "d", 1, 0) == 1 && EVENTUALLY(ready >= 1));
	ready = 0;
	CHECK(close(v[0]) == 0 && EVENTUALLY(ready >= 1));
	close(v[1]);
	signal(SIGURG, SIG_DFL);
	signal(SIGIO, SIG_DFL);
}

static void test_peek_off(int type)
{
	char buf[8];
	int v[2];

	REQUIRE(socketpair(AF_UNIX, type, 0, v) == 0);
	CHECK(get(v[1], SO_PEEK_OFF) == -1);
	CHECK(send(v[0], "abcd", 4, 0) == 4 && send(v[0], "ef", 2, 0) == 2);
	CHECK(set(v[1], SO_PEEK_OFF, 1) == 0);
	CHECK(recv(v[1], buf, 2, MSG_PEEK) == 2 && !memcmp(buf, "bc", 2));
	CHECK(get(v[1], SO_PEEK_OFF) == 3);
	CHECK(recv(v[1], buf, 1, MSG_PEEK) == 1 && buf[0] == 'd');
	CHECK(recv(v[1], buf, 8, MSG_PEEK) == 2 && !memcmp(buf, "ef", 2));
	CHECK_ERR(recv(v[1], buf, 8, MSG_PEEK | MSG_DONTWAIT), EAGAIN);
	CHECK(recv(v[1], buf, 4, 0) == 4 && get(v[1], SO_PEEK_OFF) == 2);
	CHECK(set(v[1], SO_PEEK_OFF, -1) == 0);
	CHECK(recv(v[1], buf, 8, MSG_PEEK) == 2 && recv(v[1], buf, 8, 0) == 2);
	unpair(v);
}

/* The control record of this type in what @fd receives next; its data in *t. */
static int stamp_of(int fd, int type, struct timespec *t)
{
	char buf[8], control[256];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr h = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c;

	if (recvmsg(fd, &h, 0) < 0)
		return 0;
	for (c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == type &&
		    c->cmsg_len == CMSG_LEN(sizeof(*t))) {
			memcpy(t, CMSG_DATA(c), sizeof(*t));
			return 1;
		}
	}
	return 0;
}

static void test_stamps(void)
{
	struct timespec before, t;
	int v[2];

	REQUIRE(socketpair(AF_UNIX, SOCK_DGRAM, 0, v) == 0);
	clock_gettime(CLOCK_REALTIME, &before);
	CHECK(send(v[0], "x", 1, 0) == 1 && !stamp_of(v[1], 29, &t));
	CHECK(set(v[1], 29, 1) == 0 && get(v[1], 29) == 1); /* SO_TIMESTAMP, the classic number */
	CHECK(send(v[0], "x", 1, 0) == 1 && stamp_of(v[1], 29, &t));
	CHECK(t.tv_sec >= before.tv_sec && t.tv_nsec < 1000000);
	CHECK(set(v[1], 35, 1) == 0 && get(v[1], 35) == 1 && get(v[1], 29) == 0);
	CHECK(send(v[0], "x", 1, 0) == 1 && stamp_of(v[1], 35, &t));
	CHECK(t.tv_sec >= before.tv_sec);
	CHECK(set(v[1], 64, 1) == 0 && get(v[1], 64) == 1 && get(v[1], 35) == 0);
	CHECK(send(v[0], "x", 1, 0) == 1 && stamp_of(v[1], 64, &t));
	CHECK(set(v[1], 64, 0) == 0 && get(v[1], 64) == 0);
	CHECK(send(v[0], "x", 1, 0) == 1 && !stamp_of(v[1], 64, &t));
	unpair(v);
}

static void test_peer(void)
{
	gid_t some[3] = { 7, 11, 300 }, got[8];
	socklen_t n = sizeof(got);
	struct sockaddr_un a;
	unsigned long long one = 0, two = 0;
	int v[2], lone = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK_ERR(getsockopt(lone, SOL_SOCKET, SO_PEERGROUPS, got, &n), ENODATA);
	CHECK(setgroups(3, some) == 0);
	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, v) == 0);
	CHECK(setgroups(0, NULL) == 0);
	CHECK(getsockopt(v[0], SOL_SOCKET, SO_PEERGROUPS, got, &n) == 0 && n == sizeof(some));
	CHECK(!memcmp(got, some, sizeof(some)));
	n = 4;
	CHECK_ERR(getsockopt(v[0], SOL_SOCKET, SO_PEERGROUPS, got, &n), ERANGE);
	CHECK(n == sizeof(some));
	n = sizeof(one);
	CHECK(getsockopt(v[0], SOL_SOCKET, SO_COOKIE, &one, &n) == 0);
	CHECK(getsockopt(v[1], SOL_SOCKET, SO_COOKIE, &two, &n) == 0 && one && two && one != two);
	n = sizeof(a);
	CHECK_ERR(getsockopt(lone, SOL_SOCKET, SO_PEERNAME, &a, &n), ENOTCONN);
	n = 2;
	CHECK(getsockopt(v[0], SOL_SOCKET, SO_PEERNAME, &a, &n) == 0 && a.sun_family == AF_UNIX);
	CHECK(set(v[0], SO_PASSSEC, 1) == 0 && get(v[0], SO_PASSSEC) == 1);
	CHECK(set(v[0], SO_MARK, 5) == 0 && get(v[0], SO_MARK) == 5);
	CHECK_ERR(syscall(SYS_sendmsg, v[0], NULL, 0x80000000u), EINVAL);
	CHECK_ERR(syscall(SYS_recvmsg, -1, NULL, 0x80000000u), EINVAL);
	unpair(v);
	close(lone);
}

static int send_fd(int by, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 'f';
	struct iovec iov = { &byte, 1 };
	struct msghdr h = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);

	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
			       .cmsg_level = SOL_SOCKET,
			       .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return (int)sendmsg(by, &h, MSG_DONTWAIT);
}

/* As a user whom nothing else counts for: descriptors on their way are limited by RLIMIT_NOFILE. */
static int child_sends_many(void)
{
	struct rlimit l = { 20, 20 };
	int v[2], sent = 0;

	if (setrlimit(RLIMIT_NOFILE, &l) || setresuid(54321, 54321, 54321) ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, v))
		return 1;
	while (sent < 1000 && send_fd(v[0], v[0]) == 1)
		sent++;
	if (errno != ETOOMANYREFS || sent < 20 || sent > 30)
		return 2;
	/* What was received no longer counts. */
	for (int i = 0; i < sent; i++)
		if (read(v[1], &(char){ 0 }, 1) != 1)
			return 3;
	return send_fd(v[0], v[0]) == 1 ? 0 : 4;
}

static void test_many_on_their_way(void)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(child_sends_many());
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static int listed(const char *name, char *line, size_t size)
{
	FILE *f = fopen("/proc/net/unix", "r");
	int found = 0;

	while (f && !found && fgets(line, (int)size, f))
		found = strstr(line, name) != NULL;
	if (f)
		fclose(f);
	return found;
}

static void test_list(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t len;
	char line[256];
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(a.sun_path, "\0unix_options\0x", 15);
	len = offsetof(struct sockaddr_un, sun_path) + 15;
	CHECK(bind(l, (void *)&a, len) == 0);
	CHECK(listed("@unix_options@x", line, sizeof(line)));
	CHECK(strstr(line, ": 00000002 00000000 00000000 0001 01 ") != NULL);
	CHECK(listen(l, 1) == 0 && connect(c, (void *)&a, len) == 0);
	CHECK(listed("00010000 0001 01 ", line, sizeof(line)));
	CHECK(listed(" 00000000 0001 02 ", line, sizeof(line))); /* not accepted yet */
	close(c);
	close(l);
}

int main(void)
{
	test_oob();
	test_message_oob();
	test_owner();
	test_peek_off(SOCK_STREAM);
	test_peek_off(SOCK_DGRAM);
	test_peek_off(SOCK_SEQPACKET);
	test_stamps();
	test_peer();
	test_many_on_their_way();
	test_list();
	return tap_done();
}
