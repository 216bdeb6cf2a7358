#pragma once
/* Of the programs about TUN and TAP: devices, what is written to them and read. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include "tap.h"

#define US "10.77.0.1" /* the system's end */
#define PEER "10.77.0.2" /* the program's */
#define PORT 7007

static int ctl; /* a socket to configure by */

/* Where it is one: tests/run brings it. */
static inline void load_module(void)
{
	int fd = open("/modules/tun.ko", O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)syscall(SYS_finit_module, fd, "", 0);
	close(fd);
}

static inline int opened(void)
{
	return open("/dev/net/tun", O_RDWR | O_CLOEXEC);
}

/* TUNSETIFF; the name comes back. */
static inline int set_iff(int fd, char *name, int flags)
{
	struct ifreq r = { .ifr_flags = (short)flags };
	int ret;

	strcpy(r.ifr_name, name);
	ret = ioctl(fd, TUNSETIFF, &r);
	if (!ret)
		strcpy(name, r.ifr_name);
	return ret;
}

/* The answer of SIOC* about the device @name. */
static inline int dev_ioctl(const char *name, unsigned long cmd, struct ifreq *r)
{
	strcpy(r->ifr_name, name);
	return ioctl(ctl, cmd, r);
}

static inline int flags_of(const char *name)
{
	struct ifreq r = { 0 };

	return dev_ioctl(name, SIOCGIFFLAGS, &r) ? -1 : (unsigned short)r.ifr_flags;
}

static inline int set_up(const char *name, int up)
{
	struct ifreq r = { .ifr_flags = (short)(flags_of(name) & ~IFF_UP) };

	if (up)
		r.ifr_flags |= IFF_UP;
	return dev_ioctl(name, SIOCSIFFLAGS, &r);
}

static inline int set_in(const char *name, unsigned long cmd, const char *addr)
{
	struct ifreq r = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&r.ifr_addr;

	in->sin_family = AF_INET;
	in->sin_addr.s_addr = inet_addr(addr);
	return dev_ioctl(name, cmd, &r);
}

/* With the address US/24, up, and without what IPv6 would send. */
static inline int configure(const char *name)
{
	char path[80];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
	fd = open(path, O_WRONLY);
	if (fd >= 0 && write(fd, "1", 1) != 1)
		return -1;
	if (fd >= 0)
		close(fd);
	return set_in(name, SIOCSIFADDR, US) || set_in(name, SIOCSIFNETMASK, "255.255.255.0") ||
			       set_up(name, 1)
		       ? -1
		       : 0;
}

static inline int file_is(const char *name, const char *file, const char *text)
{
	char path[80], buf[64] = "";
	int fd, n;

	snprintf(path, sizeof(path), "/sys/class/net/%s/%s", name, file);
	fd = open(path, O_RDONLY);
	n = (int)read(fd, buf, sizeof(buf) - 1);
	close(fd);
	return n > 0 && !strcmp(buf, text);
}

static inline unsigned short sum16(const void *data, size_t n, unsigned sum)
{
	const unsigned char *b = data;

	for (size_t i = 0; i < n; i++)
		sum += i & 1 ? b[i] : (unsigned)b[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (unsigned short)sum;
}

/* An IPv4 packet from PEER to US with @n bytes behind the header. */
static inline size_t make_ip(unsigned char *p, int proto, const void *data, size_t n)
{
	in_addr_t from = inet_addr(PEER), to = inet_addr(US);
	unsigned short sum;

	memset(p, 0, 20);
	p[0] = 0x45;
	p[2] = (unsigned char)((20 + n) >> 8);
	p[3] = (unsigned char)(20 + n);
	p[8] = 64;
	p[9] = (unsigned char)proto;
	memcpy(p + 12, &from, 4);
	memcpy(p + 16, &to, 4);
	sum = (unsigned short)~sum16(p, 20, 0);
	p[10] = (unsigned char)(sum >> 8);
	p[11] = (unsigned char)sum;
	memcpy(p + 20, data, n);
	return 20 + n;
}

static inline size_t make_echo(unsigned char *p)
{
	unsigned char echo[16] = { 8, 0, 0, 0, 1, 2, 0, 1, 'p', 'i', 'n', 'g' };
	unsigned short sum = (unsigned short)~sum16(echo, sizeof(echo), 0);

	echo[2] = (unsigned char)(sum >> 8);
	echo[3] = (unsigned char)sum;
	return make_ip(p, IPPROTO_ICMP, echo, sizeof(echo));
}

static inline short events(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

static inline int readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, TAP_PATIENCE_MS) == 1 && (p.revents & POLLIN);
}

/* A datagram of "hello" from the system to PEER. */
static inline int say_hello(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(PORT),
				  .sin_addr.s_addr = inet_addr(PEER) };

	return (int)sendto(ctl, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to));
}

static inline int is_hello(const unsigned char *ip, long n)
{
	return n == 33 && ip[0] == 0x45 && ip[9] == IPPROTO_UDP && !memcmp(ip + 28, "hello", 5);
}

/* What both programs begin with. */
static inline void tun_start(void)
{
	ctl = socket(AF_INET, SOCK_DGRAM, 0);
	load_module();
}
