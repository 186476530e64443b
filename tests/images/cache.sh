# shellcheck shell=bash
# Sourced by the scripts of tests/images and tests/lab: a cache of prepared artefacts (kernels, disk
# images, the lab) that concurrent runs share. An artefact is made beside its place and renamed
# into it, so that what has its final name is complete. Nothing in the cache may be written to by
# a test: copy an image first.

cache_dir=${TINYVM_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tinyvm-tests}

die()
{
	printf '%s: %s\n' "${0##*/tests/}" "$*" >&2
	exit 1
}

# need PROGRAM PACKAGE: fails with a sentence when PROGRAM is not installed.
need()
{
	PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null ||
		die "$1 is not installed; install it with: apt-get install $2"
}

# cached NAME MAKE [ARG...]: prints the path of the artefact NAME. When it is not there yet, runs
# this same script anew as `$0 --make MAKE ARG... PATH`, which must leave the artefact, a file or
# a directory, at PATH, and may use PATH.* for what it needs on the way. (A process of its own,
# because `set -e` is not in force inside $(...).)
cached()
{
	local path=$cache_dir/$1
	shift
	if [ ! -e "$path" ]; then
		mkdir -p "$cache_dir" || exit 1
		(
			flock 9 || exit 1
			[ -e "$path" ] && exit 0
			# What a run that was killed may have left.
			rm -rf "$path.new" "$path.new".* || exit 1
			if ! "$0" --make "$@" "$path.new" >&2 9>&-; then
				rm -rf "$path.new" "$path.new".*
				exit 1
			fi
			mv "$path.new" "$path"
		) 9>"$path.lock" || die "could not make $path"
	fi
	printf '%s\n' "$path"
}

# content_key FILE...: prints 12 hex digits that change with the files' contents, to key artefacts
# that are made by these scripts rather than by packages.
content_key()
{
	cat "$@" | sha256sum | head -c 12
}
