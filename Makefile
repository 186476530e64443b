# tinyvm: `make help` lists the targets.

VERSION := 0.1.0
CC      ?= gcc
BUILD   ?= build
PREFIX  ?= /usr/local
CLANG   ?= clang

# Folders of src/ with the folders each may call; also the order on the link line.
FOLDERS := machine kvm boot initramfs oci run virtio pci legacy block net fs chardev unpack core

WARN    := -Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
           -Wwrite-strings -Wformat=2 -Werror
PKGS    := zlib ncursesw
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS))
PKG_LIBS   := $(shell pkg-config $(if $(STATIC),--static) --libs $(PKGS))

CPPFLAGS += -Iinclude -D_GNU_SOURCE -DTINYVM_VERSION='"$(VERSION)"' \
            -DTINYVM_INIT_DIR='"$(BUILD)/init"' -DTINYVM_FIRMWARE_DIR='"$(BUILD)/firmware"' $(PKG_CFLAGS)
BASE     := -std=gnu11 -pthread -fno-common -fno-strict-aliasing $(WARN)
# Small, but for the folders whose code stands between a guest and its data.
FAST     := core virtio block unpack
CFLAGS   ?= $(if $(filter $(FAST),$(@D:$(BUILD)/rel/%=%)),-O2,-Os) -g
HARDEN   := -fstack-protector-strong -D_FORTIFY_SOURCE=2
SMALL    := -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables
LDFLAGS  += -Wl,--gc-sections -Wl,-z,relro,-z,now,-z,pack-relative-relocs $(if $(STATIC),-static,-pie)
REL       = $(BASE) $(HARDEN) $(SMALL) $(if $(STATIC),,-fPIE) $(CFLAGS)
SAN      := $(BASE) -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
            -fno-sanitize-recover=all

srcs      = $(sort $(wildcard src/$(1)/*.c))
objs      = $(patsubst src/%.c,$(BUILD)/$(1)/%.o,$(call srcs,$(2)))
ALL_SRCS := src/main.c $(foreach f,$(FOLDERS),$(call srcs,$(f)))
C_FILES   = $(shell find src include tests tools bench -name '*.[ch]')

UNIT  := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/*/test_*.c))
FUZZ  := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*/fuzz_*.c))
TLIB  := $(wildcard tests/lib/*.c)

.PHONY: all help check unit replay guest legacy run-vm rules lint format bench fuzz install clean
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BUILD)/tinyvm

help:
	@echo 'make            build $(BUILD)/tinyvm (STATIC=1: without shared libraries)'
	@echo 'make install    PREFIX=$(PREFIX) DESTDIR='
	@echo 'make check      unit tests and fuzz corpora under ASan and UBSan, source rules; no KVM needed'
	@echo 'make guest      freestanding guests on this host'"'"'s /dev/kvm'
	@echo 'make legacy     boot sectors that check the BIOS, screen and keyboard, likewise'
	@echo 'make lint       clang-format, clang-tidy, cppcheck, a clang build'
	@echo 'make fuzz       libFuzzer on every target: FUZZ_RUNS=100000 each, ONLY=name'
	@echo 'make bench      the benchmarks that can run on this host'
	@echo 'tools/check     everything, with what it needs installed; tools/demo: boot a Debian'

# One static library a folder and a flavour (rel, san), so that a test links just what it may use.
define folder_rules
$(BUILD)/$(1)/lib$(2).a: $(call objs,$(1),$(2))
	@mkdir -p $$(@D)
	@rm -f $$@
	@$$(AR) rcs $$@ $$^
endef
$(foreach k,rel san,$(foreach f,$(FOLDERS),$(eval $(call folder_rules,$(k),$(f)))))

rel_libs := $(foreach f,$(FOLDERS),$(BUILD)/rel/lib$(f).a)

$(BUILD)/tinyvm: $(BUILD)/rel/main.o $(rel_libs)
	$(CC) $(REL) $(LDFLAGS) -o $@ $< -Wl,--start-group $(rel_libs) -Wl,--end-group $(PKG_LIBS)

$(BUILD)/rel/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CPPFLAGS) $(REL) -MMD -MP -c -o $@ $<

$(BUILD)/san/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	@echo "  CC(san) $<"
	@$(CC) $(CPPFLAGS) $(SAN) -MMD -MP -c -o $@ $<

# The init of `tinyvm run`, for guests of 64 and 32 bits: no libc, and part of tinyvm itself.
INIT_SRCS := $(wildcard src/guest/*.c)
INITS     := $(BUILD)/init/init64 $(BUILD)/init/init32
INIT_CC   := $(CC) -std=gnu11 -Os -Iinclude $(WARN) -ffreestanding -nostdlib -static \
             -fno-strict-aliasing -fno-stack-protector -fno-pic -fno-pie -fno-common \
             -mgeneral-regs-only -fcf-protection=none -fno-asynchronous-unwind-tables \
             -ffunction-sections -fdata-sections -Wl,--gc-sections -Wl,--build-id=none \
             -Wl,-z,noexecstack -Wl,-z,max-page-size=4096 -Wl,-z,noseparate-code -Wl,-s
INIT_MAX  := 65536

$(BUILD)/init/init%: $(INIT_SRCS) src/guest/start_%.S $(wildcard src/guest/*.h) \
		include/spec/run_protocol.h Makefile
	@mkdir -p $(@D)
	@echo "  INIT $@"
	@$(INIT_CC) -m$* -o $@ $(filter %.c %.S,$^)
	@[ $$(wc -c <$@) -lt $(INIT_MAX) ] || { echo "$@ is larger than $(INIT_MAX) bytes"; false; }

# The BIOS's ROM, part of tinyvm too. Its linker script checks sizes and addresses.
ROM     := $(BUILD)/firmware/bios.rom
ROM_CPP := $(CC) -E -P -x c -undef -D__ASSEMBLER__ -Iinclude

$(BUILD)/firmware/%.o: firmware/%.S include/spec/bios.h Makefile
	@mkdir -p $(@D)
	@$(CC) -m16 -Iinclude -Wa,--fatal-warnings -c -o $@ $<
$(ROM): firmware/bios.lds.S $(patsubst firmware/%.S,$(BUILD)/firmware/%.o,firmware/entry.S firmware/tables.S)
	@echo "  ROM $@"
	@$(ROM_CPP) $< -o $(BUILD)/firmware/bios.lds
	@$(LD) -m elf_i386 -T $(BUILD)/firmware/bios.lds --orphan-handling=error -o $@ $(filter %.o,$^)

$(foreach k,rel san,$(BUILD)/$(k)/initramfs/init.o): $(INITS)
$(foreach k,rel san,$(BUILD)/$(k)/legacy/bios_rom.o): $(ROM)
$(foreach f,$(FUZZ),$(BUILD)/fuzz/$(f)): | $(INITS) $(ROM)

# The VMM itself under the sanitizers, for the guest tests.
$(BUILD)/tinyvm-san: $(BUILD)/san/main.o $(foreach f,$(FOLDERS),$(BUILD)/san/lib$(f).a)
	$(CC) $(SAN) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(PKG_LIBS)

# Tests. A unit test tests/unit/FOLDER/test_X.c links FOLDER, what FOLDER may call, and tests/lib.
# It may include FOLDER's private headers.
uses_core    :=
uses_pci     := core
uses_legacy  := pci core
uses_virtio  := pci core
uses_block   := core
uses_net     := core
uses_fs      := core
uses_chardev := core
uses_unpack  := core
uses_boot    := unpack core
uses_initramfs := unpack core
uses_oci     := unpack core
uses_run     := core
uses_kvm     := boot unpack core
uses_machine := $(filter-out machine,$(FOLDERS))

$(BUILD)/san/testlib/%.o: tests/lib/%.c Makefile
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) -Itests/lib $(SAN) -MMD -MP -c -o $@ $<
$(BUILD)/san/libtest.a: $(patsubst tests/lib/%.c,$(BUILD)/san/testlib/%.o,$(TLIB))
	@mkdir -p $(@D)
	@rm -f $@
	@$(AR) rcs $@ $^

# An archive here too: what of tests/lib a target does not call, it need not be able to link.
FUZZ_SAN := -O2 -g -fsanitize=address,undefined -fno-sanitize-recover=all
$(BUILD)/fuzz/testlib/%.o: tests/lib/%.c Makefile
	@mkdir -p $(@D)
	@$(CLANG) $(CPPFLAGS) -Itests/lib $(BASE) $(FUZZ_SAN) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<
$(BUILD)/fuzz/libtest.a: $(patsubst tests/lib/%.c,$(BUILD)/fuzz/testlib/%.o,$(TLIB))
	@rm -f $@
	@$(AR) rcs $@ $^

# What tests/lib/shortage.c stands in front of.
WRAP := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc

define test_rules
$(BUILD)/unit/$(1)/%: tests/unit/$(1)/%.c $(BUILD)/san/libtest.a \
		$(foreach f,$(1) $(uses_$(1)),$(BUILD)/san/lib$(f).a) Makefile
	@mkdir -p $$(@D)
	@echo "  TEST $$<"
	@$$(CC) $$(CPPFLAGS) -Itests/lib -Isrc/$(1) $$(SAN) -MMD -MP -MF $$@.d -o $$@ $$< $$(WRAP) \
		-Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(PKG_LIBS)

$(BUILD)/replay/$(1)/%: tests/fuzz/$(1)/%.c tests/fuzz/replay.c $(BUILD)/san/libtest.a \
		$(foreach f,$(1) $(uses_$(1)),$(BUILD)/san/lib$(f).a) Makefile
	@mkdir -p $$(@D)
	@echo "  REPLAY $$<"
	@$$(CC) $$(CPPFLAGS) -Itests/lib -Isrc/$(1) $$(SAN) -MMD -MP -MF $$@.d -o $$@ $$< \
		tests/fuzz/replay.c -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(PKG_LIBS)

$(BUILD)/fuzz/$(1)/%: tests/fuzz/$(1)/%.c $(BUILD)/fuzz/libtest.a \
		$(foreach f,$(1) $(uses_$(1)),$(call srcs,$(f))) Makefile
	@mkdir -p $$(@D)
	@echo "  FUZZ $$<"
	@$$(CLANG) $$(CPPFLAGS) -Itests/lib -Isrc/$(1) $(BASE) $(FUZZ_SAN) -fsanitize=fuzzer -o $$@ \
		$$(filter %.c %.a,$$^) $$(PKG_LIBS)
endef
$(foreach f,$(FOLDERS),$(eval $(call test_rules,$(f))))

# Guests: freestanding programs that tinyvm boots as an ELF kernel, on the host's own KVM.
GUESTS     := $(patsubst tests/guest/%.c,$(BUILD)/guest/%.elf,\
              $(filter-out %/kvm_test.c,$(wildcard tests/guest/*.c)))
GUEST_LIB  := $(patsubst tests/guest/lib/%,$(BUILD)/guest/lib/%.o,$(wildcard tests/guest/lib/*.[cS]))
GUEST_CC   := $(CC) -std=gnu11 -O2 -g -Itests/guest/lib $(filter-out -Wpointer-arith,$(WARN)) \
              -ffreestanding -fno-strict-aliasing -fno-stack-protector -fno-pic -fno-pie -mno-red-zone \
              -mgeneral-regs-only -mno-sse -fcf-protection=none -Wno-interrupt-service-routine \
              -fno-asynchronous-unwind-tables

$(BUILD)/guest/lib/%.o: tests/guest/lib/% Makefile
	@mkdir -p $(@D)
	@$(GUEST_CC) -MMD -MP -c -o $@ $<
$(BUILD)/guest/%.o: tests/guest/%.c Makefile
	@mkdir -p $(@D)
	@$(GUEST_CC) -MMD -MP -c -o $@ $<
$(BUILD)/guest/%.o: bench/%.c Makefile
	@mkdir -p $(@D)
	@$(GUEST_CC) -MMD -MP -c -o $@ $<
$(BUILD)/guest/%.elf: $(BUILD)/guest/%.o $(GUEST_LIB) tests/guest/lib/guest.ld
	@$(GUEST_CC) -nostdlib -static -Wl,-T,tests/guest/lib/guest.ld -Wl,--build-id=none \
		-Wl,-z,noexecstack -o $@ $< $(GUEST_LIB)

$(BUILD)/guest/kvm_test: tests/guest/kvm_test.c $(BUILD)/san/libtest.a $(BUILD)/san/libkvm.a \
		$(BUILD)/san/libcore.a Makefile
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) -Itests/lib $(SAN) -MMD -MP -o $@ $< \
		-Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(PKG_LIBS)

# The init, its initramfs and its stream against QEMU's devices: tests/run/run.
$(BUILD)/run/vm: tests/run/vm.c $(foreach f,initramfs run unpack core,$(BUILD)/san/lib$(f).a) Makefile
	@mkdir -p $(@D)
	@echo "  TEST $<"
	@$(CC) $(CPPFLAGS) $(SAN) -MMD -MP -MF $@.d -o $@ $< \
		-Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(PKG_LIBS)

$(BUILD)/run/probe32: tests/run/probe.c src/guest/text.c src/guest/start_32.S src/guest/sys.h Makefile
	@mkdir -p $(@D)
	@$(INIT_CC) -Isrc/guest -m32 -o $@ $(filter %.c %.S,$^)

run-vm: $(BUILD)/run/vm $(BUILD)/run/probe32

# Boot sectors, for tests/legacy.
$(BUILD)/legacy/%.bin: tests/legacy/%.S tests/legacy/boot.lds Makefile
	@mkdir -p $(@D)
	@$(CC) -m16 -Iinclude -Wa,--fatal-warnings -c -o $(@:.bin=.o) $<
	@$(LD) -m elf_i386 -T tests/legacy/boot.lds --orphan-handling=error -o $@ $(@:.bin=.o)

# Multiboot kernels: an ELF file, and a flat one.
$(BUILD)/legacy/multiboot.elf $(BUILD)/legacy/multiboot.flat: tests/legacy/multiboot.c \
		tests/legacy/multiboot.lds include/spec/multiboot.h Makefile
	@mkdir -p $(@D)
	@$(CC) -m32 -std=gnu11 -Wall -Wextra -Werror -O1 -ffreestanding -fno-pic -mno-sse \
		-fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -Iinclude \
		$(if $(filter %.flat,$@),-DIS_FLAT) -c -o $@.o $<
	@$(LD) -m elf_i386 -T tests/legacy/multiboot.lds --no-warn-rwx-segments \
		$(if $(filter %.flat,$@),--oformat binary) -o $@ $@.o

legacy: $(BUILD)/tinyvm $(foreach s,bios_test give_up typewriter,$(BUILD)/legacy/$(s).bin) \
		$(BUILD)/legacy/multiboot.elf $(BUILD)/legacy/multiboot.flat
	@status=0; tests/legacy/run $(BUILD)/tinyvm $(BUILD)/legacy || status=1; \
	tests/legacy/tui $(BUILD)/tinyvm $(BUILD)/legacy || status=1; exit $$status

guest: $(BUILD)/tinyvm $(GUESTS) $(BUILD)/guest/kvm_test
	@tests/guest/run $(BUILD)/tinyvm $(BUILD)/guest

unit: $(UNIT)
	@tests/run-unit $(UNIT)

replay: $(foreach f,$(FUZZ),$(BUILD)/replay/$(f))
	@tests/run-replay $(BUILD)/replay $(FUZZ)

rules: $(foreach f,$(FOLDERS),$(BUILD)/rel/lib$(f).a)
	@tools/check-includes
	@tools/check-syscalls $(BUILD)/rel

check: unit replay rules $(BUILD)/tinyvm

FUZZ_RUNS ?= 100000
fuzz: $(foreach f,$(if $(ONLY),$(filter %$(ONLY),$(FUZZ)),$(FUZZ)),$(BUILD)/fuzz/$(f))
	@tests/run-fuzz $(BUILD)/fuzz $(FUZZ_RUNS) $(if $(ONLY),$(filter %$(ONLY),$(FUZZ)),$(FUZZ))

lint:
	@tools/lint $(BUILD)

format:
	@clang-format -i $(C_FILES)

bench: $(BUILD)/tinyvm
	@bench/all

install: $(BUILD)/tinyvm
	install -D -m 755 -s $(BUILD)/tinyvm $(DESTDIR)$(PREFIX)/bin/tinyvm
	install -D -m 644 docs/tinyvm.1 $(DESTDIR)$(PREFIX)/share/man/man1/tinyvm.1
	install -D -m 644 tools/tinyvm.bash-completion \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/tinyvm

clean:
	rm -rf $(BUILD)

-include $(shell [ -d $(BUILD) ] && find $(BUILD) -name '*.d')
