/*
 * The kernel command line: what tinyvm adds to the user's. Besides where the console and the root
 * are, and how to end, it leaves out what costs most of a start and has nothing to find: the search
 * of all PCI buses for AGP bridges and faulty chipsets (pci=noearly; on an AMD, 16384 exits), and
 * the ciphers' tests of themselves (cryptomgr.notests).
 */
#include "cmdline.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/boot.h>
#include <tinyvm/config.h>
#include <tinyvm/log.h>
#include <unistd.h>

const char *cmdline_get(const char *cmdline, const char *name, size_t *ret_len)
{
	size_t len = strlen(name);
	const char *p = cmdline;
	while (*p) {
		p += strspn(p, " \t\n");
		size_t word = strcspn(p, " \t\n");
		if (word == 2 && memcmp(p, "--", 2) == 0)
			return NULL; /* the rest is init's */
		if (word >= len && memcmp(p, name, len) == 0 && (word == len || p[len] == '=')) {
			size_t skip = word == len ? len : len + 1;
			*ret_len = word - skip;
			return p + skip;
		}
		p += word;
	}
	return NULL;
}

bool cmdline_has(const char *cmdline, const char *name)
{
	size_t len;
	return cmdline_get(cmdline, name, &len) != NULL;
}

static int64_t cmdline_read_disk(void *ctx, void *buf, size_t len, uint64_t offset)
{
	const int *fd = ctx;
	ssize_t n = pread(*fd, buf, len, (off_t)offset);
	return n < 0 ? -errno : n;
}

bool cmdline_identify_root(const struct config *cfg, struct boot_root *ret_root)
{
	if (!cfg->is_auto_args || cfg->initrd || cfg->initrd_data || cfg->disk_count == 0 ||
	    cmdline_has(cfg->append, "root"))
		return false;

	const char *path = cfg->disk[0].path;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	int error = size < 0 ? -errno
			     : boot_root_find(cmdline_read_disk, &fd, (uint64_t)size, ret_root);
	if (fd >= 0)
		close(fd);
	if (error == -ENOTUNIQ)
		log_warn("%s: several Linux partitions; say which with --append root=/dev/vdaN",
			 path);
	else if (error)
		log_info("%s: no root file system found; say which with --append root=...", path);
	return error == 0;
}

bool cmdline_find_root(const struct config *cfg, char ret_suffix[4])
{
	struct boot_root root;
	bool is_found = cmdline_identify_root(cfg, &root);
	if (is_found)
		memcpy(ret_suffix, root.suffix, sizeof(root.suffix));
	return is_found;
}

static void cmdline_add(FILE *out, const char *user, const char *name, const char *value)
{
	if (!cmdline_has(user, name))
		fprintf(out, "%s=%s ", name, value);
}

char *cmdline_copy(const struct config *cfg)
{
	return strdup(cfg->append);
}

char *cmdline_build(const struct config *cfg, const char *root_suffix)
{
	char *line = NULL;
	size_t len;
	FILE *out = open_memstream(&line, &len);
	if (!out)
		return NULL;

	if (cfg->is_auto_args) {
		const char *user = cfg->append;
		cmdline_add(out, user, "console",
			    cfg->console == CONSOLE_VIRTIO   ? "hvc0"
			    : cfg->console == CONSOLE_SCREEN ? "tty0"
							     : "ttyS0");
		cmdline_add(out, user, "panic", "-1");
		cmdline_add(out, user, "reboot", "k");
		cmdline_add(out, user, "pci", "noearly");
		if (!cmdline_has(user, "cryptomgr.notests"))
			fputs("cryptomgr.notests ", out);
		if (root_suffix && !cmdline_has(user, "root")) {
			fprintf(out, "root=/dev/%s%s ", cfg->is_pc ? "sda" : "vda", root_suffix);
			if (!cmdline_has(user, "ro") && !cmdline_has(user, "rw"))
				fputs(cfg->disk[0].is_readonly ? "ro " : "rw ", out);
		}
	}
	fputs(cfg->append, out);
	if (fclose(out) != 0) {
		free(line);
		return NULL;
	}
	if (len && line[len - 1] == ' ')
		line[len - 1] = '\0';
	return line;
}
