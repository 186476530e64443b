/*
 * A boot sector, and behind it a program that checks the BIOS it was booted by: each service once,
 * as software uses it. It prints a line for each check on the screen (INT 10h) and on the debug
 * port E9h, then a line with the counts, and switches the machine off (APM).
 *
 * The sector leaves room for a FAT12 boot sector's parameters and for a partition table. From a
 * floppy or hard disk it loads the PROGRAM_SECTORS sectors that follow it, and the last of them is
 * empty, for it to write to; a CD is booted without emulation, all of it loaded already.
 */
#define PROGRAM_SECTORS 16
#define PROGRAM		0x7e00
#define SCRATCH		0xc000 /* 16 KiB */
#define BDA(offset)	(0x400+(offset))
#define VECTOR(n)	(4*(n))
#define CORNER		(2*(24*80+79)) /* of the screen */

	.code16
	.text
	.globl	_start, boot_sectors
	boot_sectors = 1 + PROGRAM_SECTORS

_start:
	jmp	load
	nop
	.org	62 /* past the parameters of a FAT12 file system */
load:
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	$0x7c00, %sp
	sti
	movb	%dl, drive
	cmpb	$0xe0, %dl
	jae	program
	movb	$0x08, %ah
	int	$0x13
	jc	load_failed
	andb	$0x3f, %cl
	movb	%cl, sectors
	xorw	%ax, %ax
	movw	%ax, %es
	movw	$1, %si
	movw	$PROGRAM, %bx
1:	movw	%si, %ax	/* all on the first cylinder */
	divb	sectors
	movb	%al, %dh
	movb	%ah, %cl
	incb	%cl
	movb	$0, %ch
	movb	drive, %dl
	movw	$0x0201, %ax
	int	$0x13
	jc	load_failed
	addw	$512, %bx
	incw	%si
	cmpw	$PROGRAM_SECTORS, %si
	jbe	1b
	jmp	program
load_failed:
	movw	$text_load_failed, %si
1:	lodsb
	movb	$0x0e, %ah
	int	$0x10
	outb	%al, $0xe9
	testb	%al, %al
	jnz	1b
	int	$0x18
text_load_failed:
	.asciz	"bios: the program cannot be read\r\n"
drive:	.byte	0
sectors: .byte	0
	.org	510
	.word	0xaa55

program:
	movw	$checks, %si
1:	movw	(%si), %bx
	testw	%bx, %bx
	jz	summary
	pushw	%si
	xorw	%ax, %ax
	movw	%ax, %es
	call	*%bx
	cld
	sti
	movw	$0, %ax
	movw	%ax, %ds
	movw	%ax, %es
	popw	%si
	movw	$text_ok, %dx
	jnc	2f
	movw	$text_fail, %dx
	incw	failed
	jmp	3f
2:	incw	passed
3:	pushw	%si
	movw	%dx, %si
	call	print
	popw	%si
	pushw	%si
	movw	2(%si), %si
	call	print
	movw	$text_end, %si
	call	print
	popw	%si
	addw	$4, %si
	jmp	1b
summary:
	movw	$text_bios, %si
	call	print
	movw	passed, %ax
	call	print_number
	movw	$text_passed, %si
	call	print
	movw	failed, %ax
	call	print_number
	movw	$text_failed, %si
	call	print
	movw	$0x5301, %ax
	xorw	%bx, %bx
	int	$0x15
	movw	$0x5307, %ax
	movw	$0x0001, %bx
	movw	$0x0003, %cx
	int	$0x15
1:	hlt
	jmp	1b

print:	lodsb
	testb	%al, %al
	jz	1f
	outb	%al, $0xe9
	movb	$0x0e, %ah
	movw	$0x0007, %bx
	int	$0x10
	jmp	print
1:	ret

/* ax, in decimal */
print_number:
	movw	$number_end, %di
	movw	$10, %cx
1:	xorw	%dx, %dx
	divw	%cx
	addb	$'0', %dl
	decw	%di
	movb	%dl, (%di)
	testw	%ax, %ax
	jnz	1b
	movw	%di, %si
	jmp	print

/* Each check: carry when it fails. Any register may change; DS and ES are 0 before. */
	.macro	FAIL_IF condition
	j\condition	fail
	.endm
	.macro	EXPECT what, value
	cmpw	\value, \what
	jne	fail
	.endm
pass:
	clc
	ret
fail:
	stc
	ret

check_rom:
	movw	$0xf000, %ax
	movw	%ax, %es
	cmpb	$0xfc, %es:0xfffe
	jne	fail
	cmpb	$0xea, %es:0xfff0
	jne	fail
	EXPECT	VECTOR(0x13), $0xe3fe
	EXPECT	VECTOR(0x13)+2, $0xf000
	jmp	pass

check_equipment:
	int	$0x11
	testb	$0x02, %al
	jz	fail
	EXPECT	BDA(0x10), %ax
	int	$0x12
	EXPECT	%ax, $639
	EXPECT	BDA(0x13), %ax
	EXPECT	BDA(0x0e), $0x9fc0
	jmp	pass

check_video:
	movb	$0x0f, %ah
	int	$0x10
	EXPECT	%ax, $0x5003
	testb	%bh, %bh
	jnz	fail
	movb	$0x03, %ah	/* where the cursor is, */
	int	$0x10
	EXPECT	BDA(0x50), %dx
	pushw	%dx
	movw	$0x184f, %dx	/* a character in the corner, */
	movb	$0x02, %ah
	int	$0x10
	movw	$0x0958, %ax
	movw	$0x001e, %bx
	movw	$1, %cx
	int	$0x10
	movb	$0x08, %ah
	int	$0x10
	popw	%dx
	pushw	%ax
	movb	$0x02, %ah	/* and back */
	int	$0x10
	popw	%ax
	EXPECT	%ax, $0x1e58
	movw	$0xb800, %ax
	movw	%ax, %es
	EXPECT	%es:CORNER, $0x1e58
	jmp	pass

check_disk_reset:
	xorb	%ah, %ah
	movb	drive, %dl
	int	$0x13
	FAIL_IF	c
	movb	$0x01, %ah
	movb	drive, %dl
	int	$0x13
	FAIL_IF	c
	testb	%ah, %ah
	jnz	fail
	jmp	pass

check_disk_parameters:
	cmpb	$0xe0, drive
	jae	pass
	movb	$0x08, %ah
	movb	drive, %dl
	int	$0x13
	FAIL_IF	c
	testb	%dl, %dl	/* drives */
	jz	fail
	testb	$0x3f, %cl
	jz	fail
	movb	$0x15, %ah
	movb	drive, %dl
	int	$0x13
	FAIL_IF	c
	testb	%ah, %ah
	jz	fail
	jmp	pass

check_disk_read:
	cmpb	$0xe0, drive
	jae	pass
	movw	$0x0201, %ax
	movw	$SCRATCH, %bx
	movw	$0x0001, %cx
	movb	$0, %dh
	movb	drive, %dl
	int	$0x13
	FAIL_IF	c
	EXPECT	%ax, $0x0001
	EXPECT	SCRATCH+510, $0xaa55
	movw	$0x0401, %ax
	movw	$0x0001, %cx
	movb	$0, %dh
	movb	drive, %dl
	int	$0x13
	FAIL_IF	c
	/* A sector that no medium has */
	movw	$0x0201, %ax
	movw	$SCRATCH, %bx
	movw	$0x0000, %cx
	movb	$0, %dh
	movb	drive, %dl
	int	$0x13
	jnc	fail
	cmpb	$0x04, %ah
	jne	fail
	jmp	pass

/* The program's last sector, which nothing is in; unless the medium is write-protected. */
check_disk_write:
	cmpb	$0xe0, drive
	jae	pass
	movw	$SCRATCH, %di
	movw	$256, %cx
	movw	$0x1234, %ax
	rep stosw
	movw	$0x0301, %ax
	call	last_sector
	jnc	1f
	cmpb	$0x03, %ah
	je	pass
	jmp	fail
1:	movw	$0, SCRATCH
	movw	$0x0201, %ax
	call	last_sector
	FAIL_IF	c
	EXPECT	SCRATCH, $0x1234
	EXPECT	SCRATCH+510, $0x1234
	jmp	pass
last_sector:
	pushw	%ax
	movw	$PROGRAM_SECTORS, %ax
	divb	sectors
	movb	%al, %dh
	movb	%ah, %cl
	incb	%cl
	movb	$0, %ch
	movb	drive, %dl
	movw	$SCRATCH, %bx
	popw	%ax
	int	$0x13
	ret

check_disk_blocks:
	cmpb	$0x80, drive
	jb	pass
	movw	$0x4100, %ax
	movw	$0x55aa, %bx
	movb	drive, %dl
	int	$0x13
	FAIL_IF	c
	EXPECT	%bx, $0xaa55
	movw	$0x4800, %ax
	movw	$SCRATCH, %si
	movw	$26, (%si)
	movb	drive, %dl
	int	$0x13
	FAIL_IF	c
	movw	$0x4200, %ax
	movw	$packet, %si
	movb	drive, %dl
	movb	$0, packet + 8
	cmpb	$0xe0, %dl
	jb	1f
	movb	$16, packet + 8	/* a CD's volume descriptor */
1:	int	$0x13
	FAIL_IF	c
	cmpb	$0xe0, drive
	jae	2f
	EXPECT	SCRATCH+510, $0xaa55
	jmp	pass
2:	EXPECT	SCRATCH+1, $0x4443 /* "CD" */
	movw	$0x4b01, %ax
	movb	drive, %dl
	movw	$SCRATCH, %si
	int	$0x13
	FAIL_IF	c
	cmpb	$19, SCRATCH
	jne	fail
	jmp	pass

check_serial:
	movw	$0x00e3, %ax
	xorw	%dx, %dx
	int	$0x14
	testb	$0x60, %ah
	jz	fail
	movw	$0x0300, %ax
	xorw	%dx, %dx
	int	$0x14
	testb	$0x60, %ah
	jz	fail
	jmp	pass

check_printer:
	movb	$0x02, %ah
	xorw	%dx, %dx
	int	$0x17
	testb	$0x01, %ah	/* there is none */
	jz	fail
	jmp	pass

check_memory_sizes:
	movb	$0x88, %ah
	int	$0x15
	FAIL_IF	c
	testw	%ax, %ax
	jz	fail
	movw	$0xe801, %ax
	int	$0x15
	FAIL_IF	c
	EXPECT	%ax, %cx
	EXPECT	%bx, %dx
	jmp	pass

check_memory_map:
	xorl	%ebx, %ebx
	movw	$0, %bp		/* entries */
	movl	$0, SCRATCH + 100	/* RAM above 1 MiB */
1:	movl	$0xe820, %eax
	movl	$0x534d4150, %edx
	movl	$20, %ecx
	movw	$SCRATCH, %di
	int	$0x15
	FAIL_IF	c
	cmpl	$0x534d4150, %eax
	jne	fail
	incw	%bp
	cmpl	$0x100000, SCRATCH
	jne	2f
	cmpl	$1, SCRATCH + 16
	jne	2f
	movl	SCRATCH + 8, %eax
	movl	%eax, SCRATCH + 100
2:	testl	%ebx, %ebx
	jnz	1b
	cmpw	$4, %bp
	jb	fail
	cmpl	$0x100000, SCRATCH + 100
	jb	fail
	jmp	pass

/* 8 KiB to 1 MiB and back again */
check_block_move:
	movw	$SCRATCH, %di
	movw	$0x1000, %cx
1:	movw	%cx, %ax
	stosw
	loop	1b
	movl	$SCRATCH, %eax
	movl	$0x100000, %edx
	call	move
	FAIL_IF	c
	movw	$SCRATCH, %di
	movw	$0x1000, %cx
	xorw	%ax, %ax
	rep stosw
	movl	$0x100000, %eax
	movl	$SCRATCH, %edx
	call	move
	FAIL_IF	c
	EXPECT	SCRATCH, $0x1000
	EXPECT	SCRATCH+0x1ffe, $1
	jmp	pass
/* eax to edx */
move:	orl	$0x93000000, %eax
	movl	%eax, gdt + 0x12
	orl	$0x93000000, %edx
	movl	%edx, gdt + 0x1a
	movw	$gdt, %si
	movw	$0x1000, %cx
	movb	$0x87, %ah
	int	$0x15
	ret

check_configuration:
	movb	$0xc0, %ah
	int	$0x15
	FAIL_IF	c
	cmpb	$0xfc, %es:2(%bx)
	jne	fail
	movb	$0xc1, %ah
	int	$0x15
	FAIL_IF	c
	movw	%es, %ax
	EXPECT	%ax, $0x9fc0
	jmp	pass

check_a20:
	movw	$0x2401, %ax
	int	$0x15
	FAIL_IF	c
	movw	$0xffff, %ax
	movw	%ax, %es
	movw	$0x1111, SCRATCH
	movw	$0x2222, %es:SCRATCH + 0x10
	EXPECT	SCRATCH, $0x1111
	jmp	pass

/* To protected mode by INT 15h AH=89h, and back */
check_protected_mode:
	inb	$0x21, %al
	movb	%al, masks
	inb	$0xa1, %al
	movb	%al, masks + 1
	movw	$gdt_protected, %si
	movw	$0x2028, %bx
	movb	$0x89, %ah
	int	$0x15
	/* The segments are selectors now. */
	FAIL_IF	c
	movw	%cs, %cx
	smsw	%dx
	movl	%cr0, %eax
	andb	$0xfe, %al
	movl	%eax, %cr0
	ljmp	$0, $1f
1:	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	lidt	idt_real
	call	reset_pics
	sti
	EXPECT	%cx, $0x30
	testb	$1, %dl
	jz	fail
	jmp	pass
reset_pics:
	movb	$0x11, %al
	outb	%al, $0x20
	outb	%al, $0xa0
	movb	$0x08, %al
	outb	%al, $0x21
	movb	$0x70, %al
	outb	%al, $0xa1
	movb	$0x04, %al
	outb	%al, $0x21
	movb	$0x02, %al
	outb	%al, $0xa1
	movb	$0x01, %al
	outb	%al, $0x21
	outb	%al, $0xa1
	movb	masks, %al
	outb	%al, $0x21
	movb	masks + 1, %al
	outb	%al, $0xa1
	ret

/* AH=86h: a quarter of a second is four or five ticks. */
check_wait:
	movl	BDA(0x6c), %esi
	movw	$3, %cx
	movw	$0xd090, %dx
	movb	$0x86, %ah
	int	$0x15
	FAIL_IF	c
	movl	BDA(0x6c), %eax
	subl	%esi, %eax
	cmpl	$2, %eax /* 4, but a busy machine's ticks come late, or those of before */
	jb	fail
	cmpl	$40, %eax
	ja	fail
	jmp	pass

/* AH=83h: 50 ms, as the clock's interrupts count them */
check_event:
	movb	$0, event
	movw	$0, %cx
	movw	$50000, %dx
	movw	$event, %bx
	movw	$0x8300, %ax
	int	$0x15
	FAIL_IF	c
	movl	BDA(0x6c), %esi
1:	testb	$0x80, event
	jnz	pass
	movl	BDA(0x6c), %eax
	subl	%esi, %eax
	cmpl	$40, %eax
	jb	1b
	jmp	fail

check_apm:
	movw	$0x5300, %ax
	xorw	%bx, %bx
	int	$0x15
	FAIL_IF	c
	EXPECT	%bx, $0x504d
	jmp	pass

check_keyboard_ring:
	movw	$0x0500, %ax
	movw	$0x3b41, %cx
	int	$0x16
	testb	%al, %al
	jnz	fail
	movb	$0x01, %ah
	int	$0x16
	jz	fail
	EXPECT	%ax, $0x3b41
	movb	$0x00, %ah
	int	$0x16
	EXPECT	%ax, $0x3b41
	movb	$0x01, %ah
	int	$0x16
	jnz	fail
	jmp	pass

/* A key by way of the controller (command D2h), IRQ 1 and INT 09h; INT 16h waits for it. */
check_keystroke:
	movb	$0x1e, %al
	call	type
	movb	$0x00, %ah
	int	$0x16
	EXPECT	%ax, $0x1e61
	movb	$0x9e, %al
	call	type
	movb	$0x2a, %al	/* shift */
	call	type
	movl	BDA(0x6c), %esi
1:	movb	$0x02, %ah
	int	$0x16
	testb	$0x02, %al
	jnz	2f
	movl	BDA(0x6c), %eax
	subl	%esi, %eax
	cmpl	$40, %eax
	jb	1b
	jmp	fail
2:	movb	$0xaa, %al
	call	type
	jmp	pass
type:	pushw	%ax
	call	controller_ready
	movb	$0xd2, %al
	outb	%al, $0x64
	call	controller_ready
	popw	%ax
	outb	%al, $0x60
	/* Until it has been taken */
1:	inb	$0x64, %al
	testb	$0x01, %al
	jnz	1b
	ret
controller_ready:
	inb	$0x64, %al
	testb	$0x02, %al
	jnz	controller_ready
	ret

/* The mouse's handler is called with the packet on the stack (command D3h makes the bytes). */
check_mouse:
	movw	$0xc205, %ax
	movb	$3, %bh
	int	$0x15
	FAIL_IF	c
	movw	$0xc207, %ax
	movw	$mouse_handler, %bx
	int	$0x15
	FAIL_IF	c
	movw	$0xc200, %ax
	movb	$1, %bh
	int	$0x15
	FAIL_IF	c
	movw	$0, mouse_seen
	movb	$0x08, %al
	call	nudge
	movb	$0x05, %al
	call	nudge
	movb	$0x07, %al
	call	nudge
	movl	BDA(0x6c), %esi
1:	cmpw	$0x0705, mouse_seen
	je	2f
	movl	BDA(0x6c), %eax
	subl	%esi, %eax
	cmpl	$40, %eax
	jb	1b
	jmp	fail
2:	movw	$0xc200, %ax
	movb	$0, %bh
	int	$0x15
	FAIL_IF	c
	jmp	pass
nudge:	pushw	%ax
	call	controller_ready
	movb	$0xd3, %al
	outb	%al, $0x64
	call	controller_ready
	popw	%ax
	outb	%al, $0x60
1:	inb	$0x64, %al
	testb	$0x01, %al
	jnz	1b
	ret
mouse_handler:
	pushw	%bp
	movw	%sp, %bp
	pushw	%ax
	movb	10(%bp), %al	/* X; Y is 8(%bp), status 12(%bp) */
	movb	8(%bp), %ah
	movw	%ax, %cs:mouse_seen
	popw	%ax
	popw	%bp
	lret

check_ticks:
	movb	$0x00, %ah
	int	$0x1a
	movw	%dx, %si
1:	hlt
	movb	$0x00, %ah
	int	$0x1a
	cmpw	%dx, %si
	je	1b
	EXPECT	BDA(0x6c), %dx
	jmp	pass

/* INT 1Ch is called at each tick. */
check_user_tick:
	cli
	movl	VECTOR(0x1c), %eax
	movl	%eax, old_vector
	movw	$tick_handler, VECTOR(0x1c)
	movw	$0, VECTOR(0x1c)+2
	movw	$0, handler_calls
	sti
	movl	BDA(0x6c), %esi
1:	movl	BDA(0x6c), %eax
	subl	%esi, %eax
	cmpl	$4, %eax
	jb	1b
	cli
	movl	old_vector, %eax
	movl	%eax, VECTOR(0x1c)
	sti
	cmpw	$3, handler_calls
	jb	fail
	jmp	pass
tick_handler:
	incw	%cs:handler_calls
	iretw

check_clock:
	movb	$0x04, %ah
	int	$0x1a
	FAIL_IF	c
	cmpb	$0x20, %ch
	je	1f
	cmpb	$0x19, %ch
	jne	fail
1:	movb	$0x02, %ah
	int	$0x1a
	FAIL_IF	c
	cmpb	$0x24, %ch
	jae	fail
	cmpb	$0x60, %dh
	jae	fail
	jmp	pass

/* An alarm in every second (the don't-care bits) calls INT 4Ah. */
check_alarm:
	cli
	movw	$tick_handler, VECTOR(0x4a)
	movw	$0, VECTOR(0x4a)+2
	movw	$0, handler_calls
	sti
	movw	$0xffff, %cx
	movb	$0xff, %dh
	movb	$0x06, %ah
	int	$0x1a
	FAIL_IF	c
	movl	BDA(0x6c), %esi
1:	cmpw	$0, handler_calls
	jne	2f
	movl	BDA(0x6c), %eax
	subl	%esi, %eax
	cmpl	$60, %eax
	jb	1b
	jmp	fail
2:	movb	$0x07, %ah
	int	$0x1a
	FAIL_IF	c
	jmp	pass

check_pci:
	movw	$0xb101, %ax
	int	$0x1a
	FAIL_IF	c
	cmpl	$0x20494350, %edx
	jne	fail
	movw	$0xb109, %ax
	xorw	%bx, %bx
	xorw	%di, %di
	int	$0x1a
	FAIL_IF	c
	EXPECT	%cx, $0x8086
	jmp	pass

/* _MP_ and _SM_ in the ROM, their sums 0 */
check_tables:
	movw	$0xf000, %ax
	movw	%ax, %es
	xorw	%di, %di
	xorw	%bp, %bp
1:	cmpl	$0x5f504d5f, %es:(%di)
	jne	2f
	movw	$16, %cx
	call	sum
	jnz	fail
	incw	%bp
2:	cmpl	$0x5f4d535f, %es:(%di)
	jne	3f
	movw	$0x1f, %cx
	call	sum
	jnz	fail
	incw	%bp
3:	addw	$16, %di
	jnz	1b
	EXPECT	%bp, $2
	jmp	pass
/* of cx bytes at es:di; zero flag */
sum:	pushw	%di
	xorb	%al, %al
1:	addb	%es:(%di), %al
	incw	%di
	loop	1b
	popw	%di
	testb	%al, %al
	ret

	.macro	CHECK routine, text
	.word	check_\routine, text_\routine
	.pushsection .rodata
text_\routine:
	.asciz	"\text"
	.popsection
	.endm

checks:
	CHECK	rom, "ROM and vectors"
	CHECK	equipment, "INT 11h 12h equipment"
	CHECK	video, "INT 10h text"
	CHECK	disk_reset, "INT 13h reset"
	CHECK	disk_parameters, "INT 13h parameters"
	CHECK	disk_read, "INT 13h read"
	CHECK	disk_write, "INT 13h write"
	CHECK	disk_blocks, "INT 13h by block"
	CHECK	serial, "INT 14h serial port"
	CHECK	printer, "INT 17h printer"
	CHECK	memory_sizes, "INT 15h memory sizes"
	CHECK	memory_map, "INT 15h memory map"
	CHECK	block_move, "INT 15h block move"
	CHECK	configuration, "INT 15h configuration"
	CHECK	a20, "INT 15h A20"
	CHECK	protected_mode, "INT 15h protected mode"
	CHECK	wait, "INT 15h wait"
	CHECK	event, "INT 15h event, IRQ 8"
	CHECK	apm, "INT 15h APM"
	CHECK	mouse, "INT 15h mouse, IRQ 12"
	CHECK	keyboard_ring, "INT 16h ring"
	CHECK	keystroke, "INT 16h, IRQ 1"
	CHECK	ticks, "INT 1Ah ticks, IRQ 0"
	CHECK	user_tick, "INT 1Ch"
	CHECK	clock, "INT 1Ah clock"
	CHECK	alarm, "INT 4Ah alarm"
	CHECK	pci, "INT 1Ah PCI"
	CHECK	tables, "MP and SMBIOS tables"
	.word	0

packet:	.byte	16, 0
	.word	1, SCRATCH, 0
	.long	0, 0
	.balign	8
gdt:	.fill	16, 1, 0
	.word	0xffff, 0, 0x9300, 0
	.word	0xffff, 0, 0x9300, 0
	.fill	16, 1, 0
	.balign	8
gdt_protected:
	.quad	0
	.word	gdt_end - gdt_protected - 1, gdt_protected, 0x9300, 0
	.word	0x7ff, SCRATCH, 0x9300, 0
	.word	0xffff, 0, 0x9300, 0	/* DS, */
	.word	0xffff, 0, 0x9300, 0	/* ES, */
	.word	0xffff, 0, 0x9300, 0	/* SS, */
	.word	0xffff, 0, 0x9b00, 0	/* CS */
	.quad	0
gdt_end:
idt_real:
	.word	0x3ff, 0, 0
passed:	.word	0
failed:	.word	0
old_vector: .long 0
handler_calls: .word 0
mouse_seen: .word 0
masks:	.word	0
event:	.byte	0
number:	.fill	5, 1, 0
number_end: .byte 0
text_ok: .asciz	"ok   "
text_fail: .asciz "FAIL "
text_end: .asciz "\r\n"
text_bios: .asciz "bios: "
text_passed: .asciz " passed, "
text_failed: .asciz " failed\r\n"
