/*
 * /proc/config.gz: what the kernel can do, in the words of Linux's build options.
 *
 * Programs look there before they use or test a feature: a line "CONFIG_KEYS=y" says that it is
 * here, and what has no line is not. The file is gzip's format (RFC 1952) around blocks that are
 * stored as they are (RFC 1951, 3.2.4), one for each line.
 */
#include "fs/procfs.h"
#include "kernel/lib/crc.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"

#define STORED 0
#define STORED_LAST 1

/* Names, each with a space behind it. */
static const char options[] =
	"64BIT ARM64 MMU SMP PREEMPT MULTIUSER IKCONFIG IKCONFIG_PROC KCMP RSEQ "
	"SYSVIPC POSIX_MQUEUE POSIX_TIMERS "
	"CROSS_MEMORY_ATTACH BSD_PROCESS_ACCT BSD_PROCESS_ACCT_V3 SECCOMP SECCOMP_FILTER "
	"SECURITY_LANDLOCK SECURITY_YAMA KEYS PERSISTENT_KEYRINGS FUTEX FUTEX_PI MEMBARRIER "
	"ADVISE_SYSCALLS MEMORY_FAILURE COREDUMP ELF_CORE BINFMT_ELF BINFMT_SCRIPT BINFMT_MISC "
	"PRINTK MAGIC_SYSRQ AIO EPOLL EVENTFD SIGNALFD TIMERFD FHANDLE FILE_LOCKING DNOTIFY "
	"INOTIFY_USER FANOTIFY PROC_FS PROC_SYSCTL SYSFS SHMEM MEMFD_CREATE TMPFS TMPFS_XATTR "
	"DEVTMPFS EXT2_FS EXT2_FS_XATTR BLOCK BLK_DEV_INITRD BLK_DEV_LOOP BLK_DEV_RAM "
	"MSDOS_PARTITION EFI_PARTITION TTY UNIX98_PTYS NET PACKET UNIX INET TUN TCP_CONG_CUBIC "
	"VIRTIO_NET VIRTIO_BLK VIRTIO_CONSOLE ";

/* @v in @n bytes, the lowest first. */
static void put_le(struct sbuf *out, u32 v, u32 n)
{
	for (; n; n--, v >>= 8)
		sbuf_putc(out, (char)v);
}

static void put_block(struct sbuf *out, char kind, const char *data, u32 n)
{
	sbuf_putc(out, kind);
	put_le(out, n, 2);
	put_le(out, ~n, 2);
	sbuf_write(out, data, n);
}

static int config_show(struct sbuf *out, void *arg)
{
	/* Magic, deflate, no flags, no time, no hint, made on Unix. */
	static const u8 head[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3 };
	u32 crc = 0, total = 0, n;
	char line[64];

	sbuf_write(out, head, sizeof(head));
	for (const char *s = options, *end; (end = strchr(s, ' ')); s = end + 1) {
		n = (u32)snprintf(line, sizeof(line), "CONFIG_%.*s=y\n", (int)(end - s), s);
		put_block(out, STORED, line, n);
		crc = crc32_ieee(crc, line, n);
		total += n;
	}
	put_block(out, STORED_LAST, NULL, 0);
	put_le(out, crc, 4);
	put_le(out, total, 4);
	return 0;
}
PROC_FILE(config_gz, "config.gz", 0444, .show = config_show);
