/*
 * Cursors over a descriptor chain: the device-readable bytes as one stream, the device-writable
 * ones as another (VIRTIO 1.2, section 2.6.4: the framing of messages is the driver's affair).
 */
#include "virtio_device.h"

#include <errno.h>

/* Where a cursor stands: an index into chain->seg and an offset there. */
struct cursor {
	uint16_t at;
	uint16_t end;
	uint32_t off;
};

static struct cursor cursor_readable(const struct vchain *chain)
{
	return (struct cursor){
		.at = chain->read_at, .end = chain->read_segs, .off = chain->read_off};
}

static struct cursor cursor_writable(const struct vchain *chain)
{
	return (struct cursor){
		.at = chain->write_at, .end = chain->total_segs, .off = chain->write_off};
}

static void cursor_store_readable(struct vchain *chain, const struct cursor *c)
{
	chain->read_at = c->at;
	chain->read_off = c->off;
}

static void cursor_store_writable(struct vchain *chain, const struct cursor *c, size_t len)
{
	chain->write_at = c->at;
	chain->write_off = c->off;
	chain->written += (uint32_t)len;
}

static size_t cursor_left(const struct vchain *chain, struct cursor c)
{
	size_t left = 0;
	for (unsigned i = c.at; i < c.end; i++)
		left += chain->seg[i].len;
	return left - c.off;
}

/* Stops as soon as it is sure, unlike cursor_left(). */
static bool cursor_has(const struct vchain *chain, struct cursor c, size_t len)
{
	size_t left = 0;
	for (unsigned i = c.at; i < c.end; i++) {
		left += chain->seg[i].len;
		if (left - c.off >= len)
			return true;
	}
	return len == 0;
}

/* The piece under the cursor, at most @len bytes; the cursor moves behind it. */
static struct vseg cursor_next(const struct vchain *chain, struct cursor *c, size_t len)
{
	const struct vseg *seg = &chain->seg[c->at];
	struct vseg piece = {.gpa = seg->gpa + c->off, .len = seg->len - c->off};
	if (piece.len > len) {
		piece.len = (uint32_t)len;
		c->off += piece.len;
	} else {
		c->at++;
		c->off = 0;
	}
	return piece;
}

size_t chain_readable(const struct vchain *chain)
{
	return cursor_left(chain, cursor_readable(chain));
}

size_t chain_writable(const struct vchain *chain)
{
	return cursor_left(chain, cursor_writable(chain));
}

int chain_read(struct vchain *chain, void *buf, size_t len)
{
	struct cursor c = cursor_readable(chain);
	if (!cursor_has(chain, c, len))
		return -ENODATA;
	for (size_t done = 0; done < len;) {
		struct vseg piece = cursor_next(chain, &c, len - done);
		if (gmem_read(chain->vq->vd->gm, piece.gpa, (uint8_t *)buf + done, piece.len) != 0)
			return -ENODATA; /* cannot be: vq_pop() has looked */
		done += piece.len;
	}
	cursor_store_readable(chain, &c);
	return 0;
}

int chain_write(struct vchain *chain, const void *buf, size_t len)
{
	struct cursor c = cursor_writable(chain);
	if (!cursor_has(chain, c, len))
		return -ENODATA;
	for (size_t done = 0; done < len;) {
		struct vseg piece = cursor_next(chain, &c, len - done);
		if (gmem_write(chain->vq->vd->gm, piece.gpa, (const uint8_t *)buf + done,
			       piece.len) != 0)
			return -ENODATA;
		done += piece.len;
	}
	cursor_store_writable(chain, &c, len);
	return 0;
}

static int cursor_take(const struct vchain *chain, struct cursor *c, size_t len, struct iovec *iov,
		       unsigned max)
{
	unsigned used = 0;
	if (!cursor_has(chain, *c, len))
		return -ENODATA;
	while (len) {
		struct vseg piece = cursor_next(chain, c, len);
		int got = gmem_iov(chain->vq->vd->gm, piece.gpa, piece.len, iov + used, max - used);
		if (got < 0)
			return got == -ENOBUFS ? got : -ENODATA;
		used += (unsigned)got;
		len -= piece.len;
	}
	return (int)used;
}

int chain_take_readable(struct vchain *chain, size_t len, struct iovec *iov, unsigned max)
{
	struct cursor c = cursor_readable(chain);
	int used = cursor_take(chain, &c, len, iov, max);
	if (used >= 0)
		cursor_store_readable(chain, &c);
	return used;
}

int chain_take_writable(struct vchain *chain, size_t len, struct iovec *iov, unsigned max)
{
	struct cursor c = cursor_writable(chain);
	int used = cursor_take(chain, &c, len, iov, max);
	if (used >= 0)
		cursor_store_writable(chain, &c, len);
	return used;
}
