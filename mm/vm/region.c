/*
 * Regions: the tree that says what each stretch of a user address space is.
 *
 * A region is a half-open range of page-aligned addresses with one protection and one origin
 * (anonymous, or a file from a page offset on). Regions never overlap; neighbours that mean the
 * same are merged, and an operation on part of a region splits it first (region_isolate), so that
 * every operation works on whole regions.
 *
 * Locking. The tree changes under vm->sem held for writing. A region of a page cache is also on the
 * cache's list of mappings, which truncation walks without the sem of the spaces it visits;
 * therefore start, end and pgoff of such a region change only with both the sem and the cache's
 * maps_lock held, and either suffices for reading. While a region is split or merged, truncation
 * may see a range through two regions for a moment, never through none.
 *
 * Finding room. New mappings go into the highest gap below mmap_base that fits. gap_top and gap_len
 * cut the search short: every gap between gap_top and mmap_base is smaller than gap_len, so a
 * request of at least gap_len starts at gap_top. The claim holds after a successful search for L
 * bytes at A with (A, L), stays true when gaps shrink, and is repaired by region_gap_opened()
 * raising gap_top to the top of a gap that grew.
 */
#include <arch/cpu.h>
#include "mm/vm/vm_internal.h"

static struct kmem_cache *region_cache;

/* Boot: the cache of region objects. */
void region_setup(void)
{
	region_cache = kmem_cache_create("region", sizeof(struct region), 0);
}

static bool region_ends_below(const struct rb_node *n, u64 addr)
{
	return rb_entry(n, struct region, node)->end <= addr;
}

/* First region that ends above @addr, or NULL. holds: sem; sleeps: no. */
struct region *region_find(struct vmspace *vm, vaddr_t addr)
{
	struct rb_node *n = rb_lower_bound(&vm->regions, addr, region_ends_below);

	return n ? rb_entry(n, struct region, node) : NULL;
}

/* As region_find, for other layers. holds: sem. */
struct region *vm_find(struct vmspace *vm, vaddr_t addr)
{
	return region_find(vm, addr);
}

/* The region after @r, or NULL. holds: sem. */
struct region *vm_next(struct region *r)
{
	struct rb_node *n = rb_next(&r->node);

	return n ? rb_entry(n, struct region, node) : NULL;
}

/* The region before @r, or NULL. holds: sem. */
struct region *region_prev(struct region *r)
{
	struct rb_node *n = rb_prev(&r->node);

	return n ? rb_entry(n, struct region, node) : NULL;
}

/* Last region that starts below @addr, or NULL. holds: sem. */
struct region *region_before(struct vmspace *vm, vaddr_t addr)
{
	struct rb_node *n = vm->regions.node;
	struct region *best = NULL;

	while (n) {
		struct region *r = rb_entry(n, struct region, node);

		if (r->start < addr) {
			best = r;
			n = n->right;
		} else {
			n = n->left;
		}
	}
	return best;
}

/* True when any region touches [@start, @end). holds: sem. */
bool region_overlaps(struct vmspace *vm, vaddr_t start, vaddr_t end)
{
	struct region *r = region_find(vm, start);

	return r && r->start < end;
}

/*
 * A region object that is a copy of @proto, on no list, holding a file reference of its own.
 * ctx: thread; sleeps. NULL: no memory.
 */
struct region *region_alloc(const struct region *proto)
{
	struct region *r = kmem_cache_alloc(region_cache, 0);

	if (!r)
		return NULL;
	*r = *proto;
	rb_clear(&r->node);
	list_init(&r->object_link);
	if (r->file)
		r->file->ops->get(r->file);
	return r;
}

/* Drop @r, which is in no tree, and its file reference. ctx: thread, no spinlock. */
void region_free(struct region *r)
{
	if (r->file)
		r->file->ops->put(r->file);
	kmem_cache_free(region_cache, r);
}

/* Add (@sign 1) or take away (-1) the pages of @r in the totals of @vm. holds: sem for writing. */
void region_count(struct vmspace *vm, const struct region *r, s64 sign)
{
	u64 n = (u64)(sign * (s64)region_pages(r));

	vm->total_pages += n;
	if (r->flags & VM_LOCKED)
		vm->locked_pages += n;
	if (r->flags & (VM_GROWSDOWN | VM_STACK))
		vm->stack_pages += n;
	else if (region_private_writable(r->prot, r->flags))
		vm->data_pages += n;
	else if ((r->prot & PROT_X) && r->file)
		vm->exec_pages += n;
}

static bool region_less(const struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct region, node)->start < rb_entry(b, struct region, node)->start;
}

/*
 * Put @r into its address space, the totals, and its cache's list of mappings: right behind
 * @fork_parent's entry when given, because truncation walks the list in order and must meet the
 * parent first (see fork.c).
 * holds: sem for writing; sleeps: no.
 */
void region_link(struct region *r, struct region *fork_parent)
{
	struct vmspace *vm = r->vm;

	rb_insert(&vm->regions, &r->node, region_less);
	vm->nregions++;
	region_count(vm, r, 1);
	if (!r->cache)
		return;
	spin_lock(&r->cache->maps_lock);
	if (fork_parent)
		list_add(&fork_parent->object_link, &r->object_link);
	else
		list_add_tail(&r->cache->maps, &r->object_link);
	spin_unlock(&r->cache->maps_lock);
}

/* Undo region_link. The caller frees @r. holds: sem for writing; sleeps: no. */
void region_unlink(struct region *r)
{
	struct vmspace *vm = r->vm;

	rb_erase(&vm->regions, &r->node);
	vm->nregions--;
	region_count(vm, r, -1);
	if (vm->cached == r)
		vm->cached = NULL;
	if (!r->cache)
		return;
	spin_lock(&r->cache->maps_lock);
	list_del(&r->object_link);
	spin_unlock(&r->cache->maps_lock);
}

/*
 * Move the edges of @r, which keeps its place in the order; the file offset follows the start.
 * holds: sem for writing; sleeps: no.
 */
void region_set_bounds(struct region *r, vaddr_t start, vaddr_t end)
{
	region_count(r->vm, r, -1);
	if (r->cache)
		spin_lock(&r->cache->maps_lock);
	if (r->file)
		r->pgoff += (u64)((s64)(start - r->start) >> PAGE_SHIFT);
	r->start = start;
	r->end = end;
	if (r->cache)
		spin_unlock(&r->cache->maps_lock);
	region_count(r->vm, r, 1);
}

/* Change VM_* flags with the totals kept right. holds: sem for writing. */
void region_set_flags(struct region *r, u32 set, u32 clear)
{
	region_count(r->vm, r, -1);
	r->flags = (r->flags & ~clear) | set;
	region_count(r->vm, r, 1);
}

/* True when @b may follow @a in one region. */
static bool region_joins(const struct region *a, const struct region *b)
{
	const u32 never = VM_DEVICE | VM_DONTEXPAND | VM_VDSO;

	if (a->end != b->start || a->prot != b->prot || a->max_prot != b->max_prot)
		return false;
	if (((a->flags ^ b->flags) & ~VM_MERGE_IGNORE) || (a->flags & never))
		return false;
	if (a->file != b->file || a->name != b->name || a->policy_nodes != b->policy_nodes)
		return false;
	return !a->file || a->pgoff + region_pages(a) == b->pgoff;
}

/*
 * Grow a neighbour of the range that @proto describes over it, when one means the same. True: done,
 * no region of its own is needed. holds: sem for writing; the range is free; sleeps: no.
 */
bool region_absorb(struct vmspace *vm, const struct region *proto)
{
	struct region *prev = region_before(vm, proto->start);
	struct region *next = prev ? vm_next(prev) : region_find(vm, proto->end);

	if (prev && region_joins(prev, proto)) {
		region_set_bounds(prev, prev->start, proto->end);
		region_merge(prev);
		return true;
	}
	if (next && region_joins(proto, next)) {
		region_set_bounds(next, proto->start, next->end);
		return true;
	}
	return false;
}

static void region_merge_pair(struct region *a, struct region *b)
{
	vaddr_t end = b->end;

	/*
	 * Grow @a first: truncation may see the range through both for a moment, but never through
	 * neither.
	 */
	a->flags |= b->flags & VM_MERGE_IGNORE;
	region_set_bounds(a, a->start, end);
	region_unlink(b);
	region_free(b);
}

/*
 * Merge @r with the neighbours that mean the same. Returns the region that now covers @r's range.
 * holds: sem for writing.
 */
struct region *region_merge(struct region *r)
{
	struct region *prev = region_prev(r), *next = vm_next(r);

	if (next && region_joins(r, next))
		region_merge_pair(r, next);
	if (prev && region_joins(prev, r)) {
		region_merge_pair(prev, r);
		r = prev;
	}
	return r;
}

/* Make [r->start, @at) and [@at, r->end) two regions; @r keeps the lower one. */
static int __must_check region_split(struct region *r, vaddr_t at)
{
	struct region *hi;

	hi = region_alloc(r);
	if (!hi)
		return -ENOMEM;
	hi->start = at;
	if (hi->file)
		hi->pgoff = region_index(r, at);
	/*
	 * The list order of one cache does not matter between halves. Upper half first: for a
	 * moment truncation finds the upper range through both, which clears what is there once.
	 */
	region_link(hi, NULL);
	region_set_bounds(r, r->start, at);
	return 0;
}

/*
 * Split what crosses @start or @end, so that the regions in [@start, @end) lie wholly inside. With
 * @leaving these go right away: the limit on their number counts only when one becomes two.
 * holds: sem for writing; sleeps. 0, or -ENOMEM (no memory, or too many regions); what was split
 * stays split.
 */
int region_isolate(struct vmspace *vm, vaddr_t start, vaddr_t end, bool leaving)
{
	struct region *r = region_find(vm, start);
	int err;

	if (r && r->start < start) {
		if ((!leaving || r->end > end) && vm->nregions >= (u32)vm_max_map_count)
			return -ENOMEM;
		err = region_split(r, start);
		if (err)
			return err;
	}
	r = region_find(vm, end - 1);
	if (r && r->start < end && r->end > end) {
		if (!leaving && vm->nregions >= (u32)vm_max_map_count)
			return -ENOMEM;
		return region_split(r, end);
	}
	return 0;
}

/* Lowest address that @r claims: a stack keeps a gap below itself. */
vaddr_t region_low(const struct region *r)
{
	if (!(r->flags & VM_GROWSDOWN))
		return r->start;
	return r->start > STACK_GUARD_GAP ? r->start - STACK_GUARD_GAP : 0;
}

static bool gap_below(struct vmspace *vm, vaddr_t top, u64 len, vaddr_t *out)
{
	vaddr_t hi = top, floor = (vaddr_t)vm_mmap_min_addr;
	struct region *r = hi ? region_find(vm, hi - 1) : NULL;
	struct region *p;

	if (r && region_low(r) < hi)
		hi = region_low(r);
	if (r) {
		p = region_prev(r);
	} else {
		struct rb_node *last = rb_last(&vm->regions);

		p = last ? rb_entry(last, struct region, node) : NULL;
	}
	for (;;) {
		vaddr_t lo = p ? p->end : floor;

		if (lo < floor)
			lo = floor;
		if (hi >= lo && hi - lo >= len) {
			*out = hi - len;
			return true;
		}
		if (!p)
			return false;
		if (region_low(p) < hi)
			hi = region_low(p);
		p = region_prev(p);
	}
}

/* Lowest gap from @lo up. */
static bool gap_above(struct vmspace *vm, vaddr_t lo, u64 len, vaddr_t *out)
{
	struct region *r = region_find(vm, lo);

	for (; r; r = vm_next(r)) {
		if (region_low(r) > lo && region_low(r) - lo >= len)
			break;
		if (r->end > lo)
			lo = r->end;
	}
	if (USER_TOP - lo < len)
		return false;
	*out = lo;
	return true;
}

/*
 * Room for @len bytes: the highest below mmap_base, else the lowest above a quarter of the space;
 * in the old layout the lowest above mmap_base.
 * holds: sem for writing; sleeps: no. 0 or -ENOMEM.
 */
int region_find_gap(struct vmspace *vm, u64 len, vaddr_t *out)
{
	bool hinted = vm->gap_top && len >= vm->gap_len;

	if (unlikely(vm->bottom_up))
		return gap_above(vm, vm->mmap_base, len, out) ? 0 : -ENOMEM;
	if (gap_below(vm, hinted ? vm->gap_top : vm->mmap_base, len, out)) {
		vm->gap_top = *out + len;
		vm->gap_len = len;
		return 0;
	}
	return gap_above(vm, USER_TOP / 4, len, out) ? 0 : -ENOMEM;
}

/* [@start, @end) became free: keep the search hint true. holds: sem for writing. */
void region_gap_opened(struct vmspace *vm, vaddr_t start, vaddr_t end)
{
	struct region *next = region_find(vm, end);
	vaddr_t top = next ? next->start : vm->mmap_base;

	if (top > vm->mmap_base)
		top = vm->mmap_base;
	if (vm->gap_top && top > vm->gap_top)
		vm->gap_top = top;
}
