/*
 * quotactl(2), quotactl_fd(2): what is answered where no file system keeps quotas. The switch of
 * Ctrl-Alt-Del and the refusals of reboot(2).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/dqblk_xfs.h>
#include <linux/quota.h>
#include <linux/reboot.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include "tap.h"

#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif
#define UNKNOWN 0x800099

static char page[4096];

static long quota(unsigned command, int type, const char *special)
{
	return syscall(SYS_quotactl, QCMD(command, type), special, 0, page);
}

static long quota_fd(int fd, unsigned command, int type)
{
	return syscall(SYS_quotactl_fd, fd, QCMD(command, type), 0, page);
}

static void test_names(void)
{
	CHECK(quota(Q_SYNC, USRQUOTA, NULL) == 0);
	CHECK(quota(Q_SYNC, PRJQUOTA, NULL) == 0);
	CHECK_ERR(quota(Q_SYNC, 3, NULL), EINVAL);
	CHECK_ERR(quota(Q_SYNC, 3, "/nothing"), EINVAL);
	CHECK_ERR(quota(Q_GETFMT, USRQUOTA, NULL), ENODEV);
	CHECK_ERR(quota(UNKNOWN, USRQUOTA, NULL), ENODEV);
	CHECK_ERR(quota(Q_GETFMT, USRQUOTA, (char *)1), EFAULT);
	CHECK_ERR(quota(Q_GETFMT, USRQUOTA, ""), ENOENT);
	CHECK_ERR(quota(Q_QUOTAON, USRQUOTA, "quota.dir/none"), ENOENT);
	CHECK_ERR(quota(Q_GETFMT, USRQUOTA, "quota.dir"), ENOTBLK);
	CHECK_ERR(quota(Q_GETFMT, USRQUOTA, "/dev/null"), ENOTBLK);
	CHECK_ERR(quota(Q_GETFMT, USRQUOTA, "/dev/null/x"), ENOTDIR);
	/* A block device with nothing on it that is mounted. */
	REQUIRE(mknod("quota.dir/b", S_IFBLK | 0600, makedev(7, 9)) == 0);
	REQUIRE(symlink("b", "quota.dir/l") == 0);
	CHECK_ERR(quota(Q_GETFMT, USRQUOTA, "quota.dir/b"), ENODEV);
	CHECK_ERR(quota(Q_SYNC, GRPQUOTA, "quota.dir/l"), ENODEV);
	CHECK_ERR(quota(UNKNOWN, GRPQUOTA, "quota.dir/b"), ENODEV);
	CHECK_ERR(syscall(SYS_quotactl, QCMD(Q_QUOTAON, 0), "quota.dir/b", 0, 1), ENODEV);
	unlink("quota.dir/b");
	unlink("quota.dir/l");
}

static void test_file_system(void)
{
	static const unsigned reads[] = {
		Q_SYNC,		 Q_GETFMT,    Q_GETINFO,    Q_XGETQUOTA,
		Q_XGETNEXTQUOTA, Q_XGETQSTAT, Q_XGETQSTATV, Q_XQUOTASYNC
	};
	static const unsigned writes[] = { Q_QUOTAON,  Q_QUOTAOFF,     Q_SETINFO,  Q_GETQUOTA,
					   Q_SETQUOTA, Q_GETNEXTQUOTA, Q_XQUOTAON, Q_XQUOTAOFF,
					   Q_XSETQLIM, Q_XQUOTARM,     UNKNOWN };
	int fd, path, ends[2];

	REQUIRE(mount("t", "quota.dir", "tmpfs", MS_NODEV, NULL) == 0);
	REQUIRE(mknod("quota.dir/b", S_IFBLK | 0600, makedev(7, 9)) == 0);
	CHECK_ERR(quota(Q_GETFMT, USRQUOTA, "quota.dir/b"), EACCES);
	fd = open("quota.dir", O_RDONLY);
	path = open("quota.dir", O_PATH);
	REQUIRE(fd >= 0 && path >= 0 && pipe(ends) == 0);
	CHECK_ERR(quota_fd(-1, Q_GETFMT, 3), EBADF);
	CHECK_ERR(quota_fd(fd, Q_GETFMT, 3), EINVAL);
	CHECK_ERR(quota_fd(path, Q_GETFMT, USRQUOTA), ENOSYS);
	CHECK_ERR(quota_fd(ends[0], Q_QUOTAOFF, USRQUOTA), ENOSYS);
	for (unsigned i = 0; i < sizeof(writes) / sizeof(writes[0]); i++)
		CHECK_ERR(quota_fd(fd, writes[i], GRPQUOTA), ENOSYS);
	CHECK(mount(NULL, "quota.dir", NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
	for (unsigned i = 0; i < sizeof(writes) / sizeof(writes[0]); i++)
		CHECK_ERR(quota_fd(fd, writes[i], PRJQUOTA), EROFS);
	for (unsigned i = 0; i < sizeof(reads) / sizeof(reads[0]); i++)
		CHECK_ERR(quota_fd(fd, reads[i], USRQUOTA), ENOSYS);
	CHECK_ERR(quota_fd(fd, Q_QUOTAON, 3), EINVAL);
	close(fd);
	close(path);
	close(ends[0]);
	close(ends[1]);
	CHECK(umount("quota.dir") == 0);
}

static long restart(unsigned magic, unsigned command, const void *arg)
{
	return syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, magic, command, arg);
}

/* What /proc/sys/kernel/ctrl-alt-del says. */
static int keys(void)
{
	FILE *f = fopen("/proc/sys/kernel/ctrl-alt-del", "r");
	int v = -1;

	if (!f || fscanf(f, "%d", &v) != 1)
		v = -1;
	if (f)
		fclose(f);
	return v;
}

static void test_reboot(void)
{
	unsigned magic = LINUX_REBOOT_MAGIC2;
	int was = keys(), st;
	pid_t p;

	CHECK(restart(magic, LINUX_REBOOT_CMD_CAD_ON, NULL) == 0 && keys() == 1);
	CHECK(restart(LINUX_REBOOT_MAGIC2C, LINUX_REBOOT_CMD_CAD_OFF, NULL) == 0 && keys() == 0);
	CHECK_ERR(restart(magic, LINUX_REBOOT_CMD_RESTART2, (void *)1), EFAULT);
	CHECK_ERR(restart(magic, LINUX_REBOOT_CMD_KEXEC, NULL), EINVAL);
	CHECK_ERR(restart(magic, 0x1234, NULL), EINVAL);
	CHECK_ERR(restart(0, LINUX_REBOOT_CMD_CAD_ON, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_reboot, 0, magic, LINUX_REBOOT_CMD_CAD_ON, NULL), EINVAL);
	CHECK(keys() == 0);
	p = fork();
	if (!p) {
		if (setresuid(1000, 1000, 1000))
			_exit(1);
		_exit(restart(0, 0, NULL) == -1 && errno == EPERM ? 0 : 2);
	}
	CHECK(waitpid(p, &st, 0) == p && st == 0);
	restart(magic, was == 1 ? LINUX_REBOOT_CMD_CAD_ON : LINUX_REBOOT_CMD_CAD_OFF, NULL);
}

int main(void)
{
	alarm(TAP_LIMIT);
	REQUIRE(mkdir("quota.dir", 0755) == 0 || errno == EEXIST);
	test_names();
	test_file_system();
	test_reboot();
	rmdir("quota.dir");
	return tap_done();
}
