/*
 * From the SVC instruction to a sys_ function and back.
 *
 * syscalls.def expands to two tables by number: the functions, and what the tracer needs (name, argument
 * formats). A call is an index check, one load and an indirect call with the six argument registers; functions
 * with fewer parameters ignore the rest, which the procedure call standard makes free. The path takes no lock and
 * writes only to the thread's own data.
 *
 * Flags cost ordinary rows nothing: a row with SCF_NORESULT gets a wrapper of its own that returns the x0 the
 * function left in the frame, so that storing the result changes nothing.
 *
 * A hole in the table answers ENOSYS. The first few times that a program asks for a number that is not there, the log
 * says so, because that is the first thing one wants to know about a program that fails.
 *
 * "trace_syscalls" on the command line logs every call with arguments and result; "trace_syscalls=NAME" only
 * those of programs of that name.
 */
#include <arch/frame.h>
#include "kernel/base/bootargs.h"
#include "kernel/base/errno.h"
#include "kernel/base/log.h"
#include "kernel/lib/sbuf.h"
#include "kernel/lib/string.h"
#include "kernel/base/trap.h"
#include "kernel/proc/proc.h"
#include "kernel/base/uio.h"
#include "kernel/sys/syscall.h"

typedef long (*syscall_fn)(u64, u64, u64, u64, u64, u64);

#define ROW_FN_SCF_NONE(name) sys_##name
#define ROW_FN_SCF_NORETURN(name) sys_##name
#define ROW_FN_SCF_NORESULT(name) noresult_##name

/* Wrappers for the calls whose result is in the frame already. */
#define ROW_WRAP_SCF_NONE(name)
#define ROW_WRAP_SCF_NORETURN(name)
#define ROW_WRAP_SCF_NORESULT(name)                                          \
	static long noresult_##name(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) \
	{                                                                    \
		syscall_fn fn = (syscall_fn)(void (*)(void))sys_##name;      \
                                                                             \
		fn(a, b, c, d, e, f);                                        \
		return (long)arch_user_frame(arch_current())->x[0];          \
	}
#define SYSCALL(nr, name, nargs, format, flags) ROW_WRAP_##flags(name)
#include "kernel/sys/syscalls.def"
#undef SYSCALL

static const syscall_fn syscall_table[SYSCALL_MAX] = {
#define SYSCALL(nr, name, nargs, format, flags) [nr] = (syscall_fn)(void (*)(void))ROW_FN_##flags(name),
#include "kernel/sys/syscalls.def"
#undef SYSCALL
};

static const struct syscall_row {
	const char *name;
	const char *format;
} syscall_rows[SYSCALL_MAX] = {
#define SYSCALL(nr, name, nargs, format, flags) [nr] = { #name, format },
#include "kernel/sys/syscalls.def"
#undef SYSCALL
};

static bool trace_on; /* I after boot */
static char trace_name[16]; /* I after boot: "" = every program */

/*
 * Name of system call @nr, NULL for a hole.
 * ctx: any.
 */
const char *syscall_name(u32 nr)
{
	return nr < SYSCALL_MAX ? syscall_rows[nr].name : NULL;
}

static void trace_enable(const char *value)
{
	trace_on = true;
	if (value)
		strlcpy(trace_name, value, sizeof(trace_name));
}
BOOTARG("trace_syscalls", trace_enable);

/* A user string for the trace; what is not printable becomes a dot. */
static void trace_string(struct sbuf *sb, u64 addr)
{
	char text[64];
	ssize_t n = strncpy_from_user(text, addr, sizeof(text));

	if (n == -EFAULT) {
		sbuf_printf(sb, "0x%llx", (unsigned long long)addr);
		return;
	}
	if (n < 0)
		n = sizeof(text) - 1;
	sbuf_putc(sb, '"');
	for (ssize_t i = 0; i < n; i++)
		sbuf_putc(sb, char_is_print(text[i]) ? text[i] : '.');
	sbuf_putc(sb, '"');
}

static void trace_arg(struct sbuf *sb, char kind, u64 v)
{
	switch (kind) {
	case 's':
		trace_string(sb, v);
		break;
	case 'd':
	case 'f':
	case 'S':
		sbuf_printf(sb, "%d", (int)v);
		break;
	case 'u':
	case 'z':
		sbuf_printf(sb, "%llu", (unsigned long long)v);
		break;
	case 'm':
		sbuf_printf(sb, "0%o", (u32)v);
		break;
	default:
		sbuf_printf(sb, "0x%llx", (unsigned long long)v);
	}
}

static long syscall_traced(struct trapframe *tf, u64 nr)
{
	const struct syscall_row *row = &syscall_rows[nr];
	char text[256], comm[16];
	struct sbuf sb;
	long r;

	thread_get_name(current, comm);
	if (trace_name[0] && strcmp(comm, trace_name) != 0)
		return syscall_table[nr](tf->x[0], tf->x[1], tf->x[2], tf->x[3], tf->x[4], tf->x[5]);
	sbuf_init(&sb, text, sizeof(text));
	sbuf_printf(&sb, "%s[%u] %s(", comm, current_task()->tid->nr, row->name);
	for (u32 i = 0; row->format[i]; i++) {
		if (i)
			sbuf_puts(&sb, ", ");
		trace_arg(&sb, row->format[i], tf->x[i]);
	}
	log_info("%s) ...", sbuf_cstr(&sb));
	r = syscall_table[nr](tf->x[0], tf->x[1], tf->x[2], tf->x[3], tf->x[4], tf->x[5]);
	log_info("%s[%u] %s = %ld", comm, current_task()->tid->nr, row->name, r);
	return r;
}

/* One line per program and number, as far as a small table of what was said before remembers. */
static __cold void syscall_log_absent(u64 nr)
{
	static u32 said[64];
	char comm[16];
	u32 hash = (u32)nr * 2654435761u;

	thread_get_name(current, comm);
	for (u32 i = 0; i < sizeof(comm) && comm[i]; i++)
		hash = (hash ^ (u8)comm[i]) * 16777619u;
	hash |= 1;
	if (__atomic_exchange_n(&said[(hash >> 8) % ARRAY_SIZE(said)], hash, __ATOMIC_RELAXED) == hash)
		return;
	log_limited(LOG_INFO, "%s[%u]: system call %llu is not implemented", comm, current_task()->tid->nr,
		    (unsigned long long)nr);
}

/*
 * Store the result. A wish to restart is for the signal code to fulfil, which must run even when the signal that ended
 * the wait was meanwhile taken by another thread: user space never sees these numbers.
 */
static __always_inline void syscall_finish(struct trapframe *tf, long r)
{
	frame_set_result(tf, r);
	if (unlikely(r <= -ERESTARTSYS && r >= -ERESTART_RESTARTBLOCK))
		word_or(&arch_current()->work, WORK_SIGNAL);
}

static __noinline void syscall_slow(struct trapframe *tf, u64 nr)
{
	if (nr >= SYSCALL_MAX || !syscall_table[nr]) {
		syscall_log_absent(nr);
		frame_set_result(tf, -ENOSYS);
		return;
	}
	syscall_finish(tf, syscall_traced(tf, nr));
}

/*
 * SVC from EL0: run the call in x8 and leave its result in x0. The entry code has kept number and x0 for restarts.
 * ctx: thread, IRQs on; sleeps: as the call does.
 */
void trap_syscall(struct trapframe *tf)
{
	u64 nr = (u32)tf->x[8];
	syscall_fn fn;

	current_task()->syscalls++;
	if (unlikely(nr >= SYSCALL_MAX || trace_on)) {
		syscall_slow(tf, nr);
		return;
	}
	fn = syscall_table[nr];
	if (unlikely(!fn)) {
		syscall_slow(tf, nr);
		return;
	}
	syscall_finish(tf, fn(tf->x[0], tf->x[1], tf->x[2], tf->x[3], tf->x[4], tf->x[5]));
}
