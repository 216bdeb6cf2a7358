/*
 * Images by mke2fs, and what e2fsck and debugfs say of them: files in a folder of this process's
 * own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];
static char report[65536];

static void clean_up(void)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", folder);
	if (system(cmd))
		perror(folder);
}

static const char *path_of(const char *name)
{
	static char path[128];

	if (!folder[0]) {
		const char *tmp = getenv("TMPDIR");

		snprintf(folder, sizeof(folder), "%s/ext-XXXXXX", tmp ? tmp : "/tmp");
		if (!mkdtemp(folder)) {
			perror("mkdtemp");
			exit(1);
		}
		atexit(clean_up);
	}
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

/* The output of a command in report[]; its status. */
static int run(const char *cmd)
{
	FILE *p = popen(cmd, "r");
	size_t n = p ? fread(report, 1, sizeof(report) - 1, p) : 0;

	report[n] = '\0';
	return p ? pclose(p) : -1;
}

static void save(const void *image, unsigned long bytes)
{
	FILE *f = fopen(path_of("image"), "w");

	if (!f || fwrite(image, 1, bytes, f) != bytes || fclose(f)) {
		perror("image");
		exit(1);
	}
}

static void load(void *image, unsigned long bytes)
{
	FILE *f = fopen(path_of("image"), "r");

	if (!f || fread(image, 1, bytes, f) != bytes) {
		perror("image");
		exit(1);
	}
	fclose(f);
}

void *tool_mkfs(const char *options, unsigned long bytes)
{
	char cmd[512];
	void *image = malloc(bytes);

	path_of("image");
	snprintf(
		cmd, sizeof(cmd),
		"PATH=$PATH:/usr/sbin:/sbin; export E2FSPROGS_FAKE_TIME=1700000000; rm -f %s; truncate -s %lu %s && mke2fs -q -F -t ext2 %s %s 2>&1",
		path_of("image"), bytes, path_of("image"), options, path_of("image"));
	if (run(cmd)) {
		printf("mke2fs %s: %s\n", options, report);
		exit(1);
	}
	load(image, bytes);
	return image;
}

void tool_free(void *image, unsigned long bytes)
{
	free(image);
}

const char *tool_fsck(void *image, unsigned long bytes, int repair, const char *more)
{
	char cmd[256];
	int status;

	save(image, bytes);
	if (repair) {
		snprintf(cmd, sizeof(cmd), "PATH=$PATH:/usr/sbin:/sbin; e2fsck -fy %s %s 2>&1",
			 more, path_of("image"));
		status = run(cmd);
		/* 1 and 2: repaired. */
		if (status >> 8 > 2)
			return report;
		load(image, bytes);
	}
	snprintf(cmd, sizeof(cmd), "PATH=$PATH:/usr/sbin:/sbin; e2fsck -fn %s 2>&1",
		 path_of("image"));
	return run(cmd) ? report : NULL;
}

long tool_cat(const void *image, unsigned long bytes, const char *path, void *buf,
	      unsigned long size)
{
	char cmd[512];
	FILE *p;
	size_t n;

	save(image, bytes);
	snprintf(cmd, sizeof(cmd), "PATH=$PATH:/usr/sbin:/sbin; debugfs -R 'cat %s' %s 2>/dev/null",
		 path, path_of("image"));
	p = popen(cmd, "r");
	n = fread(buf, 1, size, p);
	pclose(p);
	return (long)n;
}
