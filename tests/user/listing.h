#pragma once
/* What a directory shows. */
#include <dirent.h>
#include <string.h>

/* Is @name among the entries of @dir? */
static inline int lists(const char *dir, const char *name)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int found = 0;

	while (d && (e = readdir(d)))
		found |= !strcmp(e->d_name, name);
	if (d)
		closedir(d);
	return found;
}
