/*
 * The first C of the boot: where the image goes, and the first kernel tables.
 *
 * head.S calls kimage_map() with the MMU on and the image and the device tree mapped at their
 * physical addresses. Everything here must therefore be position independent, and is, as all of the
 * kernel is built so: constants are reached pc-relative, and there are no pointers in initialised
 * data before relocate() has run.
 *
 * The slide is a multiple of 2 MiB within KIMAGE_SLIDE_MAX drawn from /chosen/kaslr-seed; without a
 * seed, or with the word "nokaslr" on the command line, the image runs at its link address. The
 * image is mapped by pages with final permissions: code executable and read only, constants read
 * only, data not executable. Memory appears in the linear map by 1 GiB blocks, writable and not
 * executable; pmap_init_kernel() replaces these by exact ones.
 *
 * The device tree is untrusted only in so far as a broken one must not be read beyond its end; the
 * layout is that of the Devicetree Specification, chapter 5.
 */
#include <arch/sysreg.h>
#include "arch/arm64/arch_private.h"

#define FDT_MAGIC 0xd00dfeed
#define FDT_MAX MIB(2)
enum { FDT_BEGIN_NODE = 1, FDT_END_NODE, FDT_PROP, FDT_NOP };

#define IMAGE_TABLES (2 + KIMAGE_SIZE_MAX / MIB(2)) /* up to two of level 2, and those of level 3 */

extern const s32 relocs_begin[], relocs_end[]; /* scripts/imagetables: tells the format */

u64 kimage_voffset;

pte_t kernel_root_boot[512] __aligned(PAGE_SIZE) __section(".bss.page_aligned");
static pte_t image_tables[IMAGE_TABLES][512] __aligned(PAGE_SIZE) __section(".bss.page_aligned");
static u32 image_tables_used;

enum fdt_node { NODE_OTHER, NODE_CHOSEN, NODE_MEMORY };

struct fdt_walk {
	const u8 *structs; /* current token */
	const u8 *end;
	const char *strings;
	u32 strings_size;
	u32 depth; /* open nodes: 1 in the root's properties */
	enum fdt_node node; /* the open node at depth 2 */
	u32 address_cells, size_cells;
	u64 seed;
	bool nokaslr;
};

static u32 be32(const u8 *p)
{
	return __builtin_bswap32(*(const u32 *)p);
}

static u64 be_cells(const u8 *p, u32 cells)
{
	u64 v = 0;

	while (cells--) {
		v = v << 32 | be32(p);
		p += 4;
	}
	return v;
}

static bool text_equal(const char *s, const char *what, size_t room)
{
	for (size_t i = 0; i < room; i++) {
		if (s[i] != what[i])
			return false;
		if (!s[i])
			return true;
	}
	return false;
}

static bool text_begins(const char *s, const char *prefix, size_t room)
{
	for (size_t i = 0; prefix[i]; i++) {
		if (i == room || s[i] != prefix[i])
			return false;
	}
	return true;
}

/* True when @word is one of the space-separated words of the text [@s, @s + @len). */
static bool text_has_word(const char *s, u32 len, const char *word)
{
	u32 i = 0;

	while (i < len) {
		u32 n = 0;

		while (i < len && (s[i] == ' ' || !s[i]))
			i++;
		while (i + n < len && s[i + n] && s[i + n] != ' ' && word[n] && s[i + n] == word[n])
			n++;
		if (!word[n] && (i + n == len || !s[i + n] || s[i + n] == ' '))
			return true;
		while (i < len && s[i] && s[i] != ' ')
			i++;
	}
	return false;
}

/* 1 GiB blocks of the linear map over [@base, @base + @size). */
static void map_linear(paddr_t base, u64 size)
{
	if (!size || base >= LINEAR_SIZE)
		return;
	for (u64 i = base >> L1_SHIFT;
	     i <= (base + size - 1) >> L1_SHIFT && i < LINEAR_SIZE >> L1_SHIFT; i++)
		kernel_root_boot[i] = i << L1_SHIFT | KPTE_RW;
}

static void fdt_memory_reg(const struct fdt_walk *w, const u8 *reg, u32 len)
{
	u32 cells = w->address_cells + w->size_cells;

	if (w->address_cells > 2 || w->size_cells > 2 || !cells)
		return;
	for (; len >= cells * 4; len -= cells * 4, reg += cells * 4)
		map_linear(be_cells(reg, w->address_cells),
			   be_cells(reg + w->address_cells * 4, w->size_cells));
}

static void fdt_property(struct fdt_walk *w, const char *name, size_t room, const u8 *value,
			 u32 len)
{
	if (w->depth == 1 && len == 4) {
		if (text_equal(name, "#address-cells", room))
			w->address_cells = be32(value);
		if (text_equal(name, "#size-cells", room))
			w->size_cells = be32(value);
	}
	if (w->depth != 2)
		return;
	if (w->node == NODE_MEMORY && text_equal(name, "reg", room))
		fdt_memory_reg(w, value, len);
	if (w->node == NODE_CHOSEN && text_equal(name, "kaslr-seed", room) && len >= 8)
		w->seed = be_cells(value, 2);
	if (w->node == NODE_CHOSEN && text_equal(name, "bootargs", room))
		w->nokaslr = text_has_word((const char *)value, len, "nokaslr");
}

/* One token of the structure block; false at its end or when it is broken. */
static bool fdt_step(struct fdt_walk *w)
{
	const u8 *p = w->structs;
	u32 n = 0;

	if (w->end - p < 4)
		return false;
	w->structs += 4;
	switch (be32(p)) {
	case FDT_BEGIN_NODE:
		while (p + 4 + n < w->end && p[4 + n])
			n++;
		if (++w->depth == 2)
			w->node = text_equal((const char *)p + 4, "chosen", 7)	  ? NODE_CHOSEN
				  : text_begins((const char *)p + 4, "memory", n) ? NODE_MEMORY
										  : NODE_OTHER;
		w->structs += ALIGN_UP(n + 1, 4u);
		return true;
	case FDT_END_NODE: return w->depth-- > 1;
	case FDT_PROP:
		if (w->end - p < 12)
			return false;
		n = be32(p + 4);
		if (n > (u64)(w->end - p - 12) || be32(p + 8) >= w->strings_size)
			return false;
		fdt_property(w, w->strings + be32(p + 8), w->strings_size - be32(p + 8), p + 12, n);
		w->structs += 8 + ALIGN_UP(n, 4u);
		return true;
	case FDT_NOP: return true;
	default: return false;
	}
}

/* Memory into the linear map, seed and command line into @w. */
static void fdt_scan(const u8 *fdt, struct fdt_walk *w)
{
	u32 size, structs, strings;

	if (!fdt || (u64)fdt & 7 || be32(fdt) != FDT_MAGIC)
		return;
	size = be32(fdt + 4);
	structs = be32(fdt + 8);
	strings = be32(fdt + 12);
	if (size > FDT_MAX || structs > size || structs & 3 || strings > size)
		return;
	map_linear((paddr_t)fdt, size);
	w->structs = fdt + structs;
	w->end = fdt + size;
	w->strings = (const char *)fdt + strings;
	w->strings_size = size - strings;
	while (fdt_step(w))
		;
}

/* The seed also feeds the random generator, so the slide must not show it: a one-way mix of it. */
static u64 slide_from_seed(u64 seed, u64 image_size)
{
	u64 slots = (KIMAGE_SLIDE_MAX - ALIGN_UP(image_size, MIB(2))) / MIB(2);

	for (int i = 0; i < 4; i++) {
		seed ^= seed >> 31;
		seed *= 0x9e3779b97f4a7c15ULL;
		seed ^= seed >> 29;
		seed += 0xbf58476d1ce4e5b9ULL;
	}
	return (seed >> 24) % slots * MIB(2);
}

/* Contract in arch_private.h. The guard page below the boot stack is the one hole. */
pte_t kimage_page_attr(u64 off)
{
	const u8 *p = _start + off;

	if (p < _etext)
		return KPTE_TEXT;
	if (p < _erodata)
		return KPTE_RO;
	return p == boot_stack_guard ? 0 : KPTE_RW;
}

static pte_t *image_table(pte_t *slot)
{
	if (!*slot) {
		pte_t *t = image_tables[image_tables_used++];

		*slot = (paddr_t)t | PTE_VALID | PTE_TABLE;
	}
	return (pte_t *)pte_pa(*slot);
}

static void map_image(vaddr_t va, paddr_t image, u64 size)
{
	for (u64 off = 0; off < size; off += PAGE_SIZE) {
		pte_t attr = kimage_page_attr(off);
		pte_t *l2 = image_table(&kernel_root_boot[L1_INDEX(va + off)]);
		pte_t *l3 = image_table(&l2[L2_INDEX(va + off)]);

		if (attr)
			l3[L3_INDEX(va + off)] = (image + off) | attr | PTE_TABLE;
	}
}

/* Each word that holds an address of the image has the one it was linked at. */
static void relocate(u64 slide)
{
	u64 *next = NULL;

	for (const s32 *r = relocs_begin; r < relocs_end; r++) {
		if (*r & 1) {
			u64 *p = next;

			for (u32 bits = (u32)*r >> 1; bits; bits >>= 1, p++)
				*p += bits & 1 ? slide : 0;
			next += 31;
		} else {
			next = (u64 *)((const char *)r + *r);
			*next++ += slide;
		}
	}
}

/*
 * Choose the slide, relocate the image that lies at @image, fill kernel_root_boot. @fdt: device
 * tree, physical.
 * ctx: head.S, at physical addresses. Returns kimage_voffset.
 */
u64 kimage_map(const u8 *fdt, paddr_t image)
{
	struct fdt_walk w = { .address_cells = 2, .size_cells = 1 };
	u64 size = (u64)(_end - _start);
	u64 slide = 0;

	fdt_scan(fdt, &w);
	if (w.seed && !w.nokaslr)
		slide = slide_from_seed(w.seed, size);
	map_linear(image, size);
	map_image(KIMAGE_BASE + slide, image, size);
	kasan_shadow_map_early(kernel_root_boot);
	if (slide)
		relocate(slide);
	kimage_voffset = KIMAGE_BASE + slide - image;
	return kimage_voffset;
}
