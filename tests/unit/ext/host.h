#pragma once
/*
 * The ext driver on the host: an image in memory under the real files of fs/ext and the real page
 * cache. Everything is one thread; who would wait for ever ends the program.
 */
#include "fs/vfs.h"

/* host.c: the kernel around the driver */
void host_image(void *data, u64 bytes); /* what the block device holds from now on */
/* 0 with the root, or the mount's error. @flags MS_*, @data options. */
int host_mount(u32 flags, const char *data, struct super **out);
void host_umount(struct super *sb);
/*
 * The image as it would be if the power went now: what was written, without what is only in memory.
 */
void host_crash(struct super *sb);
extern u32 host_writes; /* to the device, so far */
extern u64 host_fail_write, host_fail_read; /* sector that gives an error; ~0: none */
u64 host_bytes_allocated(void);
void *host_alloc(u64 n); /* zeroes */
void host_free(void *p);

void host_be(u32 uid, u32 gid); /* 0: the superuser */

/*
 * ops.c: what the VFS would do, by a directory's inode and one name. 0 or -errno; *out with a
 * reference.
 */
int host_lookup(struct inode *dir, const char *name, struct inode **out);
int host_create(struct inode *dir, const char *name, u32 mode, struct inode **out);
int host_mkdir(struct inode *dir, const char *name, struct inode **out);
int host_symlink(struct inode *dir, const char *name, const char *target);
int host_link(struct inode *dir, const char *name, struct inode *i);
int host_remove(struct inode *dir, const char *name);
int host_rename(struct inode *odir, const char *oname, struct inode *ndir, const char *nname,
		u32 flags);
extern bool host_direct; /* host_write and host_read are by O_DIRECT */
ssize_t host_write(struct inode *i, u64 pos, const void *buf, size_t n);
ssize_t host_read(struct inode *i, u64 pos, void *buf, size_t n);
int host_truncate(struct inode *i, u64 size);
int host_fsync(struct inode *i);
int host_store(struct inode *i, u64 page); /* as through a mapping */
/* Calls @each with every name; how many, or -errno. */
int host_list(struct inode *dir, void (*each)(const char *name, u32 len, u64 ino, void *arg),
	      void *arg);

/* tools.c: the C library's side */
void *tool_mkfs(const char *options, u64 bytes); /* mke2fs; to be freed by tool_free */
void tool_free(void *image, u64 bytes);
/* What e2fsck -fn says of it: NULL when that is nothing. @repair: by -fy first. */
const char *tool_fsck(void *image, u64 bytes, int repair, const char *more);
/* Contents of @path by debugfs, @size bytes of room; how many. */
long tool_cat(const void *image, u64 bytes, const char *path, void *buf, u64 size);
