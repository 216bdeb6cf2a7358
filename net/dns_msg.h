#pragma once
/* Messages of DNS (RFC 1035): a question for addresses, and what an answer to it says. */
#include "net/inet.h"

#define DNS_PORT 53u
#define DNS_NAME_MAX 256u /* as text, with NUL */
#define DNS_QUERY_MAX 280u
#define DNS_ADDRS_MAX 8u

enum dns_verdict {
	DNS_BOGUS, /* not an answer to this question: as if it had not come */
	DNS_FOUND, /* .addrs */
	DNS_NO_NAME, /* there is no such name */
	DNS_NO_ADDRESS, /* there is, without an address */
	DNS_ALIAS, /* .alias is what to ask for next */
	DNS_TRUNCATED, /* ask again by TCP */
	DNS_FAILED, /* the server cannot, or will not, say */
};

struct dns_answer {
	u32 naddrs;
	be32 addrs[DNS_ADDRS_MAX];
	u32 ttl; /* seconds that this is true */
	char alias[DNS_NAME_MAX];
};

/*
 * A question for the addresses of @name ("a.b" or "a.b."). Its length, 0: no name of DNS. ctx: any
 */
u32 dns_query_make(u8 out[DNS_QUERY_MAX], u16 id, const char *name);
/*
 * What @msg says to the question @query. Anything may be in @msg. @out is only written with
 * DNS_FOUND, DNS_ALIAS, and the ttl with the two of "no". ctx: thread
 */
enum dns_verdict dns_answer_read(const u8 *query, u32 query_len, const u8 *msg, u32 len,
				 struct dns_answer *out);
