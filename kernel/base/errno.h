#pragma once
/*
 * Error numbers: Linux's, and the four results that a system call gives to the signal code only.
 * Below kernel/sys an interrupted wait that may simply be begun again returns -ERESTARTSYS.
 */
#include <linux/errno.h>

#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516
/* What a write returns for -EPIPE without SIGPIPE: sys_write_result() knows it, nothing else. */
#define EPIPE_QUIET 517
