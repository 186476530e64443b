/*
 * A shared directory as a server: opening it, the way of requests to the pool's threads and back,
 * and those that wait for file locks.
 *
 * A waiting request is out of the pool. It gets another try when a request of this share may have
 * given up a lock, and every RETRY_NS for locks of others.
 */
#include "request.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <tinyvm/err.h>
#include <tinyvm/evloop.h>
#include <unistd.h>

#define RETRY_NS	20000000
#define QUICK_MAX	4	     /* requests at a time that the loop's thread takes itself */
#define QUICK_BYTES_MAX (128u << 10) /* of their data */
#define QUICK_NS	2000000	     /* what takes longer is waiting for something */
#define POOLED_COUNT	64
#define FILES_MIN	128
#define FILES_MAX	65536 /* a share's: what an inode costs the host is kernel memory */
#define FILES_OF_OTHERS 256   /* of the machine's other parts */

static struct share *share_of(struct fs *fs)
{
	return (struct share *)fs;
}

bool share_name_is_good(const char *name)
{
	return *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

void share_end_session(struct share *share)
{
	handle_table_clear(share);
	inode_table_clear(share);
	share->is_running = false;
}

/* Requests that wait. */

static void share_set_timer(struct share *share, bool is_on)
{
	struct itimerspec when = {.it_value.tv_nsec = is_on ? RETRY_NS : 0,
				  .it_interval.tv_nsec = is_on ? RETRY_NS : 0};
	timerfd_settime(share->timer_fd, 0, &when, NULL);
}

static void share_wait(struct share *share, struct fs_req *req)
{
	if (share->waiting_count++ == 0)
		share_set_timer(share, true);
	req->is_waiting = true;
}

static void share_wake(struct share *share, struct fs_req *req)
{
	if (--share->waiting_count == 0)
		share_set_timer(share, false);
	req->is_waiting = false;
}

static void share_unlink_waiter(struct share *share, struct fs_req *req)
{
	struct fs_req **link = &share->waiters;
	while (*link != req)
		link = &(*link)->next;
	*link = req->next;
}

static void share_retry(struct share *share)
{
	share->is_retry_due = false;
	for (struct fs_req *req = share->waiters; req; req = req->next) {
		if (!req->is_waiting)
			continue;
		share_wake(share, req);
		pool_submit(share->pool, &req->work);
	}
	pool_commit(share->pool);
}

/* The way back. */

static void share_finish(struct fs_req *req)
{
	void *buffer = req->buffer; /* afterwards @req may be another request */
	req->buffer = NULL;
	if (req->error != 0)
		req->reply_len = 0;
	req->done(req);
	free(buffer);
}

/* A try at a lock has come back. Return: whether it goes on. */
static bool share_goes_on(struct share *share, struct fs_req *req)
{
	if (req->error == -EAGAIN) {
		if (req->is_interrupted)
			req->error = -EINTR;
		else if (share->is_draining)
			req->error = -ERESTART;
		else if (share->waiting_count >= FS_WAITING_MAX)
			req->error = -ENOLCK;
		else
			return true;
	}
	return false;
}

static void share_done(struct work *work)
{
	struct fs_req *req = (struct fs_req *)((char *)work - offsetof(struct fs_req, work));
	struct share *share = share_of(req->fs);
	uint32_t opcode = req->header.opcode;

	if (opcode == FUSE_SETLKW) {
		if (share_goes_on(share, req)) {
			share_wait(share, req);
			return;
		}
		share_unlink_waiter(share, req);
		file_lock_wait_end(share, req);
	}
	share->is_retry_due |= opcode == FUSE_SETLK || opcode == FUSE_SETLKW ||
			       opcode == FUSE_FLUSH || opcode == FUSE_RELEASE;
	share_finish(req);
}

static void share_run(struct work *work, void *thread)
{
	struct fs_req *req = (struct fs_req *)((char *)work - offsetof(struct fs_req, work));
	request_run(share_of(req->fs), thread, req);
}

static void share_reap(struct share *share)
{
	unsigned count = pool_reap(share->pool);
	if (share->is_retry_due && !share->is_draining)
		share_retry(share);
	if (count && share->fs.batch_done)
		share->fs.batch_done(share->fs.batch_ctx);
}

static void share_pool_ready(void *ctx, uint32_t events)
{
	(void)events;
	share_reap(ctx);
}

static void share_timer_ready(void *ctx, uint32_t events)
{
	struct share *share = ctx;
	uint64_t ignored;
	(void)events;
	if (read(share->timer_fd, &ignored, sizeof(ignored)) == sizeof(ignored))
		share_retry(share);
}

/* The contract. */

static int share_attach(struct fs *fs, struct evloop *loop, struct device *dev)
{
	struct share *share = share_of(fs);
	evloop_remove(share->pool_handle);
	evloop_remove(share->timer_handle);
	share->pool_handle = share->timer_handle = NULL;
	share->loop = loop;
	share->has_loop_thread = false;
	if (!loop)
		return 0;
	int ret = evloop_add(loop, &share->pool_handle, pool_fd(share->pool), EPOLLIN,
			     share_pool_ready, share, dev);
	if (ret == 0)
		ret = evloop_add(loop, &share->timer_handle, share->timer_fd, EPOLLIN,
				 share_timer_ready, share, dev);
	return ret;
}

/* Is it one for the loop's thread, and is that where we are? */
static bool share_is_quick(struct share *share, const struct fs_req *req)
{
	if (!share->opt.has_own_loop || !request_is_quick(req) || req->data_len > QUICK_BYTES_MAX ||
	    !evloop_is_here(share->loop))
		return false;
	if (!share->pooled)
		return true;
	share->pooled--;
	return false;
}

static void share_submit(struct fs *fs, struct fs_req *req)
{
	struct share *share = share_of(fs);
	req->fs = fs;
	req->is_waiting = req->is_interrupted = false;
	req->work.run = share_run;
	req->work.done = share_done;
	if (req->header.opcode == FUSE_SETLKW) {
		req->next = share->waiters;
		share->waiters = req;
	}
	if (!share_is_quick(share, req)) {
		pool_submit(share->pool, &req->work);
		return;
	}
	req->next = NULL;
	if (share->quick_head)
		share->quick_tail->next = req;
	else
		share->quick_head = req;
	share->quick_tail = req;
}

static struct fs_req *share_get_quick(struct share *share)
{
	struct fs_req *req = share->quick_head;
	if (req)
		share->quick_head = req->next;
	return req;
}

static uint64_t share_now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/*
 * To wake a thread of the pool, and be woken by it, costs more than most requests do: the first few
 * are run right here, while others are on their way in the pool. Should they have to wait for the
 * host's disk or network, the pool is the better place for a while.
 */
static void share_run_quick(struct share *share)
{
	struct fs_req *mine[QUICK_MAX], *req;
	unsigned count = 0;
	uint32_t bytes = 0;

	while (count < QUICK_MAX && (req = share_get_quick(share))) {
		if (count && bytes + req->data_len > QUICK_BYTES_MAX) {
			pool_submit(share->pool, &req->work);
			break;
		}
		bytes += req->data_len;
		mine[count++] = req;
	}
	while ((req = share_get_quick(share)))
		pool_submit(share->pool, &req->work);
	pool_commit(share->pool);
	if (!count)
		return;
	if (!share->has_loop_thread) {
		thread_begin(&share->loop_thread, share);
		share->has_loop_thread = true;
	}
	uint64_t begin = share_now_ns();
	for (unsigned i = 0; i < count; i++)
		request_run(share, &share->loop_thread, mine[i]);
	if (share_now_ns() - begin > QUICK_NS * count)
		share->pooled = POOLED_COUNT;
	for (unsigned i = 0; i < count; i++)
		share_done(&mine[i]->work);
	if (share->is_retry_due && !share->is_draining)
		share_retry(share);
}

static void share_commit(struct fs *fs)
{
	share_run_quick(share_of(fs));
}

static void share_interrupt(struct fs *fs, uint64_t unique)
{
	struct share *share = share_of(fs);
	for (struct fs_req *req = share->waiters; req; req = req->next) {
		if (req->header.unique == unique)
			req->is_interrupted = true;
	}
	share_retry(share);
}

static void share_drain(struct fs *fs)
{
	struct share *share = share_of(fs);
	bool was_draining = share->is_draining;
	share->is_draining = true; /* whoever has to wait comes back */
	share_retry(share);
	while (pool_is_busy(share->pool)) {
		pool_commit(share->pool);
		pool_wait(share->pool);
		share_reap(share);
	}
	share->is_draining = was_draining;
}

static void share_reset(struct fs *fs)
{
	struct share *share = share_of(fs);
	pthread_rwlock_wrlock(&share->session_lock);
	share_end_session(share);
	pthread_rwlock_unlock(&share->session_lock);
}

static void share_destroy(struct fs *fs)
{
	struct share *share = share_of(fs);
	if (share->pool)
		share_drain(fs);
	share_attach(fs, NULL, NULL);
	pool_destroy(share->pool);
	share_end_session(share);
	if (share->timer_fd >= 0)
		close(share->timer_fd);
	if (share->proc_fd >= 0)
		close(share->proc_fd);
	if (share->root_fd >= 0)
		close(share->root_fd);
	pthread_rwlock_destroy(&share->session_lock);
	pthread_mutex_destroy(&share->lock);
	pthread_mutex_destroy(&share->lock_lock);
	free(share);
}

static const struct fs_ops share_ops = {
	.attach = share_attach,
	.submit = share_submit,
	.commit = share_commit,
	.interrupt = share_interrupt,
	.drain = share_drain,
	.reset = share_reset,
	.save = share_save,
	.load = share_load,
	.destroy = share_destroy,
};

/* Set-up. */

unsigned fs_share_files_max(unsigned shares)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return FILES_MIN;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return FILES_MIN;
	rlim_t files = limit.rlim_cur > FILES_OF_OTHERS ? limit.rlim_cur - FILES_OF_OTHERS : 0;
	files /= shares;
	if (files < FILES_MIN)
		return FILES_MIN;
	return files > FILES_MAX ? FILES_MAX : (unsigned)files;
}

static void *share_thread_init(void *ctx)
{
	struct share *share = ctx;
	struct thread *thread = &share->thread[atomic_fetch_add(&share->thread_count, 1)];
	thread_begin(thread, share);
	return thread;
}

static int share_open_root(struct share *share, const char *path, struct err *err)
{
	share->root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (share->root_fd < 0 && errno == ENOTDIR)
		return err_set(err, -ENOTDIR, "%s: not a directory, and only those can be shared",
			       path);
	/* O_PATH asks for no permission on the directory itself. */
	if (share->root_fd < 0 || faccessat(share->root_fd, ".", R_OK | X_OK, AT_EACCESS) != 0)
		return err_set(err, -errno, "%s: cannot share it: %s", path, strerror(errno));
	int ret = inode_probe(share->root_fd);
	if (ret == -ENOSYS)
		return err_set(err, ret, "%s: sharing a directory needs openat2(), Linux 5.6",
			       path);
	if (ret == -EINVAL)
		return err_set(err, ret,
			       "%s: this is the host kernel's own file system, not to be shared",
			       path);
	if (ret != 0)
		return err_set(err, ret, "%s: cannot share it: %s", path, strerror(-ret));
	return 0;
}

static int share_start(struct share *share, const char *path, struct err *err)
{
	struct pool_options opt = {
		.threads_max = SHARE_THREADS_MAX, .thread_init = share_thread_init, .ctx = share};
	int ret = share_open_root(share, path, err);
	if (ret != 0)
		return ret;
	share->proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (share->proc_fd < 0)
		return err_set(err, -errno, "%s: sharing a directory needs /proc mounted: %s", path,
			       strerror(errno));
	share->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (share->timer_fd < 0)
		return err_set(err, -errno, "%s: cannot share it: %s", path, strerror(errno));
	ret = pool_create(&share->pool, &opt);
	if (ret == -EAGAIN)
		return err_set(err, ret, "%s: cannot start a thread for its I/O; raise `ulimit -u`",
			       path);
	if (ret != 0)
		return err_set(err, ret, "%s: cannot share it: %s", path, strerror(-ret));
	return 0;
}

int fs_share_open(struct fs **ret_fs, const char *path, const struct fs_share_options *opt,
		  struct err *err)
{
	struct share *share = calloc(1, sizeof(*share));
	if (!share)
		return err_set(err, -ENOMEM, "%s: out of memory", path);
	unsigned files = opt->files_max > FILES_MIN ? opt->files_max : FILES_MIN;
	share->fs.ops = &share_ops;
	share->opt = *opt;
	share->root_fd = share->proc_fd = share->timer_fd = -1;
	share->handles_max = files / 4;
	share->locks_max = files / 8;
	share->paths_max = files - share->handles_max - share->locks_max;
	pthread_rwlock_init(&share->session_lock, NULL);
	pthread_mutex_init(&share->lock, NULL);
	pthread_mutex_init(&share->lock_lock, NULL);
	ids_init(&share->ids);
	int ret = share_start(share, path, err);
	if (ret != 0) {
		share_destroy(&share->fs);
		return ret;
	}
	*ret_fs = &share->fs;
	return 0;
}
