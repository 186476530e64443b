/*
 * ACPI fixed hardware (ACPI 6.4 section 4.8): PM1a event and control blocks, the 32-bit PM timer;
 * and the PCI reset control register at 0xcf9 (Intel ICH: RST_CNT).
 *
 * The machine is always in ACPI mode: SCI_EN reads one, there is no SMI. Events that exist: the
 * power button, and the end of a sleep. A sleep state other than S5 ends the moment it begins.
 *
 * Left out: TMR_STS. The timer's top bit changes every 20 minutes, TMR_EN would take a host timer
 * to serve, and systems read the 32-bit counter instead; the bit never sets. GPE blocks, PM1b,
 * PM2 and SMI_CMD are declared absent in the FADT.
 */
#include <errno.h>
#include <stdlib.h>
#include <tinyvm/legacy.h>
#include <tinyvm/state.h>

#define PM_TIMER_HZ 3579545u

#define STS_PWRBTN 0x0100
#define STS_WAK	   0x8000

/* TMR, GBL, PWRBTN, SLPBTN, RTC: the pairs of status and enable bits that raise the SCI. */
#define EN_MASK 0x0721

#define CNT_SCI_EN	  0x0001
#define CNT_BM_RLD	  0x0002
#define CNT_SLP_TYP_SHIFT 10
#define CNT_SLP_TYP	  0x1c00
#define CNT_SLP_EN	  0x2000

#define RST_CPU	 0x04
#define RST_KEPT 0x0a /* SYS_RST, FULL_RST */

/**
 * struct pm - the power management block
 * @sts, @en, @cnt: PM1_STS, PM1_EN, PM1_CNT
 * @rst_cnt: what 0xcf9 reads as
 * @timer_offset: PM_TMR minus the clock's ticks; 0 unless loaded from another machine
 */
struct pm {
	struct device dev;
	struct irq_line sci;
	struct clock clock;
	struct power_sink power;
	uint16_t sts;
	uint16_t en;
	uint16_t cnt;
	uint8_t rst_cnt;
	uint32_t timer_offset;
	bool is_sci_high;
};

static void pm_update_sci(struct pm *pm)
{
	bool level = pm->sts & pm->en & EN_MASK;
	if (level == pm->is_sci_high)
		return;
	pm->is_sci_high = level;
	irq_line_set(&pm->sci, level);
}

static uint32_t pm_clock_ticks(const struct pm *pm)
{
	uint64_t ns = pm->clock.monotonic_ns(pm->clock.ctx);
	uint64_t s = ns / 1000000000, rest = ns % 1000000000;
	return (uint32_t)(s * PM_TIMER_HZ + rest * PM_TIMER_HZ / 1000000000);
}

/* One load sees one value of the timer, however wide it is. */
static uint64_t pm_read(void *ctx, uint64_t off, unsigned size)
{
	struct pm *pm = ctx;
	uint32_t reg[PM_PORTS / 4] = {
		[PM_PM1_EVT / 4] = (uint32_t)pm->en << 16 | pm->sts,
		[PM_PM1_CNT / 4] = pm->cnt | CNT_SCI_EN,
	};
	if (off / 4 == PM_TMR / 4 || (off + size - 1) / 4 == PM_TMR / 4)
		reg[PM_TMR / 4] = pm_clock_ticks(pm) + pm->timer_offset;

	uint64_t value = 0;
	for (unsigned i = 0; i < size && off + i < PM_PORTS; i++)
		value |= (uint64_t)(reg[(off + i) / 4] >> (off + i) % 4 * 8 & 0xff) << 8 * i;
	return value;
}

/* PM1_CNT's upper byte: sleep type and enable lie together in it. */
static void pm_sleep_write(struct pm *pm, uint8_t byte)
{
	uint16_t value = (uint16_t)(byte << 8);
	pm->cnt = (pm->cnt & ~CNT_SLP_TYP) | (value & CNT_SLP_TYP);
	if (!(value & CNT_SLP_EN))
		return;
	if ((value & CNT_SLP_TYP) >> CNT_SLP_TYP_SHIFT == PM_SLP_TYP_S5)
		pm->power.request(pm->power.ctx, POWER_OFF);
	else
		pm->sts |= STS_WAK;
}

static void pm_write_byte(struct pm *pm, uint64_t off, uint8_t byte)
{
	switch (off) {
	case PM_PM1_EVT:
		pm->sts &= ~byte;
		break;
	case PM_PM1_EVT + 1:
		pm->sts &= ~(byte << 8);
		break;
	case PM_PM1_EVT + 2:
		pm->en = ((pm->en & 0xff00) | byte) & EN_MASK;
		break;
	case PM_PM1_EVT + 3:
		pm->en = ((pm->en & 0x00ff) | byte << 8) & EN_MASK;
		break;
	case PM_PM1_CNT:
		pm->cnt = (pm->cnt & ~CNT_BM_RLD) | (byte & CNT_BM_RLD);
		break;
	case PM_PM1_CNT + 1:
		pm_sleep_write(pm, byte);
		break;
	default: /* the timer is read-only */
		break;
	}
}

static void pm_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	struct pm *pm = ctx;
	for (unsigned i = 0; i < size; i++)
		pm_write_byte(pm, off + i, (uint8_t)(value >> 8 * i));
	pm_update_sci(pm);
}

const struct bus_ops pm_bus_ops = {
	.sizes = BUS_SIZE_1 | BUS_SIZE_2 | BUS_SIZE_4,
	.read = pm_read,
	.write = pm_write,
};

static uint64_t pm_reset_read(void *ctx, uint64_t off, unsigned size)
{
	struct pm *pm = ctx;
	(void)off, (void)size;
	return pm->rst_cnt;
}

static void pm_reset_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	struct pm *pm = ctx;
	(void)off, (void)size;
	pm->rst_cnt = value & RST_KEPT;
	if (value & RST_CPU)
		pm->power.request(pm->power.ctx, POWER_RESET);
}

const struct bus_ops pm_reset_bus_ops = {
	.sizes = BUS_SIZE_1,
	.read = pm_reset_read,
	.write = pm_reset_write,
};

void pm_press_power_button(struct device *dev)
{
	struct pm *pm = (struct pm *)dev;
	device_lock(dev);
	pm->sts |= STS_PWRBTN;
	pm_update_sci(pm);
	device_unlock(dev);
}

static void pm_reset(struct device *dev)
{
	struct pm *pm = (struct pm *)dev;
	pm->sts = pm->en = pm->cnt = 0;
	pm->rst_cnt = 0;
	pm->timer_offset = 0;
	pm_update_sci(pm);
}

static void pm_state(struct device *dev, struct state *st)
{
	struct pm *pm = (struct pm *)dev;
	uint32_t ticks = pm_clock_ticks(pm);
	uint32_t tmr = ticks + pm->timer_offset;

	state_u16(st, "PM1_STS", &pm->sts);
	state_u16(st, "PM1_EN", &pm->en);
	state_u16(st, "PM1_CNT", &pm->cnt);
	state_u32(st, "PM_TMR", &tmr);
	state_u8(st, "RST_CNT", &pm->rst_cnt);
	if (!state_is_loading(st))
		return;
	pm->sts &= STS_PWRBTN | STS_WAK;
	pm->en &= EN_MASK;
	pm->cnt &= CNT_BM_RLD | CNT_SLP_TYP;
	pm->rst_cnt &= RST_KEPT;
	pm->timer_offset = tmr - ticks;
	pm->is_sci_high = pm->sts & pm->en & EN_MASK;
	irq_line_set(&pm->sci, pm->is_sci_high);
}

static void pm_destroy(struct device *dev)
{
	free(dev);
}

static const struct device_ops pm_ops = {
	.type = "ACPI PM",
	.version = 1,
	.reset = pm_reset,
	.state = pm_state,
	.destroy = pm_destroy,
};

int pm_create(struct device **ret_dev, struct irq_line sci, struct clock clock,
	      struct power_sink power)
{
	struct pm *pm = calloc(1, sizeof(*pm));
	if (!pm)
		return -ENOMEM;
	device_init(&pm->dev, &pm_ops, "pm");
	pm->sci = sci;
	pm->clock = clock;
	pm->power = power;
	*ret_dev = &pm->dev;
	return 0;
}
