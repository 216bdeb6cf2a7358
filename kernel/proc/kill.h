#pragma once
/* Sending signals by number, with permission checks: kill.c. */
#include "kernel/proc/proc.h"

int proc_kill(int pid, int sig, const struct ksiginfo *info);
int proc_tgkill(u32 tgid, u32 tid, int sig, const struct ksiginfo *info);
int proc_kill_pid(struct pid *pid, int sig, const struct ksiginfo *info);
