/* <linux/kvm.h>, whose struct kvm_msi would clash with the one of <tinyvm/kvm.h>. */
#ifndef LINUX_KVM_H
#define LINUX_KVM_H

#define kvm_msi linux_kvm_msi
#include <linux/kvm.h>
#undef kvm_msi

#endif
