/*
 * The kernel's resolver, of the kind that RFC 1034, section 5.3.1 describes: asks recursive
 * servers, remembers answers.
 *
 * A question goes to each server in turn, in rounds that wait twice as long each, with a number and
 * a port at random (RFC 5452); what does not answer this question is as if it had not come. An
 * answer that was too long comes again by TCP, two bytes of length before it (RFC 7766). A chain of
 * aliases that ends in another zone is followed by further questions, up to a limit.
 *
 * Names that were found, and those that are known not to be, are kept in a table until their time
 * is over; a new one takes the place of the one that would go first. The table and the servers are
 * guarded by dns_lock (rank LEAF_MUTEX), which is not held while anybody waits for an answer.
 */
#include <linux/errno.h>
#include "kernel/base/rand.h"
#include "kernel/base/time.h"
#include "kernel/lib/string.h"
#include "kernel/sched/mutex.h"
#include "mm/slab.h"
#include "net/bootparam.h"
#include "net/dns.h"
#include "net/ipconfig.h"

#define ENTRIES 64u
#define ROUNDS 3u
#define FIRST_WAIT (2 * NSEC_PER_SEC)
#define ALIASES_MAX 8u

struct entry {
	s64 until; /* d; 0: free */
	struct dns_entry e; /* d */
};
static struct mutex dns_lock = MUTEX_INIT(dns_lock, RANK_LEAF_MUTEX);
static struct entry *table; /* d: guarded by dns_lock; NULL: nothing was asked yet */
static be32 own_servers[DNS_SERVERS_MAX]; /* d */
static struct dns_stats stats; /* a */

#define COUNT(field) __atomic_add_fetch(&stats.field, 1, __ATOMIC_RELAXED)

/* See dns.h. */
void dns_stats_get(struct dns_stats *out)
{
	*out = stats;
}

/* See dns.h. */
void dns_set_servers(const be32 servers[DNS_SERVERS_MAX])
{
	mutex_lock(&dns_lock);
	memcpy(own_servers, servers, sizeof(own_servers));
	mutex_unlock(&dns_lock);
}

/* See dns.h. */
u32 dns_servers(be32 out[DNS_SERVERS_MAX])
{
	struct ipconfig c;
	u32 n = 0;

	mutex_lock(&dns_lock);
	memcpy(out, own_servers, sizeof(own_servers));
	mutex_unlock(&dns_lock);
	if (!out[0]) {
		ipconfig_get(&c);
		for (u32 i = 0; i < DNS_SERVERS_MAX; i++)
			out[i] = c.valid ? c.lease.dns[i] : 0;
	}
	while (n < DNS_SERVERS_MAX && out[n])
		n++;
	return n;
}

/* --- what is remembered --- */

/* See dns.h. */
void dns_forget(void)
{
	mutex_lock(&dns_lock);
	kfree(table);
	table = NULL;
	mutex_unlock(&dns_lock);
}

/* See dns.h. */
bool dns_entry_get(u32 n, struct dns_entry *out)
{
	s64 now = time_now();
	bool found = false;

	mutex_lock(&dns_lock);
	for (u32 i = 0; table && i < ENTRIES && !found; i++) {
		if (table[i].until <= now || n--)
			continue;
		found = true;
		*out = table[i].e;
		out->ttl = (u32)((table[i].until - now) / NSEC_PER_SEC);
	}
	mutex_unlock(&dns_lock);
	return found;
}

static bool recall(const char *name, struct dns_entry *out)
{
	for (u32 n = 0; dns_entry_get(n, out); n++) {
		if (!strcasecmp(out->name, name))
			return true;
	}
	return false;
}

static void remember(const char *name, const struct dns_answer *a)
{
	struct entry *e, *at;

	if (!a->ttl)
		return;
	mutex_lock(&dns_lock);
	if (!table)
		table = kcalloc(ENTRIES, sizeof(*table), 0);
	if (table) {
		at = table;
		for (e = table; e < table + ENTRIES; e++) {
			if (e->until && !strcasecmp(e->e.name, name)) {
				at = e;
				break;
			}
			if (e->until < at->until)
				at = e;
		}
		at->until = time_now() + a->ttl * NSEC_PER_SEC;
		strlcpy(at->e.name, name, sizeof(at->e.name));
		at->e.naddrs = a->naddrs;
		memcpy(at->e.addrs, a->addrs, sizeof(a->addrs));
	}
	mutex_unlock(&dns_lock);
}

/* --- asking --- */

/* One question on its way. o: by the thread that asks. */
struct question {
	u8 msg[DNS_QUERY_MAX + 2]; /* o: from 2 on; before it the length, for TCP */
	u32 len; /* o: of the question itself */
	enum dns_verdict verdict; /* o */
	struct dns_answer answer; /* o */
};

static bool judge(void *arg, const u8 *msg, u32 len)
{
	struct question *q = arg;

	q->verdict = dns_answer_read(q->msg + 2, q->len, msg, len, &q->answer);
	if (q->verdict == DNS_BOGUS)
		COUNT(bogus);
	else
		COUNT(answers);
	return q->verdict != DNS_BOGUS;
}

int (*dns_tcp_ask)(be32 server, u8 *msg, u32 len, bool (*accept)(void *arg, const u8 *msg, u32 len),
		   void *arg);

static int tcp_ask(be32 server, struct question *q)
{
	int err;

	if (!dns_tcp_ask)
		return -EIO;
	COUNT(tcp);
	q->msg[0] = (u8)(q->len >> 8);
	q->msg[1] = (u8)q->len;
	err = dns_tcp_ask(server, q->msg, q->len + 2, judge, q);
	return !err && q->verdict == DNS_TRUNCATED ? -EIO : err;
}

/* Ask one server. 0: q->verdict is one; -errno: no answer. */
static int ask_server(be32 server, struct question *q, const char *name, s64 wait)
{
	int err;

	q->len = dns_query_make(q->msg + 2, (u16)rand_u64(), name);
	if (!q->len)
		return -EINVAL;
	COUNT(queries);
	err = udp_ask(server, DNS_PORT, q->msg + 2, q->len, time_now() + wait, judge, q);
	if (!err && q->verdict == DNS_TRUNCATED)
		err = tcp_ask(server, q);
	if (!err && q->verdict == DNS_FAILED)
		err = -EIO;
	if (err == -ETIMEDOUT)
		COUNT(timeouts);
	return err;
}

/* Ask all, until one knows. */
static int ask(struct question *q, const char *name)
{
	be32 servers[DNS_SERVERS_MAX];
	u32 n = dns_servers(servers);
	int err = -ENETUNREACH;

	for (u32 i = 0; i < ROUNDS * n; i++) {
		err = ask_server(servers[i % n], q, name, FIRST_WAIT << (i / n));
		if (!err || err == -EINVAL || err == -EINTR || err == -ENOMEM)
			return err;
	}
	return err;
}

/* The question and those that its aliases lead to. 0: the answer is in q->answer, perhaps none. */
static int chase(struct question *q, const char *name)
{
	char alias[DNS_NAME_MAX];
	u32 ttl = ~0u;

	for (u32 i = 0; i < ALIASES_MAX; i++) {
		int err = ask(q, i ? alias : name);

		if (err)
			return err;
		ttl = q->answer.ttl = MIN(ttl, q->answer.ttl);
		if (q->verdict != DNS_ALIAS)
			return 0;
		memcpy(alias, q->answer.alias, sizeof(alias));
	}
	return -EIO;
}

/* See dns.h. */
int dns_resolve(const char *name, be32 *addrs, u32 max)
{
	struct question *q;
	struct dns_entry *e;
	u32 n = 0;
	int err = 0;

	if (max && inet_parse(name, strlen(name), addrs))
		return 1;
	q = kmalloc(sizeof(*q), 0);
	e = kmalloc(sizeof(*e), 0);
	if (!q || !e) {
		err = -ENOMEM;
	} else if (recall(name, e)) {
		COUNT(hits);
		n = MIN(e->naddrs, max);
		memcpy(addrs, e->addrs, n * sizeof(*addrs));
	} else {
		err = chase(q, name);
		if (!err) {
			n = MIN(q->answer.naddrs, max);
			memcpy(addrs, q->answer.addrs, n * sizeof(*addrs));
			remember(name, &q->answer);
		}
	}
	kfree(q);
	kfree(e);
	return err ? err : n ? (int)n : -ENOENT;
}
