/*
 * Guest memory: the only way to reach guest RAM.
 *
 * A guest physical address is a gpa_t and is never cast to a pointer. Every access is checked
 * against RAM, overflow included, and is all-or-nothing. gmem knows RAM only, so a device's DMA can
 * never re-enter a device. The guest may rewrite any byte between two reads: parse copies.
 */
#ifndef TINYVM_GMEM_H
#define TINYVM_GMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

typedef uint64_t gpa_t;

/* RAM stops at 3 GiB for the PCI and chip window and goes on at 4 GiB. */
#define GMEM_HOLE_START 0xc0000000ULL
#define GMEM_HOLE_END	0x100000000ULL
#define GMEM_SIZE_MAX	(1ULL << 46)

struct gmem;

/**
 * struct gmem_region - one run of guest RAM
 * @gpa:  first guest physical address, page aligned
 * @size: bytes, a multiple of the page size, not 0
 * @hva:  where the VMM sees it; for src/kvm's memory slots and vhost's only
 */
struct gmem_region {
	gpa_t gpa;
	uint64_t size;
	void *hva;
};

/**
 * gmem_create() - reserve @size bytes of guest RAM, lazily allocated, zero-filled
 * @ret_gm: the new memory; untouched on failure
 * @size:   bytes, a multiple of 4096, 1 page up to GMEM_SIZE_MAX; may exceed the host's RAM
 *
 * RAM lies at [0, min(size, 3 GiB)) and the rest from 4 GiB on. Transparent huge pages are asked
 * for. Pages left untouched cost nothing.
 * Return: 0, -EINVAL for a bad size, -ENOMEM when the address space is not to be had.
 */
int gmem_create(struct gmem **ret_gm, uint64_t size) __attribute__((warn_unused_result));
void gmem_destroy(struct gmem *gm);

uint64_t gmem_size(const struct gmem *gm);
unsigned gmem_region_count(const struct gmem *gm);
const struct gmem_region *gmem_region(const struct gmem *gm, unsigned i);

/**
 * gmem_read() - copy guest memory out
 * gmem_write() - copy into guest memory
 * gmem_zero() - clear guest memory
 *
 * All-or-nothing: a range that is not RAM from end to end is not touched. @len 0 succeeds.
 * Return: 0 or -EFAULT.
 * Context: any thread; the guest may race with the copy.
 */
int gmem_read(const struct gmem *gm, gpa_t gpa, void *buf, size_t len)
	__attribute__((warn_unused_result));
int gmem_write(const struct gmem *gm, gpa_t gpa, const void *buf, size_t len)
	__attribute__((warn_unused_result));
int gmem_zero(const struct gmem *gm, gpa_t gpa, uint64_t len) __attribute__((warn_unused_result));

/**
 * gmem_load_le16() - load one aligned little-endian value, with acquire ordering
 * gmem_store_le16() - store one aligned little-endian value, with release ordering
 *
 * For words that the guest and the VMM share: ring indices and flags.
 * Return: 0, or -EFAULT when @gpa is not RAM or not naturally aligned.
 */
int gmem_load_le16(const struct gmem *gm, gpa_t gpa, uint16_t *ret_value)
	__attribute__((warn_unused_result));
int gmem_store_le16(const struct gmem *gm, gpa_t gpa, uint16_t value)
	__attribute__((warn_unused_result));

/**
 * gmem_iov() - the host windows behind a guest range, for the host's kernel only: readv, writev,
 *              io_uring, vhost
 * @iov: room for @max entries, filled from 0
 *
 * Return: entries used (0 for @len 0), -EFAULT when the range is not all RAM, -ENOBUFS when it
 * would need more than @max entries.
 */
int gmem_iov(const struct gmem *gm, gpa_t gpa, uint64_t len, struct iovec *iov, unsigned max)
	__attribute__((warn_unused_result));

#endif
