/* The command line of the PC: drives, clock, steps; and the sentence for each mistake. */
#include "config_line.h"
#include "test.h"

static void test_a_pc_is_what_has_no_kernel(void)
{
	CHECK_EQ(PARSE("-d", "a.img"), 0);
	CHECK(line.cfg.is_pc);
	CHECK(!line.cfg.kernel);
	CHECK_EQ(line.cfg.console, CONSOLE_SCREEN);
	CHECK_STR(line.cfg.legacy.boot, "acd");
	CHECK_EQ(line.cfg.legacy.profile, PROFILE_AUTO);
	CHECK(!line.cfg.legacy.has_rtc);
	CHECK(!line.cfg.legacy.bios);
	CHECK_EQ(line.cfg.legacy.step_count, 0);
	CHECK(!line.cfg.is_memory_given);
	CHECK_EQ(PARSE("-d", "a.img", "--console", "serial", "-m", "4M"), 0);
	CHECK(line.cfg.is_pc);
	CHECK_EQ(line.cfg.console, CONSOLE_SERIAL);
	CHECK(line.cfg.is_memory_given);
}

static void test_a_kernel_on_a_pc(void)
{
	CHECK_EQ(PARSE("-k", "memtest", "--console", "screen"), 0);
	CHECK(line.cfg.is_pc);
	CHECK_EQ(PARSE("-k", "k", "--floppy", "f"), 0);
	CHECK(line.cfg.is_pc);
	CHECK_EQ(line.cfg.console, CONSOLE_SCREEN);
	CHECK_EQ(PARSE("-k", "k", "-d", "d"), 0);
	CHECK(!line.cfg.is_pc);
	CHECK_EQ(line.cfg.console, CONSOLE_SERIAL);
}

static void test_drives(void)
{
	CHECK_EQ(PARSE("--floppy", "a,,b.img,ro", "--floppy=b,snapshot", "--cdrom", "c.iso", "-d",
		       "d,snapshot,chs=615/4/17", "--boot", "dc", "--bios", "bios.bin"),
		 0);
	CHECK_EQ(line.cfg.floppy_count, 2);
	CHECK_STR(line.cfg.floppy[0].path, "a,b.img");
	CHECK(line.cfg.floppy[0].is_readonly);
	CHECK(line.cfg.floppy[1].is_snapshot);
	CHECK_EQ(line.cfg.cdrom_count, 1);
	CHECK_STR(line.cfg.cdrom[0].path, "c.iso");
	CHECK(line.cfg.cdrom[0].is_readonly);
	CHECK_EQ(line.cfg.disk[0].geometry.cylinders, 615);
	CHECK_EQ(line.cfg.disk[0].geometry.heads, 4);
	CHECK_EQ(line.cfg.disk[0].geometry.sectors, 17);
	CHECK_STR(line.cfg.legacy.boot, "dc");
	CHECK_STR(line.cfg.legacy.bios, "bios.bin");
}

static void test_drive_mistakes(void)
{
	CHECK_REFUSED("there are two floppy drives, and --floppy c is one more", "--floppy", "a",
		      "--floppy", "b", "--floppy", "c");
	CHECK_REFUSED("there is one CD drive, and --cdrom b is one more", "--cdrom", "a", "--cdrom",
		      "b");
	CHECK_REFUSED("a PC has room for 4 disks and CDs, and there are 5", "-d", "a", "-d", "b",
		      "-d", "c", "-d", "d", "--cdrom", "e");
	CHECK_REFUSED("--floppy a: 'id=x' is unknown; after the path may come ,ro or ,snapshot (a "
		      "comma in the path is written ,,)",
		      "--floppy", "a,id=x");
	CHECK_REFUSED("--cdrom a: ro and snapshot exclude each other; both leave the file as it "
		      "is, and with snapshot the guest can write",
		      "--cdrom", "a,ro,snapshot");
	CHECK_REFUSED("--boot 'abc' is no order; it has the letters a (floppy), c (disk) and d "
		      "(CD), each at most once, such as cad",
		      "-d", "a", "--boot", "abc");
	CHECK_EQ(PARSE("-d", "a", "--boot", "acda"), -EINVAL);
	CHECK_EQ(PARSE("-d", "a", "--boot", "aa"), -EINVAL);
}

static void test_geometry(void)
{
	CHECK_EQ(PARSE("--geometry", "1024,255,63", "-d", "a", "-d", "b"), 0);
	CHECK_EQ(line.cfg.disk[0].geometry.cylinders, 1024);
	CHECK_EQ(line.cfg.disk[1].geometry.cylinders, 0);
	static const char *const bad[] = {"1",	     "1,2",    "1,2,3,4",   "0,16,63", "1025,1,1",
					  "1,256,1", "1,1,64", "1/2/3",	    "-1,2,3",  "1,2,",
					  " 1,2,3",  "1,1,0",  "99999,1,1", "1,0,1"};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_EQ(PARSE("-d", "a", "--geometry", bad[i]), -EINVAL);
	CHECK_REFUSED("--geometry '0,1,1' is none; write cylinders (to 1024), heads (to 255) and "
		      "sectors (to 63), such as 615,4,17",
		      "--geometry", "0,1,1");
	CHECK_REFUSED("--disk a: 'chs=1/2/64' is no geometry; write cylinders (to 1024), heads (to "
		      "255) and sectors (to 63), such as chs=615/4/17",
		      "-d", "a,chs=1/2/64");
}

static void test_geometry_is_of_one_disk(void)
{
	CHECK_REFUSED("--geometry is for a disk, and there is none", "--floppy", "a", "--geometry",
		      "1,2,3");
	CHECK_REFUSED("--geometry and ,chs= are both there for the first disk; leave one of the "
		      "two out",
		      "-d", "a,chs=1/2/3", "--geometry", "1,2,3");
}

static void test_clock(void)
{
	CHECK_EQ(PARSE("-d", "a", "--rtc", "1999-12-31T23:59:50"), 0);
	CHECK(line.cfg.legacy.has_rtc);
	CHECK_EQ(line.cfg.legacy.rtc_s, 946684790);
	CHECK_EQ(PARSE("-d", "a", "--rtc", "1980-01-01"), 0);
	CHECK_EQ(line.cfg.legacy.rtc_s, 315532800);
	CHECK_EQ(PARSE("-k", "k", "--rtc", "2000-02-29 00:01"), 0);
	CHECK_EQ(line.cfg.legacy.rtc_s, 951782460);
	static const char *const bad[] = {
		"1999",
		"1999-02-29",
		"1999-13-01",
		"1999-00-01",
		"1999-01-00",
		"1969-12-31",
		"2100-01-01",
		"1999-12-31T24:00",
		"1999-12-31T23:60",
		"1999-12-31T23:59:60",
		"1999-12-31T23",
		"1999-12-31T",
		"1999-12-31T23:59:50Z",
		"1999-12-31 ",
		"31.12.1999",
	};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_EQ(PARSE("-d", "a", "--rtc", bad[i]), -EINVAL);
	CHECK_REFUSED("--rtc 'now' is no time from 1970 to 2099; write it like "
		      "1999-12-31T23:59:50",
		      "-d", "a", "--rtc", "now");
}

static void test_profiles(void)
{
	for (unsigned i = 0; i < PROFILE_COUNT; i++) {
		CHECK_EQ(PARSE("-d", "a", "--profile", config_profile_names[i]), 0);
		CHECK_EQ(line.cfg.legacy.profile, i);
	}
	CHECK_REFUSED("--profile 'DOS' is unknown; it is auto, dos, win9x, nt4, linux-2.4, bsd, "
		      "xv6 or modern",
		      "-d", "a", "--profile", "DOS");
}

static void test_steps_in_their_order(void)
{
	CHECK_EQ(PARSE("--expect-screen", "^A>", "--type", "dir\\n", "--step-timeout", "5m",
		       "--key", "ctrl-alt-del", "--expect", "login: $", "-d", "a", "--timeout",
		       "1h", "--screenshot", "s.png", "--screen-text", "s.txt"),
		 0);
	const struct config_legacy *legacy = &line.cfg.legacy;
	CHECK_EQ(legacy->step_count, 4);
	CHECK_EQ(legacy->step[0].kind, STEP_EXPECT_SCREEN);
	CHECK_STR(legacy->step[0].text, "^A>");
	CHECK_EQ(legacy->step[0].limit_ms, 60000);
	CHECK_EQ(legacy->step[1].kind, STEP_TYPE);
	CHECK_STR(legacy->step[1].text, "dir\n");
	CHECK_EQ(legacy->step[1].limit_ms, 60000);
	CHECK_EQ(legacy->step[2].kind, STEP_KEY);
	CHECK_STR(legacy->step[2].text, "ctrl-alt-del");
	CHECK_EQ(legacy->step[2].limit_ms, 300000);
	CHECK_EQ(legacy->step[3].kind, STEP_EXPECT);
	CHECK_EQ(line.cfg.timeout_ms, 3600000);
	CHECK_STR(legacy->screenshot, "s.png");
	CHECK_STR(legacy->screen_text, "s.txt");
}

static void test_typed_escapes(void)
{
	CHECK_EQ(PARSE("-d", "a", "--type", "\\\\a\\tb\\e\\r\\x03\\x1B\\b\\\"\xc3\xa4"), 0);
	CHECK_STR(line.cfg.legacy.step[0].text, "\\a\tb\033\r\003\033\b\"\xc3\xa4");
	CHECK_REFUSED("--type: '\\q' is unknown; there are \\n (Enter), \\t, \\b, \\e (Esc), \\xHH "
		      "and \\\\",
		      "-d", "a", "--type", "a\\q");
	CHECK_EQ(PARSE("-d", "a", "--type", "a\\"), -EINVAL);
	CHECK_EQ(PARSE("-d", "a", "--type", "\\x0"), -EINVAL);
	CHECK_EQ(PARSE("-d", "a", "--type", "\\x00"), -EINVAL);
}

static void test_text_that_no_key_types(void)
{
	CHECK_REFUSED("--type: no key types '\xe2\x82\xac'; a PC knows the characters of code page "
		      "437",
		      "-d", "a", "--type", "1 \xe2\x82\xac");
	CHECK_EQ(PARSE("-d", "a", "--type", "\\xff"), -EINVAL);
	/* Bytes on a serial line are what they are. */
	CHECK_EQ(PARSE("-d", "a", "--console", "serial", "--type", "\\xff\xe2\x82\xac"), 0);
}

/* What a kernel is shows only when it is looked at: then its machine may become a PC. */
static void test_a_kernel_that_turns_out_to_need_a_pc_is_typed_to(void)
{
	CHECK_EQ(PARSE("-k", "k", "--type", "a\xc3"), 0);
	CHECK(!line.cfg.is_pc);
	CHECK_EQ(config_make_pc(&line.cfg, &line.err), -EINVAL);
	CHECK_STR(line.err.msg,
		  "--type: no key types '\xc3'; a PC knows the characters of code page "
		  "437");
	CHECK_EQ(PARSE("-k", "k", "--type", "a\xc3", "--console", "serial"), 0);
	CHECK_EQ(config_make_pc(&line.cfg, &line.err), 0);
	CHECK_EQ(PARSE("-k", "k", "--type", "\xc3\xa9"), 0);
	CHECK_EQ(config_make_pc(&line.cfg, &line.err), 0);
	CHECK_EQ(line.cfg.console, CONSOLE_SCREEN);
}

static void test_bad_steps(void)
{
	CHECK_EQ(PARSE("-d", "a", "--expect-screen", "a(b"), -EINVAL);
	CHECK(strstr(line.err.msg, "--expect-screen 'a(b' is no regular expression: "));
	CHECK_EQ(PARSE("-d", "a", "--expect", "[z-a]"), -EINVAL);
	CHECK_REFUSED("--key 'ctrl-x-y' is on no keyboard; keys are called like f8, ctrl-alt-del, "
		      "alt-x, esc, enter, up, a",
		      "-d", "a", "--key", "ctrl-x-y");
}

static void test_what_needs_a_pc(void)
{
	CHECK_REFUSED("--expect-screen is for a PC with a screen; with --kernel, add --console "
		      "screen",
		      "-k", "k", "--expect-screen", "x");
	CHECK_EQ(PARSE("-k", "k", "--profile", "dos"), -EINVAL);
	CHECK_EQ(PARSE("-k", "k", "--screenshot", "s.png"), -EINVAL);
	CHECK_EQ(PARSE("-k", "k", "--key", "a"), -EINVAL);
	CHECK_EQ(PARSE("-k", "k", "-d", "a", "--geometry", "1,2,3"), -EINVAL);
	CHECK_EQ(PARSE("-k", "k", "--expect", "x", "--type", "y"), 0);
	CHECK_EQ(PARSE("-k", "k", "--console", "screen", "--key", "a", "--profile", "dos"), 0);
}

static void test_what_a_pc_cannot_have(void)
{
	CHECK_REFUSED("--append is for a kernel, and there is no --kernel: a PC's image brings its "
		      "own",
		      "-d", "a", "--append", "quiet");
	CHECK_EQ(PARSE("-d", "a", "--initrd", "i"), -EINVAL);
	CHECK_REFUSED("--console virtio is for --kernel; a PC's console is screen or serial", "-d",
		      "a", "--console", "virtio");
	CHECK_REFUSED("--bios and --kernel exclude each other: a kernel is started without "
		      "firmware",
		      "-k", "k", "--console", "screen", "--bios", "b");
	CHECK_EQ(PARSE("--bios", "b"), 0);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_a_pc_is_what_has_no_kernel),
		TEST_CASE(test_a_kernel_on_a_pc),
		TEST_CASE(test_drives),
		TEST_CASE(test_drive_mistakes),
		TEST_CASE(test_geometry),
		TEST_CASE(test_geometry_is_of_one_disk),
		TEST_CASE(test_clock),
		TEST_CASE(test_profiles),
		TEST_CASE(test_steps_in_their_order),
		TEST_CASE(test_typed_escapes),
		TEST_CASE(test_text_that_no_key_types),
		TEST_CASE(test_a_kernel_that_turns_out_to_need_a_pc_is_typed_to),
		TEST_CASE(test_bad_steps),
		TEST_CASE(test_what_needs_a_pc),
		TEST_CASE(test_what_a_pc_cannot_have),
	};
	return TEST_RUN(cases);
}
