#pragma once
/* Who gets the signals of an open file: F_SETOWN, F_SETOWN_EX, F_SETSIG (fcntl(2)). */
#include "kernel/proc/proc.h"

/* @type: F_OWNER_TID, _PID or _PGRP; @nr 0: nobody. 0, -ESRCH, -ENOMEM. ctx: thread; sleeps */
int file_owner_set(struct file *f, int type, int nr);
/* As above, by number's object (NULL: nobody), and only when there is no owner yet. */
void file_owner_set_default(struct file *f, int type, struct pid *pid);
int __must_check file_owner_prepare(struct file *f); /* for claim(). 0 or -ENOMEM; sleeps */
int file_owner_get(struct file *f, int *type); /* its number; 0: nobody, or gone */
int file_owner_set_signal(struct file *f, int sig); /* 0: SIGIO. 0 or -ENOMEM */
int file_owner_get_signal(struct file *f);
void file_owner_uids(struct file *f, u32 uids[2]); /* real and effective, of who set it */
void file_owner_init(void); /* boot */
