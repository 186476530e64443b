/*
 * A character backend: where a serial port's or a virtio-console's bytes go to and come from.
 *
 * The two ends: a backend (src/chardev: the terminal, a file) implements struct chardev_ops; a
 * device model attaches itself as the client. Bytes for the client arrive with the client device's
 * lock held: on the event loop's thread, or when it says that it has room.
 */
#ifndef TINYVM_CHARDEV_H
#define TINYVM_CHARDEV_H

#include <stddef.h>
#include <stdint.h>

struct chardev;
struct device;

/**
 * struct chardev_client - the device model's end
 * @room:     how many bytes receive() would take now
 * @receive:  input, never more than room() allowed
 * @writable: after a short chardev_write(): there is room again
 * @resized:  the host window has @cols x @rows now; NULL when the device cannot tell its guest
 */
struct chardev_client {
	size_t (*room)(void *ctx);
	void (*receive)(void *ctx, const uint8_t *buf, size_t len);
	void (*writable)(void *ctx);
	void (*resized)(void *ctx, uint16_t cols, uint16_t rows);
};

/**
 * struct chardev_ops - the backend's end
 * @attach: remember the client, with the device whose lock guards it; NULLs detach. Tells the
 *          client the window's size at once. Context: the loop does not run, the lock is not held
 * @write:  take up to @len bytes without blocking; returns how many
 * @resume: the client has room again after it had none; may deliver at once
 * @destroy: write out what is buffered as far as the sink takes it, then free
 */
struct chardev_ops {
	void (*attach)(struct chardev *cd, const struct chardev_client *client, void *ctx,
		       struct device *dev);
	size_t (*write)(struct chardev *cd, const uint8_t *buf, size_t len);
	void (*resume)(struct chardev *cd);
	void (*destroy)(struct chardev *cd);
};

struct chardev {
	const struct chardev_ops *ops;
};

/* NULL @cd is a port with nothing plugged in: writes vanish, nothing ever arrives. */
static inline void chardev_attach(struct chardev *cd, const struct chardev_client *client,
				  void *ctx, struct device *dev)
{
	if (cd)
		cd->ops->attach(cd, client, ctx, dev);
}

/* Context: the client device's lock is held; any thread. */
static inline size_t chardev_write(struct chardev *cd, const uint8_t *buf, size_t len)
{
	return cd ? cd->ops->write(cd, buf, len) : len;
}

static inline void chardev_resume(struct chardev *cd)
{
	if (cd)
		cd->ops->resume(cd);
}

static inline void chardev_destroy(struct chardev *cd)
{
	if (cd)
		cd->ops->destroy(cd);
}

#endif
