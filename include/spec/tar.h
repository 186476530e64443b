/*
 * The header of a tar archive's entry: POSIX.1-2017, pax, "ustar Interchange Format", and what GNU
 * tar does differently (its manual, "Basic Tar Format"). Numbers are octal text, or, with the first
 * byte's highest bit set, big-endian binary.
 */
#ifndef SPEC_TAR_H
#define SPEC_TAR_H

#include <stdint.h>

#define TAR_BLOCK_SIZE 512

/**
 * struct tar_header - all texts end with a NUL, or fill their field
 * @checksum: sum of all bytes, with blanks in its own place
 * @magic:    TAR_MAGIC_POSIX, TAR_MAGIC_GNU; something else in archives older than both
 * @prefix:   goes before @name, with a slash; POSIX only
 */
struct tar_header {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char link[100];
	char magic[8];
	char user[32];
	char group[32];
	char major[8];
	char minor[8];
	char prefix[155];
	char zero[12];
};
_Static_assert(sizeof(struct tar_header) == TAR_BLOCK_SIZE, "tar_header");

#define TAR_MAGIC_POSIX "ustar\0" /* and the version, "00" */
#define TAR_MAGIC_GNU	"ustar  "

enum tar_type {
	TAR_FILE_OLD = '\0',
	TAR_FILE = '0',
	TAR_HARD_LINK = '1',
	TAR_SYMLINK = '2',
	TAR_CHAR = '3',
	TAR_BLOCK = '4',
	TAR_DIR = '5',
	TAR_FIFO = '6',
	TAR_FILE_CONTIGUOUS = '7',
	TAR_PAX = 'x',
	TAR_PAX_GLOBAL = 'g',
	TAR_GNU_LONG_LINK = 'K',
	TAR_GNU_LONG_NAME = 'L',
	TAR_GNU_SPARSE = 'S',
};

#endif
