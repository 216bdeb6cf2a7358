/*
 * Calls of the ext driver that fail in the middle leave things as they were.
 */
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include "kernel/lib/string.h"
#include "tests/unit/ext/image.h"

/* The record of @name in the first block of @dir, as it is in memory. */
static struct ext_dirent_disk *record_of(struct inode *dir, const char *name, struct ext_buf *b)
{
	struct ext_slot sl = { .index = 0 };

	CHECK_EQ(ext_dir_block(dir, 0, &sl.b), 0);
	CHECK_EQ(ext_dir_find_in(dir, name, (u32)strlen(name), &sl), 0);
	*b = sl.b;
	return (void *)((char *)sl.b.data + sl.off);
}

UNIT_TEST(a_directory_without_a_parent_stays_where_it_is)
{
	struct inode *a, *b, *d, *i;
	struct ext_dirent_disk *dots;
	struct ext_buf buf;

	make_image(kinds[0], 4 * MB);
	CHECK_EQ(host_mount(0, "errors=continue", &sb), 0);
	top = sb->root->inode;
	CHECK_EQ(host_mkdir(top, "a", &a), 0);
	CHECK_EQ(host_mkdir(top, "b", &b), 0);
	CHECK_EQ(host_mkdir(a, "d", &d), 0);
	dots = record_of(d, "..", &buf);
	memcpy(dots->name, "xx", 2);
	CHECK_EQ(host_rename(a, "d", b, "e", 0), -EUCLEAN);
	CHECK_EQ(host_lookup(b, "e", &i), -ENOENT);
	CHECK_EQ(host_lookup(a, "d", &i), 0);
	inode_put(i);
	CHECK_EQ(a->nlink, 3);
	CHECK_EQ(b->nlink, 2);
	memcpy(dots->name, "..", 2);
	ext_buf_put(&buf);
	CHECK_EQ(host_rename(a, "d", b, "e", 0), 0);
	CHECK_EQ(b->nlink, 3);
	inode_put(a);
	inode_put(b);
	inode_put(d);
	host_umount(sb);
	check_image(1);
	drop_image();
}

/* On a mount that writes at once: a name that cannot be written is not there. */
UNIT_TEST(a_name_that_cannot_be_written_is_not_there)
{
	struct inode *i = NULL;

	make_image(kinds[0], 4 * MB);
	mount();
	sb->flags |= MS_SYNCHRONOUS;
	host_fail_write = 2; /* the superblock's first half */
	CHECK_EQ(host_create(top, "file", S_IFREG | 0644, &i), 0);
	inode_put(i);
	ext_super_dirty(ext_sb_of(sb));
	CHECK_EQ(host_create(top, "gone", S_IFREG | 0644, &i), -EIO);
	ext_super_dirty(ext_sb_of(sb));
	CHECK_EQ(host_mkdir(top, "dir", &i), -EIO);
	ext_super_dirty(ext_sb_of(sb));
	CHECK_EQ(host_symlink(top, "link", "somewhere"), -EIO);
	host_fail_write = ~0ull;
	CHECK_EQ(host_lookup(top, "gone", &i), -ENOENT);
	CHECK_EQ(host_lookup(top, "dir", &i), -ENOENT);
	CHECK_EQ(host_lookup(top, "link", &i), -ENOENT);
	CHECK_EQ(top->nlink, 3);
	end();
	drop_image();
}

/* A file of 100,000 bytes that are on the device, where mistakes do not stop the mount. */
static struct inode *stored_file(void)
{
	struct inode *f;

	make_image(kinds[0], 4 * MB);
	CHECK_EQ(host_mount(0, "errors=continue", &sb), 0);
	top = sb->root->inode;
	f = new_file("file");
	write_pattern(f, 0, 100000, 1);
	CHECK_EQ(host_fsync(f), 0);
	return f;
}

/* More names than links: the last user of such an inode may be memory pressure, under any lock. */
UNIT_TEST(memory_pressure_does_not_free_on_the_disk)
{
	struct inode *f, *second;
	u32 free;

	f = stored_file();
	CHECK_EQ(host_link(top, "second", f), 0);
	f->nlink = 1;
	CHECK_EQ(host_lookup(top, "second", &second), 0);
	CHECK_EQ(host_remove(top, "file"), 0);
	CHECK_EQ(f->nlink, 0);
	inode_put(second);
	free = ext_sb_of(sb)->free_blocks;
	arch_current()->reclaiming = true;
	inode_put(f);
	arch_current()->reclaiming = false;
	CHECK_EQ(ext_sb_of(sb)->free_blocks, free);
	work_flush(&ext_sb_of(sb)->reaper);
	CHECK(ext_sb_of(sb)->free_blocks >= free + 98);
	host_umount(sb);
	check_image(1);
	drop_image();
}

/* Memory pressure in the thread that a page's I/O depends on, as that of a loop device. */
UNIT_TEST(memory_pressure_does_not_wait_for_a_page)
{
	struct page *p;
	struct inode *f;

	f = stored_file();
	CHECK_EQ(pagecache_get(f->cache, 3, &p), 0);
	for (u32 k = 0; k < 2; k++) {
		u16 io = k ? PG_LOCKED : PG_WRITEBACK;

		CHECK(!pagecache_is_busy(f->cache));
		page_flag_set(p, io);
		CHECK(pagecache_is_busy(f->cache));
		if (!k)
			page_flag_clear(p, io);
	}
	arch_current()->reclaiming = true;
	inode_put(f);
	arch_current()->reclaiming = false;
	CHECK(!list_empty(&ext_sb_of(sb)->dying));
	page_flag_clear(p, PG_LOCKED);
	page_put(p);
	work_flush(&ext_sb_of(sb)->reaper);
	CHECK(list_empty(&ext_sb_of(sb)->dying));
	host_umount(sb);
	check_image(1);
	drop_image();
}
