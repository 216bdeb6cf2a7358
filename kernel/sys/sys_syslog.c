/*
 * The kernel log for user space: syslog(2), /dev/kmsg and /proc/kmsg over the records of
 * kernel/base/log.
 *
 * A record has a sequence number, so a reader is nothing but the number of the record it wants
 * next. syslog(2) and /proc/kmsg share one such reader (what was read is gone for the next), each
 * open of /dev/kmsg has its own. "Clearing" moves a mark that READ_ALL starts from; the ring keeps
 * its contents.
 *
 * The log calls kmsg_notify after each record in any context. Waking takes locks that the context
 * may hold when interrupts are off, so then the wake is left to the running thread's way back to
 * user mode.
 *
 * syslog_lock (EVENT) guards the shared reader and the clear mark.
 * Man pages: syslog(2), dev-kmsg in the Linux documentation for the record format.
 */
#include <asm/poll.h>
#include <linux/fs.h>
#include <arch/irqflags.h>
#include "fs/procfs.h"
#include "kernel/base/irq.h"
#include "kernel/base/log.h"
#include "kernel/lib/fmt.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/sys.h"
#include "mm/slab.h"

/* Commands of syslog(2): Linux has them in no header for user space. */
enum {
	SYSLOG_CLOSE,
	SYSLOG_OPEN,
	SYSLOG_READ,
	SYSLOG_READ_ALL,
	SYSLOG_READ_CLEAR,
	SYSLOG_CLEAR,
	SYSLOG_CONSOLE_OFF,
	SYSLOG_CONSOLE_ON,
	SYSLOG_CONSOLE_LEVEL,
	SYSLOG_SIZE_UNREAD,
	SYSLOG_SIZE_BUFFER,
};

#define LINE_MAX 1280 /* a record as text with its prefix */
#define TEXT_MAX 1024

static struct waitq kmsg_waitq = WAITQ_INIT(kmsg_waitq);
static bool kmsg_pending; /* a: readers are to be woken */
static struct spinlock syslog_lock = SPINLOCK_INIT(RANK_EVENT);
static u64 syslog_seq; /* syslog_lock: next record of the shared reader */
static u32 syslog_off; /* syslog_lock: bytes of that record taken already */
static u64 syslog_clear_seq; /* syslog_lock */
static int syslog_saved_level = -1; /* syslog_lock: level before CONSOLE_OFF */

/*
 * Wake readers after a record that came where waking was not possible.
 * ctx: thread, IRQs on; holds: nothing.
 */
void kmsg_flush_notify(void)
{
	if (READ_ONCE(kmsg_pending) && word_xchg(&kmsg_pending, false))
		waitq_wake(&kmsg_waitq, ~0u, POLLIN | POLLRDNORM);
}

static void kmsg_notify(void)
{
	if (!waitq_active(&kmsg_waitq))
		return;
	WRITE_ONCE(kmsg_pending, true);
	if (irq_in_handler() || !irq_disabled())
		kmsg_flush_notify();
	else
		word_or(&arch_current()->work, WORK_NOTIFY);
}

/* Record @*seq or the next one there is as "<prio>[secs.usecs] text\n". Length, or -EAGAIN. */
static ssize_t syslog_format(u64 *seq, char *buf, size_t size)
{
	struct log_record rec;
	char text[TEXT_MAX];
	ssize_t n = log_read(seq, &rec, text, sizeof(text));

	if (n < 0)
		return n;
	return scnprintf(buf, size, "<%u>[%5lld.%06lld] %.*s\n", rec.facility * 8u + rec.level,
			 (long long)(rec.stamp / NSEC_PER_SEC),
			 (long long)(rec.stamp % NSEC_PER_SEC / NSEC_PER_USEC), (int)n, text);
}

static bool syslog_unread(void)
{
	return READ_ONCE(syslog_seq) < log_next_seq();
}

/* What the shared reader has not had, up to @max bytes, into @line; 0: nothing. */
static size_t syslog_take(char *line, size_t max)
{
	u64 seq;
	ssize_t n;

	spin_lock(&syslog_lock);
	seq = syslog_seq;
	n = syslog_format(&seq, line, LINE_MAX);
	if (n < 0) {
		n = 0;
	} else {
		if (seq != syslog_seq)
			syslog_off = 0;
		memmove(line, line + syslog_off, (size_t)n - syslog_off);
		n -= syslog_off;
		if ((size_t)n > max) {
			syslog_seq = seq;
			syslog_off += max;
			n = (ssize_t)max;
		} else {
			syslog_seq = seq + 1;
			syslog_off = 0;
		}
	}
	spin_unlock(&syslog_lock);
	return (size_t)n;
}

static ssize_t syslog_read(struct uio *u)
{
	char *line;
	ssize_t done = 0;
	int err;

	if (!u->left)
		return 0;
	line = kmalloc(LINE_MAX, 0);
	if (!line)
		return -ENOMEM;
	while (u->left) {
		size_t n = syslog_take(line, u->left);
		ssize_t c;

		if (!n && done)
			break;
		if (!n) {
			err = u->nonblock ? -EAGAIN
					  : wait_event_interruptible(&kmsg_waitq, syslog_unread());
			if (!err)
				continue;
			done = err == -EINTR ? -ERESTARTSYS : err;
			break;
		}
		c = uio_copy_to(u, line, n);
		if (c < 0)
			done = done ? done : c;
		if (c < (ssize_t)n)
			break;
		done += c;
	}
	kfree(line);
	return done;
}

/* First record from which all text fits @len bytes, starting no earlier than @seq. */
static u64 syslog_fit(u64 seq, size_t len, char *line)
{
	size_t total = 0;
	u64 s;

	for (s = seq;; s++) {
		ssize_t n = syslog_format(&s, line, LINE_MAX);

		if (n < 0)
			break;
		total += (size_t)n;
	}
	for (s = seq; total > len; s++) {
		ssize_t n = syslog_format(&s, line, LINE_MAX);

		if (n < 0)
			break;
		total -= MIN((size_t)n, total);
	}
	return s;
}

static long syslog_read_all(u64 ubuf, size_t len, bool clear)
{
	char *line = kmalloc(LINE_MAX, 0);
	long done = 0;
	u64 seq;

	if (!line)
		return -ENOMEM;
	for (seq = syslog_fit(READ_ONCE(syslog_clear_seq), len, line);; seq++) {
		ssize_t n = syslog_format(&seq, line, LINE_MAX);

		if (n < 0 || (size_t)(done + n) > len)
			break;
		if (copy_to_user(ubuf + (u64)done, line, (size_t)n)) {
			done = -EFAULT;
			break;
		}
		done += n;
	}
	kfree(line);
	if (clear && done >= 0)
		WRITE_ONCE(syslog_clear_seq, seq);
	return done;
}

static long syslog_unread_bytes(void)
{
	char *line = kmalloc(LINE_MAX, 0);
	long total = 0;

	if (!line)
		return -ENOMEM;
	for (u64 seq = READ_ONCE(syslog_seq);; seq++) {
		ssize_t n = syslog_format(&seq, line, LINE_MAX);

		if (n < 0)
			break;
		total += n;
	}
	kfree(line);
	return total ? total - READ_ONCE(syslog_off) : 0;
}

static long syslog_console(int type, int level)
{
	spin_lock(&syslog_lock);
	if (type == SYSLOG_CONSOLE_LEVEL) {
		log_set_console_level(level);
		syslog_saved_level = -1;
	} else if (type == SYSLOG_CONSOLE_OFF) {
		if (syslog_saved_level < 0)
			syslog_saved_level = log_console_level();
		log_set_console_level(1);
	} else if (syslog_saved_level >= 0) {
		log_set_console_level(syslog_saved_level);
		syslog_saved_level = -1;
	}
	spin_unlock(&syslog_lock);
	return 0;
}

static long syslog_read_user(u64 ubuf, int len)
{
	struct uio u;

	uio_init_user(&u, ubuf, (size_t)len);
	return syslog_read(&u);
}

static int dmesg_restrict;
SYSCTL_INT(dmesg_restrict, "sys/kernel/dmesg_restrict", &dmesg_restrict, 0, 1);

/* syslog(2). ctx: thread; sleeps: SYSLOG_READ until there is a record. */
long sys_syslog(u64 type, u64 ubuf, u64 ulen)
{
	int len = (int)ulen;

	if ((READ_ONCE(dmesg_restrict) ||
	     ((int)type != SYSLOG_READ_ALL && (int)type != SYSLOG_SIZE_BUFFER)) &&
	    !sys_capable(CAP_SYSLOG) && !sys_capable(CAP_SYS_ADMIN))
		return -EPERM;
	switch ((int)type) {
	case SYSLOG_CLOSE:
	case SYSLOG_OPEN: return 0;
	case SYSLOG_READ: return !ubuf || len < 0 ? -EINVAL : syslog_read_user(ubuf, len);
	case SYSLOG_READ_ALL:
	case SYSLOG_READ_CLEAR:
		if (!ubuf || len < 0)
			return -EINVAL;
		return syslog_read_all(ubuf, (size_t)len, (int)type == SYSLOG_READ_CLEAR);
	case SYSLOG_CLEAR: WRITE_ONCE(syslog_clear_seq, log_next_seq()); return 0;
	case SYSLOG_CONSOLE_LEVEL:
		if (len < 1 || len > 8)
			return -EINVAL;
		return syslog_console(SYSLOG_CONSOLE_LEVEL, len);
	case SYSLOG_CONSOLE_OFF:
	case SYSLOG_CONSOLE_ON: return syslog_console((int)type, 0);
	case SYSLOG_SIZE_UNREAD: return syslog_unread_bytes();
	case SYSLOG_SIZE_BUFFER: return (long)log_ring_size();
	default: return -EINVAL;
	}
}

/* /proc/kmsg: syslog(2) as a file. */
static int proc_kmsg_open(struct inode *i, struct file *f)
{
	return sys_capable(CAP_SYSLOG) || sys_capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
}

static ssize_t proc_kmsg_read(struct file *f, struct uio *u, u64 *pos)
{
	return syslog_read(u);
}

/* Files of /proc that cannot be written say so. */
static ssize_t proc_kmsg_write(struct file *f, struct uio *u, u64 *pos)
{
	return -EIO;
}

static u32 proc_kmsg_poll(struct file *f, struct poll_table *pt)
{
	poll_wait(pt, &kmsg_waitq);
	return syslog_unread() ? POLLIN | POLLRDNORM : 0;
}

static const struct file_ops proc_kmsg_ops = {
	.open = proc_kmsg_open,
	.read = proc_kmsg_read,
	.write = proc_kmsg_write,
	.poll = proc_kmsg_poll,
};
PROC_FILE(kmsg, "kmsg", 0400, .ops = &proc_kmsg_ops);

/* An open of /dev/kmsg. I immutable after creation, r guarded by .lock. */
struct kmsg_reader {
	struct mutex lock; /* rank LEAF_MUTEX */
	u64 seq; /* r; a for looking: next record */
	char text[TEXT_MAX]; /* r */
};

static int kmsg_open(struct inode *i, struct file *f)
{
	struct kmsg_reader *r;

	if (READ_ONCE(dmesg_restrict) && (f->flags & O_ACCMODE) != O_WRONLY &&
	    !sys_capable(CAP_SYSLOG) && !sys_capable(CAP_SYS_ADMIN))
		return -EPERM;
	r = kmalloc(sizeof(*r), 0);
	if (!r)
		return -ENOMEM;
	mutex_init(&r->lock, RANK_LEAF_MUTEX);
	r->seq = log_first_seq();
	f->priv = r;
	return 0;
}

static void kmsg_release(struct file *f)
{
	kfree(f->priv);
}

/*
 * Next record in the extended format into @line, of LINE_MAX bytes; its length, -EAGAIN, -EPIPE
 * when records were lost.
 */
static ssize_t kmsg_next(struct kmsg_reader *r, char *line)
{
	struct log_record rec;
	u64 seq = r->seq;
	ssize_t n = log_read(&seq, &rec, r->text, sizeof(r->text));
	size_t len;

	if (n < 0)
		return n;
	if (seq != r->seq) {
		r->seq = seq;
		return -EPIPE;
	}
	len = (size_t)scnprintf(line, LINE_MAX, "%u,%llu,%lld,-;", rec.facility * 8u + rec.level,
				(unsigned long long)seq, (long long)(rec.stamp / NSEC_PER_USEC));
	for (ssize_t i = 0; i < n && len + 5 < LINE_MAX; i++) {
		u8 c = (u8)r->text[i];

		if (c < ' ' || c >= 127 || c == '\\')
			len += (size_t)scnprintf(line + len, LINE_MAX - len, "\\x%02x", c);
		else
			line[len++] = (char)c;
	}
	line[len++] = '\n';
	return (ssize_t)len;
}

/* Take the next record, if it fits @room; wait for it unless @nonblock. */
static ssize_t kmsg_take(struct kmsg_reader *r, char *line, size_t room, bool nonblock)
{
	ssize_t n;

	for (;;) {
		mutex_lock(&r->lock);
		n = kmsg_next(r, line);
		if (n > 0 && room < (size_t)n)
			n = -EINVAL;
		if (n > 0)
			r->seq++;
		mutex_unlock(&r->lock);
		if (n != -EAGAIN || nonblock)
			return n;
		if (wait_event_interruptible(&kmsg_waitq, READ_ONCE(r->seq) < log_next_seq()))
			return -ERESTARTSYS;
	}
}

/* User memory is written without the reader's lock; a record that could not be is gone. */
static ssize_t kmsg_read(struct file *f, struct uio *u, u64 *pos)
{
	char *line = kmalloc(LINE_MAX, 0);
	ssize_t n;

	if (!line)
		return -ENOMEM;
	n = kmsg_take(f->priv, line, u->left, u->nonblock);
	if (n > 0)
		n = uio_copy_to(u, line, (size_t)n);
	kfree(line);
	return n;
}

/*
 * "<N>text": priority N with facility; the default is user.warning; the kernel's own facility
 * cannot be forged.
 */
static ssize_t kmsg_write(struct file *f, struct uio *u, u64 *pos)
{
	size_t len = u->left;
	char *text, *s, *end;
	u32 prio = 8 + LOG_WARN;
	const char *after;
	u64 v;

	if (len > TEXT_MAX - 1)
		return -EINVAL;
	text = kmalloc(TEXT_MAX, 0);
	if (!text)
		return -ENOMEM;
	if (uio_copy_from(u, text, len) != (ssize_t)len) {
		kfree(text);
		return -EFAULT;
	}
	text[len] = 0;
	s = text;
	if (s[0] == '<' && str_to_u64(s + 1, &after, 10, &v) == 0 && *after == '>') {
		prio = (u32)v & 0x7ff;
		if (prio < 8)
			prio += 8;
		s += after + 1 - s;
	}
	for (end = text + len; end > s && end[-1] == '\n'; end--)
		end[-1] = 0;
	log_print_user((u8)(prio >> 3), (enum log_level)(prio & 7), s, (size_t)(end - s));
	kfree(text);
	return (ssize_t)len;
}

static s64 kmsg_seek(struct file *f, s64 off, int whence)
{
	struct kmsg_reader *r = f->priv;
	u64 seq;

	if (off)
		return -ESPIPE;
	switch (whence) {
	case SEEK_SET: seq = log_first_seq(); break;
	case SEEK_DATA: seq = READ_ONCE(syslog_clear_seq); break;
	case SEEK_END: seq = log_next_seq(); break;
	default: return -EINVAL;
	}
	mutex_lock(&r->lock);
	r->seq = MAX(seq, log_first_seq());
	mutex_unlock(&r->lock);
	return 0;
}

static u32 kmsg_poll(struct file *f, struct poll_table *pt)
{
	struct kmsg_reader *r = f->priv;
	u64 seq = READ_ONCE(r->seq);

	poll_wait(pt, &kmsg_waitq);
	if (seq >= log_next_seq())
		return 0;
	return seq < log_first_seq() ? POLLIN | POLLRDNORM | POLLERR | POLLPRI
				     : POLLIN | POLLRDNORM;
}

static const struct file_ops kmsg_ops = {
	.open = kmsg_open,
	.release = kmsg_release,
	.read = kmsg_read,
	.write = kmsg_write,
	.seek = kmsg_seek,
	.poll = kmsg_poll,
};

static struct chrdev kmsg_dev = { .name = "kmsg", .mode = 0644, .ops = &kmsg_ops };

/*
 * Make /dev/kmsg and let the log wake its readers.
 * ctx: boot.
 */
void kmsg_init(void)
{
	kmsg_dev.dev = dev_make(1, 11);
	if (chrdev_register(&kmsg_dev))
		log_warn("kmsg: no device file");
	log_notify = kmsg_notify;
}
