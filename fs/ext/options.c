/*
 * Mount options: parsed from the text that mount(2) gives, shown in /proc/mounts where they are not
 * what a mount without any would have.
 *
 * Options of quotas are refused: there are none here, and who asks for them relies on them. Those
 * that choose what is done in any case have no effect.
 */
#include <linux/errno.h>
#include "fs/ext/ext.h"
#include "kernel/base/log.h"
#include "kernel/lib/sbuf.h"
#include "kernel/lib/string.h"

static bool is_one_of(const char *o, const char *const *names, u32 n)
{
	for (u32 k = 0; k < n; k++)
		if (!strcmp(o, names[k]))
			return true;
	return false;
}

/* "name=NUMBER" of one of our names. */
static bool parse_number(const char *o, const char *name, u32 *out)
{
	const char *end;
	u64 n;

	if (!str_begins(o, name) || str_to_u64(o + strlen(name), &end, 10, &n) || *end ||
	    n > 0xffffffff)
		return false;
	*out = (u32)n;
	return true;
}

static bool parse_errors(struct ext_options *opt, const char *o)
{
	static const char *const names[] = { "", "continue", "remount-ro", "panic" };

	if (!str_begins(o, "errors="))
		return false;
	for (u32 k = EXT_ERRORS_CONTINUE; k <= EXT_ERRORS_PANIC; k++) {
		if (strcmp(o + strlen("errors="), names[k]))
			continue;
		opt->on_error = (enum ext_errors)k;
		opt->error_option = true;
		return true;
	}
	return false;
}

static bool parse_switch(struct ext_options *opt, const char *o)
{
	struct {
		const char *on, *off;
		bool *value;
	} switches[] = {
		{ "minixdf", "bsddf", &opt->minixdf },
		{ "nouid32", "uid32", &opt->no_uid32 },
		{ "nouser_xattr", "user_xattr", &opt->no_user_xattr },
		{ "noacl", "acl", &opt->no_acl },
		{ "grpid", "nogrpid", &opt->grpid },
		{ "bsdgroups", "sysvgroups", &opt->grpid },
	};

	for (u32 k = 0; k < ARRAY_SIZE(switches); k++) {
		bool on = !strcmp(o, switches[k].on);

		if (on || !strcmp(o, switches[k].off)) {
			*switches[k].value = on;
			return true;
		}
	}
	return false;
}

static int parse_option(void *arg, char *o)
{
	struct ext_options *opt = arg;
	static const char *const without_effect[] = {
		"debug",	 "nocheck", "check=none", "reservation",
		"noreservation", "orlov",   "oldalloc",	  "noquota",
	};

	if (is_one_of(o, without_effect, ARRAY_SIZE(without_effect)) || parse_errors(opt, o) ||
	    parse_switch(opt, o) || parse_number(o, "sb=", &opt->sb) ||
	    parse_number(o, "resuid=", &opt->resuid) || parse_number(o, "resgid=", &opt->resgid))
		return 0;
	log_err("ext2: the option %s is not known", o);
	return -EINVAL;
}

/* See ext.h. ctx: thread; sleeps. 0, -EINVAL, -ENOMEM */
int ext_options_parse(struct ext_options *opt, const char *data)
{
	return vfs_each_option(data, parse_option, opt);
}

/* super_ops.show_options */
void ext_options_show(struct super *sb, struct sbuf *out)
{
	static const char *const policies[] = { "", "continue", "remount-ro", "panic" };
	const struct ext_options *opt = &ext_sb_of(sb)->opt;

	if (opt->sb > 1)
		sbuf_printf(out, ",sb=%u", opt->sb);
	if (opt->minixdf)
		sbuf_puts(out, ",minixdf");
	if (opt->grpid)
		sbuf_puts(out, ",grpid");
	if (opt->resuid)
		sbuf_printf(out, ",resuid=%u", opt->resuid);
	if (opt->resgid)
		sbuf_printf(out, ",resgid=%u", opt->resgid);
	if (opt->error_option)
		sbuf_printf(out, ",errors=%s", policies[opt->on_error]);
	if (opt->no_uid32)
		sbuf_puts(out, ",nouid32");
	if (opt->no_user_xattr)
		sbuf_puts(out, ",nouser_xattr");
	if (opt->no_acl)
		sbuf_puts(out, ",noacl");
}
