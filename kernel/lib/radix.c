/*
 * Radix tree: six bits of the key per level, leading levels left out.
 *
 * A tree of depth d holds keys below 64^d; depth 0 is the one item of key 0, held in the root
 * itself (most small files need no node). Inserting a larger key puts nodes above the root; taking
 * out the last item with a large key removes them again. Each node has a bit per slot for "used"
 * and per tag for "tagged somewhere below", so that a search skips whole subtrees with one bit
 * scan.
 *
 * Nodes move between the caller's pool and the tree and are never allocated or freed here. The
 * caller's lock guards both; any context, no sleep.
 */
#include <linux/errno.h>
#include "kernel/lib/bitmap.h"
#include "kernel/lib/radix.h"
#include "kernel/lib/string.h"

#define SLOT_MASK (RADIX_FANOUT - 1)

/* The way from the root down to the bottom node of a key. */
struct path {
	struct radix_node *node[RADIX_MAX_DEPTH];
	u32 slot[RADIX_MAX_DEPTH];
};

/* Slot of @key in a node whose bottom is @level levels below. */
static u32 slot_of(u64 key, u32 level)
{
	return (u32)(key >> (level * RADIX_BITS)) & SLOT_MASK;
}

/* True when @key fits in a tree of @depth. */
static bool key_fits(u64 key, u32 depth)
{
	return depth >= RADIX_MAX_DEPTH || key >> (depth * RADIX_BITS) == 0;
}

static u32 depth_for(u64 key)
{
	u32 depth = 0;

	while (!key_fits(key, depth))
		depth++;
	return depth;
}

/* Give @n to the pool. */
void radix_pool_put(struct radix_pool *p, struct radix_node *n)
{
	n->slot[0] = p->free;
	p->free = n;
	p->count++;
}

/* Take a node out of the pool; NULL when it is empty. */
struct radix_node *radix_pool_take(struct radix_pool *p)
{
	struct radix_node *n = p->free;

	if (n) {
		p->free = n->slot[0];
		p->count--;
	}
	return n;
}

static struct radix_node *node_new(struct radix_pool *p)
{
	struct radix_node *n = radix_pool_take(p);

	memset(n, 0, sizeof(*n));
	return n;
}

/* See radix.h. */
u32 radix_nodes_needed(const struct radix_tree *t, u64 key)
{
	u32 want = depth_for(key);
	const struct radix_node *n = t->root;
	u32 level;

	if (!t->root)
		return want;
	if (want > t->depth) /* levels above the old root, then the way down beside it */
		return want - t->depth + (want - 1);
	for (level = t->depth; level > 1; level--) {
		u32 s = slot_of(key, level - 1);

		if (!bitmap_test(&n->present, s))
			return level - 1;
		n = n->slot[s];
	}
	return 0;
}

/* Put a node above the root. */
static void grow(struct radix_tree *t, struct radix_pool *pool)
{
	struct radix_node *n = node_new(pool);

	n->slot[0] = t->root;
	n->present = 1;
	for (u32 tag = 0; tag < RADIX_TAGS; tag++)
		n->tag[tag] = t->tags >> tag & 1;
	t->root = n;
	t->depth++;
}

/* Remove nodes above that hold nothing but slot 0. */
static void shrink(struct radix_tree *t, struct radix_pool *pool)
{
	while (t->depth > 0) {
		struct radix_node *n = t->root;

		if (n->present != 1)
			break;
		t->root = n->slot[0];
		t->depth--;
		radix_pool_put(pool, n);
	}
}

/* First node of a tree that is empty or holds key 0 only. */
static void make_depth(struct radix_tree *t, u32 want, struct radix_pool *pool)
{
	if (!t->root) {
		t->depth = want;
		if (want)
			t->root = node_new(pool);
		return;
	}
	while (t->depth < want)
		grow(t, pool);
}

/* See radix.h. */
int radix_insert(struct radix_tree *t, u64 key, void *item, struct radix_pool *pool)
{
	struct radix_node *n;
	u32 s;

	if (radix_lookup(t, key))
		return -EEXIST;
	if (radix_nodes_needed(t, key) > pool->count)
		return -ENOMEM;
	make_depth(t, depth_for(key), pool);
	if (t->depth == 0) {
		t->root = item;
		return 0;
	}
	n = t->root;
	for (u32 level = t->depth - 1; level > 0; level--) {
		s = slot_of(key, level);
		if (!bitmap_test(&n->present, s)) {
			n->slot[s] = node_new(pool);
			bitmap_set(&n->present, s);
		}
		n = n->slot[s];
	}
	s = slot_of(key, 0);
	n->slot[s] = item;
	bitmap_set(&n->present, s);
	return 0;
}

/* Place of the item of @key, NULL if there is none. */
static void **find_place(const struct radix_tree *t, u64 key)
{
	struct radix_node *n = t->root;

	if (!n || !key_fits(key, t->depth))
		return NULL;
	if (t->depth == 0)
		return (void **)&t->root;
	for (u32 level = t->depth - 1; level > 0; level--) {
		n = n->slot[slot_of(key, level)];
		if (!n)
			return NULL;
	}
	n = (void *)&n->slot[slot_of(key, 0)];
	return *(void **)n ? (void **)n : NULL;
}

/* Item of @key, or NULL. */
void *radix_lookup(const struct radix_tree *t, u64 key)
{
	void **place = find_place(t, key);

	return place ? *place : NULL;
}

/* See radix.h. */
void *radix_replace(struct radix_tree *t, u64 key, void *item)
{
	void **place = find_place(t, key);
	void *old = NULL;

	if (place) {
		old = *place;
		*place = item;
	}
	return old;
}

/* Record the way to @key, which is present in a tree of depth > 0. path[0] is the bottom. */
static void find_path(const struct radix_tree *t, u64 key, struct path *p)
{
	struct radix_node *n = t->root;

	for (u32 level = t->depth; level-- > 0;) {
		p->node[level] = n;
		p->slot[level] = slot_of(key, level);
		n = n->slot[p->slot[level]];
	}
}

static void path_tag_clear(struct radix_tree *t, struct path *p, u32 tag)
{
	for (u32 level = 0; level < t->depth; level++) {
		bitmap_clear(&p->node[level]->tag[tag], p->slot[level]);
		if (p->node[level]->tag[tag])
			return;
	}
	t->tags &= ~(1u << tag);
}

/* See radix.h. */
void *radix_erase(struct radix_tree *t, u64 key, struct radix_pool *pool)
{
	void *item = radix_lookup(t, key);
	struct path p;

	if (!item)
		return NULL;
	if (t->depth == 0) {
		radix_init(t);
		return item;
	}
	find_path(t, key, &p);
	for (u32 tag = 0; tag < RADIX_TAGS; tag++)
		path_tag_clear(t, &p, tag);
	for (u32 level = 0; level < t->depth; level++) {
		struct radix_node *n = p.node[level];

		n->slot[p.slot[level]] = NULL;
		bitmap_clear(&n->present, p.slot[level]);
		if (n->present) {
			shrink(t, pool);
			return item;
		}
		radix_pool_put(pool, n);
	}
	radix_init(t);
	return item;
}

/* See radix.h. */
void radix_tag_set(struct radix_tree *t, u64 key, u32 tag)
{
	struct path p;

	if (!radix_lookup(t, key))
		return;
	t->tags |= 1u << tag;
	find_path(t, key, &p);
	for (u32 level = 0; level < t->depth; level++)
		bitmap_set(&p.node[level]->tag[tag], p.slot[level]);
}

/* See radix.h. */
void radix_tag_clear(struct radix_tree *t, u64 key, u32 tag)
{
	struct path p;

	if (!radix_tag_get(t, key, tag))
		return;
	find_path(t, key, &p);
	path_tag_clear(t, &p, tag);
}

/* True when @key is present and has @tag. */
bool radix_tag_get(const struct radix_tree *t, u64 key, u32 tag)
{
	struct path p;

	if (!radix_tagged(t, tag) || !radix_lookup(t, key))
		return false;
	if (t->depth == 0)
		return true;
	find_path(t, key, &p);
	return bitmap_test(&p.node[0]->tag[tag], p.slot[0]);
}

/* Used slots of @n, or those with @tag (RADIX_TAGS: any). */
static u64 slots(const struct radix_node *n, u32 tag)
{
	return tag < RADIX_TAGS ? n->tag[tag] : n->present;
}

/*
 * Leaf with the first item at or after *key below the root; *key gets the item's. Goes down along
 * the key as long as its slots are used; at the first that is not, takes the next used slot to the
 * right (and from there the lowest), or goes up.
 */
static struct radix_node *search(const struct radix_tree *t, u64 *key, u32 tag)
{
	struct radix_node *node[RADIX_MAX_DEPTH];
	u32 level = t->depth - 1;
	u64 k = *key;

	node[level] = t->root;
	for (;;) {
		u32 shift = level * RADIX_BITS;
		u64 right = slots(node[level], tag) & (~0ULL << slot_of(k, level));
		u32 s;

		if (!right) {
			/*
			 * Nothing more here: on to the next slot of the lowest node above that is
			 * not at its end.
			 */
			do {
				if (++level == t->depth)
					return NULL;
			} while (slot_of(k, level) == SLOT_MASK);
			shift = level * RADIX_BITS;
			k = ((k >> shift) + 1) << shift;
			if (!k)
				return NULL;
			continue;
		}
		s = bit_lowest(right);
		if (s != slot_of(k, level))
			k = (((k >> shift) & ~(u64)SLOT_MASK) | s) << shift;
		if (level == 0) {
			*key = k;
			return node[0];
		}
		node[level - 1] = node[level]->slot[s];
		level--;
	}
}

static void *next_item(const struct radix_tree *t, u64 *key, u32 tag)
{
	const struct radix_node *leaf;

	if (!t->root || !key_fits(*key, t->depth) || (tag < RADIX_TAGS && !radix_tagged(t, tag)))
		return NULL;
	if (t->depth == 0)
		return t->root;
	leaf = search(t, key, tag);
	return leaf ? leaf->slot[*key & SLOT_MASK] : NULL;
}

/* See radix.h. */
void *radix_next(const struct radix_tree *t, u64 *key)
{
	return next_item(t, key, RADIX_TAGS);
}

/* See radix.h. */
void *radix_next_tagged(const struct radix_tree *t, u64 *key, u32 tag)
{
	return next_item(t, key, tag);
}

/*
 * Items of @leaf from *@first on; *@first moves on to the next leaf. False: @last or @max was
 * reached.
 */
static bool gang_leaf(const struct radix_node *leaf, u64 *first, u64 last, u32 tag, void **items,
		      u64 *keys, u32 max, u32 *count)
{
	u64 base = *first & ~(u64)SLOT_MASK,
	    bits = slots(leaf, tag) & (~0ULL << (*first & SLOT_MASK));
	u32 n = *count;

	for (; bits; bits &= bits - 1) {
		u64 key = base | bit_lowest(bits);

		if (n == max || key > last) {
			*count = n;
			return false;
		}
		if (keys)
			keys[n] = key;
		items[n++] = leaf->slot[key & SLOT_MASK];
	}
	*count = n;
	*first = base + RADIX_FANOUT;
	return *first > base && n < max && *first <= last;
}

static u32 gang(const struct radix_tree *t, u64 first, u64 last, u32 tag, void **items, u64 *keys,
		u32 max)
{
	const struct radix_node *leaf;
	u32 n = 0;

	if (!t->root || !max || first > last || (tag < RADIX_TAGS && !radix_tagged(t, tag)))
		return 0;
	if (t->depth == 0) {
		if (first)
			return 0;
		items[0] = t->root;
		if (keys)
			keys[0] = 0;
		return 1;
	}
	while (key_fits(first, t->depth)) {
		leaf = search(t, &first, tag);
		if (!leaf || !gang_leaf(leaf, &first, last, tag, items, keys, max, &n))
			break;
	}
	return n;
}

/* See radix.h. */
u32 radix_gang(const struct radix_tree *t, u64 first, u64 last, void **items, u64 *keys, u32 max)
{
	return gang(t, first, last, RADIX_TAGS, items, keys, max);
}

/* See radix.h. */
u32 radix_gang_tagged(const struct radix_tree *t, u64 first, u64 last, u32 tag, void **items,
		      u64 *keys, u32 max)
{
	return gang(t, first, last, tag, items, keys, max);
}
