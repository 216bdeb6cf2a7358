#pragma once
/*
 * The network, on loopback: datagrams, raw and packet sockets, memberships, TCP; what netlink changes
 * and tells; TUN. A datagram that was sent may be lost for want of memory; who asked netlink must
 * have an answer or an error.
 */
#include <linux/genetlink.h>
#include <linux/if_addr.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/inet_diag.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include "../inet.h"
#include "engine.h"

#define NET_GROUP "239.9.8.7"
#define TUN_NAME "failtun"

/* What was sent may not have come. */
static long taken(int s, char *buf, size_t n, int flags)
{
	long r = recv(s, buf, n, flags | MSG_DONTWAIT);

	return r < 0 && errno == EAGAIN ? 0 : r;
}

static long do_udp(void)
{
	static char data[30000];
	struct sockaddr_in a = at("127.0.0.1", 0);
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	long r = s < 0 ? -1 : bind(s, SA(a));

	if (!r) {
		a = at("127.0.0.1", port_of(s));
		r = sendto(s, data, 100, 0, SA(a));
	}
	if (r >= 0)
		r = sendto(s, data, sizeof(data), 0, SA(a));
	if (r >= 0)
		r = connect(s, SA(a));
	if (r >= 0)
		r = send(s, data, 1000, MSG_MORE);
	if (r >= 0)
		r = send(s, data, 5000, 0);
	for (int i = 0; i < 3 && r >= 0; i++)
		r = taken(s, data, sizeof(data), i ? 0 : MSG_PEEK);
	KEEP_ERRNO(closed(s));
	return r;
}

/* Nobody is there: the error comes back in an ICMP message, to the queue of errors. */
static long do_udp_refused(void)
{
	struct sockaddr_in a = at("127.0.0.1", 9);
	char buf[64], control[256];
	struct iovec v = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	int s = socket(AF_INET, SOCK_DGRAM, 0), one = 1;
	long r = s < 0 ? -1 : setsockopt(s, IPPROTO_IP, IP_RECVERR, &one, sizeof(one));

	if (!r)
		r = sendto(s, "x", 1, 0, SA(a));
	if (r >= 0 && recvmsg(s, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0 && errno != EAGAIN)
		r = -1;
	KEEP_ERRNO(closed(s));
	return r;
}

static long do_raw(void)
{
	static const unsigned char options[] = { 7, 7, 4, 0, 0, 0, 0, 0 }; /* record route */
	struct sockaddr_in a = at("127.0.0.1", 0);
	char data[3000] = "";
	int s = socket(AF_INET, SOCK_RAW, 253);
	long r = s < 0 ? -1 : setsockopt(s, IPPROTO_IP, IP_OPTIONS, options, sizeof(options));

	if (!r)
		r = sendto(s, data, sizeof(data), 0, SA(a));
	if (r >= 0)
		r = taken(s, data, sizeof(data), 0);
	KEEP_ERRNO(closed(s));
	return r;
}

static long do_ping(void)
{
	struct sockaddr_in a = at("127.0.0.1", 0);
	unsigned char echo[64] = { 8, 0, 0xf7, 0xff };
	char answer[200];
	int s = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	long r = s < 0 ? -1 : sendto(s, echo, sizeof(echo), 0, SA(a));

	for (int i = 0; i < 2 && r >= 0; i++)
		r = taken(s, answer, sizeof(answer), 0);
	KEEP_ERRNO(closed(s));
	return r;
}

static long do_packet(void)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = 1 };
	struct packet_mreq m = { .mr_ifindex = 1, .mr_type = PACKET_MR_PROMISC };
	unsigned char frame[1000] = { [12] = 0x88, [13] = 0xb5 };
	int s = socket(AF_PACKET, SOCK_RAW, 0), fanout = 4242;
	long r = s < 0 ? -1 : bind(s, SA(a));

	if (!r)
		r = setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof(m));
	if (!r)
		r = setsockopt(s, SOL_PACKET, PACKET_FANOUT, &fanout, sizeof(fanout));
	if (!r)
		r = send(s, frame, sizeof(frame), 0);
	if (r >= 0)
		r = taken(s, (char *)frame, sizeof(frame), 0);
	KEEP_ERRNO(closed(s));
	return r;
}

static long do_multicast(void)
{
	struct ip_mreqn any = { .imr_ifindex = 1 };
	struct ip_mreq_source one;
	char room[IP_MSFILTER_SIZE(20)] = "";
	struct ip_msfilter *f = (struct ip_msfilter *)room;
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	long r;

	inet_pton(AF_INET, NET_GROUP, &any.imr_multiaddr);
	inet_pton(AF_INET, "239.9.8.6", &one.imr_multiaddr);
	inet_pton(AF_INET, "127.0.0.1", &one.imr_interface);
	inet_pton(AF_INET, "127.0.0.9", &one.imr_sourceaddr);
	f->imsf_multiaddr = any.imr_multiaddr;
	f->imsf_interface.s_addr = htonl(INADDR_LOOPBACK);
	f->imsf_fmode = MCAST_INCLUDE;
	f->imsf_numsrc = 8;
	for (unsigned i = 0; i < 8; i++)
		((uint32_t *)f->imsf_slist)[i] = htonl(INADDR_LOOPBACK + 1 + i);
	r = s < 0 ? -1 : setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &any, sizeof(any));
	if (!r)
		r = setsockopt(s, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &one, sizeof(one));
	if (!r)
		r = setsockopt(s, IPPROTO_IP, IP_MSFILTER, f, IP_MSFILTER_SIZE(8));
	if (!r)
		r = setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, &any, sizeof(any));
	KEEP_ERRNO(closed(s));
	return r;
}

/* A connection that is not there at once comes later, by a segment sent again: not waited for. */
static long do_tcp(void)
{
	struct sockaddr_in a = at("127.0.0.1", 0);
	struct linger none = { 1, 0 };
	int l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), c = -1, s = -1;
	char data[5000] = "";
	long r = l < 0 ? -1 : bind(l, SA(a));

	if (!r)
		r = listen(l, 5);
	if (!r)
		r = c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (r >= 0) {
		a = at("127.0.0.1", port_of(l));
		r = connect(c, SA(a));
	}
	if (r < 0 && errno == EINPROGRESS)
		r = 0;
	if (r >= 0) {
		r = s = accept(l, NULL, NULL);
		if (r >= 0)
			r = send(c, data, sizeof(data), 0);
		else if (errno == EAGAIN)
			r = 0;
	}
	if (r >= 0 && s >= 0)
		r = taken(s, data, sizeof(data), 0);
	if (c >= 0)
		KEEP_ERRNO(setsockopt(c, SOL_SOCKET, SO_LINGER, &none, sizeof(none)));
	KEEP_ERRNO((closed(c), closed(s), closed(l)));
	return r;
}

/* --- netlink --- */

struct nl_request {
	struct nlmsghdr h;
	char body[200];
};

static struct nl_request nl_begin(int type, int flags, const void *fixed, size_t n)
{
	struct nl_request q = { .h = { .nlmsg_len = NLMSG_LENGTH(n),
				       .nlmsg_type = (unsigned short)type,
				       .nlmsg_flags = (unsigned short)(NLM_F_REQUEST | flags) } };

	memcpy(q.body, fixed, n);
	return q;
}

static void nl_add(struct nl_request *q, int type, const void *value, size_t n)
{
	struct rtattr *a = (struct rtattr *)((char *)q + NLMSG_ALIGN(q->h.nlmsg_len));

	a->rta_type = (unsigned short)type;
	a->rta_len = (unsigned short)RTA_LENGTH(n);
	memcpy(RTA_DATA(a), value, n);
	q->h.nlmsg_len = NLMSG_ALIGN(q->h.nlmsg_len) + RTA_ALIGN(a->rta_len);
}

static void nl_add_addr(struct nl_request *q, int type, const char *text)
{
	struct in_addr a;

	inet_pton(AF_INET, text, &a);
	nl_add(q, type, &a, sizeof(a));
}

/* Ask, and read all of the answer. The error it tells is errno. */
static long nl_ask(int s, struct nl_request *q)
{
	static char answer[1 << 16];
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	long n = sendto(s, q, q->h.nlmsg_len, 0, SA(kernel));

	while (n >= 0) {
		const struct nlmsghdr *h = (const void *)answer;

		n = recv(s, answer, sizeof(answer), MSG_DONTWAIT);
		for (long left = n; left > 0 && NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_type != NLMSG_ERROR && h->nlmsg_type != NLMSG_DONE)
				continue;
			errno = -*(const int *)NLMSG_DATA(h);
			return errno ? -1 : 0;
		}
	}
	return -1;
}

/* @make on a socket of its own, then @undo, that nothing fails of. */
static long nl_do(int protocol, struct nl_request *make, struct nl_request *undo)
{
	int s = socket(AF_NETLINK, SOCK_RAW, protocol);
	long r = s < 0 ? -1 : nl_ask(s, make);

	if (undo && s >= 0)
		KEEP_ERRNO(nl_ask(s, undo));
	KEEP_ERRNO(closed(s));
	return r;
}

#define NL_MAKE (NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL)

static long do_route(void)
{
	struct rtmsg m = { .rtm_family = AF_INET,
			   .rtm_dst_len = 16,
			   .rtm_table = RT_TABLE_MAIN,
			   .rtm_protocol = RTPROT_STATIC,
			   .rtm_scope = RT_SCOPE_LINK,
			   .rtm_type = RTN_UNICAST };
	struct nl_request q = nl_begin(RTM_NEWROUTE, NL_MAKE, &m, sizeof(m)), undo;
	int lo = 1;

	nl_add_addr(&q, RTA_DST, "10.99.0.0");
	nl_add(&q, RTA_OIF, &lo, sizeof(lo));
	undo = q;
	undo.h.nlmsg_type = RTM_DELROUTE;
	undo.h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	return nl_do(NETLINK_ROUTE, &q, &undo);
}

static long do_address(void)
{
	struct ifaddrmsg m = { .ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_index = 1 };
	struct nl_request q = nl_begin(RTM_NEWADDR, NL_MAKE, &m, sizeof(m)), undo;

	nl_add_addr(&q, IFA_LOCAL, "10.97.0.1");
	nl_add_addr(&q, IFA_ADDRESS, "10.97.0.1");
	undo = q;
	undo.h.nlmsg_type = RTM_DELADDR;
	undo.h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	return nl_do(NETLINK_ROUTE, &q, &undo);
}

static int tun_fd = -1, tun_index;

static int tun_set(const char *name, unsigned long cmd, short flags, const char *addr)
{
	struct ifreq r = { .ifr_flags = flags };
	struct sockaddr_in a = at(addr ? addr : "0.0.0.0", 0);
	int s = socket(AF_INET, SOCK_DGRAM, 0), ret, err;

	strcpy(r.ifr_name, name);
	if (addr)
		memcpy(&r.ifr_addr, &a, sizeof(a));
	ret = s < 0 ? -1 : ioctl(s, cmd, &r);
	err = errno;
	closed(s);
	errno = err;
	return ret;
}

static int tun_open(int flags)
{
	struct ifreq r = { .ifr_name = TUN_NAME, .ifr_flags = (short)(flags | IFF_NO_PI) };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	if (fd >= 0 && ioctl(fd, TUNSETIFF, &r)) {
		KEEP_ERRNO(close(fd));
		return -1;
	}
	return fd;
}

/* A device with an address, up. */
static int tun_make(int flags)
{
	tun_fd = tun_open(flags);
	tun_index = (int)if_nametoindex(TUN_NAME);
	return tun_fd < 0 || tun_set(TUN_NAME, SIOCSIFADDR, 0, "10.96.0.1") ||
			       tun_set(TUN_NAME, SIOCSIFNETMASK, 0, "255.255.255.0") ||
			       tun_set(TUN_NAME, SIOCSIFFLAGS, IFF_UP, NULL)
		       ? -1
		       : 0;
}

/* Records of devices are kept for a while, that many: until there are no more. */
#define TUN_RECORDS 128

static void tun_fill_records(void)
{
	for (int i = 0; i < TUN_RECORDS; i++)
		closed(tun_open(IFF_TUN));
}

static int tap_make(void)
{
	return tun_make(IFF_TAP);
}

static int tun_make_up(void)
{
	return tun_make(IFF_TUN);
}

static void tun_drop(void)
{
	close(tun_fd);
	tun_fd = -1;
}

static long do_neighbour(void)
{
	struct ndmsg m = { .ndm_family = AF_INET,
			   .ndm_ifindex = tun_index,
			   .ndm_state = NUD_PERMANENT };
	struct nl_request q = nl_begin(RTM_NEWNEIGH, NL_MAKE, &m, sizeof(m)), undo;
	unsigned char mac[6] = { 2, 0, 0, 0, 0, 9 };

	nl_add_addr(&q, NDA_DST, "10.96.0.9");
	nl_add(&q, NDA_LLADDR, mac, sizeof(mac));
	undo = q;
	undo.h.nlmsg_type = RTM_DELNEIGH;
	undo.h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	return nl_do(NETLINK_ROUTE, &q, &undo);
}

/* A neighbour that is asked for, with packets that wait for it, and the answer. */
static long do_arp(void)
{
	struct sockaddr_in a = at("10.96.0.8", 9);
	static char data[4000];
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	long r = s < 0 ? -1 : sendto(s, data, 100, 0, SA(a));

	if (r >= 0)
		r = sendto(s, data, sizeof(data), 0, SA(a));
	if (r >= 0)
		r = read(tun_fd, data, sizeof(data));
	if (r < 0 && errno == EAGAIN) /* the question was lost */
		r = 0;
	KEEP_ERRNO(closed(s));
	return r;
}

static long dump(int protocol, int type, const void *fixed, size_t n)
{
	struct nl_request q = nl_begin(type, NLM_F_DUMP, fixed, n);

	return nl_do(protocol, &q, NULL);
}

static long do_dumps(void)
{
	static const short types[] = { RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETNEIGH,
				       RTM_GETRULE };
	struct ifinfomsg m = { .ifi_family = AF_INET };
	long r = 0;

	for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]) && r >= 0; i++)
		r = dump(NETLINK_ROUTE, types[i], &m, sizeof(m));
	return r;
}

static long do_sock_diag(void)
{
	struct inet_diag_req_v2 in = { .sdiag_family = AF_INET, .idiag_states = ~0u };
	struct unix_diag_req un = { .sdiag_family = AF_UNIX,
				    .udiag_states = ~0u,
				    .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER };
	int s = socket(AF_INET, SOCK_DGRAM, 0), u = socket(AF_UNIX, SOCK_STREAM, 0);
	long r = s < 0 || u < 0 ? -1 : 0;

	for (int i = 0; i < 2 && r >= 0; i++) {
		in.sdiag_protocol = i ? IPPROTO_UDP : IPPROTO_TCP;
		r = dump(NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, &in, sizeof(in));
	}
	if (r >= 0)
		r = dump(NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, &un, sizeof(un));
	KEEP_ERRNO((closed(s), closed(u)));
	return r;
}

static long do_generic(void)
{
	struct genlmsghdr g = { .cmd = CTRL_CMD_GETFAMILY, .version = 1 };

	return dump(NETLINK_GENERIC, GENL_ID_CTRL, &g, sizeof(g));
}

/* Who listens is told of what others change, or that something was lost. */
static long do_news(void)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK,
				 .nl_groups = RTMGRP_IPV4_ROUTE | RTMGRP_IPV4_IFADDR };
	char buf[1000];
	int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	long r = s < 0 ? -1 : bind(s, SA(a));

	if (!r)
		r = do_address();
	if (!r)
		r = recv(s, buf, sizeof(buf), MSG_DONTWAIT);
	KEEP_ERRNO(closed(s));
	return r;
}

/* --- TUN --- */

static long do_tun(void)
{
	int fd = tun_open(IFF_TUN);
	long r;

	if (fd < 0)
		return -1;
	r = tun_set(TUN_NAME, SIOCSIFADDR, 0, "10.95.0.1");
	if (!r)
		r = tun_set(TUN_NAME, SIOCSIFFLAGS, IFF_UP, NULL);
	KEEP_ERRNO(close(fd));
	return r;
}

/* A datagram of @n bytes from the device, @more of it to come, at @offset. */
static long tun_write(size_t n, size_t offset, int more)
{
	unsigned char p[1200] = { 0x45 };
	struct in_addr from = at("10.96.0.2", 0).sin_addr, to = at("10.96.0.1", 0).sin_addr;
	unsigned sum = 0;

	p[2] = (unsigned char)((20 + n) >> 8);
	p[3] = (unsigned char)(20 + n);
	p[5] = 77;
	p[6] = (unsigned char)((more ? 0x20 : 0) | offset >> 11);
	p[7] = (unsigned char)(offset >> 3);
	p[8] = 64;
	p[9] = 253;
	memcpy(p + 12, &from, 4);
	memcpy(p + 16, &to, 4);
	for (int i = 0; i < 20; i += 2)
		sum += (unsigned)p[i] << 8 | p[i + 1];
	sum = ~((sum >> 16) + (sum & 0xffff)) & 0xffff;
	p[10] = (unsigned char)(sum >> 8);
	p[11] = (unsigned char)sum;
	return write(tun_fd, p, 20 + n);
}

/* In, by pieces to a raw socket, and out, cut to the device's size. */
static long do_tun_packets(void)
{
	static char data[3000];
	struct sockaddr_in a = at("10.96.0.2", 9);
	int s = socket(AF_INET, SOCK_RAW, 253);
	long r = s < 0 ? -1 : tun_write(1000, 0, 1);

	if (r >= 0)
		r = tun_write(500, 1000, 0);
	if (r >= 0)
		r = taken(s, data, sizeof(data), 0);
	if (r >= 0)
		r = sendto(s, data, sizeof(data), 0, SA(a));
	for (int i = 0; i < 3 && r >= 0; i++) {
		r = read(tun_fd, data, sizeof(data));
		if (r < 0 && errno == EAGAIN)
			r = 0;
	}
	KEEP_ERRNO(closed(s));
	return r;
}

#define NET_ERRS .errs = { ENFILE, ENOBUFS }

static const struct op network_ops[] = {
	{ "udp", do_udp, NET_ERRS },
	{ "udp, refused", do_udp_refused, NET_ERRS },
	{ "raw", do_raw, NET_ERRS },
	{ "ping", do_ping, NET_ERRS },
	{ "frames", do_packet, NET_ERRS },
	{ "multicast", do_multicast, NET_ERRS },
	{ "tcp", do_tcp, .errs = { ENFILE, ENOBUFS, EAGAIN } },
	{ "route", do_route, NET_ERRS },
	{ "address", do_address, NET_ERRS },
	{ "neighbour", do_neighbour, tap_make, tun_drop, { ENFILE, ENOBUFS } },
	{ "arp", do_arp, tap_make, tun_drop, { ENFILE, ENOBUFS } },
	{ "dumps of rtnetlink", do_dumps, NET_ERRS },
	{ "sock_diag", do_sock_diag, NET_ERRS },
	{ "generic netlink", do_generic, NET_ERRS },
	{ "news of rtnetlink", do_news, NET_ERRS },
	{ "tun", do_tun, NET_ERRS },
	{ "tun, packets", do_tun_packets, tun_make_up, tun_drop, { ENFILE, ENOBUFS } },
	{ NULL },
};
