/* Which modules are packed, in which order, from directories made for it. */
#include "kernel_file.h"
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <spec/run_protocol.h>
#include <sys/stat.h>
#include <time.h>
#include <tinyvm/err.h>
#include <tinyvm/initramfs.h>
#include <unistd.h>

#define WANTED_MAX 8

static char dir[] = "/tmp/tinyvm-modules-XXXXXX";
static const char *cache; /* or NULL */

static void put(const char *name, const void *data, size_t len)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	kernel_write_file(path, data, len);
}

static void put_text(const char *name, const char *text)
{
	put(name, text, strlen(text));
}

static void put_module(const char *name, const char *command)
{
	char text[32];
	size_t len = (size_t)snprintf(text, sizeof(text), "module %s", name) + 1;
	uint8_t *packed = NULL;
	if (command)
		packed = kernel_pack(command, text, len, &len);
	put(name, packed ? packed : (uint8_t *)text, packed ? len - 4 : len);
	free(packed);
}

/* A packing of @wanted (up to NULL), and its archive as one string of what matters. */
struct packing {
	int rc;
	enum initramfs_found found[WANTED_MAX];
	struct err err;
	char order[1024]; /* the instructions' modules, a blank after each */
	uint8_t *data;
	size_t size;
};

static void packing_read_conf(struct packing *p)
{
	static const char key[] = "module=lib/";
	size_t len = 0;
	for (size_t i = 0; i + sizeof(key) < p->size; i++)
		if (memcmp(p->data + i, key, sizeof(key) - 1) == 0)
			len += (size_t)snprintf(p->order + len, sizeof(p->order) - len, "%s ",
						(char *)p->data + i + sizeof(key) - 1);
}

static struct packing pack(const char *const *wanted)
{
	struct packing p = {0};
	struct initramfs *ia;
	unsigned count = 0;
	while (wanted[count])
		count++;
	if (initramfs_create(&ia) != 0)
		abort();
	p.rc = initramfs_add_modules(ia, dir, wanted, count, cache, p.found, &p.err);
	if (initramfs_finish(ia, &p.data, &p.size) != 0)
		abort();
	packing_read_conf(&p);
	initramfs_destroy(ia);
	return p;
}

#define PACK(...) pack((const char *const[]){__VA_ARGS__, NULL})

static bool has(const struct packing *p, const char *text)
{
	return memmem(p->data, p->size, text, strlen(text)) != NULL;
}

static void set_up(void)
{
	put_module("ring.ko", NULL);
	put_module("virtio.ko", NULL);
	put_module("virtio-pci.ko", NULL);
	put_module("fuse.ko", NULL);
	put_module("virtiofs.ko", NULL);
	put_module("ext4.ko", NULL);
	put_module("crc32c_generic.ko", NULL);
	put_module("after.ko", NULL);
	put_text("modules.dep", "virtiofs.ko: fuse.ko virtio.ko ring.ko\n"
				"virtio-pci.ko: virtio.ko ring.ko\n"
				"virtio.ko: ring.ko\n"
				"ring.ko:\n"
				"fuse.ko:\n"
				"ext4.ko:\n"
				"crc32c_generic.ko:\n"
				"after.ko:\n");
	put_text("modules.builtin", "kernel/fs/overlayfs/overlay.ko\n"
				    "kernel/drivers/virtio/virtio-mmio.ko\n");
	put_text("modules.softdep", "# comment\n"
				    "softdep ext4 pre: crc32c nowhere post: after\n"
				    "softdep virtiofs after\n");
	put_text("modules.alias", "alias crc32c crc32c_generic\n"
				  "alias pci:v00001AF4d* virtio_pci\n");
}

static void test_dependencies_come_first_and_once(void)
{
	struct packing p = PACK("virtio_pci", "virtiofs");
	CHECK_EQ(p.rc, 0);
	CHECK_EQ(p.found[0], INITRAMFS_PACKED);
	CHECK_EQ(p.found[1], INITRAMFS_PACKED);
	CHECK_STR(p.order, "ring.ko virtio.ko virtio_pci.ko fuse.ko virtiofs.ko ");
	CHECK(has(&p, "module virtio-pci.ko"));
	CHECK(has(&p, "module virtiofs.ko"));
	free(p.data);
}

static void test_builtin_and_missing_ones_are_told_apart(void)
{
	struct packing p = PACK("overlay", "virtio_mmio", "no_such", "virtio-pci");
	CHECK_EQ(p.rc, 0);
	CHECK_EQ(p.found[0], INITRAMFS_BUILTIN);
	CHECK_EQ(p.found[1], INITRAMFS_BUILTIN);
	CHECK_EQ(p.found[2], INITRAMFS_MISSING);
	CHECK_EQ(p.found[3], INITRAMFS_PACKED);
	free(p.data);
}

static void test_soft_dependencies_go_around_and_through_aliases(void)
{
	struct packing p = PACK("ext4");
	CHECK_EQ(p.rc, 0);
	CHECK_STR(p.order, "crc32c_generic.ko ext4.ko after.ko ");
	free(p.data);
}

static void test_packed_modules_are_unpacked(void)
{
	static const char *const command[] = {"gzip -c", "xz --check=crc32 -c", "zstd -q -c"};
	static const char *const suffix[] = {"gz", "xz", "zst"};
	for (unsigned i = 0; i < 3; i++) {
		char name[32], dep[64], text[64];
		size_t len;
		uint8_t *probe = kernel_pack(command[i], "x", 1, &len);
		if (!probe) {
			printf("     %s is not installed\n", command[i]);
			continue;
		}
		free(probe);
		snprintf(name, sizeof(name), "ring.ko.%s", suffix[i]);
		snprintf(dep, sizeof(dep), "%s:\n", name);
		snprintf(text, sizeof(text), "module %s", name);
		put_module(name, command[i]);
		put_text("modules.dep", dep);
		struct packing p = PACK("ring");
		CHECK_EQ(p.rc, 0);
		CHECK_STR(p.order, "ring.ko ");
		CHECK(has(&p, text));
		free(p.data);
	}
	set_up();
}

/* The files of @dir were last changed long ago. */
static void let_settle(const char *name)
{
	char path[256];
	const struct timespec times[2] = {{.tv_sec = 1000000}, {.tv_sec = 1000000}};
	struct stat st;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (utimensat(AT_FDCWD, path, times, 0) != 0)
		abort();
	do { /* its ctime cannot be set: that one must pass */
		usleep(100000);
		if (stat(path, &st) != 0)
			abort();
	} while (time(NULL) - st.st_ctim.tv_sec < 3);
}

/* How many files of that kind are kept. */
static unsigned kept(char ret_path[512])
{
	unsigned count = 0;
	DIR *d = opendir(cache);
	for (struct dirent *e; d && (e = readdir(d));)
		if (strncmp(e->d_name, "modules-", 8) == 0) {
			snprintf(ret_path, 512, "%s/%s", cache, e->d_name);
			count++;
		}
	if (d)
		closedir(d);
	return count;
}

static void test_unpacked_modules_are_kept(void)
{
	char cache_dir[256], path[512], command[600];
	snprintf(cache_dir, sizeof(cache_dir), "%s/cache", dir);
	put_module("ring.ko.gz", "gzip -c");
	put_text("modules.dep", "ring.ko.gz:\n");
	cache = cache_dir;

	struct packing p = PACK("ring"); /* written only now: it may change unseen */
	CHECK_EQ(p.rc, 0);
	CHECK_EQ(kept(path), 0);
	free(p.data);

	let_settle("ring.ko.gz");
	p = PACK("ring");
	CHECK_EQ(kept(path), 1);
	CHECK(has(&p, "module ring.ko.gz"));
	free(p.data);

	/* What is kept is what is used. */
	snprintf(command, sizeof(command), "sed -i 's/module ring/MODULE ring/' %s", path);
	CHECK_EQ(system(command), 0);
	p = PACK("ring");
	CHECK_EQ(p.rc, 0);
	CHECK(has(&p, "MODULE ring.ko.gz"));
	free(p.data);

	/* A torn one is not. */
	struct stat st;
	CHECK_EQ(stat(path, &st), 0);
	CHECK_EQ(truncate(path, st.st_size - 1), 0);
	p = PACK("ring");
	CHECK_EQ(p.rc, 0);
	CHECK(has(&p, "module ring.ko.gz"));
	free(p.data);

	/* Nor one of a file that changed. */
	put_module("ring.ko.gz", "gzip -1 -c");
	p = PACK("ring");
	CHECK_EQ(p.rc, 0);
	CHECK(has(&p, "module ring.ko.gz"));
	CHECK_EQ(kept(path), 1);
	free(p.data);
	cache = NULL;
	set_up();
}

static void test_missing_directory_gets_a_sentence(void)
{
	struct err err;
	enum initramfs_found found;
	struct initramfs *ia;
	const char *const wanted[] = {"virtio"};
	CHECK_EQ(initramfs_create(&ia), 0);
	CHECK_EQ(initramfs_add_modules(ia, "/no/such", wanted, 1, NULL, &found, &err), -ENOENT);
	CHECK_STR(err.msg, "there are no modules in '/no/such': No such file or directory");
	CHECK_EQ(initramfs_add_modules(ia, "/", wanted, 1, NULL, &found, &err), -ENOENT);
	CHECK_STR(err.msg, "'/' has no modules.dep, which depmod makes");
	initramfs_destroy(ia);
}

static void test_damaged_directories_get_a_sentence(void)
{
	put_text("modules.dep", "virtio.ko: gone.ko\n");
	struct packing p = PACK("virtio");
	CHECK_EQ(p.rc, -ENOENT);
	CHECK(strstr(p.err.msg, "needs gone.ko, which is not there"));
	free(p.data);

	put_text("modules.dep", "gone.ko:\n");
	p = PACK("gone");
	CHECK_EQ(p.rc, -ENOENT);
	CHECK(strstr(p.err.msg, "gone.ko' cannot be opened: No such file"));
	free(p.data);

	put_text("bad.ko.xz", "\xfd"
			      "7zXZ");
	put("bad.ko.xz",
	    "\xfd"
	    "7zXZ\0damaged",
	    13);
	put_text("modules.dep", "bad.ko.xz:\n");
	p = PACK("bad");
	CHECK(p.rc < 0);
	CHECK(strstr(p.err.msg, "cannot be unpacked because xz"));
	free(p.data);
	set_up();
}

static void test_circles_end(void)
{
	put_text("modules.dep", "ring.ko: virtio.ko\nvirtio.ko: ring.ko\n");
	struct packing p = PACK("ring");
	CHECK_EQ(p.rc, 0);
	CHECK_STR(p.order, "virtio.ko ring.ko ");
	free(p.data);
	set_up();
}

static void test_long_chains_end(void)
{
	char *dep = calloc(1, 100000), *at = dep;
	for (int i = 0; i < 2000; i++)
		at += sprintf(at, "m%d.ko: m%d.ko\n", i, i + 1);
	put_text("modules.dep", dep);
	free(dep);
	struct packing p = PACK("m0");
	CHECK_EQ(p.rc, -ENOENT);
	CHECK(strstr(p.err.msg, "needs m2000.ko, which is not there"));
	free(p.data);
	set_up();
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_dependencies_come_first_and_once),
		TEST_CASE(test_builtin_and_missing_ones_are_told_apart),
		TEST_CASE(test_soft_dependencies_go_around_and_through_aliases),
		TEST_CASE(test_packed_modules_are_unpacked),
		TEST_CASE(test_unpacked_modules_are_kept),
		TEST_CASE(test_missing_directory_gets_a_sentence),
		TEST_CASE(test_damaged_directories_get_a_sentence),
		TEST_CASE(test_circles_end),
		TEST_CASE(test_long_chains_end),
	};
	char command[64];
	if (!mkdtemp(dir))
		return 1;
	set_up();
	int rc = TEST_RUN(cases);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) == 0 ? rc : 1;
}
