/*
 * A register script on a host bridge with two functions: each step is an opcode, an address byte
 * pair and up to 8 bytes of value; short inputs read as zeroes.
 */
#include "fake_pci.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum step {
	STEP_PORT_READ,
	STEP_PORT_WRITE,
	STEP_ECAM_READ,
	STEP_ECAM_WRITE,
	STEP_WINDOW_READ,
	STEP_WINDOW_WRITE,
	STEP_RAISE,
	STEP_INTX,
	STEP_RESET,
	STEP_ASSIGN,
	STEP_LOAD,
	STEP_COUNT,
};

struct script {
	const uint8_t *at;
	size_t left;
};

static uint64_t script_take(struct script *s, unsigned len)
{
	uint64_t value = 0;
	unsigned n = s->left < len ? (unsigned)s->left : len;
	memcpy(&value, s->at, n);
	s->at += n;
	s->left -= n;
	return value;
}

/* Carries one function's state over to the other, which has to keep the contract of its sink. */
static void step_load(struct fake_bus *fb, bool is_backwards)
{
	struct state *out, *in;
	size_t len;
	if (state_create_save(&out))
		return;
	device_state(&fb->ff[is_backwards]->dev, out);
	const void *bytes = state_data(out, &len);
	if (!state_create_load(&in, bytes, len)) {
		device_state(&fb->ff[!is_backwards]->dev, in);
		if (state_error(in))
			abort(); /* a function refuses what its twin has saved */
		state_destroy(in);
	}
	state_destroy(out);
}

static void step(struct fake_bus *fb, struct script *s)
{
	enum step op = script_take(s, 1) % STEP_COUNT;
	uint64_t addr = script_take(s, 2);
	unsigned size = 1 + addr % 8, which = addr & 1;
	uint64_t value = 0;
	struct fake_func *ff = fb->ff[which];

	/* Half of the ECAM accesses go where the functions are. */
	uint64_t ecam = FAKE_ECAM + (addr & 0x8000 ? (addr & 0x7fff) << 5 : addr << 4 & 0x1ffff);
	if (op == STEP_PORT_WRITE || op == STEP_ECAM_WRITE || op == STEP_WINDOW_WRITE)
		value = script_take(s, size);
	switch (op) {
	case STEP_PORT_READ:
		bus_read(fb->pio, 0xcf4 + (addr >> 3) % 16, &value, size);
		break;
	case STEP_PORT_WRITE:
		bus_write(fb->pio, 0xcf4 + (addr >> 3) % 16, &value, size);
		break;
	case STEP_ECAM_READ:
		bus_read(fb->mmio, ecam + (addr >> 3 & 7), &value, size);
		break;
	case STEP_ECAM_WRITE:
		bus_write(fb->mmio, ecam + (addr >> 3 & 7), &value, size);
		break;
	case STEP_WINDOW_READ:
		bus_read(fb->mmio, FAKE_MMIO + (addr >> 1), &value, size);
		break;
	case STEP_WINDOW_WRITE:
		bus_write(fb->mmio, FAKE_MMIO + (addr >> 1), &value, size);
		break;
	case STEP_RAISE:
		device_lock(&ff->dev);
		pci_msix_raise(&ff->msix, (unsigned)addr >> 1);
		device_unlock(&ff->dev);
		break;
	case STEP_INTX:
		device_lock(&ff->dev);
		pci_func_set_intx(&ff->f, addr >> 1 & 1);
		device_unlock(&ff->dev);
		break;
	case STEP_RESET:
		device_reset(addr & 2 ? fb->dev : &ff->dev);
		break;
	case STEP_ASSIGN:
		pci_host_assign(fb->host);
		break;
	case STEP_LOAD:
		step_load(fb, which);
		break;
	case STEP_COUNT:
		break;
	}
}

/* What no script may bring about. */
static void check(const struct fake_func *ff)
{
	const struct pci_func *f = &ff->f;
	uint64_t gpa = 0;
	for (unsigned n = 0; n < PCI_BAR_MAX; n++)
		if (pci_func_bar_gpa(f, n, &gpa) &&
		    (gpa < FAKE_MMIO || gpa + f->bar[n].size - 1 > FAKE_MMIO_END ||
		     !f->bar[n].size))
			abort();
	bool is_disabled = f->config[PCI_COMMAND + 1] & PCI_COMMAND_INTX_DISABLE >> 8;
	if (ff->irq_level != (f->is_intx_high && !is_disabled))
		abort();
	for (unsigned v = 0; v < FAKE_VECTORS; v++) {
		bool is_live = pci_msix_is_enabled(&ff->msix) && !ff->msix.entry[v].control &&
			       !(f->config[ff->msix.cap + 3] & PCI_MSIX_FUNC_MASK >> 8);
		if (is_live != ff->vector[v].is_live ||
		    (is_live && (ff->vector[v].addr != ff->msix.entry[v].addr ||
				 ff->vector[v].data != ff->msix.entry[v].data)) ||
		    (is_live && (ff->msix.pending >> v & 1)))
			abort();
	}
	if (ff->msix.pending >> FAKE_VECTORS || f->config[0] != 0xf4)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fake_bus fb;
	struct script s = {data, size};
	fake_bus_create(&fb);
	pci_host_assign(fb.host);
	for (unsigned steps = 0; s.left && steps < 512; steps++) {
		step(&fb, &s);
		check(fb.ff[0]);
		check(fb.ff[1]);
	}
	fake_bus_destroy(&fb);
	return 0;
}
