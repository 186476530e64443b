/*
 * Guest RAM: one anonymous mapping, cut in two by the hole below 4 GiB.
 *
 * Left out on purpose: sharing with other processes, NUMA placement, ballooning.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <tinyvm/gmem.h>

#define PAGE_SIZE      4096ULL
#define HUGE_PAGE_SIZE (2ULL << 20)

struct gmem {
	struct gmem_region region[2];
	unsigned region_count;
	uint64_t size;
};

/*
 * A host address congruent to guest address 0 modulo 2 MiB, without which neither the host's page
 * tables nor the nested ones could use huge pages.
 */
static void *gmem_map(uint64_t size)
{
	uint8_t *map = mmap(NULL, size + HUGE_PAGE_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED)
		return NULL;

	uint64_t lead = -(uintptr_t)map & (HUGE_PAGE_SIZE - 1);
	if (lead)
		munmap(map, lead);
	munmap(map + lead + size, HUGE_PAGE_SIZE - lead);
	madvise(map + lead, size, MADV_HUGEPAGE); /* a wish; without it all still works */
	return map + lead;
}

int gmem_create(struct gmem **ret_gm, uint64_t size)
{
	if (size == 0 || size % PAGE_SIZE || size > GMEM_SIZE_MAX)
		return -EINVAL;

	struct gmem *gm = calloc(1, sizeof(*gm));
	if (!gm)
		return -ENOMEM;
	uint8_t *hva = gmem_map(size);
	if (!hva) {
		free(gm);
		return -ENOMEM;
	}

	uint64_t low = size < GMEM_HOLE_START ? size : GMEM_HOLE_START;
	gm->size = size;
	gm->region[gm->region_count++] = (struct gmem_region){.gpa = 0, .size = low, .hva = hva};
	if (size > low)
		gm->region[gm->region_count++] = (struct gmem_region){
			.gpa = GMEM_HOLE_END, .size = size - low, .hva = hva + low};
	*ret_gm = gm;
	return 0;
}

void gmem_destroy(struct gmem *gm)
{
	if (!gm)
		return;
	munmap(gm->region[0].hva, gm->size);
	free(gm);
}

uint64_t gmem_size(const struct gmem *gm)
{
	return gm->size;
}

unsigned gmem_region_count(const struct gmem *gm)
{
	return gm->region_count;
}

const struct gmem_region *gmem_region(const struct gmem *gm, unsigned i)
{
	return i < gm->region_count ? &gm->region[i] : NULL;
}

/* The regions never touch, so a range lies in one of them or is not all RAM. */
static uint8_t *gmem_window(const struct gmem *gm, gpa_t gpa, uint64_t len)
{
	for (unsigned i = 0; i < gm->region_count; i++) {
		const struct gmem_region *r = &gm->region[i];
		uint64_t off = gpa - r->gpa;
		if (gpa >= r->gpa && off <= r->size && len <= r->size - off)
			return (uint8_t *)r->hva + off;
	}
	return NULL;
}

int gmem_read(const struct gmem *gm, gpa_t gpa, void *buf, size_t len)
{
	if (len == 0)
		return 0;
	const uint8_t *p = gmem_window(gm, gpa, len);
	if (!p)
		return -EFAULT;
	memcpy(buf, p, len);
	return 0;
}

int gmem_write(const struct gmem *gm, gpa_t gpa, const void *buf, size_t len)
{
	if (len == 0)
		return 0;
	uint8_t *p = gmem_window(gm, gpa, len);
	if (!p)
		return -EFAULT;
	memcpy(p, buf, len);
	return 0;
}

int gmem_zero(const struct gmem *gm, gpa_t gpa, uint64_t len)
{
	if (len == 0)
		return 0;
	uint8_t *p = gmem_window(gm, gpa, len);
	if (!p)
		return -EFAULT;
	memset(p, 0, len);
	return 0;
}

int gmem_load_le16(const struct gmem *gm, gpa_t gpa, uint16_t *ret_value)
{
	uint8_t *p = gpa % 2 ? NULL : gmem_window(gm, gpa, 2);
	if (!p)
		return -EFAULT;
	*ret_value = __atomic_load_n((uint16_t *)(void *)p, __ATOMIC_ACQUIRE);
	return 0;
}

int gmem_store_le16(const struct gmem *gm, gpa_t gpa, uint16_t value)
{
	uint8_t *p = gpa % 2 ? NULL : gmem_window(gm, gpa, 2);
	if (!p)
		return -EFAULT;
	__atomic_store_n((uint16_t *)(void *)p, value, __ATOMIC_RELEASE);
	return 0;
}

int gmem_iov(const struct gmem *gm, gpa_t gpa, uint64_t len, struct iovec *iov, unsigned max)
{
	if (len == 0)
		return 0;
	uint8_t *p = gmem_window(gm, gpa, len);
	if (!p)
		return -EFAULT;
	if (max == 0)
		return -ENOBUFS;
	*iov = (struct iovec){.iov_base = p, .iov_len = len};
	return 1;
}
