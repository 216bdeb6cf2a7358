/*
 * add_key(2), request_key(2), keyctl(2): arguments in, one operation on keys (kernel/proc/keys.c)
 * under their lock, results out. User memory is touched without the lock.
 *
 * request_key(2) finds keys; it has nobody to ask for new ones (/sbin/request-key), so what is not
 * there becomes a negative key for a minute, as on Linux without that program. Hence nobody is ever
 * authorised to instantiate a key.
 */
#include "kernel/lib/fmt.h"
#include "kernel/proc/keys.h"
#include "kernel/sys/abi.h"
#include "mm/slab.h"

#define TYPE_MAX 32u
#define NEGATIVE_SECONDS 60
#define READ_MAX (KEY_DATA_MAX + 1)
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

/* More than any kind takes is looked at, as a fault comes first, and not kept. */
static int payload_get(u64 uload, u64 len, void **out)
{
	u8 some[128];

	*out = NULL;
	for (u64 at = 0; len > KEY_DATA_MAX && at < len; at += sizeof(some))
		if (copy_from_user(some, uload + at, MIN(len - at, sizeof(some))))
			return -EFAULT;
	if (!len || len > KEY_DATA_MAX)
		return 0;
	*out = kmalloc(len, 0);
	if (!*out)
		return -ENOMEM;
	if (!copy_from_user(*out, uload, len))
		return 0;
	kfree(*out);
	return -EFAULT;
}

/* Are the bytes, and the description, fit for a key of @kind? */
static int payload_check(u32 kind, const char *desc, u64 len)
{
	const char *colon = strchr(desc, ':');

	if (!*desc)
		return -EINVAL;
	if (kind == KEY_RING)
		return len ? -EINVAL : 0;
	if (!len || len > KEY_DATA_MAX)
		return -EINVAL;
	return kind == KEY_LOGON && (!colon || colon == desc) ? -EINVAL : 0;
}

static u32 default_perm(u32 kind)
{
	u32 pos = KEY_VIEW | KEY_SEARCH | KEY_LINK | KEY_SETATTR | KEY_WRITE;

	return KEY_POS(pos | (kind == KEY_LOGON ? 0 : KEY_READ)) | KEY_USR(KEY_VIEW);
}

/* A key in @ring, or another payload for the one that is there. The serial, or -errno. */
static long key_put_in(struct key_ref ring, u32 kind, const char *desc, const void *load, u32 len)
{
	struct key *k = kind == KEY_RING ? NULL : key_in(ring.k, kind, desc);
	s32 serial;
	int err;

	if (k && !k->revoked && !k->invalid) {
		err = key_may(k, ring.possessed, KEY_WRITE) ? key_data_set(k, load, len) : -EACCES;
		return err ? err : k->serial;
	}
	err = key_make(kind, desc, default_perm(kind), false, &k);
	if (err)
		return err;
	if (kind != KEY_RING)
		err = key_data_set(k, load, len);
	if (!err)
		err = key_link(ring.k, k);
	serial = k->serial;
	key_drop(k);
	return err ? err : serial;
}

static long add_locked(const struct naming *n, const void *load, u64 len, s32 ring)
{
	int kind = key_kind_find(n->type), err;
	struct key_ref r;

	err = key_lookup(ring, true, false, KEY_WRITE, &r);
	if (err)
		return err;
	if (kind < 0)
		return -ENODEV;
	if (r.k->kind != KEY_RING)
		return -ENOTDIR;
	err = payload_check((u32)kind, n->desc, len);
	if (err)
		return err;
	return r.k->restricted ? -EPERM : key_put_in(r, (u32)kind, n->desc, load, (u32)len);
}

/* ctx: thread; sleeps */
long sys_add_key(u64 utype, u64 udesc, u64 uload, u64 len, u64 ring)
{
	struct naming n = { .desc = NULL };
	void *load;
	long r;

	if (len > 1024 * 1024 - 1)
		return -EINVAL;
	r = type_get(n.type, utype);
	if (!r && udesc)
		r = text_get(udesc, &n.desc);
	if (r)
		return r;
	if (n.desc && n.desc[0] == '.' && !strncmp(n.type, "keyring", 7))
		r = -EPERM;
	if (!r)
		r = payload_get(uload, len, &load);
	if (!r) {
		static char none[1];
		struct naming given = n;

		given.desc = n.desc ? n.desc : none;
		keys_lock();
		r = add_locked(&given, load, len, (s32)ring);
		keys_unlock();
		if (load)
			memset(load, 0, len);
		kfree(load);
	}
	kfree(n.desc);
	return r;
}

/* Where a key goes that was asked for, when no keyring was named. */
static s32 default_ring(void)
{
	struct task *t = current_task();

	switch (t->reqkey_ring) {
	case KEY_REQKEY_DEFL_THREAD_KEYRING: return KEY_SPEC_THREAD_KEYRING;
	case KEY_REQKEY_DEFL_PROCESS_KEYRING: return KEY_SPEC_PROCESS_KEYRING;
	case KEY_REQKEY_DEFL_SESSION_KEYRING: return KEY_SPEC_SESSION_KEYRING;
	case KEY_REQKEY_DEFL_USER_KEYRING: return KEY_SPEC_USER_KEYRING;
	case KEY_REQKEY_DEFL_USER_SESSION_KEYRING: return KEY_SPEC_USER_SESSION_KEYRING;
	}
	return t->thread_keyring	  ? KEY_SPEC_THREAD_KEYRING
	       : t->proc->process_keyring ? KEY_SPEC_PROCESS_KEYRING
	       : t->session_keyring	  ? KEY_SPEC_SESSION_KEYRING
					  : KEY_SPEC_USER_SESSION_KEYRING;
}

/* Nobody makes the key: for a while that is known. Always an error. */
static int make_negative(u32 kind, const char *desc, struct key *ring)
{
	struct key_ref r;
	struct key *k;
	int err = 0;

	if (!ring) {
		err = key_lookup(default_ring(), true, false, KEY_WRITE, &r);
		if (err)
			return err;
		ring = r.k;
	}
	err = key_make(kind, desc, default_perm(kind), false, &k);
	if (err)
		return err;
	k->negative = -ENOKEY;
	k->expiry = key_now() + NEGATIVE_SECONDS;
	err = key_link(ring, k);
	key_drop(k);
	return err ? err : -ENOENT; /* of the program that is not there */
}

static long request_locked(const struct naming *n, bool ask, s32 ring)
{
	struct key_ref dest = { 0 }, found;
	int kind = key_kind_find(n->type), err = 0;

	if (ring)
		err = key_lookup(ring, true, false, KEY_WRITE, &dest);
	if (!err && kind < 0)
		err = kind;
	if (!err)
		err = key_search_process((u32)kind, n->desc, &found);
	if (err == -EAGAIN)
		return ask ? make_negative((u32)kind, n->desc, dest.k) : -ENOKEY;
	if (!err && dest.k) {
		err = key_may(found.k, found.possessed, KEY_LINK) ? 0 : -EACCES;
		if (!err)
			err = key_link(dest.k, found.k);
	}
	return err ? err : found.k->serial;
}

/* ctx: thread; sleeps */
long sys_request_key(u64 utype, u64 udesc, u64 uinfo, u64 ring)
{
	struct naming n;
	char *info = NULL;
	long r = naming_get(&n, utype, udesc);

	if (r)
		return r;
	if (uinfo)
		r = text_get(uinfo, &info);
	if (!r) {
		keys_lock();
		r = request_locked(&n, uinfo, (s32)ring);
		keys_unlock();
	}
	kfree(info);
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
		if (err == -EKEYREVOKED || err == -EKEYEXPIRED)
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
	if (key_in(f.k, k.k->kind, k.k->desc) != k.k)
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
	int err = key_lookup(id, true, true, KEY_SETATTR, &r);

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

static long ctl_update(s32 id, u64 uload, u64 len)
{
	struct key_ref r;
	void *load;
	int err;

	if (len > PAGE_SIZE)
		return -EINVAL;
	err = payload_get(uload, len, &load);
	if (err)
		return err;
	keys_lock();
	err = key_lookup(id, false, false, KEY_WRITE, &r);
	if (!err && r.k->kind == KEY_RING)
		err = -EOPNOTSUPP;
	if (!err)
		err = load ? key_data_set(r.k, load, (u32)len) : -EINVAL;
	keys_unlock();
	kfree(load);
	return err;
}

static long ctl_describe(s32 id, u64 ubuf, u64 size)
{
	char *text = kmalloc(KEY_DESC_MAX + 64, 0);
	struct key_ref r;
	long n;

	if (!text)
		return -ENOMEM;
	keys_lock();
	n = key_lookup(id, false, true, KEY_VIEW, &r);
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

	if (err && err != -EKEYREVOKED && err != -EKEYEXPIRED)
		return -ENOKEY;
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

static long ctl_read(s32 id, u64 ubuf, u64 size)
{
	u64 room = ubuf ? MIN(size, (u64)READ_MAX) : 0;
	void *buf = kmalloc(room + 1, 0);
	long n;

	if (!buf)
		return -ENOMEM;
	keys_lock();
	n = read_locked(id, buf, room);
	keys_unlock();
	if (n > 0 && (u64)n <= room && copy_to_user(ubuf, buf, (size_t)n))
		n = -EFAULT;
	memset(buf, 0, room);
	kfree(buf);
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
	keys_lock();
	r = search_locked(&n, ring, dest);
	keys_unlock();
	kfree(n.desc);
	return r;
}

/* There is no security module: the label is empty. */
static long ctl_security(s32 id, u64 ubuf, u64 size)
{
	struct key_ref r;
	long err;

	keys_lock();
	err = key_lookup(id, false, true, KEY_VIEW, &r);
	keys_unlock();
	if (err)
		return err;
	return ubuf && size && put_user(ubuf, (u8)0) ? -EFAULT : 1;
}

static long ctl_restrict(s32 id, u64 utype, u64 urule)
{
	char type[TYPE_MAX];
	struct key_ref r;
	int err;

	keys_lock();
	err = key_lookup(id, false, false, KEY_SETATTR, &r);
	keys_unlock();
	if (!err && utype)
		err = type_get(type, utype);
	if (!err && utype ? !urule : urule != 0)
		err = -EINVAL;
	if (err)
		return err;
	if (utype) /* no kind of key here has rules */
		return key_kind_find(type) < 0 ? -ENOKEY : -ENOENT;
	keys_lock();
	err = key_lookup(id, false, false, KEY_SETATTR, &r);
	if (!err && r.k->kind != KEY_RING)
		err = -ENOTDIR;
	if (!err && r.k->restricted)
		err = -EEXIST;
	if (!err)
		r.k->restricted = true;
	keys_unlock();
	return err;
}

static long ctl_capabilities(u64 ubuf, u64 size)
{
	static const u8 caps[2] = { KEYCTL_CAPS0_CAPABILITIES | KEYCTL_CAPS0_INVALIDATE |
				    KEYCTL_CAPS0_RESTRICT_KEYRING | KEYCTL_CAPS0_MOVE };
	u64 n = MIN(size, sizeof(caps));

	if (n && copy_to_user(ubuf, caps, n))
		return -EFAULT;
	for (; n < size; n++)
		if (put_user(ubuf + n, (u8)0))
			return -EFAULT;
	return sizeof(caps);
}

/* Without authority over a key that is being made. */
static long ctl_reject(u32 error)
{
	bool bad = !error || error >= ERRNO_MAX || error == ERESTARTSYS ||
		   error == ERESTARTNOINTR || error == ERESTARTNOHAND ||
		   error == ERESTART_RESTARTBLOCK;

	return bad ? -EINVAL : -EPERM;
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
	case KEYCTL_INSTANTIATE: return c > 1024 * 1024 - 1 ? -EINVAL : -EPERM;
	case KEYCTL_INSTANTIATE_IOV:
	case KEYCTL_NEGATE: return -EPERM;
	case KEYCTL_REJECT: return ctl_reject((u32)c);
	case KEYCTL_ASSUME_AUTHORITY: return (s32)a < 0 ? -EINVAL : (s32)a ? -ENOKEY : 0;
	}
	keys_lock();
	r = ctl_locked((u32)op, a, b, c, d);
	keys_unlock();
	return r;
}
