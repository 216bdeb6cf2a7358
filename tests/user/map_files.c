/*
 * /proc/PID/map_files: names, modes, where the links lead, who may follow them.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "listing.h"
#include "tap.h"

#define PAGE 4096ul
#define FOLDER "/proc/self/map_files"

static char path[128];

/* The name of a mapping of @pages at @m. */
static const char *name_of(const char *m, unsigned long pages)
{
	snprintf(path, sizeof(path), FOLDER "/%lx-%lx", (unsigned long)m,
		 (unsigned long)m + pages * PAGE);
	return path;
}

static int leads_to(const char *link, const char *want)
{
	char text[256];
	ssize_t n = readlink(link, text, sizeof(text) - 1);

	if (n < 0)
		return 0;
	text[n] = '\0';
	return !strcmp(text, want);
}

static unsigned mode_of(const char *name)
{
	struct stat st;

	return lstat(name, &st) ? 0 : st.st_mode;
}

static void test_names(void)
{
	int fd = open("map.file", O_RDWR | O_CREAT | O_TRUNC, 0600),
	    ro = open("map.file", O_RDONLY);
	struct stat here, there;
	char *m, *r, name[64];

	REQUIRE(fd >= 0 && ro >= 0 && ftruncate(fd, 8 * PAGE) == 0);
	m = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	r = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, ro, 0);
	CHECK((mode_of(FOLDER) & 07777) == 0500 && S_ISDIR(mode_of(FOLDER)));
	CHECK(mode_of(name_of(m, 8)) == (S_IFLNK | 0600));
	CHECK(mode_of(name_of(r, 1)) == (S_IFLNK | 0400));
	CHECK(!stat(name_of(m, 8), &there) && !fstat(fd, &here) && here.st_ino == there.st_ino);
	CHECK(lists(FOLDER, strrchr(name_of(m, 8), '/') + 1));
	/* Whole regions only, and no other spelling. */
	CHECK(!mode_of(name_of(m, 4)) && errno == ENOENT);
	CHECK(!mode_of(name_of(m + PAGE, 7)) && errno == ENOENT);
	snprintf(name, sizeof(name), FOLDER "/0%lx-%lx", (unsigned long)m,
		 (unsigned long)m + 8 * PAGE);
	CHECK(!mode_of(name));
	snprintf(name, sizeof(name), FOLDER "/%lX-%lX", (unsigned long)m | 1, (unsigned long)m);
	CHECK(!mode_of(name));
	CHECK(!mode_of(FOLDER "/-") && !mode_of(FOLDER "/x") && !mode_of(FOLDER "/0-0"));
	munmap(m + 4 * PAGE, 4 * PAGE);
	CHECK(!mode_of(name_of(m, 8)));
	CHECK(mode_of(name_of(m, 4)) == (S_IFLNK | 0600));
	munmap(r, PAGE);
	CHECK(!mode_of(name_of(r, 1)));
	unlink("map.file");
	munmap(m, 4 * PAGE);
	close(fd);
	close(ro);
}

/* A file without a name can be opened again. */
static void test_lost(void)
{
	int fd = open("map.lost", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char c, *m;

	REQUIRE(fd >= 0 && write(fd, "lost", 4) == 4);
	m = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	unlink("map.lost");
	close(fd);
	fd = open(name_of(m, 1), O_RDONLY);
	CHECK(fd >= 0 && read(fd, &c, 1) == 1 && c == 'l');
	close(fd);
	CHECK(!leads_to(path, "map.lost"));
	munmap(m, PAGE);
	m = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(!mode_of(name_of(m, 2)));
	munmap(m, 2 * PAGE);
}

/* Has /proc/self/maps a line that begins with @want? */
static int maps_has(const char *want)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512];
	int found = 0;

	while (f && fgets(line, sizeof(line), f))
		found |= !strncmp(line, want, strlen(want));
	if (f)
		fclose(f);
	return found;
}

/* /dev/zero, mapped privately, keeps its name, and is anonymous memory otherwise. */
static void test_zero(void)
{
	int fd = open("/dev/zero", O_RDWR), st;
	char *m = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 3 * PAGE), want[64];
	pid_t p;

	REQUIRE(fd >= 0 && m != MAP_FAILED);
	close(fd);
	CHECK(leads_to(name_of(m, 2), "/dev/zero"));
	snprintf(want, sizeof(want), "%lx-%lx rw-p 00003000 00:", (unsigned long)m,
		 (unsigned long)m + 2 * PAGE);
	CHECK(maps_has(want));
	CHECK(m[0] == 0 && m[PAGE] == 0);
	m[PAGE] = 1;
	p = fork();
	if (!p)
		_exit(m[PAGE] == 1 && (m[PAGE] = 2) && m[0] == 0 ? 0 : 1);
	CHECK(waitpid(p, &st, 0) == p && st == 0 && m[PAGE] == 1);
	m = mremap(m, 2 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
	CHECK(m != MAP_FAILED && m[PAGE] == 1 && m[7 * PAGE] == 0);
	CHECK(leads_to(name_of(m, 8), "/dev/zero"));
	CHECK(madvise(m, PAGE, MADV_FREE) == 0);
	CHECK(madvise(m, PAGE, MADV_WIPEONFORK) < 0 && errno == EINVAL);
	CHECK(madvise(m, 2 * PAGE, MADV_DONTNEED) == 0 && m[PAGE] == 0);
	munmap(m, 8 * PAGE);
}

/* Without the privilege: the text, not the file. */
static void test_privilege(void)
{
	int fd = memfd_create("shared", 0), st;
	char *m;
	pid_t p;

	REQUIRE(fd >= 0 && ftruncate(fd, PAGE) == 0);
	m = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	p = fork();
	if (!p) {
		int wrong;

		if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
			_exit(64);
		wrong = open("/proc/1/map_files", O_RDONLY) >= 0 || errno != EACCES;
		/* One's own is open, though it belongs to root as long as nobody may look in. */
		wrong |= (open(FOLDER, O_RDONLY) < 0) * 2;
		wrong |= !leads_to(name_of(m, 1), "/memfd:shared (deleted)") * 4;
		wrong |= (open(path, O_RDONLY) >= 0 || errno != EPERM) * 8;
		_exit(wrong);
	}
	CHECK(waitpid(p, &st, 0) == p && st == 0);
	munmap(m, PAGE);
	close(fd);
}

int main(void)
{
	alarm(TAP_LIMIT);
	test_names();
	test_lost();
	test_zero();
	test_privilege();
	return tap_done();
}
