#pragma once
/*
 * For tests of what is told about files: events as text. Who includes this has events(), which takes
 * what there is and returns it as one line.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "tap.h"

static const char *events(void);

static inline int expect_line(const char *want, int line)
{
	const char *got = events();
	int same = !strcmp(got, want);
	char what[512];

	snprintf(what, sizeof(what), "line %d: %s", line, want);
	if (!tap_result(same, what, __FILE__, line, 0))
		printf("# got  %s\n# want %s\n", got, want);
	return same;
}
#define EXPECT(want) expect_line(want, __LINE__)

static inline void put(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		perror(name);
	close(fd);
}
