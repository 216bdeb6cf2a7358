/*
 * IP_OPTIONS: what a datagram or raw socket puts into the header of each packet (RFC 791, 3.1).
 *
 * What the user gives is checked once and kept as given, but for what lies behind the end of the
 * list, and comes back so by getsockopt. Record route and timestamp are filled in at each sending:
 * the first free slot gets our address, or the time, as we are the first on the way. Source routes
 * are not sent, as they are not taken (ip_input.c): -EPERM. Options that are not known here need
 * CAP_NET_RAW. ip(7)
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include "kernel/base/cred.h"
#include "kernel/base/errno.h"
#include "kernel/base/time.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "net/sock/inet.h"

#define DAY_MS (24u * 3600 * 1000)

/* Bytes of a slot of record route and timestamp; 0: of what has none. */
static u32 slot_size(const u8 *opt)
{
	if (opt[0] == IPOPT_RR)
		return 4;
	if (opt[0] != IPOPT_TIMESTAMP)
		return 0;
	switch (opt[3] & 15) {
	case IPOPT_TS_TSONLY: return 4;
	case IPOPT_TS_TSANDADDR:
	case IPOPT_TS_PRESPEC: return 8;
	default: return 0;
	}
}

/* RR and TIMESTAMP: the pointer is within the option, or behind it: it is full. */
static bool slots_ok(const u8 *opt, bool may)
{
	u32 head = opt[0] == IPOPT_RR ? 3 : 4, len = opt[1], ptr = opt[2];

	if (len < head || ptr <= head)
		return false;
	if (ptr > len)
		return opt[0] == IPOPT_RR || opt[3] >> 4 != 15;
	return slot_size(opt) ? ptr + slot_size(opt) - 1 <= len : may;
}

/* One option, whose length is within the list. */
static int check(const u8 *opt, u8 *seen, bool may)
{
	switch (opt[0]) {
	case IPOPT_LSRR:
	case IPOPT_SSRR: return opt[1] < 7 || opt[2] != 4 || (opt[1] - 3) % 4 ? -EINVAL : -EPERM;
	case IPOPT_RR:
	case IPOPT_TIMESTAMP:
		if (*seen & (opt[0] == IPOPT_RR ? 1 : 2))
			return -EINVAL;
		*seen |= opt[0] == IPOPT_RR ? 1 : 2;
		return slots_ok(opt, may) ? 0 : -EINVAL;
	case IPOPT_RA: return opt[1] < 4 ? -EINVAL : 0;
	default: return may ? 0 : -EINVAL;
	}
}

/* @len bytes, a multiple of four. What is behind the end becomes zeroes. */
static int check_all(u8 *opt, u32 len, bool may)
{
	u8 seen = 0;

	for (u32 at = 0; at < len;) {
		int err;

		if (opt[at] == IPOPT_END) {
			memset(opt + at, 0, len - at);
			return 0;
		}
		if (opt[at] == IPOPT_NOOP) {
			at++;
			continue;
		}
		if (len - at < 2 || opt[at + 1] < 2 || opt[at + 1] > len - at)
			return -EINVAL;
		err = check(opt + at, &seen, may);
		if (err)
			return err;
		at += opt[at + 1];
	}
	return 0;
}

/* See inet.h. ctx: thread */
int inet_ipopt_set(struct inet_dgram *d, const void *val, u32 len)
{
	u8 opt[IP_OPTIONS_MAX] = { 0 };
	int err;

	if (len > sizeof(opt))
		return -EINVAL;
	memcpy(opt, val, len);
	len = ALIGN_UP(len, 4u);
	err = check_all(opt, len, cred_capable(current->cred, CAP_NET_RAW));
	if (err)
		return err;
	spin_lock(&d->lock);
	memcpy(d->ipopt, opt, sizeof(opt));
	WRITE_ONCE(d->ipoptlen, (u8)len);
	spin_unlock(&d->lock);
	return 0;
}

/* See inet.h. ctx: thread */
void inet_ipopt_get(struct inet_dgram *d, void *val, u32 *len)
{
	spin_lock(&d->lock);
	*len = MIN(*len, (u32)d->ipoptlen);
	memcpy(val, d->ipopt, *len);
	spin_unlock(&d->lock);
}

/* We are the first on the way: our address, the time since midnight. */
static void fill(u8 *opt, be32 src)
{
	u32 ms = net32((u32)((u64)(time_wall() / NSEC_PER_MSEC) % DAY_MS));
	u8 *slot = opt + opt[2] - 1;
	u32 n = slot_size(opt);

	if (!n || opt[2] > opt[1] || opt[2] + n - 1 > opt[1])
		return;
	if (opt[0] == IPOPT_TIMESTAMP && (opt[3] & 15) == IPOPT_TS_PRESPEC && memcmp(slot, &src, 4))
		return; /* it is not us whose time is wanted */
	if (opt[0] == IPOPT_RR || n == 8)
		memcpy(slot, &src, 4);
	if (opt[0] == IPOPT_TIMESTAMP)
		memcpy(slot + n - 4, &ms, 4);
	opt[2] = (u8)(opt[2] + n);
}

/* See inet.h. ctx: thread */
void inet_ipopt_build(struct inet_dgram *d, struct ip_out *o, u8 *opt)
{
	u32 len = IP_OPTIONS_MAX;

	inet_ipopt_get(d, opt, &len);
	for (u32 at = 0; at < len && opt[at] != IPOPT_END;) {
		if (opt[at] != IPOPT_NOOP)
			fill(opt + at, o->src);
		at += opt[at] == IPOPT_NOOP ? 1 : opt[at + 1];
	}
	o->optlen = (u8)len;
	o->options = opt;
}
