# shellcheck shell=bash
# shellcheck disable=SC2154 # what tests/net/guest and vm.sh set
# A scene of tests/net/guest: two guests, a and b, with three wires between them, and a card on
# passt each. A third, q, is QEMU's and has a socket to either: to a's it connects, and b connects
# to its. The same names and numbers throughout (x: 1 host, 2 a, 3 b, 4 q):
#
#	eth0 10.7.0.x  vhost   taps on a bridge, rings served by the host's kernel where it may
#	eth1 10.7.1.x  plain   taps on a bridge, rings served by tinyvm
#	eth2 10.7.2.x  socket  a Unix socket from a to b
#	eth3           user    passt
#	eth4 10.7.3.x  qemu    a Unix socket from a to q; of b: 10.7.4.x, from b to q
#
# b has two processors, and two queues where there may be several.
: "${tmp:?}" "${PART:?}" "${PART_SHA256:?}"

# make_bridge NAME ADDRESS TAP: with a tap that the user may open.
make_bridge()
{
	ip link delete "$1" 2>/dev/null
	ip link delete "$3" 2>/dev/null
	ip link add "$1" type bridge && ip address add "$2" dev "$1" && ip link set "$1" up &&
		ip tuntap add "$3" mode tap user 0 && ip link set "$3" master "$1" up
}

# a needs nothing that a user may not have.
start_a()
{
	tinyvm a --name a --net tap=vhost1 --net tap=plain1,vhost=off --net "socket=$tmp/ab" \
		--net user,mtu=1400,mac=02:00:00:00:00:07 --net "socket=$tmp/aq,pcap=$tmp/aq.pcap"
}

# start_b [OPTION...]: has its taps made, which takes the privilege of the namespaces' root.
start_b()
{
	vm_start b "$TINYVM" "${boot[@]}" -c 2 --name b --net tap,bridge=vhost0,queues=2 \
		--net tap,bridge=plain0,queues=2,vhost=off --net "socket=$tmp/ab" --net user "$@"
}

start_q()
{
	vm_start q "${as_user[@]}" qemu-system-x86_64 -M microvm -accel kvm -cpu host -m 192 \
		-nodefaults -no-user-config -nographic -no-reboot -serial stdio \
		-kernel "$KERNEL" -initrd "$INITRAMFS" -append 'console=ttyS0 quiet panic=-1' \
		-netdev "stream,id=n0,server=off,addr.type=unix,addr.path=$tmp/aq" \
		-device virtio-net-device,netdev=n0,mac=52:54:00:00:03:04 \
		-netdev "stream,id=n1,server=on,addr.type=unix,addr.path=$tmp/qb" \
		-device virtio-net-device,netdev=n1,mac=52:54:00:00:04:04
}

# start_all: who listens before who connects. Fails without QEMU.
start_all()
{
	start_a && exists "$tmp/ab" && exists "$tmp/aq" || return
	if command -v qemu-system-x86_64 >/dev/null; then
		start_q && exists "$tmp/qb"
		start_b --net "socket=$tmp/qb"
	else
		start_b
		return 1
	fi
}

# exists SOCKET: within twenty seconds.
exists()
{
	local tries=200
	until [ -S "$1" ]; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return
		sleep 0.1
	done
}

# ready NAME X: has booted; then its addresses and its servers.
ready()
{
	vm_ready "$1" "$READY_S" && vm_ask "$1" 60 "
		up eth0 10.7.0.$2/24 && up eth1 10.7.1.$2/24 && up eth2 10.7.2.$2/24 &&
		{ iperf3 -s >/dev/null 2>&1 & peer serve 7000 & httpd -p 80 -h /tmp; }"
}

# digest NAME ADDRESS: what the guest gets from the HTTP server there is the file.
digest()
{
	vm_ask "$1" 60 "wget -q -O /tmp/part http://$2/part && openssl dgst -sha256 /tmp/part" &&
		[[ $answer = *"$PART_SHA256"* ]]
}

# returns ADDRESS: the host gets the file back from the guest there.
returns()
{
	timeout 60 busybox wget -q -O - "http://$1/part" | cmp - "$PART"
}

# has_options: the card with an address and an MTU of the command line's has them, also by its lease.
has_options()
{
	vm_ask a 60 'cat /sys/class/net/eth3/address /sys/class/net/eth3/mtu; dhcp eth3' &&
		[[ $answer = 02:00:00:00:00:07$'\n'1400$'\n'*' mtu 1400'* ]] &&
		note=$(grep lease: <<<"$answer")
}

serves_rings()
{
	local fd
	for fd in "/proc/${vm_pid[$1]}/fd"/*; do
		[ "$(readlink "$fd")" != /dev/vhost-net ] || return 0
	done
	return 1
}

# both_queues N: what either processor of b sends has its answers on a queue of its own.
both_queues()
{
	local cpu before
	# A connection keeps the queue of its first packet, which is not to wait for an address.
	vm_ask b 10 "ping -c 1 10.7.$1.1" || return
	for cpu in 0 1; do
		vm_ask b 10 "interrupts eth$1 input.$cpu" || return
		before=${answer%$'\n'}
		vm_ask b 60 "taskset $((cpu + 1)) peer udp 10.7.$1.1 7000 50 &&
			interrupts eth$1 input.$cpu" || return
		answer=${answer%$'\n'}
		before=$((${answer##*$'\n'} - before))
		note+="input.$cpu: $before interrupts "
		[ $before -gt 0 ] || return
	done
}

# bridged WIRE N: everything that the wire in 10.7.N is to do.
bridged()
{
	local wire=$1 n=$2
	check "$wire-host-to-guest" digest a "10.7.$n.1:8000"
	check "$wire-guest-to-guest" digest b "10.7.$n.2"
	check "$wire-guest-to-host" returns "10.7.$n.2"
	check "$wire-udp" says a 30 'trips 20 lost 0.*' "peer udp 10.7.$n.3 7000 20 1400"
	check "$wire-iperf-to-guest" iperf a "10.7.$n.3"
	check "$wire-iperf-from-guest" iperf a "10.7.$n.3" -R
	check "$wire-iperf-to-host" iperf a "10.7.$n.1"
	check "$wire-iperf-from-host" iperf a "10.7.$n.1" -R
	check "$wire-queues" both_queues "$n"
}

# piped WIRE NAME ADDRESS: everything that a socket is to do, from guest NAME's end.
piped()
{
	check "$1-tcp" says "$2" 60 'trips 20 lost 0.*' "peer tcp $3 7000 20 60000"
	check "$1-udp" says "$2" 60 'trips 20 lost 0.*' "peer udp $3 7000 20 1400"
	check "$1-iperf-to" iperf "$2" "$3"
	check "$1-iperf-from" iperf "$2" "$3" -R
}

# is_recorded: tcpdump finds every packet of a's eth4 in the record, and no others.
is_recorded()
{
	local frames
	vm_ask a 10 'packets eth4' &&
		frames=$("${as_user[@]}" tcpdump --count -r "$tmp/aq.pcap" 2>>"$tmp/world.log") || return
	frames=${frames%% *} answer=${answer%$'\n'}
	note="$frames of $answer"
	# What the kernel may send at any time: neighbour and router discovery.
	[ "$frames" -ge "$answer" ] && [ "$frames" -le $((answer + 5)) ]
}

with_qemu()
{
	check qemu-boot vm_ready q "$READY_S"
	check qemu-setup vm_ask q 20 '
		up eth0 10.7.3.4/24 && up eth1 10.7.4.4/24 &&
		{ iperf3 -s >/dev/null 2>&1 & peer serve 7000 & :; }'
	check qemu-links eval "vm_ask a 70 'up eth4 10.7.3.2/24 && carrier eth4 1' &&
		vm_ask b 70 'up eth4 10.7.4.3/24 && carrier eth4 1'"
	piped qemu-connects a 10.7.3.4
	piped qemu-listens b 10.7.4.4
	check pcap is_recorded
	check qemu-off vm_off q
	check qemu-links-lost eval "vm_ask a 70 'carrier eth4 0' && vm_ask b 70 'carrier eth4 0'"
}

scene_wires()
{
	local has_qemu=''
	ln -sf "$PART" "$tmp/www/part"
	rm -f "$tmp/ab" "$tmp/aq" "$tmp/qb"
	if ! make_bridge vhost0 10.7.0.1/24 vhost1 || ! make_bridge plain0 10.7.1.1/24 plain1; then
		skip wires 'no bridges or taps in the namespaces'
		return
	fi
	! start_all || has_qemu=1
	check wires-boot-a ready a 2 || return
	check wires-boot-b ready b 3 || return
	if [ -w /dev/vhost-net ]; then
		check vhost-used eval 'serves_rings a && serves_rings b'
	else
		skip vhost-used '/dev/vhost-net is missing, or not for this user'
	fi
	check wires-options has_options
	check socket-link vm_ask a 70 'carrier eth2 1'
	piped socket a 10.7.2.3
	if [ -n "$has_qemu" ]; then
		with_qemu
	else
		skip qemu 'qemu-system-x86_64 is not installed'
	fi
	bridged vhost 0
	bridged plain 1
	soak
}
