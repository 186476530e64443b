/* Bytes of anybody's as part of a text with rules of its own. */
#ifndef ESCAPE_H
#define ESCAPE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What stands for a byte that is no UTF-8: the replacement character. */
#define ESCAPE_BAD 0xfffdu

/**
 * escape_next() - the next character of UTF-8
 * @text: moved behind it; it is not @end
 *
 * Return: its code point; ESCAPE_BAD, with @text moved by one byte, where no character begins:
 * nothing overlong, no surrogates, nothing above U+10FFFF.
 */
uint32_t escape_next(const char **text, const char *end);

/*
 * Each writes @len bytes of @text, with what is no UTF-8 replaced. Errors are the stream's.
 *
 * escape_json(): a string of RFC 8259, with its quotes; also a double-quoted scalar of YAML 1.2.
 * escape_xml(): character data or a quoted attribute's value of XML 1.0; what XML cannot have at
 * all is replaced.
 * escape_tap(): part of a description of TAP: one line, no directive.
 * escape_plain(): for a terminal, a log or a block of YAML: one line, without control characters
 * but tabs.
 */
void escape_json(FILE *out, const char *text, size_t len);
void escape_xml(FILE *out, const char *text, size_t len);
void escape_tap(FILE *out, const char *text, size_t len);
void escape_plain(FILE *out, const char *text, size_t len);

#endif
