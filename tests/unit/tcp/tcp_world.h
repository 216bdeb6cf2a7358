#pragma once
/*
 * A world for TCP on the host: a clock that only the test moves, a wire that delays, loses,
 * reorders and duplicates by seed, timers, memory. Two hosts, A and B, are addresses of the same
 * stack; X is a third one whose segments the test makes and reads by hand.
 */
#include "net/tcp/tcp_pcb.h"
#include "tests/unit/unit.h"

#define HOST_A IP_ADDR(10, 0, 0, 1)
#define HOST_B IP_ADDR(10, 0, 0, 2)
#define HOST_X IP_ADDR(10, 0, 0, 9)

struct world {
	s64 now;
	s64 delay, jitter; /* ns */
	u32 loss, dup, corrupt,
		early; /* per 1,000; what is early overtakes all that is on its way */
	u32 mtu;
	u32 ports; /* so many of the kernel's choice, from 32768 on */
	bool far; /* the hosts are not on a loopback */
	u32 sent, lost; /* segments */
	u32 drop_next; /* the next so many segments with data are lost */
	bool (*filter)(const u8 *tcp, u32 len); /* false: lose it */
};
extern struct world world;

void world_begin(void);
/* Everything is closed and a time passed in which all must have ended: nothing may be left. */
void world_end(void);
/* Let time pass until @done(arg), at most @limit. Whether it came. */
bool world_run(s64 limit, bool (*done)(void *arg), void *arg);
void world_sleep(s64 ns);

/* What host X hears. */
struct heard {
	u32 seq, ack, len, wnd, urg;
	u8 flags, nsack, wscale, tos;
	u16 mss, sport, dport;
	bool has_ts, sack_ok, df;
	u32 tsval, tsecr;
	struct tcp_block sack[TCP_SACKS];
	s64 at;
	u8 data[64]; /* the first bytes */
	u8 fo, cookie[16]; /* length of the option of fast open, 0: none; what is in it */
	bool exp; /* it is the experimental one */
};
/* The oldest one not read yet; false: nothing. */
bool x_hear(struct heard *h);
u32 x_count(void); /* how many wait to be read */
void x_forget(void);

struct xseg {
	u16 sport, dport; /* host order */
	u32 seq, ack;
	u8 flags, tos;
	u32 wnd, len, urg;
	const u8 *opt;
	u32 optlen;
	const void *data; /* NULL: zeroes */
};
/* A segment from X to A arrives. */
void x_say(const struct xseg *s);

struct tcp_pcb *listen_on(be32 addr, u16 port, int backlog);
struct tcp_pcb *connect_to(be32 from, be32 to, u16 port);
ssize_t put(struct tcp_pcb *p, const void *data, size_t n, u32 flags);
/* The same with a page that is lent. @n <= PAGE_SIZE */
ssize_t lend(struct tcp_pcb *p, const void *data, size_t n);
ssize_t take(struct tcp_pcb *p, void *data, size_t n, u32 flags);

/* X's end of a connection of A. */
struct xend {
	u16 sport, dport;
	u32 seq, ack; /* next of X, next expected of A */
	struct tcp_pcb *l, *p;
};
extern const u8 sack_mss[8], mss_only[4]; /* options of a SYN */
/* A segment with a window of 60,000. */
void say(const struct xend *x, u8 flags, u32 seq, u32 ack, u32 len);
/* With a time stamp, unless @tsval is 0. */
void say_at(const struct xend *x, u8 flags, u32 seq, u32 ack, u32 len, u32 tsval, u32 tsecr);
/* An option of TCP's own, which is taken and told. */
void set_option(struct tcp_pcb *p, int option, int v);
int get_option(struct tcp_pcb *p, int option);
/* An acknowledgment of @ack with options. */
void ack_with(const struct xend *x, u32 ack, const u8 *opt, u32 optlen);
/* X connects to a listener of A, with the options @opt; A accepts. */
void x_open(struct xend *x, u16 port, const u8 *opt, u32 optlen);
/* The same in a new world. */
void x_begin(struct xend *x, u16 port, const u8 *opt, u32 optlen);
/* A connects to X, which hears the SYN, @syn, and has said nothing yet: its first number is @seq. */
void x_connect(struct xend *x, u16 port, u32 seq, struct heard *syn);
/* A connects to X, whose SYN-ACK has the number @irs and the options @opt. */
void x_accept(struct xend *x, u16 port, u32 irs, const u8 *opt, u32 optlen);
/* Both are aborted; nothing may be left. */
void x_close(struct xend *x);
