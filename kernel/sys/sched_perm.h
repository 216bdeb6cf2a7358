#pragma once
/*
 * Who may change how a thread is scheduled: shared by the system calls on policies and on
 * priorities.
 */
#include "kernel/proc/proc.h"

bool sched_perm_user(struct task *t);
bool sched_perm_nice(struct task *t, int nice);
bool sched_is_realtime(int policy); /* FIFO, RR, DEADLINE */
