#pragma once
/*
 * Answers of this kernel beside those of Linux (linux.inc). Where they may differ, deviations.inc
 * says so and why.
 */
#include "child.h"

static int counting, verbose, compared, differ;
static const char *wanted = ""; /* rows whose name holds this */

/* The answers of the cases as one line. */
static void print_line(const struct entry *e, int user)
{
	static char root[MAX_CASES * 12], line[MAX_CASES * 12];
	int group = -1;
	size_t n = 0;

	for (int at = 0; at < ncases; at++) {
		int mine = cases[at].k >= 0 ? 6 : cases[at].i;

		if (mine != group)
			line[n++] = '|';
		group = mine;
		n += sprintf(line + n, "%s", report->answer[at]);
	}
	if (!user)
		strcpy(root, line);
	else if (!strncmp(line, root, n))
		strcpy(line, "=");
	printf("\t\"%s%s|%s\",\n", e->name, user ? "@user" : "", line);
}

/* What Linux answered: lines of linux.inc. */
static const char *const linux_answers[] = {
#include "linux.inc"
	NULL
};

static const char *linux_line(const struct entry *e, int user)
{
	char name[64];
	size_t n = snprintf(name, sizeof(name), "%s%s|", e->name, user ? "@user" : "");

	for (int i = 0; linux_answers[i]; i++)
		if (!strncmp(linux_answers[i], name, n))
			return user && linux_answers[i][n] == '=' ? linux_line(e, 0)
								  : linux_answers[i] + n;
	return NULL;
}

static const struct {
	const char *row; /* name of the row, or its beginning with a '*' behind */
	const char *theirs; /* Linux's answer */
	const char *ours;
	const char *why;
} deviations[] = {
#include "deviations.inc"
	{ 0 },
};

static int admitted(const char *row, const char *theirs, const char *ours)
{
	for (int i = 0; deviations[i].row; i++) {
		size_t n = strlen(deviations[i].row);
		int fits = deviations[i].row[n - 1] == '*' ? !strncmp(row, deviations[i].row, n - 1)
							   : !strcmp(row, deviations[i].row);

		if (fits && !strcmp(theirs, deviations[i].theirs) &&
		    !strcmp(ours, deviations[i].ours))
			return 1;
	}
	return 0;
}

/* The next answer in @p, without the bars. */
static const char *next_answer(const char *p, char *out)
{
	char *o = out;

	while (*p == '|')
		p++;
	if (*p == '{')
		while (*p && *p != '}')
			*o++ = *p++;
	if (*p)
		*o++ = *p++;
	if (*p == '*')
		*o++ = *p++;
	*o = 0;
	return p;
}

static const char *explain(const char *a)
{
	for (unsigned i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		if (a[0] == letters[i].letter)
			return letters[i].name;
	return a[0] == '.' ? "0" : a[0] == '+' ? "success" : a;
}

/* What failed and changed something on Linux may leave it alone here. */
static int same_answer(const char *theirs, const char *ours)
{
	size_t n = strlen(ours);

	return !strcmp(theirs, ours) ||
	       (!strncmp(theirs, ours, n) && !strcmp(theirs + n, "*") && n == 1);
}

/* Does the case name a descriptor that this kernel has no sort of? */
static int missing(const struct entry *e, const struct one_case *c)
{
	long a[6];

	case_arguments(e, c, a);
	for (int i = 0; i < 6; i++)
		if (e->arg[i].kind == K_FD && (int)a[i] >= FD_FILE && (int)a[i] < FD_LAST &&
		    !report->have[(int)a[i]])
			return 1;
	return 0;
}

/* Compare all cases of a row that was done; those that differ for root are not told again for a user. */
static int compare(const struct entry *e, int user)
{
	static char told[MAX_CASES];
	const char *p = linux_line(e, user);
	char theirs[32], what[128];
	int bad = 0;

	if (!user)
		memset(told, 0, sizeof(told));
	if (!p) {
		printf("# %s: no answer of Linux is recorded\n", e->name);
		return 1;
	}
	for (int at = 0; at < ncases; at++) {
		const char *ours = report->answer[at];

		p = next_answer(p, theirs);
		compared++;
		if (same_answer(theirs, ours) || !strcmp(ours, "-") ||
		    admitted(e->name, theirs, ours) || missing(e, &cases[at]))
			continue;
		bad++;
		if (told[at])
			continue;
		told[at] = 1;
		if (counting) {
			printf("\t{ \"%s\", \"%s\", \"%s\", \"\" },\n", e->name, theirs, ours);
			continue;
		}
		case_words(e, &cases[at], what, sizeof(what));
		printf("# %s%s, %s: %s%s, Linux: %s%s\n", e->name, user ? " as user" : "", what,
		       explain(ours), strchr(ours, '*') ? " with changes" : "", explain(theirs),
		       strchr(theirs, '*') ? " with changes" : "");
	}
	differ += bad;
	return bad;
}
