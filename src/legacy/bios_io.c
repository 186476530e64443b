/*
 * Disk I/O for the BIOS: one transfer at a time, through a buffer, in pieces.
 *
 * The disk works on its own thread while the ROM's stub keeps asking, so what is wanted is found
 * again by comparing it. Whoever wants something else in between (an interrupt handler that reads a
 * disk, or a guest that changed its registers) gets his turn when the disk is done, and the other
 * begins again: reading and writing a sector twice is the same as once. Guest memory is touched
 * only while its owner is in a call, never by the disk.
 */
#include "bios_device.h"

#include <errno.h>
#include <string.h>

#define FORMAT_BYTE 0xf6

unsigned bios_disk_count(const struct bios *b, enum bios_disk_kind kind)
{
	unsigned count = 0;
	for (unsigned i = 0; i < b->cfg.disk_count; i++)
		count += b->cfg.disk[i].kind == kind;
	return count;
}

const struct bios_disk *bios_disk_nth(const struct bios *b, enum bios_disk_kind kind, unsigned n)
{
	for (unsigned i = 0; i < b->cfg.disk_count; i++)
		if (b->cfg.disk[i].kind == kind && n-- == 0)
			return &b->cfg.disk[i];
	return NULL;
}

static bool bios_is_emulating(const struct bios *b, enum bios_disk_kind kind)
{
	const struct bios_eltorito *e = &b->eltorito;
	return e->is_emulated && kind == (e->media == 4 ? BIOS_HARD_DISK : BIOS_FLOPPY);
}

unsigned bios_drive_count(const struct bios *b, enum bios_disk_kind kind)
{
	return bios_disk_count(b, kind) + bios_is_emulating(b, kind);
}

/* The part of a CD that is shown as a floppy or hard disk. */
static bool bios_drive_emulated(const struct bios *b, struct bios_drive *ret_drive)
{
	const struct bios_eltorito *e = &b->eltorito;
	const struct bios_disk *cd = bios_disk_nth(b, BIOS_CD, e->cd);
	uint64_t offset = (uint64_t)e->lba * BIOS_CD_SECTOR;
	uint64_t size = (uint64_t)e->cylinders * e->heads * e->sectors * BIOS_SECTOR;
	if (!cd || offset >= cd->size)
		return false;
	if (size > cd->size - offset)
		size = (cd->size - offset) / BIOS_SECTOR * BIOS_SECTOR;
	*ret_drive = (struct bios_drive){.disk = cd,
					 .kind = e->media == 4 ? BIOS_HARD_DISK : BIOS_FLOPPY,
					 .offset = offset,
					 .size = size,
					 .cylinders = e->cylinders,
					 .heads = e->heads,
					 .sectors = e->sectors,
					 .is_readonly = true};
	return true;
}

bool bios_drive(const struct bios *b, uint8_t number, struct bios_drive *ret_drive)
{
	const struct bios_eltorito *e = &b->eltorito;
	enum bios_disk_kind kind = number < BIOS_DRIVE_HARD_DISK ? BIOS_FLOPPY
				   : number < BIOS_DRIVE_CD	 ? BIOS_HARD_DISK
								 : BIOS_CD;
	unsigned n = number & (kind == BIOS_CD ? 0x1fu : 0x7fu);

	if (e->is_emulated && number == e->drive)
		return bios_drive_emulated(b, ret_drive);
	/* The first of its kind has had to make room. */
	if (bios_is_emulating(b, kind))
		n--;
	const struct bios_disk *disk = bios_disk_nth(b, kind, n);
	if (!disk)
		return false;
	*ret_drive = (struct bios_drive){.disk = disk,
					 .kind = kind,
					 .size = disk->size,
					 .cylinders = disk->cylinders,
					 .heads = disk->heads,
					 .sectors = disk->sectors,
					 .is_readonly = disk->is_readonly || kind == BIOS_CD};
	return true;
}

const uint8_t *bios_io_data(const struct bios *b)
{
	return b->transfer.buffer;
}

static bool bios_io_is_same(const struct bios_io *x, const struct bios_io *y)
{
	return x->frame == y->frame && x->disk == y->disk && x->op == y->op &&
	       x->offset == y->offset && x->len == y->len && x->gpa == y->gpa;
}

/* On the disk's thread, or within submit(). */
static void bios_io_done(struct block_req *req, int result)
{
	struct bios_transfer *t =
		(struct bios_transfer *)((char *)req - offsetof(struct bios_transfer, req));
	t->result = result;
	__atomic_store_n(&t->has_ended, true, __ATOMIC_RELEASE);
}

static size_t bios_io_piece(const struct bios_transfer *t)
{
	uint64_t left = t->io.len - t->done;
	return left < BIOS_IO_BUFFER ? (size_t)left : BIOS_IO_BUFFER;
}

static void bios_io_start(struct bios *b)
{
	struct bios_transfer *t = &b->transfer;
	bool is_write = t->io.op == BIOS_IO_WRITE || t->io.op == BIOS_IO_FILL;
	size_t len = bios_io_piece(t);

	if (t->io.op == BIOS_IO_WRITE)
		bios_copy_in(b, t->buffer, t->io.gpa + t->done, len);
	else if (t->io.op == BIOS_IO_FILL)
		memset(t->buffer, FORMAT_BYTE, len);
	t->iov = (struct iovec){.iov_base = t->buffer, .iov_len = len};
	t->req = (struct block_req){.op = is_write ? BLOCK_WRITE : BLOCK_READ,
				    .offset = t->io.offset + t->done,
				    .len = len,
				    .iov = &t->iov,
				    .iov_count = 1,
				    .done = bios_io_done};
	__atomic_store_n(&t->has_ended, false, __ATOMIC_RELAXED);
	t->is_in_flight = true;
	t->io.disk->submit(t->io.disk->ctx, &t->req);
}

static uint8_t bios_io_status(const struct bios_transfer *t)
{
	if (t->result == 0)
		return DISK_OK;
	if (t->result == -EROFS)
		return DISK_WRITE_PROTECTED;
	return t->req.op == BLOCK_WRITE ? DISK_WRITE_FAULT : DISK_READ_ERROR;
}

static bool bios_io_has_ended(const struct bios_transfer *t)
{
	return __atomic_load_n(&t->has_ended, __ATOMIC_ACQUIRE);
}

unsigned bios_io(struct bios *b, const struct bios_io *io, uint8_t *ret_status, uint64_t *ret_done)
{
	struct bios_transfer *t = &b->transfer;

	if (t->is_in_flight && !bios_io_has_ended(t))
		return BIOS_AGAIN;
	bool is_mine = t->io.disk && bios_io_is_same(&t->io, io);
	if (!t->is_in_flight || !is_mine) {
		t->is_in_flight = false;
		if (!is_mine) {
			t->io = *io;
			t->done = 0;
		}
		bios_io_start(b);
		if (!bios_io_has_ended(t))
			return BIOS_AGAIN;
	}

	t->is_in_flight = false;
	uint8_t status = bios_io_status(t);
	if (status == DISK_OK) {
		if (t->io.op == BIOS_IO_READ)
			bios_copy_out(b, t->io.gpa + t->done, t->buffer, t->req.len);
		t->done += t->req.len;
		if (t->done < t->io.len)
			return BIOS_AGAIN;
	}
	*ret_status = status;
	*ret_done = t->done;
	t->io.disk = NULL;
	return BIOS_DONE;
}
