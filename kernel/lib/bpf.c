/*
 * The classic BSD packet filter machine: an accumulator A, an index register X, sixteen words of
 * memory, and jumps that only go forward, so that every program ends.
 *
 * bpf_check() is the gate: it is the only place that judges a program, and bpf_run() trusts it. A
 * load from the input may still fail, and a division by an X of 0; both end the program with 0, as
 * a packet filter says "drop". Shifts by X count modulo 32.
 *
 * "Memory that was not written": one bit per memory word and instruction, followed along the paths.
 * An instruction knows the words that every path to it has written, which is the AND of what each
 * jump brought; as jumps go forward, one pass in program order has seen them all.
 *
 * McCanne and Jacobson, "The BSD Packet Filter", 1993; linux: Documentation/networking/filter.rst.
 */
#include <linux/errno.h>
#include "kernel/lib/bpf.h"

#define XOR_X (u32)(SKF_AD_OFF + SKF_AD_ALU_XOR_X)

/* Is this load from the input one that somebody could answer? */
static bool load_known(u32 k)
{
	u32 what = k - (u32)SKF_AD_OFF;

	if (k < (u32)SKF_AD_OFF)
		return true;
	return what < SKF_AD_MAX && what % 4 == 0 && what != SKF_AD_NLATTR &&
	       what != SKF_AD_NLATTR_NEST;
}

static bool alu_known(const struct sock_filter *i)
{
	u16 op = BPF_OP(i->code);

	if (i->code == (BPF_ALU | BPF_NEG))
		return true;
	if (op > BPF_XOR || op == BPF_NEG)
		return false;
	if (BPF_SRC(i->code) == BPF_X)
		return true;
	if (op == BPF_DIV || op == BPF_MOD)
		return i->k != 0;
	return (op != BPF_LSH && op != BPF_RSH) || i->k < 32;
}

/* Is @i an instruction, with a constant that makes sense? @left: how many follow it */
static bool insn_known(const struct sock_filter *i, u32 left)
{
	switch (BPF_CLASS(i->code)) {
	case BPF_ALU: return i->code < 0x100 && alu_known(i);
	case BPF_JMP:
		if (i->code == (BPF_JMP | BPF_JA))
			return i->k < left;
		return i->code < 0x100 && BPF_OP(i->code) >= BPF_JEQ &&
		       BPF_OP(i->code) <= BPF_JSET && i->jt < left && i->jf < left;
	default: break;
	}
	switch (i->code) {
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_H | BPF_ABS:
	case BPF_LD | BPF_B | BPF_ABS: return load_known(i->k);
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX: return i->k < BPF_MEMWORDS;
	case BPF_LD | BPF_W | BPF_IND:
	case BPF_LD | BPF_H | BPF_IND:
	case BPF_LD | BPF_B | BPF_IND:
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_LDX | BPF_B | BPF_MSH:
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA: return true;
	default: return false;
	}
}

/* Does every path write a word of memory before it reads it? @unset: words not written, by insn */
static bool memory_written(const struct sock_filter *f, u32 n, u16 *unset)
{
	u16 now = 0xffff;

	for (u32 pc = 0; pc < n; pc++)
		unset[pc] = 0;
	for (u32 pc = 0; pc < n; pc++) {
		const struct sock_filter *i = &f[pc];

		now |= unset[pc];
		switch (BPF_CLASS(i->code)) {
		case BPF_ST:
		case BPF_STX: now &= (u16) ~(1u << i->k); break;
		case BPF_LD:
		case BPF_LDX:
			if (BPF_MODE(i->code) == BPF_MEM && (now & 1u << i->k))
				return false;
			break;
		case BPF_JMP:
			if (i->code == (BPF_JMP | BPF_JA)) {
				unset[pc + 1 + i->k] |= now;
			} else {
				unset[pc + 1 + i->jt] |= now;
				unset[pc + 1 + i->jf] |= now;
			}
			now = 0;
			break;
		case BPF_RET: now = 0; break;
		default: break;
		}
	}
	return true;
}

/* See bpf.h. */
int bpf_check(const struct sock_filter *f, u32 n, u16 *scratch)
{
	if (!n || n > BPF_MAXINSNS)
		return -EINVAL;
	for (u32 pc = 0; pc < n; pc++)
		if (!insn_known(&f[pc], n - pc - 1))
			return -EINVAL;
	if (BPF_CLASS(f[n - 1].code) != BPF_RET)
		return -EINVAL;
	return memory_written(f, n, scratch) ? 0 : -EINVAL;
}

/* A divisor of 0 was looked for before. */
static u32 alu(u16 op, u32 a, u32 b)
{
	switch (op) {
	case BPF_ADD: return a + b;
	case BPF_SUB: return a - b;
	case BPF_MUL: return a * b;
	case BPF_DIV: return a / b;
	case BPF_MOD: return a % b;
	case BPF_AND: return a & b;
	case BPF_OR: return a | b;
	case BPF_XOR: return a ^ b;
	case BPF_LSH: return a << (b & 31);
	case BPF_RSH: return a >> (b & 31);
	default: return -a;
	}
}

static bool jump_taken(u16 op, u32 a, u32 b)
{
	switch (op) {
	case BPF_JEQ: return a == b;
	case BPF_JGT: return a > b;
	case BPF_JGE: return a >= b;
	default: return a & b;
	}
}

static u32 load_size(u16 code)
{
	return BPF_SIZE(code) == BPF_W ? 4 : BPF_SIZE(code) == BPF_H ? 2 : 1;
}

/* What the load @i fetches, into *v; false: it is not there. */
static bool load(const struct sock_filter *i, const struct bpf_input *in, const u32 *mem, u32 x,
		 u32 *v)
{
	switch (BPF_MODE(i->code)) {
	case BPF_IMM: *v = i->k; return true;
	case BPF_MEM: *v = mem[i->k]; return true;
	case BPF_LEN: *v = in->len; return true;
	case BPF_IND: return in->load(in->data, i->k + x, load_size(i->code), v);
	case BPF_ABS: return in->load(in->data, i->k, load_size(i->code), v);
	default: /* BPF_MSH: the length of an IP header */
		if (!in->load(in->data, i->k, 1, v))
			return false;
		*v = (*v & 0xf) * 4;
		return true;
	}
}

/* See bpf.h. */
u32 bpf_run(const struct sock_filter *f, const struct bpf_input *in)
{
	u32 a = 0, x = 0, mem[BPF_MEMWORDS];

	for (;; f++) {
		u32 b = BPF_SRC(f->code) == BPF_X ? x : f->k;
		u16 op = BPF_OP(f->code);

		switch (BPF_CLASS(f->code)) {
		case BPF_LD:
			if (f->k == XOR_X && BPF_MODE(f->code) == BPF_ABS)
				a ^= x;
			else if (!load(f, in, mem, x, &a))
				return 0;
			break;
		case BPF_LDX:
			if (!load(f, in, mem, x, &x))
				return 0;
			break;
		case BPF_ST: mem[f->k] = a; break;
		case BPF_STX: mem[f->k] = x; break;
		case BPF_ALU:
			if ((op == BPF_DIV || op == BPF_MOD) && !b)
				return 0;
			a = alu(op, a, b);
			break;
		case BPF_JMP:
			if (op == BPF_JA)
				f += f->k;
			else
				f += jump_taken(op, a, b) ? f->jt : f->jf;
			break;
		case BPF_RET: return BPF_RVAL(f->code) == BPF_A ? a : f->k;
		default: /* BPF_MISC */
			if (BPF_MISCOP(f->code) == BPF_TAX)
				x = a;
			else
				a = x;
		}
	}
}
