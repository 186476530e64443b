/* The host's clocks, asked in one place. */
#include "now.h"

#include <time.h>

#define NS_PER_S 1000000000LL

static int64_t now_read(clockid_t id)
{
	struct timespec ts;
	clock_gettime(id, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

uint64_t now_get_ns(void)
{
	return (uint64_t)now_read(CLOCK_MONOTONIC);
}

static uint64_t now_monotonic_ns(void *ctx)
{
	(void)ctx;
	return now_get_ns();
}

static int64_t now_realtime_ns(void *ctx)
{
	(void)ctx;
	return now_read(CLOCK_REALTIME);
}

struct clock now_clock(void)
{
	return (struct clock){.monotonic_ns = now_monotonic_ns, .realtime_ns = now_realtime_ns};
}
