#pragma once
/* The one thread of a host test of net/. */
#include "kernel/lib/types.h"

#define WORK_RESCHED 1

struct lock_debug;
struct arch_thread {
	u32 preempt_count;
	u32 work;
};
struct arch_thread *arch_current(void); /* test_net.c's */
