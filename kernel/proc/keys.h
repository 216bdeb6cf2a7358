#pragma once
/*
 * Keys and keyrings (keyrings(7)). One lock for all; every function but the hooks wants it held,
 * and pointers are good while it is.
 */
#include <linux/keyctl.h>
#include "kernel/lib/list.h"
#include "kernel/lib/rbtree.h"
#include "kernel/lib/types.h"

struct key;
struct key_user;
struct task;

enum key_kind { KEY_RING, KEY_USER, KEY_LOGON, KEY_KINDS };

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
#define KEY_DEPTH_MAX 6u /* of keyrings in keyrings that are searched */

/* Stays once it is there. k: by keys_lock. */
struct key_user {
	struct key_user *next; /* k */
	u32 uid; /* k */
	u32 keys, bytes; /* k: charged */
	struct key *ring, *session; /* k: references: _uid.N and _uid_ses.N */
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
	int negative; /* k: errno that finding it gives, negative; 0: it is a real one */
	u32 uid, gid, perm; /* k */
	u32 charged; /* k: bytes of the quota */
	s64 expiry; /* k: wall seconds; 0: never */
	u8 *data; /* k: of KEY_USER and KEY_LOGON */
	struct key **links; /* k: of KEY_RING, each a reference */
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
const char *key_kind_name(u32 kind);
int key_kind_find(const char *name); /* enum key_kind, or -ENOKEY */
/* A key in nobody's keyring yet: link it, or key_drop. @force: beyond the quota. */
int __must_check key_make(u32 kind, const char *desc, u32 perm, bool force, struct key **out);
s64 key_now(void); /* wall seconds */
struct key *key_find(s32 serial); /* NULL: none */
struct key *key_next(const struct key *k); /* by serial; of NULL the first */
struct key_user *key_user_get(u32 uid); /* NULL: no memory */
void key_give(struct key *k, struct key_user *u); /* whatever the quota says */
void key_hold(struct key *k);
void key_drop(struct key *k); /* a reference */
int key_data_set(struct key *k, const void *data, u32 len); /* 0, -EDQUOT, -ENOMEM */
int key_chown(struct key *k, u32 uid, u32 gid); /* 0, -EDQUOT */
void key_revoke(struct key *k);
void key_invalidate(struct key *k); /* with all links to it */
int key_validate(const struct key *k); /* 0, -ENOKEY, -EKEYREVOKED, -EKEYEXPIRED */
bool key_may(const struct key *k, bool possessed, u32 need);
/* Link: what it replaces goes. 0, -ENOTDIR, -EPERM, -EDEADLK, -ELOOP, -EDQUOT, -ENOMEM. */
int key_link(struct key *ring, struct key *k);
int key_unlink(struct key *ring, struct key *k); /* 0, -ENOTDIR, -ENOENT */
void key_clear(struct key *ring);
struct key *key_in(struct key *ring, u32 kind, const char *desc); /* directly; NULL: none */
/* 0, or -EAGAIN (nothing), -EACCES, -ENOKEY, -EKEYREVOKED, -EKEYEXPIRED; -ENOTDIR. */
int key_search(struct key_ref ring, u32 kind, const char *desc, struct key_ref *out);
int key_search_process(u32 kind, const char *desc, struct key_ref *out);
/*
 * What @id stands for: a serial number, or KEY_SPEC_*. @create: make the keyring if need be;
 * @partial: negative ones too; @need: KEY_* or 0. 0, -EINVAL, -ENOKEY, -EACCES and so on.
 */
int key_lookup(s32 id, bool create, bool partial, u32 need, struct key_ref *out);
int key_join_session(const char *name, s32 *serial); /* NULL: a new one without name */
int key_session_to_parent(void); /* 0, -EPERM, -ENOKEY, -EACCES */

/* --- hooks --- */
void keys_inherit(struct task *child); /* ctx: thread; before it runs */
void keys_exec(void); /* ctx: thread */
void keys_exit_task(struct task *t, bool last); /* ctx: thread */
