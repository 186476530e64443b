/* Port and MMIO accesses of every size, on chips and where there are none. */
#include "virtio.h"

static void insb(uint16_t port, void *to, unsigned long n)
{
	__asm__ volatile("cld; rep insb" : "+D"(to), "+c"(n) : "d"(port) : "memory");
}

static void outsb(uint16_t port, const void *from, unsigned long n)
{
	__asm__ volatile("cld; rep outsb" : "+S"(from), "+c"(n) : "d"(port) : "memory");
}

static void check_unclaimed(void)
{
	uint8_t buf[4] = {0};
	expect_eq(inb(NO_PORT), 0xff, "unclaimed port, 1 byte");
	expect_eq(inw(NO_PORT), 0xffff, "unclaimed port, 2 bytes");
	expect_eq(inl(NO_PORT), 0xffffffff, "unclaimed port, 4 bytes");
	insb(NO_PORT, buf, 3);
	expect(buf[0] == 0xff && buf[2] == 0xff && buf[3] == 0, "unclaimed port, string");
	outl(NO_PORT, 0);
	expect_eq(read8(NO_MMIO), 0xff, "unclaimed MMIO, 1 byte");
	expect_eq(read16(NO_MMIO + 2), 0xffff, "unclaimed MMIO, 2 bytes");
	expect_eq(read32(NO_MMIO + 4), 0xffffffff, "unclaimed MMIO, 4 bytes");
	expect_eq(read64(NO_MMIO + 8), ~0ULL, "unclaimed MMIO, 8 bytes");
	write64(NO_MMIO, 0);
	expect_eq(read64(NO_MMIO), ~0ULL, "unclaimed MMIO keeps nothing");
}

static void check_serial(void)
{
	uint8_t buf[3] = {0};
	outb(COM1 + 7, 0x5a);
	expect_eq(inb(COM1 + 7), 0x5a, "UART scratch register");
	outsb(COM1 + 7, "\x11\x22\x33", 3);
	insb(COM1 + 7, buf, 3);
	expect(buf[0] == 0x33 && buf[2] == 0x33, "string I/O leaves the last byte");
	/* Two bytes at once go to two registers: scratch is the second. */
	outw(COM1 + 6, 0x6b00);
	expect_eq(inb(COM1 + 7), 0x6b, "2-byte write reaches two registers");
	expect_eq(inw(COM1 + 6) >> 8, 0x6b, "2-byte read reads two registers");
	outsb(COM1, "guest: ok written by REP OUTSB\n", 31);
}

static void check_chips(void)
{
	uint32_t from = inl(PM_TMR);
	delay_us(1000);
	expect(((inl(PM_TMR) - from) & 0xffffff) >= 3579, "PM timer runs");
	outb(CMOS, 0x0d);
	expect_eq(inb(CMOS + 1) & 0x80, 0x80, "RTC says its time is valid");
	outb(CMOS, 0x0f);
	outb(CMOS + 1, 0x77);
	outb(CMOS, 0x0f);
	expect_eq(inb(CMOS + 1), 0x77, "CMOS RAM keeps a byte");
	outb(I8042, 0xaa);
	expect_eq(inb(0x60), 0x55, "i8042 self test");
	expect_eq(inb(PVPANIC) & 1, 1, "pvpanic offers the panicked event");
	/* KVM's own: the PIT's channel 2 behind port 0x61. */
	outb(0x61, (uint8_t)(inb(0x61) & ~3u));
	expect_eq(inb(0x61) & 3, 0, "speaker gate");
}

static void check_pci(void)
{
	if (!pci_is_there()) {
		expect_eq(inl(PCI_DATA), 0xffffffff, "no PCI bus");
		return;
	}
	for (unsigned slot = 0; slot < 3; slot++) {
		uintptr_t at = ECAM + slot * 0x8000u;
		expect_eq(read32(at), pci_read32(slot, 0), "ECAM and CF8 agree, 4 bytes");
		expect_eq(read16(at + 2), pci_read16(slot, 2), "ECAM and CF8 agree, 2 bytes");
		expect_eq(read8(at + 0xb), pci_read8(slot, 0xb), "ECAM and CF8 agree, 1 byte");
	}
	expect_eq(pci_read32(31, 0), 0xffffffff, "an empty slot reads all ones");
	for (unsigned n = 0; n < 6; n++) {
		uint32_t was = pci_read32(1, 0x10 + n * 4);
		if (!was)
			continue;
		expect(was >= PCI_MMIO_BASE && was <= PCI_MMIO_LAST, "BAR lies in the window");
		pci_write32(1, 0x10 + n * 4, 0xffffffff);
		uint32_t size = ~(pci_read32(1, 0x10 + n * 4) & ~0xfu) + 1;
		pci_write32(1, 0x10 + n * 4, was);
		expect(size && !(size & (size - 1)), "BAR size is a power of two");
		expect_eq(was & (size - 1), 0, "BAR is naturally aligned");
	}
}

void guest_main(void)
{
	check_unclaimed();
	check_serial();
	check_chips();
	check_pci();
}
