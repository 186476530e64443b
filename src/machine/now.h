/* The host's time. */
#ifndef NOW_H
#define NOW_H

#include <stdint.h>
#include <tinyvm/device.h>

/* CLOCK_MONOTONIC: what timers on the event loop are set by. */
uint64_t now_get_ns(void);

/* The same, and the time of day, for those that are handed a clock. */
struct clock now_clock(void);

#endif
