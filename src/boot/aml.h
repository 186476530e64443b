/*
 * A builder of ACPI machine language (private to src/boot). ACPI 6.4, chapter 20 (AML) and section
 * 6.4 (resource data types).
 *
 * Objects with a length are opened and closed: the length is put in on closing. A builder without a
 * buffer only counts, so that one description serves for measuring and for writing.
 */
#ifndef AML_H
#define AML_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct aml - bytes being appended
 * @buf: @size bytes, or NULL to count only
 * @len: bytes so far
 */
struct aml {
	uint8_t *buf;
	size_t size;
	size_t len;
};

void aml_bytes(struct aml *a, const void *bytes, size_t len);

/* What opens returns the mark that aml_close() takes; they nest. @name: 4 characters. */
size_t aml_scope_sb(struct aml *a);
size_t aml_device(struct aml *a, const char name[4]);
size_t aml_package(struct aml *a, uint8_t count);
void aml_close(struct aml *a, size_t mark);

/* A resource template: the value of _CRS. */
size_t aml_resources(struct aml *a);
void aml_resources_close(struct aml *a, size_t mark);

/* Name(@name, value): the value is what comes next. */
void aml_name(struct aml *a, const char name[4]);
void aml_integer(struct aml *a, uint64_t value);
void aml_string(struct aml *a, const char *text);
void aml_eisaid(struct aml *a, const char id[7]);

/* Resource descriptors: fixed and consumed, but for the windows that the PCI bridge produces. */
void aml_res_io(struct aml *a, uint16_t port, uint8_t count);
void aml_res_isa_irq(struct aml *a, uint8_t irq);
void aml_res_memory(struct aml *a, uint32_t base, uint32_t size);
void aml_res_interrupt_level_high(struct aml *a, uint32_t gsi);
void aml_res_bus_window(struct aml *a, uint16_t first, uint16_t last);
void aml_res_io_window(struct aml *a, uint16_t first, uint16_t last);
void aml_res_memory_window(struct aml *a, uint32_t first, uint32_t last);

#endif
