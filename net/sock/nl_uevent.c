/*
 * NETLINK_KOBJECT_UEVENT: events that an administrator sends to the kernel.
 *
 * The request's strings go to all who listen, with a number behind them, as if they were the
 * kernel's own: so a test or a container tells of devices. What is sent to a group (udevd tells
 * its news to group 2) never comes here. Nothing here has a lock or a state of its own.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include "fs/sysfs.h"
#include "kernel/base/cred.h"
#include "kernel/base/errno.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "mm/slab.h"
#include "net/sock/netlink.h"

/* See netlink.h. */
int uevent_request(const struct nlmsghdr *h)
{
	char number[32];
	u32 len = h->nlmsg_len - NLMSG_HDRLEN, more;
	char *text;

	if (!cred_capable(current->cred, CAP_SYS_ADMIN))
		return -EPERM;
	more = (u32)snprintf(number, sizeof(number), "SEQNUM=%llu",
			     (unsigned long long)sysfs_event_number()) +
	       1;
	if (h->nlmsg_len + more > SYSFS_EVENT_MAX)
		return -EINVAL;
	text = kmalloc(len + more, 0);
	if (!text)
		return -ENOMEM;
	memcpy(text, NLMSG_DATA(h), len);
	memcpy(text + len, number, more);
	nl_uevent_send(text, len + more);
	kfree(text);
	return 0;
}
