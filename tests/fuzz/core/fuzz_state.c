/* A state stream from nowhere, read by a made-up device that asks for every kind of field. */
#include <stdint.h>
#include <tinyvm/state.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state *st;
	uint8_t a = 0, buf[32];
	uint16_t b = 0;
	uint32_t c = 0;
	uint64_t d = 0;
	bool e = false;
	size_t len = 0;

	if (state_create_load(&st, data, size) != 0)
		return 0;
	for (int i = 0; i < 2; i++) {
		state_begin(st, "t", "i", 1);
		state_u8(st, "a", &a);
		state_u16(st, "b", &b);
		state_u32(st, "c", &c);
		state_u64(st, "d", &d);
		state_bool(st, "e", &e);
		state_bytes(st, "f", buf, 4);
		state_blob(st, "g", buf, &len, sizeof(buf));
		state_end(st);
	}
	state_destroy(st);
	return 0;
}
