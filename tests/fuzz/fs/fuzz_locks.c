/*
 * POSIX locks of a shared directory against a model of them: a script of processes of the guest
 * that lock bytes of two files, wait for them and give up, and of one of the host's. Each process
 * waits for one lock at a time. A request is a deadlock just when the model says so, so no circle
 * is ever left waiting, and whoever can go on does.
 */
#include "fuseclient.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEPS_MAX 60
#define FILES	  2
#define BYTES	  8
#define OWNERS	  4
#define HOST	  OWNERS /* its place among those that hold locks; it never waits */
#define NOBODY	  99	 /* never holds any */

/**
 * struct wanted - a lock that was asked for
 * @type: F_UNLCK: none
 */
struct wanted {
	short type;
	unsigned file, start, end;
};

/**
 * struct model - who has locked what
 * @held: by file, byte and owner: F_UNLCK, F_RDLCK or F_WRLCK
 * @wait: what each owner waits for
 */
struct model {
	short held[FILES][BYTES][OWNERS + 1];
	struct wanted wait[OWNERS];
};

static struct fuseclient c;
static struct fuse_pending pending[OWNERS];
static uint64_t node[FILES], fh[FILES];
static int host_fd[FILES];

/* The model. */

static void model_clear(struct model *m)
{
	for (unsigned owner = 0; owner < OWNERS; owner++)
		m->wait[owner].type = F_UNLCK;
	for (unsigned i = 0; i < FILES * BYTES * (OWNERS + 1); i++)
		m->held[i / (OWNERS + 1) / BYTES][i / (OWNERS + 1) % BYTES][i % (OWNERS + 1)] =
			F_UNLCK;
}

static void model_set(struct model *m, unsigned owner, const struct wanted *w)
{
	for (unsigned i = w->start; i <= w->end; i++)
		m->held[w->file][i][owner] = w->type;
}

static bool model_blocks(const struct model *m, unsigned by, const struct wanted *w)
{
	for (unsigned i = w->start; i <= w->end; i++) {
		short held = m->held[w->file][i][by];
		if (held == F_WRLCK || (held == F_RDLCK && w->type == F_WRLCK))
			return true;
	}
	return false;
}

/* Those in @owner's way, a bit each. */
static unsigned model_blockers(const struct model *m, unsigned owner, const struct wanted *w)
{
	unsigned blockers = 0;
	for (unsigned by = 0; w->type != F_UNLCK && by <= HOST; by++) {
		if (by != owner && model_blocks(m, by, w))
			blockers |= 1u << by;
	}
	return blockers;
}

/* Would @owner wait for itself? */
static bool model_is_circle(const struct model *m, unsigned owner, const struct wanted *w)
{
	unsigned reached = model_blockers(m, owner, w), before = 0;
	while (reached != before) {
		before = reached;
		for (unsigned by = 0; by < OWNERS; by++) {
			if (before & 1u << by && by != owner)
				reached |= model_blockers(m, by, &m->wait[by]);
		}
	}
	return reached & 1u << owner;
}

/* The share. */

static void must(bool is_true)
{
	if (!is_true)
		abort();
}

static int ask(struct fuse_pending *p, uint32_t opcode, unsigned owner, const struct wanted *w)
{
	struct fuse_lk_in in = {
		.fh = fh[w->file],
		.owner = owner,
		.lk = {.start = w->start, .end = w->end, .type = (uint32_t)w->type}};
	fuse_start(&c, p, opcode, node[w->file], &in, sizeof(in));
	return fuse_waits(p) ? -EINPROGRESS : p->error;
}

/* Whoever gives something up makes those that wait try again. */
static void make_them_try(void)
{
	struct fuse_pending other;
	struct wanted nothing = {.type = F_UNLCK};
	must(ask(&other, FUSE_SETLK, NOBODY, &nothing) == 0);
}

/* Waits until all that can go on have done so. Those that are done fit together in some order. */
static void settle(struct model *m)
{
	bool is_moving = true;
	while (is_moving) {
		is_moving = false;
		for (unsigned owner = 0; owner < OWNERS; owner++) {
			struct wanted *w = &m->wait[owner];
			if (w->type == F_UNLCK || model_blockers(m, owner, w))
				continue;
			/* Another one may come first, and be in its way then. */
			make_them_try();
			is_moving = true;
			if (!pending[owner].is_done)
				continue;
			must(pending[owner].error == 0);
			model_set(m, owner, w);
			w->type = F_UNLCK;
		}
	}
	for (unsigned owner = 0; owner < OWNERS; owner++) {
		if (m->wait[owner].type != F_UNLCK)
			must(!pending[owner].is_done);
	}
}

static void do_lock(struct model *m, unsigned owner, const struct wanted *w)
{
	struct fuse_pending other;
	bool is_blocked = model_blockers(m, owner, w) != 0;
	must(ask(&other, FUSE_SETLK, owner, w) == (is_blocked ? -EAGAIN : 0));
	if (!is_blocked)
		model_set(m, owner, w);
}

static void do_wait(struct model *m, unsigned owner, const struct wanted *w)
{
	int expected = model_is_circle(m, owner, w)  ? -EDEADLK
		       : model_blockers(m, owner, w) ? -EINPROGRESS
						     : 0;
	must(ask(&pending[owner], FUSE_SETLKW, owner, w) == expected);
	if (expected == 0)
		model_set(m, owner, w);
	else if (expected == -EINPROGRESS)
		m->wait[owner] = *w;
}

static void do_interrupt(struct model *m, unsigned owner)
{
	device_lock(&c.dev);
	c.fs->ops->interrupt(c.fs, pending[owner].req.header.unique);
	device_unlock(&c.dev);
	must(fuse_await(&pending[owner]) == -EINTR);
	m->wait[owner].type = F_UNLCK;
}

static void do_close(struct model *m, unsigned owner, unsigned file)
{
	struct fuse_pending other;
	struct fuse_flush_in in = {.fh = fh[file], .lock_owner = owner};
	struct wanted all = {.type = F_UNLCK, .file = file, .end = BYTES - 1};
	fuse_start(&c, &other, FUSE_FLUSH, node[file], &in, sizeof(in));
	must(fuse_await(&other) == 0);
	model_set(m, owner, &all);
}

static void do_host(struct model *m, const struct wanted *w)
{
	struct flock flock = {.l_type = w->type,
			      .l_whence = SEEK_SET,
			      .l_start = w->start,
			      .l_len = w->end - w->start + 1};
	bool is_blocked = model_blockers(m, HOST, w) != 0;
	must((fcntl(host_fd[w->file], F_OFD_SETLK, &flock) != 0) == is_blocked);
	if (!is_blocked)
		model_set(m, HOST, w);
}

/* A byte says who does what, another one with which bytes. */
static void step(struct model *m, const uint8_t data[2])
{
	static const short types[] = {F_RDLCK, F_WRLCK, F_WRLCK, F_UNLCK};
	unsigned owner = data[0] % OWNERS, start = data[1] % BYTES, len = data[1] / BYTES % 4;
	struct wanted w = {
		.type = types[data[0] / OWNERS % 4],
		.file = data[1] >> 5 & 1,
		.start = start,
		.end = start + len < BYTES ? start + len : BYTES - 1,
	};
	unsigned verb = data[0] >> 4;
	if (verb == 0)
		do_host(m, &w);
	else if (m->wait[owner].type != F_UNLCK && verb < 4)
		do_interrupt(m, owner);
	else if (m->wait[owner].type != F_UNLCK)
		return; /* it cannot do anything */
	else if (verb == 1)
		do_close(m, owner, w.file);
	else if (verb < 8)
		do_lock(m, owner, &w);
	else
		do_wait(m, owner, &w);
	settle(m);
}

static void set_up(void)
{
	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 0);
	fuseclient_open_only(&c, &(struct fs_share_options){.files_max = 128});
	for (unsigned i = 0; i < FILES; i++) {
		host_write(c.dir_fd, i ? "b" : "a", "");
		host_fd[i] = openat(c.dir_fd, i ? "b" : "a", O_RDWR | O_CLOEXEC);
		must(host_fd[i] >= 0);
	}
}

static void tear_down(void)
{
	fuseclient_close(&c);
}

/* A new session, in which nothing is locked: it has ended the waits of the last one, too. */
static void begin(void)
{
	struct fuse_init_out out;
	struct fuse_entry_out e;
	must(fuse_init(&c, 38, ~0u, &out) == 0);
	for (unsigned i = 0; i < FILES; i++) {
		struct flock flock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
		must(fcntl(host_fd[i], F_OFD_SETLK, &flock) == 0);
		must(fuse_lookup(&c, FUSE_ROOT_ID, i ? "b" : "a", &e) == 0);
		node[i] = e.nodeid;
		must(fuse_open(&c, node[i], O_RDWR, &fh[i]) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static bool is_set_up;
	struct model m;
	if (!is_set_up) {
		set_up();
		atexit(tear_down);
		is_set_up = true;
	}
	model_clear(&m);
	begin();
	for (size_t i = 0; i + 1 < len && i < 2 * STEPS_MAX; i += 2)
		step(&m, data + i);
	return 0;
}
