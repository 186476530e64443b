/*
 * The VGA's ports: miscellaneous output, CRT controller at its colour or mono address, sequencer,
 * graphics and attribute controllers, DAC, status (IBM PS/2 Hardware Interface Technical Reference,
 * Video Subsystem).
 *
 * The status register's retrace bits follow the machine's clock and the picture's timing. Who looks
 * rarely must not miss the short moments that he waits for: a vertical retrace that went by since
 * the last look shows in the next one, and so does a horizontal one.
 *
 * Left out: the vertical retrace interrupt, light pen, the CRTC's registers above 0x18, the
 * adapter's enable ports (3C3, 46E8), EGA switches.
 */
#include "vga_device.h"

enum {
	PORT_CRTC_INDEX_MONO = 0x3b4 - VGA_PORT_BASE,
	PORT_CRTC_DATA_MONO = 0x3b5 - VGA_PORT_BASE,
	PORT_STATUS_MONO = 0x3ba - VGA_PORT_BASE,
	PORT_ATTRIBUTE = 0x3c0 - VGA_PORT_BASE,
	PORT_ATTRIBUTE_DATA = 0x3c1 - VGA_PORT_BASE,
	PORT_MISC_WRITE = 0x3c2 - VGA_PORT_BASE, /* read: input status 0 */
	PORT_SEQUENCER_INDEX = 0x3c4 - VGA_PORT_BASE,
	PORT_SEQUENCER_DATA = 0x3c5 - VGA_PORT_BASE,
	PORT_DAC_MASK = 0x3c6 - VGA_PORT_BASE,
	PORT_DAC_READ_INDEX = 0x3c7 - VGA_PORT_BASE, /* read: DAC state */
	PORT_DAC_WRITE_INDEX = 0x3c8 - VGA_PORT_BASE,
	PORT_DAC_DATA = 0x3c9 - VGA_PORT_BASE,
	PORT_FEATURE_READ = 0x3ca - VGA_PORT_BASE,
	PORT_MISC_READ = 0x3cc - VGA_PORT_BASE,
	PORT_GRAPHICS_INDEX = 0x3ce - VGA_PORT_BASE,
	PORT_GRAPHICS_DATA = 0x3cf - VGA_PORT_BASE,
	PORT_CRTC_INDEX = 0x3d4 - VGA_PORT_BASE,
	PORT_CRTC_DATA = 0x3d5 - VGA_PORT_BASE,
	PORT_STATUS = 0x3da - VGA_PORT_BASE, /* write: feature control */
};

#define NOBODY	      0xffu
#define STATUS0_SENSE 0x10 /* a monitor is there */
#define STATUS_HIDDEN 0x01 /* display disabled: horizontal or vertical */
#define STATUS_VSYNC  0x08

#define DAC_READING  3
#define DAC_BITS     0x3f
#define INDEX_BITS   0x1f
#define ATTR_PALETTE 0x10 /* registers below */

unsigned vga_lines_shown(const struct vga *v)
{
	uint8_t overflow = v->crtc[CRTC_OVERFLOW];
	return (v->crtc[CRTC_VDISPLAY_END] | (overflow & 0x02u) << 7 | (overflow & 0x40u) << 3) + 1;
}

unsigned vga_lines_total(const struct vga *v)
{
	uint8_t overflow = v->crtc[CRTC_OVERFLOW];
	return (v->crtc[CRTC_VTOTAL] | (overflow & 0x01u) << 8 | (overflow & 0x20u) << 4) + 2;
}

static unsigned vga_vsync_start(const struct vga *v)
{
	uint8_t overflow = v->crtc[CRTC_OVERFLOW];
	return v->crtc[CRTC_VRETRACE_START] | (overflow & 0x04u) << 6 | (overflow & 0x80u) << 2;
}

/* The retrace ends where the low four bits of the line are those of its end register. */
static bool vga_is_vsync(const struct vga *v, unsigned line)
{
	unsigned start = vga_vsync_start(v);
	unsigned lines = (v->crtc[CRTC_VRETRACE_END] - start) & 0x0f;
	return line >= start && line - start < (lines ? lines : 16);
}

/* Whether a vertical retrace began after the line @seen, up to @now. */
static bool vga_has_passed_vsync(const struct vga *v, uint64_t seen, uint64_t now)
{
	unsigned total = vga_lines_total(v);
	unsigned next = (unsigned)((seen + 1) % total);
	return (vga_vsync_start(v) + total - next) % total < now - seen;
}

/* How long a scan line takes. */
static uint64_t vga_line_ps(const struct vga *v)
{
	uint64_t dot_ps = (v->misc & MISC_CLOCK) == MISC_CLOCK_1 ? 35308 : 39722;
	unsigned dots = v->sequencer[SEQ_CLOCKING] & SEQ_CLOCKING_8_DOTS ? 8 : 9;
	unsigned halved = v->sequencer[SEQ_CLOCKING] & SEQ_CLOCKING_HALVED ? 2 : 1;
	return (v->crtc[CRTC_HTOTAL] + 5) * dot_ps * dots * halved;
}

/* Scan lines since the clock began; @ret_part: how far the last has come, of 1024. */
static uint64_t vga_line_now(const struct vga *v, unsigned *ret_part)
{
	/* A thousand lines are as many ns as one is ps; ps of a long uptime would not fit. */
	uint64_t ns = v->clock.monotonic_ns(v->clock.ctx);
	uint64_t line_ps = vga_line_ps(v);
	uint64_t rest_ps = ns % line_ps * 1000;
	*ret_part = (unsigned)(rest_ps % line_ps * 1024 / line_ps);
	return ns / line_ps * 1000 + rest_ps / line_ps;
}

static uint8_t vga_status_read(struct vga *v)
{
	unsigned part;
	uint64_t now = vga_line_now(v, &part);
	unsigned line = (unsigned)(now % vga_lines_total(v));
	unsigned shown_part =
		(v->crtc[CRTC_HDISPLAY_END] + 1u) * 1024 / (v->crtc[CRTC_HTOTAL] + 5u);
	uint8_t status = 0;

	v->is_attribute_data = false;
	if (line >= vga_lines_shown(v))
		status |= STATUS_HIDDEN;
	else if (now != v->seen_line)
		status |= ~v->seen_status & STATUS_HIDDEN;
	else if (part >= shown_part)
		status |= STATUS_HIDDEN;
	if (vga_is_vsync(v, line) || vga_has_passed_vsync(v, v->seen_line, now))
		status |= STATUS_VSYNC | STATUS_HIDDEN;
	v->seen_line = now;
	v->seen_status = status;
	return status;
}

static void vga_crtc_write(struct vga *v, uint8_t value)
{
	unsigned index = v->crtc_index;
	if (index >= VGA_CRTC_REGS)
		return;
	if (index <= CRTC_OVERFLOW && v->crtc[CRTC_VRETRACE_END] & CRTC_VRETRACE_PROTECT) {
		if (index == CRTC_OVERFLOW)
			v->crtc[index] = (uint8_t)((v->crtc[index] & ~CRTC_OVERFLOW_LC8) |
						   (value & CRTC_OVERFLOW_LC8));
		return;
	}
	v->crtc[index] = value;
}

/* The palette can be written only while the display does not use it. */
static void vga_attribute_write(struct vga *v, uint8_t value)
{
	unsigned index = v->attribute_index & INDEX_BITS;
	v->is_attribute_data = !v->is_attribute_data;
	if (v->is_attribute_data)
		v->attribute_index = value & (INDEX_BITS | ATTR_INDEX_SHOWN);
	else if (index < ATTR_PALETTE && !(v->attribute_index & ATTR_INDEX_SHOWN))
		v->attribute[index] = value & DAC_BITS;
	else if (index >= ATTR_PALETTE && index < VGA_ATTRIBUTE_REGS)
		v->attribute[index] = value;
}

/* The byte that the data port is at, and on to the next. */
static uint8_t *vga_dac_next(struct vga_dac *dac)
{
	uint8_t *byte = &dac->rgb[dac->index][dac->component];
	dac->component = (dac->component + 1) % 3;
	if (!dac->component)
		dac->index++;
	return byte;
}

static void vga_dac_set_index(struct vga_dac *dac, uint8_t value, bool is_for_reading)
{
	dac->index = value;
	dac->component = 0;
	dac->has_read_index = is_for_reading;
}

static bool vga_is_crtc_port(const struct vga *v, uint64_t off)
{
	return v->misc & MISC_COLOR ? off >= PORT_CRTC_INDEX : off <= PORT_STATUS_MONO;
}

static uint64_t vga_crtc_port_read(struct vga *v, uint64_t off)
{
	if (!vga_is_crtc_port(v, off))
		return NOBODY;
	switch (off) {
	case PORT_CRTC_INDEX:
	case PORT_CRTC_INDEX_MONO:
		return v->crtc_index;
	case PORT_CRTC_DATA:
	case PORT_CRTC_DATA_MONO:
		return v->crtc_index < VGA_CRTC_REGS ? v->crtc[v->crtc_index] : 0;
	case PORT_STATUS:
	case PORT_STATUS_MONO:
		return vga_status_read(v);
	default:
		return NOBODY;
	}
}

static uint64_t vga_port_read(void *ctx, uint64_t off, unsigned size)
{
	struct vga *v = ctx;
	unsigned attribute = v->attribute_index & INDEX_BITS;
	(void)size;
	switch (off) {
	case PORT_ATTRIBUTE:
		return v->attribute_index;
	case PORT_ATTRIBUTE_DATA:
		return attribute < VGA_ATTRIBUTE_REGS ? v->attribute[attribute] : 0;
	case PORT_MISC_WRITE:
		return STATUS0_SENSE;
	case PORT_SEQUENCER_INDEX:
		return v->sequencer_index;
	case PORT_SEQUENCER_DATA:
		return v->sequencer_index < VGA_SEQUENCER_REGS ? v->sequencer[v->sequencer_index]
							       : 0;
	case PORT_DAC_MASK:
		return v->dac.mask;
	case PORT_DAC_READ_INDEX:
		return v->dac.has_read_index ? DAC_READING : 0;
	case PORT_DAC_WRITE_INDEX:
		return v->dac.index;
	case PORT_DAC_DATA:
		return *vga_dac_next(&v->dac);
	case PORT_FEATURE_READ:
		return v->feature;
	case PORT_MISC_READ:
		return v->misc;
	case PORT_GRAPHICS_INDEX:
		return v->graphics_index;
	case PORT_GRAPHICS_DATA:
		return v->graphics_index < VGA_GRAPHICS_REGS ? v->graphics[v->graphics_index] : 0;
	default:
		return vga_crtc_port_read(v, off);
	}
}

static void vga_crtc_port_write(struct vga *v, uint64_t off, uint8_t value)
{
	if (!vga_is_crtc_port(v, off))
		return;
	switch (off) {
	case PORT_CRTC_INDEX:
	case PORT_CRTC_INDEX_MONO:
		v->crtc_index = value;
		break;
	case PORT_CRTC_DATA:
	case PORT_CRTC_DATA_MONO:
		vga_crtc_write(v, value);
		break;
	case PORT_STATUS:
	case PORT_STATUS_MONO:
		v->feature = value;
		break;
	default:
		break;
	}
}

static void vga_port_write(void *ctx, uint64_t off, unsigned size, uint64_t wide)
{
	struct vga *v = ctx;
	uint8_t value = (uint8_t)wide;
	(void)size;
	switch (off) {
	case PORT_ATTRIBUTE:
		vga_attribute_write(v, value);
		break;
	case PORT_MISC_WRITE:
		v->misc = value;
		break;
	case PORT_SEQUENCER_INDEX:
		v->sequencer_index = value;
		break;
	case PORT_SEQUENCER_DATA:
		if (v->sequencer_index < VGA_SEQUENCER_REGS)
			v->sequencer[v->sequencer_index] = value;
		break;
	case PORT_DAC_MASK:
		v->dac.mask = value;
		break;
	case PORT_DAC_READ_INDEX:
		vga_dac_set_index(&v->dac, value, true);
		break;
	case PORT_DAC_WRITE_INDEX:
		vga_dac_set_index(&v->dac, value, false);
		break;
	case PORT_DAC_DATA:
		*vga_dac_next(&v->dac) = value & DAC_BITS;
		break;
	case PORT_GRAPHICS_INDEX:
		v->graphics_index = value;
		break;
	case PORT_GRAPHICS_DATA:
		if (v->graphics_index < VGA_GRAPHICS_REGS)
			v->graphics[v->graphics_index] = value;
		break;
	default:
		vga_crtc_port_write(v, off, value);
		break;
	}
	vga_window_update(v);
}

const struct bus_ops vga_port_bus_ops = {
	.sizes = BUS_SIZE_1,
	.read = vga_port_read,
	.write = vga_port_write,
};
