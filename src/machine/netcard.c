/*
 * Network cards, from the command line to their far ends: opened once, since passt, a connection or
 * a tap outlives a reset of the machine, and so does the address that others know a card by.
 *
 * Addresses are locally administered. A named machine's come from a hash of its name alone, so that
 * they stay over runs, updates and hosts: it must never change.
 */
#include "netcard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <tinyvm/err.h>

/* FNV-1a, 64 bits, then two rounds of multiply and fold, as its high bits alone are well mixed. */
void netcard_named_mac(const char *name, unsigned n, uint8_t ret_mac[6])
{
	const uint64_t prime = 0x100000001b3;
	uint64_t hash = 0xcbf29ce484222325;

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * prime;
	hash = (hash ^ (0x100 + n)) * prime; /* no byte of a name */
	for (unsigned i = 0; i < 2; i++)
		hash = (hash ^ hash >> 32) * 0x9e3779b97f4a7c15;
	hash ^= hash >> 32;
	for (unsigned i = 0; i < 6; i++)
		ret_mac[i] = (uint8_t)(hash >> 8 * i);
	ret_mac[0] = (uint8_t)((ret_mac[0] & ~1u) | 2);
}

static int netcard_random_mac(uint8_t ret_mac[6])
{
	if (getrandom(ret_mac, 6, 0) != 6) /* so few bytes come whole */
		return -errno;
	ret_mac[0] = (uint8_t)((ret_mac[0] & ~1u) | 2);
	return 0;
}

static int netcard_set_mac(struct netcard *card, const struct config *cfg, unsigned n,
			   struct err *err)
{
	int error = 0;

	if (cfg->net[n].has_mac) {
		memcpy(card->mac, cfg->net[n].mac, 6);
	} else if (cfg->name) {
		netcard_named_mac(cfg->name, n, card->mac);
	} else {
		card->is_mac_random = true;
		error = netcard_random_mac(card->mac);
	}
	return error ? err_set(err, error, "--net: no random bytes for a MAC address: %s",
			       strerror(-error))
		     : 0;
}

unsigned netcard_published(const struct config *cfg)
{
	unsigned n = 0;

	while (n < cfg->net_count && cfg->net[n].kind != CONFIG_NET_USER)
		n++;
	return n;
}

static int netcard_open_backend(struct netif **ret_nif, const struct netcard *card,
				const struct config *cfg, unsigned n, struct err *err)
{
	const struct config_net *net = &cfg->net[n];
	const struct net_tap_config tap = {
		.name = net->tap, .bridge = net->bridge, .queues = net->queues, .mtu = net->mtu};

	switch (net->kind) {
	case CONFIG_NET_USER:
		return net_user_open(ret_nif, cfg->forward,
				     n == netcard_published(cfg) ? cfg->forward_count : 0, net->mtu,
				     card->id, err);
	case CONFIG_NET_TAP:
		return net_tap_open(ret_nif, &tap, card->id, err);
	case CONFIG_NET_SOCKET:
		return net_socket_open(ret_nif, net->path, card->id, err);
	case CONFIG_NET_FD:
		return net_fd_open(ret_nif, net->fd, card->id, err);
	case CONFIG_NET_NONE:
		break;
	}
	return net_none_open(ret_nif, err);
}

static int netcard_open(struct netcard *card, const struct config *cfg, unsigned n, struct err *err)
{
	const char *pcap_path = cfg->net[n].pcap_path;

	snprintf(card->id, sizeof(card->id), "net%u", n % CONFIG_NET_MAX);
	int error = netcard_set_mac(card, cfg, n, err);
	if (error)
		return error;
	if (cfg->is_dry_run)
		return net_none_open(&card->nif, err);
	error = netcard_open_backend(&card->nif, card, cfg, n, err);
	if (!error && pcap_path)
		error = net_pcap_open(&card->nif, card->nif, pcap_path, err);
	return error;
}

int netcards_claim(const struct config *cfg, struct err *err)
{
	for (unsigned n = 0; n < cfg->net_count; n++) {
		const struct config_net *net = &cfg->net[n];
		if (cfg->is_dry_run || net->kind != CONFIG_NET_FD)
			continue;
		if (fcntl(net->fd, F_SETFD, FD_CLOEXEC) < 0) /* nor do our helpers get it */
			return err_set(err, -errno,
				       "--net fd=%d: tinyvm was started without an open "
				       "descriptor %d",
				       net->fd, net->fd);
	}
	return 0;
}

int netcards_open(struct netcard ret_cards[CONFIG_NET_MAX], const struct config *cfg,
		  struct err *err)
{
	int error = 0;

	for (unsigned n = 0; n < cfg->net_count && !error; n++)
		error = netcard_open(&ret_cards[n], cfg, n, err);
	return error;
}

void netcards_close(struct netcard cards[CONFIG_NET_MAX])
{
	for (unsigned n = 0; n < CONFIG_NET_MAX; n++) {
		netif_destroy(cards[n].nif);
		cards[n].nif = NULL;
	}
}

static void netcard_describe_end(const struct config_net *net, FILE *out)
{
	switch (net->kind) {
	case CONFIG_NET_USER:
		fputs("user, by passt", out);
		break;
	case CONFIG_NET_TAP:
		fputs(net->tap ? "tap " : "a new tap", out);
		fputs(net->tap ? net->tap : "", out);
		if (net->bridge)
			fprintf(out, " on bridge %s", net->bridge);
		if (net->queues > 1)
			fprintf(out, ", %u queues", net->queues);
		break;
	case CONFIG_NET_SOCKET:
		fprintf(out, "socket %s", net->path);
		break;
	case CONFIG_NET_FD:
		fprintf(out, "descriptor %d", net->fd);
		break;
	case CONFIG_NET_NONE:
		fputs("no cable", out);
		break;
	}
}

char *netcard_describe(const struct netcard *card, const struct config *cfg, unsigned n)
{
	const struct config_net *net = &cfg->net[n];
	const uint8_t *mac = card->mac;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	netcard_describe_end(net, out);
	if (cfg->is_dry_run && card->is_mac_random)
		fputs(", a random MAC address", out);
	else
		fprintf(out, ", MAC %02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
			mac[4], mac[5]);
	if (net->mtu)
		fprintf(out, ", MTU %u", net->mtu);
	if (net->pcap_path)
		fprintf(out, ", recorded in %s", net->pcap_path);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

char *netcard_describe_forward(const struct net_forward *forward)
{
	bool is_ipv6 = strchr(forward->addr, ':') != NULL;
	char *text;

	if (asprintf(&text, "%s%s%s:%u to the guest's port %u, %s", is_ipv6 ? "[" : "",
		     forward->addr, is_ipv6 ? "]" : "", forward->host_port, forward->guest_port,
		     forward->is_udp ? "UDP" : "TCP") < 0)
		return NULL;
	return text;
}
