/*
 * The BIOS's entry points: interrupts and the reset vector, where old software expects them. A
 * service's stub saves the registers as a struct bios_frame and has C serve it (spec/bios.h); what
 * is done here is what only a processor can do: waiting, calling other interrupts, telling the
 * interrupt controllers, going to protected mode.
 */
#include <spec/bios.h>

#define FRAME_RESULT 16 /* in struct bios_frame */

#define PIC_MASTER 0x20
#define PIC_SLAVE  0xa0
#define PIC_EOI	   0x20
#define PIC_ICW1   0x11 /* edges, a cascade, ICW4 follows */
#define PIC_ICW4   0x01 /* 8086 mode */
#define PIT_CH0	   0x40
#define PIT_CH1	   0x41
#define PIT_MODE   0x43

#define BDA_SEGMENT   0x40
#define BDA_KEY_FLAGS 0x18
#define KEY_IS_PAUSED 0x08

#define BOOT_STACK 0x7c00

	.code16

/* At a place that old software knows; the linker script knows which. */
	.macro	AT name
	.section .at.\name, "ax", @progbits
	.endm

	.macro	ENTER
	pushal
	pushw	%ds
	pushw	%es
	.endm

	.macro	LEAVE
	popw	%es
	popw	%ds
	popal
	iretw
	.endm

/* An interrupt that C serves. */
	.macro	SERVICE number
	ENTER
	movb	$\number, %al
	jmp	service
	.endm

	.macro	PORT value, port
	movb	$\value, %al
	outb	%al, $\port
	.endm

	.macro	EOI_MASTER
	PORT	PIC_EOI, PIC_MASTER
	.endm

	.macro	EOI_SLAVE
	PORT	PIC_EOI, PIC_SLAVE
	outb	%al, $PIC_MASTER
	.endm

	.section .text, "ax", @progbits

service:
	call	serve
leave:
	LEAVE

/*
 * serve: has C serve the frame above the return address, as often as it takes
 * al: the service. Afterwards bp is the frame, interrupts are off, other registers are changed.
 */
serve:
	cld
	movw	%sp, %bp
	addw	$2, %bp
	movzbl	%al, %ebx
	movzwl	%bp, %ecx
	xorl	%eax, %eax
	movw	%ss, %ax
	shll	$4, %eax
	addl	%ecx, %eax
	shll	$8, %eax
	orl	%eax, %ebx
	movw	$BIOS_PORT_CALL, %dx
1:	movl	%ebx, %eax
	outl	%eax, %dx
	movzbw	FRAME_RESULT(%bp), %di
	cmpw	$BIOS_AGAIN, %di
	jb	4f
	je	2f
	cmpw	$BIOS_WAIT, %di
	je	3f
	subw	$BIOS_RAISE, %di
	jae	raise
	cli
	ret
	/*
	 * From now on they stay on during the OUT too: an interpreting KVM may not look for them
	 * between two instructions, but does after an exit.
	 */
2:	sti
	jmp	1b
	/* Off while C looks again: what comes meanwhile is to end the next HLT. */
3:	sti
	hlt
	cli
	jmp	1b
4:	cli
	ret

/* INT di, as an INT instruction would. */
raise:
	cli
	shlw	$2, %di
	xorw	%ax, %ax
	movw	%ax, %es
	movw	$BDA_SEGMENT, %ax
	movw	%ax, %ds
	pushfw
	lcallw	*%es:(%di)
	cli
	ret

leave_master:
	EOI_MASTER
	jmp	leave
leave_slave:
	EOI_SLAVE
	jmp	leave

/* IRQs that nobody waits for. */
unexpected_master:
	pushw	%ax
	EOI_MASTER
	popw	%ax
	iretw
unexpected_slave:
	pushw	%ax
	EOI_SLAVE
	popw	%ax
	iretw

/* IRQ 9 is where the cards of IRQ 2 have gone. */
int71:
	pushw	%ax
	PORT	PIC_EOI, PIC_SLAVE
	popw	%ax
	int	$0x0a
	iretw

/* Real-time clock */
int70:
	ENTER
	movb	$0x70, %al
	call	serve
	jmp	leave_slave

/* Hard disk */
int76:
	ENTER
	movb	$0x76, %al
	call	serve
	jmp	leave_slave

/* Coprocessor: on to where the 8087's errors went */
int75:
	pushw	%ax
	PORT	0, 0xf0
	EOI_SLAVE
	popw	%ax
	int	$0x02
	iretw

/* Mouse: a whole packet goes to who asked for it by INT 15h AX=C207h */
int74:
	ENTER
	movb	$0x74, %al
	call	serve
	cmpb	$BIOS_MOUSE, FRAME_RESULT(%bp)
	jne	leave_slave
	movw	$EBDA_SEGMENT, %ax
	movw	%ax, %ds
	pushw	EBDA_MOUSE_PACKET + 6
	pushw	EBDA_MOUSE_PACKET + 4
	pushw	EBDA_MOUSE_PACKET + 2
	pushw	EBDA_MOUSE_PACKET
	sti
	lcallw	*EBDA_MOUSE_CALL
	cli
	addw	$8, %sp
	jmp	leave_slave

/* Boot: INT 18h means that what was booted has given up; C goes on with the next drive. */
int18:
	movb	$0x18, %bl
	jmp	boot
int19:
	movb	$0x19, %bl
boot:
	cli
	xorw	%ax, %ax
	movw	%ax, %ss
	movw	$BOOT_STACK, %sp
	pushfw
	pushw	%cs
	pushw	$int18
	ENTER
	movb	%bl, %al
	jmp	service

/* Keyboard */
int09:
	pushw	%ax
	inb	$0x60, %al
	movb	$0x4f, %ah
	stc
	int	$0x15
	jc	1f
	xorb	%al, %al /* somebody has swallowed it */
1:	pushfw
	pushw	%cs
	pushw	$2f
	ENTER		 /* a frame with the scan code in AL */
	EOI_MASTER
	movb	$0x09, %al
	jmp	service
2:	cli
	pushw	%ds
	movw	$BDA_SEGMENT, %ax
	movw	%ax, %ds
3:	testb	$KEY_IS_PAUSED, BDA_KEY_FLAGS
	jz	4f
	sti
	hlt		 /* a key's INT 09h ends it */
	cli
	jmp	3b
4:	popw	%ds
	popw	%ax
	iretw

/*
 * INT 15h AH=89h: to protected mode, with the caller's GDT at ES:SI and the interrupt controllers
 * at the vectors BH and BL. Its descriptors are: 1 the GDT, 2 the IDT, 3 DS, 4 ES, 5 SS, 6 the
 * caller's CS, 7 to be filled in with ours.
 */
protect:
	cli
	PORT	PIC_ICW1, PIC_MASTER
	outb	%al, $PIC_SLAVE
	movb	%bh, %al
	outb	%al, $PIC_MASTER + 1
	movb	%bl, %al
	outb	%al, $PIC_SLAVE + 1
	PORT	0x04, PIC_MASTER + 1
	PORT	0x02, PIC_SLAVE + 1
	PORT	PIC_ICW4, PIC_MASTER + 1
	outb	%al, $PIC_SLAVE + 1
	PORT	0xff, PIC_MASTER + 1
	outb	%al, $PIC_SLAVE + 1
	movw	$0xffff, %es:0x38(%si)
	movw	$0x0000, %es:0x3a(%si)
	movw	$0x9b0f, %es:0x3c(%si)
	movw	$0x0000, %es:0x3e(%si)
	lgdtw	%es:0x08(%si)
	lidtw	%es:0x10(%si)
	movl	%cr0, %eax
	orb	$0x01, %al
	movl	%eax, %cr0
	ljmpw	$0x38, $1f
1:	movw	$0x18, %ax
	movw	%ax, %ds
	movw	$0x20, %ax
	movw	%ax, %es
	movw	$0x28, %ax
	movw	%ax, %ss
	popw	%bx	 /* the caller's IP; his CS and flags */
	addw	$4, %sp
	pushw	$0x30
	pushw	%bx
	xorw	%ax, %ax /* done: AH and carry */
	lretw

/* Power-on */
post:
	cli
	xorw	%ax, %ax
	movw	%ax, %ss
	movw	$BOOT_STACK, %sp
	PORT	PIC_ICW1, PIC_MASTER
	outb	%al, $PIC_SLAVE
	PORT	0x08, PIC_MASTER + 1
	PORT	0x70, PIC_SLAVE + 1
	PORT	0x04, PIC_MASTER + 1
	PORT	0x02, PIC_SLAVE + 1
	PORT	PIC_ICW4, PIC_MASTER + 1
	outb	%al, $PIC_SLAVE + 1
	PORT	0xb8, PIC_MASTER + 1 /* open: 0, 1, 2, 6 */
	PORT	0x0e, PIC_SLAVE + 1  /* 8, 12 to 15 */
	PORT	0x36, PIT_MODE	     /* 18.2 Hz */
	PORT	0x00, PIT_CH0
	outb	%al, $PIT_CH0
	PORT	0x54, PIT_MODE	     /* what some programs take for memory refresh */
	PORT	0x12, PIT_CH1
	pushfw
	pushw	%cs
	pushw	$1f
	ENTER
	movb	$BIOS_CALL_POST, %al
	jmp	service
1:	sti
	int	$0x19

	AT	post
	jmp	post
	AT	int02
	iretw
	AT	int13
	SERVICE	0x13
	AT	int19
	jmp	int19
	AT	int14
	SERVICE	0x14
	AT	int16
	SERVICE	0x16
	AT	int09
	jmp	int09
	AT	int40
	SERVICE	0x13
	AT	int0e
	ENTER
	movb	$0x0e, %al
	call	serve
	jmp	leave_master
	AT	int17
	SERVICE	0x17
	AT	int10
	SERVICE	0x10
	AT	int12
	SERVICE	0x12
	AT	int11
	SERVICE	0x11
	AT	int15
	cmpb	$0x89, %ah
	je	protect
	SERVICE	0x15
	AT	int1a
	SERVICE	0x1a
	AT	int08
	ENTER
	movb	$0x08, %al
	call	serve
	jmp	leave_master
	AT	iret
	iretw
	AT	int05
	iretw /* there is no printer */
	AT	reset
	ljmpw	$BIOS_ROM_SEGMENT, $BIOS_ROM_POST

	AT	vectors
	.word	BIOS_ROM_INT08, BIOS_ROM_INT09, unexpected_master, unexpected_master
	.word	unexpected_master, unexpected_master, BIOS_ROM_INT0E, unexpected_master
	.word	BIOS_ROM_INT10, BIOS_ROM_INT11, BIOS_ROM_INT12, BIOS_ROM_INT13
	.word	BIOS_ROM_INT14, BIOS_ROM_INT15, BIOS_ROM_INT16, BIOS_ROM_INT17
	.word	int18, BIOS_ROM_INT19, BIOS_ROM_INT1A, BIOS_ROM_IRET
	.word	BIOS_ROM_IRET, BIOS_ROM_VIDEO_INIT, BIOS_ROM_FLOPPY_TABLE, 0
	AT	vectors_slave
	.word	int70, int71, unexpected_slave, unexpected_slave
	.word	int74, int75, int76, unexpected_slave
