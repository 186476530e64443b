/*
 * A pool of threads for work that blocks, such as file I/O, on behalf of an event loop.
 *
 * The owner submits work and reaps what is finished, both under one lock of its own (a device's);
 * only run() happens on the pool's threads. Threads start when there is work for them.
 */
#ifndef TINYVM_POOL_H
#define TINYVM_POOL_H

#include <stdbool.h>

struct pool;

/**
 * struct work - one piece of work, the submitter's until done() has been called
 * @run:  on one of the pool's threads; @thread is what thread_init() returned there
 * @done: within pool_reap()
 * @next: the pool's, while the work is with it
 */
struct work {
	void (*run)(struct work *work, void *thread);
	void (*done)(struct work *work);
	struct work *next;
};

/**
 * struct pool_options - what a pool is to be
 * @threads_max: 1 to POOL_THREADS_MAX
 * @thread_init: first thing on each thread; what it returns goes to run(). NULL for nothing
 * @thread_fini: last thing, with that. NULL for nothing
 * @ctx:         for @thread_init
 */
struct pool_options {
	unsigned threads_max;
	void *(*thread_init)(void *ctx);
	void (*thread_fini)(void *thread);
	void *ctx;
};

#define POOL_THREADS_MAX 16

/**
 * pool_create() - a pool, with its first thread, so that there always is one
 * Return: 0, -ENOMEM, -EAGAIN when no thread is to be had, -EMFILE.
 */
int pool_create(struct pool **ret_pool, const struct pool_options *opt)
	__attribute__((warn_unused_result));

/* Nothing may be in flight. NULL is fine. */
void pool_destroy(struct pool *pool);

/* Readable while finished work waits to be reaped. */
int pool_fd(const struct pool *pool);

/* Takes @work; pool_commit() hands over what was submitted since the last time. */
void pool_submit(struct pool *pool, struct work *work);
void pool_commit(struct pool *pool);

/* Is there work submitted that has not been reaped? */
bool pool_is_busy(const struct pool *pool);

/* Until something can be reaped; only when busy, and all of it committed. */
void pool_wait(struct pool *pool);

/* Calls done() of what has finished, which may submit more. Return: how often. */
unsigned pool_reap(struct pool *pool);

#endif
