/*
 * The BIOS as a device: one port, through which the ROM's stubs say what is to be served, and the
 * guest memory and ports that services reach.
 *
 * A call is found by the physical address of its stack, so a caller in virtual-8086 mode whose
 * stack is mapped elsewhere (upper memory blocks) is not served. Frames, like buffers, are copied
 * in and out; a frame that is not all RAM is not served either.
 */
#include "bios_device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/log.h>
#include <tinyvm/state.h>
#include <tinyvm/vga.h>

#define PAGE_SIZE    4096u
#define VGA_END	     (VGA_MEMORY_BASE + VGA_MEMORY_SIZE)
#define ROM_END	     (BIOS_ROM_BASE + BIOS_ROM_SIZE)
#define CMOS_INDEX   0x70
#define CMOS_DATA    0x71
#define CMOS_NMI_OFF 0x80

const struct bios_config *bios_cfg(const struct bios *b)
{
	return &b->cfg;
}

bool bios_wait_is_over(struct bios *b, uint64_t ns)
{
	uint64_t now_ns = b->cfg.clock.monotonic_ns(b->cfg.clock.ctx);
	if (b->wait_frame != b->frame) {
		b->wait_frame = b->frame;
		b->wait_until_ns = now_ns + ns;
	}
	if (now_ns < b->wait_until_ns)
		return false;
	bios_wait_end(b);
	return true;
}

void bios_wait_end(struct bios *b)
{
	b->wait_frame = 0;
}

/* What a processor would find at an address. */
static bool bios_is_vga(gpa_t gpa)
{
	return gpa >= VGA_MEMORY_BASE && gpa < VGA_END;
}

static bool bios_is_rom(gpa_t gpa)
{
	return (gpa >= BIOS_ROM_BASE && gpa < ROM_END) ||
	       (gpa >= BIOS_VIDEO_ROM_BASE && gpa < BIOS_VIDEO_ROM_BASE + BIOS_VIDEO_ROM_SIZE);
}

/* How much of @len lies in @gpa's page: that has one kind of memory. */
static size_t bios_piece(gpa_t gpa, size_t len)
{
	size_t left = PAGE_SIZE - gpa % PAGE_SIZE;
	return len < left ? len : left;
}

void bios_copy_in(struct bios *b, void *buf, gpa_t gpa, size_t len)
{
	uint8_t *to = buf;
	for (size_t n; len; to += n, gpa += n, len -= n) {
		n = bios_piece(gpa, len);
		if (!bios_is_vga(gpa)) {
			if (gmem_read(b->cfg.gm, gpa, to, n) != 0)
				memset(to, 0xff, n);
			continue;
		}
		for (size_t i = 0, size; i < n; i += size) {
			size = n - i < 8 ? 1 : 8;
			bus_read(b->cfg.mmio, gpa + i, to + i, (unsigned)size);
		}
	}
}

void bios_copy_out(struct bios *b, gpa_t gpa, const void *buf, size_t len)
{
	const uint8_t *from = buf;
	for (size_t n; len; from += n, gpa += n, len -= n) {
		n = bios_piece(gpa, len);
		if (bios_is_rom(gpa) && !b->is_powering_on)
			continue;
		if (!bios_is_vga(gpa)) {
			/* What is not RAM swallows it. */
			(void)!gmem_write(b->cfg.gm, gpa, from, n);
			continue;
		}
		for (size_t i = 0, size; i < n; i += size) {
			size = n - i < 8 ? 1 : 8;
			bus_write(b->cfg.mmio, gpa + i, from + i, (unsigned)size);
		}
	}
}

uint8_t bios_peek8(struct bios *b, gpa_t gpa)
{
	uint8_t value;
	bios_copy_in(b, &value, gpa, sizeof(value));
	return value;
}

uint16_t bios_peek16(struct bios *b, gpa_t gpa)
{
	uint8_t v[2];
	bios_copy_in(b, v, gpa, sizeof(v));
	return (uint16_t)(v[0] | v[1] << 8);
}

uint32_t bios_peek32(struct bios *b, gpa_t gpa)
{
	uint8_t v[4];
	bios_copy_in(b, v, gpa, sizeof(v));
	return v[0] | (uint32_t)v[1] << 8 | (uint32_t)v[2] << 16 | (uint32_t)v[3] << 24;
}

void bios_poke8(struct bios *b, gpa_t gpa, uint8_t value)
{
	bios_copy_out(b, gpa, &value, sizeof(value));
}

void bios_poke16(struct bios *b, gpa_t gpa, uint16_t value)
{
	const uint8_t v[2] = {(uint8_t)value, (uint8_t)(value >> 8)};
	bios_copy_out(b, gpa, v, sizeof(v));
}

void bios_poke32(struct bios *b, gpa_t gpa, uint32_t value)
{
	const uint8_t v[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
			      (uint8_t)(value >> 24)};
	bios_copy_out(b, gpa, v, sizeof(v));
}

/* The BIOS's own port is not among those it reaches: whom it calls may not call it. */
static bool bios_is_own_port(uint16_t port)
{
	return port >= BIOS_PORT_BASE && port < BIOS_PORT_BASE + BIOS_PORTS;
}

uint8_t bios_in8(struct bios *b, uint16_t port)
{
	uint8_t value = 0xff;
	if (!bios_is_own_port(port))
		bus_read(b->cfg.pio, port, &value, 1);
	return value;
}

void bios_out8(struct bios *b, uint16_t port, uint8_t value)
{
	if (!bios_is_own_port(port))
		bus_write(b->cfg.pio, port, &value, 1);
}

uint32_t bios_in32(struct bios *b, uint16_t port)
{
	uint8_t v[4];
	bus_read(b->cfg.pio, port, v, sizeof(v));
	return v[0] | (uint32_t)v[1] << 8 | (uint32_t)v[2] << 16 | (uint32_t)v[3] << 24;
}

void bios_out32(struct bios *b, uint16_t port, uint32_t value)
{
	const uint8_t v[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
			      (uint8_t)(value >> 24)};
	bus_write(b->cfg.pio, port, v, sizeof(v));
}

uint8_t bios_cmos_read(struct bios *b, uint8_t index)
{
	bios_out8(b, CMOS_INDEX, index | CMOS_NMI_OFF);
	uint8_t value = bios_in8(b, CMOS_DATA);
	bios_out8(b, CMOS_INDEX, 0x0d);
	return value;
}

void bios_cmos_write(struct bios *b, uint8_t index, uint8_t value)
{
	bios_out8(b, CMOS_INDEX, index | CMOS_NMI_OFF);
	bios_out8(b, CMOS_DATA, value);
	bios_out8(b, CMOS_INDEX, 0x0d);
}

/* Return: the frame's result. */
static unsigned bios_serve(struct bios *b, unsigned service, struct bios_frame *f)
{
	switch (service) {
	case 0x08:
		return bios_tick(b, f);
	case 0x09:
		return bios_keystroke(b, f);
	case 0x0e:
		return bios_floppy_irq(b, f);
	case 0x10:
		return bios_video(b, f);
	case 0x11: /* equipment */
		bios_set_word(&f->eax, bios_peek16(b, BDA(0x10)));
		return BIOS_DONE;
	case 0x12: /* KiB below 640 */
		bios_set_word(&f->eax, bios_peek16(b, BDA(0x13)));
		return BIOS_DONE;
	case 0x13:
		return bios_disk(b, f);
	case 0x14:
		return bios_serial(b, f);
	case 0x15:
		return bios_system(b, f);
	case 0x16:
		return bios_keyboard(b, f);
	case 0x17:
		return bios_printer(b, f);
	case 0x18:
	case 0x19:
		return bios_boot(b, f, service == 0x18);
	case 0x1a:
		return bios_time(b, f);
	case 0x70:
		return bios_clock_irq(b, f);
	case 0x74:
		return bios_mouse_irq(b, f);
	case 0x76:
		return bios_disk_irq(b, f);
	case BIOS_CALL_POST:
		b->is_powering_on = true;
		bios_post(b);
		b->is_powering_on = false;
		return BIOS_DONE;
	default:
		return BIOS_DONE;
	}
}

/*
 * A call begins where another has not ended: who called that has thrown its stack away (an
 * interrupt's handler may). What it waited for is not for this one.
 */
static void bios_forget(struct bios *b, gpa_t frame)
{
	if (b->wait_frame == frame)
		b->wait_frame = 0;
	if (b->mouse.frame == frame)
		b->mouse.frame = 0;
	if (b->transfer.io.frame == frame)
		b->transfer.io.disk = NULL;
}

static void bios_call(struct bios *b, unsigned service, gpa_t frame)
{
	struct bios_frame f = {0};
	bool is_ram = !bios_is_vga(frame) && !bios_is_vga(frame + BIOS_FRAME_SIZE - 1) &&
		      !bios_is_rom(frame) && !bios_is_rom(frame + BIOS_FRAME_SIZE - 1);
	if (!is_ram || gmem_read(b->cfg.gm, frame, &f, BIOS_FRAME_SIZE) != 0) {
		log_guest(&b->frames_lost, "bios: INT %02xh with a stack at %#llx, where no RAM is",
			  service, (unsigned long long)frame);
		return;
	}
	b->frame = frame;
	if (f.result != BIOS_AGAIN && f.result != BIOS_WAIT)
		bios_forget(b, frame);
	f.result = bios_serve(b, service, &f);
	/* It was RAM a moment ago, and RAM does not go away. */
	(void)!gmem_write(b->cfg.gm, frame, &f, BIOS_FRAME_SIZE);
}

static void bios_port_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	(void)off, (void)size;
	bios_call(ctx, value & 0xff, (value & 0xffffffff) >> 8);
}

const struct bus_ops bios_bus_ops = {
	.sizes = BUS_SIZE_4,
	.write = bios_port_write,
};

/* A request that is still with its disk goes on, but nobody will look at what it brings. */
static void bios_reset(struct device *dev)
{
	struct bios *b = (struct bios *)dev;
	b->transfer.io.disk = NULL;
	b->boot = (struct bios_boot){0};
	b->eltorito = (struct bios_eltorito){0};
	b->mouse = (struct bios_mouse_talk){0};
	b->wait_frame = 0;
	b->wait_until_ns = 0;
}

/*
 * What waits is not saved: the ROM calls again with the same frame, and the service begins anew.
 * That a boot was under way has to be, since its stub would otherwise begin with the first drive.
 */
static void bios_state(struct device *dev, struct state *st)
{
	struct bios *b = (struct bios *)dev;
	struct bios_eltorito *e = &b->eltorito;

	state_u8(st, "boot stage", &b->boot.stage);
	state_u8(st, "boot tried", &b->boot.tried);
	state_bytes(st, "boot reasons", b->boot.reason, sizeof(b->boot.reason));
	state_u32(st, "boot catalog", &b->boot.catalog_lba);
	state_u8(st, "El Torito media", &e->media);
	state_bool(st, "El Torito emulated", &e->is_emulated);
	state_u8(st, "El Torito drive", &e->drive);
	state_u8(st, "El Torito CD", &e->cd);
	state_u32(st, "El Torito LBA", &e->lba);
	state_u16(st, "El Torito segment", &e->segment);
	state_u16(st, "El Torito count", &e->count);
	state_u16(st, "El Torito cylinders", &e->cylinders);
	state_u8(st, "El Torito heads", &e->heads);
	state_u8(st, "El Torito sectors", &e->sectors);
	if (!state_is_loading(st))
		return;
	b->transfer.io.disk = NULL;
	b->mouse.frame = 0;
	b->wait_frame = 0;
	bool is_trying = b->boot.stage != BOOT_IDLE && b->boot.stage != BOOT_NEXT &&
			 b->boot.stage != BOOT_FAILED;
	if (b->boot.stage > BOOT_FAILED || b->boot.tried > BIOS_DISK_MAX ||
	    (is_trying && !b->boot.tried))
		state_fail(st, "the BIOS boots in a way that there is not");
	else if (e->media > 4 || e->cd >= BIOS_DISK_MAX ||
		 (e->is_emulated && (!e->heads || !e->sectors || e->sectors > 63)))
		state_fail(st, "a CD was booted in a way that there is not");
	if (state_error(st))
		bios_reset(dev);
}

static void bios_destroy(struct device *dev)
{
	free(dev);
}

static const struct device_ops bios_ops = {
	.type = "BIOS",
	.version = 1,
	.reset = bios_reset,
	.state = bios_state,
	.destroy = bios_destroy,
};

int bios_create(struct device **ret_dev, const struct bios_config *cfg)
{
	struct bios *b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	device_init(&b->dev, &bios_ops, "bios");
	b->cfg = *cfg;
	if (b->cfg.disk_count > BIOS_DISK_MAX)
		b->cfg.disk_count = BIOS_DISK_MAX;
	b->cfg.boot[sizeof(b->cfg.boot) - 1] = '\0';
	bios_reset(&b->dev);
	*ret_dev = &b->dev;
	return 0;
}
