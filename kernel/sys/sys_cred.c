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

static int put_three(u64 ua, u64 ub, u64 uc, u32 a, u32 b, u32 c)
{
	if (put_user(ua, a) || put_user(ub, b) || put_user(uc, c))
		return -EFAULT;
	return 0;
}

/* getresuid(2) */
long sys_getresuid(u64 ruid, u64 euid, u64 suid)
{
	const struct cred *c = current->cred;

	return put_three(ruid, euid, suid, c->uid, c->euid, c->suid);
}

/* getresgid(2) */
long sys_getresgid(u64 rgid, u64 egid, u64 sgid)
{
	const struct cred *c = current->cred;

	return put_three(rgid, egid, sgid, c->gid, c->egid, c->sgid);
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

static long commit_uids(struct cred *c)
{
	c->fsuid = c->euid;
	fix_caps_for_uids(c, current->cred);
	cred_commit(c);
	return 0;
}

/* setuid(2) */
long sys_setuid(u64 id)
{
	const struct cred *old = current->cred;
	u32 uid = (u32)id;
	struct cred *c;

	if (uid == KEEP_ID)
		return -EINVAL;
	if (!sys_capable(CAP_SETUID) && uid != old->uid && uid != old->suid)
		return -EPERM;
	c = cred_edit();
	if (!c)
		return -ENOMEM;
	if (sys_capable(CAP_SETUID))
		c->uid = c->suid = uid;
	c->euid = uid;
	return commit_uids(c);
}

/* setreuid(2) */
long sys_setreuid(u64 r, u64 e)
{
	const struct cred *old = current->cred;
	u32 ruid = (u32)r, euid = (u32)e;
	bool cap = sys_capable(CAP_SETUID);
	struct cred *c;

	if (!cap && ruid != KEEP_ID && ruid != old->uid && ruid != old->euid)
		return -EPERM;
	if (!cap && euid != KEEP_ID && euid != old->uid && euid != old->euid && euid != old->suid)
		return -EPERM;
	c = cred_edit();
	if (!c)
		return -ENOMEM;
	if (ruid != KEEP_ID)
		c->uid = ruid;
	if (euid != KEEP_ID)
		c->euid = euid;
	if (ruid != KEEP_ID || (euid != KEEP_ID && euid != old->uid))
		c->suid = c->euid;
	return commit_uids(c);
}

static bool one_of(u32 id, u32 a, u32 b, u32 c)
{
	return id == KEEP_ID || id == a || id == b || id == c;
}

/* setresuid(2) */
long sys_setresuid(u64 r, u64 e, u64 s)
{
	const struct cred *old = current->cred;
	u32 ruid = (u32)r, euid = (u32)e, suid = (u32)s;
	struct cred *c;

	if (!sys_capable(CAP_SETUID) && (!one_of(ruid, old->uid, old->euid, old->suid) ||
					 !one_of(euid, old->uid, old->euid, old->suid) ||
					 !one_of(suid, old->uid, old->euid, old->suid)))
		return -EPERM;
	c = cred_edit();
	if (!c)
		return -ENOMEM;
	if (ruid != KEEP_ID)
		c->uid = ruid;
	if (euid != KEEP_ID)
		c->euid = euid;
	if (suid != KEEP_ID)
		c->suid = suid;
	return commit_uids(c);
}

/* setfsuid(2): the old id, whatever happens. */
long sys_setfsuid(u64 id)
{
	const struct cred *old = current->cred;
	u32 was = old->fsuid, uid = (u32)id;
	struct cred *c;

	if (uid == KEEP_ID || uid == was)
		return was;
	if (!sys_capable(CAP_SETUID) && uid != old->uid && uid != old->euid && uid != old->suid)
		return was;
	c = cred_edit();
	if (!c)
		return was;
	c->fsuid = uid;
	if (!(c->securebits & SECBIT_NO_SETUID_FIXUP)) {
		if (!was && uid)
			c->effective &= ~CAPS_FS;
		if (was && !uid)
			c->effective |= c->permitted & CAPS_FS;
	}
	cred_commit(c);
	return was;
}

/* setgid(2) */
long sys_setgid(u64 id)
{
	const struct cred *old = current->cred;
	u32 gid = (u32)id;
	struct cred *c;

	if (gid == KEEP_ID)
		return -EINVAL;
	if (!sys_capable(CAP_SETGID) && gid != old->gid && gid != old->sgid)
		return -EPERM;
	c = cred_edit();
	if (!c)
		return -ENOMEM;
	if (sys_capable(CAP_SETGID))
		c->gid = c->sgid = gid;
	c->egid = c->fsgid = gid;
	cred_commit(c);
	return 0;
}

/* setregid(2) */
long sys_setregid(u64 r, u64 e)
{
	const struct cred *old = current->cred;
	u32 rgid = (u32)r, egid = (u32)e;
	bool cap = sys_capable(CAP_SETGID);
	struct cred *c;

	if (!cap && rgid != KEEP_ID && rgid != old->gid && rgid != old->egid)
		return -EPERM;
	if (!cap && egid != KEEP_ID && egid != old->gid && egid != old->egid && egid != old->sgid)
		return -EPERM;
	c = cred_edit();
	if (!c)
		return -ENOMEM;
	if (rgid != KEEP_ID)
		c->gid = rgid;
	if (egid != KEEP_ID)
		c->egid = egid;
	if (rgid != KEEP_ID || (egid != KEEP_ID && egid != old->gid))
		c->sgid = c->egid;
	c->fsgid = c->egid;
	cred_commit(c);
	return 0;
}

/* setresgid(2) */
long sys_setresgid(u64 r, u64 e, u64 s)
{
	const struct cred *old = current->cred;
	u32 rgid = (u32)r, egid = (u32)e, sgid = (u32)s;
	struct cred *c;

	if (!sys_capable(CAP_SETGID) && (!one_of(rgid, old->gid, old->egid, old->sgid) ||
					 !one_of(egid, old->gid, old->egid, old->sgid) ||
					 !one_of(sgid, old->gid, old->egid, old->sgid)))
		return -EPERM;
	c = cred_edit();
	if (!c)
		return -ENOMEM;
	if (rgid != KEEP_ID)
		c->gid = rgid;
	if (egid != KEEP_ID)
		c->egid = egid;
	if (sgid != KEEP_ID)
		c->sgid = sgid;
	c->fsgid = c->egid;
	cred_commit(c);
	return 0;
}

/* setfsgid(2): the old id, whatever happens. */
long sys_setfsgid(u64 id)
{
	const struct cred *old = current->cred;
	u32 was = old->fsgid, gid = (u32)id;
	struct cred *c;

	if (gid == KEEP_ID || gid == was)
		return was;
	if (!sys_capable(CAP_SETGID) && gid != old->gid && gid != old->egid && gid != old->sgid)
		return was;
	c = cred_edit();
	if (!c)
		return was;
	c->fsgid = gid;
	cred_commit(c);
	return was;
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
		if (copy_to_user(ulist, c->groups, c->ngroups * sizeof(u32)))
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

	if (err)
		return err == -EINVAL && !udata ? 0 : err;
	if (h.pid < 0)
		return -EINVAL;
	t = h.pid ? task_lookup((u32)h.pid) : NULL;
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
	return copy_to_user(udata, data, words * sizeof(data[0]));
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
