/*
 * Ports of AF_NETLINK: each protocol has its own, the first socket of a process is given the
 * process's number; what may be sent and to whom; the groups of a socket; and NETLINK_SOCK_DIAG
 * shows such sockets, all or one protocol's, but none that nobody can reach. As root.
 */
#define _GNU_SOURCE
#include <linux/netlink.h>
#include <linux/netlink_diag.h>
#include <linux/sock_diag.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "tap.h"

static struct {
	struct nlmsghdr h;
	struct netlink_diag_req r;
} req;
static _Alignas(8) char answer[32768];

static int bound(int protocol, unsigned port)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_pid = port };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	return fd >= 0 && bind(fd, (void *)&a, sizeof(a)) ? -errno : fd;
}

static unsigned port_of(int fd)
{
	struct sockaddr_nl a = { 0 };
	socklen_t len = sizeof(a);

	return getsockname(fd, (void *)&a, &len) ? 0 : a.nl_pid;
}

static void ports(void)
{
	int route = bound(NETLINK_ROUTE, 0), diag = bound(NETLINK_SOCK_DIAG, 0);
	int more = bound(NETLINK_ROUTE, 0), high = bound(NETLINK_ROUTE, 77777);

	REQUIRE(route >= 0 && diag >= 0 && more >= 0 && high >= 0);
	CHECK(port_of(route) == (unsigned)getpid() && port_of(diag) == (unsigned)getpid());
	CHECK(port_of(more) != port_of(route) && port_of(more));
	CHECK(bound(NETLINK_ROUTE, 77777) == -EADDRINUSE);
	close(diag);
	diag = bound(NETLINK_SOCK_DIAG, 77777);
	CHECK(diag >= 0 && port_of(diag) == 77777);
	close(diag);
	close(route);
	close(more);
	close(high);
}

struct seen {
	ino_t ino;
	unsigned port;
};

static struct seen see(int fd)
{
	struct stat st;

	return (struct seen){ fstat(fd, &st) ? 0 : st.st_ino, port_of(fd) };
}

/* The sockets shown that are @st; the answer's verdict in @err. */
static int shown(int fd, int flags, int protocol, unsigned show, const struct seen *st, int *err)
{
	int found = 0, done = 0;

	req.h = (struct nlmsghdr){ sizeof(req), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | flags, 1, 0 };
	req.r = (struct netlink_diag_req){ .sdiag_family = AF_NETLINK,
					   .sdiag_protocol = protocol,
					   .ndiag_show = show };
	*err = 0;
	if (send(fd, &req, sizeof(req), 0) != sizeof(req))
		return -1;
	while (!done) {
		ssize_t n = recv(fd, answer, sizeof(answer), 0);
		struct nlmsghdr *h = (void *)answer;

		if (n <= 0)
			return -1;
		for (; NLMSG_OK(h, (unsigned)n); h = NLMSG_NEXT(h, n)) {
			struct netlink_diag_msg *m = NLMSG_DATA(h);

			if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
				*err = -*(int *)NLMSG_DATA(h);
				done = 1;
			} else if (m->ndiag_ino == st->ino && m->ndiag_family == AF_NETLINK &&
				   m->ndiag_type == SOCK_RAW &&
				   m->ndiag_protocol == NETLINK_ROUTE && m->ndiag_state == 7 &&
				   m->ndiag_portid == st->port)
				found += h->nlmsg_len > NLMSG_LENGTH(sizeof(*m)) ? 10 : 1;
		}
	}
	return found;
}

static int say(int fd, unsigned port, unsigned groups, const char *text)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_pid = port, .nl_groups = groups };

	return (int)sendto(fd, text, strlen(text), 0, (void *)&a, sizeof(a));
}

/* A plain user speaks to the kernel only: what a child finds wrong. */
static int plain_user(void)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_pid = 99999 };
	int fd, wrong = 0;

	if (setgid(1000) || setuid(1000))
		return 64;
	fd = bound(NETLINK_ROUTE, 0);
	wrong |= (say(fd, 99999, 0, "x") == -1 && errno == EPERM) ? 0 : 1;
	wrong |= (say(fd, 0, 1, "x") == -1 && errno == EPERM) ? 0 : 2;
	wrong |= say(fd, 0, 0, "x") == 1 ? 0 : 4;
	wrong |= (say(fd, 99999, 0, "") == -1 && errno == ENODATA) ? 0 : 8;
	wrong |= (connect(fd, (void *)&a, sizeof(a)) == -1 && errno == EPERM) ? 0 : 16;
	a.nl_pid = 0;
	wrong |= connect(fd, (void *)&a, sizeof(a)) == 0 ? 0 : 32;
	return wrong;
}

static void sending(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), group = 2, status = -1;
	struct sockaddr_nl a = { 0 };
	socklen_t len = sizeof(a);
	pid_t child;

	REQUIRE(fd >= 0);
	CHECK(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) == 0);
	CHECK_ERR(say(fd, 0, 0, ""), ENODATA);
	CHECK_ERR(send(fd, "", 0, MSG_OOB), EOPNOTSUPP);
	CHECK(say(fd, 0, 0, "x") == 1);
	CHECK(getsockname(fd, (void *)&a, &len) == 0 && a.nl_pid && a.nl_groups == 2);
	CHECK_ERR(say(fd, 99999, 0, "x"), ECONNREFUSED);
	close(fd);
	child = fork();
	if (!child)
		_exit(plain_user());
	CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

static int membership(int fd, int option, int group)
{
	return setsockopt(fd, SOL_NETLINK, option, &group, sizeof(group));
}

/* Groups above 32 are joined by option only; which ones a socket is in can be asked. */
static void memberships(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	unsigned in[3] = { 7, 7, 7 };
	socklen_t len = sizeof(in);

	REQUIRE(fd >= 0);
	CHECK(!getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, in, &len) && len == 0);
	CHECK_ERR(membership(fd, NETLINK_ADD_MEMBERSHIP, 0), EINVAL);
	CHECK_ERR(membership(fd, NETLINK_ADD_MEMBERSHIP, 100), EINVAL);
	CHECK(!membership(fd, NETLINK_ADD_MEMBERSHIP, 2));
	CHECK(!membership(fd, NETLINK_ADD_MEMBERSHIP, 32));
	CHECK(!membership(fd, NETLINK_ADD_MEMBERSHIP, 36));
	len = 0; /* how much would it be? */
	CHECK(!getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, in, &len) && len == 8);
	CHECK(in[0] == 7);
	len = sizeof(in);
	CHECK(!getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, in, &len) && len == 8);
	CHECK(in[0] == 0x80000002u && in[1] == 8 && in[2] == 7);
	CHECK(!bind(fd, (void *)&a, sizeof(a)) && !membership(fd, NETLINK_DROP_MEMBERSHIP, 33));
	CHECK(!getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, in, &len));
	CHECK(in[0] == 1 && in[1] == 8);
	CHECK(!membership(fd, NETLINK_DROP_MEMBERSHIP, 36));
	CHECK(!getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, in, &len));
	CHECK(in[0] == 1 && in[1] == 0);
	close(fd);
}

/* Where it is one: tests/run brings it. */
static void load_module(void)
{
	int fd = open("/modules/netlink_diag.ko", O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)syscall(SYS_finit_module, fd, "", 0);
	close(fd);
}

static void diag(void)
{
	int seen = bound(NETLINK_ROUTE, 88888), fd = bound(NETLINK_SOCK_DIAG, 0), err;
	struct seen st = see(seen);

	REQUIRE(fd >= 0 && st.ino && st.port == 88888);
	CHECK(shown(fd, NLM_F_DUMP, NDIAG_PROTO_ALL, 0, &st, &err) == 1 && !err);
	CHECK(shown(fd, NLM_F_DUMP, NETLINK_ROUTE, 0, &st, &err) == 1 && !err);
	CHECK(shown(fd, NLM_F_DUMP, NETLINK_ROUTE, NDIAG_SHOW_MEMINFO, &st, &err) == 10 && !err);
	CHECK(shown(fd, NLM_F_DUMP, NETLINK_ROUTE, NDIAG_SHOW_FLAGS, &st, &err) == 10 && !err);
	CHECK(shown(fd, NLM_F_DUMP, NETLINK_SOCK_DIAG, 0, &st, &err) == 0 && !err);
	CHECK(shown(fd, NLM_F_DUMP, MAX_LINKS - 1, 0, &st, &err) == 0 && !err);
	CHECK(shown(fd, NLM_F_DUMP, MAX_LINKS, 0, &st, &err) == 0 && err == ENOENT);
	CHECK(shown(fd, 0, NETLINK_ROUTE, 0, &st, &err) == 0 && err == EOPNOTSUPP);
	close(seen);
	CHECK(shown(fd, NLM_F_DUMP, NDIAG_PROTO_ALL, 0, &st, &err) == 0 && !err);
	close(fd);
}

/* The lines of /proc/net/netlink that end with @ino. */
static int listed(ino_t ino)
{
	FILE *f = fopen("/proc/net/netlink", "re");
	unsigned long long last;
	char line[256];
	int found = 0;

	while (f && fgets(line, sizeof(line), f))
		found += sscanf(line, "%*s%*s%*s%*s%*s%*s%*s%*s%*s%llu", &last) == 1 && last == ino;
	if (f)
		fclose(f);
	return found;
}

/* A socket without a port is shown for its groups only, and /proc lists none. */
static void unreachable(void)
{
	int fd = bound(NETLINK_SOCK_DIAG, 0), err;
	int bare = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct seen st = see(bare);

	REQUIRE(fd >= 0 && st.ino && st.port == 0);
	CHECK(shown(fd, NLM_F_DUMP, NETLINK_ROUTE, 0, &st, &err) == 0 && !err);
	CHECK(!membership(bare, NETLINK_ADD_MEMBERSHIP, 2));
	CHECK(shown(fd, NLM_F_DUMP, NETLINK_ROUTE, 0, &st, &err) == 1 && !err);
	CHECK(listed(st.ino) == 0);
	CHECK(!membership(bare, NETLINK_DROP_MEMBERSHIP, 2));
	CHECK(say(bare, 0, 0, "x") == 1);
	st = see(bare);
	CHECK(st.port && shown(fd, NLM_F_DUMP, NETLINK_ROUTE, 0, &st, &err) == 1 && !err);
	CHECK(listed(st.ino) == 1);
	close(bare);
	close(fd);
}

int main(void)
{
	alarm(TAP_LIMIT);
	ports();
	sending();
	memberships();
	load_module();
	diag();
	unreachable();
	return tap_done();
}
