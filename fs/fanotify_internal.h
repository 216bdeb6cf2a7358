#pragma once
/* Private to fanotify*.c: an instance, its marks and its events. */
#include <linux/fanotify.h>
#include "fs/caller.h"
#include "fs/fanotify.h"
#include "fs/notify_watch.h"

struct fs_user;

#define FAN_DIRENT (FAN_CREATE | FAN_DELETE | FAN_MOVE | FAN_RENAME)
#define FAN_PERMS (FAN_OPEN_PERM | FAN_ACCESS_PERM | FAN_OPEN_EXEC_PERM)
#define FAN_FIDS FAN_REPORT_DFID_NAME_TARGET
#define FAN_TYPES (FAN_MARK_MOUNT | FAN_MARK_FILESYSTEM)

/* n: guarded by notify_lock, g: by .lock (rank EVENT) */
struct fan_group {
	struct spinlock lock;
	refcount_t refs; /* a: the file's, and of events under way */
	u64 order; /* I: who is told first */
	u32 flags; /* I: FAN_* of fanotify_init */
	u32 event_flags; /* I: O_* of descriptors in events */
	struct fs_user *user; /* I: counts this instance and its marks */
	struct list marks; /* n: struct fan_mark.of_group */
	struct list events; /* g: struct fan_event.link, to be read */
	struct list asked; /* g: permission events that were read */
	u32 count, max; /* g; I */
	bool closed; /* g */
	struct fan_event *overflow; /* I: on .events or on none */
	struct waitq wait, answers; /* own locks: readers; who waits for an answer */
	struct list async; /* own lock: async.h */
};

/* What a mark lies on is found by its watch, which is first so that watches_free() frees both. */
struct fan_mark {
	struct watch w; /* n: on the inode, or the root of mount or file system */
	struct list of_group; /* n */
	struct list broad; /* n: marks of mounts and file systems */
	struct fan_group *group; /* I */
	struct mount *mnt; /* I: no reference; NULL: none */
	u32 type; /* I: FAN_MARK_MOUNT, _FILESYSTEM or 0 */
	u32 mask, ignore; /* n: FAN_* events */
	u32 flags; /* n: FAN_MARK_EVICTABLE, _IGNORE, _IGNORED_SURV_MODIFY */
};

enum { FAN_QUEUED, FAN_READ, FAN_ANSWERED };

/* A file in an event of a group that wants handles. */
struct fan_fid {
	bool there;
	u64 ino;
	u32 name, len; /* in .names */
};

struct fan_event {
	struct list link; /* g */
	refcount_t refs; /* a: the queue's, and of who waits for an answer */
	u32 mask; /* g */
	u32 state; /* g: FAN_QUEUED... of a permission event */
	u32 answer; /* g */
	int fd; /* g: it was read with */
	struct pid *pid; /* I: reference */
	struct path path; /* I: references; or no mount */
	u64 fsid; /* I */
	struct fan_fid dir, dir2, object; /* I */
	u32 names_len; /* I */
	char names[]; /* I */
};

extern struct list fan_broad; /* notify_lock: struct fan_mark.broad */

void fan_group_put(struct fan_group *g);
void fan_event_put(struct fan_event *e);
/* Queue @e, which is used up, or merge it. False: it is lost. ctx: thread */
bool fan_queue_add(struct fan_group *g, struct fan_event *e);
void fan_queue_overflow(struct fan_group *g);
/* -> 0, -EPERM, -EINTR. Puts the waiter's reference. ctx: thread; sleeps */
int fan_wait_answer(struct fan_group *g, struct fan_event *e);
void fan_queue_close(struct fan_group *g);
ssize_t fanotify_read(struct file *f, struct uio *u, u64 *pos);
ssize_t fanotify_write(struct file *f, struct uio *u, u64 *pos);
u32 fan_queue_bytes(struct fan_group *g); /* FIONREAD */
