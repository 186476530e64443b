/* SHA-256: the examples of FIPS 180-4's authors, and pieces of any size. */
#include "sha256.h"
#include "test.h"

static const char *sum(const void *buf, size_t len)
{
	static char hex[SHA256_HEX_SIZE];
	struct sha256 s;
	sha256_begin(&s);
	sha256_add(&s, buf, len);
	sha256_end(&s, hex);
	return hex;
}

static void test_sha256_of_the_standards_examples(void)
{
	static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	CHECK_STR(sum("", 0), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	CHECK_STR(sum("abc", 3),
		  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	CHECK_STR(sum(two, 56), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void test_sha256_of_a_million_bytes_in_pieces_of_every_size(void)
{
	char buf[1000], hex[SHA256_HEX_SIZE];
	struct sha256 s;
	memset(buf, 'a', sizeof(buf));
	sha256_begin(&s);
	for (size_t left = 1000000, n = 0; left; left -= n) {
		n = n % 199 + 1 < left ? n % 199 + 1 : left;
		sha256_add(&s, buf, n);
	}
	sha256_end(&s, hex);
	CHECK_STR(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void test_sha256_padding_of_every_length(void)
{
	/* Each sum is added to the next input, so that one wrong bit anywhere shows at the end. */
	char buf[300] = "", hex[SHA256_HEX_SIZE] = "";
	for (size_t len = 0; len < 200; len++) {
		memcpy(buf + 100, hex, sizeof(hex));
		memcpy(hex, sum(buf, len), sizeof(hex));
	}
	CHECK_STR(hex, "3427c076f406dec8debb8ea2d0ba3538c35ecb29bdb0f5500767f14d40c8de5e");
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_sha256_of_the_standards_examples),
		TEST_CASE(test_sha256_of_a_million_bytes_in_pieces_of_every_size),
		TEST_CASE(test_sha256_padding_of_every_length),
	};
	return TEST_RUN(cases);
}
