/*
 * A kernel of a few instructions: leaves the machine at once, or, built with -DSTAY, says so on COM1
 * and sleeps. Entered in long mode by tinyvm (ELF entry) and in protected mode by QEMU (PVH note);
 * the instructions mean the same in both.
 */
	.section .note.pvh, "a", @note
	.long 4, 4, 18			/* name size, descriptor size, XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long _start

	.text
	.globl _start
	.code32
_start:
#ifdef STAY
	movw $0x3f8, %dx
	movb $'!', %al
	outb %al, %dx
1:	hlt
	jmp 1b
#else
	movw $0x604, %dx		/* tinyvm: PM1_CNT: SLP_EN, S5 */
	movl $0x3400, %eax
	outw %ax, %dx
	movw $0xf4, %dx			/* QEMU: isa-debug-exit */
	outb %al, %dx
1:	hlt
	jmp 1b
#endif
