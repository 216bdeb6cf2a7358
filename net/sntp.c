/*
 * ntp=HOST on the command line: the clock is set by a time server (SNTP, RFC 4330).
 *
 * A thread waits for the network, finds the host's addresses, and asks one after the other. The
 * first good answer sets the clock; then the clock is compared every 1,024 s, and set again when it
 * is off by more than a tenth of a second (below that it is left to whoever steers it). What fails
 * is tried again after 2, 4, 8... 1,024 s; so is a server that refuses, at the slow end at once.
 */
#include "kernel/base/bootargs.h"
#include "kernel/base/log.h"
#include "kernel/base/rand.h"
#include "kernel/base/time.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/waitq.h"
#include "net/dns.h"
#include "net/ipconfig.h"
#include "net/sntp_msg.h"
#include "net/sntp.h"

#define ANSWER_WAIT (5 * NSEC_PER_SEC)
#define POLL_SHIFT 10 /* 1,024 s */
#define STEP (100 * NSEC_PER_MSEC)
#define ADDRS 4u

BOOTARG_WORD(ntp, "ntp");

struct exchange {
	u64 nonce;
	s64 sent, offset;
	enum sntp_verdict verdict;
};

static bool judge(void *arg, const u8 *msg, u32 len)
{
	struct exchange *x = arg;

	x->verdict = sntp_answer_read(msg, len, x->nonce, x->sent, time_wall(), &x->offset);
	return x->verdict != SNTP_BOGUS;
}

static void set_clock(const char *host, be32 server, s64 offset)
{
	static bool was_set; /* o: the thread's */
	s64 off = offset < 0 ? -offset : offset;

	if (was_set && off < STEP)
		return;
	was_set = true;
	if (time_set_wall(time_wall() + offset))
		log_warn("ntp=%s: a time before the boot", host);
	else
		log_info("ntp=%s: " IP_FMT " sets the clock by %s%lld.%03lld s", host,
			 IP_ARGS(server), offset < 0 ? "-" : "+", (long long)(off / NSEC_PER_SEC),
			 (long long)(off % NSEC_PER_SEC / NSEC_PER_MSEC));
}

/* True: the clock is right now. *refused: a server does not want to be asked. */
static bool compare(const char *host, bool *refused)
{
	be32 addrs[ADDRS];
	int n = dns_resolve(host, addrs, ADDRS);

	*refused = false;
	for (int i = 0; i < n; i++) {
		struct exchange x = { .nonce = rand_u64(), .sent = time_wall() };
		u8 msg[SNTP_LEN];

		sntp_request_make(msg, x.nonce);
		if (udp_ask(addrs[i], SNTP_PORT, msg, SNTP_LEN, time_now() + ANSWER_WAIT, judge,
			    &x))
			continue;
		if (x.verdict == SNTP_GOOD) {
			set_clock(host, addrs[i], x.offset);
			return true;
		}
		*refused |= x.verdict == SNTP_REFUSED;
	}
	return false;
}

static void sntp_thread(void *arg)
{
	const char *host = arg;
	struct waitq never = WAITQ_INIT(never);
	u32 shift = 1;

	(void)ipconfig_wait(time_now() + (NSEC_PER_SEC << POLL_SHIFT));
	for (;;) {
		bool refused;

		if (compare(host, &refused) || refused)
			shift = POLL_SHIFT;
		(void)wait_event_interruptible_timeout(&never, false,
						       time_now() + (NSEC_PER_SEC << shift));
		shift = MIN(shift + 1, (u32)POLL_SHIFT);
	}
}

/* See sntp.h. */
void sntp_start(void)
{
	const char *host = bootargs_get("ntp");

	if (host && *host && thread_create("sntp", sntp_thread, (void *)host, NULL))
		log_err("ntp=: there is not enough memory");
}
