#pragma once
/*
 * A DHCP client (RFC 2131, 2132): the state machine alone. It has no clock, no wire and no device
 * of its own; who drives it (ipconfig.c, or a test) calls it when a message came, when .deadline is
 * over, or when somebody else uses the address, and does what .ops asks for.
 */
#include "net/inet.h"

#define DHCP_CLIENT_PORT 68u
#define DHCP_SERVER_PORT 67u
#define DHCP_DNS_MAX 3u
#define DHCP_NTP_MAX 3u
#define DHCP_NAME_MAX 64u
#define DHCP_MSG_MAX 576u
#define DHCP_FOREVER 0xffffffffu

enum dhcp_state {
	DHCP_INIT, /* waits to begin (again) */
	DHCP_SELECTING,
	DHCP_REQUESTING,
	DHCP_PROBING, /* has the lease, and asks whether somebody uses the address */
	DHCP_BOUND,
	DHCP_RENEWING,
	DHCP_REBINDING,
	DHCP_REBOOTING, /* the link came back: is the lease still good here? */
};

/* What a server gave. Times in seconds from when it was asked; all checked. */
struct dhcp_lease {
	be32 addr, mask, router, server, broadcast; /* 0: not given (addr, mask, server are) */
	be32 dns[DHCP_DNS_MAX], ntp[DHCP_NTP_MAX]; /* up to the first 0 */
	u32 time, t1, t2; /* DHCP_FOREVER: no end */
	u16 mtu; /* 0: not given */
	char domain[DHCP_NAME_MAX], host[DHCP_NAME_MAX]; /* "": not given */
};

struct dhcp;
/* Called from within the functions below. */
struct dhcp_ops {
	/* @dst: IP_BROADCAST or the server's; @src 0 as long as there is no address. */
	void (*send)(struct dhcp *c, be32 src, be32 dst, const u8 *msg, u32 len);
	void (*probe)(struct dhcp *c, be32 addr); /* ask the link who has @addr; 0: no more */
	void (*bound)(struct dhcp *c); /* c->lease holds from now on, or was renewed */
	void (*lost)(struct dhcp *c); /* the address of c->lease must not be used any more */
	u32 (*random)(void);
};

/* o: all by who drives it. */
struct dhcp {
	const struct dhcp_ops *ops;
	enum dhcp_state state;
	u8 mac[6];
	bool has_addr; /* .bound was called, .lost not yet */
	u32 xid, tries;
	s64 deadline; /* call dhcp_run() then */
	s64 first; /* when the first message of the search for an address went out */
	s64 began; /* of this attempt, for the field secs */
	u16 secs; /* as DISCOVER had it, which its REQUEST repeats (RFC 2131, 4.4.1) */
	s64 asked; /* when the lease in hand was asked for: its times count from there */
	s64 defended; /* when somebody else used the address before; 0: never */
	struct dhcp_lease lease;
	u32 sent, received, refused, naks, declines; /* counters */
};

/* Begin: the first message goes out. All ctx: thread; sleeps as ops. */
void dhcp_start(struct dhcp *c, const struct dhcp_ops *ops, const u8 mac[6], s64 now);
/* The deadline is over, or perhaps not. */
void dhcp_run(struct dhcp *c, s64 now);
/* A datagram from port 67 to 68. Anything may be in it. */
void dhcp_input(struct dhcp *c, const u8 *msg, u32 len, s64 now);
/* The link came, perhaps to another net (RFC 2131, 3.7). */
void dhcp_link_up(struct dhcp *c, s64 now);
/* Somebody else on the link uses the address that is probed or held. */
void dhcp_conflict(struct dhcp *c, s64 now);
const char *dhcp_state_name(const struct dhcp *c);
