#pragma once
/*
 * Keys and keyrings (keyrings(7)). One lock for all; every function but the hooks wants it held,
 * and pointers are good while it is.
 */
#include <linux/keyctl.h>
#include "kernel/lib/list.h"
#include "kernel/lib/rbtree.h"
#include "kernel/lib/types.h"

struct cred;
struct key;
struct key_user;
struct task;

/* KEY_AUTH: the right to make one key, for the program that makes it (keys_request.c). */
enum key_kind { KEY_RING, KEY_USER, KEY_LOGON, KEY_BIG, KEY_AUTH, KEY_KINDS };

/* What a caller needs to be allowed: bits of one of the four sets in .perm. */
#define KEY_VIEW 0x01u
#define KEY_READ 0x02u
#define KEY_WRITE 0x04u
#define KEY_SEARCH 0x08u
#define KEY_LINK 0x10u
#define KEY_SETATTR 0x20u
#define KEY_ALL 0x3fu
#define KEY_POS(bits) ((bits) << 24) /* who possesses it */
#define KEY_USR(bits) ((bits) << 16)
#define KEY_DESC_MAX 4096u
#define KEY_DATA_MAX 32767u
#define KEY_BIG_MAX (1024u * 1024)
#define KEY_DEPTH_MAX 6u /* of keyrings in keyrings that are searched */

/* Stays once it is there. k: by keys_lock. */
struct key_user {
	struct key_user *next; /* k */
	u32 uid; /* k */
	u32 keys, bytes; /* k: charged */
	u32 all, made; /* k: keys in the quota or not; those that are not under construction */
	struct key *ring, *session; /* k: references: _uid.N and _uid_ses.N */
};

/* The bytes of a key, from key_buf_alloc; wiped when they are freed. */
struct key_load {
	u8 *data;
	u32 len;
};

/* Whose keyrings are searched, and with what rights. */
struct key_owner {
	struct cred *cred;
	struct key *rings[3]; /* of the thread, the process, the session: NULL, there is none */
};

/* What there is to know for who makes a key. k: by keys_lock; references */
struct key_auth {
	struct key *target, *dest; /* k */
	struct key_owner who; /* k: asks for it */
	u32 tid; /* k: of the thread that asks */
};

/* k: by keys_lock. */
struct key {
	struct rb_node node; /* k: of all, by serial */
	struct list doomed; /* k: on its way out */
	struct key_user *user; /* k: whose quota it is in */
	u32 refs; /* k: keyrings it is in, tasks and users whose keyring it is */
	s32 serial; /* k */
	u8 kind; /* k: enum key_kind */
	bool revoked, invalid, restricted; /* k */
	bool of_uid; /* k: a user's own keyring */
	bool free; /* k: in nobody's quota */
	bool construct; /* k: somebody is making it; a for those who wait */
	int negative; /* k: errno that finding it gives, negative; 0: it is a real one */
	u32 uid, gid, perm; /* k */
	u32 charged; /* k: bytes of the quota */
	s64 expiry; /* k: wall seconds; 0: never */
	u8 *data; /* k: of kinds with bytes; what was said to who makes it, of KEY_AUTH */
	union {
		struct key **links; /* k: of KEY_RING, each a reference */
		struct key_auth *auth; /* k: of KEY_AUTH; NULL: it is over; a for those who wait */
	};
	u32 len, room; /* k: bytes of data; links, and how many fit */
	char desc[]; /* k */
};

/* A key that a caller named, and whether it is in one of his keyrings. */
struct key_ref {
	struct key *k;
	bool possessed;
};

void keys_lock(void);
void keys_unlock(void);
/*
 * Unlock; when key_await was called meanwhile, sleep until that key is made. True: do all again;
 * *@r is -ERESTARTSYS when a signal came. ctx: thread; sleeps
 */
bool keys_unlock_again(long *r);
int key_await(struct key *k); /* -EINPROGRESS */
void key_auth_sleep(struct key *auth); /* until what it is for is over. holds: nothing */
int key_sleep(struct key *k); /* until it is made. holds: nothing; sleeps. 0, -EINTR */
const char *key_kind_name(u32 kind);
int key_kind_find(const char *name); /* enum key_kind, or -ENOKEY */
/* A key in nobody's keyring yet: link it, or key_drop. */
enum key_quota { KEY_QUOTA, KEY_FORCE, KEY_FREE }; /* within the quota, beyond it, outside it */
int __must_check key_make(u32 kind, const char *desc, u32 perm, enum key_quota quota,
			  struct key **out);
u32 key_default_perm(u32 kind);
int key_check_desc(u32 kind, const char *desc); /* 0, -EINVAL */
int key_check_load(u32 kind, u64 len); /* 0, -EINVAL */
s64 key_now(void); /* wall seconds */
struct key *key_find(s32 serial); /* NULL: none */
struct key *key_next(const struct key *k); /* by serial; of NULL the first */
struct key_user *key_user_get(u32 uid); /* NULL: no memory */
void key_give(struct key *k, struct key_user *u); /* whatever the quota says */
void key_hold(struct key *k);
void key_drop(struct key *k); /* a reference */
void *__must_check key_buf_alloc(u32 len); /* NULL: no memory. ctx: thread */
void key_load_free(struct key_load *l); /* ctx: thread */
/* @l's bytes become @k's: nothing is left in @l. 0, -EDQUOT */
int __must_check key_load_take(struct key *k, struct key_load *l);
void key_made(struct key *k, int negative); /* it is under construction no more */
void key_negate(struct key *k, int err, u32 seconds); /* likewise: there is none, for a time */
void key_auth_over(struct key *auth); /* who had it can do no more; wakes who asked */
int key_chown(struct key *k, u32 uid, u32 gid); /* 0, -EDQUOT */
void key_revoke(struct key *k);
void key_invalidate(struct key *k); /* with all links to it */
int key_validate(const struct key *k); /* 0, -ENOKEY, -EKEYREVOKED, -EKEYEXPIRED */
bool key_may(const struct key *k, bool possessed, u32 need);
/* Link: what it replaces goes. 0, -ENOTDIR, -EPERM, -EDEADLK, -ELOOP, -EDQUOT, -ENOMEM. */
int key_link(struct key *ring, struct key *k);
int key_link_any(struct key *ring, struct key *k); /* the same, restricted or not */
int key_unlink(struct key *ring, struct key *k); /* or one of that name. 0, -ENOTDIR, -ENOENT */
void key_clear(struct key *ring);
struct key *key_in(struct key *ring, u32 kind, const char *desc); /* directly; NULL: none */
/* 0, or -EAGAIN (nothing), -EACCES, -ENOKEY, -EKEYREVOKED, -EKEYEXPIRED; -ENOTDIR. */
int key_search(struct key_ref ring, u32 kind, const char *desc, struct key_ref *out);
int key_user_rings(struct key_user **out); /* the real user's, made. 0, -ENOMEM */
struct key_owner key_owner_current(void); /* no references */
/* @old: that it has expired is the answer when nothing better is there. */
int key_search_process(u32 kind, const char *desc, bool old, struct key_ref *out);
/*
 * What @id stands for: a serial number, or KEY_SPEC_*. @create: make the keyring if need be;
 * @partial: negative ones too; @need: KEY_* or 0. 0, -EINVAL, -ENOKEY, -EACCES and so on.
 */
int key_lookup(s32 id, bool create, bool partial, u32 need, struct key_ref *out);
/* Also, with @partial, for who is making it. */
int key_lookup_maker(s32 id, bool create, u32 need, struct key_ref *out);
/* The keyring for what current asks for without saying where to. 0, -EACCES, -ENOMEM */
int key_request_dest(struct key **out);
int key_join_session(const char *name, s32 *serial); /* NULL: a new one without name */
int key_session_to_parent(void); /* 0, -EPERM, -ENOKEY, -EACCES */

/* keys_persist.c: the persistent keyring of @uid into @dest, for some days. The serial or -errno */
long key_get_persistent(u32 uid, struct key *dest);

/* --- keys_request.c: keys that are made because somebody asks for them --- */

/*
 * Find such a key, or have one made, to which @info (NULL: do not) helps. @dest: goes in there;
 * NULL: where it is made, key_request_dest. *@out: a reference; *@auth: NULL, or a reference, and
 * key_request_end comes next. 0, or why there is none.
 */
int key_request_begin(u32 kind, const char *desc, struct key_load *info, struct key *dest,
		      struct key **out, struct key **auth);
/*
 * What has become of @k: its serial, or why there is none. Consumes both. ctx: thread; holds:
 * nothing; sleeps, until a signal if @auth is NULL, else until a deadly one
 */
long key_request_end(struct key *k, struct key *auth);
int key_authority(s32 id); /* current may make that key: 0 or -EPERM */
int key_instantiate(s32 id, struct key_load *load, s32 ring);
int key_reject(s32 id, u32 seconds, u32 error, s32 ring);
long key_assume_authority(s32 id);
int key_auth_find(s32 id, struct key_ref *out); /* the right to make that key. 0 or -errno */
void key_upcall_over(struct key *auth); /* the program ended, or did not begin */

/* --- hooks --- */
void keys_inherit(struct task *child); /* ctx: thread; before it runs */
void keys_exec(void); /* ctx: thread */
void keys_exit_task(struct task *t, bool last); /* ctx: thread */
