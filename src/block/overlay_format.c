/* The header of a kept overlay's file. What is read may have been written by anybody. */
#include "overlay_format.h"
#include "request.h"
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define OVERLAY_VERSION	   1u
#define OVERLAY_DATA_ALIGN 65536u

static const char overlay_magic[8] = {'t', 'i', 'n', 'y', 'v', 'm', 'O', 'V'};

/* The header as it is in the file; zeroes follow. */
struct overlay_header {
	char magic[8];
	uint32_t version;
	uint32_t is_being_applied;
	uint64_t size;
	uint64_t dev, ino;
	uint64_t mtime_s;
	uint32_t mtime_ns;
	uint32_t reserved;
	char path[OVERLAY_PATH_MAX];
};
_Static_assert(sizeof(struct overlay_header) == 56 + OVERLAY_PATH_MAX, "fixed by the format");
_Static_assert(sizeof(struct overlay_header) <= OVERLAY_HEADER_SIZE, "fixed by the format");

static uint64_t overlay_round_up(uint64_t n, uint64_t unit)
{
	return (n + unit - 1) / unit * unit;
}

uint64_t overlay_map_size(uint64_t size)
{
	return overlay_round_up(overlay_round_up(size / SECTOR_SIZE, 8) / 8, OVERLAY_MAP_PAGE);
}

uint64_t overlay_data_offset(uint64_t size)
{
	return overlay_round_up(OVERLAY_HEADER_SIZE + overlay_map_size(size), OVERLAY_DATA_ALIGN);
}

uint64_t overlay_file_size(uint64_t size)
{
	return overlay_data_offset(size) + size;
}

void overlay_identify(struct overlay_identity *ret_id, const struct stat *st)
{
	*ret_id = (struct overlay_identity){.dev = st->st_rdev};
	if (S_ISBLK(st->st_mode))
		return;
	ret_id->dev = st->st_dev;
	ret_id->ino = st->st_ino;
	ret_id->mtime_s = st->st_mtim.tv_sec;
	ret_id->mtime_ns = (uint32_t)st->st_mtim.tv_nsec;
}

void overlay_encode(uint8_t header[OVERLAY_HEADER_SIZE], const struct overlay_info *info)
{
	struct overlay_header h = {
		.version = htole32(OVERLAY_VERSION),
		.is_being_applied = htole32(info->is_being_applied),
		.size = htole64(info->size),
		.dev = htole64(info->identity.dev),
		.ino = htole64(info->identity.ino),
		.mtime_s = htole64((uint64_t)info->identity.mtime_s),
		.mtime_ns = htole32(info->identity.mtime_ns),
	};
	memcpy(h.magic, overlay_magic, sizeof(h.magic));
	memcpy(h.path, info->path, strnlen(info->path, sizeof(h.path) - 1));
	memset(header, 0, OVERLAY_HEADER_SIZE);
	memcpy(header, &h, sizeof(h));
}

bool overlay_is_path_usable(const char *path)
{
	size_t len = strnlen(path, OVERLAY_PATH_MAX);
	if (len == OVERLAY_PATH_MAX || path[0] != '/')
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)path[i] < ' ' || path[i] == 0x7f)
			return false;
	return true;
}

int overlay_decode(const uint8_t header[OVERLAY_HEADER_SIZE], uint64_t file_size,
		   struct overlay_info *ret_info, const char **ret_why)
{
	struct overlay_header h;
	memcpy(&h, header, sizeof(h));
	uint64_t size = le64toh(h.size);
	uint32_t being_applied = le32toh(h.is_being_applied);

	if (memcmp(h.magic, overlay_magic, sizeof(h.magic)) != 0)
		*ret_why = "not an overlay that --keep-overlay made";
	else if (le32toh(h.version) != OVERLAY_VERSION)
		*ret_why = "an overlay of another version of tinyvm; commit it with that one";
	else if (size == 0 || size % SECTOR_SIZE || size > OVERLAY_SIZE_MAX || being_applied > 1 ||
		 h.reserved || !overlay_is_path_usable(h.path))
		*ret_why = "a damaged overlay: its header makes no sense";
	else if (file_size != overlay_file_size(size))
		*ret_why = "a damaged overlay: it is not as long as its header says";
	else {
		*ret_info = (struct overlay_info){
			.size = size,
			.identity = {.dev = le64toh(h.dev),
				     .ino = le64toh(h.ino),
				     .mtime_s = (int64_t)le64toh(h.mtime_s),
				     .mtime_ns = le32toh(h.mtime_ns)},
			.is_being_applied = being_applied,
		};
		memcpy(ret_info->path, h.path, sizeof(h.path));
		return 0;
	}
	return -EINVAL;
}
