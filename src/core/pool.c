/*
 * A pool of threads. Work goes through three lists: submitted (the owner's), queued and finished
 * (under the pool's lock, which the threads take too). An eventfd tells of the first finished one.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <tinyvm/pool.h>
#include <tinyvm/thread.h>
#include <unistd.h>

#define POOL_STACK_SIZE ((size_t)256 << 10)

struct work_fifo {
	struct work *head, *tail;
};

/**
 * struct pool - threads and what is on its way through them
 * @batch:    submitted, not handed over yet (owner's lock)
 * @inflight: submitted, done() not called yet (owner's lock)
 * @queue:    for the threads; @queued of them
 * @idle:     threads that wait for work, or have been woken and not run yet
 */
struct pool {
	struct pool_options opt;
	int event_fd;
	struct work_fifo batch;
	unsigned inflight;
	pthread_t thread[POOL_THREADS_MAX];
	unsigned thread_count;

	pthread_mutex_t lock; /* of everything below */
	pthread_cond_t has_queue;
	pthread_cond_t has_finished;
	struct work_fifo queue;
	unsigned queued;
	struct work_fifo finished;
	unsigned idle;
	bool is_stopping;
};

static void work_fifo_put(struct work_fifo *fifo, struct work *work)
{
	work->next = NULL;
	if (fifo->head)
		fifo->tail->next = work;
	else
		fifo->head = work;
	fifo->tail = work;
}

static struct work *work_fifo_get(struct work_fifo *fifo)
{
	struct work *work = fifo->head;
	if (work)
		fifo->head = work->next;
	return work;
}

static void pool_finish(struct pool *pool, struct work *work)
{
	pthread_mutex_lock(&pool->lock);
	bool was_empty = !pool->finished.head;
	work_fifo_put(&pool->finished, work);
	pthread_cond_signal(&pool->has_finished);
	pthread_mutex_unlock(&pool->lock);
	uint64_t one = 1;
	if (was_empty)
		while (write(pool->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
			;
}

static void *pool_main(void *arg)
{
	struct pool *pool = arg;
	void *thread = pool->opt.thread_init ? pool->opt.thread_init(pool->opt.ctx) : NULL;

	pthread_mutex_lock(&pool->lock);
	for (;;) {
		while (!pool->queue.head && !pool->is_stopping) {
			pool->idle++;
			pthread_cond_wait(&pool->has_queue, &pool->lock);
			pool->idle--;
		}
		struct work *work = work_fifo_get(&pool->queue);
		if (!work)
			break;
		pool->queued--;
		pthread_mutex_unlock(&pool->lock);

		work->run(work, thread);
		pool_finish(pool, work);
		pthread_mutex_lock(&pool->lock);
	}
	pthread_mutex_unlock(&pool->lock);
	if (pool->opt.thread_fini)
		pool->opt.thread_fini(thread);
	return NULL;
}

static int pool_start_thread(struct pool *pool)
{
	int error =
		thread_start(&pool->thread[pool->thread_count], POOL_STACK_SIZE, pool_main, pool);
	if (!error)
		pool->thread_count++;
	return error;
}

int pool_create(struct pool **ret_pool, const struct pool_options *opt)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	if (!pool)
		return -ENOMEM;
	pool->opt = *opt;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->has_queue, NULL);
	pthread_cond_init(&pool->has_finished, NULL);
	pool->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int ret = pool->event_fd < 0 ? -errno : pool_start_thread(pool);
	if (ret != 0) {
		pool_destroy(pool);
		return ret;
	}
	*ret_pool = pool;
	return 0;
}

void pool_destroy(struct pool *pool)
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

int pool_fd(const struct pool *pool)
{
	return pool->event_fd;
}

void pool_submit(struct pool *pool, struct work *work)
{
	work_fifo_put(&pool->batch, work);
	pool->inflight++;
}

bool pool_is_busy(const struct pool *pool)
{
	return pool->inflight;
}

void pool_commit(struct pool *pool)
{
	if (!pool->batch.head)
		return;
	pthread_mutex_lock(&pool->lock);
	for (struct work *work; (work = work_fifo_get(&pool->batch));) {
		work_fifo_put(&pool->queue, work);
		pool->queued++;
		pthread_cond_signal(&pool->has_queue);
	}
	unsigned queued = pool->queued, idle = pool->idle;
	pthread_mutex_unlock(&pool->lock);

	/* More threads for what the idle ones will not take; those there are must do if not. */
	for (; queued > idle && pool->thread_count < pool->opt.threads_max; idle++) {
		if (pool_start_thread(pool) != 0)
			break;
	}
}

void pool_wait(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	while (!pool->finished.head)
		pthread_cond_wait(&pool->has_finished, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
}

static struct work *pool_get_finished(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	struct work *work = work_fifo_get(&pool->finished);
	pthread_mutex_unlock(&pool->lock);
	return work;
}

unsigned pool_reap(struct pool *pool)
{
	uint64_t ignored;
	unsigned count = 0;
	/* The event first: what finishes after the list was empty must make it readable again. */
	if (read(pool->event_fd, &ignored, sizeof(ignored)) < 0 && errno != EAGAIN)
		return 0;
	/* One at a time: done() may end up in here again (a drain). */
	for (struct work *work; (work = pool_get_finished(pool)); count++) {
		pool->inflight--;
		work->done(work);
	}
	return count;
}
