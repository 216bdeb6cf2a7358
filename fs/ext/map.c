/*
 * Where the blocks of a file are: twelve in the inode, then one block of numbers, one of blocks of
 * numbers, and one more level.
 *
 * A number is checked before it is followed: it must lie within the file system. A hole is a 0, at
 * any level. One look-up also tells how many blocks follow in a row on the disk, as far as the
 * same block of numbers says, so that reading ahead makes large requests.
 */
#include <linux/errno.h>
#include "fs/ext/ext.h"

/* Numbers that one block holds, as a power of two. */
static u32 fan_bits(const struct ext_sb *s)
{
	return s->block_bits - 2;
}

/* See ext.h. ctx: any */
int ext_map_path(const struct ext_sb *s, u64 index, u32 slots[4])
{
	u32 bits = fan_bits(s), mask = (1u << bits) - 1;

	if (index < EXT_NDIR) {
		slots[0] = (u32)index;
		return 0;
	}
	index -= EXT_NDIR;
	for (u32 depth = 1; depth <= 3; depth++) {
		if (index < 1ull << depth * bits) {
			slots[0] = EXT_IND + depth - 1;
			for (u32 k = 1; k <= depth; k++)
				slots[k] = (u32)(index >> (depth - k) * bits) & mask;
			return (int)depth;
		}
		index -= 1ull << depth * bits;
	}
	return -EFBIG;
}

/* The largest file that the blocks of an inode can map. ctx: any */
u64 ext_max_size(const struct ext_sb *s)
{
	u64 n = 1ull << fan_bits(s);
	u64 blocks = EXT_NDIR + n + n * n + n * n * n;
	u64 size = blocks << s->block_bits;
	/* The count of 512-byte sectors in the inode has 32 bits; numbers' own blocks count too. */
	u64 limit = ((1ull << 32) - 1) * 512;

	/* A newer revision is told of its first large file; the oldest cannot have any. */
	if (!s->rev)
		return MIN(size, 0x7fffffffull);
	return MIN(size, limit);
}

/*
 * How many of the @n numbers from @at on follow @first, which stood there, or are all 0 as it was.
 * A store through a mapping may give holes blocks meanwhile.
 */
static u32 run_length(const u32 *at, u32 first, u32 n)
{
	u32 k = 1;

	while (k < n && READ_ONCE(at[k]) == (first ? first + k : 0))
		k++;
	return k;
}

static int check(struct inode *i, u32 block)
{
	struct ext_sb *s = ext_sb_of(i->sb);

	if (!block || ext_block_valid(s, block))
		return 0;
	return ext_bad(s, i->ino, "a block number %u that there is not", block);
}

static int result(struct inode *i, const u32 *at, u32 n, u32 want, u32 *phys, u32 *count)
{
	const struct ext_sb *s = ext_sb_of(i->sb);
	u32 first = READ_ONCE(at[0]), k = run_length(at, first, MIN(n, want));
	int err = check(i, first);

	if (err)
		return err;
	*phys = first;
	*count = first ? MIN(k, s->blocks_count - first) : k;
	return 0;
}

/* Down from @block, a block of numbers at @depth levels above the data. */
static int descend(struct inode *i, u32 block, u32 depth, u64 index, u32 want, u32 *phys,
		   u32 *count)
{
	struct ext_sb *s = ext_sb_of(i->sb);
	u32 bits = fan_bits(s), n = 1u << bits;

	for (;;) {
		u32 slot = (u32)(index >> (depth - 1) * bits) & (n - 1);
		struct ext_buf b;
		int err = check(i, block);

		if (err)
			return err;
		if (!block) {
			u64 left = (1ull << depth * bits) - (index & ((1ull << depth * bits) - 1));

			*phys = 0;
			*count = (u32)MIN((u64)want, left);
			return 0;
		}
		err = ext_buf_get(s, block, &b);
		if (err)
			return err;
		if (depth == 1) {
			err = result(i, (u32 *)b.data + slot, n - slot, want, phys, count);
			ext_buf_put(&b);
			return err;
		}
		block = READ_ONCE(((u32 *)b.data)[slot]);
		ext_buf_put(&b);
		depth--;
	}
}

/* See ext.h. ctx: thread; sleeps. 0, -EUCLEAN, -EIO, -ENOMEM, -EFBIG */
int ext_map(struct inode *i, u64 index, u32 want, u32 *phys, u32 *count)
{
	const struct ext_inode *e = ext_of(i);
	u32 bits = fan_bits(ext_sb_of(i->sb));

	if (index < EXT_NDIR)
		return result(i, e->block + index, EXT_NDIR - (u32)index, want, phys, count);
	index -= EXT_NDIR;
	for (u32 depth = 1; depth <= 3; depth++) {
		if (index < 1ull << depth * bits)
			return descend(i, e->block[EXT_IND + depth - 1], depth, index, want, phys,
				       count);
		index -= 1ull << depth * bits;
	}
	return -EFBIG;
}
