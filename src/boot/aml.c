/* ACPI machine language, ACPI 6.4 chapter 20; resource descriptors, section 6.4. */
#include "aml.h"

#include <assert.h>
#include <string.h>

enum aml_op {
	AML_ZERO_OP = 0x00,
	AML_ONE_OP = 0x01,
	AML_NAME_OP = 0x08,
	AML_BYTE_PREFIX = 0x0a,
	AML_WORD_PREFIX = 0x0b,
	AML_DWORD_PREFIX = 0x0c,
	AML_STRING_PREFIX = 0x0d,
	AML_QWORD_PREFIX = 0x0e,
	AML_SCOPE_OP = 0x10,
	AML_BUFFER_OP = 0x11,
	AML_PACKAGE_OP = 0x12,
	AML_EXT_PREFIX = 0x5b,
	AML_EXT_DEVICE_OP = 0x82,
};

void aml_bytes(struct aml *a, const void *bytes, size_t len)
{
	if (a->buf) {
		assert(len <= a->size - a->len);
		memcpy(a->buf + a->len, bytes, len);
	}
	a->len += len;
}

static void aml_byte(struct aml *a, uint8_t byte)
{
	aml_bytes(a, &byte, 1);
}

static void aml_insert(struct aml *a, size_t at, const void *bytes, size_t len)
{
	if (a->buf) {
		assert(len <= a->size - a->len);
		memmove(a->buf + at + len, a->buf + at, a->len - at);
		memcpy(a->buf + at, bytes, len);
	}
	a->len += len;
}

/* PkgLength (section 20.2.4) counts itself; it takes the shortest of its forms. */
void aml_close(struct aml *a, size_t mark)
{
	size_t content = a->len - mark;
	uint8_t bytes[4];
	unsigned n = content + 1 < 1u << 6    ? 1
		     : content + 2 < 1u << 12 ? 2
		     : content + 3 < 1u << 20 ? 3
					      : 4;
	size_t length = content + n;
	assert(length < 1u << 28);

	if (n == 1) {
		bytes[0] = (uint8_t)length;
	} else {
		bytes[0] = (uint8_t)((n - 1) << 6 | (length & 0xf));
		for (unsigned i = 1; i < n; i++)
			bytes[i] = (uint8_t)(length >> (8 * i - 4));
	}
	aml_insert(a, mark, bytes, n);
}

size_t aml_scope_sb(struct aml *a)
{
	aml_byte(a, AML_SCOPE_OP);
	size_t mark = a->len;
	aml_bytes(a, "_SB_", 4); /* seen from the root, where the definition block starts */
	return mark;
}

size_t aml_device(struct aml *a, const char name[4])
{
	aml_byte(a, AML_EXT_PREFIX);
	aml_byte(a, AML_EXT_DEVICE_OP);
	size_t mark = a->len;
	aml_bytes(a, name, 4);
	return mark;
}

size_t aml_package(struct aml *a, uint8_t count)
{
	aml_byte(a, AML_PACKAGE_OP);
	size_t mark = a->len;
	aml_byte(a, count);
	return mark;
}

void aml_name(struct aml *a, const char name[4])
{
	aml_byte(a, AML_NAME_OP);
	aml_bytes(a, name, 4);
}

/* The shortest encoding of @value. Return: its length. */
static size_t aml_encode_integer(uint8_t bytes[9], uint64_t value)
{
	if (value <= 1) {
		bytes[0] = value ? AML_ONE_OP : AML_ZERO_OP;
		return 1;
	}
	size_t len = 8;
	if (value <= UINT8_MAX) {
		bytes[0] = AML_BYTE_PREFIX;
		len = 1;
	} else if (value <= UINT16_MAX) {
		bytes[0] = AML_WORD_PREFIX;
		len = 2;
	} else if (value <= UINT32_MAX) {
		bytes[0] = AML_DWORD_PREFIX;
		len = 4;
	} else {
		bytes[0] = AML_QWORD_PREFIX;
	}
	memcpy(bytes + 1, &value, len); /* the host is little-endian: x86-64 */
	return 1 + len;
}

void aml_integer(struct aml *a, uint64_t value)
{
	uint8_t bytes[9];
	aml_bytes(a, bytes, aml_encode_integer(bytes, value));
}

void aml_string(struct aml *a, const char *text)
{
	aml_byte(a, AML_STRING_PREFIX);
	aml_bytes(a, text, strlen(text) + 1);
}

static unsigned aml_hex_digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* Three letters of 5 bits and four hexadecimal digits, big-endian (section 19.6.36). */
void aml_eisaid(struct aml *a, const char id[7])
{
	uint32_t value = 0;
	for (unsigned i = 0; i < 3; i++)
		value = value << 5 | ((unsigned)id[i] & 0x1f);
	for (unsigned i = 3; i < 7; i++)
		value = value << 4 | aml_hex_digit(id[i]);
	aml_integer(a, __builtin_bswap32(value));
}

size_t aml_resources(struct aml *a)
{
	aml_byte(a, AML_BUFFER_OP);
	return a->len;
}

void aml_resources_close(struct aml *a, size_t mark)
{
	static const uint8_t end_tag[] = {0x79, 0}; /* no checksum */
	uint8_t size[9];
	aml_bytes(a, end_tag, sizeof(end_tag));
	aml_insert(a, mark, size, aml_encode_integer(size, a->len - mark));
	aml_close(a, mark);
}

void aml_res_io(struct aml *a, uint16_t port, uint8_t count)
{
	const struct {
		uint8_t tag, decode16;
		uint16_t min, max;
		uint8_t align, length;
	} __attribute__((packed)) io = {0x47, 1, port, port, 1, count};
	aml_bytes(a, &io, sizeof(io));
}

/* Edge, active high, exclusive: the form without flags. */
void aml_res_isa_irq(struct aml *a, uint8_t irq)
{
	const uint16_t mask = (uint16_t)(1u << irq);
	aml_byte(a, 0x22);
	aml_bytes(a, &mask, 2);
}

void aml_res_memory(struct aml *a, uint32_t base, uint32_t size)
{
	const struct {
		uint8_t tag;
		uint16_t length;
		uint8_t is_writable;
		uint32_t base, size;
	} __attribute__((packed)) memory = {0x86, 9, 1, base, size};
	aml_bytes(a, &memory, sizeof(memory));
}

void aml_res_interrupt_level_high(struct aml *a, uint32_t gsi)
{
	const struct {
		uint8_t tag;
		uint16_t length;
		uint8_t flags; /* bit 0: consumer; level, high and exclusive are zeroes */
		uint8_t count;
		uint32_t gsi;
	} __attribute__((packed)) interrupt = {0x89, 6, 1, 1, gsi};
	aml_bytes(a, &interrupt, sizeof(interrupt));
}

#define WINDOW_MEMORY	    0
#define WINDOW_IO	    1
#define WINDOW_BUS	    2
#define WINDOW_FIXED	    0x0c /* minimum and maximum are; produced, positive decode */
#define WINDOW_READWRITE    1
#define WINDOW_ENTIRE_RANGE 3 /* I/O: ISA and other ports */

static void aml_res_word_window(struct aml *a, uint8_t type, uint8_t type_flags, uint16_t first,
				uint16_t last)
{
	const struct {
		uint8_t tag;
		uint16_t length;
		uint8_t type, flags, type_flags;
		uint16_t granularity, min, max, translation, size;
	} __attribute__((packed)) window = {0x88,	13,
					    type,	WINDOW_FIXED,
					    type_flags, 0,
					    first,	last,
					    0,		(uint16_t)(last - first + 1)};
	aml_bytes(a, &window, sizeof(window));
}

void aml_res_bus_window(struct aml *a, uint16_t first, uint16_t last)
{
	aml_res_word_window(a, WINDOW_BUS, 0, first, last);
}

void aml_res_io_window(struct aml *a, uint16_t first, uint16_t last)
{
	aml_res_word_window(a, WINDOW_IO, WINDOW_ENTIRE_RANGE, first, last);
}

void aml_res_memory_window(struct aml *a, uint32_t first, uint32_t last)
{
	const struct {
		uint8_t tag;
		uint16_t length;
		uint8_t type, flags, type_flags;
		uint32_t granularity, min, max, translation, size;
	} __attribute__((packed)) window = {
		0x87, 23, WINDOW_MEMORY,    WINDOW_FIXED, WINDOW_READWRITE, 0, first,
		last, 0,  last - first + 1,
	};
	aml_bytes(a, &window, sizeof(window));
}
