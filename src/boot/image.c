/*
 * A kernel file from its first byte to a list of ranges to copy and an address to enter.
 *
 *	bzImage ── payload? ── in the cache? ──────────────── yes ─┐
 *	   │          │             └─ unpack, keep ───────────────┤
 *	   │          └─ cannot be unpacked: its own code does it ─┤
 *	ELF vmlinux ── its segments ───────────────────────────────┴─ struct vmlinux
 *	vmlinux.gz ─── like a payload
 *	zImage, iPXE, Multiboot ── also ranges and an address, but a PC's BIOS is to start them
 *
 * Entering the unpacked vmlinux skips the bzImage's own code, which beyond unpacking looks for the
 * RSDP (the zero page names it), switches to 5-level paging (optional) and picks a random address
 * (so kernel address randomisation is off). What the kernel expects of its 64-bit entry is the same
 * in both: long mode, identity mapping, RSI at the zero page, interrupts off.
 */
#include "image.h"

#include "cache.h"
#include "file.h"
#include "identify.h"
#include "multiboot.h"
#include "payload.h"
#include "realmode.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <spec/multiboot.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <tinyvm/err.h>
#include <tinyvm/keep.h>
#include <tinyvm/log.h>
#include <unistd.h>

#define TOOL_STALL_MS 20000
#define HEAD_MAX      MULTIBOOT_SEARCH

/* Appends to the line for -v. */
static void image_say(struct boot_image *image, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void image_say(struct boot_image *image, const char *fmt, ...)
{
	size_t used = strlen(image->how);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(image->how + used, sizeof(image->how) - used, fmt, ap);
	va_end(ap);
}

static bool image_is_multiboot(int fd, uint64_t size)
{
	uint8_t head[HEAD_MAX];
	size_t len = size < HEAD_MAX ? (size_t)size : HEAD_MAX;
	return file_read_at(fd, head, len, 0) == 0 && multiboot_is_one(head, len);
}

/* Drops the zeroes from an unpacked kernel, and keeps it when there is a cache. */
static void image_keep(struct boot_image *image, int cache, const struct cache_key *key,
		       uint64_t size)
{
	uint8_t *map = mmap(NULL, size, PROT_READ, MAP_SHARED, image->fd, 0);
	if (map != MAP_FAILED) {
		vmlinux_trim(&image->vmlinux, map, size);
		munmap(map, size);
	}
	if (cache < 0)
		return;
	int kept = -1;
	int rc = cache_store(cache, key, image->fd, &image->vmlinux, &kept);
	if (rc) {
		log_info("the unpacked kernel is not kept in the cache: %s", strerror(-rc));
		return;
	}
	close(image->fd);
	image->fd = kept;
}

/*
 * Return: 0 with image->fd and ->vmlinux set; -errno with the reason, and -ENOEXEC with a memfd in
 * @ret_raw_fd when what was packed is no x86-64 kernel.
 */
static int image_unpack(struct boot_image *image, const struct payload *p,
			const struct image_options *opt, int cache, int *ret_raw_fd,
			char why[UNPACK_WHY_MAX])
{
	struct cache_key key = {.size = p->len};
	int rc = 0;
	if (cache >= 0 && cache_recall(cache, p->fd, p->off, p->len, &key) != 0) {
		rc = file_hash(p->fd, p->off, p->len, &key.hash);
		if (!rc)
			cache_remember(cache, p->fd, p->off, p->len, &key);
	}
	if (rc) {
		snprintf(why, UNPACK_WHY_MAX, "it cannot be read: %s", strerror(-rc));
		return rc;
	}
	if (cache >= 0 && cache_load(cache, &key, &image->fd, &image->vmlinux) == 0) {
		image_say(image, "; %s payload unpacked earlier (cache)",
			  unpack_format_name(p->format));
		return 0;
	}

	uint64_t size;
	int raw;
	rc = payload_unpack(p, opt->stall_ms, &raw, &size, why);
	if (rc)
		return rc;
	const char *elf_why = "is a Multiboot kernel";
	rc = image_is_multiboot(raw, size) ? -ENOEXEC
					   : vmlinux_parse(raw, size, &image->vmlinux, &elf_why);
	if (rc) {
		snprintf(why, UNPACK_WHY_MAX, "its payload %s",
			 rc == -ENOEXEC ? elf_why : "cannot be read");
		*ret_raw_fd = raw;
		return rc;
	}
	image->fd = raw;
	image_say(image, "; %s payload unpacked by %s", unpack_format_name(p->format),
		  unpack_needs_tool(p->format) ? "the host's tool" : "tinyvm");
	image_keep(image, cache, &key, size);
	return 0;
}

static int image_cache_open(const struct image_options *opt)
{
	if (!opt->cache_dir)
		return -ENOENT;
	int cache = keep_open(opt->cache_dir);
	if (cache < 0)
		log_info("no cache in %s: %s", opt->cache_dir,
			 cache == -EPERM ? "it is not private to this user" : strerror(-cache));
	return cache;
}

/* Whether bzImage @bz is now a vmlinux; else why not. */
static bool image_try_unpack(struct boot_image *image, const struct bzimage *bz,
			     const struct image_options *opt, char why[UNPACK_WHY_MAX])
{
	struct payload payload;
	const char *said = NULL;
	if (!opt->is_unpack_wanted)
		said = "unpacking on the host is off";
	else if (!bz->is_64bit)
		said = "it has no 64-bit entry";
	else if (!bzimage_payload(bz, image->file_fd, &payload))
		said = "its payload is of an unknown format";
	else if (!opt->may_spawn && unpack_needs_tool(payload.format))
		said = "running tools is off";
	if (said) {
		snprintf(why, UNPACK_WHY_MAX, "%s", said);
		return false;
	}
	int raw = -1;
	int cache = image_cache_open(opt);
	int rc = image_unpack(image, &payload, opt, cache, &raw, why);
	if (cache >= 0)
		close(cache);
	if (raw >= 0)
		close(raw);
	return rc == 0;
}

static void image_open_real_mode(struct boot_image *image, const struct bzimage *bz)
{
	image->kind = IMAGE_REAL_MODE;
	image->fd = image->file_fd;
	image->vmlinux = (struct vmlinux){
		.start = bz->load,
		.end = bz->load + bz->span,
		.count = 1,
		.extent = {{bz->load, bz->kernel_off, bz->kernel_size}},
	};
	image_say(image, ", loaded at %#" PRIx64 ", entered in real mode", bz->load);
}

static int image_open_bzimage(struct boot_image *image, uint64_t size, const uint8_t *head,
			      size_t len, const struct image_options *opt, struct err *err)
{
	struct bzimage bz;
	const char *why;
	int rc = bzimage_parse(image->file_fd, size, head, len, &bz, &why);
	if (rc == -ENOEXEC)
		return err_set(err, rc, "kernel '%s' %s", image->path, why);
	if (rc)
		return err_set(err, rc, "kernel '%s' cannot be read: %s", image->path,
			       strerror(-rc));
	image->hdr = bz.hdr;
	memcpy(image->release, bz.release, sizeof(image->release));
	image_say(image, "bzImage%s%s%s, boot protocol %u.%02u", bz.release[0] ? ", " : "",
		  bzimage_is_linux(&bz) ? "Linux " : "", bz.release, bz.hdr.version >> 8,
		  bz.hdr.version & 0xff);

	if (bz.is_real_mode) {
		image_open_real_mode(image, &bz);
		return 0;
	}
	char unpack_why[UNPACK_WHY_MAX];
	image->is_long_mode = bz.is_64bit;
	if (image_try_unpack(image, &bz, opt, unpack_why)) {
		image_say(image, ", entered as ELF at %#" PRIx64, image->vmlinux.entry);
		return 0;
	}
	image_say(image, "; unpacks itself (%d-bit entry at %#" PRIx64 ") because %s",
		  bz.is_64bit ? 64 : 32, bz.load, unpack_why);
	image->fd = image->file_fd;
	image->vmlinux = (struct vmlinux){
		.entry = bz.load + (bz.is_64bit ? LINUX_ENTRY_64 : 0),
		.start = bz.load,
		.end = bz.load + bz.span,
		.count = 1,
		.extent = {{bz.load, bz.kernel_off, bz.kernel_size}},
	};
	return 0;
}

/* @fd: the kernel file, or a memfd with it unpacked, that is now the image's */
static int image_open_multiboot(struct boot_image *image, int fd, uint64_t size,
				const uint8_t *head, size_t len, struct err *err)
{
	const char *why;
	image->fd = fd;
	int rc = multiboot_parse(fd, size, head, len, &image->vmlinux, &why);
	if (rc == -ENOEXEC)
		return err_set(err, rc, "kernel '%s' %s", image->path, why);
	if (rc)
		return err_set(err, rc, "kernel '%s' cannot be read: %s", image->path,
			       strerror(-rc));
	image->kind = IMAGE_MULTIBOOT;
	bzimage_make_header(&image->hdr);
	image_say(image, "%sMultiboot kernel, entered at %#" PRIx64, image->how[0] ? ": " : "",
		  image->vmlinux.entry);
	return 0;
}

static int image_open_elf(struct boot_image *image, uint64_t size, const uint8_t *head, size_t len,
			  struct err *err)
{
	char buf[128];
	if (len < 20 || head[EI_CLASS] != ELFCLASS64 || head[EI_DATA] != ELFDATA2LSB ||
	    head[18] != EM_X86_64 || head[19] != 0)
		return err_set(err, -ENOEXEC, "kernel '%s' %s", image->path,
			       identify_foreign(head, len, size, buf, sizeof(buf)));
	const char *why;
	int rc = vmlinux_parse(image->file_fd, size, &image->vmlinux, &why);
	if (rc == -ENOEXEC)
		return err_set(err, rc, "kernel '%s' %s", image->path, why);
	if (rc)
		return err_set(err, rc, "kernel '%s' cannot be read: %s", image->path,
			       strerror(-rc));
	image->fd = image->file_fd;
	image->is_long_mode = true;
	bzimage_make_header(&image->hdr);
	image_say(image, "ELF vmlinux, entered at %#" PRIx64, image->vmlinux.entry);
	return 0;
}

/* vmlinux.gz, or what else people compress. */
static int image_open_gzip(struct boot_image *image, uint64_t size,
			   const struct unpack_format *format, const struct image_options *opt,
			   struct err *err)
{
	struct payload payload = {image->file_fd, 0, size, format};
	char why[UNPACK_WHY_MAX];
	uint8_t head[HEAD_MAX] = {0};
	int raw = -1;
	int cache = image_cache_open(opt);
	image_say(image, "compressed");
	int rc = image_unpack(image, &payload, opt, cache, &raw, why);
	if (cache >= 0)
		close(cache);
	if (rc == 0) {
		image->is_long_mode = true;
		bzimage_make_header(&image->hdr);
		image_say(image, ", ELF vmlinux, entered at %#" PRIx64, image->vmlinux.entry);
		return 0;
	}
	if (raw < 0)
		return err_set(err, rc, "kernel '%s' is a gzip file that cannot be unpacked: %s",
			       image->path, why);

	char buf[128];
	off_t raw_size = lseek(raw, 0, SEEK_END);
	size_t len = raw_size < HEAD_MAX ? (size_t)raw_size : HEAD_MAX;
	bool is_read = raw_size > 0 && file_read_at(raw, head, len, 0) == 0;
	if (is_read && multiboot_is_one(head, len))
		return image_open_multiboot(image, raw, (uint64_t)raw_size, head, len, err);
	close(raw);
	if (!is_read)
		return err_set(err, rc, "kernel '%s' cannot be read: %s", image->path,
			       strerror(-rc));
	if (bzimage_is_one(head, len))
		return err_set(err, -ENOEXEC, "kernel '%s' is a gzip-compressed bzImage; gunzip it",
			       image->path);
	const char *what = why + strlen("its payload ");
	if (!(head[0] == ELFMAG0 && head[EI_CLASS] == ELFCLASS64 && head[18] == EM_X86_64))
		what = identify_foreign(head, len, (uint64_t)raw_size, buf, sizeof(buf));
	return err_set(err, -ENOEXEC, "kernel '%s', a gzip file, unpacked %s", image->path, what);
}

static int image_open_any(struct boot_image *image, uint64_t size, const struct image_options *opt,
			  struct err *err)
{
	uint8_t head[HEAD_MAX];
	char buf[128];
	size_t len = size < HEAD_MAX ? (size_t)size : HEAD_MAX;
	int rc = file_read_at(image->file_fd, head, len, 0);
	if (rc)
		return err_set(err, rc, "kernel '%s' cannot be read: %s", image->path,
			       strerror(-rc));
	if (bzimage_is_one(head, len))
		return image_open_bzimage(image, size, head, len, opt, err);
	if (multiboot_is_one(head, len))
		return image_open_multiboot(image, image->file_fd, size, head, len, err);
	if (len >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0)
		return image_open_elf(image, size, head, len, err);
	const struct unpack_format *format = unpack_identify(head, len);
	if (format && unpack_ends_in_size(format))
		return image_open_gzip(image, size, format, opt, err);
	return err_set(err, -ENOEXEC, "kernel '%s' %s", image->path,
		       identify_foreign(head, len, size, buf, sizeof(buf)));
}

int image_open_fd(struct boot_image **ret_image, int fd, uint64_t size, const char *path,
		  const struct image_options *opt, struct err *err)
{
	struct boot_image *image = calloc(1, sizeof(*image));
	if (!image) {
		close(fd);
		return err_set(err, -ENOMEM, "there is not enough memory to open a kernel");
	}
	image->file_fd = fd;
	image->fd = -1;
	image->path = strdup(path);
	int rc = image->path ? image_open_any(image, size, opt, err)
			     : err_set(err, -ENOMEM, "there is not enough memory to open a kernel");
	if (rc) {
		boot_image_close(image);
		return rc;
	}
	*ret_image = image;
	return 0;
}

int boot_image_open(struct boot_image **ret_image, const char *path, bool is_unpack_wanted,
		    const char *cache_dir, struct err *err)
{
	const struct image_options opt = {
		.is_unpack_wanted = is_unpack_wanted,
		.may_spawn = true,
		.stall_ms = TOOL_STALL_MS,
		.cache_dir = cache_dir,
	};
	int fd;
	uint64_t size;
	int rc = file_open(path, "kernel", &fd, &size, err);
	if (rc)
		return rc;
	return image_open_fd(ret_image, fd, size, path, &opt, err);
}

void boot_image_close(struct boot_image *image)
{
	if (!image)
		return;
	if (image->fd >= 0 && image->fd != image->file_fd)
		close(image->fd);
	close(image->file_fd);
	free(image->path);
	free(image);
}

bool boot_image_needs_pc(const struct boot_image *image)
{
	return image->kind != IMAGE_DIRECT;
}

/* Whether what is packed in the file is a Multiboot kernel; no more than its head is unpacked. */
static bool image_has_multiboot(int fd, uint64_t size, const struct unpack_format *format)
{
	const struct unpack_source source = {.in = {fd, 0, size, format, TOOL_STALL_MS}};
	uint8_t head[HEAD_MAX];
	char why[UNPACK_WHY_MAX];
	struct unpack_stream *stream;
	size_t len = 0;
	ssize_t n = 1;
	if (unpack_stream_open(&stream, &source, why) != 0)
		return false;
	while (len < HEAD_MAX && n > 0) {
		n = unpack_stream_read(stream, head + len, HEAD_MAX - len, why);
		len += n > 0 ? (size_t)n : 0;
	}
	unpack_stream_close(stream);
	return n >= 0 && multiboot_is_one(head, len);
}

bool boot_file_needs_pc(const char *path)
{
	uint8_t head[HEAD_MAX];
	struct bzimage bz;
	const char *why;
	struct err err;
	uint64_t size;
	int fd;
	if (file_open(path, "kernel", &fd, &size, &err) != 0)
		return false;
	size_t len = size < HEAD_MAX ? (size_t)size : HEAD_MAX;
	bool is_needed = file_read_at(fd, head, len, 0) == 0;
	const struct unpack_format *format = is_needed ? unpack_identify(head, len) : NULL;
	if (is_needed && bzimage_is_one(head, len))
		is_needed = bzimage_parse(fd, size, head, len, &bz, &why) == 0 && bz.is_real_mode;
	else if (format && unpack_ends_in_size(format))
		is_needed = image_has_multiboot(fd, size, format);
	else
		is_needed = is_needed && multiboot_is_one(head, len);
	close(fd);
	return is_needed;
}

int boot_pc_load(struct gmem *gm, const struct boot_linux *boot, struct err *err)
{
	return boot->image->kind == IMAGE_MULTIBOOT ? multiboot_load(gm, boot, err)
						    : realmode_load(gm, boot, err);
}

const char *boot_image_how(const struct boot_image *image)
{
	return image->how;
}
