/*
 * AF_UNIX: what a message says of its sender, and what it counts. Credentials are put to a message
 * when it is sent, and only if one of the two sides asks for them by then (SO_PASSCRED); those that
 * a program gives must be of a process that there is. A name is that of the time of reading. unix(7)
 */
#define _GNU_SOURCE
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "sockopt.h"
#include "tap.h"

static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

/* Read up to @n bytes and whom they say they are of. Bytes, or -1: none, or they say nothing. */
static ssize_t read_from(int fd, size_t n, struct ucred *who)
{
	union {
		char bytes[CMSG_SPACE(sizeof(*who))];
		struct cmsghdr align;
	} ctl;
	char buf[64];
	struct iovec io = { buf, n };
	struct msghdr m = {
		.msg_iov = &io, .msg_iovlen = 1, .msg_control = &ctl, .msg_controllen = sizeof(ctl)
	};
	ssize_t got = recvmsg(fd, &m, MSG_DONTWAIT);
	struct cmsghdr *c = got < 0 ? NULL : CMSG_FIRSTHDR(&m);

	if (!c || c->cmsg_type != SCM_CREDENTIALS || c->cmsg_len != CMSG_LEN(sizeof(*who)))
		return -1;
	memcpy(who, CMSG_DATA(c), sizeof(*who));
	return got;
}

static int nobody(const struct ucred *u)
{
	return u->pid == 0 && u->uid == 65534 && u->gid == 65534;
}

static int me(const struct ucred *u)
{
	return u->pid == getpid() && u->uid == getuid() && u->gid == getgid();
}

static void test_asked_late(int type)
{
	struct ucred u;
	int v[2];

	REQUIRE(socketpair(AF_UNIX, type, 0, v) == 0);
	CHECK(write(v[0], "early", 5) == 5);
	CHECK(set(v[1], SO_PASSCRED, 1) == 0 && write(v[0], "late", 4) == 4);
	CHECK(read_from(v[1], 16, &u) == 5 && nobody(&u)); /* a stream is not read across */
	CHECK(read_from(v[1], 16, &u) == 4 && me(&u));
	CHECK(set(v[1], SO_PASSCRED, 0) == 0 && set(v[0], SO_PASSCRED, 1) == 0);
	CHECK(write(v[0], "mine", 4) == 4 && set(v[1], SO_PASSCRED, 1) == 0);
	CHECK(read_from(v[1], 16, &u) == 4 && me(&u));
	close(v[0]);
	close(v[1]);
}

/* The process's own user, not the effective one; one who is not there yet may still ask. */
static void test_not_accepted(void)
{
	struct sockaddr_un a = { AF_UNIX, "\0unix_senders" };
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0), s;
	struct ucred u;

	CHECK(bind(l, (void *)&a, sizeof(a)) == 0 && listen(l, 1) == 0);
	CHECK(connect(c, (void *)&a, sizeof(a)) == 0);
	CHECK(seteuid(77) == 0 && write(c, "hello", 5) == 5 && seteuid(0) == 0);
	s = accept(l, NULL, NULL);
	CHECK(set(s, SO_PASSCRED, 1) == 0 && read_from(s, 16, &u) == 5 && me(&u));
	close(s);
	close(c);
	close(l);
}

static int claims(int fd, pid_t pid, uid_t uid)
{
	struct ucred u = { pid, uid, 0 };

	return send_with(fd, NULL, "x", SCM_CREDENTIALS, &u, sizeof(u)) == 1;
}

static void test_claims(void)
{
	int v[2];

	REQUIRE(socketpair(AF_UNIX, SOCK_DGRAM, 0, v) == 0);
	CHECK(claims(v[0], 1, 0) && claims(v[0], getpid(), 5));
	CHECK(!claims(v[0], 4194303, 0) && errno == ESRCH);
	CHECK(!claims(v[0], 0, 0) && errno == ESRCH);
	CHECK(!claims(v[0], -1, 0) && errno == ESRCH);
	CHECK(!claims(v[0], 1, (uid_t)-1) && errno == EINVAL);
	CHECK(seteuid(77) == 0 && !claims(v[0], 1, (uid_t)-1) && errno == EINVAL);
	CHECK(!claims(v[0], 1, 0) && errno == EPERM && seteuid(0) == 0);
	close(v[0]);
	close(v[1]);
}

static void test_name_since(void)
{
	struct sockaddr_un a = { AF_UNIX, "\0unix_senders" }, b = { AF_UNIX, "\0later" }, from;
	int to = socket(AF_UNIX, SOCK_DGRAM, 0), c = socket(AF_UNIX, SOCK_DGRAM, 0);
	socklen_t len = sizeof(from);
	char byte;

	CHECK(bind(to, (void *)&a, sizeof(a)) == 0);
	CHECK(sendto(c, "x", 1, 0, (void *)&a, sizeof(a)) == 1);
	CHECK(bind(c, (void *)&b, offsetof(struct sockaddr_un, sun_path) + 6) == 0);
	CHECK(recvfrom(to, &byte, 1, 0, (void *)&from, &len) == 1);
	CHECK(len == offsetof(struct sockaddr_un, sun_path) + 6 && !memcmp(&from, &b, len));
	close(c);
	close(to);
}

static void test_reset_first(void)
{
	char byte;
	int v[2];

	REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, v) == 0);
	CHECK(write(v[0], "x", 1) == 1 && write(v[1], "y", 1) == 1 && close(v[0]) == 0);
	CHECK_ERR(read(v[1], &byte, 1), ECONNRESET);
	CHECK(read(v[1], &byte, 1) == 1 && read(v[1], &byte, 1) == 0);
	close(v[1]);
}

/* The file of a name has the mode of the socket. */
static void test_mode(void)
{
	struct sockaddr_un a = { AF_UNIX, "/tmp/unix_senders" };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	mode_t old = umask(0123);
	struct stat st;

	CHECK(fchmod(s, 0765) == 0 && bind(s, (void *)&a, sizeof(a)) == 0);
	CHECK(stat(a.sun_path, &st) == 0 && st.st_mode == (S_IFSOCK | 0644));
	umask(old);
	unlink(a.sun_path);
	close(s);
}

/* How many writes of @n bytes a stream takes. */
static int writes(size_t n)
{
	static char buf[4096];
	int v[2], count = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, v))
		return -1;
	set(v[0], SO_SNDBUF, 106496);
	while (send(v[0], buf, n, MSG_DONTWAIT) == (ssize_t)n)
		count++;
	close(v[0]);
	close(v[1]);
	return count;
}

static void test_count(void)
{
	static char buf[212993];
	int v[2];

	CHECK(writes(1) == 278 && writes(121) == 278);
	CHECK(writes(364) == 167 && writes(1093) == 93 && writes(3280) == 49);
	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, v) == 0);
	set(v[0], SO_SNDBUF, 106496);
	CHECK(send(v[0], buf, sizeof(buf), MSG_DONTWAIT) == (ssize_t)sizeof(buf));
	CHECK_ERR(send(v[0], buf, 1, MSG_DONTWAIT), EAGAIN);
	close(v[0]);
	close(v[1]);
}

int main(void)
{
	for (int i = 0; i < 3; i++)
		test_asked_late(types[i]);
	test_not_accepted();
	test_claims();
	test_name_since();
	test_reset_first();
	test_mode();
	test_count();
	return tap_done();
}
