/*
 * Settings of TCP under /proc/sys/net/ipv4, tcp(7): what was written is what connections made later
 * do. Each is put back. As root.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <sys/wait.h>
#include "inet.h"

#ifndef TCPI_OPT_TIMESTAMPS
#define TCPI_OPT_TIMESTAMPS 1
#define TCPI_OPT_SACK 2
#define TCPI_OPT_WSCALE 4
#define TCPI_OPT_ECN 8
#endif

static int open_setting(const char *name, int flags)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	return open(path, flags);
}

static int put(const char *name, const char *value)
{
	int fd = open_setting(name, O_WRONLY), n = (int)write(fd, value, strlen(value)), e = errno;

	close(fd);
	errno = e;
	return n < 0 ? -1 : 0;
}

/* The setting's text, without the end of its line. */
static const char *text_of(const char *name, char text[64])
{
	int fd = open_setting(name, O_RDONLY);
	ssize_t n = read(fd, text, 63);

	close(fd);
	text[n > 0 ? n - 1 : 0] = 0;
	return text;
}

/* Write @value; what stood there is kept in @old for put(). */
static int change(const char *name, const char *value, char old[64])
{
	text_of(name, old);
	return put(name, value);
}

static int option(int fd, int name)
{
	int v = -1;
	socklen_t n = sizeof(v);

	return getsockopt(fd, IPPROTO_TCP, name, &v, &n) ? -errno : v;
}

static int listener(void)
{
	struct sockaddr_in a = at("127.0.0.1", 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	REQUIRE(fd >= 0 && !bind(fd, SA(a)) && !listen(fd, 100));
	return fd;
}

static struct tcp_info info_of(int fd)
{
	struct tcp_info i = { 0 };
	socklen_t n = sizeof(i);

	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &n);
	return i;
}

/* What a new connection's two ends agreed on. */
static int agreed(void)
{
	int l = listener(), c = socket(AF_INET, SOCK_STREAM, 0), s, ours, theirs;
	struct sockaddr_in a = at("127.0.0.1", port_of(l));

	REQUIRE(!connect(c, SA(a)));
	s = accept(l, NULL, NULL);
	ours = info_of(c).tcpi_options;
	theirs = info_of(s).tcpi_options;
	close(l);
	close(s);
	close(c);
	return ours == theirs ? ours & 15 : -1;
}

static void test_agreement(void)
{
	static const struct {
		const char *name, *value;
		int bit, set;
	} rows[] = {
		{ "ipv4/tcp_sack", "0", TCPI_OPT_SACK, 0 },
		{ "ipv4/tcp_timestamps", "0", TCPI_OPT_TIMESTAMPS, 0 },
		{ "ipv4/tcp_timestamps", "2", TCPI_OPT_TIMESTAMPS, 1 },
		{ "ipv4/tcp_window_scaling", "0", TCPI_OPT_WSCALE, 0 },
		{ "ipv4/tcp_ecn", "1", TCPI_OPT_ECN, 1 },
		{ "ipv4/tcp_ecn", "0", TCPI_OPT_ECN, 0 },
	};
	int usual = agreed();
	char old[64];

	CHECK(usual == (TCPI_OPT_SACK | TCPI_OPT_TIMESTAMPS | TCPI_OPT_WSCALE));
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int got;

		REQUIRE(!change(rows[i].name, rows[i].value, old));
		got = agreed();
		printf("# %s %s: %#x\n", rows[i].name, rows[i].value, got);
		CHECK(!!(got & rows[i].bit) == rows[i].set && !((got ^ usual) & ~rows[i].bit));
		CHECK(!put(rows[i].name, old));
	}
	CHECK(agreed() == usual);
}

/* What a new socket has as its own from the start. */
static void test_defaults(void)
{
	static const struct {
		const char *name, *value;
		int option, want;
	} rows[] = {
		{ "ipv4/tcp_keepalive_time", "111", TCP_KEEPIDLE, 111 },
		{ "ipv4/tcp_keepalive_intvl", "22", TCP_KEEPINTVL, 22 },
		{ "ipv4/tcp_keepalive_probes", "3", TCP_KEEPCNT, 3 },
		{ "ipv4/tcp_syn_retries", "4", TCP_SYNCNT, 4 },
		{ "ipv4/tcp_fin_timeout", "33", TCP_LINGER2, 33 },
	};
	char old[64];

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd;

		REQUIRE(!change(rows[i].name, rows[i].value, old));
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (!CHECK(option(fd, rows[i].option) == rows[i].want))
			printf("# %s: %d\n", rows[i].name, option(fd, rows[i].option));
		CHECK(!put(rows[i].name, old));
		close(fd);
	}
}

static int buffer(int name)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), v = -1;
	socklen_t n = sizeof(v);

	getsockopt(fd, SOL_SOCKET, name, &v, &n);
	close(fd);
	return v;
}

static void test_buffers(void)
{
	char old[64];

	REQUIRE(!change("ipv4/tcp_rmem", "5000 60000 700000", old));
	CHECK(buffer(SO_RCVBUF) == 60000);
	CHECK(!put("ipv4/tcp_rmem", old));
	REQUIRE(!change("ipv4/tcp_wmem", "5000 50000 700000", old));
	CHECK(buffer(SO_SNDBUF) == 50000);
	CHECK(!put("ipv4/tcp_wmem", old));
}

/* What a new socket of @type has for a buffer when a million bytes were asked for. */
static int largest(int type, int name)
{
	int fd = socket(AF_INET, type, 0), v = 1000000;
	socklen_t n = sizeof(v);

	CHECK(!setsockopt(fd, SOL_SOCKET, name, &v, sizeof(v)));
	v = -1;
	getsockopt(fd, SOL_SOCKET, name, &v, &n);
	close(fd);
	return v;
}

/* What SO_RCVBUF and SO_SNDBUF may ask for: net.core.rmem_max and wmem_max, twice. */
static void test_largest(void)
{
	static const struct {
		const char *name, *least;
		int option, other;
	} rows[] = { { "core/rmem_max", "2303", SO_RCVBUF, SO_SNDBUF },
		     { "core/wmem_max", "4607", SO_SNDBUF, SO_RCVBUF } };
	char old[64], now[64];

	for (int i = 0; i < 2; i++) {
		REQUIRE(!change(rows[i].name, "50000", old));
		CHECK(largest(SOCK_DGRAM, rows[i].option) == 100000);
		CHECK(largest(SOCK_STREAM, rows[i].option) == 100000);
		CHECK(largest(SOCK_DGRAM, rows[i].other) == 2 * atoi(old));
		CHECK_ERR(put(rows[i].name, rows[i].least), EINVAL);
		CHECK(!put(rows[i].name, "2147483647")); /* as tuning guides have it */
		CHECK(!strcmp(text_of(rows[i].name, now), "2147483647"));
		CHECK(largest(SOCK_DGRAM, rows[i].option) == 2000000);
		CHECK(!put(rows[i].name, old));
	}
}

static int chosen(const char *want)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char name[16] = "";
	socklen_t n = sizeof(name);
	int ok = !getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &n) && !strcmp(name, want);

	close(fd);
	return ok;
}

static void test_congestion(void)
{
	char old[64], now[64];

	REQUIRE(!change("ipv4/tcp_congestion_control", "reno", old));
	CHECK(chosen("reno"));
	CHECK_ERR(put("ipv4/tcp_congestion_control", "nonsense"), ENOENT);
	CHECK(!strcmp(text_of("ipv4/tcp_congestion_control", now), "reno"));
	CHECK(!put("ipv4/tcp_congestion_control", old) && chosen(old));
}

/* Of four ports four connections have one each; the fifth finds none. */
static void test_ports(void)
{
	int l = listener(), c[5], seen = 0;
	struct sockaddr_in to = at("127.0.0.1", port_of(l));
	char old[64];

	CHECK_ERR(put("ipv4/ip_local_port_range", "50 20"), EINVAL);
	REQUIRE(!change("ipv4/ip_local_port_range", "21000 21003", old));
	for (int i = 0; i < 5; i++) {
		c[i] = socket(AF_INET, SOCK_STREAM, 0);
		if (i < 4)
			CHECK(!connect(c[i], SA(to)));
		else
			CHECK_ERR(connect(c[i], SA(to)), EADDRNOTAVAIL);
		if (port_of(c[i]) >= 21000 && port_of(c[i]) <= 21003)
			seen |= 1 << (port_of(c[i]) - 21000);
	}
	CHECK(seen == 15);
	CHECK(!put("ipv4/ip_local_port_range", old));
	for (int i = 0; i < 5; i++)
		close(c[i]);
	close(l);
}

/* A listener's queue is no longer than net.core.somaxconn; TCP_INFO tells that as tcpi_sacked. */
static void test_backlog(void)
{
	char old[64];
	int l;

	REQUIRE(!change("core/somaxconn", "5", old));
	l = listener();
	CHECK(info_of(l).tcpi_sacked == 5 && info_of(l).tcpi_state == 10);
	close(l);
	CHECK(!put("core/somaxconn", old));
	l = listener();
	CHECK(info_of(l).tcpi_sacked == 100);
	close(l);
}

/* Errno of bind(2) to @addr and @port by a user without rights; 0: it worked. */
static int may_bind(int type, const char *addr, int port)
{
	struct sockaddr_in a = at(addr, port);
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(setgid(1000) || setuid(1000)	      ? 255
		      : bind(socket(AF_INET, type, 0), SA(a)) ? errno
							      : 0);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* Where programs may be: ip_unprivileged_port_start, ip_nonlocal_bind. */
static void test_places(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };
	char old[64];

	for (int i = 0; i < 2; i++) {
		CHECK(may_bind(types[i], "127.0.0.1", 1023) == EACCES);
		REQUIRE(!change("ipv4/ip_unprivileged_port_start", "900", old));
		CHECK(may_bind(types[i], "127.0.0.1", 899) == EACCES);
		CHECK(may_bind(types[i], "127.0.0.1", 900) == 0);
		CHECK(!put("ipv4/ip_unprivileged_port_start", old));
		CHECK(may_bind(types[i], "192.0.2.7", 0) == EADDRNOTAVAIL);
		REQUIRE(!change("ipv4/ip_nonlocal_bind", "1", old));
		CHECK(may_bind(types[i], "192.0.2.7", 0) == 0);
		CHECK(!put("ipv4/ip_nonlocal_bind", old));
	}
}

/* The counter @name of TcpExt; -1: there is none. */
static long counter(const char *name)
{
	static char names[8192], values[8192];
	FILE *f = fopen("/proc/net/netstat", "r");
	char *n, *v, *ns, *vs;
	long found = -1;

	if (!f || !fgets(names, sizeof(names), f) || !fgets(values, sizeof(values), f))
		return -1;
	fclose(f);
	for (n = strtok_r(names, " \n", &ns), v = strtok_r(values, " \n", &vs); n && v;
	     n = strtok_r(NULL, " \n", &ns), v = strtok_r(NULL, " \n", &vs))
		if (!strcmp(n, name))
			found = atol(v);
	return found;
}

/* tcp_syncookies: 2 for each connection, 1 for none while there is room. */
static void test_cookies(void)
{
	long sent = counter("SyncookiesSent"), got = counter("SyncookiesRecv");
	char old[64];

	REQUIRE(sent >= 0 && got >= 0 && !change("ipv4/tcp_syncookies", "2", old));
	CHECK(agreed() != -1);
	CHECK(counter("SyncookiesSent") == sent + 1 && counter("SyncookiesRecv") == got + 1);
	CHECK(!put("ipv4/tcp_syncookies", "1") && agreed() != -1);
	CHECK(counter("SyncookiesSent") == sent + 1 && counter("SyncookiesRecv") == got + 1);
	CHECK(!put("ipv4/tcp_syncookies", old));
}

/* A peer that hears nothing more is given up after as many timeouts as tcp_retries2 says. */
static void test_retries(void)
{
	struct sock_filter none[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog f = { 1, none };
	int l = listener(), c = socket(AF_INET, SOCK_STREAM, 0), s = -1, e = 0;
	struct sockaddr_in a = at("127.0.0.1", port_of(l));
	struct pollfd p = { c, POLLIN, 0 };
	socklen_t n = sizeof(e);
	char old[64];

	REQUIRE(!connect(c, SA(a)) && (s = accept(l, NULL, NULL)) >= 0);
	REQUIRE(!change("ipv4/tcp_retries2", "2", old));
	CHECK(!setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &f, sizeof(f)));
	CHECK(send(c, "x", 1, 0) == 1);
	CHECK(poll(&p, 1, TAP_PATIENCE_MS) == 1 && (p.revents & POLLERR)); /* 15: a quarter hour */
	CHECK(!getsockopt(c, SOL_SOCKET, SO_ERROR, &e, &n) && e == ETIMEDOUT);
	CHECK(!put("ipv4/tcp_retries2", "0") && !put("ipv4/tcp_retries2", old));
	close(c);
	close(s);
	close(l);
}

/* What a setting takes, and what a write of fewer numbers than it has changes. */
static void test_limits(void)
{
	char old[64], now[64];

	REQUIRE(!change("ipv4/tcp_sack", "255", old));
	CHECK_ERR(put("ipv4/tcp_sack", "256"), EINVAL);
	CHECK_ERR(put("ipv4/tcp_sack", "-1"), EINVAL);
	CHECK(agreed() & TCPI_OPT_SACK);
	CHECK(!put("ipv4/tcp_sack", old));
	REQUIRE(!change("ipv4/tcp_keepalive_time", "100000", old));
	CHECK(!put("ipv4/tcp_keepalive_time", old));
	REQUIRE(!change("ipv4/tcp_rmem", "9000 5000 20000", old));
	CHECK(!put("ipv4/tcp_rmem", "4096"));
	CHECK(!strcmp(text_of("ipv4/tcp_rmem", now), "4096\t5000\t20000"));
	CHECK_ERR(put("ipv4/tcp_rmem", "1 2 3"), EINVAL);
	CHECK(!put("ipv4/tcp_rmem", old));
	REQUIRE(!change("ipv4/tcp_max_syn_backlog", "3240000", old));
	CHECK(!put("ipv4/tcp_max_syn_backlog", old));
	REQUIRE(!change("ipv4/tcp_max_tw_buckets", "2000000", old));
	CHECK(!put("ipv4/tcp_max_tw_buckets", old));
	REQUIRE(!change("ipv4/tcp_wmem", "1 2 3", old));
	CHECK(agreed() == (TCPI_OPT_SACK | TCPI_OPT_TIMESTAMPS | TCPI_OPT_WSCALE));
	CHECK(!put("ipv4/tcp_wmem", old));
	REQUIRE(!change("ipv4/ip_local_port_range", "30000", old));
	CHECK(atoi(text_of("ipv4/ip_local_port_range", now)) == 30000);
	CHECK_ERR(put("ipv4/ip_local_port_range", "100 200"), EINVAL); /* those are not for all */
	CHECK(!put("ipv4/ip_local_port_range", old));
}

int main(void)
{
	REQUIRE(loopback_up());
	test_agreement();
	test_defaults();
	test_buffers();
	test_largest();
	test_places();
	test_cookies();
	test_retries();
	test_congestion();
	test_ports();
	test_backlog();
	test_limits();
	return tap_done();
}
