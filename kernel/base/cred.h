#pragma once
/*
 * Credentials: who a thread is. Immutable once published and shared by reference; a change makes a
 * copy and replaces the pointer of the thread (kernel/proc/cred.c). Here because fs checks them and
 * proc is above fs.
 */
#include "kernel/lib/refcount.h"
#include "kernel/lib/types.h"

#define CRED_NGROUPS_MAX 65536

typedef u64 capset_t; /* bit n: capability n (linux/capability.h) */

/* What binds a thread beyond these ids, and those made of it: in fs/landlock.c. */
struct cred_bound {
	refcount_t refs; /* a */
	void (*release)(struct cred_bound *b); /* I: the last reference went. ctx: any */
};

struct cred {
	refcount_t refs; /* a */
	u32 uid, euid, suid, fsuid; /* I */
	u32 gid, egid, sgid, fsgid; /* I */
	capset_t effective, permitted, inheritable, bounding, ambient; /* I */
	u32 securebits; /* I */
	struct cred_bound *bound; /* I: reference; NULL: nothing */
	u32 ngroups; /* I */
	u32 groups[]; /* I: sorted */
};

extern struct cred cred_root; /* what kernel threads and init have */

static inline bool cred_capable(const struct cred *c, int cap)
{
	return c->effective >> cap & 1;
}

bool cred_in_group(const struct cred *c, u32 gid); /* fsgid or supplementary */
struct cred *cred_get(struct cred *c);
void cred_put(struct cred *c);
/* Mutable copy with room for @ngroups groups, refs = 1; -ENOMEM. */
int __must_check cred_copy(const struct cred *c, u32 ngroups, struct cred **out);
