/*
 * Which congestion control: a table that each adds itself to (TCP_CC), the default by sysctl,
 * another for one connection by setsockopt(TCP_CONGESTION). Slow start is common to all.
 *
 * An algorithm says where to halve to (ssthresh) and how to grow (acked); what was lost and when to
 * send is recovery's (tcp_recover.c), which is the same for all of them. The table does not change
 * after the link, so that reading it needs no lock.
 */
#include "kernel/lib/string.h"
#include "net/tcp/tcp_pcb.h"

static const struct tcp_cc *chosen; /* a: by sysctl; NULL: cubic */
static u32 restricted; /* a: a bit for each in the table: only an administrator may choose it */

/* See tcp_pcb.h. NULL: there is none. ctx: any */
const struct tcp_cc *tcp_cc_find(const char *name, u32 len)
{
	const struct tcp_cc *c;

	TABLE_FOREACH(tcp_cc, c) {
		if (strlen(c->name) == len && !memcmp(c->name, name, len))
			return c;
	}
	return NULL;
}

/* See tcp_pcb.h. ctx: any */
const struct tcp_cc *tcp_cc_default(void)
{
	const struct tcp_cc *c = READ_ONCE(chosen);

	if (unlikely(!c)) {
		c = tcp_cc_find("cubic", 5);
		WRITE_ONCE(chosen, c ? c : __table_tcp_cc_begin);
		c = READ_ONCE(chosen);
	}
	return c;
}

static u32 bit_of(const struct tcp_cc *c)
{
	return 1u << (c - __table_tcp_cc_begin);
}

/* See net/tcp.h. ctx: any */
bool tcp_cc_choose(const char *name, u32 len)
{
	const struct tcp_cc *c = tcp_cc_find(name, len);

	if (!c)
		return false;
	WRITE_ONCE(chosen, c);
	__atomic_fetch_and(&restricted, ~bit_of(c), __ATOMIC_RELAXED);
	return true;
}

/* See net/tcp.h. ctx: any */
bool tcp_cc_is_restricted(const char *name, u32 len)
{
	const struct tcp_cc *c = tcp_cc_find(name, len);

	return c && (READ_ONCE(restricted) & bit_of(c));
}

/* See net/tcp.h. ctx: any */
bool tcp_cc_allow(const char *names)
{
	const struct tcp_cc *c;
	u32 allowed = 0, len;

	while ((len = (u32)strcspn(names, " \n"))) {
		c = tcp_cc_find(names, len);
		if (!c)
			return false;
		allowed |= bit_of(c);
		names += len + (names[len] != 0);
	}
	WRITE_ONCE(restricted, ~allowed);
	return true;
}

/* See net/tcp.h. ctx: any */
const char *tcp_cc_chosen(void)
{
	return tcp_cc_default()->name;
}

/* See net/tcp.h. ctx: any */
const char *tcp_cc_name(u32 index)
{
	return __table_tcp_cc_begin + index < __table_tcp_cc_end ? __table_tcp_cc_begin[index].name
								 : NULL;
}

/* RFC 5681, 3.1, with byte counting (RFC 3465): at most two segments per acknowledgment of two. */
void tcp_slow_start(struct tcp_pcb *p, u32 bytes)
{
	p->cwnd = MIN(p->cwnd + bytes, MAX(p->ssthresh, p->cwnd));
}
