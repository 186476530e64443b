/*
 * A boot sector that switches the machine off: at once, or after reading 64 KiB READS times with
 * INT 13h AH=42h. PM1_CNT is at 0604h in tinyvm's PC and, after SeaBIOS, in QEMU's; what S5 is
 * called differs.
 */
	.code16
	.globl	_start
_start:
	cli
	xor	%ax, %ax
	mov	%ax, %ds
	mov	%ax, %ss
	mov	$0x7c00, %sp
	sti
#ifdef READS
	mov	$READS, %bp
1:	mov	$packet, %si
	mov	$0x42, %ah
	mov	$0x80, %dl
	int	$0x13
	jc	3f
	dec	%bp
	jnz	1b
#endif
2:	mov	$0x604, %dx
	mov	$0x3400, %ax
	out	%ax, %dx
	mov	$0x2000, %ax
	out	%ax, %dx
3:	hlt
	jmp	3b
	.balign	4
packet:
	.byte	16, 0
	.word	127		/* the most that every BIOS reads at once */
	.word	0, 0x1000
	.long	0, 0
	.org	510
	.word	0xaa55
