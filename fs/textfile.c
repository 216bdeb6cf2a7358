/*
 * Text made on demand; see the header. The buffer grows until the text fits: the builder counts
 * what it could not store, so one retry usually does. The lock keeps two readers of one open file
 * apart while the text is remade; it ranks before everything that a text's maker may take.
 */
#include <linux/errno.h>
#include <linux/fs.h>
#include "fs/notify.h"
#include "fs/textfile.h"
#include "kernel/lib/string.h"
#include "kernel/sched/mutex.h"
#include "mm/kvm.h"
#include "mm/slab.h"

#define FIRST_SIZE 2048u
#define KMALLOC_MAX 16384u /* larger texts come from the vmalloc area */
#define TRIES 6

/* t guarded by .lock, I immutable after creation, a atomic. */
struct textfile {
	struct mutex lock; /* rank TEXTFILE */
	textfile_make *make; /* I */
	char *buf; /* t */
	size_t size, len; /* t */
	bool made; /* t */
	u32 seen; /* a: by textfile_news */
};

static void text_free(struct textfile *t)
{
	if (t->size > KMALLOC_MAX)
		kvm_free(t->buf);
	else
		kfree(t->buf);
	t->buf = NULL;
	t->size = 0;
}

static int text_grow(struct textfile *t, size_t size)
{
	char *buf = size > KMALLOC_MAX ? kvm_alloc(size, 0) : kmalloc(size, 0);

	if (!buf)
		return -ENOMEM;
	text_free(t);
	t->buf = buf;
	t->size = size;
	return 0;
}

/* holds: t->lock */
static int text_make(struct textfile *t, struct file *f)
{
	struct sbuf sb;
	int err;

	t->made = false;
	for (int i = 0; i < TRIES; i++) {
		if (!t->buf) {
			err = text_grow(t, FIRST_SIZE);
			if (err)
				return err;
		}
		sbuf_init(&sb, t->buf, t->size);
		err = t->make(f, &sb);
		if (err)
			return err;
		if (!sbuf_overflowed(&sb)) {
			t->len = sb.len;
			t->made = true;
			return 0;
		}
		err = text_grow(t, ALIGN_UP(sb.len + sb.len / 8, (size_t)PAGE_SIZE));
		if (err)
			return err;
	}
	return -EAGAIN;
}

/* Prepare @f to be read as text. ctx: thread; sleeps. 0 or -ENOMEM. */
int textfile_open(struct file *f, textfile_make *make)
{
	struct textfile *t = kzalloc(sizeof(*t), 0);

	if (!t)
		return -ENOMEM;
	mutex_init(&t->lock, RANK_TEXTFILE);
	t->make = make;
	f->priv = t;
	f->mode |= FILE_NOPWRITE;
	return 0;
}

/* A setting that is no text has nothing behind its start: a read takes all that it can hold. */
static bool is_number(const struct inode *i)
{
	return (i->flags & (INODE_BOUND | INODE_JOIN)) == INODE_BOUND;
}

/* file_ops.read. ctx: thread; sleeps. Bytes, 0 at the end, or the maker's error. */
ssize_t textfile_read(struct file *f, struct uio *u, u64 *pos)
{
	struct textfile *t = f->priv;
	ssize_t n = notify_permission(f, FAN_ACCESS_PERM);

	if (n || (*pos && is_number(f->inode)))
		return n;
	mutex_lock(&t->lock);
	if (!t->made || !*pos)
		n = text_make(t, f);
	if (!n && *pos < t->len) {
		n = uio_copy_to(u, t->buf + *pos, t->len - *pos);
		if (n > 0)
			*pos += (u64)n;
	}
	mutex_unlock(&t->lock);
	return n;
}

/*
 * file_ops.seek: unless stat says a size, the end is not known before it is reached; settings say
 * that it is 0. ctx: thread. As generic_file_seek
 */
s64 textfile_seek(struct file *f, s64 off, int whence)
{
	const struct inode *i = f->inode;

	return whence > SEEK_CUR && !i->size && !(i->flags & INODE_BOUND)
		       ? -EINVAL
		       : generic_file_seek(f, off, whence);
}

/* file_ops.release. ctx: thread */
void textfile_release(struct file *f)
{
	struct textfile *t = f->priv;

	text_free(t);
	kfree(t);
}

/* See the header. ctx: thread */
bool textfile_news(struct file *f, u32 now)
{
	struct textfile *t = f->priv;

	return __atomic_exchange_n(&t->seen, now, __ATOMIC_RELAXED) != now;
}

/* See the header. ctx: thread */
bool textfile_was_read(const struct file *f)
{
	const struct textfile *t = f->priv;

	return READ_ONCE(t->made);
}

/* See the header. ctx: thread; sleeps. */
ssize_t textfile_take(struct uio *u, char **text)
{
	size_t n = u->left;
	ssize_t got;
	char *s;

	if (n >= PAGE_SIZE)
		return -EINVAL;
	s = kmalloc(n + 1, 0);
	if (!s)
		return -ENOMEM;
	got = n ? uio_copy_from(u, s, n) : 0;
	if (got < 0) {
		kfree(s);
		return got;
	}
	s[got] = '\0';
	*text = s;
	return got;
}
