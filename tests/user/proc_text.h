/* Reading and writing the small texts of /proc and /sys. */
#pragma once
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tap.h"

static char text[65536];

/* The file's text in @text; its length. */
static ssize_t slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = 0, r;

	text[0] = 0;
	if (fd < 0)
		return -1;
	while ((r = read(fd, text + n, sizeof(text) - 1 - (size_t)n)) > 0)
		n += r;
	text[n] = 0;
	close(fd);
	return r < 0 ? -1 : n;
}

static inline int spit(const char *path, const char *what)
{
	int fd = open(path, O_WRONLY), r;

	if (fd < 0)
		return -1;
	r = write(fd, what, strlen(what)) == (ssize_t)strlen(what) ? 0 : -1;
	close(fd);
	return r;
}

static inline unsigned long long field(const char *name)
{
	char *p = strstr(text, name);

	return p ? strtoull(p + strlen(name), NULL, 10) : ~0ull;
}
