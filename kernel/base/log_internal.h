#pragma once
/* Between the parts of kernel/base that know how the log works. */
#include <stdarg.h>
#include "kernel/base/log.h"

void log_vprint(enum log_level level, const char *fmt, va_list ap) __printf(2, 0);
/*
 * End of an interrupt that came from preemptible code: wake readers that could not be woken before.
 */
void log_notify_irq(void);
/* A panic begins: print everything, and do not insist on locks. */
void log_enter_panic(void);
