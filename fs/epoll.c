/*
 * epoll (epoll(7)): a set of watched files and the list of those that may be ready.
 *
 * A struct epitem is one (file, descriptor number) of a set. It hangs an entry on every wait queue
 * that the file's poll operation names; a wake-up there puts the item on the set's ready list and
 * wakes who waits on the set. Collecting takes one after the other off, asks its file
 * again, and puts level-triggered items that are still ready back at the end.
 *
 * An item does not keep its file alive. The file knows its items (file->eps), and the last file_put
 * calls epoll_forget() before the object goes: that waits for set->lock, so a file is never polled
 * after its end.
 *
 * Locking: set->lock (mutex, rank EPOLL) guards the tree and the items, and is held while files are
 * polled; an inner set is locked inside an outer one, and epoll_control keeps the nesting free of
 * loops and at most EPOLL_DEPTH deep under nest_lock. eps_lock (spinlock) guards all files' eps
 * lists. set->ready_lock (rank EPOLL_READY, irqsave) guards the ready list; callbacks take it
 * inside the wait queue's lock.
 * s: set->lock, e: eps_lock, r: ready_lock, n: nest_lock, I: immutable.
 */
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/poll.h>
#include "fs/epoll.h"
#include "fs/fsuser.h"
#include "fs/procfs.h"
#include "kernel/base/time.h"
#include "kernel/lib/rbtree.h"
#include "kernel/lib/sbuf.h"
#include "kernel/lib/string.h"
#include "mm/pmm.h"
#include "mm/slab.h"

#define EPOLL_DEPTH 4 /* sets below one, as Linux */
#define ITEM_COST (sizeof(struct epitem) + sizeof(struct epoll_hook))
#define EPOLL_MAX_PATHS 1000
#define EPOLL_PRIVATE ((u32)(EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE))
#define EPOLL_EXCLUSIVE_OK \
	((u32)(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE))
#define POLL_ALWAYS (POLLERR | POLLHUP)

struct epoll_set {
	refcount_t refs; /* a: the file, and epoll_forget while it works on the set */
	struct mutex lock; /* rank EPOLL */
	struct rb_root items; /* s: by (file, fd) */
	u32 nitems; /* s; a for looking */
	struct file *file; /* I: the set's own */
	struct fs_user *user; /* I: counts the items */
	struct spinlock ready_lock; /* rank EPOLL_READY */
	struct list ready; /* r: struct epitem.ready */
	struct waitq wait; /* own lock: who collects */
	struct waitq pollers; /* own lock: who polls the set's descriptor */
	u32 checked, depth; /* n: by which check, which depth of sets below it was found */
};

/* One wait queue an item listens on. */
struct epoll_hook {
	struct waiter w; /* the queue's lock */
	struct waitq *q; /* s */
	struct epitem *item; /* I */
	struct epoll_hook *next; /* s */
};

struct epitem {
	struct rb_node node; /* s */
	struct epoll_set *set; /* I */
	struct file *file; /* I: no reference */
	int fd; /* I */
	u32 events; /* s; a for callbacks; EPOLL_PRIVATE bits alone: a one-shot item that fired */
	u64 data; /* s */
	struct list ready; /* r: on set->ready */
	struct list eps; /* e: file->eps */
	struct epoll_hook *hooks; /* s */
};

/* Carried through a poll operation that is to queue an item's hooks. */
struct hook_table {
	struct poll_table pt;
	struct epitem *item;
	bool failed;
};

static int max_user_watches; /* I after boot but for the sysctl */
SYSCTL_INT(epoll_max_user_watches, "sys/fs/epoll/max_user_watches", &max_user_watches, 0,
	   0x7fffffff);
static struct spinlock eps_lock = SPINLOCK_INIT(RANK_SPIN_OUTER);
static struct mutex nest_lock;
static u32 nest_checks; /* nest_lock: there were so many */
static struct kmem_cache *item_cache, *hook_cache;

static const struct file_ops epoll_ops;

static void ready_add(struct epitem *it)
{
	u64 flags = spin_lock_irqsave(&it->set->ready_lock);

	if (list_empty(&it->ready))
		list_add_tail(&it->set->ready, &it->ready);
	spin_unlock_irqrestore(&it->set->ready_lock, flags);
}

static void set_put(struct epoll_set *s)
{
	if (!ref_put(&s->refs))
		return;
	fs_user_put(s->user);
	kfree(s);
}

static void set_wake(struct epoll_set *s)
{
	waitq_wake_one(&s->wait);
	waitq_wake(&s->pollers, ~0u, POLLIN);
}

/*
 * A watched queue was woken. An exclusive item keeps the wake from others only if somebody waits on
 * its set. ctx: any; holds: the queue's lock.
 */
static bool hook_wake(struct waiter *w, u32 key)
{
	struct epitem *it = container_of(w, struct epoll_hook, w)->item;
	u32 events = READ_ONCE(it->events);
	bool taken;

	/* A one-shot item that fired is disarmed. */
	if (!(events & ~EPOLL_PRIVATE) || (key && !(key & events)))
		return false;
	ready_add(it);
	smp_mb(); /* who comes to wait after this sees the item */
	taken = !(events & EPOLLEXCLUSIVE) || waitq_active(&it->set->wait);
	set_wake(it->set);
	return taken;
}

static void hook_queue(struct poll_table *pt, struct waitq *q)
{
	struct hook_table *t = container_of(pt, struct hook_table, pt);
	struct epoll_hook *h = t->failed ? NULL : kmem_cache_alloc(hook_cache, PMM_ZERO);

	if (!h) {
		t->failed = true;
		return;
	}
	waiter_init(&h->w);
	h->w.wake = hook_wake;
	h->q = q;
	h->item = t->item;
	h->next = t->item->hooks;
	t->item->hooks = h;
	if (t->item->events & EPOLLEXCLUSIVE)
		waitq_add_exclusive(q, &h->w);
	else
		waitq_add(q, &h->w);
}

static void hooks_remove(struct epitem *it)
{
	struct epoll_hook *h;

	while ((h = it->hooks)) {
		it->hooks = h->next;
		waitq_remove(h->q, &h->w);
		kmem_cache_free(hook_cache, h);
	}
}

/* What @it's file is ready for now, of what is asked for. */
static u32 item_poll(struct epitem *it, struct poll_table *pt)
{
	return file_poll(it->file, pt) & it->events;
}

static int key_compare(const struct epitem *it, const struct file *f, int fd)
{
	if (it->file != f)
		return (u64)f < (u64)it->file ? -1 : 1;
	return fd < it->fd ? -1 : fd > it->fd;
}

static struct epitem *item_find(struct epoll_set *s, const struct file *f, int fd)
{
	struct rb_node *n = s->items.node;

	while (n) {
		struct epitem *it = rb_entry(n, struct epitem, node);
		int c = key_compare(it, f, fd);

		if (!c)
			return it;
		n = c < 0 ? n->left : n->right;
	}
	return NULL;
}

static bool item_less(const struct rb_node *a, const struct rb_node *b)
{
	const struct epitem *x = rb_entry(a, struct epitem, node);

	return key_compare(rb_entry(b, struct epitem, node), x->file, x->fd) < 0;
}

/* Take @it out of everything and free it. holds: set->lock. */
static void item_destroy(struct epitem *it)
{
	u64 flags;

	hooks_remove(it);
	flags = spin_lock_irqsave(&it->set->ready_lock);
	list_del(&it->ready);
	spin_unlock_irqrestore(&it->set->ready_lock, flags);
	spin_lock(&eps_lock);
	list_del(&it->eps);
	spin_unlock(&eps_lock);
	rb_erase(&it->set->items, &it->node);
	WRITE_ONCE(it->set->nitems, it->set->nitems - 1);
	fs_user_uncharge(&it->set->user->epoll_watches);
	kmem_cache_free(item_cache, it);
}

static int item_add(struct epoll_set *s, int fd, struct file *f, const struct epoll_event *ev)
{
	struct hook_table t = { .pt = { .queue = hook_queue, .key = ev->events | POLL_ALWAYS } };
	struct epitem *it;
	u32 now;

	if (!fs_user_charge(&s->user->epoll_watches, (u32)READ_ONCE(max_user_watches)))
		return -ENOSPC;
	it = kmem_cache_alloc(item_cache, PMM_ZERO);
	if (!it) {
		fs_user_uncharge(&s->user->epoll_watches);
		return -ENOMEM;
	}
	it->set = s;
	it->file = f;
	it->fd = fd;
	it->events = ev->events | POLL_ALWAYS;
	it->data = ev->data;
	list_init(&it->ready);
	rb_insert(&s->items, &it->node, item_less);
	WRITE_ONCE(s->nitems, s->nitems + 1);
	spin_lock(&eps_lock);
	list_add(&f->eps, &it->eps);
	spin_unlock(&eps_lock);
	t.item = it;
	now = item_poll(it, &t.pt);
	if (t.failed) {
		item_destroy(it);
		return -ENOMEM;
	}
	if (now) {
		ready_add(it);
		set_wake(s);
	}
	return 0;
}

static int item_modify(struct epitem *it, const struct epoll_event *ev)
{
	if ((it->events | ev->events) & EPOLLEXCLUSIVE)
		return -EINVAL;
	WRITE_ONCE(it->events, ev->events | POLL_ALWAYS);
	it->data = ev->data;
	if (item_poll(it, NULL)) {
		ready_add(it);
		set_wake(it->set);
	}
	return 0;
}

/* --- nesting --- */

/* Is @f an epoll set? ctx: any. */
bool file_is_epoll(const struct file *f)
{
	return f->ops == &epoll_ops;
}

/*
 * Depth of sets below @s, or EPOLL_DEPTH + 1 when that is too deep or @avoid is among them. A set
 * is looked at once, however many ways lead to it. holds: nest_lock.
 */
static u32 nest_depth(struct epoll_set *s, struct epoll_set *avoid, u32 level)
{
	u32 deepest = 0;

	if (s == avoid || level > EPOLL_DEPTH)
		return EPOLL_DEPTH + 1;
	if (s->checked == nest_checks)
		return s->depth;
	mutex_lock_nested(&s->lock);
	for (struct rb_node *n = rb_first(&s->items); n; n = rb_next(n)) {
		struct epitem *it = rb_entry(n, struct epitem, node);

		if (file_is_epoll(it->file))
			deepest = MAX(deepest, 1 + nest_depth(it->file->priv, avoid, level + 1));
	}
	mutex_unlock(&s->lock);
	s->checked = nest_checks;
	s->depth = MIN(deepest, (u32)EPOLL_DEPTH + 1);
	return s->depth;
}

/* How many sets lie above @s; @budget bounds the sets looked at. holds: nest_lock, eps_lock. */
static u32 nest_height(struct epoll_set *s, u32 level, u32 *budget)
{
	u32 highest = 0;
	struct epitem *it;

	list_for_each(it, &s->file->eps, eps) {
		if (level > EPOLL_DEPTH || !*budget)
			return EPOLL_DEPTH;
		--*budget;
		highest = MAX(highest, 1 + nest_height(it->set, level + 1, budget));
	}
	return highest;
}

/* May @target, a set, go into @outer? 0 or -ELOOP. holds: nest_lock. */
static int nest_check(struct epoll_set *outer, struct file *target)
{
	u32 budget = EPOLL_MAX_PATHS, height;

	spin_lock(&eps_lock);
	height = nest_height(outer, 1, &budget);
	spin_unlock(&eps_lock);
	nest_checks++;
	return height + nest_depth(target->priv, outer, 1) >= EPOLL_DEPTH ? -ELOOP : 0;
}

/* --- operations --- */

static int control_locked(struct epoll_set *s, int op, int fd, struct file *target,
			  const struct epoll_event *ev)
{
	struct epitem *it = item_find(s, target, fd);

	switch (op) {
	case EPOLL_CTL_ADD: return it ? -EEXIST : item_add(s, fd, target, ev);
	case EPOLL_CTL_MOD: return it ? item_modify(it, ev) : -ENOENT;
	case EPOLL_CTL_DEL:
		if (!it)
			return -ENOENT;
		item_destroy(it);
		return 0;
	default: return -EINVAL;
	}
}

static int exclusive_check(int op, struct file *target, const struct epoll_event *ev)
{
	if (op == EPOLL_CTL_DEL || !(ev->events & EPOLLEXCLUSIVE))
		return 0;
	if (op == EPOLL_CTL_MOD || file_is_epoll(target) || (ev->events & ~EPOLL_EXCLUSIVE_OK))
		return -EINVAL;
	return 0;
}

/*
 * epoll_ctl(2); see epoll.h.
 * ctx: thread; sleeps: yes.
 */
int epoll_control(struct file *set, int op, int fd, struct file *target,
		  const struct epoll_event *ev)
{
	struct epoll_set *s = set->priv;
	bool nesting = op == EPOLL_CTL_ADD && file_is_epoll(target);
	int err;

	if (!target->ops->poll)
		return -EPERM;
	if (set == target || !file_is_epoll(set))
		return -EINVAL;
	err = exclusive_check(op, target, ev);
	if (err)
		return err;
	if (nesting) {
		mutex_lock(&nest_lock);
		err = nest_check(s, target);
		if (err)
			goto unlock_nest;
	}
	mutex_lock_nested(&s->lock);
	err = control_locked(s, op, fd, target, ev);
	mutex_unlock(&s->lock);

unlock_nest:
	if (nesting)
		mutex_unlock(&nest_lock);
	return err;
}

/*
 * The first of the ready items, taken off. @last bounds a walk: it becomes the item that was last
 * when the walk began, behind which come those that are listed again meanwhile; NULL at first.
 * holds: set->lock, so that the item @last stays.
 */
static struct epitem *ready_pop(struct epoll_set *s, struct epitem **last)
{
	struct epitem *it = NULL;
	u64 flags = spin_lock_irqsave(&s->ready_lock);

	if (!list_empty(&s->ready)) {
		if (!*last)
			*last = list_last(&s->ready, struct epitem, ready);
		it = list_first(&s->ready, struct epitem, ready);
		list_del(&it->ready);
	}
	spin_unlock_irqrestore(&s->ready_lock, flags);
	return it;
}

/* Report @it if it is ready; level-triggered ones stay listed. holds: set->lock. */
static bool item_report(struct epitem *it, struct epoll_event *out)
{
	u32 now = item_poll(it, NULL);

	if (!now)
		return false;
	__builtin_memset(out, 0, sizeof(*out)); /* the padding too; inlined */
	out->events = now;
	out->data = it->data;
	if (it->events & EPOLLONESHOT)
		WRITE_ONCE(it->events, it->events & EPOLL_PRIVATE);
	else if (!(it->events & EPOLLET))
		ready_add(it);
	return true;
}

static u32 set_scan(struct epoll_set *s, struct epoll_event *out, u32 max)
{
	struct epitem *it, *last = NULL;
	u32 n = 0;

	mutex_lock(&s->lock);
	do {
		it = ready_pop(s, &last);
		if (it)
			n += item_report(it, &out[n]);
	} while (n < max && it != last);
	mutex_unlock(&s->lock);
	return n;
}

static bool set_has_ready(struct epoll_set *s)
{
	return !list_empty(&s->ready);
}

/* See epoll.h. */
int epoll_find_target(struct file *set, int fd, u32 index, const struct file **out)
{
	struct epoll_set *s = set->priv;
	struct rb_node *n;
	int err = -ENOENT;

	if (!file_is_epoll(set))
		return -EINVAL;
	mutex_lock(&s->lock);
	for (n = rb_first(&s->items); n && err; n = rb_next(n)) {
		const struct epitem *it = rb_entry(n, struct epitem, node);

		if (it->fd == fd && index-- == 0) {
			*out = it->file;
			err = 0;
		}
	}
	mutex_unlock(&s->lock);
	return err;
}

/* See epoll.h. ctx: any */
u32 epoll_size(const struct file *set)
{
	const struct epoll_set *s = set->priv;

	return READ_ONCE(s->nitems);
}

/*
 * epoll_wait(2); see epoll.h.
 * ctx: thread; sleeps: yes.
 */
int epoll_collect(struct file *set, struct epoll_event *out, u32 max, s64 deadline)
{
	struct epoll_set *s = set->priv;

	for (;;) {
		u32 n = set_has_ready(s) ? set_scan(s, out, max) : 0;
		int err;

		if (n) {
			/*
			 * More may be left for another waiter. One that comes only now looks at
			 * the list before it sleeps.
			 */
			if (waitq_active(&s->wait) && set_has_ready(s))
				waitq_wake_one(&s->wait);
			return n;
		}
		if (deadline <= 0)
			return 0;
		err = WAIT_EVENT(&s->wait, set_has_ready(s), TS_SLEEPING, deadline, true);
		if (err)
			return err == -ETIMEDOUT ? 0 : err;
	}
}

/* The set's own descriptor is readable while an item is ready. */
static u32 epoll_poll(struct file *f, struct poll_table *pt)
{
	struct epoll_set *s = f->priv;
	struct epitem *it, *last = NULL;
	u32 ready = 0;

	poll_wait(pt, &s->pollers);
	if (!set_has_ready(s))
		return 0;
	mutex_lock_nested(&s->lock);
	do {
		it = ready_pop(s, &last);
		if (it && item_poll(it, NULL)) {
			ready_add(it);
			ready = POLLIN | POLLRDNORM;
		}
	} while (!ready && it != last);
	mutex_unlock(&s->lock);
	return ready;
}

static void epoll_release(struct file *f)
{
	struct epoll_set *s = f->priv;
	struct rb_node *n;

	mutex_lock(&s->lock);
	while ((n = rb_first(&s->items)))
		item_destroy(rb_entry(n, struct epitem, node));
	mutex_unlock(&s->lock);
	set_put(s);
}

static void epoll_show_fdinfo(struct file *f, struct sbuf *sb)
{
	struct epoll_set *s = f->priv;

	mutex_lock(&s->lock);
	for (struct rb_node *n = rb_first(&s->items); n; n = rb_next(n)) {
		struct epitem *it = rb_entry(n, struct epitem, node);
		struct inode *i = it->file->inode;

		sbuf_printf(sb, "tfd: %8d events: %8x data: %16llx  pos:%lli ino:%llx sdev:%llx\n",
			    it->fd, it->events, (unsigned long long)it->data,
			    (long long)it->file->pos, (unsigned long long)(i ? i->ino : 0),
			    (unsigned long long)(i ? i->sb->dev : 0));
	}
	mutex_unlock(&s->lock);
}

static const struct file_ops epoll_ops = {
	.poll = epoll_poll,
	.seek = file_seek_nothing,
	.release = epoll_release,
	.show_fdinfo = epoll_show_fdinfo,
};

/* A set that watches @f, with a reference; NULL: none is left. */
static struct epoll_set *forget_next(struct file *f)
{
	struct epoll_set *s = NULL;

	spin_lock(&eps_lock);
	/* As long as it has an item here, a set has not given up its own reference. */
	if (!list_empty(&f->eps)) {
		s = list_first(&f->eps, struct epitem, eps)->set;
		ref_get(&s->refs);
	}
	spin_unlock(&eps_lock);
	return s;
}

/*
 * Take @f out of every set that watches it; see epoll.h.
 * ctx: thread; holds: no lock ranked EPOLL or later; sleeps: yes.
 */
void epoll_forget(struct file *f)
{
	struct epoll_set *s;

	while ((s = forget_next(f))) {
		mutex_lock(&s->lock);
		for (struct rb_node *n = rb_first(&s->items), *next; n; n = next) {
			next = rb_next(n);
			if (rb_entry(n, struct epitem, node)->file == f)
				item_destroy(rb_entry(n, struct epitem, node));
		}
		mutex_unlock(&s->lock);
		set_put(s);
	}
}

/*
 * A new set; see epoll.h.
 * ctx: thread; sleeps: yes.
 */
int epoll_create(struct file **out)
{
	struct epoll_set *s = kzalloc(sizeof(*s), 0);
	int err;

	if (!s)
		return -ENOMEM;
	err = fs_user_get(current->cred->euid, &s->user);
	if (err)
		goto free;
	ref_init(&s->refs, 1);
	mutex_init(&s->lock, RANK_EPOLL);
	spin_init(&s->ready_lock, RANK_EPOLL_READY);
	list_init(&s->ready);
	waitq_init(&s->wait);
	waitq_init(&s->pollers);
	err = file_alloc_anon("[eventpoll]", &epoll_ops, s, FILE_READ | FILE_WRITE | FILE_STREAM,
			      O_RDWR, &s->file);
	if (err)
		goto put_user;
	*out = s->file;
	return 0;

put_user:
	fs_user_put(s->user);
free:
	kfree(s);
	return err;
}

/*
 * Caches and locks of all sets; a user's items may take a twenty-fifth of the memory.
 * ctx: boot.
 */
void epoll_init(void)
{
	struct pmm_stats st;

	pmm_get_stats(&st);
	max_user_watches = (int)MIN(st.total / 25 * PAGE_SIZE / ITEM_COST, 0x7fffffffULL);
	mutex_init(&nest_lock, RANK_EPOLL);
	item_cache = kmem_cache_create("epitem", sizeof(struct epitem), 8);
	hook_cache = kmem_cache_create("epoll_hook", sizeof(struct epoll_hook), 8);
}
