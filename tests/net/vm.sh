# shellcheck shell=bash
# Sourced by the network tests and benchmarks: guests of tests/images/initramfs-net, driven through
# their consoles. A guest has a name; its console's output is kept in $tmp/NAME.log, what its VMM
# says in $tmp/NAME.err. The caller has set tmp.
: "${tmp:?}"

declare -A vm_pid=() vm_in=() vm_out=() vm_asked=()
vm_number=0

# vm_note NAME TEXT: a remark in the log, for who reads it after a failure.
vm_note()
{
	printf '# %s\n' "$2" >>"$tmp/$1.log"
}

# vm_start NAME COMMAND [ARG...]: starts a VMM, whose console is its standard input and output.
vm_start()
{
	local name=$1 fd in out
	shift
	rm -f "$tmp/$name.in" "$tmp/$name.out"
	mkfifo "$tmp/$name.in" "$tmp/$name.out"
	printf '# %s\n' "$*" >>"$tmp/$name.log"
	(
		for fd in "${vm_in[@]}" "${vm_out[@]}"; do
			exec {fd}>&-
		done
		exec "$@" <"$tmp/$name.in" >"$tmp/$name.out" 2>>"$tmp/$name.err"
	) &
	vm_pid[$name]=$!
	# Both ways, so that writing to one that has ended is no error of this script.
	exec {in}<>"$tmp/$name.in" {out}<"$tmp/$name.out"
	vm_in[$name]=$in vm_out[$name]=$out
}

# vm_read NAME SECONDS: the next line of the console into $line, in that time or never.
vm_read()
{
	local deadline=$((SECONDS + $2)) status part=''
	[ -n "${vm_out[$1]-}" ] || return
	while :; do
		IFS= read -r -t 1 -u "${vm_out[$1]}" line
		status=$?
		line=$part${line%$'\r'}
		if [ $status = 0 ]; then
			printf '%s\n' "$line" >>"$tmp/$1.log"
			return
		fi
		if [ $status -le 128 ]; then
			vm_note "$1" 'its end'
			return 1
		fi
		part=$line
		if [ $SECONDS -ge $deadline ]; then
			vm_note "$1" "$part (and nothing more for $2 s)"
			return 1
		fi
	done
}

# vm_ready NAME SECONDS: waits until the guest takes commands.
vm_ready()
{
	local deadline=$((SECONDS + $2))
	while vm_read "$1" $((deadline - SECONDS)); do
		case $line in *'guest: ready '*) return ;; esac # SeaBIOS ends no line
	done
	return 1
}

# vm_tell NAME COMMAND: has it run, and does not wait. vm_answer is to follow. Ends of lines in the
# command are spaces.
vm_tell()
{
	local command=${2//[$'\n\t']/ }
	[ -n "${vm_in[$1]-}" ] || return
	vm_number=$((vm_number + 1))
	vm_asked[$1]=$vm_number
	printf '%d %s\n' $vm_number "$command" >&"${vm_in[$1]}"
	vm_note "$1" "$vm_number $command"
}

# vm_answer NAME SECONDS: waits for the end of the last command told; its output is in $answer, its
# status is this one's. 255 when nothing came.
vm_answer()
{
	local deadline=$((SECONDS + $2))
	answer=''
	while vm_read "$1" $((deadline - SECONDS)); do
		case $line in
		*"guest: done ${vm_asked[$1]} "*) return "${line##* }" ;;
		*'guest: done '*) answer='' ;; # of one that took too long
		*) answer+=$line$'\n' ;;
		esac
	done
	return 255
}

# vm_ask NAME SECONDS COMMAND
vm_ask()
{
	vm_tell "$1" "$3" && vm_answer "$1" "$2"
}

# vm_wait NAME SECONDS: waits for the VMM's end; its exit status is this one's, or 255 and it is
# killed.
vm_wait()
{
	local deadline=$((SECONDS + $2)) in out pid status=0
	[ -n "${vm_pid[$1]-}" ] || return 255
	in=${vm_in[$1]} out=${vm_out[$1]} pid=${vm_pid[$1]}
	while vm_read "$1" $((deadline - SECONDS)); do :; done
	exec {in}>&- {out}<&-
	unset "vm_in[$1]" "vm_out[$1]" "vm_pid[$1]"
	if [ $SECONDS -ge $deadline ] && kill -KILL "$pid" 2>/dev/null; then
		wait "$pid" 2>/dev/null
		return 255
	fi
	wait "$pid" 2>/dev/null || status=$?
	vm_note "$1" "status $status"
	return $status
}

# vm_off NAME: has it switch itself off; status as vm_wait.
vm_off()
{
	vm_tell "$1" 'poweroff -f'
	vm_wait "$1" 30
}

# vm_kill_all: what is still there.
vm_kill_all()
{
	local name
	for name in "${!vm_pid[@]}"; do
		kill -KILL "${vm_pid[$name]}" 2>/dev/null
		vm_wait "$name" 5
	done
}
