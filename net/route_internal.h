#pragma once
/* Between ifaddr.c and route.c. */
#include "net/route.h"

extern struct spinlock route_lock; /* rank NET_ROUTE */

/* RTN_* of @addr, on @only or any device; *dev whose it is. holds: route_lock */
u8 ifaddr_type(be32 addr, const struct netdev *only, struct netdev **dev);
/*
 * See ip_addr_source. One that reaches as far as @scope, of another device if need be; else any.
 * holds: route_lock
 */
be32 ifaddr_source(const struct netdev *d, be32 dst, u8 scope);
/* Our address by which @addr, which is local, is reached. holds: route_lock */
be32 ifaddr_own(be32 addr);
