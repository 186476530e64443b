/* Network namespaces for tests, through ioctls and one netlink message. */
#include "netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int netns_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int error = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return error;
}

static int netns_map(const char *path, unsigned id)
{
	char text[32];
	snprintf(text, sizeof(text), "0 %u 1", id);
	return netns_write(path, text);
}

const char *netns_enter(void)
{
	unsigned uid = getuid(), gid = getgid();
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
		return "this host allows no user namespaces";
	if (netns_write("/proc/self/setgroups", "deny") != 0 ||
	    netns_map("/proc/self/uid_map", uid) != 0 || netns_map("/proc/self/gid_map", gid) != 0)
		return "this host maps no users into a namespace";
	int tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (tun < 0)
		return "no /dev/net/tun that this user may open";
	close(tun);
	/* Else new interfaces look for routers, between a test's frames. */
	(void)!netns_write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	return NULL;
}

static struct ifreq netns_ifreq(const char *name)
{
	struct ifreq ifr;
	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	return ifr;
}

static int netns_ioctl(unsigned long request, void *arg)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error = fd < 0 || ioctl(fd, request, arg) < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	return error;
}

int netns_make_tun(const char *name, int flags)
{
	struct ifreq ifr = netns_ifreq(name);
	ifr.ifr_flags = (short)flags;
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	int error = fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0 || ioctl(fd, TUNSETPERSIST, 1) < 0
			    ? -errno
			    : 0;
	if (fd >= 0)
		close(fd);
	return error;
}

int netns_remove(const char *name)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg info;
	} req = {.head = {.nlmsg_len = sizeof(req),
			  .nlmsg_type = RTM_DELLINK,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
		 .info = {.ifi_index = (int)if_nametoindex(name)}};
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
	} answer = {0};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int error = fd < 0 || send(fd, &req, sizeof(req), 0) < 0 ||
				    recv(fd, &answer, sizeof(answer), 0) < 0
			    ? -errno
			    : answer.error.error;
	if (fd >= 0)
		close(fd);
	return error;
}

int netns_set_up(const char *name, bool is_up)
{
	struct ifreq ifr = netns_ifreq(name);
	int error = netns_ioctl(SIOCGIFFLAGS, &ifr);
	ifr.ifr_flags = (short)(is_up ? ifr.ifr_flags | IFF_UP : ifr.ifr_flags & ~IFF_UP);
	return error ? error : netns_ioctl(SIOCSIFFLAGS, &ifr);
}

int netns_make_bridge(const char *name)
{
	char copy[IFNAMSIZ];
	snprintf(copy, sizeof(copy), "%s", name);
	return netns_ioctl(SIOCBRADDBR, copy);
}

int netns_leave_bridge(const char *bridge, const char *name)
{
	struct ifreq ifr = netns_ifreq(bridge);
	ifr.ifr_ifindex = (int)if_nametoindex(name);
	return netns_ioctl(SIOCBRDELIF, &ifr);
}

int netns_get_mtu(const char *name)
{
	struct ifreq ifr = netns_ifreq(name);
	int error = netns_ioctl(SIOCGIFMTU, &ifr);
	return error ? error : ifr.ifr_mtu;
}

bool netns_has(const char *name)
{
	return if_nametoindex(name) != 0;
}

int netns_open_packet(const char *name, bool has_header)
{
	const struct timeval patience = {.tv_sec = 5};
	const struct sockaddr_ll addr = {.sll_family = AF_PACKET,
					 .sll_protocol = htons(ETH_P_ALL),
					 .sll_ifindex = (int)if_nametoindex(name)};
	int on = has_header, one = 1;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0 &&
	    setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) == 0 &&
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0)
		return fd;
	int error = -errno;
	close(fd);
	return error;
}

bool netns_wait_tap(int packet, int tap)
{
	static const char frame[60] = "\x02\0\0\0\0\1\x02\0\0\0\0\2\x88\xb6";
	char got[2048];
	struct pollfd is_there = {.fd = tap, .events = POLLIN};
	for (unsigned i = 0; i < 5000; i++) {
		if (send(packet, frame, sizeof(frame), 0) == sizeof(frame) &&
		    poll(&is_there, 1, 1) == 1)
			return read(tap, got, sizeof(got)) > 0;
	}
	return false;
}
