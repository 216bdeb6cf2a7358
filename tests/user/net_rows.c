/*
 * Rows that a socket or a route just made has in /proc/net/raw, packet, netlink and route; SIOCG* of
 * the loopback device; MSG_EOR, MSG_CONFIRM and MSG_DONTROUTE; no IPv6. proc(5), netdevice(7). As root.
 */
#define _GNU_SOURCE
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <netpacket/packet.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "inet.h"

static char row[512];

/* The row of /proc/net/@name whose field @n (from 0, between blanks) is @want; NULL: none. */
static char *row_with(const char *name, int n, const char *want)
{
	char path[64], copy[512], *found = NULL;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/net/%s", name);
	f = fopen(path, "r");
	while (f && !found && fgets(row, sizeof(row), f)) {
		char *at = strtok(strcpy(copy, row), " \t\n");

		for (int i = 0; at && i < n; i++)
			at = strtok(NULL, " \t\n");
		if (at && !strcmp(at, want))
			found = row;
	}
	if (f)
		fclose(f);
	return found;
}

static const char *inode_of(int fd)
{
	static char text[24];
	struct stat st = { 0 };

	fstat(fd, &st);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)st.st_ino);
	return text;
}

/* A raw socket's port is its protocol; its state is 7, with a peer 1. */
static void test_raw(void)
{
	int fd = socket(AF_INET, SOCK_RAW, 200);
	struct sockaddr_in lo = at("127.0.0.1", 0), other = at("127.0.0.2", 0);

	REQUIRE(fd >= 0);
	CHECK(row_with("raw", 9, inode_of(fd)) &&
	      strstr(row,
		     "00000000:00C8 00000000:0000 07 00000000:00000000 00:00000000 00000000 "));
	CHECK(!bind(fd, SA(lo)) && !connect(fd, SA(other)));
	CHECK(row_with("raw", 9, inode_of(fd)) && strstr(row, "0100007F:00C8 0200007F:0000 01 "));
	CHECK(send(fd, "four", 4, 0) == 4);
	close(fd);
	CHECK(!row_with("raw", 1, "0100007F:00C8"));
}

static void test_packet(void)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ARP) };
	unsigned type, proto, dev, running, memory, user;
	int fd;

	setfsuid(1000);
	fd = socket(AF_PACKET, SOCK_DGRAM, 0);
	setfsuid(0);
	REQUIRE(fd >= 0);
	CHECK(row_with("packet", 8, inode_of(fd)) &&
	      sscanf(row, "%*s %*u %u %x %u %u %u %u", &type, &proto, &dev, &running, &memory,
		     &user) == 6 &&
	      type == SOCK_DGRAM && !proto && !dev && !running && !memory && user == 1000);
	to.sll_ifindex = (int)if_nametoindex("lo");
	CHECK(!bind(fd, (void *)&to, sizeof(to)));
	CHECK(row_with("packet", 8, inode_of(fd)) &&
	      sscanf(row, "%*s %*u %u %x %u %u", &type, &proto, &dev, &running) == 4 &&
	      proto == ETH_P_ARP && (int)dev == to.sll_ifindex && running == 1);
	close(fd);
}

static void test_netlink(void)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK,
				 .nl_pid = 7654321,
				 .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR };
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	unsigned protocol, port, groups, rest[5];

	REQUIRE(fd >= 0 && !bind(fd, (void *)&a, sizeof(a)));
	CHECK(row_with("netlink", 9, inode_of(fd)) &&
	      sscanf(row, "%*s %u %u %x %u %u %u %u %u", &protocol, &port, &groups, rest, rest + 1,
		     rest + 2, rest + 3, rest + 4) == 8 &&
	      protocol == NETLINK_ROUTE && port == 7654321 && groups == a.nl_groups && !rest[0] &&
	      !rest[1] && !rest[2] && !rest[4]);
	close(fd);
	CHECK(!row_with("netlink", 2, "7654321"));
}

static int change_route(int fd, unsigned long cmd, const char *dst, const char *mask, int flags)
{
	struct rtentry r = { .rt_flags = (unsigned short)(RTF_UP | flags),
			     .rt_metric = 8,
			     .rt_dev = (char *)"lo" };
	struct sockaddr_in to = at(dst, 0), bits = at(mask, 0);

	memcpy(&r.rt_dst, &to, sizeof(to));
	memcpy(&r.rt_genmask, &bits, sizeof(bits));
	if (flags & RTF_REJECT)
		r.rt_dev = NULL;
	return ioctl(fd, cmd, &r);
}

static int route_is(const char *dst, const char *dev, unsigned want, unsigned bits)
{
	char name[16];
	unsigned gateway, flags, metric, mask;

	return row_with("route", 1, dst) &&
	       sscanf(row, "%15s %*x %x %x %*u %*u %u %x", name, &gateway, &flags, &metric,
		      &mask) == 5 &&
	       !strcmp(name, dev) && !gateway && flags == want && metric == 7 && mask == bits;
}

static void test_route(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK(!change_route(fd, SIOCADDRT, "10.99.0.0", "255.255.0.0", 0));
	CHECK(route_is("0000630A", "lo", RTF_UP, 0xffff));
	CHECK_ERR(change_route(fd, SIOCADDRT, "10.99.0.0", "255.255.0.0", 0), EEXIST);
	CHECK(!change_route(fd, SIOCADDRT, "10.98.7.6", "255.255.255.255", RTF_HOST));
	CHECK(route_is("0607620A", "lo", RTF_UP | RTF_HOST, 0xffffffff));
	CHECK(!change_route(fd, SIOCADDRT, "10.97.0.0", "255.255.0.0", RTF_REJECT));
	CHECK(route_is("0000610A", "*", RTF_UP | RTF_REJECT, 0xffff));
	CHECK(!change_route(fd, SIOCDELRT, "10.99.0.0", "255.255.0.0", 0));
	CHECK(!change_route(fd, SIOCDELRT, "10.98.7.6", "255.255.255.255", RTF_HOST));
	CHECK(!change_route(fd, SIOCDELRT, "10.97.0.0", "255.255.0.0", RTF_REJECT));
	CHECK(!row_with("route", 1, "0000630A") && !row_with("route", 1, "0607620A") &&
	      !row_with("route", 1, "0000610A"));
	CHECK_ERR(change_route(fd, SIOCDELRT, "10.99.0.0", "255.255.0.0", 0), ESRCH);
	close(fd);
}

static int ask(int fd, unsigned long cmd, struct ifreq *r)
{
	memset(r, 0, sizeof(*r));
	strcpy(r->ifr_name, "lo");
	return ioctl(fd, cmd, r);
}

static int address_is(int fd, unsigned long cmd, const char *want)
{
	struct sockaddr_in a = at(want, 0);
	struct ifreq r;

	return !ask(fd, cmd, &r) && !memcmp(&r.ifr_addr, &a, sizeof(a));
}

static void test_ioctls(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq r;

	CHECK(address_is(fd, SIOCGIFADDR, "127.0.0.1") &&
	      address_is(fd, SIOCGIFNETMASK, "255.0.0.0"));
	CHECK(address_is(fd, SIOCGIFDSTADDR, "127.0.0.1") &&
	      address_is(fd, SIOCGIFBRDADDR, "0.0.0.0"));
	CHECK(!ask(fd, SIOCGIFFLAGS, &r) &&
	      (r.ifr_flags & 0xffff) == (IFF_UP | IFF_LOOPBACK | IFF_RUNNING));
	CHECK(!ask(fd, SIOCGIFMTU, &r) && r.ifr_mtu == 65536);
	CHECK(!ask(fd, SIOCGIFTXQLEN, &r) && r.ifr_qlen == 1000);
	CHECK(!ask(fd, SIOCGIFMETRIC, &r) && r.ifr_metric == 0);
	CHECK(!ask(fd, SIOCGIFHWADDR, &r) && r.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK &&
	      !memcmp(r.ifr_hwaddr.sa_data, "\0\0\0\0\0\0", 6));
	CHECK(!ask(fd, SIOCGIFMAP, &r) && !r.ifr_map.mem_start && !r.ifr_map.irq &&
	      !r.ifr_map.base_addr);
	CHECK(!ask(fd, SIOCGIFINDEX, &r) && r.ifr_ifindex == (int)if_nametoindex("lo"));
	memset(r.ifr_name, 'x', sizeof(r.ifr_name));
	CHECK(!ioctl(fd, SIOCGIFNAME, &r) && !strcmp(r.ifr_name, "lo"));
	r.ifr_ifindex = 9999;
	CHECK_ERR(ioctl(fd, SIOCGIFNAME, &r), ENODEV);
	strcpy(r.ifr_name, "none0");
	CHECK_ERR(ioctl(fd, SIOCGIFMTU, &r), ENODEV);
	CHECK_ERR(ioctl(fd, SIOCGIFADDR, &r), ENODEV);
	CHECK_ERR(ioctl(fd, SIOCGIFINDEX, &r), ENODEV);
	strcpy(r.ifr_name, "lo:7"); /* no such name of an address */
	CHECK_ERR(ioctl(fd, SIOCGIFADDR, &r), EADDRNOTAVAIL);
	close(fd);
}

/* Set what @cmd sets of the address with the label lo:9. */
static int change_address(int fd, unsigned long cmd, const char *addr)
{
	struct sockaddr_in a = at(addr, 0);
	struct ifreq r = { .ifr_name = "lo:9" };

	memcpy(&r.ifr_addr, &a, sizeof(a));
	return ioctl(fd, cmd, &r);
}

/* Address, mask, broadcast address and peer of lo:9. */
static int has_addresses(int fd, const char *addr, const char *mask, const char *all,
			 const char *peer)
{
	static const unsigned long cmds[] = { SIOCGIFADDR, SIOCGIFNETMASK, SIOCGIFBRDADDR,
					      SIOCGIFDSTADDR };
	const char *want[] = { addr, mask, all, peer };
	int good = 0;

	for (int i = 0; i < 4; i++) {
		struct sockaddr_in a = at(want[i], 0);
		struct ifreq r = { .ifr_name = "lo:9" };

		good += !ioctl(fd, cmds[i], &r) && !memcmp(&r.ifr_addr, &a, sizeof(a));
	}
	return good == 4;
}

static void test_addresses(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK_ERR(change_address(fd, SIOCSIFBRDADDR, "10.5.5.255"), EADDRNOTAVAIL);
	CHECK_ERR(change_address(fd, SIOCSIFDSTADDR, "10.5.5.9"), EADDRNOTAVAIL);
	CHECK_ERR(change_address(fd, SIOCSIFADDR, "224.1.1.1"), EINVAL);
	CHECK(!change_address(fd, SIOCSIFADDR, "10.5.5.5"));
	CHECK(has_addresses(fd, "10.5.5.5", "255.0.0.0", "0.0.0.0", "10.5.5.5"));
	CHECK(!change_address(fd, SIOCSIFBRDADDR, "10.5.5.255"));
	CHECK(has_addresses(fd, "10.5.5.5", "255.0.0.0", "10.5.5.255", "10.5.5.5"));
	CHECK(!change_address(fd, SIOCSIFDSTADDR, "10.5.5.9"));
	CHECK_ERR(change_address(fd, SIOCSIFDSTADDR, "224.0.0.1"), EINVAL);
	CHECK(has_addresses(fd, "10.5.5.5", "255.0.0.0", "10.5.5.255", "10.5.5.9"));
	CHECK_ERR(change_address(fd, SIOCSIFNETMASK, "255.0.255.0"), EINVAL);
	CHECK(!change_address(fd, SIOCSIFADDR, "240.1.1.1")); /* of no class: alone */
	CHECK(has_addresses(fd, "240.1.1.1", "255.255.255.255", "0.0.0.0", "240.1.1.1"));
	CHECK_ERR(change_address(fd, SIOCSIFADDR, "239.1.1.1"), EINVAL);
	CHECK(!change_address(fd, SIOCSIFADDR, "0.0.0.0")); /* it goes */
	CHECK_ERR(change_address(fd, SIOCSIFBRDADDR, "10.5.5.255"), EADDRNOTAVAIL);
	close(fd);
}

/* What @a sends with @flags comes to @b as one message, with MSG_EOR or without. */
static int comes(int a, int b, int flags, int eor)
{
	char text[16];
	struct iovec io = { text, sizeof(text) };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1 };

	return send(a, "a message", 9, flags) == 9 && recvmsg(patient(b), &m, 0) == 9 &&
	       !memcmp(text, "a message", 9) && (m.msg_flags & MSG_EOR) == eor;
}

static void test_flags(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	int a = udp_bound(), b = udp_bound(), p[2];
	struct sockaddr_in to = at("127.0.0.1", port_of(b)), far = at("192.0.2.1", 9);

	CHECK(!connect(a, SA(to)));
	CHECK(comes(a, b, MSG_EOR, 0) && comes(a, b, MSG_CONFIRM, 0) &&
	      comes(a, b, MSG_DONTROUTE, 0));
	CHECK(comes(a, b, MSG_EOR | MSG_CONFIRM | MSG_DONTROUTE, 0));
	CHECK_ERR(sendto(b, "x", 1, MSG_DONTROUTE, SA(far)), ENETUNREACH);
	close(a);
	close(b);
	for (int i = 0; i < 3; i++) {
		REQUIRE(!socketpair(AF_UNIX, types[i], 0, p));
		CHECK(comes(p[0], p[1], MSG_EOR, 0) &&
		      comes(p[0], p[1], MSG_CONFIRM | MSG_DONTROUTE, 0));
		close(p[0]);
		close(p[1]);
	}
}

/* Each send ends a record, yet a stream has none: it comes in one piece. */
static void test_stream(void)
{
	struct sockaddr_in a = at("127.0.0.1", 0);
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), s;
	char text[16] = "";

	REQUIRE(!bind(l, SA(a)) && !listen(l, 1));
	a = at("127.0.0.1", port_of(l));
	REQUIRE(!connect(c, SA(a)));
	s = patient(accept(l, NULL, NULL));
	CHECK(comes(c, s, MSG_EOR, 0) && comes(c, s, MSG_CONFIRM, 0) &&
	      comes(c, s, MSG_DONTROUTE, 0));
	CHECK(send(c, "one", 3, MSG_EOR) == 3 && send(c, "two", 3, MSG_EOR | MSG_DONTROUTE) == 3);
	CHECK(recv(s, text, 6, MSG_WAITALL) == 6 && !strcmp(text, "onetwo"));
	close(l);
	close(c);
	close(s);
}

/* A raw socket may be of a protocol that no packet can say it is of: it hears nothing. */
static void test_protocols(void)
{
	static const int types[] = { SOCK_RAW, SOCK_DGRAM, SOCK_STREAM };

	for (int i = 0; i < 3; i++) {
		CHECK_ERR(socket(AF_INET, types[i], -1), EINVAL);
		CHECK_ERR(socket(AF_INET, types[i], 263), EINVAL); /* IPPROTO_MAX */
		if (types[i] == SOCK_RAW)
			continue;
		CHECK_ERR(socket(AF_INET, types[i], 255), EPROTONOSUPPORT);
		CHECK_ERR(socket(AF_INET, types[i], 261), EPROTONOSUPPORT);
	}
	CHECK_ERR(socket(AF_INET, SOCK_RAW, 0), EPROTONOSUPPORT);
	for (int proto = 256; proto < 263; proto += 6) {
		int fd = socket(AF_INET, SOCK_RAW, proto), v = 0;
		struct sockaddr_in a = at("127.0.0.1", 0);
		socklen_t n = sizeof(v);
		char buf[64];

		CHECK(fd >= 0 && !getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &v, &n) && v == proto);
		CHECK(sendto(fd, "x", 1, 0, SA(a)) == 1);
		CHECK_ERR(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
		close(fd);
	}
}

/* Where there is no IPv6 its sockets say so. */
static void test_no_ipv6(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_RAW };
	int there = !access("/proc/net/if_inet6", F_OK);

	for (int i = 0; i < 3; i++) {
		int fd = socket(AF_INET6, types[i], types[i] == SOCK_RAW ? 200 : 0), e = errno;

		CHECK(there ? fd >= 0 : fd < 0 && e == EAFNOSUPPORT);
		close(fd);
	}
}

int main(void)
{
	REQUIRE(loopback_up());
	test_raw();
	test_packet();
	test_netlink();
	test_route();
	test_ioctls();
	test_addresses();
	test_protocols();
	test_flags();
	test_stream();
	test_no_ipv6();
	return tap_done();
}
