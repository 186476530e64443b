/* Locked bytes of a file. */
#include "ranges.h"
#include "test.h"
#include <fcntl.h>

static struct ranges ranges;

static void set_up(void)
{
}

static void tear_down(void)
{
	ranges_clear(&ranges);
}

static void set(short type, uint64_t start, uint64_t end)
{
	struct range range = {.start = start, .end = end, .type = type};
	struct ranges_edit edit;
	CHECK_EQ(ranges_prepare(&ranges, &range, &edit), 0);
	ranges_apply(&ranges, &edit);
}

static bool is_conflict(short type, uint64_t start, uint64_t end)
{
	struct range range = {.start = start, .end = end, .type = type};
	return ranges_conflict(&ranges, &range);
}

static bool is_range(unsigned i, short type, uint64_t start, uint64_t end)
{
	const struct range *at = &ranges.at[i];
	return i < ranges.count && at->type == type && at->start == start && at->end == end;
}

WITH_DEVICE(test_ranges_are_in_order)
{
	set(F_RDLCK, 20, 29);
	set(F_WRLCK, 0, 9);
	set(F_RDLCK, 40, INT64_MAX);
	CHECK_EQ(ranges.count, 3);
	CHECK(is_range(0, F_WRLCK, 0, 9));
	CHECK(is_range(1, F_RDLCK, 20, 29));
	CHECK(is_range(2, F_RDLCK, 40, INT64_MAX));
}

WITH_DEVICE(test_neighbours_of_a_type_are_one)
{
	set(F_RDLCK, 0, 9);
	set(F_RDLCK, 20, 29);
	set(F_RDLCK, 10, 19);
	CHECK_EQ(ranges.count, 1);
	CHECK(is_range(0, F_RDLCK, 0, 29));
	set(F_WRLCK, 30, INT64_MAX);
	CHECK_EQ(ranges.count, 2);
	set(F_RDLCK, 30, INT64_MAX);
	CHECK_EQ(ranges.count, 1);
	CHECK(is_range(0, F_RDLCK, 0, INT64_MAX));
}

WITH_DEVICE(test_unlocking_the_middle_splits)
{
	set(F_WRLCK, 0, 29);
	set(F_UNLCK, 10, 19);
	CHECK_EQ(ranges.count, 2);
	CHECK(is_range(0, F_WRLCK, 0, 9));
	CHECK(is_range(1, F_WRLCK, 20, 29));
	set(F_UNLCK, 5, 24);
	CHECK(is_range(0, F_WRLCK, 0, 4));
	CHECK(is_range(1, F_WRLCK, 25, 29));
	set(F_UNLCK, 0, INT64_MAX);
	CHECK_EQ(ranges.count, 0);
	set(F_UNLCK, 0, INT64_MAX);
	CHECK_EQ(ranges.count, 0);
}

WITH_DEVICE(test_other_type_takes_the_place)
{
	set(F_RDLCK, 0, 29);
	set(F_WRLCK, 10, 19);
	CHECK_EQ(ranges.count, 3);
	CHECK(is_range(0, F_RDLCK, 0, 9));
	CHECK(is_range(1, F_WRLCK, 10, 19));
	CHECK(is_range(2, F_RDLCK, 20, 29));
	set(F_WRLCK, 5, 24);
	CHECK(is_range(0, F_RDLCK, 0, 4));
	CHECK(is_range(1, F_WRLCK, 5, 24));
	CHECK(is_range(2, F_RDLCK, 25, 29));
	set(F_WRLCK, 0, 29);
	CHECK_EQ(ranges.count, 1);
}

WITH_DEVICE(test_writers_conflict_with_all_readers_with_writers)
{
	CHECK(!is_conflict(F_WRLCK, 0, INT64_MAX));
	set(F_RDLCK, 10, 19);
	set(F_WRLCK, 30, 39);
	CHECK(is_conflict(F_WRLCK, 19, 19));
	CHECK(is_conflict(F_WRLCK, 0, 10));
	CHECK(!is_conflict(F_WRLCK, 0, 9));
	CHECK(!is_conflict(F_WRLCK, 20, 29));
	CHECK(!is_conflict(F_RDLCK, 0, 29));
	CHECK(is_conflict(F_RDLCK, 0, 30));
	CHECK(is_conflict(F_RDLCK, 39, 39));
	CHECK(!is_conflict(F_RDLCK, 40, INT64_MAX));
}

WITH_DEVICE(test_nothing_changes_before_it_is_applied)
{
	struct range range = {.start = 5, .end = 5, .type = F_WRLCK};
	struct ranges_edit edit;
	set(F_RDLCK, 0, 9);
	CHECK_EQ(ranges_prepare(&ranges, &range, &edit), 0);
	CHECK_EQ(edit.added_count, 3);
	CHECK_EQ(edit.removed, 1);
	CHECK_EQ(ranges.count, 1);
	CHECK(!is_conflict(F_RDLCK, 5, 5));
}

WITH_DEVICE(test_room_goes_with_the_ranges)
{
	for (unsigned i = 0; i < 1000; i++)
		set(F_WRLCK, 2 * i, 2 * i);
	CHECK_EQ(ranges.count, 1000);
	for (unsigned i = 0; i < 999; i++)
		set(F_UNLCK, 2 * i, 2 * i);
	CHECK_EQ(ranges.count, 1);
	CHECK(is_range(0, F_WRLCK, 1998, 1998));
	CHECK(ranges.room < 10);
}

/* Against bytes one by one. */
#define BYTES 24

static void check_bytes(const short type[BYTES])
{
	for (unsigned i = 0; i < BYTES; i++) {
		CHECK_EQ(is_conflict(F_WRLCK, i, i), type[i] != F_UNLCK);
		CHECK_EQ(is_conflict(F_RDLCK, i, i), type[i] == F_WRLCK);
	}
	unsigned count = 0;
	for (unsigned i = 0; i < BYTES; i++)
		count += type[i] != F_UNLCK && (i == 0 || type[i] != type[i - 1]);
	CHECK_EQ(ranges.count, count); /* as few as can be */
}

WITH_DEVICE(test_ranges_say_what_bytes_do)
{
	static const short types[] = {F_RDLCK, F_WRLCK, F_UNLCK};
	short type[BYTES];
	uint32_t random = 1;
	for (unsigned i = 0; i < BYTES; i++)
		type[i] = F_UNLCK;
	for (unsigned n = 0; n < 5000; n++) {
		random = random * 1103515245 + 12345;
		unsigned start = (random >> 8) % BYTES;
		unsigned end = start + (random >> 16) % (BYTES - start);
		short t = types[(random >> 24) % 3];
		set(t, start, end);
		for (unsigned i = start; i <= end; i++)
			type[i] = t;
		check_bytes(type);
	}
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_ranges_are_in_order),
		TEST_CASE(test_neighbours_of_a_type_are_one),
		TEST_CASE(test_unlocking_the_middle_splits),
		TEST_CASE(test_other_type_takes_the_place),
		TEST_CASE(test_writers_conflict_with_all_readers_with_writers),
		TEST_CASE(test_nothing_changes_before_it_is_applied),
		TEST_CASE(test_room_goes_with_the_ranges),
		TEST_CASE(test_ranges_say_what_bytes_do),
	};
	return TEST_RUN(cases);
}
