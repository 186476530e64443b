/*
 * /dev/kvm itself: opening it, and what it says it can do. Nothing else about the host is asked:
 * CPU flags tell little where KVM is paravirtual or nested.
 */
#include "cpuid.h"
#include "vm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <tinyvm/err.h>
#include <unistd.h>

#define HOST_API_VERSION 12
#define HOST_CPUID_MAX	 4096

static const struct {
	int cap;
	const char *name;
} host_needs[] = {
	{KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY"},
	{KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID"},
	{KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP"},
	{KVM_CAP_PIT2, "KVM_CAP_PIT2"},
	{KVM_CAP_IRQ_ROUTING, "KVM_CAP_IRQ_ROUTING"},
	{KVM_CAP_IRQFD, "KVM_CAP_IRQFD"},
	{KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD"},
	{KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR"},
	{KVM_CAP_SET_IDENTITY_MAP_ADDR, "KVM_CAP_SET_IDENTITY_MAP_ADDR"},
	{KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT"},
};

int host_open_failed(const char *path, int error, struct err *err)
{
	switch (error) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return err_set(err, -error,
			       "there is no %s: load kvm_intel or kvm_amd (modprobe), or enable "
			       "virtualization in the firmware",
			       path);
	case EACCES:
	case EPERM:
		return err_set(err, -error,
			       "no permission to open %s: add yourself to group kvm (sudo usermod "
			       "-aG kvm $USER) and log in again",
			       path);
	case EBUSY:
		return err_set(err, -error,
			       "%s is in use by another hypervisor: stop that one first", path);
	default:
		return err_set(err, -error, "cannot open %s: %s", path, strerror(error));
	}
}

int host_open(const char *path, struct err *err)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return host_open_failed(path, errno, err);
	int version = ioctl(fd, KVM_GET_API_VERSION, 0);
	if (version == HOST_API_VERSION)
		return fd;
	close(fd);
	if (version < 0)
		return err_set(err, -ENOTTY, "%s is not the KVM device", path);
	return err_set(err, -EPROTO,
		       "%s speaks KVM API version %d, not %d: the host kernel is too old", path,
		       version, HOST_API_VERSION);
}

int host_check_caps(int host_fd, struct err *err)
{
	for (unsigned i = 0; i < sizeof(host_needs) / sizeof(host_needs[0]); i++) {
		if (ioctl(host_fd, KVM_CHECK_EXTENSION, host_needs[i].cap) <= 0)
			return err_set(err, -ENOTSUP,
				       "this host's KVM lacks %s: it needs a newer or differently "
				       "configured kernel",
				       host_needs[i].name);
	}
	return 0;
}

int host_cpuid(int host_fd, struct kvm_cpuid2 **ret_cpuid, struct err *err)
{
	for (unsigned count = 128; count <= HOST_CPUID_MAX; count *= 2) {
		struct kvm_cpuid2 *c =
			calloc(1, sizeof(*c) + (count + CPUID_ROOM) * sizeof(c->entries[0]));
		if (!c)
			return err_set(err, -ENOMEM, "out of memory for the CPUID table");
		c->nent = count;
		if (ioctl(host_fd, KVM_GET_SUPPORTED_CPUID, c) == 0) {
			*ret_cpuid = c;
			return 0;
		}
		int error = errno;
		free(c);
		if (error != E2BIG)
			return err_set(err, -error, "KVM does not tell its CPUID: %s",
				       strerror(error));
	}
	return err_set(err, -E2BIG, "KVM's CPUID table has more than %d entries", HOST_CPUID_MAX);
}

int kvm_max_cpus(struct err *err)
{
	int fd = host_open("/dev/kvm", err);
	if (fd < 0)
		return fd;
	int max = ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
	close(fd);
	/* Kernels without the extension allow four (Documentation/virt/kvm/api.rst, 4.7). */
	return max > 0 ? max : 4;
}
