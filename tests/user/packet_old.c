/*
 * SOCK_PACKET, which was there before AF_PACKET: addresses that name the device. And a frame comes
 * to each packet socket while others go away. packet(7).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include "tap.h"

#define OURS 0x88b5 /* for experiments */
#define OTHERS 200

static unsigned char frame[60] = { [12] = OURS >> 8, [13] = OURS & 255, [14] = 'x' };

static int has(int fd, int option, int want)
{
	int v = -1;
	socklen_t n = sizeof(v);

	return !getsockopt(fd, SOL_SOCKET, option, &v, &n) && v == want;
}

static void up(int yes)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = yes ? IFF_UP : 0 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK(!ioctl(fd, SIOCSIFFLAGS, &r));
	close(fd);
}

static ssize_t send_by(int fd, const char *dev, unsigned short proto, socklen_t n)
{
	struct sockaddr_pkt a = { .spkt_protocol = htons(proto) };

	strcpy((char *)a.spkt_device, dev);
	return sendto(fd, frame, sizeof(frame), 0, (void *)&a, n);
}

static void addresses(void)
{
	int fd = socket(AF_INET, SOCK_PACKET, htons(OURS)), v = 1;
	struct sockaddr a = { .sa_family = 0, .sa_data = "lo" }, b;
	socklen_t n = sizeof(b);

	REQUIRE(fd >= 0);
	CHECK(has(fd, SO_DOMAIN, AF_PACKET) && has(fd, SO_TYPE, SOCK_PACKET));
	CHECK(has(fd, SO_PROTOCOL, 0)); /* it is no protocol of a family */
	CHECK(!getsockname(fd, &b, &n) && n == sizeof(b));
	CHECK(b.sa_family == AF_PACKET && !b.sa_data[0]);
	CHECK_ERR(getpeername(fd, &b, &n), EOPNOTSUPP);
	CHECK_ERR(bind(fd, &a, sizeof(a) - 1), EINVAL);
	CHECK_ERR(bind(fd, (void *)&(struct sockaddr_ll){ .sll_family = AF_PACKET },
		       sizeof(struct sockaddr_ll)),
		  EINVAL);
	CHECK(!bind(fd, &a, sizeof(a)));
	n = sizeof(b);
	CHECK(!getsockname(fd, &b, &n) && n == sizeof(b) && !strcmp(b.sa_data, "lo"));
	strcpy(a.sa_data, "nosuch");
	CHECK_ERR(bind(fd, &a, sizeof(a)), ENODEV);
	CHECK_ERR(bind(fd, &(struct sockaddr){ .sa_family = AF_PACKET }, sizeof(a)), ENODEV);
	CHECK_ERR(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &v, sizeof(v)), EOPNOTSUPP);
	n = sizeof(v);
	CHECK_ERR(getsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &v, &n), EOPNOTSUPP);
	CHECK_ERR(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0, ENODEV);
	CHECK_ERR(connect(fd, &a, sizeof(a)), EOPNOTSUPP);
	CHECK_ERR(listen(fd, 1), EOPNOTSUPP);
	close(fd);
	fd = socket(AF_PACKET, SOCK_PACKET, 0);
	CHECK(fd >= 0 && has(fd, SO_TYPE, SOCK_PACKET));
	close(fd);
	CHECK_ERR(socket(AF_UNIX, SOCK_PACKET, 0), ESOCKTNOSUPPORT);
}

static void frames(void)
{
	int fd = socket(AF_INET, SOCK_PACKET, htons(OURS)), out = socket(AF_PACKET, SOCK_PACKET, 0);
	struct sockaddr_pkt from;
	socklen_t n = sizeof(from), whole = sizeof(struct sockaddr_pkt);
	unsigned char buf[2000];
	struct pollfd p = { fd, POLLIN, 0 };

	REQUIRE(fd >= 0 && out >= 0);
	CHECK_ERR(send(out, frame, sizeof(frame), 0), ENOTCONN);
	CHECK_ERR(write(out, frame, sizeof(frame)), ENOTCONN);
	CHECK_ERR(send_by(out, "lo", OURS, sizeof(struct sockaddr) - 1), EINVAL);
	CHECK_ERR(send_by(out, "nosuch", OURS, whole), ENODEV);
	CHECK_ERR(sendto(out, frame, 0, 0, (void *)&(struct sockaddr_pkt){ 0, "lo", 0 }, whole),
		  EINVAL);
	CHECK_ERR(sendto(out, frame, 13, 0, (void *)&(struct sockaddr_pkt){ 0, "lo", 0 }, whole),
		  EINVAL);
	CHECK_ERR(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	CHECK(send_by(out, "lo", OURS, whole) == sizeof(frame));
	CHECK(poll(&p, 1, TAP_PATIENCE_MS) == 1 && p.revents == POLLIN);
	memset(&from, 0xff, sizeof(from));
	CHECK(recvfrom(fd, buf, sizeof(buf), 0, (void *)&from, &n) == sizeof(frame));
	CHECK(n == whole && from.spkt_family == 772 && from.spkt_protocol == htons(OURS));
	CHECK(!strcmp((char *)from.spkt_device, "lo") && !memcmp(buf, frame, sizeof(frame)));
	/* An address without protocol; the frame itself says what it is. */
	CHECK(send_by(out, "lo", 0, sizeof(struct sockaddr)) == sizeof(frame));
	CHECK(recv(fd, buf, 20, MSG_TRUNC) == sizeof(frame) && buf[14] == 'x');
	up(0);
	CHECK_ERR(send_by(out, "lo", OURS, whole), ENETDOWN);
	CHECK(!bind(fd, &(struct sockaddr){ .sa_data = "lo" }, sizeof(struct sockaddr)));
	CHECK_ERR(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), ENETDOWN);
	up(1);
	CHECK_ERR(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	close(fd);
	close(out);
}

static int others[OTHERS];
static volatile int closed;

static void *close_others(void *arg)
{
	for (int i = 0; i < OTHERS; i++)
		close(others[i]);
	closed = 1;
	return NULL;
}

/* Sockets leave the list at any point of a frame's way along it; the last one gets them all. */
static void leaving(void)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_ifindex = (int)if_nametoindex("lo"),
				  .sll_protocol = htons(OURS) };
	struct timeval patience = { .tv_sec = TAP_PATIENCE_MS / 1000 };
	long got = sizeof(frame);
	char buf[64];
	pthread_t t;
	int out = socket(AF_PACKET, SOCK_RAW, 0), last;

	for (int i = 0; i < OTHERS; i++)
		others[i] = socket(AF_PACKET, SOCK_RAW, htons(OURS));
	last = socket(AF_PACKET, SOCK_RAW, htons(OURS));
	REQUIRE(out >= 0 && last >= 0 && others[OTHERS - 1] >= 0);
	CHECK(!setsockopt(last, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)));
	REQUIRE(!pthread_create(&t, NULL, close_others, NULL));
	while (!closed && got == sizeof(frame))
		if (sendto(out, frame, sizeof(frame), 0, (void *)&to, sizeof(to)) > 0)
			got = recv(last, buf, sizeof(buf), 0);
	pthread_join(t, NULL);
	CHECK(got == sizeof(frame));
	close(last);
	close(out);
}

int main(void)
{
	alarm(TAP_LIMIT);
	up(1);
	addresses();
	frames();
	leaving();
	CHECK(!seteuid(1000));
	CHECK_ERR(socket(AF_INET, SOCK_PACKET, htons(OURS)), EPERM);
	CHECK_ERR(socket(AF_PACKET, SOCK_PACKET, htons(OURS)), EPERM);
	return tap_done();
}
