/* Power-on and what it leaves in memory, frames, time, memory, power, mouse, serial ports, PCI. */
#include "bios_bench.h"
#include "test.h"
#include <tinyvm/err.h>

#define CF  1u
#define ROM 0xf0000u

static struct bios_bench bench;
static struct bios_frame f;

static void set_up(void)
{
	bios_bench_init(&bench);
	bios_bench_start(&bench);
	f = (struct bios_frame){0};
}

static void tear_down(void)
{
	bios_bench_end(&bench);
}

static uint64_t peek(gpa_t gpa, unsigned bytes)
{
	return bios_bench_peek(&bench, gpa, bytes);
}

static void poke(gpa_t gpa, uint64_t value, unsigned bytes)
{
	bios_bench_poke(&bench, gpa, value, bytes);
}

/* A service with AX, the other registers as they are in f. Return: AH afterwards. */
static unsigned call(unsigned service, uint16_t ax)
{
	f.eax = (f.eax & 0xffff0000) | ax;
	bios_bench_call(&bench, service, &f);
	return f.eax >> 8 & 0xff;
}

static unsigned sum(gpa_t gpa, size_t len)
{
	uint8_t total = 0;
	for (size_t i = 0; i < len; i++)
		total += (uint8_t)peek(gpa + i, 1);
	return total;
}

/* The first place in the ROM with @id at a paragraph's start, 0 for none. */
static gpa_t find(const char *id)
{
	for (gpa_t gpa = ROM; gpa < ROM + BIOS_ROM_SIZE; gpa += 16) {
		char found[4];
		if (gmem_read(bench.cfg.gm, gpa, found, 4) == 0 && memcmp(found, id, 4) == 0)
			return gpa;
	}
	return 0;
}

static uint8_t rom_byte(unsigned offset)
{
	return bios_rom()[offset - BIOS_ROM_CODE];
}

WITH_DEVICE(test_rom_has_what_software_looks_for)
{
	CHECK_EQ(rom_byte(0xfff0), 0xea); /* a far jump to F000:E05B */
	CHECK_EQ(rom_byte(0xfff1) | rom_byte(0xfff2) << 8, 0xe05b);
	CHECK_EQ(rom_byte(0xfff3) | rom_byte(0xfff4) << 8, 0xf000);
	CHECK_EQ(memcmp(bios_rom() + 0xfff5 - BIOS_ROM_CODE, "12/31/99", 8), 0);
	CHECK_EQ(rom_byte(0xfffe), 0xfc);
	CHECK_EQ(rom_byte(0xff53), 0xcf); /* IRET */
	CHECK_EQ(rom_byte(0xefc7 + 4), 18);
	CHECK_EQ(rom_byte(0xe6f5 + 2), 0xfc);
	CHECK_EQ((uintptr_t)bios_rom() % 4096, 0);
}

WITH_DEVICE(test_power_on_fills_vectors_and_data_area)
{
	CHECK_EQ(peek(0x08 * 4, 4), 0xf000fea5);
	CHECK_EQ(peek(0x09 * 4, 4), 0xf000e987);
	CHECK_EQ(peek(0x10 * 4, 4), 0xf000f065);
	CHECK_EQ(peek(0x13 * 4, 4), 0xf000e3fe);
	CHECK_EQ(peek(0x19 * 4, 4), 0xf000e6f2);
	CHECK_EQ(peek(0x1e * 4, 4), 0xf000efc7);
	CHECK_EQ(peek(0x00 * 4, 4), 0xf000ff53);
	CHECK_EQ(peek(0x40 * 4, 4), 0xf000ec59);
	CHECK_EQ(peek(0x67 * 4, 4), 0);
	CHECK_EQ(peek(0xff * 4, 4), 0);
	CHECK_EQ(peek(0x70 * 4 + 2, 2), 0xf000);
	CHECK_EQ(peek(0x400, 8), 0x3f8);
	CHECK_EQ(peek(0x40e, 2), 0x9fc0);
	CHECK_EQ(peek(0x9fc00, 1), 1);
	CHECK_EQ(call(0x12, 0) << 8 | (f.eax & 0xff), 639);
	call(0x11, 0);
	CHECK_EQ(f.eax, 0x0226); /* a serial port, a mouse, colour, x87; no floppy */
	/* 12:34:56 in ticks */
	CHECK_EQ(peek(0x46c, 4), 45296ull * 1193182 / 65536);
	/* A frame where no RAM is is not served; the ROM neither. */
	uint32_t out = (uint32_t)(ROM + 0x8000) << 8 | 0x12;
	uint64_t before = peek(ROM + 0x8000, 8);
	bus_write(bench.pio, BIOS_PORT_CALL, &out, 4);
	CHECK_EQ(peek(ROM + 0x8000, 8), before);
	out = 0xb8000u << 8 | 0x12;
	bus_write(bench.pio, BIOS_PORT_CALL, &out, 4);
	out = (BENCH_RAM - 16) << 8 | 0x12;
	bus_write(bench.pio, BIOS_PORT_CALL, &out, 4);
	out = 0x9fff0u << 8 | 0x12; /* half of it */
	bus_write(bench.pio, BIOS_PORT_CALL, &out, 4);
	call(0x99, 0x1234); /* no such service */
	CHECK_EQ(f.eax, 0x1234);
}

WITH_DEVICE(test_tables_add_up)
{
	bios_bench_end(&bench);
	bios_bench_init(&bench);
	bench.cfg.is_pci = true;
	bench.cfg.cpus = 3;
	for (unsigned i = 0; i < 4; i++)
		bench.cfg.pci_intx_gsi[i] = (uint8_t)(16 + i);
	bios_bench_start(&bench);
	gpa_t mp = find("_MP_"), sm = find("_SM_");
	CHECK(mp && sm);
	CHECK_EQ(sum(mp, 16), 0);
	gpa_t table = peek(mp + 4, 4);
	CHECK_EQ(peek(table, 4), 0x504d4350);
	CHECK_EQ(sum(table, peek(table + 4, 2)), 0);
	/* As many entries as it says, in as many bytes */
	gpa_t at = table + 44;
	unsigned kinds[5] = {0};
	for (unsigned n = 0; n < peek(table + 34, 2); n++) {
		unsigned kind = (unsigned)peek(at, 1);
		CHECK(kind <= 4);
		/* Slot 6's INTA# */
		if (kind == 3 && peek(at + 4, 2) == 6 << 10)
			CHECK_EQ(peek(at + 7, 1), 18);
		kinds[kind]++;
		at += kind ? 8 : 20;
	}
	CHECK_EQ(at, table + peek(table + 4, 2));
	CHECK_EQ(kinds[0], 3);
	CHECK_EQ(kinds[1], 2);
	CHECK_EQ(kinds[2], 1);
	CHECK_EQ(kinds[3], 15 + 32);

	CHECK_EQ(sum(sm, 0x1f), 0);
	CHECK_EQ(sum(sm + 0x10, 0x0f), 0);
	at = peek(sm + 0x18, 4);
	gpa_t end = at + peek(sm + 0x16, 2);
	unsigned count = 0, type = 0;
	for (; at < end; count++) {
		type = (unsigned)peek(at, 1);
		CHECK_EQ(peek(at + 2, 2), count);
		if (type == 17) /* a DIMM of no set, whose place has the name */
			CHECK_EQ(peek(at + 14, 4), 0x00010009);
		at += peek(at + 1, 1);
		while (peek(at, 2))
			at++;
		at += 2;
	}
	CHECK_EQ(at, end);
	CHECK_EQ(count, peek(sm + 0x1c, 2));
	CHECK_EQ(type, 127);
}

WITH_DEVICE(test_ticks_until_midnight)
{
	poke(0x46c, 0x1800ae, 4);
	poke(0x440, 2, 1);
	poke(0x43f, 1, 1);
	CHECK_EQ(call(0x08, 0), 0);
	CHECK_EQ(f.result, BIOS_RAISE + 0x1c);
	CHECK_EQ(peek(0x46c, 4), 0x1800af);
	CHECK_EQ(peek(0x43f, 1), 1);
	call(0x08, 0);
	CHECK_EQ(peek(0x46c, 4), 0);
	CHECK_EQ(peek(0x43f, 2), 0); /* the floppy's motor is off */
	call(0x1a, 0x00ff);
	CHECK_EQ(f.eax & 0xff, 1);
	call(0x1a, 0x00ff);
	CHECK_EQ(f.eax & 0xff, 0);
	f.ecx = 0x0012, f.edx = 0x3456;
	call(0x1a, 0x0100);
	CHECK_EQ(peek(0x46c, 4), 0x123456);
	f.ecx = f.edx = 0;
	call(0x1a, 0x0000);
	CHECK_EQ(f.ecx << 16 | f.edx, 0x123456);
}

WITH_DEVICE(test_clock_is_read_and_set)
{
	CHECK_EQ(call(0x1a, 0x0200), 0);
	CHECK_EQ(f.ecx, 0x1234);
	CHECK_EQ(f.edx, 0x5600);
	CHECK_EQ(call(0x1a, 0x0400), 0);
	CHECK_EQ(f.ecx, 0x2024);
	CHECK_EQ(f.edx, 0x0229);
	f.ecx = 0x1999, f.edx = 0x1231;
	CHECK_EQ(call(0x1a, 0x0500), 0);
	f.ecx = 0x2359, f.edx = 0x5800;
	CHECK_EQ(call(0x1a, 0x0300), 0);
	bench.clock.s += 2;
	f.eax = 0x0400;
	bios_bench_out(&bench, 0x1a, &f);
	CHECK_EQ(f.result, BIOS_AGAIN); /* while it moves on */
	bench.clock.ns += 3000000;
	CHECK_EQ(call(0x1a, 0x0400), 0);
	CHECK_EQ(f.ecx, 0x2000);
	CHECK_EQ(f.edx, 0x0101);
	CHECK_EQ(call(0x1a, 0x4200), 0x86);
	CHECK_EQ(f.flags & CF, 1);
	CHECK_EQ(call(0x1a, 0xb101), 0x81); /* there is no PCI */
}

/* The clock's interrupts: @why is what register C says. */
WITH_DEVICE(test_alarm_calls_int_4a)
{
	f.ecx = 0x1234, f.edx = 0x5800;
	CHECK_EQ(call(0x1a, 0x0600), 0);
	call(0x1a, 0x0600);
	CHECK_EQ(f.flags & CF, 1); /* there is one already */
	bench.clock.s += 2;
	bench.clock.ns += 2000000000;
	device_lock(bench.cmos);
	cmos_expired(bench.cmos);
	device_unlock(bench.cmos);
	call(0x70, 0);
	CHECK_EQ(f.result, BIOS_RAISE + 0x4a);
	call(0x70, 0);
	CHECK_EQ(f.result, BIOS_DONE);
	f.flags = 0;
	call(0x1a, 0x0700);
	CHECK_EQ(call(0x1a, 0x0600), 0);
	CHECK_EQ(f.flags & CF, 0);
}

WITH_DEVICE(test_event_comes_after_its_time)
{
	unsigned ticks = 0;
	f.ecx = 0, f.edx = 5000, f.es = 0x3000, f.ebx = 8;
	CHECK_EQ(call(0x15, 0x8300), 0);
	CHECK_EQ(f.flags & CF, 0);
	call(0x15, 0x8300);
	CHECK_EQ(f.flags & CF, 1);
	while (!peek(0x30008, 1) && ticks++ < 100) {
		bench.clock.ns += 976563;
		device_lock(bench.cmos);
		cmos_expired(bench.cmos);
		device_unlock(bench.cmos);
		call(0x70, 0);
	}
	CHECK_EQ(peek(0x30008, 1), 0x80);
	CHECK(ticks >= 4 && ticks <= 6);
	CHECK_EQ(call(0x15, 0x8300), 0);
	CHECK_EQ(call(0x15, 0x8301), 0);
	CHECK_EQ(peek(0x4a0, 1), 0);
}

WITH_DEVICE(test_waits_as_long_as_asked)
{
	f = (struct bios_frame){.eax = 0x8600, .ecx = 1, .edx = 0};
	bios_bench_out(&bench, 0x15, &f);
	CHECK_EQ(f.result, BIOS_AGAIN);
	bench.clock.ns += 65535999;
	bios_bench_out(&bench, 0x15, &f);
	CHECK_EQ(f.result, BIOS_AGAIN);
	bench.clock.ns += 1;
	bios_bench_out(&bench, 0x15, &f);
	CHECK_EQ(f.result, BIOS_DONE);
	CHECK_EQ(f.flags & CF, 0);
	/* A wait that was abandoned does not shorten the next one of the same place. */
	f = (struct bios_frame){.eax = 0x8600, .ecx = 1, .edx = 0, .result = BENCH_STACK};
	bios_bench_out(&bench, 0x15, &f);
	CHECK_EQ(f.result, BIOS_AGAIN);
	bench.clock.ns += 1000000000;
	f.result = BENCH_STACK;
	bios_bench_out(&bench, 0x15, &f);
	CHECK_EQ(f.result, BIOS_AGAIN);
	bench.clock.ns += 65536000;
	bios_bench_out(&bench, 0x15, &f);
	CHECK_EQ(f.result, BIOS_DONE);
	/* Idle: one HLT */
	f = (struct bios_frame){.eax = 0x5305};
	bios_bench_out(&bench, 0x15, &f);
	CHECK_EQ(f.result, BIOS_WAIT);
	bios_bench_out(&bench, 0x15, &f);
	CHECK_EQ(f.result, BIOS_DONE);
}

WITH_DEVICE(test_memory_is_told)
{
	call(0x15, 0x8800);
	CHECK_EQ(f.eax, 1024);
	call(0x15, 0xe801);
	CHECK_EQ(f.eax, 1024);
	CHECK_EQ(f.ebx, 0);
	CHECK_EQ(call(0x15, 0x8a00), 4);
	static const uint64_t map[][3] = {
		{0, 0x9fc00, 1},	 {0x9fc00, 0x400, 2},	   {0xe0000, 0x20000, 2},
		{0x100000, 0x100000, 1}, {0xffff0000, 0x10000, 2},
	};
	f.ebx = 0;
	for (unsigned i = 0; i < 5; i++) {
		f.eax = 0x12340000, f.edx = 0x534d4150, f.ecx = 24, f.es = 0x2000, f.edi = 0x10;
		f.eax = 0xe820;
		bios_bench_call(&bench, 0x15, &f);
		CHECK_EQ(f.eax, 0x534d4150);
		CHECK_EQ(f.ecx, 20);
		CHECK_EQ(peek(0x20010, 8), map[i][0]);
		CHECK_EQ(peek(0x20018, 8), map[i][1]);
		CHECK_EQ(peek(0x20020, 4), map[i][2]);
		CHECK_EQ(f.ebx, i == 4 ? 0 : i + 1);
	}
	f.ebx = 77;
	f.edx = 0x534d4150;
	CHECK_EQ(call(0x15, 0xe820), 0x86);
	CHECK_EQ(f.flags & CF, 1);
}

WITH_DEVICE(test_much_memory_is_told)
{
	bios_bench_end(&bench);
	bios_bench_init(&bench);
	bench.cfg.ram_below_4g = 3ull << 30;
	bench.cfg.ram_above_4g = 5ull << 30;
	bench.cfg.reserved_top = 0x10000;
	bios_bench_start(&bench);
	call(0x15, 0x8800);
	CHECK_EQ(f.eax, 0xfc00);
	call(0x15, 0xe801);
	CHECK_EQ(f.eax, 0x3c00);
	CHECK_EQ(f.ebx, ((3ull << 30) - (16 << 20)) / 65536 - 1);
	f = (struct bios_frame){
		.eax = 0xe820, .ebx = 6, .ecx = 20, .edx = 0x534d4150, .es = 0x2000};
	bios_bench_call(&bench, 0x15, &f);
	CHECK_EQ(peek(0x20000, 8), 4ull << 30);
	CHECK_EQ(peek(0x20008, 8), 5ull << 30);
	CHECK_EQ(f.ebx, 0);
}

/* INT 15h AH=87h's table: from @source to @target */
static void move_table(uint32_t source, uint32_t target)
{
	for (unsigned i = 0; i < 48; i++)
		poke(0x6000 + i, 0, 1);
	poke(0x6012, source & 0xffffff, 4);
	poke(0x6017, source >> 24, 1);
	poke(0x601a, target & 0xffffff, 4);
	poke(0x601f, target >> 24, 1);
	f.esi = 0x6000;
}

WITH_DEVICE(test_blocks_move_anywhere)
{
	move_table(0x30000, 0x180000);
	poke(0x30000, 0x1122334455667788, 8);
	poke(0x30000 + 0x1fffe, 0xabcd, 2);
	f.ecx = 0xffff;
	CHECK_EQ(call(0x15, 0x8700), 0);
	CHECK_EQ(peek(0x180000, 8), 0x1122334455667788);
	CHECK_EQ(peek(0x180000 + 0x1fffe, 2), 0); /* one word short of 128 KiB */
	f.ecx = 0x8000;
	move_table(0x180000, 0xb8000); /* onto the screen */
	CHECK_EQ(call(0x15, 0x8700), 0);
	CHECK_EQ(bios_bench_video(&bench, 0xb8000), 0x88);
	move_table(0xff000000, 0x40000); /* from nowhere */
	CHECK_EQ(call(0x15, 0x8700), 0);
	CHECK_EQ(peek(0x40000, 8), UINT64_MAX);
	move_table(0x30000, 0xffffff00); /* over the end of everything */
	CHECK_EQ(call(0x15, 0x8700), 0);
	uint64_t rom = peek(ROM + 0x8200, 8);
	move_table(0x30000, ROM + 0x8200);
	CHECK_EQ(call(0x15, 0x8700), 0);
	CHECK_EQ(peek(ROM + 0x8200, 8), rom);
}

WITH_DEVICE(test_system_services)
{
	CHECK_EQ(call(0x15, 0xc000), 0);
	CHECK_EQ(f.es, 0xf000);
	CHECK_EQ(peek(ROM + f.ebx, 3), 0xfc0008);
	call(0x15, 0xc100);
	CHECK_EQ(f.es, 0x9fc0);
	call(0x15, 0x4f1e);
	CHECK_EQ(f.flags & CF, 1);
	CHECK_EQ(f.eax, 0x4f1e);
	CHECK_EQ(call(0x15, 0x9002), 0);
	CHECK_EQ(f.flags & CF, 0);
	CHECK_EQ(call(0x15, 0x2403), 0);
	CHECK_EQ(f.ebx, 3);
	CHECK_EQ(call(0x15, 0x2401), 0);
	CHECK_EQ(call(0x15, 0x2402), 0);
	CHECK_EQ(f.eax & 0xff, 1);
	CHECK_EQ(call(0x15, 0x2409), 0x86);
	CHECK_EQ(call(0x15, 0x8400), 0x86); /* no joystick */
	CHECK_EQ(f.flags & CF, 1);
	CHECK_EQ(call(0x17, 0x0000), 0x01);
}

WITH_DEVICE(test_apm_switches_off)
{
	call(0x15, 0x5300);
	CHECK_EQ(f.eax, 0x0102);
	CHECK_EQ(f.ebx, 0x504d);
	CHECK_EQ(f.flags & CF, 0);
	call(0x15, 0x5301);
	CHECK_EQ(f.flags & CF, 0);
	CHECK_EQ(call(0x15, 0x5303), 0x08);
	CHECK_EQ(f.flags & CF, 1);
	f.ebx = 1;
	call(0x15, 0x530a);
	CHECK_EQ(f.ebx, 0x01ff);
	CHECK_EQ(call(0x15, 0x530b), 0x80);
	f.ebx = 1, f.ecx = 1;
	call(0x15, 0x5307);
	CHECK_EQ(bench.power.requests[POWER_OFF], 0);
	f.ecx = 3;
	call(0x15, 0x5307);
	CHECK_EQ(bench.power.requests[POWER_OFF], 1);
	CHECK_EQ(call(0x15, 0x53ff), 0x86);
}

WITH_DEVICE(test_serial_port_sends_and_receives)
{
	CHECK_EQ(call(0x14, 0x00e3) & 0x60, 0x60);
	CHECK_EQ(call(0x14, 0x0158) & 0x80, 0);
	CHECK_EQ(bench.terminal.out_len, 1);
	CHECK_EQ(bench.terminal.out[0], 0x58);
	for (unsigned i = 0; i < 100; i++)
		call(0x14, 0x0300); /* who asks so often is listening */
	CHECK_EQ(fake_chardev_type(&bench.terminal, "y", 1), 1);
	CHECK_EQ(call(0x14, 0x0200), 0);
	CHECK_EQ(f.eax & 0xff, 'y');
	/* Nothing more: a second, then no longer. */
	f.eax = 0x0200;
	bios_bench_out(&bench, 0x14, &f);
	CHECK_EQ(f.result, BIOS_AGAIN);
	bench.clock.ns += 1000000000;
	bios_bench_out(&bench, 0x14, &f);
	CHECK_EQ(f.result, BIOS_DONE);
	CHECK_EQ(f.eax >> 8 & 0x80, 0x80);
	f.edx = 1; /* there is no COM2 */
	CHECK_EQ(call(0x14, 0x0158), 0x80);
	f.edx = 0xffff;
	CHECK_EQ(call(0x14, 0x0158), 0x80);
	/* A port of the BIOS itself in the table is not called. */
	poke(0x402, BIOS_PORT_CALL, 2);
	f.edx = 1;
	CHECK_EQ(call(0x14, 0x0312), 0xff);
}

/* Lets the mouse's answers come while a call keeps asking for them. Return: AH. */
static unsigned mouse_call(uint16_t ax)
{
	f.eax = ax;
	for (unsigned n = 0; n < 1000; n++) {
		bios_bench_out(&bench, 0x15, &f);
		if (f.result != BIOS_AGAIN)
			break;
		bench.clock.ns += 2000000;
		device_lock(bench.i8042);
		i8042_expired(bench.i8042);
		device_unlock(bench.i8042);
	}
	return f.eax >> 8 & 0xff;
}

WITH_DEVICE(test_mouse_calls_its_handler)
{
	f.ebx = 0x0300;
	CHECK_EQ(mouse_call(0xc205), 0);
	f.ebx = 0x0100;
	CHECK_EQ(mouse_call(0xc200), 5); /* no handler yet */
	f.es = 0x1234, f.ebx = 0x5678;
	CHECK_EQ(mouse_call(0xc207), 0);
	CHECK_EQ(peek(0x9fc22, 4), 0x12345678);
	CHECK_EQ(mouse_call(0xc201), 0);
	CHECK_EQ(f.ebx, 0x00aa);
	CHECK_EQ(mouse_call(0xc204), 0);
	CHECK_EQ(f.ebx >> 8, 0);
	f.ebx = 0x0200;
	CHECK_EQ(mouse_call(0xc202), 0); /* 40 a second */
	f.ebx = 0x0000;
	CHECK_EQ(mouse_call(0xc206), 0);
	CHECK_EQ(f.edx & 0xff, 40);
	f.ebx = 0x0700;
	CHECK_EQ(mouse_call(0xc202), 2);
	CHECK_EQ(mouse_call(0xc20f), 1);
	f.ebx = 0x0100;
	CHECK_EQ(mouse_call(0xc200), 0);

	device_lock(bench.i8042);
	i8042_mouse(bench.i8042, 5, -3, 0, 1);
	device_unlock(bench.i8042);
	for (unsigned n = 0; n < 3; n++) {
		bench.clock.ns += 30000000;
		device_lock(bench.i8042);
		i8042_expired(bench.i8042);
		device_unlock(bench.i8042);
		CHECK(bench.mouse_irq.is_high);
		f = (struct bios_frame){0};
		bios_bench_call(&bench, 0x74, &f);
		CHECK_EQ(f.result, n == 2 ? BIOS_MOUSE : BIOS_DONE);
	}
	CHECK_EQ(peek(0x9fc2e, 2), 0x29); /* left button, Y below 0 */
	CHECK_EQ(peek(0x9fc2c, 2), 5);
	CHECK_EQ(peek(0x9fc2a, 2), 0xfd);
	f = (struct bios_frame){0};
	bios_bench_call(&bench, 0x74, &f); /* nothing there */
	CHECK_EQ(f.result, BIOS_DONE);
	f.ebx = 0;
	CHECK_EQ(mouse_call(0xc200), 0);
}

/* Two functions at 00:01.0 and 00:01.1, mechanism 1. */
struct pci_ports {
	struct device dev;
	uint32_t address;
	uint32_t reg[2][64];
};

static uint64_t pci_read(void *ctx, uint64_t off, unsigned size)
{
	struct pci_ports *p = ctx;
	uint32_t function = p->address >> 8 & 0xffff;
	(void)size;
	if (off < 4)
		return p->address;
	if (!(p->address >> 31) || function < 8 || function > 9)
		return 0xffffffff;
	return p->reg[function - 8][p->address >> 2 & 63];
}

static void pci_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	struct pci_ports *p = ctx;
	(void)size;
	if (off < 4)
		p->address = (uint32_t)value;
	else if ((p->address >> 8 & 0xffff) == 8)
		p->reg[0][p->address >> 2 & 63] = (uint32_t)value;
}

WITH_DEVICE(test_pci_bios_finds_and_reads)
{
	static const struct device_ops dev_ops = {.type = "pci"};
	static const struct bus_ops ops = {
		.sizes = BUS_SIZE_4, .read = pci_read, .write = pci_write};
	struct pci_ports pci = {
		.reg = {{0x12378086, 0, 0x06010000, 0x00800000}, {0x70108086, 0, 0x01018000, 0}}};
	struct err err;

	bios_bench_end(&bench);
	bios_bench_init(&bench);
	bench.cfg.is_pci = true;
	bios_bench_start(&bench);
	device_init(&pci.dev, &dev_ops, "pci");
	CHECK_EQ(bus_add(bench.pio, 0xcf8, 0xcff, &ops, &pci, &pci.dev, &err), 0);
	CHECK_EQ(call(0x1a, 0xb101), 0);
	CHECK_EQ(f.edx, 0x20494350);
	f.ecx = 0x7010, f.edx = 0x8086, f.esi = 0;
	CHECK_EQ(call(0x1a, 0xb102), 0);
	CHECK_EQ(f.ebx, 0x0009);
	f.esi = 1;
	CHECK_EQ(call(0x1a, 0xb102), 0x86);
	CHECK_EQ(f.flags & CF, 1);
	f.edx = 0xffff;
	CHECK_EQ(call(0x1a, 0xb102), 0x83);
	f.ecx = 0x060100, f.esi = 0;
	CHECK_EQ(call(0x1a, 0xb103), 0);
	CHECK_EQ(f.ebx, 0x0008);
	f.edi = 2;
	CHECK_EQ(call(0x1a, 0xb109), 0);
	CHECK_EQ(f.ecx & 0xffff, 0x1237);
	f.edi = 3;
	CHECK_EQ(call(0x1a, 0xb108), 0);
	CHECK_EQ(f.ecx & 0xff, 0x12);
	CHECK_EQ(call(0x1a, 0xb10a), 0x87); /* not aligned */
	f.edi = 0x100;
	CHECK_EQ(call(0x1a, 0xb108), 0x87);
	f.edi = 0x3c, f.ecx = 0xdeadbeef;
	CHECK_EQ(call(0x1a, 0xb10d), 0);
	CHECK_EQ(pci.reg[0][15], 0xdeadbeef);
	CHECK_EQ(call(0x1a, 0xb10e), 0x81);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_rom_has_what_software_looks_for),
		TEST_CASE(test_power_on_fills_vectors_and_data_area),
		TEST_CASE(test_tables_add_up),
		TEST_CASE(test_ticks_until_midnight),
		TEST_CASE(test_clock_is_read_and_set),
		TEST_CASE(test_alarm_calls_int_4a),
		TEST_CASE(test_event_comes_after_its_time),
		TEST_CASE(test_waits_as_long_as_asked),
		TEST_CASE(test_memory_is_told),
		TEST_CASE(test_much_memory_is_told),
		TEST_CASE(test_blocks_move_anywhere),
		TEST_CASE(test_system_services),
		TEST_CASE(test_apm_switches_off),
		TEST_CASE(test_serial_port_sends_and_receives),
		TEST_CASE(test_mouse_calls_its_handler),
		TEST_CASE(test_pci_bios_finds_and_reads),
	};
	return TEST_RUN(cases);
}
