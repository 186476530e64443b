/* The command line's values for the network: cards, forwarded ports, the machine's name. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <tinyvm/err.h>

#include "config_parts.h"

#define MTU_MIN	     68u /* what IPv4 asks of every link */
#define MTU_MAX	     65535u
#define PORT_MAX     65535u
#define NAME_MAX_LEN 64u
#define FD_MIN	     3u /* the first one after standard error */
#define ADDR_DEFAULT "127.0.0.1"

const struct config_net config_net_default = {
	.kind = CONFIG_NET_USER,
	.fd = -1,
	.queues = 1,
	.is_vhost_wanted = true,
};

/**
 * struct net_parse - a --net being read
 * @card: its first word, for sentences
 */
struct net_parse {
	struct config_net net;
	char card[64];
	struct err *err;
};

/* Digits alone, @max at most: else false. */
static bool config_number(const char *text, unsigned max, unsigned *ret_number)
{
	uint64_t number = 0;
	const char *p = text;

	for (; isdigit((unsigned char)*p); p++)
		if (number <= max)
			number = number * 10 + (uint64_t)(*p - '0');
	if (p == text || *p || number > max)
		return false;
	*ret_number = (unsigned)number;
	return true;
}

static int hex_digit(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	return isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

/* Six bytes of two digits each, with colons between them. */
static bool config_mac_read(const char *text, uint8_t mac[6])
{
	for (unsigned i = 0; i < 6; i++) {
		int high = hex_digit(text[0]);
		int low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0 || text[2] != (i < 5 ? ':' : '\0'))
			return false;
		mac[i] = (uint8_t)(high << 4 | low);
		text += 3;
	}
	return true;
}

static int net_set_mac(struct net_parse *p, const char *value)
{
	static const uint8_t zero[6];
	uint8_t mac[6];

	if (!config_mac_read(value, mac))
		return err_set(p->err, -EINVAL,
			       "--net %s: mac=%.40s is not a MAC address; write six bytes, like "
			       "mac=52:54:00:12:34:56",
			       p->card, value);
	if (mac[0] & 1)
		return err_set(
			p->err, -EINVAL,
			"--net %s: mac=%.40s is a group's address, as its first byte is odd; "
			"a card needs one of its own, like mac=52:54:00:12:34:56",
			p->card, value);
	if (memcmp(mac, zero, 6) == 0)
		return err_set(p->err, -EINVAL,
			       "--net %s: mac=%.40s is nobody's address; without mac= the card "
			       "gets one",
			       p->card, value);
	memcpy(p->net.mac, mac, 6);
	p->net.has_mac = true;
	return 0;
}

static int net_set_mtu(struct net_parse *p, const char *value)
{
	unsigned mtu;

	if (!config_number(value, MTU_MAX, &mtu) || mtu < MTU_MIN)
		return err_set(p->err, -EINVAL,
			       "--net %s: mtu=%.40s is not a number of bytes from %u to %u",
			       p->card, value, MTU_MIN, MTU_MAX);
	p->net.mtu = (uint16_t)mtu;
	return 0;
}

static int net_set_pcap(struct net_parse *p, const char *value)
{
	p->net.pcap_path = value;
	return 0;
}

/* The kernel cuts longer names off, and would look at another interface. */
static int net_check_ifname(const struct net_parse *p, const char *key, const char *name)
{
	size_t len = strlen(name);

	if (len >= IFNAMSIZ)
		return err_set(p->err, -EINVAL,
			       "--net %s: %s=%.40s is no interface's name, which has at most %d "
			       "characters",
			       p->card, key, name, IFNAMSIZ - 1);
	for (const char *c = name; *c; c++)
		if (!isgraph((unsigned char)*c) || *c == '/' || *c == ':' || *c == '%')
			return err_set(p->err, -EINVAL,
				       "--net %s: %s= is no interface's name, which holds no "
				       "blank, '/', ':' or '%%'",
				       p->card, key);
	return 0;
}

static int net_set_bridge(struct net_parse *p, const char *value)
{
	p->net.bridge = value;
	return net_check_ifname(p, "bridge", value);
}

static int net_set_queues(struct net_parse *p, const char *value)
{
	if (!config_number(value, NETIF_QUEUES_MAX, &p->net.queues) || p->net.queues == 0)
		return err_set(p->err, -EINVAL,
			       "--net %s: queues=%.40s is not a number from 1 to %d", p->card,
			       value, NETIF_QUEUES_MAX);
	return 0;
}

static int net_set_vhost(struct net_parse *p, const char *value)
{
	if (strcmp(value, "off") != 0)
		return err_set(p->err, -EINVAL,
			       "--net %s: vhost=%.40s is unknown; vhost=off keeps to tinyvm's own "
			       "data path, else /dev/vhost-net is used where it can be",
			       p->card, value);
	p->net.is_vhost_wanted = false;
	return 0;
}

#define ON(kind) (1u << (kind))

/**
 * struct net_key - what may come after the kind
 * @kinds:   ON() the ones that it is for
 * @example: a right value
 */
static const struct net_key {
	const char *name;
	unsigned kinds;
	bool is_path;
	const char *example;
	int (*set)(struct net_parse *p, const char *value);
} net_keys[] = {
	{"mac", ~0u, false, "52:54:00:12:34:56", net_set_mac},
	{"mtu", ~0u, false, "1500", net_set_mtu},
	{"pcap", ~0u, true, "net.pcap", net_set_pcap},
	{"bridge", ON(CONFIG_NET_TAP), false, "br0", net_set_bridge},
	{"queues", ON(CONFIG_NET_TAP), false, "2", net_set_queues},
	{"vhost", ON(CONFIG_NET_TAP), false, "off", net_set_vhost},
};

#define NET_KEY_COUNT (sizeof(net_keys) / sizeof(net_keys[0]))

/* The key that @word, "KEY=VALUE" or anything else, begins with; NET_KEY_COUNT for none. */
static size_t net_find_key(const char *word)
{
	size_t len = strcspn(word, "=,");
	size_t i = 0;

	while (i < NET_KEY_COUNT &&
	       (strncmp(net_keys[i].name, word, len) != 0 || net_keys[i].name[len] != '\0'))
		i++;
	return i;
}

static int net_unknown_key(const struct net_parse *p, const char *word)
{
	if (strncmp(word, "hostfwd=", 8) == 0 || strncmp(word, "guestfwd=", 9) == 0)
		return err_set(p->err, -EINVAL,
			       "--net %s: '%.40s' is unknown; ports are forwarded with --publish, "
			       "such as --publish 8080:80",
			       p->card, word);
	return err_set(p->err, -EINVAL,
		       "--net %s: '%.40s' is unknown; mac=, mtu= and pcap= are known, and for tap "
		       "bridge=, queues= and vhost=off",
		       p->card, word);
}

/* The words after the kind. */
static int net_set_keys(struct net_parse *p, char *rest)
{
	bool is_given[NET_KEY_COUNT] = {false};

	while (rest) {
		size_t i = net_find_key(rest);
		const struct net_key *key = &net_keys[i];
		const char *word = config_next_word(&rest, i < NET_KEY_COUNT && key->is_path);
		if (i == NET_KEY_COUNT || !(key->kinds & ON(p->net.kind)))
			return net_unknown_key(p, word);
		const char *value = strchr(word, '=');
		if (!value || !value[1])
			return err_set(p->err, -EINVAL, "--net %s: %s needs a value, such as %s=%s",
				       p->card, key->name, key->name, key->example);
		if (is_given[i])
			return err_set(p->err, -EINVAL,
				       "--net %s: %s= is given twice; leave one of the two out",
				       p->card, key->name);
		is_given[i] = true;
		int ret = key->set(p, value + 1);
		if (ret)
			return ret;
	}
	return 0;
}

static int net_set_tap(struct net_parse *p, const char *value)
{
	p->net.tap = value;
	return value ? net_check_ifname(p, "tap", value) : 0;
}

static int net_set_socket(struct net_parse *p, const char *value)
{
	p->net.path = value;
	return 0;
}

static int net_set_fd(struct net_parse *p, const char *value)
{
	unsigned fd;

	if (!config_number(value, INT_MAX, &fd))
		return err_set(p->err, -EINVAL,
			       "--net %s: '%.40s' is not a number; write that of a connected "
			       "stream socket that tinyvm was started with, like --net fd=3",
			       p->card, value);
	if (fd < FD_MIN)
		return err_set(p->err, -EINVAL,
			       "--net %s: 0 to 2 are standard input, output and error; hand the "
			       "socket down as %u or a higher number",
			       p->card, FD_MIN);
	p->net.fd = (int)fd;
	return 0;
}

/**
 * struct net_kind - the first word of a --net
 * @example: with the value it needs; NULL when it needs none
 * @set:     takes the value, NULL for none; no function: it takes no value
 */
static const struct net_kind {
	const char *name;
	const char *example;
	int (*set)(struct net_parse *p, const char *value);
} net_kinds[] = {
	[CONFIG_NET_USER] = {"user", NULL, NULL},
	[CONFIG_NET_TAP] = {"tap", NULL, net_set_tap},
	[CONFIG_NET_SOCKET] = {"socket", "socket=lan.sock", net_set_socket},
	[CONFIG_NET_FD] = {"fd", "fd=3", net_set_fd},
	[CONFIG_NET_NONE] = {"none", NULL, NULL},
};

#define NET_KIND_COUNT (sizeof(net_kinds) / sizeof(net_kinds[0]))

static int net_set_kind(struct net_parse *p, const char *word)
{
	size_t len = strcspn(word, "=");
	size_t i = 0;

	while (i < NET_KIND_COUNT &&
	       (strncmp(net_kinds[i].name, word, len) != 0 || net_kinds[i].name[len] != '\0'))
		i++;
	if (i == NET_KIND_COUNT)
		return err_set(p->err, -EINVAL,
			       "--net '%.40s' is unknown; it is one of user, tap, tap=NAME, "
			       "socket=PATH, fd=N and none",
			       word);

	const struct net_kind *kind = &net_kinds[i];
	const char *value = word[len] ? word + len + 1 : NULL;
	if (value && !kind->set)
		return err_set(p->err, -EINVAL, "--net %s takes no value; leave =%.40s out",
			       kind->name, value);
	if (value ? !*value : kind->example != NULL)
		return err_set(p->err, -EINVAL, "--net %s needs a value, such as --net %s",
			       kind->name, kind->example ? kind->example : "tap=tap0");
	p->net.kind = (enum config_net_kind)i;
	return kind->set ? kind->set(p, value) : 0;
}

int config_net(char *text, struct config_net *ret_net, struct err *err)
{
	struct net_parse p = {.net = config_net_default, .err = err};
	char *rest = text;
	const char *word = config_next_word(&rest, strncmp(text, "socket=", 7) == 0);

	snprintf(p.card, sizeof(p.card), "%s", word);
	int ret = net_set_kind(&p, word);
	if (!ret)
		ret = net_set_keys(&p, rest);
	if (!ret)
		*ret_net = p.net;
	return ret;
}

static int forward_bad(struct err *err, const char *given)
{
	return err_set(err, -EINVAL,
		       "--publish '%s' is not a forward; write [ADDRESS:]HOST:GUEST[/udp], like "
		       "8080:80 or [::1]:5353:53/udp",
		       given);
}

static int forward_port(const char *given, const char *text, uint16_t *ret_port, struct err *err)
{
	unsigned port = 0;

	if (!*text || text[strspn(text, "0123456789")] != '\0')
		return forward_bad(err, given);
	if (!config_number(text, PORT_MAX, &port) || port == 0)
		return err_set(err, -EINVAL,
			       "--publish %s: there is no port %.20s; they are 1 to %u", given,
			       text, PORT_MAX);
	*ret_port = (uint16_t)port;
	return 0;
}

/* Takes the address off the front of *@text: an IPv6 one in brackets, or an IPv4 one. */
static int forward_addr(const char *given, char **text, const char **ret_addr, struct err *err)
{
	uint8_t bytes[16];
	bool is_ipv6 = **text == '[';
	char *addr = *text + is_ipv6;
	char *end = strchr(addr, is_ipv6 ? ']' : ':');

	if (!is_ipv6 && strchr(addr, ':') == strrchr(addr, ':'))
		return 0; /* HOST:GUEST alone */
	if (!end || (is_ipv6 && end[1] != ':'))
		return forward_bad(err, given);
	char *ports = end + (is_ipv6 ? 2 : 1);
	if (!is_ipv6 && strchr(ports, ':') != strrchr(ports, ':'))
		return err_set(err, -EINVAL,
			       "--publish %s has too many colons; an IPv6 address goes in "
			       "brackets, like [::1]:8080:80",
			       given);
	*end = '\0';
	if (inet_pton(is_ipv6 ? AF_INET6 : AF_INET, addr, bytes) != 1)
		return err_set(err, -EINVAL,
			       "--publish %s: '%.60s' is not an IP%s address; names are not looked "
			       "up here",
			       given, addr, is_ipv6 ? "v6" : "v4");
	*ret_addr = addr;
	*text = ports;
	return 0;
}

int config_forward(char *text, struct net_forward *ret_forward, struct err *err)
{
	struct net_forward forward = {.addr = ADDR_DEFAULT};
	char given[80];
	char *slash = strchr(text, '/');

	snprintf(given, sizeof(given), "%s", text);
	if (slash) {
		forward.is_udp = strcmp(slash, "/udp") == 0;
		if (!forward.is_udp && strcmp(slash, "/tcp") != 0)
			return err_set(err, -EINVAL,
				       "--publish %s: '%.20s' is unknown; it ends in /udp or /tcp, "
				       "and is for TCP without",
				       given, slash);
		*slash = '\0';
	}
	int ret = forward_addr(given, &text, &forward.addr, err);
	if (ret)
		return ret;
	char *colon = strchr(text, ':');
	if (!colon)
		return forward_bad(err, given);
	*colon = '\0';
	ret = forward_port(given, text, &forward.host_port, err);
	if (!ret)
		ret = forward_port(given, colon + 1, &forward.guest_port, err);
	if (!ret)
		*ret_forward = forward;
	return ret;
}

int config_name(const char *text, struct err *err)
{
	size_t len = strlen(text);

	if (len > NAME_MAX_LEN)
		return err_set(err, -EINVAL, "--name %.40s... has %zu characters, not 1 to %u",
			       text, len, NAME_MAX_LEN);
	for (const char *p = text; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
			return err_set(err, -EINVAL,
				       "--name '%.64s' may hold only letters, digits, '.', '_' and "
				       "'-'",
				       text);
	return 0;
}

/* Do both want the same host port? An address of all zeroes is every address of its kind. */
static bool forward_clashes(const struct net_forward *a, const struct net_forward *b)
{
	static const uint8_t any[16];
	uint8_t addr[2][16] = {{0}};
	bool is_ipv6 = strchr(a->addr, ':') != NULL;
	int family = is_ipv6 ? AF_INET6 : AF_INET;

	if (a->host_port != b->host_port || a->is_udp != b->is_udp ||
	    is_ipv6 != (strchr(b->addr, ':') != NULL) || inet_pton(family, a->addr, addr[0]) != 1 ||
	    inet_pton(family, b->addr, addr[1]) != 1)
		return false;
	return memcmp(addr[0], addr[1], 16) == 0 || memcmp(addr[0], any, 16) == 0 ||
	       memcmp(addr[1], any, 16) == 0;
}

static int config_check_forwards(const struct config *cfg, struct err *err)
{
	bool has_user = false;

	for (unsigned i = 0; i < cfg->net_count; i++)
		has_user = has_user || cfg->net[i].kind == CONFIG_NET_USER;
	if (cfg->forward_count && !has_user)
		return err_set(err, -EINVAL,
			       "--publish forwards ports to a card with --net user, and there is "
			       "none; add --net user, or leave --publish out");
	for (unsigned i = 0; i < cfg->forward_count; i++)
		for (unsigned j = 0; j < i; j++)
			if (forward_clashes(&cfg->forward[i], &cfg->forward[j]))
				return err_set(err, -EINVAL,
					       "--publish is given %s port %u of the host twice; "
					       "it can lead to one port of the guest only",
					       cfg->forward[i].is_udp ? "UDP" : "TCP",
					       cfg->forward[i].host_port);
	return 0;
}

static bool is_same_text(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

int config_check_nets(const struct config *cfg, struct err *err)
{
	for (unsigned i = 0; i < cfg->net_count; i++)
		for (unsigned j = 0; j < i; j++) {
			const struct config_net *a = &cfg->net[i];
			const struct config_net *b = &cfg->net[j];
			const char *shared = NULL;
			if (a->has_mac && b->has_mac && memcmp(a->mac, b->mac, 6) == 0)
				shared = "mac";
			else if (is_same_text(a->pcap_path, b->pcap_path))
				shared = "pcap";
			else if (is_same_text(a->tap, b->tap))
				shared = "tap";
			else if (a->fd >= 0 && a->fd == b->fd)
				shared = "fd";
			if (shared)
				return err_set(err, -EINVAL,
					       "two --net have the same %s=; each card needs its "
					       "own",
					       shared);
		}
	return config_check_forwards(cfg, err);
}
