/*
 * Descriptor tables: small numbers to open files, shared by the threads of a process (CLONE_FILES).
 *
 * A slot is free (its bit clear), reserved (bit set, no file: a call is about to install one) or
 * open. The lock (rank FDTABLE) guards everything; arrays grow by doubling, the new ones made
 * before the lock is taken.
 *
 * The common case costs nothing: a table with refs == 1 belongs to one thread, which can then read
 * its slots without the lock and use the file without a reference of its own, since only it could
 * close the descriptor (fd_borrow). Another process that looks (/proc/PID/fd) raises refs and takes
 * the lock, and never changes a slot.
 *
 * close(2), dup(2), close_range(2). POSIX record locks belong to a table, and go with any close of
 * the file (fcntl(2)).
 */
#include <linux/close_range.h>
#include <linux/errno.h>
#include "fs/locks.h"
#include "fs/notify.h"
#include "fs/namei.h"
#include "fs/procfs.h"
#include "kernel/base/panic.h"
#include "kernel/lib/bitmap.h"
#include "kernel/lib/string.h"
#include "kernel/sched/work.h"
#include "mm/kvm.h"
#include "mm/slab.h"

#define FDS_INLINE 64
#define ARRAYS_KMALLOC 16384 /* larger ones need not lie in one block of frames */

/* The growing part; f: guarded by the table's lock. */
struct fdarrays {
	u32 size; /* f: slots, a multiple of 64 */
	struct file **files; /* f */
	u64 *open; /* f: slot is used */
	u64 *cloexec; /* f: close it at exec */
};

/* f: guarded by .lock (rank FDTABLE); o: also read by the only owner without it; a atomic. */
struct fdtable {
	refcount_t refs; /* a */
	struct spinlock lock;
	u32 next; /* f: no free slot below */
	struct fdtable *reap; /* o: list of tables whose end was deferred */
	struct fdarrays a; /* f, o */
	u64 open1, cloexec1; /* f: of the first 64 */
	struct file *files1[FDS_INLINE]; /* f */
};

static struct kmem_cache *table_cache; /* I after the first table */
static struct fdtable *reap_list; /* a: stack of tables to close */

static void reap_run(struct work *w);
static struct work reap_work; /* I after the first table */

static struct fdtable *table_alloc(void)
{
	struct fdtable *t;

	if (!table_cache) { /* the first is made at boot, alone */
		table_cache = kmem_cache_create("fdtable", sizeof(struct fdtable), 64);
		work_init(&reap_work, reap_run);
	}
	t = kmem_cache_alloc(table_cache, 0);
	if (!t)
		return NULL;
	ref_init(&t->refs, 1);
	spin_init(&t->lock, RANK_FDTABLE);
	t->next = 0;
	t->a = (struct fdarrays){ FDS_INLINE, t->files1, &t->open1, &t->cloexec1 };
	t->open1 = t->cloexec1 = 0;
	memset(t->files1, 0, sizeof(t->files1));
	return t;
}

/* An empty table. ctx: thread; sleeps. 0 or -ENOMEM. */
int fdtable_create(struct fdtable **out)
{
	*out = table_alloc();
	return *out ? 0 : -ENOMEM;
}

int fd_nr_open = 1 << 20; /* a */
SYSCTL_INT(fd_nr_open, "sys/fs/nr_open", &fd_nr_open, 64, 0x7fffffc0);

/* Files, then both bit maps, in one block. */
static size_t arrays_bytes(u32 size)
{
	return size * sizeof(struct file *) + size / 64 * 2 * sizeof(u64);
}

static int arrays_alloc(u32 size, struct fdarrays *a)
{
	size_t words = size / 64, bytes = arrays_bytes(size);
	u64 *block = bytes > ARRAYS_KMALLOC ? kvm_alloc(bytes, 0) : kzalloc(bytes, 0);

	if (!block)
		return -ENOMEM;
	a->size = size;
	a->files = (struct file **)block;
	a->open = block + size;
	a->cloexec = a->open + words;
	return 0;
}

static void arrays_free(struct fdtable *t, struct fdarrays *a)
{
	if (arrays_bytes(a->size) > ARRAYS_KMALLOC)
		kvm_free(a->files);
	else if (a->files != t->files1)
		kfree(a->files);
}

static void arrays_copy(struct fdarrays *to, const struct fdarrays *from)
{
	u32 n = MIN(to->size, from->size);

	memcpy(to->files, from->files, n * sizeof(struct file *));
	memcpy(to->open, from->open, n / 8);
	memcpy(to->cloexec, from->cloexec, n / 8);
}

/*
 * Make room for slot @fd. Returns 0, -ENOMEM; -EMFILE beyond any limit. Called and left without the
 * lock.
 */
static int table_grow(struct fdtable *t, u32 fd)
{
	struct fdarrays n, old;
	u32 size = FDS_INLINE;
	int err;

	if (fd >= (u32)READ_ONCE(fd_nr_open))
		return -EMFILE;
	while (size <= fd)
		size *= 2;
	err = arrays_alloc(size, &n);
	if (err)
		return err;
	spin_lock(&t->lock);
	old = t->a;
	if (old.size < n.size) {
		arrays_copy(&n, &old);
		t->a = n;
	} else {
		old = n; /* somebody else was faster */
	}
	spin_unlock(&t->lock);
	arrays_free(t, &old);
	return 0;
}

/*
 * References to the open files of @a; reserved slots are free in a copy. holds: the original's lock
 */
static void copy_references(struct fdtable *t)
{
	for (u64 fd = bitmap_find_set(t->a.open, t->a.size, 0); fd != BITMAP_NONE;
	     fd = bitmap_find_set(t->a.open, t->a.size, fd + 1)) {
		if (t->a.files[fd]) {
			file_get(t->a.files[fd]);
		} else {
			bitmap_clear(t->a.open, fd);
			bitmap_clear(t->a.cloexec, fd);
		}
	}
}

/* Slots up to the last that is used, in whole words. holds: the table's lock */
static u32 slots_used(const struct fdtable *t)
{
	u32 n = t->a.size;

	while (n > 64 && !t->a.open[n / 64 - 1])
		n -= 64;
	return n;
}

/*
 * Copy, as large as the open descriptors need. ctx: thread; sleeps.
 * Returns 0, -ENOMEM; -EMFILE: one is beyond the limit, which was higher when it was opened.
 */
int fdtable_copy(struct fdtable *t, struct fdtable **out)
{
	struct fdtable *n = table_alloc();
	u32 want;
	int err;

	if (!n)
		return -ENOMEM;
	spin_lock(&t->lock);
	while (n->a.size < (want = slots_used(t))) {
		spin_unlock(&t->lock);
		err = table_grow(n, want - 1);
		if (err) {
			fdtable_put(n);
			return err;
		}
		spin_lock(&t->lock);
	}
	arrays_copy(&n->a, &t->a);
	copy_references(n);
	spin_unlock(&t->lock);
	*out = n;
	return 0;
}

/* ctx: any */
struct fdtable *fdtable_get(struct fdtable *t)
{
	ref_get(&t->refs);
	return t;
}

/* See vfs.h. ctx: thread */
bool fdtable_get_cloexec(struct fdtable *t, int fd)
{
	bool yes;

	spin_lock(&t->lock);
	yes = fd >= 0 && (u32)fd < t->a.size && bitmap_test(t->a.cloexec, (u64)fd);
	spin_unlock(&t->lock);
	return yes;
}

/* Does anybody else use (or look at) @t? ctx: any */
bool fdtable_shared(const struct fdtable *t)
{
	return ref_read(&t->refs) > 1;
}

/* What close does with a file that left table @t. Consumes the reference. */
static int close_file(struct fdtable *t, struct file *f)
{
	int err = 0;

	if (f->inode->locks && !(f->mode & FILE_PATH))
		locks_remove_posix(f, t);
	notify_close(f, t);
	if (f->ops && f->ops->flush && !(f->mode & FILE_PATH))
		err = f->ops->flush(f);
	file_put(f);
	return err;
}

/* Close all of @t, which nobody refers to any more. */
static void table_end(struct fdtable *t)
{
	for (u64 fd = bitmap_find_set(t->a.open, t->a.size, 0); fd != BITMAP_NONE;
	     fd = bitmap_find_set(t->a.open, t->a.size, fd + 1))
		if (t->a.files[fd])
			close_file(t, t->a.files[fd]);
	arrays_free(t, &t->a);
	kmem_cache_free(table_cache, t);
}

/* Drop a reference; the last closes all. ctx: thread; sleeps. */
void fdtable_put(struct fdtable *t)
{
	if (ref_put(&t->refs))
		table_end(t);
}

static void reap_run(struct work *w)
{
	struct fdtable *t = word_xchg(&reap_list, NULL), *next;

	for (; t; t = next) {
		next = t->reap;
		table_end(t);
	}
}

/* See vfs.h. ctx: any; sleeps: no */
void fdtable_put_deferred(struct fdtable *t)
{
	struct fdtable *head;

	if (!ref_put(&t->refs))
		return;
	head = load_acquire(&reap_list);
	do {
		t->reap = head;
	} while (!__atomic_compare_exchange_n(&reap_list, &head, t, false, __ATOMIC_ACQ_REL,
					      __ATOMIC_ACQUIRE));
	work_queue(&reap_work);
}

static inline struct file *slot(const struct fdtable *t, u32 fd)
{
	return fd < t->a.size ? t->a.files[fd] : NULL;
}

/* As fd_borrow, O_PATH files included. ctx: thread; sleeps: no. 0 or -EBADF. */
int fd_borrow_any(int fd, struct fdref *out)
{
	struct fdtable *t = current->files;
	struct file *f;

	if (unlikely(!t))
		return -EBADF;
	out->counted = ref_read(&t->refs) != 1;
	if (unlikely(out->counted))
		return fd_get_any(fd, &out->file);
	f = slot(t, (u32)fd);
	out->file = f;
	return likely(f) ? 0 : -EBADF;
}

/* See vfs.h. ctx: thread; sleeps: no. -EBADF also for O_PATH. */
int fd_borrow(int fd, struct fdref *out)
{
	struct fdtable *t = current->files;
	struct file *f;

	if (unlikely(!t))
		return -EBADF;
	if (likely(ref_read(&t->refs) == 1)) {
		f = slot(t, (u32)fd);
		if (unlikely(!f || (f->mode & FILE_PATH)))
			return -EBADF;
		out->file = f;
		out->counted = false;
		return 0;
	}
	out->counted = true;
	return fd_get(fd, &out->file);
}

/* ctx: thread; sleeps when it is the last reference. */
void fd_release(struct fdref *r)
{
	if (unlikely(r->counted))
		file_put(r->file);
}

/* File of @fd, O_PATH included, with a reference. ctx: thread; sleeps: no. -EBADF */
int fd_get_any(int fd, struct file **out)
{
	struct fdtable *t = current->files;
	struct file *f;

	if (unlikely(!t))
		return -EBADF;
	spin_lock(&t->lock);
	f = slot(t, (u32)fd);
	if (f)
		file_get(f);
	spin_unlock(&t->lock);
	if (!f)
		return -EBADF;
	*out = f;
	return 0;
}

/* As above without O_PATH files. ctx: thread */
int fd_get(int fd, struct file **out)
{
	struct file *f;
	int err = fd_get_any(fd, &f);

	if (err)
		return err;
	if (f->mode & FILE_PATH) {
		file_put(f);
		return -EBADF;
	}
	*out = f;
	return 0;
}

/*
 * Lowest free descriptor >= @min, marked used, to be installed or unreserved.
 * ctx: thread; sleeps. Returns 0, -EMFILE (@limit), -ENOMEM.
 */
int fd_reserve(int min, u64 limit, bool cloexec, int *out)
{
	struct fdtable *t = current->files;
	u64 fd;
	int err;

	if (!t || (u64)min >= limit)
		return -EMFILE;
	for (;;) {
		spin_lock(&t->lock);
		fd = bitmap_find_clear(t->a.open, t->a.size, MAX((u32)min, t->next));
		if (fd != BITMAP_NONE || t->a.size >= limit)
			break;
		fd = MAX((u32)min, t->a.size);
		spin_unlock(&t->lock);
		err = table_grow(t, (u32)fd);
		if (err)
			return err;
	}
	err = -EMFILE;
	if (fd < limit) { /* BITMAP_NONE is above any limit that is one */
		bitmap_set(t->a.open, fd);
		if (cloexec)
			bitmap_set(t->a.cloexec, fd);
		else
			bitmap_clear(t->a.cloexec, fd);
		if ((u32)min <= t->next)
			t->next = (u32)fd + 1;
		*out = (int)fd;
		err = 0;
	}
	spin_unlock(&t->lock);
	return err;
}

/*
 * Put @f, whose reference it takes over, into reserved @fd. ctx: thread; sleeps: no; cannot fail.
 */
void fd_install(int fd, struct file *f)
{
	struct fdtable *t = current->files;

	spin_lock(&t->lock);
	debug_assert(!t->a.files[fd]);
	t->a.files[fd] = f;
	spin_unlock(&t->lock);
}

/* holds: the lock */
static void slot_free(struct fdtable *t, u32 fd)
{
	t->a.files[fd] = NULL;
	bitmap_clear(t->a.open, fd);
	bitmap_clear(t->a.cloexec, fd);
	t->next = MIN(t->next, fd);
}

/* Give a reserved descriptor back. ctx: thread */
void fd_unreserve(int fd)
{
	struct fdtable *t = current->files;

	spin_lock(&t->lock);
	slot_free(t, (u32)fd);
	spin_unlock(&t->lock);
}

/* close(2). ctx: thread; sleeps. 0, -EBADF, or what flush says (it is closed all the same). */
int fd_close(int fd)
{
	struct fdtable *t = current->files;
	struct file *f;

	if (!t)
		return -EBADF;
	spin_lock(&t->lock);
	f = slot(t, (u32)fd);
	if (f)
		slot_free(t, (u32)fd);
	spin_unlock(&t->lock);
	return f ? close_file(t, f) : -EBADF;
}

/*
 * dup2(2): @newfd becomes another name of @f (a reference of its own), what it was is closed.
 * ctx: thread; sleeps. Returns @newfd, -EBADF (beyond @limit), -EBUSY (reserved by a call under
 * way), -ENOMEM.
 */
int fd_dup2(struct file *f, int newfd, bool cloexec, u64 limit)
{
	struct fdtable *t = current->files;
	struct file *old;
	int err;

	if (newfd < 0 || (u64)newfd >= limit)
		return -EBADF;
	if ((u32)newfd >= t->a.size) {
		err = table_grow(t, (u32)newfd);
		if (err)
			return err == -EMFILE ? -EBADF : err;
	}
	spin_lock(&t->lock);
	old = t->a.files[newfd];
	if (!old && bitmap_test(t->a.open, (u32)newfd)) {
		spin_unlock(&t->lock);
		return -EBUSY;
	}
	t->a.files[newfd] = file_get(f);
	bitmap_set(t->a.open, (u32)newfd);
	if (cloexec)
		bitmap_set(t->a.cloexec, (u32)newfd);
	else
		bitmap_clear(t->a.cloexec, (u32)newfd);
	spin_unlock(&t->lock);
	if (old)
		close_file(t, old);
	return newfd;
}

/* F_GETFD: 1 with FD_CLOEXEC, 0 without. ctx: thread. -EBADF */
int fd_get_cloexec(int fd)
{
	struct fdtable *t = current->files;
	int r = -EBADF;

	spin_lock(&t->lock);
	if (slot(t, (u32)fd))
		r = bitmap_test(t->a.cloexec, (u32)fd);
	spin_unlock(&t->lock);
	return r;
}

/* F_SETFD. ctx: thread. 0 or -EBADF */
int fd_set_cloexec(int fd, bool on)
{
	struct fdtable *t = current->files;
	int r = -EBADF;

	spin_lock(&t->lock);
	if (slot(t, (u32)fd)) {
		if (on)
			bitmap_set(t->a.cloexec, (u32)fd);
		else
			bitmap_clear(t->a.cloexec, (u32)fd);
		r = 0;
	}
	spin_unlock(&t->lock);
	return r;
}

/* close_range(2) within current's table: close, or only mark. ctx: thread; sleeps. 0 */
int fd_close_range(u32 first, u32 last, bool cloexec_only)
{
	struct fdtable *t = current->files;
	struct file *f;
	u64 fd = first;

	for (;; fd++) {
		spin_lock(&t->lock);
		fd = fd < t->a.size ? bitmap_find_set(t->a.open, t->a.size, fd) : BITMAP_NONE;
		if (fd > last) { /* also BITMAP_NONE */
			spin_unlock(&t->lock);
			return 0;
		}
		f = t->a.files[fd];
		if (f && cloexec_only)
			bitmap_set(t->a.cloexec, fd);
		else if (f)
			slot_free(t, (u32)fd);
		spin_unlock(&t->lock);
		if (f && !cloexec_only)
			close_file(t, f);
	}
}

/* exec: close what is marked. ctx: thread, sole owner of @t; sleeps. */
void fdtable_close_on_exec(struct fdtable *t)
{
	struct file *f;
	u64 fd = 0;

	for (;; fd++) {
		spin_lock(&t->lock);
		fd = fd < t->a.size ? bitmap_find_set(t->a.cloexec, t->a.size, fd) : BITMAP_NONE;
		if (fd == BITMAP_NONE) {
			spin_unlock(&t->lock);
			return;
		}
		f = t->a.files[fd];
		if (f)
			slot_free(t, (u32)fd);
		spin_unlock(&t->lock);
		if (f)
			close_file(t, f);
	}
}

/* See vfs.h. ctx: thread; sleeps: no */
int fdtable_next(struct fdtable *t, int from, int *fd, struct file **out)
{
	int err = -ENOENT;

	spin_lock(&t->lock);
	for (u32 k = (u32)MAX(from, 0); k < t->a.size; k++) {
		if (t->a.files[k]) {
			*out = file_get(t->a.files[k]);
			*fd = (int)k;
			err = 0;
			break;
		}
	}
	spin_unlock(&t->lock);
	return err;
}

/*
 * See vfs.h. What several descriptors or tables refer to counts in parts; the files themselves
 * count, too.
 * ctx: thread; sleeps: no
 */
u64 fdtable_memory(struct fdtable *t)
{
	u64 frames = 0, files = 0;

	spin_lock(&t->lock);
	for (u32 k = 0; k < t->a.size; k++) {
		const struct file *f = t->a.files[k];

		if (!f)
			continue;
		files++;
		if (f->ops && f->ops->memory)
			frames += f->ops->memory(f) / MAX(ref_read(&f->refs), 1u);
	}
	spin_unlock(&t->lock);
	return frames + files * sizeof(struct file) / PAGE_SIZE;
}

/* Slots there are (FDSize of /proc/PID/status). ctx: any */
u32 fdtable_size(struct fdtable *t)
{
	return READ_ONCE(t->a.size);
}

/* See vfs.h. ctx: thread; sleeps: no */
bool fd_table_has(const struct file *f)
{
	struct fdtable *t = current->files;
	bool found = false;

	spin_lock(&t->lock);
	for (u32 k = 0; k < t->a.size && !found; k++)
		found = t->a.files[k] == f;
	spin_unlock(&t->lock);
	return found;
}
