/* Synthetic kernels for tests: small, but laid out like the real ones. */
#ifndef TEST_KERNEL_FILE_H
#define TEST_KERNEL_FILE_H

#include <stddef.h>
#include <stdint.h>

/* The vmlinux of kernel_make_elf(). */
#define KERNEL_TEXT_GPA	 0x1000000
#define KERNEL_TEXT_SIZE 0x5000
#define KERNEL_DATA_GPA	 0x1200000
#define KERNEL_DATA_SIZE \
	0x31000			/* 0x10000 bytes of pattern, 0x20000 of zeroes, 0x1000 of pattern */
#define KERNEL_DATA_MEM 0x80000 /* with BSS */
#define KERNEL_END	(KERNEL_DATA_GPA + KERNEL_DATA_MEM)
#define KERNEL_VIRT_OFF 0xffffffff80000000

/* The bzImage of kernel_make_bzimage(). */
#define KERNEL_SETUP_SIZE     2048
#define KERNEL_PAYLOAD_OFFSET 0x300 /* past the 64-bit entry */
#define KERNEL_INIT_SIZE      0x400000

/**
 * kernel_make_elf() - an x86-64 ELF vmlinux entered at KERNEL_TEXT_GPA + 0x40
 * Return: malloc()ed, never NULL.
 */
uint8_t *kernel_make_elf(size_t *ret_len);

/* A protocol 2.15 bzImage of "6.6.6-test" around a payload. */
uint8_t *kernel_make_bzimage(const void *payload, size_t payload_len, size_t *ret_len);

/* gzip, as in a bzImage: the stream ends in the size. */
uint8_t *kernel_gzip(const void *data, size_t len, size_t *ret_len);

/**
 * kernel_pack() - run a compressor of the host and append the size, as the kernel's build does
 * @command: for the shell, standard input to standard output
 * Return: NULL when it fails.
 */
uint8_t *kernel_pack(const char *command, const void *data, size_t len, size_t *ret_len);

/* Writes a whole file; ends the test program when it cannot. */
void kernel_write_file(const char *path, const void *data, size_t len);

/* What a byte of segment pattern at @gpa is. */
uint8_t kernel_pattern(uint64_t gpa);

#endif
