/*
 * Random numbers.
 *
 * A ChaCha20 generator with fast key erasure: each request runs the block function on the key once;
 * half of the block becomes the next key, the other half is the answer, or the key of the blocks
 * that make up a longer answer. So a key that leaks says nothing about earlier answers, and the
 * lock is held for one block only. Of such an answer rand_u64() gives one word after the other, so
 * four calls cost one block; each word is forgotten as it is given, and all of them when a seed
 * comes.
 *
 * Seeds go in by xor with the key and another run of the block function. At boot: rng-seed and
 * kaslr-seed of the device tree, RNDR where the CPU has it, the counter. Later: virtio-rng, and the
 * timing of interrupts, which each CPU gathers for itself and requests mix in after every 64.
 *
 * The key is guarded by rand_lock (RAND); any context, no sleep.
 *
 * Reference: RFC 8439 (ChaCha20); D. J. Bernstein, "Fast-key-erasure random-number generators",
 * 2017.
 */
#include <arch/barrier.h>
#include <arch/counter.h>
#include "kernel/base/fdt.h"
#include "kernel/base/rand.h"
#include "kernel/base/rand_internal.h"
#include "kernel/base/spinlock.h"
#include "kernel/lib/string.h"

#define KEY_WORDS 8
#define BLOCK_WORDS 16
#define READY_BITS 256
#define TIMING_BATCH 64

static struct spinlock rand_lock = SPINLOCK_INIT(RANK_RAND);
static u32 key[KEY_WORDS]; /* r */
static u64 block_count; /* r */
static u64 words[KEY_WORDS / 2]; /* r: an answer, of which so many words are left: */
static u32 nwords; /* r */
static u32 entropy_bits; /* r; a for reading */
PERCPU(struct rand_timing, rand_timing);

static u32 rotl(u32 v, u32 n)
{
	return v << n | v >> (32 - n);
}

/* Inline, so that the block stays in registers. */
static __always_inline void quarter_round(u32 *x, u32 a, u32 b, u32 c, u32 d)
{
	x[a] += x[b];
	x[d] = rotl(x[d] ^ x[a], 16);
	x[c] += x[d];
	x[b] = rotl(x[b] ^ x[c], 12);
	x[a] += x[b];
	x[d] = rotl(x[d] ^ x[a], 8);
	x[c] += x[d];
	x[b] = rotl(x[b] ^ x[c], 7);
}

/* RFC 8439 2.3, with a 64-bit counter in the words of counter and first nonce. */
static void chacha_block(const u32 k[KEY_WORDS], u64 counter, u32 out[BLOCK_WORDS])
{
	u32 in[BLOCK_WORDS] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
	u32 x[BLOCK_WORDS];

	memcpy(&in[4], k, KEY_WORDS * 4);
	in[12] = (u32)counter;
	in[13] = (u32)(counter >> 32);
	memcpy(x, in, sizeof(in));
	for (int i = 0; i < 10; i++) {
		quarter_round(x, 0, 4, 8, 12);
		quarter_round(x, 1, 5, 9, 13);
		quarter_round(x, 2, 6, 10, 14);
		quarter_round(x, 3, 7, 11, 15);
		quarter_round(x, 0, 5, 10, 15);
		quarter_round(x, 1, 6, 11, 12);
		quarter_round(x, 2, 7, 8, 13);
		quarter_round(x, 3, 4, 9, 14);
	}
	for (int i = 0; i < BLOCK_WORDS; i++)
		out[i] = x[i] + in[i];
}

/* Replace the key; @answer gets the other half of the block. holds: rand_lock. */
static void step_locked(u32 answer[KEY_WORDS])
{
	u32 block[BLOCK_WORDS];

	chacha_block(key, block_count++, block);
	memcpy(key, block, sizeof(key));
	memcpy(answer, block + KEY_WORDS, sizeof(key));
}

static void add_locked(const u8 *data, size_t n)
{
	u32 in[KEY_WORDS], unused[KEY_WORDS];

	nwords = 0;
	while (n) {
		size_t k = MIN(n, sizeof(in));

		memset(in, 0, sizeof(in));
		memcpy(in, data, k);
		for (u32 i = 0; i < KEY_WORDS; i++)
			key[i] ^= in[i];
		step_locked(unused);
		data += k;
		n -= k;
	}
}

static void add_timing_locked(void)
{
	struct rand_timing *t = this_cpu_ptr(rand_timing);

	if (t->count - t->used < TIMING_BATCH)
		return;
	t->used = t->count;
	add_locked((const u8 *)&t->mix, sizeof(t->mix));
	entropy_bits = MIN(entropy_bits + 8, (u32)READY_BITS);
}

/* Mix in @n bytes that are worth @bits. ctx: any. */
void rand_add(const void *data, size_t n, u32 bits)
{
	u64 flags = spin_lock_irqsave(&rand_lock);

	add_locked(data, n);
	entropy_bits = MIN(entropy_bits + bits, (u32)READY_BITS);
	spin_unlock_irqrestore(&rand_lock, flags);
}

/* Fill @buf. ctx: any. */
void rand_bytes(void *buf, size_t n)
{
	u32 answer[KEY_WORDS], block[BLOCK_WORDS];
	u8 *p = buf;
	u64 flags = spin_lock_irqsave(&rand_lock);

	add_timing_locked();
	step_locked(answer);
	spin_unlock_irqrestore(&rand_lock, flags);
	if (n <= sizeof(answer)) {
		memcpy(p, answer, n);
	} else {
		for (u64 i = 0; n; i++) {
			size_t k = MIN(n, sizeof(block));

			chacha_block(answer, i, block);
			memcpy(p, block, k);
			p += k;
			n -= k;
		}
		memset(block, 0, sizeof(block));
	}
	memset(answer, 0, sizeof(answer));
	barrier(); /* the clearing is not dead code */
}

/* 64 random bits. ctx: any. */
u64 rand_u64(void)
{
	u64 v, flags = spin_lock_irqsave(&rand_lock);

	if (!nwords) {
		add_timing_locked();
		step_locked((u32 *)words);
		nwords = ARRAY_SIZE(words);
	}
	v = words[--nwords];
	words[nwords] = 0;
	spin_unlock_irqrestore(&rand_lock, flags);
	return v;
}

/* Seeded with 256 bits or more. ctx: any. */
bool rand_ready(void)
{
	return READ_ONCE(entropy_bits) >= READY_BITS;
}

static void add_property(const char *name)
{
	int len;
	const void *p = fdt_prop(fdt_chosen(), name, &len);

	if (!p || len <= 0)
		return;
	rand_add(p, (size_t)len, (u32)len * 8);
	fdt_prop_erase(p, len);
}

/* Seed from what the machine gives. ctx: boot. */
void rand_init(void)
{
	u64 v = arch_counter();

	rand_add(&v, sizeof(v), 0);
	add_property("rng-seed");
	add_property("kaslr-seed");
	for (u32 i = 0; i < 4; i++)
		if (arch_random(&v))
			rand_add(&v, sizeof(v), 64);
}
