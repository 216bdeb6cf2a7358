#pragma once
/*
 * The network as the command line wants it: ip= (ipconfig.c), and what became of it. See
 * bootparam.h for the forms.
 */
#include "net/dhcp.h"
#include "net/netdev.h"

/* What is known now, for /proc/net/pnp and the resolver. */
struct ipconfig {
	bool asked; /* ip= says so */
	bool by_dhcp;
	bool valid; /* there is an address, that of .lease */
	u32 took_ms; /* from the first message to the last address */
	const char *state; /* of the DHCP client */
	struct netdev *dev;
	struct dhcp_lease lease;
	u32 sent, received, refused, naks, declines; /* by the DHCP client */
};
/* ctx: thread; sleeps */
void ipconfig_get(struct ipconfig *out);
extern char
	ipconfig_host[64]; /* I after ipconfig_start(): the host name by ip= or the lease, or "" */
/*
 * Boot: the devices are there. Sets the addresses, or starts the DHCP client and waits for its
 * first lease, not long.
 */
void ipconfig_start(void);
/* Wait until there is an address by ip=, until @deadline. 0, -ETIMEDOUT, -EINTR. ctx: thread */
int ipconfig_wait(s64 deadline);
