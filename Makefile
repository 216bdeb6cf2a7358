# Builds the kernel, its initramfs and the host tests, everything under build/.
#
#   make                 build/Image, build/linnet.elf, build/initramfs.cpio.gz
#   make DEBUG=1         the checking kernel, in build/debug
#   make KASAN=1         the checking kernel with the address sanitizer, in build/kasan
#   make LLVM=1          with clang and lld, in build/llvm
#   make ktest           build/ktest.Image, the kernel with its own tests
#   make objs            compile every listed object, link nothing
#   make host-unit       host tests of kernel files (tests/unit)
#   make lint            layer, lock-key, length, header and format checks
#   make V=1             show the commands
#
# `./linnet` is the front door; it installs what this file needs and then calls it.

# The address sanitizer comes with all other checks.
ifdef KASAN
DEBUG := 1
endif

# --- objects: one list per folder ----------------------------------------------------------------

obj-arch/arm64 := \
	head.o vectors.o switch.o user.o string.o page.o kaslr.o trap.o pmap.o tlb.o cpu.o smp.o timer.o fpu.o thread.o \
	sigframe.o debug.o regset.o stacktrace.o $(if $(KASAN),kasan_shadow.o) vdso_blob.o vdso_image.o ktest_arch.o

obj-kernel := init.o main.o root.o

obj-kernel/lib := string.o fmt.o sbuf.o rbtree.o radix.o bitmap.o ring.o crc.o bpf.o

obj-kernel/base := device.o spinlock.o lockstat.o log.o panic.o symbols.o stackguard.o time.o timeout.o irq.o fdt.o earlycon.o bootargs.o \
	rand.o uio.o ktest.o ktest_base.o machine.o \
	$(if $(DEBUG),lockrank.o report.o ubsan.o ktest_ubsan.o) $(if $(KASAN),kasan.o kasan_report.o)

obj-kernel/sched := cred.o balance.o deadline.o fair.o idle.o mutex.o param.o rt.o rwsem.o sched.o sleep.o thread.o tick.o \
	waitq.o work.o ktest_lock.o ktest_perf.o ktest_sched.o

obj-kernel/proc := \
	pid.o user.o session.o proc.o rlimit.o fork.o iocontext.o exec.o exec_args.o exec_cred.o exec_interp.o binfmt_misc.o acct.o exec_layout.o \
	elf.o exit.o wait.o \
	keys.o keys_own.o keys_persist.o keys_request.o sysctl_kernel.o rseq.o seccomp.o seccomp_notify.o futex_owner.o futex_requeue.o futex_waitv.o \
	signal_send.o signal_deliver.o signal_stop.o kill.o cred.o futex.o futex_pi.o itimer.o ptimer.o \
	ptrace.o ptrace_stop.o ptrace_request.o ptrace_scope.o coredump.o core_elf.o helper.o \
	pidfd.o signalfd.o fileowner.o caller.o oom.o memfail.o procfs_io.o procfs_load.o procfs_attr.o procfs_oom.o procfs_ns.o procfs_pagemap.o procfs_pid.o procfs_stat.o procfs_maps.o procfs_mem.o procfs_fd.o procfs_mapfiles.o procfs_failnth.o

obj-kernel/tty := \
	devpts.o ldisc.o ldisc_out.o pty.o pty_ioctl.o tty.o tty_console.o tty_ioctl.o tty_job.o uart.o uart_serial.o

obj-kernel/ipc := \
	ipc.o \
	mqueue.o \
	mqueue_fs.o \
	msg.o \
	sem.o \
	shm.o

obj-kernel/sys := \
	syscall.o trap.o extend.o path.o machine.o sys_aio.o sys_event.o sys_fanotify.o sys_keys.o sys_landlock.o sys_fcntl.o sys_fiemap.o sys_file.o sys_handle.o sys_ipc.o sys_misc.o sys_mqueue.o sys_ntp.o sys_mempolicy.o stats.o sys_kcmp.o sys_mm.o sys_mrelease.o sys_mount.o sys_mount_fd.o timer_list.o \
	sys_open.o sys_path.o sys_pipe.o sys_poll.o sys_rw.o sys_splice.o sys_stat.o sys_syslog.o sys_time.o sys_xattr.o \
	sys_socket.o sys_sockmsg.o sys_cred.o sys_futex.o sys_prctl.o sys_prctl_mm.o sys_quota.o sys_seccomp.o sys_priority.o sys_proc.o sys_ptrace.o sys_sched.o sys_signal.o sys_timer.o

obj-mm := kmalloc.o kvm.o mm_debug.o percpu.o pmm.o pmm_boot.o slab.o ktest_mm.o \
	$(if $(KASAN),kasan_mm.o ktest_kasan.o,slab_debug.o)

obj-mm/vm := vmspace.o region.o commit.o map.o unmap.o protect.o remap.o policy.o advise.o fork.o fault.o access.o \
	shared_anon.o pagecache.o pagecache_io.o readahead.o reclaim.o writeback.o ktest_vm.o give.o poison.o

obj-net/sock := dns_tcp.o ethtool.o genl.o socket.o sockioctl.o sockopt.o af_unix.o unix_look.o unix_send.o unix_msg.o unix_gc.o af_netlink.o nl_out.o nl_uevent.o \
	af_inet.o af_packet.o packet_old.o packet_ring.o packet_fanout.o packet_vnet.o ifioctl.o inet_dgram.o inet_errq.o inet_ipopt.o inet_mcast.o inet_opt.o inet_recv.o inet_send.o netlink_diag.o proc_dns.o proc_igmp.o proc_ipconf.o proc_net.o proc_pnp.o rtnetlink.o sockdiag.o sockfilter.o sysfs_net.o unix_diag.o \
	inet_tcp.o inet_tcp_io.o inet_tcp_opt.o inet_tcp_proc.o tun.o tun_io.o

obj-net/tcp := tcp_ack.o tcp_cc.o tcp_cc_cubic.o tcp_cc_newreno.o tcp_fastopen.o tcp_hash.o tcp_input.o tcp_listen.o tcp_mib.o tcp_option.o tcp_pace.o \
	tcp_output.o tcp_param.o tcp_pcb.o tcp_reass.o tcp_recover.o tcp_sack.o tcp_seg.o tcp_stat.o tcp_state.o tcp_syncookie.o \
	tcp_table.o tcp_timer.o tcp_timewait.o tcp_user.o tcp_wire.o tcp_xfer.o

obj-block := bio.o direct.o disk.o file.o ioctl.o loop.o loop_ctl.o node.o parttable.o ramdisk.o queue.o scan.o show.o ktest_block.o

obj-fs := \
	aio.o async.o attr.o chrdev.o cpio.o dentry.o dentry_move.o devfs.o dnotify.o fdtable.o file.o fileadvice.o filecap.o filemap.o fsctx.o fsuser.o handle.o initramfs.o inode.o landlock.o \
	lease.o locks.o lockrange.o memdev.o fscontext.o mount.o mount_fd.o mount_peer.o mount_pivot.o mount_prune.o mount_show.o mount_type.o mountopts.o namei.o namei_ops.o open.o rename.o splice.o super.o \
	tmpfs.o tmpfs_dir.o tmpfs_file.o vfs_init.o xattr.o xattr_list.o \
	procfs.o procfs_options.o procfs_pid.o pseudo.o textfile.o proc_config.o proc_cpu.o proc_kernel.o proc_mem.o proc_misc.o proc_pages.o sysfs.o \
	sysfs_cpu.o sysfs_device.o sysfs_firmware.o \
	epoll.o \
	eventfd.o \
	inotify.o inotify_queue.o fanotify.o fanotify_event.o fanotify_queue.o \
	pipe.o pipe_size.o pipe_splice.o \
	poll.o \
	timerfd.o

obj-fs/ext := acl.o attrset.o balloc.o buf.o dir.o direct.o dirindex.o dirmod.o file.o group.o ialloc.o inode.o io.o map.o mapnew.o namei.o options.o \
	orphan.o store.o super.o sync.o trunc.o window.o write.o xattr.o

obj-net := arp.o bootparam.o cksum.o dhcp.o dns.o dns_msg.o ether.o gro.o gso.o icmp.o igmp.o ifaddr.o inet_pcb.o ipconfig.o ip_input.o ip_output.o ipfrag.o loopback.o mcast.o \
	netconsole.o netdev.o pkt.o raw.o route.o sntp.o sntp_msg.o udp.o udp_ask.o vnethdr.o

obj-drivers/irqchip := gicv2.o gicv2m.o gicv3.o its.o \

obj-drivers/pci := \
	hotplug.o \
	ecam.o \
	intr.o \
	scan.o \
	sysfs.o

obj-drivers/platform := platform.o

obj-drivers/serial := pl011.o \

obj-drivers/rtc := pl031.o

obj-drivers/gpio := pl061.o

obj-drivers/virtio := \
	blk.o \
	console.o \
	mmio.o \
	net.o \
	net_ctrl.o \
	pci.o \
	rng.o \
	virtio.o \
	virtqueue.o

# Sources that are not ours: inflate from zlib, the device tree reader from libfdt.
ZLIB_OBJS := adler32.o crc32.o inffast.o inflate.o inftrees.o zutil.o

# --- variants ------------------------------------------------------------------------------------

checking := $(if $(KASAN),kasan,$(if $(DEBUG),debug))
variant := $(checking)$(if $(and $(checking),$(LLVM)),-)$(if $(LLVM),llvm)
O       := build$(if $(variant),/$(variant))
CACHE   ?= $(or $(LINNET_CACHE),$(HOME)/.cache/linnet)
export LINNET_CACHE := $(CACHE)

CROSS   ?= aarch64-linux-gnu-
OBJCOPY := $(CROSS)objcopy
ifdef LLVM
CC      := clang --target=aarch64-linux-gnu
LD      := ld.lld
else
CC      := $(CROSS)gcc
LD      := $(CROSS)ld
endif
Q       := $(if $(V),,@)
say      = $(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),,@printf '  %-6s %s\n' $(1) $(2))

# --- flags ---------------------------------------------------------------------------------------

WARN := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wmissing-declarations -Wstrict-prototypes \
	-Wvla -Wundef -Wno-unused-parameter -Werror

ABI := -ffreestanding -mgeneral-regs-only -mno-outline-atomics -mcmodel=small -fpie \
	-fvisibility=hidden -fno-common -fno-strict-aliasing -fno-omit-frame-pointer \
	-fno-asynchronous-unwind-tables -fno-unwind-tables -ffunction-sections -fdata-sections \
	-fno-delete-null-pointer-checks -fwrapv -ffile-prefix-map=$(CURDIR)/= \
	-ffile-prefix-map=$(CURDIR)=.

# Only the compiler's own headers (stdint.h and the like) are searched beside ours: no C library.
INCLUDES := -nostdinc -I. -Iarch/arm64/include -I$(O)/include -isystem $(O)/uapi \
	-isystem $(O)/third -isystem $(shell $(CC) -print-file-name=include)

CFLAGS := -std=gnu11 -O2 -falign-functions=4 -g -DZ_SOLO $(ABI) $(WARN) -include kernel/lib/hidden.h $(INCLUDES)
ifdef DEBUG
CFLAGS += -DCONFIG_DEBUG=1 -fstack-protector-strong \
	-fsanitize=undefined,alignment -fno-wrapv -Wno-array-bounds
else
CFLAGS += -fno-stack-protector
endif

AFLAGS := -g -D__ASSEMBLY__ $(if $(DEBUG),-DCONFIG_DEBUG=1) $(if $(KASAN),-DCONFIG_KASAN=1) $(INCLUDES) -Wa,-I$(O) \
	-ffile-prefix-map=$(CURDIR)/= -ffile-prefix-map=$(CURDIR)=. $(if $(LLVM),-Wno-unused-command-line-argument)

LDFLAGS := -static -pie --no-dynamic-linker -z text -z noexecstack -z norelro -z max-page-size=4096 \
	--no-undefined --gc-sections --build-id=none $(if $(LLVM),--apply-dynamic-relocs)

# What is off the paths that count (house rule: small code beats fast code there): compiled for size.
cold := $(addprefix arch/arm64/,cpu debug kaslr regset sigframe smp stacktrace) \
	$(addprefix block/,disk file ioctl loop% node parttable ramdisk scan show) \
	$(addprefix drivers/,gpio/% irqchip/% pci/% platform/% rtc/% serial/%) \
	$(addprefix drivers/virtio/,console mmio net net_ctrl pci rng virtio) \
	$(addprefix fs/,aio async attr chrdev cpio dentry_move devfs dnotify fileadvice filecap fscontext fsctx fsuser fanotify% handle initramfs inotify% landlock lease lock% \
		memdev mount% namei_ops pipe_size pipe_splice proc% pseudo rename splice super sysfs% textfile timerfd xattr%) \
	$(addprefix fs/ext/,acl attrset balloc buf d% group ialloc io namei options orphan s% trunc window write xattr) \
	$(addprefix kernel/,init main root ipc/% tty/%) \
	$(addprefix kernel/base/,bootargs earlycon fdt ktest lockstat log panic rand symbols) \
	$(addprefix kernel/proc/,binfmt_misc acct caller core% cred elf exec% exit fileowner fork iocontext futex_% helper itimer keys% kill memfail oom pid% \
		proc% ptimer ptrace% rlimit rseq seccomp% session signal_s% signalfd sysctl% user wait) \
	$(addprefix kernel/sched/,balance deadline param rt thread work) \
	$(addprefix kernel/sys/,extend machine stats timer_list) \
	$(addprefix kernel/sys/sys_,aio cred fanotify fcntl fiemap file handle ipc kcmp keys landlock mempolicy misc mount% mqueue mrelease ntp path prctl% \
		priority proc ptrace quota sched seccomp signal splice syslog time timer xattr) \
	$(addprefix mm/,kvm mm_debug pmm_boot slab_debug vm/advise vm/commit vm/give vm/pagecache_io vm/poison vm/policy vm/protect vm/remap \
		vm/writeback) $(addprefix kernel/lib/,bitmap fmt) \
	$(addprefix net/,arp bootparam dhcp dns% icmp igmp ifaddr ipconfig ipfrag mcast netconsole netdev route sntp% vnethdr \
		udp_ask) \
	$(addprefix net/sock/,af_inet af_unix af_netlink af_packet packet_% dns_tcp ethtool genl ifioctl inet_dgram inet_errq inet_ipopt inet_mcast inet_opt inet_tcp inet_tcp_opt netlink_diag nl_out nl_uevent \
		inet_tcp_proc proc_% rtnetlink% sockdiag sockfilter sockioctl sockopt sysfs_net tun% unix_diag unix_gc unix_look) \
	$(addprefix net/tcp/tcp_,cc% fastopen listen option pace reass recover sack stat% syncookie table timer% timewait user)
# What gcc calls -Os, clang calls -Oz; its -Os inlines and unrolls. gcc's repeats a function's prologue for early returns,
# and keeps in registers what a loop does not change, which have to be saved: it does neither here. Cold code takes an
# address by one instruction, which reaches 1 MiB: so it is linked last, beside the data. What names the end of .bss
# reaches farther.
small := $(if $(LLVM),-Oz,-Os -fno-shrink-wrap -fno-move-loop-invariants)
near  := $(if $(checking),,-mcmodel=tiny)
far   := arch/arm64/kaslr arch/arm64/smp fs/proc_kernel
for-size = $(if $(findstring /ktest_,$(1)),$(small),$(if $(filter $(cold),$(1)),$(small) $(if $(filter $(far),$(1)),,$(near))))

# Runs before relocation, when the stack guard's address is not known yet, nor that of a message.
CFLAGS-arch/arm64/kaslr := -fno-stack-protector $(if $(DEBUG),-fsanitize-undefined-trap-on-error)
CFLAGS-arch/arm64/kasan_shadow := $(CFLAGS-arch/arm64/kaslr)
CFLAGS-kernel/base/kasan := $(CFLAGS-arch/arm64/kaslr)

# Reports what the checks find, so it has none.
CFLAGS-kernel/base/ubsan := -fno-sanitize=all

# Third-party objects keep their own warnings; crc32 uses the CRC instructions every CPU here has (it wants to know a
# 64-bit type for that); Z_SOLO would copy bytewise otherwise.
ZCFLAGS := -std=gnu11 -O2 $(ABI) -fno-stack-protector -w -DZ_SOLO -DHAVE_MEMCPY -D'Z_U8=unsigned long' $(INCLUDES)

# The address sanitizer: the shadow's place is memlayout.h's.
ifdef KASAN
kasan-gcc   := -fasan-shadow-offset=0xe000000000000000 --param asan-stack=1 --param asan-globals=1 \
	--param asan-instrumentation-with-call-threshold=100000 -fsanitize-address-use-after-scope
kasan-clang := -mllvm -asan-mapping-offset=0xe000000000000000 -mllvm -asan-stack=1 -mllvm -asan-globals=1 \
	-mllvm -asan-instrumentation-with-call-threshold=100000 -mllvm -asan-use-after-scope=1
CFLAGS += -DCONFIG_KASAN=1
KASAN_FLAGS := -fsanitize=kernel-address $(if $(LLVM),$(kasan-clang),$(kasan-gcc))
# What runs before there is a shadow, and what looks at memory that nobody may use.
kasan-not := arch/arm64/kaslr arch/arm64/kasan_shadow arch/arm64/stacktrace kernel/base/ubsan kernel/base/kasan \
	kernel/base/kasan_report mm/kasan_mm mm/mm_debug
endif

# The loops in string.c are the library functions; they must not become calls of themselves.
CFLAGS-kernel/lib/string := $(if $(LLVM),-fno-builtin,-fno-tree-loop-distribute-patterns)

# --- targets -------------------------------------------------------------------------------------

folders := $(sort $(patsubst obj-%,%,$(filter obj-%,$(.VARIABLES))))
KOBJS   := $(foreach d,$(folders),$(addprefix $(O)/$(d)/,$(obj-$(d))))
ZOBJS   := $(addprefix $(O)/zlib/,$(ZLIB_OBJS))
FDTLIB  := $(O)/third/libfdt.a
KTESTS  := $(foreach o,$(KOBJS),$(if $(findstring /ktest_,$(o)),$(o)))
COLD    := $(filter-out $(KTESTS),$(filter $(cold:%=$(O)/%.o),$(KOBJS)))
OBJS    := $(KTESTS) $(filter-out $(KTESTS) $(COLD),$(KOBJS)) $(ZOBJS) $(COLD)
PREP    := $(O)/.prepared

.PHONY: all kernel ktest objs initramfs host-unit lint format clean compdb bench-programs test-programs
.DELETE_ON_ERROR:
.SUFFIXES:

all: kernel initramfs

kernel: $(O)/Image $(O)/compile_commands.json

ktest: $(O)/ktest.Image

objs: $(OBJS) $(O)/compile_commands.json

# The UAPI folders of the packaged Linux headers, without the C library's headers that lie around
# them; linux/if.h wants struct sockaddr from a C library, so it gets the kernel's own; linux/shm.h names unistd.h. libfdt.h
# names string.h, stdlib.h and limits.h: the first is kernel/lib's, the others need next to nothing.
UAPI_FROM ?= /usr/aarch64-linux-gnu/include
$(PREP): Makefile scripts/third-party
	$(call say,PREP,$(O)/uapi $(O)/third)
	$(Q)mkdir -p $(O)/uapi/sys $(O)/third $(O)/include
	$(Q)ln -sfn $(UAPI_FROM)/linux $(O)/uapi/linux
	$(Q)ln -sfn $(UAPI_FROM)/asm $(O)/uapi/asm
	$(Q)ln -sfn $(UAPI_FROM)/asm-generic $(O)/uapi/asm-generic
	$(Q)printf '%s\n' '#pragma once' '#include <linux/socket.h>' \
		'struct sockaddr { unsigned short sa_family; char sa_data[14]; };' > $(O)/uapi/sys/socket.h
	$(Q)printf '%s\n' '#pragma once' > $(O)/uapi/unistd.h
	$(Q)scripts/third-party zlib $(O)/third
	$(Q)scripts/third-party libfdt $(O)/third
	$(Q)printf '%s\n' '#pragma once' '#include "kernel/lib/string.h"' > $(O)/third/string.h
	$(Q)printf '%s\n' '#pragma once' > $(O)/third/stdlib.h
	$(Q)printf '%s\n' '#pragma once' '#define INT_MAX __INT_MAX__' '#define UINT_MAX (INT_MAX * 2U + 1)' \
		'#define LONG_MAX __LONG_MAX__' > $(O)/third/limits.h
	$(Q)touch $@

$(FDTLIB): $(PREP) ;

# A change of flags or of compiler rebuilds everything: the command line is part of the inputs.
cmdline := $(CC) $(CFLAGS) $(KASAN_FLAGS) $(AFLAGS) $(LDFLAGS) $(cold)$(small) $(near) $(subst ',,$(ZCFLAGS))
$(shell mkdir -p $(O); echo '$(subst ','\'',$(cmdline))' | cmp -s - $(O)/.flags || \
	echo '$(subst ','\'',$(cmdline))' > $(O)/.flags)

$(O)/%.o: %.c $(PREP) $(O)/.flags
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(call for-size,$*) $(if $(filter $*,$(kasan-not)),,$(KASAN_FLAGS)) $(CFLAGS-$*) -MMD -MP -c -o $@ $<

$(O)/%.o: %.S $(PREP) $(O)/.flags
	$(call say,AS,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(AFLAGS) -MMD -MP -c -o $@ $<

$(O)/zlib/crc32.o: ZCFLAGS += -march=armv8-a+crc
$(O)/zlib/%.o: $(PREP) $(O)/.flags
	$(call say,CC,zlib/$*.c)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ZCFLAGS) -c -o $@ $(O)/third/zlib/$*.c

# The vDSO: a shared object of its own; arch/arm64/vdso_blob.S includes it with .incbin "vdso.so".
VDSO_SRCS := $(wildcard arch/arm64/vdso/*.c arch/arm64/vdso/*.S)
VDSO_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -mgeneral-regs-only -mno-outline-atomics -fpic \
	-fno-stack-protector -fno-strict-aliasing -fasynchronous-unwind-tables $(WARN) $(INCLUDES) \
	-ffile-prefix-map=$(CURDIR)/= -ffile-prefix-map=$(CURDIR)=. -D__VDSO__
vdso_objs := $(addsuffix .o,$(basename $(VDSO_SRCS:%=$(O)/%)))

$(O)/arch/arm64/vdso/%.o: arch/arm64/vdso/%.c $(PREP) $(O)/.flags
	$(call say,VDSO,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(VDSO_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/vdso.so.dbg: $(vdso_objs) arch/arm64/vdso/vdso.ld
	$(call say,LD,$@)
	$(Q)$(LD) -shared -soname=linux-vdso.so.1 --hash-style=both --eh-frame-hdr -Bsymbolic --build-id=none \
		-z noexecstack -z max-page-size=4096 --no-undefined -T arch/arm64/vdso/vdso.ld -o $@ $(vdso_objs)

$(O)/vdso.so: $(O)/vdso.so.dbg
	$(Q)$(OBJCOPY) -S $< $@

$(O)/arch/arm64/vdso_blob.o: $(O)/vdso.so

# Two links: the first gives the addresses for the tables that the second carries. They lie behind
# the code (kernel.ld puts .tables last among what is read only), so they move no function.
# Image is without the tests that run in the kernel, ktest.Image is with them.
objs-linnet := $(filter-out $(KTESTS),$(OBJS))
objs-ktest  := $(OBJS)
elfs        := $(O)/linnet.elf $(O)/ktest.elf
LINK = $(LD) $(LDFLAGS) -T $(O)/kernel.lds -o $@ $(objs-$*) $(filter %.tables.o,$^) $(FDTLIB)

$(O)/kernel.lds: arch/arm64/kernel.ld $(PREP) $(O)/.flags
	$(Q)$(CC) -E -P -x c -undef -D__ASSEMBLY__ $(if $(KASAN),-DCONFIG_KASAN=1) $(INCLUDES) -MMD -MP -MT $@ -MF $(O)/kernel.lds.d -o $@ $<

$(O)/empty.tables.S: scripts/imagetables
	$(Q)scripts/imagetables > $@

$(elfs:.elf=.tables.S): %.tables.S: %.pass1 scripts/imagetables
	$(Q)scripts/imagetables $< > $@

$(O)/empty.tables.o $(elfs:.elf=.tables.o): %.o: %.S
	$(Q)$(CC) -c -o $@ $<

$(elfs:.elf=.pass1): $(O)/%.pass1: $(OBJS) $(O)/empty.tables.o $(O)/kernel.lds $(FDTLIB)
	$(call say,LD,$@)
	$(Q)$(LINK)

$(elfs): $(O)/%.elf: $(O)/%.tables.o $(OBJS) $(O)/kernel.lds $(FDTLIB)
	$(call say,LD,$@)
	$(Q)$(LINK)
	$(Q)scripts/imagetables $@ | cmp - $(O)/$*.tables.S

$(O)/Image: $(O)/linnet.elf
$(O)/ktest.Image: $(O)/ktest.elf
$(O)/Image $(O)/ktest.Image:
	$(call say,IMAGE,$@)
	$(Q)$(OBJCOPY) -O binary $< $@

# --- user land, host tests, checks ---------------------------------------------------------------

ifneq ($(wildcard scripts/mkinitramfs),)
initramfs: $(O)/initramfs.cpio.gz
else
initramfs:
endif

$(O)/initramfs.cpio.gz: scripts/mkinitramfs $(wildcard scripts/build-* initramfs/* initramfs/*/* initramfs/*/*/*)
	$(call say,CPIO,$@)
	$(Q)scripts/mkinitramfs $@

host-unit: $(PREP)
	$(Q)if [ -f tests/unit/Makefile ]; then $(MAKE) -f tests/unit/Makefile O=build/unit UAPI=$(O) $(or $(UNIT),run); \
		else echo "no tests/unit/Makefile"; fi

lint: $(PREP) $(OBJS)
	$(Q)scripts/lint $(O) $(CHECKS)

format:
	$(Q)clang-format -i $$(git ls-files '*.c' '*.h')

$(O)/compile_commands.json: Makefile scripts/mkcompdb
	$(Q)scripts/mkcompdb '$(CC) $(CFLAGS)' '$(CC) $(AFLAGS)' $(KOBJS:$(O)/%.o=%) > $@

clean:
	rm -rf build

-include $(wildcard $(KOBJS:.o=.d) $(vdso_objs:.o=.d) $(O)/kernel.lds.d)
