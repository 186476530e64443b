/* Any bytes as JSON: what is parsed is looked at whole. */
#include <stdlib.h>
#include <string.h>
#include <tinyvm/json.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist(bool is_so)
{
	if (!is_so)
		abort();
}

static size_t look(const struct json_value *v, unsigned depth)
{
	size_t values = 1;
	unsigned count = 0;
	insist(depth <= JSON_DEPTH_MAX);
	if (v->type == JSON_STRING)
		values += strlen(v->text) == SIZE_MAX;
	else
		insist(!v->text);
	insist(v->type == JSON_ARRAY || v->type == JSON_OBJECT || !v->first);
	insist(!v->is_natural || v->number < 1000000000000000000);
	for (const struct json_value *m = v->first; m; m = m->next, count++) {
		insist(!m->key == (v->type == JSON_ARRAY));
		insist(!m->key || json_get(v, m->key, JSON_NULL) != v);
		values += look(m, depth + 1);
	}
	insist(count == v->count);
	return values;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json *json;
	if (json_parse(&json, (const char *)data, size) != 0)
		return 0;
	insist(look(json_root(json), 0) <= JSON_VALUES_MAX);
	(void)json_text(json_root(json), "config", "");
	json_destroy(json);
	return 0;
}
