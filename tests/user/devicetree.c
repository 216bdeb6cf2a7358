/*
 * The machine's device tree in /sys/firmware: the blob (fdt), and devicetree/base made from it, to
 * which /proc/device-tree points. The blob is taken apart here by the Devicetree Specification
 * v0.3, chapter 5, and every node and property is looked for. Runs as root.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include "tap.h"

#define BASE "/sys/firmware/devicetree/base"

static unsigned char blob[2 << 20];
static size_t blob_size;

static uint32_t word(size_t at)
{
	return (uint32_t)blob[at] << 24 | (uint32_t)blob[at + 1] << 16 |
	       (uint32_t)blob[at + 2] << 8 | blob[at + 3];
}

static size_t read_all(const char *path, unsigned char *to, size_t room)
{
	int fd = open(path, O_RDONLY);
	size_t have = 0;
	ssize_t n;

	while (fd >= 0 && have < room && (n = read(fd, to + have, room - have)) > 0)
		have += (size_t)n;
	if (fd >= 0)
		close(fd);
	return have;
}

/* Is the file at @path @size bytes long by stat, readable by all, and are its bytes @want? */
static int is_file(const char *path, const void *want, size_t size)
{
	static unsigned char got[1 << 16];
	struct stat st;

	return !stat(path, &st) && st.st_mode == (S_IFREG | 0444) && st.st_size == (off_t)size &&
	       size < sizeof(got) && read_all(path, got, sizeof(got)) == size &&
	       !memcmp(got, want, size);
}

static int is_node(const char *path, const char *name)
{
	char file[600], want[100];
	size_t len = strcspn(name, "@");
	struct stat st;

	memcpy(want, name, len);
	want[len] = 0;
	snprintf(file, sizeof(file), "%s/name", path);
	return !stat(path, &st) && st.st_mode == (S_IFDIR | 0755) && is_file(file, want, len + 1);
}

static int entries(const char *path)
{
	DIR *d = opendir(path);
	int n = -2; /* . and .. */

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

/* Each token of the structure block beside the files; how many of them, or a negative count. */
static int compare_tree(void)
{
	size_t at = word(8), strings = word(12);
	int found = 0, depth = 0, children[16] = { 0 };
	char path[400] = BASE, file[600];

	while (at < blob_size && depth >= 0 && depth < 15) {
		uint32_t token = word(at);
		const char *name = (char *)blob + at + 4;

		at += 4;
		if (token == 9)
			return found;
		if (token == 1) {
			if (*name)
				sprintf(path + strlen(path), "/%s", name);
			if (!is_node(path, name))
				break;
			children[depth++]++;
			children[depth] = 1;
			at += (strlen(name) + 4) & ~3ul;
		} else if (token == 3) {
			name = (char *)blob + strings + word(at + 4);
			snprintf(file, sizeof(file), "%s/%s", path, name);
			if (!strcmp(name, "rng-seed") || !is_file(file, blob + at + 8, word(at)))
				break;
			children[depth]++;
			at += 8 + ((word(at) + 3) & ~3u);
		} else if (token == 2) {
			if (entries(path) != children[depth--])
				break;
			*strrchr(path, '/') = 0;
		} else if (token != 4) {
			break;
		}
		found++;
	}
	printf("# at %s, offset %zu\n", path, at);
	return -found;
}

int main(void)
{
	char text[100];
	unsigned char b[8];
	struct stat st;
	ssize_t n = readlink("/proc/device-tree", text, sizeof(text));
	int fd;

	CHECK(n == sizeof(BASE) - 1 && !memcmp(text, BASE, sizeof(BASE) - 1));
	CHECK(is_file("/proc/device-tree/#address-cells", "\0\0\0\2", 4));
	CHECK(is_file("/proc/device-tree/name", "", 1));
	CHECK(!stat("/sys/firmware/fdt", &st) && st.st_mode == (S_IFREG | 0400));
	blob_size = read_all("/sys/firmware/fdt", blob, sizeof(blob));
	REQUIRE(blob_size > 1000 && blob_size == (size_t)st.st_size && word(0) == 0xd00dfeed);
	CHECK(compare_tree() > 100);

	/* at a place, behind the end, and for writing */
	fd = open(BASE "/compatible", O_RDONLY);
	CHECK(fd >= 0 && pread(fd, b, 3, 2) == 3 && !memcmp(b, "nux", 3));
	CHECK(pread(fd, b, 3, 1000) == 0 && lseek(fd, -1, SEEK_END) > 0 && read(fd, b, 8) == 1);
	CHECK_ERR(open(BASE "/compatible", O_RDWR), EACCES);
	CHECK_ERR(open(BASE "/none", O_RDONLY), ENOENT);
	CHECK_ERR(mkdir(BASE "/none", 0755), EPERM);
	close(fd);
	return tap_done();
}
