/* unit: kernel/base/bootargs.c kernel/lib/string.c */
#include "kernel/base/bootargs.h"
#include "kernel/lib/string.h"
#include "tests/unit/unit.h"

static u32 quiet_seen;
static const char *level_seen;

static void on_quiet(const char *value)
{
	quiet_seen += value == NULL;
}

static void on_level(const char *value)
{
	level_seen = value;
}

/* The linker table: its end is the address behind the array. */
const struct bootarg __table_bootarg_begin[] = {
	{ "quiet", on_quiet },
	{ "log_level", on_level },
	{ "console", NULL },
	{ "init", NULL },
};
__asm__(".globl __table_bootarg_end\n.set __table_bootarg_end, __table_bootarg_begin + 64");

UNIT_TEST(everything_in_one_line)
{
	const char *line =
		" early quiet  log-level=3 console=a console=\"b c\" HOME=/root init=/bin/x x.y=1 "
		"foo TERM=vt100 NAME=\"two words\" -- last a=b";
	const char *const *argv, *const *envp;

	bootargs_init(line);
	argv = bootargs_init_argv();
	envp = bootargs_init_envp();
	CHECK_STR(bootargs_line(), line);
	CHECK_EQ(quiet_seen, 1);
	CHECK_STR(level_seen, "3");
	CHECK_STR(bootargs_get("console"), "b c");
	CHECK_STR(bootargs_get_nth("console", 0), "a");
	CHECK(!bootargs_get_nth("console", 2) && !bootargs_get("quiet") && bootargs_has("quiet"));
	CHECK(bootargs_has("foo") && !bootargs_has("bar"));
	/* "early" came before init=, which drops it. */
	CHECK_STR(argv[1], "foo");
	CHECK_STR(argv[2], "last");
	CHECK_STR(argv[3], "a=b");
	CHECK(!argv[4]);
	CHECK_STR(envp[0], "HOME=/root");
	CHECK_STR(envp[1], "TERM=vt100");
	CHECK_STR(envp[2], "NAME=two words");
	CHECK(!envp[3]);
}

UNIT_TEST(sizes)
{
	CHECK_EQ(bootargs_parse_size("4096"), 4096);
	CHECK_EQ(bootargs_parse_size("0x10k"), 16384);
	CHECK_EQ(bootargs_parse_size("64M"), MIB(64));
	CHECK_EQ(bootargs_parse_size("2g"), GIB(2));
	CHECK_EQ(bootargs_parse_size("x"), 0);
}
