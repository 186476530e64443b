/*
 * The VGA's 256 KiB as the processor sees them: four planes behind latches, write modes 0 to 3,
 * read modes 0 and 1, odd/even and chain-4 addressing, map select (IBM PS/2 Hardware Interface
 * Technical Reference, Video Subsystem, Graphics Controller).
 *
 * And the text window: colour text, addressed plainly, need not pass through here. While it is
 * mapped its bytes are in guest memory; reading them then leaves the latches alone, which nobody
 * misses in the only write mode in which it is mapped.
 *
 * Left out: the page bit of odd/even addressing (miscellaneous output register, bit 5).
 */
#include "vga_device.h"

#define ALL_PLANES  0x0fu
#define EVEN_PLANES 0x05u
#define ODD_PLANES  0x0au
#define ALL_ONES    0xffu

#define TEXT_PIECE 1024u

/* One byte in each place where @planes has a bit. */
static uint32_t vga_spread(uint32_t planes)
{
	return ((planes & 1) | (planes & 2) << 7 | (planes & 4) << 14 | (planes & 8) << 21) * 0xff;
}

static uint32_t vga_repeat(uint8_t byte)
{
	return byte * 0x01010101u;
}

/* Where the window begins and how long it is, for each memory map (graphics register 6). */
static bool vga_decode(const struct vga *v, uint64_t off, uint32_t *ret_off)
{
	static const struct {
		uint32_t base, size;
	} map[4] = {{0, 0x20000}, {0, 0x10000}, {0x10000, 0x8000}, {0x18000, 0x8000}};
	unsigned m = v->graphics[GFX_MISC] >> 2 & 3;

	if (!(v->misc & MISC_MEMORY) || off < map[m].base || off - map[m].base >= map[m].size)
		return false;
	*ret_off = (uint32_t)(off - map[m].base);
	return true;
}

/* Read mode 1: a bit for each dot that has the colour asked for in the planes that matter. */
static uint8_t vga_compare(const struct vga *v)
{
	uint32_t care = vga_spread(v->graphics[GFX_CARE]);
	uint32_t differs = (v->latch ^ vga_spread(v->graphics[GFX_COMPARE])) & care;
	return (uint8_t) ~(differs | differs >> 8 | differs >> 16 | differs >> 24);
}

static uint8_t vga_read8(struct vga *v, uint32_t off)
{
	unsigned plane = v->graphics[GFX_READ_MAP] & 3;
	if (v->sequencer[SEQ_MEMORY] & SEQ_MEMORY_CHAIN4) {
		plane = off & 3;
		off &= ~3u;
	} else if (v->graphics[GFX_MODE] & GFX_MODE_ODDEVEN) {
		plane = (plane & 2) | (off & 1);
		off &= ~1u;
	}
	v->latch = v->memory[off % VGA_PLANE_SIZE];
	if (v->graphics[GFX_MODE] & GFX_MODE_COMPARE)
		return vga_compare(v);
	return (uint8_t)(v->latch >> 8 * plane);
}

/* What the four planes get for the processor's @byte, in their write mode. */
static uint32_t vga_compose(const struct vga *v, uint8_t byte)
{
	unsigned mode = v->graphics[GFX_MODE] & GFX_MODE_WRITE;
	if (mode == 1)
		return v->latch;

	uint8_t mask = v->graphics[GFX_BIT_MASK];
	unsigned rotate = v->graphics[GFX_ROTATE] & 7;
	uint8_t rotated = (uint8_t)(byte >> rotate | byte << (8 - rotate));
	uint32_t set = vga_spread(v->graphics[GFX_SET_RESET]);
	uint32_t data;
	if (mode == 2) {
		data = vga_spread(byte);
	} else if (mode == 3) {
		data = set;
		mask &= rotated;
	} else {
		uint32_t is_set = vga_spread(v->graphics[GFX_SET_RESET_ENABLE]);
		data = (vga_repeat(rotated) & ~is_set) | (set & is_set);
	}

	switch (v->graphics[GFX_ROTATE] >> 3 & 3) {
	case 1:
		data &= v->latch;
		break;
	case 2:
		data |= v->latch;
		break;
	case 3:
		data ^= v->latch;
		break;
	default:
		break;
	}
	uint32_t bits = vga_repeat(mask);
	return (data & bits) | (v->latch & ~bits);
}

static void vga_write8(struct vga *v, uint32_t off, uint8_t byte)
{
	unsigned planes = v->sequencer[SEQ_MAP_MASK] & ALL_PLANES;
	if (v->sequencer[SEQ_MEMORY] & SEQ_MEMORY_CHAIN4) {
		planes &= 1u << (off & 3);
		off &= ~3u;
	} else if (!(v->sequencer[SEQ_MEMORY] & SEQ_MEMORY_NO_ODDEVEN)) {
		planes &= off & 1 ? ODD_PLANES : EVEN_PLANES;
		off &= ~1u;
	}
	uint32_t bytes = vga_spread(planes);
	uint32_t *word = &v->memory[off % VGA_PLANE_SIZE];
	*word = (vga_compose(v, byte) & bytes) | (*word & ~bytes);
}

/*
 * The text window's bytes are the planes 0 and 1 at even addresses, in turns. Either way they go in
 * pieces, which take less of a stack.
 */
void vga_window_pull(struct vga *v)
{
	uint8_t text[TEXT_PIECE];
	for (unsigned at = 0; v->is_mapped && at < VGA_TEXT_SIZE; at += TEXT_PIECE) {
		uint32_t *word = &v->memory[at];
		if (gmem_read(v->gm, VGA_TEXT_BASE + at, text, sizeof(text)) != 0)
			return;
		for (unsigned i = 0; i < TEXT_PIECE; i += 2)
			word[i] = (word[i] & 0xffff0000u) | (uint32_t)text[i + 1] << 8 | text[i];
	}
}

static int vga_window_push(const struct vga *v)
{
	uint8_t text[TEXT_PIECE];
	int rc = 0;
	for (unsigned at = 0; rc == 0 && at < VGA_TEXT_SIZE; at += TEXT_PIECE) {
		const uint32_t *word = &v->memory[at];
		for (unsigned i = 0; i < TEXT_PIECE; i += 2) {
			text[i] = (uint8_t)word[i];
			text[i + 1] = (uint8_t)(word[i] >> 8);
		}
		rc = gmem_write(v->gm, VGA_TEXT_BASE + at, text, sizeof(text));
	}
	return rc;
}

/* Whether a store to the window does to the planes what it would do to memory. */
static bool vga_window_is_plain(const struct vga *v)
{
	const uint8_t *g = v->graphics;
	return (v->misc & MISC_MEMORY) && (g[GFX_MISC] >> 2 & 3) == 3 &&
	       !(v->sequencer[SEQ_MEMORY] & (SEQ_MEMORY_CHAIN4 | SEQ_MEMORY_NO_ODDEVEN)) &&
	       (v->sequencer[SEQ_MAP_MASK] & ALL_PLANES) == 3 &&
	       (g[GFX_MODE] & (GFX_MODE_ODDEVEN | GFX_MODE_COMPARE | GFX_MODE_WRITE)) ==
		       GFX_MODE_ODDEVEN &&
	       !(g[GFX_READ_MAP] & 2) && !(g[GFX_SET_RESET_ENABLE] & 3) &&
	       !(g[GFX_ROTATE] & 0x1f) && g[GFX_BIT_MASK] == ALL_ONES;
}

void vga_window_unmap(struct vga *v)
{
	if (!v->is_mapped)
		return;
	v->window.map(v->window.ctx, false);
	vga_window_pull(v);
	v->is_mapped = false;
}

void vga_window_update(struct vga *v)
{
	bool is_plain = v->window.map && vga_window_is_plain(v);
	if (!is_plain) {
		vga_window_unmap(v);
	} else if (!v->is_mapped && vga_window_push(v) == 0) {
		v->is_mapped = true;
		v->window.map(v->window.ctx, true);
	}
}

static uint8_t vga_load(struct vga *v, uint64_t off)
{
	uint32_t at;
	return vga_decode(v, off, &at) ? vga_read8(v, at) : ALL_ONES;
}

static void vga_store(struct vga *v, uint64_t off, uint8_t byte)
{
	uint32_t at;
	if (vga_decode(v, off, &at))
		vga_write8(v, at, byte);
}

/* Of the mapped window: who comes through here all the same is the BIOS. */
static bool vga_window_has(const struct vga *v, uint64_t off, unsigned size, gpa_t *ret_gpa)
{
	uint32_t at;
	if (!v->is_mapped || !vga_decode(v, off, &at) || at + size > VGA_TEXT_SIZE)
		return false;
	*ret_gpa = VGA_TEXT_BASE + at;
	return true;
}

static uint64_t vga_memory_read(void *ctx, uint64_t off, unsigned size)
{
	struct vga *v = ctx;
	gpa_t gpa;
	uint8_t bytes[8];
	uint64_t value = 0;
	bool is_guest =
		vga_window_has(v, off, size, &gpa) && gmem_read(v->gm, gpa, bytes, size) == 0;
	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)(is_guest ? bytes[i] : vga_load(v, off + i)) << 8 * i;
	return value;
}

static void vga_memory_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	struct vga *v = ctx;
	gpa_t gpa;
	uint8_t bytes[8];
	for (unsigned i = 0; i < size; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
	if (vga_window_has(v, off, size, &gpa) && gmem_write(v->gm, gpa, bytes, size) == 0)
		return;
	for (unsigned i = 0; i < size; i++)
		vga_store(v, off + i, bytes[i]);
	/* Mapped here first, not as it is created: now there is a board that is ready. */
	if (!v->is_mapped)
		vga_window_update(v);
}

const struct bus_ops vga_memory_bus_ops = {
	.sizes = BUS_SIZE_ANY,
	.read = vga_memory_read,
	.write = vga_memory_write,
};
