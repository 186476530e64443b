/*
 * User-mode networking: passt at the other end of a stream socket gives the guest an address by
 * DHCP, NDP and DHCPv6, answers its ARP, and turns its TCP, UDP and pings into sockets of the host.
 * None of it needs a privilege, and none of it is done here.
 *
 * passt's own defaults hold: the guest gets the host's address and name servers. Nothing is
 * forwarded but what the user asked for.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <tinyvm/err.h>
#include <tinyvm/evloop.h>
#include <tinyvm/log.h>

#include "forward.h"
#include "passt.h"
#include "stream.h"

/* passt closes the connection over a frame that is longer. */
#define USER_FRAME_MAX 65535

/* Arguments beside the forwards, and the NULL. */
#define USER_ARGS_MAX 16

struct user {
	struct stream stream;
	struct passt passt;
	struct evloop_fd *pid_handle, *words_handle;
};

static struct user *user_of(struct netif *nif)
{
	return (struct user *)nif;
}

/* The user hears of it when passt has ended. */
static void user_lost(struct stream *s, const char *why)
{
	log_info("%s: lost passt: %s", s->id, why);
}

static void user_passt_ended(void *ctx, uint32_t events)
{
	struct user *user = ctx;
	char how[400];
	(void)events;
	evloop_remove(user->pid_handle);
	evloop_remove(user->words_handle);
	user->pid_handle = user->words_handle = NULL;
	passt_bury(&user->passt, user->stream.id, how, sizeof(how));
	log_warn("%s: passt has ended (%s): the network is down", user->stream.id, how);
	stream_break(&user->stream, "passt has ended");
}

static void user_passt_spoke(void *ctx, uint32_t events)
{
	struct user *user = ctx;
	(void)events;
	if (passt_hear(&user->passt, user->stream.id))
		return;
	evloop_remove(user->words_handle);
	user->words_handle = NULL;
}

static void user_detach(struct user *user)
{
	evloop_remove(user->pid_handle);
	evloop_remove(user->words_handle);
	user->pid_handle = user->words_handle = NULL;
}

static int user_attach(struct netif *nif, struct evloop *loop, const struct netif_client *client,
		       void *ctx, struct device *dev)
{
	struct user *user = user_of(nif);
	user_detach(user);
	int ret = stream_attach(&user->stream, loop, client, ctx, dev);
	if (ret != 0 || !loop || !user->passt.pid)
		return ret;
	ret = evloop_add(loop, &user->pid_handle, user->passt.pidfd, EPOLLIN, user_passt_ended,
			 user, dev);
	if (ret == 0)
		ret = evloop_add(loop, &user->words_handle, user->passt.words, EPOLLIN,
				 user_passt_spoke, user, dev);
	if (ret != 0) {
		user_detach(user);
		int detached = stream_attach(&user->stream, NULL, NULL, NULL, NULL);
		(void)detached; /* cannot fail */
	}
	return ret;
}

static void user_destroy(struct netif *nif)
{
	struct user *user = user_of(nif);
	user_detach(user);
	stream_close(&user->stream);
	passt_stop(&user->passt);
	free(user);
}

static const struct netif_ops user_ops = {
	.attach = user_attach,
	.send = stream_send,
	.receive = stream_receive,
	.want = stream_want,
	.set_offloads = stream_set_offloads,
	.set_queues = stream_set_queues,
	.destroy = user_destroy,
};

/**
 * struct user_args - passt's command line
 * @argv: NULL-terminated, into literals and @text
 * @text: what was composed: a forward each, and the MTU
 */
struct user_args {
	const char **argv;
	unsigned argc;
	char (*text)[FORWARD_SPEC_MAX];
};

static void user_add(struct user_args *args, const char *option, const char *value)
{
	args->argv[args->argc++] = option;
	if (value)
		args->argv[args->argc++] = value;
}

/* All of a protocol; without "none", passt would take over some from the other one. */
static void user_add_forwards(struct user_args *args, const struct net_forward *forward,
			      unsigned count, bool is_udp)
{
	const char *option = is_udp ? "-u" : "-t";
	bool is_any = false;
	for (unsigned i = 0; i < count; i++) {
		if (forward[i].is_udp != is_udp)
			continue;
		forward_spec(args->text[i], &forward[i]);
		user_add(args, option, args->text[i]);
		is_any = true;
	}
	if (!is_any)
		user_add(args, option, "none");
}

static void user_free_args(struct user_args *args)
{
	free(args->argv);
	free(args->text);
}

static int user_make_args(struct user_args *args, const struct net_forward *forward, unsigned count,
			  uint16_t mtu)
{
	args->argv = calloc(USER_ARGS_MAX + 2 * (size_t)count, sizeof(*args->argv));
	args->text = calloc((size_t)count + 1, sizeof(*args->text));
	if (!args->argv || !args->text)
		return -ENOMEM;
	user_add(args, "passt", NULL);
	user_add(args, "--foreground", NULL);
	user_add(args, "--quiet", NULL);
	user_add(args, "--fd", PASST_FD_TEXT);
	if (mtu) {
		snprintf(args->text[count], FORWARD_SPEC_MAX, "%u", mtu);
		user_add(args, "--mtu", args->text[count]);
	}
	user_add_forwards(args, forward, count, false);
	user_add_forwards(args, forward, count, true);
	return 0;
}

/* Return: 0; -errno with a sentence. */
static int user_start(struct user *user, const struct net_forward *forward, unsigned count,
		      uint16_t mtu, struct err *err)
{
	struct user_args args = {0};
	int sock = -1;
	int ret = user_make_args(&args, forward, count, mtu);
	if (ret != 0)
		err_set(err, ret, "--net user: not enough host memory");
	else
		ret = passt_start(&user->passt, args.argv, &sock, err);
	user_free_args(&args);
	if (ret != 0)
		return ret;
	return stream_connect(&user->stream, sock); /* cannot fail: no loop to watch it yet */
}

int net_user_open(struct netif **ret_nif, const struct net_forward *forward, unsigned count,
		  uint16_t mtu, const char *id, struct err *err)
{
	int ret = forward_check(forward, count, err);
	if (ret != 0)
		return ret;
	struct user *user = calloc(1, sizeof(*user));
	if (!user)
		return err_set(err, -ENOMEM, "--net user: not enough host memory");
	user->passt.pidfd = user->passt.words = -1;
	user->stream.nif.ops = &user_ops;
	user->stream.nif.is_checked = true;
	ret = stream_init(&user->stream, id, user_lost);
	user->stream.send_max = USER_FRAME_MAX;
	if (ret != 0)
		err_set(err, ret, "--net user: %s", strerror(-ret));
	else
		ret = user_start(user, forward, count, mtu, err);
	if (ret != 0) {
		user_destroy(&user->stream.nif);
		return ret;
	}
	*ret_nif = &user->stream.nif;
	return 0;
}
