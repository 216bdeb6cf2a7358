#pragma once
/* Shared by pagecache.c and pagecache_io.c. */
#include "mm/vm/pagecache.h"

int __must_check pagecache_add(struct pagecache *pc, u64 index, struct page *p, bool bounded);
