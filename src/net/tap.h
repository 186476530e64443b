/* The files behind a tap (private to src/net). */
#ifndef NET_TAP_H
#define NET_TAP_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <tinyvm/net.h>

/**
 * struct tap_files - what net_tap_open() has opened
 * @name:  of the interface
 * @queue: its descriptors; all but the first are detached (tap_set_queue())
 * @link:  a netlink socket that tells of changed interfaces, and takes ioctls on them
 */
struct tap_files {
	char name[IFNAMSIZ];
	int queue[NETIF_QUEUES_MAX];
	unsigned count;
	int link;
};

/* The work of net_tap_open(), but for the netif. */
int tap_files_open(struct tap_files *ret_files, const struct net_tap_config *cfg, struct err *err)
	__attribute__((warn_unused_result));
void tap_files_close(struct tap_files *files);

/* One of several queues takes part, or not. Return: 0 or -errno. */
int tap_set_queue(int queue, bool is_attached) __attribute__((warn_unused_result));

/* What received frames may ask for: NETIF_... Return: 0, or -EINVAL when the host knows less. */
int tap_set_offloads(int queue, uint32_t offloads) __attribute__((warn_unused_result));

#endif
