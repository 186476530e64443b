/* The pool of threads. */
#include "test.h"
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <tinyvm/pool.h>
#include <unistd.h>

#define JOBS 500

/* A gate that run() waits at, and what passes it. */
struct gate {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	unsigned waiting;
	bool is_open;
};

struct job {
	struct work work;
	struct pool *pool;
	struct gate *gate;
	unsigned runs, dones;
	unsigned again; /* how often done() submits it once more */
	void *thread;
	sigset_t blocked;
};

static void gate_pass(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	gate->waiting++;
	pthread_cond_broadcast(&gate->moved);
	while (!gate->is_open)
		pthread_cond_wait(&gate->moved, &gate->lock);
	gate->waiting--;
	pthread_mutex_unlock(&gate->lock);
}

static void gate_await(struct gate *gate, unsigned waiting)
{
	pthread_mutex_lock(&gate->lock);
	while (gate->waiting < waiting)
		pthread_cond_wait(&gate->moved, &gate->lock);
	pthread_mutex_unlock(&gate->lock);
}

static void gate_open(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	gate->is_open = true;
	pthread_cond_broadcast(&gate->moved);
	pthread_mutex_unlock(&gate->lock);
}

static void run(struct work *work, void *thread)
{
	struct job *job = (struct job *)work;
	job->runs++;
	job->thread = thread;
	pthread_sigmask(SIG_SETMASK, NULL, &job->blocked);
	if (job->gate)
		gate_pass(job->gate);
}

static void done(struct work *work)
{
	struct job *job = (struct job *)work;
	job->dones++;
	if (job->again) {
		job->again--;
		pool_submit(job->pool, work);
	}
}

static void job_submit(struct job *job, struct pool *pool)
{
	job->work.run = run;
	job->work.done = done;
	job->pool = pool;
	pool_submit(pool, &job->work);
}

static void drain(struct pool *pool)
{
	while (pool_is_busy(pool)) {
		pool_commit(pool);
		pool_wait(pool);
		pool_reap(pool);
	}
}

static unsigned threads_begun, threads_ended;

static void *thread_init(void *ctx)
{
	__atomic_fetch_add(&threads_begun, 1, __ATOMIC_SEQ_CST);
	return ctx;
}

static void thread_fini(void *thread)
{
	(void)thread;
	__atomic_fetch_add(&threads_ended, 1, __ATOMIC_SEQ_CST);
}

static void test_all_work_runs_once_and_is_done_once(void)
{
	static struct job job[JOBS];
	struct pool_options opt = {.threads_max = 4};
	struct pool *pool;
	memset(job, 0, sizeof(job));
	CHECK_EQ(pool_create(&pool, &opt), 0);
	for (unsigned i = 0; i < JOBS; i++) {
		job_submit(&job[i], pool);
		if (i % 7 == 0)
			pool_commit(pool);
		if (i % 31 == 0)
			pool_reap(pool);
	}
	drain(pool);
	for (unsigned i = 0; i < JOBS; i++) {
		CHECK_EQ(job[i].runs, 1);
		CHECK_EQ(job[i].dones, 1);
	}
	pool_destroy(pool);
}

static void test_descriptor_is_readable_while_there_is_something_to_reap(void)
{
	struct pool_options opt = {.threads_max = 2};
	struct pool *pool;
	struct job job = {0};
	CHECK_EQ(pool_create(&pool, &opt), 0);
	struct pollfd p = {.fd = pool_fd(pool), .events = POLLIN};
	CHECK_EQ(poll(&p, 1, 0), 0);
	job_submit(&job, pool);
	CHECK_EQ(job.runs, 0); /* nothing happens before the commit */
	CHECK(pool_is_busy(pool));
	pool_commit(pool);
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EQ(pool_reap(pool), 1);
	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK(!pool_is_busy(pool));
	pool_destroy(pool);
}

static void test_work_that_blocks_gets_threads_up_to_the_limit(void)
{
	struct pool_options opt = {.threads_max = 3,
				   .thread_init = thread_init,
				   .thread_fini = thread_fini,
				   .ctx = &opt};
	struct gate gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};
	struct pool *pool;
	struct job job[6] = {{.work = {0}}};
	threads_begun = threads_ended = 0;
	CHECK_EQ(pool_create(&pool, &opt), 0);
	for (unsigned i = 0; i < 6; i++) {
		job[i].gate = &gate;
		job_submit(&job[i], pool);
		pool_commit(pool);
	}
	gate_await(&gate, 3);
	CHECK_EQ(__atomic_load_n(&threads_begun, __ATOMIC_SEQ_CST), 3);
	gate_open(&gate);
	drain(pool);
	for (unsigned i = 0; i < 6; i++) {
		CHECK_EQ(job[i].dones, 1);
		CHECK(job[i].thread == &opt);
	}
	pool_destroy(pool);
	CHECK_EQ(threads_ended, 3);
}

static void test_work_may_be_submitted_again_from_done(void)
{
	struct pool_options opt = {.threads_max = 2};
	struct pool *pool;
	struct job job = {.again = 4};
	CHECK_EQ(pool_create(&pool, &opt), 0);
	job_submit(&job, pool);
	drain(pool);
	CHECK_EQ(job.dones, 5);
	pool_destroy(pool);
}

static void test_threads_are_deaf_to_all_signals_but_crashes(void)
{
	struct pool_options opt = {.threads_max = 1};
	struct pool *pool;
	struct job job = {0};
	CHECK_EQ(pool_create(&pool, &opt), 0);
	job_submit(&job, pool);
	drain(pool);
	CHECK(sigismember(&job.blocked, SIGTERM));
	CHECK(sigismember(&job.blocked, SIGXFSZ));
	CHECK(!sigismember(&job.blocked, SIGSEGV));
	CHECK(!sigismember(&job.blocked, SIGSYS));
	pool_destroy(pool);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_all_work_runs_once_and_is_done_once),
		TEST_CASE(test_descriptor_is_readable_while_there_is_something_to_reap),
		TEST_CASE(test_work_that_blocks_gets_threads_up_to_the_limit),
		TEST_CASE(test_work_may_be_submitted_again_from_done),
		TEST_CASE(test_threads_are_deaf_to_all_signals_but_crashes),
	};
	return TEST_RUN(cases);
}
