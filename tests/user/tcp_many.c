/* Ten thousand connections at once, on loopback: all can be made, watched, used and closed. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include "inet.h"

#define MANY 10000

static int ends[MANY][2];

static long free_kb(void)
{
	char line[100];
	long kb = -1;
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "MemAvailable: %ld", &kb) == 1)
			break;
	}
	if (f)
		fclose(f);
	return kb;
}

/* All sockets there are. */
static int sockets(void)
{
	char line[200];
	int n = -1;
	FILE *f = fopen("/proc/net/sockstat", "r");

	while (f && n < 0 && fgets(line, sizeof(line), f))
		(void)!sscanf(line, "sockets: used %d", &n);
	if (f)
		fclose(f);
	return n;
}

static int make_all(void)
{
	struct sockaddr_in a = at("127.0.0.1", 0);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), made = 0, port;

	if (bind(listener, SA(a)) || listen(listener, 1000))
		return 0;
	port = port_of(listener);
	a = at("127.0.0.1", port);
	for (; made < MANY; made++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0), other = -1;

		if (fd < 0 || connect(fd, SA(a)))
			break;
		if (!EVENTUALLY((other = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0))
			break;
		ends[made][0] = fd;
		ends[made][1] = other;
	}
	close(listener);
	return made;
}

/* One byte to each of them; epoll tells of each once. */
static int heard_by_epoll(void)
{
	static unsigned char seen[MANY];
	struct epoll_event e = { .events = EPOLLIN | EPOLLET }, got[200];
	int ep = epoll_create1(0), total = 0;

	for (int i = 0; i < MANY; i++) {
		e.data.u32 = (unsigned)i;
		if (epoll_ctl(ep, EPOLL_CTL_ADD, ends[i][1], &e) || write(ends[i][0], "x", 1) != 1)
			return -1;
	}
	while (total < MANY) {
		int n = epoll_wait(ep, got, 200, TAP_PATIENCE_MS);

		if (n <= 0)
			break;
		for (int i = 0; i < n; i++) {
			char c = 0;

			if (seen[got[i].data.u32]++ || read(ends[got[i].data.u32][1], &c, 1) != 1 ||
			    c != 'x')
				return -2;
			total++;
		}
	}
	close(ep);
	return total;
}

int main(void)
{
	struct rlimit many = { 3 * MANY, 3 * MANY };
	int closed = 0, used;
	long kb;

	alarm(TAP_LIMIT);
	REQUIRE(loopback_up());
	REQUIRE(!setrlimit(RLIMIT_NOFILE, &many));
	kb = free_kb();
	REQUIRE(make_all() == MANY);
	printf("# %ld bytes for each connection, both ends\n", (kb - free_kb()) * 1024 / MANY);
	used = sockets(); /* also those that others have left and that go meanwhile */
	CHECK(used >= 2 * MANY);
	CHECK(heard_by_epoll() == MANY);
	for (int i = 0; i < MANY; i++) {
		struct linger reset = { .l_onoff = 1 };
		char c;

		/* The one half ends with FIN, the other with RST. */
		if (i % 2)
			setsockopt(ends[i][0], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		fcntl(ends[i][1], F_SETFL, 0);
		close(ends[i][0]);
		errno = 0;
		closed += i % 2 ? read(ends[i][1], &c, 1) == -1 && errno == ECONNRESET
				: read(ends[i][1], &c, 1) == 0;
		close(ends[i][1]);
	}
	CHECK(closed == MANY);
	CHECK(EVENTUALLY(sockets() <= used - 2 * MANY));
	return tap_done();
}
