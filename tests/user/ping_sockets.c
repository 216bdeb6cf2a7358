/*
 * Ping sockets, icmp(7): who may have one goes by net.ipv4.ping_group_range; the identifier is the port,
 * whatever the program writes there; each has the answers to its own questions alone. As root.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <netinet/ip_icmp.h>
#include <sys/wait.h>
#include "inet.h"

#define RANGE "/proc/sys/net/ipv4/ping_group_range"

static int set_range(const char *text)
{
	int fd = open(RANGE, O_WRONLY), n = (int)write(fd, text, strlen(text)), e = errno;

	close(fd);
	errno = e;
	return n < 0 ? -1 : 0;
}

static int range_is(const char *want)
{
	char text[64] = "";
	int fd = open(RANGE, O_RDONLY);

	if (read(fd, text, sizeof(text) - 1) < 0)
		perror("# " RANGE);
	close(fd);
	text[strcspn(text, "\n")] = 0;
	return !strcmp(text, want);
}

static int ping_socket(void)
{
	return socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
}

/* Errno of a process of group @gid, with @more as its only other one. */
static int may(gid_t gid, gid_t more)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(setgroups(1, &more) || setgid(gid) || setuid(1000) ? 255
		      : ping_socket() >= 0				 ? 0
									 : errno);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void test_range(void)
{
	CHECK(!set_range("1 0"));
	CHECK_ERR(ping_socket(), EACCES);
	CHECK(!set_range("500 600") && range_is("500\t600"));
	CHECK_ERR(ping_socket(), EACCES);
	CHECK(may(500, 7) == 0 && may(600, 7) == 0 && may(7, 550) == 0);
	CHECK(may(499, 7) == EACCES && may(601, 0) == EACCES);
	CHECK(!set_range("5 2") && range_is("1\t0")); /* nobody is written thus */
	CHECK_ERR(set_range("none"), EINVAL);
	CHECK_ERR(socket(AF_INET, SOCK_STREAM, IPPROTO_ICMP), EPROTONOSUPPORT);
	CHECK(!set_range("0 2147483647"));
}

struct echo {
	struct icmphdr h;
	char text[8];
};

static struct echo question(int id, int seq)
{
	struct echo e = { .h = { .type = ICMP_ECHO, .un.echo = { htons(id), htons(seq) } },
			  .text = "question" };

	return e;
}

static unsigned sum(const void *data, size_t n)
{
	const unsigned short *p = data;
	unsigned total = 0;

	for (; n; n -= 2)
		total += *p++;
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return total;
}

/* The answer to number @seq comes to @fd, which is called @id; it has no head of IP. */
static int answered(int fd, int id, int seq)
{
	struct echo e;
	struct sockaddr_in from = { 0 };
	socklen_t len = sizeof(from);

	return recvfrom(patient(fd), &e, sizeof(e), 0, (void *)&from, &len) == sizeof(e) &&
	       e.h.type == ICMP_ECHOREPLY && ntohs(e.h.un.echo.id) == id &&
	       ntohs(e.h.un.echo.sequence) == seq && !memcmp(e.text, "question", 8) &&
	       sum(&e, sizeof(e)) == 0xffff && from.sin_addr.s_addr == htonl(INADDR_LOOPBACK) &&
	       !from.sin_port;
}

static void test_echo(void)
{
	int a = ping_socket(), b = ping_socket(), c = ping_socket();
	struct sockaddr_in lo = at("127.0.0.1", 0), mine = at("127.0.0.1", 7777),
			   same = at("0.0.0.0", 7777);
	struct echo e = question(1234, 1), f = question(1234, 2);
	int reuse = 0;
	socklen_t len = sizeof(reuse);

	REQUIRE(a >= 0 && b >= 0 && c >= 0);
	CHECK(!bind(a, SA(mine)) && port_of(a) == 7777);
	CHECK(!getsockopt(b, SOL_SOCKET, SO_REUSEADDR, &reuse, &len) && reuse); /* from the start */
	CHECK(!bind(c, SA(same)) && port_of(c) == 7777);
	close(c);
	reuse = 0;
	CHECK(!setsockopt(b, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse)));
	CHECK_ERR(bind(b, SA(same)), EADDRINUSE);
	CHECK(sendto(a, &e, sizeof(e), 0, SA(lo)) == sizeof(e));
	CHECK(sendto(b, &f, sizeof(f), 0, SA(lo)) == sizeof(f));
	CHECK(port_of(b) && port_of(b) != 7777);
	CHECK(answered(a, 7777, 1) && answered(b, port_of(b), 2));
	CHECK_ERR(recv(a, &e, sizeof(e), MSG_DONTWAIT), EAGAIN);
	CHECK_ERR(recv(b, &e, sizeof(e), MSG_DONTWAIT), EAGAIN);
	close(b);
	CHECK_ERR(send(a, &e, sizeof(e), 0), EDESTADDRREQ);
	e = question(0, 3);
	CHECK(!connect(a, SA(lo)) && send(a, &e, sizeof(e), 0) == sizeof(e) &&
	      answered(a, 7777, 3));
	close(a);
}

static void set_ignored(const char *whom, const char *value)
{
	char path[80];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/icmp_echo_ignore_%s", whom);
	fd = open(path, O_WRONLY);
	CHECK(write(fd, value, 1) == 1);
	close(fd);
}

/* Who is not answered: nobody, and who asks all. The answer to the next one comes without the earlier. */
static void test_settings(void)
{
	static const struct {
		const char *whom, *usual, *addr;
	} rows[] = { { "all", "0", "127.0.0.1" }, { "broadcasts", "1", "127.255.255.255" } };

	for (int i = 0; i < 2; i++) {
		int fd = ping_socket(), on = 1;
		struct echo e = question(0, 1), f = question(0, 2);
		struct sockaddr_in to = at(rows[i].addr, 0);

		CHECK(!setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)));
		set_ignored(rows[i].whom, "1");
		CHECK(sendto(fd, &e, sizeof(e), 0, SA(to)) == sizeof(e));
		set_ignored(rows[i].whom, "0");
		CHECK(sendto(fd, &f, sizeof(f), 0, SA(to)) == sizeof(f));
		CHECK(answered(fd, port_of(fd), 2));
		set_ignored(rows[i].whom, rows[i].usual);
		close(fd);
	}
}

static void test_refused(void)
{
	int a = ping_socket();
	struct sockaddr_in lo = at("127.0.0.1", 0);
	struct echo e = question(1, 1);

	CHECK_ERR(sendto(a, &e, 7, 0, SA(lo)), EINVAL);
	CHECK_ERR(sendto(a, &e, sizeof(e), MSG_OOB, SA(lo)), EOPNOTSUPP);
	e.h.type = ICMP_TIMESTAMP;
	CHECK_ERR(sendto(a, &e, sizeof(e), 0, SA(lo)), EINVAL);
	e = question(1, 1);
	e.h.code = 1;
	CHECK_ERR(sendto(a, &e, sizeof(e), 0, SA(lo)), EINVAL);
	lo.sin_family = AF_INET6;
	e.h.code = 0;
	CHECK_ERR(sendto(a, &e, sizeof(e), 0, SA(lo)), EAFNOSUPPORT);
	close(a);
}

/* A row of /proc/net/icmp: the identifier stands where other protocols have a port. */
static void test_row(void)
{
	int a = ping_socket(), found = 0;
	struct sockaddr_in mine = at("127.0.0.1", 0x1a2b);
	char line[256];
	FILE *f;

	CHECK(!bind(a, SA(mine)));
	f = fopen("/proc/net/icmp", "r");
	while (f && fgets(line, sizeof(line), f))
		found += strstr(line, ": 0100007F:1A2B 00000000:0000 07 ") != NULL;
	CHECK(found == 1);
	if (f)
		fclose(f);
	close(a);
}

int main(void)
{
	REQUIRE(loopback_up());
	test_range();
	test_echo();
	test_settings();
	test_refused();
	test_row();
	CHECK(!set_range("1 0"));
	return tap_done();
}
