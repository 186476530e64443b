/* tar_next(): the dialects, and everything that is not quite one. */
#include "maketar.h"
#include "tar.h"
#include "test.h"

#include "shortage.h"

/* An archive being read, in pieces of at most @piece bytes. */
static struct {
	struct maketar mt;
	size_t at, piece;
	int error;
	struct tar *tar;
	struct tar_entry e;
} t;

static ssize_t take(void *ctx, void *buf, size_t len)
{
	(void)ctx;
	size_t left = t.mt.len - t.at;
	if (t.error)
		return t.error;
	len = len < left ? len : left;
	if (t.piece && len > t.piece)
		len = t.piece;
	memcpy(buf, t.mt.data + t.at, len);
	t.at += len;
	return (ssize_t)len;
}

static void begin(void)
{
	const struct tar_source source = {.read = take};
	tar_close(t.tar);
	t.tar = NULL;
	t.at = 0;
	if (tar_open(&t.tar, &source) != 0)
		abort();
}

static int next(void)
{
	return tar_next(t.tar, &t.e);
}

static void set_up(void)
{
	memset(&t, 0, sizeof(t));
}

static void tear_down(void)
{
	tar_close(t.tar);
	free(t.mt.data);
}

/* The header of the member at @off, to be changed. */
static struct tar_header *header(size_t off)
{
	return (struct tar_header *)(t.mt.data + off);
}

/* What comes of the whole archive: 0 or an error. */
static int read_all(void)
{
	char buf[1000];
	int rc;
	begin();
	while ((rc = next()) == 1) {
		ssize_t n;
		do
			n = tar_read(t.tar, buf, sizeof(buf));
		while (n > 0);
		if (n < 0)
			return (int)n;
	}
	return rc;
}

WITH_DEVICE(test_tar_members_of_every_type_are_told)
{
	t.mt.uid = 1000;
	t.mt.gid = 07777777;
	t.mt.mode = 04755;
	t.mt.mtime = 1700000000;
	t.mt.major = 8;
	t.mt.minor = 17;
	maketar_file(&t.mt, "a/file", "hello");
	maketar_dir(&t.mt, "a/dir/");
	maketar_link(&t.mt, TAR_SYMLINK, "a/sym", "/etc/passwd");
	maketar_link(&t.mt, TAR_HARD_LINK, "a/hard", "a/file");
	maketar_add(&t.mt, TAR_BLOCK, "a/sda1", "", NULL, 0);
	maketar_add(&t.mt, TAR_FIFO, "a/fifo", "", NULL, 0);
	maketar_add(&t.mt, TAR_FILE_CONTIGUOUS, "a/old", "", "x", 1);
	maketar_end(&t.mt);
	begin();
	CHECK_EQ(next(), 1);
	CHECK_EQ(t.e.type, TAR_FILE);
	CHECK_STR(t.e.path, "a/file");
	CHECK_STR(t.e.target, "");
	CHECK_EQ(t.e.size, 5);
	CHECK_EQ(t.e.mode, 04755);
	CHECK_EQ(t.e.uid, 1000);
	CHECK_EQ(t.e.gid, 07777777);
	CHECK_EQ(t.e.mtime_s, 1700000000);
	CHECK_EQ(t.e.mtime_ns, 0);
	CHECK_EQ(t.e.major, 0); /* of devices only */
	CHECK_EQ(next(), 1);
	CHECK_EQ(t.e.type, TAR_DIR);
	CHECK_EQ(next(), 1);
	CHECK_EQ(t.e.type, TAR_SYMLINK);
	CHECK_STR(t.e.target, "/etc/passwd");
	CHECK_EQ(next(), 1);
	CHECK_EQ(t.e.type, TAR_HARD_LINK);
	CHECK_STR(t.e.target, "a/file");
	CHECK_EQ(next(), 1);
	CHECK_EQ(t.e.type, TAR_BLOCK);
	CHECK_EQ(t.e.major, 8);
	CHECK_EQ(t.e.minor, 17);
	CHECK_EQ(next(), 1);
	CHECK_EQ(t.e.type, TAR_FIFO);
	CHECK_EQ(next(), 1);
	CHECK_EQ(t.e.type, TAR_FILE);
	CHECK_EQ(next(), 0);
	CHECK_EQ(next(), 0);
}

WITH_DEVICE(test_tar_data_comes_whole_in_pieces_of_any_size)
{
	char data[3000], got[4000];
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7);
	maketar_add(&t.mt, TAR_FILE, "one", "", data, sizeof(data));
	maketar_file(&t.mt, "skipped", "not read");
	maketar_add(&t.mt, TAR_FILE, "two", "", data, 512);
	maketar_end(&t.mt);
	for (t.piece = 1; t.piece < 2000; t.piece = t.piece * 3 + 1) {
		size_t len = 0;
		ssize_t n;
		begin();
		CHECK_EQ(next(), 1);
		while ((n = tar_read(t.tar, got + len, 700)) > 0)
			len += (size_t)n;
		CHECK_EQ(n, 0);
		CHECK_EQ(len, sizeof(data));
		CHECK(memcmp(got, data, len) == 0);
		CHECK_EQ(next(), 1);
		CHECK_EQ(next(), 1);
		CHECK_STR(t.e.path, "two");
		CHECK(tar_read(t.tar, got, 1) == 1); /* the rest is skipped */
		CHECK_EQ(next(), 0);
	}
}

WITH_DEVICE(test_tar_names_may_fill_their_fields_and_have_a_prefix)
{
	char name[101], want[300];
	memset(name, 'n', 100);
	name[100] = '\0';
	maketar_file(&t.mt, name, "");
	memset(header(0)->prefix, 'p', 155);
	maketar_sum(&t.mt, 0);
	begin();
	CHECK_EQ(next(), 1);
	memset(want, 'p', 155);
	want[155] = '/';
	memcpy(want + 156, name, 101);
	CHECK_STR(t.e.path, want);
	/* GNU tar has something else there. */
	memcpy(header(0)->magic, TAR_MAGIC_GNU, 8);
	maketar_sum(&t.mt, 0);
	begin();
	CHECK_EQ(next(), 1);
	CHECK_STR(t.e.path, name);
}

WITH_DEVICE(test_tar_gnu_long_names_are_taken)
{
	char name[3000];
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	maketar_add(&t.mt, TAR_GNU_LONG_NAME, "././@LongLink", "", name, sizeof(name));
	maketar_add(&t.mt, TAR_GNU_LONG_LINK, "././@LongLink", "", name, sizeof(name) - 1);
	maketar_link(&t.mt, TAR_SYMLINK, "short", "short");
	maketar_link(&t.mt, TAR_SYMLINK, "next", "other");
	begin();
	CHECK_EQ(next(), 1);
	CHECK_STR(t.e.path, name);
	CHECK_STR(t.e.target, name);
	CHECK_EQ(next(), 1);
	CHECK_STR(t.e.path, "next");
	CHECK_STR(t.e.target, "other");
	CHECK_EQ(next(), 0); /* an archive without an end is one */
}

WITH_DEVICE(test_tar_pax_headers_override)
{
	char text[1000];
	size_t len = maketar_record(text, "path", "long/path", 9);
	len += maketar_record(text + len, "linkpath", "long/target", 11);
	len += maketar_record(text + len, "uid", "4294967295", 10);
	len += maketar_record(text + len, "gid", "2097152", 7);
	len += maketar_record(text + len, "mtime", "-1.5", 4);
	len += maketar_record(text + len, "comment", "ignored", 7);
	len += maketar_record(text + len, "SCHILY.xattr.user.a", "b\nc\0d", 5);
	len += maketar_record(text + len, "SCHILY.xattr.user.empty", "", 0);
	maketar_add(&t.mt, TAR_PAX, "pax", "", text, len);
	maketar_link(&t.mt, TAR_SYMLINK, "short", "target");
	maketar_pax(&t.mt, "size", "3");
	maketar_add(&t.mt, TAR_FILE, "file", "", "abc", 3);
	memcpy(header(t.mt.len - 1024)->size, "00000000777", 12);
	maketar_sum(&t.mt, t.mt.len - 1024);
	maketar_file(&t.mt, "last", "");
	begin();
	CHECK_EQ(next(), 1);
	CHECK_STR(t.e.path, "long/path");
	CHECK_STR(t.e.target, "long/target");
	CHECK_EQ(t.e.uid, 4294967295);
	CHECK_EQ(t.e.gid, 2097152);
	CHECK_EQ(t.e.mtime_s, -2);
	CHECK_EQ(t.e.mtime_ns, 500000000);
	CHECK_EQ(t.e.xattrs_len, 7 + 2 + 5 + 11 + 2);
	CHECK(memcmp(t.e.xattrs, "user.a\0\5\0b\nc\0duser.empty\0\0", 27) == 0);
	CHECK_EQ(next(), 1);
	CHECK_EQ(t.e.size, 3);
	CHECK_EQ(t.e.xattrs_len, 0);
	CHECK_EQ(t.e.uid, 0);
	CHECK_EQ(next(), 1);
	CHECK_STR(t.e.path, "last");
	CHECK_EQ(t.e.mtime_s, 0);
}

WITH_DEVICE(test_tar_global_headers_mean_nothing)
{
	char text[100];
	size_t len = maketar_record(text, "path", "everywhere", 10);
	maketar_add(&t.mt, TAR_PAX_GLOBAL, "global", "", text, len);
	maketar_file(&t.mt, "file", "");
	maketar_add(&t.mt, TAR_PAX_GLOBAL, "global", "", text, len);
	begin();
	CHECK_EQ(next(), 1);
	CHECK_STR(t.e.path, "file");
	CHECK_EQ(next(), 0);
}

WITH_DEVICE(test_tar_numbers_may_be_binary)
{
	maketar_file(&t.mt, "file", "");
	memcpy(header(0)->uid, "\x80\0\0\0\x12\x34\x56\x78", 8);
	memcpy(header(0)->mtime, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", 12);
	maketar_sum(&t.mt, 0);
	begin();
	CHECK_EQ(next(), 1);
	CHECK_EQ(t.e.uid, 0x12345678);
	CHECK_EQ(t.e.mtime_s, -2);
	memcpy(header(0)->size, "\x80\0\0\0\0\0\1\0\0\0\0\0", 12); /* 2^40 */
	maketar_sum(&t.mt, 0);
	begin();
	CHECK_EQ(next(), 1);
	CHECK_EQ(t.e.size, 1ull << 40);
	CHECK_EQ(next(), -EBADMSG);
	CHECK_STR(tar_why(t.tar), "the archive ends in the middle");
	memcpy(header(0)->size, "\x80\0\0\1\0\0\0\0\0\0\0\0", 12);
	maketar_sum(&t.mt, 0);
	CHECK_EQ(read_all(), -EBADMSG);
	memcpy(header(0)->size, "\x80\0\0\0\x80\0\0\0\0\0\0\0", 12);
	maketar_sum(&t.mt, 0);
	CHECK_EQ(read_all(), -EBADMSG);
	memcpy(header(0)->size, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12);
	maketar_sum(&t.mt, 0);
	CHECK_EQ(read_all(), -EBADMSG);
}

WITH_DEVICE(test_tar_of_version_7_is_taken)
{
	maketar_add(&t.mt, TAR_FILE_OLD, "dir/", "", NULL, 0);
	maketar_add(&t.mt, TAR_FILE_OLD, "file", "", "abc", 3);
	memset(header(0)->magic, 0, 8);
	memcpy(header(0)->uid, "    17 \0", 8);
	memset(header(0)->mode, 0, 8);
	maketar_sum(&t.mt, 0);
	begin();
	CHECK_EQ(next(), 1);
	CHECK_EQ(t.e.type, TAR_DIR);
	CHECK_EQ(t.e.uid, 15);
	CHECK_EQ(t.e.mode, 0);
	CHECK_EQ(next(), 1);
	CHECK_EQ(t.e.type, TAR_FILE);
	CHECK_EQ(t.e.size, 3);
}

WITH_DEVICE(test_tar_only_files_have_data)
{
	maketar_link(&t.mt, TAR_HARD_LINK, "link", "file");
	memcpy(header(0)->size, "00000000777", 12);
	maketar_sum(&t.mt, 0);
	maketar_file(&t.mt, "file", "");
	begin();
	CHECK_EQ(next(), 1);
	CHECK_EQ(t.e.size, 0);
	CHECK_EQ(next(), 1);
	CHECK_STR(t.e.path, "file");
}

WITH_DEVICE(test_tar_cut_off_anywhere_is_noticed)
{
	maketar_pax(&t.mt, "path", "longer");
	maketar_file(&t.mt, "file", "some data");
	size_t whole = t.mt.len;
	for (size_t cut = 1; cut < whole; cut++) {
		t.mt.len = cut;
		CHECK_EQ(read_all(), -EBADMSG);
		CHECK_STR(tar_why(t.tar), "the archive ends in the middle");
	}
	t.mt.len = whole;
	CHECK_EQ(read_all(), 0);
}

WITH_DEVICE(test_tar_what_it_cannot_read_is_refused_with_a_reason)
{
	static const struct {
		char type;
		const char *name, *link, *why;
	} bad[] = {
		{TAR_GNU_SPARSE, "s", "", "'s' is a sparse file, which tinyvm cannot read"},
		{'V', "label", "", "'label' is of the unknown type 0x56"},
		{TAR_SYMLINK, "l", "", "'l' is a link to nothing"},
		{TAR_FILE, "", "", "a member has no name"},
	};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		t.mt.len = 0;
		maketar_add(&t.mt, bad[i].type, bad[i].name, bad[i].link, NULL, 0);
		CHECK(read_all() < 0);
		CHECK_STR(tar_why(t.tar), bad[i].why);
	}
	t.mt.len = 0;
	maketar_file(&t.mt, "file", "");
	t.mt.data[3] ^= 1;
	CHECK_EQ(read_all(), -EBADMSG);
	CHECK_STR(tar_why(t.tar), "the archive is damaged: a header's checksum is wrong");
	memcpy(header(0)->gid, "12x", 4);
	maketar_sum(&t.mt, 0);
	CHECK_EQ(read_all(), -EBADMSG);
	t.error = -EIO;
	CHECK_EQ(read_all(), -EIO);
	CHECK_STR(tar_why(t.tar), "");
}

WITH_DEVICE(test_tar_damaged_pax_headers_are_refused)
{
	static const char *const bad[] = {
		"x",
		"5 a=b",
		"6 a=b\n7",
		"99 a=b\n",
		"6 =bb\n",
		"5 ab\n",
		"1 a=b\n",
		"0\n",
		"6a=bcd\n",
		"99999999999999999999 a=b\n",
		"11 uid=-1\n",
		"11 uid=1x\n",
		"18 uid=4294967296\n",
		"10 size=x\n",
		"11 mtime=.\n",
		"28 size=9223372036854775808\n",
		"21 GNU.sparse.map=0\n",
		"19 SCHILY.xattr.=a\n",
	};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		t.mt.len = 0;
		maketar_add(&t.mt, TAR_PAX, "pax", "", bad[i], strlen(bad[i]));
		maketar_file(&t.mt, "file", "");
		int rc = read_all();
		if (rc >= 0 || !*tar_why(t.tar))
			test_failed(__FILE__, __LINE__, "taken: %s", bad[i]);
	}
	t.mt.len = 0; /* what is taken back is not there */
	maketar_add(&t.mt, TAR_PAX, "pax", "", "9 path=x\n8 path=\n7 uid=\n", 24);
	maketar_file(&t.mt, "file", "");
	begin();
	CHECK_EQ(next(), 1);
	CHECK_STR(t.e.path, "file");
}

WITH_DEVICE(test_tar_extremes_are_refused)
{
	size_t len = 2 << 20;
	char *data = calloc(1, len), *text = malloc(100000);
	CHECK(data && text);
	maketar_add(&t.mt, TAR_PAX, "pax", "", data, len);
	CHECK_EQ(read_all(), -EBADMSG);
	CHECK_STR(tar_why(t.tar), "a header for what follows is too large");
	t.mt.len = 0;
	memset(data, 'x', TAR_PATH_MAX);
	maketar_add(&t.mt, TAR_GNU_LONG_NAME, "long", "", data, TAR_PATH_MAX + 1);
	CHECK_EQ(read_all(), -EBADMSG);
	CHECK_STR(tar_why(t.tar), "a name of 4096 bytes is too long");
	t.mt.len = 0;
	maketar_add(&t.mt, TAR_PAX, "pax", "", text,
		    maketar_record(text, "SCHILY.xattr.user.x", data, 65530));
	maketar_file(&t.mt, "file", "");
	CHECK_EQ(read_all(), -EBADMSG);
	CHECK_STR(tar_why(t.tar), "the extended attributes of a member are too large");
	free(data);
	free(text);
}

WITH_DEVICE(test_tar_a_shortage_of_memory_is_an_error)
{
	const struct tar_source source = {.read = take};
	struct tar *tar;
	shortage_begin(1);
	int rc = tar_open(&tar, &source);
	CHECK(shortage_end());
	CHECK_EQ(rc, -ENOMEM);
	maketar_pax(&t.mt, "path", "longer");
	begin();
	shortage_begin(1);
	rc = next();
	CHECK(shortage_end());
	CHECK_EQ(rc, -ENOMEM);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_tar_members_of_every_type_are_told),
		TEST_CASE(test_tar_data_comes_whole_in_pieces_of_any_size),
		TEST_CASE(test_tar_names_may_fill_their_fields_and_have_a_prefix),
		TEST_CASE(test_tar_gnu_long_names_are_taken),
		TEST_CASE(test_tar_pax_headers_override),
		TEST_CASE(test_tar_global_headers_mean_nothing),
		TEST_CASE(test_tar_numbers_may_be_binary),
		TEST_CASE(test_tar_of_version_7_is_taken),
		TEST_CASE(test_tar_only_files_have_data),
		TEST_CASE(test_tar_cut_off_anywhere_is_noticed),
		TEST_CASE(test_tar_what_it_cannot_read_is_refused_with_a_reason),
		TEST_CASE(test_tar_damaged_pax_headers_are_refused),
		TEST_CASE(test_tar_extremes_are_refused),
		TEST_CASE(test_tar_a_shortage_of_memory_is_an_error),
	};
	return TEST_RUN(cases);
}
