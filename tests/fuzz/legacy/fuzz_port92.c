/* A register script for system control port A. */
#include "fakes.h"
#include "regfuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fake_power power = {0};
	struct regfuzz f = {.ops = {&port92_bus_ops}, .size = {1}};
	if (port92_create(&f.dev, fake_power_sink(&power)) != 0 ||
	    port92_create(&f.twin, fake_power_sink(&power)) != 0)
		return 0;
	regfuzz_run(&f, data, size);
	device_destroy(f.dev);
	device_destroy(f.twin);
	return 0;
}
