/*
 * The address of a guest behind passt: passt gives the guest the address of the host's interface
 * with the default route, and would tell it by DHCP; the init is told here instead. IPv6 needs no
 * help: the kernel takes what passt advertises.
 */
#include "run_parts.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* The interface with the default route of the lowest metric, and its gateway. */
static bool net_find_route(char ret_name[IFNAMSIZ], struct in_addr *ret_gateway)
{
	char line[256], name[IFNAMSIZ];
	unsigned destination, gateway, flags, metric, best = ~0u;
	FILE *in = fopen("/proc/net/route", "re");
	if (!in)
		return false;
	while (fgets(line, sizeof(line), in)) {
		if (sscanf(line, "%15s %x %x %x %*u %*u %u", name, &destination, &gateway, &flags,
			   &metric) != 5 ||
		    destination || !gateway || metric >= best)
			continue;
		best = metric;
		memcpy(ret_name, name, IFNAMSIZ);
		ret_gateway->s_addr = gateway; /* printed as it lies in memory */
	}
	fclose(in);
	return best != ~0u;
}

static bool net_get_address(int sock, const char *name, unsigned long what, struct in_addr *ret)
{
	struct ifreq req = {0};
	struct sockaddr_in address;
	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	if (ioctl(sock, what, &req) != 0)
		return false;
	memcpy(&address, &req.ifr_addr, sizeof(address));
	*ret = address.sin_addr;
	return true;
}

bool run_net_find(struct run_net *ret_net)
{
	struct in_addr address, mask, gateway;
	char name[IFNAMSIZ], text[INET_ADDRSTRLEN];
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool is_found = sock >= 0 && net_find_route(name, &gateway) &&
			net_get_address(sock, name, SIOCGIFADDR, &address) &&
			net_get_address(sock, name, SIOCGIFNETMASK, &mask);
	if (sock >= 0)
		close(sock);
	if (!is_found)
		return false;
	inet_ntop(AF_INET, &address, text, sizeof(text));
	inet_ntop(AF_INET, &gateway, ret_net->gateway, sizeof(ret_net->gateway));
	snprintf(ret_net->address, sizeof(ret_net->address), "%s/%d", text,
		 __builtin_popcount(mask.s_addr));
	return true;
}

bool run_net_next_dns(FILE *in, const struct run_net *net, char ret_dns[RUN_NET_TEXT])
{
	char line[256], text[64];
	struct in_addr address;
	while (fgets(line, sizeof(line), in)) {
		if (sscanf(line, " nameserver %63s", text) != 1 ||
		    inet_pton(AF_INET, text, &address) != 1)
			continue;
		/* One on the host's loopback answers the guest at the gateway's address. */
		bool is_local = (ntohl(address.s_addr) >> 24) == 127;
		snprintf(ret_dns, RUN_NET_TEXT, "%.31s", is_local ? net->gateway : text);
		return true;
	}
	return false;
}
