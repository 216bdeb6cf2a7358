/*
 * Path walk: from a start and a string to a (mount, dentry).
 *
 * The walk is a loop, not a recursion. struct walk holds where it is (.cur) and, when symbolic
 * links are followed, a stack of the texts still to be walked: each frame owns the text of one link
 * and remembers what followed the link in the text above. A walk costs per component: one search
 * permission check, one look in the name cache, a reference taken and one given back. The start is
 * borrowed, not referenced, when the process's root and current directory belong to this thread
 * alone.
 *
 * Rules, from path_resolution(7), symlink(7) and openat2(2): at most 40 links in a walk (ELOOP); a
 * component of more than 255 bytes is ENAMETOOLONG; a slash behind the last component makes a
 * symlink followed and demands a directory; "" is ENOENT; ".." at the root stays; ".." at the root
 * of a mount leaves the mount. RESOLVE_* restrictions are checked where the forbidden step would be
 * made. protected_symlinks: a link that ends a walk in a sticky directory that all may write to is
 * followed only if its owner is the walker or the directory's owner.
 *
 * Locking: none held between components; see dentry.c for why that is safe.
 */
#include <linux/errno.h>
#include <linux/mount.h>
#include "fs/namei.h"
#include "fs/procfs.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "mm/slab.h"

static int protected_symlinks = 1;
SYSCTL_INT(protected_symlinks, "sys/fs/protected_symlinks", &protected_symlinks, 0, 1);

/* Take references on both halves. ctx: any */
void path_get(const struct path *p)
{
	mount_get(p->mnt);
	dentry_get(p->dentry);
}

/* Give both back. ctx: thread; sleeps. */
void path_put(const struct path *p)
{
	dentry_put(p->dentry);
	mount_put(p->mnt);
}

static void cur_drop(struct walk *w)
{
	if (w->own_dentry)
		dentry_put(w->cur.dentry);
	if (w->own_mnt)
		mount_put(w->cur.mnt);
	w->own_dentry = w->own_mnt = false;
}

/* Replace the dentry half; takes over the reference to @d. */
static inline void cur_set_dentry(struct walk *w, struct dentry *d)
{
	if (w->own_dentry)
		dentry_put(w->cur.dentry);
	w->cur.dentry = d;
	w->own_dentry = true;
}

/* Go to the walk's root. */
static int cur_to_root(struct walk *w)
{
	if (w->flags & LOOKUP_BENEATH)
		return -EXDEV;
	if ((w->flags & LOOKUP_NO_XDEV) && w->root.mnt != w->cur.mnt && w->cur.mnt)
		return -EXDEV;
	path_get(&w->root);
	cur_drop(w);
	w->cur = w->root;
	w->own_mnt = w->own_dentry = true;
	return 0;
}

static inline bool cur_is_root(const struct walk *w)
{
	return w->cur.dentry == w->root.dentry && w->cur.mnt == w->root.mnt;
}

/* Mounts on .cur. */
static int cross_mounts(struct walk *w)
{
	struct mount *was = w->cur.mnt;

	mount_traverse_owned(&w->cur, &w->own_mnt, &w->own_dentry);
	return (w->flags & LOOKUP_NO_XDEV) && w->cur.mnt != was ? -EXDEV : 0;
}

/* A directory moved out of the subtree that a bind mount shows must not lead outside it. */
static bool still_in_mount(const struct path *p)
{
	bool ok;

	if (likely(p->mnt->root == p->mnt->sb->root))
		return true;
	spin_lock(&vfs_tree_lock);
	ok = dentry_is_below(p->dentry, p->mnt->root);
	spin_unlock(&vfs_tree_lock);
	return ok;
}

static int step_dotdot(struct walk *w)
{
	if (cur_is_root(w))
		return w->flags & LOOKUP_BENEATH ? -EXDEV : 0;
	while (w->cur.dentry == w->cur.mnt->root) {
		if (!mount_go_up(&w->cur, &w->own_mnt, &w->own_dentry))
			return 0;
		if (w->flags & LOOKUP_NO_XDEV)
			return -EXDEV;
		if (cur_is_root(w))
			return 0;
	}
	if (!still_in_mount(&w->cur))
		return -ENOENT;
	cur_set_dentry(w, dentry_get_parent(w->cur.dentry));
	return w->cur.dentry->nmounts ? cross_mounts(w) : 0;
}

/*
 * Go to the child @d. Consumes the reference to @d.
 * ctx: thread; sleeps. Returns 0, or -EXDEV (a mount on it and LOOKUP_NO_XDEV).
 */
int walk_enter(struct walk *w, struct dentry *d)
{
	cur_set_dentry(w, d);
	return unlikely(READ_ONCE(d->nmounts)) ? cross_mounts(w) : 0;
}

/* May the link @i be followed, and in what way may it not? @last: it ends the walk. */
static int may_follow(struct walk *w, struct inode *i, bool last)
{
	struct inode *dir = dentry_inode(w->cur.dentry);
	u32 uid = READ_ONCE(i->uid), mode = READ_ONCE(dir->mode);

	if (w->nlinks++ >= SYMLINK_MAX_DEPTH || (w->flags & LOOKUP_NO_SYMLINKS))
		return -ELOOP;
	if (w->cur.mnt->flags & MS_NOSYMFOLLOW)
		return -ELOOP;
	if (last && protected_symlinks && (mode & (S_ISVTX | S_IWOTH)) == (S_ISVTX | S_IWOTH) &&
	    uid != current->cred->fsuid && uid != dir->uid)
		return -EACCES;
	return 0;
}

/* A link that leads straight to an object. */
static int follow_magic(struct walk *w, struct inode *i)
{
	struct path p;
	int err;

	if (w->flags & LOOKUP_NO_MAGICLINKS)
		return -ELOOP;
	if (w->flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT))
		return -EXDEV;
	err = i->ops->follow(i, &p);
	if (err)
		return err;
	if ((w->flags & LOOKUP_NO_XDEV) && p.mnt != w->cur.mnt) {
		path_put(&p);
		return -EXDEV;
	}
	cur_drop(w);
	w->cur = p;
	w->own_mnt = w->own_dentry = true;
	return 0;
}

/* Text of the link @i as a string of its own. */
static int read_link_text(struct inode *i, char **out)
{
	size_t size = i->size && i->size < PATH_MAX_LEN ? i->size + 1 : PATH_MAX_LEN;
	ssize_t n;
	char *text;

	if (!i->ops || !i->ops->readlink)
		return -EINVAL;
	text = kmalloc(size, 0);
	if (!text)
		return -ENOMEM;
	n = i->ops->readlink(i, text, size - 1);
	if (n <= 0) {
		kfree(text);
		return n ? (int)n : -ENOENT;
	}
	text[n] = '\0';
	*out = text;
	return 0;
}

/*
 * Follow the link @d found in .cur, with @rest still to walk after it: pushes a frame and sets
 * *name to the link's text. A magic link moves .cur and leaves *name at @rest. Consumes @d.
 */
static int follow_link(struct walk *w, struct dentry *d, const char **name, bool last)
{
	struct inode *i = dentry_inode(d);
	char *text = NULL;
	int err = may_follow(w, i, last);

	if (err)
		goto put;
	if (i->atime <= i->mtime && !(w->cur.mnt->flags & MS_NOATIME))
		inode_touch(i, ATTR_ATIME);
	if (i->ops && i->ops->follow) {
		err = follow_magic(w, i);
		goto put;
	}
	/* A disk's may have to be read. */
	err = (w->flags & LOOKUP_CACHED) && dev_major(i->sb->dev) ? -EAGAIN
								  : read_link_text(i, &text);
	if (err)
		goto put;
	if (!w->links) {
		w->links = kmalloc(SYMLINK_MAX_DEPTH * sizeof(*w->links), 0);
		if (!w->links) {
			err = -ENOMEM;
			goto free_text;
		}
	}
	w->links[w->depth++] = (struct walk_link){ .text = text, .rest = *name };
	*name = text;
	if (*text == '/')
		err = cur_to_root(w);
	goto put;
free_text:
	kfree(text);
put:
	dentry_put(d);
	return err;
}

/* Search permission on .cur, which must be a directory. */
static inline int may_search(struct walk *w)
{
	struct inode *dir = dentry_inode(w->cur.dentry);

	if (unlikely(!inode_can_lookup(dir)))
		return -ENOTDIR;
	/* A directory that all may search needs no look at who we are. */
	if ((dir->mode & 0111) == 0111 && !dir->ops->permission)
		return 0;
	return inode_permission(dir, MAY_EXEC);
}

/*
 * One component: "." and ".." or a name. @slash: something or a slash follows; @last: it ends the
 * whole walk.
 */
static int step(struct walk *w, const struct qname *q, const char **rest, bool slash, bool last)
{
	struct dentry *d;
	struct inode *i;
	int err;

	err = dentry_lookup(w->cur.dentry, q, w->flags & LOOKUP_CACHED, &d);
	if (err)
		return err;
	i = dentry_inode(d);
	if (!i) {
		dentry_put(d);
		return -ENOENT;
	}
	if (unlikely(S_ISLNK(i->mode)) && (!last || slash || (w->flags & LOOKUP_FOLLOW)))
		return follow_link(w, d, rest, last);
	return walk_enter(w, d);
}

static inline u8 last_type_of(const struct qname *q)
{
	if (q->name[0] != '.' || q->len > 2)
		return LAST_NORM;
	if (q->len == 1)
		return LAST_DOT;
	return q->name[1] == '.' ? LAST_DOTDOT : LAST_NORM;
}

/* The text on top of the stack is used up. */
static const char *pop_link(struct walk *w)
{
	struct walk_link *l = &w->links[--w->depth];

	kfree(l->text);
	return l->rest;
}

/* What follows the component that ends at @name, in this text and in those below? */
static void look_ahead(const struct walk *w, const char *name, bool *slash, bool *last)
{
	u32 depth = w->depth;

	*slash = false;
	for (;;) {
		if (*name == '/')
			*slash = true;
		while (*name == '/')
			name++;
		if (*name || !depth)
			break;
		name = w->links[--depth].rest;
	}
	*last = !*name;
}

/* Walk the text @name, and those on the stack, from .cur. */
static int walk_text(struct walk *w, const char *name)
{
	struct qname q;
	bool slash, last;
	const char *end;
	u8 type;
	int err;

	for (;;) {
		while (*name == '/')
			name++;
		if (!*name) {
			if (!w->depth)
				return 0;
			name = pop_link(w);
			continue;
		}
		err = may_search(w);
		if (unlikely(err))
			return err;
		q.name = name;
		q.hash = name_hash(name, &end);
		q.len = (u32)MIN(end - name, PATH_MAX_LEN);
		name = end;
		type = last_type_of(&q);
		look_ahead(w, name, &slash, &last);
		if (last)
			w->last_slash |= slash;
		if (last && (w->flags & LOOKUP_PARENT)) {
			w->last = q;
			w->last_type = type;
			return 0;
		}
		if (likely(type == LAST_NORM))
			err = step(w, &q, &name, slash, last);
		else
			err = type == LAST_DOTDOT ? step_dotdot(w) : 0;
		if (unlikely(err))
			return err;
	}
}

/* A restricted walk: its start is its root. */
static void walk_start_confined(struct walk *w, const struct path *at)
{
	if (at) {
		w->root = *at;
		path_get(at);
	} else {
		fsctx_get_cwd(&w->root);
	}
	w->own_root = true;
	w->cur = w->root;
	path_get(&w->cur);
	w->own_mnt = w->own_dentry = true;
}

/* Root and start: borrowed when only this thread can change them. */
static void walk_start(struct walk *w, const struct path *at, bool absolute)
{
	struct fsctx *fs = fsctx_current();
	bool mine = ref_read(&fs->refs) == 1;

	if (likely(mine)) {
		w->root = fs->root;
	} else {
		fsctx_get_root(&w->root);
		w->own_root = true;
	}
	if (absolute) {
		w->cur = w->root;
	} else if (at) {
		w->cur = *at;
	} else if (mine) {
		w->cur = fs->cwd;
	} else {
		fsctx_get_cwd(&w->cur);
		w->own_mnt = w->own_dentry = true;
	}
}

/* See namei.h. ctx: thread; sleeps. */
int walk_begin(struct walk *w, const struct path *at, const char *name, u32 flags)
{
	int err;

	memset(w, 0, sizeof(*w));
	w->flags = flags;
	/* Before the look at the context's references: see fsctx_move(). */
	WRITE_ONCE(current->walks, current->walks + 1);
	barrier();
	if (!*name && !(flags & LOOKUP_EMPTY))
		return -ENOENT;
	if (*name == '/' && (flags & LOOKUP_BENEATH))
		return -EXDEV;
	if (unlikely(flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT)))
		walk_start_confined(w, at);
	else
		walk_start(w, at, *name == '/');
	w->last_type = *name == '/' ? LAST_ROOT : LAST_DOT;
	err = walk_text(w, name);
	if (err || (flags & LOOKUP_PARENT))
		return err;
	if ((w->last_slash || (flags & LOOKUP_DIRECTORY)) &&
	    !inode_can_lookup(dentry_inode(w->cur.dentry)))
		return -ENOTDIR;
	return 0;
}

/*
 * The walk stopped in front of a symlink that is to be followed: go on, to stop again in front of
 * the last component of where it leads; or at its end (.last_type is not LAST_NORM) when it is a
 * magic link or leads to a root.
 * ctx: thread; sleeps; consumes: @d. Returns 0, -ELOOP, -EACCES, -ENOMEM or what the walk meets.
 */
int walk_follow_last(struct walk *w, struct dentry *d)
{
	const char *name = w->last.name + w->last.len;
	int err;

	w->last_slash = false;
	w->last_type = LAST_DOT;
	err = follow_link(w, d, &name, true);
	return err ? err : walk_text(w, name);
}

/* See namei.h. ctx: thread; sleeps. */
int walk_last_special(struct walk *w)
{
	return w->last_type == LAST_DOTDOT ? step_dotdot(w) : 0;
}

/* See namei.h. ctx: thread */
void walk_take(struct walk *w, struct path *out)
{
	*out = w->cur;
	if (!w->own_mnt)
		mount_get(out->mnt);
	if (!w->own_dentry)
		dentry_get(out->dentry);
	w->own_mnt = w->own_dentry = false;
	w->cur.mnt = NULL;
	w->cur.dentry = NULL;
}

/* Frees what the walk holds. ctx: thread; sleeps. */
void walk_end(struct walk *w)
{
	cur_drop(w);
	while (w->depth)
		kfree(w->links[--w->depth].text);
	if (unlikely(w->links))
		kfree(w->links);
	if (w->own_root)
		path_put(&w->root);
	barrier();
	WRITE_ONCE(current->walks, current->walks - 1);
}

/*
 * Find @name from @at (NULL: the current directory).
 * ctx: thread; sleeps. Returns 0 with references in *out, or the errors of path_resolution(7).
 */
int path_lookup(const struct path *at, const char *name, u32 flags, struct path *out)
{
	struct walk w;
	int err = walk_begin(&w, at, name, flags & ~LOOKUP_PARENT);

	if (likely(!err))
		walk_take(&w, out);
	walk_end(&w);
	return err;
}

/*
 * Attributes of what @name leads to: path_lookup and vfs_getattr without the references in between.
 * ctx: thread; sleeps. Returns 0 or their errors.
 */
int vfs_getattr_at(const struct path *at, const char *name, u32 flags, struct kstat *st)
{
	struct walk w;
	int err = walk_begin(&w, at, name, flags & ~LOOKUP_PARENT);

	if (likely(!err))
		err = vfs_getattr(&w.cur, st);
	walk_end(&w);
	return err;
}

/*
 * Path of @d within its file system, built backwards from the end of @buf; *out points into it.
 * ctx: thread; sleeps: no. Returns 0 or -ENAMETOOLONG.
 */
int dentry_path(struct dentry *d, char *buf, size_t size, char **out)
{
	char *p = buf + size;
	int err = -ENAMETOOLONG;

	if (size < 2)
		return err;
	*--p = '\0';
	spin_lock(&vfs_tree_lock);
	for (; d->parent != d; d = d->parent) {
		if ((size_t)(p - buf) < d->name_len + 1u)
			goto unlock;
		p -= d->name_len;
		memcpy(p, d->name, d->name_len);
		*--p = '/';
	}
	if (!*p)
		*--p = '/';
	*out = p;
	err = 0;
unlock:
	spin_unlock(&vfs_tree_lock);
	return err;
}

/* See vfs.h. ctx: any */
bool path_is_deleted(const struct path *p)
{
	return !(READ_ONCE(p->dentry->flags) & (DENTRY_HASHED | DENTRY_UNCACHED)) &&
	       p->dentry->parent != p->dentry;
}

/* The kind of text that files without a place have: "pipe:[12]", "anon_inode:[eventfd]". */
static int anon_to_string(const struct path *p, char *buf, size_t size, char **out)
{
	const struct inode *i = p->dentry->inode;
	struct sbuf sb;

	sbuf_init(&sb, buf, size);
	if (S_ISFIFO(i->mode) || S_ISSOCK(i->mode))
		sbuf_printf(&sb, "%s:[%llu]", p->dentry->name, (unsigned long long)i->ino);
	else if (*p->dentry->name == '/')
		sbuf_printf(&sb, "%s (deleted)", p->dentry->name);
	else if (S_ISREG(i->mode)) /* a name space */
		sbuf_printf(&sb, "%s:[%llu]", p->dentry->name, (unsigned long long)i->ino);
	else
		sbuf_printf(&sb, "anon_inode:%s", p->dentry->name);
	if (sbuf_overflowed(&sb) || sb.len == size)
		return -ENAMETOOLONG;
	sbuf_cstr(&sb);
	*out = buf;
	return 0;
}

static int prepend(char *buf, char **p, const char *s, size_t n)
{
	if ((size_t)(*p - buf) < n)
		return -ENAMETOOLONG;
	*p -= n;
	memcpy(*p, s, n);
	return 0;
}

/*
 * Names from (m, d) up to @root, put in front of *p. holds: vfs_tree_lock. 1: ended elsewhere than
 * at @root.
 */
static int prepend_names(const struct mount *m, const struct dentry *d, const struct path *root,
			 char *buf, char **p)
{
	int err;

	while (d != root->dentry || m != root->mnt) {
		if (d == m->root) {
			if (!m->parent)
				return 1;
			d = m->mountpoint;
			m = m->parent;
			continue;
		}
		if (d->parent == d)
			return 1;
		err = prepend(buf, p, d->name, d->name_len);
		if (!err)
			err = prepend(buf, p, "/", 1);
		if (err)
			return err;
		d = d->parent;
	}
	return 0;
}

/*
 * Path of @p as seen from @root (see vfs.h), built backwards from the end of @buf.
 * ctx: thread; sleeps: no. Returns 0, or -ENAMETOOLONG.
 */
int path_to_string(const struct path *p, const struct path *root, char *buf, size_t size,
		   char **out)
{
	static const char deleted[] = " (deleted)", outside[] = "(unreachable)";
	char *s = buf + size - 1;
	int err = 0;

	if (p->mnt->anon)
		return anon_to_string(p, buf, size, out);
	*s = '\0';
	if (path_is_deleted(p))
		err = prepend(buf, &s, deleted, sizeof(deleted) - 1);
	if (err)
		return err;
	spin_lock(&vfs_tree_lock);
	err = prepend_names(p->mnt, p->dentry, root, buf, &s);
	spin_unlock(&vfs_tree_lock);
	if (err >= 0 && *s != '/')
		if (prepend(buf, &s, "/", 1))
			return -ENAMETOOLONG;
	if (err == 1)
		err = prepend(buf, &s, outside, sizeof(outside) - 1);
	if (!err)
		*out = s;
	return err;
}
