/*
 * Persistent keyrings: one for each user, which outlives his sessions.
 *
 * They are in a keyring that nobody else knows. Each time that one is asked for, its end is put
 * off; when it comes the collector takes it out of there, too (keys.c).
 *
 * persistent-keyring(7), keyctl_get_persistent(3).
 */
#include <linux/errno.h>
#include "fs/procfs.h"
#include "kernel/lib/fmt.h"
#include "kernel/proc/internal.h"
#include "kernel/proc/keys.h"

#define PERM (KEY_POS(KEY_ALL & ~KEY_SETATTR) | KEY_USR(KEY_VIEW | KEY_READ))

static struct key *all; /* k: a reference; NULL until somebody asks */
static int expiry = 3 * 24 * 3600; /* a: seconds */
SYSCTL_INT(key_persistent, "sys/kernel/keys/persistent_keyring_expiry", &expiry, 0, 0x7fffffff);

/* A keyring of @uid's, in nobody's quota. */
static int make(const char *name, u32 uid, u32 gid, struct key **out)
{
	struct key_user *u = key_user_get(uid);
	int err = u ? key_make(KEY_RING, name, PERM, KEY_FREE, out) : -ENOMEM;

	if (err)
		return err;
	key_give(*out, u);
	(*out)->gid = gid;
	return 0;
}

/* See keys.h. */
long key_get_persistent(u32 uid, struct key *dest)
{
	char name[24];
	struct key *k;
	int err = all ? 0 : make(".persistent_register", 0, 0, &all);

	if (err)
		return err;
	snprintf(name, sizeof(name), "_persistent.%u", uid);
	k = key_in(all, KEY_RING, name);
	if (k && !k->revoked && !k->invalid) {
		err = key_may(k, true, KEY_LINK) ? 0 : -EACCES;
	} else {
		err = make(name, uid, ~0u, &k);
		if (err)
			return err;
		err = key_link(all, k);
		key_drop(k);
	}
	if (!err)
		err = key_link(dest, k);
	if (err)
		return err;
	k->expiry = key_now() + READ_ONCE(expiry);
	return k->serial;
}
