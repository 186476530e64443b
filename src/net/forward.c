/*
 * Ports forwarded to the guest. passt would say that it "failed to bind" one, whatever the reason;
 * trying them first tells the reasons apart.
 */
#include "forward.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <tinyvm/err.h>
#include <unistd.h>

/* As on the command line: [ADDRESS]:HOST:GUEST/udp. */
#define FORWARD_OPTION_MAX (INET6_ADDRSTRLEN + 20)

static void forward_option(char ret_option[FORWARD_OPTION_MAX], const struct net_forward *f)
{
	bool is_ipv6 = strchr(f->addr, ':');
	snprintf(ret_option, FORWARD_OPTION_MAX, "%s%.*s%s:%u:%u%s", is_ipv6 ? "[" : "",
		 INET6_ADDRSTRLEN, f->addr, is_ipv6 ? "]" : "", f->host_port, f->guest_port,
		 f->is_udp ? "/udp" : "");
}

void forward_spec(char ret_spec[FORWARD_SPEC_MAX], const struct net_forward *forward)
{
	snprintf(ret_spec, FORWARD_SPEC_MAX, "%.*s/%u:%u", INET6_ADDRSTRLEN, forward->addr,
		 forward->host_port, forward->guest_port);
}

/* Return: the address's length; 0 when it is none. */
static socklen_t forward_address(struct sockaddr_storage *ret_addr, const struct net_forward *f)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret_addr;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_addr;
	memset(ret_addr, 0, sizeof(*ret_addr));
	if (inet_pton(AF_INET, f->addr, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(f->host_port);
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, f->addr, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(f->host_port);
		return sizeof(*v6);
	}
	return 0;
}

/* Return: 0; -errno of the call that did not work. */
static int forward_try(const struct net_forward *f, const struct sockaddr_storage *addr,
		       socklen_t addr_len)
{
	const int one = 1;
	int type = f->is_udp ? SOCK_DGRAM : SOCK_STREAM;
	int fd = socket(addr->ss_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (addr->ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	/* Connections of the last run may linger; of UDP, sharing is all that this would allow. */
	if (!f->is_udp)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	int ret = bind(fd, (const struct sockaddr *)addr, addr_len) == 0 ? 0 : -errno;
	close(fd);
	return ret;
}

static int forward_refuse(const struct net_forward *f, int code, struct err *err)
{
	char option[FORWARD_OPTION_MAX];
	const char *proto = f->is_udp ? "UDP" : "TCP";
	forward_option(option, f);
	switch (code) {
	case -EADDRINUSE:
		return err_set(err, code,
			       "-p %s: %s port %u is in use on this host; choose another", option,
			       proto, f->host_port);
	case -EACCES:
		return err_set(err, code,
			       "-p %s: port %u is privileged; choose a higher one, run as root, or "
			       "lower the sysctl net.ipv4.ip_unprivileged_port_start",
			       option, f->host_port);
	case -EADDRNOTAVAIL:
		return err_set(err, code, "-p %s: %s is not an address of this host", option,
			       f->addr);
	case -EAFNOSUPPORT:
		return err_set(err, code, "-p %s: this host has no IPv6", option);
	default:
		return err_set(err, code, "-p %s: cannot listen there: %s", option,
			       strerror(-code));
	}
}

int forward_check(const struct net_forward *forward, unsigned count, struct err *err)
{
	for (unsigned i = 0; i < count; i++) {
		const struct net_forward *f = &forward[i];
		char option[FORWARD_OPTION_MAX];
		struct sockaddr_storage addr;
		socklen_t addr_len = forward_address(&addr, f);
		forward_option(option, f);
		if (!addr_len)
			return err_set(err, -EINVAL, "-p %s: '%s' is not an IP address", option,
				       f->addr);
		for (unsigned j = 0; j < i; j++) {
			/* Whatever the addresses: passt's table is indexed by the port alone. */
			if (forward[j].host_port == f->host_port && forward[j].is_udp == f->is_udp)
				return err_set(err, -EEXIST,
					       "-p %s: %s port %u is forwarded twice; passt "
					       "forwards a port once",
					       option, f->is_udp ? "UDP" : "TCP", f->host_port);
		}
		int ret = forward_try(f, &addr, addr_len);
		if (ret != 0)
			return forward_refuse(f, ret, err);
	}
	return 0;
}
