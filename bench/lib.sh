# shellcheck shell=bash
# Sourced by the benchmarks: paths, the programs they share, and verdicts against a bar.

bench=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$bench")
build=${BUILD:-$root/build}
# shellcheck disable=SC2034 # for who sources this
tinyvm=${TINYVM:-$build/tinyvm}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# bench_tool NAME: builds bench/NAME.c when it is newer than the program.
bench_tool()
{
	if [ "$bench/$1.c" -nt "$build/bench/$1" ]; then
		mkdir -p "$build/bench"
		"${CC:-gcc}" -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Wshadow -Werror -pthread \
			-o "$build/bench/$1" "$bench/$1.c" || exit 1
	fi
}

# payload OUT [FLAG...]: assembles bench/payload.S.
payload()
{
	local out=$1
	shift
	"${CC:-gcc}" -c "$@" -o "$tmp/payload.o" "$bench/payload.S" &&
		ld -n --no-warn-rwx-segments -T "$bench/payload.ld" -o "$out" "$tmp/payload.o"
}

# bar WHAT VALUE OP LIMIT: prints a verdict; OP is at-most or at-least.
bar()
{
	awk -v what="$1" -v v="$2" -v op="$3" -v limit="$4" 'BEGIN {
		ok = op == "at-most" ? v <= limit : v >= limit
		printf "%s: %s (%s %s): %s\n", what, v, op, limit, ok ? "met" : "MISSED"
		exit !ok
	}'
}

have_qemu()
{
	command -v qemu-system-x86_64 >/dev/null ||
		{ echo "qemu-system-x86_64 is not installed: no comparison"; return 1; }
}
