/* oci_open(): from layouts and tarballs to a file system, and from bad ones to a sentence. */
#include "eroread.h"
#include "imagekit.h"
#include "kernel_file.h"
#include "shortage.h"
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <tinyvm/err.h>
#include <tinyvm/oci.h>

static struct {
	struct oci_image image;
	bool is_open;
	struct eroread er;
	struct err err;
	bool is_32bit, is_kept;
} t;

static void set_up(void)
{
	memset(&t, 0, sizeof(t));
	kit_begin();
}

static void close_image(void)
{
	if (t.is_open)
		oci_close(&t.image);
	t.is_open = false;
	eroread_close(&t.er);
}

static void tear_down(void)
{
	close_image();
	kit_end();
}

/* Opens what is at @name below the kit's directory. */
static int open_image(const char *name)
{
	const char *cache = kit_path("cache");
	const struct oci_options options = {
		.is_32bit = t.is_32bit,
		.cache_dir = t.is_kept ? cache : NULL,
		.tmpdir = kit.dir,
	};
	close_image();
	memset(&t.err, 0, sizeof(t.err));
	int rc = oci_open(&t.image, kit_path(name), &options, &t.err);
	t.is_open = rc == 0;
	if (t.is_open)
		eroread_open(&t.er, t.image.fd);
	return rc;
}

/* How many names there are in the directory. */
static unsigned count_names(const char *name)
{
	DIR *dir = opendir(kit_path(name));
	unsigned count = 0;
	for (struct dirent *d; dir && (d = readdir(dir));)
		count += d->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return count;
}

/* It is refused, with a sentence that has @part in it, and leaves nothing behind. */
#define CHECK_REFUSED(name, part)                                                                \
	do {                                                                                     \
		unsigned before_ = count_names("");                                              \
		CHECK(open_image(name) < 0);                                                     \
		if (!strstr(t.err.msg, part))                                                    \
			test_failed(__FILE__, __LINE__, "\"%s\" has no \"%s\" in it", t.err.msg, \
				    part);                                                       \
		CHECK_EQ(count_names(""), before_);                                              \
	} while (0)

/* Two layers, the second of which changes the first. */
static void make_layers(void)
{
	struct maketar mt = {.uid = 1000, .gid = 1001};
	maketar_dir(&mt, "etc/");
	maketar_file(&mt, "etc/one", "first");
	maketar_file(&mt, "etc/two", "second");
	maketar_file(&mt, "dir/old", "old");
	maketar_link(&mt, TAR_SYMLINK, "lib", "usr/lib");
	maketar_link(&mt, TAR_HARD_LINK, "etc/link", "etc/one");
	kit_layer(&mt);
	maketar_file(&mt, "etc/.wh.two", "");
	maketar_file(&mt, "dir/new", "new");
	maketar_file(&mt, "dir/.wh..wh..opq", "");
	maketar_file(&mt, ".wh..wh.plnk/x", "");
	maketar_file(&mt, "lib/libc", "elf");
	kit_layer(&mt);
}

/* What comes of make_layers(), with @name for what is at the root beside it. */
static void check_layers(void)
{
	struct erofs_inode inode;
	uint64_t nid;
	CHECK_STR(eroread_list(&t.er, "/"), "dir etc lib usr");
	CHECK_STR(eroread_list(&t.er, "etc"), "link one");
	CHECK_STR(eroread_text(&t.er, "etc/link"), "first");
	CHECK_STR(eroread_list(&t.er, "dir"), "new");
	CHECK_STR(eroread_text(&t.er, "lib"), "usr/lib");
	CHECK_STR(eroread_text(&t.er, "usr/lib/libc"), "elf");
	CHECK(eroread_find(&t.er, "etc/one", &inode, &nid));
	CHECK_EQ(inode.uid, 1000);
	CHECK_EQ(inode.gid, 1001);
	CHECK_EQ(inode.nlink, 2);
}

WITH_DEVICE(test_oci_layers_of_a_layout_lie_on_each_other)
{
	make_layers();
	kit_finish("");
	CHECK(oci_is_image(kit_path("layout")));
	CHECK_EQ(open_image("layout"), 0);
	check_layers();
	CHECK_EQ(count_names(""), 1); /* no file but the layout */
}

WITH_DEVICE(test_oci_a_layout_in_a_tarball_is_the_same)
{
	make_layers();
	kit_finish("");
	/* NOLINTNEXTLINE(cert-env33-c): a name of our own making */
	CHECK_EQ(system(kit_text(
			 "cd %s/layout && tar -cf ../a.tar ./oci-layout ./index.json ./blobs "
			 "&& gzip -k ../a.tar",
			 kit.dir)),
		 0);
	CHECK(oci_is_image(kit_path("a.tar")));
	CHECK_EQ(open_image("a.tar"), 0);
	check_layers();
	CHECK_EQ(open_image("a.tar.gz"), 0);
	check_layers();
	CHECK_EQ(count_names(""), 3);
}

WITH_DEVICE(test_oci_a_tarball_of_docker_save_is_the_same)
{
	make_layers();
	kit_docker("a.tar", kit_config("amd64", ""));
	CHECK_EQ(open_image("a.tar"), 0);
	check_layers();
}

WITH_DEVICE(test_oci_links_between_a_tarballs_members_are_followed)
{
	struct maketar layer = {0}, mt = {0};
	maketar_file(&layer, "file", "x");
	maketar_end(&layer);
	const char *sum = kit_sum(layer.data, layer.len);
	const char *config = kit_text("{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{"
				      "\"diff_ids\":[\"sha256:%s\",\"sha256:%s\"]}}",
				      sum, sum);
	const char *hex = kit_sum(config, strlen(config));
	maketar_file(&mt, kit_text("%s.json", hex), config);
	maketar_add(&mt, TAR_FILE, "a/layer.tar", "", layer.data, layer.len);
	maketar_link(&mt, TAR_SYMLINK, "b/layer.tar", "../a/layer.tar");
	maketar_link(&mt, TAR_SYMLINK, "c/out", "../../a/layer.tar");
	maketar_link(&mt, TAR_SYMLINK, "loop", "loop");
	maketar_file(&mt, "manifest.json",
		     kit_text("[{\"Config\":\"%s.json\",\"Layers\":[\"a/layer.tar\","
			      "\"b/layer.tar\"]}]",
			      hex));
	kit_write("a.tar", mt.data, mt.len);
	maketar_file(
		&mt, "manifest.json",
		kit_text("[{\"Config\":\"%s.json\",\"Layers\":[\"a/layer.tar\",\"c/out\"]}]", hex));
	kit_write("b.tar", mt.data, mt.len);
	maketar_file(
		&mt, "manifest.json",
		kit_text("[{\"Config\":\"%s.json\",\"Layers\":[\"a/layer.tar\",\"loop\"]}]", hex));
	kit_write("c.tar", mt.data, mt.len);
	free(layer.data);
	free(mt.data);
	CHECK_EQ(open_image("a.tar"), 0);
	CHECK_STR(eroread_list(&t.er, ""), "file");
	CHECK_REFUSED("b.tar", "layer 2, c/out, is missing");
	CHECK_REFUSED("c.tar", "layer 2, loop, is missing");
}

WITH_DEVICE(test_oci_layers_may_be_packed)
{
	static const char *const packers[] = {"gzip -c", "zstd -q -c", "gzip -c | cat - /dev/null"};
	for (unsigned i = 0; i < 3; i++) {
		struct maketar mt = {0};
		size_t len;
		maketar_file(&mt, kit_text("file%u", i), packers[i]);
		maketar_end(&mt);
		uint8_t *packed = kernel_pack(packers[i], mt.data, mt.len, &len);
		if (!packed) {
			printf("     %s is not installed\n", packers[i]);
			free(mt.data);
			continue;
		}
		kit_layer_as(&mt, i == 1 ? "tar+zstd" : "tar+gzip", packed, len - 4);
		free(packed);
	}
	kit_finish("");
	CHECK_EQ(open_image("layout"), 0);
	CHECK_STR(eroread_text(&t.er, "file0"), packers[0]);
	CHECK_STR(eroread_text(&t.er, "file2"), packers[2]);
}

WITH_DEVICE(test_oci_the_configuration_is_told)
{
	struct maketar mt = {0};
	maketar_file(&mt, "file", "");
	kit_layer(&mt);
	kit_finish(
		"\"config\":{\"Env\":[\"A=b\",\"PATH=/x\",7],\"Entrypoint\":[\"/init\"],\"Cmd\":["
		"\"arg\",\"\"],\"WorkingDir\":\"/work/dir\",\"User\":\"app\"},");
	CHECK_EQ(open_image("layout"), 0);
	CHECK_EQ(t.image.env_count, 2);
	CHECK_STR(t.image.env[1], "PATH=/x");
	CHECK_EQ(t.image.command_count, 3);
	CHECK_STR(t.image.command[0], "/init");
	CHECK_STR(t.image.command[2], "");
	CHECK_STR(t.image.cwd, "/work/dir");
	CHECK_STR(t.image.user, "app");
	CHECK_STR(eroread_list(&t.er, "work"), "dir"); /* made, as no layer has it */
	kit_finish("\"config\":{\"Cmd\":null,\"WorkingDir\":\"\"},");
	CHECK_EQ(open_image("layout"), 0);
	CHECK_EQ(t.image.command_count, 0);
	CHECK(!t.image.cwd);
	CHECK_STR(t.image.user, "");
}

/* A command without its last words would be another one. */
WITH_DEVICE(test_oci_a_command_is_told_whole_or_not_at_all)
{
	struct maketar mt = {0};
	char words[OCI_LIST_MAX * 4 + 1];
	for (unsigned i = 0; i < OCI_LIST_MAX; i++)
		memcpy(words + i * 4, ",\"a\"", 5);
	maketar_file(&mt, "file", "");
	kit_layer(&mt);
	kit_finish(kit_text("\"config\":{\"Cmd\":[%s]},", words + 1));
	CHECK_EQ(open_image("layout"), 0);
	CHECK_EQ(t.image.command_count, OCI_LIST_MAX);
	kit_finish(kit_text("\"config\":{\"Entrypoint\":[\"b\"],\"Cmd\":[%s]},", words + 1));
	CHECK_REFUSED("layout", "it has more than 1024 variables, or words of a command");
}

WITH_DEVICE(test_oci_the_image_for_the_processor_is_taken)
{
	struct maketar mt = {0};
	static const char attested[] = "{\"digest\":\"sha256:none\",\"platform\":{\"os\":"
				       "\"unknown\",\"architecture\":\"unknown\"}},";
	maketar_file(&mt, "file", "");
	kit_layer(&mt);
	const char *arm = kit_text("%s,\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\"}}",
				   "{\"digest\":\"sha256:not there\"");
	const char *small = kit_manifest(kit_config("386", "\"config\":{\"User\":\"386\"},"), "");
	const char *large =
		kit_manifest(kit_config("amd64", "\"config\":{\"User\":\"amd64\"},"),
			     ",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}");
	kit_index(kit_text("%s%s,%s,%s", attested, arm, small, large));
	CHECK_EQ(open_image("layout"), 0);
	CHECK_STR(t.image.user, "amd64");
	t.is_32bit = true;
	CHECK_EQ(open_image("layout"), 0);
	CHECK_STR(t.image.user, "386");
	kit_index(kit_text("%s%s,%s", attested, arm, large));
	CHECK_REFUSED("layout", "it has no image for linux/386, but one for linux/amd64");
	t.is_32bit = false;
	kit_index(kit_text("%s%s,%s", attested, arm, small));
	CHECK_EQ(open_image("layout"), 0);
	CHECK_STR(t.image.user, "386");
	kit_index(arm);
	CHECK_REFUSED("layout", "it has no image for linux/amd64, but one for linux/arm64");
	/* An index in the index; the same image twice; two images. */
	const char *inner = kit_text("{\"manifests\":[%s,%s]}", small, large);
	const char *hex = kit_blob(inner, strlen(inner));
	kit_index(kit_text("{\"digest\":\"sha256:%s\"},%s", hex, large));
	CHECK_EQ(open_image("layout"), 0);
	CHECK_STR(t.image.user, "amd64");
	kit_index(kit_text("%s,%s", large, kit_manifest(kit_config("amd64", ""), "")));
	CHECK_REFUSED("layout", "it has more than one image for linux/amd64");
}

WITH_DEVICE(test_oci_what_was_unpacked_is_kept_and_found_again)
{
	make_layers();
	kit_finish("");
	t.is_kept = true;
	CHECK_EQ(open_image("layout"), 0);
	CHECK_EQ(count_names("cache"), 1);
	/* The layers are not needed any more. */
	const char *first = strstr(kit.names, "sha256/") + 7;
	CHECK_EQ(unlink(kit_path(kit_text("layout/blobs/sha256/%.64s", first))), 0);
	CHECK_EQ(open_image("layout"), 0);
	check_layers();
	/* A damaged file is not believed. */
	/* NOLINTNEXTLINE(cert-env33-c): a name of our own making */
	CHECK_EQ(system(kit_text("truncate -s -1 %s/cache/*", kit.dir)), 0);
	CHECK_REFUSED("layout", "layer 1, blobs/sha256/");
	CHECK_EQ(count_names("cache"), 0);
}

WITH_DEVICE(test_oci_only_a_few_images_are_kept)
{
	t.is_kept = true;
	for (unsigned i = 0; i < 7; i++) {
		struct maketar mt = {0};
		maketar_file(&mt, kit_text("file%u", i), "");
		kit_layer(&mt);
		kit_finish("");
		CHECK_EQ(open_image("layout"), 0);
	}
	CHECK_EQ(count_names("cache"), 4);
}

WITH_DEVICE(test_oci_what_is_no_image_is_refused)
{
	struct maketar mt = {0};
	CHECK(!oci_is_image(kit_path("nothing")));
	CHECK(!oci_is_image(kit.dir));
	CHECK_REFUSED("nothing", "No such file or directory");
	CHECK_REFUSED("", "it is no container image: it has neither the index.json");
	kit_write_text("text", "hello");
	CHECK_REFUSED("text", "it is neither a directory nor a tarball");
	kit_write_text("text", "");
	CHECK_REFUSED("text", "it is neither a directory nor a tarball");
	CHECK_REFUSED("../../dev/null", "it is neither a directory nor a file");
	maketar_file(&mt, "etc/passwd", "x");
	kit_write("root.tar", mt.data, mt.len);
	CHECK_REFUSED("root.tar", "it is no container image");
	kit_write("cut.tar", mt.data, mt.len - 512);
	CHECK_REFUSED("cut.tar", "the archive ends in the middle");
	kit_write("cut.tar", mt.data, 100);
	CHECK_REFUSED("cut.tar", "it is neither a directory nor a tarball");
	free(mt.data);
	kit_write("cut.gz", "\x1f\x8b\x08", 3);
	CHECK_REFUSED("cut.gz", "its gzip stream is cut off");
}

WITH_DEVICE(test_oci_bad_documents_are_refused)
{
	struct maketar mt = {0};
	maketar_file(&mt, "file", "");
	kit_layer(&mt);
	const char *config = kit_config("amd64", "");
	static const struct {
		const char *index, *part;
	} bad[] = {
		{"{", "its index.json is no JSON"},
		{"{}", "its index has no manifests"},
		{"[]", "its index has no manifests"},
		{"{\"manifests\":[]}", "it has no image for linux/amd64"},
		{"{\"manifests\":[{}]}", "the digest '' in it is none of SHA-256"},
		{"{\"manifests\":[{\"digest\":\"sha512:00\"}]}", "is none of SHA-256"},
		{"{\"manifests\":[{\"digest\":\"sha256:../../index.json\"}]}",
		 "is none of SHA-256"},
	};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		kit_write_text("layout/index.json", bad[i].index);
		CHECK_REFUSED("layout", bad[i].part);
	}
	char absent[65];
	memset(absent, 'a', 64);
	absent[64] = '\0';
	kit_index(kit_text("{\"digest\":\"sha256:%s\"}", absent));
	CHECK_REFUSED("layout", "it has no blobs/sha256/aaaa");
	kit_write_text(kit_text("layout/blobs/sha256/%s", absent), "{}");
	CHECK_REFUSED("layout", "is damaged: the SHA-256 of it is another one");
	/* Manifests that do not go with their configuration. */
	size_t used = strlen(kit.layers);
	snprintf(kit.layers + used, sizeof(kit.layers) - used, ",{\"digest\":\"sha256:0\"}");
	kit_index(kit_manifest(config, ""));
	CHECK_REFUSED("layout", "its manifest and its configuration disagree");
	snprintf(kit.layers, sizeof(kit.layers),
		 "{\"mediaType\":\"text/x\",\"digest\":\"sha256:%s\"}", absent);
	kit_index(kit_manifest(config, ""));
	CHECK_REFUSED("layout", "layer 1 is of the media type text/x");
}

/* One layer, with the members that @mt has. */
static int open_layer(struct maketar *mt)
{
	kit.layers[0] = kit.sums[0] = kit.names[0] = '\0';
	kit.count = 0;
	kit_layer_as(mt, "tar", NULL, 0);
	kit_finish("");
	return open_image("layout");
}

WITH_DEVICE(test_oci_bad_layers_are_refused)
{
	static const struct {
		char type;
		const char *name, *target, *why;
	} bad[] = {
		{TAR_FILE, "../x", "", "layer 1: '../x' has a '..' or an empty name in it"},
		{TAR_FILE, "a/../../x", "", "has a '..'"},
		{TAR_HARD_LINK, "x", "nothing",
		 "'x' is a hard link to something that is not there"},
		{TAR_HARD_LINK, "x", "../../etc/passwd", "has a '..'"},
		{TAR_HARD_LINK, "x", "/etc/passwd",
		 "is a hard link to something that is not there"},
		{TAR_FILE, "/", "", "takes the root's place"},
		{TAR_GNU_SPARSE, "s", "", "'s' is a sparse file"},
		{TAR_FILE, ".wh.", "", "'.wh.' is a whiteout of nothing"},
		{TAR_FILE, "a/.wh..", "", "'a/.wh..' is a whiteout of nothing"},
		{TAR_FILE, ".wh...", "", "has a '..'"},
		{TAR_FILE, "a\033[2J/../x", "", "'a?[2J/../x' has"},
	};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct maketar mt = {0};
		maketar_link(&mt, bad[i].type, bad[i].name, bad[i].target);
		int rc = open_layer(&mt);
		if (rc >= 0 || !strstr(t.err.msg, bad[i].why))
			test_failed(__FILE__, __LINE__, "%s: %s", bad[i].name, t.err.msg);
	}
	/* Absolute names are the image's own. */
	struct maketar mt = {0};
	maketar_file(&mt, "/etc/passwd", "x");
	maketar_link(&mt, TAR_HARD_LINK, "y", "/etc/passwd");
	maketar_link(&mt, TAR_SYMLINK, "z", "/");
	maketar_file(&mt, "z/z/w", "w");
	CHECK_EQ(open_layer(&mt), 0);
	CHECK_STR(eroread_list(&t.er, ""), "etc w y z");
	CHECK_EQ(count_names(""), 1);
}

WITH_DEVICE(test_oci_a_layer_that_is_not_what_the_manifest_says_is_refused)
{
	struct maketar mt = {0};
	maketar_file(&mt, "file", "some text");
	kit_layer(&mt);
	const char *config = kit_config("amd64", "");
	kit_index(kit_manifest(config, ""));
	kit_docker("a.tar", config);
	const char *blob = strstr(kit.names, "blobs/");
	char *path = strdup(kit_path(kit_text("layout/%.77s", blob)));
	FILE *f = fopen(path, "r+");
	CHECK(f && fseek(f, TAR_BLOCK_SIZE, SEEK_SET) == 0 && fputc('S', f) == 'S' &&
	      fclose(f) == 0);
	CHECK_REFUSED("layout", "layer 1: it is not what the manifest says: its SHA-256 is");
	kit_docker("b.tar", config);
	CHECK_EQ(open_image("a.tar"), 0);
	CHECK_REFUSED("b.tar", "layer 1: it is not what the manifest says: its SHA-256 is");
	CHECK_EQ(truncate(path, TAR_BLOCK_SIZE), 0);
	CHECK_REFUSED("layout", "it is not what the manifest says: it has 512 bytes and not");
	free(path);
}

WITH_DEVICE(test_oci_a_layer_cut_off_or_enormous_is_refused)
{
	struct maketar mt = {0};
	maketar_file(&mt, "file", "text");
	mt.len -= 512;
	CHECK(open_layer(&mt) < 0);
	CHECK_STR(t.err.msg, "layer 1: the archive ends in the middle");
	maketar_file(&mt, "file", "");
	memcpy(((struct tar_header *)mt.data)->size, "\x80\0\0\0\0\0\1\0\0\0\0\0", 12); /* 2^40 */
	maketar_sum(&mt, 0);
	CHECK(open_layer(&mt) < 0);
	CHECK(strstr(t.err.msg, "there is not enough space in") ||
	      strstr(t.err.msg, "the archive ends in the middle"));
	CHECK_EQ(count_names(""), 1);
}

WITH_DEVICE(test_oci_a_file_size_limit_is_a_sentence)
{
	static char data[3 << 20];
	struct maketar mt = {0};
	struct rlimit old, small = {1 << 20, 1 << 20};
	maketar_add(&mt, TAR_FILE, "file", "", data, sizeof(data));
	kit_layer(&mt);
	kit_finish("");
	CHECK_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
	void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
	int rc = open_image("layout");
	signal(SIGXFSZ, handler);
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
	CHECK_EQ(rc, -EFBIG);
	CHECK(strstr(t.err.msg, "or than `ulimit -f` allows"));
}

WITH_DEVICE(test_oci_a_shortage_of_memory_is_an_error)
{
	make_layers();
	kit_finish("\"config\":{\"WorkingDir\":\"/w\"},");
	const char *path = strdup(kit_path("layout"));
	const struct oci_options options = {.tmpdir = kit.dir};
	for (unsigned n = 1;; n++) {
		struct oci_image image;
		struct err err = {0};
		shortage_begin(n);
		int rc = oci_open(&image, path, &options, &err);
		if (!rc)
			oci_close(&image);
		if (!shortage_end()) {
			CHECK_EQ(rc, 0);
			CHECK(n > 20);
			break;
		}
		CHECK(rc == 0 || err.msg[0]); /* a table that cannot grow is no failure */
	}
	free((char *)(uintptr_t)path);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_oci_layers_of_a_layout_lie_on_each_other),
		TEST_CASE(test_oci_a_layout_in_a_tarball_is_the_same),
		TEST_CASE(test_oci_a_tarball_of_docker_save_is_the_same),
		TEST_CASE(test_oci_links_between_a_tarballs_members_are_followed),
		TEST_CASE(test_oci_layers_may_be_packed),
		TEST_CASE(test_oci_the_configuration_is_told),
		TEST_CASE(test_oci_a_command_is_told_whole_or_not_at_all),
		TEST_CASE(test_oci_the_image_for_the_processor_is_taken),
		TEST_CASE(test_oci_what_was_unpacked_is_kept_and_found_again),
		TEST_CASE(test_oci_only_a_few_images_are_kept),
		TEST_CASE(test_oci_what_is_no_image_is_refused),
		TEST_CASE(test_oci_bad_documents_are_refused),
		TEST_CASE(test_oci_bad_layers_are_refused),
		TEST_CASE(test_oci_a_layer_that_is_not_what_the_manifest_says_is_refused),
		TEST_CASE(test_oci_a_layer_cut_off_or_enormous_is_refused),
		TEST_CASE(test_oci_a_file_size_limit_is_a_sentence),
		TEST_CASE(test_oci_a_shortage_of_memory_is_an_error),
	};
	return TEST_RUN(cases);
}
