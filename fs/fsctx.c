/*
 * Where a process is: its root, current directory and umask, shared between threads (CLONE_FS) by
 * reference.
 *
 * Only threads that share a context change it, each on its own behalf; others (/proc/PID/cwd) only
 * read, with a reference. So a thread that sees refs == 1 on its own context may use root and cwd
 * without lock or references: see walk_start() in namei.c.
 *
 * pivot_root(2) alone changes the contexts of others, for which it takes a reference: from then on
 * each walk that begins takes the lock. A thread that was in a walk already may go on to use what
 * it borrowed, so it is left to change over itself, on its way to user mode (fsctx_move()).
 */
#include <arch/cpu.h>
#include <linux/errno.h>
#include "fs/namei.h"
#include "mm/slab.h"

/* A change that its context's user has still to make. */
struct fsmove {
	struct path from, to; /* owned */
	struct fsmove *next; /* f: of .moves */
};

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
	n->moves = NULL;
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

static void set_path_of(struct fsctx *f, struct path *which, const struct path *from,
			const struct path *p)
{
	struct path old = { .mnt = NULL };

	spin_lock(&f->lock);
	if (!from || (which->mnt == from->mnt && which->dentry == from->dentry)) {
		path_get(p);
		old = *which;
		*which = *p;
	}
	spin_unlock(&f->lock);
	if (old.mnt)
		path_put(&old);
}

static void move_now(struct fsctx *f, const struct path *from, const struct path *to)
{
	set_path_of(f, &f->root, from, to);
	set_path_of(f, &f->cwd, from, to);
}

/* Make the changes that fsctx_move() left to @f's user. ctx: thread, in no walk; sleeps. */
void fsctx_moved(struct fsctx *f)
{
	struct fsmove *m;

	while (unlikely(READ_ONCE(f->moves))) {
		spin_lock(&f->lock);
		m = f->moves;
		if (m)
			f->moves = m->next;
		spin_unlock(&f->lock);
		if (!m)
			return;
		move_now(f, &m->from, &m->to);
		path_put(&m->from);
		path_put(&m->to);
		kfree(m);
	}
}

/* ctx: thread; sleeps. */
void fsctx_put(struct fsctx *f)
{
	if (!ref_put(&f->refs))
		return;
	fsctx_moved(f);
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

static void set_path(struct path *which, const struct path *p)
{
	set_path_of(fsctx_current(), which, NULL, p);
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

	set_path_of(&fsctx_boot, &fsctx_boot.root, NULL, &f->root);
	set_path_of(&fsctx_boot, &fsctx_boot.cwd, NULL, &f->cwd);
}

static void move_later(struct fsctx *f, struct thread *t, const struct path *from,
		       const struct path *to)
{
	struct fsmove *m = kmalloc(sizeof(*m), 0), **end = &f->moves;

	if (!m)
		return; /* it stays behind: what was moved cannot be moved back */
	*m = (struct fsmove){ *from, *to, NULL };
	path_get(from);
	path_get(to);
	spin_lock(&f->lock);
	while (*end)
		end = &(*end)->next;
	*end = m;
	spin_unlock(&f->lock);
	word_or(&t->arch.work, WORK_NOTIFY);
}

/*
 * Root and current directory of @f, where they are @from, become @to. @t uses @f (NULL: kernel
 * threads do); the caller has a reference of its own, which keeps new walks from borrowing.
 * ctx: thread, in no walk; sleeps.
 */
void fsctx_move(struct fsctx *f, struct thread *t, const struct path *from, const struct path *to)
{
	/* Now @t's walks are seen here, or the reference is seen by @t. */
	smp_call(READ_ONCE(cpu_online_mask), smp_mb_here, NULL);
	if (t && READ_ONCE(t->walks))
		move_later(f, t, from, to);
	else
		move_now(f, from, to);
	/* It may have gone to user mode before it was told. */
	smp_mb();
	if (t && !READ_ONCE(t->walks))
		fsctx_moved(f);
}
