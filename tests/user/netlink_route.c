/* NETLINK_ROUTE on loopback: dumps, questions, changes, their errors and news. rtnetlink(7). */
#define _GNU_SOURCE
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/wait.h>
#include "inet.h"

static int nl;
static unsigned seq;
static char answer[1 << 17];
static ssize_t answer_len;

struct request {
	struct nlmsghdr h;
	char body[400];
};

static int rt_socket(unsigned groups)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_groups = groups };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	return fd >= 0 && bind(fd, SA(a)) ? -1 : fd;
}

static struct request begin(int type, int flags, const void *fixed, size_t n)
{
	struct request r = { .h = { .nlmsg_len = NLMSG_LENGTH(n),
				    .nlmsg_type = (unsigned short)type,
				    .nlmsg_flags = (unsigned short)(NLM_F_REQUEST | flags),
				    .nlmsg_seq = ++seq } };

	memcpy(r.body, fixed, n);
	return r;
}

static void add(struct request *r, int type, const void *value, size_t n)
{
	struct rtattr *a = (struct rtattr *)((char *)r + NLMSG_ALIGN(r->h.nlmsg_len));

	a->rta_type = (unsigned short)type;
	a->rta_len = (unsigned short)RTA_LENGTH(n);
	memcpy(RTA_DATA(a), value, n);
	r->h.nlmsg_len = NLMSG_ALIGN(r->h.nlmsg_len) + RTA_ALIGN(a->rta_len);
}

static void add_addr(struct request *r, int type, const char *text)
{
	struct in_addr a;

	inet_pton(AF_INET, text, &a);
	add(r, type, &a, sizeof(a));
}

/* Sends @r; its answer is in answer[]: the error an NLMSG_ERROR carries, or 0. */
static int ask(struct request *r)
{
	const struct nlmsghdr *h = (const void *)answer;

	if (send(nl, r, r->h.nlmsg_len, 0) != (ssize_t)r->h.nlmsg_len)
		return -1000;
	answer_len = recv(nl, answer, sizeof(answer), 0);
	if (answer_len < NLMSG_HDRLEN || h->nlmsg_seq != r->h.nlmsg_seq)
		return -1001;
	return h->nlmsg_type == NLMSG_ERROR ? ((const struct nlmsgerr *)NLMSG_DATA(h))->error : 0;
}

static const void *attr_of(const struct nlmsghdr *h, size_t fixed, int type, size_t *len)
{
	const struct rtattr *a = (const void *)((const char *)NLMSG_DATA(h) + NLMSG_ALIGN(fixed));
	int left = (int)(h->nlmsg_len - NLMSG_LENGTH(fixed));

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == type) {
			*len = RTA_PAYLOAD(a);
			return RTA_DATA(a);
		}
	}
	return NULL;
}

static int has(const struct nlmsghdr *h, size_t fixed, int type, const char *text)
{
	struct in_addr a;
	size_t n = 0;
	const void *v = attr_of(h, fixed, type, &n);

	return v && inet_pton(AF_INET, text, &a) == 1 && n == 4 && !memcmp(v, &a, 4);
}

/* The number of messages of a dump that @wanted likes; -1 when it is malformed. */
static int dump(struct request *r, int type, int (*wanted)(const struct nlmsghdr *))
{
	int found = 0;

	if (send(nl, r, r->h.nlmsg_len, 0) < 0)
		return -1;
	for (;;) {
		ssize_t n = recv(nl, answer, sizeof(answer), 0);
		const struct nlmsghdr *h = (const void *)answer;

		if (n <= 0)
			return -1;
		for (; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			if (h->nlmsg_seq != r->h.nlmsg_seq || !(h->nlmsg_flags & NLM_F_MULTI))
				return -1;
			if (h->nlmsg_type == NLMSG_DONE)
				return found;
			if (h->nlmsg_type != type)
				return -1;
			found += wanted(h);
		}
	}
}

static int is_lo(const struct nlmsghdr *h)
{
	const struct ifinfomsg *m = NLMSG_DATA(h);
	size_t n = 0;
	const char *name = attr_of(h, sizeof(*m), IFLA_IFNAME, &n);

	return m->ifi_index == 1 && m->ifi_type == 772 && (m->ifi_flags & IFF_LOOPBACK) && name &&
	       !strcmp(name, "lo") && attr_of(h, sizeof(*m), IFLA_MTU, &n) && n == 4 &&
	       attr_of(h, sizeof(*m), IFLA_ADDRESS, &n) && n == 6 &&
	       attr_of(h, sizeof(*m), IFLA_STATS64, &n) && n >= 184;
}

static int is_localhost(const struct nlmsghdr *h)
{
	const struct ifaddrmsg *m = NLMSG_DATA(h);

	return m->ifa_index == 1 && m->ifa_prefixlen == 8 && m->ifa_scope == RT_SCOPE_HOST &&
	       has(h, sizeof(*m), IFA_LOCAL, "127.0.0.1");
}

static int is_ours(const struct nlmsghdr *h)
{
	const struct ifaddrmsg *m = NLMSG_DATA(h);

	return m->ifa_prefixlen == 24 && has(h, sizeof(*m), IFA_LOCAL, "10.66.1.1") &&
	       has(h, sizeof(*m), IFA_BROADCAST, "10.66.1.255");
}

static int is_route(const struct nlmsghdr *h)
{
	const struct rtmsg *m = NLMSG_DATA(h);

	return m->rtm_dst_len == 24 && m->rtm_type == RTN_UNICAST &&
	       has(h, sizeof(*m), RTA_DST, "10.66.2.0") &&
	       has(h, sizeof(*m), RTA_GATEWAY, "10.66.1.7");
}

static void links(void)
{
	struct ifinfomsg m = { .ifi_family = AF_UNSPEC };
	struct request r = begin(RTM_GETLINK, NLM_F_DUMP, &m, sizeof(m));

	CHECK(dump(&r, RTM_NEWLINK, is_lo) == 1);
	m.ifi_index = 1;
	r = begin(RTM_GETLINK, 0, &m, sizeof(m));
	CHECK(ask(&r) == 0 && is_lo((void *)answer));
	m.ifi_index = 0;
	r = begin(RTM_GETLINK, 0, &m, sizeof(m));
	add(&r, IFLA_IFNAME, "lo", 3);
	CHECK(ask(&r) == 0 && is_lo((void *)answer));
	r = begin(RTM_GETLINK, 0, &m, sizeof(m));
	add(&r, IFLA_IFNAME, "nothing0", 9);
	CHECK(ask(&r) == -ENODEV);
	m.ifi_index = 4711;
	r = begin(RTM_GETLINK, 0, &m, sizeof(m));
	CHECK(ask(&r) == -ENODEV);
	r = begin(RTM_SETLINK, NLM_F_ACK, &m, sizeof(m));
	CHECK(ask(&r) == -ENODEV);
	m.ifi_index = 0;
	r = begin(RTM_GETLINK, 0, &m, sizeof(m));
	CHECK(ask(&r) == -EINVAL); /* which one? */
}

static void addresses(void)
{
	struct ifaddrmsg m = { .ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_index = 1 };
	struct rtgenmsg all = { AF_INET };
	struct request r = begin(RTM_GETADDR, NLM_F_DUMP, &all, sizeof(all)), change;
	int news = rt_socket(RTMGRP_IPV4_IFADDR);

	CHECK(dump(&r, RTM_NEWADDR, is_localhost) == 1);
	change = begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &m, sizeof(m));
	add_addr(&change, IFA_LOCAL, "10.66.1.1");
	add_addr(&change, IFA_ADDRESS, "10.66.1.1");
	add_addr(&change, IFA_BROADCAST, "10.66.1.255");
	CHECK(ask(&change) == 0 && ((struct nlmsghdr *)answer)->nlmsg_type == NLMSG_ERROR);
	CHECK(recv(news, answer, sizeof(answer), MSG_DONTWAIT) > 0 && is_ours((void *)answer));
	CHECK(((struct nlmsghdr *)answer)->nlmsg_type == RTM_NEWADDR);
	CHECK(ask(&change) == -EEXIST);
	r = begin(RTM_GETADDR, NLM_F_DUMP, &all, sizeof(all));
	CHECK(dump(&r, RTM_NEWADDR, is_ours) == 1);
	change.h.nlmsg_type = RTM_DELADDR;
	change.h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	CHECK(ask(&change) == 0);
	CHECK(recv(news, answer, sizeof(answer), MSG_DONTWAIT) > 0 && is_ours((void *)answer));
	CHECK(((struct nlmsghdr *)answer)->nlmsg_type == RTM_DELADDR);
	CHECK(ask(&change) == -EADDRNOTAVAIL);
	CHECK(recv(news, answer, sizeof(answer), MSG_DONTWAIT) < 0 && errno == EAGAIN);
	m.ifa_index = 4711;
	r = begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_ACK, &m, sizeof(m));
	add_addr(&r, IFA_LOCAL, "10.66.1.1");
	CHECK(ask(&r) == -ENODEV);
	m.ifa_index = 1;
	r = begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_ACK, &m, sizeof(m));
	CHECK(ask(&r) == -EINVAL); /* no address */
	m.ifa_prefixlen = 33;
	r = begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_ACK, &m, sizeof(m));
	add_addr(&r, IFA_LOCAL, "10.66.1.1");
	CHECK(ask(&r) == -EINVAL);
	close(news);
}

static struct request route(int type, int flags, const char *dst, const char *gateway)
{
	struct rtmsg m = { .rtm_family = AF_INET,
			   .rtm_dst_len = 24,
			   .rtm_table = RT_TABLE_MAIN,
			   .rtm_protocol = RTPROT_STATIC,
			   .rtm_scope = RT_SCOPE_UNIVERSE,
			   .rtm_type = RTN_UNICAST };
	struct request r = begin(type, flags | NLM_F_ACK, &m, sizeof(m));

	add_addr(&r, RTA_DST, dst);
	if (gateway)
		add_addr(&r, RTA_GATEWAY, gateway);
	return r;
}

/* What the way to an address is. */
static void lookups(void)
{
	struct rtmsg m = { .rtm_family = AF_INET, .rtm_dst_len = 32 };
	struct request r;
	size_t n = 0;

	r = begin(RTM_GETROUTE, 0, &m, sizeof(m));
	add_addr(&r, RTA_DST, "127.0.0.9");
	CHECK(ask(&r) == 0 && ((struct nlmsghdr *)answer)->nlmsg_type == RTM_NEWROUTE);
	CHECK(((struct rtmsg *)NLMSG_DATA(answer))->rtm_type == RTN_LOCAL);
	CHECK(has((void *)answer, sizeof(m), RTA_PREFSRC, "127.0.0.1"));
	CHECK(attr_of((void *)answer, sizeof(m), RTA_OIF, &n) && n == 4);
	r = begin(RTM_GETROUTE, 0, &m, sizeof(m));
	add_addr(&r, RTA_DST, "192.0.2.1");
	CHECK(ask(&r) == -ENETUNREACH);
}

static void routes(void)
{
	struct ifaddrmsg own = { .ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_index = 1 };
	struct rtgenmsg all = { AF_INET };
	struct request r, net = begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_ACK, &own, sizeof(own));
	int news = rt_socket(RTMGRP_IPV4_ROUTE), lo = 1;

	add_addr(&net, IFA_LOCAL, "10.66.1.1");
	r = route(RTM_NEWROUTE, NLM_F_CREATE, "10.66.2.0", "10.66.1.7");
	CHECK(ask(&r) == -ENETUNREACH); /* the gateway is not on a net of ours */
	CHECK(ask(&net) == 0);
	while (recv(news, answer, sizeof(answer), MSG_DONTWAIT) > 0)
		;
	r = route(RTM_NEWROUTE, 0, "10.66.2.0", "10.66.1.7");
	CHECK(ask(&r) == -ENOENT);
	r = route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "10.66.2.0", "10.66.1.7");
	CHECK(ask(&r) == 0);
	CHECK(recv(news, answer, sizeof(answer), MSG_DONTWAIT) > 0 && is_route((void *)answer));
	CHECK(ask(&r) == -EEXIST);
	r = begin(RTM_GETROUTE, NLM_F_DUMP, &all, sizeof(all));
	CHECK(dump(&r, RTM_NEWROUTE, is_route) == 1);
	r = route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, "10.66.2.0", "10.66.1.8");
	CHECK(ask(&r) == 0);
	CHECK(recv(news, answer, sizeof(answer), MSG_DONTWAIT) > 0 && !is_route((void *)answer));
	CHECK(((struct nlmsghdr *)answer)->nlmsg_flags & NLM_F_REPLACE);
	r = begin(RTM_GETROUTE, NLM_F_DUMP, &all, sizeof(all));
	CHECK(dump(&r, RTM_NEWROUTE, is_route) == 0);
	r = route(RTM_DELROUTE, 0, "10.66.2.0", "10.66.1.7");
	CHECK(ask(&r) == -ESRCH);
	r = route(RTM_DELROUTE, 0, "10.66.2.0", NULL);
	CHECK(ask(&r) == 0);
	CHECK(recv(news, answer, sizeof(answer), MSG_DONTWAIT) > 0);
	CHECK(((struct nlmsghdr *)answer)->nlmsg_type == RTM_DELROUTE);
	close(news);
	r = route(RTM_DELROUTE, 0, "10.66.77.0", NULL);
	CHECK(ask(&r) == -ESRCH);
	r = route(RTM_NEWROUTE, NLM_F_CREATE, "10.66.2.0", NULL);
	add(&r, RTA_OIF, &lo, sizeof(lo));
	add_addr(&r, RTA_PREFSRC, "10.99.1.2");
	CHECK(ask(&r) == -EINVAL); /* no address of ours */
	r = route(RTM_NEWROUTE, NLM_F_CREATE, "10.66.2.0", NULL);
	add(&r, RTA_OIF, &lo, sizeof(lo));
	add_addr(&r, RTA_PREFSRC, "10.66.1.1");
	CHECK(ask(&r) == 0);
	net.h.nlmsg_type = RTM_DELADDR;
	net.h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	CHECK(ask(&net) == 0);
	r = route(RTM_DELROUTE, 0, "10.66.2.0", NULL);
	CHECK(ask(&r) == -ESRCH); /* it went with the address it sent from */
}

/* In the order in which they are shown: by address, then the longest prefix, then the metric. */
static const struct place {
	const char *dst;
	int prefix, type, metric;
} places[] = {
	{ "0.0.0.0", 0, RTN_UNICAST, 2 },    { "0.0.0.0", 0, RTN_UNICAST, 5 },
	{ "10.66.0.0", 24, RTN_UNICAST, 0 }, { "10.66.0.0", 16, RTN_UNICAST, 0 },
	{ "10.66.7.0", 24, RTN_THROW, 0 },   { "192.0.2.0", 24, RTN_UNICAST, 0 },
};
#define PLACES ((int)(sizeof(places) / sizeof(places[0])))
static int shown; /* how many came as expected */

static int is_next(const struct nlmsghdr *h)
{
	const struct rtmsg *m = NLMSG_DATA(h);
	const struct place *p = &places[shown];
	size_t n = 0;
	const void *metric = attr_of(h, sizeof(*m), RTA_PRIORITY, &n);

	if (shown == PLACES || m->rtm_table != RT_TABLE_MAIN || m->rtm_dst_len != p->prefix ||
	    m->rtm_type != p->type || (p->prefix && !has(h, sizeof(*m), RTA_DST, p->dst)) ||
	    (metric ? memcmp(metric, &p->metric, 4) : p->metric))
		return 0;
	shown++;
	return 1;
}

/* Make it, or take it away: as ask(). */
static int place(int type, const struct place *p)
{
	struct request r = route(type, type == RTM_NEWROUTE ? NLM_F_CREATE : 0, p->dst, NULL);
	struct rtmsg *m = (void *)r.body;
	int lo = 1;

	m->rtm_dst_len = (unsigned char)p->prefix;
	m->rtm_type = (unsigned char)p->type;
	m->rtm_scope = p->type == RTN_UNICAST ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	if (p->type == RTN_UNICAST)
		add(&r, RTA_OIF, &lo, sizeof(lo));
	add(&r, RTA_PRIORITY, &p->metric, sizeof(p->metric));
	return ask(&r);
}

/* The way to @dst, as ask(). */
static int way(const char *dst)
{
	struct rtmsg m = { .rtm_family = AF_INET, .rtm_dst_len = 32 };
	struct request r = begin(RTM_GETROUTE, 0, &m, sizeof(m));

	add_addr(&r, RTA_DST, dst);
	return ask(&r);
}

static void order(void)
{
	static const char before[] = { 5, 2, 0, 4, 3, 1 };
	struct ifaddrmsg own = { .ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = 1 };
	struct request net = begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_ACK, &own, sizeof(own)), r;
	struct rtgenmsg all = { AF_INET };

	add_addr(&net, IFA_LOCAL, "10.66.1.1");
	CHECK(ask(&net) == 0);
	for (int i = 0; i < PLACES; i++)
		CHECK(place(RTM_NEWROUTE, &places[(int)before[i]]) == 0);
	r = begin(RTM_GETROUTE, NLM_F_DUMP, &all, sizeof(all));
	CHECK(dump(&r, RTM_NEWROUTE, is_next) == PLACES && shown == PLACES);
	CHECK(way("10.66.7.1") == -ENETUNREACH); /* thrown out of the table, default or not */
	CHECK(way("10.66.8.1") == 0);
	/* Nobody can answer to 127.0.0.1. */
	CHECK(has((void *)answer, sizeof(struct rtmsg), RTA_PREFSRC, "10.66.1.1"));
	for (int i = 0; i < PLACES; i++)
		CHECK(place(RTM_DELROUTE, &places[i]) == 0);
	net.h.nlmsg_type = RTM_DELADDR;
	net.h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	CHECK(ask(&net) == 0);
}

static void malformed(void)
{
	struct ifinfomsg m = { .ifi_index = 1 };
	struct request r = begin(RTM_GETLINK, NLM_F_ACK, &m, 4);

	CHECK(ask(&r) == -EINVAL); /* the fixed part is short */
	r = begin(RTM_GETLINK, 0, &m, sizeof(m));
	add(&r, IFLA_IFNAME, "lo", 3);
	((struct rtattr *)(r.body + sizeof(m)))->rta_len = 100;
	CHECK(ask(&r) == 0 || ((struct nlmsghdr *)answer)->nlmsg_type == NLMSG_ERROR);
	r = begin(1000, NLM_F_ACK, &m, sizeof(m));
	CHECK(ask(&r) == -EOPNOTSUPP);
	r = begin(NLMSG_NOOP, NLM_F_ACK, &m, sizeof(m));
	CHECK(ask(&r) == 0);
	/* What is shorter than a head, or claims to be longer than it is, has no answer. */
	r = begin(RTM_GETLINK, NLM_F_ACK, &m, sizeof(m));
	CHECK(send(nl, &r, 8, 0) == 8);
	CHECK(send(nl, &r, NLMSG_HDRLEN, 0) == NLMSG_HDRLEN);
	CHECK(recv(nl, answer, sizeof(answer), MSG_DONTWAIT) < 0 && errno == EAGAIN);
	/* Two in one message: two answers. */
	r = begin(NLMSG_NOOP, NLM_F_ACK, &m, 0);
	memcpy((char *)&r + NLMSG_HDRLEN, &r, NLMSG_HDRLEN);
	CHECK(send(nl, &r, 2 * NLMSG_HDRLEN, 0) == 2 * NLMSG_HDRLEN);
	CHECK(recv(nl, answer, sizeof(answer), 0) > 0 && recv(nl, answer, sizeof(answer), 0) > 0);
}

static void socket_names(void)
{
	struct sockaddr_nl a = { 0 }, kernel = { .nl_family = AF_NETLINK };
	socklen_t n = sizeof(a);
	int x = rt_socket(0), y = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE);
	struct ifinfomsg m = { .ifi_index = 1 };
	struct request r = begin(RTM_GETLINK, 0, &m, sizeof(m));

	CHECK(!getsockname(x, (struct sockaddr *)&a, &n) && n == sizeof(a) && a.nl_pid);
	CHECK_ERR(bind(y, SA(a)), EADDRINUSE);
	CHECK(sendto(y, &r, r.h.nlmsg_len, 0, SA(kernel)) == (ssize_t)r.h.nlmsg_len);
	n = sizeof(a);
	CHECK(recvfrom(y, answer, sizeof(answer), 0, (struct sockaddr *)&a, &n) > 0);
	CHECK(a.nl_family == AF_NETLINK && a.nl_pid == 0);
	a.nl_family = AF_INET;
	CHECK_ERR(bind(y, SA(a)), EINVAL);
	close(x);
	close(y);
}

static void without_rights(void)
{
	struct request r = route(RTM_NEWROUTE, NLM_F_CREATE, "10.66.2.0", NULL);
	struct ifinfomsg m = { .ifi_index = 1 };
	struct request look = begin(RTM_GETLINK, 0, &m, sizeof(m));
	int status, pid = fork();

	if (!pid) {
		if (setuid(1000))
			_exit(1);
		nl = rt_socket(0);
		_exit(ask(&r) == -EPERM && ask(&look) == 0 ? 0 : 2);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

int main(void)
{
	alarm(TAP_LIMIT);
	REQUIRE(loopback_up());
	nl = rt_socket(0);
	REQUIRE(nl >= 0);
	links();
	addresses();
	routes();
	order();
	lookups();
	malformed();
	socket_names();
	without_rights();
	return tap_done();
}
