/*
 * Core dumps: the file and what is in it, limits, names, filters, threads, programs that take them.
 */
#include "tracing.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define DIR "/core-test"
#define MIB (1l << 20)

static char *image; /* the core file in memory */
static size_t image_size;
static const char *self_path;

static int set_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

static int set_pattern(const char *text)
{
	return set_text("/proc/sys/kernel/core_pattern", text);
}

static void limit(rlim_t soft)
{
	struct rlimit r = { soft, RLIM_INFINITY };

	setrlimit(RLIMIT_CORE, &r);
}

/* Run @fn in a child in DIR; its wait status. */
static int crash(void (*fn)(void), pid_t *pid)
{
	int st = -1;

	*pid = fork();
	if (*pid == 0) {
		alarm(TAP_LIMIT);
		fn();
		_exit(0);
	}
	waitpid(*pid, &st, 0);
	return st;
}

static int load(const char *path)
{
	struct stat s;
	int fd = open(path, O_RDONLY);

	free(image);
	image = NULL;
	image_size = 0;
	if (fd < 0 || fstat(fd, &s))
		return -1;
	image = malloc((size_t)s.st_size + 1);
	while (image_size < (size_t)s.st_size) {
		ssize_t n = read(fd, image + image_size, (size_t)s.st_size - image_size);

		if (n <= 0)
			break;
		image_size += (size_t)n;
	}
	close(fd);
	return image_size == (size_t)s.st_size ? 0 : -1;
}

static const Elf64_Ehdr *header(void)
{
	return (const Elf64_Ehdr *)image;
}

static const Elf64_Phdr *segment(int i)
{
	return (const Elf64_Phdr *)(image + header()->e_phoff) + i;
}

/* The segment that holds @addr. */
static const Elf64_Phdr *segment_of(const volatile void *addr)
{
	unsigned long a = (unsigned long)addr;

	for (int i = 0; i < header()->e_phnum; i++) {
		const Elf64_Phdr *p = segment(i);

		if (p->p_type == PT_LOAD && a >= p->p_vaddr && a < p->p_vaddr + p->p_memsz)
			return p;
	}
	return NULL;
}

/* The dumped bytes at @addr, NULL: not dumped. */
static const char *dumped(const volatile void *addr)
{
	const Elf64_Phdr *p = segment_of(addr);
	unsigned long off = p ? (unsigned long)addr - p->p_vaddr : 0;

	return p && off < p->p_filesz ? image + p->p_offset + off : NULL;
}

/* The @nth note of @type; its length. */
static const char *note(unsigned type, int nth, unsigned *len)
{
	const Elf64_Phdr *p = segment(0);
	const char *at = image + p->p_offset, *end = at + p->p_filesz;

	while (at + sizeof(Elf64_Nhdr) <= end) {
		const Elf64_Nhdr *n = (const Elf64_Nhdr *)at;
		const char *data = at + sizeof(*n) + (n->n_namesz + 3) / 4 * 4;

		if (n->n_type == type && nth-- == 0) {
			*len = n->n_descsz;
			return data;
		}
		at = data + (n->n_descsz + 3) / 4 * 4;
	}
	*len = 0;
	return NULL;
}

static int note_count(unsigned type)
{
	unsigned len;
	int n = 0;

	while (note(type, n, &len))
		n++;
	return n;
}

/* --- one thread --- */

static volatile char marker[64] = "what a debugger wants to find";
static char *big;

static void segfaults(void)
{
	*(volatile int *)0x123450 = 1;
}

static void test_file(void)
{
	const char *n;
	unsigned len;
	struct stat s;
	pid_t pid;
	int st;

	limit(RLIM_INFINITY);
	CHECK(set_pattern("core") == 0);
	st = crash(segfaults, &pid);
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGSEGV && WCOREDUMP(st));
	CHECK(stat("core", &s) == 0 && S_ISREG(s.st_mode) && (s.st_mode & 0777) == 0600);
	CHECK(load("core") == 0);
	CHECK(!memcmp(image, ELFMAG, SELFMAG) && header()->e_type == ET_CORE &&
	      header()->e_machine == EM_AARCH64 && image[EI_CLASS] == ELFCLASS64);
	CHECK(segment(0)->p_type == PT_NOTE && header()->e_phnum > 4);
	CHECK(dumped(marker) && !strcmp(dumped(marker), (char *)marker));
	n = note(NT_PRSTATUS, 0, &len);
	CHECK(len == 392 && *(int *)n == SIGSEGV && ((short *)n)[6] == SIGSEGV);
	CHECK(((int *)n)[8] == pid && ((int *)n)[9] == getpid());
	n = note(NT_PRPSINFO, 0, &len);
	CHECK(len == 136 && !strcmp(n + 40, "coredump") && strstr(n + 56, "coredump"));
	n = note(NT_SIGINFO, 0, &len);
	CHECK(len == 128 && ((siginfo_t *)n)->si_signo == SIGSEGV &&
	      ((siginfo_t *)n)->si_code == SEGV_MAPERR &&
	      ((siginfo_t *)n)->si_addr == (void *)0x123450);
	n = note(NT_AUXV, 0, &len);
	CHECK(len >= 64 && len % 16 == 0);
	n = note(NT_FILE, 0, &len);
	CHECK(len > 40 && ((long *)n)[0] >= 1 && ((long *)n)[1] == 4096);
	CHECK(!strcmp(n + 16 + 24 * ((long *)n)[0], self_path));
	CHECK(note(NT_FPREGSET, 0, &len) && len == 528);
	CHECK(note(NT_ARM_TLS, 0, &len) && len >= 8);
	CHECK(note_count(NT_PRSTATUS) == 1);
	unlink("core");
}

static void holds_registers(void)
{
	__asm__ volatile("mov x19, #1900\n\tmov x28, #2800\n\tfmov d9, #2.5\n\tbrk #7" ::
				 : "x19", "x28", "v9");
}

static void test_registers(void)
{
	const uint64_t *regs;
	const char *n;
	unsigned len;
	double d;
	pid_t pid;
	int st = crash(holds_registers, &pid);

	CHECK(WTERMSIG(st) == SIGTRAP && WCOREDUMP(st) && load("core") == 0);
	n = note(NT_PRSTATUS, 0, &len);
	regs = (const uint64_t *)(n + 112);
	CHECK(n && regs[19] == 1900 && regs[28] == 2800);
	CHECK(dumped((void *)regs[31]) != NULL); /* the stack */
	n = note(NT_FPREGSET, 0, &len);
	if (n)
		memcpy(&d, n + 16 * 9, sizeof(d));
	CHECK(n && d == 2.5);
	unlink("core");
}

/* --- when not --- */

static void terms(void)
{
	kill(getpid(), SIGTERM);
}

static void quits(void)
{
	kill(getpid(), SIGQUIT);
}

static void undumpable(void)
{
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	abort();
}

static void test_none(void)
{
	struct stat s;
	pid_t pid;
	int st;

	limit(0);
	st = crash(segfaults, &pid);
	CHECK(WTERMSIG(st) == SIGSEGV && !WCOREDUMP(st) && access("core", F_OK));
	limit(100);
	st = crash(segfaults, &pid);
	CHECK(WTERMSIG(st) == SIGSEGV && !WCOREDUMP(st) && access("core", F_OK));
	limit(RLIM_INFINITY);
	st = crash(terms, &pid);
	CHECK(WTERMSIG(st) == SIGTERM && !WCOREDUMP(st) && access("core", F_OK));
	st = crash(undumpable, &pid);
	CHECK(WTERMSIG(st) == SIGABRT && !WCOREDUMP(st) && access("core", F_OK));
	st = crash(quits, &pid);
	CHECK(WTERMSIG(st) == SIGQUIT && WCOREDUMP(st) && !access("core", F_OK));
	unlink("core");
	/* Nowhere to put it. */
	CHECK(set_pattern(DIR "/no/such/folder/core") == 0);
	st = crash(quits, &pid);
	CHECK(WTERMSIG(st) == SIGQUIT && !WCOREDUMP(st));
	/* Cut off by the limit: there is one. */
	set_pattern("core");
	limit(20000);
	st = crash(segfaults, &pid);
	CHECK(WTERMSIG(st) == SIGSEGV && WCOREDUMP(st));
	CHECK(stat("core", &s) == 0 && s.st_size > 4096 && s.st_blocks * 512 <= 20000 + 4096);
	limit(RLIM_INFINITY);
	unlink("core");
}

/* What lies in the way. */
static void test_in_the_way(void)
{
	char text[8] = "";
	pid_t pid;
	int st, fd;

	fd = open("other", O_CREAT | O_RDWR, 0600);
	CHECK(write(fd, "mine", 4) == 4);
	CHECK(symlink("other", "core") == 0);
	st = crash(segfaults, &pid);
	CHECK(WCOREDUMP(st) && pread(fd, text, 4, 0) == 4 && !strcmp(text, "mine"));
	CHECK(load("core") == 0 && image_size > 4096);
	unlink("core");
	CHECK(link("other", "core") == 0);
	st = crash(segfaults, &pid);
	CHECK(WCOREDUMP(st) && pread(fd, text, 5, 0) == 4);
	unlink("core");
	close(fd);
	unlink("other");
	CHECK(mkdir("core", 0700) == 0);
	st = crash(segfaults, &pid);
	CHECK(WTERMSIG(st) == SIGSEGV && !WCOREDUMP(st));
	rmdir("core");
}

/* --- names --- */

static void test_names(void)
{
	char want[300], host[64] = "";
	pid_t pid;

	CHECK(set_pattern(DIR "/c.%p.%s.%e.%u.%g.%d.%%.%x.%h") == 0);
	CHECK(WCOREDUMP(crash(quits, &pid)));
	gethostname(host, sizeof(host));
	snprintf(want, sizeof(want), DIR "/c.%d.3.coredump.0.0.1.%%..%s", pid, host);
	CHECK(access(want, F_OK) == 0);
	unlink(want);
	CHECK(set_pattern("x.%E") == 0);
	CHECK(WCOREDUMP(crash(quits, &pid)));
	snprintf(want, sizeof(want), "x.%s", self_path);
	for (char *p = want; *p; p++)
		*p = *p == '/' ? '!' : *p;
	CHECK(access(want, F_OK) == 0);
	unlink(want);
	CHECK(set_pattern("core") == 0);
	CHECK(set_text("/proc/sys/kernel/core_uses_pid", "1") == 0);
	CHECK(WCOREDUMP(crash(quits, &pid)));
	snprintf(want, sizeof(want), "core.%d", pid);
	CHECK(access(want, F_OK) == 0);
	unlink(want);
	CHECK(set_text("/proc/sys/kernel/core_uses_pid", "0") == 0);
}

/* --- which memory --- */

static char *private_map, *shared_map, *untouched, *hidden, *file_map, *dont_dump, *read_only;

static void maps_and_crashes(void)
{
	int fd = open("data", O_RDWR);

	private_map = mmap(big, MIB, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	shared_map = mmap(big + MIB, MIB, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	file_map = mmap(big + 2 * MIB, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	read_only = mmap(big + 3 * MIB, 8192, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
	dont_dump = mmap(big + 4 * MIB, MIB, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	hidden = mmap(big + 5 * MIB, 8192, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	untouched = mmap(big + 64 * MIB, 4096 * MIB, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	strcpy(private_map + MIB / 2, "private");
	strcpy(shared_map + 5000, "shared");
	strcpy(dont_dump, "secret");
	strcpy(hidden, "hidden");
	untouched[3000 * MIB] = 'u';
	mprotect(hidden, 8192, PROT_NONE);
	madvise(dont_dump, MIB, MADV_DONTDUMP);
	if (read_only[0] != 'd' || file_map[0] != 'd')
		_exit(1);
	abort();
}

static void test_memory(void)
{
	struct stat s;
	pid_t pid;
	int st, fd = open("data", O_CREAT | O_RDWR, 0600);

	CHECK(write(fd, "data", 4) == 4 && ftruncate(fd, 8192) == 0);
	close(fd);
	big = mmap(NULL, 5000 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	st = crash(maps_and_crashes, &pid);
	CHECK(WTERMSIG(st) == SIGABRT && WCOREDUMP(st));
	/* As large as what it shows, but with holes. */
	CHECK(stat("core", &s) == 0 && s.st_size > 4096 * MIB && s.st_blocks * 512 < 16 * MIB);
	fd = open("core", O_RDONLY);
	image = realloc(image, 65536);
	CHECK(pread(fd, image, 65536, 0) == 65536);
	for (int i = 0; i < header()->e_phnum; i++) {
		const Elf64_Phdr *p = segment(i);
		char text[16] = "", c = 0;

		if (p->p_type != PT_LOAD)
			continue;
		if (p->p_vaddr == (unsigned long)big) {
			CHECK(p->p_filesz == (unsigned long)MIB && p->p_flags == (PF_R | PF_W));
			CHECK(pread(fd, text, 8, (long)p->p_offset + MIB / 2) == 8 &&
			      !strcmp(text, "private"));
		} else if (p->p_vaddr == (unsigned long)big + MIB) {
			CHECK(p->p_filesz == (unsigned long)MIB);
			CHECK(pread(fd, text, 7, (long)p->p_offset + 5000) == 7 &&
			      !strcmp(text, "shared"));
		} else if (p->p_vaddr == (unsigned long)big + 2 * MIB) {
			CHECK(p->p_filesz == 0 && p->p_memsz == 8192);
		} else if (p->p_vaddr == (unsigned long)big + 3 * MIB) {
			CHECK(p->p_filesz == 0 && p->p_flags == PF_R);
		} else if (p->p_vaddr == (unsigned long)big + 4 * MIB) {
			CHECK(p->p_filesz == 0 && p->p_memsz == (unsigned long)MIB);
		} else if (p->p_vaddr == (unsigned long)big + 5 * MIB) {
			CHECK(p->p_filesz == 8192 && p->p_flags == 0);
			CHECK(pread(fd, text, 7, (long)p->p_offset) == 7 &&
			      !strcmp(text, "hidden"));
		} else if (p->p_vaddr == (unsigned long)big + 64 * MIB) {
			CHECK(pread(fd, &c, 1, (long)p->p_offset + 3000 * MIB) == 1 && c == 'u');
		}
	}
	close(fd);
	unlink("core");
	munmap(big, 5000 * MIB);
}

static void filtered(void)
{
	int fd = open("data", O_RDWR);

	if (set_text("/proc/self/coredump_filter", "0x0c"))
		_exit(1);
	file_map = mmap(big, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	if (file_map[0] != 'd')
		_exit(2);
	abort();
}

static void test_filter(void)
{
	char text[32] = "";
	pid_t pid;
	int fd = open("/proc/self/coredump_filter", O_RDWR);

	CHECK(read(fd, text, sizeof(text) - 1) == 9 && !strcmp(text, "00000033\n"));
	CHECK_ERR(write(fd, "hello", 5), EINVAL);
	close(fd);
	big = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	big[4096] = 1;
	CHECK(WCOREDUMP(crash(filtered, &pid)) && load("core") == 0);
	CHECK(dumped(big) && !strcmp(dumped(big), "data"));
	CHECK(!dumped(big + 4096)); /* anonymous, not asked for */
	CHECK(dumped((char *)segfaults)); /* program text, by CORE_FILE_PRIVATE */
	munmap(big, 8192);
	unlink("core");
	unlink("data");
}

/* --- threads --- */

static volatile int running;

static void *computes(void *arg)
{
	__asm__ volatile("mov x19, %0\n\tfmov d10, %0" : : "r"(arg) : "x19", "v10");
	__atomic_add_fetch(&running, 1, __ATOMIC_SEQ_CST);
	for (;;)
		__asm__ volatile("mov x19, %0" : : "r"(arg) : "x19");
	return NULL;
}

static void *sleeps(void *arg)
{
	__atomic_add_fetch(&running, 1, __ATOMIC_SEQ_CST);
	pause();
	return NULL;
}

static void threads_crash(void)
{
	pthread_t t;

	for (long i = 0; i < 6; i++)
		pthread_create(&t, NULL, i % 2 ? sleeps : computes, (void *)(7000 + i));
	while (running < 6)
		sched_yield();
	abort();
}

static void test_threads(void)
{
	int computing = 0, n;
	unsigned len;
	pid_t pid;
	int st = crash(threads_crash, &pid);

	CHECK(WTERMSIG(st) == SIGABRT && WCOREDUMP(st) && load("core") == 0);
	n = note_count(NT_PRSTATUS);
	CHECK(n == 7 && note_count(NT_FPREGSET) == 7 && note_count(NT_ARM_TLS) == 7);
	CHECK(note_count(NT_PRPSINFO) == 1);
	for (int i = 0; i < n; i++) {
		const char *p = note(NT_PRSTATUS, i, &len);
		const uint64_t *regs = (const uint64_t *)(p + 112);

		computing += regs[19] == 7000 || regs[19] == 7002 || regs[19] == 7004;
		if (i == 0)
			CHECK(((int *)p)[8] == pid);
	}
	CHECK(computing == 3);
	unlink("core");
}

/* A thread that is not the leader crashes; the leader has gone. */
static void *thread_crashes(void *arg)
{
	until_state(getpid(), 'Z');
	abort();
	return NULL;
}

static void leader_gone(void)
{
	pthread_t t;

	pthread_create(&t, NULL, thread_crashes, NULL);
	syscall(SYS_exit, 0);
}

static void both_crash(void)
{
	pthread_t t;

	for (int i = 0; i < 4; i++)
		pthread_create(&t, NULL, (void *(*)(void *))(void (*)(void))segfaults, NULL);
	segfaults();
}

static void test_leader_gone(void)
{
	pid_t pid;
	int st = crash(leader_gone, &pid);

	CHECK(WTERMSIG(st) == SIGABRT && WCOREDUMP(st) && load("core") == 0);
	CHECK(note_count(NT_PRSTATUS) == 1);
	unlink("core");
	for (int i = 0; i < 20; i++) {
		st = crash(both_crash, &pid);
		if (WTERMSIG(st) != SIGSEGV || !WCOREDUMP(st) || load("core"))
			break;
	}
	CHECK(WTERMSIG(st) == SIGSEGV && WCOREDUMP(st) && image_size > 4096);
	unlink("core");
}

/* --- who is traced --- */

static void test_traced(void)
{
	pid_t pid = traced_child(segfaults);
	int st;

	CHECK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT) == 0);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == STOP(SIGSEGV));
	CHECK(trace(PTRACE_CONT, pid, 0, SIGSEGV) == 0);
	CHECK(news(pid) == EVENT(PTRACE_EVENT_EXIT));
	/* The dump is there before the end. */
	CHECK(get_message(pid) == (SIGSEGV | 0x80) && access("core", F_OK) == 0);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	st = news(pid);
	CHECK(WTERMSIG(st) == SIGSEGV && WCOREDUMP(st));
	unlink("core");
}

/* --- programs that take them --- */

/* As the program: what comes in is copied to the file, the arguments to another. */
static int take(int argc, char **argv)
{
	int closed = fcntl(1, F_GETFD) == -1;
	int out = open(DIR "/taken", O_CREAT | O_WRONLY | O_TRUNC, 0600);
	FILE *args;
	char buf[4096];
	ssize_t n;

	while ((n = read(0, buf, sizeof(buf))) > 0) {
		if (write(out, buf, (size_t)n) != n)
			return 1;
	}
	close(out);
	args = fopen(DIR "/args.new", "w");
	fprintf(args, "%d", argc);
	for (int i = 1; i < argc; i++)
		fprintf(args, " [%s]", argv[i]);
	fprintf(args, " uid %d closed %d", getuid(), closed);
	fclose(args);
	rename(DIR "/args.new", DIR "/args");
	return 0;
}

static void test_program(void)
{
	char text[256], want[256];
	pid_t pid;
	FILE *f;
	int st;

	snprintf(text, sizeof(text), "|%s take  %%p %%s%%%% %%e", self_path);
	CHECK(set_pattern(text) == 0);
	limit(0); /* which is for files */
	st = crash(segfaults, &pid);
	CHECK(WTERMSIG(st) == SIGSEGV && WCOREDUMP(st));
	CHECK(EVENTUALLY(access(DIR "/args", F_OK) == 0));
	f = fopen(DIR "/args", "r");
	CHECK(f && fgets(text, sizeof(text), f));
	if (f)
		fclose(f);
	snprintf(want, sizeof(want), "5 [take] [%d] [11%%] [coredump] uid 0 closed 1", pid);
	if (!CHECK(!strcmp(text, want)))
		printf("# %s\n# %s\n", text, want);
	CHECK(load(DIR "/taken") == 0 && dumped(marker) && !strcmp(dumped(marker), (char *)marker));
	CHECK(note_count(NT_PRSTATUS) == 1);
	/* It is nobody's child here. */
	CHECK(waitpid(-1, &st, WNOHANG | __WALL) == -1 && errno == ECHILD);
	CHECK(set_pattern("|/no/such/program") == 0);
	st = crash(segfaults, &pid);
	CHECK(WTERMSIG(st) == SIGSEGV && !WCOREDUMP(st));
	unlink(DIR "/taken");
	unlink(DIR "/args");
	limit(RLIM_INFINITY);
	set_pattern("core");
}

/* SIGKILL ends a dump that nobody takes. */
static void test_kill(void)
{
	struct pollfd ready;
	char text[256];
	int st, over;
	pid_t pid;

	REQUIRE(!mkfifo(DIR "/ready", 0600) && !mkfifo(DIR "/over", 0600));
	ready = (struct pollfd){ open(DIR "/ready", O_RDWR), POLLIN, 0 };
	over = open(DIR "/over", O_RDWR);
	snprintf(text, sizeof(text), "|%s stall", self_path);
	CHECK(set_pattern(text) == 0);
	pid = fork();
	if (pid == 0) {
		big = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			   0);
		memset(big, 1, 4 * MIB);
		threads_crash();
	}
	CHECK(poll(&ready, 1, TAP_PATIENCE_MS) == 1 && read(ready.fd, text, 1) == 1);
	CHECK(waitpid(pid, &st, WNOHANG) == 0);
	kill(pid, SIGTERM);
	kill(pid, SIGCONT);
	CHECK(waitpid(pid, &st, WNOHANG) == 0);
	kill(pid, SIGKILL);
	if (!CHECK(waitpid(pid, &st, 0) == pid && st == SIGKILL))
		printf("# status %x\n", st);
	CHECK(write(over, "o", 1) == 1);
	CHECK(poll(&ready, 1, TAP_PATIENCE_MS) == 1 && read(ready.fd, text, 1) == 1);
	close(ready.fd);
	close(over);
	unlink(DIR "/ready");
	unlink(DIR "/over");
	set_pattern("core");
}

/* Takes nothing until it is told to go; it answers then, so that nobody misses its pipe. */
static int stall(void)
{
	int ready = open(DIR "/ready", O_WRONLY), over = open(DIR "/over", O_RDONLY);
	char c;

	return write(ready, "r", 1) != 1 || read(over, &c, 1) != 1 || write(ready, "o", 1) != 1;
}

/* --- changed credentials --- */

static void becomes_user(void)
{
	if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
		_exit(1);
	abort();
}

static void test_suid(void)
{
	struct stat s;
	pid_t pid;
	int st;

	CHECK(chmod(DIR, 0777) == 0);
	st = crash(becomes_user, &pid);
	CHECK(WTERMSIG(st) == SIGABRT && !WCOREDUMP(st));
	CHECK(set_text("/proc/sys/fs/suid_dumpable", "2") == 0);
	/* As root, and only to an absolute name that is free. */
	st = crash(becomes_user, &pid);
	CHECK(WTERMSIG(st) == SIGABRT && !WCOREDUMP(st));
	CHECK(set_pattern(DIR "/suid") == 0);
	st = crash(becomes_user, &pid);
	CHECK(WCOREDUMP(st) && stat("suid", &s) == 0 && s.st_uid == 0 &&
	      (s.st_mode & 0777) == 0600);
	st = crash(becomes_user, &pid);
	CHECK(WTERMSIG(st) == SIGABRT && !WCOREDUMP(st));
	unlink("suid");
	CHECK(set_text("/proc/sys/fs/suid_dumpable", "0") == 0);
	set_pattern("core");
}

int main(int argc, char **argv)
{
	char path[256];
	ssize_t n;

	if (argc > 1 && !strcmp(argv[1], "take"))
		return take(argc, argv);
	if (argc > 1 && !strcmp(argv[1], "stall"))
		return stall();
	n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = 0;
	self_path = path;
	alarm(TAP_LIMIT);
	umask(022);
	REQUIRE((mkdir(DIR, 0700) == 0 || errno == EEXIST) && chdir(DIR) == 0);
	test_file();
	test_registers();
	test_none();
	test_in_the_way();
	test_names();
	test_memory();
	test_filter();
	test_threads();
	test_leader_gone();
	test_traced();
	test_program();
	test_kill();
	test_suid();
	chdir("/");
	rmdir(DIR);
	return tap_done();
}
