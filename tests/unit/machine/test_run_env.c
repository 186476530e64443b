/* run_env_put(): one value for each name, in the order of the names. */
#include "run_parts.h"
#include "shortage.h"
#include "test.h"

static void test_run_env_the_last_value_of_a_name_counts(void)
{
	struct run_env env = {0};
	run_env_set(&env, "PATH", "/bin");
	run_env_set(&env, "PAT", "x");
	run_env_put(&env, "PATH=/sbin=");
	run_env_put(&env, "EMPTY=");
	run_env_put(&env, "PATHS=1");
	CHECK_EQ(env.count, 4);
	CHECK_STR(env.list[0], "PATH=/sbin=");
	CHECK_STR(env.list[1], "PAT=x");
	CHECK_STR(env.list[2], "EMPTY=");
	CHECK_STR(env.list[3], "PATHS=1");
	CHECK_EQ(env.error, 0);
	run_env_destroy(&env);
}

static void test_run_env_what_is_no_variable_is_left_out(void)
{
	struct run_env env = {0};
	run_env_put(&env, "word");
	run_env_put(&env, "=value");
	run_env_put(&env, "");
	CHECK_EQ(env.count, 0);
	run_env_destroy(&env);
}

static void test_run_env_has_room_for_many_or_says_so(void)
{
	struct run_env env = {0};
	char name[16];
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "V%u", i);
		run_env_set(&env, name, "");
	}
	CHECK_EQ(env.count, 1000);
	CHECK_STR(env.list[999], "V999=");
	run_env_destroy(&env);
	shortage_begin(1);
	run_env_put(&env, "A=1");
	CHECK(shortage_end());
	CHECK_EQ(env.error, -ENOMEM);
	CHECK_EQ(env.count, 0);
	run_env_destroy(&env);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_run_env_the_last_value_of_a_name_counts),
		TEST_CASE(test_run_env_what_is_no_variable_is_left_out),
		TEST_CASE(test_run_env_has_room_for_many_or_says_so),
	};
	return TEST_RUN(cases);
}
