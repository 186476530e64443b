/*
 * A Multiboot kernel that looks at what it was given and says so on the screen and the debug port.
 * Built as an ELF file, and flat with the addresses in its header.
 */
#include <spec/multiboot.h>
#include <stdbool.h>
#include <stddef.h>

#define RAM 1

extern char start[], data_end[], bss_end[], header[];

static volatile uint16_t *const screen = (volatile uint16_t *)0xb8000;
static unsigned column, line, passed, failed;
static uint32_t zeroed[64]; /* BSS */

__asm__(".section .head, \"ax\"\n"
	".globl header, start\n"
	".balign 4\n"
	"header:\n"
#ifdef IS_FLAT
	".long 0x1badb002, 0x10003, -0x1badb002 - 0x10003\n"
	".long header, load_start, data_end, bss_end, start\n"
#else
	".long 0x1badb002, 3, -0x1badb002 - 3\n"
#endif
	"start:\n"
	"mov $stack_end, %esp\n"
	"push %ebx\n"
	"push %eax\n"
	"call main\n"
	"1: hlt\n"
	"jmp 1b\n"
	".previous\n"
	".local stack\n"
	".comm stack, 4096, 16\n"
	".set stack_end, stack + 4096\n");

static void put(char c)
{
	__asm__ volatile("outb %0, $0xe9" : : "a"(c));
	if (c == '\n') {
		line++;
		column = 0;
	} else {
		screen[line * 80 + column++] = (uint16_t)(0x0700 | (uint8_t)c);
	}
}

static void print(const char *s)
{
	while (*s)
		put(*s++);
}

static void print_number(unsigned n)
{
	if (n >= 10)
		print_number(n / 10);
	put((char)('0' + n % 10));
}

static void check(bool is_right, const char *what)
{
	if (is_right) {
		passed++;
		return;
	}
	failed++;
	print("wrong: ");
	print(what);
	put('\n');
}

static bool is_same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

/* What the command line says behind the kernel's name. */
static bool ends_in(const char *s, const char *end)
{
	for (; *s; s++)
		if (is_same(s, end))
			return true;
	return false;
}

static void check_map(const struct multiboot_info *info)
{
	bool has_low = false, has_high = false;
	uint32_t at = info->mmap_addr;
	while (at < info->mmap_addr + info->mmap_length) {
		const struct multiboot_map_entry *e = (const void *)at;
		if (e->addr == 0 && e->len == 0x9fc00 && e->type == RAM)
			has_low = true;
		if (e->addr == 0x100000 && e->len > 0x1000000 && e->type == RAM)
			has_high = true;
		at += e->size + 4;
	}
	check(has_low && has_high, "memory map");
	check(at == info->mmap_addr + info->mmap_length, "length of the memory map");
}

static void check_modules(const struct multiboot_info *info)
{
	const struct multiboot_module *m = (const void *)info->mods_addr;
	check(info->mods_count == 2, "two modules");
	if (info->mods_count != 2)
		return;
	check(m[0].start % 4096 == 0 && m[1].start % 4096 == 0, "modules at pages");
	check(m[0].start >= (uint32_t)bss_end, "modules behind the kernel");
	check(m[0].end - m[0].start == 6 && *(const uint32_t *)m[0].start == 0x73726966,
	      "first module");
	check(m[1].end - m[1].start == 7 && *(const uint32_t *)m[1].start == 0x6f636573,
	      "second module");
	check(ends_in((const char *)m[1].string, "module two"), "second module's command line");
}

void main(uint32_t magic, const struct multiboot_info *info);

void main(uint32_t magic, const struct multiboot_info *info)
{
	uint32_t flags, cr0;
	__asm__ volatile("pushf; pop %0" : "=r"(flags));
	__asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
	for (unsigned i = 0; i < 80 * 25; i++)
		screen[i] = 0x0720;
	check(magic == MULTIBOOT_LOADER_MAGIC, "EAX");
	check(!(flags & 0x200), "interrupts off");
	check((cr0 & 0x80000001) == 1, "protected mode without paging");
	bool is_clear = true;
	for (unsigned i = 0; i < 64; i++)
		is_clear = is_clear && !((volatile uint32_t *)zeroed)[i];
	check(is_clear, "BSS");
	check((info->flags & 0x4d) == 0x4d, "flags");
	check(info->mem_lower == 639 && info->mem_upper > 16384, "memory sizes");
	check(ends_in((const char *)info->cmdline, "hello world"), "command line");
	check(info->flags & MULTIBOOT_INFO_LOADER && *(const char *)info->loader_name, "loader");
	check_map(info);
	check_modules(info);
	print("multiboot: ");
	print_number(passed);
	print(" passed, ");
	print_number(failed);
	print(" failed\n");
}
