/*
 * ppoll(2) and pselect6(2): arrays and sets in and out, the temporary signal mask, the time that
 * is left.
 *
 * A select is turned into the same array of items that poll works on, one per descriptor in any of
 * its sets. Both calls write the remaining time back, and when a signal ended them return
 * ERESTARTNOHAND: begun again with what is left unless a handler ran.
 */
#include <asm/poll.h>
#include <linux/personality.h>
#include "fs/poll.h"
#include "kernel/lib/bitmap.h"
#include "kernel/proc/signal.h"
#include "kernel/sys/abi.h"
#include "mm/slab.h"

#define FEW_ITEMS 12 /* handled without an allocation */
#define FD_BITS 64

/* What a set of select means in events, and which events put a descriptor into it. */
#define SELECT_IN (POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR)
#define SELECT_OUT (POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR)
#define SELECT_EX POLLPRI

/* The time limit of a call; absent: no limit. */
struct wait_limit {
	u64 uts; /* user's struct timespec, 0: none */
	s64 deadline;
};

static long limit_get(struct wait_limit *l, u64 uts)
{
	struct __kernel_timespec ts;
	s64 rel;

	l->uts = uts;
	l->deadline = TIME_NEVER;
	if (!uts)
		return 0;
	if (copy_from_user(&ts, uts, sizeof(ts)))
		return -EFAULT;
	if (!sys_timespec_ns(&ts, &rel))
		return -EINVAL;
	l->deadline = rel ? sys_deadline(rel) : 0;
	return 0;
}

static long mask_set(u64 umask, u64 size, bool *set)
{
	ksigset_t mask;

	*set = umask != 0;
	if (!umask)
		return 0;
	if (size != sizeof(mask))
		return -EINVAL;
	if (get_user(&mask, umask))
		return -EFAULT;
	signal_set_temporary_mask(mask);
	return 0;
}

/* The end of both calls: mask, remaining time, restart rule. */
static long wait_finish(const struct wait_limit *l, bool masked, long r)
{
	struct __kernel_timespec ts = { 0 };
	s64 left;

	if (r == -EINTR)
		r = -ERESTARTNOHAND;
	if (masked && r != -ERESTARTNOHAND)
		signal_restore_mask();
	if (!l->uts)
		return r;
	/* The time that is left cannot be told, so the call cannot begin again. */
	if (current_task()->personality & STICKY_TIMEOUTS)
		return r == -ERESTARTNOHAND ? -EINTR : r;
	left = l->deadline ? l->deadline - time_now() : 0;
	if (l->deadline == TIME_NEVER)
		return r;
	if (left > 0)
		ts = sys_ns_timespec(left);
	if (copy_to_user(l->uts, &ts, sizeof(ts)) && r == -ERESTARTNOHAND)
		r = -EINTR;
	return r;
}

static long poll_user(u64 ufds, u32 n, s64 deadline)
{
	struct poll_item few[FEW_ITEMS], *items = few;
	struct pollfd pfd;
	long r = -EFAULT;

	if (n > FEW_ITEMS) {
		items = kcalloc(n, sizeof(*items), 0);
		if (!items)
			return -ENOMEM;
	}
	for (u32 i = 0; i < n; i++) {
		if (copy_from_user(&pfd, ufds + i * sizeof(pfd), sizeof(pfd)))
			goto out;
		items[i].fd = pfd.fd;
		items[i].events = (u16)pfd.events;
	}
	r = poll_files(items, n, deadline);
	for (u32 i = 0; i < n && r >= 0; i++) {
		s16 revents = (s16)items[i].revents;

		if (put_user(ufds + i * sizeof(pfd) + offsetof(struct pollfd, revents), revents))
			r = -EFAULT;
	}
out:
	if (items != few)
		kfree(items);
	return r;
}

/* ppoll(2). ctx: thread; sleeps */
long sys_ppoll(u64 ufds, u64 nfds, u64 uts, u64 umask, u64 size)
{
	struct wait_limit limit;
	bool masked;
	long r;

	r = limit_get(&limit, uts);
	if (r)
		return r;
	r = mask_set(umask, size, &masked);
	if (r)
		return r;
	if ((u32)nfds > proc_rlimit(RLIMIT_NOFILE))
		r = -EINVAL;
	else
		r = poll_user(ufds, (u32)nfds, limit.deadline);
	return wait_finish(&limit, masked, r);
}

/* The three sets of a select, one after the other in one allocation. */
struct fd_sets {
	u32 nfds, words;
	u64 *in[3]; /* NULL: not given */
	u64 user[3];
	u64 few[3 * 4]; /* up to 256 descriptors */
	u64 *mem;
};

static long sets_get(struct fd_sets *s, u32 nfds, u64 in, u64 out, u64 ex)
{
	s->nfds = nfds;
	s->words = DIV_ROUND_UP(nfds, FD_BITS);
	s->user[0] = in;
	s->user[1] = out;
	s->user[2] = ex;
	s->mem = s->few;
	if (3 * s->words > ARRAY_SIZE(s->few)) {
		s->mem = kcalloc(3 * s->words, sizeof(u64), 0);
		if (!s->mem)
			return -ENOMEM;
	}
	for (int i = 0; i < 3; i++) {
		s->in[i] = s->user[i] ? s->mem + (u32)i * s->words : NULL;
		if (s->in[i] && copy_from_user(s->in[i], s->user[i], s->words * 8))
			return -EFAULT;
	}
	return 0;
}

static void sets_free(struct fd_sets *s)
{
	if (s->mem != s->few)
		kfree(s->mem);
}

static bool set_has(const u64 *set, u32 fd)
{
	return set && (set[fd / FD_BITS] >> (fd % FD_BITS) & 1);
}

static u32 events_of(const struct fd_sets *s, u32 fd)
{
	return (set_has(s->in[0], fd) ? (u32)SELECT_IN : 0) |
	       (set_has(s->in[1], fd) ? (u32)SELECT_OUT : 0) |
	       (set_has(s->in[2], fd) ? (u32)SELECT_EX : 0);
}

static u32 sets_count(const struct fd_sets *s)
{
	u32 n = 0;

	for (u32 w = 0; w < s->words; w++) {
		u64 any = 0;

		for (int i = 0; i < 3; i++)
			any |= s->in[i] ? s->in[i][w] : 0;
		n += bit_count(any);
	}
	return n;
}

static u32 sets_to_items(const struct fd_sets *s, struct poll_item *items)
{
	u32 n = 0;

	for (u32 fd = 0; fd < s->nfds; fd++) {
		u32 events = events_of(s, fd);

		if (events)
			items[n++] = (struct poll_item){ .fd = (int)fd, .events = events };
	}
	return n;
}

/* Is @fd open, if only as a place (O_PATH)? */
static bool is_open(u32 fd)
{
	struct fdref r;

	if (fd_borrow_any((int)fd, &r))
		return false;
	fd_release(&r);
	return true;
}

/*
 * Results into the sets: a place is ready for all, as nothing could wait for it. Returns the number
 * of bits set, or -EBADF.
 */
static long items_to_sets(struct fd_sets *s, const struct poll_item *items, u32 n)
{
	static const u32 means[3] = { SELECT_IN, SELECT_OUT, SELECT_EX };
	long bits = 0;

	for (u32 k = 0; k < n; k++) {
		u32 fd = (u32)items[k].fd, seen = items[k].revents;

		if (seen & POLLNVAL) {
			if (!is_open(fd))
				return -EBADF;
			seen = ~0u;
		}
		for (int i = 0; i < 3; i++) {
			if (!set_has(s->in[i], fd))
				continue;
			if (seen & means[i])
				bits++;
			else
				s->in[i][fd / FD_BITS] &= ~(1ull << (fd % FD_BITS));
		}
	}
	return bits;
}

static long sets_put(const struct fd_sets *s)
{
	for (int i = 0; i < 3; i++) {
		if (s->in[i] && copy_to_user(s->user[i], s->in[i], s->words * 8))
			return -EFAULT;
	}
	return 0;
}

static long select_sets(struct fd_sets *s, s64 deadline)
{
	struct poll_item few[FEW_ITEMS], *items = few;
	u32 n = sets_count(s);
	long r, bits;

	if (n > FEW_ITEMS) {
		items = kcalloc(n, sizeof(*items), 0);
		if (!items)
			return -ENOMEM;
	}
	n = sets_to_items(s, items);
	r = poll_files(items, n, deadline);
	if (r >= 0) {
		bits = items_to_sets(s, items, n);
		r = bits < 0 ? bits : sets_put(s);
		if (!r)
			r = bits;
	}
	if (items != few)
		kfree(items);
	return r;
}

static long select_user(int nfds, u64 in, u64 out, u64 ex, s64 deadline)
{
	struct fd_sets s;
	long r;

	if (nfds < 0)
		return -EINVAL;
	r = sets_get(&s, MIN((u32)nfds, fdtable_size(current->files)), in, out, ex);
	if (!r)
		r = select_sets(&s, deadline);
	sets_free(&s);
	return r;
}

/* pselect6(2): @usig leads to the mask's address and size. ctx: thread; sleeps */
long sys_pselect6(u64 nfds, u64 in, u64 out, u64 ex, u64 uts, u64 usig)
{
	u64 sig[2] = { 0, 0 };
	struct wait_limit limit;
	bool masked;
	long r;

	if (usig && copy_from_user(sig, usig, sizeof(sig)))
		return -EFAULT;
	r = limit_get(&limit, uts);
	if (!r)
		r = mask_set(sig[0], sig[1], &masked);
	if (r)
		return r;
	r = select_user((int)nfds, in, out, ex, limit.deadline);
	return wait_finish(&limit, masked, r);
}
