/*
 * ICMP redirects: which are believed, by net.ipv4.conf's accept_redirects, shared_media and
 * secure_redirects, and what becomes of them. RFC 1122, 3.2.2.2; icmp(7).
 *
 * All on loopback: a net of neighbours there, a route by one of them, and redirects that we send to
 * ourselves in its name.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include "inet.h"
/* Behind those: they say the same. */
#include <linux/rtnetlink.h>
#include <net/route.h>

#define CONF "/proc/sys/net/ipv4/conf/"
#define FAR "10.8.0.1"
#define GATE "10.7.0.2"
#define BETTER "10.7.0.3"
#define BEST "10.7.0.4"
#define OFF_LINK "10.9.0.1"

static int raw;

static int route(int request, const char *dst, const char *mask, const char *gate)
{
	struct rtentry r = { .rt_flags = RTF_UP | (gate ? RTF_GATEWAY : 0), .rt_dev = "lo" };
	struct sockaddr_in a = at(dst, 0), m = at(mask, 0), g = at(gate ? gate : "0.0.0.0", 0);

	memcpy(&r.rt_dst, &a, sizeof(a));
	memcpy(&r.rt_genmask, &m, sizeof(m));
	memcpy(&r.rt_gateway, &g, sizeof(g));
	return ioctl(raw, (unsigned)request, &r);
}

static int put(const char *name, const char *value)
{
	char path[96];
	int fd, ok;

	snprintf(path, sizeof(path), CONF "%s", name);
	fd = open(path, O_WRONLY);
	ok = write(fd, value, strlen(value)) == (ssize_t)strlen(value);
	close(fd);
	return ok;
}

static int number(const char *name)
{
	char path[96], text[16] = "";
	int fd;

	snprintf(path, sizeof(path), CONF "%s", name);
	fd = open(path, O_RDONLY);
	if (read(fd, text, sizeof(text) - 1) < 1)
		strcpy(text, "-99");
	close(fd);
	return atoi(text);
}

static unsigned short sum(const void *data, size_t n)
{
	const unsigned short *w = data;
	unsigned s = 0;

	for (size_t i = 0; i < n / 2; i++)
		s += w[i];
	s = (s & 0xffff) + (s >> 16);
	return (unsigned short)~(s + (s >> 16));
}

/* @from says that @to is better for an echo reply of ours to FAR. */
static int redirect(const char *from, const char *to, int code)
{
	struct {
		struct iphdr ip;
		struct icmphdr icmp;
		struct iphdr about;
		struct icmphdr reply;
	} m = { .ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_ICMP },
		.icmp = { .type = ICMP_REDIRECT, .code = (unsigned char)code },
		.about = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_ICMP },
		.reply = { .type = ICMP_ECHOREPLY } };
	struct sockaddr_in self = at("127.0.0.1", 0);

	m.ip.saddr = inet_addr(from);
	m.ip.daddr = m.about.saddr = self.sin_addr.s_addr;
	m.ip.tot_len = htons(sizeof(m));
	m.about.daddr = inet_addr(FAR);
	m.about.tot_len = htons(28);
	m.icmp.un.gateway = inet_addr(to);
	m.icmp.checksum = sum(&m.icmp, sizeof(m) - sizeof(m.ip));
	return sendto(raw, &m, sizeof(m), 0, SA(self)) == (ssize_t)sizeof(m);
}

/* Is @gate whom packets to @dst go by? */
static int goes_by(const char *dst, const char *gate)
{
	struct {
		struct nlmsghdr h;
		struct rtmsg m;
		struct rtattr a;
		unsigned addr;
	} q = { { sizeof(q), RTM_GETROUTE, NLM_F_REQUEST, 1, 0 },
		{ .rtm_family = AF_INET, .rtm_dst_len = 32 },
		{ RTA_LENGTH(4), RTA_DST },
		inet_addr(dst) };
	int nl = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	char text[2048];
	const struct nlmsghdr *h = (const void *)text;
	const struct rtattr *a = (const void *)(text + NLMSG_LENGTH(sizeof(struct rtmsg)));
	unsigned want = inet_addr(gate);
	int left, found = 0;

	if (send(nl, &q, sizeof(q), 0) == (ssize_t)sizeof(q) &&
	    recv(nl, text, sizeof(text), 0) > 0 && h->nlmsg_type == RTM_NEWROUTE) {
		left = (int)(h->nlmsg_len - NLMSG_LENGTH(sizeof(struct rtmsg)));
		for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
			found |= a->rta_type == RTA_GATEWAY && !memcmp(RTA_DATA(a), &want, 4);
	}
	close(nl);
	return found;
}

static int told(const char *from, const char *to, int code, const char *now)
{
	return redirect(from, to, code) && goes_by(FAR, now);
}

/* The route is made anew: nothing is known of redirects. */
static void anew(void)
{
	REQUIRE(!route(SIOCDELRT, "10.8.0.0", "255.255.0.0", NULL));
	REQUIRE(!route(SIOCADDRT, "10.8.0.0", "255.255.0.0", GATE) && goes_by(FAR, GATE));
}

static void believed(void)
{
	CHECK(goes_by(FAR, GATE));
	CHECK(told(BETTER, BEST, ICMP_REDIR_HOST, GATE)); /* not the gateway in use */
	CHECK(told(GATE, GATE, ICMP_REDIR_HOST, GATE));
	CHECK(told(GATE, "127.0.0.1", ICMP_REDIR_HOST, GATE)); /* not another */
	CHECK(told(GATE, "224.0.0.9", ICMP_REDIR_HOST, GATE));
	CHECK(told(GATE, "255.255.255.255", ICMP_REDIR_HOST, GATE));
	CHECK(told(GATE, "0.0.0.0", ICMP_REDIR_HOST, GATE));
	CHECK(told(GATE, BETTER, 4, GATE)); /* no such code */
	CHECK(told(GATE, BETTER, ICMP_REDIR_HOST, BETTER));
	CHECK(goes_by("10.8.0.2", GATE));
	CHECK(told(GATE, BEST, ICMP_REDIR_HOST, BETTER)); /* that was before */
	CHECK(told(BETTER, BEST, ICMP_REDIR_NET, BEST));
	CHECK(goes_by("10.8.0.2", GATE)); /* of the host alone, whatever it says */
	anew();
}

static void settings(void)
{
	CHECK(put("all/accept_redirects", "0") && put("lo/accept_redirects", "0"));
	CHECK(told(GATE, BETTER, ICMP_REDIR_HOST, GATE));
	CHECK(put("lo/accept_redirects", "1")); /* one is enough, but for a router */
	CHECK(put("lo/forwarding", "1") && told(GATE, BETTER, ICMP_REDIR_HOST, GATE));
	CHECK(put("lo/forwarding", "0") && told(GATE, BETTER, ICMP_REDIR_HOST, BETTER));
	anew();
	/* Where a link has nets of its own, the other must be in that of the one who speaks. */
	CHECK(put("all/shared_media", "0") && put("lo/shared_media", "0"));
	CHECK(told(GATE, BETTER, ICMP_REDIR_HOST, GATE));
	CHECK(put("lo/shared_media", "1") && told(GATE, OFF_LINK, ICMP_REDIR_HOST, OFF_LINK));
	CHECK(put("all/shared_media", "1"));
	anew();
	/* Who begins to be a router hears none. */
	CHECK(put("all/accept_redirects", "1"));
	CHECK(put("all/forwarding", "1") && number("all/accept_redirects") == 0);
	CHECK(put("all/forwarding", "0"));
}

int main(void)
{
	REQUIRE(loopback_up());
	raw = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	REQUIRE(raw >= 0);
	REQUIRE(!route(SIOCADDRT, "10.7.0.0", "255.255.255.0", NULL));
	REQUIRE(!route(SIOCADDRT, "10.8.0.0", "255.255.0.0", GATE));
	CHECK(put("all/accept_redirects", "1")); /* Linux's default */
	believed();
	settings();
	CHECK(!route(SIOCDELRT, "10.8.0.0", "255.255.0.0", NULL));
	CHECK(!route(SIOCDELRT, "10.7.0.0", "255.255.255.0", NULL));
	return tap_done();
}
