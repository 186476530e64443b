/*
 * Block requests through threads, for kernels and sandboxes without io_uring, and for what an
 * io_uring cannot do. Threads start when there is work for them, up to WORKERS_MAX.
 *
 * A thread sees @file, the queue and the finished list, the latter two under @lock; it calls no
 * done(): that is for workers_reap(), under the device's lock.
 */
#include "raw.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <tinyvm/thread.h>
#include <unistd.h>

#define WORKERS_MAX	   4
#define WORKERS_STACK_SIZE ((size_t)256 << 10)

/**
 * struct workers - a pool
 * @batch:    submitted, not handed over yet (device's lock)
 * @inflight: submitted, done() not called yet (device's lock)
 * @queue:    for the threads; @queued of them
 * @finished: for workers_reap()
 * @idle:     threads that wait for work
 */
struct workers {
	struct raw_file *file;
	int event_fd;
	struct req_fifo batch;
	unsigned inflight;
	pthread_t thread[WORKERS_MAX];
	unsigned thread_count;

	pthread_mutex_t lock; /* of everything below */
	pthread_cond_t has_queue;
	pthread_cond_t has_finished;
	struct req_fifo queue;
	unsigned queued;
	struct req_fifo finished;
	unsigned idle;
	bool is_stopping;
};

static void workers_finish(struct workers *pool, struct block_req *req, int result)
{
	pthread_mutex_lock(&pool->lock);
	bool was_empty = !pool->finished.head;
	req->result = result;
	req_fifo_put(&pool->finished, req);
	pthread_cond_signal(&pool->has_finished);
	pthread_mutex_unlock(&pool->lock);
	uint64_t one = 1;
	if (was_empty)
		while (write(pool->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
			;
}

static void *workers_main(void *arg)
{
	struct workers *pool = arg;
	pthread_mutex_lock(&pool->lock);
	for (;;) {
		pool->idle++;
		while (!pool->queue.head && !pool->is_stopping)
			pthread_cond_wait(&pool->has_queue, &pool->lock);
		pool->idle--;
		struct block_req *req = req_fifo_get(&pool->queue);
		if (!req)
			break;
		pool->queued--;
		pthread_mutex_unlock(&pool->lock);

		workers_finish(pool, req, raw_sync(pool->file, req));
		pthread_mutex_lock(&pool->lock);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

static int workers_start_thread(struct workers *pool)
{
	int error = thread_start(&pool->thread[pool->thread_count], WORKERS_STACK_SIZE,
				 workers_main, pool);
	if (!error)
		pool->thread_count++;
	return error;
}

int workers_create(struct workers **ret_pool, struct raw_file *file, bool is_started)
{
	struct workers *pool = calloc(1, sizeof(*pool));
	if (!pool)
		return -ENOMEM;
	pool->file = file;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->has_queue, NULL);
	pthread_cond_init(&pool->has_finished, NULL);
	pool->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int ret = pool->event_fd < 0 ? -errno : 0;
	if (ret == 0 && is_started)
		ret = workers_start_thread(pool);
	if (ret != 0) {
		workers_destroy(pool);
		return ret;
	}
	*ret_pool = pool;
	return 0;
}

void workers_destroy(struct workers *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->is_stopping = true;
	pthread_cond_broadcast(&pool->has_queue);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->thread_count; i++)
		pthread_join(pool->thread[i], NULL);
	if (pool->event_fd >= 0)
		close(pool->event_fd);
	pthread_cond_destroy(&pool->has_finished);
	pthread_cond_destroy(&pool->has_queue);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

int workers_fd(const struct workers *pool)
{
	return pool->event_fd;
}

void workers_submit(struct workers *pool, struct block_req *req)
{
	req_fifo_put(&pool->batch, req);
	pool->inflight++;
}

bool workers_is_busy(const struct workers *pool)
{
	return pool->inflight;
}

bool workers_has_work(const struct workers *pool)
{
	return pool->batch.head;
}

/* No thread at all is to be had: the requests fail, by the same way as the others complete. */
static void workers_fail_batch(struct workers *pool, int error)
{
	for (struct block_req *req; (req = req_fifo_get(&pool->batch));)
		workers_finish(pool, req, error);
}

void workers_enter(struct workers *pool)
{
	if (!pool->batch.head)
		return;
	if (pool->thread_count == 0) {
		int ret = workers_start_thread(pool);
		if (ret != 0) {
			workers_fail_batch(pool, ret);
			return;
		}
	}
	pthread_mutex_lock(&pool->lock);
	for (struct block_req *req; (req = req_fifo_get(&pool->batch));) {
		req_fifo_put(&pool->queue, req);
		pool->queued++;
	}
	unsigned queued = pool->queued, idle = pool->idle;
	pthread_cond_broadcast(&pool->has_queue);
	pthread_mutex_unlock(&pool->lock);

	/* More threads for what the idle ones will not take; those there are must do if not. */
	for (; queued > idle && pool->thread_count < WORKERS_MAX; idle++) {
		if (workers_start_thread(pool) != 0)
			break;
	}
}

void workers_wait(struct workers *pool)
{
	pthread_mutex_lock(&pool->lock);
	while (!pool->finished.head)
		pthread_cond_wait(&pool->has_finished, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
}

static struct block_req *workers_get_finished(struct workers *pool)
{
	pthread_mutex_lock(&pool->lock);
	struct block_req *req = req_fifo_get(&pool->finished);
	pthread_mutex_unlock(&pool->lock);
	return req;
}

unsigned workers_reap(struct workers *pool)
{
	uint64_t ignored;
	unsigned count = 0;
	/* The event first: what finishes after the list was empty must make it readable again. */
	if (read(pool->event_fd, &ignored, sizeof(ignored)) < 0 && errno != EAGAIN)
		return 0;
	/* One at a time: done() may end up in here again (a drain). */
	for (struct block_req *req; (req = workers_get_finished(pool)); count++) {
		pool->inflight--;
		req->done(req, req->result);
	}
	return count;
}
