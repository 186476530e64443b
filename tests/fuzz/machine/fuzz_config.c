/* The command line's parser on any bytes, each argument ended by a NUL. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/config.h>
#include <tinyvm/err.h>
#include <tinyvm/gmem.h>

#define ARGS_MAX 80

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_check_net(const struct config *cfg)
{
	bool has_user = false;

	if (cfg->net_count > CONFIG_NET_MAX || cfg->forward_count > CONFIG_FORWARD_MAX)
		abort();
	for (unsigned i = 0; i < cfg->net_count; i++) {
		const struct config_net *net = &cfg->net[i];
		has_user |= net->kind == CONFIG_NET_USER;
		if ((net->has_mac && (net->mac[0] & 1)) || (net->mtu && net->mtu < 68) ||
		    net->queues < 1 || net->queues > NETIF_QUEUES_MAX ||
		    (net->kind == CONFIG_NET_FD) != (net->fd > 2) ||
		    (net->kind == CONFIG_NET_SOCKET) != (net->path != NULL) ||
		    (net->tap && strlen(net->tap) > 15) || (net->bridge && !*net->bridge) ||
		    (net->pcap_path && !*net->pcap_path))
			abort();
	}
	for (unsigned i = 0; i < cfg->forward_count; i++)
		if (!has_user || !*cfg->forward[i].addr || !cfg->forward[i].host_port ||
		    !cfg->forward[i].guest_port)
			abort();
	if (cfg->name && (!*cfg->name || strlen(cfg->name) > 64))
		abort();
}

static void fuzz_check_disks(const struct config *cfg)
{
	unsigned snapshots = 0;

	for (unsigned i = 0; i < cfg->disk_count; i++) {
		const struct config_disk *disk = &cfg->disk[i];
		snapshots += disk->is_snapshot;
		if (!*disk->path || strlen(disk->id) > 20 ||
		    (disk->is_snapshot && disk->is_readonly))
			abort();
	}
	if ((cfg->keep_overlay && (snapshots != 1 || !*cfg->keep_overlay)) ||
	    (cfg->tmpdir && (!snapshots || !*cfg->tmpdir)))
		abort();
}

static void fuzz_check(const struct config *cfg)
{
	bool has_image = cfg->disk_count || cfg->floppy_count || cfg->cdrom_count;
	if (!cfg->kernel && (!cfg->is_pc || !has_image))
		abort();
	if (cfg->is_pc && cfg->disk_count + cfg->cdrom_count > CONFIG_IDE_MAX)
		abort();
	if (cfg->cpus < 1 || cfg->cpus > 4096 || cfg->memory == 0 || cfg->memory % 4096 != 0 ||
	    cfg->memory > GMEM_SIZE_MAX || cfg->disk_count > CONFIG_DISK_MAX)
		abort();
	fuzz_check_disks(cfg);
	fuzz_check_net(cfg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *argv[ARGS_MAX + 2] = {(char *)"tinyvm"};
	int argc = 1;

	/* Each argument in an allocation of its own size, so that ASan sees a byte read past it. */
	while (size > 0 && argc <= ARGS_MAX) {
		size_t len = strnlen((const char *)data, size);
		argv[argc] = strndup((const char *)data, len);
		if (!argv[argc++])
			abort();
		size_t eaten = len < size ? len + 1 : len;
		data += eaten;
		size -= eaten;
	}

	struct config cfg;
	enum config_action action;
	struct err err = {0};
	int ret = config_parse(argc, argv, &cfg, &action, &err);
	if (ret == 0 && action == CONFIG_RUN)
		fuzz_check(&cfg);
	else if (ret != 0 && (err.code != ret || !*err.msg || strlen(err.msg) >= ERR_MSG_MAX))
		abort();
	for (int i = 1; i < argc; i++)
		free(argv[i]);
	return 0;
}
