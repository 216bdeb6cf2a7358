/* unit: kernel/lib/rbtree.c */
#include "kernel/lib/rbtree.h"
#include "tests/unit/unit.h"

#define ITEMS 300

struct item {
	struct rb_node node;
	u64 key;
};

static struct item items[ITEMS];

static bool less(const struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct item, node)->key < rb_entry(b, struct item, node)->key;
}

static bool below(const struct rb_node *n, u64 key)
{
	return rb_entry(n, struct item, node)->key < key;
}

/* Black height of the subtree, after checking both rules and the parents. */
static int check_subtree(struct rb_node *n, struct rb_node *parent)
{
	int left, right;

	if (!n)
		return 1;
	CHECK(rb_parent(n) == parent);
	if (!(n->parent_colour & 1)) {
		CHECK(!n->left || n->left->parent_colour & 1);
		CHECK(!n->right || n->right->parent_colour & 1);
	}
	left = check_subtree(n->left, n);
	right = check_subtree(n->right, n);
	CHECK_EQ(left, right);
	return left + (int)(n->parent_colour & 1);
}

static void check_tree(struct rb_root *r, u32 count)
{
	struct item *it, *before = NULL;
	u32 n = 0;

	check_subtree(r->node, NULL);
	rb_for_each(it, r, node) {
		CHECK(!before || before->key <= it->key);
		CHECK(rb_prev(&it->node) == (before ? &before->node : NULL));
		before = it;
		n++;
	}
	CHECK_EQ(n, count);
	CHECK(rb_last(r) == (before ? &before->node : NULL));
}

UNIT_TEST(random_inserts_and_erases)
{
	struct rb_root r = RB_ROOT_INIT;
	u32 count = 0;

	for (u32 i = 0; i < ITEMS; i++)
		rb_clear(&items[i].node);
	for (u32 step = 0; step < 6000; step++) {
		struct item *it = &items[unit_random() % ITEMS];

		if (rb_linked(&it->node)) {
			rb_erase(&r, &it->node);
			CHECK(!rb_linked(&it->node));
			count--;
		} else {
			it->key = unit_random() % 100;
			rb_insert(&r, &it->node, less);
			count++;
		}
		if (step % 16 == 0)
			check_tree(&r, count);
	}
	while (!rb_empty(&r))
		rb_erase(&r, rb_first(&r));
	check_tree(&r, 0);
	CHECK(!rb_first(&r));
}

UNIT_TEST(equal_keys_keep_their_order)
{
	struct rb_root r = RB_ROOT_INIT;
	struct item *it;
	u32 n = 0;

	for (u32 i = 0; i < 20; i++) {
		items[i].key = 5;
		rb_insert(&r, &items[i].node, less);
	}
	rb_for_each(it, &r, node)
		CHECK(it == &items[n++]);
}

UNIT_TEST(bound_and_replace)
{
	struct rb_root r = RB_ROOT_INIT;
	struct item other = { .key = 20 };

	for (u32 i = 0; i < 10; i++) {
		items[i].key = i * 10;
		rb_insert(&r, &items[i].node, less);
	}
	CHECK(rb_lower_bound(&r, 0, below) == &items[0].node);
	CHECK(rb_lower_bound(&r, 15, below) == &items[2].node);
	CHECK(!rb_lower_bound(&r, 91, below));
	rb_replace(&r, &items[2].node, &other.node);
	CHECK(rb_lower_bound(&r, 15, below) == &other.node && !rb_linked(&items[2].node));
	check_tree(&r, 10);
	rb_replace(&r, &items[0].node, &items[2].node);
	CHECK(rb_first(&r) == &items[2].node);
}
