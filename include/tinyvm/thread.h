/* Starting threads that leave the process's signals to the main thread. */
#ifndef TINYVM_THREAD_H
#define TINYVM_THREAD_H

#include <pthread.h>
#include <stddef.h>

/**
 * thread_start() - a thread that takes no signal but those that mean a crash of its own
 * @stack_size: 0 for the system's
 *
 * Those are left to it since who handles them restores the terminal. Return: 0 or -errno, -EAGAIN
 * when no thread is to be had.
 */
int thread_start(pthread_t *ret_thread, size_t stack_size, void *(*fn)(void *ctx), void *ctx)
	__attribute__((warn_unused_result));

#endif
