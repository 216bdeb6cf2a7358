/*
 * netconsole=: the kernel's log, sent by UDP to another machine, in the form that Linux documents.
 *
 * A thread reads the log's ring from its first record on and sends each record as a datagram of its
 * own: text as a console shows it, of what is below the console's level, or all with the head of
 * /dev/kmsg when the word begins with '+'. Being told of a new record only wakes it, for that may
 * happen anywhere; so the last words of a panic are not sent. While there is no way to the other
 * machine it waits, and sends from the ring what is still there.
 */
#include <linux/errno.h>
#include "kernel/base/bootargs.h"
#include "kernel/base/log.h"
#include "kernel/base/time.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/waitq.h"
#include "mm/slab.h"
#include "net/arp.h"
#include "net/bootparam.h"
#include "net/sntp.h"
#include "net/udp.h"

#define LINE_MAX 1000u
#define TRY_AGAIN (1 * NSEC_PER_SEC)

BOOTARG_WORD(netconsole, "netconsole");

static struct netconsole_param param; /* I once started */
static struct waitq wait = WAITQ_INIT(wait);
static void (*told_before)(void); /* I once started */

static void log_grew(void)
{
	waitq_wake_all(&wait);
	if (told_before)
		told_before();
}

/* The way there; by the device that was named, straight to the link address that was given. */
static int find_route(struct route *rt)
{
	struct netdev *d = param.dev[0] ? netdev_by_name(param.dev) : NULL;
	int err;

	if (param.dev[0] && !d)
		return -ENODEV;
	err = route_lookup(param.faddr, param.laddr, d, rt);
	if (err || !param.has_mac || rt->type != ROUTE_UNICAST)
		return err;
	rt->nexthop = param.faddr;
	return neigh_set(rt->dev, param.faddr, NUD_PERMANENT, param.mac,
			 NEIGH_CREATE | NEIGH_REPLACE);
}

static int send_line(const char *text, u32 len)
{
	struct ip_out o = { .dst = param.faddr, .proto = IPPROTO_UDP };
	struct route rt;
	struct pkt *p;
	int err = find_route(&rt);

	if (!err && !netdev_up(rt.dev))
		err = -ENETDOWN;
	if (!err && !rt.src)
		err = -EADDRNOTAVAIL;
	if (err)
		return err;
	p = pkt_alloc(PKT_HEADROOM, len, 0);
	if (!p)
		return -ENOMEM;
	memcpy(pkt_append(p, len), text, len);
	p->cb[0] = 0;
	o.src = param.laddr ? param.laddr : rt.src;
	return udp_output(p, &rt, &o, net16(param.lport), net16(param.fport), true);
}

/* The record as text; 0: it is not for consoles. */
static u32 make_line(const struct log_record *r, const char *text, u32 n, char *out)
{
	u64 us = (u64)r->stamp / 1000;
	u32 len;

	if (param.extended)
		len = (u32)scnprintf(out, LINE_MAX, "%u,%llu,%llu,-;", r->facility << 3 | r->level,
				     (unsigned long long)r->seq, (unsigned long long)us);
	else if (r->level >= log_console_level())
		return 0;
	else
		len = (u32)scnprintf(out, LINE_MAX, "[%5llu.%06llu] ",
				     (unsigned long long)(us / 1000000),
				     (unsigned long long)(us % 1000000));
	n = MIN(n, LINE_MAX - len - 1);
	memcpy(out + len, text, n);
	out[len + n] = '\n';
	return len + n + 1;
}

static void netconsole_thread(void *arg)
{
	char *text = arg, *line = text + LINE_MAX;
	u64 seq = log_first_seq();

	for (;;) {
		struct log_record r;
		s64 until = TIME_NEVER;
		ssize_t n = log_read(&seq, &r, text, LINE_MAX);

		if (n >= 0) {
			u32 len = make_line(&r, text, MIN((u32)n, LINE_MAX), line);

			if (!len || !send_line(line, len)) {
				seq++;
				continue;
			}
			until = time_now() + TRY_AGAIN;
		}
		(void)wait_event_interruptible_timeout(
			&wait, until == TIME_NEVER && log_next_seq() > seq, until);
	}
}

/* See sntp.h. */
void netconsole_start(void)
{
	const char *word = bootargs_get("netconsole");
	struct netdev *d;
	char *buf;

	if (!word)
		return;
	if (netconsole_param_parse(word, &param)) {
		log_err("netconsole=%s: not understood", word);
		return;
	}
	d = param.dev[0] ? netdev_by_name(param.dev) : NULL;
	if (d) {
		mutex_lock(&net_config_lock);
		(void)netdev_set_flags(d, IFF_UP, IFF_UP);
		mutex_unlock(&net_config_lock);
	}
	buf = kmalloc(2 * LINE_MAX, 0);
	if (!buf || thread_create("netconsole", netconsole_thread, buf, NULL)) {
		kfree(buf);
		log_err("netconsole=: there is not enough memory");
		return;
	}
	told_before = log_notify;
	log_notify = log_grew;
}
