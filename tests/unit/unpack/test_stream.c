/* unpack_stream_read(): every format, in pieces, to its end, and what is damaged. */
#include "kernel_file.h"
#include "shortage.h"
#include "test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <tinyvm/unpack.h>
#include <unistd.h>

#define TEXT_SIZE 3000000 /* more than pipes and buffers hold */
#define STALL_MS  20000

static const char *const packers[] = {"cat",	    "gzip -c",	"(gzip -c; echo more | gzip -c)",
				      "zstd -q -c", "xz -0 -c", "bzip2 -c"};
#define PACKERS (sizeof(packers) / sizeof(packers[0]))

static uint8_t text[TEXT_SIZE];

/* A stream in a memory file, with something before and behind it; and what was seen of it. */
static struct {
	uint8_t *packed;
	size_t len;
	size_t seen;
	bool is_seen_right;
	struct unpack_source source;
	char why[UNPACK_WHY_MAX];
} t;

static void seen(void *ctx, const void *buf, size_t len)
{
	(void)ctx;
	t.is_seen_right = t.is_seen_right && t.seen + len <= t.len &&
			  memcmp(t.packed + t.seen, buf, len) == 0;
	t.seen += len;
}

static void end_stream(void)
{
	if (t.packed)
		close(t.source.in.fd);
	free(t.packed);
	t.packed = NULL;
}

static bool begin_stream(const char *packer, size_t cut)
{
	end_stream();
	t.packed = kernel_pack(packer, text, TEXT_SIZE, &t.len);
	if (!t.packed) {
		printf("     %s is not installed\n", packer);
		return false;
	}
	t.len -= 4 + cut;
	t.seen = 0;
	t.is_seen_right = true;
	int fd = memfd_create("test", MFD_CLOEXEC);
	if (fd < 0 || write(fd, "xyz", 3) != 3 || write(fd, t.packed, t.len) != (ssize_t)t.len ||
	    write(fd, "tail", 4) != 4)
		abort();
	t.source = (struct unpack_source){.in = {.fd = fd,
						 .off = 3,
						 .len = t.len,
						 .format = unpack_identify(t.packed, t.len),
						 .stall_ms = STALL_MS},
					  .seen = seen};
	return true;
}

/* Reads it all, in pieces of up to @piece. Return: bytes, or the error. */
static ssize_t read_all(size_t piece, bool *ret_is_right)
{
	struct unpack_stream *s;
	static uint8_t buf[400000];
	ssize_t n, total = 0;
	int rc = unpack_stream_open(&s, &t.source, t.why);
	*ret_is_right = true;
	if (rc)
		return rc;
	while ((n = unpack_stream_read(s, buf, piece, t.why)) > 0) {
		if (total + n <= TEXT_SIZE && memcmp(buf, text + total, (size_t)n) != 0)
			*ret_is_right = false;
		total += n;
	}
	if (n == 0)
		n = unpack_stream_read(s, buf, piece, t.why); /* the end stays the end */
	unpack_stream_close(s);
	return n < 0 ? n : total;
}

static void test_stream_every_format_comes_back_in_pieces_of_any_size(void)
{
	static const size_t pieces[] = {400000, 65536, 1237};
	for (size_t i = 0; i < PACKERS; i++) {
		if (!begin_stream(packers[i], 0))
			continue;
		for (size_t k = 0; k < 3; k++) {
			bool is_right;
			t.seen = 0;
			CHECK_EQ(read_all(pieces[k], &is_right), TEXT_SIZE + (i == 2 ? 5 : 0));
			CHECK(is_right);
			CHECK(t.is_seen_right);
			CHECK_EQ(t.seen, t.len);
		}
	}
}

static void test_stream_cut_off_is_damage(void)
{
	for (size_t i = 1; i < PACKERS; i++) {
		bool is_right;
		if (!begin_stream(packers[i], 7))
			continue;
		CHECK_EQ(read_all(65536, &is_right), -EBADMSG);
		CHECK(is_right);
		CHECK(strstr(t.why, "stream"));
	}
}

static void test_stream_damage_and_what_follows_the_end_are_refused(void)
{
	for (size_t i = 1; i < PACKERS; i++) {
		bool is_right;
		if (!begin_stream(packers[i], 0))
			continue;
		uint8_t bad[2] = {(uint8_t)~t.packed[t.len / 2], (uint8_t)~t.packed[t.len / 2 + 1]};
		CHECK_EQ(pwrite(t.source.in.fd, bad, 2, (off_t)(3 + t.len / 2)), 2);
		CHECK_EQ(read_all(65536, &is_right), -EBADMSG);
	}
	bool is_right;
	CHECK(begin_stream("gzip -c", 0));
	t.source.in.len += 4;
	t.source.seen = NULL;
	CHECK_EQ(read_all(65536, &is_right), -EBADMSG);
}

static void test_stream_may_be_given_up_at_any_time(void)
{
	for (size_t i = 0; i < PACKERS; i++) {
		struct unpack_stream *s;
		uint8_t byte;
		if (!begin_stream(packers[i], 0))
			continue;
		CHECK_EQ(unpack_stream_open(&s, &t.source, t.why), 0);
		unpack_stream_close(s);
		CHECK_EQ(unpack_stream_open(&s, &t.source, t.why), 0);
		CHECK_EQ(unpack_stream_read(s, &byte, 1, t.why), 1);
		unpack_stream_close(s);
	}
}

static void test_stream_of_a_file_that_became_shorter_is_an_error(void)
{
	bool is_right;
	CHECK(begin_stream("cat", 0));
	CHECK_EQ(ftruncate(t.source.in.fd, 1000000), 0);
	CHECK_EQ(read_all(65536, &is_right), -ENODATA);
	CHECK_STR(t.why, "it could not be read: it became shorter");
}

static void test_stream_without_its_tool_or_memory_is_an_error(void)
{
	bool is_right;
	struct unpack_stream *s;
	if (begin_stream("zstd -q -c", 0)) {
		const char *path = getenv("PATH");
		char *kept = strdup(path ? path : "/usr/bin:/bin");
		CHECK(kept);
		setenv("PATH", "/nowhere", 1);
		ssize_t rc = read_all(65536, &is_right);
		setenv("PATH", kept, 1);
		free(kept);
		CHECK_EQ(rc, -ENOENT);
		CHECK_STR(t.why, "zstd is not installed (Debian package zstd)");
	}
	CHECK(begin_stream("cat", 0));
	t.source.in.format = unpack_identify((const uint8_t *)"\x02\x21\x4c\x18", 4);
	CHECK_EQ(read_all(65536, &is_right), -EOPNOTSUPP);
	t.source.in.format = NULL;
	shortage_begin(1);
	int rc = unpack_stream_open(&s, &t.source, t.why);
	CHECK(shortage_end());
	CHECK_EQ(rc, -ENOMEM);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_stream_every_format_comes_back_in_pieces_of_any_size),
		TEST_CASE(test_stream_cut_off_is_damage),
		TEST_CASE(test_stream_damage_and_what_follows_the_end_are_refused),
		TEST_CASE(test_stream_may_be_given_up_at_any_time),
		TEST_CASE(test_stream_of_a_file_that_became_shorter_is_an_error),
		TEST_CASE(test_stream_without_its_tool_or_memory_is_an_error),
	};
	uint32_t x = 1;
	for (size_t i = 0; i < TEXT_SIZE; i++) {
		x = x * 1664525 + 1013904223;
		text[i] = (uint8_t)(x >> 24 & 0x1f);
	}
	int rc = TEST_RUN(cases);
	end_stream();
	return rc;
}
