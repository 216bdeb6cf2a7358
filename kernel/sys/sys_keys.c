/*
 * add_key(2), request_key(2), keyctl(2): arguments in, one operation on keys (kernel/proc/keys.c)
 * under their lock, results out. User memory is touched without the lock.
 *
 * What uses a key that is still being made waits for it without the lock, then is done all over
 * again (keys_unlock_again).
 */
#include "kernel/lib/fmt.h"
#include "kernel/proc/keys.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/iovs.h"
#include "mm/slab.h"

#define TYPE_MAX 32u
#define LOAD_MAX (1024u * 1024 - 1)
#define ERRNO_MAX 4095

/* Words that a call names a key by. */
struct naming {
	char type[TYPE_MAX];
	char *desc; /* kmalloc'ed */
};

static int type_get(char type[TYPE_MAX], u64 utype)
{
	ssize_t n = strncpy_from_user(type, utype, TYPE_MAX);

	if (n == -ENAMETOOLONG || n == 0)
		return -EINVAL;
	return n < 0 ? (int)n : type[0] == '.' ? -EPERM : 0;
}

/* A string of the user's. 0, -EFAULT, -EINVAL (too long), -ENOMEM */
static int text_get(u64 utext, char **out)
{
	char *text = kmalloc(KEY_DESC_MAX, 0);
	ssize_t n;

	if (!text)
		return -ENOMEM;
	n = strncpy_from_user(text, utext, KEY_DESC_MAX);
	if (n < 0) {
		kfree(text);
		return n == -ENAMETOOLONG ? -EINVAL : (int)n;
	}
	*out = text;
	return 0;
}

static int naming_get(struct naming *n, u64 utype, u64 udesc)
{
	int err = type_get(n->type, utype);

	return err ? err : text_get(udesc, &n->desc);
}

/* --- making --- */

/* @len, at most LOAD_MAX, bytes of the user's; of none there is no memory. 0, -EFAULT, -ENOMEM */
static int load_get(u64 uload, u64 len, struct key_load *out)
{
	int err;

	*out = (struct key_load){ 0 };
	if (!len)
		return 0;
	out->data = key_buf_alloc((u32)len);
	if (!out->data)
		return -ENOMEM;
	out->len = (u32)len;
	err = copy_from_user(out->data, uload, len);
	if (err)
		key_load_free(out);
	return err;
}

/* Other bytes for @k. 0, -EACCES, -EDQUOT */
static int key_update(struct key_ref r, struct key_load *load)
{
	int err = key_may(r.k, r.possessed, KEY_WRITE) ? key_load_take(r.k, load) : -EACCES;

	if (!err) {
		r.k->expiry = 0;
		r.k->negative = 0;
	}
	return err;
}

/* A key in @ring, or another payload for the one that is there. The serial, or -errno. */
static long key_put_in(struct key_ref ring, u32 kind, const char *desc, struct key_load *load)
{
	struct key *k = kind == KEY_RING ? NULL : key_in(ring.k, kind, desc);
	s32 serial;
	int err;

	if (k && !k->revoked && !k->invalid) {
		err = k->construct ? key_await(k)
				   : key_update((struct key_ref){ k, ring.possessed }, load);
		return err ? err : k->serial;
	}
	err = key_make(kind, desc, key_default_perm(kind), KEY_QUOTA, &k);
	if (err)
		return err;
	if (kind != KEY_RING)
		err = key_load_take(k, load);
	if (!err)
		err = key_link(ring.k, k);
	serial = k->serial;
	key_drop(k);
	return err ? err : serial;
}

static long add_locked(const char *type, const char *desc, struct key_load *load, s32 ring)
{
	int kind = key_kind_find(type), err;
	struct key_ref r;

	err = key_lookup(ring, true, false, KEY_WRITE, &r);
	if (err)
		return err;
	if (kind < 0)
		return -ENODEV;
	if (r.k->kind != KEY_RING)
		return -ENOTDIR;
	err = key_check_desc((u32)kind, desc);
	if (!err)
		err = key_check_load((u32)kind, load->len);
	if (err)
		return err;
	return r.k->restricted ? -EPERM : key_put_in(r, (u32)kind, desc, load);
}

/* ctx: thread; sleeps */
long sys_add_key(u64 utype, u64 udesc, u64 uload, u64 len, u64 ring)
{
	struct naming n = { .desc = NULL };
	struct key_load load;
	long r;

	if (len > LOAD_MAX)
		return -EINVAL;
	r = type_get(n.type, utype);
	if (!r && udesc)
		r = text_get(udesc, &n.desc);
	if (r)
		return r;
	if (n.desc && n.desc[0] == '.' && !strncmp(n.type, "keyring", 7))
		r = -EPERM;
	if (!r)
		r = load_get(uload, len, &load);
	if (!r) {
		do {
			keys_lock();
			r = add_locked(n.type, n.desc ? n.desc : "", &load, (s32)ring);
		} while (keys_unlock_again(&r));
		key_load_free(&load);
	}
	kfree(n.desc);
	return r;
}

static int request_locked(const struct naming *n, struct key_load *info, s32 ring, struct key **k,
			  struct key **auth)
{
	struct key_ref dest = { 0 };
	int kind = key_kind_find(n->type), err = 0;

	if (ring)
		err = key_lookup(ring, true, false, KEY_WRITE, &dest);
	if (!err && kind < 0)
		err = kind;
	return err ? err : key_request_begin((u32)kind, n->desc, info, dest.k, k, auth);
}

/* ctx: thread; sleeps */
long sys_request_key(u64 utype, u64 udesc, u64 uinfo, u64 ring)
{
	struct key_load info = { 0 };
	struct key *k, *auth;
	char *text = NULL;
	struct naming n;
	long r = naming_get(&n, utype, udesc);

	if (r)
		return r;
	if (uinfo)
		r = text_get(uinfo, &text);
	if (text)
		info = (struct key_load){ (u8 *)text, (u32)strlen(text) };
	if (!r) {
		do {
			keys_lock();
			r = request_locked(&n, &info, (s32)ring, &k, &auth);
		} while (keys_unlock_again(&r));
		key_load_free(&info);
		if (!r)
			r = key_request_end(k, auth);
	}
	kfree(n.desc);
	return r;
}

/* --- keyctl: what needs no user memory, under the lock --- */

static long ctl_chown(s32 id, u32 uid, u32 gid)
{
	struct key_ref r;
	int err;

	if (uid == ~0u && gid == ~0u)
		return 0;
	err = key_lookup(id, true, true, KEY_SETATTR, &r);
	if (err)
		return err;
	if (!sys_capable(CAP_SYS_ADMIN) &&
	    ((uid != ~0u && uid != r.k->uid) ||
	     (gid != ~0u && gid != r.k->gid && !cred_in_group(current->cred, gid))))
		return -EACCES;
	return key_chown(r.k, uid, gid);
}

static long ctl_setperm(s32 id, u32 perm)
{
	struct key_ref r;
	int err;

	if (perm & ~0x3f3f3f3fu)
		return -EINVAL;
	err = key_lookup(id, true, true, KEY_SETATTR, &r);
	if (err)
		return err;
	if (!sys_capable(CAP_SYS_ADMIN) && r.k->uid != current->cred->fsuid)
		return -EACCES;
	r.k->perm = perm;
	return 0;
}

static long ctl_revoke(s32 id)
{
	struct key_ref r;
	int err = key_lookup(id, false, false, KEY_WRITE, &r);

	if (err == -EACCES)
		err = key_lookup(id, false, false, KEY_SETATTR, &r);
	if (!err)
		key_revoke(r.k);
	return err;
}

static long ctl_invalidate(s32 id)
{
	struct key_ref r;
	int err = key_lookup(id, false, false, KEY_SEARCH, &r);

	if (!err)
		key_invalidate(r.k);
	return err;
}

static long ctl_clear(s32 id)
{
	struct key_ref r;
	int err = key_lookup(id, true, false, KEY_WRITE, &r);

	if (!err && r.k->kind != KEY_RING)
		err = -ENOTDIR;
	if (!err)
		key_clear(r.k);
	return err;
}

static long ctl_link(s32 id, s32 ring)
{
	struct key_ref r, k;
	int err = key_lookup(ring, true, false, KEY_WRITE, &r);

	if (!err)
		err = key_lookup(id, true, false, KEY_LINK, &k);
	return err ? err : key_link(r.k, k.k);
}

static long ctl_unlink(s32 id, s32 ring)
{
	struct key_ref r, k;
	int err = key_lookup(ring, false, false, KEY_WRITE, &r);

	/* Of what is unlinked only the name counts, not its state nor what one may do with it. */
	if (!err) {
		err = key_lookup(id, false, true, 0, &k);
		if (k.k && (err == -EKEYREVOKED || err == -EKEYEXPIRED))
			err = 0;
	}
	return err ? err : key_unlink(r.k, k.k);
}

static long ctl_move(s32 id, s32 from, s32 to, u32 flags)
{
	struct key_ref k, f, t;
	struct key *there;
	int err;

	if (flags & ~(u32)KEYCTL_MOVE_EXCL)
		return -EINVAL;
	err = key_lookup(id, true, false, KEY_LINK, &k);
	if (!err)
		err = key_lookup(from, false, false, KEY_WRITE, &f);
	if (!err)
		err = key_lookup(to, true, false, KEY_WRITE, &t);
	if (err || f.k == t.k)
		return err;
	if (f.k->kind != KEY_RING || t.k->kind != KEY_RING)
		return -ENOTDIR;
	if (!key_in(f.k, k.k->kind, k.k->desc))
		return -ENOENT;
	there = key_in(t.k, k.k->kind, k.k->desc);
	if (there && (flags & KEYCTL_MOVE_EXCL))
		return -EEXIST;
	err = key_link(t.k, k.k);
	return err ? err : key_unlink(f.k, k.k);
}

static long ctl_timeout(s32 id, u32 seconds)
{
	struct key_ref r;
	int err = key_lookup_maker(id, true, KEY_SETATTR, &r);

	if (!err)
		r.k->expiry = seconds ? key_now() + seconds : 0;
	return err;
}

static long ctl_reqkey(s32 which)
{
	struct task *t = current_task();
	long old = t->reqkey_ring;
	struct key_ref r;
	int err = 0;

	switch (which) {
	case KEY_REQKEY_DEFL_THREAD_KEYRING:
	case KEY_REQKEY_DEFL_PROCESS_KEYRING: err = key_lookup(-which, true, false, 0, &r); break;
	case KEY_REQKEY_DEFL_DEFAULT:
	case KEY_REQKEY_DEFL_SESSION_KEYRING:
	case KEY_REQKEY_DEFL_USER_KEYRING:
	case KEY_REQKEY_DEFL_USER_SESSION_KEYRING:
	case KEY_REQKEY_DEFL_REQUESTOR_KEYRING: break;
	case KEY_REQKEY_DEFL_NO_CHANGE: return old;
	default: return -EINVAL;
	}
	if (!err)
		t->reqkey_ring = (u8)which;
	return err ? err : old;
}

static long ctl_id(s32 id, bool create)
{
	struct key_ref r;
	int err = key_lookup(id, create, false, KEY_SEARCH, &r);

	return err ? err : r.k->serial;
}

/* --- keyctl: what copies in or out --- */

static long ctl_join(u64 uname)
{
	char *name = NULL;
	s32 serial;
	int err = uname ? text_get(uname, &name) : 0;

	if (!err && name && name[0] == '.')
		err = -EPERM;
	if (!err) {
		keys_lock();
		err = key_join_session(name, &serial);
		keys_unlock();
	}
	kfree(name);
	return err ? err : serial;
}

static long update_locked(s32 id, struct key_load *load)
{
	struct key_ref r;
	int err = key_lookup(id, false, false, KEY_WRITE, &r);

	if (err)
		return err;
	if (r.k->kind == KEY_RING || r.k->kind == KEY_AUTH)
		return -EOPNOTSUPP;
	err = key_check_load(r.k->kind, load->len);
	return err ? err : key_update(r, load);
}

static long ctl_update(s32 id, u64 uload, u64 len)
{
	struct key_load load;
	long r;

	if (len > PAGE_SIZE)
		return -EINVAL;
	r = load_get(uload, len, &load);
	if (r)
		return r;
	do {
		keys_lock();
		r = update_locked(id, &load);
	} while (keys_unlock_again(&r));
	key_load_free(&load);
	return r;
}

static long ctl_describe(s32 id, u64 ubuf, u64 size)
{
	char *text = kmalloc(KEY_DESC_MAX + 64, 0);
	struct key_ref r;
	long n;

	if (!text)
		return -ENOMEM;
	keys_lock();
	n = key_lookup_maker(id, false, KEY_VIEW, &r);
	if (!n)
		n = 1 + snprintf(text, KEY_DESC_MAX + 64, "%s;%u;%u;%08x;%s",
				 key_kind_name(r.k->kind), r.k->uid,
				 r.k->gid == ~0u ? 65534u : r.k->gid, r.k->perm, r.k->desc);
	keys_unlock();
	if (n > 0 && ubuf && size >= (u64)n && copy_to_user(ubuf, text, (size_t)n))
		n = -EFAULT;
	kfree(text);
	return n;
}

/* Whoever possesses a key may read it, too. The contents are copied to @buf if they fit. */
static long read_locked(s32 id, void *buf, u64 size)
{
	struct key_ref r;
	s32 *serials = buf;
	int err = key_lookup(id, false, true, 0, &r);
	u64 n;

	if (!r.k || (err && err != -EKEYREVOKED && err != -EKEYEXPIRED))
		return -ENOKEY;
	if (r.k->construct)
		return key_await(r.k);
	if (r.k->negative)
		return r.k->negative;
	if (!key_may(r.k, r.possessed, KEY_READ) && !r.possessed)
		return -EACCES;
	if (err)
		return err;
	if (r.k->kind == KEY_LOGON)
		return -EOPNOTSUPP;
	n = r.k->kind == KEY_RING ? r.k->len * sizeof(s32) : r.k->len;
	if (n > size)
		return (long)n;
	if (r.k->kind == KEY_RING)
		for (u32 i = 0; i < r.k->len; i++)
			serials[i] = r.k->links[i]->serial;
	else
		memcpy(buf, r.k->data, n);
	return (long)n;
}

/* Its length first, then with room for that; again, if it has grown meanwhile. */
static long ctl_read(s32 id, u64 ubuf, u64 size)
{
	struct key_load buf = { 0 };
	long n;

	for (;;) {
		do {
			keys_lock();
			n = read_locked(id, buf.data, buf.len);
		} while (keys_unlock_again(&n));
		if (n <= (long)buf.len || !ubuf || (u64)n > size)
			break;
		key_load_free(&buf);
		buf.data = key_buf_alloc((u32)n);
		if (!buf.data)
			return -ENOMEM;
		buf.len = (u32)n;
	}
	if (n > 0 && n <= (long)buf.len && (u64)n <= size &&
	    copy_to_user(ubuf, buf.data, (size_t)n))
		n = -EFAULT;
	key_load_free(&buf);
	return n;
}

static long search_locked(const struct naming *n, s32 id, s32 dest)
{
	struct key_ref ring, to, found;
	int kind, err = key_lookup(id, false, false, KEY_SEARCH, &ring);

	if (!err && dest)
		err = key_lookup(dest, true, false, KEY_WRITE, &to);
	if (err)
		return err;
	kind = key_kind_find(n->type);
	if (kind < 0)
		return kind;
	err = key_search(ring, (u32)kind, n->desc, &found);
	if (err)
		return err == -EAGAIN ? -ENOKEY : err;
	if (dest) {
		err = key_may(found.k, found.possessed, KEY_LINK) ? 0 : -EACCES;
		if (!err)
			err = key_link(to.k, found.k);
	}
	return err ? err : found.k->serial;
}

static long ctl_search(s32 ring, u64 utype, u64 udesc, s32 dest)
{
	struct naming n;
	long r = naming_get(&n, utype, udesc);

	if (r)
		return r;
	do {
		keys_lock();
		r = search_locked(&n, ring, dest);
	} while (keys_unlock_again(&r));
	kfree(n.desc);
	return r;
}

/* There is no security module: the label is empty. */
static long ctl_security(s32 id, u64 ubuf, u64 size)
{
	struct key_ref r;
	long err;

	keys_lock();
	err = key_lookup_maker(id, false, KEY_VIEW, &r);
	keys_unlock();
	if (err)
		return err;
	return ubuf && size && put_user(ubuf, (u8)0) ? -EFAULT : 1;
}

/* @type: of the keys that a rule is for, of which no kind here has any; NULL: none may come in */
static long restrict_locked(s32 id, const char *type)
{
	struct key_ref r;
	int err = key_lookup(id, false, false, KEY_SETATTR, &r);

	if (err)
		return err;
	if (r.k->kind != KEY_RING)
		return -ENOTDIR;
	if (type)
		return key_kind_find(type) < 0 ? -ENOKEY : -ENOENT;
	if (r.k->restricted)
		return -EEXIST;
	r.k->restricted = true;
	return 0;
}

static long ctl_restrict(s32 id, u64 utype, u64 urule)
{
	char type[TYPE_MAX], *rule = NULL;
	struct key_ref k;
	long r;

	do {
		keys_lock();
		r = key_lookup(id, false, false, KEY_SETATTR, &k);
	} while (keys_unlock_again(&r));
	if (!r && !utype != !urule)
		r = -EINVAL;
	if (!r && utype)
		r = type_get(type, utype);
	if (!r && utype)
		r = text_get(urule, &rule);
	if (r)
		return r;
	kfree(rule);
	do {
		keys_lock();
		r = restrict_locked(id, utype ? type : NULL);
	} while (keys_unlock_again(&r));
	return r;
}

static long ctl_capabilities(u64 ubuf, u64 size)
{
	static const u8 caps[2] = { KEYCTL_CAPS0_CAPABILITIES | KEYCTL_CAPS0_PERSISTENT_KEYRINGS |
				    KEYCTL_CAPS0_BIG_KEY | KEYCTL_CAPS0_INVALIDATE |
				    KEYCTL_CAPS0_RESTRICT_KEYRING | KEYCTL_CAPS0_MOVE };
	u64 n = MIN(size, sizeof(caps));

	if (n && copy_to_user(ubuf, caps, n))
		return -EFAULT;
	for (; n < size; n++)
		if (put_user(ubuf + n, (u8)0))
			return -EFAULT;
	return sizeof(caps);
}

/* --- keyctl: for who makes a key --- */

static int authority(s32 id)
{
	int err;

	keys_lock();
	err = key_authority(id);
	keys_unlock();
	return err;
}

/* @u: the bytes; NULL: none */
static long instantiate(s32 id, struct uio *u, s32 ring)
{
	struct key_load load = { 0 };
	size_t len = u ? u->left : 0;
	long r = len > LOAD_MAX ? -EINVAL : authority(id);

	if (r)
		return r;
	if (len) {
		load.data = key_buf_alloc((u32)len);
		if (!load.data)
			return -ENOMEM;
		load.len = (u32)len;
		if (uio_copy_from(u, load.data, len) != (ssize_t)len)
			r = -EFAULT;
	}
	if (!r) {
		do {
			keys_lock();
			r = key_instantiate(id, &load, ring);
		} while (keys_unlock_again(&r));
	}
	key_load_free(&load);
	return r;
}

static long ctl_instantiate(s32 id, u64 uload, u64 len, s32 ring)
{
	struct uio u;

	if (!uload || !len)
		return instantiate(id, NULL, ring);
	if (!user_ok(uload, len))
		return -EFAULT;
	uio_init_user(&u, uload, len);
	return instantiate(id, &u, ring);
}

static long ctl_instantiate_iov(s32 id, u64 uiov, u32 count, s32 ring)
{
	struct iovs v;
	long r;

	if (!uiov)
		return instantiate(id, NULL, ring);
	r = iovs_import(&v, uiov, count);
	if (r)
		return r;
	r = instantiate(id, &v.u, ring);
	iovs_free(&v);
	return r;
}

static long ctl_reject(s32 id, u32 seconds, u32 error, s32 ring)
{
	long r;

	if (!error || error >= ERRNO_MAX || error == ERESTARTSYS || error == ERESTARTNOINTR ||
	    error == ERESTARTNOHAND || error == ERESTART_RESTARTBLOCK)
		return -EINVAL;
	do {
		keys_lock();
		r = key_reject(id, seconds, error, ring);
	} while (keys_unlock_again(&r));
	return r;
}

/* --- and the rest --- */

static long ctl_persistent(u32 uid, s32 ring)
{
	const struct cred *c = current->cred;
	struct key_ref dest;
	int err;

	if (uid == ~0u)
		uid = c->uid;
	else if (uid != c->uid && uid != c->euid && !sys_capable(CAP_SETUID))
		return -EPERM;
	err = key_lookup(ring, true, false, KEY_WRITE, &dest);
	if (!err && dest.k->kind != KEY_RING)
		err = -ENOTDIR;
	return err ? err : key_get_persistent(uid, dest.k);
}

static long ctl_locked(u32 op, u64 a, u64 b, u64 c, u64 d)
{
	switch (op) {
	case KEYCTL_GET_KEYRING_ID: return ctl_id((s32)a, (int)b != 0);
	case KEYCTL_REVOKE: return ctl_revoke((s32)a);
	case KEYCTL_CHOWN: return ctl_chown((s32)a, (u32)b, (u32)c);
	case KEYCTL_SETPERM: return ctl_setperm((s32)a, (u32)b);
	case KEYCTL_CLEAR: return ctl_clear((s32)a);
	case KEYCTL_LINK: return ctl_link((s32)a, (s32)b);
	case KEYCTL_UNLINK: return ctl_unlink((s32)a, (s32)b);
	case KEYCTL_SET_REQKEY_KEYRING: return ctl_reqkey((s32)a);
	case KEYCTL_SET_TIMEOUT: return ctl_timeout((s32)a, (u32)b);
	case KEYCTL_SESSION_TO_PARENT: return key_session_to_parent();
	case KEYCTL_INVALIDATE: return ctl_invalidate((s32)a);
	case KEYCTL_MOVE: return ctl_move((s32)a, (s32)b, (s32)c, (u32)d);
	case KEYCTL_ASSUME_AUTHORITY: return key_assume_authority((s32)a);
	case KEYCTL_GET_PERSISTENT: return ctl_persistent((u32)a, (s32)b);
	}
	return -EOPNOTSUPP;
}

/* ctx: thread; sleeps */
long sys_keyctl(u64 op, u64 a, u64 b, u64 c, u64 d)
{
	long r;

	switch ((int)op) {
	case KEYCTL_JOIN_SESSION_KEYRING: return ctl_join(a);
	case KEYCTL_UPDATE: return ctl_update((s32)a, b, c);
	case KEYCTL_DESCRIBE: return ctl_describe((s32)a, b, (u32)c);
	case KEYCTL_READ: return ctl_read((s32)a, b, c);
	case KEYCTL_SEARCH: return ctl_search((s32)a, b, c, (s32)d);
	case KEYCTL_GET_SECURITY: return ctl_security((s32)a, b, c);
	case KEYCTL_RESTRICT_KEYRING: return ctl_restrict((s32)a, b, c);
	case KEYCTL_CAPABILITIES: return ctl_capabilities(a, b);
	case KEYCTL_INSTANTIATE: return ctl_instantiate((s32)a, b, c, (s32)d);
	case KEYCTL_INSTANTIATE_IOV: return ctl_instantiate_iov((s32)a, b, (u32)c, (s32)d);
	case KEYCTL_NEGATE: return ctl_reject((s32)a, (u32)b, ENOKEY, (s32)c);
	case KEYCTL_REJECT: return ctl_reject((s32)a, (u32)b, (u32)c, (s32)d);
	}
	do {
		keys_lock();
		r = ctl_locked((u32)op, a, b, c, d);
	} while (keys_unlock_again(&r));
	return r;
}
