/*
 * The guest's half of the power-cut test: powercut FOLDER ROUND. Three processes make, change, rename and
 * remove files without end; the fourth writes files whose contents follow from their names, calls
 * fsync on each and on the folder, and only then says "kept NAME SIZE" on standard output. The host
 * pulls the plug at any time, and later looks for each file that was kept.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned state;

static unsigned any(unsigned n)
{
	state = state * 1664525u + 1013904223u;
	return (state >> 8) % n;
}

static void fill(char *buf, size_t n, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < n; i++)
		buf[i] = name[i % len];
}

/* One random change; what fails (no room, no such file) does not matter. */
static void change(const char *me)
{
	static char buf[70000];
	char a[64], b[64];
	int fd;

	snprintf(a, sizeof(a), "%s-%u", me, any(40));
	snprintf(b, sizeof(b), "%s-%u", me, any(40));
	switch (any(8)) {
	case 0:
	case 1:
	case 2:
		fd = open(a, O_WRONLY | O_CREAT, 0644);
		if (fd >= 0 && pwrite(fd, buf, any(sizeof(buf)), any(400000)) < 0)
			unlink(b);
		if (fd >= 0)
			close(fd);
		break;
	case 3: (void)!truncate(a, any(300000)); break;
	case 4: rename(a, b); break;
	case 5: (void)!link(a, b); break;
	case 6: unlink(a); break;
	case 7:
		strcat(a, ".d");
		if (mkdir(a, 0755))
			rmdir(a);
		break;
	}
}

static void load(unsigned n, unsigned round)
{
	char me[16];

	snprintf(me, sizeof(me), "load%u", n);
	state = round * 16 + n;
	for (;;)
		change(me);
}

static void keep(unsigned round)
{
	static char buf[200000];
	char name[64];

	state = round * 16 + 9;
	for (unsigned i = 0;; i++) {
		unsigned size = 1 + any(any(4) ? 5000 : sizeof(buf) - 1);
		int fd, dir = open(".", O_RDONLY);

		snprintf(name, sizeof(name), "kept-%u-%u", round, i);
		fill(buf, size, name);
		fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);
		if (fd < 0 || write(fd, buf, size) != (ssize_t)size || fsync(fd) || fsync(dir)) {
			perror(name);
			exit(1);
		}
		close(fd);
		close(dir);
		printf("kept %s %u\n", name, size);
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	unsigned round = argc > 2 ? (unsigned)atoi(argv[2]) : 0;

	if (argc < 3 || chdir(argv[1]))
		return 2;
	for (unsigned n = 0; n < 3; n++)
		if (!fork())
			load(n, round);
	keep(round);
	return 1;
}
