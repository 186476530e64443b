/* A serial port that is listened to and typed at. */
#include "listen.h"
#include "test.h"

#include <tinyvm/device.h>

static struct {
	struct chardev below;
	struct device dev;
	char sent[100], heard[100], received[100];
	size_t below_room, room;
	unsigned attached, resumed, destroyed;
	const struct chardev_client *client;
} t;

static void below_attach(struct chardev *cd, const struct chardev_client *client, void *ctx,
			 struct device *dev)
{
	(void)cd, (void)ctx, (void)dev;
	t.client = client;
	t.attached++;
}

static size_t below_write(struct chardev *cd, const uint8_t *buf, size_t len)
{
	(void)cd;
	if (len > t.below_room)
		len = t.below_room;
	strncat(t.sent, (const char *)buf, len);
	return len;
}

static void below_resume(struct chardev *cd)
{
	(void)cd;
	t.resumed++;
}

static void below_destroy(struct chardev *cd)
{
	(void)cd;
	t.destroyed++;
}

static const struct chardev_ops below_ops = {
	.attach = below_attach,
	.write = below_write,
	.resume = below_resume,
	.destroy = below_destroy,
};

static void heard(void *ctx, const uint8_t *buf, size_t len)
{
	(void)ctx;
	strncat(t.heard, (const char *)buf, len);
}

static size_t guest_room(void *ctx)
{
	(void)ctx;
	return t.room;
}

static void guest_receive(void *ctx, const uint8_t *buf, size_t len)
{
	(void)ctx;
	strncat(t.received, (const char *)buf, len);
}

static const struct chardev_client guest = {.room = guest_room, .receive = guest_receive};

static void set_up(void)
{
	static const struct device_ops ops = {.type = "test"};
	memset(&t, 0, sizeof(t));
	t.below.ops = &below_ops;
	t.below_room = 100;
	t.room = 100;
	device_init(&t.dev, &ops, "dev");
}

static void test_what_went_out_is_heard(void)
{
	struct listen l;
	set_up();
	listen_init(&l, &t.below, heard, NULL);
	chardev_attach(&l.cd, &guest, NULL, &t.dev);
	CHECK_EQ(t.attached, 1);
	CHECK(t.client == &guest); /* the terminal types, too */
	t.below_room = 3;
	CHECK_EQ(chardev_write(&l.cd, (const uint8_t *)"hello", 5), 3);
	CHECK_STR(t.sent, "hel");
	CHECK_STR(t.heard, "hel");
	chardev_resume(&l.cd);
	CHECK_EQ(t.resumed, 1);
	chardev_destroy(&l.cd);
	CHECK_EQ(t.destroyed, 1);
}

static void test_nothing_below(void)
{
	struct listen l;
	set_up();
	listen_init(&l, NULL, heard, NULL);
	chardev_attach(&l.cd, &guest, NULL, &t.dev);
	CHECK_EQ(chardev_write(&l.cd, (const uint8_t *)"hello", 5), 5);
	CHECK_STR(t.heard, "hello");
	chardev_resume(&l.cd);
	chardev_destroy(&l.cd);
}

static void test_typing_as_much_as_there_is_room_for(void)
{
	struct listen l;
	set_up();
	listen_init(&l, NULL, heard, NULL);
	CHECK_EQ(listen_type(&l, "early", 5), 0);
	chardev_attach(&l.cd, &guest, NULL, &t.dev);
	t.room = 2;
	CHECK_EQ(listen_type(&l, "dir\n", 4), 2);
	t.room = 0;
	CHECK_EQ(listen_type(&l, "r\n", 2), 0);
	t.room = 9;
	CHECK_EQ(listen_type(&l, "r\n", 2), 2);
	CHECK_STR(t.received, "dir\n");
	chardev_attach(&l.cd, NULL, NULL, NULL);
	CHECK_EQ(listen_type(&l, "late", 4), 0);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_what_went_out_is_heard),
		TEST_CASE(test_nothing_below),
		TEST_CASE(test_typing_as_much_as_there_is_room_for),
	};
	return TEST_RUN(cases);
}
