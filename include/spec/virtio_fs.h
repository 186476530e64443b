/* File system device: VIRTIO 1.2, section 5.11. Requests are FUSE's, see <linux/fuse.h>. */
#ifndef SPEC_VIRTIO_FS_H
#define SPEC_VIRTIO_FS_H

#include <stdint.h>

/* Queues (section 5.11.2): 0 is hiprio; without F_NOTIFICATION request queues follow. */
#define VIRTIO_FS_QUEUE_HIPRIO	0
#define VIRTIO_FS_QUEUE_REQUEST 1

/* Configuration (section 5.11.4), up to notify_buf_size. Little-endian. */
#define VIRTIO_FS_TAG_BYTES 36
struct virtio_fs_config {
	uint8_t tag[VIRTIO_FS_TAG_BYTES]; /* UTF-8, padded with NULs */
	uint32_t num_request_queues;
};
_Static_assert(sizeof(struct virtio_fs_config) == 40, "section 5.11.4");

#endif
