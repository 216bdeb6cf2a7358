/*
 * What the VFS does around the driver's operations, with as many locks as one thread can need.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include "fs/ext/ext.h"
#include "kernel/lib/errseq.h"
#include "kernel/lib/string.h"
#include "tests/unit/ext/host.h"

static struct mount any_mount;

struct named {
	struct dentry d;
};

static void named_init(struct dentry *d, struct inode *dir, const char *name, struct inode *i)
{
	memset(d, 0, sizeof(*d));
	d->name = name;
	d->name_len = (u16)strlen(name);
	d->inode = i;
	d->sb = dir->sb;
}

int host_lookup(struct inode *dir, const char *name, struct inode **out)
{
	struct qname q = { name, (u32)strlen(name), 0 };

	return dir->ops->lookup ? dir->ops->lookup(dir, &q, out) : -ENOTDIR;
}

/* A name that is not there. */
static int new_name(struct inode *dir, const char *name, struct dentry *d)
{
	struct inode *i;
	int err = host_lookup(dir, name, &i);

	if (!err) {
		inode_put(i);
		return -EEXIST;
	}
	named_init(d, dir, name, NULL);
	return err == -ENOENT ? 0 : err;
}

int host_create(struct inode *dir, const char *name, u32 mode, struct inode **out)
{
	struct dentry d;
	int err = new_name(dir, name, &d);

	return err ? err : dir->ops->create(dir, &d, mode, 0, out);
}

int host_mkdir(struct inode *dir, const char *name, struct inode **out)
{
	struct dentry d;
	int err = new_name(dir, name, &d);

	return err ? err : dir->ops->mkdir(dir, &d, S_IFDIR | 0755, out);
}

int host_symlink(struct inode *dir, const char *name, const char *target)
{
	struct inode *i;
	struct dentry d;
	int err = new_name(dir, name, &d);

	if (!err)
		err = dir->ops->symlink(dir, &d, target, &i);
	if (!err)
		inode_put(i);
	return err;
}

int host_link(struct inode *dir, const char *name, struct inode *i)
{
	struct dentry d;
	int err = new_name(dir, name, &d);

	return err ? err : dir->ops->link(dir, &d, i);
}

int host_remove(struct inode *dir, const char *name)
{
	struct inode *i;
	struct dentry d;
	int err = host_lookup(dir, name, &i);

	if (err)
		return err;
	named_init(&d, dir, name, i);
	err = i == dir		 ? -EINVAL
	      : S_ISDIR(i->mode) ? dir->ops->rmdir(dir, &d)
				 : dir->ops->unlink(dir, &d);
	inode_put(i);
	return err;
}

int host_rename(struct inode *odir, const char *oname, struct inode *ndir, const char *nname,
		u32 flags)
{
	struct inode *oi, *ni = NULL;
	struct dentry od, nd;
	int err = host_lookup(odir, oname, &oi);

	if (err)
		return err;
	err = host_lookup(ndir, nname, &ni);
	if (err && err != -ENOENT)
		goto put;
	err = 0;
	named_init(&od, odir, oname, oi);
	named_init(&nd, ndir, nname, ni);
	if (oi == ndir || ni == odir || oi == odir || ni == ndir)
		err = -EINVAL;
	else if (ni && S_ISDIR(ni->mode) != S_ISDIR(oi->mode))
		err = -EISDIR;
	else if (ni != oi)
		err = odir->ops->rename(odir, &od, ndir, &nd, flags);
	if (ni)
		inode_put(ni);
put:
	inode_put(oi);
	return err;
}

static void file_of(struct file *f, struct inode *i, u32 flags)
{
	memset(f, 0, sizeof(*f));
	f->inode = i;
	f->flags = flags;
	f->mode = FILE_READ | FILE_WRITE;
	f->ops = i->fops;
	f->path.mnt = &any_mount;
	f->wb_err = i->cache ? errseq_sample(&i->cache->error) : 0;
}

bool host_direct;

ssize_t host_write(struct inode *i, u64 pos, const void *buf, size_t n)
{
	struct file f;
	struct uio u;

	file_of(&f, i, O_RDWR | (host_direct ? O_DIRECT : 0));
	uio_init_kernel(&u, (void *)(uintptr_t)buf, n);
	return i->fops->write(&f, &u, &pos);
}

ssize_t host_read(struct inode *i, u64 pos, void *buf, size_t n)
{
	struct file f;
	struct uio u;

	file_of(&f, i, O_RDWR | (host_direct ? O_DIRECT : 0));
	uio_init_kernel(&u, buf, n);
	return i->fops->read(&f, &u, &pos);
}

int host_truncate(struct inode *i, u64 size)
{
	struct iattr a = { .valid = ATTR_SIZE, .size = size };

	return i->ops->setattr(i, &a);
}

int host_fsync(struct inode *i)
{
	struct file f;

	file_of(&f, i, O_RDWR);
	return i->fops->fsync(&f, 0, ~0ull, false);
}

int host_store(struct inode *i, u64 index)
{
	struct page *p;
	int err = pagecache_get(i->cache, index, &p);

	if (err)
		return err;
	err = i->cache->ops->make_writable(i->cache, index);
	if (!err) {
		*(u64 *)page_to_va(p) = 0x1122334455667788;
		pagecache_mark_dirty(i->cache, p);
	}
	page_put(p);
	return err;
}

struct listing {
	struct dir_ctx c; /* first */
	void (*each)(const char *name, u32 len, u64 ino, void *arg);
	void *arg;
	int n;
};

static bool list_emit(struct dir_ctx *c, const char *name, u32 len, u64 ino, u8 type, u64 next)
{
	struct listing *l = (struct listing *)c;

	l->n++;
	if (l->each)
		l->each(name, len, ino, l->arg);
	return true;
}

int host_list(struct inode *dir, void (*each)(const char *name, u32 len, u64 ino, void *arg),
	      void *arg)
{
	struct listing l = { .c.emit = list_emit, .each = each, .arg = arg };
	struct file f;
	int err;

	file_of(&f, dir, O_RDONLY);
	err = dir->fops->readdir(&f, &l.c);
	return err ? err : l.n;
}
