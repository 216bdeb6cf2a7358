/*
 * The end of the line for bugs of ours.
 *
 * The first CPU to panic owns the panic; others that panic meanwhile stop and wait. The owner
 * prints cause, registers, backtrace and held locks, then asks the others, one after the other, to
 * print theirs (IPI_STOP) and gives each a second. Then it halts, or resets after
 * panic=N seconds (at once when negative). From the first line on the log takes no lock for granted
 * (panic_in_progress).
 *
 * panic_plain() is for a boot that cannot go on for a reason outside the kernel: its sentence is
 * all there is to say.
 */
#include <arch/atomic.h>
#include <arch/cpu.h>
#include <arch/frame.h>
#include <arch/irqflags.h>
#include <arch/thread.h>
#include "kernel/base/bootargs.h"
#include "kernel/base/earlycon.h"
#include "kernel/base/irq.h"
#include "kernel/base/lockrank.h"
#include "kernel/base/log.h"
#include "kernel/base/log_internal.h"
#include "kernel/base/panic.h"
#include "kernel/base/time.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"

/* An emulated CPU may not run for a while, when its host is busy. */
#define ANSWER_NS NSEC_PER_SEC

static u32 panic_owner; /* a: CPU number + 1 */
static u32 panic_turn; /* a: CPU number + 1 that may print its backtrace */
static s64 panic_reboot_s; /* I: panic=; 0 = halt */

/* True from the first line of a panic on. ctx: any. */
bool panic_in_progress(void)
{
	return __atomic_load_n(&panic_owner, __ATOMIC_RELAXED) != 0;
}

static void wait_until(s64 deadline, const u32 *word, u32 end_value)
{
	while (time_now() < deadline && (!word || load_acquire(word) != end_value))
		cpu_relax();
}

/*
 * One panic at a time: a second one on the same CPU stops short, one on another CPU waits to be
 * stopped.
 */
static void panic_begin(void)
{
	u32 me = cpu_id() + 1;
	u32 none = 0;

	irq_disable();
	if (__atomic_compare_exchange_n(&panic_owner, &none, me, false, __ATOMIC_ACQ_REL,
					__ATOMIC_RELAXED)) {
		arch_current()->preempt_count++;
		log_enter_panic();
		earlycon_panic();
		return;
	}
	if (none == me)
		log_crit("panic during a panic: stopped");
	else
		panic_stop_this_cpu(NULL);
	cpu_halt_forever();
}

static void print_frame(const struct trapframe *tf)
{
	log_crit("pc %016lx  lr %016lx  sp %016lx  pstate %08lx", tf->pc, tf->x[30], tf->sp,
		 tf->pstate);
	for (u32 i = 0; i < 28; i += 4)
		log_crit("x%-2u %016lx %016lx %016lx %016lx", i, tf->x[i], tf->x[i + 1],
			 tf->x[i + 2], tf->x[i + 3]);
	log_crit("x28 %016lx %016lx", tf->x[28], tf->x[29]);
}

static void print_other_cpus(void)
{
	u32 me = cpu_id();

	if (!irq_get_chip())
		return;
	for (u32 cpu = 0; cpu < cpu_count; cpu++) {
		if (cpu == me || !(__atomic_load_n(&cpu_online_mask, __ATOMIC_RELAXED) & BIT(cpu)))
			continue;
		store_release(&panic_turn, cpu + 1);
		ipi_send(cpu, IPI_STOP);
		wait_until(time_now() + ANSWER_NS, &panic_turn, 0);
		if (load_acquire(&panic_turn))
			log_crit("CPU %u does not answer", cpu);
	}
}

/* See panic.h. */
void panic_stop_this_cpu(const struct trapframe *tf)
{
	u32 me = cpu_id();

	irq_disable();
	arch_current()->preempt_count++;
	wait_until(time_now() + MAX_CPUS * ANSWER_NS, &panic_turn, me + 1);
	log_crit("CPU %u:", me);
	stacktrace_print(NULL, tf);
	lockdebug_print_held(NULL);
	store_release(&panic_turn, 0);
	cpu_halt_forever();
}

static void __noreturn panic_end(void)
{
	if (panic_reboot_s) {
		if (panic_reboot_s > 0) {
			log_crit("rebooting in %ld s", panic_reboot_s);
			wait_until(time_now() + panic_reboot_s * NSEC_PER_SEC, NULL, 0);
		}
		cpu_power_reset();
	}
	log_crit("halted");
	cpu_halt_forever();
}

static void __noreturn panic_common(const struct trapframe *tf, const char *fmt, va_list ap)
{
	char why[240];

	panic_begin();
	vsnprintf(why, sizeof(why), fmt, ap);
	log_crit("Kernel panic: %s", why);
	log_crit("CPU %u", cpu_id());
	if (tf)
		print_frame(tf);
	stacktrace_print(NULL, tf);
	lockdebug_print_held(NULL);
	print_other_cpus();
	panic_end();
}

/* See panic.h. ctx: any. */
void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	panic_common(NULL, fmt, ap);
}

/* See panic.h. ctx: any. */
void panic_frame(const struct trapframe *tf, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	panic_common(tf, fmt, ap);
}

/* See panic.h. ctx: any. */
void panic_plain(const char *fmt, ...)
{
	char why[240];
	va_list ap;

	va_start(ap, fmt);
	panic_begin();
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	log_crit("Kernel panic: %s", why);
	panic_end();
}

/* The body of warn_on. ctx: any. */
void panic_warn(const char *what, const char *file, int line)
{
	log_warn("WARNING: %s at %s:%d, CPU %u", what, file, line, cpu_id());
	stacktrace_print(NULL, NULL);
}

static void arg_panic(const char *value)
{
	if (!value || str_to_s64(value, NULL, 10, &panic_reboot_s))
		panic_reboot_s = 0;
}

BOOTARG("panic", arg_panic);
