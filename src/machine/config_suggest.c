/*
 * What to say about an option that tinyvm has not: the nearest one that it has, or where the habits
 * of other virtual machine monitors lead to.
 */
#include <errno.h>
#include <string.h>
#include <tinyvm/err.h>

#include "config_parts.h"

#define NAME_MAX_LEN 24

/* Names that QEMU, kvmtool, Firecracker, Cloud Hypervisor and virtme-ng use for the same thing. */
static const struct {
	const char *name;
	const char *hint;
} config_foreign_names[] = {
	{"smp", "did you mean --cpus?"},
	{"vcpus", "did you mean --cpus?"},
	{"mem", "did you mean --memory?"},
	{"ram", "did you mean --memory?"},
	{"cmdline", "did you mean --append?"},
	{"params", "did you mean --append?"},
	{"initramfs", "did you mean --initrd?"},
	{"hda", "did you mean --disk?"},
	{"hdb", "did you mean --disk?"},
	{"drive", "did you mean --disk?"},
	{"blockdev", "did you mean --disk?"},
	{"fda", "did you mean --floppy?"},
	{"fdb", "did you mean --floppy?"},
	{"iso", "did you mean --cdrom?"},
	{"firmware", "did you mean --bios?"},
	{"sendkey", "did you mean --key?"},
	{"snapshot", "did you mean --disk FILE,snapshot?"},
	{"virtio-transport", "did you mean --transport?"},
	{"nographic", "leave it out: the guest's console is on this terminal already"},
	{"display", "leave it out: the guest's console is on this terminal already"},
	{"vga", "leave it out: the guest's console is on this terminal already"},
	{"serial", "leave it out: the guest's serial port is on this terminal already"},
	{"chardev", "leave it out: the guest's console is on this terminal already"},
	{"monitor", "leave it out: Ctrl-A h in the running machine lists what can be done to it"},
	{"enable-kvm", "leave it out: tinyvm always uses KVM"},
	{"accel", "leave it out: tinyvm always uses KVM"},
	{"machine", "leave it out: there is one machine, and --transport mmio makes it one "
		    "without PCI devices"},
	{"cpu", "the guest sees the host's processor, and --cpus says how many"},
	{"device", "--disk, --net, --console and --transport say which devices the guest gets"},
	{"nic", "did you mean --net? It makes both ends: the card and where it leads"},
	{"netdev", "did you mean --net? It makes both ends: the card and where it leads"},
	{"network", "did you mean --net?"},
	{"tap", "did you mean --net tap=NAME?"},
	{"tap-name", "did you mean --net tap=NAME?"},
	{"mac", "did you mean --net user,mac=ADDRESS?"},
	{"port", "did you mean --publish?"},
	{"hostfwd", "did you mean --publish?"},
	{"redir", "did you mean --publish?"},
	{"forward", "did you mean --publish?"},
	{"virtfs", "did you mean --share?"},
	{"fsdev", "did you mean --share?"},
	{"9p", "did you mean --share?"},
	{"fs", "did you mean --share?"},
	{"shared-dir", "did you mean --share?"},
	{"nodefaults", "leave it out: the guest gets only what it was given"},
	{"rng", "leave it out: every guest has a virtio-rng"},
};

const char *config_foreign(const char *name)
{
	for (size_t i = 0; i < sizeof(config_foreign_names) / sizeof(config_foreign_names[0]); i++)
		if (strcmp(config_foreign_names[i].name, name) == 0)
			return config_foreign_names[i].hint;
	return NULL;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/*
 * How many letters have to be put in, left out, changed or swapped with their neighbour (optimal
 * string alignment). Both at most NAME_MAX_LEN long.
 */
static unsigned config_distance(const char *a, size_t a_len, const char *b)
{
	unsigned row[3][NAME_MAX_LEN + 1]; /* of the table of distances: two back, last, this */
	size_t b_len = strlen(b);
	unsigned *older = row[0];
	unsigned *last = row[1];
	unsigned *now = row[2];

	memset(row, 0, sizeof(row));
	for (size_t j = 0; j <= b_len; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			bool is_same = a[i - 1] == b[j - 1];
			now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + !is_same);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    older[j - 2] + 1 < now[j])
				now[j] = older[j - 2] + 1;
		}
		unsigned *free_row = older;
		older = last;
		last = now;
		now = free_row;
	}
	return last[b_len];
}

const char *config_nearest(const char *name, size_t len, const char *(*option)(unsigned i))
{
	const char *nearest = NULL, *candidate;
	unsigned nearest_distance = 4;

	if (len < 2 || len > NAME_MAX_LEN)
		return NULL;
	for (unsigned i = 0; (candidate = option(i)); i++) {
		unsigned distance = config_distance(name, len, candidate);

		/* The beginning of a name is near it; else a third of it may be wrong. */
		if (strncmp(name, candidate, len) == 0)
			distance = 1;
		else if (distance * 3 > strlen(candidate) + 2)
			continue;
		if (distance < nearest_distance) {
			nearest = candidate;
			nearest_distance = distance;
		}
	}
	return nearest;
}

int config_refuse_option(const char *command, const char *arg, const char *(*option)(unsigned i),
			 const char *lists, struct err *err)
{
	const char *name = arg + 2;
	const char *near = arg[1] == '-' ? config_nearest(name, strcspn(name, "="), option) : NULL;
	if (near)
		return err_set(err, -EINVAL, "%s: unknown option %.80s; did you mean --%s?",
			       command, arg, near);
	return err_set(err, -EINVAL, "%s: unknown option %.80s; %s the options", command, arg,
		       lists);
}
