/*
 * The filesystems: the kernel's own, the root, shares; and taking them apart at the end.
 *
 * The root is mounted at NEW_ROOT and then moved over the initramfs. Under an overlay, what is
 * below stays reachable for nobody but the overlay.
 */
#include "guest.h"

#include "sys.h"

#define NEW_ROOT    "/newroot"
#define LOWER	    "/lower"
#define COW	    "/cow"
#define PATIENCE_MS 5000
#define PATH_ROOM   4352

/* A mount as told: TYPE:SOURCE:MODE:DATA, and :PATH */
struct told {
	const char *field[5];
	char buf[PATH_ROOM];
};
enum {
	TYPE,
	SOURCE,
	MODE,
	DATA,
	PATH
};

static bool told_read(struct told *told, const char *value, unsigned fields)
{
	return conf_fields(value, told->buf, sizeof(told->buf), told->field, fields);
}

static bool told_is(const struct told *told, const char *mode)
{
	return text_is(told->field[MODE], mode);
}

__attribute__((noreturn)) static void mount_fail(struct guest *g, const char *what,
						 const struct told *told, long error)
{
	struct text why = {0};
	text_add(&why, "cannot mount ");
	text_add(&why, what);
	text_add(&why, " (");
	text_add(&why, told->field[TYPE]);
	text_add(&why, " ");
	text_add(&why, told->field[SOURCE]);
	text_add(&why, ")");
	text_add_error(&why, error);
	guest_fail(g, why.buf);
}

void mount_basics(struct guest *g)
{
	static const struct {
		const char *path, *type, *data;
		unsigned long flags;
		bool is_needed;
	} table[] = {
		{"/dev", "devtmpfs", "mode=755", MS_NOSUID, true},
		{"/proc", "proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC, true},
		{"/sys", "sysfs", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC, true},
		{"/dev/pts", "devpts", "mode=620,gid=5,ptmxmode=666", MS_NOSUID | MS_NOEXEC, false},
		{"/dev/shm", "tmpfs", "mode=1777", MS_NOSUID | MS_NODEV, false},
		/* What tests of the kernel look for. These directories are the kernel's. */
		{"/sys/fs/cgroup", "cgroup2", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC, false},
		{"/sys/fs/bpf", "bpf", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC, false},
		{"/sys/kernel/config", "configfs", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC, false},
		{"/sys/kernel/debug", "debugfs", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC, false},
		{"/sys/kernel/security", "securityfs", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC,
		 false},
		{"/sys/kernel/tracing", "tracefs", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC, false},
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		sys_mkdir(table[i].path, 0755);
		long rc = sys_mount(table[i].type, table[i].path, table[i].type, table[i].flags,
				    table[i].data);
		if (rc >= 0 || rc == -EBUSY || !table[i].is_needed)
			continue;
		struct text why = {0};
		text_add(&why, "cannot mount ");
		text_add(&why, table[i].path);
		text_add_error(&why, rc);
		guest_fail(g, why.buf);
	}
	sys_symlink("/proc/self/fd", "/dev/fd");
	sys_symlink("fd/0", "/dev/stdin");
	sys_symlink("fd/1", "/dev/stdout");
	sys_symlink("fd/2", "/dev/stderr");
	/* As udev would: what guards itself is anybody's. */
	sys_chmod("/dev/fuse", 0666);
	sys_chmod("/dev/net/tun", 0666);
}

/* A disk may turn up only some time after its driver. */
static void mount_await(const char *source)
{
	if (!text_after(source, "/dev/"))
		return;
	for (int waited = 0; waited < PATIENCE_MS && sys_access(source, 0) < 0; waited++)
		sys_sleep_ms(1);
}

/* Each filesystem the kernel has for disks, until one knows its own. */
static long mount_guess(const struct told *told, const char *path, unsigned long flags)
{
	char list[4096];
	long fd = sys_open("/proc/filesystems", O_RDONLY);
	long len = fd < 0 ? fd : sys_read((int)fd, list, sizeof(list) - 1);
	sys_close((int)fd);
	if (len < 0)
		return len;
	list[len] = '\0';
	long rc = -ENODEV;
	char *line = list, *end;
	for (; (rc == -EINVAL || rc == -ENODEV) && (end = text_find(line, '\n')); line = end + 1) {
		*end = '\0';
		if (*line++ != '\t')
			continue; /* nodev */
		rc = sys_mount(told->field[SOURCE], path, line, flags, told->field[DATA]);
	}
	return rc;
}

static long mount_one(const struct told *told, const char *path, bool is_read_only)
{
	unsigned long flags = is_read_only ? MS_RDONLY : 0;
	mount_await(told->field[SOURCE]);
	if (text_is(told->field[TYPE], "auto"))
		return mount_guess(told, path, flags);
	return sys_mount(told->field[SOURCE], path, told->field[TYPE], flags, told->field[DATA]);
}

/* Renaming the lower tree's directories is nothing special with redirect_dir. */
static long mount_overlay(void)
{
	sys_mkdir(COW, 0755);
	long rc = sys_mount("tmpfs", COW, "tmpfs", 0, "mode=755,size=75%");
	if (rc < 0)
		return rc;
	sys_mkdir(COW "/upper", 0755);
	sys_mkdir(COW "/work", 0755);
	return sys_mount("overlay", NEW_ROOT, "overlay", 0,
			 "redirect_dir=on,lowerdir=" LOWER ",upperdir=" COW "/upper,workdir=" COW
			 "/work");
}

/* /dev, /proc and /sys go along; what a root lacks a directory for stays behind. */
static void mount_switch(struct guest *g)
{
	static const char *const kept[] = {"/dev", "/proc", "/sys"};
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		struct text path = {0};
		text_add(&path, NEW_ROOT);
		text_add(&path, kept[i]);
		sys_mkdir(path.buf, 0755);
		long rc = sys_mount(kept[i], path.buf, NULL, MS_MOVE, NULL);
		if (rc >= 0)
			continue;
		struct text why = {0};
		text_add(&why, "the root has no place for ");
		text_add(&why, kept[i]);
		text_add_error(&why, rc);
		guest_log(g, why.buf);
	}
	long rc = sys_chdir(NEW_ROOT);
	if (rc >= 0)
		rc = sys_mount(".", "/", NULL, MS_MOVE, NULL);
	if (rc >= 0)
		rc = sys_chroot(".");
	if (rc >= 0)
		rc = sys_chdir("/");
	if (rc < 0) {
		struct text why = {0};
		text_add(&why, "cannot change to the root");
		text_add_error(&why, rc);
		guest_fail(g, why.buf);
	}
}

void mount_root(struct guest *g)
{
	const char *value = conf_get(&g->conf, "root", NULL);
	struct told told;
	bool is_overlay = false, is_read_only = false;

	if (value) {
		if (!told_read(&told, value, PATH))
			guest_fail(g, "the instructions for the root make no sense");
		is_overlay = told_is(&told, "overlay");
		is_read_only = told_is(&told, "ro");
		g->is_root_lasting = !is_overlay;
		sys_mkdir(NEW_ROOT, 0755);
		sys_mkdir(LOWER, 0755);
		long rc =
			mount_one(&told, is_overlay ? LOWER : NEW_ROOT, is_overlay || is_read_only);
		if (rc < 0)
			mount_fail(g, "the root", &told, rc);
		rc = is_overlay ? mount_overlay() : 0;
		if (rc < 0)
			mount_fail(g, "an overlay over the root", &told, rc);
		mount_switch(g);
	}
	sys_mkdir("/run", 0755);
	sys_mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755");
	if (is_read_only || !value) {
		sys_mkdir("/tmp", 0755);
		sys_mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
	}
}

void mount_make_parents(const char *path)
{
	char buf[PATH_ROOM];
	size_t len = strlen(path) + 1;
	if (len > sizeof(buf))
		return;
	memcpy(buf, path, len);
	for (char *at = buf; at && *at; at = text_find(at + 1, '/')) {
		char slash = *at;
		*at = '\0';
		if (*buf)
			sys_mkdir(buf, 0755);
		*at = slash;
	}
}

void mount_shares(struct guest *g)
{
	struct told told;
	for (const char *value = NULL; (value = conf_next(&g->conf, "mount", value));) {
		if (!told_read(&told, value, PATH + 1))
			guest_fail(g, "the instructions for a mount make no sense");
		mount_make_parents(told.field[PATH]);
		sys_mkdir(told.field[PATH], 0755);
		long rc = mount_one(&told, told.field[PATH], told_is(&told, "ro"));
		if (rc < 0)
			mount_fail(g, told.field[PATH], &told, rc);
	}
}

/* Those mounted last first; what is in use stays, read-only. */
static void mount_finish_shares(struct guest *g)
{
	size_t count;
	struct told told;
	char **list = conf_list(&g->conf, "mount", &count);
	while (list && count--) {
		if (!told_read(&told, list[count], PATH + 1))
			continue;
		if (sys_umount(told.field[PATH], 0) < 0)
			sys_mount(NULL, told.field[PATH], NULL, MS_REMOUNT | MS_RDONLY, NULL);
	}
}

void mount_finish(struct guest *g)
{
	sys_sync();
	mount_finish_shares(g);
	if (g->is_root_lasting)
		sys_mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
	sys_sync();
}
