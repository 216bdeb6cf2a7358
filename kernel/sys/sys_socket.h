#pragma once
/* Between the files of the socket calls. ctx: thread; sleeps. */
#include "net/sock/socket.h"

extern int sock_optmem_max; /* a: the most that comes beside a message, or as a list of sources */

/* Socket of @fd, borrowed: fd_release afterwards. 0, -EBADF, -ENOTSOCK. */
int __must_check sock_borrow(int fd, struct fdref *r, struct socket **s);
/* 0, -EINVAL, -EFAULT. */
int __must_check sock_addr_in(struct sock_addr *a, u64 uaddr, u64 len);
/*
 * As much as the user has room for, by *ulen, which becomes the whole length. 0, -EINVAL, -EFAULT.
 */
int __must_check sock_addr_out(const struct sock_addr *a, u64 uaddr, u64 ulen);
