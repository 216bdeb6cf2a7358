#pragma once
/* Words of the kernel command line that set up the network, taken apart. */
#include <linux/if.h>
#include <linux/if_ether.h>
#include "net/inet.h"

/* ip=: what was not given is 0 or "". */
struct ip_param {
	be32 client, server, gateway, mask;
	char host[64], dev[IFNAMSIZ];
	bool dhcp; /* else as it says */
	be32 dns[2], ntp;
};
/*
 * ip=off, ip=dhcp (on, any, both), or CLIENT:SERVER:GATEWAY:MASK:HOST:DEVICE:METHOD:DNS:DNS:NTP.
 * 0; -EINVAL: something is no address, no name, or no method. ctx: any
 */
int __must_check ip_param_parse(const char *text, struct ip_param *out);

/* netconsole=: [+][PORT]@[ADDRESS]/[DEVICE],[PORT]@ADDRESS/[MAC]. As above. */
struct netconsole_param {
	bool extended; /* '+': with the head that /dev/kmsg has */
	u16 lport, fport;
	be32 laddr, faddr; /* laddr 0: by route */
	char dev[IFNAMSIZ]; /* "": by route */
	bool has_mac;
	u8 mac[ETH_ALEN];
};
int __must_check netconsole_param_parse(const char *text, struct netconsole_param *out);

/* "a.b.c.d", whole. False: it is none. ctx: any */
bool __must_check inet_parse(const char *text, size_t len, be32 *out);
