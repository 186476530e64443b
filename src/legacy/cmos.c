/*
 * MC146818 real-time clock with 128 bytes of CMOS RAM (Motorola data sheet, 1984) and the bytes
 * of it that PC firmware fills in: memory sizes, century, equipment.
 *
 * The date and time registers show the machine's clock plus an offset, which a guest that sets the
 * time changes. After register A was read with UIP clear, the time registers keep that moment's
 * values for a while, so that one reading never mixes two seconds. UIP shows once a second to who
 * polls for it; a single look never has to wait.
 *
 * Left out: alarm, periodic and update-ended interrupts (the enable bits of register B are storage,
 * register C reads zero), daylight saving, a day of the week that differs from the date's. NVRAM
 * starts afresh with every reset, and so does a time the guest had set.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/legacy.h>
#include <tinyvm/state.h>

#define CMOS_BYTES 128

enum {
	REG_SECONDS = 0x00,
	REG_MINUTES = 0x02,
	REG_HOURS = 0x04,
	REG_WEEKDAY = 0x06,
	REG_DAY = 0x07,
	REG_MONTH = 0x08,
	REG_YEAR = 0x09,
	REG_A = 0x0a,
	REG_B = 0x0b,
	REG_C = 0x0c,
	REG_D = 0x0d,
	REG_EQUIPMENT = 0x14,
	REG_BASE_KIB = 0x15, /* RAM below 1 MiB, 2 bytes */
	REG_EXT_KIB = 0x17,  /* RAM above 1 MiB, up to 64 MiB, 2 bytes; again at 0x30 */
	REG_CHECKSUM = 0x2e, /* of 0x10-0x2d, high byte first */
	REG_EXT_KIB_2 = 0x30,
	REG_CENTURY = 0x32,
	REG_EXT_64KIB = 0x34,  /* RAM from 16 MiB to the hole, in 64 KiB, 2 bytes */
	REG_HIGH_64KIB = 0x5b, /* RAM above 4 GiB, in 64 KiB, 3 bytes */
};

#define A_UIP	      0x80
#define A_BASE_32KHZ  0x20
#define A_RATE_1024HZ 0x06
#define B_SET	      0x80
#define B_BINARY      0x04
#define B_24H	      0x02
#define D_VRT	      0x80
#define HOURS_PM      0x80

#define INDEX_MASK 0x7f /* bit 7 masks NMI, of which there is none */

#define EQUIPMENT_FPU 0x02

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
 */
struct cmos {
	struct device dev;
	struct clock clock;
	uint64_t ram_below_4g;
	uint64_t ram_above_4g;
	uint8_t index;
	uint8_t ram[CMOS_BYTES];
	int64_t offset_s;
	int64_t latch_s;
	uint64_t latch_until_ns;
	int64_t a_second;
	uint64_t a_read_ns;
	uint64_t uip_until_ns;
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

/* Fills the registers of date and time with @time_s. */
static void cmos_show(struct cmos *c, int64_t time_s)
{
	struct cmos_time t;
	cmos_split(time_s, &t);
	unsigned year = (unsigned)((t.year % 10000 + 10000) % 10000);

	c->ram[REG_SECONDS] = cmos_encode(c, t.second);
	c->ram[REG_MINUTES] = cmos_encode(c, t.minute);
	if (c->ram[REG_B] & B_24H)
		c->ram[REG_HOURS] = cmos_encode(c, t.hour);
	else
		c->ram[REG_HOURS] =
			cmos_encode(c, (t.hour + 11) % 12 + 1) | (t.hour >= 12 ? HOURS_PM : 0);
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

static int64_t cmos_now_s(const struct cmos *c)
{
	return c->clock.realtime_s(c->clock.ctx) + c->offset_s;
}

static uint64_t cmos_monotonic_ns(const struct cmos *c)
{
	return c->clock.monotonic_ns(c->clock.ctx);
}

static void cmos_set_time(struct cmos *c)
{
	c->offset_s = cmos_registers_time(c) - c->clock.realtime_s(c->clock.ctx);
	c->latch_until_ns = 0;
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

static uint8_t cmos_data_read(struct cmos *c)
{
	uint8_t index = c->index & INDEX_MASK;
	if (index == REG_A)
		return cmos_a_read(c);
	if (cmos_is_time(index))
		cmos_refresh(c);
	return c->ram[index];
}

static void cmos_b_write(struct cmos *c, uint8_t value)
{
	uint8_t changed = value ^ c->ram[REG_B];
	/* The clock stops in the old format; what it stopped at is the guest's to rewrite. */
	if (changed & value & B_SET)
		cmos_refresh(c);
	c->ram[REG_B] = value;
	if (changed & ~value & B_SET)
		cmos_set_time(c);
}

static void cmos_data_write(struct cmos *c, uint8_t value)
{
	uint8_t index = c->index & INDEX_MASK;
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
	uint64_t kib = c->ram_below_4g >> 10;
	uint64_t ext_kib = kib > 1024 ? kib - 1024 : 0;
	uint64_t above_16m_kib = kib > 16384 ? kib - 16384 : 0;

	cmos_put(c, REG_BASE_KIB, 2, kib < 640 ? kib : 640);
	cmos_put(c, REG_EXT_KIB, 2, ext_kib);
	cmos_put(c, REG_EXT_KIB_2, 2, ext_kib);
	cmos_put(c, REG_EXT_64KIB, 2, above_16m_kib >> 6);
	cmos_put(c, REG_HIGH_64KIB, 3, c->ram_above_4g >> 16);
}

static void cmos_reset(struct device *dev)
{
	struct cmos *c = (struct cmos *)dev;
	c->index = 0;
	c->offset_s = 0;
	c->latch_until_ns = c->uip_until_ns = 0;
	c->a_second = 0;
	c->a_read_ns = cmos_monotonic_ns(c) - POLL_NS;

	memset(c->ram, 0, sizeof(c->ram));
	c->ram[REG_A] = A_BASE_32KHZ | A_RATE_1024HZ;
	c->ram[REG_B] = B_24H;
	c->ram[REG_D] = D_VRT;
	c->ram[REG_EQUIPMENT] = EQUIPMENT_FPU;
	cmos_put_memory(c);

	unsigned sum = 0;
	for (unsigned i = 0x10; i < REG_CHECKSUM; i++)
		sum += c->ram[i];
	c->ram[REG_CHECKSUM] = (uint8_t)(sum >> 8);
	c->ram[REG_CHECKSUM + 1] = (uint8_t)sum;
}

static void cmos_state(struct device *dev, struct state *st)
{
	struct cmos *c = (struct cmos *)dev;
	uint64_t offset_s = (uint64_t)c->offset_s;

	/* A running clock's registers are derived; the latch is not worth keeping. */
	if (!state_is_loading(st) && !(c->ram[REG_B] & B_SET))
		cmos_show(c, cmos_now_s(c));
	state_u8(st, "INDEX", &c->index);
	state_bytes(st, "RAM", c->ram, sizeof(c->ram));
	state_u64(st, "offset_s", &offset_s);
	if (!state_is_loading(st))
		return;
	c->ram[REG_A] &= ~A_UIP;
	c->ram[REG_C] = 0;
	c->ram[REG_D] = D_VRT;
	c->latch_until_ns = c->uip_until_ns = 0;
	if (offset_s + OFFSET_MAX_S > 2ULL * OFFSET_MAX_S)
		state_fail(st, "the clock is set to another era");
	else
		c->offset_s = (int64_t)offset_s;
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

int cmos_create(struct device **ret_dev, struct clock clock, uint64_t ram_below_4g,
		uint64_t ram_above_4g)
{
	struct cmos *c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	device_init(&c->dev, &cmos_ops, "cmos");
	c->clock = clock;
	c->ram_below_4g = ram_below_4g;
	c->ram_above_4g = ram_above_4g;
	cmos_reset(&c->dev);
	*ret_dev = &c->dev;
	return 0;
}
