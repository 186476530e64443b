/* A network of the test's own: interfaces that nobody else sees, and raw sockets on them. */
#ifndef NETNS_H
#define NETNS_H

#include <stdbool.h>

/*
 * Moves the process into a user and a network namespace of its own, in which it may do anything.
 * Return: NULL, or why this host has none, or none with taps.
 */
const char *netns_enter(void);

/* All of them: 0 or -errno. */

/* A persistent interface, down; @flags as TUNSETIFF has them. */
int netns_make_tun(const char *name, int flags);
int netns_remove(const char *name);
int netns_set_up(const char *name, bool is_up);
int netns_make_bridge(const char *name);
/* -EINVAL when @name is none of @bridge's ports. */
int netns_leave_bridge(const char *bridge, const char *name);
int netns_get_mtu(const char *name);
bool netns_has(const char *name);

/*
 * A raw socket on @name: what it sends, the interface sends out (a tap's program reads it), what it
 * receives has come in. With @has_header, a 10-byte virtio_net_hdr precedes each frame both ways.
 * Receiving waits for up to 5 seconds. Return: the descriptor or -errno.
 */
int netns_open_packet(const char *name, bool has_header);

/*
 * Until a tap that has just come up lets frames through, which the kernel sees to in its own time:
 * sends some into @packet till one is seen at @tap. Return: false when none is for 5 seconds.
 */
bool netns_wait_tap(int packet, int tap);

#endif
