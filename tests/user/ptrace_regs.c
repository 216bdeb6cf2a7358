/* ptrace: registers, memory, breakpoints of both kinds, watchpoints and single steps. */
#ifndef NT_ARM_TAGGED_ADDR_CTRL
#define NT_ARM_TAGGED_ADDR_CTRL 0x409
#endif
#include "tracing.h"
#include <fcntl.h>

/* --- code to be looked at --- */

__asm__(".text\n"
	".balign 4\n"
	".globl step_code, step_call, step_end, watched_store, watched_load\n"
	"step_code:\n"
	"	mov	x9, #1\n"
	"	add	x9, x9, #2\n"
	"	b	1f\n"
	"	nop\n"
	"1:	mov	x8, #173\n"
	"step_call:\n"
	"	svc	#0\n"
	"	add	x9, x9, #4\n"
	"step_end:\n"
	"	brk	#0x123\n"
	"	ret\n"
	".globl touch_code\n"
	"touch_code:\n"
	"	nop\n"
	"watched_load:\n"
	"	ldr	w1, [x0, #4]\n"
	"	add	w1, w1, #1\n"
	"watched_store:\n"
	"	str	w1, [x0, #4]\n"
	"	nop\n"
	"	ret\n");
extern char step_code[], step_call[], step_end[], touch_code[], watched_load[], watched_store[];

static volatile long shared_word = 0x1122334455667788;
static volatile uint32_t words[4] __attribute__((aligned(16)));
static const char constant[16] = "read-only";
static volatile int handler_ran;

static void runs_steps(void)
{
	((void (*)(void))step_code)();
	_exit(0);
}

static unsigned long pc_of(pid_t pid)
{
	struct user_pt_regs r;

	return get_regs(pid, &r) ? 0 : r.pc;
}

static int send_to(pid_t pid, const void *pc)
{
	struct user_pt_regs r;

	if (get_regs(pid, &r))
		return -1;
	r.pc = (unsigned long)pc;
	return set_regs(pid, &r);
}

/* --- general registers --- */

static void holds_registers(void)
{
	register long x19 __asm__("x19") = 1900, x20 __asm__("x20") = 2000;

	__asm__ volatile("brk #1\n\tadd %0, %0, %1" : "+r"(x19) : "r"(x20));
	_exit(x19 == 4711 + 2000);
}

static void test_general(void)
{
	pid_t pid = traced_child(holds_registers);
	struct user_pt_regs r, back;
	char buf[400];
	struct iovec v = { buf, sizeof(buf) };

	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == STOP(SIGTRAP));
	CHECK(get_regs(pid, &r) == 0 && r.regs[19] == 1900 && r.regs[20] == 2000);
	/* More room than there is: the length is told. */
	CHECK(trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, (long)&v) == 0 && v.iov_len == 272);
	CHECK(!memcmp(buf, &r, 272));
	v.iov_len = 16;
	memset(buf, 0x55, sizeof(buf));
	CHECK(trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, (long)&v) == 0 && v.iov_len == 16 &&
	      !memcmp(buf, &r, 16) && buf[16] == 0x55);
	v.iov_len = 12;
	CHECK_ERR(trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, (long)&v), EINVAL);
	CHECK_ERR(trace(PTRACE_GETREGSET, pid, 0x7777, (long)&v), EINVAL);
	CHECK_ERR(trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, 0), EFAULT);
	v = (struct iovec){ (void *)8, 272 };
	CHECK_ERR(trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, (long)&v), EFAULT);
	CHECK_ERR(trace(PTRACE_SETREGSET, pid, NT_PRSTATUS, (long)&v), EFAULT);
	/* The mode is not for the tracer to choose. */
	back = r;
	back.pstate |= 0x5;
	CHECK_ERR(set_regs(pid, &back), EINVAL);
	back.pstate = r.pstate | 0x80;
	CHECK_ERR(set_regs(pid, &back), EINVAL);
	back.pstate = r.pstate | 0x10;
	CHECK_ERR(set_regs(pid, &back), EINVAL);
	r.regs[19] = 4711;
	r.pc += 4;
	CHECK(set_regs(pid, &r) == 0 && get_regs(pid, &back) == 0 && back.regs[19] == 4711);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == 1 << 8);
}

/* --- FP and TLS registers --- */

static void holds_fp(void)
{
	double d = 2.5, e;

	__asm__ volatile("fmov d8, %d1\n\tbrk #1\n\tfmov %d0, d8" : "=w"(e) : "w"(d) : "v8");
	_exit(e == 17.25);
}

static void holds_tls(void)
{
	unsigned long old, seen;

	__asm__ volatile("mrs %0, tpidr_el0\n\tbrk #1\n\tmrs %1, tpidr_el0\n\tmsr tpidr_el0, %0"
			 : "=&r"(old), "=&r"(seen));
	_exit(seen == 0x123456789);
}

static void test_fp_tls(void)
{
	pid_t pid = traced_child(holds_fp);
	struct user_fpsimd_state fp;
	struct iovec v = { &fp, sizeof(fp) };
	unsigned long tls = 0, keys[2];
	double d;

	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == STOP(SIGTRAP));
	CHECK(trace(PTRACE_GETREGSET, pid, NT_FPREGSET, (long)&v) == 0 && v.iov_len == 528);
	memcpy(&d, &fp.vregs[8], sizeof(d));
	CHECK(d == 2.5);
	d = 17.25;
	memcpy(&fp.vregs[8], &d, sizeof(d));
	CHECK(trace(PTRACE_SETREGSET, pid, NT_FPREGSET, (long)&v) == 0);
	CHECK(send_to(pid, (char *)pc_of(pid) + 4) == 0);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == 1 << 8);

	pid = traced_child(holds_tls);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == STOP(SIGTRAP));
	v = (struct iovec){ &tls, sizeof(tls) };
	CHECK(trace(PTRACE_GETREGSET, pid, NT_ARM_TLS, (long)&v) == 0 && v.iov_len == 8);
	CHECK(tls == (unsigned long)__builtin_thread_pointer());
	tls = 0x123456789;
	CHECK(trace(PTRACE_SETREGSET, pid, NT_ARM_TLS, (long)&v) == 0);
	CHECK(send_to(pid, (char *)pc_of(pid) + 4) == 0);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == 1 << 8);
	pid = traced_child(holds_tls);
	v = (struct iovec){ keys, sizeof(keys) };
	CHECK(trace(PTRACE_GETREGSET, pid, NT_ARM_PAC_MASK, (long)&v) == 0 || errno == EINVAL);
	/* With the register of streaming vectors, which reads as zero where there are none. */
	keys[1] = 1;
	CHECK(trace(PTRACE_GETREGSET, pid, NT_ARM_TLS, (long)&v) == 0 && v.iov_len == 16 &&
	      !keys[1]);
	v = (struct iovec){ keys, sizeof(keys) };
	keys[0] = 1;
	CHECK(trace(PTRACE_GETREGSET, pid, NT_ARM_TAGGED_ADDR_CTRL, (long)&v) == 0);
	CHECK(v.iov_len == 8 && keys[0] == 0);
	CHECK(trace(PTRACE_SETREGSET, pid, NT_ARM_TAGGED_ADDR_CTRL, (long)&v) == 0);
	keys[0] = PR_TAGGED_ADDR_ENABLE;
	CHECK(trace(PTRACE_SETREGSET, pid, NT_ARM_TAGGED_ADDR_CTRL, (long)&v) == 0);
	keys[0] = 0;
	CHECK(trace(PTRACE_GETREGSET, pid, NT_ARM_TAGGED_ADDR_CTRL, (long)&v) == 0);
	CHECK(keys[0] == PR_TAGGED_ADDR_ENABLE);
	keys[0] = 0x10; /* no such bit */
	CHECK_ERR(trace(PTRACE_SETREGSET, pid, NT_ARM_TAGGED_ADDR_CTRL, (long)&v), EINVAL);
	finish(pid);
}

static void ends(void)
{
	_exit(3);
}

static void test_attach_zombie(void)
{
	pid_t pid = plain_child(ends);

	until_state(pid, 'Z');
	CHECK_ERR(trace(PTRACE_SEIZE, pid, 1, 0), EIO);
	CHECK_ERR(trace(PTRACE_SEIZE, pid, 0, 0x4000), EIO);
	CHECK_ERR(trace(PTRACE_SEIZE, pid, 0, 0), EPERM);
	CHECK_ERR(trace(PTRACE_ATTACH, pid, 1, 0), EPERM);
	CHECK(news(pid) == 3 << 8);
	CHECK_ERR(trace(PTRACE_SEIZE, pid, 1, 0), ESRCH);
}

/* --- memory --- */

static long peek(pid_t pid, const volatile void *at)
{
	long w = -1;

	return trace(PTRACE_PEEKDATA, pid, (long)at, (long)&w) ? -1 : w;
}

static void test_memory(void)
{
	pid_t pid = traced_child(runs_steps);
	char path[64], buf[16];
	long insn;
	int fd;

	CHECK(peek(pid, &shared_word) == 0x1122334455667788);
	CHECK(trace(PTRACE_POKEDATA, pid, (long)&shared_word, 42) == 0);
	CHECK(peek(pid, &shared_word) == 42 && shared_word == 0x1122334455667788);
	/* Not aligned, across pages; not there. */
	CHECK(peek(pid, (char *)&shared_word + 1) != -1);
	CHECK_ERR(trace(PTRACE_PEEKDATA, pid, 8, (long)buf), EIO);
	CHECK_ERR(trace(PTRACE_PEEKDATA, pid, -8, (long)buf), EIO);
	CHECK_ERR(trace(PTRACE_PEEKDATA, pid, 1l << 60, (long)buf), EIO);
	CHECK_ERR(trace(PTRACE_POKEDATA, pid, 8, 1), EIO);
	CHECK_ERR(trace(PTRACE_PEEKDATA, pid, (long)&shared_word, 8), EFAULT);
	/* Program text and constants, which the program itself cannot write. */
	insn = peek(pid, step_code);
	CHECK(trace(PTRACE_POKETEXT, pid, (long)constant, 0x6b6f) == 0);
	CHECK(peek(pid, constant) == 0x6b6f && constant[0] == 'r');
	CHECK(trace(PTRACE_POKETEXT, pid, (long)step_code, insn) == 0);
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR);
	CHECK(fd >= 0);
	CHECK(pread(fd, buf, 16, (long)constant) == 16 && buf[0] == 'o' && buf[8] == 'y');
	CHECK(pwrite(fd, "WRITTEN", 8, (long)constant) == 8);
	CHECK(pread(fd, buf, 8, (long)constant) == 8 && !strcmp(buf, "WRITTEN"));
	CHECK_ERR(pread(fd, buf, 8, 8), EIO);
	CHECK_ERR(pwrite(fd, buf, 8, 8), EIO);
	close(fd);
	finish(pid);
}

static void test_remote_copy(void)
{
	pid_t pid = traced_child(runs_steps);
	char local[16];
	struct iovec l = { local, 16 }, r = { (void *)constant, 16 };

	CHECK(process_vm_readv(pid, &l, 1, &r, 1, 0) == 16 && !strcmp(local, "read-only"));
	/* Without the tracer's privilege of writing what is read-only. */
	CHECK_ERR(process_vm_writev(pid, &l, 1, &r, 1, 0), EFAULT);
	r.iov_base = (void *)words;
	CHECK(process_vm_writev(pid, &l, 1, &r, 1, 0) == 16);
	CHECK(peek(pid, words) == peek(pid, constant) && words[0] == 0);
	finish(pid);
}

/* --- software breakpoints and steps --- */

static void test_breakpoint(void)
{
	pid_t pid = traced_child(runs_steps);
	long old = peek(pid, step_call);
	siginfo_t si;

	CHECK(trace(PTRACE_POKETEXT, pid, (long)step_call, (old & ~0xffffffffl) | 0xd4200000) == 0);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == STOP(SIGTRAP));
	si = get_info(pid);
	CHECK(si.si_code == TRAP_BRKPT && si.si_addr == step_call);
	CHECK(pc_of(pid) == (unsigned long)step_call);
	CHECK(trace(PTRACE_POKETEXT, pid, (long)step_call, old) == 0);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == STOP(SIGTRAP));
	CHECK(pc_of(pid) == (unsigned long)step_end);
	finish(pid);
}

static void test_step(void)
{
	static const int offsets[] = { 4, 8, 16, 20 };
	pid_t pid = traced_child(runs_steps);
	struct user_pt_regs r;
	siginfo_t si;

	CHECK(send_to(pid, step_code) == 0);
	for (int i = 0; i < 4; i++) {
		CHECK(trace(PTRACE_SINGLESTEP, pid, 0, 0) == 0 && news(pid) == STOP(SIGTRAP));
		CHECK(pc_of(pid) == (unsigned long)step_code + offsets[i]);
		si = get_info(pid);
		CHECK(si.si_code == TRAP_TRACE && si.si_addr == step_code + offsets[i]);
	}
	/* Over a system call: it has been made. */
	CHECK(trace(PTRACE_SINGLESTEP, pid, 0, 0) == 0 && news(pid) == STOP(SIGTRAP));
	CHECK(get_regs(pid, &r) == 0 && r.pc == (unsigned long)step_call + 4);
	CHECK(r.regs[0] == (unsigned long)getpid() && r.regs[9] == 3);
	/* The instruction after it, sooner or later (two traps, one of them pretended). */
	while (pc_of(pid) == (unsigned long)step_call + 4) {
		if (trace(PTRACE_SINGLESTEP, pid, 0, 0) || news(pid) != STOP(SIGTRAP))
			break;
	}
	CHECK(get_regs(pid, &r) == 0 && r.pc == (unsigned long)step_end && r.regs[9] == 7);
	/* A step onto a breakpoint does not count as hitting it. */
	CHECK(get_info(pid).si_code == TRAP_TRACE);
	CHECK(trace(PTRACE_SINGLESTEP, pid, 0, 0) == 0 && news(pid) == STOP(SIGTRAP));
	CHECK(get_info(pid).si_code == TRAP_BRKPT && pc_of(pid) == (unsigned long)step_end);
	/* Stepping ends with PTRACE_CONT. */
	CHECK(send_to(pid, step_end + 4) == 0);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == STOP(SIGTRAP));
	CHECK(get_info(pid).si_code == TRAP_BRKPT && pc_of(pid) == (unsigned long)step_end);
	CHECK(send_to(pid, step_end + 4) == 0);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == 0);
}

static void handler(int sig)
{
	handler_ran++;
}

static void has_handler(void)
{
	signal(SIGUSR1, handler);
	kill(getpid(), SIGUSR1);
	_exit(handler_ran);
}

static void test_step_handler(void)
{
	pid_t pid = traced_child(has_handler);
	struct user_pt_regs r;
	siginfo_t si;
	int steps = 0;

	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == STOP(SIGUSR1));
	CHECK(trace(PTRACE_SINGLESTEP, pid, 0, SIGUSR1) == 0 && news(pid) == STOP(SIGTRAP));
	CHECK(get_regs(pid, &r) == 0 && r.pc == (unsigned long)handler && r.regs[0] == SIGUSR1);
	si = get_info(pid);
	CHECK(si.si_code == SIGTRAP && si.si_pid == pid);
	/* No signal can be given to it here. */
	CHECK(trace(PTRACE_SINGLESTEP, pid, 0, SIGUSR2) == 0 && news(pid) == STOP(SIGTRAP));
	CHECK(pc_of(pid) == (unsigned long)handler + 4);
	/* Through sigreturn and to the end, step by step. */
	for (;;) {
		int st;

		trace(PTRACE_SINGLESTEP, pid, 0, 0);
		st = news(pid);
		steps++;
		if (st != STOP(SIGTRAP)) {
			CHECK(st == 1 << 8);
			break;
		}
	}
	CHECK(steps > 20);
}

static void steps_to_exec(void)
{
	execl("/proc/self/exe", "self", "exit", "3", NULL);
	_exit(1);
}

static void test_step_exec(void)
{
	pid_t pid = traced_child(steps_to_exec);
	int st = 0, steps = 0;

	trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXEC);
	while (st != EVENT(PTRACE_EVENT_EXEC) && WIFSTOPPED(STOP(1))) {
		trace(PTRACE_SINGLESTEP, pid, 0, 0);
		st = news(pid);
		if (!WIFSTOPPED(st))
			break;
	}
	CHECK(st == EVENT(PTRACE_EVENT_EXEC));
	for (; steps < 200; steps++) {
		if (trace(PTRACE_SINGLESTEP, pid, 0, 0) || news(pid) != STOP(SIGTRAP))
			break;
	}
	CHECK(steps == 200);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == 3 << 8);
}

/* --- debug registers --- */

static struct user_hwdebug_state debug_state;

static int debug_get(pid_t pid, int note)
{
	struct iovec v = { &debug_state, sizeof(debug_state) };

	return (int)trace(PTRACE_GETREGSET, pid, note, (long)&v);
}

/* Set slot @i, with @n slots in all. */
static int debug_set(pid_t pid, int note, int n, int i, const volatile void *addr, unsigned ctrl)
{
	struct iovec v = { &debug_state, 8 + 16 * (size_t)n };

	memset(&debug_state, 0, sizeof(debug_state));
	debug_state.dbg_regs[i].addr = (unsigned long)addr;
	debug_state.dbg_regs[i].ctrl = ctrl;
	return (int)trace(PTRACE_SETREGSET, pid, note, (long)&v);
}

/* len, type as the control word has them */
#define CTRL(bytes, type) ((unsigned)(bytes) << 5 | (type) << 3 | 2 << 1 | 1)
#define BREAKPOINT CTRL(0xf, 0)

static void test_hw_break(void)
{
	pid_t pid = traced_child(runs_steps);
	siginfo_t si;
	int n;

	CHECK(debug_get(pid, NT_ARM_HW_BREAK) == 0);
	n = (int)(debug_state.dbg_info & 0xff);
	CHECK(n >= 2 && n <= 16 && (debug_state.dbg_info >> 8 & 0xff) >= 6);
	CHECK(debug_set(pid, NT_ARM_HW_BREAK, n, n - 1, step_call, BREAKPOINT) == 0);
	CHECK(debug_get(pid, NT_ARM_HW_BREAK) == 0 &&
	      debug_state.dbg_regs[n - 1].addr == (unsigned long)step_call &&
	      (debug_state.dbg_regs[n - 1].ctrl & 1));
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == STOP(SIGTRAP));
	si = get_info(pid);
	CHECK(si.si_code == TRAP_HWBKPT && si.si_addr == step_call);
	CHECK(pc_of(pid) == (unsigned long)step_call);
	/* Going on needs it out of the way. */
	CHECK(debug_set(pid, NT_ARM_HW_BREAK, n, 0, 0, 0) == 0);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == STOP(SIGTRAP));
	CHECK(get_info(pid).si_code == TRAP_BRKPT);
	/* What cannot be. */
	CHECK_ERR(debug_set(pid, NT_ARM_HW_BREAK, n, 0, step_call, CTRL(0x5, 0)), EINVAL);
	CHECK_ERR(debug_set(pid, NT_ARM_HW_BREAK, n, 0, step_call, CTRL(0, 0)), EINVAL);
	CHECK_ERR(debug_set(pid, NT_ARM_HW_BREAK, n, 0, step_call, CTRL(0xf, 1)), EINVAL);
	CHECK_ERR(debug_set(pid, NT_ARM_HW_WATCH, 2, 0, words, CTRL(0xf, 0)), EINVAL);
	CHECK_ERR(debug_set(pid, NT_ARM_HW_WATCH, 2, 0, (char *)words + 3, CTRL(0xff, 2)), EINVAL);
	CHECK(debug_set(pid, NT_ARM_HW_BREAK, 16, 15, step_call, BREAKPOINT) == -1);
	finish(pid);
}

static void touches(void)
{
	words[1] = 5;
	__asm__ volatile("mov x0, %0\n\tbl touch_code"
			 :
			 : "r"(words)
			 : "x0", "x1", "x30", "memory");
	_exit((int)words[1]);
}

static void test_watch(void)
{
	pid_t pid = traced_child(touches);
	siginfo_t si;

	/* A store to any of four bytes: first the program's own, then the one at the label. */
	CHECK(debug_set(pid, NT_ARM_HW_WATCH, 2, 0, &words[1], CTRL(0xf, 2)) == 0);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == STOP(SIGTRAP));
	si = get_info(pid);
	CHECK(si.si_code == TRAP_HWBKPT && si.si_addr == (void *)&words[1]);
	CHECK((uint32_t)peek(pid, &words[1]) == 0); /* before it takes effect */
	CHECK(debug_set(pid, NT_ARM_HW_WATCH, 2, 0, 0, 0) == 0);
	CHECK(trace(PTRACE_SINGLESTEP, pid, 0, 0) == 0 && news(pid) == STOP(SIGTRAP));
	CHECK((uint32_t)peek(pid, &words[1]) == 5);
	CHECK(debug_set(pid, NT_ARM_HW_WATCH, 2, 1, &words[1], CTRL(0xf, 2)) == 0);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == STOP(SIGTRAP));
	CHECK(pc_of(pid) == (unsigned long)watched_store);
	/* A load, of one byte in the middle. */
	CHECK(send_to(pid, touch_code) == 0);
	CHECK(debug_set(pid, NT_ARM_HW_WATCH, 2, 0, words, CTRL(0x40, 1)) == 0);
	CHECK(debug_get(pid, NT_ARM_HW_WATCH) == 0 &&
	      debug_state.dbg_regs[0].addr == (unsigned long)words &&
	      (debug_state.dbg_regs[0].ctrl >> 5 & 0xff) == 0x40);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == STOP(SIGTRAP));
	CHECK(pc_of(pid) == (unsigned long)watched_load);
	/* Stepping with it in place gets nowhere. */
	CHECK(trace(PTRACE_SINGLESTEP, pid, 0, 0) == 0 && news(pid) == STOP(SIGTRAP));
	CHECK(pc_of(pid) == (unsigned long)watched_load);
	CHECK(debug_set(pid, NT_ARM_HW_WATCH, 2, 0, 0, 0) == 0);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == 6 << 8);
}

static void forks_and_touches(void)
{
	pid_t pid = fork();
	int st;

	if (pid == 0) {
		touches();
	}
	waitpid(pid, &st, 0);
	_exit(WIFEXITED(st) ? WEXITSTATUS(st) : 99);
}

/* Breakpoints are a thread's own: children have none, nor has a new program. */
static void test_debug_inherit(void)
{
	pid_t pid = traced_child(forks_and_touches);

	CHECK(debug_set(pid, NT_ARM_HW_WATCH, 2, 0, &words[1], CTRL(0xf, 3)) == 0);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == STOP(SIGCHLD));
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == 6 << 8);
	pid = traced_child(steps_to_exec);
	trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXEC);
	CHECK(debug_set(pid, NT_ARM_HW_WATCH, 2, 0, &words[1], CTRL(0xf, 3)) == 0);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == EVENT(PTRACE_EVENT_EXEC));
	CHECK(debug_get(pid, NT_ARM_HW_WATCH) == 0 && !(debug_state.dbg_regs[0].ctrl & 1));
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == 3 << 8);
}

/* Two that compute and are switched between all the time; only one of them is stepped. */
static void test_step_switching(void)
{
	pid_t other = fork(), pid;

	if (other == 0) {
		for (;;)
			sched_yield();
	}
	pid = traced_child(has_handler);
	for (int i = 0; i < 300; i++) {
		if (trace(PTRACE_SINGLESTEP, pid, 0, 0) || !WIFSTOPPED(news(pid)))
			break;
	}
	CHECK(state_of(other) == 'R');
	finish(pid);
	finish(other);
}

/* --- rseq --- */

static char rseq_area[32] __attribute__((aligned(32)));

static void registers_rseq(void)
{
	syscall(SYS_rseq, rseq_area, sizeof(rseq_area), 0, 0x4711);
	kill(getpid(), SIGUSR1);
}

static void test_rseq(void)
{
	struct {
		uint64_t at;
		uint32_t size, sig, flags, pad;
	} conf;
	pid_t pid = traced_child(registers_rseq);

	CHECK(trace(0x420f, pid, sizeof(conf), (long)&conf) == 24 && !conf.at && !conf.sig);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == STOP(SIGUSR1));
	CHECK(trace(0x420f, pid, sizeof(conf), (long)&conf) == 24);
	CHECK(conf.at == (uint64_t)rseq_area && conf.size == 32 && conf.sig == 0x4711);
	CHECK_ERR(trace(0x420f, pid, sizeof(conf), 8), EFAULT);
	finish(pid);
}

/* --- /proc --- */

static void sleeps(void)
{
	char c;
	int p[2];

	if (pipe(p) == 0)
		_exit((int)syscall(SYS_read, p[0], &c, 1, 0, 0, 0));
}

static void test_proc(void)
{
	pid_t pid = plain_child(sleeps);
	char path[64], text[256] = "";
	long nr = -2, args[6];
	FILE *f;

	until_state(pid, 'S');
	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	f = fopen(path, "r");
	CHECK(f && fgets(text, sizeof(text), f));
	if (f)
		fclose(f);
	CHECK(sscanf(text, "%ld %lx %lx %lx", &nr, &args[0], &args[1], &args[2]) == 4);
	CHECK(nr == SYS_read && args[2] == 1);
	CHECK(trace(PTRACE_SEIZE, pid, 0, 0) == 0 && trace(PTRACE_INTERRUPT, pid, 0, 0) == 0);
	CHECK(news(pid) == GROUP_STOP(SIGTRAP));
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	nr = 0;
	while (f && fgets(text, sizeof(text), f))
		nr |= !strcmp(text, "State:\tt (tracing stop)\n");
	if (f)
		fclose(f);
	CHECK(nr == 1);
	finish(pid);
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "exit"))
		return atoi(argv[2]);
	alarm(TAP_LIMIT);
	test_general();
	test_fp_tls();
	test_memory();
	test_remote_copy();
	test_breakpoint();
	test_step();
	test_step_handler();
	test_step_exec();
	test_hw_break();
	test_watch();
	test_debug_inherit();
	test_step_switching();
	test_rseq();
	test_proc();
	test_attach_zombie();
	return tap_done();
}
