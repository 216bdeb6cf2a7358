#pragma once
/*
 * Radix tree from u64 keys to pointers, 64-way, with tags that can be searched for (the page cache
 * marks dirty pages and pages under writeback). One item at key 0 needs no node at all.
 *
 * The tree allocates nothing: radix_insert() takes nodes from a pool that the caller filled before
 * it took its lock, and radix_erase() puts nodes back there. The caller's lock guards tree and
 * pool.
 */
#include "kernel/lib/types.h"

#define RADIX_BITS 6
#define RADIX_FANOUT 64
#define RADIX_MAX_DEPTH 11 /* 64 bits / 6, rounded up */
#define RADIX_TAGS 2

struct radix_node {
	u64 present; /* bit n: slot n is used */
	u64 tag[RADIX_TAGS]; /* bit n: something below slot n has the tag */
	/* item at the bottom, else node; of a pooled node: [0] is the next */
	void *slot[RADIX_FANOUT];
};

struct radix_tree {
	void *root; /* depth 0: the item of key 0, else a node */
	u32 depth; /* levels of nodes */
	u32 tags; /* bit t: some item has tag t */
};

struct radix_pool {
	struct radix_node *free;
	u32 count;
};

#define RADIX_TREE_INIT    \
	{                  \
		NULL, 0, 0 \
	}

static inline void radix_init(struct radix_tree *t)
{
	t->root = NULL;
	t->depth = 0;
	t->tags = 0;
}

static inline bool radix_empty(const struct radix_tree *t)
{
	return !t->root;
}

/* Pools: any node-sized memory, zeroed or not. take returns NULL when empty. */
void radix_pool_put(struct radix_pool *p, struct radix_node *n);
struct radix_node *radix_pool_take(struct radix_pool *p);
/*
 * Nodes that inserting @key could need right now: fill the pool to this, lock, insert (retry on
 * -ENOMEM).
 */
u32 radix_nodes_needed(const struct radix_tree *t, u64 key);

/* 0, -EEXIST, -ENOMEM (pool too small; tree unchanged). @item is not NULL. */
int __must_check radix_insert(struct radix_tree *t, u64 key, void *item, struct radix_pool *pool);
void *radix_lookup(const struct radix_tree *t, u64 key);
/* Takes the item out and returns it, NULL if there was none. Nodes no longer needed go to @pool. */
void *radix_erase(struct radix_tree *t, u64 key, struct radix_pool *pool);
/*
 * Exchange the item at @key, keeping tags; returns the old one, NULL (and nothing done) if there
 * was none.
 */
void *radix_replace(struct radix_tree *t, u64 key, void *item);

/* First item at or after *@key; *@key gets its key. NULL: none. */
void *radix_next(const struct radix_tree *t, u64 *key);
/* First one with @tag. */
void *radix_next_tagged(const struct radix_tree *t, u64 *key, u32 tag);
/*
 * Up to @max items from key @first to @last inclusive, in order; keys may be NULL. Returns how
 * many.
 */
u32 radix_gang(const struct radix_tree *t, u64 first, u64 last, void **items, u64 *keys, u32 max);
u32 radix_gang_tagged(const struct radix_tree *t, u64 first, u64 last, u32 tag, void **items,
		      u64 *keys, u32 max);

/* Tags of a present item; no effect on an absent one. */
void radix_tag_set(struct radix_tree *t, u64 key, u32 tag);
void radix_tag_clear(struct radix_tree *t, u64 key, u32 tag);
bool radix_tag_get(const struct radix_tree *t, u64 key, u32 tag);

static inline bool radix_tagged(const struct radix_tree *t, u32 tag)
{
	return t->tags >> tag & 1;
}
