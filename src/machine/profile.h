/* What old systems cannot cope with, kept from them. */
#ifndef PROFILE_H
#define PROFILE_H

#include <stdint.h>

struct config;

/**
 * profile_apply() - fit @cfg to its --profile, and say what was set (LOG_INFO)
 *
 * Memory and CPUs that the user gave are cut down to what the system can have, with a warning.
 */
void profile_apply(struct config *cfg);

/* The highest CPUID leaf that a guest of @cfg's profile is to see, 0 for no limit. */
uint32_t profile_cpuid_max(const struct config *cfg);

#endif
