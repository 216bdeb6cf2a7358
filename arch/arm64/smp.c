/*
 * Other CPUs: firmware calls, start, and interrupts between CPUs.
 *
 * The device tree lists the CPUs; logical numbers are dense, the boot CPU is 0. For each of the
 * others smp_init() prepares per-CPU data, an idle thread and a struct secondary_boot, and asks the
 * firmware to start it at secondary_entry (head.S); they come up at the same time, each reporting
 * in cpu_online_mask. PSCI is called by HVC or SMC as the device tree says.
 *
 * An inter-processor interrupt is an SGI whose number is its enum ipi. IPI_RESCHED needs no
 * handler: the way back from any interrupt looks at WORK_RESCHED. Function calls are pushed onto a
 * lock-free list of the target, each entry on the caller's stack; the caller waits until all
 * targets have counted down.
 *
 * Reference: Arm DEN0022 (PSCI), DEN0028 (SMC calling convention).
 */
#include <libfdt.h>
#include <arch/atomic.h>
#include <arch/barrier.h>
#include <arch/cpu.h>
#include <arch/irqflags.h>
#include <arch/sysreg.h>
#include <arch/thread.h>
#include "arch/arm64/arch_private.h"
#include "kernel/base/bootargs.h"
#include "kernel/base/fdt.h"
#include "kernel/base/irq.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/base/spinlock.h"
#include "kernel/base/time.h"
#include "kernel/base/timeout.h"
#include "kernel/base/trap.h"
#include "kernel/lib/bitmap.h"
#include "kernel/lib/string.h"
#include "mm/pmm.h"

#define PSCI_CPU_OFF 0x84000002
#define PSCI_CPU_ON 0xc4000003
#define PSCI_SYSTEM_OFF 0x84000008
#define PSCI_SYSTEM_RESET 0x84000009
#define MPIDR_AFFINITY 0xff00ffffffULL
#define ONLINE_PATIENCE (120 * NSEC_PER_SEC)

/* What a secondary needs before it can reach anything else; head.S knows the layout. */
struct secondary_boot {
	paddr_t root; /* kernel tables */
	u64 voffset; /* kimage_voffset */
	struct arch_thread *thread; /* idle thread */
	u64 percpu; /* per-CPU offset */
	u64 cpu;
};
_Static_assert(sizeof(struct secondary_boot) == 40, "head.S");

/* One smp_call on its way to one CPU. */
struct call {
	struct call *next; /* a: in the target's list */
	void (*fn)(void *arg); /* I */
	void *arg; /* I */
	u32 *pending; /* a: targets that have not run it */
};

u32 cpu_count = 1;
cpumask_t cpu_online_mask = 1;

static enum { PSCI_NONE, PSCI_HVC, PSCI_SMC } psci_method; /* I */
static struct secondary_boot secondary_boot[MAX_CPUS]; /* I: before the CPU is started */
static u32 start_over; /* a: the time for secondaries to come up has passed */
PERCPU(struct call *, call_list); /* a */
PERCPU_DECLARE(u8 *, emergency_stack_top);

BOOTARG_WORD(maxcpus, "maxcpus");

static s64 psci_call(u64 fn, u64 a, u64 b, u64 c)
{
	register u64 x0 __asm__("x0") = fn;
	register u64 x1 __asm__("x1") = a;
	register u64 x2 __asm__("x2") = b;
	register u64 x3 __asm__("x3") = c;

#define PSCI_CLOBBER                                                                         \
	"x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", \
		"x17", "memory"
	if (psci_method == PSCI_HVC)
		__asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::PSCI_CLOBBER);
	else if (psci_method == PSCI_SMC)
		__asm__ volatile("smc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::PSCI_CLOBBER);
	else
		return -1;
	return (s32)x0;
}

/* How to call the firmware (PSCI). ctx: boot. */
void cpu_init_firmware(void)
{
	int node = fdt_find_compatible(-1, "arm,psci-1.0");
	const char *method;

	if (node < 0)
		node = fdt_find_compatible(-1, "arm,psci-0.2");
	method = node < 0 ? NULL : fdt_prop(node, "method", NULL);
	if (method && strcmp(method, "hvc") == 0)
		psci_method = PSCI_HVC;
	else if (method && strcmp(method, "smc") == 0)
		psci_method = PSCI_SMC;
}

/* Contract in arch/cpu.h. */
void cpu_power_off(void)
{
	psci_call(PSCI_SYSTEM_OFF, 0, 0, 0);
}

/* Contract in arch/cpu.h. */
void cpu_power_reset(void)
{
	psci_call(PSCI_SYSTEM_RESET, 0, 0, 0);
}

/*
 * Never comes back; for CPUs stopped by a panic. By the firmware: with an interrupt pending, which
 * nobody takes any more, wfi does not wait.
 * ctx: any.
 */
void cpu_halt_forever(void)
{
	__asm__ volatile("msr daifset, #0xf" ::: "memory");
	psci_call(PSCI_CPU_OFF, 0, 0, 0);
	for (;;)
		__asm__ volatile("wfi");
}

/* Contract in arch/cpu.h. */
void ipi_send(u32 cpu, enum ipi what)
{
	dsb(ishst);
	irq_get_chip()->send_ipi(cpu, what);
}

static void ipi_resched(u32 irq, void *arg)
{
}

static void ipi_stop(u32 irq, void *arg)
{
	panic_stop_this_cpu(NULL);
}

/* Run what was queued, oldest first. */
static void ipi_call(u32 irq, void *arg)
{
	struct call *c = word_xchg(&this_cpu(call_list), NULL), *next, *queue = NULL;

	for (; c; c = next) {
		next = c->next;
		c->next = queue;
		queue = c;
	}
	for (c = queue; c; c = next) {
		u32 *pending = c->pending;

		next = c->next; /* the entry is gone once its caller has been told */
		c->fn(c->arg);
		__atomic_fetch_sub(pending, 1, __ATOMIC_RELEASE);
	}
}

static void call_push(u32 cpu, struct call *c)
{
	struct call **head = &per_cpu(call_list, cpu);

	c->next = READ_ONCE(*head);
	while (!__atomic_compare_exchange_n(head, &c->next, c, false, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED))
		;
	if (!c->next)
		ipi_send(cpu, IPI_CALL);
}

/* Contract in arch/cpu.h. */
void smp_call(cpumask_t mask, void (*fn)(void *), void *arg)
{
	struct call calls[MAX_CPUS];
	u32 pending;
	u64 flags;

	preempt_disable();
	mask &= READ_ONCE(cpu_online_mask);
	if (mask & BIT(cpu_id())) {
		mask &= ~BIT(cpu_id());
		flags = irq_save();
		fn(arg);
		irq_restore(flags);
	}
	pending = 0;
	for (cpumask_t m = mask; m; m &= m - 1)
		pending++;
	for (cpumask_t m = mask; m; m &= m - 1) {
		u32 cpu = bit_lowest(m);

		calls[cpu] = (struct call){ NULL, fn, arg, &pending };
		call_push(cpu, &calls[cpu]);
	}
	while (load_acquire(&pending))
		cpu_relax();
	preempt_enable();
}

/* See the header. ctx: any */
void smp_mb_here(void *arg)
{
	smp_mb();
}

static void ipi_init(void)
{
	static const struct {
		irq_handler_t fn;
		const char *name;
	} ipis[IPI_COUNT] = {
		[IPI_RESCHED] = { ipi_resched, "Rescheduling interrupts" },
		[IPI_CALL] = { ipi_call, "Function call interrupts" },
		[IPI_STOP] = { ipi_stop, "CPU stop interrupts" },
	};

	for (u32 i = 0; i < IPI_COUNT; i++) {
		if (irq_register(i, ipis[i].fn, NULL, ipis[i].name, IRQ_PERCPU | IRQ_EDGE))
			panic("no interrupt for IPI %u", i);
	}
}

/*
 * A secondary, from head.S: tables, stack, per-CPU data and vectors are there; interrupts are off.
 */
void secondary_start(u32 cpu)
{
	cpu_init_this(cpu);
	secondary_main(cpu);
}

static int secondary_prepare(u32 cpu)
{
	struct secondary_boot *b = &secondary_boot[cpu];
	u8 *stack = pmm_alloc_va(0, 0);

	if (!stack || percpu_init_cpu(cpu) || sched_idle_thread(cpu, &b->thread))
		return -1;
	per_cpu(emergency_stack_top, cpu) = stack + PAGE_SIZE;
	b->root = pmap_kernel_root();
	b->voffset = kimage_voffset;
	b->percpu = percpu_offset[cpu];
	b->cpu = cpu;
	__asm__ volatile("dc cvac, %0" ::"r"(b) : "memory"); /* read with caches on, but be sure */
	dsb(sy);
	return 0;
}

static bool secondary_power_on(u32 cpu, u64 mpidr)
{
	s64 err;

	if (secondary_prepare(cpu)) {
		log_err("CPU %u: no memory", cpu);
		return false;
	}
	err = psci_call(PSCI_CPU_ON, mpidr, kimage_to_pa(secondary_entry),
			kimage_to_pa(&secondary_boot[cpu]));
	if (err)
		log_err("CPU %u (%#lx): PSCI CPU_ON failed, %ld", cpu, mpidr, err);
	return err == 0;
}

/* Affinity of the CPU that @node describes; false when it is not one to be started. */
static bool cpu_node_mpidr(const void *fdt, int parent, int node, u64 *mpidr)
{
	int len;
	const fdt32_t *reg = fdt_getprop(fdt, node, "reg", &len);
	const char *type = fdt_getprop(fdt, node, "device_type", NULL);

	if (!type || strcmp(type, "cpu") != 0 || !reg || !fdt_node_enabled(node))
		return false;
	if (fdt_prop_u32(parent, "#address-cells", 1) == 2 && len >= 8)
		*mpidr = (u64)fdt32_to_cpu(reg[0]) << 32 | fdt32_to_cpu(reg[1]);
	else if (len >= 4)
		*mpidr = fdt32_to_cpu(reg[0]);
	else
		return false;
	return true;
}

/* Secondaries' affinities into @mpidr[1..]; sets cpu_count. */
static void cpus_find(u64 mpidr[MAX_CPUS])
{
	const void *fdt = fdt_blob();
	const char *limit = bootargs_get("maxcpus");
	u64 boot = sysreg_read(mpidr_el1) & MPIDR_AFFINITY, max = MAX_CPUS, id;
	int parent = fdt_path_offset(fdt, "/cpus"), node;

	if (limit && str_to_u64(limit, NULL, 0, &max))
		max = MAX_CPUS;
	fdt_for_each_subnode(node, fdt, parent)
	{
		if (cpu_count >= MAX_CPUS || cpu_count >= max)
			break;
		if (cpu_node_mpidr(fdt, parent, node, &id) && id != boot)
			mpidr[cpu_count++] = id;
	}
}

static void start_timed_out(struct timeout *t)
{
	store_release(&start_over, 1);
}

/*
 * cpu_online_mask; its next change wakes this CPU from WFE, as the exclusive load arms the monitor.
 */
static cpumask_t online_armed(void)
{
	cpumask_t v;

	__asm__ volatile("ldaxr %0, %1" : "=r"(v) : "Q"(cpu_online_mask) : "memory");
	return v;
}

/*
 * Sleep until the CPUs of @started are online. The firmware has said that they start: the timer
 * that ends it leaves them time enough where virtual CPUs wait for a busy host.
 */
static void wait_online(cpumask_t started)
{
	struct timeout t;

	timeout_init(&t, start_timed_out);
	timeout_set(&t, time_now() + ONLINE_PATIENCE);
	while ((online_armed() & started) != started && !load_acquire(&start_over))
		__asm__ volatile("wfe" ::: "memory");
	timeout_cancel_sync(&t);
	if (started & ~READ_ONCE(cpu_online_mask))
		log_err("CPUs %#lx did not come up", started & ~READ_ONCE(cpu_online_mask));
}

/* Contract in arch/cpu.h. */
void smp_init(void)
{
	u64 mpidr[MAX_CPUS];
	cpumask_t started = 0;

	cpu_pauth_init();
	ipi_init();
	cpus_find(mpidr);
	for (u32 cpu = 1; cpu < cpu_count; cpu++) {
		if (secondary_power_on(cpu, mpidr[cpu]))
			started |= BIT(cpu);
	}
	wait_online(started);
	memset(idmap_root, 0, PAGE_SIZE);
	dsb(ishst);
	if (started)
		log_info("%u CPUs online", 1 + bit_count(started));
}
