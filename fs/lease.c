/*
 * File leases (fcntl(2), F_SETLEASE): who has one is told before somebody else's open or truncation
 * of the file takes effect, which waits for him.
 *
 * A lease belongs to an open file. A read lease excludes writers, a write lease any other open.
 * Whoever opens the file in a way that conflicts marks the leases as breaking, has their holders
 * signalled through the owner of their file (async.h), and waits until they are given up or
 * downgraded, at most lease-break-time seconds; then they are taken. O_NONBLOCK does not wait, yet
 * breaks them. A reader asks a write lease only to become a read lease.
 *
 * A file is counted as open (inode.readers, inode.writers) before its opener looks for leases, and
 * a lease is on the list before its taker looks at the counts, with full barriers between: so of
 * two that meet at least one sees the other.
 *
 * Leases that end by time do so when somebody looks. The lock of the inode's context (SPIN_OUTER)
 * guards them; signals are sent inside it. A lease goes with its open file, to which it has no
 * reference.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <asm/siginfo.h>
#include "fs/async.h"
#include "fs/caller.h"
#include "fs/locks_internal.h"
#include "fs/procfs.h"
#include "kernel/base/errno.h"
#include "kernel/sched/thread.h"
#include "mm/slab.h"

/* l: guarded by the context's lock */
struct lease {
	struct list link; /* l: of the context; later of what is to be freed */
	struct file *file; /* I */
	int fd; /* l: what si_fd says */
	u32 pid; /* I */
	int type; /* l: F_RDLCK, F_WRLCK */
	bool downgrade, unlock; /* l: somebody waits for it to become a read lease, to end */
	s64 downgrade_at, unlock_at; /* l: when it does so by itself */
};

/* Who waits, on his own stack. */
struct lease_breaker {
	struct list link; /* l */
	u32 pid; /* I */
	bool write; /* I */
};

static int leases_enable = 1;
static int lease_break_time = 45;
SYSCTL_INT(leases_enable, "sys/fs/leases-enable", &leases_enable, -0x7fffffff - 1, 0x7fffffff);
SYSCTL_INT(lease_break_time, "sys/fs/lease-break-time", &lease_break_time, -0x7fffffff - 1,
	   0x7fffffff);

const struct caller_ops *caller_ops;

/* See caller.h. */
u32 caller_number(void)
{
	struct pid *p = caller_ops->get(false);
	u32 nr = caller_ops->number(p);

	caller_ops->put(p);
	return nr;
}

/* What it is, or is to become. holds: the context's lock */
static int target_of(const struct lease *l)
{
	return l->unlock ? F_UNLCK : l->downgrade ? F_RDLCK : l->type;
}

/* Give @l another type; F_UNLCK puts it on @dead. holds: c->lock */
static void lease_change(struct file_lock_ctx *c, struct lease *l, int type, struct list *dead)
{
	l->type = type;
	if (type != F_WRLCK)
		l->downgrade = false;
	if (type == F_UNLCK) {
		file_owner_ops->disown(l->file);
		list_del(&l->link);
		list_add(dead, &l->link);
	}
	waitq_wake_all(&c->lease_wait);
}

/* What nobody gave up in time. holds: c->lock */
static void leases_expire(struct file_lock_ctx *c, struct list *dead)
{
	s64 now = time_now();
	struct lease *l, *tmp;

	list_for_each_safe(l, tmp, &c->leases, link) {
		if (l->unlock && now >= l->unlock_at)
			lease_change(c, l, F_UNLCK, dead);
		else if (l->downgrade && now >= l->downgrade_at)
			lease_change(c, l, F_RDLCK, dead);
	}
}

static void leases_free(struct list *dead)
{
	struct lease *l, *tmp;

	list_for_each_safe(l, tmp, dead, link)
		kfree(l);
}

/* The lease of @f. holds: c->lock */
static struct lease *lease_find(struct file_lock_ctx *c, const struct file *f)
{
	struct lease *l;

	list_for_each(l, &c->leases, link)
		if (l->file == f)
			return l;
	return NULL;
}

/* Is the file open in a way that @type excludes, beside @f? */
static bool opened_otherwise(const struct file *f, int type)
{
	struct inode *i = f->inode;
	int writers = (int)(__atomic_load_n(&i->writers, __ATOMIC_SEQ_CST) -
			    __atomic_load_n(&i->deny_write, __ATOMIC_SEQ_CST));
	u32 readers = __atomic_load_n(&i->readers, __ATOMIC_SEQ_CST);

	if (type == F_RDLCK)
		return writers > 0;
	if (f->mode & FILE_WRITE)
		return writers != 1 || readers;
	return writers || readers != !!(f->mode & FILE_READ);
}

/* May @f get a lease of @type, as far as the others go? holds: c->lock */
static bool others_allow(struct file_lock_ctx *c, const struct file *f, int type)
{
	struct lease *l;

	list_for_each(l, &c->leases, link)
		if (l->file != f && (type == F_WRLCK || l->unlock))
			return false;
	return true;
}

/* Take a lease, or change the one there is; uses up *fresh for a new one. holds: c->lock */
static int lease_take(struct file_lock_ctx *c, struct file *f, int type, struct lease **fresh,
		      struct list *dead)
{
	struct lease *l = lease_find(c, f);

	if (opened_otherwise(f, type) || !others_allow(c, f, type))
		return -EAGAIN;
	if (l) {
		lease_change(c, l, type, dead);
		return 0;
	}
	if (!READ_ONCE(leases_enable))
		return -EINVAL;
	l = *fresh;
	l->type = type;
	list_add_tail(&c->leases, &l->link);
	smp_mb();
	if (opened_otherwise(f, type)) {
		list_del(&l->link);
		return -EAGAIN;
	}
	*fresh = NULL;
	return 0;
}

static int lease_add(struct file *f, int fd, int type)
{
	struct lease *fresh = kzalloc(sizeof(*fresh), 0);
	struct list dead = LIST_INIT(dead);
	struct file_lock_ctx *c;
	int err = fresh ? locks_make_ctx(f->inode, &c) : -ENOMEM;

	if (err)
		goto out;
	fresh->file = f;
	fresh->pid = caller_number();
	spin_lock(&c->lock);
	leases_expire(c, &dead);
	err = lease_take(c, f, type, &fresh, &dead);
	if (!err) {
		lease_find(c, f)->fd = fd;
		file_owner_ops->claim(f);
	}
	spin_unlock(&c->lock);
	leases_free(&dead);
out:
	kfree(fresh);
	return err;
}

/* F_UNLCK. 0, or -EAGAIN: @f has none. */
static int lease_give_up(struct file *f)
{
	struct file_lock_ctx *c = locks_ctx_of(f->inode);
	struct list dead = LIST_INIT(dead);
	struct lease *l;

	if (!c)
		return -EAGAIN;
	spin_lock(&c->lock);
	l = lease_find(c, f);
	if (l)
		lease_change(c, l, F_UNLCK, &dead);
	spin_unlock(&c->lock);
	leases_free(&dead);
	return l ? 0 : -EAGAIN;
}

/* See locks.h. */
int lease_set(struct file *f, int fd, u64 type)
{
	int err;

	if (type != F_RDLCK && type != F_WRLCK && type != F_UNLCK)
		return -EINVAL;
	if (current->cred->fsuid != f->inode->uid && !thread_capable(CAP_LEASE))
		return -EACCES;
	if (!S_ISREG(f->inode->mode))
		return -EINVAL;
	if (type == F_UNLCK)
		return lease_give_up(f);
	err = lease_add(f, fd, (int)type);
	if (err != -EAGAIN)
		return err;
	file_flush_deferred(); /* a mapping may just have gone, with its file to be released */
	return lease_add(f, fd, (int)type);
}

/* See locks.h. */
int lease_get(struct file *f)
{
	struct file_lock_ctx *c = locks_ctx_of(f->inode);
	struct list dead = LIST_INIT(dead);
	int type = F_UNLCK;
	struct lease *l;

	if (!c)
		return type;
	spin_lock(&c->lock);
	leases_expire(c, &dead);
	l = lease_find(c, f);
	if (l)
		type = target_of(l);
	spin_unlock(&c->lock);
	leases_free(&dead);
	return type;
}

/* See locks_internal.h. */
void lease_release_file(struct file *f, struct file_lock_ctx *c)
{
	if (!list_empty(&c->leases))
		(void)lease_give_up(f);
}

static bool lease_conflicts(const struct lease *l, bool write)
{
	return write || l->type == F_WRLCK;
}

/* Mark what is in the way as breaking, and tell the holders. holds: c->lock */
static void leases_break(struct file_lock_ctx *c, bool write)
{
	int seconds = READ_ONCE(lease_break_time);
	s64 at = seconds > 0 ? time_now() + seconds * NSEC_PER_SEC : TIME_NEVER;
	struct lease *l;

	list_for_each(l, &c->leases, link) {
		if (!lease_conflicts(l, write) || l->unlock || (!write && l->downgrade))
			continue;
		if (write) {
			l->unlock = true;
			l->unlock_at = at;
		} else {
			l->downgrade = true;
			l->downgrade_at = at;
		}
		file_owner_ops->send(l->file, l->fd, POLL_MSG);
	}
}

/* Is anything still in the way, and until when? Leases whose time is over end. ctx: thread */
static bool still_blocked(struct file_lock_ctx *c, bool write, s64 *until)
{
	struct list dead = LIST_INIT(dead);
	bool blocked = false;
	struct lease *l;

	*until = TIME_NEVER;
	spin_lock(&c->lock);
	leases_expire(c, &dead);
	list_for_each(l, &c->leases, link) {
		if (!lease_conflicts(l, write))
			continue;
		blocked = true;
		if (l->unlock)
			*until = MIN(*until, l->unlock_at);
		if (l->downgrade)
			*until = MIN(*until, l->downgrade_at);
	}
	spin_unlock(&c->lock);
	leases_free(&dead);
	return blocked;
}

/* See locks.h: lease_break() when the file has, or had, locks. */
int lease_break_slow(struct inode *i, u32 oflags)
{
	struct file_lock_ctx *c = locks_ctx_of(i);
	struct lease_breaker b = { .pid = caller_number(),
				   .write = (oflags & O_ACCMODE) != O_RDONLY };
	s64 until;
	int err;

	if (!still_blocked(c, b.write, &until))
		return 0;
	spin_lock(&c->lock);
	leases_break(c, b.write);
	list_add_tail(&c->breakers, &b.link);
	spin_unlock(&c->lock);
	err = oflags & O_NONBLOCK ? -EWOULDBLOCK : 0;
	while (!err && still_blocked(c, b.write, &until)) {
		s64 at = until;

		err = wait_event_interruptible_timeout(
			&c->lease_wait, !still_blocked(c, b.write, &until) || until != at, at);
		if (err == -EINTR)
			err = -ERESTARTSYS;
		else
			err = 0;
	}
	spin_lock(&c->lock);
	list_del(&b.link);
	spin_unlock(&c->lock);
	return err;
}

static const char *type_name(int type)
{
	return type == F_WRLCK ? "WRITE" : type == F_RDLCK ? "READ" : "UNLCK";
}

/* See locks_internal.h. The first lease's line is followed by those who wait. */
u32 leases_show(struct sbuf *out, u32 nr, struct file_lock_ctx *c)
{
	const struct list *first = c->leases.next;
	u64 dev = c->inode->sb->dev;
	struct lease_breaker *b;
	struct lease *l;

	list_for_each(l, &c->leases, link) {
		int target = target_of(l);

		sbuf_printf(out, "%u: LEASE  %s  %s %u %02x:%02x:%llu 0 EOF\n", ++nr,
			    l->unlock || l->downgrade ? "BREAKING" : "ACTIVE  ", type_name(target),
			    l->pid, dev_major(dev), dev_minor(dev),
			    (unsigned long long)c->inode->ino);
		if (&l->link != first)
			continue;
		list_for_each(b, &c->breakers, link)
			sbuf_printf(out, "%u: -> LEASE  BREAKER   %s %u <none>:0 0 EOF\n", nr,
				    type_name(b->write ? F_WRLCK : F_RDLCK), b->pid);
	}
	return nr;
}
