#pragma once
/* signalfd(2) objects: signalfd.c. */
#include "kernel/proc/proc.h"

/* 0 or -ENOMEM; @flags: O_NONBLOCK */
int __must_check signalfd_create(ksigset_t set, u32 flags, struct file **out);
int signalfd_set(struct file *f, ksigset_t set); /* 0, or -EINVAL: @f is no signalfd */
