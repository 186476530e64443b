# shellcheck shell=bash
# Sourced by the network tests and benchmarks, in a network and a mount namespace of their own: the
# world that the guests see. Addresses are the documentation's, and never leave the namespace.
# The caller has set tmp, and PEER, the path of tests/net/peer.c's program.
: "${tmp:?}" "${PEER:?}"

world_pids=()

# world_serve COMMAND [ARG...]: a server that lives as long as the world.
world_serve()
{
	"$@" </dev/null >>"$tmp/world.log" 2>&1 &
	world_pids+=($!)
}

# world_make: an interface with the default routes, for passt to take its addresses from; and
# behind it, at 198.51.100.1 and 2001:db8:2::1 alias files.test, a name server (at 127.0.0.1 in
# fact), an HTTP server on port 8000 with $tmp/www, an echo on port 7000, iperf3's server on 5201.
world_make()
{
	mkdir -p "$tmp/www" &&
	ip link set lo up &&
	ip link add host0 type dummy &&
	ip link set host0 up &&
	ip address add 192.0.2.2/24 dev host0 &&
	ip address add 198.51.100.1/32 dev host0 &&
	ip address add 2001:db8:1::2/64 dev host0 nodad &&
	ip address add 2001:db8:2::1/128 dev host0 nodad &&
	ip route add default via 192.0.2.1 dev host0 &&
	ip route add default via 2001:db8:1::1 dev host0 &&
	echo '0 0' >/proc/sys/net/ipv4/ping_group_range &&
	echo 'nameserver 127.0.0.1' >"$tmp/resolv.conf" &&
	mount --bind "$tmp/resolv.conf" /etc/resolv.conf || return
	# As a daemon it would want to change its groups, which root of a user namespace may not.
	world_serve dnsmasq --no-daemon --conf-file=/dev/null --pid-file= --no-resolv --no-hosts \
		--bind-interfaces --listen-address=127.0.0.1 \
		--address=/files.test/198.51.100.1 --address=/files.test/2001:db8:2::1
	world_serve busybox httpd -f -p 8000 -h "$tmp/www"
	world_serve "$PEER" serve 7000
	world_serve iperf3 -s
}

# world_end: ends the servers.
world_end()
{
	[ ${#world_pids[@]} = 0 ] || kill "${world_pids[@]}" 2>/dev/null
	wait "${world_pids[@]}" 2>/dev/null
	world_pids=()
}
