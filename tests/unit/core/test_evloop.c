/* The event loop: dispatch, stop, removal in mid-batch. */
#include "test.h"

#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <tinyvm/device.h>
#include <tinyvm/evloop.h>
#include <unistd.h>

struct reader {
	struct evloop *loop;
	struct evloop_fd *handle;
	struct reader *victim; /* removed by the first callback that runs */
	struct device *dev;
	int fd[2];
	unsigned calls;
	bool was_locked;
	bool was_here; /* on the loop's thread */
};

static void reader_call(void *ctx, uint32_t events)
{
	struct reader *r = ctx;
	char c;
	r->calls++;
	if (r->dev) {
		r->was_locked = pthread_mutex_trylock(&r->dev->lock) == EBUSY;
	}
	if ((events & EPOLLIN) && read(r->fd[0], &c, 1) == 1 && c == 'q')
		evloop_stop(r->loop);
	if (r->victim) {
		evloop_remove(r->victim->handle);
		r->victim = NULL;
	}
}

static void reader_init(struct reader *r, struct evloop *loop, struct device *dev)
{
	*r = (struct reader){.loop = loop, .dev = dev};
	if (pipe(r->fd) != 0 ||
	    evloop_add(loop, &r->handle, r->fd[0], EPOLLIN, reader_call, r, dev) != 0)
		abort();
}

static void reader_fini(struct reader *r)
{
	close(r->fd[0]);
	close(r->fd[1]);
}

static void test_evloop_calls_with_the_lock_and_stops(void)
{
	static const struct device_ops ops = {.type = "x"};
	struct device dev;
	struct evloop *loop;
	struct reader r;
	device_init(&dev, &ops, "x");
	CHECK_EQ(evloop_create(&loop), 0);
	reader_init(&r, loop, &dev);
	CHECK_EQ(write(r.fd[1], "aq", 2), 2);
	evloop_run(loop);
	CHECK_EQ(r.calls, 2);
	CHECK(r.was_locked);
	evloop_remove(r.handle);
	evloop_destroy(loop);
	reader_fini(&r);
}

static void test_evloop_stop_before_run_is_not_lost(void)
{
	struct evloop *loop;
	CHECK_EQ(evloop_create(&loop), 0);
	evloop_stop(loop);
	evloop_run(loop);
	evloop_destroy(loop);
}

/* An edge is reported once: whoever was due together with the stop must not lose it. */
static void test_evloop_stop_loses_no_edge(void)
{
	struct evloop *loop;
	struct reader edge;
	CHECK_EQ(evloop_create(&loop), 0);
	evloop_stop(loop); /* ready first */
	edge = (struct reader){.loop = loop};
	CHECK_EQ(pipe(edge.fd), 0);
	CHECK_EQ(evloop_add(loop, &edge.handle, edge.fd[0], EPOLLIN | EPOLLET, reader_call, &edge,
			    NULL),
		 0);
	CHECK_EQ(write(edge.fd[1], ".", 1), 1);
	evloop_run(loop);
	CHECK_EQ(edge.calls, 1);
	evloop_remove(edge.handle);
	evloop_destroy(loop);
	reader_fini(&edge);
}

static void test_evloop_removed_handle_is_not_called_any_more(void)
{
	struct evloop *loop;
	struct reader a, b;
	CHECK_EQ(evloop_create(&loop), 0);
	reader_init(&a, loop, NULL);
	reader_init(&b, loop, NULL);
	a.victim = &b;
	b.victim = &a;
	CHECK_EQ(write(a.fd[1], "q", 1), 1);
	CHECK_EQ(write(b.fd[1], "q", 1), 1);
	evloop_run(loop);
	CHECK_EQ(a.calls + b.calls, 1);
	evloop_remove(a.calls ? a.handle : b.handle);
	evloop_destroy(loop);
	reader_fini(&a);
	reader_fini(&b);
}

static void test_evloop_with_no_events_does_not_spin_on_a_closed_pipe(void)
{
	struct evloop *loop;
	struct reader a, b;
	CHECK_EQ(evloop_create(&loop), 0);
	reader_init(&a, loop, NULL);
	reader_init(&b, loop, NULL);
	evloop_set_events(a.handle, 0);
	close(a.fd[1]); /* EPOLLHUP */
	for (int i = 0; i < 20; i++)
		CHECK_EQ(write(b.fd[1], i < 19 ? "." : "q", 1), 1);
	evloop_run(loop);
	CHECK(a.calls <= 1);
	CHECK_EQ(b.calls, 20);
	evloop_remove(a.handle);
	evloop_remove(b.handle);
	evloop_destroy(loop);
	close(a.fd[0]);
	reader_fini(&b);
}

/* Makes one event after another until one is so soon after work that the loop looks by itself. */
struct looker {
	struct evloop *loop;
	struct evloop_fd *handle;
	struct device dev;
	int fd[2];
	unsigned looks; /* with another to follow */
	bool is_ended;	/* told so after them */
	bool is_removed_early;
	bool was_unlocked;
};

static bool looker_poll(void *ctx, bool is_last)
{
	struct looker *l = ctx;
	l->was_unlocked |= pthread_mutex_trylock(&l->dev.lock) != EBUSY;
	if (is_last && !l->looks)
		return write(l->fd[1], ".", 1) == 1;
	l->looks += !is_last;
	l->is_ended |= is_last;
	if (l->is_removed_early)
		evloop_remove(l->handle);
	if (l->is_removed_early || is_last)
		evloop_stop(l->loop);
	return false;
}

static void looker_init(struct looker *l)
{
	static const struct device_ops ops = {.type = "x"};
	*l = (struct looker){0};
	device_init(&l->dev, &ops, "x");
	if (evloop_create(&l->loop) != 0 || pipe(l->fd) != 0 ||
	    evloop_add(l->loop, &l->handle, l->fd[0], EPOLLIN | EPOLLET, reader_call, l, &l->dev) !=
		    0 ||
	    write(l->fd[1], ".", 1) != 1)
		abort();
	evloop_set_poll(l->handle, looker_poll);
}

static void looker_fini(struct looker *l)
{
	evloop_destroy(l->loop);
	close(l->fd[0]);
	close(l->fd[1]);
}

static void test_evloop_looks_by_itself_for_a_while_after_work(void)
{
	struct looker l;
	looker_init(&l);
	evloop_run(l.loop);
	CHECK(l.looks >= 1);
	CHECK(l.is_ended);
	CHECK(!l.was_unlocked);
	evloop_remove(l.handle);
	looker_fini(&l);
}

static void test_evloop_looks_no_more_at_a_removed_handle(void)
{
	struct looker l;
	looker_init(&l);
	l.is_removed_early = true;
	evloop_run(l.loop);
	evloop_stop(l.loop);
	evloop_run(l.loop);
	CHECK_EQ(l.looks, 1);
	CHECK(!l.is_ended);
	looker_fini(&l);
}

static void test_evloop_refuses_a_regular_file(void)
{
	struct evloop *loop;
	struct evloop_fd *handle;
	char path[] = "/tmp/tinyvm-evloop-XXXXXX";
	int fd = mkstemp(path);
	CHECK(fd >= 0);
	unlink(path);
	CHECK_EQ(evloop_create(&loop), 0);
	CHECK_EQ(evloop_add(loop, &handle, fd, EPOLLIN, reader_call, NULL, NULL), (uint64_t)-EPERM);
	evloop_destroy(loop);
	close(fd);
}

static void note_thread(void *ctx, uint32_t events)
{
	struct reader *r = ctx;
	char c;
	(void)events;
	if (read(r->fd[0], &c, 1) == 1)
		r->was_here = evloop_is_here(r->loop);
}

static void test_evloop_on_a_thread_of_its_own(void)
{
	struct evloop_thread thread = {0};
	struct evloop *loop;
	struct reader r = {0};
	evloop_thread_stop(&thread); /* never started */
	CHECK_EQ(evloop_create(&loop), 0);
	r.loop = loop;
	CHECK_EQ(pipe(r.fd), 0);
	CHECK_EQ(evloop_add(loop, &r.handle, r.fd[0], EPOLLIN, note_thread, &r, NULL), 0);
	for (int i = 0; i < 2; i++) {
		r.was_here = false;
		CHECK_EQ(evloop_thread_start(&thread, loop), 0);
		CHECK_EQ(write(r.fd[1], "x", 1), 1);
		while (poll(&(struct pollfd){.fd = r.fd[0], .events = POLLIN}, 1, 0) > 0)
			sched_yield();
		evloop_thread_stop(&thread);
		CHECK(r.was_here);
		CHECK(!evloop_is_here(loop));
	}
	evloop_remove(r.handle);
	reader_fini(&r);
	evloop_destroy(loop);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_evloop_calls_with_the_lock_and_stops),
		TEST_CASE(test_evloop_stop_before_run_is_not_lost),
		TEST_CASE(test_evloop_stop_loses_no_edge),
		TEST_CASE(test_evloop_removed_handle_is_not_called_any_more),
		TEST_CASE(test_evloop_with_no_events_does_not_spin_on_a_closed_pipe),
		TEST_CASE(test_evloop_looks_by_itself_for_a_while_after_work),
		TEST_CASE(test_evloop_looks_no_more_at_a_removed_handle),
		TEST_CASE(test_evloop_refuses_a_regular_file),
		TEST_CASE(test_evloop_on_a_thread_of_its_own),
	};
	return TEST_RUN(cases);
}
