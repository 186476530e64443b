/*
 * The root's own init as process 1, for commands that are to find a system that is up. This program
 * goes on beside it, in a child. systemd says when it is done by sd_notify(3), as to a container's
 * manager; other inits are only started.
 */
#include "guest.h"

#include "sys.h"

#define NOTIFY_NAME "tinyvm-boot"

__attribute__((noreturn)) static void boot_fail(struct guest *g, const char *what, const char *path,
						long error)
{
	struct text why = {0};
	text_add(&why, what);
	text_add(&why, path);
	text_add_error(&why, error);
	guest_fail(g, why.buf);
}

/* Whether @path is a link to systemd, as it is where systemd is the init. */
static bool boot_is_systemd(const char *path)
{
	char target[256];
	long len = sys_readlink(path, target, sizeof(target) - 1);
	target[len < 0 ? 0 : len] = '\0';
	const char *name = target;
	for (const char *at = target; (at = text_find(at, '/')); at++)
		name = at + 1;
	return text_is(name, "systemd");
}

/* Return: a socket that hears what is sent to NOTIFY_NAME in the abstract namespace, -errno. */
static long boot_listen(void)
{
	struct sys_address_unix address = {.family = AF_UNIX, .name = "\0" NOTIFY_NAME};
	long fd = sys_socket(AF_UNIX, SOCK_DGRAM);
	if (fd < 0)
		return fd;
	long rc = sys_bind((int)fd, &address, sizeof(address.family) + sizeof(NOTIFY_NAME));
	return rc < 0 ? rc : fd;
}

/* What is said is lines, NAME=VALUE. */
static void boot_await(int fd)
{
	char said[4096];
	for (bool is_ready = false; !is_ready;) {
		struct sys_pollfd pfd = {fd, POLLIN, 0};
		sys_poll(&pfd, 1, -1);
		long len = sys_read(fd, said, sizeof(said) - 1);
		said[len < 0 ? 0 : len] = '\0';
		for (const char *line = said; line; line = text_find(line, '\n')) {
			line += *line == '\n';
			is_ready |= text_after(line, "READY=1") != NULL;
		}
	}
}

__attribute__((noreturn)) static void boot_become(struct guest *g, const char *path, long child)
{
	static const struct sys_sigset none;
	static char term[] = "TERM=linux", notify[] = "NOTIFY_SOCKET=@" NOTIFY_NAME;
	char *const argv[] = {(char *)(uintptr_t)path, NULL};
	char *const envp[] = {term, notify, NULL};
	sys_sigprocmask(SIG_SETMASK, &none);
	long rc = sys_execve(path, argv, envp);
	sys_kill(child, SIGKILL);
	boot_fail(g, "cannot run ", path, rc);
}

void boot_start(struct guest *g)
{
	const char *path = conf_get(&g->conf, "boot", NULL);
	if (!path)
		return;
	long rc = sys_access(path, X_OK);
	if (rc < 0)
		boot_fail(g, "cannot run ", path, rc);
	bool is_systemd = boot_is_systemd(path);
	long fd = is_systemd ? boot_listen() : -1;
	if (is_systemd && fd < 0)
		boot_fail(g, "cannot listen to ", path, fd);
	port_drain(&g->port);
	long child = sys_fork();
	if (child < 0)
		boot_fail(g, "cannot start a process for ", path, child);
	if (child)
		boot_become(g, path, child);
	sys_setsid();
	if (!is_systemd) {
		guest_log(g, "this init is no systemd: the command does not wait for it");
		return;
	}
	boot_await((int)fd);
	sys_close((int)fd);
}
