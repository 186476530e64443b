/*
 * virtio-blk: requests of every kind, polled, by interrupt pin and by MSI-X.
 *
 * The runner's image has the sector's number as text in each sector; sectors 64 to 127 are ours to
 * write. With "ro" on the command line the disk must refuse.
 */
#include "virtio.h"

#define VECTOR 0x44

#define T_IN	       0u
#define T_OUT	       1u
#define T_FLUSH	       4u
#define T_GET_ID       8u
#define T_WRITE_ZEROES 13u

#define S_OK	 0
#define S_IOERR	 1
#define S_UNSUPP 2

#define F_SEG_MAX      (1ULL << 2)
#define F_BLK_SIZE     (1ULL << 6)
#define F_RO	       (1ULL << 5)
#define F_FLUSH	       (1ULL << 9)
#define F_WRITE_ZEROES (1ULL << 14)

#define SECTOR	    512u
#define WRITE_FIRST 64u
#define ZERO_FIRST  96u
#define ZERO_COUNT  8u
#define REQUESTS    16u

static struct vdev v;
static struct vq *q;
static volatile unsigned interrupts;

struct header {
	uint32_t type, reserved;
	uint64_t sector;
};

static struct header header[REQUESTS];
static uint8_t status[REQUESTS];
static uint8_t data[REQUESTS][16 * SECTOR] __attribute__((aligned(4096)));

HANDLER on_pin(struct frame *f)
{
	(void)f;
	interrupts += vdev_ack(&v) & 1;
	lapic_eoi();
}

HANDLER on_msix(struct frame *f)
{
	(void)f;
	interrupts++;
	lapic_eoi();
}

/* Puts request @n on the ring, its data in @pieces descriptors. */
static unsigned submit(unsigned n, uint32_t type, uint64_t sector, void *at, uint32_t len,
		       unsigned pieces)
{
	struct vbuf b[10] = {{&header[n], sizeof(header[n]), false}};
	unsigned count = 1;
	header[n] = (struct header){type, 0, sector};
	status[n] = 0xff;
	for (unsigned i = 0; len && i < pieces; i++)
		b[count++] = (struct vbuf){(uint8_t *)at + len / pieces * i, len / pieces,
					   type == T_IN || type == T_GET_ID};
	b[count++] = (struct vbuf){&status[n], 1, true};
	return vq_add(q, b, count);
}

/* One request from beginning to end, polled. Return: its status. */
static unsigned request(uint32_t type, uint64_t sector, void *at, uint32_t len, unsigned pieces)
{
	submit(0, type, sector, at, len, pieces);
	vq_wait(q);
	return status[0];
}

/* The text the runner put there: "N" and blanks up to a newline. */
static bool is_sector(const uint8_t *at, uint64_t n)
{
	uint64_t got = 0;
	while (*at >= '0' && *at <= '9')
		got = got * 10 + (*at++ - '0');
	return got == n && *at == ' ';
}

static bool are_sectors(const uint8_t *at, uint64_t first, unsigned count)
{
	bool is_ok = true;
	for (unsigned i = 0; i < count; i++)
		is_ok &= is_sector(at + i * SECTOR, first + i);
	return is_ok;
}

static bool set_up(uint64_t features, unsigned vector)
{
	if (!vdev_begin(&v, features))
		return false;
	q = vdev_queue(&v, 0, 64, vector);
	if (!q)
		return false;
	vdev_run(&v);
	return true;
}

static uint64_t capacity(void)
{
	return read32(v.config) | (uint64_t)read32(v.config + 4) << 32;
}

static void check_reads(void)
{
	uint8_t id[20] = {0};
	expect_eq(request(T_GET_ID, 0, id, sizeof(id), 1), S_OK, "blk: get-id");
	expect(memcmp(id, "guest-disk", 11) == 0, "blk: the ID is that of --disk");
	expect_eq(request(T_IN, 5, data[0], SECTOR, 1), S_OK, "blk: read one sector");
	expect(is_sector(data[0], 5), "blk: it is sector 5");
	memset(data[0], 0, sizeof(data[0]));
	expect_eq(request(T_IN, 8, data[0], 16 * SECTOR, 8), S_OK, "blk: read in 8 pieces");
	expect(are_sectors(data[0], 8, 16), "blk: they are sectors 8 to 23");
	expect_eq(request(T_IN, capacity() - 1, data[0], SECTOR, 1), S_OK, "blk: last sector");
	expect(is_sector(data[0], capacity() - 1), "blk: it is the last");
}

static void check_refusals(void)
{
	expect_eq(request(T_IN, capacity(), data[0], SECTOR, 1), S_IOERR, "blk: read past the end");
	expect_eq(request(T_IN, capacity() - 1, data[0], 2 * SECTOR, 1), S_IOERR,
		  "blk: read across the end");
	expect_eq(request(T_IN, ~0ULL, data[0], SECTOR, 1), S_IOERR, "blk: read at the far end");
	expect_eq(request(99, 0, data[0], 0, 1), S_UNSUPP, "blk: unknown request");
	expect_eq(vdev_status(&v) & 0xc0, 0, "blk: the device lives");
}

static void fill(uint8_t *at, unsigned count)
{
	static const char text[] = "written by the guest";
	memset(at, '.', count * SECTOR);
	for (unsigned i = 0; i < count; i++) {
		memcpy(at + i * SECTOR, text, sizeof(text) - 1);
		at[i * SECTOR + SECTOR - 1] = '\n';
	}
}

static void check_writes(void)
{
	struct {
		uint64_t sector;
		uint32_t count, flags;
	} range = {ZERO_FIRST, ZERO_COUNT, 0};

	fill(data[1], 16);
	expect_eq(request(T_OUT, WRITE_FIRST, data[1], 16 * SECTOR, 2), S_OK, "blk: write");
	expect_eq(request(T_FLUSH, 0, NULL, 0, 0), S_OK, "blk: flush");
	memset(data[0], 0, sizeof(data[0]));
	expect_eq(request(T_IN, WRITE_FIRST, data[0], 16 * SECTOR, 1), S_OK, "blk: read it back");
	expect(memcmp(data[0], data[1], 16 * SECTOR) == 0, "blk: it is what was written");
	expect_eq(request(T_OUT, capacity(), data[1], SECTOR, 1), S_IOERR,
		  "blk: write past the end");
	if (!(v.features & F_WRITE_ZEROES)) {
		skip("write zeroes");
		return;
	}
	expect_eq(request(T_WRITE_ZEROES, 0, &range, sizeof(range), 1), S_OK, "blk: write zeroes");
	request(T_IN, ZERO_FIRST, data[0], ZERO_COUNT * SECTOR, 1);
	memset(data[1], 0, ZERO_COUNT * SECTOR);
	expect(memcmp(data[0], data[1], ZERO_COUNT * SECTOR) == 0, "blk: zeroes are read back");
}

/* All requests at once; each is waited for with interrupts or by polling. */
static void check_many(bool is_polled, const char *name)
{
	unsigned done = 0;
	uint32_t head, len;
	bool is_ok = true;

	memset(data, 0, sizeof(data));
	for (unsigned n = 0; n < REQUESTS; n++) {
		submit(n, T_IN, n * 2, data[n], 2 * SECTOR, 1);
		vq_kick(q);
	}
	while (done < REQUESTS) {
		if (vq_take(q, &head, &len)) {
			is_ok &= len == 2 * SECTOR + 1;
			done++;
		} else if (!is_polled) {
			wait_irq();
		}
	}
	/* All may be done before this CPU first looked; the interrupt is then still waiting. */
	while (!is_polled && !interrupts)
		wait_irq();
	for (unsigned n = 0; n < REQUESTS; n++)
		is_ok &= status[n] == S_OK && are_sectors(data[n], n * 2, 2);
	expect(is_ok, name);
}

static void check_pin(void)
{
	set_handler(VECTOR, on_pin);
	ioapic_route(v.gsi, VECTOR, v.is_pci ? IOAPIC_LEVEL_LOW : IOAPIC_LEVEL_HIGH);
	interrupts = 0;
	if (expect(set_up(F_VERSION_1, NO_VECTOR), "blk: without EVENT_IDX"))
		check_many(false, "blk: 16 reads, interrupt pin");
	ioapic_route(v.gsi, VECTOR, IOAPIC_MASKED);
}

static void check_msix(void)
{
	uint32_t head, len;
	set_handler(VECTOR, on_msix);
	vdev_msix_set(&v, 1, VECTOR, false);
	vdev_msix_enable(&v, true);
	interrupts = 0;
	if (!expect(set_up(~0ULL, 1), "blk: with MSI-X"))
		return;
	check_many(false, "blk: 16 reads, MSI-X");

	/* Masked: pending, and delivered by the unmasking. */
	interrupts = 0;
	write32(v.msix_table + 16 + 12, 1);
	submit(0, T_IN, 3, data[0], SECTOR, 1);
	vq_kick(q);
	while (!vq_take(q, &head, &len))
		;
	while (!(read32(v.msix_pba) & 2))
		;
	expect_eq(interrupts, 0, "blk: masked vector is pending");
	write32(v.msix_table + 16 + 12, 0);
	while (!interrupts)
		wait_irq();
	expect_eq(interrupts, 1, "blk: and comes when unmasked");
	expect_eq(read32(v.msix_pba) & 2, 0, "blk: then is pending no more");
	vdev_msix_enable(&v, false);
}

/* The driver's loop at CPL3: native speed even where kernel mode is interpreted. */
static uint64_t user_reads(void *arg)
{
	uint64_t good = 0;
	(void)arg;
	for (unsigned i = 0; i < 100; i++)
		good += request(T_IN, i % 32, data[0], SECTOR, 1) == S_OK &&
			is_sector(data[0], i % 32);
	return good;
}

void guest_main(void)
{
	bool is_readonly = has_arg("ro");
	lapic_enable();
	if (!expect(vdev_find(&v, VIRTIO_BLK), "blk: found"))
		return;
	put(v.is_pci ? "guest: on PCI\n" : "guest: on MMIO\n");
	if (!expect(set_up(~0ULL, NO_VECTOR), "blk: negotiation"))
		return;
	expect(v.features & F_VERSION_1 && v.features & F_EVENT_IDX, "blk: modern, EVENT_IDX");
	expect_eq(!!(v.features & F_RO), is_readonly, "blk: read-only as asked");
	expect_eq(capacity(), 4096, "blk: capacity");
	check_reads();
	if (is_readonly)
		expect_eq(request(T_OUT, WRITE_FIRST, data[1], SECTOR, 1), S_IOERR,
			  "blk: write is refused");
	else
		check_writes();
	check_refusals();
	check_many(true, "blk: 16 reads, polled");
	expect_eq(run_user(user_reads, NULL), 100, "blk: 100 reads from CPL3");
	check_pin();
	if (v.is_pci)
		check_msix();
	vdev_reset(&v);
	expect_eq(vdev_status(&v), 0, "blk: reset");
}
