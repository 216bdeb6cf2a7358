#pragma once
/*
 * What is in use of the kernel, counted before and after something that is done some times: what is
 * lost each time shows as that many objects. Which slabs are in part used is a matter of chance.
 */
#include "meminfo.h"

#define CACHES 256

struct memory {
	char name[CACHES][24];
	long active[CACHES];
	int n;
	long free_kb;
	long files; /* open ones */
};
static struct memory memory_before, memory_now;

static void count_memory(struct memory *m)
{
	char line[256];
	FILE *f;

	drop_caches();
	m->n = 0;
	m->free_kb = meminfo("MemFree");
	m->files = 0;
	f = fopen("/proc/sys/fs/file-nr", "r");
	if (f) {
		(void)!fscanf(f, "%ld", &m->files);
		fclose(f);
	}
	f = fopen("/proc/slabinfo", "r");
	while (f && m->n < CACHES && fgets(line, sizeof(line), f))
		if (line[0] != '#' &&
		    sscanf(line, "%23s %ld", m->name[m->n], &m->active[m->n]) == 2)
			m->n++;
	if (f)
		fclose(f);
}

/* Less than one object of a cache was lost in each of @rounds, less than a file, and a page. */
static int memory_is_back(int rounds)
{
	count_memory(&memory_now);
	for (int i = 0; i < memory_now.n; i++)
		if (memory_now.active[i] - memory_before.active[i] >= rounds)
			return 0;
	return memory_now.files - memory_before.files < rounds &&
	       memory_before.free_kb - memory_now.free_kb < rounds * 4;
}

static void memory_differences(int rounds)
{
	memory_is_back(rounds);
	for (int i = 0; i < memory_now.n; i++)
		if (memory_now.active[i] != memory_before.active[i])
			printf("# %s: %ld objects, were %ld\n", memory_now.name[i],
			       memory_now.active[i], memory_before.active[i]);
	printf("# open files: %ld, were %ld\n", memory_now.files, memory_before.files);
	printf("# free: %ld kB, were %ld; tables %ld, anonymous %ld, cached %ld, vmalloc %ld\n",
	       memory_now.free_kb, memory_before.free_kb, meminfo("PageTables"),
	       meminfo("AnonPages"), meminfo("Cached"), meminfo("VmallocUsed"));
}
