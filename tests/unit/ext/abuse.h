#pragma once
#include "kernel/lib/types.h"
/* Mount, read, walk, write what may be no file system at all. */
void abuse(void *image, u64 bytes);
