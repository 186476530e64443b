/* The command line: what it means, and the sentence for each way to get it wrong. */
#include "config_line.h"
#include "config_parts.h"
#include "test.h"

#include <tinyvm/gmem.h>

static void test_defaults(void)
{
	CHECK_EQ(PARSE("--kernel", "bzImage"), 0);
	CHECK_EQ(line.action, CONFIG_RUN);
	CHECK_STR(line.cfg.kernel, "bzImage");
	CHECK(!line.cfg.initrd);
	CHECK_STR(line.cfg.append, "");
	CHECK_EQ(line.cfg.memory, 1ULL << 30);
	CHECK_EQ(line.cfg.cpus, 1);
	CHECK_EQ(line.cfg.disk_count, 0);
	CHECK(!line.cfg.tmpdir);
	CHECK(!line.cfg.keep_overlay);
	CHECK_EQ(line.cfg.net_count, 0);
	CHECK_EQ(line.cfg.forward_count, 0);
	CHECK(!line.cfg.name);
	CHECK_EQ(line.cfg.transport, TRANSPORT_PCI);
	CHECK_EQ(line.cfg.console, CONSOLE_SERIAL);
	CHECK(!line.cfg.is_pc);
	CHECK(!line.cfg.log_path);
	CHECK(line.cfg.is_reboot_allowed);
	CHECK(line.cfg.is_auto_args);
	CHECK(line.cfg.is_unpack_wanted);
	CHECK(!line.cfg.is_dry_run);
	CHECK_EQ(line.cfg.verbose, 0);
}

static void test_long_options_with_next_word(void)
{
	CHECK_EQ(PARSE("--kernel", "k", "--initrd", "i", "--append", "root=/dev/vda rw", "--disk",
		       "d.img", "--memory", "2G", "--cpus", "4", "--transport", "mmio", "--console",
		       "virtio", "--log", "l", "--no-reboot", "--no-auto-args", "--no-unpack",
		       "--dry-run", "--verbose"),
		 0);
	CHECK_STR(line.cfg.kernel, "k");
	CHECK_STR(line.cfg.initrd, "i");
	CHECK_STR(line.cfg.append, "root=/dev/vda rw");
	CHECK_STR(line.cfg.disk[0].path, "d.img");
	CHECK_EQ(line.cfg.memory, 2ULL << 30);
	CHECK_EQ(line.cfg.cpus, 4);
	CHECK_EQ(line.cfg.transport, TRANSPORT_MMIO);
	CHECK_EQ(line.cfg.console, CONSOLE_VIRTIO);
	CHECK_STR(line.cfg.log_path, "l");
	CHECK(!line.cfg.is_reboot_allowed);
	CHECK(!line.cfg.is_auto_args);
	CHECK(!line.cfg.is_unpack_wanted);
	CHECK(line.cfg.is_dry_run);
	CHECK_EQ(line.cfg.verbose, 1);
}

static void test_long_options_with_equals(void)
{
	CHECK_EQ(PARSE("--kernel=k=1", "--append=root=/dev/vda", "--transport=pci",
		       "--console=serial"),
		 0);
	CHECK_STR(line.cfg.kernel, "k=1");
	CHECK_STR(line.cfg.append, "root=/dev/vda");
}

static void test_short_options(void)
{
	CHECK_EQ(PARSE("-k", "k", "-i", "i", "-a", "a b", "-d", "d", "-m", "64M", "-c", "2", "-n"),
		 0);
	CHECK_STR(line.cfg.initrd, "i");
	CHECK_STR(line.cfg.append, "a b");
	CHECK_STR(line.cfg.disk[0].path, "d");
	CHECK_EQ(line.cfg.memory, 64ULL << 20);
	CHECK_EQ(line.cfg.cpus, 2);
	CHECK(line.cfg.is_dry_run);
}

static void test_short_options_with_value_attached(void)
{
	CHECK_EQ(PARSE("-kbzImage", "-m64M", "-c2", "-vvv", "-vd=.img"), 0);
	CHECK_STR(line.cfg.kernel, "bzImage");
	CHECK_EQ(line.cfg.memory, 64ULL << 20);
	CHECK_EQ(line.cfg.cpus, 2);
	CHECK_EQ(line.cfg.verbose, 4);
	CHECK_STR(line.cfg.disk[0].path, "=.img");
}

static void test_append_may_be_empty_or_look_like_an_unknown_option(void)
{
	CHECK_EQ(PARSE("-k", "k", "--append", ""), 0);
	CHECK_STR(line.cfg.append, "");
	CHECK_EQ(PARSE("-k", "k", "--append", "-- single"), 0);
	CHECK_STR(line.cfg.append, "-- single");
	CHECK_EQ(PARSE("-k", "k", "--append=--help"), 0);
	CHECK_STR(line.cfg.append, "--help");
}

static void test_help_and_version_end_the_parse(void)
{
	CHECK_EQ(PARSE("--help", "--nonsense"), 0);
	CHECK_EQ(line.action, CONFIG_SHOW_HELP);
	CHECK_EQ(PARSE("-vh"), 0);
	CHECK_EQ(line.action, CONFIG_SHOW_HELP);
	CHECK_EQ(PARSE("--help", "pc"), 0);
	CHECK_EQ(line.action, CONFIG_SHOW_HELP_PC);
	CHECK_EQ(PARSE("--version"), 0);
	CHECK_EQ(line.action, CONFIG_SHOW_VERSION);
	CHECK_EQ(PARSE("--memory", "0", "--help"), -EINVAL);
}

static void test_failure_leaves_results_alone(void)
{
	struct config cfg = {.cpus = 77};
	enum config_action action = CONFIG_SHOW_VERSION;
	char *argv[] = {(char *)"tinyvm", (char *)"--cpus", NULL};

	CHECK_EQ(config_parse(2, argv, &cfg, &action, NULL), -EINVAL);
	CHECK_EQ(cfg.cpus, 77);
	CHECK_EQ(action, CONFIG_SHOW_VERSION);
}

static void test_no_arguments_at_all(void)
{
	char *argv[] = {NULL};

	CHECK_EQ(config_parse(0, argv, &line.cfg, &line.action, &line.err), -EINVAL);
	CHECK(strstr(line.err.msg, "--kernel"));
}

static void test_memory_units(void)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{"512M", 512ULL << 20},	  {"512m", 512ULL << 20},    {"512", 512ULL << 20},
		{"2G", 2ULL << 30},	  {"2GiB", 2ULL << 30},	     {"2gb", 2ULL << 30},
		{"1T", 1ULL << 40},	  {"524288K", 512ULL << 20}, {"1.5G", 3ULL << 29},
		{"1025K", 1028ULL << 10}, {"0.5G", 1ULL << 29},	     {"64T", 1ULL << 46},
		{"00016M", 16ULL << 20},  {"1M", 1ULL << 20},	     {"0.1G", 0x6667000},
	};

	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		CHECK_EQ(PARSE("-k", "k", "-m", good[i].text), 0);
		CHECK_EQ(line.cfg.memory, good[i].bytes);
	}
}

static void test_memory_that_is_no_size(void)
{
	static const char *const bad[] = {"lots",  "G",	    "1X",   "-1",   "+1",
					  "1G2",   "1..5G", "1.G",  ".5G",  "1 G",
					  "0x10M", "1Gi",   "1KBB", "1,5G", "1e3M"};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_EQ(PARSE("-k", "k", "-m", bad[i]), -EINVAL);
		CHECK(strstr(line.err.msg, "is not a size; write it like 512M or 2G"));
	}
	CHECK_REFUSED("--memory 'lots' is not a size; write it like 512M or 2G", "-k", "k", "-m",
		      "lots");
}

static void test_memory_out_of_range(void)
{
	CHECK_REFUSED("--memory 0 is too little: a PC has at least 1M, and Linux wants 32M or more",
		      "-k", "k", "-m", "0");
	CHECK_EQ(PARSE("-k", "k", "-m", "1023K"), -EINVAL);
	CHECK_REFUSED("--memory 65T is more than a guest can address, 64 TiB", "-k", "k", "-m",
		      "65T");
	CHECK_REFUSED("--memory 536870912 is more than a guest can address, 64 TiB (a number "
		      "without a unit counts MiB)",
		      "-k", "k", "-m", "536870912");
	CHECK_EQ(PARSE("-k", "k", "-m", "99999999999999999999999999G"), -EINVAL);
	CHECK_EQ(PARSE("-k", "k", "-m", "64.000001T"), -EINVAL);
}

static void test_cpus(void)
{
	CHECK_EQ(PARSE("-k", "k", "-c", "4096"), 0);
	CHECK_EQ(line.cfg.cpus, 4096);
	CHECK_REFUSED("--cpus 0 is out of range: 1 to 4096", "-k", "k", "-c", "0");
	CHECK_REFUSED("--cpus 4097 is out of range: 1 to 4096", "-k", "k", "-c", "4097");
	CHECK_REFUSED("--cpus 4294967297 is out of range: 1 to 4096", "-k", "k", "-c",
		      "4294967297");
	CHECK_REFUSED("--cpus '2,cores=2' is not a number; write how many, like --cpus 2", "-k",
		      "k", "-c", "2,cores=2");
	CHECK_REFUSED("--cpus '-1' is not a number; write how many, like --cpus 2", "-k", "k",
		      "--cpus", "-1");
}

static void test_disks(void)
{
	CHECK_EQ(PARSE("-k", "k", "-d", "a.img", "-d", "b,,c.img,ro", "--disk=c,id=data,ro"), 0);
	CHECK_EQ(line.cfg.disk_count, 3);
	CHECK_STR(line.cfg.disk[0].path, "a.img");
	CHECK(!line.cfg.disk[0].is_readonly);
	CHECK_STR(line.cfg.disk[0].id, "");
	CHECK_STR(line.cfg.disk[1].path, "b,c.img");
	CHECK(line.cfg.disk[1].is_readonly);
	CHECK_STR(line.cfg.disk[2].path, "c");
	CHECK(line.cfg.disk[2].is_readonly);
	CHECK_STR(line.cfg.disk[2].id, "data");
}

static void test_snapshots(void)
{
	CHECK_EQ(PARSE("-k", "k", "-d", "a", "-d", "b,snapshot", "-d", "c,id=x,snapshot",
		       "--tmpdir", "/var/tmp"),
		 0);
	CHECK(!line.cfg.disk[0].is_snapshot);
	CHECK(line.cfg.disk[1].is_snapshot);
	CHECK(!line.cfg.disk[1].is_readonly);
	CHECK(line.cfg.disk[2].is_snapshot);
	CHECK_STR(line.cfg.disk[2].id, "x");
	CHECK_STR(line.cfg.tmpdir, "/var/tmp");
	CHECK_EQ(PARSE("-k", "k", "-d", "a", "-d", "b,snapshot", "--keep-overlay=b.overlay"), 0);
	CHECK_STR(line.cfg.keep_overlay, "b.overlay");
}

static void test_snapshot_mistakes(void)
{
	CHECK_REFUSED("--disk a: ro and snapshot exclude each other; both leave the file as it is, "
		      "and with snapshot the guest can write",
		      "-k", "k", "-d", "a,snapshot,ro");
	CHECK_REFUSED("--keep-overlay o keeps what is written to one disk, and there is none with "
		      ",snapshot",
		      "-k", "k", "-d", "a", "--keep-overlay", "o");
	CHECK_REFUSED("--keep-overlay o keeps what is written to one disk, and there are several "
		      "with ,snapshot",
		      "-k", "k", "-d", "a,snapshot", "-d", "b,snapshot", "--keep-overlay", "o");
	CHECK_REFUSED("--tmpdir t is for disks with ,snapshot, and there is none", "-k", "k", "-d",
		      "a,ro", "--tmpdir", "t");
	CHECK_REFUSED("--tmpdir needs a value that is not empty, such as --tmpdir /var/tmp", "-k",
		      "k", "--tmpdir", "");
	CHECK_REFUSED("--keep-overlay is given twice; leave one of the two out", "-k", "k",
		      "--keep-overlay", "a", "--keep-overlay", "b");
	CHECK_REFUSED("unknown option -snapshot; did you mean --disk FILE,snapshot?", "-snapshot");
}

static void test_disk_commas(void)
{
	CHECK_EQ(PARSE("-k", "k", "-d", "a,,"), 0);
	CHECK_STR(line.cfg.disk[0].path, "a,");
	CHECK_EQ(PARSE("-k", "k", "-d", "a,,,ro"), 0);
	CHECK_STR(line.cfg.disk[0].path, "a,");
	CHECK(line.cfg.disk[0].is_readonly);
	CHECK_EQ(PARSE("-k", "k", "-d", ",,"), 0);
	CHECK_STR(line.cfg.disk[0].path, ",");
}

static void test_disk_ids(void)
{
	CHECK_EQ(PARSE("-k", "k", "-d", "a,id=12345678901234567890"), 0);
	CHECK_STR(line.cfg.disk[0].id, "12345678901234567890");
	CHECK_REFUSED("--disk a: id=123456789012345678901 has 21 characters, not 1 to 20", "-k",
		      "k", "-d", "a,id=123456789012345678901");
	CHECK_REFUSED("--disk a: id= has 0 characters, not 1 to 20", "-k", "k", "-d", "a,id=");
	CHECK_REFUSED("--disk a: its id= may hold only printable ASCII characters and no blank",
		      "-k", "k", "-d", "a,id=my disk");
	CHECK_REFUSED("--disk a and --disk b have the same id, x; give one of them another with "
		      ",id=NAME",
		      "-k", "k", "-d", "a,id=x", "-d", "b,id=x");
	CHECK_REFUSED("--disk a and --disk b have the same id, disk1; give one of them another "
		      "with ,id=NAME",
		      "-k", "k", "-d", "a,id=disk1", "-d", "b");
}

static void test_disk_mistakes(void)
{
	CHECK_REFUSED("--disk a: 'format=raw' is unknown; after the path may come ,ro or "
		      ",snapshot, ,id=NAME and ,chs=C/H/S (a comma in the path is written ,,)",
		      "-k", "k", "-d", "a,format=raw");
	CHECK_REFUSED("--disk a: '' is unknown; after the path may come ,ro or ,snapshot, ,id=NAME "
		      "and ,chs=C/H/S (a comma in the path is written ,,)",
		      "-k", "k", "-d", "a,");
	CHECK_REFUSED("--disk file=a,if=virtio: leave out file= (a path that begins so is written "
		      "./file=...)",
		      "-k", "k", "-d", "file=a,if=virtio");
	CHECK_REFUSED("--disk needs a path, such as --disk root.img", "-k", "k", "-d", ",ro");
}

static void test_too_many_disks(void)
{
	const char *args[2 * CONFIG_DISK_MAX + 5] = {"-k", "k"};

	for (unsigned i = 0; i < CONFIG_DISK_MAX; i++) {
		args[2 + 2 * i] = "-d";
		args[3 + 2 * i] = "a";
	}
	CHECK_EQ(parse_list(args), 0);
	CHECK_EQ(line.cfg.disk_count, CONFIG_DISK_MAX);
	args[2 * CONFIG_DISK_MAX + 2] = "-d";
	args[2 * CONFIG_DISK_MAX + 3] = "b";
	CHECK_EQ(parse_list(args), -EINVAL);
	CHECK_STR(line.err.msg, "there is room for 16 disks, and --disk b is one more");
}

static void test_choices(void)
{
	CHECK_REFUSED("--transport 'isa' is unknown; it is either pci or mmio", "-k", "k",
		      "--transport", "isa");
	CHECK_REFUSED("--console 'vga' is unknown; it is serial, virtio or screen", "-k", "k",
		      "--console=vga");
}

static void test_twice(void)
{
	CHECK_REFUSED("--memory is given twice; leave one of the two out", "-k", "k", "-m", "1G",
		      "--memory=2G");
	CHECK_REFUSED("--kernel is given twice; leave one of the two out", "-k", "k", "-k", "k");
	CHECK_REFUSED("--append is given twice; leave one of the two out", "-k", "k", "-a", "",
		      "-a", "x");
	CHECK_EQ(PARSE("-k", "k", "--no-reboot", "--no-reboot"), 0);
}

static void test_missing_value(void)
{
	CHECK_REFUSED("--memory needs a value, such as --memory 2G", "-k", "k", "--memory");
	CHECK_REFUSED("--append needs a value, such as --append \"root=/dev/vda rw\"", "-a");
	CHECK_REFUSED("--kernel needs a value, but --disk follows (if that is the value: "
		      "--kernel=--disk)",
		      "--kernel", "--disk", "a");
	CHECK_REFUSED("--kernel needs a value, but -d follows (if that is the value: --kernel=-d)",
		      "-k", "-d", "a");
	CHECK_REFUSED("--kernel needs a value that is not empty, such as --kernel "
		      "/boot/vmlinuz-$(uname -r)",
		      "--kernel=");
	CHECK_REFUSED("--log needs a value that is not empty, such as --log guest.log", "--log",
		      "");
	CHECK_REFUSED("--no-reboot takes no value; leave =yes out", "--no-reboot=yes");
}

static void test_unknown_option_names_the_nearest(void)
{
	static const char *const pairs[][2] = {
		{"--memroy", "--memory"},
		{"--kernl", "--kernel"},
		{"--mem", "--memory"},
		{"--ker", "--kernel"},
		{"--disc", "--disk"},
		{"--disks", "--disk"},
		{"--apend", "--append"},
		{"--no-rebot", "--no-reboot"},
		{"--noreboot", "--no-reboot"},
		{"--dryrun", "--dry-run"},
		{"--intird=x", "--initrd"},
		{"--verison", "--version"},
		{"--smp", "--cpus"},
		{"-smp", "--cpus"},
		{"-kernel", "--kernel"},
		{"-append", "--append"},
		{"-initrd", "--initrd"},
		{"-drive", "--disk"},
		{"-hda", "--disk"},
		{"-no-reboot", "--no-reboot"},
		{"-help", "--help"},
		{"-version", "--version"},
		{"-memory=1G", "--memory"},
		{"-cdrom", "--cdrom"},
		{"--cmdline", "--append"},
		{"-net", "--net"},
		{"-name", "--name"},
		{"--network", "--net"},
		{"--nets", "--net"},
		{"--pub", "--publish"},
		{"--publsih", "--publish"},
		{"--port", "--publish"},
		{"--tap", "--net tap=NAME"},
	};

	for (unsigned i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		char sentence[100];
		size_t len = strcspn(pairs[i][0], "=");
		snprintf(sentence, sizeof(sentence), "unknown option %.*s; did you mean %s?",
			 (int)len, pairs[i][0], pairs[i][1]);
		CHECK_REFUSED(sentence, pairs[i][0], "bzImage");
	}
}

static void test_unknown_option_of_other_vmms(void)
{
	CHECK_REFUSED("unknown option -nographic; leave it out: the guest's console is on this "
		      "terminal already",
		      "-nographic");
	CHECK_REFUSED("unknown option --cpu; the guest sees the host's processor, and --cpus says "
		      "how many",
		      "--cpu", "host");
	CHECK_REFUSED("unknown option -enable-kvm; leave it out: tinyvm always uses KVM",
		      "-enable-kvm");
	CHECK_REFUSED("unknown option -netdev; did you mean --net? It makes both ends: the card "
		      "and where it leads",
		      "-netdev", "user,id=n0");
}

static void test_unknown_option_near_nothing(void)
{
	CHECK_REFUSED("unknown option --frobnicate; tinyvm --help lists the options",
		      "--frobnicate=1");
	CHECK_REFUSED("unknown option -x; tinyvm --help lists the options", "-x");
	CHECK_REFUSED("unknown option -q in -vq; tinyvm --help lists the options", "-vq");
	CHECK_REFUSED("unknown option --; tinyvm --help lists the options", "--=");
	char huge[4000];
	memset(huge, '-', 2);
	memset(huge + 2, 'a', sizeof(huge) - 3);
	huge[sizeof(huge) - 1] = '\0';
	CHECK_EQ(PARSE(huge), -EINVAL);
	CHECK_EQ(PARSE(huge + 1), -EINVAL);
}

static void test_stray_words(void)
{
	CHECK_REFUSED("'bzImage' belongs to no option; did you mean --kernel bzImage?", "bzImage");
	CHECK_REFUSED("'root.img' belongs to no option; did you mean --disk root.img?", "root.img");
	CHECK_REFUSED("'cd.iso' belongs to no option; did you mean --cdrom cd.iso?", "cd.iso");
	CHECK_REFUSED("'x.qcow2' belongs to no option; did you mean --disk x.qcow2?", "-k", "k",
		      "-v", "x.qcow2");
	CHECK_REFUSED("'quiet' belongs to no option; to make it part of --append, put the whole "
		      "command line in quotes",
		      "-k", "k", "-a", "root=/dev/vda", "quiet");
	CHECK_REFUSED("'x' belongs to no option; tinyvm --help lists them", "-k", "k", "--", "x");
	CHECK_REFUSED("'-' belongs to no option; tinyvm --help lists them", "-k", "k", "-");
	CHECK_EQ(PARSE("-k", "k", "--"), 0);
}

static void test_shares(void)
{
	CHECK_EQ(PARSE("-k", "k", "--share", "/a:one", "--share=./b:c:two:ro", "--share", "d:3:rw"),
		 0);
	CHECK_EQ(line.cfg.share_count, 3);
	CHECK_STR(line.cfg.share[0].path, "/a");
	CHECK_STR(line.cfg.share[0].tag, "one");
	CHECK(!line.cfg.share[0].is_readonly);
	CHECK_STR(line.cfg.share[1].path, "./b:c");
	CHECK_STR(line.cfg.share[1].tag, "two");
	CHECK(line.cfg.share[1].is_readonly);
	CHECK_STR(line.cfg.share[2].tag, "3");
	CHECK(!line.cfg.share[2].is_readonly);
	CHECK_REFUSED("--share '/a' is not HOST:TAG, where TAG is what the guest mounts it by, "
		      "such as ./data:data",
		      "-k", "k", "--share", "/a");
	CHECK_REFUSED("--share '/a' is not HOST:TAG, where TAG is what the guest mounts it by, "
		      "such as ./data:data",
		      "-k", "k", "--share", "/a:ro");
	CHECK_REFUSED("--share /a:/mnt: a tag has 1 to 15 letters, digits, '.', '_' or '-'", "-k",
		      "k", "--share", "/a:/mnt");
	CHECK_REFUSED("--share /a:0123456789abcdef: a tag has 1 to 15 letters, digits, '.', '_' "
		      "or '-'",
		      "-k", "k", "--share", "/a:0123456789abcdef");
	CHECK_REFUSED("--share /a and --share /b have the same tag, x; give one of them another",
		      "-k", "k", "--share", "/a:x", "--share", "/b:x");
}

static void test_timeout(void)
{
	CHECK_EQ(PARSE("-k", "k"), 0);
	CHECK_EQ(line.cfg.timeout_ms, 0);
	CHECK_EQ(PARSE("-k", "k", "--timeout", "90"), 0);
	CHECK_EQ(line.cfg.timeout_ms, 90000);
	CHECK_EQ(PARSE("-k", "k", "--timeout=250ms"), 0);
	CHECK_EQ(line.cfg.timeout_ms, 250);
	CHECK_EQ(PARSE("-k", "k", "--timeout=8760h"), 0);
	CHECK_EQ(line.cfg.timeout_ms, 365ULL * 24 * 3600 * 1000);
	CHECK_EQ(PARSE("-k", "k", "--timeout=8761h"), -EINVAL);
	CHECK_REFUSED("--timeout '0' is no time; give seconds, or minutes as 5m, hours as 2h", "-k",
		      "k", "--timeout", "0");
	CHECK_REFUSED("--timeout '5 m' is no time; give seconds, or minutes as 5m, hours as 2h",
		      "-k", "k", "--timeout", "5 m");
}

static void test_nothing_to_boot(void)
{
	CHECK_REFUSED("nothing to boot: name a kernel with --kernel, such as this host's own, "
		      "--kernel /boot/vmlinuz-$(uname -r), or a PC's image with --disk, --floppy "
		      "or --cdrom; tinyvm --help lists the options",
		      "-m", "1G");
}

static void check_fits_one_screen(const char *p)
{
	unsigned lines = 0;

	for (; *p; lines++) {
		size_t len = strcspn(p, "\n");
		CHECK(len < 80);
		CHECK(p[len] == '\n');
		p += len + 1;
	}
	CHECK(lines <= 23); /* and the prompt below it */
}

static void test_help_fits_one_screen(void)
{
	check_fits_one_screen(config_help());
	check_fits_one_screen(config_help_pc());
}

static bool is_in_help(const char *text)
{
	return strstr(config_help(), text) || strstr(config_help_pc(), text);
}

static void test_help_names_every_option(void)
{
	for (unsigned i = 0; i < OPT_COUNT; i++) {
		char name[32];
		snprintf(name, sizeof(name), "--%s", config_options[i].name);
		CHECK(is_in_help(name));
		if (config_options[i].letter) {
			snprintf(name, sizeof(name), "-%c, --%s", config_options[i].letter,
				 config_options[i].name);
			CHECK(is_in_help(name));
		}
	}
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_defaults),
		TEST_CASE(test_long_options_with_next_word),
		TEST_CASE(test_long_options_with_equals),
		TEST_CASE(test_short_options),
		TEST_CASE(test_short_options_with_value_attached),
		TEST_CASE(test_append_may_be_empty_or_look_like_an_unknown_option),
		TEST_CASE(test_help_and_version_end_the_parse),
		TEST_CASE(test_failure_leaves_results_alone),
		TEST_CASE(test_no_arguments_at_all),
		TEST_CASE(test_memory_units),
		TEST_CASE(test_memory_that_is_no_size),
		TEST_CASE(test_memory_out_of_range),
		TEST_CASE(test_cpus),
		TEST_CASE(test_disks),
		TEST_CASE(test_snapshots),
		TEST_CASE(test_snapshot_mistakes),
		TEST_CASE(test_disk_commas),
		TEST_CASE(test_disk_ids),
		TEST_CASE(test_disk_mistakes),
		TEST_CASE(test_too_many_disks),
		TEST_CASE(test_choices),
		TEST_CASE(test_twice),
		TEST_CASE(test_missing_value),
		TEST_CASE(test_unknown_option_names_the_nearest),
		TEST_CASE(test_unknown_option_of_other_vmms),
		TEST_CASE(test_unknown_option_near_nothing),
		TEST_CASE(test_stray_words),
		TEST_CASE(test_shares),
		TEST_CASE(test_timeout),
		TEST_CASE(test_nothing_to_boot),
		TEST_CASE(test_help_fits_one_screen),
		TEST_CASE(test_help_names_every_option),
	};
	return TEST_RUN(cases);
}
