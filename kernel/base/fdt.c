/*
 * The device tree, read with libfdt.
 *
 * libfdt finds a parent by walking the whole tree, which every "reg" and "interrupts" needs; so one
 * pass at boot notes each node's offset and parent, in ascending offsets, and memory banks on the
 * way. Addresses are translated up through the parents' "ranges".
 *
 * The blob stays where the boot loader put it, in the linear map, and is only read, but for seeds,
 * which are erased. It comes from outside: every length is checked. Boot only (see fdt.h), so
 * nothing is locked.
 *
 * Reference: Devicetree Specification v0.3.
 */
#include <libfdt.h>
#include <linux/errno.h>
#include <arch/memlayout.h>
#include "kernel/base/fdt.h"
#include "kernel/base/irq.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/lib/string.h"

#define NODES_MAX 512
#define MEMORY_NODES_MAX 16
#define DEPTH_MAX 16

static const void *blob; /* I */
/* I: ascending offsets */
static struct {
	int off;
	int parent;
} nodes[NODES_MAX];
static u32 nnodes; /* I */
static int memory_nodes[MEMORY_NODES_MAX]; /* I */
static u32 nmemory; /* I */

static void note_memory(int node)
{
	int len;
	const char *type = fdt_getprop(blob, node, "device_type", &len);

	if (type && len == 7 && memcmp(type, "memory", 7) == 0 && nmemory < MEMORY_NODES_MAX)
		memory_nodes[nmemory++] = node;
}

static void scan_nodes(void)
{
	int above[DEPTH_MAX + 1] = { 0 };
	int depth = 0;

	above[0] = -1;
	for (int n = 0; n >= 0; n = fdt_next_node(blob, n, &depth)) {
		if (depth < 0 || depth >= DEPTH_MAX)
			continue;
		if (nnodes == NODES_MAX) {
			log_warn("device tree: more than %d nodes, the rest is not looked at",
				 NODES_MAX);
			break;
		}
		nodes[nnodes].off = n;
		nodes[nnodes++].parent = above[depth];
		above[depth + 1] = n;
		if (depth == 1)
			note_memory(n);
	}
}

/* See fdt.h. ctx: boot. */
void fdt_init(paddr_t pa)
{
	blob = pa_to_va(pa);
	if (fdt_check_header(blob))
		panic_plain("no device tree at %#lx: nothing is known about this machine", pa);
	scan_nodes();
}

/* The blob itself, for /sys/firmware/fdt. ctx: any. */
const void *fdt_blob(void)
{
	return blob;
}

/* Its size in bytes. ctx: any. */
size_t fdt_blob_size(void)
{
	return fdt_totalsize(blob);
}

/* See fdt.h. ctx: boot. */
int fdt_parent(int node)
{
	u32 low = 0, high = nnodes;

	while (low < high) {
		u32 mid = (low + high) / 2;

		if (nodes[mid].off == node)
			return nodes[mid].parent;
		if (nodes[mid].off < node)
			low = mid + 1;
		else
			high = mid;
	}
	return fdt_parent_offset(blob, node);
}

/* See fdt.h. ctx: boot. */
int fdt_by_phandle(u32 phandle)
{
	return fdt_node_offset_by_phandle(blob, phandle);
}

/* @cells 32-bit big-endian words at @p as one number; more than two keep the low 64 bits. */
static u64 read_cells(const fdt32_t *p, u32 cells)
{
	u64 v = 0;

	for (; cells; cells--)
		v = v << 32 | fdt32_to_cpu(*p++);
	return v;
}

static void node_cells(int node, u32 *addr, u32 *size)
{
	*addr = fdt_prop_u32(node, "#address-cells", 2);
	*size = fdt_prop_u32(node, "#size-cells", 1);
}

/* Translate @a, an address on the bus below @bus, to the bus above it. */
static int translate_step(int bus, u64 *a)
{
	u32 na, ns, pa, ps, entry;
	int len;
	const fdt32_t *r = fdt_getprop(blob, bus, "ranges", &len);

	if (!r)
		return -ENOENT; /* not visible from above */
	if (len == 0)
		return 0;
	node_cells(bus, &na, &ns);
	node_cells(fdt_parent(bus), &pa, &ps);
	entry = na + pa + ns;
	if (na > 4 || pa > 4 || ns > 4 || entry == 0)
		return -ENOENT;
	for (u32 n = (u32)len / 4 / entry; n; n--, r += entry) {
		u64 from = read_cells(r, na), size = read_cells(r + na + pa, ns);

		if (*a >= from && *a - from < size) {
			*a = *a - from + read_cells(r + na, pa);
			return 0;
		}
	}
	return -ENOENT;
}

/* See fdt.h. ctx: boot. */
int fdt_node_reg(int node, u32 index, paddr_t *base, u64 *size)
{
	int parent = fdt_parent(node);
	u32 na, ns;
	int len;
	const fdt32_t *r = fdt_getprop(blob, node, "reg", &len);
	u64 a;

	if (parent < 0 || !r)
		return -ENOENT;
	node_cells(parent, &na, &ns);
	if (na > 4 || ns > 4 || na + ns == 0 || index >= (u32)len / 4 / (na + ns))
		return -ENOENT;
	r += index * (na + ns);
	a = read_cells(r, na);
	for (int bus = parent; bus > 0; bus = fdt_parent(bus))
		if (translate_step(bus, &a))
			return -ENOENT;
	*base = a;
	*size = read_cells(r + na, ns);
	return 0;
}

/* See fdt.h. ctx: boot. */
int fdt_node_irq(int node, u32 index, u32 *irq, u32 *flags)
{
	int len;
	const fdt32_t *p = fdt_getprop(blob, node, "interrupts", &len);
	u32 cells[3];

	if (!p || index >= (u32)len / 12)
		return -ENOENT;
	for (u32 i = 0; i < 3; i++)
		cells[i] = fdt32_to_cpu(p[index * 3 + i]);
	return irq_from_fdt(cells, irq, flags) ? -ENOENT : 0;
}

/* See fdt.h. ctx: boot. */
int fdt_find_compatible(int after, const char *compatible)
{
	return fdt_node_offset_by_compatible(blob, after, compatible);
}

/* See fdt.h. ctx: boot. */
bool fdt_node_is(int node, const char *compatible)
{
	return fdt_node_check_compatible(blob, node, compatible) == 0;
}

/* See fdt.h. ctx: boot thread. */
const char *fdt_node_name(int node)
{
	const char *name = fdt_get_name(blob, node, NULL);

	return name ? name : "";
}

/* See fdt.h. ctx: boot. */
const void *fdt_prop(int node, const char *name, int *len)
{
	return fdt_getprop(blob, node, name, len);
}

/* See fdt.h. The token, the length and the name go too: nothing is left to find. ctx: boot. */
void fdt_prop_erase(const void *value, int len)
{
	fdt32_t *word = (fdt32_t *)value;

	for (int i = -3; i < (len + 3) / 4; i++)
		word[i] = cpu_to_fdt32(FDT_NOP);
}

/* See fdt.h. ctx: boot. */
u32 fdt_prop_u32(int node, const char *name, u32 missing)
{
	int len;
	const fdt32_t *p = fdt_getprop(blob, node, name, &len);

	return p && len >= 4 ? fdt32_to_cpu(*p) : missing;
}

/* See fdt.h. ctx: boot. */
bool fdt_node_enabled(int node)
{
	int len;
	const char *s = fdt_getprop(blob, node, "status", &len);

	return !s || (len > 0 &&
		      (strncmp(s, "okay", (size_t)len) == 0 || strncmp(s, "ok", (size_t)len) == 0));
}

/* The /chosen node, or < 0. ctx: boot. */
int fdt_chosen(void)
{
	return fdt_path_offset(blob, "/chosen");
}

/* See fdt.h. ctx: boot. */
int fdt_stdout(void)
{
	int len;
	const char *path = fdt_getprop(blob, fdt_chosen(), "stdout-path", &len);

	if (!path || len < 2)
		return -ENOENT;
	return fdt_path_offset_namelen(blob, path, (int)strcspn(path, ":"));
}

/* See fdt.h. ctx: boot. */
int fdt_memory(u32 index, paddr_t *base, u64 *size)
{
	for (u32 i = 0; i < nmemory; i++)
		for (u32 k = 0; fdt_node_reg(memory_nodes[i], k, base, size) == 0; k++)
			if (index-- == 0)
				return 0;
	return -ENOENT;
}

static int reserved_memory_node(u32 index, paddr_t *base, u64 *size)
{
	int top = fdt_path_offset(blob, "/reserved-memory");
	int n;

	if (top < 0)
		return -ENOENT;
	fdt_for_each_subnode(n, blob, top) for (u32 k = 0; fdt_node_reg(n, k, base, size) == 0;
						k++) if (index-- == 0) return 0;
	return -ENOENT;
}

/* See fdt.h. ctx: boot. */
int fdt_reserved(u32 index, paddr_t *base, u64 *size)
{
	u32 n = (u32)MAX(fdt_num_mem_rsv(blob), 0);
	u64 a, s;

	if (index >= n)
		return reserved_memory_node(index - n, base, size);
	if (fdt_get_mem_rsv(blob, (int)index, &a, &s))
		return -ENOENT;
	*base = a;
	*size = s;
	return 0;
}

/* A property of one or two cells. */
static int prop_address(int node, const char *name, u64 *out)
{
	int len;
	const fdt32_t *p = fdt_getprop(blob, node, name, &len);

	if (!p || (len != 4 && len != 8))
		return -ENOENT;
	*out = read_cells(p, (u32)len / 4);
	return 0;
}

/* See fdt.h. ctx: boot. */
int fdt_initrd(paddr_t *base, u64 *size)
{
	int chosen = fdt_chosen();
	u64 start, end;

	if (prop_address(chosen, "linux,initrd-start", &start) ||
	    prop_address(chosen, "linux,initrd-end", &end) || end <= start)
		return -ENOENT;
	*base = start;
	*size = end - start;
	return 0;
}

/* Position of @name in the string list @list, -1 when it is not there. */
static int list_index(const char *list, int len, const char *name)
{
	int index = 0;

	while (len > 0) {
		size_t n = strnlen(list, (size_t)len);

		if (n < (size_t)len && strcmp(list, name) == 0)
			return index;
		list += n + 1;
		len -= (int)n + 1;
		index++;
	}
	return -1;
}

/* The driver that names the most special of the node's compatible strings. */
static const struct fdt_driver *find_driver(int node, const struct fdt_driver *d,
					    const struct fdt_driver *end)
{
	const struct fdt_driver *best = NULL;
	int best_index = -1;
	int len;
	const char *list = fdt_getprop(blob, node, "compatible", &len);

	for (; list && d < end; d++) {
		int i = list_index(list, len, d->compatible);

		if (i >= 0 && (!best || i < best_index)) {
			best = d;
			best_index = i;
		}
	}
	return best;
}

static void probe_table(const struct fdt_driver *begin, const struct fdt_driver *end)
{
	for (u32 i = 0; i < nnodes; i++) {
		const struct fdt_driver *d = find_driver(nodes[i].off, begin, end);
		int err;

		if (!d || !fdt_node_enabled(nodes[i].off))
			continue;
		err = d->probe(nodes[i].off);
		if (err)
			log_err("%s: %s: error %d", d->name, fdt_get_name(blob, nodes[i].off, NULL),
				err);
	}
}

/* See fdt.h. ctx: boot thread. */
void fdt_probe_drivers(void)
{
	probe_table(__table_fdt_driver_begin, __table_fdt_driver_end);
}

/* See fdt.h. ctx: boot thread. */
void fdt_probe_irqchips(void)
{
	probe_table(__table_irqchip_begin, __table_irqchip_end);
}
