#pragma once
/* What dentry.c (the table) and dentry_move.c (renames) share of the name cache. */
#include "fs/namei.h"

/* d: guarded by .lock (rank DCACHE). */
struct bucket {
	struct spinlock lock;
	struct dentry *first; /* d */
};

/* A name too long for its dentry; a rename shares it. */
struct dentry_name {
	refcount_t refs; /* a */
	char text[]; /* I */
};

/* The bucket of a dentry with this .hash. ctx: any */
struct bucket *dentry_bucket(u32 hash);
/*
 * Take @d out of its chain; the table's reference is then the caller's to put, if it had one.
 * ctx: thread; holds: the bucket's lock; sleeps: no
 */
void dentry_bucket_remove(struct bucket *b, struct dentry *d);
/* The other way round: the caller's reference becomes the table's. As dentry_bucket_remove. */
void dentry_bucket_add(struct bucket *b, struct dentry *d);
/* @d becomes one of @parent's children, or ceases to be one. ctx: thread; sleeps: no */
void dentry_family_join(struct dentry *parent, struct dentry *d);
void dentry_family_leave(struct dentry *parent, struct dentry *d);
/* One user of @n, which may be NULL, less. ctx: thread; sleeps: no */
void dentry_longname_put(struct dentry_name *n);
