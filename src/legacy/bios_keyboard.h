/* The keyboard between INT 09h, which fills the ring, and INT 16h, which empties it. */
#ifndef BIOS_KEYBOARD_H
#define BIOS_KEYBOARD_H

#include "bios_services.h"

/*
 * The keyboard's ring in the BIOS data area, of scan codes and characters. take: the oldest, which
 * may stay; false when there is none. put: false when it is full. leds: the keyboard's, as the lock
 * keys are; send: a command of two bytes, the second when the first has been acknowledged.
 */
bool bios_keyboard_take(struct bios *b, bool stays, uint16_t *ret_key);
bool bios_keyboard_put(struct bios *b, uint16_t key);
void bios_keyboard_send(struct bios *b, uint8_t command, uint8_t argument);
void bios_keyboard_leds(struct bios *b);

/* Keyboard flags, BDA(0x17), BDA(0x18), BDA(0x96), BDA(0x97). */
#define BDA_KEY_SHIFT BDA(0x17)
#define KEY_SHIFT_R   0x01
#define KEY_SHIFT_L   0x02
#define KEY_CTRL      0x04
#define KEY_ALT	      0x08
#define KEY_SCROLL    0x10
#define KEY_NUM	      0x20
#define KEY_CAPS      0x40
#define KEY_INSERT    0x80
#define BDA_KEY_HELD  BDA(0x18)
#define KEY_CTRL_L    0x01
#define KEY_ALT_L     0x02
#define KEY_PAUSED    0x08
#define BDA_KEY_STATE BDA(0x96)
#define KEY_LAST_E1   0x01
#define KEY_LAST_E0   0x02
#define KEY_CTRL_R    0x04
#define KEY_ALT_R     0x08
#define KEY_ENHANCED  0x10
#define BDA_KEY_LEDS  BDA(0x97)
#define KEY_LEDS      0x07
#define KEY_SENT_BOTH 0x08 /* while KEY_SENDING: the second byte is on its way */
#define KEY_SENDING   0x40

#endif
