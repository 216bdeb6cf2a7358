/*
 * Addresses with a tag in the top byte (Documentation/arm64/tagged-pointers.rst and
 * tagged-address-abi.rst of Linux): loads, stores, stack and fault addresses; system calls take
 * them only when the thread has asked for it; the memory calls by their own rules.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <linux/futex.h>
#include "in_child.h"
#include "tap.h"

#ifndef SA_EXPOSE_TAGBITS
#define SA_EXPOSE_TAGBITS 0x800
#endif
#define TAG 0xa500000000000000ul
#define TAGGED(p) ((void *)((uintptr_t)(p) | TAG))
#define SYSCTL "/proc/sys/abi/tagged_addr_disabled"
#define PAGE 4096ul

static long ctrl(unsigned long bits)
{
	return prctl(PR_SET_TAGGED_ADDR_CTRL, bits, 0, 0, 0);
}

static long state(void)
{
	return prctl(PR_GET_TAGGED_ADDR_CTRL, 0, 0, 0, 0);
}

static char *pages(unsigned long n)
{
	char *m = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE(m != MAP_FAILED);
	return m;
}

static siginfo_t seen;
static unsigned long seen_fault, seen_pc;
static sigjmp_buf back;

static void on_fault(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	seen = *si;
	seen_fault = ((ucontext_t *)uc)->uc_mcontext.fault_address;
	seen_pc = ((ucontext_t *)uc)->uc_mcontext.pc;
	siglongjmp(back, 1);
}

static void fault_with(int flags, volatile char *at)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | flags };

	memset(&seen, 0, sizeof(seen));
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	if (!sigsetjmp(back, 1))
		*at = 1;
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
}

static void jump_to(unsigned long at)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	if (!sigsetjmp(back, 1))
		((void (*)(void))at)();
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
}

static unsigned long here(void)
{
	unsigned long pc;

	__asm__ volatile("adr %0, ." : "=r"(pc));
	return pc;
}

static void test_faults(void)
{
	char *m = pages(2);

	munmap(m + PAGE, PAGE);
	fault_with(0, TAGGED(m + PAGE + 8));
	CHECK(seen.si_code == SEGV_MAPERR && seen.si_addr == m + PAGE + 8);
	CHECK(seen_fault == (unsigned long)m + PAGE + 8);
	fault_with(SA_EXPOSE_TAGBITS, TAGGED(m + PAGE + 8));
	CHECK(seen.si_code == SEGV_MAPERR && seen.si_addr == TAGGED(m + PAGE + 8));
	CHECK(seen_fault == (unsigned long)m + PAGE + 8);
	mprotect(m, PAGE, PROT_READ);
	fault_with(SA_EXPOSE_TAGBITS, TAGGED(m + 16));
	CHECK(seen.si_code == SEGV_ACCERR && seen.si_addr == TAGGED(m + 16));
	/* An address of the kernel's half: its top byte is no tag. */
	fault_with(0, (void *)0xff80000000001000ul);
	CHECK(seen.si_code == SEGV_MAPERR && seen.si_addr == (void *)0xff80000000001000ul);
	CHECK(((unsigned long (*)(void))TAGGED(here))() >> 56 == 0);
	jump_to((unsigned long)TAGGED(m + PAGE));
	CHECK(seen.si_signo == SIGSEGV && seen.si_addr == m + PAGE);
	CHECK(seen_pc == (unsigned long)m + PAGE);
	jump_to((unsigned long)here + 2);
	CHECK(seen.si_signo == SIGBUS && seen.si_code == BUS_ADRALN);
	CHECK(seen.si_addr == (char *)here + 2 && seen_fault == 0);
	munmap(m, PAGE);
}

static volatile int handled;

static void on_usr1(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)si;
	handled = ((ucontext_t *)uc)->uc_mcontext.sp >> 56 == TAG >> 56;
}

/* A signal while the stack pointer has a tag. */
static int signal_on_tagged_stack(void)
{
	struct sigaction sa = { .sa_sigaction = on_usr1, .sa_flags = SA_SIGINFO };
	long pid = getpid(), tid = gettid();
	register long x0 __asm__("x0");
	register long x1 __asm__("x1");
	register long x2 __asm__("x2");
	register long x8 __asm__("x8");

	sigaction(SIGUSR1, &sa, NULL);
	x0 = pid;
	x1 = tid;
	x2 = SIGUSR1;
	x8 = SYS_tgkill;
	__asm__ volatile("mov x19, sp\n orr x20, x19, %[tag]\n"
			 "mov sp, x20\n stp x0, x1, [sp, #-16]!\n svc #0\n"
			 "ldr x0, [sp], #16\n mov sp, x19"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), [tag] "r"(TAG)
			 : "x19", "x20", "memory");
	return handled ? 0 : 1;
}

static int tagged_stack_allowed(void)
{
	return ctrl(PR_TAGGED_ADDR_ENABLE) ? 2 : signal_on_tagged_stack();
}

/* The calls that copy, by copying one byte or one structure each. */
static int bytes_moved(int fd, char *p)
{
	struct iovec v = { p, 1 }, *vt = TAGGED(&v);
	int n = 0;

	n += pwrite(fd, p, 1, 0) == 1;
	n += pread(fd, p, 1, 0) == 1;
	v.iov_base = p;
	n += pwritev(fd, (long)p >> 56 ? vt : &v, 1, 0) == 1;
	n += preadv(fd, (long)p >> 56 ? vt : &v, 1, 0) == 1;
	n += process_vm_readv(getpid(), &v, 1, &v, 1, 0) == 1;
	strcpy(p, "/");
	n += access(p, F_OK) == 0;
	n += syscall(SYS_getcwd, p, PAGE) > 0;
	n += clock_gettime(CLOCK_BOOTTIME, (void *)p) == 0 && syscall(SYS_uname, p) == 0;
	*(int *)p = 0;
	n += syscall(SYS_futex, p, FUTEX_WAIT, 1, NULL, NULL, 0) == -1 && errno == EAGAIN;
	n += syscall(SYS_futex, p, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 0;
	return n;
}

#define MOVES 10

static void test_copies(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600), p[2];
	char *m = pages(1);
	struct iovec v = { TAGGED(m), 8 }, w = { m, 8 };

	REQUIRE(fd >= 0 && pipe(p) == 0);
	CHECK(bytes_moved(fd, m) == MOVES);
	CHECK(state() == 0);
	CHECK(bytes_moved(fd, TAGGED(m)) == 0);
	CHECK_ERR(write(fd, TAGGED(m), 1), EFAULT);
	CHECK_ERR(vmsplice(p[1], &v, 1, 0), EFAULT);
	/* The other side of these has no such condition. */
	CHECK(process_vm_readv(getpid(), &w, 1, &v, 1, 0) == 8);
	CHECK(ctrl(PR_TAGGED_ADDR_ENABLE) == 0 && state() == PR_TAGGED_ADDR_ENABLE);
	CHECK(bytes_moved(fd, TAGGED(m)) == MOVES);
	strcpy(m, "lent");
	CHECK(vmsplice(p[1], &v, 1, 0) == 8 && read(p[0], TAGGED(m + 64), 8) == 8);
	CHECK(!strcmp(m + 64, "lent"));
	CHECK_ERR(write(fd, (void *)((uintptr_t)m | 1ul << 55 | TAG), 1), EFAULT);
	CHECK_ERR(write(fd, (void *)((uintptr_t)m | 1ul << 48), 1), EFAULT);
	CHECK(ctrl(0) == 0 && state() == 0);
	CHECK(bytes_moved(fd, TAGGED(m)) == 0);
	close(p[0]);
	close(p[1]);
	close(fd);
	munmap(m, PAGE);
}

static int enabled(void)
{
	return state() == PR_TAGGED_ADDR_ENABLE ? 0 : 1;
}

static void *thread_enabled(void *arg)
{
	(void)arg;
	return enabled() ? NULL : "yes";
}

static int exec_again(void)
{
	char *args[] = { "/proc/self/exe", "state", NULL };

	execv(args[0], args);
	return 99;
}

static void test_control(void)
{
	pthread_t t;
	void *r = NULL;

	CHECK_ERR(prctl(PR_SET_TAGGED_ADDR_CTRL, 1, 1, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_SET_TAGGED_ADDR_CTRL, 1, 0, 1, 0), EINVAL);
	CHECK_ERR(prctl(PR_SET_TAGGED_ADDR_CTRL, 1, 0, 0, 1), EINVAL);
	CHECK_ERR(prctl(PR_GET_TAGGED_ADDR_CTRL, 1, 0, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_GET_TAGGED_ADDR_CTRL, 0, 0, 0, 1), EINVAL);
	CHECK_ERR(ctrl(1ul << 32 | 1), EINVAL);
	CHECK_ERR(ctrl(1ul << 20), EINVAL);
	CHECK(ctrl(PR_TAGGED_ADDR_ENABLE) == 0);
	CHECK(in_child(enabled) == 0);
	CHECK(pthread_create(&t, NULL, thread_enabled, NULL) == 0);
	CHECK(pthread_join(t, &r) == 0 && r);
	CHECK(in_child(exec_again) == 50);
	CHECK(ctrl(0) == 0);
}

static int put_sysctl(const char *text)
{
	int fd = open(SYSCTL, O_WRONLY), n;

	n = (int)write(fd, text, strlen(text));
	close(fd);
	return n;
}

static void test_sysctl(void)
{
	int fd = open(SYSCTL, O_RDONLY);
	char text[8] = "";

	REQUIRE(fd >= 0);
	CHECK(read(fd, text, sizeof(text) - 1) == 2 && !strcmp(text, "0\n"));
	close(fd);
	CHECK(ctrl(1) == 0);
	CHECK_ERR(put_sysctl("2"), EINVAL);
	CHECK(put_sysctl("1") == 1);
	CHECK(state() == 1);
	CHECK_ERR(ctrl(1), EINVAL);
	CHECK(state() == 1);
	CHECK(ctrl(0) == 0);
	CHECK_ERR(ctrl(1), EINVAL);
	CHECK(put_sysctl("0") == 1);
	CHECK(ctrl(1) == 0 && ctrl(0) == 0);
}

static void test_memory(void)
{
	char *m = pages(8), *n, *t = TAGGED(m);
	unsigned char vec[1];
	long top = syscall(SYS_brk, 0);
	int id;

	CHECK(mprotect(t, PAGE, PROT_READ) == 0 && mprotect(t, PAGE, PROT_READ | PROT_WRITE) == 0);
	CHECK(madvise(t, PAGE, MADV_DONTNEED) == 0 && msync(t, PAGE, MS_ASYNC) == 0);
	CHECK(mlock(t, PAGE) == 0 && munlock(t, PAGE) == 0);
	*t = 1;
	CHECK(mincore(t, PAGE, vec) == 0 && (vec[0] & 1));
	CHECK(mremap(t, PAGE, PAGE, 0) == m);
	CHECK_ERR(mremap(m, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, TAGGED(m + 4 * PAGE)),
		  EINVAL);
	CHECK(mremap(t, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, m + 4 * PAGE) == m + 4 * PAGE);
	CHECK_ERR(mmap(t, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), ENOMEM);
	n = mmap(t, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(n != MAP_FAILED && (uintptr_t)n >> 56 == 0);
	CHECK(munmap(TAGGED(n), PAGE) == 0 && munmap(t + PAGE, 7 * PAGE) == 0);
	CHECK(syscall(SYS_brk, (unsigned long)top | TAG) == top);
	id = shmget(IPC_PRIVATE, PAGE, 0600);
	m = shmat(id, NULL, 0);
	CHECK(m != (void *)-1 && shmctl(id, IPC_RMID, NULL) == 0);
	CHECK_ERR(shmdt(TAGGED(m)), EINVAL);
	CHECK(shmdt(m) == 0);
}

static char alternate[65536];
static int alt_flags;

static void on_usr2(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)si;
	alt_flags = ((ucontext_t *)uc)->uc_stack.ss_flags;
}

/* What frames say of the alternate stack: the flags as they were given. */
static void test_altstack_flags(void)
{
	struct sigaction sa = { .sa_sigaction = on_usr2, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t ss = { .ss_sp = alternate, .ss_size = sizeof(alternate) }, off = { .ss_flags = 2 };

	alt_flags = -1;
	sigaction(SIGUSR2, &sa, NULL);
	CHECK(raise(SIGUSR2) == 0 && alt_flags == SS_DISABLE);
	CHECK(sigaltstack(&ss, NULL) == 0 && raise(SIGUSR2) == 0 && alt_flags == 0);
	CHECK(sigaltstack(&off, NULL) == 0 && raise(SIGUSR2) == 0 && alt_flags == SS_DISABLE);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "state"))
		return 50 + (int)state();
	test_altstack_flags();
	test_control();
	test_faults();
	test_copies();
	test_memory();
	CHECK(in_child(signal_on_tagged_stack) == 128 + SIGSEGV);
	CHECK(in_child(tagged_stack_allowed) == 0);
	test_sysctl();
	return tap_done();
}
