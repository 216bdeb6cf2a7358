/*
 * QEMU plugin that counts how often each translated block runs; scripts/profile builds and reads
 * it.
 *
 * A counter is added in line to every block when it is translated, so the guest runs at nearly full
 * speed. At the end of QEMU one line per block is written to the file given as out=FILE: address of
 * the first instruction, number of instructions, times run. One CPU: the adding is not atomic.
 *
 * The few declarations that are needed of QEMU's plugin interface, version 1, stand here, because
 * the distribution's packages do not carry its header.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PUBLIC __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
						  void (*cb)(plugin_id, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op, void *ptr,
						     uint64_t imm);
extern void qemu_plugin_register_atexit_cb(plugin_id id, void (*cb)(plugin_id, void *), void *data);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

PUBLIC int qemu_plugin_version = 1;
PUBLIC int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv);

struct block {
	struct block *next;
	uint64_t addr, insns, count;
};

#define BUCKETS (1 << 16)
static struct block *table[BUCKETS];
static const char *out_name = "profile.blocks";

/* A block that is translated again (after a TLB or code flush) goes on with its counter. */
static struct block *block_get(uint64_t addr, uint64_t insns)
{
	struct block **bucket = &table[(addr >> 2 ^ addr >> 18) % BUCKETS], *b;

	for (b = *bucket; b; b = b->next) {
		if (b->addr == addr && b->insns == insns)
			return b;
	}
	b = calloc(1, sizeof(*b));
	b->addr = addr;
	b->insns = insns;
	b->next = *bucket;
	*bucket = b;
	return b;
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	size_t insns = qemu_plugin_tb_n_insns(tb);
	struct block *b = block_get(qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0)), insns);

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_inline(tb, 0, &b->count, 1);
}

static void finish(plugin_id id, void *data)
{
	FILE *f = fopen(out_name, "w");

	(void)id;
	(void)data;
	if (!f)
		return;
	for (int i = 0; i < BUCKETS; i++) {
		for (struct block *b = table[i]; b; b = b->next)
			fprintf(f, "%" PRIx64 " %" PRIu64 " %" PRIu64 "\n", b->addr, b->insns,
				b->count);
	}
	fclose(f);
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		if (strncmp(argv[i], "out=", 4) == 0)
			out_name = argv[i] + 4;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, finish, NULL);
	return 0;
}
