/*
 * One run of tinyvm: open what the user named, build the board, run it until it ends, rebuild it on
 * a reset, and turn the end into an exit code.
 */
#include "cmdline.h"
#include "drives.h"
#include "dryrun.h"
#include "end.h"
#include "front.h"
#include "last_screen.h"
#include "now.h"
#include "pc.h"
#include "profile.h"
#include "screen_front.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <tinyvm/bus.h>
#include <tinyvm/chardev.h>
#include <tinyvm/err.h>
#include <tinyvm/evloop.h>
#include <tinyvm/fs.h>
#include <tinyvm/kvm.h>
#include <tinyvm/log.h>
#include <tinyvm/machine.h>
#include <tinyvm/screen.h>
#include <tinyvm/terminal.h>
#include <tinyvm/thread.h>
#include <unistd.h>

#define NS_PER_MS  1000000ULL
#define PATIENCE_S 2

/**
 * struct machine - a run
 * @front: who stands where the terminal would, NULL for nobody
 * @end: why it ends
 * @screen_err: why the last screen could not be kept, its code 0 when it could
 */
struct machine {
	const struct config *cfg;
	struct front *front;
	struct backends backends;
	struct pc pc;
	char *cmdline;
	int sigfd;
	struct evloop_fd *sig_handle;
	struct evloop_timer *timeout;
	struct evloop_thread share_thread;
	struct end end;
	struct err screen_err;
};

static void machine_set_end(struct machine *m, enum end_reason reason)
{
	if (end_claim(&m->end, reason))
		evloop_stop(m->backends.loop);
}

/* A chip wants the whole machine to do something. vCPU thread. */
static void machine_power(void *ctx, enum power_event event)
{
	switch (event) {
	case POWER_OFF:
		machine_set_end(ctx, END_OFF);
		break;
	case POWER_RESET:
		machine_set_end(ctx, END_RESET);
		break;
	case POWER_PANIC:
		machine_set_end(ctx, END_PANIC);
		break;
	}
}

/* A vCPU stopped for good. Its thread. */
static void machine_vcpu_ended(void *ctx, int kvm_end, const char *sentence)
{
	struct machine *m = ctx;
	if (!end_claim(&m->end,
		       kvm_end == KVM_END_TRIPLE_FAULT ? END_TRIPLE_FAULT : END_KVM_FAILED))
		return;
	snprintf(m->end.sentence, sizeof(m->end.sentence), "%s", sentence);
	evloop_stop(m->backends.loop);
}

static void machine_console_line(void *ctx, const char *line)
{
	struct machine *m = ctx;
	end_note_line(&m->end, line);
}

static void machine_signalled(struct machine *m, int signal)
{
	if (!end_claim(&m->end, END_SIGNAL))
		return;
	m->end.signal = signal;
	evloop_stop(m->backends.loop);
}

static void machine_press_power_button(void *ctx)
{
	struct machine *m = ctx;
	if (m->pc.pm)
		pm_press_power_button(m->pc.pm);
}

static void machine_terminal_command(void *ctx, enum terminal_command command)
{
	struct machine *m = ctx;
	switch (command) {
	case TERMINAL_QUIT:
		machine_signalled(m, SIGINT);
		break;
	case TERMINAL_POWER_BUTTON:
		machine_press_power_button(m);
		break;
	}
}

static void machine_signal_ready(void *ctx, uint32_t events)
{
	struct machine *m = ctx;
	struct signalfd_siginfo info;
	(void)events;
	if (read(m->sigfd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	int signo = (int)info.ssi_signo;
	if (!m->front || !m->front->ops->signalled(m->front, signo))
		machine_signalled(m, signo);
}

/* SIGINT and its like end the run in good order: the terminal restored, disk requests finished. */
static int machine_open_signals(struct machine *m, struct err *err)
{
	sigset_t set;
	end_signals(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	m->sigfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	int error = m->sigfd < 0 ? -errno
				 : evloop_add(m->backends.loop, &m->sig_handle, m->sigfd, EPOLLIN,
					      machine_signal_ready, m, NULL);
	return error ? err_set(err, error, "cannot watch signals: %s", strerror(-error)) : 0;
}

static void machine_timed_out(void *ctx)
{
	machine_set_end(ctx, END_TIMEOUT);
}

static int machine_start_timeout(struct machine *m, struct err *err)
{
	if (!m->cfg->timeout_ms)
		return 0;
	int error = evloop_timer_create(m->backends.loop, &m->timeout);
	if (error)
		return err_set(err, error, "cannot make a timer: %s", strerror(-error));
	evloop_timer_bind(m->timeout, machine_timed_out, m, NULL);
	evloop_timer_arm(m->timeout, now_get_ns() + m->cfg->timeout_ms * NS_PER_MS);
	return 0;
}

/* A thread that ends with the process. All others have signals blocked, so they come to it. */
__attribute__((noreturn)) static void *machine_lose_patience(void *ctx)
{
	static const struct timespec patience = {.tv_sec = PATIENCE_S}, none;
	sigset_t all;
	(void)ctx;
	sigfillset(&all);
	nanosleep(&patience, NULL);
	while (sigtimedwait(&all, NULL, &none) > 0)
		; /* those came too early */
	pthread_sigmask(SIG_UNBLOCK, &all, NULL);
	for (;;)
		pause();
}

/*
 * A second signal, while the first is being obeyed, kills: what the end waits for may not come,
 * such as a shared file whose host's file system hangs. But not at once: the same signal often
 * comes twice, to the process and to its group, and the machine is to end in good order.
 */
static void machine_close_signals(struct machine *m)
{
	pthread_t thread;
	if (m->sigfd < 0)
		return;
	evloop_remove(m->sig_handle);
	m->sig_handle = NULL;
	close(m->sigfd);
	m->sigfd = -1;
	if (thread_start(&thread, 0, machine_lose_patience, NULL) == 0)
		pthread_detach(thread);
}

char *machine_cache_dir(void)
{
	const char *base = getenv("XDG_CACHE_HOME"), *under = "";
	char *dir;
	if (!base || *base != '/') {
		base = getenv("HOME");
		under = "/.cache";
	}
	if (!base || *base != '/' || asprintf(&dir, "%s%s/tinyvm", base, under) < 0)
		return NULL;
	return dir;
}

static int machine_open_shares(struct machine *m, struct err *err)
{
	const struct config *cfg = m->cfg;
	int error = cfg->share_count ? evloop_create(&m->backends.share_loop) : 0;
	if (error)
		return err_set(err, error, "cannot make an event loop: %s", strerror(-error));
	for (unsigned i = 0; i < cfg->share_count && !error; i++) {
		const struct fs_share_options opt = {
			.is_readonly = cfg->share[i].is_readonly,
			.has_own_loop = true,
			.files_max = fs_share_files_max(cfg->share_count),
		};
		error = fs_share_open(&m->backends.share[i], cfg->share[i].path, &opt, err);
	}
	return error;
}

static int machine_open_backends(struct machine *m, struct err *err)
{
	const struct config *cfg = m->cfg;
	struct backends *b = &m->backends;
	int error = netcards_claim(cfg, err);
	if (error)
		return error;
	error = evloop_create(&b->loop);
	if (error)
		return err_set(err, error, "cannot make an event loop: %s", strerror(-error));

	if (cfg->kernel) {
		char *cache = cfg->is_unpack_wanted ? machine_cache_dir() : NULL;
		error = boot_image_open(&b->image, cfg->kernel, cfg->is_unpack_wanted, cache, err);
		free(cache);
	}
	if (!error)
		error = drives_open(b, cfg, err);
	if (!error)
		error = machine_open_shares(m, err);
	if (!error)
		error = netcards_open(b->net, cfg, err);
	if (error)
		return error;

	if (!cfg->kernel)
		return 0;
	char root_suffix[4];
	if (boot_image_needs_pc(b->image)) {
		/* Linux is the least likely of them. */
		m->cmdline = cmdline_copy(cfg);
	} else {
		bool has_root = cmdline_find_root(cfg, root_suffix);
		m->cmdline = cmdline_build(cfg, has_root ? root_suffix : NULL);
	}
	if (!m->cmdline)
		return err_set(err, -ENOMEM, "not enough host memory");
	return 0;
}

static void machine_close_backends(struct machine *m)
{
	struct backends *b = &m->backends;
	drives_close(b);
	for (unsigned i = 0; i < CONFIG_SHARE_MAX; i++)
		fs_destroy(b->share[i]);
	netcards_close(b->net);
	if (b->image)
		boot_image_close(b->image);
	evloop_destroy(b->share_loop);
	evloop_destroy(b->loop);
	free(m->cmdline);
}

static int machine_open_terminal(struct machine *m, struct err *err)
{
	const struct terminal_config cfg = {
		.log_path = m->cfg->log_path,
		.command = machine_terminal_command,
		.line = machine_console_line,
		.ctx = m,
	};
	return terminal_create(&m->backends.console, m->backends.loop, &cfg, err);
}

static void machine_front_end(void *ctx)
{
	machine_set_end(ctx, END_OFF);
}

static void machine_front_interrupt(void *ctx, int signo)
{
	machine_signalled(ctx, signo);
}

static int machine_open_front(struct machine *m, struct err *err)
{
	struct front *front = m->front;
	if (!front)
		return machine_open_terminal(m, err);
	front->loop = m->backends.loop;
	front->line = machine_console_line;
	front->end = machine_front_end;
	front->interrupt = machine_front_interrupt;
	front->press_power_button = machine_press_power_button;
	front->machine = m;
	front->pc = &m->pc;
	return front->ops->open(front, &m->backends.console, &m->backends.port, err);
}

static void machine_close_front(struct machine *m)
{
	if (m->front)
		m->front->ops->close(m->front);
	chardev_destroy(m->backends.console);
	chardev_destroy(m->backends.port);
}

static void machine_log_line(void *arg, const char *text)
{
	(void)arg;
	log_info("%s", text);
}

static void machine_log_stray(void *arg, uint64_t addr, uint64_t count)
{
	(void)arg;
	log_debug("nobody answers at %#llx (%llu accesses)", (unsigned long long)addr,
		  (unsigned long long)count);
}

/* The last one counts: a machine that is reset writes it again. */
static void machine_keep_screen(struct machine *m)
{
	struct err *err = &m->screen_err;
	if (!m->cfg->is_pc || !last_screen_is_wanted(&m->cfg->legacy))
		return;
	struct screen *screen = calloc(1, sizeof(*screen));
	if (!screen) {
		err_set(err, -ENOMEM, "not enough host memory for the screen's picture");
		return;
	}
	pc_take_screen(&m->pc, screen);
	if (last_screen_write(&m->cfg->legacy, screen, err) == 0)
		err->code = 0;
	free(screen);
}

/* A screen that was not kept fails a run that went well; else it is only told. */
static int machine_judge_screen(struct machine *m, int status, struct err *err)
{
	if (!m->screen_err.code)
		return status;
	if (status == EXIT_GUEST_OFF) {
		*err = m->screen_err;
		return EXIT_NOT_STARTED;
	}
	log_error("%s", m->screen_err.msg);
	return status;
}

static int machine_start_share_loop(struct machine *m, struct err *err)
{
	int error = evloop_thread_start(&m->share_thread, m->backends.share_loop);
	return error ? err_set(err, error, "cannot start a thread: %s", strerror(-error)) : 0;
}

static bool machine_is_again(const struct machine *m)
{
	return end_reason(&m->end) == END_RESET && m->cfg->is_reboot_allowed;
}

/* From power-on to the next end. */
static int machine_run_once(struct machine *m, struct err *err)
{
	struct pc *pc = &m->pc;
	const struct pc_events events = {
		.power = {.request = machine_power, .ctx = m},
		.ended = machine_vcpu_ended,
		.ctx = m,
	};

	end_begin(&m->end);
	int error = pc_create(pc, m->cfg, &m->backends, &events, true, err);
	if (error)
		return error;
	error = pc_load(pc, m->cmdline, err);
	if (!error && m->backends.share_loop)
		error = machine_start_share_loop(m, err);
	if (!error)
		error = kvm_vm_start(pc->vm, err);
	/* At least once: a guest that resets at once must not keep signals and keys from us. */
	if (!error) {
		do
			evloop_run(m->backends.loop);
		while (end_reason(&m->end) == END_NONE);
	}

	if (!machine_is_again(m))
		machine_close_signals(m);
	kvm_vm_stop(pc->vm);
	evloop_thread_stop(&m->share_thread);
	enum end_reason end = end_reason(&m->end);
	bool is_again = machine_is_again(m);
	if (end == END_TRIPLE_FAULT || end == END_KVM_FAILED)
		kvm_vm_dump(pc->vm, -1, machine_log_line, NULL);
	bus_unclaimed(pc->pio, machine_log_stray, NULL);
	bus_unclaimed(pc->mmio, machine_log_stray, NULL);
	if (!error && !is_again && m->front && m->front->ops->stopped)
		m->front->ops->stopped(m->front);
	if (!error)
		machine_keep_screen(m);
	pc_destroy(pc);
	return error;
}

/* What the end needs to be said of it. The terminal is the user's again. */
static void machine_tell_end(struct machine *m)
{
	const struct end *end = &m->end;
	char sentence[ERR_MSG_MAX] = "";
	enum end_reason reason = end_reason(end);
	if (reason == END_PANIC)
		snprintf(sentence, sizeof(sentence), "the guest kernel panicked%s%.400s",
			 end->panic[0] ? ": " : "", end->panic);
	else if (reason == END_TIMEOUT)
		snprintf(sentence, sizeof(sentence),
			 "the machine ran for more than %g s (--timeout)",
			 (double)m->cfg->timeout_ms / 1000);
	else if (reason == END_TRIPLE_FAULT || reason == END_KVM_FAILED)
		snprintf(sentence, sizeof(sentence), "%s", end->sentence);
	if (sentence[0])
		log_error("%s", sentence);
	if (m->front)
		memcpy(m->front->sentence, sentence, sizeof(sentence));
}

static int machine_exit_code(const struct end *end)
{
	switch (end_reason(end)) {
	case END_NONE:
	case END_OFF:
	case END_RESET:
		return EXIT_GUEST_OFF;
	case END_PANIC:
		return EXIT_GUEST_PANIC;
	case END_TRIPLE_FAULT:
		return EXIT_TRIPLE_FAULT;
	case END_KVM_FAILED:
		return EXIT_KVM_FAILED;
	case END_TIMEOUT:
		return EXIT_TIMEOUT;
	case END_SIGNAL:
		return EXIT_SIGNAL_BASE + end->signal;
	}
	return EXIT_KVM_FAILED;
}

static void machine_log_nets(struct machine *m)
{
	const struct config *cfg = m->cfg;
	for (unsigned n = 0; n < cfg->net_count; n++) {
		char *text = netcard_describe(&m->backends.net[n], cfg, n);
		log_info("%s: %s", m->backends.net[n].id, text ? text : "");
		free(text);
	}
	for (unsigned i = 0; i < cfg->forward_count; i++) {
		char *text = netcard_describe_forward(&cfg->forward[i]);
		log_info("%s: %s", m->backends.net[netcard_published(cfg)].id, text ? text : "");
		free(text);
	}
}

static int machine_run(struct machine *m, struct err *err)
{
	if (m->backends.image) {
		log_info("kernel: %s", boot_image_how(m->backends.image));
		log_info("command line: %s", m->cmdline);
	}
	machine_log_nets(m);

	int error = machine_open_signals(m, err);
	if (!error)
		error = machine_open_front(m, err);
	if (!error)
		error = machine_start_timeout(m, err);
	do {
		if (!error)
			error = machine_run_once(m, err);
		if (machine_is_again(m))
			log_info("the guest asked for a reset");
	} while (!error && machine_is_again(m));

	machine_close_front(m);
	machine_close_signals(m);
	evloop_timer_destroy(m->timeout);
	if (error)
		return EXIT_NOT_STARTED;
	machine_tell_end(m);
	int status = machine_exit_code(&m->end);
	if (m->front && m->front->ops->judge)
		status = m->front->ops->judge(m->front, status);
	return machine_judge_screen(m, status, err);
}

int machine_main_front(const struct config *cfg, struct front *front, struct err *err)
{
	struct machine m = {.cfg = cfg, .front = front, .sigfd = -1};
	int status = EXIT_NOT_STARTED;

	if (machine_open_backends(&m, err) == 0)
		status = cfg->is_dry_run ? dryrun_show(cfg, &m.backends, m.cmdline, err)
					 : machine_run(&m, err);
	machine_close_backends(&m);
	return status;
}

int machine_main(const struct config *cfg, struct err *err)
{
	struct config fitted = *cfg;
	struct screen_front screen;
	if (cfg->kernel && !cfg->is_pc && boot_file_needs_pc(cfg->kernel) &&
	    config_make_pc(&fitted, err) != 0)
		return EXIT_NOT_STARTED;
	profile_apply(&fitted);
	screen_front_init(&screen, &fitted);
	bool has_front = fitted.is_pc || cfg->legacy.step_count;
	return machine_main_front(&fitted, has_front ? &screen.front : NULL, err);
}
