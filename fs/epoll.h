#pragma once
/* epoll sets (epoll(7)), for the system calls and for the end of watched files. */
#include "fs/vfs.h"

struct epoll_event;

void epoll_init(void); /* boot */
/* New set as a file. 0 or -ENOMEM. ctx: thread */
int __must_check epoll_create(struct file **out);
/*
 * EPOLL_CTL_*: @ev in kernel memory (unused for DEL). 0, -EINVAL, -EEXIST, -ENOENT, -EPERM, -ELOOP,
 * -ENOMEM. ctx: thread; sleeps
 */
int epoll_control(struct file *set, int op, int fd, struct file *target,
		  const struct epoll_event *ev);
/*
 * Up to @max events into @out (kernel memory); waits until @deadline (0: do not wait). Returns the
 * count, -EINTR.
 * ctx: thread; sleeps.
 */
int epoll_collect(struct file *set, struct epoll_event *out, u32 max, s64 deadline);
/*
 * Item @index, from 0, of those that watch @fd in @set, by an order that does not change: its file,
 * without a reference, to be compared only. 0, -EINVAL: not a set; -ENOENT. ctx: thread; sleeps
 */
int __must_check epoll_find_target(struct file *set, int fd, u32 index, const struct file **out);
u32 epoll_size(const struct file *set); /* items in it now. ctx: any */
bool file_is_epoll(const struct file *f);
/*
 * The last reference of a watched file is gone: take it out of every set, before its own release.
 * ctx: thread; sleeps
 */
void epoll_forget(struct file *f);
