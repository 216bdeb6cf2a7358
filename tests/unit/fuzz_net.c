/*
 * libFuzzer's entries to the network's parsers, one program with several ways in. Started as fuzz-ENTRY it
 * takes one of them, as fuzz-net any, by the first byte of the input:
 *
 *   ether     a row of frames, each with its length before it, into the whole stack below the sockets:
 *             Ethernet, ARP, IPv4, reassembly, ICMP, UDP, raw; time goes on between them
 *   arp, ip, icmp, udp  the same, with frames that all get as far as that protocol
 *   netlink   a request of NETLINK_ROUTE or NETLINK_SOCK_DIAG from an administrator
 *   dhcp      messages for the client, in the state to which honest ones have brought it
 *   dns, ntp  answers to a question
 *   words     ip= and netconsole= of the command line
 *
 * The world (a card, a clock, memory) is that of the tests.
 */
#include "tests/unit/net/world.h"
#include "net/bootparam.h"
#include "net/dhcp.h"
#include "net/dns_msg.h"
#include "net/sntp_msg.h"
#include "net/sock/netlink.h"
#include "net/tcp.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void any_input(struct inet_pcb *pcb, struct pkt *p)
{
	pkt_copy_out(p, 0, got_data, MIN(p->len, (u32)sizeof(got_data)));
	pkt_put(p);
}
static const struct inet_pcb_ops any_ops = { .input = any_input,
					     .error = user_error,
					     .destroy = user_destroy };

/* What a sender gets wrong last: a sum. Right ones, so that the rest is looked at. */
static void mend(u8 *f, u32 len)
{
	struct iphdr *ip = (struct iphdr *)(f + ETH_HLEN);
	u32 hlen, total;

	if (len < ETH_HLEN + sizeof(*ip) || f[12] != 8 || f[13])
		return;
	hlen = ip->ihl * 4u;
	total = net16(ip->tot_len);
	if (hlen < 20 || hlen > len - ETH_HLEN || total > len - ETH_HLEN || total < hlen)
		return;
	ip->check = 0;
	ip->check = (u16)~cksum_fold(cksum_add(ip, hlen, 0));
	if (ip->protocol == IPPROTO_ICMP && total >= hlen + 8) {
		struct icmphdr *h = (struct icmphdr *)((u8 *)ip + hlen);

		h->checksum = 0;
		h->checksum = (u16)~cksum_fold(cksum_add(h, total - hlen, 0));
	}
}

/* What every frame is made to be, 0: left as it is. */
static u16 only_type; /* ETH_P_* */
static u8 only_protocol; /* IPPROTO_* */

/* A frame that reaches the protocol: what is asked before, as an honest sender has it. */
static void shape(u8 *f, u32 len)
{
	static const u8 arp[] = { 0, 1, 8, 0, 6, 4 };
	struct iphdr *ip = (struct iphdr *)(f + ETH_HLEN);
	u32 room = len - ETH_HLEN;

	f[12] = (u8)(only_type >> 8);
	f[13] = (u8)only_type;
	if (only_type == ETH_P_ARP && room >= sizeof(arp))
		memcpy(f + ETH_HLEN, arp, sizeof(arp));
	if (!only_protocol || room < sizeof(*ip) + sizeof(struct udphdr))
		return;
	ip->version = 4;
	ip->ihl = 5;
	ip->tot_len = net16((u16)room);
	ip->frag_off = 0;
	ip->ttl |= 1;
	ip->protocol = only_protocol;
	ip->daddr = ME;
	if (only_protocol == IPPROTO_UDP) {
		struct udphdr *u = (struct udphdr *)(ip + 1);

		u->dest = net16(7);
		u->len = net16((u16)(room - sizeof(*ip)));
		u->check = 0;
	}
}

static void frames(const u8 *data, size_t size)
{
	while (size >= 3) {
		u32 len = MIN((u32)data[0] << 8 | data[1], (u32)size - 3);
		u8 how = data[2];
		u8 *f = malloc(len + 1);

		len = MIN(len, 2000u);
		memcpy(f, data + 3, len);
		if (len >= ETH_HLEN && (how & 1))
			memcpy(f, my_mac, ETH_ALEN);
		if (only_type && len >= ETH_HLEN)
			shape(f, len);
		if (how & 2 || only_protocol)
			mend(f, len);
		if (how & 4)
			now += NSEC_PER_SEC;
		fail_alloc = how & 8 ? 1 + (how >> 4) : 0;
		receive(f, len);
		fail_alloc = 0;
		free(f);
		data += 3 + len;
		size -= 3 + len;
	}
	/* All fragments are given up in the end: nothing stays in memory. */
	now += 100 * NSEC_PER_SEC;
	run_work();
	nsent = 0;
}

/* --- netlink: the sockets are not there; answers are looked at and go nowhere --- */

int nl_queue(struct nl_sock *n, const void *data, u32 size)
{
	const struct nlmsghdr *h;

	CHECK(size <= NL_OUT_SIZE && size == NLMSG_ALIGN(size));
	for (u32 at = 0; at < size; at += NLMSG_ALIGN(h->nlmsg_len)) {
		h = (const struct nlmsghdr *)((const u8 *)data + at);
		CHECK(h->nlmsg_len >= NLMSG_HDRLEN && h->nlmsg_len <= size - at);
		CHECK(h->nlmsg_len <= NL_MESSAGE_MAX);
	}
	return 0;
}
void nl_flush(struct nl_out *o)
{
	if (o->len)
		CHECK_EQ(nl_queue(o->to, o->bytes, o->len), 0);
	kfree(o->bytes);
	o->bytes = NULL;
	o->len = 0;
}
bool nl_wanted(u32 group)
{
	return true;
}
void sysfs_net_added(struct netdev *d)
{
}
void sysfs_net_removed(const struct netdev *d)
{
}
int unix_diag_request(const struct nlmsghdr *h, bool dump, struct nl_out *o)
{
	return 0;
}
u32 nl_collect(struct nl_seen *out, u32 max)
{
	enum { SOCKETS = 40 }; /* more than one message holds */

	for (u32 i = 0; i < SOCKETS && i < max; i++)
		out[i] = (struct nl_seen){
			.id = i, .port = i, .groups = i, .protocol = (u8)(i % 32)
		};
	return SOCKETS;
}
int tcp_for_each(int (*fn)(const struct tcp_row *row, void *arg), void *arg)
{
	struct tcp_row row = {
		.local = { ME, net16(80) }, .peer = { PEER, net16(1024) }, .state = 1, .cc = "cubic"
	};

	return fn(&row, arg);
}

/* Everything as begin() made it. */
static void restore(void)
{
	struct ifaddr a, own = { .dev = &card,
				 .local = ME,
				 .peer = ME,
				 .prefix = 24,
				 .broadcast = IP_ADDR(10, 0, 0, 255),
				 .flags = IFA_F_PERMANENT };
	struct neigh_info n;
	struct rt_entry r;

	while (ifaddr_get(NULL, 0, &a))
		CHECK(!ifaddr_del(a.dev, a.local, a.prefix, a.label));
	while (route_get(0, &r))
		CHECK(!route_del(&r));
	while (neigh_get(0, &n))
		CHECK(!neigh_del(n.dev, n.addr));
	CHECK(!netdev_set_flags(netdev_lo, 0, ~0u) && !netdev_set_flags(&card, 0, ~0u));
	CHECK(!netdev_set_mtu(netdev_lo, 65536) && !netdev_set_mtu(&card, 1500));
	CHECK(!netdev_set_flags(netdev_lo, IFF_UP, IFF_UP));
	CHECK(!netdev_set_flags(&card, IFF_UP, IFF_UP));
	CHECK(!ifaddr_add(&own));
	run_work();
}

/* A request for all connections with @data as the filter. */
static void filter(const u8 *data, size_t size)
{
	struct nl_out o = { .to = (struct nl_sock *)&o };
	u32 len = NLMSG_SPACE(56) + NLA_HDRLEN + (u32)size;
	struct nlmsghdr *h = calloc(1, len);
	struct nlattr *a = (struct nlattr *)((u8 *)h + NLMSG_SPACE(56));
	u8 *req = NLMSG_DATA(h);

	*h = (struct nlmsghdr){ .nlmsg_len = len, .nlmsg_type = 20, .nlmsg_flags = NLM_F_DUMP };
	req[0] = 2;
	req[1] = IPPROTO_TCP;
	memset(req + 4, 0xff, 4);
	*a = (struct nlattr){ .nla_len = (u16)(NLA_HDRLEN + size), .nla_type = 1 };
	memcpy(a + 1, data, size);
	(void)sockdiag_request(h, true, &o);
	nl_flush(&o);
	free(h);
}

static void netlink(const u8 *data, size_t size)
{
	u32 len = (u32)size + sizeof(struct nlmsghdr) - 3;
	struct nl_out o = { .to = (struct nl_sock *)&o };
	struct nlmsghdr *h;

	if (size < 3)
		return;
	h = malloc(len);
	*h = (struct nlmsghdr){ .nlmsg_len = len, .nlmsg_flags = (u16)(data[1] << 8 | data[2]) };
	memcpy(h + 1, data + 3, size - 3);
	h->nlmsg_type = data[0] & 0x80 ? 20 : 16 + data[0] % 80;
	rtnetlink_init();
	if ((data[0] & 0xc0) == 0xc0)
		filter(data + 1, size - 1);
	else if (data[0] & 0x80)
		(void)sockdiag_request(h, true, &o);
	else
		(void)rtnetlink_request(h, true, &o);
	nl_flush(&o);
	free(h);
	restore();
}

/* --- the pure readers --- */

static void c_send(struct dhcp *c, be32 src, be32 dst, const u8 *m, u32 len)
{
}
static void c_probe(struct dhcp *c, be32 addr)
{
}
static void c_state(struct dhcp *c)
{
}
static u32 c_random(void)
{
	return 0x12345678;
}
static const struct dhcp_ops c_ops = { c_send, c_probe, c_state, c_state, c_random };

static void dhcp(const u8 *data, size_t size)
{
	static const u8 head[] = { 2, 1, 6, 0, 0x78, 0x56, 0x34, 0x12 };
	s64 t = NSEC_PER_SEC;
	struct dhcp c;

	dhcp_start(&c, &c_ops, my_mac, t);
	while (size >= 2) {
		u32 len = MIN((u32)data[0] << 1, (u32)size - 2);
		u8 how = data[1], *m = malloc(len + 1);

		memcpy(m, data + 2, len);
		if (how & 1 && len >= 240) {
			memcpy(m, head, 8);
			memcpy(m + 28, my_mac, 6);
			memcpy(m + 236, "\x63\x82\x53\x63", 4);
		}
		dhcp_input(&c, m, len, t);
		free(m);
		if (how & 2 && c.deadline != TIME_NEVER)
			t = MAX(t, c.deadline);
		if (how & 4)
			dhcp_conflict(&c, t);
		dhcp_run(&c, t);
		data += 2 + len;
		size -= 2 + len;
	}
}

static void dns(const u8 *data, size_t size)
{
	u8 query[DNS_QUERY_MAX], *m = malloc(size + DNS_QUERY_MAX);
	u32 n = dns_query_make(query, 0x1234, "www.example.com");
	struct dns_answer a;

	memcpy(m, data, size);
	(void)dns_answer_read(query, n, m, (u32)size, &a);
	/* The same behind the right question. */
	memcpy(m, query, n);
	m[2] |= 0x80;
	if (size >= 4) {
		m[3] = data[0];
		m[7] = data[1];
		m[9] = data[2];
		memcpy(m + n, data + 4, size - 4);
		m = realloc(m, n + size - 4);
		(void)dns_answer_read(query, n, m, n + (u32)size - 4, &a);
	}
	free(m);
}

static void ntp(const u8 *data, size_t size)
{
	u8 m[SNTP_LEN + 8] = { 0 };
	s64 offset;
	u64 nonce;

	memcpy(m, data, MIN(size, sizeof(m)));
	memcpy(&nonce, m + 24, 8);
	(void)sntp_answer_read(m, (u32)MIN(size, sizeof(m)), nonce, 0, NSEC_PER_SEC, &offset);
}

static void words(const u8 *data, size_t size)
{
	char *text = malloc(size + 1);
	struct netconsole_param n;
	struct ip_param p;

	memcpy(text, data, size);
	text[size] = '\0';
	(void)ip_param_parse(text, &p);
	(void)netconsole_param_parse(text, &n);
	free(text);
}

static const struct entry {
	const char *name;
	void (*input)(const u8 *data, size_t size);
	u16 type;
	u8 protocol;
} entries[] = {
	{ "ether", frames, 0, 0 },
	{ "arp", frames, ETH_P_ARP, 0 },
	{ "ip", frames, ETH_P_IP, 0 },
	{ "icmp", frames, ETH_P_IP, IPPROTO_ICMP },
	{ "udp", frames, ETH_P_IP, IPPROTO_UDP },
	{ "netlink", netlink, 0, 0 },
	{ "dhcp", dhcp, 0, 0 },
	{ "dns", dns, 0, 0 },
	{ "ntp", ntp, 0, 0 },
	{ "words", words, 0, 0 },
};
static const struct entry *only;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *name = strrchr((*argv)[0], '-');

	for (size_t i = 0; name && i < ARRAY_SIZE(entries); i++) {
		if (!strcmp(name + 1, entries[i].name))
			only = &entries[i];
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const struct entry *e = only;

	if (!e && size) {
		e = &entries[*data % ARRAY_SIZE(entries)];
		data++;
		size--;
	}
	if (!e)
		return 0;
	begin();
	udp_pcb.ops = &any_ops;
	only_type = e->type;
	only_protocol = e->protocol;
	e->input(data, size);
	return 0;
}
