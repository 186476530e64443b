/*
 * A boot sector for tests of screen and keyboard: shows text in colours, then each key that the
 * BIOS has (INT 16h, AH=10h) as its scan code and character in hexadecimal, and sends its character
 * to COM1. Some do more:
 *	b	the cursor becomes a block, h: it is hidden, u: a line
 *	g	a picture in mode 13h, until the next key
 *	w	for two seconds it looks at nothing
 *	q	switches the machine off (APM)
 */
	.code16
	.text
	.globl	_start

#define TICKS 0x46c
#define APM(function, power)                                       \
	movw	$(0x5300+(function)), %ax; movw $(power), %bx; int $0x15

_start:
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %ss
	movw	$0x7c00, %sp
	sti
	cld
	movw	$0x00e3, %ax	/* COM1: 9600 bit/s, 8 bits */
	xorw	%dx, %dx
	int	$0x14
text:
	movw	$0x0003, %ax
	int	$0x10
	movw	$0xb800, %ax
	movw	%ax, %es
	movw	$lines, %si
1:	lodsw			/* where, 0 for the end */
	xchgw	%ax, %di
	testw	%di, %di
	jz	2f
	lodsb			/* in which colours */
	movb	%al, %ah
3:	lodsb
	testb	%al, %al
	jz	1b
	stosw
	jmp	3b
2:	movb	$0x02, %ah	/* the cursor: row 5 */
	xorw	%bx, %bx
	movw	$0x0500, %dx
	int	$0x10

next:
	movb	$0x10, %ah
	int	$0x16
	pushw	%ax
	movb	$0x01, %ah
	xorw	%dx, %dx
	int	$0x14
	popw	%ax
	pushw	%ax
	call	word
	popw	%ax
	movw	$commands, %si
1:	cmpb	(%si), %al
	je	2f
	addw	$3, %si
	cmpw	$commands_end, %si
	jb	1b
	jmp	next
2:	jmp	*1(%si)

block:
	movw	$0x000f, %cx
	jmp	shape
hide:
	movw	$0x2000, %cx
	jmp	shape
underline:
	movw	$0x0d0e, %cx
shape:
	movb	$0x01, %ah
	int	$0x10
	jmp	next

picture:
	movw	$0x0013, %ax
	int	$0x10
	movw	$0xa000, %ax
	movw	%ax, %es
	xorw	%di, %di
	movb	$4, %al		/* the upper half red, the lower green */
	movw	$32000, %cx
	rep stosb
	movb	$2, %al
	movw	$32000, %cx
	rep stosb
	movb	$0x10, %ah
	int	$0x16
	jmp	text

wait:
	movw	TICKS, %bx
1:	movw	TICKS, %ax
	subw	%bx, %ax
	cmpw	$37, %ax
	jb	1b
	jmp	next

off:
	APM(0x01, 0)		/* connect, version 1.2 */
	APM(0x0e, 0)
	movw	$3, %cx
	APM(0x07, 1)
	cli
	hlt

/* AX in hexadecimal, and a blank. */
word:
	movw	$4, %cx
1:	rolw	$4, %ax
	pushw	%ax
	andb	$15, %al
	cmpb	$10, %al
	sbbb	$0x69, %al
	das
	orb	$0x20, %al
	call	put
	popw	%ax
	loop	1b
	movb	$' ', %al
put:
	movb	$0x0e, %ah
	movw	$7, %bx
	int	$0x10
	ret

#define AT(row, col, colors) .word ((row)*80+(col))*2; .byte colors
lines:
	AT(0, 2, 0x1e); .asciz "typewriter"
	AT(1, 2, 0x4f); .byte 0xc9, 0xcd, 0xbb, 0
	AT(2, 2, 0x87); .asciz "blinks"
	AT(3, 2, 0x70); .byte 0x84, 0xe1, 0xdb, 0
	AT(24, 70, 0x0a); .asciz "corner"
	.word	0
#define COMMAND(key, code) .byte key; .word code
commands:
	COMMAND('b', block)
	COMMAND('h', hide)
	COMMAND('u', underline)
	COMMAND('g', picture)
	COMMAND('w', wait)
	COMMAND('q', off)
commands_end:

	.org	510
	.word	0xaa55
