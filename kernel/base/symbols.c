/*
 * Symbols of the kernel image, for backtraces and /proc/kallsyms.
 *
 * The table is made from the linked image by the build (scripts/ksyms) and linked into it in a
 * second pass: function addresses as offsets from _start in ascending order, so it needs no
 * relocation, and the names. It is read in place; nothing is set up at boot and nothing is ever
 * written. Any context.
 */
#include "kernel/base/panic.h"
#include "kernel/lib/types.h"

extern const char _start[], _end[];
extern const u32 ksyms_count, ksyms_offsets[], ksyms_nameoff[];
extern const char ksyms_names[];

/*
 * Name of the function that @addr lies in and the distance from its start; NULL outside the image.
 */
const char *symbol_lookup(vaddr_t addr, u64 *offset)
{
	u32 low = 0, high = ksyms_count;
	u64 at = addr - (vaddr_t)_start;

	if (addr < (vaddr_t)_start || addr >= (vaddr_t)_end || high == 0 || at < ksyms_offsets[0])
		return NULL;
	while (high - low > 1) {
		u32 mid = (low + high) / 2;

		if (ksyms_offsets[mid] <= at)
			low = mid;
		else
			high = mid;
	}
	*offset = at - ksyms_offsets[low];
	return ksyms_names + ksyms_nameoff[low];
}

/* Symbol number @index; 0 past the end. */
vaddr_t symbol_address(u32 index, const char **name)
{
	if (index >= ksyms_count)
		return 0;
	*name = ksyms_names + ksyms_nameoff[index];
	return (vaddr_t)_start + ksyms_offsets[index];
}
