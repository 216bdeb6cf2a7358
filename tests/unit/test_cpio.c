/* unit: fs/cpio.c kernel/lib/fmt.c kernel/lib/string.c */
/* The cpio reader on good, truncated, and randomly damaged archives. */
#include "fs/cpio.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "tests/unit/unit.h"

static u8 archive[8192];
static size_t archive_len;

struct source {
	struct cpio_reader r; /* first */
	const u8 *data;
	size_t left;
	u32 entries;
	char last_name[64];
	u8 last_data[64];
	u32 last_size, last_mode;
};

static ssize_t source_read(struct cpio_reader *r, void *buf, size_t n)
{
	struct source *s = (struct source *)r;

	n = n < s->left ? n : s->left;
	memcpy(buf, s->data, n);
	s->data += n;
	s->left -= n;
	return (ssize_t)n;
}

static int source_entry(struct cpio_reader *r, const struct cpio_entry *e, char *name)
{
	struct source *s = (struct source *)r;
	u8 sink[64];
	u32 n;
	int err;

	s->entries++;
	strlcpy(s->last_name, name, sizeof(s->last_name));
	s->last_size = e->size;
	s->last_mode = e->mode;
	while (r->data_left) {
		n = r->data_left < sizeof(sink) ? r->data_left : (u32)sizeof(sink);
		err = cpio_read_data(r, sink, n);
		if (err)
			return err;
		memcpy(s->last_data, sink, n);
	}
	return 0;
}

static int run(struct source *s, const u8 *data, size_t len)
{
	memset(s, 0, sizeof(*s));
	s->r.read = source_read;
	s->r.entry = source_entry;
	s->data = data;
	s->left = len;
	return cpio_read_archive(&s->r, NULL, 0);
}

static void pad(void)
{
	while (archive_len & 3)
		archive[archive_len++] = 0;
}

static void add(const char *magic, const char *name, u32 mode, const void *data, u32 size,
		u32 check)
{
	snprintf((char *)archive + archive_len, 111,
		 "%s%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", magic, 1u, mode, 0u, 0u,
		 1u, 1000u, size, 0u, 0u, 0u, 0u, (u32)strlen(name) + 1, check);
	archive_len += 110;
	memcpy(archive + archive_len, name, strlen(name) + 1);
	archive_len += strlen(name) + 1;
	pad();
	memcpy(archive + archive_len, data, size);
	archive_len += size;
	pad();
}

static void make_archive(void)
{
	archive_len = 0;
	add("070701", "dir", 0040755, "", 0, 0);
	add("070701", "dir/file", 0100644, "hello", 5, 0);
	add("070702", "sum", 0100600, "\1\2\3", 3, 6);
	add("070701", "link", 0120777, "dir/file", 8, 0);
	add("070701", "TRAILER!!!", 0, "", 0, 0);
}

UNIT_TEST(good_archive)
{
	struct source s;

	make_archive();
	CHECK_EQ(run(&s, archive, archive_len), 0);
	CHECK_EQ(s.entries, 4);
	CHECK_STR(s.last_name, "link");
	CHECK_EQ(s.last_size, 8);
	CHECK(!memcmp(s.last_data, "dir/file", 8));
	CHECK_EQ(s.left, 0);
}

UNIT_TEST(every_truncation_is_an_error)
{
	struct source s;

	make_archive();
	for (size_t n = 0; n < archive_len; n++) {
		/*
		 * The padding behind the trailer's name is not looked at twice, but must be there.
		 */
		CHECK(run(&s, archive, n) != 0);
		CHECK(s.r.why != NULL);
	}
}

UNIT_TEST(wrong_checksum)
{
	struct source s;

	archive_len = 0;
	add("070702", "sum", 0100600, "\1\2\3", 3, 7);
	CHECK(run(&s, archive, archive_len) != 0);
	CHECK(strstr(s.r.why, "checksum") != NULL);
}

UNIT_TEST(fields_are_checked)
{
	struct source s;

	archive_len = 0;
	add("070701", "x", 0170000, "", 0, 0);
	CHECK(run(&s, archive, archive_len) != 0);
	archive_len = 0;
	add("070701", "l", 0120777, "", 0, 0); /* symlink to nothing */
	CHECK(run(&s, archive, archive_len) != 0);
	make_archive();
	archive[20] = 'g'; /* no hexadecimal digit */
	CHECK(run(&s, archive, archive_len) != 0);
	make_archive();
	memcpy(archive + 94, "00000001", 8); /* name of size 1: empty */
	CHECK(run(&s, archive, archive_len) != 0);
	make_archive();
	memcpy(archive + 94, "FFFFFFFF", 8);
	CHECK(run(&s, archive, archive_len) != 0);
	make_archive();
	memcpy(archive, "070707", 6); /* the old format */
	CHECK(run(&s, archive, archive_len) != 0);
	make_archive();
	archive[112] = 0; /* NUL inside the name */
	CHECK(run(&s, archive, archive_len) != 0);
}

/*
 * Random damage: any result is right, but it must come, with a reason, and without touching foreign
 * memory.
 */
UNIT_TEST(random_damage)
{
	static u8 copy[sizeof(archive)];
	struct source s;

	make_archive();
	for (u32 round = 0; round < 200000; round++) {
		u32 hits = 1 + unit_random() % 8;

		memcpy(copy, archive, archive_len);
		while (hits--)
			copy[unit_random() % archive_len] =
				(u8)(unit_random() & 1 ? unit_random() : '0' + unit_random() % 10);
		if (run(&s, copy, 1 + unit_random() % archive_len) != 0)
			CHECK(s.r.why != NULL);
	}
}
