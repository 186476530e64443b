/*
 * The split virtqueue: VIRTIO 1.2, section 2.7. All fields little-endian, as is the only host.
 *
 * In guest memory: `desc` is size entries of struct virtq_desc; `avail` is flags, idx, ring[size],
 * used_event (16 bits each); `used` is flags, idx (16 bits each), size entries of
 * struct virtq_used_elem, avail_event (16 bits).
 */
#ifndef SPEC_VIRTIO_RING_H
#define SPEC_VIRTIO_RING_H

#include <stdint.h>

#define VIRTQ_DESC_ALIGN  16
#define VIRTQ_AVAIL_ALIGN 2
#define VIRTQ_USED_ALIGN  4

#define VIRTQ_DESC_F_NEXT     1
#define VIRTQ_DESC_F_WRITE    2
#define VIRTQ_DESC_F_INDIRECT 4

#define VIRTQ_AVAIL_F_NO_INTERRUPT 1
#define VIRTQ_USED_F_NO_NOTIFY	   1

struct virtq_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};
_Static_assert(sizeof(struct virtq_desc) == 16, "section 2.7.5");

struct virtq_used_elem {
	uint32_t id;
	uint32_t len;
};
_Static_assert(sizeof(struct virtq_used_elem) == 8, "section 2.7.8");

/* Byte offsets in the available and used areas of a queue of @size entries. */
#define VIRTQ_DESC_BYTES(size)	     (16 * (uint64_t)(size))
#define VIRTQ_AVAIL_FLAGS	     0
#define VIRTQ_AVAIL_IDX		     2
#define VIRTQ_AVAIL_RING(i)	     (4 + 2 * (uint64_t)(i))
#define VIRTQ_AVAIL_USED_EVENT(size) VIRTQ_AVAIL_RING(size)
#define VIRTQ_AVAIL_BYTES(size)	     (6 + 2 * (uint64_t)(size))
#define VIRTQ_USED_FLAGS	     0
#define VIRTQ_USED_IDX		     2
#define VIRTQ_USED_RING(i)	     (4 + 8 * (uint64_t)(i))
#define VIRTQ_USED_AVAIL_EVENT(size) VIRTQ_USED_RING(size)
#define VIRTQ_USED_BYTES(size)	     (6 + 8 * (uint64_t)(size))

#endif
