/*
 * The device tree in sysfs: the blob as the boot loader gave it (firmware/fdt), and taken apart
 * (firmware/devicetree/base, where /proc/device-tree points): a directory for each node, a file
 * with the raw bytes for each property. Files point into the blob, which stays in memory.
 *
 * Few boots look at it, so the directories are made at the first look. libfdt is for boot only (see
 * fdt.h) and wants a node's offset at each step; the structure block is a plain sequence of tokens,
 * read here in one pass. What comes from outside is believed only within the bounds that
 * fdt_check_header() found: a broken tree ends where it breaks.
 *
 * Reference: Devicetree Specification v0.3, chapter 5.
 */
#include <libfdt.h>
#include "fs/sysfs_internal.h"
#include "kernel/base/fdt.h"
#include "kernel/lib/string.h"

#define BASE "firmware/devicetree/base"

struct tokens {
	const char *at, *end; /* what is left of the blob, in whole words */
};

/* The next @n bytes and their padding; NULL: there are not so many. */
static const void *take(struct tokens *t, size_t n)
{
	const char *p = t->at;

	if (n > (size_t)(t->end - p))
		return NULL;
	t->at = p + ALIGN_UP(n, sizeof(u32));
	return p;
}

/* --- files --- */

/* The inode's priv says where the bytes are, its size how many. */
static ssize_t bytes_read(struct file *f, struct uio *u, u64 *pos)
{
	const struct inode *i = f->inode;
	ssize_t n;

	if (*pos >= i->size)
		return 0;
	n = uio_copy_to(u, (const char *)i->priv + *pos, i->size - *pos);
	if (n > 0)
		*pos += (u64)n;
	return n;
}

static const struct file_ops bytes_fops = { .read = bytes_read };

/* What older trees have as a property: the node's name without its address, and its NUL. */
static int name_show(struct sbuf *out, void *arg)
{
	const char *name = arg;

	sbuf_printf(out, "%.*s%c", (int)strcspn(name, "@"), name, 0);
	return 0;
}

static bool add_property(struct tokens *t, const char *node)
{
	const char *strings = (const char *)fdt_blob() + fdt_off_dt_strings(fdt_blob());
	u32 room = fdt_size_dt_strings(fdt_blob());
	const fdt32_t *head = take(t, 2 * sizeof(*head));
	struct pseudo_attr a = { .mode = 0444, .ops = &bytes_fops };
	u32 name;

	if (!head)
		return false;
	a.size = fdt32_ld(&head[0]);
	a.arg = (void *)take(t, a.size);
	name = fdt32_ld(&head[1]);
	if (!a.arg || name >= room || strnlen(strings + name, room - name) == room - name)
		return false;
	(void)sysfs_add_at(&a, "%s/%s", node, strings + name);
	return true;
}

static bool enter_node(struct tokens *t, char path[SYSFS_PATH_MAX])
{
	const char *name = t->at;
	size_t len = strnlen(name, (size_t)(t->end - name));
	struct pseudo_attr a = { .mode = 0444, .show = name_show, .arg = (void *)name };

	if (!take(t, len + 1))
		return false;
	a.size = strcspn(name, "@") + 1;
	/* The root's name is empty. */
	if (len && (strlcat(path, "/", SYSFS_PATH_MAX) >= SYSFS_PATH_MAX ||
		    strlcat(path, name, SYSFS_PATH_MAX) >= SYSFS_PATH_MAX))
		return false;
	(void)sysfs_add_at(&a, "%s/name", path);
	return true;
}

/* See pseudo_attr.fill. */
static void fill_base(void)
{
	const char *blob = fdt_blob();
	struct tokens t = { .at = blob + fdt_off_dt_struct(blob) };
	char path[SYSFS_PATH_MAX] = BASE, *slash;
	const fdt32_t *token;
	bool more = true;

	t.end = t.at + ALIGN_DOWN(fdt_blob_size() - fdt_off_dt_struct(blob), sizeof(u32));
	while (more && (token = take(&t, sizeof(*token)))) {
		switch (fdt32_ld(token)) {
		case FDT_BEGIN_NODE: more = enter_node(&t, path); break;
		case FDT_PROP: more = add_property(&t, path); break;
		case FDT_END_NODE:
			slash = strrchr(path + strlen(BASE), '/');
			if (slash)
				*slash = '\0';
			break;
		case FDT_NOP: break;
		default: more = false;
		}
	}
}

/* See sysfs_internal.h. */
void sysfs_add_firmware(void)
{
	const struct pseudo_attr fdt = {
		.mode = 0400, .ops = &bytes_fops, .arg = (void *)fdt_blob(), .size = fdt_blob_size()
	};
	const struct pseudo_attr base = { .mode = S_IFDIR | 0755, .fill = fill_base };

	(void)sysfs_add("firmware/fdt", &fdt);
	(void)sysfs_add(BASE, &base);
}
