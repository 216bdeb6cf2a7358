/*
 * SNTP (RFC 4330): the request and what of an answer is believed.
 *
 * Times are seconds since 1900 with 32 binary digits behind the point; the seconds are 32 bits, of
 * which those without the highest are after 2036 (RFC 4330, section 3). The request carries nothing
 * about us: where a client may put its time there is a random number, which the server sends back
 * and which nobody can know who does not see the request. With T1 to T4 (sent, received there, sent
 * there, came) the clock is behind by ((T2 - T1) + (T3 - T4)) / 2.
 *
 * An answer counts if it is one of a server, of a version that we know, with our number; it is used
 * if the server says that it is synchronised, not farther from its source than RFC 5905 allows, and
 * if its times are possible.
 */
#include "kernel/base/time.h"
#include "kernel/lib/string.h"
#include "net/sntp_msg.h"

#define TO_1970 2208988800ll
#define ERA (1ll << 32)
#define DISPERSION_MAX 0x10000u /* 1 s, 16.16 */

/* See sntp_msg.h. */
void sntp_request_make(u8 out[SNTP_LEN], u64 nonce)
{
	memset(out, 0, SNTP_LEN);
	out[0] = 4 << 3 | 3; /* version 4, client */
	memcpy(out + 40, &nonce, 8);
}

static u32 get32(const u8 *at)
{
	return (u32)at[0] << 24 | (u32)at[1] << 16 | (u32)at[2] << 8 | at[3];
}

/* ns since 1970. */
static s64 time_at(const u8 *at)
{
	s64 secs = get32(at);

	secs += secs >> 31 ? 0 : ERA;
	return (secs - TO_1970) * NSEC_PER_SEC + (s64)(((u64)get32(at + 4) * 1000000000ull) >> 32);
}

/* See sntp_msg.h. */
enum sntp_verdict sntp_answer_read(const u8 *msg, u32 len, u64 nonce, s64 sent, s64 arrived,
				   s64 *offset)
{
	u32 version, stratum;
	s64 t2, t3;

	if (len < SNTP_LEN || (msg[0] & 7) != 4 || memcmp(msg + 24, &nonce, 8))
		return SNTP_BOGUS;
	version = msg[0] >> 3 & 7;
	stratum = msg[1];
	if (version < 3 || version > 4)
		return SNTP_BOGUS;
	if (!stratum)
		return SNTP_REFUSED;
	if (stratum > 15 || msg[0] >> 6 == 3 || get32(msg + 4) >= DISPERSION_MAX ||
	    get32(msg + 8) >= DISPERSION_MAX || !(get32(msg + 32) | get32(msg + 36)) ||
	    !(get32(msg + 40) | get32(msg + 44)))
		return SNTP_UNFIT;
	t2 = time_at(msg + 32);
	t3 = time_at(msg + 40);
	/* It cannot have had it longer than we waited; a second of grace for its clock's steps. */
	if (t3 < t2 || t3 - t2 > arrived - sent + NSEC_PER_SEC)
		return SNTP_UNFIT;
	*offset = (t2 - sent) / 2 + (t3 - arrived) / 2;
	return SNTP_GOOD;
}
