#pragma once
/*
 * Internet addresses and wire headers. Addresses and ports are kept as they are on the wire; be16
 * and be32 say so. The headers themselves are those of the UAPI (struct iphdr, udphdr, icmphdr,
 * ethhdr).
 */
#include <linux/in.h>
#include "kernel/lib/types.h"

typedef u16 be16;
typedef u32 be32;

/* Between host and network order, either way. */
static inline u16 net16(u16 v)
{
	return __builtin_bswap16(v);
}
static inline u32 net32(u32 v)
{
	return __builtin_bswap32(v);
}

#define IP_ADDR(a, b, c, d) net32((u32)(a) << 24 | (u32)(b) << 16 | (u32)(c) << 8 | (u32)(d))
#define IP_BROADCAST 0xffffffffu

/* The mask of a prefix of @len bits, 0 to 32. */
static inline be32 inet_mask(u32 len)
{
	return len ? net32(~0u << (32 - len)) : 0;
}
static inline bool inet_is_loopback(be32 a)
{
	return (net32(a) >> 24) == 127;
}
static inline bool inet_is_multicast(be32 a)
{
	return (net32(a) >> 28) == 14;
}
/* 240.0.0.0/4, the broadcast address with it: never an address of somebody. */
static inline bool inet_is_reserved(be32 a)
{
	return (net32(a) >> 28) == 15;
}

/* For sbuf_printf and log_*: "%u.%u.%u.%u" with IP_ARGS(address). */
#define IP_FMT "%u.%u.%u.%u"
#define IP_ARGS(a) (a) & 255, (a) >> 8 & 255, (a) >> 16 & 255, (a) >> 24
