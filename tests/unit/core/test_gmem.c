/* Guest memory: bounds, the hole, alignment. */
#include "test.h"

#include <tinyvm/gmem.h>

static void test_gmem_create_refuses_bad_sizes(void)
{
	struct gmem *gm = NULL;
	CHECK_EQ(gmem_create(&gm, 0), (uint64_t)-EINVAL);
	CHECK_EQ(gmem_create(&gm, 4095), (uint64_t)-EINVAL);
	CHECK_EQ(gmem_create(&gm, GMEM_SIZE_MAX + 4096), (uint64_t)-EINVAL);
	CHECK(!gm);
}

static void test_gmem_access_is_all_or_nothing(void)
{
	struct gmem *gm;
	CHECK_EQ(gmem_create(&gm, 0x10000), 0);
	uint8_t buf[16], want[16];
	memset(want, 0xa5, sizeof(want));
	memset(buf, 0xa5, sizeof(buf));

	CHECK_EQ(gmem_write(gm, 0x10000 - 16, buf, 16), 0);
	CHECK_EQ(gmem_write(gm, 0x10000 - 15, "0123456789abcdef", 16), (uint64_t)-EFAULT);
	memset(buf, 0, sizeof(buf));
	CHECK_EQ(gmem_read(gm, 0x10000 - 15, buf, 16), (uint64_t)-EFAULT);
	CHECK_EQ(buf[0], 0);
	CHECK_EQ(gmem_read(gm, 0x10000 - 16, buf, 16), 0);
	CHECK(memcmp(buf, want, 16) == 0);
	CHECK_EQ(gmem_zero(gm, 0xfff0, 17), (uint64_t)-EFAULT);
	CHECK_EQ(gmem_zero(gm, 0xfff0, 16), 0);
	CHECK_EQ(gmem_read(gm, 0xfff0, buf, 16), 0);
	CHECK_EQ(buf[15], 0);
	CHECK_EQ(gmem_read(gm, UINT64_MAX, buf, 16), (uint64_t)-EFAULT);
	CHECK_EQ(gmem_read(gm, UINT64_MAX - 7, buf, 16), (uint64_t)-EFAULT);
	CHECK_EQ(gmem_read(gm, 8, buf, SIZE_MAX), (uint64_t)-EFAULT);
	CHECK_EQ(gmem_read(gm, UINT64_MAX, buf, 0), 0);
	gmem_destroy(gm);
}

static void test_gmem_has_a_hole_below_4g(void)
{
	struct gmem *gm;
	CHECK_EQ(gmem_create(&gm, 5ULL << 30), 0);
	CHECK_EQ(gmem_size(gm), 5ULL << 30);
	CHECK_EQ(gmem_region_count(gm), 2);
	CHECK_EQ(gmem_region(gm, 0)->size, GMEM_HOLE_START);
	CHECK_EQ(gmem_region(gm, 1)->gpa, GMEM_HOLE_END);
	CHECK_EQ(gmem_region(gm, 1)->size, 2ULL << 30);
	CHECK(!gmem_region(gm, 2));

	uint32_t v = 0x12345678;
	CHECK_EQ(gmem_write(gm, GMEM_HOLE_START - 4, &v, 4), 0);
	CHECK_EQ(gmem_write(gm, GMEM_HOLE_START - 2, &v, 4), (uint64_t)-EFAULT);
	CHECK_EQ(gmem_write(gm, GMEM_HOLE_END - 2, &v, 4), (uint64_t)-EFAULT);
	CHECK_EQ(gmem_write(gm, GMEM_HOLE_END + (2ULL << 30) - 4, &v, 4), 0);
	CHECK_EQ(gmem_write(gm, GMEM_HOLE_END + (2ULL << 30) - 3, &v, 4), (uint64_t)-EFAULT);
	/* Lazily allocated and 2 MiB congruent, so that huge pages are possible. */
	CHECK_EQ((uintptr_t)gmem_region(gm, 0)->hva % (2 << 20), 0);
	CHECK_EQ((uintptr_t)gmem_region(gm, 1)->hva % (2 << 20), 0);
	gmem_destroy(gm);
}

static void test_gmem_le16_wants_alignment(void)
{
	struct gmem *gm;
	uint16_t v = 0;
	CHECK_EQ(gmem_create(&gm, 4096), 0);
	CHECK_EQ(gmem_store_le16(gm, 2, 0xbeef), 0);
	CHECK_EQ(gmem_load_le16(gm, 2, &v), 0);
	CHECK_EQ(v, 0xbeef);
	CHECK_EQ(gmem_load_le16(gm, 3, &v), (uint64_t)-EFAULT);
	CHECK_EQ(gmem_store_le16(gm, 4096, 1), (uint64_t)-EFAULT);
	gmem_destroy(gm);
}

static void test_gmem_iov_is_the_same_memory(void)
{
	struct gmem *gm;
	struct iovec iov;
	char c = 0;
	CHECK_EQ(gmem_create(&gm, 8192), 0);
	CHECK_EQ(gmem_iov(gm, 100, 8092, &iov, 1), 1);
	CHECK_EQ(iov.iov_len, 8092);
	*(char *)iov.iov_base = 'x';
	CHECK_EQ(gmem_read(gm, 100, &c, 1), 0);
	CHECK_EQ(c, 'x');
	CHECK_EQ(gmem_iov(gm, 100, 8093, &iov, 1), (uint64_t)-EFAULT);
	CHECK_EQ(gmem_iov(gm, 100, 1, &iov, 0), (uint64_t)-ENOBUFS);
	CHECK_EQ(gmem_iov(gm, 1 << 30, 0, &iov, 1), 0);
	gmem_destroy(gm);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_gmem_create_refuses_bad_sizes),
		TEST_CASE(test_gmem_access_is_all_or_nothing),
		TEST_CASE(test_gmem_has_a_hole_below_4g),
		TEST_CASE(test_gmem_le16_wants_alignment),
		TEST_CASE(test_gmem_iov_is_the_same_memory),
	};
	return TEST_RUN(cases);
}
