/*
 * Landlock (landlock(7)): moves and links between directories, and LANDLOCK_ACCESS_FS_REFER. Makes
 * a new directory under the current one. Run as root.
 */
#define _GNU_SOURCE
#include "landlock.h"

static int refer_without_right(void)
{
	/* That denies links to other directories, whatever is handled. */
	WANT(!layer(R(MAKE_SYM), ".", R(MAKE_SYM)));
	WANT_ERR(rename("a/f", "a/b/moved"), EXDEV);
	WANT_ERR(link("a/f", "a/b/linked"), EXDEV);
	WANT_ERR(rename2("a/f", "a/b/f", RENAME_EXCHANGE), EXDEV);
	WANT(!rename("a/f", "a/moved") && !rename("a/moved", "a/f"));
	WANT(!link("a/f", "a/linked") && !unlink("a/linked"));
	WANT_ERR(rename("a/none", "a/b/x"), ENOENT);
	WANT_ERR(rename2("a/f", "a/b/f", RENAME_NOREPLACE), EEXIST);
	WANT_ERR(rename("a/b", "a/b/c/x"), EINVAL);
	return 0;
}

static int refer_with_right(void)
{
	WANT(!layer(R(REFER), "a", R(REFER)));
	WANT(!rename("a/f", "a/b/moved") && !rename("a/b/moved", "a/f"));
	WANT(!link("a/f", "a/b/linked") && !unlink("a/b/linked"));
	WANT(!rename2("a/f", "a/b/f", RENAME_EXCHANGE));
	WANT(!rename2("a/f", "a/b/f", RENAME_EXCHANGE));
	WANT(!mkdir("a/dir", 0755) && !rename("a/dir", "a/b/dir") && !rmdir("a/b/dir"));
	WANT_ERR(rename("a/f", "out/moved"), EXDEV);
	WANT_ERR(link("out/f", "a/linked"), EXDEV);
	return 0;
}

/* Where more is allowed, nothing comes to from where less is. */
static int refer_gains_nothing(void)
{
	int set = ruleset(R(REFER) | R(EXECUTE));

	WANT(!allow(set, "a", R(REFER)) && !allow(set, "a/b", R(EXECUTE)));
	WANT(!enforce(set));
	WANT_ERR(rename("a/f", "a/b/moved"), EXDEV);
	WANT_ERR(link("a/f", "a/b/linked"), EXDEV);
	WANT(!make_file("a/b/fresh"));
	WANT(!rename("a/b/fresh", "a/fresh"));
	WANT_ERR(rename("a/fresh", "a/b/fresh"), EXDEV);
	WANT_ERR(rename2("a/f", "a/b/f", RENAME_EXCHANGE), EXDEV);
	WANT(!unlink("a/fresh"));
	return 0;
}

/* What the file's own rule allows it takes along. */
static int refer_of_allowed(void)
{
	int set = ruleset(R(REFER) | R(EXECUTE));

	WANT(!make_file("a/taken"));
	WANT(!allow(set, "a", R(REFER)) && !allow(set, "a/b", R(EXECUTE)) &&
	     !allow(set, "a/taken", R(EXECUTE)));
	WANT(!enforce(set));
	WANT(!rename("a/taken", "a/b/taken"));
	WANT_ERR(rename("a/f", "a/b/moved"), EXDEV);
	WANT(!unlink("a/b/taken"));
	return 0;
}

/* Rights that only directories can have do not hinder a file. */
static int refer_of_kinds(void)
{
	int set = ruleset(R(REFER) | R(MAKE_SOCK));

	WANT(!mkdir("a/dir", 0755));
	WANT(!allow(set, "a", R(REFER)) && !allow(set, "a/b", R(MAKE_SOCK)));
	WANT(!enforce(set));
	WANT(!rename("a/f", "a/b/moved") && !rename("a/b/moved", "a/f"));
	WANT_ERR(rename("a/dir", "a/b/dir"), EXDEV);
	WANT(!rmdir("a/dir"));
	return 0;
}

/* EACCES for a right that lacks comes before EXDEV. */
static int refer_errors(void)
{
	int set = ruleset(R(MAKE_REG) | R(REMOVE_FILE));

	WANT(!allow(set, "a", R(REMOVE_FILE)));
	WANT(!enforce(set));
	WANT_ERR(rename("a/f", "a/b/moved"), EACCES);
	WANT_ERR(link("a/f", "a/b/linked"), EACCES);
	WANT_ERR(rename("a/f", "a/g"), EACCES);
	WANT_ERR(link("a", "out/dir"), EXDEV); /* nothing handled is needed, and not EPERM */
	return 0;
}

static int refer_rights(void)
{
	int set = ruleset(R(REFER) | R(MAKE_REG) | R(REMOVE_FILE));

	WANT(!allow(set, "a", R(REFER) | R(MAKE_REG) | R(REMOVE_FILE)));
	WANT(!allow(set, "out", R(REFER) | R(MAKE_REG)));
	WANT(!enforce(set));
	WANT(!make_file("a/one"));
	WANT(!link("a/one", "out/two"));
	WANT_ERR(rename("out/two", "a/three"), EACCES);
	WANT(!rename("a/one", "out/three"));
	WANT_ERR(rename("out/three", "out/four"), EACCES);
	WANT(!link("out/three", "a/four") && !unlink("a/four"));
	return 0;
}

/* Each layer has to agree, the first though it knows nothing of it. */
static int refer_layers(void)
{
	WANT(!layer(R(REFER), ".", R(REFER)));
	WANT(!rename("a/f", "out/moved") && !rename("out/moved", "a/f"));
	WANT(!layer(R(EXECUTE), ".", R(EXECUTE)));
	WANT_ERR(rename("a/f", "out/moved"), EXDEV);
	WANT(!rename("a/f", "a/moved") && !rename("a/moved", "a/f"));
	return 0;
}

#define DEEP 150 /* longer than any walk that is made at one go */

/* What is allowed far above, through a directory that is mounted on the way, holds far below. */
static int deep(void)
{
	int set = ruleset(R(REFER) | R(READ_FILE) | R(MAKE_DIR));

	WANT(!allow(set, "a", R(REFER) | R(READ_FILE)) && !allow(set, "mnt", R(MAKE_DIR)));
	WANT(!chdir("a/y"));
	for (int i = 0; i < DEEP; i++) {
		WANT(!mkdir("x", 0755) && !mkdir("z", 0755));
		WANT(i != DEEP / 2 || !mount("none", "x", "tmpfs", 0, NULL));
		WANT(!chdir("x"));
	}
	WANT(!make_file("f") && !mkdir("from", 0755) && !mkdir("to", 0755));
	WANT(!enforce(set));
	WANT(!opens("f", O_RDONLY));
	WANT_ERR(mkdir("new", 0755), EACCES);
	WANT(!link("f", "to/f") && !rename("to/f", "from/f"));
	WANT_ERR(rename("from", "to/from"), EACCES);
	return 0;
}

static int tmpfile_gets_name(void)
{
	char name[64];
	int fd;

	WANT(!layer(R(MAKE_REG), "a", R(MAKE_REG)));
	fd = open("a", O_TMPFILE | O_WRONLY, 0600);
	WANT(fd >= 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	WANT_ERR(linkat(AT_FDCWD, name, AT_FDCWD, "out/tmp", AT_SYMLINK_FOLLOW), EACCES);
	WANT_ERR(linkat(AT_FDCWD, name, AT_FDCWD, "a/b/tmp", AT_SYMLINK_FOLLOW), EXDEV);
	WANT(!linkat(AT_FDCWD, name, AT_FDCWD, "a/tmp", AT_SYMLINK_FOLLOW) && !unlink("a/tmp"));
	return 0;
}

int main(void)
{
	alarm(TAP_LIMIT);
	make_tree();
	CHECK(!in_child(refer_without_right));
	CHECK(!in_child(refer_with_right));
	CHECK(!in_child(refer_gains_nothing));
	CHECK(!in_child(refer_of_allowed));
	CHECK(!in_child(refer_of_kinds));
	CHECK(!in_child(refer_errors));
	CHECK(!in_child(refer_rights));
	CHECK(!in_child(refer_layers));
	CHECK(!in_child(tmpfile_gets_name));
	CHECK(!in_child(deep));
	return tap_done();
}
