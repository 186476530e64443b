# shellcheck shell=bash
# shellcheck disable=SC2154 # what tests/net/guest and vm.sh set
# The end of the scene wires: everything that goes wrong on a network, under load; then the same
# guests are to be as well as before. a is the one that lives through it.
: "${tmp:?}"

# resident NAME: KiB of its VMM's own memory: all but the guest's.
resident()
{
	awk '/^[0-9a-f]+-[0-9a-f]+ / { is_guest = 0 }
		/^Size:/ { is_guest = $2 >= 65536 }
		/^Rss:/ && !is_guest { kib += $2 }
		END { print kib + 0 }' "/proc/${vm_pid[$1]}/smaps"
}

descriptors()
{
	find "/proc/${vm_pid[$1]}/fd" -type l | wc -l
}

# flows: every wire that ends at a carries packets, both ways and soon.
flows()
{
	trips 10.7.0.2 7000 udp && trips 10.7.1.2 7000 tcp && trips 10.7.0.2 7000 tcp &&
		trips 10.7.1.2 7000 udp &&
		vm_ask a 60 'peer tcp 10.7.2.3 7000 20 && peer udp 10.7.2.3 7000 20' &&
		note=$answer
}

flows_to_the_world()
{
	vm_ask a 60 'peer tcp 198.51.100.1 7000 20 && wget -q -O /tmp/part http://198.51.100.1:8000/part'
}

# load: what a sends until `calm`: streams, datagrams and their echoes, on all of its wires at once.
load()
{
	vm_ask a 10 '
		again() { while [ -e /tmp/load ]; do "$@"; usleep 50000; done >/dev/null 2>&1; };
		: >/tmp/load; (
			again iperf3 -c 10.7.0.3 -t 2 &
			again peer flood 10.7.1.3 7000 1 &
			again peer flood 10.7.2.3 7000 1 600 &
			again wget -q -O /dev/null http://198.51.100.1:8000/part &
			again ping -c 5 10.7.0.1 &
			wait
		) & load=$!'
}

calm()
{
	vm_ask a 90 "rm -f /tmp/load; wait \$load"
}

# flap: the host takes the taps down under load; the guest sees its link go, and come.
flap()
{
	local tap n=0
	load || return
	for tap in vhost1 plain1 vhost1 plain1 vhost1 plain1; do
		ip link set $tap down && vm_ask a 60 "carrier eth$n 0" &&
			ip link set $tap up && vm_ask a 60 "carrier eth$n 1" || return
		n=$((1 - n))
		sleep 0.5
	done
	calm && flows && flows_to_the_world
}

# starve: the guest takes nothing from its rings while the host sends all it can, and more than the
# taps hold; then its driver goes, and comes back.
starve()
{
	local n flood=() lost=''
	for n in 0 1; do
		"$PEER" flood "10.7.$n.2" 7000 8 >/dev/null &
		flood+=($!)
	done
	vm_ask a 60 'ip link set eth0 down; ip link set eth1 down; sleep 2;
		up eth0 10.7.0.2/24 && up eth1 10.7.1.2/24' || return
	for n in 0 1; do
		vm_ask a 60 "d=\$(readlink /sys/class/net/eth$n/device) && d=\${d##*/} &&
			echo \$d >/sys/bus/virtio/drivers/virtio_net/unbind && sleep 0.3 &&
			echo \$d >/sys/bus/virtio/drivers/virtio_net/bind &&
			up eth$n 10.7.$n.2/24 && carrier eth$n 1" || return
	done
	wait "${flood[@]}"
	# What the taps could not hold; /sys is still another namespace's.
	lost=$(awk '/^ *(vhost|plain)1:/ { print $13 }' /proc/net/dev) && flows &&
		note="${lost//$'\n'/ and } frames found the taps full" && [[ $lost = [1-9]*$'\n'[1-9]* ]]
}

# stall: the other end of the socket stops reading for a while.
stall()
{
	kill -STOP "${vm_pid[b]}" && vm_ask a 60 'peer flood 10.7.2.3 7000 2; ping -c 3 10.7.0.1' &&
		kill -CONT "${vm_pid[b]}" && flows
}

# restart: the other end of the socket dies without a word, and another one comes in its place: on
# the other transport.
restart()
{
	local passt
	passt=$(passt_of b) && kill -KILL "${vm_pid[b]}" || return
	vm_wait b 20
	gone "$passt" 20 && vm_ask a 70 'carrier eth2 0' && start_b --transport mmio && ready b 3 &&
		vm_ask a 70 'carrier eth2 1' && flows
}

# lose_passt: the helper dies; the guest loses its link, and is told so once; nothing else.
lose_passt()
{
	kill -KILL "$(passt_of a)" && vm_ask a 60 'carrier eth3 0; ! ping -c 1 -W 1 198.51.100.1' &&
		flows && note=$(grep 'passt' "$tmp/a.err") && [ "$(wc -l <<<"$note")" = 1 ]
}

# is_as_before KIB DESCRIPTORS
is_as_before()
{
	local kib descriptors
	kib=$(resident a) descriptors=$(descriptors a)
	note="$1 to $kib KiB, $2 to $descriptors descriptors"
	[ "$descriptors" = "$2" ] && [ "$kib" -le $(($1 + 4096)) ]
}

has_no_complaint()
{
	vm_ask a 10 'dmesg | grep -E "BUG|WATCHDOG|Oops|Call Trace|virtio.*(fail|broken|error)"'
	[ $? = 1 ]
}

soak()
{
	local kib descriptors
	check soak-begin eval 'flows && flows_to_the_world' || return
	kib=$(resident a) descriptors=$(descriptors a)
	check soak-taps-down flap &&
		check soak-full-rings starve &&
		check soak-stalled-peer stall &&
		check soak-new-peer restart &&
		check soak-no-leak is_as_before "$kib" "$descriptors" &&
		check soak-passt-killed lose_passt &&
		check soak-no-complaint has_no_complaint &&
		check soak-off eval 'vm_off a && vm_off b'
}
