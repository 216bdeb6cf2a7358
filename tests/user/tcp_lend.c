/*
 * Pages that sendfile(2) and splice(2) lend to TCP: what arrives is what the file and the pipe had,
 * whatever becomes of them before it is read; and they are lent, not copied: a change of the file
 * shows in what was sent and not yet read.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include "tap.h"

#define PAGE 4096
#define BULK (3 * 1024 * 1024 + 777)

static void lo_up(void)
{
	struct ifreq r = { .ifr_name = "lo" };
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	REQUIRE(s >= 0 && ioctl(s, SIOCGIFFLAGS, &r) == 0);
	r.ifr_flags |= IFF_UP;
	ioctl(s, SIOCSIFFLAGS, &r);
	close(s);
}

static void pair(int *a, int *b)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t n = sizeof(at);
	int l = socket(AF_INET, SOCK_STREAM, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*a = socket(AF_INET, SOCK_STREAM, 0);
	REQUIRE(l >= 0 && *a >= 0 && bind(l, (struct sockaddr *)&at, n) == 0 && listen(l, 1) == 0);
	REQUIRE(getsockname(l, (struct sockaddr *)&at, &n) == 0);
	REQUIRE(connect(*a, (struct sockaddr *)&at, n) == 0);
	*b = accept(l, NULL, NULL);
	REQUIRE(*b >= 0);
	close(l);
}

static char byte_at(long i)
{
	return (char)(i * 7 + i / 251 + i / PAGE);
}

static int file_of(long n)
{
	int fd = open("/tmp/tcp-lend", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char *data = malloc((size_t)n);

	REQUIRE(fd >= 0 && data);
	unlink("/tmp/tcp-lend");
	for (long i = 0; i < n; i++)
		data[i] = byte_at(i);
	REQUIRE(write(fd, data, (size_t)n) == n);
	free(data);
	return fd;
}

/* The next @n bytes of @s are the file's from @at on. */
static int comes(int s, long at, long n)
{
	static char buf[65536];

	while (n) {
		ssize_t got = recv(s, buf, n < (long)sizeof(buf) ? (size_t)n : sizeof(buf), 0);

		if (got <= 0)
			return 0;
		for (ssize_t i = 0; i < got; i++) {
			if (buf[i] != byte_at(at + i))
				return 0;
		}
		at += got;
		n -= got;
	}
	return 1;
}

static int all_are(int s, char c, long n)
{
	char buf[2 * PAGE];

	if (recv(s, buf, (size_t)n, MSG_WAITALL) != n)
		return 0;
	while (n && buf[n - 1] == c)
		n--;
	return !n;
}

static void pieces(void)
{
	int x, y, fd = file_of(5 * PAGE);
	off_t off;

	pair(&x, &y);
	for (long at = 0, n = 1; at + n <= 5 * PAGE; at += n, n = n * 3 + 1) {
		off = at;
		CHECK(sendfile(x, fd, &off, (size_t)n) == n && off == at + n && comes(y, at, n));
	}
	off = PAGE - 1; /* around the ends of pages, one piece behind the other */
	CHECK(sendfile(x, fd, &off, 2) == 2 && sendfile(x, fd, &off, PAGE) == PAGE);
	CHECK(send(x, "x", 1, 0) == 1 && sendfile(x, fd, &off, 1) == 1);
	CHECK(comes(y, PAGE - 1, PAGE + 2) && all_are(y, 'x', 1) && comes(y, 2 * PAGE + 1, 1));
	off = 5 * PAGE - 10; /* no more than there is */
	CHECK(sendfile(x, fd, &off, 100) == 10 && comes(y, 5 * PAGE - 10, 10));
	CHECK(sendfile(x, fd, &off, 100) == 0);
	close(fd);
	close(x);
	close(y);
}

static void changes(void)
{
	char other[PAGE];
	int x, y, fd = file_of(3 * PAGE);
	off_t off = 0;

	memset(other, 'o', sizeof(other));
	pair(&x, &y);
	CHECK(sendfile(x, fd, &off, 2 * PAGE) == 2 * PAGE);
	CHECK(pwrite(fd, other, PAGE, PAGE) == PAGE);
	CHECK(comes(y, 0, PAGE) && all_are(y, 'o', PAGE));
	/* What is cut off stays until it was read; what is written then is of another page. */
	off = 2 * PAGE;
	CHECK(sendfile(x, fd, &off, PAGE) == PAGE);
	CHECK(ftruncate(fd, 0) == 0 && pwrite(fd, other, PAGE, 2 * PAGE) == PAGE);
	CHECK(comes(y, 2 * PAGE, PAGE));
	off = 0; /* a hole, and data behind it */
	CHECK(sendfile(x, fd, &off, 3 * PAGE) == 3 * PAGE);
	close(fd);
	CHECK(all_are(y, 0, 2 * PAGE) && all_are(y, 'o', PAGE));
	close(x);
	close(y);
}

/* A pipe's pages go to the socket, and the pipe goes on being used meanwhile. */
static void pipes(void)
{
	char buf[PAGE];
	int x, y, p[2], good = 0;

	pair(&x, &y);
	REQUIRE(pipe(p) == 0);
	for (int i = 0; i < 50; i++) {
		memset(buf, 'a' + i % 26, sizeof(buf));
		good += write(p[1], buf, 1000) == 1000 &&
			splice(p[0], NULL, x, NULL, 600, 0) == 600 &&
			write(p[1], buf, 200) == 200 && splice(p[0], NULL, x, NULL, 600, 0) > 0;
		while (ioctl(p[0], FIONREAD, &(int){ 0 }) == 0) {
			int left = 0;

			ioctl(p[0], FIONREAD, &left);
			if (!left)
				break;
			splice(p[0], NULL, x, NULL, (size_t)left, 0);
		}
		memset(buf, '!', sizeof(buf)); /* the pipe's pages are used again */
		good += write(p[1], buf, PAGE) == PAGE && read(p[0], buf, PAGE) == PAGE;
	}
	CHECK(good == 100);
	good = 0;
	for (int i = 0; i < 50; i++)
		good += all_are(y, (char)('a' + i % 26), 1200);
	CHECK(good == 50);
	close(p[0]);
	close(p[1]);
	close(x);
	close(y);
}

/* More than fits: parts go, as there is room, and nothing is lost between them. */
static void bulk(void)
{
	int x, y, fd = file_of(BULK), size = 20000, refused = 0, good = 1, err;
	off_t off = 0;
	long heard = 0;

	pair(&x, &y);
	CHECK(setsockopt(x, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == 0);
	CHECK(fcntl(x, F_SETFL, O_NONBLOCK) == 0);
	while (good && heard < BULK) {
		struct pollfd p[2] = { { off < BULK ? x : -1, POLLOUT, 0 }, { y, POLLIN, 0 } };
		ssize_t n;

		good = poll(p, 2, TAP_PATIENCE_MS) > 0;
		n = off < BULK ? sendfile(x, fd, &off, (size_t)(BULK - off)) : 0;
		if (n < 0) {
			good &= errno == EAGAIN;
			refused++;
		}
		if (p[1].revents) {
			int there = 0;

			good &= ioctl(y, FIONREAD, &there) == 0 && comes(y, heard, there);
			heard += there;
		}
	}
	CHECK(good && off == BULK && heard == BULK);
	CHECK(refused > 0);
	close(fd);
	close(y); /* nobody reads any more */
	fd = file_of(PAGE);
	for (off = 0; sendfile(x, fd, &off, PAGE) >= 0 || errno == EAGAIN; off = 0)
		;
	err = errno;
	CHECK(err == EPIPE || err == ECONNRESET);
	close(fd);
	close(x);
}

int main(void)
{
	alarm(TAP_LIMIT);
	signal(SIGPIPE, SIG_IGN);
	lo_up();
	pieces();
	changes();
	pipes();
	bulk();
	return tap_done();
}
