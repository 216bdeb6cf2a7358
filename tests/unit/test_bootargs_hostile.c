/* unit: kernel/base/bootargs.c kernel/lib/string.c */
#include <stdio.h>
#include <stdlib.h>
#include "kernel/base/bootargs.h"
#include "kernel/lib/string.h"
#include "tests/unit/unit.h"

const struct bootarg __table_bootarg_begin[] = { { "known", NULL } };
__asm__(".globl __table_bootarg_end\n.set __table_bootarg_end, __table_bootarg_begin + 16");

/*
 * More words, variables and bytes than there is room for: cut, said so, and still ended properly.
 */
UNIT_TEST(too_much_of_everything)
{
	char *line = calloc(1, 6000);
	u32 n = 0;

	for (u32 i = 0; i < 300; i++)
		n += (u32)sprintf(line + n, i % 2 ? "v%u=%u " : "a%u\"%u ", i, i);
	bootargs_init(line);
	free(line);
	CHECK(unit_logged > 0);
	CHECK_EQ(strlen(bootargs_line()), 2047);
	for (n = 0; bootargs_init_argv()[n]; n++)
		CHECK(n < 40);
	for (n = 0; bootargs_init_envp()[n]; n++)
		CHECK(n < 40);
}
