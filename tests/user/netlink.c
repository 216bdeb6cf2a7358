/*
 * NETLINK_ROUTE and NETLINK_SOCK_DIAG as ip(8) and ss(8) use them: addresses, routes with a
 * preferred source, rules, local routes; sockets by state, by filter, one by one; requests that are
 * malformed; what queues there are. And what ethtool asks of the loopback device, and multicast
 * groups there. Changes loopback only; needs root.
 */
#define _GNU_SOURCE
#include "in_child.h"
#include "inet.h"
#include <linux/ethtool.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/inet_diag.h>
#include <linux/net_tstamp.h>
#include <linux/nexthop.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/un.h>

#define STATE(n) (1u << (n))
enum { ESTABLISHED = 1, CLOSED = 7, LISTENING = 10 };

static char answer[1 << 18];
static int answer_len;
static struct {
	struct nlmsghdr h;
	char body[512];
} req;

static int nl_open(int protocol)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW, protocol), big = 1 << 20;

	if (fd >= 0)
		bind(fd, SA(a));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &big, sizeof(big));
	return fd;
}

static void begin(int type, int flags, const void *fixed, unsigned n)
{
	memset(&req, 0, sizeof(req));
	req.h.nlmsg_type = type;
	req.h.nlmsg_flags = NLM_F_REQUEST | flags;
	req.h.nlmsg_len = NLMSG_LENGTH(n);
	memcpy(req.body, fixed, n);
}

static void attr(int type, const void *data, unsigned n)
{
	struct rtattr *a = (void *)((char *)&req + NLMSG_ALIGN(req.h.nlmsg_len));

	a->rta_type = type;
	a->rta_len = RTA_LENGTH(n);
	memcpy(RTA_DATA(a), data, n);
	req.h.nlmsg_len = NLMSG_ALIGN(req.h.nlmsg_len) + RTA_ALIGN(a->rta_len);
}

/* Send; gather all up to the end of the dump or the verdict, which is returned (0 or -errno). */
static int talk(int fd)
{
	answer_len = 0;
	if (send(fd, &req, req.h.nlmsg_len, 0) < 0)
		return -errno;
	for (;;) {
		int n = recv(fd, answer + answer_len, sizeof(answer) - answer_len, 0);
		struct nlmsghdr *h = (void *)(answer + answer_len);

		if (n < 0)
			return -errno;
		answer_len += n;
		for (int left = n; NLMSG_OK(h, (unsigned)left); h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_type == NLMSG_ERROR)
				return ((struct nlmsgerr *)NLMSG_DATA(h))->error;
			if (h->nlmsg_type == NLMSG_DONE)
				return 0;
			if (!(h->nlmsg_flags & NLM_F_MULTI) && !(req.h.nlmsg_flags & NLM_F_ACK))
				return 0;
		}
	}
}

static struct rtattr *find_attr(struct nlmsghdr *h, unsigned fixed, int type)
{
	struct rtattr *a = (void *)((char *)NLMSG_DATA(h) + NLMSG_ALIGN(fixed));
	int left = h->nlmsg_len - NLMSG_SPACE(fixed);

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == type)
			return a;
	}
	return NULL;
}

#define EACH(h)                                                                    \
	for (struct nlmsghdr *h = (void *)answer; (char *)h < answer + answer_len; \
	     h = (void *)((char *)h + NLMSG_ALIGN(h->nlmsg_len)))

/* --- addresses and routes --- */

static int change_addr(int fd, int type, const char *addr, int prefix)
{
	struct ifaddrmsg m = { AF_INET, prefix, 0, 0, if_nametoindex("lo") };
	struct in_addr a;

	inet_pton(AF_INET, addr, &a);
	begin(type, NLM_F_ACK | (type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_EXCL : 0), &m,
	      sizeof(m));
	attr(IFA_LOCAL, &a, 4);
	return talk(fd);
}

/* Flags of the address, -1: it is not there. */
static int addr_flags(int fd, const char *addr)
{
	struct ifaddrmsg m = { AF_INET };
	struct in_addr a;

	inet_pton(AF_INET, addr, &a);
	begin(RTM_GETADDR, NLM_F_DUMP, &m, sizeof(m));
	if (talk(fd))
		return -1;
	EACH(h)
	{
		struct rtattr *l = find_attr(h, sizeof(m), IFA_LOCAL);

		if (h->nlmsg_type == RTM_NEWADDR && l && !memcmp(RTA_DATA(l), &a, 4))
			return ((struct ifaddrmsg *)NLMSG_DATA(h))->ifa_flags;
	}
	return -1;
}

static int change_route(int fd, int type, const char *dst, const char *src)
{
	struct rtmsg m = { .rtm_family = AF_INET,
			   .rtm_dst_len = 24,
			   .rtm_table = RT_TABLE_MAIN,
			   .rtm_protocol = RTPROT_STATIC,
			   .rtm_scope = RT_SCOPE_LINK,
			   .rtm_type = RTN_UNICAST };
	int lo = if_nametoindex("lo");
	struct in_addr a;

	begin(type, NLM_F_ACK | (type == RTM_NEWROUTE ? NLM_F_CREATE | NLM_F_EXCL : 0), &m,
	      sizeof(m));
	inet_pton(AF_INET, dst, &a);
	attr(RTA_DST, &a, 4);
	attr(RTA_OIF, &lo, 4);
	if (src) {
		inet_pton(AF_INET, src, &a);
		attr(RTA_PREFSRC, &a, 4);
	}
	return talk(fd);
}

static int route_exists(int fd, const char *dst, int table)
{
	struct rtmsg m = { .rtm_family = AF_INET };
	struct in_addr a;
	int n = 0;

	inet_pton(AF_INET, dst, &a);
	begin(RTM_GETROUTE, NLM_F_DUMP, &m, sizeof(m));
	if (talk(fd))
		return -1;
	EACH(h)
	{
		struct rtattr *d = find_attr(h, sizeof(m), RTA_DST);
		struct rtmsg *r = NLMSG_DATA(h);

		n += h->nlmsg_type == RTM_NEWROUTE && d && !memcmp(RTA_DATA(d), &a, 4) &&
		     r->rtm_table == table;
	}
	return n;
}

static void routes(void)
{
	int fd = nl_open(NETLINK_ROUTE);

	CHECK(!change_addr(fd, RTM_NEWADDR, "10.77.0.1", 24));
	CHECK(change_addr(fd, RTM_NEWADDR, "10.77.0.1", 24) == -EEXIST);
	CHECK(!change_addr(fd, RTM_NEWADDR, "10.77.0.2", 24));
	CHECK(!(addr_flags(fd, "10.77.0.1") & IFA_F_SECONDARY));
	CHECK(addr_flags(fd, "10.77.0.2") > 0 && addr_flags(fd, "10.77.0.2") & IFA_F_SECONDARY);
	CHECK(route_exists(fd, "10.77.0.1", RT_TABLE_LOCAL) == 1);
	CHECK(!change_route(fd, RTM_NEWROUTE, "10.78.0.0", "10.77.0.2"));
	CHECK(change_route(fd, RTM_NEWROUTE, "10.78.0.0", "10.77.0.2") == -EEXIST);
	CHECK(change_route(fd, RTM_NEWROUTE, "10.79.0.0", "10.99.0.1") == -EINVAL);
	CHECK(!change_route(fd, RTM_NEWROUTE, "10.79.0.0", NULL));
	CHECK(route_exists(fd, "10.78.0.0", RT_TABLE_MAIN) == 1);
	CHECK(!change_addr(fd, RTM_DELADDR, "10.77.0.2", 24));
	/* On loopback the whole net of an address is local, its source with it. */
	CHECK(route_exists(fd, "10.78.0.0", RT_TABLE_MAIN) == 1);
	CHECK(route_exists(fd, "10.79.0.0", RT_TABLE_MAIN) == 1);
	CHECK(!change_addr(fd, RTM_NEWADDR, "10.77.0.3", 24));
	CHECK(!change_addr(fd, RTM_DELADDR, "10.77.0.1", 24));
	CHECK(addr_flags(fd, "10.77.0.3") == -1); /* with the first of the net */
	CHECK(change_addr(fd, RTM_DELADDR, "10.77.0.1", 24) == -EADDRNOTAVAIL);
	CHECK(!change_route(fd, RTM_DELROUTE, "10.78.0.0", NULL));
	CHECK(!change_addr(fd, RTM_NEWADDR, "10.80.0.1", 32));
	CHECK(!change_route(fd, RTM_NEWROUTE, "10.81.0.0", "10.80.0.1"));
	CHECK(!change_addr(fd, RTM_DELADDR, "10.80.0.1", 32));
	CHECK(!route_exists(fd, "10.81.0.0", RT_TABLE_MAIN)); /* its source went */
	CHECK(!change_route(fd, RTM_DELROUTE, "10.79.0.0", NULL));
	CHECK(change_route(fd, RTM_DELROUTE, "10.79.0.0", NULL) == -ESRCH);
	close(fd);
}

static void rules(void)
{
	struct fib_rule_hdr m = { .family = AF_INET };
	int fd = nl_open(NETLINK_ROUTE), n = 0;

	begin(RTM_GETRULE, NLM_F_DUMP, &m, sizeof(m));
	CHECK(!talk(fd));
	EACH(h) n += h->nlmsg_type == RTM_NEWRULE;
	CHECK(n == 3);
	close(fd);
}

/* --- sockets --- */

static struct inet_diag_msg shown;
static struct tcp_info info;

/* Sockets of IPv4 that a dump shows with the local port, or all (0). -errno */
static int diag(int fd, int protocol, unsigned states, int port, const void *code, unsigned len)
{
	struct inet_diag_req_v2 m = { .sdiag_family = AF_INET,
				      .sdiag_protocol = protocol,
				      .idiag_states = states,
				      .idiag_ext = 1 << (INET_DIAG_INFO - 1) };
	int n = 0, err;

	begin(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &m, sizeof(m));
	if (code)
		attr(INET_DIAG_REQ_BYTECODE, code, len);
	err = talk(fd);
	if (err)
		return err;
	EACH(h)
	{
		struct inet_diag_msg *d = NLMSG_DATA(h);
		struct rtattr *i = find_attr(h, sizeof(*d), INET_DIAG_INFO);

		if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
		    (port && ntohs(d->id.idiag_sport) != port))
			continue;
		n++;
		shown = *d;
		if (i)
			memcpy(&info, RTA_DATA(i),
			       RTA_PAYLOAD(i) < sizeof(info) ? RTA_PAYLOAD(i) : sizeof(info));
	}
	return n;
}

/* Code that chooses: a listener and its connection share @port. */
static void filters(int fd, int port)
{
	struct {
		struct inet_diag_bc_op op, arg;
	} code = { { INET_DIAG_BC_S_EQ, 8, 12 }, { 0 } };
	struct {
		struct inet_diag_bc_op op;
		struct inet_diag_hostcond host;
		unsigned addr;
	} hosts = { { INET_DIAG_BC_D_COND, sizeof(hosts), sizeof(hosts) + 4 },
		    { AF_INET, 32, -1 },
		    0 };

	code.arg.no = port;
	CHECK(diag(fd, IPPROTO_TCP, ~0u, 0, &code, sizeof(code)) == 2);
	code.arg.no = 1;
	CHECK(diag(fd, IPPROTO_TCP, ~0u, 0, &code, sizeof(code)) == 0);
	hosts.addr = inet_addr("127.0.0.1");
	CHECK(diag(fd, IPPROTO_TCP, ~0u, port, &hosts, sizeof(hosts)) == 1);
	hosts.addr = inet_addr("127.0.0.2");
	CHECK(diag(fd, IPPROTO_TCP, ~0u, port, &hosts, sizeof(hosts)) == 0);
	code.op.yes = 7; /* code that leads astray */
	CHECK(diag(fd, IPPROTO_TCP, ~0u, 0, &code, sizeof(code)) == -EINVAL);
	code.op.yes = 8;
	CHECK(diag(fd, IPPROTO_TCP, ~0u, 0, &code, 4) == -EINVAL);
	{
		/* A jump into the middle of a comparison, where its argument looks like one. */
		struct inet_diag_bc_op into[4] = { { INET_DIAG_BC_S_EQ, 8, 12 },
						   { 0, 0, 1 },
						   { INET_DIAG_BC_S_GE, 8, 8 },
						   { INET_DIAG_BC_D_COND, 4, 4 } };

		CHECK(diag(fd, IPPROTO_TCP, ~0u, 0, into, sizeof(into)) == -EINVAL);
	}
	code.op.code = 99;
	CHECK(diag(fd, IPPROTO_TCP, ~0u, 0, &code, sizeof(code)) == -EINVAL);
}

static void inet_sockets(int fd)
{
	struct sockaddr_in any = at("127.0.0.1", 0);
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), a,
	    u = udp_bound(), port;
	struct inet_diag_req_v2 one;

	REQUIRE(!bind(l, SA(any)) && !listen(l, 5));
	port = port_of(l);
	any.sin_port = htons(port);
	REQUIRE(!connect(c, SA(any)));
	CHECK(EVENTUALLY(diag(fd, IPPROTO_TCP, STATE(LISTENING), port, NULL, 0) == 1 &&
			 shown.idiag_rqueue == 1));
	CHECK(shown.idiag_state == LISTENING && shown.idiag_wqueue == 5);
	CHECK(shown.idiag_inode != 0);
	a = accept(l, NULL, NULL);
	CHECK(write(c, "hello", 5) == 5);
	CHECK(EVENTUALLY(diag(fd, IPPROTO_TCP, STATE(ESTABLISHED), port, NULL, 0) == 1 &&
			 shown.idiag_rqueue == 5));
	CHECK(ntohs(shown.id.idiag_dport) == port_of(c) &&
	      shown.id.idiag_src[0] == htonl(INADDR_LOOPBACK));
	CHECK(info.tcpi_state == ESTABLISHED && info.tcpi_snd_mss > 0);
	CHECK(diag(fd, IPPROTO_TCP, STATE(CLOSED), port, NULL, 0) == 0);
	filters(fd, port);
	CHECK(diag(fd, IPPROTO_TCP, STATE(ESTABLISHED), port, NULL, 0) == 1);
	one = (struct inet_diag_req_v2){ AF_INET, IPPROTO_TCP, 0, 0, ~0u, shown.id };
	begin(SOCK_DIAG_BY_FAMILY, 0, &one, sizeof(one));
	CHECK(!talk(fd) && answer_len > 0 &&
	      ((struct nlmsghdr *)answer)->nlmsg_type == SOCK_DIAG_BY_FAMILY);
	one.id.idiag_dport = 1;
	one.id.idiag_sport = 1;
	begin(SOCK_DIAG_BY_FAMILY, 0, &one, sizeof(one));
	CHECK(talk(fd) == -ENOENT);
	CHECK(diag(fd, IPPROTO_UDP, STATE(CLOSED), port_of(u), NULL, 0) == 1);
	CHECK(diag(fd, IPPROTO_UDP, STATE(ESTABLISHED), port_of(u), NULL, 0) == 0);
	one.sdiag_family = AF_INET6;
	begin(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &one, sizeof(one));
	CHECK(!talk(fd));
	close(a);
	close(c);
	close(l);
	close(u);
}

static void unix_sockets(int fd)
{
	struct sockaddr_un un = { AF_UNIX, "\0netlink-test" };
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0), listening = 0,
	    connected = 0;
	struct unix_diag_req m = { .sdiag_family = AF_UNIX,
				   .udiag_states = ~0u,
				   .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER |
						 UDIAG_SHOW_RQLEN | UDIAG_SHOW_ICONS |
						 UDIAG_SHOW_MEMINFO | UDIAG_SHOW_UID };
	unsigned len = offsetof(struct sockaddr_un, sun_path) + 13;

	REQUIRE(!bind(l, (void *)&un, len) && !listen(l, 3) && !connect(c, (void *)&un, len));
	begin(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &m, sizeof(m));
	CHECK(!talk(fd));
	EACH(h)
	{
		struct unix_diag_msg *u = NLMSG_DATA(h);
		struct rtattr *name = find_attr(h, sizeof(*u), UNIX_DIAG_NAME);
		struct rtattr *q = find_attr(h, sizeof(*u), UNIX_DIAG_RQLEN);
		struct unix_diag_rqlen *ql = q ? RTA_DATA(q) : NULL;

		if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY || !name || RTA_PAYLOAD(name) != 13 ||
		    memcmp(RTA_DATA(name), un.sun_path, 13) || !ql)
			continue;
		listening += u->udiag_state == LISTENING && ql->udiag_rqueue == 1 &&
			     ql->udiag_wqueue == 3 && find_attr(h, sizeof(*u), UNIX_DIAG_ICONS);
		connected += u->udiag_state == ESTABLISHED;
	}
	CHECK(listening == 1);
	CHECK(connected == 1); /* not accepted yet, it has the listener's name */
	m.udiag_ino = 0;
	begin(SOCK_DIAG_BY_FAMILY, 0, &m, sizeof(m));
	CHECK(talk(fd) == -EINVAL);
	m.udiag_ino = 0x7fffffff;
	begin(SOCK_DIAG_BY_FAMILY, 0, &m, sizeof(m));
	CHECK(talk(fd) == -ENOENT);
	close(c);
	close(l);
}

/* Whatever is sent, there is a verdict or silence, and the socket goes on. */
static void malformed(int protocol, const void *fixed, unsigned n, int type)
{
	int fd = nl_open(protocol);
	struct timeval tv = { 0, 1 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	srandom(1);
	for (int i = 0; i < 2000; i++) {
		begin(type, random() & 0x300, fixed, n);
		for (int k = random() % 8; k >= 0; k--)
			req.body[random() % 64] = random();
		req.h.nlmsg_len = random() % 128;
		send(fd, &req, random() % 128, 0);
		while (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) >= 0)
			;
	}
	close(fd);
	tap_result(1, "malformed requests", __FILE__, __LINE__, 0);
}

/* What a question and a setting get from who has no rights. */
static int ethtool_of_nobody(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ethtool_ts_info i = { .cmd = ETHTOOL_GET_TS_INFO };
	struct ethtool_value set = { ETHTOOL_SGRO, 1 };
	struct ifreq r = { .ifr_name = "lo", .ifr_data = (void *)&i };

	if (setuid(65534) || ioctl(fd, SIOCETHTOOL, &r) || i.phc_index != -1 ||
	    !(i.so_timestamping & SOF_TIMESTAMPING_RX_SOFTWARE))
		return 1;
	r.ifr_data = (void *)&set;
	return !ioctl(fd, SIOCETHTOOL, &r) || errno != EPERM;
}

static void ethtool(void)
{
	struct ifreq r = { .ifr_name = "lo" };
	struct ethtool_value v = { ETHTOOL_GLINK, 9 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	r.ifr_data = (void *)&v;
	CHECK(!ioctl(fd, SIOCETHTOOL, &r) && v.data == 1);
	v.cmd = 0x7fff;
	CHECK_ERR(ioctl(fd, SIOCETHTOOL, &r), EOPNOTSUPP);
	r.ifr_data = (void *)8;
	CHECK_ERR(ioctl(fd, SIOCETHTOOL, &r), EFAULT);
	strcpy(r.ifr_name, "nosuch");
	CHECK_ERR(ioctl(fd, SIOCETHTOOL, &r), EFAULT);
	r.ifr_data = (void *)&v;
	CHECK_ERR(ioctl(fd, SIOCETHTOOL, &r), ENODEV);
	CHECK(in_child(ethtool_of_nobody) == 0);
	close(fd);
}

/* Is the group among those that /proc/net/igmp shows? */
static int group_shown(const char *hex)
{
	char line[200];
	FILE *f = fopen("/proc/net/igmp", "r");
	int found = 0;

	while (f && fgets(line, sizeof(line), f))
		found |= strstr(line, hex) != NULL;
	if (f)
		fclose(f);
	return found;
}

static void groups(void)
{
	struct group_req g = { .gr_interface = if_nametoindex("lo") };
	struct sockaddr_in in = at("239.77.1.2", 0);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	memcpy(&g.gr_group, &in, sizeof(in));
	CHECK(!group_shown("02014DEF"));
	CHECK(!setsockopt(fd, IPPROTO_IP, MCAST_JOIN_GROUP, &g, sizeof(g)));
	CHECK(group_shown("02014DEF"));
	CHECK_ERR(setsockopt(fd, IPPROTO_IP, MCAST_JOIN_GROUP, &g, sizeof(g)), EADDRINUSE);
	CHECK_ERR(setsockopt(fd, IPPROTO_IP, MCAST_JOIN_GROUP, &g, 8), EINVAL);
	CHECK(!setsockopt(fd, IPPROTO_IP, MCAST_LEAVE_GROUP, &g, sizeof(g)));
	CHECK_ERR(setsockopt(fd, IPPROTO_IP, MCAST_LEAVE_GROUP, &g, sizeof(g)), EADDRNOTAVAIL);
	CHECK(!group_shown("02014DEF"));
	g.gr_interface = 9999;
	CHECK_ERR(setsockopt(fd, IPPROTO_IP, MCAST_JOIN_GROUP, &g, sizeof(g)), ENODEV);
	((struct sockaddr_in *)&g.gr_group)->sin_addr.s_addr = inet_addr("10.0.0.1");
	CHECK_ERR(setsockopt(fd, IPPROTO_IP, MCAST_JOIN_GROUP, &g, sizeof(g)), EINVAL);
	close(fd);
}

/* --- queueing: nothing of it is configured, and loopback has none --- */

static int dumped(int type, const void *fixed, unsigned n)
{
	int fd = nl_open(NETLINK_ROUTE), err;

	begin(type, NLM_F_DUMP, fixed, n);
	err = talk(fd);
	close(fd);
	return err;
}

static void queueing(void)
{
	struct tcmsg m = { .tcm_ifindex = (int)if_nametoindex("lo") };
	struct nhmsg next = { 0 };
	int seen = 0;

	CHECK(!dumped(RTM_GETQDISC, &m, sizeof(m)));
	EACH(h)
	{
		struct tcmsg *t = NLMSG_DATA(h);
		struct rtattr *kind = find_attr(h, sizeof(*t), TCA_KIND);

		if (h->nlmsg_type == RTM_NEWQDISC && t->tcm_ifindex == m.tcm_ifindex)
			seen += t->tcm_parent == TC_H_ROOT && !t->tcm_handle && kind &&
				!strcmp(RTA_DATA(kind), "noqueue");
	}
	CHECK(seen == 1);
	CHECK(!dumped(RTM_GETTCLASS, &m, sizeof(m)));
	EACH(h)
	CHECK(h->nlmsg_type == NLMSG_DONE);
	CHECK(!dumped(RTM_GETTFILTER, &m, sizeof(m)));
	CHECK(!dumped(RTM_GETNEXTHOP, &next, sizeof(next)));
	EACH(h)
	CHECK(h->nlmsg_type == NLMSG_DONE);
}

int main(void)
{
	struct inet_diag_req_v2 m = { .sdiag_family = AF_INET,
				      .sdiag_protocol = IPPROTO_TCP,
				      .idiag_states = ~0u };
	int fd = nl_open(NETLINK_SOCK_DIAG);

	alarm(TAP_LIMIT);
	REQUIRE(loopback_up());
	routes();
	rules();
	ethtool();
	groups();
	queueing();
	malformed(NETLINK_ROUTE, &m, sizeof(m), RTM_NEWROUTE);
	malformed(NETLINK_ROUTE, &m, sizeof(m), RTM_GETROUTE);
	begin(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &m, sizeof(m));
	if (fd < 0 || talk(fd)) { /* of a Linux without these modules */
		printf("# sockets cannot be looked at here\n");
		return tap_done();
	}
	inet_sockets(fd);
	unix_sockets(fd);
	malformed(NETLINK_SOCK_DIAG, &m, sizeof(m), SOCK_DIAG_BY_FAMILY);
	return tap_done();
}
