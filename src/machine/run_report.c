/* The result of a `tinyvm run` as JSON (RFC 8259), for programs. */
#include "run_parts.h"
#include "session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <tinyvm/err.h>

#define NS_PER_MS 1000000u

static void report_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < ' ' || c > '~')
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

static const char *report_verdict(const struct session *s, int status)
{
	bool has_status = atomic_load(&s->stage) == SESSION_ENDED;
	if (status == EXIT_GUEST_PANIC && !has_status)
		return "panic";
	if (status == EXIT_TRIPLE_FAULT && !has_status)
		return "triple fault";
	if (status == EXIT_KVM_FAILED && !has_status)
		return "kvm";
	if (status == EXIT_TIMEOUT && !has_status)
		return "timeout";
	if (has_status)
		return s->status.is_signal ? "signal" : "exit";
	return status > EXIT_SIGNAL_BASE ? "interrupted" : "not started";
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

int run_report(const char *path, const struct session *s, uint64_t begin_ns, int status,
	       const char *cause, struct err *err)
{
	const char *line;
	FILE *out = fopen(path, "we");
	if (!out)
		return err_set(err, -errno, "--report %.300s: %s", path, strerror(errno));
	fprintf(out, "{\n  \"verdict\": \"%s\",\n  \"exit\": %d,\n  \"cause\": ",
		report_verdict(s, status), status);
	report_string(out, cause);
	fputs(",\n", out);
	report_phases(out, s, begin_ns);
	fputs("  \"kernel\": ", out);
	report_string(out, s->release);
	fprintf(out,
		",\n  \"memory_total_kib\": %" PRIu64 ",\n  \"memory_peak_kib\": %" PRIu64
		",\n  \"console\": [",
		s->status.memory_total_kib, s->status.memory_peak_kib);
	for (unsigned n = 0; (line = klog_line(&s->klog, n)); n++) {
		fputs(n ? ",\n    " : "\n    ", out);
		report_string(out, line);
	}
	fputs("\n  ]\n}\n", out);
	bool is_written = !ferror(out);
	if (fclose(out) != 0 || !is_written)
		return err_set(err, -EIO, "--report %.300s: it cannot be written", path);
	return 0;
}
