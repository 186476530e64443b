/* json_parse(): what the grammar has, and what it has not. */
#include "shortage.h"
#include "test.h"

#include <tinyvm/json.h>

/* An allocation of just the size, so that ASan sees a step too far. */
static int parse(struct json **ret, const char *text, size_t len)
{
	char *exact = malloc(len ? len : 1);
	if (!exact)
		abort();
	memcpy(exact, text, len);
	int rc = json_parse(ret, exact, len);
	free(exact);
	return rc;
}

static bool is_json(const char *text)
{
	struct json *json;
	int rc = parse(&json, text, strlen(text));
	if (rc == 0)
		json_destroy(json);
	return rc == 0;
}

static void test_json_values_are_found_by_key_and_type(void)
{
	static const char text[] =
		" {\"a\": [1, \"two\", null , true,false],\n\t\"b\":{\"c\":\"d\"}, \"n\":12 }\r\n";
	struct json *json;
	CHECK_EQ(parse(&json, text, strlen(text)), 0);
	const struct json_value *root = json_root(json);
	const struct json_value *a = json_get(root, "a", JSON_ARRAY);
	CHECK(a && a->count == 5);
	CHECK(a->first->is_natural && a->first->number == 1);
	CHECK_STR(a->first->next->text, "two");
	CHECK_EQ(a->first->next->next->type, JSON_NULL);
	CHECK(a->first->next->next->next->is_true);
	CHECK(!a->first->next->next->next->next->is_true);
	CHECK(!a->first->next->next->next->next->next);
	CHECK_STR(json_text(json_get(root, "b", JSON_OBJECT), "c", ""), "d");
	CHECK_STR(json_text(root, "b", "other type"), "other type");
	CHECK_STR(json_text(root, "x", "missing"), "missing");
	CHECK_STR(json_text(NULL, "x", "nothing"), "nothing");
	CHECK(!json_get(root, "a", JSON_OBJECT));
	CHECK(!json_get(a, "a", JSON_ARRAY));
	CHECK_EQ(json_get(root, "n", JSON_NUMBER)->number, 12);
	json_destroy(json);
}

static void test_json_the_last_of_equal_keys_counts(void)
{
	struct json *json;
	CHECK_EQ(json_parse(&json, "{\"a\":\"1\",\"a\":\"2\"}", 17), 0);
	CHECK_STR(json_text(json_root(json), "a", ""), "2");
	json_destroy(json);
}

static void test_json_strings_are_unescaped(void)
{
	static const char text[] =
		"[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\",\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"]";
	struct json *json;
	CHECK_EQ(parse(&json, text, strlen(text)), 0);
	CHECK_STR(json_root(json)->first->text, "\"\\/\b\f\n\r\t");
	CHECK_STR(json_root(json)->first->next->text, "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
	json_destroy(json);
}

static void test_json_numbers_are_natural_or_not_converted(void)
{
	static const char text[] = "[0,-1,1.5,1e3,999999999999999999,1000000000000000000,-0]";
	static const bool is_natural[] = {true, false, false, false, true, false, false};
	struct json *json;
	CHECK_EQ(parse(&json, text, strlen(text)), 0);
	const struct json_value *v = json_root(json)->first;
	for (unsigned i = 0; i < 7; i++, v = v->next)
		CHECK_EQ(v->is_natural, is_natural[i]);
	json_destroy(json);
}

static void test_json_only_the_grammar_is_taken(void)
{
	static const char *const good[] = {"{}",   "[]",      "0",	     "\"\"",	    "null",
					   "[[]]", "-0.5e+1", "[{\"\":{}}]", " [ 1 , 2 ] ", "1E5"};
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"[",
		"[1",
		"[1,]",
		"{\"a\"}",
		"{a:1}",
		"{1:2}",
		"01",
		"1.",
		".5",
		"+1",
		"1e",
		"nul",
		"nulls",
		"True",
		"'a'",
		"\"a",
		"\"\\x\"",
		"\"\\u12\"",
		"\"\\",
		"[1 2]",
		"{} {}",
		"[1]]",
		"\"\n\"",
		"-",
		"\"\\u0000\"",
		"[,]",
		"{,}",
		"\"\\ud800\"",
		"\"\\ud800x\"",
		"\"\\udc00\"",
		"\v1",
		"// x\n1",
		"{\"a\":}",
		"\"\\ud800\\u0041\"",
	};
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!is_json(good[i]))
			test_failed(__FILE__, __LINE__, "refused: %s", good[i]);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (is_json(bad[i]))
			test_failed(__FILE__, __LINE__, "taken: %s", bad[i]);
	struct json *json;
	CHECK_EQ(parse(&json, "1\0", 2), -EINVAL);
	CHECK_EQ(parse(&json, "[\"a\0b\"]", 7), -EINVAL);
}

static void test_json_limits_end_in_an_error(void)
{
	char *text = malloc(JSON_SIZE_MAX + 1);
	struct json *json;
	CHECK(text);
	memset(text, '[', JSON_SIZE_MAX + 1);
	CHECK_EQ(json_parse(&json, text, JSON_SIZE_MAX + 1), -EMSGSIZE);
	CHECK_EQ(json_parse(&json, text, JSON_SIZE_MAX), -EMSGSIZE); /* the depth */
	for (size_t i = 0; i < JSON_DEPTH_MAX; i++)
		text[JSON_DEPTH_MAX + i] = ']';
	CHECK_EQ(json_parse(&json, text, (size_t)2 * JSON_DEPTH_MAX), 0);
	json_destroy(json);
	text[0] = '[';
	for (size_t i = 0; i < JSON_VALUES_MAX; i++)
		memcpy(text + 1 + 2 * i, "0,", 2);
	text[2 * JSON_VALUES_MAX] = ']';
	CHECK_EQ(json_parse(&json, text, (size_t)2 * JSON_VALUES_MAX + 1), -EMSGSIZE);
	free(text);
}

static void test_json_a_shortage_of_memory_is_an_error(void)
{
	struct json *json;
	for (unsigned n = 1;; n++) {
		shortage_begin(n);
		int rc = json_parse(&json, "{\"a\":[1,2]}", 11);
		if (!shortage_end()) {
			CHECK_EQ(rc, 0);
			json_destroy(json);
			break;
		}
		CHECK_EQ(rc, -ENOMEM);
	}
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_json_values_are_found_by_key_and_type),
		TEST_CASE(test_json_the_last_of_equal_keys_counts),
		TEST_CASE(test_json_strings_are_unescaped),
		TEST_CASE(test_json_numbers_are_natural_or_not_converted),
		TEST_CASE(test_json_only_the_grammar_is_taken),
		TEST_CASE(test_json_limits_end_in_an_error),
		TEST_CASE(test_json_a_shortage_of_memory_is_an_error),
	};
	return TEST_RUN(cases);
}
