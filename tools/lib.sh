# shellcheck shell=bash
# Sourced by the tools: packages.

# kvm_is_genuine: whether this machine's /dev/kvm runs stock kernels; else the lab has to.
kvm_is_genuine()
{
	grep -qwE 'svm|vmx' /proc/cpuinfo && (: <>/dev/kvm) 2>/dev/null
}

# deps_missing GROUP...: prints the packages of tools/deps that these groups lack.
deps_missing()
{
	local group package proof PATH=$PATH:/usr/sbin:/sbin
	while read -r group package proof; do
		case " $* " in *" $group "*) ;; *) continue ;; esac
		case $proof in
		:*) pkg-config --exists "${proof#:}" 2>/dev/null || echo "$package" ;;
		/*) [ -e "$proof" ] || echo "$package" ;;
		*)  command -v "$proof" >/dev/null || echo "$package" ;;
		esac
	done < <(sed 's/#.*//' "$(dirname "${BASH_SOURCE[0]}")/deps")
}

# deps_install GROUP...: installs what is missing, or says what is to be installed to a user who may
# not. Prints nothing when nothing is missing.
deps_install()
{
	local packages
	mapfile -t packages < <(deps_missing "$@")
	[ ${#packages[@]} -gt 0 ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		echo "Missing packages; install them as root with: apt-get install ${packages[*]}" >&2
		return 1
	fi
	echo "installing ${packages[*]}"
	export DEBIAN_FRONTEND=noninteractive
	apt-get -qq install -y --no-install-recommends "${packages[@]}" </dev/null >/dev/null 2>&1 ||
		{ apt-get -qq update && apt-get -qq install -y --no-install-recommends \
			"${packages[@]}"; } </dev/null >&2 || {
		echo "Could not install: ${packages[*]}" >&2
		return 1
	}
}
