/* The cells of `tinyvm matrix`: which there are, what each is called and started with. */
#include "matrix_parts.h"

#include <stdlib.h>
#include <string.h>

/* Of a VMM beside its guest's memory, roughly: page tables, queues, the unpacked kernel. */
#define MATRIX_OVERHEAD (64ULL << 20)

const char *const matrix_axis_name[MATRIX_AXIS_COUNT] = {
	[MATRIX_KERNEL] = "kernel", [MATRIX_IMAGE] = "image",	[MATRIX_ROOTFS] = "rootfs",
	[MATRIX_CPUS] = "cpus",	    [MATRIX_MEMORY] = "memory",
};

const char *matrix_value(const struct matrix_config *cfg, unsigned cell, enum matrix_axis_id axis)
{
	if (!cfg->axis[axis].count)
		return NULL;
	for (unsigned i = MATRIX_AXIS_COUNT - 1; i > axis; i--)
		if (cfg->axis[i].count)
			cell /= cfg->axis[i].count;
	return cfg->axis[axis].value[cell % cfg->axis[axis].count];
}

char *matrix_name(const struct matrix_config *cfg, unsigned cell)
{
	char *name = NULL;
	size_t len;
	FILE *out = open_memstream(&name, &len);
	if (!out)
		return NULL;
	bool is_first = true;
	for (unsigned i = 0; i < MATRIX_AXIS_COUNT; i++) {
		const char *value = matrix_value(cfg, cell, i);
		if (!value)
			continue;
		fprintf(out, "%s%s=%s", is_first ? "" : " ", matrix_axis_name[i], value);
		is_first = false;
	}
	if (is_first)
		fputs("default", out);
	bool is_whole = !ferror(out);
	if (fclose(out) == 0 && is_whole)
		return name;
	free(name);
	return NULL;
}

/* The words of a cell one after the other, each with its NUL. Return: how many. */
static unsigned matrix_write_args(FILE *out, const struct matrix_config *cfg, unsigned cell,
				  const char *report)
{
	unsigned count = 1;
	fprintf(out, "run%c", 0);
	for (unsigned i = 0; i < MATRIX_AXIS_COUNT; i++) {
		const char *value = matrix_value(cfg, cell, i);
		if (!value)
			continue;
		fprintf(out, "--%s=%s%c", matrix_axis_name[i], value, 0);
		count++;
	}
	for (unsigned i = 0; i < cfg->option_count; i++, count++)
		fprintf(out, "%s%c", cfg->option[i], 0);
	if (report) {
		fprintf(out, "--report=%s%c", report, 0);
		count++;
	}
	fprintf(out, "--%c", 0);
	count++;
	for (unsigned i = 0; i < cfg->command_count; i++, count++)
		fprintf(out, "%s%c", cfg->command[i], 0);
	return count;
}

char **matrix_args(const struct matrix_config *cfg, unsigned cell, const char *report)
{
	char *words = NULL;
	char **args = NULL;
	size_t len;
	FILE *out = open_memstream(&words, &len);
	if (!out)
		return NULL;
	unsigned count = matrix_write_args(out, cfg, cell, report);
	bool is_whole = !ferror(out);
	if (fclose(out) == 0 && is_whole)
		args = malloc((count + 1) * sizeof(args[0]) + len);
	if (args) {
		char *at = memcpy(args + count + 1, words, len);
		for (unsigned i = 0; i < count; i++, at += strlen(at) + 1)
			args[i] = at;
		args[count] = NULL;
	}
	free(words);
	return args;
}

unsigned matrix_jobs(const struct matrix_config *cfg, unsigned host_cpus, uint64_t free_bytes)
{
	uint64_t jobs = cfg->jobs;
	if (!jobs) {
		uint64_t room = free_bytes / (cfg->memory_max + MATRIX_OVERHEAD);
		jobs = host_cpus / cfg->cpus_max;
		if (free_bytes && room < jobs)
			jobs = room;
		if (jobs > MATRIX_JOBS_MAX)
			jobs = MATRIX_JOBS_MAX;
	}
	if (jobs > cfg->cell_count)
		jobs = cfg->cell_count;
	return jobs ? (unsigned)jobs : 1;
}
