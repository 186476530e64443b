# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034,SC2016 # variables and closed() are tests/cli/run's, which reads this
# tinyvm matrix as far as it goes without a machine: its command line, cells that cannot start.

# matrix STATUS ARG...: ends with STATUS; what it printed is in out and err.
matrix()
{
	local wanted=$1 status
	shift
	timeout 60 "$bin" matrix "$@" </dev/null >out 2>err
	status=$?
	if [ $status -eq "$wanted" ]; then
		verdict ok
	else
		verdict bad "status $status, not $wanted: tinyvm matrix $*"
	fi
}

# says FILE PATTERN: a line of it matches the extended regular expression.
says()
{
	if grep -qE -e "$2" "$1"; then verdict ok; else verdict bad "no line '$2' in $1"; fi
}

matrix_lines()
{
	shown '^usage: tinyvm matrix' matrix --help
	shown '^usage: tinyvm matrix' matrix -h
	refused 'matrix: there is no command to run' matrix --cpus 1,2
	refused 'matrix: unknown option --smp' matrix --smp 2 -- true
	refused "--memory '1X' is not a size" matrix --memory 1G,1X -- true
	refused '--cpus has 2 twice' matrix -c 2,2 -- true
	refused "--jobs 'many' is not a number" matrix -j many -- true
	refused '--junit needs a file' matrix --junit - -- true
	refused '--report is for a single run' matrix --report r -- true
	refused '--image and --rootfs exclude each other' matrix --image a --rootfs b -- true
	refused '--json nowhere/j: it cannot be written: No such file' matrix --json nowhere/j -- true
	refused '--tap dir: it cannot be written: Is a directory' matrix --tap dir -- true
	closed 125 'exec "$bin" matrix --help >/dev/full'
	"$bin" matrix --help >out
	if [ "$(wc -l <out)" -le 23 ] && ! grep -q '.\{80\}' out; then
		verdict ok
	else
		verdict bad 'the help does not fit 80x24'
	fi
}

# No kernel that could be booted: not the command's fault, so 125, and everything is written.
matrix_cells()
{
	printf '{}' >old.json
	matrix 125 -k nowhere/1,nowhere/2 -c 1,2 -j 2 --tap r.tap --junit r.xml --json old.json -- true
	says out '^ERROR +kernel=nowhere/2 cpus=2 +[0-9.]+ s  .*nowhere/2'
	says out '^0 passed, 0 failed, 4 errors in '
	if [ ! -s err ] && ! grep -q "$(printf '\033')" out; then
		verdict ok
	else
		verdict bad 'more than lines on standard output'
	fi
	says r.tap '^not ok 4 - kernel=nowhere/2 cpus=2$'
	says r.xml '<error message=".*nowhere/1.*" type="not started"/>'
	says old.json '"exit": 125,'
	matrix 125 -k nowhere -c 1,2 --tap - -- true
	says out '^1\.\.2$'
	says out '^not ok 1 - kernel=nowhere cpus=1$'
	matrix 125 -k nowhere --json /dev/full -- true
	says err '^tinyvm: --json /dev/full: it cannot be written: No space left on device$'
	printf 'old' >old.xml
	# What cannot be written takes nothing away: a file may have 1 KiB here, the results are more.
	(ulimit -f 1 && exec "$bin" matrix -k nowhere -c "$(seq -s, 40)" --junit old.xml -- true \
		>out 2>err)
	says err '^tinyvm: --junit old.xml: it cannot be written: File too large$'
	if [ "$(cat old.xml)" = old ]; then verdict ok; else verdict bad 'old results are gone'; fi
	closed 125 'exec "$bin" matrix -k nowhere -- true >/dev/full'
	says err '^tinyvm: cannot write to standard output: No space left on device$'
	if [ -z "$(find . -name '*.xml.*' -o -name '*.json.*' -o -name '*.tap.*')" ]; then
		verdict ok
	else
		verdict bad 'a temporary file is left'
	fi
	if command -v xmllint >/dev/null; then
		if xmllint --noout --schema "$top/tests/run/junit.xsd" r.xml >out 2>err; then
			verdict ok
		else
			verdict bad 'no valid JUnit'
		fi
	else
		skipped=$((skipped + 1))
	fi
}

# On a terminal a line of status comes, and is erased for all that follows.
matrix_terminal()
{
	: >err
	script -qec "stty cols 40 rows 20; exec '$bin' matrix -k nowhere -c 1 -- true" /dev/null \
		</dev/null | tr '\n\r\033' '~<>' >out
	says out '^0 of 1 done, 0 failed; running: kernel=n?o?<>\[KERROR +kernel=nowhere cpus=1 '
	says out '<~0 passed, 0 failed, 1 error in [0-9.]+ s<~$'
}

matrix_lines
matrix_cells
matrix_terminal
