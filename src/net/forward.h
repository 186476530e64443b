/* Ports forwarded to the guest: are they free, and how passt is told of them. */
#ifndef NET_FORWARD_H
#define NET_FORWARD_H

#include <stddef.h>
#include <tinyvm/net.h>

/* "ADDRESS/HOST:GUEST", passt's notation, with its NUL. */
#define FORWARD_SPEC_MAX 64

/**
 * forward_check() - tries to take each host port, and lets it go again
 *
 * Return: 0; -errno with a sentence: -EINVAL no address, -EEXIST a port twice, -EADDRINUSE, -EACCES
 * a privileged port, -EADDRNOTAVAIL no address of this host, what socket() says.
 */
int forward_check(const struct net_forward *forward, unsigned count, struct err *err)
	__attribute__((warn_unused_result));

void forward_spec(char ret_spec[FORWARD_SPEC_MAX], const struct net_forward *forward);

#endif
