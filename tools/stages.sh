# shellcheck shell=bash
# Sourced by tools/check and tools/lint: runs stages one after the other, with a line and a log file
# for each, and adds up what they passed.
#
# The caller has set logs, the directory for the log files.
: "${logs:?}"

passed=0 failed=0 skipped=0
export LC_ALL=C.UTF-8

# stage NAME COMMAND [ARG...]: NAME is a few words. Adds up the lines `N passed, N failed[, N
# skipped]` that the command prints; one that prints none counts as one test.
stage()
{
	local name=$1 log started=$SECONDS status=0 p f s
	shift
	log=$logs/${name//[^a-zA-Z0-9]/-}.log
	mkdir -p "$logs"
	printf '%-44s ' "$name"
	"$@" </dev/null >"$log" 2>&1 || status=$?
	read -r p f s < <(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed(, ([0-9]+) skipped)?$/\1 \2 \4/p' \
		"$log" | awk '{ p += $1; f += $2; s += $3 } END { print p + 0, f + 0, s + 0 }')
	if [ $((p + f + s)) -eq 0 ]; then
		[ "$status" -eq 0 ] && p=1
	fi
	[ "$status" -eq 0 ] || [ "$f" -gt 0 ] || f=1
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	if [ "$f" -gt 0 ]; then
		printf 'FAILED %5d s\n' $((SECONDS - started))
		grep -vE '^(  (CC|TEST|REPLAY|FUZZ)|ok  )' "$log" | tail -n 60 | sed 's/^/    /'
		printf '    (all of it: %s)\n' "$log"
		return 1
	fi
	printf 'ok     %5d s   %s\n' $((SECONDS - started)) "$(counts "$p" "$f" "$s")"
}

# skip NAME WHY: a stage that cannot run here.
skip()
{
	printf '%-44s skipped: %s\n' "$1" "$2"
	skipped=$((skipped + 1))
}

# lane FUNCTION: runs the stages of a function in the background, beside the next ones.
# lanes_join: waits for them, shows their lines and adds up what they passed.
lanes=()
# shellcheck disable=SC2030,SC2031 # what the subshell added up comes back in a file
lane()
{
	local out=$logs/lane-$1
	mkdir -p "$logs"
	(
		passed=0 failed=0 skipped=0
		"$1"
		echo "$passed $failed $skipped" >"$out.sum"
	) >"$out.lines" &
	lanes+=("$out $!")
}
# shellcheck disable=SC2031
lanes_join()
{
	local entry out p f s
	for entry in "${lanes[@]}"; do
		out=${entry% *}
		wait "${entry##* }"
		cat "$out.lines"
		read -r p f s <"$out.sum" || p=0 f=1 s=0
		passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
		rm -f "$out.lines" "$out.sum"
	done
	lanes=()
}

# counts PASSED FAILED SKIPPED: as the total line has them.
counts()
{
	printf '%d passed, %d failed, %d skipped' "$@"
}

# total: the last line; fails when a test did, or when there was none.
total()
{
	counts "$passed" "$failed" "$skipped"
	echo
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
