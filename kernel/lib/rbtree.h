#pragma once
/*
 * Red-black trees with the node inside the object. The tree orders nothing itself: rb_insert() is
 * given the comparison, or the caller walks down by hand and uses rb_link(). The leftmost node is
 * remembered, so rb_first() costs nothing. The caller's lock guards the tree.
 */
#include "kernel/lib/types.h"

struct rb_node {
	u64 parent_colour; /* address of the parent | 1 when black */
	struct rb_node *left;
	struct rb_node *right;
};

struct rb_root {
	struct rb_node *node;
	struct rb_node *first; /* leftmost, NULL when empty */
};

#define RB_ROOT_INIT       \
	{                  \
		NULL, NULL \
	}
#define rb_entry(p, type, member) container_of(p, type, member)

static inline void rb_root_init(struct rb_root *r)
{
	r->node = NULL;
	r->first = NULL;
}

static inline bool rb_empty(const struct rb_root *r)
{
	return !r->node;
}

/* A cleared node is in no tree; rb_erase() leaves it cleared. */
static inline void rb_clear(struct rb_node *n)
{
	n->parent_colour = (u64)n;
}

static inline bool rb_linked(const struct rb_node *n)
{
	return n->parent_colour != (u64)n;
}

static inline struct rb_node *rb_parent(const struct rb_node *n)
{
	return (struct rb_node *)(n->parent_colour & ~3ULL);
}

static inline struct rb_node *rb_first(const struct rb_root *r)
{
	return r->first;
}

struct rb_node *rb_last(const struct rb_root *r);
/* In order; NULL past the end. */
struct rb_node *rb_next(const struct rb_node *n);
struct rb_node *rb_prev(const struct rb_node *n);

/*
 * Put @n where a walk down ended: @link is the empty child pointer of @parent (or &root->node of an
 * empty tree, @parent NULL). @leftmost: the walk only ever went left.
 */
void rb_link(struct rb_root *r, struct rb_node *n, struct rb_node *parent, struct rb_node **link,
	     bool leftmost);
/* Take @n out and clear it. */
void rb_erase(struct rb_root *r, struct rb_node *n);
/* Put @n in the place of @old, which compares equal; @old is cleared. */
void rb_replace(struct rb_root *r, struct rb_node *old, struct rb_node *n);

/* Insert behind all that do not compare greater. @less(a, b): a sorts before b. */
static __always_inline void rb_insert(struct rb_root *r, struct rb_node *n,
				      bool (*less)(const struct rb_node *a,
						   const struct rb_node *b))
{
	struct rb_node **link = &r->node;
	struct rb_node *parent = NULL;
	bool leftmost = true;

	while (*link) {
		parent = *link;
		if (less(n, parent)) {
			link = &parent->left;
		} else {
			link = &parent->right;
			leftmost = false;
		}
	}
	rb_link(r, n, parent, link, leftmost);
}

/* The leftmost node that @below(node, key) is false for, NULL if there is none. */
static __always_inline struct rb_node *rb_lower_bound(const struct rb_root *r, u64 key,
						      bool (*below)(const struct rb_node *n,
								    u64 key))
{
	struct rb_node *n = r->node, *best = NULL;

	while (n) {
		if (below(n, key)) {
			n = n->right;
		} else {
			best = n;
			n = n->left;
		}
	}
	return best;
}

/* Objects in order. The body may not erase @pos. */
#define rb_for_each(pos, root, member)                                             \
	for (struct rb_node *rb_it = rb_first(root);                               \
	     rb_it && ((pos) = rb_entry(rb_it, __typeof__(*(pos)), member), true); \
	     rb_it = rb_next(rb_it))
