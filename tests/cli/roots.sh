# shellcheck shell=bash
# What `tinyvm run` cannot take for a root; sourced by tests/cli/run.
run=(run --kernel "$kernel" --modules /nowhere)

printf hello >no-image
mkdir -p layout/blobs/sha256 plain
echo '{"imageLayoutVersion":"1.0.0"}' >layout/oci-layout
refused '--rootfs nothing: No such file' "${run[@]}" --rootfs nothing -- true
refused '--image nothing: No such file' "${run[@]}" --image nothing -- true
refused '--rootfs no-image: it is neither a directory nor a tarball' "${run[@]}" --rootfs no-image true
refused '--rootfs layout: it is no container image: it has neither' "${run[@]}" --rootfs layout true
echo '{' >layout/index.json
refused '--rootfs layout: its index.json is no JSON' "${run[@]}" --rootfs layout true
echo '{"manifests":[{"digest":"sha256:x","platform":{"os":"linux","architecture":"arm64"}}]}' \
	>layout/index.json
refused 'it has no image for linux/amd64, but one for linux/arm64' "${run[@]}" --rootfs layout true
refused 'layout is a container image, which is never written' "${run[@]}" --rootfs layout --rw -- true
refused 'there is no command to run, and --rootfs plain names none' "${run[@]}" --rootfs plain
refused '--tmpdir is for --image and for container images' "${run[@]}" --rootfs plain --tmpdir . -- true
refused '--keep-overlay is for --image, and there is none' "${run[@]}" --keep-overlay x -- true
tar -cf root.tar plain
refused '--rootfs root.tar: it is no container image' "${run[@]}" --rootfs root.tar true
head -c 700 root.tar >cut.tar
refused '--rootfs cut.tar: (it is no container image|the archive ends)' "${run[@]}" --rootfs cut.tar true
if [ -z "$(find cache -name 'oci-*')" ]; then verdict ok; else verdict bad 'something was kept'; fi
