/*
 * /proc/net/dns: the kernel's resolver. Reading shows its servers, counters, and what it remembers.
 * Root may write lines: "resolve NAME" asks (the write fails as the question does), "nameserver
 * ADDRESS..." sets the servers, without an address those of ip= again, "flush" forgets.
 */
#include <linux/errno.h>
#include "fs/procfs.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/bootparam.h"
#include "net/dns.h"

static int dns_show(struct sbuf *out, void *arg)
{
	be32 servers[DNS_SERVERS_MAX];
	u32 n = dns_servers(servers);
	struct dns_entry *e = kmalloc(sizeof(*e), 0);
	struct dns_stats s;

	if (!e)
		return -ENOMEM;
	dns_stats_get(&s);
	for (u32 i = 0; i < n; i++)
		sbuf_printf(out, "nameserver " IP_FMT "\n", IP_ARGS(servers[i]));
	sbuf_printf(out, "queries %u tcp %u answers %u bogus %u timeouts %u cached %u\n", s.queries,
		    s.tcp, s.answers, s.bogus, s.timeouts, s.hits);
	for (u32 i = 0; dns_entry_get(i, e); i++) {
		sbuf_printf(out, "%s %u", e->name, e->ttl);
		for (u32 k = 0; k < e->naddrs; k++)
			sbuf_printf(out, " " IP_FMT, IP_ARGS(e->addrs[k]));
		sbuf_puts(out, e->naddrs ? "\n" : " -\n");
	}
	kfree(e);
	return 0;
}

static int set_servers(const char *text)
{
	be32 servers[DNS_SERVERS_MAX] = { 0 };

	for (u32 n = 0;; n++) {
		size_t len;

		text += strspn(text, " \t\n");
		len = strcspn(text, " \t\n");
		if (!len)
			break;
		if (n == DNS_SERVERS_MAX || !inet_parse(text, len, &servers[n]))
			return -EINVAL;
		text += len;
	}
	dns_set_servers(servers);
	dns_forget();
	return 0;
}

static int resolve(const char *text)
{
	char name[DNS_NAME_MAX];
	be32 addrs[DNS_ADDRS_MAX];
	size_t len = strcspn(text, " \t\n");
	int n;

	if (len >= sizeof(name))
		return -EINVAL;
	memcpy(name, text, len);
	name[len] = '\0';
	n = dns_resolve(name, addrs, DNS_ADDRS_MAX);
	return n < 0 ? n : 0;
}

static ssize_t dns_write(const char *text, size_t n, void *arg)
{
	int err = -EINVAL;

	if (str_begins(text, "resolve "))
		err = resolve(text + 8);
	else if (str_begins(text, "nameserver"))
		err = set_servers(text + 10);
	else if (str_begins(text, "flush"))
		err = (dns_forget(), 0);
	return err ? err : (ssize_t)n;
}
PROC_FILE(net_dns, "net/dns", 0644, .show = dns_show, .write = dns_write);
