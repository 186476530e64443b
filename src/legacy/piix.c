/*
 * What software looks for on a PC of the later nineties: the 440FX's and the PIIX3's configuration
 * registers (Intel 290549, 290550).
 *
 * All memory below 1 MiB can be read and written whatever the shadow registers say, and PCI
 * interrupts arrive where the board has wired them: both kinds of registers are storage. The other
 * functions of the PIIX3 are devices of their own (IDE).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/piix.h>

#define HOST_PAM       0x59
#define HOST_PAM_COUNT 7
#define HOST_SMRAM     0x72
#define PIRQ_ROUTE     0x60
#define PIRQ_COUNT     4
#define PIRQ_OFF       0x80
#define CLASS_HOST     0x060000
#define CLASS_ISA      0x060100

struct piix3 {
	struct device dev;
	struct pci_func func;
};

const struct pci_id piix_host_id = {
	.vendor = 0x8086,
	.device = 0x1237,
	.subsystem_vendor = 0x1af4,
	.subsystem = 0x1100,
	.class_code = CLASS_HOST,
	.revision = 2,
};

void piix_host_prepare(struct pci_func *bridge)
{
	memset(&bridge->wmask[HOST_PAM], 0xff, HOST_PAM_COUNT);
	bridge->wmask[HOST_SMRAM] = 0xff;
}

static void piix3_reset(struct device *dev)
{
	struct piix3 *p = (struct piix3 *)dev;
	pci_func_reset(&p->func);
	memset(&p->func.config[PIRQ_ROUTE], PIRQ_OFF, PIRQ_COUNT);
}

static void piix3_state(struct device *dev, struct state *st)
{
	pci_func_state(&((struct piix3 *)dev)->func, st);
}

static void piix3_destroy(struct device *dev)
{
	free(dev);
}

static const struct device_ops piix3_ops = {
	.type = "piix3",
	.version = 1,
	.reset = piix3_reset,
	.state = piix3_state,
	.destroy = piix3_destroy,
};

int piix3_create(struct device **ret_dev, struct pci_func **ret_func)
{
	static const struct pci_id id = {
		.vendor = 0x8086, .device = 0x7000, .class_code = CLASS_ISA};
	struct piix3 *p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	device_init(&p->dev, &piix3_ops, "piix3");
	pci_func_init(&p->func, &p->dev, &id, NULL, NULL, (struct irq_line){0});
	memset(&p->func.wmask[PIRQ_ROUTE], 0xff, PIRQ_COUNT);
	piix3_reset(&p->dev);
	*ret_dev = &p->dev;
	*ret_func = &p->func;
	return 0;
}
