/*
 * Restartable sequences: registration and its errors, the CPU number that the kernel keeps in the
 * area, sections that a signal or a preemption aborts, what a wrong area is worth (SIGSEGV), and
 * what fork, threads and exec do with it. rseq(2).
 */
#define _GNU_SOURCE
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include "tap.h"

#define SIG 0xd428bc00u
#define UNREGISTER 1

struct area {
	uint32_t cpu_id_start, cpu_id;
	uint64_t cs;
	uint32_t flags, pad[3];
} __attribute__((aligned(32)));

struct section {
	uint32_t version, flags;
	uint64_t start, length, abort;
} __attribute__((aligned(32)));

/*
 * int rs_spin(uint64_t *cs, struct section *s, volatile int *stop): enters @s and stays in it until
 * *stop, which is 0, or until it is aborted: 1. rs_bare is an abort address without signature.
 */
int rs_spin(volatile uint64_t *cs, struct section *s, volatile int *stop);
extern char rs_start[], rs_end[], rs_abort[], rs_bare[];
__asm__(".text\n"
	".globl rs_spin, rs_start, rs_end, rs_abort, rs_bare\n"
	"rs_spin: str x1, [x0]\n"
	"rs_start: ldr w3, [x2]\n"
	"	cbz w3, rs_start\n"
	"rs_end: mov w0, #0\n"
	"	ret\n"
	"	.inst 0xd428bc00\n"
	"rs_abort: mov w0, #1\n"
	"	ret\n"
	"rs_bare: mov w0, #2\n"
	"	ret\n");

static volatile struct area area;
static struct section section;
static volatile int stop;
static volatile uint64_t handler_pc, handler_cs;

static long rseq(volatile void *a, uint32_t len, int flags, uint32_t sig)
{
	return syscall(SYS_rseq, a, len, flags, sig);
}

static void section_reset(void)
{
	section = (struct section){ .start = (uint64_t)rs_start,
				    .length = (uint64_t)(rs_end - rs_start),
				    .abort = (uint64_t)rs_abort };
}

static void on_signal(int sig, siginfo_t *si, void *ctx)
{
	handler_pc = ((ucontext_t *)ctx)->uc_mcontext.pc;
	handler_cs = area.cs;
}

static void handle(int sig)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

	sigaction(sig, &sa, NULL);
}

static void test_register(void)
{
	area.cpu_id = 77;
	CHECK_ERR(rseq(&area, 32, UNREGISTER, SIG), EINVAL);
	CHECK_ERR(rseq(&area, 16, 0, SIG), EINVAL);
	CHECK_ERR(rseq((char *)&area + 4, 32, 0, SIG), EINVAL);
	CHECK_ERR(rseq(&area, 32, 2, SIG), EINVAL);
	CHECK_ERR(rseq((void *)(1ul << 63), 32, 0, SIG), EFAULT);
	CHECK(area.cpu_id == 77);
	CHECK_ERR(rseq((void *)4096, 32, 0, SIG), EFAULT);
	area.cs = 8;
	REQUIRE(!rseq(&area, 32, 0, SIG));
	/* It may move between two looks. */
	CHECK(EVENTUALLY(area.cpu_id == (uint32_t)sched_getcpu()));
	CHECK(EVENTUALLY(area.cpu_id == area.cpu_id_start));
	CHECK(area.cs == 0);
	CHECK_ERR(rseq(&area, 32, 0, SIG), EBUSY);
	CHECK_ERR(rseq(&area, 32, 0, SIG + 1), EPERM);
	CHECK_ERR(rseq(&area + 1, 32, 0, SIG), EINVAL);
	CHECK_ERR(rseq(&area, 32, UNREGISTER, SIG + 1), EPERM);
	CHECK_ERR(rseq(&area, 64, UNREGISTER, SIG), EINVAL);
	CHECK_ERR(rseq(&area, 32, UNREGISTER | 2, SIG), EINVAL);
	CHECK(!rseq(&area, 32, UNREGISTER, SIG));
	CHECK(area.cpu_id == (uint32_t)-1 && area.cpu_id_start == 0);
	CHECK_ERR(rseq(&area, 32, UNREGISTER, SIG), EINVAL);
	REQUIRE(!rseq(&area, 32, 0, SIG));
}

static void test_cpu(void)
{
	cpu_set_t was, set;
	int good = 1;

	sched_getaffinity(0, sizeof(was), &was);
	for (int i = 0; i < 64; i++) {
		int cpu = i % CPU_COUNT(&was);

		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		sched_setaffinity(0, sizeof(set), &set);
		good &= area.cpu_id == (uint32_t)cpu && area.cpu_id_start == (uint32_t)cpu;
	}
	CHECK(good);
	sched_setaffinity(0, sizeof(was), &was);
}

static void test_signal(void)
{
	/* Again and again: the first may come before the section. */
	struct itimerval it = { { 0, 5000 }, { 0, 5000 } }, off = { 0 };

	handle(SIGALRM);
	handle(SIGUSR1);
	section_reset();
	setitimer(ITIMER_REAL, &it, NULL);
	/* What the timer finds may have been aborted by a preemption before. */
	do
		handler_pc = 0;
	while (rs_spin(&area.cs, &section, &stop) == 1 && !handler_pc);
	setitimer(ITIMER_REAL, &off, NULL);
	CHECK(handler_pc != 0);
	CHECK(handler_pc != (uint64_t)rs_start && handler_cs == 0 && area.cs == 0);
	/* Not in the section: it is forgotten, and nothing else happens. */
	area.cs = (uint64_t)&section;
	raise(SIGUSR1);
	CHECK(handler_cs == 0 && area.cs == 0 && handler_pc != (uint64_t)rs_abort);
	stop = 1;
	area.cs = 0;
	CHECK(rs_spin(&area.cs, &section, &stop) == 0);
	stop = 0;
	area.cs = 0;
}

static volatile int spinning;

static void *spin_beside(void *arg)
{
	while (spinning)
		;
	return NULL;
}

static void test_preempt(void)
{
	cpu_set_t was, one;
	pthread_t t;

	section_reset();
	sched_getaffinity(0, sizeof(was), &was);
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	spinning = 1;
	pthread_create(&t, NULL, spin_beside, NULL);
	CHECK(rs_spin(&area.cs, &section, &stop) == 1);
	CHECK(area.cs == 0);
	spinning = 0;
	pthread_join(t, NULL);
	sched_setaffinity(0, sizeof(was), &was);
}

static volatile int entered;

static void *spin_registered(void *arg)
{
	static struct area mine;
	static struct section s;
	intptr_t r;

	s = section;
	if (rseq(&mine, 32, 0, SIG))
		return (void *)-1;
	entered = 1;
	r = rs_spin((volatile uint64_t *)&mine.cs, &s, &stop);
	rseq(&mine, 32, UNREGISTER, SIG);
	return (void *)r;
}

/* The fence restarts sections that run on other CPUs. */
static void test_membarrier(void)
{
	long known = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
	pthread_t t;
	void *r = NULL;

	CHECK(known & MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ);
	CHECK_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0), EPERM);
	CHECK(!syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0, 0));
	CHECK_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 2, 0), EINVAL);
	CHECK_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 1, 0), EINVAL);
	CHECK(!syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ,
		       MEMBARRIER_CMD_FLAG_CPU, 0));
	CHECK(!syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ,
		       MEMBARRIER_CMD_FLAG_CPU, 4000));
	section_reset();
	pthread_create(&t, NULL, spin_registered, NULL);
	while (!entered)
		sched_yield();
	/* It may just be on its way in. */
	stop = !EVENTUALLY(!pthread_tryjoin_np(t, &r) ||
			   syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0));
	if (!CHECK(!stop && r == (void *)1) && stop)
		pthread_join(t, &r);
	stop = 0;
}

/* The wait status of a child that runs @fn and then takes a signal. */
static int child(void (*fn)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		section_reset();
		fn();
		raise(SIGUSR1);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

#define DIES(code)                                                                        \
	({                                                                                \
		void bad(void)                                                            \
		{                                                                         \
			code;                                                             \
			area.cs = (uint64_t)&section;                                     \
		}                                                                         \
		int st = child(bad);                                                      \
		tap_result(WIFSIGNALED(st) && WTERMSIG(st) == SIGSEGV, "SIGSEGV: " #code, \
			   __FILE__, __LINE__, st);                                       \
	})

static void bad_pointer(void)
{
	area.cs = 8;
}

static void kernel_pointer(void)
{
	area.cs = 1ull << 63;
}

/* A page that goes away after the registration. */
static void no_memory(void)
{
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	rseq(&area, 32, UNREGISTER, SIG);
	rseq(page, 32, 0, SIG);
	munmap(page, 4096);
}

static void harmless(void)
{
	area.cs = (uint64_t)&section;
}

static void test_bad(void)
{
	int st;

	handle(SIGSEGV);
	CHECK(child(harmless) == 0);
	DIES(section.version = 1);
	DIES(section.abort = (uint64_t)rs_bare);
	DIES(section.abort = (uint64_t)rs_start + 4);
	DIES(section.abort = 1ull << 60);
	DIES(section.start = 1ull << 60);
	DIES(section.length = ~0ull);
	st = child(bad_pointer);
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGSEGV);
	st = child(kernel_pointer);
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGSEGV);
	st = child(no_memory);
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGSEGV);
	signal(SIGSEGV, SIG_DFL);
}

static void *try_register(void *arg)
{
	static struct area mine;
	intptr_t e = rseq(&mine, 32, 0, SIG) ? errno : 0;

	if (!e && mine.cpu_id >= 1024)
		e = -1;
	return (void *)e;
}

static void in_child(void)
{
	/* The same area is registered still; the number in it is right. */
	if (rseq(&area, 32, 0, SIG) != -1 || errno != EBUSY)
		_exit(1);
	sched_yield();
	_exit(area.cpu_id < 1024 ? 0 : 2);
}

static void in_exec(void)
{
	execl("/proc/self/exe", "rseq", "register", NULL);
	_exit(3);
}

static void test_inherit(void)
{
	pthread_t t;
	void *r;

	CHECK(child(in_child) == 0);
	CHECK(child(in_exec) == 0);
	pthread_create(&t, NULL, try_register, NULL);
	pthread_join(t, &r);
	CHECK(r == NULL);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return rseq(&area, 32, 0, SIG) ? errno : 0;
	test_register();
	test_cpu();
	test_signal();
	test_preempt();
	test_membarrier();
	test_bad();
	test_inherit();
	return tap_done();
}
