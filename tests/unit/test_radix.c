/* unit: kernel/lib/radix.c kernel/lib/bitmap.c */
#include <linux/errno.h>
#include <stdlib.h>
#include "kernel/lib/radix.h"
#include "tests/unit/unit.h"

#define KEYS 400

static struct radix_pool pool;
static struct {
	u64 key;
	bool in, tag[RADIX_TAGS];
} model[KEYS];

static void fill(u32 n)
{
	while (pool.count < n)
		radix_pool_put(&pool, malloc(sizeof(struct radix_node)));
}

static void drain(void)
{
	struct radix_node *n;

	while ((n = radix_pool_take(&pool)))
		free(n);
}

static void *item_of(u32 i)
{
	return &model[i];
}

/* First model key at or after @key, with @tag if that is one. */
static int model_next(u64 key, u32 tag)
{
	int best = -1;

	for (int i = 0; i < KEYS; i++)
		if (model[i].in && model[i].key >= key &&
		    (tag >= RADIX_TAGS || model[i].tag[tag]) &&
		    (best < 0 || model[i].key < model[best].key))
			best = i;
	return best;
}

static void check_next(struct radix_tree *t, u64 from, u32 tag)
{
	u64 key = from;
	void *got = tag < RADIX_TAGS ? radix_next_tagged(t, &key, tag) : radix_next(t, &key);
	int want = model_next(from, tag);

	if (want < 0) {
		CHECK(!got);
	} else {
		CHECK(got == item_of((u32)want));
		CHECK_EQ(key, model[want].key);
	}
}

static u64 random_key(void)
{
	u64 r = unit_random();

	switch (r % 4) {
	case 0: return r >> 8 & 63;
	case 1: return r >> 8 & 0xffff;
	case 2: return r;
	default: return ~0ULL - (r >> 8 & 0xff);
	}
}

static void step(struct radix_tree *t)
{
	u32 i = (u32)(unit_random() % KEYS), tag = (u32)(unit_random() % RADIX_TAGS);

	if (!model[i].in) {
		model[i].key = random_key();
		if (radix_lookup(t, model[i].key))
			return;
		fill(radix_nodes_needed(t, model[i].key));
		CHECK_EQ(radix_insert(t, model[i].key, item_of(i), &pool), 0);
		CHECK_EQ(radix_insert(t, model[i].key, item_of(i), &pool), -EEXIST);
		model[i].in = true;
	} else if (unit_random() % 2) {
		CHECK(radix_erase(t, model[i].key, &pool) == item_of(i));
		CHECK(!radix_erase(t, model[i].key, &pool));
		model[i].in = model[i].tag[0] = model[i].tag[1] = false;
	} else if (model[i].tag[tag]) {
		radix_tag_clear(t, model[i].key, tag);
		model[i].tag[tag] = false;
	} else {
		radix_tag_set(t, model[i].key, tag);
		model[i].tag[tag] = true;
	}
}

UNIT_TEST(against_a_model)
{
	struct radix_tree t = RADIX_TREE_INIT;

	for (u32 n = 0; n < 8000; n++) {
		step(&t);
		check_next(&t, random_key(), (u32)(unit_random() % (RADIX_TAGS + 1)));
		for (u32 tag = 0; n % 64 == 0 && tag < RADIX_TAGS; tag++) {
			CHECK_EQ(radix_tagged(&t, tag), model_next(0, tag) >= 0);
			for (u32 i = 0; i < KEYS; i++)
				CHECK(!model[i].in ||
				      radix_tag_get(&t, model[i].key, tag) == model[i].tag[tag]);
		}
	}
	for (u32 i = 0; i < KEYS; i++)
		CHECK(!model[i].in || radix_erase(&t, model[i].key, &pool) == item_of(i));
	CHECK(radix_empty(&t) && !t.depth && !t.tags);
	drain();
}

UNIT_TEST(no_nodes_no_change)
{
	struct radix_tree t = RADIX_TREE_INIT;
	int a, b;

	CHECK_EQ(radix_nodes_needed(&t, 0), 0);
	CHECK_EQ(radix_insert(&t, 0, &a, &pool), 0);
	CHECK_EQ(radix_insert(&t, 1000, &b, &pool), -ENOMEM);
	CHECK(radix_lookup(&t, 0) == &a && !radix_lookup(&t, 1000));
	CHECK(radix_replace(&t, 0, &b) == &a && !radix_replace(&t, 1, &a));
	CHECK(radix_erase(&t, 0, &pool) == &b && radix_empty(&t));
}

UNIT_TEST(gang)
{
	struct radix_tree t = RADIX_TREE_INIT;
	void *items[16];
	u64 keys[16];
	static int v[200];

	for (u64 i = 0; i < 200; i++) {
		fill(RADIX_MAX_DEPTH * 2);
		CHECK_EQ(radix_insert(&t, i * 3, &v[i], &pool), 0);
		if (i % 5 == 0)
			radix_tag_set(&t, i * 3, 1);
	}
	CHECK_EQ(radix_gang(&t, 10, 30, items, keys, 16), 7);
	CHECK(keys[0] == 12 && keys[6] == 30 && items[0] == &v[4]);
	CHECK_EQ(radix_gang(&t, 0, ~0ULL, items, NULL, 16), 16);
	CHECK_EQ(radix_gang_tagged(&t, 1, 100, 1, items, keys, 16), 6);
	CHECK(keys[0] == 15 && keys[5] == 90);
	for (u64 i = 0; i < 200; i++)
		radix_erase(&t, i * 3, &pool);
	drain();
}
