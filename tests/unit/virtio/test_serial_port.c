/* The named port between a driver and a backend: its control messages, and when input may come. */
#include "conformance.h"
#include "fakes.h"
#include "test.h"
#include "vdriver.h"

#include <spec/virtio_console.h>
#include <tinyvm/state.h>

#define RAM	    (1 << 20)
#define F_MULTIPORT (1ULL << VIRTIO_CONSOLE_F_MULTIPORT)
#define NAME	    "org.example.port"
#define BUFFER	    64

enum {
	RECEIVEQ = VIRTIO_CONSOLE_RECEIVEQ,
	TRANSMITQ = VIRTIO_CONSOLE_TRANSMITQ,
	FROM_DEVICE = VIRTIO_CONSOLE_CONTROL_RECEIVEQ,
	TO_DEVICE = VIRTIO_CONSOLE_CONTROL_TRANSMITQ,
};

struct bench {
	struct gmem *gm;
	struct virtio_device *vd;
	struct fake_chardev cd;
	struct vdriver drv;
	gpa_t control[16]; /* buffers for control messages, in the order they were added */
	unsigned added, seen;
};

static struct bench b;

static void set_up(void)
{
	memset(&b, 0, sizeof(b));
	fake_chardev_init(&b.cd);
	if (gmem_create(&b.gm, RAM) != 0 ||
	    virtio_port_create(&b.vd, "port0", b.gm, &b.cd.cd, NAME) != 0)
		abort();
	vdriver_init(&b.drv, b.vd, b.gm, 0x1000);
}

static void tear_down(void)
{
	device_destroy(virtio_to_device(b.vd));
	gmem_destroy(b.gm);
}

static void add_control_buffers(unsigned count, uint32_t len)
{
	while (count--) {
		gpa_t gpa = vdriver_alloc(&b.drv, BUFFER, 16);
		struct vbuf buf = {gpa, len, true};
		b.control[b.added++] = gpa;
		vdriver_add(&b.drv, FROM_DEVICE, &buf, 1, VDRIVER_DIRECT);
	}
	vdriver_kick(&b.drv, FROM_DEVICE);
}

static void say(uint32_t id, uint16_t event, uint16_t value)
{
	struct virtio_console_control msg = {id, event, value};
	vdriver_request(&b.drv, TO_DEVICE, &msg, sizeof(msg), NULL, 0);
}

/* The next control message. Return: its length, 0 when there is none. */
static uint32_t hear(struct virtio_console_control *msg, char *name)
{
	uint16_t head;
	uint32_t len;
	uint8_t buf[BUFFER];
	if (!vdriver_reap(&b.drv, FROM_DEVICE, &head, &len))
		return 0;
	if (gmem_read(b.gm, b.control[b.seen++], buf, sizeof(buf)) != 0 || len > sizeof(buf))
		abort();
	memcpy(msg, buf, sizeof(*msg));
	memcpy(name, buf + sizeof(*msg), len > sizeof(*msg) ? len - sizeof(*msg) : 0);
	name[len > sizeof(*msg) ? len - sizeof(*msg) : 0] = '\0';
	return len;
}

static gpa_t add_receive_buffer(uint32_t len)
{
	gpa_t gpa = vdriver_alloc(&b.drv, len, 16);
	struct vbuf buf = {gpa, len, true};
	vdriver_add(&b.drv, RECEIVEQ, &buf, 1, VDRIVER_DIRECT);
	vdriver_kick(&b.drv, RECEIVEQ);
	return gpa;
}

WITH_DEVICE(test_port_introduces_itself)
{
	struct virtio_console_control msg;
	char name[BUFFER];
	CHECK(vdriver_start(&b.drv, ~0ULL));
	add_control_buffers(4, BUFFER);
	CHECK_EQ(hear(&msg, name), 0);
	say(0xffffffff, VIRTIO_CONSOLE_DEVICE_READY, 1);
	CHECK_EQ(hear(&msg, name), sizeof(msg));
	CHECK_EQ(msg.id, 0);
	CHECK_EQ(msg.event, VIRTIO_CONSOLE_PORT_ADD);
	CHECK_EQ(hear(&msg, name), 0);
	say(0, VIRTIO_CONSOLE_PORT_READY, 1);
	CHECK_EQ(hear(&msg, name), sizeof(msg) + strlen(NAME));
	CHECK_EQ(msg.event, VIRTIO_CONSOLE_PORT_NAME);
	CHECK_STR(name, NAME);
	CHECK_EQ(hear(&msg, name), sizeof(msg));
	CHECK_EQ(msg.event, VIRTIO_CONSOLE_PORT_OPEN);
	CHECK_EQ(msg.value, 1);
	CHECK_EQ(hear(&msg, name), 0);
}

WITH_DEVICE(test_messages_wait_for_buffers)
{
	struct virtio_console_control msg;
	char name[BUFFER];
	CHECK(vdriver_start(&b.drv, ~0ULL));
	say(0, VIRTIO_CONSOLE_DEVICE_READY, 1);
	say(0, VIRTIO_CONSOLE_PORT_READY, 1);
	add_control_buffers(1, BUFFER);
	CHECK_EQ(hear(&msg, name), sizeof(msg));
	CHECK_EQ(msg.event, VIRTIO_CONSOLE_PORT_ADD);
	CHECK_EQ(hear(&msg, name), 0);
	add_control_buffers(2, BUFFER);
	CHECK(hear(&msg, name) > sizeof(msg));
	CHECK_EQ(msg.event, VIRTIO_CONSOLE_PORT_NAME);
	CHECK_EQ(hear(&msg, name), sizeof(msg));
	CHECK_EQ(msg.event, VIRTIO_CONSOLE_PORT_OPEN);
}

WITH_DEVICE(test_message_that_does_not_fit_is_dropped)
{
	struct virtio_console_control msg;
	char name[BUFFER];
	CHECK(vdriver_start(&b.drv, ~0ULL));
	add_control_buffers(3, 4);
	say(0, VIRTIO_CONSOLE_DEVICE_READY, 1);
	CHECK_EQ(b.vd->bad_requests, 1);
	say(0, VIRTIO_CONSOLE_PORT_READY, 1);
	CHECK_EQ(b.vd->bad_requests, 3);
	hear(&msg, name);
	CHECK(!vdriver_is_broken(&b.drv));
}

WITH_DEVICE(test_nonsense_from_the_driver_is_counted)
{
	CHECK(vdriver_start(&b.drv, ~0ULL));
	say(7, VIRTIO_CONSOLE_PORT_OPEN, 1);
	say(0, 99, 1);
	CHECK_EQ(b.vd->bad_requests, 1);
	vdriver_request(&b.drv, TO_DEVICE, "short", 5, NULL, 0);
	CHECK_EQ(b.vd->bad_requests, 2);
	CHECK(!vdriver_is_broken(&b.drv));
}

WITH_DEVICE(test_input_waits_until_a_program_opens_the_port)
{
	uint16_t head;
	uint32_t len;
	char text[8] = {0};
	CHECK(vdriver_start(&b.drv, ~0ULL));
	gpa_t gpa = add_receive_buffer(16);
	CHECK_EQ(fake_chardev_type(&b.cd, "hello", 5), 0);
	unsigned resumes = b.cd.resumes;
	say(0, VIRTIO_CONSOLE_PORT_OPEN, 1);
	CHECK_EQ(b.cd.resumes, resumes + 1);
	CHECK_EQ(fake_chardev_type(&b.cd, "hello", 5), 5);
	CHECK(vdriver_reap(&b.drv, RECEIVEQ, &head, &len));
	CHECK_EQ(len, 5);
	CHECK_EQ(gmem_read(b.gm, gpa, text, 5), 0);
	CHECK_STR(text, "hello");
	add_receive_buffer(16);
	say(0, VIRTIO_CONSOLE_PORT_OPEN, 0);
	CHECK_EQ(fake_chardev_type(&b.cd, "hello", 5), 0);
}

WITH_DEVICE(test_driver_without_multiport_finds_a_plain_port)
{
	CHECK(vdriver_start(&b.drv, ~F_MULTIPORT));
	add_receive_buffer(16);
	CHECK_EQ(fake_chardev_type(&b.cd, "hello", 5), 5);
	CHECK_EQ(vdriver_request(&b.drv, TRANSMITQ, "out", 3, NULL, 0), 0);
	CHECK_EQ(b.cd.out_len, 3);
}

WITH_DEVICE(test_output_goes_out_in_large_pieces)
{
	static uint8_t bytes[3000];
	CHECK(vdriver_start(&b.drv, ~0ULL));
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 13);
	CHECK_EQ(vdriver_request(&b.drv, TRANSMITQ, bytes, sizeof(bytes), NULL, 0), 0);
	CHECK_EQ(b.cd.out_len, sizeof(bytes));
	CHECK(memcmp(b.cd.out, bytes, sizeof(bytes)) == 0);
}

WITH_DEVICE(test_reset_closes_the_port)
{
	CHECK(vdriver_start(&b.drv, ~0ULL));
	say(0, VIRTIO_CONSOLE_DEVICE_READY, 1);
	say(0, VIRTIO_CONSOLE_PORT_OPEN, 1);
	vdriver_reset(&b.drv);
	CHECK(vdriver_start(&b.drv, ~0ULL));
	b.added = 0;
	add_control_buffers(1, BUFFER);
	add_receive_buffer(16);
	struct virtio_console_control msg;
	char name[BUFFER];
	CHECK_EQ(hear(&msg, name), 0);
	CHECK_EQ(fake_chardev_type(&b.cd, "x", 1), 0);
}

/* All devices of the suite share one guest memory and one backend. */
static struct device *fresh(void *ctx)
{
	struct virtio_device *vd;
	(void)ctx;
	return virtio_port_create(&vd, "port0", b.gm, &b.cd.cd, NAME) == 0 ? virtio_to_device(vd)
									   : NULL;
}

static void scramble(struct device *dev, void *ctx)
{
	(void)ctx;
	b.cd.is_blocked = true;
	b.cd.room = 4;
	vdriver_init(&b.drv, (struct virtio_device *)dev, b.gm, 0x1000);
	if (!vdriver_start(&b.drv, ~0ULL))
		return;
	say(0, VIRTIO_CONSOLE_DEVICE_READY, 1);
	say(0, VIRTIO_CONSOLE_PORT_READY, 1);
	say(0, VIRTIO_CONSOLE_PORT_OPEN, 1);
	add_receive_buffer(16);
	struct vbuf out = {vdriver_put(&b.drv, "0123456789", 10), 10, false};
	vdriver_add(&b.drv, TRANSMITQ, &out, 1, VDRIVER_DIRECT);
	vdriver_kick_always(&b.drv, TRANSMITQ);
}

static void test_port_conforms(void)
{
	memset(&b, 0, sizeof(b));
	fake_chardev_init(&b.cd);
	CHECK_EQ(gmem_create(&b.gm, RAM), 0);
	conformance_check(&(struct conformance){.create = fresh, .scramble = scramble, .ctx = &b});
	gmem_destroy(b.gm);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_port_introduces_itself),
		TEST_CASE(test_messages_wait_for_buffers),
		TEST_CASE(test_message_that_does_not_fit_is_dropped),
		TEST_CASE(test_nonsense_from_the_driver_is_counted),
		TEST_CASE(test_input_waits_until_a_program_opens_the_port),
		TEST_CASE(test_driver_without_multiport_finds_a_plain_port),
		TEST_CASE(test_output_goes_out_in_large_pieces),
		TEST_CASE(test_reset_closes_the_port),
		TEST_CASE(test_port_conforms),
	};
	return TEST_RUN(cases);
}
