/*
 * TCP Fast Open: MSG_FASTOPEN, TCP_FASTOPEN and its relatives, the settings under /proc/sys.
 * tcp(7), send(2), RFC 7413.
 *
 * Cookies go over loopback: the first connection to an address asks for one, those after it send
 * bytes with their SYN. Each part that wants to begin without one takes a fresh address of
 * 127.0.0.0/8.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include "inet.h"

#define SETTING "/proc/sys/net/ipv4/tcp_fastopen"
#ifndef TCPI_OPT_SYN_DATA
#define TCPI_OPT_SYN_DATA 32
#endif

static int stream(int flags)
{
	return socket(AF_INET, SOCK_STREAM | flags, 0);
}

static int set(int fd, int option, int v)
{
	return setsockopt(fd, IPPROTO_TCP, option, &v, sizeof(v));
}

static int get(int fd, int option)
{
	socklen_t n = sizeof(int);
	int v = -99;

	return getsockopt(fd, IPPROTO_TCP, option, &v, &n) ? -99 : v;
}

static int has_syn_data(int fd)
{
	struct tcp_info i = { 0 };
	socklen_t n = sizeof(i);

	return !getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &n) &&
	       (i.tcpi_options & TCPI_OPT_SYN_DATA);
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC), good;

	good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return good;
}

static char *read_file(const char *path)
{
	static char text[8192];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	close(fd);
	text[n < 0 ? 0 : n] = 0;
	return text;
}

/* A counter of TcpExt; -1: there is none. */
static long counter(const char *name)
{
	char line[2][8192], *at, *rest[2], *word[2];
	FILE *f = fopen("/proc/net/netstat", "r");
	long v = -1;

	while (f && fgets(line[0], sizeof(line[0]), f) && fgets(line[1], sizeof(line[1]), f)) {
		for (int i = 0; i < 2; i++)
			word[i] = strtok_r(at = line[i], " \n", &rest[i]);
		while (word[0] && word[1]) {
			if (!strcmp(word[0], name))
				v = atol(word[1]);
			for (int i = 0; i < 2; i++)
				word[i] = strtok_r(NULL, " \n", &rest[i]);
		}
	}
	if (f)
		fclose(f);
	return v;
}

static int listener(void)
{
	struct sockaddr_in a = at("0.0.0.0", 0);
	int fd = stream(0);

	if (bind(fd, SA(a)) || listen(fd, 16) || set(fd, TCP_FASTOPEN, 8))
		perror("# listener");
	return fd;
}

static ssize_t send_to(int fd, const char *addr, int port, const char *text, int flags)
{
	struct sockaddr_in a = at(addr, port);

	return sendto(fd, text, strlen(text), flags | MSG_FASTOPEN | MSG_NOSIGNAL, SA(a));
}

static int reads(int fd, const char *text)
{
	char got[64] = { 0 };

	return recv(fd, got, strlen(text), MSG_WAITALL) == (ssize_t)strlen(text) &&
	       !strcmp(got, text);
}

static short ready(int fd, short events, int ms)
{
	struct pollfd p = { fd, events, 0 };

	return poll(&p, 1, ms) < 0 ? -1 : p.revents;
}

/* --- options --- */

static void options(void)
{
	int fd = stream(0), l = listener(), u = socket(AF_INET, SOCK_DGRAM, 0), x;
	struct sockaddr_in a = at("127.0.0.1", port_of(l));

	CHECK(get(fd, TCP_FASTOPEN) == 0 && get(fd, TCP_FASTOPEN_CONNECT) == 0);
	CHECK(get(fd, TCP_FASTOPEN_NO_COOKIE) == 0);
	CHECK_ERR(set(fd, TCP_FASTOPEN, -1), EINVAL);
	CHECK_ERR(set(fd, TCP_FASTOPEN_CONNECT, 2), EINVAL);
	CHECK_ERR(set(fd, TCP_FASTOPEN_CONNECT, -1), EINVAL);
	CHECK_ERR(set(fd, TCP_FASTOPEN_NO_COOKIE, 2), EINVAL);
	CHECK(!set(fd, TCP_FASTOPEN, 5) && get(fd, TCP_FASTOPEN) == 5);
	CHECK(!set(fd, TCP_FASTOPEN, 0) && get(fd, TCP_FASTOPEN) == 0);
	CHECK(!set(fd, TCP_FASTOPEN, 0x7fffffff) &&
	      get(fd, TCP_FASTOPEN) == atoi(read_file("/proc/sys/net/core/somaxconn")));
	CHECK(!set(fd, TCP_FASTOPEN_CONNECT, 1) && get(fd, TCP_FASTOPEN_CONNECT) == 1);
	CHECK(!set(fd, TCP_FASTOPEN_CONNECT, 0) && get(fd, TCP_FASTOPEN_CONNECT) == 0);
	CHECK(!set(fd, TCP_FASTOPEN_NO_COOKIE, 1) && get(fd, TCP_FASTOPEN_NO_COOKIE) == 1);
	CHECK(!set(fd, TCP_FASTOPEN_NO_COOKIE, 0));
	CHECK(get(l, TCP_FASTOPEN) == 8);
	CHECK_ERR(set(l, TCP_FASTOPEN_CONNECT, 1), EINVAL);
	CHECK(!set(l, TCP_FASTOPEN_NO_COOKIE, 1) && !set(l, TCP_FASTOPEN_NO_COOKIE, 0));
	CHECK(!connect(fd, SA(a)));
	CHECK_ERR(set(fd, TCP_FASTOPEN, 1), EINVAL);
	CHECK_ERR(set(fd, TCP_FASTOPEN_CONNECT, 1), EINVAL);
	CHECK_ERR(set(fd, TCP_FASTOPEN_NO_COOKIE, 1), EINVAL);
	x = accept(l, NULL, NULL);
	CHECK(get(x, TCP_FASTOPEN) == 0);
	CHECK_ERR(set(u, TCP_FASTOPEN, 1), ENOPROTOOPT);
	close(x);
	close(u);
	close(l);
	close(fd);
}

static void keys(void)
{
	unsigned char key[32], got[40];
	int fd = stream(0);
	socklen_t n = sizeof(got);

	for (int i = 0; i < 32; i++)
		key[i] = (unsigned char)i;
	CHECK(!getsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_KEY, got, &n) && n == 0);
	for (socklen_t len = 0; len < 34; len++) {
		int err = setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_KEY, key, len);

		if ((len == 16 || len == 32) != !err)
			CHECK(len && !"a length that is wrong");
	}
	n = sizeof(got);
	CHECK(!getsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_KEY, got, &n) && n == 32);
	CHECK(!memcmp(got, key, 32));
	n = 7;
	memset(got, 0xee, sizeof(got));
	CHECK(!getsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_KEY, got, &n) && n == 7);
	CHECK(!memcmp(got, key, 7) && got[7] == 0xee);
	CHECK(!setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_KEY, key, 16));
	n = sizeof(got);
	CHECK(!getsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_KEY, got, &n) && n == 16);
	close(fd);
}

static void settings(void)
{
	static const char one[] = "00112233-44556677-8899aabb-ccddeeff\n",
			  two[] = "00112233-44556677-8899aabb-ccddeeff,"
				  "0a0b0c0d-00000000-00000001-ffffffff\n";

	CHECK(!strcmp(read_file(SETTING), "1\n"));
	CHECK(!strcmp(read_file(SETTING "_blackhole_timeout_sec"), "0\n"));
	CHECK(!write_file(SETTING "_blackhole_timeout_sec", "-1") && errno == EINVAL);
	CHECK(write_file(SETTING "_key", one) && !strcmp(read_file(SETTING "_key"), one));
	CHECK(write_file(SETTING "_key", two) && !strcmp(read_file(SETTING "_key"), two));
	CHECK(!write_file(SETTING "_key", "1-2-3") && errno == EINVAL);
	CHECK(!write_file(SETTING "_key", "1-2-3-4,") && errno == EINVAL);
	CHECK(!write_file(SETTING "_key", "words") && errno == EINVAL);
	CHECK(!strcmp(read_file(SETTING "_key"), two));
	CHECK(write_file(SETTING "_key", "1-2-3-4"));
	CHECK(!strcmp(read_file(SETTING "_key"), "00000001-00000002-00000003-00000004\n"));
}

/* --- both sides --- */

/* A connection with @text in its SYN, if there is a cookie, and what is accepted. */
static int open_fast(int l, const char *addr, const char *text, int *peer)
{
	int fd = stream(0);

	CHECK(send_to(fd, addr, port_of(l), text, 0) == (ssize_t)strlen(text));
	*peer = accept(l, NULL, NULL);
	CHECK(reads(*peer, text));
	return fd;
}

static void conversation(void)
{
	long asked = counter("TCPFastOpenCookieReqd"), active = counter("TCPFastOpenActive"),
	     passive = counter("TCPFastOpenPassive");
	int l = listener(), x, y;

	x = open_fast(l, "127.0.1.1", "first", &y);
	CHECK(!has_syn_data(x) && !has_syn_data(y));
	CHECK(counter("TCPFastOpenCookieReqd") == asked + 1);
	CHECK_ERR(send_to(x, "127.0.1.1", port_of(l), "again", 0), EISCONN);
	close(x);
	close(y);
	x = open_fast(l, "127.0.1.1", "second", &y);
	CHECK(has_syn_data(x) && has_syn_data(y));
	CHECK(counter("TCPFastOpenActive") == active + 1);
	CHECK(counter("TCPFastOpenPassive") == passive + 1);
	CHECK(write(y, "answer", 6) == 6 && reads(x, "answer"));
	CHECK(write(x, "more", 4) == 4 && reads(y, "more"));
	CHECK(!shutdown(x, SHUT_WR) && read(y, (char[4]){ 0 }, 4) == 0);
	close(x);
	close(y);
	close(l);
}

static void large(void)
{
	static char out[200000], in[200000];
	int l = listener(), x = stream(0), y, got = 0, n;
	struct sockaddr_in a = at("127.0.1.1", port_of(l));
	pid_t child;

	for (unsigned i = 0; i < sizeof(out); i++)
		out[i] = (char)(i * 11);
	child = fork();
	if (!child) {
		_exit(sendto(x, out, sizeof(out), MSG_FASTOPEN, SA(a)) != sizeof(out));
	}
	close(x);
	y = accept(l, NULL, NULL);
	while ((n = (int)read(y, in + got, sizeof(in) - (size_t)got)) > 0)
		got += n;
	CHECK(got == sizeof(in) && !memcmp(in, out, sizeof(in)));
	CHECK(has_syn_data(y));
	close(y);
	close(l);
}

static void not_waiting(void)
{
	int l = listener(), x = stream(SOCK_NONBLOCK), y, port = port_of(l);
	int err = -1;
	socklen_t n = sizeof(err);

	/* Without a cookie nothing is sent but the question. */
	CHECK_ERR(send_to(x, "127.0.1.2", port, "first", 0), EINPROGRESS);
	CHECK(ready(x, POLLOUT, TAP_PATIENCE_MS) == POLLOUT);
	CHECK(!getsockopt(x, SOL_SOCKET, SO_ERROR, &err, &n) && !err);
	y = accept(l, NULL, NULL);
	CHECK(ready(y, POLLIN, 0) == 0);
	CHECK(send(x, "later", 5, 0) == 5 && reads(y, "later"));
	close(x);
	close(y);
	/* With one the bytes go. */
	x = stream(SOCK_NONBLOCK);
	CHECK(send_to(x, "127.0.1.2", port, "second", 0) == 6);
	CHECK(ready(l, POLLIN, TAP_PATIENCE_MS) == POLLIN);
	y = accept(l, NULL, NULL);
	CHECK(reads(y, "second"));
	CHECK(ready(x, POLLOUT, TAP_PATIENCE_MS) == POLLOUT && has_syn_data(x));
	close(x);
	close(y);
	/* None at all. */
	x = stream(0);
	CHECK(send_to(x, "127.0.1.2", port, "", 0) == 0);
	y = accept(l, NULL, NULL);
	CHECK(write(x, "abc", 3) == 3 && reads(y, "abc"));
	close(x);
	close(y);
	close(l);
}

static void errors(void)
{
	int l = listener(), port = port_of(l), x = stream(0), free_port;
	struct sockaddr_in none = { 0 };

	CHECK_ERR(send(x, "a", 1, MSG_FASTOPEN | MSG_NOSIGNAL), EINVAL);
	CHECK_ERR(sendto(x, "a", 1, MSG_FASTOPEN, SA(none)), EOPNOTSUPP);
	none.sin_family = AF_UNIX;
	CHECK_ERR(sendto(x, "a", 1, MSG_FASTOPEN, SA(none)), EAFNOSUPPORT);
	CHECK_ERR(sendto(x, "a", 1, MSG_FASTOPEN, (struct sockaddr *)&none, 1), EINVAL);
	CHECK_ERR(send_to(l, "127.0.1.1", port, "a", 0), EISCONN);
	CHECK(write_file(SETTING, "2"));
	CHECK_ERR(send_to(x, "127.0.1.1", port, "a", 0), EOPNOTSUPP);
	CHECK_ERR(set(x, TCP_FASTOPEN_CONNECT, 1), EOPNOTSUPP);
	CHECK(write_file(SETTING, "3"));
	close(l);
	free_port = port;
	CHECK_ERR(send_to(x, "127.0.1.1", free_port, "a", 0), ECONNREFUSED);
	CHECK_ERR(send_to(x, "127.0.1.1", free_port, "a", 0), ECONNREFUSED);
	close(x);
	x = stream(SOCK_NONBLOCK);
	CHECK(send_to(x, "127.0.1.1", free_port, "abc", 0) == 3);
	CHECK(EVENTUALLY(ready(x, POLLOUT, 0) & POLLERR));
	CHECK_ERR(send(x, "a", 1, MSG_NOSIGNAL), ECONNREFUSED);
	close(x);
}

/* TCP_FASTOPEN_CONNECT: connect(2) returns at once, and the first write sends the SYN. */
static void deferred(void)
{
	int l = listener(), x = stream(0), y;
	struct sockaddr_in a = at("127.0.1.3", port_of(l)), peer;
	socklen_t n = sizeof(peer);

	CHECK(!set(x, TCP_FASTOPEN_CONNECT, 1) && !connect(x, SA(a)));
	y = accept(l, NULL, NULL); /* there was no cookie: it is connected */
	CHECK(write(x, "one", 3) == 3 && reads(y, "one") && !has_syn_data(x));
	close(x);
	close(y);
	x = stream(0);
	CHECK(!set(x, TCP_FASTOPEN_CONNECT, 1) && !connect(x, SA(a)));
	CHECK(ready(x, POLLOUT | POLLIN, 0) == POLLOUT);
	CHECK(ready(l, POLLIN, 0) == 0);
	CHECK_ERR(getpeername(x, (struct sockaddr *)&peer, &n), ENOTCONN);
	CHECK(write(x, "two", 3) == 3);
	y = accept(l, NULL, NULL);
	CHECK(reads(y, "two") && has_syn_data(x) && has_syn_data(y));
	CHECK(!getpeername(x, (struct sockaddr *)&peer, &n) && peer.sin_port == a.sin_port);
	close(x);
	close(y);
	/* Not waiting, and connected twice. */
	x = stream(SOCK_NONBLOCK);
	CHECK(!set(x, TCP_FASTOPEN_CONNECT, 1) && !connect(x, SA(a)));
	CHECK_ERR(connect(x, SA(a)), EISCONN);
	CHECK(write(x, "three", 5) == 5);
	y = accept(l, NULL, NULL);
	CHECK(reads(y, "three"));
	CHECK(ready(x, POLLOUT, TAP_PATIENCE_MS) == POLLOUT);
	close(x);
	close(y);
	/* Given up before. */
	x = stream(0);
	CHECK(!set(x, TCP_FASTOPEN_CONNECT, 1) && !connect(x, SA(a)));
	close(x);
	x = stream(0);
	CHECK(!set(x, TCP_FASTOPEN_CONNECT, 1) && !connect(x, SA(a)) && !shutdown(x, SHUT_RDWR));
	close(x);
	CHECK(ready(l, POLLIN, 0) == 0);
	close(l);
}

/* Bytes without cookies, by either side's wish; listeners that never asked for it. */
static void without_cookies(void)
{
	int l = listener(), x = stream(0), y;

	CHECK(!set(l, TCP_FASTOPEN_NO_COOKIE, 1) && !set(x, TCP_FASTOPEN_NO_COOKIE, 1));
	CHECK(send_to(x, "127.0.1.4", port_of(l), "plain", 0) == 5);
	y = accept(l, NULL, NULL);
	CHECK(reads(y, "plain") && has_syn_data(x) && has_syn_data(y));
	close(x);
	close(y);
	close(l);
	CHECK(write_file(SETTING, "1543")); /* 0x607 */
	l = stream(0);
	CHECK(!listen(l, 5) && get(l, TCP_FASTOPEN) == 5);
	x = open_fast(l, "127.0.1.5", "all", &y);
	CHECK(has_syn_data(x) && has_syn_data(y));
	close(x);
	close(y);
	close(l);
	CHECK(write_file(SETTING, "3"));
}

/* A key that changes makes the old cookie worthless, but the bytes arrive all the same. */
static void wrong_cookie(void)
{
	long failed = counter("TCPFastOpenPassiveFail"), lost = counter("TCPFastOpenActiveFail");
	int l = listener(), x, y;

	close(open_fast(l, "127.0.1.6", "first", &y));
	close(y);
	CHECK(write_file(SETTING "_key", "5-6-7-8"));
	x = open_fast(l, "127.0.1.6", "second", &y);
	CHECK(!has_syn_data(x) && !has_syn_data(y));
	CHECK(counter("TCPFastOpenPassiveFail") == failed + 1);
	CHECK(counter("TCPFastOpenActiveFail") == lost + 1);
	close(x);
	close(y);
	x = open_fast(l, "127.0.1.6", "third", &y);
	CHECK(has_syn_data(x));
	close(x);
	close(y);
	close(l);
}

int main(void)
{
	alarm(TAP_LIMIT);
	REQUIRE(loopback_up());
	settings();
	REQUIRE(write_file(SETTING, "3"));
	options();
	keys();
	conversation();
	large();
	not_waiting();
	errors();
	deferred();
	without_cookies();
	wrong_cookie();
	CHECK(write_file(SETTING, "1"));
	return tap_done();
}
