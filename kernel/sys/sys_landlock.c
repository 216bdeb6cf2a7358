/*
 * The system calls of Landlock: a ruleset is made as a descriptor, filled with rules and then put
 * on the calling thread. What it means is in fs/landlock.c.
 *
 * The order of the checks is Linux's: landlock_create_ruleset(2), landlock_add_rule(2),
 * landlock_restrict_self(2).
 */
#include "fs/landlock.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/syscall.h"

/* ctx: thread; sleeps */
long sys_landlock_create_ruleset(u64 uattr, u64 size, u64 flags)
{
	u64 handled; /* the first field of struct landlock_ruleset_attr; later ones came later */
	struct file *f;
	int err;

	if ((u32)flags && (uattr || size))
		return -EINVAL;
	switch ((u32)flags) {
	case 0: break;
	case LANDLOCK_CREATE_RULESET_VERSION: return LANDLOCK_ABI;
	case LANDLOCK_CREATE_RULESET_ERRATA: return LANDLOCK_ERRATA;
	default: return -EINVAL;
	}
	if (!uattr)
		return -EFAULT;
	if (size < sizeof(handled))
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	err = sys_copy_struct(&handled, sizeof(handled), uattr, size);
	if (err)
		return err;
	if (handled & ~(u64)LANDLOCK_FS_ALL)
		return -EINVAL;
	if (!handled)
		return -ENOMSG;
	err = landlock_ruleset_open((u32)handled, &f);
	return err ? err : proc_fd_open(f, true);
}

/* LANDLOCK_RULE_PATH_BENEATH. */
static int add_path(struct landlock *l, u64 urule)
{
	struct landlock_path_beneath_attr rule;
	struct fdref beneath;
	int err;

	if (copy_from_user(&rule, urule, sizeof(rule)))
		return -EFAULT;
	if (!rule.allowed_access)
		return -ENOMSG;
	if (rule.allowed_access & ~(u64)landlock_handled(l))
		return -EINVAL;
	err = fd_borrow_any(rule.parent_fd, &beneath);
	if (err)
		return err;
	err = landlock_rule_add(l, beneath.file, (u32)rule.allowed_access);
	fd_release(&beneath);
	return err;
}

/* The rule set behind @fd, for as long as @r is held. 0 or -errno: nothing is held. */
static int ruleset_borrow(u64 fd, struct fdref *r, struct landlock **l)
{
	int err = fd_borrow((int)fd, r);

	if (err)
		return err;
	err = landlock_ruleset_of(r->file, l);
	if (err)
		fd_release(r);
	return err;
}

/* ctx: thread; sleeps */
long sys_landlock_add_rule(u64 fd, u64 type, u64 urule, u64 flags)
{
	struct landlock *l;
	struct fdref r;
	int err = (u32)flags ? -EINVAL : ruleset_borrow(fd, &r, &l);

	if (err)
		return err;
	err = (u32)type == LANDLOCK_RULE_PATH_BENEATH ? add_path(l, urule) : -EINVAL;
	fd_release(&r);
	return err;
}

/* ctx: thread; sleeps */
long sys_landlock_restrict_self(u64 fd, u64 flags)
{
	struct landlock *l;
	struct cred *c;
	struct fdref r;
	int err;

	if (!current_task()->no_new_privs && !sys_capable(CAP_SYS_ADMIN))
		return -EPERM;
	err = (u32)flags ? -EINVAL : ruleset_borrow(fd, &r, &l);
	if (err)
		return err;
	err = cred_copy(current->cred, current->cred->ngroups, &c);
	if (err)
		goto release;
	err = landlock_bind(l, c);
	if (err)
		cred_put(c);
	else
		cred_commit(c);
release:
	fd_release(&r);
	return err;
}
