#pragma once
/* Plug-ins on the host are found by name: host_NAME. */
#include "kernel/lib/types.h"

#define TABLE_ENTRY(kind, type, name)  \
	extern const type host_##name; \
	const type host_##name
#define TABLE_DECLARE(kind, type) extern const type __table_##kind##_begin[], __table_##kind##_end[]
#define TABLE_FOREACH(kind, p) for (p = __table_##kind##_begin; p < __table_##kind##_end; p++)
