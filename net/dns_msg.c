/*
 * DNS messages (RFC 1035, 2181, 2308): what is asked, and what of an answer is believed.
 *
 * A name on the wire is a row of labels, each with its length before it; two bits in the place of a
 * length make a pointer to an earlier place of the message. Names are read out as text in small
 * letters; a pointer must lead back behind where the last one led, so reading ends.
 *
 * An answer counts (RFC 5452) if it has the question's number, is a response, and repeats the
 * question word for word; of its records only those count that the question's name leads to, over
 * CNAME records in any order. Where the chain ends without an address, the name at its end is to be
 * asked for next. That there is no such name or address holds as long as the SOA record beside it
 * says (RFC 2308), else not long.
 */
#include "kernel/lib/string.h"
#include "net/dns_msg.h"

#define HEAD 12u
#define TYPE_A 1u
#define TYPE_CNAME 5u
#define TYPE_SOA 6u
#define CLASS_IN 1u
#define CHAIN_MAX 16u
#define TTL_MAX 86400u
#define TTL_NO 30u /* of a "no" without a time */

static u32 get16(const u8 *at)
{
	return (u32)at[0] << 8 | at[1];
}

static u32 get32(const u8 *at)
{
	return get16(at) << 16 | get16(at + 2);
}

static void put16(u8 *at, u32 v)
{
	at[0] = (u8)(v >> 8);
	at[1] = (u8)v;
}

/* See dns_msg.h. */
u32 dns_query_make(u8 out[DNS_QUERY_MAX], u16 id, const char *name)
{
	u32 at = HEAD;

	memset(out, 0, HEAD);
	put16(out, id);
	out[2] = 1; /* recursion desired */
	out[5] = 1;
	while (*name) {
		size_t n = strcspn(name, ".");

		if (!n || n > 63 || at + n + 2 > HEAD + 255)
			return 0;
		out[at++] = (u8)n;
		for (size_t i = 0; i < n; i++) {
			if (name[i] <= ' ' || name[i] > '~')
				return 0;
			out[at++] = (u8)char_to_lower(name[i]);
		}
		name += n;
		name += *name == '.';
	}
	if (at == HEAD)
		return 0;
	out[at++] = 0;
	put16(out + at, TYPE_A);
	put16(out + at + 2, CLASS_IN);
	return at + 4;
}

/* One label as text; a dot or what is no letter would make another name of it. */
static bool add_label(char *out, u32 *len, const u8 *label, u32 n)
{
	if (*len + n + 2 > DNS_NAME_MAX)
		return false;
	if (*len)
		out[(*len)++] = '.';
	for (u32 i = 0; i < n; i++) {
		if (label[i] <= ' ' || label[i] > '~' || label[i] == '.')
			return false;
		out[(*len)++] = char_to_lower((char)label[i]);
	}
	return true;
}

/* The name at *at, which is moved behind it. False: malformed. */
static bool read_name(const u8 *msg, u32 len, u32 *at, char out[DNS_NAME_MAX])
{
	u32 i = *at, limit = *at, n = 0;
	bool jumped = false;

	for (;;) {
		u32 c;

		if (i >= len)
			return false;
		c = msg[i];
		if (c >= 0xc0) {
			if (i + 2 > len)
				return false;
			if (!jumped)
				*at = i + 2;
			jumped = true;
			i = get16(msg + i) & 0x3fff;
			if (i < HEAD || i >= limit)
				return false;
			limit = i;
			continue;
		}
		if (c > 63)
			return false;
		if (!c)
			break;
		if (c >= len - i || !add_label(out, &n, msg + i + 1, c))
			return false;
		i += c + 1;
	}
	if (!jumped)
		*at = i + 1;
	out[n] = '\0';
	return true;
}

struct record {
	char owner[DNS_NAME_MAX];
	u32 type, ttl, data, size; /* data: where it begins */
};

/* The record at *at. False: malformed. */
static bool read_record(const u8 *msg, u32 len, u32 *at, struct record *r)
{
	if (!read_name(msg, len, at, r->owner) || len - *at < 10)
		return false;
	r->type = get16(msg + *at + 2) == CLASS_IN ? get16(msg + *at) : 0;
	r->ttl = get32(msg + *at + 4);
	r->ttl = r->ttl >> 31 ? 0 : MIN(r->ttl, TTL_MAX);
	r->size = get16(msg + *at + 8);
	r->data = *at + 10;
	if (r->size > len - r->data)
		return false;
	*at = r->data + r->size;
	return true;
}

/* The answer's records that belong to out->alias: addresses; or the next link. 0: none of both. */
static int collect(const u8 *msg, u32 len, u32 at, u32 records, struct dns_answer *out)
{
	char next[DNS_NAME_MAX];
	bool has_next = false;
	struct record r;

	for (u32 i = 0; i < records; i++) {
		u32 data;

		if (!read_record(msg, len, &at, &r))
			return -1;
		if (strcmp(r.owner, out->alias) != 0)
			continue;
		data = r.data;
		if (r.type == TYPE_A && r.size == 4 && out->naddrs < DNS_ADDRS_MAX)
			memcpy(&out->addrs[out->naddrs++], msg + data, 4);
		else if (r.type == TYPE_CNAME && read_name(msg, len, &data, next))
			has_next = true;
		else
			continue;
		out->ttl = MIN(out->ttl, r.ttl);
	}
	if (out->naddrs)
		return 1;
	if (has_next)
		memcpy(out->alias, next, sizeof(next));
	return has_next ? 2 : 0;
}

/* How long "no" holds: the SOA record among the @records from @at on says. */
static u32 negative_ttl(const u8 *msg, u32 len, u32 at, u32 answers, u32 records)
{
	struct record r;

	for (u32 i = 0; i < answers + records && read_record(msg, len, &at, &r); i++) {
		if (i >= answers && r.type == TYPE_SOA && r.size >= 22)
			return MIN(r.ttl, get32(msg + r.data + r.size - 4));
	}
	return TTL_NO;
}

/* See dns_msg.h. */
enum dns_verdict dns_answer_read(const u8 *query, u32 query_len, const u8 *msg, u32 len,
				 struct dns_answer *out)
{
	u32 code, answers, at = HEAD;
	bool moved = false;
	int found = 0;

	/* A server that cannot read the question sends its head only; that says nothing. */
	if (len < query_len || memcmp(msg, query, 2) || !(msg[2] & 0x80) || (msg[2] & 0x78) ||
	    get16(msg + 4) != 1 || memcmp(msg + HEAD, query + HEAD, query_len - HEAD))
		return DNS_BOGUS;
	if (msg[2] & 2)
		return DNS_TRUNCATED;
	code = msg[3] & 15;
	if (code && code != 3)
		return DNS_FAILED;
	*out = (struct dns_answer){ .ttl = TTL_MAX };
	answers = get16(msg + 6);
	if (!read_name(msg, len, &at, out->alias))
		return DNS_BOGUS;
	at += 4;
	for (u32 i = 0; i < CHAIN_MAX; i++) {
		found = collect(msg, len, at, answers, out);
		if (found != 2)
			break;
		moved = true;
	}
	if (found == 1)
		return DNS_FOUND;
	if (found)
		return DNS_FAILED; /* malformed, or a ring */
	if (moved && !code)
		return DNS_ALIAS;
	out->ttl = MIN(out->ttl, negative_ttl(msg, len, at, answers, get16(msg + 8)));
	return code ? DNS_NO_NAME : DNS_NO_ADDRESS;
}
