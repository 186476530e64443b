/* Interrupts: UART and PIT through the IOAPIC, PIT through the PIC, LAPIC timer, self-IPI. */
#include "rt.h"

static volatile unsigned count[4];
enum {
	SERIAL,
	PIT,
	TIMER,
	SELF
};
#define VECTOR(n) (0x40 + (n))

HANDLER on_serial(struct frame *f)
{
	(void)f;
	if ((inb(COM1 + 2) & 0xf) == 0x2) /* IIR: transmitter empty; reading it clears */
		count[SERIAL]++;
	lapic_eoi();
}

HANDLER on_pit(struct frame *f)
{
	(void)f;
	count[PIT]++;
	lapic_eoi();
}

HANDLER on_pic(struct frame *f)
{
	(void)f;
	count[PIT]++;
	outb(0x20, 0x20);
}

HANDLER on_timer(struct frame *f)
{
	(void)f;
	count[TIMER]++;
	lapic_eoi();
}

HANDLER on_self(struct frame *f)
{
	(void)f;
	count[SELF]++;
	lapic_eoi();
}

static void wait_for(unsigned n, unsigned want)
{
	while (count[n] < want)
		wait_irq();
}

static void check_serial(void)
{
	set_handler(VECTOR(SERIAL), on_serial);
	ioapic_route(COM1_GSI, VECTOR(SERIAL), IOAPIC_EDGE);
	outb(COM1 + 4, 0x0b);
	outb(COM1 + 1, 0x02); /* IER: THRE */
	wait_for(SERIAL, 1);
	expect(true, "UART interrupt when IER is set");
	outb(COM1, '\n');
	wait_for(SERIAL, 2);
	expect(true, "UART interrupt after a byte");
	outb(COM1 + 1, 0);
	ioapic_route(COM1_GSI, VECTOR(SERIAL), IOAPIC_MASKED);
}

static void pit_start(unsigned hz)
{
	unsigned divisor = 1193182 / hz;
	outb(0x43, 0x34);
	outb(0x40, (uint8_t)divisor);
	outb(0x40, (uint8_t)(divisor >> 8));
}

static void check_pit(void)
{
	uint32_t from;
	set_handler(VECTOR(PIT), on_pit);
	ioapic_route(PIT_GSI, VECTOR(PIT), IOAPIC_EDGE);
	pit_start(200);
	wait_for(PIT, 1);
	from = inl(PM_TMR);
	wait_for(PIT, 6);
	uint32_t ticks = (inl(PM_TMR) - from) & 0xffffff;
	/* 5 periods of 5 ms; a busy host may be late, and KVM then catches up. */
	expect(ticks > 3579 * 8, "PIT interrupts through the IOAPIC");
	ioapic_route(PIT_GSI, VECTOR(PIT), IOAPIC_MASKED);

	/* Virtual wire: LINT0 as ExtINT, PIC at 0x50. */
	set_handler(0x50, on_pic);
	outb(0x20, 0x11);
	outb(0x21, 0x50);
	outb(0x21, 0x04);
	outb(0x21, 0x01);
	outb(0x21, 0xfe);
	write32(LAPIC + 0x350, 0x700);
	count[PIT] = 0;
	wait_for(PIT, 3);
	expect(true, "PIT interrupts through the PIC");
	outb(0x21, 0xff);
	write32(LAPIC + 0x350, 0x10700);
	outb(0x43, 0x30); /* one shot that never comes */
}

static void check_lapic(void)
{
	set_handler(VECTOR(TIMER), on_timer);
	set_handler(VECTOR(SELF), on_self);
	write32(LAPIC + 0x3e0, 0xb); /* divide by 1 */
	write32(LAPIC + 0x320, VECTOR(TIMER));
	write32(LAPIC + 0x380, 1000000);
	wait_for(TIMER, 1);
	expect(true, "LAPIC timer, one shot");

	if (cpuid(1, 0).ecx >> 24 & 1) {
		write32(LAPIC + 0x320, 2u << 17 | VECTOR(TIMER));
		barrier_full();
		wrmsr(0x6e0, rdtsc() + 1000000);
		wait_for(TIMER, 2);
		expect(true, "LAPIC timer, TSC deadline");
	} else {
		skip("TSC deadline");
	}
	lapic_ipi(lapic_id(), VECTOR(SELF));
	wait_for(SELF, 1);
	expect(true, "self-IPI");
}

void guest_main(void)
{
	lapic_enable();
	check_serial();
	check_pit();
	check_lapic();
}
