/* Strings and memory, for a program without a libc. */
#include "text.h"

#include "sys.h"

void *memcpy(void *to, const void *from, size_t len)
{
	void *at = to;
	__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(len) : : "memory");
	return to;
}

void *memset(void *to, int byte, size_t len)
{
	void *at = to;
	__asm__ volatile("rep stosb" : "+D"(at), "+c"(len) : "a"(byte) : "memory");
	return to;
}

void *memmove(void *to, const void *from, size_t len)
{
	char *t = to;
	const char *f = from;
	if (t <= f || t >= f + len)
		return memcpy(to, from, len);
	while (len--)
		t[len] = f[len];
	return to;
}

int memcmp(const void *a, const void *b, size_t len)
{
	const uint8_t *x = a, *y = b;
	for (; len; len--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strlen(const char *s)
{
	size_t len = 0;
	while (s[len])
		len++;
	return len;
}

bool text_is(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

const char *text_after(const char *s, const char *prefix)
{
	while (*prefix)
		if (*s++ != *prefix++)
			return NULL;
	return s;
}

char *text_find(const char *s, char byte)
{
	for (; *s; s++)
		if (*s == byte)
			return (char *)(uintptr_t)s;
	return NULL;
}

bool text_number(const char **s, uint32_t *ret)
{
	const char *at = *s;
	uint64_t n = 0;
	for (; *at >= '0' && *at <= '9'; at++) {
		n = n * 10 + (uint64_t)(*at - '0');
		if (n > UINT32_MAX)
			return false;
	}
	if (at == *s)
		return false;
	*s = at;
	*ret = (uint32_t)n;
	return true;
}

void text_add(struct text *t, const char *s)
{
	while (*s && t->len + 1 < sizeof(t->buf))
		t->buf[t->len++] = *s++;
	t->buf[t->len] = '\0';
}

void text_add_number(struct text *t, uint32_t n)
{
	char digits[11];
	size_t at = sizeof(digits) - 1;
	digits[at] = '\0';
	do
		digits[--at] = (char)('0' + n % 10);
	while (n /= 10);
	text_add(t, digits + at);
}

void text_add_error(struct text *t, long error)
{
	static const struct {
		int number;
		const char *words;
	} known[] = {
		{EPERM, "operation not permitted"},
		{ENOENT, "no such file or directory"},
		{EIO, "input/output error"},
		{ENOEXEC, "not a program this kernel can run"},
		{ENOMEM, "out of memory"},
		{EACCES, "permission denied"},
		{EBUSY, "busy"},
		{ENODEV, "the kernel does not have it"},
		{ENOTDIR, "not a directory"},
		{EINVAL, "invalid argument"},
		{ENOSPC, "no space left"},
		{EROFS, "read-only file system"},
		{ENAMETOOLONG, "name too long"},
		{ENOSYS, "the kernel cannot do that"},
		{ELOOP, "too many symbolic links"},
	};
	text_add(t, ": ");
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (known[i].number == -error) {
			text_add(t, known[i].words);
			return;
		}
	}
	text_add(t, "error ");
	text_add_number(t, (uint32_t)-error);
}
