# shellcheck shell=bash
# shellcheck disable=SC2154 # flavours and cases are the script's
# Sourced by the tests of `tinyvm run` under a genuine KVM (tests/lab): cases, in one lab. A case is
# a function; the script names them in the array cases, the kernels it wants in the array flavours,
# and ends with `frame "$@"`.
#
# A case runs in a directory of its own, without standard input. It finds TINYVM, and for each
# flavour of tests/images/kernel (with _ for -) KERNEL_flavour and MODULES_flavour, and what is in
# the associative array needs: a variable, and the script of tests/images that prints its value.

frame_here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
frame_root=${frame_here%/tests/run}
# shellcheck source=tools/lib.sh
. "$frame_root/tools/lib.sh"
declare -A needs=()

# vm_on FLAVOUR ARG...: tinyvm run on that kernel, with its output in out and err, its status in
# $status. A guest that hangs is given up.
vm_on()
{
	local name=${1//-/_} kernel modules limit=(--timeout 240s)
	kernel=KERNEL_$name modules=MODULES_$name
	shift
	case " $* " in *' --timeout '*) limit=() ;; esac
	status=0
	"$TINYVM" run --kernel "${!kernel}" --modules "${!modules}" "${limit[@]}" "$@" \
		>out 2>err || status=$?
}

# vm ARG...: likewise on the script's first kernel.
vm() { vm_on "${flavours[0]}" "$@"; }

# is STATUS OUT ERR: that is what came of it.
is()
{
	[ "$status" = "$1" ] && [ "$(cat out)" = "$2" ] && [ "$(cat err)" = "$3" ]
}

# until_true SECONDS COMMAND...: tries it until then.
until_true()
{
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $deadline ] || return 1
		sleep 0.1
	done
}

# frame_inside TRIES CASE...: prints `ok NAME SECONDS` or `FAIL NAME` for each.
frame_inside()
{
	local tries=$1 name try work began
	shift
	work=$(mktemp -d)
	PATH=$PATH:/usr/sbin:/sbin
	for name; do
		for ((try = 1; try <= tries; try++)); do
			mkdir -p "$work/$name/$try" && cd "$work/$name/$try" || exit 1
			began=$(date +%s)
			touch out err
			! "$name" </dev/null || break
			echo "# $name: status ${status-}"
			head -c 300 out; tail -n 5 err
		done
		if [ "$try" -le "$tries" ]; then
			echo "ok $name $(($(date +%s) - began))s"
		else
			echo "FAIL $name"
		fi
	done
}

# frame_outside CASE...: runs this script's cases in the lab; ends with the count.
frame_outside()
{
	local work flavour name passed failed variables=(TINYVM)
	work=$(mktemp -d)
	# shellcheck disable=SC2064 # this directory
	trap "rm -rf '$work'" EXIT
	TINYVM=${TINYVM:-$frame_root/build/tinyvm}
	[ -x "$TINYVM" ] || { echo "$TINYVM is not there: run make first" >&2; exit 1; }
	cp "$TINYVM" "$work/tinyvm" # what is tested stays the same, whoever builds meanwhile
	TINYVM=$work/tinyvm
	for flavour in "${flavours[@]}"; do
		name=${flavour//-/_}
		declare "KERNEL_$name=$("$frame_root/tests/images/kernel" "$flavour")" \
			"MODULES_$name=$("$frame_root/tests/images/kernel" --modules "$flavour")"
		variables+=("KERNEL_$name" "MODULES_$name")
	done
	for name in "${!needs[@]}"; do
		# shellcheck disable=SC2086 # its arguments
		declare "$name=$("$frame_root"/tests/images/${needs[$name]})"
		variables+=("$name")
	done
	declare -p "${variables[@]}" >"$work/env"
	chmod -R a+rX "$work"
	# The lab's emulation kills or freezes a guest now and then (tests/lab/run): one more chance there.
	local tries=1
	kvm_is_genuine || tries=2
	"$frame_root/tests/lab/run" --timeout 1800 "$0" --inside "$work/env" "$tries" "$@" |
		tee "$work/result"
	passed=$(grep -c '^ok ' "$work/result")
	failed=$(($# - passed))
	echo "$passed passed, $failed failed, 0 skipped"
	[ $failed -eq 0 ]
}

# frame [CASE...]: all without arguments.
frame()
{
	if [ "${1-}" = --inside ]; then
		# shellcheck source=/dev/null
		. "$2"
		frame_inside "${@:3}"
	elif [ $# = 0 ]; then
		frame_outside "${cases[@]}"
	else
		frame_outside "$@"
	fi
}
