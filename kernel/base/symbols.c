/*
 * Symbols of the kernel image, for backtraces and /proc/kallsyms.
 *
 * The table is made from the linked image by the build (scripts/imagetables, which tells its
 * format) and linked into it in a second pass: the names of functions in ascending order, each with
 * the distance to the next. Blocks of KSYMS_BLOCK give offsets from _start, so that the table needs
 * no relocation; within a block one walks. It is read in place; nothing is set up at boot and
 * nothing is ever written. Any context.
 *
 * Names share many parts, so bytes that no name has stand for pairs of others (byte pair encoding):
 * the names take half the room.
 */
#include "kernel/base/panic.h"
#include "kernel/lib/string.h"
#include "kernel/lib/types.h"

extern const char _start[], _end[];
#define KSYMS_BLOCK 256

struct ksyms_block {
	u32 offset; /* of its first function */
	u32 name;
};
extern const u32 ksyms_count;
extern const struct ksyms_block ksyms_blocks[];
extern const u8 ksyms_names[];
extern const u8 ksyms_pairs[256][2]; /* what a byte stands for; {0, 0}: itself */

#define DEPTH 32 /* pairs within pairs: the build sees to it that there are fewer */

static void expand(const u8 *text, char *name)
{
	u8 stack[DEPTH];

	while (*text) {
		u32 n = 0;

		stack[n++] = *text++;
		while (n) {
			u8 c = stack[--n];

			if (ksyms_pairs[c][0]) {
				stack[n++] = ksyms_pairs[c][1];
				stack[n++] = ksyms_pairs[c][0];
			} else {
				*name++ = (char)c;
			}
		}
	}
	*name = 0;
}

/*
 * The function in @block that has @offset or, when that is further on, number @index; its name into
 * @out. Returns its offset from _start.
 */
static u64 walk_block(u32 block, u64 offset, u32 index, char *out)
{
	const u8 *name = ksyms_names + ksyms_blocks[block].name;
	u64 at = ksyms_blocks[block].offset;

	for (u32 i = block * KSYMS_BLOCK; i < index; i++) {
		const u8 *step = name + strlen((const char *)name) + 1;
		u64 next = at + (*step ? *step : step[1] | step[2] << 8) * 4ull;

		if (next > offset)
			break;
		at = next;
		name = step + (*step ? 1 : 3);
	}
	expand(name, out);
	return at;
}

/*
 * Name of the function that @addr lies in and the distance from its start; NULL outside the image.
 */
const char *symbol_lookup(vaddr_t addr, struct symbol *s)
{
	u32 low = 0, high = (ksyms_count + KSYMS_BLOCK - 1) / KSYMS_BLOCK;
	u64 at = addr - (vaddr_t)_start;

	if (addr < (vaddr_t)_start || addr >= (vaddr_t)_end || high == 0 ||
	    at < ksyms_blocks[0].offset)
		return NULL;
	while (high - low > 1) {
		u32 mid = (low + high) / 2;

		if (ksyms_blocks[mid].offset <= at)
			low = mid;
		else
			high = mid;
	}
	s->off = at - walk_block(low, at, MIN((low + 1) * KSYMS_BLOCK, ksyms_count) - 1, s->name);
	return s->name;
}

/* Symbol number @index; 0 past the end. */
vaddr_t symbol_address(u32 index, struct symbol *s)
{
	s->off = 0;
	return index < ksyms_count
		       ? (vaddr_t)_start + walk_block(index / KSYMS_BLOCK, ~0ull, index, s->name)
		       : 0;
}
