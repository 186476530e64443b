/* Sets of sectors and parts of a request's data, against the plainest way to do the same. */
#include "request.h"
#include "sectors.h"
#include "test.h"

#define SECTORS 640

static void test_added_sectors_are_there_and_no_others(void)
{
	for (unsigned first = 0; first < 140; first++)
		for (unsigned end = first; end < 280; end++) {
			_Alignas(8) uint8_t bits[SECTORS / 8] = {0};
			sectors_add(bits, first, end);
			for (unsigned i = 0; i < SECTORS; i++)
				CHECK_EQ(sectors_has(bits, i), i >= first && i < end);
		}
}

static void test_adding_keeps_what_was_there(void)
{
	_Alignas(8) uint8_t bits[SECTORS / 8] = {0};
	sectors_add(bits, 3, 5);
	sectors_add(bits, 6, 100);
	sectors_add(bits, 0, 1);
	for (unsigned i = 0; i < SECTORS; i++)
		CHECK_EQ(sectors_has(bits, i), i == 0 || i == 3 || i == 4 || (i >= 6 && i < 100));
}

static void test_runs_end_where_the_kind_changes_or_at_the_limit(void)
{
	unsigned seed = 1;
	for (unsigned round = 0; round < 200; round++) {
		_Alignas(8) uint8_t bits[SECTORS / 8] = {0};
		for (unsigned i = 0; i < 12; i++) {
			unsigned first = (seed = seed * 1103515245 + 12345) >> 8;
			sectors_add(bits, first % SECTORS,
				    first % SECTORS + (first >> 10) % (SECTORS - first % SECTORS));
		}
		for (unsigned first = 0; first < SECTORS; first++)
			for (unsigned end = first + 1; end <= SECTORS; end += 1 + round % 37) {
				unsigned want = first;
				while (want < end &&
				       sectors_has(bits, want) == sectors_has(bits, first))
					want++;
				CHECK_EQ(sectors_run_end(bits, first, end), want);
			}
		if (round % 2)
			memset(bits, round % 4 == 1 ? 0 : 0xff, sizeof(bits));
		CHECK(sectors_run_end(bits, 5, SECTORS) <= SECTORS);
	}
}

static void test_a_set_of_one_kind_is_one_run(void)
{
	_Alignas(8) uint8_t bits[SECTORS / 8] = {0};
	CHECK_EQ(sectors_run_end(bits, 0, SECTORS), SECTORS);
	CHECK_EQ(sectors_run_end(bits, SECTORS - 1, SECTORS), SECTORS);
	sectors_add(bits, 0, SECTORS);
	CHECK_EQ(sectors_run_end(bits, 63, SECTORS), SECTORS);
	CHECK_EQ(sectors_run_end(bits, 64, 65), 65);
}

static void test_cursor_cuts_windows_anywhere(void)
{
	uint8_t data[64];
	const struct iovec iov[] = {{data, 0},	    {data, 10},	     {data + 10, 1},
				    {data + 11, 0}, {data + 11, 20}, {data + 31, 33},
				    {data, 0}};
	for (unsigned a = 1; a < 64; a++)
		for (unsigned b = a; b < 64; b++) {
			struct req_cursor cur = {.iov = iov};
			const uint64_t part[] = {a, b - a, 64 - b};
			size_t at = 0;
			for (unsigned p = 0; p < 3; p++) {
				struct iovec out[7];
				uint64_t sum = 0;
				unsigned n = req_cursor_take(&cur, part[p], out);
				for (unsigned i = 0; i < n; i++) {
					CHECK(out[i].iov_base == data + at);
					CHECK(out[i].iov_len > 0);
					at += out[i].iov_len;
					sum += out[i].iov_len;
				}
				CHECK_EQ(sum, part[p]);
			}
		}
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_added_sectors_are_there_and_no_others),
		TEST_CASE(test_adding_keeps_what_was_there),
		TEST_CASE(test_runs_end_where_the_kind_changes_or_at_the_limit),
		TEST_CASE(test_a_set_of_one_kind_is_one_run),
		TEST_CASE(test_cursor_cuts_windows_anywhere),
	};
	return TEST_RUN(cases);
}
