#pragma once
/* Waiting on many files at once: the common part of poll and select. */
#include "fs/vfs.h"

struct poll_item {
	int fd; /* negative: nothing to look at */
	u32 events; /* POLL* asked for; POLLERR, POLLHUP and POLLNVAL are always */
	u32 revents; /* out */
	struct fdref ref; /* of poll_files */
};

/*
 * Wait until one of @items has events, until monotonic @deadline (0: do not wait) or a signal. A
 * bad descriptor counts as ready with POLLNVAL. ctx: thread; sleeps: yes.
 * Returns how many are ready (0: timed out), -EINTR, -ENOMEM.
 */
long poll_files(struct poll_item *items, u32 n, s64 deadline);
