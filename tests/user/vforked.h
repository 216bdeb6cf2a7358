#pragma once
/* A child as of vfork(2), which in a C library may be no more than fork(2). */
#include <sched.h>
#include <signal.h>
#include <sys/types.h>

/*
 * The number of a child that runs @fn with @arg in the caller's memory, on a stack of its own; back
 * when it has run another program or has ended, with what @fn returned. -1: errno says why not.
 */
static inline pid_t vforked(int (*fn)(void *), void *arg)
{
	char stack[16384] __attribute__((aligned(16))); /* lent: the caller stands still */

	return clone(fn, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, arg);
}
