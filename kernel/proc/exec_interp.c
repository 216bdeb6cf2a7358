/*
 * Programs that others run: scripts, whose first line names an interpreter (#!), and kinds of files
 * that the administrator has given one (binfmt_misc.c), which are asked first.
 *
 * The interpreter becomes the program to execute, and words for it come before the arguments: its
 * own name, what it was told (scripts), and the name by which the file was called, which takes the
 * place of argv[0]. An interpreter can itself be such a file; a few times.
 *
 * execve(2), and binfmt_misc as Linux documents it.
 */
#include <linux/errno.h>
#include "kernel/lib/string.h"
#include "kernel/proc/exec_internal.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char *skip_blanks(char *p)
{
	while (is_blank(*p))
		p++;
	return p;
}

/*
 * Take the first line apart: interpreter and at most one argument, which is all the rest. @line has
 * EXEC_LINE_SIZE characters, zeroes behind the file's end. One that is cut off there is good only
 * if the interpreter's name is whole. Blanks at the end of a file are an empty argument. -ENOEXEC.
 */
static int script_parse(char *line, char **interp, char **arg)
{
	char *last = line + EXEC_LINE_SIZE - 1, *p = line + 2;
	char *end = memchr(line, '\n', strnlen(line, EXEC_LINE_SIZE));
	bool whole = end || is_blank(*last) || memchr(line, '\0', EXEC_LINE_SIZE);

	if (!end)
		end = last;
	while (is_blank(end[-1]))
		end--;
	*end = '\0';
	p = skip_blanks(p);
	if (p == end)
		return -ENOEXEC;
	*interp = p;
	p += strcspn(p, " \t");
	if (!*p && !whole)
		return -ENOEXEC;
	*arg = NULL;
	if (*p) {
		*p++ = '\0';
		*arg = skip_blanks(p);
	}
	return 0;
}

/* What img->file was called as. */
static const char *called_as(const struct exec_image *img)
{
	return img->nprefix ? img->prefix[0] : img->args->filename;
}

static int push_word(struct exec_image *img, const char *word)
{
	char *copy = kstrdup(word, 0);

	if (!copy)
		return -ENOMEM;
	memmove(&img->prefix[1], &img->prefix[0], img->nprefix * sizeof(img->prefix[0]));
	img->prefix[0] = copy;
	img->nprefix++;
	return 0;
}

/* The words of @interp and its argument (or NULL). @keep: argv[0], as it is now, stays. */
static int push_interp(struct exec_image *img, const char *interp, const char *arg, bool keep)
{
	int err = 0;

	/* In place of argv[0] comes the same name, if that is an interpreter's. */
	if (keep || !img->nprefix)
		err = push_word(img, called_as(img));
	if (!keep)
		img->skip_argv0 |= img->nprefix == 1;
	if (!err && arg)
		err = push_word(img, arg);
	return err ? err : push_word(img, interp);
}

static int script_follow(struct exec_image *img, struct file **out)
{
	const struct path none = { NULL, NULL };
	char line[EXEC_LINE_SIZE], *interp, *arg;
	int err;

	memcpy(line, img->head, EXEC_LINE_SIZE);
	err = script_parse(line, &interp, &arg);
	/* The interpreter could not open it any more. */
	if (!err && img->args->fd_cloexec)
		err = -ENOENT;
	if (!err)
		err = push_interp(img, interp, arg, false);
	/* Without a name it is the current directory, which cannot be executed. */
	return err ? err : exec_open(&none, interp, LOOKUP_FOLLOW | LOOKUP_EMPTY, out);
}

static int misc_follow(struct exec_image *img, struct binfmt *b, struct file **out)
{
	bool open = binfmt_has(b, 'O'), keep = binfmt_has(b, 'P');
	int err = img->args->fd_cloexec ? -ENOENT : 0;

	if (!err)
		err = push_interp(img, binfmt_interpreter(b), NULL, keep);
	if (!err)
		err = binfmt_open(b, out);
	if (err)
		return err;
	img->keeps_argv0 |= keep;
	img->executable_creds |= binfmt_has(b, 'C');
	if (open && inode_permission(img->file->inode, MAY_READ))
		img->unreadable = true;
	if (open && !img->executable)
		img->executable = file_get(img->file);
	return 0;
}

static int read_head(struct exec_image *img)
{
	ssize_t n = file_read_kernel(img->file, img->head, sizeof(img->head), 0);

	if (n < 0)
		return (int)n;
	img->head_len = (u32)n;
	if (n < EXEC_LINE_SIZE)
		memset(img->head + n, 0, EXEC_LINE_SIZE - (size_t)n);
	return 0;
}

/* One step. True: img->file has an interpreter, or an error is in *err. */
static bool follow(struct exec_image *img, int *err)
{
	bool had = img->executable;
	struct file *f = NULL;
	struct binfmt *b;

	*err = read_head(img);
	if (*err)
		return true;
	b = binfmt_match(img, called_as(img));
	if (b) {
		*err = misc_follow(img, b, &f);
		binfmt_put(b);
	} else if (img->head[0] == '#' && img->head[1] == '!') {
		*err = script_follow(img, &f);
	} else {
		return false;
	}
	if (*err)
		return true;
	exec_close(img->file);
	img->file = f;
	if (had) /* whoever was promised a descriptor has to be a program of ours */
		*err = -ENOEXEC;
	return true;
}

/* See exec_internal.h. ctx: thread; sleeps */
int exec_follow(struct exec_image *img)
{
	int err;

	for (u32 depth = 0; follow(img, &err); depth++) {
		if (!err && depth == EXEC_DEPTH)
			err = -ELOOP;
		if (err)
			return err;
	}
	return 0;
}
