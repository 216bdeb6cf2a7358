/*
 * Keys that are made because somebody asks for them (request_key(2)).
 *
 * What nobody has yet is made by /sbin/request-key, a helper process. Until that has said what is
 * in the key (or that there is none) it is under construction: found, but whoever wants to use it
 * waits. The right to say so is a key itself, of kind KEY_AUTH, in the session keyring that the
 * helper begins with. It holds all that there is to know about who asks, whose keyrings the helper
 * may search, too, once it has assumed that authority (task.reqkey_auth).
 *
 * The helper's process keeps that key (proc.upcall), and its end ends the authority: what it has
 * not made by then is not there, for a minute. Who asked waits for that end unless he is killed;
 * nothing depends on his waiting. If the helper cannot be started he ends it himself.
 *
 * request_key(2), request-key(8), keyctl(2), keyrings(7).
 */
#include "kernel/base/cred.h"
#include "kernel/base/errno.h"
#include "kernel/lib/fmt.h"
#include "kernel/proc/internal.h"
#include "kernel/proc/keys.h"

#define NEGATIVE_SECONDS 60
#define ARGS 8 /* of the program, with its name */

/* --- who asks --- */

/* What @auth's holder is to know: of current, or of whom current makes a key for. */
static int auth_fill(struct key *auth, struct key *target, struct key *dest)
{
	struct task *t = current_task();
	const struct key *mine = t->reqkey_auth;
	struct key_auth *a;

	if (mine && (mine->revoked || !mine->auth))
		return -EKEYREVOKED;
	a = kzalloc(sizeof(*a), 0);
	if (!a)
		return -ENOMEM;
	a->target = target;
	a->dest = dest;
	a->who = mine ? mine->auth->who : key_owner_current();
	a->tid = mine ? mine->auth->tid : t->tid->nr;
	key_hold(target);
	key_hold(dest);
	for (u32 i = 0; i < ARRAY_SIZE(a->who.rings); i++)
		if (a->who.rings[i])
			key_hold(a->who.rings[i]);
	(void)cred_get(a->who.cred);
	auth->auth = a;
	return 0;
}

/* The right to make @target. 0, -EKEYREVOKED, -ENOMEM */
static int auth_make(struct key *target, struct key *dest, struct key_load *info, struct key **out)
{
	u32 perm = KEY_POS(KEY_VIEW | KEY_READ | KEY_SEARCH | KEY_LINK) | KEY_USR(KEY_VIEW);
	char desc[12];
	struct key *auth;
	int err;

	snprintf(desc, sizeof(desc), "%x", (u32)target->serial);
	err = key_make(KEY_AUTH, desc, perm, KEY_FREE, &auth);
	if (err)
		return err;
	err = auth_fill(auth, target, dest);
	if (!err)
		err = key_load_take(auth, info);
	if (err)
		key_drop(auth);
	else
		*out = auth;
	return err;
}

/* A key that is to be made, in *@dest (NULL: found out). 0 and a reference, or -errno */
static int begin_key(u32 kind, const char *desc, struct key **dest, struct key **out)
{
	struct key *k;
	int err = kind == KEY_RING ? -EPERM : 0;

	if (!err && !*dest)
		err = key_request_dest(dest);
	if (!err)
		err = key_check_desc(kind, desc);
	if (!err)
		err = key_make(kind, desc, key_default_perm(kind), KEY_QUOTA, &k);
	if (err)
		return err;
	k->construct = true;
	k->user->made--;
	err = key_link_any(*dest, k);
	if (err)
		key_drop(k);
	else
		*out = k;
	return err;
}

/* See keys.h. */
int key_request_begin(u32 kind, const char *desc, struct key_load *info, struct key *dest,
		      struct key **out, struct key **auth)
{
	struct key_ref found;
	int err = key_search_process(kind, desc, false, &found);

	*auth = NULL;
	if (!err && dest) {
		err = key_may(found.k, found.possessed, KEY_LINK) ? 0 : -EACCES;
		if (!err)
			err = key_link(dest, found.k);
	}
	if (!err) {
		key_hold(found.k);
		*out = found.k;
	}
	if (err != -EAGAIN)
		return err;
	err = info->data ? begin_key(kind, desc, &dest, out) : -ENOKEY;
	if (err)
		return err;
	err = auth_make(*out, dest, info, auth);
	if (err) {
		key_negate(*out, -ENOKEY, NEGATIVE_SECONDS);
		key_drop(*out);
	}
	return err;
}

/* --- the program --- */

/* What the new process begins with. */
struct upcall {
	struct key *auth, *ring;
};

static int upcall_begin(void *arg)
{
	const struct upcall *u = arg;
	struct task *t = current_task();

	keys_lock();
	key_hold(u->auth);
	key_hold(u->ring);
	t->proc->upcall = u->auth;
	t->session_keyring = u->ring;
	t->reqkey_ring = KEY_REQKEY_DEFL_THREAD_KEYRING;
	keys_unlock();
	return 0;
}

static s32 serial_of(const struct key *k)
{
	return k ? k->serial : 0;
}

/* The session keyring of the program, and what it is told. 0 or -errno */
static int upcall_prepare(struct upcall *u, char text[ARGS][12])
{
	const struct cred *c = current->cred;
	const struct key_owner me = key_owner_current();
	struct key_user *user;
	char name[24];
	int err = key_user_rings(&user);

	if (err)
		return err;
	snprintf(name, sizeof(name), "_req.%d", u->auth->auth->target->serial);
	err = key_make(KEY_RING, name, KEY_POS(KEY_ALL) | KEY_USR(KEY_VIEW | KEY_READ), KEY_FORCE,
		       &u->ring);
	if (err)
		return err;
	err = key_link(u->ring, u->auth);
	if (err) {
		key_drop(u->ring);
		return err;
	}
	snprintf(text[2], 12, "%d", u->auth->auth->target->serial);
	snprintf(text[3], 12, "%u", c->fsuid);
	snprintf(text[4], 12, "%u", c->fsgid);
	snprintf(text[5], 12, "%d", serial_of(me.rings[0]));
	snprintf(text[6], 12, "%d", serial_of(me.rings[1]));
	snprintf(text[7], 12, "%d", serial_of(me.rings[2] ? me.rings[2] : user->session));
	return 0;
}

/* Run the program and wait for its end. 0, or why it does not run. */
static int upcall_run(struct key *auth)
{
	static const char *const envp[] = { "HOME=/", "PATH=/sbin:/bin:/usr/sbin:/usr/bin", NULL };
	char text[ARGS][12];
	const char *argv[ARGS + 1] = { "/sbin/request-key", "create" };
	struct upcall u = { .auth = auth };
	int err;

	for (u32 i = 2; i < ARGS; i++)
		argv[i] = text[i];
	keys_lock();
	err = upcall_prepare(&u, text);
	keys_unlock();
	if (!err) {
		err = helper_run(argv, envp, upcall_begin, &u);
		keys_lock();
		key_drop(u.ring);
		keys_unlock();
	}
	if (!err) {
		key_auth_sleep(auth);
		return 0;
	}
	keys_lock();
	key_upcall_over(auth);
	keys_unlock();
	return err;
}

/* What is known of @k, which its maker is done with. */
static long outcome(const struct key *k, bool asked)
{
	int err = key_validate(k);

	if (k->construct)
		return -EINTR; /* killed, he does not see it */
	if (err && asked)
		return -ENOKEY;
	err = k->negative ? k->negative : err;
	return err ? err : k->serial;
}

/* See keys.h. */
long key_request_end(struct key *k, struct key *auth)
{
	long r = auth ? upcall_run(auth) : key_sleep(k) ? -ERESTARTSYS : 0;

	keys_lock();
	if (!r)
		r = outcome(k, auth != NULL);
	if (auth)
		key_drop(auth);
	key_drop(k);
	keys_unlock();
	return r;
}

/* See keys.h. The caller has a reference. */
void key_upcall_over(struct key *auth)
{
	if (!auth->auth)
		return;
	if (auth->auth->target->construct)
		key_negate(auth->auth->target, -ENOKEY, NEGATIVE_SECONDS);
	key_auth_over(auth);
}

/* --- who makes it --- */

/* What current may make, if that is @id. */
static struct key_auth *auth_of_current(s32 id)
{
	const struct key *k = current_task()->reqkey_auth;

	return k && k->auth && k->auth->target->serial == id ? k->auth : NULL;
}

/* See keys.h. */
int key_authority(s32 id)
{
	return auth_of_current(id) ? 0 : -EPERM;
}

static void authority_set(struct key *auth)
{
	struct key **slot = &current_task()->reqkey_auth, *old = *slot;

	if (auth)
		key_hold(auth);
	*slot = auth;
	if (old)
		key_drop(old);
}

/* The keyring that @id names; NULL for none. 0 or -errno */
static int dest_of(s32 id, const struct key_auth *a, struct key **out)
{
	struct key_ref r = { 0 };
	int err = 0;

	if (id > 0)
		err = key_lookup(id, true, false, KEY_WRITE, &r);
	else if (id == KEY_SPEC_REQKEY_AUTH_KEY)
		err = -EINVAL;
	else if (id < KEY_SPEC_REQUESTOR_KEYRING)
		err = -ENOKEY;
	else if (id)
		r.k = a->dest;
	*out = r.k;
	if (err || !r.k)
		return err;
	return r.k->kind != KEY_RING ? -ENOTDIR : r.k->restricted ? -EPERM : 0;
}

/* The key is made: nobody may make it any more. */
static void authority_used(void)
{
	key_invalidate(current_task()->reqkey_auth);
	authority_set(NULL);
}

/*
 * The key @id that current makes, and *@dest, the keyring that it is to go into; *@err says whether
 * it may. NULL: current does not make that one.
 */
static struct key *making(s32 id, s32 ring, struct key **dest, int *err)
{
	const struct key_auth *a = auth_of_current(id);

	if (!a)
		return NULL;
	*err = dest_of(ring, a, dest);
	return a->target;
}

/* See keys.h. */
int key_instantiate(s32 id, struct key_load *load, s32 ring)
{
	int err;
	struct key *dest, *k = making(id, ring, &dest, &err);

	if (!k)
		return -EPERM;
	if (err && err != -ENOTDIR && err != -EPERM)
		return err;
	if (key_check_load(k->kind, load->len))
		return -EINVAL;
	if (!err && !k->construct)
		err = -EBUSY;
	if (!err)
		err = key_load_take(k, load);
	if (!err && dest)
		err = key_link(dest, k);
	if (err)
		return err;
	key_made(k, 0);
	authority_used();
	return 0;
}

/* See keys.h. */
int key_reject(s32 id, u32 seconds, u32 error, s32 ring)
{
	int err;
	struct key *dest, *k = making(id, ring, &dest, &err);

	if (!k)
		return -EPERM;
	if (!err && !k->construct)
		err = -EBUSY;
	if (!err && dest)
		err = key_link(dest, k);
	if (err)
		return err;
	key_negate(k, -(int)error, seconds);
	authority_used();
	return 0;
}

/* See keys.h. */
long key_assume_authority(s32 id)
{
	struct key_ref r;
	int err;

	if (id < 0)
		return -EINVAL;
	if (!id) {
		authority_set(NULL);
		return 0;
	}
	err = key_auth_find(id, &r);
	if (err)
		return err;
	authority_set(r.k);
	return r.k->serial;
}
