#pragma once
/* Options of SOL_SOCKET that are one int. */
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
