# shellcheck shell=bash
# Sourced by what puts kernel modules into images and initramfs archives together.

# module_files MODULES NAME...: prints the files of these modules and of those that they need, in the
# order of loading, each once. MODULES is a kernel's lib/modules/RELEASE.
module_files()
{
	local modules=$1
	shift
	PATH=$PATH:/usr/sbin:/sbin modprobe -d "${modules%/lib/modules/*}" -S "${modules##*/}" \
		--show-depends --ignore-install -a "$@" |
		sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++'
}

# put_modules MODULES DIR PLACE NAME...: copies them to DIR/PLACE and lists their names in DIR/modules.
# Fails with cache.sh's die.
put_modules()
{
	local modules=$1 dir=$2 place=$3 path
	shift 3
	module_files "$modules" "$@" | while read -r path; do
		cp "$path" "$dir/$place/"
		echo "${path##*/}"
	done >"$dir/modules"
	[ -s "$dir/modules" ] || die "no modules found under $modules"
}

# pack_initramfs DIR PATH: packs what is in DIR, as root's, in a fixed order. DIR is gone afterwards.
pack_initramfs()
{
	(cd "$1" && find . | sort | cpio --quiet -o -H newc -R 0:0 --reproducible) >"$2"
	rm -rf "$1"
}
