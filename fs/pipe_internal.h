#pragma once
/* What the files of pipes share: pipe.c, pipe_size.c, pipe_splice.c. */
#include "fs/async.h"
#include "fs/fsuser.h"
#include "fs/pipe.h"

#define PIPE_SLOTS 16 /* of a new pipe: 64 KiB */
#define PIPE_SLOTS_FEW 2 /* of a user's who has too many */
#define PIPE_ATOMIC 4096 /* PIPE_BUF */
#define POLL_INPUT (POLLIN | POLLRDNORM)
#define POLL_ROOM (POLLOUT | POLLWRNORM)

_Static_assert(PIPE_ATOMIC <= PAGE_SIZE, "an atomic write fits a slot");

struct pipe_slot {
	struct page *page; /* reference owned */
	u32 off, len;
	bool packet; /* nothing is added; one read takes it */
	bool shared; /* a page cache's: neither added to nor used again */
};

/* p guarded by .lock, a atomic, I immutable after creation. */
struct pipe {
	struct mutex lock; /* rank PIPE */
	struct waitq readable, writable; /* own */
	u32 head, tail; /* p; a for looking: slots ever filled and emptied */
	u32 nslots; /* p; a for looking: power of two */
	u32 readers, writers; /* p; a for looking: open files */
	u32 reader_opens, writer_opens; /* p; a for looking: openings so far */
	u32 files; /* i, of a FIFO: open files in total */
	u32 nspare; /* p */
	bool fifo; /* I: has a name */
	bool taking; /* p; a for looking: a splice is working on the oldest slot */
	struct fs_user *user; /* I: counts .nslots pages */
	struct list read_async, write_async; /* a: open files to tell (async.h) */
	struct pipe_slot *slots; /* p */
	struct page **spare; /* p: nslots pages at most */
	struct pipe_slot first_slots[PIPE_SLOTS]; /* p: where .slots points at first */
	struct page *first_spare[PIPE_SLOTS]; /* p: where .spare points at first */
};

static inline bool pipe_empty(const struct pipe *p)
{
	return READ_ONCE(p->head) == READ_ONCE(p->tail);
}

static inline bool pipe_full(const struct pipe *p)
{
	return READ_ONCE(p->head) - READ_ONCE(p->tail) >= READ_ONCE(p->nslots);
}

static inline struct pipe_slot *slot_at(struct pipe *p, u32 i)
{
	return &p->slots[i & (p->nslots - 1)];
}

/* May somebody who wants bytes go on: are there any, or will none come? */
static inline bool pipe_may_take(const struct pipe *p)
{
	return !READ_ONCE(p->taking) && (!pipe_empty(p) || !READ_ONCE(p->writers));
}

static inline bool pipe_may_put(const struct pipe *p)
{
	return !pipe_full(p) || !READ_ONCE(p->readers);
}

/* pipe.c: holds: p->lock */
void pipe_page_give(struct pipe *p, struct page *page, bool shared);
/* Those who wait for bytes, or for room. holds: nothing */
void pipe_wake_readers(struct pipe *p);
void pipe_wake_writers(struct pipe *p);
/*
 * As much of @u, which is not empty, as goes in now: bytes, 0: no room, or -errno. holds: nothing
 */
ssize_t pipe_put_now(struct pipe *p, struct uio *u);
/* pipe_size.c: account for a new pipe and say how many slots it may have. 0, -ENFILE, -ENOMEM */
int __must_check pipe_charge_new(struct pipe *p, u32 *nslots);
void pipe_uncharge(struct pipe *p);
