/*
 * The cache of unpacked kernels: one file an entry, named by the payload's hash and size.
 *
 * An entry is a header page (struct cache_header), the extents' bytes, and a trailer that is
 * written last. It lies in a directory of <tinyvm/keep.h>; a load believes it when it belongs to
 * this user, is writable by nobody else, its size is what the header says, the header's own hash
 * is right and the trailer repeats it. So a torn write shows without a pass over tens of megabytes
 * at every start. The format is this machine's, not portable.
 */
#include "cache.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <tinyvm/keep.h>
#include <tinyvm/log.h>
#include <unistd.h>

#define CACHE_MAGIC "tinyvmK1" /* change with struct cache_header */
#define CACHE_PAGE  4096

struct cache_header {
	char magic[8];
	struct cache_key key;
	uint64_t file_size;
	struct vmlinux vmlinux;
	struct file_hash hash; /* of all above */
};

struct cache_trailer {
	char magic[8];
	struct file_hash hash; /* the header's */
};

_Static_assert(sizeof(struct cache_header) <= CACHE_PAGE, "the header fills at most a page");

void cache_name(const struct cache_key *key, char name[CACHE_NAME_MAX])
{
	snprintf(name, CACHE_NAME_MAX, CACHE_PREFIX "%016" PRIx64 "%016" PRIx64 "-%" PRIx64,
		 key->hash.h[0], key->hash.h[1], key->size);
}

static struct file_hash cache_header_hash(const struct cache_header *h)
{
	return file_hash_bytes(h, offsetof(struct cache_header, hash));
}

static bool cache_entry_is_good(int fd, const struct cache_key *key, struct cache_header *h)
{
	struct stat st;
	struct cache_trailer t;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !keep_is_private(&st))
		return false;
	uint64_t size = (uint64_t)st.st_size;
	if (size < CACHE_PAGE + sizeof(t) || file_read_at(fd, h, sizeof(*h), 0) < 0 ||
	    file_read_at(fd, &t, sizeof(t), size - sizeof(t)) < 0)
		return false;
	struct file_hash hash = cache_header_hash(h);
	return memcmp(h->magic, CACHE_MAGIC, sizeof(h->magic)) == 0 &&
	       memcmp(t.magic, CACHE_MAGIC, sizeof(t.magic)) == 0 &&
	       memcmp(&h->hash, &hash, sizeof(hash)) == 0 &&
	       memcmp(&t.hash, &hash, sizeof(hash)) == 0 &&
	       memcmp(&h->key, key, sizeof(*key)) == 0 && h->file_size == size &&
	       vmlinux_is_sane(&h->vmlinux, size);
}

int cache_load(int dirfd, const struct cache_key *key, int *ret_fd, struct vmlinux *ret_vmlinux)
{
	char name[CACHE_NAME_MAX];
	struct cache_header h;
	cache_name(key, name);
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -ENOENT;
	if (!cache_entry_is_good(fd, key, &h)) {
		log_info("removed the damaged cache entry %s", name);
		close(fd);
		unlinkat(dirfd, name, 0);
		return -ENOENT;
	}
	futimens(fd, NULL); /* its age decides what goes first; a failure only ages it */
	*ret_fd = fd;
	*ret_vmlinux = h.vmlinux;
	return 0;
}

/* Extents one after the other from the second page on, each on a page of its own. */
static int cache_write_entry(int fd, const struct cache_key *key, int raw_fd,
			     struct vmlinux *vmlinux)
{
	struct cache_header h = {.key = *key, .vmlinux = *vmlinux};
	struct cache_trailer t;
	memcpy(h.magic, CACHE_MAGIC, sizeof(h.magic));
	memcpy(t.magic, CACHE_MAGIC, sizeof(t.magic));
	uint64_t at = CACHE_PAGE;
	for (unsigned i = 0; i < h.vmlinux.count; i++) {
		struct vmlinux_extent *e = &h.vmlinux.extent[i];
		uint64_t map_off = e->offset & ~(uint64_t)(CACHE_PAGE - 1);
		uint64_t lead = e->offset - map_off;
		uint8_t *map =
			mmap(NULL, e->size + lead, PROT_READ, MAP_SHARED, raw_fd, (off_t)map_off);
		if (map == MAP_FAILED)
			return -errno;
		int rc = file_write_at(fd, map + lead, e->size, at);
		munmap(map, e->size + lead);
		if (rc)
			return rc;
		e->offset = at;
		at += (e->size + CACHE_PAGE - 1) & ~(uint64_t)(CACHE_PAGE - 1);
	}
	h.file_size = at + sizeof(t);
	h.hash = t.hash = cache_header_hash(&h);
	int rc = file_write_at(fd, &h, sizeof(h), 0);
	if (!rc)
		rc = file_write_at(fd, &t, sizeof(t), at);
	if (!rc)
		*vmlinux = h.vmlinux;
	return rc;
}

/* A note about a file whose entry is gone is of no use. */
static bool cache_note_is_stale(int dirfd, const char *name)
{
	return faccessat(dirfd, name, F_OK, 0) < 0 && errno == ENOENT;
}

static void cache_forget_notes(int dirfd)
{
	DIR *dir = keep_list(dirfd);
	if (!dir)
		return;
	for (struct dirent *d; (d = readdir(dir));) {
		bool is_note =
			strncmp(d->d_name, CACHE_SEEN_PREFIX, strlen(CACHE_SEEN_PREFIX)) == 0;
		if (is_note && cache_note_is_stale(dirfd, d->d_name))
			unlinkat(dirfd, d->d_name, 0);
	}
	closedir(dir);
}

int cache_store(int dirfd, const struct cache_key *key, int raw_fd, struct vmlinux *vmlinux,
		int *ret_fd)
{
	char name[CACHE_NAME_MAX], tmp[KEEP_NAME_MAX];
	int fd = keep_begin(dirfd, tmp);
	if (fd < 0)
		return fd;
	cache_name(key, name);
	struct vmlinux stored = *vmlinux;
	int rc = cache_write_entry(fd, key, raw_fd, &stored);
	rc = keep_end(dirfd, fd, tmp, name, rc);
	if (rc) {
		close(fd);
		return rc;
	}
	keep_evict(dirfd, CACHE_PREFIX, CACHE_ENTRIES_MAX);
	cache_forget_notes(dirfd);
	*ret_fd = fd;
	*vmlinux = stored;
	return 0;
}
