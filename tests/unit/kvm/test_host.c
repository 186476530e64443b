/* What the user is told when /dev/kvm is not what it should be. */
#include "test.h"
#include "vm.h"

#include <tinyvm/err.h>

static void test_missing_device_says_what_to_load(void)
{
	struct err err = {0};
	CHECK_EQ(host_open("/nonexistent/kvm", &err), (uint64_t)-ENOENT);
	CHECK_STR(err.msg, "there is no /nonexistent/kvm: load kvm_intel or kvm_amd (modprobe), or "
			   "enable virtualization in the firmware");
}

static void test_no_permission_names_the_group(void)
{
	struct err err = {0};
	CHECK_EQ(host_open_failed("/dev/kvm", EACCES, &err), (uint64_t)-EACCES);
	CHECK_STR(err.msg, "no permission to open /dev/kvm: add yourself to group kvm (sudo "
			   "usermod -aG kvm $USER) and log in again");
}

static void test_busy_device_names_the_other_hypervisor(void)
{
	struct err err = {0};
	CHECK_EQ(host_open_failed("/dev/kvm", EBUSY, &err), (uint64_t)-EBUSY);
	CHECK_STR(err.msg, "/dev/kvm is in use by another hypervisor: stop that one first");
}

static void test_other_device_is_not_kvm(void)
{
	struct err err = {0};
	CHECK_EQ(host_open("/dev/null", &err), (uint64_t)-ENOTTY);
	CHECK_STR(err.msg, "/dev/null is not the KVM device");
}

static void test_directory_is_refused(void)
{
	struct err err = {0};
	CHECK_EQ(host_open("/tmp", &err), (uint64_t)-EISDIR);
	CHECK_STR(err.msg, "cannot open /tmp: Is a directory");
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_missing_device_says_what_to_load),
		TEST_CASE(test_no_permission_names_the_group),
		TEST_CASE(test_busy_device_names_the_other_hypervisor),
		TEST_CASE(test_other_device_is_not_kvm),
		TEST_CASE(test_directory_is_refused),
	};
	return TEST_RUN(cases);
}
