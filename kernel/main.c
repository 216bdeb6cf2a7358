/*
 * The boot order.
 *
 * head.S enters kmain() on the boot CPU in the boot thread, with the image and all memory mapped
 * and interrupts off. Each line below brings up one part; a part may use what is above it. The
 * other CPUs start in parallel at smp_init() and enter secondary_main(). The last step makes
 * process 1; the boot thread then ends.
 *
 * Drivers find themselves in the device tree (FDT_DRIVER, VIRTIO_DRIVER, PCI_DRIVER tables), file
 * systems and /proc files are in tables of their own: none of them is named here.
 */
#include <arch/cpu.h>
#include <arch/irqflags.h>
#include <arch/pmap.h>
#include "block/block.h"
#include "fs/aio.h"
#include "fs/epoll.h"
#include "fs/vfs.h"
#include "kernel/base/bootargs.h"
#include "kernel/base/earlycon.h"
#include "kernel/base/fdt.h"
#include "kernel/base/irq.h"
#include "kernel/base/kasan.h"
#include "kernel/base/ktest.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/base/percpu.h"
#include "kernel/base/rand.h"
#include "kernel/base/stackguard.h"
#include "kernel/base/time.h"
#include "kernel/base/timeout.h"
#include "kernel/base/trap.h"
#include "kernel/init.h"
#include "kernel/ipc/ipc.h"
#include "kernel/proc/proc.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/work.h"
#include "kernel/sys/sys.h"
#include "kernel/tty/tty.h"
#include "mm/kvm.h"
#include "mm/pmm.h"
#include "mm/slab.h"
#include "mm/vm/vmspace.h"
#include "net/dns.h"
#include "net/ipconfig.h"
#include "net/netdev.h"
#include "net/sntp.h"
#include "net/sock/tun.h"
#include "net/tcp.h"

static void command_line_init(void)
{
	int len;
	const char *line = fdt_prop(fdt_chosen(), "bootargs", &len);

	bootargs_init(line && len > 0 && line[len - 1] == '\0' ? line : "");
}

static void percpu_init(void)
{
	if (percpu_init_cpu(0))
		panic_plain("there is not enough memory for per-CPU data");
	percpu_set_this_offset(percpu_offset[0]);
	timeout_init_cpu(0);
}

static void irqchip_init(void)
{
	fdt_probe_irqchips();
	if (!irq_get_chip())
		panic_plain("the device tree has no interrupt controller that this kernel knows");
}

static void run_ktests(void)
{
	u32 failures = ktest_run();

	log_err("ktest: %s", failures ? "FAILED" : "passed");
	cpu_power_off();
	panic_plain("the firmware did not switch the machine off");
}

static void memory_init(void)
{
	pmm_init();
	slab_init();
	kvm_init();
}

static void ipc_init(void)
{
	shm_init();
	sem_init();
	msg_init();
}

static void __noreturn boot(void)
{
	irq_enable();
	work_init_all();
	smp_init();
	vm_init();
	vfs_init();
	epoll_init();
	aio_init();
	proc_init();
	ipc_init();
	tty_init();
	net_init();
	tcp_init();
	kmsg_init();
	sys_rw_init();
	sys_socket_init();
	syscall_init();
	sys_names_init();
	loop_init();
	ramdisk_init();
	tun_init();
	fdt_probe_drivers();
	machine_init();
	if (ktest_requested())
		run_ktests();
	dns_tcp_init();
	ipconfig_start();
	sys_set_hostname(ipconfig_host);
	sntp_start();
	netconsole_start();
	init_start();
	thread_exit();
}

/* See trap.h. The stack guard changes here, so no function that checks it may be returning. */
__attribute__((no_stack_protector)) void kmain(paddr_t fdt)
{
	time_init();
	fdt_init(fdt);
	cpu_init_firmware();
	command_line_init();
	pmm_early_init();
	percpu_init();
	pmap_init_kernel();
	kasan_start();
	earlycon_init();
	log_info("Linnet, command line: %s", bootargs_line());
	cpu_init_boot();
	memory_init();
	irqchip_init();
	timer_init_boot();
	timer_init_cpu();
	rand_init();
	__stack_chk_guard = rand_u64();
	sched_init();
	boot();
}

/* See trap.h. */
void secondary_main(u32 cpu)
{
	irq_get_chip()->cpu_init();
	timeout_init_cpu(cpu);
	timer_init_cpu();
	for (u32 i = 0; i < IPI_COUNT; i++)
		irq_enable_percpu(i);
	word_or(&cpu_online_mask, BIT(cpu));
	sched_start_cpu();
}
