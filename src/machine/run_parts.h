/* The parts of `tinyvm run` (private to src/machine). */
#ifndef RUN_PARTS_H
#define RUN_PARTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <tinyvm/config.h>
#include <tinyvm/oci.h>
#include <tinyvm/run.h>

struct err;
struct initramfs;
struct session;

/**
 * struct run_plan - the machine for a run, and what its init is told
 * @cfg:    @kernel is the caller's
 * @is_32bit: the kernel, the caller's too
 * @append: the kernel's arguments, to be freed
 * @host, @guest: of share n + 1, in full, to be freed; share 0 is the root
 * @root:   instruction for the root, "" for none
 * @is_container: the root is @image, the disk of the name @image_path
 * @filesystem: of the image, NULL: unknown, or none
 * @cwd:    in the guest, to be freed
 * @initrd: to be freed
 */
struct run_plan {
	const struct run_config *run;
	struct config cfg;
	bool is_tty;
	bool is_32bit;
	char *append;
	char *rootfs;
	char *host[RUN_SHARE_MAX];
	char *guest[RUN_SHARE_MAX];
	unsigned share_first;
	char root[128];
	bool is_container;
	struct oci_image image;
	char image_path[32];
	const char *filesystem;
	char *cwd;
	void *initrd;
};

/* Fills in the machine, from plan->run. Return: 0 or -errno with a sentence. */
int run_plan_machine(struct run_plan *plan, struct err *err) __attribute__((warn_unused_result));
void run_plan_destroy(struct run_plan *plan);

/*
 * Makes the container image @path the root. Return: 0 or -errno with a sentence.
 */
int run_image_open(struct run_plan *plan, const char *path, struct err *err)
	__attribute__((warn_unused_result));

/**
 * struct run_env - an environment: no name twice
 * @list: @count of NAME=VALUE, to be freed
 * @error: -ENOMEM once there was not enough memory
 */
struct run_env {
	char **list;
	unsigned count, room;
	int error;
};

/* Adds a NAME=VALUE, in the place of another value of that name. */
void run_env_set(struct run_env *env, const char *name, const char *value);
void run_env_put(struct run_env *env, const char *text);
void run_env_destroy(struct run_env *env);

/* What the init is to do. Return: 0 or -ENOMEM. */
int run_instruct(struct initramfs *ia, const struct run_plan *plan)
	__attribute__((warn_unused_result));

#define RUN_NET_TEXT 32

/**
 * struct run_net - what passt gives its guest
 * @address: with /PREFIX
 */
struct run_net {
	char address[RUN_NET_TEXT];
	char gateway[RUN_NET_TEXT];
};

/* Return: false for a host without a default route (IPv4). */
bool run_net_find(struct run_net *ret_net);

/* The next name server that @in, a resolv.conf, has for the guest; false at its end. */
bool run_net_next_dns(FILE *in, const struct run_net *net, char ret_dns[RUN_NET_TEXT]);

/**
 * struct report - the file for the result
 * @path:     NULL for none
 * @begin_ns: when it all began
 * @fd:       from report_open() to report_write()
 * @is_file:  it can be written anew
 */
struct report {
	const char *path;
	uint64_t begin_ns;
	int fd;
	bool is_file;
};

/*
 * report_open() - before there is anything to tell: a file says so, for when nobody gets to
 * report_write() - the result as JSON, once; @cause: a sentence, "" when @status says it all
 *
 * Return: 0 or -errno with a sentence.
 */
int report_open(struct report *r, struct err *err) __attribute__((warn_unused_result));
int report_write(struct report *r, const struct session *s, int status, const char *cause,
		 struct err *err) __attribute__((warn_unused_result));

#endif
