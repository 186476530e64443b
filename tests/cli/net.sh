# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # kernel, tmp, top and the counts are tests/cli/run's, which reads this
# What can be wrong with a network, found out before the kernel starts; what --dry-run says of one.

# skip WHY
skip()
{
	skipped=$((skipped + 1))
	echo "skipped: $1"
}

net_dry_runs()
{
	shown '^  net0  user, by passt, a random MAC address$' -k "$kernel" -n --net
	shown '^        127\.0\.0\.1:8080 to the guest.s port 80, TCP$' -k "$kernel" -n -p 8080:80
	shown '^        \[::1\]:53 to the guest.s port 53, UDP$' -k "$kernel" -n -p '[::1]:53:53/udp'
	shown '^  net0  no cable, MAC 4e:d5:3e:43:84:d2$' -k "$kernel" -n --name web --net none
	# The user's cards in their order, behind the disks.
	shown '^  net1  tap no-such-tap, .*, MTU 9000$' -k "$kernel" -n --net none \
		--net tap=no-such-tap,mtu=9000
	shown 'disk0 \(PCI 00:01.0;' -k "$kernel" -n --net none -d disk.img
	shown 'net0 \(PCI 00:02.0;' -k "$kernel" -n --net none -d disk.img
	shown 'net1 \(PCI 00:03.0;' -k "$kernel" -n --net none -d disk.img --net none
	shown 'rng0 \(PCI 00:04.0;' -k "$kernel" -n --net none -d disk.img --net none
	shown '  net7$' -k "$kernel" -n --transport mmio --net --net --net --net --net --net --net --net
}

net_bad_ends()
{
	refused 'there is no interface no-such-tap' -k "$kernel" --net tap=no-such-tap
	refused 'lo is not a tap' -k "$kernel" --net tap=lo
	refused 'without an open descriptor 9' -k "$kernel" --net fd=9
	refused 'without an open descriptor 3' -k "$kernel" --net user --net fd=3
	refused 'fd=9: not a socket' -k "$kernel" --net fd=9 9<disk.img
	refused 'nowhere/lan\.sock' -k "$kernel" --net socket=nowhere/lan.sock
	refused 'disk\.img.*socket' -k "$kernel" --net socket=disk.img
	refused 'socket=long.*(long|bytes|characters)' -k "$kernel" \
		--net "socket=long$(head -c 200 /dev/zero | tr '\0' x)"
	refused 'nowhere/net\.pcap' -k "$kernel" --net none,pcap=nowhere/net.pcap
	by=(env PATH="$tmp/dir")
	refused 'passt.*apt(-get)? install passt' -k "$kernel" --net
	by=()
}

# hold_port tcp|udp: leaves a port of 127.0.0.1 in $port, and in $holder the process that has it: a
# passt of another machine's.
hold_port()
{
	local others _
	others=$([ "$1" = tcp ] && echo udp || echo tcp)
	for _ in 1 2 3 4 5; do
		port=$((20000 + RANDOM % 10000))
		passt --foreground --socket "$tmp/holder/$port" --"$1"-ports "127.0.0.1/$port" \
			--"$others"-ports none </dev/null >holder.log 2>&1 &
		holder=$!
		while kill -0 "$holder" 2>/dev/null; do
			grep -qi "0100007F:$(printf '%04X' "$port") " "/proc/net/$1" && return
			sleep 0.05
		done
	done
	tail -n 3 holder.log
	return 1
}

net_bad_ports()
{
	local port holder protocol
	# Started by root, passt goes on as nobody and makes its socket as such.
	mkdir -m 777 holder && chmod a+rx .
	for protocol in tcp udp; do
		if hold_port $protocol; then
			refused "$port.*in use" -k "$kernel" -p "$port:80/$protocol"
			kill "$holder"
			wait "$holder" 2>/dev/null
		else
			verdict bad "no $protocol port to hold"
		fi
	done
	# An address for documentation: this host has it not.
	refused '203\.0\.113\.77' -k "$kernel" -p 203.0.113.77:8080:80

	if [ "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" -le 80 ]; then
		skip 'port 80 is no privilege here'
		return
	fi
	[ "$(id -u)" -ne 0 ] || by=(setpriv --reuid=65534 --regid=65534 --clear-groups
		--inh-caps=-all --bounding-set=-all)
	cp "$kernel" vmlinuz && chmod a+r vmlinuz
	XDG_CACHE_HOME=/nowhere refused '\b80\b.*privilege' -k vmlinuz -p 80:80
	by=()
}

net_dry_runs
net_bad_ends
if command -v passt >/dev/null; then
	net_bad_ports
else
	skip 'no passt'
fi
