#pragma once
/* What IGMP knows of a link, for /proc/net/igmp. */
#include "net/netdev.h"

/* The version that the routers on @d's link speak: 1 to 3. ctx: any */
u32 igmp_version(const struct netdev *d);
