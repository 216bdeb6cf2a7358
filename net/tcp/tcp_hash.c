/*
 * What must not be guessed from outside: initial sequence numbers (RFC 6528), the offsets of
 * timestamps, the order in which ports are tried (RFC 6056, algorithm 3), cookies. All come from
 * SipHash-2-4 under one secret of 128 bits, made at boot; @which keeps the uses apart.
 */
#include "kernel/base/rand.h"
#include "net/tcp/tcp_pcb.h"

static u64 secret[2]; /* I after boot */

/* See tcp_pcb.h. ctx: boot */
void tcp_secrets_init(void)
{
	rand_bytes(secret, sizeof(secret));
}

static inline u64 rol(u64 v, u32 n)
{
	return v << n | v >> (64 - n);
}

static void rounds(u64 v[4], u32 n)
{
	while (n--) {
		v[0] += v[1];
		v[1] = rol(v[1], 13) ^ v[0];
		v[0] = rol(v[0], 32);
		v[2] += v[3];
		v[3] = rol(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rol(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rol(v[1], 17) ^ v[2];
		v[2] = rol(v[2], 32);
	}
}

/* SipHash-2-4 of @n words, an even number, and @which under @key. ctx: any */
u64 tcp_siphash_key(const u64 key[2], const u32 *words, u32 n, u32 which)
{
	u64 v[4] = { key[0] ^ 0x736f6d6570736575ULL, key[1] ^ 0x646f72616e646f6dULL,
		     key[0] ^ 0x6c7967656e657261ULL, key[1] ^ 0x7465646279746573ULL };

	for (u32 i = 0; i <= n; i += 2) {
		u64 m = i < n ? (u64)words[i + 1] << 32 | words[i] : (u64)n << 58 | which;

		v[3] ^= m;
		rounds(v, 2);
		v[0] ^= m;
	}
	v[2] ^= 0xff;
	rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* See tcp_pcb.h: under the secret. ctx: any */
u64 tcp_siphash(const u32 *words, u32 n, u32 which)
{
	return tcp_siphash_key(secret, words, n, which);
}

/* See tcp_pcb.h. A clock of 64 ns per step, moved by a secret of the four-tuple. ctx: any */
u32 tcp_isn(be32 laddr, be16 lport, be32 raddr, be16 rport)
{
	u32 w[4] = { laddr, raddr, (u32)lport << 16 | rport, 0 };

	return (u32)tcp_siphash(w, 4, 1) + (u32)((u64)time_now() >> 6);
}

/*
 * See tcp_pcb.h. The same for all connections of two hosts: TIME_WAIT is told from by it. ctx: any
 */
u32 tcp_ts_offset(be32 laddr, be32 raddr)
{
	u32 w[2] = { laddr, raddr };

	return (u32)tcp_siphash(w, 2, 2);
}

/* See tcp_pcb.h. ctx: any */
u32 tcp_port_offset(be32 laddr, be32 raddr, be16 rport)
{
	u32 w[4] = { laddr, raddr, rport, 0 };

	return (u32)tcp_siphash(w, 4, 3);
}
