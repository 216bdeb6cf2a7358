/*
 * TCP sockets, corners that programs lean on: a receive of no bytes waits, FIONREAD ends at the
 * urgent mark, a send that faults sends nothing of the piece, SO_LINGER keeps its time when it is turned
 * off, who may come to a port last, a named port out of TIME_WAIT, and accept(2) of what is gone.
 * tcp(7), socket(7), recv(2).
 */
#define _GNU_SOURCE
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include "inet.h"

static int stream(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static int turn_on(int fd, int option)
{
	return setsockopt(fd, SOL_SOCKET, option, &(int){ 1 }, sizeof(int));
}

static int listener(int port, int reuse)
{
	struct sockaddr_in a = at("127.0.0.1", port);
	int l = stream();

	if (reuse)
		turn_on(l, SO_REUSEADDR);
	REQUIRE(!bind(l, SA(a)) && !listen(l, 8));
	return l;
}

static void pair(int *a, int *b)
{
	int l = listener(0, 0);
	struct sockaddr_in to = at("127.0.0.1", port_of(l));

	*a = stream();
	REQUIRE(!connect(*a, SA(to)));
	*b = accept(l, NULL, NULL);
	REQUIRE(*b >= 0);
	close(l);
}

static void drop(int a, int b)
{
	close(a);
	close(b);
}

/* --- receiving --- */

struct call {
	int fd, tid;
	ssize_t n;
};

static void *receives(void *arg)
{
	struct call *c = arg;
	char none;

	__atomic_store_n(&c->tid, gettid(), __ATOMIC_RELEASE);
	c->n = recv(c->fd, &none, 0, 0);
	if (c->n < 0)
		c->n = -errno;
	return NULL;
}

static pthread_t begin(struct call *c)
{
	pthread_t t;

	REQUIRE(!pthread_create(&t, NULL, receives, c));
	EVENTUALLY(__atomic_load_n(&c->tid, __ATOMIC_ACQUIRE) && is_asleep(c->tid));
	return t;
}

static void no_bytes(void)
{
	int a, b;
	char c;

	pair(&a, &b);
	struct call shut = { .fd = a };
	pthread_t t = begin(&shut);

	CHECK(!shutdown(a, SHUT_RD) && !pthread_join(t, NULL) && shut.n == 0);
	drop(a, b);
	pair(&a, &b);
	struct call fed = { .fd = a };

	t = begin(&fed);
	CHECK(write(b, "x", 1) == 1 && !pthread_join(t, NULL) && fed.n == 0);
	CHECK(recv(a, &c, 1, 0) == 1 && c == 'x');
	CHECK_ERR(recv(a, &c, 0, MSG_DONTWAIT), EAGAIN);
	drop(a, b);
}

static void at_the_mark(void)
{
	int a, b, n = -1;
	char buf[8];

	pair(&a, &b);
	CHECK(write(b, "abc", 3) == 3 && send(b, "!", 1, MSG_OOB) == 1);
	CHECK(recv(a, buf, 3, MSG_WAITALL) == 3);
	CHECK(write(b, "de", 2) == 2 && arrives(a));
	CHECK(!ioctl(a, FIONREAD, &n) && n == 0); /* up to the mark, which is here */
	CHECK(recv(a, buf, sizeof(buf), 0) == 2 && !memcmp(buf, "de", 2));
	drop(a, b);
}

/* --- sending --- */

static void faults(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *m = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char buf[8];
	int a, b;

	REQUIRE(m != MAP_FAILED && !mprotect(m + 3 * page, page, PROT_NONE));
	pair(&a, &b);
	CHECK_ERR(send(a, m + 2 * page, page + 1, MSG_DONTWAIT), EFAULT);
	CHECK_ERR(send(a, m, 3 * page + 1, MSG_DONTWAIT), EFAULT);
	CHECK_ERR(recv(b, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	CHECK(send(a, m + 2 * page, page, MSG_DONTWAIT) == (ssize_t)page);
	CHECK(recv(b, m, 4 * page, MSG_DONTWAIT) == (ssize_t)page);
	drop(a, b);
	munmap(m, 4 * page);
}

/* --- options and ports --- */

static void linger_off(void)
{
	struct linger on = { 1, 5 }, off = { 0, 9 }, is = { 7, 7 };
	socklen_t n = sizeof(is);
	int s = stream();

	CHECK(!setsockopt(s, SOL_SOCKET, SO_LINGER, &off, sizeof(off)));
	CHECK(!getsockopt(s, SOL_SOCKET, SO_LINGER, &is, &n) && !is.l_onoff && !is.l_linger);
	CHECK(!setsockopt(s, SOL_SOCKET, SO_LINGER, &on, sizeof(on)));
	for (int i = 0; i < 2; i++) {
		CHECK(!setsockopt(s, SOL_SOCKET, SO_LINGER, &off, sizeof(off)));
		CHECK(!getsockopt(s, SOL_SOCKET, SO_LINGER, &is, &n) && !is.l_onoff &&
		      is.l_linger == 5);
	}
	close(s);
}

static int comes(int *s, int port, int addr, int group)
{
	struct sockaddr_in a = at("127.0.0.1", port);

	*s = stream();
	if (addr)
		turn_on(*s, SO_REUSEADDR);
	if (group)
		turn_on(*s, SO_REUSEPORT);
	return bind(*s, SA(a));
}

/* Who is of the last one's group is let in, whatever those before said. */
static void last_one(void)
{
	int s[5], port;

	REQUIRE(!comes(&s[0], 0, 1, 0));
	port = port_of(s[0]);
	CHECK_ERR(comes(&s[1], port, 0, 1), EADDRINUSE);
	CHECK(!comes(&s[2], port, 1, 1));
	CHECK(!comes(&s[3], port, 0, 1));
	CHECK_ERR(comes(&s[4], port, 1, 0), EADDRINUSE);
	for (int i = 0; i < 5; i++)
		close(s[i]);
}

/* Two ends that were bound by name meet again at once, although one waits in TIME_WAIT. */
static void again(void)
{
	int l = listener(0, 1), port = port_of(l), from;
	struct sockaddr_in to = at("127.0.0.1", port), me;
	char c;

	int a = stream();
	CHECK(!turn_on(a, SO_REUSEADDR) && !connect(a, SA(to)));
	int b = accept(l, NULL, NULL);
	from = port_of(a);
	close(a);
	CHECK(recv(b, &c, 1, 0) == 0);
	drop(l, b);
	me = at("127.0.0.1", from);
	l = listener(port, 1);
	a = stream();
	CHECK(!turn_on(a, SO_REUSEADDR) && !bind(a, SA(me)) && !connect(a, SA(to)));
	drop(a, l);
}

/* One that was reset before it was taken is taken, and tells whose it was; its first use says the rest. */
static void gone_before(void)
{
	struct linger hard = { 1, 0 };
	int l = listener(0, 0), c = stream(), port, s;
	struct sockaddr_in to = at("127.0.0.1", port_of(l)), from = { 0 };
	socklen_t n = sizeof(from);
	char b;

	REQUIRE(!connect(c, SA(to)));
	port = port_of(c);
	REQUIRE(!setsockopt(c, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)));
	close(c);
	s = accept(l, (void *)&from, &n);
	CHECK(s >= 0 && n == sizeof(from) && ntohs(from.sin_port) == port);
	n = sizeof(from);
	CHECK_ERR(getpeername(s, (void *)&from, &n), ENOTCONN);
	CHECK_ERR(read(s, &b, 1), ECONNRESET);
	drop(s, l);
}

int main(void)
{
	alarm(TAP_LIMIT);
	REQUIRE(loopback_up());
	no_bytes();
	at_the_mark();
	faults();
	linger_off();
	last_one();
	again();
	gone_before();
	return tap_done();
}
