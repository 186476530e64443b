/* The init's first instruction and its way into the kernel, x86-64. */
	.globl	_start
	.type	_start, @function
_start:
	xorl	%ebp, %ebp
	andq	$-16, %rsp
	call	init_main
	ud2

/* long sys_call(long nr, long a, long b, long c, long d, long e, long f) */
	.globl	sys_call
	.type	sys_call, @function
sys_call:
	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	movq	%rcx, %rdx
	movq	%r8, %r10
	movq	%r9, %r8
	movq	8(%rsp), %r9
	syscall
	ret

	.section .note.GNU-stack, "", @progbits
