#pragma once
/* What the tests of fast open share. */
#include "tests/unit/tcp/tcp_world.h"

/* A new world, with net.ipv4.tcp_fastopen @how, in which a black hole is not remembered. */
static inline void fast_begin(int how)
{
	world_begin();
	tcp_sysctl_fastopen = how;
	tcp_sysctl_fastopen_pause = 0;
}

static inline struct tcp_info info(struct tcp_pcb *p)
{
	struct tcp_info i;
	u32 len = sizeof(i);

	CHECK_EQ(tcp_get_option(p, TCP_INFO, &i, &len), 0);
	return i;
}
