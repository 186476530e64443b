/* Every way to end, chosen on the command line. */
#include "rt.h"

void guest_main(void)
{
	put("guest: ok started\n");
	if (has_arg("cf9"))
		outb(RESET_PORT, 0x06);
	else if (has_arg("i8042"))
		outb(I8042, 0xfe);
	else if (has_arg("panic"))
		outb(PVPANIC, 1);
	else if (has_arg("off"))
		power_off();
	else if (has_arg("return"))
		return;
	else if (has_arg("triple")) {
		load_empty_idt();
		__asm__ volatile("ud2");
	} else if (has_arg("nowhere")) {
		/* Instructions cannot be fetched from MMIO: KVM gives up. */
		((void (*)(void))NO_MMIO)();
	}
	for (;;)
		__asm__ volatile("hlt");
}
