#pragma once
/* eventfd(2) and timerfd_create(2) objects, for the system calls. */
#include <linux/fcntl.h>
#include "fs/vfs.h"

/* Flags of eventfd(2); the packaged kernel headers do not have them. */
#define EFD_SEMAPHORE 1u
#define EFD_CLOEXEC ((u32)O_CLOEXEC)
#define EFD_NONBLOCK ((u32)O_NONBLOCK)

/* 0 or -EINVAL, -ENOMEM. ctx: thread */
int __must_check eventfd_create(u32 count, u32 flags, struct file **out);

bool file_is_eventfd(const struct file *f);
void eventfd_signal(struct file *f); /* add 1, if it fits. ctx: any; sleeps: no */

/* Timer descriptor of a clock (CLOCK_*); O_NONBLOCK in @flags. 0, -EINVAL, -ENOMEM. ctx: thread */
int __must_check timerfd_create(int clock, u32 flags, struct file **out);
struct timerfd_spec {
	s64 value, interval; /* ns; value 0: off */
};
/* Arm @f's timer: TFD_TIMER_* flags. *old (may be NULL): what was left before. 0, -EINVAL. */
int timerfd_settime(struct file *f, u32 flags, const struct timerfd_spec *new,
		    struct timerfd_spec *old);
int timerfd_gettime(struct file *f, struct timerfd_spec *out);
bool timerfd_wakes_system(const struct file *f); /* is its clock CLOCK_*_ALARM? ctx: any */
