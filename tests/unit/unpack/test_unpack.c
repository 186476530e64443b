/* Unpacking a stream of known and of unknown size, in every format. */
#include "kernel_file.h"
#include "test.h"

#include <sys/mman.h>
#include <tinyvm/unpack.h>
#include <unistd.h>

#define TEXT_SIZE 300000
#define STALL_MS  20000

static const struct {
	const char *name;
	const char *command;
} packers[] = {
	{"gzip", "gzip -c"},
	{"xz", "xz --check=crc32 -c"},
	{"zstd", "zstd -q -c"},
	{"bzip2", "bzip2 -c"},
};
#define PACKERS (sizeof(packers) / sizeof(packers[0]))

static uint8_t text[TEXT_SIZE];

static void fill(void)
{
	uint32_t x = 1;
	for (size_t i = 0; i < TEXT_SIZE; i++) {
		x = x * 1664525 + 1013904223;
		text[i] = (uint8_t)(x >> 24 & 0x1f);
	}
}

/* A memory file with 3 bytes before the stream and 4 behind it, which are not part of it. */
static struct unpack_input make_input(const uint8_t *packed, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	if (fd < 0 || write(fd, "xyz", 3) != 3 || write(fd, packed, len) != (ssize_t)len ||
	    write(fd, "tail", 4) != 4)
		abort();
	return (struct unpack_input){
		.fd = fd,
		.off = 3,
		.len = len,
		.format = unpack_identify(packed, len),
		.stall_ms = STALL_MS,
	};
}

/* kernel_pack() without the size that it adds; NULL when the tool is not installed. */
static uint8_t *pack(const char *command, size_t *ret_len)
{
	uint8_t *packed = kernel_pack(command, text, TEXT_SIZE, ret_len);
	*ret_len -= packed ? 4 : 0;
	return packed;
}

/* 1: unpacked to @text, 0: the tool is not installed, -1: no. */
static int unpacks(const char *command)
{
	char why[UNPACK_WHY_MAX];
	size_t len = 0;
	uint8_t *packed = pack(command, &len), *buf, *again;
	uint64_t size;
	if (!packed)
		return 0;
	struct unpack_input in = make_input(packed, len);
	int ret = -1;
	if (unpack_all(&in, 1 << 20, &buf, &size, why) == 0) {
		again = calloc(1, TEXT_SIZE);
		if (again && size == TEXT_SIZE && memcmp(buf, text, TEXT_SIZE) == 0 &&
		    unpack_exactly(&in, again, TEXT_SIZE, why) == 0 &&
		    memcmp(again, text, TEXT_SIZE) == 0)
			ret = 1;
		free(again);
		free(buf);
	}
	close(in.fd);
	free(packed);
	return ret;
}

static void test_every_format_unpacks_to_what_was_packed(void)
{
	for (size_t i = 0; i < PACKERS; i++) {
		int ret = unpacks(packers[i].command);
		if (!ret)
			printf("     %s is not installed\n", packers[i].name);
		CHECK(ret >= 0);
	}
}

static void test_a_stream_longer_than_the_limit_is_refused(void)
{
	char why[UNPACK_WHY_MAX];
	for (size_t i = 0; i < PACKERS; i++) {
		size_t len = 0;
		uint8_t *packed = pack(packers[i].command, &len), *buf;
		uint64_t size;
		if (!packed)
			continue;
		struct unpack_input in = make_input(packed, len);
		CHECK_EQ(unpack_all(&in, TEXT_SIZE - 1, &buf, &size, why), -EMSGSIZE);
		close(in.fd);
		free(packed);
	}
}

static void test_another_size_than_said_is_damage(void)
{
	char why[UNPACK_WHY_MAX];
	for (size_t i = 0; i < PACKERS; i++) {
		size_t len = 0;
		uint8_t *packed = pack(packers[i].command, &len);
		uint8_t *buf = malloc(TEXT_SIZE + 1);
		if (!packed) {
			free(buf);
			continue;
		}
		struct unpack_input in = make_input(packed, len);
		CHECK_EQ(unpack_exactly(&in, buf, TEXT_SIZE + 1, why), -EBADMSG);
		CHECK_EQ(unpack_exactly(&in, buf, TEXT_SIZE - 1, why), -EBADMSG);
		close(in.fd);
		free(packed);
		free(buf);
	}
}

static void test_damaged_and_cut_streams_are_refused(void)
{
	char why[UNPACK_WHY_MAX];
	for (size_t i = 0; i < PACKERS; i++) {
		size_t len = 0;
		uint8_t *packed = pack(packers[i].command, &len), *buf;
		uint64_t size;
		if (!packed)
			continue;
		struct unpack_input cut = make_input(packed, len / 2);
		CHECK_EQ(unpack_all(&cut, 1 << 20, &buf, &size, why), -EBADMSG);
		close(cut.fd);
		packed[len / 2] ^= 0xff;
		packed[len / 2 + 1] ^= 0xff;
		struct unpack_input bad = make_input(packed, len);
		CHECK_EQ(unpack_all(&bad, 1 << 20, &buf, &size, why), -EBADMSG);
		CHECK(strstr(why, packers[i].name));
		close(bad.fd);
		free(packed);
	}
}

static void test_unknown_formats_are_told_apart(void)
{
	static const uint8_t elf[] = "\177ELF";
	CHECK(unpack_identify(elf, 4) == NULL);
	CHECK(unpack_identify((const uint8_t *)"\x1f", 1) == NULL);
	CHECK_STR(unpack_format_name(unpack_identify((const uint8_t *)"\x28\xb5\x2f\xfd", 4)),
		  "zstd");
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_every_format_unpacks_to_what_was_packed),
		TEST_CASE(test_a_stream_longer_than_the_limit_is_refused),
		TEST_CASE(test_another_size_than_said_is_damage),
		TEST_CASE(test_damaged_and_cut_streams_are_refused),
		TEST_CASE(test_unknown_formats_are_told_apart),
	};
	fill();
	return TEST_RUN(cases);
}
