/* Between the files of the BIOS: the machine as services see it, and the services. */
#ifndef BIOS_SERVICES_H
#define BIOS_SERVICES_H

#include <spec/bios.h>
#include <tinyvm/bios.h>

struct bios;

#define BIOS_FLAG_CF 0x0001u
#define BIOS_FLAG_ZF 0x0040u
#define BIOS_FLAG_IF 0x0200u

/* Bytes and words of a frame's registers. */
static inline uint8_t bios_low(uint32_t reg)
{
	return (uint8_t)reg;
}
static inline uint8_t bios_high(uint32_t reg)
{
	return (uint8_t)(reg >> 8);
}
static inline uint16_t bios_word(uint32_t reg)
{
	return (uint16_t)reg;
}
static inline void bios_set_low(uint32_t *reg, uint8_t value)
{
	*reg = (*reg & ~0xffu) | value;
}
static inline void bios_set_high(uint32_t *reg, uint8_t value)
{
	*reg = (*reg & ~0xff00u) | (uint32_t)value << 8;
}
static inline void bios_set_word(uint32_t *reg, uint16_t value)
{
	*reg = (*reg & ~0xffffu) | value;
}
static inline void bios_set_carry(struct bios_frame *f, bool is_set)
{
	f->flags = (uint16_t)((f->flags & ~BIOS_FLAG_CF) | (is_set ? BIOS_FLAG_CF : 0));
}
/* How most services end: the status in AH, and carry when that is not 0. */
static inline unsigned bios_return(struct bios_frame *f, uint8_t status)
{
	bios_set_high(&f->eax, status);
	bios_set_carry(f, status != 0);
	return BIOS_DONE;
}
#define BIOS_FUNCTION_UNKNOWN 0x86

static inline gpa_t bios_gpa(uint16_t segment, uint16_t offset)
{
	return ((gpa_t)segment << 4) + offset;
}

const struct bios_config *bios_cfg(const struct bios *b);

/*
 * Guest memory for services: what is not RAM reads as all ones and swallows writes, except the
 * VGA's window, which goes over the MMIO bus, as a processor's access would. The ROMs swallow
 * writes too, but while power-on fills them in.
 */
void bios_copy_in(struct bios *b, void *buf, gpa_t gpa, size_t len);
void bios_copy_out(struct bios *b, gpa_t gpa, const void *buf, size_t len);
uint8_t bios_peek8(struct bios *b, gpa_t gpa);
uint16_t bios_peek16(struct bios *b, gpa_t gpa);
uint32_t bios_peek32(struct bios *b, gpa_t gpa);
void bios_poke8(struct bios *b, gpa_t gpa, uint8_t value);
void bios_poke16(struct bios *b, gpa_t gpa, uint16_t value);
void bios_poke32(struct bios *b, gpa_t gpa, uint32_t value);

/* Ports, over the bus. */
uint8_t bios_in8(struct bios *b, uint16_t port);
void bios_out8(struct bios *b, uint16_t port, uint8_t value);

/* The BIOS data area, segment 40h. */
#define BDA(offset) (0x400u + (offset))

/* A vector, a far pointer as it is stored. */
static inline uint32_t bios_far(uint16_t segment, uint16_t offset)
{
	return (uint32_t)segment << 16 | offset;
}

/* Services. Return: a BIOS_DONE, BIOS_AGAIN, BIOS_WAIT or BIOS_RAISE + n (spec/bios.h). */
unsigned bios_video(struct bios *b, struct bios_frame *f); /* INT 10h */

/*
 * Video at power-on: the video ROM, INT 1Dh's table and the 8x8 font in ours, mode 3, its part of
 * the BIOS data area, the vectors 1Dh, 1Fh and 43h.
 */
void bios_video_post(struct bios *b);

/* Characters on the screen as INT 10h AH=0Eh writes them, for messages before anything boots. */
void bios_video_print(struct bios *b, const char *text);

#endif
