/* The command line's values: sizes, counts, disks. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <tinyvm/err.h>
#include <tinyvm/gmem.h>

#include "config_parts.h"

#define MEMORY_MIN (1ULL << 20)
#define CPUS_MAX   4096u
#define PAGE_SIZE  4096u
#define TIME_MAX_S (365ULL * 24 * 3600)

/* The power of two that a unit stands for; -1 when it is none. */
static int config_unit_shift(const char *unit)
{
	static const char letters[] = "kmgt";

	if (!*unit)
		return 20;
	const char *letter = strchr(letters, tolower((unsigned char)*unit));
	if (!letter)
		return -1;
	if (unit[1] && strcasecmp(unit + 1, "b") != 0 && strcasecmp(unit + 1, "ib") != 0)
		return -1;
	return 10 * (int)(letter - letters + 1);
}

static int config_memory_too_big(const char *text, struct err *err)
{
	bool is_bare = isdigit((unsigned char)text[strlen(text) - 1]);

	return err_set(err, -EINVAL, "--memory %.40s is more than a guest can address, %u TiB%s",
		       text, (unsigned)(GMEM_SIZE_MAX >> 40),
		       is_bare ? " (a number without a unit counts MiB)" : "");
}

int config_memory(const char *text, uint64_t *ret_bytes, struct err *err)
{
	const char *p = text;
	uint64_t whole = 0;
	uint64_t fraction = 0;
	uint64_t divisor = 1;

	for (; isdigit((unsigned char)*p); p++)
		if (whole < GMEM_SIZE_MAX)
			whole = whole * 10 + (uint64_t)(*p - '0');
	bool is_number = p != text;
	if (is_number && *p == '.') {
		is_number = isdigit((unsigned char)p[1]);
		/* Six digits say more than a page's worth of any unit needs. */
		for (p++; isdigit((unsigned char)*p); p++)
			if (divisor < 1000000) {
				fraction = fraction * 10 + (uint64_t)(*p - '0');
				divisor *= 10;
			}
	}
	int shift = is_number ? config_unit_shift(p) : -1;
	if (shift < 0)
		return err_set(err, -EINVAL,
			       "--memory '%.40s' is not a size; write it like 512M or 2G", text);
	if (whole > GMEM_SIZE_MAX >> shift)
		return config_memory_too_big(text, err);

	uint64_t bytes = (whole << shift) + (fraction << shift) / divisor;
	if (bytes > GMEM_SIZE_MAX)
		return config_memory_too_big(text, err);
	if (bytes < MEMORY_MIN)
		return err_set(err, -EINVAL,
			       "--memory %.40s is too little: a PC has at least 1M, and Linux "
			       "wants 32M or more",
			       text);
	*ret_bytes = (bytes + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
	return 0;
}

int config_cpus(const char *text, unsigned *ret_cpus, struct err *err)
{
	unsigned cpus = 0;
	const char *p = text;

	for (; isdigit((unsigned char)*p); p++)
		if (cpus <= CPUS_MAX)
			cpus = cpus * 10 + (unsigned)(*p - '0');
	if (p == text || *p)
		return err_set(err, -EINVAL,
			       "--cpus '%.40s' is not a number; write how many, like --cpus 2",
			       text);
	if (cpus == 0 || cpus > CPUS_MAX)
		return err_set(err, -EINVAL, "--cpus %.40s is out of range: 1 to %u", text,
			       CPUS_MAX);
	*ret_cpus = cpus;
	return 0;
}

int config_time(const char *name, const char *text, uint64_t *ret_ms, struct err *err)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 3600 * 1000}};
	uint64_t n = 0;
	const char *p = text;

	for (; isdigit((unsigned char)*p) && n < TIME_MAX_S * 1000; p++)
		n = n * 10 + (uint64_t)(*p - '0');
	for (size_t i = 0; p != text && n && i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(p, units[i].unit) == 0 && n <= TIME_MAX_S * 1000 / units[i].ms) {
			*ret_ms = n * units[i].ms;
			return 0;
		}
	return err_set(err, -EINVAL,
		       "--%s '%.40s' is no time; give seconds, or minutes as 5m, hours as 2h", name,
		       text);
}

char *config_next_word(char **rest, bool is_path)
{
	char *word = *rest;
	if (!word)
		return NULL;

	char *out = word;
	char *in = word;
	for (; *in; in++) {
		if (*in == ',') {
			if (!is_path || in[1] != ',')
				break;
			in++;
		}
		*out++ = *in;
	}
	*rest = *in ? in + 1 : NULL;
	*out = '\0';
	return word;
}

static int config_disk_id(const char *id, struct config_disk *disk, struct err *err)
{
	size_t len = strlen(id);

	if (len == 0 || len >= sizeof(disk->id))
		return err_set(err, -EINVAL,
			       "--disk %.200s: id=%.40s has %zu characters, not 1 to %zu",
			       disk->path, id, len, sizeof(disk->id) - 1);
	for (const char *p = id; *p; p++)
		if (!isgraph((unsigned char)*p))
			return err_set(err, -EINVAL,
				       "--disk %.200s: its id= may hold only printable ASCII "
				       "characters and no blank",
				       disk->path);
	memcpy(disk->id, id, len + 1);
	return 0;
}

/* The words that --disk alone knows. Return: 0, -ENOENT for another word; -EINVAL with a sentence.
 */
static int config_disk_key(const char *word, struct config_disk *disk, struct err *err)
{
	if (strncmp(word, "id=", 3) == 0)
		return config_disk_id(word + 3, disk, err);
	if (strncmp(word, "chs=", 4) != 0)
		return -ENOENT;
	if (config_geometry(word + 4, '/', &disk->geometry) == 0)
		return 0;
	return err_set(err, -EINVAL,
		       "--disk %.200s: '%.40s' is no geometry; write cylinders (to 1024), heads "
		       "(to 255) and sectors (to 63), such as chs=615/4/17",
		       disk->path, word);
}

int config_disk(enum config_option_id id, char *text, struct config_disk *ret_disk, struct err *err)
{
	struct config_disk disk = {0};
	const char *name = config_options[id].name;
	char *rest = text;

	if (strncmp(text, "file=", 5) == 0)
		return err_set(err, -EINVAL,
			       "--%s %.200s: leave out file= (a path that begins so is written "
			       "./file=...)",
			       name, text);
	disk.path = config_next_word(&rest, true);
	if (!*disk.path)
		return err_set(err, -EINVAL, "--%s needs a path, such as %s", name,
			       config_options[id].example);
	for (const char *word; (word = config_next_word(&rest, false));) {
		int ret = 0;
		if (strcmp(word, "ro") == 0)
			disk.is_readonly = true;
		else if (strcmp(word, "snapshot") == 0)
			disk.is_snapshot = true;
		else if (id == OPT_DISK)
			ret = config_disk_key(word, &disk, err);
		else
			ret = -ENOENT;
		if (ret == -ENOENT)
			return err_set(err, -EINVAL,
				       "--%s %.200s: '%.40s' is unknown; after the path may come "
				       ",ro or ,snapshot%s (a comma in the path is written ,,)",
				       name, disk.path, word,
				       id == OPT_DISK ? ", ,id=NAME and ,chs=C/H/S" : "");
		if (ret)
			return ret;
	}
	if (disk.is_readonly && disk.is_snapshot)
		return err_set(err, -EINVAL,
			       "--%s %.200s: ro and snapshot exclude each other; both leave the "
			       "file as it is, and with snapshot the guest can write",
			       name, disk.path);
	*ret_disk = disk;
	return 0;
}

int config_share(char *text, struct config_share *ret_share, struct err *err)
{
	struct config_share share = {.path = text};
	char *colon = strrchr(text, ':');

	if (colon && (strcmp(colon, ":ro") == 0 || strcmp(colon, ":rw") == 0)) {
		share.is_readonly = strcmp(colon, ":ro") == 0;
		*colon = '\0';
		colon = strrchr(text, ':');
	}
	const char *tag = colon ? colon + 1 : "";
	size_t len = strlen(tag);
	if (!colon || colon == text)
		return err_set(err, -EINVAL,
			       "--share '%.200s' is not HOST:TAG, where TAG is what the guest "
			       "mounts it by, such as ./data:data",
			       text);
	for (const char *p = tag; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
			len = 0;
	if (len == 0 || len >= sizeof(share.tag))
		return err_set(err, -EINVAL,
			       "--share %.200s: a tag has 1 to %zu letters, digits, '.', '_' or "
			       "'-'",
			       text, sizeof(share.tag) - 1);
	memcpy(share.tag, tag, len + 1);
	*colon = '\0';
	*ret_share = share;
	return 0;
}
