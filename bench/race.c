/*
 * race: run several commands in turn, many times, and compare how long they take.
 *
 *	race [-n RUNS] [-m MARKER] [-k] [-w SECONDS] [-z MIB] NAME COMMAND [ARG...] -- NAME ...
 *
 * Each round runs every contender once, in the order given, so that a noisy machine is noisy for
 * all. Times are from just before fork and exec: to MARKER on the contender's output (standard
 * output and error together), and to its exit. The first contender is the one compared: the ratios
 * are its medians over the best of the others'. A run without the marker, or one that takes longer
 * than SECONDS, counts as failed and is said so. With -k a command that never ends by itself is
 * killed once it has printed the marker. With -z that much memory is taken, zeroed and given back
 * before each run. In the lab, memory in which somebody has run code costs QEMU's translator many
 * times the usual to be written to the first time; so all find memory of the usual kind.
 *
 * Last line: `ratio marker M exit E` (only those that were measured).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CONTENDER_MAX 8
#define RUN_MAX	      1000

struct contender {
	const char *name;
	char **argv;
	double marker_ms[RUN_MAX];
	double exit_ms[RUN_MAX];
	unsigned runs, failures;
};

static double now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), by_value);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static pid_t start(char **argv, int out)
{
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	int in = open("/dev/null", O_RDONLY);
	setpgid(0, 0);
	if (!argv[0]) /* parse() saw to that */
		_exit(127);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execvp(argv[0], argv);
	fprintf(stderr, "race: %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/*
 * Reads until the output closes. Marker time in *@ret_marker, 0 when it never came. The output's
 * tail stays in @tail for the report of a failure.
 */
static bool watch(int fd, const char *marker, bool is_enough, double begin, double limit_ms,
		  double *ret_marker, char *tail, size_t tail_size)
{
	size_t len = 0;
	*ret_marker = 0;
	memset(tail, 0, tail_size);
	for (;;) {
		struct pollfd pfd = {.fd = fd, .events = POLLIN};
		double left = begin + limit_ms - now_ms();
		if (left <= 0 || poll(&pfd, 1, (int)left + 1) < 0)
			return false;
		if (!pfd.revents)
			continue;
		if (len == tail_size - 1) {
			memmove(tail, tail + tail_size / 2, len - tail_size / 2);
			len -= tail_size / 2;
			memset(tail + len, 0, tail_size - len);
		}
		ssize_t n = read(fd, tail + len, tail_size - 1 - len);
		if (n <= 0)
			return true;
		/* Only what is new, and what may have come of the marker before: watching costs
		 * time. */
		size_t back = marker ? strlen(marker) : 0;
		size_t from = len > back ? len - back : 0;
		len += (size_t)n;
		if (marker && *ret_marker == 0 && memmem(tail + from, len - from, marker, back))
			*ret_marker = now_ms() - begin;
		if (*ret_marker > 0 && is_enough)
			return true;
	}
}

static void wash(size_t bytes)
{
	void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (bytes && map != MAP_FAILED)
		munmap(map, bytes);
}

static void run(struct contender *c, const char *marker, bool is_killed, double limit_ms)
{
	static char tail[65536];
	int fd[2], status;
	double at_marker;

	if (pipe2(fd, O_CLOEXEC) != 0) {
		perror("race: pipe");
		exit(1);
	}
	double begin = now_ms();
	pid_t pid = start(c->argv, fd[1]);
	close(fd[1]);
	bool is_done =
		watch(fd[0], marker, is_killed, begin, limit_ms, &at_marker, tail, sizeof(tail));
	if (!is_done || is_killed)
		kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
	double at_exit = now_ms() - begin;
	close(fd[0]);

	if (!is_done || (marker && !at_marker) ||
	    (WIFEXITED(status) && WEXITSTATUS(status) == 127)) {
		size_t len = strnlen(tail, sizeof(tail));
		c->failures++;
		fprintf(stderr, "race: %s failed; the end of its output:\n%s\n", c->name,
			tail + (len > 800 ? len - 800 : 0));
		return;
	}
	c->marker_ms[c->runs] = at_marker;
	c->exit_ms[c->runs++] = at_exit;
}

static unsigned parse(int argc, char **argv, int at, struct contender *c)
{
	unsigned count = 0;
	while (at < argc && count < CONTENDER_MAX) {
		if (argc - at < 2)
			return 0;
		if (strcmp(argv[at + 1], "--") == 0)
			return 0;
		c[count].name = argv[at];
		c[count++].argv = &argv[at + 1];
		while (at < argc && strcmp(argv[at], "--") != 0)
			at++;
		if (at < argc)
			argv[at++] = NULL;
	}
	return count;
}

static double best(const double *median_ms, unsigned count)
{
	double least = 0;
	for (unsigned i = 1; i < count; i++)
		if (median_ms[i] > 0 && (least == 0 || median_ms[i] < least))
			least = median_ms[i];
	return least;
}

static int report(struct contender *c, unsigned count, bool has_marker)
{
	double marker[CONTENDER_MAX] = {0}, finish[CONTENDER_MAX] = {0};
	int failures = 0;

	for (unsigned i = 0; i < count; i++) {
		failures += c[i].failures != 0;
		marker[i] = c[i].runs && has_marker ? median(c[i].marker_ms, c[i].runs) : 0;
		finish[i] = c[i].runs ? median(c[i].exit_ms, c[i].runs) : 0;
		printf("%-16s", c[i].name);
		if (marker[i] > 0)
			printf(" marker %9.1f ms", marker[i]);
		if (c[i].runs)
			printf(" exit %9.1f ms (%.1f to %.1f)", finish[i], c[i].exit_ms[0],
			       c[i].exit_ms[c[i].runs - 1]);
		printf(" %u runs, %u failed\n", c[i].runs, c[i].failures);
	}
	if (!finish[0] || !best(finish, count))
		return 1;
	printf("ratio");
	if (has_marker)
		printf(" marker %.3f", marker[0] / best(marker, count));
	printf(" exit %.3f\n", finish[0] / best(finish, count));
	return failures != 0;
}

int main(int argc, char **argv)
{
	static struct contender c[CONTENDER_MAX];
	unsigned runs = 5;
	double limit_ms = 120e3;
	size_t washed = 0;
	const char *marker = NULL;
	bool is_killed = false;
	int opt;

	while ((opt = getopt(argc, argv, "+n:m:kw:z:")) != -1) {
		if (opt == 'n')
			runs = (unsigned)atoi(optarg);
		else if (opt == 'm')
			marker = optarg;
		else if (opt == 'k')
			is_killed = true;
		else if (opt == 'w')
			limit_ms = atof(optarg) * 1e3;
		else if (opt == 'z')
			washed = strtoull(optarg, NULL, 10) << 20;
		else
			return 2;
	}
	unsigned count = parse(argc, argv, optind, c);
	if (count < 1 || runs < 1 || runs > RUN_MAX) {
		fputs("usage: race [-n RUNS] [-m MARKER] [-k] [-w SECONDS] [-z MIB] "
		      "NAME COMMAND... [-- NAME COMMAND...]...\n",
		      stderr);
		return 2;
	}
	for (unsigned r = 0; r < runs; r++)
		for (unsigned i = 0; i < count; i++) {
			wash(washed);
			run(&c[i], marker, is_killed, limit_ms);
		}
	return report(c, count, marker != NULL);
}
