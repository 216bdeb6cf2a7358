/* unit: net/dhcp.c net/bootparam.c kernel/lib/string.c */
/*
 * The DHCP client with a clock that the test turns and a server that the test plays; then servers
 * that lie, and damage at random. The words of the command line: right, and wrong in each field.
 */
#include <linux/errno.h>
#include <stdlib.h>
#include "kernel/base/time.h"
#include "kernel/lib/string.h"
#include "net/bootparam.h"
#include "net/dhcp.h"
#include "tests/unit/unit.h"

#define ME IP_ADDR(10, 0, 0, 9)
#define SERVER IP_ADDR(10, 0, 0, 1)
#define OTHER IP_ADDR(10, 0, 0, 2)
static const u8 mac[6] = { 2, 0, 0, 0, 0, 1 };

static struct dhcp c;
static s64 now;
static u8 sent[DHCP_MSG_MAX];
static u32 sent_len, nsent, nbound, nlost;
static be32 sent_src, sent_dst, probed;

static void on_send(struct dhcp *d, be32 src, be32 dst, const u8 *msg, u32 len)
{
	CHECK(len >= 300 && len <= DHCP_MSG_MAX);
	memcpy(sent, msg, len);
	sent_len = len;
	sent_src = src;
	sent_dst = dst;
	nsent++;
}
static void on_probe(struct dhcp *d, be32 addr)
{
	probed = addr;
}
static void on_bound(struct dhcp *d)
{
	nbound++;
}
static void on_lost(struct dhcp *d)
{
	nlost++;
}
static u32 random32(void)
{
	return (u32)unit_random();
}
static const struct dhcp_ops ops = { on_send, on_probe, on_bound, on_lost, random32 };

/* The value of an option of what was sent, or NULL. */
static const u8 *option(u8 code)
{
	for (u32 i = 240; i < sent_len && sent[i] != 255; i += 2 + sent[i + 1]) {
		if (sent[i] == code)
			return sent + i + 2;
	}
	return NULL;
}

static u8 type_sent(void)
{
	return option(53) ? option(53)[0] : 0;
}

/* An answer being made. */
static u8 msg[600];
static u32 msg_len;

static void add(u8 code, const void *data, u8 len)
{
	msg[msg_len++] = code;
	msg[msg_len++] = len;
	memcpy(msg + msg_len, data, len);
	msg_len += len;
}

static void add32(u8 code, u32 v)
{
	v = net32(v);
	add(code, &v, 4);
}

static void begin_answer(u8 type, be32 addr, be32 server)
{
	memset(msg, 0, sizeof(msg));
	memcpy(msg, sent, 44);
	msg[0] = 2;
	memset(msg + 12, 0, 16);
	memcpy(msg + 16, &addr, 4);
	memcpy(msg + 236, "\x63\x82\x53\x63", 4);
	msg_len = 240;
	add(53, &type, 1);
	add(54, &server, 4);
}

static void deliver(void)
{
	u8 *exact = malloc(msg_len + 1);

	exact[msg_len] = 255;
	memcpy(exact, msg, msg_len);
	dhcp_input(&c, exact, msg_len + 1, now);
	free(exact);
}

static void answer(u8 type, be32 addr, be32 server, u32 time)
{
	begin_answer(type, addr, server);
	add32(1, 0xffffff00);
	add32(3, net32(SERVER));
	add32(6, 0x01020304);
	if (time)
		add32(51, time);
	deliver();
}

static void start(void)
{
	now = 5 * NSEC_PER_SEC;
	nsent = nbound = nlost = 0;
	probed = 0;
	dhcp_start(&c, &ops, mac, now);
}

/* Turn the clock to the deadline. */
static void until_deadline(void)
{
	now = c.deadline;
	dhcp_run(&c, now);
}

static void lease(u32 time)
{
	start();
	answer(2, ME, SERVER, time);
	answer(5, ME, SERVER, time);
	until_deadline();
	CHECK_EQ(c.state, DHCP_BOUND);
	CHECK_EQ(nbound, 1);
}

UNIT_TEST(a_lease)
{
	start();
	CHECK_EQ(type_sent(), 1);
	CHECK_EQ(sent_dst, IP_BROADCAST);
	CHECK_EQ(sent_src, 0);
	CHECK(sent[10] & 0x80); /* to be answered by broadcast */
	CHECK(!memcmp(option(61), "\1\2\0\0\0\0\1", 7));
	answer(2, ME, SERVER, 3600);
	CHECK_EQ(type_sent(), 3);
	CHECK(!memcmp(option(50), &(be32){ ME }, 4) && !memcmp(option(54), &(be32){ SERVER }, 4));
	CHECK_EQ(sent_dst, IP_BROADCAST);
	answer(5, ME, SERVER, 3600);
	CHECK_EQ(c.state, DHCP_PROBING);
	CHECK_EQ(probed, ME);
	CHECK_EQ(nbound, 0);
	CHECK(c.deadline - now <= 50 * NSEC_PER_MSEC);
	until_deadline();
	CHECK_EQ(nbound, 1);
	CHECK_EQ(c.lease.addr, ME);
	CHECK_EQ(c.lease.router, SERVER);
	CHECK_EQ(c.lease.dns[0], IP_ADDR(1, 2, 3, 4));
	CHECK_EQ(c.lease.t1, 1800);
	CHECK_EQ(c.lease.t2, 3150);
}

UNIT_TEST(messages_go_again)
{
	s64 last;

	start();
	for (u32 i = 0, wait = 4; i < 6; i++, wait = MIN(wait * 2, 64u)) {
		CHECK_EQ(nsent, i + 1);
		CHECK(c.deadline - now >= (wait - 1) * NSEC_PER_SEC &&
		      c.deadline - now <= (wait + 1) * NSEC_PER_SEC);
		dhcp_run(&c, c.deadline - 1);
		CHECK_EQ(nsent, i + 1);
		until_deadline();
		CHECK_EQ(type_sent(), 1);
	}
	answer(2, ME, SERVER, 3600);
	last = c.xid;
	for (u32 i = 0; i < 4; i++) { /* the server went: after four requests from the start */
		CHECK_EQ(type_sent(), 3);
		until_deadline();
	}
	until_deadline();
	CHECK_EQ(type_sent(), 1);
	CHECK(c.xid != last);
}

/* RFC 2131, 4.4.1 and table 5: what REQUEST repeats of DISCOVER, and what DECLINE leaves out. */
UNIT_TEST(seconds_and_flags)
{
	start();
	until_deadline(); /* a second DISCOVER */
	CHECK(type_sent() == 1 && sent[8] == 0 && sent[9] >= 3 && sent[9] <= 5);
	CHECK_EQ(sent[10], 0x80);
	now += 2 * NSEC_PER_SEC;
	for (u32 i = 0; i < 2; i++) {
		u8 secs = sent[9];

		if (!i)
			answer(2, ME, SERVER, 3600);
		else
			until_deadline(); /* the REQUEST again */
		CHECK(type_sent() == 3 && sent[8] == 0 && sent[9] == secs && sent[10] == 0x80);
	}
	answer(5, ME, SERVER, 3600);
	dhcp_conflict(&c, now);
	CHECK(type_sent() == 4 && !sent[8] && !sent[9] && !sent[10] && !sent[11]);
}

UNIT_TEST(renewing_and_rebinding)
{
	u32 n;

	lease(3600);
	until_deadline();
	CHECK_EQ(c.state, DHCP_RENEWING);
	CHECK_EQ(now, c.asked + 1800 * NSEC_PER_SEC);
	CHECK_EQ(type_sent(), 3);
	CHECK_EQ(sent_dst, SERVER);
	CHECK_EQ(sent_src, ME);
	CHECK(!memcmp(sent + 12, &(be32){ ME }, 4) && !option(50) && !option(54));
	answer(5, ME, SERVER, 7200);
	CHECK_EQ(c.state, DHCP_BOUND);
	CHECK_EQ(nbound, 2);
	CHECK_EQ(c.lease.time, 7200);
	for (n = nsent; c.state != DHCP_REBINDING; n++)
		until_deadline();
	CHECK(nsent - n < 20);
	CHECK_EQ(sent_dst, IP_BROADCAST);
	CHECK_EQ(sent_src, ME);
	answer(5, ME, OTHER, 3600); /* another server takes over */
	CHECK_EQ(c.state, DHCP_BOUND);
	CHECK_EQ(c.lease.server, OTHER);
	while (!nlost)
		until_deadline();
	CHECK_EQ(now, c.asked + 3600 * NSEC_PER_SEC);
	until_deadline();
	CHECK_EQ(type_sent(), 1);
}

UNIT_TEST(the_link_comes_back)
{
	lease(3600);
	now += 60 * NSEC_PER_SEC;
	dhcp_link_up(&c, now);
	CHECK_EQ(type_sent(), 3);
	CHECK_EQ(sent_dst, IP_BROADCAST);
	CHECK_EQ(sent_src, 0);
	CHECK(!memcmp(option(50), &(be32){ ME }, 4) && !option(54));
	answer(5, ME, OTHER, 7200); /* whoever knows of the lease may answer */
	CHECK_EQ(c.state, DHCP_BOUND);
	CHECK_EQ(nbound, 2);
	CHECK_EQ(c.asked, now);

	nsent = 0;
	dhcp_link_up(&c, now);
	for (u32 i = 0; i < 4; i++) {
		CHECK_EQ(c.state, DHCP_REBOOTING);
		until_deadline();
	}
	CHECK_EQ(nsent, 4);
	CHECK_EQ(c.state, DHCP_BOUND); /* nobody said no: the lease goes on */
	CHECK_EQ(c.deadline, c.asked + 3600 * NSEC_PER_SEC);
	CHECK_EQ(nlost, 0);

	dhcp_link_up(&c, now);
	answer(6, 0, SERVER, 0); /* another net: NAK */
	CHECK_EQ(nlost, 1);
	CHECK_EQ(c.state, DHCP_INIT);
	dhcp_link_up(&c, now); /* does not wait for its turn */
	CHECK_EQ(type_sent(), 1);

	lease(5);
	now += 4 * NSEC_PER_SEC;
	dhcp_link_up(&c, now);
	until_deadline(); /* the lease ends meanwhile */
	CHECK_EQ(nlost, 1);
	until_deadline();
	CHECK_EQ(type_sent(), 1);
}

UNIT_TEST(refusals)
{
	start();
	answer(2, ME, SERVER, 3600);
	answer(6, 0, SERVER, 0); /* NAK */
	CHECK_EQ(c.state, DHCP_INIT);
	CHECK(c.deadline > now);
	CHECK_EQ(nlost, 0);
	until_deadline();
	CHECK_EQ(type_sent(), 1);
	lease(3600);
	until_deadline();
	answer(6, 0, OTHER, 0); /* not from whom was asked */
	CHECK_EQ(c.state, DHCP_RENEWING);
	answer(6, 0, SERVER, 0);
	CHECK_EQ(nlost, 1);
	CHECK_EQ(c.state, DHCP_INIT);
}

UNIT_TEST(somebody_has_the_address)
{
	start();
	answer(2, ME, SERVER, 3600);
	answer(5, ME, SERVER, 3600);
	dhcp_conflict(&c, now);
	CHECK_EQ(type_sent(), 4);
	CHECK(!memcmp(option(50), &(be32){ ME }, 4) && !memcmp(option(54), &(be32){ SERVER }, 4));
	CHECK_EQ(nbound, 0);
	CHECK_EQ(probed, 0);
	CHECK_EQ(c.deadline, now + 10 * NSEC_PER_SEC);
	until_deadline();
	CHECK_EQ(type_sent(), 1);

	lease(3600); /* in use: the first time it is defended, the second time soon after given up */
	probed = 0;
	dhcp_conflict(&c, now);
	CHECK_EQ(probed, ME);
	CHECK_EQ(nlost, 0);
	dhcp_conflict(&c, now + 11 * NSEC_PER_SEC);
	CHECK_EQ(nlost, 0);
	dhcp_conflict(&c, now + 12 * NSEC_PER_SEC);
	CHECK_EQ(nlost, 1);
	CHECK_EQ(type_sent(), 4);
	dhcp_conflict(&c, now); /* nothing to give up */
	CHECK_EQ(nlost, 1);
}

UNIT_TEST(answers_that_do_not_count)
{
	start();
	answer(5, ME, SERVER, 3600); /* nothing was requested */
	CHECK_EQ(c.state, DHCP_SELECTING);
	answer(2, 0, SERVER, 3600);
	answer(2, IP_ADDR(127, 0, 0, 1), SERVER, 3600);
	answer(2, IP_ADDR(224, 0, 0, 1), SERVER, 3600);
	answer(2, ME, 0, 3600);
	answer(2, ME, SERVER, 0); /* for no time */
	sent[4] ^= 1; /* of another transaction */
	answer(2, ME, SERVER, 3600);
	sent[4] ^= 1;
	sent[33] ^= 1; /* to another card */
	answer(2, ME, SERVER, 3600);
	sent[33] ^= 1;
	CHECK_EQ(c.state, DHCP_SELECTING);
	CHECK_EQ(c.refused, 8);
	answer(2, ME, SERVER, 3600);
	answer(5, OTHER, SERVER, 3600); /* another address than was asked for */
	answer(5, ME, OTHER, 3600);
	CHECK_EQ(c.state, DHCP_REQUESTING);
}

UNIT_TEST(options)
{
	start();
	begin_answer(2, ME, SERVER);
	add32(1, 0xff00ff00); /* no mask */
	add32(3, net32(ME)); /* we are not our own gateway */
	add32(51, DHCP_FOREVER);
	add(15, "a.b\0", 4);
	add(12, "x;reboot", 8);
	add(26, "\x05\x78", 2);
	add(52, "\1", 1);
	memcpy(msg + 108, "\x06\x08\x01\x01\x01\x01\x02\x02\x02\x02\xff", 11);
	deliver();
	CHECK_EQ(c.state, DHCP_REQUESTING);
	CHECK_EQ(c.lease.mask, IP_ADDR(255, 0, 0, 0));
	CHECK_EQ(c.lease.router, 0);
	CHECK_STR(c.lease.domain, "a.b");
	CHECK_STR(c.lease.host, "");
	CHECK_EQ(c.lease.mtu, 1400);
	CHECK_EQ(c.lease.dns[1], IP_ADDR(2, 2, 2, 2));
	CHECK_EQ(c.lease.t1, DHCP_FOREVER);
	begin_answer(5, ME, SERVER);
	add32(51, DHCP_FOREVER);
	deliver();
	until_deadline();
	CHECK_EQ(c.state, DHCP_BOUND);
	CHECK_EQ(c.deadline, TIME_NEVER);
}

/* Each length, and damage at random, in a buffer that ends where the message does. */
UNIT_TEST(damage)
{
	for (u32 round = 0; round < 3000; round++) {
		u32 len, hits = (u32)unit_random() % 8;
		u8 *exact;

		if (!(round % 50))
			start();
		begin_answer(unit_random() % 2 ? 2 : 5, ME, SERVER);
		add32(1, 0xffffff00);
		add32(51, (u32)unit_random() % 100);
		add(12, "name", 4);
		for (u32 i = 0; i < hits; i++)
			msg[unit_random() % msg_len] = (u8)unit_random();
		len = (u32)unit_random() % (msg_len + 1);
		exact = malloc(len);
		memcpy(exact, msg, len);
		dhcp_input(&c, exact, len, now);
		free(exact);
		if (unit_random() % 4 == 0 && c.deadline != TIME_NEVER)
			until_deadline();
		CHECK(c.state <= DHCP_REBINDING);
	}
}

UNIT_TEST(ip_word)
{
	struct ip_param p;

	CHECK(!ip_param_parse("dhcp", &p) && p.dhcp && !p.client);
	CHECK(!ip_param_parse("off", &p) && !p.dhcp);
	CHECK(!ip_param_parse("10.0.0.9::10.0.0.1:255.255.255.0:box:eth1:off:1.2.3.4", &p));
	CHECK(p.client == ME && p.gateway == SERVER && p.mask == inet_mask(24) && !p.dhcp);
	CHECK_STR(p.host, "box");
	CHECK_STR(p.dev, "eth1");
	CHECK_EQ(p.dns[0], IP_ADDR(1, 2, 3, 4));
	CHECK(!ip_param_parse(":::::eth0:dhcp", &p) && p.dhcp && !strcmp(p.dev, "eth0"));
	CHECK(!ip_param_parse("::::box:", &p) && p.dhcp);
	CHECK_EQ(ip_param_parse("10.0.0", &p), -EINVAL);
	CHECK_EQ(ip_param_parse("10.0.0.256::::::", &p), -EINVAL);
	CHECK_EQ(ip_param_parse("10.0.0.9:::255.0.255.0", &p), -EINVAL);
	CHECK_EQ(ip_param_parse(":::::eth0123456789abcdef:dhcp", &p), -EINVAL);
	CHECK_EQ(ip_param_parse("::::::perhaps", &p), -EINVAL);
	CHECK_EQ(ip_param_parse("::::::off::::", &p), -EINVAL);
}

UNIT_TEST(netconsole_word)
{
	struct netconsole_param p;

	CHECK(!netconsole_param_parse("4444@10.0.0.9/eth1,9353@10.0.0.1/12:34:56:78:9a:Bc", &p));
	CHECK(p.lport == 4444 && p.laddr == ME && p.fport == 9353 && p.faddr == SERVER);
	CHECK_STR(p.dev, "eth1");
	CHECK(p.has_mac && p.mac[0] == 0x12 && p.mac[5] == 0xbc);
	CHECK(!netconsole_param_parse("@/,@10.0.0.1/", &p) && p.lport == 6665 && p.fport == 6666);
	CHECK(!netconsole_param_parse("+@/eth0,@10.0.0.1", &p) && p.extended && !p.has_mac);
	CHECK_EQ(netconsole_param_parse("@/,@", &p), -EINVAL);
	CHECK_EQ(netconsole_param_parse("70000@/,@10.0.0.1/", &p), -EINVAL);
	CHECK_EQ(netconsole_param_parse("@/,@10.0.0.1/12:34", &p), -EINVAL);
	CHECK_EQ(netconsole_param_parse("@/,@10.0.0.1/12:34:56:78:9a:bc:", &p), -EINVAL);
	CHECK_EQ(netconsole_param_parse("", &p), -EINVAL);
}
