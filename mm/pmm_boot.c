/*
 * Where memory is: banks of the device tree (capped by mem=), minus what is taken already: the
 * kernel image, the device tree, the initrd, firmware's reservations. What is left is a sorted
 * array of free ranges.
 *
 * Until the frame allocator runs, pmm_early_alloc cuts pieces off the lowest range that fits.
 * pmm_init then cuts off the page array and gives each range to the allocator as maximal blocks:
 * only the heads of blocks are written, so the cost goes with the number of blocks of 4 MiB, not of
 * frames. All other struct pages stay zero. The frames of the kernel image are marked PAGE_RESERVED
 * with a reference that nobody drops, because some of them (vDSO) get mapped into programs.
 *
 * The array spans the first to the last bank; frames in holes between have a struct page that
 * nobody looks at. A bank so far away that the array would waste an eighth of memory is left out.
 * Locking: none, this runs on the boot CPU alone; pmm_free_range goes through the allocator's lock.
 */
#include <arch/pmap.h>
#include "kernel/base/bootargs.h"
#include "kernel/base/fdt.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/lib/string.h"
#include "mm/mm_debug.h"
#include "mm/pmm_internal.h"

#define RANGES_MAX 64

struct range {
	paddr_t start, end;
};

struct ranges {
	u32 count;
	struct range r[RANGES_MAX];
};

extern const char _start[], _end[]; /* the kernel image: kernel.ld */

static struct ranges banks; /* I after pmm_early_init: page aligned, ascending */
static struct ranges avail; /* until pmm_init: free memory, ascending */
static bool allocator_runs;

static void ranges_insert(struct ranges *rs, u32 at, paddr_t start, paddr_t end)
{
	if (rs->count == RANGES_MAX)
		panic_plain("the device tree has more than %u memory ranges", RANGES_MAX);
	memmove(&rs->r[at + 1], &rs->r[at], (rs->count - at) * sizeof(rs->r[0]));
	rs->r[at] = (struct range){ start, end };
	rs->count++;
}

static void ranges_delete(struct ranges *rs, u32 at)
{
	rs->count--;
	memmove(&rs->r[at], &rs->r[at + 1], (rs->count - at) * sizeof(rs->r[0]));
}

static void ranges_add(struct ranges *rs, paddr_t start, paddr_t end)
{
	u32 i = 0;

	while (i < rs->count && rs->r[i].start < start)
		i++;
	if (start < end)
		ranges_insert(rs, i, start, end);
}

/* Take [start, end), widened to whole frames, out of @rs. */
static void ranges_remove(struct ranges *rs, paddr_t start, paddr_t end)
{
	start = ALIGN_DOWN(start, PAGE_SIZE);
	end = ALIGN_UP(end, PAGE_SIZE);
	for (u32 i = 0; i < rs->count;) {
		struct range *r = &rs->r[i];
		struct range old = *r;

		if (end <= old.start || start >= old.end) {
			i++;
			continue;
		}
		if (start <= old.start && end >= old.end) {
			ranges_delete(rs, i);
			continue;
		}
		if (start > old.start) {
			r->end = start;
			i++;
		}
		if (end < old.end) {
			if (start > old.start)
				ranges_insert(rs, i, end, old.end);
			else
				r->start = end;
			i++;
		}
	}
}

/* The banks, at most @cap bytes in all. Returns how many bytes. */
static u64 banks_read(u64 cap)
{
	paddr_t base;
	u64 size, total = 0;

	for (u32 i = 0; fdt_memory(i, &base, &size) == 0; i++) {
		paddr_t start = ALIGN_UP(base, PAGE_SIZE), end = ALIGN_DOWN(base + size, PAGE_SIZE);

		end = MIN(end, LINEAR_SIZE);
		if (end < base || start >= end)
			continue;
		ranges_add(&banks, start, end);
	}
	for (u32 i = 0; i < banks.count; i++) {
		struct range *r = &banks.r[i];
		u64 span;

		size = MIN(r->end - r->start, cap - total);
		span = r->start + size - banks.r[0].start;
		if (!size || span / PAGE_SIZE * sizeof(struct page) > (total + size) / 8) {
			log_warn("memory at %llx is not used", (unsigned long long)r->start);
			banks.count = i;
			break;
		}
		r->end = r->start + size;
		total += size;
	}
	return total;
}

BOOTARG_WORD(mem, "mem");

/*
 * Find memory and what is taken of it.
 * ctx: boot, after the device tree and the command line
 */
void pmm_early_init(void)
{
	const char *mem = bootargs_get("mem");
	u64 cap = mem ? ALIGN_DOWN(bootargs_parse_size(mem), PAGE_SIZE) : 0;
	paddr_t base;
	u64 size;

	if (!banks_read(cap ? cap : ~0ull & ~(u64)PAGE_MASK))
		panic_plain("the device tree names no usable memory");
	avail = banks;
	ranges_remove(&avail, kimage_to_pa(_start), kimage_to_pa(_end));
	if (pmap_kernel_lookup((vaddr_t)fdt_blob(), &base))
		ranges_remove(&avail, base, base + fdt_blob_size());
	if (fdt_initrd(&base, &size) == 0)
		ranges_remove(&avail, base, base + size);
	for (u32 i = 0; fdt_reserved(i, &base, &size) == 0; i++)
		ranges_remove(&avail, base, base + size);
}

static bool early_carve(u64 size, paddr_t *out)
{
	for (u32 i = 0; i < avail.count; i++) {
		struct range *r = &avail.r[i];

		if (r->end - r->start < size)
			continue;
		*out = r->start;
		r->start += size;
		if (r->start == r->end)
			ranges_delete(&avail, i);
		return true;
	}
	return false;
}

/*
 * @size bytes of zeroed, page-aligned memory that is never freed. No memory is a panic: there is no
 * machine to run on.
 * ctx: boot; the linear map must reach low memory
 */
void *pmm_early_alloc(size_t size)
{
	u64 bytes = ALIGN_UP((u64)size, PAGE_SIZE);
	u32 order = 0;
	paddr_t pa;
	void *va;

	if (allocator_runs) {
		while (((u64)PAGE_SIZE << order) < bytes)
			order++;
		va = pmm_alloc_va(order, PMM_ZERO | PMM_NOWAIT);
		if (!va)
			panic_plain("out of memory at boot");
		return va;
	}
	if (!early_carve(bytes, &pa))
		panic_plain("out of memory at boot");
	va = pa_to_va(pa);
	for (u64 off = 0; off < bytes; off += PAGE_SIZE)
		page_zero((char *)va + off);
	return va;
}

static void image_mark_reserved(void)
{
	paddr_t end = kimage_to_pa(_end);

	for (paddr_t pa = ALIGN_DOWN(kimage_to_pa(_start), PAGE_SIZE); pa < end; pa += PAGE_SIZE) {
		struct page *p = pa_to_page(pa);

		p->refs = 1;
		p->type = PAGE_RESERVED;
	}
}

/*
 * Start the frame allocator.
 * ctx: boot, the linear map exists
 */
void pmm_init(void)
{
	u64 block = 1ull << PMM_MAX_ORDER;
	u64 ram = 0;

	pmm_base_pfn = ALIGN_DOWN(banks.r[0].start >> PAGE_SHIFT, block);
	pmm_end_pfn = ALIGN_UP(banks.r[banks.count - 1].end >> PAGE_SHIFT, block);
	pmm_pages = pmm_early_alloc((pmm_end_pfn - pmm_base_pfn) * sizeof(struct page));
	for (u32 i = 0; i < banks.count; i++)
		ram += (banks.r[i].end - banks.r[i].start) >> PAGE_SHIFT;
	pmm_state_init(ram);
	kasan_frames_init();
	image_mark_reserved();
	for (u32 i = 0; i < avail.count; i++)
		pmm_insert_range(avail.r[i].start >> PAGE_SHIFT, avail.r[i].end >> PAGE_SHIFT);
	avail.count = 0;
	allocator_runs = true;
}

/*
 * Hand back memory that was reserved at boot: whole frames inside [start, end) only.
 * ctx: any
 */
void pmm_free_range(paddr_t start, paddr_t end)
{
	start = ALIGN_UP(start, PAGE_SIZE);
	end = ALIGN_DOWN(end, PAGE_SIZE);
	for (u32 i = 0; i < banks.count; i++) {
		paddr_t from = MAX(start, banks.r[i].start), to = MIN(end, banks.r[i].end);

		for (paddr_t pa = from; pa < to; pa += PAGE_SIZE) {
			struct page *p = pa_to_page(pa);

			p->refs = 0;
			p->type = PAGE_NONE;
		}
		if (from < to)
			pmm_insert_range(from >> PAGE_SHIFT, to >> PAGE_SHIFT);
	}
}

/*
 * True when @pa is memory that has a struct page.
 * ctx: any
 */
bool pa_is_ram(paddr_t pa)
{
	for (u32 i = 0; i < banks.count; i++)
		if (pa >= banks.r[i].start && pa < banks.r[i].end)
			return true;
	return false;
}
