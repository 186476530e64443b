/* The init's first instruction and its way into the kernel, i386. */
	.globl	_start
	.type	_start, @function
_start:
	xorl	%ebp, %ebp
	andl	$-16, %esp
	call	init_main
	ud2

/* long sys_call(long nr, long a, long b, long c, long d, long e, long f) */
	.globl	sys_call
	.type	sys_call, @function
sys_call:
	pushl	%ebx
	pushl	%esi
	pushl	%edi
	pushl	%ebp
	movl	20(%esp), %eax
	movl	24(%esp), %ebx
	movl	28(%esp), %ecx
	movl	32(%esp), %edx
	movl	36(%esp), %esi
	movl	40(%esp), %edi
	movl	44(%esp), %ebp
	int	$0x80
	popl	%ebp
	popl	%edi
	popl	%esi
	popl	%ebx
	ret

	.section .note.GNU-stack, "", @progbits
