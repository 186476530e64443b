/* File locks of a shared directory, which the host and other guests see. */
#include "fuseclient.h"
#include "nobody.h"
#include <fcntl.h>
#include <sys/file.h>
#include <tinyvm/evloop.h>
#include <unistd.h>

#define ROOT FUSE_ROOT_ID

static struct fuseclient c;
static uint64_t file, fh, fh2; /* opened twice */

static void set_up(void)
{
	struct fuse_entry_out e;
	fuseclient_open(&c, &(struct fs_share_options){.files_max = 1000});
	if (fuse_create(&c, ROOT, "f", O_RDWR, 0644, &e, &fh) != 0 ||
	    fuse_open(&c, e.nodeid, O_RDWR, &fh2) != 0)
		abort();
	file = e.nodeid;
}

static void tear_down(void)
{
	fuseclient_close(&c);
}

static struct fuse_lk_in range(uint64_t handle, uint64_t owner, uint32_t type, uint64_t start,
			       uint64_t end)
{
	return (struct fuse_lk_in){
		.fh = handle, .owner = owner, .lk = {.start = start, .end = end, .type = type}};
}

static int lock(uint64_t owner, uint32_t type, uint64_t start, uint64_t end)
{
	struct fuse_lk_in in = range(fh, owner, type, start, end);
	return fuse_call(&c, FUSE_SETLK, file, &in, sizeof(in), NULL, NULL);
}

static int flock_as(uint64_t handle, uint32_t type)
{
	struct fuse_lk_in in = range(handle, handle, type, 0, INT64_MAX);
	in.lk_flags = FUSE_LK_FLOCK;
	return fuse_call(&c, FUSE_SETLK, file, &in, sizeof(in), NULL, NULL);
}

/* Who stands in the way of a lock? Its type; the range in @ret. */
static uint32_t in_the_way(uint64_t owner, uint32_t type, struct fuse_file_lock *ret)
{
	struct fuse_lk_in in = range(fh, owner, type, 0, INT64_MAX);
	struct fuse_lk_out out;
	if (fuse_call(&c, FUSE_GETLK, file, &in, sizeof(in), NULL, NULL) != 0 ||
	    c.reply_len != sizeof(out))
		return 99;
	memcpy(&out, c.reply, sizeof(out));
	*ret = out.lk;
	return out.lk.type;
}

/* A process of the host's. */
static int host_lock(int fd, short type, off_t start, off_t len)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
	return fcntl(fd, F_OFD_SETLK, &l) == 0 ? 0 : -errno;
}

WITH_DEVICE(test_owners_exclude_each_other)
{
	struct fuse_file_lock l;
	CHECK_EQ(lock(1, F_WRLCK, 10, 19), 0);
	CHECK_EQ(lock(1, F_WRLCK, 15, 30), 0); /* its own is not in the way */
	CHECK_EQ(lock(2, F_WRLCK, 20, 20), -EAGAIN);
	CHECK_EQ(lock(2, F_RDLCK, 30, INT64_MAX), -EAGAIN);
	CHECK_EQ(lock(2, F_RDLCK, 31, INT64_MAX), 0);
	CHECK_EQ(lock(3, F_RDLCK, 40, 50), 0);
	CHECK_EQ(lock(3, F_WRLCK, 40, 50), -EAGAIN);
	CHECK_EQ(in_the_way(2, F_WRLCK, &l), F_WRLCK);
	CHECK_EQ(l.start, 10);
	CHECK_EQ(l.end, 30);
	CHECK_EQ(lock(1, F_UNLCK, 0, INT64_MAX), 0);
	CHECK_EQ(lock(3, F_UNLCK, 0, INT64_MAX), 0);
	CHECK_EQ(in_the_way(2, F_WRLCK, &l), F_UNLCK);
	CHECK_EQ(in_the_way(1, F_WRLCK, &l), F_RDLCK);
	CHECK_EQ(l.end, INT64_MAX);
	CHECK_EQ(lock(9, F_UNLCK, 0, 5), 0); /* nothing to give up */
}

WITH_DEVICE(test_host_and_guest_see_each_others_locks)
{
	int fd = openat(c.dir_fd, "f", O_RDWR);
	struct fuse_file_lock l;
	CHECK(fd >= 0);
	CHECK_EQ(lock(1, F_WRLCK, 0, 99), 0);
	CHECK_EQ(host_lock(fd, F_WRLCK, 50, 10), -EAGAIN);
	CHECK_EQ(host_lock(fd, F_WRLCK, 100, 10), 0);
	CHECK_EQ(lock(1, F_RDLCK, 105, 105), -EAGAIN);
	CHECK_EQ(in_the_way(1, F_RDLCK, &l), F_WRLCK);
	CHECK_EQ(l.start, 100);
	CHECK_EQ(l.end, 109);
	close(fd);
	CHECK_EQ(lock(1, F_RDLCK, 105, 105), 0);
}

WITH_DEVICE(test_closing_gives_up_the_owners_locks)
{
	struct fuse_flush_in in = {.fh = fh2, .lock_owner = 1};
	CHECK_EQ(lock(1, F_WRLCK, 0, 10), 0);
	CHECK_EQ(lock(2, F_WRLCK, 20, 30), 0);
	/* POSIX: any descriptor of the file's, not just the one that it was locked by. */
	CHECK_EQ(fuse_call(&c, FUSE_FLUSH, file, &in, sizeof(in), NULL, NULL), 0);
	CHECK_EQ(lock(3, F_WRLCK, 0, 10), 0);
	CHECK_EQ(lock(3, F_WRLCK, 20, 30), -EAGAIN);
	/* The whole session goes: so do all locks. */
	int fd = openat(c.dir_fd, "f", O_RDWR);
	CHECK_EQ(host_lock(fd, F_WRLCK, 0, 100), -EAGAIN);
	CHECK_EQ(fuse_call(&c, FUSE_DESTROY, 0, NULL, 0, NULL, NULL), 0);
	CHECK_EQ(host_lock(fd, F_WRLCK, 0, 100), 0);
	close(fd);
}

WITH_DEVICE(test_open_file_description_locks_go_with_the_handle)
{
	const struct fuse_lk_in other = range(fh2, 52, F_WRLCK, 20, 30);
	CHECK_EQ(lock(51, F_WRLCK, 0, 10), 0);
	CHECK_EQ(fuse_call(&c, FUSE_SETLK, file, &other, sizeof(other), NULL, NULL), 0);
	fuse_release(&c, file, fh, 1); /* whoever closes it last is not their owner */
	fh = fh2;
	CHECK_EQ(lock(3, F_WRLCK, 0, 10), 0);
	CHECK_EQ(lock(3, F_WRLCK, 20, 30), -EAGAIN);
}

WITH_DEVICE(test_flock_belongs_to_the_open_file)
{
	int fd = openat(c.dir_fd, "f", O_RDWR);
	CHECK(fd >= 0);
	CHECK_EQ(flock_as(fh, F_WRLCK), 0);
	CHECK_EQ(flock_as(fh2, F_RDLCK), -EAGAIN);
	CHECK(flock(fd, LOCK_SH | LOCK_NB) < 0);
	CHECK_EQ(flock_as(fh, F_RDLCK), 0);
	CHECK_EQ(flock_as(fh2, F_RDLCK), 0);
	CHECK_EQ(flock(fd, LOCK_SH | LOCK_NB), 0);
	CHECK_EQ(flock_as(fh, F_WRLCK), -EAGAIN);
	CHECK_EQ(flock(fd, LOCK_UN), 0);
	fuse_release(&c, file, fh2, 7);
	CHECK_EQ(flock_as(fh, F_WRLCK), 0);
	CHECK_EQ(flock_as(fh, F_UNLCK), 0);
	CHECK_EQ(flock(fd, LOCK_EX | LOCK_NB), 0);
	close(fd);
}

WITH_DEVICE(test_bad_locks_are_refused)
{
	CHECK_EQ(lock(1, F_WRLCK, 10, 9), -EINVAL);
	CHECK_EQ(lock(1, F_WRLCK, 0, UINT64_MAX), -EINVAL);
	CHECK_EQ(lock(1, 77, 0, 10), -EINVAL);
	struct fuse_lk_in in = range(4242, 1, F_WRLCK, 0, 10);
	CHECK_EQ(fuse_call(&c, FUSE_SETLK, file, &in, sizeof(in), NULL, NULL), -EBADF);
	CHECK_EQ(fuse_call(&c, FUSE_SETLK, file, &in, 20, NULL, NULL), -EINVAL);
	/* More owners than there may be. */
	int error = 0;
	for (unsigned owner = 1; owner < 1000 && error == 0; owner++)
		error = lock(owner, F_RDLCK, owner, owner);
	CHECK_EQ(error, -ENOLCK);
}

WITH_DEVICE(test_wait_ends_when_the_lock_is_free)
{
	struct fuse_pending wait, other;
	struct fuse_lk_in in = range(fh, 2, F_WRLCK, 0, 10);
	CHECK_EQ(lock(1, F_WRLCK, 0, 10), 0);
	fuse_start(&c, &wait, FUSE_SETLKW, file, &in, sizeof(in));
	/* Other requests get through meanwhile. */
	struct fuse_getattr_in getattr = {0};
	fuse_start(&c, &other, FUSE_GETATTR, file, &getattr, sizeof(getattr));
	CHECK_EQ(fuse_await(&other), 0);
	CHECK(!wait.is_done);
	struct fuse_lk_in unlock = range(fh, 1, F_UNLCK, 0, 10);
	fuse_start(&c, &other, FUSE_SETLK, file, &unlock, sizeof(unlock));
	CHECK_EQ(fuse_await(&wait), 0);
	CHECK_EQ(fuse_await(&other), 0);
	CHECK_EQ(lock(1, F_WRLCK, 0, 10), -EAGAIN);
}

WITH_DEVICE(test_wait_ends_when_the_host_lets_go)
{
	struct fuse_pending wait, other;
	struct fuse_lk_in in = range(fh, 2, F_WRLCK, 0, 10);
	struct fuse_getattr_in getattr = {0};
	int fd = openat(c.dir_fd, "f", O_RDWR);
	CHECK_EQ(host_lock(fd, F_WRLCK, 0, 100), 0);
	CHECK_EQ(flock(fd, LOCK_EX), 0);
	fuse_start(&c, &wait, FUSE_SETLKW, file, &in, sizeof(in));
	fuse_start(&c, &other, FUSE_GETATTR, file, &getattr, sizeof(getattr));
	CHECK_EQ(fuse_await(&other), 0);
	CHECK(!wait.is_done);
	CHECK_EQ(host_lock(fd, F_UNLCK, 0, 100), 0);
	CHECK_EQ(fuse_await(&wait), 0);
	/* flock, too */
	in = range(fh, fh, F_WRLCK, 0, INT64_MAX);
	in.lk_flags = FUSE_LK_FLOCK;
	fuse_start(&c, &wait, FUSE_SETLKW, file, &in, sizeof(in));
	close(fd);
	CHECK_EQ(fuse_await(&wait), 0);
}

WITH_DEVICE(test_interrupt_ends_the_wait)
{
	struct fuse_pending wait;
	struct fuse_lk_in in = range(fh, 2, F_WRLCK, 0, 10);
	CHECK_EQ(lock(1, F_WRLCK, 0, 10), 0);
	fuse_start(&c, &wait, FUSE_SETLKW, file, &in, sizeof(in));
	device_lock(&c.dev);
	c.fs->ops->interrupt(c.fs, wait.req.header.unique + 1);
	c.fs->ops->interrupt(c.fs, wait.req.header.unique);
	device_unlock(&c.dev);
	CHECK_EQ(fuse_await(&wait), -EINTR);
}

/* Nothing has happened: whoever drained may submit it again. */
WITH_DEVICE(test_drain_ends_the_wait)
{
	struct fuse_pending wait;
	struct fuse_lk_in in = range(fh, 2, F_WRLCK, 0, 10);
	CHECK_EQ(lock(1, F_WRLCK, 0, 10), 0);
	fuse_start(&c, &wait, FUSE_SETLKW, file, &in, sizeof(in));
	device_lock(&c.dev);
	c.fs->ops->drain(c.fs);
	device_unlock(&c.dev);
	CHECK(wait.is_done);
	CHECK_EQ(wait.error, -ERESTART);
	fuse_start(&c, &wait, FUSE_SETLKW, file, &in, sizeof(in));
	CHECK(!wait.is_done);
	struct fuse_pending unlock;
	in = range(fh, 1, F_UNLCK, 0, 10);
	fuse_start(&c, &unlock, FUSE_SETLK, file, &in, sizeof(in));
	CHECK_EQ(fuse_await(&wait), 0);
	CHECK_EQ(fuse_await(&unlock), 0);
}

WITH_DEVICE(test_number_of_waits_is_limited)
{
	static struct fuse_pending wait[FS_WAITING_MAX + 10];
	struct fuse_lk_in in;
	unsigned refused = 0;
	CHECK_EQ(lock(1, F_WRLCK, 0, 10), 0);
	for (unsigned i = 0; i < FS_WAITING_MAX + 10; i++) {
		in = range(fh, 2 + i, F_WRLCK, 0, 10);
		fuse_start(&c, &wait[i], FUSE_SETLKW, file, &in, sizeof(in));
	}
	while (refused < 10) {
		evloop_run(c.loop);
		refused = 0;
		for (unsigned i = 0; i < FS_WAITING_MAX + 10; i++)
			refused += wait[i].is_done && wait[i].error == -ENOLCK;
	}
	CHECK_EQ(refused, 10);
	device_lock(&c.dev);
	c.fs->ops->drain(c.fs);
	device_unlock(&c.dev);
	for (unsigned i = 0; i < FS_WAITING_MAX + 10; i++)
		CHECK(wait[i].is_done);
}

/* Deadlocks: requests that are waiting meanwhile, on two files. */

static struct fuse_pending pending[4];

static uint64_t file_g, fh_g;

static void make_second_file(void)
{
	struct fuse_entry_out e;
	if (fuse_create(&c, ROOT, "g", O_RDWR, 0644, &e, &fh_g) != 0)
		abort();
	file_g = e.nodeid;
}

/* Does pending[i] have to wait? Otherwise its answer is pending[i].error. */
static bool waits_on(uint64_t nodeid, unsigned i, uint64_t owner, uint32_t type, uint64_t byte)
{
	struct fuse_lk_in in = range(nodeid == file ? fh : fh_g, owner, type, byte, byte);
	fuse_start(&c, &pending[i], FUSE_SETLKW, nodeid, &in, sizeof(in));
	return fuse_waits(&pending[i]);
}

static bool waits(unsigned i, uint64_t owner, uint32_t type, uint64_t byte)
{
	return waits_on(file, i, owner, type, byte);
}

/* Like lock(), which would send those that wait home. */
static int lock_meanwhile(uint64_t owner, uint32_t type, uint64_t start, uint64_t end)
{
	static struct fuse_pending other;
	struct fuse_lk_in in = range(fh, owner, type, start, end);
	fuse_start(&c, &other, FUSE_SETLK, file, &in, sizeof(in));
	return fuse_await(&other);
}

WITH_DEVICE(test_two_owners_that_cross_are_a_deadlock)
{
	CHECK_EQ(lock(1, F_WRLCK, 1, 1), 0);
	CHECK_EQ(lock(2, F_WRLCK, 2, 2), 0);
	CHECK(waits(0, 1, F_WRLCK, 2));
	CHECK(!waits(1, 2, F_RDLCK, 1));
	CHECK_EQ(pending[1].error, -EDEADLK);
	/* It has not got it, and the other one goes on as soon as it can. */
	CHECK(fuse_waits(&pending[0]));
	CHECK_EQ(lock_meanwhile(2, F_UNLCK, 0, 10), 0);
	CHECK_EQ(fuse_await(&pending[0]), 0);
	CHECK(waits(1, 2, F_WRLCK, 1));
	CHECK_EQ(lock_meanwhile(1, F_UNLCK, 0, 1), 0);
	CHECK_EQ(fuse_await(&pending[1]), 0);
}

WITH_DEVICE(test_crossing_on_two_files_is_a_deadlock)
{
	make_second_file();
	struct fuse_lk_in in = range(fh_g, 2, F_WRLCK, 0, INT64_MAX);
	CHECK_EQ(lock(1, F_WRLCK, 0, 0), 0);
	CHECK_EQ(fuse_call(&c, FUSE_SETLK, file_g, &in, sizeof(in), NULL, NULL), 0);
	CHECK(waits_on(file_g, 0, 1, F_WRLCK, 77));
	CHECK(!waits(1, 2, F_WRLCK, 0));
	CHECK_EQ(pending[1].error, -EDEADLK);
	/* The same bytes of the other file are another matter. */
	CHECK(waits(1, 3, F_WRLCK, 0));
}

WITH_DEVICE(test_three_in_a_circle_are_a_deadlock)
{
	for (unsigned owner = 1; owner <= 3; owner++)
		CHECK_EQ(lock(owner, F_WRLCK, owner, owner), 0);
	CHECK(waits(0, 1, F_WRLCK, 2));
	CHECK(waits(1, 2, F_WRLCK, 3));
	CHECK(!waits(2, 3, F_WRLCK, 1));
	CHECK_EQ(pending[2].error, -EDEADLK);
	/* Who does not wait is told so, as ever. */
	CHECK_EQ(lock_meanwhile(3, F_WRLCK, 1, 1), -EAGAIN);
	CHECK(fuse_waits(&pending[0]));
	CHECK(fuse_waits(&pending[1]));
}

WITH_DEVICE(test_chain_that_is_no_circle_waits)
{
	for (unsigned owner = 1; owner <= 4; owner++)
		CHECK_EQ(lock(owner, F_WRLCK, owner, owner), 0);
	CHECK(waits(0, 3, F_WRLCK, 4));
	CHECK(waits(1, 2, F_WRLCK, 3));
	CHECK(waits(2, 1, F_WRLCK, 2));
	CHECK(waits(3, 9, F_WRLCK, 1));
	CHECK_EQ(lock_meanwhile(4, F_UNLCK, 0, 10), 0);
	CHECK_EQ(fuse_await(&pending[0]), 0);
	CHECK_EQ(lock_meanwhile(3, F_UNLCK, 0, 10), 0);
	CHECK_EQ(fuse_await(&pending[1]), 0);
	CHECK(fuse_waits(&pending[2]));
	CHECK(fuse_waits(&pending[3]));
}

WITH_DEVICE(test_deadlock_through_one_of_several_readers_is_found)
{
	for (unsigned owner = 1; owner <= 5; owner++)
		CHECK_EQ(lock(owner, F_RDLCK, 10, 19), 0);
	CHECK_EQ(lock(9, F_WRLCK, 30, 30), 0);
	CHECK_EQ(lock(8, F_WRLCK, 31, 31), 0);
	CHECK(waits(0, 2, F_WRLCK, 31));
	CHECK(waits(1, 4, F_WRLCK, 30));
	CHECK(!waits(2, 9, F_WRLCK, 15));
	CHECK_EQ(pending[2].error, -EDEADLK);
	CHECK(!waits(2, 9, F_RDLCK, 15)); /* which takes nothing from them */
	CHECK_EQ(pending[2].error, 0);
}

WITH_DEVICE(test_two_readers_that_both_want_to_write_are_a_deadlock)
{
	CHECK_EQ(lock(1, F_RDLCK, 0, 0), 0);
	CHECK_EQ(lock(2, F_RDLCK, 0, 0), 0);
	CHECK(waits(0, 1, F_WRLCK, 0));
	CHECK(!waits(1, 2, F_WRLCK, 0));
	CHECK_EQ(pending[1].error, -EDEADLK);
	CHECK_EQ(lock_meanwhile(2, F_UNLCK, 0, 0), 0);
	CHECK_EQ(fuse_await(&pending[0]), 0);
}

WITH_DEVICE(test_bytes_given_up_are_in_nobodys_way)
{
	CHECK_EQ(lock(1, F_WRLCK, 0, 20), 0);
	CHECK_EQ(lock(1, F_UNLCK, 5, 15), 0);
	CHECK_EQ(lock(1, F_RDLCK, 16, 20), 0);
	CHECK_EQ(lock(2, F_WRLCK, 30, 30), 0);
	CHECK_EQ(lock(3, F_RDLCK, 16, 16), 0);
	CHECK_EQ(lock(3, F_WRLCK, 10, 10), 0);
	CHECK(waits(0, 1, F_WRLCK, 30));
	CHECK(!waits(1, 2, F_WRLCK, 5));
	CHECK_EQ(pending[1].error, 0);
	CHECK(waits(1, 2, F_WRLCK, 10)); /* for owner 3, who waits for nobody */
	CHECK(!waits(2, 3, F_RDLCK, 20));
	CHECK_EQ(pending[2].error, 0);
	CHECK(!waits(2, 3, F_WRLCK, 20)); /* 3 for 1, who waits for 2, who waits for 3 */
	CHECK_EQ(pending[2].error, -EDEADLK);
}

WITH_DEVICE(test_lock_of_the_hosts_is_no_deadlock)
{
	int fd = openat(c.dir_fd, "f", O_RDWR);
	CHECK_EQ(host_lock(fd, F_WRLCK, 50, 1), 0);
	CHECK_EQ(lock(1, F_WRLCK, 1, 1), 0);
	CHECK(waits(0, 1, F_WRLCK, 50));
	CHECK(waits(1, 2, F_WRLCK, 1));
	close(fd);
	CHECK_EQ(fuse_await(&pending[0]), 0);
	CHECK(fuse_waits(&pending[1]));
}

WITH_DEVICE(test_flock_is_no_part_of_a_deadlock)
{
	struct fuse_lk_in in = range(fh2, fh2, F_WRLCK, 0, INT64_MAX);
	in.lk_flags = FUSE_LK_FLOCK;
	CHECK_EQ(flock_as(fh, F_WRLCK), 0);
	CHECK_EQ(lock(fh2, F_WRLCK, 0, 0), 0); /* the same owner, for all that anybody knows */
	fuse_start(&c, &pending[0], FUSE_SETLKW, file, &in, sizeof(in));
	CHECK(fuse_waits(&pending[0]));
	CHECK(waits(1, fh, F_WRLCK, 0));
}

/* Nobody is in the way of somebody who has given up waiting. */
WITH_DEVICE(test_wait_that_has_ended_is_no_part_of_a_deadlock)
{
	CHECK_EQ(lock(1, F_WRLCK, 1, 1), 0);
	CHECK_EQ(lock(2, F_WRLCK, 2, 2), 0);
	CHECK(waits(0, 1, F_WRLCK, 2));
	device_lock(&c.dev);
	c.fs->ops->interrupt(c.fs, pending[0].req.header.unique);
	device_unlock(&c.dev);
	CHECK_EQ(fuse_await(&pending[0]), -EINTR);
	CHECK(waits(1, 2, F_WRLCK, 1));
	device_lock(&c.dev);
	c.fs->ops->drain(c.fs);
	device_unlock(&c.dev);
	CHECK_EQ(fuse_await(&pending[1]), -ERESTART);
	CHECK(waits(0, 1, F_WRLCK, 2));
	/* Submitted again it closes the circle. */
	CHECK(!waits(1, 2, F_WRLCK, 1));
	CHECK_EQ(pending[1].error, -EDEADLK);
}

WITH_DEVICE(test_wait_for_a_file_that_is_gone_ends)
{
	static struct fuse_pending forget, release;
	make_second_file();
	struct fuse_lk_in in = range(fh_g, 2, F_WRLCK, 0, 0);
	struct fuse_release_in release_in = {.fh = fh_g};
	struct fuse_forget_in forget_in = {.nlookup = 1};
	CHECK_EQ(fuse_call(&c, FUSE_SETLK, file_g, &in, sizeof(in), NULL, NULL), 0);
	CHECK_EQ(lock(1, F_WRLCK, 0, 0), 0);
	CHECK(waits_on(file_g, 0, 1, F_WRLCK, 0));
	/* A guest's kernel would not do that. */
	fuse_start(&c, &release, FUSE_RELEASE, file_g, &release_in, sizeof(release_in));
	CHECK_EQ(fuse_await(&release), 0);
	fuse_start(&c, &forget, FUSE_FORGET, file_g, &forget_in, sizeof(forget_in));
	fuse_await(&forget);
	CHECK(fuse_await(&pending[0]) < 0);
	CHECK(waits(1, 2, F_WRLCK, 0));
}

/* Owners on a long way round, as many as may wait. */
WITH_DEVICE(test_long_circle_is_a_deadlock)
{
	static struct fuse_pending wait[FS_WAITING_MAX];
	for (unsigned i = 0; i < FS_WAITING_MAX; i++)
		CHECK_EQ(lock(1 + i, F_WRLCK, i, i), 0);
	for (unsigned i = 0; i < FS_WAITING_MAX; i++) {
		uint64_t byte = (i + 1) % FS_WAITING_MAX;
		struct fuse_lk_in in = range(fh, 1 + i, F_WRLCK, byte, byte);
		fuse_start(&c, &wait[i], FUSE_SETLKW, file, &in, sizeof(in));
	}
	unsigned done = 0;
	while (!done) {
		evloop_run(c.loop);
		for (unsigned i = 0; i < FS_WAITING_MAX; i++)
			done += wait[i].is_done;
	}
	for (unsigned i = 0; i < FS_WAITING_MAX; i++)
		done += fuse_waits(&wait[i]);
	CHECK_EQ(done, FS_WAITING_MAX); /* one, and all the others wait */
	done = 0;
	for (unsigned i = 0; i < FS_WAITING_MAX; i++)
		done += wait[i].is_done && wait[i].error == -EDEADLK;
	CHECK_EQ(done, 1);
	device_lock(&c.dev);
	c.fs->ops->drain(c.fs);
	device_unlock(&c.dev);
}

/* Over several files, since the host's kernel looks through a file's one by one. */
#define FILES 32

static int lock_in(const uint64_t id[2], uint64_t owner, uint32_t type, uint64_t byte)
{
	struct fuse_lk_in in = range(id[1], owner, type, byte, byte);
	return fuse_call(&c, FUSE_SETLK, id[0], &in, sizeof(in), NULL, NULL);
}

WITH_DEVICE(test_number_of_ranges_is_limited)
{
	uint64_t id[FILES][2];
	unsigned count = 0;
	for (unsigned i = 0; i < FILES; i++) {
		struct fuse_entry_out e;
		char name[8];
		snprintf(name, sizeof(name), "%u", i);
		CHECK_EQ(fuse_create(&c, ROOT, name, O_RDWR, 0644, &e, &id[i][1]), 0);
		id[i][0] = e.nodeid;
	}
	while (count < 20000 && lock_in(id[count % FILES], 1, F_WRLCK, 2 * (count / FILES)) == 0)
		count++;
	CHECK_EQ(count, 16384);
	CHECK_EQ(lock_in(id[0], 1, F_WRLCK, 1), 0); /* two become one */
	CHECK_EQ(lock_in(id[1], 2, F_WRLCK, 10001), 0);
	CHECK_EQ(lock_in(id[1], 2, F_WRLCK, 10003), -ENOLCK);
	CHECK_EQ(lock_in(id[2], 1, F_UNLCK, 4), 0);
	CHECK_EQ(lock_in(id[1], 2, F_WRLCK, 10003), 0);
	fuse_release(&c, id[3][0], id[3][1], 1);
	for (unsigned i = 0; i < 100; i++)
		CHECK_EQ(lock(2, F_RDLCK, 2ull * i, 2ull * i), 0);
}

/* A guest of its own has its locks to itself: the host's kernel is not asked. */
WITH_DEVICE(test_local_locks_are_not_the_servers)
{
	struct fuse_init_out out;
	static const struct fs_share_options options[] = {{.is_private = true},
							  {.is_readonly = true}};
	CHECK_EQ(fuse_init(&c, 38, ~0u, &out), 0);
	CHECK_EQ(out.flags & (FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS),
		 FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS);
	for (unsigned i = 0; i < 2; i++) {
		fuseclient_reopen(&c, &options[i]);
		CHECK_EQ(fuse_init(&c, 38, ~0u, &out), 0);
		CHECK_EQ(out.flags & (FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS), 0);
		CHECK_EQ(lock(1, F_WRLCK, 0, 10), -ENOSYS);
	}
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_owners_exclude_each_other),
		TEST_CASE(test_host_and_guest_see_each_others_locks),
		TEST_CASE(test_closing_gives_up_the_owners_locks),
		TEST_CASE(test_open_file_description_locks_go_with_the_handle),
		TEST_CASE(test_flock_belongs_to_the_open_file),
		TEST_CASE(test_bad_locks_are_refused),
		TEST_CASE(test_wait_ends_when_the_lock_is_free),
		TEST_CASE(test_wait_ends_when_the_host_lets_go),
		TEST_CASE(test_interrupt_ends_the_wait),
		TEST_CASE(test_drain_ends_the_wait),
		TEST_CASE(test_number_of_waits_is_limited),
		TEST_CASE(test_two_owners_that_cross_are_a_deadlock),
		TEST_CASE(test_crossing_on_two_files_is_a_deadlock),
		TEST_CASE(test_three_in_a_circle_are_a_deadlock),
		TEST_CASE(test_chain_that_is_no_circle_waits),
		TEST_CASE(test_deadlock_through_one_of_several_readers_is_found),
		TEST_CASE(test_two_readers_that_both_want_to_write_are_a_deadlock),
		TEST_CASE(test_bytes_given_up_are_in_nobodys_way),
		TEST_CASE(test_lock_of_the_hosts_is_no_deadlock),
		TEST_CASE(test_flock_is_no_part_of_a_deadlock),
		TEST_CASE(test_wait_that_has_ended_is_no_part_of_a_deadlock),
		TEST_CASE(test_wait_for_a_file_that_is_gone_ends),
		TEST_CASE(test_long_circle_is_a_deadlock),
		TEST_CASE(test_number_of_ranges_is_limited),
		TEST_CASE(test_local_locks_are_not_the_servers),
	};
	return NOBODY_RUN(cases);
}
