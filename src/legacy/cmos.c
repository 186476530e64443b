/*
 * MC146818 real-time clock with 128 bytes of CMOS RAM (Motorola data sheet, 1984) and the bytes
 * of it that PC firmware fills in: memory sizes, century, equipment, drives.
 *
 * The date and time registers show the machine's clock plus an offset, which a guest that sets the
 * time changes. After register A was read with UIP clear, the time registers keep that moment's
 * values for a while, so that one reading never mixes two seconds. UIP shows once a second to who
 * polls for it; a single look never has to wait.
 *
 * Register C's flags are worked out when somebody looks: what has passed since the last look. Only
 * for an enabled interrupt whose flag is not up is there a timer. So ticks of the periodic
 * interrupt that come late fall together, and none comes before register C was read.
 *
 * Left out: square wave output, daylight saving, a day of the week that differs from the date's,
 * divider chain resets (register B's SET is what stops the clock). NVRAM starts afresh with every
 * reset, and so does a time the guest had set.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/legacy.h>
#include <tinyvm/state.h>

#define CMOS_BYTES 128

enum {
	REG_SECONDS = 0x00,
	REG_SECONDS_ALARM = 0x01,
	REG_MINUTES = 0x02,
	REG_MINUTES_ALARM = 0x03,
	REG_HOURS = 0x04,
	REG_HOURS_ALARM = 0x05,
	REG_WEEKDAY = 0x06,
	REG_DAY = 0x07,
	REG_MONTH = 0x08,
	REG_YEAR = 0x09,
	REG_A = 0x0a,
	REG_B = 0x0b,
	REG_C = 0x0c,
	REG_D = 0x0d,
	REG_FLOPPIES = 0x10,
	REG_DISKS = 0x12, /* types of the first two hard disks, the first in the high nibble */
	REG_EQUIPMENT = 0x14,
	REG_BASE_KIB = 0x15,  /* RAM below 1 MiB, 2 bytes */
	REG_EXT_KIB = 0x17,   /* RAM above 1 MiB, up to 64 MiB, 2 bytes; again at 0x30 */
	REG_DISK_TYPE = 0x19, /* of the first two hard disks, when the nibble is 15 */
	REG_CHECKSUM = 0x2e,  /* of 0x10-0x2d, high byte first */
	REG_EXT_KIB_2 = 0x30,
	REG_CENTURY = 0x32,
	REG_EXT_64KIB = 0x34, /* RAM from 16 MiB to the hole, in 64 KiB, 2 bytes */
	REG_BOOT_3 = 0x38,    /* SeaBIOS: what to boot from, third choice in the high nibble */
	REG_TRANSLATION = 0x39,
	REG_BOOT_1_2 = 0x3d,
	REG_HIGH_64KIB = 0x5b, /* RAM above 4 GiB, in 64 KiB, 3 bytes */
};

#define A_UIP	      0x80
#define A_BASE_32KHZ  0x20
#define A_RATE_1024HZ 0x06
#define A_RATE	      0x0f
#define B_SET	      0x80
#define B_UIE	      0x10 /* update-ended interrupt enable */
#define B_BINARY      0x04
#define B_24H	      0x02
#define C_IRQF	      0x80
#define C_PF	      0x40 /* periodic; this and the next two are in the places of B's enables */
#define C_AF	      0x20 /* alarm */
#define C_UF	      0x10 /* update ended */
#define C_FLAGS	      0x70
#define D_VRT	      0x80
#define HOURS_PM      0x80
#define ALARM_ANY     0xc0 /* both bits: any value matches */

#define INDEX_MASK 0x7f /* bit 7 masks NMI, of which there is none */

#define EQUIPMENT_FLOPPY     0x01
#define EQUIPMENT_FPU	     0x02
#define EQUIPMENT_FLOPPIES_2 0x40

#define DISK_TYPE_EXTENDED 0x0f
#define DISK_TYPE_USER	   47

#define NS_PER_S 1000000000
#define BASE_HZ	 32768u
#define DAY_S	 86400

/* How long UIP is up (244 us warning and 1984 us update at the 32 kHz time base). */
#define UIP_NS 2228000u
/* Reading register A again within this time is polling. */
#define POLL_NS 10000000u
/* How long the registers keep still after register A was read. */
#define LATCH_NS 20000000u

/* What a guest can set by the registers is far below this: no sum of times overflows. */
#define OFFSET_MAX_S 1000000000000

/**
 * struct cmos - clock and RAM
 * @index: of the byte that port 0x71 accesses, with the NMI bit
 * @ram:   all bytes; those of date and time count only while B_SET freezes the clock
 * @offset_s: guest time minus the host's, seconds
 * @latch_s, @latch_until_ns: guest time that the registers show until then
 * @a_second, @a_read_ns: when register A was last read: guest time, monotonic
 * @uip_until_ns: UIP is up until then
 * @seen_tick, @seen_s: up to when register C's flags were worked out: base clock cycles, guest time
 * @armed_ns: what the timer is set to, 0 for nothing
 * @is_irq: the level of the wire
 */
struct cmos {
	struct device dev;
	struct cmos_config cfg;
	uint8_t index;
	uint8_t ram[CMOS_BYTES];
	int64_t offset_s;
	int64_t latch_s;
	uint64_t latch_until_ns;
	int64_t a_second;
	uint64_t a_read_ns;
	uint64_t uip_until_ns;
	uint64_t seen_tick;
	int64_t seen_s;
	uint64_t armed_ns;
	bool is_irq;
};

/* A calendar date and time; fields as people count them. */
struct cmos_time {
	int64_t year;
	unsigned month, day, weekday; /* from 1, Sunday first */
	unsigned hour, minute, second;
};

/*
 * Days since 1970-01-01 in the Gregorian calendar. Counts in years that begin in March, so that
 * the leap day comes last. @month may be anything, it carries into the year.
 */
static int64_t cmos_days(int64_t year, int64_t month, int64_t day)
{
	int64_t months = year * 12 + month - 3;
	int64_t y = (months - (months < 0 ? 11 : 0)) / 12;
	int64_t m = months - y * 12;
	int64_t century = (y - (y < 0 ? 99 : 0)) / 100;
	int64_t leap_days =
		(y - (y < 0 ? 3 : 0)) / 4 - century + (century - (century < 0 ? 3 : 0)) / 4;
	return y * 365 + leap_days + (153 * m + 2) / 5 + day - 1 - 719468;
}

static void cmos_split(int64_t time_s, struct cmos_time *ret_time)
{
	int64_t days = (time_s - (time_s < 0 ? 86399 : 0)) / 86400;
	unsigned rest = (unsigned)(time_s - days * 86400);

	/* A year from the mean length, then the right one next to it; likewise the month. */
	int64_t year = 1970 + days * 400 / 146097;
	while (cmos_days(year, 1, 1) > days)
		year--;
	while (cmos_days(year + 1, 1, 1) <= days)
		year++;
	unsigned month = 12;
	while (cmos_days(year, month, 1) > days)
		month--;

	ret_time->year = year;
	ret_time->month = month;
	ret_time->day = (unsigned)(days - cmos_days(year, month, 1)) + 1;
	ret_time->weekday = (unsigned)(((days + 4) % 7 + 7) % 7) + 1;
	ret_time->hour = rest / 3600;
	ret_time->minute = rest / 60 % 60;
	ret_time->second = rest % 60;
}

static uint8_t cmos_encode(const struct cmos *c, unsigned value)
{
	return (uint8_t)(c->ram[REG_B] & B_BINARY ? value : value / 10 << 4 | value % 10);
}

static unsigned cmos_decode(const struct cmos *c, uint8_t reg)
{
	return c->ram[REG_B] & B_BINARY ? reg : (reg >> 4) * 10u + (reg & 15u);
}

static uint8_t cmos_encode_hour(const struct cmos *c, unsigned hour)
{
	if (c->ram[REG_B] & B_24H)
		return cmos_encode(c, hour);
	return cmos_encode(c, (hour + 11) % 12 + 1) | (hour >= 12 ? HOURS_PM : 0);
}

/* Fills the registers of date and time with @time_s. */
static void cmos_show(struct cmos *c, int64_t time_s)
{
	struct cmos_time t;
	cmos_split(time_s, &t);
	unsigned year = (unsigned)((t.year % 10000 + 10000) % 10000);

	c->ram[REG_SECONDS] = cmos_encode(c, t.second);
	c->ram[REG_MINUTES] = cmos_encode(c, t.minute);
	c->ram[REG_HOURS] = cmos_encode_hour(c, t.hour);
	c->ram[REG_WEEKDAY] = cmos_encode(c, t.weekday);
	c->ram[REG_DAY] = cmos_encode(c, t.day);
	c->ram[REG_MONTH] = cmos_encode(c, t.month);
	c->ram[REG_YEAR] = cmos_encode(c, year % 100);
	c->ram[REG_CENTURY] = cmos_encode(c, year / 100);
}

/* What the registers of date and time say; values out of range carry over. */
static int64_t cmos_registers_time(const struct cmos *c)
{
	uint8_t hours = c->ram[REG_HOURS];
	unsigned hour;
	if (c->ram[REG_B] & B_24H)
		hour = cmos_decode(c, hours);
	else
		hour = cmos_decode(c, hours & ~HOURS_PM) % 12 + (hours & HOURS_PM ? 12 : 0);

	int64_t year = cmos_decode(c, c->ram[REG_CENTURY]) * 100 + cmos_decode(c, c->ram[REG_YEAR]);
	int64_t days =
		cmos_days(year, cmos_decode(c, c->ram[REG_MONTH]), cmos_decode(c, c->ram[REG_DAY]));
	return days * 86400 + hour * 3600 + cmos_decode(c, c->ram[REG_MINUTES]) * 60 +
	       cmos_decode(c, c->ram[REG_SECONDS]);
}

static int64_t cmos_realtime_ns(const struct cmos *c)
{
	return c->cfg.clock.realtime_ns(c->cfg.clock.ctx);
}

static int64_t cmos_realtime_s(const struct cmos *c)
{
	int64_t ns = cmos_realtime_ns(c);
	return ns / NS_PER_S - (ns % NS_PER_S < 0);
}

static int64_t cmos_now_s(const struct cmos *c)
{
	return cmos_realtime_s(c) + c->offset_s;
}

static uint64_t cmos_monotonic_ns(const struct cmos *c)
{
	return c->cfg.clock.monotonic_ns(c->cfg.clock.ctx);
}

static void cmos_set_time(struct cmos *c)
{
	c->offset_s = cmos_registers_time(c) - cmos_realtime_s(c);
	c->latch_until_ns = 0;
}

/* Cycles of the 32 kHz time base, and when one begins. */
static uint64_t cmos_tick(uint64_t ns)
{
	return ns / NS_PER_S * BASE_HZ + ns % NS_PER_S * BASE_HZ / NS_PER_S;
}

static uint64_t cmos_tick_ns(uint64_t tick)
{
	return tick / BASE_HZ * NS_PER_S + (tick % BASE_HZ * NS_PER_S + BASE_HZ - 1) / BASE_HZ;
}

/* Cycles from one periodic interrupt to the next; 0 for none. */
static unsigned cmos_period(const struct cmos *c)
{
	unsigned rate = c->ram[REG_A] & A_RATE;
	if (!rate)
		return 0;
	return 1u << (rate <= 2 ? rate + 6 : rate - 1);
}

static bool cmos_alarm_takes(uint8_t alarm, uint8_t value)
{
	return (alarm & ALARM_ANY) == ALARM_ANY || alarm == value;
}

/*
 * The first second after @after_s at which the alarm goes off. What does not match is left behind
 * by the hour, then by the minute. Return: false when no time of day matches.
 */
static bool cmos_next_alarm(const struct cmos *c, int64_t after_s, int64_t *ret_s)
{
	int64_t t = after_s + 1;
	while (t <= after_s + DAY_S) {
		unsigned second = (unsigned)((t % DAY_S + DAY_S) % DAY_S);
		if (!cmos_alarm_takes(c->ram[REG_HOURS_ALARM], cmos_encode_hour(c, second / 3600)))
			t += 3600 - second % 3600;
		else if (!cmos_alarm_takes(c->ram[REG_MINUTES_ALARM],
					   cmos_encode(c, second / 60 % 60)))
			t += 60 - second % 60;
		else if (!cmos_alarm_takes(c->ram[REG_SECONDS_ALARM], cmos_encode(c, second % 60)))
			t++;
		else
			break;
	}
	*ret_s = t;
	return t <= after_s + DAY_S;
}

/* Raises the flags of what has happened since the last time, with the registers as they are. */
static void cmos_catch_up(struct cmos *c)
{
	uint64_t tick = cmos_tick(cmos_monotonic_ns(c));
	int64_t now_s = cmos_now_s(c);
	unsigned period = cmos_period(c);
	int64_t alarm_s;

	if (period && tick / period != c->seen_tick / period)
		c->ram[REG_C] |= C_PF;
	if (!(c->ram[REG_B] & B_SET) && now_s != c->seen_s) {
		c->ram[REG_C] |= C_UF;
		if (now_s > c->seen_s && cmos_next_alarm(c, c->seen_s, &alarm_s) &&
		    alarm_s <= now_s)
			c->ram[REG_C] |= C_AF;
	}
	c->seen_tick = tick;
	c->seen_s = now_s;
}

/* When guest time is @guest_s, on the monotonic clock. */
static uint64_t cmos_when_ns(const struct cmos *c, int64_t guest_s)
{
	int64_t now_ns = cmos_realtime_ns(c);
	int64_t wait_ns = (guest_s - c->offset_s) * NS_PER_S - now_ns;
	return cmos_monotonic_ns(c) + (wait_ns > 0 ? (uint64_t)wait_ns : 0);
}

/* The next moment that can make an interrupt; 0 for none. */
static uint64_t cmos_next_ns(const struct cmos *c)
{
	uint8_t wanted = c->ram[REG_B] & C_FLAGS;
	unsigned period = cmos_period(c);
	uint64_t next_ns = UINT64_MAX, ns = UINT64_MAX;
	int64_t alarm_s;

	if (wanted & C_PF && period)
		next_ns = cmos_tick_ns((c->seen_tick / period + 1) * period);
	if (c->ram[REG_B] & B_SET)
		wanted = 0;
	if (wanted & C_UF)
		ns = cmos_when_ns(c, c->seen_s + 1);
	else if (wanted & C_AF && cmos_next_alarm(c, c->seen_s, &alarm_s))
		ns = cmos_when_ns(c, alarm_s);
	if (ns < next_ns)
		next_ns = ns;
	return next_ns == UINT64_MAX ? 0 : next_ns;
}

/* What follows from the flags and their enables: the wire, and while it is low the timer. */
static void cmos_update_irq(struct cmos *c)
{
	bool is_irq = c->ram[REG_C] & c->ram[REG_B] & C_FLAGS;
	c->ram[REG_C] = (c->ram[REG_C] & C_FLAGS) | (is_irq ? C_IRQF : 0);
	if (is_irq != c->is_irq)
		irq_line_set(&c->cfg.irq, is_irq);
	c->is_irq = is_irq;

	uint64_t when_ns = is_irq ? 0 : cmos_next_ns(c);
	if (when_ns != c->armed_ns)
		timer_arm(&c->cfg.timer, when_ns);
	c->armed_ns = when_ns;
}

void cmos_expired(void *dev)
{
	struct cmos *c = dev;
	c->armed_ns = 0;
	cmos_catch_up(c);
	if (c->ram[REG_C] & c->ram[REG_B] & C_UF)
		c->latch_until_ns = 0; /* who is told of a new second wants to see it */
	cmos_update_irq(c);
}

static bool cmos_is_time(uint8_t index)
{
	switch (index) {
	case REG_SECONDS:
	case REG_MINUTES:
	case REG_HOURS:
	case REG_WEEKDAY:
	case REG_DAY:
	case REG_MONTH:
	case REG_YEAR:
	case REG_CENTURY:
		return true;
	default:
		return false;
	}
}

/* Brings the registers of date and time up to the moment, unless SET or the latch holds them. */
static void cmos_refresh(struct cmos *c)
{
	if (c->ram[REG_B] & B_SET)
		return;
	cmos_show(c, cmos_monotonic_ns(c) < c->latch_until_ns ? c->latch_s : cmos_now_s(c));
}

static uint8_t cmos_a_read(struct cmos *c)
{
	uint64_t now_ns = cmos_monotonic_ns(c);
	int64_t second = cmos_now_s(c);
	bool is_polling = now_ns - c->a_read_ns < POLL_NS;
	bool is_running = !(c->ram[REG_B] & B_SET);

	if (is_polling && second != c->a_second)
		c->uip_until_ns = now_ns + UIP_NS;
	c->a_second = second;
	c->a_read_ns = now_ns;
	c->latch_s = second;
	c->latch_until_ns = now_ns + LATCH_NS;
	return c->ram[REG_A] | (is_running && now_ns < c->uip_until_ns ? A_UIP : 0);
}

static uint8_t cmos_c_read(struct cmos *c)
{
	cmos_catch_up(c);
	cmos_update_irq(c);
	uint8_t value = c->ram[REG_C];
	c->ram[REG_C] = 0;
	cmos_update_irq(c);
	return value;
}

static uint8_t cmos_data_read(struct cmos *c)
{
	uint8_t index = c->index & INDEX_MASK;
	if (index == REG_A)
		return cmos_a_read(c);
	if (index == REG_C)
		return cmos_c_read(c);
	if (cmos_is_time(index))
		cmos_refresh(c);
	return c->ram[index];
}

static void cmos_b_write(struct cmos *c, uint8_t value)
{
	uint8_t changed = value ^ c->ram[REG_B];
	if (value & B_SET)
		value &= ~B_UIE;
	/* The clock stops in the old format; what it stopped at is the guest's to rewrite. */
	if (changed & value & B_SET)
		cmos_refresh(c);
	c->ram[REG_B] = value;
	if (changed & ~value & B_SET)
		cmos_set_time(c);
}

static void cmos_put_register(struct cmos *c, uint8_t index, uint8_t value)
{
	switch (index) {
	case REG_A:
		c->ram[REG_A] = value & ~A_UIP;
		return;
	case REG_B:
		cmos_b_write(c, value);
		return;
	case REG_C:
	case REG_D:
		return;
	default:
		break;
	}
	if (!cmos_is_time(index) || c->ram[REG_B] & B_SET) {
		c->ram[index] = value;
		return;
	}
	/* Set on the run: allowed, one field at a time. */
	cmos_show(c, cmos_now_s(c));
	c->ram[index] = value;
	cmos_set_time(c);
}

static void cmos_data_write(struct cmos *c, uint8_t value)
{
	uint8_t index = c->index & INDEX_MASK;
	bool is_clock = index <= REG_D || index == REG_CENTURY;
	if (is_clock)
		cmos_catch_up(c);
	cmos_put_register(c, index, value);
	if (!is_clock)
		return;
	c->seen_s = cmos_now_s(c); /* setting the time is no update */
	cmos_update_irq(c);
}

static uint64_t cmos_read(void *ctx, uint64_t off, unsigned size)
{
	(void)size;
	/* The index register is write-only on a PC. */
	return off ? cmos_data_read(ctx) : 0xff;
}

static void cmos_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	struct cmos *c = ctx;
	(void)size;
	if (off)
		cmos_data_write(c, (uint8_t)value);
	else
		c->index = (uint8_t)value;
}

const struct bus_ops cmos_bus_ops = {
	.sizes = BUS_SIZE_1,
	.read = cmos_read,
	.write = cmos_write,
};

/* A little-endian field of @bytes bytes that says @value, or as much of it as fits. */
static void cmos_put(struct cmos *c, unsigned at, unsigned bytes, uint64_t value)
{
	uint64_t max = (1ULL << 8 * bytes) - 1;
	if (value > max)
		value = max;
	for (unsigned i = 0; i < bytes; i++)
		c->ram[at + i] = (uint8_t)(value >> 8 * i);
}

static void cmos_put_memory(struct cmos *c)
{
	uint64_t kib = c->cfg.ram_below_4g >> 10;
	uint64_t ext_kib = kib > 1024 ? kib - 1024 : 0;
	uint64_t above_16m_kib = kib > 16384 ? kib - 16384 : 0;

	cmos_put(c, REG_BASE_KIB, 2, kib < 640 ? kib : 640);
	cmos_put(c, REG_EXT_KIB, 2, ext_kib);
	cmos_put(c, REG_EXT_KIB_2, 2, ext_kib);
	cmos_put(c, REG_EXT_64KIB, 2, above_16m_kib >> 6);
	cmos_put(c, REG_HIGH_64KIB, 3, c->cfg.ram_above_4g >> 16);
}

static void cmos_put_drives(struct cmos *c)
{
	c->ram[REG_EQUIPMENT] = EQUIPMENT_FPU;
	c->ram[REG_FLOPPIES] = c->cfg.floppy_type;
	if (c->cfg.floppy_type)
		c->ram[REG_EQUIPMENT] |= EQUIPMENT_FLOPPY;
	if (c->cfg.floppy_type & 0x0f)
		c->ram[REG_EQUIPMENT] |= EQUIPMENT_FLOPPIES_2;
	for (unsigned i = 0; i < 2 && i < c->cfg.disk_count; i++) {
		c->ram[REG_DISKS] |= i ? DISK_TYPE_EXTENDED : DISK_TYPE_EXTENDED << 4;
		c->ram[REG_DISK_TYPE + i] = DISK_TYPE_USER;
	}
	c->ram[REG_TRANSLATION] = c->cfg.disk_translation;
	c->ram[REG_BOOT_1_2] = (uint8_t)(c->cfg.boot[0] | c->cfg.boot[1] << 4);
	c->ram[REG_BOOT_3] = (uint8_t)(c->cfg.boot[2] << 4);
}

static void cmos_reset(struct device *dev)
{
	struct cmos *c = (struct cmos *)dev;
	c->index = 0;
	c->offset_s = c->cfg.date_offset_s;
	c->latch_until_ns = c->uip_until_ns = 0;
	c->a_second = 0;
	c->a_read_ns = cmos_monotonic_ns(c) - POLL_NS;

	memset(c->ram, 0, sizeof(c->ram));
	c->ram[REG_A] = A_BASE_32KHZ | A_RATE_1024HZ;
	c->ram[REG_B] = B_24H;
	c->ram[REG_D] = D_VRT;
	cmos_put_memory(c);
	cmos_put_drives(c);

	unsigned sum = 0;
	for (unsigned i = 0x10; i < REG_CHECKSUM; i++)
		sum += c->ram[i];
	c->ram[REG_CHECKSUM] = (uint8_t)(sum >> 8);
	c->ram[REG_CHECKSUM + 1] = (uint8_t)sum;

	c->seen_tick = cmos_tick(cmos_monotonic_ns(c));
	c->seen_s = cmos_now_s(c);
	cmos_update_irq(c);
}

static void cmos_state(struct device *dev, struct state *st)
{
	struct cmos *c = (struct cmos *)dev;
	uint64_t offset_s = (uint64_t)c->offset_s;

	/* A running clock's registers are derived; the latch is not worth keeping. */
	if (!state_is_loading(st)) {
		cmos_catch_up(c);
		cmos_update_irq(c);
		if (!(c->ram[REG_B] & B_SET))
			cmos_show(c, cmos_now_s(c));
	}
	state_u8(st, "INDEX", &c->index);
	state_bytes(st, "RAM", c->ram, sizeof(c->ram));
	state_u64(st, "offset_s", &offset_s);
	if (!state_is_loading(st))
		return;
	c->ram[REG_A] &= ~A_UIP;
	c->ram[REG_D] = D_VRT;
	c->latch_until_ns = c->uip_until_ns = 0;
	if (offset_s + OFFSET_MAX_S > 2ULL * OFFSET_MAX_S)
		state_fail(st, "the clock is set to another era");
	else
		c->offset_s = (int64_t)offset_s;
	c->seen_tick = cmos_tick(cmos_monotonic_ns(c));
	c->seen_s = cmos_now_s(c);
	cmos_update_irq(c);
}

static void cmos_destroy(struct device *dev)
{
	free(dev);
}

static const struct device_ops cmos_ops = {
	.type = "MC146818",
	.version = 1,
	.reset = cmos_reset,
	.state = cmos_state,
	.destroy = cmos_destroy,
};

int cmos_create(struct device **ret_dev, const struct cmos_config *cfg)
{
	struct cmos *c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	device_init(&c->dev, &cmos_ops, "cmos");
	c->cfg = *cfg;
	cmos_reset(&c->dev);
	*ret_dev = &c->dev;
	return 0;
}
