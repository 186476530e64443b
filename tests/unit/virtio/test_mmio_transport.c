/* virtio-mmio, register by register, and a driver going through all of it. */
#include "conformance.h"
#include "echo.h"
#include "fake_kick.h"
#include "fakes.h"
#include "reseal.h"
#include "test.h"
#include "vdriver.h"
#include <spec/virtio_mmio.h>
#include <tinyvm/bus.h>
#include <tinyvm/state.h>

#define GPA 0xd0000000ULL

static struct gmem *gm;
static struct echo *echo;
static void *mmio;
static struct fake_irq irq;
static struct fake_kick kick;
static struct vdriver drv;

static void set_up(void)
{
	memset(&irq, 0, sizeof(irq));
	memset(&kick, 0, sizeof(kick));
	if (gmem_create(&gm, 1 << 20) != 0 || !(echo = echo_create(gm)) ||
	    virtio_mmio_attach(&echo->vd, &mmio, GPA, fake_irq_line(&irq), fake_kick_sink(&kick)) !=
		    0)
		abort();
	vdriver_init_mmio(&drv, &echo->vd, gm, 0x1000, mmio);
}

static void tear_down(void)
{
	device_destroy(&echo->vd.dev);
	gmem_destroy(gm);
}

static uint64_t get(unsigned off, unsigned size)
{
	uint64_t value = 0;
	bus_ops_read(&virtio_mmio_bus_ops, mmio, off, &value, size);
	return value;
}

static void set(unsigned off, unsigned size, uint64_t value)
{
	bus_ops_write(&virtio_mmio_bus_ops, mmio, off, &value, size);
}

WITH_DEVICE(test_identity)
{
	CHECK_EQ(get(VIRTIO_MMIO_MAGIC_VALUE, 4), 0x74726976);
	CHECK_EQ(get(VIRTIO_MMIO_VERSION, 4), 2);
	CHECK_EQ(get(VIRTIO_MMIO_DEVICE_ID, 4), ECHO_DEVICE_ID);
	CHECK_EQ(get(VIRTIO_MMIO_SHM_LEN_LOW, 4), UINT32_MAX);
	CHECK_EQ(get(VIRTIO_MMIO_SHM_LEN_HIGH, 4), UINT32_MAX);
	CHECK_EQ(get(VIRTIO_MMIO_SHM_BASE_LOW, 4), UINT32_MAX);
	CHECK_EQ(get(VIRTIO_MMIO_SHM_BASE_HIGH, 4), UINT32_MAX);
}

WITH_DEVICE(test_features_come_in_words)
{
	set(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 4, 0);
	CHECK_EQ(get(VIRTIO_MMIO_DEVICE_FEATURES, 4), (uint32_t)echo->vd.features_offered);
	set(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 4, 1);
	CHECK_EQ(get(VIRTIO_MMIO_DEVICE_FEATURES, 4), echo->vd.features_offered >> 32);
	set(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 4, 2);
	CHECK_EQ(get(VIRTIO_MMIO_DEVICE_FEATURES, 4), 0);
	set(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 4, 1);
	set(VIRTIO_MMIO_DRIVER_FEATURES, 4, 0x12345678);
	set(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 4, 0);
	set(VIRTIO_MMIO_DRIVER_FEATURES, 4, 0x9abcdef0);
	set(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 4, 2);
	set(VIRTIO_MMIO_DRIVER_FEATURES, 4, 0xffffffff);
	CHECK_EQ(echo->vd.features, 0x123456789abcdef0);
}

WITH_DEVICE(test_queue_that_does_not_exist)
{
	set(VIRTIO_MMIO_QUEUE_SEL, 4, ECHO_QUEUES);
	CHECK_EQ(get(VIRTIO_MMIO_QUEUE_NUM_MAX, 4), 0);
	set(VIRTIO_MMIO_QUEUE_NUM, 4, 4);
	set(VIRTIO_MMIO_QUEUE_READY, 4, 1);
	CHECK_EQ(get(VIRTIO_MMIO_QUEUE_READY, 4), 0);
	set(VIRTIO_MMIO_QUEUE_SEL, 4, UINT32_MAX);
	CHECK_EQ(get(VIRTIO_MMIO_QUEUE_NUM_MAX, 4), 0);
}

WITH_DEVICE(test_queue_ready_reads_back)
{
	set(VIRTIO_MMIO_QUEUE_SEL, 4, 1);
	CHECK_EQ(get(VIRTIO_MMIO_QUEUE_NUM_MAX, 4), ECHO_QUEUE_SIZE);
	set(VIRTIO_MMIO_QUEUE_NUM, 4, 8);
	set(VIRTIO_MMIO_QUEUE_DESC_LOW, 4, 0x1008);
	set(VIRTIO_MMIO_QUEUE_READY, 4, 1);
	CHECK_EQ(get(VIRTIO_MMIO_QUEUE_READY, 4), 0); /* misaligned */
	set(VIRTIO_MMIO_QUEUE_DESC_LOW, 4, 0x1000);
	set(VIRTIO_MMIO_QUEUE_DESC_HIGH, 4, 0x12);
	set(VIRTIO_MMIO_QUEUE_READY, 4, 1);
	CHECK_EQ(get(VIRTIO_MMIO_QUEUE_READY, 4), 1);
	CHECK_EQ(echo->vd.queue[1].desc, 0x1200001000);
	set(VIRTIO_MMIO_QUEUE_DESC_LOW, 4, 0x5000); /* too late */
	CHECK_EQ(echo->vd.queue[1].desc, 0x1200001000);
	set(VIRTIO_MMIO_QUEUE_READY, 4, 0);
	CHECK_EQ(get(VIRTIO_MMIO_QUEUE_READY, 4), 0);
}

WITH_DEVICE(test_registers_take_whole_words_only)
{
	CHECK_EQ(get(VIRTIO_MMIO_MAGIC_VALUE, 2), 0);
	CHECK_EQ(get(VIRTIO_MMIO_MAGIC_VALUE + 1, 1), 0);
	set(VIRTIO_MMIO_STATUS, 1, VIRTIO_STATUS_ACKNOWLEDGE);
	CHECK_EQ(echo->vd.status, 0);
	/* Two registers at once are two accesses. */
	CHECK_EQ(get(VIRTIO_MMIO_MAGIC_VALUE, 8), 0x274726976);
}

WITH_DEVICE(test_config_takes_any_size)
{
	set(VIRTIO_MMIO_CONFIG, 4, 0x04030201);
	set(VIRTIO_MMIO_CONFIG + 4, 2, 0x0605);
	set(VIRTIO_MMIO_CONFIG + 6, 1, 0x07);
	CHECK_EQ(get(VIRTIO_MMIO_CONFIG, 8), 0x0007060504030201);
	CHECK_EQ(get(VIRTIO_MMIO_CONFIG + 3, 1), 4);
	CHECK_EQ(get(VIRTIO_MMIO_CONFIG + sizeof(echo->config), 4), 0);
	CHECK_EQ(get(VIRTIO_MMIO_SIZE - 4, 4), 0);
}

WITH_DEVICE(test_driver_gets_through)
{
	char in[4] = "";
	CHECK(vdriver_start(&drv, ~0ULL));
	CHECK_EQ(vdriver_request(&drv, 1, "abc", 3, in, 3), 3);
	CHECK_STR(in, "abc");
	CHECK(irq.is_high);
	CHECK_EQ(get(VIRTIO_MMIO_INTERRUPT_STATUS, 4), VIRTIO_MMIO_INT_VRING);
	virtio_config_changed(&echo->vd);
	CHECK_EQ(get(VIRTIO_MMIO_CONFIG_GENERATION, 4), 1);
	set(VIRTIO_MMIO_INTERRUPT_ACK, 4, VIRTIO_MMIO_INT_VRING);
	CHECK(irq.is_high);
	CHECK_EQ(get(VIRTIO_MMIO_INTERRUPT_STATUS, 4), VIRTIO_MMIO_INT_CONFIG);
	set(VIRTIO_MMIO_INTERRUPT_ACK, 4, VIRTIO_MMIO_INT_CONFIG);
	CHECK(!irq.is_high);
}

static bool are_kicks_mapped(void)
{
	bool is_ok = kick.count == ECHO_QUEUES;
	for (unsigned q = 0; q < kick.count; q++)
		is_ok = is_ok && kick.map[q].queue == q && kick.map[q].datamatch == q &&
			kick.map[q].size == 4 && kick.map[q].gpa == GPA + 0x50;
	return is_ok;
}

WITH_DEVICE(test_kicks_are_mapped_while_the_device_runs)
{
	CHECK_EQ(kick.count, 0);
	CHECK(vdriver_start(&drv, ~0ULL));
	CHECK(are_kicks_mapped());
	vdriver_reset(&drv);
	CHECK_EQ(kick.count, 0);
	CHECK(vdriver_start(&drv, ~0ULL));
	device_reset(&echo->vd.dev);
	CHECK_EQ(kick.count, 0);
}

WITH_DEVICE(test_reset_lowers_the_interrupt)
{
	CHECK(vdriver_start(&drv, ~0ULL));
	virtio_config_changed(&echo->vd);
	CHECK(irq.is_high);
	set(VIRTIO_MMIO_STATUS, 4, 0);
	CHECK(!irq.is_high);
	CHECK_EQ(get(VIRTIO_MMIO_INTERRUPT_STATUS, 4), 0);
}

WITH_DEVICE(test_running_device_may_ring_for_itself)
{
	device_lock(&echo->vd.dev);
	vq_serve_later(&echo->vd.queue[1]);
	CHECK_EQ(kick.rings, 0);
	device_unlock(&echo->vd.dev);
	CHECK(vdriver_start(&drv, ~0ULL));
	device_lock(&echo->vd.dev);
	vq_serve_later(&echo->vd.queue[1]);
	device_unlock(&echo->vd.dev);
	CHECK_EQ(kick.rings, 1);
	CHECK_EQ(kick.rung, 1);
}

WITH_DEVICE(test_load_raises_the_interrupt_and_resume_maps_kicks)
{
	struct state *st, *load;
	size_t len;
	CHECK(vdriver_start(&drv, ~0ULL));
	virtio_config_changed(&echo->vd);
	CHECK_EQ(state_create_save(&st), 0);
	device_quiesce(&echo->vd.dev);
	device_state(&echo->vd.dev, st);
	device_reset(&echo->vd.dev);
	CHECK(!irq.is_high);
	const void *data = state_data(st, &len);
	CHECK_EQ(state_create_load(&load, data, len), 0);
	device_state(&echo->vd.dev, load);
	CHECK_EQ(state_error(load), 0);
	state_destroy(load);
	state_destroy(st);
	CHECK(irq.is_high);
	CHECK_EQ(kick.count, 0);
	device_resume(&echo->vd.dev);
	CHECK(are_kicks_mapped());
}

/* Saves the device, sets the low byte of the field @tag, makes the checksum right, and loads it. */
static int load_with(const char *tag, uint8_t value)
{
	struct state *st, *load;
	size_t len;
	if (state_create_save(&st) != 0)
		return 0;
	device_state(&echo->vd.dev, st);
	const void *data = state_data(st, &len);
	uint8_t *copy = malloc(len);
	uint8_t *field = copy ? memmem(memcpy(copy, data, len), len, tag, strlen(tag)) : NULL;
	if (!field || state_create_load(&load, copy, len) != 0)
		abort();
	field[strlen(tag)] = value;
	reseal(copy, len);
	device_state(&echo->vd.dev, load);
	int rc = state_error(load);
	state_destroy(load);
	state_destroy(st);
	free(copy);
	return rc;
}

WITH_DEVICE(test_load_refuses_interrupts_that_cannot_be)
{
	CHECK(vdriver_start(&drv, ~0ULL));
	CHECK_EQ(load_with("InterruptStatus", 3), 0);
	CHECK(irq.is_high);
	CHECK_EQ(load_with("InterruptStatus", 4), -EINVAL);
	CHECK(!irq.is_high); /* it was reset */
	CHECK_EQ(echo->vd.status, 0);
}

/* Conformance: the transport behind each device, so that scramble can find it. */
static struct device *fresh(void *ctx)
{
	void *transport;
	struct echo *e = echo_create(ctx);
	if (e && virtio_mmio_attach(&e->vd, &transport, GPA, (struct irq_line){0},
				    (struct kick_sink){0}) == 0)
		return &e->vd.dev;
	device_destroy(e ? &e->vd.dev : NULL);
	return NULL;
}

static void scramble(struct device *dev, void *ctx)
{
	struct virtio_device *vd = (struct virtio_device *)dev;
	char in[4];
	vdriver_init_mmio(&drv, vd, ctx, 0x1000, vd->transport_ctx);
	if (vdriver_start(&drv, ~0ULL))
		vdriver_request(&drv, 0, "abcd", 4, in, 4);
	virtio_config_changed(vd);
}

static void test_conformance_over_mmio(void)
{
	struct gmem *mem;
	CHECK_EQ(gmem_create(&mem, 1 << 20), 0);
	const struct conformance c = {.create = fresh, .scramble = scramble, .ctx = mem};
	conformance_check(&c);
	gmem_destroy(mem);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_identity),
		TEST_CASE(test_features_come_in_words),
		TEST_CASE(test_queue_that_does_not_exist),
		TEST_CASE(test_queue_ready_reads_back),
		TEST_CASE(test_registers_take_whole_words_only),
		TEST_CASE(test_config_takes_any_size),
		TEST_CASE(test_driver_gets_through),
		TEST_CASE(test_kicks_are_mapped_while_the_device_runs),
		TEST_CASE(test_running_device_may_ring_for_itself),
		TEST_CASE(test_reset_lowers_the_interrupt),
		TEST_CASE(test_load_raises_the_interrupt_and_resume_maps_kicks),
		TEST_CASE(test_load_refuses_interrupts_that_cannot_be),
		TEST_CASE(test_conformance_over_mmio),
	};
	return TEST_RUN(cases);
}
