#pragma once
/* One exchange with a time server: RFC 4330, with the checks of RFC 5905. */
#include "net/inet.h"

#define SNTP_PORT 123u
#define SNTP_LEN 48u

/* A request marked by @nonce, which the answer must bring back. ctx: any */
void sntp_request_make(u8 out[SNTP_LEN], u64 nonce);
enum sntp_verdict {
	SNTP_BOGUS, /* not an answer to this: as if it had not come */
	SNTP_GOOD, /* *offset is what the clock is behind */
	SNTP_UNFIT, /* the server has no good time itself */
	SNTP_REFUSED, /* a "kiss of death": leave it alone */
};
/*
 * What an answer says that came at @arrived by the wall clock to a request sent at @sent. Anything
 * may be in it. ctx: any
 */
enum sntp_verdict sntp_answer_read(const u8 *msg, u32 len, u64 nonce, s64 sent, s64 arrived,
				   s64 *offset);
