/*
 * TUN and TAP: devices whose other end is this program, and what goes through them. As root; on Linux
 * with the module tun.
 */
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/virtio_net.h>
#include <net/if_arp.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include "tun.h"

/* Does /proc say that @name, or none if it is empty, is the device of @fd? */
static int shows_name(int fd, const char *name)
{
	char path[64], text[512], line[32];
	int f, n;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	snprintf(line, sizeof(line), "\niff:\t%s\n", name);
	f = open(path, O_RDONLY | O_CLOEXEC);
	n = (int)read(f, text, sizeof(text) - 1);
	close(f);
	text[n < 0 ? 0 : n] = '\0';
	return !!strstr(text, line);
}

static void test_errors(void)
{
	char name[IFNAMSIZ] = "", lo[IFNAMSIZ] = "lo", bad[IFNAMSIZ] = "a/b";
	char per[IFNAMSIZ] = "t%s", buf[64];
	struct ifreq r = { 0 };
	unsigned features = 0;
	int fd = opened();

	REQUIRE(fd >= 0);
	CHECK(!ioctl(fd, TUNGETFEATURES, &features));
	CHECK((features & (IFF_TUN | IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)) ==
	      (IFF_TUN | IFF_TAP | IFF_NO_PI | IFF_VNET_HDR));
	CHECK_ERR(ioctl(fd, TUNGETFEATURES, 8), EFAULT);
	CHECK_ERR(ioctl(fd, TUNSETIFF, 8), EFAULT);
	CHECK_ERR(ioctl(fd, TUNSETPERSIST, 1), EBADFD);
	CHECK_ERR(ioctl(fd, TUNGETIFF, &r), EBADFD);
	CHECK_ERR(ioctl(fd, SIOCGIFHWADDR, &r), EBADFD);
	CHECK_ERR(ioctl(fd, TUNSETQUEUE, &r), EINVAL);
	CHECK_ERR(read(fd, buf, sizeof(buf)), EBADFD);
	CHECK_ERR(write(fd, buf, sizeof(buf)), EBADFD);
	CHECK_ERR(lseek(fd, 0, SEEK_SET), ESPIPE);
	CHECK(events(fd) & POLLERR);
	CHECK(shows_name(fd, ""));
	CHECK_ERR(set_iff(fd, name, IFF_NO_PI), EINVAL);
	CHECK_ERR(set_iff(fd, lo, IFF_TUN), EINVAL);
	CHECK_ERR(set_iff(fd, bad, IFF_TUN), EINVAL);
	CHECK_ERR(set_iff(fd, per, IFF_TUN), EINVAL);
	close(fd);
}

static void test_attach(void)
{
	char name[IFNAMSIZ] = "tt%d", again[IFNAMSIZ];
	int fd = opened(), other = opened();
	struct ifreq r = { 0 };

	REQUIRE(!set_iff(fd, name, IFF_TUN | IFF_NO_PI));
	CHECK(!strcmp(name, "tt0"));
	CHECK(shows_name(fd, name));
	CHECK_ERR(set_iff(fd, name, IFF_TUN | IFF_NO_PI), EEXIST);
	CHECK(!ioctl(fd, TUNGETIFF, &r));
	CHECK(!strcmp(r.ifr_name, name) && r.ifr_flags == (IFF_TUN | IFF_NO_PI));
	CHECK(file_is(name, "tun_flags", "0x1001\n"));
	CHECK(file_is(name, "owner", "-1\n") && file_is(name, "group", "-1\n"));
	CHECK(file_is(name, "type", "65534\n") && file_is(name, "tx_queue_len", "500\n"));
	strcpy(r.ifr_newname, "ttnew"); /* it may have another name */
	CHECK(!dev_ioctl(name, SIOCSIFNAME, &r));
	strcpy(name, "ttnew");
	CHECK(!ioctl(fd, TUNGETIFF, &r) && !strcmp(r.ifr_name, name));
	CHECK(r.ifr_flags & IFF_NOFILTER);
	CHECK(file_is(name, "tun_flags", "0x1001\n"));
	strcpy(again, name);
	CHECK_ERR(set_iff(other, again, IFF_TAP | IFF_NO_PI), EINVAL);
	CHECK_ERR(set_iff(other, again, IFF_TUN | IFF_NO_PI), EBUSY);
	CHECK_ERR(set_iff(other, again, IFF_TUN | (short)IFF_TUN_EXCL), EBUSY);
	strcpy(again, "tt%d");
	CHECK(!set_iff(other, again, IFF_TUN));
	CHECK(!strcmp(again, "tt0"));
	CHECK((flags_of(name) & (IFF_POINTOPOINT | IFF_NOARP | IFF_UP | IFF_BROADCAST)) ==
	      (IFF_POINTOPOINT | IFF_NOARP));
	CHECK_ERR(ioctl(fd, TUNSETTXFILTER, &r), EINVAL);
	CHECK_ERR(ioctl(fd, 0x54ff, 0), EINVAL);
	close(fd);
	CHECK(flags_of(name) == -1);
	close(other);
	CHECK(!if_nametoindex(again));
}

/* The next event about a device whose name begins with "te" is @head. */
static int event_is(int fd, const char *head)
{
	struct pollfd p = { fd, POLLIN, 0 };
	char buf[4096];
	ssize_t n;

	while (poll(&p, 1, TAP_PATIENCE_MS) == 1) {
		n = recv(fd, buf, sizeof(buf) - 1, 0);
		buf[n > 0 ? n : 0] = '\0';
		if (strstr(buf, "/net/te"))
			return !strcmp(buf, head);
	}
	return 0;
}

/* A device's queues come after it and go before it. */
static void test_events(void)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int fd = opened(), ev = socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);
	char name[IFNAMSIZ] = "te%d";

	REQUIRE(!bind(ev, (void *)&a, sizeof(a)) && !set_iff(fd, name, IFF_TUN));
	CHECK(event_is(ev, "add@/devices/virtual/net/te0"));
	CHECK(event_is(ev, "add@/devices/virtual/net/te0/queues/rx-0"));
	CHECK(event_is(ev, "add@/devices/virtual/net/te0/queues/tx-0"));
	close(fd);
	CHECK(event_is(ev, "remove@/devices/virtual/net/te0/queues/rx-0"));
	CHECK(event_is(ev, "remove@/devices/virtual/net/te0/queues/tx-0"));
	CHECK(event_is(ev, "remove@/devices/virtual/net/te0"));
	close(ev);
}

static void test_numbers(void)
{
	char name[IFNAMSIZ] = "tt%d";
	int fd = opened(), v = 0;
	struct ifreq r = { 0 };

	REQUIRE(!set_iff(fd, name, IFF_TUN | IFF_VNET_HDR));
	CHECK(!ioctl(fd, TUNGETSNDBUF, &v) && v == 0x7fffffff);
	CHECK(!ioctl(fd, TUNGETVNETHDRSZ, &v) && v == 10);
	v = 12;
	CHECK(!ioctl(fd, TUNSETVNETHDRSZ, &v));
	v = 0;
	CHECK(!ioctl(fd, TUNGETVNETHDRSZ, &v) && v == 12);
	v = 9;
	CHECK_ERR(ioctl(fd, TUNSETVNETHDRSZ, &v), EINVAL);
	v = 0;
	CHECK_ERR(ioctl(fd, TUNSETSNDBUF, &v), EINVAL);
	CHECK_ERR(ioctl(fd, TUNSETSNDBUF, 8), EFAULT);
	v = 5000;
	CHECK(!ioctl(fd, TUNSETSNDBUF, &v));
	CHECK(!ioctl(fd, TUNGETSNDBUF, &v) && v == 5000);
	CHECK(!ioctl(fd, TUNSETNOCSUM, 1) && !ioctl(fd, TUNSETDEBUG, 0));
	CHECK(!ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN));
	CHECK_ERR(ioctl(fd, TUNSETOFFLOAD, 0x8000), EINVAL);
	CHECK_ERR(ioctl(fd, TUNSETOFFLOAD, TUN_F_TSO4), EINVAL);
	CHECK_ERR(ioctl(fd, TUNSETOFFLOAD, TUN_F_UFO), EINVAL);
	CHECK_ERR(ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO_ECN), EINVAL);
	CHECK(!ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_UFO));
	CHECK(!ioctl(fd, TUNSETOFFLOAD, 0));
	CHECK_ERR(ioctl(fd, TUNSETOWNER, -1), EINVAL);
	CHECK_ERR(ioctl(fd, TUNSETGROUP, -1), EINVAL);
	CHECK(!ioctl(fd, TUNSETGROUP, 77) && file_is(name, "group", "77\n"));
	CHECK(!ioctl(fd, TUNSETLINK, ARPHRD_PPP));
	CHECK(!dev_ioctl(name, SIOCGIFHWADDR, &r) && r.ifr_hwaddr.sa_family == ARPHRD_PPP);
	CHECK(!set_up(name, 1));
	CHECK_ERR(ioctl(fd, TUNSETLINK, ARPHRD_NONE), EBUSY);
	v = 0;
	CHECK(!ioctl(fd, TUNSETCARRIER, &v) && EVENTUALLY(!(flags_of(name) & IFF_RUNNING)));
	close(fd);
}

static void test_packets(void)
{
	char name[IFNAMSIZ] = "tt%d";
	static unsigned char p[30100], q[30100];
	unsigned short sum;
	int fd = opened(), ep = epoll_create1(0);
	struct epoll_event ev = { .events = EPOLLIN };
	struct iovec v[2] = { { q, 20 }, { q + 100, 1000 } };
	size_t n = make_echo(p);
	long got;

	REQUIRE(!set_iff(fd, name, IFF_TUN | IFF_NO_PI));
	CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	CHECK_ERR(write(fd, p, n), EIO); /* it is down */
	CHECK(!(events(fd) & POLLOUT));
	REQUIRE(!configure(name));
	CHECK(events(fd) == POLLOUT);
	CHECK(EVENTUALLY(flags_of(name) & IFF_RUNNING));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	CHECK_ERR(read(fd, q, sizeof(q)), EAGAIN);
	CHECK(!epoll_wait(ep, &ev, 1, 0));
	CHECK(write(fd, p, n) == (long)n);
	CHECK(epoll_wait(ep, &ev, 1, TAP_PATIENCE_MS) == 1);
	CHECK(read(fd, q, sizeof(q)) == (long)n);
	CHECK(q[9] == IPPROTO_ICMP && q[20] == 0 && !memcmp(q + 28, "ping", 4));
	CHECK_ERR(write(fd, "\x99", 1), EINVAL); /* no version of IP */
	CHECK_ERR(write(fd, (void *)8, 40), EFAULT);
	CHECK(say_hello() == 5 && readable(fd));
	CHECK(readv(fd, v, 2) == 33 && q[9] == IPPROTO_UDP && !memcmp(q + 108, "hello", 5));
	CHECK(say_hello() == 5 && readable(fd));
	CHECK(read(fd, q, 25) == 25); /* the rest is lost */
	CHECK_ERR(read(fd, q, sizeof(q)), EAGAIN);
	CHECK(say_hello() == 5 && readable(fd));
	CHECK(read(fd, (void *)8, 100) == 33); /* it is gone, and nobody is told */
	CHECK_ERR(read(fd, q, sizeof(q)), EAGAIN);
	v[0] = (struct iovec){ p, 7 };
	v[1] = (struct iovec){ p + 7, n - 7 };
	CHECK(writev(fd, v, 2) == (long)n && readable(fd));
	got = read(fd, q, sizeof(q));
	CHECK(got == (long)n && q[20] == 0);
	memset(p, 0, sizeof(p));
	p[0] = 8; /* larger than the MTU, in many pages */
	sum = (unsigned short)~sum16(p, 30000, 0);
	p[2] = (unsigned char)(sum >> 8);
	p[3] = (unsigned char)sum;
	n = make_ip(q, IPPROTO_ICMP, p, 30000);
	CHECK(write(fd, q, n) == (long)n && readable(fd));
	CHECK(read(fd, q, sizeof(q)) == 1500 && q[9] == IPPROTO_ICMP && q[20] == 0);
	close(ep);
	close(fd);
}

static void test_packet_info(void)
{
	char name[IFNAMSIZ] = "tt%d";
	unsigned char p[256] = { 0 }, q[256];
	struct tun_pi *pi = (struct tun_pi *)p, *back = (struct tun_pi *)q;
	int fd = opened();
	size_t n;

	REQUIRE(!set_iff(fd, name, IFF_TUN) && !configure(name));
	pi->proto = htons(ETH_P_IP);
	n = make_echo(p + 4) + 4;
	CHECK(write(fd, p, n) == (long)n && readable(fd));
	CHECK(read(fd, q, sizeof(q)) == (long)n);
	CHECK(!back->flags && back->proto == htons(ETH_P_IP) && q[24] == 0);
	CHECK_ERR(write(fd, p, 3), EINVAL);
	CHECK(say_hello() == 5 && readable(fd));
	CHECK(read(fd, q, 36) == 36 && back->flags == TUN_PKT_STRIP);
	CHECK(say_hello() == 5 && readable(fd));
	CHECK_ERR(read(fd, q, 3), EINVAL);
	close(fd);
}

/* Many more than may wait: the rest is dropped, and counted. */
static void test_bound(void)
{
	char name[IFNAMSIZ] = "tt%d", buf[256];
	struct ifreq r = { .ifr_qlen = 4 };
	int fd = opened(), n = 0;

	REQUIRE(!set_iff(fd, name, IFF_TUN | IFF_NO_PI));
	CHECK(!dev_ioctl(name, SIOCSIFTXQLEN, &r));
	REQUIRE(!configure(name));
	for (int i = 0; i < 10; i++)
		(void)say_hello();
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (read(fd, buf, sizeof(buf)) > 0)
		n++;
	CHECK(n == 4);
	CHECK(file_is(name, "statistics/tx_dropped", "6\n"));
	close(fd);
}

/* What ethtool(8) shows of a device of the driver tun: ten megabits, no counters of queues. */
static void test_ethtool(const char *name)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ethtool_cmd link = { .cmd = ETHTOOL_GSET };
	struct {
		struct ethtool_sset_info head;
		__u32 n;
	} set = { .head = { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1 << ETH_SS_STATS } };
	struct ethtool_stats stats = { .cmd = ETHTOOL_GSTATS };
	struct ethtool_gstrings names = { .cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_STATS };
	struct ifreq r = { .ifr_data = (void *)&info };

	CHECK(!dev_ioctl(name, SIOCETHTOOL, &r) && !strcmp(info.driver, "tun") &&
	      !strcmp(info.bus_info, "tap") && !info.n_stats);
	r.ifr_data = (void *)&link;
	CHECK(!dev_ioctl(name, SIOCETHTOOL, &r) && link.speed == 10 && !link.speed_hi &&
	      link.duplex == DUPLEX_FULL && link.port == PORT_TP);
	r.ifr_data = (void *)&set;
	CHECK(!dev_ioctl(name, SIOCETHTOOL, &r) && !set.head.sset_mask);
	r.ifr_data = (void *)&stats;
	CHECK_ERR(dev_ioctl(name, SIOCETHTOOL, &r), EOPNOTSUPP);
	r.ifr_data = (void *)&names;
	CHECK_ERR(dev_ioctl(name, SIOCETHTOOL, &r), EOPNOTSUPP);
}

/* The card asks who we are, and has an answer. */
static void test_ethernet(void)
{
	static const unsigned char mac[6] = { 2, 0, 0, 0, 0, 9 };
	char name[IFNAMSIZ] = "tap%d";
	unsigned char f[256] = { 0 }, q[2048];
	struct ifreq r = { 0 }, s = { 0 };
	in_addr_t us = inet_addr(US), peer = inet_addr(PEER);
	int fd = opened();

	REQUIRE(!set_iff(fd, name, IFF_TAP | IFF_NO_PI) && !configure(name));
	CHECK(!ioctl(fd, SIOCGIFHWADDR, &r) && !dev_ioctl(name, SIOCGIFHWADDR, &s));
	CHECK(r.ifr_hwaddr.sa_family == ARPHRD_ETHER &&
	      !memcmp(r.ifr_hwaddr.sa_data, s.ifr_hwaddr.sa_data, 6));
	CHECK((r.ifr_hwaddr.sa_data[0] & 3) == 2);
	test_ethtool(name);
	CHECK(file_is(name, "addr_assign_type", "1\n"));
	r.ifr_hwaddr.sa_data[0] |= 1;
	CHECK_ERR(ioctl(fd, SIOCSIFHWADDR, &r), EADDRNOTAVAIL);
	r.ifr_hwaddr.sa_family = ARPHRD_PPP;
	CHECK_ERR(ioctl(fd, SIOCSIFHWADDR, &r), EINVAL);
	r.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(r.ifr_hwaddr.sa_data, "\2\0\0\0\0\7", 6);
	CHECK(!ioctl(fd, SIOCSIFHWADDR, &r) && file_is(name, "addr_assign_type", "3\n"));
	CHECK_ERR(write(fd, f, 13), EINVAL);
	memset(f, 0xff, 6); /* ARP: who has US? PEER asks */
	memcpy(f + 6, mac, 6);
	memcpy(f + 12, "\x08\x06\0\1\x08\0\6\4\0\1", 10);
	memcpy(f + 22, mac, 6);
	memcpy(f + 28, &peer, 4);
	memcpy(f + 38, &us, 4);
	CHECK(write(fd, f, 42) == 42);
	do
		REQUIRE(readable(fd) && read(fd, q, sizeof(q)) >= 42);
	while (q[21] != 2); /* an announcement may come first */
	CHECK(!memcmp(q, mac, 6) && !memcmp(q + 6, "\2\0\0\0\0\7", 6) && !memcmp(q + 28, &us, 4));
	CHECK(say_hello() == 5 && readable(fd)); /* the neighbour is known by now */
	CHECK(read(fd, q, sizeof(q)) == 47 && is_hello(q + 14, 33) && !memcmp(q, mac, 6));
	close(fd);
}

static void test_filter(void)
{
	static const unsigned char mac[6] = { 2, 0, 0, 0, 0, 9 };
	struct {
		struct tun_filter head;
		unsigned char addr[10][6];
	} f = { .head = { .count = 1 } };
	struct arpreq a = { .arp_flags = ATF_COM | ATF_PERM };
	struct sockaddr_in *in = (struct sockaddr_in *)&a.arp_pa;
	char name[IFNAMSIZ] = "tap%d";
	unsigned char q[256];
	int fd = opened();

	REQUIRE(!set_iff(fd, name, IFF_TAP | IFF_NO_PI) && !configure(name));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = inet_addr(PEER);
	memcpy(a.arp_ha.sa_data, mac, 6);
	strcpy(a.arp_dev, name);
	CHECK(!ioctl(ctl, SIOCSARP, &a));
	CHECK_ERR(ioctl(fd, TUNSETTXFILTER, 8), EFAULT);
	memcpy(f.addr[0], "\2\0\0\0\0\xaa", 6);
	CHECK(ioctl(fd, TUNSETTXFILTER, &f) == 1);
	while (read(fd, q, sizeof(q)) > 0)
		;
	(void)say_hello();
	CHECK_ERR(read(fd, q, sizeof(q)), EAGAIN);
	memcpy(f.addr[0], mac, 6);
	CHECK(ioctl(fd, TUNSETTXFILTER, &f) == 1);
	CHECK(say_hello() == 5 && readable(fd) && read(fd, q, sizeof(q)) == 47);
	memcpy(f.addr[0], "\2\0\0\0\0\xaa", 6);
	f.head.count = 10;
	CHECK(ioctl(fd, TUNSETTXFILTER, &f) == 0); /* more than it can tell apart: all */
	CHECK(say_hello() == 5 && readable(fd) && read(fd, q, sizeof(q)) == 47);
	close(fd);
}

/* Ask rtnetlink about the neighbour PEER of @name; @mac: its address. 0 or the error, negative. */
static int ask_neigh(const char *name, int type, int flags, const unsigned char *mac)
{
	struct {
		struct nlmsghdr h;
		struct ndmsg m;
		struct rtattr dst;
		in_addr_t addr;
		struct rtattr lladdr;
		unsigned char mac[8];
	} ask = { .h = { .nlmsg_len = sizeof(ask) - 2,
			 .nlmsg_type = type,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags },
		  .m = { .ndm_family = AF_INET,
			 .ndm_ifindex = (int)if_nametoindex(name),
			 .ndm_state = NUD_PERMANENT },
		  .dst = { .rta_len = 8, .rta_type = NDA_DST },
		  .addr = inet_addr(PEER),
		  .lladdr = { .rta_len = 10, .rta_type = NDA_LLADDR } };
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char rest[256];
	} said = { 0 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	memcpy(ask.mac, mac, 6);
	CHECK(send(fd, &ask, ask.h.nlmsg_len, 0) == (ssize_t)ask.h.nlmsg_len);
	CHECK(recv(fd, &said, sizeof(said), 0) > 0 && said.h.nlmsg_type == NLMSG_ERROR);
	close(fd);
	return said.e.error;
}

/* The neighbour's address as arp(8) reads it; 0: it is not there. */
static int neigh_is(const char *name, const unsigned char *mac)
{
	struct arpreq a = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&a.arp_pa;

	in->sin_family = AF_INET;
	in->sin_addr.s_addr = inet_addr(PEER);
	strcpy(a.arp_dev, name);
	return !ioctl(ctl, SIOCGARP, &a) && !memcmp(a.arp_ha.sa_data, mac, 6) &&
	       (a.arp_flags & ATF_PERM);
}

/* The type of the next message about PEER, but for "it failed", which Linux tells before it goes. */
static int neigh_news(int fd)
{
	struct {
		struct nlmsghdr h;
		struct ndmsg m;
		struct rtattr dst;
		in_addr_t addr;
		char rest[256];
	} said = { 0 };

	while (recv(fd, &said, sizeof(said), 0) > 0) {
		int failed = said.h.nlmsg_type == RTM_NEWNEIGH && said.m.ndm_state == NUD_FAILED;

		if (said.m.ndm_family == AF_INET && said.dst.rta_type == NDA_DST && !failed &&
		    said.addr == inet_addr(PEER))
			return said.h.nlmsg_type;
	}
	return -1;
}

static void test_neighbours(void)
{
	static const unsigned char one[6] = { 2, 0, 0, 0, 0, 1 }, two[6] = { 2, 0, 0, 0, 0, 2 };
	char name[IFNAMSIZ] = "tap%d";
	struct sockaddr_nl group = { .nl_family = AF_NETLINK,
				     .nl_groups = 1 << (RTNLGRP_NEIGH - 1) };
	struct timeval tv = { TAP_PATIENCE_MS / 1000, 0 };
	int fd = opened(), create = NLM_F_CREATE | NLM_F_EXCL;
	int news = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	REQUIRE(!set_iff(fd, name, IFF_TAP | IFF_NO_PI) && !configure(name));
	REQUIRE(!bind(news, (struct sockaddr *)&group, sizeof(group)));
	setsockopt(news, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	CHECK(ask_neigh(name, RTM_DELNEIGH, 0, one) == -ENOENT);
	CHECK(ask_neigh(name, RTM_NEWNEIGH, 0, one) == -ENOENT);
	CHECK(ask_neigh(name, RTM_NEWNEIGH, create, one) == 0 && neigh_is(name, one));
	CHECK(ask_neigh(name, RTM_NEWNEIGH, create, two) == -EEXIST && neigh_is(name, one));
	CHECK(ask_neigh(name, RTM_NEWNEIGH, NLM_F_REPLACE, two) == 0 && neigh_is(name, two));
	CHECK(neigh_news(news) == RTM_NEWNEIGH); /* one */
	CHECK(neigh_news(news) == RTM_NEWNEIGH); /* two */
	CHECK(ask_neigh(name, RTM_DELNEIGH, 0, two) == 0 && !neigh_is(name, two));
	CHECK(neigh_news(news) == RTM_DELNEIGH);
	close(news);
	close(fd);
}

/* Sums that the other side completes. */
static void test_vnet(void)
{
	char name[IFNAMSIZ] = "tt%d";
	unsigned char p[256] = { 0 }, q[256];
	struct virtio_net_hdr h = { 0 }, *back = (struct virtio_net_hdr *)q;
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	unsigned char udp[13] = { PORT >> 8, PORT & 255, PORT >> 8, PORT & 255, 0,   13, 0,
				  0,	     'h',	 'e',	    'l',	'l', 'o' };
	int fd = opened(), u = socket(AF_INET, SOCK_DGRAM, 0);
	unsigned short sum;
	size_t n;

	REQUIRE(!set_iff(fd, name, IFF_TUN | IFF_NO_PI | IFF_VNET_HDR) && !configure(name));
	CHECK(!bind(u, (struct sockaddr *)&here, sizeof(here)));
	CHECK(say_hello() == 5 && readable(fd) && read(fd, q, sizeof(q)) == 43);
	CHECK(!back->flags && !back->gso_type && is_hello(q + 10, 33));
	CHECK(sum16(q + 22, 21, IPPROTO_UDP + 13) == 0xffff);
	CHECK(!ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM));
	CHECK(say_hello() == 5 && readable(fd) && read(fd, q, sizeof(q)) == 43);
	CHECK(back->flags == VIRTIO_NET_HDR_F_NEEDS_CSUM && back->csum_start == 20 &&
	      back->csum_offset == 6);
	/* And the other way. */
	n = make_ip(p + 10, IPPROTO_UDP, udp, sizeof(udp)) + 10;
	sum = sum16(p + 22, 8, IPPROTO_UDP + 13);
	p[36] = (unsigned char)(sum >> 8);
	p[37] = (unsigned char)sum;
	h = (struct virtio_net_hdr){ VIRTIO_NET_HDR_F_NEEDS_CSUM, 0, 0, 0, 20, 6 };
	memcpy(p, &h, 10);
	CHECK(write(fd, p, n) == (long)n);
	CHECK(readable(u) && recv(u, q, sizeof(q), 0) == 5 && !memcmp(q, "hello", 5));
	h.csum_start = 32;
	memcpy(p, &h, 10);
	CHECK_ERR(write(fd, p, n), EINVAL); /* beyond the packet */
	h = (struct virtio_net_hdr){ 0, VIRTIO_NET_HDR_GSO_TCPV4, 0, 0, 0, 0 };
	memcpy(p, &h, 10);
	CHECK_ERR(write(fd, p, n), EINVAL); /* segments of no size */
	CHECK_ERR(write(fd, p, 9), EINVAL);
	close(u);
	close(fd);
}

static int forwarding(const char *set, char *old)
{
	int fd = open("/proc/sys/net/ipv4/ip_forward", O_RDWR), good;

	good = (!old || read(fd, old, 1) == 1) && pwrite(fd, set, 1, 0) == 1;
	close(fd);
	return good;
}

/*
 * A segment of TCP that is to be cut, forwarded to a device that takes it in pieces. With a header
 * of TCP that is too short it goes nowhere.
 */
static int write_segments(int fd, unsigned size, unsigned char doff, unsigned char df)
{
	static unsigned char p[4096];
	unsigned char tcp[20 + 2500] = { 0, 80, 0, 81, 0, 0, 0, 0, 0, 0, 0, 0, doff, 0x18, 1, 0 };
	struct virtio_net_hdr h = { VIRTIO_NET_HDR_F_NEEDS_CSUM,
				    VIRTIO_NET_HDR_GSO_TCPV4,
				    40,
				    (unsigned short)size,
				    20,
				    16 };
	in_addr_t to = inet_addr("10.88.0.2");
	unsigned short sum;
	size_t n;

	memset(tcp + 20, 'x', 2500);
	n = make_ip(p + 10, IPPROTO_TCP, tcp, sizeof(tcp)) + 10;
	memcpy(p + 10 + 16, &to, 4);
	p[10 + 6] = df;
	p[10 + 10] = p[10 + 11] = 0;
	sum = (unsigned short)~sum16(p + 10, 20, 0);
	p[10 + 10] = (unsigned char)(sum >> 8);
	p[10 + 11] = (unsigned char)sum;
	sum = sum16(p + 22, 8, IPPROTO_TCP + sizeof(tcp));
	p[46] = (unsigned char)(sum >> 8);
	p[47] = (unsigned char)sum;
	memcpy(p, &h, 10);
	return write(fd, p, n) == (long)n;
}

static void test_segments(void)
{
	char in[IFNAMSIZ] = "tt%d", out[IFNAMSIZ] = "tt%d", old[2] = "0";
	static unsigned char q[4096];
	struct ifreq r = { .ifr_mtu = 600 };
	int a = opened(), b = opened(), good = 1;
	long n;

	REQUIRE(!set_iff(a, in, IFF_TUN | IFF_NO_PI | IFF_VNET_HDR) && !configure(in));
	REQUIRE(!set_iff(b, out, IFF_TUN | IFF_NO_PI) && !configure(out));
	CHECK(!set_in(out, SIOCSIFADDR, "10.88.0.1"));
	CHECK(!set_in(out, SIOCSIFNETMASK, "255.255.255.0"));
	REQUIRE(forwarding("1", old));
	CHECK(write_segments(a, 1000, 0x00, 0) || errno == EINVAL); /* no header of TCP */
	CHECK(write_segments(a, 1000, 0x50, 0));
	for (int i = 0; i < 3; i++) {
		long len = i < 2 ? 1000 : 500;

		good &= readable(b) && read(b, q, sizeof(q)) == 40 + len && q[27] == i * 1000 % 256;
		good &= sum16(q + 12, 28 + len, (unsigned)(IPPROTO_TCP + 20 + len)) == 0xffff;
	}
	CHECK(good);
	fcntl(b, F_SETFL, O_NONBLOCK);
	CHECK_ERR(read(b, q, sizeof(q)), EAGAIN);
	/* Segments that are too long for the next link: cut, or refused. */
	CHECK(!dev_ioctl(out, SIOCSIFMTU, &r) && write_segments(a, 2000, 0x50, 0));
	for (n = 0; n < 2500 && good;) {
		long len = readable(b) ? read(b, q, sizeof(q)) : -1;

		good &= len > 20 && len <= 600;
		n += len - 20 - (q[6] & 0x1f || q[7] ? 0 : 20); /* a later fragment has no TCP */
	}
	CHECK(good && n == 2500);
	fcntl(a, F_SETFL, O_NONBLOCK);
	CHECK_ERR(read(a, q, sizeof(q)), EAGAIN);
	CHECK(write_segments(a, 2000, 0x50, 0x40) && readable(a));
	CHECK(read(a, q, sizeof(q)) >= 38 && q[30] == 3 && q[31] == 4 &&
	      q[36] * 256 + q[37] == 600);
	CHECK_ERR(read(b, q, sizeof(q)), EAGAIN);
	CHECK(forwarding(old, NULL));
	close(a);
	close(b);
}

/* May a socket have the address US, and does a datagram to it arrive? 0 or errno. */
static int is_ours(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = inet_addr(US) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_DGRAM, 0), err = 0;
	char c;

	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) ||
	    getsockname(fd, (struct sockaddr *)&a, &len) ||
	    sendto(ctl, "o", 1, 0, (struct sockaddr *)&a, len) != 1)
		err = errno;
	else if (!readable(fd) || read(fd, &c, 1) != 1 || c != 'o')
		err = ETIMEDOUT;
	close(fd);
	return err;
}

/* An address is ours while it is there, be the device up or not. */
static void test_address(void)
{
	char name[IFNAMSIZ] = "ta%d";
	int fd = opened();

	REQUIRE(!set_iff(fd, name, IFF_TUN | IFF_NO_PI));
	CHECK(is_ours() == EADDRNOTAVAIL);
	CHECK(!set_in(name, SIOCSIFADDR, US));
	CHECK(!(flags_of(name) & IFF_UP));
	CHECK(is_ours() == 0);
	CHECK(!set_up(name, 1));
	CHECK(is_ours() == 0);
	CHECK(!set_up(name, 0));
	CHECK(is_ours() == 0);
	CHECK(!set_in(name, SIOCSIFADDR, "0.0.0.0"));
	CHECK(is_ours() == EADDRNOTAVAIL);
	CHECK(!set_in(name, SIOCSIFADDR, US));
	CHECK(is_ours() == 0);
	close(fd);
	CHECK(is_ours() == EADDRNOTAVAIL);
}

int main(void)
{
	alarm(TAP_LIMIT);
	tun_start();
	test_errors();
	test_attach();
	test_events();
	test_address();
	test_numbers();
	test_packets();
	test_packet_info();
	test_bound();
	test_ethernet();
	test_filter();
	test_neighbours();
	test_vnet();
	test_segments();
	return tap_done();
}
