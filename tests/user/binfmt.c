/*
 * execve(2) and execveat(2): programs that others run (binfmt_misc, #!), what they are told, bad
 * ELF files, and errors in their order. The program is its own interpreter.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "tap.h"
#include "vforked.h"

#define D "/tmp/binfmt"
#define FS "/proc/sys/fs/binfmt_misc"
#define I D "/interp"
#ifndef AT_EXECFD
#define AT_EXECFD 2
#endif
#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif

static char said[2048];

/* As interpreter: what it was given, on standard output. */
static int report(int argc, char **argv)
{
	unsigned long fd = getauxval(AT_EXECFD), *v = (unsigned long *)environ;
	int has_fd = 0;
	char head[5] = "";

	while (*v++)
		;
	for (; v[0] != AT_NULL; v += 2)
		if (v[0] == AT_EXECFD)
			has_fd = pread((int)fd, head, 4, 0) >= 0 ? 1 : 2;
	for (int i = 0; i < argc; i++)
		printf("%s|", argv[i]);
	printf(" flags=%lx", getauxval(AT_FLAGS));
	if (has_fd)
		printf(" fd%d=%s", has_fd, head);
	if (geteuid() != getuid())
		printf(" euid=%d", geteuid());
	return 0;
}

/* What the child @fn makes a program say, or the error that it gets. */
static const char *hear(void (*fn)(const void *arg), const void *arg)
{
	int p[2], status;
	size_t n = 0;
	ssize_t got;
	pid_t child;

	if (pipe(p))
		return "no pipe";
	child = fork();
	if (!child) {
		dup2(p[1], 1);
		close(p[0]);
		close(p[1]);
		putenv("BINFMT_REPORT=1");
		fn(arg);
		dprintf(1, "errno %d", errno);
		_exit(0);
	}
	close(p[1]);
	while ((got = read(p[0], said + n, sizeof(said) - 1 - n)) > 0)
		n += (size_t)got;
	said[n] = 0;
	close(p[0]);
	waitpid(child, &status, 0);
	if (status)
		snprintf(said, sizeof(said), "status %x", status);
	return said;
}

static int same(const char *got, const char *want)
{
	if (!strcmp(got, want))
		return 1;
	printf("# got  %s\n# want %s\n", got, want);
	return 0;
}

static void do_run(const void *path)
{
	char *argv[] = { "zero", "a b", "", NULL };

	execve(path, argv, environ);
}

static void do_run_bare(const void *path)
{
	char *argv[] = { NULL };

	execve(path, argv, environ);
}

static void do_run_user(const void *path)
{
	if (!setgid(1000) && !setuid(1000))
		do_run(path);
}

/* By a descriptor: open for @flags. */
static void run_fd(const char *path, int flags)
{
	char *argv[] = { "zero", NULL };
	int fd = open(path, flags);

	dup2(fd, 50);
	if (flags & O_CLOEXEC)
		fcntl(50, F_SETFD, FD_CLOEXEC);
	syscall(SYS_execveat, 50, "", argv, environ, AT_EMPTY_PATH);
}

static void do_run_fd(const void *path)
{
	run_fd(path, O_PATH);
}

static void do_run_cloexec(const void *path)
{
	run_fd(path, O_RDONLY | O_CLOEXEC);
}

static int runs(const char *path, const char *want)
{
	return same(hear(do_run, path), want);
}

static int put(const char *path, const char *text, size_t n, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600), good;

	good = write(fd, text, n) == (ssize_t)n && !fchmod(fd, mode);
	close(fd);
	return good;
}

static int put_text(const char *path, const char *text)
{
	return put(path, text, strlen(text), 0755);
}

static int copy(const char *from, const char *to)
{
	static char buf[65536];
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	ssize_t n;

	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)n) != n)
			n = 0;
	close(in);
	close(out);
	return n == 0;
}

/* Write to a file of the file system: 0 or the error. */
static int tell(const char *name, const char *text)
{
	char path[300];
	int fd, err;

	snprintf(path, sizeof(path), FS "/%s", name);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return errno;
	err = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : errno;
	close(fd);
	return err;
}

static const char *show(const char *name)
{
	char path[300];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), FS "/%s", name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return strerror(errno);
	n = read(fd, said, sizeof(said) - 1);
	said[n > 0 ? n : 0] = 0;
	close(fd);
	return said;
}

/* --- without the file system --- */

static void scripts(void)
{
	static char line[600];
	char *argv[] = { "x", NULL };

	CHECK(put_text(D "/s", "#!" I " \t one two \t\nrest\n"));
	CHECK(runs(D "/s", I "|one two|" D "/s|a b|| flags=0"));
	CHECK(same(hear(do_run_bare, D "/s"), I "|one two|" D "/s| flags=0"));
	CHECK(same(hear(do_run_bare, I), "| flags=0"));
	CHECK(put_text(D "/t", "#! " D "/s three") &&
	      runs(D "/t", I "|one two|" D "/s|three|" D "/t|a b|| flags=0"));
	CHECK(same(hear(do_run_fd, D "/s"), I "|one two|/dev/fd/50| flags=0"));
	CHECK(same(hear(do_run_cloexec, D "/s"), "errno 2"));
	CHECK(same(hear(do_run_cloexec, I), "zero| flags=0"));
	CHECK(put_text(D "/e", "#!\n") && runs(D "/e", "errno 8"));
	CHECK(put_text(D "/e", "#! \t ") && runs(D "/e", "errno 13")); /* no name */
	CHECK(put_text(D "/e", "#!") && runs(D "/e", "errno 13"));
	CHECK(put_text(D "/e", "#!" D) && runs(D "/e", "errno 13"));
	CHECK(put_text(D "/e", "#!/none\n") && runs(D "/e", "errno 2"));
	CHECK(put_text(D "/e", "\n") && runs(D "/e", "errno 8"));
	CHECK(put_text(D "/e", "#!" I " ") && runs(D "/e", I "||" D "/e|a b|| flags=0"));
	/* The line is cut off: what is an argument may be, what is the name may not. */
	memset(line, 'x', sizeof(line));
	memcpy(line, "#!" I " ", strlen(I) + 3);
	CHECK(put(D "/e", line, sizeof(line), 0755));
	line[255] = 0;
	CHECK(!strncmp(hear(do_run, D "/e"), I "|xxx", strlen(I) + 4) &&
	      !strncmp(said + strlen(I) + 1, line + strlen(I) + 3, 255 - strlen(I) - 3) &&
	      said[255 - 2] == '|');
	line[255] = 'x';
	memset(line + 2, '/', 300);
	CHECK(put(D "/e", line, sizeof(line), 0755) && runs(D "/e", "errno 8"));
	CHECK(put_text(D "/l1", "#!" I " 1\n") && put_text(D "/l2", "#!" D "/l1\n") &&
	      put_text(D "/l3", "#!" D "/l2\n") && put_text(D "/l4", "#!" D "/l3\n") &&
	      put_text(D "/l5", "#!" D "/l4\n") && put_text(D "/l6", "#!" D "/l5\n"));
	CHECK(runs(D "/l5", I "|1|" D "/l1|" D "/l2|" D "/l3|" D "/l4|" D "/l5|a b|| flags=0"));
	CHECK(runs(D "/l6", "errno 40"));
	CHECK_ERR(syscall(SYS_execveat, -1, "x", argv, environ, 0), EBADF);
	CHECK_ERR(syscall(SYS_execveat, -1, "", argv, environ, 0), ENOENT);
	CHECK_ERR(syscall(SYS_execveat, -1, "", argv, environ, 1), ENOENT);
	CHECK_ERR(syscall(SYS_execveat, -1, "x", argv, environ, 1), EINVAL);
	CHECK_ERR(syscall(SYS_execveat, 0, "x", argv, (char **)-4096l, 1), EFAULT);
	CHECK_ERR(syscall(SYS_execveat, AT_FDCWD, (char *)-4096l, argv, environ, 1), EFAULT);
	CHECK(!symlink(D "/s", D "/link"));
	CHECK_ERR(syscall(SYS_execveat, AT_FDCWD, D "/link", argv, environ, AT_SYMLINK_NOFOLLOW),
		  ELOOP);
	CHECK_ERR(execve(D, argv, environ), EACCES);
	CHECK_ERR(execve(D "/s/x", argv, environ), ENOTDIR);
	memset(line, 'x', sizeof(line));
	line[300] = 0;
	CHECK_ERR(execve(line, argv, environ), ENAMETOOLONG);
	CHECK(!chmod(D "/s", 0644));
	CHECK_ERR(execve(D "/s", argv, environ), EACCES);
	CHECK(!mkdir(D "/m", 0755) && !mount("none", D "/m", "tmpfs", MS_NOEXEC, NULL));
	CHECK(copy(I, D "/m/i"));
	CHECK_ERR(execve(D "/m/i", argv, environ), EACCES);
	CHECK(put_text(D "/e", "#!" D "/m/i\n") && runs(D "/e", "errno 13"));
	CHECK(!umount(D "/m"));
}

/* One page of a program that ends with status 7, and of its kinds. */
struct tiny {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[2];
	char interp[32];
	uint32_t code[4];
};

static struct tiny tiny_make(void)
{
	struct tiny t = {
		.eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_EXEC,
			.e_machine = EM_AARCH64,
			.e_version = EV_CURRENT,
			.e_entry = 0x400000 + offsetof(struct tiny, code),
			.e_phoff = offsetof(struct tiny, ph),
			.e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 1 },
		.ph = { { .p_type = PT_LOAD,
			  .p_flags = PF_R | PF_X,
			  .p_vaddr = 0x400000,
			  .p_filesz = sizeof(t),
			  .p_memsz = sizeof(t),
			  .p_align = 4096 },
			{ .p_type = PT_INTERP,
			  .p_offset = offsetof(struct tiny, interp),
			  .p_filesz = sizeof(t.interp) } },
		/* mov x0, #7; mov x8, #93 (exit); svc #0 */
		.code = { 0xd28000e0, 0xd2800ba8, 0xd4000001 },
	};

	return t;
}

static int tiny_run(const struct tiny *t, const char *want)
{
	return put(D "/tiny", (const char *)t, sizeof(*t), 0755) && runs(D "/tiny", want);
}

static int tiny_put(const struct tiny *t, const char *path)
{
	return put(path, (const char *)t, sizeof(*t), 0755);
}

#define SEGV "status b"

/* What is found when the old program is gone already: nobody is left to get an error. */
static void late_segments(void)
{
	struct tiny t = tiny_make();

	t.ph[0].p_vaddr = 1ul << 52;
	CHECK(tiny_run(&t, SEGV));
	t.ph[0].p_vaddr = -4096ul;
	CHECK(tiny_run(&t, SEGV));
	t.ph[0].p_vaddr = 0x400010; /* not as in the file */
	CHECK(tiny_run(&t, SEGV));
	t = tiny_make();
	t.ph[0].p_memsz = 1;
	CHECK(tiny_run(&t, SEGV));
	t.ph[0].p_memsz = 1ul << 52;
	CHECK(tiny_run(&t, SEGV));
	t.ph[0].p_memsz = -1ul;
	CHECK(tiny_run(&t, SEGV));
	t = tiny_make();
	t.ph[0].p_offset = -4096ul;
	CHECK(tiny_run(&t, SEGV));
	t = tiny_make();
	t.ph[0].p_memsz = 8192; /* zeroes where nobody may write */
	CHECK(tiny_run(&t, "status 700"));
	t.ph[0].p_flags |= PF_W;
	CHECK(tiny_run(&t, "status 700"));
	t = tiny_make();
	t.ph[0].p_type = PT_NULL;
	CHECK(tiny_run(&t, SEGV));
	t = tiny_make();
	t.eh.e_entry = 1ul << 52;
	CHECK(tiny_run(&t, SEGV));
	t = tiny_make();
	t.eh.e_phnum = 2; /* one over the other */
	t.ph[1] = t.ph[0];
	CHECK(tiny_run(&t, "status 700"));
	t.ph[1].p_vaddr = 1ul << 52;
	CHECK(tiny_run(&t, SEGV));
	t = tiny_make();
	t.ph[0].p_vaddr = 0x1000;
	t.eh.e_entry = 0x1000 + offsetof(struct tiny, code);
	CHECK(tiny_run(&t, "status 700"));
	t.ph[0].p_vaddr = 0;
	CHECK(tiny_put(&t, D "/tiny") && same(hear(do_run_user, D "/tiny"), SEGV));
}

/* The same of the interpreter: @t is one, and names itself. */
static void late_interps(struct tiny t)
{
	struct tiny ld = t;

	ld.eh.e_type = ET_REL;
	CHECK(tiny_put(&ld, D "/ld") && tiny_run(&t, SEGV));
	ld = t;
	ld.ph[0].p_flags = PF_R | PF_X;
	CHECK(tiny_put(&ld, D "/ld") && tiny_run(&t, SEGV));
	ld = t;
	ld.ph[0].p_memsz = 1ul << 52;
	CHECK(tiny_put(&ld, D "/ld") && tiny_run(&t, SEGV));
	ld = t;
	ld.eh.e_entry = 1ul << 52;
	CHECK(tiny_put(&ld, D "/ld") && tiny_run(&t, SEGV));
	ld = t;
	ld.eh.e_machine = EM_X86_64; /* that is seen before */
	CHECK(tiny_put(&ld, D "/ld") && tiny_run(&t, "errno 80"));
	CHECK(tiny_put(&t, D "/ld"));
	t.ph[0].p_memsz = 1; /* the interpreter is good, the program is not */
	CHECK(tiny_run(&t, SEGV));
}

static void *exec_from_thread(void *path)
{
	do_run(path);
	return NULL;
}

static void do_run_thread(const void *path)
{
	pthread_t thread;

	if (!pthread_create(&thread, NULL, exec_from_thread, (void *)path))
		pthread_join(thread, NULL);
}

static int run_tiny(void *argv)
{
	execve(D "/tiny", argv, environ);
	return 1;
}

/* A child by vfork: its memory is its parent's, who must not be hurt. */
static void late_elsewhere(void)
{
	struct tiny t = tiny_make();
	char *argv[] = { "x", NULL };
	int status = -1, p[2];
	pid_t pid;

	t.ph[0].p_memsz = 1;
	REQUIRE(tiny_put(&t, D "/tiny") && !pipe2(p, O_CLOEXEC));
	CHECK(same(hear(do_run_thread, D "/tiny"), SEGV));
	pid = vforked(run_tiny, argv);
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	      WTERMSIG(status) == SIGSEGV);
	CHECK(!close(p[1]) && read(p[0], &status, 1) == 0 && !close(p[0]));
}

static void elves(void)
{
	struct tiny t = tiny_make();

	CHECK(tiny_run(&t, "status 700"));
	t.eh.e_ident[EI_CLASS] = 0; /* nobody looks at these */
	t.eh.e_ident[EI_VERSION] = 9;
	t.eh.e_version = 9;
	CHECK(tiny_run(&t, "status 700"));
	t.eh.e_type = ET_DYN;
	CHECK(tiny_run(&t, "status 700"));
	t.eh.e_type = ET_REL;
	CHECK(tiny_run(&t, "errno 8"));
	t = tiny_make();
	t.eh.e_machine = EM_X86_64;
	CHECK(tiny_run(&t, "errno 8"));
	t = tiny_make();
	t.eh.e_phentsize = 32;
	CHECK(tiny_run(&t, "errno 8"));
	t = tiny_make();
	t.eh.e_phoff = 100000;
	CHECK(tiny_run(&t, "errno 8"));
	t = tiny_make();
	t.eh.e_phnum = 0;
	CHECK(tiny_run(&t, "errno 8"));
	t = tiny_make();
	t.eh.e_phnum = 2;
	CHECK(tiny_run(&t, "errno 13")); /* no name */
	strcpy(t.interp, "/none/at/all");
	CHECK(tiny_run(&t, "errno 2"));
	strcpy(t.interp, D);
	CHECK(tiny_run(&t, "errno 13"));
	t.ph[1].p_filesz = 4; /* does not end */
	CHECK(tiny_run(&t, "errno 8"));
	t.ph[1].p_filesz = 1;
	CHECK(tiny_run(&t, "errno 8"));
	t.ph[1].p_filesz = 5000;
	CHECK(tiny_run(&t, "errno 8"));
	t.ph[1].p_filesz = sizeof(t.interp);
	t.ph[1].p_offset = 100000;
	CHECK(tiny_run(&t, "errno 5"));
	t.ph[1].p_offset = offsetof(struct tiny, interp);
	strcpy(t.interp, D "/ld");
	CHECK(put_text(D "/ld", "short") && tiny_run(&t, "errno 5"));
	CHECK(put(D "/ld", (char[200]){ "\177ELF" }, 200, 0755) && tiny_run(&t, "errno 80"));
	t.eh.e_phoff = 100000;
	CHECK(put(D "/ld", (const char *)&t, sizeof(t), 0755));
	t.eh.e_phoff = offsetof(struct tiny, ph);
	CHECK(tiny_run(&t, "errno 80"));
	/* The interpreter's own PT_INTERP does not count. */
	t.eh.e_type = ET_DYN;
	t.eh.e_entry = offsetof(struct tiny, code);
	t.ph[0].p_vaddr = 0;
	t.ph[0].p_flags |= PF_W;
	t.code[0] = 0xd2800100; /* mov x0, #8 */
	CHECK(put(D "/ld", (const char *)&t, sizeof(t), 0755) && tiny_run(&t, "status 800"));
	late_interps(t);
}

/* --- with it --- */

static void registering(void)
{
	static const char *const bad[] = {
		":x:E::y::i", /* short */
		":lf:E::lfoo::" I, /* no end */
		"::E::lfoo::" I ":", /* no name */
		":.:E::lfoo::" I ":",
		":..:E::lfoo::" I ":",
		":a/b:E::lfoo::" I ":",
		":lf:X::lfoo::" I ":",
		":lf:EE::lfoo::" I ":",
		":lf:E::::" I ":", /* no ending */
		":lf:E::lf/oo::" I ":",
		":lf:E::lfoo:::", /* no interpreter */
		":lf:E::lfoo::" I ":Q",
		":lf:E::lfoo::" I ":P\nO",
		":lf:M::::" I ":", /* no magic */
		":lf:M:x:abc::" I ":",
		":lf:M:-1:abc::" I ":",
		":lf:M:254:abc::" I ":",
		":lf:M::abc:\\xff:" I ":", /* another length */
		":lf:M::\\x1g::" I ":",
		":lf:M::\\x1::" I ":",
	};
	static char long_one[2100];
	struct stat st;
	struct statfs fs;

	CHECK(!strcmp(show("status"), "enabled\n"));
	CHECK(!statfs(FS, &fs) && fs.f_type == 0x42494e4d);
	CHECK(!stat(FS, &st) && st.st_mode == (S_IFDIR | 0755));
	CHECK(!stat(FS "/status", &st) && st.st_mode == (S_IFREG | 0644));
	CHECK(!stat(FS "/register", &st) && st.st_mode == (S_IFREG | 0200));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int err = tell("register", bad[i]);

		if (err != EINVAL)
			printf("# %s: %d\n", bad[i], err);
		CHECK(err == EINVAL);
	}
	memset(long_one, 'x', sizeof(long_one) - 1);
	memcpy(long_one, ":lf:E::", 7);
	strcpy(long_one + 1930, "::" I ":");
	CHECK(tell("register", long_one) == EINVAL);
	CHECK(tell("register", ":lf:E::lfoo::/none/at/all:F") == ENOENT);
	CHECK(tell("register", ":status:E::lfoo::" I ":") == EEXIST);
	CHECK(tell("status", "2") == EINVAL && tell("status", "0000") == EINVAL &&
	      tell("status", "-") == EINVAL);
	CHECK_ERR(open(FS "/none", O_RDONLY), ENOENT);
	CHECK(put_text(D "/x.lfoo", "data"));
	CHECK(runs(D "/x.lfoo", "errno 8"));
	CHECK(!tell("register", "#lf#E##lfoo##" I "#\n"));
	CHECK(tell("register", ":lf:E::lbar::" I ":") == EEXIST);
	CHECK(!stat(FS "/lf", &st) && st.st_mode == (S_IFREG | 0644) && st.st_uid == 0);
	CHECK(same(show("lf"), "enabled\ninterpreter " I "\nflags: \nextension .lfoo\n"));
}

static void running(void)
{
	CHECK(runs(D "/x.lfoo", I "|" D "/x.lfoo|a b|| flags=0"));
	CHECK(same(hear(do_run_bare, D "/x.lfoo"), I "|" D "/x.lfoo| flags=0"));
	CHECK(!tell("lf", "0") &&
	      same(show("lf"), "disabled\ninterpreter " I "\nflags: \nextension .lfoo\n"));
	CHECK(runs(D "/x.lfoo", "errno 8"));
	CHECK(tell("lf", "x") == EINVAL && !tell("lf", "1\n"));
	CHECK(!tell("status", "0\n") && !strcmp(show("status"), "disabled\n"));
	CHECK(runs(D "/x.lfoo", "errno 8"));
	CHECK(!tell("status", "1") && runs(D "/x.lfoo", I "|" D "/x.lfoo|a b|| flags=0"));
	/* The last that was registered is asked first. */
	CHECK(!tell("register", ":lg:E::lfoo::" I ":P"));
	CHECK(same(show("lg"), "enabled\ninterpreter " I "\nflags: P\nextension .lfoo\n"));
	CHECK(runs(D "/x.lfoo", I "|" D "/x.lfoo|zero|a b|| flags=1"));
	CHECK(same(hear(do_run_bare, D "/x.lfoo"), I "|" D "/x.lfoo|| flags=1"));
	CHECK(!tell("lg", "-1") && tell("lg", "1") == ENOENT);
	CHECK(runs(D "/x.lfoo", I "|" D "/x.lfoo|a b|| flags=0"));
	CHECK(same(hear(do_run_cloexec, D "/x.lfoo"), "errno 8")); /* its name does not end so */
}

static void magic(void)
{
	CHECK(!tell("register", ":lm:M:2:a\\x00\\xf1:\\xff\\xff\\xF0:" I ":"));
	CHECK(same(show("lm"),
		   "enabled\ninterpreter " I "\nflags: \noffset 2\nmagic 6100f1\nmask fffff0\n"));
	CHECK(put(D "/m1", "xya\0\xfezzz", 8, 0755) && put(D "/m2", "xya\0\x0ezzz", 8, 0755));
	CHECK(runs(D "/m1", I "|" D "/m1|a b|| flags=0") && runs(D "/m2", "errno 8"));
	CHECK(same(hear(do_run_fd, D "/m1"), I "|/dev/fd/50| flags=0"));
	CHECK(same(hear(do_run_cloexec, D "/m1"), "errno 2"));
	CHECK(!tell("register", ":ln:M::\\x78\\x00\\x00\\x00::" I ":P"));
	CHECK(same(show("ln"), "enabled\ninterpreter " I "\nflags: P\noffset 0\nmagic 78000000\n"));
	CHECK(put(D "/m3", "x", 1, 0755) && runs(D "/m3", I "|" D "/m3|zero|a b|| flags=1"));
	CHECK(!tell("register", ":lo:M:253:end::" I ":") && !tell("lo", "-1"));
	CHECK(!tell("lm", "-1\n") && runs(D "/m1", "errno 8") && !tell("ln", "-1"));
	/* ELF files, too: it is asked before those who know them. */
	CHECK(!tell("register", ":lp:M::\\x7fELF::" D "/s2:") && copy(I, D "/elf"));
	CHECK(put_text(D "/s2", "#!/none\n") && runs(D "/elf", "errno 2") && !tell("lp", "-1"));
	CHECK(runs(D "/elf", "zero|a b|| flags=0"));
}

static void chains(void)
{
	CHECK(put_text(D "/c", "#!" D "/x.lfoo arg\n"));
	CHECK(runs(D "/c", I "|" D "/x.lfoo|arg|" D "/c|a b|| flags=0"));
	CHECK(put_text(D "/sc", "#!" I " one\n"));
	CHECK(!tell("register", ":lc:E::lsc::" D "/sc:") && put_text(D "/x.lsc", "data"));
	CHECK(runs(D "/x.lsc", I "|one|" D "/sc|" D "/x.lsc|a b|| flags=0"));
	CHECK(!tell("lc", "-1") && !tell("register", ":lc:E::lsc::" D "/sc:P"));
	CHECK(runs(D "/x.lsc", I "|one|" D "/sc|" D "/x.lsc|zero|a b|| flags=1"));
	CHECK(!tell("lc", "-1") && !tell("register", ":lc:E::lsc::" D "/sc:O"));
	CHECK(runs(D "/x.lsc", "errno 8"));
	CHECK(!tell("lc", "-1") && !tell("register", ":lc:E::lsc::" D "/x.lsc:"));
	CHECK(runs(D "/x.lsc", "errno 40") && !tell("lc", "-1"));
	CHECK(!tell("register", ":lc:E::lsc::" D "/none:") && runs(D "/x.lsc", "errno 2"));
	CHECK(!tell("lc", "-1"));
}

static void opened(void)
{
	CHECK(!tell("register", ":lx:E::lopen::" I ":O") && put_text(D "/x.lopen", "data"));
	CHECK(runs(D "/x.lopen", I "|" D "/x.lopen|a b|| flags=0 fd1=data"));
	/* Whom it runs as is the interpreter's business, or (C) the program's. */
	CHECK(put(D "/su.lopen", "prog", 4, 0111) && !chmod(D "/su.lopen", 04111));
	CHECK(same(hear(do_run_user, D "/su.lopen"), I "|" D "/su.lopen|a b|| flags=0 fd1=prog"));
	CHECK(!tell("lx", "-1") && !tell("register", ":lx:E::lopen::" I ":CP\n"));
	CHECK(same(show("lx"), "enabled\ninterpreter " I "\nflags: POC\nextension .lopen\n"));
	CHECK(same(hear(do_run_user, D "/su.lopen"),
		   I "|" D "/su.lopen|zero|a b|| flags=1 fd1=prog euid=0"));
	CHECK(!tell("lx", "-1"));
	/* F: the interpreter is open already, whatever becomes of its name. */
	CHECK(copy(I, D "/fixed") && !tell("register", ":lx:E::lopen::" D "/fixed:F"));
	CHECK_ERR(open(D "/fixed", O_WRONLY), ETXTBSY);
	CHECK(!unlink(D "/fixed"));
	CHECK(runs(D "/x.lopen", D "/fixed|" D "/x.lopen|a b|| flags=0"));
	CHECK(runs(D "/x.lopen", D "/fixed|" D "/x.lopen|a b|| flags=0"));
}

static void unmounted(void)
{
	CHECK(!umount2(FS, 0));
	CHECK_ERR(access(FS "/status", F_OK), ENOENT);
	CHECK(runs(D "/x.lfoo", "errno 8"));
	CHECK(!mount("none", FS, "binfmt_misc", 0, NULL) && !strcmp(show("status"), "enabled\n"));
	CHECK(access(FS "/lf", F_OK) && access(FS "/lx", F_OK));
	CHECK(!tell("register", ":lf:E::lfoo::" I ":") && !tell("register", ":lg:E::lbar::" I ":"));
	CHECK(runs(D "/x.lfoo", I "|" D "/x.lfoo|a b|| flags=0"));
	CHECK_ERR(open(FS "/new", O_WRONLY | O_CREAT, 0600), EACCES);
	CHECK_ERR(mount("none", FS, "binfmt_misc", 0, "x=1"), EINVAL);
	CHECK(!tell("status", "-1"));
	CHECK(access(FS "/lf", F_OK) && access(FS "/lg", F_OK) && !access(FS "/register", F_OK));
	CHECK(runs(D "/x.lfoo", "errno 8"));
	CHECK(!umount2(FS, 0));
}

int main(int argc, char **argv)
{
	int module = open("/modules/binfmt_misc.ko", O_RDONLY);

	if (getenv("BINFMT_REPORT"))
		return report(argc, argv);
	alarm(TAP_LIMIT);
	if (getuid()) {
		printf("1..0 # SKIP not root\n");
		return 0;
	}
	if (module >= 0) /* Linux may have it apart */
		syscall(SYS_finit_module, module, "", 0);
	mkdir(D, 0755);
	unlink(D "/link"); /* of a run before */
	rmdir(D "/m");
	REQUIRE(copy("/proc/self/exe", I));
	scripts();
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	elves();
	late_segments();
	late_elsewhere();
	if (mount("none", FS, "binfmt_misc", 0, NULL)) {
		printf("# binfmt_misc: %s: not tested\n", strerror(errno));
		return tap_done();
	}
	registering();
	running();
	magic();
	chains();
	opened();
	unmounted();
	return tap_done();
}
