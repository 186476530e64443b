/* The instructions: strings KEY=VALUE, see <spec/run_protocol.h>. */
#include "conf.h"

#include "sys.h"
#include "text.h"

#include <spec/run_protocol.h>

long conf_read(struct conf *conf, const char *path)
{
	long fd = sys_open(path, O_RDONLY);
	if (fd < 0)
		return fd;
	long len = sys_lseek((int)fd, 0, SEEK_END);
	/* -errno are the last values of an address. */
	unsigned long at = len > 0 ? (unsigned long)sys_mmap((int)fd, (size_t)len) : -1UL;
	sys_close((int)fd);
	if (len <= 0)
		return len < 0 ? len : -EINVAL;
	if (at >= -4095UL)
		return (long)at;
	conf->at = (char *)at;
	conf->len = (size_t)len;
	if (conf->at[len - 1])
		return -EINVAL;
	const char *version = conf_get(conf, "version", "");
	uint32_t number;
	return text_number(&version, &number) && !*version && number == RUN_PROTOCOL_VERSION
		       ? 0
		       : -EINVAL;
}

const char *conf_next(const struct conf *conf, const char *key, const char *last)
{
	const char *at = last ? last + strlen(last) + 1 : conf->at;
	for (; at < conf->at + conf->len; at += strlen(at) + 1) {
		const char *value = text_after(at, key);
		if (value && *value == '=')
			return value + 1;
	}
	return NULL;
}

const char *conf_get(const struct conf *conf, const char *key, const char *otherwise)
{
	const char *value = conf_next(conf, key, NULL);
	return value ? value : otherwise;
}

char **conf_list(const struct conf *conf, const char *key, size_t *ret_count)
{
	size_t count = 0;
	for (const char *v = NULL; (v = conf_next(conf, key, v));)
		count++;
	unsigned long at = (unsigned long)sys_mmap(-1, (count + 1) * sizeof(char *));
	if (at >= -4095UL)
		return NULL;
	char **list = (char **)at;
	size_t n = 0;
	for (const char *v = NULL; n < count && (v = conf_next(conf, key, v));)
		list[n++] = (char *)(uintptr_t)v;
	*ret_count = count;
	return list;
}

bool conf_fields(const char *value, char *buf, size_t max, const char **field, unsigned count)
{
	size_t len = strlen(value) + 1;
	if (len > max)
		return false;
	memcpy(buf, value, len);
	for (unsigned i = 0; i < count; i++) {
		field[i] = buf;
		if (i + 1 == count)
			break;
		buf = text_find(buf, ':');
		if (!buf)
			return false;
		*buf++ = '\0';
	}
	return true;
}
