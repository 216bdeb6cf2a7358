/*
 * The credentials that a program runs with: set-id bits, file capabilities, root's privileges.
 *
 * With P the sets of the process, F those of the file (fs/filecap.c) and X the bounding set:
 *
 *   P'(ambient)   = P(ambient), or nothing for a file that has set-id bits or capabilities
 *   P'(permitted) = (P(inheritable) & F(inheritable)) | (F(permitted) & X) | P'(ambient)
 *   P'(effective) = F(effective) ? P'(permitted) : P'(ambient)
 *
 * Unless SECBIT_NOROOT is set, a program of root, real or effective, is treated as if its file had
 * all permitted and inheritable capabilities, and F(effective) too when the effective user is root;
 * but one that is set-user-id root and has file capabilities gets the latter only.
 *
 * What would give the process more than it has is withheld when others can misuse it: a tracer
 * without CAP_SYS_PTRACE, somebody who shares our directories (and could move the root directory
 * under a privileged program), no_new_privs. The kernel does not refuse then; the program runs
 * with less.
 *
 * man: capabilities(7), execve(2), prctl(2).
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/mount.h>
#include <linux/personality.h>
#include <linux/securebits.h>
#include "fs/filecap.h"
#include "kernel/proc/exec_internal.h"

/* Set-id bits and file capabilities count on this file at all. */
static bool privileges_count(const struct file *f)
{
	return !(READ_ONCE(f->path.mnt->flags) & MS_NOSUID);
}

/* Set-id bits of the program, @file. */
static void apply_setid(struct exec_image *img, const struct file *file, struct cred *c)
{
	const struct inode *i = file->inode;
	u32 mode = READ_ONCE(i->mode);

	if (!privileges_count(file) || current_task()->no_new_privs)
		return;
	if (mode & S_ISUID) {
		img->personality &= ~(u32)PER_CLEAR_ON_SETID;
		c->euid = i->uid;
	}
	if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP)) {
		img->personality &= ~(u32)PER_CLEAR_ON_SETID;
		c->egid = i->gid;
	}
}

/*
 * P'(permitted) without ambient ones, by the file alone. *has: it has capabilities; *effective:
 * they are to be effective. -EPERM: a program that relies on getting all that its file permits, and
 * would not; -EINVAL: the attribute is damaged.
 */
static int apply_file_caps(const struct file *f, struct cred *c, bool *has, bool *effective)
{
	struct file_caps fc;
	int err = privileges_count(f) ? filecap_get(f->inode, &fc) : -ENODATA;

	*has = *effective = false;
	c->permitted = 0;
	if (err)
		return err == -ENODATA ? 0 : err;
	*has = true;
	*effective = fc.effective;
	c->permitted = (c->bounding & fc.permitted) | (c->inheritable & fc.inheritable);
	return fc.effective && (fc.permitted & ~c->permitted) ? -EPERM : 0;
}

/* Root's privileges. */
static void apply_root(struct cred *c, bool has_caps, bool *effective)
{
	if (c->securebits & SECBIT_NOROOT)
		return;
	if (has_caps && c->uid != 0 && c->euid == 0)
		return;
	if (c->euid == 0 || c->uid == 0)
		c->permitted = c->bounding | c->inheritable;
	if (c->euid == 0)
		*effective = true;
}

/* Is current traced by somebody whose rights end where those of its victim do? */
static bool tracer_limits(void)
{
	struct proc *p = current_proc();
	u64 f = spin_lock_irqsave(&p->siglock);
	bool yes = !ptrace_allows_setid(current_task());

	spin_unlock_irqrestore(&p->siglock, f);
	return yes;
}

/* Who could misuse what the program would gain? */
static bool others_limit(const struct cred *c)
{
	return current_task()->no_new_privs || tracer_limits() ||
	       ref_read(&current->fs->refs) > READ_ONCE(current_proc()->ntasks);
}

/* The program becomes no more than the process is. */
static void limit(struct cred *c, const struct cred *old)
{
	if (!cred_capable(old, CAP_SETUID) || current_task()->no_new_privs) {
		c->euid = c->uid;
		c->egid = c->gid;
	}
	c->permitted &= old->permitted;
}

/* What the sets say in the end. @has: the file has capabilities of its own. */
static void finish_caps(struct exec_image *img, struct cred *c, bool setid, bool has,
			bool effective)
{
	if (has || setid)
		c->ambient = 0;
	c->permitted |= c->ambient;
	c->effective = effective ? c->permitted : c->ambient;
	c->securebits &= ~(u32)SECBIT_KEEP_CAPS;
	img->secure = setid || (c->uid != 0 && (effective || (c->permitted & ~c->ambient)));
}

/* See exec_internal.h. ctx: thread; sleeps. */
int exec_cred_prepare(struct exec_image *img)
{
	const struct file *file = img->executable_creds ? img->executable : img->file;
	const struct cred *old = current->cred;
	struct cred *c;
	bool setid, has, effective;
	int err = cred_copy(old, old->ngroups, &c);

	if (err)
		return err;
	img->cred = c;
	apply_setid(img, file, c);
	err = apply_file_caps(file, c, &has, &effective);
	if (err)
		return err;
	apply_root(c, has, &effective);
	if (c->permitted & ~old->permitted)
		img->personality &= ~(u32)PER_CLEAR_ON_SETID;
	setid = c->euid != c->uid || c->egid != c->gid;
	img->gains = setid || (c->permitted & ~old->permitted);
	img->limited = img->gains && others_limit(c);
	if (img->limited)
		limit(c, old);
	c->suid = c->fsuid = c->euid;
	c->sgid = c->fsgid = c->egid;
	finish_caps(img, c, setid, has, effective);
	return 0;
}
