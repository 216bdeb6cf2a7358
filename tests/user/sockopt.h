#pragma once
/* Of SOL_SOCKET: options that are one int, control data of one message. */
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static inline int set(int fd, int option, int v)
{
	return setsockopt(fd, SOL_SOCKET, option, &v, sizeof(v));
}

/* -99: it cannot be had. */
static inline int get(int fd, int option)
{
	int v = -99;
	socklen_t n = sizeof(v);

	return getsockopt(fd, SOL_SOCKET, option, &v, &n) ? -99 : v;
}

/* Send @text to @to (NULL: the peer) with one record of control data. As sendmsg(2). */
static inline ssize_t send_with(int fd, struct sockaddr_in *to, const char *text, int type,
				const void *data, size_t len)
{
	union {
		char bytes[64];
		struct cmsghdr align;
	} ctl = { 0 };
	struct iovec io = { (void *)text, strlen(text) };
	struct msghdr m = { .msg_name = to,
			    .msg_namelen = to ? sizeof(*to) : 0,
			    .msg_iov = &io,
			    .msg_iovlen = 1,
			    .msg_control = &ctl,
			    .msg_controllen = CMSG_SPACE(len) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	return sendmsg(fd, &m, MSG_NOSIGNAL);
}
