/*
 * Starting, pausing and stopping the vCPU threads.
 *
 * The barrier: whoever wants vCPUs out sets the mode, then immediate_exit in every kvm_run, then
 * signals every thread. A vCPU thread parks only when KVM_RUN returns EINTR, which it does at once
 * while immediate_exit is set, but not before it has completed a pending I/O or MMIO instruction
 * (Documentation/virt/kvm/api.rst, kvm_run): so registers and devices agree whenever it is held.
 * The signal gets threads out of guest mode; one that arrives between two KVM_RUNs does no harm,
 * since immediate_exit is still there when the next one begins.
 */
#include "vm.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <tinyvm/err.h>
#include <tinyvm/log.h>
#include <tinyvm/thread.h>

static int vcpu_signal(void)
{
	return SIGRTMIN;
}

static void vcpu_signal_ignore(int sig)
{
	(void)sig;
}

bool vcpu_hold(struct vcpu *vcpu)
{
	struct kvm_vm *vm = vcpu->vm;
	pthread_mutex_lock(&vm->lock);
	if (vm->mode != VM_RUN) {
		vcpu->is_held = true;
		pthread_cond_broadcast(&vm->held);
		while (vm->mode == VM_PAUSE)
			pthread_cond_wait(&vm->go, &vm->lock);
	}
	bool goes_on = vm->mode == VM_RUN;
	if (goes_on) {
		__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_RELAXED);
		vcpu->is_held = false;
	}
	pthread_mutex_unlock(&vm->lock);
	return goes_on;
}

void vcpu_end(struct vcpu *vcpu, enum kvm_end end, const char *sentence)
{
	struct kvm_vm *vm = vcpu->vm;
	pthread_mutex_lock(&vm->lock);
	bool is_first = !vm->has_ended;
	vm->has_ended = true;
	vcpu->is_held = true;
	pthread_cond_broadcast(&vm->held);
	pthread_mutex_unlock(&vm->lock);

	if (is_first)
		vm->cfg.ended(vm->cfg.ctx, end, sentence);

	pthread_mutex_lock(&vm->lock);
	while (vm->mode != VM_STOP)
		pthread_cond_wait(&vm->go, &vm->lock);
	pthread_mutex_unlock(&vm->lock);
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *vcpu = arg;
	char name[16];
	sigset_t kick;
	sigemptyset(&kick);
	sigaddset(&kick, vcpu_signal());
	pthread_sigmask(SIG_UNBLOCK, &kick, NULL); /* one that came before is as good as none */
	snprintf(name, sizeof(name), "vcpu%u", vcpu->index);
	pthread_setname_np(pthread_self(), name);
	vcpu_loop(vcpu);
	return NULL;
}

int kvm_vm_start(struct kvm_vm *vm, struct err *err)
{
	struct sigaction sa = {.sa_handler = vcpu_signal_ignore};
	int rc = 0;

	sigemptyset(&sa.sa_mask);
	sigaction(vcpu_signal(), &sa, NULL);
	for (unsigned i = 0; i < vm->cpu_count && !rc; i++) {
		struct vcpu *vcpu = &vm->cpu[i];
		pthread_mutex_lock(&vm->lock);
		vcpu->is_held = false;
		rc = thread_start(&vcpu->thread, 0, vcpu_thread, vcpu);
		if (rc)
			vcpu->is_held = true;
		else
			vm->thread_count++;
		pthread_mutex_unlock(&vm->lock);
	}
	if (rc) {
		unsigned made = vm->thread_count;
		kvm_vm_stop(vm);
		return err_set(err, rc, "cannot start the thread of vCPU %u: %s", made,
			       strerror(-rc));
	}
	return 0;
}

/* Called with the lock held. */
static void vm_kick(struct kvm_vm *vm, enum vm_mode mode)
{
	vm->mode = mode;
	for (unsigned i = 0; i < vm->cpu_count; i++)
		__atomic_store_n(&vm->cpu[i].run->immediate_exit, 1, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < vm->thread_count; i++) {
		if (!vm->cpu[i].is_held)
			pthread_kill(vm->cpu[i].thread, vcpu_signal());
	}
	pthread_cond_broadcast(&vm->go);
}

void kvm_vm_pause(struct kvm_vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	if (vm->mode == VM_RUN) {
		vm_kick(vm, VM_PAUSE);
		for (unsigned i = 0; i < vm->thread_count; i++) {
			while (!vm->cpu[i].is_held)
				pthread_cond_wait(&vm->held, &vm->lock);
		}
	}
	pthread_mutex_unlock(&vm->lock);
}

void kvm_vm_resume(struct kvm_vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	if (vm->mode == VM_PAUSE) {
		vm->mode = VM_RUN;
		pthread_cond_broadcast(&vm->go);
	}
	pthread_mutex_unlock(&vm->lock);
}

void kvm_vm_stop(struct kvm_vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	vm_kick(vm, VM_STOP);
	unsigned count = vm->thread_count;
	vm->thread_count = 0;
	pthread_mutex_unlock(&vm->lock);
	for (unsigned i = 0; i < count; i++) {
		pthread_join(vm->cpu[i].thread, NULL);
		if (vm->cpu[i].finished)
			log_info("vCPU %u: %llu instructions carried out in KVM's place", i,
				 (unsigned long long)vm->cpu[i].finished);
	}
}
