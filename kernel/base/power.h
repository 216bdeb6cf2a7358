#pragma once
/* The machine's power button: drivers report it, kernel/proc decides what it means. */
#include "kernel/lib/types.h"

extern void (*power_button_hook)(void); /* I: set at boot. IRQ context */

/* The button was pressed. ctx: IRQ. */
static inline void power_button_notify(void)
{
	if (power_button_hook)
		power_button_hook();
}
