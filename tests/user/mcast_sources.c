/*
 * Sources of multicast groups: who hears whom, what the calls refuse, what they and /proc say of the
 * filters. On loopback, where every 127.x.y.z is an address to send from. ip(7), RFC 3678.
 */
#define _GNU_SOURCE
#include <sched.h>
#include "inet.h"

#define GROUP "239.4.5.6"
#define OTHER "239.4.5.7"
#define S1 "127.0.0.11"
#define S2 "127.0.0.12"
#define S3 "127.0.0.13"

static int any(int port)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), one = 1;
	struct sockaddr_in a = at("0.0.0.0", port);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return bind(fd, SA(a)) ? -1 : fd;
}

/* The options of ip(7), which name the device by its address. */
static int ip(int fd, int option, const char *group, const char *src)
{
	struct ip_mreq_source r;

	inet_pton(AF_INET, group, &r.imr_multiaddr);
	inet_pton(AF_INET, "127.0.0.1", &r.imr_interface);
	inet_pton(AF_INET, src, &r.imr_sourceaddr);
	return setsockopt(fd, IPPROTO_IP, option, &r, sizeof(r));
}

static int group(int fd, int option, const char *addr)
{
	struct ip_mreqn r = { .imr_ifindex = 1 };

	inet_pton(AF_INET, addr, &r.imr_multiaddr);
	return setsockopt(fd, IPPROTO_IP, option, &r, sizeof(r));
}

static void put(struct sockaddr_storage *s, const char *addr)
{
	struct sockaddr_in a = at(addr, 0);

	memset(s, 0, sizeof(*s));
	memcpy(s, &a, sizeof(a));
}

/* The same by RFC 3678, on device @index. */
static int mcast(int fd, int option, const char *addr, const char *src, int index)
{
	struct group_source_req r = { .gsr_interface = (unsigned)index };
	int plain = option == MCAST_JOIN_GROUP || option == MCAST_LEAVE_GROUP;

	put(&r.gsr_group, addr);
	if (src)
		put(&r.gsr_source, src);
	return setsockopt(fd, IPPROTO_IP, option, &r, plain ? sizeof(struct group_req) : sizeof(r));
}

/* What this CPU has sent before is there. */
static void delivered(void)
{
	int fd = udp_bound();
	struct sockaddr_in self = at("127.0.0.1", port_of(fd));

	REQUIRE(sendto(fd, "", 1, 0, SA(self)) == 1 && arrives(fd));
	close(fd);
}

/* Each source sends a letter to GROUP; those that arrive. */
static const char *heard(int fd, int port)
{
	static const char *const from[] = { S1, S2, S3 };
	static char text[8];
	struct sockaddr_in to = at(GROUP, port);
	struct ip_mreqn by = { .imr_ifindex = 1 };
	int n = 0;

	for (int i = 0; i < 3; i++) {
		struct sockaddr_in a = at(from[i], 0);
		int x = socket(AF_INET, SOCK_DGRAM, 0);
		char c = (char)('1' + i);

		if (bind(x, SA(a)) || setsockopt(x, IPPROTO_IP, IP_MULTICAST_IF, &by, sizeof(by)) ||
		    sendto(x, &c, 1, 0, SA(to)) != 1)
			return "it was not sent";
		close(x);
	}
	delivered();
	while (n < 7 && recv(fd, text + n, 1, MSG_DONTWAIT) == 1)
		n++;
	text[n] = 0;
	return text;
}

static int hears(int fd, const char *what)
{
	const char *is = heard(fd, port_of(fd));

	if (!strcmp(is, what))
		return 1;
	printf("# heard \"%s\", not \"%s\"\n", is, what);
	return 0;
}

/* How often members include and exclude the source, as /proc/net/mcfilter says: 10 a + b; -1 */
static int counts(const char *src)
{
	unsigned idx, g, s, in, ex, want = ntohl(inet_addr(src));
	char line[200], dev[20];
	FILE *f = fopen("/proc/net/mcfilter", "r");
	int found = -1;

	if (!f || !fgets(line, sizeof(line), f) ||
	    strcmp(line, "Idx Device        MCA        SRC    INC    EXC\n"))
		found = -2;
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%3u %19s 0x%8x 0x%8x %u %u", &idx, dev, &g, &s, &in, &ex) == 6 &&
		    idx == 1 && !strcmp(dev, "lo") && g == 0xef040506 && s == want)
			found = (int)(10 * in + ex);
	}
	if (f)
		fclose(f);
	return found;
}

static void include(void)
{
	int a = any(0), b = any(port_of(a)), zero = 0, one = 1;

	CHECK_ERR(ip(a, IP_DROP_SOURCE_MEMBERSHIP, GROUP, S1), EINVAL);
	CHECK(!ip(a, IP_ADD_SOURCE_MEMBERSHIP, GROUP, S1));
	CHECK(counts(S1) == 10);
	CHECK(hears(a, "1"));
	CHECK(!strcmp(heard(b, port_of(b)),
		      "11")); /* of twice; is in no group: what the device takes */
	CHECK(hears(a, "11"));
	CHECK_ERR(ip(a, IP_ADD_SOURCE_MEMBERSHIP, GROUP, S1), EADDRNOTAVAIL);
	CHECK(!ip(a, IP_ADD_SOURCE_MEMBERSHIP, GROUP, S2));
	CHECK(hears(a, "12"));
	CHECK_ERR(ip(a, IP_BLOCK_SOURCE, GROUP, S1), EINVAL);
	CHECK_ERR(ip(a, IP_UNBLOCK_SOURCE, GROUP, S1), EINVAL);
	CHECK_ERR(group(a, IP_ADD_MEMBERSHIP, GROUP), EADDRINUSE);
	CHECK_ERR(ip(a, IP_DROP_SOURCE_MEMBERSHIP, GROUP, S3), EADDRNOTAVAIL);
	CHECK(!setsockopt(b, IPPROTO_IP, IP_MULTICAST_ALL, &zero, sizeof(zero)));
	while (recv(b, &zero, 1, MSG_DONTWAIT) == 1)
		;
	CHECK(hears(b, ""));
	CHECK(!setsockopt(b, IPPROTO_IP, IP_MULTICAST_ALL, &one, sizeof(one)));
	while (recv(a, &zero, 1, MSG_DONTWAIT) == 1)
		;
	CHECK(!ip(b, IP_ADD_SOURCE_MEMBERSHIP, GROUP, S2));
	CHECK(counts(S1) == 10 && counts(S2) == 20);
	CHECK(hears(b, "2") && hears(a, "1212"));
	CHECK(!ip(a, IP_DROP_SOURCE_MEMBERSHIP, GROUP, S1));
	CHECK(counts(S1) == -1);
	CHECK(hears(b, "22"));
	CHECK(!ip(a, IP_DROP_SOURCE_MEMBERSHIP, GROUP, S2)); /* the last: it leaves */
	CHECK_ERR(ip(a, IP_DROP_SOURCE_MEMBERSHIP, GROUP, S2), EINVAL);
	CHECK(!group(b, IP_DROP_MEMBERSHIP, GROUP));
	CHECK(counts(S2) == -1);
	close(a);
	close(b);
}

static void exclude(void)
{
	int a = any(0);

	CHECK(!group(a, IP_ADD_MEMBERSHIP, GROUP));
	CHECK_ERR(ip(a, IP_UNBLOCK_SOURCE, GROUP, S1), EADDRNOTAVAIL);
	CHECK(!ip(a, IP_BLOCK_SOURCE, GROUP, S1));
	CHECK_ERR(ip(a, IP_BLOCK_SOURCE, GROUP, S1), EADDRNOTAVAIL);
	CHECK(counts(S1) == 1);
	CHECK(hears(a, "23"));
	CHECK(!ip(a, IP_BLOCK_SOURCE, GROUP, S3));
	CHECK(hears(a, "2"));
	CHECK_ERR(ip(a, IP_ADD_SOURCE_MEMBERSHIP, GROUP, S1), EINVAL);
	CHECK_ERR(ip(a, IP_DROP_SOURCE_MEMBERSHIP, GROUP, S1), EINVAL);
	CHECK(!ip(a, IP_UNBLOCK_SOURCE, GROUP, S1) && !ip(a, IP_UNBLOCK_SOURCE, GROUP, S3));
	CHECK(counts(S1) == -1);
	CHECK(hears(a, "123"));
	CHECK_ERR(ip(a, IP_ADD_SOURCE_MEMBERSHIP, GROUP, S1), EINVAL); /* a list, though empty */
	CHECK(!group(a, IP_DROP_MEMBERSHIP, GROUP));
	CHECK(!group(a, IP_ADD_MEMBERSHIP, GROUP)); /* without a list it may turn */
	CHECK(!ip(a, IP_ADD_SOURCE_MEMBERSHIP, GROUP, S2));
	CHECK(hears(a, "2"));
	CHECK(!group(a, IP_DROP_MEMBERSHIP, GROUP));
	CHECK(!group(a, IP_ADD_MEMBERSHIP, GROUP));
	CHECK_ERR(ip(a, IP_DROP_SOURCE_MEMBERSHIP, GROUP, S2), EADDRNOTAVAIL);
	CHECK(hears(a, "")); /* and has, even when there is nothing to drop */
	CHECK(!ip(a, IP_BLOCK_SOURCE, GROUP, S2));
	CHECK(hears(a, "13"));
	close(a);
	CHECK(counts(S2) == -1);
}

static void refused(void)
{
	int a = any(0), v = 2;
	char buf[20] = { 0 };

	CHECK_ERR(ip(a, IP_ADD_SOURCE_MEMBERSHIP, "10.1.2.3", S1), EINVAL);
	CHECK_ERR(ip(a, IP_BLOCK_SOURCE, GROUP, S1), EINVAL);
	CHECK_ERR(ip(a, IP_UNBLOCK_SOURCE, "10.1.2.3", S1), EINVAL);
	for (int o = IP_UNBLOCK_SOURCE; o <= IP_DROP_SOURCE_MEMBERSHIP; o++) {
		CHECK_ERR(setsockopt(a, IPPROTO_IP, o, buf, 8), EINVAL);
		CHECK_ERR(setsockopt(a, IPPROTO_IP, o, buf, 16), EINVAL);
		CHECK_ERR(setsockopt(a, IPPROTO_IP, o, NULL, 12), EFAULT);
	}
	CHECK_ERR(mcast(a, MCAST_JOIN_SOURCE_GROUP, GROUP, S1, 4711), ENODEV);
	CHECK_ERR(mcast(a, MCAST_BLOCK_SOURCE, GROUP, S1, 4711), ENODEV);
	CHECK_ERR(mcast(a, MCAST_JOIN_SOURCE_GROUP, GROUP, NULL, 1), EADDRNOTAVAIL);
	CHECK_ERR(mcast(a, MCAST_LEAVE_SOURCE_GROUP, GROUP, S1, 1), EINVAL);
	CHECK_ERR(mcast(a, MCAST_LEAVE_GROUP, GROUP, NULL, 4711), EADDRNOTAVAIL);
	CHECK_ERR(mcast(a, MCAST_LEAVE_GROUP, GROUP, NULL, 1), EADDRNOTAVAIL);
	CHECK_ERR(setsockopt(a, IPPROTO_IP, MCAST_BLOCK_SOURCE, buf, 20), EINVAL);
	CHECK_ERR(setsockopt(a, IPPROTO_IP, IP_MULTICAST_ALL, &v, sizeof(v)), EINVAL);
	for (int i = 0; i < 20; i++) {
		snprintf(buf, sizeof(buf), "239.9.9.%d", i);
		if (ip(a, IP_ADD_SOURCE_MEMBERSHIP, buf, S1))
			CHECK(!"joined");
	}
	CHECK_ERR(ip(a, IP_ADD_SOURCE_MEMBERSHIP, "239.9.9.20", S1), ENOBUFS);
	CHECK(!ip(a, IP_ADD_SOURCE_MEMBERSHIP, "239.9.9.19", S2));
	for (int i = 3; i <= 10; i++) {
		snprintf(buf, sizeof(buf), "127.0.0.%d", i);
		if (ip(a, IP_ADD_SOURCE_MEMBERSHIP, "239.9.9.19", buf))
			CHECK(!"added");
	}
	CHECK_ERR(ip(a, IP_ADD_SOURCE_MEMBERSHIP, "239.9.9.19", S3), ENOBUFS); /* igmp_max_msf */
	CHECK_ERR(ip(a, IP_ADD_SOURCE_MEMBERSHIP, "239.9.9.19", S2), ENOBUFS);
	close(a);
}

/* Room for @n sources, of which @said are said to be. */
static int set_list(int fd, unsigned mode, unsigned said, unsigned n, const char *const *src)
{
	char buf[400];
	struct ip_msfilter *f = (void *)buf;

	inet_pton(AF_INET, GROUP, &f->imsf_multiaddr);
	inet_pton(AF_INET, "127.0.0.1", &f->imsf_interface);
	f->imsf_fmode = mode;
	f->imsf_numsrc = said;
	for (unsigned i = 0; i < n; i++)
		inet_pton(AF_INET, src ? src[i] : S1, &f->imsf_slist[i]);
	return setsockopt(fd, IPPROTO_IP, IP_MSFILTER, f, IP_MSFILTER_SIZE(n));
}

static int get_list(int fd, const char *addr, unsigned room, struct ip_msfilter *f, socklen_t *len)
{
	inet_pton(AF_INET, addr, &f->imsf_multiaddr);
	inet_pton(AF_INET, "127.0.0.1", &f->imsf_interface);
	f->imsf_numsrc = room;
	return getsockopt(fd, IPPROTO_IP, IP_MSFILTER, f, len);
}

static void lists(void)
{
	static const char *const src[] = { S1, S3, S2 };
	static char big[30000];
	struct ip_msfilter *f = calloc(1, 400);
	int a = any(0);
	socklen_t len;

	CHECK_ERR(set_list(a, MCAST_EXCLUDE, 1, 1, src), EINVAL); /* it is not in the group */
	CHECK_ERR(set_list(a, MCAST_INCLUDE, 0, 0, src), EADDRNOTAVAIL);
	len = 400;
	CHECK_ERR(get_list(a, GROUP, 1, f, &len), EADDRNOTAVAIL);
	CHECK(!group(a, IP_ADD_MEMBERSHIP, GROUP));
	CHECK(!set_list(a, MCAST_INCLUDE, 2, 3, src)); /* two of three */
	CHECK(counts(S1) == 10 && counts(S3) == 10 && counts(S2) == -1);
	CHECK(hears(a, "13"));
	len = 400;
	CHECK(!get_list(a, GROUP, 10, f, &len) && len == IP_MSFILTER_SIZE(2));
	CHECK(f->imsf_fmode == MCAST_INCLUDE && f->imsf_numsrc == 2);
	CHECK(f->imsf_slist[0].s_addr == inet_addr(S1) &&
	      (&f->imsf_slist[0])[1].s_addr == inet_addr(S3));
	len = 400;
	CHECK(!get_list(a, GROUP, 1, f, &len) && len == IP_MSFILTER_SIZE(1) && f->imsf_numsrc == 2);
	len = 15;
	CHECK_ERR(get_list(a, GROUP, 1, f, &len), EINVAL);
	len = 400;
	CHECK_ERR(get_list(a, "10.0.0.1", 1, f, &len), EINVAL);
	CHECK(!set_list(a, MCAST_EXCLUDE, 3, 3, src));
	CHECK(counts(S1) == 1 && counts(S2) == 1);
	CHECK(hears(a, ""));
	CHECK(!set_list(a, MCAST_EXCLUDE, 0, 0, src));
	CHECK(hears(a, "123"));
	CHECK(!get_list(a, GROUP, 1, f, &len) && len == IP_MSFILTER_SIZE(0) && !f->imsf_numsrc);
	CHECK(f->imsf_fmode == MCAST_EXCLUDE);
	CHECK_ERR(set_list(a, 2, 1, 1, src), EINVAL);
	CHECK_ERR(set_list(a, MCAST_INCLUDE, 3, 2, src), EINVAL);
	CHECK_ERR(set_list(a, MCAST_INCLUDE, 11, 11, NULL), ENOBUFS);
	CHECK_ERR(set_list(a, MCAST_INCLUDE, ~0u, 2, src), ENOBUFS);
	CHECK_ERR(setsockopt(a, IPPROTO_IP, IP_MSFILTER, f, 12), EINVAL);
	CHECK_ERR(setsockopt(a, IPPROTO_IP, IP_MSFILTER, big, sizeof(big)), ENOBUFS);
	CHECK_ERR(setsockopt(a, IPPROTO_IP, IP_MSFILTER, big, 20000), EINVAL); /* no group */
	CHECK(hears(a, "123"));
	CHECK(!set_list(a, MCAST_INCLUDE, 0, 0, src)); /* nobody: it leaves */
	CHECK_ERR(group(a, IP_DROP_MEMBERSHIP, GROUP), EADDRNOTAVAIL);
	free(f);
	close(a);
}

static int set_group_list(int fd, unsigned mode, unsigned n, int family)
{
	static const char *const src[] = { S2, S3 };
	char buf[GROUP_FILTER_SIZE(2)];
	struct group_filter *f = (void *)buf;

	f->gf_interface = 1;
	put(&f->gf_group, GROUP);
	f->gf_fmode = mode;
	f->gf_numsrc = n;
	for (unsigned i = 0; i < 2; i++) {
		put(&f->gf_slist[0] + i, src[i]);
		(&f->gf_slist[0] + i)->ss_family = (sa_family_t)family;
	}
	return setsockopt(fd, IPPROTO_IP, MCAST_MSFILTER, f, GROUP_FILTER_SIZE(n));
}

static void rfc3678(void)
{
	char buf[GROUP_FILTER_SIZE(2)];
	struct group_filter *f = (void *)buf;
	struct sockaddr_in *src = (void *)&f->gf_slist[0];
	socklen_t len = sizeof(buf);
	int a = any(0);

	CHECK(!mcast(a, MCAST_JOIN_SOURCE_GROUP, GROUP, S1, 1));
	CHECK(hears(a, "1"));
	CHECK_ERR(mcast(a, MCAST_JOIN_SOURCE_GROUP, GROUP, S1, 1), EADDRNOTAVAIL);
	CHECK(!mcast(a, MCAST_JOIN_SOURCE_GROUP, GROUP, S3, 1));
	CHECK(!mcast(a, MCAST_LEAVE_SOURCE_GROUP, GROUP, S1, 1));
	CHECK(hears(a, "3"));
	CHECK_ERR(mcast(a, MCAST_BLOCK_SOURCE, GROUP, S1, 1), EINVAL);
	CHECK(!mcast(a, MCAST_LEAVE_GROUP, GROUP, NULL, 1));
	CHECK(!mcast(a, MCAST_JOIN_GROUP, GROUP, NULL, 1));
	CHECK(!mcast(a, MCAST_BLOCK_SOURCE, GROUP, S1, 1) && hears(a, "23"));
	CHECK(!mcast(a, MCAST_UNBLOCK_SOURCE, GROUP, S1, 1) && hears(a, "123"));
	CHECK(!set_group_list(a, MCAST_INCLUDE, 2, AF_INET) && hears(a, "23"));
	CHECK_ERR(set_group_list(a, MCAST_INCLUDE, 2, AF_INET6), EADDRNOTAVAIL);
	f->gf_interface = 1;
	put(&f->gf_group, GROUP);
	f->gf_numsrc = 2;
	CHECK(!getsockopt(a, IPPROTO_IP, MCAST_MSFILTER, f, &len) && len == sizeof(buf));
	CHECK(f->gf_fmode == MCAST_INCLUDE && f->gf_numsrc == 2);
	CHECK(src->sin_family == AF_INET && src->sin_addr.s_addr == inet_addr(S2));
	f->gf_interface = 4711;
	CHECK_ERR(getsockopt(a, IPPROTO_IP, MCAST_MSFILTER, f, &len), EADDRNOTAVAIL);
	f->gf_group.ss_family = AF_INET6;
	CHECK_ERR(getsockopt(a, IPPROTO_IP, MCAST_MSFILTER, f, &len), EINVAL);
	len = 100;
	CHECK_ERR(getsockopt(a, IPPROTO_IP, MCAST_MSFILTER, f, &len), EINVAL);
	CHECK(!set_group_list(a, MCAST_INCLUDE, 0, AF_INET));
	CHECK_ERR(set_group_list(a, MCAST_EXCLUDE, 1, AF_INET), EINVAL);
	close(a);
}

/* Sockets of other kinds. */
static void others(void)
{
	int raw = socket(AF_INET, SOCK_RAW, IPPROTO_UDP), tcp = socket(AF_INET, SOCK_STREAM, 0);
	int a = any(0), n = 0;
	char buf[100];

	REQUIRE(raw >= 0 && tcp >= 0);
	CHECK(!ip(raw, IP_ADD_SOURCE_MEMBERSHIP, GROUP, S2));
	CHECK(hears(a, "2"));
	while (recv(raw, buf, sizeof(buf), MSG_DONTWAIT) > 20)
		if (!memcmp(buf + 16, &(struct in_addr){ inet_addr(GROUP) }, 4))
			n += !memcmp(buf + 12, &(struct in_addr){ inet_addr(S2) }, 4) ? 1 : 100;
	CHECK(n == 1);
	CHECK_ERR(group(tcp, IP_ADD_MEMBERSHIP, GROUP), EPROTO);
	CHECK_ERR(group(tcp, IP_DROP_MEMBERSHIP, GROUP), EPROTO);
	CHECK(!mcast(tcp, MCAST_JOIN_GROUP, GROUP, NULL, 1));
	CHECK(hears(a, "123")); /* the device takes them now */
	CHECK(!ip(tcp, IP_BLOCK_SOURCE, GROUP, S1));
	CHECK(hears(a, "23"));
	CHECK(counts(S1) == 1 && counts(S2) == 10);
	CHECK_ERR(ip(tcp, IP_ADD_SOURCE_MEMBERSHIP, GROUP, S3), EINVAL);
	close(tcp);
	CHECK(EVENTUALLY(counts(S1) == -1));
	CHECK(hears(a, "2"));
	close(raw);
	CHECK(counts(S2) == -1);
	CHECK(hears(a, ""));
	close(a);
}

int main(void)
{
	cpu_set_t one;

	alarm(TAP_LIMIT);
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	REQUIRE(!sched_setaffinity(0, sizeof(one), &one)); /* which delivers in order */
	REQUIRE(loopback_up());
	include();
	exclude();
	refused();
	lists();
	rfc3678();
	others();
	return tap_done();
}
