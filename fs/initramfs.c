/*
 * Unpacks the initramfs into the root file system at boot.
 *
 * The data is one or more archives behind each other, each plain or compressed with gzip, with zero
 * bytes between them allowed; a gzip member may itself hold several. cpio.c reads the format.
 * Contents of files are read (or inflated) straight into the frames that become the file's page
 * cache.
 *
 * Names that come several times with one inode number are hard links; a later entry replaces an
 * earlier one of the same name, as on Linux; missing parent directories are made. Directories get
 * their times at the end, since filling them changes those.
 *
 * Whatever is wrong ends in an error and one sentence that initramfs_error() gives; what was
 * unpacked before it stays.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include "fs/cpio.h"
#include "fs/namei.h"
#include "fs/tmpfs.h"
#include "kernel/base/log.h"
#include "kernel/base/time.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include <zlib.h>

#define LINK_BUCKETS 64

/* A name that further names may be linked to. */
struct known_link {
	struct known_link *next;
	u32 ino, dev_major, dev_minor;
	char name[];
};

struct dir_time {
	struct dir_time *next;
	s64 mtime;
	char name[];
};

struct unpack {
	struct cpio_reader r; /* first */
	const u8 *data; /* all of the input */
	size_t size, at;
	z_stream z; /* when inflating */
	bool z_end;
	struct path root;
	struct known_link *links[LINK_BUCKETS];
	struct dir_time *dirs;
};

static const char *last_error;

/* Why the last initramfs_unpack() failed, as a clause. ctx: boot */
const char *initramfs_error(void)
{
	return last_error;
}

static struct unpack *unpack_of(struct cpio_reader *r)
{
	return container_of(r, struct unpack, r);
}

static ssize_t read_plain(struct cpio_reader *r, void *buf, size_t n)
{
	struct unpack *u = unpack_of(r);

	n = MIN(n, u->size - u->at);
	memcpy(buf, u->data + u->at, n);
	u->at += n;
	return (ssize_t)n;
}

static ssize_t read_inflate(struct cpio_reader *r, void *buf, size_t n)
{
	struct unpack *u = unpack_of(r);
	int ret;

	u->z.next_out = buf;
	u->z.avail_out = (uInt)n;
	while (u->z.avail_out && !u->z_end) {
		ret = inflate(&u->z, Z_NO_FLUSH);
		if (ret == Z_STREAM_END) {
			u->z_end = true;
		} else if (ret == Z_MEM_ERROR) {
			r->why = "there is not enough memory to decompress it";
			return -ENOMEM;
		} else if (ret != Z_OK) {
			r->why = ret == Z_BUF_ERROR ? "the compressed data ends early"
						    : "the compressed data is damaged";
			return -EINVAL;
		}
	}
	return (ssize_t)(n - u->z.avail_out);
}

static voidpf z_alloc(voidpf opaque, uInt items, uInt size)
{
	return kcalloc(items, size, 0);
}

static void z_free(voidpf opaque, voidpf p)
{
	kfree(p);
}

static const char *strip(const char *name)
{
	for (;;) {
		if (*name == '/')
			name++;
		else if (name[0] == '.' && (name[1] == '/' || !name[1]))
			name++;
		else
			return name;
	}
}

static int make_parents(struct unpack *u, char *name)
{
	int err = 0;

	for (char *p = strchr(name, '/'); p && !err; p = strchr(p + 1, '/')) {
		*p = '\0';
		err = vfs_mkdir(&u->root, name, 0755);
		*p = '/';
		if (err == -EEXIST)
			err = 0;
	}
	return err;
}

/* Remove what has the name @name, unless it is a directory that is to stay one. */
static int make_room(struct unpack *u, const char *name, u32 mode)
{
	struct path p;
	u32 old;
	int err = path_lookup(&u->root, name, 0, &p);

	if (err)
		return err == -ENOENT ? 0 : err;
	old = dentry_inode(p.dentry)->mode;
	path_put(&p);
	if (S_ISDIR(old))
		return S_ISDIR(mode) ? 0 : vfs_rmdir(&u->root, name);
	return vfs_unlink(&u->root, name);
}

static struct known_link **link_bucket(struct unpack *u, const struct cpio_entry *e)
{
	return &u->links[(e->ino + e->dev_minor * 7 + e->dev_major * 31) % LINK_BUCKETS];
}

static struct known_link *link_find(struct unpack *u, const struct cpio_entry *e)
{
	struct known_link *l = *link_bucket(u, e);

	while (l &&
	       (l->ino != e->ino || l->dev_major != e->dev_major || l->dev_minor != e->dev_minor))
		l = l->next;
	return l;
}

static int link_remember(struct unpack *u, const struct cpio_entry *e, const char *name)
{
	size_t n = strlen(name) + 1;
	struct known_link *l = kmalloc(sizeof(*l) + n, 0), **b = link_bucket(u, e);

	if (!l)
		return -ENOMEM;
	l->ino = e->ino;
	l->dev_major = e->dev_major;
	l->dev_minor = e->dev_minor;
	memcpy(l->name, name, n);
	l->next = *b;
	*b = l;
	return 0;
}

static int link_to(struct unpack *u, const char *old, const char *name)
{
	struct path p;
	int err = path_lookup(&u->root, old, 0, &p);

	if (err)
		return err;
	err = vfs_link(&p, &u->root, name);
	path_put(&p);
	return err;
}

static int dir_remember(struct unpack *u, const struct cpio_entry *e, const char *name)
{
	size_t n = strlen(name) + 1;
	struct dir_time *d = kmalloc(sizeof(*d) + n, 0);

	if (!d)
		return -ENOMEM;
	d->mtime = (s64)e->mtime * NSEC_PER_SEC;
	memcpy(d->name, name, n);
	d->next = u->dirs;
	u->dirs = d;
	return 0;
}

static void take_attributes(struct inode *i, const struct cpio_entry *e)
{
	rwsem_write_lock(&i->lock);
	i->uid = e->uid;
	i->gid = e->gid;
	i->mode = (i->mode & S_IFMT) | (e->mode & 07777);
	i->atime = i->mtime = (s64)e->mtime * NSEC_PER_SEC;
	rwsem_write_unlock(&i->lock);
}

static int set_attributes(struct unpack *u, const struct cpio_entry *e, const char *name)
{
	struct path p;
	int err = path_lookup(&u->root, name, LOOKUP_EMPTY, &p);

	if (err)
		return err;
	take_attributes(dentry_inode(p.dentry), e);
	path_put(&p);
	return 0;
}

/* The next page of the entry's data, into a frame of the file's. */
static int take_page(struct unpack *u, struct pagecache *pc, u64 index, u32 n)
{
	struct page *p = pmm_alloc(0, 0);
	char *va;
	int err;

	if (!p)
		return -ENOMEM;
	va = page_to_va(p);
	err = cpio_read_data(&u->r, va, n);
	if (!err) {
		memset(va + n, 0, PAGE_SIZE - n);
		err = pagecache_insert(pc, index, p);
	}
	if (err)
		page_put(p);
	return err;
}

static int take_contents(struct unpack *u, struct inode *i)
{
	struct pagecache *pc = i->cache;
	u32 size = u->r.data_left;
	u64 index = 0;
	int err = 0;

	if (!pc)
		return -EINVAL;
	WRITE_ONCE(pc->size, size);
	WRITE_ONCE(i->size, size);
	while (u->r.data_left && !err)
		err = take_page(u, pc, index++, MIN(u->r.data_left, (u32)PAGE_SIZE));
	tmpfs_recount(i);
	return err;
}

static int make_regular(struct unpack *u, const struct cpio_entry *e, const char *name)
{
	struct known_link *l = e->nlink > 1 ? link_find(u, e) : NULL;
	struct file *f;
	int err = make_room(u, name, e->mode);

	if (!err && l)
		err = link_to(u, l->name, name);
	else if (!err && e->nlink > 1)
		err = link_remember(u, e, name);
	if (err || (l && !e->size))
		return err;
	err = vfs_open(&u->root, name, O_CREAT | O_WRONLY | O_TRUNC | O_NOFOLLOW, 0600, 0, &f);
	if (err)
		return err;
	err = take_contents(u, f->inode);
	if (!err)
		take_attributes(f->inode, e);
	file_put(f);
	return err;
}

static int make_symlink(struct unpack *u, const struct cpio_entry *e, const char *name)
{
	char *target = kmalloc(e->size + 1, 0);
	int err;

	if (!target)
		return -ENOMEM;
	err = cpio_read_data(&u->r, target, e->size);
	if (!err) {
		target[e->size] = '\0';
		err = make_room(u, name, e->mode);
	}
	if (!err)
		err = vfs_symlink(target, &u->root, name);
	kfree(target);
	return err ? err : set_attributes(u, e, name);
}

static int make_dir(struct unpack *u, const struct cpio_entry *e, const char *name)
{
	int err = make_room(u, name, e->mode);

	if (!err)
		err = vfs_mkdir(&u->root, name, 0700);
	if (err && err != -EEXIST)
		return err;
	err = set_attributes(u, e, name);
	return err ? err : dir_remember(u, e, name);
}

static int make_special(struct unpack *u, const struct cpio_entry *e, const char *name)
{
	struct known_link *l = e->nlink > 1 ? link_find(u, e) : NULL;
	int err = make_room(u, name, e->mode);

	if (err)
		return err;
	if (l)
		return link_to(u, l->name, name);
	err = vfs_mknod(&u->root, name, e->mode, dev_make(e->rdev_major, e->rdev_minor));
	if (!err)
		err = set_attributes(u, e, name);
	return !err && e->nlink > 1 ? link_remember(u, e, name) : err;
}

static int skip_data(struct unpack *u)
{
	char buf[64];
	int err = 0;

	while (u->r.data_left && !err)
		err = cpio_read_data(&u->r, buf, MIN(u->r.data_left, (u32)sizeof(buf)));
	return err;
}

static int make_entry(struct unpack *u, const struct cpio_entry *e, char *name)
{
	int err;

	if (!*name) /* the root itself */
		return set_attributes(u, e, name);
	err = make_parents(u, name);
	if (err)
		return err;
	switch (e->mode & S_IFMT) {
	case S_IFREG: return make_regular(u, e, name);
	case S_IFLNK: return make_symlink(u, e, name);
	case S_IFDIR: return make_dir(u, e, name);
	}
	return make_special(u, e, name);
}

static const char *reason_of(int err)
{
	switch (err) {
	case -ENOMEM:
	case -ENOSPC: return "there is not enough memory for its files";
	case -ENOTDIR:
	case -ENOTEMPTY:
	case -EISDIR:
	case -EEXIST: return "two of its entries contradict each other";
	case -ENAMETOOLONG: return "a name in it is too long";
	}
	return "an entry of it cannot be made";
}

static int on_entry(struct cpio_reader *r, const struct cpio_entry *e, char *name)
{
	struct unpack *u = unpack_of(r);
	int err = make_entry(u, e, (char *)strip(name));

	if (!err)
		err = skip_data(u);
	if (err && !r->why)
		r->why = reason_of(err);
	return err;
}

/* Archives in one gzip member, with zeroes between. */
static int unpack_member(struct unpack *u)
{
	u8 word[4];
	ssize_t n;
	int err;

	for (;;) {
		n = read_inflate(&u->r, word, sizeof(word));
		if (n < 0)
			return (int)n;
		if (n < (ssize_t)sizeof(word))
			return 0;
		if (!memcmp(word, "\0\0\0\0", 4))
			continue;
		err = cpio_read_archive(&u->r, word, sizeof(word));
		if (err)
			return err;
	}
}

static int unpack_gzip(struct unpack *u)
{
	int err;

	memset(&u->z, 0, sizeof(u->z));
	u->z.zalloc = z_alloc;
	u->z.zfree = z_free;
	u->z.next_in = (z_const Bytef *)(u->data + u->at);
	u->z.avail_in = (uInt)MIN(u->size - u->at, 0xffffffffUL);
	u->z_end = false;
	u->r.read = read_inflate;
	if (inflateInit2(&u->z, 16 + MAX_WBITS) != Z_OK) {
		u->r.why = "there is not enough memory to decompress it";
		return -ENOMEM;
	}
	err = unpack_member(u);
	u->at = (size_t)(u->z.next_in - u->data);
	inflateEnd(&u->z);
	return err;
}

/* A known compression that is not gzip? */
static const char *foreign_format(const u8 *p, size_t n)
{
	static const struct {
		const char *magic;
		u8 len;
		const char *why;
	} formats[] = {
		{ "\xfd"
		  "7zXZ",
		  5, "it is compressed with xz, not gzip" },
		{ "\x28\xb5\x2f\xfd", 4, "it is compressed with zstd, not gzip" },
		{ "BZh", 3, "it is compressed with bzip2, not gzip" },
		{ "\x02\x21\x4c\x18", 4, "it is compressed with lz4, not gzip" },
		{ "\x89LZO", 4, "it is compressed with lzop, not gzip" },
		{ "\x5d\0\0", 3, "it is compressed with lzma, not gzip" },
	};

	for (u32 k = 0; k < ARRAY_SIZE(formats); k++)
		if (n >= formats[k].len && !memcmp(p, formats[k].magic, formats[k].len))
			return formats[k].why;
	return "it is neither a cpio archive nor gzip data";
}

static int unpack_all(struct unpack *u)
{
	const u8 *p;
	size_t left;
	int err = 0;

	while (!err) {
		while (u->at < u->size && !u->data[u->at])
			u->at++;
		p = u->data + u->at;
		left = u->size - u->at;
		if (!left)
			break;
		if (left >= 2 && p[0] == 0x1f && p[1] == 0x8b) {
			err = unpack_gzip(u);
		} else if (*p == '0') {
			u->r.read = read_plain;
			err = cpio_read_archive(&u->r, NULL, 0);
		} else {
			u->r.why = foreign_format(p, left);
			err = -EINVAL;
		}
	}
	return err;
}

static void set_dir_times(struct unpack *u)
{
	struct dir_time *d;
	struct path p;

	while ((d = u->dirs) != NULL) {
		u->dirs = d->next;
		if (!path_lookup(&u->root, d->name, 0, &p)) {
			dentry_inode(p.dentry)->atime = dentry_inode(p.dentry)->mtime = d->mtime;
			path_put(&p);
		}
		kfree(d);
	}
}

static void free_links(struct unpack *u)
{
	for (u32 k = 0; k < LINK_BUCKETS; k++) {
		struct known_link *l = u->links[k], *next;

		for (; l; l = next) {
			next = l->next;
			kfree(l);
		}
	}
}

/*
 * Unpack @data into the root, over what is there.
 * ctx: boot thread; sleeps. Returns 0, or -errno and initramfs_error() says why.
 */
int initramfs_unpack(const void *data, size_t size)
{
	struct unpack *u = kzalloc(sizeof(*u), 0);
	int err;

	last_error = "there is not enough memory for it";
	if (!u)
		return -ENOMEM;
	u->r.entry = on_entry;
	u->data = data;
	u->size = size;
	fsctx_get_root(&u->root);
	err = unpack_all(u);
	if (err)
		last_error = u->r.why ? u->r.why : reason_of(err);
	set_dir_times(u);
	free_links(u);
	path_put(&u->root);
	kfree(u);
	return err;
}
