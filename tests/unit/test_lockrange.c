/* unit: fs/lockrange.c */
/* Record-lock ranges against a plain array of bytes. */
#include "fs/locks.h"
#include "kernel/lib/string.h"
#include "tests/unit/unit.h"

#define BYTES 64
#define NODES 256

static struct file_lock nodes[NODES];
static struct list held, spare;
static int owners[3];

static void start(void)
{
	list_init(&held);
	list_init(&spare);
	for (u32 k = 0; k < NODES; k++)
		list_add_tail(&spare, &nodes[k].link);
}

/*
 * Apply with a pool of exactly two nodes, as locks.c gives; what comes back goes to the spare ones.
 */
static void apply(u32 owner, bool write, u64 from, u64 to, bool unlock)
{
	struct file_lock want = { .kind = LOCK_KIND_POSIX,
				  .owner = &owners[owner],
				  .write = write,
				  .start = from,
				  .end = to };
	struct lock_pool pool;

	list_init(&pool.free);
	for (u32 k = 0; k < 2; k++) {
		struct list *l = spare.next;

		CHECK(l != &spare);
		list_del(l);
		list_add(&pool.free, l);
	}
	lock_range_apply(&held, &want, unlock, &pool);
	list_splice_tail(&spare, &pool.free);
}

static bool conflicts(u32 owner, bool write, u64 from, u64 to)
{
	struct file_lock want = { .kind = LOCK_KIND_POSIX,
				  .owner = &owners[owner],
				  .write = write,
				  .start = from,
				  .end = to };

	return lock_range_conflict(&held, &want) != NULL;
}

static u32 count(void)
{
	struct file_lock *l;
	u32 n = 0;

	list_for_each(l, &held, link)
		n++;
	return n;
}

UNIT_TEST(merge_and_split)
{
	struct file_lock *l;

	start();
	apply(0, true, 0, 9, false);
	apply(0, true, 10, 19, false); /* touches: one lock */
	CHECK_EQ(count(), 1);
	apply(0, true, 5, 14, true); /* a hole: two */
	CHECK_EQ(count(), 2);
	apply(0, false, 0, 19, false); /* all over it, other type */
	CHECK_EQ(count(), 1);
	l = list_first(&held, struct file_lock, link);
	CHECK_EQ(l->start, 0);
	CHECK_EQ(l->end, 19);
	CHECK(!l->write);
	apply(0, true, 7, 7, false); /* in the middle: three */
	CHECK_EQ(count(), 3);
	apply(0, true, 0, LOCK_END_MAX, true);
	CHECK_EQ(count(), 0);
}

UNIT_TEST(to_the_end)
{
	start();
	apply(0, true, 10, LOCK_END_MAX, false);
	apply(0, true, 0, 9, false);
	CHECK_EQ(count(), 1);
	CHECK(conflicts(1, false, LOCK_END_MAX, LOCK_END_MAX));
	apply(0, true, 5, LOCK_END_MAX, true);
	CHECK(!conflicts(1, true, 5, LOCK_END_MAX));
	CHECK(conflicts(1, false, 4, 4));
}

/* Many random operations, compared byte by byte. */
UNIT_TEST(random_against_model)
{
	static u8 model[3][BYTES]; /* 0 none, 1 read, 2 write */
	u32 prev_nodes;

	start();
	memset(model, 0, sizeof(model));
	for (u32 round = 0; round < 20000; round++) {
		u32 o = unit_random() % 3, from = unit_random() % BYTES,
		    to = from + unit_random() % (BYTES - from);
		u32 type = unit_random() % 3;
		bool clash = false;

		for (u32 p = 0; p < 3; p++)
			for (u32 b = from; p != o && b <= to; b++)
				clash |= type && model[p][b] && (type == 2 || model[p][b] == 2);
		if (type)
			CHECK_EQ(conflicts(o, type == 2, from, to), clash);
		if (clash)
			continue;
		apply(o, type == 2, from, to, type == 0);
		memset(&model[o][from], (int)type, to - from + 1);
		/* As few nodes as there are runs. */
		prev_nodes = 0;
		for (u32 p = 0; p < 3; p++)
			for (u32 b = 0; b < BYTES; b++)
				prev_nodes += model[p][b] && (!b || model[p][b - 1] != model[p][b]);
		CHECK_EQ(count(), prev_nodes);
	}
}
