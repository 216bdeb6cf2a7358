/*
 * System calls on credentials: user and group ids, supplementary groups, capabilities.
 *
 * Each call copies the current credentials, edits the copy by its rules and commits it; one that
 * changes nothing visible still succeeds. The rules are those of credentials(7) and
 * capabilities(7).
 */
#include <linux/securebits.h>
#include "kernel/sys/abi.h"
#include "mm/slab.h"

#define KEEP_ID (~0u)
#define CAPS_FS                                                                               \
	(BIT(CAP_CHOWN) | BIT(CAP_MKNOD) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) | \
	 BIT(CAP_FOWNER) | BIT(CAP_FSETID) | BIT(CAP_LINUX_IMMUTABLE) | BIT(CAP_MAC_OVERRIDE))

/* getuid(2) */
long sys_getuid(void)
{
	return current->cred->uid;
}

/* geteuid(2) */
long sys_geteuid(void)
{
	return current->cred->euid;
}

/* getgid(2) */
long sys_getgid(void)
{
	return current->cred->gid;
}

/* getegid(2) */
long sys_getegid(void)
{
	return current->cred->egid;
}

/*
 * User and group ids come in the same three, and the calls on them differ in what follows a change
 * of user ids only.
 */
enum kind { UIDS, GIDS };

struct ids {
	u32 real, effective, saved;
};

static struct ids ids_of(const struct cred *c, enum kind k)
{
	return k == UIDS ? (struct ids){ c->uid, c->euid, c->suid }
			 : (struct ids){ c->gid, c->egid, c->sgid };
}

/* May the caller take any id whatever? */
static bool ids_free(enum kind k)
{
	return sys_capable(k == UIDS ? CAP_SETUID : CAP_SETGID);
}

/* Is @id one of the caller's own, or none asked for? */
static bool ids_has(const struct ids *i, u32 id)
{
	return id == KEEP_ID || id == i->real || id == i->effective || id == i->saved;
}

static int put_three(u64 ua, u64 ub, u64 uc, enum kind k)
{
	struct ids i = ids_of(current->cred, k);

	if (put_user(ua, i.real) || put_user(ub, i.effective) || put_user(uc, i.saved))
		return -EFAULT;
	return 0;
}

/* getresuid(2) */
long sys_getresuid(u64 ruid, u64 euid, u64 suid)
{
	return put_three(ruid, euid, suid, UIDS);
}

/* getresgid(2) */
long sys_getresgid(u64 rgid, u64 egid, u64 sgid)
{
	return put_three(rgid, egid, sgid, GIDS);
}

static struct cred *cred_edit(void)
{
	struct cred *c;

	return cred_copy(current->cred, current->cred->ngroups, &c) ? NULL : c;
}

/* Capabilities follow a change of user ids: "Effect of user ID changes on capabilities". */
static void fix_caps_for_uids(struct cred *c, const struct cred *old)
{
	bool was_root = !old->uid || !old->euid || !old->suid,
	     is_root = !c->uid || !c->euid || !c->suid;

	if (c->securebits & SECBIT_NO_SETUID_FIXUP)
		return;
	if (was_root && !is_root) {
		if (!(c->securebits & SECBIT_KEEP_CAPS)) {
			c->permitted = 0;
			c->effective = 0;
		}
		c->ambient = 0;
	}
	if (!old->euid && c->euid)
		c->effective = 0;
	if (old->euid && !c->euid)
		c->effective = c->permitted;
}

/* The caller's ids become @new; the one for files follows the effective one. 0 or -ENOMEM */
static long ids_commit(enum kind k, const struct ids *new)
{
	struct cred *c = cred_edit();

	if (!c)
		return -ENOMEM;
	if (k == UIDS) {
		c->uid = new->real;
		c->euid = c->fsuid = new->effective;
		c->suid = new->saved;
		fix_caps_for_uids(c, current->cred);
	} else {
		c->gid = new->real;
		c->egid = c->fsgid = new->effective;
		c->sgid = new->saved;
	}
	cred_commit(c);
	return 0;
}

/* All three with the privilege, else the effective one. */
static long ids_set(enum kind k, u32 id)
{
	struct ids i = ids_of(current->cred, k);
	bool free = ids_free(k);

	if (id == KEEP_ID)
		return -EINVAL;
	if (!free && id != i.real && id != i.saved)
		return -EPERM;
	if (free)
		i.real = i.saved = id;
	i.effective = id;
	return ids_commit(k, &i);
}

/* The saved one becomes the effective one when the real one is set, or differs from that. */
static long ids_set_two(enum kind k, u32 real, u32 effective)
{
	struct ids old = ids_of(current->cred, k), i = old;
	bool free = ids_free(k);

	if (!free && real != KEEP_ID && real != old.real && real != old.effective)
		return -EPERM;
	if (!free && !ids_has(&old, effective))
		return -EPERM;
	if (real != KEEP_ID)
		i.real = real;
	if (effective != KEEP_ID)
		i.effective = effective;
	if (real != KEEP_ID || (effective != KEEP_ID && effective != old.real))
		i.saved = i.effective;
	return ids_commit(k, &i);
}

static long ids_set_three(enum kind k, u32 real, u32 effective, u32 saved)
{
	struct ids old = ids_of(current->cred, k), i = old;

	if (!ids_free(k) &&
	    (!ids_has(&old, real) || !ids_has(&old, effective) || !ids_has(&old, saved)))
		return -EPERM;
	if (real != KEEP_ID)
		i.real = real;
	if (effective != KEEP_ID)
		i.effective = effective;
	if (saved != KEEP_ID)
		i.saved = saved;
	return ids_commit(k, &i);
}

/* The file capabilities go and come back with root's id for files. */
static void fix_caps_for_fsuid(struct cred *c, u32 was)
{
	if (c->securebits & SECBIT_NO_SETUID_FIXUP)
		return;
	if (!was && c->fsuid)
		c->effective &= ~CAPS_FS;
	if (was && !c->fsuid)
		c->effective |= c->permitted & CAPS_FS;
}

/* The id for files; the old one, whatever happens. */
static long ids_set_files(enum kind k, u32 id)
{
	const struct cred *old = current->cred;
	struct ids mine = ids_of(old, k);
	u32 was = k == UIDS ? old->fsuid : old->fsgid;
	struct cred *c;

	if (id == KEEP_ID || id == was || (!ids_free(k) && !ids_has(&mine, id)))
		return was;
	c = cred_edit();
	if (!c)
		return was;
	if (k == UIDS) {
		c->fsuid = id;
		fix_caps_for_fsuid(c, was);
	} else {
		c->fsgid = id;
	}
	cred_commit(c);
	return was;
}

/* setuid(2) */
long sys_setuid(u64 id)
{
	return ids_set(UIDS, (u32)id);
}

/* setreuid(2) */
long sys_setreuid(u64 ruid, u64 euid)
{
	return ids_set_two(UIDS, (u32)ruid, (u32)euid);
}

/* setresuid(2) */
long sys_setresuid(u64 ruid, u64 euid, u64 suid)
{
	return ids_set_three(UIDS, (u32)ruid, (u32)euid, (u32)suid);
}

/* setfsuid(2) */
long sys_setfsuid(u64 id)
{
	return ids_set_files(UIDS, (u32)id);
}

/* setgid(2) */
long sys_setgid(u64 id)
{
	return ids_set(GIDS, (u32)id);
}

/* setregid(2) */
long sys_setregid(u64 rgid, u64 egid)
{
	return ids_set_two(GIDS, (u32)rgid, (u32)egid);
}

/* setresgid(2) */
long sys_setresgid(u64 rgid, u64 egid, u64 sgid)
{
	return ids_set_three(GIDS, (u32)rgid, (u32)egid, (u32)sgid);
}

/* setfsgid(2) */
long sys_setfsgid(u64 id)
{
	return ids_set_files(GIDS, (u32)id);
}

/* getgroups(2) */
long sys_getgroups(u64 size, u64 ulist)
{
	const struct cred *c = current->cred;

	if ((int)size < 0)
		return -EINVAL;
	if (size) {
		if (c->ngroups > (u32)size)
			return -EINVAL;
		if (c->ngroups && copy_to_user(ulist, c->groups, c->ngroups * sizeof(u32)))
			return -EFAULT;
	}
	return c->ngroups;
}

static void sort_down(u32 *v, u32 i, u32 n)
{
	for (u32 child; (child = 2 * i + 1) < n; i = child) {
		u32 t;

		if (child + 1 < n && v[child + 1] > v[child])
			child++;
		if (v[i] >= v[child])
			return;
		t = v[i];
		v[i] = v[child];
		v[child] = t;
	}
}

/* Heap sort: the list may be long and comes from user space. */
static void sort_ids(u32 *v, u32 n)
{
	for (u32 i = n / 2; i-- > 0;)
		sort_down(v, i, n);
	for (u32 end = n; end-- > 1;) {
		u32 t = v[0];

		v[0] = v[end];
		v[end] = t;
		sort_down(v, 0, end);
	}
}

/* setgroups(2) */
long sys_setgroups(u64 size, u64 ulist)
{
	u32 n = (u32)size;
	struct cred *c;

	if (!sys_capable(CAP_SETGID))
		return -EPERM;
	if (n > CRED_NGROUPS_MAX)
		return -EINVAL;
	if (cred_copy(current->cred, n, &c))
		return -ENOMEM;
	if (copy_from_user(c->groups, ulist, n * sizeof(u32))) {
		cred_put(c);
		return -EFAULT;
	}
	for (u32 i = 0; i < n; i++)
		if (c->groups[i] == (u32)-1) {
			cred_put(c);
			return -EINVAL;
		}
	sort_ids(c->groups, n);
	cred_commit(c);
	return 0;
}

/* Words per set of the header's version; 0: unknown, and the version wanted is told. */
static int cap_words(u64 uhead, struct __user_cap_header_struct *h, u32 *words)
{
	if (copy_from_user(h, uhead, sizeof(*h)))
		return -EFAULT;
	switch (h->version) {
	case _LINUX_CAPABILITY_VERSION_1: *words = 1; return 0;
	case _LINUX_CAPABILITY_VERSION_2:
	case _LINUX_CAPABILITY_VERSION_3: *words = 2; return 0;
	}
	if (put_user(uhead + offsetof(struct __user_cap_header_struct, version),
		     (u32)_LINUX_CAPABILITY_VERSION_3))
		return -EFAULT;
	return -EINVAL;
}

/* capget(2) */
long sys_capget(u64 uhead, u64 udata)
{
	struct __user_cap_data_struct data[2];
	struct __user_cap_header_struct h;
	struct cred *c;
	struct task *t;
	u32 words;
	int err = cap_words(uhead, &h, &words);

	/* Without data the call asks which version there is. */
	if (err || !udata)
		return err == -EINVAL && !udata ? 0 : err;
	if (h.pid < 0)
		return -EINVAL;
	t = h.pid ? task_lookup_dead((u32)h.pid) : NULL;
	if (h.pid && !t)
		return -ESRCH;
	c = t ? task_get_cred(t) : cred_get(current->cred);
	for (u32 i = 0; i < 2; i++) {
		data[i].effective = (u32)(c->effective >> (32 * i));
		data[i].permitted = (u32)(c->permitted >> (32 * i));
		data[i].inheritable = (u32)(c->inheritable >> (32 * i));
	}
	cred_put(c);
	if (t)
		task_put(t);
	return udata ? copy_to_user(udata, data, words * sizeof(data[0])) : 0;
}

/* What capset(2) allows. */
static bool capset_ok(const struct cred *old, const struct cred *new)
{
	capset_t raised = new->inheritable & ~old->inheritable;

	if (!sys_capable(CAP_SETPCAP) && (raised & ~old->permitted))
		return false;
	if (raised & ~old->bounding)
		return false;
	return !(new->permitted & ~old->permitted) && !(new->effective & ~new->permitted);
}

/* capset(2) */
long sys_capset(u64 uhead, u64 udata)
{
	struct __user_cap_data_struct data[2] = { { 0 } };
	struct __user_cap_header_struct h;
	const capset_t all = BIT(CAP_LAST_CAP + 1) - 1;
	struct cred *c;
	u32 words;
	int err = cap_words(uhead, &h, &words);

	if (err)
		return err;
	if (h.pid && (u32)h.pid != current_task()->tid->nr)
		return -EPERM;
	if (copy_from_user(data, udata, words * sizeof(data[0])))
		return -EFAULT;
	c = cred_edit();
	if (!c)
		return -ENOMEM;
	c->effective = (data[0].effective | (u64)data[1].effective << 32) & all;
	c->permitted = (data[0].permitted | (u64)data[1].permitted << 32) & all;
	c->inheritable = (data[0].inheritable | (u64)data[1].inheritable << 32) & all;
	c->ambient &= c->permitted & c->inheritable;
	if (!capset_ok(current->cred, c)) {
		cred_put(c);
		return -EPERM;
	}
	cred_commit(c);
	return 0;
}
