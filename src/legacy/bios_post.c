/*
 * Power-on: interrupt vectors, the BIOS data area and its extension. What takes a processor (the
 * interrupt controllers, the timer) the ROM has done before it calls.
 */
#include "bios_device.h"

#define VECTORS	      256u
#define VECTOR_NMI    0x02
#define VECTOR_PRINT  0x05
#define VECTOR_FIRST  0x08 /* of BIOS_ROM_VECTORS */
#define VECTOR_LAST   0x1f
#define VECTOR_FLOPPY 0x40
#define VECTOR_VIDEO  0x42 /* where a VGA leaves the first BIOS's INT 10h */
#define VECTOR_USER   0x60 /* to 0x67: 0 tells that nobody has taken it */
#define VECTOR_SLAVE  0x70 /* to 0x77: BIOS_ROM_VECTORS_SLAVE */
#define VECTOR_FREE   0x78

#define BDA_SIZE	 0x100u
#define EBDA_SIZE	 0x400u
#define BASE_KIB	 639u /* the EBDA has the 640th */
#define BDA_COM		 BDA(0x00)
#define BDA_LPT		 BDA(0x08)
#define BDA_EBDA	 BDA(0x0e)
#define BDA_EQUIPMENT	 BDA(0x10)
#define BDA_BASE_KIB	 BDA(0x13)
#define BDA_LPT_TIMEOUTS BDA(0x78)
#define BDA_COM_TIMEOUTS BDA(0x7c)
#define LPT_TIMEOUT	 20
#define COM_TIMEOUT	 1

#define EQUIPMENT_FPU	     0x0002
#define EQUIPMENT_MOUSE	     0x0004
#define EQUIPMENT_VGA	     0x0020 /* 80 columns, colour */
#define EQUIPMENT_COMS_SHIFT 9
#define EQUIPMENT_LPTS_SHIFT 14

#define CMOS_SHUTDOWN 0x0f

static uint16_t bios_post_vector(struct bios *b, unsigned n)
{
	gpa_t rom = BIOS_ROM_BASE;
	if (n == VECTOR_NMI)
		return BIOS_ROM_INT02;
	if (n == VECTOR_PRINT)
		return BIOS_ROM_INT05;
	if (n >= VECTOR_FIRST && n <= VECTOR_LAST)
		return bios_peek16(b, rom + BIOS_ROM_VECTORS + (n - VECTOR_FIRST) * 2);
	if (n == VECTOR_FLOPPY)
		return BIOS_ROM_INT40;
	if (n == VECTOR_VIDEO)
		return BIOS_ROM_INT10;
	if (n >= VECTOR_SLAVE && n < VECTOR_FREE)
		return bios_peek16(b, rom + BIOS_ROM_VECTORS_SLAVE + (n - VECTOR_SLAVE) * 2);
	if (n >= VECTOR_FREE || (n >= VECTOR_USER && n < VECTOR_SLAVE))
		return 0;
	return BIOS_ROM_IRET;
}

/* But for the floppies, which bios_disk_post() counts. */
static uint16_t bios_post_equipment(struct bios *b)
{
	unsigned coms = 0, lpts = 0;
	unsigned equipment = EQUIPMENT_FPU | EQUIPMENT_VGA;

	while (coms < 4 && b->cfg.com_port[coms])
		coms++;
	while (lpts < 3 && b->cfg.lpt_port[lpts])
		lpts++;
	if (bios_mouse_is_there(b))
		equipment |= EQUIPMENT_MOUSE;
	return (uint16_t)(equipment | coms << EQUIPMENT_COMS_SHIFT | lpts << EQUIPMENT_LPTS_SHIFT);
}

static void bios_post_data_area(struct bios *b)
{
	for (unsigned i = 0; i < 4; i++) {
		bios_poke16(b, BDA_COM + i * 2, b->cfg.com_port[i]);
		bios_poke8(b, BDA_COM_TIMEOUTS + i, COM_TIMEOUT);
	}
	for (unsigned i = 0; i < 3; i++) {
		bios_poke16(b, BDA_LPT + i * 2, b->cfg.lpt_port[i]);
		bios_poke8(b, BDA_LPT_TIMEOUTS + i, LPT_TIMEOUT);
	}
	bios_poke16(b, BDA_EBDA, EBDA_SEGMENT);
	bios_poke16(b, BDA_BASE_KIB, BASE_KIB);
	bios_poke16(b, BDA_EQUIPMENT, bios_post_equipment(b));
	bios_poke8(b, EBDA(0), EBDA_SIZE / 1024);
}

void bios_post(struct bios *b)
{
	for (unsigned n = 0; n < VECTORS; n++) {
		uint16_t offset = bios_post_vector(b, n);
		bios_poke32(b, n * 4, offset ? bios_far(BIOS_ROM_SEGMENT, offset) : 0);
	}
	for (unsigned i = 0; i < BDA_SIZE; i += 4)
		bios_poke32(b, BDA(i), 0);
	for (unsigned i = 0; i < EBDA_SIZE; i += 4)
		bios_poke32(b, EBDA(i), 0);
	bios_cmos_write(b, CMOS_SHUTDOWN, 0);
	bios_post_data_area(b);
	bios_keyboard_post(b);
	bios_disk_post(b);
	bios_time_post(b);
	bios_tables_post(b);
	bios_video_post(b);
}
