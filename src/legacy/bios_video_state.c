/*
 * INT 10h: what there is and how it stands: AH=12h (alternate select), 1Ah (display combination),
 * 1Bh (functionality and state), 1Ch (save and restore; the buffer's layout is this BIOS's own).
 */
#include "bios_video.h"

#include <string.h>

#define SEQ_CLOCKING 1
#define SEQ_BLANK    0x20
#define CRTC_PROTECT 0x11
#define ATTR_MODE    0x10
#define MISC_MEMORY  0x02

#define STATE_SIZE	64
#define STATE_SCREEN	0x04 /* as at 40:49h */
#define SCREEN_BYTES	30
#define STATE_ROWS	0x22
#define STATE_HEIGHT	0x23
#define STATE_DISPLAY	0x25
#define STATE_COLORS	0x27
#define STATE_PAGES	0x29
#define STATE_LINES	0x2a
#define STATE_MISC	0x2d
#define STATE_MEMORY	0x31
#define LINES_200	0
#define LINES_350	1
#define LINES_400	2
#define LINES_480	3
#define MEMORY_256K	3
#define STATE_MISC_ALL	0x01 /* all modes on all displays */
#define STATE_MISC_GRAY 0x02

#define SAVE_BLOCK	64
#define SAVE_HARDWARE	0x01
#define SAVE_DATA	0x02
#define SAVE_DAC	0x04
#define HARDWARE_BLOCKS 1
#define DATA_BLOCKS	1
#define DAC_BLOCKS	13

/* Registers of each group: sequencer, CRTC, graphics, attribute. */
#define SEQUENCER_REGS 5
#define CRTC_REGS      25
#define GRAPHICS_REGS  9
#define ATTRIBUTE_REGS 21

/* What SAVE_DATA keeps of memory. */
static const struct {
	gpa_t at;
	uint8_t len;
} video_data[] = {
	{BDA_VIDEO_MODE, SCREEN_BYTES}, {BDA_VIDEO_ROWS, 7}, {BDA_VIDEO_SAVE_TABLE, 4},
	{VECTOR_FONT_8X8_TOP, 4},	{VECTOR_FONT, 4},
};

static void video_change_flags(const struct video *v, uint8_t clear, uint8_t set)
{
	uint8_t flags = bios_peek8(v->b, BDA_VIDEO_FLAGS) & (uint8_t)~clear;
	bios_poke8(v->b, BDA_VIDEO_FLAGS, flags | set);
}

/* Scan lines of text modes, from the next mode on. */
static bool video_select_lines(const struct video *v, uint8_t which)
{
	static const uint8_t flags[3] = {VIDEO_FLAGS_200, 0, VIDEO_FLAGS_400};
	if (which > 2)
		return false;
	video_change_flags(v, VIDEO_FLAGS_200 | VIDEO_FLAGS_400, flags[which]);
	return true;
}

static void video_select_memory(const struct video *v, bool is_off)
{
	uint8_t misc = bios_in8(v->b, PORT_MISC_READ) & (uint8_t)~MISC_MEMORY;
	bios_out8(v->b, PORT_MISC, misc | (is_off ? 0 : MISC_MEMORY));
}

static void video_select_emulation(const struct video *v, bool is_off)
{
	uint8_t control = bios_peek8(v->b, BDA_VIDEO_CONTROL);
	control &= (uint8_t)~VIDEO_CONTROL_NO_CURSOR_EMULATION;
	bios_poke8(v->b, BDA_VIDEO_CONTROL,
		   control | (is_off ? VIDEO_CONTROL_NO_CURSOR_EMULATION : 0));
}

static void video_select_refresh(const struct video *v, bool is_off)
{
	uint8_t clocking = video_get_register(v->b, PORT_SEQUENCER, SEQ_CLOCKING);
	clocking &= (uint8_t)~SEQ_BLANK;
	video_set(v->b, PORT_SEQUENCER, SEQ_CLOCKING, clocking | (is_off ? SEQ_BLANK : 0));
}

void video_select(const struct video *v, struct bios_frame *f)
{
	uint8_t al = bios_low(f->eax);
	bool is_off = al & 1, is_known = al < 2;
	if (bios_low(f->ebx) == 0x10) {
		uint8_t switches = bios_peek8(v->b, BDA_VIDEO_SWITCHES);
		bios_set_word(&f->ebx, (uint16_t)((v->crtc_port == PORT_CRTC_MONO) << 8 | 3));
		bios_set_word(&f->ecx, (uint16_t)((switches & 0xf0) << 4 | (switches & 0x0f)));
		return;
	}
	if (bios_low(f->ebx) == 0x30)
		is_known = video_select_lines(v, al);
	else if (!is_known)
		return;
	switch (bios_low(f->ebx)) {
	case 0x30:
		break;
	case 0x31:
		video_change_flags(v, VIDEO_FLAGS_NO_PALETTE, is_off ? VIDEO_FLAGS_NO_PALETTE : 0);
		break;
	case 0x32:
		video_select_memory(v, is_off);
		break;
	case 0x33:
		video_change_flags(v, VIDEO_FLAGS_GRAY, is_off ? 0 : VIDEO_FLAGS_GRAY);
		break;
	case 0x34:
		video_select_emulation(v, is_off);
		break;
	case 0x36:
		video_select_refresh(v, is_off);
		break;
	default:
		return;
	}
	if (is_known)
		bios_set_low(&f->eax, 0x12);
}

static unsigned video_colors(const struct video *v)
{
	switch (v->mode->number) {
	case 0x07:
	case 0x0f:
		return 0;
	case 0x06:
	case 0x11:
		return 2;
	case 0x04:
	case 0x05:
		return 4;
	case 0x13:
		return 256;
	default:
		return 16;
	}
}

static uint8_t video_lines_code(const struct video *v)
{
	unsigned flags = bios_peek8(v->b, BDA_VIDEO_FLAGS);
	if (v->kind == VIDEO_TEXT && flags & VIDEO_FLAGS_400)
		return LINES_400;
	if (v->kind == VIDEO_TEXT)
		return flags & VIDEO_FLAGS_200 ? LINES_200 : LINES_350;
	unsigned lines = video_dots_high(v);
	if (lines == 480)
		return LINES_480;
	return lines == 350 ? LINES_350 : LINES_200;
}

static uint8_t video_pages(const struct video *v)
{
	unsigned memory = v->kind == VIDEO_PLANAR ? 0x10000 : 0x8000;
	unsigned pages = v->page_size && v->kind != VIDEO_CGA ? memory / v->page_size : 1;
	if (pages > VIDEO_PAGES)
		return VIDEO_PAGES;
	return (uint8_t)(pages ? pages : 1);
}

static void video_tell_state(const struct video *v, gpa_t to)
{
	uint8_t state[STATE_SIZE] = {(uint8_t)VIDEO_ROM_STATIC, (uint8_t)(VIDEO_ROM_STATIC >> 8),
				     (uint8_t)VIDEO_ROM_SEGMENT, (uint8_t)(VIDEO_ROM_SEGMENT >> 8)};
	unsigned colors = video_colors(v);
	bios_copy_in(v->b, state + STATE_SCREEN, BDA_VIDEO_MODE, SCREEN_BYTES);
	state[STATE_ROWS] = (uint8_t)v->rows;
	state[STATE_HEIGHT] = (uint8_t)v->glyph_height;
	state[STATE_DISPLAY] = bios_peek8(v->b, BDA_VIDEO_DISPLAY);
	state[STATE_COLORS] = (uint8_t)colors;
	state[STATE_COLORS + 1] = (uint8_t)(colors >> 8);
	state[STATE_PAGES] = video_pages(v);
	state[STATE_LINES] = video_lines_code(v);
	/* The control and flags bytes, as this table has them. */
	uint8_t flags = bios_peek8(v->b, BDA_VIDEO_FLAGS);
	state[STATE_MISC] = STATE_MISC_ALL | (flags & VIDEO_FLAGS_GRAY ? STATE_MISC_GRAY : 0) |
			    (flags & VIDEO_FLAGS_NO_PALETTE ? 0x08 : 0);
	if (!(bios_peek8(v->b, BDA_VIDEO_CONTROL) & VIDEO_CONTROL_NO_CURSOR_EMULATION))
		state[STATE_MISC] |= 0x10;
	if (video_get_attribute(v, ATTR_MODE) & 0x08)
		state[STATE_MISC] |= 0x20;
	state[STATE_MEMORY] = MEMORY_256K;
	bios_copy_out(v->b, to, state, sizeof(state));
}

static void video_save_group(const struct video *v, uint8_t **at, uint16_t port, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		*(*at)++ = video_get_register(v->b, port, (uint8_t)i);
}

static void video_restore_group(const struct video *v, const uint8_t **at, uint16_t port,
				unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		video_set(v->b, port, (uint8_t)i, *(*at)++);
}

static void video_save_hardware(const struct video *v, gpa_t to)
{
	uint8_t block[SAVE_BLOCK] = {0}, *at = block;
	*at++ = bios_in8(v->b, PORT_MISC_READ);
	video_save_group(v, &at, PORT_SEQUENCER, SEQUENCER_REGS);
	video_save_group(v, &at, v->crtc_port, CRTC_REGS);
	video_save_group(v, &at, PORT_GRAPHICS, GRAPHICS_REGS);
	for (unsigned i = 0; i < ATTRIBUTE_REGS; i++)
		*at++ = video_get_attribute(v, (uint8_t)i);
	bios_copy_out(v->b, to, block, sizeof(block));
}

static void video_restore_hardware(const struct video *v, gpa_t from)
{
	uint8_t block[SAVE_BLOCK];
	const uint8_t *at = block;
	bios_copy_in(v->b, block, from, sizeof(block));
	struct video then = *v;
	then.crtc_port = *at & 1 ? PORT_CRTC_COLOR : PORT_CRTC_MONO;
	bios_out8(v->b, PORT_MISC, *at++);
	video_restore_group(v, &at, PORT_SEQUENCER, SEQUENCER_REGS);
	video_set(v->b, then.crtc_port, CRTC_PROTECT, 0);
	video_restore_group(v, &at, then.crtc_port, CRTC_REGS);
	video_restore_group(v, &at, PORT_GRAPHICS, GRAPHICS_REGS);
	for (unsigned i = 0; i < ATTRIBUTE_REGS; i++)
		video_set_attribute(&then, (uint8_t)i, *at++);
}

static void video_move_data(const struct video *v, gpa_t buffer, bool is_save)
{
	uint8_t piece[SAVE_BLOCK];
	for (unsigned i = 0; i < sizeof(video_data) / sizeof(video_data[0]); i++) {
		gpa_t at = video_data[i].at;
		bios_copy_in(v->b, piece, is_save ? at : buffer, video_data[i].len);
		bios_copy_out(v->b, is_save ? buffer : at, piece, video_data[i].len);
		buffer += video_data[i].len;
	}
}

static void video_move_dac(const struct video *v, gpa_t buffer, bool is_save)
{
	uint8_t dac[1 + 256 * 3];
	if (is_save) {
		dac[0] = bios_in8(v->b, PORT_DAC_MASK);
		bios_out8(v->b, PORT_DAC_READ, 0);
		for (unsigned i = 1; i < sizeof(dac); i++)
			dac[i] = bios_in8(v->b, PORT_DAC_DATA);
		bios_copy_out(v->b, buffer, dac, sizeof(dac));
		return;
	}
	bios_copy_in(v->b, dac, buffer, sizeof(dac));
	bios_out8(v->b, PORT_DAC_MASK, dac[0]);
	bios_out8(v->b, PORT_DAC_WRITE, 0);
	for (unsigned i = 1; i < sizeof(dac); i++)
		bios_out8(v->b, PORT_DAC_DATA, dac[i]);
}

static void video_save_restore(const struct video *v, struct bios_frame *f)
{
	unsigned what = f->ecx & 7, blocks = 0;
	bool is_query = bios_low(f->eax) == 0, is_save = bios_low(f->eax) == 1;
	gpa_t buffer = bios_gpa(f->es, bios_word(f->ebx));
	if (bios_low(f->eax) > 2)
		return;
	if (what & SAVE_HARDWARE) {
		if (is_save)
			video_save_hardware(v, buffer);
		else if (!is_query)
			video_restore_hardware(v, buffer);
		blocks += HARDWARE_BLOCKS;
	}
	if (what & SAVE_DATA) {
		if (!is_query)
			video_move_data(v, buffer + blocks * SAVE_BLOCK, is_save);
		blocks += DATA_BLOCKS;
	}
	if (what & SAVE_DAC) {
		if (!is_query)
			video_move_dac(v, buffer + blocks * SAVE_BLOCK, is_save);
		blocks += DAC_BLOCKS;
	}
	if (is_query)
		bios_set_word(&f->ebx, (uint16_t)blocks);
	bios_set_low(&f->eax, 0x1c);
}

void video_state(const struct video *v, struct bios_frame *f)
{
	switch (bios_high(f->eax)) {
	case 0x1a:
		if (bios_low(f->eax) == 0)
			bios_set_word(&f->ebx, bios_peek8(v->b, BDA_VIDEO_DISPLAY));
		else if (bios_low(f->eax) == 1)
			bios_poke8(v->b, BDA_VIDEO_DISPLAY, bios_low(f->ebx));
		else
			return;
		bios_set_low(&f->eax, 0x1a);
		break;
	case 0x1b:
		if (bios_word(f->ebx) != 0)
			return;
		video_tell_state(v, bios_gpa(f->es, bios_word(f->edi)));
		bios_set_low(&f->eax, 0x1b);
		break;
	default:
		video_save_restore(v, f);
		break;
	}
}
