/* What a stopped vCPU looks like, for messages. */
#ifndef KVM_DUMP_H
#define KVM_DUMP_H

#include <stdbool.h>
#include <stdint.h>
#include <tinyvm/gmem.h>

struct vcpu;

#define DUMP_CODE_MAX  16
#define DUMP_CODE_TEXT (DUMP_CODE_MAX * 3 + 1)

/* Context for all: the vCPU is not in KVM_RUN. */

/* False when there is none: the vCPU has been through INIT, or KVM does not tell. */
bool dump_rip(const struct vcpu *vcpu, uint64_t *ret_rip);

/* Reads up to @len bytes at CS:RIP as the guest maps them. Return: how many could be read. */
unsigned dump_code(const struct vcpu *vcpu, uint8_t *buf, unsigned len);

/* "0f 0b ..."; @len up to DUMP_CODE_MAX. */
void dump_hex(const uint8_t *bytes, unsigned len, char text[DUMP_CODE_TEXT]);

/*
 * Where the guest maps the bytes at @linear. Return: how many of @len lie there, up to the page's
 * end; 0 when they are not mapped.
 */
unsigned dump_translate(const struct vcpu *vcpu, uint64_t linear, unsigned len, gpa_t *ret_gpa);

#endif
