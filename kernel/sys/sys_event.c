/*
 * System calls of event descriptors: eventfd, epoll, timerfd, signalfd, inotify. Events and times
 * are copied here; the objects live in fs, that of signalfd in kernel/proc.
 *
 * eventfd(2), epoll_ctl(2), epoll_wait(2), timerfd_create(2), signalfd(2), inotify(7).
 */
#include <linux/eventpoll.h>
#include <linux/signalfd.h>
#include <linux/timerfd.h>
#include <arch/user.h>
#include "fs/epoll.h"
#include "fs/eventfd.h"
#include "fs/inotify.h"
#include "fs/namei.h"
#include "kernel/proc/signalfd.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/path.h"
#include "mm/kvm.h"
#include "mm/slab.h"

#define EPOLL_MAX_EVENTS (0x7fffffff / sizeof(struct epoll_event))
#define EPOLL_BATCH 128 /* events that are collected when there is no memory for more */
#define EPOLL_FEW 8

long sys_eventfd2(u64 count, u64 flags)
{
	struct file *f;
	int err = eventfd_create((u32)count, (u32)flags, &f);

	return err ? err : proc_fd_open(f, flags & EFD_CLOEXEC);
}

long sys_epoll_create1(u64 flags)
{
	struct file *f;
	int err;

	if ((u32)flags & ~(u32)EPOLL_CLOEXEC)
		return -EINVAL;
	err = epoll_create(&f);
	return err ? err : proc_fd_open(f, flags & EPOLL_CLOEXEC);
}

long sys_epoll_ctl(u64 epfd, u64 op, u64 fd, u64 uevent)
{
	struct epoll_event ev = { 0 };
	struct file *set, *target;
	long err;

	if ((int)op != EPOLL_CTL_DEL && copy_from_user(&ev, uevent, sizeof(ev)))
		return -EFAULT;
	err = fd_get((int)epfd, &set);
	if (err)
		return err;
	err = fd_get((int)fd, &target);
	if (!err) {
		err = epoll_control(set, (int)op, (int)fd, target, &ev);
		file_put(target);
	}
	file_put(set);
	return err;
}

static long wait_on(struct file *set, u64 uevents, u32 max, s64 deadline)
{
	struct epoll_event few[EPOLL_FEW], *buf = few, *many = NULL;
	long n;

	/* What comes into the set while this call waits may be left for the next. */
	max = MIN(max, MAX(epoll_size(set), (u32)EPOLL_FEW));
	if (max > EPOLL_BATCH)
		buf = many = kvm_alloc(max * sizeof(*buf), 0);
	if (max > EPOLL_FEW && !many) {
		max = MIN(max, (u32)EPOLL_BATCH);
		buf = kcalloc(max, sizeof(*buf), 0);
		if (!buf)
			return -ENOMEM;
	}
	n = epoll_collect(set, buf, max, deadline);
	if (n > 0 && copy_to_user(uevents, buf, n * sizeof(*buf)))
		n = -EFAULT;
	if (many)
		kvm_free(many);
	else if (buf != few)
		kfree(buf);
	return n;
}

/*
 * The common half: @deadline 0 does not wait. The temporary mask, if any, is set around the wait.
 */
static long epoll_wait_common(int epfd, u64 uevents, int max, s64 deadline, u64 usigmask, u64 size)
{
	struct fdref set;
	ksigset_t mask;
	long ret;

	if (usigmask && size != sizeof(mask))
		return -EINVAL;
	if (usigmask && get_user(&mask, usigmask))
		return -EFAULT;
	if (max <= 0 || (u64)max > EPOLL_MAX_EVENTS)
		return -EINVAL;
	if (!user_ok(uevents, (u64)max * sizeof(struct epoll_event)))
		return -EFAULT;
	ret = fd_borrow(epfd, &set);
	if (ret)
		return ret;
	if (!file_is_epoll(set.file)) {
		fd_release(&set);
		return -EINVAL;
	}
	if (usigmask)
		signal_set_temporary_mask(mask);
	ret = wait_on(set.file, uevents, max, deadline);
	fd_release(&set);
	/*
	 * epoll_wait is never restarted (signal(7)); the mask stays for the handler when a signal
	 * is due.
	 */
	if (usigmask && ret != -EINTR)
		signal_restore_mask();
	return ret;
}

long sys_epoll_pwait(u64 epfd, u64 events, u64 max, u64 timeout, u64 sigmask, u64 size)
{
	s64 deadline = TIME_NEVER;

	if ((int)timeout >= 0)
		deadline = timeout ? sys_deadline((int)timeout * NSEC_PER_MSEC) : 0;
	return epoll_wait_common((int)epfd, events, (int)max, deadline, sigmask, size);
}

long sys_epoll_pwait2(u64 epfd, u64 events, u64 max, u64 timeout, u64 sigmask, u64 size)
{
	struct __kernel_timespec ts;
	s64 deadline = TIME_NEVER, rel;

	if (timeout) {
		if (copy_from_user(&ts, timeout, sizeof(ts)))
			return -EFAULT;
		if (!sys_timespec_ns(&ts, &rel))
			return -EINVAL;
		deadline = rel ? sys_deadline(rel) : 0;
	}
	return epoll_wait_common((int)epfd, events, (int)max, deadline, sigmask, size);
}

static bool itimerspec_in(const struct __kernel_itimerspec *its, struct timerfd_spec *out)
{
	return sys_timespec_ns(&its->it_value, &out->value) &&
	       sys_timespec_ns(&its->it_interval, &out->interval);
}

static struct __kernel_itimerspec itimerspec_out(const struct timerfd_spec *s)
{
	return (struct __kernel_itimerspec){
		.it_interval = sys_ns_timespec(s->interval),
		.it_value = sys_ns_timespec(s->value),
	};
}

long sys_timerfd_create(u64 clock, u64 flags)
{
	struct file *f;
	int err;

	if ((u32)flags & ~(u32)(TFD_CLOEXEC | TFD_NONBLOCK))
		return -EINVAL;
	if (((int)clock == CLOCK_REALTIME_ALARM || (int)clock == CLOCK_BOOTTIME_ALARM) &&
	    !sys_capable(CAP_WAKE_ALARM))
		return -EPERM;
	err = timerfd_create((int)clock, (u32)flags, &f);
	return err ? err : proc_fd_open(f, flags & TFD_CLOEXEC);
}

long sys_timerfd_settime(u64 fd, u64 flags, u64 unew, u64 uold)
{
	struct timerfd_spec new, old;
	struct __kernel_itimerspec its;
	struct file *f;
	long err;

	if (copy_from_user(&its, unew, sizeof(its)))
		return -EFAULT;
	if (((u32)flags & ~(u32)(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) ||
	    !itimerspec_in(&its, &new))
		return -EINVAL;
	err = fd_get((int)fd, &f);
	if (err)
		return err;
	if (timerfd_wakes_system(f) && !sys_capable(CAP_WAKE_ALARM))
		err = -EPERM;
	else
		err = timerfd_settime(f, (u32)flags, &new, &old);
	file_put(f);
	if (err || !uold)
		return err;
	its = itimerspec_out(&old);
	return copy_to_user(uold, &its, sizeof(its));
}

long sys_timerfd_gettime(u64 fd, u64 ucur)
{
	struct __kernel_itimerspec its;
	struct timerfd_spec s;
	struct file *f;
	long err = fd_get((int)fd, &f);

	if (err)
		return err;
	err = timerfd_gettime(f, &s);
	file_put(f);
	if (err)
		return err;
	its = itimerspec_out(&s);
	return copy_to_user(ucur, &its, sizeof(its));
}

/* A new signalfd, or with @fd another set for an old one. */
long sys_signalfd4(u64 fd, u64 uset, u64 size, u64 flags)
{
	struct file *f;
	ksigset_t set;
	long err;

	if (size != sizeof(set))
		return -EINVAL;
	if (get_user(&set, uset))
		return -EFAULT;
	if ((u32)flags & ~(u32)(SFD_CLOEXEC | SFD_NONBLOCK))
		return -EINVAL;
	if ((int)fd == -1) {
		err = signalfd_create(set, (u32)flags, &f);
		return err ? err : proc_fd_open(f, flags & SFD_CLOEXEC);
	}
	err = fd_get((int)fd, &f);
	if (err)
		return err;
	err = signalfd_set(f, set);
	file_put(f);
	return err ? err : (int)fd;
}

long sys_inotify_init1(u64 flags)
{
	struct file *f;
	int err;

	if ((u32)flags & ~(u32)(IN_CLOEXEC | IN_NONBLOCK))
		return -EINVAL;
	err = inotify_create((u32)flags, &f);
	return err ? err : proc_fd_open(f, flags & IN_CLOEXEC);
}

/* What inotify_add_watch takes. */
#define INOTIFY_BITS                                                                             \
	(IN_ALL_EVENTS | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED | IN_ONLYDIR | IN_DONT_FOLLOW | \
	 IN_EXCL_UNLINK | IN_MASK_CREATE | IN_MASK_ADD | IN_ISDIR | IN_ONESHOT)

static long add_watch(struct file *f, u64 uname, u32 mask)
{
	u32 lookup = mask & IN_DONT_FOLLOW ? 0 : LOOKUP_FOLLOW;
	struct path p;
	long ret;

	if (((mask & IN_MASK_ADD) && (mask & IN_MASK_CREATE)) || !file_is_inotify(f))
		return -EINVAL;
	if (mask & IN_ONLYDIR)
		lookup |= LOOKUP_DIRECTORY;
	ret = sys_path_lookup(AT_FDCWD, uname, lookup, 0, &p);
	if (ret)
		return ret;
	ret = inode_permission(dentry_inode(p.dentry), MAY_READ);
	if (!ret)
		ret = inotify_watch(f, dentry_inode(p.dentry), mask);
	path_put(&p);
	return ret;
}

long sys_inotify_add_watch(u64 fd, u64 uname, u64 mask)
{
	struct file *f;
	long ret;

	if (!(u32)mask || ((u32)mask & ~INOTIFY_BITS))
		return -EINVAL;
	ret = fd_get((int)fd, &f);
	if (ret)
		return ret;
	ret = add_watch(f, uname, (u32)mask);
	file_put(f);
	return ret;
}

long sys_inotify_rm_watch(u64 fd, u64 wd)
{
	struct file *f;
	long err = fd_get((int)fd, &f);

	if (err)
		return err;
	err = file_is_inotify(f) ? inotify_unwatch(f, (int)wd) : -EINVAL;
	file_put(f);
	return err;
}
