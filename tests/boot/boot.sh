#!/bin/sh
# boot.sh ROOT OVERLAY: boots what is in ROOT, again whenever it wants to be
# rebooted; what it writes goes into OVERLAY and stays over a reboot.  Called in
# namespaces of its own for mounts and network: nothing is left on this machine.
set -eu

# nspawn refuses to clean up on the /run of another machine.
mount -t tmpfs tmpfs /run
mkdir -p "$2/upper" "$2/work" "$2/root"
mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" overlay \
	"$2/root"
ip link set lo up
while :; do
	status=0
	systemd-nspawn --quiet --directory="$2/root" --machine=waybill \
		--register=no --keep-unit --boot --console=pipe </dev/null ||
		status=$?
	[ "$status" = 133 ] || exit "$status" # 133: it wants to be rebooted
done
