/*
 * The ext driver's real files on images in memory. After everything that wrote, e2fsck finds
 * nothing.
 */
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/stat.h>
#include "fs/ext/ext.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "tests/unit/ext/abuse.h"
#include "tests/unit/ext/host.h"
#include "tests/unit/ext/image.h"
#include "tests/unit/unit.h"

static void basics(void)
{
	struct inode *f, *d, *i;
	char text[16];

	mount();
	f = new_file("file");
	write_pattern(f, 0, 100000, 1);
	check_pattern(f, 0, 100000, 1);
	CHECK_EQ(host_mkdir(top, "dir", &d), 0);
	CHECK_EQ(top->nlink, 4);
	CHECK_EQ(host_link(d, "second", f), 0);
	CHECK_EQ(f->nlink, 2);
	CHECK_EQ(host_symlink(d, "short", "../file"), 0);
	CHECK_EQ(host_symlink(
			 d, "long",
			 "0123456789012345678901234567890123456789012345678901234567890123456789"),
		 0);
	CHECK_EQ(host_lookup(d, "short", &i), 0);
	CHECK_EQ(i->ops->readlink(i, text, sizeof(text)), 7);
	inode_put(i);
	CHECK_EQ(host_create(d, "fifo", S_IFIFO | 0600, &i), 0);
	inode_put(i);
	CHECK_EQ(host_create(d, "fifo", S_IFIFO | 0600, &i), -EEXIST);
	CHECK_EQ(host_remove(top, "dir"), -ENOTEMPTY);
	CHECK_EQ(host_remove(top, "nothing"), -ENOENT);
	inode_put(f);
	inode_put(d);
	end();
	mount();
	f = find("file");
	check_pattern(f, 0, 100000, 1);
	CHECK_EQ(host_remove(top, "file"), 0);
	check_pattern(f, 0, 100000, 1);
	inode_put(f);
	d = find("dir");
	CHECK_EQ(host_rename(d, "second", top, "third", 0), 0);
	CHECK_EQ(host_remove(d, "short"), 0);
	CHECK_EQ(host_remove(d, "long"), 0);
	CHECK_EQ(host_rename(d, "fifo", top, "third", RENAME_EXCHANGE), 0);
	CHECK_EQ(host_remove(d, "fifo"), 0);
	inode_put(d);
	CHECK_EQ(host_remove(top, "dir"), 0);
	end();
}

UNIT_TEST(files_directories_links_names)
{
	each_kind(basics, 8 * MB);
}

static void levels(void)
{
	u32 bs = 1024u << *(u32 *)(image + 1024 + 24), fan = bs / 4;
	u64 at[] = { 0,
		     11,
		     12,
		     12 + fan - 1,
		     12 + fan,
		     12 + fan + fan * (u64)fan - 1,
		     12 + fan + fan * (u64)fan };
	struct inode *f;
	u64 limit;

	mount();
	limit = sb->max_size;
	f = new_file("sparse");
	for (u32 k = 0; k < ARRAY_SIZE(at); k++)
		if (at[k] * bs + bs + 700 < limit)
			write_pattern(f, at[k] * bs + 300, bs + 400, k);
	CHECK_EQ(host_fsync(f), 0);
	inode_put(f);
	end();
	mount();
	f = find("sparse");
	/* Each reaches into the next block, which the one after it may have written. */
	for (u32 k = 0; k < ARRAY_SIZE(at); k++)
		if (at[k] * bs + bs + 700 < limit)
			check_pattern(f, at[k] * bs + 300, bs - 300, k);
	for (u32 k = ARRAY_SIZE(at); k--;) {
		CHECK_EQ(host_truncate(f, at[k] * bs + 500), 0);
		if (at[k] * bs + bs + 700 < limit)
			check_pattern(f, at[k] * bs + 300, 200, k);
	}
	CHECK_EQ(host_truncate(f, 0), 0);
	CHECK_EQ(f->blocks, 0);
	CHECK_EQ(host_truncate(f, 3000000), 0);
	inode_put(f);
	end();
}

UNIT_TEST(every_level_of_blocks_is_written_and_cut)
{
	each_kind(levels, 16 * MB);
}

static void many_names(void)
{
	char name[64];
	struct inode *d, *i;
	u32 n = 3000;

	mount();
	CHECK_EQ(host_mkdir(top, "many", &d), 0);
	for (u32 k = 0; k < n; k++) {
		snprintf(name, sizeof(name), "%u-name%.*s", k, (int)(k % 40),
			 "----------------------------------------");
		if (!(k & 7)) {
			if (host_create(d, name, S_IFREG | 0600, &i))
				n = k;
			else
				inode_put(i);
		} else {
			i = NULL;
			CHECK_EQ(host_lookup(top, "many", &i), 0);
			CHECK_EQ(host_symlink(d, name, "x") == -ENOSPC ? (int)(n = k) * 0 : 0, 0);
			inode_put(i);
		}
	}
	CHECK_EQ(host_list(d, NULL, NULL), (s64)n + 2);
	for (u32 k = 0; k < n; k += 2) {
		snprintf(name, sizeof(name), "%u-name%.*s", k, (int)(k % 40),
			 "----------------------------------------");
		CHECK_EQ(host_remove(d, name), 0);
	}
	CHECK_EQ(host_list(d, NULL, NULL), (s64)n / 2 + 2);
	inode_put(d);
	end();
}

UNIT_TEST(directories_of_thousands)
{
	each_kind(many_names, 24 * MB);
}

UNIT_TEST(a_directory_with_an_index)
{
	char name[64];
	struct inode *d, *i;

	make_image("-b 1024 -I 128 -N 4000", 16 * MB);
	mount();
	CHECK_EQ(host_mkdir(top, "many", &d), 0);
	for (u32 k = 0; k < 1000; k++) {
		snprintf(name, sizeof(name), "name-that-is-long-enough-%u", k);
		CHECK_EQ(host_create(d, name, S_IFREG | 0600, &i), 0);
		inode_put(i);
	}
	inode_put(d);
	end();
	CHECK(!tool_fsck(image, image_bytes, 1, "-D"));
	mount();
	d = find("many");
	CHECK(ext_of(d)->flags & EXT_INDEX_FL);
	CHECK_EQ(host_list(d, NULL, NULL), 1002);
	for (u32 k = 0; k < 1000; k += 3) {
		snprintf(name, sizeof(name), "name-that-is-long-enough-%u", k);
		CHECK_EQ(host_remove(d, name), 0);
		snprintf(name, sizeof(name), "new-%u", k);
		CHECK_EQ(host_create(d, name, S_IFREG | 0600, &i), 0);
		inode_put(i);
	}
	CHECK_EQ(host_list(d, NULL, NULL), 1002);
	inode_put(d);
	end();
	drop_image();
}

/* Names come and go, in a directory that has an index or has just lost it. */
static void index_follows(void)
{
	enum { NAMES = 700 };
	static bool there[NAMES];
	char name[80];
	struct inode *d, *i;
	u32 n = 0;

	memset(there, 0, sizeof(there));
	mount();
	CHECK_EQ(host_mkdir(top, "many", &d), 0);
	for (u32 round = 0; round < 6000; round++) {
		u32 k = (u32)(unit_random() % NAMES);

		snprintf(name, sizeof(name), "%u%.*s", k, (int)(k % 50),
			 "--------------------------------------------------");
		if (!(unit_random() & 255))
			(void)pmm_shrink(PMM_SHRINK_ALL);
		CHECK_EQ(host_lookup(d, name, &i), there[k] ? 0 : -ENOENT);
		CHECK(d->size < 8 * ext_sb_of(sb)->block_size || ext_of(d)->index);
		if (there[k]) {
			inode_put(i);
			CHECK_EQ(host_remove(d, name), 0);
		} else {
			CHECK_EQ(host_symlink(d, name, "x"), 0);
		}
		n += there[k] ? -1u : 1;
		there[k] = !there[k];
	}
	CHECK_EQ(host_list(d, NULL, NULL), (s64)n + 2);
	CHECK_EQ(host_rename(top, "many", top, "other", 0), 0);
	inode_put(d);
	end();
}

UNIT_TEST(an_index_in_memory_follows_its_directory)
{
	make_image("-b 1024 -I 128 -N 2000", 8 * MB);
	index_follows();
	drop_image();
	make_image("-b 2048 -I 128 -N 2000", 8 * MB);
	index_follows();
	drop_image();
}

/* Room of any size is found again, and no block is passed by that has some. */
UNIT_TEST(a_large_directory_does_not_grow_without_need)
{
	char name[256];
	struct inode *d;
	u64 size;

	make_image("-b 1024 -I 128 -N 6000", 16 * MB);
	mount();
	CHECK_EQ(host_mkdir(top, "many", &d), 0);
	for (u32 k = 0; k < 4000; k++) {
		snprintf(
			name, sizeof(name), "%u%.*s", k, (int)(k % 90),
			"------------------------------------------------------------------------------------------");
		CHECK_EQ(host_symlink(d, name, "x"), 0);
	}
	size = d->size;
	for (u32 k = 0; k < 4000; k += 3) {
		snprintf(
			name, sizeof(name), "%u%.*s", k, (int)(k % 90),
			"------------------------------------------------------------------------------------------");
		CHECK_EQ(host_remove(d, name), 0);
	}
	for (u32 k = 0; k < 4000; k += 3) {
		snprintf(
			name, sizeof(name), "%.*s%u", (int)(k % 90),
			"------------------------------------------------------------------------------------------",
			k);
		CHECK_EQ(host_symlink(d, name, "x"), 0);
	}
	CHECK_EQ(d->size, size);
	CHECK_EQ(host_list(d, NULL, NULL), 4002);
	inode_put(d);
	end();
	drop_image();
}

static void fill_up(void)
{
	static u8 buf[65536];
	struct inode *f, *i;
	u64 pos = 0;
	ssize_t n;
	u32 k = 0;
	char name[16];
	int err;

	mount();
	f = new_file("fill");
	memset(buf, 7, sizeof(buf));
	while ((n = host_write(f, pos, buf, sizeof(buf))) > 0)
		pos += (u64)n;
	CHECK_EQ(n, -ENOSPC);
	CHECK_EQ(f->size, pos);
	CHECK_EQ(ext_sb_of(sb)->free_blocks, 0);
	CHECK_EQ(host_truncate(f, pos + 10000000), 0);
	CHECK_EQ(host_store(f, (pos >> PAGE_SHIFT) + 100), -ENOSPC);
	CHECK_EQ(host_truncate(f, pos), 0);
	CHECK_EQ(host_mkdir(top, "dir", &i), -ENOSPC);
	CHECK_EQ(host_remove(top, "fill"), 0);
	inode_put(f);
	/* Now all inodes. */
	do {
		snprintf(name, sizeof(name), "%u", k++);
		err = host_create(top, name, S_IFREG | 0600, &i);
		if (!err)
			inode_put(i);
	} while (!err);
	CHECK_EQ(err, -ENOSPC);
	end();
}

UNIT_TEST(a_full_disk)
{
	each_kind(fill_up, 2 * MB);
}

UNIT_TEST(more_names_than_links_can_be_counted)
{
	struct inode *f, *d;
	char name[16];

	make_image("-b 1024 -N 40000", 24 * MB);
	mount();
	f = new_file("f");
	f->nlink = EXT_LINK_MAX;
	CHECK_EQ(host_link(top, "g", f), -EMLINK);
	f->nlink = 1;
	for (u32 k = 0; k < 300; k++) {
		snprintf(name, sizeof(name), "l%u", k);
		CHECK_EQ(host_link(top, name, f), 0);
	}
	top->nlink += EXT_LINK_MAX - 3;
	CHECK_EQ(host_mkdir(top, "d", &d), -EMLINK);
	top->nlink -= EXT_LINK_MAX - 3;
	inode_put(f);
	end();
	drop_image();
}

static void orphans(void)
{
	struct inode *f[5], *d;
	char name[16];

	mount();
	CHECK_EQ(top->ops->tmpfile(top, S_IFREG | 0600, &f[0]), 0);
	for (u32 k = 1; k < 5; k++) {
		snprintf(name, sizeof(name), "f%u", k);
		f[k] = new_file(name);
	}
	for (u32 k = 0; k < 5; k++)
		write_pattern(f[k], 0, 50000, k);
	for (u32 k = 1; k < 5; k++) {
		snprintf(name, sizeof(name), "f%u", k);
		CHECK_EQ(host_remove(top, name), 0);
	}
	inode_put(f[2]);
	CHECK_EQ(host_mkdir(top, "kept", &d), 0);
	inode_put(d);
	sb->ops->sync(sb, true);
	for (u32 k = 0; k < 5; k++)
		if (k != 2)
			check_pattern(f[k], 0, 50000, k);
	/* The power goes now: what memory holds must not reach the disk any more. */
	char *then = tool_mkfs("", image_bytes);
	memcpy(then, image, image_bytes);
	for (u32 k = 0; k < 5; k++)
		if (k != 2)
			inode_put(f[k]);
	end();
	memcpy(image, then, image_bytes);
	tool_free(then, image_bytes);
	mount();
	CHECK_EQ(ext_sb_of(sb)->disk->last_orphan, 0);
	d = find("kept");
	inode_put(d);
	host_umount(sb);
	check_image(1);
}

UNIT_TEST(files_without_names_are_freed_by_the_next_mount)
{
	each_kind(orphans, 8 * MB);
}

UNIT_TEST(a_file_without_a_name_gets_one)
{
	struct inode *f;

	make_image("-b 1024", 4 * MB);
	mount();
	CHECK_EQ(top->ops->tmpfile(top, S_IFREG | 0600, &f), 0);
	write_pattern(f, 0, 10000, 3);
	CHECK_EQ(host_link(top, "name", f), 0);
	CHECK_EQ(f->nlink, 1);
	inode_put(f);
	end();
	mount();
	f = find("name");
	check_pattern(f, 0, 10000, 3);
	inode_put(f);
	end();
	drop_image();
}

UNIT_TEST(read_only_and_back)
{
	struct super *ro;
	struct inode *i;

	make_image("-b 1024", 4 * MB);
	mount();
	i = new_file("f");
	inode_put(i);
	CHECK_EQ(sb->ops->remount(sb, MS_RDONLY, NULL), 0);
	sb->flags |= MS_RDONLY;
	check_image(0);
	CHECK_EQ(sb->ops->remount(sb, 0, "errors=remount-ro"), 0);
	sb->flags &= ~(u32)MS_RDONLY;
	CHECK_EQ(sb->ops->remount(sb, 0, "usrquota"), -EINVAL);
	i = new_file("g");
	inode_put(i);
	end();
	host_writes = 0;
	CHECK_EQ(host_mount(MS_RDONLY, NULL, &ro), 0);
	CHECK_EQ(host_lookup(ro->root->inode, "g", &i), 0);
	inode_put(i);
	host_umount(ro);
	CHECK_EQ(host_writes, 0);
	/* A feature that only readers need not know. */
	*(u32 *)(image + 1024 + 100) |= 0x400;
	CHECK_EQ(host_mount(0, NULL, &ro), 0);
	CHECK(ro->flags & MS_RDONLY);
	host_umount(ro);
	CHECK_EQ(host_writes, 0);
	drop_image();
}

UNIT_TEST(an_error_of_the_device_is_told_by_fsync)
{
	struct inode *f;
	u32 phys, count;

	make_image("-b 4096", 4 * MB);
	mount();
	f = new_file("f");
	write_pattern(f, 0, 10000, 1);
	CHECK_EQ(ext_map(f, 0, 1, &phys, &count), 0);
	host_fail_write = (u64)phys * 8;
	CHECK_EQ(host_fsync(f), -EIO);
	host_fail_write = ~0ull;
	write_pattern(f, 0, 10000, 1);
	CHECK_EQ(host_fsync(f), 0);
	inode_put(f);
	end();
	drop_image();
}

UNIT_TEST(metadata_that_cannot_be_read_ends_the_writing)
{
	struct inode *d, *f;
	u32 phys, count;

	make_image("-b 1024 -e remount-ro", 4 * MB);
	mount();
	CHECK_EQ(host_mkdir(top, "d", &d), 0);
	CHECK_EQ(ext_map(d, 0, 1, &phys, &count), 0);
	inode_put(d);
	end();
	mount();
	d = find("d");
	host_fail_read = (u64)phys * 2;
	CHECK_EQ(host_lookup(d, "f", &f), -EIO);
	host_fail_read = ~0ull;
	CHECK(sb->flags & MS_RDONLY);
	CHECK_EQ(host_create(top, "f", S_IFREG | 0600, &f), -EROFS);
	inode_put(d);
	host_umount(sb);
	check_image(1);
	drop_image();
}

/* --- at random, against a model --- */

#define FILES 24u
#define MODEL_MAX 300000u
struct model_file {
	bool there;
	u64 size;
	u8 *data;
};
static struct model_file model[FILES];
static struct inode *dirs[3];

static void model_name(char *name, u32 k)
{
	snprintf(name, 40, "file-%u-%.*s", k, (int)(k * 7 % 30),
		 "abcdefghijklmnopqrstuvwxyzabcdef");
}

static struct inode *model_find(u32 k)
{
	struct inode *i;
	char name[40];

	model_name(name, k);
	CHECK_EQ(host_lookup(dirs[k % 3], name, &i), 0);
	return i;
}

static void model_check(u32 k)
{
	static u8 buf[MODEL_MAX];
	struct inode *i;
	char name[40];

	model_name(name, k);
	if (!model[k].there) {
		CHECK_EQ(host_lookup(dirs[k % 3], name, &i), -ENOENT);
		return;
	}
	i = model_find(k);
	CHECK_EQ(i->size, model[k].size);
	CHECK_EQ(host_read(i, 0, buf, sizeof(buf)), (s64)model[k].size);
	CHECK(!memcmp(buf, model[k].data, model[k].size));
	inode_put(i);
}

static void model_write(u32 k)
{
	struct model_file *m = &model[k];
	u64 pos = unit_random() % (MODEL_MAX - 1), n = 1 + unit_random() % 40000;
	struct inode *i = model_find(k);

	if (unit_random() & 1)
		pos = m->size;
	n = MIN(n, MODEL_MAX - pos);
	if (n) {
		u32 seed = (u32)unit_random();

		for (u64 p = pos; p < pos + n; p++)
			m->data[p] = pattern(p, seed);
		write_pattern(i, pos, n, seed);
		m->size = MAX(m->size, pos + n);
	}
	inode_put(i);
}

static void model_truncate(u32 k)
{
	struct model_file *m = &model[k];
	u64 size = unit_random() % MODEL_MAX;
	struct inode *i = model_find(k);

	CHECK_EQ(host_truncate(i, size), 0);
	if (size < m->size)
		memset(m->data + size, 0, m->size - size);
	m->size = size;
	inode_put(i);
}

static void model_store(u32 k)
{
	struct model_file *m = &model[k];
	u64 page = unit_random() % (MODEL_MAX / PAGE_SIZE);
	struct inode *i = model_find(k);
	u64 value = 0x1122334455667788;

	if ((page << PAGE_SHIFT) < m->size) {
		CHECK_EQ(host_store(i, page), 0);
		memcpy(m->data + (page << PAGE_SHIFT), &value,
		       MIN(8ull, m->size - (page << PAGE_SHIFT)));
	} else {
		CHECK_EQ(host_store(i, page), -EIO);
	}
	inode_put(i);
}

static void model_create(u32 k)
{
	struct inode *i;
	char name[40];

	model_name(name, k);
	CHECK_EQ(host_create(dirs[k % 3], name, S_IFREG | 0644, &i), 0);
	inode_put(i);
	model[k].there = true;
	model[k].size = 0;
	memset(model[k].data, 0, MODEL_MAX);
}

static void model_rename(u32 k, u32 to)
{
	struct model_file was = model[to];
	char name[40], new[40];

	model_name(name, k);
	model_name(new, to);
	CHECK_EQ(host_rename(dirs[k % 3], name, dirs[to % 3], new, 0), 0);
	if (k == to)
		return;
	model[to] = model[k];
	model[k] = was;
	model[k].there = false;
}

static void model_step(void)
{
	u32 k = (u32)(unit_random() % FILES), what = (u32)(unit_random() % 20);
	char name[40];

	if (!model[k].there) {
		model_create(k);
	} else if (what < 8) {
		model_write(k);
	} else if (what < 11) {
		model_truncate(k);
	} else if (what < 13) {
		model_store(k);
	} else if (what < 16) {
		model_rename(k, (u32)(unit_random() % FILES));
	} else if (what < 18) {
		model_name(name, k);
		CHECK_EQ(host_remove(dirs[k % 3], name), 0);
		model[k].there = false;
	} else if (what < 19) {
		sb->ops->sync(sb, true);
	} else {
		model_check(k);
	}
}

static void open_dirs(bool make)
{
	dirs[0] = top;
	inode_get(top);
	for (u32 k = 1; k < 3; k++) {
		char name[8] = { 'd', (char)('0' + k), '\0' };

		CHECK_EQ(make ? host_mkdir(top, name, &dirs[k]) : host_lookup(top, name, &dirs[k]),
			 0);
	}
}

static void close_dirs(void)
{
	for (u32 k = 0; k < 3; k++)
		inode_put(dirs[k]);
}

static void random_work(void)
{
	for (u32 k = 0; k < FILES; k++) {
		model[k].there = false;
		model[k].data = host_alloc(MODEL_MAX);
	}
	for (u32 round = 0; round < 3; round++) {
		mount();
		open_dirs(!round);
		for (u32 k = 0; k < FILES; k++)
			model_check(k);
		for (u32 n = 0; n < 250; n++)
			model_step();
		close_dirs();
		end();
	}
	for (u32 k = 0; k < FILES; k++)
		host_free(model[k].data);
}

UNIT_TEST(at_random_against_a_model)
{
	each_kind(random_work, 16 * MB);
}

/* What was fsynced is there after the power went at any moment, and e2fsck repairs the rest. */
UNIT_TEST(power_cuts)
{
	static u8 buf[60000];

	for (u32 round = 0; round < 6; round++) {
		struct inode *i, *kept;
		char name[24];
		u32 n = 3 + (u32)(unit_random() % 40);

		make_image(kinds[round % ARRAY_SIZE(kinds)], 8 * MB);
		mount();
		for (u32 k = 0; k < n; k++) {
			snprintf(name, sizeof(name), "f%u", k);
			i = new_file(name);
			write_pattern(i, 0, 1 + unit_random() % 50000, k);
			inode_put(i);
			if (k > 3 && (k & 1)) {
				snprintf(name, sizeof(name), "f%u", k - 3);
				(void)host_remove(top, name);
			}
		}
		kept = new_file("kept");
		write_pattern(kept, 0, 50000, 99);
		CHECK_EQ(host_fsync(kept), 0);
		inode_put(kept);
		for (u32 k = 0; k < n; k++) {
			snprintf(name, sizeof(name), "g%u", k);
			i = new_file(name);
			write_pattern(i, 0, 1 + unit_random() % 50000, k);
			inode_put(i);
			snprintf(name, sizeof(name), "f%u", k);
			(void)host_remove(top, name);
		}
		host_crash(sb);
		check_image(1);
		CHECK_EQ(tool_cat(image, image_bytes, "kept", buf, sizeof(buf)), 50000);
		for (u32 k = 0; k < 50000; k++)
			CHECK_EQ(buf[k], pattern(k, 99));
		drop_image();
	}
}

/* --- damage --- */

static void prepare(void)
{
	struct inode *d, *i;
	char name[32];

	mount();
	i = new_file("large");
	write_pattern(i, 0, 150000, 1);
	write_pattern(i, 700000, 5000, 1);
	inode_put(i);
	CHECK_EQ(host_mkdir(top, "dir", &d), 0);
	for (u32 k = 0; k < 60; k++) {
		snprintf(name, sizeof(name), "some-file-%u", k);
		CHECK_EQ(host_create(d, name, S_IFREG | 0600, &i), 0);
		if (k < 8)
			write_pattern(i, 0, 3000, k);
		inode_put(i);
	}
	CHECK_EQ(host_symlink(
			 d, "link",
			 "0123456789012345678901234567890123456789012345678901234567890123456789"),
		 0);
	inode_put(d);
	end();
}

/* Bytes that hold metadata are hit more often: those that are not zero. */
static u64 spot(void)
{
	u64 at = unit_random() % image_bytes;

	for (u32 n = 0; n < 2000 && !image[at]; n++)
		at = (at + 1) % image_bytes;
	return at;
}

static void damage(void)
{
	char *good = host_alloc(image_bytes);

	prepare();
	memcpy(good, image, image_bytes);
	for (u32 round = 0; round < 60; round++) {
		u32 n = 1 + (u32)(unit_random() % 12);

		memcpy(image, good, image_bytes);
		for (u32 k = 0; k < n; k++) {
			u64 at = unit_random() % 3 ? spot() : unit_random() % 8192;

			image[at] = unit_random() & 1 ? (char)unit_random()
						      : (char)(image[at] ^ 1 << unit_random() % 8);
		}
		abuse(image, image_bytes);
		CHECK_EQ(host_bytes_allocated(), 0);
	}
	host_free(good);
}

UNIT_TEST(damaged_in_any_way)
{
	each_kind(damage, 1 * MB);
}
