/*
 * The root file system on a disk: root=, rootfstype=, rootflags=, ro, rw, rootwait, rootdelay=.
 *
 * Process 1 comes here when the initramfs has no /init, or there is none. It finds the device,
 * makes /dev/root in the first root (a tmpfs), mounts that on /root, devtmpfs on its /dev, moves
 * the mount over the first root and makes it the root directory of itself and of the kernel's own
 * threads.
 *
 * root= names the device as Linux has it: /dev/NAME, MAJOR:MINOR, a hexadecimal number,
 * PARTUUID= (of GPT, or SIGNATURE-NN of an MBR; with /PARTNROFF=N another partition of that disk),
 * PARTLABEL=; and beyond what Linux does without an initramfs: UUID= and LABEL= of an ext file
 * system. Without rootfstype= all types that live on disks are tried.
 *
 * A failure ends in a list of the disks there are, and one sentence that says what was wrong.
 *
 * Reference: bootparam(7), kernel-parameters in the Linux documentation.
 */
#include <linux/errno.h>
#include <linux/mount.h>
#include "block/block.h"
#include "kernel/base/bootargs.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/base/time.h"
#include "kernel/init.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "kernel/sched/sched.h"

#define EXT_SUPER 1024u
#define EXT_MAGIC_AT (EXT_SUPER + 56)
#define EXT_UUID_AT (EXT_SUPER + 104)
#define EXT_LABEL_AT (EXT_SUPER + 120)
#define EXT_LABEL_MAX 16u
#define TYPE_MAX 32u

static u32 mount_flags = MS_RDONLY; /* I: ro, unless the command line says rw */

static void take_ro(const char *value)
{
	(void)value;
	mount_flags = MS_RDONLY;
}

static void take_rw(const char *value)
{
	(void)value;
	mount_flags = 0;
}

BOOTARG("ro", take_ro);
BOOTARG("rw", take_rw);
BOOTARG_WORD(root, "root");
BOOTARG_WORD(rootfstype, "rootfstype");
BOOTARG_WORD(rootflags, "rootflags");
BOOTARG_WORD(rootwait, "rootwait");
BOOTARG_WORD(rootdelay, "rootdelay");

/* --- which device --- */

/* UUID and label of the ext file system on @b, as text. False: there is none. */
static bool read_names(struct blkdev *b, char uuid[40], char label[EXT_LABEL_MAX + 1])
{
	struct page *p;
	const u8 *d;
	bool found;

	if (!READ_ONCE(b->present) || blkdev_bytes(b) < 2 * EXT_SUPER)
		return false;
	if (pagecache_get(blkdev_cache(b), 0, &p))
		return false;
	d = page_to_va(p);
	found = d[EXT_MAGIC_AT] == 0x53 && d[EXT_MAGIC_AT + 1] == 0xef;
	for (u32 i = 0, n = 0; i < 16; i++)
		n += (u32)snprintf(uuid + n, 40 - n, "%s%02x",
				   i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
				   d[EXT_UUID_AT + i]);
	memcpy(label, d + EXT_LABEL_AT, EXT_LABEL_MAX);
	label[EXT_LABEL_MAX] = '\0';
	page_put(p);
	return found;
}

static struct blkdev *find_by_ext(const char *uuid, const char *label)
{
	char its_uuid[40], its_label[EXT_LABEL_MAX + 1];
	struct blkdev *b = NULL;

	while ((b = blkdev_next(b)))
		if (read_names(b, its_uuid, its_label) &&
		    (uuid ? !strcasecmp(uuid, its_uuid) : !strcmp(label, its_label)))
			return b;
	return NULL;
}

static struct blkdev *find_by_partuuid(const char *spec)
{
	static const char offset_word[] = "/PARTNROFF=";
	const char *slash = strchr(spec, '/');
	struct blkdev *b;
	char uuid[40];
	s64 offset = 0;

	if (slash && (!str_begins(slash, offset_word) ||
		      str_to_s64(slash + sizeof(offset_word) - 1, NULL, 10, &offset)))
		return NULL;
	strlcpy(uuid, spec, MIN(sizeof(uuid), slash ? (size_t)(slash - spec) + 1 : sizeof(uuid)));
	b = blkdev_find_uuid(uuid);
	if (b && offset) {
		s64 number = (s64)b->partno + offset;

		b = number >= 0 && number <= DISK_PARTS_MAX ? b->disk->parts[number] : NULL;
	}
	return b;
}

static struct blkdev *find_by_number(const char *spec)
{
	const char *end;
	u64 major, minor, dev;

	if (!str_to_u64(spec, &end, 10, &major) && *end == ':' &&
	    !str_to_u64(end + 1, &end, 10, &minor) && !*end)
		return blkdev_find(dev_make((u32)major, (u32)minor));
	/* The bits of dev_t as user space has them. */
	if (str_to_u64(spec, &end, 16, &dev) || *end)
		return NULL;
	return blkdev_find(
		dev_make((u32)(dev >> 8 & 0xfff), (u32)((dev & 0xff) | (dev >> 12 & 0xfff00))));
}

static struct blkdev *find(const char *spec)
{
	struct blkdev *b;

	if (str_begins(spec, "PARTUUID="))
		b = find_by_partuuid(spec + 9);
	else if (str_begins(spec, "PARTLABEL="))
		b = blkdev_find_label(spec + 10);
	else if (str_begins(spec, "UUID="))
		b = find_by_ext(spec + 5, NULL);
	else if (str_begins(spec, "LABEL="))
		b = find_by_ext(NULL, spec + 6);
	else if (str_begins(spec, "/dev/"))
		b = blkdev_find_name(spec + 5);
	else
		b = find_by_number(spec);
	return b && READ_ONCE(b->present) ? b : NULL;
}

static void delay(void)
{
	const char *value = bootargs_get("rootdelay");
	u64 seconds;

	if (!value || str_to_u64(value, NULL, 10, &seconds) || !seconds)
		return;
	log_info("waiting %llu s before mounting the root device", (unsigned long long)seconds);
	sched_sleep_until(time_now() + (s64)MIN(seconds, (u64)3600) * NSEC_PER_SEC);
}

/* The device @spec names, now or, with rootwait, as soon as it appears. NULL: there is none. */
static struct blkdev *wait_for(const char *spec)
{
	bool told = false;

	for (;;) {
		u32 seen = blkdev_changes();
		struct blkdev *b = find(spec);

		if (b || !bootargs_has("rootwait"))
			return b;
		if (!told)
			log_info("waiting for the root device %s", spec);
		told = true;
		wait_event(&blkdev_waitq, blkdev_changes() != seen);
	}
}

/* --- mounting --- */

static void __noreturn refuse(const char *what, const char *why, int err)
{
	struct blkdev *b = NULL;
	bool any = false;

	while ((b = blkdev_next(b))) {
		if (!READ_ONCE(b->present) || !READ_ONCE(b->nsect))
			continue;
		log_err("root: there is %s, %llu kB%s%s", b->name,
			(unsigned long long)READ_ONCE(b->nsect) / 2,
			b->uuid[0] ? ", PARTUUID=" : "", b->uuid);
		any = true;
	}
	panic_plain("cannot mount the root file system: root=%s: %s (error %d); %s", what, why,
		    -err, any ? "the disks there are stand above" : "there are no disks");
}

static const char *reason(int err)
{
	switch (err) {
	case -ENODEV: return "its type is not known";
	case -EINVAL: return "there is no file system of that type on it, or an option is wrong";
	case -EROFS: return "it can only be mounted ro";
	case -EIO: return "reading it failed";
	case -ENXIO:
	case -ENOTBLK: return "there is no such device";
	case -EUCLEAN: return "it is damaged";
	case -ENOMEM: return "there is not enough memory";
	}
	return "it cannot be mounted";
}

static int mount_as(const struct path *where, const char *type, u32 flags)
{
	return vfs_mount("/dev/root", where, type, flags, bootargs_get("rootflags"));
}

/* By the names of rootfstype=, separated by commas. The last error. */
static int try_named(const struct path *where, const char *names, u32 flags, char type[TYPE_MAX])
{
	int err = -ENODEV;

	while (*names) {
		size_t n = strcspn(names, ",");

		strlcpy(type, names, MIN(n + 1, (size_t)TYPE_MAX));
		err = mount_as(where, type, flags);
		if (!err)
			break;
		names += n + (names[n] == ',');
	}
	return err;
}

static int try_all(const struct path *where, u32 flags, char type[TYPE_MAX])
{
	const struct fs_type *t;
	int err = -ENODEV;

	TABLE_FOREACH(fs_type, t) {
		if (t->flags & FS_NODEV)
			continue;
		strlcpy(type, t->name, TYPE_MAX);
		err = mount_as(where, type, flags);
		if (!err)
			break;
	}
	return err;
}

static int try_types(const struct path *where, u32 flags, char type[TYPE_MAX])
{
	const char *names = bootargs_get("rootfstype");

	return names ? try_named(where, names, flags, type) : try_all(where, flags, type);
}

/* What cannot be written to is mounted for reading. */
static int mount_on(const struct path *where, const struct blkdev *b)
{
	char type[TYPE_MAX] = "";
	u32 flags = mount_flags;
	int err = try_types(where, flags, type);

	if (!flags && (err == -EROFS || err == -EACCES)) {
		flags = MS_RDONLY;
		err = try_types(where, flags, type);
	}
	if (!err)
		log_info("VFS: Mounted root (%s filesystem)%s on device %u:%u.", type,
			 flags & MS_RDONLY ? " readonly" : "", dev_major(b->dev),
			 dev_minor(b->dev));
	return err;
}

/* /dev/root and /root in the first root. 0 or -errno */
static int make_places(const struct path *first, const struct blkdev *b)
{
	int err = vfs_mkdir(first, "/root", 0700);

	if (err && err != -EEXIST)
		return err;
	(void)vfs_unlink(first, "/dev/root");
	return vfs_mknod(first, "/dev/root", S_IFBLK | 0600, b->dev);
}

static void mount_devtmpfs(const struct path *top)
{
	struct path dev;
	int err = path_lookup(top, "dev", LOOKUP_DIRECTORY | LOOKUP_FOLLOW, &dev);

	if (!err) {
		err = vfs_mount("devtmpfs", &dev, "devtmpfs", MS_SILENT, NULL);
		path_put(&dev);
	}
	if (err)
		log_err("devtmpfs: error mounting %d", err);
	else
		log_info("devtmpfs: mounted");
}

static int mount_and_enter(const struct path *first, const struct blkdev *b)
{
	struct path place, top;
	int err = make_places(first, b);

	if (!err)
		err = path_lookup(first, "/root", LOOKUP_DIRECTORY, &place);
	if (err)
		return err;
	err = mount_on(&place, b);
	path_put(&place);
	if (!err)
		err = path_lookup(first, "/root", LOOKUP_DIRECTORY, &top);
	if (err)
		return err;
	mount_devtmpfs(&top);
	err = vfs_mount("/root", first, NULL, MS_MOVE, NULL);
	if (!err) {
		fsctx_set_root(&top);
		fsctx_set_cwd(&top);
		fsctx_boot_follow();
	}
	path_put(&top);
	return err;
}

/* See init.h. */
bool root_wanted(void)
{
	const char *spec = bootargs_get("root");

	return spec && *spec;
}

/* See init.h. */
void root_mount(void)
{
	const char *spec = bootargs_get("root");
	struct blkdev *b;
	struct path first;
	int err;

	delay();
	b = wait_for(spec);
	if (!b)
		refuse(spec, "there is no such device", -ENXIO);
	fsctx_get_root(&first);
	err = mount_and_enter(&first, b);
	path_put(&first);
	if (err)
		refuse(spec, reason(err), err);
}
