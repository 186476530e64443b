/*
 * The result of a `tinyvm run` as JSON (RFC 8259), for programs. What the file holds is valid at
 * any time, however the process ends, and when the disk is full; it is written in place, as it may
 * be one without a name.
 */
#include "escape.h"
#include "run_parts.h"
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tinyvm/err.h>
#include <unistd.h>

#define NS_PER_MS  1000000u
#define UNFINISHED "{\"verdict\": \"unfinished\"}\n"

static void report_string(FILE *out, const char *text)
{
	escape_json(out, text, strlen(text));
}

static const char *report_verdict(const struct session *s, int status)
{
	if (session_has_lost_output(s, NULL))
		return "output lost";
	if (session_has_status(s))
		return s->status.is_signal ? "signal" : "exit";
	switch (status) {
	case EXIT_GUEST_PANIC:
		return "panic";
	case EXIT_TRIPLE_FAULT:
		return "triple fault";
	case EXIT_KVM_FAILED:
		return "kvm";
	case EXIT_TIMEOUT:
		return "timeout";
	default:
		return status > EXIT_SIGNAL_BASE ? "interrupted" : "not started";
	}
}

/* null for a phase that did not end. */
static void report_phase(FILE *out, const char *name, uint64_t from_ns, uint64_t to_ns)
{
	if (from_ns && to_ns >= from_ns)
		fprintf(out, "\"%s\": %" PRIu64, name, (to_ns - from_ns) / NS_PER_MS);
	else
		fprintf(out, "\"%s\": null", name);
}

static void report_phases(FILE *out, const struct session *s, uint64_t begin_ns)
{
	const uint64_t *at = s->at_ns;
	fputs("  \"phases_ms\": {", out);
	report_phase(out, "start", begin_ns, at[SESSION_BOOTING]);
	fputs(", ", out);
	report_phase(out, "kernel", at[SESSION_BOOTING], at[SESSION_INIT]);
	fputs(", ", out);
	report_phase(out, "init", at[SESSION_INIT], at[SESSION_COMMAND]);
	fputs(", ", out);
	report_phase(out, "command", at[SESSION_COMMAND], at[SESSION_ENDED]);
	fputs(", ", out);
	report_phase(out, "shutdown", at[SESSION_ENDED], s->bye_ns);
	fputs("},\n", out);
}

/* 0 is what the guest did not get to tell. */
static void report_memory(FILE *out, const char *name, uint64_t kib)
{
	if (kib)
		fprintf(out, "  \"%s\": %" PRIu64 ",\n", name, kib);
	else
		fprintf(out, "  \"%s\": null,\n", name);
}

static void report_put(FILE *out, const struct report *r, const struct session *s, int status,
		       const char *cause)
{
	const char *line;
	fprintf(out, "{\n  \"verdict\": \"%s\",\n  \"exit\": %d,\n  \"cause\": ",
		report_verdict(s, status), status);
	report_string(out, cause);
	fputs(",\n", out);
	report_phases(out, s, r->begin_ns);
	fputs("  \"kernel\": ", out);
	report_string(out, s->release);
	fputs(",\n", out);
	report_memory(out, "memory_total_kib", s->status.memory_total_kib);
	report_memory(out, "memory_peak_kib", s->status.memory_peak_kib);
	fputs("  \"console\": [", out);
	for (unsigned n = 0; (line = klog_line(session_kernel_log(s), n)); n++) {
		fputs(n ? ",\n    " : "\n    ", out);
		report_string(out, line);
	}
	fputs("\n  ]\n}\n", out);
}

static int report_fail(const struct report *r, int error, struct err *err)
{
	return err_set(err, error, "--report %.300s: %s", r->path, strerror(-error));
}

/* In the place of what a file has had, in one piece where that can be. Return: 0 or -errno. */
static int report_replace(const struct report *r, const char *text, size_t len)
{
	if (r->is_file && lseek(r->fd, 0, SEEK_SET) < 0)
		return -errno;
	for (size_t done = 0; done < len;) {
		ssize_t n = write(r->fd, text + done, len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return r->is_file && ftruncate(r->fd, (off_t)len) != 0 ? -errno : 0;
}

int report_open(struct report *r, struct err *err)
{
	struct stat st;
	if (!r->path)
		return 0;
	r->fd = open(r->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
	if (r->fd < 0)
		return report_fail(r, -errno, err);
	r->is_file = fstat(r->fd, &st) == 0 && S_ISREG(st.st_mode);
	int error = r->is_file ? report_replace(r, UNFINISHED, strlen(UNFINISHED)) : 0;
	if (!error)
		return 0;
	close(r->fd);
	return report_fail(r, error, err);
}

int report_write(struct report *r, const struct session *s, int status, const char *cause,
		 struct err *err)
{
	char *text = NULL;
	size_t len = 0;
	if (!r->path)
		return 0;
	FILE *out = open_memstream(&text, &len);
	if (out)
		report_put(out, r, s, status, cause);
	int error = out && fclose(out) == 0 ? report_replace(r, text, len) : -ENOMEM;
	/* A piece of it would be worse than nothing, and this much there was room for. */
	if (error && r->is_file)
		(void)!report_replace(r, UNFINISHED, strlen(UNFINISHED));
	if (close(r->fd) != 0 && !error)
		error = -errno;
	free(text);
	return error ? report_fail(r, error, err) : 0;
}
