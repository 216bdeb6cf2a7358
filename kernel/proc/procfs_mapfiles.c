/*
 * /proc/PID/map_files: a link for each mapping of a file, named by its first and last address, that
 * leads to the very file which is mapped, also when that has no name any more.
 *
 * A name must be that of a whole region, to the letter. Who may look into the memory sees the names
 * and where they lead; to follow one takes CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE (procfs_dir_ops
 * .privileged), since it opens files past the permissions of the folders that hold them. Each
 * access looks at the regions anew, with the address space's semaphore held for reading.
 *
 * man: proc(5).
 */
#include <linux/errno.h>
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "kernel/proc/procfs_pid.h"

typedef unsigned long long ull;

/*
 * The first region at or behind @page that maps a file: its bounds, and the file with a reference.
 * 0, -ENOENT, -ESRCH, -EACCES
 */
static int mapped_file(void *h, u64 page, u64 *start, u64 *end, struct file **out)
{
	struct vmspace *vm;
	struct region *r;
	int err = handle_vm(h, ACCESS_READ, &vm);

	if (err || !vm)
		return err ? err : -ENOENT;
	rwsem_read_lock(&vm->sem);
	r = vm_find(vm, page << PAGE_SHIFT);
	while (r && (r->start >> PAGE_SHIFT < page || !file_of_mapping(r->file)))
		r = vm_next(r);
	if (r) {
		*start = r->start;
		*end = r->end;
		*out = file_get(file_of_mapping(r->file));
	}
	rwsem_read_unlock(&vm->sem);
	vmspace_put(vm);
	return r ? 0 : -ENOENT;
}

static int mapping_next(void *h, u64 from, u64 *key, char *name)
{
	struct file *f;
	u64 start, end;

	if (mapped_file(h, from, &start, &end, &f))
		return -ENOENT;
	file_put(f);
	*key = start >> PAGE_SHIFT;
	snprintf(name, 40, "%llx-%llx", (ull)start, (ull)end);
	return 0;
}

static int mapping_find(void *h, const char *name, u32 len, u64 *key)
{
	char real[40];
	u64 start = 0;

	for (u32 i = 0; i < len && i < 16 && name[i] != '-'; i++) {
		char c = name[i];
		u32 digit = char_is_digit(c) ? (u32)(c - '0') : (u32)(c - 'a') + 10;

		if (digit > 15)
			return -ENOENT;
		start = start << 4 | digit;
	}
	if (mapping_next(h, start >> PAGE_SHIFT, key, real))
		return -ENOENT;
	return strlen(real) == len && !memcmp(real, name, len) ? 0 : -ENOENT;
}

static u32 mapping_mode(void *h, u64 key)
{
	u32 mode = S_IFLNK;
	struct file *f;
	u64 start, end;

	if (mapped_file(h, key, &start, &end, &f))
		return 0;
	if (f->mode & FILE_READ)
		mode |= S_IRUSR;
	if (f->mode & FILE_WRITE)
		mode |= S_IWUSR;
	file_put(f);
	return start >> PAGE_SHIFT == key ? mode : 0;
}

static int mapping_link(void *h, u64 key, struct path *out)
{
	struct file *f;
	u64 start, end;
	int err = mapped_file(h, key, &start, &end, &f);

	if (err)
		return err;
	if (start >> PAGE_SHIFT == key) {
		*out = f->path;
		path_get(out);
	} else {
		err = -ENOENT;
	}
	file_put(f);
	return err;
}

const struct procfs_dir_ops pid_map_files_dir = {
	.find = mapping_find,
	.next = mapping_next,
	.mode = mapping_mode,
	.link = mapping_link,
	.privileged = true,
};
