/*
 * Options of the level SOL_SOCKET.
 *
 * They live in struct socket; each is one word that one writer stores and readers load, so they
 * need no lock. What only a family can know (the peer, peeking at an offset) is asked through its
 * operations. Buffer sizes are doubled when set, as Linux does, which leaves room for bookkeeping.
 *
 * socket(7), getsockopt(2).
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/filter.h>
#include <linux/net_tstamp.h>
#include <linux/sock_diag.h>
#include <linux/socket.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include "fs/procfs.h"
#include "kernel/base/cred.h"
#include "kernel/base/errno.h"
#include "kernel/base/time.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "net/netdev.h"
#include "net/sock/sockfilter.h"

#define BUF_DEFAULT 212992
#define BUF_MAX (1 << 29)
#define SNDBUF_MIN 4608
#define RCVBUF_MIN 2304

static int wmem_max = BUF_DEFAULT, rmem_max = BUF_DEFAULT; /* a */
static int wmem_default = BUF_DEFAULT, rmem_default = BUF_DEFAULT; /* a */
SYSCTL_INT(wmem_max, "sys/net/core/wmem_max", &wmem_max, SNDBUF_MIN, 0x7fffffff);
SYSCTL_INT(rmem_max, "sys/net/core/rmem_max", &rmem_max, RCVBUF_MIN, 0x7fffffff);
SYSCTL_INT(wmem_default, "sys/net/core/wmem_default", &wmem_default, SNDBUF_MIN, 1 << 30);
SYSCTL_INT(rmem_default, "sys/net/core/rmem_default", &rmem_default, RCVBUF_MIN, 1 << 30);

/* See socket.h. ctx: any */
void socket_init_buffers(struct socket *s)
{
	s->rcvbuf = READ_ONCE(rmem_default);
	s->sndbuf = READ_ONCE(wmem_default);
}

/* Options that are on or off and that nothing but getsockopt looks at here. */
static const int plain_options[] = {
	SO_DEBUG,     SO_REUSEADDR,   SO_DONTROUTE, SO_BROADCAST,   SO_KEEPALIVE,
	SO_REUSEPORT, SO_NO_CHECK,    SO_RXQ_OVFL,  SO_LOCK_FILTER, SO_SELECT_ERR_QUEUE,
	SO_NOFCS,     SO_WIFI_STATUS, SO_ZEROCOPY,  SO_TXTIME,
};

static int plain_option(int option)
{
	for (u32 i = 0; i < ARRAY_SIZE(plain_options); i++) {
		if (plain_options[i] == option)
			return (int)i;
	}
	return -1;
}

/* The time stamps that an option asks for; 0: it is another option. */
static u8 stamp_option(int option)
{
	switch (option) {
	case SO_TIMESTAMP_OLD: return STAMP_ON;
	case SO_TIMESTAMPNS_OLD: return STAMP_ON | STAMP_NSEC;
	case SO_TIMESTAMP_NEW: return STAMP_ON | STAMP_NEW;
	case SO_TIMESTAMPNS_NEW: return STAMP_ON | STAMP_NSEC | STAMP_NEW;
	}
	return 0;
}

/* Is it on? Linux says of SO_TIMESTAMP_NEW that it is where SO_TIMESTAMPNS_NEW is. */
static bool has_stamp(const struct socket *s, int option)
{
	u8 have = READ_ONCE(s->stamp), want = stamp_option(option);

	return (option == SO_TIMESTAMP_NEW ? have & want : have) == want;
}

static bool timeout_option(int option)
{
	return option == SO_RCVTIMEO_OLD || option == SO_SNDTIMEO_OLD ||
	       option == SO_RCVTIMEO_NEW || option == SO_SNDTIMEO_NEW;
}

static int set_timeout(s64 *timeo, const void *val, u32 len)
{
	struct {
		s64 sec, usec;
	} tv;

	if (len < sizeof(tv))
		return -EINVAL;
	memcpy(&tv, val, sizeof(tv));
	if (tv.usec < 0 || tv.usec >= 1000000)
		return -EDOM;
	if (tv.sec < 0) /* has passed already: as Linux, no wait at all */
		WRITE_ONCE(*timeo, 0);
	else if ((!tv.sec && !tv.usec) || tv.sec >= TIME_NEVER / NSEC_PER_SEC - 1)
		WRITE_ONCE(*timeo, TIME_NEVER);
	else
		WRITE_ONCE(*timeo, tv.sec * NSEC_PER_SEC + tv.usec * 1000);
	return 0;
}

/* SO_SNDBUF and its kin, by the bit of SO_BUF_LOCK. What is negative is a lot, unless forced. */
static int set_buffer(struct socket *s, u8 which, int val, int max)
{
	int *buf = which == SOCK_SNDBUF_LOCK ? &s->sndbuf : &s->rcvbuf;
	int min = which == SOCK_SNDBUF_LOCK ? SNDBUF_MIN : RCVBUF_MIN;

	if (val < 0)
		val = max == BUF_MAX ? 0 : max;
	max = MIN(max, BUF_MAX);
	val = MIN(val, max) * 2;
	WRITE_ONCE(*buf, MAX(val, min));
	__atomic_or_fetch(&s->buf_lock, which, __ATOMIC_RELAXED);
	return 0;
}

static int set_linger(struct socket *s, const void *val, u32 len)
{
	int v[2]; /* struct linger: on, seconds */
	int was = READ_ONCE(s->linger);

	if (len < sizeof(v))
		return -EINVAL;
	memcpy(v, val, sizeof(v));
	WRITE_ONCE(s->linger, v[0] ? MAX(v[1], 0) : MIN(was, ~was)); /* off keeps the time */
	return 0;
}

/* See socket.h. */
bool socket_option(const struct socket *s, int option)
{
	return READ_ONCE(s->options) >> plain_option(option) & 1;
}

/* See socket.h. */
void socket_set_option(struct socket *s, int option, bool on)
{
	u32 bit = (u32)BIT(plain_option(option));

	if (on)
		__atomic_or_fetch(&s->options, bit, __ATOMIC_RELAXED);
	else
		__atomic_and_fetch(&s->options, ~bit, __ATOMIC_RELAXED);
}

/* SO_BINDTOIFINDEX: any number that is not negative. Who is bound already must be privileged. */
static int bind_to(struct socket *s, int index)
{
	if (READ_ONCE(s->bound_dev) && !cred_capable(current->cred, CAP_NET_RAW))
		return -EPERM;
	if (index < 0)
		return -EINVAL;
	WRITE_ONCE(s->bound_dev, (u32)index);
	if (s->ops->device) /* else it is for telling only */
		s->ops->device(s);
	return 0;
}

/* SO_BINDTODEVICE: by name, an empty one for none. */
static int set_device(struct socket *s, const void *val, u32 len)
{
	char name[IFNAMSIZ] = { 0 };
	const struct netdev *d = NULL;

	memcpy(name, val, MIN(len, (u32)IFNAMSIZ - 1));
	if (name[0]) {
		d = netdev_by_name(name);
		if (!d)
			return -ENODEV;
	}
	return bind_to(s, d ? (int)d->index : 0);
}

static int give_device(struct socket *s, void *val, u32 *len)
{
	const struct netdev *d = netdev_by_index(READ_ONCE(s->bound_dev));

	if (!d) {
		*len = 0;
		return 0;
	}
	if (*len < IFNAMSIZ)
		return -EINVAL;
	*len = (u32)strlen(d->name) + 1;
	memcpy(val, d->name, *len);
	return 0;
}

static int set_mark(struct socket *s, u32 mark)
{
	if (!cred_capable(current->cred, CAP_NET_ADMIN) &&
	    !cred_capable(current->cred, CAP_NET_RAW))
		return -EPERM;
	WRITE_ONCE(s->mark, mark);
	return 0;
}

static int set_peek_off(struct socket *s, int v)
{
	if (!s->ops->peek_off)
		return -EOPNOTSUPP;
	WRITE_ONCE(s->peek_off, v);
	return 0;
}

/*
 * SO_TIMESTAMPING. The family is told when numbers begin anew.
 * There are no clocks of devices to choose from.
 */
static int set_stamping(struct socket *s, int option, u32 flags)
{
	int err = 0;

	if (flags & ~(u32)SOF_TIMESTAMPING_MASK)
		return -EINVAL;
	if ((flags & ~READ_ONCE(s->stamping) & SOF_TIMESTAMPING_OPT_ID) && s->ops->number)
		err = s->ops->number(s);
	if (err)
		return err;
	if ((flags & SOF_TIMESTAMPING_OPT_STATS) && !(flags & SOF_TIMESTAMPING_OPT_TSONLY))
		return -EINVAL;
	if (flags & SOF_TIMESTAMPING_BIND_PHC)
		return READ_ONCE(s->bound_dev) ? -EINVAL : -EOPNOTSUPP;
	WRITE_ONCE(s->stamping, flags);
	WRITE_ONCE(s->stamp, (u8)((READ_ONCE(s->stamp) & ~STAMP_NEW) |
				  (option == SO_TIMESTAMPING_NEW ? STAMP_NEW : 0)));
	return 0;
}

/* SO_TXTIME: the times of SCM_TXTIME are of this clock. No queue here waits for them. */
static int set_txtime(struct socket *s, const void *val, u32 len)
{
	struct sock_txtime t;

	if (len != sizeof(t))
		return -EINVAL;
	memcpy(&t, val, sizeof(t));
	if (t.flags & ~(u32)SOF_TXTIME_FLAGS_MASK)
		return -EINVAL;
	if (t.clockid != CLOCK_MONOTONIC && !cred_capable(current->cred, CAP_NET_ADMIN))
		return -EPERM;
	WRITE_ONCE(s->txtime_clock, t.clockid);
	WRITE_ONCE(s->txtime_flags, (u8)t.flags);
	socket_set_option(s, SO_TXTIME, true);
	return 0;
}

static int set_pacing(struct socket *s, const void *val, u32 len)
{
	u64 rate = 0;

	memcpy(&rate, val, len >= sizeof(rate) ? sizeof(rate) : sizeof(u32));
	if (len < sizeof(rate) && rate == ~0u)
		rate = ~0ull;
	WRITE_ONCE(s->pacing, rate);
	return 0;
}

static int set_chooser(struct socket *s, const void *val, u32 len)
{
	struct net_chooser *c;
	int err = socket_filter_chooser(s, val, len, &c);

	if (err)
		return err;
	err = s->ops->chooser ? s->ops->chooser(s, c) : -EINVAL;
	if (err)
		net_chooser_put(c);
	return err;
}

/* SO_ZEROCOPY: of TCP and UDP. */
static int set_zerocopy(struct socket *s, int v)
{
	if (s->family != AF_INET ||
	    s->protocol != (s->type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP) ||
	    s->type == SOCK_RAW)
		return -EOPNOTSUPP;
	if (v < 0 || v > 1)
		return -EINVAL;
	socket_set_option(s, SO_ZEROCOPY, v);
	return 0;
}

/* See socket.h. */
int socket_control(struct socket *s, struct sock_msg *m, int type, const void *data, u64 len)
{
	u32 v;

	switch (type) {
	case SCM_RIGHTS:
	case SCM_CREDENTIALS: return 0;
	case SCM_TXTIME: return socket_option(s, SO_TXTIME) && len == sizeof(u64) ? 0 : -EINVAL;
	case SO_MARK:
		if (!cred_capable(current->cred, CAP_NET_ADMIN) &&
		    !cred_capable(current->cred, CAP_NET_RAW))
			return -EPERM;
		return len == sizeof(v) ? 0 : -EINVAL;
	case SO_TIMESTAMPING_OLD:
		if (len != sizeof(v))
			return -EINVAL;
		memcpy(&v, data, sizeof(v));
		if (v & ~(u32)SOF_TIMESTAMPING_TX_RECORD_MASK)
			return -EINVAL;
		m->stamping = v;
		m->stamping_given = true;
		return 0;
	}
	return -EINVAL;
}

/* A word that only the privileged may raise. */
static int set_raised(u32 *word, int v, int max, bool admin)
{
	if (v > 0 && (u32)v > READ_ONCE(*word) && !admin)
		return -EPERM;
	if (v < 0 || v > max)
		return -EINVAL;
	WRITE_ONCE(*word, (u32)v);
	return 0;
}

static int set_plain(struct socket *s, int option, int v)
{
	int bit = plain_option(option);

	if (stamp_option(option)) {
		WRITE_ONCE(s->stamp, v ? stamp_option(option) : READ_ONCE(s->stamp) & STAMP_NEW);
		return 0;
	}
	if (bit < 0)
		return -ENOPROTOOPT;
	if (option == SO_REUSEPORT && v && s->family != AF_INET)
		return -EOPNOTSUPP;
	if (option == SO_LOCK_FILTER)
		return socket_filter_lock(s, v);
	if (option == SO_DEBUG && v && !cred_capable(current->cred, CAP_NET_ADMIN))
		return -EACCES;
	socket_set_option(s, option, v);
	return 0;
}

/* Those that came with Linux 5 and 6, and what they need to be told apart. */
static int set_recent(struct socket *s, int option, const void *val, u32 len, int v)
{
	switch (option) {
	case SO_TIMESTAMPING_OLD:
	case SO_TIMESTAMPING_NEW: return set_stamping(s, option, (u32)v);
	case SO_MAX_PACING_RATE: return set_pacing(s, val, len);
	case SO_TXTIME: return set_txtime(s, val, len);
	case SO_ZEROCOPY: return set_zerocopy(s, v);
	case SO_BINDTOIFINDEX: return bind_to(s, v);
	case SO_RESERVE_MEM: return v < 0 ? -EINVAL : -EOPNOTSUPP; /* memory of a group only */
	case SO_TXREHASH:
		if (v < -1 || v > 1)
			return -EINVAL;
		WRITE_ONCE(s->txrehash, v != 0);
		return 0;
	case SO_ATTACH_REUSEPORT_CBPF: return set_chooser(s, val, len);
	case SO_DETACH_REUSEPORT_BPF: return s->ops->chooser ? s->ops->chooser(s, NULL) : -EINVAL;
	case SO_ATTACH_BPF:
	case SO_ATTACH_REUSEPORT_EBPF: return socket_filter_extended(v, len);
	default: return set_plain(s, option, v);
	}
}

/* See socket.h. ctx: thread */
int socket_setsockopt(struct socket *s, int option, const void *val, u32 len)
{
	bool admin = cred_capable(current->cred, CAP_NET_ADMIN);
	int v;

	if (timeout_option(option)) {
		bool rcv = option == SO_RCVTIMEO_OLD || option == SO_RCVTIMEO_NEW;

		return set_timeout(rcv ? &s->rcvtimeo : &s->sndtimeo, val, len);
	}
	if (option == SO_BINDTODEVICE)
		return set_device(s, val, len);
	if (option == SO_ATTACH_FILTER)
		return socket_filter_attach(s, val, len);
	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	switch (option) {
	case SO_DETACH_FILTER: return socket_filter_detach(s);
	case SO_SNDBUF: return set_buffer(s, SOCK_SNDBUF_LOCK, v, READ_ONCE(wmem_max));
	case SO_RCVBUF: return set_buffer(s, SOCK_RCVBUF_LOCK, v, READ_ONCE(rmem_max));
	case SO_SNDBUFFORCE: return admin ? set_buffer(s, SOCK_SNDBUF_LOCK, v, BUF_MAX) : -EPERM;
	case SO_RCVBUFFORCE: return admin ? set_buffer(s, SOCK_RCVBUF_LOCK, v, BUF_MAX) : -EPERM;
	case SO_BUF_LOCK:
		if (v & ~SOCK_BUF_LOCK_MASK)
			return -EINVAL;
		WRITE_ONCE(s->buf_lock, (u8)v);
		return 0;
	case SO_BUSY_POLL: return set_raised(&s->busy_poll, v, 0x7fffffff, admin);
	case SO_BUSY_POLL_BUDGET: return set_raised(&s->busy_budget, v, 0xffff, admin);
	case SO_PREFER_BUSY_POLL:
		if (v && !admin)
			return -EPERM;
		WRITE_ONCE(s->prefer_busy_poll, v != 0);
		return 0;
	case SO_INCOMING_CPU: WRITE_ONCE(s->cpu, v); return 0;
	case SO_BSDCOMPAT: /* of old programs, without effect */
	case SO_CNX_ADVICE: return 0;
	case SO_PASSCRED: WRITE_ONCE(s->passcred, v != 0); return 0;
	case SO_PASSSEC: WRITE_ONCE(s->passsec, v != 0); return 0;
	case SO_OOBINLINE: WRITE_ONCE(s->oobinline, v != 0); return 0;
	case SO_PEEK_OFF: return set_peek_off(s, v);
	case SO_MARK: return set_mark(s, (u32)v);
	case SO_LINGER: return set_linger(s, val, len);
	case SO_RCVLOWAT: WRITE_ONCE(s->rcvlowat, v < 0 ? 0x7fffffff : MAX(v, 1)); return 0;
	case SO_PRIORITY:
		if ((v < 0 || v > 6) && !admin && !cred_capable(current->cred, CAP_NET_RAW))
			return -EPERM;
		WRITE_ONCE(s->priority, v);
		return 0;
	case SO_TYPE:
	case SO_PROTOCOL:
	case SO_DOMAIN:
	case SO_ERROR: return -ENOPROTOOPT;
	default: return set_recent(s, option, val, len, v);
	}
}

static int give(void *val, u32 *len, const void *from, u32 size)
{
	*len = MIN(*len, size);
	memcpy(val, from, *len);
	return 0;
}

static int give_timeout(s64 timeo, void *val, u32 *len)
{
	s64 tv[2] = { 0, 0 };

	if (timeo != TIME_NEVER) {
		tv[0] = timeo / NSEC_PER_SEC;
		tv[1] = timeo % NSEC_PER_SEC / 1000;
	}
	return give(val, len, tv, sizeof(tv));
}

static int give_peercred(struct socket *s, void *val, u32 *len)
{
	struct sock_ucred c = { 0, ~0u, ~0u };

	if (s->ops->peercred)
		(void)s->ops->peercred(s, &c, NULL);
	return give(val, len, &c, sizeof(c));
}

/* Supplementary groups: all of them or -ERANGE, with the room that is needed in *len. */
static int give_groups(struct socket *s, void *val, u32 *len)
{
	struct sock_ucred c;
	struct cred *groups = NULL;
	u32 size;

	if (!s->ops->peercred || !s->ops->peercred(s, &c, &groups))
		return -ENODATA;
	size = groups->ngroups * (u32)sizeof(u32);
	if (*len >= size)
		memcpy(val, groups->groups, size);
	cred_put(groups);
	if (*len < size) {
		*len = size;
		return -ERANGE;
	}
	*len = size;
	return 0;
}

static int give_peername(struct socket *s, void *val, const u32 *len)
{
	struct sock_addr a;

	if (!s->ops->getname || s->ops->getname(s, true, &a))
		return -ENOTCONN;
	if (a.len < *len)
		return -EINVAL;
	memcpy(val, a.bytes, *len);
	return 0;
}

/* A number that no other socket ever has, given when it is asked for. */
static int give_cookie(struct socket *s, void *val, u32 *len)
{
	static u64 last; /* a */
	u64 none = 0, fresh;

	if (*len < sizeof(s->cookie))
		return -EINVAL;
	if (!READ_ONCE(s->cookie)) {
		fresh = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
		(void)__atomic_compare_exchange_n(&s->cookie, &none, fresh, false, __ATOMIC_RELAXED,
						  __ATOMIC_RELAXED);
	}
	fresh = READ_ONCE(s->cookie);
	return give(val, len, &fresh, sizeof(fresh));
}

/* SO_MEMINFO: struct sk_meminfo of ss(8). */
static int give_meminfo(struct socket *s, void *val, u32 *len)
{
	u32 v[SK_MEMINFO_VARS] = {
		[SK_MEMINFO_RCVBUF] = (u32)READ_ONCE(s->rcvbuf),
		[SK_MEMINFO_SNDBUF] = (u32)READ_ONCE(s->sndbuf),
		[SK_MEMINFO_DROPS] = READ_ONCE(s->drops),
	};
	u32 size = sizeof(v[0]);

	if (s->ops->getsockopt) { /* TCP has its own */
		(void)s->ops->getsockopt(s, SOL_SOCKET, SO_RCVBUF, &v[SK_MEMINFO_RCVBUF], &size);
		(void)s->ops->getsockopt(s, SOL_SOCKET, SO_SNDBUF, &v[SK_MEMINFO_SNDBUF], &size);
	}
	if (s->ops->charged) {
		v[SK_MEMINFO_RMEM_ALLOC] = s->ops->charged(s, false);
		v[SK_MEMINFO_WMEM_ALLOC] = s->ops->charged(s, true);
	} else if (s->ops->memory) {
		v[SK_MEMINFO_WMEM_ALLOC] = (u32)s->ops->memory(s);
	}
	return give(val, len, v, sizeof(v));
}

static int give_pacing(struct socket *s, void *val, u32 *len)
{
	u64 rate = READ_ONCE(s->pacing);
	u32 small = (u32)MIN(rate, 0xffffffffull);

	return *len >= sizeof(rate) ? give(val, len, &rate, sizeof(rate))
				    : give(val, len, &small, sizeof(small));
}

static int give_txtime(struct socket *s, void *val, u32 *len)
{
	struct sock_txtime t = { READ_ONCE(s->txtime_clock), READ_ONCE(s->txtime_flags) };

	return give(val, len, &t, sizeof(t));
}

/* There is one network namespace, the first. */
static int give_netns_cookie(void *val, u32 *len)
{
	u64 one = 1;

	return *len == sizeof(one) ? give(val, len, &one, sizeof(one)) : -EINVAL;
}

static int option_value(struct socket *s, int option, int *v)
{
	int bit;

	switch (option) {
	case SO_SNDBUF: *v = READ_ONCE(s->sndbuf); return 0;
	case SO_RCVBUF: *v = READ_ONCE(s->rcvbuf); return 0;
	case SO_PASSCRED: *v = READ_ONCE(s->passcred); return 0;
	case SO_PASSSEC: *v = READ_ONCE(s->passsec); return 0;
	case SO_OOBINLINE: *v = READ_ONCE(s->oobinline); return 0;
	case SO_PEEK_OFF: *v = READ_ONCE(s->peek_off); return s->ops->peek_off ? 0 : -EOPNOTSUPP;
	case SO_MARK: *v = (int)READ_ONCE(s->mark); return 0;
	case SO_RCVLOWAT: *v = READ_ONCE(s->rcvlowat); return 0;
	case SO_SNDLOWAT: *v = 1; return 0;
	case SO_PRIORITY: *v = READ_ONCE(s->priority); return 0;
	case SO_BUF_LOCK: *v = READ_ONCE(s->buf_lock); return 0;
	case SO_BUSY_POLL: *v = (int)READ_ONCE(s->busy_poll); return 0;
	case SO_PREFER_BUSY_POLL: *v = READ_ONCE(s->prefer_busy_poll); return 0;
	case SO_INCOMING_CPU: *v = READ_ONCE(s->cpu); return 0;
	case SO_INCOMING_NAPI_ID: /* no queue of a device has a number */
	case SO_RESERVE_MEM:
	case SO_BSDCOMPAT: *v = 0; return 0;
	case SO_TXREHASH: *v = READ_ONCE(s->txrehash); return 0;
	case SO_BPF_EXTENSIONS: *v = SKF_AD_MAX; return 0;
	case SO_BINDTOIFINDEX: *v = (int)READ_ONCE(s->bound_dev); return 0;
	case SO_TYPE: *v = s->type; return 0;
	case SO_DOMAIN: *v = s->family; return 0;
	case SO_PROTOCOL: *v = s->protocol; return 0;
	case SO_ERROR: *v = -socket_take_error(s); return 0;
	case SO_ACCEPTCONN: *v = s->ops->listening && s->ops->listening(s); return 0;
	}
	if (stamp_option(option)) {
		*v = has_stamp(s, option);
		return 0;
	}
	bit = plain_option(option);
	if (bit < 0)
		return -ENOPROTOOPT;
	*v = READ_ONCE(s->options) >> bit & 1;
	return 0;
}

/* See socket.h. ctx: thread */
int socket_getsockopt(struct socket *s, int option, void *val, u32 *len)
{
	int v[2], err;

	if (timeout_option(option)) {
		bool rcv = option == SO_RCVTIMEO_OLD || option == SO_RCVTIMEO_NEW;

		return give_timeout(READ_ONCE(*(rcv ? &s->rcvtimeo : &s->sndtimeo)), val, len);
	}
	switch (option) {
	case SO_PEERCRED: return give_peercred(s, val, len);
	case SO_PEERGROUPS: return give_groups(s, val, len);
	case SO_PEERNAME: return give_peername(s, val, len);
	case SO_COOKIE: return give_cookie(s, val, len);
	case SO_MEMINFO: return give_meminfo(s, val, len);
	case SO_MAX_PACING_RATE: return give_pacing(s, val, len);
	case SO_TXTIME: return give_txtime(s, val, len);
	case SO_NETNS_COOKIE: return give_netns_cookie(val, len);
	case SO_TIMESTAMPING_OLD:
	case SO_TIMESTAMPING_NEW:
		v[0] = (int)READ_ONCE(s->stamping);
		v[1] = 0;
		return give(val, len, v, sizeof(v));
	case SO_BINDTODEVICE: return give_device(s, val, len);
	case SO_LINGER:
		v[0] = READ_ONCE(s->linger) >= 0;
		v[1] = v[0] ? READ_ONCE(s->linger) : ~READ_ONCE(s->linger);
		return give(val, len, v, sizeof(v));
	}
	err = option_value(s, option, v);
	return err ? err : give(val, len, v, sizeof(int));
}
