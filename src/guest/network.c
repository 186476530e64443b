/*
 * lo, and one interface with the addresses that the host gives: by ioctl, which every kernel has.
 * IPv6 configures itself from the host's advertisements.
 */
#include "guest.h"

#include "sys.h"

static void network_complain(struct guest *g, const char *what, const char *name, long error)
{
	struct text why = {0};
	text_add(&why, what);
	text_add(&why, name);
	text_add_error(&why, error);
	guest_log(g, why.buf);
}

static void network_name(struct sys_ifreq *req, const char *name)
{
	size_t len = strlen(name);
	if (len > sizeof(req->name) - 1)
		len = sizeof(req->name) - 1;
	memset(req, 0, sizeof(*req));
	memcpy(req->name, name, len);
}

static long network_up(int sock, const char *name)
{
	struct sys_ifreq req;
	network_name(&req, name);
	long rc = sys_ioctl(sock, SIOCGIFFLAGS, &req);
	if (rc < 0)
		return rc;
	req.flags |= IFF_UP;
	return sys_ioctl(sock, SIOCSIFFLAGS, &req);
}

/* Dotted decimal; @s is moved past it. */
static bool network_parse(const char **s, struct sys_address *ret)
{
	struct sys_address address = {.family = AF_INET};
	for (unsigned i = 0; i < 4; i++) {
		uint32_t n;
		if (i && *(*s)++ != '.')
			return false;
		if (!text_number(s, &n) || n > 255)
			return false;
		address.ip[i] = (uint8_t)n;
	}
	*ret = address;
	return true;
}

static struct sys_address network_mask(uint32_t prefix)
{
	struct sys_address mask = {.family = AF_INET};
	for (unsigned bit = 0; bit < prefix && bit < 32; bit++)
		mask.ip[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return mask;
}

static long network_route(int sock, const struct sys_address *gateway)
{
	struct sys_rtentry route = {
		.destination.family = AF_INET,
		.mask.family = AF_INET,
		.gateway = *gateway,
		.flags = RTF_UP | RTF_GATEWAY,
	};
	return sys_ioctl(sock, SIOCADDRT, &route);
}

/* @told: IFNAME:ADDRESS/PREFIX:GATEWAY */
static long network_configure(int sock, const char *told)
{
	char buf[128];
	const char *field[3];
	struct sys_ifreq req;
	struct sys_address address, gateway;
	uint32_t prefix;

	if (!conf_fields(told, buf, sizeof(buf), field, 3))
		return -EINVAL;
	const char *at = field[1], *via = field[2];
	if (!network_parse(&at, &address) || *at++ != '/' || !text_number(&at, &prefix) ||
	    prefix > 32 || (*via && !network_parse(&via, &gateway)))
		return -EINVAL;

	network_name(&req, field[0]);
	req.address = address;
	long rc = sys_ioctl(sock, SIOCSIFADDR, &req);
	req.address = network_mask(prefix);
	if (rc >= 0)
		rc = sys_ioctl(sock, SIOCSIFNETMASK, &req);
	if (rc >= 0)
		rc = network_up(sock, field[0]);
	if (rc >= 0 && *field[2])
		rc = network_route(sock, &gateway);
	return rc;
}

/* The root's own file may be a link into a directory that is another here. */
static void network_write_resolver(struct guest *g)
{
	struct text lines = {0};
	for (const char *dns = NULL; (dns = conf_next(&g->conf, "dns", dns));) {
		text_add(&lines, "nameserver ");
		text_add(&lines, dns);
		text_add(&lines, "\n");
	}
	if (!lines.len || g->is_root_lasting)
		return;
	sys_mkdir("/etc", 0755);
	sys_unlink("/etc/resolv.conf");
	long fd = sys_open("/etc/resolv.conf", O_WRONLY | O_CREAT | O_TRUNC);
	long rc = fd < 0 ? fd : sys_write((int)fd, lines.buf, lines.len);
	sys_close((int)fd);
	if (rc < 0)
		network_complain(g, "cannot write ", "/etc/resolv.conf", rc);
}

void network_start(struct guest *g)
{
	long sock = sys_socket(AF_INET, SOCK_DGRAM);
	if (sock >= 0)
		network_up((int)sock, "lo");
	const char *told = conf_get(&g->conf, "net", NULL);
	if (!told) {
		sys_close((int)sock);
		return;
	}
	long rc = sock < 0 ? sock : network_configure((int)sock, told);
	sys_close((int)sock);
	if (rc < 0)
		network_complain(g, "cannot configure the network as ", told, rc);
	network_write_resolver(g);
}
