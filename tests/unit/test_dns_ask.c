/* unit: net/dns.c net/dns_msg.c net/udp_ask.c net/bootparam.c net/arp.c net/cksum.c net/ether.c net/gso.c net/icmp.c net/igmp.c net/ifaddr.c net/inet_pcb.c net/ip_input.c net/ip_output.c net/ipfrag.c net/loopback.c net/mcast.c net/netdev.c net/pkt.c net/raw.c net/route.c net/udp.c kernel/lib/string.c kernel/lib/fmt.c kernel/lib/sbuf.c */
/*
 * The kernel's resolver with servers that answer, refuse, lie or are silent: whom it asks, when,
 * from where, and how long it remembers. In the world of net/world.h.
 */
#include "net/dns.h"
#include "net/ipconfig.h"
#include "tests/unit/fakes/waits.h"
#include "tests/unit/net/world.h"

#define S NSEC_PER_SEC
#define SERVER(n) IP_ADDR(10, 0, 0, 2 + (n))
#define ANSWER IP_ADDR(93, 184, 216, 34)

enum manner {
	SILENT,
	ANSWERS,
	FAILS, /* SERVFAIL */
	HAS_NO_NAME,
	TRUNCATES,
	REFUSES, /* ICMP: nobody is at that port */
	LIES, /* three wrong ones before the right one */
	GIVES_ALIAS,
};
static enum manner manner[3];
static u32 ttl;

/* The questions that were asked. */
static struct asked {
	be32 server;
	s64 at;
	u16 port, id;
	char name[64];
} asked[128];
static u32 nasked;

void ipconfig_get(struct ipconfig *out)
{
	memset(out, 0, sizeof(*out));
}

void waitq_init(struct waitq *q)
{
}

/* --- servers --- */

static u8 msg[600];
static u32 msg_len;

static void add(const void *what, u32 n)
{
	memcpy(msg + msg_len, what, n);
	msg_len += n;
}

/* The answer to @q, of @n bytes. */
static void make_answer(enum manner how, const u8 *q, u32 n)
{
	be32 addr = ANSWER;
	u32 life = net32(ttl);

	memcpy(msg, q, n);
	msg_len = n;
	msg[2] |= 0x80;
	msg[3] = how == FAILS ? 0x82 : how == HAS_NO_NAME ? 0x83 : 0x80;
	if (how == TRUNCATES)
		msg[2] |= 2;
	if (how == ANSWERS || how == LIES) {
		msg[7] = 1;
		add("\xc0\14\0\1\0\1", 6);
		add(&life, 4);
		add("\0\4", 2);
		add(&addr, 4);
	} else if (how == GIVES_ALIAS) { /* a name's is that with an x before it */
		msg[7] = 1;
		add("\xc0\14\0\5\0\1", 6);
		add(&life, 4);
		add("\0\4\1x\xc0\14", 6);
	} else if (how == HAS_NO_NAME) { /* an SOA says how long */
		msg[9] = 1;
		add("\xc0\14\0\6\0\1", 6);
		add(&life, 4);
		add("\0\26\0\0", 4);
		memset(msg + msg_len, 0, 16);
		msg_len += 16;
		add(&life, 4);
	}
}

/* The message comes from @from, to port @to. */
static void come(be32 from, u16 from_port, u16 to)
{
	struct ip_frame f;
	struct udphdr *u = (struct udphdr *)f.data;
	u32 n;

	*u = (struct udphdr){ net16(from_port), net16(to), net16((u16)(8 + msg_len)), 0 };
	memcpy(f.data + 8, msg, msg_len);
	n = ip_frame(&f, IPPROTO_UDP, 8 + msg_len, 0);
	f.ip.saddr = from;
	f.ip.check = 0;
	f.ip.check = (u16)~cksum_fold(cksum_add(&f.ip, 20, 0));
	receive(&f, n);
}

/* Nobody listens at the port that @question went to. */
static void come_icmp(const struct ip_frame *question)
{
	struct icmphdr h = { .type = ICMP_DEST_UNREACH, .code = ICMP_PORT_UNREACH };
	struct ip_frame f;

	memcpy(f.data, &h, 8);
	memcpy(f.data + 8, &question->ip, 28);
	h.checksum = (u16)~cksum_fold(cksum_add(f.data, 36, 0));
	memcpy(f.data, &h, 8);
	receive(&f, ip_frame(&f, IPPROTO_ICMP, 36, 0));
}

static void serve(const struct ip_frame *f)
{
	const struct udphdr *u = (const struct udphdr *)f->data;
	const u8 *q = f->data + 8;
	u32 n = net16(u->len) - 8u, server = (net32(f->ip.daddr) & 255) - 2, at = 12, k = 0;
	struct asked *a = &asked[nasked++];
	u16 port = net16(u->source);

	CHECK(nasked < ARRAY_SIZE(asked) && server < 3 && u->dest == net16(DNS_PORT));
	CHECK(f->ip.saddr == ME);
	*a = (struct asked){ f->ip.daddr, now, port, (u16)(q[0] << 8 | q[1]), "" };
	for (; q[at]; at += q[at] + 1u) {
		CHECK(k + q[at] + 1 < sizeof(a->name));
		memcpy(a->name + k, q + at + 1, q[at]);
		k += q[at];
		a->name[k++] = '.';
	}
	a->name[k] = 0;
	make_answer(manner[server], q, n);
	switch (manner[server]) {
	case SILENT: return;
	case REFUSES: come_icmp(f); return;
	case LIES:
		msg[0] ^= 1;
		come(SERVER(server), DNS_PORT, port); /* another number */
		msg[0] ^= 1;
		come(SERVER(server), 5353, port); /* another port */
		come(SERVER(3), DNS_PORT, port); /* another host */
		msg[14] ^= 1;
		come(SERVER(server), DNS_PORT, port); /* another name */
		msg[14] ^= 1;
		come(SERVER(server), DNS_PORT, port);
		return;
	default: come(SERVER(server), DNS_PORT, port); return;
	}
}

/* Who asks waits: the servers hear of it, or the time is over. */
int wait_block(enum thread_state state, s64 until)
{
	if (!nsent) {
		now = until;
		return -ETIMEDOUT;
	}
	for (u32 i = 0; i < nsent; i++) { /* what comes is answered, perhaps, by ICMP */
		const struct ip_frame *f = (const struct ip_frame *)sent[i];

		if (f->ip.protocol == IPPROTO_UDP)
			serve(f);
	}
	nsent = 0;
	return 0;
}

static void start(u32 servers)
{
	be32 list[DNS_SERVERS_MAX] = { 0 };

	dns_forget();
	begin();
	for (u32 i = 0; i < 4; i++) {
		CHECK(!neigh_set(&card, SERVER(i), NUD_PERMANENT, peer_mac,
				 NEIGH_CREATE | NEIGH_REPLACE));
		if (i < servers)
			list[i] = SERVER(i);
	}
	dns_set_servers(list);
	nasked = 0;
	ttl = 60;
	manner[0] = manner[1] = manner[2] = ANSWERS;
	dns_tcp_ask = NULL;
}

static int resolve(const char *name)
{
	be32 addr = 0;
	int n = dns_resolve(name, &addr, 1);

	if (n > 0)
		CHECK_EQ(addr, ANSWER);
	return n;
}

/* --- whom it asks --- */

UNIT_TEST(servers_are_asked_in_turn)
{
	start(3);
	manner[0] = manner[1] = SILENT;
	CHECK_EQ(resolve("example.com"), 1);
	CHECK_EQ(nasked, 3);
	for (u32 i = 0; i < 3; i++) {
		CHECK_EQ(asked[i].server, SERVER(i));
		CHECK_STR(asked[i].name, "example.com.");
		CHECK_EQ(asked[i].at, asked[0].at + i * 2 * S);
	}
	dns_forget();
}

/* Three rounds, each waits twice as long as the one before. */
UNIT_TEST(silent_servers_are_asked_again)
{
	s64 from, at = 0;

	start(3);
	manner[0] = manner[1] = manner[2] = SILENT;
	from = now;
	CHECK_EQ(resolve("example.com"), -ETIMEDOUT);
	CHECK_EQ(nasked, 9);
	for (u32 i = 0; i < 9; i++) {
		CHECK_EQ(asked[i].server, SERVER(i % 3));
		CHECK_EQ(asked[i].at, from + at);
		at += (2 << i / 3) * S;
		for (u32 k = 0; k < i; k++)
			CHECK(asked[i].id != asked[k].id && asked[i].port != asked[k].port);
	}
	CHECK_EQ(now, from + at);
	CHECK_EQ(resolve("example.com"), -ETIMEDOUT); /* that is not remembered */
	CHECK_EQ(nasked, 18);
	start(1);
	manner[0] = SILENT;
	CHECK_EQ(resolve("example.com"), -ETIMEDOUT);
	CHECK_EQ(nasked, 3);
	start(0);
	CHECK_EQ(resolve("example.com"), -ENETUNREACH);
}

/* Who cannot say, or is not there, is not waited for; who says no is believed. */
UNIT_TEST(servers_that_fail_are_passed_by)
{
	start(3);
	manner[0] = FAILS;
	manner[1] = REFUSES;
	CHECK_EQ(resolve("example.com"), 1);
	CHECK_EQ(nasked, 3);
	CHECK_EQ(asked[2].at, asked[0].at);
	start(3);
	manner[0] = manner[1] = manner[2] = FAILS;
	CHECK_EQ(resolve("example.com"), -EIO);
	CHECK_EQ(nasked, 9);
	start(2);
	manner[0] = HAS_NO_NAME;
	CHECK_EQ(resolve("example.com"), -ENOENT);
	CHECK_EQ(nasked, 1);
	dns_forget();
}

/* RFC 5452: only what comes from whom was asked, to this question, counts. */
UNIT_TEST(lies_are_not_heard)
{
	struct dns_stats before, after;

	start(1);
	manner[0] = LIES;
	dns_stats_get(&before);
	CHECK_EQ(resolve("example.com"), 1);
	CHECK_EQ(nasked, 1);
	dns_stats_get(&after);
	CHECK_EQ(after.bogus - before.bogus, 2); /* the others did not come so far */
	CHECK_EQ(after.answers - before.answers, 1);
	dns_forget();
}

/* RFC 5452, 9.2: the port and the number are what a forger must guess. */
UNIT_TEST(ports_and_numbers_are_nobodys_guess)
{
	u32 ports = 0, ids = 0, near = 0;

	start(1);
	ttl = 0;
	for (u32 i = 0; i < 64; i++)
		CHECK_EQ(resolve("example.com"), 1);
	CHECK_EQ(nasked, 64);
	for (u32 i = 0; i < 64; i++) {
		const struct asked *a = &asked[i];

		CHECK(a->port >= inet_port_first && a->port <= inet_port_last);
		ports |= 1u << (a->port - (u32)inet_port_first) * 8 /
				       (u32)(inet_port_last - inet_port_first + 1);
		ids |= 1u << a->id / 8192;
		near += i && (u16)(a->id - a[-1].id + 64) < 128;
		near += i && (u16)(a->port - a[-1].port + 64) < 128;
	}
	CHECK(__builtin_popcount(ports) >= 6 && __builtin_popcount(ids) >= 6);
	CHECK(near <= 2);
}

/* --- what it remembers --- */

UNIT_TEST(names_are_remembered_for_their_time)
{
	struct dns_entry e;

	for (u32 no = 0; no < 2; no++) {
		int is = no ? -ENOENT : 1;

		start(1);
		manner[0] = no ? HAS_NO_NAME : ANSWERS;
		CHECK_EQ(resolve("example.com"), is);
		now += 30 * S;
		CHECK_EQ(resolve("EXAMPLE.com"), is);
		CHECK(dns_entry_get(0, &e) && e.ttl == 30 && e.naddrs == !no);
		now += 30 * S - 1;
		CHECK_EQ(resolve("example.com"), is);
		CHECK_EQ(nasked, 1);
		now += 1;
		CHECK(!dns_entry_get(0, &e));
		CHECK_EQ(resolve("example.com"), is);
		CHECK_EQ(nasked, 2);
		CHECK_EQ(resolve("www.example.com"), is);
		CHECK_EQ(nasked, 3);
		dns_forget();
		CHECK_EQ(resolve("example.com"), is);
		CHECK_EQ(nasked, 4);
	}
	start(1);
	ttl = 0; /* for this once */
	CHECK_EQ(resolve("example.com"), 1);
	CHECK_EQ(resolve("example.com"), 1);
	CHECK_EQ(nasked, 2);
}

/* A full table: what would go first goes. */
UNIT_TEST(so_many_names_are_remembered)
{
	struct dns_entry e;
	char name[8] = "n00.com";
	u32 known = 0;

	start(1);
	for (u32 i = 0; i < 65; i++) {
		name[1] = (char)('0' + i / 10);
		name[2] = (char)('0' + i % 10);
		ttl = i == 7 ? 30 : 60 + i;
		CHECK_EQ(resolve(name), 1);
	}
	while (dns_entry_get(known, &e))
		known++;
	CHECK_EQ(known, 64);
	ttl = 0; /* what is true for this once takes nobody's place */
	CHECK_EQ(resolve("once.com"), 1);
	nasked--;
	CHECK_EQ(nasked, 65);
	CHECK_EQ(resolve("n00.com"), 1);
	CHECK_EQ(resolve("n64.com"), 1);
	CHECK_EQ(nasked, 65);
	CHECK_EQ(resolve("n07.com"), 1);
	CHECK_EQ(nasked, 66);
	dns_forget();
}

/* --- aliases that end in another zone --- */

UNIT_TEST(aliases_are_followed_so_far)
{
	start(1);
	manner[0] = GIVES_ALIAS;
	CHECK_EQ(resolve("a.example"), -EIO);
	CHECK_EQ(nasked, 8);
	CHECK_STR(asked[0].name, "a.example.");
	CHECK_STR(asked[2].name, "x.x.a.example.");
	dns_forget();
}

/* --- TCP --- */

static u32 by_tcp;
static be32 tcp_server;
static enum manner tcp_manner;

static int fake_tcp(be32 server, u8 *m, u32 len, bool (*accept)(void *arg, const u8 *msg, u32 len),
		    void *arg)
{
	by_tcp++;
	tcp_server = server;
	CHECK(len > 2 && ((u32)m[0] << 8 | m[1]) == len - 2);
	CHECK_EQ((u16)(m[2] << 8 | m[3]), asked[nasked - 1].id); /* the same question */
	if (tcp_manner == SILENT)
		return -ETIMEDOUT;
	make_answer(tcp_manner, m + 2, len - 2);
	return accept(arg, msg, msg_len) ? 0 : -EIO;
}

/* RFC 7766: what was cut comes again whole, from the same server. */
UNIT_TEST(what_was_cut_comes_again_by_tcp)
{
	start(3);
	manner[0] = FAILS;
	manner[1] = TRUNCATES;
	dns_tcp_ask = fake_tcp;
	by_tcp = 0;
	tcp_manner = ANSWERS;
	CHECK_EQ(resolve("example.com"), 1);
	CHECK(by_tcp == 1 && tcp_server == SERVER(1) && nasked == 2);
	CHECK_EQ(resolve("example.com"), 1); /* remembered as any other */
	CHECK(by_tcp == 1 && nasked == 2);
	/* Where that does not help the next one is asked. */
	for (u32 i = 0; i < 3; i++) {
		start(2);
		manner[0] = TRUNCATES;
		dns_tcp_ask = i < 2 ? fake_tcp : NULL;
		tcp_manner = i ? TRUNCATES : SILENT;
		CHECK_EQ(resolve("example.com"), 1);
		CHECK(nasked == 2 && asked[1].server == SERVER(1));
	}
	CHECK_EQ(by_tcp, 3);
	dns_tcp_ask = NULL;
	dns_forget();
}
