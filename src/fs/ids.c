/*
 * Ids and privileges.
 *
 * A server run by an ordinary user owns what it owns: the guest sees that user's files as root's,
 * and other ids as they are; what it creates is that user's. A server run by root gives files to
 * the guest's users, by acting as one of them while it creates: file system ids and capabilities
 * are a thread's own in Linux (the C library's setfsuid() does nothing about the other threads).
 *
 * Left out on purpose: the guest's supplementary groups. The guest's kernel, which checks
 * permissions, knows them; here they would matter for directories with a set-group-id bit only.
 */
#include "share.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <tinyvm/log.h>
#include <unistd.h>

/* What a change of the file system id takes away (user_namespaces(7), capabilities(7)). */
#define FS_CAPS                                                                                    \
	(1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH | 1u << CAP_FOWNER | \
	 1u << CAP_FSETID | 1u << CAP_LINUX_IMMUTABLE | 1u << CAP_MKNOD)
#define ACTING_CAPS (1u << CAP_SETUID | 1u << CAP_SETGID | 1u << CAP_DAC_OVERRIDE)

/* Both: arrays of _LINUX_CAPABILITY_U32S_3. */
static int caps_get(struct __user_cap_data_struct *ret_caps)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	return (int)syscall(SYS_capget, &header, ret_caps);
}

/* The capabilities @caps without @less of the first 32. What is refused stays as it is. */
static void caps_set(const struct __user_cap_data_struct *caps, uint32_t less)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct want[_LINUX_CAPABILITY_U32S_3] = {caps[0], caps[1]};
	want[0].effective &= ~less;
	if (syscall(SYS_capset, &header, want) != 0)
		log_debug("shared folder: capset failed (%d)", errno);
}

void ids_init(struct ids *ids)
{
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];
	ids->uid = geteuid();
	ids->gid = getegid();
	ids->can_act = ids->uid == 0 && caps_get(caps) == 0 &&
		       (caps[0].effective & ACTING_CAPS) == ACTING_CAPS;
}

uid_t ids_guest_uid(const struct ids *ids, uid_t uid)
{
	return !ids->can_act && uid == ids->uid ? 0 : uid;
}

gid_t ids_guest_gid(const struct ids *ids, gid_t gid)
{
	return !ids->can_act && gid == ids->gid ? 0 : gid;
}

/* The server's own number is its user on the host, whom the guest would see as root. */
int ids_host_uid(const struct ids *ids, uid_t uid, uid_t *ret_uid)
{
	if (!ids->can_act && uid != 0 && uid == ids->uid)
		return -EPERM;
	*ret_uid = !ids->can_act && uid == 0 ? ids->uid : uid;
	return 0;
}

int ids_host_gid(const struct ids *ids, gid_t gid, gid_t *ret_gid)
{
	if (!ids->can_act && gid != 0 && gid == ids->gid)
		return -EPERM;
	*ret_gid = !ids->can_act && gid == 0 ? ids->gid : gid;
	return 0;
}

/* The umask and the working directory are all threads' unless one leaves that community. */
void thread_begin(struct thread *thread, struct share *share)
{
	*thread = (struct thread){.share = share};
	if (unshare(CLONE_FS) == 0 && fchdir(share->proc_fd) == 0) {
		umask(0);
		thread->has_own_fs = true;
	} else {
		log_warn("shared folder: this process's umask applies to files that the guest "
			 "creates (unshare(CLONE_FS) is not allowed here)");
	}
	if (caps_get(thread->caps) != 0)
		log_debug("shared folder: capget failed (%d)", errno);
}

int thread_act_as(struct thread *thread, uid_t uid, gid_t gid)
{
	if (!thread->share->ids.can_act)
		return 0;
	setfsgid(gid);
	setfsuid(uid);
	/* Neither says whether it worked, but for telling what it is now. */
	if ((gid_t)setfsgid((gid_t)-1) != gid || (uid_t)setfsuid((uid_t)-1) != uid) {
		thread_act_as_self(thread);
		return -EPERM;
	}
	if (uid != 0)
		caps_set(thread->caps, FS_CAPS & ~(1u << CAP_DAC_OVERRIDE));
	return 0;
}

void thread_act_as_self(struct thread *thread)
{
	if (!thread->share->ids.can_act)
		return;
	uid_t was = (uid_t)setfsuid(0);
	setfsgid(thread->share->ids.gid);
	if (was != 0)
		caps_set(thread->caps, 0);
}

void thread_clear_ids(struct thread *thread, bool is_wanted)
{
	if (is_wanted == thread->is_clearing || !(thread->caps[0].effective & 1u << CAP_FSETID))
		return;
	caps_set(thread->caps, is_wanted ? 1u << CAP_FSETID : 0);
	thread->is_clearing = is_wanted;
}
