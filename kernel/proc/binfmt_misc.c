/*
 * binfmt_misc: kinds of files that the administrator has given an interpreter, by bytes in them or
 * by the end of their name. The file system of that name, usually at /proc/sys/fs/binfmt_misc, has
 * a file "register" that takes
 *
 *     :name:type:offset:magic:mask:interpreter:flags
 *
 * (with any character for the colon), a file "status", and one for each kind, which says what was
 * registered and takes 1, 0 (on, off) and -1 (away with it). All goes when the file system is not
 * mounted anywhere any more.
 *
 * The list, the newest kind first, holds a reference to each; so does an exec that found one. The
 * files know their kind by a number, as one can be open that is gone.
 */
#include <linux/errno.h>
#include <linux/magic.h>
#include "fs/pseudo.h"
#include "kernel/base/table.h"
#include "kernel/lib/string.h"
#include "kernel/proc/exec_internal.h"
#include "mm/slab.h"

#define REGISTER_MAX 1920u
#define SELF 0 /* the number that stands for "status" */

/* b: binfmt_lock */
struct binfmt {
	struct list link; /* b */
	refcount_t refs; /* a */
	u32 id; /* I */
	bool enabled; /* b */
	u8 flags; /* I: of flag_letters, bit by bit */
	u32 offset, size; /* I: of the magic; size 0: it is the end of a name */
	char *name, *interpreter; /* I: all in .text */
	char *magic, *mask; /* I: mask NULL: every bit counts */
	struct file *file; /* I: the interpreter, open for execution; NULL: found by name */
	char text[]; /* I */
};

static const char flag_letters[] = "POCF";
#define FLAG_OPEN 2u
#define FLAG_CREDS 4u
#define FLAG_FILE 8u

static struct mutex binfmt_lock = MUTEX_INIT(binfmt_lock, RANK_LEAF_MUTEX);
static struct list binfmts = LIST_INIT(binfmts); /* b */
static u32 last_id; /* b */
static bool enabled = true; /* b */
static u32 mounts; /* b: superblocks there are */
static struct pseudo_tree tree;

/* See exec_internal.h. ctx: thread; sleeps */
void binfmt_put(struct binfmt *b)
{
	if (!ref_put(&b->refs))
		return;
	if (b->file)
		exec_close(b->file);
	kfree(b);
}

/* See exec_internal.h. ctx: any */
bool binfmt_has(const struct binfmt *b, char flag)
{
	return b->flags >> (strchr(flag_letters, flag) - flag_letters) & 1;
}

/* See exec_internal.h. ctx: any */
const char *binfmt_interpreter(const struct binfmt *b)
{
	return b->interpreter;
}

/* See exec_internal.h. ctx: thread; sleeps */
int binfmt_open(const struct binfmt *b, struct file **out)
{
	const struct path none = { NULL, NULL };

	return b->file ? exec_open_path(&b->file->path, out)
		       : exec_open(&none, b->interpreter, LOOKUP_FOLLOW | LOOKUP_EMPTY, out);
}

static bool matches(const struct binfmt *b, const u8 *head, const char *ending)
{
	if (!b->size)
		return ending && !strcmp(ending + 1, b->magic);
	for (u32 i = 0; i < b->size; i++)
		if ((head[b->offset + i] ^ (u8)b->magic[i]) & (b->mask ? (u8)b->mask[i] : 0xff))
			return false;
	return true;
}

/* See exec_internal.h. ctx: thread; sleeps */
struct binfmt *binfmt_match(const struct exec_image *img, const char *name)
{
	struct binfmt *b, *found = NULL;

	if (!READ_ONCE(last_id))
		return NULL;
	mutex_lock(&binfmt_lock);
	list_for_each(b, &binfmts, link) {
		if (enabled && b->enabled && matches(b, img->head, strrchr(name, '.'))) {
			ref_get(&b->refs);
			found = b;
			break;
		}
	}
	mutex_unlock(&binfmt_lock);
	return found;
}

/* --- the files --- */

/* holds: binfmt_lock. NULL: it is gone */
static struct binfmt *find(u32 id)
{
	struct binfmt *b;

	list_for_each(b, &binfmts, link)
		if (b->id == id)
			return b;
	return NULL;
}

static void show_hex(struct sbuf *out, const char *what, const char *bytes, u32 n)
{
	sbuf_puts(out, what);
	for (u32 i = 0; i < n; i++)
		sbuf_printf(out, "%02x", (u8)bytes[i]);
	sbuf_putc(out, '\n');
}

static void show_kind(struct sbuf *out, const struct binfmt *b)
{
	sbuf_printf(out, "interpreter %s\nflags: ", b->interpreter);
	for (const char *f = flag_letters; *f; f++)
		if (binfmt_has(b, *f))
			sbuf_putc(out, *f);
	if (!b->size) {
		sbuf_printf(out, "\nextension .%s\n", b->magic);
		return;
	}
	sbuf_printf(out, "\noffset %u\n", b->offset);
	show_hex(out, "magic ", b->magic, b->size);
	if (b->mask)
		show_hex(out, "mask ", b->mask, b->size);
}

static int binfmt_show(struct sbuf *out, void *arg)
{
	u32 id = (u32)(uintptr_t)arg;
	const struct binfmt *b;

	mutex_lock(&binfmt_lock);
	b = find(id);
	if (b || id == SELF)
		sbuf_puts(out, (b ? b->enabled : enabled) ? "enabled\n" : "disabled\n");
	if (b)
		show_kind(out, b);
	mutex_unlock(&binfmt_lock);
	return 0;
}

/* Kind @id, or SELF: all. */
static void forget(u32 id)
{
	struct binfmt *b;

	for (;;) {
		mutex_lock(&binfmt_lock);
		b = id != SELF		   ? find(id)
		    : list_empty(&binfmts) ? NULL
					   : list_first(&binfmts, struct binfmt, link);
		if (b)
			list_del(&b->link);
		mutex_unlock(&binfmt_lock);
		if (!b)
			return;
		pseudo_remove(&tree, b->name);
		binfmt_put(b);
	}
}

static ssize_t binfmt_write(const char *text, size_t n, void *arg)
{
	u32 id = (u32)(uintptr_t)arg;
	size_t len = n && text[n - 1] == '\n' ? n - 1 : n;
	struct binfmt *b;

	if (n > 3)
		return -EINVAL;
	if (len == 2 && !memcmp(text, "-1", 2)) {
		forget(id);
		return (ssize_t)n;
	}
	if (len != 1 || (*text != '0' && *text != '1'))
		return n ? -EINVAL : 0;
	mutex_lock(&binfmt_lock);
	b = find(id);
	if (b)
		b->enabled = *text == '1';
	else if (id == SELF)
		enabled = *text == '1';
	mutex_unlock(&binfmt_lock);
	return (ssize_t)n;
}

/* --- registering --- */

/* The word up to the next @del, which becomes its end. NULL: there is none */
static char *word(char **at, char del)
{
	char *s = *at, *end = strchr(s, del);

	if (!end)
		return NULL;
	*end = '\0';
	*at = end + 1;
	return s;
}

static int hex_digit(char c)
{
	c = char_to_lower(c);
	return char_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The same of bytes, which may be \xHH; as many as *n says. NULL: no end, or no digits */
static char *byte_word(char **at, char del, u32 *n)
{
	char *s = *at, *to = s, *from = s;

	for (; *from != del; from++, to++) {
		if (!*from)
			return NULL;
		*to = *from;
		if (from[0] != '\\' || from[1] != 'x')
			continue;
		if (hex_digit(from[2]) < 0 || hex_digit(from[3]) < 0)
			return NULL;
		*to = (char)(hex_digit(from[2]) << 4 | hex_digit(from[3]));
		from += 3;
	}
	*at = from + 1;
	*n = (u32)(to - s);
	return s;
}

static int parse_magic(struct binfmt *b, char **at, char del)
{
	char *offset = word(at, del);
	const char *end;
	s64 number = 0;
	u32 n;

	if (!offset || (*offset && (str_to_s64(offset, &end, 10, &number) || *end)))
		return -EINVAL;
	b->magic = byte_word(at, del, &b->size);
	b->mask = b->magic && b->size ? byte_word(at, del, &n) : NULL;
	if (!b->mask || (n && n != b->size) || number < 0 || (u64)number + b->size > EXEC_LINE_SIZE)
		return -EINVAL;
	b->offset = (u32)number;
	if (!n)
		b->mask = NULL;
	return 0;
}

static int parse_ending(struct binfmt *b, char **at, char del)
{
	if (!word(at, del))
		return -EINVAL;
	b->magic = word(at, del);
	return b->magic && *b->magic && !strchr(b->magic, '/') && word(at, del) ? 0 : -EINVAL;
}

static int parse_flags(struct binfmt *b, const char *at)
{
	const char *f;

	for (; *at && (f = strchr(flag_letters, *at)); at++)
		b->flags |= (u8)(1u << (f - flag_letters));
	if (b->flags & FLAG_CREDS)
		b->flags |= FLAG_OPEN;
	return *at && strcmp(at, "\n") != 0 ? -EINVAL : 0;
}

static int parse(struct binfmt *b)
{
	char *at = b->text, del = *at++, *type;
	int err;

	b->name = word(&at, del);
	if (!b->name || !*b->name || !strcmp(b->name, ".") || !strcmp(b->name, "..") ||
	    strchr(b->name, '/') || strlen(b->name) > NAME_MAX_LEN)
		return -EINVAL;
	type = word(&at, del);
	if (!type || (strcmp(type, "M") != 0 && strcmp(type, "E") != 0))
		return -EINVAL;
	err = *type == 'M' ? parse_magic(b, &at, del) : parse_ending(b, &at, del);
	if (err)
		return err;
	b->interpreter = word(&at, del);
	return b->interpreter && *b->interpreter ? parse_flags(b, at) : -EINVAL;
}

static int binfmt_add(struct binfmt *b)
{
	const struct path none = { NULL, NULL };
	struct pseudo_attr attr = { .mode = 0644, .show = binfmt_show, .write = binfmt_write };
	int err = parse(b);

	if (!err && (b->flags & FLAG_FILE))
		err = exec_open(&none, b->interpreter, LOOKUP_FOLLOW, &b->file);
	if (err)
		return err;
	mutex_lock(&binfmt_lock);
	b->id = ++last_id;
	mutex_unlock(&binfmt_lock);
	attr.arg = (void *)(uintptr_t)b->id;
	err = pseudo_add(&tree, b->name, &attr);
	if (err)
		return err;
	mutex_lock(&binfmt_lock);
	list_add(&binfmts, &b->link);
	mutex_unlock(&binfmt_lock);
	return 0;
}

static ssize_t register_write(const char *text, size_t n, void *arg)
{
	struct binfmt *b;
	int err;

	if (n < 11 || n > REGISTER_MAX || strlen(text) != n)
		return -EINVAL;
	b = kzalloc(sizeof(*b) + n + 1, 0);
	if (!b)
		return -ENOMEM;
	memcpy(b->text, text, n);
	ref_init(&b->refs, 1);
	b->enabled = true;
	err = binfmt_add(b);
	if (!err)
		return (ssize_t)n;
	binfmt_put(b);
	return err;
}

/* --- the file system --- */

static int binfmt_statfs(struct super *sb, struct kstatfs *st)
{
	st->type = sb->magic;
	st->bsize = st->frsize = PAGE_SIZE;
	st->namelen = NAME_MAX_LEN;
	return 0;
}

static void binfmt_unmounted(struct super *sb)
{
	bool last;

	mutex_lock(&binfmt_lock);
	last = sb->priv && --mounts == 0;
	if (last)
		enabled = true;
	mutex_unlock(&binfmt_lock);
	if (last)
		forget(SELF);
}

static const struct super_ops binfmt_super_ops = {
	.evict = pseudo_evict,
	.statfs = binfmt_statfs,
	.put_super = binfmt_unmounted,
};

static int binfmt_mount(const struct fs_type *t, const char *source, u32 flags, const char *data,
			struct super **out)
{
	int err = data && *data ? -EINVAL
				: pseudo_mount(&tree, t, BINFMTFS_MAGIC, &binfmt_super_ops, out);

	if (err)
		return err;
	(*out)->root->inode->mode = S_IFDIR | 0755;
	(*out)->priv = &tree;
	mutex_lock(&binfmt_lock);
	mounts++;
	mutex_unlock(&binfmt_lock);
	return 0;
}

FS_TYPE(binfmt_misc, .flags = FS_NODEV, .mount = binfmt_mount, .check_option = fs_no_option);

/* The files that are always there. ctx: boot */
void binfmt_init(void)
{
	static const struct pseudo_attr status = { .mode = 0644,
						   .show = binfmt_show,
						   .write = binfmt_write },
					reg = { .mode = 0200, .write = register_write };

	pseudo_init(&tree, 1, 0);
	pseudo_add(&tree, "status", &status);
	pseudo_add(&tree, "register", &reg);
}
