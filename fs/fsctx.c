/*
 * Where a process is: its root, current directory and umask, shared between threads (CLONE_FS) by
 * reference.
 *
 * Only threads that share a context change it, each on its own behalf; others (/proc/PID/cwd) only
 * read, with a reference. So a thread that sees refs == 1 on its own context may use root and cwd
 * without lock or references: see walk_start() in namei.c.
 */
#include <linux/errno.h>
#include "fs/namei.h"
#include "mm/slab.h"

/* What kernel threads use, and init starts from: filled when the root file system is mounted. */
struct fsctx fsctx_boot = { .refs = { { 2 } }, .lock = SPINLOCK_INIT(RANK_FSCTX), .umask = 022 };

/* A copy with its own references. ctx: thread; sleeps. 0 or -ENOMEM. */
int fsctx_copy(struct fsctx *f, struct fsctx **out)
{
	struct fsctx *n = kmalloc(sizeof(*n), 0);

	if (!n)
		return -ENOMEM;
	if (!f)
		f = &fsctx_boot;
	ref_init(&n->refs, 1);
	spin_init(&n->lock, RANK_FSCTX);
	spin_lock(&f->lock);
	n->root = f->root;
	n->cwd = f->cwd;
	n->umask = f->umask;
	path_get(&n->root);
	path_get(&n->cwd);
	spin_unlock(&f->lock);
	*out = n;
	return 0;
}

/* ctx: any */
struct fsctx *fsctx_get(struct fsctx *f)
{
	ref_get(&f->refs);
	return f;
}

/* ctx: thread; sleeps. */
void fsctx_put(struct fsctx *f)
{
	if (!ref_put(&f->refs))
		return;
	path_put(&f->root);
	path_put(&f->cwd);
	kfree(f);
}

static void get_path(const struct path *which, struct path *out)
{
	struct fsctx *f = fsctx_current();

	spin_lock(&f->lock);
	*out = *which;
	path_get(out);
	spin_unlock(&f->lock);
}

/* Root of the current thread with references. ctx: thread */
void fsctx_get_root(struct path *out)
{
	get_path(&fsctx_current()->root, out);
}

/* Current directory likewise. ctx: thread */
void fsctx_get_cwd(struct path *out)
{
	get_path(&fsctx_current()->cwd, out);
}

static void set_path_of(struct fsctx *f, struct path *which, const struct path *p)
{
	struct path old;

	path_get(p);
	spin_lock(&f->lock);
	old = *which;
	*which = *p;
	spin_unlock(&f->lock);
	if (old.mnt)
		path_put(&old);
}

static void set_path(struct path *which, const struct path *p)
{
	set_path_of(fsctx_current(), which, p);
}

/* Takes references of its own. ctx: thread; sleeps. */
void fsctx_set_cwd(const struct path *p)
{
	set_path(&fsctx_current()->cwd, p);
}

/* Takes references of its own. ctx: thread; sleeps. */
void fsctx_set_root(const struct path *p)
{
	set_path(&fsctx_current()->root, p);
}

/* Kernel threads go where the current process is. ctx: process 1 at boot; sleeps */
void fsctx_boot_follow(void)
{
	struct fsctx *f = fsctx_current();

	set_path_of(&fsctx_boot, &fsctx_boot.root, &f->root);
	set_path_of(&fsctx_boot, &fsctx_boot.cwd, &f->cwd);
}
