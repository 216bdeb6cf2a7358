/*
 * From a booted kernel to process 1.
 *
 * The boot thread unpacks the initramfs into the root and makes process 1. Its thread opens the
 * console as descriptors 0 to 2 and runs, as Linux does: rdinit= or /init; else, from the disk that
 * root= names if it does (root.c), init=; else /sbin/init, /etc/init, /bin/init, /bin/sh. What the
 * kernel did not understand of the command line is the program's arguments and environment.
 *
 * When nothing can be run, the machine stops with one sentence that says what was looked for and
 * what was wrong with it.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include "fs/vfs.h"
#include "kernel/base/bootargs.h"
#include "kernel/base/fdt.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/init.h"
#include "kernel/lib/string.h"
#include "kernel/proc/proc.h"
#include "mm/pmm.h"

#define ARGS_MAX 64

enum initramfs_state { INITRAMFS_NONE, INITRAMFS_CORRUPT, INITRAMFS_OK };

BOOTARG_WORD(init, "init");
BOOTARG_WORD(rdinit, "rdinit");

static enum initramfs_state initramfs; /* I: before process 1 starts */
static const char *first_failure; /* o: process 1's: what was tried first */
static int first_error; /* o */

static void unpack(void)
{
	paddr_t base;
	u64 size;

	if (fdt_initrd(&base, &size) || !size)
		return;
	initramfs = initramfs_unpack(pa_to_va(base), size) ? INITRAMFS_CORRUPT : INITRAMFS_OK;
	if (initramfs == INITRAMFS_CORRUPT)
		log_err("initramfs: %s", initramfs_error());
	pmm_free_range(base, base + size);
}

/* What every initramfs may rely on: a console to open. */
static void make_console_node(void)
{
	struct path root;

	fsctx_get_root(&root);
	if (vfs_mkdir(&root, "/dev", 0755) ||
	    vfs_mknod(&root, "/dev/console", S_IFCHR | 0600, dev_make(5, 1)))
		log_err("init: cannot make /dev/console");
	path_put(&root);
}

static void open_console(void)
{
	struct path root;
	struct file *f;
	int fd, err;

	fsctx_get_root(&root);
	err = vfs_open(&root, "/dev/console", O_RDWR, 0, LOOKUP_FOLLOW, &f);
	path_put(&root);
	if (err) {
		log_err("init: cannot open /dev/console (error %d); "
			"starting without standard input and output",
			-err);
		return;
	}
	for (int i = 0; i < 3; i++) {
		err = fd_reserve(i, 3, false, &fd);
		if (!err)
			fd_install(fd, file_get(f));
	}
	file_put(f);
}

static const char *error_text(int err)
{
	switch (err) {
	case -ENOENT: return "there is no such file, or its interpreter is missing";
	case -ENOEXEC: return "it is not an executable for this machine";
	case -EACCES: return "it is not marked executable, or is no regular file";
	case -ENOTDIR: return "a part of its path is no directory";
	case -ELOOP: return "its path has too many symbolic links";
	case -ENOMEM: return "there is not enough memory";
	case -EIO: return "reading it failed";
	default: return NULL;
	}
}

static void try_run(const char *path)
{
	const char *argv[ARGS_MAX + 2] = { path };
	const char *const *more = bootargs_init_argv();
	struct exec_args a = { .filename = path,
			       .lookup = LOOKUP_FOLLOW,
			       .argv = argv,
			       .envp = bootargs_init_envp() };
	int err;

	/* more[0] is the place of the program's own name. */
	for (int i = 1; more[i] && i <= ARGS_MAX; i++)
		argv[i] = more[i];
	fsctx_get_root(&a.at);
	err = proc_exec(&a);
	path_put(&a.at);
	if (!err)
		return;
	/* A file that is there and does not run says more than one that is missing. */
	if (!first_failure || (first_error == -ENOENT && err != -ENOENT)) {
		first_failure = path;
		first_error = err;
	}
}

static bool run(const char *path)
{
	first_failure = NULL;
	try_run(path);
	return !first_failure;
}

/* Is there such a file? Then a "no such file" of exec means its interpreter. */
static bool exists(const char *path)
{
	struct path root, p;
	int err;

	fsctx_get_root(&root);
	err = path_lookup(&root, path, LOOKUP_FOLLOW, &p);
	path_put(&root);
	if (!err)
		path_put(&p);
	return !err;
}

static void __noreturn refuse(const char *path, int err)
{
	const char *why = error_text(err);

	if (why)
		panic_plain("cannot start init: %s: %s (error %d)", path, why, -err);
	panic_plain("cannot start init: %s: error %d", path, -err);
}

static void __noreturn nothing_to_run(void)
{
	switch (initramfs) {
	case INITRAMFS_NONE:
		panic_plain("cannot start init: no initramfs was given, "
			    "and there is no other root file system");
	case INITRAMFS_CORRUPT:
		panic_plain("cannot start init: the initramfs is corrupt: %s", initramfs_error());
	default:
		panic_plain("cannot start init: the initramfs has none of "
			    "/init, /sbin/init, /etc/init, /bin/init, /bin/sh");
	}
}

static bool run_fallbacks(void)
{
	static const char *const fallbacks[] = { "/sbin/init", "/etc/init", "/bin/init",
						 "/bin/sh" };

	for (u32 i = 0; i < ARRAY_SIZE(fallbacks); i++) {
		if (run(fallbacks[i]))
			return true;
		if (first_error != -ENOENT)
			log_err("init: %s exists but does not run (error %d)", first_failure,
				-first_error);
	}
	return false;
}

static void run_from_disk(const char *named)
{
	if (named ? run(named) : run_fallbacks())
		return;
	if (named)
		refuse(first_failure, first_error);
	panic_plain("cannot start init: the root file system has none of "
		    "/sbin/init, /etc/init, /bin/init, /bin/sh");
}

/* Process 1, still in the kernel; returning goes to user mode. */
static void init_main(void *arg)
{
	const char *rdinit = bootargs_get("rdinit"), *named = bootargs_get("init");

	(void)arg;
	open_console();
	if (root_wanted() && initramfs != INITRAMFS_CORRUPT && !exists(rdinit ? rdinit : "/init")) {
		root_mount();
		run_from_disk(named);
		return;
	}
	if (initramfs == INITRAMFS_NONE)
		nothing_to_run();
	if (run(rdinit ? rdinit : "/init"))
		return;
	/* A broken /init is the user's mistake to hear of, not to be papered over by a shell. */
	if (rdinit || first_error != -ENOENT || initramfs == INITRAMFS_CORRUPT ||
	    exists(first_failure)) {
		if (initramfs == INITRAMFS_CORRUPT)
			nothing_to_run();
		refuse(first_failure, first_error);
	}
	if (named) {
		if (run(named))
			return;
		refuse(first_failure, first_error);
	}
	if (!run_fallbacks())
		nothing_to_run();
}

/*
 * Unpack the initramfs and start process 1.
 * ctx: boot thread; sleeps: yes.
 */
void init_start(void)
{
	int err;

	make_console_node();
	unpack();
	err = proc_start_init(init_main, NULL);
	if (err)
		panic_plain("cannot start init: no memory for the first process (error %d)", -err);
}
