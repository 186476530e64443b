/*
 * The PC's chips. Each create function makes a device; its bus_ops are put on a bus by the board
 * with the device itself as ctx.
 */
#ifndef TINYVM_LEGACY_H
#define TINYVM_LEGACY_H

#include <stdbool.h>
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

/* MC146818 RTC and CMOS RAM, ports 0x70-0x71. */
#define CMOS_PORTS 2
extern const struct bus_ops cmos_bus_ops;

/**
 * struct cmos_config - what is wired to it, and what firmware has put into its RAM
 * @clock:  UTC
 * @irq:    IRQ 8, edge: periodic, alarm and update-ended interrupts
 * @timer:  for them; cmos_expired() is to be called with the device when it expires
 * @ram_below_4g, @ram_above_4g: bytes
 * @date_offset_s: added to @clock's UTC: --rtc
 * @floppy_type: of A: in the high nibble and B: in the low one (4: 1.44 MB), 0 none
 * @disk_count: hard disks, for the type bytes 0x12, 0x19, 0x1a
 * @disk_translation: byte 0x39: of disks 0-3, 2 bits each: 0 none, 1 LBA (SeaBIOS reads it)
 * @boot:   SeaBIOS's boot order nibbles (0x38, 0x3d): 1 floppy, 2 disk, 3 CD; 0 for none
 */
struct cmos_config {
	struct clock clock;
	struct irq_line irq;
	struct timer timer;
	uint64_t ram_below_4g, ram_above_4g;
	int64_t date_offset_s;
	uint8_t floppy_type;
	unsigned disk_count;
	uint8_t disk_translation;
	uint8_t boot[3];
};
int cmos_create(struct device **ret_dev, const struct cmos_config *cfg)
	__attribute__((warn_unused_result));
void cmos_expired(void *dev);

/*
 * i8042 keyboard controller, with a PS/2 keyboard and mouse behind it when @is_connected; ports
 * 0x60-0x64 (0x61, the speaker gate, belongs to KVM's PIT). Two windows, same ctx:
 * i8042_data_bus_ops at 0x60, i8042_command_bus_ops at 0x64.
 */
extern const struct bus_ops i8042_data_bus_ops;
extern const struct bus_ops i8042_command_bus_ops;

/**
 * struct i8042_config - what is wired to it
 * @keyboard_irq, @mouse_irq: IRQ 1 and 12, edge
 * @clock, @timer: for the time that a byte takes on the wire; i8042_expired() is to be called with
 *         the device when @timer expires. Not used unless @is_connected
 */
struct i8042_config {
	struct power_sink power;
	bool is_connected;
	struct irq_line keyboard_irq, mouse_irq;
	struct clock clock;
	struct timer timer;
};
int i8042_create(struct device **ret_dev, const struct i8042_config *cfg)
	__attribute__((warn_unused_result));

void i8042_expired(void *dev);

/**
 * i8042_key() - a key goes down, again while it is held (the host repeats), or up
 * @code: its make code of scan code set 1, 0xe0 in the high byte for an extended key (0xe04d:
 *        right); I8042_KEY_PAUSE and I8042_KEY_PRINT are the two with sequences of their own. The
 *        keyboard translates to the set that the guest has chosen
 *
 * Return: false when the keyboard's buffer has no room for it: nothing was taken; there may be when
 * the guest has read more. Always true while the guest has the keyboard disabled: it is lost, as on
 * a PC. Context (both): the device's lock held.
 */
#define I8042_KEY_PAUSE 0xe11d
#define I8042_KEY_PRINT 0xe037
bool i8042_key(struct device *dev, uint16_t code, bool is_down);

/*
 * Has the guest read all that the keyboard has sent, with the keyboard enabled? Who waits for this
 * before the next key loses none. Context: the device's lock held.
 */
bool i8042_is_read(struct device *dev);

/*
 * The mouse moved (counts; y grows upwards, z, the wheel, towards the user) or its buttons changed:
 * bit 0 left, 1 right, 2 middle.
 */
void i8042_mouse(struct device *dev, int dx, int dy, int dz, unsigned buttons);

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

/* Diagnostic ports of a PC: POST code 0x80, Bochs' and QEMU's debug consoles 0xe9 and 0x402. */
#define DEBUGPORT_POST 0x80
#define DEBUGPORT_E9   0xe9
#define DEBUGPORT_402  0x402
extern const struct bus_ops debugport_post_bus_ops;
extern const struct bus_ops debugport_text_bus_ops;

/**
 * debugport_create() - the three of them
 * @line: told each line of text from either console, without its end: at most DEBUGPORT_LINE_MAX
 *        printable ASCII characters, at the guest's pace; called with the device's lock held
 */
#define DEBUGPORT_LINE_MAX 255
int debugport_create(struct device **ret_dev, void (*line)(void *ctx, const char *line), void *ctx)
	__attribute__((warn_unused_result));

/* System control port A, 0x92: A20 (always open) and the fast reset. */
extern const struct bus_ops port92_bus_ops;
int port92_create(struct device **ret_dev, struct power_sink power)
	__attribute__((warn_unused_result));

#endif
