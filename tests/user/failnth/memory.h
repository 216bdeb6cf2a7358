#pragma once
/* Address spaces: mappings of all kinds, their splitting, locking, moving, faults on them. */
#include "engine.h"

static char *area; /* 64 pages */

static int area_make(void)
{
	area = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return area == MAP_FAILED ? -1 : 0;
}

static void area_drop(void)
{
	munmap(area, 64 * PAGE);
}

static long mapped(void *p, size_t len)
{
	if (p == MAP_FAILED)
		return -1;
	KEEP_ERRNO(munmap(p, len));
	return 0;
}

static long do_mmap(void)
{
	return mapped(mmap(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		      4 * PAGE);
}

/* Far from all other mappings: page tables are needed. */
static long do_mmap_populate(void)
{
	void *p = mmap((void *)0x2000000000ul, 8 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	long r;

	if (p == MAP_FAILED)
		return -1;
	r = madvise(p, 8 * PAGE, 23 /* MADV_POPULATE_WRITE */);
	KEEP_ERRNO(munmap(p, 8 * PAGE));
	return r;
}

static long do_mmap_shared(void)
{
	char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long r;

	if (p == MAP_FAILED)
		return -1;
	r = madvise(p, 4 * PAGE, 23);
	KEEP_ERRNO(munmap(p, 4 * PAGE));
	return r;
}

static long do_mmap_file(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	char *p;
	long r;

	if (fd < 0)
		return -1;
	r = ftruncate(fd, 8 * PAGE);
	p = r ? MAP_FAILED : mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		KEEP_ERRNO(close(fd));
		return -1;
	}
	r = madvise(p, 8 * PAGE, 23);
	if (!r)
		r = msync(p, 8 * PAGE, MS_SYNC);
	if (!r)
		r = madvise(p + PAGE, PAGE, MADV_REMOVE);
	KEEP_ERRNO((munmap(p, 8 * PAGE), close(fd)));
	return r;
}

static long do_munmap_hole(void)
{
	return munmap(area + 8 * PAGE, PAGE);
}

static long do_mprotect(void)
{
	return mprotect(area + 8 * PAGE, PAGE, PROT_READ);
}

static long do_madvise(void)
{
	return madvise(area + 8 * PAGE, PAGE, MADV_DONTFORK);
}

static long do_mlock(void)
{
	return mlock(area + 8 * PAGE, 4 * PAGE);
}

static long do_mlockall(void)
{
	long r = mlockall(MCL_CURRENT | MCL_FUTURE);

	KEEP_ERRNO(munlockall());
	return r;
}

static long do_mremap_move(void)
{
	char *p;

	area[0] = 1;
	p = mremap(area, 8 * PAGE, 600 * PAGE, MREMAP_MAYMOVE);
	if (p == MAP_FAILED)
		return -1;
	return mapped(p, 600 * PAGE);
}

static long do_mremap_keep(void)
{
	char *p;

	area[0] = 1;
	p = mremap(area, 64 * PAGE, 64 * PAGE, MREMAP_MAYMOVE | 4 /* DONTUNMAP */, NULL);
	return mapped(p, 64 * PAGE);
}

static long do_brk(void)
{
	char *old = (char *)syscall(SYS_brk, 0), *now;

	now = (char *)syscall(SYS_brk, old + 64 * PAGE);
	KEEP_ERRNO(syscall(SYS_brk, old) < 0);
	if (now == old + 64 * PAGE)
		return 0;
	errno = ENOMEM;
	return -1;
}

static long do_mincore(void)
{
	unsigned char vec[64];

	return mincore(area, 64 * PAGE, vec);
}

/* Faults of the program itself are tried again: nothing is seen of a failure. */
static long do_touch(void)
{
	for (int i = 0; i < 64; i++)
		area[i * PAGE] = (char)i;
	return 0;
}

/* Copy-on-write by a child. */
static long touch_in_child(void)
{
	for (int i = 0; i < 6; i++)
		area[i * PAGE] = (char)(i + 1);
	return 0;
}

static long do_cow(void)
{
	return in_child(touch_in_child, 0);
}

static int area_touched(void)
{
	return area_make() ? -1 : (int)do_touch();
}

static long do_memfd(void)
{
	int fd = syscall(SYS_memfd_create, "failnth", 3 /* CLOEXEC, ALLOW_SEALING */);
	long r;

	if (fd < 0)
		return -1;
	r = fallocate(fd, 0, 0, 4 * PAGE);
	if (!r)
		r = fcntl(fd, 1033 /* F_ADD_SEALS */, 4 /* GROW */);
	KEEP_ERRNO(close(fd));
	return r;
}

static const struct op memory_ops[] = {
	{ "mmap", do_mmap },
	{ "mmap populated", do_mmap_populate, .errs = { EFAULT } },
	{ "mmap shared", do_mmap_shared, .errs = { EFAULT } },
	{ "mmap of a file", do_mmap_file, .errs = { EFAULT, ENOSPC } },
	{ "munmap of the middle", do_munmap_hole, area_make, area_drop },
	{ "mprotect of the middle", do_mprotect, area_make, area_drop },
	{ "madvise of the middle", do_madvise, area_make, area_drop, { EAGAIN } },
	{ "mlock", do_mlock, area_make, area_drop, { EAGAIN } },
	{ "mlockall", do_mlockall, area_make, area_drop, { EAGAIN } },
	{ "mremap", do_mremap_move, area_make, area_drop },
	{ "mremap that keeps", do_mremap_keep, area_make, area_drop },
	{ "brk", do_brk },
	{ "mincore", do_mincore, area_touched, area_drop, { EAGAIN } },
	{ "touch", do_touch, area_make, area_drop },
	{ "copy on write", do_cow, area_touched, area_drop, .child = 1 },
	{ "memfd", do_memfd, .errs = { ENOSPC, ENFILE } },
	{ NULL },
};
