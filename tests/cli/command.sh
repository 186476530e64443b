# shellcheck shell=bash
# shellcheck disable=SC2154,SC2016 # $bin and closed() are tests/cli/run's, which reads this
# `tinyvm run` from outside, as far as it gets without a kernel; sourced by tests/cli/run.

# reported FILTER ARG...: a run that does not start leaves a report of which jq says true.
reported()
{
	local filter=$1
	shift
	rm -f report.json
	"$bin" run --report report.json "$@" </dev/null >out 2>err
	if jq -e "$filter" report.json >/dev/null; then
		verdict ok
	else
		verdict bad "no report with $filter: tinyvm run $*"
	fi
}

shown '^usage: tinyvm run' run --help
refused 'run: there is no command to run' run --kernel nowhere
refused 'run: unknown option --mem; did you mean --memory\?' run --mem 1G true
refused 'run: unknown option --smp; tinyvm run --help' run --smp 2 true
refused "kernel 'nowhere' does not exist" run --kernel nowhere true
refused '--report nowhere/r: No such file' run --kernel nowhere --report nowhere/r true
reported '.verdict == "not started" and .exit == 125 and .cause == "kernel '"'nowhere'"' does not exist"' \
	--kernel nowhere true

# Neither of two failures hides the other.
"$bin" run --kernel nowhere --report /dev/full true >out 2>err
[ $? = 125 ] && grep -qx "tinyvm: kernel 'nowhere' does not exist" err &&
	grep -qx 'tinyvm: --report /dev/full: No space left on device' err
# shellcheck disable=SC2181 # of all three
if [ $? = 0 ]; then verdict ok; else verdict bad 'a full disk hid why there was nothing to report'; fi
closed 125 'exec "$bin" run --kernel nowhere true <&- >&- 2>&-'
closed 125 'exec "$bin" run --help >/dev/full'
