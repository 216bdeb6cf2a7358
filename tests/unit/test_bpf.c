/* unit: kernel/lib/bpf.c */
#include <errno.h>
#include <stdlib.h>
#include "kernel/lib/bpf.h"
#include "kernel/lib/string.h"
#include "tests/unit/unit.h"

#define S(code, k) BPF_STMT(code, k)
#define J(code, k, jt, jf) BPF_JUMP(code, k, jt, jf)
#define N(a) (sizeof(a) / sizeof((a)[0]))

static const u8 packet[] = { 0x45, 0x02, 0x03, 0x04, 0xf6, 0x07 };

/* Big endian, as packets are; one ancillary value. */
static bool load(const void *data, u32 offset, u32 size, u32 *out)
{
	const u8 *p = data;

	if (offset == (u32)(SKF_AD_OFF + SKF_AD_IFINDEX)) {
		*out = 77;
		return true;
	}
	if (offset > sizeof(packet) || size > sizeof(packet) - offset)
		return false;
	*out = 0;
	while (size--)
		*out = *out << 8 | p[offset++];
	return true;
}

static u32 run(const struct sock_filter *f, u32 n)
{
	const struct bpf_input in = { load, packet, sizeof(packet) };
	u16 scratch[BPF_MAXINSNS];

	CHECK_EQ(bpf_check(f, n, scratch), 0);
	return bpf_run(f, &in);
}

static void refused(const struct sock_filter *f, u32 n)
{
	u16 *scratch = malloc(n * sizeof(u16) + 1);

	CHECK_EQ(bpf_check(f, n, scratch), -EINVAL);
	free(scratch);
}

#define RUN(...)                                           \
	({                                                 \
		struct sock_filter f_[] = { __VA_ARGS__ }; \
		run(f_, N(f_));                            \
	})
#define REFUSED(...)                                       \
	do {                                               \
		struct sock_filter f_[] = { __VA_ARGS__ }; \
		refused(f_, N(f_));                        \
	} while (0)

#define RET_A S(BPF_RET | BPF_A, 0)
#define LDI(v) S(BPF_LD | BPF_IMM, v)
#define LDXI(v) S(BPF_LDX | BPF_IMM, v)

UNIT_TEST(loads)
{
	CHECK_EQ(RUN(S(BPF_LD | BPF_W | BPF_ABS, 0), RET_A), 0x45020304);
	CHECK_EQ(RUN(S(BPF_LD | BPF_H | BPF_ABS, 4), RET_A), 0xf607);
	CHECK_EQ(RUN(S(BPF_LD | BPF_B | BPF_ABS, 5), RET_A), 7);
	CHECK_EQ(RUN(S(BPF_LD | BPF_W | BPF_ABS, 3), S(BPF_RET | BPF_K, 9)), 0);
	CHECK_EQ(RUN(LDXI(2), S(BPF_LD | BPF_H | BPF_IND, 2), RET_A), 0xf607);
	CHECK_EQ(RUN(LDXI(0xffffffff), S(BPF_LD | BPF_B | BPF_IND, 1), RET_A), 0x45);
	CHECK_EQ(RUN(LDXI(9), S(BPF_LD | BPF_B | BPF_IND, 0), S(BPF_RET | BPF_K, 9)), 0);
	CHECK_EQ(RUN(S(BPF_LD | BPF_W | BPF_LEN, 0), RET_A), 6);
	CHECK_EQ(RUN(S(BPF_LDX | BPF_W | BPF_LEN, 0), S(BPF_MISC | BPF_TXA, 0), RET_A), 6);
	CHECK_EQ(RUN(S(BPF_LDX | BPF_B | BPF_MSH, 0), S(BPF_MISC | BPF_TXA, 0), RET_A), 20);
	CHECK_EQ(RUN(S(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_IFINDEX), RET_A), 77);
	CHECK_EQ(RUN(LDI(0xff), LDXI(0x0f),
		     S(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_ALU_XOR_X), RET_A),
		 0xf0);
}

UNIT_TEST(arithmetic)
{
	static const struct {
		u16 op;
		u32 a, b, result;
	} rows[] = {
		{ BPF_ADD, 0xffffffff, 2, 1 },
		{ BPF_SUB, 1, 2, 0xffffffff },
		{ BPF_MUL, 0x10000, 0x10001, 0x10000 },
		{ BPF_DIV, 0xfffffffe, 2, 0x7fffffff },
		{ BPF_MOD, 17, 5, 2 },
		{ BPF_AND, 12, 10, 8 },
		{ BPF_OR, 12, 10, 14 },
		{ BPF_XOR, 12, 10, 6 },
		{ BPF_LSH, 3, 31, 0x80000000 },
		{ BPF_RSH, 0x80000000, 31, 1 },
	};

	for (u32 i = 0; i < N(rows); i++) {
		CHECK_EQ(RUN(LDI(rows[i].a), S(BPF_ALU | rows[i].op | BPF_K, rows[i].b), RET_A),
			 rows[i].result);
		CHECK_EQ(RUN(LDI(rows[i].a), LDXI(rows[i].b), S(BPF_ALU | rows[i].op | BPF_X, 0),
			     RET_A),
			 rows[i].result);
	}
	CHECK_EQ(RUN(LDI(5), S(BPF_ALU | BPF_NEG, 0), RET_A), (u32)-5);
	CHECK_EQ(RUN(LDI(5), LDXI(0), S(BPF_ALU | BPF_DIV | BPF_X, 0), S(BPF_RET | BPF_K, 1)), 0);
	CHECK_EQ(RUN(LDI(5), LDXI(0), S(BPF_ALU | BPF_MOD | BPF_X, 0), S(BPF_RET | BPF_K, 1)), 0);
	CHECK_EQ(RUN(LDI(5), LDXI(33), S(BPF_ALU | BPF_LSH | BPF_X, 0), RET_A), 10);
	REFUSED(S(BPF_ALU | BPF_DIV | BPF_K, 0), RET_A);
	REFUSED(S(BPF_ALU | BPF_MOD | BPF_K, 0), RET_A);
	REFUSED(S(BPF_ALU | BPF_LSH | BPF_K, 32), RET_A);
	REFUSED(S(BPF_ALU | BPF_NEG | BPF_X, 0), RET_A);
	REFUSED(S(BPF_ALU | 0xb0, 0), RET_A);
}

UNIT_TEST(jumps)
{
	static const struct {
		u16 op;
		u32 a, b;
		bool taken;
	} rows[] = {
		{ BPF_JEQ, 1, 1, true },	  { BPF_JEQ, 1, 2, false },
		{ BPF_JGT, 0x80000000, 1, true }, { BPF_JGT, 1, 1, false },
		{ BPF_JGE, 1, 1, true },	  { BPF_JGE, 0, 1, false },
		{ BPF_JSET, 6, 2, true },	  { BPF_JSET, 6, 9, false },
	};

	for (u32 i = 0; i < N(rows); i++) {
		CHECK_EQ(RUN(LDI(rows[i].a), J(BPF_JMP | rows[i].op | BPF_K, rows[i].b, 0, 1),
			     S(BPF_RET | BPF_K, 1), S(BPF_RET | BPF_K, 0)),
			 rows[i].taken);
		CHECK_EQ(RUN(LDI(rows[i].a), LDXI(rows[i].b),
			     J(BPF_JMP | rows[i].op | BPF_X, 0, 0, 1), S(BPF_RET | BPF_K, 1),
			     S(BPF_RET | BPF_K, 0)),
			 rows[i].taken);
	}
	CHECK_EQ(RUN(S(BPF_JMP | BPF_JA, 1), S(BPF_RET | BPF_K, 1), S(BPF_RET | BPF_K, 2)), 2);
	REFUSED(S(BPF_JMP | BPF_JA, 1), S(BPF_RET | BPF_K, 1));
	REFUSED(S(BPF_JMP | BPF_JA, 0xffffffff), S(BPF_RET | BPF_K, 1));
	REFUSED(J(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), S(BPF_RET | BPF_K, 1));
	REFUSED(J(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), S(BPF_RET | BPF_K, 1));
	REFUSED(J(BPF_JMP | 0x50, 0, 0, 0), S(BPF_RET | BPF_K, 1));
}

UNIT_TEST(memory)
{
	CHECK_EQ(RUN(LDI(3), S(BPF_ST, 15), LDI(0), S(BPF_LD | BPF_MEM, 15), RET_A), 3);
	CHECK_EQ(RUN(LDXI(4), S(BPF_STX, 0), LDXI(0), S(BPF_LDX | BPF_MEM, 0),
		     S(BPF_MISC | BPF_TXA, 0), RET_A),
		 4);
	REFUSED(S(BPF_LD | BPF_MEM, 0), RET_A);
	REFUSED(S(BPF_ST, 16), RET_A);
	REFUSED(S(BPF_ST, 0), S(BPF_LD | BPF_MEM, 16), RET_A);
	/* Written on one path only; on both. */
	REFUSED(J(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), S(BPF_ST, 1), S(BPF_LD | BPF_MEM, 1), RET_A);
	CHECK_EQ(RUN(J(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2), S(BPF_ST, 1), S(BPF_JMP | BPF_JA, 1),
		     S(BPF_STX, 1), S(BPF_LD | BPF_MEM, 1), RET_A),
		 0);
}

UNIT_TEST(shape)
{
	static struct sock_filter many[BPF_MAXINSNS + 1];

	CHECK_EQ(RUN(S(BPF_RET | BPF_K, 12)), 12);
	refused(many, 0);
	for (u32 i = 0; i <= BPF_MAXINSNS; i++)
		many[i] = (struct sock_filter)S(BPF_RET | BPF_K, 5);
	CHECK_EQ(run(many, BPF_MAXINSNS), 5);
	refused(many, BPF_MAXINSNS + 1);
	REFUSED(LDI(1));
	REFUSED(S(BPF_RET | BPF_X, 0));
	REFUSED(S(0xff00 | BPF_RET, 0));
	REFUSED(S(BPF_LDX | BPF_W | BPF_ABS, 0), RET_A);
	REFUSED(S(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_MAX), RET_A);
	REFUSED(S(BPF_LD | BPF_W | BPF_ABS, 0xffffffff), RET_A);
}

/* Whatever passes the check ends, and touches nothing that is not its own. */
UNIT_TEST(random_programs)
{
	static const u16 codes[] = { 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x0c,
				     0x14, 0x15, 0x16, 0x1c, 0x1d, 0x20, 0x24, 0x25, 0x28,
				     0x30, 0x34, 0x35, 0x3c, 0x40, 0x45, 0x48, 0x50, 0x60,
				     0x61, 0x6c, 0x7c, 0x80, 0x81, 0x84, 0x87, 0x9c, 0xb1 };
	const struct bpf_input in = { load, packet, sizeof(packet) };
	u32 passed = 0;

	for (u32 round = 0; round < 200000; round++) {
		u32 n = 1 + unit_random() % 8;
		struct sock_filter *f = malloc(n * sizeof(*f));
		u16 *scratch = malloc(n * sizeof(u16));

		for (u32 i = 0; i < n; i++) {
			u64 r = unit_random();

			f[i].code = r & 0x100 ? codes[(r >> 16) % N(codes)] : BPF_RET;
			f[i].k = (u32)(r & 0x200 ? r >> 60 : r >> 32);
			f[i].jt = r >> 24 & 3;
			f[i].jf = r >> 26 & 3;
		}
		if (bpf_check(f, n, scratch) == 0) {
			bpf_run(f, &in);
			passed++;
		}
		free(f);
		free(scratch);
	}
	CHECK(passed > 1000);
}
