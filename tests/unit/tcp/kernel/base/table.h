#pragma once
/* The kernel's own: tables.ld makes the bounds. */
#include "../../../../../kernel/base/table.h"
