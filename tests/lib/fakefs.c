#include "fakefs.h"
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static struct fakefs *fake_of(struct fs *fs)
{
	return (struct fakefs *)fs;
}

static void fake_read(struct fs_req *req)
{
	struct fuse_read_in in = {0};
	if (req->args_len < sizeof(in)) {
		req->error = -EINVAL;
		return;
	}
	memcpy(&in, req->args, sizeof(in));
	uint32_t left = in.size < req->data_len ? in.size : req->data_len;
	req->reply_len = left;
	uint64_t at = in.offset;
	for (unsigned i = 0; i < req->data_count; i++) {
		uint8_t *to = req->data[i].iov_base;
		for (size_t k = 0; k < req->data[i].iov_len && left; k++, left--)
			to[k] = fakefs_byte(at++);
	}
}

static void fake_write(struct fakefs *fake, const struct fs_req *req)
{
	fake->written_len = 0;
	for (unsigned i = 0; i < req->data_count; i++) {
		size_t len = req->data[i].iov_len, room = sizeof(fake->written) - fake->written_len;
		memcpy(fake->written + fake->written_len, req->data[i].iov_base,
		       len < room ? len : room);
		fake->written_len += (uint32_t)(len < room ? len : room);
	}
}

static void fake_complete(struct fakefs *fake, struct fs_req *req, int error)
{
	req->error = error;
	req->reply_len = 0;
	req->reply = NULL;
	if (error == 0 && req->header.opcode == FUSE_READ) {
		fake_read(req);
	} else if (error == 0) {
		if (req->header.opcode == FUSE_WRITE)
			fake_write(fake, req);
		if (req->header.opcode == FUSE_FSYNC)
			req->error = -EIO;
		req->reply = fake->reply;
		req->reply_len = fake->reply_len < req->room ? fake->reply_len : req->room;
	}
	req->done(req);
}

/* Takes one that is not waiting, or any with @is_all. */
static struct fs_req *fake_take(struct fakefs *fake, bool is_all)
{
	struct fs_req **found = NULL;
	for (struct fs_req **link = &fake->held; *link; link = &(*link)->next) {
		if (!is_all && (*link)->header.opcode == FUSE_SETLKW && !(*link)->is_interrupted)
			continue;
		found = link;
		if (!fake->is_lifo)
			break;
	}
	if (!found)
		return NULL;
	struct fs_req *req = *found;
	*found = req->next;
	fake->held_count--;
	return req;
}

static unsigned fake_finish(struct fakefs *fake, unsigned max, bool is_all, int waiting_error)
{
	unsigned count = 0;
	for (struct fs_req *req; count < max && (req = fake_take(fake, is_all)); count++) {
		bool is_waiting = req->header.opcode == FUSE_SETLKW;
		fake_complete(fake, req,
			      is_waiting && req->is_interrupted ? -EINTR
			      : is_waiting			? waiting_error
								: 0);
	}
	if (count && fake->fs.batch_done)
		fake->fs.batch_done(fake->fs.batch_ctx);
	return count;
}

unsigned fakefs_release(struct fakefs *fake, unsigned max)
{
	return fake_finish(fake, max, false, 0);
}

void fakefs_grant(struct fakefs *fake)
{
	fake_finish(fake, UINT_MAX, true, 0);
}

static int fake_attach(struct fs *fs, struct evloop *loop, struct device *dev)
{
	(void)fs;
	(void)loop;
	(void)dev;
	return 0;
}

static void fake_submit(struct fs *fs, struct fs_req *req)
{
	struct fakefs *fake = fake_of(fs);
	fake->count++;
	fake->last = req->header;
	fake->last_room = req->room;
	fake->last_args_len = req->args_len;
	if (req->args_len)
		memcpy(fake->last_args, req->args, req->args_len);
	if (req->header.opcode == FUSE_LOOKUP)
		fake->lookups++;
	struct fs_req **link = &fake->held;
	while (*link)
		link = &(*link)->next;
	req->next = NULL;
	req->is_interrupted = false;
	*link = req;
	fake->held_count++;
}

static void fake_commit(struct fs *fs)
{
	struct fakefs *fake = fake_of(fs);
	fake->commits++;
	if (!fake->is_prompt)
		return;
	for (struct fs_req *req; (req = fake_take(fake, false));)
		fake_complete(fake, req, 0);
}

static void fake_interrupt(struct fs *fs, uint64_t unique)
{
	for (struct fs_req *req = fake_of(fs)->held; req; req = req->next) {
		if (req->header.unique == unique)
			req->is_interrupted = true;
	}
}

static void fake_drain(struct fs *fs)
{
	struct fakefs *fake = fake_of(fs);
	fake->drains++;
	while (fake_finish(fake, UINT_MAX, true, -ERESTART) > 0)
		;
}

static void fake_reset(struct fs *fs)
{
	struct fakefs *fake = fake_of(fs);
	fake->resets++;
	fake->lookups = 0;
	if (fake->held)
		abort(); /* reset with requests in flight */
}

static int fake_save(struct fs *fs, void **ret_buf, size_t *ret_len)
{
	struct fakefs *fake = fake_of(fs);
	void *buf = malloc(sizeof(fake->lookups));
	if (!buf)
		return -ENOMEM;
	memcpy(buf, &fake->lookups, sizeof(fake->lookups));
	*ret_buf = buf;
	*ret_len = sizeof(fake->lookups);
	return 0;
}

static int fake_load(struct fs *fs, const void *buf, size_t len)
{
	struct fakefs *fake = fake_of(fs);
	fake->lookups = 0;
	if (len != sizeof(fake->lookups))
		return -EBADMSG;
	memcpy(&fake->lookups, buf, len);
	return 0;
}

static void fake_destroy(struct fs *fs)
{
	fake_drain(fs);
}

void fakefs_init(struct fakefs *fake)
{
	static const struct fs_ops ops = {
		.attach = fake_attach,
		.submit = fake_submit,
		.commit = fake_commit,
		.interrupt = fake_interrupt,
		.drain = fake_drain,
		.reset = fake_reset,
		.save = fake_save,
		.load = fake_load,
		.destroy = fake_destroy,
	};
	memset(fake, 0, offsetof(struct fakefs, last_args)); /* a fuzz target's every run */
	fake->fs.ops = &ops;
	for (unsigned i = 0; i < sizeof(fake->reply); i++)
		fake->reply[i] = (uint8_t)(i ^ 0x5a);
	fake->reply_len = 16;
}
