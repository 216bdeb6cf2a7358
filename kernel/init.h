#pragma once
/* The last steps of the boot: the initramfs, the root file system and process 1. */
#include "kernel/lib/types.h"

void init_start(void);

/* root.c: does the command line name a root device? */
bool root_wanted(void);
/*
 * Mount it and make it the root directory of the calling process and of kernel threads; a panic
 * with a sentence when that cannot be. ctx: process 1, in the kernel; sleeps
 */
void root_mount(void);
