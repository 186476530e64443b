/* The head of every device, and the lock its dispatchers hold. */
#include <string.h>
#include <tinyvm/device.h>
#include <tinyvm/state.h>

void device_init(struct device *dev, const struct device_ops *ops, const char *id)
{
	dev->ops = ops;
	dev->id = id;
	pthread_mutex_init(&dev->lock, NULL);
}

void device_lock(struct device *dev)
{
	pthread_mutex_lock(&dev->lock);
}

void device_unlock(struct device *dev)
{
	pthread_mutex_unlock(&dev->lock);
}

void device_reset(struct device *dev)
{
	device_lock(dev);
	dev->ops->reset(dev);
	device_unlock(dev);
}

void device_state(struct device *dev, struct state *st)
{
	device_lock(dev);
	state_begin(st, dev->ops->type, dev->id, dev->ops->version);
	dev->ops->state(dev, st);
	state_end(st);
	device_unlock(dev);
}

void device_quiesce(struct device *dev)
{
	if (!dev->ops->quiesce)
		return;
	device_lock(dev);
	dev->ops->quiesce(dev);
	device_unlock(dev);
}

void device_resume(struct device *dev)
{
	if (!dev->ops->resume)
		return;
	device_lock(dev);
	dev->ops->resume(dev);
	device_unlock(dev);
}

void device_destroy(struct device *dev)
{
	if (!dev)
		return;
	pthread_mutex_destroy(&dev->lock);
	dev->ops->destroy(dev);
}
