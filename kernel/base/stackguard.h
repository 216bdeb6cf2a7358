#pragma once
/* Names the compiler knows: see stackguard.c. */
#include "kernel/lib/types.h"

extern u64 __stack_chk_guard; /* I: random after main.c set it */
void __stack_chk_fail(void) __noreturn;
