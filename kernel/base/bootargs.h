#pragma once
/*
 * The kernel command line, parsed once. Words the kernel does not know go to init, as on Linux: name=value
 * to its environment, bare words to its arguments; after "--" everything is an argument.
 */
#include "kernel/base/table.h"

/* A word the kernel understands: BOOTARG("loglevel", fn). @value is NULL for a bare word. */
struct bootarg {
	const char *name;
	void (*fn)(const char *value);
};
#define BOOTARG(word, func) TABLE_ENTRY(bootarg, struct bootarg, bootarg_##func) = { (word), (func) }
TABLE_DECLARE(bootarg, struct bootarg);

void bootargs_init(const char *cmdline); /* copies; runs the table's functions in command-line order */
const char *bootargs_line(void); /* as handed over, for /proc/cmdline */
const char *bootargs_get(const char *name); /* last value of name=, NULL if absent */
/* NULL-terminated: for init. */
const char *const *bootargs_init_argv(void);
const char *const *bootargs_init_envp(void);
/* Size with K/M/G suffix. */
u64 bootargs_parse_size(const char *s);
