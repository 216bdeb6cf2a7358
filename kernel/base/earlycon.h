#pragma once
/*
 * Early consoles: output before drivers and interrupts, for "earlycon" on the command line. A
 * serial driver adds EARLYCON(id, "name", "compatible", setup); setup gets the registers mapped and
 * fills in @c's write.
 *
 *   earlycon                       the device of /chosen/stdout-path
 *   earlycon=pl011,0x9000000       this device at this address (",mmio32," in between is allowed)
 */
#include "kernel/base/log.h"
#include "kernel/base/table.h"

struct earlycon {
	const char *name;
	const char *compatible;
	void (*setup)(struct log_console *c, void *regs);
};
#define EARLYCON(id, word, compat, func) \
	TABLE_ENTRY(earlycon, struct earlycon, earlycon_##id) = { (word), (compat), (func) }
TABLE_DECLARE(earlycon, struct earlycon);

/*
 * Start the early console that the command line asks for.
 * ctx: boot; command line and device tree are known.
 */
void earlycon_init(void);

/*
 * A panic before any console: start the firmware's, without being asked for it, so that nobody is
 * left with a silent machine.
 * ctx: panic.
 */
void earlycon_panic(void);
