/* A device's saved state as plain bytes, for tests that damage it. Both abort without memory. */
#ifndef DEVICE_BYTES_H
#define DEVICE_BYTES_H

#include <stddef.h>
#include <stdint.h>

struct device;

/* Return: a copy of what @dev saves, to be freed. A device that cannot save aborts. */
uint8_t *device_bytes_save(struct device *dev, size_t *ret_len);

/* Return: state_error() of the load. */
int device_bytes_load(struct device *dev, const void *buf, size_t len);

#endif
