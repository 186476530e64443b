# shellcheck shell=bash
# shellcheck disable=SC2154 # what tests/net/guest and vm.sh set
# A scene of tests/net/guest: one guest on passt, and what that gives it, without any privilege:
# addresses, names, both ways to and from the host. On virtio-mmio; the other scene is on PCI, mostly.
: "${tmp:?}"

lease()
{
	says a 60 'lease: 192\.0\.2\.2/24 router 192\.0\.2\.1 dns 192\.0\.2\.1.*' 'dhcp eth0'
}

is_unprivileged()
{
	local pid
	for pid in "${vm_pid[a]}" "$(passt_of a)"; do
		grep -q '^CapEff:[[:space:]]*0*$' "/proc/$pid/status" || return
	done
	# Where the namespaces' root is the machine's, the user has no name.
	note="uid $(sed -nE 's/^ *0 +([0-9]+) +1$/\1/p' /proc/self/uid_map)"
	[ "$note" != 'uid 0' ]
}

download()
{
	local began=$EPOCHREALTIME
	vm_ask a 120 'wget -q -O /tmp/file http://198.51.100.1:8000/file' || return
	note="100 MiB in $(seconds_since "$began") s"
	vm_ask a 120 'openssl dgst -sha256 /tmp/file' && [[ $answer = *"$FILE_SHA256"* ]]
}

upload()
{
	local began=$EPOCHREALTIME
	vm_ask a 20 'httpd -p 80 -h /tmp' &&
		timeout 120 busybox wget -q -O - http://127.0.0.1:8080/file |
		openssl dgst -sha256 | grep -q "$FILE_SHA256" || return
	note="100 MiB in $(seconds_since "$began") s, with the digest"
}

# is_local: a port that was forwarded without an address is the host's own affair.
is_local()
{
	trips 127.0.0.1 7002 tcp && ! trips 192.0.2.2 7002 tcp 2>/dev/null
}

has_passt_ended()
{
	vm_off a && gone "$passt" 10
}

scene_user()
{
	local passt
	ln -sf "$FILE" "$tmp/www/file"
	tinyvm a --transport mmio --net user -p 8080:80 -p 127.0.0.1:7001:7000/udp -p 7002:7000
	check user-boot vm_ready a "$READY_S" || return
	passt=$(passt_of a)
	check user-unprivileged is_unprivileged
	check user-dhcp lease
	check user-dns says a 30 '198\.51\.100\.1' 'nslookup files.test'
	check user-ping says a 30 '0% packet loss' 'ping -c 3 198.51.100.1'
	check user-ipv6 says a 60 'trips 20 lost 0' \
		'peer tcp 2001:db8:2::1 7000 20 || { sleep 5; peer tcp 2001:db8:2::1 7000 20; }'
	vm_ask a 20 'peer serve 7000 >/dev/null 2>&1 &'
	check user-forward-udp trips 127.0.0.1 7001 udp
	check user-forward-tcp trips 127.0.0.1 7002 tcp
	check user-forward-local is_local
	check user-download download
	check user-upload upload
	check user-iperf-out iperf a 198.51.100.1
	check user-iperf-in iperf a 198.51.100.1 -R
	check user-passt-ends-with-the-vm has_passt_ended
}

