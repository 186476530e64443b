/* Telling people what they took for a kernel. */
#ifndef BOOT_IDENTIFY_H
#define BOOT_IDENTIFY_H

#include <stddef.h>
#include <stdint.h>

/**
 * identify_foreign() - what a file is that tinyvm cannot boot
 * @head: its first @len bytes
 * @size: of the file
 * @buf:  room for @max bytes, which the result may use
 * Return: never NULL; to follow "kernel 'X' ...".
 */
const char *identify_foreign(const uint8_t *head, size_t len, uint64_t size, char *buf, size_t max);

#endif
