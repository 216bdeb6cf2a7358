/*
 * The kernel command line.
 *
 * It is split once, in place, into words; double quotes keep spaces together and are dropped. Each
 * word is looked up in the table of known words ('-' and '_' are the same); known ones run their
 * function in command-line order, the rest is init's: name=value to its environment, bare words to
 * its arguments, everything after "--" to its arguments. Words with a dot before any '=' belong to
 * modules on Linux and are dropped. init= and rdinit= forget the arguments given before them, also
 * as on Linux.
 *
 * All of it is written by bootargs_init() and read-only afterwards, so nothing is locked.
 *
 * Reference: bootparam(7), kernel-parameters in the Linux documentation.
 */
#include "kernel/base/bootargs.h"
#include "kernel/base/log.h"
#include "kernel/lib/string.h"

#define LINE_MAX 2048
#define WORDS_MAX 160
#define INIT_MAX 32

static char line[LINE_MAX]; /* I: as handed over */
static char split[LINE_MAX]; /* I: words, each ended by NUL */

/* I */
static struct {
	const char *name;
	const char *value; /* NULL: a bare word */
} words[WORDS_MAX];
static u32 nwords; /* I */
static const char *init_argv[INIT_MAX + 2] = { "init" }; /* I */
static const char *init_envp[INIT_MAX + 3] = { "HOME=/", "TERM=linux" }; /* I */

static char fold(char c)
{
	return c == '-' ? '_' : c;
}

static bool same_name(const char *a, const char *b)
{
	for (; *a && fold(*a) == fold(*b); a++)
		b++;
	return fold(*a) == fold(*b);
}

static void add_arg(const char *word)
{
	u32 n = 1;

	while (init_argv[n])
		n++;
	if (n <= INIT_MAX)
		init_argv[n] = word;
	else
		log_warn("too many arguments for init: \"%s\" dropped", word);
}

/* @word is name=value, with @name_len characters before the '='. */
static void add_env(const char *word, size_t name_len)
{
	u32 n = 0;

	while (init_envp[n] && strncmp(init_envp[n], word, name_len + 1) != 0)
		n++;
	if (n < INIT_MAX + 2)
		init_envp[n] = word;
	else
		log_warn("too many variables for init: \"%s\" dropped", word);
}

static const struct bootarg *find_known(const char *name)
{
	const struct bootarg *b;

	TABLE_FOREACH(bootarg, b)
		if (same_name(b->name, name))
			return b;
	return NULL;
}

/* A word that nobody knows: @word still has its '='. */
static void unknown_word(const char *word)
{
	size_t name_len = strcspn(word, "=");

	if (memchr(word, '.', name_len))
		return;
	if (word[name_len] == '=')
		add_env(word, name_len);
	else
		add_arg(word);
}

/* @word was written twice: @copy is cut at its '='. */
static void take_word(char *word)
{
	char *eq = strchr(word, '=');
	const struct bootarg *b;
	const char *value = NULL;

	if (eq) {
		*eq = '\0';
		value = eq + 1;
	}
	b = find_known(word);
	if (nwords < WORDS_MAX) {
		words[nwords].name = word;
		words[nwords++].value = value;
	}
	if (!b) {
		if (eq)
			*eq = '=';
		unknown_word(word);
		if (eq)
			nwords--; /* its name is init's business: the '=' is back */
		return;
	}
	if (same_name(b->name, "init") || same_name(b->name, "rdinit"))
		memset(&init_argv[1], 0, sizeof(init_argv) - sizeof(init_argv[0]));
	if (b->fn)
		b->fn(value);
}

/* Next word of *@p, quotes removed in place, NULL at the end. */
static char *next_word(char **p)
{
	char *s = *p, *start, *to;
	bool quoted = false;

	while (char_is_space(*s))
		s++;
	if (!*s)
		return NULL;
	start = to = s;
	for (; *s && (quoted || !char_is_space(*s)); s++) {
		if (*s == '"')
			quoted = !quoted;
		else
			*to++ = *s;
	}
	*p = *s ? s + 1 : s;
	*to = '\0';
	return start;
}

/* See bootargs.h. ctx: boot. */
void bootargs_init(const char *cmdline)
{
	bool only_args = false;
	char *p = split, *word;

	if (strlcpy(line, cmdline, sizeof(line)) >= sizeof(line))
		log_warn("command line longer than %d characters: the rest is ignored",
			 LINE_MAX - 1);
	strlcpy(split, line, sizeof(split));
	while ((word = next_word(&p))) {
		if (only_args)
			add_arg(word);
		else if (strcmp(word, "--") == 0)
			only_args = true;
		else
			take_word(word);
	}
}

/* See bootargs.h. ctx: any. */
const char *bootargs_line(void)
{
	return line;
}

/* See bootargs.h. ctx: any. */
const char *bootargs_get_nth(const char *name, u32 index)
{
	for (u32 i = 0; i < nwords; i++)
		if (words[i].value && same_name(words[i].name, name) && index-- == 0)
			return words[i].value;
	return NULL;
}

/* See bootargs.h. ctx: any. */
const char *bootargs_get(const char *name)
{
	const char *last = NULL;

	for (u32 i = 0; i < nwords; i++)
		if (words[i].value && same_name(words[i].name, name))
			last = words[i].value;
	return last;
}

/* See bootargs.h. ctx: any. */
bool bootargs_has(const char *name)
{
	for (u32 i = 0; i < nwords; i++)
		if (same_name(words[i].name, name))
			return true;
	return false;
}

/* See bootargs.h. ctx: any. */
const char *const *bootargs_init_argv(void)
{
	return init_argv;
}

/* See bootargs.h. ctx: any. */
const char *const *bootargs_init_envp(void)
{
	return init_envp;
}

/* See bootargs.h: 0 for what is no size. ctx: any. */
u64 bootargs_parse_size(const char *s)
{
	const char *end;
	u64 v;

	if (str_to_u64(s, &end, 0, &v))
		return 0;
	switch (char_to_lower(*end)) {
	case 'k': return v << 10;
	case 'm': return v << 20;
	case 'g': return v << 30;
	case 't': return v << 40;
	default: return v;
	}
}
