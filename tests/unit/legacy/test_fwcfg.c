/* Firmware configuration as SeaBIOS reads it: by port and by DMA. */
#include "conformance.h"
#include "test.h"

#include <endian.h>
#include <tinyvm/fwcfg.h>

#define GIB (1ULL << 30)

static struct device *dev;
static struct gmem *gm;
static struct fwcfg_config cfg;
static const struct fwcfg_file files[] = {{"bootorder", "/floppy\n", 9}, {"etc/x", "12345", 5}};

static struct device *fresh(void *ctx)
{
	struct device *made;
	(void)ctx;
	return fwcfg_create(&made, &cfg) == 0 ? made : NULL;
}

static void set_up(void)
{
	static const char rsdp[FWCFG_RSDP_SIZE] = "RSD PTR ";
	if (gmem_create(&gm, 1 << 20) != 0)
		abort();
	cfg = (struct fwcfg_config){.gm = gm,
				    .cpus = 3,
				    .ram_below_4g = 3 * GIB,
				    .ram_above_4g = GIB,
				    .reserved_top = 8192,
				    .rsdp = rsdp,
				    .file = files,
				    .file_count = 2};
	dev = fresh(NULL);
}

static void tear_down(void)
{
	device_destroy(dev);
	gmem_destroy(gm);
}

static void fetch(uint16_t key, void *buf, size_t len)
{
	uint8_t *p = buf;
	fwcfg_bus_ops.write(dev, 0, 2, key);
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)fwcfg_bus_ops.read(dev, 1, 1);
}

struct entry {
	uint32_t len;
	uint16_t key, reserved;
	char name[56];
};

/* Return: the file's number, 0 for none. */
static uint16_t find(const char *name, uint32_t *ret_len)
{
	struct {
		uint32_t count;
		struct entry entry[16];
	} dir;
	fetch(0x19, &dir, sizeof(dir));
	for (unsigned i = 0; i < be32toh(dir.count) && i < 16; i++) {
		if (strcmp(dir.entry[i].name, name) == 0) {
			*ret_len = be32toh(dir.entry[i].len);
			return be16toh(dir.entry[i].key);
		}
	}
	return 0;
}

/* Return: the control word afterwards, in the host's order. */
static uint32_t dma(uint32_t control, uint64_t gpa, uint32_t len)
{
	const struct {
		uint32_t control, len;
		uint64_t gpa;
	} access = {htobe32(control), htobe32(len), htobe64(gpa)};
	uint32_t result = 0xffffffff;
	if (gmem_write(gm, 0x500, &access, sizeof(access)) != 0)
		abort();
	fwcfg_bus_ops.write(dev, 4, 4, 0);
	fwcfg_bus_ops.write(dev, 8, 4, htobe32(0x500));
	if (gmem_read(gm, 0x500, &result, sizeof(result)) != 0)
		abort();
	return be32toh(result);
}

WITH_DEVICE(test_fwcfg_is_known_by_its_signatures)
{
	char text[8];
	uint32_t features;
	fetch(0x00, text, 4);
	CHECK_EQ(memcmp(text, "QEMU", 4), 0);
	fetch(0x01, &features, 4);
	CHECK_EQ(features, 3);
	bus_ops_read(&fwcfg_bus_ops, dev, 4, text, 8);
	CHECK_EQ(memcmp(text, "QEMU CFG", 8), 0);
}

WITH_DEVICE(test_fwcfg_numbers)
{
	uint64_t ram;
	uint16_t cpus;
	fetch(0x03, &ram, 8);
	CHECK_EQ(ram, 4 * GIB);
	fetch(0x05, &cpus, 2);
	CHECK_EQ(cpus, 3);
	fetch(0x0f, &cpus, 2);
	CHECK_EQ(cpus, 3);
	fetch(0x8000, &cpus, 2); /* ACPI tables of the old kind: none */
	CHECK_EQ(cpus, 0);
}

WITH_DEVICE(test_fwcfg_an_item_ends_in_zeroes_and_selecting_begins_it_again)
{
	uint32_t len;
	char text[9];
	uint16_t key = find("etc/x", &len);
	CHECK(key);
	CHECK_EQ(len, 5);
	fetch(key, text, 8);
	CHECK_EQ(memcmp(text, "12345\0\0\0", 8), 0);
	fetch(key, text, 2);
	CHECK_EQ(memcmp(text, "12", 2), 0);
	key = find("bootorder", &len);
	fetch(key, text, len);
	CHECK_STR(text, "/floppy\n");
	CHECK_EQ(find("etc/y", &len), 0);
}

WITH_DEVICE(test_fwcfg_memory_map)
{
	struct {
		uint64_t gpa, len;
		uint32_t type;
	} __attribute__((packed)) e820[3];
	uint32_t len;
	uint16_t key = find("etc/e820", &len);
	CHECK_EQ(len, sizeof(e820));
	fetch(key, e820, sizeof(e820));
	CHECK(e820[0].gpa == 0 && e820[0].len == 3 * GIB - 8192 && e820[0].type == 1);
	CHECK(e820[1].gpa == 3 * GIB - 8192 && e820[1].len == 8192 && e820[1].type == 2);
	CHECK(e820[2].gpa == 4 * GIB && e820[2].len == GIB && e820[2].type == 1);
}

WITH_DEVICE(test_fwcfg_has_the_root_pointer_loaded)
{
	uint8_t script[128], rsdp[FWCFG_RSDP_SIZE];
	uint32_t len, number;
	uint16_t key = find("etc/acpi/rsdp", &len);
	CHECK_EQ(len, sizeof(rsdp));
	fetch(key, rsdp, sizeof(rsdp));
	CHECK_EQ(memcmp(rsdp, "RSD PTR ", 8), 0);
	key = find("etc/table-loader", &len);
	CHECK_EQ(len, sizeof(script));
	fetch(key, script, sizeof(script));
	memcpy(&number, script, 4);
	CHECK_EQ(number, 1);
	CHECK_STR((const char *)script + 4, "etc/acpi/rsdp");
	memcpy(&number, script + 60, 4);
	CHECK_EQ(number, 16);
	CHECK_EQ(script[64], 2);
}

WITH_DEVICE(test_fwcfg_dma_reads_and_skips)
{
	uint32_t len;
	char text[8];
	uint16_t key = find("etc/x", &len);
	CHECK_EQ(gmem_write(gm, 0x1000, "........", 8), 0);
	CHECK_EQ(dma((uint32_t)key << 16 | 0x0a, 0x1000, 2), 0);
	CHECK_EQ(dma(0x04, 0, 1), 0);
	CHECK_EQ(dma(0x02, 0x1002, 4), 0);
	CHECK_EQ(gmem_read(gm, 0x1000, text, 8), 0);
	CHECK_EQ(memcmp(text, "1245\0\0..", 8), 0);
	CHECK_EQ(dma((uint32_t)key << 16 | 0x08, 0, 0), 0);
	CHECK_EQ(fwcfg_bus_ops.read(dev, 1, 1), '1');
}

WITH_DEVICE(test_fwcfg_dma_tells_of_errors)
{
	CHECK_EQ(dma(0x0a, 0xfffff, 4), 1);
	CHECK_EQ(dma(0x0a, UINT64_MAX - 1, 4), 1);
	CHECK_EQ(dma(0x0a, 0x1000, UINT32_MAX), 1);
	CHECK_EQ(dma(0x10, 0x1000, 4), 1); /* nothing can be written */
	CHECK_EQ(dma(0x0c, 0, UINT32_MAX), 0);
	CHECK_EQ(fwcfg_bus_ops.read(dev, 1, 1), 0);
	fwcfg_bus_ops.write(dev, 4, 4, 0xffffffff);
	fwcfg_bus_ops.write(dev, 8, 4, 0xffffffff); /* a description that is nowhere */
}

WITH_DEVICE(test_fwcfg_refuses_what_it_cannot_list)
{
	struct fwcfg_file many[FWCFG_FILES_MAX + 1] = {0};
	char name[FWCFG_NAME_MAX + 2];
	struct device *made;
	for (unsigned i = 0; i < FWCFG_FILES_MAX + 1; i++)
		many[i] = files[0];
	cfg.file = many;
	cfg.file_count = FWCFG_FILES_MAX + 1;
	CHECK_EQ(fwcfg_create(&made, &cfg), -EINVAL);
	cfg.file_count = FWCFG_FILES_MAX;
	CHECK_EQ(fwcfg_create(&made, &cfg), 0);
	device_destroy(made);
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	many[0].name = name;
	cfg.file_count = 1;
	CHECK_EQ(fwcfg_create(&made, &cfg), -EINVAL);
	many[0].name = name + 1;
	CHECK_EQ(fwcfg_create(&made, &cfg), 0);
	device_destroy(made);
}

static void scramble(struct device *to, void *ctx)
{
	(void)ctx;
	fwcfg_bus_ops.write(to, 0, 2, 0x19);
	fwcfg_bus_ops.read(to, 1, 1);
	fwcfg_bus_ops.write(to, 4, 4, 0x12345678);
}

WITH_DEVICE(test_fwcfg_conforms)
{
	conformance_check(&(struct conformance){.create = fresh, .scramble = scramble});
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_fwcfg_is_known_by_its_signatures),
		TEST_CASE(test_fwcfg_numbers),
		TEST_CASE(test_fwcfg_an_item_ends_in_zeroes_and_selecting_begins_it_again),
		TEST_CASE(test_fwcfg_memory_map),
		TEST_CASE(test_fwcfg_has_the_root_pointer_loaded),
		TEST_CASE(test_fwcfg_dma_reads_and_skips),
		TEST_CASE(test_fwcfg_dma_tells_of_errors),
		TEST_CASE(test_fwcfg_refuses_what_it_cannot_list),
		TEST_CASE(test_fwcfg_conforms),
	};
	return TEST_RUN(cases);
}
