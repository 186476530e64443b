/* Whole reads from files into buffers and guest memory. */
#ifndef BOOT_FILE_H
#define BOOT_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <tinyvm/gmem.h>

struct err;

/**
 * file_open() - open an input file that must be a regular one with something in it
 * @what: "kernel" or "initrd", for the sentence
 * Return: 0; -errno with one sentence: missing, unreadable, a directory, not a file, empty.
 */
int file_open(const char *path, const char *what, int *ret_fd, uint64_t *ret_size, struct err *err)
	__attribute__((warn_unused_result));

/**
 * file_read_at() - read exactly @len bytes
 * file_write_at() - write exactly @len bytes
 * file_read_gmem() - read exactly @len bytes straight into guest memory
 * Return: 0, -errno, -ENODATA at the end of the file, -EFAULT when the range is not all RAM.
 */
int file_read_at(int fd, void *buf, size_t len, uint64_t off) __attribute__((warn_unused_result));
int file_write_at(int fd, const void *buf, size_t len, uint64_t off)
	__attribute__((warn_unused_result));
int file_read_gmem(const struct gmem *gm, gpa_t gpa, uint64_t len, int fd, uint64_t off)
	__attribute__((warn_unused_result));

/**
 * struct file_hash - a 128-bit content key
 *
 * Two 64-bit multiply-and-fold hashes with their own constants and pairing, both over every byte
 * and the length. Not cryptographic: it keeps two kernels apart by accident (2^-128), not by
 * malice.
 */
struct file_hash {
	uint64_t h[2];
};

int file_hash(int fd, uint64_t off, uint64_t len, struct file_hash *ret_hash)
	__attribute__((warn_unused_result));
struct file_hash file_hash_bytes(const void *buf, size_t len);

#endif
