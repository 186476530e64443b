/* The texts of --help, each for a screen of 80x24. */
#include <tinyvm/config.h>

static const char config_help_text[] =
	"usage: tinyvm --kernel FILE [OPTION...], tinyvm run|matrix COMMAND, commit FILE\n"
	"Boots a Linux kernel in a virtual machine, with its console on this terminal.\n"
	"Without --kernel, a PC that boots an image: tinyvm --help pc has its options.\n"
	"\n"
	"  -k, --kernel FILE               bzImage or ELF vmlinux\n"
	"  -i, --initrd FILE               initial RAM disk\n"
	"  -a, --append TEXT               kernel arguments, besides console=, root= ...\n"
	"  -d, --disk FILE[,ro|,snapshot]  raw image or device; snapshot: not changed\n"
	"      --tmpdir DIR, --keep-overlay FILE  where snapshots' writes go; keep them\n"
	"  -m, --memory SIZE, -c, --cpus N  512M, 2G (default 1G); processors (1)\n"
	"      --net user|tap|socket=PATH  network card; user (passt) needs no privilege\n"
	"  -p, --publish HOST:GUEST[/udp]  forward a port of 127.0.0.1 to the guest\n"
	"      --share HOST:TAG[:ro]       a directory; there: mount -t virtiofs TAG DIR\n"
	"      --transport pci|mmio        how virtio devices attach (default pci)\n"
	"      --console serial|virtio     which console is shown (default serial)\n"
	"      --name NAME, --log FILE     a name; append what the guest prints to FILE\n"
	"      --no-reboot, --timeout TIME end where it would reboot; after 30s, 5m, 2h\n"
	"      --no-auto-args, --no-unpack leave --append, the kernel as they are\n"
	"  -n, --dry-run; -v, --verbose    say what would be done; what is done (-vv)\n"
	"  -h, --help, --version           show this; show the version\n"
	"\n"
	"Keys: Ctrl-A x quits, Ctrl-A c presses the power button, Ctrl-A h shows all.\n"
	"Exit: 0 off, 120 panic, 121 triple fault, 122 KVM, 124 time, 125 start, 128+n.\n";

static const char config_help_pc_text[] =
	"usage: tinyvm [--disk FILE] [--floppy FILE] [--cdrom FILE] [OPTION...]\n"
	"A PC that boots its drives, with its screen and keyboard in this terminal.\n"
	"\n"
	"      --floppy FILE[,ro|,snapshot]  drive A:; once more for B:\n"
	"      --cdrom FILE                an ISO image\n"
	"  -d, --disk FILE[,ro|,snapshot][,chs=C/H/S]  IDE disk; --geometry C,H,S\n"
	"      --boot ORDER                of a floppy, c disk, d CD (default acd)\n"
	"      --bios FILE                 firmware in place of tinyvm's: SeaBIOS\n"
	"      --profile NAME              auto dos win9x nt4 linux-2.4 bsd xv6 modern\n"
	"      --rtc TIME                  its clock at power-on, 1999-12-31T23:59:50\n"
	"      --console screen|serial     what is shown here (default screen)\n"
	"      --screenshot FILE.png, --screen-text FILE  the screen at the end\n"
	"\n"
	"In place of a user, in this order:\n"
	"      --expect-screen REGEX       wait until the screen shows it\n"
	"      --expect REGEX              wait until the serial port has sent it\n"
	"      --type TEXT, --key NAME     'dir\\n' (\\t \\e \\\\ \\x03); f8, ctrl-alt-del\n"
	"      --step-timeout TIME         for each step that follows (default 60s)\n"
	"After a last --expect the machine is switched off, with status 0; else it goes\n"
	"on. Exit: 123 where a step fails, with the screen; --timeout TIME: 124.\n"
	"\n"
	"Keys: Ctrl-A x quits, d Ctrl-Alt-Del, s screenshot; Ctrl-A h shows all.\n";

const char *config_help(void)
{
	return config_help_text;
}

const char *config_help_pc(void)
{
	return config_help_pc_text;
}
