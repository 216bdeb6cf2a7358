/*
 * Keys of the caller's: what he may do, how keys are found, and the keyrings that threads,
 * processes, sessions and users have.
 *
 * A search looks at the keys of a keyring, then at those of the keyrings in it that may be
 * searched. What was there and would not do (revoked, expired, forbidden) is the answer when
 * nothing better is found. Whatever a search from one's own keyrings reaches, one possesses.
 *
 * keyrings(7), request_key(2), keyctl(2).
 */
#include <linux/errno.h>
#include "fs/procfs.h"
#include "kernel/base/cred.h"
#include "kernel/base/time.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "kernel/proc/keys.h"
#include "kernel/proc/proc.h"

/* --- permission and search --- */

static bool may(const struct cred *c, const struct key *k, bool possessed, u32 need)
{
	u32 bits;

	if (k->uid == c->fsuid)
		bits = k->perm >> 16;
	else if (k->gid != ~0u && (k->perm & 0x3f00) && cred_in_group(c, k->gid))
		bits = k->perm >> 8;
	else
		bits = k->perm;
	if (possessed)
		bits |= k->perm >> 24;
	return (bits & need) == need;
}

/* See keys.h. */
bool key_may(const struct key *k, bool possessed, u32 need)
{
	return may(current->cred, k, possessed, need);
}

/* What is looked for: a kind and name, or with .exact one key, in whatever state it is. */
struct search {
	u32 kind;
	const char *desc;
	const struct key *exact;
	const struct cred *cred; /* whose rights count */
	bool skip_old; /* what has expired is as if it were not there */
	bool possessed; /* of the keyring where it begins */
	struct key *found;
	int err; /* why what was there will not do */
};

/* Is this the one? */
static bool search_match(struct search *s, struct key *k)
{
	int err;

	if (s->exact ? k != s->exact : k->kind != s->kind || strcmp(k->desc, s->desc) != 0)
		return false;
	err = s->exact ? 0 : key_validate(k);
	if (err == -EKEYEXPIRED && s->skip_old)
		return false;
	if (err == -ENOKEY)
		err = -EKEYREVOKED;
	if (!err && !may(s->cred, k, s->possessed, KEY_SEARCH))
		err = -EACCES;
	if (!err && !s->exact)
		err = k->negative;
	if (err)
		s->err = err;
	else
		s->found = k;
	return !err;
}

/* The keys of @ring, then of the keyrings in it. */
static bool search_ring(struct search *s, struct key *ring, u32 depth)
{
	for (u32 i = 0; i < ring->len; i++)
		if (search_match(s, ring->links[i]))
			return true;
	for (u32 i = 0; depth < KEY_DEPTH_MAX && i < ring->len; i++) {
		struct key *k = ring->links[i];

		if (k->kind == KEY_RING && !key_validate(k) &&
		    may(s->cred, k, s->possessed, KEY_SEARCH) && search_ring(s, k, depth + 1))
			return true;
	}
	return false;
}

static int search_from(struct search *s, struct key *ring, bool possessed)
{
	int err;

	if (ring->kind != KEY_RING)
		return -ENOTDIR;
	if (!may(s->cred, ring, possessed, KEY_SEARCH))
		return -EACCES;
	err = key_validate(ring);
	if (err)
		return err;
	s->possessed = possessed;
	s->err = -EAGAIN;
	return search_match(s, ring) || search_ring(s, ring, 0) ? 0 : s->err;
}

/* See keys.h. */
int key_search(struct key_ref ring, u32 kind, const char *desc, struct key_ref *out)
{
	struct search s = { .kind = kind, .desc = desc, .cred = current->cred };
	int err = search_from(&s, ring.k, ring.possessed);

	if (!err)
		*out = (struct key_ref){ s.found, ring.possessed };
	return err;
}

/*
 * Somebody's own keyrings in their order: thread, process, session or the user's. That one of
 * them has nothing counts more than that another has something that will not do.
 */
static int search_owner(struct search *s, const struct key_owner *o)
{
	struct key_user *u = NULL;
	int err, ret = 0, bad = -EAGAIN;

	s->cred = o->cred;
	if (!o->rings[2])
		u = key_user_get(o->cred->uid);
	for (u32 i = 0; i < ARRAY_SIZE(o->rings); i++) {
		struct key *ring = i == 2 && u ? u->session : o->rings[i];

		if (!ring)
			continue;
		err = search_from(s, ring, true);
		if (!err)
			return 0;
		if (err == -ENOKEY || (err == -EAGAIN && !ret))
			ret = err;
		else if (err != -EAGAIN)
			bad = err;
	}
	return ret ? ret : bad;
}

/* See keys.h. */
struct key_owner key_owner_current(void)
{
	struct task *t = current_task();

	return (struct key_owner){
		current->cred, { t->thread_keyring, t->proc->process_keyring, t->session_keyring }
	};
}

/* The caller's keyrings, then those of whom he makes a key for. */
static int search_own(struct search *s)
{
	const struct key_owner me = key_owner_current();
	const struct key *auth = current_task()->reqkey_auth;
	int other, err = search_owner(s, &me);

	if (!err || !auth || key_validate(auth) || !auth->auth || s->kind == KEY_AUTH)
		return err;
	other = search_owner(s, &auth->auth->who);
	if (!other)
		return 0;
	if (err == -ENOKEY || other == -ENOKEY)
		return -ENOKEY;
	return err == -EACCES ? other : err;
}

/* Is @k in one of the caller's keyrings, and may be found there? */
static bool possesses(struct key *k)
{
	struct search s = { .kind = k->kind, .exact = k };

	return !search_own(&s);
}

/* See keys.h. */
int key_search_process(u32 kind, const char *desc, bool old, struct key_ref *out)
{
	struct search s = { .kind = kind, .desc = desc, .skip_old = !old };
	int err = search_own(&s);

	if (!err)
		*out = (struct key_ref){ s.found, true };
	return err;
}

/* See keys.h. */
int key_auth_find(s32 id, struct key_ref *out)
{
	char desc[12];
	int err;

	snprintf(desc, sizeof(desc), "%x", (u32)id);
	err = key_search_process(KEY_AUTH, desc, true, out);
	return err == -EAGAIN ? -ENOKEY : err;
}

/* --- the keyrings that everybody has --- */

/* A keyring into @slot, in place of the one there. */
static int install(struct key **slot, const char *name, u32 usr, enum key_quota quota)
{
	struct key *k, *old = *slot;
	int err = key_make(KEY_RING, name, KEY_POS(KEY_ALL) | KEY_USR(usr), quota, &k);

	if (err)
		return err;
	k->uid = current->cred->euid;
	k->gid = current->cred->egid;
	*slot = k;
	if (old)
		key_drop(old);
	return 0;
}

static int user_ring(struct key_user *u, const char *fmt, struct key **slot)
{
	char name[24];
	struct key *k;
	int err;

	if (*slot && !(*slot)->revoked && !(*slot)->invalid)
		return 0;
	snprintf(name, sizeof(name), fmt, u->uid);
	err = key_make(KEY_RING, name, KEY_POS(KEY_ALL & ~KEY_SETATTR) | KEY_USR(KEY_ALL),
		       KEY_FORCE, &k);
	if (err)
		return err;
	key_give(k, u);
	k->gid = ~0u;
	k->of_uid = true;
	if (*slot)
		key_drop(*slot);
	*slot = k;
	return 0;
}

/* See keys.h. The one is in the other. */
int key_user_rings(struct key_user **out)
{
	struct key_user *u = key_user_get(current->cred->uid);
	int err;

	if (!u)
		return -ENOMEM;
	err = user_ring(u, "_uid.%u", &u->ring);
	if (!err)
		err = user_ring(u, "_uid_ses.%u", &u->session);
	if (!err && !key_in(u->session, KEY_RING, u->ring->desc))
		err = key_link(u->session, u->ring);
	*out = u;
	return err;
}

/* See keys.h. */
int key_join_session(const char *name, s32 *serial)
{
	struct key **slot = &current_task()->session_keyring, *k = NULL;
	u32 usr = KEY_VIEW | KEY_READ | (name ? KEY_LINK : 0);
	int err;

	for (struct key *c = key_next(NULL); name && c && !k; c = key_next(c)) {
		if (c->kind == KEY_RING && !strcmp(c->desc, name) && !c->of_uid &&
		    !key_validate(c) && key_may(c, false, KEY_SEARCH))
			k = c;
	}
	if (k && k == *slot) {
		*serial = 0; /* as Linux answers */
		return 0;
	}
	if (k) {
		key_hold(k);
		if (*slot)
			key_drop(*slot);
		*slot = k;
	} else {
		err = install(slot, name ? name : "_ses", usr, *slot ? KEY_QUOTA : KEY_FORCE);
		if (err)
			return err;
	}
	*serial = (*slot)->serial;
	return 0;
}

/* The session's keyring: the user's stands in, until somebody wants one to be made. */
static int session_ring(bool create, struct key **out)
{
	struct key **slot = &current_task()->session_keyring;
	struct key_user *u;
	s32 serial;
	int err = 0;

	if (!*slot) {
		err = key_user_rings(&u);
		if (!err && create) {
			err = key_join_session(NULL, &serial);
		} else if (!err) {
			key_hold(u->session);
			*slot = u->session;
		}
	} else if ((*slot)->of_uid && create) {
		err = key_join_session(NULL, &serial);
	}
	*out = *slot;
	return err;
}

static int own_ring(struct key **slot, const char *name, bool create, struct key **out)
{
	int err = 0;

	if (!*slot)
		err = create ? install(slot, name, KEY_VIEW, KEY_FORCE) : -ENOKEY;
	*out = *slot;
	return err;
}

/* See keys.h. What is not there gives way to the next, in the order of the settings. */
int key_request_dest(struct key **out)
{
	struct task *t = current_task();
	const struct key *mine = t->reqkey_auth;
	u32 from = t->reqkey_ring;
	struct key *k = NULL;
	struct key_user *u;
	int err;

	if (from == KEY_REQKEY_DEFL_DEFAULT || from == KEY_REQKEY_DEFL_REQUESTOR_KEYRING) {
		if (mine && mine->auth) {
			*out = mine->auth->dest; /* who asks has been asked */
			return 0;
		}
		from = KEY_REQKEY_DEFL_THREAD_KEYRING;
	}
	if (from == KEY_REQKEY_DEFL_THREAD_KEYRING)
		k = t->thread_keyring;
	if (!k && from <= KEY_REQKEY_DEFL_PROCESS_KEYRING)
		k = t->proc->process_keyring;
	if (!k && from <= KEY_REQKEY_DEFL_SESSION_KEYRING)
		k = t->session_keyring;
	if (!k) {
		err = key_user_rings(&u);
		if (err)
			return err;
		k = from == KEY_REQKEY_DEFL_USER_KEYRING ? u->ring : u->session;
	}
	*out = k;
	return key_may(k, true, KEY_WRITE) ? 0 : -EACCES;
}

static int lookup_special(s32 id, bool create, struct key **out)
{
	struct task *t = current_task();
	struct key *auth = t->reqkey_auth;
	struct key_user *u;
	int err;

	switch (id) {
	case KEY_SPEC_THREAD_KEYRING: return own_ring(&t->thread_keyring, "_tid", create, out);
	case KEY_SPEC_PROCESS_KEYRING:
		return own_ring(&t->proc->process_keyring, "_pid", create, out);
	case KEY_SPEC_SESSION_KEYRING: return session_ring(create, out);
	case KEY_SPEC_USER_KEYRING:
	case KEY_SPEC_USER_SESSION_KEYRING:
		err = key_user_rings(&u);
		if (!err)
			*out = id == KEY_SPEC_USER_KEYRING ? u->ring : u->session;
		return err;
	case KEY_SPEC_REQKEY_AUTH_KEY: *out = auth; return auth ? 0 : -ENOKEY;
	case KEY_SPEC_REQUESTOR_KEYRING:
		if (auth && !auth->auth)
			return -EKEYREVOKED;
		*out = auth ? auth->auth->dest : NULL;
		return auth ? 0 : -ENOKEY;
	}
	return -EINVAL;
}

/* See keys.h. */
int key_lookup(s32 id, bool create, bool partial, u32 need, struct key_ref *out)
{
	int err = 0;

	*out = (struct key_ref){ NULL, true };
	if (id > 0) {
		out->k = key_find(id);
		if (!out->k)
			return -ENOKEY;
		out->possessed = possesses(out->k);
	} else {
		err = lookup_special(id, create, &out->k);
		if (err)
			return err;
	}
	if (!partial && out->k->construct)
		return key_await(out->k);
	if (!partial && out->k->negative)
		return out->k->negative;
	err = key_validate(out->k);
	if (err)
		return err;
	return key_may(out->k, out->possessed, need) ? 0 : -EACCES;
}

/* See keys.h. */
int key_lookup_maker(s32 id, bool create, u32 need, struct key_ref *out)
{
	struct key_ref auth;
	int err = key_lookup(id, create, true, need, out);

	return err == -EACCES && !key_auth_find(id, &auth) ? 0 : err;
}

static void slot_drop(struct key **slot)
{
	if (*slot)
		key_drop(*slot);
	*slot = NULL;
}

/* See keys.h. */
int key_session_to_parent(void)
{
	struct proc *p = current_proc();
	const struct cred *c = current->cred;
	struct key_ref mine;
	struct cred *theirs;
	struct task *t = NULL;
	int err = key_lookup(KEY_SPEC_SESSION_KEYRING, false, false, KEY_LINK, &mine);

	if (err)
		return err;
	proc_tree_lock();
	if (p->ppid > 1 && p->parent->ntasks == 1)
		t = p->parent->leader;
	if (t)
		task_get(t);
	proc_tree_unlock();
	if (!t)
		return -EPERM;
	theirs = task_get_cred(t);
	if (t->session_keyring == mine.k)
		err = 0;
	else if (theirs->uid != c->euid || theirs->euid != c->euid || theirs->suid != c->euid ||
		 theirs->gid != c->egid || theirs->egid != c->egid || theirs->sgid != c->egid ||
		 (t->session_keyring && t->session_keyring->uid != c->euid) ||
		 mine.k->uid != c->euid)
		err = -EPERM;
	else {
		key_hold(mine.k);
		slot_drop(&t->session_keyring);
		WRITE_ONCE(t->session_keyring, mine.k);
		smp_mb(); /* it sees this in keys_exit_task, or we see that it is past that */
		if (READ_ONCE(t->jobctl) & TJ_EXITING)
			slot_drop(&t->session_keyring);
	}
	cred_put(theirs);
	task_put(t);
	return err;
}

/* --- tasks --- */

/* See keys.h. */
void keys_inherit(struct task *child)
{
	struct task *t = current_task();

	child->reqkey_ring = t->reqkey_ring;
	if (!READ_ONCE(t->session_keyring) && !t->thread_keyring && !t->reqkey_auth)
		return;
	keys_lock();
	child->reqkey_auth = t->reqkey_auth;
	if (child->reqkey_auth)
		key_hold(child->reqkey_auth);
	child->session_keyring = t->session_keyring;
	if (child->session_keyring)
		key_hold(child->session_keyring);
	/* A thread of one that has a keyring gets its own; without memory when it asks for it. */
	if (t->thread_keyring && child->proc == t->proc &&
	    install(&child->thread_keyring, "_tid", KEY_VIEW, KEY_FORCE))
		child->thread_keyring = NULL;
	keys_unlock();
}

/* See keys.h. */
void keys_exec(void)
{
	struct task *t = current_task();

	if (!t->thread_keyring && !t->proc->process_keyring)
		return;
	keys_lock();
	slot_drop(&t->thread_keyring);
	slot_drop(&t->proc->process_keyring);
	keys_unlock();
}

/* See keys.h. */
void keys_exit_task(struct task *t, bool last)
{
	struct proc *p = t->proc;

	smp_mb(); /* as key_session_to_parent says */
	if (!READ_ONCE(t->session_keyring) && !t->thread_keyring && !t->reqkey_auth &&
	    !(last && (READ_ONCE(p->process_keyring) || p->upcall)))
		return;
	keys_lock();
	slot_drop(&t->thread_keyring);
	slot_drop(&t->session_keyring);
	slot_drop(&t->reqkey_auth);
	if (last) {
		slot_drop(&p->process_keyring);
		if (p->upcall)
			key_upcall_over(p->upcall);
		slot_drop(&p->upcall);
	}
	keys_unlock();
}

/* --- /proc --- */

static void show_expiry(const struct key *k, char out[8])
{
	static const struct {
		s64 seconds;
		char unit;
	} units[] = { { 604800, 'w' }, { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	s64 left = k->expiry - key_now();
	u32 i = 0;

	if (!k->expiry || k->revoked || left <= 0) {
		strlcpy(out, k->expiry && !k->revoked ? "expd" : "perm", 8);
		return;
	}
	while (left < units[i].seconds)
		i++;
	snprintf(out, 8, "%lld%c", (long long)MIN(left / units[i].seconds, 99999ll), units[i].unit);
}

static void show_key(struct sbuf *out, const struct key *k)
{
	char expiry[8];

	show_expiry(k, expiry);
	sbuf_printf(out, "%08x %c%c%c%c%c%c%c %5u %4s %08x %5u %5u %-9.9s %s%s", (u32)k->serial,
		    k->construct ? '-' : 'I', k->revoked ? 'R' : '-', '-', k->free ? '-' : 'Q',
		    k->construct ? 'U' : '-', k->negative ? 'N' : '-', k->invalid ? 'i' : '-',
		    k->refs, expiry, k->perm, k->uid, k->gid == ~0u ? 65534u : k->gid,
		    key_kind_name(k->kind), k->kind == KEY_AUTH ? "key:" : "", k->desc);
	if (k->kind == KEY_AUTH)
		sbuf_printf(out, " pid:%u ci:%u", k->auth ? k->auth->tid : 0, k->len);
	else if (k->kind == KEY_RING && !k->len)
		sbuf_puts(out, ": empty");
	else if (!k->negative && !k->construct)
		sbuf_printf(out, ": %u%s", k->len, k->kind == KEY_BIG ? " [buff]" : "");
	sbuf_putc(out, '\n');
}

static int keys_show(struct sbuf *out, void *arg)
{
	keys_lock();
	for (struct key *k = key_next(NULL); k; k = key_next(k)) {
		bool possessed = current->user && (k->perm & KEY_POS(KEY_VIEW)) && possesses(k);

		if (key_may(k, possessed, KEY_VIEW))
			show_key(out, k);
	}
	keys_unlock();
	return 0;
}
PROC_FILE(keys, "keys", 0444, .show = keys_show);
