/* INT 09h and 16h: scan codes into keys, the ring, the lock keys' lights. */
#include "bios_bench.h"
#include "test.h"

#define BDA_RING 0x41au
#define CF	 1u
#define ZF	 0x40u

static struct bios_bench bench;

static void set_up(void)
{
	bios_bench_init(&bench);
	bios_bench_start(&bench);
}

static void tear_down(void)
{
	bios_bench_end(&bench);
}

/* INT 09h with a scan code. Return: its result. */
static uint32_t scan(uint8_t code)
{
	struct bios_frame f = {.eax = code};
	bios_bench_call(&bench, 0x09, &f);
	return f.result;
}

static void scans(const char *codes)
{
	for (; *codes; codes++)
		scan((uint8_t)*codes);
}

/* INT 16h: AX afterwards, -1 when it waits or there is none. */
static int key(uint8_t function)
{
	struct bios_frame f = {.eax = (uint32_t)function << 8, .flags = 0x202};
	bios_bench_call(&bench, 0x16, &f);
	if (f.result == BIOS_WAIT || f.flags & ZF)
		return -1;
	return (int)(f.eax & 0xffff);
}

static unsigned flags(void)
{
	struct bios_frame f = {.eax = 0x1200};
	bios_bench_call(&bench, 0x16, &f);
	return f.eax;
}

static uint8_t at(gpa_t gpa)
{
	return (uint8_t)bios_bench_peek(&bench, gpa, 1);
}

WITH_DEVICE(test_keys_wait_in_the_ring)
{
	CHECK_EQ(key(0x00), -1);
	CHECK_EQ(key(0x01), -1);
	scans("\x1e\x9e\x30\xb0");
	CHECK_EQ(bios_keyboard_room(bench.cfg.gm), 13);
	CHECK_EQ(key(0x01), 0x1e61);
	CHECK_EQ(key(0x11), 0x1e61);
	CHECK_EQ(key(0x00), 0x1e61);
	CHECK_EQ(key(0x10), 0x3062);
	CHECK_EQ(key(0x01), -1);
	CHECK_EQ(bios_keyboard_room(bench.cfg.gm), 15);
	for (unsigned i = 0; i < 20; i++)
		scan(0x02);
	CHECK_EQ(bios_keyboard_room(bench.cfg.gm), 0);
	for (unsigned i = 0; i < 15; i++)
		CHECK_EQ(key(0x00), 0x0231);
	CHECK_EQ(key(0x01), -1);
}

WITH_DEVICE(test_shift_control_and_alt_make_other_keys)
{
	static const struct {
		const char *codes;
		int key;
	} row[] = {
		{"\x2a\x1e\x9e\xaa", 0x1e41}, /* shift A */
		{"\x36\x02\x82\xb6", 0x0221}, /* shift 1 */
		{"\x1d\x2e\xae\x9d", 0x2e03}, /* ctrl C */
		{"\x38\x10\x90\xb8", 0x1000}, /* alt Q */
		{"\xe0\x38\x10\x90\xe0\xb8", 0x1000},
		{"\x3a\xba\x1e\x9e", 0x1e41}, /* caps lock */
		{"\x2a\x1e\x9e\xaa", 0x1e61},
		{"\x02\x82", 0x0231},	      /* not for digits */
		{"\x3a\xba\x1e\x9e", 0x1e61}, /* and off */
		{"\x47\xc7", 0x4700},	      /* Home */
		{"\x2a\x47\xc7\xaa", 0x4737},
		{"\x45\xc5\x47\xc7", 0x4737}, /* num lock */
		{"\x45\xc5\x52\xd2", 0x5200},
		{"\x3b\xbb", 0x3b00}, /* F1 */
		{"\x38\x44\xc4\xb8", 0x7100},
		{"\x57\xd7", 0x8500},
		{"\xe0\x48\xe0\xc8", 0x48e0},		      /* the grey arrow up */
		{"\xe0\x2a\xe0\x53\xe0\xd3\xe0\xaa", 0x53e0}, /* with a shift that is none */
		{"\xe0\x1c\xe0\x9c", 0xe00d},
		{"\x1d\xe0\x4b\xe0\xcb\x9d", 0x73e0},
		{"\x1d\x03\x83\x9d", 0x0300}, /* ctrl 2: NUL */
		{"\x0f\x8f", 0x0f09},
	};
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		scans(row[i].codes);
		CHECK_EQ(key(0x10), row[i].key);
		CHECK_EQ(key(0x11), -1);
	}
	scans("\x1d\x02\x82\x9d"); /* ctrl 1 is nothing, and neither are these */
	scan(0x00);
	scan(0xff);
	scan(0x7f);
	CHECK_EQ(key(0x11), -1);
}

WITH_DEVICE(test_old_functions_hide_new_keys)
{
	scans("\x57\xd7\xe0\x48\xe0\xc8\xe0\x1c\xe0\x9c\x57\xd7\xe0\x35\xe0\xb5\x58");
	CHECK_EQ(key(0x01), 0x4800); /* F11 is not there */
	CHECK_EQ(key(0x00), 0x4800);
	CHECK_EQ(key(0x00), 0x1c0d);
	CHECK_EQ(key(0x00), 0x352f);
	CHECK_EQ(key(0x00), -1);
	CHECK_EQ(key(0x11), -1);
}

WITH_DEVICE(test_flags_tell_what_is_held)
{
	scans("\x2a\x1d\xe0\x38");
	CHECK_EQ(flags(), 0x090e);
	CHECK_EQ(at(0x417), 0x0e);
	scans("\xe0\xb8\x38\xaa");
	CHECK_EQ(flags(), 0x030c);
	scans("\x9d\xb8\x3a");
	CHECK_EQ(flags(), 0x4040);
	scan(0x3a); /* it repeats, but stays what it is */
	CHECK_EQ(flags(), 0x4040);
	scan(0xba);
	CHECK_EQ(flags(), 0x0040);
	scans("\x52\xd2");
	CHECK_EQ(at(0x417), 0xc0);
	struct bios_frame f = {.eax = 0x0200};
	bios_bench_call(&bench, 0x16, &f);
	CHECK_EQ(f.eax, 0x02c0);
}

WITH_DEVICE(test_alt_and_digits_give_a_character)
{
	scans("\x38\x4f\xcf\x50\xd0\x51\xd1"); /* 123 */
	CHECK_EQ(key(0x01), -1);
	scan(0xb8);
	CHECK_EQ(key(0x00), 123);
	scans("\x38\xb8");
	CHECK_EQ(key(0x01), -1);
}

WITH_DEVICE(test_break_print_pause_and_reset)
{
	scans("\x1e\x1d\xe0");
	CHECK_EQ(scan(0x46), BIOS_RAISE + 0x1b);
	scans("\xe0\xc6\x9d");
	CHECK_EQ(at(0x471), 0x80);
	CHECK_EQ(key(0x00), 0);
	CHECK_EQ(key(0x01), -1);
	scan(0xe0);
	CHECK_EQ(scan(0x37), BIOS_RAISE + 0x05);
	scan(0x2a);
	CHECK_EQ(scan(0x37), BIOS_RAISE + 0x05);
	scan(0xaa);
	/* Pause: E1 1D 45 E1 9D C5; the next key ends it and is gone. */
	scans("\xe1\x1d\x45\xe1\x9d\xc5");
	CHECK_EQ(at(0x418), 0x08);
	scans("\x1e\x9e");
	CHECK_EQ(at(0x418), 0);
	CHECK_EQ(key(0x01), -1);
	CHECK_EQ(at(0x417), 0); /* neither control nor Num Lock */
	scans("\x1d\x38\x53");
	CHECK_EQ(bench.power.requests[POWER_RESET], 1);
	CHECK_EQ(bios_bench_peek(&bench, 0x472, 2), 0x1234);
}

/* What comes back from the keyboard, after the time that takes, as INT 09h is told it. */
static void answer(void)
{
	uint8_t byte;
	bench.clock.ns += 10000000;
	device_lock(bench.i8042);
	i8042_expired(bench.i8042);
	device_unlock(bench.i8042);
	bus_read(bench.pio, 0x60, &byte, 1);
	scan(byte);
}

WITH_DEVICE(test_lock_keys_light_their_lights)
{
	scan(0x3a);
	CHECK_EQ(at(0x497), 0x44);
	answer();
	CHECK_EQ(at(0x497), 0x4c);
	answer();
	CHECK_EQ(at(0x497), 0x04);
	/* A program may turn them, too. */
	bios_bench_poke(&bench, 0x417, 0x20, 1);
	key(0x01);
	answer();
	answer();
	CHECK_EQ(at(0x497), 0x02);
	/* The keyboard does not understand. */
	bios_bench_poke(&bench, 0x417, 0x10, 1);
	key(0x01);
	scan(0xfe);
	CHECK_EQ(at(0x497), 0x01);
	scan(0xfa); /* nobody has asked */
	CHECK_EQ(at(0x497), 0x01);
}

WITH_DEVICE(test_answers_what_it_can_do)
{
	struct bios_frame f = {.eax = 0x0900};
	bios_bench_call(&bench, 0x16, &f);
	CHECK_EQ(f.eax, 0x0934);
	f = (struct bios_frame){.eax = 0x0a00};
	bios_bench_call(&bench, 0x16, &f);
	CHECK_EQ(f.ebx, 0x41ab);
	/* How the DOS keyboard driver asks for functions 10h up, and 20h up, which are not here. */
	f = (struct bios_frame){.eax = 0x9200};
	bios_bench_call(&bench, 0x16, &f);
	CHECK_EQ(f.eax, 0x8000);
	f = (struct bios_frame){.eax = 0xa200};
	bios_bench_call(&bench, 0x16, &f);
	CHECK_EQ(f.eax, 0xa200);
	f = (struct bios_frame){.eax = 0x0305, .ebx = 0x011f};
	bios_bench_call(&bench, 0x16, &f);
	CHECK_EQ(at(0x497) & 0x40, 0x40);
	answer();
	answer();
	CHECK_EQ(at(0x497), 0);
	for (unsigned i = 0; i < 16; i++) {
		f = (struct bios_frame){.eax = 0x0500, .ecx = 0x1234};
		bios_bench_call(&bench, 0x16, &f);
		CHECK_EQ(f.eax & 0xff, i == 15);
	}
	CHECK_EQ(key(0x10), 0x1234);
}

WITH_DEVICE(test_a_hostile_ring_harms_nothing)
{
	static const uint16_t row[][4] = {
		/* head, tail, start, end */
		{0xffff, 0xfffd, 0xfff0, 0xffff}, {0x1e, 0x1c, 0x3e, 0x1e},
		{0x1d, 0x1f, 0x1e, 0x1f},	  {0, 0xffff, 0, 0},
		{0x00, 0x30, 0x1e, 0x3e},	  {0x1e, 0x3e, 0x1e, 0x3e},
		{0x1e, 0x21, 0x1e, 0x3e},	  {0x1e, 0x1e, 0x1e, 0x20},
	};
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		for (unsigned j = 0; j < 2; j++) {
			bios_bench_poke(&bench, BDA_RING + j * 2, row[i][j], 2);
			bios_bench_poke(&bench, 0x480 + j * 2, row[i][2 + j], 2);
		}
		CHECK_EQ(bios_keyboard_room(bench.cfg.gm), BIOS_KEYBOARD_NO_RING);
		scans("\x1e\x1d\xe0\x46\xe0\xc6\x9d");
		for (unsigned j = 0; j < 10; j++) {
			key(0x00);
			key(0x01);
		}
	}
	CHECK_EQ(at(0x400), 0xf8); /* COM1's port is where it was */
}

WITH_DEVICE(test_who_asks_for_a_key_lets_interrupts_in_first)
{
	struct bios_frame f = {.eax = 0x0100, .flags = 0x202};

	bios_bench_out(&bench, 0x16, &f);
	CHECK_EQ(f.result, BIOS_AGAIN);
	scan(0x1e);
	bios_bench_out(&bench, 0x16, &f);
	CHECK_EQ(f.result, BIOS_DONE);
	CHECK_EQ(f.eax, 0x1e61);
	CHECK(!(f.flags & ZF));
	/* With a key there is nothing to wait for. */
	f = (struct bios_frame){.eax = 0x1100};
	bios_bench_out(&bench, 0x16, &f);
	CHECK_EQ(f.result, BIOS_DONE);
	/* The time is another such question. */
	f = (struct bios_frame){.eax = 0x0000};
	bios_bench_out(&bench, 0x1a, &f);
	CHECK_EQ(f.result, BIOS_AGAIN);
	bios_bench_out(&bench, 0x1a, &f);
	CHECK_EQ(f.result, BIOS_DONE);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_keys_wait_in_the_ring),
		TEST_CASE(test_shift_control_and_alt_make_other_keys),
		TEST_CASE(test_old_functions_hide_new_keys),
		TEST_CASE(test_flags_tell_what_is_held),
		TEST_CASE(test_alt_and_digits_give_a_character),
		TEST_CASE(test_break_print_pause_and_reset),
		TEST_CASE(test_lock_keys_light_their_lights),
		TEST_CASE(test_answers_what_it_can_do),
		TEST_CASE(test_who_asks_for_a_key_lets_interrupts_in_first),
		TEST_CASE(test_a_hostile_ring_harms_nothing),
	};
	return TEST_RUN(cases);
}
