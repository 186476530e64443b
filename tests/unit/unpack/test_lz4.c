/* lz4_unpack_legacy(): the format by hand, and everything that is not quite it. */
#include "lz4.h"
#include "test.h"

#define MAGIC 0x02, 0x21, 0x4c, 0x18

/* Exact allocations, so that ASan sees a step too far on either side. */
static int unpack(const uint8_t *in, size_t len, char *ret, size_t size)
{
	uint8_t *exact = malloc(len ? len : 1), *out = malloc(size ? size : 1);
	if (!exact || !out)
		abort();
	memcpy(exact, in, len);
	int rc = lz4_unpack_legacy(exact, len, out, size);
	if (rc == 0) {
		memcpy(ret, out, size);
		ret[size] = '\0';
	}
	free(exact);
	free(out);
	return rc;
}

/* "abcd", then the match of 8 at distance 4, then "xyz12". */
static const uint8_t simple[] = {MAGIC, 14, 0,	  0,   0,   0x44, 'a', 'b', 'c', 'd',
				 4,	0,  0x50, 'x', 'y', 'z',  '1', '2', 0};

static void test_literals_and_matches(void)
{
	char out[64];
	CHECK_EQ(unpack(simple, 4 + 4 + 13, out, 17), -EBADMSG); /* says 14, has 13 */
	uint8_t frame[sizeof(simple)];
	memcpy(frame, simple, sizeof(simple));
	frame[4] = 13;
	CHECK_EQ(unpack(frame, 21, out, 17), 0);
	CHECK_STR(out, "abcdabcdabcdxyz12");
	CHECK_EQ(unpack(frame, 21, out, 16), -EBADMSG);
	CHECK_EQ(unpack(frame, 21, out, 18), -EBADMSG);
	for (size_t cut = 0; cut < 21; cut++)
		CHECK_EQ(unpack(frame, cut, out, 17), -EBADMSG);
}

static void test_distance_one_repeats(void)
{
	/* 'a', then 15 + 255 + 1 + 4 bytes more of it, then 'b' */
	static const uint8_t in[] = {MAGIC, 8, 0, 0, 0, 0x1f, 'a', 1, 0, 255, 1, 0x10, 'b'};
	char out[300], want[278];
	memset(want, 'a', 276);
	want[276] = 'b';
	want[277] = '\0';
	CHECK_EQ(unpack(in, sizeof(in), out, 277), 0);
	CHECK_STR(out, want);
}

static void test_blocks_and_frames_follow_each_other(void)
{
	static const uint8_t in[] = {MAGIC, 4, 0, 0, 0, 0x30, 'a', 'b', 'c',
				     MAGIC, 3, 0, 0, 0, 0x20, 'd', 'e'};
	char out[8];
	CHECK_EQ(unpack(in, sizeof(in), out, 5), 0);
	CHECK_STR(out, "abcde");
	/* A match may not reach back into another block. */
	static const uint8_t far[] = {MAGIC, 4, 0, 0,	 0,   0x30, 'a', 'b',  'c', 6,
				      0,     0, 0, 0x10, 'd', 2,    0,	 0x10, 'e'};
	CHECK_EQ(unpack(far, sizeof(far), out, 6), -EBADMSG);
}

static void test_what_is_not_lz4_is_refused(void)
{
	char out[64];
	static const uint8_t zero[] = {MAGIC, 6, 0, 0, 0, 0x10, 'a', 0, 0, 0x10, 'b'};
	static const uint8_t endless[] = {MAGIC, 3, 0, 0, 0, 0xf0, 255, 255};
	static const uint8_t no_end[] = {MAGIC, 4, 0, 0, 0, 0x10, 'a', 1, 0};
	static const uint8_t huge[] = {MAGIC, 255, 255, 255, 255, 0x10, 'a'};
	CHECK_EQ(unpack(zero, sizeof(zero), out, 6), -EBADMSG);
	CHECK_EQ(unpack(endless, sizeof(endless), out, 64), -EBADMSG);
	CHECK_EQ(unpack(no_end, sizeof(no_end), out, 5), -EBADMSG);
	CHECK_EQ(unpack(huge, sizeof(huge), out, 1), -EBADMSG);
	CHECK_EQ(unpack((const uint8_t *)"\x04\x22\x4d\x18\0\0\0\0", 8, out, 1), -EBADMSG);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_literals_and_matches),
		TEST_CASE(test_distance_one_repeats),
		TEST_CASE(test_blocks_and_frames_follow_each_other),
		TEST_CASE(test_what_is_not_lz4_is_refused),
	};
	return TEST_RUN(cases);
}
