/*
 * From the SVC instruction to a sys_ function and back.
 *
 * syscalls.def expands to tables by number: the functions, and what the tracer needs (name,
 * argument formats). A call is an index check, one load and a jump with the six argument
 * registers; functions with fewer parameters ignore the rest, which the procedure call standard
 * makes free. The path takes no lock and writes nothing but the count of this CPU for the call
 * (stats.h); the entry code stores the result.
 *
 * Flags cost ordinary rows nothing: a row with SCF_NORESULT gets a wrapper of its own that returns
 * the x0 the function left in the frame, so that storing the result changes nothing.
 *
 * A hole in the table answers ENOSYS. The first few times that a program asks for a number that is
 * not there, the log says so, because that is the first thing one wants to know about a program
 * that fails.
 *
 * While any thread is traced (ptrace), the table in use is another one, whose rows ask first
 * whether it is the caller that is traced.
 *
 * "trace_syscalls" on the command line logs every call with arguments and result;
 * "trace_syscalls=NAME" only those of programs of that name. Then a table is used in which every
 * row is the tracer.
 */
#include <arch/frame.h>
#include <asm/signal.h>
#include <asm/unistd.h>
#include "kernel/base/bootargs.h"
#include "kernel/base/errno.h"
#include "kernel/base/log.h"
#include "kernel/lib/sbuf.h"
#include "kernel/lib/string.h"
#include "kernel/base/trap.h"
#include "kernel/proc/proc.h"
#include "kernel/proc/seccomp.h"
#include "kernel/base/uio.h"
#include "kernel/sys/sys.h"
#include "kernel/sys/stats.h"
#include "kernel/sys/syscall.h"

typedef long (*syscall_fn)(u64, u64, u64, u64, u64, u64);

#define ROW_FN_SCF_NONE(name) sys_##name
#define ROW_FN_SCF_NORETURN(name) sys_##name
#define ROW_FN_SCF_NORESULT(name) noresult_##name

/* Wrappers for the calls whose result is in the frame already. */
#define ROW_WRAP_SCF_NONE(name)
#define ROW_WRAP_SCF_NORETURN(name)
#define ROW_WRAP_SCF_NORESULT(name)                                           \
	static long noresult_##name(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) \
	{                                                                     \
		syscall_fn fn = (syscall_fn)(void (*)(void))sys_##name;       \
                                                                              \
		fn(a, b, c, d, e, f);                                         \
		return (long)arch_user_frame(arch_current())->x[0];           \
	}
#define SYSCALL(nr, name, nargs, format, flags) ROW_WRAP_##flags(name)
#include "kernel/sys/syscalls.def"
#undef SYSCALL

static long syscall_absent(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);
static long syscall_unknown(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);

#define ROW(fn) ((syscall_fn)(void (*)(void))(fn))

/* Rows of the .def file replace the one for holes. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static const syscall_fn syscall_table[SYSCALL_MAX] = {
	[0 ... SYSCALL_MAX - 1] = syscall_absent,
#define SYSCALL(nr, name, nargs, format, flags) [nr] = ROW(ROW_FN_##flags(name)),
#include "kernel/sys/syscalls.def"
#undef SYSCALL
};
#pragma GCC diagnostic pop

/* Of each row its name and behind that the format of its arguments, two strings in one. */
static const struct syscall_texts {
#define SYSCALL(nr, name, nargs, format, flags) char row_##nr[sizeof(#name "\0" format)];
#include "kernel/sys/syscalls.def"
#undef SYSCALL
} syscall_texts = {
#define SYSCALL(nr, name, nargs, format, flags) .row_##nr = #name "\0" format,
#include "kernel/sys/syscalls.def"
#undef SYSCALL
};

/* Where they are in it, counted from 1, as 0 is a hole. */
static const u16 syscall_text_at[SYSCALL_MAX] = {
#define SYSCALL(nr, name, nargs, format, flags) [nr] = 1 + offsetof(struct syscall_texts, row_##nr),
#include "kernel/sys/syscalls.def"
#undef SYSCALL
};

static const syscall_fn *syscall_calls = syscall_table; /* a: the table in use */
static const syscall_fn *syscall_base = syscall_table; /* T: while nobody is traced */
static const syscall_fn *asking_base; /* T: what stands behind asking_table */
static char trace_name[16]; /* I after boot: "" = every program */

/*
 * Name of system call @nr, NULL for a hole.
 * ctx: any.
 */
const char *syscall_name(u32 nr)
{
	u32 at = nr < SYSCALL_MAX ? syscall_text_at[nr] : 0;

	return at ? (const char *)&syscall_texts + at - 1 : NULL;
}

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
	case 's': trace_string(sb, v); break;
	case 'd':
	case 'f':
	case 'S': sbuf_printf(sb, "%d", (int)v); break;
	case 'u':
	case 'z': sbuf_printf(sb, "%llu", (unsigned long long)v); break;
	case 'm': sbuf_printf(sb, "0%o", (u32)v); break;
	default: sbuf_printf(sb, "0x%llx", (unsigned long long)v);
	}
}

static bool trace_wanted(void)
{
	char comm[16];

	thread_get_name(current, comm);
	return !trace_name[0] || strcmp(comm, trace_name) == 0;
}

static void trace_begin(const char *name, const char *format, const u64 *arg)
{
	char text[256], comm[16];
	struct sbuf sb;

	thread_get_name(current, comm);
	sbuf_init(&sb, text, sizeof(text));
	sbuf_printf(&sb, "%s[%u] %s(", comm, current_task()->tid->nr, name);
	for (u32 i = 0; format[i]; i++) {
		if (i)
			sbuf_puts(&sb, ", ");
		trace_arg(&sb, format[i], arg[i]);
	}
	log_info("%s) ...", sbuf_cstr(&sb));
}

/* Stands in every row while tracing; the entry code has left the number in the frame. */
static long syscall_traced(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	u64 nr = (u64)arch_user_frame(arch_current())->syscallno;
	const char *name = syscall_name((u32)nr);
	const u64 arg[6] = { a, b, c, d, e, f };
	long r;

	if (!name || !trace_wanted())
		return syscall_table[nr](a, b, c, d, e, f);
	trace_begin(name, name + strlen(name) + 1, arg);
	r = syscall_table[nr](a, b, c, d, e, f);
	log_info("[%u] %s = %ld", current_task()->tid->nr, name, r);
	return r;
}

/* Put @fn in every row of @table, before anybody sees it. */
static void table_fill(syscall_fn *table, syscall_fn fn)
{
	for (u32 i = 0; i < SYSCALL_MAX; i++)
		table[i] = fn;
}

static void trace_enable(const char *value)
{
	static syscall_fn traced_table[SYSCALL_MAX];

	table_fill(traced_table, syscall_traced);
	syscall_base = syscall_calls = traced_table;
	if (value)
		strlcpy(trace_name, value, sizeof(trace_name));
}
BOOTARG("trace_syscalls", trace_enable);

/* One line in the log per program and number. */
static __cold long syscall_absent(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	s64 nr = arch_user_frame(arch_current())->syscallno;
	char comm[16];

	thread_get_name(current, comm);
	if (stats_count_absent(nr, comm))
		log_limited(LOG_DEBUG, "%s[%u]: system call %lld is not implemented", comm,
			    current_task()->tid->nr, (long long)nr);
	return -ENOSYS;
}

/* A system call of a thread that is traced; its exit is reported by trap_user_work. */
static __cold long syscall_reported(struct trapframe *tf)
{
	u64 nr;
	syscall_fn fn;

	if (!ptrace_syscall_enter(tf))
		return (long)tf->x[0];
	nr = (u32)tf->syscallno;
	fn = nr < SYSCALL_MAX ? syscall_base[nr] : syscall_unknown;
	return fn(tf->x[0], tf->x[1], tf->x[2], tf->x[3], tf->x[4], tf->x[5]);
}

/* Stands in every row while there are traced threads. */
static long syscall_ptraced(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	struct trapframe *tf = arch_user_frame(arch_current());

	if (unlikely(READ_ONCE(arch_current()->work) & WORK_TRACE))
		return syscall_reported(tf);
	return syscall_base[(u64)tf->syscallno](a, b, c, d, e, f);
}

/* A system call of a thread that is bound by seccomp(2). */
static __cold long syscall_bound(struct trapframe *tf)
{
	u64 nr;
	syscall_fn fn;

	if (!seccomp_enter(tf))
		return (long)tf->x[0];
	nr = (u32)tf->syscallno;
	fn = nr < SYSCALL_MAX ? asking_base[nr] : syscall_absent;
	return fn(tf->x[0], tf->x[1], tf->x[2], tf->x[3], tf->x[4], tf->x[5]);
}

/* Stands in every row once a thread was bound. */
static long syscall_asking(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	struct trapframe *tf = arch_user_frame(arch_current());

	if (unlikely(READ_ONCE(current_task()->seccomp_mode)))
		return syscall_bound(tf);
	return asking_base[(u64)tf->syscallno](a, b, c, d, e, f);
}

static syscall_fn asking_table[SYSCALL_MAX]; /* T: filled before the first use */

/* See syscall.h. */
void syscall_ask_first(void)
{
	proc_tree_lock();
	if (!asking_base) {
		table_fill(asking_table, syscall_asking);
		asking_base = syscall_base;
		if (syscall_calls == syscall_base)
			store_release(&syscall_calls, asking_table);
		syscall_base = asking_table;
	}
	proc_tree_unlock();
}

/* @any thread is traced, or none any more. holds: tree */
static void syscall_ptrace_switch(bool any)
{
	static syscall_fn ptraced_table[SYSCALL_MAX]; /* T: filled before the first use */

	if (any && !ptraced_table[0])
		table_fill(ptraced_table, syscall_ptraced);
	store_release(&syscall_calls, any ? ptraced_table : syscall_base);
}

/* Numbers that no table has: when a tracer has been asked, and at first. */
static __cold long syscall_unknown(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	return current_task()->seccomp_mode ? syscall_bound(arch_user_frame(arch_current()))
					    : syscall_absent(a, b, c, d, e, f);
}

static __cold long syscall_beyond(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	if (READ_ONCE(arch_current()->work) & WORK_TRACE)
		return syscall_reported(arch_user_frame(arch_current()));
	return syscall_unknown(a, b, c, d, e, f);
}

/*
 * Boot: threads can be traced.
 * ctx: boot.
 */
void syscall_init(void)
{
	ptrace_calls_hook = syscall_ptrace_switch;
}

/*
 * SVC from EL0: run the call in x8. The entry code has kept number and x0 for restarts, and stores
 * the result.
 * ctx: thread, IRQs on; sleeps: as the call does.
 */
long trap_syscall(struct trapframe *tf)
{
	u64 nr = (u32)tf->x[8];
	syscall_fn fn = syscall_beyond;
	long r;

	if (likely(nr < SYSCALL_MAX)) {
		fn = syscall_calls[nr];
		stats_count_call(nr);
	}
	r = fn(tf->x[0], tf->x[1], tf->x[2], tf->x[3], tf->x[4], tf->x[5]);
	if (unlikely((u64)r > (u64)-4096) && nr < SYSCALL_MAX)
		stats_count_error(nr, r);
	return r;
}
