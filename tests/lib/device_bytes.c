/* A device's saved state as plain bytes. */
#include "device_bytes.h"

#include <stdlib.h>
#include <string.h>
#include <tinyvm/device.h>
#include <tinyvm/state.h>

uint8_t *device_bytes_save(struct device *dev, size_t *ret_len)
{
	struct state *st;
	if (state_create_save(&st) != 0)
		abort();
	device_state(dev, st);
	const void *data = state_data(st, ret_len);
	uint8_t *copy = malloc(*ret_len);
	if (!copy || state_error(st))
		abort();
	memcpy(copy, data, *ret_len);
	state_destroy(st);
	return copy;
}

int device_bytes_load(struct device *dev, const void *buf, size_t len)
{
	struct state *st;
	if (state_create_load(&st, buf, len) != 0)
		abort();
	device_state(dev, st);
	int rc = state_error(st);
	state_destroy(st);
	return rc;
}
