/*
 * The first process of a guest of `tinyvm run`: the /init of an initramfs that tinyvm made. What it
 * is to do is in a file of the initramfs, and what comes of it goes to the host through a virtio
 * port; <spec/run_protocol.h> has both.
 *
 * It needs no libc and no other program, and nothing of the root but what the command needs. It
 * ends by switching the machine off, whatever happens.
 *
 * Left out on purpose: services, devices that come and go, users by name, DHCP (the host knows the
 * addresses it gives).
 */
#include "guest.h"

#include "sys.h"

#define KERNEL_LOG_LINES 50

__attribute__((noreturn)) void init_main(void);

static void log_to_kernel(const char *level, const char *sentence)
{
	struct text line = {0};
	long fd = sys_open("/dev/kmsg", O_WRONLY);
	if (fd >= 0)
		text_add(&line, level);
	else
		fd = sys_open("/dev/console", O_WRONLY | O_NOCTTY);
	text_add(&line, "tinyvm: ");
	text_add(&line, sentence);
	text_add(&line, "\n");
	sys_write((int)fd, line.buf, line.len);
	sys_close((int)fd);
}

void guest_log(struct guest *g, const char *sentence)
{
	log_to_kernel("<6>", sentence);
	if (port_put(&g->port, RUN_LOG, sentence, strlen(sentence)))
		return;
	if (g->early.len)
		text_add(&g->early, "; ");
	text_add(&g->early, sentence);
}

static void guest_tell_kernel_line(struct guest *g, int console, char *line, size_t len)
{
	if (g->port.fd < 0) {
		line[len] = '\n';
		sys_write(console, line, len + 1);
	} else if (!port_put(&g->port, RUN_KERNEL, line, len)) {
		port_drain(&g->port);
		port_put(&g->port, RUN_KERNEL, line, len);
	}
}

/* "<6>[    0.4] words" without what is in angle brackets. */
static char *kernel_line_text(char *line, size_t len)
{
	char *close = *line == '<' ? text_find(line, '>') : NULL;
	return close && (size_t)(close - line) < len ? close + 1 : line;
}

void guest_tell_kernel_log(struct guest *g)
{
	static char log[16384];
	int console = -1;
	long len = sys_read_log(log, sizeof(log) - 1);
	log[len < 0 ? 0 : len] = '\0';
	char *line = log, *end;
	long count = 0;
	for (char *at = log; (at = text_find(at, '\n')); at++)
		count++;
	if (g->port.fd < 0)
		console = (int)sys_open("/dev/console", O_WRONLY | O_NOCTTY);
	for (; (end = text_find(line, '\n')); line = end + 1, count--) {
		char *text = kernel_line_text(line, (size_t)(end - line));
		if (end > text && count <= KERNEL_LOG_LINES)
			guest_tell_kernel_line(g, console, text, (size_t)(end - text));
	}
	if (console >= 0)
		sys_close(console);
	port_drain(&g->port);
	port_put(&g->port, RUN_KERNEL, NULL, 0);
	port_drain(&g->port);
}

__attribute__((noreturn)) static void guest_power_off(void)
{
	sys_sync();
	for (;;) {
		sys_power_off();
		sys_sleep_ms(1000); /* a kernel that cannot: the host ends it */
	}
}

void guest_fail(struct guest *g, const char *sentence)
{
	struct text all = {0};
	text_add(&all, sentence);
	if (g->early.len) {
		text_add(&all, " (");
		text_add(&all, g->early.buf);
		text_add(&all, ")");
	}
	port_drain(&g->port);
	guest_tell_kernel_log(g);
	log_to_kernel("<3>", all.buf);
	port_put(&g->port, RUN_FAILED, all.buf, all.len);
	port_drain(&g->port);
	guest_power_off();
}

static void guest_say_hello(struct guest *g)
{
	struct {
		struct run_hello head;
		char release[65];
	} hello = {.head = {.version = RUN_PROTOCOL_VERSION}};
	struct sys_utsname name;
	size_t len = 0;
	hello.head.boottime_ns = sys_boottime_ns();
	if (sys_uname(&name) >= 0) {
		len = strlen(name.release);
		memcpy(hello.release, name.release, len);
	}
	port_put(&g->port, RUN_HELLO, &hello, sizeof(hello.head) + len);
	if (g->early.len)
		port_put(&g->port, RUN_LOG, g->early.buf, g->early.len);
	g->early.len = 0;
	port_drain(&g->port);
}

static void guest_open_port(struct guest *g)
{
	const char *name = conf_get(&g->conf, "port", RUN_PORT_NAME);
	long rc = port_open(&g->port, name);
	if (rc >= 0)
		return;
	struct text why = {0};
	text_add(&why, "cannot open the virtio port ");
	text_add(&why, name);
	text_add_error(&why, rc);
	text_add(&why, "; the kernel needs virtio_console");
	g->port.fd = -1;
	guest_fail(g, why.buf);
}

/* Nothing of ours may become the command's standard streams by its number. */
static void guest_claim_stdio(void)
{
	long fd;
	do
		fd = sys_open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	sys_close((int)fd);
}

static void guest_report_bye(struct guest *g)
{
	struct run_stamp stamp = {.boottime_ns = sys_boottime_ns()};
	port_put(&g->port, RUN_BYE, &stamp, sizeof(stamp));
	port_drain(&g->port);
}

void init_main(void)
{
	struct guest g = {.port.fd = -1};
	struct command command;

	if (sys_getpid() != 1) { /* it would switch off the machine it was tried on */
		static const char text[] = "this is the init of tinyvm's guests\n";
		sys_write(2, text, sizeof(text) - 1);
		sys_exit(1);
	}
	sys_umask(022);
	mount_basics(&g);
	guest_claim_stdio();
	long rc = conf_read(&g.conf, "/" RUN_CONF_PATH);
	if (rc < 0) {
		struct text why = {0};
		text_add(&why, "cannot use the instructions in /" RUN_CONF_PATH);
		text_add_error(&why, rc);
		guest_fail(&g, why.buf);
	}
	sys_unlink("/" RUN_CONF_PATH);

	modules_load(&g);
	guest_open_port(&g);
	guest_say_hello(&g);
	const char *hostname = conf_get(&g.conf, "hostname", "");
	if (*hostname)
		sys_sethostname(hostname, strlen(hostname));
	mount_root(&g);
	mount_shares(&g);
	network_start(&g);
	boot_start(&g);
	command_start(&g, &command);
	relay_run(&g, &command);
	mount_finish(&g);
	guest_report_bye(&g);
	guest_power_off();
}
