/* virtio-pci behind the host bridge: capabilities, BARs, MSI-X, INTx, the configuration window. */
#include "conformance.h"
#include "echo.h"
#include "fake_kick.h"
#include "fakes.h"
#include "reseal.h"
#include "test.h"
#include "vdriver.h"
#include <spec/pci_regs.h>
#include <spec/virtio_pci.h>
#include <tinyvm/bus.h>
#include <tinyvm/pci.h>
#include <tinyvm/state.h>

#define WINDOW	    0xd0000000u
#define WINDOW_LAST 0xd000ffffu
#define ECAM	    0xe0000000u
#define SLOT	    3

struct fake_msi {
	uint64_t live; /* vectors that may be delivered */
	unsigned raises[PCI_MSIX_MAX];
};

static struct gmem *gm;
static struct echo *echo;
static struct bus *pio, *mem;
static struct device *host_dev;
static struct pci_host *host;
static struct pci_func *func;
static struct fake_irq irq;
static struct fake_kick kick;
static struct fake_msi msi;
static struct vdriver drv;

static void msi_update(void *ctx, unsigned vector, uint64_t addr, uint32_t data, bool is_masked)
{
	struct fake_msi *m = ctx;
	(void)addr;
	(void)data;
	m->live = is_masked ? m->live & ~(1ULL << vector) : m->live | 1ULL << vector;
}

static void msi_raise(void *ctx, unsigned vector)
{
	((struct fake_msi *)ctx)->raises[vector]++;
}

static void set_up(void)
{
	const struct pci_host_config cfg = {
		.mmio_base = WINDOW, .mmio_last = WINDOW_LAST, .ecam_base = ECAM};
	const struct msi_sink sink = {.update = msi_update, .raise = msi_raise, .ctx = &msi};
	memset(&irq, 0, sizeof(irq));
	memset(&kick, 0, sizeof(kick));
	memset(&msi, 0, sizeof(msi));
	if (gmem_create(&gm, 1 << 20) != 0 || !(echo = echo_create(gm)) ||
	    virtio_pci_attach(&echo->vd, &func, fake_irq_line(&irq), sink, fake_kick_sink(&kick)) !=
		    0 ||
	    bus_create(&pio, "port") != 0 || bus_create(&mem, "memory") != 0 ||
	    pci_host_create(&host_dev, &host, &cfg, pio, mem, NULL) != 0 ||
	    pci_host_add(host, func, SLOT) != 0)
		abort();
	pci_host_assign(host);
	vdriver_init_pci(&drv, &echo->vd, gm, 0x1000, func);
}

static void tear_down(void)
{
	device_destroy(host_dev);
	device_destroy(&echo->vd.dev);
	bus_destroy(pio);
	bus_destroy(mem);
	gmem_destroy(gm);
}

static uint64_t mem_get(uint64_t addr, unsigned size)
{
	uint64_t value = 0;
	bus_read(mem, addr, &value, size);
	return value;
}

static void mem_set(uint64_t addr, unsigned size, uint64_t value)
{
	bus_write(mem, addr, &value, size);
}

static uint32_t config_get(unsigned off, unsigned size)
{
	return (uint32_t)mem_get(ECAM + (SLOT << 15) + off, size);
}

static void config_set(unsigned off, unsigned size, uint32_t value)
{
	mem_set(ECAM + (SLOT << 15) + off, size, value);
}

static unsigned find_cap(uint8_t id, uint8_t type)
{
	unsigned at = config_get(PCI_CAPABILITY_LIST, 1);
	while (at && !(config_get(at, 1) == id &&
		       (id != PCI_CAP_ID_VENDOR || config_get(at + 3, 1) == type)))
		at = config_get(at + 1, 1);
	return at;
}

/* Where a structure lies in guest memory. */
static uint64_t structure(uint8_t type)
{
	unsigned at = find_cap(PCI_CAP_ID_VENDOR, type);
	uint64_t bar = config_get(PCI_BASE_ADDRESS_0 + 4 * config_get(at + 4, 1), 4) & ~0xfu;
	return bar + config_get(at + 8, 4);
}

#define COMMON(field)                                                                         \
	structure(VIRTIO_PCI_CAP_COMMON_CFG) + offsetof(struct virtio_pci_common_cfg, field), \
		sizeof(((struct virtio_pci_common_cfg *)0)->field)

static void msix_enable(void)
{
	unsigned cap = find_cap(PCI_CAP_ID_MSIX, 0);
	uint64_t table = config_get(PCI_BASE_ADDRESS_0 + 4, 4) & ~0xfu;
	for (unsigned v = 0; v < ECHO_QUEUES + 1; v++) {
		mem_set(table + 16 * v, 8, 0xfee00000);
		mem_set(table + 16 * v + 8, 4, 0x40 + v);
		mem_set(table + 16 * v + 12, 4, 0);
	}
	config_set(cap + PCI_MSIX_CONTROL, 2, PCI_MSIX_ENABLE);
}

static void msix_disable(void)
{
	config_set(find_cap(PCI_CAP_ID_MSIX, 0) + PCI_MSIX_CONTROL, 2, 0);
}

WITH_DEVICE(test_identity)
{
	CHECK_EQ(config_get(PCI_VENDOR_ID, 2), 0x1af4);
	CHECK_EQ(config_get(PCI_DEVICE_ID, 2), 0x1040 + ECHO_DEVICE_ID);
	CHECK_EQ(config_get(PCI_REVISION_ID, 1), 1);
	CHECK_EQ(config_get(PCI_SUBSYSTEM_VENDOR_ID, 2), 0x1af4);
	CHECK(config_get(PCI_SUBSYSTEM_ID, 2) >= 0x40);
	CHECK_EQ(config_get(PCI_INTERRUPT_PIN, 1), 1);
}

WITH_DEVICE(test_capabilities_are_complete)
{
	for (uint8_t type = VIRTIO_PCI_CAP_COMMON_CFG; type <= VIRTIO_PCI_CAP_PCI_CFG; type++)
		CHECK(find_cap(PCI_CAP_ID_VENDOR, type) != 0);
	CHECK(find_cap(PCI_CAP_ID_MSIX, 0) != 0);
	CHECK_EQ(config_get(find_cap(PCI_CAP_ID_MSIX, 0) + PCI_MSIX_CONTROL, 2), ECHO_QUEUES);
	unsigned notify = find_cap(PCI_CAP_ID_VENDOR, VIRTIO_PCI_CAP_NOTIFY_CFG);
	CHECK_EQ(config_get(notify + 2, 1), 20);
	CHECK_EQ(config_get(notify + 16, 4), 4);
	CHECK_EQ(config_get(notify + 12, 4), 4 * ECHO_QUEUES);
	unsigned device = find_cap(PCI_CAP_ID_VENDOR, VIRTIO_PCI_CAP_DEVICE_CFG);
	CHECK_EQ(config_get(device + 12, 4), sizeof(echo->config));
	unsigned common = find_cap(PCI_CAP_ID_VENDOR, VIRTIO_PCI_CAP_COMMON_CFG);
	CHECK_EQ(config_get(common + 12, 4), 56);
}

WITH_DEVICE(test_common_registers)
{
	CHECK_EQ(mem_get(COMMON(num_queues)), ECHO_QUEUES);
	CHECK_EQ(mem_get(COMMON(config_msix_vector)), VIRTIO_MSI_NO_VECTOR);
	mem_set(COMMON(device_feature_select), 1);
	CHECK_EQ(mem_get(COMMON(device_feature)), echo->vd.features_offered >> 32);
	mem_set(COMMON(device_feature_select), 2);
	CHECK_EQ(mem_get(COMMON(device_feature)), 0);
	mem_set(COMMON(driver_feature_select), 1);
	mem_set(COMMON(driver_feature), 0x1234);
	CHECK_EQ(mem_get(COMMON(driver_feature)), 0x1234);
	CHECK_EQ(echo->vd.features, 0x123400000000);
	mem_set(COMMON(queue_select), 1);
	CHECK_EQ(mem_get(COMMON(queue_size)), ECHO_QUEUE_SIZE);
	CHECK_EQ(mem_get(COMMON(queue_notify_off)), 1);
	mem_set(COMMON(queue_select), ECHO_QUEUES);
	CHECK_EQ(mem_get(COMMON(queue_size)), 0);
	mem_set(COMMON(queue_enable), 1);
	CHECK_EQ(mem_get(COMMON(queue_enable)), 0);
}

WITH_DEVICE(test_addresses_are_written_whole_or_in_halves)
{
	uint64_t common = structure(VIRTIO_PCI_CAP_COMMON_CFG);
	mem_set(COMMON(queue_desc), 0x1234567890);
	CHECK_EQ(echo->vd.queue[0].desc, 0x1234567890);
	mem_set(common + 0x28, 4, 0x1000);
	mem_set(common + 0x2c, 4, 0x2);
	CHECK_EQ(echo->vd.queue[0].avail, 0x200001000);
	CHECK_EQ(mem_get(COMMON(queue_driver)), 0x200001000);
	mem_set(common + 0x20, 2, 0xffff); /* not its size */
	mem_set(common + 0x22, 4, 0xffff);
	CHECK_EQ(echo->vd.queue[0].desc, 0x1234567890);
	mem_set(common + 0x14, 4, 0x0f); /* device_status and its neighbours */
	CHECK_EQ(echo->vd.status, 0);
}

WITH_DEVICE(test_vectors_that_do_not_exist_read_back_as_none)
{
	mem_set(COMMON(config_msix_vector), ECHO_QUEUES);
	CHECK_EQ(mem_get(COMMON(config_msix_vector)), ECHO_QUEUES);
	mem_set(COMMON(config_msix_vector), ECHO_QUEUES + 1);
	CHECK_EQ(mem_get(COMMON(config_msix_vector)), VIRTIO_MSI_NO_VECTOR);
	mem_set(COMMON(queue_msix_vector), 0xfffe);
	CHECK_EQ(mem_get(COMMON(queue_msix_vector)), VIRTIO_MSI_NO_VECTOR);
}

WITH_DEVICE(test_driver_gets_through_with_intx)
{
	char in[4] = "";
	CHECK(vdriver_start(&drv, ~0ULL));
	CHECK_EQ(vdriver_request(&drv, 1, "abc", 3, in, 3), 3);
	CHECK_STR(in, "abc");
	CHECK(irq.is_high);
	CHECK_EQ(config_get(PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, PCI_STATUS_INTERRUPT);
	virtio_config_changed(&echo->vd);
	CHECK_EQ(mem_get(structure(VIRTIO_PCI_CAP_ISR_CFG), 1),
		 VIRTIO_PCI_ISR_QUEUE | VIRTIO_PCI_ISR_CONFIG);
	CHECK(!irq.is_high);
	CHECK_EQ(mem_get(structure(VIRTIO_PCI_CAP_ISR_CFG), 1), 0);
	CHECK_EQ(mem_get(COMMON(config_generation)), 1);
}

WITH_DEVICE(test_driver_gets_through_with_msix)
{
	char in[4] = "";
	msix_enable();
	CHECK_EQ(msi.live, 7);
	CHECK(vdriver_start(&drv, ~0ULL)); /* vector 0 for config, 1 + q for queues */
	CHECK_EQ(vdriver_request(&drv, 1, "abc", 3, in, 3), 3);
	CHECK_EQ(msi.raises[2], 1);
	CHECK_EQ(msi.raises[1], 0);
	virtio_config_changed(&echo->vd);
	CHECK_EQ(msi.raises[0], 1);
	CHECK(!irq.is_high);
	CHECK_EQ(mem_get(structure(VIRTIO_PCI_CAP_ISR_CFG), 1), VIRTIO_PCI_ISR_CONFIG);
	/* No vector, no message. */
	mem_set(COMMON(config_msix_vector), VIRTIO_MSI_NO_VECTOR);
	virtio_config_changed(&echo->vd);
	CHECK_EQ(msi.raises[0], 1);
}

WITH_DEVICE(test_intx_follows_the_msix_enable_bit)
{
	CHECK(vdriver_start(&drv, ~0ULL));
	virtio_config_changed(&echo->vd);
	CHECK(irq.is_high);
	msix_enable();
	CHECK(!irq.is_high);
	msix_disable();
	CHECK(irq.is_high);
}

static bool are_kicks_mapped(uint64_t gpa)
{
	bool is_ok = kick.count == ECHO_QUEUES;
	for (unsigned q = 0; q < kick.count; q++)
		is_ok = is_ok && kick.map[q].queue == q && kick.map[q].size == 0 &&
			kick.map[q].gpa == gpa + 4 * q;
	return is_ok;
}

WITH_DEVICE(test_kicks_follow_the_bar)
{
	CHECK_EQ(kick.count, 0);
	CHECK(vdriver_start(&drv, ~0ULL));
	CHECK(are_kicks_mapped(structure(VIRTIO_PCI_CAP_NOTIFY_CFG)));
	config_set(PCI_BASE_ADDRESS_0, 4, WINDOW + 0x8000);
	CHECK_EQ(structure(VIRTIO_PCI_CAP_COMMON_CFG), WINDOW + 0x8000);
	CHECK(are_kicks_mapped(structure(VIRTIO_PCI_CAP_NOTIFY_CFG)));
	config_set(PCI_COMMAND, 2, 0);
	CHECK_EQ(kick.count, 0);
	config_set(PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	CHECK(are_kicks_mapped(structure(VIRTIO_PCI_CAP_NOTIFY_CFG)));
	vdriver_reset(&drv);
	CHECK_EQ(kick.count, 0);
}

WITH_DEVICE(test_doorbells_through_the_bus)
{
	echo->is_lazy = true;
	CHECK(vdriver_start(&drv, ~0ULL));
	uint64_t notify = structure(VIRTIO_PCI_CAP_NOTIFY_CFG);
	mem_set(notify + 4, 2, 1);
	CHECK_EQ(echo->notifies, 1);
	mem_set(notify, 4, 0);
	CHECK_EQ(echo->notifies, 2);
	mem_set(notify + 2, 2, 0);
	mem_set(notify + 4 * ECHO_QUEUES, 2, ECHO_QUEUES);
	CHECK_EQ(echo->notifies, 2);
}

WITH_DEVICE(test_device_config)
{
	uint64_t config = structure(VIRTIO_PCI_CAP_DEVICE_CFG);
	mem_set(config, 4, 0x04030201);
	mem_set(config + 5, 1, 6);
	CHECK_EQ(mem_get(config, 8), 0x060004030201);
	CHECK_EQ(mem_get(config + sizeof(echo->config), 4), 0);
}

/* Points the window at @type's structure. */
static unsigned open_window(uint8_t type, uint32_t off, uint32_t len)
{
	unsigned cap = find_cap(PCI_CAP_ID_VENDOR, VIRTIO_PCI_CAP_PCI_CFG);
	unsigned target = find_cap(PCI_CAP_ID_VENDOR, type);
	config_set(cap + 4, 1, config_get(target + 4, 1));
	config_set(cap + 8, 4, config_get(target + 8, 4) + off);
	config_set(cap + 12, 4, len);
	return cap + 16;
}

WITH_DEVICE(test_config_space_window)
{
	unsigned data = open_window(VIRTIO_PCI_CAP_COMMON_CFG,
				    offsetof(struct virtio_pci_common_cfg, device_status), 1);
	config_set(data, 1, VIRTIO_STATUS_ACKNOWLEDGE);
	CHECK_EQ(echo->vd.status, VIRTIO_STATUS_ACKNOWLEDGE);
	CHECK_EQ(config_get(data, 1), VIRTIO_STATUS_ACKNOWLEDGE);
	data = open_window(VIRTIO_PCI_CAP_COMMON_CFG,
			   offsetof(struct virtio_pci_common_cfg, num_queues), 2);
	CHECK_EQ(config_get(data, 2), ECHO_QUEUES);
	config_set(PCI_COMMAND, 2, 0); /* it does without the BAR */
	data = open_window(VIRTIO_PCI_CAP_DEVICE_CFG, 4, 4);
	config_set(data, 4, 0x12345678);
	CHECK(memcmp(echo->config + 4, "\x78\x56\x34\x12", 4) == 0);
	CHECK_EQ(config_get(data, 4), 0x12345678);
}

WITH_DEVICE(test_config_space_window_is_bounded)
{
	unsigned data = open_window(VIRTIO_PCI_CAP_DEVICE_CFG, 1, 4); /* misaligned */
	config_set(data, 4, 0x55555555);
	CHECK_EQ(echo->config[1], 0);
	open_window(VIRTIO_PCI_CAP_DEVICE_CFG, 0, 3);
	config_set(data, 4, 0x55555555);
	open_window(VIRTIO_PCI_CAP_DEVICE_CFG, 0xfffffffc, 4);
	config_set(data, 4, 0x55555555);
	open_window(VIRTIO_PCI_CAP_DEVICE_CFG, 0x1000, 4);
	config_set(data, 4, 0x55555555);
	open_window(VIRTIO_PCI_CAP_DEVICE_CFG, 0, 4);
	config_set(data - 12, 1, 1); /* the MSI-X BAR */
	config_set(data, 4, 0x55555555);
	config_set(data - 12, 1, 0xff);
	config_set(data, 4, 0x55555555);
	CHECK_EQ(config_get(data, 4), 0x55555555); /* what was stored, nothing read */
	CHECK_EQ(echo->config[0], 0);
}

WITH_DEVICE(test_machine_reset_undoes_everything)
{
	msix_enable();
	CHECK(vdriver_start(&drv, ~0ULL));
	open_window(VIRTIO_PCI_CAP_DEVICE_CFG, 4, 4);
	device_reset(&echo->vd.dev);
	CHECK_EQ(kick.count, 0);
	CHECK_EQ(msi.live, 0);
	CHECK_EQ(echo->vd.status, 0);
	CHECK_EQ(config_get(PCI_BASE_ADDRESS_0, 4), 0);
	CHECK_EQ(config_get(find_cap(PCI_CAP_ID_MSIX, 0) + PCI_MSIX_CONTROL, 2), ECHO_QUEUES);
	pci_host_assign(host);
	CHECK(vdriver_start(&drv, ~0ULL));
	CHECK_EQ(kick.count, ECHO_QUEUES);
}

WITH_DEVICE(test_driver_reset_leaves_msix_and_bars)
{
	msix_enable();
	CHECK(vdriver_start(&drv, ~0ULL));
	mem_set(COMMON(device_status), 0);
	CHECK_EQ(msi.live, 7);
	CHECK_EQ(mem_get(COMMON(config_msix_vector)), VIRTIO_MSI_NO_VECTOR);
	CHECK_EQ(mem_get(COMMON(queue_msix_vector)), VIRTIO_MSI_NO_VECTOR);
	CHECK_EQ(mem_get(COMMON(queue_enable)), 0);
}

WITH_DEVICE(test_running_device_may_ring_for_itself)
{
	device_lock(&echo->vd.dev);
	vq_serve_later(&echo->vd.queue[1]);
	CHECK_EQ(kick.rings, 0);
	device_unlock(&echo->vd.dev);
	CHECK(vdriver_start(&drv, ~0ULL));
	device_lock(&echo->vd.dev);
	vq_serve_later(&echo->vd.queue[1]);
	device_unlock(&echo->vd.dev);
	CHECK_EQ(kick.rings, 1);
	CHECK_EQ(kick.rung, 1);
}

WITH_DEVICE(test_load_restores_interrupts_and_resume_maps_kicks)
{
	struct state *st, *load;
	size_t len;
	CHECK(vdriver_start(&drv, ~0ULL));
	virtio_config_changed(&echo->vd);
	uint64_t notify = structure(VIRTIO_PCI_CAP_NOTIFY_CFG);
	CHECK_EQ(state_create_save(&st), 0);
	device_quiesce(&echo->vd.dev);
	device_state(&echo->vd.dev, st);
	device_reset(&echo->vd.dev);
	CHECK(!irq.is_high);
	const void *data = state_data(st, &len);
	CHECK_EQ(state_create_load(&load, data, len), 0);
	device_state(&echo->vd.dev, load);
	CHECK_EQ(state_error(load), 0);
	state_destroy(load);
	state_destroy(st);
	CHECK(irq.is_high);
	CHECK_EQ(kick.count, 0);
	device_resume(&echo->vd.dev);
	CHECK(are_kicks_mapped(notify));
}

/* Saves the device, sets the low byte of the field @tag, makes the checksum right, and loads it. */
static int load_with(const char *tag, uint8_t value)
{
	struct state *st, *load;
	size_t len;
	if (state_create_save(&st) != 0)
		return 0;
	device_state(&echo->vd.dev, st);
	const void *data = state_data(st, &len);
	uint8_t *copy = malloc(len);
	uint8_t *field = copy ? memmem(memcpy(copy, data, len), len, tag, strlen(tag)) : NULL;
	if (!field || state_create_load(&load, copy, len) != 0)
		abort();
	field[strlen(tag)] = value;
	reseal(copy, len);
	device_state(&echo->vd.dev, load);
	int rc = state_error(load);
	state_destroy(load);
	state_destroy(st);
	free(copy);
	return rc;
}

WITH_DEVICE(test_load_refuses_interrupts_that_cannot_be)
{
	CHECK(vdriver_start(&drv, ~0ULL));
	CHECK_EQ(load_with("ISR status", 3), 0);
	CHECK(irq.is_high);
	CHECK_EQ(load_with("ISR status", 4), -EINVAL);
	CHECK(!irq.is_high); /* it was reset */
	CHECK_EQ(echo->vd.status, 0);
	/* NO_VECTOR is 0xffff: these are 0xff00 + the value. */
	CHECK_EQ(load_with("config_msix_vector", 1), -EINVAL);
	CHECK_EQ(load_with("queue_msix_vector", 1), -EINVAL);
}

/* Which function belongs to which device; the suite keeps four. */
struct conforming {
	struct gmem *ram;
	unsigned count;
	struct {
		struct device *dev;
		struct pci_func *func;
	} made[8];
};

static struct device *fresh(void *ctx)
{
	struct conforming *all = ctx;
	struct pci_func *f;
	struct echo *e = echo_create(all->ram);
	if (!e || all->count == 8 ||
	    virtio_pci_attach(&e->vd, &f, (struct irq_line){0}, (struct msi_sink){0},
			      (struct kick_sink){0}) != 0) {
		device_destroy(e ? &e->vd.dev : NULL);
		return NULL;
	}
	all->made[all->count].dev = &e->vd.dev;
	all->made[all->count++].func = f;
	return &e->vd.dev;
}

static void scramble(struct device *dev, void *ctx)
{
	const struct conforming *all = ctx;
	struct virtio_device *vd = (struct virtio_device *)dev;
	unsigned i = 0;
	char in[4];
	while (i + 1 < all->count && all->made[i].dev != dev)
		i++;
	vdriver_init_pci(&drv, vd, all->ram, 0x1000, all->made[i].func);
	const struct pci_bar *msix = &all->made[i].func->bar[1];
	uint64_t addr = 0xfee01000;
	device_lock(dev);
	bus_ops_write(msix->ops, msix->ctx, 16, &addr, 8);
	device_unlock(dev);
	if (vdriver_start(&drv, ~0ULL))
		vdriver_request(&drv, 0, "abcd", 4, in, 4);
	virtio_config_changed(vd);
}

static void test_conformance_over_pci(void)
{
	struct conforming all = {0};
	CHECK_EQ(gmem_create(&all.ram, 1 << 20), 0);
	const struct conformance c = {.create = fresh, .scramble = scramble, .ctx = &all};
	conformance_check(&c);
	gmem_destroy(all.ram);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_identity),
		TEST_CASE(test_capabilities_are_complete),
		TEST_CASE(test_common_registers),
		TEST_CASE(test_addresses_are_written_whole_or_in_halves),
		TEST_CASE(test_vectors_that_do_not_exist_read_back_as_none),
		TEST_CASE(test_driver_gets_through_with_intx),
		TEST_CASE(test_driver_gets_through_with_msix),
		TEST_CASE(test_intx_follows_the_msix_enable_bit),
		TEST_CASE(test_kicks_follow_the_bar),
		TEST_CASE(test_running_device_may_ring_for_itself),
		TEST_CASE(test_doorbells_through_the_bus),
		TEST_CASE(test_device_config),
		TEST_CASE(test_config_space_window),
		TEST_CASE(test_config_space_window_is_bounded),
		TEST_CASE(test_machine_reset_undoes_everything),
		TEST_CASE(test_driver_reset_leaves_msix_and_bars),
		TEST_CASE(test_load_restores_interrupts_and_resume_maps_kicks),
		TEST_CASE(test_load_refuses_interrupts_that_cannot_be),
		TEST_CASE(test_conformance_over_pci),
	};
	return TEST_RUN(cases);
}
