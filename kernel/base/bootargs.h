#pragma once
/*
 * The kernel command line, parsed once. Words the kernel does not know go to init, as on Linux:
 * name=value to its environment, bare words to its arguments; after "--" everything is an argument.
 */
#include "kernel/base/table.h"

/* A word the kernel understands: BOOTARG("loglevel", fn). @value is NULL for a bare word. */
struct bootarg {
	const char *name;
	void (*fn)(const char *value);
};
#define BOOTARG(word, func) \
	TABLE_ENTRY(bootarg, struct bootarg, bootarg_##func) = { (word), (func) }
/* A word that is only asked for with bootargs_get(): known, so init does not get it. */
#define BOOTARG_WORD(id, word) \
	TABLE_ENTRY(bootarg, struct bootarg, bootarg_word_##id) = { (word), NULL }
TABLE_DECLARE(bootarg, struct bootarg);

/* copies; runs the table's functions in command-line order */
void bootargs_init(const char *cmdline);
const char *bootargs_line(void); /* as handed over, for /proc/cmdline */
const char *bootargs_get(const char *name); /* last value of name=, NULL if absent */
/*
 * Value number @index of name= in command-line order (console= may be given several times), NULL
 * past the end.
 */
const char *bootargs_get_nth(const char *name, u32 index);
bool bootargs_has(const char *name); /* as a bare word or with a value */
/* NULL-terminated: for init. argv[0] is "init"; whoever starts it puts the path there. */
const char *const *bootargs_init_argv(void);
const char *const *bootargs_init_envp(void);
/* Size with K/M/G suffix. */
u64 bootargs_parse_size(const char *s);
