/*
 * Boot of the file layer.
 *
 * First the caches that all the rest allocates from, then the nameless file system of pipes and the
 * like, the root file system with the boot thread in it, and devtmpfs with the devices that need no
 * hardware. After that drivers may register devices and init.c may unpack the initramfs.
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
	mount_prune_init();
	procfs_init();
	sysfs_init();
	devfs_init();
	memdev_init();
	inotify_init();
}
