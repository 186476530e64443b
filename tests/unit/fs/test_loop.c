/* A shared directory on an event loop of its own: which requests that loop's thread answers. */
#include "fuseclient.h"
#include "nobody.h"
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <tinyvm/evloop.h>
#include <unistd.h>

#define ROOT	  FUSE_ROOT_ID
#define BATCH_MAX 16

/**
 * struct batch - requests that are submitted on the loop's thread and committed together
 * @prompt: how many were answered when commit() returned
 */
struct batch {
	struct fs_req req[BATCH_MAX];
	unsigned count;
	atomic_uint answered;
	unsigned prompt;
	unsigned failed;
	sem_t has_answers;
};

static struct fuseclient c;
static struct batch batch;
static struct evloop_thread thread;
static struct evloop_fd *bell_handle;
static int bell;
static char name[] = "f";

static void batch_done(struct fs_req *req)
{
	batch.failed += req->error != 0;
	if (atomic_fetch_add(&batch.answered, 1) + 1 == batch.count)
		sem_post(&batch.has_answers);
}

static void batch_send(void *ctx, uint32_t events)
{
	(void)ctx, (void)events;
	for (unsigned i = 0; i < batch.count; i++)
		c.fs->ops->submit(c.fs, &batch.req[i]);
	c.fs->ops->commit(c.fs);
	batch.prompt = batch.answered;
}

static void set_up(void)
{
	fuseclient_open(&c, &(struct fs_share_options){.has_own_loop = true, .files_max = 1000});
	host_write(c.dir_fd, "f", "content");
	memset(&batch, 0, sizeof(batch));
	sem_init(&batch.has_answers, 0, 0);
	bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (evloop_add(c.loop, &bell_handle, bell, EPOLLIN | EPOLLET, batch_send, NULL, &c.dev) !=
		    0 ||
	    evloop_thread_start(&thread, c.loop) != 0)
		abort();
}

static void tear_down(void)
{
	evloop_thread_stop(&thread);
	evloop_remove(bell_handle);
	close(bell);
	fuseclient_close(&c);
}

static void batch_put(uint32_t opcode, const void *args, uint32_t args_len)
{
	struct fs_req *req = &batch.req[batch.count++];
	*req = (struct fs_req){
		.header = {.opcode = opcode, .nodeid = ROOT, .unique = batch.count},
		.args = args,
		.args_len = args_len,
		.room = 4096,
		.done = batch_done,
	};
}

/* On the loop's thread; waits for all answers. */
static void batch_run(void)
{
	uint64_t one = 1;
	if (write(bell, &one, sizeof(one)) != sizeof(one))
		abort();
	sem_wait(&batch.has_answers);
	device_lock(&c.dev); /* until batch_send() is through */
	device_unlock(&c.dev);
}

WITH_DEVICE(test_one_request_is_answered_at_once)
{
	batch_put(FUSE_LOOKUP, name, sizeof(name));
	batch_run();
	CHECK_EQ(batch.prompt, 1);
	CHECK_EQ(batch.failed, 0);
}

WITH_DEVICE(test_many_requests_are_shared_out)
{
	for (unsigned i = 0; i < BATCH_MAX; i++)
		batch_put(FUSE_LOOKUP, name, sizeof(name));
	batch_run();
	CHECK(batch.prompt >= 1 && batch.prompt < BATCH_MAX);
	CHECK_EQ(batch.answered, BATCH_MAX);
	CHECK_EQ(batch.failed, 0);
}

WITH_DEVICE(test_what_may_take_long_is_not_for_the_loop)
{
	uint64_t fh;
	/* fuseclient asks from this thread: by way of the pool. */
	CHECK_EQ(fuse_opendir(&c, ROOT, &fh), 0);
	struct fuse_fsync_in in = {.fh = fh};
	batch_put(FUSE_FSYNCDIR, &in, sizeof(in));
	batch_run();
	CHECK_EQ(batch.prompt, 0);
	CHECK_EQ(batch.failed, 0);
}

/* As a device does it when a doorbell comes by way of a vCPU. */
WITH_DEVICE(test_other_threads_leave_it_to_the_pool)
{
	batch_put(FUSE_LOOKUP, name, sizeof(name));
	device_lock(&c.dev);
	c.fs->ops->submit(c.fs, &batch.req[0]);
	c.fs->ops->commit(c.fs);
	CHECK_EQ(batch.answered, 0);
	device_unlock(&c.dev);
	sem_wait(&batch.has_answers);
	CHECK_EQ(batch.failed, 0);
}

/* The thread's working directory is its own then, and nobody else's. */
WITH_DEVICE(test_other_threads_keep_their_directory)
{
	char before[4096], after[4096];
	CHECK(getcwd(before, sizeof(before)) != NULL);
	batch_put(FUSE_LOOKUP, name, sizeof(name));
	batch_run();
	CHECK(getcwd(after, sizeof(after)) != NULL);
	CHECK_STR(before, after);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_one_request_is_answered_at_once),
		TEST_CASE(test_many_requests_are_shared_out),
		TEST_CASE(test_what_may_take_long_is_not_for_the_loop),
		TEST_CASE(test_other_threads_leave_it_to_the_pool),
		TEST_CASE(test_other_threads_keep_their_directory),
	};
	return NOBODY_RUN(cases);
}
