/* Runs a fuzz target over files and directories of inputs, so that plain gcc replays the corpora.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (!f) {
		perror(path);
		exit(1);
	}
	fseek(f, 0, SEEK_END);
	size_t size = (size_t)ftell(f);
	rewind(f);
	/* An allocation of the exact size, so that ASan sees the first byte read past the end. */
	uint8_t *data = malloc(size ? size : 1);
	if (!data || fread(data, 1, size, f) != size) {
		perror(path);
		exit(1);
	}
	fclose(f);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 1;
}

static unsigned replay(const char *path)
{
	struct stat st;
	if (stat(path, &st) != 0) {
		perror(path);
		exit(1);
	}
	if (!S_ISDIR(st.st_mode))
		return replay_file(path);

	struct dirent **name;
	unsigned runs = 0;
	int count = scandir(path, &name, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		char file[4096];
		snprintf(file, sizeof(file), "%s/%s", path, name[i]->d_name);
		if (name[i]->d_name[0] != '.')
			runs += replay(file);
		free(name[i]);
	}
	if (count >= 0)
		free(name);
	return runs;
}

int main(int argc, char **argv)
{
	unsigned runs = 0;
	for (int i = 1; i < argc; i++)
		runs += replay(argv[i]);
	printf("%u inputs\n", runs);
	return runs ? 0 : 1;
}
