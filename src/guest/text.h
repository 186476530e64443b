/* Strings and memory, for a program without a libc. */
#ifndef GUEST_TEXT_H
#define GUEST_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The compiler calls the first four itself. */
void *memcpy(void *to, const void *from, size_t len);
void *memmove(void *to, const void *from, size_t len);
void *memset(void *to, int byte, size_t len);
int memcmp(const void *a, const void *b, size_t len);
size_t strlen(const char *s);

bool text_is(const char *a, const char *b);

/* What follows @prefix in @s, NULL when it does not start so. */
const char *text_after(const char *s, const char *prefix);

/* The first @byte in @s, NULL when there is none. */
char *text_find(const char *s, char byte);

/**
 * text_number() - read a decimal number
 * @s: moved past it
 * Return: false without a digit, or past 32 bits.
 */
bool text_number(const char **s, uint32_t *ret);

/**
 * struct text - a string being put together; what does not fit is left out
 * @buf: NUL-terminated
 */
struct text {
	size_t len;
	char buf[4608]; /* a path, and some words around it */
};

void text_add(struct text *t, const char *s);
void text_add_number(struct text *t, uint32_t n);

/* Adds ": " and what -errno @error means. */
void text_add_error(struct text *t, long error);

#endif
