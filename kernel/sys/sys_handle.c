/*
 * File handles: name_to_handle_at and open_by_handle_at.
 *
 * A handle is what Linux's tmpfs gives: three words, a generation, which is always the same here
 * because inode numbers are never used twice, and the inode's number.
 *
 * open_by_handle_at(2).
 */
#include "fs/handle.h"
#include "fs/namei.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/path.h"

/* struct file_handle, which the packaged headers leave to the C library. */
#define HANDLE_MAX 128
struct handle_head {
	u32 bytes; /* of what follows */
	int type;
};

#define HANDLE_TYPE 1 /* inode number and generation */
struct handle {
	struct handle_head head;
	u32 generation, ino_low, ino_high;
};
#define HANDLE_BYTES (sizeof(struct handle) - sizeof(struct handle_head))

static long handle_to_user(const struct path *p, u64 uhandle, u64 umount_id)
{
	struct handle h = { .head.type = HANDLE_TYPE };
	int mount_id = (int)p->mnt->id;
	u32 room;
	u64 ino;
	int err = p->mnt->sb->handles ? 0 : -EOPNOTSUPP;

	if (err)
		return err;
	if (get_user(&room, uhandle))
		return -EFAULT;
	if (room > HANDLE_MAX)
		return -EINVAL;
	if (room < HANDLE_BYTES) {
		h.head.bytes = HANDLE_BYTES;
		h.head.type = 0xff; /* no handle */
		if (put_user(umount_id, mount_id) || copy_to_user(uhandle, &h.head, sizeof(h.head)))
			return -EFAULT;
		return -EOVERFLOW;
	}
	err = handle_make(p, &ino);
	if (err)
		return err;
	h.head.bytes = HANDLE_BYTES;
	h.ino_low = (u32)ino;
	h.ino_high = (u32)(ino >> 32);
	return put_user(umount_id, mount_id) || copy_to_user(uhandle, &h, sizeof(h)) ? -EFAULT : 0;
}

/* name_to_handle_at(2). ctx: thread; sleeps */
long sys_name_to_handle_at(u64 dfd, u64 uname, u64 uhandle, u64 umount_id, u64 flags)
{
	struct path p;
	long err;

	if ((u32)flags & ~(u32)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = sys_path_lookup((int)dfd, uname, flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0,
			      (u32)flags, &p);
	if (err)
		return err;
	err = handle_to_user(&p, uhandle, umount_id);
	path_put(&p);
	return err;
}

/* The mount that @fd lies in, with a reference. */
static int mount_of_fd(int fd, struct mount **out)
{
	struct path cwd;
	struct fdref r;
	int err;

	if (fd == AT_FDCWD) {
		fsctx_get_cwd(&cwd);
		*out = mount_get(cwd.mnt);
		path_put(&cwd);
		return 0;
	}
	err = fd_borrow(fd, &r);
	if (err)
		return err;
	*out = mount_get(r.file->path.mnt);
	fd_release(&r);
	return 0;
}

static int handle_from_user(u64 uhandle, u64 *ino)
{
	u8 data[HANDLE_MAX] __aligned(8);
	struct handle_head head;
	struct handle h;

	if (copy_from_user(&head, uhandle, sizeof(head)))
		return -EFAULT;
	if (head.bytes > HANDLE_MAX || !head.bytes)
		return -EINVAL;
	if (copy_from_user(data, uhandle + sizeof(head), head.bytes))
		return -EFAULT;
	if (head.bytes < HANDLE_BYTES || head.type != HANDLE_TYPE)
		return -ESTALE;
	memcpy(&h.generation, data, HANDLE_BYTES);
	*ino = h.ino_low | (u64)h.ino_high << 32;
	return h.generation ? -ESTALE : 0;
}

static long open_handle(struct mount *m, u64 ino, u32 flags)
{
	struct path p;
	struct file *f;
	int fd, err = handle_find(m, ino, &p);

	if (err)
		return err;
	err = fd_reserve(0, proc_rlimit(RLIMIT_NOFILE), flags & O_CLOEXEC, &fd);
	if (err)
		goto put;
	flags &= ~(u32)(O_CREAT | O_EXCL | OPEN_EXEC | OPEN_UNNOTICED);
	err = vfs_open_check(flags);
	if (!err)
		err = vfs_open(&p, "", flags, 0, LOOKUP_EMPTY, &f);
	if (err) {
		fd_unreserve(fd);
		goto put;
	}
	fd_install(fd, f);
	err = fd;
put:
	path_put(&p);
	return err;
}

/* open_by_handle_at(2). ctx: thread; sleeps */
long sys_open_by_handle_at(u64 mfd, u64 uhandle, u64 flags)
{
	struct mount *m;
	u64 ino = 0;
	long ret;
	int err;

	if (!sys_capable(CAP_DAC_READ_SEARCH))
		return -EPERM;
	err = handle_from_user(uhandle, &ino);
	if (err && err != -ESTALE)
		return err;
	ret = mount_of_fd((int)mfd, &m);
	if (ret)
		return ret;
	ret = err ? err : open_handle(m, ino, (u32)flags | O_LARGEFILE);
	mount_put(m);
	return ret;
}
