#pragma once
/*
 * Formatted text: flags "-+ #0", width and precision (also *), lengths hh h l ll z t j, conversions
 * d i u x X o c s p %. No floating point, no %n.
 */
#include <stdarg.h>
#include "kernel/lib/types.h"

/* As C: NUL-ended when @size > 0; returns the length that the whole text has. */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap) __printf(3, 0);
int snprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
/* As snprintf, but returns the characters stored (without NUL): safe to add up. */
int scnprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
/* As vsnprintf, but all @size bytes are for text: no NUL. */
size_t vformat(char *buf, size_t size, const char *fmt, va_list ap) __printf(3, 0);
