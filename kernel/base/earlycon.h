#pragma once
/*
 * Early consoles: output before drivers and interrupts, for "earlycon" on the command line. A
 * serial driver adds EARLYCON(id, "name", "compatible", setup); setup maps the registers at @base,
 * fills @c (.write) and returns 0 or -errno.
 *
 *   earlycon                       the device of /chosen/stdout-path
 *   earlycon=pl011,0x9000000       this device at this address (",mmio32," in between is allowed)
 */
#include "kernel/base/log.h"
#include "kernel/base/table.h"

struct earlycon {
	const char *name;
	const char *compatible;
	int (*setup)(struct log_console *c, paddr_t base);
};
#define EARLYCON(id, word, compat, func) \
	TABLE_ENTRY(earlycon, struct earlycon, earlycon_##id) = { (word), (compat), (func) }
TABLE_DECLARE(earlycon, struct earlycon);

/*
 * After device registers can be mapped: start the early console that the command line asks for.
 * ctx: boot.
 */
void earlycon_init(void);
