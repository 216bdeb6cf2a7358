/*
 * The stack guard of code compiled with -fstack-protector (debug builds, and the packaged libfdt):
 * functions put __stack_chk_guard below their return address and call __stack_chk_fail when it has
 * changed. One value serves all threads; it is replaced once at boot by a function that never
 * returns.
 */
#include "kernel/base/panic.h"
#include "kernel/base/stackguard.h"

u64 __stack_chk_guard = 0x595e9fbd94fda766ULL;

/* A frame was overwritten. ctx: any. */
void __stack_chk_fail(void)
{
	panic("stack smashed in %p", __builtin_return_address(0));
}
