/*
 * Opens a tap: one that exists, or one made for the run, which goes with its last descriptor.
 *
 * A name is looked up first, since TUNSETIFF would make an interface of a mistyped one. What it is
 * comes from its driver (SIOCETHTOOL) and not from /sys, which may show another network namespace.
 */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <spec/virtio_net.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <tinyvm/err.h>
#include <unistd.h>

/* Newer than Debian 12's header. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define TUN_PATH "/dev/net/tun"

/* The option as the user wrote it, for sentences. */
struct tap_option {
	char text[64];
};

static struct tap_option tap_option_of(const struct net_tap_config *cfg)
{
	struct tap_option opt;
	const char *name = cfg->name ? cfg->name : "";
	snprintf(opt.text, sizeof(opt.text), "--net tap%s%.15s", cfg->name ? "=" : "", name);
	return opt;
}

static struct ifreq tap_ifreq(const char *name)
{
	struct ifreq ifr;
	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	return ifr;
}

static int tap_ioctl(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) < 0 ? -errno : 0;
}

/* Any socket would do for the ioctls; this one also tells when an interface changes. */
static int tap_open_link(const char *option, struct err *err)
{
	const struct sockaddr_nl addr = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (fd >= 0 && bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	int error = -errno;
	if (fd >= 0)
		close(fd);
	return err_set(err, error, "%s: cannot open a netlink socket: %s", option,
		       strerror(-error));
}

static int tap_open_tun(const char *option, struct err *err)
{
	int fd = open(TUN_PATH, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0)
		return fd;
	int error = -errno;
	switch (error) {
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		return err_set(err, error,
			       "%s: the host has no " TUN_PATH
			       ": `modprobe tun` as root loads it; --net user does without",
			       option);
	case -EACCES:
	case -EPERM:
		return err_set(err, error,
			       "%s: no permission to open " TUN_PATH ": `chmod 666 " TUN_PATH
			       "` as root gives it, as most systems do; --net user does without",
			       option);
	default:
		return err_set(err, error, "%s: cannot open " TUN_PATH ": %s", option,
			       strerror(-error));
	}
}

/* Is @name an existing tap? Return: 0 or -errno with a sentence. */
static int tap_check(int link, const char *option, const char *name, struct err *err)
{
	if (strlen(name) >= IFNAMSIZ)
		return err_set(err, -EINVAL,
			       "%s: an interface's name has at most %d characters, this one has "
			       "%zu",
			       option, IFNAMSIZ - 1, strlen(name));
	struct ifreq ifr = tap_ifreq(name);
	if (tap_ioctl(link, SIOCGIFINDEX, &ifr) != 0)
		return err_set(err, -ENODEV,
			       "%s: there is no interface %s; `ip tuntap add %s mode tap user "
			       "$USER` as root makes it",
			       option, name, name);

	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	ifr.ifr_data = (void *)&info;
	if (tap_ioctl(link, SIOCETHTOOL, &ifr) != 0 || strcmp(info.driver, "tun") != 0 ||
	    strcmp(info.bus_info, "tap") != 0)
		return err_set(err, -EINVAL,
			       "%s: %s is not a tap interface; `ip tuntap add NAME mode tap user "
			       "$USER` as root makes one",
			       option, name);
	return 0;
}

static int tap_attach_failed(const struct net_tap_config *cfg, const char *option, int error,
			     struct err *err)
{
	if (error == -EBUSY)
		return err_set(err, error,
			       "%s: another program uses %s, a VM perhaps; it takes only one",
			       option, cfg->name ? cfg->name : "the interface");
	if (error != -EPERM)
		return err_set(err, error, "%s: the host refuses the interface: %s", option,
			       strerror(-error));
	if (cfg->name)
		return err_set(err, error,
			       "%s: %s belongs to somebody else; as root, `ip tuntap del %s mode "
			       "tap; ip tuntap add %s mode tap user $USER` changes that",
			       option, cfg->name, cfg->name, cfg->name);
	return err_set(err, error,
		       "%s: making an interface needs CAP_NET_ADMIN; `ip tuntap add NAME mode tap "
		       "user $USER` as root makes one for --net tap=NAME, and --net user does "
		       "without",
		       option);
}

/* A queue of the interface @name (a pattern makes a new one). Return: the descriptor or -errno. */
static int tap_attach(int fd, char *name, int flags)
{
	struct ifreq ifr = tap_ifreq(name);
	ifr.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | flags);
	int error = tap_ioctl(fd, TUNSETIFF, &ifr);
	if (!error)
		memcpy(name, ifr.ifr_name, IFNAMSIZ);
	return error;
}

/*
 * An interface is made with one queue or with several, and TUNSETIFF wants to know which: what is
 * wanted is tried first. @ret_count: how many it can have.
 */
static int tap_attach_first(struct tap_files *files, const struct net_tap_config *cfg,
			    unsigned *ret_count)
{
	int flags = cfg->queues > 1 ? IFF_MULTI_QUEUE : 0;
	int error = tap_attach(files->queue[0], files->name, flags);
	if (error == -EINVAL && cfg->name) {
		flags ^= IFF_MULTI_QUEUE;
		error = tap_attach(files->queue[0], files->name, flags);
	}
	*ret_count = flags & IFF_MULTI_QUEUE ? cfg->queues : 1;
	return error;
}

static int tap_attach_all(struct tap_files *files, const struct net_tap_config *cfg,
			  const char *option, struct err *err)
{
	unsigned wanted = 1;
	while (files->count < wanted) {
		int fd = tap_open_tun(option, err);
		if (fd < 0)
			return fd;
		files->queue[files->count++] = fd;
		int error = files->count == 1 ? tap_attach_first(files, cfg, &wanted)
					      : tap_attach(fd, files->name, IFF_MULTI_QUEUE);
		if (error)
			return tap_attach_failed(cfg, option, error, err);
	}
	return 0;
}

/* The header's length and the offloads are the interface's, for all of its queues. */
static int tap_set_up(struct tap_files *files, const char *option, struct err *err)
{
	int header = sizeof(struct virtio_net_hdr);
	int error = tap_ioctl(files->queue[0], TUNSETVNETHDRSZ, &header);
	for (unsigned i = 1; i < files->count && !error; i++)
		error = tap_set_queue(files->queue[i], false);
	if (!error)
		error = tap_set_offloads(files->queue[0], 0);
	return error ? err_set(err, error, "%s: cannot set up %s: %s", option, files->name,
			       strerror(-error))
		     : 0;
}

/* A bridge takes the lowest of its ports' addresses for its own: ours shall not be that one. */
static int tap_raise_address(int link, const char *name)
{
	struct ifreq ifr = tap_ifreq(name);
	int error = tap_ioctl(link, SIOCGIFHWADDR, &ifr);
	ifr.ifr_hwaddr.sa_data[0] = (char)0xfe;
	return error ? error : tap_ioctl(link, SIOCSIFHWADDR, &ifr);
}

static int tap_bring_up(int link, const char *name, uint16_t mtu)
{
	struct ifreq ifr = tap_ifreq(name);
	int error = 0;
	if (mtu) {
		ifr.ifr_mtu = mtu;
		error = tap_ioctl(link, SIOCSIFMTU, &ifr);
	}
	if (!error)
		error = tap_ioctl(link, SIOCGIFFLAGS, &ifr);
	ifr.ifr_flags |= IFF_UP;
	return error ? error : tap_ioctl(link, SIOCSIFFLAGS, &ifr);
}

static int tap_join_bridge(const struct tap_files *files, const char *bridge, const char *option,
			   struct err *err)
{
	struct ifreq port = tap_ifreq(files->name), ifr = tap_ifreq(bridge);
	if (strlen(bridge) >= IFNAMSIZ || tap_ioctl(files->link, SIOCGIFINDEX, &ifr) != 0)
		return err_set(err, -ENODEV,
			       "%s,bridge=%s: there is no interface %s; `ip link add %s type "
			       "bridge` as root makes it",
			       option, bridge, bridge, bridge);
	int error = tap_ioctl(files->link, SIOCGIFINDEX, &port);
	ifr = tap_ifreq(bridge);
	ifr.ifr_ifindex = port.ifr_ifindex;
	if (!error)
		error = tap_ioctl(files->link, SIOCBRADDIF, &ifr);
	switch (error) {
	case 0:
		return 0;
	case -EPERM:
		return err_set(err, error,
			       "%s,bridge=%s: attaching to a bridge needs CAP_NET_ADMIN; `ip link "
			       "set NAME master %s` as root does it beforehand for --net tap=NAME",
			       option, bridge, bridge);
	case -EBUSY:
		return err_set(err, error,
			       "%s,bridge=%s: %s is attached to a bridge already; leave bridge= "
			       "out",
			       option, bridge, files->name);
	case -EOPNOTSUPP:
	case -EINVAL:
	case -ENOPKG:
		return err_set(err, error, "%s,bridge=%s: %s is not a bridge", option, bridge,
			       bridge);
	default:
		return err_set(err, error, "%s,bridge=%s: cannot attach to it: %s", option, bridge,
			       strerror(-error));
	}
}

static int tap_give_place(const struct tap_files *files, const struct net_tap_config *cfg,
			  const char *option, struct err *err)
{
	int error = 0;
	if (!cfg->name && cfg->bridge)
		error = tap_raise_address(files->link, files->name);
	if (!cfg->name && !error)
		error = tap_bring_up(files->link, files->name, cfg->mtu);
	if (error)
		return err_set(err, error, "%s: cannot bring %s up: %s", option, files->name,
			       strerror(-error));
	return cfg->bridge ? tap_join_bridge(files, cfg->bridge, option, err) : 0;
}

int tap_files_open(struct tap_files *ret_files, const struct net_tap_config *cfg, struct err *err)
{
	const struct tap_option option = tap_option_of(cfg);
	struct tap_files files = {.name = "tinyvm%d"};

	files.link = tap_open_link(option.text, err);
	if (files.link < 0)
		return files.link;
	int error = cfg->name ? tap_check(files.link, option.text, cfg->name, err) : 0;
	if (!error && cfg->name)
		snprintf(files.name, sizeof(files.name), "%s", cfg->name);
	if (!error)
		error = tap_attach_all(&files, cfg, option.text, err);
	if (!error)
		error = tap_set_up(&files, option.text, err);
	if (!error)
		error = tap_give_place(&files, cfg, option.text, err);
	if (error) {
		tap_files_close(&files);
		return error;
	}
	*ret_files = files;
	return 0;
}

void tap_files_close(struct tap_files *files)
{
	while (files->count)
		close(files->queue[--files->count]);
	close(files->link);
}

int tap_set_queue(int queue, bool is_attached)
{
	struct ifreq ifr = tap_ifreq("");
	ifr.ifr_flags = (short)(is_attached ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE);
	return tap_ioctl(queue, TUNSETQUEUE, &ifr);
}

/* The kernel refuses segmentation without checksums, and knows UDP's for both versions only. */
int tap_set_offloads(int queue, uint32_t offloads)
{
	unsigned long bits = 0;
	if (offloads & NETIF_CSUM) {
		bits = TUN_F_CSUM | (offloads & NETIF_TSO4 ? TUN_F_TSO4 : 0) |
		       (offloads & NETIF_TSO6 ? TUN_F_TSO6 : 0) |
		       (offloads & NETIF_USO ? TUN_F_USO4 | TUN_F_USO6 : 0);
		if (offloads & NETIF_ECN && offloads & (NETIF_TSO4 | NETIF_TSO6))
			bits |= TUN_F_TSO_ECN;
	}
	return ioctl(queue, TUNSETOFFLOAD, bits) < 0 ? -errno : 0;
}
