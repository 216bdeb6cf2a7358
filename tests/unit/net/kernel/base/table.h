#pragma once
/* Tables by section names that the host's linker makes bounds for. For host tests of net/. */
#include "kernel/lib/types.h"

#define TABLE_ENTRY(kind, type, name) \
	static const type name __used __aligned(8) __section("table_" #kind)
#define TABLE_DECLARE(kind, type) extern const type __start_table_##kind[], __stop_table_##kind[]
#define TABLE_FOREACH(kind, p) for (p = __start_table_##kind; p < __stop_table_##kind; p++)
