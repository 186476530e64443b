/*
 * Runs one command in a guest of QEMU's, with tinyvm's init, initramfs and end of the stream: what
 * they do against devices that are not tinyvm's.
 *
 *   vm [-v] [-32] [-m NAME]... [-t ROWSxCOLS] KEY=VALUE... -- MODULES-DIR QEMU-ARG... -- WORD...
 *
 * KEY=VALUE are instructions to the init (<spec/run_protocol.h>), -m names modules for it, and the
 * WORDs are the command. Standard streams are the command's. SIGINT goes to the command; SIGUSR1
 * makes its terminal one of 50 rows and 132 columns. -v reports on standard error what else the
 * guest says. Exits with the command's status, 128+n when signal n ended it, 125 when the init
 * failed, 124 after 180 s, and 123 when the guest ended without a word.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <tinyvm/chardev.h>
#include <tinyvm/device.h>
#include <tinyvm/err.h>
#include <tinyvm/initramfs.h>
#include <tinyvm/run_stream.h>
#include <unistd.h>

enum {
	STATUS_SILENT = 123,
	STATUS_TIMEOUT = 124,
	STATUS_FAILED = 125,
	TIMEOUT_S = 180,
	MODULES_MAX = 64,
	QEMU_ARGS_MAX = 128,
};

/**
 * struct vm - QEMU, seen as the device that the stream is plugged into
 * @to, @to_len: on their way to QEMU
 * @from, @from_at, @from_len: of QEMU's, that the stream has not taken yet
 * @input, @input_at, @input_len: standard input that the stream has not taken yet
 */
struct vm {
	struct device dev;
	struct run_stream *stream;
	int socket;
	pid_t qemu;
	bool is_verbose;
	bool is_over;
	bool is_input_open, is_input_wanted;
	int status;
	uint8_t to[65536], from[65536], input[65536];
	size_t to_len, from_at, from_len, input_at, input_len;
};

static volatile sig_atomic_t has_interrupt, has_resize, has_timeout;

static void handle_signal(int signo)
{
	if (signo == SIGINT)
		has_interrupt = 1;
	else if (signo == SIGUSR1)
		has_resize = 1;
	else
		has_timeout = 1;
}

__attribute__((noreturn)) static void fail(const char *what)
{
	fprintf(stderr, "vm: %s\n", what);
	exit(STATUS_SILENT);
}

/* What the guest says */

static size_t on_output(void *ctx, bool is_stderr, const uint8_t *buf, size_t len)
{
	(void)ctx;
	ssize_t n = write(is_stderr ? 2 : 1, buf, len);
	return n < 0 ? len : (size_t)n; /* nobody listens any more */
}

static void on_hello(void *ctx, const struct run_hello *hello, const char *release)
{
	struct vm *vm = ctx;
	if (vm->is_verbose)
		fprintf(stderr, "vm: hello from %s after %u ms\n", release,
			(unsigned)(hello->boottime_ns / 1000000));
}

static void on_started(void *ctx, const struct run_stamp *stamp)
{
	struct vm *vm = ctx;
	if (vm->is_verbose)
		fprintf(stderr, "vm: started after %u ms\n",
			(unsigned)(stamp->boottime_ns / 1000000));
}

static void on_input(void *ctx)
{
	struct vm *vm = ctx;
	vm->is_input_wanted = true;
}

static void on_status(void *ctx, const struct run_status *status)
{
	struct vm *vm = ctx;
	vm->status = status->is_signal ? 128 + (int)status->value : (int)status->value;
	if (vm->is_verbose)
		fprintf(stderr, "vm: status %d after %u ms, memory %u of %u MiB\n", vm->status,
			(unsigned)(status->boottime_ns / 1000000),
			(unsigned)(status->memory_peak_kib / 1024),
			(unsigned)(status->memory_total_kib / 1024));
}

static void on_bye(void *ctx, const struct run_stamp *stamp)
{
	struct vm *vm = ctx;
	if (vm->is_verbose)
		fprintf(stderr, "vm: bye after %u ms\n", (unsigned)(stamp->boottime_ns / 1000000));
}

static void on_log(void *ctx, const char *sentence)
{
	struct vm *vm = ctx;
	if (vm->is_verbose)
		fprintf(stderr, "vm: log: %s\n", sentence);
}

static void on_kernel(void *ctx, const char *line)
{
	const struct vm *vm = ctx;
	if (vm->is_verbose && line)
		fprintf(stderr, "vm: kernel: %s\n", line);
}

static void on_failed(void *ctx, const char *sentence)
{
	struct vm *vm = ctx;
	fprintf(stderr, "vm: init: %s\n", sentence);
	vm->status = STATUS_FAILED;
}

static void on_broken(void *ctx, const char *why)
{
	struct vm *vm = ctx;
	fprintf(stderr, "vm: %s\n", why);
	vm->is_over = true;
}

static const struct run_stream_client stream_client = {
	.output = on_output,
	.hello = on_hello,
	.started = on_started,
	.input = on_input,
	.status = on_status,
	.bye = on_bye,
	.log = on_log,
	.kernel = on_kernel,
	.failed = on_failed,
	.broken = on_broken,
};

/* The device's part */

static size_t port_room(void *ctx)
{
	const struct vm *vm = ctx;
	return sizeof(vm->to) - vm->to_len;
}

static void port_receive(void *ctx, const uint8_t *buf, size_t len)
{
	struct vm *vm = ctx;
	memcpy(vm->to + vm->to_len, buf, len);
	vm->to_len += len;
}

static void port_writable(void *ctx)
{
	struct vm *vm = ctx;
	vm->from_at += chardev_write(run_stream_to_chardev(vm->stream), vm->from + vm->from_at,
				     vm->from_len - vm->from_at);
}

static const struct chardev_client port_client = {
	.room = port_room,
	.receive = port_receive,
	.writable = port_writable,
};

static void take_from_qemu(struct vm *vm)
{
	if (vm->from_at == vm->from_len) {
		ssize_t n = recv(vm->socket, vm->from, sizeof(vm->from), MSG_DONTWAIT);
		if (n <= 0) {
			vm->is_over = n == 0 || errno != EAGAIN;
			return;
		}
		vm->from_at = 0;
		vm->from_len = (size_t)n;
	}
	run_stream_resume_output(vm->stream);
}

static void send_to_qemu(struct vm *vm)
{
	ssize_t n = send(vm->socket, vm->to, vm->to_len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n <= 0)
		return;
	memmove(vm->to, vm->to + n, vm->to_len - (size_t)n);
	vm->to_len -= (size_t)n;
	device_lock(&vm->dev);
	chardev_resume(run_stream_to_chardev(vm->stream));
	device_unlock(&vm->dev);
}

static void read_input(struct vm *vm)
{
	ssize_t n = read(0, vm->input, sizeof(vm->input));
	if (n < 0 && errno == EINTR)
		return;
	vm->input_at = 0;
	vm->input_len = n > 0 ? (size_t)n : 0;
	vm->is_input_open = n > 0;
	vm->is_input_wanted = true;
	if (n <= 0)
		run_stream_end_stdin(vm->stream);
}

static void pass_input(struct vm *vm)
{
	vm->is_input_wanted = false;
	vm->input_at += run_stream_stdin(vm->stream, vm->input + vm->input_at,
					 vm->input_len - vm->input_at);
	if (run_stream_is_stdin_closed(vm->stream)) {
		vm->is_input_open = false;
		vm->input_at = vm->input_len;
	}
}

static void carry(struct vm *vm)
{
	sigset_t none;
	sigemptyset(&none);
	while (!vm->is_over && !has_timeout) {
		bool is_input_due = vm->is_input_open && vm->input_at == vm->input_len;
		struct pollfd fds[] = {
			{vm->socket, (short)(POLLIN | (vm->to_len ? POLLOUT : 0)), 0},
			{is_input_due ? 0 : -1, POLLIN, 0},
		};
		int n = ppoll(fds, 2, NULL, &none);
		if (has_interrupt)
			run_stream_signal(vm->stream, SIGINT);
		if (has_resize)
			run_stream_resize(vm->stream, 50, 132);
		has_interrupt = has_resize = 0;
		if (n <= 0)
			continue;
		if (fds[1].revents)
			read_input(vm);
		if (fds[0].revents & (POLLIN | POLLHUP))
			take_from_qemu(vm);
		if (vm->is_input_wanted && vm->input_at < vm->input_len)
			pass_input(vm);
		if (vm->to_len)
			send_to_qemu(vm);
	}
}

/* Starting it */

/* Return: a memory file with the initramfs. */
static int make_initramfs(struct initramfs *ia)
{
	uint8_t *data;
	size_t size;
	int fd = memfd_create("initramfs", 0);
	if (initramfs_finish(ia, &data, &size) != 0 || fd < 0)
		fail("no initramfs");
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, data + done, size - done);
		if (n <= 0)
			fail("cannot write the initramfs");
		done += (size_t)n;
	}
	free(data);
	return fd;
}

static void start_qemu(struct vm *vm, char **args, unsigned count, int initramfs)
{
	int pair[2];
	char initrd[32], chardev[64];
	const char *argv[QEMU_ARGS_MAX];
	unsigned n = 0;
	static const char port[] = "virtserialport,chardev=run,name=" RUN_PORT_NAME;
	const char *const own[] = {"-initrd",  initrd,	"-device", "virtio-serial-pci",
				   "-chardev", chardev, "-device", port};
	if (count + sizeof(own) / sizeof(own[0]) >= QEMU_ARGS_MAX)
		fail("too many arguments for QEMU");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		fail("no socket");
	snprintf(initrd, sizeof(initrd), "/proc/self/fd/%d", initramfs);
	snprintf(chardev, sizeof(chardev), "socket,id=run,fd=%d", pair[1]);
	for (unsigned i = 0; i < count; i++)
		argv[n++] = args[i];
	for (unsigned i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		argv[n++] = own[i];
	argv[n] = NULL;
	vm->qemu = fork();
	if (vm->qemu < 0)
		fail("cannot fork");
	if (!vm->qemu) {
		int null = open("/dev/null", O_RDWR);
		sigset_t none;
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fcntl(pair[1], F_SETFD, 0);
		dup2(null, 0);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(STATUS_SILENT);
	}
	close(pair[1]);
	vm->socket = pair[0];
}

static void set_signals(void)
{
	static const int caught[] = {SIGINT, SIGUSR1, SIGALRM};
	struct sigaction action = {.sa_handler = handle_signal};
	sigset_t set;
	sigemptyset(&set);
	for (unsigned i = 0; i < 3; i++) {
		sigaction(caught[i], &action, NULL);
		sigaddset(&set, caught[i]);
	}
	sigprocmask(SIG_BLOCK, &set, NULL); /* delivered in ppoll() only */
	signal(SIGPIPE, SIG_IGN);
}

static void set(struct initramfs *ia, const char *key, const char *value)
{
	if (initramfs_set(ia, key, value) != 0)
		fail("out of memory");
}

int main(int argc, char **argv)
{
	static const struct device_ops dev_ops = {.type = "qemu"};
	static struct vm vm = {.status = STATUS_SILENT, .is_input_open = true};
	enum initramfs_found found[MODULES_MAX];
	const char *modules[MODULES_MAX];
	struct initramfs *ia;
	struct err err;
	unsigned count = 0;
	bool is_64bit = true;
	int at = 1;

	if (initramfs_create(&ia) != 0)
		fail("out of memory");
	for (; at < argc && strcmp(argv[at], "--") != 0; at++) {
		char *equals = strchr(argv[at], '=');
		if (strcmp(argv[at], "-v") == 0) {
			vm.is_verbose = true;
		} else if (strcmp(argv[at], "-32") == 0) {
			is_64bit = false;
		} else if (strcmp(argv[at], "-m") == 0 && at + 1 < argc && count < MODULES_MAX) {
			modules[count++] = argv[++at];
		} else if (strcmp(argv[at], "-t") == 0 && at + 1 < argc) {
			set(ia, "tty", argv[++at]);
		} else if (equals) {
			*equals = '\0';
			set(ia, argv[at], equals + 1);
		} else {
			fail("bad arguments");
		}
	}
	if (at + 2 >= argc)
		fail("bad arguments");
	char *modules_dir = argv[++at], **qemu = argv + ++at;
	while (at < argc && strcmp(argv[at], "--") != 0)
		at++;
	unsigned qemu_count = (unsigned)(argv + at - qemu);
	for (at++; at < argc; at++)
		set(ia, "arg", argv[at]);

	if (initramfs_add_init(ia, is_64bit) != 0)
		fail("no init");
	if (initramfs_add_modules(ia, modules_dir, modules, count, NULL, found, &err) != 0)
		fail(err.msg);
	for (unsigned i = 0; i < count; i++)
		if (found[i] == INITRAMFS_MISSING)
			fail(modules[i]);
	device_init(&vm.dev, &dev_ops, "qemu");
	if (run_stream_create(&vm.stream, &stream_client, &vm) != 0)
		fail("out of memory");
	chardev_attach(run_stream_to_chardev(vm.stream), &port_client, &vm, &vm.dev);

	set_signals();
	int initramfs = make_initramfs(ia);
	initramfs_destroy(ia);
	start_qemu(&vm, qemu, qemu_count, initramfs);
	alarm(TIMEOUT_S);
	carry(&vm);
	if (has_timeout) {
		fprintf(stderr, "vm: it took more than %d s\n", TIMEOUT_S);
		vm.status = STATUS_TIMEOUT;
	}
	kill(vm.qemu, SIGKILL);
	waitpid(vm.qemu, NULL, 0);
	chardev_destroy(run_stream_to_chardev(vm.stream));
	return vm.status;
}
