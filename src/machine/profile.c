/*
 * Profiles of the PC. Memory: DOS extenders and Windows 9x fail with more than they count (the
 * latter above some 512 MiB without patches), Linux 2.4 maps 896 MiB, xv6 wants at least 224.
 * CPUID: Windows NT 4 cannot be installed where leaf 0 tells of more than leaf 2.
 */
#include "profile.h"

#include <tinyvm/config.h>
#include <tinyvm/log.h>

#define MIB (1ULL << 20)

/**
 * struct profile
 * @memory:  when the user has said nothing; 0 for what all machines get
 * @memory_max, @cpus_max, @cpuid_max: 0 for no limit
 */
struct profile {
	uint64_t memory;
	uint64_t memory_max;
	unsigned cpus_max;
	uint32_t cpuid_max;
};

static const struct profile profiles[PROFILE_COUNT] = {
	[PROFILE_DOS] = {16 * MIB, 64 * MIB, 1, 1},
	[PROFILE_WIN9X] = {128 * MIB, 480 * MIB, 1, 2},
	[PROFILE_NT4] = {128 * MIB, 1024 * MIB, 2, 2},
	[PROFILE_LINUX_2_4] = {256 * MIB, 896 * MIB, 8, 0},
	[PROFILE_BSD] = {512 * MIB, 3072 * MIB, 8, 0},
	[PROFILE_XV6] = {512 * MIB, 3072 * MIB, 8, 0},
};

static void profile_limit_memory(struct config *cfg, const struct profile *p, const char *name)
{
	if (!cfg->is_memory_given && p->memory)
		cfg->memory = p->memory;
	if (p->memory_max && cfg->memory > p->memory_max) {
		log_warn("--profile %s has at most %llu MiB of memory, and gets those", name,
			 (unsigned long long)(p->memory_max / MIB));
		cfg->memory = p->memory_max;
	}
}

void profile_apply(struct config *cfg)
{
	const struct profile *p = &profiles[cfg->legacy.profile];
	const char *name = config_profile_names[cfg->legacy.profile];
	if (!cfg->is_pc)
		return;
	profile_limit_memory(cfg, p, name);
	if (p->cpus_max && cfg->cpus > p->cpus_max) {
		log_warn("--profile %s has at most %u CPUs, and gets those", name, p->cpus_max);
		cfg->cpus = p->cpus_max;
	}
	log_info("profile %s: %llu MiB of memory, %u CPUs", name,
		 (unsigned long long)(cfg->memory / MIB), cfg->cpus);
	if (p->cpuid_max)
		log_info("profile %s: CPUID up to leaf %u", name, p->cpuid_max);
}

uint32_t profile_cpuid_max(const struct config *cfg)
{
	return cfg->is_pc ? profiles[cfg->legacy.profile].cpuid_max : 0;
}
