/*
 * Boot of the file layer: caches, the nameless file system, the root, devtmpfs with the devices that need no hardware.
 */
#include "fs/namei.h"
#include "fs/procfs.h"
#include "fs/sysfs.h"

/* See vfs.h. ctx: boot thread, after slab, threads and workers; sleeps. */
void vfs_init(void)
{
	dcache_init();
	tmpfs_init();
	file_init();
	mount_init();
	procfs_init();
	sysfs_init();
	devfs_init();
	memdev_init();
}
