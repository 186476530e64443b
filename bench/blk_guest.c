/*
 * The guest of bench/blk: the reads of host_io.c through virtio-blk, from CPL3, polled.
 *
 * Prints `MODE DEPTH COUNT NS` for each case, or a line with FAIL. Times are the TSC's, whose rate
 * the ACPI PM timer tells. Every 4 KiB of the disk begin with their number (host_io make), which is
 * looked at in the first block of each read.
 */
#include "virtio.h"

#define T_IN	  0u
#define BLOCK	  4096u
#define SEQ_LEN	  (1u << 20)
#define DEPTH_MAX 32u

struct slot {
	struct {
		uint32_t type, reserved;
		uint64_t sector;
	} header;
	uint64_t offset;
	uint8_t *data;
	uint8_t status;
};

struct job {
	bool is_seq;
	unsigned depth;
	uint32_t count;
	uint64_t bad;
};

static struct vdev v;
static struct vq *q;
static struct slot slot[DEPTH_MAX];
static struct slot *slot_of[VQ_MAX]; /* by head */
static uint64_t disk_size;
static uint8_t data[DEPTH_MAX][SEQ_LEN] __attribute__((aligned(4096)));

/* As in host_io.c. */
static uint64_t rand_offset(uint64_t n)
{
	uint64_t x = (n + 1) * 0x9e3779b97f4a7c15ULL;
	x ^= x >> 29;
	return x % (disk_size / BLOCK) * BLOCK;
}

static void submit(struct slot *s, const struct job *job, uint64_t n)
{
	uint32_t len = job->is_seq ? SEQ_LEN : BLOCK;
	s->offset = job->is_seq ? n * len % (disk_size - disk_size % len) : rand_offset(n);
	s->header.type = T_IN;
	s->header.sector = s->offset / 512;
	s->status = 0xff;
	const struct vbuf buf[] = {
		{&s->header, sizeof(s->header), false},
		{s->data, len, true},
		{&s->status, 1, true},
	};
	slot_of[vq_add(q, buf, 3)] = s;
}

static bool is_good(const struct slot *s, uint32_t used_len, const struct job *job)
{
	return s->status == 0 && used_len == (job->is_seq ? SEQ_LEN : BLOCK) + 1 &&
	       *(const volatile uint64_t *)s->data == s->offset / BLOCK;
}

/* Keeps @depth reads in flight; what is found done together is replaced together. At CPL3. */
static uint64_t run(void *arg)
{
	struct job *job = arg;
	uint64_t from = rdtsc(), begun = 0, done = 0;
	uint32_t head, len;

	for (; begun < job->depth; begun++)
		submit(&slot[begun], job, begun);
	vq_kick(q);
	while (done < job->count) {
		bool is_new = false;
		while (vq_take(q, &head, &len)) {
			job->bad += !is_good(slot_of[head], len, job);
			done++;
			if (begun < job->count) {
				submit(slot_of[head], job, begun++);
				is_new = true;
			}
		}
		if (is_new)
			vq_kick(q);
	}
	return rdtsc() - from;
}

static uint64_t read_tsc(void *arg)
{
	(void)arg;
	return rdtsc();
}

/* TSC ticks in 256 ms. */
static uint64_t calibrate(void)
{
	uint32_t ticks = 916364; /* of 3.579545 MHz */
	uint32_t from = inl(PM_TMR), passed;
	uint64_t tsc = run_user(read_tsc, NULL);
	do
		passed = (inl(PM_TMR) - from) & 0xffffff;
	while (passed < ticks);
	return (run_user(read_tsc, NULL) - tsc) * ticks / passed;
}

static void measure(const char *mode, unsigned depth, uint32_t count, uint64_t ticks_256ms)
{
	struct job job = {.is_seq = mode[0] == 's', .depth = depth, .count = count};
	uint64_t ticks = run_user(run, &job);

	if (!expect(job.bad == 0, mode))
		return;
	put(mode);
	put(" ");
	put_dec(depth);
	put(" ");
	put_dec(count);
	put(" ");
	put_dec(ticks * 256000 / ticks_256ms * 1000);
	put("\n");
}

void guest_main(void)
{
	if (!expect(vdev_find(&v, VIRTIO_BLK), "blk: found") ||
	    !expect(vdev_begin(&v, ~0ULL), "blk: negotiation"))
		return;
	q = vdev_queue(&v, 0, VQ_MAX, NO_VECTOR);
	vdev_run(&v);
	disk_size = (read32(v.config) | (uint64_t)read32(v.config + 4) << 32) * 512;
	for (unsigned i = 0; i < DEPTH_MAX; i++)
		slot[i].data = data[i];

	uint64_t ticks_256ms = calibrate();
	measure("rand", 1, 20000, ticks_256ms);
	measure("rand", 32, 100000, ticks_256ms);
	measure("seq", 1, 2048, ticks_256ms);
	measure("seq", 32, 2048, ticks_256ms);
}
