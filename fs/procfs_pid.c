/*
 * procfs: directories of processes, by the tables that kernel/proc registered.
 *
 * An inode here stands for one entry of one task: a directory (with its table of fixed entries and
 * its dynamic ones), a text, a link, or a file with operations of its own. It holds a reference to
 * the task handle. What a name means can change at any time, so every cached name is asked again at
 * each use (revalidate): a process directory must still be found under its number with the same
 * handle, a dynamic entry must still exist with the same mode.
 *
 * Inode numbers follow from the parent's number and the name, so that readdir and stat agree
 * without a table. Links are magic: following one goes straight to the object (an open file, a
 * root, an executable), reading it gives the path as the reader sees it.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/poll.h>
#include "fs/procfs_internal.h"
#include "fs/namei.h"
#include "fs/pseudo.h"
#include "fs/textfile.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

#define DYNAMIC_POS 0x10000u /* readdir positions of dynamic entries: this plus the key */

struct pid_inode {
	struct inode vfs; /* first */
	void *task; /* I: reference; NULL in the links of the root */
	/* I: fixed entry, NULL: dynamic, or a process directory */
	const struct procfs_pid_entry *entry;
	/* I: of a directory its own table, of a dynamic entry the parent's */
	const struct procfs_dir_ops *dir;
	u64 key; /* I: of a dynamic entry */
	bool thread; /* I: /proc/thread-self, not /proc/self */
};

static const struct procfs_pid_ops *pids; /* I after boot */

static const struct inode_ops dir_ops, file_ops_none, magic_ops, self_ops;
static const struct file_ops dir_fops, text_fops;

/* ctx: boot */
void procfs_register_pids(const struct procfs_pid_ops *ops)
{
	pids = ops;
}

static struct pid_inode *pid_of(const struct inode *i)
{
	return container_of(i, struct pid_inode, vfs);
}

/* ctx: any */
bool procfs_pid_is(const struct inode *i)
{
	return i->ops == &dir_ops || i->ops == &file_ops_none || i->ops == &magic_ops ||
	       i->ops == &self_ops;
}

/* ctx: thread */
void procfs_pid_evict(struct inode *i)
{
	struct pid_inode *pi = pid_of(i);

	if (pi->task)
		pids->put(pi->task);
	kfree(pi);
}

/* FNV-1a over parent and name, away from the small numbers of the fixed tree. */
static u64 ino_of(u64 parent, const char *name, u32 len)
{
	u64 h = 0xcbf29ce484222325ull ^ parent;

	for (u32 i = 0; i < len; i++)
		h = (h ^ (u8)name[i]) * 0x100000001b3ull;
	return (h >> 16) | BIT(40);
}

/* A bare inode of @mode for @name in @dir; takes over the task reference on success. */
static int make(struct inode *dir, const char *name, u32 len, u32 mode, void *task,
		struct pid_inode **out)
{
	struct pid_inode *pi = kzalloc(sizeof(*pi), 0);
	struct inode *i;

	if (!pi)
		return -ENOMEM;
	i = &pi->vfs;
	inode_init(i, dir->sb, ino_of(dir->ino, name, len), mode);
	i->uid = i->gid = 0;
	if (task)
		i->flags |= INODE_UNCACHED;
	i->ops = &file_ops_none;
	i->fops = &text_fops;
	i->priv = task;
	pi->task = task;
	if (task)
		pids->owner(task, &i->uid, &i->gid);
	if (S_ISDIR(mode)) {
		i->ops = &dir_ops;
		i->fops = &dir_fops;
		i->nlink = 2;
	} else if (S_ISLNK(mode)) {
		i->ops = &magic_ops;
		i->fops = NULL;
	}
	*out = pi;
	return 0;
}

/* The owner of a process changes with its credentials, and who asks anew is to see that. */
static void owner_refresh(struct inode *i)
{
	u32 uid, gid;

	pids->owner(i->priv, &uid, &gid);
	WRITE_ONCE(i->uid, uid);
	WRITE_ONCE(i->gid, gid);
}

/* Does current see @task where @sb hides at least as much as @from? */
static bool is_visible(const struct super *sb, void *task, enum hidepid from)
{
	enum hidepid hide = procfs_hidepid(sb);

	if (likely(hide < from))
		return true;
	if (hide != HIDEPID_NOT_PTRACEABLE && cred_in_group(current->cred, procfs_gid(sb)))
		return true;
	return pids->may_trace(task);
}

/* --- root: numbers and self --- */

static bool parse_number(const struct qname *q, u32 *out)
{
	u64 v = 0;

	if (!q->len || q->len > 10 || (q->name[0] == '0' && q->len > 1))
		return false;
	for (u32 i = 0; i < q->len; i++) {
		if (!char_is_digit(q->name[i]))
			return false;
		v = v * 10 + (u64)(q->name[i] - '0');
	}
	*out = (u32)v;
	return v <= 0x7fffffff;
}

static bool name_is(const struct qname *q, const char *s)
{
	return strlen(s) == q->len && !memcmp(q->name, s, q->len);
}

static int make_self(struct inode *root, const struct qname *q, bool thread, struct inode **out)
{
	struct pid_inode *pi;
	int err = make(root, q->name, q->len, S_IFLNK | 0777, NULL, &pi);

	if (err)
		return err;
	pi->thread = thread;
	pi->vfs.ops = &self_ops;
	*out = &pi->vfs;
	return 0;
}

/* ctx: thread; holds: the root's inode lock; sleeps. 0, -ENOENT, -ENOMEM. */
int procfs_pid_lookup_root(struct inode *root, const struct qname *q, struct inode **out)
{
	struct pid_inode *pi;
	void *task;
	u32 pid;
	int err;

	if (!pids)
		return -ENOENT;
	if (name_is(q, "self") || name_is(q, "thread-self"))
		return make_self(root, q, q->len != 4, out);
	if (!parse_number(q, &pid) || pids->find(pid, &task))
		return -ENOENT;
	err = -ENOENT;
	if (!is_visible(root->sb, task, HIDEPID_NOT_PTRACEABLE))
		goto put;
	err = make(root, q->name, q->len, S_IFDIR | 0555, task, &pi);
	if (err)
		goto put;
	pi->dir = pids->root;
	pi->vfs.flags |= INODE_IMMUTABLE;
	*out = &pi->vfs;
	return 0;
put:
	pids->put(task);
	return err;
}

/* ctx: thread */
bool procfs_pid_revalidate_root(struct inode *root, struct dentry *d)
{
	struct pid_inode *pi = pid_of(d->inode);
	struct qname q = { .name = d->name, .len = d->name_len };
	void *task;
	u32 pid;

	if (!pi->task)
		return true;
	if (!parse_number(&q, &pid) || pids->find(pid, &task))
		return false;
	pids->put(task);
	owner_refresh(d->inode);
	return task == pi->task;
}

static bool emit_text(struct dir_ctx *c, u64 parent, const char *name, u32 mode, u64 next)
{
	u32 len = (u32)strlen(name);

	if (!c->emit(c, name, len, ino_of(parent, name, len), (u8)(mode >> 12), next))
		return false;
	c->pos = next;
	return true;
}

static bool is_listed(const struct super *sb, u32 pid)
{
	void *task;
	bool listed;

	if (likely(procfs_hidepid(sb) < HIDEPID_INVISIBLE))
		return true;
	if (pids->find(pid, &task))
		return false;
	listed = is_visible(sb, task, HIDEPID_INVISIBLE);
	pids->put(task);
	return listed;
}

/*
 * Positions from PSEUDO_POS_END: self, thread-self, then processes by number. ctx: thread; sleeps.
 * 0
 */
int procfs_pid_readdir_root(struct file *f, struct dir_ctx *c)
{
	u64 root = f->inode->ino, base = PSEUDO_POS_END;
	char name[12];
	u32 pid;

	if (!pids)
		return 0;
	if (c->pos == base && !emit_text(c, root, "self", S_IFLNK, base + 1))
		return 0;
	if (c->pos == base + 1 && !emit_text(c, root, "thread-self", S_IFLNK, base + 2))
		return 0;
	while (c->pos - base - 2 <= 0x7fffffff && !pids->next((u32)(c->pos - base - 2), &pid)) {
		snprintf(name, sizeof(name), "%u", pid);
		if (!is_listed(f->inode->sb, pid))
			c->pos = base + 2 + pid + 1;
		else if (!emit_text(c, root, name, S_IFDIR, base + 2 + pid + 1))
			break;
	}
	return 0;
}

static ssize_t self_readlink(struct inode *i, char *buf, size_t size)
{
	char text[32];
	int n;

	if (pid_of(i)->thread)
		n = scnprintf(text, sizeof(text), "%u/task/%u", pids->self(), pids->self_thread());
	else
		n = scnprintf(text, sizeof(text), "%u", pids->self());
	if ((size_t)n > size)
		n = (int)size;
	memcpy(buf, text, (size_t)n);
	return n;
}

static const struct inode_ops self_ops = { .readlink = self_readlink };

/* --- directories --- */

static const struct procfs_pid_entry *entry_find(const struct procfs_dir_ops *dir,
						 const struct qname *q)
{
	const struct procfs_pid_entry *e = dir->entries;

	for (; e && e->name; e++)
		if (name_is(q, e->name))
			return e;
	return NULL;
}

static int lookup_entry(struct inode *dir, const struct procfs_pid_entry *e, const struct qname *q,
			struct inode **out)
{
	void *task = pid_of(dir)->task;
	struct pid_inode *pi;
	int err;

	if (S_ISDIR(e->mode) && !e->dir)
		return procfs_net_dir(dir->sb, out);
	err = make(dir, q->name, q->len, e->mode, task, &pi);
	if (err)
		return err;
	pids->get(task);
	pi->entry = e;
	pi->dir = e->dir;
	if (S_ISREG(e->mode) && e->ops)
		pi->vfs.fops = e->ops;
	*out = &pi->vfs;
	return 0;
}

static int lookup_dynamic(struct inode *dir, const struct qname *q, struct inode **out)
{
	struct pid_inode *pd = pid_of(dir), *pi;
	const struct procfs_dir_ops *table = pd->dir;
	void *task = pd->task;
	u64 key;
	u32 mode;
	int err;

	if (!table->find || table->find(pd->task, q->name, q->len, &key))
		return -ENOENT;
	mode = table->mode(pd->task, key);
	if (!mode)
		return -ENOENT;
	if (S_ISDIR(mode)) {
		table = table->dir(pd->task, key, &task);
		if (!table)
			return -ENOENT;
	} else {
		pids->get(task);
	}
	err = make(dir, q->name, q->len, mode, task, &pi);
	if (err) {
		pids->put(task);
		return err;
	}
	pi->dir = table;
	pi->key = key;
	if (S_ISDIR(mode))
		pi->vfs.flags |= INODE_IMMUTABLE;
	*out = &pi->vfs;
	return 0;
}

static int dir_lookup(struct inode *dir, const struct qname *q, struct inode **out)
{
	const struct procfs_pid_entry *e = entry_find(pid_of(dir)->dir, q);

	return e ? lookup_entry(dir, e, q, out) : lookup_dynamic(dir, q, out);
}

static bool dir_revalidate(struct inode *dir, struct dentry *d)
{
	struct pid_inode *pd = pid_of(dir), *pi = pid_of(d->inode);
	const struct procfs_dir_ops *t = pd->dir;
	void *sub;
	u64 key;

	if (!procfs_pid_is(d->inode)) /* net */
		return true;
	owner_refresh(d->inode);
	if (pi->entry)
		return true;
	if (!t->find || t->find(pd->task, d->name, d->name_len, &key) || key != pi->key ||
	    t->mode(pd->task, key) != d->inode->mode)
		return false;
	if (!S_ISDIR(d->inode->mode))
		return true;
	if (!t->dir(pd->task, key, &sub))
		return false;
	pids->put(sub);
	return sub == pi->task;
}

static int dir_readdir(struct file *f, struct dir_ctx *c)
{
	struct pid_inode *pd = pid_of(f->inode);
	const struct procfs_pid_entry *e = pd->dir->entries;
	char name[NAME_MAX_LEN + 1];
	u64 key;

	if (!dir_emit_dots(f, c))
		return 0;
	for (u64 n = 0; e && e[n].name; n++)
		if (c->pos == n + 2 && !emit_text(c, pd->vfs.ino, e[n].name, e[n].mode, n + 3))
			return 0;
	if (!pd->dir->next)
		return 0;
	if (c->pos < DYNAMIC_POS)
		c->pos = DYNAMIC_POS;
	while (!pd->dir->next(pd->task, c->pos - DYNAMIC_POS, &key, name)) {
		u32 mode = pd->dir->mode(pd->task, key);

		if (!mode)
			c->pos = DYNAMIC_POS + key + 1;
		else if (!emit_text(c, pd->vfs.ino, name, mode, DYNAMIC_POS + key + 1))
			break;
	}
	return 0;
}

/* See procfs.h. ctx: any */
void *procfs_dir_task(const struct file *f)
{
	const struct pid_inode *pi;

	if (f->ops != &dir_fops)
		return NULL;
	pi = pid_of(f->inode);
	return pi->dir == pids->root ? pi->task : NULL;
}

/* Owners and times may be set (and are forgotten), modes not; contents have no size. */
static int pid_setattr(struct inode *i, const struct iattr *a)
{
	struct iattr rest = *a;

	if (a->valid & ATTR_MODE)
		return -EPERM;
	rest.valid &= ~ATTR_SIZE;
	return inode_setattr_generic(i, &rest);
}

/* Its own descriptors and files are open to a process also when it has become another user. */
static bool own_files(struct inode *i)
{
	struct pid_inode *pi = pid_of(i);
	void *self;
	bool own;

	if (!pi->entry || (strcmp(pi->entry->name, "fd") && strcmp(pi->entry->name, "map_files")))
		return false;
	if (pids->find(pids->self(), &self))
		return false;
	own = self == pi->task;
	pids->put(self);
	return own;
}

/* The directory of a process is closed to who may not see into it, where hidepid= says so. */
static int dir_permission(struct inode *i, u32 mask)
{
	struct pid_inode *pi = pid_of(i);

	if (pi->dir != pids->root || is_visible(i->sb, pi->task, HIDEPID_NO_ACCESS))
		return 0;
	return procfs_hidepid(i->sb) == HIDEPID_INVISIBLE ? -ENOENT : -EPERM;
}

/* As if each directory in it had a name for it: "..". */
static u32 dir_links(const struct pid_inode *pi)
{
	const struct procfs_dir_ops *t = pi->dir;
	const struct procfs_pid_entry *e = t->entries;
	char name[NAME_MAX_LEN + 1];
	u32 n = 2;

	for (; e && e->name; e++)
		n += S_ISDIR(e->mode);
	for (u64 key = 0; t->dir && !t->next(pi->task, key, &key, name); key++)
		n++;
	return n;
}

/* What is not listed is not there. */
static int dir_getattr(struct inode *i, struct kstat *st)
{
	struct pid_inode *pi = pid_of(i);

	owner_refresh(i);
	if (pi->dir == pids->root && !is_visible(i->sb, pi->task, HIDEPID_INVISIBLE))
		return -ENOENT;
	inode_getattr_generic(i, st);
	st->nlink = dir_links(pi);
	return 0;
}

static const struct inode_ops dir_ops = {
	.lookup = dir_lookup,
	.revalidate = dir_revalidate,
	.setattr = pid_setattr,
	.permission = dir_permission,
	.getattr = dir_getattr,
	.permitted = own_files,
};
static const struct file_ops dir_fops = { .readdir = dir_readdir, .seek = sizeless_seek };

/* --- texts --- */

static int text_make(struct file *f, struct sbuf *out)
{
	struct pid_inode *pi = pid_of(f->inode);

	if (pi->entry)
		return pi->entry->show ? pi->entry->show(out, pi->task) : -EINVAL;
	return pi->dir->show ? pi->dir->show(out, pi->task, pi->key) : -EINVAL;
}

static int text_open(struct inode *i, struct file *f)
{
	struct pid_inode *pi = pid_of(i);
	int err = pi->entry && pi->entry->guarded ? pids->may_look(pi->task) : 0;

	if (!err && pi->entry && pi->entry->asked)
		err = pi->entry->show(NULL, pi->task);
	err = err ? err : textfile_open(f, text_make);
	if (!err && pi->entry && pi->entry->anywhere)
		f->mode &= ~FILE_NOPWRITE;
	return err;
}

static ssize_t text_write(struct file *f, struct uio *u, u64 *pos)
{
	struct pid_inode *pi = pid_of(f->inode);
	ssize_t n;
	char *text;

	if (!pi->entry || !pi->entry->write)
		return -EINVAL;
	n = textfile_take(u, &text);
	if (n < 0)
		return n;
	n = pi->entry->write(pi->task, text, (size_t)n);
	kfree(text);
	if (n > 0)
		*pos += (u64)n;
	return n;
}

static const struct file_ops text_fops = {
	.open = text_open,
	.release = textfile_release,
	.read = textfile_read,
	.seek = textfile_seek,
	.write = text_write,
};
static const struct inode_ops file_ops_none = { .setattr = pid_setattr };

static int mounts_open(struct inode *i, struct file *f)
{
	int err = text_open(i, f);

	if (!err)
		textfile_news(f, mount_generation());
	return err;
}

/* Each open file is told once of a change of the tree. */
static u32 mounts_poll(struct file *f, struct poll_table *pt)
{
	poll_wait(pt, &mount_waitq);
	return POLLIN | POLLRDNORM | (textfile_news(f, mount_generation()) ? POLLERR | POLLPRI : 0);
}

/* See procfs.h. */
const struct file_ops procfs_mounts_ops = {
	.open = mounts_open,
	.release = textfile_release,
	.read = textfile_read,
	.seek = textfile_seek,
	.poll = mounts_poll,
	.splice_read = true,
};

/* --- magic links --- */

static int magic_target(struct inode *i, struct path *out)
{
	struct pid_inode *pi = pid_of(i);

	if (pi->entry)
		return pi->entry->link ? pi->entry->link(pi->task, out) : -EINVAL;
	return pi->dir->link ? pi->dir->link(pi->task, pi->key, out) : -EINVAL;
}

static int magic_follow(struct inode *i, struct path *out)
{
	const struct pid_inode *pi = pid_of(i);

	if (!pi->entry && pi->dir->privileged && !cred_capable(current->cred, CAP_SYS_ADMIN) &&
	    !cred_capable(current->cred, CAP_CHECKPOINT_RESTORE))
		return -EPERM;
	return magic_target(i, out);
}

static ssize_t magic_readlink(struct inode *i, char *buf, size_t size)
{
	struct path p, root;
	char *text, *at;
	ssize_t n = magic_target(i, &p);

	if (n)
		return n;
	text = kmalloc(PATH_MAX_LEN, 0);
	if (!text) {
		path_put(&p);
		return -ENOMEM;
	}
	fsctx_get_root(&root);
	n = path_to_string(&p, &root, text, PATH_MAX_LEN, &at);
	path_put(&root);
	path_put(&p);
	if (!n) {
		n = (ssize_t)MIN(strlen(at), size);
		memcpy(buf, at, (size_t)n);
	}
	kfree(text);
	return n;
}

static const struct inode_ops magic_ops = {
	.follow = magic_follow,
	.readlink = magic_readlink,
	.setattr = pid_setattr,
};
