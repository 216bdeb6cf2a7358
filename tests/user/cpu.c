/*
 * What belongs to the CPU: registers over signals, switches and fork; signal frames and what
 * sigreturn refuses; faults as signals; identification registers and AT_HWCAP; the vDSO; cache
 * maintenance.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include "tap.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif
#define FPSIMD_MAGIC 0x46508001
#define ESR_MAGIC 0x45535201

struct record {
	uint32_t magic, size;
};

static sigjmp_buf jump;
static volatile int got_signal, got_code;
static void *volatile got_addr;

static void on_fault(int sig, siginfo_t *si, void *ctx)
{
	got_signal = sig;
	got_code = si->si_code;
	got_addr = si->si_addr;
	siglongjmp(jump, 1);
}

static void handle(int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags };

	sigaction(sig, &sa, NULL);
}

#define FAULT(code)                        \
	do {                               \
		got_signal = got_code = 0; \
		if (!sigsetjmp(jump, 1)) { \
			code;              \
		}                          \
	} while (0)

static void test_faults(void)
{
	char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void (*noexec)(void) = (void (*)(void))page;
	static uint32_t word[2];
	static volatile int *volatile low = (volatile int *)8; /* hidden from the compiler */

	handle(SIGSEGV, on_fault, 0);
	handle(SIGBUS, on_fault, 0);
	handle(SIGILL, on_fault, 0);
	handle(SIGTRAP, on_fault, 0);
	FAULT(*low = 1);
	CHECK(got_signal == SIGSEGV && got_code == SEGV_MAPERR && got_addr == (void *)8);
	FAULT(*(volatile char *)page = 1);
	CHECK(got_signal == SIGSEGV && got_code == SEGV_ACCERR && got_addr == page);
	FAULT(noexec());
	CHECK(got_signal == SIGSEGV && got_code == SEGV_ACCERR && got_addr == page);
	FAULT(*(volatile char *)0xffffff8040000000 = 1);
	CHECK(got_signal == SIGSEGV);
	FAULT(__asm__ volatile("udf #0"));
	CHECK(got_signal == SIGILL && got_code == ILL_ILLOPC);
	FAULT(__asm__ volatile("mrs x0, sctlr_el1" ::: "x0"));
	CHECK(got_signal == SIGILL);
	FAULT(__asm__ volatile("hvc #0"));
	CHECK(got_signal == SIGILL);
	FAULT(__asm__ volatile("smc #0"));
	CHECK(got_signal == SIGILL);
	FAULT(__asm__ volatile("msr daifset, #2"));
	CHECK(got_signal == SIGILL);
	FAULT(__asm__ volatile("brk #7"));
	CHECK(got_signal == SIGTRAP && got_code == TRAP_BRKPT);
	FAULT(__asm__ volatile("br %0" ::"r"((char *)test_faults + 2)));
	CHECK(got_signal == SIGBUS && got_code == BUS_ADRALN);
	FAULT(__asm__ volatile("ldxr w0, [%0]" ::"r"((char *)word + 1) : "x0"));
	CHECK(got_signal == SIGBUS && got_code == BUS_ADRALN);
	munmap(page, 4096);
}

/*
 * --- signal frames ------------------------------------------------------------------------------
 */

static volatile int frame_ok, esr_seen;
static volatile uint64_t frame_fault, frame_fault_at = 16;

static struct record *find_record(mcontext_t *mc, uint32_t magic)
{
	char *p = (char *)mc->__reserved, *end = p + sizeof(mc->__reserved);

	while (p + sizeof(struct record) <= end) {
		struct record *r = (struct record *)p;

		if (r->magic == magic)
			return r;
		if (!r->magic || r->size < 8)
			return NULL;
		p += r->size;
	}
	return NULL;
}

static void on_frame(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;
	struct record *fp = find_record(&uc->uc_mcontext, FPSIMD_MAGIC);

	frame_ok = fp && fp->size == 528 && ((uintptr_t)uc & 15) == 0 && ((uintptr_t)si & 15) == 0;
	esr_seen = find_record(&uc->uc_mcontext, ESR_MAGIC) != NULL;
	uc->uc_mcontext.regs[0] = 0x1234;
	if (fp) /* v8 starts behind head, fpsr, fpcr */
		memcpy((char *)fp + 16 + 8 * 16, "changed by hand", 16);
	__asm__ volatile("movi v8.16b, #0x55\n\tmovi v9.16b, #0x66" ::: "v8", "v9");
}

static void test_frame(void)
{
	char v8[16], v9[16], was[16] = "kept in the reg";
	uint64_t x0;

	handle(SIGUSR1, on_frame, 0);
	__asm__ volatile("ldr q9, [%[was]]\n\t"
			 "mov x8, #129\n\t" /* kill(pid, SIGUSR1): the handler changes its result */
			 "mov x0, %[pid]\n\t"
			 "mov x1, #10\n\t"
			 "svc #0\n\t"
			 "mov %[x0], x0\n\t"
			 "str q8, [%[v8]]\n\t"
			 "str q9, [%[v9]]"
			 : [x0] "=&r"(x0)
			 : [was] "r"(was), [pid] "r"((uint64_t)getpid()), [v8] "r"(v8), [v9] "r"(v9)
			 : "x0", "x1", "x8", "v8", "v9", "memory");
	CHECK(frame_ok);
	CHECK(x0 == 0x1234);
	CHECK(!memcmp(v8, "changed by hand", 16));
	CHECK(!memcmp(v9, was, 16));
	CHECK(getauxval(AT_MINSIGSTKSZ) >= 4720);
}

static void on_esr(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;

	esr_seen = find_record(&uc->uc_mcontext, ESR_MAGIC) != NULL &&
		   uc->uc_mcontext.fault_address == 8;
	uc->uc_mcontext.pc += 4;
}

static void on_look(int sig, siginfo_t *si, void *ctx)
{
	mcontext_t *mc = &((ucontext_t *)ctx)->uc_mcontext;

	esr_seen = find_record(mc, ESR_MAGIC) != NULL;
	frame_fault = mc->fault_address;
}

/* Every frame shows the last fault on memory; an unknown instruction ends that. */
static void test_last_fault(void)
{
	handle(SIGUSR1, on_look, 0);
	FAULT(*(volatile int *)frame_fault_at = 1);
	raise(SIGUSR1);
	CHECK(esr_seen && frame_fault == frame_fault_at);
	FAULT(__asm__ volatile("brk #7"));
	raise(SIGUSR1);
	CHECK(esr_seen && frame_fault == frame_fault_at);
	FAULT(__asm__ volatile("udf #0"));
	raise(SIGUSR1);
	CHECK(!esr_seen && !frame_fault);
}

/* Without SA_RESTORER, as glibc does: the way back is the vDSO's. */
static void test_no_restorer(void)
{
	struct {
		void (*handler)(int, siginfo_t *, void *);
		unsigned long flags;
		void (*restorer)(void);
		unsigned long mask;
	} sa = { on_esr, SA_SIGINFO, NULL, 0 };

	esr_seen = 0;
	CHECK(!syscall(SYS_rt_sigaction, SIGSEGV, &sa, NULL, 8));
	__asm__ volatile("str wzr, [%0]" ::"r"(8UL) : "memory");
	CHECK(esr_seen);
}

/* What a handler may put into its frame that sigreturn must refuse. */
enum damage { KERNEL_MODE, AARCH32, MASKED, BAD_SIZE, BAD_MAGIC, NO_FPSIMD, HUGE, SP_ODD, DAMAGES };
static enum damage damage;

static void on_damage(int sig, siginfo_t *si, void *ctx)
{
	mcontext_t *mc = &((ucontext_t *)ctx)->uc_mcontext;
	struct record *fp = find_record(mc, FPSIMD_MAGIC);

	switch (damage) {
	case KERNEL_MODE: mc->pstate |= 5; break;
	case AARCH32: mc->pstate |= 0x10; break;
	case MASKED: mc->pstate |= 0x80; break;
	case BAD_SIZE: fp->size = 12; break;
	case BAD_MAGIC: fp->magic = 0x12345678; break;
	case NO_FPSIMD: fp->magic = fp->size = 0; break;
	case HUGE: fp->size = 0xfffffff0; break;
	default: __asm__ volatile("add sp, sp, #-8\n\tmov x8, #139\n\tsvc #0"); break;
	}
}

static void test_sigreturn(void)
{
	for (damage = 0; damage < DAMAGES; damage++) {
		int status = 0;
		pid_t pid = fork();

		if (!pid) {
			signal(SIGSEGV, SIG_DFL);
			handle(SIGUSR1, on_damage, 0);
			raise(SIGUSR1);
			_exit(0);
		}
		CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
		      WTERMSIG(status) == SIGSEGV);
	}
}

static char altstack[16384] __attribute__((aligned(16)));
static volatile int on_alt;

static void on_overflow(int sig, siginfo_t *si, void *ctx)
{
	char here;

	on_alt = &here > altstack && &here < altstack + sizeof(altstack);
	siglongjmp(jump, 1);
}

static int recurse(int n)
{
	volatile char big[4096];

	big[n & 4095] = (char)n;
	return n > 0 ? recurse(n + 1) + big[5] : 0;
}

static void test_altstack(void)
{
	stack_t st = { .ss_sp = altstack, .ss_size = sizeof(altstack) };
	stack_t old;

	CHECK(!sigaltstack(&st, NULL));
	handle(SIGSEGV, on_overflow, SA_ONSTACK);
	if (!sigsetjmp(jump, 1))
		recurse(1);
	CHECK(on_alt);
	CHECK(!sigaltstack(NULL, &old) && old.ss_flags == 0 && old.ss_sp == altstack);
	st.ss_flags = SS_DISABLE;
	CHECK(!sigaltstack(&st, NULL));
}

static volatile uintptr_t deepest;

static int descend(int n)
{
	volatile char big[4096];

	deepest = (uintptr_t)big;
	big[n & 4095] = (char)n;
	return n > 0 ? descend(n + 1) + big[5] : 0;
}

/* A soft limit that is set now ends the stack's growth there; one that is raised lets it go on. */
static int grows_to(rlim_t size)
{
	struct rlimit limit;
	stack_t st = { .ss_sp = altstack, .ss_size = sizeof(altstack) };
	uintptr_t used;
	char here;

	if (getrlimit(RLIMIT_STACK, &limit))
		return 0;
	limit.rlim_cur = size;
	if (setrlimit(RLIMIT_STACK, &limit) || sigaltstack(&st, NULL))
		return 0;
	handle(SIGSEGV, on_overflow, SA_ONSTACK);
	if (!sigsetjmp(jump, 1))
		descend(1);
	used = (uintptr_t)&here - deepest;
	return used < size && used > size / 2;
}

static void test_stack_limit(void)
{
	int st;
	pid_t p = fork();

	if (!p)
		_exit(!grows_to(1 << 20) || !grows_to(3 << 20));
	CHECK(waitpid(p, &st, 0) == p && st == 0);
}

/*
 * --- FP over switches, threads, fork ------------------------------------------------------------
 */

static int fp_kept(uint64_t seed, int rounds, int yield)
{
	for (int i = 0; i < rounds; i++) {
		uint64_t in = seed + (uint64_t)i, out, out31;

		__asm__ volatile("fmov d0, %0\n\tfmov d31, %0" ::"r"(in) : "v0", "v31");
		if (yield)
			__asm__ volatile("mov x8, #124\n\tsvc #0" ::: "x0", "x8", "memory");
		else
			for (volatile int k = 0; k < 2000; k++)
				;
		__asm__ volatile("fmov %0, d0\n\tfmov %1, d31" : "=r"(out), "=r"(out31));
		if (out != in || out31 != in)
			return 0;
	}
	return 1;
}

static void *fp_thread(void *arg)
{
	uint64_t seed = (uint64_t)arg << 32;

	return (void *)(uintptr_t)(fp_kept(seed, 500, 1) && fp_kept(seed, 200, 0));
}

static void test_fp(void)
{
	pthread_t t[8];
	void *good;
	int all = 1, status = 0;
	uint64_t v;
	pid_t pid;

	for (uintptr_t i = 0; i < 8; i++)
		if (pthread_create(&t[i], NULL, fp_thread, (void *)(i + 1)))
			all = 0;
	for (int i = 0; all && i < 8; i++) {
		pthread_join(t[i], &good);
		all &= good != NULL;
	}
	CHECK(all);
	__asm__ volatile(
		"fmov d10, %1\n\tmov x8, #220\n\tmov x0, #17\n\tmov x1, #0\n\tmov x2, #0\n\tmov x3, #0\n\t"
		"mov x4, #0\n\tsvc #0\n\tfmov %0, d10\n\tmov %w2, w0"
		: "=&r"(v), "+&r"((uint64_t){ 0xabcdef }), "=&r"(pid)
		:
		: "x0", "x1", "x2", "x3", "x4", "x8", "v10", "memory");
	if (pid == 0)
		_exit(v == 0xabcdef ? 7 : 8);
	CHECK(v == 0xabcdef);
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7);
}

/*
 * --- identification, counter, caches ------------------------------------------------------------
 */

#define MRS(reg)                                                 \
	({                                                       \
		uint64_t mrs_v;                                  \
		__asm__ volatile("mrs %0, " #reg : "=r"(mrs_v)); \
		mrs_v;                                           \
	})

static void test_identity(void)
{
	unsigned long cap = getauxval(AT_HWCAP);

	CHECK(cap & (1 << 0) && cap & (1 << 1)); /* FP, ASIMD */
	CHECK(cap & (1 << 11)); /* CPUID: what follows is emulated */
	CHECK(!(cap & (1 << 22))); /* SVE state is not kept */
	CHECK(MRS(midr_el1) != 0);
	CHECK((MRS(mpidr_el1) & (1UL << 31)) != 0);
	CHECK(((MRS(id_aa64isar0_el1) >> 4 & 0xf) >= 1) == !!(cap & (1 << 3))); /* AES */
	CHECK(((MRS(id_aa64isar0_el1) >> 20 & 0xf) >= 2) == !!(cap & (1 << 8))); /* atomics */
	CHECK((MRS(id_aa64pfr0_el1) >> 32 & 0xf) == 0); /* SVE hidden */
	CHECK((MRS(id_aa64pfr1_el1) & 0xf) == 0); /* BTI hidden */
	(void)MRS(s3_0_c0_c5_7);
	CHECK(MRS(s3_0_c0_c7_7) == 0);
	CHECK(MRS(cntfrq_el0) > 1000000);
	CHECK(MRS(ctr_el0) != 0 && MRS(dczid_el0) < 32);
	__asm__ volatile("wfe\n\tyield");
	CHECK(MRS(tpidrro_el0) == 0);
}

static void test_code(void)
{
	uint32_t *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int (*fn)(void) = (int (*)(void))code;
	int good = 1;

	REQUIRE(code != MAP_FAILED);
	for (uint32_t i = 0; i < 100; i++) {
		code[0] = 0x52800000 | i << 5; /* mov w0, #i */
		code[1] = 0xd65f03c0; /* ret */
		__builtin___clear_cache((char *)code, (char *)(code + 2));
		good &= fn() == (int)i;
	}
	CHECK(good);
	memset(code, 0xff, 4096);
	if (!(MRS(dczid_el0) & 16)) {
		__asm__ volatile("dc zva, %0" ::"r"(code) : "memory");
		CHECK(code[0] == 0);
	}
	munmap(code, 4096);
}

/* Address of a versioned symbol of the vDSO, by its dynamic symbol table. */
static void *vdso_symbol(const char *name)
{
	char *base = (char *)getauxval(AT_SYSINFO_EHDR);
	Elf64_Ehdr *eh = (void *)base;
	Elf64_Phdr *ph = (void *)(base + (base ? eh->e_phoff : 0));
	Elf64_Sym *sym = NULL;
	char *str = NULL;
	uint32_t *hash = NULL;

	if (!base || memcmp(base, ELFMAG, SELFMAG))
		return NULL;
	for (int i = 0; i < eh->e_phnum; i++) {
		if (ph[i].p_type != PT_DYNAMIC)
			continue;
		for (Elf64_Dyn *d = (void *)(base + ph[i].p_offset); d->d_tag; d++) {
			if (d->d_tag == DT_SYMTAB)
				sym = (void *)(base + d->d_un.d_ptr);
			if (d->d_tag == DT_STRTAB)
				str = base + d->d_un.d_ptr;
			if (d->d_tag == DT_HASH)
				hash = (void *)(base + d->d_un.d_ptr);
		}
	}
	for (uint32_t i = 0; sym && str && hash && i < hash[1]; i++)
		if (sym[i].st_shndx && !strcmp(str + sym[i].st_name, name))
			return base + sym[i].st_value;
	return NULL;
}

static void test_vdso(void)
{
	int (*gettime)(int, struct timespec *) = vdso_symbol("__kernel_clock_gettime");
	int (*getres)(int, struct timespec *) = vdso_symbol("__kernel_clock_getres");
	struct timespec a, b, c;
	int ordered = 1;

	CHECK(vdso_symbol("__kernel_rt_sigreturn") && vdso_symbol("__kernel_gettimeofday"));
	REQUIRE(gettime && getres);
	for (int i = 0; i < 1000; i++) {
		ordered &= !syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &a) &&
			   !gettime(CLOCK_MONOTONIC, &b) &&
			   !syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &c);
		ordered &=
			a.tv_sec * 1000000000LL + a.tv_nsec <=
				b.tv_sec * 1000000000LL + b.tv_nsec &&
			b.tv_sec * 1000000000LL + b.tv_nsec <= c.tv_sec * 1000000000LL + c.tv_nsec;
	}
	CHECK(ordered);
	CHECK(!gettime(CLOCK_REALTIME, &a) && !gettime(CLOCK_THREAD_CPUTIME_ID, &b));
	CHECK(gettime(77, &a) == -EINVAL);
	CHECK(!getres(CLOCK_MONOTONIC, &a) && a.tv_sec == 0 && a.tv_nsec == 1);
}

int main(void)
{
	test_faults();
	test_frame();
	test_last_fault();
	test_no_restorer();
	test_sigreturn();
	test_stack_limit(); /* before the stack has grown */
	test_altstack();
	test_fp();
	test_identity();
	test_code();
	test_vdso();
	return tap_done();
}
