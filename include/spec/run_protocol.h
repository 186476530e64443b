/*
 * What `tinyvm run` and its init in the guest (src/guest) say to each other. Shared by both, so
 * freestanding; all numbers little-endian, like every machine on either side.
 *
 * Instructions. The init is /init of an initramfs that also holds RUN_CONF_PATH: NUL-terminated
 * strings KEY=VALUE, read in order. A key may come more than once where it says so. Fields are
 * separated by colons; the last one may itself contain some.
 *
 *	version=N		first of all: RUN_PROTOCOL_VERSION
 *	port=NAME		the virtio port to talk through, by the name its device gives it
 *	module=PATH		load this file of the initramfs; many, in order
 *	hostname=NAME
 *	root=TYPE:SOURCE:MODE:DATA
 *				where the command lives; absent: the initramfs itself. TYPE is a
 *				filesystem or "auto" for what the kernel recognises on a disk,
 *				SOURCE a tag or a device, DATA mount options or nothing. MODE is rw,
 *				ro, or overlay: read-only with a tmpfs over it, which takes all
 *				changes
 *	mount=TYPE:SOURCE:MODE:DATA:PATH
 *				then mount this too, ro or rw; many. PATH is made where the root can
 *				be written to
 *	net=IFNAME:ADDRESS/PREFIX:GATEWAY
 *				IPv4. An empty IFNAME is the first card; GATEWAY may be empty. The
 *				command starts when there is a link, or some seconds later
 *	dns=ADDRESS		of a name server, for /etc/resolv.conf: written where that does not
 *				last (an overlay, the initramfs), else only covered; many
 *	boot=PATH		start this program of the root as process 1; the command when it
 *				says that the system is up, if it is systemd
 *	uid=N, gid=N, group=N	the command's, root by default; group may come many times
 *	cwd=PATH		its directory, "/" by default
 *	tty=ROWSxCOLS		it runs on a terminal of this size; absent: on three pipes
 *	env=NAME=VALUE		its environment; many
 *	arg=WORD		its words; many, at least one
 *
 * Stream. Frames in both directions: a struct run_frame, then its payload.
 */
#ifndef SPEC_RUN_PROTOCOL_H
#define SPEC_RUN_PROTOCOL_H

#include <stdint.h>

#define RUN_PROTOCOL_VERSION 1
#define RUN_CONF_PATH	     "tinyvm.conf"
#define RUN_PORT_NAME	     "tinyvm.run"

/**
 * struct run_frame - head of a frame
 * @type: enum run_type
 * @zero: nothing yet
 * @len:  bytes of payload that follow
 */
struct run_frame {
	uint8_t type;
	uint8_t zero[3];
	uint32_t len;
};
_Static_assert(sizeof(struct run_frame) == 8, "run_frame");

/*
 * Most payload: a frame is then what Linux' driver moves in one piece: 32 KiB from the guest, a
 * page to it.
 */
#define RUN_GUEST_PAYLOAD_MAX (32768 - sizeof(struct run_frame))
#define RUN_HOST_PAYLOAD_MAX  (4096 - sizeof(struct run_frame))

/* The guest takes this much of standard input unasked for, and then as much as it gives credit for.
 */
#define RUN_STDIN_WINDOW 65536

enum run_type {
	/* From the guest, in about this order. */
	RUN_HELLO = 'h',	/* the init runs: struct run_hello, the kernel's release */
	RUN_LOG = 'l',		/* a sentence for -v */
	RUN_STARTED = 's',	/* the command is about to run: struct run_stamp */
	RUN_STDOUT = 'o',	/* a piece of its standard output, or of its terminal's */
	RUN_STDERR = 'e',	/* a piece of its standard error */
	RUN_CREDIT = 'c',	/* uint32_t: so many more bytes of standard input are welcome */
	RUN_STDIN_CLOSED = 'C', /* the command takes no more standard input */
	RUN_STATUS = 'x',	/* the command has ended: struct run_status */
	RUN_KERNEL = 'K',	/* a line of the kernel's log; empty after the last one */
	RUN_FAILED = 'f',	/* the init cannot go on: a sentence; power goes off next */
	RUN_BYE = 'b',		/* disks are in order, power may go off: struct run_stamp */

	/* From the host. */
	RUN_STDIN = 'i',	 /* a piece of standard input; empty at its end */
	RUN_SIGNAL = 'k',	 /* uint32_t: for the command's process group */
	RUN_WINSIZE = 'w',	 /* struct run_winsize: of the terminal */
	RUN_KERNEL_WANTED = 'W', /* while the command runs: the end of the kernel's log, please */
};

/* Times are the guest's CLOCK_BOOTTIME. */
struct run_stamp {
	uint64_t boottime_ns;
};
_Static_assert(sizeof(struct run_stamp) == 8, "run_stamp");

/* RUN_HELLO; the kernel's release (uname -r) fills the rest of the payload, without a NUL. */
struct run_hello {
	uint64_t boottime_ns;
	uint32_t version; /* RUN_PROTOCOL_VERSION */
	uint32_t zero;
};
_Static_assert(sizeof(struct run_hello) == 16, "run_hello");

/**
 * struct run_status - how the command ended
 * @is_signal: 1: by signal @value; 0: with exit status @value
 * @memory_total_kib, @memory_peak_kib: of the guest: what its kernel manages, and the most of it
 *	that was not available, as looked at twice a second and at the end
 */
struct run_status {
	uint64_t boottime_ns;
	uint32_t is_signal;
	uint32_t value;
	uint64_t memory_total_kib;
	uint64_t memory_peak_kib;
};
_Static_assert(sizeof(struct run_status) == 32, "run_status");

struct run_winsize {
	uint16_t rows;
	uint16_t cols;
};
_Static_assert(sizeof(struct run_winsize) == 4, "run_winsize");

#endif
