/* The table of numbered things. */
#include "slots.h"
#include "test.h"

#define COUNT 1000

static int thing[COUNT];

static void test_numbers_begin_with_one_and_lead_back(void)
{
	struct slots slots = {0};
	uint64_t id[COUNT];
	for (unsigned i = 0; i < COUNT; i++) {
		CHECK_EQ(slots_add(&slots, &thing[i], &id[i]), 0);
		CHECK_EQ(id[i], i + 1);
	}
	for (unsigned i = 0; i < COUNT; i++)
		CHECK(slots_get(&slots, id[i]) == &thing[i]);
	CHECK_EQ(slots.used, COUNT);
	CHECK(!slots_get(&slots, 0));
	CHECK(!slots_get(&slots, COUNT + 1));
	CHECK(!slots_get(&slots, UINT64_MAX));
	CHECK(!slots_get(&slots, 1 | 1ull << 32));
	slots_clear(&slots);
	CHECK(!slots_get(&slots, 1));
}

static void test_number_that_was_given_back_finds_nothing(void)
{
	struct slots slots = {0};
	uint64_t old, fresh;
	CHECK_EQ(slots_add(&slots, &thing[0], &old), 0);
	slots_remove(&slots, old);
	CHECK(!slots_get(&slots, old));
	CHECK_EQ(slots_add(&slots, &thing[1], &fresh), 0);
	CHECK_EQ((uint32_t)fresh, (uint32_t)old); /* the same place */
	CHECK(fresh != old);
	CHECK(!slots_get(&slots, old));
	CHECK(slots_get(&slots, fresh) == &thing[1]);
	slots_clear(&slots);
}

static void test_place_that_was_free_longest_comes_first(void)
{
	struct slots slots = {0};
	uint64_t id[4], next;
	for (unsigned i = 0; i < 4; i++)
		CHECK_EQ(slots_add(&slots, &thing[i], &id[i]), 0);
	slots_remove(&slots, id[2]);
	slots_remove(&slots, id[0]);
	CHECK_EQ(slots_add(&slots, &thing[0], &next), 0);
	CHECK_EQ((uint32_t)next, (uint32_t)id[2]);
	CHECK_EQ(slots_add(&slots, &thing[0], &next), 0);
	CHECK_EQ((uint32_t)next, (uint32_t)id[0]);
	CHECK_EQ(slots_add(&slots, &thing[0], &next), 0);
	CHECK_EQ(next, 5);
	slots_clear(&slots);
}

static void test_things_come_back_to_their_numbers(void)
{
	struct slots slots = {0};
	uint64_t id;
	CHECK_EQ(slots_add_at(&slots, &thing[7], 8 | 3ull << 32, 100), 0);
	CHECK_EQ(slots_add_at(&slots, &thing[2], 3, 100), 0);
	CHECK_EQ(slots_add_at(&slots, &thing[2], 3, 100), -EBADMSG);
	CHECK_EQ(slots_add_at(&slots, &thing[2], 8, 100), -EBADMSG);
	CHECK_EQ(slots_add_at(&slots, &thing[2], 0, 100), -EBADMSG);
	CHECK_EQ(slots_add_at(&slots, &thing[2], 101, 100), -EBADMSG);
	slots_relink(&slots);
	CHECK(slots_get(&slots, 8 | 3ull << 32) == &thing[7]);
	CHECK(!slots_get(&slots, 8));
	CHECK(slots_get(&slots, 3) == &thing[2]);
	CHECK_EQ(slots_add(&slots, &thing[0], &id), 0);
	CHECK_EQ(id, 1);
	for (unsigned i = 0; i < 6; i++)
		CHECK_EQ(slots_add(&slots, &thing[0], &id), 0);
	CHECK_EQ(id, 9);
	CHECK_EQ(slots.used, 9);
	slots_clear(&slots);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_numbers_begin_with_one_and_lead_back),
		TEST_CASE(test_number_that_was_given_back_finds_nothing),
		TEST_CASE(test_place_that_was_free_longest_comes_first),
		TEST_CASE(test_things_come_back_to_their_numbers),
	};
	return TEST_RUN(cases);
}
