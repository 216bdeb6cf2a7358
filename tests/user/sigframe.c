/*
 * rt_sigreturn(2) from frames that a handler damaged: the program gets SIGSEGV with the general
 * registers and the mask of the frame, and the address of its stack; with SIGSEGV in that mask it
 * ends. What is left of a damaged alternate stack's description. And that unwinders, C++'s and that
 * of pthread_cancel(3), read the frame themselves where a handler returns to the vDSO.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <asm/ptrace.h>
#include "tap.h"

#define MARK 0x1919ul
#define STR(x) #x
#define STRING(x) STR(x)

static char stack[65536] __attribute__((aligned(16)));
static void (*damage)(ucontext_t *uc);
static long want_sp; /* 0: that of the frame */

static struct _aarch64_ctx *record(ucontext_t *uc)
{
	return (void *)uc->uc_mcontext.__reserved;
}

/* A record of @magic and @size behind the first one, then the end. */
static struct _aarch64_ctx *second(ucontext_t *uc, unsigned magic, unsigned size)
{
	struct _aarch64_ctx *r = record(uc), *end;

	r = (void *)((char *)r + r->size);
	*r = (struct _aarch64_ctx){ magic, size };
	end = (void *)((char *)r + (size ? size : 16));
	*end = (struct _aarch64_ctx){ 0, 0 };
	return r;
}

static void bad_magic(ucontext_t *uc)
{
	record(uc)->magic = 0x1234;
}

static void bad_size(ucontext_t *uc)
{
	record(uc)->size = 8;
}

static void other_size(ucontext_t *uc)
{
	record(uc)->size = 1008;
}

static void no_record(ucontext_t *uc)
{
	*record(uc) = (struct _aarch64_ctx){ 0, 0 };
}

static void twice(ucontext_t *uc)
{
	struct _aarch64_ctx *r = second(uc, FPSIMD_MAGIC, sizeof(struct fpsimd_context));

	(void)r;
}

static void unknown_record(ucontext_t *uc)
{
	second(uc, 0x1111, 16);
}

static void huge_record(ucontext_t *uc)
{
	second(uc, ESR_MAGIC, 16)->size = 8192;
}

static void empty_extra(ucontext_t *uc)
{
	second(uc, EXTRA_MAGIC, 0);
}

static void kernel_mode(ucontext_t *uc)
{
	uc->uc_mcontext.pstate = PSR_MODE_EL1h;
}

static void masked_interrupts(ucontext_t *uc)
{
	uc->uc_mcontext.pstate |= PSR_D_BIT | PSR_A_BIT | PSR_I_BIT | PSR_F_BIT;
}

static void thirty_two_bits(ucontext_t *uc)
{
	uc->uc_mcontext.pstate |= PSR_MODE32_BIT;
}

static void other_stack(ucontext_t *uc)
{
	uc->uc_mcontext.sp = 0x10;
	want_sp = 0x10;
	bad_magic(uc);
}

static void blocked(ucontext_t *uc)
{
	sigaddset(&uc->uc_sigmask, SIGSEGV);
	bad_magic(uc);
}

static void odd_flags(ucontext_t *uc)
{
	uc->uc_stack.ss_flags = 99;
}

static void small_stack(ucontext_t *uc)
{
	uc->uc_stack.ss_size = 1;
	uc->uc_stack.ss_flags = 0;
}

static void nowhere(ucontext_t *uc)
{
	uc->uc_mcontext.pc = 0xffff000000000000ul;
}

static void on_segv(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;
	unsigned long sp = want_sp ? (unsigned long)want_sp : uc->uc_mcontext.sp;
	sigset_t now;
	int wrong = 0;

	sigprocmask(0, NULL, &now);
	wrong |= si->si_code != SEGV_ACCERR && si->si_code != SEGV_MAPERR ? 1 : 0;
	wrong |= (unsigned long)si->si_addr != sp || uc->uc_mcontext.sp != sp ? 2 : 0;
	wrong |= uc->uc_mcontext.regs[19] != MARK || uc->uc_mcontext.regs[0] ? 4 : 0;
	wrong |= uc->uc_mcontext.pstate & ~(PSR_f | PSR_SSBS_BIT | PSR_DIT_BIT | PSR_BTYPE_MASK)
			 ? 8
			 : 0;
	/* The mask is the frame's, and the handler's own on top. */
	wrong |= !sigismember(&uc->uc_sigmask, SIGUSR2) || sigismember(&uc->uc_sigmask, SIGUSR1)
			 ? 16
			 : 0;
	wrong |= !sigismember(&now, SIGUSR2) || !sigismember(&now, SIGSEGV) ? 32 : 0;
	_exit(100 + wrong);
}

static void on_lost(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;

	_exit(si->si_code == SEGV_MAPERR && (unsigned long)si->si_addr == uc->uc_mcontext.pc &&
			      uc->uc_mcontext.regs[19] == MARK
		      ? 100
		      : 1);
}

static void on_usr1(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;

	uc->uc_mcontext.regs[19] = MARK;
	sigaddset(&uc->uc_sigmask, SIGUSR2);
	damage(uc);
}

static void handler(int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
	struct sigaction a = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags };

	sigaction(sig, &a, NULL);
}

/* How a child ends that returns from a frame after @fn: its status, negative: the signal. */
static int outcome(void (*fn)(ucontext_t *), void (*segv)(int, siginfo_t *, void *))
{
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) }, now;
	sigset_t mask;
	pid_t p = fork();
	int st;

	if (!p) {
		damage = fn;
		sigaltstack(&ss, NULL);
		handler(SIGSEGV, segv, SA_ONSTACK);
		handler(SIGUSR1, on_usr1, 0);
		raise(SIGUSR1);
		sigprocmask(0, NULL, &mask);
		sigaltstack(NULL, &now);
		_exit(sigismember(&mask, SIGUSR2) && now.ss_sp == stack &&
				      now.ss_size == sizeof(stack) && !now.ss_flags
			      ? 0
			      : 1);
	}
	waitpid(p, &st, 0);
	return WIFEXITED(st) ? WEXITSTATUS(st) : -WTERMSIG(st);
}

static int damaged(void (*fn)(ucontext_t *))
{
	return outcome(fn, on_segv);
}

static void nothing_to_see(int sig, siginfo_t *si, void *ctx)
{
	_exit(50);
}

/* The call itself, with the stack pointer at @sp. */
static int from(void *sp)
{
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
	pid_t p = fork();
	int st;

	if (!p) {
		sigaltstack(&ss, NULL);
		handler(SIGSEGV, nothing_to_see, SA_ONSTACK);
		__asm__ volatile("mov sp, %0\n\tmov x8, " STRING(__NR_rt_sigreturn) "\n\tsvc 0"
				 :
				 : "r"(sp)
				 : "x8", "memory");
		_exit(1);
	}
	waitpid(p, &st, 0);
	return WIFEXITED(st) ? WEXITSTATUS(st) : -WTERMSIG(st);
}

/* The kernel's own form: libc would give a restorer. */
struct kernel_action {
	void (*handler)(int sig);
	unsigned long flags;
	void (*restorer)(void);
	unsigned long mask;
};

static char *returns_to;

static void look_back(int sig)
{
	returns_to = __builtin_return_address(0);
}

/* True when the vDSO's table for unwinders has an entry for @pc. */
static int has_unwind_entry(char *pc)
{
	char *vdso = (char *)getauxval(AT_SYSINFO_EHDR), *head = NULL;
	Elf64_Ehdr *e = (void *)vdso;
	Elf64_Phdr *p = (void *)(vdso + e->e_phoff);
	int *row, count;

	for (int i = 0; i < e->e_phnum; i++)
		if (p[i].p_type == PT_GNU_EH_FRAME)
			head = vdso + p[i].p_vaddr;
	/* The usual encodings: a count of 32 bits, a table of offsets from here. */
	if (!head || head[2] != 0x03 || head[3] != 0x3b)
		return 0;
	count = *(int *)(head + 8);
	row = (int *)(head + 12);
	for (int i = 0; i < count; i++, row += 2)
		if ((unsigned long)(pc - (head + row[0])) < *(unsigned *)(head + row[1] + 12))
			return 1;
	return 0;
}

/*
 * An entry could say where the caller's registers are, but not that of the interrupted place: it
 * would lead to the caller of the interrupted function, and with its registers lost.
 */
static void test_unwinders_read_the_frame(void)
{
	struct kernel_action act = { .handler = look_back };

	REQUIRE(!syscall(SYS_rt_sigaction, SIGUSR2, &act, NULL, 8));
	raise(SIGUSR2);
	REQUIRE(returns_to != NULL);
	CHECK(((unsigned *)returns_to)[0] == 0xd2801168); /* mov x8, #139 */
	CHECK(((unsigned *)returns_to)[1] == 0xd4000001); /* svc #0 */
	CHECK(!has_unwind_entry(returns_to) && !has_unwind_entry(returns_to - 1));
}

int main(void)
{
	char *m = mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	alarm(TAP_LIMIT);
	CHECK(damaged(bad_magic) == 100);
	CHECK(damaged(bad_size) == 100);
	CHECK(damaged(other_size) == 100);
	CHECK(damaged(no_record) == 100);
	CHECK(damaged(twice) == 100);
	CHECK(damaged(unknown_record) == 100);
	CHECK(damaged(huge_record) == 100);
	CHECK(damaged(empty_extra) == 100);
	CHECK(damaged(kernel_mode) == 100);
	CHECK(damaged(masked_interrupts) == 100);
	CHECK(damaged(thirty_two_bits) == 100);
	CHECK(damaged(other_stack) == 100);
	CHECK(damaged(blocked) == -SIGSEGV);
	CHECK(outcome(nowhere, on_lost) == 100);
	/* A description that sigaltstack(2) would refuse changes nothing. */
	CHECK(damaged(odd_flags) == 0);
	CHECK(damaged(small_stack) == 0);
	CHECK(from(m + 8) == 50);
	CHECK(from(m) == 50);
	CHECK(from(NULL) == 50);
	CHECK(from((void *)0xfffffffffff0ul) == 50);
	CHECK(from((void *)-4096l) == 50);
	test_unwinders_read_the_frame();
	return tap_done();
}
