/*
 * READ, WRITE and FLUSH through an io_uring, by raw system calls (io_uring(7), kernels from 5.1
 * on).
 *
 * One small ring a disk. At most as many requests as it has submission entries are with the kernel,
 * so the completion ring, twice that size, cannot overflow; the others wait in a FIFO. No set-up
 * flags: submissions come from any thread (COOP_TASKRUN and DEFER_TASKRUN would leave completions
 * lying while a submitting vCPU runs guest code), and no kernel thread polls. The image is not a
 * fixed file: a ring dies asynchronously after its process, and would hold the image's lock on.
 */
#include "raw.h"
#include <errno.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RING_ENTRIES 128

/**
 * struct uring - a ring
 * @fd:       the ring's
 * @file_fd:  the image's
 * @has_rw:   the kernel has IORING_OP_READ and _WRITE (5.6)
 * @queued:   entries in the submission ring that the kernel has not been told of
 * @inflight: requests in the rings, @queued included
 * @waiting:  requests that found the ring full
 */
struct uring {
	int fd;
	int file_fd;
	bool has_rw;
	unsigned queued;
	unsigned inflight;
	struct req_fifo waiting;
	void (*redo)(void *ctx, struct block_req *req);
	void *ctx;

	unsigned entries;
	void *sq_map, *cq_map;
	size_t sq_map_len, cq_map_len, sqes_len;
	struct io_uring_sqe *sqes;
	unsigned *sq_head, *sq_tail, *sq_array;
	unsigned sq_mask;
	struct io_uring_cqe *cqes;
	unsigned *cq_head, *cq_tail;
	unsigned cq_mask;
};

static int uring_sys_enter(const struct uring *ring, unsigned submit, unsigned wait)
{
	long n = syscall(SYS_io_uring_enter, ring->fd, submit, wait,
			 wait ? IORING_ENTER_GETEVENTS : 0, NULL, 0);
	return n < 0 ? -errno : (int)n;
}

static void *uring_map(int fd, size_t len, off_t what)
{
	void *map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);
	return map == MAP_FAILED ? NULL : map;
}

static int uring_map_rings(struct uring *ring, const struct io_uring_params *p)
{
	ring->sq_map_len = p->sq_off.array + p->sq_entries * sizeof(unsigned);
	ring->cq_map_len = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	ring->sqes_len = p->sq_entries * sizeof(struct io_uring_sqe);
	if (p->features & IORING_FEAT_SINGLE_MMAP && ring->sq_map_len < ring->cq_map_len)
		ring->sq_map_len = ring->cq_map_len;

	ring->sq_map = uring_map(ring->fd, ring->sq_map_len, IORING_OFF_SQ_RING);
	ring->cq_map = p->features & IORING_FEAT_SINGLE_MMAP
			       ? ring->sq_map
			       : uring_map(ring->fd, ring->cq_map_len, IORING_OFF_CQ_RING);
	ring->sqes = uring_map(ring->fd, ring->sqes_len, IORING_OFF_SQES);
	if (!ring->sq_map || !ring->cq_map || !ring->sqes)
		return -ENOMEM;

	char *sq = ring->sq_map, *cq = ring->cq_map;
	ring->entries = p->sq_entries;
	ring->sq_head = (unsigned *)(sq + p->sq_off.head);
	ring->sq_tail = (unsigned *)(sq + p->sq_off.tail);
	ring->sq_array = (unsigned *)(sq + p->sq_off.array);
	ring->sq_mask = *(unsigned *)(sq + p->sq_off.ring_mask);
	ring->cqes = (struct io_uring_cqe *)(cq + p->cq_off.cqes);
	ring->cq_head = (unsigned *)(cq + p->cq_off.head);
	ring->cq_tail = (unsigned *)(cq + p->cq_off.tail);
	ring->cq_mask = *(unsigned *)(cq + p->cq_off.ring_mask);
	return 0;
}

/* The probe came with the operations it is asked for here (5.6); before, it fails. */
static bool uring_probe_rw(const struct uring *ring)
{
	const size_t ops = IORING_OP_WRITE + 1;
	struct io_uring_probe *probe = calloc(1, sizeof(*probe) + ops * sizeof(probe->ops[0]));
	if (!probe)
		return false;
	long ret = syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_PROBE, probe, ops);
	bool has_rw = ret == 0 && probe->last_op >= IORING_OP_WRITE &&
		      probe->ops[IORING_OP_READ].flags & IO_URING_OP_SUPPORTED &&
		      probe->ops[IORING_OP_WRITE].flags & IO_URING_OP_SUPPORTED;
	free(probe);
	return has_rw;
}

int uring_create(struct uring **ret_ring, int fd, void (*redo)(void *ctx, struct block_req *req),
		 void *ctx)
{
	struct uring *ring = calloc(1, sizeof(*ring));
	if (!ring)
		return -ENOMEM;
	ring->file_fd = fd;
	ring->redo = redo;
	ring->ctx = ctx;

	struct io_uring_params params = {0};
	ring->fd = (int)syscall(SYS_io_uring_setup, RING_ENTRIES, &params);
	int ret = ring->fd < 0 ? -errno : uring_map_rings(ring, &params);
	if (ret != 0) {
		uring_destroy(ring);
		return ret;
	}
	ring->has_rw = uring_probe_rw(ring);
	*ret_ring = ring;
	return 0;
}

void uring_destroy(struct uring *ring)
{
	if (!ring)
		return;
	if (ring->sqes)
		munmap(ring->sqes, ring->sqes_len);
	if (ring->cq_map && ring->cq_map != ring->sq_map)
		munmap(ring->cq_map, ring->cq_map_len);
	if (ring->sq_map)
		munmap(ring->sq_map, ring->sq_map_len);
	if (ring->fd >= 0)
		close(ring->fd);
	free(ring);
}

int uring_fd(const struct uring *ring)
{
	return ring->fd;
}

static void uring_put_sqe(struct uring *ring, struct block_req *req)
{
	/* Only this side moves the tail, under the device's lock. */
	unsigned tail = *ring->sq_tail;
	struct io_uring_sqe *sqe = &ring->sqes[tail & ring->sq_mask];
	memset(sqe, 0, sizeof(*sqe));
	sqe->fd = ring->file_fd;
	sqe->user_data = (uint64_t)(uintptr_t)req;
	if (req->op == BLOCK_FLUSH) {
		sqe->opcode = IORING_OP_FSYNC;
		sqe->fsync_flags = IORING_FSYNC_DATASYNC;
	} else if (ring->has_rw && req->iov_count == 1) {
		sqe->opcode = req->op == BLOCK_READ ? IORING_OP_READ : IORING_OP_WRITE;
		sqe->off = req->offset;
		sqe->addr = (uint64_t)(uintptr_t)req->iov->iov_base;
		/* Longer than this is cut short by the kernel, and redone. */
		sqe->len = req->len > INT32_MAX ? INT32_MAX : (uint32_t)req->len;
	} else {
		sqe->opcode = req->op == BLOCK_READ ? IORING_OP_READV : IORING_OP_WRITEV;
		sqe->off = req->offset;
		sqe->addr = (uint64_t)(uintptr_t)req->iov;
		sqe->len = req->iov_count;
	}
	ring->sq_array[tail & ring->sq_mask] = tail & ring->sq_mask;
	__atomic_store_n(ring->sq_tail, tail + 1, __ATOMIC_RELEASE);
	ring->queued++;
	ring->inflight++;
}

void uring_submit(struct uring *ring, struct block_req *req)
{
	if (ring->inflight < ring->entries && !ring->waiting.head)
		uring_put_sqe(ring, req);
	else
		req_fifo_put(&ring->waiting, req);
}

bool uring_is_busy(const struct uring *ring)
{
	return ring->inflight || ring->waiting.head;
}

bool uring_has_work(const struct uring *ring)
{
	return ring->queued || (ring->waiting.head && ring->inflight < ring->entries);
}

/* The kernel takes no more for want of memory: take back what it has not seen. */
static void uring_take_back(struct uring *ring)
{
	unsigned head = __atomic_load_n(ring->sq_head, __ATOMIC_ACQUIRE);
	struct req_fifo back = {0};
	for (unsigned i = head; i != *ring->sq_tail; i++) {
		uint64_t user_data = ring->sqes[i & ring->sq_mask].user_data;
		req_fifo_put(&back, (struct block_req *)(uintptr_t)user_data);
		ring->inflight--;
	}
	__atomic_store_n(ring->sq_tail, head, __ATOMIC_RELEASE);
	ring->queued = 0;
	for (struct block_req *req; (req = req_fifo_get(&back));)
		ring->redo(ring->ctx, req);
}

void uring_enter(struct uring *ring)
{
	while (ring->waiting.head && ring->inflight < ring->entries)
		uring_put_sqe(ring, req_fifo_get(&ring->waiting));

	while (ring->queued) {
		int n = uring_sys_enter(ring, ring->queued, 0);
		if (n == -EINTR)
			continue;
		if (n <= 0) {
			uring_take_back(ring);
			break;
		}
		ring->queued -= (unsigned)n;
	}
}

void uring_wait(struct uring *ring)
{
	/* Nothing queued is left behind by uring_enter(), so there is something to wait for. */
	while (__atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE) == *ring->cq_head &&
	       uring_sys_enter(ring, 0, 1) == -EINTR)
		;
}

static void uring_complete(struct uring *ring, struct block_req *req, int res)
{
	/* Flushes return 0, transfers a count. Anything incomplete is done over, by system calls
	 * that can tell the end of the file from a hiccup. */
	uint64_t want = req->op == BLOCK_FLUSH ? 0 : req->len;
	if (res == -EINTR || res == -EAGAIN || res == -ECANCELED ||
	    (res >= 0 && (uint64_t)res != want))
		ring->redo(ring->ctx, req);
	else
		req->done(req, res < 0 ? res : 0);
}

unsigned uring_reap(struct uring *ring, unsigned max)
{
	unsigned count = 0;
	/* One at a time, head first: done() may end up in here again (a drain). */
	for (; count < max; count++) {
		unsigned head = *ring->cq_head;
		if (head == __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE))
			break;
		struct io_uring_cqe cqe = ring->cqes[head & ring->cq_mask];
		__atomic_store_n(ring->cq_head, head + 1, __ATOMIC_RELEASE);
		ring->inflight--;
		uring_complete(ring, (struct block_req *)(uintptr_t)cqe.user_data, cqe.res);
	}
	return count;
}
