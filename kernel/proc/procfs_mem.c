/*
 * /proc/PID/cmdline, environ, auxv, mem: bytes out of another address space.
 *
 * The address space is held by a reference and read in chunks through vm_access, which faults pages
 * in as the process itself would and stops at the first that is not there. mem stays with the
 * address space that it was opened on, whatever the process executes later. Its access was checked
 * at open(2), and a write goes past the protection of pages, as a debugger needs it.
 */
#include <linux/errno.h>
#include "kernel/lib/string.h"
#include "kernel/proc/procfs_pid.h"

#define CHUNK 512

/* Append the bytes [start, end) of @vm; stops where memory ends. */
static void append_range(struct sbuf *out, struct vmspace *vm, vaddr_t start, vaddr_t end)
{
	char buf[CHUNK];

	while (start < end) {
		ssize_t n = vm_access(vm, start, buf, MIN(end - start, (u64)CHUNK), false, true);

		if (n <= 0)
			return;
		sbuf_write(out, buf, (size_t)n);
		start += (u64)n;
	}
}

/*
 * A program that overwrote its arguments with a longer title: up to the first NUL, as far as the
 * environment's end.
 */
static void append_title(struct sbuf *out, struct vmspace *vm, vaddr_t start, vaddr_t end)
{
	char buf[CHUNK];

	while (start < end) {
		ssize_t n = vm_access(vm, start, buf, MIN(end - start, (u64)CHUNK), false, true);
		size_t len;

		if (n <= 0)
			return;
		len = strnlen(buf, (size_t)n);
		sbuf_write(out, buf, len);
		if (len < (size_t)n)
			break;
		start += (u64)n;
	}
	sbuf_putc(out, '\0');
}

/*
 * cmdline: the argument strings, each ended by NUL; empty for a zombie. ctx: thread; sleeps. 0 or
 * -ESRCH.
 */
int pid_cmdline_show(struct sbuf *out, void *h)
{
	vaddr_t start, end, env_start, env_end;
	struct vmspace *vm;
	char last = '\0';
	int err = handle_vm(h, 0, &vm);

	if (err || !vm)
		return err;
	rwsem_read_lock(&vm->sem);
	start = vm->arg_start;
	end = vm->arg_end;
	env_start = vm->env_start;
	env_end = vm->env_end;
	rwsem_read_unlock(&vm->sem);
	if (end > start) {
		if (vm_access(vm, end - 1, &last, 1, false, true) == 1 && last)
			append_title(out, vm, start, env_start == end ? env_end : end);
		else
			append_range(out, vm, start, end);
	}
	vmspace_put(vm);
	return 0;
}

/*
 * environ: the environment strings. ctx: thread; sleeps. 0, -ESRCH, -EACCES.
 */
int pid_environ_show(struct sbuf *out, void *h)
{
	vaddr_t start, end;
	struct vmspace *vm;
	int err = handle_vm(h, ACCESS_READ, &vm);

	if (err || !vm)
		return err;
	rwsem_read_lock(&vm->sem);
	start = vm->env_start;
	end = vm->env_end;
	rwsem_read_unlock(&vm->sem);
	append_range(out, vm, start, end);
	vmspace_put(vm);
	return 0;
}

/*
 * auxv: the vector as the program got it, AT_NULL included. ctx: thread. 0, -ESRCH, -EACCES.
 */
int pid_auxv_show(struct sbuf *out, void *h)
{
	struct vmspace *vm;
	u32 n = 0;
	int err = handle_vm(h, ACCESS_READ, &vm);

	if (err || !vm)
		return err;
	while (n + 2 < ARRAY_SIZE(vm->auxv) && vm->auxv[n])
		n += 2;
	sbuf_write(out, vm->auxv, (n + 2) * sizeof(vm->auxv[0]));
	vmspace_put(vm);
	return 0;
}

static int mem_open(struct inode *i, struct file *f)
{
	struct vmspace *vm;
	int err = handle_vm(i->priv, ACCESS_ATTACH, &vm);

	if (err)
		return err;
	f->priv = vm;
	return 0;
}

static void mem_release(struct file *f)
{
	if (f->priv)
		vmspace_put(f->priv);
}

/* Move bytes between @u and the address space, page by page. */
static ssize_t mem_rw(struct file *f, struct uio *u, u64 *pos, bool write)
{
	struct vmspace *vm = f->priv;
	ssize_t done = 0, n = 0;
	char buf[CHUNK];

	if (!vm)
		return 0;
	while (u->left) {
		size_t want = MIN(u->left, (size_t)CHUNK);

		if (write) {
			n = uio_copy_from(u, buf, want);
			if (n <= 0)
				break;
			want = (size_t)n;
		}
		n = vm_access(vm, *pos, buf, want, write, true);
		if (n <= 0) {
			n = -EIO;
			break;
		}
		if (!write)
			n = uio_copy_to(u, buf, (size_t)n);
		if (n <= 0)
			break;
		*pos += (u64)n;
		done += n;
		if (write && (size_t)n < want)
			break;
	}
	return done ? done : n;
}

static ssize_t mem_read(struct file *f, struct uio *u, u64 *pos)
{
	return mem_rw(f, u, pos, false);
}

static ssize_t mem_write(struct file *f, struct uio *u, u64 *pos)
{
	return mem_rw(f, u, pos, true);
}

/* An address is a position; there is no end. */
static s64 mem_seek(struct file *f, s64 off, int whence)
{
	if (whence == 1)
		off += (s64)f->pos;
	else if (whence != 0)
		return -EINVAL;
	f->pos = (u64)off;
	return off;
}

/* mem: read and write another process's memory. */
const struct file_ops pid_mem_ops = {
	.open = mem_open,
	.release = mem_release,
	.read = mem_read,
	.write = mem_write,
	.seek = mem_seek,
};
