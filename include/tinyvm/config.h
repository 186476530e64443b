/* What the user asked for: the command line, parsed. */
#ifndef TINYVM_CONFIG_H
#define TINYVM_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <tinyvm/config_legacy.h>
#include <tinyvm/net.h>

struct err;

#define CONFIG_DISK_MAX	   16
#define CONFIG_NET_MAX	   8
#define CONFIG_FORWARD_MAX 64
#define CONFIG_SHARE_MAX   16

enum exit_code {
	EXIT_GUEST_OFF = 0,
	EXIT_GUEST_PANIC = 120,
	EXIT_TRIPLE_FAULT = 121,
	EXIT_KVM_FAILED = 122,
	EXIT_STEP_FAILED = 123,
	EXIT_TIMEOUT = 124,
	EXIT_NOT_STARTED = 125,
	EXIT_SIGNAL_BASE = 128,
};

enum config_transport {
	TRANSPORT_PCI,
	TRANSPORT_MMIO
};
enum config_console {
	CONSOLE_SERIAL,
	CONSOLE_VIRTIO,
	CONSOLE_SCREEN
};

/**
 * struct config_disk - one --disk, --floppy or --cdrom
 * @path: points into argv's copy in struct config
 * @id:   GET_ID string, "" for "disk0", "disk1" ...
 * @is_snapshot: what the guest writes leaves the file as it is; never together with @is_readonly
 * @geometry: all zeroes: to be found out
 */
struct config_disk {
	const char *path;
	char id[21];
	bool is_readonly;
	bool is_snapshot;
	struct config_geometry geometry;
};

enum config_net_kind {
	CONFIG_NET_USER,
	CONFIG_NET_TAP,
	CONFIG_NET_SOCKET,
	CONFIG_NET_FD,
	CONFIG_NET_NONE,
};

/**
 * struct config_net - one --net
 * @tap:     the interface's name, NULL for one of the kernel's choice
 * @bridge:  that the tap is attached to, NULL for none
 * @path:    the socket's
 * @fd:      3 and up
 * @has_mac: else the machine chooses @mac
 * @mtu:     68 to 65535, 0 for nothing said
 * @queues:  queue pairs, 1 to NETIF_QUEUES_MAX
 * @is_vhost_wanted: let the host's kernel serve a tap where it can
 * @pcap_path: record of all frames, NULL for none
 */
struct config_net {
	enum config_net_kind kind;
	const char *tap;
	const char *bridge;
	const char *path;
	int fd;
	bool has_mac;
	uint8_t mac[6];
	uint16_t mtu;
	unsigned queues;
	bool is_vhost_wanted;
	const char *pcap_path;
};

/**
 * struct config_share - a directory of the host in the guest
 * @tag: what the guest mounts it by
 */
struct config_share {
	const char *path;
	char tag[16];
	bool is_readonly;
};

/**
 * struct config - the whole command line
 * @is_pc:  the machine is the legacy PC, with screen, keyboard, firmware and drives
 * @is_console_given: by the user; else @console is the machine's usual one
 * @memory: bytes, a multiple of 4096; @is_memory_given: by the user
 * @kernel: NULL for a PC that boots its image
 * @initrd_data: @initrd_size bytes of it in memory, NULL for none
 * @append: the user's command line, "" for none
 * @tmpdir: where what is written to snapshots goes, NULL: beside them
 * @keep_overlay: the file in which the one snapshot keeps it, NULL for none
 * @port:   name of a port for something other than a console, NULL for none
 * @name:   the machine's, NULL for none
 * @forward: every --publish; they are of the first card of kind CONFIG_NET_USER, and there is one
 * @timeout_ms: after which the machine ends, 0 for never
 * @floppy, @cdrom: @floppy_count, @cdrom_count of them
 * Strings point into argv and live as long.
 */
struct config {
	bool is_pc;
	bool is_console_given;
	uint64_t memory;
	bool is_memory_given;
	unsigned cpus;
	const char *kernel;
	const char *initrd;
	const void *initrd_data;
	uint64_t initrd_size;
	const char *append;
	struct config_disk disk[CONFIG_DISK_MAX];
	unsigned disk_count;
	struct config_disk floppy[CONFIG_FLOPPY_MAX];
	unsigned floppy_count;
	struct config_disk cdrom[CONFIG_CDROM_MAX];
	unsigned cdrom_count;
	struct config_legacy legacy;
	const char *tmpdir;
	const char *keep_overlay;
	struct config_share share[CONFIG_SHARE_MAX];
	unsigned share_count;
	const char *port;
	const char *name;
	struct config_net net[CONFIG_NET_MAX];
	unsigned net_count;
	struct net_forward forward[CONFIG_FORWARD_MAX];
	unsigned forward_count;
	enum config_transport transport;
	enum config_console console;
	const char *log_path;
	uint64_t timeout_ms;
	bool is_reboot_allowed;
	bool is_dry_run;
	bool is_auto_args;
	bool is_unpack_wanted;
	unsigned verbose;
};

enum config_action {
	CONFIG_RUN,
	CONFIG_SHOW_HELP,
	CONFIG_SHOW_HELP_PC,
	CONFIG_SHOW_VERSION,
};

/**
 * config_make_pc() - make the machine a PC after all, since the kernel needs one
 * Return: 0; -EINVAL with one sentence: what it has cannot be in a PC.
 */
int config_make_pc(struct config *cfg, struct err *err) __attribute__((warn_unused_result));

/**
 * config_parse() - read the command line
 * @argv: options as getopt_long has them: `--memory 1G`, `--memory=1G`, `-m 1G`, `-m1G`; splits
 *        the arguments of --disk, --net and --publish in place
 *
 * Return: 0 with @ret_cfg and @ret_action; -EINVAL with one sentence: unknown option (with the
 * nearest right one), missing or bad value (with what would be right), options that exclude each
 * other.
 */
int config_parse(int argc, char **argv, struct config *ret_cfg, enum config_action *ret_action,
		 struct err *err) __attribute__((warn_unused_result));

/* The texts of --help and --help pc: each fits a screen of 80x24. */
const char *config_help(void);
const char *config_help_pc(void);

#endif
