/* The PCI host bridge, configuration space, BARs and MSI-X. */
#include "conformance.h"
#include "fake_pci.h"
#include "pci_func.h"
#include "test.h"

#define ADDR(slot, reg) (PCI_CONFIG_ADDRESS_ENABLE | (uint32_t)(slot) << 11 | (reg))
#define ONES		UINT32_MAX

static struct fake_bus fb;

static uint64_t get(struct bus *bus, uint64_t addr, unsigned size)
{
	uint64_t value = 0;
	bus_read(bus, addr, &value, size);
	return value;
}

static void put(struct bus *bus, uint64_t addr, unsigned size, uint64_t value)
{
	bus_write(bus, addr, &value, size);
}

static uint64_t ecam(unsigned slot, unsigned reg)
{
	return FAKE_ECAM + (slot << 15) + reg;
}

static uint32_t config_get(unsigned slot, unsigned reg, unsigned size)
{
	put(fb.pio, PCI_CONFIG_ADDRESS_PORT, 4, ADDR(slot, reg & ~3u));
	return (uint32_t)get(fb.pio, PCI_CONFIG_DATA_PORT + (reg & 3), size);
}

static void config_put(unsigned slot, unsigned reg, unsigned size, uint32_t value)
{
	put(fb.pio, PCI_CONFIG_ADDRESS_PORT, 4, ADDR(slot, reg & ~3u));
	put(fb.pio, PCI_CONFIG_DATA_PORT + (reg & 3), size, value);
}

/* The MSI-X table of slot 1's function. */
static uint64_t table(unsigned vector, unsigned reg)
{
	uint64_t gpa = 0;
	if (!pci_func_bar_gpa(&fb.ff[0]->f, 1, &gpa))
		abort();
	return gpa + 16 * vector + reg;
}

static void msix_control(uint16_t control)
{
	config_put(1, fb.ff[0]->msix.cap + PCI_MSIX_CONTROL, 2, control);
}

static void msix_program(unsigned v, uint64_t addr, uint32_t data)
{
	put(fb.mmio, table(v, 0), 8, addr);
	put(fb.mmio, table(v, 8), 4, data);
}

/* Each case runs on its own bus, after what firmware does. */
#define ON_BUS(body)                      \
	do {                              \
		fake_bus_create(&fb);     \
		pci_host_assign(fb.host); \
		body();                   \
		fake_bus_destroy(&fb);    \
	} while (0)

static void identities(void)
{
	CHECK_EQ(config_get(0, PCI_VENDOR_ID, 4), 0x00081b36);
	CHECK_EQ(config_get(0, PCI_REVISION_ID, 4), PCI_CLASS_BRIDGE_HOST << 8);
	CHECK_EQ(config_get(0, PCI_HEADER_TYPE, 1), 0);
	CHECK_EQ(config_get(1, PCI_VENDOR_ID, 4), 0x10421af4);
	CHECK_EQ(config_get(1, PCI_REVISION_ID, 4), 0x01800001);
	CHECK_EQ(config_get(1, PCI_SUBSYSTEM_VENDOR_ID, 4), 0x11001af4);
	CHECK_EQ(config_get(1, PCI_INTERRUPT_PIN, 1), 1);
	CHECK_EQ(config_get(0, PCI_INTERRUPT_PIN, 1), 0);
}

static void test_functions_identify_themselves(void)
{
	ON_BUS(identities);
}

static void absent(void)
{
	CHECK_EQ(config_get(3, PCI_VENDOR_ID, 4), ONES);
	CHECK_EQ(config_get(31, 0xfc, 4), ONES);
	CHECK_EQ(get(fb.mmio, ecam(3, 0), 4), ONES);
	/* Functions 1 to 7, other buses, and the enable bit clear. */
	put(fb.pio, 0xcf8, 4, ADDR(1, 0) | 0x100);
	CHECK_EQ(get(fb.pio, 0xcfc, 4), ONES);
	put(fb.pio, 0xcf8, 4, ADDR(1, 0) | 0x10000);
	CHECK_EQ(get(fb.pio, 0xcfc, 4), ONES);
	put(fb.pio, 0xcf8, 4, ADDR(1, 0) & ~PCI_CONFIG_ADDRESS_ENABLE);
	CHECK_EQ(get(fb.pio, 0xcfc, 4), ONES);
	put(fb.pio, 0xcfc, 4, 0);
	/* Extended configuration space. */
	CHECK_EQ(get(fb.mmio, ecam(1, 0x100), 4), ONES);
	CHECK_EQ(get(fb.mmio, ecam(1, 0xffe), 4), ONES);
	config_put(3, PCI_COMMAND, 2, 0xffff);
	put(fb.mmio, ecam(1, 0x100), 4, 0);
}

static void test_absent_functions_read_as_ones(void)
{
	ON_BUS(absent);
}

static uint8_t seen_byte;

static uint64_t port_read(void *ctx, uint64_t off, unsigned size)
{
	(void)ctx, (void)off, (void)size;
	return 0x5a;
}

static void port_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	(void)ctx, (void)off, (void)size;
	seen_byte = (uint8_t)value;
}

static void address_port(void)
{
	static const struct bus_ops reset_port = {BUS_SIZE_1, port_read, port_write};
	CHECK_EQ(bus_add(fb.pio, 0xcf9, 0xcf9, &reset_port, NULL, fb.dev, NULL), 0);

	put(fb.pio, 0xcf8, 4, ONES);
	CHECK_EQ(get(fb.pio, 0xcf8, 4), PCI_CONFIG_ADDRESS_WMASK);
	CHECK_EQ(seen_byte, 0);
	/* Anything but a dword passes by CONFIG_ADDRESS; 0xcf9 is another chip's. */
	put(fb.pio, 0xcf8, 1, 0);
	put(fb.pio, 0xcf8, 2, 0);
	put(fb.pio, 0xcfb, 1, 0x01);
	put(fb.pio, 0xcf9, 1, 0x06);
	CHECK_EQ(seen_byte, 0x06);
	CHECK_EQ(get(fb.pio, 0xcf9, 1), 0x5a);
	CHECK_EQ(get(fb.pio, 0xcf8, 4), PCI_CONFIG_ADDRESS_WMASK);
}

static void test_address_port_takes_dwords_only_and_spares_the_reset_port(void)
{
	ON_BUS(address_port);
}

static void access_sizes(void)
{
	for (unsigned reg = 0; reg < PCI_HEADER_END; reg++) {
		uint32_t dword = config_get(1, reg & ~3u, 4);
		uint32_t byte = dword >> 8 * (reg & 3) & 0xff;
		CHECK_EQ(config_get(1, reg, 1), byte);
		CHECK_EQ(get(fb.mmio, ecam(1, reg), 1), byte);
		CHECK_EQ(get(fb.mmio, ecam(1, reg & ~3u), 4), dword);
		if ((reg & 3) != 3)
			CHECK_EQ(config_get(1, reg, 2), dword >> 8 * (reg & 3) & 0xffff);
	}
	CHECK_EQ(get(fb.mmio, ecam(1, 0), 8), 0x0010000610421af4);
	config_put(1, PCI_INTERRUPT_LINE, 1, 0x7b);
	CHECK_EQ(config_get(1, PCI_INTERRUPT_LINE, 4), 0x17b);
	put(fb.mmio, ecam(1, PCI_INTERRUPT_LINE), 2, 0xff22); /* the pin is read-only */
	CHECK_EQ(config_get(1, PCI_INTERRUPT_LINE, 2), 0x122);
	config_put(1, PCI_VENDOR_ID, 4, 0);
	CHECK_EQ(config_get(1, PCI_VENDOR_ID, 4), 0x10421af4);
}

static void test_config_space_takes_every_size_at_every_offset(void)
{
	ON_BUS(access_sizes);
}

static void capabilities(void)
{
	CHECK(config_get(1, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST);
	unsigned at = config_get(1, PCI_CAPABILITY_LIST, 1);
	CHECK_EQ(at, 0x40);
	CHECK_EQ(config_get(1, at, 1), PCI_CAP_ID_MSIX);
	CHECK_EQ(config_get(1, at + 2, 2), FAKE_VECTORS - 1);
	CHECK_EQ(config_get(1, at + 4, 4), 1);
	CHECK_EQ(config_get(1, at + 8, 4), PCI_MSIX_PBA | 1);
	at = config_get(1, at + PCI_CAP_NEXT, 1);
	CHECK_EQ(at, 0x4c);
	CHECK_EQ(config_get(1, at, 1), PCI_CAP_ID_VENDOR);
	CHECK_EQ(config_get(1, at + PCI_CAP_NEXT, 1), 0);
	CHECK(!(config_get(0, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST));
}

static void test_capabilities_form_a_list(void)
{
	ON_BUS(capabilities);
}

static void hooks(void)
{
	struct fake_func *ff = fb.ff[0];
	unsigned before = ff->hooked_reads;
	config_get(1, PCI_VENDOR_ID, 4);
	config_get(1, ff->msix.cap - 4, 4);
	config_get(1, ff->cap + FAKE_CAP_LEN, 4);
	CHECK_EQ(ff->hooked_reads, before);
	CHECK_EQ(config_get(1, ff->cap + 4, 1), before + 1); /* hooked before the value is taken */
	CHECK_EQ(ff->hooked_writes, 0);
	config_put(1, ff->cap + 7, 1, 0);
	CHECK_EQ(ff->hooked_writes, 1);
	config_put(1, ff->cap + 8, 1, 0);
	CHECK_EQ(ff->hooked_writes, 1);
}

static void test_hooks_see_their_bytes_only(void)
{
	ON_BUS(hooks);
}

static void status_bits(void)
{
	fb.ff[0]->f.config[PCI_STATUS + 1] |= 0xf9;
	config_put(1, PCI_STATUS, 2, 0x0800);
	CHECK_EQ(config_get(1, PCI_STATUS, 2), 0xf110);
	config_put(1, PCI_COMMAND, 4, 0xffff0000);
	CHECK_EQ(config_get(1, PCI_STATUS, 2), PCI_STATUS_CAP_LIST);
	CHECK_EQ(config_get(1, PCI_COMMAND, 2), 0);
}

static void test_status_errors_are_cleared_by_ones(void)
{
	ON_BUS(status_bits);
}

static void bar_sizing(void)
{
	config_put(1, PCI_BASE_ADDRESS_0, 4, ONES);
	CHECK_EQ(config_get(1, PCI_BASE_ADDRESS_0, 4), ~(uint32_t)(FAKE_REGS - 1));
	config_put(1, PCI_BASE_ADDRESS_0 + 4, 4, ONES);
	CHECK_EQ(config_get(1, PCI_BASE_ADDRESS_0 + 4, 4), ~(uint32_t)(PCI_MSIX_BAR_SIZE - 1));
	config_put(1, PCI_BASE_ADDRESS_0 + 8, 4, ONES);
	CHECK_EQ(config_get(1, PCI_BASE_ADDRESS_0 + 8, 4), 0);
	config_put(1, 0x30, 4, ONES); /* no expansion ROM */
	CHECK_EQ(config_get(1, 0x30, 4), 0);
}

static void test_bars_tell_their_size(void)
{
	ON_BUS(bar_sizing);
}

static void assignment(void)
{
	uint64_t gpa = 0;
	CHECK(pci_func_bar_gpa(&fb.ff[0]->f, 0, &gpa));
	CHECK_EQ(gpa, FAKE_MMIO);
	CHECK(pci_func_bar_gpa(&fb.ff[0]->f, 1, &gpa));
	CHECK_EQ(gpa, FAKE_MMIO + 0x1000);
	CHECK(pci_func_bar_gpa(&fb.ff[1]->f, 0, &gpa));
	CHECK_EQ(gpa, FAKE_MMIO + 0x2000);
	CHECK(pci_func_bar_gpa(&fb.ff[1]->f, 1, &gpa));
	CHECK_EQ(gpa, FAKE_MMIO + 0x3000);
	CHECK(!pci_func_bar_gpa(&fb.ff[1]->f, 2, &gpa));
	CHECK(!pci_func_bar_gpa(&fb.ff[1]->f, 6, &gpa));
	CHECK_EQ(config_get(1, PCI_COMMAND, 2), PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	CHECK_EQ(config_get(1, PCI_INTERRUPT_LINE, 1), 11);
	CHECK_EQ(fb.ff[0]->moves, 1);
	pci_host_assign(fb.host);
	CHECK_EQ(config_get(2, PCI_BASE_ADDRESS_0, 4), FAKE_MMIO + 0x2000);
}

static void test_firmware_places_bars_ascending(void)
{
	ON_BUS(assignment);
}

static void test_bar_without_room_stays_unplaced(void)
{
	const struct pci_host_config cfg = {
		.mmio_base = FAKE_MMIO, .mmio_last = FAKE_MMIO + 0xfff, .ecam_base = FAKE_ECAM};
	struct fake_bus small;
	uint64_t gpa;
	CHECK_EQ(bus_create(&small.pio, "pio") | bus_create(&small.mmio, "mmio"), 0);
	CHECK_EQ(pci_host_create(&small.dev, &small.host, &cfg, small.pio, small.mmio, NULL), 0);
	struct fake_func *ff = fake_func_create();
	CHECK_EQ(pci_host_add(small.host, &ff->f, 5), 0);
	CHECK_EQ(pci_host_add(small.host, &ff->f, 5), -EEXIST);
	pci_host_assign(small.host);
	CHECK(pci_func_bar_gpa(&ff->f, 0, &gpa));
	CHECK(!pci_func_bar_gpa(&ff->f, 1, &gpa));
	CHECK_EQ(ff->f.config[PCI_BASE_ADDRESS_0 + 7], 0);
	bus_destroy(small.pio);
	bus_destroy(small.mmio);
	device_destroy(&ff->dev);
	device_destroy(small.dev);
}

static void test_a_taken_port_is_reported(void)
{
	static const struct bus_ops ops = {.sizes = BUS_SIZE_ANY};
	const struct pci_host_config cfg = {
		.mmio_base = FAKE_MMIO, .mmio_last = FAKE_MMIO_END, .ecam_base = FAKE_ECAM};
	struct fake_func *ff = fake_func_create();
	struct bus *pio, *mmio;
	struct device *dev = NULL;
	struct pci_host *host = NULL;
	struct err err;
	CHECK_EQ(bus_create(&pio, "port") | bus_create(&mmio, "mmio"), 0);
	CHECK_EQ(bus_add(pio, 0xcfe, 0xcfe, &ops, NULL, &ff->dev, &err), 0);
	CHECK_EQ(pci_host_create(&dev, &host, &cfg, pio, mmio, &err), -EEXIST);
	CHECK(!dev && !host);
	CHECK(strstr(err.msg, "fake0") != NULL);
	bus_destroy(pio);
	bus_destroy(mmio);
	device_destroy(&ff->dev);
}

static void bar_access(void)
{
	put(fb.mmio, FAKE_MMIO + 8, 8, 0x1122334455667788);
	CHECK_EQ(get(fb.mmio, FAKE_MMIO + 8, 8), 0x1122334455667788);
	CHECK_EQ(get(fb.mmio, FAKE_MMIO + 11, 2), 0x4455);
	CHECK_EQ(fb.ff[0]->regs[15], 0x11);
	/* Past the end, and across it. */
	put(fb.mmio, FAKE_MMIO + FAKE_REGS, 4, 0);
	CHECK_EQ(get(fb.mmio, FAKE_MMIO + FAKE_REGS, 4), ONES);
	put(fb.mmio, FAKE_MMIO + FAKE_REGS - 4, 8, 0);
	CHECK_EQ(get(fb.mmio, FAKE_MMIO + FAKE_REGS - 4, 8), 0xffffffff00000000);
	CHECK_EQ(get(fb.mmio, FAKE_MMIO_END, 1), 0xff);
	/* The second function's are its own. */
	CHECK_EQ(get(fb.mmio, FAKE_MMIO + 0x2008, 8), 0);
}

static void test_bar_accesses_reach_their_function(void)
{
	ON_BUS(bar_access);
}

static void decode(void)
{
	struct fake_func *ff = fb.ff[0];
	uint64_t gpa = 0;
	unsigned moves = ff->moves;

	config_put(1, PCI_COMMAND, 2, PCI_COMMAND_MEMORY); /* bus mastering does not matter */
	config_put(1, PCI_BASE_ADDRESS_0, 4, FAKE_MMIO);
	CHECK_EQ(ff->moves, moves);
	config_put(1, PCI_BASE_ADDRESS_0, 4, FAKE_MMIO + 0x8000);
	CHECK_EQ(ff->moves, ++moves);
	put(fb.mmio, FAKE_MMIO + 0x8000, 4, 0x1234);
	CHECK_EQ(ff->regs[0], 0x34);
	CHECK_EQ(get(fb.mmio, FAKE_MMIO, 4), ONES);

	config_put(1, PCI_COMMAND, 2, 0);
	CHECK_EQ(ff->moves, ++moves);
	CHECK(!pci_func_bar_gpa(&ff->f, 0, &gpa));
	CHECK_EQ(get(fb.mmio, FAKE_MMIO + 0x8000, 4), ONES);
	config_put(1, PCI_BASE_ADDRESS_0, 4, FAKE_MMIO);
	CHECK_EQ(ff->moves, moves);
	config_put(1, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	CHECK_EQ(ff->moves, ++moves);

	/* Out of the window: below, above, and half in it. */
	config_put(1, PCI_BASE_ADDRESS_0, 4, FAKE_MMIO - 64);
	CHECK_EQ(ff->moves, ++moves);
	CHECK(!pci_func_bar_gpa(&ff->f, 0, &gpa));
	config_put(1, PCI_BASE_ADDRESS_0, 4, FAKE_MMIO_END + 1);
	config_put(1, PCI_BASE_ADDRESS_0, 4, ONES);
	config_put(1, PCI_BASE_ADDRESS_0, 4, 0);
	CHECK_EQ(ff->moves, moves);
}

static void test_owner_hears_when_the_decode_changes_and_only_then(void)
{
	ON_BUS(decode);
}

static void overlap(void)
{
	config_put(2, PCI_BASE_ADDRESS_0, 4, FAKE_MMIO);
	put(fb.mmio, FAKE_MMIO, 1, 0x77);
	CHECK_EQ(fb.ff[0]->regs[0], 0x77);
	CHECK_EQ(fb.ff[1]->regs[0], 0);
	config_put(1, PCI_COMMAND, 2, 0);
	put(fb.mmio, FAKE_MMIO, 1, 0x66);
	CHECK_EQ(fb.ff[1]->regs[0], 0x66);
}

static void test_overlapping_bars_go_to_the_first(void)
{
	ON_BUS(overlap);
}

/* A chip set with a function of ports beside one without any. */
struct ported {
	struct device dev;
	struct pci_func first, second;
	uint64_t last_off;
};

static uint64_t ported_read(void *ctx, uint64_t off, unsigned size)
{
	struct ported *p = ctx;
	(void)size;
	p->last_off = off;
	return 0x31;
}

static void test_second_function_has_ports_of_its_own(void)
{
	static const struct pci_host_config cfg = {.mmio_base = FAKE_MMIO,
						   .mmio_last = FAKE_MMIO_END,
						   .io_base = 0xc000,
						   .io_last = 0xcfff};
	static const struct pci_id id = {.vendor = 0x8086, .device = 0x7010};
	static const struct bus_ops ops = {.sizes = BUS_SIZE_1, .read = ported_read};
	static const struct device_ops dev_ops = {.type = "ported"};
	struct ported p = {.last_off = 99};
	struct device *dev;
	struct err err;

	device_init(&p.dev, &dev_ops, "ported");
	pci_func_init(&p.first, &p.dev, &id, NULL, NULL, (struct irq_line){0});
	pci_func_init(&p.second, &p.dev, &id, NULL, NULL, (struct irq_line){0});
	pci_func_set_io_bar(&p.second, 4, 16, &ops, &p);
	CHECK_EQ(bus_create(&fb.pio, "pio"), 0);
	CHECK_EQ(bus_create(&fb.mmio, "mmio"), 0);
	CHECK_EQ(pci_host_create(&dev, &fb.host, &cfg, fb.pio, fb.mmio, &err), 0);
	CHECK_EQ(pci_host_add_function(fb.host, &p.second, 1, 1), (uint64_t)-ENOENT);
	CHECK_EQ(pci_host_add(fb.host, &p.first, 1), 0);
	CHECK_EQ(pci_host_add_function(fb.host, &p.second, 1, 1), 0);
	CHECK_EQ(pci_host_add_function(fb.host, &p.second, 1, 1), (uint64_t)-EEXIST);
	CHECK_EQ(config_get(1, PCI_HEADER_TYPE, 1), PCI_HEADER_MULTI);

	pci_host_assign(fb.host);
	CHECK_EQ(config_get(1, 0x100 | (PCI_BASE_ADDRESS_0 + 16), 4), 0xc001);
	CHECK_EQ(get(fb.pio, 0xc005, 1), 0x31);
	CHECK_EQ(p.last_off, 5);
	CHECK_EQ(get(fb.pio, 0xc010, 1), 0xff);
	config_put(1, 0x100 | (PCI_BASE_ADDRESS_0 + 16), 4, ONES);
	CHECK_EQ(config_get(1, 0x100 | (PCI_BASE_ADDRESS_0 + 16), 4), 0xfffffff1);
	config_put(1, 0x100 | (PCI_BASE_ADDRESS_0 + 16), 4, 0xc120);
	CHECK_EQ(get(fb.pio, 0xc12f, 1), 0x31);
	config_put(1, 0x100 | PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	CHECK_EQ(get(fb.pio, 0xc12f, 1), 0xff);
	device_destroy(dev);
	bus_destroy(fb.pio);
	bus_destroy(fb.mmio);
}
static void intx(void)
{
	struct fake_func *ff = fb.ff[0];
	pci_func_set_intx(&ff->f, true);
	CHECK(ff->irq_level);
	CHECK(config_get(1, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
	config_put(1, PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE);
	CHECK(!ff->irq_level);
	CHECK(config_get(1, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT); /* still says it wants one */
	pci_func_set_intx(&ff->f, false);
	CHECK(!(config_get(1, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT));
	pci_func_set_intx(&ff->f, true);
	CHECK(!ff->irq_level);
	config_put(1, PCI_COMMAND, 2, 0);
	CHECK(ff->irq_level);
	device_reset(&ff->dev);
	CHECK(!ff->irq_level);
}

static void test_intx_obeys_the_disable_bit(void)
{
	ON_BUS(intx);
}

static void msix_masks(void)
{
	struct fake_func *ff = fb.ff[0];
	pci_msix_raise(&ff->msix, 0); /* disabled: nothing, not even pending */
	CHECK_EQ(get(fb.mmio, table(0, PCI_MSIX_PBA), 8), 0);
	CHECK_EQ(get(fb.mmio, table(0, 12), 4), 1); /* masked after reset */

	msix_program(2, 0xfee00003, 0x41); /* the two low bits do not stick */
	CHECK_EQ(get(fb.mmio, table(2, 0), 8), 0xfee00000);
	CHECK_EQ(get(fb.mmio, table(2, 8), 8), 0x100000041);
	msix_control(PCI_MSIX_ENABLE | PCI_MSIX_FUNC_MASK);
	put(fb.mmio, table(2, 12), 4, 0);
	CHECK_EQ(ff->updates, 0);
	CHECK(pci_msix_is_enabled(&ff->msix));

	pci_msix_raise(&ff->msix, 2);
	pci_msix_raise(&ff->msix, 2);
	pci_msix_raise(&ff->msix, 4);
	pci_msix_raise(&ff->msix, FAKE_VECTORS);
	pci_msix_raise(&ff->msix, ONES);
	CHECK_EQ(ff->raises, 0);
	CHECK_EQ(get(fb.mmio, table(0, PCI_MSIX_PBA), 8), 0x14);
	CHECK_EQ(get(fb.mmio, table(0, PCI_MSIX_PBA), 4), 0x14);
	put(fb.mmio, table(0, PCI_MSIX_PBA), 8, 0); /* read-only */
	CHECK_EQ(get(fb.mmio, table(0, PCI_MSIX_PBA), 8), 0x14);

	msix_control(PCI_MSIX_ENABLE);
	CHECK_EQ(ff->updates, 1);
	CHECK(ff->vector[2].is_live);
	CHECK_EQ(ff->vector[2].addr, 0xfee00000);
	CHECK_EQ(ff->vector[2].data, 0x41);
	CHECK_EQ(ff->vector[2].raises, 1);
	CHECK_EQ(get(fb.mmio, table(0, PCI_MSIX_PBA), 8), 0x10);
	pci_msix_raise(&ff->msix, 2);
	CHECK_EQ(ff->vector[2].raises, 2);

	put(fb.mmio, table(4, 12), 4, 0); /* per-vector unmask */
	CHECK_EQ(ff->vector[4].raises, 1);
	CHECK_EQ(get(fb.mmio, table(0, PCI_MSIX_PBA), 8), 0);
}

static void test_msix_pends_while_masked_and_delivers_on_unmask(void)
{
	ON_BUS(msix_masks);
}

static void msix_updates(void)
{
	struct fake_func *ff = fb.ff[0];
	msix_control(PCI_MSIX_ENABLE);
	msix_program(1, 0xfee00000, 1);
	CHECK_EQ(ff->updates, 0);
	put(fb.mmio, table(1, 12), 4, 0xfffffffe); /* only bit 0 counts */
	CHECK_EQ(ff->updates, 1);
	CHECK_EQ(get(fb.mmio, table(1, 12), 4), 0);
	put(fb.mmio, table(1, 12), 4, 0);
	put(fb.mmio, table(1, 8), 4, 1);
	put(fb.mmio, table(1, 0), 8, 0xfee00000);
	CHECK_EQ(ff->updates, 1);
	put(fb.mmio, table(1, 8), 4, 2);
	CHECK_EQ(ff->updates, 2);
	CHECK_EQ(ff->vector[1].data, 2);
	put(fb.mmio, table(1, 0), 8, 0x1fee01000);
	CHECK_EQ(ff->updates, 3);
	CHECK_EQ(ff->vector[1].addr, 0x1fee01000);
	put(fb.mmio, table(1, 4), 4, 0);
	CHECK_EQ(ff->updates, 4);
	CHECK_EQ(ff->vector[1].addr, 0xfee01000);
	put(fb.mmio, table(1, 9), 1, 0xff); /* narrower than a dword: dropped */
	CHECK_EQ(get(fb.mmio, table(1, 8), 4), 2);
	CHECK_EQ(ff->updates, 4);

	put(fb.mmio, table(1, 8), 8, 0x100000005); /* data and mask at once */
	CHECK_EQ(ff->updates, 5);
	CHECK(!ff->vector[1].is_live);
	put(fb.mmio, table(1, 12), 4, 0);
	CHECK_EQ(ff->vector[1].data, 5);
	msix_control(0);
	CHECK_EQ(ff->updates, 7);
	CHECK(!ff->vector[1].is_live);
	msix_control(PCI_MSIX_ENABLE);
	CHECK(ff->vector[1].is_live);
	device_reset(&ff->dev);
	CHECK_EQ(ff->updates, 9);
	CHECK(!ff->vector[1].is_live);
}

static void test_msix_tells_the_sink_exactly_the_changes(void)
{
	ON_BUS(msix_updates);
}

static void msix_disable(void)
{
	struct fake_func *ff = fb.ff[0];
	msix_control(PCI_MSIX_ENABLE);
	pci_msix_raise(&ff->msix, 3);
	CHECK_EQ(get(fb.mmio, table(0, PCI_MSIX_PBA), 8), 8);
	msix_control(0);
	CHECK_EQ(get(fb.mmio, table(0, PCI_MSIX_PBA), 8), 0);
	msix_control(PCI_MSIX_ENABLE);
	put(fb.mmio, table(3, 12), 4, 0);
	CHECK_EQ(ff->raises, 0);
}

static void test_msix_pending_does_not_outlive_a_disable(void)
{
	ON_BUS(msix_disable);
}

/* A saved machine's wires and routes are there after the load. */
static void state_restores(void)
{
	struct fake_func *ff = fb.ff[0], *twin = fb.ff[1];
	struct state *st;
	size_t len;
	uint64_t gpa = 0;
	msix_program(1, 0xfee00000, 0x55);
	put(fb.mmio, table(1, 12), 4, 0);
	msix_control(PCI_MSIX_ENABLE);
	pci_msix_raise(&ff->msix, 0);
	pci_func_set_intx(&ff->f, true);
	CHECK_EQ(state_create_save(&st), 0);
	device_state(&ff->dev, st);
	struct state *in;
	const void *data = state_data(st, &len);
	CHECK_EQ(state_create_load(&in, data, len), 0);
	unsigned moves = twin->moves;
	device_state(&twin->dev, in);
	CHECK_EQ(state_error(in), 0);
	state_destroy(in);
	state_destroy(st);

	CHECK_EQ(twin->moves, moves + 1);
	CHECK(pci_func_bar_gpa(&twin->f, 0, &gpa));
	CHECK_EQ(gpa, FAKE_MMIO);
	CHECK(twin->irq_level);
	CHECK(twin->vector[1].is_live);
	CHECK_EQ(twin->vector[1].data, 0x55);
	CHECK_EQ(twin->msix.pending, 1);
}

static void test_load_rewires_decode_interrupts_and_vectors(void)
{
	ON_BUS(state_restores);
}

static struct device *fresh_func(void *ctx)
{
	(void)ctx;
	struct fake_func *ff = fake_func_create();
	if (!ff)
		return NULL;
	ff->f.window_base = FAKE_MMIO;
	ff->f.window_last = FAKE_MMIO_END;
	return &ff->dev;
}

static void scramble_func(struct device *dev, void *ctx)
{
	(void)ctx;
	struct fake_func *ff = (struct fake_func *)dev;
	pci_func_config_write(&ff->f, PCI_BASE_ADDRESS_0, 4, FAKE_MMIO + 0x40);
	pci_func_config_write(&ff->f, PCI_BASE_ADDRESS_0 + 4, 4, FAKE_MMIO + 0x1000);
	pci_func_config_write(&ff->f, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	pci_func_config_write(&ff->f, PCI_INTERRUPT_LINE, 1, 5);
	pci_func_config_write(&ff->f, ff->msix.cap + PCI_MSIX_CONTROL, 2, PCI_MSIX_ENABLE);
	const struct pci_bar *bar = &ff->f.bar[1];
	bar->ops->write(bar->ctx, 0x10, 8, 0xfee01000);
	bar->ops->write(bar->ctx, 0x18, 8, 0x1234);
	bar->ops->write(bar->ctx, 0x28, 8, 0x100004321);
	pci_msix_raise(&ff->msix, 4);
	pci_func_set_intx(&ff->f, true);
	ff->regs[3] = 9;
}

static void test_function_conforms(void)
{
	struct conformance c = {.create = fresh_func, .scramble = scramble_func};
	conformance_check(&c);
}

static struct bus *host_pio[16], *host_mmio[16];
static struct device *host_dev[16];
static unsigned hosts;

static struct device *fresh_host(void *ctx)
{
	const struct pci_host_config cfg = {
		.mmio_base = FAKE_MMIO, .mmio_last = FAKE_MMIO_END, .ecam_base = FAKE_ECAM};
	struct device *dev;
	struct pci_host *host;
	(void)ctx;
	unsigned i = hosts++;
	host_pio[i] = host_mmio[i] = NULL;
	if (bus_create(&host_pio[i], "pio") || bus_create(&host_mmio[i], "mmio") ||
	    pci_host_create(&dev, &host, &cfg, host_pio[i], host_mmio[i], NULL))
		return NULL;
	host_dev[i] = dev;
	return dev;
}

static void scramble_host(struct device *dev, void *ctx)
{
	unsigned i = 0;
	(void)ctx;
	while (host_dev[i] != dev)
		i++;
	put(host_mmio[i], ecam(0, PCI_COMMAND), 2, PCI_COMMAND_MASTER);
	put(host_pio[i], 0xcf8, 4, ADDR(3, 0x40));
}

static void test_host_conforms(void)
{
	struct conformance c = {.create = fresh_host, .scramble = scramble_host};
	conformance_check(&c);
	while (hosts--) {
		bus_destroy(host_pio[hosts]);
		bus_destroy(host_mmio[hosts]);
	}
	hosts = 0;
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_functions_identify_themselves),
		TEST_CASE(test_absent_functions_read_as_ones),
		TEST_CASE(test_address_port_takes_dwords_only_and_spares_the_reset_port),
		TEST_CASE(test_config_space_takes_every_size_at_every_offset),
		TEST_CASE(test_capabilities_form_a_list),
		TEST_CASE(test_hooks_see_their_bytes_only),
		TEST_CASE(test_status_errors_are_cleared_by_ones),
		TEST_CASE(test_bars_tell_their_size),
		TEST_CASE(test_firmware_places_bars_ascending),
		TEST_CASE(test_bar_without_room_stays_unplaced),
		TEST_CASE(test_a_taken_port_is_reported),
		TEST_CASE(test_bar_accesses_reach_their_function),
		TEST_CASE(test_owner_hears_when_the_decode_changes_and_only_then),
		TEST_CASE(test_overlapping_bars_go_to_the_first),
		TEST_CASE(test_second_function_has_ports_of_its_own),
		TEST_CASE(test_intx_obeys_the_disable_bit),
		TEST_CASE(test_msix_pends_while_masked_and_delivers_on_unmask),
		TEST_CASE(test_msix_tells_the_sink_exactly_the_changes),
		TEST_CASE(test_msix_pending_does_not_outlive_a_disable),
		TEST_CASE(test_load_rewires_decode_interrupts_and_vectors),
		TEST_CASE(test_function_conforms),
		TEST_CASE(test_host_conforms),
	};
	return TEST_RUN(cases);
}
