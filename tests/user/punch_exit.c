/*
 * Pages of a file are taken away (a punched hole, a truncation) while processes that map them end:
 * each page is given back once. One process punches and refills the file all the time; others map
 * it, touch every page and exit. What the pages hold then, and that memory is not short, tells.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "tap.h"

#define PAGES 64
#define SIZE (PAGES * 4096L)
#define CHILDREN 400
#define AT_ONCE 4

static int fd;

static _Noreturn void punch(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned n = 0;; n++) {
		if (n & 1)
			fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, SIZE);
		else if (!ftruncate(fd, 0))
			(void)!ftruncate(fd, SIZE);
	}
}

/* A page behind the end, for a moment, is SIGBUS: that ends the child as well as _exit. */
static _Noreturn void touch(int shared)
{
	volatile char *p =
		mmap(NULL, SIZE, PROT_READ | PROT_WRITE, shared ? MAP_SHARED : MAP_PRIVATE, fd, 0);

	for (long at = 0; at < SIZE; at += 4096)
		p[at] = shared ? (char)(p[at] + 1) : p[at];
	_exit(0);
}

static int ended_well(int st)
{
	return (WIFEXITED(st) && !WEXITSTATUS(st)) || (WIFSIGNALED(st) && WTERMSIG(st) == SIGBUS);
}

/* Anonymous pages are nobody else's. */
static int memory_is_mine(void)
{
	uint32_t *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int good = 1;

	for (unsigned i = 0; i < SIZE / 4; i++)
		good &= p[i] == 0;
	for (unsigned i = 0; i < SIZE / 4; i++)
		p[i] = i;
	for (unsigned i = 0; i < SIZE / 4; i++)
		good &= p[i] == i;
	munmap(p, SIZE);
	return good;
}

int main(void)
{
	int running = 0, good = 1, mine = 1, st;
	pid_t puncher;

	fd = memfd_create("punch", MFD_CLOEXEC);
	REQUIRE(fd >= 0 && !ftruncate(fd, SIZE));
	puncher = fork();
	if (!puncher)
		punch();
	for (int i = 0; i < CHILDREN; i++) {
		if (running == AT_ONCE) {
			good &= wait(&st) > 0 && ended_well(st);
			running--;
		}
		if (!fork())
			touch(i & 1);
		running++;
		if (i % 16 == 0)
			mine &= memory_is_mine();
	}
	for (; running; running--)
		good &= wait(&st) > 0 && ended_well(st);
	CHECK(good);
	CHECK(mine);
	CHECK(!kill(puncher, SIGKILL) && waitpid(puncher, &st, 0) == puncher);
	return tap_done();
}
