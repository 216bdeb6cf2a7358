/*
 * The counters of /proc/net/snmp and /proc/net/netstat: one set per CPU, written by its threads
 * with preemption off, summed by who reads them.
 *
 * A sum is not a moment's picture: counters of other CPUs move while it is made. Each is a 64-bit
 * word that is loaded whole and only grows, so a later sum is never less than an earlier one.
 */
#include "net/tcp/tcp_pcb.h"

PERCPU(struct tcp_counters, tcp_counters);

/* See tcp_pcb.h. ctx: any */
void tcp_count_add(enum tcp_mib id, u64 n)
{
	preempt_disable();
	this_cpu(tcp_counters).n[id] += n;
	preempt_enable();
}

/* See net/tcp.h. ctx: any */
u64 tcp_mib(enum tcp_mib id)
{
	u64 sum = 0;

	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
		if (percpu_offset[cpu] || !cpu)
			sum += READ_ONCE(per_cpu(tcp_counters, cpu).n[id]);
	}
	return sum;
}
