/*
 * Entry of a guest: the boot processor in long mode as the Linux 64-bit boot protocol leaves it,
 * the others in real mode at a copy of ap_start below 1 MiB.
 */
	.section .text.start, "ax"
	.code64
	.globl _start
_start:
	lea	rt_stack_end(%rip), %rsp
	xor	%ebp, %ebp
	mov	%rsi, %rdi
	call	rt_main
1:	hlt
	jmp	1b

/*
 * Real mode, CS:IP = page of the SIPI vector:0. Goes to long mode in one step: paging outside of
 * long mode is more than a paravirtual KVM can do.
 */
	.globl ap_start, ap_cr3, ap_gdtr, ap_end
	.code16
ap_start:
	cli
	mov	%cs, %ax
	mov	%ax, %ds
	lgdtl	ap_gdtr - ap_start
	mov	$0x20, %eax			/* PAE */
	mov	%eax, %cr4
	mov	ap_cr3 - ap_start, %eax
	mov	%eax, %cr3
	mov	$0xc0000080, %ecx		/* EFER */
	mov	$0x100, %eax			/* LME */
	xor	%edx, %edx
	wrmsr
	mov	$0x80010031, %eax		/* PG WP NE ET PE */
	mov	%eax, %cr0
	ljmpl	$0x10, $ap_long
	.balign 8
ap_gdtr:
	.skip	8
ap_cr3:
	.skip	4
ap_end:

	.code64
ap_long:
	mov	$0x18, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$1, %edi
	lock xaddl %edi, ap_ticket(%rip)
	mov	%edi, %eax
	inc	%eax
	shl	$12, %eax
	lea	ap_stacks(%rip), %rsp
	add	%rax, %rsp
	xor	%ebp, %ebp
	call	ap_main				/* with the ticket; does not return */
1:	hlt
	jmp	1b

/*
 * user_call(fn, arg, stack): fn(arg) at CPL3. It comes back by an invalid instruction at user_exit,
 * for a paravirtual KVM knows no INT n from there. RAX is the result.
 */
	.globl user_call, user_return
user_call:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, user_saved_rsp(%rip)
	mov	%rdi, %rcx
	mov	%rsi, %rdi
	lea	user_exit(%rip), %rax
	mov	%rax, -8(%rdx)			/* fn returns there */
	sub	$8, %rdx
	pushq	$0x23
	push	%rdx
	pushq	$0x2
	pushq	$0x2b
	push	%rcx
	iretq
user_exit:
	ud2
user_return:					/* the gate of #UD */
	cmpq	$user_exit, (%rsp)
	jne	exc_6
	mov	user_saved_rsp(%rip), %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.bss
	.balign 4096
rt_stack:
	.skip	32768
rt_stack_end:
	.balign 4096
	.globl ap_stacks, ap_stacks_end
ap_stacks:
	.skip	64 * 4096
ap_stacks_end:
	.balign 8
user_saved_rsp:
	.skip	8
	.globl ap_ticket
ap_ticket:
	.skip	4

	.section .note.GNU-stack, "", @progbits
