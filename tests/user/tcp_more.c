/*
 * TCP sockets, less usual matters: SO_BINDTODEVICE, and what TCP_INFO tells. tcp(7), socket(7).
 *
 * A second device is only there where the machine has a card (eth0; it need not be up).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/tcp.h>
#include <pthread.h>
#include "inet.h"

static int stream(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static int on_device(int fd, const char *name)
{
	return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name) + 1);
}

static const char *device_of(int fd)
{
	static char name[IFNAMSIZ];
	socklen_t n = sizeof(name);

	name[0] = '\0';
	return getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &n) ? "?" : name;
}

/* A listener at @port, which may be 0, of a device, which may be "". */
static int listener(int port, const char *device)
{
	struct sockaddr_in a = at("0.0.0.0", port);
	int fd = stream(), err;

	err = on_device(fd, device) || bind(fd, SA(a)) || listen(fd, 8);
	if (!err)
		return fd;
	close(fd);
	return -1;
}

static int dial(int port, const char *device)
{
	struct sockaddr_in a = at("127.0.0.1", port);
	int fd = stream();

	if (!on_device(fd, device) && !connect(fd, SA(a)))
		return fd;
	close(fd);
	return -1;
}

static void devices(void)
{
	int l = listener(0, "lo"), port = port_of(l), x, y;

	CHECK(l >= 0 && !strcmp(device_of(l), "lo"));
	CHECK_ERR(on_device(l, "none"), ENODEV);
	CHECK(!strcmp(device_of(l), "lo"));
	x = dial(port, "");
	y = accept(l, NULL, NULL);
	CHECK(x >= 0 && !strcmp(device_of(x), ""));
	CHECK(y >= 0 && !strcmp(device_of(y), "lo"));
	CHECK(write(x, "ab", 2) == 2 && read(y, (char[4]){ 0 }, 4) == 2);
	CHECK(write(y, "c", 1) == 1 && read(x, (char[4]){ 0 }, 4) == 1);
	/* A connection may be bound later, too: it goes on there. */
	CHECK(!on_device(x, "lo") && write(x, "d", 1) == 1 && read(y, (char[4]){ 0 }, 4) == 1);
	close(x);
	close(y);
	CHECK(listener(port, "") == -1 && errno == EADDRINUSE);
	close(l);
}

/*
 * Two listeners of one port: the one of the device is preferred to the one of all. (It listens last,
 * as Linux takes the first that it finds of those who share a port.)
 */
static void preferred(void)
{
	struct sockaddr_in a = at("0.0.0.0", 0);
	int all = stream(), own = stream(), one = 1, x, y;

	CHECK(!setsockopt(all, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)));
	CHECK(!setsockopt(own, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)));
	CHECK(!bind(all, SA(a)) && !listen(all, 8));
	a.sin_port = htons((unsigned short)port_of(all));
	CHECK(!on_device(own, "lo") && !bind(own, SA(a)) && !listen(own, 8));
	CHECK(!fcntl(own, F_SETFL, O_NONBLOCK));
	for (int i = 0; i < 8; i++) {
		x = dial(port_of(own), "");
		REQUIRE(x >= 0 && EVENTUALLY((y = accept(own, NULL, NULL)) >= 0));
		close(x);
		close(y);
	}
	CHECK(!fcntl(all, F_SETFL, O_NONBLOCK));
	CHECK_ERR(accept(all, NULL, NULL), EAGAIN);
	close(own);
	close(all);
}

static void two_devices(void)
{
	int card, lo, port;

	if (!if_nametoindex("eth0")) {
		printf("ok - two devices # SKIP there is no card\n");
		return;
	}
	card = listener(0, "eth0");
	port = port_of(card);
	CHECK(card >= 0);
	CHECK(dial(port, "") == -1 && errno == ECONNREFUSED); /* it does not hear loopback */
	lo = listener(port, "lo"); /* the port is free there */
	CHECK(lo >= 0);
	close(dial(port, "lo"));
	close(accept(lo, NULL, NULL));
	CHECK(listener(port, "") == -1 && errno == EADDRINUSE);
	close(lo);
	close(card);
}

/* --- TCP_INFO --- */

static struct tcp_info info(int fd)
{
	struct tcp_info i = { 0 };
	socklen_t n = sizeof(i);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &n))
		i.tcpi_state = 0;
	return i;
}

/* On a machine that stood still a segment may have been sent again, and the counts say so. */
static int repeated(int x, int y)
{
	return info(x).tcpi_total_retrans || info(y).tcpi_total_retrans;
}

#define BULK (8 << 20)

static void *drain(void *arg)
{
	static char buf[65536];
	long all = 0, n;

	while ((n = read(*(int *)arg, buf, sizeof(buf))) > 0)
		all += n;
	return (void *)all;
}

static void told(void)
{
	static char data[65536];
	int l = listener(0, ""), x = dial(port_of(l), ""), y = accept(l, NULL, NULL);
	struct tcp_info i = info(l);
	pthread_t t;
	void *got;

	CHECK(i.tcpi_state == 10 && i.tcpi_unacked == 0 && i.tcpi_sacked == 8);
	i = info(x);
	CHECK(i.tcpi_state == 1 && i.tcpi_bytes_sent == 0 && i.tcpi_bytes_acked <= 1);
	CHECK(i.tcpi_delivered == 1 &&
	      (repeated(x, y) || (i.tcpi_segs_out == 2 && i.tcpi_segs_in == 1))); /* SYNs */
	CHECK(i.tcpi_data_segs_in == 0 && i.tcpi_data_segs_out == 0);
	CHECK(i.tcpi_busy_time == 0 && i.tcpi_delivery_rate == 0 &&
	      i.tcpi_delivery_rate_app_limited);
	CHECK(i.tcpi_min_rtt && i.tcpi_min_rtt != ~0u && i.tcpi_advmss == 65483);
	CHECK(write(x, data, 10) == 10 && recv(y, data, 10, MSG_WAITALL) == 10);
	CHECK(write(y, data, 20) == 20 && recv(x, data, 20, MSG_WAITALL) == 20);
	i = info(x); /* the answer brought the acknowledgment */
	CHECK(i.tcpi_bytes_received == 20 && i.tcpi_unacked == 0 && i.tcpi_delivered == 2);
	CHECK(repeated(x, y) ||
	      (i.tcpi_bytes_sent == 10 && i.tcpi_data_segs_in == 1 && i.tcpi_data_segs_out == 1));
	/* Of what was sent again nobody knows how long it took. */
	CHECK(repeated(x, y) || (i.tcpi_delivery_rate > 0 && i.tcpi_delivery_rate_app_limited));

	/* More than the reader takes: first the window closes, then the buffer is full. */
	REQUIRE(!pthread_create(&t, NULL, drain, &y));
	for (int n = 0; n < BULK; n += (int)sizeof(data))
		REQUIRE(write(x, data, sizeof(data)) == sizeof(data));
	CHECK(EVENTUALLY((i = info(x)).tcpi_unacked == 0 && i.tcpi_notsent_bytes == 0));
	CHECK(i.tcpi_bytes_acked - BULK - 10 <= 1 && i.tcpi_bytes_sent >= BULK + 10);
	CHECK(i.tcpi_delivered >= 1 + BULK / 65483 && i.tcpi_data_segs_out >= i.tcpi_delivered - 1);
	CHECK(i.tcpi_busy_time > 0);
	CHECK(i.tcpi_busy_time >= i.tcpi_rwnd_limited + i.tcpi_sndbuf_limited);
	shutdown(x, SHUT_WR);
	pthread_join(t, &got);
	CHECK((long)got == BULK);
	i = info(y);
	CHECK(i.tcpi_bytes_received == BULK + 10 + 1 /* the FIN too */ &&
	      i.tcpi_data_segs_in >= BULK / 65483);
	close(x);
	close(y);

	/* Nobody reads: what keeps the sender is the window. */
	x = dial(port_of(l), "");
	y = accept(l, NULL, NULL);
	while (send(x, data, sizeof(data), MSG_DONTWAIT) > 0)
		;
	CHECK(EVENTUALLY(info(x).tcpi_rwnd_limited > 0));
	i = info(x);
	CHECK(i.tcpi_notsent_bytes > 0 && i.tcpi_busy_time >= i.tcpi_rwnd_limited);
	close(x);
	close(y);
	close(l);
}

int main(void)
{
	alarm(TAP_LIMIT);
	CHECK(loopback_up());
	devices();
	preferred();
	two_devices();
	told();
	return tap_done();
}
