/*
 * The kernel's interface as the init uses it: x86-64 and i386, Linux 4.19 and newer. There is no
 * libc, and the kernel's own headers are not installed for both, so what is needed of them is here.
 *
 * Each function returns what the kernel does: a result, or -errno.
 */
#ifndef GUEST_SYS_H
#define GUEST_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

long sys_call(long nr, long a, long b, long c, long d, long e, long f);

/* NR(name, x86-64, i386) */
#if defined(__x86_64__)
#define NR(name, nr_64, nr_32) NR_##name = (nr_64)
#elif defined(__i386__)
#define NR(name, nr_64, nr_32) NR_##name = (nr_32)
#endif

enum {
	NR(read, 0, 3),
	NR(write, 1, 4),
	NR(close, 3, 6),
	NR(poll, 7, 168),
	NR(lseek, 8, 19),
	NR(mmap, 9, 192), /* mmap2 */
	NR(rt_sigprocmask, 14, 175),
	NR(ioctl, 16, 54),
	NR(access, 21, 33),
	NR(getpid, 39, 20),
	NR(socket, 41, 359),
	NR(bind, 49, 361),
	NR(fork, 57, 2),
	NR(execve, 59, 11),
	NR(wait4, 61, 114),
	NR(kill, 62, 37),
	NR(uname, 63, 122),
	NR(fcntl, 72, 221), /* fcntl64 */
	NR(chdir, 80, 12),
	NR(mkdir, 83, 39),
	NR(unlink, 87, 10),
	NR(symlink, 88, 83),
	NR(readlink, 89, 85),
	NR(chmod, 90, 15),
	NR(fchown, 93, 207), /* fchown32 */
	NR(umask, 95, 60),
	NR(syslog, 103, 103),
	NR(setsid, 112, 66),
	NR(setgroups, 116, 206), /* setgroups32 */
	NR(setresuid, 117, 208), /* setresuid32 */
	NR(setresgid, 119, 210), /* setresgid32 */
	NR(chroot, 161, 61),
	NR(sync, 162, 36),
	NR(mount, 165, 21),
	NR(umount2, 166, 52),
	NR(reboot, 169, 88),
	NR(sethostname, 170, 74),
	NR(getdents64, 217, 220),
	NR(clock_gettime, 228, 265),
	NR(exit_group, 231, 252),
	NR(openat, 257, 295),
	NR(signalfd4, 289, 327),
	NR(dup3, 292, 330),
	NR(pipe2, 293, 331),
	NR(finit_module, 313, 350),
};
#undef NR

/* Fewer words where arguments are left out; pointers and integers of any width. */
#define SYS_1(nr, a)	      sys_call(nr, (long)(a), 0, 0, 0, 0, 0)
#define SYS_2(nr, a, b)	      sys_call(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define SYS_3(nr, a, b, c)    sys_call(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define SYS_4(nr, a, b, c, d) sys_call(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define SYS_5(nr, a, b, c, d, e) \
	sys_call(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)

enum {
	EPERM = 1,
	ENOENT = 2,
	EINTR = 4,
	EIO = 5,
	ENOEXEC = 8,
	ECHILD = 10,
	EAGAIN = 11,
	ENOMEM = 12,
	EACCES = 13,
	EBUSY = 16,
	EEXIST = 17,
	ENODEV = 19,
	ENOTDIR = 20,
	EINVAL = 22,
	ENOSPC = 28,
	EROFS = 30,
	ENAMETOOLONG = 36,
	ENOSYS = 38,
	ELOOP = 40,
};

/* Files */

#define AT_FDCWD     (-100)
#define O_RDONLY     0
#define O_WRONLY     1
#define O_RDWR	     2
#define O_CREAT	     0100
#define O_NOCTTY     0400
#define O_TRUNC	     01000
#define O_NONBLOCK   04000
#define O_CLOEXEC    02000000
#define SEEK_SET     0
#define SEEK_END     2
#define F_GETFL	     3
#define F_SETFL	     4
#define F_SETPIPE_SZ 1031
#define X_OK	     1

static inline long sys_open(const char *path, int flags)
{
	return SYS_4(NR_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0644);
}

static inline long sys_close(int fd)
{
	return SYS_1(NR_close, fd);
}

static inline long sys_read(int fd, void *buf, size_t len)
{
	return SYS_3(NR_read, fd, buf, len);
}

static inline long sys_write(int fd, const void *buf, size_t len)
{
	return SYS_3(NR_write, fd, buf, len);
}

static inline long sys_lseek(int fd, long off, int whence)
{
	return SYS_3(NR_lseek, fd, off, whence);
}

static inline long sys_fcntl(int fd, int what, long value)
{
	return SYS_3(NR_fcntl, fd, what, value);
}

static inline long sys_ioctl(int fd, unsigned long what, const void *arg)
{
	return SYS_3(NR_ioctl, fd, what, arg);
}

static inline long sys_dup3(int from, int to)
{
	return SYS_3(NR_dup3, from, to, 0);
}

static inline long sys_pipe(int ends[2])
{
	return SYS_2(NR_pipe2, ends, O_CLOEXEC);
}

static inline long sys_fchown(int fd, unsigned uid, unsigned gid)
{
	return SYS_3(NR_fchown, fd, uid, gid);
}

static inline long sys_access(const char *path, int mode)
{
	return SYS_2(NR_access, path, mode);
}

static inline long sys_chmod(const char *path, unsigned mode)
{
	return SYS_2(NR_chmod, path, mode);
}

static inline long sys_mkdir(const char *path, unsigned mode)
{
	return SYS_2(NR_mkdir, path, mode);
}

static inline long sys_unlink(const char *path)
{
	return SYS_1(NR_unlink, path);
}

static inline long sys_symlink(const char *target, const char *path)
{
	return SYS_2(NR_symlink, target, path);
}

static inline long sys_readlink(const char *path, char *buf, size_t len)
{
	return SYS_3(NR_readlink, path, buf, len);
}

static inline long sys_chdir(const char *path)
{
	return SYS_1(NR_chdir, path);
}

/* struct linux_dirent64; names follow each other at @reclen. */
struct sys_dirent {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

static inline long sys_getdents(int fd, void *buf, size_t len)
{
	return SYS_3(NR_getdents64, fd, buf, len);
}

/* Private memory: a copy of a file's @len bytes, or with @fd -1 zeroes. */
#define PROT_READ     1
#define PROT_WRITE    2
#define MAP_PRIVATE   2
#define MAP_ANONYMOUS 0x20

static inline long sys_mmap(int fd, size_t len)
{
	return sys_call(NR_mmap, 0, (long)len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
}

/* Mounts */

#define MS_RDONLY  0x1
#define MS_NOSUID  0x2
#define MS_NODEV   0x4
#define MS_NOEXEC  0x8
#define MS_REMOUNT 0x20
#define MS_BIND	   0x1000
#define MS_MOVE	   0x2000
#define MNT_DETACH 2

static inline long sys_mount(const char *source, const char *path, const char *type,
			     unsigned long flags, const char *data)
{
	return SYS_5(NR_mount, source, path, type, flags, data);
}

static inline long sys_umount(const char *path, int flags)
{
	return SYS_2(NR_umount2, path, flags);
}

static inline long sys_chroot(const char *path)
{
	return SYS_1(NR_chroot, path);
}

static inline long sys_sync(void)
{
	return SYS_1(NR_sync, 0);
}

/* Processes and signals */

#define SIGINT	     2
#define SIGQUIT	     3
#define SIGKILL	     9
#define SIGPIPE	     13
#define SIGCHLD	     17
#define SIGTSTP	     20
#define SIG_MAX	     64
#define SIG_BLOCK    0
#define SIG_SETMASK  2
#define WNOHANG	     1
#define SFD_NONBLOCK O_NONBLOCK

/* The kernel's sigset_t: bit n - 1 for signal n. */
struct sys_sigset {
	unsigned long bits[8 / sizeof(long)];
};

static inline long sys_sigprocmask(int how, const struct sys_sigset *set)
{
	return SYS_4(NR_rt_sigprocmask, how, set, 0, sizeof(*set));
}

static inline long sys_signalfd(const struct sys_sigset *set)
{
	return SYS_4(NR_signalfd4, -1, set, sizeof(*set), O_CLOEXEC | SFD_NONBLOCK);
}

static inline long sys_fork(void)
{
	return SYS_1(NR_fork, 0);
}

static inline long sys_execve(const char *path, char *const *argv, char *const *envp)
{
	return SYS_3(NR_execve, path, argv, envp);
}

static inline long sys_wait(int *ret_status)
{
	return SYS_4(NR_wait4, -1, ret_status, WNOHANG, 0);
}

static inline long sys_kill(long pid, int signo)
{
	return SYS_2(NR_kill, pid, signo);
}

static inline long sys_getpid(void)
{
	return SYS_1(NR_getpid, 0);
}

static inline long sys_setsid(void)
{
	return SYS_1(NR_setsid, 0);
}

static inline long sys_umask(unsigned mask)
{
	return SYS_1(NR_umask, mask);
}

static inline long sys_become(const unsigned *groups, size_t count, unsigned uid, unsigned gid)
{
	long rc = SYS_2(NR_setgroups, count, groups);
	if (rc >= 0)
		rc = SYS_3(NR_setresgid, gid, gid, gid);
	if (rc >= 0)
		rc = SYS_3(NR_setresuid, uid, uid, uid);
	return rc;
}

__attribute__((noreturn)) static inline void sys_exit(int status)
{
	for (;;)
		SYS_1(NR_exit_group, status);
}

/* Terminals */

#define TIOCSCTTY   0x540e
#define TIOCGPGRP   0x540f
#define TIOCSWINSZ  0x5414
#define TCGETS	    0x5401
#define TCSETS	    0x5402
#define TIOCGPTPEER 0x5441
#define TIOCSPTLCK  0x40045431
#define IUTF8	    0x4000

struct sys_winsize {
	uint16_t rows, cols, xpixel, ypixel;
};

struct sys_termios {
	uint32_t iflag, oflag, cflag, lflag;
	uint8_t line, cc[19];
};

/* Network interfaces and routes */

#define AF_UNIX	       1
#define AF_INET	       2
#define SOCK_DGRAM     2
#define SIOCADDRT      0x890b
#define SIOCGIFFLAGS   0x8913
#define SIOCSIFFLAGS   0x8914
#define SIOCSIFADDR    0x8916
#define SIOCSIFNETMASK 0x891c
#define IFF_UP	       0x1
#define IFF_RUNNING    0x40
#define RTF_UP	       0x1
#define RTF_GATEWAY    0x2

/* struct sockaddr_in; numbers in network order. */
struct sys_address {
	uint16_t family;
	uint16_t port;
	uint8_t ip[4];
	uint8_t zero[8];
};

/* struct sockaddr_un; a name that begins with a zero is no file. */
struct sys_address_unix {
	uint16_t family;
	char name[108];
};

/* struct ifreq; the kernel copies all of it. */
struct sys_ifreq {
	char name[16];
	union {
		struct sys_address address;
		short flags;
		long room[3];
	};
};

struct sys_rtentry {
	unsigned long pad1;
	struct sys_address destination, gateway, mask;
	unsigned short flags;
	short pad2;
	unsigned long pad3;
	void *pad4;
	short metric;
	char *device;
	unsigned long mtu, window;
	unsigned short irtt;
};

static inline long sys_socket(int family, int type)
{
	return SYS_3(NR_socket, family, type | O_CLOEXEC, 0);
}

static inline long sys_bind(int fd, const struct sys_address_unix *address, size_t len)
{
	return SYS_3(NR_bind, fd, address, len);
}

/* The machine */

#define REBOOT_MAGIC1	 0xfee1dead
#define REBOOT_MAGIC2	 0x28121969
#define REBOOT_POWER_OFF 0x4321fedc

static inline long sys_power_off(void)
{
	return SYS_4(NR_reboot, REBOOT_MAGIC1, REBOOT_MAGIC2, REBOOT_POWER_OFF, 0);
}

static inline long sys_sethostname(const char *name, size_t len)
{
	return SYS_2(NR_sethostname, name, len);
}

static inline long sys_load_module(int fd, const char *parameters)
{
	return SYS_3(NR_finit_module, fd, parameters, 0);
}

/* The end of the kernel's log, in lines with their priorities. */
#define SYSLOG_READ_ALL 3

static inline long sys_read_log(char *buf, size_t len)
{
	return SYS_3(NR_syslog, SYSLOG_READ_ALL, buf, len);
}

struct sys_utsname {
	char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65];
};

static inline long sys_uname(struct sys_utsname *ret)
{
	return SYS_1(NR_uname, ret);
}

#define CLOCK_BOOTTIME 7

static inline uint64_t sys_boottime_ns(void)
{
	struct {
		long s, ns;
	} now = {0, 0};
	SYS_2(NR_clock_gettime, CLOCK_BOOTTIME, &now);
	return (uint64_t)now.s * 1000000000u + (uint64_t)now.ns;
}

/* Waiting */

#define POLLIN	0x1
#define POLLOUT 0x4
#define POLLERR 0x8
#define POLLHUP 0x10

struct sys_pollfd {
	int fd;
	short events;
	short revents;
};

static inline long sys_poll(struct sys_pollfd *fds, unsigned count, int timeout_ms)
{
	return SYS_3(NR_poll, fds, count, timeout_ms);
}

static inline void sys_sleep_ms(int ms)
{
	sys_poll(NULL, 0, ms);
}

#endif
