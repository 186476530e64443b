/* Alarms on the event loop. */
#include "test.h"

#include <time.h>
#include <tinyvm/device.h>
#include <tinyvm/evloop.h>

#define MS 1000000u

static struct evloop *loop;
static struct evloop_timer *timer;
static struct device dev;
static uint64_t expired_ns;
static unsigned expiries, left;
static bool was_locked;

static uint64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void set_up(void)
{
	static const struct device_ops ops = {.type = "x"};
	device_init(&dev, &ops, "x");
	expiries = 0;
	left = 1;
	was_locked = false;
	if (evloop_create(&loop) != 0 || evloop_timer_create(loop, &timer) != 0)
		abort();
}

static void tear_down(void)
{
	evloop_timer_destroy(timer);
	evloop_destroy(loop);
}

/* Arms itself again at once until it has expired as often as the test wants, then stops the loop.
 */
static void expire(void *ctx)
{
	const struct timer *wire = ctx;
	expired_ns = now_ns();
	expiries++;
	was_locked = pthread_mutex_trylock(&dev.lock) == EBUSY;
	if (!was_locked)
		pthread_mutex_unlock(&dev.lock);
	if (--left)
		timer_arm(wire, 1);
	else
		evloop_stop(loop);
}

static void stop(void *ctx)
{
	(void)ctx;
	evloop_stop(loop);
}

WITH_DEVICE(test_timer_expires_once_with_the_lock_and_not_early)
{
	struct timer wire = evloop_timer_wire(timer);
	uint64_t when = now_ns() + 2 * MS;
	evloop_timer_bind(timer, expire, &wire, &dev);
	timer_arm(&wire, when);
	evloop_run(loop);
	CHECK_EQ(expiries, 1);
	CHECK(was_locked);
	CHECK(expired_ns >= when);
}

WITH_DEVICE(test_timer_in_the_past_expires_at_once_and_can_be_armed_by_its_function)
{
	struct timer wire = evloop_timer_wire(timer);
	evloop_timer_bind(timer, expire, &wire, &dev);
	left = 5;
	timer_arm(&wire, 1);
	evloop_run(loop);
	CHECK_EQ(expiries, 5);
}

WITH_DEVICE(test_timer_does_not_expire_before_it_is_bound)
{
	struct timer wire = evloop_timer_wire(timer);
	struct evloop_timer *other;
	CHECK_EQ(evloop_timer_create(loop, &other), 0);
	timer_arm(&wire, 1);
	evloop_timer_bind(other, stop, NULL, NULL);
	evloop_timer_arm(other, 1);
	evloop_run(loop);
	CHECK_EQ(expiries, 0);
	evloop_timer_bind(timer, expire, &wire, NULL);
	evloop_run(loop);
	CHECK_EQ(expiries, 1);
	CHECK(!was_locked);
	evloop_timer_destroy(other);
}

/* Two are due in the same round: whichever runs first disarms the other. */
static struct evloop_timer *pair[2];
static void disarm(void *ctx)
{
	struct evloop_timer **other = ctx;
	expiries++;
	evloop_timer_arm(*other, 0);
	evloop_stop(loop);
}

WITH_DEVICE(test_timer_disarmed_when_already_due_does_not_expire)
{
	pair[0] = timer;
	CHECK_EQ(evloop_timer_create(loop, &pair[1]), 0);
	for (unsigned i = 0; i < 2; i++) {
		evloop_timer_bind(pair[i], disarm, &pair[1 - i], NULL);
		evloop_timer_arm(pair[i], 1);
	}
	evloop_run(loop);
	CHECK_EQ(expiries, 1);
	evloop_timer_destroy(pair[1]);
}

WITH_DEVICE(test_timer_of_the_far_future_can_be_armed)
{
	struct timer wire = evloop_timer_wire(timer);
	evloop_timer_bind(timer, expire, &wire, NULL);
	timer_arm(&wire, UINT64_MAX);
	timer_arm(&wire, now_ns());
	evloop_run(loop);
	CHECK_EQ(expiries, 1);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_timer_expires_once_with_the_lock_and_not_early),
		TEST_CASE(test_timer_in_the_past_expires_at_once_and_can_be_armed_by_its_function),
		TEST_CASE(test_timer_does_not_expire_before_it_is_bound),
		TEST_CASE(test_timer_disarmed_when_already_due_does_not_expire),
		TEST_CASE(test_timer_of_the_far_future_can_be_armed),
	};
	return TEST_RUN(cases);
}
