/*
 * Memory slots: RAM, what takes its place in a PC's first megabyte, ROM. (Documentation/virt/kvm/
 * api.rst, 4.35.)
 */
#include "vm.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <tinyvm/err.h>
#include <tinyvm/log.h>

/* KVM_MEM_MAX_NR_PAGES keeps a slot just below 8 TiB. */
#define SLOT_MAX (1ULL << 42)

static int slots_set(struct kvm_vm *vm, const struct slot *slot, uint64_t size, uint32_t flags)
{
	struct kvm_userspace_memory_region mem = {
		.slot = slot->number,
		.flags = flags,
		.guest_phys_addr = slot->gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)slot->hva,
	};
	return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &mem) < 0 ? -errno : 0;
}

/* @size may be 0. Return: 0 or -errno. */
static int slots_add(struct kvm_vm *vm, gpa_t gpa, void *hva, uint64_t size, uint32_t flags)
{
	int rc = 0;
	for (uint64_t off = 0; off < size && !rc; off += SLOT_MAX) {
		const struct slot slot = {
			.number = vm->slot_count++, .gpa = gpa + off, .hva = (uint8_t *)hva + off};
		uint64_t left = size - off;
		rc = slots_set(vm, &slot, left < SLOT_MAX ? left : SLOT_MAX, flags);
	}
	return rc;
}

static int slots_add_piece(struct kvm_vm *vm, const struct kvm_piece *piece, void *hva)
{
	switch (piece->kind) {
	case KVM_PIECE_BUS:
		break;
	case KVM_PIECE_ROM:
		return slots_add(vm, piece->gpa, hva, piece->size, KVM_MEM_READONLY);
	case KVM_PIECE_SWITCHED:
		vm->switched = (struct slot){.number = vm->slot_count++,
					     .gpa = piece->gpa,
					     .size = piece->size,
					     .hva = hva};
		break;
	}
	return 0;
}

/* A region of RAM without the pieces that lie in it. */
static int slots_add_region(struct kvm_vm *vm, const struct gmem_region *r)
{
	gpa_t at = r->gpa;
	int rc = 0;
	for (unsigned i = 0; i < vm->cfg.piece_count && !rc; i++) {
		const struct kvm_piece *piece = &vm->cfg.piece[i];
		if (piece->gpa < at || piece->gpa + piece->size > r->gpa + r->size)
			continue;
		rc = slots_add(vm, at, (uint8_t *)r->hva + (at - r->gpa), piece->gpa - at, 0);
		if (!rc)
			rc = slots_add_piece(vm, piece, (uint8_t *)r->hva + (piece->gpa - r->gpa));
		at = piece->gpa + piece->size;
	}
	if (!rc)
		rc = slots_add(vm, at, (uint8_t *)r->hva + (at - r->gpa), r->gpa + r->size - at, 0);
	return rc;
}

int slots_create(struct kvm_vm *vm, struct err *err)
{
	const struct kvm_rom *rom = &vm->cfg.rom;
	int rc = 0;
	for (unsigned i = 0; i < gmem_region_count(vm->cfg.gm) && !rc; i++)
		rc = slots_add_region(vm, gmem_region(vm->cfg.gm, i));
	if (rc)
		return err_set(err, rc, "KVM refuses %llu MiB of guest memory: %s",
			       (unsigned long long)gmem_size(vm->cfg.gm) >> 20, strerror(-rc));
	/* KVM only reads what is behind a slot without write access. */
	rc = slots_add(vm, rom->gpa, (void *)(uintptr_t)rom->hva, rom->size, KVM_MEM_READONLY);
	if (rc)
		return err_set(err, rc, "KVM refuses the firmware's ROM: %s", strerror(-rc));
	return 0;
}

void kvm_vm_switch(void *ctx, bool is_ram)
{
	struct kvm_vm *vm = ctx;
	struct slot *slot = &vm->switched;
	if (!slot->size || slot->is_there == is_ram)
		return;
	int rc = slots_set(vm, slot, is_ram ? slot->size : 0, 0);
	if (rc)
		log_warn("KVM cannot switch the memory at %#llx: %s", (unsigned long long)slot->gpa,
			 strerror(-rc));
	else
		slot->is_there = is_ram;
}
