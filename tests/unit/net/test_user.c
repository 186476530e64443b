/*
 * User-mode networking: the helper's life with stand-ins for passt, and, where it is installed,
 * the real one in a network namespace of the test's own.
 */
#include "net_client.h"
#include "stream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <tinyvm/log.h>

/* What every stand-in begins with: it takes the frame that shows that it lives. */
#define SCRIPT_BEGIN "#!/bin/sh\nPATH=/usr/bin:/bin\ncd ${0%/*}\n"
#define TAKES_FRAME  "head -c 64 <&3 >/dev/null\n"

static char dir[64];
static struct err err;
static struct net_client client;
static int saved_stderr;

/* A directory that is all of PATH. */
static void set_up(void)
{
	strcpy(dir, "/tmp/tinyvm-user-XXXXXX");
	if (!mkdtemp(dir) || setenv("PATH", dir, 1) != 0)
		abort();
}

static bool has_no_children(void)
{
	return waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
}

/* The first child of a process that has just one. */
static pid_t only_child(void)
{
	char path[64], text[64] = "";
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
}

static void tear_down(void)
{
	char command[100];
	/* What a failed test has left must not be taken for the next one's. */
	for (pid_t pid; (pid = only_child()) > 0;) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	snprintf(command, sizeof(command), "PATH=/usr/bin:/bin rm -r '%s'", dir);
	if (system(command) != 0)
		abort();
}

static const char *in_dir(const char *name)
{
	static char path[128];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

/* Makes a stand-in for passt. */
static void install(const char *body)
{
	int fd = open(in_dir("passt"), O_WRONLY | O_CREAT | O_TRUNC, 0755);
	if (fd < 0 || dprintf(fd, "%s%s", SCRIPT_BEGIN, body) < 0)
		abort();
	close(fd);
}

/* The contents of a file that a stand-in has left. */
static const char *left(const char *name)
{
	static char text[8192];
	int fd = open(in_dir(name), O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	close(fd);
	return text;
}

static struct netif *open_with(const struct net_forward *forward, unsigned count, uint16_t mtu)
{
	struct netif *nif = NULL;
	err = (struct err){0};
	return net_user_open(&nif, forward, count, mtu, "net0", &err) == 0 ? nif : NULL;
}

static struct netif *open_plain(void)
{
	return open_with(NULL, 0, 0);
}

/* Whatever is printed goes to a file in the directory. */
static void capture(void)
{
	int fd = open(in_dir("stderr"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
	saved_stderr = dup(STDERR_FILENO);
	dup2(fd, STDERR_FILENO);
	close(fd);
}

static const char *captured(void)
{
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	return left("stderr");
}

/* Until it has ended; it stays to be reaped. Its socket tells before that. */
static void await_end(pid_t pid)
{
	siginfo_t info;
	while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
}

static unsigned lines_of(const char *text)
{
	unsigned n = 0;
	for (; *text; text++)
		n += *text == '\n';
	return n;
}

WITH_DEVICE(test_passt_is_told_to_forward_nothing)
{
	install("printf '%s\\n' \"$@\" >args\nexec cat <&3 >/dev/null\n");
	struct netif *nif = open_plain();
	CHECK(nif);
	CHECK_STR(left("args"), "--foreground\n--quiet\n--fd\n3\n-t\nnone\n-u\nnone\n");
	CHECK(nif->is_up);
	CHECK(nif->is_checked);
	CHECK_EQ(nif->offloads, 0);
	CHECK_EQ(nif->queues, 1);
	netif_destroy(nif);
	CHECK(has_no_children());
}

WITH_DEVICE(test_passt_is_told_the_forwards_and_the_mtu)
{
	static const struct net_forward forward[] = {
		{.addr = "127.0.0.1", .host_port = 22022, .guest_port = 22},
		{.addr = "::1", .host_port = 22080, .guest_port = 80},
		{.addr = "0.0.0.0", .host_port = 22022, .guest_port = 53, .is_udp = true},
	};
	install("printf '%s\\n' \"$@\" >args\nexec cat <&3 >/dev/null\n");
	struct netif *nif = open_with(forward, 3, 1400);
	CHECK_STR(err.msg, "");
	CHECK_STR(left("args"), "--foreground\n--quiet\n--fd\n3\n--mtu\n1400\n"
				"-t\n127.0.0.1/22022:22\n-t\n::1/22080:80\n-u\n0.0.0.0/22022:53\n");
	netif_destroy(nif);
}

WITH_DEVICE(test_passt_has_its_socket_and_nothing_else_of_ours)
{
	int leak = open("/dev/null", O_RDONLY);
	sigset_t all, old;
	sigfillset(&all);
	install("ls /proc/self/fd >fds\ncat /proc/self/status >status\ncat /proc/$$/stat >stat\n"
		"exec cat <&3 >/dev/null\n");
	sigprocmask(SIG_BLOCK, &all, &old);
	void (*handler)(int) = signal(SIGPIPE, SIG_IGN);
	struct netif *nif = open_plain();
	signal(SIGPIPE, handler);
	sigprocmask(SIG_SETMASK, &old, NULL);
	close(leak);
	CHECK_STR(left("fds"), "0\n1\n2\n3\n4\n"); /* 4 is what ls reads */
	CHECK(strstr(left("status"), "SigBlk:\t0000000000000000\n"));
	const char *ignored = strstr(left("status"), "SigIgn:");
	CHECK(ignored);
	/* All but 32 and 33, which are the C library's, and which its posix_spawn() leaves ignored.
	 */
	CHECK_EQ(strtoull(ignored + 7, NULL, 16) & ~(3ull << 31), 0);
	pid_t pid, parent, group, session;
	CHECK_EQ(sscanf(left("stat"), "%d (passt) %*c %d %d %d", &pid, &parent, &group, &session),
		 4);
	CHECK_EQ(parent, getpid());
	CHECK_EQ(group, pid);
	CHECK_EQ(session, pid);
	netif_destroy(nif);
}

WITH_DEVICE(test_our_descriptors_may_be_those_that_passt_gets)
{
	install("ls /proc/self/fd >fds\nexec cat <&3 >/dev/null\n");
	pid_t pid = fork();
	if (pid == 0) {
		for (int fd = 0; fd < 10; fd++)
			close(fd);
		struct netif *nif = open_plain();
		_exit(nif && nif->is_up ? 0 : 1);
	}
	int status = -1;
	waitpid(pid, &status, 0);
	CHECK_EQ(status, 0);
	CHECK_STR(left("fds"), "0\n1\n2\n3\n4\n");
}

WITH_DEVICE(test_a_missing_passt_names_the_package)
{
	CHECK(!open_plain());
	CHECK_EQ(err.code, -ENOENT);
	CHECK_STR(err.msg, "--net user: passt is not installed; install it with: apt-get install "
			   "passt");
	CHECK(has_no_children());
}

WITH_DEVICE(test_a_passt_that_may_not_be_run_is_another_sentence)
{
	install("");
	chmod(in_dir("passt"), 0600);
	CHECK(!open_plain());
	CHECK_EQ(err.code, -EACCES);
	CHECK(strstr(err.msg, "cannot be executed"));
	CHECK(has_no_children());
}

WITH_DEVICE(test_a_passt_that_refuses_is_quoted)
{
	install("echo \"Failed to send 47 bytes to syslog\" >&2\n"
		"echo \"Don't run as root. Changing to nobody...\" >&2\n"
		"printf '\\nNo route\\001here\\n' >&2\nprintf 'not usable' >&2\nexit 1\n");
	CHECK(!open_plain());
	CHECK_EQ(err.code, -EIO);
	CHECK_STR(err.msg, "--net user: passt did not start: No route here; not usable");
	CHECK(has_no_children());
}

WITH_DEVICE(test_a_passt_that_says_much_or_nothing_is_survived)
{
	install("seq 100000 >&2\nexit 1\n");
	CHECK(!open_plain());
	CHECK_EQ(err.code, -EIO);
	CHECK(strstr(err.msg, ": 1; 2; 3"));
	install("exit 1\n");
	CHECK(!open_plain());
	CHECK(strstr(err.msg, "it did not say why"));
	install("kill -9 $$\n");
	CHECK(!open_plain());
	CHECK(strstr(err.msg, "killed by signal 9"));
	CHECK(has_no_children());
}

WITH_DEVICE(test_frames_pass)
{
	install("exec cat <&3 >&3\n");
	client_open(&client, open_plain());
	CHECK(client_wait(&client, &client.count, 1, 10000)); /* the one of the start */
	CHECK_EQ(client_send(&client, 1514, 1), 0);
	CHECK_EQ(client_send(&client, 65535, 2), 0);
	CHECK_EQ(client_send(&client, 65536, 3), 0); /* passt would hang up */
	CHECK(client_wait(&client, &client.count, 3, 10000));
	CHECK(client_has(&client, 1, 1514, 1));
	CHECK(client_has(&client, 2, 65535, 2));
	CHECK_EQ(client.nif->dropped, 1);
	client_close(&client);
	CHECK(has_no_children());
}

WITH_DEVICE(test_an_end_of_passt_is_said_once_and_takes_the_link_down)
{
	mkfifo(in_dir("fifo"), 0600);
	install(TAKES_FRAME "read x <fifo\necho first >&2\necho 'no more memory' >&2\nexit 3\n");
	client_open(&client, open_plain());
	close(open(in_dir("fifo"), O_WRONLY));
	await_end(only_child());
	capture();
	bool is_settled = client_settle(&client);
	const char *said = captured();
	CHECK(is_settled);
	CHECK_EQ(client.changed, 1);
	CHECK_STR(said,
		  "tinyvm: net0: passt has ended (exit status 3: no more memory): the network is "
		  "down\n");
	CHECK(!client.nif->is_up);
	CHECK(has_no_children());
	CHECK_EQ(client_send(&client, 60, 1), 0);
	CHECK_EQ(client.nif->dropped, 1);
	CHECK_EQ(client.changed, 1);
	client_close(&client);
}

WITH_DEVICE(test_a_killed_passt_is_noticed_after_a_detach)
{
	install(TAKES_FRAME "echo 'all is well' >&2\nexec cat <&3 >/dev/null\n");
	client_open(&client, open_plain());
	CHECK_EQ(client_detach(&client), 0);
	pid_t pid = only_child();
	CHECK(pid > 0 && kill(pid, SIGKILL) == 0);
	await_end(pid);
	CHECK_EQ(client_attach(&client), 0);
	capture();
	bool is_settled = client_settle(&client);
	const char *said = captured();
	CHECK(is_settled);
	CHECK_EQ(client.changed, 1);
	CHECK_EQ(lines_of(said), 1);
	CHECK(strstr(said, "killed by signal 9"));
	CHECK(!client.nif->is_up);
	CHECK(has_no_children());
	CHECK_EQ(client_detach(&client), 0);
	CHECK_EQ(client_attach(&client), 0);
	client_close(&client);
}

WITH_DEVICE(test_an_ignored_sigchld_loses_only_the_status)
{
	void (*handler)(int) = signal(SIGCHLD, SIG_IGN);
	install("echo sorry >&2\nexit 1\n");
	CHECK(!open_plain());
	CHECK(strstr(err.msg, "sorry"));
	install("exec cat <&3 >/dev/null\n");
	struct netif *nif = open_plain();
	CHECK(nif);
	netif_destroy(nif);
	signal(SIGCHLD, handler);
	CHECK(has_no_children());
}

WITH_DEVICE(test_what_passt_says_while_it_runs_is_for_debugging)
{
	mkfifo(in_dir("fifo"), 0600);
	install(TAKES_FRAME
		"echo 'a lease' >&2\nexec 2>&-\nread x <fifo\nexec cat <&3 >/dev/null\n");
	client_open(&client, open_plain());
	close(open(in_dir("fifo"), O_WRONLY)); /* waits for its reader */
	log_set_level(LOG_DEBUG);
	capture();
	bool is_settled = client_settle(&client);
	const char *said = captured();
	log_set_level(LOG_WARN);
	CHECK(is_settled);
	CHECK(strstr(said, "tinyvm: net0: passt: a lease\n"));
	CHECK(client.nif->is_up);
	client_close(&client);
}

WITH_DEVICE(test_a_passt_that_does_not_end_is_killed)
{
	install(TAKES_FRAME "exec sleep 1000\n");
	struct netif *nif = open_plain();
	CHECK(nif);
	netif_destroy(nif);
	CHECK(has_no_children());
}

/* Whether @pid, an orphan that is now ours, ends. */
static bool ends(pid_t pid)
{
	const struct timespec tick = {0, 10000000};
	for (unsigned i = 0; i < 1000; i++) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return true;
		nanosleep(&tick, NULL);
	}
	return false;
}

/* A process that opens the network, and is killed when the stand-in has told its pid. */
static bool dies_with_its_parent(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid_t pid = fork();
	if (pid == 0) {
		struct netif *nif = open_plain();
		pause();
		netif_destroy(nif);
		_exit(0);
	}
	char text[32] = "";
	int fd = open(in_dir("fifo"), O_RDONLY);
	pid_t helper = read(fd, text, sizeof(text) - 1) > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
	close(fd);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	bool is_gone = helper > 0 && ends(helper);
	if (!is_gone && helper > 0)
		kill(helper, SIGKILL);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	return is_gone;
}

WITH_DEVICE(test_passt_ends_with_a_process_that_is_killed)
{
	mkfifo(in_dir("fifo"), 0600);
	install(TAKES_FRAME "echo $$ >fifo\nexec cat <&3 >/dev/null\n");
	CHECK(dies_with_its_parent());
	/* Also before it looks at its socket. */
	install("echo $$ >fifo\nexec sleep 1000\n");
	CHECK(dies_with_its_parent());
}

/* Ports. */

static int listen_at(int type, const char *addr, uint16_t *port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(*port)};
	socklen_t len = sizeof(sin);
	inet_pton(AF_INET, addr, &sin.sin_addr);
	int fd = socket(AF_INET, type, 0);
	const int one = 1;
	/* As passt does. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    bind(fd, (struct sockaddr *)&sin, sizeof(sin)) != 0 ||
	    (type == SOCK_STREAM && listen(fd, 1) != 0) ||
	    getsockname(fd, (struct sockaddr *)&sin, &len) != 0)
		abort();
	*port = ntohs(sin.sin_port);
	return fd;
}

WITH_DEVICE(test_a_port_in_use_is_a_sentence)
{
	char want[200];
	uint16_t port = 0;
	int fd = listen_at(SOCK_STREAM, "127.0.0.1", &port);
	struct net_forward forward = {.addr = "127.0.0.1", .host_port = port, .guest_port = 22};
	CHECK(!open_with(&forward, 1, 0));
	CHECK_EQ(err.code, -EADDRINUSE);
	snprintf(want, sizeof(want),
		 "-p 127.0.0.1:%u:22: TCP port %u is in use on this host; choose another", port,
		 port);
	CHECK_STR(err.msg, want);
	forward.addr = "0.0.0.0";
	CHECK(!open_with(&forward, 1, 0));
	CHECK_EQ(err.code, -EADDRINUSE);
	close(fd);

	port = 0;
	fd = listen_at(SOCK_DGRAM, "127.0.0.1", &port);
	forward = (struct net_forward){"127.0.0.1", port, 53, true};
	CHECK(!open_with(&forward, 1, 0));
	CHECK_EQ(err.code, -EADDRINUSE);
	CHECK(strstr(err.msg, "UDP port"));
	close(fd);
}

WITH_DEVICE(test_a_port_with_a_lingering_connection_is_free)
{
	uint16_t port = 0;
	int listener = listen_at(SOCK_STREAM, "127.0.0.1", &port);
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(port)};
	inet_pton(AF_INET, "127.0.0.1", &sin.sin_addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	close(accept(listener, NULL, NULL)); /* closed on this side first: TIME_WAIT is here */
	close(fd);
	close(listener);
	install("exec cat <&3 >/dev/null\n");
	const struct net_forward forward = {"127.0.0.1", port, 22, false};
	struct netif *nif = open_with(&forward, 1, 0);
	CHECK_STR(err.msg, "");
	netif_destroy(nif);
}

WITH_DEVICE(test_a_privileged_port_is_a_sentence)
{
	const struct net_forward forward = {"127.0.0.1", 80, 8080, false};
	pid_t pid = fork();
	if (pid == 0) {
		if (geteuid() == 0 && setuid(65534) != 0)
			_exit(2);
		bool is_refused = !open_with(&forward, 1, 0) && err.code == -EACCES &&
				  strstr(err.msg, "-p 127.0.0.1:80:8080: port 80 is privileged") &&
				  strstr(err.msg, "net.ipv4.ip_unprivileged_port_start");
		_exit(is_refused ? 0 : 1);
	}
	int status = -1;
	waitpid(pid, &status, 0);
	CHECK_EQ(status, 0);
}

WITH_DEVICE(test_addresses_that_cannot_be_are_sentences)
{
	struct net_forward forward = {"203.0.113.77", 22022, 22, false};
	CHECK(!open_with(&forward, 1, 0));
	CHECK_EQ(err.code, -EADDRNOTAVAIL);
	CHECK_STR(err.msg, "-p 203.0.113.77:22022:22: 203.0.113.77 is not an address of this host");
	forward.addr = "2001:db8::77";
	forward.is_udp = true;
	CHECK(!open_with(&forward, 1, 0));
	CHECK(err.code == -EADDRNOTAVAIL || err.code == -EAFNOSUPPORT);
	CHECK(strstr(err.msg, "-p [2001:db8::77]:22022:22/udp: "));
	forward.addr = "localhost";
	CHECK(!open_with(&forward, 1, 0));
	CHECK_EQ(err.code, -EINVAL);
	CHECK(strstr(err.msg, "'localhost' is not an IP address"));
}

WITH_DEVICE(test_a_port_twice_is_a_sentence)
{
	struct net_forward forward[] = {
		{"127.0.0.1", 22022, 22, false},
		{"127.0.0.1", 22022, 22, true},
		{"0.0.0.0", 22022, 23, false},
	};
	CHECK(!open_with(forward, 3, 0));
	CHECK_EQ(err.code, -EEXIST);
	CHECK(strstr(err.msg, "-p 0.0.0.0:22022:23: TCP port 22022 is forwarded twice"));
}

/* The real one. */

/* An interface with an address and a default route, as passt needs one. Return: whether it is. */
static bool make_network(void)
{
	struct ifreq ifr = {.ifr_name = "net0"};
	struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY, .rt_dev = ifr.ifr_name};
	struct sockaddr_in *addr = (struct sockaddr_in *)&ifr.ifr_addr;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	int tun = open("/dev/net/tun", O_RDWR); /* kept: the interface goes with it */
	ifr.ifr_flags = IFF_TAP | IFF_NO_PI;
	if (ioctl(fd, SIOCBRADDBR, ifr.ifr_name) != 0 && ioctl(tun, TUNSETIFF, &ifr) != 0)
		return false;
	ifr.ifr_flags = IFF_UP;
	bool is_up = ioctl(fd, SIOCSIFFLAGS, &ifr) == 0;
	strcpy(ifr.ifr_name, "lo");
	is_up &= ioctl(fd, SIOCSIFFLAGS, &ifr) == 0;
	strcpy(ifr.ifr_name, "net0");
	memset(&ifr.ifr_addr, 0, sizeof(ifr.ifr_addr));
	addr->sin_family = AF_INET;
	inet_pton(AF_INET, "10.0.2.15", &addr->sin_addr);
	is_up &= ioctl(fd, SIOCSIFADDR, &ifr) == 0;
	inet_pton(AF_INET, "255.255.255.0", &addr->sin_addr);
	is_up &= ioctl(fd, SIOCSIFNETMASK, &ifr) == 0;
	addr = (struct sockaddr_in *)&route.rt_dst;
	addr->sin_family = AF_INET;
	memcpy(&route.rt_genmask, &route.rt_dst, sizeof(route.rt_dst));
	addr = (struct sockaddr_in *)&route.rt_gateway;
	addr->sin_family = AF_INET;
	inet_pton(AF_INET, "10.0.2.2", &addr->sin_addr);
	is_up &= ioctl(fd, SIOCADDRT, &route) == 0;
	close(fd);
	return is_up;
}

/* Root in namespaces of its own. */
static bool enter_namespaces(void)
{
	char map[64];
	uid_t uid = geteuid();
	gid_t gid = getegid();
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
		return false;
	int fd = open("/proc/self/setgroups", O_WRONLY);
	bool is_mapped = write(fd, "deny", 4) == 4;
	close(fd);
	snprintf(map, sizeof(map), "0 %u 1", uid);
	fd = open("/proc/self/uid_map", O_WRONLY);
	is_mapped &= write(fd, map, strlen(map)) > 0;
	close(fd);
	snprintf(map, sizeof(map), "0 %u 1", gid);
	fd = open("/proc/self/gid_map", O_WRONLY);
	is_mapped &= write(fd, map, strlen(map)) > 0;
	close(fd);
	return is_mapped;
}

enum {
	REAL_OK,
	REAL_FAILED,
	REAL_SKIPPED
};

/* Runs @fn in a child, in a network with @has_route or without. */
static int run_real(int (*fn)(void), bool has_route)
{
	pid_t pid = fork();
	if (pid == 0) {
		setenv("PATH", "/usr/bin:/bin:/usr/local/bin", 1);
		if (access("/usr/bin/passt", X_OK) != 0 || !enter_namespaces() ||
		    (has_route && !make_network()))
			_exit(REAL_SKIPPED);
		_exit(fn());
	}
	int status = -1;
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == REAL_SKIPPED)
		printf("     without passt, or namespaces to run it in\n");
	return WIFEXITED(status) ? WEXITSTATUS(status) : REAL_FAILED;
}

#define REAL_CHECK(cond)                                                            \
	do {                                                                        \
		if (!(cond)) {                                                      \
			test_failed(__FILE__, __LINE__, "%s (%s)", #cond, err.msg); \
			return REAL_FAILED;                                         \
		}                                                                   \
	} while (0)

/* Whether a frame of @ethertype came that has @value at @at. */
static bool got_frame(const struct net_client *c, uint16_t ethertype, size_t at, uint16_t value)
{
	for (unsigned i = 0; i < c->count; i++) {
		const uint8_t *f = c->frame[i];
		if (c->len[i] >= at + 2 && f[12] == ethertype >> 8 && f[13] == (ethertype & 255) &&
		    f[at] == value >> 8 && f[at + 1] == (value & 255))
			return true;
	}
	return false;
}

static bool waits_for_frame(uint16_t ethertype, size_t at, uint16_t value)
{
	while (!got_frame(&client, ethertype, at, value)) {
		if (!client_wait(&client, &client.count, client.count + 1, 5000))
			return false;
	}
	return true;
}

static int real_traffic(void)
{
	static const struct net_forward forward[] = {
		{"127.0.0.1", 22022, 2222, false},
		{"127.0.0.1", 22053, 5353, true},
	};
	uint8_t arp[60] = {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0,	 1, 8, 6,
			   0,	1,   8,	  0,   6,   4,	 0, 1, 2, 0, 0,	 0, 0, 1,
			   10,	0,   2,	  15,  0,   0,	 0, 0, 0, 0, 10, 0, 2, 2};
	const struct iovec iov = {arp, sizeof(arp)};
	struct netif *nif = open_with(forward, 2, 1500);
	REAL_CHECK(nif);
	client_open(&client, nif);

	/* Its gateway answers: opcode 2. */
	REAL_CHECK(client_send_iov(&client, &iov, 1, sizeof(arp)) == 0);
	REAL_CHECK(waits_for_frame(0x0806, 20, 2));

	/* A connection to the host's port is one to the guest's. */
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(22022)};
	inet_pton(AF_INET, "127.0.0.1", &sin.sin_addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	REAL_CHECK(connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0);
	REAL_CHECK(waits_for_frame(0x0800, 14 + 20 + 2, 2222));
	close(fd);
	sin.sin_port = htons(22053);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	REAL_CHECK(sendto(fd, "hello", 5, 0, (struct sockaddr *)&sin, sizeof(sin)) == 5);
	REAL_CHECK(waits_for_frame(0x0800, 14 + 20 + 2, 5353));
	close(fd);

	/* What is not forwarded is not. */
	sin.sin_port = htons(22054);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	REAL_CHECK(connect(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 && errno == ECONNREFUSED);
	close(fd);

	pid_t pid = only_child();
	REAL_CHECK(pid > 0 && kill(pid, SIGKILL) == 0);
	await_end(pid);
	REAL_CHECK(client_settle(&client));
	REAL_CHECK(client.changed == 1);
	REAL_CHECK(!client.nif->is_up);
	REAL_CHECK(has_no_children());
	client_close(&client);
	return REAL_OK;
}

static int real_end_by_sigkill(void)
{
	int pipes[2];
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	REAL_CHECK(pipe2(pipes, O_CLOEXEC) == 0);
	pid_t pid = fork(), helper = 0;
	if (pid == 0) {
		struct netif *nif = open_plain();
		helper = nif ? only_child() : -1;
		if (write(pipes[1], &helper, sizeof(helper)) != sizeof(helper))
			_exit(1);
		pause();
	}
	REAL_CHECK(read(pipes[0], &helper, sizeof(helper)) == sizeof(helper));
	REAL_CHECK(helper > 0 && kill(helper, 0) == 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	REAL_CHECK(ends(helper));
	return REAL_OK;
}

static int real_end_in_good_order(void)
{
	struct netif *nif = open_plain();
	REAL_CHECK(nif);
	netif_destroy(nif);
	REAL_CHECK(has_no_children());
	return REAL_OK;
}

/* Newer versions serve the guest without a route. */
static int real_without_a_route(void)
{
	struct netif *nif = open_plain();
	REAL_CHECK(nif || (err.code == -EIO && strstr(err.msg, "passt did not start: ")));
	REAL_CHECK(nif || strstr(err.msg, "interface"));
	netif_destroy(nif);
	REAL_CHECK(has_no_children());
	return REAL_OK;
}

static void test_real_passt_answers_and_forwards(void)
{
	CHECK(run_real(real_traffic, true) != REAL_FAILED);
}

static void test_real_passt_ends_with_a_process_that_is_killed(void)
{
	CHECK(run_real(real_end_by_sigkill, true) != REAL_FAILED);
}

static void test_real_passt_ends_in_good_order(void)
{
	CHECK(run_real(real_end_in_good_order, true) != REAL_FAILED);
}

static void test_real_passt_without_a_route_is_quoted(void)
{
	CHECK(run_real(real_without_a_route, false) != REAL_FAILED);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_passt_is_told_to_forward_nothing),
		TEST_CASE(test_passt_is_told_the_forwards_and_the_mtu),
		TEST_CASE(test_passt_has_its_socket_and_nothing_else_of_ours),
		TEST_CASE(test_our_descriptors_may_be_those_that_passt_gets),
		TEST_CASE(test_a_missing_passt_names_the_package),
		TEST_CASE(test_a_passt_that_may_not_be_run_is_another_sentence),
		TEST_CASE(test_a_passt_that_refuses_is_quoted),
		TEST_CASE(test_a_passt_that_says_much_or_nothing_is_survived),
		TEST_CASE(test_frames_pass),
		TEST_CASE(test_an_end_of_passt_is_said_once_and_takes_the_link_down),
		TEST_CASE(test_a_killed_passt_is_noticed_after_a_detach),
		TEST_CASE(test_an_ignored_sigchld_loses_only_the_status),
		TEST_CASE(test_what_passt_says_while_it_runs_is_for_debugging),
		TEST_CASE(test_a_passt_that_does_not_end_is_killed),
		TEST_CASE(test_passt_ends_with_a_process_that_is_killed),
		TEST_CASE(test_a_port_in_use_is_a_sentence),
		TEST_CASE(test_a_port_with_a_lingering_connection_is_free),
		TEST_CASE(test_a_privileged_port_is_a_sentence),
		TEST_CASE(test_addresses_that_cannot_be_are_sentences),
		TEST_CASE(test_a_port_twice_is_a_sentence),
		TEST_CASE(test_real_passt_answers_and_forwards),
		TEST_CASE(test_real_passt_ends_with_a_process_that_is_killed),
		TEST_CASE(test_real_passt_ends_in_good_order),
		TEST_CASE(test_real_passt_without_a_route_is_quoted),
	};
	return TEST_RUN(cases);
}
