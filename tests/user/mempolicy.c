/*
 * Memory policies on a machine of one node: set_mempolicy(2), mbind(2), migrate_pages(2),
 * move_pages(2).
 */
#define _GNU_SOURCE
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "tap.h"

#define PAGE 4096ul
#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node 450
#endif

static long set(int mode, unsigned long mask)
{
	return syscall(SYS_set_mempolicy, mode, &mask, 65ul);
}

static long bind(void *at, unsigned long len, int mode, unsigned long mask, unsigned flags)
{
	return syscall(SYS_mbind, at, len, mode, &mask, 65ul, flags);
}

/* The policy, with the mask in *mask. */
static int get(void *at, unsigned flags, unsigned long *mask)
{
	unsigned long masks[2] = { ~0ul, ~0ul };
	int mode = -1;

	if (syscall(SYS_get_mempolicy, &mode, masks, 128ul, at, flags))
		return -1;
	*mask = masks[1] ? ~0ul : masks[0];
	return mode;
}

static void threads(void)
{
	unsigned long mask = 77;
	int mode = 0;

	CHECK(get(NULL, 0, &mask) == MPOL_DEFAULT && mask == 0);
	CHECK(get(NULL, MPOL_F_MEMS_ALLOWED, &mask) == 0 && mask == 1);
	CHECK(!set(MPOL_BIND, 1) && get(NULL, 0, &mask) == MPOL_BIND && mask == 1);
	CHECK(!set(MPOL_INTERLEAVE, 1) && get(NULL, 0, &mask) == MPOL_INTERLEAVE && mask == 1);
	CHECK(get(NULL, MPOL_F_NODE, &mask) == 0);
	CHECK(!set(MPOL_PREFERRED, 0) && get(NULL, 0, &mask) == MPOL_LOCAL && mask == 0);
	CHECK(!set(MPOL_BIND | MPOL_F_STATIC_NODES, 3) &&
	      get(NULL, 0, &mask) == (MPOL_BIND | MPOL_F_STATIC_NODES) && mask == 3);
	CHECK(!set(MPOL_PREFERRED_MANY, 1) && get(NULL, 0, &mask) == MPOL_PREFERRED_MANY);
	CHECK_ERR(syscall(SYS_get_mempolicy, NULL, NULL, 0, NULL, MPOL_F_NODE), EINVAL);
	CHECK_ERR(set(MPOL_BIND, 0), EINVAL);
	CHECK_ERR(set(MPOL_BIND, 2), EINVAL);
	CHECK_ERR(set(MPOL_BIND, 1ul << 40), EINVAL);
	CHECK_ERR(set(MPOL_DEFAULT, 1), EINVAL);
	CHECK_ERR(set(MPOL_LOCAL, 1), EINVAL);
	CHECK_ERR(set(77, 1), EINVAL);
	CHECK_ERR(set(MPOL_BIND | MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES, 1), EINVAL);
	CHECK_ERR(set(MPOL_INTERLEAVE | MPOL_F_NUMA_BALANCING, 1), EINVAL);
	CHECK_ERR(syscall(SYS_set_mempolicy, MPOL_BIND, (void *)8, 64ul), EFAULT);
	CHECK_ERR(syscall(SYS_set_mempolicy, MPOL_BIND, &mask, PAGE * 8 + 2), EINVAL);
	CHECK_ERR(syscall(SYS_get_mempolicy, &mode, NULL, 0, &mask, 0), EINVAL);
	CHECK_ERR(syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 8), EINVAL);
	CHECK_ERR(syscall(SYS_get_mempolicy, (void *)8, NULL, 0, NULL, 0), EFAULT);
	CHECK(!set(MPOL_DEFAULT, 0) && get(NULL, 0, &mask) == MPOL_DEFAULT);
}

static void ranges(void)
{
	char *p = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long mask;

	CHECK(!bind(p + PAGE, 2 * PAGE - 5, MPOL_BIND, 1, MPOL_MF_STRICT | MPOL_MF_MOVE));
	CHECK(get(p, MPOL_F_ADDR, &mask) == MPOL_DEFAULT);
	CHECK(get(p + PAGE + 7, MPOL_F_ADDR, &mask) == MPOL_BIND && mask == 1);
	CHECK(get(p + 3 * PAGE, MPOL_F_ADDR, &mask) == MPOL_DEFAULT);
	CHECK(get(p + PAGE, MPOL_F_ADDR | MPOL_F_NODE, &mask) == 0);
	CHECK(!syscall(SYS_set_mempolicy_home_node, p, 8 * PAGE, 0ul, 0ul));
	CHECK_ERR(syscall(SYS_set_mempolicy_home_node, p + 1, PAGE, 0ul, 0ul), EINVAL);
	CHECK_ERR(syscall(SYS_set_mempolicy_home_node, p, PAGE, 77ul, 0ul), EINVAL);
	CHECK_ERR(syscall(SYS_set_mempolicy_home_node, p, PAGE, 0ul, 1ul), EINVAL);
	CHECK(!bind(p + PAGE, PAGE, MPOL_INTERLEAVE, 1, 0));
	CHECK_ERR(syscall(SYS_set_mempolicy_home_node, p, 8 * PAGE, 0ul, 0ul), EOPNOTSUPP);
	/* A mask that is kept as it was given, and parts the range from its neighbours. */
	CHECK(!bind(p + PAGE, PAGE, MPOL_BIND | MPOL_F_STATIC_NODES, 0xff03, 0) &&
	      get(p + PAGE, MPOL_F_ADDR, &mask) == (MPOL_BIND | MPOL_F_STATIC_NODES) &&
	      mask == 0xff03);
	CHECK(!bind(p + 2 * PAGE, PAGE, MPOL_BIND | MPOL_F_STATIC_NODES, 5, 0) &&
	      get(p + PAGE, MPOL_F_ADDR, &mask) == (MPOL_BIND | MPOL_F_STATIC_NODES) &&
	      mask == 0xff03);
	CHECK(!bind(p, 8 * PAGE, MPOL_DEFAULT, 0, 0));
	CHECK(get(p + 2 * PAGE, MPOL_F_ADDR, &mask) == MPOL_DEFAULT);
	CHECK(!bind(p, 0, MPOL_BIND, 1, 0));
	CHECK_ERR(bind(p + 1, PAGE, MPOL_BIND, 1, 0), EINVAL);
	CHECK_ERR(bind(p, PAGE, MPOL_BIND, 1, 64), EINVAL);
	CHECK_ERR(bind(p, PAGE, MPOL_BIND, 0, 0), EINVAL);
	munmap(p + 4 * PAGE, PAGE);
	CHECK_ERR(bind(p, 8 * PAGE, MPOL_BIND, 1, 0), EFAULT);
	CHECK(!bind(p, 8 * PAGE, MPOL_DEFAULT, 0, 0));
	CHECK_ERR(bind(p + 4 * PAGE, PAGE, MPOL_DEFAULT, 0, 0), EFAULT);
	CHECK_ERR(syscall(SYS_get_mempolicy, NULL, NULL, 0, p + 4 * PAGE, MPOL_F_ADDR), EFAULT);
	munmap(p, 8 * PAGE);
}

static void moves(void)
{
	char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *pages[3] = { p, p + PAGE, p + 3 * PAGE };
	int nodes[3] = { 0, 0, 0 }, status[3] = { 7, 7, 7 };
	unsigned long one = 1, two = 2;

	p[0] = 1;
	munmap(p + 3 * PAGE, PAGE);
	CHECK(!syscall(SYS_move_pages, 0, 3ul, pages, NULL, status, MPOL_MF_MOVE));
	CHECK(status[0] == 0 && status[1] == -EFAULT && status[2] == -EFAULT);
	status[0] = 7;
	CHECK(!syscall(SYS_move_pages, 0, 1ul, pages, nodes, status, MPOL_MF_MOVE) &&
	      status[0] == 0);
	nodes[0] = 5;
	CHECK_ERR(syscall(SYS_move_pages, 0, 1ul, pages, nodes, status, MPOL_MF_MOVE), ENODEV);
	CHECK_ERR(syscall(SYS_move_pages, 0, 1ul, pages, NULL, status, 64), EINVAL);
	CHECK_ERR(syscall(SYS_move_pages, 0, 1ul, (void *)8, NULL, status, 0), EFAULT);
	CHECK_ERR(syscall(SYS_move_pages, 4194303, 1ul, pages, NULL, status, 0), ESRCH);
	CHECK(!syscall(SYS_migrate_pages, 0, 65ul, &one, &one));
	CHECK_ERR(syscall(SYS_migrate_pages, 0, 65ul, &one, &two), EINVAL);
	CHECK_ERR(syscall(SYS_migrate_pages, 4194303, 65ul, &one, &one), ESRCH);
	CHECK_ERR(syscall(SYS_migrate_pages, 0, 65ul, (void *)8, &one), EFAULT);
}

int main(void)
{
	unsigned long mask;
	int status;
	pid_t pid;

	threads();
	ranges();
	moves();
	/* Children have what their parent has. */
	CHECK(!set(MPOL_BIND, 1));
	pid = fork();
	if (!pid)
		_exit(get(NULL, 0, &mask) != MPOL_BIND);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	return tap_done();
}
