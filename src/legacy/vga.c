/*
 * IBM VGA: the device; its ports, memory, modes and picture are in the files next to this one.
 *
 * It begins in text mode 3 with the palette and the font that a BIOS would have loaded, so that a
 * kernel which is started without one has a screen.
 */
#include "vga_device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/state.h>

#define FIRST_MODE 3

/* Memory is saved in pieces of a plane, those that are all zero left out. */
#define PIECE_SIZE 4096u

#define FONT_STRIDE 32u
#define BLANK	    0x0720u

static void vga_reset(struct device *dev)
{
	struct vga *v = (struct vga *)dev;
	const struct vga_mode *mode = vga_mode(FIRST_MODE);

	vga_window_unmap(v);
	v->misc = mode->misc;
	v->feature = 0;
	v->crtc_index = v->sequencer_index = v->graphics_index = 0;
	v->attribute_index = ATTR_INDEX_SHOWN;
	v->is_attribute_data = false;
	memcpy(v->crtc, mode->crtc, sizeof(v->crtc));
	memcpy(v->sequencer, mode->sequencer, sizeof(v->sequencer));
	memcpy(v->graphics, mode->graphics, sizeof(v->graphics));
	memcpy(v->attribute, mode->attribute, sizeof(v->attribute));
	v->dac = (struct vga_dac){.mask = 0xff};
	vga_mode_dac(mode, v->dac.rgb);
	v->seen_line = 0;
	v->seen_status = 0;

	v->latch = 0;
	memset(v->memory, 0, sizeof(v->memory));
	for (unsigned i = 0; i < mode->page_size; i += 2)
		v->memory[i] = BLANK;
	const struct vga_font *font = &vga_font_8x16;
	for (unsigned i = 0; i < 256 * font->height; i++)
		v->memory[i / font->height * FONT_STRIDE + i % font->height] |=
			(uint32_t)font->glyph[i] << 16;
}

/* A plane's bytes from @at on; @has_bytes: when saving, whether there is anything but zeros. */
static void vga_state_piece(struct vga *v, struct state *st, unsigned plane, uint32_t at,
			    bool has_bytes)
{
	uint8_t piece[PIECE_SIZE];

	state_bool(st, "has bytes", &has_bytes);
	if (!has_bytes)
		return;
	for (uint32_t i = 0; i < PIECE_SIZE; i++)
		piece[i] = (uint8_t)(v->memory[at + i] >> 8 * plane);
	state_bytes(st, "memory", piece, sizeof(piece));
	if (!state_is_loading(st))
		return;
	for (uint32_t i = 0; i < PIECE_SIZE; i++)
		v->memory[at + i] |= (uint32_t)piece[i] << 8 * plane;
}

static void vga_state_memory(struct vga *v, struct state *st)
{
	if (state_is_loading(st))
		memset(v->memory, 0, sizeof(v->memory));
	for (uint32_t at = 0; at < VGA_PLANE_SIZE; at += PIECE_SIZE) {
		uint32_t used = 0;
		for (uint32_t i = 0; i < PIECE_SIZE; i++)
			used |= v->memory[at + i];
		for (unsigned plane = 0; plane < VGA_PLANES; plane++)
			vga_state_piece(v, st, plane, at, (used >> 8 * plane & 0xff) != 0);
	}
}

static void vga_state(struct device *dev, struct state *st)
{
	struct vga *v = (struct vga *)dev;

	/* Saved with the text that is in guest memory; loaded where it goes there again later. */
	if (state_is_loading(st))
		vga_window_unmap(v);
	else
		vga_window_pull(v);

	state_u8(st, "MISC", &v->misc);
	state_u8(st, "FCR", &v->feature);
	state_u8(st, "CRX", &v->crtc_index);
	state_u8(st, "SRX", &v->sequencer_index);
	state_u8(st, "GRX", &v->graphics_index);
	state_u8(st, "ARX", &v->attribute_index);
	state_bool(st, "flip-flop", &v->is_attribute_data);
	state_bytes(st, "CR", v->crtc, sizeof(v->crtc));
	state_bytes(st, "SR", v->sequencer, sizeof(v->sequencer));
	state_bytes(st, "GR", v->graphics, sizeof(v->graphics));
	state_bytes(st, "AR", v->attribute, sizeof(v->attribute));
	state_bytes(st, "DAC", v->dac.rgb, sizeof(v->dac.rgb));
	state_u8(st, "DAC mask", &v->dac.mask);
	state_u8(st, "DAC index", &v->dac.index);
	state_u8(st, "DAC component", &v->dac.component);
	state_bool(st, "DAC reading", &v->dac.has_read_index);
	state_u32(st, "latches", &v->latch);
	vga_state_memory(v, st);
	if (state_is_loading(st)) {
		v->dac.component %= 3;
		/* Another machine's clock. */
		v->seen_line = 0;
		v->seen_status = 0;
	}
}

static void vga_destroy(struct device *dev)
{
	free(dev);
}

static const struct device_ops vga_ops = {
	.type = "VGA",
	.version = 1,
	.reset = vga_reset,
	.state = vga_state,
	.destroy = vga_destroy,
};

int vga_create(struct device **ret_dev, struct gmem *gm, struct clock clock,
	       struct vga_window window)
{
	struct vga *v = calloc(1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	device_init(&v->dev, &vga_ops, "vga");
	v->gm = gm;
	v->clock = clock;
	v->window = window;
	vga_reset(&v->dev);
	*ret_dev = &v->dev;
	return 0;
}
