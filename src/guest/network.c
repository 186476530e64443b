/*
 * lo, and one interface with the addresses that the host gives: by ioctl, which every kernel has.
 * IPv6 configures itself from the host's advertisements.
 *
 * The command finds the network ready: a driver reports its link some time after the interface is
 * up, and until then packets go nowhere.
 */
#include "guest.h"

#include "sys.h"

#define CLASS	 "/sys/class/net"
#define LINK_MS	 3000
#define RESOLVER "/etc/resolv.conf"

/* Where the root's own file may not be touched. */
#define OWN_RESOLVER "/run/resolv.conf"

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

/* Whether an interface is a device, which the kernel's own (lo, tunnels) are not. */
static bool network_is_card(const char *name)
{
	struct text path = {0};
	text_add(&path, CLASS "/");
	text_add(&path, name);
	text_add(&path, "/device");
	return name[0] != '.' && sys_access(path.buf, 0) >= 0;
}

/* The first card; "" when there is none. */
static void network_find_card(struct text *ret_name)
{
	char buf[1024] __attribute__((aligned(8)));
	long dir = sys_open(CLASS, O_RDONLY);
	long len;
	while (dir >= 0 && (len = sys_getdents((int)dir, buf, sizeof(buf))) > 0) {
		for (long at = 0; at < len && !ret_name->len;) {
			const struct sys_dirent *entry = (const void *)(buf + at);
			at += entry->reclen;
			if (network_is_card(entry->name))
				text_add(ret_name, entry->name);
		}
	}
	if (dir >= 0)
		sys_close((int)dir);
}

static bool network_has_carrier(const char *name)
{
	char carrier = '0';
	struct text path = {0};
	text_add(&path, CLASS "/");
	text_add(&path, name);
	text_add(&path, "/carrier");
	long fd = sys_open(path.buf, O_RDONLY);
	if (fd < 0)
		return false;
	sys_read((int)fd, &carrier, 1);
	sys_close((int)fd);
	return carrier == '1';
}

/*
 * A link that was there before the interface was up works at once, though the kernel may take a
 * second to call it running. One that comes later works when it does.
 */
static void network_await_link(struct guest *g, int sock, const char *name)
{
	struct sys_ifreq req;
	if (network_has_carrier(name))
		return;
	for (int waited = 0; waited < LINK_MS; waited++) {
		network_name(&req, name);
		if (sys_ioctl(sock, SIOCGIFFLAGS, &req) < 0 || req.flags & IFF_RUNNING)
			return;
		sys_sleep_ms(1);
	}
	struct text why = {0};
	text_add(&why, "the network card has no link: ");
	text_add(&why, name);
	guest_log(g, why.buf);
}

/* @told: IFNAME:ADDRESS/PREFIX:GATEWAY */
static long network_configure(struct guest *g, int sock, const char *told)
{
	char buf[128];
	struct text card = {0};
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

	text_add(&card, field[0]);
	if (!card.len)
		network_find_card(&card);
	if (!card.len)
		return -ENODEV;
	network_name(&req, card.buf);
	req.address = address;
	long rc = sys_ioctl(sock, SIOCSIFADDR, &req);
	req.address = network_mask(prefix);
	if (rc >= 0)
		rc = sys_ioctl(sock, SIOCSIFNETMASK, &req);
	if (rc >= 0)
		rc = network_up(sock, card.buf);
	if (rc >= 0 && *field[2])
		rc = network_route(sock, &gateway);
	if (rc >= 0)
		network_await_link(g, sock, card.buf);
	return rc;
}

static long network_write(const char *path, const struct text *lines)
{
	long fd = sys_open(path, O_WRONLY | O_CREAT | O_TRUNC);
	if (fd < 0)
		return fd;
	long rc = sys_write((int)fd, lines->buf, lines->len);
	sys_close((int)fd);
	return rc;
}

/* What a root keeps for longer than this run is only covered. */
static long network_cover_resolver(const struct text *lines)
{
	char target[256];
	long rc = network_write(OWN_RESOLVER, lines);
	if (rc >= 0)
		rc = sys_mount(OWN_RESOLVER, RESOLVER, NULL, MS_BIND, NULL);
	if (rc != -ENOENT)
		return rc;
	/* A link to what a service would write into /run, which here is new and empty. */
	long len = sys_readlink(RESOLVER, target, sizeof(target) - 1);
	target[len < 0 ? 0 : len] = '\0';
	const char *path = text_after(target, "..");
	path = path ? path : target;
	if (!text_after(path, "/run/"))
		return rc;
	mount_make_parents(path);
	return network_write(path, lines);
}

static void network_write_resolver(struct guest *g)
{
	struct text lines = {0};
	long rc;
	for (const char *dns = NULL; (dns = conf_next(&g->conf, "dns", dns));) {
		text_add(&lines, "nameserver ");
		text_add(&lines, dns);
		text_add(&lines, "\n");
	}
	if (!lines.len)
		return;
	if (g->is_root_lasting) {
		rc = network_cover_resolver(&lines);
	} else {
		/* It may be a link into a directory that is another here. */
		sys_mkdir("/etc", 0755);
		sys_unlink(RESOLVER);
		rc = network_write(RESOLVER, &lines);
	}
	if (rc < 0)
		network_complain(g, "cannot write ", RESOLVER, rc);
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
	long rc = sock < 0 ? sock : network_configure(g, (int)sock, told);
	sys_close((int)sock);
	if (rc < 0)
		network_complain(g, "cannot configure the network as ", told, rc);
	network_write_resolver(g);
}
