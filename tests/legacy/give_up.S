/* A boot sector that gives up at once: INT 18h, on to the next drive. */
	.code16
	.text
	.globl	_start
_start:
	int	$0x18
	.org	510
	.word	0xaa55
