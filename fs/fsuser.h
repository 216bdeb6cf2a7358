#pragma once
/*
 * What a user (by number) has of things that are limited per user: inotify instances and watches,
 * files in epoll sets, pages of pipes, bytes of POSIX message queues. One object per user, for as
 * long as somebody refers to it.
 */
#include "kernel/lib/list.h"
#include "kernel/lib/refcount.h"

/* a atomic, u guarded by the table's lock (rank EVENT) */
struct fs_user {
	struct list link; /* u */
	u32 uid; /* I */
	u32 refs; /* u */
	u32 fanotify_groups, fanotify_marks; /* a */
	u32 inotify_instances, inotify_watches, epoll_watches; /* a */
	u64 pipe_pages; /* a */
	u64 mqueue_bytes; /* a: RLIMIT_MSGQUEUE */
	u32 unix_inflight; /* a: files in messages of AF_UNIX that nobody has received yet */
};

/* With a reference. 0 or -ENOMEM. ctx: thread; sleeps */
int __must_check fs_user_get(u32 uid, struct fs_user **out);
void fs_user_put(struct fs_user *u); /* ctx: thread */
/* Count one more unless there are @max. ctx: any */
bool __must_check fs_user_charge(u32 *count, u32 max);
void fs_user_uncharge(u32 *count);
