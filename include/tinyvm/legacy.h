/*
 * The PC's chips. Each create function makes a device; its bus_ops are put on a bus by the board
 * with the device itself as ctx.
 */
#ifndef TINYVM_LEGACY_H
#define TINYVM_LEGACY_H

#include <stdint.h>
#include <tinyvm/bus.h>
#include <tinyvm/device.h>

struct chardev;

/**
 * struct power_sink - what a chip asks of the whole machine
 *
 * @request is called with the chip's lock held, on a vCPU thread; it only takes note.
 */
enum power_event {
	POWER_OFF,   /* ACPI S5 */
	POWER_RESET, /* reset line pulsed */
	POWER_PANIC, /* the guest kernel panicked (pvpanic) */
};
struct power_sink {
	void (*request)(void *ctx, enum power_event event);
	void *ctx;
};

/* 16550A UART (National PC16550D). 8 ports, 1 byte each. */
#define SERIAL_PORTS 8
extern const struct bus_ops serial_bus_ops;
int serial_create(struct device **ret_dev, const char *id, struct irq_line irq, struct chardev *cd)
	__attribute__((warn_unused_result));

/* MC146818 RTC and CMOS RAM, ports 0x70-0x71. Time is UTC. @ram_below_4g, @ram_above_4g: bytes. */
#define CMOS_PORTS 2
extern const struct bus_ops cmos_bus_ops;
int cmos_create(struct device **ret_dev, struct clock clock, uint64_t ram_below_4g,
		uint64_t ram_above_4g) __attribute__((warn_unused_result));

/*
 * i8042: for now its reset pulse (command 0xfe) and self tests, no keyboard or mouse behind it;
 * ports 0x60-0x64 (0x61, the speaker gate, belongs to KVM's PIT). Two windows, same ctx:
 * i8042_data_bus_ops at 0x60, i8042_command_bus_ops at 0x64.
 */
extern const struct bus_ops i8042_data_bus_ops;
extern const struct bus_ops i8042_command_bus_ops;
int i8042_create(struct device **ret_dev, struct power_sink power)
	__attribute__((warn_unused_result));

/*
 * ACPI power management (ACPI 6.4 section 4.8): PM1a event and control blocks, PM timer, and the
 * PCI reset port 0xcf9.
 */
#define PM_PORTS       16 /* register block: */
#define PM_PM1_EVT     0  /* PM1_STS, PM1_EN */
#define PM_PM1_CNT     4
#define PM_TMR	       8
#define PM_SLP_TYP_S5  5
#define PM_RESET_PORT  0xcf9
#define PM_RESET_VALUE 0x06
extern const struct bus_ops pm_bus_ops;
extern const struct bus_ops pm_reset_bus_ops;
int pm_create(struct device **ret_dev, struct irq_line sci, struct clock clock,
	      struct power_sink power) __attribute__((warn_unused_result));

/* The host presses the fixed-feature power button. Context: @dev's lock NOT held; takes it. */
void pm_press_power_button(struct device *dev);

/* pvpanic, 1 port (QEMU docs/specs/pvpanic: bit 0 panicked, bit 1 crash loaded). */
#define PVPANIC_PORTS 1
extern const struct bus_ops pvpanic_bus_ops;
int pvpanic_create(struct device **ret_dev, struct power_sink power)
	__attribute__((warn_unused_result));

#endif
