#!/bin/sh
# Usage: kubeos-verity NEWROOT ROOT_HASH
#
# Mounts the booted slot's root file system, read-only and verified. Each start is counted on PERSIST
# until kubeos-slot-good.service forgets it: a slot that does not agree with its root hash, or that
# has not come up three times, gives way to the other one. Where both have failed, the machine stops.
set -u

newroot=$1
root_hash=$2
name=kubeos-root
persist=/run/kubeos-persist
starts_at_most=3
given_up=given-up

say() {
    echo "kubeos-verity: $*" >/dev/console
    echo "<3>kubeos-verity: $*" >/dev/kmsg
}

# A power cut leaves the old count or the new one.
remember() {
    mkdir -p "${state%/*}" && echo "$1" >"$state.new" && sync && mv "$state.new" "$state"
}

give_up() {
    say "slot $slot: $1"
    if [ "$starts" = "$given_up" ]; then
        umount "$persist"
        say "the other slot could not be started either; neither slot is good, the machine stops"
        exit 1
    fi
    if ! remember "$given_up"; then
        say "cannot write to PERSIST, so failures of both slots cannot be detected: the machine stops"
        exit 1
    fi
    if ! KUBEOS_PERSIST=$persist kubeos-dmv other >/dev/console 2>&1; then
        say "the firmware did not accept the other slot as the next to boot"
        exit 1
    fi
    umount "$persist"
    say "starting the other slot"
    sync
    echo b >/proc/sysrq-trigger
    exit 1
}

open_tree() {
    veritysetup open "$root" "$name" "$hash" "$root_hash" "$@" >/dev/console 2>&1 &&
        mount -t ext4 -o ro "/dev/mapper/$name" "$newroot"
}

close_tree() {
    umount "$newroot" 2>/dev/null
    veritysetup close "$name" >/dev/null 2>&1
}

udevadm settle --timeout=30
if ! described=$(kubeos-dmv slot 2>&1); then
    say "$described"
    exit 1
fi
read -r slot boot root hash <<END
$described
END

mkdir -p "$persist"
if ! mount -t ext4 /dev/disk/by-label/PERSIST "$persist"; then
    say "no partition labelled PERSIST can be mounted"
    exit 1
fi
state=$persist/kubeos-dmv/starts-$slot
starts=$(cat "$state" 2>/dev/null)
case "$starts" in
    '') starts=0 ;;
    "$given_up") ;;
    *[!0-9]*) starts=0 ;;
esac
case "$root_hash" in
    *[!0-9a-f]* | '') give_up "the kernel's command line has no root hash (dmvroothash=)" ;;
esac
[ "$starts" != "$given_up" ] || give_up "it failed before"
[ "$starts" -lt "$starts_at_most" ] || give_up "it did not come up in $starts boots"
remember "$((starts + 1))" || say "cannot count this boot on PERSIST"

# Opening tells nothing: veritysetup says "verified" before a block has been read. So the file system
# is read through the tree first in a way that lets a wrong block be seen here, and then opened for
# good, so that a wrong block restarts the machine: dm-verity's restart_on_corruption.
if ! open_tree || ! cat "$newroot/usr/lib/systemd/systemd" >/dev/null; then
    close_tree
    give_up "its root file system does not agree with the root hash $root_hash"
fi
close_tree
if ! open_tree --restart-on-corruption; then
    give_up "its root file system cannot be opened"
fi
umount "$persist"

# /boot/efi is the booted slot's own boot partition; both have the same label.
mkdir -p /run/systemd/system/boot-efi.mount.d
printf '[Mount]\nWhat=%s\n' "$boot" >/run/systemd/system/boot-efi.mount.d/slot.conf
