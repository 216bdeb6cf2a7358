/* unit: net/dns_msg.c net/sntp_msg.c kernel/lib/string.c */
/*
 * Answers of name servers and time servers: good ones, chains of aliases, lies, and damage at
 * random.
 */
#include <stdlib.h>
#include "kernel/base/time.h"
#include "kernel/lib/string.h"
#include "net/dns_msg.h"
#include "net/sntp_msg.h"
#include "tests/unit/unit.h"

static u8 query[DNS_QUERY_MAX], msg[2000];
static u32 query_len, len;
static struct dns_answer answer;

static void ask(const char *name)
{
	query_len = dns_query_make(query, 0x1234, name);
	CHECK(query_len > 0);
	memcpy(msg, query, query_len);
	len = query_len;
	msg[2] |= 0x80;
	msg[3] = 0x80;
}

static void name(const char *text)
{
	while (*text) {
		size_t n = strcspn(text, ".");

		msg[len++] = (u8)n;
		memcpy(msg + len, text, n);
		len += (u32)n;
		text += n;
		text += *text == '.';
	}
	msg[len++] = 0;
}

static void head(const char *owner, u16 type, u32 ttl, u16 size)
{
	if (owner) {
		name(owner);
	} else { /* the question's */
		msg[len++] = 0xc0;
		msg[len++] = 12;
	}
	msg[len++] = (u8)(type >> 8);
	msg[len++] = (u8)type;
	msg[len++] = 0;
	msg[len++] = 1;
	ttl = net32(ttl);
	memcpy(msg + len, &ttl, 4);
	len += 4;
	msg[len++] = (u8)(size >> 8);
	msg[len++] = (u8)size;
	msg[7]++;
}

static void address(const char *owner, u32 ttl, be32 a)
{
	head(owner, 1, ttl, 4);
	memcpy(msg + len, &a, 4);
	len += 4;
}

static void alias(const char *owner, u32 ttl, const char *to)
{
	head(owner, 5, ttl, (u16)(strlen(to) + 2));
	name(to);
}

static enum dns_verdict verdict(void)
{
	u8 *exact = malloc(len);
	enum dns_verdict v;

	memcpy(exact, msg, len);
	v = dns_answer_read(query, query_len, exact, len, &answer);
	free(exact);
	return v;
}

UNIT_TEST(questions)
{
	char text[300];

	CHECK_EQ(dns_query_make(query, 0x1234, "Example.COM."), 29);
	CHECK(!memcmp(query, "\x12\x34\1\0\0\1\0\0\0\0\0\0\7example\3com\0\0\1\0\1", 29));
	CHECK(!dns_query_make(query, 1, ""));
	CHECK(!dns_query_make(query, 1, "."));
	CHECK(!dns_query_make(query, 1, "a..b"));
	CHECK(!dns_query_make(query, 1, "a b"));
	memset(text, 'a', sizeof(text));
	text[64] = '\0';
	CHECK(!dns_query_make(query, 1, text));
	text[63] = '\0';
	CHECK(dns_query_make(query, 1, text));
	for (u32 i = 0; i < 299; i++)
		text[i] = i % 2 ? '.' : 'a';
	text[299] = '\0';
	CHECK(!dns_query_make(query, 1, text));
	text[253] = '\0';
	CHECK(dns_query_make(query, 1, text));
}

UNIT_TEST(addresses)
{
	ask("example.com");
	address(NULL, 300, IP_ADDR(1, 2, 3, 4));
	address("EXAMPLE.com", 200, IP_ADDR(1, 2, 3, 5));
	address("other.com", 1, IP_ADDR(6, 6, 6, 6)); /* nobody asked */
	CHECK_EQ(verdict(), DNS_FOUND);
	CHECK_EQ(answer.naddrs, 2);
	CHECK_EQ(answer.addrs[1], IP_ADDR(1, 2, 3, 5));
	CHECK_EQ(answer.ttl, 200);
	ask("example.com");
	for (u32 i = 0; i < 20; i++)
		address(NULL, 0xffffffff, i);
	CHECK_EQ(verdict(), DNS_FOUND);
	CHECK_EQ(answer.naddrs, DNS_ADDRS_MAX);
	CHECK_EQ(answer.ttl, 0);
}

UNIT_TEST(aliases)
{
	ask("www.example.com");
	address("b.example", 50, IP_ADDR(1, 1, 1, 1));
	alias("a.example", 500, "b.example");
	alias(NULL, 60, "a.example");
	CHECK_EQ(verdict(), DNS_FOUND);
	CHECK_EQ(answer.addrs[0], IP_ADDR(1, 1, 1, 1));
	CHECK_EQ(answer.ttl, 50);
	ask("www.example.com"); /* ends elsewhere */
	alias(NULL, 60, "a.example");
	CHECK_EQ(verdict(), DNS_ALIAS);
	CHECK_STR(answer.alias, "a.example");
	ask("www.example.com"); /* a ring */
	alias(NULL, 60, "a.example");
	alias("a.example", 60, "www.example.com");
	CHECK_EQ(verdict(), DNS_FAILED);
}

UNIT_TEST(no)
{
	ask("nobody.example");
	msg[3] |= 3;
	CHECK_EQ(verdict(), DNS_NO_NAME);
	head("example", 6, 900, 2 + 20);
	msg[7]--;
	msg[9]++;
	name("");
	name("");
	memset(msg + len, 0, 20);
	msg[len + 19] = 77;
	len += 20;
	CHECK_EQ(verdict(), DNS_NO_NAME);
	CHECK_EQ(answer.ttl, 77);
	msg[3] &= 0xf0;
	CHECK_EQ(verdict(), DNS_NO_ADDRESS);
	ask("nobody.example");
	msg[3] |= 2;
	CHECK_EQ(verdict(), DNS_FAILED);
	ask("nobody.example");
	msg[2] |= 2;
	CHECK_EQ(verdict(), DNS_TRUNCATED);
}

UNIT_TEST(what_is_not_an_answer)
{
	static const u8 spoil[] = { 0, 1, 5, 12, 14, 24, 26 };

	for (u32 i = 0; i < sizeof(spoil); i++) {
		ask("example.com");
		address(NULL, 300, IP_ADDR(1, 2, 3, 4));
		msg[spoil[i]] ^= 0x41;
		CHECK_EQ(verdict(), DNS_BOGUS);
	}
	ask("example.com");
	msg[2] &= 0x7f; /* a question */
	CHECK_EQ(verdict(), DNS_BOGUS);
	ask("example.com"); /* a name that points at itself */
	head(NULL, 5, 1, 2);
	msg[len] = 0xc0;
	msg[len + 1] = (u8)len;
	len += 2;
	CHECK(verdict() != DNS_FOUND);
}

UNIT_TEST(damage)
{
	for (u32 round = 0; round < 20000; round++) {
		u32 hits = (u32)unit_random() % 6;

		ask("www.example.com");
		alias(NULL, 60, "a.example");
		address("a.example", 50, IP_ADDR(1, 1, 1, 1));
		head("example", 6, 900, 2 + 20);
		len += 22;
		for (u32 i = 0; i < hits; i++)
			msg[query_len + unit_random() % (len - query_len)] = (u8)unit_random();
		if (unit_random() % 3 == 0)
			len = (u32)unit_random() % (len + 1);
		if (len)
			(void)verdict();
	}
}

/* --- time --- */

static void put64(u8 *at, s64 ns)
{
	u64 secs = (u64)(ns / NSEC_PER_SEC) + 2208988800ull;
	u32 frac = (u32)(((u64)(ns % NSEC_PER_SEC) << 32) / NSEC_PER_SEC);
	u32 v[2] = { net32((u32)secs), net32(frac) };

	memcpy(at, v, 8);
}

static s64 offset;
static enum sntp_verdict exchange(s64 t1, s64 t2, s64 t3, s64 t4, u32 where, u8 what)
{
	u8 m[SNTP_LEN];

	sntp_request_make(m, 0x1122334455667788ull);
	CHECK_EQ(m[0], 0x23);
	memcpy(m + 24, m + 40, 8);
	m[0] = 4 << 3 | 4;
	m[1] = 2;
	put64(m + 32, t2);
	put64(m + 40, t3);
	if (where < SNTP_LEN)
		m[where] = what;
	return sntp_answer_read(m, SNTP_LEN, 0x1122334455667788ull, t1, t4, &offset);
}

UNIT_TEST(times)
{
	s64 s = NSEC_PER_SEC, t = 1700000000 * s;

	CHECK_EQ(exchange(t, t + 10 * s, t + 10 * s, t + 2 * s, 99, 0), SNTP_GOOD);
	CHECK(offset > 9 * s - 10 && offset < 9 * s + 10);
	CHECK_EQ(exchange(0, 2100000000 * s, 2100000000 * s, s, 99, 0), SNTP_GOOD); /* after 2036 */
	CHECK(offset > 2099999999 * s && offset < 2100000001 * s);
	CHECK_EQ(exchange(t, t, t, t, 1, 0), SNTP_REFUSED);
	CHECK_EQ(exchange(t, t, t, t, 1, 16), SNTP_UNFIT);
	CHECK_EQ(exchange(t, t, t, t, 0, 0xe4), SNTP_UNFIT); /* not synchronised */
	CHECK_EQ(exchange(t, t, t, t, 5, 9), SNTP_UNFIT); /* too far from its source */
	CHECK_EQ(exchange(t, t + s, t, t + s, 99, 0), SNTP_UNFIT);
	CHECK_EQ(exchange(t, t, t + 60 * s, t, 99, 0), SNTP_UNFIT);
	CHECK_EQ(exchange(t, t, t, t, 0, 0x23), SNTP_BOGUS); /* a question */
	CHECK_EQ(exchange(t, t, t, t, 31, 1), SNTP_BOGUS); /* not to ours */
	CHECK_EQ(exchange(t, t, t, t, 0, 1 << 3 | 4), SNTP_BOGUS);
}
