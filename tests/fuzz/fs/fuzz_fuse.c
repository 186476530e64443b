/*
 * A hostile guest of a shared directory, with a host that renames things meanwhile: a script of
 * FUSE requests. Beside the share there is a directory that must stay as it is, and whose contents
 * must never be read.
 */
#include "fuseclient.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEPS_MAX 200
#define KNOWN_MAX 16

enum command {
	CMD_LOOKUP,
	CMD_FORGET,
	CMD_MKDIR,
	CMD_MKNOD,
	CMD_SYMLINK,
	CMD_LINK,
	CMD_UNLINK,
	CMD_RMDIR,
	CMD_RENAME,
	CMD_CREATE,
	CMD_OPEN,
	CMD_OPENDIR,
	CMD_READ,
	CMD_WRITE,
	CMD_READDIR,
	CMD_RELEASE,
	CMD_SETATTR,
	CMD_GETATTR,
	CMD_LOCK,
	CMD_RAW,  /* opcode, node, length, bytes */
	CMD_ROOM, /* of answers from now on */
	CMD_USER,
	CMD_HOST,   /* the host renames or removes something */
	CMD_DAMAGE, /* save, change a byte, load */
	CMD_COUNT,
};

static const char *const names[] = {"a",   "b", "c", "d", "link",   "file", "..", ".",
				    "a/b", "/", "",  "x", "../out", "y",    "z",  "w"};
static const char *const targets[] = {"../out", "../out/file", "/", "..", "a", "b", "link", "."};

/* A session: what the guest has been told. */
struct session {
	const uint8_t *at, *end;
	uint64_t node[KNOWN_MAX], fh[KNOWN_MAX];
	uint64_t fh_node[KNOWN_MAX];
	unsigned nodes, fhs;
};

static struct fuseclient c;

/* What the file outside says, and the numbers of what is there. */
static char secret[9];
static uint64_t forbidden_ino[3];

static uint8_t take8(struct session *s)
{
	return s->at < s->end ? *s->at++ : 0;
}

static uint32_t take32(struct session *s)
{
	uint32_t value = 0;
	for (unsigned i = 0; i < 4; i++)
		value |= (uint32_t)take8(s) << 8 * i;
	return value;
}

static const char *take_name(struct session *s)
{
	return names[take8(s) % 16];
}

static uint64_t take_node(struct session *s)
{
	uint8_t i = take8(s);
	if (i == 0xff)
		return take32(s) | (uint64_t)take8(s) << 32;
	return s->nodes ? s->node[i % s->nodes] : FUSE_ROOT_ID;
}

/* A handle with its node, or another one. */
static uint64_t take_fh(struct session *s, uint64_t *ret_node)
{
	uint8_t i = take8(s);
	*ret_node = i & 0x80 ? take_node(s) : s->fhs ? s->fh_node[i % s->fhs] : FUSE_ROOT_ID;
	return s->fhs ? s->fh[i % s->fhs] : i;
}

static void check_ino(uint64_t ino)
{
	for (unsigned i = 0; i < 3; i++) {
		if (ino == forbidden_ino[i])
			abort();
	}
}

static void know(struct session *s, int error, const struct fuse_entry_out *e)
{
	if (error == 0)
		check_ino(e->attr.ino);
	if (error == 0)
		s->node[s->nodes < KNOWN_MAX ? s->nodes++ : e->nodeid % KNOWN_MAX] = e->nodeid;
}

static void know_fh(struct session *s, int error, uint64_t node, uint64_t fh)
{
	if (error != 0)
		return;
	unsigned i = s->fhs < KNOWN_MAX ? s->fhs++ : (unsigned)(fh % KNOWN_MAX);
	s->fh[i] = fh;
	s->fh_node[i] = node;
}

static void do_name(struct session *s, enum command command)
{
	struct fuse_entry_out e = {0};
	uint64_t dir = take_node(s), fh;
	const char *name = take_name(s);
	uint32_t mode;
	switch (command) {
	case CMD_LOOKUP:
		know(s, fuse_lookup(&c, dir, name, &e), &e);
		break;
	case CMD_MKDIR:
		know(s, fuse_mkdir(&c, dir, name, take8(s) | 0700, &e), &e);
		break;
	case CMD_MKNOD:
		mode = take32(s);
		know(s, fuse_mknod(&c, dir, name, mode, mode, &e), &e);
		break;
	case CMD_SYMLINK:
		know(s, fuse_symlink(&c, dir, name, targets[take8(s) % 8], &e), &e);
		break;
	case CMD_LINK:
		know(s, fuse_link(&c, take_node(s), dir, name, &e), &e);
		break;
	case CMD_UNLINK:
		fuse_unlink(&c, dir, name);
		break;
	case CMD_RMDIR:
		fuse_rmdir(&c, dir, name);
		break;
	case CMD_RENAME:
		mode = take8(s);
		fuse_rename(&c, dir, name, take_node(s), take_name(s), mode);
		break;
	default:
		mode = take32(s);
		if (fuse_create(&c, dir, name, mode, mode >> 16, &e, &fh) == 0) {
			know(s, 0, &e);
			know_fh(s, 0, e.nodeid, fh);
		}
	}
}

/* Whatever is read, the secret is not in it. Not by memmem(), from which a fuzzer would learn it.
 */
static void check_reply(size_t len)
{
	uint64_t wanted, word;
	memcpy(&wanted, secret, sizeof(wanted));
	for (size_t at = 0; at + sizeof(word) <= len; at++) {
		memcpy(&word, c.reply + at, sizeof(word));
		if (!(word ^ wanted))
			abort();
	}
}

static void do_file(struct session *s, enum command command)
{
	static uint8_t buf[4096];
	uint64_t node, fh = take_fh(s, &node);
	uint32_t len = take8(s) * 16u, offset = take32(s);
	struct fuse_lk_in lock = {
		.fh = fh,
		.owner = offset & 3,
		.lk_flags = offset >> 2 & 1,
		.lk = {.start = offset >> 8, .end = (offset >> 8) + len, .type = offset >> 4 & 3}};
	ssize_t n;
	switch (command) {
	case CMD_READ:
		n = fuse_read(&c, node, fh, buf, len, offset);
		if (n > 0)
			check_reply((size_t)n);
		break;
	case CMD_WRITE:
		fuse_write(&c, node, fh, buf, len, offset);
		break;
	case CMD_READDIR:
		n = fuse_readdir(&c, node, fh, len & 1 ? offset : 0, len, offset & 1);
		if (n > 0)
			check_reply((size_t)n);
		break;
	case CMD_RELEASE:
		if (len & 16)
			fuse_releasedir(&c, node, fh);
		else
			fuse_release(&c, node, fh, len & 3);
		break;
	default:
		fuse_call(&c,
			  offset & 8 ? FUSE_SETLKW
			  : len & 16 ? FUSE_GETLK
				     : FUSE_SETLK,
			  node, &lock, sizeof(lock), NULL, NULL);
	}
}

static void do_node(struct session *s, enum command command)
{
	uint64_t node = take_node(s), fh;
	struct fuse_setattr_in in;
	struct fuse_attr attr;
	int error;
	switch (command) {
	case CMD_FORGET:
		fuse_forget(&c, node, take8(s));
		break;
	case CMD_OPEN:
		error = fuse_open(&c, node, take32(s), &fh);
		know_fh(s, error, node, fh);
		break;
	case CMD_OPENDIR:
		error = fuse_opendir(&c, node, &fh);
		know_fh(s, error, node, fh);
		break;
	case CMD_SETATTR:
		in = (struct fuse_setattr_in){.valid = take32(s),
					      .fh = s->fhs ? s->fh[0] : 1,
					      .size = take32(s),
					      .atime = take8(s),
					      .mtime = take8(s),
					      .mtimensec = take32(s),
					      .mode = take32(s),
					      .uid = take8(s),
					      .gid = take8(s)};
		fuse_setattr(&c, node, &in, NULL);
		break;
	default:
		if (fuse_getattr(&c, node, &attr) == 0)
			check_ino(attr.ino);
	}
}

static void do_raw(struct session *s)
{
	uint32_t opcode = take8(s);
	uint64_t node = take_node(s);
	size_t len = take8(s), left = (size_t)(s->end - s->at);
	if (len > left)
		len = left;
	fuse_call_raw(&c, opcode, node, s->at, len);
	s->at += len;
	/* A new session knows nothing of the old one's, but may be asked for it. */
}

static void do_host(struct session *s)
{
	const char *a = names[take8(s) % 6], *b = names[take8(s) % 6];
	switch (take8(s) % 5) {
	case 0:
		renameat2(c.dir_fd, a, c.dir_fd, b, RENAME_EXCHANGE);
		break;
	case 1:
		renameat(c.dir_fd, a, c.dir_fd, b);
		break;
	case 2:
		if (symlinkat("../out", c.dir_fd, a) != 0)
			renameat2(c.dir_fd, a, c.outside_fd, "moved", RENAME_NOREPLACE);
		break;
	case 3:
		renameat2(c.outside_fd, "moved", c.dir_fd, a, RENAME_NOREPLACE);
		break;
	default:
		host_remove(c.dir_fd, a);
	}
}

static void do_damage(struct session *s)
{
	void *buf;
	size_t len, at = take8(s) | take8(s) << 8;
	if (c.fs->ops->save(c.fs, &buf, &len) != 0)
		abort();
	((uint8_t *)buf)[at % len] ^= take8(s);
	int error = c.fs->ops->load(c.fs, buf, len);
	(void)error; /* taken or refused */
	free(buf);
}

static void step(struct session *s)
{
	enum command command = take8(s) % CMD_COUNT;
	switch (command) {
	case CMD_LOOKUP:
	case CMD_MKDIR:
	case CMD_MKNOD:
	case CMD_SYMLINK:
	case CMD_LINK:
	case CMD_UNLINK:
	case CMD_RMDIR:
	case CMD_RENAME:
	case CMD_CREATE:
		do_name(s, command);
		break;
	case CMD_READ:
	case CMD_WRITE:
	case CMD_READDIR:
	case CMD_RELEASE:
	case CMD_LOCK:
		do_file(s, command);
		break;
	case CMD_RAW:
		do_raw(s);
		break;
	case CMD_ROOM:
		c.room = take8(s) * 64u;
		break;
	case CMD_USER:
		c.uid = c.gid = take8(s);
		break;
	case CMD_HOST:
		do_host(s);
		break;
	case CMD_DAMAGE:
		do_damage(s);
		break;
	default:
		do_node(s, command);
	}
}

/* Once: a share, and beside it what must stay as it is. */
static void set_up(void)
{
	/* A guest may ask for much space; it shall not get it from the machine that fuzzes. */
	struct rlimit limit = {.rlim_cur = 16 << 20, .rlim_max = RLIM_INFINITY};
	if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
		abort();
	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 0); /* writing back takes no time there */
	fuseclient_open_only(&c, &(struct fs_share_options){.files_max = 128});
	if (mkdirat(c.outside_fd, "out", 0755) != 0)
		abort();
	uint32_t number;
	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		abort();
	snprintf(secret, sizeof(secret), "%08x", number);
	host_write(c.outside_fd, "out/file", secret);
	static const char *const outside[] = {".", "out", "out/file"};
	for (unsigned i = 0; i < 3; i++) {
		struct stat st;
		if (fstatat(c.outside_fd, outside[i], &st, AT_SYMLINK_NOFOLLOW) != 0)
			abort();
		forbidden_ino[i] = st.st_ino;
	}
}

static void tear_down(void)
{
	fuseclient_close(&c);
}

static void check_outside(void)
{
	struct stat dir, file;
	if (!host_has(c.outside_fd, "out/file", secret) ||
	    fstatat(c.outside_fd, "out", &dir, AT_SYMLINK_NOFOLLOW) != 0 ||
	    fstatat(c.outside_fd, "out/file", &file, AT_SYMLINK_NOFOLLOW) != 0 ||
	    dir.st_mode != (S_IFDIR | 0755) || dir.st_nlink != 2 || dir.st_uid != geteuid() ||
	    file.st_mode != (S_IFREG | 0644) || file.st_nlink != 1 || file.st_uid != geteuid() ||
	    file.st_mtim.tv_sec < 1000 || fstat(c.outside_fd, &dir) != 0 ||
	    dir.st_mode != (S_IFDIR | 0700))
		abort();
}

static void clean(void)
{
	host_remove(c.outside_fd, "moved");
	for (unsigned i = 0; i < 16; i++) {
		if (*names[i] && !strchr(names[i], '.') && !strchr(names[i], '/'))
			host_remove(c.dir_fd, names[i]);
	}
	if (fchown(c.dir_fd, geteuid(), getegid()) != 0 || fchmod(c.dir_fd, 0755) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static bool is_set_up;
	struct session s = {.at = data, .end = data + len, .node = {FUSE_ROOT_ID}, .nodes = 1};
	struct fuse_init_out out;
	if (!is_set_up) {
		set_up();
		atexit(tear_down);
		is_set_up = true;
	}
	c.room = FUSECLIENT_REPLY_MAX;
	c.uid = c.gid = 0;
	if (fuse_init(&c, 38, ~0u, &out) != 0)
		abort();
	for (unsigned i = 0; i < STEPS_MAX && s.at < s.end; i++)
		step(&s);
	check_outside();
	device_lock(&c.dev);
	c.fs->ops->reset(c.fs);
	device_unlock(&c.dev);
	clean();
	return 0;
}
