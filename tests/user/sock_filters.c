/*
 * Filters (SO_ATTACH_FILTER, classic BPF) on sockets that are not of a network: AF_UNIX and
 * AF_NETLINK. socket(7), Linux's networking/filter.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "tap.h"

/* Messages that begin with 'd' are dropped, of others @keep bytes stay. */
static int attach(int fd, unsigned keep)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'd', 1, 0),
		BPF_STMT(BPF_RET | BPF_K, keep),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = { 4, code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

static int set(int fd, int option, int v)
{
	return setsockopt(fd, SOL_SOCKET, option, &v, sizeof(v));
}

static ssize_t next(int fd, char *buf)
{
	memset(buf, 0, 16);
	return recv(fd, buf, 16, MSG_DONTWAIT);
}

static void datagrams(int type)
{
	struct msghdr m = { .msg_iovlen = 1 };
	char buf[16], control[CMSG_SPACE(sizeof(int))];
	struct cmsghdr *c;
	int p[2], i;

	REQUIRE(!socketpair(AF_UNIX, type, 0, p));
	CHECK(!attach(p[1], 4));
	CHECK(send(p[0], "dropped", 7, 0) == 7);
	CHECK_ERR(next(p[1], buf), EAGAIN);
	CHECK(send(p[0], "stays", 5, 0) == 5);
	CHECK(next(p[1], buf) == 4 && !strcmp(buf, "stay"));
	CHECK(send(p[1], "dust", 4, 0) == 4 && next(p[0], buf) == 4); /* the other's filter only */
	CHECK(send(p[0], "", 0, 0) == 0); /* a load behind the end drops */
	CHECK_ERR(next(p[1], buf), EAGAIN);

	/* What is dropped takes its descriptors with it, and no room. */
	m.msg_iov = &(struct iovec){ "descriptor", 10 };
	m.msg_control = control;
	m.msg_controllen = sizeof(control);
	c = CMSG_FIRSTHDR(&m);
	*c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
			       .cmsg_type = SCM_RIGHTS,
			       .cmsg_len = CMSG_LEN(sizeof(int)) };
	memcpy(CMSG_DATA(c), &p[0], sizeof(int));
	for (i = 0; i < 100 && sendmsg(p[0], &m, MSG_DONTWAIT) == 10; i++)
		;
	CHECK(i == 100);

	/* The filter comes before what the receiver has against the message. */
	CHECK(!shutdown(p[1], SHUT_RD));
	if (type == SOCK_DGRAM) {
		CHECK(send(p[0], "d", 1, MSG_NOSIGNAL) == 1);
		CHECK_ERR(send(p[0], "s", 1, MSG_NOSIGNAL), EPIPE);
	}
	close(p[0]);
	close(p[1]);
}

static void unconnected(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "\0filters-a" }, b = a;
	socklen_t n = offsetof(struct sockaddr_un, sun_path) + 10;
	int x = socket(AF_UNIX, SOCK_DGRAM, 0), y = socket(AF_UNIX, SOCK_DGRAM, 0);
	int z = socket(AF_UNIX, SOCK_DGRAM, 0), i, e;
	char buf[16];

	b.sun_path[9] = 'b';
	CHECK(!bind(x, (void *)&a, n) && !bind(y, (void *)&b, n));
	CHECK(!connect(y, (void *)&a, n)); /* y hears x alone */
	CHECK_ERR(sendto(z, "d", 1, 0, (void *)&b, n), EPERM);
	CHECK(!attach(y, 16));
	CHECK(sendto(z, "d", 1, 0, (void *)&b, n) == 1);
	CHECK_ERR(sendto(z, "s", 1, 0, (void *)&b, n), EPERM);

	/* A full queue does not keep what is dropped anyway. */
	CHECK(!attach(x, 16));
	for (i = 0; i < 10000 && sendto(z, "s", 1, MSG_DONTWAIT, (void *)&a, n) == 1; i++)
		;
	e = errno;
	CHECK(i && i < 10000 && e == EAGAIN);
	CHECK(sendto(z, "d", 1, MSG_DONTWAIT, (void *)&a, n) == 1);
	while (i && next(x, buf) == 1)
		i--;
	CHECK(!i);
	CHECK_ERR(next(x, buf), EAGAIN);
	close(x);
	close(y);
	close(z);
}

static void streams(void)
{
	char buf[16];
	int p[2];

	REQUIRE(!socketpair(AF_UNIX, SOCK_STREAM, 0, p));
	CHECK(!attach(p[1], 0)); /* taken, and never run */
	CHECK(send(p[0], "drop", 4, 0) == 4 && next(p[1], buf) == 4);
	close(p[0]);
	close(p[1]);
}

static void locks(void)
{
	struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, 1) }, back[2];
	struct sock_fprog prog = { 0, code };
	socklen_t n = 0;
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	CHECK_ERR(set(fd, SO_DETACH_FILTER, 0), ENOENT);
	CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &n, 2), EINVAL);
	CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)), EINVAL);
	prog.len = 1;
	CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog) - 1), EINVAL);
	CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &(struct sock_fprog){ 1, (void *)1 },
			     sizeof(prog)),
		  EFAULT);
	code[0].code = 0xffff;
	CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)), EINVAL);
	code[0].code = BPF_RET | BPF_K;
	CHECK(!setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)));
	CHECK(!getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, back, &n) && n == 1);
	n = 1;
	CHECK(!getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, back, &n) && n == 1);
	CHECK(back[0].code == (BPF_RET | BPF_K) && back[0].k == 1);
	CHECK(!set(fd, SO_LOCK_FILTER, 0) && !set(fd, SO_LOCK_FILTER, 1));
	CHECK(!set(fd, SO_LOCK_FILTER, 7));
	CHECK_ERR(set(fd, SO_LOCK_FILTER, 0), EPERM);
	CHECK_ERR(set(fd, SO_DETACH_FILTER, 0), EPERM);
	CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)), EPERM);
	close(fd);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK(!setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)));
	CHECK(!set(fd, SO_DETACH_FILTER, 0));
	CHECK_ERR(set(fd, SO_DETACH_FILTER, 0), ENOENT);
	close(fd);
}

/* A verdict comes back from the kernel, unless it is of number 7, the filter says. */
static void netlink(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_seq)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(7), 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 20),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = { 4, code };
	struct nlmsghdr h = { .nlmsg_len = sizeof(h),
			      .nlmsg_type = NLMSG_NOOP,
			      .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
			      .nlmsg_seq = 7 };
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	char buf[100];

	REQUIRE(fd >= 0);
	CHECK(!setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)));
	CHECK(send(fd, &h, sizeof(h), 0) == sizeof(h));
	CHECK_ERR(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	h.nlmsg_seq = 8;
	CHECK(send(fd, &h, sizeof(h), 0) == sizeof(h));
	CHECK(recv(fd, buf, sizeof(buf), MSG_DONTWAIT) == 20);
	CHECK(((struct nlmsghdr *)buf)->nlmsg_type == NLMSG_ERROR && !buf[16]);
	CHECK(!set(fd, SO_DETACH_FILTER, 0));
	h.nlmsg_seq = 7;
	CHECK(send(fd, &h, sizeof(h), 0) == sizeof(h));
	CHECK(recv(fd, buf, sizeof(buf), MSG_DONTWAIT) == 36);
	close(fd);
}

int main(void)
{
	alarm(TAP_LIMIT);
	datagrams(SOCK_DGRAM);
	datagrams(SOCK_SEQPACKET);
	unconnected();
	streams();
	locks();
	netlink();
	return tap_done();
}
