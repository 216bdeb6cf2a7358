#pragma once
/*
 * Linker tables: arrays that plug-ins add themselves to, one section per kind. kernel.ld keeps
 * .table.KIND between __table_KIND_begin and _end.
 */
#include "kernel/lib/types.h"

#define TABLE_ENTRY(kind, type, name) \
	static const type name __used __aligned(8) __section(".table." #kind)
#define TABLE_DECLARE(kind, type) extern const type __table_##kind##_begin[], __table_##kind##_end[]
#define TABLE_FOREACH(kind, p) for (p = __table_##kind##_begin; p < __table_##kind##_end; p++)
/*
 * Kinds in use: fs_type virtio_driver fdt_driver net_proto tcp_cc sock_family inet_type proc_file
 * sysctl ktest bootarg irqchip earlycon pci_driver
 */
