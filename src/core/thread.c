/* Threads: a mask for signals that is there from their first instruction on. */
#include <signal.h>
#include <tinyvm/thread.h>

static void thread_signal_mask(sigset_t *ret_set)
{
	static const int open[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS};
	sigfillset(ret_set);
	for (unsigned i = 0; i < sizeof(open) / sizeof(open[0]); i++)
		sigdelset(ret_set, open[i]);
}

int thread_start(pthread_t *ret_thread, size_t stack_size, void *(*fn)(void *ctx), void *ctx)
{
	pthread_attr_t attr;
	sigset_t deaf, old;
	int error = pthread_attr_init(&attr);
	if (error)
		return -error;
	if (stack_size)
		pthread_attr_setstacksize(&attr, stack_size);
	thread_signal_mask(&deaf);
	pthread_sigmask(SIG_SETMASK, &deaf, &old);
	error = pthread_create(ret_thread, &attr, fn, ctx);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -error;
}
