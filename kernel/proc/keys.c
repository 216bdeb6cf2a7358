/*
 * Keys and keyrings: named bytes that the kernel keeps for users, and lists of them.
 *
 * A key lives while a keyring, a task or its user refers to it. Threads, processes, sessions and
 * users have keyrings; whoever can reach a key from his own by permitted searches possesses it.
 * Numbers of keys and bytes are charged to the user that owns them.
 *
 * One mutex guards it all: these calls are rare, and their answers depend on many keys at once.
 *
 * keyrings(7), thread-keyring(7), session-keyring(7), user-keyring(7), keyctl(2).
 */
#include <linux/capability.h>
#include "fs/procfs.h"
#include "kernel/base/cred.h"
#include "kernel/base/errno.h"
#include "kernel/base/rand.h"
#include "kernel/base/time.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "kernel/proc/keys.h"
#include "kernel/proc/proc.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/waitq.h"
#include "mm/kvm.h"
#include "mm/slab.h"

#define LINK_BYTES 4u /* what a link counts in the quota */
#define LINKS_MAX (1u << 24) /* beyond all sensible quotas */

static struct mutex keys_mutex = MUTEX_INIT(keys_mutex, RANK_LEAF_MUTEX);
static struct rb_root keys_all = RB_ROOT_INIT; /* k */
static struct key_user *users; /* k */

static int max_keys = 200, max_bytes = 20000; /* a */
static int root_max_keys = 1000000, root_max_bytes = 25000000; /* a */
static int gc_delay = 300; /* a: seconds that a dead key can be looked at */
SYSCTL_INT(key_maxkeys, "sys/kernel/keys/maxkeys", &max_keys, 1, 0x7fffffff);
SYSCTL_INT(key_maxbytes, "sys/kernel/keys/maxbytes", &max_bytes, 1, 0x7fffffff);
SYSCTL_INT(key_root_maxkeys, "sys/kernel/keys/root_maxkeys", &root_max_keys, 1, 0x7fffffff);
SYSCTL_INT(key_root_maxbytes, "sys/kernel/keys/root_maxbytes", &root_max_bytes, 1, 0x7fffffff);
SYSCTL_INT(key_gc_delay, "sys/kernel/keys/gc_delay", &gc_delay, 0, 0x7fffffff);

static const char *const kind_names[KEY_KINDS] = { "keyring", "user", "logon", "big_key",
						   ".request_key_auth" };
static struct waitq made_wait = WAITQ_INIT(made_wait); /* those who wait for keys to be made */
static struct key *awaited; /* k: a reference: what keys_unlock_again waits for */

/* See keys.h. */
s64 key_now(void)
{
	return time_wall() / NSEC_PER_SEC;
}

static struct key *of_node(struct rb_node *n)
{
	return rb_entry(n, struct key, node);
}

/* See keys.h. ctx: any */
const char *key_kind_name(u32 kind)
{
	return kind_names[kind];
}

/* See keys.h. ctx: any */
int key_kind_find(const char *name)
{
	for (int i = 0; i < KEY_KINDS; i++)
		if (!strcmp(name, kind_names[i]))
			return i;
	return -ENOKEY;
}

/* --- whose they are --- */

/* See keys.h. */
struct key_user *key_user_get(u32 uid)
{
	struct key_user *u;

	for (u = users; u && u->uid != uid; u = u->next)
		;
	if (u)
		return u;
	u = kzalloc(sizeof(*u), 0);
	if (!u)
		return NULL;
	u->uid = uid;
	u->next = users;
	users = u;
	return u;
}

/* @keys and @bytes more (or fewer) for @u. 0 or -EDQUOT */
static int charge(struct key_user *u, s32 keys, s64 bytes, bool force)
{
	u32 most = (u32)(u->uid ? READ_ONCE(max_keys) : READ_ONCE(root_max_keys));
	u32 most_bytes = (u32)(u->uid ? READ_ONCE(max_bytes) : READ_ONCE(root_max_bytes));

	if (!force && ((keys > 0 && u->keys >= most) ||
		       (bytes > 0 && (s64)u->bytes + bytes > (s64)most_bytes)))
		return -EDQUOT;
	u->keys += (u32)keys;
	u->bytes += (u32)bytes;
	return 0;
}

/* Another size of @k in its user's quota. 0 or -EDQUOT */
static int recharge(struct key *k, u32 bytes)
{
	int err = k->free ? 0 : charge(k->user, 0, (s64)bytes - k->charged, false);

	if (!err && !k->free)
		k->charged = bytes;
	return err;
}

/* @k counts (@by 1) or does no more (-1) for @u, whatever the quota says. */
static void count(struct key_user *u, const struct key *k, s32 by)
{
	if (!k->free)
		(void)charge(u, by, (s64)by * k->charged, true);
	u->all += (u32)by;
	if (!k->construct)
		u->made += (u32)by;
}

/* See keys.h. */
void key_give(struct key *k, struct key_user *u)
{
	count(k->user, k, -1);
	count(u, k, 1);
	k->user = u;
	k->uid = u->uid;
}

/* See keys.h. */
int key_chown(struct key *k, u32 uid, u32 gid)
{
	struct key_user *u = k->user;
	int err;

	if (uid != ~0u && uid != k->uid) {
		u = key_user_get(uid);
		err = !u ? -ENOMEM : k->free ? 0 : charge(u, 1, k->charged, false);
		if (err)
			return err;
		if (!k->free)
			(void)charge(u, -1, -(s64)k->charged, true);
		key_give(k, u);
	}
	if (gid != ~0u)
		k->gid = gid;
	return 0;
}

/* --- life --- */

/* See keys.h. */
struct key *key_next(const struct key *k)
{
	struct rb_node *n = k ? rb_next(&k->node) : rb_first(&keys_all);

	return n ? of_node(n) : NULL;
}

/* See keys.h. */
struct key *key_find(s32 serial)
{
	struct rb_node *n = keys_all.node;

	while (n && of_node(n)->serial != serial)
		n = serial < of_node(n)->serial ? n->left : n->right;
	return n ? of_node(n) : NULL;
}

static bool less(const struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, const struct key, node)->serial <
	       rb_entry(b, const struct key, node)->serial;
}

static void link_in(struct key *k)
{
	do {
		k->serial = (s32)(rand_u64() >> 33);
	} while (k->serial < 3 || key_find(k->serial));
	rb_insert(&keys_all, &k->node, less);
}

/* See keys.h. The caller holds one reference. */
int key_make(u32 kind, const char *desc, u32 perm, enum key_quota quota, struct key **out)
{
	const struct cred *c = current->cred;
	size_t len = strlen(desc) + 1;
	struct key_user *u = key_user_get(c->fsuid);
	bool counts = quota != KEY_FREE;
	struct key *k;
	int err = !u ? -ENOMEM : counts ? charge(u, 1, (s64)len, quota == KEY_FORCE) : 0;

	if (err)
		return err;
	k = kzalloc(sizeof(*k) + len, 0);
	if (!k) {
		if (counts)
			(void)charge(u, -1, -(s64)len, true);
		return -ENOMEM;
	}
	u->all++;
	u->made++;
	k->free = !counts;
	memcpy(k->desc, desc, len);
	list_init(&k->doomed);
	k->user = u;
	k->charged = counts ? (u32)len : 0;
	k->refs = 1;
	k->kind = (u8)kind;
	k->uid = c->fsuid;
	k->gid = c->fsgid;
	k->perm = perm;
	link_in(k);
	*out = k;
	return 0;
}

/* See keys.h. */
void key_hold(struct key *k)
{
	k->refs++;
}

/* See keys.h. */
u32 key_default_perm(u32 kind)
{
	u32 pos = KEY_VIEW | KEY_SEARCH | KEY_LINK | KEY_SETATTR | KEY_WRITE;

	return KEY_POS(pos | (kind == KEY_LOGON ? 0 : KEY_READ)) | KEY_USR(KEY_VIEW);
}

/* See keys.h. ctx: any */
int key_check_desc(u32 kind, const char *desc)
{
	const char *colon = strchr(desc, ':');

	return !*desc || (kind == KEY_LOGON && (!colon || colon == desc)) ? -EINVAL : 0;
}

/* See keys.h. ctx: any */
int key_check_load(u32 kind, u64 len)
{
	if (kind == KEY_RING)
		return len ? -EINVAL : 0;
	return !len || len > (kind == KEY_BIG ? KEY_BIG_MAX : KEY_DATA_MAX) ? -EINVAL : 0;
}

#define BUF_SMALL 8192u

/* See keys.h. */
void *key_buf_alloc(u32 len)
{
	return len > BUF_SMALL ? kvm_alloc(len, 0) : kmalloc(len, 0);
}

/* See keys.h. */
void key_load_free(struct key_load *l)
{
	if (l->data)
		memset(l->data, 0, l->len);
	if (l->data && l->len > BUF_SMALL)
		kvm_free(l->data);
	else
		kfree(l->data);
	l->data = NULL;
	l->len = 0;
}

static void data_drop(struct key *k)
{
	struct key_load l = { k->data, k->len };

	key_load_free(&l);
	k->data = NULL;
	k->len = 0;
}

static void drop_to(struct key *k, struct list *doomed);
static void links_free(const struct key *ring);

static void auth_drop(struct key *k, struct list *doomed)
{
	struct key_auth *a = k->auth;

	if (!a)
		return;
	WRITE_ONCE(k->auth, NULL);
	drop_to(a->target, doomed);
	drop_to(a->dest, doomed);
	for (u32 i = 0; i < ARRAY_SIZE(a->who.rings); i++)
		drop_to(a->who.rings[i], doomed);
	cred_put(a->who.cred);
	kfree(a);
}

/* One reference less; without any it goes to @doomed. */
static void drop_to(struct key *k, struct list *doomed)
{
	if (k && !--k->refs)
		list_add_tail(doomed, &k->doomed);
}

/* The keys of @doomed go; keyrings take what is in them along, however deep that is. */
static void destroy(struct list *doomed)
{
	while (!list_empty(doomed)) {
		struct key *k = list_first(doomed, struct key, doomed);

		list_del(&k->doomed);
		if (k->kind == KEY_RING) {
			for (u32 i = 0; i < k->len; i++)
				drop_to(k->links[i], doomed);
			links_free(k);
		} else {
			if (k->kind == KEY_AUTH)
				auth_drop(k, doomed);
			data_drop(k);
		}
		count(k->user, k, -1);
		rb_erase(&keys_all, &k->node);
		kfree(k);
	}
}

/* See keys.h. */
void key_drop(struct key *k)
{
	struct list doomed = LIST_INIT(doomed);

	drop_to(k, &doomed);
	destroy(&doomed);
}

/* See keys.h. */
int key_load_take(struct key *k, struct key_load *l)
{
	int err = recharge(k, (u32)strlen(k->desc) + 1 + l->len);

	if (err)
		return err;
	data_drop(k);
	k->data = l->data;
	k->len = l->len;
	*l = (struct key_load){ 0 };
	return 0;
}

/* --- being made --- */

/* See keys.h. */
void key_made(struct key *k, int negative)
{
	k->negative = negative;
	k->user->made++;
	WRITE_ONCE(k->construct, false);
	waitq_wake_all(&made_wait);
}

/* See keys.h. */
void key_negate(struct key *k, int err, u32 seconds)
{
	k->expiry = key_now() + seconds;
	key_made(k, err);
}

/* See keys.h. The caller has a reference. */
void key_auth_over(struct key *auth)
{
	struct list doomed = LIST_INIT(doomed);

	auth->revoked = true;
	data_drop(auth);
	auth_drop(auth, &doomed);
	destroy(&doomed);
	waitq_wake_all(&made_wait);
}

/* See keys.h. */
int key_await(struct key *k)
{
	key_hold(k);
	awaited = k;
	return -EINPROGRESS;
}

/* See keys.h. ctx: thread; sleeps */
int key_sleep(struct key *k)
{
	return wait_event_interruptible(&made_wait, !READ_ONCE(k->construct));
}

/* See keys.h. ctx: thread; sleeps: until a deadly signal */
void key_auth_sleep(struct key *auth)
{
	struct task *t = current_task();

	word_or(&t->jobctl, TJ_KILLABLE);
	wait_event(&made_wait, !READ_ONCE(auth->auth) || signal_fatal_pending());
	word_and(&t->jobctl, ~TJ_KILLABLE);
}

/* See keys.h. */
void key_revoke(struct key *k)
{
	k->revoked = true;
	k->expiry = key_now();
	if (k->kind == KEY_RING) {
		key_clear(k);
	} else {
		(void)recharge(k, (u32)strlen(k->desc) + 1);
		data_drop(k);
	}
}

/* See keys.h. */
int key_validate(const struct key *k)
{
	if (k->invalid)
		return -ENOKEY;
	if (k->revoked)
		return -EKEYREVOKED;
	return k->expiry && key_now() >= k->expiry ? -EKEYEXPIRED : 0;
}

/* --- keyrings --- */

/* Where @k is in @ring, or ~0. */
static u32 link_index(const struct key *ring, const struct key *k)
{
	for (u32 i = 0; i < ring->len; i++)
		if (ring->links[i] == k)
			return i;
	return ~0u;
}

static void link_remove(struct key *ring, u32 i)
{
	struct key *k = ring->links[i];

	memmove(ring->links + i, ring->links + i + 1, (ring->len - i - 1) * sizeof(k));
	ring->len--;
	(void)recharge(ring, ring->charged - LINK_BYTES);
	key_drop(k);
}

/* See keys.h. */
struct key *key_in(struct key *ring, u32 kind, const char *desc)
{
	for (u32 i = 0; i < ring->len; i++) {
		struct key *k = ring->links[i];

		if (k->kind == kind && !strcmp(k->desc, desc))
			return k;
	}
	return NULL;
}

/* Would @ring be below itself with @k in it? 0, -EDEADLK, -ELOOP: too deep to tell. */
static int check_cycle(const struct key *ring, const struct key *k, u32 depth)
{
	int err = 0;

	if (k == ring)
		return -EDEADLK;
	if (k->kind != KEY_RING)
		return 0;
	if (depth > KEY_DEPTH_MAX)
		return -ELOOP;
	for (u32 i = 0; !err && i < k->len; i++)
		err = check_cycle(ring, k->links[i], depth + 1);
	return err;
}

static void links_free(const struct key *ring)
{
	struct key_load l = { (u8 *)ring->links, ring->room * (u32)sizeof(*ring->links) };

	key_load_free(&l);
}

static int ring_grow(struct key *ring)
{
	u32 room = ring->room ? ring->room * 2 : 4;
	struct key **links;

	if (ring->len < ring->room)
		return 0;
	if (room > LINKS_MAX)
		return -ENFILE;
	links = key_buf_alloc(room * (u32)sizeof(*links));
	if (!links)
		return -ENOMEM;
	if (ring->links)
		memcpy(links, ring->links, ring->len * sizeof(*links));
	links_free(ring);
	ring->links = links;
	ring->room = room;
	return 0;
}

/* See keys.h. */
int key_link(struct key *ring, struct key *k)
{
	return ring->kind == KEY_RING && ring->restricted ? -EPERM : key_link_any(ring, k);
}

/* See keys.h. */
int key_link_any(struct key *ring, struct key *k)
{
	struct key *old;
	int err;

	if (ring->kind != KEY_RING)
		return -ENOTDIR;
	if (k->kind == KEY_RING) {
		err = check_cycle(ring, k, 0);
		if (err)
			return err;
	}
	old = key_in(ring, k->kind, k->desc);
	if (old) {
		key_hold(k);
		ring->links[link_index(ring, old)] = k;
		key_drop(old);
		return 0;
	}
	err = ring_grow(ring);
	if (!err)
		err = recharge(ring, ring->charged + LINK_BYTES);
	if (err)
		return err;
	key_hold(k);
	ring->links[ring->len++] = k;
	return 0;
}

/* See keys.h. */
int key_unlink(struct key *ring, struct key *k)
{
	if (ring->kind != KEY_RING)
		return -ENOTDIR;
	k = key_in(ring, k->kind, k->desc);
	if (!k)
		return -ENOENT;
	link_remove(ring, link_index(ring, k));
	return 0;
}

/* See keys.h. */
void key_clear(struct key *ring)
{
	while (ring->len)
		link_remove(ring, ring->len - 1);
}

/* Out of all keyrings. */
static void unlink_everywhere(struct key *k)
{
	key_hold(k);
	for (struct rb_node *n = rb_first(&keys_all); n; n = rb_next(n)) {
		struct key *ring = of_node(n);
		u32 i = ring->kind == KEY_RING ? link_index(ring, k) : ~0u;

		if (i != ~0u)
			link_remove(ring, i);
	}
	key_drop(k);
}

/* See keys.h. */
void key_invalidate(struct key *k)
{
	k->invalid = true;
	unlink_everywhere(k);
}

/* Keys that were revoked or that expired long enough ago go. */
static void collect(void)
{
	static s64 last; /* k: seconds */
	s64 now = key_now();
	struct rb_node *n;

	if (now == last)
		return;
	last = now;
again:
	for (n = rb_first(&keys_all); n; n = rb_next(n)) {
		struct key *k = of_node(n);

		if (k->expiry && k->expiry + READ_ONCE(gc_delay) <= now && !k->invalid) {
			key_invalidate(k);
			goto again;
		}
	}
}

/* See keys.h. ctx: thread; sleeps */
void keys_lock(void)
{
	mutex_lock(&keys_mutex);
	collect();
}

/* See keys.h. ctx: thread */
void keys_unlock(void)
{
	mutex_unlock(&keys_mutex);
}

/* See keys.h. */
bool keys_unlock_again(long *r)
{
	struct key *k = awaited;
	int err;

	awaited = NULL;
	keys_unlock();
	if (!k)
		return false;
	err = key_sleep(k);
	keys_lock();
	key_drop(k);
	keys_unlock();
	*r = -ERESTARTSYS;
	return !err;
}

/* --- /proc/key-users --- */

static int key_users_show(struct sbuf *out, void *arg)
{
	keys_lock();
	for (struct key_user *u = users; u; u = u->next)
		sbuf_printf(out, "%5u: %5u %u/%u %u/%u %u/%u\n", u->uid, u->all + 1, u->all,
			    u->made, u->keys, (u32)(u->uid ? max_keys : root_max_keys), u->bytes,
			    (u32)(u->uid ? max_bytes : root_max_bytes));
	keys_unlock();
	return 0;
}
PROC_FILE(key_users, "key-users", 0444, .show = key_users_show);
