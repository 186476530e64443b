/* The environment of the command of `tinyvm run`, put together from several sources. */
#include "run_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Takes @text over; NULL: there was no memory for it. */
static void run_env_take(struct run_env *env, char *text)
{
	size_t len = text ? strcspn(text, "=") : 0;
	for (unsigned i = 0; text && i < env->count; i++) {
		if (strncmp(env->list[i], text, len) != 0 || env->list[i][len] != '=')
			continue;
		free(env->list[i]);
		env->list[i] = text;
		return;
	}
	if (text && env->count == env->room) {
		unsigned room = env->room ? env->room * 2 : 32;
		char **list = realloc(env->list, room * sizeof(char *));
		if (list) {
			env->list = list;
			env->room = room;
		}
	}
	if (text && env->count < env->room) {
		env->list[env->count++] = text;
		return;
	}
	free(text);
	env->error = -ENOMEM;
}

void run_env_set(struct run_env *env, const char *name, const char *value)
{
	char *text;
	run_env_take(env, asprintf(&text, "%s=%s", name, value) < 0 ? NULL : text);
}

void run_env_put(struct run_env *env, const char *text)
{
	const char *equals = strchr(text, '=');
	if (equals && equals != text)
		run_env_take(env, strdup(text));
}

void run_env_destroy(struct run_env *env)
{
	for (unsigned i = 0; i < env->count; i++)
		free(env->list[i]);
	free(env->list);
	*env = (struct run_env){0};
}
