/* The network cards' far ends and addresses. */
#ifndef NETCARD_H
#define NETCARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tinyvm/config.h>

struct err;
struct netif;

/**
 * struct netcard - what a card keeps over every reset of the machine
 * @id:  "net0", "net1" ...
 * @nif: NULL for none opened yet
 * @is_mac_random: another run would have another one
 */
struct netcard {
	char id[8];
	struct netif *nif;
	uint8_t mac[6];
	bool is_mac_random;
};

/**
 * netcards_claim() - make sure of the descriptors that were handed down for cards of @cfg
 *
 * Context: before anything else is opened. Later, such a number may be that of a file of ours.
 * Return: 0; -errno with a sentence.
 */
int netcards_claim(const struct config *cfg, struct err *err) __attribute__((warn_unused_result));

/**
 * netcards_open() - open the far end of each card of @cfg, and give each its address
 * @ret_cards: all zeroes; outlives the netifs. What was opened before a failure is there, for
 *             netcards_close()
 *
 * --dry-run opens nothing of the user's: all its cards are without a cable.
 * Return: 0; -errno with a sentence.
 */
int netcards_open(struct netcard ret_cards[CONFIG_NET_MAX], const struct config *cfg,
		  struct err *err) __attribute__((warn_unused_result));

/* Also ends the programs that serve them. */
void netcards_close(struct netcard cards[CONFIG_NET_MAX]);

/* The address of card @n of the machine called @name: always the same one, and hardly another's. */
void netcard_named_mac(const char *name, unsigned n, uint8_t ret_mac[6]);

/* The card that --publish is for; cfg->net_count when there is none. */
unsigned netcard_published(const struct config *cfg);

/* Card @n in words: where it leads, its address, its options. To be freed; NULL without memory. */
char *netcard_describe(const struct netcard *card, const struct config *cfg, unsigned n);

/* A --publish in words. To be freed; NULL without memory. */
char *netcard_describe_forward(const struct net_forward *forward);

#endif
