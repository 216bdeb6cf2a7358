/*
 * Red-black trees: a node is red or black, a red node has no red child, and every way from the root
 * to an empty place passes the same number of black nodes; so the longest way is at most twice the
 * shortest.
 *
 * Linking a red leaf can break the second rule, taking a black node out the third; both are mended
 * on the way up by recolouring and at most three rotations. An empty place counts as black.
 *
 * A node belongs to the caller and is in at most one tree through one rb_node; the tree only links
 * it. The caller's lock guards tree and nodes; any context, no sleep.
 *
 * Reference: Cormen, Leiserson, Rivest, Stein, Introduction to Algorithms, chapter 13.
 */
#include "kernel/lib/rbtree.h"

#define BLACK 1ULL

static bool is_black(const struct rb_node *n)
{
	return !n || (n->parent_colour & BLACK);
}

static bool is_red(const struct rb_node *n)
{
	return !is_black(n);
}

static void set_black(struct rb_node *n)
{
	n->parent_colour |= BLACK;
}

static void set_red(struct rb_node *n)
{
	n->parent_colour &= ~BLACK;
}

static void set_parent(struct rb_node *n, struct rb_node *parent)
{
	n->parent_colour = (u64)parent | (n->parent_colour & BLACK);
}

/* Make the place that holds @old, below @parent, hold @n. */
static void set_child(struct rb_root *r, struct rb_node *parent, struct rb_node *old,
		      struct rb_node *n)
{
	if (!parent)
		r->node = n;
	else if (parent->left == old)
		parent->left = n;
	else
		parent->right = n;
}

static void rotate_left(struct rb_root *r, struct rb_node *n)
{
	struct rb_node *up = n->right, *parent = rb_parent(n);

	n->right = up->left;
	if (n->right)
		set_parent(n->right, n);
	up->left = n;
	set_parent(up, parent);
	set_child(r, parent, n, up);
	set_parent(n, up);
}

static void rotate_right(struct rb_root *r, struct rb_node *n)
{
	struct rb_node *up = n->left, *parent = rb_parent(n);

	n->left = up->right;
	if (n->left)
		set_parent(n->left, n);
	up->right = n;
	set_parent(up, parent);
	set_child(r, parent, n, up);
	set_parent(n, up);
}

/* @n is red and its parent may be red too. */
static void mend_insert(struct rb_root *r, struct rb_node *n)
{
	struct rb_node *parent;

	while ((parent = rb_parent(n)) && is_red(parent)) {
		struct rb_node *grand = rb_parent(parent);
		bool left = grand->left == parent;
		struct rb_node *uncle = left ? grand->right : grand->left;

		if (is_red(uncle)) {
			set_black(parent);
			set_black(uncle);
			set_red(grand);
			n = grand;
			continue;
		}
		if (left) {
			if (n == parent->right) {
				rotate_left(r, parent);
				parent = n;
			}
			set_black(parent);
			set_red(grand);
			rotate_right(r, grand);
		} else {
			if (n == parent->left) {
				rotate_right(r, parent);
				parent = n;
			}
			set_black(parent);
			set_red(grand);
			rotate_left(r, grand);
		}
		break;
	}
	set_black(r->node);
}

/* See rbtree.h. */
void rb_link(struct rb_root *r, struct rb_node *n, struct rb_node *parent, struct rb_node **link,
	     bool leftmost)
{
	n->parent_colour = (u64)parent;
	n->left = NULL;
	n->right = NULL;
	*link = n;
	if (leftmost)
		r->first = n;
	mend_insert(r, n);
}

/* One step of mend_erase with @n the left child. True: the tree is right again. */
static bool mend_erase_left(struct rb_root *r, struct rb_node *parent)
{
	struct rb_node *sib = parent->right;

	if (is_red(sib)) {
		set_black(sib);
		set_red(parent);
		rotate_left(r, parent);
		sib = parent->right;
	}
	if (is_black(sib->left) && is_black(sib->right)) {
		set_red(sib);
		return false;
	}
	if (is_black(sib->right)) {
		set_black(sib->left);
		set_red(sib);
		rotate_right(r, sib);
		sib = parent->right;
	}
	if (is_black(parent))
		set_black(sib);
	else
		set_red(sib);
	set_black(parent);
	set_black(sib->right);
	rotate_left(r, parent);
	return true;
}

static bool mend_erase_right(struct rb_root *r, struct rb_node *parent)
{
	struct rb_node *sib = parent->left;

	if (is_red(sib)) {
		set_black(sib);
		set_red(parent);
		rotate_right(r, parent);
		sib = parent->left;
	}
	if (is_black(sib->left) && is_black(sib->right)) {
		set_red(sib);
		return false;
	}
	if (is_black(sib->left)) {
		set_black(sib->right);
		set_red(sib);
		rotate_left(r, sib);
		sib = parent->left;
	}
	if (is_black(parent))
		set_black(sib);
	else
		set_red(sib);
	set_black(parent);
	set_black(sib->left);
	rotate_right(r, parent);
	return true;
}

/* Ways through @n (may be empty, child of @parent) lack one black node. */
static void mend_erase(struct rb_root *r, struct rb_node *n, struct rb_node *parent)
{
	while (parent && is_black(n)) {
		bool done = n == parent->left ? mend_erase_left(r, parent)
					      : mend_erase_right(r, parent);

		if (done)
			return;
		n = parent;
		parent = rb_parent(n);
	}
	if (n)
		set_black(n);
}

/*
 * @n has two children: its successor takes its place and colour. Gives where a node is missing now.
 */
static bool take_out_inner(struct rb_root *r, struct rb_node *n, struct rb_node **hole,
			   struct rb_node **hole_parent)
{
	struct rb_node *next = n->right;
	bool black;

	while (next->left)
		next = next->left;
	black = is_black(next);
	*hole = next->right;
	*hole_parent = rb_parent(next);
	if (*hole_parent == n) {
		*hole_parent = next;
	} else {
		(*hole_parent)->left = *hole;
		if (*hole)
			set_parent(*hole, *hole_parent);
		next->right = n->right;
		set_parent(next->right, next);
	}
	next->left = n->left;
	set_parent(next->left, next);
	set_child(r, rb_parent(n), n, next);
	next->parent_colour = n->parent_colour;
	return black;
}

/* See rbtree.h. */
void rb_erase(struct rb_root *r, struct rb_node *n)
{
	struct rb_node *hole, *hole_parent;
	bool black;

	if (r->first == n)
		r->first = rb_next(n);
	if (n->left && n->right) {
		black = take_out_inner(r, n, &hole, &hole_parent);
	} else {
		hole = n->left ? n->left : n->right;
		hole_parent = rb_parent(n);
		black = is_black(n);
		set_child(r, hole_parent, n, hole);
		if (hole)
			set_parent(hole, hole_parent);
	}
	if (black)
		mend_erase(r, hole, hole_parent);
	rb_clear(n);
}

/* See rbtree.h. */
void rb_replace(struct rb_root *r, struct rb_node *old, struct rb_node *n)
{
	*n = *old;
	set_child(r, rb_parent(old), old, n);
	if (n->left)
		set_parent(n->left, n);
	if (n->right)
		set_parent(n->right, n);
	if (r->first == old)
		r->first = n;
	rb_clear(old);
}

/* Rightmost node, NULL when empty. */
struct rb_node *rb_last(const struct rb_root *r)
{
	struct rb_node *n = r->node;

	while (n && n->right)
		n = n->right;
	return n;
}

/* Successor of @n, NULL if it is the last. */
struct rb_node *rb_next(const struct rb_node *n)
{
	struct rb_node *p;

	if (n->right) {
		p = n->right;
		while (p->left)
			p = p->left;
		return p;
	}
	while ((p = rb_parent(n)) && n == p->right)
		n = p;
	return p;
}

/* Predecessor of @n, NULL if it is the first. */
struct rb_node *rb_prev(const struct rb_node *n)
{
	struct rb_node *p;

	if (n->left) {
		p = n->left;
		while (p->right)
			p = p->right;
		return p;
	}
	while ((p = rb_parent(n)) && n == p->left)
		n = p;
	return p;
}
